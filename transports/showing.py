"""What one user on one live bridge is shown: where each fact of the bridge belongs, as stanzas. The Outlet of the session.

The other half of a `visitor.Visitor`. Knows no socket and no protocol of the far side. XEP-0045 for rooms; RFC 6121 for messages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, Final, NamedTuple

from transports import absent, concerning
from transports.archive.place import Archive
from transports.errors import LegacyError
from transports.events import (
    Address,
    Became,
    Changed,
    Configured,
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
    Interrupted,
    Invited,
    Joined,
    Known,
    Leave,
    Left,
    Notice,
    React,
    Reacted,
    Refused,
    Renamed,
    Retract,
    Retracted,
    RoleSet,
    Said,
    SameRoom,
    Say,
    Seen,
    Sent,
    SetAway,
    SubjectSet,
    Typing,
    Undelivered,
    Up,
)
from transports.ports import LiveBridge, Session
from transports.roll import NO_ROLL, NoRoll, Roll, Stayed
from transports.words import Text, in_language, say
from transports.xmpp import comeback, markup, write, xml
from transports.xmpp.address import JidError, from_resource, jid_of
from transports.xmpp.client import Client, Names, resource, styled
from transports.xmpp.linked import Links
from transports.xmpp.meaning import replaces
from transports.xmpp.occupant import Kin
from transports.xmpp.read import Message, Presence
from transports.xmpp.room import Room
from transports.xmpp.roomtalk import said_by_user

log = logging.getLogger(__name__)

#: What a room shows to its author again, once the far side has it.
_REFLECTED: Final = frozenset({Say, React, Retract})


class Route(NamedTuple):
    """The user last wrote to a person as an occupant of a room: answers come from there."""

    jid: str
    room: str
    nick: str


def _nobody(user: str, fact: ContactFact) -> None:
    """Where facts of contacts go while nobody keeps them."""


def _no_one(user: str, address: Address) -> bool:
    """Whom users block while nobody keeps that."""
    return False


def _nothing_to_see(user: str, room: Address, client: Client) -> None:
    """Pictures of rooms while nobody has them."""


def _no_archive(user: str, place: Address) -> Archive | None:
    """Archives while nobody keeps any."""
    return None


def _never(user: str, stanza: str = "") -> bool:
    """What no user wants, or may have, while nobody knows better."""
    return False


def _unknown(user: str) -> str:
    """The language of users while nobody has heard them."""
    return ""


def _called(bridge: LiveBridge, room: Address, nick: str) -> str:
    return jid_of(bridge.person(room, nick).name, bridge.domain)


@lru_cache(1_000)  # one text for all who are on a server
def _tail(tail: str, domain: str) -> str:
    return xml.attr(jid_of(f"x{tail}", domain)[1:])


class Showing:
    """`user` is a bare JID; `send` and `send_all` take finished stanzas."""

    __slots__ = (
        "archive",
        "as_user",
        "away",
        "blocks",
        "bridge",
        "contacts",
        "door",
        "language",
        "linked",
        "names",
        "picture",
        "remarks",
        "roll",
        "rooms",
        "routes",
        "send",
        "send_all",
        "session",
        "told",
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
        #: Shows a room's picture to a client that has come in.
        self.picture: Callable[[str, Address, Client], None] = _nothing_to_see
        #: What is known of a user's language: the desk's.
        self.language: Callable[[str], str] = _unknown
        #: Who keeps contacts and their presence: the desk.
        self.contacts: Callable[[str, ContactFact], None] = _nobody
        #: Whom the user blocks: the desk knows.
        self.blocks: Callable[[str, Address], bool] = _no_one
        #: Where what is said at a place is archived; None where it is not.
        self.archive: Callable[[str, Address], Archive | None] = _no_archive
        #: What outlives the process of who is in which room.
        self.roll: Roll | NoRoll = NO_ROLL
        #: Whether the user wants reactions told in words, where they cannot be shown.
        self.remarks: Callable[[str], bool] = _never
        #: Has the user's server show a message as the user's own (XEP-0356); False where it does not let us.
        self.as_user: Callable[[str, str], bool] = _never
        #: Which message of a person is which; None while none can be referred to.
        self.linked: dict[Address, Links] | None = None
        self.rooms: dict[Address, Room] = {}
        self.routes: dict[Address, Route] = {}
        #: What the user heard lately of rooms where no client is; None: nothing.
        self.told: absent.Told | None = None
        #: Why the user is away, as the far side was told; None: the user is there.
        self.away: str | None = None
        self.session: Session

    def jid(self, address: Address) -> str:
        """The bare JID of an address."""
        return jid_of(address.name, self.bridge.domain)

    def worded(self, text: str) -> str:
        """A text of ours in the user's language; words of the far side as they are."""
        return in_language(text, self.language(self.user)) if isinstance(text, Text) else text

    def refuse(self, tag: str, stanza: Message | Presence, error: LegacyError) -> None:
        self.send(write.refusal(self.door, tag, stanza, error, stanza.language or self.language(self.user)))

    def open(self, address: Address) -> Room:
        """A new room that the user is to be in."""
        room = self.rooms[address] = Room(self.names, self.send, self.send_all, self._kin(address))
        room.past = self.archive(self.user, address)
        room.place = address
        return room

    def _kin(self, room: Address) -> Kin:
        """How the people of a room are called outside of it."""
        tail = self.bridge.kin(room)
        end = _tail(tail, self.bridge.domain) if tail is not None else None
        return Kin(partial(_called, self.bridge, room), end, self.worded, self.user)

    def archives(self) -> None:
        """What is to be archived may be another choice now: those inside are told (XEP-0045 10.2.1)."""
        for room, address in {room: address for address, room in self.rooms.items()}.items():  # of two names the last
            before = room.logged
            room.past = self.archive(self.user, address)
            if room.logged is not before:
                room.configured("170" if room.logged else "171")

    def drop(self, room: Room) -> None:
        self.rooms = {address: kept for address, kept in self.rooms.items() if kept is not room}

    # What happens on the far side ---------------------------------------------------------------------------------

    def tell(self, fact: Fact) -> None:
        """Show a fact where it belongs. The Outlet of the session."""
        try:
            _FACTS[type(fact)](self, fact)
        except JidError:  # names are bounded, their escapes are not: what has no address is nobody's to see
            log.debug("a fact of %s is of an address that no JID can have", self.bridge.name)
        except Exception:
            log.exception("a fact of %s could not be shown", self.bridge.name)

    def _said(self, fact: Said) -> None:
        if fact.where.kind != "person":
            room = self.rooms.get(fact.where)
            if room is not None:
                id = room.said(fact)
                if not room.clients and id:
                    absent.tell(self, fact, id)
            return
        quote, answer = concerning.reply(self, fact) if fact.more is not None and self.linked is not None else ("", "")
        text = quote + styled(fact)
        self._from_person(fact.where, text, fact.when, fact.key, answer + markup.beside(fact, text))

    def _from_person(self, person: Address, text: str, when: float | None = None, key: str = "", more: str = "") -> None:
        """From the person's own address, or from the occupant's that the user last wrote to; nothing of whom the user blocks."""
        if self.blocks(self.user, person):
            return
        content = write.body(text) + more
        more += write.delay(when, self.jid(person)) if when is not None else ""
        id = self.names.stanza() if when is None else self.names.at(when)
        past = self.archive(self.user, person)
        if past is not None:
            past.keep(id, "", "", content, key)
        links = concerning.links_of(self, person, make=bool(key)) if key or self.linked is not None else None
        if links is not None:
            links.add(id, key, "", text)
        route = self.route(person)
        if route is not None:
            opening = self.door.speaker("message", route.room, route.jid, f" type='chat' id='{id}'")
            user = f"<x xmlns='{write.MUC_USER}'/>"
            self.send(f"{opening}{resource(route.nick)}'>{write.body(text)}{user}{more}</message>")
        else:
            if past is not None:
                more += f"<stanza-id xmlns='urn:xmpp:sid:0' by='{xml.attr(self.jid(person))}' id='{id}'/>"
            self.send(write.chat(self.door, self.jid(person), self.user, id, text, more))

    def route(self, person: Address) -> Route | None:
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
        for command, key in zip(fact.of, fact.keys or repeat(""), strict=False):
            if type(command) in _REFLECTED and not command.nick:  # type: ignore[union-attr]  # those have one
                room = rooms.get(command.to)  # type: ignore[union-attr]
                if room is not None:
                    room.reflect(command.ref, key)  # type: ignore[arg-type]  # the message that it was made of
                    continue
            if type(command) is Say:
                self._told(command, key)

    def _told(self, command: Say, key: str) -> None:
        """A person has been told something: into the archive with it, if the user wants that."""
        room, message = command.to.kind == "room", command.ref
        if (room and not command.nick) or not isinstance(message, Message):
            return
        person = self.bridge.person(command.to, command.nick) if room else command.to
        links = concerning.links_of(self, person, make=bool(key))
        if links is not None and message.body is not None:
            links.own(message.id, key, "", message, replaces(message.rich) if message.rich is not None else "")
        past = self.archive(self.user, person)
        if past is not None:
            named = write.id_attr(message.id)
            content = said_by_user(message, named)
            first = key.partition(" ")[0]
            past.keep(self.names.stanza(), "", "", content, first, own=True, stanza=message.id if named else "")

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
            room.place = fact.room
            interrupted = room.interrupted
            room.entered(fact)
            if interrupted:
                room.notice(self.worded(say("room.back")))
            self.roll.entered(self.user, fact.room, fact.nick, room.key)
            for client in waiting:
                self.roll.came(self.user, fact.room, Stayed(client.jid, client.room, client.wanted))
            for client in waiting:
                self.picture(self.user, fact.room, client)

    def _interrupted(self, fact: Interrupted) -> None:
        room = self.rooms.get(fact.room)
        if room is not None and room.inside:
            comeback.interrupt(room, self.worded(say("room.interrupted", why=fact.error.text)))
            self.roll.interrupted(self.user, fact.room, time.time())

    def _same_room(self, fact: SameRoom) -> None:
        alias = self.rooms.get(fact.alias)
        room = self.rooms.get(fact.room)
        if alias is None or alias is room:
            return
        if room is None:
            room = self.rooms[fact.room] = alias
            alias.past = self.archive(self.user, fact.room)
            alias.place = fact.room
        else:
            self.rooms[fact.alias] = room
            comeback.merge(room, alias)
        self.roll.left(self.user, fact.alias)
        for client in room.clients.values():
            self.roll.came(self.user, fact.room, Stayed(client.jid, client.room, client.wanted))

    def _refused(self, fact: Refused) -> None:
        room = self.rooms.get(fact.room)
        if room is None:
            return
        if room.interrupted:
            comeback.expel(room, fact.error, self.worded(fact.error.text))
            self.roll.left(self.user, fact.room)
        for jid, client in list(room.waiting.items()):
            if fact.by in ("", jid):
                del room.waiting[jid]
                head = self.door.speaker("presence", client.room, jid, " type='error'")
                error = xml.error(fact.error.condition, fact.error.type, self.worded(fact.error.text))
                name = f"{resource(from_resource(client.wanted))}'{write.id_attr(client.id)}"
                self.send(f"{head}{name}>{write.NOT_JOINED}{error}</presence>")
        if room.empty:
            self.drop(room)

    def _left(self, fact: Left) -> None:
        room = self.rooms.get(fact.room)
        if room is None:
            return
        if room.nick in fact.nicks:
            room.left(fact._replace(reason=self.worded(fact.reason)))
            self.drop(room)
            self.roll.left(self.user, fact.room)
        else:
            room.left(fact)

    def _joined(self, fact: Joined) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            room.joined(fact)

    def _became(self, fact: Became) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            room.became(fact)

    def _renamed(self, fact: Renamed) -> None:
        room = self.rooms.get(fact.room)
        if room is not None:
            if fact.old == room.nick:
                self.roll.called(self.user, fact.room, fact.new)
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
        text = self.worded(fact.text)
        if room is not None:
            room.notice(text)
        elif fact.where.kind == "person":
            self._from_person(fact.where, text)
        else:
            self._announce(fact.where, text)

    def _announce(self, place: Address, text: str) -> None:
        """Words of a server for whoever is there now: no archive and no offline storage keeps them."""
        self.send(write.chat(self.door, self.jid(place), self.user, self.names.stanza(), text, write.NO_STORE))

    def _configured(self, fact: Configured) -> None:
        room = self.rooms.get(fact.room)
        if room is not None and room.inside:
            room.configured("104")

    def _invited(self, fact: Invited) -> None:
        room = self.jid(fact.room)
        person = self.bridge.person(fact.room, fact.nick) if fact.nick else fact.room
        if self.blocks(self.user, person):
            return
        inviter = self.jid(person)
        self.send(write.invitation(self.door, room, self.user, inviter, self.worded(fact.reason)))

    def _up(self, fact: Up) -> None:
        self._standing(Seen(fact.server, *self.bridge.presence(self.user, fact.server)))
        if self.away is not None:
            self.session.do(SetAway(self.away))

    def _down(self, fact: Down) -> None:
        if fact.error is not None:
            self._announce(fact.server, self.worded(fact.error.text))
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


_FACTS: Final[dict[type, Callable[[Showing, Any], None]]] = {
    Said: Showing._said,
    Echoed: Showing._echoed,
    Failed: Showing._failed,
    Entered: Showing._entered,
    SameRoom: Showing._same_room,
    Refused: Showing._refused,
    Left: Showing._left,
    Joined: Showing._joined,
    Renamed: Showing._renamed,
    RoleSet: Showing._role_set,
    SubjectSet: Showing._subject_set,
    Notice: Showing._notice,
    Configured: Showing._configured,
    Invited: Showing._invited,
    Up: Showing._up,
    Down: Showing._down,
    Became: Showing._became,
    # as XMPP shows them: with the bridge that first tells them
    Interrupted: Showing._interrupted,
    Corrected: concerning.corrected,
    Retracted: concerning.retracted,
    Reacted: concerning.reacted,
    Typing: concerning.typing,
    Displayed: concerning.displayed,
    Sent: concerning.sent,
    **dict.fromkeys((Delivered, Undelivered), Showing._nothing),
    **dict.fromkeys((Known, Seen, Changed, Forgotten), Showing._of_a_contact),
}
