"""Messages that are more than words, through real servers: IRC's drafts (the lab's own server), and InspIRCd with its IRCv3."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway
from lab.gateway import settings as house_settings
from lab.irc import Person
from lab.ircd import Inspircd
from lab.ircv3 import Ircv3
from lab.process import folder
from lab.xmpp import Stanza, find, text
from tests.scenarios.irc import client, nick, room

CAPS = (
    "message-tags", "server-time", "batch", "labeled-response", "echo-message", "draft/message-redaction", "draft/multiline",
)  # fmt: skip
CHANNEL, ROOM = "#more", room("#more", "more.test")


class Scene:
    """alice at her desk and on her phone, eve on IRC with the same capabilities; all in #more."""

    def __init__(self, server: XmppServer, irc: Ircv3 | Inspircd, eve: Person) -> None:
        self.irc = irc
        self.drafts = isinstance(irc, Ircv3)
        self.alice = client(server, "alice")
        self.phone = client(server, "alice", "phone")
        self.eve = eve

    def forget(self) -> None:
        for one in (self.alice, self.phone, self.eve):
            one.forget()

    async def hear(self, words: str) -> tuple[Stanza, str]:
        """What alice hears of eve, and its stanza-id."""
        await self.eve.say(CHANNEL, words)
        heard = await self.alice.body(words)
        return heard, attribute(heard, "message/sid:stanza-id", "id")

    async def meant(self, inside: str, id: str, to: str = ROOM, kind: str = "groupchat") -> None:
        await self.alice.send(f"<message to='{to}' type='{kind}' id='{id}'>{inside}</message>")


def attribute(stanza: Stanza, path: str, name: str) -> str:
    found = find(stanza, path)
    return "" if found is None else found.get(name, "")


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["drafts", "inspircd"])
async def scene(request: pytest.FixtureRequest, prosody: XmppServer) -> AsyncIterator[Scene]:
    with folder("transports-test-") as path, folder("transports-more-") as other:
        async with Ircv3() if request.param == "drafts" else Inspircd(other, full=True) as irc:
            network = {"address": irc.host, "ports": [irc.port], "tls": "off"}
            changes = {"irc": {"networks": {"more.test": network}}}
            offered = [cap for cap in CAPS if request.param == "drafts" or not cap.startswith("draft/")]
            async with (
                Gateway(path, house_settings(prosody, changes=changes)),
                Person(irc.host, irc.port, "eve", caps=offered) as eve,
            ):
                there = Scene(prosody, irc, eve)
                await eve.join(CHANNEL)
                async with there.alice, there.phone:
                    for one in (there.alice, there.phone):
                        await one.join(ROOM, "alice")
                    await eve.barrier()
                    there.forget()
                    yield there


@pytest.fixture(autouse=True)
def fresh(scene: Scene) -> None:
    scene.forget()


async def test_a_message_is_confirmed_by_its_echo_to_all_of_the_users_clients(scene: Scene) -> None:
    await scene.alice.say(ROOM, "hello", "m1")
    assert (await scene.eve.until("PRIVMSG")).text == "hello"
    for one in (scene.alice, scene.phone):
        back = await one.body("hello")
        assert (back.get("id"), nick(back)) == ("m1", "alice")
    await scene.alice.barrier()
    assert scene.alice.waiting("message/body") == []


async def test_an_error_is_of_the_message_that_caused_it(scene: Scene) -> None:
    await scene.alice.say(room("nobody", "more.test"), "psst", "e1", kind="chat")
    error = await scene.alice.until("message[@type='error']")
    assert error.get("id") == "e1" and find(error, "message/error/stanzas:item-not-found") is not None


async def test_reactions_both_ways(scene: Scene) -> None:
    _, id = await scene.hear("react to this")
    await scene.meant(f"<reactions xmlns='urn:xmpp:reactions:0' id='{id}'><reaction>👍</reaction></reactions>", "r1")
    line = await scene.eve.until("TAGMSG")
    assert (line.nick, line.tags["+draft/react"]) == ("alice", "👍") and line.tags["+draft/reply"]
    back = await scene.phone.until("message/reactions:reactions")
    assert (back.get("id"), attribute(back, "message/reactions:reactions", "id")) == ("r1", id)
    await scene.eve.send(f"@+draft/reply={line.tags['+draft/reply']};+draft/react=😂 TAGMSG {CHANNEL}")
    theirs = await scene.alice.until(lambda s: nick(s) == "eve" and find(s, "message/reactions:reactions") is not None)
    assert attribute(theirs, "message/reactions:reactions", "id") == id


async def test_answers_both_ways(scene: Scene) -> None:
    _, id = await scene.hear("a question")
    await scene.alice.say(ROOM, "an answer", "a1", more=f"<reply xmlns='urn:xmpp:reply:0' id='{id}' to='{ROOM}/eve'/>")
    line = await scene.eve.until(lambda line: line.command == "PRIVMSG" and line.nick == "alice")
    assert line.text == "an answer" and line.tags["+draft/reply"]
    await scene.alice.body("an answer")
    await scene.eve.send(f"@+draft/reply={line.tags['msgid']} PRIVMSG {CHANNEL} :thank you")
    heard = await scene.alice.body("> an answer\nthank you")
    mine = attribute(heard, "message/reply:reply", "id")
    assert mine and attribute(heard, "message/reply:reply", "to") == f"{ROOM}/alice"


