"""After a start: users are brought back into the rooms they were in, and the clients that still think they are in them.

A client that went meanwhile is found out as at any other time: what the room sends it comes back as an error. Rooms whose
user stays without a client come back in any case, others only for those clients. Pure decisions are few here; what a room
shows stands in `xmpp/comeback`, what was kept in `roll`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Final, cast

from transports.archive.values import History
from transports.errors import LegacyError
from transports.events import Address, Join
from transports.log import kv
from transports.ports import LiveBridge
from transports.roll import NO_ROLL, Stay
from transports.words import say
from transports.xmpp import comeback
from transports.xmpp.client import Client

if TYPE_CHECKING:
    from transports.gateway import Wing

log = logging.getLogger(__name__)

#: A client that is brought back has seen the past, or asks its archive.
NO_HISTORY: Final = History(stanzas=0)


async def readmit(wing: Wing, stays: Iterable[Stay]) -> None:
    """Bring all back, one user after the other; what others do goes on in between."""
    users = rooms = 0
    for user, group in groupby(sorted(stays, key=lambda stay: stay.user), key=lambda stay: stay.user):
        try:
            rooms += await _user(wing, user, list(group))
        except Exception:
            log.exception("a user could not be brought back")
        users += 1
        await asyncio.sleep(0)
    if users:
        log.info(kv("brought back", domain=wing.bridge.domain, users=users, rooms=rooms))


async def _user(wing: Wing, user: str, stays: list[Stay]) -> int:
    bridge = cast(LiveBridge, wing.bridge)
    roll = wing.roll or NO_ROLL
    count = 0
    for stay in stays:
        wanted = wing.admits(user) and (stay.clients or bridge.persistent(user, stay.room)) and _exists(bridge, stay.room)
        if not wanted:
            roll.left(user, stay.room)
            continue
        since = await _since(wing, stay)
        _room(wing, stay, since)
        count += 1
    return count


def _exists(bridge: LiveBridge, room: Address) -> bool:
    try:
        return bridge.address(room.name) == room
    except LegacyError:
        return False


async def _since(wing: Wing, stay: Stay) -> float:
    """Where the gap begins: at the last line that is archived, else when we were last alive."""
    past = wing.past(stay.user, stay.room)
    if past is None:
        return stay.since
    try:
        newest = await past.newest()
    except LegacyError:
        return stay.since
    return max(stay.since, newest.at / 1000) if newest is not None else stay.since


def _room(wing: Wing, stay: Stay, since: float) -> None:
    visitor = wing.visitor(stay.user)
    room = visitor.rooms.get(stay.room)
    clients = [Client(wing.door, one.name, one.jid, one.wanted, NO_HISTORY) for one in stay.clients]
    if room is not None:  # a client was faster: the others come in with it
        for client in clients:
            room.waiting.setdefault(client.jid, client)
        return
    room = visitor.open(stay.room)
    room.key = stay.password
    comeback.restore(room, stay.nick, clients, visitor.worded(say("room.returning")))
    room.roll_call()
    visitor.session.do(Join(stay.room, stay.nick, "", stay.password, since))
