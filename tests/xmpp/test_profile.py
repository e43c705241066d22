"""Cards and pictures, as clients ask for them and as those who hear a contact are told."""

# ruff: noqa: ASYNC110 - a condition is waited for, with a timeout

from __future__ import annotations

import asyncio
import base64
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from tests.far import DOMAIN, FarBridge, House, condition
from tests.xmpp.test_vcard import drawn
from transports import catalogs
from transports.contacts import Contact
from transports.describe import Avatar, Card, Description, Prompt, Registration
from transports.errors import LegacyError
from transports.events import NO_RANK, Address, Changed, Entered, Fact, Kind, Subject
from transports.words import CATALOGS
from transports.xmpp import vcard
from transports.xmpp.profile import Kept, picture

USER, DESK, PHONE = "ada@example.org", "ada@example.org/desk", "ada@example.org/phone"
BOB, ROOM = Address("person", "bob"), Address("room", "#c")
BOBS, ROOMS = f"bob@{DOMAIN}", f"#c@{DOMAIN}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
TEMP = "<vCard xmlns='vcard-temp'/>"
FOUR = "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"
RED, BLUE = drawn(), drawn(size=(32, 32))
RED_ID, BLUE_ID = ((vcard.face(avatar) or vcard.Face("", "", 0, 0, 0)).id for avatar in (RED, BLUE))


def items(node: str, id: str = "") -> str:
    item = f"<item id='{id}'/>" if id else ""
    return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'>{item}</items></pubsub>"


class Knowing(FarBridge):
    """A bridge that knows `cards`, once `gate` is open."""

    def __init__(self, **cards: Card | Exception | None) -> None:
        super().__init__()
        self.known: dict[str, Card | Exception | None] = cards  # type: ignore[assignment]
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def card(self, user: str, address: Address) -> Card | None:
        self.asked.append(address.name)
        await self.gate.wait()
        found = self.known.get(address.name)
        if isinstance(found, Exception):
            raise found
        return found


class People(Knowing):
    cards: frozenset[Kind] = frozenset(("person",))


class Shy(People):
    """Of people it is asked only when somebody wants to know of one; `seen`: what it knows without."""

    shy = frozenset(("person",))

    def __init__(self, seen: dict[str, Card], **cards: Card) -> None:
        super().__init__(**cards)
        self.seen = seen

    def glance(self, user: str, address: Address) -> Card | None:
        return self.seen.get(address.name)


class Scene(House):
    def __init__(self, bridge: FarBridge | None = None) -> None:
        super().__init__(bridge=bridge)
        self.profile = self.desk.profile

    def ask(self, payload: str, to: str = BOBS, kind: str = "get", more: str = "") -> None:
        self.stanza(f"<iq from='{DESK}' to='{to}' id='1' type='{kind}'{more}>{payload}</iq>")

    async def quiet(self) -> None:
        """When this returns, nothing is being asked or answered."""
        async with asyncio.timeout(5):
            while len(self.desk.tasks):
                await asyncio.sleep(0)

    async def answer(self, payload: str, to: str = BOBS, kind: str = "get", more: str = "") -> ET.Element:
        self.ask(payload, to, kind, more)
        await self.quiet()
        (stanza,) = self.sent()
        assert (stanza.get("to"), stanza.get("id"), stanza.get("from")) == (DESK, "1", to)
        return stanza

    def hears(self, *addresses: Address, name: str = "") -> None:
        for address in addresses:
            self.desk.contacts.put(USER, Contact(address, name=name, hears=True))

    def enter(self, client: str = DESK) -> None:
        self.stanza(f"<presence from='{client}' to='{ROOMS}/ada'>{MUC}</presence>")
        self.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("All about <c>")))
        self.took()

    def tell(self, fact: Fact) -> None:
        self.bridge.sessions[USER].outlet.tell(fact)

    def events(self, node: str) -> list[ET.Element]:
        """The payloads of headline events about a node that the user was sent; all that was sent is taken."""
        found = [event for stanza in self.sent() for event in stanza.iter("{http://jabber.org/protocol/pubsub#event}items")]
        return [event[0][0] for event in found if event.get("node") == node]


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    catalogs.load()
    yield
    CATALOGS.clear()


