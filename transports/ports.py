"""The whole contract of a bridge, on one screen.

A bridge is one folder under `bridges/`; its `bridge.py` has `def build(settings, services: Services) -> Bridge`, where
`settings` is its section of the configuration.
The gateway knows nothing of a protocol beyond this file and `events`.

Two kinds of bridges:
    live      (IRC) `do` is synchronous: it writes or queues and never awaits; facts come back through the outlet.
    durable   (SMS, mail) `send` is awaited by the mailbox, one command of a (user, contact) at a time, after the command
              has its journal row; what comes in goes through `Inlet.accept`, which returns when it is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from transports.events import Address, Command, Fact, Said, Say


class Identity(NamedTuple):
    """XEP-0030 identity of an address."""

    category: str
    type: str
    name: str


class Outlet(Protocol):
    """Where a live session puts its facts; made by the gateway, one per (user, bridge). Never raises."""

    def tell(self, fact: Fact) -> None: ...


class Inlet(Protocol):
    """Where a durable bridge puts what came in for a user."""

    async def accept(self, user: str, fact: Said, key: str) -> bool:
        """Journal `fact` for `user` (bare JID); on disk when this returns. False: `key` was there already (a repeat).

        key: unique per bridge, e.g. Twilio's message SID. Raises LegacyError when the user's queue is full.
        """
        ...


class Services(NamedTuple):
    """What a bridge is given at its start.

    key    secret, at least 16 bytes, equal on every start, this bridge's own: for names that must be stable and tell nothing
    inlet  where a durable bridge puts what came in
    """

    key: bytes
    inlet: Inlet


class Session(Protocol):
    """One user on a live bridge."""

    def do(self, command: Command) -> None:
        """Carry a command out or queue it; failure comes back as a fact. Never awaits, never raises."""
        ...

    def pause(self) -> None:
        """Stop reading from the far side: the XMPP stream does not keep up."""
        ...

    def resume(self) -> None: ...

    @property
    def idle(self) -> bool:
        """Nothing is connected or under way: the session may be dropped."""
        ...

    def close(self, reason: str) -> None:
        """End all of the user's connections, saying `reason` where the far side has a place for it."""
        ...


class Bridge(Protocol):
    """One protocol on one domain."""

    name: str
    domain: str
    durable: bool

    def address(self, name: str) -> Address:
        """The address that `name` (a JID's unescaped local part) means; LegacyError when it means nothing."""
        ...

    def person(self, room: Address, nick: str) -> Address:
        """The person who is `nick` in `room`."""
        ...

    def can(self, address: Address) -> frozenset[type]:
        """The commands this address takes. Disco features and feature-not-implemented errors derive from it."""
        ...

    def identity(self, address: Address) -> Identity: ...

    def max_text(self, address: Address) -> int:
        """The longest text a Say may carry there, in characters."""
        ...

    async def start(self) -> None:
        """Bind listeners; returns when they and the retries run."""
        ...

    async def stop(self) -> None:
        """Say goodbye and release everything, within 5 s."""
        ...


class LiveBridge(Bridge, Protocol):
    def open(self, user: str, outlet: Outlet) -> Session:
        """A session for `user` (bare JID); cheap, connects nothing yet."""
        ...


class DurableBridge(Bridge, Protocol):
    async def send(self, user: str, command: Say) -> Sequence[str]:
        """Hand a message on; the far side's ids. `command.id` is ours and the same at every attempt. Raises LegacyError."""
        ...

    async def find(self, user: str, command: Say) -> Sequence[str] | None:
        """The far side's ids of a message whose sending ended in doubt; None: it certainly has not got it. Raises LegacyError."""
        ...
