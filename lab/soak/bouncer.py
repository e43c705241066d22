"""Everybody comes back after a crash: 100 users in 20 channels each, at the network's own pace, with their clients.

    scripts/soak bouncer [--users 100] [--channels 20] [--rate 10,1]

The gateway is killed while all are in. From its start on, the time is taken until InspIRCd has everybody in every channel and
every client was shown every room again, with itself in it (110). Between the gateway and InspIRCd stands a proxy that notes
when connections are made: at no moment may there have been more than `connect_rate` allows (burst, then so many a second).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lab.fault import Fault
from lab.gateway import Gateway, settings
from lab.irc import Person
from lab.ircd import Inspircd
from lab.process import folder
from lab.prosody import Prosody
from lab.xmpp import Client, Stanza, codes

DOMAIN = "irc.localhost"
NETWORK = "irc.test"
TOGETHER = 10  # users who share their channels
SETTLE = 1.0  # seconds for what is gathered to be written
PROMISED = 120.0  # seconds for 100 users in 20 channels


class Door(Fault):
    """Notes when somebody comes."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.times: list[float] = []

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.times.append(time.monotonic())
        await super()._connected(reader, writer)


class Rejoin:
    """One run. `seconds`: from the gateway's start until all is as it was; `problems`: what went wrong, in words."""

    def __init__(
        self, path: Path, users: int, channels: int, rate: tuple[int, float], say: Callable[[str], object] = print
    ) -> None:
        self.path, self.users, self.channels, self.rate, self.say = path, users, channels, rate, say
        self.seconds = self.on_irc = 0.0
        self.problems: list[str] = []

    def room(self, user: int, number: int) -> str:
        return f"#g{user // TOGETHER}-{number}%{NETWORK}@{DOMAIN}"

    async def run(self) -> None:
        accounts = {f"user{number}": "pw" for number in range(self.users)}
        for name in ("xmpp", "irc", "gateway"):
            (self.path / name).mkdir()
        async with AsyncExitStack() as stack:
            prosody = await stack.enter_async_context(
                Prosody(self.path / "xmpp", components={DOMAIN: "secret"}, accounts=accounts)
            )
            ircd = await stack.enter_async_context(Inspircd(self.path / "irc"))
            door = await stack.enter_async_context(Door(ircd.port))
            network = {"address": door.host, "ports": [door.port], "tls": "off", "persistent": True}
            irc: dict[str, Any] = {"networks": {NETWORK: network}}
            there = Gateway(self.path / "gateway", settings(prosody, changes={"irc": irc}))
            await stack.enter_async_context(there)
            clients = await self._enter(stack, prosody, accounts)
            self.say(f"{self.users} users are in {self.channels} channels each")
            await asyncio.sleep(SETTLE)
            await there.kill()
            there.config = settings(prosody, changes={"irc": {**irc, "connect_rate": list(self.rate)}})
            there.prepare()
            for client in clients:
                client.forget()
            door.times.clear()
            await self._back(there, ircd, clients)
            self._judge(door.times)

    async def _enter(self, stack: AsyncExitStack, prosody: Prosody, accounts: dict[str, str]) -> list[Client]:
        clients: list[Client] = []
        for name, password in accounts.items():
            client = Client(f"{name}@localhost", password, prosody.c2s_port, "desk", roster=False)
            clients.append(await stack.enter_async_context(client))
        await asyncio.gather(*(self._join(number, client) for number, client in enumerate(clients)))
        return clients

    async def _join(self, number: int, client: Client) -> None:
        for channel in range(self.channels):
            await client.join(self.room(number, channel), f"user{number}", timeout=30 + self.users)

    async def _back(self, there: Gateway, ircd: Inspircd, clients: list[Client]) -> None:
        limit = PROMISED + self.users
        async with Person(ircd.host, ircd.port, "observer") as observer:
            began = time.monotonic()
            await there.start()
            await asyncio.gather(*(self._shown(number, client, limit) for number, client in enumerate(clients)))
            self.seconds = time.monotonic() - began
            for group in range((self.users - 1) // TOGETHER + 1):
                for channel in range(self.channels):
                    await observer.send(f"NAMES #g{group}-{channel}")
                    found: set[str] = set()
                    while (line := await observer.until(lambda line: line.command in ("353", "366"))).command == "353":
                        found |= {nick.lstrip("~&@%+") for nick in line.text.split()}
                    wanted = {f"user{n}" for n in range(group * TOGETHER, min((group + 1) * TOGETHER, self.users))}
                    if found != wanted:
                        self.problems.append(f"#g{group}-{channel} has {sorted(found)}")
        self.say(f"all are back after {self.seconds:.1f} s")

    async def _shown(self, number: int, client: Client, limit: float) -> None:
        """Every room shows the client itself in it again."""
        missing = {self.room(number, channel) for channel in range(self.channels)}

        def itself(stanza: Stanza) -> bool:
            return 110 in codes(stanza) and stanza.get("type") is None

        while missing:
            stanza = await client.until(itself, limit)
            missing.discard(stanza.get("from", "").partition("/")[0])

    def _judge(self, times: list[float]) -> None:
        burst, rate = self.rate
        if len(times) != self.users:
            self.problems.append(f"{len(times)} connections for {self.users} users")
        for first in range(len(times)):
            for last in range(first, len(times)):
                allowed = burst + (times[last] - times[first] + 0.25) * rate
                if last - first + 1 > allowed + 1:
                    self.problems.append(f"{last - first + 1} connections in {times[last] - times[first]:.1f} s")
                    return


async def main(arguments: argparse.Namespace) -> int:
    burst, rate = arguments.rate.split(",")
    with folder("transports-soak-") as path:
        run = Rejoin(path, arguments.users, arguments.channels, (int(burst), float(rate)))
        await run.run()
    for problem in run.problems:
        print(problem)
    late = run.seconds > PROMISED
    what = f"{run.users} users x {run.channels} channels, connect_rate {arguments.rate}"
    print(f"{what}: {run.seconds:.1f} s (promised {PROMISED:g})")
    return 1 if run.problems or late else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--channels", type=int, default=20)
    parser.add_argument("--rate", default="10,1", help="connect_rate: burst, then so many a second")
    sys.exit(asyncio.run(main(parser.parse_args())))
