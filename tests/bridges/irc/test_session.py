"""What a user wants of a network: joins, leaves, words, and what becomes of them when the server is slow or gone."""

from __future__ import annotations

import pytest

from tests.bridges.irc.scene import BY, ME, ROOM, Scene, say
from transports.bridges.irc import confirming
from transports.bridges.irc.confirming import CONFIRM_WITHIN
from transports.bridges.irc.orders import AWAITING_LIMIT, JOIN_WITHIN
from transports.errors import LegacyError
from transports.events import (
    BY_ADDRESS,
    Address,
    Down,
    Entered,
    Failed,
    Join,
    Leave,
    Left,
    Person,
    Rank,
    Refused,
    Rename,
    SameRoom,
    Say,
    SetSubject,
    Subject,
    Up,
)

BOB = Address("person", "bob%irc.test")
GONE = LegacyError("remote-server-timeout", "It is gone.")


# Joining --------------------------------------------------------------------------------------------------------------


def test_a_room_is_entered_when_its_names_are_complete() -> None:
    scene = Scene("PREFIX=(ov)@+")
    scene.do(Join(ROOM, ME, BY))
    assert scene.sent() == ["JOIN #c"]
    scene.feed(
        ":ada!~u@host JOIN #c",
        ":irc.test 332 ada #c :Of all things",
        ":irc.test 333 ada #c eve!e@h 1700000000",
        ":irc.test 353 ada = #c :ada @eve +bob",
    )
    assert scene.told() == []
    scene.feed(":irc.test 366 ada #c :End")
    assert scene.only(Entered) == Entered(
        ROOM,
        ME,
        {
            ME: Rank("none", "participant"),
            "eve": Rank("admin", "moderator", "o"),
            "bob": Rank("member", "participant", "v"),
        },
        Subject("Of all things", "eve", 1700000000.0),
        {ME: Person("~u@host", id=BY_ADDRESS)},
    )


def test_joins_wait_for_the_greeting_and_go_in_one_line_those_with_a_key_first() -> None:
    scene = Scene(ready=False)
    for name, key in (("#a", ""), ("#b", "k1"), ("#c", ""), ("#d", "k2")):
        scene.do(Join(Address("room", f"{name}%irc.test"), ME, BY, key))
    assert scene.sent() == []
    scene.net.registered(ME)
    scene.feed(":irc.test 422 ada :No MOTD")
    assert scene.sent() == ["JOIN #b,#d,#a,#c k1,k2"]
    assert scene.only(Up) == Up(Address("server", "irc.test"))


def test_joins_are_spread_over_lines_that_fit() -> None:
    scene = Scene(ready=False)
    for number in range(100):
        scene.do(Join(Address("room", f"#a-rather-long-name-{number}%irc.test"), ME, BY))
    scene.net.registered(ME)
    scene.feed(":irc.test 376 ada :End")
    lines = scene.sent()
    assert len(lines) > 5
    assert all(len(line) < 512 for line in lines)
    assert ",".join(line[5:] for line in lines).count("#a-rather") == 100


@pytest.mark.parametrize("password", ["two words", "two,keys", "line\nbreak"])
def test_a_key_that_irc_cannot_carry_is_refused(password: str) -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY, password))
    assert scene.only(Refused).error.condition == "not-acceptable"
    assert scene.sent() == [] and scene.net.idle


def test_a_name_that_is_no_channel_on_this_server_is_refused() -> None:
    scene = Scene("CHANTYPES=#")
    scene.do(Join(Address("room", "&c%irc.test"), ME, BY))
    assert scene.only(Refused).error.condition == "item-not-found"
    waiting = Scene(ready=False)
    waiting.do(Join(Address("room", "+c%irc.test"), ME, BY))
    waiting.net.registered(ME)
    waiting.feed(":irc.test 005 ada CHANTYPES=# :are supported", ":irc.test 376 ada :End")
    assert [type(fact) for fact in waiting.told()] == [Up, Refused]


def test_a_second_client_of_the_user_sends_nothing_while_the_join_is_under_way() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY), Join(ROOM, "other", "ada@example.org/phone"))
    assert scene.sent() == ["JOIN #c"]
    assert scene.told() == []


