"""Contacts in real rosters: registered, added, seen, renamed, blocked, removed; with the privilege (XEP-0356) and without.

Prosody lets us set rosters; ejabberd 23.01 says so and fails at it. Both also without. A bridge of the tests tells of people.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.ejabberd import Ejabberd
from lab.gateway import Gateway, settings
from lab.process import HOST, folder, free_ports
from lab.prosody import Prosody
from lab.xmpp import NS, Stanza, condition, find, text
from tests.scenarios.irc import client
from tests.xmpp.test_disco import heard_in

DOMAIN = "test.localhost"
BOB, CAROL = f"bob@{DOMAIN}", f"carol@{DOMAIN}"
GROUP = "People"
BLOCKING = "urn:xmpp:blocking"
ACCOUNTS = {f"user{number}": f"user{number}pw" for number in range(20)}
#: Which server, and whether it lets components do what XEP-0356 allows.
SERVERS = [("prosody", True), ("prosody", False), ("ejabberd", True), ("ejabberd", False)]


class House:
    """grants   whether the server says that it lets us do what XEP-0356 allows
    puts     whether contacts come into rosters by the server then; else the user is asked
    people   names of users, each for one test: registering is rationed
    """

    def __init__(self, server: XmppServer, gateway: Gateway, port: int, grants: bool) -> None:
        self.server = server
        self.gateway = gateway
        self.port = port
        self.grants = grants
        self.puts = grants and server.name == "prosody"
        self.people = iter(server.accounts)

    async def tell(self, *lines: list[object]) -> None:
        """Tell of people; each is handled when this returns."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        for line in lines:
            writer.write(f"{json.dumps(line)}\n".encode())
            assert await reader.readline() == b"OK\n"
        writer.close()
        await writer.wait_closed()

    async def accepts(self, user: str, contact: str, text: str) -> str:
        """What the far side hears when it says something: OK, or ERR and a condition."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(f"{json.dumps(['SAID', user, contact, text, f'{user} {contact} {text}'])}\n".encode())
        answer = (await reader.readline()).decode().strip()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=SERVERS, ids=["prosody", "prosody-bare", "ejabberd", "ejabberd-bare"]
)
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    name, privilege = request.param
    async with AsyncExitStack() as stack:
        path, own = stack.enter_context(folder("transports-test-")), stack.enter_context(folder("transports-test-"))
        kind = {"prosody": Prosody, "ejabberd": Ejabberd}[name]
        server = await stack.enter_async_context(kind(own, accounts=ACCOUNTS, privilege=privilege))
        (port,) = free_ports(1)
        people = {"module": "tests.bridges.people.bridge", "domain": DOMAIN, "options": {"port": port}}
        changes = {"bridges": {"test": people}}
        gateway = await stack.enter_async_context(Gateway(path, settings(server, changes=changes)))
        yield House(server, gateway, port, privilege)
        assert gateway.log_lines(" (error|critical) ") == []


class Person:
    """Somebody registered, with a client that accepts what the gateway asks; gone without a trace in the end."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.name = next(house.people)
        self.client = client(house.server, self.name, "roster")
        self.jid = self.client.bare

    async def __aenter__(self) -> Person:
        await self.client.__aenter__()
        await self.register()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.client.iq(f"<iq type='set' to='{DOMAIN}'><query xmlns='{NS['register']}'><remove/></query></iq>")
        await self.until_roster(lambda roster: all(item.get("subscription") == "none" for item in roster.values()))
        for jid in await self.roster():
            await self.remove(jid)
        await self.client.close()

    async def register(self) -> None:
        values = "<field var='language'><value>en</value></field>"
        form = f"<x xmlns='jabber:x:data' type='submit'>{values}</x>"
        answer = await self.client.iq(
            f"<iq type='set' to='{DOMAIN}'><query xmlns='{NS['register']}'>{form}</query></iq>"
        )
        assert answer.get("type") == "result"
        await self.comes(DOMAIN)

    async def comes(self, jid: str) -> Stanza:
        """A contact comes into the roster, by the server or by a question that is answered; its presence."""
        if not self.house.puts:
            asked = await self.client.until(lambda s: s.get("type") == "subscribe" and s.get("from") == jid)
            assert text(asked, "presence/status") and asked.findtext("{http://jabber.org/protocol/nick}nick")
            await self.client.send(f"<presence to='{jid}' type='subscribed'/>")
            await self.client.send(f"<presence to='{jid}' type='subscribe'/>")
        presence = await self.client.until(self.here(jid))
        await self.until_roster(lambda roster: roster[jid].get("subscription") == "both" if jid in roster else False)
        return presence

    def here(self, jid: str, kind: str | None = None, show: str | None = None) -> Callable[[Stanza], bool]:
        return lambda s: (
            s.tag.endswith("}presence")
            and s.get("from", "").partition("/")[0] == jid
            and s.get("type") == kind
            and text(s, "presence/show") == show
        )

    async def roster(self) -> dict[str, Stanza]:
        """What is of the gateway in the roster."""
        answer = await self.client.iq(f"<iq type='get'><query xmlns='{NS['roster']}'/></iq>")
        items = answer.iterfind("roster:query/roster:item", NS)
        return {item.get("jid", ""): item for item in items if item.get("jid", "").endswith(DOMAIN)}

    async def until_roster(self, wanted: Callable[[dict[str, Stanza]], bool]) -> dict[str, Stanza]:
        async with asyncio.timeout(10):
            while not wanted(roster := await self.roster()):
                await self.client.until("iq/roster:query/roster:item")  # a push says that it has changed
        return roster

    async def remove(self, jid: str) -> None:
        item = f"<item jid='{jid}' subscription='remove'/>"
        await self.client.iq(f"<iq type='set'><query xmlns='{NS['roster']}'>{item}</query></iq>")

    async def settle(self) -> None:
        """The gateway has handled all that was said so far, and what it said is here."""
        await self.client.iq(f"<iq type='get' to='{DOMAIN}'><ping xmlns='{NS['ping']}'/></iq>")
        await self.client.barrier()


