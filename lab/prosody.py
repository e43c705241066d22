"""Prosody on loopback: 0.12 (Debian 12, Ubuntu 24.04) and 0.13 (Debian 13), from Debian's packages, in a directory of its own.

WebSocket (/xmpp-websocket), BOSH (/http-bind), uploads (/upload) and static files (/, the `www` directory) are on `http_port`.
Every component may do what mod_privilege (XEP-0356) allows. Facts about its behaviour: the reference of XMPP servers.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab import certificate
from lab.domain import ACCOUNTS, COMPONENTS, DOMAIN, ROOMS, UPLOAD, XmppServer
from lab.process import LabError, PortTaken, free_ports, program

PRIVILEGE_FOLDERS = (
    "/usr/lib/prosody/modules",
    "/usr/local/lib/prosody/modules",
    "/usr/share/prosody/modules",
    "/usr/lib/prosody-modules",
    "/usr/share/prosody-modules",
)

TEMPLATE = """\
local base = ENV_LAB_DIR
pidfile = base .. "/prosody.pid"
data_path = base .. "/data"
certificates = "certs"
plugin_paths = { %(plugin_paths)s }
run_as_root = false
daemonize = false
log = { { levels = { min = %(log_level)s }, to = "file", filename = base .. "/prosody.log" } }

interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
component_interfaces = { "127.0.0.1" }
http_interfaces = { "127.0.0.1" }
https_interfaces = { "127.0.0.1" }
c2s_ports = { %(c2s_port)d }
component_ports = { %(component_port)d }
http_ports = { %(http_port)d }
c2s_direct_tls_ports = {}
s2s_ports = {}
https_ports = { %(https_ports)s }

authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
%(tls)s
modules_enabled = {%(tls_module)s
  "roster", "saslauth", "disco", "ping", "time", "version", "uptime", "register",
  "pep", "carbons", "mam", "blocklist", "bookmarks", "vcard4", "vcard_legacy",
  "smacks", "csi_simple", "offline", "server_contact_info", %(privilege)s
  "websocket", "bosh", "http_files",
}
-- A client that vanishes is given up after seconds, not minutes: tests wait for it.
smacks_hibernation_time = 5
consider_websocket_secure = true
consider_bosh_secure = true
http_default_host = %(domain)s
http_files_dir = %(www)s
http_paths = { files = "/"; file_share = "/upload" }

local may = {
  roster = "both"; message = "outgoing"; presence = "managed_entity";
  iq = {
    ["http://jabber.org/protocol/pubsub"] = "both";
    ["http://jabber.org/protocol/pubsub#owner"] = "set";
    ["urn:xmpp:http:upload:0"] = "get";
  };
}

VirtualHost %(domain)s
  privileged_entities = { %(privileged)s }
  disco_items = { %(items)s }

Component %(rooms)s "muc"
  modules_enabled = { "muc_mam" }
"""

UPLOADS = """
Component %(upload)s "http_file_share"
  http_host = %(domain)s
  http_external_url = %(http_url)s
  http_file_share_size_limit = 10*1024*1024
  http_file_share_access = { %(hosts)s }
"""

TLS = """\
modules_disabled = { "s2s" }
ssl = { certificate = base .. "/tls/server.pem"; key = base .. "/tls/server.key" }
https_ssl = ssl"""

COMPONENT = """
Component %s
  component_secret = %s
  modules_enabled = { %s }
