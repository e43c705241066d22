"""Messages that are more than words on a live bridge: what they come to, and what a room sends back of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN, House, condition, words
from transports.events import (
    NO_RANK,
    Address,
    Command,
    Correct,
    Echoed,
    Entered,
    Join,
    More,
    React,
    Read,
    Reply,
    Retract,
    Say,
    SetSubject,
    Subject,
    Type,
)

ROOM, BOB = Address("room", "#c"), Address("person", "bob")
JID, DESK = f"#c@{DOMAIN}", "ada@example.org/desk"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
REPLACE = "<replace xmlns='urn:xmpp:message-correct:0' id='m0'/>"
RETRACT = "<retract xmlns='urn:xmpp:message-retract:1' id='m0'/>"
REACT = "<reactions xmlns='urn:xmpp:reactions:0' id='m0'><reaction>👋</reaction></reactions>"
ANSWER = (
    "<body>&gt; hi\nyes</body><reply xmlns='urn:xmpp:reply:0' id='m0' to='#c@far.example.org/bob'/>"
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='5'/></fallback>"
)
COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
DISPLAYED = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m0'/>"
OFTEN = "<markable xmlns='urn:xmpp:chat-markers:0'/><request xmlns='urn:xmpp:receipts'/>"
CANNOT = "feature-not-implemented"


class Scene(House):
    def __init__(self, *can: type) -> None:
        super().__init__()
        if can:
            self.bridge.can = lambda address: frozenset({Say, *can})  # type: ignore[method-assign]
        self.stanza(f"<presence from='{DESK}' to='{JID}/ada'>{MUC}</presence>")
        self.bridge.sessions["ada@example.org"].outlet.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("")))
        self.took()
        self.out.clear()

    def say(self, inside: str, to: str = JID, kind: str = "groupchat", who: str = DESK) -> list[Command]:
        """The commands that it comes to, without what bridges must not look into."""
        self.stanza(f"<message from='{who}' to='{to}' type='{kind}' id='m1'>{inside}</message>")
        return [command._replace(ref=None) if hasattr(command, "ref") else command for command in self.took()]  # type: ignore[call-arg]

    def reflected(self, inside: str) -> ET.Element:
        """What the room sends back when the far side has taken it."""
        self.stanza(f"<message from='{DESK}' to='{JID}' type='groupchat' id='m1'>{inside}</message>")
        [command] = self.took()
        assert isinstance(command, Say)
        self.bridge.sessions["ada@example.org"].outlet.tell(Echoed([command]))
        [stanza] = self.sent()
        assert (stanza.get("id"), stanza.get("from"), stanza.get("type")) == ("m1", f"{JID}/ada", "groupchat")
        return stanza


PLACES = [(JID, "groupchat", ROOM, ""), (f"{JID}/bob", "chat", ROOM, "bob"), (f"bob@{DOMAIN}", "chat", BOB, "")]


@pytest.mark.parametrize(("to", "kind", "address", "nick"), PLACES)
@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (f"<body>hi</body>{OFTEN}", "hi"),
        ("<body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/>", "hi"),
        (f"<body>window</body>{REPLACE}", "* window"),
        (ANSWER, "<bob> hi ← yes"),
        ("<body>https://h/a.png</body><x xmlns='jabber:x:oob'><url>https://h/a.png</url></x>", "https://h/a.png"),
    ],
)
def test_where_there_are_only_words_it_is_words(
    to: str, kind: str, address: Address, nick: str, inside: str, text: str
) -> None:
    assert Scene().say(inside, to, kind) == [Say(address, nick, text, DESK, "m1")]


@pytest.mark.parametrize(("to", "kind", "address", "nick"), PLACES)
def test_what_cannot_be_unsaid_is_an_error(to: str, kind: str, address: Address, nick: str) -> None:
    scene = Scene()
    assert scene.say(f"<body>/me retracted a message</body>{RETRACT}", to, kind) == []
    [error] = scene.sent()
    assert (condition(error), error.get("id"), error.get("from")) == (CANNOT, "m1", to) and words(error)


@pytest.mark.parametrize(("to", "kind", "address", "nick"), PLACES)
@pytest.mark.parametrize("inside", [REACT, f"<body>👋</body>{REACT}", COMPOSING, DISPLAYED])
def test_what_nobody_needs_to_know_is_dropped_in_silence(to: str, kind: str, address: Address, nick: str, inside: str) -> None:
    scene = Scene()
    assert scene.say(inside, to, kind) == [] and scene.sent() == []


@pytest.mark.parametrize(("to", "kind", "address", "nick"), PLACES)
@pytest.mark.parametrize(
    ("inside", "can", "made"),
    [
        (f"<body>window</body>{REPLACE}", Correct, lambda to, nick: Correct(to, nick, ("m0",), "window", DESK, "m1")),
        (RETRACT, Retract, lambda to, nick: Retract(to, nick, ("m0",), DESK, "m1")),
        (REACT, React, lambda to, nick: React(to, nick, ("m0",), ("👋",), DESK, "m1")),
        (COMPOSING, Type, lambda to, nick: Type(to, nick, "composing", DESK)),
        (DISPLAYED, Read, lambda to, nick: Read(to, nick, ("m0",), DESK)),
        (ANSWER, Reply, lambda to, nick: Say(to, nick, "yes", DESK, "m1", more=More(reply="m0", quote="hi"))),
    ],
)
def test_where_more_can_be_done_it_is_done(
    to: str, kind: str, address: Address, nick: str, inside: str, can: type, made: object
) -> None:
    assert callable(made)
    assert Scene(can, Join).say(inside, to, kind) == [made(address, nick)]


@pytest.mark.parametrize("inside", [COMPOSING, DISPLAYED])
@pytest.mark.parametrize(
    ("to", "kind"), [(JID, "groupchat"), (f"{JID}/bob", "chat"), (JID, "chat"), (f"bob@{DOMAIN}", "groupchat")]
)
def test_who_is_not_in_a_room_does_nothing_there_and_hears_nothing(inside: str, to: str, kind: str) -> None:
    scene = Scene(Type, Read)
    assert scene.say(inside, to, kind, who="ada@example.org/phone") == [] and scene.sent() == []


def test_a_subject_with_a_chat_state_is_a_subject() -> None:
    scene = Scene(SetSubject, Type)
    assert scene.say(f"<subject>New</subject>{COMPOSING}") == [SetSubject(ROOM, "New", DESK, "m1")]


def test_a_correction_in_words_must_fit_as_a_whole() -> None:
    scene = Scene()
    assert scene.say(f"<body>{'x' * 99}</body>{REPLACE}") == []  # 100 fit
    assert condition(scene.sent()[0]) == "not-acceptable"
    assert len(scene.say(f"<body>{'x' * 98}</body>{REPLACE}")) == 1


@pytest.mark.parametrize("copy", ["<sent xmlns='urn:xmpp:carbons:2'/>", "<result xmlns='urn:xmpp:mam:2'/>"])
@pytest.mark.parametrize("inside", ["<body>x</body>", "<subject>x</subject>", RETRACT])
def test_copies_are_nobodys_words(copy: str, inside: str) -> None:
    scene = Scene()
    assert scene.say(inside + copy) == [] and scene.sent() == []


# What a room sends back -----------------------------------------------------------------------------------------------


def test_a_correction_comes_back_as_one() -> None:
    stanza = Scene().reflected(f"<body>window</body>{REPLACE}")
    replace = stanza.find("{urn:xmpp:message-correct:0}replace")
    assert replace is not None and replace.get("id") == "m0" and stanza.findtext("body") == "window"


def test_an_answer_comes_back_as_one() -> None:
    stanza = Scene().reflected(ANSWER)
    reply, fallback = stanza.find("{urn:xmpp:reply:0}reply"), stanza.find("{urn:xmpp:fallback:0}fallback")
    assert reply is not None and (reply.get("id"), reply.get("to")) == ("m0", "#c@far.example.org/bob")
    assert fallback is not None and fallback[0].get("end") == "5" and stanza.findtext("body") == "> hi\nyes"


def test_what_nobody_understands_does_not_come_back() -> None:
    stanza = Scene().reflected("<body>x</body><thread>t</thread><evil xmlns='x:y'>z</evil>")
    assert [child.tag.rpartition("}")[2] for child in stanza] == ["body", "thread", "stanza-id", "occupant-id"]


def test_words_to_the_gateway_are_commands_whatever_else_they_carry() -> None:
    scene = Scene()
    scene.stanza(f"<message from='{DESK}' to='{DOMAIN}' type='chat' id='m1'><body>help</body>{OFTEN}</message>")
    plain = Scene()
    plain.stanza(f"<message from='{DESK}' to='{DOMAIN}' type='chat' id='m1'><body>help</body></message>")
    assert [stanza.findtext("body") for stanza in scene.sent()] == [stanza.findtext("body") for stanza in plain.sent()]
