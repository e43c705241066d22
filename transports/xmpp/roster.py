"""Contacts as the user's client sees them: subscriptions, roster items, presence.

RFC 6121 3 and 4, XEP-0100, XEP-0144, XEP-0356.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from transports.events import Address, ContactFact
from transports.gateway import Service
from transports.xmpp.read import Presence

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Roster:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {}

    def presence(self, presence: Presence, address: Address) -> bool:
        """Everything but rooms' presence: subscribe, subscribed, unsubscribe, unsubscribed, probe, and how the user is there."""
        if presence.to.local:
            return False
        # The gateway as a contact: there for whoever may use it; says by its caps what it is (XEP-0115).
        answers = {"subscribe": ("subscribed", ""), "probe": ("",), "unsubscribe": ("unsubscribed", "unavailable")}
        for kind in answers.get(presence.type, ()):
            typed = f" type='{kind}'" if kind else ""
            caps = "" if kind else self.desk.wing.caps()
            self.desk.send(f"{self.desk.door.opening('presence', self.desk.domain, presence.sender, typed)}>{caps}</presence>")
        return True

    def tell(self, user: str, fact: ContactFact) -> None:
        """Known, Seen, Changed, Forgotten."""

    def join(self, user: str) -> None:
        """A user has just registered: the gateway comes into the roster, with mutual subscription."""

    def leave(self, user: str) -> None:
        """A user unregisters: contacts and the gateway go out of the roster, subscriptions end both ways."""

    def connected(self) -> None:
        """The stream is up (again): the gateway and its contacts are there for all who hear them, paced."""

    def closing(self) -> None:
        """The gateway goes: unavailable to all who hear it."""
