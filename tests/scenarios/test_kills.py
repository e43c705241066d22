"""Nothing that was accepted is lost when the gateway is killed: the short form of `scripts/soak kills`."""

from __future__ import annotations

import asyncio

from lab.soak.kills import Soak


async def test_twenty_kills_lose_nothing() -> None:
    soaks = [Soak(kills, seed=kills, keeps=keeps) for kills, keeps in ((10, "archive"), (4, "offline"), (6, "nothing"))]
    await asyncio.gather(*(soak.run() for soak in soaks))
    assert [soak.problems for soak in soaks] == [[], [], []]
