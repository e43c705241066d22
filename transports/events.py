"""The vocabulary: commands (imperative, XMPP to far side) and facts (past tense, far side to XMPP).

Everything the wings say to each other is one of these. They are NamedTuples: immutable, and a third of the cost of a
frozen dataclass on the hot way. Addresses are opaque to all but the bridge that made them, save their `kind`.

Two fields recur:
    by   the full JID of the client that asked; opaque to bridges, they hand it back
    id   the id of the stanza that asked; opaque to bridges, they hand it back
    ref  whatever the asker needs to know the answer by; opaque to bridges, never stored
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from transports.errors import LegacyError

Kind: TypeAlias = Literal["service", "server", "room", "person", "group"]


class Address(NamedTuple):
    """A place on the far side. `name` is the bridge's own text for it, e.g. `#python%irc.libera.chat`; the service's is ''."""

    kind: Kind
    name: str


class Rank(NamedTuple):
    """What a member may do in a room, in XEP-0045's words, and the far side's own mark for it (IRC: the mode letters)."""

    affiliation: str
    role: str
    mark: str = ""


NO_RANK: Final = Rank("none", "participant")


class Subject(NamedTuple):
    """A room's subject; `nick` of who set it ('' when unknown), `when` in seconds since the epoch (None when unknown)."""

    text: str
    nick: str = ""
    when: float | None = None


Style: TypeAlias = Literal["say", "act", "notice"]

#: Why somebody is no longer in a room.
Cause: TypeAlias = Literal["left", "quit", "kicked", "banned", "killed", "split", "lost"]


# Commands ---------------------------------------------------------------------------------------------------------


class Join(NamedTuple):
    """Enter a room as `nick`. Answered by Entered, SameRoom or Refused."""

    room: Address
    nick: str
    by: str
    password: str = ""


class Leave(NamedTuple):
    """Leave a room: the user's last client has gone."""

    room: Address
    reason: str = ""


class Rename(NamedTuple):
    """Take another nick (IRC: on the whole server). Answered by Renamed in each room, or Failed."""

    room: Address
    nick: str
    by: str
    id: str
    ref: object = None


class Say(NamedTuple):
    """Text to a room, to one of its members (`nick` set) or to a person. Answered by Echoed, Delivered or Failed."""

    to: Address
    nick: str
    text: str
    by: str
    id: str
    ref: object = None


class SetSubject(NamedTuple):
    """Change a room's subject. Answered by SubjectSet or Failed."""

    room: Address
    text: str
    by: str
    id: str
    ref: object = None


Command: TypeAlias = Join | Leave | Rename | Say | SetSubject


# Facts ------------------------------------------------------------------------------------------------------------


class Entered(NamedTuple):
    """The user is in `room` as `nick`; the whole picture at once. `members` is live: the bridge's own table, read-only here."""

    room: Address
    nick: str
    members: Mapping[str, Rank]
    subject: Subject


class SameRoom(NamedTuple):
    """`alias`, which was asked for, is the same place as `room` (IRC: equal under CASEMAPPING)."""

    room: Address
    alias: Address


class Refused(NamedTuple):
    """The far side does not let the user into `room`; to `by`, or to all who wait for that room when `by` is ''."""

    room: Address
    error: LegacyError
    by: str = ""


class Joined(NamedTuple):
    """Somebody else came."""

    room: Address
    nick: str
    rank: Rank


class Left(NamedTuple):
    """Members went, all for one cause. The user's own nick among them means that the user is out."""

    room: Address
    nicks: Sequence[str]
    cause: Cause
    reason: str = ""
    actor: str = ""


class Renamed(NamedTuple):
    """A member has another nick."""

    room: Address
    old: str
    new: str
    rank: Rank


class RoleSet(NamedTuple):
    """A member's rank changed."""

    room: Address
    nick: str
    rank: Rank
    actor: str = ""


class SubjectSet(NamedTuple):
    """The room's subject changed."""

    room: Address
    subject: Subject


class Said(NamedTuple):
    """Text by `nick` in a room, or by a person to the user (`where` is then the person's address, `nick` its nick).

    `when` is the far side's own time when it is worth showing (late), in seconds since the epoch; None means now.
    `key` is the far side's id of the message, '' when it has none.
    """

    where: Address
    nick: str
    text: str
    style: Style = "say"
    when: float | None = None
    key: str = ""


class Echoed(NamedTuple):
    """The far side has taken commands, in this order. A Say to a room may be reflected now; no receipt (XEP-0184): nobody
    has read it."""

    of: Sequence[Say | Rename | SetSubject]


class Delivered(NamedTuple):
    """A durable Say reached the far side (XEP-0184)."""

    to: Address
    by: str
    id: str


class Failed(NamedTuple):
    """A command could not be done; `of` is the command."""

    of: Say | Rename | SetSubject
    error: LegacyError


class Notice(NamedTuple):
    """Words of the service itself (IRC: of the server), for a person to read."""

    where: Address
    text: str


class Invited(NamedTuple):
    """Somebody asks the user into a room."""

    room: Address
    nick: str
    reason: str = ""


class Up(NamedTuple):
    """A server is connected for this user."""

    server: Address


class Down(NamedTuple):
    """A server is no longer connected for this user."""

    server: Address
    error: LegacyError | None = None


Fact: TypeAlias = (
    Entered
    | SameRoom
    | Refused
    | Joined
    | Left
    | Renamed
    | RoleSet
    | SubjectSet
    | Said
    | Echoed
    | Delivered
    | Failed
    | Notice
    | Invited
    | Up
    | Down
)
