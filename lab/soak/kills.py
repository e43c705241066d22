"""Random `kill -9` of the gateway under traffic both ways: nothing accepted is lost, duplicates only with the same id.

    scripts/soak kills [--kills 200] [--seed N] [--keeps archive|offline|nothing]

A durable test bridge stands between Prosody and a far side that misbehaves. Far side to XMPP, five receivers:
    bob     online               every message arrives
    carol   offline              is there when she logs in at the end
    dave    blocks the contacts  nothing arrives; every message is a dead letter
    ghost   has no account       the same
    erin    vanishes             stops reading, drops the connection, comes back: everything is there in the end
Where Prosody keeps nothing for those who are away, carol's messages are dead letters, erin's are that or arrive: late bounces
(mod_smacks gives her up after the fence was answered) are written again when she is back. Nobody can repeat an error stanza
that comes while the gateway is away, so there the kills keep clear of the moment when Prosody gives her up.
XMPP to far side, alice sends: what is in the journal reaches the far side exactly once or she is told; what she sent in the
moment of a kill is in no journal yet, XMPP has no receipt for it: she sends it again under the same id, as a client does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lab.gateway import Gateway, settings
from lab.process import HOST, folder, free_ports
from lab.prosody import Prosody
from lab.soak._traffic import DOMAIN, RECEIVERS, Caller, FarSide, ForgetfulProsody, Sender, Trigger
from lab.xmpp import Client, Stanza, text

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
CALLERS = [f"+1555000{n}" for n in range(4)]
SERVES = 0.8  # how many of the gateways live until they are ready, at least
LIFE = (0.0, 1.0)  # seconds that a gateway lives, from its start or from then
#: Messages of alice's, and of each caller, in one life of a gateway at most: on a busy machine they last long.
SENT = {Sender: 60, Caller: 20}
SETTLE = 90.0  # seconds without any progress, when everything is to come to rest at the end
#: What a kill waits for; "" waits for nothing.
MOMENTS = ("", "", "accepted", "handed over", "arrived", "sent")
GIVEN_UP = 2.5  # seconds after which a Prosody that keeps nothing has given up a client that vanished, and said so
READY = r"\bready\b"
MAM, RSM = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm"


class Soak:
    """One run. `problems` says what went wrong, in words."""

    def __init__(self, kills: int, seed: int, keeps: str, say: Callable[[str], object] = print) -> None:
        self.kills, self.seed, self.keeps, self.say = kills, seed, keeps, say
        self.moment = Trigger()
        self.calm = asyncio.Lock()
        self.chance = random.Random(seed)
        self.problems: list[str] = []
        self.arrived: dict[str, list[tuple[str, str]]] = {name: [] for name in PEOPLE}  # person -> (id, key), in order
        self.journaled: set[str] = set()  # rows of alice's that a killed gateway had accepted
        self.far = FarSide(random.Random(seed + 1), self.moment)

    async def run(self) -> bool:
        """Everything; True when nothing was lost."""
        began = time.monotonic()
        with folder("transports-kills-") as directory:
            prosody = ForgetfulProsody(directory / "prosody", {DOMAIN: "secret"}, {n: f"{n}pw" for n in PEOPLE})
            prosody.keeps = self.keeps
            async with prosody:
                await self._in_house(prosody, directory / "gateway")
        for problem in self.problems[:40]:
            self.say(f"PROBLEM {problem}")
        verdict = "FAILED" if self.problems else "passed"
        self.say(f"{verdict}: {self.kills} kills, seed {self.seed}, {time.monotonic() - began:.0f} s")
        return not self.problems

    async def _in_house(self, prosody: Prosody, directory: Path) -> None:
        in_port, far_port = free_ports(2)
        self.database = directory / "transports.db"
        tables = settings(prosody)
        del tables["irc"]
        options = {"port": in_port, "far": f"{HOST}:{far_port}"}
        tables["bridges"] = {"test": {"module": "tests.bridges.echo.bridge", "domain": DOMAIN, "options": options}}
        gateway = Gateway(directory, tables, ready="")
        await asyncio.to_thread(directory.mkdir)
        gateway.prepare()
        async with await asyncio.start_server(self.far.talk, HOST, far_port), self._client(prosody, "bob") as bob:
            await self._block(prosody)
            self._watch(bob)
            async with self._client(prosody, "alice") as alice:
                self.callers = [Caller(number, in_port, random.Random(number), self.moment) for number in CALLERS]
                self.sender = Sender(alice, random.Random(self.seed + 2), self.moment)
                try:
                    await self._traffic(prosody, gateway)
                    await self._settle(prosody, gateway, bob)
                except BaseException:
                    self.say(f"the gateway{gateway.tail()}\nProsody{prosody.tail()}")
                    raise
                finally:
                    await gateway.kill()

    # -- the kills -----------------------------------------------------------------------------------------------------

    async def _traffic(self, prosody: Prosody, gateway: Gateway) -> None:
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for caller in self.callers:
                tasks.create_task(caller.call(ended))
            tasks.create_task(self.sender.send(ended))
            tasks.create_task(self._vanish(prosody, ended))
            await gateway.start()
            for number in range(1, self.kills + 1):
                for one in (self.sender, *self.callers):
                    one.most = SENT[type(one)] * number
                if self.chance.random() < SERVES:
                    await gateway.until_log(READY, timeout=20)
                await asyncio.sleep(self.chance.uniform(*LIFE))
                async with self.calm:
                    await self._kill(gateway)
                if number % 10 == 0 or number == self.kills:
                    self._progress(number)
            await gateway.until_log(READY, timeout=20)
            ended.set()
        await self._heard()

    async def _kill(self, gateway: Gateway) -> None:
        """Kill it, at some moment, and start it again."""
        self.moment.pid = gateway.pid
        self.moment.armed = self.chance.choice(MOMENTS)
        if self.moment.armed and gateway.process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gateway.process.wait(), 2.0)
        self.moment.armed = ""
        await gateway.kill()
        self.journaled |= {id for id, *_ in self._rows("direction = 'out'")}
        await gateway.start()
        if self.keeps == "nothing":
            await gateway.until_log(READY, timeout=20)

    async def _vanish(self, prosody: Prosody, ended: asyncio.Event) -> None:
        """erin comes, reads for a while, reads no more, and drops the connection without a word."""
        while not ended.is_set():
            async with self._client(prosody, "erin", smacks=True) as erin:
                await erin.send(f"<presence to='{DOMAIN}'/>")
                await asyncio.sleep(self.chance.uniform(0.2, 2))
                erin.freeze()
                await asyncio.sleep(self.chance.uniform(0.2, 2))
                async with self.calm if self.keeps == "nothing" else contextlib.nullcontext():
                    await erin.vanish()
                    await asyncio.sleep(GIVEN_UP if self.keeps == "nothing" else self.chance.uniform(0, 4))

    # -- the end -------------------------------------------------------------------------------------------------------

    async def _settle(self, prosody: Prosody, gateway: Gateway, bob: Client) -> None:
        async with self._client(prosody, "erin") as erin:
            began = moved = time.monotonic()
            wait = GIVEN_UP if self.keeps == "nothing" else 0.0
            fewest = sys.maxsize
            while time.monotonic() < moved + SETTLE:
                await erin.send(f"<presence to='{DOMAIN}'/>")
                if await self._all_heard() and not self._open_rows() and time.monotonic() - began > wait:
                    break
                if (rows := len(self._open_rows())) < fewest:
                    fewest, moved = rows, time.monotonic()
                await asyncio.sleep(0.5)
            else:
                self._problem("not at rest", (f"{row[1]} {row[2]} {row[3]}" for row in self._open_rows()))
            await erin.barrier()
            if self.keeps == "archive":
                await self._archive(erin, "erin")
        await bob.barrier()
        async with self._client(prosody, "carol") as carol:
            await carol.barrier()
            if self.keeps == "archive":
                await self._archive(carol, "carol")
        self._collect()
        self._check_in()
        self._check_out()
        if errors := gateway.log_lines(r"Traceback|\bERROR\b"):
            self._problem("the gateway logged", errors)
        if broken := prosody.stream_errors():
            self._problem("Prosody closed a component stream", broken)
        self._progress(self.kills)

    async def _all_heard(self) -> bool:
        """Whether everything alice sent is in the journal or was answered; what is not was lost in a kill: she sends it again."""
        again = await self.sender.again()
        if again:
            await self._heard()
        waiting = {json.loads(row[4])["Say"]["text"] for row in self._rows("direction = 'out'") if row[4]}
        missing = self.sender.missing(waiting | {words for _, words in self.far.taken})
        self.sender.unanswered += len(missing)
        for name in missing:
            await self.sender.say(name)
        if missing:
            await self._heard()
        return not (again or missing or self.sender.waiting)

    async def _heard(self) -> None:
        """Return when the gateway has read all that alice sent, and has had the time to store it."""
        await self.sender.client.iq(f"<iq type='get' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
        await asyncio.sleep(0.5)

    def _check_in(self) -> None:
        rows = {row[5]: row for row in self._rows("direction = 'in'")}
        for name in RECEIVERS:
            keys = [key for caller in self.callers for key in caller.accepted[name]]
            self._problem("accepted, not in the journal", (key for key in keys if key not in rows))
            came = self.arrived.get(name, [])
            if name in self._unreachable():
                self._problem(f"arrived though {name} cannot have it", (key for _, key in came))
                self._problem(
                    "neither delivered nor a dead letter", (k for k in keys if rows.get(k, [""] * 4)[3] != "dead")
                )
                continue
            ids = defaultdict(set)
            for id, key in came:
                ids[key].add(id)
            given_up = {key for key in keys if self.keeps == "nothing" and rows[key][3] == "dead"}
            lost = [key for key in keys if key not in ids and key not in given_up]
            self._problem(f"lost on the way to {name}", (f"{key} ({rows[key][3]})" for key in lost))
            self._problem(f"twice for {name} with different ids", (key for key, found in ids.items() if len(found) > 1))
            if name != "erin":
                self._check_order(name, list(ids))
        self._problem(
            "refused though nothing was wrong", (f"{row[2]} {key}" for key, row in rows.items() if self._unjust(row))
        )

    def _unreachable(self) -> set[str]:
        """Who can get nothing at all."""
        return {"dave", "ghost"} | ({"carol"} if self.keeps == "nothing" else set())

    def _unjust(self, row: tuple[Any, ...]) -> bool:
        name = row[2].partition("@")[0]
        return row[3] == "dead" and name not in self._unreachable() and (name, self.keeps) != ("erin", "nothing")

    def _check_order(self, name: str, keys: list[str]) -> None:
        for caller in self.callers:
            numbers = [int(key.rpartition("-")[2]) for key in keys if key.startswith(caller.number)]
            if numbers != sorted(numbers):
                self._problem(f"out of order for {name}", [caller.number])

    def _check_out(self) -> None:
        rows = {row[0]: row for row in self._rows("direction = 'out'")}
        names = {row: json.loads(found[4])["Say"]["id"] for row, found in rows.items()}
        takes = Counter(row for row, _ in self.far.taken)
        self._problem("handed over twice", (row for row, count in takes.items() if count > 1))
        self._problem("in a killed gateway's journal, gone now", self.journaled - set(rows))
        for row, found in rows.items():
            told = names[row] in self.sender.told
            if not takes[row] and not (row in self.far.refused and told):
                self._problem("lost on the way to the far side", [f"{names[row]} {row} {found[3]}"])
            if takes[row] and found[3] != "done":
                self._problem("arrived, but its sender is told otherwise", [f"{names[row]} {found[3]}"])
        here = set(names.values())
        self._problem("sent by alice, never accepted", (name for name in self.sender.sent if name not in here))

    # -- what is seen --------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _client(self, prosody: Prosody, name: str, smacks: bool = False) -> AsyncIterator[Client]:
        """Somebody online; what arrives is kept."""
        async with Client(prosody.jid(name), f"{name}pw", prosody.c2s_port, smacks=smacks, roster=False) as client:
            self._watched = [*getattr(self, "_watched", []), (name, client.received)]
            yield client

    def _watch(self, client: Client) -> None:
        take = client.stream.take

        def taken(stanza: Stanza) -> None:
            take(stanza)
            if _arrival(stanza):
                self.moment("arrived")

        client.stream.take = taken

    def _collect(self) -> None:
        for name, stanzas in self._watched:
            self.arrived[name] += filter(None, map(_arrival, stanzas))

    async def _archive(self, client: Client, name: str) -> None:
        """XEP-0313: all that the server keeps for this user."""
        after = ""
        while True:
            paging = f"<set xmlns='{RSM}'><max>50</max><after>{after}</after></set>"
            page = paging if after else paging.replace("<after></after>", "")
            fin = await client.iq(f"<iq type='set'><query xmlns='{MAM}'>{page}</query></iq>", 30)
            for stanza in client.waiting("message/mam:result"):
                inner = stanza.find(".//{jabber:client}message")
                if inner is not None and (found := _arrival(inner)):
                    self.arrived[name].append(found)
            client.forget()
            last = fin.find(f".//{{{RSM}}}last")
            if last is None or fin.find(f"{{{MAM}}}fin[@complete='true']") is not None:
                return
            after = last.text or ""

    async def _block(self, prosody: Prosody) -> None:
        """XEP-0191: dave wants to hear of none of the callers."""
        async with self._client(prosody, "dave") as dave:
            items = "".join(f"<item jid={quoteattr(f'{number}@{DOMAIN}')}/>" for number in CALLERS)
            answer = await dave.iq(f"<iq type='set'><block xmlns='urn:xmpp:blocking'>{items}</block></iq>")
            assert answer.get("type") == "result"

    def _rows(self, where: str) -> list[tuple[Any, ...]]:
        """Rows of the journal, read beside the gateway: (id, direction, owner, state, payload, key)."""
        if not self.database.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as connection:
            try:
                query = "SELECT id, direction, owner, state, payload, key FROM journal WHERE "  # `where` is ours
                return connection.execute(query + where).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def _open_rows(self) -> list[tuple[Any, ...]]:
        return self._rows("state IN ('queued', 'waiting', 'sent', 'failed')")

    def _problem(self, what: str, which: Iterable[str]) -> None:
        found = list(which)
        if found:
            self.problems.append(f"{what}: {len(found)}, e.g. {'; '.join(found[:5])}")

    def _progress(self, kills: int) -> None:
        accepted = sum(len(keys) for caller in self.callers for keys in caller.accepted.values())
        states = Counter(f"{row[1]} {row[3]}" for row in self._rows("1"))
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        late = len(self._rows("direction = 'in' AND attempts > 0"))
        repeats = sum(caller.repeats for caller in self.callers)
        self.say(
            f"{kills}/{self.kills} kills: {accepted} accepted ({repeats} asked for twice); alice sent {len(self.sender.sent)}, "
            f"{self.sender.bounced} bounced, {self.sender.unanswered} unanswered; journal: {counts}; "
            f"{late} bounced and tried again"
        )


def _arrival(stanza: Stanza) -> tuple[str, str] | None:
    """(stanza id, key) of a message of the far side."""
    words = text(stanza) if stanza.get("from", "").endswith(f"@{DOMAIN}") and stanza.get("type") != "error" else None
    found = re.match(r"\S+", words or "")
    return (stanza.get("id", ""), found[0]) if found else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--keeps", choices=("archive", "offline", "nothing"), help="what Prosody keeps; default: each in turn"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    worlds = [options.keeps] if options.keeps else ["archive", "offline", "nothing"]
    passed = True
    for number, keeps in enumerate(worlds):
        print(f"Prosody keeps: {keeps}")
        kills = options.kills * (number + 1) // len(worlds) - options.kills * number // len(worlds)
        passed = asyncio.run(Soak(kills, seed + number, keeps).run()) and passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
