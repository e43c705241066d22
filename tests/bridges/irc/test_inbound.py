"""What each line of a server does: strings in, facts out. Lines of RFC 2812, Modern IRC and of the servers of the lab."""

from __future__ import annotations

import contextlib
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridges.irc.scene import BY, ME, ROOM, Scene, say
from transports.bridges.irc.ctcp import FLOW
from transports.bridges.irc.inbound import UNASKED, feed, settle
from transports.bridges.irc.orders import NICK_LIMIT
from transports.bridges.irc.read import Buffer, decode
from transports.bridges.irc.write import BadLine
from transports.events import (
    BY_ADDRESS,
    NO_RANK,
    Address,
    Configured,
    Echoed,
    Entered,
    Failed,
    Invited,
    Join,
    Joined,
    Left,
    More,
    Notice,
    Person,
    Rank,
    Refused,
    Rename,
    Renamed,
    RoleSet,
    Said,
    SetSubject,
    Span,
    Subject,
    SubjectSet,
)

BOB = Address("person", "bob%irc.test")
SERVER = Address("server", "irc.test")
OTHER = Address("room", "#d%irc.test")
NICKSERV, CHANSERV = Address("person", "nickserv%irc.test"), Address("person", "chanserv%irc.test")
ADA = More(spans=(Span(1, 4, ("strong",)),))


@pytest.fixture
def scene() -> Scene:
    """In #c with bob (op) and eve."""
    scene = Scene("PREFIX=(qaohv)~&@%+", "STATUSMSG=~&@%+", "CHANMODES=beI,k,l,imnpst", "CHANTYPES=#&", "MODES=20")
    scene.enter(ROOM, "@bob", "eve")
    return scene


# Words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (":bob!b@h PRIVMSG #c :hello there", Said(ROOM, "bob", "hello there")),
        (":bob!b@h PRIVMSG #c hello", Said(ROOM, "bob", "hello")),
        (":bob!b@h PRIVMSG #C ::)", Said(ROOM, "bob", ":)")),
        (
            ":bob!b@h PRIVMSG #c :\x02bold\x02 and \x0304red\x03",
            Said(ROOM, "bob", "*bold* and red", more=More(spans=(Span(1, 5, ("strong",)),))),
        ),
        (":bob!b@h PRIVMSG #c :\x01ACTION waves\x01", Said(ROOM, "bob", "waves", "act")),
        (":bob!b@h PRIVMSG #c :\x01ACTION waves", Said(ROOM, "bob", "waves", "act")),
        (":bob!b@h NOTICE #c :look", Said(ROOM, "bob", "look", "notice")),
        (":bob!b@h PRIVMSG @#c :ops only", Said(ROOM, "bob", "[to @] ops only")),
        (":bob!b@h NOTICE %#c :halfops and up", Said(ROOM, "bob", "[to %] halfops and up", "notice")),
        (
            ":bob!b@h PRIVMSG @#c :\x01ACTION \x1dnods",
            Said(ROOM, "bob", "[to @] _nods_", "act", more=More(spans=(Span(8, 12, ("emphasis",)),))),
        ),
        (":NickServ!s@services.test NOTICE ada :\x02ada\x02 is free", Said(NICKSERV, "NickServ", "*ada* is free", more=ADA)),
        (":ChanServ!s@services.test NOTICE ada :[#c] Welcome to #c!", Said(ROOM, "ChanServ", "[#c] Welcome to #c!", "notice")),
        (":ChanServ!s@services.test NOTICE ada :[#d] Welcome", Said(CHANSERV, "ChanServ", "[#d] Welcome")),
        (":bob!b@h PRIVMSG ada :psst", Said(BOB, "bob", "psst")),
        (":bob!b@h NOTICE ada :psst", Said(BOB, "bob", "psst", "notice")),
        (":bob!b@h PRIVMSG ada :\x01ACTION nods\x01", Said(BOB, "bob", "nods", "act")),
        (":irc.test NOTICE ada :*** You are slow", Notice(SERVER, "*** You are slow")),
        (":irc.test NOTICE #c :split over", Said(ROOM, "irc.test", "split over", "notice")),
        (":irc.test 999 ada one :what nobody knows", Notice(SERVER, "one what nobody knows")),
        (":irc.test WALLOPS :all hands", Notice(SERVER, "all hands")),
        (":eve!e@h INVITE ada #d", Invited(OTHER, "eve")),
        (":irc.test 301 ada bob :at lunch", Notice(BOB, "bob is away: at lunch")),
    ],
)
def test_what_is_said(scene: Scene, line: str, fact: object) -> None:
    scene.feed(line)
    assert scene.told() == [fact]


