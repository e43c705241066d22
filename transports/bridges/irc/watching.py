"""The contacts of all users, as IRC is to watch them: whom `watch` is to know of, compared now and then with who hears whom.

What users hear changes by subscriptions, removals, blocks and restarts; here it is only looked at, and thus never missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import watch
from transports.describe import Show, Status
from transports.ports import Hearing

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge
    from transports.bridges.irc.connections import IrcSession

#: Seconds, or ticks of the bridge, between two looks.
EVERY: Final = 3


class Watching:
    def __init__(self, bridge: IrcBridge, hearing: Hearing | None) -> None:
        self._bridge = bridge
        self._hearing = hearing
        self._ticks = 0

    def tick(self) -> None:
        """Once a second."""
        self._ticks += 1
        if self._hearing is None or self._ticks % EVERY:
            return
        for user, session in self._bridge.sessions().items():
            self.look(user, session)

    def look(self, user: str, session: IrcSession) -> None:
        """Whom a user hears now is watched, on the networks that the user is on."""
        heard = self._hearing.heard(user) if self._hearing is not None else ()
        nicks: dict[str, list[str]] = {}
        for address in heard:
            if address.kind == "person":
                nick, server = irc_address.split(address, self._bridge.fixed)
                nicks.setdefault(server, []).append(nick)
        for name, link in session.links.items():
            if link.net.ready and (name in nicks or link.net.watch is not None):
                watch.sync(link.net, nicks.get(name, ()))

    def presence(self, user: str, nick: str, server: str) -> Status:
        """How somebody is there: as the server tells of those who are watched, else by the channels that are shared."""
        links = [link for link in self._bridge.links_of(user) if link.settings.name == server and link.net.ready]
        if not links:
            return Status("unavailable")
        known = watch.known(links[0].net, nick)
        if known is not None:
            return Status(cast(Show, known[0]), known[1])
        return Status("" if links[0].sees(nick) else "unavailable")
