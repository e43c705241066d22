"""The whole contract of a bridge, on one screen.

A bridge is one folder under `bridges/`; its `bridge.py` has `def build(settings, services: Services) -> Bridge`, where
`settings` is its section of the configuration, and `DURABLE = True` if it is durable.
The gateway knows nothing of a protocol beyond this file, `events` and `describe`. docs/writing-a-bridge.md shows a small one.

Two kinds of bridges:
    live      (IRC) `do` is synchronous: it writes or queues and never awaits; facts come back through the outlet.
    durable   (SMS, mail) `send` is awaited by the mailbox, one command of a (user, contact) at a time, after the command
              has its journal row; what comes in goes through `Inlet.accept`, which returns when it is on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from transports.describe import EVERYWHERE, Answers, Card, Description, Form, Prompt, Status, Value
from transports.errors import LegacyError
from transports.events import Address, Command, Fact, File, Kind, Letter, Message, Rank, Read, Said, Type
from transports.words import say


class Identity(NamedTuple):
    """XEP-0030 identity of an address."""

    category: str
    type: str
    name: str


# What the house gives a bridge ------------------------------------------------------------------------------------


class Outlet(Protocol):
    """Where a live session puts its facts; made by the gateway, one per (user, bridge). Never raises."""

    def tell(self, fact: Fact) -> None: ...


class Inlet(Protocol):
    """Where a durable bridge puts what came in for a user."""

    async def accept(self, user: str, fact: Message, key: str) -> bool:
        """Journal `fact` for `user` (bare JID); on disk when this returns. False: `key` was there already (a repeat).

        key: unique per bridge, e.g. Twilio's message SID. Raises LegacyError when the user's queue is full, or when the
        user blocks the contact (not-allowed).
        """
        ...

    def tell(self, user: str, fact: Fact) -> None:
        """Show what needs no journal: Typing, Displayed, Delivered, Undelivered, Notice, Known, Seen, Changed, Forgotten."""
        ...


class Accounts(Protocol):
    """Who is registered with this bridge. From memory, at once."""

    def users(self) -> Sequence[str]:
        """Bare JIDs of all who are registered."""
        ...

    def answers(self, user: str) -> Answers | None:
        """What a user gave at registration, secrets in plain text; None when not registered."""
        ...

    def preference(self, user: str, var: str) -> Value | None:
        """What a user chose, the field's default where nothing was."""
        ...

    async def change(self, user: str, answers: Answers) -> None:
        """Replace what a registered user gave; on disk when this returns."""
        ...


class Files(Protocol):
    """Files, both ways, with the house's guards."""

    async def fetch(self, user: str, file: File, types: Collection[str] = ()) -> tuple[File, bytes]:
        """The bytes of a file that a user sent a link to, and what is now known of it; LegacyError when it may not be had.

        types: what is wanted ("image/*", "application/pdf"), by what the bytes show; () for everything
        """
        ...

    async def share(self, user: str, data: bytes, name: str, type: str = "") -> File:
        """Put a file where the user's client can get it; LegacyError when it is too large or nothing takes it."""
        ...


class Options(Protocol):
    """What users have set for a place of a bridge: a server, a room, or the service for all. From memory, at once."""

    def of(self, user: str, place: Address) -> Answers:
        """What was set there, secrets in plain text; empty where nothing was."""
        ...

    def places(self, user: str) -> Sequence[Address]:
        """Where a user has set something."""
        ...

    def users(self) -> Sequence[str]:
        """Who has set something."""
        ...

    async def put(self, user: str, place: Address, answers: Answers, secrets: Collection[str] = ()) -> None:
        """Replace what is set there (empty: forget it), the vars in `secrets` sealed; on disk when this returns. LegacyError."""
        ...

    async def change(
        self, user: str, place: Address, changes: Mapping[str, Value | None], secrets: Collection[str] = ()
    ) -> None:
        """Set some vars, forget those that are None; the others stay, and what was secret stays it. As `put`."""
        ...


class Hearing(Protocol):
    """Whom users want to know of. From memory, at once."""

    def heard(self, user: str) -> Sequence[Address]:
        """The contacts whose presence a user gets: news of them are told as Seen."""
        ...


class _Nobody:
    def heard(self, user: str) -> Sequence[Address]:
        return ()


