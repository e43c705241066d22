"""One user on a live bridge: whose stanza becomes which command, and which client sees which fact."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN, House, condition, words
from transports import visitor
from transports.errors import LegacyError
from transports.events import (
    NO_RANK,
    Address,
    Down,
    Echoed,
    Entered,
    Fact,
    Failed,
    Invited,
    Join,
    Joined,
    Leave,
    Left,
    Notice,
    Refused,
    Rename,
    Renamed,
    Said,
    SameRoom,
    Say,
    SetAway,
    SetSubject,
    Subject,
    Up,
)
from transports.visitor import CLIENTS

ROOM, ALIAS = Address("room", "#c"), Address("room", "#c~")
BOB = Address("person", "bob")
JID = f"#c@{DOMAIN}"
USER, DESK, PHONE = "ada@example.org", "ada@example.org/desk", "ada@example.org/phone"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
MEMBERS = {"ada": NO_RANK, "bob": NO_RANK}
GONE = LegacyError("remote-server-timeout", "It is gone.")


class Scene(House):
    def join(self, who: str = DESK, nick: str = "ada", room: str = JID, id: str = "j1") -> None:
        self.stanza(f"<presence from='{who}' to='{room}/{nick}' id='{id}'>{MUC}</presence>")

    def enter(self, *who: str) -> None:
        """Clients are in the room with bob; what it took is taken."""
        for client in who or (DESK,):
            self.join(client)
        self.tell(Entered(ROOM, "ada", dict(MEMBERS), Subject("")))
        self.took()
        self.out.clear()

    def tell(self, fact: Fact) -> None:
        self.bridge.sessions[USER].outlet.tell(fact)

    def say(self, body: str = "hello", who: str = DESK, to: str = JID, kind: str = "groupchat", id: str = "m1") -> None:
        self.stanza(f"<message from='{who}' to='{to}' type='{kind}' id='{id}'><body>{body}</body></message>")

    def only(self) -> ET.Element:
        (stanza,) = self.sent()
        return stanza


def body(stanza: ET.Element) -> str:
    return stanza.findtext("{jabber:component:accept}body") or stanza.findtext("body") or ""


@pytest.fixture
def scene() -> Scene:
    return Scene()


# Joining --------------------------------------------------------------------------------------------------------------


def test_a_join_is_one_command_and_its_answer_goes_to_who_asked(scene: Scene) -> None:
    scene.stanza(
        f"<presence from='{DESK}' to='{JID}/ada'><x xmlns='http://jabber.org/protocol/muc'>"
        "<history maxstanzas='0'/><password>key</password></x></presence>"
    )
    assert scene.took() == [Join(ROOM, "ada", DESK, "key")]
    assert scene.sent() == []
    scene.tell(Entered(ROOM, "ada", dict(MEMBERS), Subject("")))
    assert {stanza.get("to") for stanza in scene.sent()} == {DESK}


def test_a_second_client_is_let_in_by_us(scene: Scene) -> None:
    scene.enter()
    scene.join(PHONE)
    assert scene.took() == []
    assert [stanza.get("to") for stanza in scene.sent()] == [PHONE] * 3


def test_joining_again_sends_everything_and_asks_the_far_side_nothing(scene: Scene) -> None:
    scene.enter()
    scene.join()
    assert scene.took() == [] and len(scene.sent()) == 3


def test_a_refused_join_is_an_error_from_what_was_asked_for_with_its_id(scene: Scene) -> None:
    scene.join(nick="ad&amp;a", id="j7")
    scene.tell(Refused(ROOM, LegacyError("conflict", "The nick is in use.")))
    error = scene.only()
    assert (error.get("type"), error.get("from"), error.get("to"), error.get("id")) == (
        "error",
        f"{JID}/ad&a",
        DESK,
        "j7",
    )
    assert (condition(error), words(error)) == ("conflict", "The nick is in use.")
    scene.took()
    scene.join(nick="ada2")
    assert scene.took() == [Join(ROOM, "ada2", DESK)]


def test_a_refusal_is_told_to_all_who_wait_unless_it_is_for_one(scene: Scene) -> None:
    scene.join(DESK)
    scene.join(PHONE)
    scene.tell(Refused(ROOM, GONE, PHONE))
    assert scene.only().get("to") == PHONE
    scene.tell(Refused(ROOM, GONE))
    assert scene.only().get("to") == DESK
    scene.tell(Refused(ROOM, GONE))
    assert scene.sent() == []


def test_two_names_of_one_room_are_one_room_with_two_names(scene: Scene) -> None:
    scene.enter()
    scene.join(PHONE, room=f"#c~@{DOMAIN}")
    assert scene.took() == [Join(ALIAS, "ada", PHONE)]
    scene.tell(SameRoom(ROOM, ALIAS))
    assert {stanza.get("from", "").partition("/")[0] for stanza in scene.sent()} == {f"#c~@{DOMAIN}"}
    scene.tell(Said(ROOM, "bob", "hi"))
    assert [(s.get("to"), s.get("from")) for s in scene.sent()] == [(DESK, f"{JID}/bob"), (PHONE, f"#c~@{DOMAIN}/bob")]
    scene.say(who=PHONE, to=f"#c~@{DOMAIN}")
    (say,) = scene.took()
    assert isinstance(say, Say)
    scene.tell(Echoed([say]))
    assert [stanza.get("from") for stanza in scene.sent()] == [f"{JID}/ada", f"#c~@{DOMAIN}/ada"]
    scene.tell(Left(ROOM, ("ada",), "lost", "gone"))
    assert [stanza.get("to") for stanza in scene.sent()] == [DESK, PHONE]
    assert scene.wing.visitors[USER].rooms == {}


def test_a_room_entered_after_all_have_left_is_left(scene: Scene) -> None:
    scene.join()
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada' type='unavailable'/>")
    scene.tell(Entered(ROOM, "ada", dict(MEMBERS), Subject("")))
    assert [type(command) for command in scene.took()] == [Join, Leave, Leave]
    assert scene.sent() == []


# Presence of who is in ------------------------------------------------------------------------------------------------


def test_another_nick_is_a_rename_and_the_same_is_none(scene: Scene) -> None:
    scene.enter()
    scene.stanza(f"<presence from='{DESK}' to='{JID}/eva' id='n1'/>")
    (rename,) = scene.took()
    assert isinstance(rename, Rename) and (rename.room, rename.nick, rename.by) == (ROOM, "eva", DESK)
    scene.tell(Failed(rename, LegacyError("conflict", "The nick is in use.")))
    error = scene.only()
    assert (error.tag, error.get("id"), error.get("to"), condition(error)) == ("presence", "n1", DESK, "conflict")
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada'><show>away</show></presence>")
    assert scene.took() == [SetAway("")] and scene.sent() == []


def test_presence_to_a_room_not_joined_is_not_acceptable(scene: Scene) -> None:
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada'/>")
    assert condition(scene.only()) == "not-acceptable"


def test_news_of_a_client_whose_join_is_under_way_is_no_error(scene: Scene) -> None:
    scene.join()
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada'><show>away</show></presence>")
    assert scene.sent() == []


def test_the_last_client_that_leaves_leaves_the_far_side(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    leaving = f"<presence from='{{}}' to='{JID}/ada' type='unavailable'><status>bye</status></presence>"
    scene.stanza(leaving.format(DESK))
    assert scene.took() == [] and scene.only().get("to") == DESK
    scene.stanza(leaving.format(PHONE))
    assert scene.took() == [Leave(ROOM, "bye")] and scene.only().get("to") == PHONE
    assert scene.wing.visitors[USER].idle


@pytest.mark.parametrize("stanza", ["message", "presence"])
@pytest.mark.parametrize(
    ("wanted", "out"), [("service-unavailable", True), ("recipient-unavailable", True), ("not-acceptable", False)]
)
def test_a_client_that_bounces_is_gone(scene: Scene, stanza: str, wanted: str, out: bool) -> None:
    scene.enter()
    error = f"<error type='cancel'><{wanted} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    scene.stanza(f"<{stanza} from='{DESK}' to='{JID}/bob' type='error'>{error}</{stanza}>")
    assert scene.sent() == []
    assert scene.took() == ([Leave(ROOM)] if out else [])


# Words ----------------------------------------------------------------------------------------------------------------


def test_words_to_a_room_are_reflected_once_when_they_are_taken(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.say("one\ntwo")
    (say,) = scene.took()
    assert isinstance(say, Say) and (say.to, say.nick, say.text, say.by) == (ROOM, "", "one\ntwo", DESK)
    assert scene.sent() == []
    scene.tell(Echoed([say]))
    assert [(s.get("to"), s.get("id"), s.findtext("body")) for s in scene.sent()] == [
        (DESK, "m1", "one\ntwo"),
        (PHONE, "m1", "one\ntwo"),
    ]


def test_equal_ids_of_two_clients_are_not_mixed_up(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.say("one", DESK, id="same")
    scene.say("two", PHONE, id="same")
    first, second = scene.took()
    assert isinstance(first, Say) and isinstance(second, Say)
    scene.tell(Failed(first, GONE))
    assert scene.only().get("to") == DESK
    scene.tell(Echoed([second]))
    assert [stanza.findtext("body") for stanza in scene.sent()] == ["two", "two"]


def test_words_that_fail_are_an_error_to_who_said_them(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.say()
    (say,) = scene.took()
    assert isinstance(say, Say)
    scene.tell(Failed(say, LegacyError("forbidden", "You are not allowed to speak.")))
    error = scene.only()
    assert (error.get("to"), error.get("from"), error.get("id"), condition(error)) == (DESK, JID, "m1", "forbidden")


def test_a_subject_is_a_command_and_words_beside_it_are_words(scene: Scene) -> None:
    scene.enter()
    scene.stanza(f"<message from='{DESK}' to='{JID}' type='groupchat' id='s'><subject>New</subject></message>")
    scene.stanza(f"<message from='{DESK}' to='{JID}' type='groupchat'><subject>x</subject><body>y</body></message>")
    assert [type(command) for command in scene.took()] == [SetSubject, Say]


@pytest.mark.parametrize(("to", "kind"), [(JID, "groupchat"), (f"{JID}/bob", "chat"), (f"#none@{DOMAIN}", "groupchat")])
def test_words_to_a_room_not_joined_are_not_acceptable(scene: Scene, to: str, kind: str) -> None:
    if "none" not in to:
        scene.enter(PHONE)
    scene.say(to=to, kind=kind)
    assert condition(scene.only()) == "not-acceptable"
    assert scene.took() == []


# Words to and from people ---------------------------------------------------------------------------------------------


def test_a_person_answers_from_its_own_address(scene: Scene) -> None:
    scene.say(to=f"bob@{DOMAIN}", kind="chat")
    (say,) = scene.took()
    assert isinstance(say, Say) and (say.to, say.nick) == (BOB, "")
    scene.tell(Echoed([say]))
    assert scene.sent() == []
    scene.tell(Said(BOB, "Bob", "hi", "act"))
    message = scene.only()
    assert (message.get("from"), message.get("to"), message.get("type")) == (f"bob@{DOMAIN}", USER, "chat")
    assert message.findtext("body") == "/me hi"


def test_a_person_answers_from_the_room_while_that_was_written_to_last(scene: Scene) -> None:
    scene.enter()
    scene.say(to=f"{JID}/bob", kind="chat")
    (say,) = scene.took()
    assert isinstance(say, Say) and (say.to, say.nick) == (ROOM, "bob")
    scene.tell(Said(BOB, "bob", "psst"))
    message = scene.only()
    assert (message.get("from"), message.get("to"), message.get("type")) == (f"{JID}/bob", DESK, "chat")
    assert message.find("{http://jabber.org/protocol/muc#user}x") is not None
    scene.tell(Notice(BOB, "bob is away: lunch"))
    assert scene.only().get("from") == f"{JID}/bob"
    scene.say(to=f"bob@{DOMAIN}", kind="chat")
    scene.tell(Said(BOB, "bob", "psst"))
    assert scene.only().get("from") == f"bob@{DOMAIN}"


def test_a_person_who_takes_another_nick_answers_from_that(scene: Scene) -> None:
    scene.enter()
    scene.say(to=f"{JID}/bob", kind="chat")
    visitor = scene.wing.visitors[USER]
    members = visitor.rooms[ROOM].members
    members["rob"] = members.pop("bob")  # type: ignore[attr-defined, index]
    scene.tell(Renamed(ROOM, "bob", "rob", NO_RANK))
    scene.out.clear()
    scene.tell(Said(Address("person", "rob"), "rob", "psst"))
    assert scene.only().get("from") == f"{JID}/rob"


def test_a_person_who_left_the_room_answers_from_its_own_address(scene: Scene) -> None:
    scene.enter()
    scene.say(to=f"{JID}/bob", kind="chat")
    scene.wing.visitors[USER].rooms[ROOM].members.pop("bob")  # type: ignore[attr-defined]
    scene.tell(Said(BOB, "bob", "psst"))
    assert scene.only().get("from") == f"bob@{DOMAIN}"


def test_a_person_answers_from_its_own_address_when_the_client_has_left_the_room(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.say(to=f"{JID}/bob", kind="chat")
    scene.stanza(f"<presence from='{DESK}' to='{JID}/ada' type='unavailable'/>")
    scene.sent()
    scene.tell(Said(BOB, "bob", "psst"))
    assert scene.only().get("from") == f"bob@{DOMAIN}"


def test_words_to_somebody_who_is_not_there(scene: Scene) -> None:
    scene.enter()
    scene.say(to=f"{JID}/nobody", kind="chat")
    assert condition(scene.only()) == "item-not-found"


def test_plain_words_of_a_person_do_not_look_like_an_action(scene: Scene) -> None:
    scene.say(to=f"bob@{DOMAIN}", kind="chat")
    scene.tell(Said(BOB, "bob", "/me is quoted"))
    assert scene.only().findtext("body") == " /me is quoted"


# The service itself ---------------------------------------------------------------------------------------------------


def test_an_invitation_names_who_invites(scene: Scene) -> None:
    scene.join()
    scene.tell(Invited(Address("room", "#d"), "Eve", "come & see"))
    message = scene.only()
    invite = message.find(".//{http://jabber.org/protocol/muc#user}invite")
    assert (message.get("from"), message.get("to")) == (f"#d@{DOMAIN}", USER)
    assert invite is not None and invite.get("from") == f"eve@{DOMAIN}"
    direct = message.find("{jabber:x:conference}x")
    assert direct is not None and direct.get("jid") == f"#d@{DOMAIN}"


def test_notices_come_from_what_they_are_about(scene: Scene) -> None:
    scene.enter()
    scene.tell(Notice(ROOM, "bob set mode +m"))
    scene.tell(Notice(Address("server", "desk"), "slow today"))
    scene.tell(Up(Address("server", "desk")))
    scene.tell(Down(Address("server", "desk"), GONE))
    scene.tell(Down(Address("server", "desk")))
    stanzas = scene.sent()
    kept = [stanza.find("{urn:xmpp:hints}no-store") is None for stanza in stanzas]
    assert kept == [True, False, False]
    assert [(stanza.get("from"), stanza.findtext("body")) for stanza in stanzas] == [
        (JID, "bob set mode +m"),
        (f"desk@{DOMAIN}", "slow today"),
        (f"desk@{DOMAIN}", "It is gone."),
    ]


def test_facts_of_rooms_that_nobody_is_in_are_nobodys(scene: Scene) -> None:
    scene.join()
    other = Address("room", "#other")
    for fact in (Said(other, "bob", "x"), Left(other, ("bob",), "quit"), Renamed(other, "a", "b", NO_RANK)):
        scene.tell(fact)
    assert scene.sent() == []


def test_at_the_end_everybody_is_told_once(scene: Scene) -> None:
    scene.enter(DESK)
    scene.join(PHONE, room=f"#c~@{DOMAIN}")
    scene.tell(SameRoom(ROOM, ALIAS))
    scene.join(room=f"#d@{DOMAIN}")
    scene.out.clear()
    scene.wing.close("back soon")
    stanzas = scene.sent()
    assert [(s.get("to"), s.get("type")) for s in stanzas] == [
        (DESK, "unavailable"),
        (PHONE, "unavailable"),
        (DESK, "error"),
    ]
    codes = [status.get("code") for status in stanzas[0].iter("{http://jabber.org/protocol/muc#user}status")]
    assert codes == ["332", "110"]
    assert scene.bridge.sessions[USER].closed == "back soon"


# What one client may cost the others ----------------------------------------------------------------------------------


def test_a_client_that_joins_a_large_room_again_and_again_is_asked_to_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "REFILL", 0.0)  # however long what follows takes
    scene.join()
    scene.tell(Entered(ROOM, "ada", dict.fromkeys(("ada", *map(str, range(20_000))), NO_RANK), Subject("")))
    scene.out.clear()
    answers = []
    for _ in range(10):
        scene.join()
        answers.append(scene.sent())
    assert [len(answer) > 20_000 for answer in answers] == [True] * 4 + [False] * 6
    assert [condition(stanza) for stanza in answers[-1]] == ["resource-constraint"]
    scene.say()
    assert [type(command) for command in scene.took()][-1] is Say
    monkeypatch.setattr(visitor, "REFILL", 1e12)
    scene.join()
    assert len(scene.sent()) > 20_000  # it waited


def test_a_user_has_so_many_clients_in_a_room_and_no_more(scene: Scene) -> None:
    for number in range(CLIENTS + 1):
        scene.join(f"{USER}/{number}")
    refusal = scene.only()
    assert condition(refusal) == "resource-constraint" and refusal.get("to") == f"{USER}/{CLIENTS}"
    scene.join(f"{USER}/0")
    assert scene.sent() == []


def test_clients_whose_join_is_refused_leave_nothing_behind(scene: Scene) -> None:
    status = f"<show>away</show><status>{'x' * 5_000}</status>"
    for number in range(50):
        scene.stanza(f"<presence from='{USER}/{number}' to='{JID}/ada'>{MUC}{status}</presence>")
        scene.tell(Refused(ROOM, GONE))
    visitor = scene.wing.visitors[USER]
    assert not visitor.rooms
    assert len(visitor.shows or ()) <= 1 and all(len(words) <= 200 for _, words in (visitor.shows or {}).values())


def test_a_nick_that_no_resource_can_hold_is_refused(scene: Scene) -> None:
    scene.join(nick="😀" * 200)
    assert condition(scene.only()) == "not-acceptable" and scene.took() == []


def test_after_an_outage_of_the_server_each_client_is_called_and_the_gone_are_forgotten(scene: Scene) -> None:
    scene.enter(DESK, PHONE)
    scene.wing.roll_call()
    calls = scene.sent()
    assert {call.get("to") for call in calls} == {DESK, PHONE} and not any(body(call) for call in calls)
    assert {call.get("type") for call in calls} == {"groupchat"}
    for who in (DESK, PHONE):
        scene.stanza(
            f"<message type='error' from='{who}' to='{JID}'><error type='cancel'>"
            "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    assert scene.took() == [Leave(ROOM)]


def test_a_fact_that_cannot_be_shown_stops_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.enter()
    scene.tell(Joined(ROOM, None, NO_RANK))  # type: ignore[arg-type]
    assert "could not be shown" in caplog.text
    scene.tell(Said(ROOM, "bob", "still here"))
    assert body(scene.only()) == "still here"
