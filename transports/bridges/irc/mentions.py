"""Whether a line mentions somebody: the nick as a word of its own, compared as the network compares nicks. Pure, linear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: What a nick may go on with (RFC 2812 2.3.1): beside any of these it is part of another word.
_NICKISH: Final = frozenset("_-[]{}\\|^`~")


def found(nick: str, text: str, fold: Callable[[str], str]) -> tuple[int, int] | None:
    """Where `nick` stands in `text` first, by code points, from and to before; None where it does not."""
    wanted, where = fold(nick), fold(text)
    if not wanted or len(where) != len(text):
        return None
    start = where.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not (_part(where, start - 1) or _part(where, end)):
            return start, end
        start = where.find(wanted, end)
    return None


def _part(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] in _NICKISH)
