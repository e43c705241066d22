"""What somebody on the far side says, as messages to a user: events of the journal in, finished stanzas out.

One event may be several stanzas (a text and its files, a text too long for one): the first has the event's id, the others
that with `.1`, `.2` …, the same whenever the event is rendered. References are ids of stanzas here, '' where the message is not
known; a retraction's `of` has all of them, with spaces between.
XEP-0085, 0184, 0203, 0308, 0333, 0334, 0356 (as the user), 0359, 0424, 0428, 0444, 0447, 0461.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from transports.errors import LegacyError
from transports.events import Activity, Corrected, More, Reacted, Read, Retracted, Said, Sent, Told
from transports.words import in_language, say, unpacked
from transports.xmpp import meaning, semantics, sharing, write, xml
from transports.xmpp.client import styled

#: XEP-0334: worth keeping although it has no words.
STORE: Final = "<store xmlns='urn:xmpp:hints'/>"
#: Bytes of a body; more are further stanzas, up to MOST_PIECES.
PIECE: Final = 40_000
MOST_PIECES: Final = 25
#: Characters of the message that is answered which are repeated in an answer, and bytes that they may become.
MOST_QUOTED, QUOTED_SIZE = 500, 6_000

_MARKABLE: Final = f"<markable xmlns='{meaning.MARKERS}'/><request xmlns='{meaning.RECEIPTS}'/>"
_NOTHING: Final = More()


class Envelope(NamedTuple):
    """The outside of what is said: from whom, to whom.

    id        of the journal's row
    contact   the contact's JID; user: the user's bare JID
    author    JID of who wrote the message that this one refers to
    can       what the contact's address can (`Bridge.can`); language: the user's
    """

    door: xml.Door
    id: str
    contact: str
    user: str
    author: str = ""
    can: frozenset[type] = frozenset()
    language: str = ""


def render(envelope: Envelope, event: Said | Corrected | Retracted | Reacted | Sent | Told) -> list[str]:
    """The stanzas of an event, in order; none when there is nothing that the user should see."""
    return _RENDERERS[type(event)](envelope, event)


def ids(id: str, event: Said | Corrected | Retracted | Reacted | Sent | Told) -> list[str]:
    """The ids of the messages with words in them, that others may refer to."""
    if isinstance(event, Said | Sent):
        text = event.text if isinstance(event, Sent) else styled(event)
        return [_numbered(id, number) for number, _ in enumerate(_parts(text, event.more))]
    return [id] if isinstance(event, Corrected) else []


def row_of(id: str) -> str:
    """The row that a stanza's id belongs to."""
    return id.partition(".")[0]


def _numbered(id: str, number: int) -> str:
    return f"{id}.{number}" if number else id


# Words --------------------------------------------------------------------------------------------------------------


def _said(envelope: Envelope, fact: Said) -> list[str]:
    parts = _content(envelope, styled(fact), fact.more)
    return [_message(envelope, number, *part, fact.when) for number, part in enumerate(parts)]


def _sent(envelope: Envelope, fact: Sent) -> list[str]:
    """Where the server does not let us speak as the user: from the contact, marked."""
    words = in_language(say("message.elsewhere", words=fact.text), envelope.language)
    plain = envelope._replace(can=frozenset())
    parts = _content(plain, words, fact.more)
    return [_message(plain, number, *part, fact.when) for number, part in enumerate(parts)]


def as_user(envelope: Envelope, fact: Sent) -> list[str]:
    """What the user said elsewhere, as if a client of the user's had said it here (XEP-0356 7.3)."""
    ours = f"<ours xmlns='{meaning.OURS}'/>"
    head = f"<message xmlns='jabber:client' type='chat' from='{xml.attr(envelope.user)}' to='{xml.attr(envelope.contact)}'"
    late = write.delay(fact.when, envelope.user) if fact.when is not None else ""
    return [
        f"{head} id='{xml.attr(_numbered(envelope.id, number))}'>{write.body(body, PIECE)}{more}{late}{ours}</message>"
        for number, (body, more) in enumerate(_content(envelope, fact.text, fact.more))
    ]


def _message(envelope: Envelope, number: int, body: str, more: str, when: float | None = None) -> str:
    """A message of the contact's, as a client of today's writes it."""
    id = _numbered(envelope.id, number)
    late = write.delay(when, envelope.contact) if when is not None else ""
    marks = _MARKABLE if Read in envelope.can else ""
    origin = f"<origin-id xmlns='urn:xmpp:sid:0' id='{xml.attr(id)}'/>"
    return write.chat(envelope.door, envelope.contact, envelope.user, id, body, f"{more}{late}{marks}{origin}")


def _content(envelope: Envelope, text: str, carried: More | None) -> Iterator[tuple[str, str]]:
    """Of each stanza the body, not escaped, and what goes beside it."""
    more = carried or _NOTHING
    thread = f"<thread>{xml.text(xml.clip(more.thread, meaning.LONGEST_THREAD))}</thread>" if more.thread else ""
    subject = f"<subject>{xml.text(xml.clip(more.subject, 2_000))}</subject>" if more.subject else ""
    for number, (body, beside) in enumerate(_parts(text, carried)):
        if number:
            yield body, f"{beside}{thread}"
        else:
            prefix, reply = _reply(envelope, more, body) if not beside else ("", _answer(envelope, more))
            yield f"{prefix}{body}", f"{subject}{beside}{reply}{thread}"


def _parts(text: str, more: More | None) -> list[tuple[str, str]]:
    """A text in pieces and each file: (body, what makes it a file)."""
    files = sharing.messages("", more.files) if more is not None else []
    pieces = [(piece, "") for piece in _pieces(text)] if text or not files else []
    return pieces + files