@pytest.mark.parametrize(
    "line",
    [
        ":bob!b@h PRIVMSG #elsewhere :not our channel",
        ":bob!b@h PRIVMSG @#elsewhere :not our channel",
        ":ada!~u@host PRIVMSG ada :to myself",
        ":bob!b@h NOTICE ada :\x01VERSION someone's reply\x01",
        ":bob!b@h PRIVMSG ada :\x01FINGER\x01",
        ":irc.test 372 ada :- a line of the MOTD",
        ":irc.test CAP ada NEW :batch",
        ":eve!e@h INVITE carol #d",
        ":irc.test 366 ada #c :again",
        ":irc.test 353 ada = #c :mallory",
        ":eve!e@h QUIT",
    ],
)
def test_what_is_not_for_the_user(scene: Scene, line: str) -> None:
    scene.feed(line)
    assert [fact for fact in scene.told() if not isinstance(fact, Left)] == []


def test_away_is_told_once_per_text(scene: Scene) -> None:
    scene.feed(*[":irc.test 301 ada bob :at lunch"] * 3, ":irc.test 301 ada bob :asleep")
    assert [fact.text for fact in scene.told() if isinstance(fact, Notice)] == [
        "bob is away: at lunch",
        "bob is away: asleep",
    ]


def test_playback_of_a_bouncer_has_its_time(scene: Scene) -> None:
    scene.feed("@time=2024-02-03T04:05:06.000Z :bob!b@h PRIVMSG #c :then")
    said = scene.only(Said)
    assert said.when == 1706933106.0


def test_an_own_ping_is_answered_with_what_it_held(scene: Scene) -> None:
    scene.feed("PING :a b", "PING")
    assert scene.sent() == ["PONG :a b", "PONG irc.test"]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("\x01VERSION\x01", "NOTICE bob :\x01VERSION Transports (XMPP gateway)\x01"),
        ("\x01PING 123 456\x01", "NOTICE bob :\x01PING 123 456\x01"),
        ("\x01TIME\x01", None),
        ("\x01FINGER\x01", None),
        ("\x01CLIENTINFO\x01", "NOTICE bob :\x01CLIENTINFO ACTION CLIENTINFO PING TIME VERSION\x01"),
    ],
)
def test_ctcp_answers_tell_nothing_of_the_user(scene: Scene, request_: str, answer: str | None) -> None:
    scene.feed(f":bob!b@h PRIVMSG ada :{request_}")
    assert scene.sent() == ([answer] if answer else [])
    assert scene.told() == []


def test_ctcp_requests_do_not_use_up_the_users_own_turns(scene: Scene) -> None:
    for second in range(60):
        scene.net.tick(scene.now + second)
        scene.feed(*[f":bob{number}!b@h PRIVMSG ada :\x01VERSION\x01" for number in range(100)])
    assert len(scene.sent()) == 6


def test_ctcp_requests_wait_for_nobody_and_nobody_waits_for_them(scene: Scene) -> None:
    scene.held = True
    scene.feed(":bob!b@h PRIVMSG ada :\x01VERSION\x01")
    assert [key for key, _ in scene.queued] == [FLOW]
    scene.release()
    scene.lines.clear()
    scene.do(say())
    for second in range(60):
        scene.net.tick(scene.now + second)
        scene.feed(":eve!e@h PRIVMSG ada :\x01VERSION\x01")
    scene.release()
    assert scene.sent() == ["PRIVMSG #c :hello"]


