"""What an address of ours is and can do, as XML: disco and its kin.

XEP-0030 (disco#info, disco#items), XEP-0128 (forms in it), XEP-0115 (caps), XEP-0045 6.4 (roominfo), XEP-0092 (version),
XEP-0202 (time). A ping's answer (XEP-0199) is empty. Pure: the caller knows the clock, who asks and what exists.

The tables name only what is served; a feature's line comes in the commit that serves it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from typing import Final, NamedTuple, TypeAlias

from transports.events import Invite, Join, Kind, RequestVoice
from transports.ports import Identity
from transports.xmpp import semantics
from transports.xmpp.write import stamp
from transports.xmpp.xml import MAX_STANZA, attr, clean, clip, text

INFO_NS: Final = "http://jabber.org/protocol/disco#info"
ITEMS_NS: Final = "http://jabber.org/protocol/disco#items"
CAPS_NS: Final = "http://jabber.org/protocol/caps"
MUC: Final = "http://jabber.org/protocol/muc"
ROOMINFO: Final = "http://jabber.org/protocol/muc#roominfo"

#: XEP-0115 node: which software this is.
SOFTWARE: Final = "urn:xmpp-transports"

#: What any address answers to.
_EVERYWHERE: Final = (
    INFO_NS,
    ITEMS_NS,
    "urn:xmpp:ping",
    "jabber:iq:version",
    "urn:xmpp:time",
    "vcard-temp",
    "urn:ietf:params:xml:ns:vcard-4.0",
)
#: The nodes of a profile: XEP-0084, XEP-0172, XEP-0292.
_NODES: Final = "http://jabber.org/protocol/pubsub#retrieve-items"

#: XEP-0050: where the house or a bridge has commands.
COMMANDS: Final = "http://jabber.org/protocol/commands"

#: XEP-0433 and XEP-0059: looking for rooms, and paging through them.
SEARCH: Final = ("http://jabber.org/protocol/rsm", "urn:xmpp:channel-search:0:search")

FEATURES_BY_KIND: Final[Mapping[Kind, tuple[str, ...]]] = {
    "service": (r"jid\20escaping", "jabber:iq:gateway", "jabber:iq:register", "urn:xmpp:blocking", CAPS_NS, COMMANDS, _NODES),
    "server": (COMMANDS, _NODES, *SEARCH),
    "room": (),
    "person": (COMMANDS, _NODES),
    "group": (COMMANDS, _NODES),
}

#: What comes with a command that an address takes; keys are of `transports.events`.
FEATURES_BY_COMMAND: Final[Mapping[type, tuple[str, ...]]] = {
    # A place that one joins is a room. Anybody may come and see who is there; its privacy is never claimed to be more,
    # as clients encrypt by default where muc_membersonly and muc_nonanonymous meet.
    Join: (
        MUC,
        "http://jabber.org/protocol/muc#self-ping-optimization",  # XEP-0410 3.2
        "http://jabber.org/protocol/muc#stable_id",  # XEP-0045 18: a reflection keeps its id
        "muc_nonanonymous",
        "muc_open",
        "muc_persistent",
        "muc_public",
        "urn:xmpp:hats:0",
        "urn:xmpp:occupant-id:0",
        "urn:xmpp:sid:0",
    ),
    Invite: ("jabber:x:conference",),
    RequestVoice: ("http://jabber.org/protocol/muc#request",),
    **{capability: rule.features for capability, rule in semantics.TABLE.items()},
}

#: A service whose identity says that rooms are below it (XEP-0045 6.1).
_ROOMS_BELOW: Final = {("service", "conference"): (MUC,)}


class Form(NamedTuple):
    """A XEP-0128 form: its FORM_TYPE, and the values of each field."""

    type: str
    fields: tuple[tuple[str, tuple[str, ...]], ...]


class Place(NamedTuple):
    """All that disco#info tells of one address."""

    identity: Identity
    features: tuple[str, ...]
    form: Form | None = None
    more: tuple[Identity, ...] = ()

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (self.identity, *self.more)


def features(kind: Kind, can: frozenset[type], category: str = "") -> tuple[str, ...]:
    """The features of an address, in caps order.

    can: the commands it takes (`Bridge.can`); category: that of its identity
    """
    found = {*_EVERYWHERE, *FEATURES_BY_KIND[kind], *_ROOMS_BELOW.get((kind, category), ())}
    for command in can:
        found.update(FEATURES_BY_COMMAND.get(command, ()))
    return tuple(sorted(found))


# disco (XEP-0030) --------------------------------------------------------------------------------------------------


def info(place: Place, node: str = "") -> str:
    """The answer to disco#info; `node` as it was asked."""
    parts = [
        f"<query xmlns='{INFO_NS}'{_node(node)}>",
        *map(_identity, place.identities),
        *(f"<feature var='{attr(var)}'/>" for var in place.features),
        _form(place.form) if place.form is not None else "",
        "</query>",
    ]
    return "".join(parts)


