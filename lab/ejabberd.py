"""ejabberd on loopback: 23.01 (Debian 12) and newer, from Debian's package, in a directory of its own.

Started with plain `erl` (ejabberdctl refuses other users), without epmd and distribution: nothing but the listed ports listens.
Where one component listener serves several domains, `global_routes: false` keeps their stanzas apart. Every component may do
what mod_privilege (XEP-0356) allows, where that module works. Facts about its behaviour: the reference of XMPP servers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from lab import certificate
from lab.domain import ACCOUNTS, COMPONENTS, DOMAIN, ROOMS, UPLOAD, XmppServer
from lab.process import LabError, free_ports, program

READY = "lab: accounts are registered"

TEMPLATE = """\
hosts: [%(domain)s]
loglevel: %(log_level)s
log_rotate_count: 0
auth_method: internal
auth_password_format: plain
disable_sasl_mechanisms: ["X-OAUTH2"]
acl:
  gateway:
    server: [%(servers)s]
  local:
    user_regexp: ""
access_rules:
  gateway_rule:
    allow: gateway
  upload_rule:
    - allow: local
    - allow: gateway
shaper_rules:
  max_user_sessions: 100
  max_user_offline_messages: 1000000
listen:
  - {port: %(c2s_port)d, ip: "127.0.0.1", module: ejabberd_c2s, starttls: false, max_stanza_size: 1048576}
  - port: %(http_port)d
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {"/xmpp-websocket": ejabberd_http_ws, "/http-bind": mod_bosh, "/upload": mod_http_upload}
  - port: %(component_port)d
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    global_routes: false
    %(tls)s
    hosts:
%(components)s
modules:
  mod_blocking: {}
  mod_bosh: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_disco: {}
  mod_http_upload: {host: %(upload)s, access: upload_rule, put_url: "http://127.0.0.1:%(http_port)d/upload", docroot: %(docroot)s}
  mod_mam: {default: always}
  mod_muc: {host: %(rooms)s, default_room_options: {mam: true}}
  mod_offline: {access_max_user_messages: max_user_offline_messages}
  mod_ping: {}
  mod_privacy: {}
%(privilege)s  mod_pubsub: {plugins: [flat, pep]}
  mod_roster: {versioning: true}
  # A client that vanishes is given up after seconds, not minutes: tests wait for it.
  mod_stream_mgmt: {resume_timeout: 5}
  mod_vcard: {search: false}
  mod_version: {}
"""

PRIVILEGE = """\
  mod_privilege:
    roster: {both: gateway_rule}
    message: {outgoing: gateway_rule}
    presence: {managed_entity: gateway_rule}
"""
# COMPAT: between these versions mod_privilege drops every plain iq of a component, answers included (its issue 4336).
DROPS_IQS = ((24, 6), (25, 3))


class Ejabberd(XmppServer):
    """async with Ejabberd(directory) as ejabberd: ejabberd.c2s_port, ejabberd.component_port, ejabberd.http_port

    tls         the component listener takes TLS from the first byte, with a certificate of `ca`
    privilege   whether components may do what mod_privilege (XEP-0356) allows
    """

    name = "ejabberd"

    def __init__(
        self,
        directory: Path,
        components: Mapping[str, str] = COMPONENTS,
        accounts: Mapping[str, str] = ACCOUNTS,
        *,
        tls: bool = False,
        privilege: bool = True,
        log_level: str = "info",
    ) -> None:
        super().__init__(directory, components, accounts, log_level=log_level)
        self.tls = tls
        self.privilege = privilege
        self.certificate: certificate.Certificate | None = None

    @property
    def ca(self) -> Path:
        """The authority (PEM) of the component listener; only with `tls`."""
        if self.certificate is None:
            raise LabError("ejabberd was not asked for TLS")
        return self.certificate.ca

    def prepare(self) -> None:
        self.c2s_port, self.component_port, self.http_port = free_ports(3)
        if self.tls:
            self.certificate = certificate.make(self.dir / "tls", [DOMAIN, *self.components])
        for name in ("upload", "mnesia"):
            (self.dir / name).mkdir(exist_ok=True)
        (self.dir / "ejabberd.yml").write_text(self.configuration(), encoding="utf-8")

    def configuration(self) -> str:
        """The text of ejabberd.yml. JSON strings are YAML strings."""
        return TEMPLATE % {
            "domain": json.dumps(DOMAIN),
            "rooms": json.dumps(ROOMS),
            "upload": json.dumps(UPLOAD),
            "docroot": json.dumps(str(self.dir / "upload")),
            "log_level": self.log_level,
            "tls": f"tls: true\n    certfile: {json.dumps(str(self.certificate.both))}" if self.certificate else "",
            "privilege": PRIVILEGE if self.privilege and not DROPS_IQS[0] <= version() < DROPS_IQS[1] else "",
            "servers": ", ".join(map(json.dumps, self.components)),
            "components": "\n".join(
                f"      {json.dumps(domain)}: {{password: {json.dumps(secret)}}}"
                for domain, secret in self.components.items()
            ),
            "c2s_port": self.c2s_port,
            "component_port": self.component_port,
            "http_port": self.http_port,
        }

    def command(self) -> list[str]:
        register = "".join(
            f"ejabberd_auth:try_register(<<{json.dumps(name)}>>, <<{json.dumps(DOMAIN)}>>, <<{json.dumps(password)}>>), "
            for name, password in self.accounts.items()
        )
        return [
            program("erl", "ejabberd"), "+K", "true", "-noinput",
            "-mnesia", "dir", json.dumps(str(self.dir / "mnesia")),
            "-s", "ejabberd", "-eval", f'{register}io:format("{READY}~n").',
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        return {
            "ERL_LIBS": str(_libraries()),
            "ERL_CRASH_DUMP": str(self.dir / "erl_crash.dump"),
            "EJABBERD_CONFIG_PATH": str(self.dir / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.log),
        }

    async def until_ready(self) -> None:
        await self._until(lambda: READY in self.output_text(), f"line {READY!r}", self.start_timeout)
        await self.until_accepts(self.c2s_port, self.component_port, self.http_port)

    def component_logins(self) -> int:
        return len(self.log_lines(r"Accepted external component"))

    def stream_errors(self) -> list[str]:
        """Refused handshakes only: ejabberd does not log why it closes a stream. `stream_restarts` sees those."""
        return self.log_lines(r"Failed external component|is unconfigured for external component")


def version() -> tuple[int, int]:
    """Year and month of the installed release: (23, 1)."""
    name = re.match(r"ejabberd-(\d+)\.(\d+)", _application().name)
    if name is None:
        raise LabError(f"{_application()} does not say which ejabberd it is")
    return int(name[1]), int(name[2])


def _libraries() -> Path:
    """Where Debian's package keeps ejabberd's Erlang applications: /usr/lib/<architecture>."""
    return _application().parent


def _application() -> Path:
    found = sorted(Path("/usr/lib").glob("*/ejabberd-*")) or sorted(Path("/usr/lib").glob("erlang/lib/ejabberd-*"))
    if not found:
        raise LabError("ejabberd is not installed: apt-get install ejabberd")
    return found[-1]
