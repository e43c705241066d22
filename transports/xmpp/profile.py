"""Cards and pictures of our addresses: vcard-temp (XEP-0054), vCard4 (XEP-0292), nick (XEP-0172), avatars (XEP-0084, 0153).

What a bridge knows (`Bridge.card`) is asked for once at a time, kept until Changed, and told to those who hear the contact.
What it never knows is never asked: the gateway, servers and rooms have cards of the house, people their names, and the
occupants of such bridges an empty card, at once: Converse.js asks for the card of everybody in a room.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final, TypeAlias

from transports.describe import Avatar, Card
from transports.errors import LegacyError
from transports.events import Address, Kind
from transports.gateway import Service, Wing
from transports.ports import Bridge
from transports.words import in_language, say
from transports.xmpp import vcard
from transports.xmpp.address import from_resource, jid_of
from transports.xmpp.client import Client
from transports.xmpp.read import Iq

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

#: Whose question about which address.
Key: TypeAlias = tuple[str, Address]
#: What makes the answer to an iq of a card; LegacyError when there is nothing to answer with.
Shape: TypeAlias = Callable[[Card], str]
Answer: TypeAlias = Awaitable[str]

#: Cards that are kept; the least used go first, also when their pictures have more bytes than this together.
CARDS: Final = 10_000
PICTURES: Final = 32_000_000
#: What was last told of so many cards is remembered, so that nobody is told twice.
TOLD: Final = 50_000
#: Questions that nobody waits for: how many may wait for their turn, how many are asked at once.
WANTED: Final = 10_000
AT_ONCE: Final = 8
#: Seconds that a bridge has for an answer.
WITHIN: Final = 30.0

_EMPTY_CARD: Final = Card()
_TEMP: Final = f"{{{vcard.TEMP}}}vCard"
_FOUR: Final = f"{{{vcard.FOUR}}}vcard"
_PUBSUB: Final = f"{{{vcard.PUBSUB}}}"
_NODES: Final = frozenset((vcard.DATA, vcard.METADATA, vcard.NICK, vcard.FOUR_NODE))


class Kept:
    """Cards, within bounds of number and size."""

    def __init__(self, most: int = CARDS, bytes: int = PICTURES) -> None:
        self._most = most
        self._bytes = bytes
        self._held = 0
        self._cards: OrderedDict[Key, Card] = OrderedDict()

    def get(self, key: Key) -> Card | None:
        card = self._cards.get(key)
        if card is not None:
            self._cards.move_to_end(key)
        return card

    def put(self, key: Key, card: Card) -> None:
        self.drop(key)
        self._cards[key] = card
        self._held += _weight(card)
        while len(self._cards) > self._most or (self._held > self._bytes and len(self._cards) > 1):
            self._held -= _weight(self._cards.popitem(last=False)[1])

    def drop(self, key: Key) -> None:
        card = self._cards.pop(key, None)
        if card is not None:
            self._held -= _weight(card)


def _weight(card: Card) -> int:
    return len(card.avatar.data) if card.avatar is not None else 0


def _worded(card: Card, language: str) -> Card:
    """Texts of ours in it are said in the reader's language."""
    return card._replace(name=in_language(card.name, language), note=in_language(card.note, language))


@lru_cache
def picture(kind: str) -> Avatar:
    """The gateway's own picture, by the type of its identity."""
    folder = resources.files("transports").joinpath("icons")
    names = {file.name for file in folder.iterdir()}
    name = f"{kind}.png" if f"{kind}.png" in names else "other.png"
    return Avatar(folder.joinpath(name).read_bytes(), "image/png")


def known_kinds(bridge: Bridge) -> frozenset[Kind]:
    """The kinds of addresses that a bridge may know anything of: none while its `card` is the one that it inherits."""
    return frozenset() if getattr(type(bridge), "card", None) is Bridge.card else bridge.cards


