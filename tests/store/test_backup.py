"""A copy while the daemon writes, and back again: whole, private, checked, nothing lost on the way."""

# ruff: noqa: ASYNC240 - nothing else runs that small files could hold up

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from transports.archive import table
from transports.events import Address
from transports.roll import Roll
from transports.store import lock, schema
from transports.store.backup import Copy, backup, restore
from transports.store.database import Database, open_database
from transports.store.errors import NewerDatabaseError, StoreError
from transports.store.vault import mark

KEY, OTHER = b"a key of sixteen bytes or more", b"another key of that length"
ADA = {"bridge": "sms", "owner": "ada@example.org", "created": 1.0, "language": "", "answers": "{}", "preferences": "{}"}
SECRET = {"bridge": "sms", "owner": "ada@example.org", "part": "answers", "var": "token", "nonce": b"n", "sealed": b"s"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "one.db"


async def fill(database: Database, secret: bool = True) -> None:
    """One account, and what the database knows of its key."""

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(schema.meta), {"key": "key", "value": mark(KEY)})
        connection.execute(sa.insert(schema.accounts), ADA)
        if secret:
            connection.execute(sa.insert(schema.secrets), SECRET)

    await database.run(work)


async def language(database: Database, value: str) -> None:
    await database.run(lambda c: c.execute(sa.update(schema.accounts).values(language=value)))


def languages(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [value for (value,) in connection.execute("SELECT language FROM accounts")]


def database_of(url: str) -> Path:
    path = lock.sqlite_path(url)
    assert path is not None
    return path


# Backup ---------------------------------------------------------------------------------------------------------------


async def test_a_copy_is_whole_private_and_one_file(database: Database, url: str, target: Path) -> None:
    await fill(database)
    copy = backup(url, target, KEY)
    assert copy == Copy(target, target.stat().st_size, schema.HEAD, 1, 1, "fits")
    assert [path.name for path in target.parent.iterdir()] == ["one.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert languages(target) == [""]
    assert [path.name for path in target.parent.iterdir()] == ["one.db"]  # reading it leaves no log beside it


async def test_a_copy_of_a_database_that_is_written_to_is_of_one_moment(database: Database, url: str, target: Path) -> None:
    await fill(database)
    await database.run(lambda c: c.execute(sa.update(schema.accounts).values(created=1.0)))

    async def write() -> None:
        for number in range(100):  # a row, and how many there are: in one transaction, as seen from outside
            await database.run(lambda c, n=number: add(c, n))  # type: ignore[misc]

    def add(connection: sa.Connection, number: int) -> None:
        connection.execute(sa.insert(schema.meta), {"key": f"{number:03}{os.urandom(9).hex()}", "value": "x" * 500})
        connection.execute(sa.update(schema.accounts).values(created=schema.accounts.c.created + 1))

    for turn in range(5):
        copy, _ = await asyncio.gather(asyncio.to_thread(backup, url, target.with_name(f"{turn}.db"), KEY), write())
        with closing(sqlite3.connect(copy.path)) as connection:
            [(rows, created)] = connection.execute("SELECT (SELECT count(*) FROM meta), created FROM accounts")
        assert rows == created
        assert turn * 100 < rows <= (turn + 1) * 100 + 1


async def test_what_was_deleted_is_not_in_the_copy(database: Database, url: str, target: Path) -> None:
    await fill(database)
    await language(database, "canary-in-a-coal-mine")
    await language(database, "")
    backup(url, target, KEY)
    assert b"canary" not in target.read_bytes()


async def test_a_copy_never_overwrites(database: Database, url: str, target: Path) -> None:
    target.write_text("precious")
    with pytest.raises(StoreError, match=r"cannot write .*one\.db: File exists"):
        backup(url, target, KEY)
    assert target.read_text() == "precious"
    target.unlink()
    target.symlink_to("elsewhere.db")
    with pytest.raises(StoreError, match="File exists"):
        backup(url, target, KEY)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("sqlite:////nowhere/at/all.db", "no database at /nowhere/at/all.db"),
        ("postgresql+psycopg://host/db", "only SQLite"),
    ],
)
def test_what_cannot_be_copied_is_said(other: str, words: str, target: Path) -> None:
    with pytest.raises(StoreError, match=words):
        backup(other, target, KEY)
    assert not target.exists()


async def test_no_folder_for_the_copy_is_said(database: Database, url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write .*: No such file"):
        backup(url, tmp_path / "nowhere" / "one.db", KEY)


async def test_a_strangers_file_is_no_copy_of_ours(tmp_path: Path, target: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    with pytest.raises(StoreError, match="no database of Transports"):
        backup(f"sqlite:///{tmp_path}/t.db", target, KEY)
    assert list(target.parent.iterdir()) == []


async def test_a_copy_tells_that_the_key_is_another(database: Database, url: str, target: Path) -> None:
    assert backup(url, target, KEY).key == "none"
    await fill(database)
    assert backup(url, target.with_name("two.db"), OTHER).key == "other"


# Restore --------------------------------------------------------------------------------------------------------------


async def test_there_and_back(url: str, target: Path) -> None:
    database = await open_database(url)
    await fill(database)
    await language(database, "then")
    backup(url, target, KEY)
    await language(database, "now")
    await database.close()
    restored = restore(target, url, KEY)
    path = database_of(url)
    assert restored.copy == Copy(path, path.stat().st_size, schema.HEAD, 1, 1, "fits")
    assert restored.aside is not None and restored.aside.name.startswith("transports.db.before-restore-")
    assert (languages(path), languages(restored.aside), languages(target)) == (["then"], ["now"], ["then"])
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, restored.aside)] == [0o600, 0o600]
    again = await open_database(url)
    await again.close()


