"""An archive in a folder of its own, and what fills it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from transports.archive.archives import Archives
from transports.archive.place import Archive
from transports.events import Address

USER, ROOM = "hag66@shakespeare.lit", Address("room", "#coven%irc.example")
#: Seconds since the epoch of the first line of `fill`: 2026-01-01.
START = 1_767_225_600.0


async def until(true: Callable[[], object]) -> None:
    """What the archive's thread does in its own time, however busy the machine is."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def name(number: float, start: float = START) -> str:
    """The id of what was said so many seconds after `start`."""
    return f"{int((start + number) * 1000) * 1_000_000 + 8:x}"


def fill(archive: Archive, count: int, first: int = 0, start: float = START, step: float = 1.0) -> list[str]:
    """`count` lines, a second apart; their ids."""
    ids = [name(number * step, start) for number in range(first, first + count)]
    for number, id in enumerate(ids, first):
        archive.keep(id, f"nick{number % 3}", f"nick{number % 3}", f"<body>line {number}</body>")
    return ids


@pytest.fixture
async def archives(tmp_path: Path) -> AsyncIterator[Archives]:
    made = Archives(tmp_path / "archive.db")
    yield made
    await made.close()


@pytest.fixture
def room(archives: Archives) -> Archive:
    return archives.of("irc", USER, ROOM, 20)
