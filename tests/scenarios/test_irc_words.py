"""What is said, both ways, in channels and between two people (XEP-0045 7.4, 7.5; XEP-0245, 0359, 0421), through real servers."""

from __future__ import annotations

from lab.irc import Line
from lab.xmpp import NS, Client, Stanza, condition, find, text
from tests.scenarios.irc import Scene, nick, room, words


def attribute(stanza: Stanza, path: str, name: str) -> str | None:
    found = find(stanza, path)
    return None if found is None else found.get(name)


async def refused(who: Client, to: str, body: str, kind: str = "groupchat", more: str = "") -> Stanza:
    """The error that a message brings."""
    id = await who.say(to, body, kind=kind, more=more)
    return await who.until(lambda s: s.get("type") == "error" and s.get("id") == id)


# Channels -------------------------------------------------------------------------------------------------------------


async def test_words_to_a_channel_come_back_with_their_ids_and_ours(scene: Scene) -> None:
    await scene.enter(scene.alice)
    await scene.alice.say(scene.room, "hello <everybody> & öthers 😀", "m-1")
    heard = await scene.eve.until("PRIVMSG")
    assert (heard.nick, heard.params) == ("alice", [scene.channel, "hello <everybody> & öthers 😀"])
    back = await scene.alice.body("hello <everybody> & öthers 😀")
    assert (back.get("from"), back.get("id"), back.get("type")) == (f"{scene.room}/alice", "m-1", "groupchat")
    assert attribute(back, "message/sid:origin-id", "id") == "m-1"
    assert attribute(back, "message/sid:stanza-id", "by") == scene.room
    assert attribute(back, "message/occupant:occupant-id", "id")


