"""Far side to XMPP, durably: journal row first, then the stream, then the fence. Failures of what users sent go the same way.

An inbox holds what is read of one user's queue; users without open rows have none. Rows flow while the stream is up, the
fence has room for the user and no earlier row of the same contact waits. After a reconnect all that is not known to be
processed is written again, in order, with the same ids.

A refused row (error stanza with its id) waits for its user when the refusal is temporary, or came after the fence said
"processed" (ejabberd may bounce seconds later); else it is dead. No network, no XML, no SQL.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from transports.errors import ERROR_TYPES, LegacyError
from transports.events import Address, Letter, Message, Told
from transports.mailbox_seams import Limits, Seams, noted, told
from transports.tasks import Tasks
from transports.words import say, unpacked
from transports.xmpp.fence import Fence

if TYPE_CHECKING:
    from transports.store.journal import Journal, Row

log = logging.getLogger(__name__)

#: Conditions that pass by themselves, whatever type the server gave them (COMPAT: Prosody 0.12's mod_smacks bounces with
#: recipient-unavailable, its s2s with remote-server-not-found and -timeout, all of type cancel or wait).
_TEMPORARY: Final = frozenset(
    [
        "recipient-unavailable",
        "remote-server-not-found",
        "remote-server-timeout",
        "resource-constraint",
        "internal-server-error",
    ]
)


class Refusal(NamedTuple):
    """An error stanza (RFC 6120 8.3) with a row's id."""

    type: str
    condition: str
    text: str = ""

    @property
    def temporary(self) -> bool:
        return self.type == "wait" or self.condition in _TEMPORARY


class _Inbox:
    """What is known of one user's queue."""

    __slots__ = ("held", "more", "read_to", "reading", "ready", "releasing", "turn", "until")

    def __init__(self, more: bool) -> None:
        self.ready: deque[Row] = deque()  # read, to be written
        self.read_to = 0  # the seq up to which rows were read
        self.more = more  # the journal may hold queued rows behind read_to
        self.reading = False
        self.turn = 0  # counts restarts; what was read for an earlier turn is dropped
        self.held: set[Address] = set()  # contacts of whom a row waits
        self.until = 0.0  # held rows are not released before (loop time)
        self.releasing = False

    @property
    def empty(self) -> bool:
        return not (self.ready or self.more or self.reading or self.held or self.releasing)

    def stop(self) -> None:
        """Forget what was read, and read nothing until `restart`."""
        self.turn += 1
        self.ready.clear()
        self.reading = True

    def restart(self) -> None:
        """Read the queue from its beginning."""
        self.stop()
        self.read_to = 0
        self.more = True
        self.reading = False


