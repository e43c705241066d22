"""One user's connection to one IRC network, without the connection: lines in, facts and lines out.

Everything that changes what we know of a network lives here and in `inbound`; sockets, clocks and timers live in `wire`.
Commands are carried out by `orders`; what the server has taken of them is `confirming`'s business.
RFC 2812, and https://modern.ircdocs.horse for what servers do today.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from transports.bridges.irc import absence, confirming, folk, orders, regain, watch, write
from transports.bridges.irc import address as irc_address
from transports.bridges.irc.abilities import NO_ABILITIES, Abilities, abilities
from transports.bridges.irc.activity import Activities
from transports.bridges.irc.asks import Answered, Asks, Question
from transports.bridges.irc.batches import Batches
from transports.bridges.irc.channel import Channel
from transports.bridges.irc.charsets import NO_ROOMS, Rooms
from transports.bridges.irc.echoes import Echoes, Spoken
from transports.bridges.irc.formatting import USUAL
from transports.bridges.irc.isupport import ISupport
from transports.bridges.irc.negotiation import Negotiation
from transports.bridges.irc.seams import Line, Pastes
from transports.errors import LegacyError
from transports.events import (
    NO_RANK,
    Address,
    Cause,
    Command,
    Down,
    Echoed,
    Fact,
    Failed,
    Interrupted,
    Join,
    Left,
    Person,
    Refused,
    Rename,
    Said,
    SetSubject,
    Up,
)
from transports.words import say

_NO_CAPS: Final[frozenset[str]] = frozenset()
#: No prefix (`nick!user@host`) is longer, in bytes; messages that fit whatever ours is need no closer look.
LONGEST_PREFIX: Final = 200
#: Members over all channels of one connection, past which it ends.
CROWD_LIMIT: Final = 200_000


class Network:
    """What one user knows of one IRC network.

    server   its name as users write it, e.g. `irc.libera.chat`
    tell     takes the facts
    epoch    seconds since the epoch when the clock that is handed in was 0
    mute     seconds until a CTCP request may be answered again; dcc: somebody has been told that there is no DCC
    loud     seconds for which answers are shown that nobody else asks for than who sends a raw line
    ignored  whether nothing of a sender (`nick!user@host`) is shown; None where nobody is ignored
    inquired when the user's last questions to programs were asked
    manners  what the user wants of formatting; charsets: of channels that have their own
    fresh    the minutes ("2026-11-21T00:29") of server-time that are now, so that live lines are known at a glance
    line     takes the lines
    caps     the IRCv3 capabilities that are on; `negotiation` has their values and goes on while we are connected
    abilities   what follows from them for messages
    activities  who is typing; batches: those that are open; echoes: what we sent and is to come back; felt: reactions, by
                place, message and nick; each None while there is nothing of it
    answers  what a service has said so far, to be told in one (`notices`); None for nothing
    asks     open questions; None while there are none
    pastes   what becomes of long texts; None: they are sent
    gaps     channels whose past is being asked for, and how many answers more may be; None for none
    regain   the nick that we want back (`regain`); '' while we have the one we want
    stay     the connection is wanted without a channel, too
    people   what is known of those in our channels, by nick (`folk`)
    listing  what LIST tells, while somebody has asked for it (`listing`)
    absence  what was said of our own absence, and what is to be
    watch    the contacts on this network; None while there are none
    unasked  when the next channel may be asked about, and which are still to be; None for none
    """

    __slots__ = (
        "_caps",
        "abilities",
        "absence",
        "activities",
        "answers",
        "asks",
        "awaiting",
        "away",
        "batches",
        "by_name",
        "channels",
        "charsets",
        "covered",
        "dcc",
        "echoes",
        "epoch",
        "felt",
        "fence",
        "fences",
        "fixed",
        "fresh",
        "gaps",
        "host",
        "ignored",
        "inquired",
        "isupport",
        "joins",
        "last_error",
        "line",
        "listing",
        "loud",
        "manners",
        "mute",
        "negotiation",
        "nick",
        "pastes",
        "people",
        "quit_as",
        "quits",
        "ready",
        "regain",
        "renames",
        "server",
        "spoiled",
        "stay",
        "tell",
        "unasked",
        "unsure",
        "user",
        "watch",
    )

    def __init__(self, server: str, tell: Callable[[Fact], None], line: Line, fixed: str = "") -> None:
        self.server = server
        self.tell = tell
        self.line = line
        self.fixed = fixed
        self.isupport = ISupport()
        self.nick = ""
        self.user = ""
        self.host = ""
        self.ready = False
        self.regain = ""
        self.gaps: dict[str, int] | None = None
        self.stay = False
        self.channels: dict[str, Channel] = {}
        self.by_name: dict[str, Channel] = {}
        self.joins: dict[Address, tuple[Join, float]] = {}
        self.renames: list[Rename] = []
        self.epoch = 0.0
        self.fresh: tuple[str, ...] = ()
        self.quits: list[str] = []
        self.quit_as: tuple[Cause, str] = ("quit", "")
        self.awaiting = confirming.NONE_AWAITED
        self.covered = 0
        self.spoiled: dict[str, int] = {}
        self.unsure: list[tuple[Rename | SetSubject, float]] = []
        self.mute = 0
        self.loud = 0
        self.ignored: Callable[[str], bool] | None = None
        self.answers: Said | None = None
        self.charsets: Rooms = NO_ROOMS
        self.dcc = False
        self.inquired: tuple[float, ...] = ()
        self.manners = USUAL
        self.fence = ""
        self.fences = 0
        self.away: dict[str, str] = {}
        self.last_error = ""
        self._caps: frozenset[str] = _NO_CAPS
        self.abilities: Abilities = NO_ABILITIES
        self.activities: Activities | None = None
        self.batches: Batches | None = None
        self.echoes: Echoes | None = None
        self.pastes: Pastes | None = None
        self.felt: dict[tuple[str, str, str], tuple[str, ...]] | None = None
        self.negotiation: Negotiation | None = None
        self.asks: Asks | None = None
        self.listing: list[str] | None = None
        self.people: dict[str, Person] = {}
        self.unasked: tuple[float, tuple[str, ...]] | None = None
        self.absence = absence.PRESENT
        self.watch: watch.Watch | None = None

    @property
    def caps(self) -> frozenset[str]:
        return self._caps

    @caps.setter
    def caps(self, caps: frozenset[str]) -> None:
        self._caps = caps
        self.settle_abilities()

    def settle_abilities(self) -> None:
        """Capabilities or CLIENTTAGDENY are others now."""
        self.abilities = abilities(self._caps, self.isupport.clienttagdeny)

    def do(self, command: Command, now: float) -> None:
        """Carry out a command of the user; everything it leads to comes back as facts."""
        order = orders.ORDERS.get(type(command))
        if order is not None:
            order(self, command, now)

    def ask(self, question: Question, now: float, answered: Answered) -> None:
        """Ask the server something; `answered` is called once, by an answer, an error, or a LegacyError in time. LegacyError."""
        if not self.ready:
            raise LegacyError("recipient-unavailable", say("irc.unconnected", server=self.server), type="cancel")
        if self.asks is None:
            self.asks = Asks()
        self.asks.add(question, self.isupport.fold, now, answered)
        fence = [write.ping(question.fence)] if question.fence else []
        line = question.line
        if self.abilities.labels and line[:1] != "@" and not fence and not question.plain:
            line = f"@label={self.asks.label(answered)} {line}"
        if not self.line.queue("", [line, *fence]):
            self.asks.drop(answered)
            raise LegacyError("resource-constraint", say("irc.full"), retry_after=60)

    def token(self) -> str:
        """A new one for a PING behind a question, none of a fence's."""
        self.fences += 1
        return f"q{self.fences}"

    # The connection's life ----------------------------------------------------------------------------------------

    def registered(self, nick: str) -> None:
        """001 came: the server calls us `nick`."""
        self.nick = nick

    def welcome(self, now: float) -> None:
        """The server's greeting is complete (376 or 422): ISUPPORT is known, channels can be joined."""
        if self.ready:
            return
        self.ready = True
        self.tell(Up(irc_address.server(self.server, self.fixed)))
        waiting = [command for command, _ in self.joins.values()]
        self.joins.clear()
        sound: list[tuple[Join, float]] = []
        for command in waiting:
            name, _ = irc_address.split(command.room, self.fixed)
            if self.isupport.is_channel(name):
                sound.append((command, now))
            else:
                orders.join(self, command, now)
        orders.send_joins(self, sound, paced=True)

    def refuse_all(self, error: LegacyError, kept: Collection[Address] = ()) -> None:
        """Nobody who waits to get in gets in (connection, TLS, nick or SASL failed), but for `kept`, where nothing is told."""
        for room in [room for room in self.joins if room not in kept]:
            channel = next((c for c in self.channels.values() if c.address == room), None)
            if channel is not None:
                self.remove(channel)
            self.joins.pop(room, None)
            self.tell(Refused(room, error))

    def lost(self, error: LegacyError, kept: Collection[Address] = ()) -> None:
        """The connection is gone; every room, every waiting client and every unconfirmed message hears of it.

        kept: the rooms that the user stays in, because the connection is to come back
        """
        was_up, self.ready = self.ready, False
        watch.lost(self)
        self.absence = absence.PRESENT._replace(wanted=self.absence.wanted)
        self.refuse_all(error, kept)
        self.abandon(error)
        for channel in list(self.channels.values()):
            self.remove(channel)
            if channel.address in kept:
                if channel.entered:
                    self.tell(Interrupted(channel.address, error))
            elif channel.entered:
                self.tell(Left(channel.address, [self.nick], "lost", error.text))
            else:
                self.tell(Refused(channel.address, error))
        if not kept:
            self.tell(Down(irc_address.server(self.server, self.fixed), error if was_up or self.stay else None))

    def seen(self) -> frozenset[str]:
        """The nicks of all who are in channels of ours, folded."""
        return frozenset(self.isupport.fold(nick) for channel in self.channels.values() for nick in channel.members)

    def leave_all(self, reason: str) -> None:
        """The user leaves the server: who waits to come in is told, too."""
        watch.lost(self)
        self.refuse_all(LegacyError("recipient-unavailable", reason, type="cancel"))
        for channel in list(self.channels.values()):
            self.remove(channel)
            if channel.entered:
                self.tell(Left(channel.address, [self.nick], "left", reason))

    def abandon(self, error: LegacyError) -> None:
        """The connection ends: what the server has not confirmed may not have arrived."""
        unsent = LegacyError(error.condition, say("irc.unsure", why=error.text), type="wait", certain=False)
        topics = [topic for channel in self.channels.values() for topic in channel.topics]
        lost: list[Spoken | SetSubject | Rename] = [*(said for said, _ in self.awaiting), *topics, *self.renames]
        if self.echoes is not None:
            lost += self.echoes.drain()
        self.batches = self.activities = None
        for command in lost:
            self.tell(Failed(command, unsent))
        self.awaiting.clear()
        self.renames.clear()
        if self.asks is not None:
            self.asks.fail(error)
        for channel in self.channels.values():
            channel.topics.clear()

    def takes(self, room: Address, limit: int) -> bool:
        """Whether `room` is one of at most `limit` that the user is in, or can be one more."""
        there = sum(channel.asked for channel in self.channels.values()) if self.ready else len(self.joins)
        known = room in self.joins or self.find(irc_address.split(room, self.fixed)[0]) is not None
        return known or there < limit

    @property
    def idle(self) -> bool:
        """No channel is left and none is wanted: the connection has no purpose any more."""
        wanted = self.stay or any(channel.asked for channel in self.channels.values())
        return not wanted and not self.joins and not self.awaiting and not self.echoes and not self.renames

    @property
    def crowd(self) -> int:
        """Members of all channels; who is in two counts twice, and so does of whom more is known than the nick."""
        return sum(len(channel.members) for channel in self.channels.values()) + len(self.people)

    def is_me(self, nick: str) -> bool:
        """Whether the server means us, however it spells our nick (CASEMAPPING)."""
        fold = self.isupport.fold
        return nick == self.nick or (len(nick) == len(self.nick) and fold(nick) == fold(self.nick))

    def tick(self, now: float) -> None:
        """Once a second: give up on what was never answered, and ask and say what is due."""
        confirming.tick(self, now)
        self.mute = max(0, self.mute - 1)
        self.loud = max(0, self.loud - 1)
        folk.ask(self, now)
        watch.ask(self, now)
        absence.say(self, now)
        if self.asks is not None:
            self.asks.expire(now)
            self.asks = self.asks if len(self.asks) else None
        if self.joins and self.ready:
            orders.give_up_joins(self, now)

    # The table of channels ----------------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """Our own source as others see it; the longest it can be until the server has shown it."""
        if self.host:
            return f"{self.nick}!{self.user}@{self.host}"
        return f"{self.nick}!{'u' * 11}@{'h' * 63}"

    def find(self, name: str) -> Channel | None:
        """The channel called `name`, in whatever case (CASEMAPPING)."""
        return self.by_name.get(name) or self.channels.get(self.isupport.fold(name))

    def enter(self, channel: Channel) -> None:
        """The member list is complete: we are in, and may speak."""
        channel.entered = True
        self.joins.pop(channel.address, None)
        channel.members.setdefault(self.nick, NO_RANK)
        channel.head = write.privmsg_head(channel.name)
        channel.room = max(0, 512 - LONGEST_PREFIX - len(f": {channel.head}\r\n".encode(errors="replace")))

    def add(self, channel: Channel) -> None:
        self.channels[self.isupport.fold(channel.name)] = channel
        self.by_name[channel.name] = channel

    def respell(self, channel: Channel, name: str) -> None:
        """The server spells the channel so."""
        if name != channel.name:
            self.by_name.pop(channel.name, None)
            channel.name = name
            self.by_name[name] = channel

    def remove(self, channel: Channel) -> None:
        self.channels.pop(self.isupport.fold(channel.name), None)
        self.by_name.pop(channel.name, None)
        self.joins.pop(channel.address, None)
        if self.people:
            folk.left(self, channel)

    def refuse(self, channel: Channel, error: LegacyError) -> None:
        """The server does not let us in."""
        self.remove(channel)
        self.tell(Refused(channel.address, error))

    def renamed(self, new: str) -> None:
        """The server calls us `new` now: the answer to what was asked, if it is that name or as much of it as fits."""
        self.nick = new
        fold = self.isupport.fold
        if self.regain and fold(self.regain) == fold(new):
            regain.done(self)
        for rename in self.renames:
            if fold(rename.nick).startswith(fold(new)):
                self.renames.remove(rename)
                self.tell(Echoed((rename,)))
                return

    def fail(self, command: Spoken | SetSubject, error: LegacyError) -> None:
        """A command that is not sent after all."""
        if not isinstance(command, SetSubject):
            if self.echoes is not None:
                self.echoes.forget(command)
        else:
            channel = self.find(irc_address.split(command.room, self.fixed)[0])
            if channel is not None and command in channel.topics:
                channel.topics.remove(command)
        self.tell(Failed(command, error))
