"""An archive in a folder of its own, and what fills it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transports.archive.archives import Archives
from transports.archive.place import Archive
from transports.events import Address

USER, ROOM = "hag66@shakespeare.lit", Address("room", "#coven%irc.example")
#: The number of the first id that `fill` gives.
FIRST = 0x18A0_0000_0000_0000
#: Seconds since the epoch of the first line of `fill`: 2026-01-01.
START = 1_767_225_600.0


def name(number: int) -> str:
    """The id of a line of `fill`."""
    return f"{FIRST + number:x}"


def fill(archive: Archive, count: int, start: float = START, step: float = 1.0, first: int = 0) -> list[str]:
    """`count` lines, a second apart; their ids."""
    for number in range(first, first + count):
        text = f"<body>line {number}</body>"
        archive.keep(name(number), f"nick{number % 3}", f"nick{number % 3}", text, start + (number - first) * step)
    return [name(number) for number in range(first, first + count)]


@pytest.fixture
async def archives(tmp_path: Path) -> AsyncIterator[Archives]:
    made = Archives(tmp_path / "archive.db")
    yield made
    await made.close()


@pytest.fixture
def room(archives: Archives) -> Archive:
    return archives.of("irc", USER, ROOM, 20)
