"""What users have set for places of a bridge: in memory, written through. Implements ports.Options.

A place is an address of the bridge: a server, a room, or the service for what holds everywhere. Knows no table and no field.
Secrets are plain here, sealed by the store's side (`store/options`): this file must never log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol
from weakref import WeakValueDictionary

from transports.describe import Answers, Value
from transports.errors import LegacyError
from transports.events import Address
from transports.words import say

#: Places of one user where something is set, characters that are set at one of them, and at all.
MOST: Final = 1_000
LONGEST: Final = 65_536
IN_ALL: Final = 500_000

_NONE: Answers = {}


class Keep(Protocol):
    """Where options lie, secrets sealed."""

    async def load(self) -> Mapping[tuple[str, Address], Answers]: ...

    async def save(self, user: str, place: Address, answers: Answers, secrets: Collection[str]) -> None: ...


class Options:
    """`keep` None: nothing outlives the process."""

    def __init__(self, keep: Keep | None = None) -> None:
        self._keep = keep
        self._users: dict[str, dict[Address, Answers]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> None:
        if self._keep is not None:
            for (user, place), answers in (await self._keep.load()).items():
                self._users.setdefault(user, {})[place] = answers

    def of(self, user: str, place: Address) -> Answers:
        places = self._users.get(user)
        return places.get(place, _NONE) if places is not None else _NONE

    def places(self, user: str) -> Sequence[Address]:
        return list(self._users.get(user, ()))

    def users(self) -> Sequence[str]:
        return list(self._users)

    def __contains__(self, user: object) -> bool:
        return user in self._users

    async def put(self, user: str, place: Address, answers: Answers, secrets: Collection[str] = ()) -> None:
        async with self._turn(user):
            await self._put(user, place, answers, secrets)

    async def change(
        self, user: str, place: Address, changes: Mapping[str, Value | None], secrets: Collection[str] = ()
    ) -> None:
        async with self._turn(user):
            changed = {**self.of(user, place), **changes}
            answers = {var: value for var, value in changed.items() if value is not None}
            if answers != self.of(user, place):
                await self._put(user, place, answers, secrets)

    def forget(self, user: str) -> None:
        """The user has gone, and what was kept of them (`store/accounts`)."""
        self._users.pop(user, None)

    def _turn(self, user: str) -> asyncio.Lock:
        """One change of a user at a time: each is made of what the one before has left."""
        return self._turns.setdefault(user, asyncio.Lock())

    async def _put(self, user: str, place: Address, answers: Answers, secrets: Collection[str]) -> None:
        known = self._users.get(user, {})
        size = _sum(answers)
        full = (len(known) >= MOST and answers and place not in known) or size > LONGEST
        if size > _sum(known.get(place, _NONE)):
            full = full or size + sum(_sum(held) for where, held in known.items() if where != place) > IN_ALL
        if full:
            raise LegacyError("resource-constraint", say("store.options-full"))
        if self._keep is not None:
            await self._keep.save(user, place, answers, secrets)
        places = self._users.setdefault(user, {})
        if answers:
            places[place] = dict(answers)
        else:
            places.pop(place, None)
        if not places:
            del self._users[user]


def _sum(answers: Answers) -> int:
    return sum(map(_size, answers.items()))


def _size(item: tuple[str, Value]) -> int:
    var, value = item
    return len(var) + (1 if isinstance(value, bool) else sum(map(len, value)) if isinstance(value, tuple) else len(value))
