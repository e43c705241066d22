"""The component stream (XEP-0114): one per bridge domain, out of one process; connects, reconnects for ever, reads, writes.

slixmpp carries the stream: socket protocol and framing. Its stanza objects, handlers, send queue, roster and
plugins stay unused: an incoming element goes to `read` and on to the handlers of `Wing`, outgoing text is gathered and
written once per turn of the loop. Nothing that comes in can stop the stream: what fails is counted, logged and answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, Protocol
from xml.etree.ElementTree import Element

from slixmpp import ComponentXMPP

from transports.log import kv
from transports.xmpp import advice, read, xml
from transports.xmpp.incoming import STREAMS, Incoming

log = logging.getLogger(__name__)

#: Characters that wait for a stream that is down or stalled; beyond, the oldest are dropped.
BACKLOG: Final = 8_000_000
#: The same for a stream that is up and reads slowly. What users may ask for at once stays far below (`visitor.BURST`);
#: beyond, the stream is ended.
LIMIT: Final = 64_000_000
#: Bytes in the socket's buffer at which reading from the far side pauses, and at which it goes on.
HIGH, LOW = 1_000_000, 250_000
#: Characters gathered at which they are written before the turn of the loop ends: large blocks cost memory for good.
BLOCK: Final = 250_000
#: Characters that fit into a stanza whatever they are.
_SURELY_FITS: Final = xml.MAX_STANZA // 4
#: Seconds that the socket's buffer may be full before reading pauses: most of the time the server is just a moment behind.
GRACE: Final = 0.005
#: Seconds a stream may stall before it counts as dead.
STALLED: Final = 30.0
CONNECT_WITHIN: Final = 20.0
HANDSHAKE_WITHIN: Final = 30.0
KEEPALIVE: Final = 60.0
#: Seconds after which a connection that ends was a good one: the next attempt is a first one again.
STEADY: Final = 60.0
#: Seconds between attempts: full jitter from the first to the last (AWS: "Exponential Backoff And Jitter").
FIRST, LAST = 1.0, 300.0


class Handlers(Protocol):
    """Who gets what comes in; `gateway.Wing`."""

    def message(self, message: read.Message) -> None: ...
    def presence(self, presence: read.Presence) -> None: ...
    def iq(self, iq: read.Iq) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def connected(self) -> None: ...
    def disconnected(self) -> None: ...


class Component(Incoming, ComponentXMPP):  # type: ignore[misc]
    """The stream of one domain. `start` returns at once; `ready` tells whether the server has taken us."""

    handlers: Handlers

    def __init__(
        self, domain: str, host: str, port: int, secret: str, tls: ssl.SSLContext | None = None, tls_name: str = ""
    ) -> None:
        super().__init__(domain, secret, host, port)
        self.domain = domain
        self.ready = False
        self.since = 0.0  # when the server took us, seconds since the epoch
        self.trouble = ("", "")  # why there is no stream, and what can be done about it
        self.door = xml.Door(domain)
        self.refused = ""
        self._address = (host, port)
        self._tls = tls
        self._tls_name = tls_name or host
        self._out: list[str] = []
        self._waiting = 0
        self._flushing = False
        self._dropped = 0
        self._ended: asyncio.Future[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._stalled = False
        self._paused = False
        self._stopping = False
        self._explained = False

    def attach(self, handlers: Handlers) -> None:
        """Who gets what comes in; before `start`."""
        self.handlers = handlers
        self._takers = {"message": handlers.message, "presence": handlers.presence, "iq": handlers.iq}

    # Connecting ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._supervisor = self.loop.create_task(self._supervise())

    async def _supervise(self) -> None:
        """Connect, wait for the end, connect again; full jitter between 1 s and 5 min."""
        attempts = 0
        while True:
            began = self.loop.time()
            try:
                await self._session()
            except Exception:
                log.exception(kv("a connection failed", domain=self.domain))
            if self._stopping:
                return
            attempts = 1 if self.loop.time() - began > STEADY and not self.refused else attempts + 1
            delay = random.uniform(LAST / 2, LAST) if self.refused else jitter(attempts, random.random())
            log.info(kv("retry", domain=self.domain, seconds=round(delay, 1)))
            await asyncio.sleep(delay)

    async def _session(self) -> None:
        """One connection, from the attempt to its end; says in one line why it ended."""
        self.refused = ""
        self._explained = False
        self._ended = self.loop.create_future()
        host, port = self._address
        try:
            connecting = self.loop.create_connection(
                lambda: self, host, port, ssl=self._tls, server_hostname=self._tls_name if self._tls else None
            )
            await asyncio.wait_for(connecting, CONNECT_WITHIN)
        except (OSError, TimeoutError) as error:
            reason = str(error) or "no answer"
            server = f"{host}:{port}"
            self.trouble = (f"cannot connect to {server}: {reason}", advice.unconnected(error))
            log.error(kv("cannot connect", domain=self.domain, server=server, error=reason, advice=self.trouble[1]))
            return
        watch = self.loop.call_later(HANDSHAKE_WITHIN, self._no_handshake)
        try:
            await self._ended
        finally:
            watch.cancel()

    def _no_handshake(self) -> None:
        if not self.ready:
            self._give_up("no handshake", advice=advice.HANDSHAKE)

    def _explain(self, event: str, **fields: object) -> None:
        """Why this connection ends: the one line about it."""
        self._explained = True
        words = (event, *(str(fields[name]) for name in ("condition", "error", "text") if fields.get(name)))
        self.trouble = (": ".join(words), str(fields.get("advice", "")))
        log.error(kv(event, domain=self.domain, **fields))

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH, low=LOW)
        self.init_parser()
        transport.write(self.stream_header.encode())

    def start_stream_handler(self, xml: Element) -> None:
        digest = hashlib.sha1(f"{xml.get('id', '')}{self.secret}".encode()).hexdigest()  # XEP-0114 section 3
        self.transport.write(f"<handshake>{digest}</handshake>".encode())

    def connection_lost(self, exc: BaseException | None) -> None:
        was_ready, self.ready = self.ready, False
        self.parser = None
        self.transport = None
        self._unstall()
        reason = str(exc or "closed by the server")
        if was_ready:
            if not self._explained:
                self.trouble = (f"disconnected: {reason}", "")
            if not self._stopping:
                log.warning(kv("disconnected", domain=self.domain, error=reason))
            self._tell(self.handlers.disconnected)
        elif not self._stopping and not self._explained:
            self._explain("closed before the handshake", error=reason, advice=advice.CLOSED)
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def eof_received(self) -> None:
        """The server has closed its side: asyncio closes ours."""

    def _accepted(self) -> None:
        self.ready = True
        self.since = time.time()
        log.info(kv("connected", domain=self.domain, server=f"{self._address[0]}:{self._address[1]}"))
        self.loop.call_later(KEEPALIVE, self._keepalive, self.transport)
        if self._dropped:
            log.error(kv("stanzas were dropped while the stream was down", domain=self.domain, count=self._dropped))
            self._dropped = 0
        self._tell(self.handlers.connected)
        self._flush()

    def _tell(self, handler: Callable[[], None]) -> None:
        """Call a handler that has nothing to say about the stream's own life, whatever happens to it."""
        try:
            handler()
        except Exception:
            log.exception(kv("a handler failed", domain=self.domain))

    def _keepalive(self, transport: Any) -> None:
        if self.transport is transport and self.ready:
            transport.write(b" ")
            self.loop.call_later(KEEPALIVE, self._keepalive, transport)

    def _stream_error(self, error: Element) -> None:
        """RFC 6120 4.9; each with what the operator can do about it."""
        conditions = [child.tag.removeprefix(STREAMS) for child in error if child.tag != f"{STREAMS}text"]
        condition = conditions[0] if conditions else "undefined-condition"
        words = error.findtext(f"{STREAMS}text") or ""
        if not self.ready and condition in advice.REFUSED:
            self.refused = condition
        self._explain("stream error", condition=condition, text=words, advice=advice.REFUSED.get(condition, ""))

    # Writing ------------------------------------------------------------------------------------------------------

    def send(self, data: Any, use_filters: bool = True) -> None:
        """Queue one finished stanza, made by `write` or `room`, for the end of this turn of the loop."""
        size = len(data)
        if size > _SURELY_FITS and not xml.fits(data):
            log.error(kv("stanza too large", domain=self.domain, size=size))
            return
        self._out.append(data)
        self._waiting += size
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)
        elif self._waiting > BLOCK:
            self._write_out()

    def send_all(self, stanzas: list[str]) -> None:
        """Queue many whose size is bounded by what they are made of: the presences and the subject of a join."""
        block = "".join(stanzas)
        self._out.append(block)
        self._waiting += len(block)
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)
        elif self._waiting > BLOCK:
            self._write_out()

    def _flush(self) -> None:
        self._flushing = False
        self._write_out()

    def _write_out(self) -> None:
        if not self.ready or self._stalled:
            if self.ready:
                if not self._paused and self._waiting > HIGH:
                    self._behind()  # a loop hands on megabytes from one socket before it looks at its timers
                # nothing is cut out of a stream that lives: a fence behind it would vouch for what is missing
                if self._waiting > LIMIT:
                    self._give_up("backlog full")
            elif self._waiting > BACKLOG:
                self._trim()
            return
        if self._out:
            self.transport.write("".join(self._out).encode(errors="replace"))
            self._out.clear()
            self._waiting = 0

    def _trim(self) -> None:
        """The stream is down for too long: what is oldest goes."""
        cut = len(self._out) // 2
        del self._out[:cut]
        self._waiting = sum(map(len, self._out))
        if not self._dropped:
            log.error(kv("backlog full", domain=self.domain, advice="the oldest stanzas are dropped until the server reads"))
        self._dropped += cut

    def pause_writing(self) -> None:
        """The server does not keep up: read no more from the far side."""
        self._stalled = True
        self._stall = self.loop.call_later(GRACE, self._behind)

    def _behind(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
        self._paused = True
        self._tell(self.handlers.pause)
        self._stall = self.loop.call_later(STALLED, self._dead, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._unstall()
        self._flush()

    def _unstall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._stalled = False
        if self._paused:
            self._paused = False
            self._tell(self.handlers.resume)

    def _dead(self, before: int) -> None:
        """The time for a stalled stream is up; more of it when the server has read in the meantime, however little."""
        self._stall = None
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._stall = self.loop.call_later(STALLED, self._dead, left)
        else:
            self._give_up("server does not read", seconds=STALLED)

    def _give_up(self, event: str, **fields: object) -> None:
        """End a connection that lives but does not serve; the next one begins where nothing is lost."""
        if not self._explained:
            self._explain(event, **fields)
        self.abort()

    # The end ------------------------------------------------------------------------------------------------------

    async def stop(self, within: float = 5.0) -> None:
        """Write what waits, close the stream and wait for its end."""
        self._stopping = True
        if self.transport is not None and self._ended is not None:
            self._flush()
            self.transport.write(self.stream_footer.encode())
            self.transport.close()
            await asyncio.wait([self._ended], timeout=within)
            self.abort()
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)


def jitter(attempt: int, chance: float) -> float:
    """Seconds before attempt number `attempt` (from 1); chance: 0 to 1."""
    return FIRST + chance * (min(LAST, FIRST * 2.0 ** min(attempt, 12)) - FIRST)
