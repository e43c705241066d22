"""Formatting and CTCP, between people on IRC and clients on XMPP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lab.xmpp import Stanza, condition, show, text
from tests.scenarios.irc import Scene, client, of, room, words

PING = "<ping xmlns='urn:xmpp:ping'/>"
VERSION = "<query xmlns='jabber:iq:version'/>"
TIME = "<time xmlns='urn:xmpp:time'/>"


def spans(stanza: Stanza) -> list[tuple[str, list[str]]]:
    """What of the body is set apart, and as what (XEP-0394)."""
    markup = stanza.find("{urn:xmpp:markup:0}markup")
    body = text(stanza) or ""
    return [
        (body[int(span.get("start", "")) : int(span.get("end", ""))], [child.tag.rpartition("}")[2] for child in span])
        for span in (markup if markup is not None else ())
    ]


def ctcp(kind: str):  # type: ignore[no-untyped-def]
    return lambda line: line.command == "PRIVMSG" and line.text.startswith(f"\x01{kind}")


# Formatting -----------------------------------------------------------------------------------------------------------


async def test_bold_is_marked_and_set_apart(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.say(scene.channel, "\x02Note:\x02 this is \x0304,01red\x03 and \x1dnew\x0f, un\x02believ\x02able")
    heard = await scene.alice.body("*Note:* this is red and _new_, unbelievable")
    assert spans(heard) == [("Note:", ["strong"]), ("new", ["emphasis"]), ("believ", ["strong"])]


async def test_what_is_done_is_formatted_too(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.say(scene.channel, "\x01ACTION likes \x02tea\x02\x01")
    assert spans(await scene.alice.body("/me likes *tea*")) == [("tea", ["strong"])]


async def test_formatting_is_left_out_or_sent_by_choice(scene: Scene) -> None:
    await scene.enter(scene.bob)
    try:
        await prefer(scene, "plain", out="true")
        await scene.eve.say(scene.channel, "\x02Note:\x02 plain")
        assert spans(await scene.bob.body("Note: plain")) == [("Note:", ["strong"])]
        await scene.bob.say(scene.room, "so *this* is _it_, https://x.test/_a_ `*code*`")
        assert (await scene.eve.until("PRIVMSG")).text == "so \x02this\x02 is \x1dit\x1d, https://x.test/_a_ `*code*`"
        assert text(await scene.bob.body("so *this* is _it_, https://x.test/_a_ `*code*`"))
    finally:
        await prefer(scene, "marks", out="false")
    await scene.bob.say(scene.room, "*again*")
    assert (await scene.eve.until("PRIVMSG")).text == "*again*"


async def prefer(scene: Scene, formatting: str, out: str) -> None:
    """Fill in bob's preferences at the gateway."""
    await fill_in(scene, scene.room.partition("@")[2], "preferences", formatting=formatting, formatting_out=out)


async def fill_in(scene: Scene, to: str, node: str, **fields: str) -> None:
    """bob answers a command's form (XEP-0050); what is left out stays as it was."""
    command = f"<command xmlns='http://jabber.org/protocol/commands' node='{node}'"
    first = await scene.bob.iq(f"<iq type='set' to='{to}'>{command}/></iq>")
    session = first[0].get("sessionid")
    given = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    form = f"<x xmlns='jabber:x:data' type='submit'>{given}</x></command>"
    done = await scene.bob.iq(f"<iq type='set' to='{to}'>{command} sessionid='{session}' action='complete'>{form}</iq>")
    assert done.get("type") == "result" and done[0].get("status") == "completed", show(done)


async def test_a_channel_of_another_charset_is_read_and_written_in_it(scene: Scene) -> None:
    await scene.enter(scene.bob)
    await fill_in(scene, scene.room, "configure", encoding_in="cp1251", encoding_out="cp1251")
    await scene.eve.send(f"PRIVMSG {scene.channel} :".encode() + "привет".encode("cp1251"))
    await scene.bob.body("привет")
    await scene.bob.say(scene.room, "пока")
    heard = await scene.eve.until("PRIVMSG")
    assert heard.text.encode(errors="surrogateescape") == "пока".encode("cp1251")
    await scene.bob.say(scene.room, "пока ☕")
    assert (await scene.eve.until("PRIVMSG")).text == "пока ☕"


