"""Which channels a server has, and what is known of one that the user is not in: LIST, asked once, shared and forgotten in time.

The half of the bridge that `ports.LiveBridge` calls servers, rooms and about. A list belongs to the user that asked, as servers
show each what he may see. What is read stands in `listing`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import listing, write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.numerics import Refusal
from transports.bridges.irc.rooms import Rooms
from transports.errors import LegacyError
from transports.events import Address
from transports.ports import About, Page, Search
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.wire import Link
    from transports.config import Irc

#: Seconds that a list is good for, and what was told of a single channel.
LIST_FOR, ROOM_FOR = 600.0, 300.0
#: Channels of all lists that are kept, and single channels.
CHANNELS, ROOMS = 100_000, 1_000
#: Seconds that a list may take, and a single channel: who asks for that wants to join.
LIST_WITHIN, ROOM_WITHIN = 60.0, 4.0
#: Seconds until a server that gave no list is asked again.
AGAIN: Final = 30.0
#: Lists that may be under way at a time, for all users.
AT_ONCE: Final = 2

_END: Final = frozenset(("323",))
_ERRORS: Final = {
    "263": Refusal("resource-constraint", "ircd.busy", 60),
    "416": Refusal("policy-violation", "ircd.list-long"),
    "421": Refusal("feature-not-implemented", "ircd.untaken"),
    "521": Refusal("not-allowed", "ircd.no-list"),
}


class _Kept(NamedTuple):
    """A list as it was at a time; of channels with fewer than `least` people nothing was asked."""

    at: float
    least: int
    rows: Sequence[listing.Row]
    error: LegacyError | None = None


class Shelf:
    """What is kept: whole lists by (user, server), the least recently used go first; single channels by (user, room)."""

    def __init__(self) -> None:
        self.lists: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self.rooms: OrderedDict[tuple[str, Address], tuple[float, About | None]] = OrderedDict()
        self.gate = asyncio.Semaphore(AT_ONCE)
        self.turns: WeakKeyDictionary[Link, asyncio.Lock] = WeakKeyDictionary()

    def turn(self, link: Link) -> asyncio.Lock:
        """A server is asked for one list at a time."""
        return self.turns.setdefault(link, asyncio.Lock())

    def find(self, key: tuple[str, str], least: int, now: float) -> _Kept | None:
        kept = self.lists.get(key)
        if kept is None or now - kept.at > (AGAIN if kept.error is not None else LIST_FOR):
            self.lists.pop(key, None)
            return None
        self.lists.move_to_end(key)
        return kept if kept.error is not None or kept.least <= least else None

    def put(self, key: tuple[str, str], kept: _Kept) -> None:
        self.lists[key] = kept
        self.lists.move_to_end(key)
        size = sum(len(each.rows) for each in self.lists.values())
        while len(self.lists) > 1 and (size > CHANNELS or len(self.lists) > ROOMS):
            size -= len(self.lists.popitem(last=False)[1].rows)

    def about(self, key: tuple[str, Address], now: float) -> tuple[float, About | None] | None:
        kept = self.rooms.get(key)
        return kept if kept is not None and now - kept[0] <= ROOM_FOR else None

    def put_about(self, key: tuple[str, Address], about: About | None, now: float) -> None:
        self.rooms[key] = (now, about)
        self.rooms.move_to_end(key)
        while len(self.rooms) > ROOMS:
            self.rooms.popitem(last=False)

    def sweep(self, now: float) -> None:
        """What has expired takes no memory."""
        for key, kept in list(self.lists.items()):
            if now - kept.at > LIST_FOR:
                del self.lists[key]


class Directory(Rooms):
    """Mixed into the bridge, which has what is annotated here."""

    settings: Irc
    shelf: Shelf

    # ports.LiveBridge -------------------------------------------------------------------------------------------------

    def servers(self, user: str) -> Sequence[Address]:
        """Those the user is on, then those the operator has configured."""
        if self.fixed:
            return ()
        there = sorted(link.settings.name for link in self.links_of(user))
        return [irc_address.server(name) for name in dict.fromkeys((*there, *sorted(self.settings.networks)))]

    def reachable(self, user: str, place: Address) -> bool:
        """Of a room only where the question would not have to wait: joins go before it."""
        link = self.link_to(user, irc_address.split(place, self.fixed)[1])
        return link is not None and (place.kind == "server" or link.free)

    async def about(self, user: str, room: Address) -> About | None:
        name, server = irc_address.split(room, self.fixed)
        now = time.monotonic()
        known = self.shelf.about((user, room), now)
        if known is not None:
            return known[1]
        link = self.link_to(user, server)
        if link is None or not link.free or not link.net.isupport.is_channel(name) or link.net.listing is not None:
            return None
        found = None
        try:
            async with asyncio.timeout(ROOM_WITHIN):
                for row in await self._list(link, name, ROOM_WITHIN):
                    if link.net.isupport.fold(row[0]) == link.net.isupport.fold(name):
                        found = _about(row)
        except (TimeoutError, LegacyError):
            found = None
        self.shelf.put_about((user, room), found, now)
        return found

    async def rooms(self, user: str, server: Address, search: Search) -> Page:
        name = irc_address.split(server, self.fixed)[1]
        link = self.link_to(user, name)
        if link is None:
            raise LegacyError("recipient-unavailable", say("irc.unconnected", server=name), type="cancel")
        rows = await self._rows(user, link, search.least)
        if search.text or search.least:
            fitting: list[listing.Row] = []
            for found in listing.slices(rows, search):
                fitting += found
                await asyncio.sleep(0)
            rows = fitting
        if search.key == "name":
            rows = sorted(rows)
        after = self._channel(search.after)
        before = self._channel(search.before)
        page, first = listing.page(rows, search._replace(after=after, before=before))
        return Page([(irc_address.room(row[0], name, self.fixed), _about(row)) for row in page], first, len(rows))

    def _channel(self, name: str | None) -> str | None:
        """Of a room's address, as RSM has it, the channel."""
        return name if not name or self.fixed else name.rpartition("%")[0]

    # LIST -------------------------------------------------------------------------------------------------------------

    async def _rows(self, user: str, link: Link, least: int) -> Sequence[listing.Row]:
        """The channels of a server, from memory if possible. LegacyError."""
        key = (user, link.settings.name)
        async with self.shelf.turn(link):
            kept = self.shelf.find(key, least, time.monotonic())
            if kept is None:
                kept = await self._fetched(link, least)
                self.shelf.put(key, kept)
        if kept.error is not None:
            raise kept.error.with_traceback(None)
        return kept.rows

    async def _fetched(self, link: Link, least: int) -> _Kept:
        narrow = least > 1 and "U" in link.net.isupport.elist.upper()
        try:
            async with self.shelf.gate:
                rows = await self._list(link, f">{least - 1}" if narrow else "", LIST_WITHIN)
        except LegacyError as error:
            return _Kept(time.monotonic(), 0, (), error)
        return _Kept(time.monotonic(), least if narrow else 0, listing.arranged(rows))

    async def _list(self, link: Link, mask: str, within: float) -> list[listing.Row]:
        """Ask, and read the answer in slices. LegacyError."""
        net = link.net
        if net.listing is not None:
            raise LegacyError("resource-constraint", say("irc.listing"), retry_after=10)
        raw: list[str] = []
        net.listing = raw
        try:
            line = write.list(mask)
            await link.ask(Question(line, (net.nick, "LIST"), ends=_END, errors=_ERRORS, within=within, plain=True))
        except write.BadLine:
            raise LegacyError("item-not-found", say("irc.unfit", target=mask)) from None
        finally:
            net.listing = None
        rows: list[listing.Row] = []
        for at in range(0, len(raw), listing.SLICE):
            rows += listing.read(raw[at : at + listing.SLICE], net.isupport.chantypes)
            await asyncio.sleep(0)
        return rows


def _about(row: listing.Row) -> About:
    return About(row[0], row[1], listing.topic(row))