@pytest_asyncio.fixture(loop_scope="session")
async def ada(house: House) -> AsyncIterator[Person]:
    async with Person(house) as person:
        yield person


async def test_the_gateway_is_a_contact_with_a_status(ada: Person) -> None:
    roster = await ada.roster()
    assert roster[DOMAIN].get("subscription") == "both"
    if ada.house.puts:
        assert roster[DOMAIN].get("name") == GROUP
    async with client(ada.house.server, ada.name, "again") as again:  # its server asks (probe)
        presence = await again.until(ada.here(DOMAIN))
    assert text(presence, "presence/status") == "At your service"


async def test_a_contact_comes_with_its_name_and_group_and_as_it_is_seen(ada: Person) -> None:
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob the Builder", ["Work"]])
    presence = await ada.comes(BOB)
    item = (await ada.roster())[BOB]
    if ada.house.puts:
        assert item.get("name") == "Bob the Builder"
        assert sorted(group.text or "" for group in item) == ["Work"]
    await ada.house.tell(["SEEN", ada.jid, "bob", "away", "On the roof"])
    away = await ada.client.until(ada.here(BOB, show="away"))
    assert (away.get("from"), text(away, "presence/status")) == (f"{BOB}/x-test", "On the roof")
    caps = find(presence, "presence/caps:c")
    assert caps is not None
    node = f"{caps.get('node')}#{caps.get('ver')}"
    answer = await ada.client.iq(
        f"<iq type='get' to='{away.get('from')}'><query xmlns='{NS['info']}' node='{node}'/></iq>"
    )
    assert heard_in(answer[0]) == caps.get("ver")
    await ada.house.tell(["SEEN", ada.jid, "bob", "unavailable", ""])
    await ada.client.until(ada.here(BOB, "unavailable"))


async def test_a_renamed_contact_is_renamed_but_not_against_the_user(ada: Person) -> None:
    if not ada.house.puts:
        return  # only the server can do that
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob", []], ["KNOWN", ada.jid, "carol", "Carol", []])
    await ada.comes(BOB)
    await ada.comes(CAROL)
    mine = f"<item jid='{CAROL}' name='Mum'><group>Family</group></item>"
    await ada.client.iq(f"<iq type='set'><query xmlns='{NS['roster']}'>{mine}</query></iq>")
    await ada.house.tell(["KNOWN", ada.jid, "carol", "Caroline", ["X"]], ["KNOWN", ada.jid, "bob", "Robert", ["Work"]])
    roster = await ada.until_roster(lambda roster: roster[BOB].get("name") == "Robert")
    assert sorted(group.text or "" for group in roster[BOB]) == ["Work"]
    assert (roster[CAROL].get("name"), [group.text for group in roster[CAROL]]) == ("Mum", ["Family"])


async def test_what_the_user_adds_is_mutual_and_keeps_its_name(ada: Person) -> None:
    item = f"<item jid='{BOB}' name='My Bob'><group>Friends</group></item>"
    await ada.client.iq(f"<iq type='set'><query xmlns='{NS['roster']}'>{item}</query></iq>")
    await ada.client.send(f"<presence to='{BOB}' type='subscribe'/>")
    await ada.client.until(ada.here(BOB))
    if not ada.house.puts:
        await ada.client.until(lambda s: s.get("type") == "subscribe" and s.get("from") == BOB)
        await ada.client.send(f"<presence to='{BOB}' type='subscribed'/>")
    roster = await ada.until_roster(lambda roster: roster[BOB].get("subscription") == "both")
    assert (roster[BOB].get("name"), [group.text for group in roster[BOB]]) == ("My Bob", ["Friends"])


