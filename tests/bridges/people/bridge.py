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

import json
from collections.abc import Sequence
from typing import Any

from tests.bridges.echo.bridge import SERVICE, Echo
from transports.describe import Status
from transports.errors import LegacyError
from transports.events import Address, Forgotten, Known, Letter, Said, Seen
from transports.ports import Identity, Services

DURABLE = True


class People(Echo):
    def __init__(self, domain: str, port: int, services: Services) -> None:
        super().__init__(domain, port, "", (), services)
        self._seen: dict[tuple[str, Address], Status] = {}

    def address(self, name: str) -> Address:
        if "!" in name:
            raise LegacyError("jid-malformed", "There is nobody of that name.")
        return super().address(name)

    def identity(self, address: Address) -> Identity:
        return (
            Identity("gateway", "x-test", "People") if address == SERVICE else Identity("account", "any", address.name)
        )

    def status(self, user: str) -> Status:
        return Status("", "At your service")

    def presence(self, user: str, address: Address) -> Status:
        return self._seen.get((user, address), Status())

    async def send(self, user: str, command: Letter) -> Sequence[str]:
        return [command.id]

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        return None

    async def _take(self, line: str) -> str:
        verb, user, contact, *rest = json.loads(line)
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
    return People(settings.domain, settings.options["port"], services)
