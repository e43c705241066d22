"""The archive of one place for one user: what a room or a person's conversation has in its hand.

`keep` stands on the way that thousands of lines go. The rest is asked now and then. XEP-0313, XEP-0045 7.2.13.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from transports.archive import reading
from transports.archive.values import Extent, History, Line, Page, Query, packed
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
        key: str = "",
        own: bool = False,
        stanza: str = "",
    ) -> None:
        """Archive a message. Never waits, never fails.

        id: its stanza-id, of `Ids`, which is its time; nick and content: finished XML (`values.Line`); key: the far side's id:
        what has one that is there already is not kept again; stanza: the id that the user gave it ('' for none), if it is
        his own
        """
        archives = self.archives
        archives.rows.append((self, id, packed(nick, occupant, content, own, stanza), key[:LONGEST_KEY] if key else None))
        if not archives.gathering:
            archives.gather()

    def recall(self, history: History, then: Callable[[Sequence[Line]], None]) -> bool:
        """Have the last lines read for a client that comes in; False when there is nothing to wait for, and `then` is not called.

        What is said after this call is not among them. `then` is called once, later, with the oldest first, or with none
        where they cannot be had in time.
        """
        most = self.backlog if history.stanzas is None else min(self.backlog, history.stanzas)
        if most <= 0 or history.none or self.archives.empty or self.archives.trouble:
            return False
        since = history.since or 0.0
        if history.seconds is not None:
            since = max(since, time.time() - history.seconds)
        start = int(since * 1000)
        try:
            reading_it = self.archives.ask(
                lambda connection: reading.recent(connection, self.archives.resolve(connection, self), most, start)
            )
        except LegacyError:
            return False
        self.archives.tasks.start(_recall(reading_it, then))
        return True

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


async def _recall(reading_it: Coroutine[Any, Any, list[Line]], then: Callable[[Sequence[Line]], None]) -> None:
    lines: Sequence[Line] = ()
    try:
        async with asyncio.timeout(PATIENCE):
            lines = await reading_it
    except (LegacyError, TimeoutError):
        log.debug("a history could not be read in time")
    finally:
        then(lines)