@pytest.mark.parametrize("size", [500, 501, 15_000])
def test_a_ping_is_answered_in_one_line_or_not_at_all(scene: Scene, size: int) -> None:
    with contextlib.suppress(ValueError):
        scene.feed("PING :" + "x" * (size - 1) + " ")
    assert [len(line) for line in scene.sent()] == ([506] if size == 500 else [])


# Members --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (":carol!c@h JOIN #c", Joined(ROOM, "carol", NO_RANK, Person("c@h", id=BY_ADDRESS))),
        (":carol!c@h JOIN :#C", Joined(ROOM, "carol", NO_RANK, Person("c@h", id=BY_ADDRESS))),
        (
            ":carol!c@h JOIN #c acc :Real Name",
            Joined(ROOM, "carol", NO_RANK, Person("c@h", "acc", name="Real Name", id="=acc")),
        ),
        (":eve!e@h PART #c", Left(ROOM, ("eve",), "left")),
        (":eve!e@h PART #c :so long", Left(ROOM, ("eve",), "left", "so long")),
        (":eve!e@h QUIT :Quit: bye", Left(ROOM, ("eve",), "quit", "Quit: bye")),
        (":eve!e@h QUIT :Killed (oper (spam))", Left(ROOM, ("eve",), "killed", "Killed (oper (spam))")),
        (":eve!e@h QUIT :hub.test leaf.test", Left(ROOM, ("eve",), "split", "hub.test leaf.test")),
        (":eve!e@h QUIT :*.net *.split", Left(ROOM, ("eve",), "split", "*.net *.split")),
        (":bob!b@h KICK #c eve :spam", Left(ROOM, ("eve",), "kicked", "spam", "bob")),
        (":bob!b@h KICK #c EVE", Left(ROOM, ("eve",), "kicked", "", "bob")),
        (":bob!b@h KICK #c eve :bob", Left(ROOM, ("eve",), "kicked", "", "bob")),
        (":irc.test KICK #c eve :by the server", Left(ROOM, ("eve",), "kicked", "by the server", "irc.test")),
        (":eve!e@h NICK eva", Renamed(ROOM, "eve", "eva", NO_RANK)),
        (":bob!b@h NICK :rob", Renamed(ROOM, "bob", "rob", Rank("admin", "moderator", "o"))),
        (":bob!b@h MODE #c +v eve", RoleSet(ROOM, "eve", Rank("member", "participant", "v"), "bob")),
        (":bob!b@h MODE #c +h EVE", RoleSet(ROOM, "eve", Rank("member", "moderator", "h"), "bob")),
        (":bob!b@h MODE #c -o bob", RoleSet(ROOM, "bob", NO_RANK, "bob")),
        (":bob!b@h MODE #c +q eve", RoleSet(ROOM, "eve", Rank("owner", "moderator", "q"), "bob")),
        (":eve!e@h TOPIC #c :Of \x02all\x02 things", SubjectSet(ROOM, Subject("Of all things", "eve"))),
        (":eve!e@h TOPIC #c :", SubjectSet(ROOM, Subject("", "eve"))),
    ],
)
def test_who_is_here(scene: Scene, line: str, fact: object) -> None:
    scene.feed(line)
    assert scene.told() == [fact]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (":bob!b@h MODE #c +m", "bob set mode +m"),
        (":bob!b@h MODE #c +kl key 10", "bob set mode +k key, +l 10"),
    ],
)
def test_how_a_room_is_set_up_now(scene: Scene, line: str, words: str) -> None:
    scene.feed(line)
    assert set(scene.told()) == {Notice(ROOM, words), Configured(ROOM)}


