"""What happens to messages after they were said, and between them: shown in the room where it is, or from the person who does it.

For `showing`; rooms' part of it is `xmpp/roomrefs`. Of people the ids of messages are those that their stanzas have. Nothing is
shown of whom the user blocks. XEP-0085, 0308, 0333, 0356, 0424, 0444, 0461.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transports.events import Address, Corrected, Displayed, Reacted, Retracted, Said, Sent, Typing
from transports.words import say
from transports.xmpp import chat, meaning, roomrefs, semantics, write, xml
from transports.xmpp.address import to_resource
from transports.xmpp.chat import STORE, Envelope
from transports.xmpp.client import resource
from transports.xmpp.linked import Link, Links
from transports.xmpp.roomtalk import answer

if TYPE_CHECKING:
    from transports.showing import Showing

#: People whose messages are known by their ids.
PEOPLE: Final = 50


def links_of(showing: Showing, person: Address, make: bool = False) -> Links | None:
    """Which message of a person is which; None where none can be referred to."""
    linked = showing.linked or {}
    links = linked.pop(person, None) or (Links() if make else None)
    if links is not None:
        linked[person] = links
        if len(linked) > PEOPLE:
            del linked[next(iter(linked))]
        showing.linked = linked
    return links


def _link(showing: Showing, person: Address, key: str) -> Link | None:
    links = links_of(showing, person)
    return links.by_key(key) if links is not None else None


def _id(link: Link) -> str:
    """What the user's clients know a message of a conversation by: an own one by the id that they gave it."""
    return link.sent.partition(" ")[0] or link.id


def reply(showing: Showing, fact: Said) -> tuple[str, str]:
    """What an answer repeats, and what says so (XEP-0461); '' where the message answered is not known."""
    link = _link(showing, fact.where, fact.more.reply) if fact.more is not None and fact.more.reply else None
    if link is None:
        return "", ""
    return answer(_id(link), showing.user if link.sent else showing.jid(fact.where), link.words, fact.style)


def aside(showing: Showing, person: Address, content: str, state: bool = False) -> None:
    """Something of a person that is no words of theirs; a state: from a resource, as their presence is, else nobody takes it."""
    if showing.blocks(showing.user, person):
        return
    id = "" if state else f" id='{showing.names.stanza()}'"
    route = showing.route(person)
    if route is not None:
        opening = showing.door.speaker("message", route.room, route.jid, f" type='chat'{id}") + resource(route.nick) + "'"
        content += f"<x xmlns='{write.MUC_USER}'/>"
    else:
        jid = showing.jid(person)
        sender = f"{jid}/{to_resource(showing.bridge.kind)}" if state else jid
        opening = showing.door.opening("message", sender, showing.user, f"{id} type='chat'")
    showing.send(f"{opening}>{content}</message>")


# Facts ----------------------------------------------------------------------------------------------------------------


def typing(showing: Showing, fact: Typing) -> None:
    if fact.where.kind == "person":
        aside(showing, fact.where, f"<{fact.state} xmlns='{meaning.CHATSTATES}'/>{write.NO_STORE}", state=True)
    elif room := showing.rooms.get(fact.where):
        roomrefs.typing(room, fact)


def reacted(showing: Showing, fact: Reacted) -> None:
    if fact.where.kind != "person":
        if room := showing.rooms.get(fact.where):
            roomrefs.reacted(room, fact)
    elif link := _link(showing, fact.where, fact.of):
        late = write.delay(fact.when, showing.jid(fact.where)) if fact.when is not None else ""
        aside(showing, fact.where, chat.reactions(_id(link), fact.emojis) + late + STORE)


def retracted(showing: Showing, fact: Retracted) -> None:
    if fact.where.kind != "person":
        if room := showing.rooms.get(fact.where):
            roomrefs.retracted(room, fact)
        return
    link = _link(showing, fact.where, fact.of)
    words = write.body(showing.worded(say("message.retracted")))
    if link is None or link.sent:  # not theirs to take back
        aside(showing, fact.where, words)
        return
    fallback = f"<fallback xmlns='{meaning.FALLBACK}' for='{meaning.RETRACT}'/>{STORE}"
    aside(showing, fact.where, f"{words}<retract xmlns='{meaning.RETRACT}' id='{xml.attr(link.id)}'/>{fallback}")


def corrected(showing: Showing, fact: Corrected) -> None:
    if fact.where.kind != "person":
        if room := showing.rooms.get(fact.where):
            roomrefs.corrected(room, fact)
        return
    link = _link(showing, fact.where, fact.of)
    if link is None or link.sent:
        aside(showing, fact.where, write.body(semantics.anew(fact.text)))
    else:
        replace = f"<replace xmlns='{meaning.CORRECT}' id='{xml.attr(link.id)}'/>"
        aside(showing, fact.where, write.body(fact.text) + replace)


def displayed(showing: Showing, fact: Displayed) -> None:
    if fact.where.kind == "person" and (link := _link(showing, fact.where, fact.of)) and link.sent:
        mark = f"<displayed xmlns='{meaning.MARKERS}' id='{xml.attr(_id(link))}'/>"
        aside(showing, fact.where, mark + STORE)


def sent(showing: Showing, fact: Sent) -> None:
    """The user spoke from somewhere else: as the user where the server lets us (XEP-0356), else marked, from the person."""
    if showing.blocks(showing.user, fact.where):
        return
    user = showing.user
    id = showing.names.stanza() if fact.when is None else showing.names.at(fact.when)
    can = showing.bridge.can_for(user, fact.where)
    envelope = Envelope(showing.door, id, showing.jid(fact.where), user, can=can, language=showing.language(user))
    fact = fact._replace(more=None)
    past = showing.archive(user, fact.where)
    if past is not None:
        past.keep(id, "", "", write.body(fact.text), fact.key, own=True)
    if fact.key and (links := links_of(showing, fact.where, make=True)):
        links.mine(id, fact.key, fact.text)
    if not all(showing.as_user(user, stanza) for stanza in chat.as_user(envelope, fact)):
        for stanza in chat.render(envelope, fact):
            showing.send(stanza)
