"""Getting through to an IRC server: addresses, ports, TLS, and `irc`'s connection with our reading and writing in it.

Holds what has to do with opening and closing one socket; what is said over it is `wire`'s. RFC 7194 for the TLS port.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final
from typing import Protocol as Interface

from irc.client import Connection as BaseConnection
from irc.client_aio import AioConnection, AioReactor, IrcProtocol
from irc.connection import AioFactory

from transports.config import NetworkSettings
from transports.errors import LegacyError
from transports.resolve import is_public
from transports.words import say

#: Seconds for one attempt to connect to one address, TLS included.
CONNECT_WITHIN: Final = 20.0
#: Seconds that what is unsent at the end may take.
LINGER: Final = 5.0


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
    """One connection of the `irc` library, with our reading, writing and registration. `link` is None when that is over."""

    protocol_class = Protocol

    def __init__(self, reactor: AioReactor, link: Owner) -> None:
        # not ServerConnection's: its FeatureSet is replaced by ISupport
        BaseConnection.__init__(self, reactor)
        self.link: Owner | None = link
        self.transport: asyncio.Transport | None = None

    async def reach(self, host: str, port: int, factory: AioFactory) -> None:
        """Open the socket (and TLS); OSError, ssl.SSLError or TimeoutError."""
        await asyncio.wait_for(factory(self.protocol_class(self, self.reactor.loop), (host, port)), CONNECT_WITHIN)

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


async def reach(
    connection: Connection,
    settings: NetworkSettings,
    tls: Callable[[NetworkSettings], ssl.SSLContext],
    look_up: Callable[[str], Awaitable[list[str]]],
) -> None:
    """Connect to the first port and address that answers. LegacyError when none does."""
    last = LegacyError("remote-server-not-found", say("irc.no-address", server=settings.name))
    addresses = await _addresses(settings, look_up)
    for port, encrypted in _ports(settings):
        for address in addresses:
            try:
                await connection.reach(address, port, _factory(settings, tls, encrypted))
                return
            except (OSError, TimeoutError) as error:
                last = _connect_error(settings, port, error)
                error.with_traceback(None)  # it stays in a circle of asyncio's own, with this frame
    raise last


async def _addresses(settings: NetworkSettings, look_up: Callable[[str], Awaitable[list[str]]]) -> list[str]:
    """IP addresses of the server that its users may reach."""
    addresses = await look_up(settings.address)
    if not settings.private_addresses:
        addresses = list(filter(is_public, addresses))
        if not addresses:
            raise LegacyError("not-allowed", say("irc.private", server=settings.name))
    return addresses


def _factory(settings: NetworkSettings, tls: Callable[[NetworkSettings], ssl.SSLContext], encrypted: bool) -> AioFactory:
    options: dict[str, Any] = {}
    if encrypted:
        options["ssl"] = tls(settings)
        options["server_hostname"] = settings.address
        options["ssl_handshake_timeout"] = CONNECT_WITHIN
        options["ssl_shutdown_timeout"] = 2.0
    if settings.bind:
        options["local_addr"] = (settings.bind, 0)
    return AioFactory(**options)


def pin_error(settings: NetworkSettings, transport: asyncio.Transport) -> LegacyError | None:
    """Why the certificate is not the one that the operator knows."""
    encrypted = transport.get_extra_info("ssl_object")
    if not settings.pin or encrypted is None:
        return None
    shown = hashlib.sha256(encrypted.getpeercert(True) or b"").hexdigest()
    if shown in settings.pin:
        return None
    words = say("irc.pin", server=settings.name, shown=shown)
    return LegacyError("policy-violation", words, type="cancel")


def _ports(settings: NetworkSettings) -> Iterator[tuple[int, bool]]:
    """(port, with TLS) in the order to try them."""
    if settings.tls != "off":
        for port in settings.tls_ports:
            yield port, True
    if settings.tls != "require":
        for port in settings.ports:
            yield port, False


def _connect_error(settings: NetworkSettings, port: int, error: Exception) -> LegacyError:
    """What a failed attempt means to the person who wanted to join."""
    where = say("irc.where", server=settings.name, port=port)
    if isinstance(error, ssl.SSLCertVerificationError):
        words = say("irc.certificate", where=where, reason=error.verify_message)
        return LegacyError("policy-violation", words, type="cancel")
    if isinstance(error, ssl.SSLError):
        words = say("irc.tls-failed", where=where, reason=error.reason or "TLS")
        return LegacyError("policy-violation", words, type="cancel")
    if isinstance(error, TimeoutError):
        return LegacyError("remote-server-timeout", say("irc.silent", where=where), retry_after=60)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return LegacyError("remote-server-timeout", say("irc.unreachable", where=where, reason=reason), retry_after=60)
