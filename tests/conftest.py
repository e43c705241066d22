"""The servers of the lab as fixtures, started when a test first asks for them and shared by the whole run.

    prosody, ejabberd, server       `server` runs the test once with each
    ngircd, inspircd, ircd          `ircd` likewise
    full_inspircd, services         an InspIRCd with all of its IRCv3, linked to services with accounts
    gateway                         await gateway(server, ircd) -> a lab.gateway.Gateway that ends with the test
    directory                       a directory that servers' users may enter

A shared server is not stopped, restarted or reconfigured by a test; who needs that starts one in `directory`.
A server that is not installed fails the test with the name of its package. Tests and fixtures share one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab.atheme import Atheme
from lab.domain import XmppServer
from lab.ejabberd import Ejabberd
from lab.gateway import Gateway, StartGateway, settings
from lab.ircd import Inspircd, Ircd, Ngircd
from lab.process import folder
from lab.prosody import Prosody


@pytest.fixture
def directory() -> Iterator[Path]:
    with folder("transports-test-") as path:
        yield path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prosody() -> AsyncIterator[Prosody]:
    with folder("transports-test-") as path:
        async with Prosody(path) as server:
            yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ejabberd() -> AsyncIterator[Ejabberd]:
    with folder("transports-test-") as path:
        async with Ejabberd(path) as server:
            yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ngircd() -> AsyncIterator[Ngircd]:
    with folder("transports-test-") as path:
        async with Ngircd(path) as server:
            yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inspircd() -> AsyncIterator[Inspircd]:
    with folder("transports-test-") as path:
        async with Inspircd(path) as server:
            yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def full_inspircd() -> AsyncIterator[Inspircd]:
    with folder("transports-test-") as path:
        async with Inspircd(path, full=True, server_name="full.test") as server:
            yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def services(full_inspircd: Inspircd) -> AsyncIterator[Atheme]:
    with folder("transports-test-") as path:
        async with Atheme(path, full_inspircd) as server:
            yield server


@pytest.fixture(scope="session", params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> XmppServer:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=["ngircd", "inspircd"])
def ircd(request: pytest.FixtureRequest) -> Ircd:
    return request.getfixturevalue(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def gateway() -> AsyncIterator[StartGateway]:
    """await gateway(server, ircd, changes={"irc": {…}}) starts one; keywords as in lab.gateway.settings.

    Keywords of lab.gateway.Gateway go into `options`.
    """
    async with AsyncExitStack() as servers:
        folders = servers.enter_context(ExitStack())

        async def start(
            server: XmppServer, ircd: Ircd | None = None, *, options: Mapping[str, Any] | None = None, **wanted: Any
        ) -> Gateway:
            path = folders.enter_context(folder("transports-test-"))
            return await servers.enter_async_context(Gateway(path, settings(server, ircd, **wanted), **(options or {})))

        yield start
