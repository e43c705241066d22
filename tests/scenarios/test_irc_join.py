"""Entering and leaving channels as rooms (XEP-0045 7.2, 7.14; XEP-0410), through real servers."""

from __future__ import annotations

from lab.xmpp import NS, codes, condition, text
from tests.scenarios.irc import MUC, Scene, item, nick, of, presence_of, room, words

PING = f"<iq type='get' to='{{}}'><ping xmlns='{NS['ping']}'/></iq>"


async def test_occupants_then_self_then_the_subject(scene: Scene) -> None:
    async with scene.house.person("[X]_") as other:
        await other.join(scene.channel)
        await scene.eve.send(f"MODE {scene.channel} +v [X]_")
        await scene.eve.send(f"TOPIC {scene.channel} :Of \x02all\x02 things & more")
        await scene.eve.barrier()
        stanzas = await scene.alice.join(scene.room, "alice", history=0)
    assert {nick(stanza) for stanza in stanzas[:2]} == {"eve", "[X]_"}
    ranks = {nick(stanza): item(stanza) for stanza in stanzas[:3]}
    assert (ranks["[X]_"]["affiliation"], ranks["[X]_"]["role"]) == ("member", "participant")
    own = {"affiliation": "none", "role": "participant", "jid": scene.alice.jid.partition("/")[0]}
    assert (ranks["eve"]["role"], ranks["alice"]) == ("moderator", own)
    assert nick(stanzas[2]) == "alice" and codes(stanzas[2]) == {100, 110, 170}
    assert len(stanzas) == 4 and text(stanzas[3], "message/subject") == "Of all things & more"
    assert nick(stanzas[3]) == "eve" and text(stanzas[3], "message/delay:delay") is not None
    assert all(stanza.find("occupant:occupant-id", NS) is not None for stanza in stanzas[:3])


async def test_a_channel_without_a_topic_has_an_empty_subject(scene: Scene) -> None:
    stanzas = await scene.alice.join(scene.room, "alice")
    assert (text(stanzas[-1], "message/subject"), stanzas[-1].get("from")) == ("", scene.room)


async def test_joining_again_brings_everything_again(scene: Scene) -> None:
    first = await scene.alice.join(scene.room, "alice")
    again = await scene.alice.join(scene.room, "alice")
    assert [(s.tag, s.get("from")) for s in again] == [(s.tag, s.get("from")) for s in first]
    await scene.eve.barrier()
    assert len([line for line in scene.eve.waiting("JOIN") if line.nick == "alice"]) == 1


async def test_two_clients_of_one_user_are_one_person_on_irc(scene: Scene) -> None:
    await scene.enter(scene.alice)
    stanzas = await scene.phone.join(scene.room, "somebody-else")
    own = [stanza for stanza in stanzas if 110 in codes(stanza)]
    assert [nick(stanza) for stanza in own] == ["alice"] and codes(own[0]) == {100, 110, 170, 210}
    await scene.eve.barrier()
    assert scene.eve.waiting("JOIN") == []
    await scene.eve.say(scene.channel, "to both")
    await scene.alice.body("to both")
    await scene.phone.body("to both")
    await scene.alice.say(scene.room, "from the desk", "d1")
    assert (await scene.phone.body("from the desk")).get("id") == "d1"
    assert (await scene.alice.body("from the desk")).get("id") == "d1"
    assert codes(await scene.alice.leave(scene.room, "alice")) == {110}
    await scene.eve.say(scene.channel, "to the phone")
    await scene.phone.body("to the phone")
    assert scene.alice.waiting("message/body") == []
    assert scene.eve.waiting("PART") == []
    await scene.phone.leave(scene.room, "alice")
    assert (await scene.eve.until("PART")).nick == "alice"


async def test_two_users_in_one_channel_see_each_other(scene: Scene) -> None:
    await scene.enter(scene.alice)
    stanzas = await scene.bob.join(scene.room, "bob")
    assert {"alice", "eve"} <= {nick(stanza) for stanza in stanzas}
    await scene.alice.until(presence_of(of(scene.room, "bob")))
    await scene.bob.say(scene.room, "hello, alice")
    assert nick(await scene.alice.body("hello, alice")) == "bob"
    await scene.bob.body("hello, alice")
    await scene.bob.send(f"<presence to='{scene.room}/bob' type='unavailable'><status>supper</status></presence>")
    gone = await scene.alice.until(presence_of(of(scene.room, "bob"), "unavailable"))
    assert "supper" in (text(gone, "presence/status") or "")


