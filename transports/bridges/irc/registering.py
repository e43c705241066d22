"""How a connection begins: the way to the server, and the registration on it (RFC 2812 3.1), up to 001.

What is said there is the business of `caps.Registration`; here are the tasks, the time around it, and what comes of it. Nothing
is known here of how bytes become lines (`wire`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.caps import Registration
from transports.bridges.irc.dial import Connection
from transports.bridges.irc.greeting import registration_of
from transports.bridges.irc.orders import nick_line
from transports.bridges.irc.read import Buffer, parse
from transports.bridges.irc.scram import Puzzle
from transports.errors import LegacyError
from transports.events import Notice
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.wire import Link

log = logging.getLogger(__name__)

#: Seconds for all attempts to connect together, the look-up included.
REACH_WITHIN: Final = 90.0
#: Seconds from the connection to the server's greeting.
REGISTER_WITHIN: Final = 60.0
#: Seconds that a server without TLS has to speak first, where it might want TLS (STS).
SPEAK_FIRST: Final = 5.0


async def connect(link: Link) -> None:
    """Open the socket, when it is the user's turn; the rest begins with it."""
    try:
        nick_line(link.nick)
        await link.slot()
        if link.net.idle:  # all have left while we waited for our turn
            link.close("")
            return
        async with asyncio.timeout(REACH_WITHIN):
            await link.way.reach(link.connection, link.settings)
    except TimeoutError:
        words = say("irc.unreached", server=link.settings.name)
        link.fail(LegacyError("remote-server-timeout", words, retry_after=60))
    except LegacyError as error:
        link.fail(error.with_traceback(None))  # it holds this frame, and with it the link
    except Exception:
        log.exception("connecting to %s failed", link.settings.name)
        link.fail(LegacyError("internal-server-error", say("irc.failed")))


def begin(link: Link, transport: asyncio.Transport) -> None:
    """The socket is open: the first lines of the registration."""
    encrypted = transport.get_extra_info("ssl_object") is not None
    webirc = link.way.webirc(link.settings)
    link.registration = registration_of(link.settings, link.nick, link.user, encrypted, webirc)
    _step(link, link.registration, link.registration.start())


def feed(link: Link, line: str) -> None:
    """One line before 001."""
    registration = link.registration
    if registration is not None:
        known = registration.nick_refused
        _step(link, registration, registration.feed(parse(line)), known)


def _step(link: Link, registration: Registration, lines: list[str], known: LegacyError | None = None) -> None:
    """One step of it is done; its lines are to be sent. known: why the nick was not taken, if that was told before."""
    link.write_all(lines)
    if registration.puzzle is not None and link.solving is None:
        link.solving = link.loop.create_task(_solve(link, registration, registration.puzzle))
    if registration.upgrade:
        _come_back(link, registration.upgrade)
    elif registration.failed is not None:
        link.fail(registration.failed)
    elif registration.nick_refused is not None and registration.nick_refused is not known:
        _nick_refused(link, registration, registration.nick_refused)
    elif registration.done:
        _done(link, registration)


def _done(link: Link, registration: Registration) -> None:
    """001 has come: from here on the lines are the network's."""
    net = link.net
    link.registration = None
    link.account = registration.account
    net.negotiation = registration.negotiation
    net.caps = registration.caps
    net.registered(registration.nick or link.nick)
    link.way.heard(link.settings, link.connection, registration.sts)
    _speak_first(link)
    if registration.warning is not None:
        words = say("irc.not-logged-in", why=registration.warning.text)
        net.tell(Notice(irc_address.server(link.settings.name, net.fixed), words))


def _nick_refused(link: Link, registration: Registration, error: LegacyError) -> None:
    other = link.keeper.another_nick(link) if error.condition == "conflict" else None
    if other:
        link.nick = other
        link.write_all(registration.retry(other))
    elif other is None and link.net.joins:
        link.net.refuse_all(error)
    else:
        link.fail(error)


def _speak_first(link: Link) -> None:
    """What the user wants to be sent on every connection: it mostly has a password in it, so not without TLS (T10)."""
    if link.encrypted or link.settings.tls == "off":
        link.write_all(list(link.settings.after_connect))
    elif link.settings.after_connect:
        link.net.tell(Notice(irc_address.server(link.settings.name, link.net.fixed), say("irc.not-first")))


def _come_back(link: Link, port: int) -> None:
    """The server wants TLS (STS): nothing was said yet, and nothing will be without."""
    link.registration = None
    link.connection.disconnect()
    link.out.clear()
    link.buffer = Buffer()
    link.settings = replace(link.settings, tls="require", tls_ports=(port,))
    link.connection = Connection(link.connection.reactor, link)
    link.task = link.loop.create_task(connect(link))


async def _solve(link: Link, registration: Registration, puzzle: Puzzle) -> None:
    """What takes a tenth of a second is not for the loop."""
    solution = await link.loop.run_in_executor(None, puzzle.solve)
    link.solving = None
    try:
        if link.registration is registration:
            _step(link, registration, registration.solved(solution), registration.nick_refused)
    except Exception:
        log.exception("logging in to %s failed", link.settings.name)
        link.fail(LegacyError("internal-server-error", say("irc.failed")))


def tick(link: Link, now: float) -> None:
    """Once a second, until the server's greeting."""
    if link.connection.transport is None or now - link.since < REGISTER_WITHIN:
        if link.registration is not None and now - link.since > SPEAK_FIRST:
            link.write_all(link.registration.proceed())
        return
    if link.net.idle:
        link.close("")
    else:
        words = say("irc.greeting", server=link.settings.name)
        link.fail(LegacyError("remote-server-timeout", words))
