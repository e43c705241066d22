"""One thread, shared commits, files nobody else reads, schemas that are recognised."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from transports.errors import LegacyError
from transports.store import database as module
from transports.store import schema
from transports.store.database import Database, open_database
from transports.store.errors import NewerDatabaseError, StoreError
from transports.store.migrations import upgrade

ONE = sa.text("SELECT 1")


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/transports.db"


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def version(database: Database) -> str:
    return str(await database.run(lambda c: c.execute(sa.select(schema.alembic_version.c.version_num)).scalar_one()))


async def test_a_fresh_database_is_stamped_and_private(tmp_path: Path) -> None:
    os.umask(os.umask(0o022))
    database = await open_database(url(tmp_path))
    assert await version(database) == schema.HEAD
    assert modes(tmp_path) == {"transports.db": 0o600, "transports.db-wal": 0o600, "transports.db-shm": 0o600}
    await database.close()


async def test_a_database_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "transports.db").touch(0o644)
    await (await open_database(url(tmp_path))).close()
    assert stat.S_IMODE((tmp_path / "transports.db").stat().st_mode) == 0o600


async def test_what_is_acknowledged_is_synced(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    found = [await database.run(lambda c, p=name: c.exec_driver_sql(f"PRAGMA {p}").scalar()) for name in pragmas]  # type: ignore[misc]
    assert found == ["wal", 2, 1, 5000]
    await database.close()


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    await database.run(lambda c: c.execute(sa.update(schema.alembic_version).values(version_num="9999")))
    await database.close()
    with pytest.raises(NewerDatabaseError, match=f"newer Transports.*'9999'.*'{schema.HEAD}'"):
        await open_database(url(tmp_path))


async def test_a_strangers_database_is_refused(tmp_path: Path) -> None:
    engine = sa.create_engine(url(tmp_path))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE photos (id INTEGER)"))
    engine.dispose()
    with pytest.raises(StoreError, match="a database of its own"):
        await open_database(url(tmp_path))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("sqlite:///relative.db", "absolute path"),
        ("sqlite://", "absolute path"),
        ("sqlite:////nowhere/at/all.db", "No such file"),
        ("nonsense", "cannot use the database"),
        ("oracle9://scott:tiger@host/db", "cannot use the database"),
    ],
)
async def test_a_useless_url_is_one_clear_line(bad: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        await open_database(bad)
    assert "\n" not in str(caught.value)
    assert "tiger" not in str(caught.value)


async def test_no_database_at_all_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "transports.db").write_bytes(b"this is not a database, but long enough to be looked at" * 20)
    with pytest.raises(StoreError, match="not a database"):
        await open_database(url(tmp_path))


async def test_migrating_gives_what_a_fresh_database_has(tmp_path: Path) -> None:
    fresh = await open_database(url(tmp_path))
    engine = sa.create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        upgrade.upgrade(connection)
    wanted = await fresh.run(_described)
    with engine.begin() as connection:
        assert _described(connection) == wanted
        assert upgrade.scripts().get_current_head() == schema.HEAD
    engine.dispose()
    await fresh.close()
    gc.collect()


def _described(connection: sa.Connection) -> dict[str, object]:
    look = sa.inspect(connection)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in look.get_columns(name)],
            sorted(look.get_indexes(name), key=str),
            sorted(look.get_unique_constraints(name), key=str),
            look.get_pk_constraint(name)["constrained_columns"],
        )
        for name in look.get_table_names()
    }


async def test_alembic_is_loaded_only_to_migrate(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from transports.store.database import open_database\n"
        "async def main():\n"
        "    for _ in range(2): await (await open_database(sys.argv[1])).close()\n"
        "asyncio.run(main()); sys.exit('alembic' in sys.modules)"
    )
    finished = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, url(tmp_path)], timeout=30)
    assert finished.returncode == 0


async def test_work_that_arrives_during_a_commit_shares_the_next(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    commits: list[object] = []
    sa.event.listen(database._engine, "commit", commits.append)
    gate = threading.Event()
    first = database.run(lambda _connection: gate.wait(10))
    others = [database.run(lambda c: c.execute(ONE).scalar()) for _ in range(200)]
    gate.set()
    assert await first
    assert await asyncio.gather(*others) == [1] * 200
    assert len(commits) == 2
    await database.close()


async def test_the_loop_goes_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    gate = threading.Event()
    slow = database.run(lambda _connection: gate.wait(10))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not slow.done()
    gate.set()
    assert await slow
    await database.close()


async def test_one_bad_call_is_rolled_back_alone(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    await database.run(lambda c: c.execute(sa.text("CREATE TABLE t (n INTEGER)")))

    def bad(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO t VALUES (2)"))
        raise ValueError("no")

    results = await asyncio.gather(
        database.run(lambda c: c.execute(sa.text("INSERT INTO t VALUES (1)"))),
        database.run(bad),
        database.run(lambda c: c.execute(sa.text("INSERT INTO t VALUES (3)"))),
        return_exceptions=True,
    )
    assert isinstance(results[1], ValueError)
    assert await database.run(lambda c: list(c.execute(sa.text("SELECT n FROM t ORDER BY n")).scalars())) == [1, 3]
    await database.close()


async def test_a_cancelled_caller_undoes_nothing_and_stops_nobody(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    await database.run(lambda c: c.execute(sa.text("CREATE TABLE t (n INTEGER)")))
    writes = [database.run(lambda c: c.execute(sa.text("INSERT INTO t VALUES (1)"))) for _ in range(3)]
    writes[1].cancel()
    await writes[2]
    assert await database.run(lambda c: c.execute(sa.text("SELECT count(*) FROM t")).scalar()) == 3
    await database.close()


async def test_closing_finishes_what_waits_and_refuses_the_rest(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    waiting = [database.run(lambda c: c.execute(ONE).scalar()) for _ in range(600)]
    await database.close()
    assert [work.result() for work in waiting] == [1] * 600
    with pytest.raises(StoreError, match="closed"):
        await database.run(lambda c: None)


async def test_the_backlog_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKLOG", 5)
    database = await open_database(url(tmp_path))
    gate = threading.Event()
    waiting = [database.run(lambda _connection: gate.wait(10)) for _ in range(6)]
    with pytest.raises(LegacyError) as caught:
        await database.run(lambda c: None)
    assert caught.value.condition == "resource-constraint"
    gate.set()
    await asyncio.gather(*waiting)
    await database.close()
