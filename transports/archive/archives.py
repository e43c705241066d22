"""The archives of all places and users: what is said is gathered, written in a thread of its own, and read there.

A row costs the loop one call and one append. What was gathered in a tenth of a second goes to the thread as one block,
and into the file by statements of many rows each: one of them binds its values while it has the interpreter, and gives it
up for the rest. A disk that is slow, full or broken never holds up the talk: rows wait, up to a bound, then the oldest are
gone, and one line says so.

The file is opened, and made, when there is something to write; a gateway that archives nothing has none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from transports.archive import purging, table
from transports.archive.place import Archive
from transports.archive.values import USUAL, Retention
from transports.errors import LegacyError
from transports.events import Address
from transports.log import kv
from transports.tasks import Tasks
from transports.words import say

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that rows are gathered.
GATHER: Final = 0.1
#: Rows that may wait for the disk, and their characters; beyond, the oldest are dropped.
WAITING, WAITING_SIZE = 100_000, 32_000_000
#: Rows of one statement, the largest first: each has a statement of its own in the connection's cache.
BLOCKS: Final = (128, 16, 1)
#: Seconds until a disk that failed is tried again: doubled each time, up to the last.
AGAIN, AT_LAST = 1.0, 60.0
#: Seconds after which a disk that still writes the same is stuck: what is said then waits here, where it is bounded.
STUCK: Final = 5.0
#: Questions that may wait for the thread; beyond, whoever asks is told to come later.
QUESTIONS: Final = 1_000
#: Seconds for what waits to be written at the end.
FAREWELL: Final = 3.0

#: What `Archive.keep` makes: archive, id, line (`values.packed`), the far side's id.
Row: TypeAlias = tuple[Archive, str, str, str | None]

_INSERT: Final = "INSERT OR IGNORE INTO messages (id, place, line, far) VALUES "
_STATEMENTS: Final = {size: _INSERT + ", ".join(["(?, ?, ?, ?)"] * size) for size in BLOCKS}


class Archives:
    """`path`: of the file. `trouble`: why nothing can be archived now, '' when all is well."""

    def __init__(self, path: Path, retention: Retention = USUAL) -> None:
        self.path = path
        self.retention = retention
        self.trouble = ""
        self.tasks = Tasks("archive")
        #: Rows that wait to be written; `Archive.keep` appends.
        self.rows: list[Row] = []
        #: Whether somebody will look at `rows`.
        self.gathering = False
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._asked = 0
        self._handed = 0  # rows that the thread has and has not written
        self._handed_at = 0.0  # when it was given the first of them, or last wrote some
        self._dropped = 0
        self._again = AGAIN
        self._holding = 0.0  # no writing before this time of the loop
        self._broken = False
        self._closed = False
        self._epoch = 0  # places found before it are to be looked up again

    def of(self, bridge: str, user: str, place: Address, backlog: int = 0) -> Archive:
        """The archive of a place for a user (bare JID). Cheap: it opens nothing. backlog: lines of history for who comes in."""
        return Archive(self, bridge, user, f"{place.kind} {place.name}", backlog)

    @property
    def empty(self) -> bool:
        """Nothing was ever archived."""
        return self._connection is None and not self.rows and not self.path.exists()

    # Writing ------------------------------------------------------------------------------------------------------

    def gather(self) -> None:
        """The first row waits: have it written soon."""
        self.gathering = True
        asyncio.get_running_loop().call_later(GATHER, self._gathered)

    def _gathered(self) -> None:
        self.gathering = False
        if self._broken:
            self.rows.clear()
            return
        self._bound()
        if self._handed or asyncio.get_running_loop().time() < self._holding:
            if self.rows:
                self.gather()
        else:
            self._flush()

    def _bound(self) -> None:
        """Rows beyond what may wait go, the oldest first."""
        rows = self.rows
        if len(rows) > WAITING or (len(rows) > 1_000 and sum(len(row[2]) for row in rows) > WAITING_SIZE):
            cut = max(len(rows) // 4, len(rows) - WAITING)
            del rows[:cut]
            if not self._dropped:
                log.error(kv("the archive's disk does not keep up: the oldest lines are dropped", path=self.path))
            self._dropped += cut

    def _flush(self) -> None:
        """Hand on what waits. Questions that follow see it."""
        if not self.rows or self._closed:
            return
        rows, self.rows = self.rows, []
        if not self._handed:
            self._handed_at = asyncio.get_running_loop().time()
        self._handed += len(rows)
        asyncio.get_running_loop().run_in_executor(self._executor(), self._write, rows).add_done_callback(
            lambda future: self._wrote(rows, future)
        )

    def _wrote(self, rows: list[Row], future: asyncio.Future[int]) -> None:
        self._handed -= len(rows)
        if future.cancelled():
            return
        self._handed_at = asyncio.get_running_loop().time()
        error = future.exception()
        if error is None:
            if lost := future.result():
                log.error(kv("lines could not be archived", count=lost))
            self._well()
        elif not self._broken:
            self.rows[:0] = rows
            self._failed(error)

    def _well(self) -> None:
        if self.trouble or self._dropped:
            log.info(kv("the archive works again", path=self.path, lost=self._dropped))
        self.trouble, self._again, self._dropped = "", AGAIN, 0

    def _failed(self, error: BaseException) -> None:
        """The disk is full, away or broken: one line when it begins."""
        if self._broken:
            return
        if table.is_final(error):
            self._broken = True
            self.rows.clear()
            log.error(kv("nothing is archived until the next start", path=self.path, error=error))
        elif not self.trouble:
            log.error(kv("the archive cannot be written now", path=self.path, error=error))
        self.trouble = str(error) or type(error).__name__
        loop = asyncio.get_running_loop()
        self._holding = loop.time() + self._again
        self._again = min(AT_LAST, 2 * self._again)
        if self.rows and not self.gathering:
            self.gather()

    def _executor(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "archive")
        return self._thread

    # In the thread ------------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = table.connect(self.path)
        return self._connection

    def _write(self, rows: Sequence[Row]) -> int:
        """Insert rows, all or none; how many of them no database could hold."""
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            lost = at = 0
            for size in BLOCKS:
                while len(rows) - at >= size:
                    lost += self._insert(connection, rows[at : at + size])
                    at += size
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._epoch += 1  # places that were made in it are not there
            raise
        return lost

    def _insert(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
        values: list[object] = []
        epoch = self._epoch
        try:
            for archive, id, line, far in rows:
                place = archive.place if archive.epoch == epoch else self.resolve(connection, archive, True)
                values += (int(id, 16), place, line, far)
            connection.execute(_STATEMENTS[len(rows)], values)
        except (ValueError, OverflowError):  # an odd id, or half of a character
            if len(rows) == 1:
                return 1
            return sum(self._insert(connection, (row,)) for row in rows)
        return 0

    def resolve(self, connection: sqlite3.Connection, archive: Archive, make: bool = False) -> int | None:
        """The number of an archive's place; None while there is none."""
        if archive.epoch != self._epoch or archive.place is None:
            key = (archive.user, archive.bridge, archive.name)
            query = "SELECT place FROM places WHERE owner = ? AND bridge = ? AND name = ?"
            found = connection.execute(query, key).fetchone()
            if found is None and make:
                connection.execute("INSERT INTO places (owner, bridge, name) VALUES (?, ?, ?)", key)
                found = connection.execute(query, key).fetchone()
            archive.place = int(found[0]) if found is not None else None
            archive.epoch = self._epoch if found is not None else -1
        return archive.place

    # Reading ------------------------------------------------------------------------------------------------------

    def ask(self, work: Callable[[sqlite3.Connection], T]) -> Coroutine[Any, Any, T]:
        """Have a question answered in the thread: it sees all that was said before this call, and nothing that is said after.

        LegacyError with words, now or when it is awaited, when it cannot be answered.
        """
        if self._broken or self._closed:
            raise LegacyError("internal-server-error", say("archive.away"))
        if self._asked >= QUESTIONS:
            raise LegacyError("resource-constraint", say("gate.busy"), retry_after=10)
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._holding and not (self._handed and now - self._handed_at > STUCK):
            self._flush()
        self._asked += 1
        return self._answer(loop.run_in_executor(self._executor(), lambda: work(self._open())))

    async def _answer(self, answering: asyncio.Future[T]) -> T:
        try:
            answer = await answering
        except Exception as error:
            if not table.is_trouble(error):
                raise
            self._failed(error)
            raise LegacyError("internal-server-error", say("archive.away")) from error
        finally:
            self._asked -= 1
        if self.trouble and not self.rows:
            self._well()
        return answer

    # Forgetting ---------------------------------------------------------------------------------------------------

    async def holds(self, bridge: str, user: str) -> bool:
        """Whether anything is archived for a user (bare JID)."""
        return not self.empty and bool(await self.ask(lambda connection: purging.places_of(connection, bridge, user, None)))

    async def forget(self, bridge: str, user: str, place: Address | None = None) -> None:
        """Delete what is archived for a user (bare JID): all of a bridge, or one place. Gone from the disk afterwards."""
        if self.empty:
            return
        name = f"{place.kind} {place.name}" if place is not None else None

        places = await self.ask(lambda connection: purging.places_of(connection, bridge, user, name))
        await self._step(lambda connection: bool(places) and purging.forget(connection, places))
        await self.ask(purging.wipe)

    async def purge(self) -> None:
        """Forget what is older, or more, than is to be kept; in small steps, others come between."""
        if self.empty or self._broken:
            return
        now = int(time.time() * 1000)
        steps = await self.ask(lambda connection: purging.plan(connection, self.retention, now))
        for step in steps:
            await self._step(step)
        if steps:
            await self.ask(purging.shrink)

    async def _step(self, step: purging.Step) -> None:
        """Do a piece of forgetting to its end. Places may be gone after each part of it."""

        def part(connection: sqlite3.Connection) -> bool:
            try:
                return step(connection)
            finally:
                self._epoch += 1

        while await self.ask(part):
            pass

    async def close(self) -> None:
        """Write what waits, within a bound, and close the file. A second time does nothing."""
        if self._closed:
            return
        await self.tasks.end()
        self._flush()
        self._closed = True
        if self._thread is not None:
            ending = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            done, _ = await asyncio.wait([ending], timeout=FAREWELL)
            if not done:
                log.error(kv("the archive's disk does not answer: the last lines may be lost", path=self.path))
            self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