def fn(stanza: ET.Element) -> str:
    return stanza.findtext("{vcard-temp}vCard/{vcard-temp}FN") or ""


def photo(stanza: ET.Element) -> bytes:
    return base64.b64decode(stanza.findtext("{vcard-temp}vCard/{vcard-temp}PHOTO/{vcard-temp}BINVAL") or "")


# What the house knows by itself ---------------------------------------------------------------------------------------


async def test_the_gateway_has_a_card_and_a_picture_of_its_own() -> None:
    scene = Scene()
    answer = await scene.answer(TEMP, to=DOMAIN)
    note = answer.findtext("{vcard-temp}vCard/{vcard-temp}DESC") or ""
    assert f"Send “help” to {DOMAIN}" in note and photo(answer) == picture("other").data
    assert f"<photo>{vcard.face(picture('other')).id}</photo>" in scene.profile.update(USER, Address("service", ""))  # type: ignore[union-attr]


async def test_and_says_it_in_the_askers_language() -> None:
    answer = await Scene().answer(TEMP, to=DOMAIN, more=" xml:lang='de'")
    assert "Schicke „help“" in (answer.findtext("{vcard-temp}vCard/{vcard-temp}DESC") or "")


@pytest.mark.parametrize("kind", ["irc", "sms", "smtp", "other"])
def test_a_picture_for_each_kind_of_gateway_is_small(kind: str) -> None:
    avatar = picture(kind)
    assert vcard.face(avatar) == vcard.Face(vcard.face(avatar).id, "image/png", len(avatar.data), 64, 64)  # type: ignore[union-attr]
    assert len(avatar.data) < 3_000
    assert (avatar == picture("never heard of")) is (kind == "other")


async def test_a_room_says_its_name_and_to_those_inside_its_subject() -> None:
    scene = Scene()
    assert ET.tostring(await scene.answer(TEMP, to=ROOMS)).count(b"DESC") == 0
    scene.enter()
    scene.out.clear()
    answer = await scene.answer(TEMP, to=ROOMS)
    assert (fn(answer), answer.findtext("{vcard-temp}vCard/{vcard-temp}DESC")) == ("#c", "All about <c>")


async def test_people_have_their_names_where_nothing_else_is_known() -> None:
    scene = Scene()
    assert fn(await scene.answer(TEMP)) == "bob"
    assert scene.profile.update(USER, BOB) == "<x xmlns='vcard-temp:x:update'><photo/></x>"


@pytest.mark.parametrize("payload", [TEMP, FOUR])
async def test_a_card_cannot_be_changed_from_outside(payload: str) -> None:
    assert condition(await Scene().answer(payload, kind="set")) == "forbidden"


def test_an_occupant_of_a_bridge_that_knows_nothing_has_an_empty_card_at_once() -> None:
    scene = Scene()
    for number in range(1_000):
        scene.ask(TEMP, to=f"{ROOMS}/nick{number}")
    assert len(scene.out) == 1_000 and not len(scene.desk.tasks)
    assert all("<vCard xmlns='vcard-temp'/></iq>" in text for text in scene.out)


# What a bridge knows --------------------------------------------------------------------------------------------------


async def test_a_card_is_asked_for_once_and_kept() -> None:
    scene = Scene(Knowing(bob=Card(name="Bob <b>", avatar=RED)))
    for _ in range(3):
        answer = await scene.answer(TEMP)
        assert (fn(answer), photo(answer)) == ("Bob <b>", RED.data)
    assert (await scene.answer(FOUR))[0].findtext("{*}fn/{*}text") == "Bob <b>"
    assert scene.bridge.asked == ["bob"]  # type: ignore[attr-defined]


