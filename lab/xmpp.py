"""People on XMPP: a client for tests on slixmpp's own ClientXMPP, over plain TCP on loopback.

It keeps every stanza that arrives, in order, as ElementTree elements, and answers nothing by itself but what RFC 6120 demands
(an unserved iq gets its error). What a test says is XML text, sent as it is.
"""
# ruff: noqa: ASYNC109 - `timeout` says how long a stanza is waited for before an error that shows what came instead.

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, Self
from xml.sax.saxutils import escape, quoteattr

from slixmpp import ClientXMPP

from lab.process import HOST

# Prefixes that XPath texts may use; no prefix is jabber:client.
NS = {
    "": "jabber:client",
    "attention": "urn:xmpp:attention:0",
    "caps": "http://jabber.org/protocol/caps",
    "commands": "http://jabber.org/protocol/commands",
    "correct": "urn:xmpp:message-correct:0",
    "data": "jabber:x:data",
    "delay": "urn:xmpp:delay",
    "forward": "urn:xmpp:forward:0",
    "hints": "urn:xmpp:hints",
    "info": "http://jabber.org/protocol/disco#info",
    "items": "http://jabber.org/protocol/disco#items",
    "mam": "urn:xmpp:mam:2",
    "markers": "urn:xmpp:chat-markers:0",
    "muc": "http://jabber.org/protocol/muc",
    "occupant": "urn:xmpp:occupant-id:0",
    "oob": "jabber:x:oob",
    "ping": "urn:xmpp:ping",
    "reactions": "urn:xmpp:reactions:0",
    "receipts": "urn:xmpp:receipts",
    "register": "jabber:iq:register",
    "reply": "urn:xmpp:reply:0",
    "retract": "urn:xmpp:message-retract:1",
    "roster": "jabber:iq:roster",
    "sid": "urn:xmpp:sid:0",
    "stanzas": "urn:ietf:params:xml:ns:xmpp-stanzas",
    "states": "http://jabber.org/protocol/chatstates",
    "time": "urn:xmpp:time",
    "user": "http://jabber.org/protocol/muc#user",
    "vcard": "vcard-temp",
    "version": "jabber:iq:version",
}
STANZAS = frozenset(f"{{jabber:client}}{name}" for name in ("message", "presence", "iq"))
SHOWN = 30

Stanza = ET.Element
Wanted = str | Callable[[Stanza], object]


def find(stanza: Stanza, path: str) -> Stanza | None:
    """The first element at an XPath that starts with the stanza itself: "message[@type='error']/body", "presence/user:x"."""
    root = ET.Element("stream")
    root.append(stanza)
    return root.find(path, NS)


def text(stanza: Stanza, path: str = "message/body") -> str | None:
    """The text there; None when there is no such element, "" when it is empty."""
    found = find(stanza, path)
    return None if found is None else found.text or ""


def codes(presence: Stanza) -> set[int]:
    """The status codes of a presence or message from a room (XEP-0045 section 15.6)."""
    return {int(status.get("code", 0)) for status in presence.iterfind("user:x/user:status", NS)}


def condition(stanza: Stanza) -> str | None:
    """The defined condition of an error stanza, "item-not-found"; None when it is no error (RFC 6120 section 8.3.3)."""
    error = stanza.find("error", NS)
    if error is None:
        return None
    names = [child.tag.rpartition("}")[2] for child in error if child.tag.startswith("{" + NS["stanzas"])]
    return next((name for name in names if name != "text"), "undefined-condition")


def show(stanza: Stanza) -> str:
    """One line of XML for people."""
    return ET.tostring(stanza, encoding="unicode").replace("ns0:", "").replace(":ns0", "")


class Parser(ET.XMLPullParser):
    """COMPAT: expat since 2.6.0 keeps what may be half of a tag to itself; slixmpp does not ask for it."""

    def feed(self, data: str | bytes) -> None:
        super().feed(data)
        if hasattr(self, "flush"):
            self.flush()


class Stream(ClientXMPP):  # type: ignore[misc]
    """slixmpp's client, but each stanza after the session's start goes to `take` first."""

    def __init__(self, jid: str, password: str, take: Callable[[Stanza], None], smacks: bool) -> None:
        plain = {"feature_mechanisms": {"unencrypted_plain": True}}
        super().__init__(jid, password, plugin_config=plain, sasl_mech="PLAIN")
        self.take = take
        self.enable_starttls = self.enable_direct_tls = False
        self.enable_plaintext = True
        self.whitespace_keepalive = False
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        if smacks:
            self.register_plugin("xep_0198")

    def init_parser(self) -> None:
        super().init_parser()
        self.parser = Parser(("start", "end"))

    def _spawn_event(self, xml: Stanza) -> None:
        if self.sessionstarted and xml.tag in STANZAS:
            self.take(copy.deepcopy(xml))
        super()._spawn_event(xml)


