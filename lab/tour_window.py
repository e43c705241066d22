"""What the tours of clients with a window share: a person at a display, how a picture is taken, how a dialogue is waited for."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lab.desktop import Desktop, Display
from lab.process import LabError
from lab.tour import ECHO, House, account

#: Gajim and Dino refuse to send files over http.
HTTPS = {"https": True}
SIZE = (1100, 700)
HILLS = f"hills@{ECHO}"
STEP, MOST = 0.1, 30.0
#: Until what was pressed has drawn something: a menu, a page that slides in.
DRAWN = 1.2


class WindowTour:
    """alice at her desk. `pictures`: where each step's goes."""

    def __init__(self, client: Desktop, house: House, pictures: Path) -> None:
        self.client = client
        self.display = client.display
        self.house = house
        self.pictures = pictures
        self.began = time.monotonic()

    async def whole(self) -> None:
        """Every step, in order."""
        raise NotImplementedError

    async def picture(self, name: str) -> None:
        await asyncio.sleep(DRAWN)
        await self.display.shot(self.pictures / f"{self.client.name}-{name}.png")
        print(f"ok  {self.client.name} {name} ({time.monotonic() - self.began:.1f} s)", flush=True)
        self.began = time.monotonic()

    async def window(self, title: str) -> None:
        """A dialogue, when it is there and can be typed into."""
        await self.display.focus(await self.display.window(title))
        await asyncio.sleep(DRAWN)

    async def press(self, x: int, y: int) -> None:
        await self.display.click(x, y)
        await asyncio.sleep(DRAWN)

    async def until_rows(self, database: Path, rows: str, values: Sequence[str] = (), times: int = 1) -> None:
        """So many rows are in the client's own database. rows: SQL, from the table's name on."""
        deadline = time.monotonic() + MOST
        while time.monotonic() < deadline:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                (found,) = connection.execute(f"SELECT count(*) FROM {rows}", values).fetchone()
            if found >= times:
                return
            await asyncio.sleep(STEP)
        raise LabError(f"{self.client.name}: not {times} of {rows} {values}{self.client.tail()}")


async def run(house: House, folder: Path, pictures: Path, client: type[Desktop], tour: type[WindowTour]) -> None:
    """The whole tour, at a display of its own."""
    async with (
        Display(folder / "x", SIZE) as display,
        client(folder / client.name, display, account(house)) as running,
    ):
        await tour(running, house, pictures).whole()