class Profile:
    """`kinds`: of which addresses the bridge is asked."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.bridge = desk.bridge
        self.kinds = known_kinds(desk.bridge)
        self.shy = desk.bridge.shy
        self.table: Mapping[tuple[str, str], Service] = {
            ("get", _TEMP): self._temp,
            ("set", _TEMP): self._fixed,
            ("get", _FOUR): self._four,
            ("set", _FOUR): self._fixed,
            ("get", f"{_PUBSUB}pubsub"): self._items,
        }
        self._kept = Kept()
        self._asking: dict[Key, asyncio.Future[Card | LegacyError]] = {}
        self._wanted: OrderedDict[Key, None] = OrderedDict()
        self._workers = 0
        self._told: OrderedDict[Key, tuple[str, str]] = OrderedDict()
        self._greeted: OrderedDict[Key, None] = OrderedDict()  # by full JID

    # What others in the house need -----------------------------------------------------------------------------------

    def update(self, user: str, address: Address) -> str:
        """The `<x xmlns='vcard-temp:x:update'/>` for a presence, from what is known now; what is not is asked for."""
        card = self._known(user, address)
        if card is None:
            self._want((user, address))
            return vcard.NOT_READY
        return vcard.update(vcard.face_of(card))

    def avatar(self, user: str, address: Address) -> str:
        """The hash of an address' picture as far as it is known, '' for none: muc#roominfo_avatarhash (XEP-0486)."""
        card = self._known(user, address)
        if card is None:
            self._want((user, address))
        shown = vcard.face_of(card) if card is not None else None
        return shown.id if shown is not None else ""

    def changed(self, user: str, address: Address) -> None:
        """What was known of an address is void; who hears it is told what it is now."""
        key = (user, address)
        self._kept.drop(key)
        self._asking.pop(key, None)  # its answer may be the old one
        if self._heard(user, address):
            self._want(key)

    def greet(self, jid: str, address: Address) -> None:
        """A client is there, as an address sees it: it is told of its picture once (XEP-0163 4.3.4, the last item)."""
        user = jid.partition("/")[0]
        card = self._known(user, address)
        shown = vcard.face_of(card) if card is not None else None
        if shown is None or (jid, address) in self._greeted or not self._heard(user, address):
            return
        self._greeted[(jid, address)] = None
        if len(self._greeted) > TOLD:
            self._greeted.popitem(last=False)
        self._event(jid, address, vcard.METADATA, shown.id, vcard.metadata(shown))

    def parted(self, jid: str, address: Address) -> None:
        """A client is no longer there, as an address sees it."""
        self._greeted.pop((jid, address), None)

    def entered(self, user: str, address: Address, client: Client) -> None:
        """A client has come into a room: it is shown the room's picture, by presence of the room itself."""
        card = self._known(user, address)
        if card is None:
            self._want((user, address))
        elif (shown := vcard.face_of(card)) is not None:
            self._show_room(client, vcard.update(shown))

    # Questions of clients -------------------------------------------------------------------------------------------

    def _temp(self, wing: Wing, iq: Iq) -> str | Answer:
        """XEP-0054. Of everybody in a room: at once, unless there is something to be known."""
        address = wing.address(iq.to.local)
        if iq.to.resource and address.kind == "room" and "person" not in self.kinds:
            return vcard.EMPTY
        return self._answered(iq, address, vcard.temp)

    def _four(self, wing: Wing, iq: Iq) -> str | Answer:
        return self._answered(iq, wing.address(iq.to.local), vcard.four)

    def _fixed(self, wing: Wing, iq: Iq) -> str:
        raise LegacyError("forbidden", say("profile.fixed"))

    def _items(self, wing: Wing, iq: Iq) -> str | Answer:
        """XEP-0060 6.5, for the nodes of a profile."""
        asked = iq.payload.find(f"{_PUBSUB}items") if iq.payload is not None else None
        if asked is None:
            raise LegacyError("feature-not-implemented", "")
        node = asked.get("node", "")
        wanted = {item.get("id", "") for item in asked.iterfind(f"{_PUBSUB}item")}

        def items(card: Card) -> str:
            found = vcard.item(node, card)
            if found is None or (wanted and found[0] not in wanted):
                raise LegacyError("item-not-found", "")
            return vcard.items(node, *found)

        if node not in _NODES:
            raise LegacyError("item-not-found", "")
        return self._answered(iq, wing.address(iq.to.local), items, node != vcard.FOUR_NODE)

    def _answered(self, iq: Iq, address: Address, shape: Shape, pictured: bool = False) -> str | Answer:
        """What `shape` makes of a card: now if it is known, else when it is. pictured: only for its picture or nick."""
        user = iq.sender.partition("/")[0]
        everybody = bool(iq.to.resource) and address.kind == "room"
        if everybody:
            address = self.bridge.person(address, from_resource(iq.to.resource))
        language = self.desk.language(iq)
        if address.kind in self.shy and not pictured:  # one person is asked about; for everybody it must cost nothing
            card = self._glance(user, address) or _EMPTY_CARD if everybody else None
        else:
            card = self._known(user, address)
        if card is not None:
            return shape(_worded(card, language))
        return self._later(user, address, shape, language)

    async def _later(self, user: str, address: Address, shape: Shape, language: str) -> str:
        return shape(_worded(await self._ask((user, address)), language))

    # What is known ----------------------------------------------------------------------------------------------------

    def _known(self, user: str, address: Address) -> Card | None:
        """A card that needs no asking; None when the bridge has to be asked."""
        if address.kind not in self.kinds or address == self.desk.service or self.desk.unregistered(user):
            return self._own(user, address)
        if address.kind in self.shy:
            return self._glance(user, address) or self._own(user, address)
        card = self._kept.get((user, address))
        return self._own(user, address) if card == _EMPTY_CARD else card

    def _glance(self, user: str, address: Address) -> Card | None:
        """What is known of somebody whom the far side is not to be asked about unasked."""
        try:
            return self.bridge.glance(user, address)
        except Exception:
            log.exception("a bridge failed to say what it knows of an address")
            return None

    def _own(self, user: str, address: Address) -> Card:
        """What the house knows of an address by itself."""
        name = self.bridge.identity(address).name
        if address == self.desk.service:
            return Card(name, note=say("profile.gateway", domain=self.desk.domain), avatar=picture(self.bridge.kind))
        if address.kind == "room":
            visitor = self.desk.wing.known(user)
            room = visitor.rooms.get(address) if visitor is not None else None
            return Card(name, note=room.subject.text if room is not None and room.inside else "")
        return Card(name, avatar=picture(self.bridge.kind) if address.kind in ("service", "server") else None)

    def _heard(self, user: str, address: Address) -> bool:
        """Whether somebody is to be told of an address: its contact, or who is in the room."""
        if address.kind == "room":
            visitor = self.desk.wing.known(user)
            return visitor is not None and address in visitor.rooms
        contact = self.desk.contacts.get(user, address)
        return contact is not None and contact.hears and not contact.blocked

    # Asking the bridge ----------------------------------------------------------------------------------------------

    async def _ask(self, key: Key) -> Card:
        """The bridge's answer, one question at a time for all who want it. LegacyError when it has none."""
        future = self._asking.get(key)
        if future is None:
            future = self._asking[key] = asyncio.get_running_loop().create_future()
            self.desk.tasks.start(self._learn(key, future))
        outcome = await asyncio.shield(future)
        if isinstance(outcome, LegacyError):
            raise outcome
        return outcome

    async def _learn(self, key: Key, future: asyncio.Future[Card | LegacyError]) -> None:
        try:
            outcome = await self._asked(*key)
        except BaseException:
            future.cancel()
            raise
        future.set_result(self._own(*key) if outcome == _EMPTY_CARD else outcome)
        if self._asking.get(key) is future:  # else it was voided in the meantime
            del self._asking[key]
            if isinstance(outcome, Card) and key[1].kind not in self.shy:
                self._kept.put(key, outcome)
                self._tell(*key)

    async def _asked(self, user: str, address: Address) -> Card | LegacyError:
        try:
            async with asyncio.timeout(WITHIN):
                card = await self.bridge.card(user, address) or _EMPTY_CARD
                vcard.face_of(card)  # what is no card fails here, and not where it is told
            return card if card.name or card.nick or card == _EMPTY_CARD else self._named(address, card)
        except LegacyError as error:
            return error
        except TimeoutError:
            return LegacyError("remote-server-timeout", say("profile.late"), retry_after=60)
        except Exception:
            log.exception("a bridge failed to say what it knows of an address")
            return LegacyError("internal-server-error", say("gate.failed"))

    def _named(self, address: Address, card: Card) -> Card:
        """A card that has something, but no name."""
        return card._replace(name=self.bridge.identity(address).name)

    def _want(self, key: Key) -> None:
        """Ask when there is time; nobody waits for it."""
        if key in self._wanted or key in self._asking or len(self._wanted) >= WANTED:
            return
        self._wanted[key] = None
        if self._workers < AT_ONCE:
            self._workers += 1
            self.desk.tasks.start(self._work())

    async def _work(self) -> None:
        try:
            while self._wanted:
                key, _ = self._wanted.popitem(last=False)
                await self.desk.roster.crowd.turn()  # what is learned is told, too
                try:
                    await self._ask(key)
                except LegacyError as error:
                    log.debug("nothing is known of an address: %s", error.condition)
        finally:
            self._workers -= 1

    # Telling those who hear it ----------------------------------------------------------------------------------------

    def _tell(self, user: str, address: Address) -> None:
        """A card has become known: its picture and nick are news unless they are what was told before."""
        card = self._known(user, address)
        if card is None or not self._heard(user, address):
            return
        shown, nick = vcard.face_of(card), card.nick or card.name
        contact = self.desk.contacts.get(user, address)
        before = self._told.pop((user, address), ("", contact.name if contact is not None else ""))
        now = self._told[(user, address)] = (shown.id if shown is not None else "", nick)
        if len(self._told) > TOLD:
            self._told.popitem(last=False)
        if address.kind == "room":
            if now[0] != before[0]:
                self._tell_room(user, address, vcard.update(shown))
            return
        if nick and nick != before[1]:
            self._event(user, address, vcard.NICK, *(vcard.item(vcard.NICK, card) or ("", "")))
        if now[0] != before[0]:
            self._event(user, address, vcard.METADATA, now[0], vcard.metadata(shown))
            self.desk.roster.refresh(user, address)  # with it goes the hash (XEP-0153)

    def _event(self, to: str, address: Address, node: str, id: str, payload: str) -> None:
        more = f" type='headline' id='{self.desk.ids.stanza()}'"
        opening = self.desk.door.opening("message", jid_of(address.name, self.desk.domain), to, more)
        self.desk.send(f"{opening}>{vcard.event(node, id, payload)}</message>")

    def _tell_room(self, user: str, address: Address, update: str) -> None:
        visitor = self.desk.wing.known(user)
        room = visitor.rooms.get(address) if visitor is not None else None
        for client in room.clients.values() if room is not None else ():
            self._show_room(client, update)

    def _show_room(self, client: Client, update: str) -> None:
        # COMPAT: Converse.js, Gajim: XEP-0486 has the hash in disco, clients that are inside look for it in presence
        self.desk.send(f"{self.desk.door.opening('presence', client.room, client.jid)}>{update}</presence>")
