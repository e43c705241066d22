"""The two far ends of a gateway, played by one process: an XMPP server (XEP-0114, accepting side) and a scripted IRC server.

It must cost less than what it measures, so nothing here parses on the measured way: what is sent is built beforehand and
written in large pieces, what is received is counted by looking for a marker. It does not know which gateway it talks to.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from typing import cast

NETWORK = b"irc.bench"
DOMAIN = b"irc.localhost"

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'"
    b" xmlns:stream='http://etherx.jabber.org/streams' id='bench' from='" + DOMAIN + b"'>"
)
IQ = re.compile(rb"<iq\b([^>]*?)(?:/>|>.*?</iq>)", re.S)
ATTRIBUTE = re.compile(rb"\b(type|id|from|to)=[\"']([^\"']*)[\"']")

#: Of what a client sends, only this is looked at; the rest is counted at most.
COMMAND = re.compile(rb"^(PING|JOIN|PART|NICK|USER|CAP|MODE|WHO) ?([^\r\n]*)", re.M)

PIECE = 1 << 16  # bytes written at once


class Stuck(Exception):
    """What was waited for did not come in time."""


class Tally:
    """Counts `marker` in a stream of chunks, those cut in two included, and knows when a target was reached."""

    def __init__(self, marker: bytes) -> None:
        self.marker = marker
        self.count = 0
        self._edge = len(marker) - 1
        self._tail = b""
        self._target = 0
        self._waiter: asyncio.Future[float] | None = None

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        edge = self._edge
        self.count += data.count(self.marker) + (self._tail + data[:edge]).count(self.marker)
        self._tail = (data if len(data) >= edge else self._tail + data)[-edge:]
        if self._waiter is not None and self.count >= self._target and not self._waiter.done():
            self._waiter.set_result(time.perf_counter())

    async def until(self, target: int, within: float = 30.0) -> float:
        """Wait for `target` markers in all; gives time.perf_counter() of that moment. Stuck after `within` seconds."""
        if self.count >= target:
            return time.perf_counter()
        self._target = target
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._waiter, within)
        except TimeoutError:
            text = self.marker.decode(errors="replace")
            raise Stuck(f"{self.count} of {target} x {text!r} after {within:g} s") from None
        finally:
            self._waiter = None

    def close(self) -> None:
        """There will be no more chunks: who waits need not wait longer."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Stuck("the gateway closed its component stream"))


class End(asyncio.Protocol):
    """A connection that can be written to as fast as the other side takes it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but ancestry
        self.transport.set_write_buffer_limits(high=2 * PIECE)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def send(self, data: bytes) -> None:
        """Write at once; for what is small."""
        self.transport.write(data)

    async def pour(self, data: bytes) -> None:
        """Write all of `data`, never more than the other side takes."""
        view = memoryview(data)
        for at in range(0, len(view), PIECE):
            self.transport.write(view[at : at + PIECE])
            await self._room.wait()


class Component(End):
    """The XMPP server's end of the one component stream."""

    def __init__(self) -> None:
        super().__init__()
        self.shaken: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.bodies, self.subjects, self.presences = Tally(b"<body>"), Tally(b"<subject"), Tally(b"<presence")
        self.watching: list[Callable[[bytes], None]] = [self.bodies.feed, self.subjects.feed, self.presences.feed]
        self._rest = b""
        self._greeted = False

    def data_received(self, data: bytes) -> None:
        if not self.shaken.done():
            self._greet(data)
            return
        for watch in self.watching:
            watch(data)
        if self._rest or b"<iq" in data:
            self._answer(self._rest + data)

    def connection_lost(self, exc: Exception | None) -> None:
        for tally in (self.bodies, self.subjects, self.presences):
            tally.close()

    def _greet(self, data: bytes) -> None:
        self._rest += data
        if not self._greeted and b"<stream:stream" in self._rest:
            self._greeted = True
            self.send(HEADER)
        if b"</handshake>" in self._rest:
            self._rest = b""
            self.shaken.set_result(time.perf_counter())
            self.send(b"<handshake/>")

    def _answer(self, data: bytes) -> None:
        """Every iq that asks is answered: a ping with a result, the rest as by a server that serves nothing."""
        end = 0
        answers = []
        for found in IQ.finditer(data):
            end = found.end()
            what = dict(ATTRIBUTE.findall(found[1]))
            if what.get(b"type") in (b"get", b"set"):
                answers.append(_iq_answer(what, ping=b"urn:xmpp:ping" in found[0]))
        if answers:
            self.send(b"".join(answers))
        begun = data.rfind(b"<iq", end)
        self._rest = data[begun:] if begun >= 0 else b""


