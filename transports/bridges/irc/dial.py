"""Getting through to an IRC server: addresses, ports, proxies, TLS, and `irc`'s connection with our reading and writing in it.

Holds what has to do with opening and closing one socket; what is said over it is `wire`'s. What is decided elsewhere: whom to
trust (`tls`), who must not be met without TLS (`sts`), what others are told of the user (`pseudonyms`, `identd`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from typing import Any, Final
from typing import Protocol as Interface

from irc.client import Connection as BaseConnection
from irc.client_aio import AioConnection, AioReactor, IrcProtocol

from transports.bridges.irc import socks, sts
from transports.bridges.irc.certificates import Certificates
from transports.bridges.irc.greeting import webirc_of
from transports.bridges.irc.identd import Identd
from transports.bridges.irc.pseudonyms import Pseudonyms
from transports.bridges.irc.tls import Contexts, Peek, pin_error, trusted, untrusted, unverified
from transports.config import NetworkSettings
from transports.errors import LegacyError
from transports.resolve import Resolver, is_address, is_public
from transports.words import Text, say

#: Seconds for one attempt to connect to one address, TLS included.
CONNECT_WITHIN: Final = 20.0
#: Seconds that what is unsent at the end may take.
LINGER: Final = 5.0
#: Linux's socket options for an address that no interface has (ip(7), ipv6(7)); Python has no names for them.
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
#: Names that mean something in the proxy's own network (RFC 6761, 6762, 8375); the proxy looks names up, so nobody else can.
_INSIDE: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp")
# `127.1` and `0x7f.0.0.1` are addresses to the C library (inet_aton(3)); no top-level domain is a number (RFC 3696 2).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Owner(Interface):
    """Whose connection it is: `wire.Link`. None of these may raise."""

    def made(self, transport: asyncio.Transport) -> None: ...
    def received(self, data: bytes) -> None: ...
    def ended(self, exc: Exception | None) -> None: ...
    def choke(self, full: bool) -> None: ...
    def wake(self) -> None: ...


class Protocol(IrcProtocol):  # type: ignore[misc]
    """asyncio's side of a connection."""

    connection: Connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        link = self.connection.link
        if link is None:
            transport.abort()
        else:
            self.connection.transport = transport
            link.made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        link = self.connection.link
        if link is not None:
            link.ended(exc)

    def pause_writing(self) -> None:
        link = self.connection.link
        if link is not None:
            link.choke(True)

    def resume_writing(self) -> None:
        link = self.connection.link
        if link is not None:
            link.choke(False)
            link.wake()