class Client:
    """async with Client("alice@localhost", "alicepw", server.c2s_port, "desk") as alice: …

    smacks      XEP-0198 stream management
    presence    what is sent after login, "" for nothing: the client stays unavailable
    roster      whether the roster is asked for at login (only then does the server push its changes, RFC 6121 2.2)

    `received` has every stanza of the session. `until` takes the first one that fits and was not taken yet.
    """

    def __init__(
        self,
        jid: str,
        password: str,
        port: int,
        resource: str = "lab",
        *,
        smacks: bool = False,
        presence: str = "<presence/>",
        roster: bool = True,
        login_timeout: float = 15,
    ) -> None:
        self.bare = jid
        self.jid = f"{jid}/{resource}"
        self.domain = jid.partition("@")[2]
        self.port = port
        self.smacks, self.presence, self.roster = smacks, presence, roster
        self.received: list[Stanza] = []
        self.closed = False
        self._login_timeout = login_timeout
        self._waiting: list[Stanza] = []
        self._news = asyncio.Event()
        self._ids = (f"{secrets.token_hex(3)}-{number}" for number in itertools.count(1))
        self.stream = Stream(self.jid, password, self._take, smacks)
        self.stream.add_event_handler("disconnected", self._ended)

    # -- its life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            await self._login()
            if self.roster:
                await self.iq(f"<iq type='get'><query xmlns='{NS['roster']}'/></iq>")
            if self.presence:
                await self.send(self.presence)
                await self.until(lambda stanza: stanza.get("from") == self.jid and stanza.tag.endswith("}presence"))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _login(self) -> None:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[str] = loop.create_future()

        def settle(result: str) -> Callable[[Any], None]:
            return lambda event: None if outcome.done() else outcome.set_result(result)

        self.stream.add_event_handler("session_start", settle(""))
        self.stream.add_event_handler("failed_all_auth", settle("the server refused the password"))
        self.stream.add_event_handler("connection_failed", settle("nobody listens there"))
        self.stream.add_event_handler("disconnected", settle("the server closed the stream"))
        self.stream.connect(HOST, self.port)
        try:
            problem = await asyncio.wait_for(outcome, self._login_timeout)
        except TimeoutError:
            problem = f"no session after {self._login_timeout:g} s"
        if problem:
            raise AssertionError(f"{self.jid} could not log in at port {self.port}: {problem}")

    async def close(self) -> None:
        """Close the stream as RFC 6120 4.4 asks, and everything with it."""
        if self.stream.is_connected():
            await self.stream.disconnect(wait=1.0)
        await self._finish()

    async def vanish(self) -> None:
        """Drop the TCP connection without closing the stream."""
        self.stream.abort()
        await self._finish()

    def freeze(self) -> None:
        """Stop reading for ever while the connection stays: the client of somebody in a tunnel."""
        self.stream.transport.pause_reading()

    async def _finish(self) -> None:
        self.stream.cancel_connection_attempt()
        self.closed = True
        self._news.set()
        sending = self.stream._run_out_filters
        if sending is not None and not sending.done():
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    # -- what it says --------------------------------------------------------------------------------------------------

    async def send(self, xml: str) -> None:
        """Send XML text as it is, well-formed or not; with stream management it must be one well-formed stanza."""
        if not self.stream.is_connected():
            raise ConnectionError(f"{self.jid} is not connected")
        if self.smacks:
            self.stream.send(self.stream._build_stanza(_element(xml)))
            await self.stream.waiting_queue.join()
        else:
            self.stream.send_raw(xml)

    async def iq(self, xml: str, timeout: float = 10) -> Stanza:
        """Send an iq (its id is added when it has none) and return the answer, result or error."""
        element = _element(xml)
        name = element.get("id") or next(self._ids)
        await self.send(xml if element.get("id") else xml.replace("<iq", f"<iq id='{name}'", 1))
        return await self.until(
            lambda s: s.tag.endswith("}iq") and s.get("id") == name and s.get("type") in {"result", "error"}, timeout
        )

    async def barrier(self, timeout: float = 10) -> None:
        """Ping the own server: when it returns, the server has handled all that was sent before, and its answers are here."""
        await self.iq(f"<iq type='get' to='{self.domain}'><ping xmlns='{NS['ping']}'/></iq>", timeout)

    async def say(self, to: str, body: str, id: str | None = None, *, kind: str = "groupchat", more: str = "") -> str:
        """Send a message as today's clients do, with an origin-id; its id. `more` is XML inside the message."""
        name = id or next(self._ids)
        await self.send(
            f"<message to={quoteattr(to)} type='{kind}' id={quoteattr(name)}><body>{escape(body)}</body>"
            f"<origin-id xmlns='{NS['sid']}' id={quoteattr(name)}/>{more}</message>"
        )
        return name

    async def join(
        self, room: str, nick: str, password: str | None = None, *, history: int | None = None, timeout: float = 10
    ) -> list[Stanza]:
        """Join a room (XEP-0045 7.2): what the room sent, up to its subject after the presence with 110; or up to the error."""
        key = f"<password>{escape(password)}</password>" if password is not None else ""
        past = f"<history maxstanzas='{history}'/>" if history is not None else ""
        await self.send(f"<presence to={quoteattr(f'{room}/{nick}')}><x xmlns='{NS['muc']}'>{key}{past}</x></presence>")
        stanzas: list[Stanza] = []
        inside = False
        while True:
            stanza = await self.until(lambda s: _bare(s.get("from", "")) == room.lower(), timeout)
            stanzas.append(stanza)
            if stanza.tag.endswith("}presence") and stanza.get("type") == "error":
                return stanzas
            inside = inside or 110 in codes(stanza)
            if inside and stanza.find("subject", NS) is not None and stanza.find("body", NS) is None:
                return stanzas

    async def leave(self, room: str, nick: str, timeout: float = 10) -> Stanza:
        """Leave a room; the unavailable presence of ourselves."""
        await self.send(f"<presence to={quoteattr(f'{room}/{nick}')} type='unavailable'/>")
        return await self.until(
            lambda s: s.get("type") == "unavailable" and _bare(s.get("from", "")) == room.lower() and 110 in codes(s), timeout
        )

    # -- what it hears -------------------------------------------------------------------------------------------------

    async def until(self, wanted: Wanted, timeout: float = 10) -> Stanza:
        """Take the first stanza not taken yet that fits; AssertionError with what came instead when none does in time.

        wanted: an XPath that starts with the stanza ("message[@type='groupchat']/body", prefixes of NS), or a predicate.
        """
        fits = _predicate(wanted)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    for position, stanza in enumerate(self._waiting):
                        if fits(stanza):
                            return self._waiting.pop(position)
                    if self.closed:
                        break
                    self._news.clear()
                    await self._news.wait()
        raise AssertionError(self._account(wanted, timeout))

    async def body(self, wanted: str, timeout: float = 10) -> Stanza:
        """Take the first message with exactly this body."""
        return await self.until(lambda stanza: text(stanza) == wanted, timeout)

    def waiting(self, wanted: Wanted = lambda stanza: True) -> list[Stanza]:
        """Stanzas that fit and were not taken; after a `barrier` an empty list means that nothing came."""
        return list(filter(_predicate(wanted), self._waiting))

    def forget(self) -> None:
        """Take every stanza that has come so far."""
        self._waiting.clear()

    def _take(self, stanza: Stanza) -> None:
        # COMPAT: Prosody's mod_privilege tells every client at login what it is granted, which is nothing.
        if stanza.get("from") == self.domain and find(stanza, "message/{urn:xmpp:privilege:2}privilege") is not None:
            return
        self.received.append(stanza)
        self._waiting.append(stanza)
        self._news.set()

    def _ended(self, event: object) -> None:
        self.closed = True
        self._news.set()

    def _account(self, wanted: Wanted, timeout: float) -> str:
        what = repr(wanted) if isinstance(wanted, str) else "a stanza that fits"
        ended = ", and the stream is closed" if self.closed else f" within {timeout:g} s"
        came = "\n    ".join(map(show, self._waiting[-SHOWN:])) or "nothing"
        return f"{self.jid} did not get {what}{ended}; not taken:\n    {came}"


def _predicate(wanted: Wanted) -> Callable[[Stanza], object]:
    if callable(wanted):
        return wanted
    return lambda stanza: find(stanza, wanted) is not None


def _bare(jid: str) -> str:
    return jid.partition("/")[0].lower()


def _element(xml: str) -> Stanza:
    """The stanza of the text; without an xmlns of its own it is jabber:client's."""
    return ET.fromstring(f"<stream xmlns='{NS['']}'>{xml}</stream>")[0]
