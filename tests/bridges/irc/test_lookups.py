"""Cards of people on IRC: asked for by WHOIS, a few in a row, kept for a while; and how contacts are there."""

from __future__ import annotations

import asyncio

import pytest

from tests.bridges.irc.caller import SERVER, Caller
from tests.bridges.irc.staged import USER, Set, staged
from transports.bridges.irc import lookups
from transports.describe import Status
from transports.errors import LegacyError
from transports.events import Address, Person, Seen


def person(nick: str) -> Address:
    return Address("person", f"{nick}%irc.test")


def whois(nick: str, name: str = "Bob B.") -> tuple[str, ...]:
    return (f":irc.test 311 ada {nick} ~b h.example * :{name}", f":irc.test 318 ada {nick} :End of /WHOIS list.")


async def asked(made: Set) -> list[str]:
    """Whom the server was asked about by now."""
    made.link.write("PING :now")
    await made.server.until("PING :now")
    return [line.split()[1] for line in made.server.lines if line.startswith("WHOIS")]


async def test_a_card_is_asked_for_once_and_kept() -> None:
    async with staged() as made:
        card = await made.answered(made.bridge.card(USER, person("bob")), ("WHOIS", whois("bob")))
        assert (card.name, card.nick) == ("Bob B.", "bob") and "~b@h.example" in card.note
        assert await made.bridge.card(USER, person("bob")) == card == made.bridge.glance(USER, person("bob"))
        assert await asked(made) == ["bob"]


async def test_a_few_are_asked_about_in_a_row_of_others_what_is_known_is_told() -> None:
    async with staged() as made:
        made.link.net.people["op"] = Person("o@h", "opacct", name="Op")
        tasks = [asyncio.create_task(made.bridge.card(USER, person(f"n{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        late = await made.bridge.card(USER, person("op"))
        assert late is not None and late.name == "Op" and "opacct" in late.note
        await made.server.until(f"WHOIS n{int(lookups.BURST) - 1}")  # the flood control lets it wait
        assert await asked(made) == [f"n{n}" for n in range(int(lookups.BURST))]
        for n in range(int(lookups.BURST)):
            made.server.write(*whois(f"n{n}"))
        cards = await asyncio.gather(*tasks)
        assert [card is not None for card in cards] == [True] * 5 + [False] * 15


async def test_nobody_has_no_card() -> None:
    async with staged() as made:
        nobody = (":irc.test 401 ada n :No such nick", ":irc.test 318 ada n :End")
        assert await made.answered(made.bridge.card(USER, person("n")), ("WHOIS", nobody)) is None
        assert made.bridge.glance(USER, person("n")) is None
        assert await made.bridge.card(USER, Address("person", "n%elsewhere.test")) is None


async def test_the_command_shows_all_and_is_rationed() -> None:
    async with staged() as made:
        caller = Caller(made.bridge, SERVER)
        (command,) = made.bridge.lookups.all()
        caller.answers = [{"nick": "bob"}] * 10
        done = await made.answered(command.run(caller), ("WHOIS", whois("bob")))
        assert done.table is not None and ["Real name", "Bob B."] in done.table.rows
        here = Caller(made.bridge, person("bob"))
        done = await made.answered(command.run(here), ("WHOIS", whois("bob")))
        assert done.table.rows[0] == ["Nickname", "bob"] and here.shown == []
        made.bridge.lookups._places[made.link] = (0.0, made.link.loop.time())
        with pytest.raises(LegacyError) as refused:
            await command.run(here)
        assert refused.value.condition == "resource-constraint"
        made.link.net.ready = False
        with pytest.raises(LegacyError):
            await command.run(here)


class Heard:
    """Whom users hear."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = addresses

    def heard(self, user: str) -> tuple[Address, ...]:
        return self.addresses


async def test_who_is_heard_is_watched_and_who_is_removed_is_not() -> None:
    async with staged() as made:
        watching, presence = made.bridge.watching, made.bridge.presence
        made.link.net.isupport.monitor = 10
        watching._hearing = Heard(person("eve"), SERVER, Address("person", "x%elsewhere.test"))
        watching.look(USER, made.session)
        await made.server.until("MONITOR + eve")
        assert presence(USER, person("bob")) == Status()  # shares a channel
        assert presence(USER, person("eve")) == Status("unavailable")
        made.link.received(b":irc.test 730 ada :eve!e@h\r\n:eve!e@h AWAY :out\r\n")
        assert presence(USER, person("eve")) == Status("away", "out")
        assert made.out.of(Seen)[-1] == Seen(person("eve"), "away", "out")
        watching._hearing = Heard()
        watching.look(USER, made.session)
        await made.server.until("MONITOR - eve")
        assert presence(USER, person("eve")) == Status("unavailable")