async def test_typing_both_ways(scene: Scene) -> None:
    await scene.meant("<composing xmlns='http://jabber.org/protocol/chatstates'/>", "t1")
    assert (await scene.eve.until("TAGMSG")).tags["+typing"] == "active"
    await scene.eve.send(f"@+typing=active TAGMSG {CHANNEL}")
    assert nick(await scene.alice.until("message[@type='groupchat']/states:composing")) == "eve"


async def test_a_correction_of_one_word_is_that_word(scene: Scene) -> None:
    await scene.alice.say(ROOM, "I lvoe it", "c1")
    await scene.alice.body("I lvoe it")
    await scene.alice.say(ROOM, "I love it", "c2", more="<replace xmlns='urn:xmpp:message-correct:0' id='c1'/>")
    await scene.eve.until(lambda line: line.command == "PRIVMSG" and line.text == "*love")
    back = await scene.phone.body("I love it")
    assert attribute(back, "message/correct:replace", "id") == "c1"


async def test_a_message_is_taken_back_where_it_can_be(scene: Scene) -> None:
    await scene.alice.say(ROOM, "oops", "o1")
    mine = attribute(await scene.alice.body("oops"), "message/sid:stanza-id", "id")
    await scene.meant(f"<retract xmlns='urn:xmpp:message-retract:1' id='{mine}'/>", "o2")
    if not scene.drafts:
        error = await scene.alice.until("message[@type='error']")
        assert error.get("id") == "o2" and find(error, "message/error/stanzas:feature-not-implemented") is not None
        return
    assert (await scene.eve.until("REDACT")).nick == "alice"
    assert (await scene.phone.until("message/retract:retract")).get("id") == "o2"
    await scene.eve.say(CHANNEL, "mine")
    theirs = await scene.alice.body("mine")
    assert isinstance(scene.irc, Ircv3)
    stored = scene.irc.channels[CHANNEL].history
    key = next(one.tags["msgid"] for one in stored if one.params[-1] == "mine")
    await scene.eve.send(f"REDACT {CHANNEL} {key}")
    gone = await scene.alice.until(lambda s: nick(s) == "eve" and find(s, "message/retract:retract") is not None)
    assert attribute(gone, "message/retract:retract", "id") == attribute(theirs, "message/sid:stanza-id", "id")


async def test_several_lines_are_one_message_where_that_is_offered(scene: Scene) -> None:
    await scene.alice.say(ROOM, "one\n\nthree", "l1")
    if scene.drafts:
        await scene.eve.until(lambda line: line.command == "BATCH" and line.params[0][0] == "+")
        assert [(await scene.eve.until("PRIVMSG")).text for _ in range(3)] == ["one", "", "three"]
    else:
        assert [(await scene.eve.until("PRIVMSG")).text for _ in range(2)] == ["one", "three"]
    back = await scene.alice.until("message[@id='l1']")
    assert text(back) == "one\n\nthree"
    await scene.alice.barrier()
    assert scene.alice.waiting("message/body") == []


async def test_a_message_of_several_lines_arrives_as_one(scene: Scene) -> None:
    if not scene.drafts:
        pytest.skip("InspIRCd 3 has no multiline")
    await scene.eve.send(f"BATCH +x draft/multiline {CHANNEL}")
    for words in ("hello", "how is "):
        await scene.eve.send(f"@batch=x PRIVMSG {CHANNEL} :{words}")
    await scene.eve.send(f"@batch=x;draft/multiline-concat PRIVMSG {CHANNEL} :everyone?")
    await scene.eve.send("BATCH -x")
    await scene.alice.body("hello\nhow is everyone?")


async def test_words_between_two_have_ids_too(scene: Scene) -> None:
    person = room("eve", "more.test")
    await scene.alice.say(person, "psst", "p1", kind="chat")
    line = await scene.eve.until("PRIVMSG")
    await scene.eve.send(f"@+draft/reply={line.tags['msgid']};+draft/react=👍 TAGMSG alice")
    reaction = await scene.alice.until("message/reactions:reactions")
    assert attribute(reaction, "message/reactions:reactions", "id") == "p1"


async def test_a_long_text_is_put_into_a_file_and_what_follows_it_waits(scene: Scene) -> None:
    body = "\n".join(f"line {number}" for number in range(60))
    await scene.alice.say(ROOM, body, "x1")
    await scene.alice.say(ROOM, "after it", "x2")
    first, second = [await scene.eve.until("PRIVMSG") for _ in range(2)]
    assert first.text.startswith("line 0 … http") and second.text == "after it"
    assert text(await scene.phone.until("message[@id='x1']")) == body
    await scene.phone.body("after it")
