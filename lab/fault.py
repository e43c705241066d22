"""A bad line: a TCP proxy between two programs that delays, cuts to pieces, truncates, resets or falls silent when told to.

    async with Fault(ircd.port) as line: … line.port
    line.to_client.split = 1            every byte is written alone
    line.to_server.delay = 0.2          seconds before each piece
    line.to_client.cut(100, reset=True) 100 bytes more, then the connection breaks
    line.silence(); line.heal()         half-open: both ends keep their sockets and hear nothing
    line.refuse = True                  who connects now is turned away at once

Faults count for every connection, those that are open and those to come. It knows no protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Self

from lab.process import HOST

LIMIT = 1 << 16


class Way:
    """One direction. split: bytes in one write, 0 for as they come; delay: seconds before each write."""

    def __init__(self) -> None:
        self.split = 0
        self.delay = 0.0
        self.passed = 0
        self._left: int | None = None
        self._reset = False
        self._open = asyncio.Event()
        self._open.set()

    def cut(self, after: int = 0, *, reset: bool = False) -> None:
        """Let `after` bytes more through, then end the connection: properly (FIN), or with a reset (RST)."""
        self._left, self._reset = after, reset

    def silence(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()
        self._left = None
        self.split, self.delay = 0, 0.0

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> bool:
        """Carry bytes until an end closes or the fault says so; whether with a reset."""
        while data := await source.read(LIMIT):
            for at in range(0, len(data), self.split or LIMIT):
                await self._open.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                piece = data[at : at + (self.split or LIMIT)][: self._left]
                sink.write(piece)
                await sink.drain()
                self.passed += len(piece)
                if self._left is not None:
                    self._left -= len(piece)
                    if self._left <= 0:
                        self._left = None
                        return self._reset
                await asyncio.sleep(0)  # another write of its own, for those who read in between
        return False


class Fault:
    """connections: how many were made; `reset` and `close` end all that are open."""

    def __init__(self, port: int, at: int = 0) -> None:
        self.host = HOST
        self.target = port
        self.port = at
        self.connections = 0
        self.refuse = False
        self.to_server, self.to_client = Way(), Way()
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def silence(self) -> None:
        """Forward nothing any more, in either direction, and keep the sockets."""
        self.to_server.silence()
        self.to_client.silence()

    def heal(self) -> None:
        self.to_server.heal()
        self.to_client.heal()
        self.refuse = False

    def reset(self) -> None:
        """Break every open connection with a reset."""
        for ends in self._open.values():
            for end in ends:
                _end(end, reset=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuse:
            _end(writer, reset=True)
            return
        there, back = await asyncio.open_connection(HOST, self.target)
        for one in (writer, back):
            one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.create_task(self._carry((reader, back), (there, writer)))
        self._open[task] = (writer, back)
        task.add_done_callback(lambda task: self._open.pop(task, None))

    async def _carry(
        self, out: tuple[asyncio.StreamReader, asyncio.StreamWriter], back: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        """Both ways of one connection; when one of them ends, both do."""
        ways = [asyncio.ensure_future(self.to_server.pump(*out)), asyncio.ensure_future(self.to_client.pump(*back))]
        reset = False
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            reset = any(way.exception() is not None or way.result() for way in done)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (out[1], back[1]):
                _end(writer, reset=reset)


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """Close; a reset drops what is unsent and tells the other end of a broken connection (SO_LINGER of 0)."""
    with contextlib.suppress(OSError):
        if reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()
