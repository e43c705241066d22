"""Blocking (XEP-0191): the user's own list for this gateway, by iq and by command; what it means for messages both ways.

The list stands in the contacts. What it means is held where messages pass: `gateway` (words of the user), `visitor` and the
inlet (words of the contact), `roster` (presence). Whole rooms and the gateway itself cannot be blocked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from transports.contacts import MOST, Contact
from transports.describe import AdHoc, Answers, Call, Done, Field, Form, Table
from transports.errors import LegacyError
from transports.events import Address, Kind
from transports.gateway import Service, Wing
from transports.words import say
from transports.xmpp import xml
from transports.xmpp.address import JidError, from_resource, parse
from transports.xmpp.read import Iq

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

NS: Final = "urn:xmpp:blocking"
#: Clients that are told of changes, of how many users; items in one request; bytes of a list, so that it fits a stanza.
CLIENTS, USERS, ITEMS = 10, 1_000, 500
_ROOM: Final = xml.MAX_STANZA - 5_000
_WHERE: Final[frozenset[Kind]] = frozenset(("service", "person", "group"))
#: (what was done, whether it changed something) -> how it is said.
_SAID: Final[Mapping[tuple[str, bool], str]] = {
    ("block", True): "block.done",
    ("block", False): "block.done-already",
    ("unblock", True): "block.undone",
    ("unblock", False): "block.undone-already",
}


class Blocking:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._watching: OrderedDict[str, list[str]] = OrderedDict()  # user -> full JIDs that have asked for the list
        self.table: Mapping[tuple[str, str], Service] = {
            ("get", f"{{{NS}}}blocklist"): self.shown,
            ("set", f"{{{NS}}}block"): self.set,
            ("set", f"{{{NS}}}unblock"): self.set,
        }
        desk.commands.add(
            AdHoc("block", "block", say("block.label"), self._block, _WHERE, help=say("block.help")),
            AdHoc("unblock", "unblock", say("block.unlabel"), self._unblock, _WHERE, help=say("block.unhelp")),
            AdHoc("blocked", "blocked", say("block.list"), self._list, help=say("block.list-help")),
        )

    # What there is --------------------------------------------------------------------------------------------------

    def of(self, user: str) -> list[Address]:
        """Whom a user (bare JID) blocks."""
        return [row.address for row in self.desk.contacts.of(user) if row.blocked]

    def block(self, user: str, address: Address) -> bool:
        """Nothing goes either way from now on; False when that was so. LegacyError at the bound of contacts."""
        row = self.desk.contacts.get(user, address) or Contact(address)
        if row.blocked:
            return False
        self.desk.roster.placing.unwant(user, address)
        self.desk.contacts.put(user, row._replace(blocked=True))
        if row.hears:
            self.desk.send(self.desk.roster.shown(user, address))
        return True

    def unblock(self, user: str, address: Address) -> bool:
        """The contact is as it was before; False when it was not blocked."""
        row = self.desk.contacts.get(user, address)
        if row is None or not row.blocked:
            return False
        if row.hears or row.heard or row.asked or row.name:
            self.desk.contacts.put(user, row._replace(blocked=False))
            self.desk.roster.refresh(user, address)
        else:
            self.desk.contacts.remove(user, address)
        return True

    # XEP-0191 -------------------------------------------------------------------------------------------------------

    def shown(self, wing: Wing, iq: Iq) -> str:
        """XEP-0191 3.2; the client is told of changes from now on."""
        user = self._asker(wing, iq)
        watching = self._watching.setdefault(user, [])
        self._watching.move_to_end(user)
        if iq.sender not in watching:
            self._watching[user] = [*watching, iq.sender][-CLIENTS:]
        if len(self._watching) > USERS:
            self._watching.popitem(last=False)
        return self._element("blocklist", self.of(user))

    def set(self, wing: Wing, iq: Iq) -> str:
        """XEP-0191 3.3 to 3.5: all of the items or none."""
        user = self._asker(wing, iq)
        if self.desk.unregistered(user):
            raise LegacyError("registration-required", say("gate.unregistered", domain=self.desk.domain))
        if iq.payload is None or len(iq.payload) > ITEMS:
            raise LegacyError("bad-request", say("block.many", most=ITEMS))
        name = iq.payload.tag.rpartition("}")[2]
        jids = [item.get("jid", "") for item in iq.payload.iterfind(f"{{{NS}}}item")]
        addresses = list(dict.fromkeys(self._address(jid) for jid in jids))
        if name == "block" and not addresses:
            raise LegacyError("bad-request", say("block.nobody"))
        if name == "block":
            self._room_for(user, addresses)
        change = self.block if name == "block" else self.unblock
        changed = [address for address in addresses or self.of(user) if change(user, address)]
        self._push(user, name, changed if addresses else [])
        return ""

    def _room_for(self, user: str, addresses: Iterable[Address]) -> None:
        """LegacyError unless all of these can be kept: a list that is half done would be told to nobody."""
        fresh = sum(self.desk.contacts.get(user, address) is None for address in addresses)
        if fresh and len(self.desk.contacts.of(user)) + fresh > MOST:
            raise LegacyError("resource-constraint", say("contacts.full", count=len(self.desk.contacts.of(user))))

    def gone(self, full: str) -> None:
        """A client is no longer there."""
        user = full.partition("/")[0]
        if full in self._watching.get(user, ()):
            self._watching[user].remove(full)

    def _asker(self, wing: Wing, iq: Iq) -> str:
        if wing.address(iq.to.local) != self.desk.service:
            raise LegacyError("service-unavailable", say("block.elsewhere", domain=self.desk.domain))
        return iq.sender.partition("/")[0]

    def _address(self, jid: str) -> Address:
        """The person whom a JID of ours means; LegacyError when it means none."""
        try:
            to = parse(jid)
        except JidError:
            raise LegacyError("jid-malformed", say("gate.address")) from None
        if to.domain != self.desk.domain:
            raise LegacyError("item-not-found", say("block.foreign", jid=jid[:200], domain=self.desk.domain))
        address = self.desk.wing.address(to.local)
        if address.kind == "room" and to.resource:
            address = self.desk.bridge.person(address, from_resource(to.resource))
        return self._person(address)

    def _person(self, address: Address) -> Address:
        if address.kind not in ("person", "group"):
            raise LegacyError("not-allowed", say("block.person"))
        return address

    def _push(self, user: str, name: str, addresses: Iterable[Address]) -> None:
        """Tell the user's clients that have the list (XEP-0191 3.3); their answers are nobody's business."""
        payload = self._element(name, addresses)
        for full in self._watching.get(user, ()):
            opening = self.desk.door.opening("iq", self.desk.domain, full, f" type='set' id='{self.desk.ids.stanza()}'")
            self.desk.send(f"{opening}>{payload}</iq>")

    def _element(self, name: str, addresses: Iterable[Address]) -> str:
        items, size = [], 0
        for address in addresses:
            items.append(f"<item jid='{xml.attr(self.desk.roster.jid(address))}'/>")
            size += len(items[-1].encode())
            if size > _ROOM:
                items.pop()
                break
        return f"<{name} xmlns='{NS}'>{''.join(items)}</{name}>"

    # By command -----------------------------------------------------------------------------------------------------

    async def _block(self, call: Call) -> Done:
        address = call.at
        if address == self.desk.service:
            label = self.desk.bridge.describe(call.user).prompt.label
            who = Field("address", label, help=say("block.help"), required=True, check=partial(self._named, call.user))
            answers = await call.ask(Form(say("block.label"), (who,)))
            address = self.desk.bridge.address(str(answers["address"]))
        changed = self.block(call.user, self._person(address))
        return self._done(call.user, "block", address, changed)

    async def _unblock(self, call: Call) -> Done:
        address = call.at
        if address == self.desk.service:
            options = {blocked.name: self._label(blocked) for blocked in self.of(call.user)}
            if not options:
                return Done(say("block.none"))
            who = Field("address", say("block.who"), type="choice", required=True, options=options)
            answers: Answers = await call.ask(Form(say("block.unlabel"), (who,)))
            address = self.desk.bridge.address(str(answers["address"]))
        return self._done(call.user, "unblock", address, self.unblock(call.user, address))

    async def _list(self, call: Call) -> Done:
        blocked = self.of(call.user)
        if not blocked:
            return Done(say("block.none"))
        columns = (("name", say("block.name")), ("jid", say("block.jid")))
        rows = [(self._label(address), self.desk.roster.jid(address)) for address in blocked]
        return Done(say("block.count", count=len(rows)), Table(columns, rows))

    def _named(self, user: str, typed: str) -> str:
        """The canonical name of whom a user means; LegacyError with words for who cannot be blocked."""
        return self._person(self.desk.prompt.resolve(user, typed)).name

    def _label(self, address: Address) -> str:
        return self.desk.bridge.identity(address).name or address.name

    def _done(self, user: str, what: str, address: Address, changed: bool) -> Done:
        if changed:
            self._push(user, what, [address])
        return Done(say(_SAID[what, changed], name=self._label(address)))
