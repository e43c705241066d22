"""What tags and batches say: the specifications' own examples, and what a server or a person may do wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.bridges.irc.scene import BY, ME, ROOM, Scene, say
from transports.bridges.irc import confirming, inbound
from transports.bridges.irc.activity import Activities
from transports.bridges.irc.asks import Question
from transports.bridges.irc.batches import LINES, OPEN, SIZE, WITHIN
from transports.bridges.irc.confirming import CONFIRM_WITHIN
from transports.bridges.irc.feelings import FELT
from transports.bridges.irc.negotiation import Negotiation
from transports.bridges.irc.read import Line
from transports.bridges.irc.speaking import hush
from transports.bridges.irc.tagged import LONGEST_KEY, marks
from transports.errors import LegacyError
from transports.events import (
    Address,
    Echoed,
    Failed,
    Joined,
    Left,
    More,
    React,
    Reacted,
    Read,
    Reply,
    Retract,
    Retracted,
    Said,
    Sent,
    Type,
    Typing,
)

BOB = Address("person", "bob%irc.test")
LABELS = ("message-tags", "batch", "labeled-response", "echo-message", "draft/message-redaction", "draft/read-marker")
FENCED = ("message-tags", "batch", "echo-message", "draft/message-redaction")
FRESH = "2027-01-15T08:00"


def room(*caps: str, multiline: str = "", isupport: str = "") -> Scene:
    """In #c with bob, with these capabilities."""
    scene = Scene(isupport)
    scene.net.negotiation = Negotiation(frozenset(caps))
    scene.net.negotiation.offer([f"draft/multiline={multiline}"] if multiline else [])
    scene.net.caps = frozenset(caps)
    scene.net.fresh = (FRESH,)
    scene.enter(ROOM, "bob")
    scene.sent()
    return scene


# Ids, replies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "key", "reply"),
    [
        ("@msgid=63E1033A051D4B41B1AB1FA3CF4B243E", "63E1033A051D4B41B1AB1FA3CF4B243E", ""),
        ("@time=2027-01-15T08:00:01.000Z;msgid=abc", "abc", ""),
        ("@msgid=a\\:b", "a;b", ""),
        ("@msgid=456;+draft/reply=123", "456", "123"),
        ("@+reply=123;msgid=456", "456", "123"),
        ("@+draft/msgid=evil", "", ""),
        ("@+draft/msgid=evil;msgid=good", "good", ""),
        ("@time=x", "", ""),
        ("@+draft/reply=a\\sb;msgid=1", "1", ""),
        ("@msgid=" + "x" * (LONGEST_KEY + 1), "", ""),
    ],
)
def test_the_id_of_a_message_and_what_it_answers(tags: str, key: str, reply: str) -> None:
    assert marks(tags) == (key, More(reply=reply) if reply else None)


def test_a_message_has_its_id_and_its_reply() -> None:
    scene = room("message-tags")
    scene.feed("@msgid=456;+draft/reply=123 :bob!b@h PRIVMSG #c :Hello to you!")
    assert scene.only(Said) == Said(ROOM, "bob", "Hello to you!", key="456", more=More(reply="123"))
    scene.feed("@msgid=457 :bob!b@h PRIVMSG ada :psst")
    assert scene.only(Said) == Said(BOB, "bob", "psst", key="457")


# Reactions, redactions, typing --------------------------------------------------------------------------------------------


def test_reactions_are_told_all_at_once() -> None:
    scene = room("message-tags")
    scene.feed("@+draft/reply=123;+draft/react=lol;msgid=1 :bob!b@h TAGMSG #c")
    assert scene.only(Reacted) == Reacted(ROOM, "bob", "123", ("lol",), None, "1")
    scene.feed("@+reply=123;+draft/react=👋 :bob!b@h TAGMSG #c", "@+reply=123;+draft/unreact=lol :bob!b@h TAGMSG #c")
    assert [fact.emojis for fact in scene.told() if isinstance(fact, Reacted)] == [("lol", "👋"), ("👋",)]
    scene.feed("@+reply=123;+draft/react=👋 :bob!b@h TAGMSG #c", "@+draft/react=x :bob!b@h TAGMSG #c")
    scene.feed(f"@+reply=123;+draft/react={'x' * 33} :bob!b@h TAGMSG #c", "@+reply=1;+draft/react=x :eve!e@h TAGMSG #other")
    assert scene.told() == []


