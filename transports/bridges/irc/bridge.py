"""The IRC bridge: whose connection goes where, how many there may be, and how fast they are opened.

Holds the users' sessions and the links of each; the protocol itself is in `session` and `inbound`, sockets in `wire`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from typing import Final, cast
from weakref import WeakValueDictionary

from irc.client_aio import AioReactor

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import mentions
from transports.bridges.irc.bouncer import Bouncer
from transports.bridges.irc.certificates import Certificates
from transports.bridges.irc.dial import Dialer
from transports.bridges.irc.directory import Directory, Shelf
from transports.bridges.irc.formatting import FORMATTING, FORMATTING_OUT, PLAIN, Manners
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
from transports.config import Irc, NetworkSettings
from transports.describe import Card, Description, Status
from transports.errors import LegacyError
from transports.events import (
    Address,
    Command,
    Correct,
    Failed,
    Invite,
    Join,
    Leave,
    Left,
    React,
    Read,
    Refused,
    Rename,
    RequestVoice,
    Retract,
    Said,
    Say,
    SetAway,
    SetSubject,
    Type,
)
from transports.options import Options as Unkept
from transports.ports import Accounts, Files, Hearing, Identity, LiveBridge, Options, Outlet, Services
from transports.tasks import Tasks
from transports.words import say

log = logging.getLogger(__name__)

#: A body longer than this is no chat but a file; it would take minutes to send at any flood limit, and its reflection must
#: fit into one stanza, whatever its characters are.
MAX_TEXT: Final = 30_000
#: Gates that are kept before those that hold nobody up are forgotten.
GATES: Final = 1_000

_CAN: Final[dict[str, frozenset[type]]] = {
    "room": frozenset({Invite, Join, Leave, Rename, RequestVoice, Say, SetSubject}),
    "person": frozenset({Say}),
}


#: Commands that go to a room, one of its members, or a person.
_SPOKEN: Final = (Say, Correct, Retract, React, Type, Read)


class Gate:
    """A token bucket that queues: nobody is refused, everybody gets a place in time. `rate` 0: no limit."""

    def __init__(self, burst: float, rate: float, clock: Callable[[], float]) -> None:
        self.burst = burst
        self.rate = rate
        self.clock = clock
        self.tokens = burst
        self.filled = clock()

    def reserve(self) -> float:
        """Take a place; seconds until it is due."""
        if self.rate == 0:
            return 0.0
        now = self.clock()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate) - 1
        self.filled = now
        return max(0.0, -self.tokens / self.rate)

    @property
    def full(self) -> bool:
        """As good as new."""
        return self.rate == 0 or self.tokens + (self.clock() - self.filled) * self.rate >= self.burst

    async def slot(self) -> None:
        wait = self.reserve()
        if wait:
            await asyncio.sleep(wait)


def default_nick(user: str) -> str:
    """What to be called who has not said: what of the account's name IRC takes."""
    local = user.partition("@")[0]
    fit = "".join(char for char in local if char.isascii() and (char.isalnum() or char in "-_"))
    return fit.lstrip("-0123456789")[:16] or "guest"


