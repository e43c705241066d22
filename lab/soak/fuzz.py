"""Hours of hostile IRC: storms of lines, half of them mutated, against Prosody and ejabberd; no stream may restart.

    scripts/soak fuzz [--minutes 60] [--seed N] [--lines 20000]

Each round has a seed of its own, printed before it begins, so that a round that fails can be had again. After a round the
same component stream must be up, the server must have objected to nothing, the gateway must not have logged a failure
or grown past a bound, and a message must get through both ways. tests/scenarios/test_hostile.py is the short form.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import time
from collections.abc import Iterator

from lab.domain import XmppServer
from lab.ejabberd import Ejabberd
from lab.gateway import Gateway, settings
from lab.process import folder
from lab.prosody import Prosody
from lab.scripted_irc import Guest, ScriptedIrc
from lab.tap import Tap
from lab.xmpp import Client
from tests.scenarios import storm

MUC = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
PLACE = "#c%storm.test@irc.localhost"
COMPONENTS = {"irc.localhost": "secret"}
ACCOUNTS = {"carol": "carolpw"}
#: The most the gateway may hold, in bytes, whatever is thrown at it.
MEMORY = 200_000_000
OBJECTIONS = re.compile(rb"<stream:error|jid-malformed|bad-request|not-well-formed|invalid-from")


def mutated(lines: Iterator[bytes], chance: random.Random) -> Iterator[bytes]:
    """Half of the lines with a few bytes changed, cut out or doubled; never one that could throw the user out."""
    for line in lines:
        if line and chance.random() < 0.5:
            at = chance.randrange(len(line))
            byte = bytes([chance.choice([0, 1, 2, 3, 13, 32, 58, 64, 127, 128, 192, 237, 255, chance.randrange(256)])])
            changes = [line[:at] + byte + line[at + 1 :], line[:at] + line[at + 1 :], line[:at] + byte * 40 + line[at:]]
            line = chance.choice(changes)
        if b"\n" not in line and not re.search(rb"(?i)(kill|error|kick #c :?carol|(part|quit|nick).*carol|^:carol)", line):
            yield line


async def one_round(server: XmppServer, seed: int, count: int) -> int:
    """A storm; the gateway's memory at its end in bytes. AssertionError, LabError: what went wrong."""
    chance = random.Random(seed)
    async with Tap(server.component_port) as tap, ScriptedIrc() as irc:
        networks = {"storm.test": {"address": irc.host, "ports": [irc.port], "tls": "off"}}
        changes = {"xmpp": {"port": tap.port}, "irc": {"networks": networks}}
        with folder("transports-fuzz-") as path:
            async with (
                Gateway(path, settings(server, changes=changes)) as gateway,
                Client("carol@localhost", ACCOUNTS["carol"], server.c2s_port, "fuzz") as carol,
            ):
                await carol.send(f"<presence to='{PLACE}/carol'>{MUC}</presence>")
                guest = await irc.guest()
                await guest.welcome()
                await guest.until("JOIN #c")
                guest.let_in("#c", "tom", *(f"n{number}" for number in range(300)))
                for number, line in enumerate(mutated(storm.lines(count, seed), chance)):
                    guest.write(line)
                    if number % 200 == 0:
                        await guest.drained()
                        carol.received.clear()
                await _both_ways(guest, carol, f"after {seed}")
                complaints = gateway.log_lines(r"could not be handled|Traceback|ERROR|CRITICAL")
                assert not complaints, complaints[:3]
                memory = gateway.rss()
                assert memory < MEMORY, f"the gateway holds {memory} bytes"
        assert tap.connections == 1, "the component stream was restarted"
        objected = OBJECTIONS.search(bytes(tap.from_server))
        assert objected is None, bytes(tap.from_server)[max(0, objected.start() - 200) :][:600]
        return memory


async def _both_ways(guest: Guest, carol: Client, words: str) -> None:
    guest.write("PING :end", f":tom!t@h PRIVMSG #c :{words}")
    await guest.until("PONG end", 120)
    await carol.body(words, 120)
    await carol.say(PLACE, f"{words}, answered", f"id {words}")
    await guest.until(f"PRIVMSG #c :{words}, answered", 60)


async def main(minutes: float, seed: int, count: int) -> int:
    end = time.monotonic() + minutes * 60
    chance = random.Random(seed)
    rounds = 0
    with folder("transports-soak-") as path:
        (path / "prosody").mkdir()
        (path / "ejabberd").mkdir()
        async with (
            Prosody(path / "prosody", components=COMPONENTS, accounts=ACCOUNTS) as prosody,
            Ejabberd(path / "ejabberd", components=COMPONENTS, accounts=ACCOUNTS) as ejabberd,
        ):
            while rounds == 0 or time.monotonic() < end:
                server = (prosody, ejabberd)[rounds % 2]
                name, this = type(server).__name__, chance.randrange(2**32)
                print(f"round {rounds + 1}, {name}, seed {this} …", flush=True)
                began = time.monotonic()
                try:
                    memory = await one_round(server, this, count)
                except Exception as error:
                    print(f"FAILED: {type(error).__name__}: {error}", flush=True)
                    return 1
                left = max(0, end - time.monotonic()) / 60
                took = time.monotonic() - began
                print(f"    {count} lines in {took:.1f} s, {memory / 1e6:.0f} MB, {left:.1f} min to go", flush=True)
                rounds += 1
    print(f"{rounds} rounds, nothing broke")
    return 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments.add_argument("--lines", type=int, default=20_000)
    given = arguments.parse_args()
    sys.exit(asyncio.run(main(given.minutes, given.seed, given.lines)))
