"""Who uses a database file: daemons share a lock on `transports.db.lock` for their life, a restore has it alone (flock(2)).

Knows files only. A killed process lets go by itself; the lock file stays, empty.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from transports.store.errors import StoreError


def sqlite_path(url: str) -> Path | None:
    """The file of `sqlite:////absolute/path.db`; None for another kind of database."""
    kind, slashes, path = url.partition(":///")
    return Path(path) if slashes and kind.partition("+")[0] == "sqlite" else None


def use(database: Path) -> int:
    """Share the database with others that use it; a descriptor to be closed at the end. StoreError during a restore."""
    return _lock(database, fcntl.LOCK_SH, f"store: a restore of {database} is under way: start again when it has ended")


def alone(database: Path) -> int:
    """Have the database alone; a descriptor to be closed at the end. StoreError while a daemon runs."""
    return _lock(database, fcntl.LOCK_EX, f"store: {database} is in use: stop the gateway first")


def owner_of(database: Path) -> tuple[int, int]:
    """Whom files beside the database should belong to, when root makes them: user and group."""
    known = database if database.exists() else database.parent
    status = known.stat()
    return status.st_uid, status.st_gid


def _lock(database: Path, kind: int, refused: str) -> int:
    path = database.with_name(f"{database.name}.lock")
    try:
        descriptor = _open(path, database)
    except OSError as error:
        raise StoreError(f"store: cannot open {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreError(refused) from None
    return descriptor


def _open(path: Path, database: Path) -> int:
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags, 0o600)
    if os.geteuid() == 0:
        os.fchown(descriptor, *owner_of(database))
    return descriptor
