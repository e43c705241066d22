"""A `Component` without a socket and without waiting: bytes go in, what was written and what was heard is kept.

`Clock` is the loop that the component sees: it turns and time passes when a test says so.
"""

from __future__ import annotations

import heapq
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from transports.xmpp.wire import Component

DOMAIN = "far.example.org"
SERVER = "example.org"
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
    f"xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='{DOMAIN}'>"
)
LONG_AGO = 1_000.0


class Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """As much of an event loop as a stream uses while it is connected."""

    def __init__(self) -> None:
        self.now = LONG_AGO
        self._order = itertools.count()
        self._due: list[tuple[float, int, Timer, Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[..., object], *args: Any) -> Timer:
        return self.call_later(0, call, *args)

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Timer:
        timer = Timer()
        heapq.heappush(self._due, (self.now + seconds, next(self._order), timer, call, args))
        return timer

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass; what becomes due is called in order."""
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, timer, call, args = heapq.heappop(self._due)
            if not timer.cancelled:
                call(*args)
        self.now = until


class Wire:
    """The component, the transport it writes to, and the handlers that get what it reads.

    heard     values of `read`, in order
    events    "connected", "pause" …, in order
    fails     what the next stanza's handler raises
    handlers  who gets the stanzas instead, after they were noted
    """

    def __init__(self, handlers: Any = None) -> None:
        self.clock = Clock()
        self.component = Component(DOMAIN, "127.0.0.1", 5347, "secret")
        self.component.loop = self.clock  # type: ignore[assignment]
        self.component.attach(self)  # type: ignore[arg-type]
        self.handlers = handlers
        self.heard: list[Any] = []
        self.events: list[str] = []
        self.fails: BaseException | None = None
        self.written = b""
        self.aborted = False
        self.unread = 0
        self.limits = (0, 0)

    # the server ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connected and let in; what was written until then is forgotten."""
        self.component.connection_made(self)
        self.feed(f"{HEADER}<handshake/>")
        self.take()

    def feed(self, *chunks: str | bytes) -> None:
        for chunk in chunks:
            self.component.data_received(chunk.encode() if isinstance(chunk, str) else chunk)

    def close(self, error: Exception | None = None) -> None:
        self.component.connection_lost(error)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def take(self) -> bytes:
        """What was written up to the end of this turn of the loop."""
        self.clock.turn()
        written, self.written = self.written, b""
        return written

    def sent(self) -> list[ET.Element]:
        """The stanzas that were written; an error when they are not well-formed."""
        return list(ET.fromstring(b"<stream xmlns:stream='s'>" + self.take() + b"</stream>"))

    # asyncio's transport --------------------------------------------------------------------------------------------

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self.limits = (low, high)

    def write(self, data: bytes) -> None:
        assert not self.aborted
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    # wire.Handlers --------------------------------------------------------------------------------------------------

    def _hear(self, kind: str, value: Any) -> None:
        self.heard.append(value)
        error, self.fails = self.fails, None
        if error is not None:
            raise error
        if self.handlers is not None:
            getattr(self.handlers, kind)(value)

    def message(self, value: Any) -> None:
        self._hear("message", value)

    def presence(self, value: Any) -> None:
        self._hear("presence", value)

    def iq(self, value: Any) -> None:
        self._hear("iq", value)

    def _note(self, event: str) -> None:
        self.events.append(event)
        error, self.fails = self.fails, None
        if error is not None:
            raise error

    def pause(self) -> None:
        self._note("pause")

    def resume(self) -> None:
        self._note("resume")

    def connected(self) -> None:
        self._note("connected")

    def disconnected(self) -> None:
        self._note("disconnected")
