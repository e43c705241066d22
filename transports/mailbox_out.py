"""XMPP to far side, durably: one lane per (user, contact), strictly in order, a bounded number at once.

A lane hands over its oldest row, stores the outcome, takes the next. Before the bridge is asked the row is marked `sent`;
found in that state after a crash, a timeout or an uncertain error, it is looked up (`FarSide.find`), never sent blindly.
No XMPP, no network, no SQL.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from transports.errors import LegacyError
from transports.events import Address, Correct, Letter, Say
from transports.mailbox_seams import FarSide, Limits, Seams, told
from transports.tasks import Tasks
from transports.words import packed, say

if TYPE_CHECKING:
    from transports.store.journal import Journal, Row

log = logging.getLogger(__name__)

T = TypeVar("T")

Lane: TypeAlias = tuple[str, Address]

_AGAIN = 5.0  # seconds until a lane whose journal failed goes on


class Outgoing:
    """`tell` puts a failed row on the XMPP stream."""

    def __init__(
        self,
        journal: Journal,
        seams: Seams,
        limits: Limits,
        tell: Callable[[Row], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tell = tell
        self._bridge: FarSide
        self._journal = journal
        self._seams = seams
        self._limits = limits
        self._clock = clock
        self._tasks = Tasks("mailbox")
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._fresh: set[Lane] = set()  # lanes that got a row since they last looked
        self._sending: set[Lane] = set()
        self._slots = asyncio.Semaphore(limits.sends)
        self._user_slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._running = False

    async def start(self, bridge: FarSide) -> None:
        """Go on with what the journal holds."""
        self._bridge = bridge
        self._running = True
        for lane in await self._journal.lanes():
            self._wake(lane)

    def post(self, user: str, command: Letter) -> None:
        """Store a command, then send it. Never raises: its sender is told of failure."""

        def stored(future: asyncio.Future[Row | None]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                self._wake((user, command.to))
            else:
                told(self._refuse, user, command, error)

        try:
            self._journal.put("out", user, command, _key(command), self._limits.queue).add_done_callback(stored)
        except Exception as error:
            told(self._refuse, user, command, error)

    def look_again(self, user: str, contact: Address) -> None:
        """The journal holds a row of this lane that was dead before."""
        self._wake((user, contact))

    async def drain(self, within: float) -> None:
        """Start nothing new; let what is being handed over finish within `within` seconds."""
        self._running = False
        for lane, task in self._lanes.items():
            if lane not in self._sending:
                task.cancel()
        await self._tasks.end(within)

    def _refuse(self, user: str, command: Letter, error: BaseException) -> None:
        """It could not even be stored."""
        self._seams.send_xmpp(self._seams.render_failed(user, command, _store_error(error)))

    def _wake(self, lane: Lane) -> None:
        self._fresh.add(lane)
        if lane not in self._lanes and self._running:
            self._lanes[lane] = self._tasks.start(self._run(lane))

    async def _run(self, lane: Lane) -> None:
        owner = lane[0]
        user_slots = self._user_slots.setdefault(owner, asyncio.Semaphore(self._limits.sends_per_user))
        try:
            while self._running:
                try:
                    if not await self._step(lane, user_slots):
                        break
                except Exception as error:
                    log.error("mailbox: the journal failed, trying again in %.0f s: %s", _AGAIN, error)
                    await asyncio.sleep(_AGAIN)
        finally:
            del self._lanes[lane]
            self._fresh.discard(lane)

    async def _step(self, lane: Lane, user_slots: asyncio.Semaphore) -> bool:
        """One attempt with the oldest row; False when the lane is empty."""
        self._fresh.discard(lane)
        row = await self._journal.head(*lane)
        if row is None:
            return lane in self._fresh
        await asyncio.sleep(max(0.0, row.next_try - self._clock()))
        async with user_slots, self._slots:
            self._sending.add(lane)
            try:
                await self._hand_over(row)
            finally:
                self._sending.discard(lane)
        return True

    async def _hand_over(self, row: Row) -> None:
        if not isinstance(row.event, Letter):
            await self._journal.dead(row.id, "internal-server-error: the row cannot be read")
            return
        ids: Sequence[str] | None = None
        known = row.state == "queued"
        try:
            resolved = await self._seams.resolve(row.owner, row.event)
            if resolved is None:
                await self._journal.done(row.id, ())
                return
            command = resolved._replace(id=row.id)
            if not known:
                ids = await self._ask_bridge(self._bridge.find(row.owner, command))
            if ids is None:
                known = True
                if not await self._journal.sent(row.id, row.attempts + 1):
                    return  # it has waited, and who wrote it has unregistered
                ids = await self._ask_bridge(self._bridge.send(row.owner, command)) or ()
        except LegacyError as error:
            await self._failed(row, error, looked_up=not known)
            return
        told(self._seams.on_sent, row.owner, row.event, ids)
        await self._journal.done(row.id, ids)

    async def _failed(self, row: Row, error: LegacyError, looked_up: bool) -> None:
        now = self._clock()
        words = f"{error.condition}: {error.text}"
        if now - row.created < self._limits.expire_out:
            if not looked_up and not error.certain:
                await self._journal.look_up(row.id, now + _backoff(error.retry_after or 1.0, row.attempts), words)
                return
            if error.retry_after is not None:
                again = self._journal.look_up if looked_up else self._journal.retry
                await again(row.id, now + _backoff(error.retry_after, row.attempts), words)
                return
        words = f"{error.condition}: {packed(error.text)}"
        await self._journal.fail(row.id, words)
        log.warning("mailbox: message %s was given up: %s", row.id, error.condition)
        self._tell(row._replace(state="failed", error=words))

    async def _ask_bridge(self, answer: Awaitable[T]) -> T:
        """What the bridge says within its time; whatever it raises becomes a LegacyError."""
        try:
            async with asyncio.timeout(self._limits.send_timeout):
                return await answer
        except LegacyError:
            raise
        except TimeoutError as error:
            raise LegacyError("remote-server-timeout", say("queue.late"), certain=False) from error
        except Exception as error:
            log.exception("mailbox: the bridge failed")
            raise LegacyError("internal-server-error", say("queue.failed"), certain=False) from error


#: Ids at least this long are chance or time, not counters that begin anew: the same one again is the same message again.
_UNIQUE: Final = 16


def _key(command: Letter) -> str | None:
    """What a client that sends a message again (it saw the stream break) sends the same; None: cannot be told."""
    words = command.text if isinstance(command, Say | Correct) else " ".join((type(command).__name__, *command.of))
    return f"{command.by}\n{command.id}\n{words}" if len(command.id) >= _UNIQUE else None


def _backoff(retry_after: float, attempts: int) -> float:
    """The far side's own wish, doubled with every attempt, an hour at most (unless it wishes more)."""
    return max(retry_after, min(3600.0, retry_after * 2.0 ** min(attempts, 12)))


def _store_error(error: BaseException) -> LegacyError:
    if isinstance(error, LegacyError):
        return error
    log.error("mailbox: a message could not be stored: %s", error)
    return LegacyError("internal-server-error", say("queue.unstored"), type="wait", retry_after=60)
