"""The one door through which text becomes XML.

Holds what XML 1.0 allows (section 2.2, production Char), how it is escaped, how long a stanza may be, and whose name
may stand in its `from`. One character outside of Char closes the component stream, for every user of every bridge,
on Prosody and on ejabberd alike; so does a `from` of a foreign domain. Knows no stanza's meaning and no slixmpp.
"""

from __future__ import annotations

import re
from typing import Final

from transports.errors import ERROR_TYPES

#: The longest stanza that leaves, in bytes (RFC 6120 13.12 lets a server refuse above 10,000; real ones take 64 KiB up).
MAX_STANZA: Final = 60_000
#: The longest text of an error, in bytes: errors quote the far side.
MAX_ERROR_TEXT: Final = 2_000

STANZAS_NS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"

# Not XML Char. U+1FFFE and the other noncharacters above the BMP are Char and stay. Surrogates are always lone in a str.
_ILLEGAL = "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff"
_illegal = re.compile(f"[{_ILLEGAL}]")
_text_dirt = re.compile(f"[{_ILLEGAL}\\r&<>]")
_attr_dirt = re.compile(f"[{_ILLEGAL}\\t\\n\\r&<>'\"]")

# XML 2.11 makes LF of CR and CRLF at the reader's; we do it ourselves, so that all readers see the same.
_TEXT_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r\n": "\n", "\r": "\n"}
# XML 3.3.3 makes a space of a bare TAB or LF in an attribute; a reference survives.
_ATTR_ESCAPES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "'": "&apos;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_text_escape = re.compile(f"\\r\\n|[{_ILLEGAL}\\r&<>]")


class ForeignSender(ValueError):
    """A stanza would have gone out under a name that is not ours to use, or that is no address."""


def text(s: str) -> str:
    """`s` as element content; `s` itself when there is nothing to do."""
    if _text_dirt.search(s) is None:
        return s
    return _text_escape.sub(lambda found: _TEXT_ESCAPES.get(found[0], ""), s)


def attr(s: str) -> str:
    """`s` as the value of an attribute, for either kind of quotes; `s` itself when there is nothing to do."""
    if _attr_dirt.search(s) is None:
        return s
    return _attr_dirt.sub(lambda found: _ATTR_ESCAPES.get(found[0], ""), s)


def clean(s: str) -> str:
    """`s` without the characters that no XML may hold; nothing is escaped."""
    if _illegal.search(s) is None:
        return s
    return _illegal.sub("", s)


def fits(stanza: str) -> bool:
    """Whether a finished stanza is short enough to leave."""
    # a character has at most four bytes
    return len(stanza) <= MAX_STANZA // 4 or _size(stanza) <= MAX_STANZA


def clip(s: str, size: int) -> str:
    """`s`, not escaped yet, cut so that its escaped form has at most `size` bytes; '…' at the end says that it was cut."""
    # a character has at most five bytes (&amp;)
    if len(s) * 5 <= size or _size(text(s)) <= size:
        return s
    room = size - len("…".encode())
    if room < 0:
        return ""
    whole = clean(s)
    kept, lost = 0, min(len(whole), room) + 1
    while lost - kept > 1:
        middle = (kept + lost) // 2
        if _size(text(whole[:middle])) <= room:
            kept = middle
        else:
            lost = middle
    return whole[:kept] + "…"


def error(condition: str, type: str, words: str, specific: tuple[str, str] = ("", "")) -> str:
    """The `<error/>` of a stanza (RFC 6120 8.3.2): a key of ERROR_TYPES, an error type, words for a person or ''.

    specific: namespace and name of an application's own condition (8.3.4)
    """
    if condition not in ERROR_TYPES:
        condition = "undefined-condition"
    said = f"<text xmlns='{STANZAS_NS}'>{text(clip(words, MAX_ERROR_TEXT))}</text>" if words else ""
    more = f"<{specific[1]} xmlns='{attr(specific[0])}'/>" if specific[1] else ""
    return f"<error type='{attr(type)}'><{condition} xmlns='{STANZAS_NS}'/>{said}{more}</error>"


class Door:
    """The way out for the stanzas of one domain."""

    __slots__ = ("_domain",)

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def opening(self, tag: str, sender: str, to: str, more: str = "") -> str:
        """`<tag from='…' to='…'`, not closed. `more`: further attributes as finished XML, with a space in front.

        Costs a few microseconds: to be called once per channel and recipient, and kept.
        """
        sender = clean(sender)
        if not self._ours(sender):
            raise ForeignSender(f"{sender!r} is no address of {self._domain!r}")
        return f"<{tag} from='{attr(sender)}' to='{attr(to)}'{more}"

    def speaker(self, tag: str, room: str, to: str, more: str = "") -> str:
        """`<tag to='…' from='room/`, open inside the attribute: what follows is an escaped resource and a quote."""
        self.opening(tag, f"{room}/x", to)
        return f"<{tag} to='{attr(to)}'{more} from='{attr(room)}/"

    def _ours(self, sender: str) -> bool:
        address, slash, resource = sender.partition("/")
        local, at, domain = address.partition("@")
        if not at:
            local, domain = "", address
        return domain == self._domain and bool(local) == bool(at) and bool(resource) == bool(slash)


def _size(s: str) -> int:
    return len(s.encode("utf-8", "surrogatepass"))
