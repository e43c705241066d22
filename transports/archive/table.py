"""The archive's file: how it is opened, its tables, and how they are brought up to date.

Plain `sqlite3`: a host that bridges IRC alone must not need more. WAL, and no full sync: a crash of the machine may cost
the last moments of talk, a crash of the gateway nothing. Never used but from the archive's own thread, which imports the
library, too: it has 1.3 MB.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

#: Its name, beside the database.
FILE: Final = "archive.db"
#: Bytes of a page of the file that stay in memory.
CACHE: Final = 2_000_000
#: Pages that the log (-wal) may hold before they are copied into the file.
LOG: Final = 4_000
#: Milliseconds to wait for another process (a backup) that reads or writes.
BUSY: Final = 5000

#: `id` is the stanza-id as a number: time, and unique over all places. `line` is what `values.packed` makes of a message; few
#: columns and one index, as each of them costs a tenth of a microsecond a row. `far`: the far side's id.
_FIRST: Final = """
CREATE TABLE places (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    bridge TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (owner, bridge, name)
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    line TEXT NOT NULL,
    far TEXT
);
CREATE INDEX messages_of_a_place ON messages (place);
CREATE UNIQUE INDEX messages_of_the_far_side ON messages (place, far) WHERE far IS NOT NULL;
"""
#: What makes each version of the one before it; the first of nothing.
MIGRATIONS: Final = (_FIRST,)


class Newer(Exception):
    """The file was written by a newer Transports."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made now if need be (0600) and brought up to date. Raises sqlite3.Error, OSError, Newer."""
    import sqlite3  # here: who archives nothing has no need of it

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # SQLite gives -wal and -shm the same mode
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY / 1000)
    try:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL").close()  # counts only while the file is empty
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=NORMAL").close()
        connection.execute(f"PRAGMA cache_size=-{CACHE // 1000}").close()
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG}").close()
        connection.execute("PRAGMA trusted_schema=OFF").close()
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def is_trouble(error: BaseException) -> bool:
    """Whether the disk or the file is at fault, not the program."""
    import sqlite3

    return isinstance(error, sqlite3.Error | OSError | Newer)


def is_final(error: BaseException) -> bool:
    """Whether trying again would be of no use: a newer file, or one that is no database (any more)."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, Newer) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def version(connection: sqlite3.Connection) -> int:
    """Of the tables; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def newer(path: Path, found: int) -> str:
    """Words about a file that cannot be used."""
    return (
        f"{path} was written by a newer Transports (its schema is {found}, this program's is {len(MIGRATIONS)}): "
        "install that version"
    )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    found = version(connection)
    if found > len(MIGRATIONS):
        raise Newer(newer(path, found))
    for at in range(found, len(MIGRATIONS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[at].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={at + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
