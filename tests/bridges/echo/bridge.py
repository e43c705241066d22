"""A durable bridge for tests: its far side is whoever started the test. Loaded like any other:

    [bridges.test]
    module = "tests.bridges.echo.bridge"
    domain = "test.localhost"
    options = { port = 12345, far = "127.0.0.1:12346" }

In: lines to `port` (0: none listens), answered in order per connection once the message is on disk:
    IN <key> <user> <contact> <text as JSON>     ->  OK <key> | DUP <key> | ERR <key> <condition>
Out: one line and one answer per connection to `far`; an end without an answer is an unknown outcome:
    SAY <id> <user> <contact> <text as JSON>     ->  OK <far id> | NO <condition> <words> | LATER <condition> <seconds>
    FIND <id>                                    ->  OK <far id> | NONE
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from transports.errors import LegacyError
from transports.events import Address, Said, Say
from transports.ports import DurableBridge, Identity, Inlet, Services

DURABLE = True
SERVICE = Address("service", "")


class Echo(DurableBridge):
    kind = "x-test"
    durable = True

    def __init__(self, domain: str, port: int, far: str, inlet: Inlet) -> None:
        self.name = "test"
        self.domain = domain
        self._port = port
        self._far = far
        self._inlet = inlet
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[Any]] = set()

    def address(self, name: str) -> Address:
        return Address("person", name) if name else SERVICE

    def person(self, room: Address, nick: str) -> Address:
        raise LegacyError("item-not-found", "There are no rooms here.")

    def can(self, address: Address) -> frozenset[type]:
        return frozenset((Say,)) if address.kind == "person" else frozenset()

    def identity(self, address: Address) -> Identity:
        return Identity("gateway", "x-test", "Test") if address == SERVICE else Identity("account", "any", address.name)

    def max_text(self, address: Address) -> int:
        return 10_000

    async def start(self) -> None:
        if self._port:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", self._port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    # In -------------------------------------------------------------------------------------------------------------

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while line := await reader.readline():
                writer.write(f"{await self._take(line.decode())}\n".encode())
        self._talks.discard(task)

    async def _take(self, line: str) -> str:
        _in, key, user, contact, text = line.split(" ", 4)
        try:
            fresh = await self._inlet.accept(user, Said(self.address(contact), "", json.loads(text), key=key), key)
        except LegacyError as error:
            return f"ERR {key} {error.condition}"
        return f"{'OK' if fresh else 'DUP'} {key}"

    # Out ------------------------------------------------------------------------------------------------------------

    async def send(self, user: str, command: Say) -> Sequence[str]:
        verb, *rest = await self._ask(f"SAY {command.id} {user} {command.to.name} {json.dumps(command.text)}")
        if verb == "NO":
            raise LegacyError(rest[0], " ".join(rest[1:]))
        if verb == "LATER":
            raise LegacyError(rest[0], "Not now.", retry_after=float(rest[1]))
        return rest

    async def find(self, user: str, command: Say) -> Sequence[str] | None:
        verb, *rest = await self._ask(f"FIND {command.id}")
        return rest if verb == "OK" else None

    async def _ask(self, line: str) -> list[str]:
        """The words of the answer to a line."""
        host, _, port = self._far.rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError as error:
            raise LegacyError("remote-server-timeout", "The far side is away.", retry_after=0.2) from error
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            writer.write(f"{line}\n".encode())
            if words := (await reader.readline()).decode().split():
                return words
        raise LegacyError("remote-server-timeout", "It is not known what happened.", certain=False, retry_after=0.1)


def build(settings: Any, services: Services) -> Echo:
    """`settings`: config_models.Other."""
    options = settings.options
    return Echo(settings.domain, options.get("port", 0), options.get("far", "127.0.0.1:1"), services.inlet)
