"""Accounts on disk: what is secret is nowhere to be read, opens in its own place only, and goes with its user."""

# ruff: noqa: ASYNC240 - nothing else runs that small files could hold up

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from transports.accounts import Account, Accounts
from transports.contacts import Contact
from transports.describe import Answers, Description, Field, Prompt, Registration
from transports.errors import LegacyError
from transports.events import Address, Said, Say
from transports.store import schema
from transports.store.accounts import KeptAccounts, recognise
from transports.store.backup import backup
from transports.store.contact_rows import apply
from transports.store.database import Database, open_database
from transports.store.errors import StoreError
from transports.store.files import Files, StoredFile
from transports.store.journal import Journal
from transports.store.links import Links
from transports.store.options import KeptOptions
from transports.store.vault import Vault

KEY, OTHER = b"a key of sixteen bytes or more", b"another key of that length"
ADA, EVE = "ada@example.org", "eve@example.org"
ANN = Address("person", "+15551234567")
CANARY = "canary-4f1d-in-a-coal-mine"
GIVEN: Answers = {"sid": "AC1", "token": CANARY, "spoken": ("de", "en"), "roaming": True, "note": "\ud800\0 'quoted'"}
DESCRIPTION = Description(
    Prompt("Number"),
    Registration((Field("sid", "Account"), Field("token", "Token", "secret"), Field("spoken", "Languages", "choices"))),
    (Field("pin", "PIN", "secret"), Field("loud", "Loud", "switch")),
)


@pytest.fixture
def keep(database: Database) -> KeptAccounts:
    return KeptAccounts(database, Vault(KEY), "sms")


def accounts_on(keep: KeptAccounts) -> Accounts:
    return Accounts(lambda user: DESCRIPTION, keep, lambda: 1000.0)


