"""Files that are served to others for a while: whose they are, what they are, until when. The bytes are elsewhere.

Rows of one process's bridges together: names are unguessable and unique among all. When an owner unregisters, the row stays
without owner and file name, expired, until whoever keeps the bytes has removed them (`expired`, then `remove`).
"""

from __future__ import annotations

import time
from asyncio import Future
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from transports.errors import LegacyError
from transports.store.database import Database, storable
from transports.store.schema import files as table
from transports.words import say

_COLUMNS: Final = table.c


class StoredFile(NamedTuple):
    """name: as in the URL; filename: what it is called; size in bytes; sha256 in hexadecimal; times: seconds since the epoch."""

    name: str
    bridge: str
    owner: str
    filename: str
    type: str
    size: int
    sha256: str
    created: float
    expires: float


_SELECT: Final = sa.select(*(_COLUMNS[field] for field in StoredFile._fields))


class Files:
    """The files of all bridges."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def put(self, file: StoredFile, most: int | None = None) -> Future[None]:
        """Add a file, on disk when done. `most`: bytes that its owner may have in all; LegacyError(resource-constraint) beyond.

        A name that is there already is an error (sqlalchemy's IntegrityError): names are to be unguessable.
        """

        def work(connection: sa.Connection) -> None:
            if most is not None and _total(connection, _COLUMNS.owner == file.owner) + file.size > most:
                raise LegacyError("resource-constraint", say("store.files-full"), retry_after=3600)
            connection.execute(sa.insert(table), {**file._asdict(), "filename": storable(file.filename)})

        return self._database.run(work)

    def get(self, name: str) -> Future[StoredFile | None]:
        """The file of this name; None when there is none, or its time is over."""
        query = _SELECT.where(_COLUMNS.name == name, _COLUMNS.expires > self._clock())
        return self._database.run(lambda connection: next(iter(_files(connection, query)), None))

    def expired(self, limit: int = 100) -> Future[list[StoredFile]]:
        """Files whose time is over, the oldest first: to be removed by whoever keeps the bytes, then here."""
        query = _SELECT.where(_COLUMNS.expires <= self._clock()).order_by(_COLUMNS.expires).limit(limit)
        return self._database.run(lambda connection: _files(connection, query))

    def remove(self, names: Collection[str]) -> Future[None]:
        chosen = sa.delete(table).where(_COLUMNS.name.in_(list(names)))

        def work(connection: sa.Connection) -> None:
            connection.execute(chosen)

        return self._database.run(work)

    def of(self, owner: str) -> Future[list[StoredFile]]:
        """A user's files, the oldest first; expired ones too."""
        query = _SELECT.where(_COLUMNS.owner == owner).order_by(_COLUMNS.created, _COLUMNS.name)
        return self._database.run(lambda connection: _files(connection, query))

    def total(self, owner: str | None = None) -> Future[int]:
        """Bytes of a user's files, of all files for None; expired ones count until they are removed."""
        where = sa.true() if owner is None else _COLUMNS.owner == owner
        return self._database.run(lambda connection: _total(connection, where))


def _total(connection: sa.Connection, where: sa.ColumnElement[bool]) -> int:
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(_COLUMNS.size), 0)).where(where)).scalar_one())


def _files(connection: sa.Connection, query: sa.Select[Any]) -> list[StoredFile]:
    rows: Any = connection.execute(query)
    return [StoredFile(*found) for found in rows]
