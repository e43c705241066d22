"""The lab's own IRC server says what the specifications say, the drafts' own examples among it (ircv3.net)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest
import pytest_asyncio

from lab.irc import Line, Person
from lab.ircv3 import CAPS, Client, Ircv3

ALL = [name for name in CAPS if name != "sasl" and "no-implicit" not in name]
TALK = ["message-tags", "server-time", "batch", "echo-message", "labeled-response"]


@pytest_asyncio.fixture(loop_scope="session")
async def irc() -> AsyncIterator[Ircv3]:
    async with Ircv3(accounts={"ann": "secret"}) as irc:
        yield irc


class Enter(Protocol):
    async def __call__(self, nick: str, caps: list[str] = ...) -> Person: ...


@pytest_asyncio.fixture(loop_scope="session")
async def enter(irc: Ircv3) -> AsyncIterator[Enter]:
    """Somebody with these capabilities, in #tea."""
    async with AsyncExitStack() as people:

        async def enter(nick: str, caps: list[str] = ALL) -> Person:
            person = await people.enter_async_context(Person(irc.host, irc.port, nick, caps=caps))
            await person.join("#tea")
            await person.barrier()
            person.forget()
            return person

        yield enter


def batch(person: Person, kind: str) -> list[Line]:
    """The lines of the first batch of that kind."""
    lines = person.lines
    start = next(line for line in lines if line.command == "BATCH" and kind in line.params)
    return [line for line in lines if line.tags.get("batch") == start.params[0][1:]]


async def test_capabilities_come_in_two_lines_with_values(irc: Ircv3) -> None:
    person = Person(irc.host, irc.port, "ann")
    await person.connect()
    await person.send("CAP LS 302")
    first, second = await person.until("CAP"), await person.until("CAP")
    assert first.params[2] == "*"
    assert "draft/multiline=max-bytes=4096,max-lines=20" in first.text.split()
    assert set(CAPS) == {name.partition("=")[0] for name in (*first.text.split(), *second.text.split())}
    await person.vanish()


async def test_an_account_logs_in_and_stands_at_what_it_says(irc: Ircv3, enter: Enter) -> None:
    ben = await enter("ben")
    async with Person(irc.host, irc.port, "ann", caps=["sasl"]) as ann:
        await ann.send("AUTHENTICATE PLAIN")
        await ann.until("AUTHENTICATE")
        await ann.send("AUTHENTICATE " + base64.b64encode(b"\0ann\0secret").decode())
        await ann.until("903")
        await ann.join("#tea")
        assert (await ben.until("JOIN")).params == ["#tea", "ann", "A person of the lab"]
        await ann.say("#tea", "hello")
    assert (await ben.until("PRIVMSG")).tags["account"] == "ann"


async def test_an_echo_has_the_id_and_time_that_others_see(enter: Enter) -> None:
    ann, ben = await enter("ann"), await enter("ben")
    await ann.send("@label=1;+draft/reply=m7;time=no PRIVMSG #tea :hello")
    echo, heard = await ann.until("PRIVMSG"), await ben.until("PRIVMSG")
    assert echo.tags == {**heard.tags, "label": "1"}
    assert heard.tags["+draft/reply"] == "m7"
    assert heard.tags["time"] != "no"


async def test_who_has_not_asked_gets_neither_tags_nor_reactions(enter: Enter) -> None:
    ann, plain = await enter("ann"), await enter("plain", [])
    await ann.send("@+draft/react=x;+draft/reply=m1 TAGMSG #tea")
    await ann.say("#tea", "hello")
    assert (await plain.until(lambda line: True)).raw == ":ann!ann@client.test PRIVMSG #tea :hello"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("@label=a PONG x", ["@label=a :drafts.test ACK"]),
        ("@label=a PING x", ["@label=a :drafts.test PONG drafts.test :x"]),
        ("@label=a JOIN tea", ["@label=a :drafts.test 403 ann tea :No such channel"]),
    ],
)
async def test_a_label_is_answered_once(enter: Enter, line: str, answer: list[str]) -> None:
    ann = await enter("ann")
    await ann.send(line)
    await ann.barrier()
    assert [line.raw for line in ann.waiting()] == answer


async def test_an_answer_of_several_lines_is_one_batch(enter: Enter) -> None:
    ann = await enter("ann")
    await ann.send("@label=w WHOIS ann")
    assert (await ann.until("BATCH")).tags == {"label": "w"}
    await ann.until("BATCH")
    assert [line.command for line in batch(ann, "labeled-response")] == ["311", "318"]


MULTILINE = [
    "BATCH +123 draft/multiline #tea",
    "@batch=123 PRIVMSG #tea hello",
    "@batch=123 privmsg #tea :how is ",
    "@batch=123;draft/multiline-concat PRIVMSG #tea :everyone?",
    "BATCH -123",
]


