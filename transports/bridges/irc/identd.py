"""An ident server for our own connections: an IRC server asks whose one is, and hears the user's pseudonym (RFC 1413).

It answers the two ends of a connection and nobody else: the query must come from the IP address that the connection goes to,
to the one that it comes from. Whoever asks otherwise, or for anything else, hears NO-USER, and learns nothing of who is here.
Listens where it is told to, or on the socket that systemd hands over under the name `identd` (sd_listen_fds(3)).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator, MutableMapping
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from transports.config_values import HostPort
from transports.log import kv

log = logging.getLogger(__name__)

#: Seconds that a query may take, and seconds that it waits for a connection that is being made just now.
WITHIN, NEWS_WITHIN = 10.0, 2.0
#: Queries at once, of all and of one address; servers ask once per connection.
QUERIES, OF_ONE = 200, 50
#: Bytes of a query: two numbers, a comma and blanks (RFC 1413 section 4 allows some more).
MAX_QUERY: Final = 200
#: systemd's first descriptor, and the name of ours.
FIRST_FD: Final = 3
NAME: Final = "identd"

_QUERY: Final = re.compile(r"\s*([0-9]{1,5})\s*,\s*([0-9]{1,5})\s*")


class Pair(NamedTuple):
    """The two ends of a connection of ours, as both sides see them."""

    local: str
    local_port: int
    remote: str
    remote_port: int


class Identd:
    """The table of connections, and who may ask for them."""

    def __init__(self) -> None:
        self._names: dict[Pair, str] = {}
        self._dialing = 0
        self._news: asyncio.Event | None = None
        self._asked: set[asyncio.Task[None]] = set()
        self._from: Counter[str] = Counter()
        self._server: asyncio.Server | None = None

    async def start(self, where: HostPort | str) -> None:
        """Listen. What fails is logged: IRC works without it, the networks only trust us less."""
        try:
            given = handed_over()
            if given is None and where == "systemd":
                log.error(kv("no identd: systemd has handed no socket over", name=NAME))
            elif given is not None:
                self._server = await asyncio.start_server(self._serve, sock=given, limit=MAX_QUERY)
            elif isinstance(where, HostPort):
                self._server = await asyncio.start_server(self._serve, where.host, where.port, limit=MAX_QUERY)
        except OSError as error:
            log.error(kv("no identd", error=error.strerror or type(error).__name__))

    @property
    def port(self) -> int:
        """Where it listens; 0 when it does not."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in list(self._asked):
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)

    # Connections of ours ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def dialing(self) -> Iterator[None]:
        """Meanwhile a connection is being made: servers ask before we know of it ourselves."""
        self._dialing += 1
        try:
            yield
        finally:
            self._dialing -= 1

    def opened(self, sock: socket.socket, name: str) -> Pair | None:
        """A connection of ours is open; what to hand to `closed`. None when it is over already."""
        try:
            local, remote = sock.getsockname(), sock.getpeername()
        except OSError:
            return None
        pair = Pair(plain(local[0]), local[1], plain(remote[0]), remote[1])
        self._names[pair] = name
        if self._news is not None:
            self._news.set()
            self._news = None
        return pair

    def closed(self, pair: Pair) -> None:
        self._names.pop(pair, None)

    # Queries ------------------------------------------------------------------------------------------------------

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer.get_extra_info(name) for name in ("sockname", "peername")]
        if not all(ends):  # who asked has gone before we looked
            writer.transport.abort()
            return
        peer = plain(ends[1][0])
        if len(self._asked) >= QUERIES or self._from[peer] >= OF_ONE:
            writer.transport.abort()
            return
        self._from[peer] += 1
        task = asyncio.get_running_loop().create_task(self._answer(reader, writer))
        self._asked.add(task)
        task.add_done_callback(partial(self._answered, peer))

    def _answered(self, peer: str, task: asyncio.Task[None]) -> None:
        self._asked.discard(task)
        self._from[peer] -= 1
        self._from += Counter()  # which forgets those at zero

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                query = await reader.readline()
                writer.write(await self._found(query, writer))
                await writer.drain()
        except (OSError, TimeoutError, ValueError):  # ValueError: longer than any query is
            pass
        finally:
            writer.close()

    async def _found(self, query: bytes, writer: asyncio.StreamWriter) -> bytes:
        match = _QUERY.fullmatch(query.decode("ascii", "replace"))
        ports = (int(match[1]), int(match[2])) if match else (0, 0)
        if not all(0 < port < 65536 for port in ports):
            return b"%d , %d : ERROR : INVALID-PORT\r\n" % ports if match else b"0 , 0 : ERROR : INVALID-PORT\r\n"
        us, them = (plain(writer.get_extra_info(name)[0]) for name in ("sockname", "peername"))
        name = await self._name(Pair(us, ports[0], them, ports[1]))
        answer = f"USERID : UNIX : {name}" if name else "ERROR : NO-USER"
        return f"{ports[0]} , {ports[1]} : {answer}\r\n".encode()

    async def _name(self, pair: Pair) -> str:
        """Whose connection it is; '' when it is none of ours."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NEWS_WITHIN):
                while pair not in self._names and self._dialing:
                    self._news = self._news or asyncio.Event()
                    await self._news.wait()
        return self._names.get(pair, "")


def plain(address: str) -> str:
    """An IP address as it is compared: IPv4 within IPv6 is IPv4, without a scope."""
    ip = ip_address(address.partition("%")[0])
    return str(ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else str(ip)


def handed_over(environ: MutableMapping[str, str] = os.environ) -> socket.socket | None:
    """The listening socket that systemd gave us under our name, if it gave one; taken once (sd_listen_fds(3))."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    count = environ.get("LISTEN_FDS", "")
    if not count.isdecimal() or NAME not in names[: int(count)]:
        return None
    found = socket.socket(fileno=os.dup(FIRST_FD + names.index(NAME)))
    found.setblocking(False)
    return found
