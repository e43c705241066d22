"""A `Network` without a connection: strings go in, facts and lines are collected. What the scenes of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from transports.bridges.irc import confirming, inbound
from transports.bridges.irc.flow import Outgoing
from transports.bridges.irc.session import Network
from transports.events import Address, Echoed, Fact, Join, Leave, Rename, Say, SetSubject

F = TypeVar("F")

ME = "ada"
BY = "ada@example.org/desk"
ROOM = Address("room", "#c%irc.test")


class Scene:
    """The network `irc.test`, greeted as `ada`; `held` keeps what is queued from being written.

    facts   what was told and not taken yet
    lines   what went to the server and was not taken yet
    """

    def __init__(self, *isupport: str, ready: bool = True, held: bool = False, fixed: str = "") -> None:
        self.facts: list[Fact] = []
        self.lines: list[str] = []
        self.queued: list[tuple[str, Outgoing]] = []
        self.full = False
        self.held = held
        self.now = 1_000.0
        self.net = Network("irc.test", self.facts.append, self, fixed)
        self.net.epoch = 1_800_000_000.0
        if ready:
            self.net.registered(ME)
            self.feed(f":irc.test 005 {ME} {' '.join(isupport)} :are supported", f":irc.test 376 {ME} :End of MOTD")
            self.facts.clear()

    # seams.Line

    def write(self, line: str) -> None:
        self.lines.append(line)

    def queue(self, key: str, lines: list[str], of: Say | SetSubject | None = None) -> bool:
        if not self.full:
            self.queued += [(key, Outgoing(line)) for line in lines[:-1]]
            self.queued += [(key, Outgoing(line, of)) for line in lines[-1:]]
            if not self.held:
                self.release()
        return not self.full

    def defer(self, send: Callable[[], None]) -> float:
        send()
        return 0.0

    @property
    def free(self) -> bool:
        return not self.queued

    def unqueue(self, key: str) -> list[Say | SetSubject]:
        gone = [line for target, line in self.queued if target == key]
        self.queued = [(target, line) for target, line in self.queued if target != key]
        return [line.of for line in gone if line.of is not None]

    # what a scene says

    def release(self) -> None:
        """Write what is queued."""
        for _, (line, command) in self.queued:
            self.lines.append(line)
            if command is not None:
                confirming.written(self.net, command, self.now)
        self.queued.clear()

    def feed(self, *lines: str) -> None:
        for line in lines:
            inbound.feed(self.net, line, self.now)
        inbound.settle(self.net)

    def do(self, *commands: Join | Leave | Rename | Say | SetSubject) -> None:
        for command in commands:
            self.net.do(command, self.now)

    def enter(self, room: Address = ROOM, *others: str, nick: str = ME) -> None:
        """Join a room whose other members are `others`, with their marks; nothing of it is left to take."""
        name = room.name.partition("%")[0]
        self.do(Join(room, nick, BY))
        self.feed(
            f":{self.net.nick}!~u@host JOIN {name}",
            f":irc.test 353 {ME} = {name} :{' '.join([self.net.nick, *others])}",
            f":irc.test 366 {ME} {name} :End of NAMES",
        )
        self.facts.clear()
        self.lines.clear()

    def echoed(self) -> list[str]:
        """The ids of the commands that are confirmed; of what was told, only that is taken."""
        found = [fact for fact in self.facts if isinstance(fact, Echoed)]
        self.facts[:] = [fact for fact in self.facts if not isinstance(fact, Echoed)]
        return [command.id for fact in found for command in fact.of]

    def pong(self) -> None:
        """The server answers the fence."""
        fence = confirming.fence_line(self.net)
        assert fence is not None
        self.feed(f":irc.test PONG irc.test {fence.partition(' ')[2]}")

    # what a scene looks at

    def told(self) -> list[Fact]:
        """The facts so far; they are taken."""
        facts = list(self.facts)
        self.facts.clear()
        return facts

    def only(self, kind: type[F]) -> F:
        """The one fact there is, which is of this kind; it is taken."""
        (fact,) = self.told()
        assert isinstance(fact, kind), fact
        return fact

    def sent(self) -> list[str]:
        lines = list(self.lines)
        self.lines.clear()
        return lines


def say(text: str = "hello", to: Address = ROOM, nick: str = "", id: str = "1") -> Say:
    return Say(to, nick, text, BY, id)
