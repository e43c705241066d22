"""Whose a file is, what it is, until when."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from tests.store.conftest import Clock
from transports.errors import LegacyError
from transports.store.database import Database
from transports.store.files import Files, StoredFile

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture
def files(database: Database, clock: Clock) -> Files:
    return Files(database, clock)


def file(name: str, owner: str = ALICE, size: int = 100, expires: float = 2_000_000.0) -> StoredFile:
    return StoredFile(name, "test", owner, "hölidays.jpg", "image/jpeg", size, "ab" * 32, 1_000_000.0, expires)


async def test_a_file_is_found_by_its_name_until_its_time_is_over(files: Files, clock: Clock) -> None:
    await files.put(file("a"))
    assert await files.get("a") == file("a")
    assert await files.get("b") is None
    clock.now = 2_000_000.0
    assert await files.get("a") is None


async def test_expired_files_wait_for_who_removes_them(files: Files, clock: Clock) -> None:
    for name, expires in (("later", 1_000_020.0), ("first", 1_000_010.0), ("never", 9e9)):
        await files.put(file(name, expires=expires))
    assert await files.expired() == []
    clock.now += 60
    assert [found.name for found in await files.expired()] == ["first", "later"]
    assert [found.name for found in await files.expired(limit=1)] == ["first"]
    await files.remove(["first", "later", "unknown"])
    assert await files.expired() == []
    assert await files.get("never") is not None


async def test_the_files_of_a_user_and_what_they_take(files: Files) -> None:
    await files.put(file("a", size=3))
    await files.put(file("b", size=5))
    await files.put(file("c", owner=BOB, size=7))
    assert [found.name for found in await files.of(ALICE)] == ["a", "b"]
    assert [await files.total(who) for who in (ALICE, BOB, "nobody", None)] == [8, 7, 0, 15]


async def test_a_users_space_is_bounded(files: Files) -> None:
    await files.put(file("a", size=60), most=100)
    with pytest.raises(LegacyError) as caught:
        await files.put(file("b", size=41), most=100)
    assert caught.value.condition == "resource-constraint"
    await files.put(file("c", size=40), most=100)
    await files.put(file("d", owner=BOB, size=100), most=100)
    assert await files.total() == 200


async def test_a_name_is_given_once(files: Files) -> None:
    await files.put(file("a"))
    with pytest.raises(IntegrityError) as caught:
        await files.put(file("a", owner=BOB))
    assert BOB not in str(caught.value)


async def test_any_file_name_can_be_kept(files: Files) -> None:
    await files.put(file("a")._replace(filename="\ud800\0'; DROP TABLE files; --.png"))
    found = await files.get("a")
    assert found is not None and found.filename == "??'; DROP TABLE files; --.png"
