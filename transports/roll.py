"""Who is in which room, so that it outlives the process: the rooms of live bridges, and the clients in them.

A file of its own beside the database, in plain `sqlite3`: a host that bridges IRC alone must not need more. What happens is
noted by one append, gathered for a moment, and written in a thread: one transaction for a thousand joins. A disk that fails
never holds anybody up; then a crash forgets what could not be written.

Nothing is in it that others could use but the keys of channels, which are sealed as other secrets are (`store/vault`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from transports.events import Address
from transports.log import kv

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

#: The name of the file, beside the database.
FILE: Final = "rooms.db"
#: Seconds that changes are gathered; seconds between two notes that we live.
GATHER, BEAT = 0.2, 15.0
#: Changes that may wait for the disk.
WAITING: Final = 100_000
#: Seconds for which clients may think that they are in a room of a gateway that is away (XEP-0410: they ask).
REMEMBERED: Final = 3_600.0
#: Seconds for the last changes at the end.
FAREWELL: Final = 3.0
VERSION: Final = 1

_TABLES: Final = """
CREATE TABLE rooms (
    bridge TEXT NOT NULL, owner TEXT NOT NULL, room TEXT NOT NULL, nick TEXT NOT NULL, key BLOB, since REAL,
    PRIMARY KEY (bridge, owner, room)
) WITHOUT ROWID;
CREATE TABLE clients (
    bridge TEXT NOT NULL, owner TEXT NOT NULL, room TEXT NOT NULL, jid TEXT NOT NULL, name TEXT NOT NULL, wanted TEXT NOT NULL,
    PRIMARY KEY (bridge, owner, room, jid)
) WITHOUT ROWID;
CREATE TABLE alive (bridge TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
"""

_ROOM: Final = "INSERT OR REPLACE INTO rooms (bridge, owner, room, nick, key, since) VALUES (?, ?, ?, ?, ?, NULL)"
_CLIENT: Final = "INSERT OR REPLACE INTO clients (bridge, owner, room, jid, name, wanted) VALUES (?, ?, ?, ?, ?, ?)"
_NICK: Final = "UPDATE rooms SET nick = ?4 WHERE bridge = ?1 AND owner = ?2 AND room = ?3"
_SINCE: Final = "UPDATE rooms SET since = ?4 WHERE bridge = ?1 AND owner = ?2 AND room = ?3 AND since IS NULL"
_GONE: Final = "DELETE FROM clients WHERE bridge = ? AND owner = ? AND room = ? AND jid = ?"
_ALONE: Final = "DELETE FROM clients WHERE bridge = ? AND owner = ? AND room = ?"
_LEFT: Final = "DELETE FROM rooms WHERE bridge = ? AND owner = ? AND room = ?"
_ALIVE: Final = "INSERT OR REPLACE INTO alive (bridge, at) VALUES (?, ?)"


class Stayed(NamedTuple):
    """A client that was in a room: its full JID, the bare JID it joined under, the nick it wanted (a resource)."""

    jid: str
    name: str
    wanted: str


class Stay(NamedTuple):
    """A room that a user (bare JID) was in; what was said after `since` (seconds since the epoch) is not known here."""

    user: str
    room: Address
    nick: str
    password: str
    since: float
    clients: Sequence[Stayed]


class Sealer(Protocol):
    """`store.vault.Vault`, as far as it is needed."""

    def seal(self, text: str, *place: str) -> tuple[bytes, bytes]: ...

    def open(self, nonce: bytes, sealed: bytes, *place: str) -> str: ...


class Roll:
    """`bridge`: its name in the store; `key`: the store's key."""

    def __init__(self, path: Path, bridge: str, key: bytes) -> None:
        self.path = path
        self._bridge = bridge
        self._key = key
        self._vault: Sealer | None = None
        self._changes: list[tuple[str, tuple[Any, ...]]] = []
        self._gathering: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._trouble = False
        self._writing = False
        self._closed = False

    # What happens -------------------------------------------------------------------------------------------------

    def entered(self, user: str, room: Address, nick: str, password: str) -> None:
        """The user is in a room, for the first time or again."""
        sealed = self._seal(user, room, password) if password else None
        self._note(_ROOM, (self._bridge, user, room.name, nick, sealed))

    def called(self, user: str, room: Address, nick: str) -> None:
        self._note(_NICK, (self._bridge, user, room.name, nick))

    def interrupted(self, user: str, room: Address, since: float) -> None:
        """Nothing of what is said there comes to us any more."""
        self._note(_SINCE, (self._bridge, user, room.name, since))

    def left(self, user: str, room: Address) -> None:
        self.alone(user, room)
        self._note(_LEFT, (self._bridge, user, room.name))

    def came(self, user: str, room: Address, client: Stayed) -> None:
        """A client is in a room."""
        self._note(_CLIENT, (self._bridge, user, room.name, *client))

    def gone(self, user: str, room: Address, jid: str) -> None:
        self._note(_GONE, (self._bridge, user, room.name, jid))

    def alone(self, user: str, room: Address) -> None:
        """No client is in a room any more."""
        self._note(_ALONE, (self._bridge, user, room.name))

    def _note(self, statement: str, values: tuple[Any, ...]) -> None:
        self._changes.append((statement, values))
        if self._gathering is None and not self._closed:
            self._gathering = asyncio.get_running_loop().call_later(GATHER, self._flush)

    # Writing ------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._gathering = None
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if self._writing:  # a disk that hangs is given no more
            del self._changes[:-WAITING]
            self._gathering = loop.call_later(GATHER, self._flush)
            return
        changes, self._changes = self._changes, []
        self._writing = True
        loop.run_in_executor(self._executor(), self._write, changes).add_done_callback(lambda done: self._wrote(changes, done))
        if self._beat is None:
            self._beat = loop.call_later(BEAT, self._beaten)

    def _beaten(self) -> None:
        self._beat = None
        self._flush()

    def _wrote(self, changes: list[tuple[str, tuple[Any, ...]]], done: asyncio.Future[None]) -> None:
        self._writing = False
        error = done.exception() if not done.cancelled() else None
        if error is None:
            self._trouble = False
            return
        if not self._trouble:
            log.error(kv("who is in which room cannot be written now", path=self.path, error=error))
        self._trouble = True
        self._changes[:0] = changes
        del self._changes[:-WAITING]

    def _executor(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "roll")
        return self._thread

    def _write(self, changes: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            at = 0
            while at < len(changes):
                statement = changes[at][0]
                end = at
                while end < len(changes) and changes[end][0] is statement:
                    end += 1
                connection.executemany(statement, [values for _, values in changes[at:end]])
                at = end
            connection.execute(_ALIVE, (self._bridge, time.time()))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            import sqlite3  # here: a host where nobody is in a room has no need of it

            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            try:
                connection.execute("PRAGMA journal_mode=WAL").close()
                connection.execute("PRAGMA synchronous=NORMAL").close()
                connection.execute("PRAGMA secure_delete=ON").close()
                connection.execute("PRAGMA trusted_schema=OFF").close()
                _migrate(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    # Reading ------------------------------------------------------------------------------------------------------

    async def load(self) -> list[Stay]:
        """Everything that was true when the process ended. What cannot be read is told in the log, and nobody comes back."""
        if not self.path.exists():
            return []
        import sqlite3

        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor(), self._read)
        except (sqlite3.Error, OSError) as error:
            log.error(kv("who was in which room cannot be read", path=self.path, error=error))
            return []

    def _read(self) -> list[Stay]:
        connection = self._open()
        found = connection.execute("SELECT at FROM alive WHERE bridge = ?", (self._bridge,)).fetchone()
        alive = float(found[0]) if found is not None else time.time()
        clients: dict[tuple[str, str], list[Stayed]] = {}
        query = "SELECT owner, room, jid, name, wanted FROM clients WHERE bridge = ?"
        fresh = time.time() - alive < REMEMBERED
        for owner, room, *client in connection.execute(query, (self._bridge,)) if fresh else ():
            clients.setdefault((owner, room), []).append(Stayed(*client))
        stays = []
        for owner, room, nick, key, since in connection.execute(
            "SELECT owner, room, nick, key, since FROM rooms WHERE bridge = ?", (self._bridge,)
        ):
            place = Address("room", room)
            password = self._unseal(owner, place, key) if key is not None else ""
            stays.append(Stay(owner, place, nick, password, since or alive, clients.get((owner, room), ())))
        return stays

    # Keys ---------------------------------------------------------------------------------------------------------

    def _seal(self, user: str, room: Address, password: str) -> bytes:
        nonce, sealed = self._cipher().seal(password, self._bridge, user, room.name, "channel key")
        return nonce + sealed

    def _unseal(self, user: str, room: Address, stored: bytes) -> str:
        from transports.store.errors import StoreError

        try:
            return self._cipher().open(stored[:12], stored[12:], self._bridge, user, room.name, "channel key")
        except StoreError:
            log.error(kv("the key of a room does not open", bridge=self._bridge))
            return ""

    def _cipher(self) -> Sealer:
        if self._vault is None:
            # imported here: most rooms have no key, and a host that bridges IRC alone does without the cipher's library
            from transports.store.vault import Vault

            self._vault = Vault(self._key)
        return self._vault

    # The end ------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Write what waits, within a bound, and close the file."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._gathering, self._beat):
            if timer is not None:
                timer.cancel()
        if self._thread is not None or self._changes:
            ending = asyncio.get_running_loop().run_in_executor(self._executor(), self._end, self._changes)
            done, _ = await asyncio.wait([ending], timeout=FAREWELL)
            if not done or ending.exception() is not None:
                log.error(kv("who is in which room may not be written", path=self.path))
            self._executor().shutdown(wait=False)

    def _end(self, changes: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        try:
            if changes or self._connection is not None:
                self._write(changes)
        finally:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    import sqlite3

    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise sqlite3.DatabaseError(f"{path} was written by a newer Transports")
    if found < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")


class NoRoll:
    """Where nothing outlives the process."""

    def entered(self, user: str, room: Address, nick: str, password: str) -> None: ...

    def called(self, user: str, room: Address, nick: str) -> None: ...

    def interrupted(self, user: str, room: Address, since: float) -> None: ...

    def left(self, user: str, room: Address) -> None: ...

    def came(self, user: str, room: Address, client: Stayed) -> None: ...

    def gone(self, user: str, room: Address, jid: str) -> None: ...

    def alone(self, user: str, room: Address) -> None: ...


NO_ROLL: Final = NoRoll()
