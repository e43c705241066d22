"""identd: the two ends of a connection of ours hear whose it is, and nobody else hears anything (RFC 1413, T24)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.identd import MAX_QUERY, NAME, OF_ONE, Identd, handed_over, plain
from transports.config_values import HostPort

OURS = "xabcdef012"


@pytest_asyncio.fixture(loop_scope="session")
async def identd() -> AsyncIterator[Identd]:
    made = Identd()
    await made.start(HostPort("127.0.0.1", 0))
    yield made
    await made.stop()


class Connection:
    """A connection of ours to a server, both ends in our hands."""

    def __init__(self, server: str = "127.0.0.1") -> None:
        self.listener = socket.create_server((server, 0))
        self.sock = socket.create_connection((server, self.port), source_address=("127.0.0.1", 0))
        self.accepted, _ = self.listener.accept()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def query(self) -> str:
        return f"{self.sock.getsockname()[1]}, {self.port}"

    def close(self) -> None:
        for each in (self.sock, self.accepted, self.listener):
            each.close()


async def ask(identd: Identd, query: bytes | str, of: str = "127.0.0.1") -> str:
    """The answer to a query from the address `of`; '' for none."""
    data = query if isinstance(query, bytes) else query.encode() + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", identd.port, local_addr=(of, 0))
    writer.write(data)
    if not data.endswith(b"\n"):
        writer.write_eof()
    try:
        return (await asyncio.wait_for(reader.read(), 15)).decode().strip()
    except OSError:
        return ""
    finally:
        writer.close()


async def test_a_server_hears_whose_connection_it_has(identd: Identd) -> None:
    with contextlib.closing(Connection()) as ours:
        pair = identd.opened(ours.sock, OURS)
        assert pair is not None
        assert await ask(identd, ours.query) == f"{ours.query.replace(',', ' ,')} : USERID : UNIX : {OURS}"
        identd.closed(pair)
        assert (await ask(identd, ours.query)).endswith("ERROR : NO-USER")


async def test_nobody_else_hears_it(identd: Identd) -> None:
    with contextlib.closing(Connection()) as ours, contextlib.closing(Connection("127.0.0.2")) as other:
        identd.opened(ours.sock, OURS)
        identd.opened(other.sock, "xother0000")
        assert (await ask(identd, ours.query, "127.0.0.2")).endswith("ERROR : NO-USER")
        assert (await ask(identd, other.query)).endswith("ERROR : NO-USER")
        assert (await ask(identd, other.query, "127.0.0.2")).endswith("xother0000")
        mixed = f"{ours.sock.getsockname()[1]},{other.port}"
        assert (await ask(identd, mixed)).endswith("ERROR : NO-USER")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("1,2", "1 , 2 : ERROR : NO-USER"),
        (" 1 ,\t2 ", "1 , 2 : ERROR : NO-USER"),
        ("0, 2", "0 , 2 : ERROR : INVALID-PORT"),
        ("99999, 2", "99999 , 2 : ERROR : INVALID-PORT"),
        ("x", "0 , 0 : ERROR : INVALID-PORT"),
        ("1,2,3", "0 , 0 : ERROR : INVALID-PORT"),
        (b"1,2", "1 , 2 : ERROR : NO-USER"),
        (b"\xff\xfe,\xf0\n", "0 , 0 : ERROR : INVALID-PORT"),
        (b"", "0 , 0 : ERROR : INVALID-PORT"),
        (b"1" * (MAX_QUERY * 3) + b"\n", ""),
    ],
)
async def test_queries(identd: Identd, query: bytes | str, answer: str) -> None:
    assert await ask(identd, query) == answer


async def test_a_server_that_asks_before_we_know_is_answered_when_we_do(identd: Identd) -> None:
    with contextlib.closing(Connection()) as ours, identd.dialing():
        asking = asyncio.create_task(ask(identd, ours.query))
        while identd._news is None:  # noqa: ASYNC110 - until the query waits for news
            await asyncio.sleep(0)
        identd.opened(ours.sock, OURS)
        assert (await asking).endswith(OURS)


async def test_one_address_cannot_take_all_the_places(identd: Identd) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", identd.port, local_addr=("127.0.0.9", 0)) for _ in range(OF_ONE)]
    assert await ask(identd, "1,2", "127.0.0.9") == ""
    assert await ask(identd, "1,2") == "1 , 2 : ERROR : NO-USER"
    for _, writer in silent:
        writer.close()


async def test_who_has_gone_before_we_looked_leaves_nothing_open() -> None:
    """accept(2) gives connections that were reset meanwhile, of which nobody can say where they came from."""

    class Gone(asyncio.Transport):
        aborted = False

        def abort(self) -> None:
            self.aborted = True

        def is_closing(self) -> bool:
            return True

    gone, loop, made = Gone(), asyncio.get_running_loop(), Identd()
    reader = asyncio.StreamReader(loop=loop)
    made._serve(reader, asyncio.StreamWriter(gone, asyncio.StreamReaderProtocol(reader, loop=loop), reader, loop))
    assert gone.aborted and not made._asked and not made._from


async def test_a_port_that_is_taken_is_no_reason_not_to_start(identd: Identd, caplog: pytest.LogCaptureFixture) -> None:
    other = Identd()
    await other.start(HostPort("127.0.0.1", identd.port))
    assert other.port == 0 and "no identd" in caplog.text
    await other.stop()


async def test_without_a_socket_from_systemd_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    other = Identd()
    await other.start("systemd")
    assert other.port == 0 and "no identd" in caplog.text


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "fe80::1%lo", "2001:db8::1"])
def test_addresses_are_compared_as_they_are_meant(address: str) -> None:
    assert plain(address) == address.removeprefix("::ffff:").partition("%")[0]


def test_a_socket_of_systemds_is_taken_by_its_name() -> None:
    """sd_listen_fds(3): descriptors from 3 on, their names, and the process that they are for."""
    program = "from transports.bridges.irc.identd import handed_over; s = handed_over(); print(s and s.getsockname()[1])"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def run(environment: str) -> str:
            shell = f"exec 3>&- 4<&{listener.fileno()} 3<&{listener.fileno()}; {environment} exec {sys.executable} -c '{program}'"
            done = subprocess.run(
                ["bash", "-c", shell], pass_fds=[listener.fileno()], capture_output=True, text=True, check=True, env=os.environ
            )
            return done.stdout.strip()

        assert run(f"LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:{NAME}") == str(port)
        assert run("LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:unknown") == "None"
        assert run(f"LISTEN_PID=1 LISTEN_FDS=2 LISTEN_FDNAMES=http:{NAME}") == "None"
        assert run(f"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http:{NAME}") == "None"


@given(st.dictionaries(st.sampled_from(["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]), st.text(max_size=8)))
def test_no_environment_breaks_it(environ: dict[str, str]) -> None:
    assert handed_over(environ) is None