async def test_leaving_says_why_to_irc(scene: Scene) -> None:
    await scene.enter()
    await scene.alice.send(f"<presence to='{scene.room}/alice' type='unavailable'><status>so long</status></presence>")
    gone = await scene.alice.until(presence_of(of(scene.room, "alice"), "unavailable", 110))
    assert item(gone)["role"] == "none"
    part = await scene.eve.until("PART")
    assert part.nick == "alice" and "so long" in part.text


async def test_leaving_and_coming_back_at_once(scene: Scene) -> None:
    await scene.enter()
    await scene.alice.leave(scene.room, "alice")
    stanzas = await scene.alice.join(scene.room, "alice")
    assert codes(stanzas[-2]) == {100, 110, 170}
    await scene.settle()
    assert [
        stanza for stanza in scene.alice.waiting("message") if stanza.find("user:x/user:invite", NS) is not None
    ] == []


async def test_a_join_that_is_taken_back_at_once_leaves_nothing_behind(scene: Scene) -> None:
    await scene.alice.send(
        f"<presence to='{scene.room}/alice'>{MUC}</presence><presence to='{scene.room}/alice' type='unavailable'/>"
    )
    await scene.eve.until("PART")
    await scene.alice.barrier()
    came = scene.alice.waiting(lambda stanza: stanza.get("from", "").startswith(scene.room))
    if came:  # IRC was faster than the second stanza
        assert came[-1].get("type") == "unavailable" and 110 in codes(came[-1])
    assert [stanza for stanza in came if stanza.find("user:x/user:invite", NS) is not None] == []


async def test_names_that_are_one_to_irc_are_each_answered_under_its_own(scene: Scene) -> None:
    brackets, braces = f"{scene.channel}[x]", f"{scene.channel}{{x}}"
    await scene.eve.join(brackets)
    stanzas = await scene.alice.join(room(brackets), "alice")
    assert {stanza.get("from", "").partition("/")[0] for stanza in stanzas} == {room(brackets)}
    if (
        "ascii"
        in " ".join(line.raw for line in scene.eve.lines if line.command == "005").partition("CASEMAPPING=")[2][:12]
    ):
        return  # ngIRCd: two channels
    stanzas = await scene.phone.join(room(braces), "alice")
    assert {stanza.get("from", "").partition("/")[0] for stanza in stanzas} == {room(braces)}
    assert {nick(stanza) for stanza in stanzas[:-1]} == {"alice", "eve"}
    await scene.eve.say(brackets, "which?")
    assert (await scene.alice.body("which?")).get("from") == f"{room(brackets)}/eve"
    assert (await scene.phone.body("which?")).get("from") == f"{room(braces)}/eve"
    await scene.phone.say(room(braces), "this")
    assert (await scene.alice.body("this")).get("from") == f"{room(brackets)}/alice"
    assert (await scene.phone.body("this")).get("from") == f"{room(braces)}/alice"
    await scene.phone.leave(room(braces), "alice")
    await scene.alice.leave(room(brackets), "alice")
    await scene.eve.until("PART")


async def test_upper_case_is_the_same_room(scene: Scene) -> None:
    stanzas = await scene.alice.join(scene.room.replace("#t", "#T"), "alice")
    assert stanzas[0].get("from", "").startswith(scene.room)
    await scene.settle()


async def test_self_ping(scene: Scene) -> None:
    await scene.enter()
    assert (await scene.alice.iq(PING.format(f"{scene.room}/alice"))).get("type") == "result"
    assert condition(await scene.phone.iq(PING.format(f"{scene.room}/alice"))) == "not-acceptable"
    assert condition(await scene.alice.iq(PING.format(f"{room('#never')}/alice"))) == "not-acceptable"
    assert condition(await scene.alice.iq(PING.format(f"{scene.room}/eve"))) in {
        "feature-not-implemented",
        "service-unavailable",
    }
    assert condition(await scene.alice.iq(PING.format(f"{scene.room}/nobody"))) == "item-not-found"
    await scene.eve.barrier()
    assert scene.eve.waiting("PRIVMSG") == []


async def test_presence_to_a_room_not_joined(scene: Scene) -> None:
    await scene.alice.send(f"<presence to='{scene.room}/alice' id='p'><show>away</show></presence>")
    error = await scene.alice.until("presence[@type='error']")
    assert condition(error) == "not-acceptable" and words(error)
