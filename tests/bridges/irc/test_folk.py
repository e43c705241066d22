"""Who the people in our channels are, line by line; the lines are the IRCv3 specifications' own where they have some."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridges.irc.scene import ME, ROOM, Scene
from transports.bridges.irc import folk, watch
from transports.bridges.irc.flow import Outgoing
from transports.events import BY_ADDRESS, NO_RANK, Address, Became, Echoed, Fact, Joined, Person, Rank, SetSubject
from transports.xmpp.client import occupant_id

OTHER = Address("room", "#d%irc.test")
CAPS = frozenset({"account-notify", "away-notify", "chghost", "extended-join", "setname", "userhost-in-names"})


@pytest.fixture
def scene() -> Scene:
    """In #c with bob, of whom the address is known, and eve, of whom nothing is."""
    scene = Scene("PREFIX=(ov)@+", "WHOX", "BOT=B", "CASEMAPPING=rfc1459")
    scene.net.caps = CAPS
    scene.enter(ROOM, "@bob!b@bob.example", "eve")
    return scene


def person(scene: Scene, nick: str) -> Person | None:
    return scene.net.people.get(nick)


def became(facts: list[Fact]) -> list[tuple[str, str, Person]]:
    return [(fact.room.name, fact.nick, fact.who) for fact in facts if isinstance(fact, Became)]


# Where it comes from --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "who"),
    [
        (":dan-!d@localhost JOIN #c", Person("d@localhost", id=BY_ADDRESS)),
        (":dan-!d@localhost JOIN :#C", Person("d@localhost", id=BY_ADDRESS)),
        (":dan-!d@localhost JOIN #c * :Millie", Person("d@localhost", name="Millie", id=BY_ADDRESS)),
        (":dan-!d@localhost JOIN #c acc :Real Name", Person("d@localhost", "acc", name="Real Name", id="=acc")),
        (":dan-!d@localhost JOIN #c dan-", Person("d@localhost", "dan-", id="=dan-")),
        (":dan- JOIN #c", Person()),
        (f":dan-!{'d' * 200}@localhost JOIN #c", Person()),
    ],
)
def test_a_join_says_who_comes(scene: Scene, line: str, who: Person) -> None:
    scene.feed(line)
    assert scene.only(Joined) == Joined(ROOM, "dan-", NO_RANK, who)
    assert scene.net.people.get("dan-", Person()) == who


def test_names_with_addresses(scene: Scene) -> None:
    assert scene.net.channels["#c"].members == {ME: NO_RANK, "bob": Rank("admin", "moderator", "o"), "eve": NO_RANK}
    assert person(scene, "bob") == Person("b@bob.example", id=BY_ADDRESS) and person(scene, "eve") is None
    assert person(scene, ME) == Person("~u@host", id=BY_ADDRESS)


@pytest.mark.parametrize(
    ("line", "who"),
    [
        (":bob!b@bob.example AWAY :Gone to lunch. Back in 5", Person("b@bob.example", away="Gone to lunch. Back in 5")),
        (":bob!b@bob.example ACCOUNT bob", Person("b@bob.example", "bob")),
        (":bob!b@bob.example CHGHOST newuser new.host", Person("newuser@new.host", id="bob!b@bob.example")),
        ("@account=hax0r :bob!b@bob.example PRIVMSG #c :Now I'm logged in.", Person("b@bob.example", "hax0r")),
        ("@time=2026-11-21T00:00:00.000Z;bot :bob!b@bob.example NOTICE #c :beep", Person("b@bob.example", bot=True)),
        ("@bot;account=bob :bob!b@bob.example NOTICE #c :beep", Person("b@bob.example", "bob", bot=True)),
    ],
)
def test_what_changes_is_told_once_and_the_id_stays(scene: Scene, line: str, who: Person) -> None:
    if not who.id:
        who = who._replace(id=BY_ADDRESS)
    known = occupant_id("bob", scene.net.people["bob"])
    scene.feed(line, line)
    assert became(scene.told()) == [(ROOM.name, "bob", who)] and person(scene, "bob") == who
    assert occupant_id("bob", who) == known