async def test_who_asks_in_the_meantime_waits_for_the_same_answer() -> None:
    scene = Scene(bridge := Knowing(bob=Card(name="Bob")))
    bridge.gate.clear()
    for _ in range(5):
        scene.ask(TEMP)
    scene.ask(items(vcard.NICK))
    await asyncio.sleep(0)
    assert scene.out == []
    bridge.gate.set()
    await scene.quiet()
    assert len(scene.out) == 6 and all("Bob" in text for text in scene.out) and bridge.asked == ["bob"]


async def test_an_occupant_is_the_person_that_it_is() -> None:
    scene = Scene(Knowing(bob=Card(name="Bob")))
    assert fn(await scene.answer(TEMP, to=f"{ROOMS}/Bob")) == "Bob"


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (LegacyError("item-not-found", "Nobody."), "item-not-found"),
        (LegacyError("remote-server-timeout", "Later."), "remote-server-timeout"),
        (RuntimeError("a mistake"), "internal-server-error"),
    ],
)
async def test_what_cannot_be_known_is_an_error_and_asked_again(known: Exception, wanted: str) -> None:
    scene = Scene(bridge := Knowing(bob=known))
    assert condition(await scene.answer(TEMP)) == wanted
    bridge.known["bob"] = Card(name="Bob")
    assert fn(await scene.answer(TEMP)) == "Bob"


@pytest.mark.parametrize("broken", ["no card", Card("Bob", avatar=Avatar(bytearray(b"x"), "image/png"))])  # type: ignore[arg-type]
async def test_a_bridge_whose_card_is_none_leaves_nobody_waiting(broken: object) -> None:
    scene = Scene(Knowing(bob=broken))  # type: ignore[arg-type]
    scene.hears(BOB)
    assert condition(await scene.answer(TEMP)) == "internal-server-error"
    scene.bridge.known["bob"] = Card("Bob")  # type: ignore[attr-defined]
    scene.profile.update(USER, BOB)  # those who ask when there is time do so still
    await scene.quiet()
    scene.sent()
    assert fn(await scene.answer(TEMP)) == "Bob"


async def test_nothing_known_is_kept_too_and_the_name_stands_for_it() -> None:
    scene = Scene(bridge := Knowing())
    for _ in range(3):
        assert fn(await scene.answer(TEMP)) == "bob"
    assert bridge.asked == ["bob"]


async def test_a_picture_without_a_name_goes_with_the_name_of_the_address() -> None:
    assert fn(await Scene(Knowing(bob=Card(avatar=RED))).answer(TEMP)) == "bob"


async def test_a_bridge_is_asked_for_the_kinds_that_it_names() -> None:
    scene = Scene(bridge := People())
    await scene.answer(TEMP, to=ROOMS)
    await scene.answer(TEMP, to=f"desk@{DOMAIN}")
    await scene.answer(TEMP, to=DOMAIN)
    assert bridge.asked == []


async def test_who_must_register_first_learns_nothing_of_people() -> None:
    class Closed(Knowing):
        def describe(self, user: str) -> Description:
            return Description(Prompt("Number"), Registration(required=True))

    scene = Scene(bridge := Closed(bob=Card(name="Robert")))
    assert fn(await scene.answer(TEMP)) == "bob" and bridge.asked == []


async def test_one_users_card_is_not_anothers() -> None:
    class Private(Knowing):
        async def card(self, user: str, address: Address) -> Card | None:
            return Card(name=f"{address.name} of {user}")

    scene = Scene(Private())
    assert fn(await scene.answer(TEMP)) == "bob of ada@example.org"
    scene.stanza(f"<iq from='eve@example.org/x' to='{BOBS}' id='1' type='get'>{TEMP}</iq>")
    await scene.quiet()
    assert fn(scene.sent()[0]) == "bob of eve@example.org"


# PEP ------------------------------------------------------------------------------------------------------------------


