"""Contacts on IRC: who is watched, what of it is told as Seen; and what is said of our own absence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridges.irc.scene import ME, ROOM, Scene
from transports.bridges.irc import watch
from transports.bridges.irc.absence import SAY_EVERY
from transports.events import Address, Fact, Seen, SetAway

ALL = frozenset({"extended-monitor", "away-notify"})


def person(nick: str) -> Address:
    return Address("person", f"{nick}%irc.test")


def seen(scene: Scene) -> list[Fact]:
    return [fact for fact in scene.told() if isinstance(fact, Seen)]


@pytest.fixture
def scene() -> Scene:
    """bob and Eve are contacts; the server has been asked to tell of them."""
    scene = Scene("MONITOR=10", "CASEMAPPING=rfc1459", "PREFIX=(ov)@+")
    scene.net.caps = ALL
    watch.sync(scene.net, ["bob", "eve"])
    assert scene.sent() == ["MONITOR + bob,eve"]
    return scene


# MONITOR (the specification's examples) ---------------------------------------------------------------------------------


def test_contacts_come_and_go(scene: Scene) -> None:
    scene.feed(f":irc.test 731 {ME} :bob,eve")
    assert seen(scene) == [Seen(person("bob"), "unavailable"), Seen(person("eve"), "unavailable")]
    scene.feed(f":irc.test 730 {ME} :Eve!e@example.org,stranger!s@h")
    assert seen(scene) == [Seen(person("eve"))] and watch.known(scene.net, "EVE") == ("", "")
    scene.feed(f":irc.test 730 {ME} :Eve!e@example.org")
    assert seen(scene) == []
    scene.feed(f":irc.test 731 {ME} :Eve")
    assert seen(scene) == [Seen(person("eve"), "unavailable")]


def test_a_contact_in_no_channel_is_away(scene: Scene) -> None:
    scene.feed(f":irc.test 730 {ME} :bob!b@h", ":bob!b@h AWAY :at lunch")
    assert seen(scene) == [Seen(person("bob")), Seen(person("bob"), "away", "at lunch")]
    scene.feed(":bob!b@h AWAY")
    assert seen(scene) == [Seen(person("bob"))] and scene.net.people == {}


def test_a_contact_in_a_channel_is_as_the_channel_sees_it(scene: Scene) -> None:
    scene.enter(ROOM, "bob!b@h")
    scene.feed(":bob!b@h AWAY :at lunch", f":irc.test 730 {ME} :bob!b@h")
    assert seen(scene) == [Seen(person("bob"), "away", "at lunch")]


def test_whether_who_has_come_is_away_is_asked() -> None:
    scene = Scene("MONITOR=10", "WHOX")
    scene.net.caps = ALL
    watch.sync(scene.net, ["bob"])
    scene.feed(f":irc.test 730 {ME} :bob!b@h")
    scene.sent()
    scene.net.tick(scene.now)
    assert scene.sent() == ["WHO bob %tcuhnfar,417"]
    scene.feed(f":irc.test 354 {ME} 417 * b h bob G 0 :Bob")
    assert seen(scene)[-1] == Seen(person("bob"), "away") and scene.net.people == {}


def test_who_is_removed_is_watched_no_longer(scene: Scene) -> None:
    watch.sync(scene.net, ["eve"])
    watch.sync(scene.net, ["eve"])
    assert scene.sent() == ["MONITOR - bob"]
    scene.feed(f":irc.test 730 {ME} :bob!b@h")
    assert seen(scene) == []
    watch.sync(scene.net, [])
    assert scene.sent() == ["MONITOR - eve"] and scene.net.watch is None


def test_a_lost_connection_shows_nobody(scene: Scene) -> None:
    scene.feed(f":irc.test 730 {ME} :bob!b@h")
    seen(scene)
    watch.lost(scene.net)
    assert seen(scene) == [Seen(person("bob"), "unavailable")] and watch.known(scene.net, "bob") is None


def test_many_contacts_go_in_lines_that_fit() -> None:
    scene = Scene("MONITOR=1000")
    watch.sync(scene.net, [f"contact{n:020}" for n in range(500)])
    lines = scene.sent()
    assert all(len(line) <= 510 for line in lines)
    assert sum(line.count(",") + 1 for line in lines) == watch.MOST == len(scene.net.watch.contacts)  # type: ignore[union-attr]


def test_a_nick_that_would_be_two_is_none() -> None:
    scene = Scene("MONITOR=10")
    watch.sync(scene.net, ["a,b", "c d", "e\r\nQUIT"])
    assert scene.sent() == []


# ISON (RFC 2812 4.9) ---------------------------------------------------------------------------------------------------


def test_without_monitor_it_is_asked_now_and_then() -> None:
    scene = Scene()
    watch.sync(scene.net, ["bob", "eve"])
    scene.net.tick(scene.now)
    assert scene.sent() == ["ISON :bob eve"]
    scene.feed(f":irc.test 303 {ME} :Eve")
    assert seen(scene) == [Seen(person("bob"), "unavailable"), Seen(person("eve"))]
    scene.net.tick(scene.now + 1)
    assert scene.sent() == []
    scene.now += watch.ASK_EVERY
    scene.net.tick(scene.now)
    assert scene.sent() == ["ISON :bob Eve"]
    scene.feed(f":irc.test 303 {ME} :")
    assert seen(scene) == [Seen(person("eve"), "unavailable")]


def test_of_many_some_are_asked_about_in_turn() -> None:
    scene = Scene("MONITOR=3")
    nicks = [f"n{n}" for n in range(2 + watch.ASKED + 1)]
    watch.sync(scene.net, nicks)
    assert scene.sent() == ["MONITOR + n0,n1"]
    asked: list[str] = []
    for _ in range(2):
        scene.net.tick(scene.now)
        (line,) = scene.sent()
        asked += line.replace(":", "").split()[1:]
        scene.feed(f":irc.test 303 {ME} :")
        scene.now += watch.ASK_EVERY
    assert asked == nicks[2:]


def test_a_full_list_is_made_up_for(scene: Scene) -> None:
    scene.feed(f":irc.test 734 {ME} 1 eve :Monitor list is full.")
    scene.net.tick(scene.now)
    assert scene.sent() == ["ISON eve"]


_NICKS = st.sampled_from(["bob", "BOB", "eve", "x,bob!b@h", "", "ada", ",,", "stranger"])
_LINES = st.one_of(
    st.builds(":irc.test {} ada :{}".format, st.sampled_from(["730", "731", "732", "303"]), _NICKS),
    st.builds(":irc.test 734 ada {} {} :full".format, st.sampled_from(["1", "x"]), _NICKS),
    st.builds(":{}!u@h {}".format, _NICKS, st.sampled_from(["AWAY", "AWAY :x", "QUIT", "NICK bob", "JOIN #c", "PART #c"])),
    st.sampled_from([":irc.test 730", ":irc.test 734 ada", ":irc.test 303 ada", ":irc.test 354 ada 417 * u h bob G 0 :n"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_LINES, max_size=30), st.sampled_from(["MONITOR=1", "MONITOR=100", "MONITOR", "x"]))
def test_whatever_comes_only_contacts_are_told_of(lines: list[str], token: str) -> None:
    scene = Scene(token, "WHOX")
    scene.net.caps = ALL
    scene.enter(ROOM, "eve")
    watch.sync(scene.net, ["bob", "eve"])
    for line in lines:
        try:
            scene.feed(line)
        except (ValueError, IndexError):
            continue
        scene.now += 1
        scene.net.tick(scene.now)
    assert {fact.contact for fact in scene.facts if isinstance(fact, Seen)} <= {person("bob"), person("eve")}
    assert scene.net.watch is not None and len(scene.net.watch.contacts) == 2 >= len(scene.net.watch.asked)


# Our own absence -------------------------------------------------------------------------------------------------------


def test_our_absence_is_said_once_and_in_no_haste() -> None:
    scene = Scene("AWAYLEN=20")
    for text in ("at\r\nlunch, and for long", "x", None, "at\r\nlunch, and for long"):
        scene.net.do(SetAway(text), scene.now)
    assert scene.sent() == ["AWAY :at lunch, and for"]
    scene.net.do(SetAway(None), scene.now)
    assert scene.sent() == []
    scene.net.tick(scene.now + SAY_EVERY)
    scene.net.tick(scene.now + 2 * SAY_EVERY)
    assert scene.sent() == ["AWAY"]


@pytest.mark.parametrize(("caps", "line"), [(frozenset(), "AWAY Away"), (frozenset({"draft/pre-away"}), "AWAY *")])
def test_absence_without_words(caps: frozenset[str], line: str) -> None:
    scene = Scene()
    scene.net.caps = caps
    scene.net.do(SetAway(""), scene.now)
    assert scene.sent() == [line]


def test_absence_waits_for_the_greeting_and_for_the_users_own_lines() -> None:
    scene = Scene(ready=False)
    scene.net.do(SetAway("gone"), scene.now)
    assert scene.sent() == []
    scene.net.registered(ME)
    scene.feed(":irc.test 376 ada :End of MOTD")
    scene.held = True
    scene.queue("x", ["PRIVMSG #c :first"])
    scene.net.tick(scene.now)
    scene.release()
    assert scene.sent() == ["PRIVMSG #c :first"]
    scene.held = False
    scene.net.tick(scene.now)
    assert scene.sent() == ["AWAY gone"]
