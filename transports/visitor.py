"""One user on one live bridge: the rooms the user is in, and what the user's clients do there.

Commands of the user come in from `gateway` as stanza values and leave as commands of the session; what becomes of the facts
that come back stands in `showing`. Knows no socket and no protocol of the far side.
XEP-0045 for rooms; RFC 6121 for messages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from transports import concerning
from transports.errors import LegacyError
from transports.events import (
    Address,
    Command,
    Join,
    Leave,
    Left,
    Read,
    Refused,
    Rename,
    Say,
    SetAway,
    Type,
)
from transports.ports import LiveBridge, Session
from transports.roll import Stayed
from transports.showing import Route, Showing
from transports.words import say
from transports.xmpp import comeback, semantics, xml
from transports.xmpp.address import JidError, from_resource, speakable, to_resource
from transports.xmpp.away import LONGEST, away
from transports.xmpp.client import Client, Names
from transports.xmpp.linked import Links
from transports.xmpp.read import Message, Presence
from transports.xmpp.referring import Place, referred
from transports.xmpp.room import Room
from transports.xmpp.semantics import Act

log = logging.getLogger(__name__)

#: Errors of a client after which it is no longer in a room (it has gone without a word).
FATAL: Final = frozenset(
    {
        "gone",
        "internal-server-error",
        "item-not-found",
        "jid-malformed",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
        "service-unavailable",
    }
)


#: Members that a user's clients may have shown to them at once by joining rooms that the user is in already, and how
#: many more per second: a client that joins again is shown the whole room again (XEP-0045 7.2.2), however large.
BURST, REFILL = 100_000.0, 10_000.0
#: What reading a room's history costs of that.
HISTORY: Final = 50
#: Clients of one user in one room.
CLIENTS: Final = 100


def _fits_a_resource(nick: str) -> bool:
    try:
        return bool(to_resource(nick))
    except JidError:
        return False


class Visitor(Showing):
    """`user` is a bare JID; `send` and `send_all` take finished stanzas."""

    __slots__ = ("allowance", "counted", "shows")

    def __init__(
        self,
        user: str,
        bridge: LiveBridge,
        door: xml.Door,
        names: Names,
        send: Callable[[str], None],
        send_all: Callable[[list[str]], None],
    ) -> None:
        super().__init__(user, bridge, door, names, send, send_all)
        self.allowance = BURST
        self.counted = time.monotonic()
        #: How clients are there that are not simply available; None for none.
        self.shows: dict[str, tuple[str, str]] | None = None
        self.session: Session = bridge.open(user, self)

    @property
    def idle(self) -> bool:
        return not self.rooms

    # What the user's clients do -----------------------------------------------------------------------------------

    def joins(self, presence: Presence, address: Address) -> None:
        """Available presence to a room's occupant JID: a join, a join again, a new nick, or news of the client."""
        room = self.rooms.get(address)
        inside = room is not None and presence.sender in room.clients
        nick = from_resource(presence.to.resource)
        if inside and room is not None and not presence.muc:
            self._seen(presence)
            if nick != room.nick:
                self._rename(presence, address, room, nick)
            return
        if not presence.muc:
            if room is None or presence.sender not in room.waiting:
                self.refuse("presence", presence, LegacyError("not-acceptable", say("room.not-in"), type="cancel"))
            return
        if not speakable(presence.to._replace(resource="")):
            self.refuse("presence", presence, LegacyError("jid-malformed", say("room.unspeakable")))
            return
        if not _fits_a_resource(nick):
            self.refuse("presence", presence, LegacyError("not-acceptable", say("room.nick-long")))
            return
        if room is not None and not self._affords(room, presence.sender):
            self.refuse("presence", presence, LegacyError("resource-constraint", say("room.often"), retry_after=10))
            return
        if room is None:
            room = self.open(address)
        to = presence.to
        client = Client(self.door, to.bare, presence.sender, to.resource, presence.history, presence.id)
        room.key = presence.password or room.key
        room.admit(client)
        if room.inside:
            self._came(address, room, client)
            self.picture(self.user, address, client)
        self._seen(presence)
        if not room.inside:
            self.session.do(Join(address, nick, presence.sender, presence.password))
        elif inside and nick != room.nick:
            self._rename(presence, address, room, nick)

    def _came(self, address: Address, room: Room, client: Client) -> None:
        """A client is in a room that the user was in already."""
        self.roll.came(self.user, room.place or address, Stayed(client.jid, client.room, client.wanted))
        if room.interrupted:
            comeback.explain(room, client)

    def _affords(self, room: Room, sender: str) -> bool:
        """Whether one more client may be shown the room now."""
        if len(room.clients) + len(room.waiting) >= CLIENTS and sender not in room.clients and sender not in room.waiting:
            return False
        now = time.monotonic()
        self.allowance = min(BURST, self.allowance + (now - self.counted) * REFILL)
        self.counted = now
        cost = len(room.members) + (HISTORY if room.past is not None else 1)
        if self.allowance < min(cost, BURST):
            return False
        self.allowance -= cost
        return True

    def _rename(self, presence: Presence, address: Address, room: Room, nick: str) -> None:
        self.session.do(Rename(address, nick, presence.sender, presence.id, presence))

    def leaves(self, presence: Presence, address: Address) -> None:
        room = self.rooms.get(address)
        if room is not None:
            room.dismiss(presence.sender, presence.to.bare, presence.status)
            self._went(address, room, presence.sender)
            self._close_if_empty(address, room, presence.status)
            self._reckon()

    def roll_call(self) -> None:
        """The XMPP server was away: clients that went with it are found out by what comes back."""
        for room in set(self.rooms.values()):
            room.roll_call()

    def vanished(self, sender: str, address: Address) -> None:
        """A client bounced what the room sent it."""
        room = self.rooms.get(address)
        if room is not None and room.forget(sender):
            self._went(address, room, sender)
            self._close_if_empty(address, room)
            self._reckon()

    def says(self, message: Message, address: Address, command: Command | None = None) -> None:
        """A groupchat message, as the command that it comes to; without one it is plain words."""
        room = self.rooms.get(address)
        if room is None or message.sender not in room.clients:
            if not isinstance(command, Type | Read):
                self.refuse("message", message, LegacyError("not-acceptable", say("room.not-in"), type="cancel"))
        elif command is not None:
            self.session.do(command)
        else:
            fields = (address, "", message.body, message.sender, message.id, message, None)
            self.session.do(tuple.__new__(Say, fields))  # as in `read.message`

    def tells(self, message: Message, address: Address, command: Command) -> None:
        """A message to a person, or to an occupant of a room (XEP-0045 7.5), as the command that it comes to."""
        if isinstance(command, Type | Read):
            room = self.rooms.get(address)
            if address.kind != "room" or (room is not None and message.sender in room.clients):
                self.session.do(command)
            return
        if address.kind == "room":
            room = self.rooms.get(address)
            nick = from_resource(message.to.resource)
            if room is None or message.sender not in room.clients:
                self.refuse("message", message, LegacyError("not-acceptable", say("room.not-in"), type="cancel"))
                return
            if nick not in room.members:
                self.refuse("message", message, LegacyError("item-not-found", say("room.absent", nick=nick)))
                return
            self.routes[self.bridge.person(address, nick)] = Route(message.sender, message.to.bare, nick)
        else:
            self.routes.pop(address, None)
        self.session.do(command)

    def refers(self, act: Act, can: frozenset[type]) -> Act | None:
        """What an act comes to where these things can be done, by what is known of the message that it refers to."""
        if isinstance(act, Type) or (isinstance(act, Say) and (act.more is None or not act.more.reply)):
            return semantics.at(act, can)
        bare, remarks = self.bridge.can(act.to), self.remarks(self.user)
        room = self.rooms.get(act.to) if act.to.kind == "room" and not act.nick else None
        if room is not None:
            found = referred(act, Place(can, bare, room.links, room.last, remarks, room.nick))
            room.links = room.links or Links()  # it will be referred to what is said from now on
            return found
        if act.to.kind == "room" and not act.nick:
            return referred(act, Place(can, bare))
        person = self.bridge.person(act.to, act.nick) if act.to.kind == "room" else act.to
        return referred(act, Place(can, bare, concerning.links_of(self, person, make=True), remarks=remarks))

    def enter(self, address: Address, nick: str) -> None:
        """Be in a room without a client, and stay: the user has said so elsewhere."""
        if address not in self.rooms:
            comeback.restore(self.open(address), nick, (), self.worded(say("room.returning")))
            self.session.do(Join(address, nick, ""))

    def abandon(self, address: Address) -> None:
        """Leave a room that no client is in, and that the user does not stay in any more."""
        room = self.rooms.get(address)
        if room is not None:
            self._close_if_empty(address, room)

    def _close_if_empty(self, address: Address, room: Room, reason: str = "") -> None:
        place = room.place or address
        if room.empty and not (room.inside and self.bridge.persistent(self.user, place)):
            self.roll.left(self.user, place)
            self.drop(room)
            self.session.do(Leave(address, reason))

    def _went(self, address: Address, room: Room, jid: str) -> None:
        if jid not in room.clients:
            self.roll.gone(self.user, room.place or address, jid)
            if self.shows is not None and not any(jid in other.clients for other in self.rooms.values()):
                self.shows.pop(jid, None)

    def _seen(self, presence: Presence) -> None:
        """How a client is there (XEP-0045 7.7): what it comes to is told to the far side."""
        shows = self.shows
        if presence.show in ("", "chat"):
            if shows is None and self.away is None:
                return
            if shows is not None:
                shows.pop(presence.sender, None)
        else:
            self.shows = shows = shows if shows is not None else {}
            shows[presence.sender] = (presence.show, presence.status[:LONGEST])
        self._reckon(presence.sender)

    def _reckon(self, comes: str = "") -> None:
        """Tell the far side when the user is away and when not; `comes` is a client that is about to be in a room."""
        clients = {jid for room in self.rooms.values() for jid in (*room.clients, *room.waiting)}
        if comes:
            clients.add(comes)
        if self.shows:  # whose join was refused is nowhere
            self.shows = {jid: show for jid, show in self.shows.items() if jid in clients}
        now = away(clients, self.shows or {}) if self.rooms else None
        if now != self.away:
            self.away = now
            self.session.do(SetAway(now))
        self.shows = self.shows or None

    def settle(self) -> None:
        """Leave the rooms where no client is and the user is not to stay any more; looked for now and then."""
        for room, address in {room: address for address, room in self.rooms.items()}.items():  # two addresses may be one room
            if room.empty:
                self._close_if_empty(address, room)

    # The end ------------------------------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """The gateway stops: every client is told that its rooms are gone for now (XEP-0045 status 332).

        The clients come back by themselves; rooms where the user stays without them are come back to at the next start.
        """
        # two addresses may be one room
        for room, address in {room: address for address, room in self.rooms.items()}.items():
            self._ended(room.place or address)
            if room.inside:
                room.left(Left(address, (room.nick,), "lost", self.worded(reason)))
            else:
                self._refused(Refused(address, LegacyError("remote-server-timeout", reason)))
        self.rooms.clear()
        self.session.close(reason)

    def _ended(self, address: Address) -> None:
        if self.bridge.persistent(self.user, address):
            self.roll.alone(self.user, address)
        else:
            self.roll.left(self.user, address)

    def forget(self) -> None:
        """The user is sent away: nothing is come back to."""
        for address in self.rooms:
            self.roll.left(self.user, address)
