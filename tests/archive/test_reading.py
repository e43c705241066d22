"""Queries against the plainest reading of XEP-0313 and XEP-0059: a list, filtered, sorted and cut."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.archive import reading, table
from transports.archive.values import Line, Page, Query, Unknown, packed, unpacked

PLACE = 7
#: (time, own, nick) of each message.
Rows = list[tuple[int, bool, str]]
rows = st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.sampled_from(["a", "ab", "b"])), max_size=25)
MILLION = 1_000_000
#: Of the first there is no message, the second is a stranger's, the others are no ids.
ODD = ["1", f"{5 * MILLION + 99:x}", "0", "-1", "", "x", "01", "7" * 16, "f" * 16, "9" * 5_000, "\ud800", "é"]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    opened = table.connect(Path(tmp_path_factory.mktemp("archive"), "archive.db"))
    yield opened
    opened.close()


def stored(connection: sqlite3.Connection, made: Rows) -> list[tuple[int, int]]:
    """The file with these and a stranger's among them; (time, id) in the archive's order. The last digits of an id: which."""
    connection.execute("DELETE FROM messages")
    insert = "INSERT INTO messages VALUES (?, ?, ?, NULL)"
    lines = [(at * MILLION + which, packed(nick, nick, "<body/>", own, "")) for which, (at, own, nick) in enumerate(made)]
    connection.executemany(insert, [(id, PLACE, line) for id, line in lines])
    connection.execute(insert, (5 * MILLION + 99, PLACE + 1, packed("a", "a", "<body/>", False, "")))
    return sorted((id // MILLION, id) for id, _ in lines)


def ids(page: Page) -> list[int]:
    return [int(line.id, 16) for line in page.lines]


@settings(max_examples=150, deadline=None)
@given(rows, st.data())
def test_what_matches_is_what_a_list_says(connection: sqlite3.Connection, made: Rows, data: st.DataObject) -> None:
    order = stored(connection, made)
    known = st.none() | st.sampled_from(order) if order else st.none()
    start, end = data.draw(st.none() | st.integers(0, 12)), data.draw(st.none() | st.integers(0, 12))
    after, before = data.draw(known), data.draw(known)
    own, nick = data.draw(st.none() | st.booleans()), data.draw(st.sampled_from(["", "a", "b"]))
    only = data.draw(st.lists(st.sampled_from(order), max_size=5)) if order else []
    query = Query(
        start, end, f"{after[1]:x}" if after else "", f"{before[1]:x}" if before else "",
        [f"{id:x}" for _, id in only], nick, own, most=100,
    )  # fmt: skip
    expected = [
        (at, id)
        for at, id in order
        if (start is None or at >= start)
        and (end is None or at <= end)
        and (after is None or (at, id) > after)
        and (before is None or (at, id) < before)
        and (not only or (at, id) in only)
        and (not nick or made[id % MILLION][2] == nick)
        and (own is None or made[id % MILLION][1] == own)
    ]
    page = reading.page(connection, PLACE, query)
    assert ids(page) == [id for _, id in expected]
    assert (page.total, page.at, page.complete) == (len(expected), 0, True)


@settings(max_examples=100, deadline=None)
@given(rows, st.integers(1, 9), st.none() | st.integers(0, 12))
def test_pages_make_the_whole_both_ways(
    connection: sqlite3.Connection, made: Rows, most: int, start: int | None
) -> None:
    whole = [id for at, id in stored(connection, made) if start is None or at >= start]
    query = Query(start=start, most=most)
    walked: list[int] = []
    page = reading.page(connection, PLACE, query)
    while True:
        assert page.total == len(whole) and (not page.lines or page.at == len(walked))
        walked += ids(page)
        assert page.complete == (len(walked) == len(whole))
        if page.complete:
            break
        page = reading.page(connection, PLACE, query._replace(after=page.lines[-1].id))
    assert walked == whole
    walked = []
    page = reading.page(connection, PLACE, query._replace(before=""))
    while True:
        walked = ids(page) + walked
        assert page.total == len(whole) and (not page.lines or page.at == len(whole) - len(walked))
        assert page.complete == (len(walked) == len(whole))
        if page.complete:
            break
        page = reading.page(connection, PLACE, query._replace(before=page.lines[0].id))
    assert walked == whole


@pytest.mark.parametrize("id", ODD)
@pytest.mark.parametrize("field", ["after", "before", "after_id", "before_id", "ids"])
def test_ids_that_are_not_there_are_said_to_be_so(connection: sqlite3.Connection, field: str, id: str) -> None:
    stored(connection, [])
    value: object = [id] if field == "ids" else id
    query = Query(**{field: value})  # type: ignore[arg-type]  # by name
    if not id and field != "ids":
        assert reading.page(connection, PLACE, query).lines in ((), [])
    else:
        with pytest.raises(Unknown):
            reading.page(connection, PLACE, query)
        with pytest.raises(Unknown):
            reading.page(connection, None, query)


@given(st.text(), st.text(), st.text(), st.booleans(), st.text())
def test_a_line_is_unpacked_as_it_was_packed(nick: str, occupant: str, content: str, own: bool, stanza: str) -> None:
    nick, occupant, stanza = (part.replace("\x1f", "") for part in (nick, occupant, stanza))  # as is all of XML
    line = unpacked(5 * MILLION + 7, packed(nick, occupant, content, own, stanza), None)
    id = f"{5 * MILLION + 7:x}"
    assert line == Line(id, 5, own, nick, stanza if own else id, occupant or nick, content, "")


def test_a_page_of_none_tells_how_many_there_are(connection: sqlite3.Connection) -> None:
    stored(connection, [(1, False, "a")] * 5)
    assert reading.page(connection, PLACE, Query(most=0)) == Page((), 5, 0, False)
    assert reading.page(connection, PLACE, Query(nothing=True)) == Page((), 0, 0, True)


def test_long_messages_make_short_pages(connection: sqlite3.Connection) -> None:
    stored(connection, [(1, False, "a")] * 30)
    connection.execute("UPDATE messages SET line = ?", (packed("a", "a", "x" * 40_000, False, ""),))
    page = reading.page(connection, PLACE, Query(most=100))
    assert (len(page.lines), page.total, page.complete) == (9, 30, False)


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(before=""),
        Query(start=3, end=5),
        Query(after=f"{MILLION:x}"),
        Query(after_id=f"{MILLION:x}", before_id=f"{MILLION + 1:x}", before=f"{MILLION + 1:x}"),
    ],
)
def test_no_query_reads_the_whole_table(connection: sqlite3.Connection, query: Query) -> None:
    stored(connection, [(1, False, "a")] * 5)
    plans: list[str] = []
    connection.set_trace_callback(plans.append)
    reading.page(connection, PLACE, query)
    connection.set_trace_callback(None)
    for statement in plans:
        for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
            assert "USING" in row[3] and "SCAN" not in row[3] and "TEMP" not in row[3], (statement, row[3])
