"""What is known of the users' clients: which one was there last, and what it can do (XEP-0030).

Presence reaches us where a user lets the gateway see it, or the server tells (XEP-0356). Bounded; nothing is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from transports.errors import LegacyError
from transports.xmpp.disco import INFO_NS

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

#: Users whose client is known, and clients of which it is known what they can do.
USERS, CLIENTS = 10_000, 1_000
#: Seconds a client may take to say what it can do.
PATIENCE: Final = 5.0


class Clients:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._last: OrderedDict[str, str] = OrderedDict()  # bare JID -> full JID
        self._features: OrderedDict[str, dict[str, bool]] = OrderedDict()  # only what was asked for: a client may name anything

    def here(self, full: str) -> None:
        """A client (full JID) is there."""
        user, slash, _ = full.partition("/")
        if slash:
            self._last[user] = full
            self._last.move_to_end(user)
            if len(self._last) > USERS:
                self._last.popitem(last=False)

    def gone(self, full: str) -> None:
        user = full.partition("/")[0]
        if self._last.get(user) == full:
            del self._last[user]
        self._features.pop(full, None)

    def last(self, user: str) -> str:
        """The client of a bare JID that was there last; '' when none is known."""
        return self._last.get(user, "")

    async def can(self, full: str, feature: str) -> bool:
        """Whether a client says that it can do something."""
        known = self._features.setdefault(full, {})
        if len(self._features) > CLIENTS:
            self._features.popitem(last=False)
        if feature not in known:
            try:
                query = await self.desk.asker.ask(full, f"<query xmlns='{INFO_NS}'/>", patience=PATIENCE)
            except LegacyError:
                query = None
            found = query.iterfind(f"{{{INFO_NS}}}feature") if query is not None else ()
            known[feature] = any(element.get("var") == feature for element in found)
        return known[feature]
