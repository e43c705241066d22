"""What becomes of a message's meaning at an address that can do some of it: one table, for live and durable bridges alike.

Values of `meaning` in, commands out. Ids are the client's own here: whoever knows what the far side calls them puts that in
their place, and what is not known is asked of the table as if the address could not do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from transports.errors import LegacyError
from transports.events import (
    Activity,
    Address,
    Attach,
    Correct,
    Letter,
    More,
    React,
    Read,
    Receipt,
    Reply,
    Retract,
    Say,
    Type,
)
from transports.words import Text, say
from transports.xmpp import meaning as means
from transports.xmpp import sharing
from transports.xmpp.meaning import Meaning
from transports.xmpp.read import Message

#: Characters of a message that a remark about it repeats.
EXCERPT: Final = 40

#: XEP-0454: a link to what only its fragment opens. It is said where messages are encrypted, and nowhere else.
SEALED: Final = "aesgcm:"

#: What a message can come to at an address.
Act: TypeAlias = Letter | Type | Read


# What is meant, as a command ----------------------------------------------------------------------------------------


def wanted(message: Message, meaning: Meaning, to: Address, nick: str = "") -> Act | None:
    """The command that says it all, whatever the address can; None when nothing is meant for the far side.

    nick: of the member of a room that the message is to. Ids are the client's.
    """
    by, id = message.sender, message.id
    if meaning.copy:
        return None
    if meaning.retract:
        return Retract(to, nick, (meaning.retract,), by, id, message)
    if meaning.reacts:
        return React(to, nick, (meaning.reacts,), meaning.emojis, by, id, message)
    more = _more(message, meaning)
    if meaning.text is not None or meaning.files:
        text = meaning.text or ""
        if text.startswith(SEALED):
            raise LegacyError("not-acceptable", say("message.encrypted-file"))
        if meaning.replace:
            return Correct(to, nick, (meaning.replace,), text, by, id, message, more)
        return Say(to, nick, text, by, id, message, more)
    if meaning.displayed:
        return Read(to, nick, (meaning.displayed,), by)
    return Type(to, nick, cast(Activity, meaning.state), by) if meaning.state else None


def _more(message: Message, meaning: Meaning) -> More | None:
    more = More(
        meaning.files,
        meaning.reply,
        meaning.quote,
        meaning.thread,
        message.subject or "",
        message.language[:35],
        meaning.receipt,
        meaning.marker,
    )
    return more if any(more) else None


# What becomes of it: the table --------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """What goes with a capability of an address.

    features   what disco#info says of an address that has it
    otherwise  what becomes, where the address has it not, of a command that needs it: another one, None (silence), or a
               LegacyError. `excerpt`: how the message begins that it is about; None when the user wants no remarks; of
               a correction what was said before
    """

    features: tuple[str, ...]
    otherwise: Callable[[Act, str | None], Act | None]


def at(command: Act, can: frozenset[type], excerpt: str | None = None) -> Act | None:
    """What becomes of a command at an address with these capabilities (`Bridge.can`). See `Rule`."""
    for need in _needs(command):
        if need not in can:
            less = TABLE[need].otherwise(command, excerpt)
            return at(less, can, excerpt) if less is not None else None
    return command


def _needs(command: Act) -> Iterator[type]:
    yield type(command)
    if isinstance(command, Say | Correct) and command.more is not None:
        more = command.more
        parts = ((Reply, more.reply), (Attach, more.files), (Receipt, more.receipt), (Read, more.marker))
        for need, there in parts:
            if there:
                yield need


def _nowhere(_command: Act, _excerpt: str | None) -> Act | None:
    raise LegacyError("service-unavailable", say("gate.nowhere"))


def _anew(command: Act, before: str | None) -> Act | None:
    """A correction as words: `* what was meant`; of one word that word alone."""
    assert isinstance(command, Correct)
    words = anew(command.text, before or "")
    return Say(command.to, command.nick, words, command.by, command.id, command.ref, command.more)


def _lasting(_command: Act, _excerpt: str | None) -> Act | None:
    raise LegacyError("feature-not-implemented", lasting())


def _remark(command: Act, excerpt: str | None) -> Act | None:
    """A reaction as words, for users who want that."""
    assert isinstance(command, React)
    if excerpt is None or not command.emojis:
        return None
    return Say(command.to, command.nick, remark(command.emojis, excerpt), command.by, command.id, command.ref)


def _silence(command: Act, _excerpt: str | None) -> Act | None:
    """Nobody is to know: a state, a mark, or a wish for one beside words."""
    if isinstance(command, Say | Correct) and command.more is not None:
        return command._replace(more=_less(command.more._replace(marker=False)))
    return None


def _unasked(command: Act, _excerpt: str | None) -> Act | None:
    assert isinstance(command, Say | Correct) and command.more is not None
    return command._replace(more=_less(command.more._replace(receipt=False)))


def _quoting(command: Act, _excerpt: str | None) -> Act | None:
    """An answer with the words that it answers in front of it."""
    assert isinstance(command, Say | Correct) and command.more is not None
    words = quoted(command.more.quote) + command.text
    return command._replace(text=words, more=_less(command.more._replace(reply="", quote="")))


def _linking(command: Act, _excerpt: str | None) -> Act | None:
    """Files as their links, each a line, behind the words."""
    assert isinstance(command, Say | Correct) and command.more is not None
    links = [file.url for file in command.more.files]
    if any(link.lower().startswith("aesgcm:") for link in links):
        raise LegacyError("not-acceptable", say("message.encrypted-file"))
    lines = [command.text] if command.text else []
    lines += [link for link in links if link not in command.text]
    return command._replace(text="\n".join(lines), more=_less(command.more._replace(files=())))


def _less(more: More) -> More | None:
    return more if any(more) else None


#: Capability -> what disco says of it, and what becomes of those who need it where it is not.
TABLE: Final[Mapping[type, Rule]] = {
    Say: Rule((), _nowhere),
    Correct: Rule((means.CORRECT,), _anew),
    Retract: Rule((means.RETRACT,), _lasting),
    React: Rule((means.REACTIONS,), _remark),
    Type: Rule((means.CHATSTATES,), _silence),
    Read: Rule((means.MARKERS,), _silence),
    Reply: Rule((means.REPLY, means.FALLBACK), _quoting),
    Attach: Rule(sharing.FEATURES, _linking),
    Receipt: Rule((means.RECEIPTS,), _unasked),
}


# Words --------------------------------------------------------------------------------------------------------------


def anew(words: str, before: str = "") -> str:
    """A correction for those who cannot replace what they have shown: `*word` where one word of `before` was another one."""
    if before and "\n" not in words:
        was, now = before.split(), words.split()
        changed = [new for old, new in zip(was, now, strict=False) if old != new]
        if len(was) == len(now) and len(changed) == 1:
            return f"*{changed[0]}"
    return f"* {words}"


def lasting() -> Text:
    """Why a message is not taken back."""
    return say("message.lasting")


def remark(emojis: Sequence[str], excerpt: str) -> str:
    """A reaction in words: `👍 to “first words”`."""
    return say("message.remark", emojis=" ".join(emojis), words=shortened(excerpt)) if excerpt else " ".join(emojis)


def shortened(words: str, most: int = EXCERPT) -> str:
    """How a text begins, on one line."""
    line = " ".join(words.split())
    return line if len(line) <= most else f"{line[:most].rstrip()}…"


def quoted(words: str) -> str:
    """A text as a quotation with the end of its line (XEP-0393 4.2.3); '' for none."""
    return "".join(f"> {line}\n" for line in words.strip("\n").split("\n")) if words.strip() else ""