def test_a_mode_line_may_hold_marks_and_masks(scene: Scene) -> None:
    scene.feed(":bob!b@h MODE #c +bv-o *!*@evil eve bob")
    facts = scene.told()
    assert facts[:2] == [
        RoleSet(ROOM, "eve", Rank("member", "participant", "v"), "bob"),
        RoleSet(ROOM, "bob", NO_RANK, "bob"),
    ]
    assert facts[2:] == [Notice(ROOM, "bob set mode +b *!*@evil")]


def test_several_marks_are_kept_though_the_highest_is_what_counts(scene: Scene) -> None:
    scene.feed(":bob!b@h MODE #c +v bob", ":bob!b@h MODE #c -o bob")
    assert [fact.rank.affiliation for fact in scene.told() if isinstance(fact, RoleSet)] == ["admin", "member"]


def test_a_kick_right_after_a_ban_is_a_ban(scene: Scene) -> None:
    scene.feed(":bob!b@h MODE #c +b eve!*@*", ":bob!b@h KICK #c eve :out")
    assert scene.told()[-1] == Left(ROOM, ("eve",), "banned", "out", "bob")


def test_a_kick_of_another_or_long_after_a_ban_is_a_kick(scene: Scene) -> None:
    scene.feed(":bob!b@h MODE #c +b mallory!*@*", ":bob!b@h KICK #c eve :out")
    assert scene.told()[-1] == Left(ROOM, ("eve",), "kicked", "out", "bob")
    scene.feed(":eve!e@h JOIN #c", ":bob!b@h MODE #c +b *!*@evil.example")
    scene.now += 60
    scene.feed(":bob!b@h KICK #c eve :out")
    assert scene.told()[-1] == Left(ROOM, ("eve",), "kicked", "out", "bob")


@pytest.mark.parametrize("fill", ["MODE #c +{} {}", "KICK #c x{}{}"])
def test_a_line_about_strangers_costs_the_same_in_a_crowd(scene: Scene, fill: str) -> None:
    scene.net.channels["#c"].members.update((f"user{number}", NO_RANK) for number in range(10_000))
    lines = [f":bob!b@h {fill.format('o' * 4_000, ' '.join(f'n{n}' for n in range(2_000)))}"] * 10
    lines += [f":bob!b@h KICK #c stranger{number}" for number in range(500)]
    before = process_time()
    scene.feed(*lines)
    assert process_time() - before < 1.0
    assert scene.told() == []


@pytest.mark.parametrize(
    ("mask", "banned"),
    [
        ("eve!*@*", True),
        ("EVE", True),
        ("e?e!*@*", True),
        ("*!*@host", True),
        ("e*!*@*", True),
        ("*v*e", True),
        ("?*?", True),
        ("ev", False),
        ("*ev!*@*", False),
        ("e*x*e", False),
        ("eve*e", False),
        ("[e]ve", False),
        ("eve!*@*" + "x" * 200, False),
        ("*" * 100 + "!*@*", True),
    ],
)
def test_whom_a_ban_means(scene: Scene, mask: str, banned: bool) -> None:
    scene.feed(f":bob!b@h MODE #c +b {mask}", ":bob!b@h KICK #c eve")
    assert [fact.cause for fact in scene.told() if isinstance(fact, Left)] == ["banned" if banned else "kicked"]


def test_ban_masks_full_of_stars_cost_little(scene: Scene) -> None:
    crowd = [f"{'a' * 100}{number}" for number in range(1_000)]
    scene.net.channels["#c"].members.update(dict.fromkeys(crowd, NO_RANK))
    before = process_time()
    for number, nick in enumerate(crowd):
        scene.feed(f":bob!b@h MODE #c +b {'*a?' * 15}*b{number}", f":bob!b@h KICK #c {nick}")
    assert process_time() - before < 2.0


def test_nicks_that_no_jid_can_hold_are_dropped_wherever_they_stand(scene: Scene) -> None:
    nick = "x" * (NICK_LIMIT + 1)
    for line in (
        f":irc.test 333 ada #c {nick}!u@h 1700000000",
        f":{nick}!u@h KICK #c eve",
        f":{nick}!u@h MODE #c +v eve",
        f":{nick}!u@h INVITE ada #d",
    ):
        with pytest.raises(ValueError, match="nick"):
            scene.feed(line)
    assert scene.told() == [] and scene.net.channels["#c"].subject.nick == ""