def _iq_answer(what: dict[bytes, bytes], ping: bool) -> bytes:
    head = b"<iq id='%s' from='%s' to='%s'" % tuple(what.get(key, b"") for key in (b"id", b"to", b"from"))
    if ping:
        return head + b" type='result'/>"
    return (
        head + b" type='error'><error type='cancel'>"
        b"<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )


class Channel:
    """What a client is told on joining; built once, the client's nick filled in later."""

    def __init__(self, name: bytes, members: Iterable[bytes], topic: bytes = b"Measure twice, cut once") -> None:
        lines = [b":\0!bench@127.0.0.1 JOIN " + name, b":%s 332 \0 %s :%s" % (NETWORK, name, topic)]
        head = b":%s 353 \0 = %s :" % (NETWORK, name)
        now, size = [b"\0"], 0
        for nick in members:
            now.append(nick)
            size += len(nick) + 1
            if size > 400:
                lines.append(head + b" ".join(now))
                now, size = [], 0
        if now:
            lines.append(head + b" ".join(now))
        lines.append(b":%s 366 \0 %s :End of /NAMES list.\r\n" % (NETWORK, name))
        self._text = b"\r\n".join(lines)

    def told(self, nick: bytes) -> bytes:
        """All lines that greet `nick`."""
        return self._text.replace(b"\0", nick)


WELCOME = b"".join(
    b":" + NETWORK + b" " + line + b"\r\n"
    for line in (
        b"001 \0 :Welcome to the bench \0",
        b"002 \0 :Your host is irc.bench",
        b"003 \0 :This server was created today",
        b"004 \0 irc.bench bench-1 iowx beIiklmnopstv bklov",
        b"005 \0 CHANTYPES=# PREFIX=(ov)@+ CHANMODES=beI,k,l,imnpst CASEMAPPING=rfc1459 NICKLEN=30 :are supported",
        b"422 \0 :MOTD File is missing",
    )
)


class IrcConnection(End):
    """One client of the scripted IRC server."""

    def __init__(self, server: IrcServer) -> None:
        super().__init__()
        self.nick = b""
        self._server = server
        self._rest = b""
        self._user = self._negotiating = self._welcomed = False

    def data_received(self, data: bytes) -> None:
        lines, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        for watch in self._server.watching:
            watch(lines + newline)
        for name, text in COMMAND.findall(lines):
            getattr(self, "_on_" + name.decode().lower())(text)

    def _on_cap(self, text: bytes) -> None:
        verb, _, wanted = text.partition(b" ")
        self._negotiating = verb.upper() != b"END"
        if verb.upper() == b"LS":
            self.send(b":%s CAP * LS :\r\n" % NETWORK)
        elif verb.upper() == b"REQ":
            self.send(b":%s CAP * NAK :%s\r\n" % (NETWORK, wanted.lstrip(b":")))
        self._welcome()

    def _on_nick(self, text: bytes) -> None:
        self.nick = text.lstrip(b":")
        self._welcome()

    def _on_user(self, _text: bytes) -> None:
        self._user = True
        self._welcome()

    def _welcome(self) -> None:
        if self.nick and self._user and not (self._negotiating or self._welcomed):
            self._welcomed = True
            self._server.clients[self.nick] = self
            self.send(WELCOME.replace(b"\0", self.nick))

    def _on_join(self, text: bytes) -> None:
        for name in text.split(b" ")[0].lstrip(b":").split(b","):
            self.send(self._server.channel(name).told(self.nick))

    def _on_part(self, text: bytes) -> None:
        self.send(b":%s!bench@127.0.0.1 PART %s\r\n" % (self.nick, text))

    def _on_ping(self, text: bytes) -> None:
        self.send(b":%s PONG %s :%s\r\n" % (NETWORK, NETWORK, text.lstrip(b":")))

    def _on_mode(self, text: bytes) -> None:
        self.send(b":%s 324 %s %s +nt\r\n" % (NETWORK, self.nick, text.split(b" ")[0]))

    def _on_who(self, text: bytes) -> None:
        self.send(b":%s 315 %s %s :End of /WHO list.\r\n" % (NETWORK, self.nick, text.split(b" ")[0]))


class IrcServer:
    """Channels by name (unknown ones have ten members), clients by nick."""

    def __init__(self) -> None:
        self.clients: dict[bytes, IrcConnection] = {}
        self.said = Tally(b"PRIVMSG ")
        self.watching: list[Callable[[bytes], None]] = [self.said.feed]
        self._channels: dict[bytes, Channel] = {}

    def __call__(self) -> IrcConnection:
        return IrcConnection(self)

    def channel(self, name: bytes) -> Channel:
        """The channel, made on the spot if nobody described it."""
        if name not in self._channels:
            self.describe(name, [b"guest%d" % number for number in range(10)])
        return self._channels[name]

    def describe(self, name: bytes, members: Iterable[bytes]) -> None:
        """Give a channel its members, with their prefixes."""
        self._channels[name] = Channel(name, members)
