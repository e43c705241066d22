"""A durable bridge's mailbox behind its stanzas: what the far side is told of messages, and users of what comes from there."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.far import CLIENT, Counted, condition, words
from transports import catalogs
from transports.accounts import Accounts
from transports.contacts import Contact, Contacts
from transports.errors import LegacyError
from transports.events import (
    Address,
    Attach,
    Correct,
    Corrected,
    Delivered,
    Displayed,
    File,
    Letter,
    More,
    Notice,
    React,
    Reacted,
    Read,
    Receipt,
    Reply,
    Retract,
    Retracted,
    Said,
    Say,
    Sent,
    Type,
    Typing,
    Undelivered,
)
from transports.gateway import Wing
from transports.gateway_seams import Users
from transports.mailbox_seams import Limits
from transports.ports import DurableBridge, Identity
from transports.post import Post
from transports.store.database import Database, open_database
from transports.store.journal import Journal
from transports.store.links import Links
from transports.words import CATALOGS, say
from transports.xmpp import read, services
from transports.xmpp.desk import Desk
from transports.xmpp.sharing import SFS

ANN = Address("person", "+15551234567")
DOMAIN, ADA, DESK = "sms.example.org", "ada@example.org", "ada@example.org/desk"
JID = f"{ANN.name}@{DOMAIN}"
WORDS = "+15551234567 nimmt keine Nachrichten von dir an. (Der Server sagt: No!)"
EVERYTHING = frozenset({Say, Correct, Retract, React, Type, Read, Reply, Attach, Receipt})
REQUEST, MARKABLE = "<request xmlns='urn:xmpp:receipts'/>", "<markable xmlns='urn:xmpp:chat-markers:0'/>"
REPLACE = "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>"


class Phone(DurableBridge):
    """A far side that the test holds in its hands. It calls what it is sent far-1, far-2 …"""

    name = "sms"
    kind = "sms"
    domain = DOMAIN
    durable = True

    def __init__(self, can: frozenset[type]) -> None:
        self.abilities = can
        self.sent: asyncio.Queue[Letter] = asyncio.Queue()
        self.hints: asyncio.Queue[Type | Read] = asyncio.Queue()
        self.numbers = itertools.count(1)
        self.parts = 1  # ids of one message
        self.error: LegacyError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    def address(self, name: str) -> Address:
        return Address("person", name) if name else Address("service", "")

    def can(self, address: Address) -> frozenset[type]:
        return self.abilities if address.kind == "person" else frozenset()

    def identity(self, address: Address) -> Identity:
        return Identity("account", "any", address.name)

    def max_text(self, address: Address) -> int:
        return 1_000

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, user: str, command: Letter) -> Sequence[str]:
        self.sent.put_nowait(command)
        ids = [f"far-{next(self.numbers)}" for _ in range(self.parts)]
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return ids

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        return None

    def hint(self, user: str, command: Type | Read) -> None:
        self.hints.put_nowait(command)


class Scene:
    """A wing with that bridge behind a mailbox; the server answers every ping at once. `out`: the messages to the user."""

    def __init__(self, database: Database, can: frozenset[type] = EVERYTHING, language: str = "") -> None:
        self.out: asyncio.Queue[ET.Element] = asyncio.Queue()
        self.bridge = Phone(can)
        self.links = Links(database, "sms")
        self.journal = Journal(database, "sms")
        self.post = Post(DOMAIN, self.journal, self.links, self._send, lambda: True, Limits(retry_gap=0.0))
        users = Users(frozenset(("example.org",)))
        many = lambda stanzas: [self._send(stanza) for stanza in stanzas]  # noqa: E731
        self.wing = Wing(self.bridge, users, Counted(), self._send, many, services.TABLE, self.post)  # type: ignore[arg-type]
        self.desk = Desk(self.wing, Accounts(self.bridge.describe), Contacts())
        self.wing.desk = self.desk
        self.post.bridge = self.bridge
        self.post.language = lambda user: language
        self.post.blocks = self.desk.contacts.blocks
        self.post.preference = self.desk.accounts.preference

    def _send(self, stanza: str) -> None:
        element = ET.fromstring(stanza)
        if element.tag == "message":
            self.out.put_nowait(element)
        elif element.tag == "iq" and element.find("{urn:xmpp:ping}ping") is not None:
            answer = f"<iq xmlns='{CLIENT}' type='result' from='{element.get('to')}' to='{DOMAIN}' id='{element.get('id')}'/>"
            asyncio.get_running_loop().call_soon(self.wing.iq, read.iq(ET.fromstring(answer)))

    def stanza(self, inside: str, id: str = "m1", kind: str = "chat", to: str = JID) -> None:
        """A message of ada's client."""
        head = f"<message xmlns='{CLIENT}' from='{DESK}' to='{to}' id='{id}' type='{kind}'>"
        self.wing.message(read.message(ET.fromstring(f"{head}{inside}</message>")))

    def bounce(self, stanza: ET.Element, condition: str = "service-unavailable") -> None:
        head = f"<message xmlns='{CLIENT}' from='{ADA}' to='{JID}' id='{stanza.get('id')}' type='error'>"
        error = f"<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        self.wing.message(read.message(ET.fromstring(f"{head}{error}</message>")))

    async def took(self) -> Letter:
        """The next command that the far side got, without what it must not know."""
        async with asyncio.timeout(5):
            return (await self.bridge.sent.get())._replace(ref=None)

    async def hinted(self) -> Type | Read:
        """The next hint that the far side got."""
        async with asyncio.timeout(5):
            return await self.bridge.hints.get()

    async def heard(self) -> ET.Element:
        """The next message to ada."""
        async with asyncio.timeout(5):
            return await self.out.get()

    async def said(self, text: str, key: str, more: More | None = None) -> ET.Element:
        """Ann says something; the stanza that ada gets."""
        assert await self.post.mailbox.accept(ADA, Said(ANN, "Ann", text, key=key, more=more), key)
        return await self.heard()

    async def settled(self, **states: int) -> None:
        """Until the journal holds that many rows in those states."""
        async with asyncio.timeout(5):
            while {state: count for (_way, state), count in (await self.journal.counts()).items()} != states:
                pass

    async def nothing_more(self) -> None:
        """Whatever is under way ends, and has brought nothing more to either side."""
        self.stanza("<body>barrier</body>", "barrier")
        taken = await self.took()
        assert isinstance(taken, Say) and taken.text == "barrier"
        while self.post._tasks._running:
            await asyncio.wait(self.post._tasks._running)
        assert (await self.said("barrier", f"barrier {next(self.bridge.numbers)}")).findtext("body") == "barrier"


