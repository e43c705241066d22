"""`load`: config.toml to a frozen `Config`, or every error in it at once.

Each section is checked alone, so that one bad section hides no error of another; what spans sections (domains, secrets,
who may use a bridge) is checked on the text as it stands. Knows no protocol and opens no connection.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import SecretStr, ValidationError

from transports import config_values as kind
from transports.config_errors import SECRET_KEYS, ConfigErrors, Problem, problems_of, quoted, unknown_section
from transports.config_models import (
    Files,
    Http,
    Irc,
    IrcArchive,
    IrcLimits,
    Network,
    NetworkSettings,
    Other,
    Section,
    Sms,
    Smtp,
    Store,
    Xmpp,
)
from transports.secrets import Secrets, exposed

__all__ = [
    "ComponentSettings",
    "Config",
    "ConfigErrors",
    "Files",
    "Http",
    "Irc",
    "IrcArchive",
    "IrcLimits",
    "Network",
    "NetworkSettings",
    "Other",
    "Store",
    "Xmpp",
    "load",
]

DEFAULT_PATHS: Final = (Path("config.toml"), Path("/etc/transports/config.toml"))

SECTIONS: Final = ("xmpp", "store", "http", "files", "irc", "sms", "smtp", "bridges")

#: Bridges of the contract that this version does not have: ignoring such a section would lose messages silently.
NO_BRIDGE_YET: Final[dict[str, type[Section]]] = {"sms": Sms, "smtp": Smtp}

#: A component secret shorter than this can be guessed by whoever reaches the server's component port.
_SHORT_SECRET: Final = 16

_Model = TypeVar("_Model", bound=Section)


@dataclass(frozen=True, slots=True)
class ComponentSettings:
    """One component stream (XEP-0114) and the bridge behind it.

    name     the bridge's, e.g. "irc"
    module   has `build(config, services)` (ports.py)
    users    domains and bare JIDs who may use it, prepared for comparison; ("*",) for everybody
    tls      off: plain; require: TLS from the first byte, verified by `ca` or the machine's own authorities
    """

    name: str
    module: str
    domain: str
    host: str
    port: int
    secret: SecretStr
    tls: kind.XmppTls
    ca: Path | None
    users: tuple[str, ...]
    admins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration without errors. `notes` are for a person to read: what it means, what is weak.

    listens   [http] is there: something is to listen for HTTP
    """

    path: Path
    xmpp: Xmpp
    store: Store
    http: Http
    files: Files
    irc: Irc | None = None
    bridges: Mapping[str, Other] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    listens: bool = False

    def components(self) -> list[ComponentSettings]:
        """One per bridge, in the order in which they start."""
        irc = [self._component("irc", "transports.bridges.irc.bridge", self.irc)] if self.irc else []
        return irc + [self._component(name, other.module, other) for name, other in self.bridges.items()]

    def _component(self, name: str, module: str, section: Irc | Other) -> ComponentSettings:
        secret = section.secret or self.xmpp.secret
        if secret is None:
            raise ValueError(f"{name} has no secret")  # load() has seen to it
        return ComponentSettings(
            name=name,
            module=module,
            domain=section.domain,
            host=section.host or self.xmpp.host,
            port=section.port or self.xmpp.port,
            secret=secret,
            tls=self.xmpp.tls,
            ca=self.xmpp.ca,
            users=self.xmpp.users or (parent(section.domain),),
            admins=self.xmpp.admins,
        )


