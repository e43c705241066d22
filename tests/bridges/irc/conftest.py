"""Fixtures of the IRC wing: `irc` is a server that follows a script, `running` a connection in a channel of one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from lab.scripted_irc import ScriptedIrc
from tests.bridges.irc.staged import Set, staged


@pytest_asyncio.fixture(loop_scope="session")
async def running() -> AsyncIterator[Set]:
    async with staged() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def irc() -> AsyncIterator[ScriptedIrc]:
    async with ScriptedIrc() as server:
        yield server
