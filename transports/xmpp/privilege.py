"""What servers grant this component beyond its own domain, and how it is used (XEP-0356).

Own layer for `urn:xmpp:privilege:1` and `:2`; grants belong to one component and to the users of the server that gave them, may
come at any time, and change. Everything works without; each who uses a grant has another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.etree.ElementTree import Element

from transports.xmpp.read import Message

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Grants(NamedTuple):
    """version: 0 is nothing. roster: '', get, set, both; message: '', outgoing; presence: '', managed_entity, roster;
    iq: (namespace, get or set or both)."""

    version: int = 0
    roster: str = ""
    message: str = ""
    presence: str = ""
    iq: tuple[tuple[str, str], ...] = ()


class Privilege:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def heard(self, message: Message) -> bool:
        """A message that may be an advert; True when it was one. Only a users' own server (its bare domain) may grant."""
        return False

    def grants(self, user: str) -> Grants:
        """What the server of `user` (bare JID) grants now."""
        return Grants()

    def connected(self) -> None:
        """A new stream: nothing is granted until it is told again."""

    async def iq(self, user: str, to: str, type: str, payload: str) -> Element | None:
        """Ask `to` as the user (bare JID); the payload of the result.

        Raises LegacyError: not-allowed when it is not granted, else what came back.
        """
        raise NotImplementedError

    def message(self, user: str, stanza: str) -> bool:
        """Send a message as the user; False when that is not granted.

        stanza: finished XML of namespace jabber:client, its `from` the user's bare JID
        """
        return False
