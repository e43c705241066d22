"""The archive of one place for one user: what a room or a person's conversation has in its hand.

`keep` stands on the way that thousands of lines go. The rest is asked now and then. XEP-0313, XEP-0045 7.2.13.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from transports.archive import reading
from transports.archive.values import Extent, History, Line, Page, Query
from transports.errors import LegacyError

if TYPE_CHECKING:
    from transports.archive.archives import Archives

log = logging.getLogger(__name__)

#: Seconds that a client waits for its history before it goes on without.
PATIENCE: Final = 5.0
#: Characters of a far side's id that are kept.
LONGEST_KEY: Final = 200


class Archive:
    """`backlog`: how many lines a client is shown at most when it comes in. Made by `Archives.of`."""

    __slots__ = ("archives", "backlog", "bridge", "epoch", "name", "place", "user")

    def __init__(self, archives: Archives, bridge: str, user: str, name: str, backlog: int) -> None:
        self.archives = archives
        self.bridge = bridge
        self.user = user
        self.name = name
        self.backlog = backlog
        self.place: int | None = None  # in the file; of the thread alone, as is `epoch`
        self.epoch = -1

    def keep(
        self,
        id: str,
        nick: str,
        occupant: str,
        content: str,
        when: float | None = None,
        key: str = "",
        own: bool = False,
        stanza: str | None = None,
    ) -> None:
        """Archive a message. Never waits, never fails.

        id: its stanza-id, one of `Ids`; nick and content: finished XML (`values.Line`); when: seconds since the epoch,
        None for now; key: the far side's id: what has one that is there already is not kept again; stanza: the id that its
        author gave it ('' for none), None where that is `id`
        """
        archives = self.archives
        at = int((time.time() if when is None else when) * 1000)
        far = key[:LONGEST_KEY] if key else None
        archives.rows.append((self, id, at, 1 if own else 0, nick, stanza, occupant, content, far))
        if not archives.gathering:
            archives.gather()

    def recall(self, history: History, below: str, then: Callable[[Sequence[Line]], None]) -> bool:
        """Have the last lines read for a client that comes in; False when there is nothing to wait for, and `then` is not called.

        below: an id; what comes to us after it was made is not among them. `then` is called once, later, with the oldest
        first, or with none where they cannot be had in time.
        """
        most = self.backlog if history.stanzas is None else min(self.backlog, history.stanzas)
        if most <= 0 or history.none or self.archives.empty or self.archives.trouble:
            return False
        since = history.since or 0.0
        if history.seconds is not None:
            since = max(since, time.time() - history.seconds)
        start = max(0, min(int(since * 1000), 1 << 62))
        self.archives.tasks.start(self._recall(most, start, below, then))
        return True

    async def _recall(self, most: int, since: int, below: str, then: Callable[[Sequence[Line]], None]) -> None:
        lines: Sequence[Line] = ()
        try:
            async with asyncio.timeout(PATIENCE):
                lines = await self.archives.ask(
                    lambda connection: reading.recent(connection, self.archives.resolve(connection, self), most, since, below)
                )
        except (LegacyError, TimeoutError):
            log.debug("a history could not be read in time")
        finally:
            then(lines)

    async def page(self, query: Query) -> Page:
        """A page of it. Unknown for ids that are not there; LegacyError with words when nothing can be read."""
        return await self.archives.ask(
            lambda connection: reading.page(connection, self.archives.resolve(connection, self), query)
        )

    async def extent(self) -> Extent | None:
        """Its first and its last message; None when there is none."""
        return await self.archives.ask(
            lambda connection: reading.extent(connection, self.archives.resolve(connection, self))
        )

    async def newest(self) -> Line | None:
        """The last message that the far side has an id for: where a gap begins."""
        return await self.archives.ask(
            lambda connection: reading.newest(connection, self.archives.resolve(connection, self))
        )

    async def find(self, key: str) -> Line | None:
        """The message that the far side calls `key`."""
        return await self.archives.ask(
            lambda connection: reading.by_key(connection, self.archives.resolve(connection, self), key)
        )
