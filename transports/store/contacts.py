"""Contacts of one bridge on disk: implements transports.contacts.Keep.

Who changes a contact does not wait for the disk. What is to be written is gathered, the latest state of each contact, and
goes in one piece, in order, while the next gathers. What could not be written stays to be written with the next change.
"""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import Future
from typing import Any, Final, TypeAlias, cast

import sqlalchemy as sa

from transports.contacts import Contact
from transports.events import Address, Kind
from transports.log import kv
from transports.store.database import Database, storable
from transports.store.schema import contacts as table

log = logging.getLogger(__name__)

_COLUMNS: Final = table.c

#: (user, address) -> the contact as it is now, None when it has gone; the address is None for all contacts of a user.
_Changes: TypeAlias = dict[tuple[str, Address | None], Contact | None]


class KeptContacts:
    def __init__(self, database: Database, bridge: str) -> None:
        self._database = database
        self._bridge = bridge
        self._changes: _Changes = {}
        self._writing: Future[None] | None = None

    async def load(self) -> list[tuple[str, Contact]]:
        query = sa.select(table).where(_COLUMNS.bridge == self._bridge)
        return await self._database.run(lambda connection: [_contact(row) for row in connection.execute(query)])

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
            self._write()

    def _write(self) -> None:
        changes, self._changes = self._changes, {}

        def written(done: Future[None]) -> None:
            self._writing = None
            error = None if done.cancelled() else done.exception()
            if error is not None:
                self._changes = {whose: changes[whose] for whose in changes if whose not in self._changes} | self._changes
                log.error(kv("contacts cannot be kept", bridge=self._bridge, error=type(error).__name__, text=error))
            elif self._changes:
                self._write()

        self._writing = self._database.run(lambda connection: self._apply(connection, changes))
        self._writing.add_done_callback(written)

    def _apply(self, connection: sa.Connection, changes: _Changes) -> None:
        for (user, address), contact in changes.items():
            where = [_COLUMNS.bridge == self._bridge, _COLUMNS.owner == user]
            if address is not None:
                where += [_COLUMNS.contact_kind == address.kind, _COLUMNS.contact_name == storable(address.name)]
            connection.execute(sa.delete(table).where(*where))
            if contact is not None:
                connection.execute(sa.insert(table), self._row(user, contact))

    def _row(self, user: str, contact: Contact) -> dict[str, Any]:
        state = {"hears": contact.hears, "heard": contact.heard, "asked": contact.asked, "blocked": contact.blocked}
        return {
            "bridge": self._bridge,
            "owner": user,
            "contact_kind": contact.address.kind,
            "contact_name": storable(contact.address.name),
            "label": storable(contact.name),
            "groups": json.dumps(list(contact.groups)),
            **state,
        }


def _contact(row: sa.Row[Any]) -> tuple[str, Contact]:
    try:
        groups = tuple(map(str, json.loads(row.groups)))
    except (ValueError, TypeError):
        groups = ()  # damaged: the contact is worth more than its groups
    address = Address(cast(Kind, row.contact_kind), row.contact_name)
    return row.owner, Contact(address, row.label, groups, row.hears, row.heard, row.asked, row.blocked)