def test_a_server_that_spells_nicks_oddly_costs_one_look_at_all_members(scene: Scene) -> None:
    scene.net.channels["#c"].members.update((f"user{number}", NO_RANK) for number in range(10_000))
    lines = [f":bob!b@h MODE #c +v USER{number}" for number in range(1_000)]
    before = process_time()
    scene.feed(*lines, ":user7!u@h PART #c", ":bob!b@h MODE #c +v USER7")
    assert process_time() - before < 1.0
    assert len([fact for fact in scene.told() if isinstance(fact, RoleSet)]) == 1_000


def test_own_nick_is_known_in_any_spelling(scene: Scene) -> None:
    scene.feed(":bob!b@h MODE #c +v ADA", ":bob!b@h KICK #c Ada :out")
    role, left = scene.told()
    assert isinstance(role, RoleSet) and role.nick == "ada"
    assert isinstance(left, Left) and left.nicks == ("ada",)


def test_own_nick_changes_in_every_room(scene: Scene) -> None:
    scene.enter(OTHER)
    scene.do(Rename(OTHER, "eva", BY, "7"))
    scene.lines.clear()
    scene.feed(":ada!~u@host NICK :eva")
    facts = scene.told()
    assert {fact.room for fact in facts if isinstance(fact, Renamed)} == {ROOM, OTHER}
    assert [command.id for fact in facts if isinstance(fact, Echoed) for command in fact.of] == ["7"]
    assert scene.net.nick == "eva"


@pytest.mark.parametrize(
    ("line", "cause", "actor"),
    [
        (":bob!b@h KICK #c ada :out", "kicked", "bob"),
        (":ada!~u@host PART #c :SAPART", "left", ""),
    ],
)
def test_when_the_user_is_put_out(scene: Scene, line: str, cause: str, actor: str) -> None:
    scene.feed(line)
    left = scene.only(Left)
    assert (left.nicks, left.cause, left.actor) == (("ada",), cause, actor)
    assert scene.net.idle


def test_whoever_is_put_out_before_the_names_are_complete_is_refused() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    scene.feed(":ada!~u@host JOIN #c", ":bob!b@h KICK #c ada :not you")
    refused = scene.only(Refused)
    assert refused.room == ROOM and "not you" in refused.error.text
    assert scene.net.idle


def test_lines_that_wait_for_a_channel_are_refused_when_the_user_is_put_out(scene: Scene) -> None:
    scene.held = True
    scene.do(say(), SetSubject(ROOM, "s", BY, "2"))
    scene.feed(":bob!b@h KICK #c ada :out")
    assert [type(fact) for fact in scene.told()] == [Failed, Failed, Left]


def test_own_join_that_comes_twice_changes_nothing(scene: Scene) -> None:
    members = scene.net.channels["#c"].members
    scene.feed(":ada!~u@newhost JOIN #c")
    assert scene.net.channels["#c"].members is members and "bob" in members
    assert scene.told() == []


def test_names_may_come_before_our_own_join_in_several_lines_and_with_hosts() -> None:
    scene = Scene("PREFIX=(ov)@+")
    scene.do(Join(ROOM, ME, BY))
    scene.feed(
        ":ada!~u@host JOIN :#c",
        ":irc.test 353 ada = #c :@+bob!b@h +eve!e@h",
        ":irc.test 353 ada @ #c :carol ada!~u@host ",
        ":irc.test 366 ada #c :End",
    )
    assert {nick: rank.mark for nick, rank in scene.only(Entered).members.items()} == {
        "bob": "ov",
        "eve": "v",
        "carol": "",
        "ada": "",
    }


