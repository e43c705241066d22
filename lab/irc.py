"""People on IRC: a small raw client for tests, and a greeter that gives the demo somebody to talk to.

Own code on streams, not the `irc` library: what checks the gateway does not share its code. RFC 2812 and IRCv3 message tags.
"""
# ruff: noqa: ASYNC109 - `timeout` says how long a line is waited for before an error that shows what came instead.

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

TAG_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
SHOWN = 40


class Line(NamedTuple):
    """One line from the server; text that was not UTF-8 has surrogate escapes (PEP 383), so nothing is lost."""

    raw: str
    tags: dict[str, str]
    source: str
    command: str
    params: list[str]

    @property
    def nick(self) -> str:
        """The nick of `source`, or the server's name."""
        return self.source.partition("!")[0]

    @property
    def text(self) -> str:
        """The last parameter."""
        return self.params[-1] if self.params else ""


def parse(raw: str) -> Line:
    """A line without its end, taken apart (IRCv3 message-tags; RFC 2812 2.3.1)."""
    rest, tags, source = raw, {}, ""
    if rest.startswith("@"):
        head, _, rest = rest[1:].partition(" ")
        tags = {name: _unescaped(value) for name, _, value in (tag.partition("=") for tag in head.split(";"))}
    if rest.lstrip(" ").startswith(":"):
        source, _, rest = rest.lstrip(" ")[1:].partition(" ")
    middle, colon, trailing = rest.partition(" :")
    words = middle.split()
    return Line(raw, tags, source, words[0].upper() if words else "", words[1:] + ([trailing] if colon else []))


Wanted = str | Callable[[Line], bool]


