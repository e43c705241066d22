"""How fast things may go out: questions to one person, and news of many at once. No stanza, no roster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from transports.events import Address

#: Questions that one user is asked at once, and seconds until each further one: nobody clicks through a flood.
AT_ONCE, INTERVAL = 3, 10.0
#: Stanzas a second to all users together, and how many may go at once.
RATE, BURST = 1_000.0, 100
#: Seconds between looks whether a stream that did not keep up does again.
_PAUSE: Final = 0.2


def later(delay: float, call: Callable[[], None]) -> None:
    """Call something on the running loop after so many seconds."""
    asyncio.get_running_loop().call_later(delay, call)


class Questions:
    """Each user's questions in order, `AT_ONCE` without waiting, then one per `INTERVAL`.

    ask    asks one; False when there was nothing to ask after all: that costs no turn
    later  calls something after so many seconds
    """

    def __init__(
        self,
        ask: Callable[[str, Address], bool],
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._later = later
        self._waiting: dict[str, dict[Address, None]] = {}  # bounded by the contacts that a user may have
        self._free: dict[str, float] = {}  # when the user's allowance is whole again

    def add(self, user: str, address: Address) -> None:
        waiting = self._waiting.get(user)
        if waiting is not None:
            waiting[address] = None
        else:
            self._waiting[user] = {address: None}
            self._go(user)

    def drop(self, user: str, address: Address) -> None:
        """Do not ask this."""
        self._waiting.get(user, {}).pop(address, None)

    def forget(self, user: str) -> None:
        """Ask nothing more of a user."""
        if user in self._waiting:
            self._waiting[user].clear()

    def clear(self) -> None:
        for waiting in self._waiting.values():
            waiting.clear()

    def _go(self, user: str) -> None:
        """Ask what may be asked now; the rest when there is a turn."""
        waiting = self._waiting[user]
        while waiting:
            now = self._clock()
            free = max(self._free.get(user, 0.0), now)
            wait = free - now - (AT_ONCE - 1) * INTERVAL
            if wait > 0:
                self._later(wait, lambda: self._go(user))
                return
            address = next(iter(waiting))
            del waiting[address]
            if self._ask(user, address):
                self._free[user] = free + INTERVAL
        del self._waiting[user]
        self._tidy()

    def _tidy(self) -> None:
        if len(self._free) > 2 * len(self._waiting) + 1_000:
            now = self._clock()
            self._free = {user: free for user, free in self._free.items() if free > now}


class Crowd:
    """Turns for what goes to many users at once; `behind` says that the stream does not keep up."""

    def __init__(
        self,
        behind: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._behind = behind
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def turn(self, stanzas: int = 1) -> None:
        """Wait until so many more may go; whoever comes meanwhile is behind us."""
        now = self._clock()
        self._next = max(self._next, now - BURST / RATE) + stanzas / RATE
        wait = self._next - now
        if wait > 0:
            await self._sleep(wait)
        while self._behind():
            await self._sleep(_PAUSE)