def test_the_server_may_put_us_into_a_channel(scene: Scene) -> None:
    scene.feed(":ada!~u@host JOIN #d", ":irc.test 353 ada = #d :ada", ":irc.test 366 ada #d :End")
    assert scene.only(Invited).room == OTHER
    scene.feed(":irc.test PRIVMSG #d :x", ":bob!b@h MODE #d +m")
    assert [fact for fact in scene.told() if isinstance(fact, Notice)] == []


def test_the_server_spells_the_channel_its_own_way() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    scene.feed(
        ":ada!~u@host JOIN #C", ":irc.test 366 ada #C :End", ":bob!b@h PRIVMSG #C :hi", ":bob!b@h PRIVMSG #c :ho"
    )
    assert [fact.where for fact in scene.told() if isinstance(fact, Said)] == [ROOM, ROOM]


def test_a_server_cannot_put_us_into_any_number_of_channels(scene: Scene) -> None:
    for number in range(UNASKED + 20):
        with contextlib.suppress(ValueError):
            scene.feed(f":ada!~u@host JOIN #x{number}")
    with pytest.raises(ValueError, match="too long"):
        scene.feed(":ada!~u@host JOIN #" + "x" * 300)
    assert len(scene.net.channels) == UNASKED + 1
    assert scene.sent() == [f"PART #x{number}" for number in range(UNASKED, UNASKED + 20)]


@pytest.mark.parametrize(
    "token", ["CASEMAPPING=ascii", "-CASEMAPPING", "casemapping=utf8", "CHANTYPES=&", "PREFIX=(v)+"]
)
def test_what_all_we_know_is_kept_by_does_not_change_after_the_greeting(scene: Scene, token: str) -> None:
    brackets = Address("room", "#[x]%irc.test")
    scene.enter(brackets)
    scene.feed(f":irc.test 005 ada {token} TOPICLEN=77 :are supported")
    assert scene.net.isupport.topiclen == 77
    scene.feed(":bob!b@h MODE #c +o eve", ":bob!b@h KICK #{X} ada", ":bob!b@h KICK #c ada")
    role, *left = scene.told()
    assert isinstance(role, RoleSet) and role.rank.mark == "o"
    assert [fact.room for fact in left if isinstance(fact, Left)] == [brackets, ROOM]
    assert scene.net.idle


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        (":irc.test 474 ada #c :Cannot join channel (+b)", "forbidden"),
        (":irc.test 473 ada #c :Cannot join channel (+i)", "registration-required"),
        (":irc.test 471 ada #c :Cannot join channel (+l)", "service-unavailable"),
        (":irc.test 475 ada #c :Cannot join channel (+k)", "not-authorized"),
        (":irc.test 403 ada #c :No such channel", "item-not-found"),
        (":irc.test 405 ada #c :You have joined too many channels", "resource-constraint"),
        (":irc.test 437 ada #c :Nick/channel is temporarily unavailable", "recipient-unavailable"),
        (":irc.test 476 ada #C :Bad Channel Mask", "item-not-found"),
        (":irc.test 470 ada #c ##c :Forwarding to another channel", "not-allowed"),
        (":irc.test 609 ada #c :This channel is temporarily unavailable (+j is set)", "resource-constraint"),
        (":irc.test 263 ada JOIN :Server load is temporarily too heavy", "resource-constraint"),
        (":irc.test 439 ada #c :Target change too fast", "resource-constraint"),
        (":irc.test 599 ada #c :What nobody knows", "undefined-condition"),
    ],
)
def test_a_refused_join_says_why(line: str, condition: str) -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    scene.feed(line)
    refused = scene.only(Refused)
    assert (refused.room, refused.error.condition) == (ROOM, condition)
    assert line.rpartition(" :")[2] in refused.error.text
    assert scene.net.idle


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        (":irc.test 404 ada #c :Cannot send to channel", "forbidden"),
        (":irc.test 442 ada #c :You're not on that channel", "not-acceptable"),
        (":irc.test 263 ada #c :Too busy", "resource-constraint"),
        (":irc.test 716 ada #c :is in +g mode", "forbidden"),
        (":irc.test 531 ada #c :You are not permitted", "forbidden"),
    ],
)
def test_a_refused_message_says_why(scene: Scene, line: str, condition: str) -> None:
    scene.do(say())
    scene.feed(line)
    failed = scene.only(Failed)
    assert failed.of.id == "1" and failed.error.condition == condition


