"""The component stream and what every address answers, through real servers: refusals, outages, stalls, ends, questions.

`server` is the run's own, shared with other tests; `own` is this module's: it is stopped, restarted and stalled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab import certificate
from lab.domain import XmppServer
from lab.ejabberd import Ejabberd
from lab.gateway import Gateway, StartGateway
from lab.irc import Person
from lab.ircd import Ngircd
from lab.process import HOST, folder, free_ports
from lab.prosody import Prosody
from lab.scripted_irc import ScriptedIrc
from lab.xmpp import NS, codes, text
from tests.scenarios.irc import DOMAIN, client, room

TEST = "test.localhost"
PING = f"<iq type='get' to='{{}}'><ping xmlns='{NS['ping']}'/></iq>"
UNAWAITED = {"ready": ""}
#: Seconds within which every question has its answer.
SOON = 1.0


def bridges(port: int = 0) -> dict[str, object]:
    """A second bridge beside IRC: the tests' own, which listens on `port`."""
    echo = {"module": "tests.bridges.echo.bridge", "domain": TEST, "options": {"port": port, "far": "127.0.0.1:1"}}
    return {"bridges": {"test": echo}}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
async def own(request: pytest.FixtureRequest) -> AsyncIterator[XmppServer]:
    with folder("transports-test-") as path:
        async with request.param(path) as server:
            yield server


def complaints(gateway: Gateway, domain: str = DOMAIN) -> list[str]:
    """What the log says about a domain at the level of warnings and errors."""
    return gateway.log_lines(rf" (error|warning|critical) .*domain={re.escape(domain)}\b")


def retry(gateway: Gateway, domain: str = DOMAIN) -> list[float]:
    """Seconds until the next attempts, as the log says them."""
    return [float(line.rpartition("=")[2]) for line in gateway.log_lines(rf"retry domain={re.escape(domain)} seconds=")]


@contextlib.contextmanager
def stalled(server: XmppServer) -> Iterator[Callable[[], None]]:
    """Inside, the server's processes stand still; calling what this gives lets them go on earlier."""

    def go_on() -> None:
        os.killpg(server.pid, signal.SIGCONT)

    os.killpg(server.pid, signal.SIGSTOP)
    try:
        yield go_on
    finally:
        go_on()


# Refusals -------------------------------------------------------------------------------------------------------------


async def test_a_wrong_secret_is_one_line_and_not_hammered_and_other_bridges_go_on(
    server: XmppServer, gateway: StartGateway
) -> None:
    refused, let_in = len(server.stream_errors()), server.component_logins()
    there = await gateway(server, changes={"irc": {"secret": "wrong"}, **bridges()}, options=UNAWAITED)
    await there.until_log(f"connected domain={TEST}")
    await there.until_log("retry")
    [line] = complaints(there)
    assert "condition=not-authorized" in line and "[xmpp] secret must be" in line and "wrong" not in line.split("advice")[0]
    async with client(server, "alice") as alice:
        assert (await alice.iq(PING.format(TEST))).get("type") == "result"
    assert [seconds >= 100 for seconds in retry(there)] == [True]
    async with asyncio.timeout(10):  # ejabberd writes its log when it has time
        while (len(server.stream_errors()), server.component_logins()) != (refused + 1, let_in + 1):  # noqa: ASYNC110 - another process writes that log
            await asyncio.sleep(0.02)
    assert there.log_lines(r"\bready\b") == [] and there.running


async def test_an_unknown_domain_is_one_line(server: XmppServer, gateway: StartGateway) -> None:
    there = await gateway(server, domain="nowhere.localhost", options=UNAWAITED)
    await there.until_log("retry")
    [line] = complaints(there, "nowhere.localhost")
    said = {"prosody": ("host-unknown", "add a component"), "ejabberd": ("not-authorized", "among its listener's hosts")}
    assert all(part in line for part in said[server.name])
    assert retry(there, "nowhere.localhost")[0] >= 100


async def test_whoever_comes_second_under_one_name_is_told(prosody: XmppServer, gateway: StartGateway) -> None:
    """Only Prosody refuses; ejabberd takes both and deals out stanzas between them."""
    first = await gateway(prosody)
    second = await gateway(prosody, options=UNAWAITED)
    await second.until_log("retry")
    [line] = complaints(second)
    assert "condition=conflict" in line and "something else is already connected" in line
    assert retry(second)[0] >= 100 and complaints(first) == []