def _pieces(text: str) -> Iterator[str]:
    """A text as pieces that fit into a body, cut at the end of a line or a word where there is one."""
    text, size = xml.clean(text), PIECE - QUOTED_SIZE
    for _ in range(MOST_PIECES - 1):
        piece = xml.clip(text, size)
        if piece == text:
            break
        most = len(piece) - 1  # without the sign that it was cut
        end = max(text.rfind("\n", most // 2, most), text.rfind(" ", most // 2, most)) + 1 or most
        yield text[:end].rstrip()
        text = text[end:]
    yield text


def _answer(envelope: Envelope, more: More) -> str:
    return f"<reply xmlns='{meaning.REPLY}' to='{xml.attr(envelope.author)}' id='{xml.attr(more.reply)}'/>" if more.reply else ""


def _reply(envelope: Envelope, more: More, body: str) -> tuple[str, str]:
    """What an answer repeats of the message answered, and the element that says so (XEP-0461 3.1)."""
    words = xml.clean(more.quote[:MOST_QUOTED]).replace("\r\n", "\n").replace("\r", "\n")
    prefix = "" if body.startswith("/me ") else semantics.quoted(words)
    answer = _answer(envelope, more)
    if answer and prefix:
        answer += f"<fallback xmlns='{meaning.FALLBACK}' for='{meaning.REPLY}'><body start='0' end='{len(prefix)}'/></fallback>"
    return prefix, answer


# About earlier messages ---------------------------------------------------------------------------------------------


def _corrected(envelope: Envelope, fact: Corrected) -> list[str]:
    """XEP-0308; words with a mark where the message is not known."""
    if not fact.of:
        return [_message(envelope, 0, xml.clip(semantics.anew(fact.text), PIECE), "", fact.when)]
    replace = f"<replace xmlns='{meaning.CORRECT}' id='{xml.attr(fact.of)}'/>"
    return [_message(envelope, 0, xml.clip(fact.text, PIECE), replace, fact.when)]


def _retracted(envelope: Envelope, fact: Retracted) -> list[str]:
    """XEP-0424 4, once for each stanza that the message was, with words for those who do not know it."""
    words = in_language(say("message.retracted"), envelope.language)
    fallback = f"<fallback xmlns='{meaning.FALLBACK}' for='{meaning.RETRACT}'/>{STORE}"
    beside = [f"<retract xmlns='{meaning.RETRACT}' id='{xml.attr(id)}'/>{fallback}" for id in fact.of.split()] or [""]
    return [
        write.chat(envelope.door, envelope.contact, envelope.user, _numbered(envelope.id, number), words, more)
        for number, more in enumerate(beside)
    ]


def _reacted(envelope: Envelope, fact: Reacted) -> list[str]:
    """XEP-0444 4; words where the message is not known."""
    emojis = _emojis(fact.emojis)
    if fact.of:
        return [f"{_opening(envelope, envelope.user, envelope.id)}>{reactions(fact.of, emojis)}{STORE}</message>"]
    if not emojis:
        return []
    words = in_language(say("message.reacted", emojis=" ".join(emojis)), envelope.language)
    return [write.chat(envelope.door, envelope.contact, envelope.user, envelope.id, words)]


def _emojis(emojis: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(emoji[: meaning.LONGEST_EMOJI] for emoji in emojis if emoji.strip()))[: meaning.MOST_EMOJIS]


def reactions(of: str, emojis: Iterable[str]) -> str:
    """XEP-0444's element: all that somebody feels about the message `of`."""
    inner = "".join(f"<reaction>{xml.text(emoji)}</reaction>" for emoji in _emojis(emojis))
    return f"<reactions xmlns='{meaning.REACTIONS}' id='{xml.attr(of)}'>{inner}</reactions>"


def _told(envelope: Envelope, fact: Told) -> list[str]:
    """What became of the user's own message: a receipt (XEP-0184 5), a marker (XEP-0333 5), or an error under its own id."""
    if fact.what == "failed":
        error = LegacyError(fact.condition, in_language(unpacked(fact.text), envelope.language), type=fact.type)
        return [failed(envelope.door, envelope.contact, fact.by, fact.id, error)]
    space, name = (meaning.RECEIPTS, "received") if fact.what == "delivered" else (meaning.MARKERS, "displayed")
    mark = f"<{name} xmlns='{space}' id='{xml.attr(fact.id)}'/>"
    return [f"{_opening(envelope, fact.by, envelope.id)}>{mark}{STORE}</message>"]


def failed(door: xml.Door, contact: str, by: str, id: str, error: LegacyError) -> str:
    """The error for a message that was taken and did not arrive (RFC 6120 8.3)."""
    opening = door.opening("message", contact, by, f"{write.id_attr(id)} type='error'")
    return f"{opening}>{xml.error(error.condition, error.type, error.text, error.specific)}</message>"


def typing(door: xml.Door, contact: str, user: str, state: Activity) -> str:
    """A chat state alone (XEP-0085 5.1), for this moment only."""
    opening = door.opening("message", contact, user, " type='chat'")
    return f"{opening}><{state} xmlns='{meaning.CHATSTATES}'/>{write.NO_STORE}</message>"


def _opening(envelope: Envelope, to: str, id: str) -> str:
    return envelope.door.opening("message", envelope.contact, to, f"{write.id_attr(id)} type='chat'")


_RENDERERS: Final[Mapping[type, Callable[[Envelope, Any], list[str]]]] = {
    Said: _said,
    Corrected: _corrected,
    Retracted: _retracted,
    Reacted: _reacted,
    Sent: _sent,
    Told: _told,
}