def test_an_error_about_nothing_of_ours_is_shown(scene: Scene) -> None:
    scene.feed(":irc.test 401 ada nobody :No such nick")
    assert scene.only(Notice) == Notice(SERVER, "nobody No such nick")


# What servers must not send -------------------------------------------------------------------------------------------

PROBES = [
    b"\xe4\xf6\xfc latin",
    b":bob!b@h QUIT",
    b":bob!b@h PRIVMSG #c",
    b" ",
    b":irc.test 005 ada PREFIX=@+ :are supported",
    b":irc.test 005 ada CHANLIMIT=#120 :are supported",
    b"PING",
    b":",
    b"@",
    b"@a=b",
    b":bob!b@h",
    b":bob!b@h NICK",
    b":bob!b@h KICK #c",
    b":bob!b@h MODE",
    b"\x00\x01\x02",
    b":irc.test 353",
]


def hostile(scene: Scene, data: bytes) -> None:
    """As `wire` does it: whatever a line is, only these two may come of it."""
    for raw in Buffer().feed(data + b"\r\n"):
        with contextlib.suppress(ValueError, IndexError):
            feed(scene.net, decode(raw), scene.now)
    settle(scene.net)


@pytest.mark.parametrize("probe", PROBES)
def test_malformed_lines_leave_the_scene_as_it_was(scene: Scene, probe: bytes) -> None:
    hostile(scene, probe)
    scene.told()
    scene.feed(":eve!e@h PRIVMSG #c :still here")
    assert scene.only(Said).text == "still here"


@pytest.mark.parametrize("nick", ["x" * (NICK_LIMIT + 1), "😀" * 64, "", "\u0430" * 127])
def test_nicks_that_no_jid_can_hold_are_dropped(scene: Scene, nick: str) -> None:
    for line in (f":{nick}!u@h JOIN #c", f":{nick}!u@h PRIVMSG #c :x", f":eve!e@h NICK :{nick}", f":{nick}!u@h QUIT"):
        with pytest.raises(ValueError, match="nick"):
            scene.feed(line)
    assert scene.told() == [] and set(scene.net.channels["#c"].members) == {"ada", "bob", "eve"}
    scene.enter(OTHER, nick)
    assert set(scene.net.channels["#d"].members) == {"ada"}


@pytest.mark.parametrize("entry", ["a" * 60 + "!u@h", "a" * 15_000 + "@", "@" * 15_000, "a " * 7_000 + "!"])
def test_names_cost_linear_time(entry: str) -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    began = process_time()
    scene.feed(":ada!~u@host JOIN #c", f":irc.test 353 ada = #c :{entry}", ":irc.test 366 ada #c :End")
    assert process_time() - began < 0.5  # exponential would be days
    scene.only(Entered)


_COMMANDS = (
    "PRIVMSG NOTICE JOIN PART QUIT NICK 353 366 332 333 TOPIC KICK KILL ERROR MODE INVITE 301 396 470 005 PING PONG 376 001 "
    "401 403 404 433 437 473 474 475 482 417 263 FAIL CAP AUTHENTICATE 999"
)
_WORDS = "ada bob eve #c #C @#c #new * = @ + +o +b-v :x : irc.test bob!b@h \x01ACTION \x01 \x02 , 0"
COMMANDS, WORDS = st.sampled_from(_COMMANDS.split(" ")), st.sampled_from(_WORDS.split(" "))
LINES = st.builds(
    lambda source, command, words, text: f"{source}{command} {' '.join(words)}{text}",
    st.sampled_from(["", ":", ":bob!b@h ", ":ada!~u@host ", ":irc.test ", ": ", "@time=x ", "@a;b=\\ :bob!b@h "]),
    COMMANDS,
    st.lists(WORDS, max_size=6),
    st.sampled_from(["", " :", " :text", " :\x01ACTION", " :bob eve @ada"]) | st.text(max_size=20),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=80) | LINES.map(lambda line: line.encode(errors="surrogatepass")), max_size=12))
