"""Fixtures of the IRC scenarios: `scene` is a channel of its own in a house that lasts for the module.

Two houses stand for four: each XMPP server and each IRC server is in one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.ircd import Ircd
from lab.process import folder
from tests.scenarios import irc

PAIRS = [("prosody", "ngircd"), ("ejabberd", "inspircd")]


@pytest.fixture(scope="session", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[XmppServer, Ircd]:
    server, ircd = map(request.getfixturevalue, request.param)
    return server, ircd


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(pair: tuple[XmppServer, Ircd]) -> AsyncIterator[irc.House]:
    with folder("transports-test-") as path:
        async with irc.house(*pair, path) as house:
            yield house


@pytest_asyncio.fixture(loop_scope="session")
async def scene(house: irc.House) -> AsyncIterator[irc.Scene]:
    async with irc.scene(house) as scene:
        yield scene