@contextlib.asynccontextmanager
async def scene_of(database: Database, can: frozenset[type] = EVERYTHING, language: str = "") -> AsyncIterator[Scene]:
    scene = Scene(database, can, language)
    await scene.post.mailbox.start(scene.bridge)
    scene.post.connected()
    try:
        yield scene
    finally:
        await scene.post.drain(1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path / 'test.db'}")
    yield database
    await database.close()


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    async with scene_of(database) as scene:
        yield scene


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    catalogs.load()
    yield
    CATALOGS.clear()


def names(stanza: ET.Element) -> list[str]:
    return [child.tag.rpartition("}")[2] for child in stanza]


# XMPP to far side -----------------------------------------------------------------------------------------------------


async def test_words_arrive_with_all_that_goes_with_them(scene: Scene) -> None:
    scene.stanza(f"<body>hi</body><subject>Hello</subject><thread>t1</thread>{REQUEST}{MARKABLE}")
    said = await scene.took()
    assert isinstance(said, Say)
    assert (said.to, said.text, said.by) == (ANN, "hi", DESK)
    assert said.more == More(thread="t1", subject="Hello", receipt=True, marker=True)


async def test_a_correction_right_behind_its_message_finds_it(scene: Scene) -> None:
    scene.bridge.parts = 2
    scene.bridge.gate.clear()
    scene.stanza("<body>airlock</body>", "m1")
    scene.stanza(f"<body>window</body>{REPLACE}", "m2")
    assert isinstance(await scene.took(), Say)
    scene.bridge.gate.set()
    corrected = await scene.took()
    assert isinstance(corrected, Correct)
    assert (corrected.of, corrected.text) == (("far-1", "far-2"), "window")


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        ("<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>", Retract(ANN, "", ("far-1",), DESK, "")),
        (
            "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>👋</reaction></reactions>",
            React(ANN, "", ("far-1",), ("👋",), DESK, ""),
        ),
        (
            "<body>&gt; hi\nyes</body><reply xmlns='urn:xmpp:reply:0' id='m1'/>"
            "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='5'/></fallback>",
            Say(ANN, "", "yes", DESK, "", more=More(reply="far-1", quote="hi")),
        ),
    ],
)
async def test_what_is_about_a_message_has_its_far_id(scene: Scene, inside: str, wanted: Letter) -> None:
    scene.stanza("<body>hi</body>", "m1")
    await scene.took()
    scene.stanza(inside, "m2")
    assert (await scene.took())._replace(id="") == wanted


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        (f"<body>window</body>{REPLACE}", "* window"),
        (
            "<body>&gt; hi\nyes</body><reply xmlns='urn:xmpp:reply:0' id='m1'/>"
            "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='5'/></fallback>",
            "> hi\nyes",
        ),
    ],
)
async def test_what_is_about_an_unknown_message_is_words(scene: Scene, inside: str, wanted: str) -> None:
    scene.stanza(inside, "m2")
    said = await scene.took()
    assert isinstance(said, Say) and (said.text, said.more) == (wanted, None)


