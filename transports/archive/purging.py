"""What an archive forgets: what is too old, what is too much, and all of somebody who leaves. In steps of a few milliseconds.

The oldest of a place go first, so that no archive gets holes (XEP-0313 3.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from transports.archive.values import Retention, at_or_after

if TYPE_CHECKING:
    import sqlite3

#: Rows of one step.
STEP: Final = 2_000
#: Pages of the file that are given back at a time.
PAGES: Final = 2_000

#: A piece of a purge; True: there is more of it to do.
Step: TypeAlias = "Callable[[sqlite3.Connection], bool]"


def plan(connection: sqlite3.Connection, retention: Retention, now: int) -> list[Step]:
    """What is to be done, as steps. now: milliseconds since the epoch."""
    old = at_or_after(now - retention.days * 86_400_000)
    steps: list[Step] = []
    totals: Counter[str] = Counter()
    places: dict[str, list[int]] = {}
    for place, owner in connection.execute("SELECT place, owner FROM places").fetchall():
        first, kept = _first(connection, place, retention.lines, old)
        steps.append(partial(_below, place=place, id=first))
        totals[owner] += kept
        places.setdefault(owner, []).append(place)
        if not kept:
            steps.append(partial(_vacant, place=place))
    for owner, total in totals.items():
        if total > retention.total:
            steps.append(partial(_oldest, places=places[owner], left=[total - retention.total]))
    return steps


def _first(connection: sqlite3.Connection, place: int, most: int, old: int) -> tuple[int, int]:
    """Below which id the messages of a place go, and how many stay."""
    query = "SELECT id FROM messages WHERE place = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    excess = connection.execute(query, (place, most)).fetchone()  # the newest that is too much
    first = max(old, excess[0] + 1) if excess is not None else old
    kept = connection.execute("SELECT count(*) FROM messages WHERE place = ? AND id >= ?", (place, first)).fetchone()
    return first, int(kept[0])


def _below(connection: sqlite3.Connection, place: int, id: int) -> bool:
    """Delete the oldest before a message."""
    query = "SELECT id FROM messages WHERE place = ? AND id < ? ORDER BY id LIMIT ?"
    return _delete(connection, query, (place, id, STEP)) == STEP


def _oldest(connection: sqlite3.Connection, places: Sequence[int], left: list[int]) -> bool:
    """Delete the oldest of several places together; `left`: how many yet."""
    marks = ", ".join("?" * len(places))
    query = f"SELECT id FROM messages WHERE place IN ({marks}) ORDER BY id LIMIT ?"
    left[0] -= _delete(connection, query, (*places, min(left[0], 10 * STEP)))
    return left[0] > 0


def _vacant(connection: sqlite3.Connection, place: int) -> bool:
    """Forget a place that has no message any more."""
    none = "NOT EXISTS (SELECT 1 FROM messages WHERE messages.place = places.place)"
    connection.execute(f"DELETE FROM places WHERE place = ? AND {none}", (place,))
    return False


def places_of(connection: sqlite3.Connection, bridge: str, owner: str, name: str | None) -> list[int]:
    """The numbers of an owner's places with a bridge; of the one that is called `name`, if it is given."""
    query = "SELECT place FROM places WHERE owner = ? AND bridge = ? AND (?3 IS NULL OR name = ?3)"
    return [int(place) for (place,) in connection.execute(query, (owner, bridge, name))]


def forget(connection: sqlite3.Connection, places: list[int]) -> bool:
    """Delete from the last of `places`, which is shortened; True: there is more to do. What is deleted is overwritten."""
    connection.execute("PRAGMA secure_delete=ON").close()
    try:
        deleted = _delete(connection, "SELECT id FROM messages WHERE place = ? LIMIT ?", (places[-1], STEP))
        if deleted < STEP:
            connection.execute("DELETE FROM places WHERE place = ?", (places.pop(),))
        return bool(places)
    finally:
        connection.execute("PRAGMA secure_delete=OFF").close()


def wipe(connection: sqlite3.Connection) -> None:
    """Fold the log into the file and empty it: what was deleted is on the disk no more."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def shrink(connection: sqlite3.Connection) -> None:
    """Give pages that nothing is on back to the file system."""
    connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()


def _delete(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> int:
    return connection.execute(f"DELETE FROM messages WHERE id IN ({query})", values).rowcount
