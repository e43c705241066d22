"""One user on one live bridge: the rooms the user is in, what is on its way, and where each fact must be shown.

Commands of the user come in from `gateway` as stanza values, facts of the bridge through `tell`; both leave as stanza
text or as commands. Knows no socket and no protocol of the far side.
XEP-0045 for rooms; RFC 6121 for messages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from transports.errors import LegacyError
from transports.events import (
    Address,
    Changed,
    Command,
    ContactFact,
    Corrected,
    Delivered,
    Displayed,
    Down,
    Echoed,
    Entered,
    Fact,
    Failed,
    Forgotten,
    Invited,
    Join,
    Joined,
    Known,
    Leave,
    Left,
    Notice,
    Reacted,
    Read,
    Refused,
    Rename,
    Renamed,
    Retracted,
    RoleSet,
    Said,
    SameRoom,
    Say,
    Seen,
    Sent,
    SubjectSet,
    Type,
    Typing,
    Undelivered,
    Up,
)
from transports.ports import LiveBridge, Session
from transports.words import Text, in_language, say
from transports.xmpp import write, xml
from transports.xmpp.address import JidError, from_resource, jid_of, speakable, to_resource
from transports.xmpp.read import Message, Presence
from transports.xmpp.room import Client, Names, Room, resource, styled

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


class Route(NamedTuple):
    """The user last wrote to a person as an occupant of a room: answers come from there."""

    jid: str
    room: str
    nick: str


def _fits_a_resource(nick: str) -> bool:
    try:
        return bool(to_resource(nick))
    except JidError:
        return False


def _nobody(user: str, fact: ContactFact) -> None:
    """Where facts of contacts go while nobody keeps them."""


def _no_one(user: str, address: Address) -> bool:
    """Whom users block while nobody keeps that."""
    return False


def _nothing_to_see(user: str, room: Address, client: Client) -> None:
    """Pictures of rooms while nobody has them."""


def _unknown(user: str) -> str:
    """The language of users while nobody has heard them."""
    return ""


class Visitor:
    """`user` is a bare JID; `send` and `send_all` take finished stanzas."""

    __slots__ = (
        "allowance",
        "blocks",
        "bridge",
        "contacts",
        "counted",
        "door",
        "language",
        "names",
        "picture",
        "rooms",
        "routes",
        "send",
        "send_all",
        "session",
        "user",
    )

    def __init__(
        self,
        user: str,
        bridge: LiveBridge,
        door: xml.Door,
        names: Names,
        send: Callable[[str], None],
        send_all: Callable[[list[str]], None],
    ) -> None:
        self.user = user
        self.bridge = bridge
        self.door = door
        self.names = names
        self.send = send
        self.send_all = send_all
        self.allowance = BURST
        self.counted = time.monotonic()
        #: Shows a room's picture to a client that has come in.
        self.picture: Callable[[str, Address, Client], None] = _nothing_to_see
        #: What is known of a user's language: the desk's.
        self.language: Callable[[str], str] = _unknown
        #: Who keeps contacts and their presence: the desk.
        self.contacts: Callable[[str, ContactFact], None] = _nobody
        #: Whom the user blocks: the desk knows.
        self.blocks: Callable[[str, Address], bool] = _no_one
        self.rooms: dict[Address, Room] = {}
        self.routes: dict[Address, Route] = {}
        self.session: Session = bridge.open(user, self)

    def jid(self, address: Address) -> str:
        """The bare JID of an address."""
        return jid_of(address.name, self.bridge.domain)

    @property
    def idle(self) -> bool:
        return not self.rooms

    def _worded(self, text: str) -> str:
        """A text of ours in the user's language; words of the far side as they are."""
        return in_language(text, self.language(self.user)) if isinstance(text, Text) else text

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
            room = self.rooms[address] = Room(self.names, self.send, self.send_all)
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

    def refuse(self, tag: str, stanza: Message | Presence, error: LegacyError) -> None:
        self.send(write.refusal(self.door, tag, stanza, error, stanza.language or self.language(self.user)))

    def _close_if_empty(self, address: Address, room: Room, reason: str = "") -> None:
        if room.empty:
            self._drop(room)
            self.session.do(Leave(address, reason))

    def _drop(self, room: Room) -> None:
        self.rooms = {address: kept for address, kept in self.rooms.items() if kept is not room}

    # What happens on the far side ---------------------------------------------------------------------------------

    def tell(self, fact: Fact) -> None:
        """Show a fact where it belongs. The Outlet of the session."""
        try:
            _FACTS[type(fact)](self, fact)
        except Exception:
            log.exception("a fact of %s could not be shown", self.bridge.name)

    def _said(self, fact: Said) -> None:
        if fact.where.kind != "person":
            room = self.rooms.get(fact.where)
            if room is not None:
                room.said(fact)
            return
        self._from_person(fact.where, styled(fact), fact.when)

    def _from_person(self, person: Address, text: str, when: float | None = None) -> None:
        """From the person's own address, or from the occupant's that the user last wrote to; nothing of whom the user blocks."""
        if self.blocks(self.user, person):
            return
        more = write.delay(when, self.jid(person)) if when is not None else ""
        route = self._route(person)
        if route is not None:
            opening = self.door.speaker("message", route.room, route.jid, f" type='chat' id='{self.names.stanza()}'")
            user = f"<x xmlns='{write.MUC_USER}'/>"
            self.send(f"{opening}{resource(route.nick)}'>{write.body(text)}{user}{more}</message>")
        else:
            self.send(write.chat(self.door, self.jid(person), self.user, self.names.stanza(), text, more))

    def _route(self, person: Address) -> Route | None:
        """The occupant's JID that the user last wrote to, while both are still in that room."""
        route = self.routes.get(person)
        if route is None:
            return None
        for room in self.rooms.values():
            client = room.clients.get(route.jid)
            if client is not None and client.room == route.room and route.nick in room.members:
                return route
        del self.routes[person]
        return None

    def _echoed(self, fact: Echoed) -> None:
        rooms = self.rooms
        for command in fact.of:
            if type(command) is Say and not command.nick:
                room = rooms.get(command.to)
                if room is not None:
                    room.reflect(command.ref)  # type: ignore[arg-type]  # the message that it was made of

    def _failed(self, fact: Failed) -> None:
        stanza = fact.of.ref
        if isinstance(stanza, Message | Presence):
            self.refuse("message" if isinstance(stanza, Message) else "presence", stanza, fact.error)

    def _entered(self, fact: Entered) -> None:
        room = self.rooms.get(fact.room)
        if room is None:
            self.session.do(Leave(fact.room))
        else:
            waiting = list(room.waiting.values())
            room.entered(fact)
            for client in waiting:
                self.picture(self.user, fact.room, client)

    def _same_room(self, fact: SameRoom) -> None:
        alias = self.rooms.get(fact.alias)
        room = self.rooms.get(fact.room)
        if alias is None or alias is room:
            return
        if room is None:
            self.rooms[fact.room] = alias
            return
        self.rooms[fact.alias] = room
        for client in alias.waiting.values():
            room.admit(client)

    def _refused(self, fact: Refused) -> None:
        room = self.rooms.get(fact.room)
        if room is None:
            return
        for jid, client in list(room.waiting.items()):
            if fact.by in ("", jid):
                del room.waiting[jid]
                head = self.door.speaker("presence", client.room, jid, " type='error'")
                error = xml.error(fact.error.condition, fact.error.type, self._worded(fact.error.text))
                muc = "<x xmlns='http://jabber.org/protocol/muc'/>"
                self.send(f"{head}{resource(from_resource(client.wanted))}'{write.id_attr(client.id)}>{muc}{error}</presence>")
        if room.empty:
            self._drop(room)

    def _left(self, fact: Left) -> None:
        room = self.rooms.get(fact.room)
        if room is None:
            return
        if room.nick in fact.nicks:
            room.left(fact._replace(reason=self._worded(fact.reason)))
            self._drop(room)
        else:
            room.left(fact)

    def _joined(self, fact: Joined) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            room.joined(fact)

    def _renamed(self, fact: Renamed) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            room.renamed(fact)
        if self.routes:
            route = self.routes.pop(self.bridge.person(fact.room, fact.old), None)
            if route is not None:
                self.routes[self.bridge.person(fact.room, fact.new)] = route._replace(nick=fact.new)

    def _role_set(self, fact: RoleSet) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            room.role_set(fact)

    def _subject_set(self, fact: SubjectSet) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            room.subject_set(fact.subject)

    def _notice(self, fact: Notice) -> None:
        room = self.rooms.get(fact.where)
        text = self._worded(fact.text)
        if room is not None:
            room.notice(text)
        elif fact.where.kind == "person":
            self._from_person(fact.where, text)
        else:
            self._announce(fact.where, text)

    def _announce(self, place: Address, text: str) -> None:
        """Words of a server for whoever is there now: no archive and no offline storage keeps them."""
        self.send(write.chat(self.door, self.jid(place), self.user, self.names.stanza(), text, write.NO_STORE))

    def _invited(self, fact: Invited) -> None:
        room = self.jid(fact.room)
        person = self.bridge.person(fact.room, fact.nick) if fact.nick else fact.room
        if self.blocks(self.user, person):
            return
        inviter = self.jid(person)
        self.send(write.invitation(self.door, room, self.user, inviter, self._worded(fact.reason)))

    def _up(self, fact: Up) -> None:
        self._standing(Seen(fact.server))

    def _down(self, fact: Down) -> None:
        if fact.error is not None:
            self._announce(fact.server, self._worded(fact.error.text))
        self._standing(Seen(fact.server, "unavailable", fact.error.text if fact.error is not None else ""))

    def _standing(self, fact: Seen) -> None:
        """How a server is there, and with it the gateway."""
        service = self.bridge.address("")
        if fact.contact != service:
            self.contacts(self.user, fact)
        show, text = self.bridge.status(self.user)
        self.contacts(self.user, Seen(service, show, text))

    def _of_a_contact(self, fact: ContactFact) -> None:
        self.contacts(self.user, fact)

    def _nothing(self, fact: Fact) -> None:
        """Facts that no client sees yet."""

    # The end ------------------------------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """The gateway stops: every client is told that its rooms are gone for now (XEP-0045 status 332)."""
        # two addresses may be one room
        for room, address in {room: address for address, room in self.rooms.items()}.items():
            if room.inside:
                room.left(Left(address, (room.nick,), "lost", self._worded(reason)))
            else:
                self._refused(Refused(address, LegacyError("remote-server-timeout", reason)))
        self.rooms.clear()
        self.session.close(reason)


_FACTS: Final[dict[type, Callable[[Visitor, Any], None]]] = {
    Said: Visitor._said,
    Echoed: Visitor._echoed,
    Failed: Visitor._failed,
    Entered: Visitor._entered,
    SameRoom: Visitor._same_room,
    Refused: Visitor._refused,
    Left: Visitor._left,
    Joined: Visitor._joined,
    Renamed: Visitor._renamed,
    RoleSet: Visitor._role_set,
    SubjectSet: Visitor._subject_set,
    Notice: Visitor._notice,
    Invited: Visitor._invited,
    Up: Visitor._up,
    Down: Visitor._down,
    # as XMPP shows them: with the bridge that first tells them
    **dict.fromkeys((Corrected, Retracted, Reacted, Sent, Typing, Displayed, Delivered, Undelivered), Visitor._nothing),
    **dict.fromkeys((Known, Seen, Changed, Forgotten), Visitor._of_a_contact),
}
