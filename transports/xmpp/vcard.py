"""A card and its picture as XML: vcard-temp, vCard4, the items and events of PEP. Values in, text out.

XEP-0054 (vcard-temp), XEP-0153 (the picture's hash in presence), XEP-0292 (vCard4), XEP-0084 (avatar metadata and data),
XEP-0172 (nick); XEP-0060 6.5 for items, XEP-0163 4.3 for events. Knows nobody who asks, and no cache.

A picture travels inside a stanza, in Base64: one that would not fit is not shown at all, in no form. Cards come from the far
side: every text is cut, so that a card fits into a stanza whatever is in it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from transports.describe import Avatar, Card
from transports.xmpp.xml import attr, clip, text

TEMP: Final = "vcard-temp"
FOUR: Final = "urn:ietf:params:xml:ns:vcard-4.0"
FOUR_NODE: Final = "urn:xmpp:vcard4"
METADATA: Final = "urn:xmpp:avatar:metadata"
DATA: Final = "urn:xmpp:avatar:data"
NICK: Final = "http://jabber.org/protocol/nick"
PUBSUB: Final = "http://jabber.org/protocol/pubsub"
UPDATE: Final = "vcard-temp:x:update"

#: XEP-0054: the card of who has none.
EMPTY: Final = f"<vCard xmlns='{TEMP}'/>"
#: XEP-0153: there is no picture; and: there may be one, we do not know it yet.
NO_PHOTO: Final = f"<x xmlns='{UPDATE}'><photo/></x>"
NOT_READY: Final = f"<x xmlns='{UPDATE}'/>"

#: Bytes of the largest picture that fits into a stanza with the rest of a card (RFC 4648: four characters for three bytes).
LARGEST: Final = 36_000
TYPES: Final = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))

# Bytes of texts in a card, and how many of a kind: together below 5,000.
_NAME, _LINE, _NOTE, _MANY = 500, 200, 1_000, 4
#: The item of a node that only ever has one (XEP-0163 3.1 singleton).
_ONLY: Final = "current"


class Face(NamedTuple):
    """A picture as it is told of. id: SHA-1 of its bytes, lower case; width and height in pixels, 0 when not known."""

    id: str
    type: str
    size: int
    width: int
    height: int


@lru_cache(256)  # a picture's hash is made once: bytes keep the one by which they are found here
def face(avatar: Avatar) -> Face | None:
    """What is told of a picture; None when it cannot be shown."""
    data = avatar.data
    if not data or len(data) > LARGEST or avatar.type not in TYPES:
        return None
    return Face(hashlib.sha1(data, usedforsecurity=False).hexdigest(), avatar.type, len(data), *dimensions(data))


def face_of(card: Card) -> Face | None:
    return face(card.avatar) if card.avatar is not None else None


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG (its IHDR), a GIF (its screen) or a JPEG (its frame header); (0, 0) for what is none."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
        return _number(data[16:20]), _number(data[20:24])
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return _jpeg(data) if data[:2] == b"\xff\xd8" else (0, 0)


def _jpeg(data: bytes) -> tuple[int, int]:
    """ITU T.81 B.1.1: segments of a marker, a length and so many bytes, until one of SOF0 … SOF15."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _number(data[at + 7 : at + 9]), _number(data[at + 5 : at + 7])
        at += 2 + max(2, _number(data[at + 2 : at + 4]))
    return 0, 0


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


# Cards --------------------------------------------------------------------------------------------------------------


def temp(card: Card) -> str:
    """The `<vCard/>` of XEP-0054, its elements in the order of its DTD."""
    parts = [
        _element("FN", card.name or card.nick, _NAME),
        _element("NICKNAME", card.nick, _NAME),
        _photo(card),
        *(f"<TEL><VOICE/>{_element('NUMBER', phone, _LINE)}</TEL>" for phone in _few(card.phones)),
        *(f"<EMAIL><INTERNET/>{_element('USERID', email, _LINE)}</EMAIL>" for email in _few(card.emails)),
        *(_element("URL", url, _LINE) for url in _links(card)[:1]),
        _element("DESC", card.note, _NOTE),
    ]
    inner = "".join(parts)
    return f"<vCard xmlns='{TEMP}'>{inner}</vCard>" if inner else EMPTY


