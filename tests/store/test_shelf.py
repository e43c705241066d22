"""The database that opens when it is needed: nothing before, everything after, words when it cannot."""

# ruff: noqa: ASYNC240 - nothing else runs that small files could hold up

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from transports.accounts import Account
from transports.contacts import Contact
from transports.errors import LegacyError
from transports.events import Address, Said
from transports.store import lock, schema
from transports.store.database import open_database
from transports.store.errors import StoreError
from transports.store.files import StoredFile
from transports.store.journal import Journal
from transports.store.shelf import Shelf

KEY, OTHER = b"a key of sixteen bytes or more", b"another key of that length"
ADA = "ada@example.org"
ANN = Address("person", "+15551234567")
ACCOUNT = Account(ADA, 1.0, {"token": "a secret"})

Start = Callable[..., "asyncio.Future[Shelf]"]


@pytest.fixture
async def start(url: str) -> AsyncIterator[Callable[..., object]]:
    """Shelves, started; closed at the end."""
    shelves: list[Shelf] = []

    async def make(key: bytes = KEY, at: str = url) -> Shelf:
        shelf = Shelf(at, key)
        shelves.append(shelf)
        await shelf.start()
        return shelf

    yield make
    for shelf in shelves:
        await shelf.close()


async def register(shelf: Shelf, account: Account = ACCOUNT) -> None:
    await shelf.accounts("sms").save(account, {"token"})


# Opening --------------------------------------------------------------------------------------------------------------