async def test_words_from_a_channel(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.say(scene.channel, "\x02bold\x02 \x0304red\x03 <tag> & ümläut 😀")
    heard = await scene.alice.body("*bold* red <tag> & ümläut 😀")
    assert (heard.get("from"), heard.get("type")) == (f"{scene.room}/eve", "groupchat")
    assert attribute(heard, "message/sid:stanza-id", "id") == heard.get("id")
    assert attribute(heard, "message/occupant:occupant-id", "id")
    assert find(heard, "message/delay:delay") is None


async def test_text_that_is_not_utf8_is_read_as_latin1(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(b"PRIVMSG " + scene.channel.encode() + " :grüße".encode("latin-1"))
    await scene.alice.body("grüße")


async def test_several_lines_are_several_on_irc_and_one_reflection(scene: Scene) -> None:
    await scene.enter()
    await scene.alice.say(scene.room, "one\n\ntwo\nthree", "lines")
    assert [(await scene.eve.until("PRIVMSG")).text for _ in range(3)] == ["one", "two", "three"]
    assert text(await scene.alice.until("message[@id='lines']/body/..")) == "one\n\ntwo\nthree"
    await scene.settle()
    assert scene.alice.waiting("message/body") == []


async def test_me_is_an_action_both_ways(scene: Scene) -> None:
    await scene.enter()
    await scene.alice.say(scene.room, "/me waves")
    assert (await scene.eve.until("PRIVMSG")).text == "\x01ACTION waves\x01"
    assert nick(await scene.alice.body("/me waves")) == "alice"
    await scene.eve.say(scene.channel, "\x01ACTION nods\x01")
    assert nick(await scene.alice.body("/me nods")) == "eve"
    await scene.eve.say(scene.channel, "/me is only quoted")
    await scene.alice.body(" /me is only quoted")


async def test_long_words_are_cut_between_characters_and_fit_as_others_see_them(scene: Scene) -> None:
    await scene.enter()
    body = "".join(f"{number:03}äß€😀" for number in range(120))
    await scene.alice.say(scene.room, body)
    heard: list[Line] = []
    while sum(len(line.text) for line in heard) < len(body):
        heard.append(await scene.eve.until("PRIVMSG"))
    assert "".join(line.text for line in heard) == body and len(heard) > 3
    assert all(len(line.raw.encode()) + 2 <= 512 for line in heard)
    assert min(len(line.raw.encode()) for line in heard[:-1]) > 440
    assert text(await scene.alice.until(lambda s: nick(s) == "alice" and s.find("body", NS) is not None)) == body


async def test_notices_and_words_for_operators_only(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(f"NOTICE {scene.channel} :look here")
    assert nick(await scene.alice.body("[notice] look here")) == "eve"
    if not any("STATUSMSG=" in line.raw for line in scene.eve.lines if line.command == "005"):
        return  # ngIRCd has none
    await scene.eve.send(f"MODE {scene.channel} +v alice")
    await scene.eve.send(f"PRIVMSG +{scene.channel} :voiced only")
    heard = await scene.alice.body("[to +] voiced only")
    assert (heard.get("from"), heard.get("type")) == (f"{scene.room}/eve", "groupchat")


async def test_words_to_a_moderated_channel_are_an_error(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(f"MODE {scene.channel} +m")
    await scene.eve.barrier()
    error = await refused(scene.alice, scene.room, "one\ntwo\nthree")
    assert condition(error) == "forbidden" and error.get("from") == scene.room and words(error)
    await scene.eve.send(f"MODE {scene.channel} -m")
    await scene.eve.barrier()
    await scene.alice.say(scene.room, "again")
    await scene.alice.body("again")


async def test_words_where_one_is_not(scene: Scene) -> None:
    await scene.enter(scene.alice)
    for to, kind in ((scene.room, "groupchat"), (f"{scene.room}/eve", "chat")):
        error = await refused(scene.phone, to, "x", kind)
        assert condition(error) == "not-acceptable" and words(error)
    assert condition(await refused(scene.alice, f"{scene.room}/nobody", "x", "chat")) == "item-not-found"
    await scene.eve.barrier()
    assert scene.eve.waiting("PRIVMSG") == []


async def test_encrypted_words_are_refused(scene: Scene) -> None:
    await scene.enter()
    omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>"
    for to, kind in ((scene.room, "groupchat"), (room("eve"), "chat")):
        error = await refused(scene.alice, to, "I sent you an OMEMO message", kind, omemo)
        assert condition(error) == "not-acceptable" and "encrypt" in words(error)
    await scene.eve.barrier()
    assert scene.eve.waiting("PRIVMSG") == []


# Between two people ---------------------------------------------------------------------------------------------------


async def test_a_person_is_an_address_of_its_own(scene: Scene) -> None:
    await scene.enter()
    await scene.alice.say(room("eve"), "psst\n/me is here", "p1", kind="chat")
    heard = await scene.eve.until("PRIVMSG")
    assert (heard.nick, heard.params) == ("alice", ["eve", "psst"])
    await scene.eve.until("PRIVMSG")
    await scene.eve.say("alice", "\x01ACTION listens\x01")
    answer = await scene.alice.body("/me listens")
    assert (answer.get("from"), answer.get("type")) == (room("eve"), "chat")
    await scene.eve.send("NOTICE alice :beep")
    assert (await scene.alice.body("[notice] beep")).get("from") == room("eve")
    await scene.alice.barrier()
    assert scene.alice.waiting(lambda s: s.get("id") == "p1") == []


async def test_a_person_answers_from_the_room_when_that_was_written_to_last(scene: Scene) -> None:
    await scene.enter(scene.alice)
    await scene.alice.say(f"{scene.room}/eve", "psst", kind="chat")
    assert (await scene.eve.until("PRIVMSG")).params == ["eve", "psst"]
    await scene.eve.say("alice", "yes?")
    answer = await scene.alice.body("yes?")
    assert (answer.get("from"), answer.get("type"), answer.get("to")) == (f"{scene.room}/eve", "chat", scene.alice.jid)
    assert find(answer, "message/user:x") is not None
    await scene.alice.say(room("EVE"), "elsewhere", kind="chat")
    await scene.eve.until("PRIVMSG")
    await scene.eve.say("alice", "here?")
    assert (await scene.alice.body("here?")).get("from") == room("eve")


async def test_long_words_to_a_person_are_cut_like_others(scene: Scene) -> None:
    await scene.enter()
    body = "😀" * 300
    await scene.alice.say(room("eve"), body, kind="chat")
    heard: list[Line] = []
    while sum(len(line.text) for line in heard) < len(body):
        heard.append(await scene.eve.until("PRIVMSG"))
    assert "".join(line.text for line in heard) == body
    assert all(len(line.raw.encode()) + 2 <= 512 for line in heard)


async def test_nobody_of_that_name(scene: Scene) -> None:
    await scene.enter()
    error = await refused(scene.alice, room("nobody"), "x", "chat")
    assert (condition(error), error.get("from")) == ("item-not-found", room("nobody")) and "nobody" in words(error)


async def test_away(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send("AWAY :out to lunch")
    await scene.eve.until("306")
    await scene.alice.say(room("eve"), "there?", kind="chat")
    heard = await scene.alice.until(lambda s: "out to lunch" in (text(s) or ""))
    assert heard.get("from") == room("eve")
    await scene.eve.send("AWAY")
    await scene.eve.until("305")


async def test_ctcp_version_is_answered_by_the_gateway_and_tells_nothing(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.say("alice", "\x01VERSION\x01")
    answer = await scene.eve.until("NOTICE")
    assert answer.text.startswith("\x01VERSION ") and "localhost" not in answer.text
    await scene.eve.say("alice", "\x01TIME\x01")
    await scene.settle()
    assert scene.alice.waiting("message/body") == []


async def test_what_irc_sees_of_a_user_is_no_jid(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send("WHOIS alice")
    whois = await scene.eve.until("311")
    await scene.eve.until("318")
    assert "localhost" not in whois.text and "alice" not in " ".join(whois.params[2:])


# Whatever else is asked -----------------------------------------------------------------------------------------------


async def test_every_iq_is_answered_everywhere(scene: Scene) -> None:
    await scene.enter()
    places = [
        "irc.localhost",
        room(""),
        scene.room,
        f"{scene.room}/eve",
        f"{scene.room}/nobody",
        room("eve"),
        room("#never"),
    ]
    for place in [*places, "no such thing@irc.localhost".replace(" ", "\\20"), "x%bad..name@irc.localhost"]:
        for payload in ("<x xmlns='what:ever'/>", "<query xmlns='jabber:iq:last'/>"):
            answer = await scene.alice.iq(f"<iq type='get' to='{place}'>{payload}</iq>")
            assert answer.get("type") == "error" and answer.get("from") == place
            assert condition(answer) in {"service-unavailable", "feature-not-implemented", "jid-malformed"}
        pings = [] if place == room("eve") else [f"<ping xmlns='{NS['ping']}'/>"]  # hers is a CTCP (test_irc_text)
        for payload in (f"<query xmlns='{NS['info']}'/>", *pings):
            assert (await scene.alice.iq(f"<iq type='get' to='{place}'>{payload}</iq>")).get("type") in {
                "result",
                "error",
            }


async def test_words_that_go_nowhere_are_refused(scene: Scene) -> None:
    for to, wanted in (
        ("#nowhere@irc.localhost", "jid-malformed"),
        (room("eve", "elsewhere.test"), "recipient-unavailable"),
    ):
        error = await refused(scene.alice, to, "x", "chat")
        assert (condition(error), error.get("from")) == (wanted, to) and words(error)
