"""What every address of ours answers to, each beside the features it stands for: one table, handed to the gateway by `app`.

XEP-0030 (disco), XEP-0092 (version), XEP-0199 (ping), XEP-0202 (time), XEP-0410 (self-ping),
XEP-0433 (search). Clients ask any JID of a
gateway's domain before they decide what it is, so unknown ones are answered like people, at once and from memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final, cast

from transports.errors import LegacyError
from transports.events import Address, Say
from transports.gateway import Service, Wing
from transports.ports import Identity, LiveBridge, Search
from transports.words import say
from transports.xmpp import channelsearch, disco, inquiries, mam, rsm
from transports.xmpp.address import from_resource, jid_of, to_resource
from transports.xmpp.read import Iq
from transports.xmpp.room import Room

_INFO: Final = "{http://jabber.org/protocol/disco#info}query"
_ITEMS: Final = "{http://jabber.org/protocol/disco#items}query"
_VERSION: Final = "{jabber:iq:version}query"
_PING: Final = "{urn:xmpp:ping}ping"
_TIME: Final = "{urn:xmpp:time}time"
_SEARCH: Final = f"{{{channelsearch.NS}}}search"
_NICK_NODE: Final = "x-roomuser-item"


def _room(wing: Wing, iq: Iq, address: Address) -> Room | None:
    """The asker's own view of a room."""
    visitor = wing.known(iq.sender)
    return visitor.rooms.get(address) if visitor is not None else None


def _place(wing: Wing, iq: Iq, address: Address) -> disco.Place:
    if iq.to.resource and address.kind in ("person", "group"):
        return wing.client(address)
    place = wing.place(address, iq.sender.partition("/")[0])
    if wing.archive(iq.sender.partition("/")[0], address) is not None and not iq.to.resource:
        place = place._replace(features=tuple(sorted({*place.features, *mam.FEATURES})))
    if address.kind != "room":
        return place
    if iq.to.resource:
        return disco.Place(
            Identity("client", "pc", from_resource(iq.to.resource)), disco.features("person", frozenset({Say}))
        )
    if wing.desk is not None and wing.desk.commands_at(iq.sender.partition("/")[0], address):
        place = place._replace(features=tuple(sorted({*place.features, disco.COMMANDS})))
    room = _room(wing, iq, address)
    inside = room is not None and room.inside
    subject = room.subject.text if room is not None and inside else ""
    occupants = len(room.members) if room is not None and inside else None
    avatar = wing.desk.avatar(iq.sender.partition("/")[0], address) if wing.desk is not None else ""
    return place._replace(form=disco.roominfo(subject, occupants, place.identity.name, avatar))


def _own_nick(wing: Wing, iq: Iq, address: Address) -> str:
    """XEP-0045 7.12: nobody reserves a nick here; who is inside has one. Clients keep what they are told, so it must be true."""
    room = _room(wing, iq, address)
    if room is None or not room.inside or iq.to.resource:
        raise LegacyError("item-not-found", say("room.unreserved"))
    return disco.info(disco.Place(Identity("conference", "text", to_resource(room.nick)), ()), _NICK_NODE)


def info(wing: Wing, iq: Iq) -> str | Awaitable[str]:
    address = wing.address(iq.to.local)
    node = iq.payload.get("node", "") if iq.payload is not None else ""
    if node == _NICK_NODE and address.kind == "room":
        return _own_nick(wing, iq, address)
    if node and wing.desk is not None and (answer := wing.desk.info(iq, node)) is not None:
        return answer
    place = _place(wing, iq, address)
    if node and node != disco.node(place):
        raise LegacyError("item-not-found", "")
    if address.kind == "room" and not node and not iq.to.resource and _outside(wing, iq, address):
        return _told(wing, iq, address, place)
    return disco.info(place, node)


