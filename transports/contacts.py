"""The contacts of a bridge's registered users: names, groups, subscriptions both ways, blocks. In memory, written through.

Subscriptions in the words of RFC 6121 3, seen from the contact (our side):
    hears   the user is subscribed to the contact: it gets the contact's presence   (user's roster: subscription to)
    heard   the contact is subscribed to the user: we get the user's presence       (user's roster: subscription from)
The gateway itself is the contact of the service's address. No XML, no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from transports.errors import LegacyError
from transports.events import Address
from transports.words import say

#: Contacts that a user may have with one bridge.
MOST: Final = 5_000


class Contact(NamedTuple):
    """asked: we have asked to see the user's presence, and wait or were declined. blocked: nothing goes either way."""

    address: Address
    name: str = ""
    groups: Sequence[str] = ()
    hears: bool = False
    heard: bool = False
    asked: bool = False
    blocked: bool = False


class Keep(Protocol):
    """Where the contacts of one bridge are kept; `store/contacts`. Writes are queued and in order; errors are logged there."""

    async def load(self) -> list[tuple[str, Contact]]: ...

    def save(self, user: str, contact: Contact) -> None: ...

    def delete(self, user: str, address: Address | None) -> None:
        """One contact of a user; all of them for None."""
        ...


class Nowhere:
    async def load(self) -> list[tuple[str, Contact]]:
        return []

    def save(self, user: str, contact: Contact) -> None: ...

    def delete(self, user: str, address: Address | None) -> None: ...


class Contacts:
    def __init__(self, keep: Keep | None = None) -> None:
        self._keep: Keep = keep or Nowhere()
        self._of: dict[str, dict[Address, Contact]] = {}

    async def load(self) -> None:
        for user, contact in await self._keep.load():
            self._of.setdefault(user, {})[contact.address] = contact

    def users(self) -> list[str]:
        """Bare JIDs of all who have contacts."""
        return [user for user, contacts in self._of.items() if contacts]

    def of(self, user: str) -> list[Contact]:
        return list(self._of.get(user, {}).values())

    def get(self, user: str, address: Address) -> Contact | None:
        contacts = self._of.get(user)
        return contacts.get(address) if contacts is not None else None

    def blocks(self, user: str, address: Address) -> bool:
        contact = self.get(user, address)
        return contact is not None and contact.blocked

    def put(self, user: str, contact: Contact) -> None:
        """Add or replace; nothing is written when nothing changed. LegacyError at the bound."""
        contacts = self._of.setdefault(user, {})
        before = contacts.get(contact.address)
        if before == contact:
            return
        if before is None and len(contacts) >= MOST:
            raise LegacyError("resource-constraint", say("contacts.full", count=MOST))
        contacts[contact.address] = contact
        self._keep.save(user, contact)

    def remove(self, user: str, address: Address) -> None:
        contacts = self._of.get(user, {})
        if contacts.pop(address, None) is not None:
            self._keep.delete(user, address)
            if not contacts:
                del self._of[user]

    def forget(self, user: str) -> None:
        """All contacts of a user."""
        if self._of.pop(user, None) is not None:
            self._keep.delete(user, None)
