"""Commands by chat, for clients that have no forms: words to the gateway's own JID, or to a server's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transports.events import Address
from transports.xmpp.read import Message

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Talk:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def said(self, message: Message, address: Address) -> bool:
        """Words of a person to an address that takes none by itself; False when there is nobody to talk to either."""
        return False

    def sweep(self) -> None:
        """Conversations that nobody goes on with end."""

    def leave(self, user: str) -> None:
        """The user's conversations end."""
