"""The kinds of values that config.toml holds: what each accepts, and the words for what was wanted.

A kind is an annotated type; its description is what `transports check` prints after "wanted". A validator that has
something better to say raises Wanted. Knows no section and opens no file.
Specifications: RFC 7622 (JIDs), TOML 1.0.
"""

from __future__ import annotations

import codecs
import importlib.util
import re
import stringprep
import unicodedata
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

#: The store's key has to be long; a person who types one is told how to make it.
SHORTEST_KEY: Final = 16
KEY_WANTED: Final = f"at least {SHORTEST_KEY} characters, e.g. from `openssl rand -base64 32`"

_LABEL: Final = re.compile(r"[^\W_]([^\W_]|-)*(?<!-)")
_NETWORK: Final = re.compile(r"[\w.-]{1,255}")
_LOCAL_FORBIDDEN: Final = re.compile(r"[\s\x00-\x20\x7f\"&'/:<>@]")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


class Wanted(ValueError):
    """A value does not fit; the text says what would."""


class HostPort(NamedTuple):
    """Where to listen or connect; `host` without the brackets of an IPv6 address."""

    host: str
    port: int


class Rate(NamedTuple):
    """A token bucket: `burst` at once, then `per_second`. A burst of 0 means no limit."""

    burst: int
    per_second: float

    @property
    def off(self) -> bool:
        return self.burst == 0


def domain(text: str) -> str:
    """A domain in the form in which servers stamp it on stanzas: lower case, Unicode rather than punycode."""
    labels = text.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError
    try:
        return ".".join(label.encode("idna").decode("idna") for label in labels).lower()
    except UnicodeError:
        raise ValueError from None


def user(text: str) -> str:
    """A domain or a bare JID, prepared for comparison (RFC 7622 3.3: mapped to lower case, normalised)."""
    local, at, host = text.rpartition("@")
    if not at:
        return domain(host)
    if not local or _LOCAL_FORBIDDEN.search(local) or len(local.encode()) > 1023:
        raise ValueError
    mapped = "".join(map(stringprep.map_table_b2, local))
    return f"{unicodedata.normalize('NFKC', mapped)}@{domain(host)}"


def _user_or_all(text: str) -> str:
    return text if text == "*" else user(text)


def host(text: str) -> str:
    """A host name or an IP address."""
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        return domain(text)


def network_name(text: str) -> str:
    """A network as users write it in an address, after the `%`."""
    if not _NETWORK.fullmatch(text):
        raise Wanted("a network's name as users write it after the %: letters, digits, dots, hyphens")
    return text.lower()


