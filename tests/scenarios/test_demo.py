"""The demo as a newcomer starts it: scripts/demo, and scripts/demo --check with a headless Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import chromium, house

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / ".cache" / "converse" / "made").exists(), reason="no Converse.js: scripts/test installs it"
)
PATIENCE = 120.0


class Running:
    """scripts/demo as a child; what it says, line by line."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.said = ""

    async def until(self, pattern: str) -> re.Match[str]:
        """The first match of the regular expression in what it says; AssertionError when it ends before."""
        assert self.child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(pattern, self.said)):
                line = await self.child.stdout.readline()
                assert line, f"it ended without {pattern!r}:\n{self.said}"
                self.said += line.decode()
        return found

    async def folder(self) -> str:
        """The temporary directory, once everything runs."""
        return (await self.until(r"Logs are below (\S+)\."))[1]

    async def end(self) -> int:
        """Its exit status, once it has said everything."""
        assert self.child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.said += (await self.child.stdout.read()).decode()
            return await self.child.wait()


def process_with(argument: str) -> int:
    """The process that was started with this argument (proc(5), cmdline)."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument.encode() in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
    raise AssertionError(f"no process has the argument {argument}")


def is_gone(path: str) -> bool:
    return not os.path.exists(path)


@pytest.fixture
async def start() -> AsyncIterator[object]:
    children: list[asyncio.subprocess.Process] = []

    async def demo(*arguments: str) -> Running:
        children.append(
            await asyncio.create_subprocess_exec(
                str(ROOT / "scripts" / "demo"), *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                process_group=0,
            )
        )  # fmt: skip
        return Running(children[-1])

    yield demo
    for child in children:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGTERM)
            await child.wait()


@pytest.mark.skipif(chromium.find() is None, reason="no Chromium that is not a snap")
async def test_check_talks_both_ways_and_saves_a_picture(start, tmp_path):
    demo = await start("--check", "--screenshot", str(tmp_path / "demo.png"))
    assert await demo.end() == 0, demo.said
    assert "The demo works." in demo.said
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_everything_and_leaves_nothing_behind(start, how):
    demo = await start()
    folder = await demo.folder()
    ports = [int(port) for port in re.findall(r"(?:port |127\.0\.0\.1:)(\d+)", demo.said)]
    assert len(ports) >= 3
    os.killpg(demo.child.pid, how)
    assert await demo.end() == 0, demo.said
    assert is_gone(folder)
    assert all(map(house.is_free, ports))


async def test_a_server_that_ends_by_itself_ends_the_demo_with_its_last_words(start):
    demo = await start()
    folder = await demo.folder()
    os.kill(process_with(f"{folder}/gateway/config.toml"), signal.SIGKILL)
    assert await demo.end() == 1
    assert "error: gateway has ended by itself; it said:" in demo.said
    assert is_gone(folder)


async def test_two_at_the_same_time_take_different_ports(start):
    first, second = await start(), await start()
    pages = [(await demo.until(r"http://127\.0\.0\.1:(\d+)/\?user=alice"))[1] for demo in (first, second)]
    assert pages[0] != pages[1]


def test_config_toml_fits_the_demo_as_it_stands():
    plan = house.read((ROOT / "config.toml").read_text(encoding="utf-8"))
    assert (plan.component_port, plan.irc_port) == (5347, 6667)
    assert plan.on(5347, 6667) == plan.text
    assert house.read(plan.on(15347, 16667)) == plan._replace(text=plan.on(15347, 16667), component_port=15347, irc_port=16667)
