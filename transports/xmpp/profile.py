"""Cards and pictures of our addresses: vcard-temp (XEP-0054), vCard4 (XEP-0292), nick (XEP-0172), avatars (XEP-0084, 0153)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from transports.events import Address
from transports.gateway import Service

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Profile:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {}

    def update(self, user: str, address: Address) -> str:
        """The `<x xmlns='vcard-temp:x:update'/>` for a presence, from what is known now."""
        return ""

    def changed(self, user: str, address: Address) -> None:
        """What was known of an address is void."""
