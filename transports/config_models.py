"""The sections of config.toml as frozen models: their keys are all that a configuration may hold.

config.toml is their manual. A table within a section ([irc.networks.X], [irc.limits], [bridges.X]) is a section of its
own. Knows values (`config_values`), no protocol; opens nothing but the files that it is told to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from transports import config_values as kind
from transports.secrets import open_key


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class Xmpp(Section):
    """The XMPP server and who may use the gateway; `users` None: the domain above each bridge's."""

    host: kind.Host = "127.0.0.1"
    port: kind.Port = 5347
    secret: kind.Secret | None = None
    secret_file: kind.SecretFile | None = None
    users: kind.Users | None = None
    admins: kind.Admins = ()
    tls: kind.XmppTls = "off"
    ca: kind.ReadableFile | None = None


class Store(Section):
    """The database; `url` as SQLAlchemy takes it, its path absolute."""

    url: kind.StoreUrl = Field(default=SecretStr("sqlite:///transports.db"), validate_default=True)
    key: kind.StoreKey | None = None
    key_file: kind.SecretFile | None = None

    @property
    def path(self) -> Path:
        """The database's file."""
        return Path(self.url.get_secret_value().removeprefix("sqlite:///"))

    @property
    def key_path(self) -> Path:
        """Where the key is made when none is given."""
        return self.path.with_name("transports.key")

    def open_key(self) -> str:
        """The key, made now if need be. Raises OSError, ValueError (`secrets.open_key`)."""
        return self.key.get_secret_value() if self.key else open_key(self.key_path)


class Http(Section):
    """`public_url`: where `listen` is seen from outside; None: not at all, so that no files are kept for others."""

    listen: kind.HttpListen = kind.HostPort("127.0.0.1", 8088)
    public_url: kind.HttpsUrl | None = None
    admin: kind.HttpListen = kind.HostPort("127.0.0.1", 8089)


class Files(Section):
    """`hosts`: port 0 is the scheme's own; `max_size` in bytes, `keep` in days."""

    hosts: kind.FileHosts = ()
    max_size: kind.Count = 10_485_760
    keep: kind.Count = 30


class Component(Section):
    """What every bridge has: its domain, and where its component stream differs from [xmpp]."""

    domain: kind.Domain
    host: kind.Host | None = None
    port: kind.Port | None = None
    secret: kind.Secret | None = None
    secret_file: kind.SecretFile | None = None


class Link(Section):
    """How an IRC network is reached. None: as the level above says; `NetworkSettings` has the defaults."""

    tls: kind.IrcTls | None = None
    tls_ports: kind.Ports | None = None
    ports: kind.Ports | None = None
    ca: kind.ReadableFile | None = None
    charset: kind.Charset | None = None
    bind: kind.Source | None = None
    proxy: kind.Proxy | None = None
    throttle: kind.Bucket | None = None
    connect_rate: kind.Bucket | None = None
    private_addresses: kind.Switch | None = None
    persistent: kind.Switch | None = None


class Network(Link):
    """[irc.networks.X]: one network, where it differs from the others."""

    address: kind.Host | None = None
    pin: kind.Pins | None = None
    password: kind.Secret | None = None
    password_file: kind.SecretFile | None = None
    sasl_user: kind.Text | None = None
    sasl_password: kind.Secret | None = None
    sasl_password_file: kind.SecretFile | None = None
    webirc: kind.Secret | None = None
    webirc_file: kind.SecretFile | None = None
    webirc_host: kind.WebircHost | None = None
    connections: kind.Count | None = None
    channels: kind.Count | None = None


class IrcLimits(Section):
    """Per user: networks at a time; per user and network: channels, and lines that wait to be sent."""

    networks: kind.Count = 5
    channels: kind.Count = 50
    lines: kind.Count = 500


class IrcArchive(Section):
    """What was said, for each user: whether it is kept at all, for how many days, how much of a channel, how much of a user."""

    enabled: bool = True
    days: kind.Count = 90
    lines: kind.Count = 50_000
    total: kind.Count = 500_000


