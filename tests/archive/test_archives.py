"""The archive: what is said is found again, for whom it was said, whatever the disk does."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.archive.conftest import ROOM, START, USER, fill, name, until
from transports.archive import archives as module
from transports.archive import table
from transports.archive.archives import Archives
from transports.archive.place import Archive
from transports.archive.values import EVERYTHING, Extent, History, Line, Query, Retention, Unknown
from transports.errors import LegacyError
from transports.events import Address

EVERY = Query(most=1_000)


async def recalled(archive: Archive, history: History = EVERYTHING) -> Sequence[Line] | None:
    """What a client would be shown; None when it would not even wait."""
    there: asyncio.Future[Sequence[Line]] = asyncio.get_running_loop().create_future()
    return await there if archive.recall(history, there.set_result) else None


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_what_is_said_is_there_at_once_and_as_it_was(room: Archive) -> None:
    room.keep(name(1), "n'ick", "occupant", "<body>&lt;3 „ü“ \\ \"</body>", "msgid-1")
    room.keep(name(2), "me", "me", "<body>mine</body>", own=True, stanza="its own 'id'")
    page = await room.page(EVERY)
    at = int(START * 1000)
    assert page.lines == [
        Line(name(1), at + 1_000, False, "n'ick", name(1), "occupant", "<body>&lt;3 „ü“ \\ \"</body>", "msgid-1"),
        Line(name(2), at + 2_000, True, "me", "its own 'id'", "me", "<body>mine</body>", ""),
    ]
    assert (page.total, page.at, page.complete) == (2, 0, True)


async def test_it_is_there_after_a_restart_in_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        before = Archives(tmp_path / "archive.db")
        ids = fill(before.of("irc", USER, ROOM), 300)
        await before.close()
    finally:
        os.umask(old)
    assert modes(tmp_path) == {0o600}
    after = Archives(tmp_path / "archive.db")
    page = await after.of("irc", USER, ROOM).page(EVERY)
    assert [line.id for line in page.lines] == ids
    await after.close()


async def test_nothing_is_on_the_disk_until_something_is_said(archives: Archives, room: Archive) -> None:
    assert (archives.empty, await recalled(room)) == (True, None)
    fill(room, 1)
    assert not archives.empty


async def test_everybody_has_an_archive_of_his_own(archives: Archives, room: Archive) -> None:
    fill(room, 3)
    others = (
        archives.of("irc", "crone1@shakespeare.lit", ROOM),
        archives.of("other", USER, ROOM),
        archives.of("irc", USER, Address("person", ROOM.name)),
    )
    for number, other in enumerate(others):
        other.keep(name(100 + number), "n", "n", "<body>theirs</body>")
    assert [len((await archive.page(EVERY)).lines) for archive in (room, *others)] == [3, 1, 1, 1]
    for other in others:
        with pytest.raises(Unknown):
            await other.page(Query(after=name(1)))


async def test_what_comes_later_with_an_earlier_time_stands_where_it_belongs(room: Archive) -> None:
    fill(room, 2, step=10)
    room.keep(name(5), "n", "n", "<body>from the gap</body>", "far")
    room.keep(name(6), "n", "n", "<body>the same again</body>", "far")
    assert [line.id for line in (await room.page(EVERY)).lines] == [name(0), name(5), name(10)]
    newest, found = await room.newest(), await room.find("far")
    assert newest is not None and newest == found and newest.key == "far"
    assert await room.find("another") is None


async def test_its_extent(archives: Archives, room: Archive) -> None:
    assert await room.extent() is None
    fill(room, 3)
    start = int(START * 1000)
    assert await room.extent() == Extent((name(0), start), (name(2), start + 2000))


# History --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "shown"),
    [
        (EVERYTHING, range(10, 30)),
        (History(stanzas=3), range(27, 30)),
        (History(stanzas=500), range(10, 30)),
        (History(since=START + 25.5), range(26, 30)),
        (History(since=START + 3, stanzas=2), range(28, 30)),
        (History(seconds=999_999_999), range(10, 30)),
        (History(since=START + 1_000), range(0)),
        (History(seconds=60), range(0)),
        (History(since=float(2**70)), range(0)),
    ],
)
async def test_history_is_the_newest_of_what_is_wanted(room: Archive, history: History, shown: range) -> None:
    fill(room, 30)
    lines = await recalled(room, history)
    assert lines is not None and [line.id for line in lines] == [name(number) for number in shown]


@pytest.mark.parametrize("history", [History(stanzas=0), History(chars=0), History(seconds=0)])
async def test_who_wants_none_waits_for_none(room: Archive, history: History) -> None:
    fill(room, 3)
    assert await recalled(room, history) is None


async def test_history_ends_where_the_client_came_in(room: Archive) -> None:
    there: asyncio.Future[Sequence[Line]] = asyncio.get_running_loop().create_future()
    fill(room, 7)
    assert room.recall(EVERYTHING, there.set_result)
    fill(room, 3, 7)
    await room.page(EVERY)
    assert [line.id for line in await there] == [name(number) for number in range(7)]


async def test_a_place_without_a_backlog_shows_none(archives: Archives, room: Archive) -> None:
    fill(room, 3)
    assert await recalled(archives.of("irc", USER, ROOM, 0)) is None


# The disk -------------------------------------------------------------------------------------------------------------


async def test_a_newer_file_is_refused_with_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    connection = sqlite3.connect(tmp_path / "archive.db")
    connection.execute("PRAGMA user_version=999")
    connection.close()
    archives = Archives(tmp_path / "archive.db")
    room = archives.of("irc", USER, ROOM, 20)
    fill(room, 3)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            with pytest.raises(LegacyError) as error:
                await room.page(EVERY)
    assert error.value.condition == "internal-server-error"
    assert "newer" in archives.trouble and "999" in archives.trouble
    assert len(caplog.records) == 1
    fill(room, 3, 10)
    assert await recalled(room) is None
    await archives.close()


async def test_a_file_that_is_none_ends_the_archive_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "archive.db").write_bytes(b"no database at all, but longer than its head is" * 100)
    archives = Archives(tmp_path / "archive.db")
    room = archives.of("irc", USER, ROOM)
    fill(room, 3)
    with caplog.at_level(logging.ERROR), pytest.raises(LegacyError):
        await room.page(EVERY)
    assert archives.trouble and len(caplog.records) == 1
    await archives.close()


async def test_what_a_disk_refuses_is_written_when_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.02)
    monkeypatch.setattr(module, "GATHER", 0.01)
    folder = tmp_path / "away"
    archives = Archives(folder / "archive.db")
    archives._again = 0.02
    room = archives.of("irc", USER, ROOM)
    with caplog.at_level(logging.INFO):
        ids = fill(room, 3)
        await until(lambda: archives.trouble != "")
        folder.mkdir()
        ids += fill(room, 3, 3)
        await until(lambda: archives.trouble == "")
    assert [line.id for line in (await room.page(EVERY)).lines] == ids
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    await archives.close()


async def test_rows_that_wait_for_a_slow_disk_are_bounded(
    archives: Archives, room: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAITING", 100)
    fill(room, 1)
    await room.page(EVERY)
    archives._holding = asyncio.get_running_loop().time() + 3_600
    fill(room, 150, 1)
    archives._gathered()
    fill(room, 100, 200)
    archives._gathered()
    archives._holding = 0
    lines = (await room.page(EVERY)).lines
    assert len(lines) <= 101 and lines[-1].id == name(299)
    assert ["the oldest lines are dropped" in record.message for record in caplog.records] == [True]


async def test_while_the_disk_hangs_what_is_said_waits_in_a_bounded_place(
    archives: Archives, room: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 100)
    monkeypatch.setattr(module, "STUCK", -1.0)
    hangs = threading.Event()
    archives._executor().submit(hangs.wait, 30)
    for number in range(20):
        fill(room, 50, 50 * number)
        archives._gathered()
        if number % 5 == 4:
            asked = asyncio.ensure_future(room.extent())
            await asyncio.sleep(0)
    assert archives._handed == 50 and len(archives.rows) <= 100
    hangs.set()
    await asked
    await until(lambda: not archives._handed)
    lines = (await room.page(EVERY)).lines
    assert lines[-1].id == name(999) and len(lines) <= 150


async def test_a_row_that_no_database_holds_costs_no_other(room: Archive, caplog: pytest.LogCaptureFixture) -> None:
    ids = fill(room, 20)
    room.keep("no number", "n", "n", "<body/>")
    room.keep(name(77), "n", "n", "<body>\ud800</body>")
    room.keep(name(78), "n", "n", "<body/>", "\udfff")
    room.keep(f"{1 << 70:x}", "n", "n", "<body/>")
    ids += fill(room, 20, 100)
    assert [line.id for line in (await room.page(EVERY)).lines] == ids
    assert "count=4" in caplog.text


# Forgetting -----------------------------------------------------------------------------------------------------------


async def test_what_is_forgotten_is_off_the_disk_and_what_comes_after_stays(archives: Archives, room: Archive) -> None:
    other, person = archives.of("irc", "crone1@shakespeare.lit", ROOM), archives.of("irc", USER, Address("person", "n%s"))
    fill(room, 3_000)
    person.keep(name(5_000), "", "", "<body>canary-of-a-person</body>")
    other.keep(name(5_001), "n", "n", "<body>stays</body>")
    await room.page(EVERY)
    await archives.forget("irc", USER)
    held = b"".join(path.read_bytes() for path in archives.path.parent.iterdir())
    assert b"canary" not in held and b"line 17<" not in held and USER.encode() not in held and b"stays" in held
    fill(room, 2, 6_000)
    assert [(await archive.page(EVERY)).total for archive in (room, person, other)] == [2, 0, 1]


async def test_one_place_can_be_forgotten(archives: Archives, room: Archive) -> None:
    other = archives.of("irc", USER, Address("room", "#heath%irc.example"))
    fill(room, 3)
    fill(other, 3, 10)
    await archives.forget("irc", USER, ROOM)
    assert [(await archive.page(EVERY)).total for archive in (room, other)] == [0, 3]


async def test_the_oldest_go_first_and_only_as_many_as_have_to(tmp_path: Path) -> None:
    now = time.time()
    archives = Archives(tmp_path / "archive.db", Retention(days=10, lines=30, total=45))
    rooms = [archives.of("irc", USER, Address("room", f"#{number}%s")) for number in range(3)]
    stranger = archives.of("irc", "crone1@shakespeare.lit", ROOM)
    kept = fill(rooms[0], 100, 0, now - 11 * 86_400, 86_400 / 50)[75:]  # 50 are too old, and 20 of the others too many
    fill(rooms[1], 20, 1, now - 3_600)
    fill(rooms[2], 5, 2, now - 20 * 86_400)
    fill(stranger, 30, 3, now - 60)
    await archives.purge()
    pages = [await archive.page(EVERY) for archive in (*rooms, stranger)]
    assert [page.total for page in pages] == [25, 20, 0, 30]
    assert [line.id for line in pages[0].lines] == kept
    await archives.purge()
    fill(rooms[2], 1, 4, now - 10)  # its place went with its last message, and is there again
    assert (await rooms[2].page(EVERY)).total == 1
    await archives.close()


async def test_the_end_writes_what_waits(tmp_path: Path) -> None:
    archives = Archives(tmp_path / "archive.db")
    fill(archives.of("irc", USER, ROOM), 500)
    await archives.close()
    await archives.close()
    connection = sqlite3.connect(tmp_path / "archive.db")
    assert connection.execute("SELECT count(*) FROM messages").fetchone() == (500,)
    connection.close()


def test_ids_are_what_the_house_gives_out() -> None:
    from transports.gateway_seams import Ids

    ids = Ids()
    now, made = time.time_ns(), [ids.stanza() for _ in range(1_000)]
    numbers = [int(id, 16) for id in made]
    assert sorted(set(numbers)) == numbers and 0 <= numbers[0] - now < 10**9 and numbers[-1] < 1 << 63
    earlier = [ids.at(START) for _ in range(1_000)]
    assert len({*made, *earlier}) == 2_000 and {int(id, 16) // 1_000_000 for id in earlier} == {int(START * 1000)}
    for when in (-1.0, 0.0, 1e300, time.time() + 86_400):  # what servers may say
        assert 0 < int(ids.at(when), 16) <= time.time_ns() + 1_000_000


def test_a_file_is_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        connection = table.connect(tmp_path / "archive.db")
        assert table.version(connection) == len(table.MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        connection.close()
