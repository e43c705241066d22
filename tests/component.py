"""A component stream (XEP-0114) of a test's own: a bare socket, so that nothing of ours stands between a text and the server."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from contextlib import suppress
from typing import Self
from xml.etree.ElementTree import Element, XMLPullParser

from lab.domain import XmppServer
from transports.xmpp import xml

DOMAIN = "test.localhost"


class Component:
    """async with Component(server, "sms.localhost") as component: …

    It keeps what comes for addresses of its domain; what servers tell the domain itself of this and that is left out.
    """

    def __init__(self, server: XmppServer, domain: str = DOMAIN) -> None:
        self.server = server
        self.domain = domain
        self.stanzas: asyncio.Queue[Element] = asyncio.Queue()
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.component_port)
        self.parser = XMLPullParser(("start", "end"))
        streams = "xmlns:stream='http://etherx.jabber.org/streams'"
        self.write(f"<stream:stream xmlns='jabber:component:accept' {streams} to='{self.domain}'>")
        self.depth = 0
        self.task = asyncio.create_task(self._read())
        opening = await self.take()
        secret = self.server.components[self.domain]
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

    async def take(self, within: float = 15) -> Element:
        async with asyncio.timeout(within):
            return await self.stanzas.get()

    async def nothing(self) -> None:
        """Nothing came for us, no error above all, to what was written so far."""
        name = f"fence{next(self._ids)}"
        ping = "<ping xmlns='urn:xmpp:ping'/>"
        self.write(f"<iq type='get' id='{name}' from='#room@{self.domain}' to='{self.server.domain}'>{ping}</iq>")
        assert (await self.take()).get("id") == name

    async def _read(self) -> None:
        while data := await self.reader.read(65_536):
            self.parser.feed(data)
            if hasattr(self.parser, "flush"):  # COMPAT: expat since 2.6.0 keeps half a tag to itself
                self.parser.flush()
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if self.depth == 1 and element.get("to") != self.domain:
                    self.stanzas.put_nowait(element)
