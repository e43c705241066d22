"""Upload services of users' servers (XEP-0363): which there are, what they take, a slot to put a file into. No HTTP.

A slot is asked for as the user where the server lets us (XEP-0356 iq), else in our own name. Services and where their files
are to be had are remembered for an hour. `own` says which servers are the operator's: only their word may lead to private
addresses; a server elsewhere may be anybody's, and so may a grant of it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from transports.errors import LegacyError
from transports.log import kv
from transports.words import say
from transports.xmpp import xml
from transports.xmpp.address import JidError, parse
from transports.xmpp.sharing import LONGEST_URL

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

NS: Final = "urn:xmpp:http:upload:0"
_ITEMS: Final = "http://jabber.org/protocol/disco#items"
_INFO: Final = "http://jabber.org/protocol/disco#info"
_DATA: Final = "{jabber:x:data}"

#: Seconds that a service and its places are remembered; that its absence is.
REMEMBERED, MISSED = 3_600.0, 300.0
#: Seconds that one answer of discovery may take; servers' items that are asked; servers that are remembered.
PATIENCE: Final = 5.0
ITEMS: Final = 50
SERVERS: Final = 1_000
#: XEP-0363 4: all other headers of a slot are ignored.
HEADERS: Final = {"authorization": "Authorization", "cookie": "Cookie", "expires": "Expires"}
_MOST_HEADERS, _LONGEST_HEADER = 20, 8_000
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


class Service(NamedTuple):
    """`most`: bytes of the largest file it takes, 0 when it does not say."""

    jid: str
    most: int = 0


class Way(NamedTuple):
    """Where to ask for a slot, and as whom: a user's bare JID, or '' in our own name. `own`: the operator's server named it."""

    service: Service
    own: bool
    domain: str
    user: str = ""


class Slot(NamedTuple):
    """`headers` are XEP-0363's and clean; `own` as in Way."""

    put: str
    get: str
    headers: tuple[tuple[str, str], ...]
    own: bool


class Origin(NamedTuple):
    """RFC 6454 4: a place on the web, in lower case. Another port of the same host is another's."""

    scheme: str
    host: str
    port: int


class _Server:
    """What is known of one server's uploads; times are the loop's."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asking = asyncio.Lock()
        self.service: Service | None = None
        self.until = 0.0
        self.origins: dict[Origin, float] = {}
        self.asked = -REMEMBERED  # when a slot was asked for only to learn these


class Uploads:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._servers: OrderedDict[str, _Server] = OrderedDict()

    # What is known ----------------------------------------------------------------------------------------------------

    def own(self, domain: str) -> bool:
        """Whether `domain` is the operator's server: the one our own domain is right below, or one further up that may use us by
        its name. What else is above us (a provider's domain, a country's) is not the operator's."""
        above, users = self.desk.domain.partition(".")[2], self.desk.wing.users
        return bool(above) and (domain == above or (above.endswith(f".{domain}") and users.names(domain)))

    async def service(self, domain: str) -> Service | None:
        """The upload service of a server; None when it has none, or does not say in time."""
        server = self._server(domain)
        async with server.lock:
            now = asyncio.get_running_loop().time()
            if server.until <= now:
                server.service = await self._discover(domain)
                server.until = now + (REMEMBERED if server.service else MISSED)
            return server.service

    async def origins(self, user: str) -> frozenset[Origin]:
        """Where the files are that are uploaded to the service of the user's server. It shows in a slot, so one is asked for."""
        domain = user.rpartition("@")[2]
        server = self._server(domain)
        async with server.asking:
            now = asyncio.get_running_loop().time()
            fresh = frozenset(origin for origin, until in server.origins.items() if until > now)
            if fresh or server.asked + MISSED > now:
                return fresh
            server.asked = now
            return await self._learn(user, domain)

    async def hosts(self, user: str) -> frozenset[str]:
        """The names of the upload services of the user's server: a service that gives us no slot may serve its files there."""
        domain = user.rpartition("@")[2]
        return frozenset(way.service.jid for way in await self.ways(user) if way.domain == domain)

    async def _learn(self, user: str, domain: str) -> frozenset[Origin]:
        for way in await self.ways(user):
            if way.domain == domain:
                try:
                    slot = await self.slot(way, "file.txt", 1, "text/plain")
                except LegacyError as error:
                    log.debug(kv("no slot", service=way.service.jid, condition=error.condition))
                else:
                    return frozenset(filter(None, (origin_of(slot.get),)))
        return frozenset()

    def _server(self, domain: str) -> _Server:
        server = self._servers.setdefault(domain, _Server())
        self._servers.move_to_end(domain)
        if len(self._servers) > SERVERS:
            self._servers.popitem(last=False)
        return server

    # Slots ------------------------------------------------------------------------------------------------------------

    async def ways(self, user: str) -> list[Way]:
        """Where a slot for a user's file may be had, the best first: at the user's server as the user, then in our name there
        and at our own server."""
        domain, above = user.rpartition("@")[2], self.desk.domain.partition(".")[2]
        found = [
            Way(service, self.own(place), place)
            for place in dict.fromkeys((domain, above))
            if place and (service := await self.service(place)) is not None
        ]
        return [way._replace(user=user) for way in found if way.domain == domain] + found

    async def slot(self, way: Way, name: str, size: int, type: str) -> Slot:
        """A slot for a file. LegacyError: what came back, or not-acceptable when the file is too large for the service."""
        most = way.service.most
        if most and size > most:
            raise LegacyError("not-acceptable", say("files.too-large", size=in_words(most)))
        kind = f" content-type='{xml.attr(type)}'" if type else ""
        request = f"<request xmlns='{NS}' filename='{xml.attr(name)}' size='{size}'{kind}/>"
        if way.user:
            payload = await self.desk.privilege.iq(way.user, way.service.jid, "get", request)
        else:
            payload = await self.desk.asker.ask(way.service.jid, request)
        slot = read_slot(payload, way.own)
        origin = origin_of(slot.get)
        if origin is not None:
            origins = self._server(way.domain).origins
            origins[origin] = asyncio.get_running_loop().time() + REMEMBERED
            while len(origins) > ITEMS:
                del origins[next(iter(origins))]
        return slot

    # Discovery (XEP-0363 3) ---------------------------------------------------------------------------------------------

    async def _discover(self, domain: str) -> Service | None:
        try:
            items = await self._ask(domain, _ITEMS)
        except LegacyError as error:
            log.info(kv("a server does not say what it has", domain=domain, condition=error.condition))
            return None
        jids = [jid for jid in dict.fromkeys((domain, *read_items(items))) if jid != self.desk.domain]
        found = await asyncio.gather(*map(self._look_at, jids[: ITEMS + 1]))
        return next(filter(None, found), None)

    async def _look_at(self, jid: str) -> Service | None:
        try:
            return read_info(jid, await self._ask(jid, _INFO))
        except LegacyError:
            return None

    async def _ask(self, jid: str, ns: str) -> Element:
        answer = await self.desk.asker.ask(jid, f"<query xmlns='{ns}'/>", patience=PATIENCE)
        return answer if answer is not None else Element("empty")


