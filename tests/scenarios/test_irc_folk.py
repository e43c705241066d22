"""Who people are: address, account, absence, cards, presence; through an InspIRCd with services and both XMPP servers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest_asyncio

from lab.atheme import Atheme
from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.irc import Person
from lab.ircd import Inspircd
from lab.process import folder
from lab.xmpp import Client, Stanza, condition, text
from tests.scenarios.irc import client, item, of, presence_of, room

INFO = "http://jabber.org/protocol/disco#info"
HAT = "{urn:xmpp:hats:0}hats/{urn:xmpp:hats:0}hat"
OCCUPANT = "{urn:xmpp:occupant-id:0}occupant-id"
HOME = "#folk"
NAMES = (f"folk{number}" for number in itertools.count(1))


class Stage(NamedTuple):
    """alice is in #folk of a server with services, and nobody else is."""

    alice: Client
    ircd: Inspircd
    services: Atheme
    room: str

    def jid(self, nick: str) -> str:
        return room(nick, self.ircd.server_name)

    def person(self, nick: str) -> Person:
        return Person(self.ircd.host, self.ircd.port, nick)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(server: XmppServer, full_inspircd: Inspircd, services: Atheme) -> AsyncIterator[Stage]:
    with folder("transports-test-") as path:
        async with Gateway(path, settings(server, full_inspircd)), client(server, "alice") as alice:
            place = room(HOME, full_inspircd.server_name)
            await alice.join(place, "alice")
            alice.forget()
            yield Stage(alice, full_inspircd, services, place)


def hats(stanza: Stanza) -> list[str | None]:
    return [hat.get("title") for hat in stanza.findall(HAT)]


def occupant(stanza: Stanza) -> str | None:
    found = stanza.find(OCCUPANT)
    return found.get("id") if found is not None else None


def show(stanza: Stanza) -> tuple[str | None, str | None]:
    return text(stanza, "presence/show"), text(stanza, "presence/status")


async def test_who_comes_is_shown_with_address_and_account_and_keeps_the_id(stage: Stage) -> None:
    name = next(NAMES)
    await stage.services.account(name, "secret")
    async with stage.person(f"{name}-") as bob:
        await stage.services.tell(bob, "NickServ", f"IDENTIFY {name} secret")
        await bob.join(HOME)
        came = await stage.alice.until(presence_of(of(stage.room, bob.nick)))
        assert item(came)["jid"].startswith(f"{stage.jid(bob.nick)}/{bob.user}@")
        assert (hats(came), occupant(came)) == ([f"Logged in as {name}"], f"={name}")
        await bob.send("AWAY :at <lunch>")
        away = await stage.alice.until(presence_of(of(stage.room, bob.nick)))
        assert (show(away), occupant(away)) == (("away", "at <lunch>"), f"={name}")
        await bob.send("AWAY")
        assert show(await stage.alice.until(presence_of(of(stage.room, bob.nick)))) == (None, None)
        await bob.send(f"NICK {name}x")
        renamed = await stage.alice.until(presence_of(of(stage.room, f"{name}x")))
        assert (hats(renamed), occupant(renamed)) == ([f"Logged in as {name}"], f"={name}")
        await bob.say(HOME, "it is me")
        assert occupant(await stage.alice.body("it is me")) == f"={name}"
        await bob.send("PRIVMSG NickServ :LOGOUT")
        out = await stage.alice.until(presence_of(of(stage.room, f"{name}x")))
        assert (hats(out), occupant(out)) == ([], f"={name}")