def test_no_line_raises_anything_but_what_the_wire_expects(lines: list[bytes]) -> None:
    scene = Scene("PREFIX=(ov)@+", "STATUSMSG=@+")
    scene.enter(ROOM, "@bob", "eve")
    scene.do(say(), Rename(ROOM, "eva", BY, "2"), SetSubject(ROOM, "s", BY, "3"), Join(OTHER, ME, BY))
    for line in lines:
        hostile(scene, line)
    scene.net.tick(scene.now + 1_000)
    scene.feed(":irc.test PONG irc.test f1")


@pytest.mark.parametrize("name", ["x", "0", "", "ada", "#a,#b", "#a\x07b", "bob%irc.test"])
def test_we_are_in_nothing_that_is_no_channel(scene: Scene, name: str) -> None:
    with pytest.raises(ValueError, match=r"no channel|target"):
        scene.feed(f":ada!~u@host JOIN {name}")
    assert list(scene.net.channels) == list(scene.net.by_name) == ["#c"]


@pytest.mark.parametrize("nick", ["", ":a", "a b", "a!b@c", "a,b", "x" * 200])
def test_nobody_calls_us_what_nobody_could_be_called(scene: Scene, nick: str) -> None:
    with pytest.raises(ValueError, match=r"nick|target"):
        scene.feed(f":ada!~u@host NICK ::{nick[1:]}" if nick[:1] == ":" else f":ada!~u@host NICK :{nick}")
    assert scene.net.nick == ME and scene.told() == []


@pytest.mark.parametrize("key", [":a b", "a,b", "::a", "x" * 300])
def test_no_key_is_kept_that_could_not_be_said(scene: Scene, key: str) -> None:
    scene.feed(f":op!o@h MODE #c +k {key}")
    assert scene.net.channels["#c"].key == ""
    scene.feed(":op!o@h MODE #c +k secret")
    assert scene.net.channels["#c"].key == "secret"


def test_channels_that_become_one_by_their_casemapping_are_one() -> None:
    scene = Scene(ready=False)
    scene.net.registered(ME)
    for number in range(UNASKED * 2):
        scene.feed(":irc.test 005 ada CASEMAPPING=ascii :x", f":ada!u@h JOIN #[{number}", f":ada!u@h JOIN #{{{number}")
        scene.feed(f":irc.test 353 ada = #[{number} :bob!b@h", ":irc.test 005 ada CASEMAPPING=rfc1459 :x")
        if len(scene.net.channels) > UNASKED - 2:
            break
    assert list(scene.net.by_name.values()) == list(scene.net.channels.values())
    assert set(scene.net.people) <= {nick for channel in scene.net.channels.values() for nick in channel.members}


def test_a_name_that_no_address_could_hold_is_nobodys(scene: Scene) -> None:
    for line in (f":ada!u@h PRIVMSG {'y' * 3_000} :x", f":irc.test 301 ada {'y' * 3_000} :gone"):
        with pytest.raises(ValueError, match="too long"):
            scene.feed(line)
    scene.net.caps = frozenset({"message-tags"})
    scene.feed(f"@+draft/reply=m;+draft/react=x :ada!u@h TAGMSG {'y' * 3_000}", f":ada!u@h REDACT {'y' * 3_000} m")
    assert scene.told() == []


def test_the_serializer_is_never_asked_for_a_line_that_a_server_wrote(scene: Scene) -> None:
    for nick in ("a,b", ":a"):
        with contextlib.suppress(BadLine):
            scene.feed(f":{nick}!u@h PRIVMSG ada :\x01VERSION\x01")
    assert scene.sent() == []
