"""The line queue of one IRC connection: a token bucket in front, fair turns between targets behind.

Pure: the clock is handed in (seconds, monotonic). IRC servers kill clients that send too fast (RFC 2813 5.8 allows a
burst, then one line per two seconds), and one pasted wall of text must not hold up the user's other channels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from transports.bridges.irc.echoes import Spoken
from transports.events import SetSubject

#: Lines that may wait for one connection, over all targets, where nothing else is said.
QUEUE_LIMIT: Final = 500


class Outgoing(NamedTuple):
    """A line to write and, on the last line of a command, the command that it completes."""

    line: str
    of: Spoken | SetSubject | None = None


class Flow:
    """Bounded, fair, rate-limited queue. `rate` 0 means no limit: everything is due at once."""

    __slots__ = ("_filled", "_queues", "_tokens", "burst", "most", "rate", "size")

    def __init__(self, burst: float, rate: float, most: int = QUEUE_LIMIT) -> None:
        self.burst = burst
        self.rate = rate
        self.most = most
        self._tokens = burst
        self._filled = 0.0
        self._queues: dict[str, deque[Outgoing]] = {}
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def push(self, key: str, lines: list[str], of: Spoken | SetSubject | None = None) -> bool:
        """Queue the lines of one command (`of`) for target `key`; False (nothing queued) when they do not fit."""
        if self.size + len(lines) > self.most:
            return False
        if not lines:
            return True
        queue = self._queues.setdefault(key, deque())
        queue.extend(Outgoing(line) for line in lines[:-1])
        queue.append(Outgoing(lines[-1], of))
        self.size += len(lines)
        return True

    def due(self, now: float) -> Iterator[Outgoing]:
        """What may be written now, one line per target in turn."""
        self._fill(now)
        while self.size and (self.rate == 0 or self._tokens >= 1):
            key, queue = next(iter(self._queues.items()))
            item = queue.popleft()
            del self._queues[key]
            if queue:
                self._queues[key] = queue
            self.size -= 1
            self._tokens -= 1 + item.line.count("\n")  # a batch is written in one piece, and counts as what it is
            yield item

    def wait(self, now: float) -> float | None:
        """Seconds until the next line is due; None when nothing waits."""
        if not self.size:
            return None
        self._fill(now)
        if self.rate == 0 or self._tokens >= 1:
            return 0.0
        return (1 - self._tokens) / self.rate

    def drop(self, key: str) -> list[Spoken | SetSubject]:
        """Forget what waits for `key`; the commands that are now never completed."""
        queue = self._queues.pop(key, None)
        if queue is None:
            return []
        self.size -= len(queue)
        return [item.of for item in queue if item.of is not None]

    def clear(self) -> list[Spoken | SetSubject]:
        """Forget everything; the commands that are now never completed, in order per target."""
        return [command for key in list(self._queues) for command in self.drop(key)]

    def _fill(self, now: float) -> None:
        if self.rate:
            self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        else:
            self._tokens = self.burst
        self._filled = now