class Person:
    """async with Person(ircd.host, ircd.port, "bob") as bob: …

    tls     an ssl.SSLContext, as `ircd.certificate.client()` gives one
    caps    IRCv3 capabilities to ask for

    PINGs are answered; every other line is kept in `lines`, and `until` takes the first one that fits and was not taken yet.
    """

    def __init__(
        self,
        host: str,
        port: int,
        nick: str,
        tls: ssl.SSLContext | None = None,
        *,
        user: str | None = None,
        real_name: str = "A person of the lab",
        password: str | None = None,
        caps: Sequence[str] = (),
    ) -> None:
        self.host, self.port, self.tls = host, port, tls
        self.nick = nick
        self.user = user or "".join(c for c in nick if c.isascii() and c.isalnum())[:9] or "person"
        self.real_name, self.password, self.caps = real_name, password, caps
        self.lines: list[Line] = []
        self.closed = False
        self._waiting: list[Line] = []
        self._news = asyncio.Event()
        self._tokens = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
            await self.register()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the connection without saying anything."""
        reader, self._writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=1 << 20)
        self._reading = asyncio.create_task(self._read(reader))

    async def register(self) -> None:
        """NICK and USER, up to the end of the message of the day."""
        if self.password is not None:
            await self.send(f"PASS {self.password}")
        if self.caps:
            await self.send(f"CAP REQ :{' '.join(self.caps)}")
        await self.send(f"NICK {self.nick}")
        await self.send(f"USER {self.user} 0 * :{self.real_name}")
        if self.caps:
            await self.until("CAP")
            await self.send("CAP END")
        await self.until(lambda line: line.command in {"376", "422"})

    async def close(self) -> None:
        """QUIT and close; anything that goes wrong now is no matter of a test."""
        with contextlib.suppress(OSError):
            await self.send("QUIT :bye")
        await self.vanish()

    async def vanish(self) -> None:
        """Close the connection without QUIT."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await self._writer.wait_closed()
        self._reading = self._writer = None

    async def send(self, line: str | bytes) -> None:
        """Send one line (or several, with their own CR LF between); bytes go out as they are."""
        if self._writer is None:
            raise ConnectionError(f"{self.nick} is not connected")
        self._writer.write((line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")) + b"\r\n")
        await self._writer.drain()

    async def until(self, wanted: Wanted, timeout: float = 10) -> Line:
        """Take the first line not taken yet that fits; AssertionError with what came instead when none does in time.

        wanted: a command or numeric ("JOIN", "366"); a longer text that stands in the line; or a predicate.
        """
        fits = _predicate(wanted)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    for line in self._waiting:
                        if fits(line):
                            self._waiting.remove(line)
                            return line
                    if self.closed:
                        break
                    self._news.clear()
                    await self._news.wait()
        raise AssertionError(self._account(wanted, timeout))

    async def barrier(self, timeout: float = 10) -> None:
        """PING…PONG: when it returns, the server has done all that was sent before, and its answers are in `lines`."""
        token = f"barrier-{next(self._tokens)}"
        await self.send(f"PING {token}")
        await self.until(lambda line: line.command == "PONG" and line.text == token, timeout)

    async def join(self, channel: str, key: str = "") -> list[str]:
        """JOIN up to the end of NAMES; the nicks in the channel, with their prefixes."""
        names: list[str] = []
        await self.send(f"JOIN {channel} {key}".rstrip())
        while True:
            line = await self.until(lambda line: line.command in {"353", "366"} or line.command in JOIN_ERRORS)
            if line.command in JOIN_ERRORS:
                raise AssertionError(f"{self.nick} may not join {channel}: {line.raw}")
            if line.command == "366":
                return names
            names += line.text.split()

    async def say(self, target: str, text: str) -> None:
        """PRIVMSG to a channel or a nick."""
        await self.send(f"PRIVMSG {target} :{text}")

    async def oper(self, name: str = "oper", password: str = "operpw") -> None:
        """Become an IRC operator of the lab's servers."""
        await self.send(f"OPER {name} {password}")
        await self.until("381")

    def waiting(self, wanted: Wanted = lambda line: True) -> list[Line]:
        """Lines that fit and were not taken; after a `barrier` an empty list means that nothing came."""
        return list(filter(_predicate(wanted), self._waiting))

    def forget(self) -> None:
        """Take every line that has come so far."""
        self._waiting.clear()

    def heard(self, line: Line) -> None:
        """Called for every line but PING; a bot overrides it."""

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while raw := await reader.readline():
                line = parse(raw.decode("utf-8", "surrogateescape").rstrip("\r\n"))
                if line.command == "PING":
                    await self.send(f"PONG :{line.text}")
                    continue
                if line.command == "NICK" and line.nick == self.nick:
                    self.nick = line.text
                self.lines.append(line)
                self._waiting.append(line)
                self.heard(line)
                self._news.set()
        except OSError:
            pass
        finally:
            self.closed = True
            self._news.set()

    def _account(self, wanted: Wanted, timeout: float) -> str:
        what = repr(wanted) if isinstance(wanted, str) else "a line that fits"
        ended = ", and the server closed the connection" if self.closed else f" within {timeout:g} s"
        came = "\n    ".join(line.raw for line in self._waiting[-SHOWN:]) or "nothing"
        return f"{self.nick} did not get {what}{ended}; not taken:\n    {came}"


JOIN_ERRORS = frozenset(
    ["403", "405", "407", "437", "471", "473", "474", "475", "476", "477", "479", "480", "489", "495", "520", "609", "926"]
)


class Greeter(Person):
    """Sits in channels and answers everybody who speaks there, or to it: "hello, NICK! you said: …"."""

    MOST = 300

    def __init__(
        self,
        host: str,
        port: int,
        nick: str = "greeter",
        channels: Sequence[str] = ("#lobby",),
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(host, port, nick, tls, real_name="Answers who speaks")
        self.channels = channels

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for channel in self.channels:
            await self.join(channel)
        return self

    def heard(self, line: Line) -> None:
        if line.command != "PRIVMSG" or line.nick == self.nick or self._writer is None or len(line.params) < 2:
            return
        answer_to = line.params[0] if line.params[0] in self.channels else line.nick
        said = line.text.encode("utf-8", "surrogateescape")[: self.MOST].decode("utf-8", "ignore")
        self._writer.write(f"PRIVMSG {answer_to} :hello, {line.nick}! you said: {said}\r\n".encode("utf-8", "replace"))
        # A demo runs for hours: nothing here waits for lines.
        self.lines.clear()
        self._waiting.clear()


def _predicate(wanted: Wanted) -> Callable[[Line], bool]:
    if callable(wanted):
        return wanted
    if wanted.isalnum():
        return lambda line: line.command == wanted.upper()
    return lambda line: wanted in line.raw


def _unescaped(value: str) -> str:
    """A tag's value as it was meant (IRCv3 message-tags, "Escaping values")."""
    result, letters = "", iter(value)
    for letter in letters:
        if letter == "\\":
            follows = next(letters, "")
            letter = TAG_ESCAPES.get(follows, follows)
        result += letter
    return result
