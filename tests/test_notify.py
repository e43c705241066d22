"""sd_notify(3), against a socket that plays systemd."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from transports.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket where systemd would listen, and its name as $NOTIFY_SOCKET has it."""
    path = str(tmp_path / "notify") if request.param == "file" else f"@transports-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path.replace("@", "\0", 1) if path.startswith("@") else path)
        listener.settimeout(5)
        yield listener, path


def test_what_is_told(systemd: tuple[socket.socket, str]) -> None:
    listener, path = systemd
    notifier = Notifier({"NOTIFY_SOCKET": path})
    notifier.ready("waiting for xmpp")
    notifier.status("two\nlines")
    notifier.alive()
    notifier.stopping()
    told = [listener.recv(1000) for _ in range(4)]
    assert told == [b"READY=1\nSTATUS=waiting for xmpp", b"STATUS=two\\nlines", b"WATCHDOG=1", b"STOPPING=1"]


@pytest.mark.parametrize("path", ["", "vsock:2:1", "/nonexistent/notify", "@nobody-listens-here"])
def test_without_systemd_nothing_happens(path: str) -> None:
    Notifier({"NOTIFY_SOCKET": path}).ready("up")
    Notifier({}).ready("up")


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_interval(environ: dict[str, str], interval: float | None) -> None:
    assert Notifier(environ).interval == interval


async def test_the_beat_goes_on_while_the_loop_turns(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000"}
        beat = asyncio.create_task(Notifier(environ).beat())
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            assert [await loop.sock_recv(listener, 100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        beat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beat


async def test_without_a_watchdog_there_is_no_beat() -> None:
    await asyncio.wait_for(Notifier({}).beat(), 5)