async def test_nobodys_messages_are_corrected_by_others(scene: Scene) -> None:
    scene.stanza("<body>hi</body>", "m1")
    await scene.took()
    scene.stanza(f"<body>window</body>{REPLACE}", "m2", to=f"+15557654321@{DOMAIN}")
    assert isinstance(await scene.took(), Say)


async def test_a_retraction_that_cannot_be_is_an_error(scene: Scene) -> None:
    scene.stanza("<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>", "m2")
    error = await scene.heard()
    assert (error.get("id"), condition(error)) == ("m2", "feature-not-implemented") and words(error)


@pytest.mark.parametrize(("wanted", "text"), [(True, "👍 to “how are you?”"), (False, None)])
async def test_a_reaction_is_a_remark_for_those_who_want_it(database: Database, wanted: bool, text: str | None) -> None:
    async with scene_of(database, frozenset({Say})) as scene:
        await scene.desk.accounts.prefer(ADA, {"reactions": wanted})
        id = (await scene.said("how are you?", "SM1")).get("id")
        scene.stanza(f"<reactions xmlns='urn:xmpp:reactions:0' id='{id}'><reaction>👍</reaction></reactions>")
        if text is not None:
            said = await scene.took()
            assert isinstance(said, Say) and said.text == text
        await scene.nothing_more()


async def test_what_an_address_cannot_is_told_at_once_and_never_stored(database: Database) -> None:
    async with scene_of(database, frozenset({Say})) as scene:
        scene.stanza("<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>", "m2")
        assert condition(await scene.heard()) == "feature-not-implemented"
        scene.stanza("<composing xmlns='http://jabber.org/protocol/chatstates'/>")
        scene.stanza("<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>")
        assert await scene.journal.counts() == {} and scene.bridge.hints.empty()


