"""IRC, inwards: bytes -> lines -> `Line`.

Pure. Knows the shape of a line, not what any command means. A server is hostile here: nothing but `ValueError` leaves
`parse`, the buffer is bounded, and every function is linear in its input.

Follows Modern IRC (https://modern.ircdocs.horse/#message-format) and the IRCv3 message-tags and server-time
specifications. Several spaces separate like one (RFC 1459 2.3.1); a tab is an ordinary character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

#: The longest line taken, tags included, in bytes: IRCv3 allows 8191 of tags and 512 of message.
MAX_LINE: Final = 16 * 1024

#: What lines without tags carry, all the same object.
NO_TAGS: Final[dict[str, str]] = {}


class Line(NamedTuple):
    """One message. `command` is in upper case, numerics are three digits; `source` and `tags` are empty when absent."""

    tags: dict[str, str]
    source: str
    command: str
    params: list[str]


class Buffer:
    """Cuts what a socket delivers into lines.

    A line longer than MAX_LINE is dropped up to its newline and counted in `dropped`; empty lines vanish.
    """

    __slots__ = ("_skipping", "_tail", "dropped")

    def __init__(self) -> None:
        self._tail = bytearray()
        self._skipping = False
        self.dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, never empty, without LF, CR and NUL, which have no place inside a line."""
        if b"\r" in data or b"\0" in data:
            data = data.replace(b"\r", b"").replace(b"\0", b"")
        first, newline, rest = data.partition(b"\n")
        if not newline:
            self._keep(first)
            return []
        if self._tail or self._skipping:
            first = self._finish(first)
        lines = [first, *rest.split(b"\n")]
        self._keep(lines.pop())
        return [line for line in lines if line and self._fits(line)]

    def _finish(self, end: bytes) -> bytes:
        """The line that `end` completes; empty when it is one that is being dropped."""
        line = b"" if self._skipping else bytes(self._tail) + end
        self._tail = bytearray()
        self._skipping = False
        return line

    def _keep(self, tail: bytes) -> None:
        """Hold the start of a line, or give that line up."""
        if self._skipping:
            return
        self._tail += tail
        if not self._fits(self._tail):
            self._tail = bytearray()
            self._skipping = True

    def _fits(self, line: bytes | bytearray) -> bool:
        if len(line) <= MAX_LINE:
            return True
        self.dropped += 1
        return False


def decode(raw: bytes, charset: str = "") -> str:
    """Text of a line: strict UTF-8, else `charset` ('' means iso-8859-1) with U+FFFD for what it does not have.

    Overlong UTF-8 and encoded surrogates are not UTF-8, so they go through the charset too and do no harm there.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(charset or "iso-8859-1", "replace")
    except (LookupError, UnicodeError):  # a charset that Python lacks, or a codec that ignores "replace"
        return raw.decode("iso-8859-1")


def parse(line: str) -> Line:
    """A line without its end -> Line. ValueError when there is no command, or one that is no word."""
    tags = NO_TAGS
    source = ""
    if line[:1] == "@":
        raw, _, line = line.partition(" ")
        tags = parse_tags(raw[1:])
    line = line.lstrip(" ")
    if line[:1] == ":":
        source, _, line = line.partition(" ")
        source = source[1:]
    head, colon, trailing = line.partition(" :")
    params = head.split(" ")
    if "" in params:
        params = [param for param in params if param]
    command = params.pop(0) if params else ""
    if not (command.isalnum() and command.isascii()):
        raise ValueError("no command")
    if colon:
        params.append(trailing)
    return Line(tags, source, command.upper(), params)


_ESCAPED: Final = re.compile(r"\\(.?)", re.DOTALL)
_UNESCAPE: Final = {":": ";", "s": " ", "r": "\r", "n": "\n"}


def parse_tags(raw: str) -> dict[str, str]:
    """`a=b;c` -> {'a': 'b', 'c': ''}; the last of equal keys counts (IRCv3 message-tags, "Escaping values")."""
    tags = {}
    for tag in raw.split(";"):
        key, _, value = tag.partition("=")
        if "\\" in value:
            value = _ESCAPED.sub(_unescape, value)
        if key:
            tags[key] = value
    return tags or NO_TAGS


def _unescape(match: re.Match[str]) -> str:
    return _UNESCAPE.get(match[1], match[1])


def split_source(source: str) -> tuple[str, str, str]:
    """`nick!user@host` -> (nick, user, host), each '' when absent; a server's name comes back as the nick."""
    head, _, host = source.partition("@")
    nick, _, user = head.partition("!")
    return nick, user, host


_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")


def server_time(tags: Mapping[str, str]) -> float | None:
    """The `time` tag in seconds since the epoch; None when it is absent or no date (IRCv3 server-time)."""
    stamp = tags.get("time", "")
    if not _TIME.fullmatch(stamp):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None