async def test_into_an_empty_place(url: str, target: Path, tmp_path: Path) -> None:
    database = await open_database(url)
    await fill(database)
    backup(url, target, KEY)
    await database.close()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert restore(target, f"sqlite:///{fresh}/t.db", KEY).aside is None
    assert sorted(path.name for path in fresh.iterdir()) == ["t.db", "t.db.lock"]


async def test_what_a_killed_daemon_left_in_its_log_is_kept_and_not_mixed_in(url: str, target: Path) -> None:
    """The log of the old database must not be taken for the new one's."""
    database = await open_database(url)
    await fill(database)
    await language(database, "then")
    backup(url, target, KEY)
    await database.close()
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute(\"UPDATE accounts SET language = 'lost?'\"); os._exit(0)"
    )
    path = database_of(url)
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(path)], timeout=30, check=True)
    assert Path(f"{path}-wal").stat().st_size > 0
    restored = restore(target, url, KEY)
    assert restored.aside is not None
    assert (languages(path), languages(restored.aside)) == (["then"], ["lost?"])


async def test_a_damaged_database_is_replaced_and_kept(url: str, target: Path) -> None:
    database = await open_database(url)
    await fill(database)
    backup(url, target, KEY)
    await database.close()
    path = database_of(url)
    path.write_bytes(b"rubbish" * 5000)
    Path(f"{path}-wal").write_bytes(b"more rubbish")
    restored = restore(target, url, KEY)
    assert restored.aside is not None
    assert restored.aside.read_bytes() == b"rubbish" * 5000
    assert Path(f"{restored.aside}-wal").read_bytes() == b"more rubbish"
    assert languages(path) == [""]


async def test_not_while_the_daemon_runs(url: str, target: Path) -> None:
    database = await open_database(url)
    await fill(database)
    backup(url, target, KEY)
    path = database_of(url)
    daemons = [lock.use(path), lock.use(path)]
    for daemon in daemons:
        with pytest.raises(StoreError, match="in use: stop the gateway first"):
            restore(target, url, KEY)
        os.close(daemon)
    await database.close()
    restore(target, url, KEY)
    only = lock.alone(path)
    with pytest.raises(StoreError, match=r"restore .* is under way"):
        lock.use(path)
    with pytest.raises(StoreError, match=r"restore .* is under way"):
        backup(url, target.with_name("other.db"), KEY)
    os.close(only)
    assert not target.with_name("other.db").exists()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer Transports"),
        ("DROP TABLE alembic_version", "no database of Transports"),
        (b"", "no database of Transports"),
        (b"rubbish" * 5000, "cannot restore .*: file is not a database"),
        (None, "cannot restore .*: No such file"),
    ],
)
async def test_what_is_no_use_is_refused_and_changes_nothing(
    url: str, target: Path, harm: str | bytes | None, words: str
) -> None:
    database = await open_database(url)
    await fill(database)
    backup(url, target, KEY)
    await language(database, "now")
    await database.close()
    _harm(target, harm)
    with pytest.raises(StoreError, match=words) as caught:
        restore(target, url, KEY)
    assert isinstance(caught.value, NewerDatabaseError) is ("newer" in words)
    path = database_of(url)
    assert languages(path) == ["now"]
    assert sorted(found.name for found in path.parent.iterdir()) == ["backups", "transports.db", "transports.db.lock"]


def _harm(target: Path, harm: str | bytes | None) -> None:
    if isinstance(harm, str):
        with closing(sqlite3.connect(target, isolation_level=None)) as connection:
            connection.execute(harm)
    elif harm is None:
        target.unlink()
    else:
        target.write_bytes(harm)


async def test_a_page_that_has_rotted_is_found(url: str, target: Path) -> None:
    database = await open_database(url)
    await fill(database)
    await database.close()
    path = database_of(url)
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"ada@example.org")
    whole[at : at + 3] = b"eve"  # the row says eve, its index ada
    target.write_bytes(whole)
    with pytest.raises(StoreError, match="is damaged"):
        restore(target, url, KEY)


async def test_secrets_of_another_key_are_not_restored(url: str, target: Path) -> None:
    database = await open_database(url)
    await fill(database)
    backup(url, target, KEY)
    await database.close()
    with pytest.raises(StoreError, match=r"sealed with another key.*transports\.key"):
        restore(target, url, OTHER)


