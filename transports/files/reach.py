"""The way out to the web: to which addresses a request goes, how long it may take, what its failure means to people.

A name is looked up once, its addresses are judged, and the connection goes to one of these and nowhere else: what a name server
says a moment later changes nothing (DNS rebinding). Every hop comes here again. RFC 9110; threats: SSRF.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from transports.errors import LegacyError
from transports.resolve import is_address, is_inside, is_public
from transports.words import say

#: (user, host) -> its IP addresses; resolve.Resolver.addresses.
Lookup = Callable[[str, str], Awaitable[list[str]]]

#: Seconds for a request, and bytes a second that it may have beyond these; for the connection; between two pieces of what comes.
WITHIN, SLOWEST, CONNECT_WITHIN, SILENT = 60.0, 262_144, 10.0, 20.0
#: Characters of a link.
LONGEST: Final = 8_000
AGENT: Final = "transports"


class _Judged(AbstractResolver):
    """Gives the addresses that were judged, whatever the name."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None: ...


def parse(text: str) -> URL:
    """A link as the library that will follow it understands it. LegacyError when it is none of the web's."""
    if text[:8].lower() == "aesgcm:/":
        raise LegacyError("not-acceptable", say("files.aesgcm"))
    try:
        url = URL(text)
        host = url.host or ""
        fits = url.scheme in ("http", "https") and bool(host and url.port) and not (url.user or url.password)
        # 2130706433 and 0177.0.0.1 are addresses to some, names to others
        fits = fits and len(text) <= LONGEST and (not host.replace(".", "").isdigit() or is_address(host))
    except (ValueError, TypeError):
        fits = False
    if not fits:
        raise LegacyError("not-acceptable", say("files.link"))
    return url.with_fragment(None)


class Reach:
    """Requests of this process."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    @asynccontextmanager
    async def request(
        self, user: str, method: str, url: URL, inside: bool, size: int, *, headers: Any = None, data: BinaryIO | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, one answer; redirects are the caller's. LegacyError whatever goes wrong, while it is read too.

        inside: whether it may go to this machine and to private networks
        size: bytes that it moves at most; more time for more
        """
        host = url.host or ""
        timeout = aiohttp.ClientTimeout(total=WITHIN + size / SLOWEST, sock_connect=CONNECT_WITHIN, sock_read=SILENT)
        try:
            connector = aiohttp.TCPConnector(
                resolver=_Judged(await self._addresses(user, host, inside)), use_dns_cache=False, force_close=True
            )
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=timeout,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    trust_env=False,
                    headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
                ) as session,
                session.request(method, url, headers=headers, data=data, allow_redirects=False) as response,
            ):
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _failure(host, error) from None

    async def _addresses(self, user: str, host: str, inside: bool) -> list[str]:
        found = await self._lookup(user, host)
        fit = [address for address in found if is_public(address) or (inside and is_inside(address))]
        if not fit:
            raise LegacyError("not-allowed", say("files.inside", host=host))
        return fit


def _failure(host: str, error: Exception) -> LegacyError:
    """The libraries' errors as ours. aiohttp's certificate errors are OSErrors too, its timeouts TimeoutErrors."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return LegacyError("remote-server-not-found", say("files.trust", host=host))
    if isinstance(error, TimeoutError):
        return LegacyError("remote-server-timeout", say("files.silent", host=host), retry_after=60)
    return LegacyError("remote-server-timeout", say("files.unreachable", host=host), retry_after=60)
