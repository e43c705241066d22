"""Files that we keep and serve ourselves, for users whose server takes no uploads: the bytes, in a folder beside the database.

Names are unguessable: whoever knows one may have the file, nobody else can find it. What a file is called, whose it is and when
its time is over stands in the store (`store/files`). A file is written aside, synced and renamed before its row is there; what a
crash leaves without a row goes at the next start. The folder is ours alone (0700, files 0600).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote

from transports.errors import LegacyError
from transports.log import kv
from transports.words import say

log = logging.getLogger(__name__)

#: Bytes of all files together, and of one user's.
ROOM, OWN_ROOM = 2**30, 2**28
#: Random bytes in a name: 192 bits.
_RANDOM: Final = 24
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{32}")
#: Seconds after which a file without a row is nobody's.
STRAY: Final = 3_600.0
DAY: Final = 86_400.0


class Rows(Protocol):
    """What is needed of `store.files.Files`; rows are `store.files.StoredFile`."""

    def put(self, file: Any, most: int | None = None) -> Awaitable[None]: ...

    def get(self, name: str) -> Awaitable[Any]: ...

    def expired(self, limit: int = 100) -> Awaitable[list[Any]]: ...

    def remove(self, names: Collection[str]) -> Awaitable[None]: ...

    def total(self, owner: str | None = None) -> Awaitable[int]: ...


class Depot:
    """folder: made when the first file comes. url: where /files/ is seen from outside. keep: days.

    rows: opens the store, and gives its files; a host that keeps no files does not need it
    """

    def __init__(self, folder: Path, url: str, keep: int, rows: Callable[[], Awaitable[Rows]]) -> None:
        self._folder = folder
        self._url = url
        self._keep = keep * DAY
        self._rows = rows
        self._tidied = False

    async def put(self, bridge: str, user: str, data: bytes, filename: str, type: str) -> str:
        """Keep a file for a user of a bridge; its URL. LegacyError when there is no room.

        filename: a safe one (`media.safe_name`)
        """
        # imported here, as in `app`: a host that keeps no files does without SQLAlchemy
        from transports.store.files import StoredFile

        rows = await self._rows()
        if await rows.total() + len(data) > ROOM:
            log.warning(kv("no more room for files", folder=self._folder, most=ROOM))
            raise LegacyError("resource-constraint", say("files.full"), retry_after=3_600)
        name, now = secrets.token_urlsafe(_RANDOM), time.time()
        try:
            sha256 = await asyncio.to_thread(self._write, name, data)
        except OSError as error:
            log.error(kv("a file cannot be written", folder=self._folder, error=error.strerror or str(error)))
            raise LegacyError("resource-constraint", say("files.full"), retry_after=3_600) from None
        row = StoredFile(name, bridge, user, filename, type, len(data), sha256, now, now + self._keep)
        try:
            await rows.put(row, OWN_ROOM)
        except BaseException:
            self._path(name).unlink(missing_ok=True)
            raise
        return f"{self._url}/files/{name}/{quote(filename)}"

    async def find(self, name: str, filename: str) -> tuple[Path, Any] | None:
        """The path and the row of a file that may be had under these names."""
        path = self._path(name) if _NAME.fullmatch(name) else None
        if path is None or not path.is_file():
            return None  # who guesses costs the store nothing; where there never was a file it stays closed
        row = await (await self._rows()).get(name)
        return (path, row) if row is not None and row.filename == filename else None

    async def read(self, url: str) -> tuple[bytes, str] | None:
        """The bytes and the type behind a URL of ours; None when it is none, or its time is over."""
        place, _, name = url.partition("/files/")
        if place != self._url or name.count("/") != 1:
            return None
        found = await self.find(name.partition("/")[0], unquote(name.partition("/")[2]))
        if found is None:
            return None
        try:
            return await asyncio.to_thread(found[0].read_bytes), found[1].type
        except OSError:
            return None  # its time was over just now

    async def sweep(self) -> None:
        """Remove what is over; now and then. What a crash has left, once."""
        if not self._folder.is_dir():
            return
        try:
            rows = await self._rows()
        except LegacyError:
            return  # the store's log says why
        while gone := await rows.expired():
            for row in gone:
                self._path(row.name).unlink(missing_ok=True)
            await rows.remove([row.name for row in gone])
            log.info(kv("files whose time was over are gone", count=len(gone)))
        if not self._tidied:
            self._tidied = True
            for path in await asyncio.to_thread(self._old):
                if await rows.get(path.name) is None:
                    path.unlink(missing_ok=True)

    # The folder -------------------------------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        """`name` is one that we made, or looks like one: no path in it."""
        return self._folder / name

    def _write(self, name: str, data: bytes) -> str:
        """Put bytes on disk under their name, complete or not at all; their SHA-256 in hexadecimal."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self._folder / f"{name}.part"
        try:
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self._path(name))
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        return hashlib.sha256(data).hexdigest()

    def _old(self) -> list[Path]:
        before = time.time() - STRAY
        return [path for path in self._folder.iterdir() if path.is_file() and path.stat().st_mtime < before]
