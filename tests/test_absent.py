"""What a user hears of rooms where no client of theirs is."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import FarBridge
from tests.test_visitor import BOB, DESK, JID, ROOM, USER, Scene, body
from transports.absent import BURST, REMEMBERED, Told
from transports.bridges.irc.isupport import ISupport
from transports.bridges.irc.mentions import found
from transports.contacts import Contact
from transports.events import NO_RANK, Address, Entered, Join, Leave, Said, Subject

NS = {
    "mmn": "urn:xmpp:mmn:0",
    "forward": "urn:xmpp:forward:0",
    "delay": "urn:xmpp:delay",
    "c": "jabber:client",
    "ref": "urn:xmpp:reference:0",
    "sid": "urn:xmpp:sid:0",
}


class Persistent(FarBridge):
    """Rooms stay, and what is said in them concerns who is called."""

    def persistent(self, user: str, room: Address) -> bool:
        return True

    def concerns(self, user: str, said: Said) -> tuple[int, int] | None:
        if said.text == "everything":
            return 0, 0
        at = said.text.find("ada")
        return (at, at + 3) if at >= 0 else None


@pytest.fixture
def scene() -> Scene:
    made = Scene(bridge=Persistent())
    made.enter()
    return made


def away(scene: Scene) -> None:
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada' type='unavailable'/>")
    scene.out.clear()


def test_nothing_is_told_while_a_client_is_there(scene: Scene) -> None:
    scene.tell(Said(ROOM, "bob", "ada: there?"))
    assert [stanza.get("type") for stanza in scene.sent()] == ["groupchat"]


def test_who_is_away_hears_who_mentions_them_in_both_ways(scene: Scene) -> None:
    away(scene)
    scene.tell(Said(ROOM, "bob", "nothing much"))
    assert scene.sent() == []
    scene.tell(Said(ROOM, "bob", "hey ada: <there>?"))
    told = scene.only()
    assert (told.get("from"), told.get("to"), told.get("type"), body(told)) == (JID, USER, "chat", "bob: hey ada: <there>?")
    inner = told.find("mmn:mentions/forward:forwarded/c:message", NS)
    assert inner is not None and told.find("mmn:mentions/forward:forwarded/delay:delay", NS) is not None
    assert (inner.get("from"), inner.get("type"), inner.findtext("c:body", namespaces=NS)) == (
        f"{JID}/bob",
        "groupchat",
        "hey ada: <there>?",
    )
    reference = inner.find("ref:reference", NS)
    assert reference is not None and (reference.get("begin"), reference.get("end")) == ("4", "7")
    assert reference.get("uri") == f"xmpp:{USER}"
    stanza_id = inner.find("sid:stanza-id", NS)
    assert stanza_id is not None and (stanza_id.get("by"), stanza_id.get("id")) == (JID, inner.get("id"))


def test_actions_and_notices_are_shown_as_in_the_room(scene: Scene) -> None:
    away(scene)
    scene.tell(Said(ROOM, "bob", "waves at ada", "act"))
    told = scene.only()
    inner = told.find("mmn:mentions/forward:forwarded/c:message", NS)
    assert inner is not None and body(told) == "* bob waves at ada"
    assert inner.findtext("c:body", namespaces=NS) == "/me waves at ada"
    reference = inner.find("ref:reference", NS)
    assert reference is not None and "/me waves at ada"[int(reference.get("begin", "")) : int(reference.get("end", ""))] == "ada"


def test_what_does_not_mention_anybody_has_no_reference(scene: Scene) -> None:
    away(scene)
    scene.tell(Said(ROOM, "bob", "everything"))
    assert "reference" not in ET.tostring(scene.only(), encoding="unicode")


def test_what_is_told_twice_by_the_network_is_told_once(scene: Scene) -> None:
    away(scene)
    for _ in range(2):
        scene.tell(Said(ROOM, "bob", "ada!", when=1_000_000.0, key="abc"))
    told = scene.only()
    assert "1970-01-12T13:46:40Z" in ET.tostring(told, encoding="unicode")
    scene.tell(Said(ROOM, "bob", "ada!", key="abd"))
    assert len(scene.sent()) == 1


def test_nobody_is_told_for_ever(scene: Scene) -> None:
    away(scene)
    for number in range(500):
        scene.tell(Said(ROOM, "bob", f"ada {number}"))
    told = scene.sent()
    assert len(told) == BURST + 1 and "more than is told here" in body(told[-1])
    assert told[-1].find("{urn:xmpp:hints}no-store") is not None


def test_after_a_while_it_goes_on() -> None:
    now = [0.0]
    told = Told(lambda: now[0])
    assert [told.spend() for _ in range(22)] == [*["more"] * 19, "last", "", ""]
    now[0] = 25.0
    assert [told.spend() for _ in range(3)] == ["more", "last", ""]
    assert [told.anew("#c", "bob", str(number)) for number in (1, 1, *range(2, 2 + REMEMBERED), 1)].count(False) == 1


def test_nothing_is_told_of_whom_the_user_blocks(scene: Scene) -> None:
    away(scene)
    scene.desk.contacts.put(USER, Contact(BOB, blocked=True))
    scene.tell(Said(ROOM, "bob", "ada: there?"))
    assert scene.sent() == []


def test_hostile_names_and_words_stay_text(scene: Scene) -> None:
    away(scene)
    scene.tell(Said(ROOM, "b'<\x02/>&\"", "ada \x00\ud800 ]]><x/>"))
    inner = scene.only().find("mmn:mentions/forward:forwarded/c:message", NS)
    assert inner is not None and (inner.get("from") or "").startswith(JID)
    assert [child.tag.rpartition("}")[2] for child in inner] == ["body", "reference", "stanza-id"]


@pytest.mark.parametrize(
    ("nick", "text", "span"),
    [
        ("ada", "ada: hi", (0, 3)),
        ("ada", "hi ADA!", (3, 6)),
        ("ada", "(@ada)", (2, 5)),
        ("ada", "adas, adab, _ada, ada_ and ada", (27, 30)),
        ("ada", "canada", None),
        ("ada", "ada-", None),
        ("ada", "äada ada", (5, 8)),
        ("[a]", "{A}: x", (0, 3)),
        ("a", "a" * 10_000, None),
        ("", "x", None),
    ],
)
def test_a_nick_is_a_word_of_its_own(nick: str, text: str, span: tuple[int, int] | None) -> None:
    assert found(nick, text, ISupport().fold) == span


def test_one_is_in_a_room_that_no_client_has_joined(scene: Scene) -> None:
    other = Address("room", "#d")
    visitor = scene.wing.visitor(DESK)
    visitor.enter(other, "ada")
    visitor.enter(other, "ada")
    assert scene.took() == [Join(other, "ada", "")]
    scene.tell(Entered(other, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("")))
    scene.out.clear()
    scene.tell(Said(other, "bob", "ada: there?"))
    assert scene.only().get("from") == "#d@far.example.org"
    visitor.abandon(other)
    assert scene.took() == []  # the bridge says that the user stays
    scene.bridge.persistent = lambda user, room: False  # type: ignore[method-assign]
    visitor.abandon(other)
    visitor.abandon(ROOM)
    assert scene.took() == [Leave(other)]
