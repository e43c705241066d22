"""Rooms where a user stays: without a client, while the far side is lost, and over a restart; and when the user is away."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN, FarBridge, House, condition
from transports.errors import LegacyError
from transports.events import (
    BY_ADDRESS,
    NO_RANK,
    Address,
    Echoed,
    Entered,
    Fact,
    Interrupted,
    Join,
    Leave,
    Left,
    Person,
    Rank,
    Refused,
    Said,
    SameRoom,
    SetAway,
    Subject,
    Up,
)
from transports.readmit import readmit
from transports.roll import Stay, Stayed

ROOM, ALIAS, OTHER = Address("room", "#c"), Address("room", "#c~"), Address("room", "#d")
JID = f"#c@{DOMAIN}"
USER, DESK, PHONE = "ada@example.org", "ada@example.org/desk", "ada@example.org/phone"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
MEMBERS = {"ada": NO_RANK, "bob": NO_RANK, "eve": Rank("admin", "moderator")}
LOST = LegacyError("remote-server-timeout", "The link is lost.")
USERS = "{http://jabber.org/protocol/muc#user}"


class Staying(FarBridge):
    """Its user stays in the rooms of `kept`."""

    kept: frozenset[Address] = frozenset((ROOM, ALIAS))

    def persistent(self, user: str, room: Address) -> bool:
        return room in self.kept


class Kept:
    """A roll that a test reads: what was noted, by its name."""

    def __init__(self) -> None:
        self.rooms: dict[tuple[str, str], str] = {}
        self.clients: set[tuple[str, str]] = set()
        self.gaps: list[str] = []

    def entered(self, user: str, room: Address, nick: str, password: str) -> None:
        self.rooms[user, room.name] = f"{nick} {password}".strip()

    def called(self, user: str, room: Address, nick: str) -> None:
        self.rooms[user, room.name] = nick

    def interrupted(self, user: str, room: Address, since: float) -> None:
        self.gaps.append(room.name)

    def left(self, user: str, room: Address) -> None:
        self.rooms.pop((user, room.name), None)
        self.alone(user, room)

    def came(self, user: str, room: Address, client: Stayed) -> None:
        self.clients.add((room.name, client.jid))

    def gone(self, user: str, room: Address, jid: str) -> None:
        self.clients.discard((room.name, jid))

    def alone(self, user: str, room: Address) -> None:
        self.clients = {(name, jid) for name, jid in self.clients if name != room.name}


class Scene(House):
    def __init__(self) -> None:
        super().__init__(bridge=Staying())
        self.roll = Kept()
        self.wing.roll = self.roll  # type: ignore[assignment]

    def join(self, who: str = DESK, room: str = JID, nick: str = "ada", more: str = "") -> None:
        self.stanza(f"<presence from='{who}' to='{room}/{nick}'>{more}{MUC}</presence>")

    def enter(self, *who: str, room: Address = ROOM) -> None:
        for client in who or (DESK,):
            self.join(client, f"{room.name}@{DOMAIN}")
        self.tell(Entered(room, "ada", dict(MEMBERS), Subject("a subject", "bob")))
        self.took()
        self.out.clear()

    def leave(self, who: str = DESK) -> None:
        self.stanza(f"<presence from='{who}' to='{JID}/ada' type='unavailable'/>")

    def bounce(self, who: str = DESK) -> None:
        error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        self.stanza(f"<message from='{who}' to='{JID}' type='error'>{error}</message>")

    def tell(self, fact: Fact) -> None:
        self.bridge.sessions[USER].outlet.tell(fact)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def codes(stanza: ET.Element) -> set[str]:
    return {status.get("code", "") for status in stanza.iterfind(f"{USERS}x/{USERS}status")}


def nick(stanza: ET.Element) -> str:
    return stanza.get("from", "").partition("/")[2]


def body(stanza: ET.Element) -> str:
    return stanza.findtext("body") or ""


# Without a client -----------------------------------------------------------------------------------------------------


def test_the_last_client_may_go(scene: Scene) -> None:
    scene.enter()
    scene.leave()
    assert scene.took() == [SetAway("")]
    (gone,) = scene.sent()
    assert codes(gone) == {"110"}
    scene.tell(Said(ROOM, "bob", "anybody?"))
    assert scene.sent() == []
    scene.join(PHONE)
    assert scene.took() == [SetAway(None)]
    assert [nick(stanza) for stanza in scene.sent() if stanza.tag == "presence"] == ["bob", "eve", "ada"]


def test_a_client_that_vanishes_leaves_the_user_there(scene: Scene) -> None:
    scene.enter()
    scene.bounce()
    assert scene.took() == [SetAway("")]
    scene.wing.sweep()
    assert scene.took() == [] and USER in scene.wing.visitors


def test_a_room_that_is_not_to_stay_is_left(scene: Scene) -> None:
    scene.enter(room=OTHER)
    scene.stanza(f"<presence from='{DESK}' to='#d@{DOMAIN}/ada' type='unavailable'/>")
    assert scene.took() == [Leave(OTHER)]


def test_a_join_that_is_given_up_is_no_stay(scene: Scene) -> None:
    scene.join()
    scene.took()
    scene.leave()
    assert scene.took() == [Leave(ROOM)]


def test_a_room_that_is_to_stay_no_longer_is_left_when_it_is_empty(scene: Scene) -> None:
    scene.enter()
    scene.leave()
    scene.took()
    scene.bridge.kept = frozenset()  # type: ignore[attr-defined]
    scene.wing.sweep()
    assert Leave(ROOM) in scene.took()
    assert scene.roll.rooms == {}


# The far side is lost -------------------------------------------------------------------------------------------------


def test_the_others_leave_and_come_back(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.tell(Interrupted(ROOM, LOST))
    for_desk = [stanza for stanza in scene.sent() if stanza.get("to") == DESK]
    assert [(nick(s), s.get("type"), codes(s)) for s in for_desk[:-1]] == [
        ("bob", "unavailable", {"333"}),
        ("eve", "unavailable", {"333"}),
    ]
    assert "The link is lost." in body(for_desk[-1]) and for_desk[-1].get("from") == JID
    scene.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "carol": NO_RANK}, Subject("a subject", "bob")))
    for_phone = [stanza for stanza in scene.sent() if stanza.get("to") == PHONE]
    assert [(nick(s), s.get("type")) for s in for_phone[:-1]] == [("carol", None), ("ada", None)]
    assert "110" in codes(for_phone[-2])
    assert body(for_phone[-1]) == "The connection is back."
    assert scene.took() == []


def test_what_is_known_of_people_is_the_far_sides_again(scene: Scene) -> None:
    scene.enter()
    scene.tell(Interrupted(ROOM, LOST))
    scene.sent()
    people = {"ada": Person(host="~ada@new.example", id=BY_ADDRESS), "bob": Person(away="lunch")}
    scene.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("a subject", "bob"), people))
    bob, ada, _ = scene.sent()
    assert bob.findtext("show") == "away"
    own = ada.find("{urn:xmpp:occupant-id:0}occupant-id")
    scene.stanza(f"<message from='{DESK}' to='{JID}' type='groupchat' id='m1'><body>hello</body></message>")
    (command,) = scene.took()
    scene.tell(Echoed((command,)))  # type: ignore[arg-type]
    (echo,) = scene.sent()
    shown = echo.find("{urn:xmpp:occupant-id:0}occupant-id")
    assert own is not None and shown is not None and own.get("id") == shown.get("id") != "ada"


def test_a_subject_that_changed_meanwhile_is_shown(scene: Scene) -> None:
    scene.enter()
    scene.tell(Interrupted(ROOM, LOST))
    scene.sent()
    scene.tell(Entered(ROOM, "ada", {"ada": NO_RANK}, Subject("another", "bob")))
    assert [s.findtext("subject") for s in scene.sent() if s.find("subject") is not None] == ["another"]


def test_another_nick_at_the_return(scene: Scene) -> None:
    scene.enter()
    scene.tell(Interrupted(ROOM, LOST))
    scene.sent()
    scene.tell(Entered(ROOM, "ada_", {"ada_": NO_RANK}, Subject("a subject", "bob")))
    before, after, *_ = scene.sent()
    assert (nick(before), before.get("type"), codes(before)) == ("ada", "unavailable", {"303", "110"})
    assert (nick(after), after.get("type")) == ("ada_", None) and "110" in codes(after)


def test_a_client_that_comes_meanwhile_is_let_in_and_told_why_nobody_is_there(scene: Scene) -> None:
    scene.enter()
    scene.tell(Interrupted(ROOM, LOST))
    scene.sent()
    scene.join(PHONE)
    stanzas = scene.sent()
    assert [nick(s) for s in stanzas if s.tag == "presence"] == ["ada"]
    assert {s.get("to") for s in stanzas} == {PHONE}
    assert "The link is lost." in body(stanzas[-1])
    assert scene.took() == []


def test_a_small_room_that_is_lost_loses_its_one_other(scene: Scene) -> None:
    scene.join()
    scene.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("")))
    scene.out.clear()
    scene.tell(Interrupted(ROOM, LOST))
    gone, why = scene.sent()
    assert (nick(gone), codes(gone)) == ("bob", {"333"}) and body(why)


@pytest.mark.parametrize(
    ("refused", "code"),
    [("forbidden", "301"), ("registration-required", "322"), ("not-authorized", "307"), ("remote-server-timeout", "332")],
)
def test_who_is_not_let_in_again_is_put_out_with_the_reason(scene: Scene, refused: str, code: str) -> None:
    scene.enter()
    scene.tell(Interrupted(ROOM, LOST))
    scene.sent()
    scene.tell(Refused(ROOM, LegacyError(refused, "No more.")))
    (gone,) = scene.sent()
    assert (nick(gone), gone.get("type"), codes(gone)) == ("ada", "unavailable", {"110", code})
    assert gone.findtext("status") == "No more."
    assert scene.roll.rooms == {}
    scene.join()
    assert [type(command) for command in scene.took()] == [Join]


def test_the_gateway_stops_meanwhile(scene: Scene) -> None:
    scene.enter()
    scene.tell(Interrupted(ROOM, LOST))
    scene.sent()
    scene.wing.close("Bye.")
    (gone,) = scene.sent()
    assert codes(gone) == {"110", "332"}


# What is kept ---------------------------------------------------------------------------------------------------------


def test_rooms_and_clients_are_noted(scene: Scene) -> None:
    scene.stanza(
        f"<presence from='{DESK}' to='{JID}/ada'><x xmlns='http://jabber.org/protocol/muc'><password>sesame</password></x></presence>"
    )
    assert scene.roll.rooms == {}
    scene.tell(Entered(ROOM, "ada", dict(MEMBERS), Subject("")))
    scene.join(PHONE)
    assert scene.roll.rooms == {(USER, "#c"): "ada sesame"}
    assert scene.roll.clients == {("#c", DESK), ("#c", PHONE)}
    scene.tell(Interrupted(ROOM, LOST))
    assert scene.roll.gaps == ["#c"]
    scene.bounce(PHONE)
    assert scene.roll.clients == {("#c", DESK)}
    scene.leave()
    assert scene.roll.clients == set() and scene.roll.rooms
    scene.tell(Left(ROOM, ("ada",), "kicked", "out", "eve"))
    assert scene.roll.rooms == {}


def test_a_stop_keeps_the_rooms_where_the_user_stays_and_no_client(scene: Scene) -> None:
    scene.enter()
    scene.enter(room=OTHER)
    scene.wing.close("Bye.")
    assert scene.roll.rooms == {(USER, "#c"): "ada"} and scene.roll.clients == set()


def test_who_is_sent_away_is_forgotten(scene: Scene) -> None:
    scene.enter()
    scene.wing.dismiss(USER, "Go.")
    assert scene.roll.rooms == {} and scene.roll.clients == set()


def test_two_names_of_a_room_are_one(scene: Scene) -> None:
    scene.enter()
    scene.join(PHONE, f"#c~@{DOMAIN}")
    scene.tell(SameRoom(ROOM, ALIAS))
    assert scene.roll.clients == {("#c", DESK), ("#c", PHONE)}
    scene.join("ada@example.org/third", f"#c~@{DOMAIN}")
    assert scene.roll.clients == {("#c", DESK), ("#c", PHONE), ("#c", "ada@example.org/third")}
    scene.stanza(f"<presence from='{PHONE}' to='#c~@{DOMAIN}/ada' type='unavailable'/>")
    assert ("#c", PHONE) not in scene.roll.clients
    scene.wing.close("Bye.")
    assert scene.roll.rooms == {(USER, "#c"): "ada"} and scene.roll.clients == set()


# After a start --------------------------------------------------------------------------------------------------------

DESK_THERE = Stayed(DESK, JID, "ada")
PHONE_THERE = Stayed(PHONE, JID, "lovelace")


async def test_rooms_are_joined_and_clients_called(scene: Scene) -> None:
    await readmit(scene.wing, [Stay(USER, ROOM, "ada", "sesame", 1_000.0, [DESK_THERE, PHONE_THERE])])
    assert scene.took() == [Join(ROOM, "ada", "", "sesame", 1_000.0)]
    calls = scene.sent()
    assert [(call.get("to"), body(call)) for call in calls] == [(DESK, ""), (PHONE, "")]
    scene.bounce(PHONE)
    scene.tell(Entered(ROOM, "ada", dict(MEMBERS), Subject("a subject")))
    stanzas = scene.sent()
    assert {stanza.get("to") for stanza in stanzas} == {DESK}
    assert [nick(stanza) for stanza in stanzas[:3]] == ["bob", "eve", "ada"] and "110" in codes(stanzas[2])
    assert stanzas[3].findtext("subject") == "a subject"


async def test_a_room_without_a_client_comes_back_where_the_user_stays_only(scene: Scene) -> None:
    scene.roll.rooms = {(USER, "#c"): "ada", (USER, "#d"): "ada"}
    await readmit(scene.wing, [Stay(USER, ROOM, "ada", "", 1.0, ()), Stay(USER, OTHER, "ada", "", 1.0, ())])
    assert scene.took() == [Join(ROOM, "ada", "", "", 1.0)]
    assert scene.roll.rooms == {(USER, "#c"): "ada"}


async def test_a_room_whose_clients_are_all_gone_is_left(scene: Scene) -> None:
    await readmit(scene.wing, [Stay(USER, OTHER, "ada", "", 1.0, [Stayed(DESK, f"#d@{DOMAIN}", "ada")])])
    scene.took()
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    scene.stanza(f"<message from='{DESK}' to='#d@{DOMAIN}' type='error'>{error}</message>")
    assert Leave(OTHER) in scene.took()


async def test_who_may_not_use_the_gateway_any_more_does_not_come_back(scene: Scene) -> None:
    scene.roll.rooms = {("eve@elsewhere.example", "#c"): "eve"}
    await readmit(scene.wing, [Stay("eve@elsewhere.example", ROOM, "eve", "", 1.0, ())])
    assert scene.wing.visitors == {} and scene.roll.rooms == {}


async def test_what_is_no_room_any_more_does_not_come_back(scene: Scene) -> None:
    stays = [Stay(USER, Address("room", "#no!"), "ada", "", 1.0, ()), Stay(USER, ROOM, "ada", "", 1.0, ())]
    scene.bridge.kept = frozenset((ROOM, Address("room", "#no!")))  # type: ignore[attr-defined]
    await readmit(scene.wing, stays)
    assert [command.room for command in scene.took() if isinstance(command, Join)] == [ROOM]


async def test_a_client_that_was_faster_brings_the_others_in(scene: Scene) -> None:
    scene.join()
    scene.took()
    await readmit(scene.wing, [Stay(USER, ROOM, "ada", "", 1.0, [DESK_THERE, PHONE_THERE])])
    assert scene.took() == []
    scene.sent()
    scene.tell(Entered(ROOM, "ada", dict(MEMBERS), Subject("")))
    assert {stanza.get("to") for stanza in scene.sent()} == {DESK, PHONE}


async def test_words_said_before_the_return_reach_the_client_that_says_them(scene: Scene) -> None:
    await readmit(scene.wing, [Stay(USER, ROOM, "ada", "", 1.0, [DESK_THERE])])
    scene.took()
    scene.sent()
    scene.stanza(f"<message from='{DESK}' to='{JID}' type='groupchat' id='m1'><body>hello</body></message>")
    assert len(scene.took()) == 1  # the bridge refuses it, with its own words
    assert not any(condition(stanza) for stanza in scene.sent())


# Away -----------------------------------------------------------------------------------------------------------------


def test_the_best_of_all_clients_counts(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    steps = [
        (DESK, "<show>away</show><status>lunch</status>", []),
        (PHONE, "<show>xa</show>", [SetAway("lunch")]),
        (DESK, "<show>dnd</show><status>busy</status>", [SetAway("busy")]),
        (DESK, "<show>dnd</show><status>busy</status>", []),
        (PHONE, "", [SetAway(None)]),
        (PHONE, "<show>chat</show>", []),
        (DESK, "", []),
    ]
    for who, inner, orders in steps:
        scene.stanza(f"<presence from='{who}' to='{JID}/ada'>{inner}</presence>")
        assert scene.took() == orders
    assert scene.sent() == []


def test_a_client_that_comes_in_away_is_away(scene: Scene) -> None:
    scene.enter()
    scene.leave()
    scene.took()
    scene.join(more="<show>away</show><status>lunch</status>")
    assert scene.took() == [SetAway("lunch")]


def test_a_client_that_goes_counts_no_more(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada'><show>away</show></presence>")
    scene.leave(PHONE)
    assert scene.took() == [SetAway("")]
    scene.leave(DESK)
    assert scene.took() == []
    scene.join(DESK)
    assert scene.took() == [SetAway(None)]


def test_who_is_away_is_so_on_a_server_that_comes_later(scene: Scene) -> None:
    scene.enter()
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada'><show>away</show></presence>")
    scene.took()
    scene.tell(Up(Address("server", "desk")))
    assert scene.took() == [SetAway("")]
