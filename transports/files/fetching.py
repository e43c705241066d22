"""Fetching a file behind a link: a guarded GET. What may be fetched is said by whoever calls, again at every redirect.

Bounded in size, time and redirects; compressed answers are not unpacked. The type is what the bytes show.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from transports.errors import LegacyError
from transports.files import reach
from transports.files.reach import Reach
from transports.words import say
from transports.xmpp.uploads import in_words

REDIRECTS: Final = 3
_ELSEWHERE: Final = frozenset((301, 302, 303, 307, 308))

#: Whether a URL may lead to private addresses; LegacyError when it may not be fetched at all.
Permit = Callable[[URL], Awaitable[bool]]


class Fetched(NamedTuple):
    """`type` is what the server said of it."""

    data: bytes
    type: str


async def fetch(net: Reach, user: str, link: str, permit: Permit, most: int) -> Fetched:
    """What lies behind a link, at most `most` bytes. LegacyError with words."""
    url = reach.parse(link)
    for _ in range(REDIRECTS + 1):
        async with net.request(user, "GET", url, await permit(url), most) as response:
            if response.status not in _ELSEWHERE:
                return await _read(response, most)
            url = _next(url, response)
    raise LegacyError("item-not-found", say("files.redirects", host=url.host or ""))


def _next(url: URL, response: aiohttp.ClientResponse) -> URL:
    try:
        target = url.join(URL(response.headers.get("Location", "")))
    except ValueError:
        raise LegacyError("item-not-found", say("files.redirects", host=url.host or "")) from None
    return reach.parse(str(target))


async def _read(response: aiohttp.ClientResponse, most: int) -> Fetched:
    host, status = response.url.host or "", response.status
    if status in (404, 410):
        raise LegacyError("item-not-found", say("files.gone", host=host))
    if status != 200 or response.headers.get("Content-Encoding", "identity") not in ("", "identity"):
        again = 60.0 if status in (408, 425, 429) or status >= 500 else None
        raise LegacyError("remote-server-not-found", say("files.refused", host=host, status=status), retry_after=again)
    too_large = LegacyError("not-acceptable", say("files.too-large", size=in_words(most)))
    if (response.content_length or 0) > most:
        raise too_large
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > most:
            raise too_large
    return Fetched(bytes(data), response.headers.get("Content-Type", ""))
