"""A room as its clients see it: facts in, stanzas out, in XEP-0045's order and with its status codes."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest

from transports.events import (
    BY_ADDRESS,
    NO_RANK,
    Address,
    Became,
    Cause,
    Entered,
    Joined,
    Left,
    Person,
    Rank,
    Renamed,
    RoleSet,
    Said,
    Subject,
)
from transports.xmpp import comeback
from transports.xmpp.address import jid_of, parse, speakable
from transports.xmpp.client import Client
from transports.xmpp.occupant import ACCOUNT_HAT, BOT_HAT, Kin
from transports.xmpp.read import Message
from transports.xmpp.room import Room
from transports.xmpp.roomtalk import HELD
from transports.xmpp.xml import Door

ROOM = Address("room", "#c%irc.test")
JID = "#c%irc.test@irc.example.org"
ADA, PHONE = "ada@example.org/desk", "ada@example.org/phone"
OP = Rank("admin", "moderator", "o")
MEMBERS = {"ada": NO_RANK, "bob": OP, "eve": NO_RANK}
NO_SUBJECT = Subject("")
USER = "{http://jabber.org/protocol/muc#user}"
OCCUPANT = "{urn:xmpp:occupant-id:0}occupant-id"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


class Counted:
    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def stanza(self) -> str:
        return f"s{next(self.numbers)}"

    def at(self, when: float) -> str:
        return self.stanza()


class Scene:
    """A room and what it sent, parsed."""

    def __init__(self, *clients: tuple[str, str], members: dict[str, Rank] | None = None, inside: bool = True) -> None:
        self.out: list[str] = []
        self.room = Room(Counted(), self.out.append, self.out.extend)
        for jid, nick in clients or ((ADA, "ada"),):
            self.admit(jid, nick)
        if inside:
            self.enter(members)
            self.out.clear()

    def admit(self, jid: str, nick: str = "ada", room: str = JID) -> None:
        self.room.admit(Client(Door("irc.example.org"), room, jid, nick, True, "p1"))

    def enter(self, members: dict[str, Rank] | None = None, subject: Subject = NO_SUBJECT) -> None:
        self.room.entered(Entered(ROOM, "ada", MEMBERS if members is None else members, subject))

    def sent(self) -> list[ET.Element]:
        stanzas = [ET.fromstring(text) for text in self.out]
        self.out.clear()
        return stanzas


def codes(stanza: ET.Element) -> list[str]:
    return [status.get("code", "") for status in stanza.iterfind(f"{USER}x/{USER}status")]


def item(stanza: ET.Element) -> dict[str, str]:
    found = stanza.find(f"{USER}x/{USER}item")
    assert found is not None
    return found.attrib


def brief(stanza: ET.Element) -> str:
    """presence bob, gone bob, self ada, message bob, subject."""
    nick = stanza.get("from", "").partition("/")[2]
    if stanza.tag == "presence":
        word = "gone" if stanza.get("type") == "unavailable" else "self" if "110" in codes(stanza) else "presence"
        return f"{word} {nick}"
    return "subject" if stanza.find("subject") is not None else f"message {nick}"


# Joining (XEP-0045 7.2) -----------------------------------------------------------------------------------------------


def test_the_order_of_a_join() -> None:
    scene = Scene(inside=False)
    assert scene.out == []
    scene.room.said(Said(ROOM, "bob", "early"))
    scene.enter(subject=Subject("Of all things", "eve", 1700000000.0))
    stanzas = scene.sent()
    assert [brief(stanza) for stanza in stanzas] == [
        "presence bob",
        "presence eve",
        "self ada",
        "subject",
        "message bob",
    ]
    assert {stanza.get("to") for stanza in stanzas} == {ADA}
    assert item(stanzas[0]) == {"affiliation": "admin", "role": "moderator"}
    assert codes(stanzas[2]) == ["100", "110"]
    subject = stanzas[3]
    assert (subject.get("from"), subject.get("type"), subject.findtext("subject")) == (
        f"{JID}/eve",
        "groupchat",
        "Of all things",
    )
    delay = subject.find("{urn:xmpp:delay}delay")
    assert delay is not None and delay.attrib == {"from": JID, "stamp": "2023-11-14T22:13:20Z"}


def test_a_subject_comes_always_and_has_no_body() -> None:
    scene = Scene(inside=False)
    scene.enter()
    subject = scene.sent()[-1]
    assert (subject.get("from"), subject.findtext("subject"), subject.find("body")) == (JID, "", None)


@pytest.mark.parametrize(("wanted", "changed"), [("ada", False), ("", False), ("Ada", True), ("ada\\u{41}", True)])
def test_210_only_when_the_nick_was_changed(wanted: str, changed: bool) -> None:
    scene = Scene((ADA, wanted), inside=False)
    scene.enter()
    (own,) = [stanza for stanza in scene.sent() if brief(stanza).startswith("self")]
    assert codes(own) == ["100", "110"] + ["210"] * changed


def test_joining_again_brings_everything_again_and_to_that_client_alone() -> None:
    scene = Scene((ADA, "ada"), (PHONE, "ada"))
    scene.admit(ADA)
    stanzas = scene.sent()
    assert [brief(stanza) for stanza in stanzas] == ["presence bob", "presence eve", "self ada", "subject"]
    assert {stanza.get("to") for stanza in stanzas} == {ADA}


def test_a_second_client_is_answered_under_its_own_name_for_the_room() -> None:
    scene = Scene()
    alias = "#C~%irc.test@irc.example.org"
    scene.admit(PHONE, "ada", alias)
    assert {stanza.get("from", "").partition("/")[0] for stanza in scene.sent()} == {alias}
    scene.room.said(Said(ROOM, "bob", "hi"))
    one, two = scene.sent()
    assert (one.get("from"), one.get("to")) == (f"{JID}/bob", ADA)
    assert (two.get("from"), two.get("to")) == (f"{alias}/bob", PHONE)
    assert [stanza.find(STANZA_ID).get("by") for stanza in (one, two)] == [JID, alias]  # type: ignore[union-attr]


def test_a_client_that_joins_under_another_name_leaves_under_the_first() -> None:
    scene = Scene()
    alias = "#C~%irc.test@irc.example.org"
    scene.admit(ADA, "ada", alias)
    stanzas = scene.sent()
    assert (brief(stanzas[0]), stanzas[0].get("from")) == ("gone ada", f"{JID}/ada")
    assert {stanza.get("from", "").partition("/")[0] for stanza in stanzas[1:]} == {alias}
    scene.room.dismiss(ADA, JID)
    assert scene.out == [] and not scene.room.empty
    scene.room.dismiss(ADA, alias)
    assert [brief(stanza) for stanza in scene.sent()] == ["gone ada"] and scene.room.empty


def test_what_is_said_before_the_end_of_a_join_is_bounded() -> None:
    scene = Scene(inside=False)
    for number in range(HELD + 10):
        scene.room.said(Said(ROOM, "bob", str(number)))
    scene.enter()
    bodies = [stanza.findtext("body") for stanza in scene.sent() if brief(stanza) == "message bob"]
    assert len(bodies) == HELD and bodies[-1] == str(HELD + 9)


# Leaving (7.14), put out (9.1, 8.2), gone -----------------------------------------------------------------------------


def test_leaving_is_told_to_that_client_alone() -> None:
    scene = Scene((ADA, "ada"), (PHONE, "ada"))
    scene.room.dismiss(ADA, JID, "bye & thanks")
    (gone,) = scene.sent()
    assert (brief(gone), gone.get("to"), codes(gone), gone.findtext("status")) == (
        "gone ada",
        ADA,
        ["110"],
        "bye & thanks",
    )
    assert item(gone)["role"] == "none"
    assert not scene.room.empty
    scene.room.dismiss(ADA, JID)
    assert scene.out == []


@pytest.mark.parametrize(
    ("cause", "wanted"),
    [
        ("left", []),
        ("quit", []),
        ("kicked", ["307"]),
        ("banned", ["301"]),
        ("killed", ["307"]),
        ("split", ["333"]),
        ("lost", ["332"]),
    ],
)
def test_why_somebody_is_gone(cause: Cause, wanted: list[str]) -> None:
    scene = Scene()
    scene.room.left(Left(ROOM, ("eve",), cause, "so <it> is"))
    (gone,) = scene.sent()
    assert (brief(gone), codes(gone), item(gone)["role"]) == ("gone eve", wanted, "none")
    assert gone.findtext("status") == "so <it> is"


def test_who_put_somebody_out_and_why() -> None:
    scene = Scene()
    scene.room.left(Left(ROOM, ("ada",), "kicked", "spam", "bob"))
    (gone,) = scene.sent()
    assert codes(gone) == ["307", "110"]
    actor, reason = gone.find(f".//{USER}actor"), gone.findtext(f".//{USER}reason")
    assert actor is not None and (actor.get("nick"), reason) == ("bob", "spam")


def test_nothing_more_comes_from_a_room_that_one_was_put_out_of() -> None:
    scene = Scene()
    scene.room.left(Left(ROOM, ("ada",), "kicked", "spam", "bob"))
    scene.sent()
    scene.room.reflect(Message("groupchat", "m1", ADA, parse(JID), "late", None, "", False, None))
    assert scene.out == []


def test_all_that_a_split_takes_go_at_once() -> None:
    scene = Scene()
    scene.room.left(Left(ROOM, ("bob", "eve"), "split", "hub leaf"))
    assert [brief(stanza) for stanza in scene.sent()] == ["gone bob", "gone eve"]


# Members --------------------------------------------------------------------------------------------------------------


def test_somebody_comes() -> None:
    scene = Scene((ADA, "ada"), (PHONE, "ada"))
    scene.room.joined(Joined(ROOM, "carol", OP))
    stanzas = scene.sent()
    assert [(brief(stanza), stanza.get("to")) for stanza in stanzas] == [
        ("presence carol", ADA),
        ("presence carol", PHONE),
    ]
    assert item(stanzas[0]) == {"affiliation": "admin", "role": "moderator"} and codes(stanzas[0]) == []
    assert stanzas[0].find(OCCUPANT) is not None


def test_a_nick_change_is_303_and_a_new_presence() -> None:
    scene = Scene()
    scene.room.renamed(Renamed(ROOM, "bob", "[rob]", OP))
    gone, here = scene.sent()
    assert (brief(gone), codes(gone), item(gone)["nick"]) == ("gone bob", ["303"], "[rob]")
    assert (brief(here), codes(here), item(here)["affiliation"]) == ("presence [rob]", [], "admin")


def test_an_own_nick_change_says_that_it_is_ours() -> None:
    scene = Scene()
    scene.room.renamed(Renamed(ROOM, "ada", "eva", NO_RANK))
    gone, here = scene.sent()
    assert (codes(gone), codes(here), brief(here)) == (["303", "110"], ["110"], "self eva")
    scene.room.reflect(Message("groupchat", "m1", ADA, parse(JID), "x", None, "", False, None))
    assert brief(scene.sent()[0]) == "message eva"


def test_a_rank_is_a_presence() -> None:
    scene = Scene()
    scene.room.role_set(RoleSet(ROOM, "ada", OP, "bob"))
    scene.room.role_set(RoleSet(ROOM, "eve", Rank("member", "participant", "v"), "bob"))
    own, eve = scene.sent()
    assert (brief(own), item(own)) == ("self ada", {"affiliation": "admin", "role": "moderator"})
    assert (brief(eve), item(eve)) == ("presence eve", {"affiliation": "member", "role": "participant"})


@pytest.mark.parametrize(
    "nick", ["<&'\">", "a b", "😀", "\u05d0b", "\ufffd", "soft\u00adhyphen", "\x02x", "\\u{41}", "x" * 128]
)
def test_every_nick_is_a_presence_that_xml_can_hold(nick: str) -> None:
    scene = Scene(members={"ada": NO_RANK, nick: OP}, inside=False)
    scene.enter({"ada": NO_RANK, nick: OP})
    scene.room.said(Said(ROOM, nick, nick))
    scene.room.renamed(Renamed(ROOM, nick, nick + "_", OP))
    scene.room.left(Left(ROOM, (nick + "_",), "kicked", nick, nick))
    resources = [stanza.get("from", "").partition("/")[2] for stanza in scene.sent()]
    assert resources[0] == resources[3] == resources[4] and resources[0]
    assert parse(f"{JID}/{resources[0]}").resource == resources[0]


# Words (7.4, 8.1; XEP-0359, XEP-0421, XEP-0245) -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "body"),
    [
        (Said(ROOM, "bob", "hello <you> & me"), "hello <you> & me"),
        (Said(ROOM, "bob", "waves", "act"), "/me waves"),
        (Said(ROOM, "bob", "look", "notice"), "[notice] look"),
        (Said(ROOM, "bob", "/me is no action here"), " /me is no action here"),
        (Said(ROOM, "bob", "/mention"), "/mention"),
        (Said(ROOM, "bob", "\x00\x02\ud800\ufffe"), ""),
        (Said(ROOM, "bob", "é😀"), "é😀"),
    ],
)
def test_what_is_said(fact: Said, body: str) -> None:
    scene = Scene()
    scene.room.said(fact)
    (message,) = scene.sent()
    assert (message.get("type"), message.get("from"), message.findtext("body")) == (
        "groupchat",
        f"{JID}/bob",
        body or "",
    )
    id, stanza_id, occupant = message.get("id"), message.find(STANZA_ID), message.find(OCCUPANT)
    assert stanza_id is not None and stanza_id.attrib == {"by": JID, "id": id}
    assert occupant is not None and occupant.get("id")


def test_the_same_speaker_has_the_same_occupant_id_as_in_its_presence() -> None:
    scene = Scene()
    scene.admit(PHONE)
    scene.room.said(Said(ROOM, "bob", "x"))
    ids = {s.find(OCCUPANT).get("id") for s in scene.sent() if s.get("from") == f"{JID}/bob"}  # type: ignore[union-attr]
    assert len(ids) == 1


def test_late_words_have_their_time() -> None:
    scene = Scene()
    scene.room.said(Said(ROOM, "bob", "then", when=1700000000.0))
    delay = scene.sent()[0].find("{urn:xmpp:delay}delay")
    assert delay is not None and delay.get("stamp") == "2023-11-14T22:13:20Z"


def test_a_reflection_keeps_both_ids_and_adds_two() -> None:
    scene = Scene((ADA, "ada"), (PHONE, "ada"))
    scene.room.reflect(Message("groupchat", "m'1", ADA, parse(JID), "one\ntwo", None, "o<1", False, None))
    for jid, message in zip((ADA, PHONE), scene.sent(), strict=True):
        origin, stanza_id = message.find("{urn:xmpp:sid:0}origin-id"), message.find(STANZA_ID)
        assert (message.get("to"), message.get("id"), message.findtext("body")) == (jid, "m'1", "one\ntwo")
        assert origin is not None and origin.get("id") == "o<1"
        assert stanza_id is not None and stanza_id.get("by") == JID
        assert message.find(OCCUPANT) is not None


def test_a_reflection_of_a_message_without_ids_has_none_of_its_own() -> None:
    scene = Scene()
    scene.room.reflect(Message("groupchat", "", ADA, parse(JID), "x", None, "o" * 5_000, False, None))
    (message,) = scene.sent()
    assert message.get("id") is None and message.find("{urn:xmpp:sid:0}origin-id") is None


def test_a_new_subject() -> None:
    scene = Scene()
    scene.room.subject_set(Subject("New & better", "bob"))
    (message,) = scene.sent()
    assert (message.get("from"), message.findtext("subject"), message.find("body")) == (
        f"{JID}/bob",
        "New & better",
        None,
    )


def test_words_of_the_room_itself_have_no_nick() -> None:
    scene = Scene()
    scene.room.notice("bob set mode +m")
    (message,) = scene.sent()
    assert (message.get("from"), message.findtext("body")) == (JID, "bob set mode +m")


# People of whom more is known (XEP-0045 `jid`, XEP-0317, XEP-0421) -----------------------------------------------------

HATS = "{urn:xmpp:hats:0}"
KIN = Kin(lambda nick: jid_of(f"{nick}%irc.test".lower(), "irc.example.org"), "%irc.test@irc.example.org")
BOB = "bob%irc.test@irc.example.org"
HERE = Person("~b@host.example", id=BY_ADDRESS)


def known(people: dict[str, Person], kin: Kin = KIN) -> Scene:
    """ada's view of a room with bob and eve, where these are known."""
    scene = Scene(inside=False)
    scene.room.kin = kin
    members = {"ada": NO_RANK, "bob": OP, "eve": NO_RANK} | dict.fromkeys(people.keys() - {"ada"}, OP)
    scene.room.entered(Entered(ROOM, "ada", members, NO_SUBJECT, people))
    return scene