def test_why_somebody_is_away_is_known_when_we_write_to_them(scene: Scene) -> None:
    scene.feed(f":irc.test 301 {ME} bob :gone fishing", f":irc.test 354 {ME} 417 #c b bob.example bob G@ 0 :Bob")
    assert scene.net.people["bob"].away == ""
    scene.feed(f":irc.test 301 {ME} bob :gone fishing")
    assert scene.net.people["bob"].away == "gone fishing"


def test_who_is_back_or_logs_out(scene: Scene) -> None:
    scene.feed(":bob!b@bob.example AWAY :x", ":bob!b@bob.example ACCOUNT bob")
    scene.feed(":bob!b@bob.example AWAY", ":bob!b@bob.example ACCOUNT *")
    assert person(scene, "bob") == Person("b@bob.example", id=BY_ADDRESS)


def test_a_real_name_is_kept_and_shows_nowhere(scene: Scene) -> None:
    scene.feed(":bob!b@bob.example SETNAME :Bruce Wayne <bruce@wayne.enterprises>")
    assert scene.told() == [] and scene.net.people["bob"].name == "Bruce Wayne <bruce@wayne.enterprises>"


def test_a_tag_of_another_name_is_none(scene: Scene) -> None:
    scene.feed("@+x/account=eve;robot=1 :bob!b@bob.example PRIVMSG #c :hm")
    assert became(scene.told()) == []


def test_our_own_state(scene: Scene) -> None:
    scene.feed(f":irc.test 306 {ME} :You have been marked as being away")
    assert became(scene.told()) == [(ROOM.name, ME, Person("~u@host", away="", id=BY_ADDRESS))]
    scene.feed(f":irc.test 305 {ME} :You are no longer marked as being away", f":{ME}!~u@host CHGHOST ada cloak")
    assert (scene.net.user, scene.net.host) == ("ada", "cloak")


def test_two_channels_share_one_person_who_goes_with_the_last(scene: Scene) -> None:
    scene.enter(OTHER, "bob!b@bob.example")
    scene.feed(":bob!b@bob.example AWAY :x")
    assert [room for room, _, _ in became(scene.told())] == [ROOM.name, OTHER.name]
    scene.feed(":bob!b@bob.example PART #c")
    assert person(scene, "bob") is not None
    scene.feed(f":{ME}!~u@host KICK #d bob :out")
    assert person(scene, "bob") is None


def test_people_go_with_our_last_channel_of_theirs(scene: Scene) -> None:
    scene.enter(OTHER, "bob!b@bob.example", "dan!d@h")
    scene.feed(f":bob!b@bob.example KICK #d {ME}")
    assert set(scene.net.people) == {ME, "bob"}
    scene.feed(f":{ME}!~u@host PART #c")
    scene.feed(f":bob!b@bob.example KICK #c {ME}")
    assert scene.net.people == {}


def test_a_quit_forgets(scene: Scene) -> None:
    scene.feed(":bob!b@bob.example QUIT :a.b c.d")
    assert set(scene.net.people) == {ME}


# What they are known by -----------------------------------------------------------------------------------------------


def test_another_nick_is_the_same_person(scene: Scene) -> None:
    known = occupant_id("bob", scene.net.people["bob"])
    scene.feed(":bob!b@bob.example NICK robert", ":robert!b@bob.example NICK rob")
    assert occupant_id("rob", scene.net.people["rob"]) == known == "bob!b@bob.example"
    assert person(scene, "bob") is None and person(scene, "robert") is None


def test_who_was_shown_by_the_nick_alone_stays_so_elsewhere(scene: Scene) -> None:
    scene.enter(OTHER)
    scene.feed(":eve!e@h JOIN #d eve :Eve")
    assert occupant_id("eve", scene.net.people["eve"]) == "eve"


