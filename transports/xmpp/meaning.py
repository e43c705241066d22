"""What a message means beyond its words: stanza elements in, small values out.

XEP-0085 (chat states), 0184 (receipts), 0308 (correction), 0333 (markers), 0380 (encryption), 0424 (retraction), 0428 (fallback),
0444 (reactions), 0447 and 0066 (files), 0461 (replies), 0201 (threads). Hostile: what is too long or odd is not there.
What becomes of it is not known here but in `semantics`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.events import File
from transports.words import Text, say
from transports.xmpp import sharing, xml
from transports.xmpp.read import NS, Message
from transports.xmpp.write import ID_LIMIT

CHATSTATES: Final = "http://jabber.org/protocol/chatstates"
CORRECT: Final = "urn:xmpp:message-correct:0"
EME: Final = "urn:xmpp:eme:0"
FALLBACK: Final = "urn:xmpp:fallback:0"
MARKERS: Final = "urn:xmpp:chat-markers:0"
REACTIONS: Final = "urn:xmpp:reactions:0"
RECEIPTS: Final = "urn:xmpp:receipts"
REPLY: Final = "urn:xmpp:reply:0"
RETRACT: Final = "urn:xmpp:message-retract:1"
#: COMPAT: Converse.js until 10, Dino until 0.4: XEP-0424 before its version 0.4.
_FASTEN, _RETRACT_0 = "urn:xmpp:fasten:0", "urn:xmpp:message-retract:0"
#: Marks what this gateway had a server send as the user (XEP-0356): it comes back to us, and has been on the far side.
OURS: Final = "urn:xmpp-transports:sent"

#: What others have said before; no words of the sender's (XEP-0280, 0297, 0313), nor are those that we had sent.
_COPIES: Final = frozenset(
    {
        "{urn:xmpp:carbons:2}sent",
        "{urn:xmpp:carbons:2}received",
        "{urn:xmpp:forward:0}forwarded",
        "{urn:xmpp:mam:2}result",
        f"{{{OURS}}}ours",
    }
)
_STATES: Final = frozenset({"active", "composing", "paused", "inactive", "gone"})

#: Emojis of one reaction, and characters of one of them: a family with skin tones has eleven.
MOST_EMOJIS: Final = 20
LONGEST_EMOJI: Final = 32
LONGEST_THREAD: Final = 1_000
#: Bytes that the elements of a reflected message may have beside its body, and how deep they go.
MOST_ECHOED: Final = 8_000
DEEPEST: Final = 6


class Meaning(NamedTuple):
    """What a message means. Ids are those of other messages, as the client gave them; '' and () for what is not there.

    text     its words without what only repeats or replaces what is said otherwise (XEP-0428); None without a body
    quote    what the body repeats of the message that it answers
    replace, retract, reply    the message that it corrects, takes back, answers
    reacts   the message that the user feels `emojis` about
    state    XEP-0085; displayed: the message up to which all is seen; receipt, marker: what it asks for
    copy     no message of its sender, but the copy of one
    """

    text: str | None = None
    quote: str = ""
    replace: str = ""
    retract: str = ""
    reply: str = ""
    reacts: str = ""
    emojis: tuple[str, ...] = ()
    state: str = ""
    displayed: str = ""
    receipt: bool = False
    marker: bool = False
    files: tuple[File, ...] = ()
    thread: str = ""
    copy: bool = False

    @property
    def grave(self) -> bool:
        """Its sender has to know if it goes nowhere; who only types or reads has not."""
        return self.text is not None or bool(self.retract or self.reacts or self.files)

    @property
    def empty(self) -> bool:
        """It says nothing to anybody."""
        return self.copy or not (self.grave or self.state or self.displayed)


def meaning(message: Message) -> Meaning:
    """What a message means."""
    stanza = message.rich
    if stanza is None:
        return Meaning(message.body)
    found: dict[str, object] = {}
    for child in stanza:
        reader = _READERS.get(child.tag)
        if reader is not None:
            found.update(reader(child))
        elif child.tag in _COPIES:
            found["copy"] = True
    files = sharing.files(stanza)
    body, quote = message.body, ""
    if body is not None and (files or "reply" in found):
        understood = [REPLY] if "reply" in found else []
        quote = _unquoted(_parted(body, stanza, *understood)[1])
        understood += [sharing.SFS, sharing.OOB] if files else []
        body = sharing.caption(_parted(body, stanza, *understood)[0], files)
    return Meaning(body, quote, files=files, **found)  # type: ignore[arg-type]  # by name, as the readers give them


def _id(element: Element, field: str, name: str = "id") -> dict[str, object]:
    id = element.get(name, "")
    return {field: id} if 0 < len(id) <= ID_LIMIT else {}


def _reactions(element: Element) -> dict[str, object]:
    """XEP-0444: each emoji once; what is no emoji by any means is left out."""
    said = [(child.text or "").strip() for child in element if child.tag == f"{{{REACTIONS}}}reaction"]
    fit = [emoji for emoji in said if 0 < len(emoji) <= LONGEST_EMOJI and _EMOJI.fullmatch(emoji)]
    return {**_id(element, "reacts"), "emojis": tuple(dict.fromkeys(fit))[:MOST_EMOJIS]}


_EMOJI: Final = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>&]+")


def _thread(element: Element) -> dict[str, object]:
    thread = (element.text or "").strip()
    return {"thread": thread} if len(thread) <= LONGEST_THREAD else {}


def _fastened(element: Element) -> dict[str, object]:
    return _id(element, "retract") if element.find(f"{{{_RETRACT_0}}}retract") is not None else {}


_READERS: Final[Mapping[str, Callable[[Element], Mapping[str, object]]]] = {
    f"{NS}thread": _thread,
    f"{{{CORRECT}}}replace": lambda found: _id(found, "replace"),
    f"{{{RETRACT}}}retract": lambda found: _id(found, "retract"),
    f"{{{_FASTEN}}}apply-to": _fastened,
    f"{{{REACTIONS}}}reactions": _reactions,
    f"{{{REPLY}}}reply": lambda found: _id(found, "reply"),
    f"{{{MARKERS}}}displayed": lambda found: _id(found, "displayed"),
    f"{{{MARKERS}}}markable": lambda _found: {"marker": True},
    f"{{{RECEIPTS}}}request": lambda _found: {"receipt": True},
    **{f"{{{CHATSTATES}}}{state}": lambda found: {"state": found.tag.rpartition("}")[2]} for state in _STATES},
}


def _parted(body: str, stanza: Element, *specifications: str) -> tuple[str, str]:
    """A body without its fallback for these, and that fallback (XEP-0428; characters as XEP-0426 counts them)."""
    spans: list[tuple[int, int]] = []
    for fallback in stanza.iterfind(f"{{{FALLBACK}}}fallback"):
        if fallback.get("for", "") in specifications:
            parts = [child for child in fallback if child.tag == f"{{{FALLBACK}}}body"]
            spans += [_span(part, len(body)) for part in parts]
            if not len(fallback):
                spans.append((0, len(body)))
    kept, cut, after = [], [], 0
    for start, end in sorted(spans):
        kept.append(body[after : max(start, after)])
        cut.append(body[max(start, after) : end])
        after = max(after, end)
    return "".join([*kept, body[after:]]), "".join(cut)


def _span(part: Element, length: int) -> tuple[int, int]:
    """From where to where a fallback goes; all of it without numbers, nothing of it with wrong ones."""
    try:
        start, end = int(part.get("start", "0")), int(part.get("end", str(length)))
    except ValueError:
        return 0, 0
    return (start, end) if 0 <= start <= end <= length else (0, 0)


def _unquoted(fallback: str) -> str:
    """A quotation without its marks."""
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in fallback.strip("\n").split("\n"))


def replaces(stanza: Element) -> str:
    """The message that this one corrects, '' for none."""
    found = stanza.find(f"{{{CORRECT}}}replace")
    return found.get("id", "") if found is not None else ""


# Encryption (XEP-0380) ----------------------------------------------------------------------------------------------

_METHODS: Final[Mapping[str, str]] = {
    "eu.siacs.conversations.axolotl": "OMEMO",
    "jabber:x:encrypted": "OpenPGP",
    "urn:xmpp:omemo:1": "OMEMO",
    "urn:xmpp:omemo:2": "OMEMO",
    "urn:xmpp:openpgp:0": "OpenPGP",
    "urn:xmpp:otr:0": "OTR",
}


def encryption(message: Message) -> Text | None:
    """Words for the refusal of an encrypted message; None when there is nothing in it for a person (OMEMO's key transport)."""
    stanza = message.rich
    if stanza is None:
        return say("gate.encrypted")
    marks = [child for child in stanza if child.tag == f"{{{EME}}}encryption"]
    spaces = [mark.get("namespace", "") for mark in marks] + [child.tag[1:].partition("}")[0] for child in stanza]
    method = next((_METHODS[space] for space in spaces if space in _METHODS), "")
    if not method and marks:
        method = " ".join(xml.clean(marks[0].get("name") or spaces[0])[:60].split())
    if message.body is None and method == "OMEMO" and not any(child.tag.endswith("}payload") for child in stanza.iter()):
        return None
    return say("message.encrypted-with", method=method) if method else say("gate.encrypted")


# Reflection ---------------------------------------------------------------------------------------------------------

_ECHOED: Final = frozenset(
    {
        f"{NS}thread",
        f"{{{CORRECT}}}replace",
        f"{{{FALLBACK}}}fallback",
        f"{{{MARKERS}}}markable",
        f"{{{REACTIONS}}}reactions",
        f"{{{REPLY}}}reply",
        f"{{{RETRACT}}}retract",
        f"{{{_FASTEN}}}apply-to",
        f"{{{sharing.OOB}}}x",
        f"{{{sharing.SFS}}}file-sharing",
    }
)


def echo(stanza: Element) -> str:
    """What a room sends back beside the words of a message, for its sender to know it again (XEP-0045 7.4)."""
    parts = [_copied(child, NS[1:-1]) for child in stanza if child.tag in _ECHOED]
    found = "".join(parts)
    return found if len(found.encode()) <= MOST_ECHOED else ""


def _copied(element: Element, around: str, depth: int = DEEPEST) -> str:
    """An element as text, through the door of all text; attributes with a namespace are left out, and what is too deep."""
    if not depth:
        return ""
    space, _, name = element.tag[1:].partition("}")
    xmlns = "" if space == around else f" xmlns='{xml.attr(space)}'"
    attributes = "".join(f" {key}='{xml.attr(value)}'" for key, value in element.items() if key[0] != "{")
    inner = "".join(_copied(child, space, depth - 1) + xml.text(child.tail or "") for child in element)
    return f"<{name}{xmlns}{attributes}>{xml.text(element.text or '')}{inner}</{name}>"
