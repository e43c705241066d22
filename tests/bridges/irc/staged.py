"""A connection that is in a channel, and the server at its other end, which says what a script tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from lab.scripted_irc import Guest, ScriptedIrc
from tests.bridges.irc.scene import ROOM
from tests.bridges.irc.test_wire import Stage, until
from transports.bridges.irc.wire import Link
from transports.events import Entered
from transports.ports import Change

USER = "ada@example.org"


class Set(Stage):
    """ada in #c with bob (~bob@h.example), who is nobody, and op, who is one; `server` is the other end of the line."""

    link: Link
    server: Guest

    async def answered(self, asking: Coroutine[Any, Any, Any], *script: tuple[str, tuple[str, ...]]) -> Any:
        """What comes of a question: the server says its lines to what it waits for, and answers the fence behind it."""
        task = asyncio.ensure_future(asking)
        for wanted, lines in script:
            await self.server.until(wanted)
            self.server.write(*lines)
            if wanted.startswith(("MODE #c +", "MODE #c -", "KICK")):
                fence = await self.server.until("PING q")
                self.server.write(f":irc.test PONG irc.test {fence.removeprefix('PING ')}")
        return await asyncio.wait_for(task, 10)

    def administer(self, *changes: Change) -> Coroutine[Any, Any, None]:
        return self.bridge.administer(USER, ROOM, changes)

    def give(self, *marks: str) -> None:
        for mark in marks:
            self.server.write(f":op!o@h MODE #c {mark}")



FEATURES = ("PREFIX=(qaohv)~&@%+", "CHANMODES=beI,k,l,imnpst", "MODES=3", "CHANTYPES=#", "STATUSMSG=@+", "ELIST=MU")


@asynccontextmanager
async def staged() -> AsyncIterator[Set]:
    async with ScriptedIrc() as irc:
        made = Set(irc.port, throttle=[100, 100.0])
        made.link = made.join()
        server = made.server = await irc.guest()
        server.answers = False  # the script says when a fence is answered
        await server.welcome(*FEATURES)
        await server.until("JOIN #c")
        server.let_in("#c", "bob", "@op")
        await until(lambda: made.out.of(Entered))
        made.link.net.people.clear()
        made.out.facts.clear()
        yield made
        made.session.close("")
