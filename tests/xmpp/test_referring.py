"""Which message is which, and what becomes of those that refer to another one."""

from __future__ import annotations

import pytest

from transports.errors import LegacyError
from transports.events import Address, Correct, More, React, Read, Reply, Retract, Say
from transports.xmpp.address import parse
from transports.xmpp.linked import KEPT, OWN_WORDS, WORDS, Links
from transports.xmpp.read import Message
from transports.xmpp.referring import Place, answer, referred
from transports.xmpp.semantics import anew

ROOM = Address("room", "#c")
BOB = Address("person", "bob")
ALL = frozenset({Say, React, Reply, Read, Retract})
WORDS_ONLY = frozenset({Say})


def own(text: str, id: str = "m1") -> Message:
    return Message("groupchat", id, "ada@h/r", parse("#c@far"), text, None, "", False, None)


def links() -> Links:
    """bob: first, bob: second, eve: third, and our own."""
    known = Links()
    known.add("s1", "k1", "bob", "first")
    known.add("s2", "k2", "bob", "second")
    known.add("s3", "k3", "eve", "third, and rather long words of it that nobody wants to read a second time at all")
    known.own("s4", "k4 k5", "ada", own("I lvoe you"))
    return known


def say(reply: str, text: str = "yes", quote: str = "") -> Say:
    return Say(ROOM, "", text, "ada@h/r", "m9", None, More(reply=reply, quote=quote))


# Links ------------------------------------------------------------------------------------------------------------------


def test_a_message_is_found_by_all_of_its_ids() -> None:
    known = links()
    for id in ("s4", "m1"):
        link = known.by_id(id)
        assert link is not None and link.keys == ["k4", "k5"] and link.sent == "m1"
    assert known.by_key("k5") == known.by_key("k4") == known.newest()
    assert known.by_id("k1") is None and known.by_key("s1") is None and known.by_id("") is None


def test_a_correction_is_the_message_that_it_corrects() -> None:
    known = links()
    known.own("s5", "k6", "ada", own("I love you", "m2"), "m1")
    link = known.by_id("m2")
    assert link is not None and (link.id, link.words, link.key) == ("s4", "I love you", "k4 k5")
    assert known.by_id("m1") is link


def test_nobody_corrects_another_ones_message() -> None:
    known = links()
    known.own("s5", "k6", "ada", own("hm", "m2"), "s1")
    first = known.by_id("s1")
    assert first is not None and first.words == "first"


def test_the_table_is_bounded() -> None:
    known = Links()
    for number in range(KEPT * 3):
        known.add(f"s{number}", f"k{number}", "bob", "x" * 10_000)
        known.own(f"o{number}", "", "ada", own("x" * 10_000, f"m{number}"))
    assert known.by_id("s1") is None and known.by_id("m1") is None
    found = [known.by_id(f"{name}{KEPT * 3 - 1}") for name in ("s", "m")]
    assert [len(link.words) for link in found if link is not None] == [WORDS, OWN_WORDS]


# Answers ------------------------------------------------------------------------------------------------------------------


def test_an_answer_names_the_message_where_that_is_shown() -> None:
    assert referred(say("s1", quote="first"), Place(ALL, links=links())) == say("k1")._replace(more=More(reply="k1"))


@pytest.mark.parametrize(
    ("reply", "quote", "text"),
    [
        ("s2", "second", "bob: yes"),  # the last that bob said
        ("s1", "first", "<bob> first ← yes"),
        ("s0", "something older\nof two lines", "“something older of two lines” ← yes"),
        ("s0", "", "yes"),
        ("s4", "", "ada: yes"),
    ],
)
def test_where_it_is_not_shown_an_answer_quotes_shortly(reply: str, quote: str, text: str) -> None:
    act = referred(say(reply, quote=quote), Place(WORDS_ONLY, links=links()))
    assert isinstance(act, Say) and (act.text, act.more) == (text, None)


@pytest.mark.parametrize(
    ("nick", "words", "text", "near", "said"),
    [
        ("bob", "x", "/me nods", False, "/me nods"),
        ("bob", "x", "Bob, no", False, "Bob, no"),
        ("bob", "x", "@bob no", False, "@bob no"),
        ("", "x" * 100, "no", False, f"“{'x' * 60}…” ← no"),
        ("bob", "", "one\ntwo", False, "bob: one\ntwo"),
        ("", "x", "no", True, "no"),
    ],
)
def test_the_words_of_an_answer(nick: str, words: str, text: str, near: bool, said: str) -> None:
    assert answer(nick, words, text, near) == said


# The rest -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("I lvoe you", "I love you", "*love"),
        ("teh", "the", "*the"),
        ("I love you", "I do love you", "* I do love you"),
        ("I lvoe yuo", "I love you", "* I love you"),
        ("same", "same", "* same"),
        ("one two", "one\nthree", "* one\nthree"),
        ("", "word", "* word"),
    ],
)
def test_a_correction_is_one_word_or_all_of_them(before: str, now: str, said: str) -> None:
    assert anew(now, before) == said


def test_a_correction_knows_what_was_said_before() -> None:
    correct = Correct(ROOM, "", ("m1",), "I love you", "ada@h/r", "m2")
    for place in (Place(ALL, links=links()), Place(WORDS_ONLY, last=(("m0", "m1"), "I lvoe you"))):
        act = referred(correct, place)
        assert isinstance(act, Say) and act.text == "*love"
    act = referred(correct._replace(of=("m7",)), Place(ALL, links=links()))
    assert isinstance(act, Say) and act.text == "* I love you"


def test_a_retraction_takes_back_every_line() -> None:
    retract = Retract(ROOM, "", ("s4",), "ada@h/r", "m2")
    assert referred(retract, Place(ALL, links=links())) == retract._replace(of=["k4", "k5"])
    for place in (Place(WORDS_ONLY, links=links()), Place(ALL)):
        with pytest.raises(LegacyError) as refused:
            referred(retract, place)
        assert refused.value.condition == "feature-not-implemented"


def test_a_reaction_is_shown_or_told_or_nothing() -> None:
    react = React(ROOM, "", ("s1",), ("👍",), "ada@h/r", "m2")
    assert referred(react, Place(ALL, links=links())) == react._replace(of=["k1"])
    assert referred(react, Place(WORDS_ONLY, links=links())) is None
    act = referred(react, Place(WORDS_ONLY, links=links(), remarks=True))
    assert isinstance(act, Say) and act.text == "👍 to “first”"
    act = referred(react._replace(of=("s0",)), Place(ALL, links=links(), remarks=True))
    assert isinstance(act, Say) and act.text == "👍"


def test_only_the_last_message_is_marked_as_read() -> None:
    read = Read(ROOM, "", ("s4",), "ada@h/r")
    assert referred(read, Place(ALL, links=links())) == read._replace(of=["k4"])
    assert referred(read._replace(of=("s3",)), Place(ALL, links=links())) is None
    assert referred(read, Place(WORDS_ONLY, links=links())) is None


def test_a_bridge_that_knows_our_ids_gets_them() -> None:
    react = React(BOB, "", ("s0",), ("👍",), "ada@h/r", "m2")
    assert referred(react, Place(ALL, ALL)) == react