async def test_xep_0084_metadata_then_the_data_under_its_id() -> None:
    scene = Scene(Knowing(bob=Card(nick="bobby", avatar=RED)))
    answer = await scene.answer(items("urn:xmpp:avatar:metadata"))
    (info,) = answer.iter("{urn:xmpp:avatar:metadata}info")
    size = str(len(RED.data))
    assert info.attrib == {"id": RED_ID, "type": "image/png", "bytes": size, "width": "64", "height": "48"}
    answer = await scene.answer(items("urn:xmpp:avatar:data", RED_ID))
    (data,) = answer.iter("{urn:xmpp:avatar:data}data")
    assert base64.b64decode(data.text or "") == RED.data


async def test_nick_and_vcard4_are_nodes_too() -> None:
    scene = Scene(Knowing(bob=Card(nick="bobby")))
    (nick,) = (await scene.answer(items("http://jabber.org/protocol/nick"))).iter("{http://jabber.org/protocol/nick}nick")
    (card,) = (await scene.answer(items("urn:xmpp:vcard4"))).iter("{urn:ietf:params:xml:ns:vcard-4.0}vcard")
    assert (nick.text, card.findtext("{*}nickname/{*}text")) == ("bobby", "bobby")


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (items("urn:xmpp:avatar:data", BLUE_ID), "item-not-found"),
        (items("urn:xmpp:tune"), "item-not-found"),
        (items(""), "item-not-found"),
        ("<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscriptions/></pubsub>", "feature-not-implemented"),
        ("<pubsub xmlns='http://jabber.org/protocol/pubsub'/>", "feature-not-implemented"),
    ],
)
async def test_what_is_not_there(payload: str, wanted: str) -> None:
    scene = Scene(Knowing(bob=Card(avatar=RED)))
    assert condition(await scene.answer(payload)) == wanted


@pytest.mark.parametrize("node", ["urn:xmpp:avatar:metadata", "urn:xmpp:avatar:data"])
async def test_who_has_no_picture_has_no_items_of_it(node: str) -> None:
    assert condition(await Scene().answer(items(node))) == "item-not-found"