@pytest.mark.parametrize(
    ("casemapping", "same"), [("rfc1459", True), ("ascii", False), ("rfc1459-strict", True), ("nonsense", False)]
)
def test_casemapping_decides_whether_two_names_are_one_room(casemapping: str, same: bool) -> None:
    scene = Scene(f"CASEMAPPING={casemapping}")
    scene.enter(Address("room", "#[x]%irc.test"))
    alias = Address("room", "#{x}%irc.test")
    scene.do(Join(alias, ME, BY))
    if same:
        assert scene.only(SameRoom) == SameRoom(Address("room", "#[x]%irc.test"), alias)
        assert scene.sent() == []
    else:
        assert scene.sent() == ["JOIN #{x}"]


def test_the_same_room_under_two_names_before_the_greeting() -> None:
    scene = Scene(ready=False)
    first, second = Address("room", "#[x]%irc.test"), Address("room", "#{x}%irc.test")
    scene.do(Join(first, ME, BY), Join(second, ME, BY))
    scene.net.registered(ME)
    scene.feed(":irc.test 376 ada :End")
    assert scene.sent() == ["JOIN #[x]"]
    assert SameRoom(first, second) in scene.told()


def test_a_join_that_is_never_answered_is_given_up() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    scene.net.tick(scene.now + JOIN_WITHIN - 1)
    assert scene.told() == []
    scene.net.tick(scene.now + JOIN_WITHIN + 1)
    assert scene.only(Refused).error.condition == "remote-server-timeout"
    assert scene.net.idle


def test_a_join_whose_names_never_come_is_given_up_and_can_be_tried_again() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    scene.feed(":ada!~u@host JOIN #c", ":irc.test 353 ada = #c :ada eve")
    scene.sent()
    scene.net.tick(scene.now + JOIN_WITHIN + 1)
    assert scene.only(Refused).error.condition == "remote-server-timeout"
    assert scene.sent() == ["PART #c"]
    scene.do(Join(ROOM, ME, BY))
    assert scene.sent() == ["JOIN #c"]
    scene.feed(":irc.test 366 ada #c :End", ":ada!~u@host PART #c")
    assert scene.told() == []
    scene.feed(":ada!~u@host JOIN #c", ":irc.test 353 ada = #c :ada bob", ":irc.test 366 ada #c :End")
    assert set(scene.only(Entered).members) == {"ada", "bob"}


def test_lines_are_counted_in_bytes() -> None:
    scene = Scene(ready=False)
    for number in range(100):
        scene.do(Join(Address("room", f"#{'ж' * 20}{number}%irc.test"), ME, BY, "ключ" * (number % 3)))
    scene.do(Join(Address("room", f"#{'ж' * 99}%irc.test"), ME, BY, "к" * 100))
    scene.net.registered(ME)
    scene.feed(":irc.test 376 ada :End")
    lines = scene.sent()
    assert len(lines) > 10 and all(len(line.encode()) <= 510 for line in lines)
    assert sum(line.count("#") for line in lines) == 101
    assert scene.told() == [Up(Address("server", "irc.test"))]


def test_keys_and_nicks_that_fit_no_line_are_refused() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY, "к" * 101))
    assert "too long" in scene.only(Refused).error.text
    scene.do(Rename(ROOM, "x" * 129, BY, "1"))
    assert "longer" in scene.only(Failed).error.text
    assert scene.sent() == [] and scene.net.idle


def test_a_subject_leaves_room_for_the_name_of_its_channel() -> None:
    scene = Scene()
    room = Address("room", f"#{'ж' * 99}%irc.test")
    scene.enter(room)
    scene.do(SetSubject(room, "x" * 1_000, BY, "1"))
    (line,) = scene.sent()
    assert len(line.encode()) <= 510


def test_a_join_is_refused_while_too_much_waits() -> None:
    scene = Scene()
    scene.full = True
    scene.do(Join(ROOM, ME, BY))
    assert scene.only(Refused).error.condition == "resource-constraint"


def test_a_room_that_the_server_put_us_in_is_entered_when_it_is_asked_for() -> None:
    scene = Scene()
    scene.feed(":ada!~u@host JOIN #c", ":irc.test 353 ada = #c :ada bob", ":irc.test 366 ada #c :End")
    scene.told()
    scene.do(Join(ROOM, ME, BY))
    assert scene.only(Entered).room == ROOM
    assert scene.sent() == []


def test_a_room_that_the_server_is_putting_us_in_is_entered_at_the_end_of_its_names() -> None:
    scene = Scene()
    scene.feed(":ada!~u@host JOIN #c", ":irc.test 353 ada = #c :ada bob")
    scene.do(Join(ROOM, ME, BY))
    scene.feed(":irc.test 366 ada #c :End")
    assert scene.only(Entered).room == ROOM