def _identity(identity: Identity) -> str:
    name = f" name='{attr(_line(identity.name))}'" if identity.name else ""
    return f"<identity category='{attr(identity.category)}' type='{attr(identity.type)}'{name}/>"


def items(entries: Iterable[tuple[str, str] | tuple[str, str, str]], node: str = "") -> str:
    """The answer to disco#items: (jid, name) or (jid, name, node) of each, as many as fit in a stanza."""
    parts = [f"<query xmlns='{ITEMS_NS}'{_node(node)}>"]
    size = 0
    for jid, name, *below in entries:
        named = f" name='{attr(_line(name))}'" if name else ""
        parts.append(f"<item jid='{attr(jid)}'{_node(*below)}{named}/>")
        size += len(parts[-1].encode())
        if size > MAX_STANZA - 12_000:  # an item has at most 4 kB of jid and of name; the stanza around it another 4
            parts.pop()
            break
    return "".join([*parts, "</query>"])


def roominfo(subject: str, occupants: int | None, name: str, avatar: str = "") -> Form:
    """XEP-0045 6.4; avatar: the hash of the room's picture (XEP-0486), '' for none.

    Conversations takes the room's name and what one may do there from the first form it finds.
    """
    fields = {
        "muc#roomconfig_allowpm": "anyone",
        "muc#roomconfig_roomname": name,
        "muc#roominfo_avatarhash": avatar,
        "muc#roominfo_changesubject": "1",
        "muc#roominfo_occupants": "" if occupants is None else str(occupants),
        "muc#roominfo_subject": subject,
    }
    return Form(ROOMINFO, tuple((var, (_line(value),)) for var, value in fields.items() if value))


def _node(node: str = "") -> str:
    return f" node='{attr(clip(node, 1_000))}'" if node else ""


def _form(form: Form) -> str:
    fields = [("FORM_TYPE", (form.type,)), *form.fields]
    parts = ["<x xmlns='jabber:x:data' type='result'>"]
    for var, values in fields:
        kind = " type='hidden'" if var == "FORM_TYPE" else ""
        inner = "".join(f"<value>{text(value)}</value>" for value in values)
        parts.append(f"<field var='{attr(var)}'{kind}>{inner}</field>")
    return "".join([*parts, "</x>"])


def _line(s: str) -> str:
    """Text of the far side as one line that every reader sees alike, and that cannot pass for a part of caps' hash."""
    return " ".join(clip(clean(s), 4_000).split()).replace("<", "‹")


# caps (XEP-0115) ---------------------------------------------------------------------------------------------------

#: (category, type, xml:lang, name)
_Naming: TypeAlias = tuple[str, str, str, str]


def verification(identities: Iterable[_Naming], features: Iterable[str], forms: Iterable[Form]) -> str:
    """The hash of XEP-0115 5.1, in Base64."""
    parts = ["/".join(naming) for naming in sorted(identities)]
    parts += sorted(features)
    for form in sorted(forms):
        parts.append(form.type)
        for var, values in sorted(form.fields):
            parts += [var, *sorted(values)]
    # UTF-8 sorts as its code points do: i;octet
    digest = hashlib.sha1("".join(f"{part}<" for part in parts).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


@lru_cache(1_000)
def caps_ver(place: Place) -> str:
    """The hash of what `info` tells of `place`."""
    namings = [(identity.category, identity.type, "", _line(identity.name)) for identity in place.identities]
    return verification(namings, place.features, [place.form] if place.form is not None else [])


def caps(place: Place) -> str:
    """The `<c/>` for a presence."""
    return f"<c xmlns='{CAPS_NS}' hash='sha-1' node='{SOFTWARE}' ver='{caps_ver(place)}'/>"


def node(place: Place) -> str:
    """The node under which a reader of `caps` asks for `place`."""
    return f"{SOFTWARE}#{caps_ver(place)}"


# Version and time --------------------------------------------------------------------------------------------------


@lru_cache(1)
def version() -> str:
    """The answer of XEP-0092. The operating system is nobody's business."""
    try:
        number = metadata.version("xmpp-transports")
    except metadata.PackageNotFoundError:
        number = "from source"
    return f"<query xmlns='jabber:iq:version'><name>Transports</name><version>{text(number)}</version></query>"


def program(name: str, version: str, system: str) -> str:
    """The answer of XEP-0092 for a program of somebody else's, in its own words."""
    os = f"<os>{text(clip(system, 500))}</os>" if system else ""
    words = f"<name>{text(clip(name, 500))}</name><version>{text(clip(version, 500))}</version>"
    return f"<query xmlns='jabber:iq:version'>{words}{os}</query>"


def time(now: float, offset: int = 0) -> str:
    """The answer of XEP-0202. now: seconds since the epoch; offset: minutes east of UTC."""
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"
    return f"<time xmlns='urn:xmpp:time'><tzo>{zone}</tzo><utc>{stamp(now)}</utc></time>"