async def test_without_secrets_any_key_will_do(url: str, target: Path) -> None:
    database = await open_database(url)
    await fill(database, secret=False)
    backup(url, target, KEY)
    await database.close()
    assert restore(target, url, OTHER).copy.key == "other"


async def test_the_database_is_not_its_own_copy(database: Database, url: str) -> None:
    with pytest.raises(StoreError, match="is the database itself"):
        restore(database_of(url), url, KEY)


async def test_a_copy_made_by_hand_with_its_log_is_read_whole(url: str, target: Path, database: Database) -> None:
    await fill(database)
    await language(database, "in the log")
    path = database_of(url)
    for suffix in ("", "-wal"):
        Path(f"{target}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    other = f"sqlite:///{target.parent.parent}/other.db"
    restore(target, other, KEY)
    assert languages(database_of(other)) == ["in the log"]


async def test_a_link_laid_where_the_copy_is_written_is_not_followed(
    database: Database, url: str, target: Path, tmp_path: Path
) -> None:
    other = tmp_path / "somebody's"
    other.write_text("keep me")
    (target.parent / f".{target.name}.part-{os.getpid()}").symlink_to(other)
    with pytest.raises((StoreError, OSError)):
        backup(url, target, KEY)
    assert other.read_text() == "keep me" and not target.exists()


# The archive ----------------------------------------------------------------------------------------------------------


def archive_of(path: Path, *texts: str) -> Path:
    """An archive in a file, as a daemon leaves it that still runs."""
    connection = table.connect(path)
    connection.executemany("INSERT INTO messages (place, line) VALUES (1, ?)", [(text,) for text in texts])
    return path


def lines(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [line for (line,) in connection.execute("SELECT line FROM messages ORDER BY id")]


async def test_the_archive_goes_there_and_back(database: Database, url: str, target: Path) -> None:
    await fill(database)
    archive = archive_of(database_of(url).with_name("archive.db"), "one", "two")
    made = backup(url, target, KEY)
    assert made.archive == target.with_name("one.db.archive") and stat.S_IMODE(made.archive.stat().st_mode) == 0o600
    assert lines(made.archive) == ["one", "two"] == lines(archive)
    with pytest.raises(StoreError, match="exists"):
        backup(url, target, KEY)
    await database.close()
    archive_of(archive, "three")
    copy, _ = restore(target, url, KEY)
    assert copy.archive == archive and lines(archive) == ["one", "two"]
    aside = min(archive.parent.glob("archive.db.before-restore-*"))  # its log, if it has one, has a longer name
    assert lines(aside) == ["one", "two", "three"]
    assert sorted(path.name for path in target.parent.iterdir()) == ["one.db", "one.db.archive"]


@pytest.mark.parametrize("broken", ["damaged", "newer", "strange"])
async def test_an_archive_that_is_no_use_changes_nothing(
    database: Database, url: str, target: Path, broken: str
) -> None:
    await fill(database)
    archive = archive_of(database_of(url).with_name("archive.db"), "one")
    made = backup(url, target, KEY)
    assert made.archive is not None
    await database.close()
    with closing(sqlite3.connect(made.archive, isolation_level=None)) as connection:
        if broken != "damaged":
            connection.execute(f"PRAGMA user_version={999 if broken == 'newer' else 0}")
    if broken == "damaged":
        made.archive.write_bytes(made.archive.read_bytes()[:5_000])
    before = database_of(url).read_bytes()
    with pytest.raises(StoreError, match="newer" if broken == "newer" else "store: "):
        restore(target, url, KEY)
    assert lines(archive) == ["one"] and database_of(url).read_bytes() == before


async def test_without_an_archive_there_is_none_beside_the_copy(database: Database, url: str, target: Path) -> None:
    await fill(database)
    assert backup(url, target, KEY).archive is None
    assert [path.name for path in target.parent.iterdir()] == ["one.db"]


# Who was in which room ------------------------------------------------------------------------------------------------


async def test_who_was_in_which_room_goes_there_and_back(database: Database, url: str, target: Path) -> None:
    await fill(database)
    path = database_of(url).with_name("rooms.db")
    room = Address("room", "#c%irc.test")
    roll = Roll(path, "irc", KEY)
    roll.entered("ada@example.org", room, "ada", "sesame")
    await roll.close()
    backup(url, target, KEY)
    saved = target.with_name("one.db.rooms")
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    await database.close()
    path.unlink()
    restore(target, url, KEY)
    roll = Roll(path, "irc", KEY)
    assert [(stay.user, stay.room, stay.password) for stay in await roll.load()] == [("ada@example.org", room, "sesame")]
    await roll.close()


async def test_rooms_that_are_no_use_change_nothing(database: Database, url: str, target: Path) -> None:
    await fill(database)
    backup(url, target, KEY)
    await database.close()
    with closing(sqlite3.connect(target.with_name("one.db.rooms"), isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version=99")
        connection.execute("CREATE TABLE a (b)")
    before = database_of(url).read_bytes()
    with pytest.raises(StoreError, match="newer"):
        restore(target, url, KEY)
    assert database_of(url).read_bytes() == before
