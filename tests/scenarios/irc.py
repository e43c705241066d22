"""What the scenarios of the IRC wing share: a whole house with people in it, and words for what they see.

A house is a gateway between an XMPP server and an IRC server; alice (at her desk and on her phone), bob and eve are in it for
the whole run, each test in a channel of its own. alice is in #home all the time, so that her connection to IRC stays.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.irc import Person
from lab.ircd import Ircd
from lab.xmpp import NS, Client, Stanza, codes, find, show

DOMAIN = "irc.localhost"
MUC = f"<x xmlns='{NS['muc']}'/>"

_channels = itertools.count(1)


def room(channel: str, network: str = "irc.test", domain: str = DOMAIN) -> str:
    """The JID of a channel, of a nick; '' is the network itself."""
    return f"{channel}%{network}@{domain}" if channel else f"{network}@{domain}"


def client(server: XmppServer, name: str, resource: str = "desk") -> Client:
    """Somebody who logs in; not logged in yet."""
    return Client(f"{name}@localhost", f"{name}pw", server.c2s_port, resource)


class House:
    """A gateway with an XMPP server on one side, an IRC server on the other, and people on both."""

    def __init__(self, server: XmppServer, ircd: Ircd, gateway: Gateway) -> None:
        self.server = server
        self.ircd = ircd
        self.gateway = gateway
        self.alice = client(server, "alice")
        self.phone = client(server, "alice", "phone")
        self.bob = client(server, "bob")
        self.eve = Person(ircd.host, ircd.port, "eve")

    def forget(self) -> None:
        for person in (self.alice, self.phone, self.bob, self.eve):
            person.forget()

    async def gone(self, nick: str) -> None:
        """Wait until IRC knows nobody of that nick."""
        async with asyncio.timeout(10):
            while True:
                await self.eve.send(f"WHOIS {nick}")
                if (await self.eve.until(lambda line: line.command in {"401", "318"})).command == "401":
                    break
                await asyncio.sleep(0.1)
        await self.eve.barrier()

    @asynccontextmanager
    async def person(self, nick: str) -> AsyncIterator[Person]:
        async with Person(self.ircd.host, self.ircd.port, nick) as person:
            yield person


@asynccontextmanager
async def house(server: XmppServer, ircd: Ircd, path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Gateway(path, settings(server, ircd)))
        there = House(server, ircd, gateway)
        for person in (there.alice, there.phone, there.bob, there.eve):
            await stack.enter_async_context(person)
        await there.alice.join(room("#home"), "alice")
        yield there


class Scene:
    """A channel of its own, which eve made and is the operator of."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.channel = f"#t{next(_channels)}"
        self.room = room(self.channel)
        self.alice, self.phone, self.bob, self.eve = house.alice, house.phone, house.bob, house.eve

    async def enter(self, *clients: Client) -> None:
        """alice's clients, or those given, join under their accounts' names; all that it brought is forgotten."""
        for one in clients or (self.alice,):
            stanzas = await one.join(self.room, one.bare.partition("@")[0])
            assert stanzas[-1].get("type") != "error", show(stanzas[-1])
        await self.eve.barrier()
        self.house.forget()

    async def settle(self) -> None:
        """When this returns, what eve's words led to is at alice's."""
        await self.eve.say(self.channel, "settled")
        await self.alice.body("settled")


@asynccontextmanager
async def scene(house: House) -> AsyncIterator[Scene]:
    there = Scene(house)
    await there.eve.join(there.channel)
    house.forget()
    yield there
    for one in (house.alice, house.phone, house.bob):
        await one.send(f"<presence to='{there.room}/x' type='unavailable'/>")
        await one.barrier()
    await there.eve.send(f"PART {there.channel}")
    await there.eve.barrier()
    house.forget()


def nick(stanza: Stanza) -> str:
    """The resource it comes from."""
    return stanza.get("from", "").partition("/")[2]


def item(stanza: Stanza) -> dict[str, str]:
    """Affiliation, role, nick … of a presence in a room."""
    found = find(stanza, "presence/user:x/user:item")
    assert found is not None, show(stanza)
    return dict(found.attrib)


def of(room: str, who: str = "") -> str:
    """The occupant's JID, for predicates."""
    return f"{room}/{who}"


def presence_of(occupant: str, kind: str | None = None, *statuses: int):  # type: ignore[no-untyped-def]
    """A predicate: presence from there, of that type, with these status codes among its own."""
    return lambda stanza: (
        stanza.tag.endswith("}presence")
        and stanza.get("from") == occupant
        and stanza.get("type") == kind
        and set(statuses) <= codes(stanza)
    )


def words(stanza: Stanza) -> str:
    """What an error says to a person."""
    found = find(stanza, "*/error/stanzas:text")
    return (found.text or "") if found is not None else ""