async def test_what_is_no_utf_8_at_all_harms_nobody(scene: Scene) -> None:
    await scene.enter()
    for raw in (b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff\xfe\x01\x02"):
        await scene.eve.send(f"PRIVMSG {scene.channel} :overlong ".encode() + raw)
        await scene.alice.until(lambda stanza: (text(stanza) or "").startswith("overlong"))
    await scene.settle()


# CTCP -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["occupant", "person"])
async def test_somebodys_program_says_its_version(scene: Scene, way: str) -> None:
    await scene.enter()
    to = of(scene.room, "eve") if way == "occupant" else room("eve")
    asked = asyncio.create_task(scene.alice.iq(f"<iq type='get' to='{to}'>{VERSION}</iq>"))
    await scene.eve.until(ctcp("VERSION"))
    await scene.eve.send("NOTICE alice :\x01VERSION irssi v1.4.5 on \x02Linux\x02\x01")
    query = (await asked)[0]
    assert [child.text for child in query] == ["irssi", "1.4.5", "on Linux"]


async def test_a_ping_goes_to_the_person_and_back(scene: Scene) -> None:
    await scene.enter()
    asked = asyncio.create_task(scene.alice.iq(f"<iq type='get' to='{room('eve')}'>{PING}</iq>"))
    request = await scene.eve.until(ctcp("PING"))
    await scene.eve.send(f"NOTICE alice :{request.text}")
    assert (await asked).get("type") == "result"


async def test_the_clock_of_somebody_is_told_with_its_zone(scene: Scene) -> None:
    await scene.enter()
    asked = asyncio.create_task(scene.alice.iq(f"<iq type='get' to='{room('eve')}'>{TIME}</iq>"))
    await scene.eve.until(ctcp("TIME"))
    there = datetime.now(UTC) + timedelta(hours=5, minutes=30)
    await scene.eve.send(f"NOTICE alice :\x01TIME {there:%a %b %d %H:%M:%S %Y}\x01")
    answer = (await asked)[0]
    assert answer[0].text == "+05:30"
    assert abs((datetime.fromisoformat(answer[1].text or "") - datetime.now(UTC)).total_seconds()) < 900


@pytest.mark.parametrize(("nick", "error"), [("eve", "feature-not-implemented"), ("formerly", "item-not-found")])
async def test_a_self_ping_to_a_wrong_nick_reaches_nobody(scene: Scene, nick: str, error: str) -> None:
    await scene.enter()
    async with scene.house.person("formerly"):  # not in the room; the client thinks that this is its nick
        answer = await scene.alice.iq(f"<iq type='get' to='{of(scene.room, nick)}'>{PING}</iq>")
        assert condition(answer) == error
        await scene.alice.say(scene.room, "after that")
        await scene.eve.until("after that")
        assert not scene.eve.waiting(ctcp("PING"))


async def test_nobody_is_asked_who_is_not_there(scene: Scene) -> None:
    await scene.enter()
    answer = await scene.alice.iq(f"<iq type='get' to='{room('nobody')}'>{PING}</iq>")
    assert condition(answer) == "item-not-found"
    async with client(scene.house.server, "dave") as dave:
        answer = await dave.iq(f"<iq type='get' to='{room('eve')}'>{VERSION}</iq>")
        assert condition(answer) == "recipient-unavailable" and "not connected" in words(answer)


async def test_no_more_than_a_few_are_asked_in_a_minute(scene: Scene) -> None:
    await scene.enter(scene.bob)
    asked = [asyncio.create_task(scene.bob.iq(f"<iq type='get' to='{room('eve')}'>{VERSION}</iq>")) for _ in range(8)]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert {condition(one.result()) for one in done} <= {"resource-constraint"}
    for one in asked:
        one.cancel()


async def test_what_others_ask_tells_nothing_of_the_user(scene: Scene) -> None:
    await scene.enter(scene.bob)
    await scene.eve.say("bob", "\x01VERSION\x01")
    answer = await scene.eve.until("NOTICE")
    assert answer.text == "\x01VERSION Transports (XMPP gateway)\x01"
    await scene.eve.say("bob", "\x01DCC SEND secrets.zip 2130706433 5000 1\x01")
    await scene.bob.until(lambda stanza: stanza.get("from") == room("") and "DCC" in (text(stanza) or ""))


# Notices --------------------------------------------------------------------------------------------------------------


async def test_a_notice_is_shown_as_one_where_it_belongs(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(f"NOTICE {scene.channel} :look")
    assert (await scene.alice.body("[notice] look")).get("from") == of(scene.room, "eve")
    await scene.eve.send("NOTICE alice :and here")
    assert (await scene.alice.body("[notice] and here")).get("from") == room("eve")
    await scene.eve.send(f"NOTICE alice :[{scene.channel}] about it")
    assert (await scene.alice.body(f"[notice] [{scene.channel}] about it")).get("from") == of(scene.room, "eve")


async def test_a_message_to_operators_says_so(scene: Scene) -> None:
    if scene.house.ircd.name == "ngircd":
        pytest.skip("ngIRCd has no STATUSMSG")
    await scene.enter()
    await scene.eve.send(f"MODE {scene.channel} +o alice")
    await scene.eve.send(f"PRIVMSG @{scene.channel} :between \x02us\x02")
    assert spans(await scene.alice.body("[to @] between *us*")) == [("us", ["strong"])]
