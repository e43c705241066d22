"""Where a daemon keeps what it must not lose: one database, opened only when there is something to read or to write.

SQL costs 20 MB and a quarter of a second, and a host that bridges IRC alone may never need it. So this file imports none:
a database that is there already is opened at the start, otherwise everything is empty until the first write. What is
imported then is imported in a thread, while the loop goes on.

A database that cannot be opened at the start stays closed until the next: what is in it was not read, so it must not be
written over. The log says so once, users who want something kept are told each time.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from transports.accounts import Account
from transports.accounts import Keep as AccountsKeep
from transports.describe import Answers
from transports.errors import LegacyError
from transports.events import Address
from transports.log import kv
from transports.options import Keep as OptionsKeep
from transports.store import lock
from transports.store.contacts import KeptContacts
from transports.store.errors import StoreError
from transports.tasks import Tasks
from transports.words import say

if TYPE_CHECKING:
    from transports.store.database import Database
    from transports.store.files import Files
    from transports.store.links import Links

log = logging.getLogger(__name__)

#: What an open database needs, the slowest first.
_NAMES: Final = ("database", "accounts", "options", "contact_rows", "links", "files")
_MODULES: Final = tuple(f"transports.store.{name}" for name in _NAMES)


class Shelf:
    """`url` as in [store]; `key`: the store's key, from which the key of the secrets is derived."""

    def __init__(self, url: str, key: bytes) -> None:
        self._url = url
        self._key = key
        self._path = lock.sqlite_path(url)
        self._lock: int | None = None
        self._opening: asyncio.Task[Database] | None = None
        self._broken: StoreError | None = None
        self._contacts: list[KeptContacts] = []
        self.tasks = Tasks("store")
        #: The open database; None while there is nothing to be read.
        self.opened: Database | None = None

    async def start(self) -> None:
        """Take the database's lock, and open it if it is there. Never raises: what is wrong is logged, and said when asked."""
        try:
            if self._path is not None:
                self._lock = lock.use(self._path)
            if self._path is None or self._path.exists():
                await self.database()
        except StoreError as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Nothing of the database can be had until the next start."""
        if self._broken is None:
            log.error(kv("nothing can be stored, and what was stored is not known", error=error))
            self._broken = error if isinstance(error, StoreError) else StoreError(f"store: {error}")

    async def database(self) -> Database:
        """The database, opened or made now if need be. Raises StoreError."""
        if self._broken is not None:
            raise self._broken
        if self.opened is not None:
            return self.opened
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        return await asyncio.shield(self._opening)  # who stops waiting does not stop the others

    async def _open(self) -> Database:
        try:
            for name in _MODULES:
                await asyncio.to_thread(importlib.import_module, name)
            from transports.store.accounts import recognise
            from transports.store.database import open_database
            from transports.store.vault import Vault

            database = await open_database(self._url)
            try:
                self._vault = Vault(self._key)
                await database.run(lambda connection: recognise(connection, self._vault))
            except BaseException:
                await database.close()
                raise
            self.opened = database
            return database
        except StoreError:
            raise
        except Exception as error:
            words = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise StoreError(f"store: the database cannot be used: {words}") from error
        finally:
            self._opening = None

    async def close(self) -> None:
        """Write what waits to be written and close. A second time does nothing."""
        for contacts in self._contacts:
            await contacts.settled()
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self.opened is not None:
            await self.opened.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def purge(self) -> None:
        """Forget what is too old to matter; now and then."""
        if self.opened is not None:
            await (await self.links("")).purge()

    # What is on it ----------------------------------------------------------------------------------------------------

    def accounts(self, bridge: str) -> AccountsKeep:
        return _Accounts(self, bridge)

    def options(self, bridge: str) -> OptionsKeep:
        return _Options(self, bridge)

    def contacts(self, bridge: str) -> KeptContacts:
        self._contacts.append(KeptContacts(self, bridge))
        return self._contacts[-1]

    async def links(self, bridge: str) -> Links:
        """The links of a bridge. LegacyError with words when nothing can be stored."""
        database = await self.wanted()
        from transports.store.links import Links

        return Links(database, bridge)

    async def files(self) -> Files:
        """The files of all bridges. LegacyError with words when nothing can be stored."""
        database = await self.wanted()
        from transports.store.files import Files

        return Files(database)

    async def wanted(self) -> Database:
        """The database, for somebody who is to be told when there is none: LegacyError with words."""
        try:
            return await self.database()
        except StoreError as error:
            if self._broken is None:  # else it was said already
                log.error(kv("nothing can be stored", error=error))
            raise LegacyError("internal-server-error", say("store.away")) from error

    def kept_accounts(self, database: Database, bridge: str) -> AccountsKeep:
        from transports.store.accounts import KeptAccounts

        return KeptAccounts(database, self._vault, bridge)

    def kept_options(self, database: Database, bridge: str) -> OptionsKeep:
        from transports.store.options import KeptOptions

        return KeptOptions(database, self._vault, bridge)


class _Accounts:
    """Implements accounts.Keep: nobody, until the first registers."""

    def __init__(self, shelf: Shelf, bridge: str) -> None:
        self._shelf = shelf
        self._bridge = bridge

    async def load(self) -> list[Account]:
        database = self._shelf.opened
        if database is None:
            return []
        try:
            return await self._shelf.kept_accounts(database, self._bridge).load()
        except Exception as error:
            self._shelf.fail(error)
            return []

    async def save(self, account: Account, secrets: Collection[str]) -> None:
        await (await self._kept()).save(account, secrets)

    async def delete(self, user: str) -> None:
        await (await self._kept()).delete(user)

    async def _kept(self) -> AccountsKeep:
        return self._shelf.kept_accounts(await self._shelf.wanted(), self._bridge)


class _Options:
    """Implements options.Keep: nothing, until somebody sets something."""

    def __init__(self, shelf: Shelf, bridge: str) -> None:
        self._shelf = shelf
        self._bridge = bridge

    async def load(self) -> Mapping[tuple[str, Address], Answers]:
        database = self._shelf.opened
        if database is None:
            return {}
        try:
            return await self._shelf.kept_options(database, self._bridge).load()
        except Exception as error:
            self._shelf.fail(error)
            return {}

    async def save(self, user: str, place: Address, answers: Answers, secrets: Collection[str]) -> None:
        database = await self._shelf.wanted()
        await self._shelf.kept_options(database, self._bridge).save(user, place, answers, secrets)
