"""The durable queues, both ways: what was acknowledged is here until it is taken.

Rows know an owner (the user's bare JID), a contact (an Address) and an event. No network, no policy: when to try again and
what an error means is `mailbox`'s. Every call is one piece of work for the database's thread and returns a future.

    direction  state     means                                                        next
    in         queued    to be written to the XMPP stream, or written and unfenced    taken, waiting, dead
    in         waiting   refused for now; again when the user is available            queued, dead
    in         taken     the XMPP server has processed it                             waiting, dead (a late bounce); purged
    out        queued    to be handed to the far side when next_try has come          sent
    out        sent      handed over, outcome not known (yet)                         done, queued, dead
    out        done      the far side has it                                          purged
    out        failed    given up, but its sender does not know yet                   dead
    both       dead      given up: a dead letter, with its error                      queued (revived), purged
"""

from __future__ import annotations

import hashlib
import json
import time
from asyncio import Future
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa

from transports.errors import LegacyError
from transports.events import Address, Letter
from transports.store.database import Database
from transports.store.ids import Ids
from transports.store.payload import Event, dump, load
from transports.store.schema import journal as table
from transports.words import say

Direction = Literal["in", "out"]
#: A part of a transaction.
Work = Callable[[sa.Connection], None]

OPEN: Final = ("queued", "waiting", "sent", "failed")
CLOSED: Final = ("taken", "done", "dead")

_COLUMNS: Final = table.c


class Row(NamedTuple):
    """A row as the mailbox sees it. `event` is None when its body was purged or cannot be read."""

    seq: int
    id: str
    owner: str
    contact: Address
    event: Event | None
    state: str
    attempts: int
    next_try: float
    created: float
    error: str


_SELECT: Final = sa.select(
    *(_COLUMNS.seq, _COLUMNS.id, _COLUMNS.owner, _COLUMNS.contact_kind, _COLUMNS.contact_name, _COLUMNS.payload),
    *(_COLUMNS.state, _COLUMNS.attempts, _COLUMNS.next_try, _COLUMNS.created, _COLUMNS.error),
)
_INSERT: Final = sa.insert(table)
#: What is to be written to the XMPP stream: messages, and failures to those who sent.
_FOR_STREAM: Final = sa.or_(
    sa.and_(_COLUMNS.direction == "in", _COLUMNS.state == "queued"),
    sa.and_(_COLUMNS.direction == "out", _COLUMNS.state == "failed"),
)