async def test_lines_of_a_batch_arrive_as_they_were_sent(enter: Enter) -> None:
    ann, ben, plain = await enter("ann"), await enter("ben"), await enter("plain", ["message-tags"])
    await ann.send("\r\n".join(["@label=m;+draft/reply=x " + MULTILINE[0], *MULTILINE[1:]]))
    opening = await ben.until("BATCH")
    assert opening.params[1:] == ["draft/multiline", "#tea"]
    assert {"msgid", "time", "+draft/reply"} <= opening.tags.keys()
    await ben.until("BATCH")
    said = batch(ben, "draft/multiline")
    assert [line.text for line in said] == ["hello", "how is ", "everyone?"]
    assert ["draft/multiline-concat" in line.tags for line in said] == [False, False, True]
    assert (await ann.until("BATCH")).tags["label"] == "m"
    fallback = [await plain.until("PRIVMSG") for _ in said]
    assert ["msgid" in line.tags for line in fallback] == [True, False, False]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["@batch=1 PRIVMSG #other x"], "MULTILINE_INVALID_TARGET #tea #other"),
        (["@batch=1 PRIVMSG #tea :"], "MULTILINE_INVALID"),
        ([f"@batch=1 PRIVMSG #tea :{'x' * 400}"] * 11, "MULTILINE_MAX_BYTES 4096"),
        (["@batch=1 PRIVMSG #tea x"] * 21, "MULTILINE_MAX_LINES 20"),
    ],
)
async def test_a_batch_that_is_too_much_fails(enter: Enter, lines: list[str], code: str) -> None:
    ann = await enter("ann")
    await ann.send("\r\n".join(["BATCH +1 draft/multiline #tea", *lines, "BATCH -1"]))
    assert f"FAIL BATCH {code} :" in (await ann.until("FAIL")).raw


async def test_a_message_is_taken_back(enter: Enter) -> None:
    ann, ben = await enter("ann"), await enter("ben")
    await ben.say("#tea", "join my network")
    msgid = (await ann.until("PRIVMSG")).tags["msgid"]
    await ann.send(f"REDACT #tea {msgid} :spam")
    assert (await ben.until("REDACT")).params == ["#tea", msgid, "spam"]
    await ben.send("REDACT #tea nothing")
    assert "UNKNOWN_MSGID #tea nothing" in (await ben.until("FAIL")).raw
    await ann.say("#tea", "mine")
    mine = (await ben.until(lambda line: line.text == "mine")).tags["msgid"]
    await ben.send(f"REDACT #tea {mine}")
    assert "REDACT_FORBIDDEN" in (await ben.until("FAIL")).raw


async def history(person: Person, request: str) -> list[str]:
    before = len(person.lines)
    await person.send(f"CHATHISTORY {request}")
    await person.barrier()
    person.lines = person.lines[before:]
    return [line.text for line in batch(person, "chathistory")]


async def test_history_is_given_from_where_it_is_asked(irc: Ircv3, enter: Enter) -> None:
    clock = iter(range(1_546_612_440, 1_546_700_000))
    irc.now = lambda: float(next(clock))
    ann = await enter("ann", [cap for cap in ALL if cap != "draft/event-playback"])
    ids = {}
    for text in "abcde":
        await ann.say("#tea", text)
        line = await ann.until("PRIVMSG")
        ids[text] = (f"msgid={line.tags['msgid']}", f"timestamp={line.tags['time']}")
    assert ids["a"][1].startswith("timestamp=2019-01-04T14:34:")
    for way in (0, 1):
        assert await history(ann, f"BEFORE #tea {ids['d'][way]} 2") == ["b", "c"]
        assert await history(ann, f"AFTER #tea {ids['b'][way]} 2") == ["c", "d"]
        assert await history(ann, f"LATEST #tea {ids['c'][way]} 5") == ["d", "e"]
        assert await history(ann, f"BETWEEN #tea {ids['a'][way]} {ids['d'][way]} 9") == ["b", "c"]
        assert await history(ann, f"BETWEEN #tea {ids['d'][way]} {ids['a'][way]} 1") == ["c"]
        assert await history(ann, f"AROUND #tea {ids['c'][way]} 3") == ["b", "c", "d"]
    assert await history(ann, "LATEST #tea * 2") == ["d", "e"]
    await ann.send("CHATHISTORY LATEST #nowhere * 2")
    assert "INVALID_TARGET LATEST #nowhere" in (await ann.until("FAIL")).raw
    await ann.send("CHATHISTORY TARGETS timestamp=2019-01-01T00:00:00.000Z timestamp=2020-01-01T00:00:00.000Z 9")
    assert (await ann.until("CHATHISTORY")).params[:2] == ["TARGETS", "#tea"]


async def test_history_has_what_was_said_while_one_was_away_and_events_for_who_wants_them(enter: Enter) -> None:
    ann = await enter("ann")
    await ann.send("\r\n".join(MULTILINE))
    await ann.send("PRIVMSG ann :to myself")
    await ann.barrier()
    late = await enter("late", [cap for cap in ALL if cap not in {"draft/event-playback", "draft/multiline"}])
    assert await history(late, "LATEST #tea * 9") == ["hello", "how is ", "everyone?"]
    assert await history(ann, "LATEST ann * 9") == ["to myself"]
    await ann.send("CHATHISTORY LATEST #tea * 9")
    await ann.until(lambda line: line.command == "JOIN" and "batch" in line.tags)


