"""One user's connections to IRC networks: which command goes to which, when one is opened, and what stays of one that is lost.

A connection itself is a `wire.Link`; what is to come back is the `bouncer`'s business.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, cast

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.bouncer import Bouncer
from transports.bridges.irc.wire import Link
from transports.errors import LegacyError
from transports.events import (
    Address,
    Command,
    Correct,
    Failed,
    Join,
    Leave,
    Left,
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
from transports.ports import Outlet
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge

#: Commands that go to a room, one of its members, or a person.
_SPOKEN: Final = (Say, Correct, Retract, React, Type, Read)


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
            if (error := self._beyond(command.room, server, link)) is not None:
                self.outlet.tell(Refused(command.room, error))
            else:
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

    def _beyond(self, room: Address, server: str, link: Link | None) -> LegacyError | None:
        """Why a room is too much that no client has asked for, if so: the limits may be others than when it was entered."""
        back = self.bouncer.returns.get(server) if self.bouncer is not None else None
        if link is None and back is None and (error := self.bridge.full(self, server)) is not None:
            return error
        most = self.bridge.set.network(server).channels or self.bridge.settings.limits.channels
        waiting = back.rooms if back is not None else {}
        if room in waiting or (len(waiting) < most and (link is None or link.net.takes(room, most))):
            return None
        return LegacyError("resource-constraint", say("irc.too-many-channels", count=most, server=server))

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
