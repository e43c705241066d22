"""The text of messages: formatting, CTCP, `/me`, and cutting a body into what IRC lines can carry.

Pure, and total: every function takes any text. Sizes are bytes of UTF-8.

Follows Modern IRC's formatting (https://modern.ircdocs.horse/formatting) and CTCP (https://modern.ircdocs.horse/ctcp) pages
and XEP-0245 (`/me`). CTCP's quoting (0x10) is left alone: nobody sends it, and undoing it makes NUL and line feeds.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: A message is never cut into pieces smaller than this, however long the server makes our prefix.
MIN_PIECE: Final = 64

#: A code of formatting, with the colours behind it.
FORMAT: Final = re.compile(
    "[\x02\x0f\x11\x16\x1d\x1e\x1f]|\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"
)
_CONTROL: Final = re.compile("[\x02-\x04\x0f\x11\x16\x1d-\x1f]")


def strip_formatting(text: str) -> str:
    """`text` without bold, italics, underline, strike-through, monospace, reverse, colours and resets."""
    if text.isprintable() or _CONTROL.search(text) is None:  # isprintable: true of most, and fast
        return text
    return FORMAT.sub("", text)


def ctcp(text: str) -> tuple[str, str] | None:
    """`\\x01ACTION waves\\x01` -> ('ACTION', 'waves'); None when `text` is no CTCP. The closing \\x01 may be missing."""
    if text[:1] != "\x01":
        return None
    command, _, rest = text[1:].removesuffix("\x01").partition(" ")
    return (command.upper(), rest) if command else None


def action(text: str) -> str:
    return f"\x01ACTION {text}\x01"


# Body -> lines ----------------------------------------------------------------------------------------------------

_BREAK: Final = re.compile("\r\n|[\n\x0b\x0c\r\u2028\u2029]")
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")


def lines_of(body: str) -> list[str]:
    """The lines of `body` that hold something; NUL and lone surrogates, which no IRC line can carry, are taken out."""
    if body and body.isprintable():
        return [body]
    return [line for line in _BREAK.split(_UNFIT.sub("", body)) if line]


def one_line(text: str, size: int) -> str:
    """`text` as one line of at most `size` bytes (>= 4): its start."""
    pieces = split(" ".join(lines_of(text)), size)
    return pieces[0] if pieces else ""


def paragraphs(body: str) -> list[str]:
    """The lines of `body`, those that hold nothing, too, but for the first and the last ones."""
    lines = _BREAK.split(_UNFIT.sub("", body))
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def split(text: str, size: int) -> list[str]:
    """Cut `text` into pieces of at most `size` (>= 4) bytes of UTF-8, none empty.

    A cut falls at a space in the last third of the piece (that space is dropped), else between two characters as
    people see them, else (a cluster longer than `size`) between code points.
    """
    if size < 4:
        raise ValueError("a code point takes up to 4 bytes")
    data = text.encode(errors="surrogatepass")
    pieces = []
    start = here = 0  # the same place in `text` and in `data`
    while len(data) - here > size:
        end, after = _cut(text, start, start + _count(data, here, size))
        pieces.append(text[start:end])
        here += len(text[start:after].encode(errors="surrogatepass"))
        start = after
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def _count(data: bytes, here: int, size: int) -> int:
    """How many whole code points of `data` from `here` fit into `size` bytes."""
    end = here + size
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return len(data[here:end].decode(errors="surrogatepass"))


def _cut(text: str, start: int, limit: int) -> tuple[int, int]:
    """Where the piece from `start`, at most up to `limit`, ends, and where the next one starts."""
    space = text.rfind(" ", start + max(1, (limit - start) * 2 // 3), limit + 1)
    if space > 0 and _is_boundary(text, space + 1, start):
        return space, space + 1
    end = limit
    while end > start and not _is_boundary(text, end, start):
        end -= 1
    end = end if end > start else limit
    return end, end


def _is_boundary(text: str, at: int, start: int) -> bool:
    """Whether `text` may be cut before index `at`: roughly UAX #29, without its tables."""
    if at >= len(text):
        return True
    if text[at - 1] < "\u0300" and text[at] < "\u0300":
        return True
    if text[at - 1] == "\u200d" or _extends(text[at]):
        return False
    return not (_is_flag(text[at]) and _flags_before(text, at, start) % 2)


def _extends(char: str) -> bool:
    """Combining marks and variation selectors, joiners, emoji skin tones, tags, Hangul vowels and finals."""
    return (
        unicodedata.category(char)[0] == "M"
        or char in "\u200c\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
        or "\u1160" <= char <= "\u11ff"
    )


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flags_before(text: str, at: int, start: int) -> int:
    """How many regional indicators stand directly before `at`: two make a flag."""
    first = at
    while first > start and _is_flag(text[first - 1]):
        first -= 1
    return at - first


def room_for(prefix: str, target: str, action: bool = False, linelen: int = 512) -> int:
    """Bytes left for the text in `:prefix PRIVMSG target :text`, as the server will send it to the others.

    prefix: our own `nick!user@host` as the server knows it.
    """
    frame = len(f":{prefix} PRIVMSG {target} :\r\n".encode(errors="surrogatepass"))
    return linelen - frame - (len("\x01ACTION \x01") if action else 0)


def utterances(body: str, target: str, prefix: str, linelen: int = 512) -> list[str]:
    """The PRIVMSG texts that say `body`: one or more per line, each inside `linelen` bytes with everything around it.

    XEP-0245: `/me ` counts at the start of the body only; the pieces of that first line are all actions.
    """
    size = len(body) if body.isascii() else 4 * len(body)
    if 0 < size <= linelen - 4 * (len(prefix) + len(target)) - 32 and body.isprintable() and body[:4] != "/me ":
        return [body]  # most are short and plain
    lines = lines_of(body.replace("\x01", ""))
    said = []
    if lines and lines[0].startswith("/me ") and body.startswith("/me "):
        room = max(MIN_PIECE, room_for(prefix, target, True, linelen))
        said = [action(piece) for piece in split(lines.pop(0)[4:], room) or [""]]
    room = max(MIN_PIECE, room_for(prefix, target, False, linelen))
    for line in lines:
        said += split(line, room)
    return said
