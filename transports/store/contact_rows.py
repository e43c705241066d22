"""Contacts as rows: read and changed within a transaction of somebody else's. `store/contacts` decides when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

import sqlalchemy as sa

from transports.contacts import Contact
from transports.events import Address, Kind
from transports.store.database import storable
from transports.store.schema import contacts as table

_COLUMNS: Final = table.c


def load(connection: sa.Connection, bridge: str) -> list[tuple[str, Contact]]:
    """All contacts of a bridge, with whose they are."""
    return [_contact(row) for row in connection.execute(sa.select(table).where(_COLUMNS.bridge == bridge))]


def apply(connection: sa.Connection, bridge: str, changes: Mapping[tuple[str, Address | None], Contact | None]) -> None:
    """Make what `changes` says true, in its order: (user, address) -> the contact, None when it has gone; all for no address."""
    for (user, address), contact in changes.items():
        where = [_COLUMNS.bridge == bridge, _COLUMNS.owner == user]
        if address is not None:
            where += [_COLUMNS.contact_kind == address.kind, _COLUMNS.contact_name == storable(address.name)]
        connection.execute(sa.delete(table).where(*where))
        if contact is not None:
            connection.execute(sa.insert(table), _row(bridge, user, contact))


def _row(bridge: str, user: str, contact: Contact) -> dict[str, Any]:
    return {
        "bridge": bridge,
        "owner": user,
        "contact_kind": contact.address.kind,
        "contact_name": storable(contact.address.name),
        "label": storable(contact.name),
        "groups": json.dumps(list(contact.groups)),
        **{name: getattr(contact, name) for name in ("hears", "heard", "asked", "blocked")},
    }


def _contact(row: sa.Row[Any]) -> tuple[str, Contact]:
    try:
        groups = tuple(map(str, json.loads(row.groups)))
    except (ValueError, TypeError):
        groups = ()  # damaged: the contact is worth more than its groups
    address = Address(cast(Kind, row.contact_kind), row.contact_name)
    return row.owner, Contact(address, row.label, groups, row.hears, row.heard, row.asked, row.blocked)
