"""The bad line does to bytes what it is told to, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.fault import Fault
from lab.process import HOST

TEXT = b"PRIVMSG #tea :hello, how is everyone?\r\n"


class Echo:
    """A server that says what it hears, and remembers how it came."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                self.pieces.append(data)
                writer.write(data)
            self.ends.put_nowait("closed")
        except ConnectionResetError:
            self.ends.put_nowait("reset")
        finally:
            writer.close()


@pytest_asyncio.fixture(loop_scope="session")
async def echo() -> Echo:
    return Echo()


@pytest_asyncio.fixture(loop_scope="session")
async def line(echo: Echo) -> AsyncIterator[Fault]:
    server = await asyncio.start_server(echo, HOST, 0)
    async with server, Fault(server.sockets[0].getsockname()[1]) as line:
        yield line


@pytest_asyncio.fixture(loop_scope="session")
async def ends(line: Fault) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, line.port)
    yield reader, writer
    writer.close()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_a_good_line_carries_both_ways(line: Fault, ends: Ends) -> None:
    ends[1].write(TEXT)
    assert await ends[0].readexactly(len(TEXT)) == TEXT
    assert (line.to_server.passed, line.to_client.passed, line.connections) == (len(TEXT), len(TEXT), 1)


async def test_bytes_come_one_by_one(line: Fault, ends: Ends, echo: Echo) -> None:
    line.to_server.split = 1
    ends[1].write(TEXT)
    assert await ends[0].readexactly(len(TEXT)) == TEXT
    assert len(echo.pieces) > len(TEXT) // 2


async def test_pieces_come_late(line: Fault, ends: Ends) -> None:
    line.to_client.delay = 0.2
    started = time.monotonic()
    ends[1].write(TEXT)
    assert await ends[0].readexactly(len(TEXT)) == TEXT
    assert time.monotonic() - started >= 0.2


async def test_a_line_is_cut_off_in_the_middle(line: Fault, ends: Ends, echo: Echo) -> None:
    line.to_client.cut(10)
    ends[1].write(TEXT)
    assert await ends[0].read() == TEXT[:10]
    assert await echo.ends.get() == "closed"


async def test_a_reset_reaches_both_ends(line: Fault, ends: Ends, echo: Echo) -> None:
    ends[1].write(TEXT)
    await ends[0].readexactly(len(TEXT))
    line.reset()
    with pytest.raises(ConnectionResetError):
        await ends[0].read()
    assert await echo.ends.get() == "reset"


async def test_a_reset_comes_after_so_many_bytes(line: Fault, ends: Ends) -> None:
    line.to_client.cut(10, reset=True)
    ends[1].write(TEXT)
    with pytest.raises(ConnectionResetError):
        await ends[0].readexactly(len(TEXT))
    assert line.to_client.passed == 10


async def test_a_half_open_line_keeps_its_sockets_and_says_nothing_until_it_heals(line: Fault, ends: Ends) -> None:
    line.silence()
    ends[1].write(TEXT)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ends[0].read(1), 0.1)
    line.heal()
    assert await ends[0].readexactly(len(TEXT)) == TEXT


async def test_who_is_refused_is_turned_away(line: Fault) -> None:
    line.refuse = True
    reader, writer = await asyncio.open_connection(HOST, line.port)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
