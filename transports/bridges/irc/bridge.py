"""The IRC bridge: whose connection goes where, how many there may be, and how fast they are opened.

Holds the users' sessions and the links of each; the protocol itself is in `session` and `inbound`, sockets in `wire`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, cast
from weakref import WeakValueDictionary

from irc.client_aio import AioReactor

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.people import People
from transports.bridges.irc.settings import Set
from transports.bridges.irc.wire import Link
from transports.config import Irc, NetworkSettings
from transports.describe import Description, Status
from transports.errors import LegacyError
from transports.events import (
    Address,
    Command,
    Correct,
    Failed,
    Join,
    Leave,
    React,
    Read,
    Refused,
    Rename,
    Retract,
    Say,
    SetAway,
    SetSubject,
    Type,
)
from transports.options import Options as Unkept
from transports.ports import Accounts, Identity, LiveBridge, Options, Outlet, Services
from transports.resolve import Resolver
from transports.words import say

log = logging.getLogger(__name__)

#: A body longer than this is no chat but a file; it would take minutes to send at any flood limit, and its reflection must
#: fit into one stanza, whatever its characters are.
MAX_TEXT: Final = 8_000
#: Gates that are kept before those that hold nobody up are forgotten.
GATES: Final = 1_000

_CAN: Final[dict[str, frozenset[type]]] = {
    "room": frozenset({Join, Leave, Rename, Say, SetSubject}),
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


class IrcSession:
    """One user's connections, by the server's name."""

    __slots__ = ("__weakref__", "bridge", "held", "links", "outlet", "user")

    def __init__(self, bridge: IrcBridge, user: str, outlet: Outlet) -> None:
        self.bridge = bridge
        self.user = user
        self.outlet = outlet
        self.links: dict[str, Link] = {}
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
        elif link is not None:
            link.net.do(command, link.loop.time())
        elif not isinstance(command, Leave | Type | Read):
            words = say("irc.unconnected", server=server)
            of = cast(Say | Rename | SetSubject, command)
            self.outlet.tell(Failed(of, LegacyError("recipient-unavailable", words, type="cancel")))

    def _join(self, command: Join, server: str, link: Link | None) -> None:
        limits = self.bridge.settings.limits
        if link is None and len(self.links) >= limits.networks:
            words = say("irc.too-many-networks", count=len(self.links))
            self.outlet.tell(Refused(command.room, LegacyError("resource-constraint", words)))
        elif link is not None and not link.net.takes(command.room, limits.channels):
            words = say("irc.too-many-channels", count=limits.channels, server=server)
            self.outlet.tell(Refused(command.room, LegacyError("resource-constraint", words)))
        else:
            if link is None:
                link = self.links[server] = self.bridge.link(self, server)
                link.held = self.held
            link.join(command)

    def ended(self, link: Link) -> None:
        self.links.pop(link.settings.name, None)
        self.bridge.links.pop(link, None)

    @property
    def idle(self) -> bool:
        return not self.links

    def pause(self) -> None:
        self.held = True
        for link in self.links.values():
            link.pause()

    def resume(self) -> None:
        self.held = False
        for link in self.links.values():
            link.resume()

    def close(self, reason: str) -> None:
        for link in list(self.links.values()):
            link.close(reason)


class IrcBridge(LiveBridge):
    """IRC on one domain. `key` makes the user names that IRC servers see (T24): stable, and they tell nothing."""

    name = "irc"
    kind = "irc"
    durable = False

    def __init__(self, settings: Irc, key: bytes, accounts: Accounts, options: Options | None = None) -> None:
        self.settings = settings
        self.options: Options = options if options is not None else Unkept()
        self.set = Set(settings, self.options)
        self.domain = settings.domain
        self.fixed = settings.server or ""
        self.links: dict[Link, None] = {}
        self._key = key
        self._accounts = accounts
        self._gates: dict[str, Gate] = {}
        self._sweep_at = GATES
        self._beat: asyncio.Task[None] | None = None
        self._reactor: AioReactor | None = None
        self._resolver = Resolver()
        self._tls = lru_cache(64)(_tls_context)
        self._people = People(self)
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
        return self._people.description

    def contact(self, user: str, text: str) -> Address:
        address = irc_address.typed(text, self.fixed)
        word = address.name
        if address.kind in ("service", "server") and "." not in word and ":" not in word and word not in self.settings.networks:
            raise LegacyError("item-not-found", say("irc.which", name=word or "nick"))
        return address

    def status(self, user: str) -> Status:
        names = sorted(link.settings.name for link in self.links_of(user) if link.net.ready)
        return Status("", say("irc.status", servers=", ".join(names[:5])) if names else say("irc.status-none"))

    def presence(self, user: str, address: Address) -> Status:
        """A server one is connected to is there; so is somebody one shares a channel with. Of others IRC says nothing unasked."""
        target, server = irc_address.split(address, self.fixed)
        links = [link for link in self.links_of(user) if link.settings.name == server and link.net.ready]
        there = bool(links) and (not target or links[0].sees(target))
        return Status("" if there else "unavailable")

    def persistent(self, user: str, room: Address) -> bool:
        return self.set.persistent(user, room)

    def records(self, user: str, place: Address) -> bool:
        return self.set.records(user, place)

    def backlog(self, user: str, room: Address) -> int:
        return self.set.backlog(user, room)

    def links_of(self, user: str) -> list[Link]:
        """A user's connections."""
        session = self._sessions.get(user)
        return list(session.links.values()) if session is not None else []

    def open(self, user: str, outlet: Outlet) -> IrcSession:
        session = self._sessions[user] = IrcSession(self, user, outlet)
        return session

    async def start(self) -> None:
        self._beat = asyncio.create_task(self._tick())

    def connections(self) -> Counter[str]:
        return Counter(link.settings.name for link in self.links if link.net.nick)

    async def stop(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        for link in list(self.links):
            link.close(say("irc.stopping"))
        await asyncio.sleep(0)

    # Links --------------------------------------------------------------------------------------------------------

    def link(self, session: IrcSession, server: str) -> Link:
        settings = self.settings.network(server)
        if self._reactor is None:
            self._reactor = AioReactor(loop=asyncio.get_running_loop())
        name = hmac.digest(self._key, session.user.encode(), hashlib.sha256).hex()[:9]
        gate = self._gate(settings)
        link = Link(
            settings,
            self._context,
            gate.slot,
            partial(self._resolver.addresses, session.user),
            (f"x{name}", str(self._accounts.preference(session.user, "realname"))),
            session.outlet.tell,
            session.ended,
            self._reactor,
            self.fixed,
        )
        self.links[link] = None
        return link

    def _context(self, settings: NetworkSettings) -> ssl.SSLContext:
        return self._tls(str(settings.ca or ""), bool(settings.pin))

    def _gate(self, settings: NetworkSettings) -> Gate:
        gate = self._gates.get(settings.name)
        if gate is None:
            if len(self._gates) >= self._sweep_at:
                self._gates = {name: gate for name, gate in self._gates.items() if not gate.full}
                self._sweep_at = max(GATES, 2 * len(self._gates))
            rate = settings.connect_rate
            gate = Gate(rate.burst, rate.per_second, asyncio.get_running_loop().time)
            self._gates[settings.name] = gate
        return gate

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


def _minutes(now: float) -> tuple[str, ...]:
    """This minute and its neighbours, as server-time spells them."""
    return tuple(datetime.fromtimestamp(now + shift, UTC).strftime("%Y-%m-%dT%H:%M") for shift in (0, -50, 50))


def _tls_context(ca: str, pinned: bool) -> ssl.SSLContext:
    """TLS 1.2 and later, verified; with a pin the certificate itself is compared instead of its issuer."""
    context = ssl.create_default_context(cafile=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pinned:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def build(settings: Irc, services: Services) -> IrcBridge:
    """The bridge for [irc]."""
    return IrcBridge(settings, services.key, services.accounts, services.options)