# Leaving --------------------------------------------------------------------------------------------------------------


def test_leaving_says_why_on_one_line() -> None:
    scene = Scene()
    scene.enter()
    scene.do(Leave(ROOM, "supper\r\nJOIN #d"))
    assert scene.sent() == ["PART #c :supper JOIN #d"]
    assert scene.net.idle and scene.told() == []


def test_what_still_waits_for_a_room_is_refused_when_it_is_left() -> None:
    scene = Scene(held=True)
    scene.do(Join(ROOM, ME, BY))
    scene.release()
    scene.feed(":ada!~u@host JOIN #c", ":irc.test 366 ada #c :End")
    scene.told()
    scene.do(say(), Leave(ROOM))
    assert scene.only(Failed).error.condition == "recipient-unavailable"
    scene.release()
    assert scene.sent() == ["JOIN #c", "PART #c"]


def test_leaving_while_the_join_is_under_way_brings_no_invitation() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY), Leave(ROOM))
    assert scene.sent() == ["JOIN #c", "PART #c"]
    scene.feed(
        ":ada!~u@host JOIN #c",
        ":irc.test 353 ada = #c :ada bob",
        ":irc.test 366 ada #c :End",
        ":ada!~u@host PART #c",
    )
    assert scene.told() == []
    assert scene.net.idle


def test_leaving_and_joining_again_at_once_ends_inside() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY), Leave(ROOM), Join(ROOM, ME, BY))
    assert scene.sent() == ["JOIN #c", "PART #c", "JOIN #c"]
    for members in ("ada bob", "ada eve"):
        scene.feed(":ada!~u@host JOIN #c", f":irc.test 353 ada = #c :{members}", ":irc.test 366 ada #c :End")
        if "bob" in members:
            scene.feed(":ada!~u@host PART #c")
    assert set(scene.only(Entered).members) == {"ada", "eve"}


def test_leaving_a_room_that_refuses_us_shows_no_error() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY), Leave(ROOM))
    scene.feed(":irc.test 473 ada #c :Invite only", ":irc.test 403 ada #c :No such channel")
    assert scene.told() == []
    assert scene.net.idle


def test_joining_again_after_a_refused_and_left_join_is_not_refused_by_the_answer_to_part() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY), Leave(ROOM), Join(ROOM, ME, BY))
    scene.feed(":irc.test 473 ada #c :Invite only", ":irc.test 403 ada #c :No such channel")
    assert scene.told() == []
    scene.feed(":ada!~u@host JOIN #c", ":irc.test 366 ada #c :End")
    assert scene.only(Entered).room == ROOM


def test_leaving_before_the_greeting_sends_nothing() -> None:
    scene = Scene(ready=False)
    scene.do(Join(ROOM, ME, BY), Leave(ROOM))
    scene.net.registered(ME)
    scene.feed(":irc.test 376 ada :End")
    assert scene.sent() == [] and scene.net.idle


# Words ----------------------------------------------------------------------------------------------------------------


def test_a_message_is_echoed_by_the_answer_to_the_fence() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say("one"), say("two\nthree", id="2"))
    assert scene.sent() == ["PRIVMSG #c :one", "PRIVMSG #c two", "PRIVMSG #c three"]
    assert scene.told() == []
    scene.pong()
    assert scene.echoed() == ["1", "2"]
    assert confirming.fence_line(scene.net) is None


def test_only_what_was_written_before_the_fence_is_confirmed_by_it() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say())
    fence = confirming.fence_line(scene.net)
    scene.do(say(id="2"))
    assert confirming.fence_line(scene.net) is None
    scene.feed(":irc.test PONG irc.test f0", f":irc.test PONG irc.test {str(fence)[5:]}")
    assert scene.echoed() == ["1"]
    scene.pong()
    assert scene.echoed() == ["2"]


def test_an_error_in_between_belongs_to_the_message_in_between() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say(id="1"), say("to bob", BOB, id="2"), say(id="3"))
    fence = confirming.fence_line(scene.net)
    scene.feed(":irc.test 401 ada BOB :No such nick")
    failed = scene.only(Failed)
    assert failed.of.id == "2" and failed.error.condition == "item-not-found"
    scene.feed(f":irc.test PONG irc.test {str(fence)[5:]}")
    assert scene.echoed() == ["1", "3"]