def four(card: Card) -> str:
    """The `<vcard/>` of XEP-0292 (RFC 6351), without the picture: that is XEP-0084's."""
    parts = [
        f"<fn>{_element('text', card.name or card.nick, _NAME) or '<text/>'}</fn>",
        _property("nickname", "text", card.nick, _NAME),
        *(_property("tel", "uri", f"tel:{phone}", _LINE) for phone in _few(card.phones)),
        *(_property("email", "text", email, _LINE) for email in _few(card.emails)),
        *(_property("url", "uri", url, _LINE) for url in _links(card)),
        _property("note", "text", card.note, _NOTE),
    ]
    return f"<vcard xmlns='{FOUR}'>{''.join(parts)}</vcard>"


def _few(texts: Sequence[str]) -> list[str]:
    return [given for given in texts if given][:_MANY]


def _links(card: Card) -> list[str]:
    """What is only ever a link to look at; other schemes run things in some readers."""
    return _few([url for url in card.urls if url.startswith(("https://", "http://"))])


def _element(name: str, said: str, size: int) -> str:
    """An element with a text of one line, or several where it is long enough for them; nothing for ''."""
    said = said if size > _NAME else " ".join(said.split())
    return f"<{name}>{text(clip(said, size))}</{name}>" if said else ""


def _property(name: str, kind: str, said: str, size: int) -> str:
    inner = _element(kind, said, size)
    return f"<{name}>{inner}</{name}>" if inner else ""


def _photo(card: Card) -> str:
    shown = face_of(card)
    if shown is None or card.avatar is None:
        return ""
    return f"<PHOTO><TYPE>{shown.type}</TYPE><BINVAL>{_base64(card.avatar)}</BINVAL></PHOTO>"


def _base64(avatar: Avatar) -> str:
    return base64.b64encode(avatar.data).decode()


def update(shown: Face | None) -> str:
    """The `<x/>` of XEP-0153 for presence, of an address whose picture is known."""
    return f"<x xmlns='{UPDATE}'><photo>{shown.id}</photo></x>" if shown is not None else NO_PHOTO


# PEP ----------------------------------------------------------------------------------------------------------------


def item(node: str, card: Card) -> tuple[str, str] | None:
    """The one item of a node: its id and its XML; None for what is not there."""
    if node == FOUR_NODE:
        return _ONLY, four(card)
    if node == NICK:
        name = card.nick or card.name
        return (_ONLY, f"<nick xmlns='{NICK}'>{text(clip(' '.join(name.split()), _NAME))}</nick>") if name else None
    shown = face_of(card)
    if shown is None or card.avatar is None:
        return None
    if node == METADATA:
        return shown.id, metadata(shown)
    # COMPAT: XEP-0084 4.1 has PNG alone at this node; clients publish there, and read, whatever the metadata calls it.
    return (shown.id, f"<data xmlns='{DATA}'>{_base64(card.avatar)}</data>") if node == DATA else None


def metadata(shown: Face | None) -> str:
    """XEP-0084 4.2; an empty one says that there is no picture any more."""
    if shown is None:
        return f"<metadata xmlns='{METADATA}'/>"
    pixels = f" width='{shown.width}' height='{shown.height}'" if shown.width and shown.height else ""
    info = f"<info id='{shown.id}' type='{shown.type}' bytes='{shown.size}'{pixels}/>"
    return f"<metadata xmlns='{METADATA}'>{info}</metadata>"


def items(node: str, id: str, payload: str) -> str:
    """The answer to a question for a node's items (XEP-0060 6.5)."""
    return f"<pubsub xmlns='{PUBSUB}'>{_items(node, id, payload)}</pubsub>"


def event(node: str, id: str, payload: str) -> str:
    """The content of a message that tells of an item (XEP-0163 4.3); id '' for none."""
    return f"<event xmlns='{PUBSUB}#event'>{_items(node, id, payload)}</event>"


def _items(node: str, id: str, payload: str) -> str:
    named = f" id='{attr(id)}'" if id else ""
    return f"<items node='{attr(node)}'><item{named}>{payload}</item></items>"