class Incoming:
    def __init__(
        self,
        journal: Journal,
        seams: Seams,
        limits: Limits,
        new_id: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._seams = seams
        self._limits = limits
        self._clock = clock
        self._fence = Fence(new_id, limits.patience)
        self._inboxes: dict[str, _Inbox] = {}
        self._parked: dict[str, None] = {}  # owners who wait for others' rows to be processed
        self._tasks = Tasks("mailbox")
        self._up = False
        self._settling = 0
        self._asking = False
        self._timer: asyncio.TimerHandle | None = None
        self._quiet = asyncio.Event()

    async def start(self) -> None:
        """Find what the journal holds."""
        queued = await self._journal.owners("in", "queued") + await self._journal.owners("out", "failed")
        for owner in queued:
            self._inboxes.setdefault(owner, _Inbox(more=True)).restart()
        for owner in await self._journal.owners("in", "waiting"):
            inbox = self._inboxes.setdefault(owner, _Inbox(more=False))
            inbox.held.update(await self._journal.held(owner))
        self._flow_all()

    async def accept(self, user: str, fact: Message, key: str) -> bool:
        """See ports.Inlet."""
        return await self._keep(user, fact, key)

    async def tell_of(self, user: str, told: Told) -> None:
        """What became of a message of the user's own: it goes the way of messages. LegacyError when it cannot be stored."""
        await self._keep(user, told, None)

    async def _keep(self, user: str, event: Message | Told, key: str | None) -> bool:
        try:
            if isinstance(event, Told):
                future = self._journal.put("in", user, event, key, self._limits.queue)
            else:
                event = await self._seams.refer(user, event)
                along = partial(self._seams.along, user, event)
                future = self._journal.put("in", user, event, key, self._limits.queue, along)
            # Not in this coroutine: the row is to be delivered even if whoever waits here is cancelled.
            future.add_done_callback(self._arrived)
            return await asyncio.shield(future) is not None
        except LegacyError:
            raise
        except Exception as error:
            log.error("mailbox: a message could not be stored: %s", error)
            raise LegacyError("internal-server-error", say("queue.unstored"), type="wait", retry_after=60) from error

    def tell(self, row: Row) -> None:
        """A row of the user's own has failed: its error stanza goes to the stream."""
        inbox = self._inboxes.setdefault(row.owner, _Inbox(more=False))
        if inbox.more or inbox.reading or len(inbox.ready) >= self._limits.page:
            inbox.restart()  # its seq may lie before what was read
        else:
            inbox.ready.append(row)
        self._flow(row.owner)

    def connected(self) -> None:
        """The stream is up (again): write all that is not known to be processed."""
        self._up = True
        self._flow_all()

    def disconnected(self) -> None:
        """The stream has ended; what was on its way is queued again."""
        self._up = False
        self._fence.lost()
        self._parked.clear()
        self._quiet.set()
        for inbox in self._inboxes.values():
            inbox.restart()

    def answered(self, sender: str, id: str) -> bool:
        """An iq result or error came: whether it was a fence's answer."""
        passed = self._fence.answered(sender, id)
        if passed is None:
            return False
        if passed.rows:
            noted(self._journal.taken(passed.rows))
        self._flow(passed.user)
        for owner in list(self._parked):
            self._flow(owner)
        self._ask_soon()
        return True

    def refused(self, sender: str, id: str, refusal: Refusal) -> None:
        """A message of type error came from `sender` with an id of ours, perhaps a row's."""
        flying = self._fence.refused(sender, id)
        if flying or self._settling < self._limits.flying:
            self._settling += 1
            self._tasks.start(self._settle(sender.partition("/")[0], id, refusal, flying))

    def available(self, user: str) -> None:
        """The user gave a sign of life: what waits is written again, though not too soon after it was refused."""
        inbox = self._inboxes.get(user)
        if inbox is not None and inbox.held and not inbox.releasing:
            inbox.releasing = True
            self._tasks.start(self._release(user, inbox, inbox.until - _now()))

    def look_again(self, user: str) -> None:
        """The journal holds rows for this user that were dead before."""
        inbox = self._inboxes.setdefault(user, _Inbox(more=False))
        if not inbox.releasing:  # which reads all of it again by itself
            inbox.restart()
            self._flow(user)

    async def release_due(self) -> None:
        """Write again what waited long enough without a sign of its user."""
        for owner in await self._journal.due():
            inbox = self._inboxes.setdefault(owner, _Inbox(more=False))
            inbox.releasing = True
            await self._release(owner, inbox, 0.0)

    async def drain(self, within: float) -> None:
        """Wait until all that was written is known to be processed, at most `within` seconds; then end."""
        if self._up and self._fence.busy:
            self._quiet.clear()
            try:
                async with asyncio.timeout(within):
                    await self._quiet.wait()
            except TimeoutError:
                log.info("mailbox: %d messages were not confirmed in time and will be repeated", len(self._fence))
        self._up = False
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.end(1.0)

    # ------------------------------------------------------------------------------------------------------------------

    def _arrived(self, future: asyncio.Future[Row | None]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        row = future.result()
        if row is None:
            return
        inbox = self._inboxes.setdefault(row.owner, _Inbox(more=False))
        if inbox.more or inbox.reading or len(inbox.ready) >= self._limits.page:
            inbox.more = True
        else:
            inbox.ready.append(row)
            inbox.read_to = row.seq
        self._flow(row.owner)

    def _flow_all(self) -> None:
        for owner in list(self._inboxes):
            self._flow(owner)

    def _flow(self, owner: str) -> None:
        """Write what may be written to this user."""
        inbox = self._inboxes.get(owner)
        if inbox is None or not self._up:
            return
        self._parked.pop(owner, None)
        while inbox.ready and self._room(owner):
            row = inbox.ready.popleft()
            if row.contact in inbox.held and row.state == "queued":
                noted(self._journal.wait(row.id, row.created + self._limits.expire_in, row.error, row.attempts))
            elif row.id not in self._fence and not self._write(row):
                return
        if self._room(owner) and inbox.more and not inbox.reading:
            inbox.reading, inbox.more = True, False
            self._tasks.start(self._read(owner, inbox, inbox.turn))
        elif (inbox.ready or inbox.more) and self._own_room(owner) and not inbox.reading:
            self._parked[owner] = None
        elif inbox.empty and self._fence.idle(owner):
            del self._inboxes[owner]
        if not self._fence.busy:
            self._quiet.set()

    def _room(self, owner: str) -> bool:
        limits, fence = self._limits, self._fence
        return len(fence) < limits.flying and fence.size < limits.flying_size and self._own_room(owner)

    def _own_room(self, owner: str) -> bool:
        return self._fence.room(owner, self._limits.window, self._limits.window_size)

    def _write(self, row: Row) -> bool:
        """Put a row on the stream; False when that has ended."""
        try:
            if isinstance(row.event, Letter):
                stanzas: Sequence[str] = (self._seams.render_failed(row.owner, row.event, _why(row)),)
            else:
                stanzas = self._seams.render(row)
        except Exception:
            log.exception("mailbox: message %s cannot be rendered", row.id)
            noted(self._journal.dead(row.id, "internal-server-error: the message cannot be rendered"))
            return True
        if not all(map(self._send, stanzas)):
            return False
        self._fence.wrote(row.owner, row.id, sum(map(len, stanzas)))
        self._ask_soon()
        return True

    def _send(self, text: str) -> bool:
        try:
            sent = self._seams.send_xmpp(text)
        except Exception:
            log.exception("mailbox: the stream failed")
            sent = False
        if not sent:
            self.disconnected()
        return sent

    async def _read(self, owner: str, inbox: _Inbox, turn: int) -> None:
        try:
            rows = await self._journal.for_stream(owner, inbox.read_to, self._limits.page)
        except Exception as error:
            log.error("mailbox: the journal cannot be read: %s", error)
            await asyncio.sleep(self._limits.retry_gap)
            rows = None
        if inbox.turn != turn:
            return
        inbox.reading = False
        if rows is None:
            inbox.more = True
        else:
            inbox.ready.extend(row for row in rows if row.id not in self._fence)
            inbox.read_to = rows[-1].seq if rows else inbox.read_to
            inbox.more = inbox.more or len(rows) == self._limits.page
        self._flow(owner)

    # The fence --------------------------------------------------------------------------------------------------------

    def _ask_soon(self) -> None:
        """Ask behind all that is written in this turn of the loop."""
        if not self._asking:
            self._asking = True
            asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        self._asking = False
        if not self._up:
            return
        for ping in self._fence.due(_now()):
            if not self._send(self._seams.render_ping(ping)):
                return
        if self._timer is not None:
            self._timer.cancel()
        due = self._fence.next_due()
        self._timer = None if due is None else asyncio.get_running_loop().call_at(due, self._ask)

    # Refusals ---------------------------------------------------------------------------------------------------------

    async def _settle(self, owner: str, id: str, refusal: Refusal, flying: bool) -> None:
        try:
            row = await self._journal.get(id)
        finally:
            self._settling -= 1
        if row is None or row.owner != owner or not (row.state == "taken" or (flying and row.state == "queued")):
            return
        if isinstance(row.event, Told) and not refusal.temporary:
            await self._journal.taken([id])  # who does not want to know need not
        elif self._may_retry(row, refusal):
            await self._hold(row, refusal)
        else:
            error = LegacyError(_known(refusal.condition), refusal.text, certain=row.state != "taken")
            await self._journal.dead(id, f"{error.condition}: {refusal.text}"[:500])
            log.info("mailbox: message %s was refused: %s", id, error.condition)
            if row.event is not None and not isinstance(row.event, Letter):
                told(self._seams.on_refused, owner, row.event, error)
        self._flow(owner)

    def _may_retry(self, row: Row, refusal: Refusal) -> bool:
        if row.event is None or self._clock() - row.created > self._limits.expire_in:
            return False
        return refusal.temporary or (row.state == "taken" and row.attempts < self._limits.bounces)

    async def _hold(self, row: Row, refusal: Refusal) -> None:
        inbox = self._inboxes.setdefault(row.owner, _Inbox(more=False))
        inbox.held.add(row.contact)
        gap = _doubled(self._limits.retry_gap, row.attempts, self._limits.retry_gap_max)
        inbox.until = max(inbox.until, _now() + gap)
        later = self._clock() + _doubled(self._limits.retry_after, row.attempts, self._limits.retry_after_max)
        await self._journal.wait(row.id, later, _known(refusal.condition), row.attempts + 1)

    async def _release(self, owner: str, inbox: _Inbox, after: float) -> None:
        try:
            await asyncio.sleep(max(0.0, after))
            inbox.held.clear()
            inbox.stop()  # nothing flows past the rows that are being released
            await self._journal.release(owner)
        finally:
            inbox.releasing = False
            inbox.restart()
            self._flow(owner)


def _why(row: Row) -> LegacyError:
    """The error of a failed row as it was."""
    condition, _, text = row.error.partition(": ")
    return LegacyError(_known(condition), unpacked(text))


def _known(condition: str) -> str:
    """The condition as it may go into the journal, a log and an error of ours."""
    return condition if condition in ERROR_TYPES else "undefined-condition"


def _doubled(seconds: float, times: int, most: float) -> float:
    return min(most, seconds * 2.0 ** min(times, 30))


def _now() -> float:
    return asyncio.get_running_loop().time()
