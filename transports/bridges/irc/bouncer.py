"""Networks that were lost and are to come back: where the user stays meanwhile, when the next attempt is due, under which nick.

One `Bouncer` per session, made when it is first needed. It decides when a link is made again; how long to wait and what is
final stands in `retry`, how a nick is got back in `regain`. What people see of it: the rooms say why (Interrupted), the
server's JID is there with how it stands (`status`), and commands meanwhile are refused with the same words.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import history, regain, retry
from transports.describe import Status
from transports.errors import LegacyError
from transports.events import Address, Entered, Fact, Join, Left, Notice, Refused, SameRoom, Seen, Up
from transports.words import Text, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transports.bridges.irc.connections import IrcSession
    from transports.bridges.irc.wire import Link

#: The option of a server (a switch) that keeps services from being asked for the nick.
REGAIN: Final = "regain"


class Return:
    """One network that was lost, or that was joined again and is not whole yet.

    rooms     those that the user stays in and is not in again; refusals: how often each has refused us since
    nick      the one that the user wants; called: the one that the rooms know
    attempts  in vain since the last good connection
    others    nicks that may yet be tried in the place of one that is taken; None before the first
    link      the connection that is made or was made again; None while there is none
    timer     until the next attempt, due at a time of the loop
    stay      the user wants to be connected without a room, too
    error     why it was lost; stopped: there will be no attempt before the user says so
    up        since when it is connected again; asked: when the nick was asked for last
    """

    __slots__ = (
        "asked", "attempts", "called", "due", "error", "link", "nick", "others", "refusals", "rooms", "server", "stay",
        "stopped", "timer", "up",
    )  # fmt: skip

    def __init__(self, server: str, nick: str) -> None:
        self.server = server
        self.nick = self.called = nick
        self.rooms: dict[Address, Join] = {}
        self.refusals: dict[Address, int] = {}
        self.attempts = 0
        self.others: Iterator[str] | None = None
        self.link: Link | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.due = 0.0
        self.error: LegacyError | None = None
        self.stay = self.stopped = False
        self.up: float | None = None
        self.asked = 0.0

    def wait_no_longer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Bouncer:
    """`returns`: by the server's name."""

    __slots__ = ("returns", "session")

    def __init__(self, session: IrcSession) -> None:
        self.session = session
        self.returns: dict[str, Return] = {}

    # A link is lost -----------------------------------------------------------------------------------------------

    def lost(self, link: Link, error: LegacyError) -> Collection[Address]:
        """The rooms that the user stays in; the next attempt is on its way, if there is any use in it."""
        server, net = link.settings.name, link.net
        net.tell = self.session.outlet.tell
        back = self.returns.get(server)
        stays = self._stays(link, back)
        stay = net.stay and self.session.bridge.persistent(self.session.user, self._place(server))
        if not stays and not stay:
            self._forget(server, error)
            return ()
        now = link.loop.time()
        if back is None:
            back = self.returns[server] = Return(server, net.nick)
            self.session.bridge.bouncers[self] = None
        elif back.up is not None and now - back.up > retry.STABLE:
            back.attempts = 0
        if net.ready:
            back.nick, back.called = net.regain or net.nick, net.nick
            net.tell(Notice(self._place(server), error.text))
        for room in [room for room in back.rooms if room not in stays]:
            net.tell(Refused(room, error))
        back.rooms, back.refusals, back.stay = stays, {}, stay
        back.link = back.up = None
        self._wait(back, error, link.loop)
        return stays

    def _stays(self, link: Link, back: Return | None) -> dict[Address, Join]:
        net, user, persistent = link.net, self.session.user, self.session.bridge.persistent
        stays = {room: join for room, join in back.rooms.items() if persistent(user, room)} if back is not None else {}
        since = net.epoch + link.heard
        for channel in net.channels.values():
            if channel.entered and channel.asked and channel.address not in stays and persistent(user, channel.address):
                stays[channel.address] = Join(channel.address, net.nick, "", channel.key, since)
        return stays

    def _wait(self, back: Return, error: LegacyError, loop: asyncio.AbstractEventLoop) -> None:
        back.error = error
        back.wait_no_longer()
        if retry.final(error):
            back.stopped = True
            loop.call_soon(self._tell_stopped, back)
        else:
            seconds = retry.wait(back.attempts, error, random.random)
            back.attempts += 1
            back.due = loop.time() + seconds
            back.timer = loop.call_later(seconds, self._due, back)
        loop.call_soon(self._show, back.server)

    def _tell_stopped(self, back: Return) -> None:
        tell = self.session.outlet.tell
        words = self._words(back)
        for place in (self._place(back.server), *back.rooms):
            tell(Notice(place, words))

    def _forget(self, server: str, error: LegacyError | None = None) -> Return | None:
        back = self.returns.pop(server, None)
        if back is not None:
            back.wait_no_longer()
            if error is not None:
                for room in back.rooms:
                    self.session.outlet.tell(Refused(room, error))
        if not self.returns:
            self.session.bridge.bouncers.pop(self, None)
        return back

    # Coming back --------------------------------------------------------------------------------------------------

    def _due(self, back: Return) -> None:
        back.timer = None
        self._connect(back)

    def _connect(self, back: Return) -> None:
        """Now, as far as the network's connect_rate lets us."""
        back.wait_no_longer()
        back.stopped, back.others = False, None
        link = back.link = self.session.links.get(back.server) or self.session.connect(back.server)
        link.net.tell = partial(self._heard, back, link)
        if back.stay:
            link.connect(back.nick)
        for join in list(back.rooms.values()):
            link.join(join._replace(nick=back.nick))
        self._show(back.server)

    def rejoin(self, command: Join, server: str) -> None:
        """A room that the user was in before the gateway went (`by` is empty)."""
        back = self.returns.get(server)
        if back is None:
            back = self.returns[server] = Return(server, command.nick)
            self.session.bridge.bouncers[self] = None
        back.rooms[command.room] = command
        if back.link is None and back.timer is None and not back.stopped:
            self._connect(back)
        elif back.link is not None:
            back.link.net.tell = partial(self._heard, back, back.link)
            back.link.join(command)

    def wake(self, server: str) -> LegacyError | None:
        """Somebody joins a channel there: it is tried now, or there is a reason not to."""
        back = self.returns.get(server)
        if back is None or back.link is not None:
            return None
        if back.stopped or (back.error is not None and back.error.condition == "resource-constraint"):
            return self.refusal(server)
        self._connect(back)
        return None

    def again(self, server: str) -> None:
        """The user wants a new connection. LegacyError when there is nothing to connect to."""
        back, link = self.returns.get(server), self.session.links.get(server)
        if link is None and back is None:
            raise LegacyError("item-not-found", say("irc.not-connected", server=server))
        if link is not None:
            back = self._leave(link, back, server)
        assert back is not None
        back.attempts = 0
        self._connect(back)

    def _leave(self, link: Link, back: Return | None, server: str) -> Return:
        """Give up a connection for a new one, with all rooms."""
        net = link.net
        net.tell = self.session.outlet.tell
        nick = net.regain or net.nick or link.nick
        back = back or Return(server, nick)
        back.called, back.nick, back.link, back.up = net.nick or back.called, nick, None, None
        back.stay = net.stay
        since = net.epoch + link.heard
        for channel in net.channels.values():
            if channel.asked and channel.address not in back.rooms:
                back.rooms[channel.address] = Join(channel.address, nick, "", channel.key, since)
        back.rooms |= {room: join._replace(by="") for room, (join, _) in net.joins.items()}
        back.error = LegacyError("remote-server-timeout", say("irc.asked-again"))
        link.close(say("irc.asked-again"))
        net.lost(back.error, back.rooms)
        self.returns[server] = back
        self.session.bridge.bouncers[self] = None
        return back

    def another_nick(self, link: Link) -> str | None:
        back = self.returns.get(link.settings.name)
        if back is None:
            return None
        if back.others is None:
            back.others = retry.nicks(back.nick)
        return next(back.others, "")

    def _heard(self, back: Return, link: Link, fact: Fact) -> None:
        """What a network tells until all rooms are there again."""
        tell = self.session.outlet.tell
        if isinstance(fact, Refused) and fact.room in back.rooms:
            self._refused(back, link, fact)
            return
        if isinstance(fact, Up):
            self._up(back, link)
        tell(fact)
        if isinstance(fact, Entered):
            join = back.rooms.pop(fact.room, None)
            back.called = fact.nick
            if join is not None and join.since is not None:
                history.fill(link.net, fact.room, join.since)
        elif isinstance(fact, SameRoom):
            back.rooms.pop(fact.alias, None)
        if not back.rooms and link.net.ready:
            link.net.tell = tell

    def _up(self, back: Return, link: Link) -> None:
        net = link.net
        back.up = back.asked = link.loop.time()
        back.error = None
        if back.others is None or net.isupport.fold(net.nick) == net.isupport.fold(back.nick):
            back.nick = net.nick
        else:
            place = self._place(back.server)
            wanted = self.session.bridge.options.of(self.session.user, place).get(REGAIN, True)
            regain.begin(net, back.nick, bool(wanted and link.account and link.encrypted))

    def _refused(self, back: Return, link: Link, fact: Refused) -> None:
        """A channel does not let us in again: another time, or never."""
        tell = self.session.outlet.tell
        attempts = back.refusals.get(fact.room, 0)
        seconds = retry.rejoin(fact.error, attempts)
        if seconds is None:
            back.rooms.pop(fact.room)
            place = self._place(back.server)
            channel = irc_address.split(fact.room, self.session.bridge.fixed)[0]
            tell(Refused(fact.room, fact.error))
            tell(Notice(place, say("irc.not-back", channel=channel, why=fact.error.text)))
        else:
            if not attempts:
                tell(Notice(fact.room, say("irc.not-yet", why=fact.error.text, seconds=round(seconds))))
            back.refusals[fact.room] = attempts + 1
            link.loop.call_later(seconds, self._rejoin, back, link, fact.room)

    def _rejoin(self, back: Return, link: Link, room: Address) -> None:
        join = back.rooms.get(room)
        if join is not None and back.link is link and not link.over:
            link.net.tell = partial(self._heard, back, link)
            link.join(join._replace(nick=link.net.nick))

    def tick(self, now: float) -> None:
        """Once a second."""
        for server, back in list(self.returns.items()):
            link = back.link
            if link is None or back.up is None:
                continue
            if link.net.regain:
                if not regain.monitors(link.net) and now - back.asked > regain.EVERY:
                    back.asked = now
                    regain.ask(link.net, now)
            elif not back.rooms and now - back.up > retry.STABLE:
                self._forget(server)

    # What the user does meanwhile -----------------------------------------------------------------------------------

    def leave(self, room: Address, server: str) -> str:
        """The user wants to be in a room no longer; the nick that the room knows, '' where nothing was to be come back to."""
        back = self.returns.get(server)
        if back is None or back.rooms.pop(room, None) is None:
            return ""
        if not back.rooms and not back.stay and back.link is None:
            self._forget(server)
            self._show(server)
        return back.called

    def cancel(self, server: str, reason: str) -> bool:
        """The user leaves the network; whether there was anything to come back to."""
        back = self._forget(server)
        if back is None:
            return False
        if back.link is not None:
            back.link.net.tell = self.session.outlet.tell
        for room in back.rooms:
            self.session.outlet.tell(Left(room, (back.called,), "left", reason))
        self._show(server)
        return True

    def ended(self, link: Link) -> None:
        """A link is over. When it was not lost, nothing is to come back."""
        back = self.returns.get(link.settings.name)
        if back is not None and back.link is link:
            self._forget(link.settings.name)

    def close(self) -> None:
        for server in list(self.returns):
            self._forget(server)

    # How it stands ------------------------------------------------------------------------------------------------

    def refusal(self, server: str) -> LegacyError | None:
        """Why nothing can be sent there now; None where nothing is to come back."""
        back = self.returns.get(server)
        if back is None or back.link is not None:
            return None
        seconds = self._seconds(back)
        if back.stopped:
            return LegacyError("recipient-unavailable", self._words(back), type="cancel")
        return LegacyError("recipient-unavailable", self._words(back), type="wait", retry_after=seconds)

    def status(self, server: str) -> Status | None:
        """How the server's address is there; None where the link says it."""
        back = self.returns.get(server)
        if back is None or (back.link is not None and back.link.net.ready):
            return None
        if back.stopped:
            return Status("xa", say("irc.status-stopped", why=self._why(back)))
        if back.link is not None:
            return Status("away", say("irc.status-connecting"))
        return Status("away", say("irc.status-waiting", seconds=self._seconds(back), why=self._why(back)))

    def _words(self, back: Return) -> Text:
        if back.stopped:
            return say("irc.stopped", why=self._why(back))
        return say("irc.waiting", why=self._why(back), seconds=self._seconds(back))

    def _why(self, back: Return) -> str:
        return back.error.text if back.error is not None else ""

    def _seconds(self, back: Return) -> int:
        return max(1, round(back.due - asyncio.get_running_loop().time()))

    def _place(self, server: str) -> Address:
        return irc_address.server(server, self.session.bridge.fixed)

    def _show(self, server: str) -> None:
        """The server's address is there in another way, and the gateway with it."""
        bridge, user, tell = self.session.bridge, self.session.user, self.session.outlet.tell
        place = self._place(server)
        tell(Seen(place, *bridge.presence(user, place)))
        gateway = bridge.address("")
        if place != gateway:
            tell(Seen(gateway, *bridge.status(user)))