def _listen(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError
    name, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError
    if ":" in name and not (name.startswith("[") and name.endswith("]")):
        raise ValueError
    return HostPort(host(name), int(port))


def _rate(value: Any) -> Any:
    """`0` or `[burst, per_second]`; exact types, for in Python true is a number too."""
    if type(value) is int and value == 0:
        return Rate(0, 0.0)
    if not isinstance(value, list) or [type(number) for number in value] not in ([int, int], [int, float]):
        raise ValueError
    burst, per_second = value
    if not (1 <= burst <= 1_000_000 and 0 < per_second <= 1_000_000):
        raise ValueError
    return Rate(burst, float(per_second))


def charset(text: str) -> str:
    """Only charsets in which ASCII is ASCII: commands and names have to survive them."""
    ascii_text = bytes(range(0x20, 0x7F))
    try:
        info = codecs.lookup(text)
        if ascii_text.decode(info.name) != ascii_text.decode("ascii"):
            raise ValueError
    except (LookupError, UnicodeError, TypeError):
        raise ValueError from None
    return info.name


def fingerprint(text: str) -> str:
    """SHA-256 of a certificate as 64 digits in lower case, from any of the ways in which programs print it. ValueError."""
    digits = re.sub(r"[:\s]", "", text.lower().removeprefix("sha256").removeprefix(":"))
    if not _FINGERPRINT.fullmatch(digits):
        raise ValueError
    return digits


def _source(text: str) -> str:
    """An address, or a network from which every user gets an address: 2001:db8::/64."""
    if "/" not in text:
        return str(ip_address(text))
    network = ip_network(text)
    if not 8 <= network.prefixlen <= network.max_prefixlen - 8:
        raise ValueError
    return str(network)


def _proxy(value: SecretStr) -> SecretStr:
    """socks5://[user:password@]host:port (RFC 1928, 1929)."""
    parts = urlsplit(value.get_secret_value())
    host(parts.hostname or "")
    names = (parts.username or "", parts.password or "")
    if parts.scheme != "socks5" or not parts.port or parts.path or parts.query or parts.fragment:
        raise ValueError
    if any(len(unquote(name).encode()) > 255 for name in names) or bool(names[0]) != bool(names[1]):
        raise ValueError
    return value


def _ident_listen(value: Any) -> Any:
    return value if value == "systemd" else _listen(value)


def _one_or_many(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,)


def _url(text: str) -> str:
    parts = urlsplit(text)
    host(parts.hostname or "")
    if parts.scheme not in ("http", "https") or parts.port == 0 or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError
    if not text.isprintable() or " " in text:
        raise ValueError
    return text.rstrip("/")


def _https(text: str) -> str:
    """Without encryption only on this machine, where it is tried out."""
    if not text.startswith("https://") and urlsplit(text).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError
    return _url(text)


def _host_port(value: Any) -> Any:
    """`upload.example.org`, or with a port; port 0: none was given."""
    if not isinstance(value, str):
        raise ValueError
    if re.search(r":[0-9]+$", value) and (value.count(":") == 1 or "]:" in value):
        return _listen(value)
    return HostPort(host(value), 0)


def _store_url(value: Any, info: ValidationInfo) -> Any:
    """`sqlite:///FILE` with FILE absolute: a relative one starts at the state folder."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        raise ValueError
    if text.startswith(("postgresql", "postgres")):
        raise Wanted("sqlite:///FILE: this version keeps its store in SQLite only")
    scheme, _, name = text.partition("///")
    if scheme != "sqlite:" or not name or not name.isprintable() or "?" in name or name.startswith(":"):
        raise ValueError
    path = Path(_folder(info, "state"), name)
    if not path.parent.is_dir():
        raise Wanted(f"a folder that exists: {path.parent} does not")
    return SecretStr(f"sqlite:///{path}")


def _module(text: str) -> str:
    """Found, not loaded; looking for a.b.c loads a and a.b."""
    try:
        found = importlib.util.find_spec(text)
    except Exception as error:
        raise Wanted(f"the name of a Python module that can be found ({type(error).__name__}: {error})") from None
    if found is None:
        raise ValueError
    return text


def _folder(info: ValidationInfo, name: str) -> Path:
    """A folder of the validation's context: where relative names start."""
    return Path((info.context or {}).get(name, "."))


def _file(value: Any, info: ValidationInfo) -> Any:
    """A path; relative ones start at the folder of the configuration file."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return Path(_folder(info, "folder"), value)


def _readable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise Wanted(f"a file that can be read ({error.strerror})") from None


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isprintable() or not value:
        raise ValueError
    return value


def _store_key(value: SecretStr) -> SecretStr:
    if len(value) < SHORTEST_KEY:
        raise Wanted(KEY_WANTED)
    return value


def _listen_or_unix(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("unix:/") and "\0" not in value:
        return value
    return _listen(value)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def words(wanted: str) -> Any:
    """The description of a kind, which becomes the end of the sentence "wanted …"."""
    return Field(description=wanted)


AsTuple: Final = BeforeValidator(_tuple)

Port = Annotated[int, Field(ge=1, le=65535, description="a port number, 1 to 65535")]
Ports = Annotated[tuple[Port, ...], AsTuple, Field(max_length=20, description="a list of port numbers, 1 to 65535")]
Count = Annotated[int, Field(ge=1, le=1_000_000_000, description="a whole number, 1 or more")]
Switch = Annotated[bool, words("true or false")]
Text = Annotated[str, Field(min_length=1, description="a text")]
Secret = Annotated[SecretStr, AfterValidator(_secret), words("a text, not empty, without control characters")]
StoreKey = Annotated[Secret, AfterValidator(_store_key)]
StoreUrl = Annotated[SecretStr, BeforeValidator(_store_url), words("sqlite:///FILE, in a folder that exists")]
Domain = Annotated[str, AfterValidator(domain), words("a domain such as irc.example.org")]
Domains = Annotated[tuple[Domain, ...], AsTuple, words('a list of domains such as ["upload.example.org"]')]
FileHost = Annotated[HostPort, BeforeValidator(_host_port)]
FileHosts = Annotated[
    tuple[FileHost, ...], AsTuple, words('a list of hosts such as ["upload.example.org", "192.0.2.7:5443"]')
]
Host = Annotated[str, AfterValidator(host), words("a host name or an IP address")]
NetworkName = Annotated[str, AfterValidator(network_name), words("a network's name")]
Users = Annotated[
    tuple[Annotated[str, AfterValidator(_user_or_all)], ...],
    AsTuple,
    Field(
        min_length=1, description='a list of domains and bare JIDs such as ["example.org", "me@example.net"], or ["*"]'
    ),
]
Admins = Annotated[
    tuple[Annotated[str, AfterValidator(user)], ...], AsTuple, words('a list of bare JIDs such as ["me@example.org"]')
]
PhoneNumber = Annotated[str, Field(pattern="^[+][1-9][0-9]{6,14}$")]
Listen = Annotated[HostPort, BeforeValidator(_listen), words('an address and a port such as "127.0.0.1:8088"')]
MailListen = Annotated[
    HostPort | str,
    BeforeValidator(_listen_or_unix),
    words('"127.0.0.1:2424" or a socket such as "unix:/run/mail.sock"'),
]
HttpListen = Annotated[
    HostPort | str,
    BeforeValidator(_listen_or_unix),
    words('an address and a port such as "127.0.0.1:8088", or a socket such as "unix:/run/transports/http.sock"'),
]
Bucket = Annotated[
    Rate, BeforeValidator(_rate), words("[how many at once, how many a second] such as [5, 0.5], or 0 for no limit")
]
Charset = Annotated[str, AfterValidator(charset), words('a character set such as "iso-8859-1" or "windows-1252"')]
Fingerprint = Annotated[str, AfterValidator(fingerprint)]
Pins = Annotated[
    tuple[Fingerprint, ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1, description="the SHA-256 of a certificate as 64 hexadecimal digits, or a list of them"),
]
Source = Annotated[
    str, AfterValidator(_source), words('an IP address of this machine, or a network of it such as "2001:db8::/64"')
]
Proxy = Annotated[SecretStr, AfterValidator(_proxy), words('an address such as "socks5://127.0.0.1:9050"')]
IdentListen = Annotated[
    HostPort | Literal["systemd"],
    BeforeValidator(_ident_listen),
    words('an address and a port such as "0.0.0.0:113", or "systemd"'),
]
HttpsUrl = Annotated[str, AfterValidator(_https), words("an address such as https://gw.example.org")]
ReadableFile = Annotated[
    Path, BeforeValidator(_file), AfterValidator(_readable), words("the name of a file that can be read")
]
SecretFile = Annotated[Path, BeforeValidator(_file), words("the name of a file")]
HttpUrl = Annotated[str, AfterValidator(_url), words("an address such as https://api.example.org")]
Numbers = Annotated[
    tuple[PhoneNumber, ...] | Mapping[PhoneNumber, Users],
    AsTuple,
    words('a list such as ["+15551234567"], or a table of numbers and the JIDs they belong to'),
]
Region = Annotated[str, Field(pattern="^[A-Z]{2}$", description='a country such as "US"')]
Price = Annotated[float, Field(ge=0, le=100, description="a price such as 0.0083")]
Module = Annotated[str, AfterValidator(_module), words("the name of a Python module that can be found")]
Limits = Annotated[Mapping[str, int | float], words("a table of numbers")]

MailTls: TypeAlias = Literal["require", "starttls", "off"]
WebircHost: TypeAlias = Literal["user", "domain"]
IrcTls: TypeAlias = Literal["require", "prefer", "off"]
XmppTls: TypeAlias = Literal["off", "require"]
