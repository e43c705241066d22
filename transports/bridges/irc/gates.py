"""How fast connections to a network are opened, and channels joined: token buckets that queue, a gate for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from transports.config import NetworkSettings

#: Gates that are kept before those that hold nobody up are forgotten.
GATES: Final = 1_000


class Gate:
    """A token bucket that queues: nobody is refused, everybody gets a place in time. `rate` 0: no limit."""

    def __init__(self, burst: float, rate: float, clock: Callable[[], float]) -> None:
        self.burst = burst
        self.rate = rate
        self.clock = clock
        self.tokens = burst
        self.filled = clock()

    def reserve(self) -> float:
        """Take a place; seconds until it is due."""
        if self.rate == 0:
            return 0.0
        now = self.clock()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate) - 1
        self.filled = now
        return max(0.0, -self.tokens / self.rate)

    @property
    def full(self) -> bool:
        """As good as new."""
        return self.rate == 0 or self.tokens + (self.clock() - self.filled) * self.rate >= self.burst

    async def slot(self) -> None:
        wait = self.reserve()
        if wait:
            await asyncio.sleep(wait)


class Gates:
    """Those of all networks. Connections and the joins that follow them have the same rate, and each their own gate."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}
        self._sweep_at = GATES

    def __len__(self) -> int:
        return len(self._gates)

    def connecting(self, settings: NetworkSettings) -> Gate:
        return self._gate(settings.name, settings)

    def joining(self, settings: NetworkSettings) -> Gate:
        return self._gate(f"JOIN {settings.name}", settings)

    def _gate(self, name: str, settings: NetworkSettings) -> Gate:
        gate = self._gates.get(name)
        if gate is None:
            if len(self._gates) >= self._sweep_at:
                self._gates = {name: gate for name, gate in self._gates.items() if not gate.full}
                self._sweep_at = max(GATES, 2 * len(self._gates))
            rate = settings.connect_rate
            gate = self._gates[name] = Gate(rate.burst, rate.per_second, asyncio.get_running_loop().time)
        return gate
