"""What users set for places, on disk: what is secret of it is nowhere to be read, and opens in its own place only."""

# ruff: noqa: ASYNC240 - nothing else runs that small files could hold up

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from transports.accounts import Account
from transports.describe import Answers
from transports.errors import LegacyError
from transports.events import Address
from transports.options import IN_ALL, LONGEST, MOST, Options
from transports.store import schema
from transports.store.accounts import KeptAccounts, recognise
from transports.store.backup import backup
from transports.store.database import Database, open_database
from transports.store.errors import StoreError
from transports.store.options import KeptOptions
from transports.store.shelf import Shelf
from transports.store.vault import Vault

KEY, OTHER = b"a key of sixteen bytes or more", b"another key of that length"
ADA, EVE = "ada@example.org", "eve@example.org"
SERVER, ROOM = Address("server", "irc.libera.chat"), Address("room", "#python%irc.libera.chat")
SERVICE = Address("service", "")
CANARY = "canary-77aa-in-a-coal-mine"
GIVEN: Answers = {"nick": "ada", "pass": CANARY, "persistent": True, "tls_ports": ("6697", "7000"), "odd": "\ud800\0 'quoted'"}
SECRET = frozenset({"pass", "sasl_password"})


@pytest.fixture
def keep(database: Database) -> KeptOptions:
    return KeptOptions(database, Vault(KEY), "irc")


async def options_on(keep: KeptOptions) -> Options:
    options = Options(keep)
    await options.load()
    return options


