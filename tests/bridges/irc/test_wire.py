"""Connections to a server that says and reads what it is told to: what it cannot make us do, hold or forget."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab import certificate
from lab.scripted_irc import Guest, ScriptedIrc
from tests.bridges.irc.scene import BY, ME, ROOM
from tests.far import Nobody
from transports.bridges.irc.bridge import IrcBridge
from transports.bridges.irc.connections import IrcSession
from transports.bridges.irc.session import CROWD_LIMIT
from transports.bridges.irc.wire import DEAD, SHARE, UNSENT_LIMIT, Link
from transports.config_models import Irc
from transports.events import Down, Echoed, Entered, Fact, Failed, Join, Leave, Left, Refused, Say


class Out:
    """Takes facts; `broken` raises instead."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.broken = False

    def tell(self, fact: Fact) -> None:
        if self.broken:
            raise RuntimeError("broken")
        self.facts.append(fact)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


class Stage:
    """ada and one server, which is `irc.test`."""

    def __init__(self, port: int, **network: Any) -> None:
        settings = {"address": "127.0.0.1", "ports": [port], "tls_ports": [port], "tls": "off", **network}
        irc = {"domain": "irc.example.org", "networks": {"irc.test": settings}, "connect_rate": 0}
        self.bridge = IrcBridge(Irc.model_validate(irc), b"k" * 16, Nobody())
        self.out = Out()
        self.session: IrcSession = self.bridge.open("ada@example.org", self.out)

    def join(self) -> Link:
        self.session.do(Join(ROOM, ME, BY))
        return self.session.links["irc.test"]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def turns() -> None:
    """Whatever waits for the loop's next turns has its way."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(irc: ScriptedIrc) -> AsyncIterator[Stage]:
    made = Stage(irc.port)
    yield made
    made.session.close("")


async def entered(stage: Stage, irc: ScriptedIrc) -> tuple[Link, Guest]:
    link = stage.join()
    guest = await irc.guest()
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.let_in("#c")
    await until(lambda: stage.out.of(Entered))
    return link, guest


# Who speaks when ------------------------------------------------------------------------------------------------------


async def test_a_server_that_speaks_first_is_not_taken_for_one_that_greeted_us(stage: Stage, irc: ScriptedIrc) -> None:
    stage.join()
    guest = await irc.guest()
    guest.write(":irc.test NOTICE * :*** Looking up your hostname", ":irc.test 376 x :End", ":x!u@h JOIN #c")
    await guest.until("USER ")
    guest.write("PING :before")
    await guest.until("PONG before")
    assert not any(line.startswith("JOIN") for line in guest.lines) and stage.out.facts == []
    guest.nick = ME
    guest.greet()
    await guest.until("JOIN #c")


async def test_a_server_that_turns_us_away_at_the_door_is_heard(stage: Stage, irc: ScriptedIrc) -> None:
    stage.join()
    guest = await irc.guest()
    guest.write("ERROR :Trying to reconnect too fast.")
    await guest.close()
    await until(lambda: stage.out.of(Refused))
    assert "too fast" in stage.out.of(Refused)[0].error.text


async def test_nothing_is_said_to_a_server_with_another_certificate(directory: Path) -> None:
    made = certificate.make(directory, ["irc.test"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.cert, made.key)
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b":s 001 ada :Welcome\r\n:s 376 ada :End\r\n")
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                got.append(data)
        got.append(b"")
        writer.close()

    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(made.cert.read_text())).hexdigest()
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.maximum_version = version
            stage = Stage(port, tls="require", pin="0" * 64)
            stage.join()
            await until(lambda out=stage.out: out.of(Refused))  # type: ignore[misc]
            assert shown in stage.out.of(Refused)[0].error.text and stage.session.idle
        await until(lambda: got.count(b"") == 2)
        assert got == [b"", b""]
        stage = Stage(port, tls="require", pin=shown)
        stage.join()
        await until(lambda: b"JOIN #c" in b"".join(got))
        stage.session.close("")


# Who reads what -------------------------------------------------------------------------------------------------------


async def test_reading_goes_on_only_when_neither_xmpp_nor_the_server_is_full(stage: Stage, irc: ScriptedIrc) -> None:
    link, _ = await entered(stage, irc)
    transport = link.connection.transport
    assert transport is not None
    for first, second in ((link.pause, link.resume), (lambda: link.choke(True), lambda: link.choke(False))):
        link.pause()
        link.choke(True)
        first()
        assert not transport.is_reading()
        second()
        assert not transport.is_reading()
        link.resume()
        link.choke(False)
        assert transport.is_reading()


async def test_who_says_much_at_once_is_read_on_after_the_others(stage: Stage, irc: ScriptedIrc) -> None:
    link, _ = await entered(stage, irc)
    transport = link.connection.transport
    assert transport is not None
    much = b":bob!u@h PRIVMSG #c :x\r\n" * 20_000
    link.received(much)
    link.received(much)
    assert link.busy > SHARE and not transport.is_reading()
    link.pause()
    link.resume()
    assert not transport.is_reading()
    await until(transport.is_reading)
    link.received(b":bob!u@h PRIVMSG #c :x\r\n")
    assert link.busy < SHARE and transport.is_reading()


async def test_a_connection_that_opens_while_xmpp_is_full_is_not_read(stage: Stage, irc: ScriptedIrc) -> None:
    link = stage.join()
    stage.session.pause()
    guest = await irc.guest()
    await guest.until("USER ")
    transport = link.connection.transport
    assert transport is not None and not transport.is_reading()
    stage.session.resume()
    guest.nick = ME
    guest.greet()
    await guest.until("JOIN #c")


async def test_a_new_connection_of_a_session_that_is_held_is_held(stage: Stage, irc: ScriptedIrc) -> None:
    stage.session.pause()
    link = stage.join()
    assert link.held
    await irc.guest()
    await until(lambda: link.connection.transport)
    transport = link.connection.transport
    assert transport is not None
    await until(lambda: not transport.is_reading())
    stage.session.resume()
    assert not link.held


async def test_silence_is_no_end_while_we_do_not_listen(stage: Stage, irc: ScriptedIrc) -> None:
    link, _ = await entered(stage, irc)
    link.pause()
    link.tick(link.heard + DEAD + 1)
    assert not link.over
    link.resume()
    link.tick(link.heard + DEAD + 1)
    assert link.over


async def test_a_server_that_asks_and_does_not_read_is_not_read_either() -> None:
    sent = 0
    reading = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"USER")
        writer.write(b":s 001 ada :Welcome\r\n:s 376 ada :End\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        while not reading.is_set():
            writer.write(b"PING :" + b"x" * 400 + b"\r\n")
            sent += 1
            if sent % 100 == 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(writer.drain(), 0.5)
            if sent > 200_000:
                break
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            while await reader.read(1 << 20):
                pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        stage = Stage(server.sockets[0].getsockname()[1])
        link = stage.join()
        await until(lambda: link.choked)
        transport = link.connection.transport
        assert transport is not None and not transport.is_reading()
        assert transport.get_write_buffer_size() < UNSENT_LIMIT and not link.over
        reading.set()
        await until(lambda: transport.is_reading() and not link.choked)
        stage.session.close("")


async def test_much_that_is_said_at_once_is_no_reason_to_leave(irc: ScriptedIrc) -> None:
    stage = Stage(irc.port, throttle=0)
    link, guest = await entered(stage, irc)
    guest._writer.transport.pause_reading()  # type: ignore[attr-defined]
    for number in range(15_000):
        stage.session.do(Say(ROOM, "", "x" * 250, BY, str(number)))
    await until(lambda: link.choked)
    await turns()
    assert not link.over and stage.out.of(Failed) == []
    guest._writer.transport.resume_reading()  # type: ignore[attr-defined]
    await until(lambda: sum(len(fact.of) for fact in stage.out.of(Echoed)) == 15_000)
    stage.session.close("")


async def test_a_server_that_reads_nothing_is_left_at_a_bound(stage: Stage, irc: ScriptedIrc) -> None:
    link, guest = await entered(stage, irc)
    guest._writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(400):
        if link.over:
            break
        for _ in range(100):
            link.write("PONG :" + "x" * 500)
        await asyncio.sleep(0)
    assert link.over and "does not read" in stage.out.of(Left)[0].reason


# What is held ---------------------------------------------------------------------------------------------------------


async def test_a_server_with_more_members_than_can_be_held_is_left(stage: Stage, irc: ScriptedIrc) -> None:
    stage.join()
    guest = await irc.guest()
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.write(":ada!u@h JOIN #c")
    for start in range(0, CROWD_LIMIT + 70_000, 1_000):
        guest.write(f":s 353 ada = #c :{' '.join(f'u{n}' for n in range(start, start + 1_000))}")
    await until(lambda: stage.out.of(Refused))
    assert "members" in stage.out.of(Refused)[0].error.text and stage.session.idle


@pytest.mark.parametrize("end", ["server", "leave", "close", "refused", "nothing there", "no name"])
async def test_a_connection_that_is_over_is_freed_at_once(irc: ScriptedIrc, end: str) -> None:
    stage = Stage(irc.port)
    if end == "nothing there":
        stage = Stage(1)
    elif end == "no name":
        stage = Stage(1, address="no.such.name.invalid")
    gc.collect()
    gc.disable()
    try:
        link = stage.join()
        freed = weakref.ref(link)
        if end in ("server", "leave", "close", "refused"):
            guest = await irc.guest()
            await guest.welcome()
            await guest.until("JOIN #c")
            guest.let_in("#c")
            await until(lambda: stage.out.of(Entered))
            if end == "server":
                await guest.close()
            elif end == "refused":
                link.ended(OSError("gone"))
            elif end == "leave":
                stage.session.do(Leave(ROOM))
                await guest.until("PART")
                link.tick(link.loop.time())
            else:
                stage.session.close("bye")
        await until(lambda: stage.session.idle)
        over = link.over
        del link
        stage.out.facts.clear()
        await until(lambda: freed() is None)
        assert over
    finally:
        gc.enable()


# What goes wrong on our side ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b":eve!e@h JOIN #c\r\n:eve!e@h QUIT :bye\r\n", None])
async def test_no_callback_of_the_loop_raises(stage: Stage, irc: ScriptedIrc, data: bytes | None) -> None:
    link, _ = await entered(stage, irc)
    stage.out.broken = True
    if data is None:
        link.ended(None)
        assert link.over and stage.session.idle
    else:
        link.received(data)
        assert not link.over
    stage.out.broken = False


async def test_the_end_is_told_once(stage: Stage, irc: ScriptedIrc) -> None:
    link, guest = await entered(stage, irc)
    await guest.close()
    await until(lambda: link.over)
    link.ended(None)
    assert len(stage.out.of(Down)) == 1
