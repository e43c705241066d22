"""The socket of one IRC connection: turns bytes into lines and lines into bytes, and ends.

`irc`'s asynchronous connection is subclassed where it is unsafe or slow: its life cycle is kept, reading, writing and
registration are ours (`read`, `flow`, `registering`). What a line means is `inbound`'s business. Every task has its `Link`,
which awaits or cancels it; nothing a server sends ends the connection but the server's own end of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Protocol

from irc.client_aio import AioReactor

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import charsets, confirming, inbound, registering, speaking, write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.caps import Registration, closing_error
from transports.bridges.irc.dial import Connection, Way, pin_error
from transports.bridges.irc.echoes import Spoken
from transports.bridges.irc.flow import Flow
from transports.bridges.irc.orders import nick_line
from transports.bridges.irc.read import Buffer, Line, decode
from transports.bridges.irc.seams import NOWHERE
from transports.bridges.irc.session import CROWD_LIMIT, Network
from transports.config import NetworkSettings
from transports.errors import LegacyError
from transports.events import Address, Down, Fact, Join, SetSubject
from transports.words import say

log = logging.getLogger(__name__)

#: Seconds of silence after which we ask whether the server is there, and after which it is not.
QUIET, DEAD = 90.0, 150.0
#: Seconds between the fences while lines wait for the flood control.
FENCE_EVERY: Final = 10.0
#: Bytes that may wait in the socket's buffer for a server that does not read.
UNSENT_LIMIT: Final = 1_000_000
#: Lines that may wait for the end of the loop's turn while a server still talks.
ANSWERS_HELD: Final = 500
#: Seconds that what one server says may take of one turn of the loop; what is left of it waits for a quarter of that.
SHARE: Final = 0.02
#: Bytes from the server after which the members are counted again.
WEIGH_EVERY: Final = 256 * 1024
#: Seconds for which it holds who is in our channels, for questions about a contact's presence.
LOOK_AGAIN: Final = 10.0


class Keeper(Protocol):
    """Whose link it is, and what is to become of it when it is lost."""

    def ended(self, link: Link) -> None:
        """The link is over and may be forgotten; called once."""
        ...

    def lost(self, link: Link, error: LegacyError) -> Collection[Address]:
        """It is about to end, not by the user's wish: the rooms that the user stays in."""
        ...

    def another_nick(self, link: Link) -> str | None:
        """The nick is taken: another one to try, '' to give up for now; None where the user has to choose."""
        ...


