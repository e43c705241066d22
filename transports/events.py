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


class Person(NamedTuple):
    """What the far side tells of somebody, whatever room it is in; '' where it tells nothing.

    host     where they come from (IRC: ~user@host)
    account  whom they are logged in as
    away     why they are not there ('' without words); None: they are
    bot      no human
    name     what they call themselves beside the nick (IRC: real name)
    id       by what they were known when they came, and are for as long as they stay, in all rooms: '' by the nick alone,
             BY_ADDRESS by nick and host as they still are, else a text of the bridge that no nick can be (`=account`,
             `nick!host`)
    """

    host: str = ""
    account: str = ""
    away: str | None = None
    bot: bool = False
    name: str = ""
    id: str = ""


#: Person.id of those whose nick and host have not changed: nothing has to be kept for it.
BY_ADDRESS: Final = "@"


NOBODY: Final = Person()


class Subject(NamedTuple):
    """A room's subject; `nick` of who set it ('' when unknown), `when` in seconds since the epoch (None when unknown)."""

    text: str
    nick: str = ""
    when: float | None = None


class File(NamedTuple):
    """A file that a message carries: where it can be had, and what is known of it (XEP-0446); 0, '' and () for what is not.

    type       media type; size in bytes; width and height in pixels; length in seconds
    hashes     (algorithm as in XEP-0300, Base64)
    thumbnail  a small picture of it, as a data: URI or ''
    """

    url: str
    name: str = ""
    type: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    length: float = 0
    desc: str = ""
    hashes: Sequence[tuple[str, str]] = ()
    thumbnail: str = ""


class Span(NamedTuple):
    """Part of a text, by code points, up to before `end`, and what it is: strong, emphasis, deleted, code (XEP-0394)."""

    start: int
    end: int
    styles: tuple[str, ...]


class More(NamedTuple):
    """What a message carries beside its text.

    reply    the far side's id of the message that this one answers (XEP-0461), '' for none
    quote    the text of that message where it is known, for those who can only quote
    receipt  its sender asks to be told when it has arrived (XEP-0184)
    marker   its sender asks to be told when it was seen (XEP-0333)
    spans    what of the text is set apart; they do not overlap
    """

    files: Sequence[File] = ()
    reply: str = ""
    quote: str = ""
    thread: str = ""
    subject: str = ""
    language: str = ""
    receipt: bool = False
    marker: bool = False
    spans: Sequence[Span] = ()


Style: TypeAlias = Literal["say", "act", "notice"]
#: XEP-0085.
Activity: TypeAlias = Literal["active", "composing", "paused", "inactive", "gone"]

#: Why somebody is no longer in a room.
Cause: TypeAlias = Literal["left", "quit", "kicked", "banned", "killed", "split", "lost"]


# Commands ---------------------------------------------------------------------------------------------------------


class Join(NamedTuple):
    """Enter a room as `nick`. Answered by Entered, SameRoom or Refused.

    by     '' when nobody asks: the user was there before the gateway or the far side went
    since  what was said there after it (seconds since the epoch) is wanted, where the far side knows; None: nothing of it
    """

    room: Address
    nick: str
    by: str
    password: str = ""
    since: float | None = None


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
    more: More | None = None


class SetSubject(NamedTuple):
    """Change a room's subject. Answered by SubjectSet or Failed."""

    room: Address
    text: str
    by: str
    id: str
    ref: object = None


class Correct(NamedTuple):
    """Replace the text of an own message (XEP-0308). `of`: the far side's ids of it; `id`: the correction's own.

    A live bridge, which gives no ids for what it was told to say, finds in `of` the id that the Say had.
    """

    to: Address
    nick: str
    of: Sequence[str]
    text: str
    by: str
    id: str
    ref: object = None
    more: More | None = None


class Retract(NamedTuple):
    """Take an own message back (XEP-0424)."""

    to: Address
    nick: str
    of: Sequence[str]
    by: str
    id: str
    ref: object = None


class React(NamedTuple):
    """All that the user feels about a message now (XEP-0444): none means no more."""

    to: Address
    nick: str
    of: Sequence[str]
    emojis: Sequence[str]
    by: str
    id: str
    ref: object = None


class Type(NamedTuple):
    """What the user is doing there (XEP-0085). Never answered, never stored."""

    to: Address
    nick: str
    state: Activity
    by: str


class Read(NamedTuple):
    """The user has seen everything up to a message (XEP-0333). Never answered, never stored."""

    to: Address
    nick: str
    of: Sequence[str]
    by: str


class Invite(NamedTuple):
    """Ask somebody into a room: `whom` is a person's address. Answered by Echoed or Failed."""

    room: Address
    whom: Address
    by: str
    id: str
    reason: str = ""
    ref: object = None


class RequestVoice(NamedTuple):
    """Ask to be allowed to speak in a room (XEP-0045 7.13). Answered by Echoed or Failed."""

    room: Address
    by: str
    id: str
    ref: object = None


class SetAway(NamedTuple):
    """The user is away ('' without words), on every server; None: there again. Never answered."""

    text: str | None


Command: TypeAlias = (
    Join | Leave | Rename | Say | SetSubject | Correct | Retract | React | Type | Read | Invite | RequestVoice | SetAway
)


# What else an address may be able to do, beside commands: `Bridge.can` names these too ---------------------------------


class Reply:
    """A Say may answer a message (`More.reply`)."""


class Attach:
    """A Say may carry files (`More.files`)."""


