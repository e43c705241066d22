"""The cases: each starts its own gateway, drives it, and gives its figures as a dict of metric to number.

The metrics' names, units and bars are in report.py. A size is multiplied by `scale`, so that tests can be tiny; a gateway
that is known to be slow gets fewer messages where only the cost of one message counts.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from bench.driver import Stuck
from bench.gateways import Gateway
from bench.rig import Rig, rig, room

Figures = dict[str, float]

MIB = 1 << 20
WORDS = (
    b"ok",
    b"has anybody tried the new build yet?",
    b"it's in the docs & the changelog, see section 4.2",
    b"<3",
    b"I get the same warning here, only when the cache is cold",
    b"https://example.org/paste/8231?raw=1",
    b"thanks!",
)
FORMS = (b"%s%d", b"%s%d", b"%s%d_", b"%s%d|away", b"%s[%d]", b"%s%d^", b"%s-%d")
STEMS = (b"alice", b"Bob", b"carol", b"dave", b"Eve", b"frank", b"grace", b"heidi", b"Ivan", b"judy")


def nicks(count: int, start: int = 0) -> list[bytes]:
    """Different nicks of the kinds seen on IRC, none longer than thirty bytes."""
    return [FORMS[n % 7] % (STEMS[n % 10], n) for n in range(start, start + count)]


def ranked(names: list[bytes]) -> list[bytes]:
    """The same as NAMES shows them: one in a hundred operator, three voiced."""
    marks = {0: b"@", 33: b"+", 66: b"+", 99: b"+"}
    return [marks.get(number % 100, b"") + name for number, name in enumerate(names)]


def host(number: int) -> bytes:
    """The user and host of somebody."""
    return b"~user%d@dsl-10-0-%d.pool.example.net" % (number % 10, number % 250)


def chatter(channel: bytes, count: int) -> Iterator[bytes]:
    """`count` lines of other people's talk."""
    names = nicks(50)
    for number in range(count):
        yield b":%s!%s PRIVMSG %s :%s\r\n" % (
            names[number % 50],
            host(number % 50),
            channel,
            WORDS[number % len(WORDS)],
        )


def saying(user: int, channel: bytes, number: int, text: bytes) -> bytes:
    """A groupchat message with what clients commonly put into it; `text` is escaped already."""
    name = b"7f3c9a52-1d0e-4b6a-9e55-%012d" % number
    return (
        b"<message from='u%d@localhost/r' to='%s' type='groupchat' id='%s' xml:lang='en'><body>%s</body>"
        b"<active xmlns='http://jabber.org/protocol/chatstates'/><markable xmlns='urn:xmpp:chat-markers:0'/>"
        b"<origin-id xmlns='urn:xmpp:sid:0' id='%s'/></message>"
    ) % (user, room(channel), name, text, name)


@asynccontextmanager
async def ready(gateway: Gateway, users: int = 1, channel: bytes = b"", members: int = 50) -> AsyncIterator[Rig]:
    """A gateway with `users` users in `channel` or each in its own `#u<number>`, all of `members` members."""
    async with rig(gateway) as made:
        names = [channel] if channel else [b"#u%d" % user for user in range(users)]
        for name in names:
            made.irc.describe(name, nicks(members))
        await made.join_all(range(users), channel)
        await made.quiet(await made.idle(0.2))
        yield made


