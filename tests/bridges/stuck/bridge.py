"""A bridge for tests that leaves a thread behind which nobody can stop, as the look-up of a name that is never answered does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.bridges.echo.bridge import Echo
from transports.ports import Services

DURABLE = True


class Stuck(Echo):
    async def start(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)


def build(settings: Any, services: Services) -> Stuck:
    return Stuck(settings.domain, 0, "127.0.0.1:1", (), services)
