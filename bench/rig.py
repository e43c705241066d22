"""One gateway in its own process, between the two ends that the driver plays; what it used of processor and memory.

The driver keeps one core, the gateway another, where there are two.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.driver import DOMAIN, NETWORK, Component, IrcServer, Stuck
from bench.gateways import Gateway

_CORES = sorted(os.sched_getaffinity(0))


def pin_driver() -> None:
    """Keep this process on the first core."""
    os.sched_setaffinity(0, _CORES[:1])


def room(channel: bytes) -> bytes:
    """The room's JID."""
    return b"%s%%%s@%s" % (channel, NETWORK, DOMAIN)


def joining(user: int, channel: bytes) -> bytes:
    """The presence with which user number `user` enters a channel, as nick `u<number>`."""
    return b"<presence from='u%d@localhost/r' to='%s/u%d'><x xmlns='http://jabber.org/protocol/muc'/></presence>" % (
        user,
        room(channel),
        user,
    )


class Rig:
    """A running gateway: `xmpp` and `irc` are its two ends."""

    def __init__(self, gateway: Gateway, child: subprocess.Popen[bytes], xmpp: Component, irc: IrcServer) -> None:
        self.gateway, self.xmpp, self.irc = gateway, xmpp, irc
        self.start_ms = 0.0
        self._pid = child.pid
        self._clock = (~child.pid << 3) | 2  # CPUCLOCK_SCHED of a process: clock_getcpuclockid(3)

    def cpu(self) -> float:
        """Seconds of processor used since the start, all threads, to the nanosecond."""
        return time.clock_gettime(self._clock)

    def memory(self, field: str = "Pss") -> int:
        """Bytes resident: Rss, or Pss, which leaves out what is shared with others."""
        for line in Path(f"/proc/{self._pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise LookupError(field)

    async def idle(self, seconds: float) -> float:
        """Share of a core used while nothing is asked of it."""
        used, began = self.cpu(), time.perf_counter()
        await asyncio.sleep(seconds)
        return (self.cpu() - used) / (time.perf_counter() - began)

    async def quiet(self, usual: float = 0.0, within: float = 5.0) -> None:
        """Until deferred work is done: until it uses hardly more than its `usual` share of a core."""
        until = time.perf_counter() + within
        while await self.idle(0.05) > 1.3 * usual + 0.01 and time.perf_counter() < until:
            pass

    @asynccontextmanager
    async def spending(self) -> AsyncIterator[Spent]:
        """Measure the block: its wall time, and the processor time used for it, deferred work too, idling not."""
        usual = await self.idle(0.1)
        spent = Spent()
        used, began = self.cpu(), time.perf_counter()
        yield spent
        done = time.perf_counter()
        await self.quiet(usual)
        spent.cpu = self.cpu() - used - usual * (time.perf_counter() - done)
        spent.wall = done - began

    async def join(self, user: int, channel: bytes) -> float:
        """Seconds from the presence to the subject, which ends a join."""
        began = time.perf_counter()
        wanted = self.xmpp.subjects.count + 1
        self.xmpp.send(joining(user, channel))
        return await self.xmpp.subjects.until(wanted) - began

    async def join_all(self, users: Iterable[int], channel: bytes = b"") -> float:
        """Many at once, into `channel` or each into its own `#u<number>`; seconds to the last subject."""
        presences = [joining(user, channel or b"#u%d" % user) for user in users]
        wanted = self.xmpp.subjects.count + len(presences)
        began = time.perf_counter()
        await self.xmpp.pour(b"".join(presences))
        return await self.xmpp.subjects.until(wanted) - began


class Spent:
    """Seconds."""

    cpu = 0.0
    wall = 0.0


def _spawn(gateway: Gateway, place: Path, xmpp_port: int, irc_port: int) -> subprocess.Popen[bytes]:
    command, environment = gateway.prepare(place, xmpp_port, irc_port)
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _CORES[1:] or _CORES)  # the child inherits it, all its threads too
    try:
        with (place / "log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
    finally:
        os.sched_setaffinity(0, own)


async def _connected(child: subprocess.Popen[bytes], xmpp: Component) -> float:
    """Wait for the handshake; gives time.perf_counter() of it."""
    until = time.perf_counter() + 15
    while not xmpp.shaken.done():
        if child.poll() is not None or time.perf_counter() > until:
            raise Stuck("no component connected")
        await asyncio.sleep(0.005)
    return xmpp.shaken.result()


@asynccontextmanager
async def rig(gateway: Gateway) -> AsyncIterator[Rig]:
    """A gateway in a directory of its own, connected; it ends with the block, whatever happens in it."""
    loop = asyncio.get_running_loop()
    xmpp, irc = Component(), IrcServer()
    xmpp_door = await loop.create_server(lambda: xmpp, "127.0.0.1", 0)
    irc_door = await loop.create_server(irc, "127.0.0.1", 0, backlog=4096)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        began = time.perf_counter()
        child = _spawn(gateway, place, _port(xmpp_door), _port(irc_door))
        try:
            made = Rig(gateway, child, xmpp, irc)
            made.start_ms = 1000 * (await _connected(child, xmpp) - began)
            await made.quiet()
            yield made
        except Stuck as error:
            raise Stuck(f"{error}; {_last_words(child, place)}") from error
        finally:
            child.kill()
            child.wait()
            xmpp_door.close()
            irc_door.close()
            for end in (xmpp, *irc.clients.values()):
                if hasattr(end, "transport"):
                    end.transport.abort()


def _port(door: asyncio.Server) -> int:
    return int(door.sockets[0].getsockname()[1])


def _last_words(child: subprocess.Popen[bytes], place: Path) -> str:
    state = "still running" if child.poll() is None else f"ended with {child.returncode}"
    lines = (place / "log").read_text(errors="replace").strip().splitlines()
    return f"gateway {state}, its log ends: {' / '.join(lines[-3:]) or 'empty'}"
