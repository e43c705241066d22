"""What users have set for places of a bridge: in memory, written through. Implements ports.Options.

A place is an address of the bridge: a server, a room, or the service for what holds everywhere. Knows no table and no field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from transports.describe import Answers
from transports.events import Address

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

    async def put(self, user: str, place: Address, answers: Answers, secrets: Collection[str] = ()) -> None:
        if self._keep is not None:
            await self._keep.save(user, place, answers, secrets)
        places = self._users.setdefault(user, {})
        if answers:
            places[place] = dict(answers)
        else:
            places.pop(place, None)
        if not places:
            del self._users[user]
