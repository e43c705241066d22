"""What becomes of a message that refers to another, on a live bridge: the far side's ids where they are known, else few words.

IRC shows lines, one after the other, to people who have the last ones before them: an answer to the last thing that somebody
said is addressed to them, one to something older begins with a few words of that. Pure. XEP-0308, 0333, 0424, 0444, 0461.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from transports.events import Correct, More, Read, Reply, Retract, Say, Type
from transports.xmpp import semantics
from transports.xmpp.address import JidError, from_resource, parse
from transports.xmpp.linked import NO_LAST, Last, Link, Links
from transports.xmpp.meaning import REPLY
from transports.xmpp.read import Message
from transports.xmpp.semantics import Act

#: Characters of a quotation.
QUOTED: Final = 60


class Place(NamedTuple):
    """Where something is said, and what is known of it.

    can      at this address, on this connection; bare: what of it is done by the ids that clients use, not the far side's
    links    which message is which; last: the user's own last one
    remarks  reactions that cannot be shown are told in words; nick: the user's own here
    """

    can: frozenset[type]
    bare: frozenset[type] = frozenset()
    links: Links | None = None
    last: Last = NO_LAST
    remarks: bool = False
    nick: str = ""

    def find(self, id: str) -> Link | None:
        return self.links.by_id(id) if self.links is not None else None


def referred(act: Act, at: Place) -> Act | None:
    """What an act comes to; None: to nothing. LegacyError where its sender has to know."""
    if isinstance(act, Say | Correct):
        if act.more is not None and act.more.reply and Reply not in at.bare:
            act = _answer(act, act.more, at)
        if isinstance(act, Say) or Correct in at.bare:
            return semantics.at(act, at.can)
        return semantics.at(act, at.can - {Correct}, _before(act, at))
    if isinstance(act, Type):
        return semantics.at(act, at.can)
    link = at.find(act.of[0])
    if isinstance(act, Read) and type(act) not in at.bare:
        newest = link is not None and at.links is not None and at.links.newest() is link
        link = link if newest else None
    words = (link.words if link is not None else "") if at.remarks else None
    if type(act) in at.bare:
        return semantics.at(act, at.can, words)
    if link is None or not link.key:
        return semantics.at(act, at.can - {type(act)}, words)
    if isinstance(act, Retract):
        return semantics.at(act._replace(of=link.keys), at.can)
    return semantics.at(act._replace(of=link.keys[:1]), at.can, words)


def _before(act: Correct, at: Place) -> str | None:
    """The words that are corrected, where they are known."""
    link = at.find(act.of[0])
    if link is not None:
        return link.words if link.sent else None
    return at.last[1] if act.of[0] in at.last[0] else None


def _answer(act: Say | Correct, more: More, at: Place) -> Say | Correct:
    link = at.find(more.reply)
    if link is not None and link.key and Reply in at.can:
        return act._replace(more=more._replace(reply=link.keys[0], quote=""))
    nick = link.nick if link is not None else _author(act.ref)
    near = link is not None and at.links is not None and at.links.newest(link.nick) is link
    words = link.words if link is not None and link.words else more.quote
    text = answer(nick, words, act.text, near)
    left = more._replace(reply="", quote="")
    return act._replace(text=text, more=left if any(left) else None)


def answer(nick: str, words: str, text: str, near: bool = False) -> str:
    """An answer for those who see only lines: `nick: text`, or `<nick> first words… ← text`.

    nick, words: of the message answered, '' where unknown; near: it is the last one of that nick
    """
    if text.startswith("/me ") or (nick and text.lstrip("@").lower().startswith(nick.lower())):
        return text
    start = semantics.shortened(words, QUOTED)
    if nick and (near or not start):
        return f"{nick}: {text}"
    if not start or near:
        return text
    return f"<{nick}> {start} ← {text}" if nick else f"“{start}” ← {text}"


def _author(ref: object) -> str:
    """Whom an answer is to, by the client's own word (XEP-0461 3.1): an occupant's nick, or nobody."""
    reply = ref.rich.find(f"{{{REPLY}}}reply") if isinstance(ref, Message) and ref.rich is not None else None
    try:
        return from_resource(parse(reply.get("to", "")).resource) if reply is not None else ""
    except JidError:
        return ""