async def irc_to_xmpp(gateway: Gateway, scale: float) -> Figures:
    """Lines of one channel to one user, as fast as they are accepted."""
    count = max(int(60_000 * scale) // gateway.slow, 100)
    blob = b"".join(chatter(b"#c", count))
    async with ready(gateway, channel=b"#c") as made:
        wanted = made.xmpp.bodies.count + count
        async with made.spending() as spent:
            await made.irc.clients[b"u0"].pour(blob)
            await made.xmpp.bodies.until(wanted)
        return {"irc_to_xmpp": spent.cpu / count * 1e6, "irc_to_xmpp_rate": count / spent.wall}


async def one_line_each(gateway: Gateway, scale: float) -> Figures:
    """500 users, a line to each, then the next to each: nobody has two lines to read at once."""
    users = max(int(500 * scale), 5)
    rounds = max(60 // gateway.slow, 4)
    async with ready(gateway, users, members=10) as made:
        clients = [made.irc.clients[b"u%d" % user] for user in range(users)]
        lines = [next(chatter(b"#u%d" % user, 1)) for user in range(users)]
        async with made.spending() as spent:
            for _ in range(rounds):
                wanted = made.xmpp.bodies.count + users
                for client, line in zip(clients, lines, strict=True):
                    client.send(line)
                await made.xmpp.bodies.until(wanted)
        return {"one_line_each": spent.cpu / (users * rounds) * 1e6}


async def hundred_users(gateway: Gateway, scale: float) -> Figures:
    """Lines of a channel with 100 local users: each line arrives on 100 connections and is shown to 100 clients."""
    users, lines = max(int(100 * scale), 5), max(int(500 * scale), 20)
    blob = b"".join(chatter(b"#c", lines))
    async with ready(gateway, users, b"#c") as made:
        wanted = made.xmpp.bodies.count + users * lines
        async with made.spending() as spent:
            await asyncio.gather(*(client.pour(blob) for client in made.irc.clients.values()))
            await made.xmpp.bodies.until(wanted)
        return {"hundred_users": spent.cpu / (users * lines) * 1e6}


async def xmpp_to_irc(gateway: Gateway, scale: float) -> Figures:
    """One user's messages to one channel, pipelined up to 1,000 ahead of their reflections."""
    count, step = max(int(40_000 * scale) // gateway.slow, 100), 200
    texts = [text.replace(b"&", b"&amp;").replace(b"<", b"&lt;") for text in WORDS]
    async with ready(gateway, channel=b"#c") as made:
        stanzas = [saying(0, b"#c", number, texts[number % len(texts)]) for number in range(count)]
        reflected, said = made.xmpp.bodies.count, made.irc.said.count
        async with made.spending() as spent:
            for at in range(0, count, step):
                await made.xmpp.bodies.until(reflected + at - 1000)
                await made.xmpp.pour(b"".join(stanzas[at : at + step]))
            await made.xmpp.bodies.until(reflected + count)
            await made.irc.said.until(said + count)
        return {"xmpp_to_irc": spent.cpu / count * 1e6, "xmpp_to_irc_rate": count / spent.wall}


async def large_join(gateway: Gateway, scale: float) -> Figures:
    """Joins of three channels of 10,000 members and five of 2,000, nobody in two of them, by a user who is connected."""
    large, small = max(int(10_000 * scale), 10), max(int(2_000 * scale), 10)
    async with ready(gateway, channel=b"#c") as made:
        times, costs = [], []
        for number in range(3):
            made.irc.describe(b"#large%d" % number, ranked(nicks(large, (number + 1) * large)))
            times.append(await made.join(0, b"#large%d" % number))
            await made.quiet()
        for number in range(5):
            made.irc.describe(b"#small%d" % number, ranked(nicks(small, 4 * large + number * small)))
            async with made.spending() as spent:
                await made.join(0, b"#small%d" % number)
            costs.append(spent.cpu)
        return {"large_join": statistics.median(times) * 1e3, "join_cpu": statistics.median(costs) * 1e3}


class Stopwatch:
    """Messages that carry when they were sent: `~I<ns>~` from IRC, `~X<ns>~` from XMPP (their reflections do not count)."""

    def __init__(self, made: Rig) -> None:
        self.seconds: dict[bytes, list[float]] = {b"~I": [], b"~X": []}
        made.xmpp.watching.append(self._reader(b"~I"))
        made.irc.watching.append(self._reader(b"~X"))

    def _reader(self, mark: bytes) -> Callable[[bytes], None]:
        rest = b""

        def read(data: bytes) -> None:
            nonlocal rest
            now = time.perf_counter_ns()
            data = rest + data
            at = data.find(mark)
            while at >= 0 and (end := data.find(b"~", at + 2)) >= 0:
                self.seconds[mark].append((now - int(data[at + 2 : end])) / 1e9)
                at = data.find(mark, end + 1)
            rest = data[at:] if at >= 0 else data[-1:].removesuffix(b"\n")

        return read

    def all(self) -> list[float]:
        """Both ways together, sorted."""
        return sorted(self.seconds[b"~I"] + self.seconds[b"~X"])


async def _at_random(count: int, rate: float, send: Callable[[int], None], seed: int) -> None:
    """Send `count` times at `rate` a second, intervals as of independent people, late answers or not (open loop)."""
    chance = random.Random(seed)
    due = time.perf_counter()
    for number in range(count):
        due += chance.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        send(number)


async def traffic(made: Rig, channel: bytes, count: int, rate: float) -> None:
    """`count` timed messages each way between user 0 and his channel."""
    client = made.irc.clients[b"u0"]

    def from_irc(_number: int) -> None:
        client.send(b":bob!~b@example.net PRIVMSG %s :~I%d~\r\n" % (channel, time.perf_counter_ns()))

    def from_xmpp(number: int) -> None:
        made.xmpp.send(saying(0, channel, number, b"~X%d~" % time.perf_counter_ns()))

    await asyncio.gather(_at_random(count, rate, from_irc, 1), _at_random(count, rate, from_xmpp, 2))


async def _arrived(watch: Stopwatch, count: int, within: float = 10.0) -> list[float]:
    until = time.perf_counter() + within
    while len(watch.all()) < count and time.perf_counter() < until:  # noqa: ASYNC110 - an event would cost the driver
        await asyncio.sleep(0.05)
    times = watch.all()
    if len(times) < count:
        raise Stuck(f"{len(times)} of {count} timed messages arrived")
    return times


async def latency(gateway: Gateway, scale: float) -> Figures:
    """200 messages a second each way for four seconds, one user, one channel."""
    count = max(int(800 * scale), 20)
    async with ready(gateway, channel=b"#c") as made:
        watch = Stopwatch(made)
        await traffic(made, b"#c", count, 200)
        times = await _arrived(watch, 2 * count)
        figures = {"latency_p50": times[len(times) // 2] * 1e3, "latency_p99": times[len(times) * 99 // 100] * 1e3}
        for mark, name in ((b"~I", "latency_p99_irc_to_xmpp"), (b"~X", "latency_p99_xmpp_to_irc")):
            figures[name] = sorted(watch.seconds[mark])[len(times) * 99 // 200] * 1e3
        return figures


async def latency_in_storm(gateway: Gateway, scale: float) -> Figures:
    """The same, while another user joins a channel of 10,000 members; the worst of all messages."""
    count, members = max(int(500 * scale), 20), max(int(10_000 * scale), 10)
    async with ready(gateway, 2) as made:
        made.irc.describe(b"#large", ranked(nicks(members)))
        watch = Stopwatch(made)
        running = asyncio.create_task(traffic(made, b"#u0", count, 200))
        await asyncio.sleep(min(0.5, count / 400))
        await made.join(1, b"#large")
        await running
        return {"latency_in_storm": (await _arrived(watch, 2 * count))[-1] * 1e3}


async def netsplit(gateway: Gateway, scale: float) -> Figures:
    """2,000 members of one channel quit in one burst, then come back in one."""
    members = max(int(2_000 * scale), 10)
    names = nicks(members)
    went = b"".join(b":%s!%s QUIT :a.example b.example\r\n" % (name, host(n)) for n, name in enumerate(names))
    came = b"".join(b":%s!%s JOIN #c\r\n" % (name, host(n)) for n, name in enumerate(names))
    costs: dict[str, list[float]] = {"split_quit": [], "split_back": []}
    async with ready(gateway, channel=b"#c", members=members) as made:
        for _ in range(3):
            for blob, name in ((went, "split_quit"), (came, "split_back")):
                wanted = made.xmpp.presences.count + members
                async with made.spending() as spent:
                    await made.irc.clients[b"u0"].pour(blob)
                    await made.xmpp.presences.until(wanted)
                costs[name].append(spent.cpu / members * 1e6)
    return {name: statistics.median(values) for name, values in costs.items()}


async def many_users(gateway: Gateway, scale: float) -> Figures:
    """500 users connect and join at once; with a fresh gateway 1,000. What these cost more in memory; idling with these."""
    half = max(int(500 * scale), 5)
    async with rig(gateway) as made:
        short = await made.join_all(range(half))
        await asyncio.sleep(1)
        before = made.memory()
    async with rig(gateway) as made:
        long = await made.join_all(range(2 * half))
        await asyncio.sleep(1)
        grown = made.memory() - before
        return {
            "many_users": long,
            "many_users_linear": long / short,
            "user_memory": grown / half / 1000,
            "idle": await made.idle(2) * 100,
        }


async def member_memory(gateway: Gateway, scale: float) -> Figures:
    """Growth from 10,000 members to 40,000, in channels of 10,000, nobody in two of them."""
    members = max(int(10_000 * scale), 10)
    async with ready(gateway, channel=b"#c") as made:
        grown = []
        for number in range(4):
            made.irc.describe(b"#large%d" % number, ranked(nicks(members, number * members)))
            await made.join(0, b"#large%d" % number)
            await made.quiet()
            await asyncio.sleep(0.5)
            grown.append(made.memory())
        return {"member_memory": (grown[-1] - grown[0]) / (3 * members)}


async def stalled(gateway: Gateway, scale: float) -> Figures:
    """The XMPP server stops reading; IRC offers 200,000 lines. The most that the gateway grows by until it takes no more."""
    count = max(int(200_000 * scale), 100)
    blob = b"".join(chatter(b"#c", count))
    async with ready(gateway, channel=b"#c") as made:
        before = peak = made.memory()
        made.xmpp.transport.pause_reading()
        pouring = asyncio.create_task(made.irc.clients[b"u0"].pour(blob))
        try:
            unmoved, used = 0, made.cpu()
            while unmoved < 5:
                await asyncio.sleep(0.2)
                unmoved = unmoved + 1 if made.cpu() - used < 0.01 else 0
                used, peak = made.cpu(), max(peak, made.memory())
        finally:
            pouring.cancel()
        return {"stalled": (peak - before) / MIB}


async def start(gateway: Gateway, scale: float) -> Figures:
    """From exec to the handshake, and what it holds then."""
    async with rig(gateway) as made:
        await asyncio.sleep(0.3)
        return {"start": made.start_ms, "start_memory": made.memory("Rss") / MIB}


class Case(NamedTuple):
    """`limit` in seconds; `history` whether biboumi's default, with history, is worth the time here."""

    run: Callable[[Gateway, float], Awaitable[Figures]]
    limit: float = 30
    history: bool = True


CASES: dict[str, Case] = {
    "irc-to-xmpp": Case(irc_to_xmpp),
    "one-line-each": Case(one_line_each),
    "hundred-users": Case(hundred_users, history=False),
    "xmpp-to-irc": Case(xmpp_to_irc),
    "large-join": Case(large_join),
    "latency": Case(latency),
    "latency-in-storm": Case(latency_in_storm),
    "netsplit": Case(netsplit, history=False),
    "many-users": Case(many_users, limit=60, history=False),
    "member-memory": Case(member_memory, history=False),
    "stalled": Case(stalled, history=False),
    "start": Case(start, history=False),
}
