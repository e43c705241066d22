"""Notices of services, and messages to some of a channel."""

from __future__ import annotations

import pytest

from tests.bridges.irc.scene import ROOM, Scene
from transports.bridges.irc import inbound
from transports.bridges.irc.notices import MOST, is_service
from transports.events import Address, Said

NICKSERV = Address("person", "nickserv%irc.test")
SOURCE = ":NickServ!services@services.test"


@pytest.fixture
def scene() -> Scene:
    scene = Scene("STATUSMSG=@+", "CHANTYPES=#")
    scene.enter(ROOM, "@bob", "eve")
    return scene


def at_once(scene: Scene, *lines: str) -> None:
    """Lines that come in one piece."""
    for line in lines:
        inbound.feed(scene.net, line, scene.now)


def said(scene: Scene) -> list[tuple[str, str]]:
    return [(fact.nick, fact.text) for fact in scene.told() if isinstance(fact, Said)]


def test_what_a_service_answers_at_once_is_one_message(scene: Scene) -> None:
    page = ("***** \x02Help\x02 *****", " ", "Syntax: \x02REGISTER\x02 <password>")
    at_once(scene, *[f"{SOURCE} NOTICE ada :{line}" for line in page])
    assert scene.told() == []
    inbound.settle(scene.net)
    [fact] = scene.told()
    assert isinstance(fact, Said) and (fact.where, fact.style) == (NICKSERV, "say")
    assert fact.text == "***** *Help* *****\n \nSyntax: *REGISTER* <password>"
    assert fact.more is not None
    assert [fact.text[span.start : span.end] for span in fact.more.spans] == ["Help", "REGISTER"]


def test_what_comes_from_somebody_else_is_another_message_and_the_order_stays(scene: Scene) -> None:
    at_once(
        scene,
        f"{SOURCE} NOTICE ada :one",
        ":ChanServ!s@services.test NOTICE ada :two",
        ":bob!b@h PRIVMSG ada :three",
        f"{SOURCE} NOTICE ada :four",
        ":irc.test 999 ada :five",
    )
    inbound.settle(scene.net)
    assert said(scene) == [("NickServ", "one"), ("ChanServ", "two"), ("bob", "three"), ("NickServ", "four")]


def test_a_long_answer_is_several_messages(scene: Scene) -> None:
    at_once(scene, *[f"{SOURCE} NOTICE ada :{'x' * 400}"] * 30)
    inbound.settle(scene.net)
    texts = [text for _, text in said(scene)]
    assert max(map(len, texts)) <= MOST and sum(text.count("x") for text in texts) == 12_000


def test_a_service_that_speaks_is_not_mistaken(scene: Scene) -> None:
    at_once(scene, f"{SOURCE} PRIVMSG ada :\x01ACTION waves\x01")
    assert said(scene) == [("NickServ", "waves")]


@pytest.mark.parametrize(
    ("source", "service"),
    [
        ("NickServ!services@services.libera.chat", True),
        ("ChanServ!ChanServ@services.", True),
        ("Q!TheQBot@CServe.quakenet.org", True),
        ("MemoServ!service@rizon.net", True),
        ("bob!b@example.org", False),
        ("Servant!s@example.org", False),
    ],
)
def test_services_are_known(source: str, service: bool) -> None:
    assert is_service(source) is service
