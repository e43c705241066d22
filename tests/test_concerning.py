"""What happens to messages after they were said, on a live bridge: what the user's clients see of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import FarBridge, condition
from tests.test_visitor import BOB, DESK, JID, PHONE, ROOM, USER, Scene, body
from transports.concerning import PEOPLE, links_of
from transports.events import (
    NO_RANK,
    Address,
    Corrected,
    Displayed,
    Echoed,
    Entered,
    More,
    React,
    Reacted,
    Read,
    Reply,
    Retract,
    Retracted,
    Said,
    Say,
    Sent,
    Subject,
    Type,
    Typing,
)

REACTIONS, REPLY, RETRACT = "{urn:xmpp:reactions:0}", "{urn:xmpp:reply:0}", "{urn:xmpp:message-retract:1}"
STATES, FALLBACK = "{http://jabber.org/protocol/chatstates}", "{urn:xmpp:fallback:0}"
NATIVE = frozenset({React, Reply, Retract, Read, Type})


class Able(FarBridge):
    """What more can be done depends on the user's connection."""

    def can_for(self, user: str, address: Address) -> frozenset[type]:
        return self.can(address) | (NATIVE if user == USER else frozenset())


@pytest.fixture
def scene() -> Scene:
    """In the room with bob, who has said `hello there` as k1."""
    scene = Scene(bridge=Able())
    scene.enter(DESK, PHONE)
    return scene


def stanza_id(stanza: ET.Element) -> str:
    found = stanza.find("{urn:xmpp:sid:0}stanza-id")
    return found.get("id", "") if found is not None else ""


def hello(scene: Scene, key: str = "k1", nick: str = "bob") -> str:
    """Somebody says hello; the stanza-id of it."""
    scene.tell(Said(ROOM, nick, "hello there", key=key))
    return stanza_id(scene.sent()[0])


def more(scene: Scene, inside: str, to: str = JID, kind: str = "groupchat", id: str = "m1") -> list[object]:
    scene.stanza(f"<message from='{DESK}' to='{to}' type='{kind}' id='{id}'>{inside}</message>")
    return list(scene.took())


def react(of: str) -> str:
    return f"<reactions xmlns='urn:xmpp:reactions:0' id='{of}'><reaction>👍</reaction></reactions>"


# From the far side ----------------------------------------------------------------------------------------------------------


def test_a_reaction_is_to_the_stanza_id_of_the_room(scene: Scene) -> None:
    id = hello(scene)
    scene.tell(Reacted(ROOM, "bob", "k1", ("👍",), key="k2"))
    stanzas = scene.sent()
    assert [stanza.get("to") for stanza in stanzas] == [DESK, PHONE]
    found = stanzas[0].find(f"{REACTIONS}reactions")
    assert found is not None and found.get("id") == id and stanzas[0].get("from") == f"{JID}/bob"
    scene.tell(Reacted(ROOM, "bob", "unknown", ("👍",)))
    assert scene.sent() == []


def test_an_answer_repeats_a_little_of_what_it_answers(scene: Scene) -> None:
    id = hello(scene)
    scene.tell(Said(ROOM, "eve", "hi", key="k2", more=More(reply="k1")))
    stanza = scene.sent()[0]
    assert body(stanza) == "> hello there\nhi"
    reply, fallback = stanza.find(f"{REPLY}reply"), stanza.find(f"{FALLBACK}fallback")
    assert reply is not None and (reply.get("id"), reply.get("to")) == (id, f"{JID}/bob")
    assert fallback is not None and fallback[0].get("end") == str(len("> hello there\n"))
    scene.tell(Said(ROOM, "eve", "hi", key="k3", more=More(reply="unknown")))
    assert body(scene.sent()[0]) == "hi"


def test_a_history_repeats_nothing_that_is_known(scene: Scene) -> None:
    hello(scene)
    scene.tell(Said(ROOM, "bob", "hello there", when=1_800_000_000.0, key="k1"))
    assert scene.sent() == []
    scene.tell(Said(ROOM, "bob", "while you were away", when=1_800_000_000.0, key="k2"))
    scene.tell(Said(ROOM, "bob", "hello there", when=1_800_000_000.0))
    assert [body(stanza) for stanza in scene.sent() if stanza.get("to") == DESK] == ["while you were away", "hello there"]