class Services(NamedTuple):
    """What a bridge is given at its start.

    key    secret, at least 16 bytes, equal on every start, this bridge's own: for names that must be stable and tell nothing
    inlet  where a durable bridge puts what came in
    """

    key: bytes
    inlet: Inlet
    accounts: Accounts
    files: Files
    options: Options
    hearing: Hearing = _Nobody()


# What a bridge is -------------------------------------------------------------------------------------------------


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
    """One protocol on one domain. A bridge inherits from LiveBridge or DurableBridge, and what has a body here may stay.

    kind   the type of its gateway identity (XEP-0100): irc, sms, smtp
    cards  the kinds of addresses that `card` may know anything of; of others, and of the gateway itself, it is never asked.
           Clients ask for the card of every occupant of a room: leave "person" out where nothing is known of people.
    shy    those among them of which it is asked only when somebody wants a card of just one: else `glance` has to do
    """

    name: str
    domain: str
    durable: bool
    kind: str
    cards: frozenset[Kind] = EVERYWHERE
    shy: frozenset[Kind] = frozenset()

    def address(self, name: str) -> Address:
        """The address that `name` (a JID's unescaped local part) means; LegacyError when it means nothing."""
        ...

    def person(self, room: Address, nick: str) -> Address:
        """The person who is `nick` in `room`; a bridge without rooms has none."""
        raise LegacyError("item-not-found", say("gate.no-rooms"))

    def can(self, address: Address) -> frozenset[type]:
        """The commands this address takes, and what else it can: events.Reply, Attach, Receipt.

        Disco features, fallbacks and errors derive from it (`xmpp/semantics`).
        """
        ...

    def can_for(self, user: str, address: Address) -> frozenset[type]:
        """The same for one user, on whose connection it may depend."""
        return self.can(address)

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

    def connections(self) -> Mapping[str, int]:
        """What the bridge is connected to, and how many times: IRC networks, say. For the operator."""
        return {}

    # People ---------------------------------------------------------------------------------------------------------

    def describe(self, user: str) -> Description:
        """What `user` is asked and may do. Cheap; called whenever a form is shown."""
        return Description(Prompt(say("prompt.address")))

    def contact(self, user: str, text: str) -> Address:
        """The address that `user` means by `text`, in any way of writing it; LegacyError with words when there is none."""
        return self.address(text.strip())

    async def register(self, user: str, answers: Answers, before: Answers | None) -> Answers:
        """Verify what `user` gave (field checks have passed); what is to be kept of it. `before`: what was kept so far.

        Raises describe.Wrong or LegacyError: then nothing changes. Undo at the far side what `before` had set up.
        """
        return answers

    async def unregister(self, user: str, answers: Answers) -> None:
        """The user leaves: undo at the far side what registering had set up. What it raises is logged; the user is gone."""
        return

    def preferred(self, user: str) -> None:
        """A user has chosen preferences."""
        return

    def status(self, user: str) -> Status:
        """How the gateway is there for a registered user: connected, refused by the far side …"""
        return Status()

    def presence(self, user: str, address: Address) -> Status:
        """How a contact is there, from what is known now. Changes come as Seen."""
        return Status()

    async def card(self, user: str, address: Address) -> Card | None:
        """What is known of an address; None when nothing is. The house keeps it until Changed, and asks once at a time; of
        the kinds in `shy` it keeps nothing."""
        return None

    def glance(self, user: str, address: Address) -> Card | None:
        """What is known of an address of a kind in `shy` at once, from memory."""
        return None


class Change(NamedTuple):
    """One item of what somebody wants changed in a room (XEP-0045 9): of a member, `nick`, or of whom `address` stands for,
    a JID's local part as in `Ranked`, which need be no address of anybody's (a ban's mask)."""

    nick: str = ""
    address: str = ""
    role: str = ""
    affiliation: str = ""
    reason: str = ""


class Ranked(NamedTuple):
    """An entry of a room's lists; `address`: a JID's local part that stands for it. '' and None where it is not known."""

    rank: Rank
    nick: str = ""
    address: str = ""
    reason: str = ""
    by: str = ""
    when: float | None = None


class About(NamedTuple):
    """What can be told of a room to who is not in it."""

    name: str
    occupants: int | None = None
    subject: str = ""


