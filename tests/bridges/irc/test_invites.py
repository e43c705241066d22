"""Invitations and wishes to be heard, as lines and what answers them; channels that send on, or are called otherwise."""

from __future__ import annotations

import pytest

from tests.bridges.irc.scene import BY, ME, ROOM, Scene
from transports.events import Address, Echoed, Failed, Invite, Invited, Join, Left, Notice, Refused, RequestVoice

BOB = Address("person", "bob%irc.test")
INVITE = Invite(ROOM, BOB, BY, "i1", "come")
VOICE = RequestVoice(ROOM, BY, "v1")


def entered(*isupport: str, others: tuple[str, ...] = ("eve",)) -> Scene:
    scene = Scene(*isupport)
    scene.enter(ROOM, *others)
    return scene


def do(scene: Scene, command: Invite | RequestVoice) -> None:
    scene.net.do(command, scene.now)


def test_an_invitation_is_answered_by_the_server() -> None:
    scene = entered()
    do(scene, INVITE)
    assert scene.sent()[0] == "INVITE bob #c"
    scene.feed(":eve!e@h PRIVMSG #c :hello", ":irc.test 341 ada eve #c")
    assert scene.echoed() == []
    scene.told()
    scene.feed(":irc.test 341 ada bob #c")
    assert scene.only(Echoed).of == (INVITE,)


@pytest.mark.parametrize(
    ("numeric", "condition"),
    [
        ("401 ada bob :No such nick/channel", "item-not-found"),
        ("443 ada bob #c :is already on channel", "conflict"),
        ("482 ada #c :You're not channel operator", "forbidden"),
        ("518 ada :Can't invite, channel has invites disabled", "not-allowed"),
    ],
)
def test_an_invitation_that_the_server_refuses(numeric: str, condition: str) -> None:
    scene = entered()
    do(scene, INVITE)
    scene.feed(f":irc.test {numeric}")
    failed = scene.only(Failed)
    assert (failed.of, failed.error.condition) == (INVITE, condition)


def test_an_invitation_that_cannot_be_is_not_sent() -> None:
    scene = entered()
    wrong = [
        (INVITE._replace(room=Address("room", "#d%irc.test")), "not-acceptable"),
        (INVITE._replace(whom=Address("person", "bob%other.test")), "item-not-found"),
        (INVITE._replace(whom=Address("person", "b b%irc.test")), "item-not-found"),
    ]
    for command, condition in wrong:
        do(scene, command)
        assert scene.only(Failed).error.condition == condition
    assert scene.sent() == []


def test_a_server_that_says_nothing_has_passed_it_on() -> None:
    scene = entered()
    do(scene, INVITE)
    fence = scene.sent()[1].removeprefix("PING ")
    scene.feed(f":irc.test PONG irc.test :{fence}")
    assert scene.only(Echoed).of == (INVITE,)


def test_others_who_are_invited_are_news_for_the_channel() -> None:
    scene = entered()
    scene.feed(":eve!e@h INVITE bob #c", ":eve!e@h INVITE bob #elsewhere")
    assert scene.only(Notice) == Notice(ROOM, "eve has invited bob")
    scene.feed(":eve!e@h INVITE ada #party")
    assert scene.only(Invited) == Invited(Address("room", "#party%irc.test"), "eve")


def test_a_wish_to_be_heard_goes_to_those_who_can_give_it() -> None:
    scene = entered("STATUSMSG=@+")
    do(scene, VOICE)
    assert scene.sent()[0] == "NOTICE @#c :ada asks to be allowed to speak here."
    scene.feed(":irc.test 404 ada #c :Cannot send to channel (+m)")
    failed = scene.only(Failed)
    assert (failed.of, failed.error.condition) == (VOICE, "forbidden")


def test_a_wish_that_cannot_be_told() -> None:
    scene = entered()
    do(scene, VOICE)
    assert scene.only(Failed).error.condition == "feature-not-implemented"
    scene = entered("STATUSMSG=@+")
    scene.feed(":eve!e@h MODE #c +v ada")
    scene.told()
    do(scene, VOICE)
    assert scene.only(Failed).error.condition == "conflict"
    assert scene.sent() == []


def test_a_channel_that_sends_its_visitors_on_says_where_to() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    scene.feed(
        ":irc.test 470 ada #c ##c :Forwarding to another channel",
        ":ada!u@h JOIN ##c",
        ":irc.test 353 ada = ##c :ada eve",
        ":irc.test 366 ada ##c :End",
    )
    refused, invited = scene.told()
    assert isinstance(refused, Refused) and "##c" in refused.error.text
    assert isinstance(invited, Invited) and invited.room == Address("room", "##c%irc.test")


def test_a_channel_with_another_name_is_left_and_invites() -> None:
    """draft/channel-rename is not asked for: the server says it as a PART and a JOIN."""
    scene = entered()
    scene.feed(
        ":ada!u@h PART #c :called #tea now",
        ":ada!u@h JOIN #tea",
        ":irc.test 353 ada = #tea :ada eve",
        ":irc.test 366 ada #tea :End",
    )
    left, invited = scene.told()
    assert left == Left(ROOM, (ME,), "left", "called #tea now")
    assert isinstance(invited, Invited) and invited.room == Address("room", "#tea%irc.test")


@pytest.mark.parametrize(
    ("mode", "key"),
    [("+k sesame", "sesame"), ("+mk sesame", "sesame"), ("-k sesame", ""), ("+k a,b", ""), (f"+k {'x' * 300}", "")],
)
def test_a_key_that_is_set_is_the_one_to_come_back_with(mode: str, key: str) -> None:
    scene = entered()
    scene.net.channels["#c"].key = "old"
    scene.feed(f":eve!e@h MODE #c {mode}")
    assert scene.net.channels["#c"].key == key