def _outside(wing: Wing, iq: Iq, address: Address) -> bool:
    """Whether the far side knows more of a room than we do."""
    room = _room(wing, iq, address)
    return (room is None or not room.inside) and _reachable(wing, iq, address)


async def _told(wing: Wing, iq: Iq, address: Address, place: disco.Place) -> str:
    """disco#info of a room that one is not in (XEP-0045 6.4): with what the far side tells of it, if it does in time."""
    about = await cast(LiveBridge, wing.bridge).about(iq.sender.partition("/")[0], address)
    if about is not None and place.form is not None:
        avatar = dict(place.form.fields).get("muc#roominfo_avatarhash", ("",))[0]
        place = place._replace(form=disco.roominfo(about.subject, about.occupants, place.identity.name, avatar))
    return disco.info(place)


def items(wing: Wing, iq: Iq) -> str | Awaitable[str]:
    """What is below: networks and the rooms one is in below the gateway, channels below a server; occupants are not listed."""
    address = wing.address(iq.to.local)
    node = iq.payload.get("node", "") if iq.payload is not None else ""
    if node and wing.desk is not None and (answer := wing.desk.items(iq, node)) is not None:
        return answer
    if node or address.kind not in ("service", "server"):
        return disco.items((), node)
    if address.kind == "server" and _reachable(wing, iq, address):
        search = channelsearch.paged(Search(most=channelsearch.USUAL), rsm.asked(iq.payload), wing.bridge.domain)
        return _channels(wing, iq, address, search)
    return disco.items(_below(wing, iq, address))


def _below(wing: Wing, iq: Iq, address: Address) -> list[tuple[str, str]]:
    """What is known without asking: servers, and the rooms that the asker is in."""
    bridge, visitor = wing.bridge, wing.known(iq.sender)
    found: list[Address] = []
    if address.kind == "service" and not bridge.durable:
        found += cast(LiveBridge, bridge).servers(iq.sender.partition("/")[0])
    if visitor is not None:
        rooms = [room for room, view in visitor.rooms.items() if view.inside]
        found += [room for room in rooms if not address.name or room.name.endswith(f"%{address.name}")]
    return [(jid_of(each.name, bridge.domain), bridge.identity(each).name) for each in found]


async def _channels(wing: Wing, iq: Iq, server: Address, search: Search) -> str:
    page = await cast(LiveBridge, wing.bridge).rooms(iq.sender.partition("/")[0], server, search)
    return channelsearch.items(page, wing.bridge.domain)


def search(wing: Wing, iq: Iq) -> str | Awaitable[str]:
    """XEP-0433: the form, or what fits it."""
    address = wing.address(iq.to.local)
    if address.kind != "server" or iq.payload is None:
        raise LegacyError("service-unavailable", say("search.elsewhere"))
    wanted = channelsearch.wanted(iq.payload, wing.bridge.domain)
    if wanted is None:
        language = wing.desk.language(iq) if wing.desk is not None else iq.language
        return channelsearch.form(language)
    return _found(wing, iq, address, wanted)


async def _found(wing: Wing, iq: Iq, server: Address, wanted: Search) -> str:
    page = await cast(LiveBridge, wing.bridge).rooms(iq.sender.partition("/")[0], server, wanted)
    return channelsearch.results(page, wing.bridge.domain)


def _reachable(wing: Wing, iq: Iq, address: Address) -> bool:
    """Whether the far side can be asked about a place now, and somebody is there to wait for the answer."""
    bridge = wing.bridge
    if bridge.durable or wing.desk is None:
        return False
    return cast(LiveBridge, bridge).reachable(iq.sender.partition("/")[0], address)


TABLE: Final[Mapping[tuple[str, str], Service]] = {
    ("get", _INFO): info,
    ("get", _ITEMS): items,
    ("get", _VERSION): inquiries.version,
    ("get", _PING): inquiries.ping,
    ("get", _TIME): inquiries.clock,
    ("get", _SEARCH): search,
}