class IrcSession:
    """One user's connections, by the server's name."""

    __slots__ = ("__weakref__", "bouncer", "bridge", "held", "links", "outlet", "user")

    def __init__(self, bridge: IrcBridge, user: str, outlet: Outlet) -> None:
        self.bridge = bridge
        self.user = user
        self.outlet = outlet
        self.links: dict[str, Link] = {}
        self.bouncer: Bouncer | None = None
        self.held = False

    def do(self, command: Command) -> None:
        if type(command) is SetAway:
            for each in self.links.values():
                each.net.do(command, each.loop.time())
            return
        place = command.to if isinstance(command, _SPOKEN) else cast(Join, command).room
        server = irc_address.split(place, self.bridge.fixed)[1]
        link = self.links.get(server)
        if type(command) is Say and link is not None:
            link.net.do(command, 0.0)  # it counts from the socket write
        elif isinstance(command, Join):
            self._join(command, server, link)
        else:
            if isinstance(command, Leave) and self.bouncer is not None:
                self.bouncer.leave(command.room, server)
            if link is not None:
                link.net.do(command, link.loop.time())
            elif not isinstance(command, Leave | Type | Read):
                error = self.bouncer.refusal(server) if self.bouncer is not None else None
                words = say("irc.unconnected", server=server)
                of = cast(Say | Rename | SetSubject, command)
                self.outlet.tell(Failed(of, error or LegacyError("recipient-unavailable", words, type="cancel")))

    def attach(self, server: str) -> None:
        """Connect without a channel, and stay. LegacyError when the user may have no more networks."""
        if self.bouncer is not None and server in self.bouncer.returns and server not in self.links:
            self.bouncer.again(server)
        if server not in self.links and (error := self.bridge.full(self, server)) is not None:
            raise error
        link = self.links.get(server) or self.connect(server)
        link.connect(default_nick(self.user))

    def reattach(self, server: str) -> None:
        """A new connection, now; without a channel where there is none to come back to. LegacyError."""
        if server in self.links or (self.bouncer is not None and server in self.bouncer.returns):
            self.bounce().again(server)
        else:
            self.attach(server)

    def leave(self, server: str, reason: str) -> None:
        """The user wants to be gone from there."""
        if self.bouncer is not None:
            self.bouncer.cancel(server, reason)
        if link := self.links.get(server):
            link.leave(reason)

    def part(self, room: Address, server: str, reason: str) -> bool:
        """The user leaves a room for good, with all clients; whether the user was in it, or was to come back into it."""
        nick = self.bouncer.leave(room, server) if self.bouncer is not None else ""
        link = self.links.get(server)
        channel = link.net.find(irc_address.split(room, self.bridge.fixed)[0]) if link is not None else None
        if link is not None and channel is not None and channel.asked:
            nick, room, inside = link.net.nick, channel.address, bool(nick) or channel.entered
            link.net.do(Leave(room, reason), link.loop.time())
            if not inside:
                self.outlet.tell(Refused(room, LegacyError("recipient-unavailable", reason, type="cancel")))
                return True
        elif link is not None:
            link.net.do(Leave(room, reason), link.loop.time())  # it may wait for the greeting yet
        if nick:
            self.outlet.tell(Left(room, (nick,), "left", reason))
        return bool(nick)

    def _join(self, command: Join, server: str, link: Link | None) -> None:
        if not command.by:
            self.bounce().rejoin(command, server)
            return
        if link is None and self.bouncer is not None:
            error = self.bouncer.wake(server)
            if error is not None:
                self.outlet.tell(Refused(command.room, error))
                return
            link = self.links.get(server)
        most = link.settings.channels or self.bridge.settings.limits.channels if link is not None else 0
        if link is None and (error := self.bridge.full(self, server)) is not None:
            self.outlet.tell(Refused(command.room, error))
        elif link is not None and not link.net.takes(command.room, most):
            words = say("irc.too-many-channels", count=most, server=server)
            self.outlet.tell(Refused(command.room, LegacyError("resource-constraint", words)))
        else:
            link = link or self.connect(server)
            link.join(command)

    def connect(self, server: str) -> Link:
        """A new connection; its first join opens it."""
        link = self.links[server] = self.bridge.link(self, server)
        link.held = self.held
        return link

    def bounce(self) -> Bouncer:
        """The bouncer, made now if need be."""
        if self.bouncer is None:
            self.bouncer = Bouncer(self)
        return self.bouncer

    def lost(self, link: Link, error: LegacyError) -> Collection[Address]:
        if self.bouncer is None and not self._stays(link):
            return ()
        return self.bounce().lost(link, error)

    def _stays(self, link: Link) -> bool:
        places = [channel.address for channel in link.net.channels.values() if channel.entered]
        if link.net.stay:
            places.append(irc_address.server(link.settings.name, self.bridge.fixed))
        return any(self.bridge.persistent(self.user, place) for place in places)

    def another_nick(self, link: Link) -> str | None:
        return self.bouncer.another_nick(link) if self.bouncer is not None else None

    def ended(self, link: Link) -> None:
        if self.bouncer is not None:
            self.bouncer.ended(link)
        self.links.pop(link.settings.name, None)
        self.bridge.links.pop(link, None)

    @property
    def idle(self) -> bool:
        return not self.links and (self.bouncer is None or not self.bouncer.returns)

    def pause(self) -> None:
        self.held = True
        for link in self.links.values():
            link.pause()

    def resume(self) -> None:
        self.held = False
        for link in self.links.values():
            link.resume()

    def close(self, reason: str) -> None:
        if self.bouncer is not None:
            self.bouncer.close()
        for link in list(self.links.values()):
            link.close(reason)


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
        self._gates: dict[str, Gate] = {}
        self._sweep_at = GATES
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
        gate = self._gate(settings)
        link = Link(
            settings,
            gate.slot,
            self.dialer.way(user, gate.slot),
            (self.dialer.pseudonyms.ident(user), str(self.accounts.preference(session.user, "realname"))),
            session.outlet.tell,
            session,
            self._reactor,
            self.fixed,
            self._pace(settings).reserve,
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

    def _gate(self, settings: NetworkSettings, of: str = "") -> Gate:
        """Connections and the joins that follow them have the same rate, and each their own gate (`of`)."""
        gate = self._gates.get(of + settings.name)
        if gate is None:
            if len(self._gates) >= self._sweep_at:
                self._gates = {name: gate for name, gate in self._gates.items() if not gate.full}
                self._sweep_at = max(GATES, 2 * len(self._gates))
            rate = settings.connect_rate
            gate = Gate(rate.burst, rate.per_second, asyncio.get_running_loop().time)
            self._gates[of + settings.name] = gate
        return gate

    def _pace(self, settings: NetworkSettings) -> Gate:
        return self._gate(settings, "JOIN ")

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
