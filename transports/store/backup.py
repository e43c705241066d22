"""A copy of the database while the daemon runs, checked; and a copy put back, checked before anything is replaced.

For the command line: synchronous, its own connections, SQLite only. A backup is one file of mode 0600 without what was
deleted, and beside it, called as it with `.archive` and `.rooms` at the end, the archive of what was said and who was in which
room, if there are any. The secrets in it stay sealed: it is of use together with the store's key only, which is not in it.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import quote

from transports.archive import table
from transports.archive.table import FILE as ARCHIVE
from transports.roll import FILE as ROOMS
from transports.roll import VERSION as ROLL
from transports.store import lock, schema
from transports.store.errors import NewerDatabaseError, StoreError
from transports.store.vault import mark

T = TypeVar("T")

#: Seconds to wait for somebody who writes.
PATIENCE: Final = 30.0
_BESIDE: Final = ("-wal", "-shm", "-journal")
_ARCHIVED, _ROOMS = ".archive", ".rooms"


class Copy(NamedTuple):
    """A database as it was checked.

    key  whether the configured key is the one its secrets are sealed with: fits; other; none when it holds no mark of a key
    archive  the copy of the archive; None when there is none
    """

    path: Path
    size: int
    schema: str
    accounts: int
    secrets: int
    key: Literal["fits", "other", "none"]
    archive: Path | None = None


class Restored(NamedTuple):
    """`aside`: where the database that was replaced is now; None when there was none."""

    copy: Copy
    aside: Path | None


def backup(url: str, target: Path, key: bytes) -> Copy:
    """Copy the database at `url` to `target`, which must not exist; on disk and checked when this returns.

    key: the configured one, `Store.open_key().encode()`. When it does not fit, the copy is as good as the database; who
    calls should say so. Raises StoreError; then there is no `target`.
    """
    source = _path(url)
    if not source.exists():
        raise StoreError(f"store: there is no database at {source} yet")
    with (
        _held(lock.use(source)),
        _words(f"cannot write {target}"),
        _reserved(target),
        contextlib.ExitStack() as stack,
    ):
        along = [(kept, copied, check) for kept, copied, check in _along(source, target) if kept.exists()]
        for _, copied, _ in along:
            stack.enter_context(_reserved(copied))
        copy = stack.enter_context(_copied(source, "rw", target, key))
        parts = [(stack.enter_context(_part(kept, "rw", copied, check))[0], copied) for kept, copied, check in along]
        return _placed(copy, parts, target)


def restore(source: Path, url: str, key: bytes) -> Restored:
    """Put the copy `source` in the place of the database at `url`; what was there is kept aside.

    Refuses, with StoreError and nothing changed: while a daemon runs; a copy that is damaged, not ours, of a newer
    Transports, or whose secrets `key` does not open.
    """
    target = _path(url)
    with _words(f"cannot restore {source}"), _held(lock.alone(target)):
        if target.exists() and os.path.samefile(source, target):
            raise StoreError(f"store: {source} is the database itself")
        owner = lock.owner_of(target)
        along = [(kept, copied, check) for kept, copied, check in _along(target, source) if copied.exists()]
        with _copied(source, _reading(source), target, key, owner) as copy, contextlib.ExitStack() as stack:
            parts = [
                (stack.enter_context(_part(copied, _reading(copied), kept, check, owner))[0], kept)
                for kept, copied, check in along
            ]
            if copy.key == "other" and copy.secrets:
                raise StoreError(
                    f"store: the secrets in {source} were sealed with another key: restore the key that belongs to it first "
                    "(transports.key beside the database, or [store] key or key_file)"
                )
            for _, kept in parts:
                if kept.exists():
                    _put_aside(kept)
            aside = _put_aside(target) if target.exists() else None
            return Restored(_placed(copy, parts, target), aside)


def _along(database: Path, copy: Path) -> list[tuple[Path, Path, Callable[[sqlite3.Connection], None]]]:
    """What goes along with a database: the file beside it, the one beside the copy, and what tells whether it is any use."""
    archive, rooms = database.with_name(ARCHIVE), database.with_name(ROOMS)
    return [
        (archive, copy.with_name(copy.name + _ARCHIVED), lambda connection: _archived(connection, archive)),
        (rooms, copy.with_name(copy.name + _ROOMS), lambda connection: _roll(connection, rooms)),
    ]


# Copying --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _copied(
    source: Path, mode: str, target: Path, key: bytes, owner: tuple[int, int] | None = None
) -> Iterator[Copy]:
    """A checked copy in a file beside `target`, to be put in its place; gone afterwards when it was not."""
    source.stat()  # what is missing is said in the system's words
    with _part(source, mode, target, lambda connection: _checked(connection, source, key), owner) as (part, copy):
        yield copy._replace(path=part, size=part.stat().st_size)


@contextlib.contextmanager
def _part(
    source: Path,
    mode: str,
    target: Path,
    check: Callable[[sqlite3.Connection], T],
    owner: tuple[int, int] | None = None,
) -> Iterator[tuple[Path, T]]:
    """A copy in a file beside `target`, to be put in its place, and what `check` says of it; gone afterwards when it was not.

    owner: whom it is to belong to when root makes it. The folder may be that user's, so the file is never given by its name.
    """
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with closing(_connect(source, mode)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with closing(_connect(part, "ro&immutable=1")) as connection:
            found = check(connection)
        if not os.path.samestat(os.fstat(descriptor), part.lstat()):
            raise StoreError(f"store: {part} was replaced while it was written")
        if owner is not None and os.geteuid() == 0:
            os.fchown(descriptor, *owner)
        os.fsync(descriptor)
        yield part, found
    finally:
        os.close(descriptor)
        part.unlink(missing_ok=True)


def _placed(copy: Copy, parts: list[tuple[Path, Path]], target: Path) -> Copy:
    """parts: of what goes along, and where each belongs."""
    for part, beside in parts:
        part.replace(beside)
    copy.path.replace(target)
    _sync(target.parent)
    archive = next((beside for _, beside in parts if beside.name == ARCHIVE or beside.suffix == _ARCHIVED), None)
    return copy._replace(path=target, archive=archive)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=PATIENCE, isolation_level=None)
    connection.execute("PRAGMA trusted_schema=OFF").close()
    return connection


def _checked(connection: sqlite3.Connection, source: Path, key: bytes) -> Copy:
    """What there is in a copy; StoreError when it is no use."""
    damage = _one(connection, "PRAGMA integrity_check(1)")
    if damage != "ok":
        raise StoreError(f"store: {source} is damaged: {damage}")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    version = _one(connection, "SELECT version_num FROM alembic_version") if "alembic_version" in tables else None
    if version is None:
        raise StoreError(f"store: {source} is no database of Transports")
    _known(str(version), source)
    known = _one(connection, "SELECT value FROM meta WHERE key = 'key'") if "meta" in tables else None
    fits = known is not None and hmac.compare_digest(str(known), mark(key))
    counted = ("accounts", "secrets", "options WHERE sealed IS NOT NULL")
    accounts, secrets, more = (
        int(_one(connection, f"SELECT count(*) FROM {rows}")) if rows.split()[0] in tables else 0 for rows in counted
    )
    secrets += more
    return Copy(source, 0, str(version), accounts, secrets, "none" if known is None else "fits" if fits else "other")


def _archived(connection: sqlite3.Connection, source: Path) -> None:
    """StoreError when a copy of an archive is no use."""
    damage = _one(connection, "PRAGMA integrity_check(1)")
    if damage != "ok":
        raise StoreError(f"store: {source} is damaged: {damage}")
    found = table.version(connection)
    if not found:
        raise StoreError(f"store: {source} is no archive of Transports")
    if found > len(table.MIGRATIONS):
        raise NewerDatabaseError(f"store: {table.newer(source, found)}")


def _roll(connection: sqlite3.Connection, source: Path) -> None:
    """The same of who was in which room."""
    damage, found = _one(connection, "PRAGMA integrity_check(1)"), int(_one(connection, "PRAGMA user_version"))
    if damage != "ok" or not found:
        raise StoreError(f"store: {source} is damaged: {damage}")
    if found > ROLL:
        raise NewerDatabaseError(f"store: {source} was written by a newer Transports: install that version")


def _known(version: str, source: Path) -> None:
    if version == schema.HEAD:
        return
    from transports.store.migrations import upgrade  # here: Alembic costs 150 ms

    if not upgrade.knows(version):
        raise NewerDatabaseError(
            f"store: {source} was written by a newer Transports (its schema is {version!r}, this program's is "
            f"{schema.HEAD!r}): install that version"
        )


def _one(connection: sqlite3.Connection, query: str) -> Any:
    found = connection.execute(query).fetchone()
    return None if found is None else found[0]


# Files ----------------------------------------------------------------------------------------------------------------


def _path(url: str) -> Path:
    path = lock.sqlite_path(url)
    if path is None:
        raise StoreError("store: only SQLite is copied by this command; use the database's own (PostgreSQL: pg_dump)")
    return path


def _put_aside(database: Path) -> Path:
    """Keep what is there under another name, complete; it also stays where it is until it is replaced.

    Its log (-wal) goes with it, unread: left behind it would be taken for the next database's.
    """
    aside = database.with_name(f"{database.name}.before-restore-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    os.link(database, aside)
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{database}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _reading(source: Path) -> str:
    """How to open a copy: as nobody writes it, unless it has a log."""
    return "ro" if _beside(source) else "ro&immutable=1"


def _beside(database: Path) -> bool:
    return any(Path(f"{database}{suffix}").exists() for suffix in _BESIDE)


@contextlib.contextmanager
def _reserved(target: Path) -> Iterator[None]:
    """Keep the name `target`, an empty file until it is replaced; it goes when that fails."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _held(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _words(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"store: {what}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise StoreError(f"store: {what}: {error}") from error


def _sync(folder: Path) -> None:
    """A name that was given is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