_THROTTLE: Final = kind.Rate(5, 0.5)
_CONNECT_RATE: Final = kind.Rate(10, 1.0)


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Everything about how one IRC network is reached.

    name                as users write it, lower case
    address             host name or IP address to connect to
    named               the operator listed it (or it is the fixed server)
    tls                 require: verified or nothing; prefer: plain when TLS fails; off: plain only
    pin                 SHA-256 of certificates (lower-case hexadecimal); if any, one must match and no CA is asked
    charset             Python's name of how to read lines that are not UTF-8; decode with errors="replace"
    bind                where connections come from: an address, or a network in which every user has an address
    proxy               socks5://[user:password@]host:port
    webirc              the password with which this gateway may say for whom it connects; webirc_host: what it says
    throttle            lines of one connection; connect_rate: connections and joins of all users together
    private_addresses   whether `address` may lead to a private or loopback address
    connections         of all users at a time, 0 for any number; channels: of one user, 0 for as many as elsewhere
    lines               of one user that may wait to be sent

    What only users choose, for themselves (`bridges/irc/chosen`):
    verify              whether a certificate needs an authority, where none is pinned
    fingerprint         SHA-256 of the one certificate that the user trusts, beside what `pin` and `ca` say; '' for any
    certificate         whether TLS shows a certificate of the user's, and whether it may log in (SASL EXTERNAL)
    require_sasl        whether there is no connection without the login, where one is wanted
    after_connect       lines to send when the server has greeted us
    charset_out         Python's name of how lines are written
    """

    name: str
    address: str
    named: bool
    tls: kind.IrcTls = "require"
    tls_ports: tuple[int, ...] = (6697,)
    ports: tuple[int, ...] = (6667,)
    ca: Path | None = None
    pin: tuple[str, ...] = ()
    charset: str = "iso8859-1"
    bind: str | None = None
    throttle: kind.Rate = _THROTTLE
    connect_rate: kind.Rate = _CONNECT_RATE
    private_addresses: bool = False
    persistent: bool = False
    password: SecretStr | None = None
    sasl_user: str | None = None
    sasl_password: SecretStr | None = None
    proxy: SecretStr | None = None
    webirc: SecretStr | None = None
    webirc_host: kind.WebircHost = "user"
    connections: int = 0
    channels: int = 0
    lines: int = 500
    verify: bool = True
    fingerprint: str = ""
    certificate: bool = False
    require_sasl: bool = True
    nick: str = ""
    username: str = ""
    realname: str = ""
    after_connect: tuple[str, ...] = field(default=(), repr=False)
    charset_out: str = "utf-8"


class Irc(Component, Link):
    server: kind.NetworkName | None = None
    raw: Literal["users", "admins", "off"] = "users"
    identd: kind.IdentListen | None = None
    limits: IrcLimits = IrcLimits()
    archive: IrcArchive = IrcArchive()
    networks: Mapping[str, Network] = Field(default_factory=dict)

    def network(self, name: str) -> NetworkSettings:
        """The settings of a network by the name that a user wrote, listed or not."""
        name = name.lower()
        entry = self.networks.get(name)
        named = entry is not None or name == self.server
        given = {"address": name, **_given(self, Link)}
        if named:
            given["private_addresses"] = True
        if entry:
            given |= _given(entry, Network)
        given["lines"] = self.limits.lines
        return NetworkSettings(name=name, named=named, **given)


class Sms(Component):
    account_sid: kind.Text
    auth_token: kind.Secret | tuple[kind.Secret, ...] | None = Field(
        default=None, description="a text or a list of texts"
    )
    auth_token_file: kind.SecretFile | None = None
    api_key: kind.Text | None = None
    api_secret: kind.Secret | None = None
    api_secret_file: kind.SecretFile | None = None
    api_url: kind.HttpUrl | None = None
    numbers: kind.Numbers
    region: kind.Region = "US"
    receive: Literal["webhook", "poll"] = "webhook"
    segment_price: kind.Price | None = None
    limits: kind.Limits = Field(default_factory=dict)


class Smtp(Component):
    mail_domains: kind.Domains | None = None
    listen: kind.MailListen = kind.HostPort("127.0.0.1", 2424)
    protocol: Literal["lmtp", "smtp"] = "lmtp"
    authserv_id: kind.Text | None = None
    smarthost: kind.Listen = kind.HostPort("127.0.0.1", 587)
    tls: kind.MailTls = "require"
    username: kind.Text | None = None
    password: kind.Secret | None = None
    password_file: kind.SecretFile | None = None
    limits: kind.Limits = Field(default_factory=dict)


class Other(Component):
    """[bridges.X]: a bridge from a module of one's own; `options` are for it to read."""

    module: kind.Module
    options: Mapping[str, Any] = Field(default_factory=dict)


def _given(section: Section, keys: type[Section]) -> dict[str, Any]:
    """The keys of `section` that are set, of those that `NetworkSettings` has."""
    names = [name for name in keys.model_fields if not name.endswith("_file")]
    return {name: value for name in names if (value := getattr(section, name)) is not None}
