"""Names and texts against real servers: what we write reaches a client as it is, and closes no stream.

The component here is a bare socket, so that nothing but xml.py and address.py stands between the text and the server.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from xml.etree.ElementTree import Element, XMLPullParser

from lab.domain import XmppServer
from lab.xmpp import Client, text
from transports.xmpp import address, xml
from transports.xmpp.address import JidError

ROWS = json.loads((Path(__file__).parent.parent / "vectors" / "hostile-names.json").read_text())
DOMAIN = "test.localhost"
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


class Component:
    """A component stream (XEP-0114) that keeps what comes for its addresses; servers also tell its domain of this and that."""

    def __init__(self, server: XmppServer) -> None:
        self.server = server
        self.stanzas: asyncio.Queue[Element] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.component_port)
        self.parser = XMLPullParser(("start", "end"))
        self.write(
            f"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}'>"
        )
        self.depth = 0
        self.task = asyncio.create_task(self._read())
        opening = await self.take()
        secret = self.server.components[DOMAIN]
        self.write(f"<handshake>{hashlib.sha1((opening.get('id', '') + secret).encode()).hexdigest()}</handshake>")
        assert (await self.take()).tag.endswith("}handshake")
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.task.cancel()
        self.writer.close()
        with suppress(asyncio.CancelledError, ConnectionError):
            await self.task

    def write(self, stanza: str) -> None:
        assert xml.fits(stanza)
        self.writer.write(stanza.encode())

    async def take(self) -> Element:
        async with asyncio.timeout(15):
            return await self.stanzas.get()

    async def nothing(self) -> None:
        """Nothing came for us, no error above all, to what was written so far."""
        self.write(
            f"<iq type='get' id='fence' from='{ROOM}' to='{self.server.domain}'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
        assert (await self.take()).get("id") == "fence"

    async def _read(self) -> None:
        while data := await self.reader.read(65_536):
            self.parser.feed(data)
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if self.depth == 1 and element.get("to") != DOMAIN:
                    self.stanzas.put_nowait(element)


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
        heard = [found.get("from") for found in alice.waiting("presence")]
        assert heard == names
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