def parent(domain: str) -> str:
    """The domain above: example.org for irc.example.org; '' when there is none."""
    return domain.partition(".")[2]


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration. Raises ConfigErrors with all that is wrong.

    Of the environment: $STATE_DIRECTORY (where relative databases start), $CREDENTIALS_DIRECTORY (systemd's credentials).
    """
    return _Loading(path, environ).config()


class _Loading:
    """One run of `load`: what was read so far, and what is wrong with it."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        folder = path.absolute().parent
        # systemd lists several state directories with colons between them (systemd.exec(5)).
        state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
        self._context = {"folder": folder, "state": Path(folder, state) if state else folder}
        self._secrets = Secrets(folder, environ)
        self._problems: list[Problem] = []
        self._notes: list[str] = []
        self._raw: dict[str, Any] = {}

    def config(self) -> Config:
        self._raw = self._parse()
        self._top_level()
        xmpp, store = self._xmpp(), self._store()
        http = self._section("http", Http, self._table("http"))
        files = self._section("files", Files, self._table("files"))
        irc, bridges = self._irc(), self._bridges()
        self._not_built()
        self._across()
        self._problems += self._secrets.problems
        if self._problems or xmpp is None or store is None or http is None or files is None:
            raise ConfigErrors(self._path, self._problems)
        self._notes += [*self._secrets.notes, *_notes(xmpp, store, http, irc)]
        config = Config(self._path, xmpp, store, http, files, irc, bridges, tuple(self._notes), "http" in self._raw)
        return replace(config, notes=(*config.notes, *_weak_secrets(config)))

    # Reading ------------------------------------------------------------------------------------------------------

    def _parse(self) -> dict[str, Any]:
        try:
            raw = tomllib.loads(self._path.read_bytes().decode())
        except OSError as error:
            raise ConfigErrors(self._path, [Problem("", "", f"cannot read it: {error.strerror}")]) from None
        except UnicodeDecodeError as error:
            raise ConfigErrors(self._path, [Problem("", "", f"not UTF-8 at byte {error.start}")]) from None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigErrors(self._path, [Problem("", "", f"not TOML: {error}")]) from None
        if _holds_secret(raw):
            self._notes += exposed(self._path, "the secrets in it")
        return raw

    def _top_level(self) -> None:
        for name, value in self._raw.items():
            if name in SECTIONS:
                if not isinstance(value, dict):
                    self._problems.append(
                        Problem(name, "", f"got {_shape(value)}", f"a table: [{name}] once, keys below it")
                    )
            elif isinstance(value, dict):
                self._problems.append(unknown_section(name, SECTIONS))
            else:
                self._problems.append(Problem("", name, "a key outside any section", "", "put it below its [section]"))

    def _table(self, name: str) -> dict[str, Any]:
        value = self._raw.get(name, {})
        return value if isinstance(value, dict) else {}

    def _tables(self, section: str, table: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The tables under `key`, which is taken out of `table`: what stands there is not the section's own."""
        tables = table.pop(key, {})
        if not isinstance(tables, dict):
            self._problems.append(Problem(section, key, f"got {_shape(tables)}", f"tables [{section}.{key}.NAME]"))
            return
        for name, inner in tables.items():
            if isinstance(inner, dict):
                yield name, inner
            else:
                place = f"{section}.{key}" if section else key
                self._problems.append(Problem(place, name, f"got {_shape(inner)}", f"a table [{place}.NAME]"))

    def _section(self, name: str, model: type[_Model], table: dict[str, Any]) -> _Model | None:
        try:
            return model.model_validate(table, context=self._context)
        except ValidationError as error:
            self._problems += problems_of(name, model, error)
            return None

    # The sections -------------------------------------------------------------------------------------------------

    def _xmpp(self) -> Xmpp | None:
        table = self._table("xmpp")
        self._secrets.fill("xmpp", "secret", table)
        return self._section("xmpp", Xmpp, table)

    def _store(self) -> Store | None:
        table = self._table("store")
        self._secrets.fill("store", "key", table)
        return self._section("store", Store, table)

    def _irc(self) -> Irc | None:
        if "irc" not in self._raw:
            return None
        self._secrets.fill("irc", "secret", self._table("irc"))
        table = dict(self._table("irc"))
        limits = self._inner("limits", IrcLimits, table)
        archive = self._inner("archive", IrcArchive, table)
        networks = self._networks(table)
        irc = self._section("irc", Irc, table)
        return irc.model_copy(update={"limits": limits, "archive": archive, "networks": networks}) if irc else None

    def _inner(self, name: str, model: type[_Model], table: dict[str, Any]) -> _Model | None:
        """The table [irc.NAME], which is taken out of `table`."""
        value = table.pop(name, {})
        if not isinstance(value, dict):
            self._problems.append(Problem("irc", name, f"got {_shape(value)}", f"a table [irc.{name}]"))
            return None
        return self._section(f"irc.{name}", model, value)

    def _networks(self, table: dict[str, Any]) -> dict[str, Network]:
        networks: dict[str, Network] = {}
        seen: set[str] = set()
        for name, inner in self._tables("irc", table, "networks"):
            place = f"irc.networks.{quoted(name)}"
            for key in ("password", "sasl_password", "webirc"):
                self._secrets.fill(place, key, inner)
            self._check_sasl(place, name, inner, table)
            network = self._section(place, Network, inner)
            if key := self._network_name(place, name, seen):
                networks |= {key: network} if network else {}
        return networks

    def _network_name(self, place: str, name: str, seen: set[str]) -> str:
        """The name as it is looked up; '' when it is no name or was there already."""
        try:
            key = kind.network_name(name)
        except ValueError as error:
            self._problems.append(Problem(place, "", "not a name that users can write", str(error)))
            return ""
        if key in seen:
            self._problems.append(Problem(place, "", "the same network twice", "", "capitals make no difference"))
        seen.add(key)
        return key

    def _check_sasl(self, place: str, name: str, network: dict[str, Any], irc: dict[str, Any]) -> None:
        """SASL PLAIN is the password itself: only over verified TLS, or to this machine."""
        user, password = "sasl_user" in network, "sasl_password" in network or "sasl_password_file" in network
        if user != password:
            lacking = "sasl_password" if user else "sasl_user"
            self._problems.append(Problem(place, lacking, "missing", "sasl_user and sasl_password together"))
        tls = network.get("tls", irc.get("tls", "require"))
        if user and password and tls in ("prefer", "off") and not _on_this_machine(network.get("address", name)):
            self._problems.append(
                Problem(
                    place, "tls", f"got {quoted(tls)}", 'tls = "require" where a SASL password is sent over a network'
                )
            )

    def _bridges(self) -> dict[str, Other]:
        bridges: dict[str, Other] = {}
        for name, table in self._tables("", dict(self._raw), "bridges"):
            if name in SECTIONS or not name.isidentifier():
                self._problems.append(
                    Problem(f"bridges.{name}", "", f"got the name {quoted(name)}", "a name of its own")
                )
            self._secrets.fill(f"bridges.{name}", "secret", table)
            if bridge := self._section(f"bridges.{name}", Other, table):
                bridges[name] = bridge
        return bridges

    def _not_built(self) -> None:
        """Sections whose bridge comes later: their keys are checked, and they are refused all the same."""
        for name, model in NO_BRIDGE_YET.items():
            if name in self._raw:
                table = self._table(name)
                for key in ("secret", "auth_token", "api_secret", "password"):
                    if key in model.model_fields:
                        self._secrets.fill(name, key, table)
                self._section(name, model, table)
                self._problems.append(Problem(name, "", "this version bridges IRC only", "", "leave the section out"))

    # What spans sections ------------------------------------------------------------------------------------------

    def _across(self) -> None:
        tables = dict(self._components())
        if not tables:
            self._problems.append(Problem("", "", "nothing to bridge", "a section [irc] with a domain"))
        self._distinct_domains(tables)
        self._some_secret(tables)
        for place, table in tables.items():
            domain = table.get("domain")
            if isinstance(domain, str) and "." not in domain and "users" not in self._table("xmpp"):
                wanted = f'users = ["example.org"], as {quoted(domain)} of [{place}] has no domain above it'
                self._problems.append(Problem("xmpp", "users", "missing", wanted))

    def _components(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The tables of all that has a component stream, by section."""
        for name in ("irc", *NO_BRIDGE_YET):
            if isinstance(self._raw.get(name), dict):
                yield name, self._raw[name]
        for name, table in self._table("bridges").items():
            if isinstance(table, dict):
                yield f"bridges.{name}", table

    def _distinct_domains(self, tables: Mapping[str, dict[str, Any]]) -> None:
        owners: dict[str, str] = {}
        for place, table in tables.items():
            domain = table.get("domain")
            if isinstance(domain, str) and owners.setdefault(domain.lower(), place) != place:
                found = f"got {quoted(domain)}, which is the domain of [{owners[domain.lower()]}] too"
                self._problems.append(Problem(place, "domain", found, "a domain of its own"))

    def _some_secret(self, tables: Mapping[str, dict[str, Any]]) -> None:
        """Every component needs one; a secret that could not be read is a problem of its own already."""
        unread = {problem.section for problem in self._secrets.problems if problem.key.startswith("secret")}
        given = unread | {
            place
            for place, table in {"xmpp": self._table("xmpp"), **tables}.items()
            if {"secret", "secret_file"} & set(table)
        }
        if "xmpp" not in given and not given.issuperset(tables):
            wanted = "secret, secret_file or the systemd credential xmpp.secret: the text that the XMPP server has too"
            self._problems.append(Problem("xmpp", "secret", "missing", wanted))


def _notes(xmpp: Xmpp, store: Store, http: Http, irc: Irc | None) -> Iterator[str]:
    if xmpp.tls == "off" and not _on_this_machine(xmpp.host):
        yield f"[xmpp] everything goes to {xmpp.host} unencrypted; use a server on this machine, or tls = 'require'"
    if xmpp.users and "*" in xmpp.users:
        yield "[xmpp] users: everybody who can reach your XMPP server may use the gateway"
    if isinstance(http.admin, kind.HostPort) and not _on_this_machine(http.admin.host):
        yield f"[http] admin: whoever reaches {http.admin.host} sees how the gateway is; it is for its operator alone"
    if store.key is None:
        state = "is" if store.key_path.exists() else "will be made at the first start:"
        yield f"[store] the key that protects secrets {state} {store.key_path} (mode 0600); keep it with your backups"
    for settings in map(irc.network, irc.networks) if irc else ():
        secret = "server's" if settings.password else "WEBIRC" if settings.webirc else ""
        if secret and settings.tls == "off" and not _on_this_machine(settings.address):  # else it is not sent without TLS
            yield f"[irc.networks.{settings.name}] the {secret} password travels unencrypted: tls is off"


def _weak_secrets(config: Config) -> Iterator[str]:
    for component in config.components():
        if len(component.secret) < _SHORT_SECRET:
            yield f"the secret for {component.domain} is short; on a real server use e.g. `openssl rand -hex 32`"


def _on_this_machine(host: Any) -> bool:
    try:
        return host == "localhost" or ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _holds_secret(table: Mapping[str, Any]) -> bool:
    return any(
        _holds_secret(value) if isinstance(value, dict) else name in SECRET_KEYS - {"url"}
        for name, value in table.items()
    )


def _shape(value: Any) -> str:
    """What stands where a table should, without its text, which may be a secret in the wrong place."""
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "a value")
