"""Children start in a directory of their own, end for certain, and say what went wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from lab import process
from lab.gateway import Gateway, settings, toml
from lab.ircd import Ngircd
from lab.process import LabError, PortTaken, Server, free_ports, group_alive, program, python
from lab.prosody import Prosody


class Script(Server):
    """A Python program as a server of the lab."""

    name = "script"

    def __init__(self, directory: Path, text: str, ready: str = "ready", stop_timeout: float = 5.0) -> None:
        super().__init__(directory)
        self.log, self.text, self.ready, self.stop_timeout = self.output, text, ready, stop_timeout

    def command(self) -> list[str]:
        return [python(), "-u", "-c", self.text]

    async def until_ready(self) -> None:
        await self.until_log(self.ready, timeout=5)


async def test_a_stopped_server_leaves_no_process_of_its_group(directory: Path) -> None:
    children = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('ready'); time.sleep(60)"
    async with Script(directory, children) as script:
        group = script.pid
        assert group_alive(group)
        assert script.rss() > 1_000_000
    assert not group_alive(group)
    assert not script.running


async def test_a_server_that_ignores_sigterm_is_killed(directory: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    async with Script(directory, deaf, stop_timeout=0.2) as script:
        group = script.pid
    assert not group_alive(group)


async def test_a_server_that_ends_at_once_shows_what_it_said(directory: Path) -> None:
    with pytest.raises(
        LabError, match=r"script ended while waiting for the log line 'ready'; it said:\n    no such luck"
    ):
        async with Script(directory, "print('no such luck')"):
            pass


async def test_a_server_that_never_gets_ready_is_ended_and_shows_what_it_said(directory: Path) -> None:
    script = Script(directory, "import time; print('still thinking'); time.sleep(60)")
    script.start_timeout = 0.5
    with pytest.raises(LabError, match=r"script was not ready after 0.5 s; it said:\n    still thinking"):
        async with script:
            pass
    assert not script.running


async def test_a_taken_port_is_told_apart_and_tried_again(directory: Path) -> None:
    texts = ["raise OSError('Address already in use')"] * 3 + ["import time; print('ready'); time.sleep(60)"]

    class Unlucky(Script):
        def prepare(self) -> None:
            self.text = texts.pop(0)

    unlucky = Unlucky(directory, "", ready="^ready$")
    unlucky.prepare()
    with pytest.raises(PortTaken):
        await unlucky.start()
    async with unlucky:
        assert texts == []


def test_children_die_with_the_process_that_started_them(directory: Path) -> None:
    parent = f"""
import asyncio, pathlib, time
from tests.lab.test_process import Script
async def main():
    async with Script(pathlib.Path({str(directory)!r}), "import time; print('ready'); time.sleep(60)") as script:
        print(script.pid, flush=True)
        time.sleep(60)
asyncio.run(main())
"""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, cwd=root) as running:
        assert running.stdout is not None
        child = int(running.stdout.readline())
        assert group_alive(child)
        running.kill()
    deadline = time.monotonic() + 5
    while group_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not group_alive(child)


def test_free_ports_are_different_and_free() -> None:
    assert len(set(free_ports(50))) == 50


def test_an_absent_program_names_its_package() -> None:
    with pytest.raises(LabError, match="no-such-ircd is not installed: apt-get install some-package"):
        program("no-such-ircd", "some-package")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands directories over")
def test_a_directory_that_the_server_cannot_enter_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(LabError, match="nobody cannot enter"):
        process.hand_over(inside, "nobody")


async def test_the_gateway_is_a_child_with_a_log_and_an_exit_status(directory: Path) -> None:
    tidy = "import signal, sys; print('ready', file=sys.stderr); signal.sigwait([signal.SIGTERM]); sys.exit(3)"
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]);" + tidy
    async with Gateway(directory, {"irc": {"domain": "irc.localhost"}}, command=[python(), "-c", blocked]) as gateway:
        assert gateway.log_text() == "ready\n"
        gateway.signal(signal.SIGSTOP)
        gateway.signal(signal.SIGCONT)
        assert await gateway.terminate() == 3
        await gateway.start()
        await gateway.kill()
        assert not gateway.running


def test_toml_says_what_the_dictionary_says() -> None:
    tables = {
        "xmpp": {"host": "127.0.0.1", "port": 5347, "users": ["a.example", 'quote"d'], "on": True, "rate": [10, 1.5]},
        "irc": {"networks": {"irc.test": {"tls": "off"}, "Zürich": {"ports": [6667]}}, "odd": "\x7f\n\\ é 😀"},
    }
    assert tomllib.loads(toml(tables)) == tables


async def test_two_servers_start_at_the_same_time(directory: Path) -> None:
    quick = "print('ready'); import time; time.sleep(60)"
    async with Script(directory / "a", quick) as one, Script(directory / "b", quick) as other:
        assert one.pid != other.pid
        await asyncio.gather(one.restart(), other.restart())


@pytest.mark.parametrize("tls", [False, True])
def test_the_settings_of_tests_are_a_valid_configuration(directory: Path, tls: bool) -> None:
    server, ircd = Prosody(directory), Ngircd(directory, password="open")
    server.component_port, ircd.port, ircd.tls_port = 5347, 6667, 6697
    directory.joinpath("tls").write_text("a certificate, as far as `check` looks")
    changes = {"irc": {"server": "irc.test"}, "xmpp": {"users": ["localhost"]}}
    gateway = Gateway(directory, settings(server, ircd, tls=tls, changes=changes))
    gateway.prepare()
    checked = subprocess.run(
        [python(), "-m", "transports", "check", "--config", str(gateway.config_path)],
        env={**os.environ, **gateway.environment()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout + checked.stderr
