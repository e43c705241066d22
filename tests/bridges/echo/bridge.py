"""A durable bridge for tests: its far side is whoever started the test. Loaded like any other:

    [bridges.test]
    module = "tests.bridges.echo.bridge"
    domain = "test.localhost"
    options = { port = 12345, far = "127.0.0.1:12346" }

In: lines to `port` (0: none listens), answered in order per connection once the message is on disk:
    IN <key> <user> <contact> <text as JSON>     ->  OK <key> | DUP <key> | ERR <key> <condition>
    FILE <key> <user> <contact> <name> <Base64>  ->  OK <key> <url> | ERR <key> <condition>    shared, and a message with it
    FETCH <key> <user> <url>                     ->  OK <key> <type> <Base64> | ERR <key> <condition>
    FACT <key> <user> <contact> <kind> <JSON>    ->  OK <key> | DUP <key> | ERR <key> <condition>      any fact; JSON: its fields
Out: one line and one answer per connection to `far`; an end without an answer is an unknown outcome:
    SAY <id> <user> <contact> <text as JSON>     ->  OK <far id> | NO <condition> <words> | LATER <condition> <seconds>
    FIND <id>                                    ->  OK <far id> | NONE
With `can = ["Correct", "Receipt", …]` among the options addresses can that too, and instead of SAY there is
    DO <id> <user> <contact> <kind> <JSON>       ->  as for SAY                           any command; JSON: its fields
    HINT - <user> <contact> <kind> <JSON>                                                 Type and Read; not answered
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from transports import events
from transports.errors import LegacyError
from transports.events import Address, File, Letter, Message, More, Read, Said, Say, Type
from transports.ports import DurableBridge, Identity, Services

DURABLE = True
SERVICE = Address("service", "")


class Echo(DurableBridge):
    kind = "x-test"
    durable = True

    def __init__(self, domain: str, port: int, far: str, can: Sequence[str], services: Services) -> None:
        self.name = "test"
        self.domain = domain
        self._port = port
        self._far = far
        self._can = frozenset({Say, *(getattr(events, name) for name in can)})
        self._inlet = services.inlet
        self._files = services.files
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[Any]] = set()

    def address(self, name: str) -> Address:
        return Address("person", name) if name else SERVICE

    def person(self, room: Address, nick: str) -> Address:
        raise LegacyError("item-not-found", "There are no rooms here.")

    def can(self, address: Address) -> frozenset[type]:
        return self._can if address.kind == "person" else frozenset()

    def identity(self, address: Address) -> Identity:
        return Identity("gateway", "x-test", "Test") if address == SERVICE else Identity("account", "any", address.name)

    def max_text(self, address: Address) -> int:
        return 10_000

    async def start(self) -> None:
        if self._port:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", self._port, limit=2**24)

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
        verb, key, user, rest = line.rstrip().split(" ", 3)
        try:
            if verb == "FETCH":
                file, data = await self._files.fetch(user, File(rest))
                return f"OK {key} {file.type} {base64.b64encode(data).decode()}"
            contact, rest = rest.split(" ", 1)
            if verb == "FILE":
                name, data = rest.split(" ")
                file = await self._files.share(user, base64.b64decode(data), name)
                fact = Said(self.address(contact), "", "", key=key, more=More((file,)))
                await self._inlet.accept(user, fact, key)
                return f"OK {key} {file.url}"
            kind, rest = rest.split(" ", 1) if verb == "FACT" else ("Said", json.dumps({"text": json.loads(rest), "key": key}))
            fact = _fact(kind, self.address(contact), json.loads(rest))
            if not isinstance(fact, Message):
                self._inlet.tell(user, fact)
                return f"OK {key}"
            fresh = await self._inlet.accept(user, fact, key)
        except LegacyError as error:
            return f"ERR {key} {error.condition}"
        return f"{'OK' if fresh else 'DUP'} {key}"

    # Out ------------------------------------------------------------------------------------------------------------

    async def send(self, user: str, command: Letter) -> Sequence[str]:
        said = f"SAY {command.id} {user} {command.to.name} {json.dumps(command.text)}" if isinstance(command, Say) else ""
        verb, *rest = await self._ask(said if self._can == {Say} else _line("DO", command.id, user, command))
        if verb == "NO":
            raise LegacyError(rest[0], " ".join(rest[1:]))
        if verb == "LATER":
            raise LegacyError(rest[0], "Not now.", retry_after=float(rest[1]))
        return rest

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        verb, *rest = await self._ask(f"FIND {command.id}")
        return rest if verb == "OK" else None

    def hint(self, user: str, command: Type | Read) -> None:
        hint = asyncio.get_running_loop().create_task(self._hint(_line("HINT", "-", user, command)))
        self._talks.add(hint)
        hint.add_done_callback(self._talks.discard)

    async def _hint(self, line: str) -> None:
        with contextlib.suppress(LegacyError):
            await self._ask(line)

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


def _fact(kind: str, where: Address, fields: dict[str, Any]) -> Any:
    """A fact by its name and fields, as JSON has them."""
    more = fields.get("more")
    if more is not None:
        fields["more"] = More(**{**more, "files": tuple(File(**file) for file in more.get("files", ()))})
    if "error" in fields:
        fields["error"] = LegacyError(*fields["error"])
    nick = {"nick": ""} if "nick" in getattr(events, kind)._fields else {}
    return getattr(events, kind)(where=where, **{**nick, **fields})


def _line(verb: str, id: str, user: str, command: Letter | Type | Read) -> str:
    fields = {name: value for name, value in command._asdict().items() if name not in ("to", "nick", "by", "id", "ref")}
    if fields.get("more") is not None:
        more = fields["more"]
        fields["more"] = {**more._asdict(), "files": [file._asdict() for file in more.files]}
    return f"{verb} {id} {user} {command.to.name} {type(command).__name__} {json.dumps(fields)}"


def build(settings: Any, services: Services) -> Echo:
    """`settings`: config_models.Other."""
    options = settings.options
    far, can = options.get("far", "127.0.0.1:1"), options.get("can", ())
    return Echo(settings.domain, options.get("port", 0), far, can, services)
