"""What one user's `Network` needs of what is around it: its connection, and what becomes of long texts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from transports.bridges.irc.echoes import Spoken
from transports.errors import LegacyError
from transports.events import Say, SetSubject


class Line(Protocol):
    """What a session needs of its connection."""

    def write(self, line: str) -> None:
        """Write at once, past the flood control."""
        ...

    def queue(self, key: str, lines: list[str], of: Spoken | SetSubject | None = None) -> bool:
        """Write the lines of one command when the flood control lets it; False when the queue is full.

        `Network.written` is called with `of` when the last of them is on the socket.
        """
        ...

    def unqueue(self, key: str) -> list[Spoken | SetSubject]:
        """Forget what waits for a target."""
        ...

    def defer(self, send: Callable[[], None]) -> float:
        """Have a JOIN sent when it is its turn among all who come to this network; seconds until then."""
        ...

    @property
    def free(self) -> bool:
        """Nothing waits for the flood control."""
        ...


class Pastes(Protocol):
    """What becomes of texts that are too long for a chat, and of what is said behind them (`pastes`)."""

    def holds(self, target: str, command: Say) -> bool:
        """Whether a message waits for one before it."""
        ...

    def takes(self, target: str, command: Say, lines: int) -> bool:
        """Whether a text of so many lines is not to be sent as it is."""
        ...

    def close(self, error: LegacyError) -> None:
        """The connection is over; what waits has failed."""
        ...


class _Nowhere:
    """The line of a network whose connection is over."""

    free = False

    def write(self, line: str) -> None: ...

    def queue(self, key: str, lines: list[str], of: Spoken | SetSubject | None = None) -> bool:
        return False

    def defer(self, send: Callable[[], None]) -> float:
        return 0.0

    def unqueue(self, key: str) -> list[Spoken | SetSubject]:
        return []


NOWHERE: Final = _Nowhere()
