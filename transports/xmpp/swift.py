"""Plain words to a room, read from the stream's text without a parser: what thousands of messages are, at a third of the cost.

Only what is written exactly as servers write it: one element after the other, single quotes, the five entities that XML
names. Everything else, however slightly different, is the parser's. tests/xmpp/test_swift.py holds that both read the same.
Knows no stream: whoever asks knows that a stanza begins there. RFC 6120 11; `read.message` for what is read.
"""

from __future__ import annotations

import re
from typing import Final

from transports.xmpp.address import parse
from transports.xmpp.read import NS, Message

#: The end of a message, and the beginning of one: in the stream's own bytes.
CLOSE, OPEN = b"</message>", b"<message "

# Of an attribute, of a text; no CR (XML 2.11 changes it), no TAB or LF in an attribute (3.3.3), nothing that is no Char (2.2).
# Possessive throughout: linear where it fails.
_VALUE: Final = r"[^'<&\x00-\x1f\ufffe\uffff]*+"
_TEXT: Final = r"(?:[^<&\x00-\x08\x0b-\x1f\ufffe\uffff]++|&(?:amp|apos|gt|lt|quot);)*+"
#: What clients put beside all words, and what means nothing in a room (`read.message`).
_BESIDE: Final = (
    r"<active xmlns='http://jabber\.org/protocol/chatstates'/>"
    r"|<markable xmlns='urn:xmpp:chat-markers:0'/>"
    r"|<request xmlns='urn:xmpp:receipts'/>"
)


def _origin(name: str) -> str:
    """XEP-0359, its attributes in either order."""
    sid = "xmlns='urn:xmpp:sid:0'"
    return rf"<origin-id(?: id='(?P<{name}>{_VALUE})' {sid}| {sid} id='(?P<{name}_>{_VALUE})')/>"


_ATTRIBUTES: Final = "|".join(
    [
        *(rf" {name}='(?P<{name}>{_VALUE})'" for name in ("from", "to", "id")),
        r" type='groupchat'(?P<groupchat>)",
        rf" xml:lang='(?P<lang>{_VALUE})'",
    ]
)
_PLAIN: Final = re.compile(
    rf"<message(?P<attributes>(?:{_ATTRIBUTES})*+)>(?:{_BESIDE}|{_origin('one')})*+"
    rf"<body>(?P<body>{_TEXT})</body>(?:{_BESIDE}|{_origin('two')})*+</message>"
)
#: The message that begins at a place of a text, if it is a plain one.
plain: Final = _PLAIN.match
# A stream's own element, before it at most the XML declaration; values hold no `<` (XML 3.1).
_QUOTED: Final = rb"(?:'[^'<]*+'|\"[^\"<]*+\")"
_HEADER: Final = re.compile(
    rb"(?:<\?xml\s+version=['\"]1\.0['\"](?:\s+encoding=['\"](?i:utf-8)['\"])?\s*\?>)?\s*"
    rb"<stream:stream((?:\s+[\w:.-]+=" + _QUOTED + rb")*+)\s*>"
)
_spaces: Final = re.compile(rb"\sxmlns=(" + _QUOTED + rb")|\s[\w:.-]+=" + _QUOTED).findall
_EMPTY: Final = re.compile(rb"<message(?:[^'\"<>/]++|'[^'<]*+'|\"[^\"<]*+\")*+/>")
_entity: Final = re.compile("&(?:amp|apos|gt|lt|quot);")
_ENTITIES: Final = {"&amp;": "&", "&apos;": "'", "&gt;": ">", "&lt;": "<", "&quot;": '"'}


def behind_header(data: bytes) -> bytes | None:
    """What follows the beginning of a stream; None when it is none whose messages can be read here: UTF-8, ours by default."""
    found = _HEADER.match(data)
    if found is None or [value[1:-1] for value in _spaces(found[1]) if value] != [NS[1:-1].encode()]:
        return None
    return data[found.end() :]


def begun(data: bytes) -> bool:
    """Whether these are the first bytes of a message that may be a plain one, and not all of it."""
    return data.startswith(OPEN) and CLOSE[:-1] not in data and _EMPTY.match(data) is None


def message(found: re.Match[str]) -> Message | None:
    """The message; None when it is the parser's after all. JidError when the address in `to` is none."""
    attributes, sender, to, id, groupchat, language, one, one_, body, two, two_ = found.groups()
    if groupchat is None or not to or "]]>" in body:
        return None
    # two quotes each: none is there twice (XML 3.1)
    if attributes.count("'") != 4 + 2 * ((sender is not None) + (id is not None) + (language is not None)):
        return None
    origins = (one, one_, two, two_)
    unset = origins.count(None)
    if unset < 3:
        return None
    if "&" in body:
        body = _entity.sub(lambda entity: _ENTITIES[entity[0]], body)
    origin = "" if unset == 4 else one or one_ or two or two_ or ""
    fields = ("groupchat", id or "", sender or "", parse(to), body, None, origin, False, None, None, language or "")
    return tuple.__new__(Message, fields)  # as in `read.message`
