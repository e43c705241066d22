"""Who is about when the gateway is killed: a Prosody that keeps more or less, the far side, its callers, alice.

`kills.py` has the run and what must hold of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterable

from lab.process import HOST
from lab.prosody import Prosody
from lab.xmpp import Client, condition

DOMAIN = "test.localhost"
RECEIVERS = ("bob", "carol", "dave", "erin", "ghost")
CALLED = [f"+1666000{n}" for n in range(3)]
PAUSE = (0.0, 0.05)  # seconds between two messages of one caller, and of alice


class ForgetfulProsody(Prosody):
    """Keeps for those who are away: "archive" (mod_mam), "offline" (mod_offline), "nothing"."""

    keeps = "archive"

    def configuration(self) -> str:
        text = super().configuration()
        if self.keeps != "archive":
            text = text.replace('"carbons", "mam",', '"carbons",')
        if self.keeps == "nothing":
            text = text.replace("modules_disabled = {", 'modules_disabled = { "offline",').replace(
                '"smacks", "csi_simple", "offline"', '"smacks", "csi_simple"'
            )
            text = text.replace("smacks_hibernation_time = 5", "smacks_hibernation_time = 1")
        return text


class Trigger:
    """Kills the gateway at a moment of the traffic, at once."""

    def __init__(self) -> None:
        self.armed = ""
        self.pid = 0

    def __call__(self, moment: str) -> None:
        if moment == self.armed:
            self.armed = ""
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class FarSide:
    """Takes messages as the bridge hands them over, not always kindly."""

    def __init__(self, chance: random.Random, moment: Trigger) -> None:
        self.chance, self.moment = chance, moment
        self.taken: list[tuple[str, str]] = []  # (row, text), in order
        self.refused: dict[str, str] = {}  # row -> text
        self._put_off: set[str] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, ValueError):
            verb, row, *rest = (await reader.readline()).decode().rstrip("\n").split(" ", 4)
            self.moment("handed over")
            answer = await self._say(row, json.loads(rest[2])) if verb == "SAY" else self._find(row)
            writer.write(f"{answer}\n".encode() if answer else b"")

    def _find(self, row: str) -> str:
        return f"OK far-{row}" if any(row == known for known, _ in self.taken) else "NONE"

    async def _say(self, row: str, words: str) -> str:
        whim = self.chance.random()
        if row in self.refused or whim < 0.05:
            self.refused[row] = words
            return "NO item-not-found There is nobody with this number."
        if whim < 0.15 and row not in self._put_off:
            self._put_off.add(row)
            return "LATER remote-server-timeout 0.05"
        if whim < 0.20:
            return ""  # the connection ends, and nothing was taken
        if whim < 0.25:
            await asyncio.sleep(0.3)
        self.taken.append((row, words))
        return "" if whim > 0.92 else f"OK far-{row}"


class Caller:
    """Somebody on the far side who writes to every receiver in turn, and repeats what was not acknowledged, as Twilio does."""

    def __init__(self, number: str, port: int, chance: random.Random, moment: Trigger) -> None:
        self.number, self.port, self.chance, self.moment = number, port, chance, moment
        self.accepted: dict[str, list[str]] = defaultdict(list)  # receiver -> keys, in order
        self.repeats = 0
        self.most = 0  # lines by now

    async def call(self, ended: asyncio.Event) -> None:
        line = 0
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not ended.is_set():
            if line >= self.most:
                await asyncio.sleep(PAUSE[1])
                continue
            receiver = RECEIVERS[line % len(RECEIVERS)]
            key = f"{self.number}-{line}"
            words = json.dumps(f"{key} <&> 'ключ' \U0001f40d")
            while True:
                try:
                    connection = connection or await asyncio.open_connection(HOST, self.port)
                    reader, writer = connection
                    writer.write(f"IN {key} {receiver}@localhost {self.number} {words}\n".encode())
                    answer = (await reader.readline()).decode().split()
                    if answer[:2] in (["OK", key], ["DUP", key]):
                        self.moment("accepted")
                        self.accepted[receiver].append(key)
                        self.repeats += answer[0] == "DUP"
                        break
                    if not answer:
                        raise ConnectionError
                except OSError:
                    if connection is not None:
                        connection[1].close()
                    connection = None
                await asyncio.sleep(0.05)
            line += 1
            await asyncio.sleep(self.chance.uniform(*PAUSE))
        if connection is not None:
            connection[1].close()


class Sender:
    """alice: sends, sends again what bounced because the gateway was away, and knows what she was told of."""

    def __init__(self, client: Client, chance: random.Random, moment: Trigger) -> None:
        self.client, self.chance, self.moment = client, chance, moment
        self.sent: dict[str, tuple[str, str]] = {}  # id -> number, text
        self.told: set[str] = set()  # ids of messages that were refused for good
        self.bounced = 0
        self.unanswered = 0
        self.most = 0  # messages by now
        self._read = 0
        self.waiting: list[str] = []  # ids of messages that bounced, to be sent again
        self._again_at = 0.0

    async def send(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            if len(self.sent) < self.most:
                name = f"alice-{len(self.sent)}"
                self.sent[name] = (self.chance.choice(CALLED), f"text of {name}")
                await self.say(name)
                self.moment("sent")
            await self.again()
            await asyncio.sleep(self.chance.uniform(*PAUSE))

    async def again(self) -> list[str]:
        """Send again what the server could not hand over, now and then; what was sent."""
        came, self._read = self.client.received[self._read :], len(self.client.received)
        self.client.forget()
        for stanza in came:
            name = stanza.get("id", "")
            if stanza.get("type") != "error" or name not in self.sent:
                continue
            if condition(stanza) == "item-not-found":
                self.told.add(name)
            else:
                self.bounced += 1
                self.waiting.append(name)
        if time.monotonic() < self._again_at:
            return []
        self._again_at = time.monotonic() + 0.5
        names, self.waiting = self.waiting, []
        for name in names:
            await self.say(name)
        return names

    def missing(self, arrived: Iterable[str]) -> list[str]:
        """Messages that neither arrived nor were answered."""
        there = {*arrived, *(self.sent[name][1] for name in self.waiting)}
        return [name for name, (_, words) in self.sent.items() if name not in self.told and words not in there]

    async def say(self, name: str) -> None:
        number, words = self.sent[name]
        await self.client.say(f"{number}@{DOMAIN}", words, name, kind="chat")