async def test_an_unreachable_server_is_tried_again_and_the_gateway_is_up_meanwhile(tmp_path: Path) -> None:
    with folder("transports-test-") as path, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path / "notify"))
        systemd.setblocking(False)
        tables = {"xmpp": {"host": HOST, "port": free_ports(1)[0], "secret": "x"}, "irc": {"domain": DOMAIN}}
        environment = {"NOTIFY_SOCKET": str(path / "notify")}
        async with Gateway(path / "gateway", tables, ready="retry", environment=environment) as there:
            [line, *_] = complaints(there)
            assert "cannot connect" in line and "[xmpp] host and port" in line
            assert 1 <= retry(there)[0] <= 2
            async with asyncio.timeout(10):
                told = await asyncio.get_running_loop().sock_recv(systemd, 1_000)
            assert told.startswith(b"READY=1") and b"waiting for the XMPP server" in told
            assert there.log_lines(r"\bready\b") == []
            began = time.monotonic()
            assert await there.terminate() == 0
            assert time.monotonic() - began < 5


async def test_a_listener_that_is_no_component_listener_is_one_line(prosody: XmppServer, gateway: StartGateway) -> None:
    there = await gateway(prosody, changes={"xmpp": {"port": prosody.c2s_port}}, options=UNAWAITED)
    await there.until_log("retry")
    assert len(complaints(there)) == 1


# TLS to the server ----------------------------------------------------------------------------------------------------


async def test_tls_to_the_server_with_the_right_authority_and_a_wrong_one(gateway: StartGateway) -> None:
    with folder("transports-test-") as path:
        async with Ejabberd(path / "server", tls=True) as server:
            verified = {"tls": "require", "ca": str(server.ca)}
            there = await gateway(server, changes={"xmpp": verified})
            async with client(server, "alice") as alice:
                assert (await alice.iq(PING.format(DOMAIN))).get("type") == "result"
            assert await there.terminate() == 0

            foreign = certificate.make(path / "foreign").ca
            there = await gateway(server, changes={"xmpp": {**verified, "ca": str(foreign)}}, options=UNAWAITED)
            await there.until_log("retry")
            [line] = complaints(there)
            assert "certificate verify failed" in line and "[xmpp] ca" in line

            there = await gateway(server, options=UNAWAITED)
            await there.until_log("retry", timeout=40)
            [line] = complaints(there)
            assert "TLS" in line


# Two bridges ----------------------------------------------------------------------------------------------------------


async def test_a_bridge_that_cannot_start_keeps_nobody_waiting(prosody: XmppServer, gateway: StartGateway) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        there = await gateway(prosody, changes=bridges(taken.getsockname()[1]), options=UNAWAITED)
        await there.until_log(f"connected domain={DOMAIN}")
        await there.until_log("cannot start")
        [line] = complaints(there, TEST)
        assert "a bridge cannot start" in line and "in use" in line
        async with client(prosody, "alice") as alice:
            assert (await alice.iq(PING.format(DOMAIN))).get("type") == "result"
        assert there.log_lines(r"\bready\b") == []
    await there.until_log(r"\bready\b")
    assert await there.terminate() == 0


# Outages and ends -----------------------------------------------------------------------------------------------------


async def test_a_server_that_comes_later_is_connected_to(own: XmppServer, gateway: StartGateway) -> None:
    await own.stop()
    try:
        there = await gateway(own, options={"ready": "cannot connect"})
        assert there.log_lines(r"\bready\b") == []
    finally:
        await own.start()
    await there.until_log(r"\bready\b", timeout=15)


async def test_ready_is_said_when_all_are_connected(own: XmppServer, gateway: StartGateway) -> None:
    there = await gateway(own, changes=bridges())
    lines = there.log_text().splitlines()
    [ready] = [number for number, line in enumerate(lines) if re.search(r"\bready\b", line)]
    assert sum("connected domain=" in line for line in lines[:ready]) == 2


