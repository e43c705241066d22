"""Between the gateway and the IRC server lies a bad line: nothing breaks, nobody hangs, the next try works."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from lab.fault import Fault
from lab.gateway import Gateway
from lab.irc import Person
from lab.ircd import Inspircd
from lab.prosody import Prosody
from lab.soak.faults import COMMAND, BadLine
from lab.xmpp import Client, Stanza, condition, text
from tests.scenarios.irc import client, nick, of, presence_of, room

Start = Callable[..., Awaitable[Gateway]]


@pytest_asyncio.fixture(loop_scope="session")
async def line(inspircd: Inspircd) -> AsyncIterator[Fault]:
    async with Fault(inspircd.port) as line:
        yield line


@pytest_asyncio.fixture(loop_scope="session")
async def behind(prosody: Prosody, inspircd: Inspircd, line: Fault, gateway: Start) -> Gateway:
    """A gateway that reaches irc.test by the line alone; calm.test is the same server without it."""
    ports = {"irc.test": line.port, "calm.test": inspircd.port}
    networks = {name: {"address": line.host, "ports": [port], "tls": "off"} for name, port in ports.items()}
    return await gateway(prosody, changes={"irc": {"networks": networks}}, options={"command": COMMAND})


@pytest_asyncio.fixture(loop_scope="session")
async def carol(prosody: Prosody, behind: Gateway) -> AsyncIterator[Client]:
    async with client(prosody, "carol") as carol:
        yield carol


@pytest_asyncio.fixture(loop_scope="session")
async def tom(inspircd: Inspircd) -> AsyncIterator[Person]:
    async with Person(inspircd.host, inspircd.port, "tom") as tom:
        await tom.join("#bad")
        yield tom


BAD = room("#bad")


def network_says(words: str) -> Callable[[Stanza], bool]:
    return lambda stanza: stanza.get("from") == room("") and words in (text(stanza) or "")


async def test_lines_that_come_in_single_bytes_are_whole(line: Fault, carol: Client, tom: Person) -> None:
    line.to_client.split = line.to_server.split = 1
    stanzas = await carol.join(BAD, "carol")
    assert {nick(stanza) for stanza in stanzas} >= {"carol", "tom"}
    await tom.say("#bad", "über ☕ \U0001f469\u200d\U0001f680")
    assert nick(await carol.body("über ☕ \U0001f469\u200d\U0001f680")) == "tom"
    await carol.say(BAD, "zurück ☕")
    assert (await tom.until("PRIVMSG")).text == "zurück ☕"
    assert nick(await carol.body("zurück ☕")) == "carol"


async def test_a_slow_line_only_takes_longer(line: Fault, carol: Client, tom: Person) -> None:
    line.to_client.delay = line.to_server.delay = 0.05
    await carol.join(BAD, "carol")
    await carol.say(BAD, "at last")
    assert nick(await carol.body("at last")) == "carol"


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_a_line_that_breaks_while_the_names_come_fails_the_join_and_the_next_one_works(
    line: Fault, carol: Client, tom: Person, reset: bool
) -> None:
    await carol.join(room("#first"), "carol")
    line.to_client.cut(60, reset=reset)
    await carol.send(f"<presence to='{BAD}/carol'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    answer = await carol.until(lambda stanza: stanza.get("from", "").startswith(BAD))
    assert answer.get("type") in {"error", "unavailable"}
    line.heal()
    stanzas = await carol.join(BAD, "carol")
    assert {nick(stanza) for stanza in stanzas} >= {"carol", "tom"}


async def test_half_a_line_is_not_shown(line: Fault, carol: Client, tom: Person) -> None:
    await carol.join(BAD, "carol")
    line.to_client.cut(len(f":{'tom!tom@127.0.0.1'} PRIVMSG #bad :he"))
    await tom.say("#bad", "hello")
    await carol.until(presence_of(of(BAD, "carol"), "unavailable"))
    assert not carol.waiting(lambda stanza: (text(stanza) or "").startswith("he"))


async def test_a_message_on_a_line_that_breaks_is_answered_with_an_error(
    line: Fault, carol: Client, tom: Person
) -> None:
    await carol.join(BAD, "carol")
    line.silence()
    await carol.say(BAD, "is anybody there?", id="lost-1")
    await carol.barrier()
    line.reset()
    failed = await carol.until(lambda stanza: stanza.get("id") == "lost-1")
    assert condition(failed) == "remote-server-timeout"


async def test_a_half_open_line_is_noticed(line: Fault, carol: Client, tom: Person) -> None:
    await carol.join(BAD, "carol")
    line.silence()
    await carol.until(presence_of(of(BAD, "carol"), "unavailable"))
    await carol.until(network_says(""))
    line.heal()
    stanzas = await carol.join(BAD, "carol_")
    assert "carol_" in {nick(stanza) for stanza in stanzas}


async def test_others_feel_nothing_of_it(line: Fault, carol: Client, tom: Person, prosody: Prosody) -> None:
    await tom.join("#calm")
    async with client(prosody, "bob") as bob:
        await bob.join(room("#calm", "calm.test"), "bob")
        for number, after in enumerate((0, 3, 90, 700)):
            line.to_client.cut(after, reset=number % 2 == 0)
            await carol.send(f"<presence to='{BAD}/carol{number}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            await carol.until(lambda stanza: stanza.get("type") in {"error", "unavailable"})
            await tom.say("#calm", f"still here {number}")
            assert nick(await bob.body(f"still here {number}")) == "tom"
            line.heal()


async def test_any_fault_amid_talk_is_got_over() -> None:
    """The short form of `scripts/soak faults`."""
    async with BadLine() as there:
        for seed in (11, 12, 15):
            await there.round(random.Random(seed))
