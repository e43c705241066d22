"""Archives asked by their owners: XEP-0313 at rooms and people of ours. A room of the desk.

Everybody has an archive of his own: it is asked by the bare JID of who asks, so nobody reads what others have, whatever
room he names. Results leave while the loop does other things: of each user only a few pages are under way, and none is
sent while the stream does not keep up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Final

from transports.archive.place import Archive
from transports.errors import LegacyError
from transports.gateway import Service, Wing
from transports.words import say
from transports.xmpp import mam, write
from transports.xmpp.address import JidError, from_resource, parse
from transports.xmpp.client import resource
from transports.xmpp.read import Iq

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

#: Pages of one user that are under way at a time; more wait their turn.
PAGES: Final = 4
#: Seconds that a page waits for a stream that does not keep up, and how often it looks.
PATIENCE, LOOK = 30.0, 0.1


class Archiving:
    """`table`: what is answered."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._turns: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}
        self.table: Mapping[tuple[str, str], Service] = {
            ("set", mam.QUERY): self.query,
            ("get", mam.QUERY): self.form,
            ("get", mam.METADATA): self.metadata,
            ("get", mam.PREFS): self.prefs,
            ("set", mam.PREFS): self.set_prefs,
        }

    def _archive(self, wing: Wing, iq: Iq) -> Archive:
        """The asker's own archive at the address that was asked."""
        address = wing.address(iq.to.local)
        user = iq.sender.partition("/")[0]
        if address.kind not in ("room", "person") or iq.to.resource:
            raise LegacyError("feature-not-implemented", "")
        visitor = wing.known(iq.sender)
        room = visitor.rooms.get(address) if visitor is not None else None
        known = room.past if room is not None else None  # it may be another name of the same room
        past = known if isinstance(known, Archive) else wing.past(user, address)
        if past is None:
            raise LegacyError("feature-not-implemented", say("archive.none"))
        return past

    def query(self, wing: Wing, iq: Iq) -> Awaitable[str]:
        assert iq.payload is not None
        archive = self._archive(wing, iq)
        return self._page(wing, iq, archive, _whose(mam.asked(iq.payload), iq, wing.address(iq.to.local).kind == "room"))

    async def _page(self, wing: Wing, iq: Iq, archive: Archive, ask: mam.Ask) -> str:
        turn = self._turns.setdefault(archive.user, (asyncio.Semaphore(PAGES), []))
        turn[1].append(None)
        try:
            async with turn[0]:
                page = await archive.page(ask.query)
                await _stream(wing)
                shape = self._shape(wing, iq, archive)
                lines = reversed(page.lines) if ask.flipped else page.lines
                for line in lines:
                    wing.send(mam.result(line, shape, ask))
                return mam.fin(page)
        finally:
            turn[1].pop()
            if not turn[1]:
                self._turns.pop(archive.user, None)

    def _shape(self, wing: Wing, iq: Iq, archive: Archive) -> mam.Shape:
        bare = write.spoken(iq.to)
        opening = wing.door.opening("message", bare, iq.sender, f" id='{wing.ids.stanza()}'")
        return mam.Shape(opening, bare, archive.user, wing.address(iq.to.local).kind == "room")

    def form(self, wing: Wing, iq: Iq) -> str:
        self._archive(wing, iq)
        return mam.form()

    def metadata(self, wing: Wing, iq: Iq) -> Awaitable[str]:
        archive = self._archive(wing, iq)

        async def answer() -> str:
            return mam.metadata(await archive.extent())

        return answer()

    def prefs(self, wing: Wing, iq: Iq) -> str:
        archive = self._archive(wing, iq)
        return mam.prefs(wing.archive(archive.user, wing.address(iq.to.local)) is not None)

    def set_prefs(self, wing: Wing, iq: Iq) -> str:
        self._archive(wing, iq)
        raise LegacyError("not-allowed", say("archive.choice"))


def _whose(ask: mam.Ask, iq: Iq, room: bool) -> mam.Ask:
    """A query for the messages of those whom it names. In a conversation of two both are in every message."""
    if not ask.with_:
        return ask
    try:
        jid = parse(ask.with_)
        nick = resource(from_resource(jid.resource)) if jid.resource else ""
    except JidError:
        raise LegacyError("jid-malformed", "") from None
    change: dict[str, object] = {}
    if jid.bare == iq.sender.partition("/")[0]:
        change = {"own": True} if room else {}
    elif jid.bare != iq.to.bare:
        change = {"nothing": True}
    elif room and jid.resource:
        change = {"nick": nick}
    return ask._replace(query=ask.query._replace(**change))  # type: ignore[arg-type]


async def _stream(wing: Wing) -> None:
    """Wait until the stream keeps up."""
    try:
        async with asyncio.timeout(PATIENCE):
            while wing.paused:  # noqa: ASYNC110 - for moments, and seldom
                await asyncio.sleep(LOOK)
    except TimeoutError:
        raise LegacyError("resource-constraint", say("gate.busy"), retry_after=10) from None
