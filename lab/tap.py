"""A wire tap: a TCP forwarder that keeps what passes, for tests that look at what two programs really say to each other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from lab.process import HOST


class Tap:
    """async with Tap(server.component_port) as tap: tap.port, tap.to_server, tap.from_server, tap.connections

    at  the port to listen on; 0: any
    """

    def __init__(self, port: int, at: int = 0) -> None:
        self.target = port
        self.port = at
        self.to_server = bytearray()
        self.from_server = bytearray()
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection(HOST, self.target)
        for source, sink, kept in ((reader, back, self.to_server), (there, writer, self.from_server)):
            pump = asyncio.create_task(_pump(source, sink, kept))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        try:
            while data := await source.read(65536):
                kept += data
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()
