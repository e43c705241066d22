"""Contacts on disk: what was said last is what is there, whatever the disk does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa

from transports.contacts import Contact, Contacts
from transports.events import Address
from transports.store import schema
from transports.store.contacts import KeptContacts
from transports.store.database import Database
from transports.store.shelf import Shelf

ADA, EVE = "ada@example.org", "eve@example.org"
ANN, BEN, GATEWAY = Address("person", "+1"), Address("group", "+1"), Address("service", "")


@pytest.fixture
async def shelf(url: str) -> AsyncIterator[Shelf]:
    shelf = Shelf(url, b"a key of sixteen bytes or more")
    await shelf.start()
    yield shelf
    await shelf.close()


@pytest.fixture
async def database(shelf: Shelf) -> Database:
    return await shelf.database()


@pytest.fixture
def keep(shelf: Shelf, database: Database) -> KeptContacts:
    return KeptContacts(shelf, "sms")


async def kept(shelf: Shelf) -> list[tuple[str, Contact]]:
    return sorted(await KeptContacts(shelf, "sms").load())


async def test_what_was_put_comes_back(keep: KeptContacts, shelf: Shelf) -> None:
    contacts = Contacts(keep)
    everything = Contact(ANN, "Ann 😀\n'x'", ("Friends", "Ärzte"), True, True, True, True)
    contacts.put(ADA, everything)
    contacts.put(ADA, Contact(GATEWAY, hears=True))
    contacts.put(EVE, Contact(BEN))
    await keep.settled()
    again = Contacts(KeptContacts(shelf, "sms"))
    await again.load()
    assert again.of(ADA) == [everything, Contact(GATEWAY, hears=True)]
    assert again.of(EVE) == [Contact(BEN)]
    assert await KeptContacts(shelf, "irc").load() == []


async def test_what_was_said_last_holds(keep: KeptContacts, shelf: Shelf, database: Database) -> None:
    gate = threading.Event()
    held = database.run(lambda _connection: gate.wait(10))
    contacts = Contacts(keep)
    contacts.put(ADA, Contact(ANN, "first"))
    contacts.put(ADA, Contact(ANN, "second"))
    contacts.put(ADA, Contact(BEN))
    contacts.forget(ADA)
    contacts.put(ADA, Contact(ANN, "third"))
    contacts.put(EVE, Contact(ANN))
    contacts.remove(EVE, ANN)
    gate.set()
    assert await held
    await keep.settled()
    assert await kept(shelf) == [(ADA, Contact(ANN, "third"))]


async def test_many_changes_are_one_piece_of_work(keep: KeptContacts, shelf: Shelf, database: Database) -> None:
    ran: list[object] = []
    run = database.run
    database.run = lambda call: (ran.append(call), run(call))[1]  # type: ignore[method-assign]
    for number in range(3000):
        keep.save(ADA, Contact(Address("person", f"+{number}")))
    await keep.settled()
    assert len(ran) == 1  # gathered before the writer had its turn
    assert len(await kept(shelf)) == 3000


@pytest.fixture
def broken(database: Database) -> Iterator[list[bool]]:
    """While it says so, no contact can be written."""
    state = [True]

    def refuse(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if state[0] and "contacts" in statement:
            raise OSError("the disk is full")

    sa.event.listen(database._engine, "before_cursor_execute", refuse)
    yield state
    sa.event.remove(database._engine, "before_cursor_execute", refuse)


async def test_what_could_not_be_written_goes_with_the_next_change(
    keep: KeptContacts, shelf: Shelf, broken: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    keep.save(ADA, Contact(ANN, "lost?"))
    keep.save(ADA, Contact(BEN))
    await keep.settled()
    keep.delete(ADA, None)
    keep.save(ADA, Contact(ANN, "kept"))
    await keep.settled()
    assert "contacts cannot be kept bridge=sms error=OSError" in caplog.text
    broken[0] = False
    assert await kept(shelf) == []
    keep.save(EVE, Contact(ANN))
    await keep.settled()
    assert await kept(shelf) == [(ADA, Contact(ANN, "kept")), (EVE, Contact(ANN))]


async def test_no_contact_keeps_the_others_from_the_disk(keep: KeptContacts, shelf: Shelf) -> None:
    keep.save(ADA, Contact(Address("person", "\ud800\0"), "\ud800\0", ("\ud800\0",)))
    keep.save(ADA, Contact(ANN))
    await keep.settled()
    assert [contact.name for _user, contact in await kept(shelf)] == ["", "??"]


@pytest.mark.parametrize("harm", ["", "{", "7"])
async def test_damaged_groups_cost_the_groups(keep: KeptContacts, shelf: Shelf, database: Database, harm: str) -> None:
    keep.save(ADA, Contact(ANN, "Ann", ("Friends",)))
    await keep.settled()
    await database.run(lambda c: c.execute(sa.update(schema.contacts).values(groups=harm)))
    assert await kept(shelf) == [(ADA, Contact(ANN, "Ann"))]