def test_a_message_is_taken_back() -> None:
    scene = room("draft/message-redaction", "message-tags")
    scene.feed("@msgid=124 :bob!b@h REDACT #c 123 :bad example")
    assert scene.only(Retracted) == Retracted(ROOM, "bob", "123", None, "124")


def test_typing_is_told_once_and_ends_by_itself() -> None:
    scene = room("message-tags")
    for _ in range(3):
        scene.feed("@+typing=active :bob!b@h TAGMSG #c")
    assert scene.only(Typing) == Typing(ROOM, "bob", "composing")
    scene.feed("@+typing=paused :bob!b@h TAGMSG #c")
    assert scene.only(Typing) == Typing(ROOM, "bob", "paused")
    inbound.tick(scene.net, scene.now + 31)
    assert scene.only(Typing) == Typing(ROOM, "bob", "active")
    assert scene.net.activities is None
    scene.feed("@+typing=done :bob!b@h TAGMSG #c", "@+typing=active :ada!a@h TAGMSG #c")
    assert scene.told() == []


def test_who_has_spoken_types_no_more_and_nobody_is_told() -> None:
    scene = room("message-tags")
    scene.feed("@+typing=active :bob!b@h TAGMSG #c", ":bob!b@h PRIVMSG #c :there")
    scene.told()
    inbound.tick(scene.net, scene.now + 60)
    assert scene.told() == []


def test_the_user_types_at_most_every_three_seconds_and_for_half_a_minute() -> None:
    scene = room("message-tags")
    for state in ("composing", "paused", "composing"):
        scene.net.do(Type(ROOM, "", state, BY), scene.now)  # type: ignore[arg-type]
    assert scene.sent() == ["@+typing=active TAGMSG #c"]
    said = []
    for second in range(1, 60):
        inbound.tick(scene.net, scene.now + second)
        said += [(second, line.partition(" ")[0]) for line in scene.sent()]
    assert said == [(second, "@+typing=active") for second in (5, 10, 15, 20, 25, 30)]
    assert scene.net.activities is None


def test_what_ends_typing_is_said_when_it_may_be_and_not_after_words() -> None:
    scene = room("message-tags")
    scene.net.do(Type(ROOM, "", "composing", BY), scene.now)
    scene.net.do(Type(ROOM, "", "paused", BY), scene.now + 1)
    inbound.tick(scene.net, scene.now + 3)
    assert scene.sent() == ["@+typing=active TAGMSG #c", "@+typing=paused TAGMSG #c"]
    scene.net.do(Type(ROOM, "", "composing", BY), scene.now + 10)
    scene.do(say("done"))
    scene.sent()
    inbound.tick(scene.net, scene.now + 20)
    assert scene.sent() == []


def test_hearing_and_telling_are_bounded() -> None:
    many = Activities()
    told = [many.heard(Address("person", str(n)), "x", "active", 0.0) for n in range(500)]
    assert sum(fact is not None for fact in told) == 100
    assert sum(bool(many.tell(str(n), "composing", 0.0)) for n in range(500)) == 20


# Batches ----------------------------------------------------------------------------------------------------------------


def test_a_message_of_several_lines_is_one() -> None:
    scene = room("batch", "draft/multiline")
    scene.feed(
        "@msgid=xxx :bob!b@h BATCH +123 draft/multiline #c",
        "@batch=123 :bob!b@h PRIVMSG #c hello",
        "@batch=123 :bob!b@h PRIVMSG #c :how is ",
        "@batch=123;draft/multiline-concat :bob!b@h PRIVMSG #c :everyone?",
    )
    assert scene.told() == []
    scene.feed("BATCH -123")
    assert scene.only(Said) == Said(ROOM, "bob", "hello\nhow is everyone?", key="xxx")
    assert scene.net.batches is None


