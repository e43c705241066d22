"""The line queue of one IRC connection: a token bucket in front, fair turns between targets behind.

Pure: the clock is handed in (seconds, monotonic). IRC servers kill clients that send too fast (RFC 2813 5.8 allows a
burst, then one line per two seconds), and one pasted wall of text must not hold up the user's other channels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from transports.events import Say, SetSubject

#: Lines that may wait for one connection, over all targets.
QUEUE_LIMIT: Final = 500


class Outgoing(NamedTuple):
    """A line to write and, on the last line of a command, the command that it completes."""

    line: str
    of: Say | SetSubject | None = None


class Flow:
    """Bounded, fair, rate-limited queue. `rate` 0 means no limit: everything is due at once."""

    __slots__ = ("_filled", "_queues", "_size", "_tokens", "burst", "rate")

    def __init__(self, burst: float, rate: float) -> None:
        self.burst = burst
        self.rate = rate
        self._tokens = burst
        self._filled = 0.0
        self._queues: dict[str, deque[Outgoing]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, key: str, lines: list[Outgoing]) -> bool:
        """Queue the lines of one command for target `key`; False (nothing queued) when they do not fit."""
        if self._size + len(lines) > QUEUE_LIMIT:
            return False
        self._queues.setdefault(key, deque()).extend(lines)
        self._size += len(lines)
        return True

    def due(self, now: float) -> Iterator[Outgoing]:
        """What may be written now, one line per target in turn."""
        self._fill(now)
        while self._size and (self.rate == 0 or self._tokens >= 1):
            key, queue = next(iter(self._queues.items()))
            item = queue.popleft()
            del self._queues[key]
            if queue:
                self._queues[key] = queue
            self._size -= 1
            self._tokens -= 1
            yield item

    def wait(self, now: float) -> float | None:
        """Seconds until the next line is due; None when nothing waits."""
        if not self._size:
            return None
        self._fill(now)
        if self.rate == 0 or self._tokens >= 1:
            return 0.0
        return (1 - self._tokens) / self.rate

    def drop(self, key: str) -> list[Say | SetSubject]:
        """Forget what waits for `key`; the commands that are now never completed."""
        queue = self._queues.pop(key, None)
        if queue is None:
            return []
        self._size -= len(queue)
        return [item.of for item in queue if item.of is not None]

    def clear(self) -> list[Say | SetSubject]:
        """Forget everything; the commands that are now never completed, in order per target."""
        return [command for key in list(self._queues) for command in self.drop(key)]

    def _fill(self, now: float) -> None:
        if self.rate:
            self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        else:
            self._tokens = self.burst
        self._filled = now
