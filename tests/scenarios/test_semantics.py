"""More than words to a durable bridge and back, through both XMPP servers: the far side is the test."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.process import HOST, folder, free_ports
from lab.xmpp import NS, Client, Stanza, condition, find, text
from tests.scenarios.irc import client

DOMAIN = "test.localhost"
ANN = f"ann@{DOMAIN}"
CAN = ["Correct", "Retract", "React", "Type", "Read", "Reply", "Attach", "Receipt"]
REQUEST, MARKABLE = f"<request xmlns='{NS['receipts']}'/>", f"<markable xmlns='{NS['markers']}'/>"
CARBONS = "urn:xmpp:carbons:2"


class FarSide:
    """Takes what the bridge hands over, as far-1, far-2 …, and tells it facts. `house` is the gateway before it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.ids = (f"far-{number}" for number in itertools.count(1))

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            line = (await reader.readline()).decode().rstrip("\n")
            self.lines.put_nowait(line)
            writer.write(f"OK {next(self.ids)}\n".encode() if line.startswith("DO") else b"OK\n")
            await writer.drain()

    async def took(self, kind: str) -> dict[str, Any]:
        """The fields of the next command, which is of this kind; what only XMPP servers and clients add is left out."""
        async with asyncio.timeout(10):
            _verb, _id, user, contact, found, fields = (await self.lines.get()).split(" ", 5)
        assert (user, contact, found) == ("alice@localhost", "ann", kind)
        return dict(json.loads(fields))

    async def tell(self, kind: str, row: str = "-", /, **fields: object) -> None:
        """A fact of ann's for alice, on disk or shown when this returns."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(HOST, self.port)
            with contextlib.closing(writer):
                writer.write(f"FACT {row} alice@localhost ann {kind} {json.dumps(fields)}\n".encode())
                assert (await reader.readline()).decode().split()[0] == "OK"


class House:
    def __init__(self, gateway: Gateway, far: FarSide, alice: Client) -> None:
        self.gateway, self.far, self.alice = gateway, far, alice

    async def say(self, body: str, id: str, more: str = "") -> None:
        await self.alice.say(ANN, body, id, kind="chat", more=more)

    async def send(self, inside: str, id: str) -> None:
        await self.alice.send(f"<message type='chat' to='{ANN}' id='{id}'>{inside}</message>")

    async def heard(self, wanted: str) -> Stanza:
        """The next message from ann with such an element in it."""
        stanza = await self.alice.until(f"message/{wanted}")
        assert (stanza.get("from") or "").partition("/")[0] == ANN
        return stanza


@pytest_asyncio.fixture(loop_scope="session")
async def house(server: XmppServer) -> AsyncIterator[House]:
    in_port, far_port = free_ports(2)
    options = {"port": in_port, "far": f"{HOST}:{far_port}", "can": CAN}
    bridge = {"test": {"module": "tests.bridges.echo.bridge", "domain": DOMAIN, "options": options}}
    tables = settings(server, changes={"bridges": bridge})
    far = FarSide(in_port)
    with folder("transports-test-") as path:
        async with (
            await asyncio.start_server(far.talk, HOST, far_port),
            Gateway(path, tables) as gateway,
            client(server, "alice") as alice,
        ):
            yield House(gateway, far, alice)


def inner(stanza: Stanza, path: str) -> Stanza:
    found = find(stanza, f"message/{path}")
    assert found is not None
    return found


async def test_what_an_address_can_is_told(house: House) -> None:
    info = await house.alice.iq(f"<iq type='get' to='{ANN}'><query xmlns='{NS['info']}'/></iq>")
    features = {found.get("var") for found in info.iter(f"{{{NS['info']}}}feature")}
    assert {NS[name] for name in ("receipts", "markers", "states", "correct", "retract", "reactions", "reply", "oob")} <= features


async def test_a_message_is_corrected_answered_reacted_to_and_taken_back(house: House) -> None:
    far = house.far
    await house.say("airlock", "m1")
    assert (await far.took("Say"))["text"] == "airlock"
    await house.say("window", "m2", f"<replace xmlns='{NS['correct']}' id='m1'/>")
    corrected = await far.took("Correct")
    assert (corrected["of"], corrected["text"]) == (["far-1"], "window")
    await house.send(f"<reactions xmlns='{NS['reactions']}' id='m1'><reaction>👋</reaction></reactions>", "m3")
    assert await far.took("React") == {"of": ["far-1"], "emojis": ["👋"]}
    quote = "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='9'/></fallback>"
    await house.say("> window\nyes", "m4", f"<reply xmlns='{NS['reply']}' id='m1' to='alice@localhost'/>{quote}")
    answer = await far.took("Say")
    assert (answer["text"], answer["more"]["reply"], answer["more"]["quote"]) == ("yes", "far-1", "window")
    await house.send(f"<retract xmlns='{NS['retract']}' id='m1'/>", "m5")
    assert await far.took("Retract") == {"of": ["far-1"]}


async def test_ids_are_known_after_a_kill(house: House) -> None:
    await house.say("airlock", "m1")
    await house.far.took("Say")
    await house.far.tell("Said", "SM1", text="hello", key="SM1")
    id = (await house.alice.body("hello")).get("id")
    await house.gateway.kill()
    await house.gateway.start()
    await house.say("window", "m2", f"<replace xmlns='{NS['correct']}' id='m1'/>")
    assert (await house.far.took("Correct"))["of"] == ["far-1"]
    await house.far.tell("Corrected", "SM2", of="SM1", text="hello again", key="SM2")
    assert inner(await house.heard("correct:replace"), "correct:replace").get("id") == id


async def test_a_sender_is_told_what_became_of_it(house: House) -> None:
    alice, far = house.alice, house.far
    await house.say("hi", "m1", REQUEST + MARKABLE)
    more = (await far.took("Say"))["more"]
    assert more["receipt"] and more["marker"]
    for _ in range(2):
        await far.tell("Delivered", of="far-1")
    receipt = await house.heard("receipts:received")
    assert receipt.get("to") == alice.jid and inner(receipt, "receipts:received").get("id") == "m1"
    await far.tell("Displayed", of="far-1")
    assert inner(await house.heard("markers:displayed"), "markers:displayed").get("id") == "m1"
    await house.say("and?", "m2")
    await far.took("Say")
    await far.tell("Delivered", of="far-2")
    for _ in range(2):
        await far.tell("Undelivered", of="far-2", error=["recipient-unavailable", "The phone is off."])
    error = await alice.until("message[@type='error']")
    assert (error.get("id"), condition(error), text(error, "message/error/stanzas:text")) == (
        "m2",
        "recipient-unavailable",
        "The phone is off.",
    )
    await far.tell("Said", "last", text="last", key="last")
    await alice.body("last")
    assert alice.waiting("message/receipts:received") == alice.waiting("message[@type='error']") == []


async def test_the_far_side_corrects_answers_reacts_and_takes_back(house: House) -> None:
    far = house.far
    await house.say("how are you?", "m1")
    await far.took("Say")
    await far.tell("Said", "SM1", text="finne", key="SM1", more={"reply": "far-1", "thread": "t1"})
    first = await house.heard("reply:reply")
    assert inner(first, "reply:reply").get("id") == "m1" and text(first) == "> how are you?\nfinne"
    assert inner(first, "sid:origin-id").get("id") == first.get("id") and text(first, "message/thread") == "t1"
    await far.tell("Corrected", "SM2", of="SM1", text="fine", key="SM2")
    second = await house.heard("correct:replace")
    assert inner(second, "correct:replace").get("id") == first.get("id") and text(second) == "fine"
    await far.tell("Reacted", "SM3", of="far-1", emojis=["👋", "🐢"])
    reactions = inner(await house.heard("reactions:reactions"), "reactions:reactions")
    assert reactions.get("id") == "m1" and [reaction.text for reaction in reactions] == ["👋", "🐢"]
    await far.tell("Retracted", "SM4", of="SM1")
    assert inner(await house.heard("retract:retract"), "retract:retract").get("id") == first.get("id")


async def test_files_come_one_by_one(house: House) -> None:
    files = [{"url": f"https://files.example.org/{name}.png", "name": f"{name}.png", "type": "image/png"} for name in "ab"]
    await house.far.tell("Said", "SM1", text="look", key="SM1", more={"files": files})
    stanzas = [await house.alice.body(body) for body in ("look", files[0]["url"], files[1]["url"])]
    id = stanzas[0].get("id")
    assert [stanza.get("id") for stanza in stanzas] == [id, f"{id}.1", f"{id}.2"]
    assert [text(stanza, "message/oob:x/oob:url") for stanza in stanzas] == [None, files[0]["url"], files[1]["url"]]


async def test_typing_and_reading_go_both_ways(house: House) -> None:
    alice, far = house.alice, house.far
    await alice.send(f"<presence to='{DOMAIN}'/>")
    await house.send(f"<composing xmlns='{NS['states']}'/>", "m1")
    assert await far.took("Type") == {"state": "composing"}
    await far.tell("Typing", state="composing")
    await house.heard("states:composing")
    await far.tell("Said", "SM1", text="hello", key="SM1")
    hello = await house.heard("markers:markable")
    await house.send(f"<displayed xmlns='{NS['markers']}' id='{hello.get('id')}'/>", "m2")
    assert await far.took("Read") == {"of": ["SM1"]}


async def test_what_alice_says_elsewhere_is_seen_here_and_not_said_again(house: House) -> None:
    """With the right to speak as her (XEP-0356) it is a carbon, else words of ann's that say so."""
    alice = house.alice
    await alice.iq(f"<iq type='set'><enable xmlns='{CARBONS}'/></iq>")
    await house.far.tell("Sent", "SM1", text="from my phone", key="SM1")
    stanza = await alice.until(lambda stanza: "from my phone" in "".join(stanza.itertext()))
    carbon = stanza.find(f"{{{CARBONS}}}sent")
    if carbon is None:
        assert stanza.get("from") == ANN and text(stanza) == "(You wrote elsewhere:) from my phone"
    else:
        [message] = carbon.iter("{jabber:client}message")
        assert (message.get("from"), message.get("to"), text(message)) == ("alice@localhost", ANN, "from my phone")
    await house.say("from here", "m1")
    assert (await house.far.took("Say"))["text"] == "from here"


async def test_what_is_encrypted_is_refused_by_its_name(house: House) -> None:
    await house.say("I sent you …", "m1", "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload/></encrypted>")
    error = await house.alice.until("message[@type='error']")
    assert condition(error) == "not-acceptable" and "OMEMO" in (text(error, "message/error/stanzas:text") or "")