class Receipt:
    """Delivered is told of a Say that arrived, if its sender asks (`More.receipt`)."""


# Facts ------------------------------------------------------------------------------------------------------------


class Entered(NamedTuple):
    """The user is in `room` as `nick`, for the first time or again after Interrupted; the whole picture at once.

    members  live: the bridge's own table, read-only here
    people   live, too, and shared by all rooms of a server: those of whom more is known than the nick
    """

    room: Address
    nick: str
    members: Mapping[str, Rank]
    subject: Subject
    people: Mapping[str, Person] = {}


class Interrupted(NamedTuple):
    """The far side is lost for now; the user stays in `room`, alone, until it is Entered again (or Left, or Refused)."""

    room: Address
    error: LegacyError


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
    who: Person = NOBODY


class Became(NamedTuple):
    """What is known of a member is another than before: account, host, away."""

    room: Address
    nick: str
    rank: Rank
    who: Person


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
    more: More | None = None


class Corrected(NamedTuple):
    """The text of an earlier message is now this one. `of`: the far side's id of that message; `key`: of this one."""

    where: Address
    nick: str
    of: str
    text: str
    when: float | None = None
    key: str = ""


class Retracted(NamedTuple):
    """An earlier message is taken back."""

    where: Address
    nick: str
    of: str
    when: float | None = None
    key: str = ""


class Reacted(NamedTuple):
    """All that somebody feels about a message now."""

    where: Address
    nick: str
    of: str
    emojis: Sequence[str]
    when: float | None = None
    key: str = ""


class Sent(NamedTuple):
    """The user said this to `where` from somewhere else: shown as a carbon where the server lets us (XEP-0356 message)."""

    where: Address
    text: str
    when: float | None = None
    key: str = ""
    more: More | None = None


class Typing(NamedTuple):
    """What somebody is doing (XEP-0085)."""

    where: Address
    nick: str
    state: Activity


class Displayed(NamedTuple):
    """Somebody has seen everything up to a message of the user (XEP-0333); `of`: the far side's id."""

    where: Address
    of: str


class Echoed(NamedTuple):
    """The far side has taken commands, in this order. A Say to a room may be reflected now; no receipt (XEP-0184): nobody
    has read it. `keys`: its ids of them, as far as it gives any ('' for none;
    with spaces between where one command became several)."""

    of: Sequence[Say | Rename | SetSubject | Correct | Retract | React | Invite | RequestVoice]
    keys: Sequence[str] = ()


class Delivered(NamedTuple):
    """A durable Say reached the far side (XEP-0184); `of`: the far side's id of it."""

    where: Address
    of: str


class Undelivered(NamedTuple):
    """A durable Say that the far side had taken did not arrive after all."""

    where: Address
    of: str
    error: LegacyError


class Failed(NamedTuple):
    """A command could not be done; `of` is the command."""

    of: Say | Rename | SetSubject | Correct | Retract | React | Invite | RequestVoice
    error: LegacyError


class Notice(NamedTuple):
    """Words of the service itself (IRC: of the server), for a person to read."""

    where: Address
    text: str


class Configured(NamedTuple):
    """A room is set up otherwise than before: its form tells how."""

    room: Address


class Invited(NamedTuple):
    """Somebody asks the user into a room."""

    room: Address
    nick: str
    reason: str = ""


class Known(NamedTuple):
    """A contact that belongs into the user's roster, or whose name there changed. groups: none is the gateway's own."""

    contact: Address
    name: str = ""
    groups: Sequence[str] = ()


class Seen(NamedTuple):
    """How a contact is there: RFC 6121's `show` ('' is available, 'unavailable' is gone) and words about it."""

    contact: Address
    show: str = ""
    status: str = ""


class Changed(NamedTuple):
    """A contact's card or picture is another one."""

    contact: Address


class Forgotten(NamedTuple):
    """A contact that is no more: out of the roster."""

    contact: Address


class Up(NamedTuple):
    """A server is connected for this user."""

    server: Address


class Down(NamedTuple):
    """A server is no longer connected for this user."""

    server: Address
    error: LegacyError | None = None


Outcome: TypeAlias = Literal["delivered", "displayed", "failed"]


class Told(NamedTuple):
    """What became of a message of the user's own, as the journal keeps it until the user's server has it.

    id         of the stanza that it was; by: the full JID that sent it
    what       delivered (XEP-0184), displayed (XEP-0333), or failed, with the error's condition, type and packed words
    """

    where: Address
    id: str
    by: str
    what: Outcome
    condition: str = ""
    type: str = ""
    text: str = ""


#: What is told of contacts: it changes rosters, presence and cards, not conversations.
ContactFact: TypeAlias = Known | Seen | Changed | Forgotten
#: What a durable bridge stores before it acknowledges.
Message: TypeAlias = Said | Corrected | Retracted | Reacted | Sent
#: What a mailbox hands to a durable bridge, in order.
Letter: TypeAlias = Say | Correct | Retract | React

Fact: TypeAlias = (
    Entered
    | Interrupted
    | SameRoom
    | Refused
    | Joined
    | Became
    | Left
    | Renamed
    | RoleSet
    | SubjectSet
    | Said
    | Corrected
    | Retracted
    | Reacted
    | Sent
    | Typing
    | Displayed
    | Echoed
    | Delivered
    | Undelivered
    | Failed
    | Notice
    | Configured
    | Invited
    | Known
    | Seen
    | Changed
    | Forgotten
    | Up
    | Down
)
