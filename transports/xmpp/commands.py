"""Ad-hoc commands (XEP-0050): what there is to be had at an address, and sessions of forms.

A command is a coroutine (`describe.AdHoc.run`) that asks through its `Call`; here the call's forms are XEP-0004, in `talk` they
are words. A session belongs to one full JID.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from transports.describe import AdHoc
from transports.events import Address
from transports.gateway import Service

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Commands:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {}

    def add(self, *commands: AdHoc) -> None:
        """The house's own."""

    def available(self, user: str, address: Address) -> list[AdHoc]:
        """What `user` (bare JID) may have at `address`: the house's own and the bridge's, in the order they are shown."""
        return []

    def sweep(self) -> None:
        """Sessions that nobody goes on with end."""

    def leave(self, user: str) -> None:
        """The user's sessions end."""