def test_a_nick_an_address_and_an_account_are_never_one(scene: Scene) -> None:
    ids = [
        occupant_id("alice"),
        occupant_id("alice", Person("a@h", id=BY_ADDRESS)),
        occupant_id("alice", Person("a@h", "alice", id="=alice")),
        occupant_id("=alice"),
        occupant_id("!alice", Person("a@h", id=BY_ADDRESS)),
        occupant_id("#alice"),
    ]
    assert len(set(ids)) == len(ids)


# WHOX -----------------------------------------------------------------------------------------------------------------


def asked(scene: Scene) -> list[str]:
    scene.now += folk.ASK_EVERY
    scene.net.tick(scene.now)
    return scene.sent()


def test_a_small_channel_is_asked_about_once_and_when_there_is_time(scene: Scene) -> None:
    scene.enter(OTHER, "bob")
    scene.queued.append(("x", Outgoing("PRIVMSG #c :first")))
    assert asked(scene) == []
    scene.queued.clear()
    assert [asked(scene), asked(scene), asked(scene)] == [["WHO #c %tcuhnfar,417"], ["WHO #d %tcuhnfar,417"], []]


def test_a_large_channel_or_an_old_server_is_not_asked() -> None:
    large, old = Scene("WHOX"), Scene()
    large.enter(ROOM, *(f"n{n}" for n in range(folk.ASKED)))
    old.enter(ROOM, "bob")
    assert (asked(large), asked(old)) == ([], [])


@pytest.mark.parametrize(
    ("line", "who"),
    [
        ("417 #c e eve.example eve H eve :Eve", Person("e@eve.example", "eve", name="Eve")),
        ("417 #c e eve.example eve G@B 0 :Eve", Person("e@eve.example", away="", bot=True, name="Eve")),
        ("418 #c e eve.example eve H eve :Eve", None),
        ("417 #c x mallory.example mallory H eve :Eve", None),
        ("417 #c e eve.example eve H eve", None),
    ],
)
def test_answers(scene: Scene, line: str, who: Person | None) -> None:
    try:
        scene.feed(f":irc.test 354 {ME} {line}")
    except ValueError:
        assert who is None
    assert became(scene.told()) == ([(ROOM.name, "eve", who)] if who else [])
    assert person(scene, "eve") == who and person(scene, "mallory") is None
    scene.feed(f":irc.test 315 {ME} #c :End of WHO list")
    assert scene.told() == []


def test_what_no_capability_keeps_fresh_is_not_taken(scene: Scene) -> None:
    scene.net.caps = frozenset()
    scene.feed(f":irc.test 354 {ME} 417 #c e h eve G eve :Eve")
    assert person(scene, "eve") == Person("e@h", name="Eve")


def test_a_server_that_has_no_time_is_not_quoted(scene: Scene) -> None:
    scene.feed(f":irc.test 263 {ME} WHO :Server load is temporarily too heavy. Please wait a while and try again.")
    assert scene.told() == []


# CASEMAPPING ----------------------------------------------------------------------------------------------------------


def test_a_subject_of_ours_is_known_in_any_spelling(scene: Scene) -> None:
    topic = SetSubject(ROOM, "new", "ada@example.org/desk", "1")
    scene.do(topic)
    scene.feed(":ADA!~u@host TOPIC #c :new")
    assert scene.told()[0] == Echoed((topic,))


def test_a_server_that_spells_us_otherwise_means_us(scene: Scene) -> None:
    scene.enter(OTHER)
    scene.feed(":ADA!~u@host PART #d", ":Ada!~u@host NICK [ada]")
    assert scene.net.nick == "[ada]" and set(scene.net.channels) == {"#c"}
    scene.feed(":{ada}!~u@host JOIN #d", ":irc.test 353 [ada] = #d :[ada]", ":irc.test 366 [ada] #d :end")
    assert scene.net.channels["#d"].members == {"[ada]": NO_RANK}
    scene.feed(":{ADA}!~u@host QUIT :bye")
    assert "[ada]" in scene.net.channels["#c"].members


