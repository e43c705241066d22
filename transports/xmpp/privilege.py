"""What servers grant this component beyond its own domain, and how it is used (XEP-0356).

Own layer for `urn:xmpp:privilege:1` and `:2`; grants belong to one component and to the users of the server that gave them, may
come at any time, and change. Everything works without; each who uses a grant has another way.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from transports.errors import ERROR_TYPES, LegacyError
from transports.log import kv
from transports.words import say
from transports.xmpp import xml
from transports.xmpp.read import STANZAS, Message

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

#: Version -> namespace.
NAMESPACES: Final[Mapping[int, str]] = {1: "urn:xmpp:privilege:1", 2: "urn:xmpp:privilege:2"}
FORWARD: Final = "urn:xmpp:forward:0"
ROSTER: Final = "jabber:iq:roster"
#: Servers whose grants are kept, and ids of messages sent as users.
SERVERS, IDS = 1_000, 10_000
#: Errors to a roster set after which its server is not asked again on this stream.
_HOPELESS: Final = frozenset(("feature-not-implemented", "forbidden", "internal-server-error"))
_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "roster": frozenset(("get", "set", "both")),
    "message": frozenset(("outgoing",)),
    "presence": frozenset(("managed_entity", "roster")),
    "iq": frozenset(("get", "set", "both")),
}


class Grants(NamedTuple):
    """version: 0 is nothing. roster: '', get, set, both; message: '', outgoing; presence: '', managed_entity, roster;
    iq: (namespace, get or set or both)."""

    version: int = 0
    roster: str = ""
    message: str = ""
    presence: str = ""
    iq: tuple[tuple[str, str], ...] = ()

    def may(self, namespace: str, type: str) -> bool:
        """Whether an iq of `type` with a payload of `namespace` may be sent as a user."""
        return self.version >= 2 and any(ns == namespace and kind in (type, "both") for ns, kind in self.iq)


NONE: Final = Grants()


class Item(NamedTuple):
    """A roster item (RFC 6121 2.1.2); subscription: none, to, from, both."""

    jid: str
    name: str = ""
    groups: tuple[str, ...] = ()
    subscription: str = "none"


# Reading ----------------------------------------------------------------------------------------------------------------


def grants_of(stanza: Element) -> Grants | None:
    """What a message grants; None when it is no advert. Of both versions in one message, the later counts.

    COMPAT: Prosody's mod_privilege nests each `<namespace/>` into the one before, in any order; all descendants are read.
    """
    for version in sorted(NAMESPACES, reverse=True):
        ns = f"{{{NAMESPACES[version]}}}"
        advert = stanza.find(f"{ns}privilege")
        if advert is not None:
            perms = {perm.get("access", ""): perm.get("type", "") for perm in advert.iter(f"{ns}perm")}
            kinds = {name: perms.get(name, "") if perms.get(name) in _TYPES[name] else "" for name in _TYPES}
            spaces = [(space.get("ns", ""), space.get("type", "")) for space in advert.iter(f"{ns}namespace")]
            iq = tuple(sorted({(name, type) for name, type in spaces if name and type in _TYPES["iq"]}))
            return Grants(version, kinds["roster"], kinds["message"], kinds["presence"], iq)
    return None


#: RFC 6121 2.1.2.5 and 2.1.2.6, 2.5 (remove).
_SUBSCRIPTIONS: Final = frozenset(("none", "to", "from", "both", "remove"))


def items_of(query: Element | None) -> dict[str, Item]:
    """The items of a jabber:iq:roster query by their JID, `remove` among the subscriptions of a push; others are none."""
    items = {}
    for found in query.iter(f"{{{ROSTER}}}item") if query is not None else ():
        groups = tuple(group.text or "" for group in found.iter(f"{{{ROSTER}}}group"))
        jid, subscription = found.get("jid", ""), found.get("subscription", "")
        items[jid] = Item(jid, found.get("name", ""), groups, subscription if subscription in _SUBSCRIPTIONS else "none")
    return items


def _inner(answer: Element | None) -> Element | None:
    """The payload of the iq in an answer to a privileged iq. LegacyError: the error in it.

    COMPAT: Prosody gives an error of the inner iq in a result of the outer one.
    """
    iq = answer.find(f".//{{{FORWARD}}}forwarded/*") if answer is not None else None
    if iq is None:
        raise LegacyError("undefined-condition", say("privilege.unclear"))
    client = iq.tag.removesuffix("iq")
    if iq.get("type") != "error":
        return next((child for child in iq if child.tag != f"{client}error"), None)
    error = iq.find(f"{client}error")
    names = [child.tag.removeprefix(STANZAS) for child in (error if error is not None else ())]
    words = (error.findtext(f"{STANZAS}text") or "") if error is not None else ""
    raise LegacyError(next((name for name in names if name in ERROR_TYPES), "undefined-condition"), words)


def _server(user: str) -> str:
    return user.partition("/")[0].rpartition("@")[2]


# For the operator -------------------------------------------------------------------------------------------------------


def advice(grants: Grants = NONE) -> list[str]:
    """What a server does not grant and what it would give, one line for each; for the log and `transports check`."""
    lacking = {
        "roster=both": (grants.roster == "both", "contacts come into rosters with their names, and nobody is asked first"),
        "message=outgoing": (bool(grants.message), "what a user sends from elsewhere is shown in XMPP clients too"),
        "presence=managed_entity": (bool(grants.presence), "it is known at once who is there, so waiting messages come sooner"),
        "iq urn:xmpp:http:upload:0=get": (grants.may("urn:xmpp:http:upload:0", "get"), "files are uploaded as the user"),
    }
    return [f"{what}: {gain}" for what, (given, gain) in lacking.items() if not given]


class Privilege:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._grants: dict[str, Grants] = {}
        self._unable: set[str] = set()  # servers that cannot set rosters, whatever they grant
        self._sent: OrderedDict[str, str] = OrderedDict()  # id of a message sent as a user -> that user
        self._said: set[str] = set()  # what the log has had on this stream
        self._fresh = False  # a stream on which nothing was granted so far

    # What is granted ------------------------------------------------------------------------------------------------

    def heard(self, message: Message) -> bool:
        """A message that may be an advert; True when it was one. Only a users' own server (its bare domain) may grant."""
        server = message.sender
        if message.rich is None or not server or "@" in server or "/" in server:
            return False
        grants = grants_of(message.rich)
        if grants is None:
            return False
        before = self._grants.get(server)
        if not self.desk.wing.users.serves(server) or (before is None and len(self._grants) >= SERVERS):
            return True
        if before is None or before.version <= grants.version:  # a server that speaks both versions tells both
            self._grants[server] = grants
            self._tell(server, grants)
            self.desk.roster.granted(server)
        return True

    def grants(self, user: str) -> Grants:
        """What the server of `user` (bare JID) grants now, as far as it can be used."""
        server = _server(user)
        grants = self._grants.get(server, NONE)
        if server in self._unable:
            return grants._replace(roster="get" if grants.roster == "both" else "")
        return grants

    def servers(self) -> dict[str, Grants]:
        """What each server grants that has said so on this stream."""
        return dict(self._grants)

    def told(self, user: str) -> bool:
        """Whether the server of `user` has said what it grants on this stream."""
        return _server(user) in self._grants

    def connected(self) -> None:
        """A new stream: nothing is granted until it is told again."""
        self._grants.clear()
        self._unable.clear()
        self._said.clear()
        self._fresh = True

    def sweep(self) -> None:
        """A minute or so after the stream came up: say once that nobody grants anything."""
        if self._fresh and not self._grants:
            log.info(kv("no privileges", domain=self.desk.domain, would_give="; ".join(advice())))
        self._fresh = False

    def _tell(self, server: str, grants: Grants) -> None:
        if server not in self._said:
            self._said.add(server)
            iq = ",".join(f"{ns}={type}" for ns, type in grants.iq) or None
            granted = {name: getattr(grants, name) or None for name in ("roster", "message", "presence")}
            missing = "; ".join(advice(grants)) or None
            # ejabberd then sends back all presence that we send, that of rooms too
            excess = "presence=roster: managed_entity is enough" if grants.presence == "roster" else None
            log.info(kv("privileges", domain=self.desk.domain, server=server, **granted, iq=iq, missing=missing, excess=excess))

    # Doing as the user ----------------------------------------------------------------------------------------------

    async def iq(self, user: str, to: str, type: str, payload: str) -> Element | None:
        """Ask `to` as the user (bare JID); the payload of the result.

        payload: one element, finished XML
        Raises LegacyError: not-allowed when it is not granted, else what came back.
        """
        namespace = ElementTree.fromstring(payload).tag.partition("}")[0].removeprefix("{")
        if not self.grants(user).may(namespace, type):
            raise LegacyError("not-allowed", say("privilege.none"))
        inner = f"<iq xmlns='jabber:client' type='{type}' id='{secrets.token_hex(8)}' to='{xml.attr(to)}'>{payload}</iq>"
        wrapped = f"<privileged_iq xmlns='{NAMESPACES[2]}'>{inner}</privileged_iq>"
        return _inner(await self.desk.asker.ask(user, wrapped, type, also=(_server(user),)))

    def message(self, user: str, stanza: str) -> bool:
        """Send a message as the user; False when that is not granted.

        stanza: finished XML of namespace jabber:client, its `from` the user's bare JID and with an id
        """
        grants = self.grants(user)
        if not grants.message:
            return False
        element = ElementTree.fromstring(stanza)
        id = element.get("id", "")
        if element.tag != "{jabber:client}message" or element.get("from") != user or not id:
            raise ValueError("no message of this user")
        self._sent[id] = user
        if len(self._sent) > IDS:
            self._sent.popitem(last=False)
        opening = self.desk.door.opening("message", self.desk.domain, _server(user), f" id='{self.desk.ids.stanza()}'")
        forwarded = f"<forwarded xmlns='{FORWARD}'>{stanza}</forwarded>"
        self.desk.send(f"{opening}><privilege xmlns='{NAMESPACES[grants.version]}'>{forwarded}</privilege></message>")
        return True

    def carbon(self, user: str, stanza: str) -> bool:
        """As `message`, where the user's own clients see it too; False where they do not.

        COMPAT: ejabberd 23.01, which speaks :1, hands such a message on and shows it to nobody.
        """
        return self.grants(user).version >= 2 and self.message(user, stanza)

    def own(self, id: str) -> bool:
        """Whether a message with this id was sent by us as a user."""
        return id in self._sent

    def echo(self, message: Message) -> bool:
        """A message that we sent as the user, which the server has brought to us as well: it was to an address of ours.

        Clients write under their full JIDs, so no client can have words of its own taken for it.
        """
        return bool(self._sent) and self._sent.get(message.id) == message.sender

    # Rosters --------------------------------------------------------------------------------------------------------

    async def roster(self, user: str) -> dict[str, Item]:
        """The user's roster by JID. LegacyError when it cannot be had."""
        return items_of(await self.desk.asker.ask(user, f"<query xmlns='{ROSTER}'/>", also=(_server(user),)))

    async def place(self, user: str, item: Item) -> None:
        """Put an item into the user's roster as it stands here, its subscription too. LegacyError when it cannot be done."""
        groups = "".join(f"<group>{xml.text(group)}</group>" for group in item.groups)
        name = f" name='{xml.attr(item.name)}'" if item.name else ""
        subscription = f" subscription='{xml.attr(item.subscription)}'"
        await self._set(user, f"<item jid='{xml.attr(item.jid)}'{name}{subscription}>{groups}</item>")

    async def remove(self, user: str, jid: str) -> None:
        """Take an item out of the user's roster. LegacyError when it cannot be done, item-not-found when it was not there."""
        await self._set(user, f"<item jid='{xml.attr(jid)}' subscription='remove'/>")

    async def _set(self, user: str, item: str) -> None:
        try:
            await self.desk.asker.ask(user, f"<query xmlns='{ROSTER}'>{item}</query>", "set", also=(_server(user),))
        except LegacyError as error:
            # COMPAT: ejabberd 23.01 grants this and fails at it
            if error.condition in _HOPELESS and _server(user) not in self._unable:
                self._unable.add(_server(user))
                log.warning(kv("rosters cannot be set", domain=self.desk.domain, server=_server(user), condition=error.condition))
            raise


def fitting(groups: Sequence[str]) -> tuple[str, ...]:
    """Names of roster groups as every server takes them: few, short, none empty or twice."""
    return tuple(dict.fromkeys(name for group in groups[:10] if (name := " ".join(xml.clip(xml.clean(group), 200).split()))))