def test_a_message_of_several_lines_that_are_all_refused_is_one_failure() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say("a\nb\nc"), say("to bob", BOB, id="2"))
    scene.feed(*[":irc.test 404 ada #c :Cannot send to channel"] * 3)
    assert scene.only(Failed).of.id == "1"
    scene.pong()
    assert scene.echoed() == ["2"]


def test_the_refused_lines_of_one_message_do_not_fail_the_next() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say("a\nb"), say("c", id="2"))
    scene.feed(*[":irc.test 404 ada #c :Cannot send to channel"] * 2)
    assert scene.only(Failed).of.id == "1"
    scene.pong()
    assert scene.echoed() == ["2"]


def test_a_line_that_is_too_long_is_the_oldest_message() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say(), say(id="2"))
    scene.feed(":irc.test 417 ada :Input line was too long")
    assert scene.only(Failed).of.id == "1"


def test_a_message_to_a_room_not_entered_is_not_acceptable() -> None:
    scene = Scene()
    scene.do(say())
    assert scene.only(Failed).error.condition == "not-acceptable"


@pytest.mark.parametrize("text", ["", "\n\r\n", "\0", "\ud800"])
def test_a_message_without_text_is_not_acceptable(text: str) -> None:
    scene = Scene()
    scene.enter()
    scene.do(say(text))
    assert scene.only(Failed).error.condition == "not-acceptable"


def test_a_target_that_irc_cannot_name_is_not_acceptable() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say("x", nick="two words"), say("x", nick="a,b"))
    assert {fact.error.condition for fact in scene.told() if isinstance(fact, Failed)} == {"not-acceptable"}
    assert scene.sent() == []


def test_a_message_not_confirmed_in_time_is_an_error() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say())
    confirming.fence_line(scene.net)
    scene.net.tick(scene.now + CONFIRM_WITHIN + 1)
    failed = scene.only(Failed)
    assert failed.error.condition == "remote-server-timeout" and not failed.error.certain
    scene.feed(":irc.test PONG irc.test f1")
    assert scene.told() == []


def test_there_is_an_end_to_what_may_be_on_its_way() -> None:
    scene = Scene()
    scene.enter()
    for number in range(AWAITING_LIMIT):
        confirming.written(scene.net, Say(ROOM, "", "x", BY, str(number)), scene.now)
    scene.do(say(id="last"))
    assert scene.only(Failed).error.condition == "resource-constraint"


def test_a_message_is_refused_while_too_much_waits() -> None:
    scene = Scene()
    scene.enter()
    scene.full = True
    scene.do(say(), SetSubject(ROOM, "s", BY, "2"), Rename(ROOM, "eva", BY, "3"))
    assert [fact.error.condition for fact in scene.told() if isinstance(fact, Failed)] == ["resource-constraint"] * 3


def test_lines_fit_with_our_prefix_as_the_others_see_it() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say("ä" * 1_000))
    sent = scene.sent()
    assert len(sent) > 4
    assert all(len(f":ada!~u@host {line}\r\n".encode()) <= 512 for line in sent)
    assert "".join(line.removeprefix("PRIVMSG #c ") for line in sent) == "ä" * 1_000


# Subjects and nicks ---------------------------------------------------------------------------------------------------


def test_a_subject_is_one_line_that_fits() -> None:
    scene = Scene("TOPICLEN=20")
    scene.enter()
    scene.do(SetSubject(ROOM, "one\ntwo " + "ä" * 20, BY, "1"), SetSubject(ROOM, "", BY, "2"))
    first, second = scene.sent()
    assert first.startswith("TOPIC #c :one two ä") and len(first.encode()) <= len("TOPIC #c :") + 20
    assert second == "TOPIC #c :"


def test_a_refused_subject_is_an_error() -> None:
    scene = Scene()
    scene.enter()
    scene.do(SetSubject(ROOM, "mine", BY, "1"))
    scene.feed(":irc.test 482 ada #c :You're not channel operator")
    failed = scene.only(Failed)
    assert failed.of.id == "1" and failed.error.condition == "forbidden"


def test_a_subject_that_the_server_says_nothing_of_is_forgotten() -> None:
    scene = Scene()
    scene.enter()
    scene.do(SetSubject(ROOM, "as before", BY, "1"))
    scene.net.tick(scene.now + CONFIRM_WITHIN + 1)
    assert scene.echoed() == ["1"]
    scene.feed(":eve!e@h TOPIC #c :another")
    scene.do(Leave(ROOM))
    assert scene.net.idle


