"""Text that is not UTF-8: which charset a line is read in and written in, by the channel that it is about.

Pure. UTF-8 goes first in both directions: a line that is UTF-8 is read as that, one that a charset has not all characters of is
written as that. A server that says UTF8ONLY (IRCv3) gets nothing else. Names and commands are ASCII in every charset here
(`config_values.charset`), and no charset can make two lines of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from transports.bridges.irc.isupport import ISupport

#: Channel, as folded -> how its lines are read and written; '' for as the network's are.
Rooms = Mapping[str, tuple[str, str]]

NO_ROOMS: Final[Rooms] = {}
UTF_8: Final = "utf-8"
#: Words of a line among which the channel is: source, command, target, a numeric's first parameters.
_WORDS: Final = 5
_ENDS: Final = re.compile(rb"[\r\n\0]")


def reading(raw: bytes, usual: str, rooms: Rooms, isupport: ISupport) -> str:
    """The charset of a line that is not UTF-8."""
    if not rooms:
        return usual
    return _of(raw.decode("iso-8859-1"), rooms, isupport)[0] or usual


def encoded(lines: Iterable[str], usual: str, rooms: Rooms, isupport: ISupport) -> bytes:
    """Lines as they go out, each with its end; what cannot be said in any charset is replaced."""
    found = []
    for line in lines:
        charset = UTF_8 if isupport.utf8only else (_of(line, rooms, isupport)[1] if rooms else "") or usual
        found.append(_encoded(line, charset))
    return b"".join(found)


def _of(line: str, rooms: Rooms, isupport: ISupport) -> tuple[str, str]:
    """What is set for the channel that a line is about."""
    if line[:1] == "@":
        line = line.partition(" ")[2]
    for word in line.partition(" :")[0].split(" ", _WORDS)[:_WORDS]:
        found = rooms.get(isupport.fold(isupport.strip_status(word)[1]))
        if found is not None:
            return found
    return "", ""


def _encoded(line: str, charset: str) -> bytes:
    if charset != UTF_8 and not line.isascii():
        try:
            data = line.encode(charset)
        except (UnicodeError, LookupError):
            pass
        else:
            if _ENDS.search(data) is None:
                return data + b"\r\n"
    return line.encode(errors="replace") + b"\r\n"
