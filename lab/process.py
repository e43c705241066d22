"""Child processes of the lab: started in a directory of their own, unprivileged, and ended for certain.

What every server of the lab shares lives here: a process group per server, ports on loopback, the wait until it is ready,
the log that an error shows the tail of. Nothing here knows a protocol.

A child dies with the process that started it (`setpriv --pdeathsig`, prctl(2) PR_SET_PDEATHSIG), however that ends.
Where the lab runs as root its servers run as `nobody`: Prosody, ejabberd and InspIRCd refuse root.
"""
# ruff: noqa: ASYNC109 - `timeout` says how long a condition is waited for before an error that shows the log.

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pwd
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Self

HOST = "127.0.0.1"
TAIL_LINES = 25
POLL_SECONDS = 0.02
# Below Linux' range of ephemeral ports (32768 and up): no outgoing connection takes a port between its choice and its use.
PORTS = range(12000, 32000)
CLASH = re.compile(r"address (is )?already in use|eaddrinuse|Failed to open server port", re.IGNORECASE)


class LabError(RuntimeError):
    """A server of the lab is missing, did not start or did not do what was waited for; the text says what to do."""


class PortTaken(LabError):
    """Somebody took a port between its choice and its use: worth another try with others."""


def free_ports(count: int) -> list[int]:
    """`count` different TCP ports that nobody listens on at 127.0.0.1."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            port = random.choice(PORTS)
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                found.append(port)
    return found


def program(name: str, package: str) -> str:
    """The path of an installed program; LabError names the Debian package that has it."""
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise LabError(f"{name} is not installed: apt-get install {package}")
    return path


def unprivileged() -> str | None:
    """The user that servers run as: `nobody` where we are root, otherwise ourselves (None)."""
    return "nobody" if os.geteuid() == 0 else None


def hand_over(folder: Path, user: str | None) -> None:
    """Make `folder` and all in it the property of `user`; LabError when `user` cannot reach it."""
    if user is None:
        return
    account = pwd.getpwnam(user)
    closed = [parent for parent in folder.resolve().parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise LabError(f"{user} cannot enter {closed[0]}: use lab.process.folder() for the directory of a server")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


@contextlib.contextmanager
def folder(prefix: str = "lab-") -> Iterator[Path]:
    """A directory below the system's temporary one that every user may enter (pytest's own are closed); removed at the end."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def group_alive(group: int) -> bool:
    """Whether any process of the group still runs; one that has ended and waits to be reaped, by whomever, does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return any(_runs_in(group, Path("/proc", name)) for name in os.listdir("/proc") if name.isdigit())


def _runs_in(group: int, process: Path) -> bool:
    """Whether /proc/PID is of a live process of the group (proc(5), stat: state is the third field, pgrp the fifth)."""
    try:
        state, _, found = (process / "stat").read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(found) == group and state not in "ZX"


class Server:
    """A program with a directory, a log and a life: base of all servers of the lab.

    async with Prosody(directory) as prosody: …

    A subclass chooses ports and writes files in `prepare()`, says what to run in `command()` and waits in `until_ready()`.
    """

    name = "server"
    start_timeout = 20.0
    stop_timeout = 8.0

    def __init__(self, directory: Path, *, user: str | None = None) -> None:
        self.dir = Path(directory).resolve()
        self.user = user
        self.host = HOST
        self.log = self.dir / f"{self.name}.log"
        self.output = self.dir / f"{self.name}.out"
        self.process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self._output_start = 0

    # -- what a subclass says ------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Choose ports and write the configuration into `self.dir`. Called before the first start, and again after a clash."""

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    async def until_ready(self) -> None:
        """Return when the server is up; `until_log` and `until_accepts` are made for it."""

    # -- its life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        for attempt in range(4):
            self.dir.mkdir(parents=True, exist_ok=True)
            self.prepare()
            hand_over(self.dir, self.user)
            try:
                await self.start()
                return self
            except PortTaken:
                if attempt == 3:
                    raise
        raise AssertionError("unreachable")

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        if self.process is None:
            raise LabError(f"{self.name} does not run")
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start with the files as they are and wait until it is ready. LabError with the log's tail when it is not."""
        if self.running:
            raise LabError(f"{self.name} runs already")
        self._log_start, self._output_start = _size(self.log), _size(self.output)
        self.process = await self._spawn()
        try:
            async with asyncio.timeout(self.start_timeout):
                await self.until_ready()
        except TimeoutError:
            await self.kill()
            raise LabError(f"{self.name} was not ready after {self.start_timeout:g} s{self.tail()}") from None
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """SIGTERM, after `stop_timeout` seconds SIGKILL; returns when the whole process group is gone."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL to the whole group, as a power cut would."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop and start on the same ports and files."""
        await self.stop()
        await self.start()

    async def _spawn(self, command: Sequence[str] = ()) -> asyncio.subprocess.Process:
        """Run the command, or another one in the same way."""
        argv = [program("setpriv", "util-linux"), "--pdeathsig", "KILL"]
        environment = {
            **os.environ,
            "HOME": str(self.dir),
            "TMPDIR": str(self.dir),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
        }
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            argv += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            environment |= {"USER": self.user, "LOGNAME": self.user}
        environment |= self.environment()
        with _append(self.output) as output:
            return await asyncio.create_subprocess_exec(
                *argv, "--", *(command or self.command()), cwd=self.dir, env=environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, process_group=0,
            )  # fmt: skip

    async def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        process, group = self.process, self.process.pid
        for sig, patience in ((how, self.stop_timeout), (signal.SIGKILL, self.stop_timeout)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, sig)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience)
                break
        # What outlived its leader (Erlang's port programs) is ended with it.
        deadline = time.monotonic() + self.stop_timeout
        while group_alive(group):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: process group {group} does not end")
            await asyncio.sleep(POLL_SECONDS)
        self.process = None

    # -- what it says --------------------------------------------------------------------------------------------------

    def log_text(self, *, whole: bool = False) -> str:
        """The log since the last start, or `whole`."""
        return _read(self.log, 0 if whole else self._log_start)

    def output_text(self) -> str:
        """What it wrote to stdout and stderr since the last start."""
        return _read(self.output, self._output_start)

    def log_lines(self, pattern: str, *, whole: bool = True) -> list[str]:
        """Lines of the log in which the regular expression is found, of all starts unless `whole` is false."""
        wanted = re.compile(pattern)
        return [line for line in self.log_text(whole=whole).splitlines() if wanted.search(line)]

    def tail(self) -> str:
        """The last lines of log and output, ready to be put behind an error's text."""
        said = [
            line for path in dict.fromkeys((self.log, self.output)) for line in _read(path).splitlines()[-TAIL_LINES:]
        ]
        return "; it said:\n    " + "\n    ".join(said) if said else "; it said nothing"

    def rss(self) -> int:
        """Resident memory of the process, in bytes (proc(5), VmRSS)."""
        found = re.search(r"^VmRSS:\s+(\d+) kB", _read(Path(f"/proc/{self.pid}/status")), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0

    async def until_log(self, pattern: str, *, timeout: float = 10, count: int = 1) -> None:
        """Wait until the log since the last start has `count` lines with the regular expression."""

        def there() -> bool:
            return len(self.log_lines(pattern, whole=False)) >= count

        await self._until(there, f"the log line {pattern!r}", timeout)

    async def until_accepts(self, *ports: int, timeout: float = 10) -> None:
        """Wait until every port takes connections."""
        for port in ports:
            await self._until(functools.partial(_accepts, port), f"port {port}", timeout)

    async def _until(self, there: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not there():
            if not self.running:
                taken = CLASH.search(self.log_text() + self.tail())
                raise (PortTaken if taken else LabError)(f"{self.name} ended while waiting for {what}{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: no {what} after {timeout:g} s{self.tail()}")
            await asyncio.sleep(POLL_SECONDS)


def python() -> str:
    """The interpreter that runs us, for children that need our packages."""
    return sys.executable


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _append(path: Path) -> BinaryIO:
    return path.open("ab")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read(path: Path, start: int = 0) -> str:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
