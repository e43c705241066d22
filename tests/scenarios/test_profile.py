"""Cards, pictures and languages through real servers, as a client has them."""

from __future__ import annotations

import base64
import hashlib

from lab.xmpp import NS, condition, find
from tests.scenarios.irc import DOMAIN, MUC, Scene, client, room, words

TEMP = f"<vCard xmlns='{NS['vcard']}'/>"
PUBSUB = "http://jabber.org/protocol/pubsub"


async def test_the_gateways_picture_is_the_one_that_its_presence_names(scene: Scene) -> None:
    """XEP-0153, XEP-0084: presence, card and PEP speak of the same picture."""
    async with client(scene.house.server, "carol", "picture") as carol:
        await carol.send(f"<presence type='subscribe' to='{DOMAIN}'/>")
        here = await carol.until(lambda stanza: find(stanza, "presence/{vcard-temp:x:update}x") is not None)
        hash = here.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo")
        answer = await carol.iq(f"<iq type='get' to='{DOMAIN}'>{TEMP}</iq>")
        data = base64.b64decode(answer.findtext(".//{vcard-temp}BINVAL") or "")
        assert data.startswith(b"\x89PNG") and hashlib.sha1(data).hexdigest() == hash
        for node in ("urn:xmpp:avatar:metadata", "urn:xmpp:avatar:data"):
            items = f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>"
            answer = await carol.iq(f"<iq type='get' to='{DOMAIN}'>{items}</iq>")
            assert [item.get("id") for item in answer.iter(f"{{{PUBSUB}}}item")] == [hash]
        item = f"<item jid='{DOMAIN}' subscription='remove'/>"
        await carol.iq(f"<iq type='set'><query xmlns='{NS['roster']}'>{item}</query></iq>")
        await carol.barrier()


async def test_everybody_in_a_room_has_a_card(scene: Scene) -> None:
    await scene.eve.send(f"TOPIC {scene.channel} :All about <x>")
    await scene.enter()
    answer = await scene.alice.iq(f"<iq type='get' to='{scene.room}'>{TEMP}</iq>")
    assert answer.findtext(".//{vcard-temp}FN") == scene.channel
    assert answer.findtext(".//{vcard-temp}DESC") == "All about <x>"
    for who in ("eve", "alice", "nobody"):
        answer = await scene.alice.iq(f"<iq type='get' to='{scene.room}/{who}'>{TEMP}</iq>")
        assert answer.get("type") == "result" and answer[0].tag == "{vcard-temp}vCard"
        assert len(answer[0]) == 0 or who != "nobody"
    answer = await scene.alice.iq(f"<iq type='get' to='{room('eve')}'>{TEMP}</iq>")
    assert answer.findtext(".//{vcard-temp}FN") == "A person of the lab"


async def test_words_of_the_gateway_are_in_the_readers_language_the_servers_stay(scene: Scene) -> None:
    await scene.eve.send(f"MODE {scene.channel} +i")
    await scene.eve.barrier()
    await scene.alice.send(f"<presence to='{scene.room}/alice' xml:lang='de-CH'>{MUC}</presence>")
    error = await scene.alice.until(lambda stanza: find(stanza, "presence[@type='error']/error") is not None)
    assert condition(error) == "registration-required"
    assert words(error).startswith(f"{scene.channel} steht nur Eingeladenen offen. (Der Server sagt: ")
    await scene.alice.send(f"<message type='groupchat' to='{scene.room}' id='g' xml:lang='en'><body>x</body></message>")
    error = await scene.alice.until(lambda stanza: find(stanza, "message[@type='error']/error") is not None)
    assert words(error) == "You are not in this room; join it first."
