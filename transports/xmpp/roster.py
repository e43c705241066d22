"""Contacts as the user's client sees them: subscriptions, presence, and what becomes of both. The gateway is one of them.

RFC 6121 3 and 4, XEP-0100. What stands in rosters, and how it comes there, is `placing`'s; the table is `contacts`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from transports.contacts import Contact
from transports.describe import Status
from transports.errors import LegacyError
from transports.events import Address, Changed, ContactFact, Forgotten, Known, Seen
from transports.gateway import Service, Wing
from transports.log import kv
from transports.words import in_language, say
from transports.xmpp import disco, pacing, xml
from transports.xmpp.address import JidError, jid_of, parse, to_resource
from transports.xmpp.clients import Clients
from transports.xmpp.placing import Placing
from transports.xmpp.privilege import ROSTER, fitting, items_of
from transports.xmpp.read import Iq, Presence

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

#: RFC 6121 4.7.2.1.
_SHOWS: Final = frozenset(("away", "chat", "dnd", "xa"))
#: Stanzas that a stopping gateway still writes about contacts; it says of itself to all that it goes.
_GOODBYES: Final = 20_000
_NAME: Final = 500
#: Presences that are written at a time when all are told.
_SLICE: Final = 50


class Roster:
    """`clock` and `later` are the loop's."""

    def __init__(
        self,
        desk: Desk,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] = pacing.later,
    ) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {("set", f"{{{ROSTER}}}query"): self.pushed}
        self.clients = Clients(desk)
        self.crowd = pacing.Crowd(lambda: desk.wing.paused)
        self.placing = Placing(desk, self.clients, self.crowd, self._appear, clock, later)
        self._resource = to_resource(desk.bridge.kind)
        self._turn = 0
        self._closed = False  # goodbye is said: what a bridge tells while it stops comes too late

    # What the user's side says --------------------------------------------------------------------------------------

    def presence(self, presence: Presence, address: Address) -> bool:
        """Everything but rooms' presence: subscribe, subscribed, unsubscribe, unsubscribed, probe, and how the user is there."""
        kind = presence.type
        if kind == "":
            self.clients.here(presence.sender)
            self.desk.profile.greet(presence.sender, address)
            return not presence.to.local
        if kind == "unavailable":
            self.desk.profile.parted(presence.sender, address)
            if address.kind != "room":  # who leaves a room is there still
                self.clients.gone(presence.sender)
                self.desk.blocking.gone(presence.sender)
            return not presence.to.local
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, presence.sender.partition("/")[0], presence, address)
        return True

    def _subscribe(self, user: str, presence: Presence, address: Address) -> None:
        """RFC 6121 3.1.3: whoever may use an address may hear it. LegacyError: there is nothing to be heard."""
        if address.kind == "room":
            return self._typed(user, address, "unsubscribed", in_language(say("roster.room"), self.desk.language_of(user)))
        if address != self.desk.service and self.desk.unregistered(user):
            raise LegacyError("registration-required", say("gate.unregistered", domain=self.desk.domain))
        if self.jid(address) != presence.to.bare:
            self._elsewhere(user, address)
        row = self._row(user, address)
        self.desk.contacts.put(user, row._replace(hears=True))
        self._typed(user, address, "subscribed")
        self._appear(user, address)
        if user in self.desk.accounts and self.placing.missing(user, address):
            self.placing.want(user, address)  # XEP-0100 5.1: the contact hears the user, too
        return None

    def _elsewhere(self, user: str, address: Address) -> None:
        """An address under a name that is not its own: its words and presence come from the other."""
        if self.lists(user) and self.desk.contacts.get(user, address) is None:
            self.desk.contacts.put(user, Contact(address))
            self.placing.want(user, address)
        raise LegacyError("gone", say("roster.elsewhere", jid=self.jid(address)))

    def _subscribed(self, user: str, presence: Presence, address: Address) -> None:
        """RFC 6121 3.1.6. Never answered."""
        row = self.desk.contacts.get(user, address)
        if row is not None and row.asked:
            self._put(user, row._replace(heard=True, asked=False))

    def _unsubscribe(self, user: str, presence: Presence, address: Address) -> None:
        """RFC 6121 3.3.3; the gateway says it also to whom it does not know."""
        row = self.desk.contacts.get(user, address)
        if address == self.desk.service or (row is not None and row.hears):
            self._typed(user, address, "unsubscribed")
            self.desk.send(f"{self._opening(user, address, 'unavailable', here=True)}/>")
        if row is not None:
            self._put(user, row._replace(hears=False, asked=False))

    def _unsubscribed(self, user: str, presence: Presence, address: Address) -> None:
        """RFC 6121 3.2.3. Never answered. Who declines, or takes back what was granted, is not asked again."""
        row = self.desk.contacts.get(user, address)
        if row is not None:
            self._put(user, row._replace(heard=False, asked=row.asked or row.hears))

    def _probe(self, user: str, presence: Presence, address: Address) -> None:
        """RFC 6121 4.3.2: answered at once."""
        row = self.desk.contacts.get(user, address)
        if address != self.desk.service and (row is None or not row.hears):
            self._typed(user, address, "unsubscribed", to=presence.sender)
        else:
            self.desk.send(self.shown(user, address, to=presence.sender))

    def _put(self, user: str, row: Contact) -> None:
        """A contact's subscriptions have changed; it goes when both have ended."""
        if row.hears or row.heard or row.asked or row.blocked:
            self.desk.contacts.put(user, row)
        else:
            self.placing.unwant(user, row.address)
            self.desk.contacts.remove(user, row.address)

    def pushed(self, wing: Wing, iq: Iq) -> str:
        """A roster push of a server that lets us know (XEP-0356 4.5): what counts is what is in the roster now."""
        if "/" in iq.sender or iq.to.local or self.desk.privilege.grants(iq.sender).roster not in ("get", "both"):
            raise LegacyError("forbidden", "")
        for item in items_of(iq.payload).values():
            try:
                jid = parse(item.jid)
                address = wing.address(jid.local) if jid.domain == self.desk.domain and not jid.resource else None
            except (JidError, LegacyError):
                continue
            row = self.desk.contacts.get(iq.sender, address) if address is not None else None
            if row is not None and item.subscription == "remove":
                self._put(iq.sender, row._replace(hears=False, heard=False, asked=False))
            elif row is not None and (row.hears or row.heard):
                hears, heard = (item.subscription in (kind, "both") for kind in ("to", "from"))
                self.desk.contacts.put(iq.sender, row._replace(hears=hears, heard=heard, asked=not heard))
        return ""

    # What the far side says -----------------------------------------------------------------------------------------

    def tell(self, user: str, fact: ContactFact) -> None:
        """Known, Seen, Changed, Forgotten. Never raises."""
        try:
            if isinstance(fact, Seen):
                self._seen(user, fact)
            elif isinstance(fact, Known):
                self._known(user, fact)
            elif isinstance(fact, Changed):
                self._changed(user, fact.contact)
            else:
                self._forgotten(user, fact)
        except (LegacyError, JidError) as error:
            log.warning(kv("news of a contact is lost", domain=self.desk.domain, user=user, error=str(error)))
        except Exception:
            log.exception("news of a contact could not be told")

    def _known(self, user: str, fact: Known) -> None:
        address = fact.contact
        self.jid(address)  # JidError before anything is kept
        if user not in self.desk.accounts or address.kind in ("service", "room"):
            return
        before = self.desk.contacts.get(user, address)
        row = (before or Contact(address))._replace(
            name=" ".join(xml.clip(xml.clean(fact.name), _NAME).split()), groups=fitting(fact.groups)
        )
        self.desk.contacts.put(user, row)
        if not self.lists(user):
            return
        if self.placing.missing(user, address):
            self.placing.want(user, address)
        elif before is not None and before != row:
            self.placing.renamed(user, before)

    def _seen(self, user: str, fact: Seen) -> None:
        if self._hears(user, fact.contact) and not self._closed:
            show = "unavailable" if fact.show == "unavailable" else fact.show if fact.show in _SHOWS else ""
            self.desk.send(self.shown(user, fact.contact, Status(show, fact.status)))  # type: ignore[arg-type]

    def _changed(self, user: str, address: Address) -> None:
        self.desk.profile.changed(user, address)
        self.refresh(user, address)

    def _forgotten(self, user: str, fact: Forgotten) -> None:
        row = self.desk.contacts.get(user, fact.contact)
        if row is None or fact.contact == self.desk.service:
            return
        if row.hears and not row.blocked:
            self.desk.send(f"{self._opening(user, row.address, 'unavailable', here=True)}/>")
        self._put(user, row._replace(hears=False, heard=False, asked=False))
        self.placing.drop(user, row)

    def lists(self, user: str) -> bool:
        """Whether contacts come into this user's roster: registered, and not unwanted."""
        return user in self.desk.accounts and self.desk.accounts.preference(user, "roster") is not False

    # Coming and going -----------------------------------------------------------------------------------------------

    def join(self, user: str, by: str = "") -> None:
        """A user has just registered: the gateway comes into the roster, with mutual subscription. by: full JID of who did it."""
        if by:
            self.clients.here(by)
        row = self._row(user, self.desk.service)
        self.desk.contacts.put(user, row._replace(asked=False))
        if row.hears:
            self._appear(user, self.desk.service)
        if not row.heard:
            self.placing.want(user, self.desk.service)

    def leave(self, user: str) -> None:
        """A user unregisters: contacts and the gateway go out of the roster, subscriptions end both ways."""
        service = self.desk.service
        rows = [row for row in self.desk.contacts.of(user) if row.address != service]
        rows.append(self._row(user, service)._replace(hears=True, heard=True))
        for row in rows:
            if row.hears and not row.blocked:
                self.desk.send(f"{self._opening(user, row.address, 'unavailable', here=True)}/>")
        self.placing.empty(user, rows)

    def connected(self) -> None:
        """The stream is up (again): the gateway and its contacts are there for all who hear them, paced."""
        self._turn += 1
        users = [user for user in self._users() if self.desk.wing.admits(user)]
        if users:
            self.placing.hold()
            self.desk.tasks.start(self._greet(users, self._turn))

    async def _greet(self, users: list[str], turn: int) -> None:
        """The greatest number of stanzas there is: everything to everybody, then what is still missing in rosters."""
        for user in users:
            stanzas = self._all(user)
            while some := list(islice(stanzas, _SLICE)):
                await self.crowd.turn(len(some))
                if self._turn != turn:
                    return  # another stream has begun
                self.desk.wing.send_all(some)
            self.fill(user)

    def fill(self, user: str) -> None:
        """What is still missing in a user's roster comes there, if the user wants it."""
        if self.lists(user):
            rows = self.desk.contacts.of(user)
            self.placing.want(user, *(row.address for row in rows if self.placing.missing(user, row.address)))

    def _all(self, user: str) -> Iterator[str]:
        """Presence of all that a user hears; and the question how the user is there, where we may ask."""
        row = self._row(user, self.desk.service)
        if self._hears(user, row.address):
            yield self.shown(user, row.address)
        if row.heard:
            yield f"{self._opening(user, row.address, 'probe')}/>"
        for row in self.desk.contacts.of(user):
            if row.address != self.desk.service and row.hears and not row.blocked:
                yield self.shown(user, row.address)

    def granted(self, server: str) -> None:
        """A server has said what it grants."""
        self.placing.granted(server)

    def closing(self) -> None:
        """The gateway goes: unavailable to all who hear it."""
        self._closed = True
        self._turn += 1
        self.placing.questions.clear()
        users = [user for user in self._users() if self.desk.wing.admits(user)]
        service = self.desk.service
        gone = [f"{self._opening(user, service, 'unavailable')}/>" for user in users if self._hears(user, service)]
        for user in users:
            for row in self.desk.contacts.of(user):
                if row.hears and not row.blocked and row.address != service and len(gone) < len(users) + _GOODBYES:
                    gone.append(f"{self._opening(user, row.address, 'unavailable', here=True)}/>")
        self.desk.wing.send_all(gone)

    def _users(self) -> list[str]:
        """All who hear the gateway or are registered."""
        return list(dict.fromkeys([*self.desk.accounts.users(), *self.desk.contacts.users()]))

    # Presence -------------------------------------------------------------------------------------------------------

    def jid(self, address: Address) -> str:
        """The bare JID of an address. JidError when it can have none."""
        return jid_of(address.name, self.desk.domain)

    def shown(self, user: str, address: Address, status: Status | None = None, to: str = "") -> str:
        """How an address is there for a user, as a presence with all that belongs to it; status: if it is known already."""
        row = self.desk.contacts.get(user, address)
        status = Status("unavailable") if row is not None and row.blocked else status or self._status(user, address)
        words = in_language(status.text, self.desk.language_of(user))
        said = f"<status>{xml.text(xml.clip(words, 1_000))}</status>" if words else ""
        kind = "unavailable" if status.show == "unavailable" else ""
        opening = self._opening(to or user, address, kind, here=True)
        if kind:
            return f"{opening}>{said}</presence>"
        show = f"<show>{status.show}</show>" if status.show else ""
        wing, person = self.desk.wing, address.kind in ("person", "group")
        caps = disco.caps(wing.client(address) if person else wing.place(address))
        return f"{opening}>{show}{said}{caps}{self.desk.profile.update(user, address)}</presence>"

    def _status(self, user: str, address: Address) -> Status:
        """What the bridge says; what it fails at is logged, and nothing is said then."""
        try:
            if address != self.desk.service:
                return self.desk.bridge.presence(user, address)
            if self.desk.unregistered(user):
                return Status("", say("presence.unregistered", domain=self.desk.domain))
            return self.desk.bridge.status(user) if user in self.desk.accounts else Status()
        except LegacyError:
            return Status("unavailable")
        except Exception:
            log.exception("a bridge does not know how an address is there")
            return Status()

    def refresh(self, user: str, address: Address) -> None:
        """What belongs to an address's presence is another thing now: say it to a user who hears it."""
        if self._hears(user, address) and not self._closed:
            self._appear(user, address)

    def _appear(self, user: str, address: Address) -> None:
        self.desk.send(self.shown(user, address))

    def _hears(self, user: str, address: Address) -> bool:
        row = self.desk.contacts.get(user, address)
        return (row is not None and row.hears and not row.blocked) or (
            address == self.desk.service and user in self.desk.accounts
        )

    def _row(self, user: str, address: Address) -> Contact:
        return self.desk.contacts.get(user, address) or Contact(address)

    def _opening(self, to: str, address: Address, kind: str, here: bool = False) -> str:
        """The start of a presence; here: from the one client of a person, not from its bare JID."""
        jid = self.jid(address)
        sender = f"{jid}/{self._resource}" if here and address.kind in ("person", "group") else jid
        return self.desk.door.opening("presence", sender, to, f" type='{kind}'" if kind else "")

    def _typed(self, user: str, address: Address, kind: str, words: str = "", to: str = "") -> None:
        """A presence of a type, with words or without."""
        status = f"<status>{xml.text(words)}</status>" if words else ""
        self.desk.send(f"{self._opening(to or user, address, kind)}>{status}</presence>")


_HANDLERS: Final[Mapping[str, Callable[[Roster, str, Presence, Address], None]]] = {
    "subscribe": Roster._subscribe,
    "subscribed": Roster._subscribed,
    "unsubscribe": Roster._unsubscribe,
    "unsubscribed": Roster._unsubscribed,
    "probe": Roster._probe,
}