def shown(stanza: ET.Element) -> tuple[str | None, str | None, list[tuple[str | None, str | None]]]:
    """Show, status, hats."""
    hats = [(hat.get("uri"), hat.get("title")) for hat in stanza.iterfind(f"{HATS}hats/{HATS}hat")]
    return stanza.findtext("show"), stanza.findtext("status"), hats


@pytest.mark.parametrize(
    ("who", "jid", "seen", "id"),
    [
        (HERE, "bob%irc.test@irc.example.org/~b@host.example", (None, None, []), "bob!~b@host.example"),
        (Person(account="bob", id="=bob"), None, (None, None, [(ACCOUNT_HAT, "Logged in as bob")]), "=bob"),
        (Person(account="bob"), None, (None, None, [(ACCOUNT_HAT, "Logged in as bob")]), "bob"),
        (HERE._replace(away="out <&> about"), f"{BOB}/~b@host.example", ("away", "out <&> about", []), "bob!~b@host.example"),
        (Person(away=""), None, ("away", None, []), "bob"),
        (Person(bot=True), None, (None, None, [(BOT_HAT, "Bot")]), "bob"),
        (Person("~b@2001:db8::1", id="rob!x@y"), "bob%irc.test@irc.example.org/~b@2001:db8::1", (None, None, []), "rob!x@y"),
        (Person("~b@<'&\">"), "bob%irc.test@irc.example.org/~b@<'&\">", (None, None, []), "bob"),
    ],
)  # fmt: skip
def test_what_is_known_of_somebody_is_shown(
    who: Person, jid: str | None, seen: tuple[str | None, str | None, list[tuple[str, str]]], id: str
) -> None:
    scene = known({"bob": who})
    scene.room.joined(Joined(ROOM, "bob", OP, who))
    scene.room.role_set(RoleSet(ROOM, "bob", OP))
    scene.room.became(Became(ROOM, "bob", OP, who))
    in_burst, *later = [stanza for stanza in scene.sent() if brief(stanza) == "presence bob"]
    for stanza in (in_burst, *later):
        expected = {"affiliation": "admin", "role": "moderator"} | ({"jid": jid} if jid else {})
        assert (item(stanza), shown(stanza), stanza.find(OCCUPANT).get("id")) == (expected, seen, id)  # type: ignore[union-attr]
    assert len(later) == 3
    scene.room.said(Said(ROOM, "bob", "hello"))
    (said,) = scene.sent()
    assert said.find(OCCUPANT).get("id") == id  # type: ignore[union-attr]


