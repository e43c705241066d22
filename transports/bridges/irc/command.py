"""What the commands of IRC have in common: whose connections they are about, and which network is meant.

A command acts for the user who gave it (`Call.user`, stamped by the server) and for nobody else, whatever its form says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final, cast

from transports.bridges.irc import address as irc_address
from transports.describe import AdHoc, Call, Field, Form
from transports.errors import LegacyError
from transports.events import Address, Kind
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge
    from transports.bridges.irc.connections import IrcSession
    from transports.bridges.irc.wire import Link

#: Where a command for a network stands: at the network itself, and at the gateway, which asks for which one.
SERVERS: Final[frozenset[Kind]] = frozenset(("service", "server"))
SERVER: Final[frozenset[Kind]] = frozenset(("server",))
ROOM: Final[frozenset[Kind]] = frozenset(("room",))


class Commands:
    """Some commands of one bridge; `all` is what the registry takes."""

    def __init__(self, bridge: IrcBridge) -> None:
        self.bridge = bridge
        self.set = bridge.set
        self.options = bridge.options
        self.fixed = bridge.fixed

    def all(self) -> Iterable[AdHoc]:
        raise NotImplementedError

    def place(self, server: str) -> Address:
        return irc_address.server(server, self.fixed)

    def room(self, channel: str, server: str) -> Address:
        return irc_address.room(channel, server, self.fixed)

    def links(self, user: str) -> dict[str, Link]:
        """A user's connections, by the network's name."""
        return {link.settings.name: link for link in self.bridge.links_of(user)}

    def session(self, call: Call) -> IrcSession:
        return cast("IrcSession", call.session())

    def known(self, user: str) -> list[str]:
        """The networks of a user: where something is set, or a connection is."""
        set_for = (irc_address.split(place, self.fixed)[1] for place in self.options.places(user))
        return sorted({name for name in set_for if name} | self.wanted(user))

    def wanted(self, user: str) -> set[str]:
        """The networks that a user is on, or is to come back to."""
        session = self.bridge.session_of(user)
        returns = session.bouncer.returns if session is not None and session.bouncer is not None else {}
        return {*self.links(user), *returns}

    def staying(self, user: str, server: str) -> tuple[str, ...]:
        """Channels of a network that are marked as such."""
        rooms = [place for place in self.options.places(user) if place.kind == "room" and self.set.persistent(user, place)]
        split = (irc_address.split(room, self.fixed) for room in rooms)
        return tuple(sorted(channel for channel, host in split if host == server))

    def here(self, call: Call) -> str:
        """The network at which a command was called; '' at the gateway."""
        return irc_address.split(call.at, self.fixed)[1] if call.at.kind != "service" else ""

    async def network(self, call: Call, title: str, names: Collection[str]) -> str:
        """The network that is meant: the one here, the only one, or the one that is chosen of `names`. LegacyError."""
        here = self.here(call)
        if not names or (here and here not in names):
            raise LegacyError("item-not-found", say("irc.not-connected", server=here) if here else say("irc.no-networks"))
        if here or len(names) == 1:
            return here or next(iter(names))
        field = Field("server", say("irc.server"), "choice", required=True, options={name: name for name in sorted(names)})
        return str((await call.ask(Form(title, [field])))["server"])

    async def link(self, call: Call, title: str) -> Link:
        """The connection that is meant, greeted by its server. LegacyError when there is none."""
        server = await self.network(call, title, {name for name, link in self.links(call.user).items() if link.net.ready})
        return self.still(call.user, server)

    def still(self, user: str, server: str) -> Link:
        """A connection that was there before the user was asked something."""
        link = self.links(user).get(server)
        if link is None or not link.net.ready:
            raise LegacyError("item-not-found", say("irc.not-connected", server=server))
        return link

    def raw_for(self, call: Call) -> bool:
        """Whether who calls may send raw lines ([irc] raw)."""
        raw = self.bridge.settings.raw
        return raw == "users" or (raw == "admins" and call.role == "admin")

    def apply(self, user: str, server: str) -> None:
        """What is set for a network, as far as a connection that is there can take it."""
        link = self.links(user).get(server)
        if link is not None:
            settings = self.set.settings(user, server)
            link.flow.burst, link.flow.rate = settings.throttle
            self.bridge.ignore(link, user)

    def server_name(self, typed: str) -> str:
        """The network that a person means; ValueError or LegacyError with words."""
        address = self.bridge.contact("", typed)
        if address.kind not in ("server", "service"):
            raise ValueError(say("irc.bad-server", host=typed))
        name = irc_address.split(address, self.fixed)[1]
        if not name:
            raise ValueError(say("irc.bad-server", host=typed))
        return name