async def test_a_channel_gets_another_name(enter: Enter) -> None:
    ann, plain = await enter("ann"), await enter("plain", [])
    await ann.send("RENAME #tea #coffee :Typo fix")
    assert (await ann.until("RENAME")).params == ["#tea", "#coffee", "Typo fix"]
    assert (await plain.until("PART")).params == ["#tea", "Typo fix"]
    assert (await plain.until("JOIN")).params == ["#coffee"]
    late = Person(ann.host, ann.port, "late", caps=["draft/channel-rename", "standard-replies"])
    async with late:
        await late.send("JOIN #tea")
        assert (await late.until("FAIL")).params[:4] == ["JOIN", "CHANNEL_RENAMED", "#tea", "#coffee"]


async def test_the_read_marker_comes_with_the_join_and_only_grows(enter: Enter) -> None:
    ann = await enter("ann")
    for stamp in ("timestamp=2019-01-04T14:33:26.123Z", "timestamp=2018-01-01T00:00:00.000Z"):
        await ann.send(f"MARKREAD #tea {stamp}")
        assert (await ann.until("MARKREAD")).params == ["#tea", "timestamp=2019-01-04T14:33:26.123Z"]
    await ann.send("PART #tea\r\nJOIN #tea")
    await ann.until("366")
    assert [line.params for line in ann.waiting("MARKREAD")] == [["#tea", "timestamp=2019-01-04T14:33:26.123Z"]]


async def test_names_come_when_asked_alone_where_that_is_wanted(irc: Ircv3) -> None:
    async with Person(irc.host, irc.port, "ann", caps=["draft/no-implicit-names"]) as ann:
        await ann.send("JOIN #tea")
        await ann.barrier()
        assert ann.waiting("366") == []
        await ann.send("NAMES #tea")
        assert (await ann.until("353")).text == "@ann"


async def test_one_may_be_away_before_being_there(irc: Ircv3, enter: Enter) -> None:
    ann = await enter("ann")
    async with Person(irc.host, irc.port, "ben", caps=["draft/pre-away"]) as ben:
        await ben.send("AWAY *")
        await ben.join("#tea")
        assert (await ann.until("AWAY")).params == ["*"]


async def test_who_is_watched_is_told_of(irc: Ircv3, enter: Enter) -> None:
    ann = await enter("ann")
    await ann.send("MONITOR + ben")
    assert (await ann.until("731")).text == "ben"
    async with Person(irc.host, irc.port, "ben") as ben:
        assert (await ann.until("730")).text == "ben!ben@client.test"
        await ben.send("AWAY :tea time")
        assert (await ann.until("AWAY")).params == ["tea time"]
        irc.change_host(irc.client("ben"), "b", "elsewhere.test")
        assert (await ann.until("CHGHOST")).params == ["b", "elsewhere.test"]
        irc.log_in(irc.client("ben"), "benjamin")
        assert (await ann.until("ACCOUNT")).params == ["benjamin"]
    assert (await ann.until("731")).text == "ben"


async def test_capabilities_come_and_go(irc: Ircv3, enter: Enter) -> None:
    ann = await enter("ann")
    irc.withdraw("draft/multiline")
    assert (await ann.until("CAP")).params == ["ann", "DEL", "draft/multiline"]
    irc.offer("draft/multiline", "max-bytes=100")
    assert (await ann.until("CAP")).params == ["ann", "NEW", "draft/multiline=max-bytes=100"]


async def test_modes_lists_and_who_knows_what_of_people(irc: Ircv3, enter: Enter) -> None:
    ann, _ = await enter("ann"), await enter("ben")
    await ann.send("MODE #tea +vb-o ben *!*@spam ann")
    assert (await ann.until("MODE")).params == ["#tea", "+v+b-o", "ben", "*!*@spam", "ann"]
    await ann.send("MODE #tea b")
    assert (await ann.until("367")).params[2] == "*!*@spam"
    await ann.send("WHO #tea %tcuhnfa,7")
    assert (await ann.until("354")).params == ["ann", "7", "#tea", "ann", "client.test", "ann", "H", "0"]
    await ann.send("KICK #tea ben")
    await ann.until("482")


async def test_it_says_and_swallows_what_a_test_wants(irc: Ircv3, enter: Enter) -> None:
    ann, ben = await enter("ann"), await enter("ben")
    irc.client("ann").write(":irc.test 999 :any raw line", b"\xff\xfe")
    await ann.until("999")

    def swallow(client: Client, line: Line) -> bool:
        return client.nick == "ben"

    irc.on["PRIVMSG"] = swallow
    await ben.say("#tea", "lost")
    await ben.barrier()
    await ann.say("#tea", "heard")
    assert (await ben.until("PRIVMSG")).text == "heard"
    assert not [line for line in ann.lines if line.text == "lost"]
