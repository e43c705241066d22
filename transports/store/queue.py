"""The journal as its operator sees it: all bridges', metadata first, dead letters listed, queued again, dropped.

`store/journal.py` has the states and what they mean. A text of a message leaves here only when it is asked for.
"""

from __future__ import annotations

import json
import time
from asyncio import Future
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from transports.store.database import Database
from transports.store.journal import OPEN
from transports.store.schema import journal as table
from transports.words import PACKED

#: Letters that are listed at most.
MOST: Final = 1_000

_COLUMNS: Final = table.c
_SELECT: Final[sa.Select[Any]] = sa.select(
    *(_COLUMNS.id, _COLUMNS.bridge, _COLUMNS.direction, _COLUMNS.owner, _COLUMNS.contact_kind, _COLUMNS.contact_name),
    *(_COLUMNS.state, _COLUMNS.attempts, _COLUMNS.created, _COLUMNS.next_try, _COLUMNS.error),
    _COLUMNS.payload.is_not(None),
)


class Letter(NamedTuple):
    """A row without its text. Times in seconds since the epoch; `error`: "condition: words"; `whole`: the text is there."""

    id: str
    bridge: str
    direction: str
    user: str
    kind: str
    contact: str
    state: str
    attempts: int
    created: float
    next_try: float
    error: str
    whole: bool


class Count(NamedTuple):
    """Letters of a bridge in one state and direction, and when the oldest of them was made."""

    bridge: str
    direction: str
    state: str
    letters: int
    oldest: float


class Queue:
    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def counts(self) -> Future[list[Count]]:
        keys = (_COLUMNS.bridge, _COLUMNS.direction, _COLUMNS.state)
        query = sa.select(*keys, sa.func.count(), sa.func.min(_COLUMNS.created)).group_by(*keys).order_by(*keys)
        return self._database.run(lambda connection: [Count(*found) for found in connection.execute(query)])

    def waiting(self) -> Future[dict[tuple[str, str], int]]:
        """Open letters of each (bridge, user)."""
        keys = (_COLUMNS.bridge, _COLUMNS.owner)
        query = sa.select(*keys, sa.func.count()).where(_COLUMNS.state.in_(OPEN)).group_by(*keys)
        return self._database.run(lambda connection: {(name, user): n for name, user, n in connection.execute(query)})

    def letters(self, bridge: str = "", user: str = "", limit: int = MOST) -> Future[list[Letter]]:
        """What is under way and what is dead, the oldest first; of one bridge, of one user."""
        where: list[sa.ColumnElement[bool]] = [_COLUMNS.state.in_((*OPEN, "dead"))]
        where += [_COLUMNS.bridge == bridge] if bridge else []
        where += [_COLUMNS.owner == user] if user else []
        query = _SELECT.where(*where).order_by(_COLUMNS.created, _COLUMNS.seq).limit(limit)
        return self._database.run(lambda connection: [_letter(found) for found in connection.execute(query)])

    def letter(self, id: str) -> Future[Letter | None]:
        """One, in any state."""

        def work(connection: sa.Connection) -> Letter | None:
            found = connection.execute(_SELECT.where(_COLUMNS.id == id)).first()
            return None if found is None else _letter(found)

        return self._database.run(work)

    def body(self, id: str) -> Future[dict[str, Any] | None]:
        """What a letter holds, by the names of the event's fields; None when it is gone or cannot be read."""

        def work(connection: sa.Connection) -> dict[str, Any] | None:
            payload = connection.execute(sa.select(_COLUMNS.payload).where(_COLUMNS.id == id)).scalar()
            try:
                return dict(json.loads(payload)) if payload is not None else None
            except (ValueError, TypeError):
                return None

        return self._database.run(work)

    def revive(self, ids: Collection[str] | None, bridge: str = "") -> Future[list[Letter]]:
        """Queue dead letters again, all of them for None, and return them; those whose text is gone stay as they are."""
        where = (*_dead(ids, bridge), _COLUMNS.payload.is_not(None))
        return self._change(where, {"state": "queued", "next_try": self._clock()})

    def drop(self, ids: Collection[str] | None, bridge: str = "") -> Future[list[Letter]]:
        """Give dead letters up for good, all of them for None, and return them.

        The text goes at once; the row stays settled for its time, so that the far side's repeat of it is recognised.
        """
        settled = sa.case((_COLUMNS.direction == "out", "done"), else_="taken")
        return self._change(_dead(ids, bridge), {"state": settled, "payload": None})

    def _change(self, where: tuple[sa.ColumnElement[bool], ...], values: dict[str, Any]) -> Future[list[Letter]]:
        def work(connection: sa.Connection) -> list[Letter]:
            letters = [_letter(found) for found in connection.execute(_SELECT.where(*where).order_by(_COLUMNS.seq))]
            connection.execute(sa.update(table).where(*where).values(**values, changed=self._clock()))
            return letters

        return self._database.run(work)


def _dead(ids: Collection[str] | None, bridge: str) -> tuple[sa.ColumnElement[bool], ...]:
    chosen: list[sa.ColumnElement[bool]] = [] if ids is None else [_COLUMNS.id.in_(list(ids))]
    chosen += [_COLUMNS.bridge == bridge] if bridge else []
    return (_COLUMNS.state == "dead", *chosen)


def _letter(found: sa.Row[Any]) -> Letter:
    values: list[Any] = list(found)
    return Letter._make([*values[:-2], (values[-2] or "").partition(PACKED)[0], bool(values[-1])])