def test_a_nick_in_capitals_and_one_of_odd_letters_have_addresses_that_servers_take() -> None:
    scene = known({nick: Person("~u@h\u00e4user.\U0001f600", id=BY_ADDRESS) for nick in ("[Bob]", "B\u00f6b", "\U0001f600")})
    jids = [item(stanza).get("jid", "") for stanza in scene.sent() if stanza.tag == "presence"]
    jids = [jid for jid in jids if jid]
    assert len(jids) == 3 and [parse(jid).full for jid in jids] == jids
    assert all(speakable(parse(jid)) for jid in jids)


def test_an_address_that_is_none_is_left_out() -> None:
    scene = known({"bob": Person("h" * 2_000)})
    (bob,) = [stanza for stanza in scene.sent() if brief(stanza) == "presence bob"]
    assert "jid" not in item(bob)


def test_the_user_finds_himself_by_his_own_address_in_all_that_is_said_of_him() -> None:
    """Converse.js lets those moderate whose own JID it finds among the occupants."""
    scene = known({"ada": HERE}, KIN._replace(own="ada@example.org"))
    scene.room.role_set(RoleSet(ROOM, "ada", OP))
    scene.room.renamed(Renamed(ROOM, "ada", "countess", OP))
    own = [stanza for stanza in scene.sent() if brief(stanza).startswith("self") and stanza.get("type") is None]
    assert [item(stanza).get("jid") for stanza in own] == ["ada@example.org"] * 3


