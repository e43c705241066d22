"""Somebody's roster on a bridge with people, whose server does as the test says; time passes when the test says so."""

from __future__ import annotations

from collections.abc import Callable

from tests.far import FarBridge
from tests.xmpp.realm import ADA, Realm, short
from transports.contacts import Contact
from transports.describe import Description, Prompt, Registration, Status
from transports.events import Address, Changed, Forgotten, Known, Seen
from transports.ports import Identity
from transports.xmpp.roster import Roster

SERVICE = Address("service", "")
PEOPLE = [Address("person", name) for name in ("bob", "carol", "dave", "erin", "frank", "grace")]
BOBBY, CAROL = PEOPLE[:2]
PHONE = f"{ADA}/phone"
EVE = "eve@example.org"
NICK = "{http://jabber.org/protocol/nick}nick"
CAPS = "{http://jabber.org/protocol/caps}c"
ROSTERX = "http://jabber.org/protocol/rosterx"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
#: Both subscriptions of the gateway itself.
MUTUAL = Contact(SERVICE, hears=True, heard=True)


class Bridge(FarBridge):
    """`there`: how people are there; the gateway's own under ''."""

    required = False

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, Status | Exception] = {}

    def identity(self, address: Address) -> Identity:
        if address == SERVICE:
            return Identity("gateway", "far", "The Far Side")
        return Identity("account", "registered", address.name.title())

    def describe(self, user: str) -> Description:
        return Description(Prompt("Name"), Registration(required=self.required))

    def status(self, user: str) -> Status:
        return self.presence(user, SERVICE)

    def presence(self, user: str, address: Address) -> Status:
        found = self.there.get(address.name, Status())
        if isinstance(found, Exception):
            raise found
        return found


class Scene(Realm):
    """Time passes when the test says so."""

    def __init__(self, *users: str) -> None:
        self.far = Bridge()
        super().__init__(*users, bridge=self.far)
        self.now = 1_000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.desk.roster = Roster(
            self.desk, lambda: self.now, lambda delay, call: self.timers.append((self.now + delay, call))
        )
        self.wing.services = {**self.wing.services, **self.desk.roster.table}
        self.roster = self.desk.roster

    def passes(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= end]:
            timer = min(due, key=lambda timer: timer[0])
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = end

    def short(self) -> list[str]:
        return list(map(short, self.sent()))

    def row(self, address: Address = BOBBY, user: str = ADA) -> Contact | None:
        return self.desk.contacts.get(user, address)

    def has(self, *rows: Contact, user: str = ADA) -> None:
        for row in rows:
            self.desk.contacts.put(user, row)

    def tell(self, *facts: Known | Seen | Changed | Forgotten) -> None:
        for fact in facts:
            self.roster.tell(ADA, fact)

    def flags(self, address: Address = BOBBY) -> str:
        """`hears heard`, as the row has it; `none` where there is no row."""
        row = self.row(address)
        return (
            "none"
            if row is None
            else " ".join(flag for flag in ("hears", "heard", "asked", "blocked") if getattr(row, flag))
        )
