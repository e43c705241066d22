"""What every address of ours answers to, each beside the features it stands for: one table, handed to the gateway by `app`.

XEP-0030 (disco), XEP-0092 (version), XEP-0199 (ping), XEP-0202 (time), XEP-0410 (self-ping). Clients ask any JID of a
gateway's domain before they decide what it is, so unknown ones are answered like people, at once and from memory.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from transports.errors import LegacyError
from transports.events import Address, Say
from transports.gateway import Service, Wing
from transports.ports import Identity
from transports.words import say
from transports.xmpp import disco, mam
from transports.xmpp.address import from_resource, jid_of
from transports.xmpp.read import Iq
from transports.xmpp.room import Room

_INFO: Final = "{http://jabber.org/protocol/disco#info}query"
_ITEMS: Final = "{http://jabber.org/protocol/disco#items}query"
_VERSION: Final = "{jabber:iq:version}query"
_PING: Final = "{urn:xmpp:ping}ping"
_TIME: Final = "{urn:xmpp:time}time"
_NICK_NODE: Final = "x-roomuser-item"


def _room(wing: Wing, iq: Iq, address: Address) -> Room | None:
    """The asker's own view of a room."""
    visitor = wing.known(iq.sender)
    return visitor.rooms.get(address) if visitor is not None else None


def _place(wing: Wing, iq: Iq, address: Address) -> disco.Place:
    if iq.to.resource and address.kind in ("person", "group"):
        return wing.client(address)
    place = wing.place(address)
    if wing.archive(iq.sender.partition("/")[0], address) is not None and not iq.to.resource:
        place = place._replace(features=tuple(sorted({*place.features, *mam.FEATURES})))
    if address.kind != "room":
        return place
    if iq.to.resource:
        return disco.Place(
            Identity("client", "pc", from_resource(iq.to.resource)), disco.features("person", frozenset({Say}))
        )
    room = _room(wing, iq, address)
    inside = room is not None and room.inside
    subject = room.subject.text if room is not None and inside else ""
    occupants = len(room.members) if room is not None and inside else None
    avatar = wing.desk.avatar(iq.sender.partition("/")[0], address) if wing.desk is not None else ""
    return place._replace(form=disco.roominfo(subject, occupants, place.identity.name, avatar))


def info(wing: Wing, iq: Iq) -> str:
    address = wing.address(iq.to.local)
    node = iq.payload.get("node", "") if iq.payload is not None else ""
    if node == _NICK_NODE and address.kind == "room":
        raise LegacyError("feature-not-implemented", say("room.unreserved"))  # XEP-0045 7.12
    if node and wing.desk is not None and (answer := wing.desk.info(iq, node)) is not None:
        return answer
    place = _place(wing, iq, address)
    if node and node != disco.node(place):
        raise LegacyError("item-not-found", "")
    return disco.info(place, node)


def items(wing: Wing, iq: Iq) -> str:
    """What is below: the networks one is on below the gateway, one's channels below a server; occupants are not listed."""
    address = wing.address(iq.to.local)
    node = iq.payload.get("node", "") if iq.payload is not None else ""
    if node and wing.desk is not None and (answer := wing.desk.items(iq, node)) is not None:
        return answer
    visitor = wing.known(iq.sender)
    entries: list[tuple[str, str]] = []
    if visitor is not None and not node and address.kind in ("service", "server"):
        for room, view in visitor.rooms.items():
            if view.inside and (not address.name or room.name.endswith(f"%{address.name}")):
                entries.append((jid_of(room.name, wing.bridge.domain), wing.bridge.identity(room).name))
    return disco.items(entries, node)


def version(wing: Wing, iq: Iq) -> str:
    return disco.version()


def ping(wing: Wing, iq: Iq) -> str:
    """XEP-0199; to an occupant of a room it is the self-ping of XEP-0410, answered here and never sent to IRC."""
    address = wing.address(iq.to.local)
    if address.kind != "room":
        return ""
    room = _room(wing, iq, address)
    if not iq.to.resource:
        return ""
    if room is None or iq.sender not in room.clients:
        raise LegacyError("not-acceptable", say("room.not-in"))
    nick = from_resource(iq.to.resource)
    if nick == room.nick:
        return ""
    if nick not in room.members:
        raise LegacyError("item-not-found", "")
    raise LegacyError("feature-not-implemented", "")


def clock(wing: Wing, iq: Iq) -> str:
    return disco.time(time.time())


TABLE: Final[Mapping[tuple[str, str], Service]] = {
    ("get", _INFO): info,
    ("get", _ITEMS): items,
    ("get", _VERSION): version,
    ("get", _PING): ping,
    ("get", _TIME): clock,
}