def test_nothing_is_imported_before_something_is_stored(url: str) -> None:
    code = """
import asyncio, sys
from transports.accounts import Account
from transports.store.shelf import Shelf

def loaded():
    return sorted({"sqlalchemy", "alembic", "cryptography"} & set(sys.modules))

async def main():
    shelf = Shelf(sys.argv[1], b"a key of sixteen bytes or more")
    await shelf.start()
    keep = shelf.accounts("irc")
    assert await keep.load() == [] and await shelf.options("irc").load() == {} and await shelf.contacts("irc").load() == []
    await shelf.purge()
    print(loaded(), shelf.opened)
    await keep.save(Account("ada@example.org", 1.0), ())
    print(loaded())
    await shelf.close()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code, url], timeout=30, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[] None", "['cryptography', 'sqlalchemy']"]


async def test_nothing_stored_means_no_database(start: Start, tmp_path: Path) -> None:
    await start()
    assert [path.name for path in tmp_path.iterdir()] == ["transports.db.lock"]
    assert stat.S_IMODE((tmp_path / "transports.db.lock").stat().st_mode) == 0o600


async def test_what_is_stored_is_there_at_the_next_start(start: Start) -> None:
    shelf = await start()
    await register(shelf)
    shelf.contacts("sms").save(ADA, Contact(ANN, "Ann"))
    await shelf.close()
    shelf = await start()
    assert await shelf.accounts("sms").load() == [ACCOUNT]
    assert await shelf.contacts("sms").load() == [(ADA, Contact(ANN, "Ann"))]
    assert await shelf.accounts("irc").load() == []


async def test_contacts_that_come_before_the_database_wait_in_order(start: Start) -> None:
    shelf = await start()
    contacts = shelf.contacts("sms")
    contacts.save(ADA, Contact(ANN, "first"))
    contacts.delete(ADA, None)
    contacts.save(ADA, Contact(ANN, "last"))
    await shelf.close()
    assert await (await start()).contacts("sms").load() == [(ADA, Contact(ANN, "last"))]


async def test_many_who_need_it_at_once_open_it_once(start: Start) -> None:
    shelf = await start()
    first, *others = await asyncio.gather(*(shelf.database() for _ in range(10)), register(shelf))
    assert all(other is first for other in others[:-1])
    assert shelf.opened is first


async def test_who_stops_waiting_does_not_stop_the_others(start: Start) -> None:
    shelf = await start()
    waiting = [asyncio.create_task(shelf.database()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await waiting[1] is shelf.opened


async def test_an_older_database_is_brought_up_to_date(start: Start, url: str) -> None:
    database = await open_database(url)

    def back(connection: sa.Connection) -> None:
        for name in ("accounts", "secrets", "options", "contacts", "links", "files", "meta"):
            connection.execute(sa.text(f"DROP TABLE {name}"))
        connection.execute(sa.update(schema.alembic_version).values(version_num="0001"))

    await Journal(database, "sms").put("in", ADA, Said(ANN, "", "waits"), None, 10)
    await database.run(back)
    await database.close()
    shelf = await start()
    [row] = await Journal(await shelf.database(), "sms").for_stream(ADA, 0, 10)
    assert row.event == Said(ANN, "", "waits")
    assert await shelf.accounts("sms").load() == []
    await register(shelf)
    assert await shelf.accounts("sms").load() == [ACCOUNT]


async def test_links_and_files_are_had_from_it(start: Start) -> None:
    shelf = await start()
    files = await shelf.files()
    file = StoredFile("name", "sms", ADA, "x.png", "image/png", 1, "00" * 32, 1.0, 9e9)
    await files.put(file)
    assert await (await shelf.files()).get("name") == file
    await (await shelf.links("sms")).put(ADA, ANN, "m1", ["SM1"])
    await shelf.purge()
    assert await (await shelf.links("sms")).far(ADA, ANN, "m1") == ("SM1",)


# What cannot be -------------------------------------------------------------------------------------------------------


async def test_another_key_is_said_once_and_nothing_is_written_over(
    start: Start, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = await start()
    await register(shelf)
    await shelf.close()
    shelf = await start(OTHER)
    assert await shelf.accounts("sms").load() == []
    assert await shelf.contacts("sms").load() == []
    shelf.contacts("sms").save(ADA, Contact(ANN))
    for _ in range(2):
        with pytest.raises(LegacyError, match="cannot keep anything"):
            await register(shelf, Account(ADA, 2.0))
        with pytest.raises(LegacyError):
            await shelf.accounts("sms").delete(ADA)
    with pytest.raises(StoreError, match="sealed with another key"):
        await shelf.database()
    await shelf.purge()
    await shelf.close()
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "another key" in line and "transports.key" in line
    assert await (await start()).accounts("sms").load() == [ACCOUNT]


async def test_a_damaged_database_stays_closed(start: Start, tmp_path: Path) -> None:
    (tmp_path / "transports.db").write_bytes(b"rubbish" * 5000)
    shelf = await start()
    assert await shelf.accounts("irc").load() == []
    (tmp_path / "transports.db").unlink()
    with pytest.raises(LegacyError):  # mended too late: who had registered was not read
        await register(shelf)
    assert (tmp_path / "transports.db").exists() is False


async def test_a_database_that_lacks_a_table_stops_nobody(start: Start) -> None:
    shelf = await start()
    await (await shelf.database()).run(lambda c: c.execute(sa.text("DROP TABLE meta")))
    await shelf.close()
    shelf = await start()
    assert await shelf.accounts("irc").load() == []
    with pytest.raises(StoreError, match=r"cannot be used: .*no such table: meta"):
        await shelf.database()


async def test_what_cannot_be_read_at_the_start_is_not_written_over(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    shelf = await start()
    await register(shelf)
    database = await shelf.database()
    await database.run(lambda c: c.execute(sa.text("ALTER TABLE accounts RENAME TO away")))
    assert await shelf.accounts("sms").load() == []
    await database.run(lambda c: c.execute(sa.text("ALTER TABLE away RENAME TO accounts")))
    with pytest.raises(LegacyError):
        await register(shelf, Account(ADA, 2.0))
    with pytest.raises(StoreError):
        await shelf.database()
    assert "what was stored is not known" in caplog.text


async def test_a_first_write_that_fails_can_be_tried_again(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = await start()
    (tmp_path / "transports.db").mkdir()  # nothing was there to be read, so nothing can be lost
    with pytest.raises(LegacyError):
        await register(shelf)
    contacts = shelf.contacts("sms")
    contacts.save(ADA, Contact(ANN))
    await contacts.settled()
    assert "nothing can be stored error=" in caplog.text
    (tmp_path / "transports.db").rmdir()
    await register(shelf)
    contacts.save(ADA, Contact(ANN._replace(kind="group")))
    await shelf.close()
    shelf = await start()
    assert (len(await shelf.accounts("sms").load()), len(await shelf.contacts("sms").load())) == (1, 2)


async def test_no_place_for_it_at_all(start: Start) -> None:
    shelf = await start(at="sqlite:////nowhere/at/all.db")
    assert await shelf.accounts("irc").load() == []
    with pytest.raises(StoreError, match="No such file"):
        await shelf.database()


async def test_during_a_restore_it_is_not_opened(start: Start, tmp_path: Path) -> None:
    alone = lock.alone(tmp_path / "transports.db")
    shelf = await start()
    with pytest.raises(StoreError, match="a restore of"):
        await shelf.database()
    os.close(alone)


async def test_it_is_held_until_it_is_closed(start: Start, tmp_path: Path) -> None:
    shelf = await start()
    with pytest.raises(StoreError, match="in use"):
        lock.alone(tmp_path / "transports.db")
    await shelf.close()
    os.close(lock.alone(tmp_path / "transports.db"))


async def test_closing_twice_and_while_it_opens(start: Start) -> None:
    shelf = await start()
    opening = asyncio.create_task(shelf.database())
    await asyncio.sleep(0)
    await shelf.close()
    await opening
    await shelf.close()
    with pytest.raises(LegacyError):
        await register(shelf)