class Link:
    """One user's connection to one network, from the first join to the last leave.

    Until the socket is open there is neither `registration` nor `net.nick`; then `registration` takes the lines, up to 001;
    from then on `net.nick` is set and `inbound` takes them; when it is `over`, nobody does.

    keeper  whose it is
    pace    a place among all who join channels of the network; seconds until it is due
    choked  the server does not read what we write
    held    XMPP does not keep up
    resting  it has said much in this turn of the loop (`busy`: seconds); reading goes on only when none of these is so
    """

    __slots__ = (
        "__weakref__",
        "account",
        "buffer",
        "busy",
        "choked",
        "connection",
        "crowd",
        "fenced",
        "flow",
        "heard",
        "held",
        "keeper",
        "loop",
        "net",
        "nick",
        "out",
        "over",
        "pace",
        "pinged",
        "registration",
        "resting",
        "settings",
        "since",
        "slot",
        "solving",
        "task",
        "timer",
        "unweighed",
        "user",
        "waking",
        "way",
    )

    def __init__(
        self,
        settings: NetworkSettings,
        slot: Callable[[], Awaitable[None]],
        way: Way,
        user: tuple[str, str],
        tell: Callable[[Fact], None],
        keeper: Keeper,
        reactor: AioReactor,
        fixed: str = "",
        pace: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """slot: awaited before connecting. way: how to get there. user: user name and real name as IRC sees them."""
        self.settings = settings
        self.slot = slot
        self.way = way
        self.user = user
        self.keeper = keeper
        self.pace = pace
        self.loop = reactor.loop
        self.net = Network(settings.name, tell, self, fixed)
        self.net.epoch = time.time() - self.loop.time()
        self.connection = Connection(reactor, self)
        self.buffer = Buffer()
        self.flow = Flow(settings.throttle.burst, settings.throttle.per_second, settings.lines)
        self.registration: Registration | None = None
        self.task: asyncio.Task[None] | None = None
        self.solving: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.out: list[str] = []
        self.waking = False
        self.choked = self.held = self.resting = False
        self.busy = 0.0
        self.over = False
        self.nick = ""
        self.account = ""
        self.since = self.heard = self.fenced = self.loop.time()
        self.pinged = False
        self.unweighed = 0
        self.crowd: tuple[float, frozenset[str]] | None = None

    # Commands -----------------------------------------------------------------------------------------------------

    def join(self, command: Join) -> None:
        """A join; the first one connects, one after a refused nick tries the new one."""
        self.net.do(command, self.loop.time())
        if self.over:
            return
        if self.task is None:
            self.nick = self.settings.nick or command.nick
            self.task = self.loop.create_task(registering.connect(self))
        elif self.registration is not None and self.registration.nick_refused is not None:
            try:
                nick_line(command.nick)
            except LegacyError as error:
                self.net.refuse_all(error)
                return
            self.since = self.loop.time()
            self.write_all(self.registration.retry(command.nick))

    def connect(self, nick: str) -> None:
        """Connect without a channel, and stay."""
        self.net.stay = True
        if self.task is None and not self.over:
            self.nick = self.settings.nick or nick
            self.task = self.loop.create_task(registering.connect(self))

    async def ask(self, question: Question) -> Sequence[Line]:
        """The server's answer to a question; LegacyError when it says no, or nothing in time."""
        future: asyncio.Future[Sequence[Line] | LegacyError] = self.loop.create_future()

        def answered(answer: Sequence[Line] | LegacyError) -> None:
            if not future.done():
                future.set_result(answer)

        self.net.ask(question, self.loop.time(), answered)
        try:
            answer = await future
        finally:
            if self.net.asks is not None:
                self.net.asks.drop(answered)
        if isinstance(answer, LegacyError):
            raise answer
        return answer

    # Connecting ---------------------------------------------------------------------------------------------------

    def made(self, transport: asyncio.Transport) -> None:
        """The socket is open, encrypted if it is to be. Nothing is written or read before the certificate is checked."""
        self.since = self.heard = self.loop.time()
        error = pin_error(self.settings, transport)
        if error is not None:
            self.fail(error)
        else:
            if self.held:
                self.loop.call_soon(self._reading)  # uvloop begins to read after this, whatever was asked for
            registering.begin(self, transport)

    # Reading ------------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes from the server. A malformed line costs one line in the log."""
        net, now, began = self.net, self.loop.time(), time.perf_counter()
        self.busy = self.busy if self.heard == now else 0.0
        self.heard = now
        self.pinged = False
        for raw in self.buffer.feed(data):
            try:
                try:
                    line = raw.decode()
                except UnicodeDecodeError:
                    line = decode(raw, charsets.reading(raw, self.settings.charset, net.charsets, net.isupport))
                if self.registration is not None:
                    registering.feed(self, line)
                elif net.nick and not self.over:
                    inbound.feed(net, line, now)
            except (ValueError, IndexError) as error:
                log.debug("malformed line from %s: %s", self.settings.name, type(error).__name__)
            except Exception:
                log.exception("a line from %s could not be handled", self.settings.name)
        if net.quits or net.answers is not None:
            self._settle()
        if len(self.out) > ANSWERS_HELD:
            self._flush()  # now: a loop may read megabytes before its turn ends
        self.unweighed += len(data)
        if self.unweighed > WEIGH_EVERY:
            self._weigh()
        if net.awaiting and not net.fence:
            self.wake()
        self.busy += time.perf_counter() - began
        if self.busy > SHARE and not self.resting:
            self._rest()

    def _rest(self) -> None:
        """A server that says much at once is read on after a while: uvloop reads up to 32 times in one turn."""
        self.resting = True
        self._reading()
        self.loop.call_later(self.busy / 4, self._rested)

    def _rested(self) -> None:
        self.resting = False
        self._reading()

    def _weigh(self) -> None:
        """Members are what a server can make us hold most of; each of them costs it a few bytes."""
        self.unweighed = 0
        if self.net.crowd > CROWD_LIMIT:
            words = say("irc.crowd", server=self.settings.name, most=CROWD_LIMIT)
            self.fail(LegacyError("resource-constraint", words))

    def _settle(self) -> None:
        try:
            inbound.settle(self.net)
        except Exception:
            log.exception("those who quit %s could not be told of", self.settings.name)

    # Writing ------------------------------------------------------------------------------------------------------

    def write(self, line: str) -> None:
        if self.net.abilities.echo:
            speaking.hush(self.net, [line])
        self.out.append(line)
        if not self.waking:
            self.wake()

    def write_all(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def queue(self, key: str, lines: list[str], of: Spoken | SetSubject | None = None) -> bool:
        flow = self.flow
        if of is None and self.net.abilities.echo:
            speaking.hush(self.net, lines)
        if flow.rate == 0 and not self.choked and not flow.size and self.net.ready:
            self.out += lines
            if of is not None:
                confirming.written(self.net, of, self.loop.time())
        elif not flow.push(key, lines, of):
            return False
        if not self.waking:
            self.wake()
        return True

    def defer(self, send: Callable[[], None]) -> float:
        seconds = self.pace()
        if seconds:
            self.loop.call_later(seconds, send)  # it finds nothing to do when the link is over by then
        else:
            send()
        return seconds

    def unqueue(self, key: str) -> list[Spoken | SetSubject]:
        return self.flow.drop(key)

    @property
    def free(self) -> bool:
        return not self.flow.size

    def wake(self) -> None:
        """Write at the end of this turn of the loop."""
        if not self.waking:
            self.waking = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self.waking = False
        transport = self.connection.transport
        if transport is None or self.over:
            return
        out = self.out
        if self.choked and transport.get_write_buffer_size() > UNSENT_LIMIT:  # and what is in `out` cannot wait
            words = say("irc.stuck", server=self.settings.name)
            self.fail(LegacyError("remote-server-timeout", words, retry_after=60))
            return
        if not self.choked and self.net.ready:
            now = self.loop.time()
            for line, command in self.flow.due(now):
                out.append(line)
                if command is not None:
                    confirming.written(self.net, command, now)
            self._wait(self.flow.wait(now))
        # a fence is a line too: while others wait for the flood control, it comes seldom
        if not self.flow.size or self.loop.time() - self.fenced > FENCE_EVERY:
            fence = confirming.fence_line(self.net)
            if fence is not None:
                self.fenced = self.loop.time()
                out.append(fence)
        if out:
            transport.write(self._encoded(out))
            out.clear()

    def _encoded(self, lines: list[str]) -> bytes:
        """Lines as bytes, each with its end."""
        lines.append("")
        text = "\r\n".join(lines)
        usual, rooms = self.settings.charset_out, self.net.charsets
        if usual == charsets.UTF_8 and not rooms:
            return text.encode(errors="replace")
        return charsets.encoded(text.split("\r\n")[:-1], usual, rooms, self.net.isupport)

    def _wait(self, seconds: float | None) -> None:
        """Wake when the flood control lets the next line go."""
        if seconds is not None and self.timer is None:
            self.timer = self.loop.call_later(seconds, self._timed)

    def _timed(self) -> None:
        self.timer = None
        self.wake()

    # Time and the end ---------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Once a second, from the bridge."""
        net = self.net
        if not net.ready:
            registering.tick(self, now)
            return
        net.tick(now)
        inbound.tick(net, now)
        if self.held:
            self.heard = now  # it is we who do not listen
        if now - self.heard > DEAD:
            self.fail(LegacyError("remote-server-timeout", say("irc.dead", server=self.settings.name)))
        elif now - self.heard > QUIET and not self.pinged:
            self.pinged = True
            self.write(write.ping("alive"))
        elif net.idle and not len(self.flow) and not self.out:
            self.leave("")

    def pause(self) -> None:
        self.held = True
        self._reading()

    def resume(self) -> None:
        self.held = False
        self._reading()

    def choke(self, full: bool) -> None:
        """A server that does not read is not read either: what it says would only be answered."""
        self.choked = full
        self._reading()

    def _reading(self) -> None:
        transport = self.connection.transport
        if transport is None or transport.is_closing():
            return
        if self.held or self.choked or self.resting:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def fail(self, error: LegacyError) -> None:
        """We give up on this connection."""
        if self.over:
            return
        try:
            kept = self.keeper.lost(self, error)
            self._end()
            self.net.lost(error, kept)
        except Exception:  # half of our callers are callbacks of the loop
            log.exception("the end of the connection to %s could not be told", self.settings.name)

    def close(self, reason: str) -> None:
        """Say goodbye and go; the facts of it are the caller's to tell."""
        if self.over:
            return
        transport = self.connection.transport
        if transport is not None and not transport.is_closing():
            self.out.extend([write.quit(reason), ""])
            transport.write("\r\n".join(self.out).encode(errors="replace"))
        self._end()
        self.net.abandon(LegacyError("remote-server-timeout", reason or say("irc.ended")))

    @property
    def encrypted(self) -> bool:
        return self.connection.encrypted

    def sees(self, nick: str) -> bool:
        """Whether somebody of that nick shares a channel with us; of large channels it is looked up once in a while."""
        now = self.loop.time()
        if self.crowd is None or now - self.crowd[0] > LOOK_AGAIN:
            self.crowd = (now, self.net.seen())
        return self.net.isupport.fold(nick) in self.crowd[1]

    def leave(self, reason: str) -> None:
        """The user wants to go: out of every room, as if all had been left."""
        self.net.leave_all(reason)
        self.close(reason)
        self.net.tell(Down(irc_address.server(self.settings.name, self.net.fixed)))

    def ended(self, exc: Exception | None) -> None:
        """The socket is closed, by whomever."""
        if self.over:
            return
        name = self.settings.name
        if self.net.last_error:
            error = closing_error(self.net.last_error)
        else:
            words = say("irc.lost", server=name) if exc is None else say("irc.lost-because", server=name, reason=str(exc))
            error = LegacyError("remote-server-timeout", words, retry_after=60)
        self.fail(error)

    def _end(self) -> None:
        """Close the socket, and cut every circle that the link is part of: thousands end at once when a server goes."""
        self.over = True
        self.registration = None
        self.way.closing(self.settings, self.connection, greeted=bool(self.net.nick))
        self.connection.disconnect()
        self.net.line = NOWHERE
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for task in (self.task, self.solving):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self.task = self.solving = None
        error = LegacyError("remote-server-timeout", say("irc.unsent"))
        pastes, self.net.pastes = self.net.pastes, None
        try:
            if pastes is not None:
                pastes.close(error)
            for command in self.flow.clear():
                self.net.fail(command, error)
        finally:
            self.keeper.ended(self)
