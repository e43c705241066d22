"""What a bridge says of itself for people: fields to fill in, commands, prompts, cards. Values only; the house makes forms, chat
and XML of them (XEP-0004, XEP-0050, XEP-0077, XEP-0100, XEP-0054, XEP-0292).

A complete description fits on one screen; docs/writing-a-bridge.md shows one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import reduce
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from transports.errors import LegacyError
from transports.events import Address, Kind
from transports.words import say

#: What a field holds: a text, a switch, or several texts.
Value: TypeAlias = str | bool | tuple[str, ...]
Answers: TypeAlias = Mapping[str, Value]

#: text: one line; lines: several; secret: never shown again, encrypted at rest; choice, choices: of `options`;
#: note: words to read, nothing to fill in.
FieldType: TypeAlias = Literal["text", "lines", "secret", "switch", "choice", "choices", "number", "jid", "jids", "note"]

Role: TypeAlias = Literal["user", "registered", "admin"]


class Field(NamedTuple):
    """One thing to ask a person for.

    var      XEP-0004's name; stable, it is also the name in the store
    label    what it is; help: one sentence about it ('' for none)
    default  what stands there before the person changes it (None: nothing)
    options  of a choice: value -> label
    check    the canonical value for what was typed, or ValueError / LegacyError with words; called with non-empty texts only
    legacy   the element of jabber:iq:register that old clients know for it: username, password, phone, email, nick …
    """

    var: str
    label: str
    type: FieldType = "text"
    help: str = ""
    required: bool = False
    default: Value | None = None
    options: Mapping[str, str] = {}
    check: Callable[[str], str] | None = None
    legacy: str = ""


class Form(NamedTuple):
    """A question with several fields."""

    title: str
    fields: Sequence[Field] = ()
    instructions: str = ""


class Wrong(LegacyError):
    """Answers that cannot be taken; `fields`: var -> what is wrong with it, each said at its field."""

    __slots__ = ("fields",)

    def __init__(self, fields: Mapping[str, str], condition: str = "not-acceptable") -> None:
        words = list(fields.values()) or [""]
        super().__init__(condition, reduce(lambda one, other: say("form.both", one=one, other=other), words))
        self.fields = fields


class Table(NamedTuple):
    """Columns (var, label) and rows of their texts."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]


class Done(NamedTuple):
    """How a command ended: one clear answer, and a table if there is one."""

    text: str
    table: Table | None = None


class Call(Protocol):
    """A command being carried out for somebody: ask, tell, answer. One per session; ended by its return or by `Cancelled`."""

    user: str  #: bare JID
    by: str  #: full JID
    role: Role
    at: Address  #: where it was called: the gateway, a server, a room, a contact
    language: str

    async def ask(self, form: Form, wrong: Mapping[str, str] = {}) -> Answers:
        """Ask for a form; its checked answers, one for every field but notes. `wrong`: what to say at fields, when asked again.

        Never returns when the person gives up or the session expires: the command ends there.
        """
        ...

    async def confirm(self, question: str) -> None:
        """Go on only if the person says yes."""
        ...

    def progress(self, text: str) -> None:
        """Say how far it is; long work does now and then."""
        ...

    def session(self) -> object:
        """On a live bridge the user's ports.Session, opened now if need be."""
        ...

    def enter(self, room: Address, nick: str) -> None:
        """On a live bridge: be in a room that no client is in, where the bridge says that the user stays (`persistent`)."""
        ...

    def abandon(self, room: Address) -> None:
        """On a live bridge: leave a room that no client is in, unless the user stays there."""
        ...


EVERYWHERE: Final[frozenset[Kind]] = frozenset(("service", "server", "room", "person", "group"))
AT_GATEWAY: Final[frozenset[Kind]] = frozenset(("service",))


class AdHoc(NamedTuple):
    """A command, for clients with forms and for the chat alike.

    node   XEP-0050's; the house's own are jabber:iq:register, preferences, unregister, and XEP-0133's for admins
    word   what one types in the chat to have it, lower case: `block`
    label  what it does, in a few words
    where  the kinds of addresses that have it
    role   who may have it: user (whoever may use the gateway), registered, admin
    run    carries it out; LegacyError is its failure, with words
    """

    node: str
    word: str
    label: str
    run: Callable[[Call], Awaitable[Done]]
    where: frozenset[Kind] = AT_GATEWAY
    role: Role = "user"
    help: str = ""


class Prompt(NamedTuple):
    """What one types to add a contact (XEP-0100 6.3, jabber:iq:gateway): a label of the text field, and a sentence about it."""

    label: str
    help: str = ""


class Registration(NamedTuple):
    """What a bridge wants of who registers; `required`: nothing works before (XEP-0077)."""

    fields: Sequence[Field] = ()
    instructions: str = ""
    required: bool = False


class Description(NamedTuple):
    """All that a bridge has people do."""

    prompt: Prompt
    registration: Registration = Registration()
    preferences: Sequence[Field] = ()
    commands: Sequence[AdHoc] = ()


class Avatar(NamedTuple):
    """A picture: its bytes, `type` image/png, image/jpeg, image/gif or image/webp. Made once, hashed once by the house."""

    data: bytes
    type: str


class Card(NamedTuple):
    """What is known of an address, '' and () where nothing is."""

    name: str = ""
    nick: str = ""
    phones: Sequence[str] = ()
    emails: Sequence[str] = ()
    urls: Sequence[str] = ()
    note: str = ""
    avatar: Avatar | None = None


#: XEP-0077's and RFC 6121's words: how somebody is there.
Show: TypeAlias = Literal["", "chat", "away", "xa", "dnd", "unavailable"]


class Status(NamedTuple):
    """How an address is there, and words about it."""

    show: Show = ""
    text: str = ""
