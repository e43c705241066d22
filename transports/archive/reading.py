"""Queries of one place's archive, as SQL: an open connection in, values out.

The order is (time, id): what was filled in later stands where it belongs. Counts and pages come from one index.
XEP-0313 4, XEP-0059.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from transports.archive.values import MOST_IDS, Extent, Line, Page, Query, Unknown, number

#: Characters of the lines of one page: what is longer ends early, and its reader asks for the next.
HEAVIEST: Final = 400_000
_COLUMNS: Final = "id, at, own, nick, stanza, occupant, content, far"
_Where: TypeAlias = list[tuple[str, Sequence[Any]]]


def page(connection: sqlite3.Connection, place: int | None, query: Query) -> Page:
    """One page. Unknown for ids that are not there."""
    bounds = _bounds(connection, place, query)
    backwards = query.before is not None
    near = list(bounds)
    if query.after:
        near.append(("(at, id) > (?, ?)", _position(connection, place, query.after)))
    if query.before:
        near.append(("(at, id) < (?, ?)", _position(connection, place, query.before)))
    if place is None or query.nothing:
        return Page((), 0, 0, True)
    count = _count(connection, bounds)
    if query.most <= 0:
        return Page((), count, 0, count == 0)
    lines, more = _lines(connection, near, query.most, backwards)
    if not lines:
        return Page((), count, 0, True)
    first = _count(connection, [*bounds, ("(at, id) < (?, ?)", (lines[0].at, number(lines[0].id)))])
    return Page(lines, count, first, not more)


def recent(connection: sqlite3.Connection, place: int | None, most: int, since: int, below: str) -> list[Line]:
    """The last lines since a time that came to us before the one that is `below`; the oldest first."""
    if place is None:
        return []
    where: _Where = [("place = ?", (place,)), ("at >= ?", (since,)), ("id < ?", (number(below),))]
    return _lines(connection, where, most, backwards=True)[0]


def extent(connection: sqlite3.Connection, place: int | None) -> Extent | None:
    """Where an archive begins and ends; None when it is empty."""
    ends = []
    for order in ("ASC", "DESC"):
        found = connection.execute(
            f"SELECT id, at FROM messages WHERE place = ? ORDER BY at {order}, id {order} LIMIT 1", (place,)
        ).fetchone()
        if found is None:
            return None
        ends.append((f"{found[0]:x}", int(found[1])))
    return Extent(*ends)


def newest(connection: sqlite3.Connection, place: int | None) -> Line | None:
    """The last message that the far side has an id for."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM messages WHERE place = ? AND far IS NOT NULL ORDER BY at DESC, id DESC LIMIT 1", (place,)
    ).fetchone()
    return _line(found) if found is not None else None


def by_key(connection: sqlite3.Connection, place: int | None, key: str) -> Line | None:
    """The message that the far side calls `key`."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM messages WHERE place = ? AND far = ?", (place, key)).fetchone()
    return _line(found) if found is not None else None


# ----------------------------------------------------------------------------------------------------------------------


def _bounds(connection: sqlite3.Connection, place: int | None, query: Query) -> _Where:
    """What all lines that match have in common."""
    where: _Where = [("place = ?", (place,))]
    if query.start is not None:
        where.append(("at >= ?", (query.start,)))
    if query.end is not None:
        where.append(("at <= ?", (query.end,)))
    if query.after_id:
        where.append(("(at, id) > (?, ?)", _position(connection, place, query.after_id)))
    if query.before_id:
        where.append(("(at, id) < (?, ?)", _position(connection, place, query.before_id)))
    if query.ids:
        ids = list({_position(connection, place, id)[1] for id in query.ids[:MOST_IDS]})
        where.append((f"id IN ({', '.join('?' * len(ids))})", ids))
    if query.nick:
        where.append(("nick = ?", (query.nick,)))
    if query.own is not None:
        where.append(("own = ?", (int(query.own),)))
    return where


def _position(connection: sqlite3.Connection, place: int | None, id: str) -> tuple[int, int]:
    """Where a message stands in the order. Unknown when it is not in this archive."""
    found = connection.execute("SELECT at, id FROM messages WHERE id = ? AND place = ?", (number(id), place)).fetchone()
    if found is None:
        raise Unknown
    return int(found[0]), int(found[1])


def _count(connection: sqlite3.Connection, where: _Where) -> int:
    text, values = _joined(where)
    return int(connection.execute(f"SELECT count(*) FROM messages WHERE {text}", values).fetchone()[0])


def _lines(connection: sqlite3.Connection, where: _Where, most: int, backwards: bool) -> tuple[list[Line], bool]:
    """At most so many, the nearest; and whether there are more that way."""
    text, values = _joined(where)
    order = "DESC" if backwards else "ASC"
    cursor = connection.execute(
        f"SELECT {_COLUMNS} FROM messages WHERE {text} ORDER BY at {order}, id {order} LIMIT ?", (*values, most + 1)
    )
    lines: list[Line] = []
    size = 0
    more = False
    for row in cursor:
        size += len(row[6])
        if len(lines) == most or (lines and size > HEAVIEST):
            more = True
            break
        lines.append(_line(row))
    cursor.close()
    return (lines[::-1] if backwards else lines), more


def _joined(where: _Where) -> tuple[str, list[Any]]:
    return " AND ".join(text for text, _ in where), [value for _, values in where for value in values]


def _line(row: Any) -> Line:
    id, at, own, nick, stanza, occupant, content, far = row
    name = f"{id:x}"
    return Line(name, at, bool(own), nick, name if stanza is None else stanza, occupant, content, far or "")
