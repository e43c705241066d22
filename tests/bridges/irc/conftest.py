"""Fixtures of the IRC wing: `running` is a connection in a channel, with a server that follows a script."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.bridges.irc.staged import Set, staged


@pytest_asyncio.fixture(loop_scope="session")
async def running() -> AsyncIterator[Set]:
    async with staged() as made:
        yield made
