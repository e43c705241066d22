"""Who is typing, both ways: the `+typing` client tag and XEP-0085's states, neither told more often than it is worth.

Pure; the clock is handed in. IRC repeats that somebody types and forgets it after seconds; XMPP says it once, and takes it
back. https://ircv3.net/specs/client-tags/typing
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from transports.events import Activity, Address, Typing

#: `+typing` -> XEP-0085, and back; states that are neither are `done`.
STATES: Final[dict[str, Activity]] = {"active": "composing", "paused": "paused", "done": "active"}
_SAID: Final[dict[Activity, str]] = {"composing": "active", "paused": "paused"}
#: Seconds for which it holds that somebody types, or pauses, without a word of it.
LASTS: Final[dict[Activity, float]] = {"composing": 6.0, "paused": 30.0}
#: Seconds between two of ours to one target; after which ours is repeated; after which it is not any more.
EVERY, REPEAT, ENOUGH = 3.0, 5.0, 30.0
#: People whose typing is known at a time, and targets of ours.
HEARD, TOLD = 100, 20


class _Ours:
    """What the user does at a target: what IRC should know, what it knows, since when it was told, and since when it is so."""

    __slots__ = ("known", "last", "since", "wanted")

    def __init__(self, wanted: str, now: float) -> None:
        self.wanted = wanted
        self.known = ""
        self.last = now - EVERY
        self.since = now


class Activities:
    """Of one connection."""

    __slots__ = ("_heard", "_ours")

    def __init__(self) -> None:
        self._heard: dict[tuple[Address, str], tuple[Activity, float]] = {}
        self._ours: dict[str, _Ours] = {}

    def __bool__(self) -> bool:
        return bool(self._heard or self._ours)

    def heard(self, where: Address, nick: str, said: str, now: float) -> Typing | None:
        """A `+typing` of somebody; the fact, if it is news."""
        state = STATES.get(said)
        before = self._heard.get((where, nick))
        if state is None or (before is None and (state == "active" or len(self._heard) >= HEARD)):
            return None
        if state == "active":
            del self._heard[where, nick]
        else:
            self._heard[where, nick] = (state, now + LASTS[state])
        return Typing(where, nick, state) if before is None or before[0] != state else None

    def spoke(self, where: Address, nick: str) -> None:
        """Who has spoken types no more; clients know that."""
        self._heard.pop((where, nick), None)

    def expire(self, now: float) -> Iterator[Typing]:
        """Those of whom nothing was heard for too long."""
        for (where, nick), (_, due) in list(self._heard.items()):
            if due <= now:
                del self._heard[where, nick]
                yield Typing(where, nick, "active")

    def tell(self, target: str, state: Activity, now: float) -> str:
        """What the user does at a target now; what is to be said of it at once, '' for nothing."""
        wanted = _SAID.get(state, "done")
        ours = self._ours.get(target)
        if ours is None:
            if wanted != "active" or len(self._ours) >= TOLD:
                return ""
            ours = self._ours[target] = _Ours(wanted, now)
        if wanted == "active":
            ours.since = now
        ours.wanted = wanted
        return self._due(target, ours, now)

    def said(self, target: str) -> None:
        """The user has spoken there: that is the end of it."""
        self._ours.pop(target, None)

    def refused(self, target: str) -> bool:
        """The server says that `target` cannot be told: whether it was told of typing, which it will not be again for now."""
        return self._ours.pop(target, None) is not None

    def due(self, now: float) -> Iterator[tuple[str, str]]:
        """What is to be said now: target and value."""
        for target, ours in list(self._ours.items()):
            value = self._due(target, ours, now)
            if value:
                yield target, value

    def _due(self, target: str, ours: _Ours, now: float) -> str:
        if ours.wanted == "active" and now - ours.since > ENOUGH:
            del self._ours[target]  # they forget it by themselves
            return ""
        if now - ours.last < (REPEAT if ours.wanted == ours.known else EVERY):
            return ""
        ours.known, ours.last = ours.wanted, now
        if ours.wanted != "active":
            del self._ours[target]
        return ours.known