class Connection(AioConnection):  # type: ignore[misc]
    """One connection of the `irc` library, with our reading, writing and registration.

    link      None when that is over
    port      that it goes to; 0 before
    on_close  called once, when it is over
    """

    protocol_class = Protocol

    def __init__(self, reactor: AioReactor, link: Owner) -> None:
        # not ServerConnection's: its FeatureSet is replaced by ISupport
        BaseConnection.__init__(self, reactor)
        self.link: Owner | None = link
        self.transport: asyncio.Transport | None = None
        self.port = 0
        self.on_close: Callable[[], None] | None = None

    @property
    def encrypted(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None

    def process_data(self, new_data: bytes) -> None:
        if self.link is not None:
            self.link.received(new_data)

    def disconnect(self, message: str = "") -> None:
        """Close the socket and let go of the link, so that nothing but a socket outlives it."""
        self.link = None
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()
            if transport.get_write_buffer_size():
                self.reactor.loop.call_later(LINGER, transport.abort)
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()


class Dialer:
    """One bridge's ways out to its networks."""

    def __init__(
        self, domain: str, pseudonyms: Pseudonyms, certificates: Certificates, policies: sts.Policies, identd: Identd | None
    ) -> None:
        """domain: the gateway's, as WebIRC names it. identd: None where nobody is to ask us."""
        self.domain = domain
        self.pseudonyms = pseudonyms
        self.certificates = certificates
        self.policies = policies
        self.identd = identd
        self.resolver = Resolver()
        self.contexts = Contexts()

    def way(self, user: str, slot: Callable[[], Awaitable[None]]) -> Way:
        """slot: awaited before any connection but the one asked for: a place among all that are opened to the network."""
        return Way(self, user, slot)


class Way:
    """One user's way to one network, whichever connection takes it."""

    __slots__ = ("_dialer", "_slot", "_user")

    def __init__(self, dialer: Dialer, user: str, slot: Callable[[], Awaitable[None]]) -> None:
        self._dialer = dialer
        self._user = user
        self._slot = slot

    # What a connection says ---------------------------------------------------------------------------------------

    def webirc(self, settings: NetworkSettings) -> tuple[str, ...]:
        return webirc_of(settings, self._dialer.pseudonyms, self._user, self._dialer.domain)

    def heard(self, settings: NetworkSettings, connection: Connection, value: str) -> None:
        """The server has said this of TLS (STS), and has let us in: remember it, if it could be anybody's word but its own."""
        if value and connection.encrypted and trusted(settings) and not is_address(settings.address):
            self._dialer.policies.learn(settings.address, connection.port, value, time.time())

    def closing(self, settings: NetworkSettings, connection: Connection, greeted: bool) -> None:
        """What was said of TLS counts from the end of a connection (STS, "Rescheduling expiry on disconnect"), if it was one."""
        if greeted and connection.encrypted:
            self._dialer.policies.renew(settings.address, time.time())

    # Connecting ---------------------------------------------------------------------------------------------------

    async def reach(self, connection: Connection, settings: NetworkSettings) -> None:
        """Connect to the first port and address that answers. LegacyError when none does."""
        last = LegacyError("remote-server-not-found", say("irc.no-address", server=settings.name))
        policy = self._policy(settings)
        pem = await self._dialer.certificates.of(self._user, settings.name) if settings.certificate else ""
        hosts = await self._hosts(settings)
        for port, encrypted in _ports(settings, policy):
            tls = self._context(settings, pem, policy is not None) if encrypted else None
            for host in hosts:
                try:
                    await self._open(connection, settings, host, port, tls)
                    return
                except ssl.SSLCertVerificationError as error:
                    reason = error.verify_message
                    last = await self._untrusted(settings, host, port, reason)
                    error.with_traceback(None)
                except (OSError, TimeoutError) as error:
                    last = _connect_error(settings, port, error)
                    error.with_traceback(None)  # it stays in a circle of asyncio's own, with this frame
        raise last

    def _policy(self, settings: NetworkSettings) -> sts.Policy | None:
        """What the host has said of TLS. `tls = off` is the operator's word, and it is said of hosts that he knows."""
        if settings.tls == "off" or is_address(settings.address):
            return None
        return self._dialer.policies.of(settings.address, time.time())

    def _context(self, settings: NetworkSettings, pem: str, strict: bool) -> ssl.SSLContext:
        try:
            return self._dialer.contexts.of(settings, pem, strict)
        except (ssl.SSLError, OSError):
            if not pem:
                raise
            raise LegacyError("not-acceptable", say("irc.no-certificate", server=settings.name)) from None

    async def _hosts(self, settings: NetworkSettings) -> list[str]:
        """IP addresses of the server that its users may reach; its name, where a proxy looks it up."""
        if settings.proxy is not None:
            _guard(settings)
            return [settings.address]
        addresses = await self._dialer.resolver.addresses(self._user, settings.address)
        if not settings.private_addresses:
            addresses = list(filter(is_public, addresses))
            if not addresses:
                raise LegacyError("not-allowed", say("irc.private", server=settings.name))
        return addresses

    async def _open(
        self, connection: Connection, settings: NetworkSettings, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        """Open the socket (and TLS); OSError, ssl.SSLError or TimeoutError."""
        identd = self._dialer.identd
        protocol = connection.protocol_class(connection, connection.reactor.loop)
        connection.port = port
        bind = settings.bind or ""
        async with asyncio.timeout(CONNECT_WITHIN):
            if identd is None and settings.proxy is None and "/" not in bind:  # the loop alone is faster, and holds less
                local = (bind, 0) if bind else None
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: protocol, host, port, local_addr=local, **_encrypting(settings, tls))
                return
            with identd.dialing() if identd else contextlib.nullcontext():
                sock = await self._socket(settings, host, port)
                if identd is not None and settings.proxy is None:
                    self._tell(identd, connection, sock)
            try:
                await self._start(lambda: protocol, sock, settings, tls)
            except BaseException:
                if connection.on_close is not None:
                    connection.on_close()
                    connection.on_close = None
                raise

    def _tell(self, identd: Identd, connection: Connection, sock: socket.socket) -> None:
        pair = identd.opened(sock, self._dialer.pseudonyms.ident(self._user))
        if pair is not None:
            connection.on_close = lambda: identd.closed(pair)

    async def _start(
        self, made: Callable[[], asyncio.BaseProtocol], sock: socket.socket, settings: NetworkSettings, tls: ssl.SSLContext | None
    ) -> None:
        """Give a connected socket to a protocol; the loop closes it when that fails."""
        await asyncio.get_running_loop().create_connection(made, sock=sock, **_encrypting(settings, tls))

    async def _socket(self, settings: NetworkSettings, host: str, port: int) -> socket.socket:
        """A socket connected to the server, through the proxy if there is one."""
        if settings.proxy is None:
            return await self._connected(host, port, settings.bind or "")
        proxy = socks.parse(settings.proxy.get_secret_value())
        (at, *_) = await self._dialer.resolver.addresses(self._user, proxy.host)
        sock = await self._connected(at, proxy.port)
        try:
            await socks.tunnel(sock, proxy, host, port)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _connected(self, address: str, port: int, bind: str = "") -> socket.socket:
        """bind: an address to come from, or a network in which the user has an own one; '' for whatever the system takes."""
        ip = ip_address(address.partition("%")[0])
        sock = socket.socket(socket.AF_INET if ip.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._bind(sock, bind, ip.version)
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def _bind(self, sock: socket.socket, bind: str, version: int) -> None:
        if "/" in bind:
            if ip_address(bind.partition("/")[0]).version != version:
                return  # there are no own addresses of that kind
            bind = self._dialer.pseudonyms.address_in(bind, self._user)
            level, option = (socket.IPPROTO_IP, _IP_FREEBIND) if version == 4 else (socket.IPPROTO_IPV6, _IPV6_FREEBIND)
            sock.setsockopt(level, option, 1)
        if bind:
            sock.bind((bind, 0))

    # Certificates that nobody vouches for -------------------------------------------------------------------------

    async def _untrusted(self, settings: NetworkSettings, host: str, port: int, reason: str) -> LegacyError:
        """The error for a certificate that could not be verified; another connection looks at which it was."""
        where = say("irc.where", server=settings.name, port=port)
        peek = Peek()
        with contextlib.suppress(OSError, TimeoutError):
            await self._slot()
            async with asyncio.timeout(CONNECT_WITHIN):
                sock = await self._socket(settings, host, port)
                await self._start(lambda: peek, sock, settings, unverified())
        return untrusted(settings, where, reason, peek.found)


def _encrypting(settings: NetworkSettings, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What a loop is told of a connection's TLS."""
    if tls is None:
        return {}
    within: dict[str, Any] = {"ssl_handshake_timeout": CONNECT_WITHIN, "ssl_shutdown_timeout": 2.0}
    return {"ssl": tls, "server_hostname": settings.address, **within}


def _guard(settings: NetworkSettings) -> None:
    """With a proxy nobody here sees the address that a name has: what is no public one by its look is refused."""
    host = settings.address.lower().removesuffix(".")
    if settings.private_addresses:
        return
    if is_address(host):
        if not is_public(host):
            raise LegacyError("not-allowed", say("irc.private", server=settings.name))
    elif "." not in host or host.endswith(_INSIDE) or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise LegacyError("not-allowed", say("irc.private-name", server=settings.name))


def _ports(settings: NetworkSettings, policy: sts.Policy | None) -> Iterator[tuple[int, bool]]:
    """(port, with TLS) in the order to try them. Who knows the certificate, or has been told to, never goes without TLS."""
    first = (policy.port,) if policy is not None else ()
    if settings.tls != "off":
        for port in dict.fromkeys((*first, *settings.tls_ports)):
            yield port, True
    if settings.tls != "require" and policy is None and not ((settings.pin or settings.fingerprint) and settings.tls != "off"):
        for port in settings.ports:
            yield port, False


def _connect_error(settings: NetworkSettings, port: int, error: Exception) -> LegacyError:
    """What a failed attempt means to the person who wanted to join."""
    where: Text = say("irc.where", server=settings.name, port=port)
    if isinstance(error, ssl.SSLError):
        words = say("irc.tls-failed", where=where, reason=error.reason or "TLS")
        return LegacyError("policy-violation", words, type="cancel")
    if isinstance(error, TimeoutError):
        return LegacyError("remote-server-timeout", say("irc.silent", where=where), retry_after=60)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return LegacyError("remote-server-timeout", say("irc.unreachable", where=where, reason=reason), retry_after=60)


__all__ = ["Connection", "Dialer", "Owner", "Way", "pin_error"]