# Whatever comes -------------------------------------------------------------------------------------------------------

_NICKS = st.sampled_from(["ada", "bob", "eve", "BOB", "x[y", "=a", "a!b"])
_ROOMS = st.sampled_from(["#c", "#d"])
_SOURCES = st.builds(lambda nick, host: f":{nick}{host}", _NICKS, st.sampled_from(["!u@h", "!v@i", "", "@h", "!" + "u" * 300]))
_LINES = st.one_of(
    st.builds("{} JOIN {}".format, _SOURCES, _ROOMS),
    st.builds("{} JOIN {} {} :Name".format, _SOURCES, _ROOMS, _NICKS),
    st.builds("{} PART {}".format, _SOURCES, _ROOMS),
    st.builds("{} KICK {} {}".format, _SOURCES, _ROOMS, _NICKS),
    st.builds("{} QUIT :bye".format, _SOURCES),
    st.builds("{} NICK {}".format, _SOURCES, _NICKS),
    st.builds("{} AWAY{}".format, _SOURCES, st.sampled_from(["", " :gone", " " + "x" * 9_000])),
    st.builds("{} ACCOUNT {}".format, _SOURCES, st.one_of(_NICKS, st.just("*"))),
    st.builds("{} CHGHOST u {}".format, _SOURCES, st.sampled_from(["h", "i", "x" * 9_000])),
    st.builds("{} SETNAME :{}".format, _SOURCES, st.text(max_size=300)),
    st.builds("@account={};bot {} PRIVMSG {} :hi".format, _NICKS, _SOURCES, _ROOMS),
    st.builds(":s 353 ada = {} :@{}!u@h {}".format, _ROOMS, _NICKS, _NICKS),
    st.builds(":s 366 ada {} :end".format, _ROOMS),
    st.builds(":s 354 ada 417 #c u h {} G* {} :name".format, _NICKS, _NICKS),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES, max_size=40))
def test_whatever_comes_people_are_members_and_short(lines: list[str]) -> None:
    scene = Scene("PREFIX=(ov)@+", "WHOX", "BOT=B")
    scene.net.caps = CAPS
    scene.enter(ROOM, "bob!b@bob.example", "eve")
    for line in lines:
        before = known_by(scene)
        try:
            scene.feed(line)
        except (ValueError, IndexError):
            continue
        members = {nick for channel in scene.net.channels.values() for nick in channel.members}
        assert set(scene.net.people) <= members
        for who in scene.net.people.values():
            assert len(who.host) <= folk.HOST and len(who.account) <= folk.ACCOUNT and len(who.name) <= folk.NAME
            assert len(who.away or "") <= folk.AWAY
        after = known_by(scene)
        if not {"JOIN", "NICK"} & set(line.split()):  # who comes again has been away
            stayed = before.keys() & after.keys()
            assert {nick: after[nick] for nick in stayed} == {nick: before[nick] for nick in stayed}


def known_by(scene: Scene) -> dict[str, str]:
    """The occupant ids of all who are in a room that the user is in."""
    rooms = [channel for channel in scene.net.channels.values() if channel.entered]
    return {nick: occupant_id(nick, scene.net.people.get(nick, Person())) for room in rooms for nick in room.members}


def test_channels_that_come_and_go_are_not_asked_about_without_end() -> None:
    scene = Scene("WHOX", held=True)
    for number in range(3_000):
        scene.feed(f":ada!u@h JOIN #x{number}", f":irc.test 366 ada #x{number} :End", f":irc.test KICK #x{number} ada :out")
    assert scene.net.unasked is not None and len(scene.net.unasked[1]) <= watch.MOST
    assert not scene.net.channels and not scene.net.people
