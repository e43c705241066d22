"""Who was in which room: what is there after the process has gone, in whatever way."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from transports import roll as module
from transports.events import Address
from transports.roll import FILE, REMEMBERED, Roll, Stay, Stayed

ADA, BOB = "ada@example.org", "bob@example.org"
C, D = Address("room", "#c%irc.test"), Address("room", "#d%irc.test")
DESK = Stayed("ada@example.org/desk", "#c%irc.test@irc.example.org", "ada")
PHONE = Stayed("ada@example.org/phone", "#C%irc.test@irc.example.org", "ada l")
KEY = b"k" * 32


def roll(directory: Path, bridge: str = "irc", key: bytes = KEY) -> Roll:
    return Roll(directory / FILE, bridge, key)


async def kept(directory: Path, key: bytes = KEY) -> list[Stay]:
    """What another process finds, `since` made of no account."""
    there = roll(directory, key=key)
    stays = await there.load()
    await there.close()
    return sorted((stay._replace(since=0.0) for stay in stays), key=lambda stay: (stay.user, stay.room))


def contents(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.iterdir()]


async def test_what_was_noted_is_there_afterwards(tmp_path: Path) -> None:
    there = roll(tmp_path)
    there.entered(ADA, C, "ada", "")
    there.came(ADA, C, DESK)
    there.came(ADA, C, PHONE)
    there.entered(ADA, D, "ada", "")
    there.entered(BOB, C, "bob", "")
    await there.close()
    first, second, third = await kept(tmp_path)
    assert first == Stay(ADA, C, "ada", "", 0.0, [DESK, PHONE])
    assert second == Stay(ADA, D, "ada", "", 0.0, ())
    assert third == Stay(BOB, C, "bob", "", 0.0, ())


async def test_the_order_of_changes_holds(tmp_path: Path) -> None:
    there = roll(tmp_path)
    there.entered(ADA, C, "ada", "")
    there.came(ADA, C, DESK)
    there.left(ADA, C)
    there.entered(ADA, C, "ada", "")
    there.came(ADA, C, PHONE)
    there.called(ADA, C, "lovelace")
    there.entered(ADA, D, "ada", "")
    there.came(ADA, D, DESK)
    there.came(ADA, D, PHONE)
    there.gone(ADA, D, DESK.jid)
    there.entered(BOB, C, "bob", "")
    there.came(BOB, C, DESK)
    there.alone(BOB, C)
    await there.close()
    assert await kept(tmp_path) == [
        Stay(ADA, C, "lovelace", "", 0.0, [PHONE]),
        Stay(ADA, D, "ada", "", 0.0, [PHONE]),
        Stay(BOB, C, "bob", "", 0.0, ()),
    ]


async def test_two_bridges_share_the_file(tmp_path: Path) -> None:
    irc, far = roll(tmp_path), roll(tmp_path, "far")
    irc.entered(ADA, C, "ada", "")
    far.entered(BOB, D, "bob", "")
    await irc.close()
    await far.close()
    assert [stay.user for stay in await kept(tmp_path)] == [ADA]


async def test_a_gap_begins_when_the_far_side_was_lost_else_when_we_were_last_alive(tmp_path: Path) -> None:
    there = roll(tmp_path)
    before = time.time()
    there.entered(ADA, C, "ada", "")
    there.entered(ADA, D, "ada", "")
    there.interrupted(ADA, C, 1_000.0)
    there.interrupted(ADA, C, 2_000.0)  # it was lost only once
    await there.close()
    there = roll(tmp_path)
    stays = {stay.room: stay.since for stay in await there.load()}
    assert stays[C] == 1_000.0 and before <= stays[D] <= time.time()
    there.entered(ADA, C, "ada", "")
    await there.close()
    there = roll(tmp_path)
    assert all(stay.since >= before for stay in await there.load())
    await there.close()


async def test_a_key_is_sealed_and_opens_in_its_place_only(tmp_path: Path) -> None:
    there = roll(tmp_path)
    there.entered(ADA, C, "ada", "canary-sesame")
    await there.close()
    assert [stay.password for stay in await kept(tmp_path)] == ["canary-sesame"]
    assert not any(b"canary" in data for data in contents(tmp_path))
    assert [stay.password for stay in await kept(tmp_path, b"another key" * 3)] == [""]
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE rooms SET owner = ?", (BOB,))
    connection.close()
    assert [stay.password for stay in await kept(tmp_path)] == [""]


async def test_nothing_is_made_while_there_is_nothing_to_note(tmp_path: Path) -> None:
    there = roll(tmp_path)
    assert await there.load() == []
    await there.close()
    assert contents(tmp_path) == []


async def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    there = roll(tmp_path)
    there.entered(ADA, C, "ada", "")
    await there.close()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


async def test_a_file_that_is_no_database_is_told_and_brings_nobody_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 20)
    there = roll(tmp_path)
    assert await there.load() == []
    there.entered(ADA, C, "ada", "")
    await there.close()
    assert "cannot be read" in caplog.text


async def test_what_a_disk_refused_is_written_when_it_is_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "away"
    there = roll(folder)
    there.entered(ADA, C, "ada", "")
    there._flush()
    while not there._trouble:  # noqa: ASYNC110 - its thread says so
        await asyncio.sleep(0.01)
    folder.mkdir()
    there.came(ADA, C, DESK)
    await there.close()
    assert await kept(folder) == [Stay(ADA, C, "ada", "", 0.0, [DESK])]
    assert caplog.text.count("cannot be written") == 1


async def test_after_an_hour_no_client_thinks_any_more_that_it_is_in(tmp_path: Path) -> None:
    there = roll(tmp_path)
    there.entered(ADA, C, "ada", "")
    there.came(ADA, C, DESK)
    await there.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE alive SET at = at - ?", (REMEMBERED + 1,))
    connection.close()
    assert await kept(tmp_path) == [Stay(ADA, C, "ada", "", 0.0, ())]


async def test_a_disk_that_hangs_is_given_no_more_and_what_waits_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 10)
    there = roll(tmp_path)
    hangs = threading.Event()
    there._executor().submit(hangs.wait, 30)
    for number in range(50):
        there.entered(ADA, Address("room", f"#{number}%irc.test"), "ada", "")
        there._flush()
    assert len(there._changes) <= 10
    hangs.set()
    await there.close()
    assert "#49%irc.test" in {stay.room.name for stay in await kept(tmp_path)}
