"""What clients ask of programs, not of people: version, ping, time; of the gateway itself, or of somebody on the far side.

XEP-0092, XEP-0199, XEP-0202, XEP-0410. A ping to an occupant is always a self-ping here: from outside one for a nick that the
client thinks it has cannot be told from one that is meant for who has that nick, and the stranger must not be asked.
Whom one wants to ping one pings by the person's own address.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import cast

from transports.errors import LegacyError
from transports.events import Address
from transports.gateway import Wing
from transports.ports import LiveBridge
from transports.words import say
from transports.xmpp import disco
from transports.xmpp.address import from_resource
from transports.xmpp.read import Iq
from transports.xmpp.room import Room


def version(wing: Wing, iq: Iq) -> str | Awaitable[str]:
    whom = _whom(wing, iq)
    return disco.version() if whom is None else _version(wing, iq, whom)


async def _version(wing: Wing, iq: Iq, whom: Address) -> str:
    program = await _live(wing).version(_user(iq), whom)
    return disco.version() if program is None else disco.program(*program)


def clock(wing: Wing, iq: Iq) -> str | Awaitable[str]:
    whom = _whom(wing, iq)
    return disco.time(time.time()) if whom is None else _clock(wing, iq, whom)


async def _clock(wing: Wing, iq: Iq, whom: Address) -> str:
    shown = await _live(wing).clock(_user(iq), whom)
    if shown is None:
        return disco.time(time.time())
    offset = shown.utcoffset()
    return disco.time(shown.timestamp(), round(offset.total_seconds() / 60) if offset is not None else 0)


def ping(wing: Wing, iq: Iq) -> str | Awaitable[str]:
    address = wing.address(iq.to.local)
    if address.kind == "room" and iq.to.resource:
        room, nick = _view(wing, iq, address)
        if nick == room.nick:
            return ""
        if nick not in room.members:  # XEP-0410 3: the client's own nick has changed, or it never was that
            raise LegacyError("item-not-found", "")
        raise LegacyError("feature-not-implemented", say("room.no-ping"))
    whom = _whom(wing, iq)
    return "" if whom is None else _ping(wing, iq, whom)


async def _ping(wing: Wing, iq: Iq, whom: Address) -> str:
    await _live(wing).ping(_user(iq), whom)
    return ""


def _whom(wing: Wing, iq: Iq) -> Address | None:
    """The person whose program is asked; None: ours is."""
    address = wing.address(iq.to.local)
    if wing.bridge.durable or not _live(wing).programs or address.kind not in ("room", "person"):
        return None
    if address.kind == "person":
        return address
    if not iq.to.resource:
        return None
    room, nick = _view(wing, iq, address)
    if nick == room.nick:
        return None
    if nick not in room.members:
        raise LegacyError("item-not-found", say("room.absent", nick=nick))
    return wing.bridge.person(address, nick)


def _view(wing: Wing, iq: Iq, address: Address) -> tuple[Room, str]:
    """The asker's own view of a room that the client is in, and the nick that is asked."""
    visitor = wing.known(iq.sender)
    room = visitor.rooms.get(address) if visitor is not None else None
    if room is None or iq.sender not in room.clients:
        raise LegacyError("not-acceptable", say("room.not-in"))
    return room, from_resource(iq.to.resource)


def _live(wing: Wing) -> LiveBridge:
    return cast(LiveBridge, wing.bridge)


def _user(iq: Iq) -> str:
    return iq.sender.partition("/")[0]
