"""A room whose far side is lost for now, as its clients see it: the user stays, alone, and the others come back later.

What `room` does when all is well is not here. XEP-0045 7.14 (333: gone for a technical reason), 9.1, 15.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from transports.errors import LegacyError
from transports.events import NO_RANK, Address, Entered, Left, Renamed, Subject
from transports.xmpp import write
from transports.xmpp.client import Client, resource

if TYPE_CHECKING:
    from transports.xmpp.room import Room

_NOWHERE: Final = Address("room", "")
#: The condition with which a far side refuses to have the user back -> status code of the unavailable presence; else 307.
_CODES: Final = {
    "forbidden": "301",
    "registration-required": "322",
    "remote-server-not-found": "332",
    "remote-server-timeout": "332",
}


def interrupt(room: Room, words: str) -> None:
    """The others leave, a line says why."""
    others = tuple(nick for nick in room.members if nick != room.nick)
    if others:
        room.left(Left(_NOWHERE, others, "split"))
    _alone(room)
    room.interrupted = words
    room.notice(words)


def restore(room: Room, nick: str, clients: Iterable[Client], words: str) -> None:
    """A room that the user was in before the gateway went, with the clients that were in it and may still be."""
    room.inside = True
    room.called(nick)
    _alone(room)
    room.interrupted = words
    room.subject = Subject("")
    for client in clients:
        room.clients[client.jid] = client


def _alone(room: Room) -> None:
    own = room.nick
    room.members = {own: room.members.get(own, NO_RANK)}
    room.people = {own: room.people[own]} if own in room.people else {}


def explain(room: Room, client: Client) -> None:
    """Why nobody else is here, for a client that has just come in."""
    room.send(f"{client.message[:-1]}' id='{room.names.stanza()}'>{write.body(room.interrupted)}</message>")


def resume(room: Room, fact: Entered) -> None:
    """All are there again: every client sees them as if it had come in now, but for the history."""
    room.people = fact.people
    if fact.nick != room.nick:
        room.renamed(Renamed(fact.room, room.nick, fact.nick, NO_RANK))
    room.interrupted = ""
    room.members = fact.members
    room.called(fact.nick)
    for client in room.clients.values():
        room.send_all(room.occupants(client))
    if room.subject != fact.subject:
        room.subject_set(fact.subject)


def expel(room: Room, error: LegacyError, words: str) -> None:
    """The far side does not let the user in again."""
    tail = write.gone(NO_RANK, (_CODES.get(error.condition, "307"), "110"), words)
    for client in room.clients.values():
        room.send(f"{client.presence}{resource(room.nick)}{tail}")
    room.inside, room.interrupted = False, ""
    room.clients.clear()


def merge(room: Room, other: Room) -> None:
    """Two names that were thought to be two rooms are one: those who came by the other name are in this one, too."""
    for client in (*other.clients.values(), *other.waiting.values()):
        room.admit(client)