@pytest.mark.parametrize(
    "inside",
    [
        "<received xmlns='urn:xmpp:receipts' id='m1'/>",
        "<body>x</body><sent xmlns='urn:xmpp:carbons:2'/>",
        "<body>x</body><result xmlns='urn:xmpp:mam:2' id='1'/>",
        "<body>x</body><ours xmlns='urn:xmpp-transports:sent'/>",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>",
        "<store xmlns='urn:xmpp:hints'/>",
    ],
)
async def test_what_nobody_said_goes_nowhere(scene: Scene, inside: str) -> None:
    scene.stanza(inside)
    await scene.nothing_more()


async def test_what_is_encrypted_is_refused_by_its_name(scene: Scene) -> None:
    scene.stanza("<body>I sent you …</body><encrypted xmlns='urn:xmpp:omemo:2'><payload/></encrypted>")
    error = await scene.heard()
    assert condition(error) == "not-acceptable" and "OMEMO" in words(error)
    await scene.nothing_more()


async def test_typing_and_reading_are_hints(scene: Scene) -> None:
    scene.stanza("<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert await scene.hinted() == Type(ANN, "", "composing", DESK)
    id = (await scene.said("hello", "SM1")).get("id")
    scene.stanza(f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/>")
    assert await scene.hinted() == Read(ANN, "", ("SM1",), DESK)
    scene.stanza("<displayed xmlns='urn:xmpp:chat-markers:0' id='nobody knows'/>")
    await scene.nothing_more()
    assert scene.bridge.hints.empty()


async def test_a_bridge_that_fails_at_a_hint_stops_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.bridge.hint = lambda user, command: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    scene.stanza("<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert "hint" in caplog.text
    await scene.nothing_more()


async def test_a_message_of_a_client_that_sends_it_again_is_sent_once(scene: Scene) -> None:
    for inside in ("<body>hi</body>", "<retract xmlns='urn:xmpp:message-retract:1' id='0123456789abcdef'/>"):
        for _ in range(2):
            scene.stanza(inside, "0123456789abcdef")
        await scene.took()
    await scene.nothing_more()


# What becomes of it ---------------------------------------------------------------------------------------------------


async def send(scene: Scene, inside: str = f"<body>hi</body>{REQUEST}{MARKABLE}", parts: int = 1) -> None:
    """One message of ada's, as far-1 … on the far side."""
    scene.bridge.parts = parts
    scene.stanza(inside, "m1")
    await scene.took()
    await scene.settled(done=1)


def tell(scene: Scene, *outcomes: str) -> None:
    """`delivered far-1`: what the bridge tells."""
    for outcome in outcomes:
        kind, _, far_id = outcome.partition(" ")
        fact = {"delivered": Delivered(ANN, far_id), "displayed": Displayed(ANN, far_id)}.get(kind)
        error = LegacyError("recipient-unavailable", "The phone is off.")
        scene.post.tell(ADA, fact or Undelivered(ANN, far_id, error))


async def outcomes(scene: Scene, count: int) -> list[str]:
    """What ada's client is told: received m1, displayed m1, error m1."""
    found = []
    for _ in range(count):
        stanza = await scene.heard()
        assert (stanza.get("to"), stanza.get("from")) == (DESK, JID)
        error = stanza.get("type") == "error"
        found.append(f"error {stanza.get('id')}" if error else f"{names(stanza)[0]} {stanza[0].get('id')}")
    return found


@pytest.mark.parametrize(
    ("inside", "told", "heard"),
    [
        (f"<body>hi</body>{REQUEST}", ["delivered far-1"], ["received m1"]),
        (f"<body>hi</body>{REQUEST}", ["displayed far-1"], []),
        (f"<body>hi</body>{MARKABLE}", ["delivered far-1", "displayed far-1"], ["displayed m1"]),
        ("<body>hi</body>", ["delivered far-1", "displayed far-1"], []),
        ("<body>hi</body>", ["undelivered far-1"], ["error m1"]),
        (f"<body>hi</body>{REQUEST}", ["delivered far-1"] * 3, ["received m1"]),
        (f"<body>hi</body>{REQUEST}", ["undelivered far-1", "delivered far-1", "undelivered far-1"], ["error m1"]),
        (f"<body>hi</body>{REQUEST}", ["delivered far-1", "undelivered far-1", "undelivered far-1"], ["received m1", "error m1"]),
        (f"<body>hi</body>{REQUEST}{MARKABLE}", ["displayed far-1", "delivered far-1", "undelivered far-1"], ["displayed m1"]),
        (f"<body>hi</body>{REQUEST}", ["delivered far-9", "undelivered far-9", "delivered "], []),
    ],
)
async def test_a_sender_is_told_what_was_asked_for_once(scene: Scene, inside: str, told: list[str], heard: list[str]) -> None:
    await send(scene, inside)
    tell(scene, *told)
    assert await outcomes(scene, len(heard)) == heard
    await scene.nothing_more()


async def test_a_message_in_parts_is_there_when_all_of_it_is(scene: Scene) -> None:
    await send(scene, parts=2)
    tell(scene, "delivered far-2", "delivered far-2")
    await scene.nothing_more()
    tell(scene, "delivered far-1")
    assert await outcomes(scene, 1) == ["received m1"]


async def test_a_far_side_may_be_faster_than_its_own_answer(scene: Scene) -> None:
    scene.bridge.gate.clear()
    scene.stanza(f"<body>hi</body>{REQUEST}", "m1")
    await scene.took()
    tell(scene, "delivered far-1")
    while scene.post._tasks._running:
        await asyncio.wait(scene.post._tasks._running)
    scene.bridge.gate.set()
    assert await outcomes(scene, 1) == ["received m1"]


async def test_a_failure_has_its_condition_and_words(database: Database) -> None:
    async with scene_of(database, language="de") as scene:
        await send(scene)
        scene.post.tell(ADA, Undelivered(ANN, "far-1", LegacyError("item-not-found", "")))
        error = await scene.heard()
        assert (condition(error), words(error)) == ("item-not-found", "Diese Nachricht ist nicht angekommen.")


async def test_what_was_told_while_the_stream_was_away_is_not_lost(database: Database) -> None:
    async with scene_of(database) as scene:
        await send(scene)
        scene.post.disconnected()
        tell(scene, "delivered far-1")
        await scene.settled(done=1, queued=1)
        assert scene.out.empty()
    async with scene_of(database) as scene:
        assert await outcomes(scene, 1) == ["received m1"]
        await scene.settled(done=1, taken=1)
        tell(scene, "delivered far-1")
        await scene.nothing_more()


async def test_an_outcome_that_nobody_wants_is_no_dead_letter(scene: Scene) -> None:
    await send(scene)
    tell(scene, "delivered far-1")
    receipt = await scene.heard()
    for _ in range(5):
        await scene.settled(done=1, taken=1)
        scene.bounce(receipt)
    await scene.nothing_more()
    assert await scene.journal.dead_letters() == []


# Far side to XMPP -----------------------------------------------------------------------------------------------------


async def test_words_come_as_a_client_of_today_writes_them(scene: Scene) -> None:
    more = More(thread="t1", subject="Hello", language="en")
    stanza = await scene.said("hi", "SM1", more)
    assert names(stanza) == ["body", "subject", "thread", "markable", "request", "origin-id"]
    assert (stanza.get("type"), stanza.get("to"), stanza.get("from")) == ("chat", ADA, JID)
    assert (stanza.findtext("body"), stanza.findtext("subject"), stanza.findtext("thread")) == ("hi", "Hello", "t1")
    assert stanza[-1].get("id") == stanza.get("id")


async def test_nobody_is_asked_for_what_the_far_side_does_not_want(database: Database) -> None:
    async with scene_of(database, frozenset({Say})) as scene:
        assert names(await scene.said("hi", "SM1")) == ["body", "origin-id"]


PICTURE = File("https://files.example.org/a.png", "a.png", "image/png", 99)


async def test_files_are_stanzas_of_their_own_with_ids_that_stay(database: Database) -> None:
    files = More((PICTURE, PICTURE._replace(url="https://files.example.org/b.png")), thread="t1")
    async with scene_of(database) as scene:
        first = [await scene.said("look", "SM1", files), await scene.heard(), await scene.heard()]
        id = first[0].get("id")
        assert [stanza.get("id") for stanza in first] == [id, f"{id}.1", f"{id}.2"]
        assert [stanza.findtext("body") for stanza in first] == ["look", files.files[0].url, files.files[1].url]
        assert [stanza.find(f"{{{SFS}}}file-sharing") is not None for stanza in first] == [False, True, True]
        await scene.settled(taken=1)
        scene.bounce(first[1])  # late: the row is written again, as a whole
        await scene.settled(waiting=1)
        scene.post.available(ADA)
        again = [await scene.heard() for _ in first]
        assert list(map(ET.tostring, again)) == list(map(ET.tostring, first))


async def test_a_row_with_a_part_that_is_refused_for_good_is_one_dead_letter(scene: Scene) -> None:
    parts = [await scene.said("look", "SM1", More((PICTURE,))), await scene.heard()]
    for round in range(4):
        await scene.settled(taken=1)
        for part in parts:
            scene.bounce(part)
        if round < 3:
            await scene.settled(waiting=1)
            scene.post.available(ADA)
            await scene.heard()
            await scene.heard()
    await scene.settled(dead=1)
    [letter] = await scene.journal.dead_letters()
    assert letter.id == parts[0].get("id")


async def test_a_long_text_comes_in_pieces_and_nothing_is_lost(scene: Scene) -> None:
    text = " ".join(f"word-{number}&" for number in range(9_000))
    stanza = await scene.said(text, "SM1")
    bodies = [stanza.findtext("body") or ""]
    while sum(map(len, bodies)) + len(bodies) - 1 < len(text):
        bodies.append((await scene.heard()).findtext("body") or "")
    assert " ".join(bodies) == text and len(bodies) > 2


async def test_an_answer_is_to_its_message_and_repeats_it(scene: Scene) -> None:
    await send(scene, "<body>how are\nyou?</body>")
    stanza = await scene.said("fine", "SM1", More(reply="far-1"))
    reply, fallback = stanza.find("{urn:xmpp:reply:0}reply"), stanza.find("{urn:xmpp:fallback:0}fallback")
    assert reply is not None and (reply.get("id"), reply.get("to")) == ("m1", ADA)
    body = stanza.findtext("body") or ""
    assert fallback is not None and fallback.get("for") == "urn:xmpp:reply:0"
    assert body == "> how are\n> you?\nfine" and body[int(fallback[0].get("end", "")) :] == "fine"


async def test_an_answer_to_the_contacts_own_words(scene: Scene) -> None:
    first = await scene.said("a\x00\r\nb", "SM1")
    stanza = await scene.said("c", "SM2", More(reply="SM1"))
    reply, fallback = stanza.find("{urn:xmpp:reply:0}reply"), stanza.find("{urn:xmpp:fallback:0}fallback")
    assert reply is not None and (reply.get("id"), reply.get("to")) == (first.get("id"), JID)
    assert fallback is not None and (stanza.findtext("body") or "")[int(fallback[0].get("end", "")) :] == "c"


async def test_an_answer_to_what_nobody_knows_is_words(scene: Scene) -> None:
    stanza = await scene.said("fine", "SM1", More(reply="far-9", quote="how are you?"))
    assert stanza.findtext("body") == "> how are you?\nfine" and stanza.find("{urn:xmpp:reply:0}reply") is None


@pytest.mark.parametrize(
    ("key", "body", "replaces"), [("SM1", "window", True), ("SM9", "* window", False), ("far-1", "* window", False)]
)
async def test_a_correction_replaces_what_the_contact_said(scene: Scene, key: str, body: str, replaces: bool) -> None:
    await send(scene)  # far-1 is ada's own
    first = await scene.said("airlock", "SM1")
    await scene.post.mailbox.accept(ADA, Corrected(ANN, "Ann", key, "window", key="SM2"), "SM2")
    stanza = await scene.heard()
    replace = stanza.find("{urn:xmpp:message-correct:0}replace")
    assert stanza.findtext("body") == body and stanza.get("id") != first.get("id")
    assert (replace is not None and replace.get("id") == first.get("id")) is replaces


async def test_a_retraction_takes_back_every_part(scene: Scene) -> None:
    first = [await scene.said("look", "SM1", More((PICTURE,))), await scene.heard()]
    await scene.post.mailbox.accept(ADA, Retracted(ANN, "Ann", "SM1"), "SM2")
    stanzas = [await scene.heard(), await scene.heard()]
    retracted = [stanza.find("{urn:xmpp:message-retract:1}retract") for stanza in stanzas]
    assert [found is not None and found.get("id") for found in retracted] == [stanza.get("id") for stanza in first]
    assert all(names(stanza) == ["body", "retract", "fallback", "store"] for stanza in stanzas)


async def test_a_retraction_of_what_nobody_knows_is_words(scene: Scene) -> None:
    await scene.post.mailbox.accept(ADA, Retracted(ANN, "Ann", "SM1"), "SM2")
    stanza = await scene.heard()
    assert names(stanza) == ["body"] and "taken back" in (stanza.findtext("body") or "")


@pytest.mark.parametrize("about", ["SM1", "far-1"])
async def test_a_reaction_is_about_a_message_of_either(scene: Scene, about: str) -> None:
    await send(scene)
    first = await scene.said("hello", "SM1")
    for emojis in (("👋", "🐢"), ()):
        await scene.post.mailbox.accept(ADA, Reacted(ANN, "Ann", about, emojis), f"{emojis}")
        stanza = await scene.heard()
        reactions = stanza.find("{urn:xmpp:reactions:0}reactions")
        assert reactions is not None and reactions.get("id") == (first.get("id") if about == "SM1" else "m1")
        assert tuple(reaction.text for reaction in reactions) == emojis
        assert names(stanza) == ["reactions", "store"]


async def test_a_reaction_to_what_nobody_knows_is_words_if_it_says_anything(scene: Scene) -> None:
    await scene.post.mailbox.accept(ADA, Reacted(ANN, "Ann", "SM9", ()), "SM1")
    await scene.post.mailbox.accept(ADA, Reacted(ANN, "Ann", "SM9", ("👋",)), "SM2")
    assert (await scene.heard()).findtext("body") == "👋 (to an earlier message)"


async def test_what_the_user_said_elsewhere_is_said_as_the_user(scene: Scene) -> None:
    said: list[ET.Element] = []
    scene.post.as_user = lambda user, stanza: said.append(ET.fromstring(stanza)) is None
    await scene.post.mailbox.accept(ADA, Sent(ANN, "from my phone", key="SM1"), "SM1")
    await scene.settled(taken=1)
    [stanza] = said
    assert (stanza.tag, stanza.get("from"), stanza.get("to")) == ("{jabber:client}message", ADA, JID)
    assert stanza.findtext("{jabber:client}body") == "from my phone"
    inside = "".join(ET.tostring(child, "unicode") for child in stanza)
    scene.stanza(inside.replace("jabber:client", CLIENT), stanza.get("id", ""))  # it comes back to us
    await scene.nothing_more()


async def test_what_the_user_said_elsewhere_is_marked_where_nobody_may_speak_as_the_user(scene: Scene) -> None:
    await scene.post.mailbox.accept(ADA, Sent(ANN, "from my phone", key="SM1"), "SM1")
    stanza = await scene.heard()
    assert stanza.get("from") == JID and stanza.findtext("body") == "(You wrote elsewhere:) from my phone"


async def test_typing_is_for_this_moment_and_for_those_who_are_there(scene: Scene) -> None:
    scene.post.tell(ADA, Typing(ANN, "Ann", "composing"))
    stanza = await scene.heard()
    assert names(stanza) == ["composing", "no-store"]
    assert (stanza.get("type"), stanza.get("from")) == ("chat", f"{JID}/sms")
    scene.post.there = lambda user: False
    scene.post.tell(ADA, Typing(ANN, "Ann", "paused"))
    await scene.nothing_more()


async def test_nothing_comes_from_whom_the_user_blocks(scene: Scene) -> None:
    scene.desk.contacts.put(ADA, Contact(ANN, blocked=True))
    scene.post.tell(ADA, Typing(ANN, "Ann", "composing"))
    scene.post.tell(ADA, Notice(ANN, "hello"))
    assert scene.out.empty()


@pytest.mark.parametrize("state", ["", "/><stream:error", "singing"])
async def test_a_state_that_is_none_is_not_told(scene: Scene, state: str) -> None:
    scene.post.tell(ADA, Typing(ANN, "Ann", state))  # type: ignore[arg-type]
    assert scene.out.empty()


async def test_what_cannot_be_told_does_not_fail_in_the_bridge(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = Address("person", "x" * 2_000)  # no JID
    scene.post.tell(ADA, Typing(nowhere, "Ann", "composing"))
    scene.post.tell(ADA, Notice(nowhere, "hello"))
    assert scene.out.empty() and caplog.text.count("a fact could not be told") == 2


async def test_what_is_told_again_and_again_of_an_unknown_message_is_kept_once(scene: Scene) -> None:
    for _ in range(100):
        scene.post.tell(ADA, Delivered(ANN, "far-9"))
    while scene.post._tasks._running:
        await asyncio.wait(scene.post._tasks._running)
    assert [len(early) for early in scene.post._early.values()] == [1]


async def test_a_notice_is_words_of_the_place(scene: Scene) -> None:
    scene.post.tell(ADA, Notice(Address("service", ""), "Your number is +1 555 0100."))
    stanza = await scene.heard()
    assert (stanza.get("from"), stanza.findtext("body")) == (DOMAIN, "Your number is +1 555 0100.")


async def test_what_comes_in_while_its_message_is_under_way_finds_it(scene: Scene) -> None:
    scene.post.disconnected()
    await scene.post.mailbox.accept(ADA, Said(ANN, "Ann", "airlock", key="SM1"), "SM1")
    await scene.post.mailbox.accept(ADA, Corrected(ANN, "Ann", "SM1", "window", key="SM2"), "SM2")
    scene.post.connected()
    first, second = await scene.heard(), await scene.heard()
    replace = second.find("{urn:xmpp:message-correct:0}replace")
    assert replace is not None and replace.get("id") == first.get("id")


# Languages ------------------------------------------------------------------------------------------------------------


async def test_a_message_that_failed_is_told_of_in_its_senders_language(database: Database) -> None:
    async with scene_of(database, language="de") as scene:
        scene.bridge.error = LegacyError("forbidden", say("irc.said", what=say("ircd.not-you", name=ANN.name), said="No!"))
        scene.stanza("<body>hi</body>")
        error = await scene.heard()
        assert (condition(error), words(error), error.get("to"), error.get("id")) == ("forbidden", WORDS, DESK, "m1")


async def test_and_so_it_is_by_the_next_gateway_when_this_one_died_before(database: Database) -> None:
    dead = Scene(database, language="de")
    dead.bridge.error = LegacyError("forbidden", say("irc.said", what=say("ircd.not-you", name=ANN.name), said="No!"))
    await dead.post.mailbox.start(dead.bridge)
    dead.stanza("<body>hi</body>")  # the stream is not there
    await dead.settled(failed=1)
    await dead.post.drain(1)
    async with scene_of(database, language="de") as scene:
        assert words(await scene.heard()) == WORDS