def test_lines_of_a_history_are_late_however_young_and_change_nothing() -> None:
    scene = room("batch", "draft/chathistory")
    scene.feed(
        ":irc.test BATCH +h chathistory #c",
        f"@batch=h;time={FRESH}:01.500Z;msgid=1 :bob!b@h PRIVMSG #c :one",
        f"@batch=h;time={FRESH}:02.000Z;msgid=2 :ada!a@h PRIVMSG #c :mine",
        f"@batch=h;time={FRESH}:03.000Z :bob!b@h PART #c",
        f"@batch=h;time={FRESH}:04.000Z :bob!b@h PRIVMSG ada :\x01VERSION\x01",
        f"@batch=h;time={FRESH}:05.000Z;+draft/reply=1;+draft/react=x :bob!b@h TAGMSG #c",
        f"@batch=h;time={FRESH}:06.000Z;+typing=active :bob!b@h TAGMSG #c",
        ":irc.test BATCH -h",
    )
    start = 1_800_000_000.0
    assert scene.told() == [
        Said(ROOM, "bob", "one", when=start + 1.5, key="1"),
        Said(ROOM, ME, "mine", when=start + 2, key="2"),
        Reacted(ROOM, "bob", "1", ("x",), start + 5),
    ]
    assert "bob" in scene.net.find("#c").members and scene.sent() == []  # type: ignore[union-attr]


def test_a_message_of_several_lines_in_a_history() -> None:
    scene = room("batch", "draft/chathistory", "draft/multiline")
    scene.feed(
        ":irc.test BATCH +h chathistory #c",
        f"@batch=h;time={FRESH}:01.000Z;msgid=1 :bob!b@h BATCH +m draft/multiline #c",
        "@batch=m :bob!b@h PRIVMSG #c :one",
        "@batch=m :bob!b@h PRIVMSG #c :two",
        "BATCH -m",
        "BATCH -h",
    )
    assert scene.only(Said) == Said(ROOM, "bob", "one\ntwo", when=1_800_000_001.0, key="1")


def test_who_asks_for_a_history_learns_how_long_it_was() -> None:
    scene = room("batch", "draft/chathistory")
    answers: list[object] = []
    question = Question("CHATHISTORY LATEST #c * 50", ("#c",), ends=frozenset({"BATCH"}))
    scene.net.ask(question, scene.now, answers.append)
    scene.feed(":irc.test BATCH +h chathistory #c", "@batch=h;time=x :bob!b@h PRIVMSG #c :one", ":irc.test BATCH -h")
    assert answers == [[Line({}, "irc.test", "BATCH", ["-h", "chathistory", "#c", "1"])]]
    assert isinstance(scene.told()[0], Said)


def test_a_netsplit_in_a_batch_is_one_fact() -> None:
    scene = room("batch")
    scene.feed("@time=x :eve!e@h JOIN #c")
    assert isinstance(scene.only(Joined), Joined)
    for line in (
        ":irc.host BATCH +y netsplit irc.hub other.host",
        "@batch=y :bob!b@h QUIT :irc.hub other.host",
        "@batch=y :eve!e@h QUIT :irc.hub other.host",
        ":irc.host BATCH -y",
    ):
        inbound.feed(scene.net, line, scene.now)
    assert scene.only(Left) == Left(ROOM, ("bob", "eve"), "split", "irc.hub other.host")


def test_lines_of_unknown_batches_are_lines() -> None:
    scene = room("batch")
    scene.feed("BATCH +1 example.com/foo", "@batch=1 :bob!b@h PRIVMSG #c :hi", "@batch=none :bob!b@h PRIVMSG #c :ho", "BATCH -1")
    assert [fact.text for fact in scene.told() if isinstance(fact, Said)] == ["hi", "ho"]


