"""One database, one thread that uses it, commits shared by all who wait.

Nothing here knows a table's meaning. SQLAlchemy Core is synchronous; it runs in a thread of its own, one transaction at a
time. Work that arrives while a commit is under way is written together in the next one: a full sync costs the same for
one row as for a hundred, so several hundred acknowledged rows a second fit on one core.

Importing this file imports SQLAlchemy (200 ms, 14 MB): only a process that has something to store does (`store/shelf`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from transports.errors import LegacyError
from transports.store import schema
from transports.store.errors import NewerDatabaseError, StoreError
from transports.words import say

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Work waiting for the thread beyond this is refused: the disk does not keep up.
BACKLOG: Final = 10_000
#: Pieces of work in one transaction: bounds how long the first of them waits for the last.
BATCH: Final = 256
#: Milliseconds to wait for another process that writes.
BUSY: Final = 5000


#: One connection for the one thread; no value of a statement in a log or in the text of an error.
_ENGINE: Final[dict[str, Any]] = {"pool_size": 1, "max_overflow": 0, "hide_parameters": True}


class _Work(NamedTuple):
    call: Callable[[sa.Connection], Any]
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    value: Any
    error: BaseException | None


class Database:
    """An open database. Made by `open_database`; used from one event loop."""

    def __init__(self, engine: sa.Engine, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._thread = thread
        self._waiting: deque[_Work] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def run(self, call: Callable[[sa.Connection], T]) -> asyncio.Future[T]:
        """Run `call` in the next transaction; the future is done when it is committed (on disk) or has failed.

        Calls run in the order given. One that raises is rolled back alone. Cancelling the future does not undo the call.
        The future raises LegacyError(resource-constraint) when too much waits, StoreError after close.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed:
            future.set_exception(StoreError("the database is closed"))
        elif len(self._waiting) >= BACKLOG:
            future.set_exception(LegacyError("resource-constraint", say("queue.disk"), retry_after=60))
        else:
            self._waiting.append(_Work(call, future))
            if self._idle.is_set():
                self._idle.clear()
                self._next(loop)
        return future

    async def fold(self) -> None:
        """Fold SQLite's log into the file and empty it, so that what was deleted is on the disk no more. If a reader
        is in the way it is left to a later time, at the latest to the close."""
        if not self._closed:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._fold)

    async def close(self) -> None:
        """Commit what waits, then close the file and end the thread. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=True)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        if not batch:
            self._idle.set()
            return
        done = loop.run_in_executor(self._thread, self._transact, [work.call for work in batch])
        done.add_done_callback(lambda finished: self._finished(loop, batch, finished.result()))

    def _finished(self, loop: asyncio.AbstractEventLoop, batch: list[_Work], outcomes: list[_Outcome]) -> None:
        for work, outcome in zip(batch, outcomes, strict=True):
            if work.future.cancelled():
                continue
            if outcome.error is not None:
                work.future.set_exception(outcome.error)
            else:
                work.future.set_result(outcome.value)
        self._next(loop)

    def _transact(self, calls: list[Callable[[sa.Connection], Any]]) -> list[_Outcome]:
        """In the thread: all calls in one transaction, each in a savepoint; never raises."""
        try:
            with self._engine.begin() as connection:
                outcomes = [_attempt(connection, call) for call in calls]
        except Exception as error:
            log.error("database: transaction of %d failed: %s", len(calls), error)
            return [_Outcome(None, error) for _ in calls]
        return outcomes

    def _fold(self) -> None:
        """In the thread, outside of any transaction."""
        if self._engine.dialect.name != "sqlite":
            return
        try:
            with contextlib.closing(self._engine.raw_connection()) as connection:
                for statement in ("busy_timeout=100", "wal_checkpoint(TRUNCATE)", f"busy_timeout={BUSY}"):
                    connection.cursor().execute(f"PRAGMA {statement}").fetchall()
        except Exception as error:
            log.error("database: the log cannot be folded: %s", error)


def _attempt(connection: sa.Connection, call: Callable[[sa.Connection], Any]) -> _Outcome:
    try:
        with connection.begin_nested():
            return _Outcome(call(connection), None)
    except Exception as error:
        return _Outcome(None, error)


def storable(text: str) -> str:
    """`text` as every database takes it: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


async def open_database(url: str) -> Database:
    """Open `url` ("sqlite:////absolute/path.db", "postgresql+psycopg://…"), creating or migrating it; raises StoreError.

    A path of SQLite's must be absolute: whoever reads the configuration knows what relative paths are relative to.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="store")
    try:
        engine = await asyncio.get_running_loop().run_in_executor(thread, _prepare, url)
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return Database(engine, thread)


def _prepare(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else sa.create_engine(parsed, **_ENGINE)
        try:
            with engine.begin() as connection:
                _migrate(connection)
        except BaseException:
            engine.dispose()
            raise
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise StoreError(f"store: cannot use the database {_shown(url)}: {_words(error)}") from error
    return engine


def _migrate(connection: sa.Connection) -> None:
    """Create, recognise or upgrade the schema, in one transaction."""
    version = _version(connection)
    if version == schema.HEAD:
        return
    if version is None:
        _create(connection)
        return
    from transports.store.migrations import upgrade

    if not upgrade.knows(version):
        raise NewerDatabaseError(
            f"store: the database was written by a newer Transports (its schema is {version!r}, this program's is "
            f"{schema.HEAD!r}): install that version or restore a backup made before the upgrade"
        )
    log.info("store: migrating the database from schema %s to %s", version, schema.HEAD)
    upgrade.upgrade(connection)


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(schema.alembic_version.name):
        return None
    return connection.execute(sa.select(schema.alembic_version.c.version_num)).scalar()


def _create(connection: sa.Connection) -> None:
    if sa.inspect(connection).get_table_names():
        raise StoreError("store: the database holds tables that are not ours: give Transports a database of its own")
    schema.metadata.create_all(connection)
    schema.alembic_version.create(connection)
    connection.execute(sa.insert(schema.alembic_version), {"version_num": schema.HEAD})


def _sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or not os.path.isabs(url.database):
        raise StoreError(f"store: {_shown(str(url))} must name a file by its absolute path")
    # The mode is set before anything is in the file; SQLite gives its -wal and -shm files the same.
    descriptor = os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY / 1000}, **_ENGINE)
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _configure(connection: Any, _record: Any) -> None:
    """Every connection: what is acknowledged is on the disk."""
    connection.isolation_level = None  # sqlite3 would begin transactions by itself, late and not for every statement
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
    except BaseException:
        connection.close()  # the pool has not taken it yet: nobody else would
        raise


def _shown(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "in store.url"


def _words(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
