"""Lines that belong together: which batches a server has open, and what is to be done with a line of one.

Pure; the clock is handed in. Only the lines of a multiline message wait for the end of their batch; all others are taken as
they come, those of a history with their own time. A hostile server opens as many as it may and ends none.
IRCv3 batch, labeled-response, chathistory, draft/multiline; netsplit and netjoin need nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: Batches that may be open at a time; lines and characters of a multiline message; seconds until a batch counts as ended.
OPEN, LINES, SIZE, WITHIN = 50, 500, 40_000, 60.0
#: Multiline messages that may be open at a time.
MESSAGES: Final = 10
#: Batches inside each other.
DEEP: Final = 5
#: Types whose lines happened before: they are told with their time, and change nothing.
_PAST: Final = frozenset({"chathistory", "draft/chathistory", "znc.in/playback"})
_MULTILINE: Final = frozenset({"draft/multiline", "multiline"})


class Batch:
    """One that is open.

    params  of its type: the target
    outer   the batch that it is in
    tags    of its first line; its id is the message's
    label   of ours that it answers, its own or an outer one's
    past    its lines happened before
    count   lines so far; last: when the last of them happened, 0 where it does not say
    """

    __slots__ = (
        "count", "due", "joined", "label", "last", "outer", "params", "past", "reference", "size", "source", "tags", "type",
    )  # fmt: skip

    def __init__(
        self, reference: str, type: str, params: Sequence[str], source: str, tags: dict[str, str], outer: Batch | None
    ) -> None:
        self.reference = reference
        self.type = type
        self.params = params
        self.source = source
        self.tags = tags
        self.outer = outer
        self.label: str = tags.get("label", "") or (outer.label if outer is not None else "")
        self.past: bool = type in _PAST or (outer is not None and outer.past)
        self.count = 0
        self.last = 0.0
        self.size = 0
        self.due = 0.0
        self.joined: list[str] = []

    @property
    def multiline(self) -> bool:
        return self.type in _MULTILINE

    @property
    def plain(self) -> bool:
        """Its lines are taken as if they were in none."""
        return not (self.label or self.past or self.multiline)

    @property
    def text(self) -> str:
        """The message of a multiline batch."""
        return "".join(self.joined)

    def add(self, text: str, goes_on: bool) -> None:
        """A line of a multiline message; what is too much of it is not kept."""
        self.count += 1
        if self.count <= LINES and self.size + len(text) <= SIZE:
            self.size += len(text) + 1
            if self.joined and not goes_on:
                self.joined.append("\n")
            self.joined.append(text)


class Batches:
    """The open ones of a connection."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[str, Batch] = {}

    def __len__(self) -> int:
        return len(self._open)

    def start(self, params: list[str], source: str, tags: dict[str, str], now: float) -> None:
        """`BATCH +reference type …`. ValueError when there are too many."""
        reference, type = params[0][1:], params[1]
        outer = self._open.get(tags.get("batch", ""))
        deep, around = 0, outer
        while around is not None:
            deep, around = deep + 1, around.outer
        messages = sum(batch.multiline for batch in self._open.values()) if type in _MULTILINE else 0
        if len(self._open) >= OPEN or deep >= DEEP or messages >= MESSAGES or reference in self._open or not reference:
            raise ValueError("too many batches")
        batch = self._open[reference] = Batch(reference, type, params[2:], source, tags, outer)
        batch.due = now + WITHIN

    def end(self, reference: str) -> Batch | None:
        return self._open.pop(reference, None)

    def of(self, tags: str) -> Batch | None:
        """The batch that a line with these tags, as they were written, is in."""
        at = tags.find("batch=")
        return self._open.get(tags[at + 6 :].partition(";")[0]) if at > 0 and tags[at - 1] in "@;" else None

    def overdue(self, now: float) -> list[Batch]:
        """Those that were never ended; they are now."""
        late = [batch for batch in self._open.values() if batch.due <= now]
        for batch in late:
            del self._open[batch.reference]
        return late