async def test_an_address_of_nobody_leaves_nothing_in_the_roster(ada: Person) -> None:
    nobody = f"no!body@{DOMAIN}"
    await ada.client.send(f"<presence to='{nobody}' type='subscribe' id='s1'/>")
    refused = await ada.client.until(lambda s: s.get("type") == "error" and s.get("from") == nobody)
    assert condition(refused) == "jid-malformed" and text(refused, "presence/error/stanzas:text")
    await ada.client.until(lambda s: s.get("type") == "unsubscribed" and s.get("from") == nobody)
    roster = await ada.until_roster(lambda roster: nobody not in roster or roster[nobody].get("ask") is None)
    assert nobody not in roster or roster[nobody].get("subscription") == "none"


async def test_what_the_user_removes_is_forgotten_on_our_side(ada: Person) -> None:
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob", []])
    await ada.comes(BOB)
    ada.client.forget()
    await ada.remove(BOB)
    await ada.settle()
    await ada.house.tell(["SEEN", ada.jid, "bob", "dnd", ""])
    await ada.settle()
    assert ada.client.waiting(ada.here(BOB, show="dnd")) == [] and BOB not in await ada.roster()


async def test_what_the_far_side_forgets_goes_out_of_the_roster(ada: Person) -> None:
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob", []])
    await ada.comes(BOB)
    await ada.house.tell(["FORGOTTEN", ada.jid, "bob"])
    await ada.client.until(ada.here(BOB, "unavailable"))
    if ada.house.puts:
        await ada.until_roster(lambda roster: BOB not in roster)
    else:
        await ada.until_roster(lambda roster: roster[BOB].get("subscription") == "none")
        await ada.remove(BOB)


async def test_unregistering_leaves_nothing_subscribed(house: House) -> None:
    async with Person(house) as dave:
        await house.tell(["KNOWN", dave.jid, "bob", "Bob", []])
        await dave.comes(BOB)
    async with client(house.server, dave.name) as again:
        await again.barrier()
        assert again.waiting(lambda s: s.get("from", "").endswith(DOMAIN)) == []


async def test_nothing_passes_between_a_user_and_whom_that_user_blocks(ada: Person) -> None:
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob", []])
    await ada.comes(BOB)
    block = f"<block xmlns='{BLOCKING}'><item jid='{BOB}'/></block>"
    assert (await ada.client.iq(f"<iq type='set' to='{DOMAIN}'>{block}</iq>")).get("type") == "result"
    await ada.client.until(ada.here(BOB, "unavailable"))
    assert await ada.house.accepts(ada.jid, "bob", "Hello?") == "ERR not-allowed"
    id = await ada.client.say(BOB, "Can you hear me now?", kind="chat")
    refused = await ada.client.until(lambda s: s.get("id") == id)
    assert (
        condition(refused) == "not-acceptable"
        and find(refused, f"message/error/{{{BLOCKING}:errors}}blocked") is not None
    )
    unblock = f"<unblock xmlns='{BLOCKING}'/>"
    assert (await ada.client.iq(f"<iq type='set' to='{DOMAIN}'>{unblock}</iq>")).get("type") == "result"
    await ada.client.until(ada.here(BOB))
    assert await ada.house.accepts(ada.jid, "bob", "Hello!") == "OK"
    await ada.client.body("Hello!")


async def test_a_stop_and_a_start_are_seen_and_nobody_is_asked_twice(ada: Person) -> None:
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob", []])
    await ada.comes(BOB)
    await ada.house.tell(["KNOWN", ada.jid, "carol", "Carol", []])
    if not ada.house.puts:
        await ada.client.until(lambda s: s.get("type") == "subscribe" and s.get("from") == CAROL)
        await ada.client.send(f"<presence to='{CAROL}' type='unsubscribed'/>")
    else:
        await ada.comes(CAROL)
    await ada.settle()
    ada.client.forget()
    await ada.house.gateway.terminate()
    for jid in (DOMAIN, BOB):
        await ada.client.until(ada.here(jid, "unavailable"))
    await ada.house.gateway.start()
    for jid in (DOMAIN, BOB):
        await ada.client.until(ada.here(jid))
    await ada.house.tell(["KNOWN", ada.jid, "bob", "Bob", []], ["KNOWN", ada.jid, "carol", "Carol", []])
    await ada.settle()
    assert ada.client.waiting(lambda s: s.get("type") == "subscribe") == []


async def test_the_log_says_what_is_granted_and_what_then_fails(house: House, ada: Person) -> None:
    granted = rf"privileges domain={DOMAIN} server=localhost roster=both message=outgoing presence=managed_entity"
    failed = f"rosters cannot be set domain={DOMAIN} server=localhost"
    if not house.grants:
        assert house.gateway.log_lines(rf"privileges domain={DOMAIN} server") == []
    else:
        await house.gateway.until_log(granted)
        if not house.puts:
            await house.gateway.until_log(failed)
    assert house.puts is (house.grants and house.gateway.log_lines(failed) == [])
