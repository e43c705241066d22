"""What the gateway is plugged into: who may use it, the ids it gives out, the mailbox of a durable bridge, the desk.

Types, and two small values; `gateway` says how they work together. No socket, no loop, no store.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable
from typing import Protocol

from transports.events import Address, ContactFact
from transports.xmpp.client import Client
from transports.xmpp.read import Iq, Message, Presence
from transports.xmpp.semantics import Act


class Users:
    """Who may use the gateway: domains and bare JIDs; '*' is everybody."""

    __slots__ = ("_names",)

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def __contains__(self, bare: str) -> bool:
        names = self._names
        return bare in names or bare.rpartition("@")[2] in names or "*" in names

    def names(self, domain: str) -> bool:
        """Whether the operator has named this very domain."""
        return domain in self._names

    def serves(self, domain: str) -> bool:
        """Whether somebody of this domain may use the gateway."""
        return domain in self or any(name.endswith(f"@{domain}") for name in self._names)


class Ids:
    """Stanza ids that are times: nanoseconds since the epoch, odd for what is said now, even for what was said earlier."""

    def __init__(self) -> None:
        self._last = 0
        self._earlier = 2 * random.randrange(1_000_000)

    def stanza(self) -> str:
        now = time.time_ns() | 1
        self._last = now = now if now > self._last else self._last + 2
        return f"{now:x}"

    def at(self, when: float) -> str:
        """An id for something that was said at `when`, in seconds since the epoch; never later than now."""
        self._earlier += 2
        milliseconds = min(max(int(when * 1000), 1), time.time_ns() // 1_000_000)
        return f"{milliseconds * 1_000_000 + self._earlier % 1_000_000:x}"


class Durable(Protocol):
    """What the gateway needs of the mailbox."""

    def take(self, user: str, act: Act) -> None:
        """Take what a user (bare JID) does at a durable bridge; its failure is answered later."""
        ...

    def remarks(self, user: str) -> bool:
        """Whether a user wants reactions told in words where they cannot be told otherwise."""
        ...

    def bounced(self, message: Message) -> bool:
        """An error stanza came back; True when it was about a row of the journal."""
        ...

    def answered(self, iq: Iq) -> bool:
        """An answer to an iq of ours; True when it was a fence."""
        ...

    def available(self, user: str) -> None:
        """A sign of life of the user."""
        ...


class Desk(Protocol):
    """What the gateway does beside carrying conversations: registration, commands, rosters (`xmpp/desk`)."""

    def server(self, message: Message) -> bool:
        """A message with no words of a person: what a server grants us, what we have sent as a user; True when it was one."""
        ...

    def answered(self, iq: Iq) -> bool:
        """An answer to an iq of ours; True when somebody waits for it."""
        ...

    def blocks(self, user: str, address: Address) -> bool:
        """Whether `user` (bare JID) wants nothing of an address."""
        ...

    def presence(self, presence: Presence, address: Address) -> bool:
        """Subscriptions and probes to any address of ours, and how the user is there; True: nothing else is to be done."""
        ...

    def asks(self, message: Message) -> bool:
        """A message that asks something of a room: an invitation, a wish to be heard; True when it was one."""
        ...

    def words(self, message: Message, address: Address) -> bool:
        """Words to an address that takes none by itself (the gateway, a server): commands by chat. False: not ours either."""
        ...

    def language(self, stanza: Message | Presence | Iq) -> str:
        """The language of who sent it."""
        ...

    def commands_at(self, user: str, address: Address) -> bool:
        """Whether an address has commands (XEP-0050) for a user."""
        ...

    def avatar(self, user: str, address: Address) -> str:
        """The hash of the picture of an address, '' for none."""
        ...

    def picture(self, user: str, room: Address, client: Client) -> None:
        """Show a room's picture to a client that has come in."""
        ...

    def language_of(self, user: str) -> str:
        """The language of a bare JID as far as it is known, '' if not."""
        ...

    def unregistered(self, user: str) -> bool:
        """Whether `user` (bare JID) must register before anything else works."""
        ...

    def tell(self, user: str, fact: ContactFact) -> None:
        """What a bridge knows of contacts."""
        ...

    def info(self, iq: Iq, node: str) -> str | None:
        """disco#info of a node of what it serves; None when the node is not its."""
        ...

    def items(self, iq: Iq, node: str) -> str | None:
        """disco#items of such a node."""
        ...

    def later(self, iq: Iq, answer: Awaitable[str]) -> None:
        """Answer an iq when its service has an answer: its payload, or a LegacyError."""
        ...
