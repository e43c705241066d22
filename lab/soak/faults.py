"""Hours behind a bad line: delays, single bytes, ends and resets in the middle, silence; nothing may break for long.

    scripts/soak faults [--minutes 30] [--seed N]

carol reaches her network by a line that is spoiled anew in every round, bob his without it. Whatever the line does, bob hears
all at once, carol is in her channel again when the line is good, and the gateway logs no failure and does not grow.
tests/scenarios/test_irc_faults.py is the short form.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from typing import Self

from lab.fault import Fault
from lab.gateway import Gateway, settings
from lab.irc import Person
from lab.ircd import Inspircd
from lab.process import folder, python
from lab.prosody import Prosody
from lab.xmpp import Client

#: The same gateway, which does not wait for a silent link as long as people do.
HASTY = (
    "import transports.bridges.irc.wire as wire; from transports.cli import main; "
    "wire.QUIET, wire.DEAD = 0.5, 2.0; main()"
)
COMMAND = [python(), "-c", HASTY, "run", "--config"]
BAD, CALM = "#bad%irc.test@irc.localhost", "#calm%calm.test@irc.localhost"
MUC = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
COMPONENTS = {"irc.localhost": "secret"}
ACCOUNTS = {"carol": "carolpw", "bob": "bobpw"}
#: The most the gateway may hold, in bytes.
MEMORY = 150_000_000
#: Seconds for carol to be back, and for bob to hear anything.
BACK_WITHIN, HEARD_WITHIN = 60, 10


def spoil(line: Fault, chance: random.Random) -> str:
    """One fault; what it is, for whoever has to find it again."""
    way = chance.choice([line.to_client, line.to_server])
    after, reset = chance.choice([0, 1, 30, 200, 1_000, 5_000]), chance.random() < 0.5
    match chance.randrange(5):
        case 0:
            way.split = chance.choice([1, 2, 7])
            return f"pieces of {way.split}"
        case 1:
            way.delay = chance.choice([0.01, 0.1])
            return f"{way.delay} s late"
        case 2:
            way.cut(after, reset=reset)
            return f"{'reset' if reset else 'closed'} after {after} bytes"
        case 3:
            line.reset()
            return "reset"
    line.silence()
    return "silent"


class BadLine:
    """async with BadLine() as there: await there.round(chance)"""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._said = 0

    async def __aenter__(self) -> Self:
        enter = self._stack.enter_async_context
        prosody, ircd, gateway = (self._stack.enter_context(folder("transports-soak-")) for _ in range(3))
        server = await enter(Prosody(prosody, components=COMPONENTS, accounts=ACCOUNTS))
        irc = await enter(Inspircd(ircd))
        self.line = await enter(Fault(irc.port))
        ports = {"irc.test": self.line.port, "calm.test": irc.port}
        networks = {name: {"address": irc.host, "ports": [port], "tls": "off"} for name, port in ports.items()}
        changes = {"irc": {"networks": networks}}
        self.gateway = await enter(Gateway(gateway, settings(server, changes=changes), command=COMMAND))
        self.carol, self.bob = [
            await enter(Client(f"{name}@localhost", password, server.c2s_port, "soak")) for name, password in ACCOUNTS.items()
        ]
        self.tom = await enter(Person(irc.host, irc.port, "tom"))
        for channel in ("#bad", "#calm"):
            await self.tom.join(channel)
        await self.bob.join(CALM, "bob")
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def round(self, chance: random.Random) -> str:
        """The line is spoiled amid talk, and made good again. AssertionError, LabError: what went wrong."""
        await self._back()
        talking = asyncio.create_task(self._talk())
        await asyncio.sleep(chance.random() / 10)
        what = " and ".join(spoil(self.line, chance) for _ in range(chance.choice([1, 1, 2])))
        await self._calm()
        await asyncio.sleep(chance.choice([0.1, 0.5, 3]))
        await self._calm()
        self.line.heal()
        await talking
        await self._back()
        complaints = self.gateway.log_lines(r"could not be handled|Traceback|error transports|critical")
        assert not complaints, complaints[:3]
        assert self.gateway.rss() < MEMORY, f"the gateway holds {self.gateway.rss()} bytes"
        return what

    async def _talk(self) -> None:
        for number in range(40):
            await self.tom.say("#bad", f"line {number} of what carol may or may not hear")
            await self.carol.say(BAD, f"line {number} of what tom may or may not hear")
            await asyncio.sleep(0.005)

    async def _calm(self) -> None:
        self._said += 1
        await self.tom.say("#calm", f"calm {self._said}")
        await self.bob.until(lambda stanza: f">calm {self._said}<" in _text(stanza), HEARD_WITHIN)
        self.bob.forget()

    async def _back(self) -> None:
        """carol is in her channel, and heard there."""
        self._said += 1
        end = time.monotonic() + BACK_WITHIN
        while True:
            await self.carol.send(f"<presence to='{BAD}/carol'>{MUC}</presence>")
            await self.tom.say("#bad", f"back {self._said}")
            try:
                await self.carol.until(lambda stanza: f">back {self._said}<" in _text(stanza), 2)
                break
            except AssertionError:
                if time.monotonic() > end:
                    raise
        self.carol.forget()
        self.tom.lines.clear()
        self.tom.forget()


def _text(stanza: object) -> str:
    body = stanza.find("{jabber:client}body")  # type: ignore[attr-defined]
    return f">{body.text}<" if body is not None else ""


async def main(minutes: float, seed: int) -> int:
    end, chance, rounds = time.monotonic() + minutes * 60, random.Random(seed), 0
    async with BadLine() as there:
        while rounds == 0 or time.monotonic() < end:
            this = chance.randrange(2**32)
            print(f"round {rounds + 1}, seed {this} …", flush=True)
            try:
                what = await there.round(random.Random(this))
            except Exception as error:
                print(f"FAILED: {type(error).__name__}: {error}", flush=True)
                return 1
            print(f"    {what}; {there.gateway.rss() / 1e6:.0f} MB", flush=True)
            rounds += 1
    print(f"{rounds} rounds, nothing broke for long")
    return 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = arguments.parse_args()
    sys.exit(asyncio.run(main(given.minutes, given.seed)))