def test_who_takes_back_is_the_author_or_the_room(scene: Scene) -> None:
    id = hello(scene)
    scene.tell(Retracted(ROOM, "bob", "k1"))
    stanza = scene.sent()[0]
    found = stanza.find(f"{RETRACT}retract")
    assert found is not None and found.get("id") == id and stanza.get("from") == f"{JID}/bob" and body(stanza)
    scene.tell(Retracted(ROOM, "eve", "k1"))
    stanza = scene.sent()[0]
    found = stanza.find(f"{RETRACT}retract/{{urn:xmpp:message-moderate:1}}moderated")
    assert stanza.get("from") == JID and found is not None and found.get("by") == f"{JID}/eve"
    scene.tell(Retracted(ROOM, "bob", "unknown"))
    stanza = scene.sent()[0]
    assert stanza.find(f"{RETRACT}retract") is None and "taken back" in body(stanza)


def test_a_correction_is_of_an_own_message_only(scene: Scene) -> None:
    id = hello(scene)
    scene.tell(Corrected(ROOM, "bob", "k1", "hello you"))
    replace = scene.sent()[0].find("{urn:xmpp:message-correct:0}replace")
    assert replace is not None and replace.get("id") == id
    scene.tell(Corrected(ROOM, "eve", "k1", "hello you"))
    stanza = scene.sent()[0]
    assert stanza.find("{urn:xmpp:message-correct:0}replace") is None and body(stanza) == "* hello you"


def test_who_types_in_a_room_is_seen_and_not_kept(scene: Scene) -> None:
    scene.tell(Typing(ROOM, "bob", "composing"))
    stanza = scene.sent()[0]
    assert stanza.find(f"{STATES}composing") is not None and stanza.get("type") == "groupchat"
    assert stanza.find("{urn:xmpp:hints}no-store") is not None
    scene.tell(Typing(ROOM, "stranger", "composing"))
    assert scene.sent() == []


def test_a_person_types_reacts_answers_and_takes_back(scene: Scene) -> None:
    scene.tell(Said(BOB, "bob", "psst", key="k1"))
    id = scene.only().get("id")
    scene.tell(Typing(BOB, "bob", "composing"))
    stanza = scene.only()
    assert stanza.find(f"{STATES}composing") is not None and stanza.get("from") == "bob@far.example.org/far"
    more(scene, "<body>what?</body>", "bob@far.example.org", "chat", "own")
    scene.tell(Echoed([Say(BOB, "", "what?", DESK, "own", sent_message("what?", "own"))], ["k2"]))
    scene.tell(Reacted(BOB, "bob", "k2", ("👍",)))
    found = scene.only().find(f"{REACTIONS}reactions")
    assert found is not None and found.get("id") == "own"
    scene.tell(Said(BOB, "bob", "nothing", key="k3", more=More(reply="k2")))
    stanza = scene.only()
    reply = stanza.find(f"{REPLY}reply")
    assert reply is not None and (reply.get("id"), reply.get("to")) == ("own", USER) and body(stanza) == "> what?\nnothing"
    scene.tell(Displayed(BOB, "k2"))
    found = scene.only().find("{urn:xmpp:chat-markers:0}displayed")
    assert found is not None and found.get("id") == "own"
    scene.tell(Retracted(BOB, "bob", "k1"))
    found = scene.only().find(f"{RETRACT}retract")
    assert found is not None and found.get("id") == id


def sent_message(text: str, id: str) -> object:
    from transports.xmpp import read

    stanza = ET.fromstring(
        f"<stream xmlns='jabber:component:accept'><message from='{DESK}' to='bob@far.example.org' type='chat' id='{id}'>"
        f"<body>{text}</body></message></stream>"
    )[0]
    return read.message(stanza)


def test_nothing_is_shown_of_whom_the_user_blocks(scene: Scene) -> None:
    visitor = scene.wing.visitors[USER]
    scene.tell(Said(BOB, "bob", "psst", key="k1"))
    scene.sent()
    visitor.blocks = lambda user, address: address == BOB
    for fact in (Typing(BOB, "bob", "composing"), Reacted(BOB, "bob", "k1", ("x",)), Retracted(BOB, "bob", "k1"), Sent(BOB, "x")):
        scene.tell(fact)
    assert scene.sent() == []


def test_what_the_user_says_elsewhere_is_shown_as_the_users_or_marked(scene: Scene) -> None:
    scene.tell(Sent(BOB, "from my phone", key="k1"))
    assert "from my phone" in body(scene.only()) and links_of(scene.wing.visitors[USER], BOB) is not None
    carbons: list[str] = []
    scene.wing.visitors[USER].as_user = lambda user, stanza: not carbons.append(stanza)  # type: ignore[func-returns-value]
    scene.tell(Sent(BOB, "from my phone"))
    assert scene.sent() == [] and "from my phone" in carbons[0] and f"from='{USER}'" in carbons[0]


