"""One bridge in its place: what starts and stops with it, and what of the house it is given.

Made by `app`, which knows in which order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from transports.describe import Answers, Value
from transports.errors import LegacyError
from transports.events import Address, ContactFact, Fact, File, Message
from transports.gateway import Wing
from transports.log import kv
from transports.ports import Bridge, Files
from transports.post import Post
from transports.readmit import readmit
from transports.roll import Stay
from transports.words import say
from transports.xmpp.desk import Desk
from transports.xmpp.wire import Component

if TYPE_CHECKING:
    from transports.app import App

log = logging.getLogger(__name__)

#: Seconds until a bridge that could not start is tried again.
AGAIN: Final = 5.0
#: Seconds for each stage of a stop: a bridge's end, what is on its way; then the stream's end.
STAGE: Final = 3.5
CLOSING: Final = 2.0
GOODBYE: Final = say("gate.stopping")


class Mounted:
    """One bridge in place: its wing, its stream and, if it is durable, its mailbox."""

    def __init__(
        self, name: str, bridge: Bridge, wing: Wing, desk: Desk, stream: Component, post: Post | None, app: App
    ) -> None:
        self.name = name  # the bridge's, in the configuration and in the store
        self.bridge = bridge
        self.wing = wing
        self.desk = desk
        self.stream = stream
        self.post = post
        self.app = app
        self.trouble = ""  # why the bridge could not start
        self.stays: Sequence[Stay] = ()  # who was in which room, and is to be brought back
        self.message = wing.message
        self.presence = wing.presence
        self.iq = wing.iq
        self.pause = wing.pause
        self.resume = wing.resume

    async def start(self) -> bool:
        """Start the bridge and, once it runs, its stream; False when it cannot start now."""
        try:
            await self.bridge.start()
        except Exception as error:
            name, domain = self.bridge.name, self.bridge.domain
            words = f"{type(error).__name__}: {error}"
            log.error(kv("a bridge cannot start", bridge=name, domain=domain, error=words, retry=AGAIN))
            self.trouble = words
            return False
        self.trouble = ""
        self.stream.start()
        return True

    async def start_later(self) -> None:
        started = False
        while not started:
            await self._stop_bridge()
            await asyncio.sleep(AGAIN)
            started = await self.start()

    async def stop(self) -> None:
        """Say goodbye and let what is on its way finish, in at most two stages and `CLOSING`."""
        try:
            self.wing.close(GOODBYE)
            self.desk.closing()
        except Exception:
            log.exception(kv("a bridge's rooms could not be told", domain=self.bridge.domain))
        await self._stop_bridge()
        await self.desk.stop()
        if self.post is not None:
            try:
                await self.post.drain(STAGE)
            except Exception:
                log.exception(kv("a mailbox did not stop cleanly", domain=self.bridge.domain))
        await self.stream.stop(CLOSING)

    async def _stop_bridge(self) -> None:
        try:
            await asyncio.wait_for(self.bridge.stop(), STAGE)
        except Exception:
            log.exception(kv("a bridge did not stop cleanly", domain=self.bridge.domain))

    def connected(self) -> None:
        self.app.changed()
        if self.post is not None:
            self.post.connected()
        self.desk.connected()
        self.wing.roll_call()
        stays, self.stays = self.stays, ()
        if stays:
            self.app.tasks.append(asyncio.create_task(readmit(self.wing, stays)))

    def disconnected(self) -> None:
        self.app.changed()
        if self.post is not None:
            self.post.disconnected()


class Given:
    """What a bridge is given before its desk is there: it may use none of it before `start`.

    Implements ports.Inlet, Accounts and Files by what is plugged in behind.
    """

    desk: Desk
    post: Post | None = None

    # Inlet
    async def accept(self, user: str, fact: Message, key: str) -> bool:
        if self.post is None:
            raise TypeError("this bridge is not durable")
        if self.desk.unregistered(user):
            raise LegacyError("item-not-found", say("inlet.unregistered"))
        if self.desk.contacts.blocks(user, fact.where):
            raise LegacyError("not-allowed", say("inlet.blocked"))
        return await self.post.mailbox.accept(user, fact, key)

    def tell(self, user: str, fact: Fact) -> None:
        if isinstance(fact, ContactFact):
            self.desk.tell(user, fact)
        elif self.post is not None:
            self.post.tell(user, fact)

    # Accounts
    def users(self) -> Sequence[str]:
        return self.desk.accounts.users()

    def answers(self, user: str) -> Answers | None:
        return self.desk.accounts.answers(user)

    def preference(self, user: str, var: str) -> Value | None:
        return self.desk.accounts.preference(user, var)

    async def change(self, user: str, answers: Answers) -> None:
        await self.desk.accounts.change(user, answers)

    # Hearing
    def heard(self, user: str) -> Sequence[Address]:
        return [row.address for row in self.desk.contacts.of(user) if row.hears and not row.blocked]

    # Files
    async def fetch(self, user: str, file: File, types: Collection[str] = ()) -> tuple[File, bytes]:
        return await self._files().fetch(user, file, types)

    async def share(self, user: str, data: bytes, name: str, type: str = "") -> File:
        return await self._files().share(user, data, name, type)

    def _files(self) -> Files:
        if self.desk.files is None:
            raise LegacyError("feature-not-implemented", say("files.none"))
        return self.desk.files