async def rows(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    return await database.run(lambda c: [dict(row._mapping) for row in c.execute(sa.select(table))])


# There and back -------------------------------------------------------------------------------------------------------


async def test_what_was_set_comes_back(keep: KeptOptions) -> None:
    options = await options_on(keep)
    for place in (SERVER, ROOM, SERVICE):
        await options.put(ADA, place, {**GIVEN, "here": place.name}, SECRET)
    again = await options_on(keep)
    assert [again.of(ADA, place) for place in (SERVER, ROOM, SERVICE)] == [
        {**GIVEN, "here": place.name} for place in (SERVER, ROOM, SERVICE)
    ]
    assert (set(again.places(ADA)), again.users()) == ({SERVER, ROOM, SERVICE}, [ADA])


async def test_users_places_and_bridges_are_kept_apart(keep: KeptOptions, database: Database) -> None:
    other = KeptOptions(database, Vault(KEY), "xyz")
    for kept, user, place, nick in (
        (keep, ADA, SERVER, "1"),
        (keep, EVE, SERVER, "2"),
        (keep, ADA, ROOM, "3"),
        (other, ADA, SERVER, "4"),
    ):
        await kept.save(user, place, {"nick": nick}, ())
    await keep.save(ADA, SERVER, {}, ())
    assert await keep.load() == {(EVE, SERVER): {"nick": "2"}, (ADA, ROOM): {"nick": "3"}}
    assert await other.load() == {(ADA, SERVER): {"nick": "4"}}


async def test_a_change_leaves_the_rest(keep: KeptOptions) -> None:
    options = await options_on(keep)
    await options.put(ADA, SERVER, GIVEN, SECRET)
    await options.change(ADA, SERVER, {"nick": "ada_", "odd": None}, SECRET)
    wanted = {**GIVEN, "nick": "ada_"}
    del wanted["odd"]
    assert options.of(ADA, SERVER) == wanted == (await options_on(keep)).of(ADA, SERVER)


async def test_changes_at_the_same_time_are_all_kept(keep: KeptOptions) -> None:
    options = await options_on(keep)
    await asyncio.gather(*(options.change(ADA, SERVER, {f"var{number}": "x"}) for number in range(20)))
    assert options.of(ADA, SERVER) == {f"var{number}": "x" for number in range(20)} == (await options_on(keep)).of(ADA, SERVER)


async def test_the_last_option_that_goes_takes_its_user_along(keep: KeptOptions) -> None:
    options = await options_on(keep)
    await options.put(ADA, SERVER, GIVEN, SECRET)
    await options.change(ADA, SERVER, dict.fromkeys(GIVEN), SECRET)
    assert (options.users(), options.places(ADA), ADA in options, await keep.load()) == ([], [], False, {})


async def test_without_a_keep_nothing_outlives_it() -> None:
    options = Options()
    await options.load()
    await options.put(ADA, SERVER, GIVEN, SECRET)
    assert options.of(ADA, SERVER) == GIVEN and options.of(EVE, SERVER) == {}


async def test_there_is_an_end_to_what_one_user_may_set(keep: KeptOptions) -> None:
    options = Options()
    for number in range(MOST):
        await options.put(ADA, Address("room", f"#{number}"), {"persistent": True})
    with pytest.raises(LegacyError, match="set too much"):
        await options.put(ADA, SERVER, {"nick": "ada"})
    await options.put(ADA, Address("room", "#0"), {"persistent": False})
    await options.put(EVE, SERVER, {"nick": "eve"})
    with pytest.raises(LegacyError, match="set too much"):
        await options.put(EVE, SERVER, {"after_connect_commands": ("x" * (LONGEST // 2),) * 2})
    assert options.of(EVE, SERVER) == {"nick": "eve"}


async def test_many_large_places_are_too_much_and_can_be_made_smaller(keep: KeptOptions) -> None:
    options = Options()
    large = {"after_connect_commands": ("x" * (LONGEST - 100),)}
    with pytest.raises(LegacyError, match="set too much"):
        for number in range(MOST):
            await options.put(ADA, Address("server", f"{number}.example"), large)
    held = len(options.places(ADA))
    assert held * LONGEST <= IN_ALL + LONGEST
    await options.change(ADA, options.places(ADA)[0], {"after_connect_commands": ("x" * 1_000,)})
    await options.put(EVE, SERVER, large)


# Nobody else reads it -------------------------------------------------------------------------------------------------


async def test_secrets_are_sealed_and_apart(keep: KeptOptions, database: Database) -> None:
    await keep.save(ADA, SERVER, {"nick": "ada", "pass": CANARY}, SECRET)
    await keep.save(ADA, ROOM, {"persistent": True}, SECRET)
    server, room = sorted(await rows(database, schema.options), key=lambda row: row["place_kind"], reverse=True)
    assert (server["answers"], room["answers"]) == ('{"nick": "ada"}', '{"persistent": true}')
    assert (room["nonce"], room["sealed"]) == (None, None)
    assert CANARY.encode() not in server["sealed"]


async def test_what_was_secret_stays_it_whoever_changes_what_is_beside_it(keep: KeptOptions, database: Database) -> None:
    await keep.save(ADA, SERVER, {"nick": "ada", "pass": CANARY}, SECRET)
    await keep.save(ADA, SERVER, {"nick": "ada", "pass": CANARY + "2", "persistent": True}, ())
    [row] = await rows(database, schema.options)
    assert row["answers"] == '{"nick": "ada", "persistent": true}'
    assert await keep.load() == {(ADA, SERVER): {"nick": "ada", "persistent": True, "pass": CANARY + "2"}}


async def test_a_secret_is_nowhere_in_the_clear(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    database = await open_database(url)
    options = await options_on(KeptOptions(database, Vault(KEY), "irc"))
    await options.put(ADA, SERVER, {"nick": "plain-to-see", "pass": CANARY}, SECRET)
    await options.change(ADA, SERVER, {"sasl_password": CANARY + "2"}, SECRET)
    assert await KeptOptions(database, Vault(OTHER), "irc").load() == {(ADA, SERVER): {"nick": "plain-to-see"}}
    backup(url, tmp_path / "copy", KEY)
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    await database.close()
    found["closed"] = (tmp_path / "transports.db").read_bytes()
    assert b"plain-to-see" in found["copy"] and b"plain-to-see" in found["transports.db-wal"]
    assert [name for name, data in found.items() if CANARY[:10].encode() in data] == []
    assert "secrets are lost" in caplog.text and CANARY[:10] not in caplog.text


async def test_an_error_of_the_database_does_not_tell_what_it_was_given(
    keep: KeptOptions, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.run(lambda c: c.execute(sa.text("DROP TABLE options")))
    options = Options(keep)
    with pytest.raises(LegacyError, match="cannot keep anything"):
        await options.put(ADA, SERVER, {"nick": CANARY})
    assert options.of(ADA, SERVER) == {}
    assert "no such table" in caplog.text and CANARY not in caplog.text


@pytest.mark.parametrize(
    "moved",
    [{"owner": EVE}, {"place_name": "irc.oftc.net"}, {"place_kind": "room"}, {"bridge": "xyz"}],
    ids=lambda moved: next(iter(moved)),
)
async def test_a_sealed_row_opens_in_its_own_place_only(
    keep: KeptOptions, database: Database, moved: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    await keep.save(ADA, SERVER, {"nick": "ada", "pass": CANARY}, SECRET)
    await database.run(lambda c: c.execute(sa.update(schema.options).values(**moved)))
    other = KeptOptions(database, Vault(KEY), "xyz")
    [answers] = [*(await keep.load()).values(), *(await other.load()).values()]
    assert answers == {"nick": "ada"}
    assert "secrets are lost" in caplog.text


@pytest.mark.parametrize("harm", [{"answers": "{"}, {"answers": "[]"}, {"answers": "7"}])
async def test_a_row_that_is_damaged_costs_that_one(
    keep: KeptOptions, database: Database, harm: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await keep.save(ADA, SERVER, {"nick": "ada"}, ())
    await keep.save(ADA, ROOM, {"persistent": True}, ())
    server = sa.update(schema.options).where(schema.options.c.place_kind == "server")
    await database.run(lambda c: c.execute(server.values(**harm)))
    assert await keep.load() == {(ADA, ROOM): {"persistent": True}}
    assert "options cannot be read" in caplog.text


async def test_another_key_is_refused_while_something_is_sealed(
    keep: KeptOptions, database: Database, url: str, tmp_path: Path
) -> None:
    await database.run(lambda c: recognise(c, Vault(KEY)))
    await keep.save(ADA, SERVER, {"pass": CANARY}, SECRET)
    with pytest.raises(StoreError, match="sealed with another key"):
        await database.run(lambda c: recognise(c, Vault(OTHER)))
    copy = backup(url, tmp_path / "copy", OTHER)
    assert (copy.accounts, copy.secrets, copy.key) == (0, 1, "other")


# Leaving, and a host where nobody sets anything -------------------------------------------------------------------------


async def test_who_leaves_leaves_nothing(keep: KeptOptions, database: Database, tmp_path: Path) -> None:
    await keep.save(ADA, SERVER, {"nick": "adas-own-nick"}, ())
    await keep.save(EVE, SERVER, {"nick": "eves-own-nick"}, ())
    await KeptAccounts(database, Vault(KEY), "irc").delete(ADA)
    assert await keep.load() == {(EVE, SERVER): {"nick": "eves-own-nick"}}
    assert [path.name for path in tmp_path.iterdir() if b"adas-own" in path.read_bytes()] == []


async def test_the_database_opens_when_something_is_set(url: str, tmp_path: Path) -> None:
    shelf = Shelf(url, KEY)
    await shelf.start()
    keep = shelf.options("irc")
    assert (await keep.load(), shelf.opened) == ({}, None)
    await keep.save(ADA, SERVER, GIVEN, SECRET)
    assert shelf.opened is not None
    await shelf.accounts("irc").save(Account(ADA, 1.0), ())
    await shelf.close()
    shelf = Shelf(url, KEY)
    await shelf.start()
    assert await shelf.options("irc").load() == {(ADA, SERVER): GIVEN}
    assert await shelf.options("xyz").load() == {}
    await shelf.close()


async def test_what_cannot_be_read_is_not_written_over(url: str, caplog: pytest.LogCaptureFixture) -> None:
    database = await open_database(url)
    await database.run(lambda c: c.execute(sa.text("DROP TABLE options")))
    await database.close()
    shelf = Shelf(url, KEY)
    await shelf.start()
    keep = shelf.options("irc")
    assert await keep.load() == {}
    with pytest.raises(LegacyError, match="cannot keep anything"):
        await keep.save(ADA, SERVER, GIVEN, SECRET)
    assert "what was stored is not known" in caplog.text
    await shelf.close()
