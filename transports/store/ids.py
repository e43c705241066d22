"""Ids of our own: UUID version 7 (RFC 9562 section 5.7), so that they sort by time and say nothing else.

The twelve bits after the version count within a millisecond (section 6.2, method 1), so ids of one process are strictly
ordered even when the clock stands still or steps back. No store, no loop; the clock may be passed in.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Final

_SHAPE: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_COUNTER_BITS: Final = 12


class Ids:
    """A source of ids; one per process is enough."""

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0

    def __call__(self) -> str:
        """The next id, greater than all before it."""
        now = int(self._clock() * 1000) << _COUNTER_BITS
        self._last = max(now, self._last + 1)
        milliseconds, counter = divmod(self._last, 1 << _COUNTER_BITS)
        value = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=value))


def is_id(text: str) -> bool:
    """Whether `text` has the shape of an id of ours (it may still be somebody else's)."""
    return _SHAPE.fullmatch(text) is not None
