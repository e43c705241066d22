"""An IRC server that says what a test tells it to, well-formed or not: for what no real server can be made to say.

It does nothing by itself but greet (`Guest.welcome`) and answer PINGs, and that only when it is asked to.
"""
# ruff: noqa: ASYNC109 - `timeout` says how long a line is waited for before an error that shows what came instead.

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Self

from lab.process import HOST

SERVER = "scripted.test"


class Guest:
    """One connection to the scripted server: what it said is in `lines`, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines: list[str] = []
        self.closed = False
        self.nick = "*"
        self.answers = True
        self._taken = 0
        self._writer = writer
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while raw := await reader.readline():
                line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
                self.lines.append(line)
                self.heard(line)
                self._news.set()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.closed = True
            self._news.set()

    def heard(self, line: str) -> None:
        """Called for every line; a server that does more than the script overrides it."""
        if self.answers and line.startswith("PING "):
            self.write(f":{SERVER} PONG {SERVER} {line[5:]}")

    def write(self, *lines: str | bytes) -> None:
        """Lines for the guest, each with CR LF behind it; bytes are written as they are."""
        for line in lines:
            data = line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")
            self._writer.write(data + b"\r\n")

    @property
    def peer(self) -> tuple[str, int]:
        """The address and port that the guest comes from."""
        host, port = self._writer.get_extra_info("peername")[:2]
        return host, port

    def peer_certificate(self) -> bytes:
        """What the guest has shown, in DER; empty where it has shown none."""
        return self._writer.get_extra_info("ssl_object").getpeercert(True) or b""

    def narrow(self) -> None:
        """Let the kernel keep little of what the guest has not read, so that `drained` soon waits for it."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    async def drained(self) -> None:
        """Wait until what was written is in the kernel's hands: what a guest that does not read holds up."""
        await self._writer.drain()

    async def until(self, wanted: str | Callable[[str], bool], timeout: float = 10) -> str:
        """The next line not taken yet that starts with the text (or fits); those before it are taken too."""
        fits = wanted if callable(wanted) else lambda line: line.startswith(wanted)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    while self._taken < len(self.lines):
                        self._taken += 1
                        if fits(self.lines[self._taken - 1]):
                            return self.lines[self._taken - 1]
                    if self.closed:
                        break
                    self._news.clear()
                    await self._news.wait()
        raise AssertionError(f"no {wanted!r} from the guest; it said:\n    " + "\n    ".join(self.lines[-30:]))

    async def welcome(self, *isupport: str) -> None:
        """Take NICK and USER and greet."""
        self.nick = (await self.until("NICK ")).removeprefix("NICK ").removeprefix(":")
        await self.until("USER ")
        self.greet(*isupport)

    def greet(self, *isupport: str) -> None:
        features = " ".join(isupport or ("CHANTYPES=#", "PREFIX=(ov)@+", "CASEMAPPING=rfc1459"))
        self.write(
            f":{SERVER} 001 {self.nick} :Welcome",
            f":{SERVER} 005 {self.nick} {features} :are supported by this server",
            f":{SERVER} 376 {self.nick} :End of MOTD",
        )

    def let_in(self, channel: str, *others: str) -> None:
        """The answer to a JOIN."""
        names = " ".join([self.nick, *others])
        self.write(
            f":{self.nick}!u@h JOIN {channel}",
            f":{SERVER} 353 {self.nick} = {channel} :{names}",
            f":{SERVER} 366 {self.nick} {channel} :End of NAMES",
        )

    async def close(self) -> None:
        self._writer.close()
        self._reading.cancel()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class ScriptedIrc:
    """async with ScriptedIrc() as irc: guest = await irc.guest()

    tls: the server's context, None for a plain port
    """

    host = HOST

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.port = port
        self._tls = tls
        self.guests: list[Guest] = []
        self._arrived: asyncio.Queue[Guest] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._arrive, HOST, self.port, limit=1 << 20, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for guest in self.guests:
            await guest.close()
        await self._server.wait_closed()

    async def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = Guest(reader, writer)
        self.guests.append(guest)
        self._arrived.put_nowait(guest)

    def forget(self) -> None:
        """Those who came so far are nobody's guests any more."""
        while not self._arrived.empty():
            self._arrived.get_nowait()

    async def guest(self, timeout: float = 10) -> Guest:
        """The next connection."""
        return await asyncio.wait_for(self._arrived.get(), timeout)