def test_the_user_is_shown_away_and_without_an_address() -> None:
    scene = known({"ada": Person("~a@h", "ada", away="", id="=ada")})
    (own,) = [stanza for stanza in scene.sent() if brief(stanza) == "self ada"]
    assert "jid" not in item(own) and shown(own) == ("away", None, [(ACCOUNT_HAT, "Logged in as ada")])
    scene.room.became(Became(ROOM, "ada", NO_RANK, Person("~a@h", "ada", id="=ada")))
    (own,) = scene.sent()
    assert codes(own) == ["110"] and shown(own)[0] is None
    scene.room.reflect(Message("groupchat", "1", ADA, parse(JID), "hi", None, "", False, None))
    (said,) = scene.sent()
    assert said.find(OCCUPANT).get("id") == "=ada"  # type: ignore[union-attr]


def test_another_nick_shows_the_same_person() -> None:
    people = {"bob": HERE}
    scene = known(people)
    scene.sent()
    people["rob"] = people.pop("bob")._replace(id="bob!~b@host.example")
    scene.room.renamed(Renamed(ROOM, "bob", "rob", OP))
    _, here = scene.sent()
    assert item(here)["jid"] == "rob%irc.test@irc.example.org/~b@host.example"
    assert here.find(OCCUPANT).get("id") == "bob!~b@host.example"  # type: ignore[union-attr]


def test_who_comes_back_into_a_room_is_known_by_one_id() -> None:
    scene = Scene()
    comeback.interrupt(scene.room, "lost")
    scene.out.clear()
    scene.room.entered(Entered(ROOM, "ada", dict(MEMBERS), NO_SUBJECT, {"ada": Person("a@h", id=BY_ADDRESS)}))
    (own,) = [stanza for stanza in scene.sent() if brief(stanza) == "self ada"]
    scene.room.reflect(Message("groupchat", "1", ADA, parse(JID), "hi", None, "", False, None))
    (said,) = scene.sent()
    assert [stanza.find(OCCUPANT).get("id") for stanza in (own, said)] == ["ada!a@h"] * 2  # type: ignore[union-attr]
