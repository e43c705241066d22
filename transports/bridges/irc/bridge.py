"""The IRC bridge: what it is to the house, how many connections there may be, and the one timer of all.

Each user's connections are in `connections`, sockets in `wire`, the protocol itself in `session` and `inbound`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from irc.client_aio import AioReactor

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import mentions
from transports.bridges.irc.bouncer import Bouncer
from transports.bridges.irc.certificates import Certificates
from transports.bridges.irc.connections import IrcSession
from transports.bridges.irc.dial import Dialer
from transports.bridges.irc.directory import Directory, Shelf
from transports.bridges.irc.formatting import FORMATTING, FORMATTING_OUT, PLAIN, Manners
from transports.bridges.irc.gates import Gates
from transports.bridges.irc.identd import Identd
from transports.bridges.irc.ignoring import Ignored
from transports.bridges.irc.inquiries import Inquiries
from transports.bridges.irc.keeping import KeptCertificates, KeptPolicies
from transports.bridges.irc.lookups import Lookups
from transports.bridges.irc.pastes import LongTexts
from transports.bridges.irc.people import description
from transports.bridges.irc.pseudonyms import Pseudonyms
from transports.bridges.irc.settings import Set
from transports.bridges.irc.sts import Policies
from transports.bridges.irc.watching import Watching
from transports.bridges.irc.wire import Link
from transports.config import Irc
from transports.describe import Card, Description, Status
from transports.errors import LegacyError
from transports.events import (
    Address,
    Invite,
    Join,
    Leave,
    Rename,
    RequestVoice,
    Said,
    Say,
    SetSubject,
)
from transports.options import Options as Unkept
from transports.ports import Accounts, Files, Hearing, Identity, LiveBridge, Options, Outlet, Services
from transports.tasks import Tasks
from transports.words import say

log = logging.getLogger(__name__)

#: A body longer than this is no chat but a file; it would take minutes to send at any flood limit, and its reflection must
#: fit into one stanza, whatever its characters are.
MAX_TEXT: Final = 30_000

_CAN: Final[dict[str, frozenset[type]]] = {
    "room": frozenset({Invite, Join, Leave, Rename, RequestVoice, Say, SetSubject}),
    "person": frozenset({Say}),
}


class IrcBridge(Directory, Inquiries, LiveBridge):
    """IRC on one domain. `key` makes the user names that IRC servers see (T24): stable, and they tell nothing."""

    name = "irc"
    kind = "irc"
    durable = False
    cards = shy = frozenset(("person",))

    def __init__(
        self,
        settings: Irc,
        key: bytes,
        accounts: Accounts,
        options: Options | None = None,
        hearing: Hearing | None = None,
        files: Files | None = None,
    ) -> None:
        self.settings = settings
        self.options: Options = options if options is not None else Unkept()
        self.set = Set(settings, self.options)
        self.domain = settings.domain
        self.fixed = settings.server or ""
        self.links: dict[Link, None] = {}
        self.bouncers: dict[Bouncer, None] = {}
        self.shelf = Shelf()
        self.watching = Watching(self, hearing)
        self.lookups = Lookups(self)
        self.accounts = accounts
        self.files = files
        self.pasting = Tasks("long texts of irc")
        self.gates = Gates()
        self._beat: asyncio.Task[None] | None = None
        self._reactor: AioReactor | None = None
        self._policies = KeptPolicies(self.options, self.domain)
        self.certificates = Certificates(KeptCertificates(self.options, partial(irc_address.server, fixed=self.fixed)))
        self.identd = Identd() if settings.identd is not None else None
        self.dialer = Dialer(
            self.domain, Pseudonyms(key), self.certificates, Policies(self._policies.save), self.identd
        )
        self._description = description(self)
        self._sessions: WeakValueDictionary[str, IrcSession] = WeakValueDictionary()

    # The contract -------------------------------------------------------------------------------------------------

    def address(self, name: str) -> Address:
        return irc_address.parse(name, self.fixed)

    def person(self, room: Address, nick: str) -> Address:
        return irc_address.person(nick, irc_address.split(room, self.fixed)[1], self.fixed)

    def kin(self, room: Address) -> str | None:
        return "" if self.fixed else f"%{irc_address.split(room)[1]}"

    def can(self, address: Address) -> frozenset[type]:
        return _CAN.get(address.kind, frozenset())

    def can_for(self, user: str, address: Address) -> frozenset[type]:
        """What the user's connection offers counts, too (`abilities`)."""
        can, session = self.can(address), self._sessions.get(user)
        if session is None or address.kind not in ("room", "person"):
            return can
        link = session.links.get(irc_address.split(address, self.fixed)[1])
        return can | link.net.abilities.more if link is not None else can

    def identity(self, address: Address) -> Identity:
        match address.kind:
            case "room":
                return Identity("conference", "irc", irc_address.split(address, self.fixed)[0])
            case "person":
                return Identity("client", "pc", irc_address.split(address, self.fixed)[0])
            case "server":
                return Identity("conference", "irc", say("irc.server-name", server=irc_address.split(address, self.fixed)[1]))
        return Identity("conference", "irc", say("irc.gateway"))

    def max_text(self, address: Address) -> int:
        return MAX_TEXT

    def describe(self, user: str) -> Description:
        return self._description

    def contact(self, user: str, text: str) -> Address:
        address = irc_address.typed(text, self.fixed)
        word = address.name
        if address.kind in ("service", "server") and "." not in word and ":" not in word and word not in self.settings.networks:
            raise LegacyError("item-not-found", say("irc.which", name=word or "nick"))
        return address

    def status(self, user: str) -> Status:
        names = sorted(link.settings.name for link in self.links_of(user) if link.net.ready)
        return Status("", say("irc.status", servers=", ".join(names[:5])) if names else say("irc.status-none"))

    async def card(self, user: str, address: Address) -> Card | None:
        return await self.lookups.card(user, address)

    def glance(self, user: str, address: Address) -> Card | None:
        return self.lookups.glance(user, address)

    def presence(self, user: str, address: Address) -> Status:
        """A server one is connected to is there; so is somebody one shares a channel with. Of others IRC says nothing unasked."""
        target, server = irc_address.split(address, self.fixed)
        if address.kind in ("server", "service") and server:
            return self._standing(user, server)
        return self.watching.presence(user, target, server)

    def persistent(self, user: str, room: Address) -> bool:
        return self.set.persistent(user, room)

    def concerns(self, user: str, said: Said) -> tuple[int, int] | None:
        wanted = self.set.mentions(user, said.where)
        link = self.link_to(user, irc_address.split(said.where, self.fixed)[1]) if wanted != "off" else None
        if link is None or link.net.is_me(said.nick):
            return None
        span = mentions.found(link.net.nick, said.text, link.net.isupport.fold)
        return span or ((0, 0) if wanted == "all" else None)

    def records(self, user: str, place: Address) -> bool:
        return self.set.records(user, place)

    def backlog(self, user: str, room: Address) -> int:
        return self.set.backlog(user, room)

    def _standing(self, user: str, server: str) -> Status:
        """How a server is there for a user."""
        session = self._sessions.get(user)
        bouncer = session.bouncer if session is not None else None
        status = bouncer.status(server) if bouncer is not None else None
        link = session.links.get(server) if session is not None else None
        if status is not None:
            return status
        if link is None or not link.net.ready:
            return Status("unavailable")
        return Status("", say("irc.status-here", nick=link.net.nick))

    def full(self, session: IrcSession, server: str) -> LegacyError | None:
        """Why a user may have no connection more to a network, if so."""
        wanted = {*session.links, *(session.bouncer.returns if session.bouncer is not None else ())} - {server}
        if len(wanted) >= self.settings.limits.networks:
            return LegacyError("resource-constraint", say("irc.too-many-networks", count=len(wanted)))
        most = self.set.network(server).connections
        if most and sum(link.settings.name == server for link in self.links) >= most:
            return LegacyError("resource-constraint", say("irc.network-full", server=server), retry_after=600)
        return None

    def sessions(self) -> dict[str, IrcSession]:
        return dict(self._sessions)

    def users(self) -> set[str]:
        """Whoever is known here: registered, with something set, or with a session."""
        return {*self.accounts.users(), *self.options.users(), *self._sessions} - {self.domain}

    def session_of(self, user: str) -> IrcSession | None:
        return self._sessions.get(user)

    def links_of(self, user: str) -> list[Link]:
        """A user's connections."""
        session = self._sessions.get(user)
        return list(session.links.values()) if session is not None else []

    def open(self, user: str, outlet: Outlet) -> IrcSession:
        session = self._sessions[user] = IrcSession(self, user, outlet)
        return session

    async def start(self) -> None:
        self.dialer.policies.load(self._policies.load())
        if self.identd is not None and self.settings.identd is not None:
            await self.identd.start(self.settings.identd)
        self._beat = asyncio.create_task(self._tick())

    def connections(self) -> Counter[str]:
        return Counter(link.settings.name for link in self.links if link.net.nick)

    async def stop(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        for link in list(self.links):
            link.close(say("irc.stopping"))
        if self.identd is not None:
            await self.identd.stop()
        await self._policies.stop()
        await self.pasting.end()
        await asyncio.sleep(0)

    # Links --------------------------------------------------------------------------------------------------------

    def link(self, session: IrcSession, server: str) -> Link:
        user = session.user
        settings = self.set.settings(user, server)
        if self._reactor is None:
            self._reactor = AioReactor(loop=asyncio.get_running_loop())
        gate = self.gates.connecting(settings)
        link = Link(
            settings,
            gate.slot,
            self.dialer.way(user, gate.slot),
            (self.dialer.pseudonyms.ident(user), str(self.accounts.preference(session.user, "realname"))),
            session.outlet.tell,
            session,
            self._reactor,
            self.fixed,
            self.gates.joining(settings).reserve,
        )
        self.links[link] = None
        self.ignore(link, user)
        link.net.manners = self.manners(user)
        link.net.pastes = LongTexts(self, link.net, user)
        link.net.charsets = self.charsets_of(user, link)
        return link

    def manners(self, user: str) -> Manners:
        """How a user wants texts to be formatted."""
        marks, codes = self.accounts.preference(user, FORMATTING), self.accounts.preference(user, FORMATTING_OUT)
        return Manners(marks != PLAIN, codes is True)

    def preferred(self, user: str) -> None:
        for link in self.links_of(user):
            link.net.manners = self.manners(user)

    def ignore(self, link: Link, user: str) -> None:
        """Whom the user ignores there now."""
        masks = self.set.ignored(user, irc_address.server(link.settings.name, self.fixed))
        link.net.ignored = Ignored(masks, link.net.isupport) if masks else None

    async def _tick(self) -> None:
        """The one timer of all links."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            fresh = _minutes(time.time())
            for link in list(self.links):
                link.net.fresh = fresh
                try:
                    link.tick(now)
                except Exception:
                    log.exception("a link to %s failed at its timer", link.settings.name)
            self.watching.tick()
            self.shelf.sweep(time.monotonic())
            for bouncer in list(self.bouncers):
                try:
                    bouncer.tick(now)
                except Exception:
                    log.exception("a network to come back to failed at its timer")


def _minutes(now: float) -> tuple[str, ...]:
    """This minute and its neighbours, as server-time spells them."""
    return tuple(datetime.fromtimestamp(now + shift, UTC).strftime("%Y-%m-%dT%H:%M") for shift in (0, -50, 50))


def build(settings: Irc, services: Services) -> IrcBridge:
    """The bridge for [irc]."""
    return IrcBridge(settings, services.key, services.accounts, services.options, services.hearing, services.files)
