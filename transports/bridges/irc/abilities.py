"""What a connection lets us do beside plain lines, by its capabilities and by the client tags that the server takes.

Pure. IRCv3: message-tags (CLIENTTAGDENY), labeled-response, echo-message, draft/multiline, draft/message-redaction,
draft/read-marker; client tags: typing, draft/reply, draft/react.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from transports.events import React, Read, Reply, Retract, Type

#: Client tag -> what it lets a user do.
_TAGS: Final[dict[str, type]] = {"typing": Type, "draft/reply": Reply, "draft/react": React}


class Abilities(NamedTuple):
    """plain   messages are confirmed by the fence alone
    labels  what we send may carry a label, and its answer does
    echo    what we say comes back to us
    more    what a room or a person can beside being spoken to (`Bridge.can`)
    """

    plain: bool = True
    labels: bool = False
    echo: bool = False
    more: frozenset[type] = frozenset()


NO_ABILITIES: Final = Abilities()


@lru_cache(256)
def abilities(caps: frozenset[str], denied: str) -> Abilities:
    """denied: CLIENTTAGDENY, `*,-typing` or a list of tags without their `+`."""
    labels = {"labeled-response", "batch"} <= caps
    echo = "echo-message" in caps
    more: set[type] = set()
    if "message-tags" in caps:
        more |= {act for tag, act in _TAGS.items() if _taken(tag, denied.split(","))}
        if React in more and Reply not in more:  # a reaction says what it is to by a reply
            more.discard(React)
        if "draft/message-redaction" in caps:
            more.add(Retract)
    if "draft/read-marker" in caps:
        more.add(Read)
    return Abilities(not (labels or echo), labels, echo, frozenset(more))


def _taken(tag: str, denied: list[str]) -> bool:
    return f"-{tag}" in denied if "*" in denied else tag not in denied


class Multiline(NamedTuple):
    """The limits of draft/multiline, in bytes and lines; 0 bytes: there is no such thing."""

    size: int = 0
    lines: int = 0


#: Lines of one message where a server names no limit, and bytes where it names an absurd one.
_LINES, _BYTES = 100, 64_000


@lru_cache(64)
def multiline(value: str) -> Multiline:
    """`max-bytes=4096,max-lines=24` -> the limits; what is malformed is not there."""
    items = dict(item.partition("=")[::2] for item in value.split(","))
    size, lines = (items.get(key, "") for key in ("max-bytes", "max-lines"))
    if not (size.isdecimal() and size.isascii() and len(size) < 10):
        return Multiline()
    most = int(lines) if lines.isdecimal() and lines.isascii() and len(lines) < 6 else _LINES
    return Multiline(min(int(size), _BYTES), min(most, _LINES))
