"""What happens to messages of a room after they were said, as the user's clients see it; and who is typing there.

Facts in, stanzas out through the room. References are stanza-ids of the room; a message that is not known any more has
words, or nothing. XEP-0085 5.5, 0308, 0424 and 0425, 0444.
"""

from __future__ import annotations

from transports.events import Corrected, Reacted, Retracted, Typing
from transports.words import say
from transports.xmpp import meaning, semantics, write, xml
from transports.xmpp.chat import STORE, reactions
from transports.xmpp.client import occupant_id, resource, speaker
from transports.xmpp.room import Room

MODERATE = "urn:xmpp:message-moderate:1"


def spread(room: Room, nick: str, content: str, when: float | None = None, key: str = "", passing: bool = False) -> str:
    """A message of an occupant's to all clients, and into the archive unless it is `passing`; its stanza-id."""
    name, occupant = speaker(nick, room.people.get(nick))
    id = room.names.stanza() if when is None else room.names.at(when)
    if room.past is not None and not passing:
        room.past.keep(id, name, occupant, content, key)
    start = f"{name}' id='{id}'>{content}"
    end = f"{id}'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{occupant}'/></message>"
    for client in room.clients.values():
        late = write.delay(when, client.room) if when is not None else ""
        room.send(f"{client.message}{start}{late}{client.by}{end}")
    return id


def typing(room: Room, fact: Typing) -> None:
    if room.inside and fact.nick in room.members:
        spread(room, fact.nick, f"<{fact.state} xmlns='{meaning.CHATSTATES}'/>{write.NO_STORE}", passing=True)


def reacted(room: Room, fact: Reacted) -> None:
    link = room.links.by_key(fact.of) if room.links is not None else None
    if room.inside and link is not None:
        spread(room, fact.nick, reactions(link.id, fact.emojis) + STORE, fact.when, fact.key)


def retracted(room: Room, fact: Retracted) -> None:
    """By its author, or by who may (XEP-0425 5: the room says so)."""
    link = room.links.by_key(fact.of) if room.links is not None else None
    words = room.kin.words(say("message.retracted"))
    if not room.inside:
        return
    if link is None:
        spread(room, fact.nick, write.body(words), fact.when, fact.key)
        return
    id = xml.attr(link.id)
    fallback = f"<fallback xmlns='{meaning.FALLBACK}' for='{meaning.RETRACT}'/>{STORE}{write.body(words)}"
    if link.nick == fact.nick:
        spread(room, fact.nick, f"<retract xmlns='{meaning.RETRACT}' id='{id}'/>{fallback}", fact.when, fact.key)
        return
    occupant = f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{occupant_id(fact.nick)}'/>"
    for client in room.clients.values():
        by = f"<moderated xmlns='{MODERATE}' by='{xml.attr(client.room)}/{resource(fact.nick)}'>{occupant}</moderated>"
        retract = f"<retract xmlns='{meaning.RETRACT}' id='{id}'>{by}</retract>"
        room.send(f"{client.message[:-1]}' id='{room.names.stanza()}'>{retract}{fallback}</message>")


def corrected(room: Room, fact: Corrected) -> None:
    """XEP-0308; words with a mark where the message is not known, or another's."""
    if not room.inside:
        return
    link = room.links.by_key(fact.of) if room.links is not None else None
    if link is None or link.nick != fact.nick:
        spread(room, fact.nick, write.body(semantics.anew(fact.text)), fact.when, fact.key)
        return
    replace = f"<replace xmlns='{meaning.CORRECT}' id='{xml.attr(link.id)}'/>"
    spread(room, fact.nick, write.body(fact.text) + replace, fact.when, fact.key)
