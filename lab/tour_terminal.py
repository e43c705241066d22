"""What the tours of clients in a terminal share: who goes, how a picture is taken, how a step is told."""

from __future__ import annotations

import time
from pathlib import Path

from lab.terminal import Terminal
from lab.tour import House


class TerminalTour:
    """A person at a terminal. `pictures`: where each step's goes."""

    def __init__(self, client: Terminal, house: House, pictures: Path) -> None:
        self.client = client
        self.house = house
        self.pictures = pictures
        self.began = time.monotonic()

    async def picture(self, name: str) -> None:
        """The step has come to its end."""
        await self.client.shot(self.pictures / f"{self.client.name}-{name}.png")
        print(f"ok  {self.client.name} {name} ({time.monotonic() - self.began:.1f} s)", flush=True)
        self.began = time.monotonic()
