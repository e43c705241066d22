"""The control socket: who is heard, how long, how much; what a crash leaves behind."""

# ruff: noqa: ASYNC110, ASYNC240 - a condition is waited for; nothing else runs that a look at a file could hold up

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from lab.process import folder
from transports import control
from transports.control import LONGEST, MOST, Control, NotRunning, Refused, Request, ask, socket_of
from transports.errors import LegacyError


class Office:
    """Answers with what it was asked; `gate` holds those who ask to wait, `met` counts them."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.met: list[Request] = []

    async def meet(self, request: Request) -> object:
        self.met.append(request)
        match request.get("do"):
            case "wait":
                await self.gate.wait()
            case "refuse":
                raise Refused("Not this one.")
            case "fail far away":
                raise LegacyError("item-not-found", "Nobody has this number.")
            case "break":
                raise ZeroDivisionError("secret words")
            case "no json":
                return object()
            case "much":
                return "x" * (control.LARGEST + 1)
        return request


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def path(office: Office, tmp_path: Path) -> AsyncIterator[Path]:
    listening = Control(tmp_path / "t.sock", office.meet)
    assert await listening.start()
    yield tmp_path / "t.sock"
    await listening.stop()
    assert not (tmp_path / "t.sock").exists()


async def raw(path: Path, data: bytes) -> bytes:
    """All that comes back for these bytes and no more; b"" also for a connection that is cut."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(data)
        if writer.can_write_eof():
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def asked(path: Path, **request: Any) -> Any:
    return await asyncio.to_thread(ask, path, request)


# Answers --------------------------------------------------------------------------------------------------------------


async def test_a_request_has_its_answer(path: Path) -> None:
    assert await asked(path, do="it", name="ключ \U0001f40d \ud800") == {"do": "it", "name": "ключ \U0001f40d \ud800"}


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("refuse", "Not this one."),
        ("fail far away", "Nobody has this number."),
        ("break", "The daemon failed at this; its log says why."),
        ("no json", "The daemon failed at this; its log says why."),
        ("much", "The answer is too long; ask for less."),
    ],
)
async def test_what_is_not_done_is_said_in_words(path: Path, do: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        await asked(path, do=do)
    assert str(refused.value) == words
    assert await asked(path, do="it") == {"do": "it"}


async def test_a_daemon_that_takes_too_long_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "THINK", 0.05)
    with pytest.raises(Refused, match="did not get it done"):
        await asked(path, do="wait")


async def test_several_are_answered_at_once_and_no_more_than_that(path: Path, office: Office) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(raw(path, b'{"do":"wait","number":%d}\n' % number)) for number in range(MOST)]
        while len(office.met) < MOST:
            await asyncio.sleep(0.001)
        with pytest.raises(Refused, match="answering others"):
            await asked(path, do="it")
        office.gate.set()
    assert sorted(json.loads(task.result())["done"]["number"] for task in waiting) == list(range(MOST))
    assert await asked(path, do="it") == {"do": "it"}


async def test_more_connections_than_are_kept_are_closed(path: Path) -> None:
    held = [await asyncio.open_unix_connection(path) for _ in range(control.CONNECTIONS)]
    reader, writer = await asyncio.open_unix_connection(path)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    for _reader, one in [*held, (reader, writer)]:
        one.transport.abort()
    while await raw(path, b'{"do":"it"}\n') == b"":
        pass  # until they are gone on the other side too


# Hostile lines --------------------------------------------------------------------------------------------------------

NO_REQUEST = b'{"error":"This is not a request."}\n'


@pytest.mark.parametrize(
    "line",
    [
        *(b"\n", b"{}x\n", b"[]\n", b"null\n", b'"do"\n', b"\xff\xfe\n", b"\0" * 1000 + b"\n"),
        *(b'{"do"\n', b"[" * 60_000 + b"\n", b"GET / HTTP/1.1\r\n\r\n", b""),
    ],
    ids=lambda line: line[:12].decode("latin-1"),
)
async def test_what_is_no_request_is_told_so(path: Path, line: bytes) -> None:
    assert await raw(path, line) == NO_REQUEST