async def test_a_client_that_is_back_before_the_gateway_is_still_in_its_rooms(
    own: XmppServer, ngircd: Ngircd, gateway: StartGateway
) -> None:
    there = await gateway(own, ngircd)
    place, channel = room("#restart"), "#restart"
    async with Person(ngircd.host, ngircd.port, "eve") as eve:
        await eve.join(channel)
        async with client(own, "alice") as alice:
            await alice.join(place, "alice")
            there.signal(signal.SIGSTOP)  # so that alice is first
            await own.kill()  # a server that ends in good order says goodbye to rooms for its clients
            await own.start()
        async with client(own, "alice") as alice:
            there.signal(signal.SIGCONT)
            await there.until_log(r"\bready\b", count=2, timeout=15)
            await eve.say(channel, "still there?")
            await alice.body("still there?")
            await alice.say(place, "still here")
            assert (await eve.until("still here")).nick == "alice"
            assert eve.waiting("PART") == eve.waiting("QUIT") == []


async def ending(there: Gateway, within: float = 10) -> None:
    """SIGTERM, and the end in time."""
    began = time.monotonic()
    assert await there.terminate() == 0
    assert time.monotonic() - began < within


async def test_at_its_end_the_gateway_tells_rooms_and_irc(
    own: XmppServer, ngircd: Ngircd, gateway: StartGateway
) -> None:
    there = await gateway(own, ngircd)
    async with client(own, "alice") as alice, Person(ngircd.host, ngircd.port, "eve") as eve:
        await eve.join("#end")
        await alice.join(room("#end"), "alice")
        await ending(there, 5)
        gone = await alice.until(lambda stanza: stanza.get("type") == "unavailable" and 110 in codes(stanza))
        assert codes(gone) == {110, 332} and gone.get("from") == room("#end") + "/alice"
        assert (await eve.until("QUIT")).nick == "alice"
    assert there.log_lines(" (error|critical) ") == []


async def test_it_ends_in_time_whatever_a_thread_does() -> None:
    stuck = {"module": "tests.bridges.stuck.bridge", "domain": TEST}
    tables = {"xmpp": {"host": HOST, "port": free_ports(1)[0], "secret": "x"}, "bridges": {"stuck": stuck}}
    with folder("transports-test-") as path:
        async with Gateway(path, tables, ready="retry") as there:
            await ending(there, 5)


async def test_it_ends_in_time_while_the_server_stands_still(own: XmppServer, ngircd: Ngircd, gateway: StartGateway) -> None:
    there = await gateway(own, ngircd, changes=bridges())
    async with client(own, "alice") as alice, Person(ngircd.host, ngircd.port, "eve") as eve:
        await eve.join("#stall")
        await alice.join(room("#stall"), "alice")
        with stalled(own):
            await ending(there)
        assert (await eve.until("QUIT")).nick == "alice"
        await alice.until(lambda stanza: 332 in codes(stanza))


async def test_a_server_that_stands_still_while_irc_floods_costs_little_memory_and_no_line(gateway: StartGateway) -> None:
    """Prosody alone: what is shown is ours. A line is five times as long in XML, so that the kernel's buffers fill soon."""
    line, count = "&" * 380, 10_000
    with folder("transports-test-") as path:
        async with Prosody(path) as server, ScriptedIrc() as irc, client(server, "alice") as alice:
            network = {"irc.scripted": {"address": irc.host, "ports": [irc.port], "tls": "off"}}
            there = await gateway(server, changes={"irc": {"networks": network}})
            joining = asyncio.create_task(alice.join(room("#flood", "irc.scripted"), "alice"))
            guest = await irc.guest()
            guest.narrow()
            await guest.welcome()
            await guest.until("JOIN ")
            guest.let_in("#flood", "eve")
            await joining
            written = 0

            async def flood() -> None:
                nonlocal written
                while written < count:
                    guest.write(*(f":eve!e@h PRIVMSG #flood :{number} {line}" for number in range(written, written + 100)))
                    await guest.drained()
                    written += 100

            before = there.rss()
            with stalled(server) as go_on:
                flooding = asyncio.create_task(flood())
                seen = -1
                while seen != written and not flooding.done():  # until it no longer gets anything rid
                    seen = written
                    await asyncio.sleep(0.5)
                assert not flooding.done(), "the flood is too small to fill the kernel's buffers"
                grown = there.rss() - before
                go_on()
            await asyncio.wait_for(flooding, 30)
            await alice.until(lambda stanza: (text(stanza) or "").startswith(f"{count - 1} "), timeout=60)
            heard = [text(stanza) for stanza in alice.received if stanza.get("from", "").endswith("/eve")]
            numbers = [int(body.partition(" ")[0]) for body in heard if body]
            assert numbers == list(range(count))
            assert grown < 16_000_000
            assert complaints(there) == []