# Reading --------------------------------------------------------------------------------------------------------------


def read_items(query: Element) -> Iterator[str]:
    """The JIDs of a disco#items answer that are such: one that is none, written out again, would end our stream."""
    for item in query.iter(f"{{{_ITEMS}}}item"):
        try:
            yield parse(item.get("jid", "")).full
        except JidError:
            continue


def read_info(jid: str, query: Element) -> Service | None:
    """The upload service that a disco#info answer speaks of; None when it is none."""
    if all(feature.get("var") != NS for feature in query.iter(f"{{{_INFO}}}feature")):
        return None
    for form in query.iter(f"{_DATA}x"):
        values = {field.get("var"): (field.findtext(f"{_DATA}value") or "").strip() for field in form.iter(f"{_DATA}field")}
        most = values.get("max-file-size", "")
        if values.get("FORM_TYPE") == NS and most.isascii() and most.isdigit() and len(most) < 16:
            return Service(jid, int(most))
    return Service(jid)


def read_slot(payload: Element | None, own: bool) -> Slot:
    """XEP-0363 4. LegacyError when it is no slot."""
    put = payload.find(f"{{{NS}}}put") if payload is not None and payload.tag == f"{{{NS}}}slot" else None
    get = payload.find(f"{{{NS}}}get") if payload is not None else None
    urls = [url.get("url", "") for url in (put, get) if url is not None]
    if put is None or len(urls) < 2 or not all(origin_of(url) and len(url) <= LONGEST_URL for url in urls):
        raise LegacyError("undefined-condition", say("files.no-slot"))
    return Slot(urls[0], urls[1], tuple(_headers(put)), own)


def _headers(put: Element) -> Iterator[tuple[str, str]]:
    """The headers that a request may carry, in their order, without what could begin another one."""
    for header in put.findall(f"{{{NS}}}header")[:_MOST_HEADERS]:
        name = HEADERS.get(_CONTROLS.sub("", header.get("name", "")).lower())
        value = _CONTROLS.sub("", header.text or "").strip()
        if name is not None and len(value) <= _LONGEST_HEADER:
            yield name, value


def origin_of(url: str) -> Origin | None:
    """The origin of a URL; None when it is none of the web."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return Origin(parts.scheme, host.lower(), port or default) if host and default else None


def in_words(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 1_048_576:.1f} MB".replace(".0 ", " ") if size >= 104_858 else f"{-(-size // 1_024)} kB"
