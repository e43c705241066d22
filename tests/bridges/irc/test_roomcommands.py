"""Channels looked for and masks changed by command, for clients that have no other way."""

from __future__ import annotations

import pytest

from tests.bridges.irc.caller import SERVICE, Caller
from tests.bridges.irc.scene import ROOM
from tests.bridges.irc.staged import Set
from tests.bridges.irc.test_listing import CHANNELS_THERE
from transports.errors import LegacyError
from transports.events import Address

BANS = (":irc.test 367 ada #c *!*@h op!o@h 1700000000", ":irc.test 368 ada #c :End")


async def test_channels_are_listed_and_looked_for(running: Set) -> None:
    caller = Caller(running.bridge)
    rows = await running.answered(caller.table("list", {}), ("LIST", CHANNELS_THERE))
    assert rows == [("#Large", "900", "of many things"), ("#small", "1", "")]
    assert await caller.table("list", {"q": "many"}) == [("#Large", "900", "of many things")]
    assert await Caller(running.bridge, SERVICE).says("list", {"q": "nothing"}) == "No such channels were found."


async def test_of_a_network_that_one_is_not_on_nothing_is_listed(running: Set) -> None:
    with pytest.raises(LegacyError, match="item-not-found"):
        await Caller(running.bridge, Address("server", "other.test")).run("list", {})


async def test_a_list_is_shown_and_changed(running: Set) -> None:
    caller = Caller(running.bridge, ROOM)
    rows = await running.answered(caller.table("lists", {"list": "b"}), ("MODE #c b", BANS))
    assert rows == [("*!*@h", "op", "2023-11-14")]
    await running.answered(
        caller.run("lists", {"list": "e", "add": "good!*@*", "remove": "old!*@*"}),
        ("MODE #c -e old!*@*", (":ada!u@h MODE #c -e old!*@*",)),
        ("MODE #c +e good!*@*", (":ada!u@h MODE #c +e good!*@*",)),
        ("MODE #c e", (":irc.test 348 ada #c good!*@* ada!u@h 1700000000", ":irc.test 349 ada #c :End")),
    )
    assert caller.shown[0].fields[0].options.keys() == {"b", "e", "I"}


async def test_who_may_not_is_told_so(running: Set) -> None:
    with pytest.raises(LegacyError, match="forbidden"):
        await running.answered(
            Caller(running.bridge, ROOM).run("lists", {"list": "b", "add": "x!*@*"}),
            ("MODE #c +b x!*@*", (":irc.test 482 ada #c :You're not channel operator",)),
        )
    with pytest.raises(LegacyError, match="forbidden"):
        await Caller(running.bridge, Address("room", "#d%irc.test")).run("lists", {"list": "b"})