async def test_a_line_that_is_too_long_is_cut_off(path: Path, office: Office) -> None:
    """10 MB, of which the daemon keeps no more than a request may have."""
    answer = await raw(path, b'{"do": "' + b"x" * 10_000_000 + b'"}\n')
    assert answer in (
        b"",
        json.dumps({"error": f"A request has at most {LONGEST} bytes."}, separators=(",", ":")).encode() + b"\n",
    )
    assert office.met == []
    assert await asked(path, do="it") == {"do": "it"}


async def test_who_says_half_a_line_and_waits_is_left(
    path: Path, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "HEAR", 0.05)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"do": ')
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert office.met == []


async def test_who_asks_and_goes_is_no_trouble(path: Path, office: Office, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        _reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"do": "it"}\n')
        writer.transport.abort()
    assert await asked(path, do="it") == {"do": "it"}
    assert caplog.records == []


@given(data=some.binary(max_size=300))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_at_all_have_one_line_for_an_answer(data: bytes) -> None:
    async def scene(path: Path) -> bytes:
        listening = Control(path, Office().meet)
        assert await listening.start()
        try:
            return await raw(path, data.replace(b"wait", b"look") + b"\n")
        finally:
            await listening.stop()

    with folder("transports-test-") as path:
        answer = asyncio.run(scene(path / "t.sock"))
    assert answer.count(b"\n") == 1 and set(json.loads(answer)) <= {"done", "error"}


# The socket itself ----------------------------------------------------------------------------------------------------


async def test_only_the_daemons_user_may_open_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_others_are_not_heard_even_where_the_file_lets_them(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    with folder("transports-test-") as directory, socket.socket(socket.AF_UNIX) as stranger:
        directory.chmod(0o755)
        listening = Control(directory / "t.sock", office.meet)
        assert await listening.start()
        (directory / "t.sock").chmod(0o666)
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            stranger.connect(str(directory / "t.sock"))  # who one was then is what counts (unix(7))
        finally:
            os.seteuid(0)
        reader, writer = await asyncio.open_unix_connection(sock=stranger)
        writer.write(b'{"do":"it"}\n')
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        await listening.stop()
    assert "somebody else came to the control socket" in caplog.text
    assert office.met == []


async def test_what_a_crash_left_is_replaced(office: Office, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(tmp_path / "t.sock"))
    with pytest.raises(NotRunning):
        await asked(tmp_path / "t.sock", do="it")
    listening = Control(tmp_path / "t.sock", office.meet)
    assert await listening.start()
    assert await asked(tmp_path / "t.sock", do="it") == {"do": "it"}
    await listening.stop()


async def test_another_daemons_socket_is_not_replaced(
    path: Path, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    second = Control(path, Office().meet)
    assert not await second.start()
    assert "another daemon is running with this database" in caplog.text
    await second.stop()
    assert await asked(path, do="it") == {"do": "it"}
    assert office.met == [{"do": "it"}]


async def test_a_file_of_that_name_is_not_touched(office: Office, tmp_path: Path) -> None:
    (tmp_path / "t.sock").write_text("mine")
    assert not await Control(tmp_path / "t.sock", office.meet).start()
    assert (tmp_path / "t.sock").read_text() == "mine"


async def test_a_folder_that_is_not_there_is_no_reason_to_stop(office: Office, tmp_path: Path) -> None:
    assert not await Control(tmp_path / "no" / "t.sock", office.meet).start()


async def test_a_path_longer_than_an_address_may_be(office: Office, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 200)
    long.mkdir()
    listening = Control(long / "t.sock", office.meet)
    assert await listening.start()
    assert await asked(long / "t.sock", do="it") == {"do": "it"}
    await listening.stop()
    assert list(long.iterdir()) == []


def test_it_stands_beside_the_database() -> None:
    assert socket_of(Path("/var/lib/transports/transports.db")) == Path("/var/lib/transports/transports.sock")


# The shell's end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [b"", b"{", b'{"done": 1', b"no\n", b"[]\n", b"{}\n", b"null\n"], ids=repr)
async def test_a_daemon_that_answers_nonsense_is_said_to(tmp_path: Path, answer: bytes) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(nonsense, tmp_path / "t.sock"):
        with pytest.raises(Refused, match="without an answer"):
            await asked(tmp_path / "t.sock", do="it")


async def test_a_daemon_that_hangs_is_waited_for_so_long(path: Path) -> None:
    with pytest.raises(Refused, match="does not answer"):
        await asyncio.to_thread(ask, path, {"do": "wait"}, 0.05)