class Page(NamedTuple):
    """Rooms of a server, a page of them (XEP-0059): `first` is the index of the first, `total` of all that match."""

    rooms: Sequence[tuple[Address, About]]
    first: int
    total: int


class Search(NamedTuple):
    """Which rooms: `text` in name or subject, at least so many people; sorted by `key`: users | name; at most `most` of them,
    after or before one (its JID's local part; before '' is the last page), or from an index. XEP-0433, XEP-0059.
    """

    text: str = ""
    least: int = 0
    key: str = ""
    most: int = 100
    after: str | None = None
    before: str | None = None
    at: int | None = None
    names: bool = True
    subjects: bool = True


def _not_here() -> LegacyError:
    return LegacyError("feature-not-implemented", say("gate.not-here"))


class Program(NamedTuple):
    """What somebody's program says it is."""

    name: str
    version: str = ""
    system: str = ""


class LiveBridge(Bridge, Protocol):
    """What is awaited ends by LegacyError when the far side says no, or nothing in time.

    programs  whether the programs of people can be asked something (`version`, `ping`, `clock`); else ours answers for them
    """

    programs: bool = False

    def open(self, user: str, outlet: Outlet) -> Session:
        """A session for `user` (bare JID); cheap, connects nothing yet."""
        ...

    def kin(self, room: Address) -> str | None:
        """What follows a nick of plain ASCII, lowered, in the names of those who are in `room` (IRC: `%irc.libera.chat`); None
        where their names are not made so. `person` says the same of each, at the cost of a call."""
        return None

    def persistent(self, user: str, room: Address) -> bool:
        """Whether a user stays in a room when the last client has gone."""
        return False

    def concerns(self, user: str, said: Said) -> tuple[int, int] | None:
        """Whether a user is told of what is said in a room where no client is: where in the text they are mentioned, by code
        points, (0, 0) for something else; None: not to be told."""
        return None

    def records(self, user: str, place: Address) -> bool:
        """Whether what is said at a place, a room or a person, is archived for a user."""
        return place.kind == "room"

    def backlog(self, user: str, room: Address) -> int:
        """How many archived messages a client is shown, at most, when it comes into a room."""
        return 20

    async def administer(self, user: str, room: Address, changes: Sequence[Change]) -> None:
        """Change ranks (XEP-0045 9, 10): kick, ban, voice, op; done when this returns."""
        raise _not_here()

    async def ranked(self, user: str, room: Address, role: str, affiliation: str) -> Sequence[Ranked]:
        """Who has a role or an affiliation in a room; the other is ''."""
        raise _not_here()

    async def configuration(self, user: str, room: Address) -> Form:
        """How a room is set up, as a form (XEP-0045 10.2)."""
        raise _not_here()

    async def configure(self, user: str, room: Address, answers: Answers) -> None:
        """Set it up so; fields that are not among `answers` keep their values."""
        raise _not_here()

    def servers(self, user: str) -> Sequence[Address]:
        """The servers below the gateway that a user may want to look at."""
        return ()

    def reachable(self, user: str, place: Address) -> bool:
        """Whether `about` can know anything of a room now, `rooms` of a server; clients ask before they join, and must not wait
        for nothing."""
        return False

    async def version(self, user: str, person: Address) -> Program | None:
        """Which program somebody uses; None: ours."""
        return None

    async def ping(self, user: str, person: Address) -> None:
        """Return when somebody's program has answered."""
        return

    async def clock(self, user: str, person: Address) -> datetime | None:
        """The moment that somebody's clock shows, with its offset from UTC; None: ours does."""
        return None

    async def about(self, user: str, room: Address) -> About | None:
        """What the far side tells of a room that the user is not in, within a few seconds; None: nothing."""
        return None

    async def rooms(self, user: str, server: Address, search: Search) -> Page:
        """Rooms of a server."""
        return Page((), 0, 0)


class DurableBridge(Bridge, Protocol):
    async def send(self, user: str, command: Letter) -> Sequence[str]:
        """Hand a message on; the far side's ids. `command.id` is ours and the same at every attempt. Raises LegacyError."""
        ...

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        """The far side's ids of a message whose sending ended in doubt; None: it certainly has not got it. Raises LegacyError."""
        ...

    def hint(self, user: str, command: Type | Read) -> None:
        """Tell the far side what the user is doing, if it wants to know: best effort, at once, never stored."""
        return
