"""Durable rows both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import LegacyError
from transports.events import (
    Address,
    Correct,
    Corrected,
    File,
    More,
    React,
    Reacted,
    Retract,
    Retracted,
    Said,
    Say,
    Sent,
    Span,
    Told,
)
from transports.store.database import open_database
from transports.store.journal import Journal, Row
from transports.store.payload import Event, dump, load

ALICE, BOB = "alice@example.org", "bob@example.org"
ANN, BEN = Address("person", "+15551234567"), Address("person", "+15557654321")
CAP = 1000


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def journal(tmp_path: Path, clock: Clock) -> AsyncIterator[Journal]:
    database = await open_database(f"sqlite:///{tmp_path}/t.db")
    yield Journal(database, "test", clock)
    await database.close()


def said(text: str, contact: Address = ANN) -> Said:
    return Said(contact, "Ann", text)


def say(text: str, contact: Address = ANN) -> Say:
    return Say(contact, "", text, f"{ALICE}/phone", "m1")


async def put_in(journal: Journal, text: str, key: str | None = None, owner: str = ALICE) -> Row:
    row = await journal.put("in", owner, said(text), key, CAP)
    assert row is not None
    return row


async def put_out(journal: Journal, text: str, contact: Address = ANN) -> Row:
    row = await journal.put("out", ALICE, say(text, contact), None, CAP)
    assert row is not None
    return row


async def texts(journal: Journal, owner: str = ALICE, after: int = 0) -> list[str]:
    return [row.event.text for row in await journal.for_stream(owner, after, 100) if row.event]


async def test_rows_come_back_in_order_and_by_owner(journal: Journal) -> None:
    first = await put_in(journal, "1")
    await put_in(journal, "2")
    await put_in(journal, "x", owner=BOB)
    assert await journal.for_stream(ALICE, 0, 1) == [first]
    assert await texts(journal) == ["1", "2"]
    assert await texts(journal, after=first.seq) == ["2"]
    assert sorted(await journal.owners("in", "queued")) == [ALICE, BOB]


async def test_a_repeated_key_is_stored_once(journal: Journal, tmp_path: Path) -> None:
    await put_in(journal, "1", key="SM1")
    assert await journal.put("in", ALICE, said("again"), "SM1", CAP) is None
    assert await journal.put("in", BOB, said("again"), "SM1", CAP) is None
    assert await journal.put("out", ALICE, say("other way"), "SM1", CAP) is not None
    other = Journal(journal._database, "other")
    assert await other.put("in", ALICE, said("other bridge"), "SM1", CAP) is not None
    assert await texts(journal) == ["1"]


async def test_what_goes_along_is_stored_with_the_row_or_not_at_all(journal: Journal) -> None:
    ids: list[str] = []

    def along(id: str) -> list[Callable[[sa.Connection], None]]:
        return [lambda connection: ids.append(id)]

    row = await journal.put("in", ALICE, said("1"), "SM1", CAP, along)
    assert row is not None and ids == [row.id]
    assert await journal.put("in", ALICE, said("1"), "SM1", CAP, along) is None
    with pytest.raises(ZeroDivisionError):
        await journal.put("in", ALICE, said("2"), "SM2", CAP, lambda id: [lambda connection: 1 / 0])  # type: ignore[list-item,return-value]
    assert ids == [row.id] and await texts(journal) == ["1"]


async def test_no_key_means_no_repeats(journal: Journal) -> None:
    await put_out(journal, "hi")
    await put_out(journal, "hi")
    assert await journal.counts() == {("out", "queued"): 2}


@pytest.mark.parametrize("key", ["", "\0", "\ud800", "ключ", "x" * 5000, "'; DROP TABLE journal; --", "a\nb"])
async def test_any_key_is_a_key(journal: Journal, key: str) -> None:
    await put_in(journal, "1", key=key)
    assert await journal.put("in", ALICE, said("1"), key, CAP) is None
    assert await journal.put("in", ALICE, said("1"), key + "2", CAP) is not None


async def test_the_cap_counts_open_rows_of_one_owner_and_direction(journal: Journal) -> None:
    rows = [await put_in(journal, str(n), key=str(n)) for n in range(3)]
    with pytest.raises(LegacyError) as caught:
        await journal.put("in", ALICE, said("4"), "4", 3)
    assert (caught.value.condition, caught.value.type) == ("resource-constraint", "wait")
    assert await journal.put("in", ALICE, said("0"), "0", 3) is None  # a repeat is no new row
    assert await journal.put("in", BOB, said("1"), None, 3) is not None
    assert await journal.put("out", ALICE, say("1"), None, 3) is not None
    await journal.taken([rows[0].id])
    assert await journal.put("in", ALICE, said("4"), "4", 3) is not None


async def test_a_burst_past_the_cap_is_cut_at_the_cap(journal: Journal) -> None:
    results = await asyncio.gather(
        *(journal.put("in", ALICE, said("x"), str(n), 10) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(result, Row) for result in results) == 10


async def test_taken_waiting_and_released(journal: Journal, clock: Clock) -> None:
    first, second = await put_in(journal, "1"), await put_in(journal, "2")
    await journal.taken([first.id])
    assert await texts(journal) == ["2"]
    await journal.wait(second.id, clock.now + 60, "recipient-unavailable", 1)
    assert await texts(journal) == []
    assert await journal.held(ALICE) == [ANN]
    assert await journal.due() == []
    clock.now += 60
    assert await journal.due() == [ALICE]
    await journal.release(ALICE)
    [row] = await journal.for_stream(ALICE, 0, 10)
    assert (row.id, row.attempts, row.error) == (second.id, 1, "recipient-unavailable")


async def test_a_refused_row_is_not_taken_by_a_late_answer(journal: Journal) -> None:
    row = await put_in(journal, "1")
    await journal.dead(row.id, "service-unavailable: blocked")
    await journal.taken([row.id])
    found = await journal.get(row.id)
    assert found is not None and found.state == "dead"


async def test_lanes_are_walked_from_their_head(journal: Journal) -> None:
    first, second = await put_out(journal, "1"), await put_out(journal, "2")
    other = await put_out(journal, "x", BEN)
    assert sorted(await journal.lanes()) == [(ALICE, ANN), (ALICE, BEN)]
    assert await journal.head(ALICE, ANN) == first
    await journal.sent(first.id, 1)
    head = await journal.head(ALICE, ANN)
    assert head is not None and (head.id, head.state, head.attempts) == (first.id, "sent", 1)
    await journal.done(first.id, ["SM1", "SM2"])
    assert await journal.head(ALICE, ANN) == second
    await journal.dead(second.id, "gone: no such number")
    assert await journal.head(ALICE, ANN) is None
    assert await journal.lanes() == [(ALICE, other.contact)]


async def test_a_failed_row_is_dead_when_its_sender_was_told(journal: Journal) -> None:
    row = await put_out(journal, "1")
    await put_in(journal, "2")
    await journal.fail(row.id, "gone: no such number")
    assert await journal.head(ALICE, ANN) is None
    assert await journal.owners("out", "failed") == [ALICE]
    failed, incoming = await journal.for_stream(ALICE, 0, 10)
    assert (failed.id, failed.state, failed.error) == (row.id, "failed", "gone: no such number")
    await journal.taken([failed.id, incoming.id])
    assert await journal.counts() == {("out", "dead"): 1, ("in", "taken"): 1}


async def test_dead_letters_are_shown_and_revived(journal: Journal) -> None:
    row = await put_in(journal, "1")
    assert not await journal.revive(row.id)
    await journal.dead(row.id, "service-unavailable: no such account")
    [letter] = await journal.dead_letters()
    assert (letter.id, letter.error, letter.event) == (row.id, "service-unavailable: no such account", row.event)
    assert await journal.revive(row.id)
    assert await texts(journal) == ["1"]


async def test_bodies_go_after_a_day_rows_and_keys_after_a_month(journal: Journal, clock: Clock) -> None:
    taken, dead, waiting = [await put_in(journal, text, key=text) for text in ("taken", "dead", "waiting")]
    await journal.taken([taken.id])
    await journal.dead(dead.id, "gone")
    await journal.wait(waiting.id, clock.now, "", 1)
    clock.now += 86401
    await journal.purge(86400, 30 * 86400)
    rows = [await journal.get(row.id) for row in (taken, dead, waiting)]
    assert [row and row.event for row in rows] == [None, dead.event, waiting.event]
    assert await journal.put("in", ALICE, said("taken"), "taken", CAP) is None
    clock.now += 30 * 86400
    await journal.purge(86400, 30 * 86400)
    assert await journal.counts() == {("in", "waiting"): 1}
    assert (await put_in(journal, "taken", key="taken")).seq > waiting.seq


async def test_a_payload_nobody_understands_is_no_event(journal: Journal) -> None:
    row = await put_in(journal, "1")
    await journal._set([row.id], payload='{"Teleport":{}}')
    found = await journal.get(row.id)
    assert found is not None and found.event is None


ANY = st.text(st.characters())
SOME = st.lists(ANY, max_size=3).map(tuple)
NUMBERS = st.integers(0, 10**9)
WHEN = st.none() | st.floats(0, 1e10)
PLACES = st.builds(Address, st.sampled_from(["person", "group", "room"]), ANY)
FILES = st.builds(
    File, ANY, ANY, ANY, NUMBERS, NUMBERS, NUMBERS, st.floats(0, 1e6), ANY, st.lists(st.tuples(ANY, ANY), max_size=2).map(tuple)
)
SPANS = st.lists(st.builds(Span, NUMBERS, NUMBERS, SOME), max_size=2).map(tuple)
MORE = st.none() | st.builds(
    More, st.lists(FILES, max_size=2).map(tuple), ANY, ANY, ANY, ANY, ANY, st.booleans(), st.booleans(), SPANS
)
EVENTS = st.one_of(
    st.builds(Say, PLACES, ANY, ANY, ANY, ANY, st.none(), MORE),
    st.builds(Correct, PLACES, ANY, SOME, ANY, ANY, ANY, st.none(), MORE),
    st.builds(Retract, PLACES, ANY, SOME, ANY, ANY, st.none()),
    st.builds(React, PLACES, ANY, SOME, SOME, ANY, ANY, st.none()),
    st.builds(Said, PLACES, ANY, ANY, st.sampled_from(["say", "act", "notice"]), WHEN, ANY, MORE),
    st.builds(Corrected, PLACES, ANY, ANY, ANY, WHEN, ANY),
    st.builds(Retracted, PLACES, ANY, ANY, WHEN, ANY),
    st.builds(Reacted, PLACES, ANY, ANY, SOME, WHEN, ANY),
    st.builds(Sent, PLACES, ANY, WHEN, ANY, MORE),
    st.builds(Told, PLACES, ANY, ANY, st.sampled_from(["delivered", "displayed", "failed"]), ANY, ANY, ANY),
)


@given(EVENTS)
def test_any_event_survives(event: Event) -> None:
    text = dump(event)
    assert load(text) == event
    assert text.isascii() and text.isprintable()


def test_what_is_the_askers_own_is_not_stored() -> None:
    assert load(dump(say("hi")._replace(ref=object()))) == say("hi")


def test_fields_of_another_version_do_no_harm() -> None:
    assert load('{"Say":{"to":["person","x"],"nick":"","text":"hi","by":"","id":"1","mood":"good"}}').text == "hi"
    assert load('{"Said":{"where":["person","x"],"nick":"","text":"hi"}}') == Said(Address("person", "x"), "", "hi")
    new = '{"Said":{"where":["person","x"],"nick":"","text":"hi","more":{"files":[{"url":"u","colour":1}],"mood":"good"}}}'
    assert load(new) == Said(Address("person", "x"), "", "hi", more=More((File("u"),)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"Teleport":{}}',
        '{"Say":{}}',
        '{"Say":{"to":["person"]}}',
        '{"Said":{"where":["person","x"],"nick":"","text":"hi","more":7}}',
        '{"Said":{"where":["person","x"],"nick":"","text":"hi","more":{"files":[7]}}}',
    ],
)
def test_what_is_no_event_is_known_for_one(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        load(text)