"""


class Prosody(XmppServer):
    """async with Prosody(directory) as prosody: prosody.c2s_port, prosody.component_port, prosody.http_port

    www         directory served at / (readable by everybody); default: an empty one
    upload      whether upload.localhost (XEP-0363) is there; "users": for users alone, components get no slots there
    tls         clients may use STARTTLS, with a certificate of the lab's authority: `certificate.ca`
    https       with `tls`: uploads come and go over https, as Gajim and Dino want it
    privilege   whether components may do what mod_privilege (XEP-0356) allows
    log_level   "debug", "info", "warn" or "error"
    """

    name = "prosody"

    def __init__(
        self,
        directory: Path,
        components: Mapping[str, str] = COMPONENTS,
        accounts: Mapping[str, str] = ACCOUNTS,
        *,
        www: Path | None = None,
        upload: bool | str = True,
        privilege: bool = True,
        tls: bool = False,
        https: bool = False,
        log_level: str = "info",
    ) -> None:
        super().__init__(directory, components, accounts, log_level=log_level)
        self.tls = tls
        self.https = https
        self.certificate: certificate.Certificate | None = None
        self.www = Path(www).resolve() if www else self.dir / "www"
        self.upload = upload
        self.privilege = privilege

    def prepare(self) -> None:
        self.c2s_port, self.component_port, self.http_port, self.https_port = free_ports(4)
        for name in ("data", "certs"):
            (self.dir / name).mkdir(exist_ok=True)
        self.www.mkdir(parents=True, exist_ok=True)
        if self.tls:
            self.certificate = certificate.make(self.dir / "tls")
        (self.dir / "prosody.cfg.lua").write_text(self.configuration(), encoding="utf-8")
        for name, password in self.accounts.items():
            self.add_account(name, password)

    def configuration(self) -> str:
        """The text of prosody.cfg.lua; no path of the directory is in it but `www` where that is given."""
        values = {
            "tls": TLS if self.tls else 'modules_disabled = { "s2s", "tls" }',
            "tls_module": ' "tls",' if self.tls else "",
            "plugin_paths": ", ".join(map(_lua, plugin_paths())),
            "log_level": _lua(self.log_level),
            "c2s_port": self.c2s_port,
            "component_port": self.component_port,
            "http_port": self.http_port,
            "https_ports": self.https_port if self.https else "",
            "http_url": _lua(f"https://localhost:{self.https_port}/" if self.https else f"http://127.0.0.1:{self.http_port}/"),
            "domain": _lua(DOMAIN),
            "rooms": _lua(ROOMS),
            "upload": _lua(UPLOAD),
            "www": _lua(str(self.www)),
            "privilege": '"privilege",' if self.privilege else "",
            "privileged": "; ".join(f"[{_lua(domain)}] = may" for domain in self.components),
            "items": ", ".join(f"{{ {_lua(name)}, {_lua(text)} }}" for name, text in self._items().items()),
            "hosts": ", ".join(map(_lua, [DOMAIN, *(self.components if self.upload is True else ())])),
        }
        text = TEMPLATE + (UPLOADS if self.upload else "")
        modules = '"privilege"' if self.privilege else ""
        return text % values + "".join(COMPONENT % (_lua(d), _lua(s), modules) for d, s in self.components.items())

    def add_account(self, name: str, password: str) -> None:
        """Write an account into the storage; a running server sees it at once. name: letters, digits."""
        folder = self.dir / "data" / DOMAIN / "accounts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.dat").write_text(f"return {{ password = {_lua(password)} }};\n", encoding="utf-8")

    def command(self) -> list[str]:
        return [program("prosody", "prosody"), "-F", "--config", str(self.dir / "prosody.cfg.lua")]

    def environment(self) -> dict[str, str]:
        return {"LAB_DIR": str(self.dir)}

    async def until_ready(self) -> None:
        for service in ("c2s", "component", "http"):
            await self.until_log(f"Activated service '{service}' on |Failed to open server port")
        if self.log_lines("Failed to open server port", whole=False):
            await self.kill()
            raise PortTaken(f"prosody: a port was taken{self.tail()}")
        await self.until_accepts(self.c2s_port, self.component_port, self.http_port)

    def component_logins(self) -> int:
        return len(self.log_lines(r"External component successfully authenticated"))

    def stream_errors(self) -> list[str]:
        return self.log_lines(r"Disconnecting component, <stream:error> is|External component .* XML parse error")

    def _items(self) -> dict[str, str]:
        uploads = {UPLOAD: "Upload"} if self.upload else {}
        return {**{domain: f"{domain.split('.')[0]} gateway" for domain in self.components}, ROOMS: "Rooms", **uploads}


def plugin_paths() -> list[str]:
    """Where mod_privilege lies, when Prosody would not look there by itself. LabError when it is not installed."""
    own = PRIVILEGE_FOLDERS[:2]
    for folder in (*PRIVILEGE_FOLDERS, *_package_folders()):
        if any((Path(folder) / name).exists() for name in ("mod_privilege", "mod_privilege.lua")):
            return [] if folder in own else [folder]
    raise LabError("Prosody's mod_privilege is not installed: apt-get install prosody-modules")


def _package_folders() -> list[str]:
    """Folders of mod_privilege by the package's own list: it moves between releases."""
    try:
        listed = subprocess.run(["dpkg", "-L", "prosody-modules"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return [path.rsplit("/", 1)[0] for path in listed.stdout.splitlines() if path.endswith("/mod_privilege")]


def _lua(text: str) -> str:
    """A Lua string; JSON's escapes are Lua's for the printable text that stands in configurations."""
    return json.dumps(text, ensure_ascii=False)