@pytest.mark.parametrize("nick", ["", "two words", "a,b", ":a", "a\nQUIT"])
def test_a_nick_that_irc_cannot_carry_is_not_acceptable(nick: str) -> None:
    scene = Scene()
    scene.enter()
    scene.do(Rename(ROOM, nick, BY, "1"))
    assert scene.only(Failed).error.condition == "not-acceptable"
    assert scene.sent() == []


def test_a_refused_nick_is_an_error() -> None:
    scene = Scene()
    scene.enter()
    scene.do(Rename(ROOM, "eve", BY, "1"))
    assert scene.sent() == ["NICK eve"]
    scene.feed(":irc.test 433 ada eve :Nickname is already in use")
    failed = scene.only(Failed)
    assert failed.of.id == "1" and failed.error.condition == "conflict"


def test_a_nick_change_that_the_server_says_nothing_of_is_given_up() -> None:
    scene = Scene()
    scene.enter()
    scene.do(Rename(ROOM, "eva", BY, "1"))
    scene.net.tick(scene.now + CONFIRM_WITHIN + 1)
    assert scene.only(Failed).error.condition == "remote-server-timeout"
    scene.do(Leave(ROOM))
    assert scene.net.idle


def test_a_nick_change_to_what_we_are_called_already_is_done() -> None:
    scene = Scene()
    scene.enter()
    scene.do(Rename(ROOM, "eva", BY, "1"), Rename(ROOM, "eva", BY, "2"))
    scene.feed(":ada!~u@host NICK eva")
    scene.told()
    scene.net.tick(scene.now + CONFIRM_WITHIN + 1)
    assert scene.echoed() == ["2"]


def test_a_nick_that_the_server_gave_us_is_not_the_answer_to_what_we_asked() -> None:
    scene = Scene()
    scene.enter()
    scene.do(Rename(ROOM, "eva", BY, "1"))
    scene.feed(":ada!~u@host NICK Guest42")
    assert not scene.echoed()
    scene.feed(":Guest42!~u@host NICK eva")
    assert scene.echoed() == ["1"]


# The end --------------------------------------------------------------------------------------------------------------


def test_when_the_server_is_lost_every_room_and_message_hears_of_it() -> None:
    scene = Scene()
    scene.enter()
    other = Address("room", "#d%irc.test")
    scene.do(Join(other, ME, BY), say(), Rename(ROOM, "eva", BY, "3"))
    scene.net.lost(GONE)
    facts = scene.told()
    assert Left(ROOM, [ME], "lost", "It is gone.") in facts
    assert [(fact.room, fact.error) for fact in facts if isinstance(fact, Refused)] == [(other, GONE)]
    assert [(fact.of.id, fact.error.certain) for fact in facts if isinstance(fact, Failed)] == [
        ("1", False),
        ("3", False),
    ]
    assert isinstance(facts[-1], Down) and facts[-1].error is GONE
    assert scene.net.idle


def test_a_server_that_never_came_up_is_told_by_the_refusals_alone() -> None:
    scene = Scene(ready=False)
    scene.do(Join(ROOM, ME, BY))
    scene.net.lost(GONE)
    assert [fact for fact in scene.told() if not isinstance(fact, Refused)] in (
        [],
        [Down(Address("server", "irc.test"))],
    )


def test_what_is_not_confirmed_at_the_end_is_an_error() -> None:
    scene = Scene()
    scene.enter()
    scene.do(say(), SetSubject(ROOM, "s", BY, "2"), Rename(ROOM, "eva", BY, "3"))
    scene.net.abandon(GONE)
    assert [fact.of.id for fact in scene.told() if isinstance(fact, Failed)] == ["1", "2", "3"]
    scene.net.abandon(GONE)
    assert scene.told() == []


@pytest.mark.parametrize("ready", [True, False])
def test_the_limit_of_channels_holds_before_and_after_the_greeting(ready: bool) -> None:
    scene = Scene(ready=ready)
    rooms = [Address("room", f"#{number}%irc.test") for number in range(3)]
    scene.do(Join(rooms[0], ME, BY), Join(rooms[1], ME, BY))
    assert scene.net.takes(rooms[2], 3) and not scene.net.takes(rooms[2], 2)
    assert scene.net.takes(rooms[0], 2)
    scene.do(Leave(rooms[0]))
    assert scene.net.takes(rooms[2], 2)