async def test_who_was_there_before_is_shown_with_address_and_soon_with_account(stage: Stage) -> None:
    name = next(NAMES)
    await stage.services.account(name, "secret")
    async with stage.person(f"{name}-") as bob:
        await stage.services.tell(bob, "NickServ", f"IDENTIFY {name} secret")
        await bob.join("#before")
        await bob.send("AWAY :early")
        await bob.barrier()
        place = room("#before", stage.ircd.server_name)
        stanzas = await stage.alice.join(place, "alice")
        (there,) = [stanza for stanza in stanzas if presence_of(of(place, bob.nick))(stanza)]
        assert item(there)["jid"].startswith(f"{stage.jid(bob.nick)}/{bob.user}@")
        later = await stage.alice.until(presence_of(of(place, bob.nick)))
        while not hats(later):
            later = await stage.alice.until(presence_of(of(place, bob.nick)))
        assert (hats(later), show(later)[0]) == ([f"Logged in as {name}"], "away")
        assert occupant(later) == occupant(there) and (occupant(there) or "").startswith(f"{bob.nick}!{bob.user}@")


async def test_a_contact_comes_is_away_and_goes(stage: Stage) -> None:
    nick = next(NAMES)
    contact = stage.jid(nick)
    await stage.alice.send(f"<presence type='subscribe' to='{contact}'/>")

    def is_there(kind: str | None, show: str | None = None):  # type: ignore[no-untyped-def]
        return lambda s: (
            s.tag.endswith("}presence")
            and s.get("from", "").partition("/")[0] == contact
            and s.get("type") == kind
            and text(s, "presence/show") == show
        )

    await stage.alice.until(is_there("subscribed"))
    await stage.alice.until(is_there("unavailable"))
    async with stage.person(nick) as bob:
        await stage.alice.until(is_there(None))
        await bob.send("AWAY :out")
        assert text(await stage.alice.until(is_there(None, "away")), "presence/status") == "out"
        await bob.send("AWAY")
        await stage.alice.until(is_there(None))
    await stage.alice.until(is_there("unavailable"))
    await stage.alice.send(f"<presence type='unsubscribe' to='{contact}'/>")
    await stage.alice.until(is_there("unavailable"))


async def test_a_card_of_a_person_and_of_an_occupant(stage: Stage) -> None:
    nick = next(NAMES)
    async with stage.person(nick) as bob:
        await bob.join(HOME)
        await stage.alice.until(presence_of(of(stage.room, nick)))
        for to in (stage.jid(nick), of(stage.room, nick)):
            card = (await stage.alice.iq(f"<iq type='get' to='{to}'><vCard xmlns='vcard-temp'/></iq>"))[0]
            assert card.findtext("{vcard-temp}FN") == "A person of the lab"
            assert f"{bob.user}@" in (card.findtext("{vcard-temp}DESC") or "")
    nobody = stage.jid(f"{nick}x")
    answer = await stage.alice.iq(f"<iq type='get' to='{nobody}'><vCard xmlns='vcard-temp'/></iq>")
    assert answer.get("type") == "result"


async def test_whois_as_a_command(stage: Stage) -> None:
    nick = next(NAMES)
    async with stage.person(nick) as bob:
        done = await stage.alice.iq(
            f"<iq type='set' to='{stage.jid(nick)}'><command xmlns='http://jabber.org/protocol/commands' node='whois'/></iq>"
        )
        said = "".join(done.itertext())
        assert nick in said and "A person of the lab" in said and f"{bob.user}@" in said
        server = stage.jid("")
        await stage.alice.say(server, f"whois {nick}", kind="chat")
        heard = await stage.alice.until(lambda s: s.get("from") == server and "A person of the lab" in (text(s) or ""))
        assert f"{bob.user}@" in (text(heard) or "")


async def test_the_true_nick_is_told_to_who_asks(stage: Stage) -> None:
    ask = f"<query xmlns='{INFO}' node='x-roomuser-item'/>"
    answer = await stage.alice.iq(f"<iq type='get' to='{stage.room}'>{ask}</iq>")
    assert [identity.get("name") for identity in answer.iter(f"{{{INFO}}}identity")] == ["alice"]
    answer = await stage.alice.iq(f"<iq type='get' to='{room('#elsewhere', stage.ircd.server_name)}'>{ask}</iq>")
    assert condition(answer) == "item-not-found"