def test_batches_are_bounded_and_end_in_time() -> None:
    scene = room("batch", "draft/multiline")
    scene.feed("BATCH +m draft/multiline #c")
    for _ in range(LINES * 2):
        scene.feed(f"@batch=m :bob!b@h PRIVMSG #c :{'x' * 100}")
    for number in range(OPEN - 1):
        scene.feed(f"BATCH +{number} x")
    with pytest.raises(ValueError, match="many"):
        scene.feed("BATCH +more x")
    inbound.tick(scene.net, scene.now + WITHIN + 1)
    (said,) = scene.told()
    assert isinstance(said, Said) and 0 < len(said.text) <= SIZE
    assert scene.net.batches is None


def test_batches_within_batches_end() -> None:
    scene = room("batch")
    scene.feed("BATCH +1 x", "@batch=1 BATCH +2 x", "@batch=2 BATCH +3 x", "@batch=3 BATCH +4 x", "@batch=4 BATCH +5 x")
    with pytest.raises(ValueError, match="many"):
        scene.feed("@batch=5 BATCH +6 x")


# Labels and echoes -------------------------------------------------------------------------------------------------------


def test_an_echo_with_our_label_confirms_with_the_id() -> None:
    scene = room(*LABELS)
    scene.do(say("hello", id="1"))
    (line,) = scene.sent()
    assert line == "@label=s1 PRIVMSG #c :hello"
    assert confirming.fence_line(scene.net) is None
    scene.feed("@label=s1;msgid=m1 :ada!a@h PRIVMSG #c :Hello!")
    (echoed,) = scene.told()
    assert isinstance(echoed, Echoed) and [c.id for c in echoed.of] == ["1"] and list(echoed.keys) == ["m1"]
    assert not scene.net.echoes


def test_several_lines_are_confirmed_by_the_last_and_have_all_their_ids() -> None:
    scene = room(*LABELS)
    scene.do(say("one\ntwo"))
    assert scene.sent() == ["@label=s1 PRIVMSG #c one", "@label=s2 PRIVMSG #c two"]
    scene.feed("@label=s1;msgid=a :ada!a@h PRIVMSG #c one")
    assert scene.told() == []
    scene.feed("@label=s2;msgid=b :ada!a@h PRIVMSG #c two")
    assert list(scene.only(Echoed).keys) == ["a b"]


def test_an_acknowledgement_confirms() -> None:
    scene = room("batch", "labeled-response")
    scene.do(say())
    scene.feed("@label=s1 :irc.test ACK")
    assert list(scene.only(Echoed).keys) == [""]


def test_an_error_with_a_label_is_of_that_message() -> None:
    scene = room(*LABELS)
    scene.do(say("a", id="1"), say("b", id="2"))
    scene.feed("@label=s2 :irc.test 404 ada #c :Cannot send to channel")
    failed = scene.only(Failed)
    assert (failed.of.id, failed.error.condition) == ("2", "forbidden")
    scene.feed("@label=s1 :irc.test FAIL PRIVMSG ACCOUNT_REQUIRED #c :Log in first")
    failed = scene.only(Failed)
    assert (failed.of.id, failed.error.condition) == ("1", "registration-required")
    assert not scene.net.echoes


def test_an_answer_of_several_lines_is_a_batch() -> None:
    scene = room(*LABELS)
    scene.do(say("hello", BOB))
    scene.sent()
    scene.feed(
        "@label=s1 :irc.test BATCH +x labeled-response",
        "@batch=x;msgid=m :ada!a@h PRIVMSG bob :hello",
        "@batch=x :irc.test 301 ada bob :gone fishing",
    )
    assert [type(fact).__name__ for fact in scene.told()] == ["Notice"]
    scene.feed(":irc.test BATCH -x")
    assert list(scene.only(Echoed).keys) == ["m"]


def test_what_is_never_answered_is_an_error_in_time() -> None:
    scene = room(*LABELS)
    scene.do(say())
    scene.net.tick(scene.now + CONFIRM_WITHIN - 1)
    assert scene.told() == []
    scene.net.tick(scene.now + CONFIRM_WITHIN + 1)
    assert scene.only(Failed).error.condition == "remote-server-timeout"
    scene.feed("@label=s1 :ada!a@h PRIVMSG #c hello")  # too late; it was said all the same
    assert isinstance(scene.only(Said), Said)


