"""A durable bridge for tests: of its people whoever started the test tells. Registering asks for nothing. Loaded like any other:

    [bridges.test]
    module = "tests.bridges.people.bridge"
    domain = "test.localhost"
    options = { port = 12345 }

Lines to `port`, each a JSON list, answered with OK:
    ["KNOWN", user, contact, name, groups]
    ["SEEN", user, contact, show, status]
    ["FORGOTTEN", user, contact]
    ["SAID", user, contact, text, key]      also answered with ERR and a condition
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from transports.describe import Status
from transports.errors import LegacyError
from transports.events import Address, Forgotten, Known, Letter, Said, Say, Seen
from transports.ports import DurableBridge, Identity, Inlet, Services

DURABLE = True
SERVICE = Address("service", "")


class People(DurableBridge):
    name = "test"
    kind = "x-test"
    durable = True

    def __init__(self, domain: str, port: int, inlet: Inlet) -> None:
        self.domain = domain
        self._port = port
        self._inlet = inlet
        self._seen: dict[tuple[str, Address], Status] = {}
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[Any]] = set()

    def address(self, name: str) -> Address:
        if "!" in name:
            raise LegacyError("jid-malformed", "There is nobody of that name.")
        return Address("person", name) if name else SERVICE

    def person(self, room: Address, nick: str) -> Address:
        raise LegacyError("item-not-found", "There are no rooms here.")

    def can(self, address: Address) -> frozenset[type]:
        return frozenset((Say,)) if address.kind == "person" else frozenset()

    def identity(self, address: Address) -> Identity:
        return (
            Identity("gateway", "x-test", "People") if address == SERVICE else Identity("account", "any", address.name)
        )

    def max_text(self, address: Address) -> int:
        return 10_000

    def status(self, user: str) -> Status:
        return Status("", "At your service")

    def presence(self, user: str, address: Address) -> Status:
        return self._seen.get((user, address), Status())

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self._port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def send(self, user: str, command: Letter) -> Sequence[str]:
        return [command.id]

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        return None

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while line := await reader.readline():
                writer.write(f"{await self._take(json.loads(line))}\n".encode())
        self._talks.discard(task)

    async def _take(self, words: list[Any]) -> str:
        verb, user, contact, *rest = words
        address = self.address(contact)
        if verb == "SAID":
            try:
                await self._inlet.accept(user, Said(address, "", rest[0], key=rest[1]), rest[1])
            except LegacyError as error:
                return f"ERR {error.condition}"
        elif verb == "SEEN":
            self._seen[user, address] = Status(*rest)
            self._inlet.tell(user, Seen(address, *rest))
        else:
            self._inlet.tell(user, Known(address, *rest) if verb == "KNOWN" else Forgotten(address))
        return "OK"


def build(settings: Any, services: Services) -> People:
    """`settings`: config_models.Other."""
    return People(settings.domain, settings.options["port"], services.inlet)