@pytest.mark.parametrize("to", ["", "bob", "desk", "#c", "#c/bob"])
async def test_disco_names_what_is_served(to: str) -> None:
    jid = DOMAIN if not to else to.replace("/", f"@{DOMAIN}/") if "/" in to else f"{to}@{DOMAIN}"
    answer = await Scene().answer("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=jid)
    features = {feature.get("var") for feature in answer.iter("{http://jabber.org/protocol/disco#info}feature")}
    assert {"vcard-temp", "urn:ietf:params:xml:ns:vcard-4.0"} <= features
    assert ("http://jabber.org/protocol/pubsub#retrieve-items" in features) is (to != "#c")


# Telling --------------------------------------------------------------------------------------------------------------


async def test_presence_says_that_we_do_not_know_yet_and_again_when_we_do() -> None:
    scene = Scene(Knowing(bob=Card(name="bob", avatar=RED)))
    scene.hears(BOB)
    assert scene.profile.update(USER, BOB) == "<x xmlns='vcard-temp:x:update'/>"
    await scene.quiet()
    assert scene.profile.update(USER, BOB) == f"<x xmlns='vcard-temp:x:update'><photo>{RED_ID}</photo></x>"
    presence = [text for text in scene.out if text.startswith("<presence")]
    assert len(presence) == 1 and RED_ID in presence[0]


async def test_a_picture_that_becomes_known_is_told_to_who_hears_the_contact() -> None:
    scene = Scene(Knowing(bob=Card(name="Bob", avatar=RED)))
    scene.hears(BOB)
    scene.profile.update(USER, BOB)
    await scene.quiet()
    message = ET.fromstring(scene.out[0])
    assert (message.tag, message.get("type"), message.get("from"), message.get("to")) == ("message", "headline", BOBS, USER)
    assert [info.get("id") for event in scene.events(vcard.METADATA) for info in event] == [RED_ID]


async def test_a_nick_is_told_unless_it_is_the_name_in_the_roster() -> None:
    for name, wanted in (("", ["Bobby"]), ("Bobby", [])):
        scene = Scene(Knowing(bob=Card(nick="Bobby")))
        scene.hears(BOB, name=name)
        scene.profile.changed(USER, BOB)
        await scene.quiet()
        assert [nick.text for nick in scene.events(vcard.NICK)] == wanted


async def test_a_change_is_told_once_and_only_if_it_is_one() -> None:
    scene = Scene(bridge := Knowing(bob=Card(name="Bob", avatar=RED)))
    scene.hears(BOB, name="Bob")
    heard = []
    for card in (Card(name="Bob", avatar=RED), Card(name="Bob", avatar=BLUE), Card(name="Bob", avatar=BLUE), Card(name="Bob")):
        bridge.known["bob"] = card
        scene.desk.roster.tell(USER, Changed(BOB))
        await scene.quiet()
        heard.append([[info.get("id") for info in event] for event in scene.events(vcard.METADATA)])
    assert heard == [[[RED_ID]], [[BLUE_ID]], [], [[]]]


async def test_an_answer_from_before_the_change_is_not_kept() -> None:
    scene = Scene(bridge := Knowing(bob=Card(name="Old")))
    bridge.gate.clear()
    scene.ask(TEMP)
    await asyncio.sleep(0)
    scene.profile.changed(USER, BOB)
    bridge.known["bob"] = Card(name="New")
    bridge.gate.set()
    await scene.quiet()
    scene.out.clear()
    assert fn(await scene.answer(TEMP)) == "New"


@pytest.mark.parametrize("contact", [None, Contact(BOB, heard=True), Contact(BOB, hears=True, blocked=True)])
async def test_who_does_not_hear_a_contact_is_told_nothing(contact: Contact | None) -> None:
    scene = Scene(Knowing(bob=Card(name="Bob", avatar=RED)))
    if contact is not None:
        scene.desk.contacts.put(USER, contact)
    await scene.answer(TEMP)
    scene.profile.changed(USER, BOB)
    await scene.quiet()
    assert scene.out == []


async def test_a_client_that_comes_is_told_of_the_picture_once() -> None:
    scene = Scene(Knowing(bob=Card(name="bob", avatar=RED)))
    scene.hears(BOB, name="bob")
    scene.profile.update(USER, BOB)
    await scene.quiet()
    scene.out.clear()
    for kind, wanted in (("", 1), ("", 0), (" type='unavailable'", 0), ("", 1)):
        scene.stanza(f"<presence from='{PHONE}' to='{BOBS}'{kind}/>")
        sent = [stanza for stanza in scene.sent() if stanza.tag == "message"]
        assert [stanza.get("to") for stanza in sent] == [PHONE] * wanted


# Rooms ----------------------------------------------------------------------------------------------------------------


async def test_a_rooms_picture_is_in_disco_in_its_card_and_in_presence_of_the_room() -> None:
    scene = Scene(bridge := Knowing(**{"#c": Card(name="The Garden", avatar=RED)}))
    answer = await scene.answer(TEMP, to=ROOMS)
    assert (fn(answer), photo(answer)) == ("The Garden", RED.data)
    answer = await scene.answer("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=ROOMS)
    assert [f[0].text for f in answer.iter("{jabber:x:data}field") if f.get("var") == "muc#roominfo_avatarhash"] == [RED_ID]
    scene.enter()
    presences = [stanza for stanza in scene.sent() if stanza.tag == "presence"]
    last = presences[-1]
    assert (last.get("from"), last.get("to")) == (ROOMS, DESK)
    assert [one.text for one in last.iter("{vcard-temp:x:update}photo")] == [RED_ID]
    scene.stanza(f"<presence from='{PHONE}' to='{ROOMS}/ada'>{MUC}</presence>")
    assert (RED_ID in scene.out[-1], f"to='{PHONE}'" in scene.out[-1]) == (True, True)
    bridge.known["#c"] = Card(avatar=BLUE)
    scene.out.clear()
    scene.tell(Changed(ROOM))
    await scene.quiet()
    shown = [text for text in scene.out if BLUE_ID in text]
    assert [text.partition(" to='")[2].partition("'")[0] for text in shown] == [DESK, PHONE]


async def test_a_room_without_a_picture_says_nothing_of_one() -> None:
    scene = Scene()
    scene.enter()
    assert [text for text in scene.out if "vcard-temp" in text] == []
    scene.out.clear()
    answer = await scene.answer("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=ROOMS)
    assert "avatarhash" not in ET.tostring(answer, "unicode")


# Bounds ---------------------------------------------------------------------------------------------------------------


def test_kept_cards_are_bounded_by_number_the_least_used_go_first() -> None:
    kept = Kept(most=3)
    for name in "abc":
        kept.put((USER, Address("person", name)), Card(name=name))
    kept.get((USER, Address("person", "a")))
    kept.put((USER, Address("person", "d")), Card(name="d"))
    assert [kept.get((USER, Address("person", name))) is not None for name in "abcd"] == [True, False, True, True]


def test_and_by_the_bytes_of_their_pictures() -> None:
    kept = Kept(bytes=100)
    for round in range(3):
        for name in "abc":
            kept.put((USER, Address("person", name)), Card(avatar=Avatar(b"x" * 60, f"image/{round}")))
    assert [kept.get((USER, Address("person", name))) is not None for name in "abc"] == [False, False, True]
    kept.drop((USER, Address("person", "c")))
    for name in "de":
        kept.put((USER, Address("person", name)), Card(avatar=Avatar(b"x" * 50, "image/png")))
    assert [kept.get((USER, Address("person", name))) is not None for name in "de"] == [True, True]


async def test_a_bridge_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.xmpp.profile.WITHIN", 0.01)
    scene = Scene(bridge := Knowing(bob=Card(name="Bob")))
    bridge.gate.clear()
    assert condition(await scene.answer(TEMP)) == "remote-server-timeout"


async def test_a_stopping_gateway_leaves_nobody_waiting() -> None:
    scene = Scene(bridge := Knowing(bob=Card(name="Bob")))
    bridge.gate.clear()
    scene.ask(TEMP)
    scene.profile.update(USER, Address("person", "eve"))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await scene.desk.stop()
    assert not len(scene.desk.tasks)


# A far side that is asked only when it has to be -------------------------------------------------------------------------


async def test_of_occupants_of_a_shy_bridge_only_what_is_known_already_is_told() -> None:
    bridge = Shy({"bob": Card("Bob of old")}, bob=Card("Bob"), eve=Card("Eve"))
    scene = Scene(bridge)
    assert fn(await scene.answer(TEMP, f"{ROOMS}/bob")) == "Bob of old"
    assert fn(await scene.answer(TEMP, f"{ROOMS}/eve")) == ""
    assert bridge.asked == []


async def test_of_one_person_it_is_asked_and_keeps_the_answer_itself() -> None:
    bridge = Shy({"bob": Card("Bob of old")}, bob=Card("Bob"))
    scene = Scene(bridge)
    assert fn(await scene.answer(TEMP)) == fn(await scene.answer(TEMP)) == "Bob"
    four = await scene.answer(FOUR)
    assert "Bob" in "".join(four.itertext())
    assert bridge.asked == ["bob"] * 3


async def test_presence_and_pictures_of_people_ask_it_nothing() -> None:
    bridge = Shy({}, bob=Card("Bob"))
    scene = Scene(bridge)
    scene.hears(BOB)
    assert scene.profile.update(USER, BOB) == vcard.NO_PHOTO
    for node in (vcard.METADATA, vcard.DATA, vcard.NICK):
        await scene.answer(items(node))
    await scene.quiet()
    assert bridge.asked == []