def test_a_lost_connection_fails_what_was_written() -> None:
    scene = room(*LABELS)
    scene.do(say())
    scene.net.lost(LegacyError("remote-server-timeout", "gone"))
    assert [fact.of.id for fact in scene.told() if isinstance(fact, Failed)] == ["1"]


def test_without_labels_the_fence_confirms_and_the_echo_has_the_id() -> None:
    scene = room(*FENCED)
    scene.do(say("/me waves", id="1"))
    assert scene.sent() == ["PRIVMSG #c :\x01ACTION waves\x01"]
    scene.feed("@msgid=m :ada!a@h PRIVMSG #c :\x01ACTION waves\x01")
    assert scene.told() == []
    scene.pong()
    assert list(scene.only(Echoed).keys) == ["m"]
    scene.feed("@msgid=n :ada!a@h PRIVMSG #c :\x01ACTION waves\x01")
    assert scene.only(Said) == Said(ROOM, ME, "waves", "act", key="n")


def test_the_user_says_something_elsewhere() -> None:
    scene = room(*FENCED)
    scene.feed("@msgid=1 :ada!a@h PRIVMSG #c :from my phone")
    assert scene.only(Said) == Said(ROOM, ME, "from my phone", key="1")
    scene.feed("@msgid=2 :ada!a@h PRIVMSG bob :psst", ":ada!a@h PRIVMSG ada :note to self")
    assert scene.only(Sent) == Sent(BOB, "psst", key="2")


def test_what_is_said_to_services_is_for_nobodys_eyes() -> None:
    scene = room(*FENCED)
    hush(scene.net, ["PRIVMSG Q@CServe.quakenet.org :AUTH ada secret", "NOTICE bob :beep", "MODE #c"])
    scene.feed(
        ":ada!a@h PRIVMSG NickServ :IDENTIFY secret",
        ":ada!a@h PRIVMSG Q@cserve.quakenet.org :AUTH ada secret",
        ":ada!a@h NOTICE bob :beep",
    )
    assert scene.told() == []
    scene.feed(":ada!a@h NOTICE bob :beep")
    assert isinstance(scene.only(Sent), Sent)


def test_who_cannot_be_told_of_typing_is_no_news() -> None:
    scene = room("message-tags")
    scene.net.do(Type(BOB, "", "composing", BY), scene.now)
    scene.feed(":irc.test 401 ada bob :No such nick")
    assert scene.told() == []
    scene.feed(":irc.test 401 ada bob :No such nick")
    assert len(scene.told()) == 1


def test_a_question_is_answered_by_its_label() -> None:
    scene = room(*LABELS)
    answers: list[object] = []
    rows = frozenset({"311", "318"})
    scene.net.ask(Question("WHOIS bob", ("bob",), rows, frozenset({"318"})), scene.now, answers.append)
    (line,) = scene.sent()
    label = line.partition(" ")[0].removeprefix("@label=")
    scene.feed(
        f"@label={label} :irc.test BATCH +NMzYSq45x labeled-response",
        "@batch=NMzYSq45x :irc.test 311 ada bob ~ident host * :Name",
        "@batch=NMzYSq45x :irc.test 318 ada bob :End of /WHOIS list.",
        ":irc.test BATCH -NMzYSq45x",
    )
    (lines,) = answers
    assert [one.command for one in lines] == ["311", "318"]  # type: ignore[attr-defined]
    assert scene.told() == []


def test_a_question_that_gets_nothing_but_an_acknowledgement_is_answered() -> None:
    scene = room(*LABELS)
    answers: list[object] = []
    for _ in range(2):
        scene.net.ask(Question("MODE #c +m", ("#c",), ends=frozenset({"MODE"})), scene.now, answers.append)
    first, second = (line.partition(" ")[0] for line in scene.sent())
    scene.feed(f"{second} :irc.test 482 ada #c :You're not channel operator", f"{first} :irc.test ACK")
    refused, done = answers
    assert isinstance(refused, LegacyError) and done == []


# What the user means beside words -------------------------------------------------------------------------------------------


