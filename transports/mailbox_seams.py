"""What a mailbox is plugged into, and its bounds. Types only; `mailbox.py` explains how they work together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from transports.errors import LegacyError
from transports.events import Letter, Message
from transports.xmpp.fence import Ping

if TYPE_CHECKING:
    from transports.store.journal import Row

log = logging.getLogger(__name__)

E = TypeVar("E")


class FarSide(Protocol):
    """The part of a durable bridge that the mailbox uses. `command.id` is the journal row's id: unique, ours, the same at
    every attempt, so it may serve as the far side's idempotency key."""

    async def send(self, user: str, command: Letter) -> Sequence[str]:
        """Hand a message on; the far side's ids. LegacyError: `certain` False means that it may have arrived."""
        ...

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        """Look up a message whose outcome is unknown (crash, timeout, uncertain error).

        Its ids when the far side has it; None when it certainly has not, or when a repeat does no harm: it is sent again.
        LegacyError with retry_after: cannot tell now, ask again; without: nobody can tell, the sender is told so.
        """
        ...


async def _as_it_is(_user: str, event: E) -> E:
    return event


def _alone(_user: str, _event: Message, _id: str) -> Sequence[Callable[[Any], None]]:
    return ()


class Seams(NamedTuple):
    """The gateway's side of a mailbox. All are plain functions; what they raise is logged and contained."""

    #: Write stanza text to the bridge's component stream; False when the stream is down.
    send_xmpp: Callable[[str], bool]
    #: The stanzas of an incoming row, in order, none if there is nothing to write: `id` of each must be row.id or one that
    #: `chat.row_of` leads back to it, `to` the owner (any of its JIDs). What it raises makes the row a dead letter; text that
    #: the stream would not carry whole must raise.
    render: Callable[[Row], Sequence[str]]
    #: The XEP-0199 iq of type get, from the bridge's domain.
    render_ping: Callable[[Ping], str]
    #: The far side has a letter, under these ids: (user, the command as posted, ids). Said before the row is done; when a
    #: crash or the store comes between, it is said again.
    on_sent: Callable[[str, Letter, Sequence[str]], None]
    #: The error stanza to who sent a letter that was given up: (user, the command as posted, error). Written through
    #: send_xmpp and fenced like a message, so that a crash does not swallow it; it may be written more than once.
    render_failed: Callable[[str, Letter, LegacyError], str]
    #: A message was refused for good by the user's server: (user, fact, error). The far side is told where it can be.
    on_refused: Callable[[str, Message, LegacyError], None]
    #: What a letter comes to when its turn has come, its references as the far side knows them; None: to nothing, it is
    #: done. LegacyError: it is given up, or tried again. Other errors: the store is away, the lane waits.
    resolve: Callable[[str, Letter], Awaitable[Letter | None]] = _as_it_is
    #: A message with its references as ids of stanzas, before it gets its row.
    refer: Callable[[str, Message], Awaitable[Message]] = _as_it_is
    #: What is stored in the transaction of an incoming row: (user, event, the row's id).
    along: Callable[[str, Message, str], Sequence[Callable[[Any], None]]] = _alone


class Limits(NamedTuple):
    """Bounds and times (seconds) of one bridge's mailbox."""

    queue: int = 1000  # open rows per user and direction
    window: int = 100  # rows per user on their way over the stream, and their characters
    window_size: int = 200_000
    flying: int = 2000  # the same for all users together: what the stream keeps in memory when the server stops reading
    flying_size: int = 4_000_000
    page: int = 50  # rows per user read from the journal at once
    sends: int = 20  # messages being handed to the far side at once
    sends_per_user: int = 4
    send_timeout: float = 120.0
    patience: float = 30.0  # a fence is repeated after this
    retry_gap: float = 5.0  # a refused row is not written again before this, then twice that …
    retry_gap_max: float = 300.0
    retry_after: float = 60.0  # … nor, without a sign of the user, before this, then twice that …
    retry_after_max: float = 6 * 3600.0
    bounces: int = 3  # a late bounce of a permanent kind is retried this often
    expire_in: float = 5 * 86400.0  # a row that is temporarily refused is given up after this
    expire_out: float = 86400.0
    keep_body: float = 86400.0
    keep_row: float = 30 * 86400.0  # dead letters, and how long a repeated key is recognised
    sweep: float = 15.0  # how often due retries are looked for
    purge: float = 600.0


def told(callback: Callable[..., None], *arguments: object) -> None:
    """Call a seam that only listens."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("mailbox: a listener failed")


def noted(future: asyncio.Future[Any]) -> None:
    """Let a journal entry go through by itself; its failure is logged (the row is then repeated, under the same id)."""
    future.add_done_callback(_note)


def _note(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and future.exception() is not None:
        log.error("mailbox: the journal cannot be written: %s", future.exception())
