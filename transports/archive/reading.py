"""Queries of one place's archive, as SQL: an open connection in, values out.

The order is that of the ids, which are times: what was filled in later stands where it belongs. XEP-0313 4, XEP-0059.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from transports.archive.values import (
    MOST_IDS,
    Extent,
    Line,
    Page,
    Query,
    Unknown,
    at_or_after,
    beginning,
    number,
    unpacked,
)

if TYPE_CHECKING:
    import sqlite3

#: Characters of the lines of one page: what is longer ends early, and its reader asks for the next.
HEAVIEST: Final = 400_000

_Where: TypeAlias = list[tuple[str, Sequence[Any]]]


def page(connection: sqlite3.Connection, place: int | None, query: Query) -> Page:
    """One page. Unknown for ids that are not there."""
    bounds = _bounds(connection, place, query)
    backwards = query.before is not None
    near = list(bounds)
    if query.after:
        near.append(("id > ?", (_known(connection, place, query.after),)))
    if query.before:
        near.append(("id < ?", (_known(connection, place, query.before),)))
    if place is None or query.nothing:
        return Page((), 0, 0, True)
    total = _count(connection, bounds)
    if query.most <= 0:
        return Page((), total, 0, total == 0)
    lines, more = _lines(connection, near, query.most, backwards)
    if not lines:
        return Page((), total, 0, True)
    return Page(lines, total, _count(connection, [*bounds, ("id < ?", (number(lines[0].id),))]), not more)


def recent(connection: sqlite3.Connection, place: int | None, most: int, since: int) -> list[Line]:
    """The last lines, at or after a time; the oldest first."""
    if place is None:
        return []
    where: _Where = [("place = ?", (place,)), ("id >= ?", (at_or_after(since),))]
    return _lines(connection, where, most, backwards=True)[0]


def extent(connection: sqlite3.Connection, place: int | None) -> Extent | None:
    """Where an archive begins and ends; None when it is empty."""
    query = "SELECT id, line, far FROM messages WHERE place = ? ORDER BY id"
    first = connection.execute(f"{query} LIMIT 1", (place,)).fetchone()
    last = connection.execute(f"{query} DESC LIMIT 1", (place,)).fetchone()
    if first is None:
        return None
    begin, end = unpacked(*first), unpacked(*last)
    return Extent((begin.id, begin.at), (end.id, end.at))


def newest(connection: sqlite3.Connection, place: int | None) -> Line | None:
    """The last message that the far side has an id for."""
    query = "SELECT id, line, far FROM messages WHERE place = ? AND far IS NOT NULL ORDER BY id DESC LIMIT 1"
    found = connection.execute(query, (place,)).fetchone()
    return unpacked(*found) if found is not None else None


def by_key(connection: sqlite3.Connection, place: int | None, key: str) -> Line | None:
    """The message that the far side calls `key`."""
    found = connection.execute("SELECT id, line, far FROM messages WHERE place = ? AND far = ?", (place, key)).fetchone()
    return unpacked(*found) if found is not None else None


# ----------------------------------------------------------------------------------------------------------------------


def _bounds(connection: sqlite3.Connection, place: int | None, query: Query) -> _Where:
    """What all lines that match have in common."""
    where: _Where = [("place = ?", (place,))]
    if query.start is not None:
        where.append(("id >= ?", (at_or_after(query.start),)))
    if query.end is not None:
        where.append(("id < ?", (at_or_after(query.end + 1),)))
    if query.after_id:
        where.append(("id > ?", (_known(connection, place, query.after_id),)))
    if query.before_id:
        where.append(("id < ?", (_known(connection, place, query.before_id),)))
    if query.ids:
        ids = list({_known(connection, place, id) for id in query.ids[:MOST_IDS]})
        where.append((f"id IN ({', '.join('?' * len(ids))})", ids))
    if query.nick:
        starts = [beginning(query.nick, own) for own in (False, True) if query.own in (None, own)]
        each = " OR ".join("substr(line, 1, ?) = ?" for _ in starts)
        where.append((f"({each})", [value for start in starts for value in (len(start), start)]))
    elif query.own is not None:
        where.append(("substr(line, 1, 1) = ?", (str(int(query.own)),)))
    return where


def _known(connection: sqlite3.Connection, place: int | None, id: str) -> int:
    """A message's number. Unknown when it is not in this archive."""
    found = connection.execute("SELECT id FROM messages WHERE id = ? AND place = ?", (number(id), place)).fetchone()
    if found is None:
        raise Unknown
    return int(found[0])


def _count(connection: sqlite3.Connection, where: _Where) -> int:
    text, values = _joined(where)
    return int(connection.execute(f"SELECT count(*) FROM messages WHERE {text}", values).fetchone()[0])


def _lines(connection: sqlite3.Connection, where: _Where, most: int, backwards: bool) -> tuple[list[Line], bool]:
    """At most so many, the nearest; and whether there are more that way."""
    text, values = _joined(where)
    order = "DESC" if backwards else "ASC"
    query = f"SELECT id, line, far FROM messages WHERE {text} ORDER BY id {order} LIMIT ?"
    cursor = connection.execute(query, (*values, most + 1))
    lines: list[Line] = []
    size = 0
    more = False
    for row in cursor:
        size += len(row[1])
        if len(lines) == most or (lines and size > HEAVIEST):
            more = True
            break
        lines.append(unpacked(*row))
    cursor.close()
    return (lines[::-1] if backwards else lines), more


def _joined(where: _Where) -> tuple[str, list[Any]]:
    return " AND ".join(text for text, _ in where), [value for _, values in where for value in values]
