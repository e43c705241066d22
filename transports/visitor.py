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
    Type,
)
from transports.ports import LiveBridge, Session
from transports.showing import Route, Showing
from transports.words import say
from transports.xmpp import xml
from transports.xmpp.address import JidError, from_resource, speakable, to_resource
from transports.xmpp.client import Client, Names
from transports.xmpp.read import Message, Presence
from transports.xmpp.room import Room

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
#: Clients of one user in one room.
CLIENTS: Final = 100


def _fits_a_resource(nick: str) -> bool:
    try:
        return bool(to_resource(nick))
    except JidError:
        return False


class Visitor(Showing):
    """`user` is a bare JID; `send` and `send_all` take finished stanzas."""

    __slots__ = ("allowance", "counted")

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
        room.admit(client)
        if room.inside:
            self.picture(self.user, address, client)
        if not room.inside:
            self.session.do(Join(address, nick, presence.sender, presence.password))
        elif inside and nick != room.nick:
            self._rename(presence, address, room, nick)

    def _affords(self, room: Room, sender: str) -> bool:
        """Whether one more client may be shown the room now."""
        if len(room.clients) + len(room.waiting) >= CLIENTS and sender not in room.clients and sender not in room.waiting:
            return False
        now = time.monotonic()
        self.allowance = min(BURST, self.allowance + (now - self.counted) * REFILL)
        self.counted = now
        cost = len(room.members) + 1
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
            self._close_if_empty(address, room, presence.status)

    def roll_call(self) -> None:
        """The XMPP server was away: clients that went with it are found out by what comes back."""
        for room in set(self.rooms.values()):
            room.roll_call()

    def vanished(self, sender: str, address: Address) -> None:
        """A client bounced what the room sent it."""
        room = self.rooms.get(address)
        if room is not None and room.forget(sender):
            self._close_if_empty(address, room)

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

    def _close_if_empty(self, address: Address, room: Room, reason: str = "") -> None:
        if room.empty:
            self.drop(room)
            self.session.do(Leave(address, reason))

    # The end ------------------------------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """The gateway stops: every client is told that its rooms are gone for now (XEP-0045 status 332)."""
        # two addresses may be one room
        for room, address in {room: address for address, room in self.rooms.items()}.items():
            if room.inside:
                room.left(Left(address, (room.nick,), "lost", self.worded(reason)))
            else:
                self._refused(Refused(address, LegacyError("remote-server-timeout", reason)))
        self.rooms.clear()
        self.session.close(reason)
