"""What a user hears of rooms where no client of theirs is: who mentions them, or everything, as they have set it.

For `showing`. One message from the room, to the user's bare JID so that the server keeps it for who is away: the line itself for
every client, and beside it the notification of XEP-0452 0.2, which forwards the room's message as the archive has it. What was
told already is not told again, and nobody is told too often; the archive has it all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from transports.events import Said
from transports.words import say
from transports.xmpp import write, xml
from transports.xmpp.client import resource, styled

if TYPE_CHECKING:
    from transports.showing import Showing

NS: Final = "urn:xmpp:mmn:0"
#: Messages at once, and how many a second after that.
BURST, REFILL = 20.0, 0.1
#: Messages that are remembered, lest they be told twice (a network's own history repeats them).
REMEMBERED: Final = 50


class Told:
    """What one user was told lately."""

    __slots__ = ("_filled", "_known", "_tokens", "clock")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._known: dict[tuple[str, str, str], None] = {}
        self._tokens = BURST
        self._filled = clock()

    def anew(self, room: str, nick: str, mark: str) -> bool:
        """Whether this is not known yet; it is now. mark: the far side's id of it, or its text and time."""
        key = (room, nick, mark)
        known = key in self._known
        self._known.pop(key, None)
        self._known[key] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return not known

    def spend(self) -> str:
        """How one more is to be told: it is, "last" before a pause, or '' for not at all."""
        now = self.clock()
        self._tokens = min(BURST, self._tokens + (now - self._filled) * REFILL)
        self._filled = now
        if self._tokens < 1:
            return ""
        self._tokens -= 1
        return "last" if self._tokens < 1 else "more"


def tell(showing: Showing, fact: Said, id: str) -> None:
    """Tell of a line that nobody has seen. id: the room's own of it, as in the archive."""
    span = showing.bridge.concerns(showing.user, fact)
    if span is None or showing.blocks(showing.user, showing.bridge.person(fact.where, fact.nick)):
        return
    told = showing.told = showing.told or Told()
    if not told.anew(fact.where.name, fact.nick, fact.key or f"{fact.when} {fact.text[:500]}"):
        return
    how = told.spend()
    if how:
        showing.send(_notification(showing, fact, id, span))
    if how == "last":
        words, room = showing.worded(say("room.mentions-pause")), showing.jid(fact.where)
        showing.send(write.chat(showing.door, room, showing.user, showing.names.stanza(), words, write.NO_STORE))


def _notification(showing: Showing, fact: Said, id: str, span: tuple[int, int]) -> str:
    room, user, text = showing.jid(fact.where), showing.user, xml.clip(styled(fact), 5_000)
    who = f"* {fact.nick} {fact.text}" if fact.style == "act" else f"{fact.nick}: {text}"
    stamp = write.stamp(fact.when if fact.when is not None else time.time())
    by = xml.attr(room)
    inner = (
        f"<message xmlns='jabber:client' type='groupchat' id='{id}' from='{by}/{resource(fact.nick)}' to='{xml.attr(user)}'>"
        f"{write.body(text)}{_reference(user, fact, text, span)}"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='{id}'/></message>"
    )
    more = (
        f"<mentions xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>"
        f"{inner}</forwarded></mentions>"
    )
    if fact.when is not None:
        more += write.delay(fact.when, room)
    return write.chat(showing.door, room, user, showing.names.stanza(), who, more)


def _reference(user: str, fact: Said, text: str, span: tuple[int, int]) -> str:
    """Where the user is mentioned (XEP-0372 3.2), if that is still in what is shown."""
    shift = len(styled(fact)) - len(fact.text)
    begin, end = span[0] + shift, span[1] + shift
    if begin >= end or end > len(text):
        return ""
    uri = xml.attr(f"xmpp:{user}")
    return f"<reference xmlns='urn:xmpp:reference:0' type='mention' begin='{begin}' end='{end}' uri='{uri}'/>"
