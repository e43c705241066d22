"""Names and texts against real servers: what we write reaches a client as it is, and closes no stream.

The component here is the test's own, so that nothing but xml.py and address.py stands between the text and the server.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.domain import XmppServer
from lab.xmpp import Client, text
from tests.component import DOMAIN, Component
from transports.xmpp import address, xml
from transports.xmpp.address import JidError

ROWS = json.loads((Path(__file__).parent.parent / "vectors" / "hostile-names.json").read_text())
ROOM = f"#room@{DOMAIN}"

#: Texts at the edges of what XML may hold; what is illegal must be gone, all else must arrive.
TEXTS = [
    "\x00\x01\x02bold\x02\x0b\x0c\x1f.",
    "\x7f\x80\x85\x9f\u2028.",
    "\ud800 \udfff \ufffe \uffff \ufdd0 \ufdef.",
    "\U0001fffe\U0001ffff\U0010fffe\U0010ffff.",
    "]]> <a b='c'/> &amp; &#0; <![CDATA[ ]]>.",
    "\u202e\u2066\u200d\u00ad\ufeff.",
    "😀" * 5_000 + ".",
]


def user(server: XmppServer, **more: Any) -> Client:
    return Client(server.jid("alice"), server.accounts["alice"], server.c2s_port, "desk", **more)


async def test_every_name_we_write_arrives_as_it_is(server: XmppServer) -> None:
    door = xml.Door(DOMAIN)
    names = [f"{ROOM}/{row['resource']}" for row in ROWS]
    names += [f"{row['local']}@{DOMAIN}/x" for row in ROWS if row["local"] is not None]
    async with Component(server) as component, user(server) as alice:
        for name in names:
            component.write(door.opening("presence", name, alice.jid) + "/>")
        component.write(door.opening("message", ROOM, alice.jid, " type='headline'") + "><body>last</body></message>")
        await alice.body("last")
        heard = [found.get("from", "") for found in alice.waiting("presence")]
        # gateways of other tests may say hello to alice too
        assert [sender for sender in heard if DOMAIN in sender.partition("/")[0]] == names
        await component.nothing()


async def test_every_text_arrives_without_what_is_illegal(server: XmppServer) -> None:
    opening = xml.Door(DOMAIN).opening("message", ROOM, server.jid("alice", "desk"), " type='headline'")
    async with Component(server) as component, user(server) as alice:
        for said in TEXTS:
            component.write(f"{opening} id='{xml.attr(said[:500])}'><body>{xml.text(said)}</body></message>")
            assert text(await alice.until("message/body")) == xml.clean(said)
        await component.nothing()


async def test_ten_thousand_chance_nicks_and_texts_arrive(server: XmppServer) -> None:
    chance = random.Random(106)
    ranges = [
        (0, 0x80),
        (0x80, 0x250),
        (0x2B0, 0x370),
        (0x590, 0x700),
        (0x1100, 0x1200),
        (0x2000, 0x2070),
        (0, 0x10FFFF),
    ]
    door = xml.Door(DOMAIN)

    def some() -> str:
        low, high = chance.choice(ranges)
        return "".join(chr(chance.randint(low, high)) for _ in range(chance.randint(0, 12)))

    said = [(f"{ROOM}/{address.to_resource(some())}", some() + ".") for _ in range(10_000)]
    async with Component(server) as component, user(server) as alice:
        for sender, words in said:
            component.write(
                f"{door.opening('message', sender, alice.jid)} type='headline'><body>{xml.text(words)}</body></message>"
            )
        component.write(f"{door.opening('message', ROOM, alice.jid)} type='headline'><body>last</body></message>")
        await alice.body("last", timeout=60)
        heard = [(found.get("from"), text(found)) for found in alice.waiting("message/body")]
        assert heard == [(sender, xml.clean(re.sub("\r\n?", "\n", words))) for sender, words in said]
        await component.nothing()


async def test_every_name_we_write_comes_back_as_it_is(server: XmppServer) -> None:
    async with Component(server) as component, user(server) as alice:
        for row in ROWS:
            await alice.send(f"<presence to='{xml.attr(ROOM + '/' + row['resource'])}'/>")
            stanza = await component.take()
            assert address.parse(stanza.get("to", "")).resource == row["resource"]
            assert address.parse(stanza.get("from", "")).full == alice.jid


async def test_a_typed_name_is_answered_under_itself_where_it_is_speakable(server: XmppServer) -> None:
    """The server may refuse what was typed; what it hands on we must be able to answer, if only as the room."""
    door = xml.Door(DOMAIN)
    spoken = 0
    async with Component(server) as component, user(server) as alice:
        for row in ROWS:
            typed = xml.clean(row["nick"])
            await alice.send(
                f"<iq type='get' id='x' to='{xml.attr(f'{ROOM}/{typed}' if typed else ROOM)}'><a xmlns='b'/></iq>"
            )
            came = asyncio.create_task(component.take())
            refused = asyncio.create_task(alice.until("iq[@type='error']"))
            done, pending = await asyncio.wait((came, refused), return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            if came not in done:
                continue
            sender = ROOM
            with suppress(JidError):
                jid = address.parse(came.result().get("to", ""))
                if address.speakable(jid):
                    sender = jid.full
                    spoken += 1
            component.write(door.opening("iq", sender, alice.jid, " type='result' id='x'") + "/>")
            assert (await alice.until("iq[@type='result']")).get("from") == sender
        assert spoken > 20
