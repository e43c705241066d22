"""Every question has its answer, soon, and no error has one: what addresses of the gateway say, through real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from xml.sax.saxutils import escape

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.irc import Line, Person
from lab.ircd import Ngircd
from lab.process import folder
from lab.xmpp import NS, Client, Stanza, condition, find, show
from tests.component import Component
from tests.scenarios.irc import DOMAIN, MUC, client, room
from tests.xmpp.test_disco import heard_in

CHANNEL = "#answers"
#: Seconds within which every question has its answer.
SOON = 1.0
#: Addresses of every kind: what they are -> JID.
PLACES = {
    "gateway": DOMAIN,
    "gateway with a resource": f"{DOMAIN}/x",
    "server": room(""),
    "server not connected": room("", "irc.elsewhere.org"),
    "room joined": room(CHANNEL),
    "room not joined": room("#never"),
    "room of an unknown server": room("#never", "irc.elsewhere.org"),
    "occupant": f"{room(CHANNEL)}/eve",
    "own occupant": f"{room(CHANNEL)}/alice",
    "nobody in the room": f"{room(CHANNEL)}/nobody",
    "person": room("eve"),
    "person with a resource": f"{room('eve')}/x",
    "person not there": room("nobody"),
    "room without a server": f"#nowhere@{DOMAIN}",
    "person of no name": f"%irc.test@{DOMAIN}",
    "server of no name": f"a..b@{DOMAIN}",
    "no name at all": f"%@{DOMAIN}",
    "what IRC has no names for": f"a!b%irc.test@{DOMAIN}",
    "escapes of nothing": rf"\5c20%irc.test@{DOMAIN}",
    "a long name": f"{'x' * 900}@{DOMAIN}",
    "another script": f"привет@{DOMAIN}",
}
#: What is asked -> payload.
QUESTIONS = {
    "info": f"<query xmlns='{NS['info']}'/>",
    "items": f"<query xmlns='{NS['items']}'/>",
    "version": f"<query xmlns='{NS['version']}'/>",
    "ping": f"<ping xmlns='{NS['ping']}'/>",
    "time": f"<time xmlns='{NS['time']}'/>",
    "vcard": f"<vCard xmlns='{NS['vcard']}'/>",
    "register": f"<query xmlns='{NS['register']}'/>",
    "something unknown": "<x xmlns='urn:example:unknown'/>",
    "two things": f"<ping xmlns='{NS['ping']}'/><time xmlns='{NS['time']}'/>",
    "nothing": "",
}
ERROR = f"<error type='cancel'><bad-request xmlns='{NS['stanzas']}'/></error>"


class Eve(Person):
    """Her program answers what other programs ask it (CTCP)."""

    def heard(self, line: Line) -> None:
        kind, _, token = line.text.strip("\x01").partition(" ")
        answers = {"VERSION": "irssi 1.4.5", "TIME": "2026-01-01 12:00:00 UTC", "PING": token}
        if line.command == "PRIVMSG" and line.text.startswith("\x01") and kind in answers and self._writer is not None:
            self._writer.write(f"NOTICE {line.nick} :\x01{kind} {answers[kind]}\x01\r\n".encode())


class House:
    """alice is in a channel with eve; `stranger` is another component, whose people may not use the gateway."""

    def __init__(self, gateway: Gateway, alice: Client, stranger: Component) -> None:
        self.gateway = gateway
        self.alice = alice
        self.stranger = stranger

    async def settle(self) -> list[Stanza]:
        """What alice has from the gateway that was not waited for, after all that she sent was handled."""
        await self.alice.iq(f"<iq type='get' to='{DOMAIN}'>{QUESTIONS['ping']}</iq>")
        found = self.alice.waiting(lambda stanza: DOMAIN in stanza.get("from", "").partition("/")[0])
        self.alice.forget()
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(server: XmppServer, ngircd: Ngircd) -> AsyncIterator[House]:
    with folder("transports-test-") as path:
        async with (
            Gateway(path, settings(server, ngircd)) as gateway,
            Eve(ngircd.host, ngircd.port, "eve") as eve,
            client(server, "alice", "answers") as alice,
            Component(server, "sms.localhost") as stranger,
        ):
            await eve.join(CHANNEL)
            await alice.join(room(CHANNEL), "alice")
            alice.forget()
            yield House(gateway, alice, stranger)
            assert gateway.log_lines(" (error|critical) ") == []


# Questions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_every_question_is_answered_once_and_soon(house: House, place: str) -> None:
    to = escape(PLACES[place])
    for question, payload in QUESTIONS.items():
        if question == "register" and place.startswith("gateway"):
            continue  # that registers
        for kind in ("get", "set"):
            answer = await house.alice.iq(f"<iq type='{kind}' to='{to}'>{payload}</iq>", timeout=SOON)
            assert answer.get("from") == PLACES[place], (question, kind, show(answer))
            if kind == "set" or question in ("register", "something unknown", "nothing"):
                assert condition(answer) not in (None, "internal-server-error"), (question, kind, show(answer))
    assert await house.settle() == []


@pytest.mark.parametrize(
    ("question", "place"),
    [
        (question, place)
        for question in ("info", "items", "version", "time", "vcard")
        for place in ("gateway", "server", "room joined", "room not joined", "occupant", "person")
        if question not in ("version", "time") or place not in ("occupant", "person")  # their own programs' (test_irc_text)
    ],
)
async def test_what_is_served_is_served_everywhere(house: House, place: str, question: str) -> None:
    answer = await house.alice.iq(f"<iq type='get' to='{PLACES[place]}'>{QUESTIONS[question]}</iq>", timeout=SOON)
    assert answer.get("type") == "result" and len(answer) == 1


async def items(house: House, of: str) -> list[tuple[str | None, str | None]]:
    answer = await house.alice.iq(f"<iq type='get' to='{of}'>{QUESTIONS['items']}</iq>")
    return [(item.get("jid"), item.get("name")) for item in answer.iterfind("items:query/items:item", NS)]


async def test_items_are_the_servers_and_the_channels_one_is_in_and_a_servers_are_its_channels(house: House) -> None:
    channel = room(CHANNEL), CHANNEL
    assert await items(house, DOMAIN) == [(room(""), "IRC server irc.test"), channel]
    assert {channel, (room(r"\26server"), "&SERVER")} <= set(await items(house, room("")))


@pytest.mark.parametrize("place", PLACES)
async def test_errors_and_results_are_never_answered(house: House, place: str) -> None:
    to = escape(PLACES[place])
    for number, stanza in enumerate(
        [
            f"<iq type='error' to='{to}' id='{{}}'>{QUESTIONS['ping']}{ERROR}</iq>",
            f"<iq type='error' to='{to}' id='{{}}'>{ERROR}</iq>",
            f"<iq type='result' to='{to}' id='{{}}'/>",
            f"<iq type='result' to='{to}' id='{{}}'>{QUESTIONS['version']}</iq>",
            f"<message type='error' to='{to}' id='{{}}'><body>x</body>{ERROR}</message>",
            f"<message type='error' to='{to}' id='{{}}'>{ERROR}</message>",
            f"<presence type='error' to='{to}' id='{{}}'>{MUC}{ERROR}</presence>",
        ]
    ):
        await house.alice.send(stanza.format(f"e{number}"))
    assert await house.settle() == []


# Strangers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_whoever_may_not_use_it_is_told_so_and_nothing_else(house: House, place: str) -> None:
    """Another component's people. Prosody itself drops a component's iq without a payload."""
    to, stranger = escape(PLACES[place]), house.stranger
    asked = {}
    for number, payload in enumerate(filter(None, QUESTIONS.values())):
        for kind in ("get", "set"):
            asked[f"{kind}{number}"] = f"<iq type='{kind}'%s>{payload}</iq>"
    asked["join"] = f"<presence%s>{MUC}</presence>"
    asked["subscribe"] = "<presence type='subscribe'%s/>"
    asked["chat"] = "<message type='chat'%s><body>hello</body></message>"
    asked["groupchat"] = "<message type='groupchat'%s><body>hello</body></message>"
    silent = [f"<message%s><composing xmlns='{NS['states']}'/></message>", "<presence type='unavailable'%s/>"]
    for sender in ("mallory@sms.localhost/x", "mallory@sms.localhost"):
        for stanza in silent:
            stranger.write(stanza % f" id='silent' from='{sender}' to='{to}'")
        for name, stanza in asked.items():
            stranger.write(stanza % f" id='{name}' from='{sender}' to='{to}'")
        answers = [await stranger.take(SOON) for _ in asked]
        assert sorted(answer.get("id", "") for answer in answers) == sorted(asked)
        for answer in answers:
            assert (answer.get("type"), answer.get("to")) == ("error", sender), show(answer)
            said = answer.find(f".//{{{NS['stanzas']}}}text")
            assert said is not None and "ask the people who run it" in (said.text or ""), show(answer)
            assert answer.find(f".//{{{NS['stanzas']}}}forbidden") is not None
    await stranger.nothing()


# The gateway as a contact ---------------------------------------------------------------------------------------------


def of_the_gateway(kind: str | None):  # type: ignore[no-untyped-def]
    return lambda stanza: (
        stanza.tag.endswith("presence") and stanza.get("type") == kind and stanza.get("from") == DOMAIN
    )


async def test_the_gateway_as_a_contact_says_by_caps_what_it_is(server: XmppServer, house: House) -> None:
    """XEP-0115 5.4: what a client computes from disco#info is what the presence says. Answers probes of later logins too."""
    async with client(server, "bob", "first") as bob:
        await bob.send(f"<presence type='subscribe' to='{DOMAIN}'/>")
        await bob.until(of_the_gateway("subscribed"))
        presences = [await bob.until(of_the_gateway(None))]
        async with client(server, "bob", "second") as again:
            presences.append(await again.until(of_the_gateway(None)))
        for presence in presences:
            caps = find(presence, "presence/caps:c")
            assert caps is not None and caps.get("hash") == "sha-1"
            for node in ("", f" node='{caps.get('node')}#{caps.get('ver')}'"):
                answer = await bob.iq(f"<iq type='get' to='{DOMAIN}'><query xmlns='{NS['info']}'{node}/></iq>")
                query = find(answer, "iq/info:query")
                assert query is not None and heard_in(query) == caps.get("ver")
        item = f"<item jid='{DOMAIN}' subscription='remove'/>"
        await bob.iq(f"<iq type='set'><query xmlns='{NS['roster']}'>{item}</query></iq>")
        await bob.barrier()