# To the far side -------------------------------------------------------------------------------------------------------------


def test_what_the_user_means_refers_to_the_far_sides_ids(scene: Scene) -> None:
    id = hello(scene)
    (found,) = more(scene, react(id))
    assert isinstance(found, React) and list(found.of) == ["k1"]
    (found,) = more(scene, f"<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='{id}'/>")
    assert isinstance(found, Say) and found.more == More(reply="k1") and found.text == "yes"
    (found,) = more(scene, f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/>")
    assert isinstance(found, Read)
    assert more(scene, react("unknown")) == []


def test_a_retraction_is_told_where_it_can_be(scene: Scene) -> None:
    (said,) = more(scene, "<body>oops</body>")
    scene.tell(Echoed([said], ["k1 k2"]))  # type: ignore[list-item]
    id = stanza_id(scene.sent()[0])
    retract = f"<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>"
    (found,) = more(scene, retract, id="m2")
    assert isinstance(found, Retract) and list(found.of) == ["k1", "k2"]
    scene.tell(Echoed([found]))
    reflected = scene.sent()
    assert [(stanza.get("to"), stanza.get("id")) for stanza in reflected] == [(DESK, "m2"), (PHONE, "m2")]
    assert reflected[0].find(f"{RETRACT}retract") is not None and reflected[0].find("{jabber:component:accept}body") is None
    assert more(scene, retract.replace(id, "unknown"), id="m3") == []
    assert condition(scene.only()) == "feature-not-implemented"


def test_a_correction_is_words_and_comes_back_as_a_correction(scene: Scene) -> None:
    (said,) = more(scene, "<body>I lvoe you</body>")
    scene.tell(Echoed([said]))  # type: ignore[list-item]
    scene.sent()
    (found,) = more(scene, "<body>I love you</body><replace xmlns='urn:xmpp:message-correct:0' id='m1'/>", id="m2")
    assert isinstance(found, Say) and found.text == "*love"
    scene.tell(Echoed([found]))
    stanza = scene.sent()[0]
    assert body(stanza) == "I love you" and stanza.find("{urn:xmpp:message-correct:0}replace") is not None
    (found,) = more(scene, "<body>I love her</body><replace xmlns='urn:xmpp:message-correct:0' id='m1'/>", id="m3")
    assert isinstance(found, Say) and found.text == "*her"


def test_an_answer_where_the_far_side_has_no_ids_is_addressed_once_that_is_known(scene: Scene) -> None:
    id = hello(scene, key="")
    quote = "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='8'/></fallback>"
    answer = f"<body>&gt; hello\nyes</body>{quote}<reply xmlns='urn:xmpp:reply:0' id='{id}' to='{JID}/bob'/>"
    (found,) = more(scene, answer)
    assert isinstance(found, Say) and found.text == "<bob> hello ← yes"
    id = hello(scene, key="")  # from now on it is known who said what
    (found,) = more(scene, f"<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='{id}'/>")
    assert isinstance(found, Say) and found.text == "bob: yes"


def test_reactions_in_words_are_for_those_who_want_them(scene: Scene) -> None:
    scene.wing.visitors[USER].remarks = lambda user: True
    hello(scene, key="")
    more(scene, react("unknown"))
    id = hello(scene, key="")
    (found,) = more(scene, react(id))
    assert isinstance(found, Say) and found.text == "👍 to “hello there”"
    scene.tell(Echoed([found]))
    assert scene.sent()[0].find(f"{REACTIONS}reactions") is not None


def test_people_who_are_linked_are_bounded(scene: Scene) -> None:
    for number in range(PEOPLE * 2):
        scene.tell(Said(Address("person", f"p{number}"), "p", "hi", key="k"))
    linked = scene.wing.visitors[USER].linked
    assert linked is not None and len(linked) == PEOPLE and Address("person", "p0") not in linked


def test_a_room_that_refers_to_nothing_holds_nothing() -> None:
    scene = Scene()
    scene.enter()
    hello(scene, key="")
    assert scene.wing.visitors[USER].rooms[ROOM].links is None
    scene.tell(Entered(ROOM, "ada", {"ada": NO_RANK}, Subject("")))
    assert scene.wing.visitors[USER].linked is None