async def all_of(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    return await database.run(lambda c: [dict(row._mapping) for row in c.execute(sa.select(table))])


# There and back -------------------------------------------------------------------------------------------------------


async def test_what_was_given_comes_back(keep: KeptAccounts) -> None:
    accounts = accounts_on(keep)
    await accounts.register(ADA, GIVEN)
    await accounts.prefer(ADA, {"pin": "1234", "loud": False})
    await accounts.speaks(ADA, "de-AT")
    again = accounts_on(keep)
    await again.load()
    assert again.get(ADA) == Account(ADA, 1000.0, GIVEN, {"pin": "1234", "loud": False}, "de-AT")


async def test_a_change_replaces_all(keep: KeptAccounts, database: Database) -> None:
    accounts = accounts_on(keep)
    await accounts.register(ADA, GIVEN)
    await accounts.register(ADA, {"sid": "AC2"})
    assert await keep.load() == [Account(ADA, 1000.0, {"sid": "AC2"})]
    assert await all_of(database, schema.secrets) == []


async def test_bridges_and_users_are_kept_apart(keep: KeptAccounts, database: Database) -> None:
    other = KeptAccounts(database, Vault(KEY), "irc")
    for kept, user, sid in ((keep, ADA, "1"), (keep, EVE, "2"), (other, ADA, "3")):
        await kept.save(Account(user, 1.0, {"sid": sid}), {"sid"})
    await keep.delete(ADA)
    assert await keep.load() == [Account(EVE, 1.0, {"sid": "2"})]
    assert await other.load() == [Account(ADA, 1.0, {"sid": "3"})]


async def test_secrets_are_sealed_and_apart(keep: KeptAccounts, database: Database) -> None:
    accounts = accounts_on(keep)
    await accounts.register(ADA, {"token": CANARY, "sid": "AC1"})
    await accounts.prefer(ADA, {"pin": "1234", "loud": True})
    [account] = await all_of(database, schema.accounts)
    assert (account["answers"], account["preferences"]) == ('{"sid": "AC1"}', '{"loud": true}')
    sealed = {(row["part"], row["var"]) for row in await all_of(database, schema.secrets)}
    assert sealed == {("answers", "token"), ("preferences", "pin")}


async def test_what_no_field_says_of_itself_is_taken_for_secret(keep: KeptAccounts, database: Database) -> None:
    """What a bridge keeps beside its fields, and what an older version of it asked for."""
    accounts = accounts_on(keep)
    await accounts.register(ADA, {"sid": "AC1", "refresh": CANARY})
    [account] = await all_of(database, schema.accounts)
    assert account["answers"] == '{"sid": "AC1"}'
    assert (await keep.load())[0].answers == {"sid": "AC1", "refresh": CANARY}


async def test_a_preference_that_is_no_longer_known_stays_secret(keep: KeptAccounts, database: Database) -> None:
    await keep.save(Account(ADA, 1.0, {}, {"loud": True, "old": CANARY}), {"old"})
    accounts = accounts_on(keep)
    await accounts.load()
    await accounts.speaks(ADA, "de")
    [account] = await all_of(database, schema.accounts)
    assert (account["preferences"], account["language"]) == ('{"loud": true}', "de")
    assert (await keep.load())[0].preferences == {"loud": True, "old": CANARY}


async def test_one_name_in_both_parts(keep: KeptAccounts) -> None:
    account = Account(ADA, 1.0, {"pin": "1"}, {"pin": "2"})
    await keep.save(account, {"pin"})
    assert await keep.load() == [account]


# Nobody else reads it -------------------------------------------------------------------------------------------------


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All loggers at DEBUG, those that are pinned in the daemon too."""
    loggers = [logging.getLogger(name) for name in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    yield caplog
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


async def test_a_secret_is_nowhere_in_the_clear(url: str, tmp_path: Path, everything_logged: pytest.LogCaptureFixture) -> None:
    database = await open_database(url)
    keep = KeptAccounts(database, Vault(KEY), "sms")
    accounts = accounts_on(keep)
    await accounts.register(ADA, {"sid": "plain-to-see", "token": CANARY})
    await accounts.change(ADA, {"sid": "plain-to-see", "token": CANARY + "2"})
    await accounts.speaks(ADA, "de")
    await KeptAccounts(database, Vault(KEY), "sms").load()
    await KeptAccounts(database, Vault(OTHER), "sms").load()  # opens nothing, and complains
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"transports.db", "transports.db-wal", "transports.db-shm"} <= set(found)
    backup(url, tmp_path / "copy", KEY)
    await database.close()
    found |= {"copy": (tmp_path / "copy").read_bytes(), "closed": (tmp_path / "transports.db").read_bytes()}
    assert b"plain-to-see" in found["transports.db-wal"]  # we look where things are
    assert b"plain-to-see" in found["copy"]
    for name, data in found.items():
        assert CANARY[:10].encode() not in data, name
    logged = "\n".join([*map(str, (record.__dict__ for record in everything_logged.records)), everything_logged.text])
    assert "INSERT INTO secrets" in logged
    assert "a secret is lost" in logged
    assert CANARY[:10] not in logged


async def test_an_error_of_the_database_does_not_tell_what_it_was_given(
    keep: KeptAccounts, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.run(lambda c: c.execute(sa.text("DROP TABLE accounts")))
    with pytest.raises(LegacyError) as caught:
        await keep.save(Account(ADA, 1.0, {"sid": CANARY}), ())
    assert (caught.value.condition, caught.value.text.startswith("The gateway cannot keep anything")) == (
        "internal-server-error",
        True,
    )
    assert "no such table" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "moved",
    [{"owner": EVE}, {"var": "sid"}, {"part": "preferences"}, {"bridge": "irc"}],
    ids=lambda moved: next(iter(moved)),
)
async def test_a_sealed_row_opens_in_its_own_place_only(
    keep: KeptAccounts, database: Database, moved: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    await keep.save(Account(ADA, 1.0, {"token": CANARY}), {"token"})
    await keep.save(Account(EVE, 2.0, {}), ())
    other = KeptAccounts(database, Vault(KEY), "irc")
    await other.save(Account(ADA, 1.0, {}), ())
    await database.run(lambda c: c.execute(sa.update(schema.secrets).values(**moved)))
    loaded = [*await keep.load(), *await other.load()]
    assert [dict(account.answers) for account in loaded] == [{}, {}, {}]
    assert [dict(account.preferences) for account in loaded] == [{}, {}, {}]
    assert "a secret is lost" in caplog.text


@pytest.mark.parametrize("harm", [{"nonce": b"\0" * 12}, {"nonce": b""}, {"sealed": b""}, {"sealed": b"\x01" + b"\0" * 40}])
async def test_one_secret_that_is_damaged_costs_that_one(
    keep: KeptAccounts, database: Database, harm: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    await keep.save(Account(ADA, 1.0, {"sid": "AC1", "token": CANARY}), {"token"})
    await keep.save(Account(EVE, 2.0, {"token": "eve's"}), {"token"})
    await database.run(lambda c: c.execute(sa.update(schema.secrets).where(schema.secrets.c.owner == ADA).values(**harm)))
    assert await keep.load() == [Account(ADA, 1.0, {"sid": "AC1"}), Account(EVE, 2.0, {"token": "eve's"})]
    assert f"user={ADA} field=token" in caplog.text


@pytest.mark.parametrize("harm", ["", "{", "[]", "7", "null"])
async def test_one_account_that_is_damaged_costs_that_one(
    keep: KeptAccounts, database: Database, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    await keep.save(Account(ADA, 1.0), ())
    await keep.save(Account(EVE, 2.0), ())
    await database.run(
        lambda c: c.execute(sa.update(schema.accounts).where(schema.accounts.c.owner == ADA).values(preferences=harm))
    )
    assert [account.user for account in await keep.load()] == [EVE]
    assert f"an account cannot be read bridge=sms user={ADA}" in caplog.text


# Keys -----------------------------------------------------------------------------------------------------------------


async def test_another_key_is_refused_with_words(keep: KeptAccounts, database: Database) -> None:
    await database.run(lambda c: recognise(c, Vault(KEY)))
    await keep.save(Account(ADA, 1.0, {"token": CANARY}), {"token"})
    await database.run(lambda c: recognise(c, Vault(KEY)))
    with pytest.raises(StoreError, match=r"sealed with another key: restore .*transports\.key.*key_file"):
        await database.run(lambda c: recognise(c, Vault(OTHER)))


async def test_while_nothing_is_sealed_another_key_is_taken(
    keep: KeptAccounts, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.run(lambda c: recognise(c, Vault(KEY)))
    await keep.save(Account(ADA, 1.0, {"sid": "AC1"}), ())
    await database.run(lambda c: recognise(c, Vault(OTHER)))
    assert "key has changed" in caplog.text
    await keep.save(Account(ADA, 1.0, {"token": CANARY}), {"token"})
    with pytest.raises(StoreError):
        await database.run(lambda c: recognise(c, Vault(KEY)))


# Leaving --------------------------------------------------------------------------------------------------------------


async def settle_in(database: Database, user: str, mark: str) -> None:
    """A user in every table; `mark` is in every text of it."""
    keep = KeptAccounts(database, Vault(KEY), "sms")
    await keep.save(Account(user, 1.0, {"sid": mark, "token": mark}, {"p": mark}), {"token"})
    changes = {(user, ANN): Contact(ANN, mark, (mark,), True)}
    await database.run(lambda connection: apply(connection, "sms", changes))
    await KeptOptions(database, Vault(KEY), "sms").save(user, ANN, {"note": mark, "pass": mark}, {"pass"})
    await Links(database, "sms").put(user, ANN, mark, [mark], by=f"{user}/{mark}", excerpt=mark)
    journal = Journal(database, "sms")
    await journal.put("out", user, Say(ANN, "", mark, f"{user}/x", mark), mark, 10)
    row = await journal.put("in", user, Said(ANN, "", mark), mark, 10)
    assert row is not None
    await journal.dead(row.id, mark)
    file = StoredFile(f"unguessable-{len(user)}", "sms", user, mark, "image/png", 1, "00" * 32, 1.0, 9e9)
    await Files(database).put(file)


async def test_who_leaves_leaves_nothing(keep: KeptAccounts, database: Database, tmp_path: Path) -> None:
    await settle_in(database, ADA, "adas-own-words")
    await settle_in(database, "grace@example.org", "graces-own-words")
    assert b"adas-own-words" in (tmp_path / "transports.db-wal").read_bytes()
    await keep.delete(ADA)
    for table in schema.metadata.tables.values():
        rows = await all_of(database, table)
        assert ADA not in str(rows) and "adas-own" not in str(rows), table.name
        assert table.name == "meta" or "grace" in str(rows), table.name
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert b"adas-own" not in data and ADA.encode() not in data, path.name
    assert b"graces-own-words" in (tmp_path / "transports.db").read_bytes()


async def test_the_bytes_of_who_left_are_still_found_by_who_removes_them(keep: KeptAccounts, database: Database) -> None:
    await settle_in(database, ADA, "x")
    await keep.delete(ADA)
    files = Files(database)
    [left] = await files.expired()
    assert (left.name, left.owner, left.filename) == (f"unguessable-{len(ADA)}", "", "")
    assert await files.get(left.name) is None
    await files.remove([left.name])
    assert await files.expired() == []
