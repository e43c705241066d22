"""Somebody on IRC is blocked, by the list and by a word, and unblocked: what passes and what does not."""

from __future__ import annotations

from lab.xmpp import Stanza, condition, find
from tests.scenarios.irc import DOMAIN, Scene, room

BLOCKING = "urn:xmpp:blocking"
EVE = room("eve")


async def listed(scene: Scene) -> list[str]:
    answer = await scene.alice.iq(f"<iq type='get' to='{DOMAIN}'><blocklist xmlns='{BLOCKING}'/></iq>")
    return [item.get("jid", "") for item in answer[0]]


async def command(scene: Scene, node: str, to: str) -> Stanza:
    payload = f"<command xmlns='http://jabber.org/protocol/commands' node='{node}' action='execute'/>"
    return await scene.alice.iq(f"<iq type='set' to='{to}'>{payload}</iq>")


async def test_private_words_do_not_pass_but_the_room_is_the_rooms(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send("PRIVMSG alice :before")
    await scene.alice.body("before")
    assert find(await command(scene, "block", EVE), "iq[@type='result']") is not None
    assert await listed(scene) == [EVE]
    await scene.eve.send("PRIVMSG alice :psst")
    await scene.eve.send(f"PRIVMSG {scene.channel} :hello all")
    heard = await scene.alice.until(lambda s: find(s, "message/body") is not None)
    assert heard.findtext("{jabber:client}body") == "hello all"
    for to in (EVE, f"{scene.room}/eve"):
        id = await scene.alice.say(to, "Can you hear me now?", kind="chat")
        refused = await scene.alice.until(lambda s, id=id: s.get("id") == id)  # type: ignore[misc]
        assert condition(refused) == "not-acceptable"
        assert find(refused, f"message/error/{{{BLOCKING}:errors}}blocked") is not None
    unblock = f"<unblock xmlns='{BLOCKING}'><item jid='{EVE}'/></unblock>"
    assert (await scene.alice.iq(f"<iq type='set' to='{DOMAIN}'>{unblock}</iq>")).get("type") == "result"
    push = await scene.alice.until(f"iq/{{{BLOCKING}}}unblock")  # the client has asked for the list
    assert [item.get("jid") for item in push[0]] == [EVE]
    await scene.eve.send("PRIVMSG alice :after")
    await scene.alice.body("after")
    assert await listed(scene) == []
