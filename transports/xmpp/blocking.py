"""Blocking (XEP-0191): the user's own list for this gateway, by iq and by command; what it means for messages both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from transports.gateway import Service

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Blocking:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {}
