"""The composition root: builds every part from the configuration, starts and stops them in order.

Start: store (when a bridge needs it), bridges, component streams; READY=1 when all of these run or retry, the log line
`ready` when every stream is connected. A bridge that cannot start is tried again; the others do not wait for it. Stop, on
SIGTERM or SIGINT, within 10 s: rooms and far sides are told, streams written out and closed, then the store.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import importlib
import logging
import os
import signal
import ssl
import threading
from typing import TYPE_CHECKING, Any, Final, cast

import uvloop

from transports import catalogs
from transports.accounts import Accounts
from transports.archive.archives import Archives
from transports.archive.table import FILE
from transports.archive.values import Retention
from transports.config import ComponentSettings, Config
from transports.contacts import Contacts
from transports.control import Control, socket_of
from transports.files.depot import Depot
from transports.files.exchange import Files as KeptFiles
from transports.gateway import Wing
from transports.gateway_seams import Ids, Users
from transports.log import kv
from transports.mounted import Given, Mounted
from transports.notify import Notifier
from transports.options import Options
from transports.ports import Bridge, DurableBridge, Services
from transports.post import REMARKS, Post
from transports.roll import FILE as ROOMS
from transports.roll import Roll
from transports.shell.answers import Answers as ShellAnswers
from transports.store.shelf import Shelf
from transports.xmpp import services
from transports.xmpp.desk import Desk
from transports.xmpp.wire import Component

if TYPE_CHECKING:
    from transports.store.database import Database
    from transports.web import Listener

log = logging.getLogger(__name__)

#: Seconds between the gateway's own tidying rounds.
SWEEP: Final = 60.0
#: Seconds between looks for what the store may forget.
PURGE: Final = 3600.0
#: Seconds that closing the loop may take after that.
LINGER: Final = 0.5


class App:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.notifier = Notifier()
        self.mounted: list[Mounted] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.stopping = asyncio.Event()
        self.shelf: Shelf | None = None
        self.depot: Depot | None = None
        self.archives: Archives | None = None
        self.listeners: list[Listener] = []
        self.control = Control(socket_of(config.store.path), ShellAnswers(self).meet)
        self._ready = False

    @property
    def database(self) -> Database | None:
        """The open database; None while nothing is stored."""
        return self.shelf.opened if self.shelf is not None else None

    # Building -----------------------------------------------------------------------------------------------------

    async def build(self) -> None:
        self._languages()
        key = self.config.store.open_key().encode()
        self.shelf = Shelf(self.config.store.url.get_secret_value(), key)
        await self.shelf.start()
        if self.config.http.public_url is not None:
            folder = self.config.store.path.with_name("files")
            self.depot = Depot(folder, self.config.http.public_url, self.config.files.keep, self.shelf.files)
        if self.config.irc is not None and (kept := self.config.irc.archive).enabled:
            retention = Retention(kept.days, kept.lines, kept.total)
            self.archives = Archives(self.config.store.path.with_name(FILE), retention)
        for component in self.config.components():
            self.mounted.append(await self._mount(component, key, self.shelf))

    def _languages(self) -> None:
        catalogs.load(self.config.path.parent / "languages")

    async def _mount(self, settings: ComponentSettings, key: bytes, shelf: Shelf) -> Mounted:
        module = importlib.import_module(settings.module)
        section = self.config.irc if settings.name == "irc" else self.config.bridges[settings.name]
        stream = Component(
            settings.domain, settings.host, settings.port, settings.secret.get_secret_value(), _tls(settings), settings.host
        )
        durable = bool(getattr(module, "DURABLE", False))
        post = await self._post(settings, stream, shelf) if durable else None
        given = Given()
        given.post = post
        options = Options(shelf.options(settings.name))
        await options.load()
        services_given = Services(_derive(key, f"bridge {settings.name}"), given, given, given, options, given)
        bridge = cast(Bridge, module.build(section, services_given))
        wing = Wing(
            bridge,
            Users(frozenset(settings.users)),
            Ids(),
            stream.send,
            stream.send_all,
            services.TABLE,
            post,
        )
        accounts = Accounts(bridge.describe, shelf.accounts(settings.name))
        contacts = Contacts(shelf.contacts(settings.name))
        await accounts.load()
        await contacts.load()
        if durable:
            await shelf.database()  # StoreError when what is in it could not be read
        desk = Desk(wing, accounts, contacts, frozenset(settings.admins))
        desk.options = options
        desk.up = lambda: stream.ready
        desk.admin.reloads(self._languages)
        desk.files = KeptFiles(settings.name, desk.uploads, self.config.files, self.depot)
        given.desk = wing.desk = desk
        if post is not None:
            post.bridge = cast(DurableBridge, bridge)
            post.language = desk.language_of
            post.blocks = contacts.blocks
            post.preference = accounts.preference
            post.as_user = desk.privilege.carbon
            post.there = lambda user: bool(desk.roster.clients.last(user))
        wing.remarks = lambda user: accounts.preference(user, REMARKS) is True
        wing.as_user = desk.privilege.carbon
        wing.archives = self.archives if settings.name == "irc" else None
        wing.services = {**services.TABLE, **desk.table}
        mounted = Mounted(settings.name, bridge, wing, desk, stream, post, self)
        if not durable:
            wing.roll = Roll(self.config.store.path.with_name(ROOMS), settings.name, key)
            mounted.stays = await wing.roll.load()
        stream.attach(mounted)
        return mounted

    async def _post(self, settings: ComponentSettings, stream: Component, shelf: Shelf) -> Post:
        # imported here: a host that bridges only IRC has no need of SQLAlchemy's 15 MB
        from transports.store.journal import Journal
        from transports.store.links import Links

        database = await shelf.database()
        journal, links = Journal(database, settings.name), Links(database, settings.name)
        return Post(settings.domain, journal, links, stream.send, lambda: stream.ready)

    # Running ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        try:
            await self.build()
            await self._start()
            await self.stopping.wait()
        finally:
            await self._stop()

    async def _start(self) -> None:
        for mounted in self.mounted:
            if mounted.post is not None:
                await mounted.post.mailbox.start(cast(Any, mounted.bridge))
                self.tasks.append(asyncio.create_task(mounted.post.mailbox.run()))
            if not await mounted.start():
                self.tasks.append(asyncio.create_task(mounted.start_later()))
        await self.control.start()
        if self.config.listens:
            await self._listen()
        self.tasks.append(asyncio.create_task(self._sweep()))
        self.tasks.append(asyncio.create_task(self._purge()))
        self.tasks.append(asyncio.create_task(self.notifier.beat()))
        # what is here now stays; what comes and goes (facts, stanzas) is freed by reference counts, so the collector may rest
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        self.notifier.ready("waiting for the XMPP server")
        log.info("started")

    async def _listen(self) -> None:
        # imported here: a host without [http] does without aiohttp's 15 MB
        from transports import web

        http = self.config.http
        world = web.public(self.depot, web.routes_of(mounted.bridge for mounted in self.mounted))
        self.listeners = [
            web.Listener("listen", http.listen, world),
            web.Listener("admin", http.admin, web.admin(self._waiting)),
        ]
        for listener in self.listeners:
            await listener.start()

    def _waiting(self) -> list[str]:
        """The domains whose stream is down."""
        return [mounted.stream.domain for mounted in self.mounted if not mounted.stream.ready]

    def changed(self) -> None:
        """A stream came or went."""
        down = self._waiting()
        if not down:
            log.info(kv("ready", domains=",".join(mounted.stream.domain for mounted in self.mounted)))
        self.notifier.status(f"waiting for the XMPP server: {', '.join(down)}" if down else "connected")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            for mounted in self.mounted:
                try:
                    mounted.wing.sweep()
                    mounted.desk.sweep()
                except Exception:
                    log.exception("a sweep failed")
            try:
                if self.depot is not None:
                    await self.depot.sweep()
            except Exception:
                log.exception("old files could not be removed")

    async def _purge(self) -> None:
        while True:
            await asyncio.sleep(PURGE)
            try:
                if self.shelf is not None:
                    await self.shelf.purge()
            except Exception:
                log.exception("the store could not be purged")
            try:
                if self.archives is not None:
                    await self.archives.purge()
            except Exception:
                log.exception("the archive could not be purged")

    # Stopping -----------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        self.notifier.stopping()
        log.info("stopping")
        await self.control.stop()
        await asyncio.gather(*(listener.stop() for listener in self.listeners), return_exceptions=True)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.gather(*(mounted.stop() for mounted in self.mounted), return_exceptions=True)
        for mounted in self.mounted:
            if mounted.wing.roll is not None:
                await mounted.wing.roll.close()
        if self.archives is not None:
            await self.archives.close()
        if self.shelf is not None:
            await self.shelf.close()
        log.info("stopped")


def _derive(key: bytes, purpose: str) -> bytes:
    """A key of its own for each purpose."""
    return hmac.digest(key, purpose.encode(), hashlib.sha256)


def _tls(settings: ComponentSettings) -> ssl.SSLContext | None:
    if settings.tls == "off":
        return None
    context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def run(config: Config) -> int:
    """Run until SIGTERM or SIGINT."""

    async def main() -> None:
        await App(config).run()

    # All is told and closed when main returns. What may be left is a look-up of a name that nobody answers: it cannot be
    # stopped, and closing the loop would wait for it.
    last = threading.Timer(LINGER, os._exit, (0,))
    last.daemon = True
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
        last.start()
    last.cancel()
    return 0
