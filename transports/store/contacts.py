"""Contacts of one bridge on disk: implements transports.contacts.Keep. Imports no SQL before there is something to write.

Who changes a contact does not wait for the disk. What is to be written is gathered, the latest state of each contact, and
goes in one piece, in order, while the next gathers. What could not be written stays to be written with the next change.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias

from transports.contacts import Contact
from transports.errors import LegacyError
from transports.events import Address
from transports.log import kv

if TYPE_CHECKING:
    from transports.store.shelf import Shelf

log = logging.getLogger(__name__)

#: (user, address) -> the contact as it is now, None when it has gone; the address is None for all contacts of a user.
_Changes: TypeAlias = dict[tuple[str, Address | None], Contact | None]


class KeptContacts:
    def __init__(self, shelf: Shelf, bridge: str) -> None:
        self._shelf = shelf
        self._bridge = bridge
        self._changes: _Changes = {}
        self._writing: asyncio.Task[None] | None = None

    async def load(self) -> list[tuple[str, Contact]]:
        database = self._shelf.opened
        if database is None:
            return []
        from transports.store.contact_rows import load

        try:
            return await database.run(lambda connection: load(connection, self._bridge))
        except Exception as error:
            self._shelf.fail(error)
            return []

    def save(self, user: str, contact: Contact) -> None:
        self._change((user, contact.address), contact)

    def delete(self, user: str, address: Address | None) -> None:
        self._change((user, address), None)

    async def settled(self) -> None:
        """All that was said so far is on disk, or the log says why not."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _change(self, whose: tuple[str, Address | None], contact: Contact | None) -> None:
        self._changes.pop(whose, None)  # to the end: what was said last holds
        self._changes[whose] = contact
        if self._writing is None:
            self._writing = self._shelf.tasks.start(self._write())

    async def _write(self) -> None:
        changes: _Changes = {}
        try:
            while self._changes:
                database = await self._shelf.wanted()
                from transports.store.contact_rows import apply

                changes, self._changes = self._changes, {}
                await database.run(lambda connection, now=changes: apply(connection, self._bridge, now))  # type: ignore[misc]
                changes = {}
        except LegacyError:
            pass  # there is no database: the log has it
        except Exception as error:
            log.error(kv("contacts cannot be kept", bridge=self._bridge, error=type(error).__name__, text=error))
        finally:
            self._changes = {whose: changes[whose] for whose in changes if whose not in self._changes} | self._changes
            self._writing = None
