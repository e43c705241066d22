"""The table of contacts: what is kept, what is written, and its bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports import contacts
from transports.contacts import Contact, Contacts
from transports.errors import LegacyError
from transports.events import Address

ADA, EVE = "ada@example.org", "eve@example.org"
BOB, CAROL = Address("person", "bob"), Address("person", "carol")
FLAGS = ("hears", "heard", "asked", "blocked")


class Disk:
    """Keeps what it is told, and how often."""

    def __init__(self, *rows: tuple[str, Contact]) -> None:
        self.rows = {(user, row.address): row for user, row in rows}
        self.writes = 0

    async def load(self) -> list[tuple[str, Contact]]:
        return [(user, row) for (user, _), row in self.rows.items()]

    def save(self, user: str, contact: Contact) -> None:
        self.writes += 1
        self.rows[user, contact.address] = contact

    def delete(self, user: str, address: Address | None) -> None:
        self.writes += 1
        self.rows = {key: row for key, row in self.rows.items() if key[0] != user or address not in (None, key[1])}


async def test_what_was_kept_is_there_again() -> None:
    rows = [(ADA, Contact(BOB, "Bob", ("Work",), hears=True)), (ADA, Contact(CAROL)), (EVE, Contact(BOB, blocked=True))]
    table = Contacts(Disk(*rows))
    await table.load()
    assert table.of(ADA) == [row for user, row in rows if user == ADA]
    assert table.get(EVE, BOB) == Contact(BOB, blocked=True) and table.get(EVE, CAROL) is None
    assert table.users() == [ADA, EVE]
    assert table.blocks(EVE, BOB) and not table.blocks(ADA, BOB) and not table.blocks("x@example.org", BOB)


def test_only_what_changed_is_written() -> None:
    disk = Disk()
    table = Contacts(disk)
    for _ in range(3):
        table.put(ADA, Contact(BOB, "Bob"))
    table.remove(ADA, CAROL)
    table.remove(EVE, BOB)
    table.forget(EVE)
    assert disk.writes == 1
    table.put(ADA, Contact(BOB, "Robert"))
    assert disk.writes == 2 and list(disk.rows.values()) == [Contact(BOB, "Robert")]


def test_who_has_no_contact_left_is_no_user() -> None:
    table = Contacts()
    table.put(ADA, Contact(BOB))
    table.remove(ADA, BOB)
    assert table.users() == [] and table.of(ADA) == []


def test_a_user_has_so_many_contacts_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MOST", 2)
    disk = Disk()
    table = Contacts(disk)
    table.put(ADA, Contact(BOB))
    table.put(ADA, Contact(CAROL))
    with pytest.raises(LegacyError) as raised:
        table.put(ADA, Contact(Address("person", "dave")))
    assert raised.value.condition == "resource-constraint" and "2" in raised.value.text
    table.put(ADA, Contact(BOB, blocked=True))  # those that are there change as they like
    table.put(EVE, Contact(BOB))
    assert len(disk.rows) == 3


STEPS = st.tuples(
    st.sampled_from(["put", "remove", "forget"]),
    st.sampled_from([ADA, EVE]),
    st.builds(
        lambda address, flags: Contact(address, **dict.fromkeys(flags, True)),  # type: ignore[arg-type]
        st.sampled_from([BOB, CAROL, Address("group", "bob"), Address("service", "")]),
        st.sets(st.sampled_from(FLAGS)),
    ),
)


@given(st.lists(STEPS, max_size=30))
def test_what_is_kept_is_what_is_there(steps: list[tuple[str, str, Contact]]) -> None:
    disk = Disk()
    table = Contacts(disk)
    for what, user, row in steps:
        if what == "put":
            table.put(user, row)
        elif what == "remove":
            table.remove(user, row.address)
        else:
            table.forget(user)
    kept = {(user, row.address): row for user in table.users() for row in table.of(user)}
    assert kept == disk.rows
    assert all(table.blocks(user, address) is row.blocked for (user, address), row in kept.items())