def test_what_a_connection_can_follows_from_its_capabilities() -> None:
    assert room(*LABELS).net.abilities.more == {Reply, React, Type, Retract, Read}
    assert room("message-tags", isupport="CLIENTTAGDENY=*,-typing").net.abilities.more == {Type}
    assert room("message-tags", isupport="CLIENTTAGDENY=draft/reply").net.abilities.more == {Type}
    assert room().net.abilities.more == set() and room().net.abilities.plain


def test_a_reply_says_what_it_answers() -> None:
    scene = room("message-tags")
    scene.do(say("Hello to you!")._replace(more=More(reply="123")))
    assert scene.sent() == ["@+draft/reply=123 PRIVMSG #c :Hello to you!"]
    scene = room(*LABELS)
    scene.do(say("one\ntwo")._replace(more=More(reply="123")))
    assert scene.sent() == ["@label=s1;+draft/reply=123 PRIVMSG #c one", "@label=s2 PRIVMSG #c two"]


def test_reactions_are_given_and_taken() -> None:
    scene = room(*LABELS)
    scene.net.do(React(ROOM, "", ("123",), ("👍", "😂"), BY, "1"), scene.now)
    assert scene.sent() == [
        "@label=s1;+draft/reply=123;+draft/react=👍 TAGMSG #c",
        "@label=s2;+draft/reply=123;+draft/react=😂 TAGMSG #c",
    ]
    scene.feed("@label=s1;+draft/reply=123;+draft/react=👍 :ada!a@h TAGMSG #c", "@label=s2 :irc.test ACK")
    assert [c.id for c in scene.only(Echoed).of] == ["1"]
    scene.net.do(React(ROOM, "", ("123",), ("😂",), BY, "2"), scene.now)
    assert scene.sent() == ["@label=s3;+draft/reply=123;+draft/unreact=👍 TAGMSG #c"]
    scene.net.do(React(ROOM, "", ("123",), ("😂",), BY, "3"), scene.now)
    assert [c.id for c in scene.only(Echoed).of] == ["3"]


def test_a_message_is_redacted_or_may_not_be() -> None:
    scene = room(*FENCED)
    scene.net.do(Retract(ROOM, "", ("a b",), BY, "1"), scene.now)
    assert scene.sent() == ["REDACT #c a", "REDACT #c b"]
    scene.feed(":irc.test FAIL REDACT REDACT_FORBIDDEN #c b :You are not authorised to delete this message")
    assert scene.told()  # words for the user: it names an id that is not the command's own
    scene.net.do(Retract(ROOM, "", ("c",), BY, "2"), scene.now)
    scene.feed(":irc.test FAIL REDACT REDACT_FORBIDDEN #c c :You are not authorised to delete this message")
    failed = scene.only(Failed)
    assert (failed.of.id, failed.error.condition) == ("2", "forbidden")
    scene.pong()
    assert [c.id for c in scene.only(Echoed).of] == ["1"]


def test_what_the_server_has_not_is_refused() -> None:
    scene = room()
    scene.net.do(Retract(ROOM, "", ("a",), BY, "1"), scene.now)
    assert scene.only(Failed).error.condition == "feature-not-implemented"
    scene.net.do(Type(ROOM, "", "composing", BY), scene.now)
    assert scene.sent() == []


def test_a_marker_of_what_is_read() -> None:
    scene = room("draft/read-marker")
    scene.net.do(Read(ROOM, "", ("123",), BY), scene.now)
    assert scene.sent() == ["MARKREAD #c timestamp=2027-01-15T08:16:40.000Z"]


def test_several_lines_are_one_message_where_that_is_offered() -> None:
    scene = room(*LABELS, "draft/multiline", multiline="max-bytes=4096,max-lines=10")
    scene.do(say("hello\n\nhow is everyone?")._replace(more=More(reply="123")))
    (batch,) = scene.sent()
    assert batch.split("\r\n") == [
        "@label=s1;+draft/reply=123 BATCH +m1 draft/multiline #c",
        "@batch=m1 PRIVMSG #c hello",
        "@batch=m1 PRIVMSG #c :",
        "@batch=m1 PRIVMSG #c :how is everyone?",
        "BATCH -m1",
    ]
    scene.feed(
        "@label=s1;msgid=x :ada!a@h BATCH +1 draft/multiline #c",
        "@batch=1 :ada!a@h PRIVMSG #c hello",
        "@batch=1 :ada!a@h PRIVMSG #c :",
        "@batch=1 :ada!a@h PRIVMSG #c :how is everyone?",
        "BATCH -1",
    )
    assert list(scene.only(Echoed).keys) == ["x"]