class Journal:
    """The rows of one bridge."""

    def __init__(self, database: Database, bridge: str, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._bridge = bridge
        self._clock = clock
        self._new_id = Ids(clock)

    # Both ways --------------------------------------------------------------------------------------------------------

    def put(
        self,
        direction: Direction,
        owner: str,
        event: Event,
        key: str | None,
        cap: int,
        along: Callable[[str], Sequence[Work]] = lambda id: (),
    ) -> Future[Row | None]:
        """Store an event; None when `key` is there already.

        cap: open rows the owner may have in this direction. Raises LegacyError(resource-constraint) at the cap.
        along: what is to be stored in the same transaction, from the row's id
        """
        contact = event.to if isinstance(event, Letter) else event.where
        now = self._clock()
        id = self._new_id()
        stored_key = None if key is None else _key(key)
        values = {
            "id": id,
            "direction": direction,
            "bridge": self._bridge,
            "owner": owner,
            "contact_kind": contact.kind,
            "contact_name": contact.name,
            "key": stored_key,
            "payload": dump(event),
            "state": "queued",
            "attempts": 0,
            "next_try": now,
            "created": now,
            "changed": now,
        }

        others = along(id)

        def work(connection: sa.Connection) -> Row | None:
            if stored_key is not None and _known(connection, self._where(direction), stored_key):
                return None
            if _open_rows(connection, self._where(direction, owner)) >= cap:
                raise LegacyError("resource-constraint", say("queue.full"), retry_after=300)
            inserted = connection.execute(_INSERT, values).inserted_primary_key
            assert inserted is not None
            for other in others:
                other(connection)
            return Row(inserted[0], id, owner, contact, event, "queued", 0, now, now, "")

        return self._database.run(work)

    def get(self, id: str) -> Future[Row | None]:
        """The row with this id, in any state."""
        return self._database.run(
            lambda connection: _first(connection, _SELECT.where(self._bridged, _COLUMNS.id == id))
        )

    def dead(self, id: str, error: str) -> Future[None]:
        """Give a row up. `error` is for the operator: "condition: words"."""
        return self._set([id], state="dead", error=error)

    def dead_letters(self, limit: int = 100) -> Future[list[Row]]:
        """The newest dead letters, for `transports queue`."""
        query = _SELECT.where(self._bridged, _COLUMNS.state == "dead").order_by(_COLUMNS.seq.desc()).limit(limit)
        return self._database.run(lambda connection: _rows(connection, query))

    def revive(self, id: str) -> Future[bool]:
        """Queue a dead letter again; False when there is none with this id, or its body is gone."""
        where = (self._bridged, _COLUMNS.id == id, _COLUMNS.state == "dead", _COLUMNS.payload.is_not(None))
        return self._database.run(
            lambda connection: _update(connection, *where, state="queued", changed=self._clock()) > 0
        )

    def owners(self, direction: Direction, state: str) -> Future[list[str]]:
        """Who has rows in this state."""
        query = sa.select(_COLUMNS.owner).where(*self._where(direction), _COLUMNS.state == state).distinct()
        return self._database.run(lambda connection: list(connection.execute(query).scalars()))

    def counts(self) -> Future[dict[tuple[str, str], int]]:
        """Rows per (direction, state)."""
        keys = (_COLUMNS.direction, _COLUMNS.state)
        query = sa.select(*keys, sa.func.count()).where(self._bridged).group_by(*keys)
        return self._database.run(lambda connection: {(way, state): n for way, state, n in connection.execute(query)})

    def purge(self, keep_body: float, keep_row: float) -> Future[None]:
        """Drop bodies `keep_body` seconds after they were taken, rows (and the memory of their keys) after `keep_row`.

        Dead letters keep their body as long as their row.
        """
        now = self._clock()
        settled = (self._bridged, _COLUMNS.state.in_(("taken", "done")))

        def work(connection: sa.Connection) -> None:
            old = _COLUMNS.changed < now - keep_body
            _update(connection, *settled, old, _COLUMNS.payload.is_not(None), payload=None)
            forgotten = (self._bridged, _COLUMNS.state.in_(CLOSED), _COLUMNS.changed < now - keep_row)
            connection.execute(sa.delete(table).where(*forgotten))

        return self._database.run(work)

    # Far side to XMPP -------------------------------------------------------------------------------------------------

    def for_stream(self, owner: str, after: int, limit: int) -> Future[list[Row]]:
        """The owner's rows to be written to the stream (in: queued, out: failed) behind `after` (a seq), in order."""
        where = (self._bridged, _COLUMNS.owner == owner, _FOR_STREAM, _COLUMNS.seq > after)
        query = _SELECT.where(*where).order_by(_COLUMNS.seq).limit(limit)
        return self._database.run(lambda connection: _rows(connection, query))

    def held(self, owner: str) -> Future[list[Address]]:
        """The contacts from whom rows of this owner wait."""
        names = (_COLUMNS.contact_kind, _COLUMNS.contact_name)
        query = sa.select(*names).where(*self._where("in", owner), _COLUMNS.state == "waiting").distinct()
        return self._database.run(lambda connection: [Address(*found) for found in connection.execute(query)])

    def taken(self, ids: Collection[str]) -> Future[None]:
        """The XMPP server has processed these: messages are taken, failures are told."""
        return self._set(ids, _FOR_STREAM, state=sa.case((_COLUMNS.direction == "out", "dead"), else_="taken"))

    def wait(self, id: str, next_try: float, error: str, attempts: int) -> Future[None]:
        """Refused for now: keep until the user is available, or `next_try`."""
        return self._set([id], state="waiting", next_try=next_try, error=error, attempts=attempts)

    def release(self, owner: str) -> Future[None]:
        """Queue all that waits for this owner again."""
        where = (*self._where("in", owner), _COLUMNS.state == "waiting")
        return self._database.run(lambda connection: _none(_update(connection, *where, state="queued")))

    def due(self) -> Future[list[str]]:
        """Owners with waiting rows whose next_try has come."""
        waiting = (*self._where("in"), _COLUMNS.state == "waiting")
        query = sa.select(_COLUMNS.owner).where(*waiting, _COLUMNS.next_try <= self._clock()).distinct()
        return self._database.run(lambda connection: list(connection.execute(query).scalars()))

    # XMPP to far side -------------------------------------------------------------------------------------------------

    def lanes(self) -> Future[list[tuple[str, Address]]]:
        """Every (owner, contact) with rows to hand over."""
        columns = (_COLUMNS.owner, _COLUMNS.contact_kind, _COLUMNS.contact_name)
        query = sa.select(*columns).where(*self._where("out"), _COLUMNS.state.in_(("queued", "sent"))).distinct()
        return self._database.run(
            lambda connection: [(owner, Address(kind, name)) for owner, kind, name in connection.execute(query)]
        )

    def head(self, owner: str, contact: Address) -> Future[Row | None]:
        """The oldest row to hand over to this contact."""
        where = (*self._where("out", owner), _COLUMNS.state.in_(("queued", "sent")))
        place = (_COLUMNS.contact_kind == contact.kind, _COLUMNS.contact_name == contact.name)
        query = _SELECT.where(*where, *place).order_by(_COLUMNS.seq).limit(1)
        return self._database.run(lambda connection: _first(connection, query))

    def sent(self, id: str, attempts: int) -> Future[bool]:
        """About to be handed over; until its outcome is stored it is not known. False: the row is gone, with its user."""
        values = {"state": "sent", "attempts": attempts, "changed": self._clock()}
        return self._database.run(lambda connection: _update(connection, _COLUMNS.id == id, **values) > 0)

    def done(self, id: str, far_ids: Sequence[str]) -> Future[None]:
        """The far side has it, under these ids."""
        return self._set([id], state="done", far_ids=json.dumps(list(far_ids)))

    def retry(self, id: str, next_try: float, error: str) -> Future[None]:
        """It certainly did not arrive: again at `next_try`."""
        return self._set([id], state="queued", next_try=next_try, error=error)

    def fail(self, id: str, error: str) -> Future[None]:
        """Give it up and let its sender be told, over the stream, with `error`: "condition: words"."""
        return self._set([id], state="failed", error=error)

    def look_up(self, id: str, next_try: float, error: str) -> Future[None]:
        """It is not known whether it arrived: find out at `next_try`."""
        return self._set([id], state="sent", next_try=next_try, error=error)

    # ------------------------------------------------------------------------------------------------------------------

    @property
    def _bridged(self) -> sa.ColumnElement[bool]:
        return _COLUMNS.bridge == self._bridge

    def _where(self, direction: Direction, owner: str | None = None) -> list[sa.ColumnElement[bool]]:
        terms = [self._bridged, _COLUMNS.direction == direction]
        return terms if owner is None else [*terms, _COLUMNS.owner == owner]

    def _set(self, ids: Collection[str], *where: sa.ColumnElement[bool], **values: Any) -> Future[None]:
        values["changed"] = self._clock()
        chosen = (_COLUMNS.id.in_(list(ids)), *where)
        return self._database.run(lambda connection: _none(_update(connection, *chosen, **values)))


def _key(key: str) -> str:
    """A far side's key as a column takes it: short and printable, or its digest."""
    if len(key) <= 200 and key.isascii() and key.isprintable():
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _open_rows(connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]]) -> int:
    count = sa.select(sa.func.count()).select_from(table).where(*where, _COLUMNS.state.in_(OPEN))
    return connection.execute(count).scalar_one()


def _known(connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]], key: str) -> bool:
    return connection.execute(sa.select(_COLUMNS.seq).where(*where, _COLUMNS.key == key)).first() is not None


def _update(connection: sa.Connection, *where: sa.ColumnElement[bool], **values: Any) -> int:
    return connection.execute(sa.update(table).where(*where).values(**values)).rowcount


def _none(_count: int) -> None:
    return None


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    return [_row(found) for found in connection.execute(query)]


def _first(connection: sa.Connection, query: sa.Select[Any]) -> Row | None:
    found = connection.execute(query).first()
    return None if found is None else _row(found)


def _row(found: sa.Row[Any]) -> Row:
    values: tuple[Any, ...] = tuple(found)
    seq, id, owner, kind, name, payload, state, attempts, next_try, created, error = values
    try:
        event = None if payload is None else load(payload)
    except (ValueError, KeyError, TypeError):
        event = None  # written by a newer or a broken program: one dead letter, not a stopped queue
    return Row(seq, id, owner, Address(kind, name), event, state, attempts, next_try, created, error or "")