def test_a_long_line_goes_on_without_losing_a_space() -> None:
    scene = room("batch", "draft/multiline", multiline="max-bytes=4096")
    text = " ".join(f"word{number}" for number in range(200))
    scene.do(say(text))
    (batch,) = scene.sent()
    lines = [line.replace(" ", " :bob!b@h ", 1) for line in batch.split("\r\n")[1:-1]]
    scene.feed(":bob!b@h BATCH +m1 draft/multiline #c", *lines, "BATCH -m1")
    assert scene.only(Said).text == text
    assert all(len(line.partition(" ")[2].encode()) + len(scene.net.prefix) + 4 <= 512 for line in batch.split("\r\n"))


@pytest.mark.parametrize("limits", ["max-bytes=10", "max-bytes=4096,max-lines=2", "max-lines=9", "max-bytes=x", ""])
def test_what_is_too_much_for_a_batch_is_lines(limits: str) -> None:
    scene = room("batch", "draft/multiline", multiline=limits)
    scene.do(say("one\ntwo\nthree"))
    assert scene.sent() == ["PRIVMSG #c one", "PRIVMSG #c two", "PRIVMSG #c three"]


def test_a_batch_that_is_refused_fails_its_message() -> None:
    scene = room("batch", "draft/multiline", multiline="max-bytes=4096")
    scene.do(say("hi", id="1"), say("one\ntwo", id="2"))
    scene.feed(":irc.test FAIL BATCH MULTILINE_MAX_LINES 1 :Multiline batch max-lines exceeded")
    assert scene.only(Failed).of.id == "2"
    scene.pong()
    assert scene.echoed() == ["1"]


# Hostile --------------------------------------------------------------------------------------------------------------------


def test_reactions_that_are_known_are_bounded() -> None:
    scene = room("message-tags")
    for number in range(FELT * 2):
        scene.feed(f"@+reply={number};+draft/react=x :bob!b@h TAGMSG #c")
    assert scene.net.felt is not None and len(scene.net.felt) == FELT


_tag = some.sampled_from(
    ["batch=1", "batch=2", "label=s1", "label=q1", "msgid=a", "+reply=b", "+draft/react=x", "+typing=active", "time=x", "\\", ""]
)
_line = some.sampled_from(
    [
        "BATCH +1 draft/multiline #c", "BATCH +2 chathistory #c", "BATCH -1", "BATCH -2", "BATCH", "BATCH +", "BATCH -9",
        ":bob!b@h PRIVMSG #c :x", ":ada!a@h PRIVMSG #c :hello", ":bob!b@h TAGMSG #c", "TAGMSG", ":bob!b@h REDACT #c a",
        "REDACT", ":bob!b@h PRIVMSG", "FAIL", "FAIL REDACT X", "FAIL BATCH X Y", ":irc.test ACK", ":irc.test 404 ada #c :no",
        ":x!y@z QUIT :a.b c.d", ":irc.test 301 ada bob :x",
    ]
)  # fmt: skip


@given(some.lists(some.tuples(some.lists(_tag, max_size=3), _line), max_size=30))
def test_whatever_comes_nothing_breaks(lines: list[tuple[list[str], str]]) -> None:
    scene = room(*LABELS)
    scene.do(say())
    for tags, line in lines:
        try:
            scene.feed(f"@{';'.join(tags)} {line}" if tags else line)
        except (ValueError, IndexError):
            continue
    inbound.tick(scene.net, scene.now + 1_000)
    scene.net.tick(scene.now + 1_000)
    assert scene.net.batches is None and not scene.net.echoes
