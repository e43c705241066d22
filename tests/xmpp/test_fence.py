"""The fence against a server that processes one stanza after the other."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.xmpp.fence import Fence, Passed, Ping

USER = "alice@example.org"


@pytest.fixture
def fence() -> Fence:
    numbers = count(1)
    return Fence(lambda: f"p{next(numbers)}", patience=30)


def test_a_batch_is_followed_by_one_ping_to_the_bare_jid(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.wrote(USER, "b", 10)
    assert fence.due(0) == [Ping(USER, "p1")]
    assert fence.due(0) == []
    assert fence.answered(USER, "p1") == Passed(USER, ["a", "b"])
    assert not fence.busy
    assert len(fence) == 0


def test_what_is_written_behind_a_ping_waits_for_the_next(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.due(0)
    fence.wrote(USER, "b", 10)
    assert fence.due(0) == []
    assert fence.answered(USER, "p1") == Passed(USER, ["a"])
    assert fence.due(1) == [Ping(USER, "p2")]
    assert fence.answered(USER, "p2") == Passed(USER, ["b"])


def test_users_do_not_wait_for_each_other(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.wrote("bob@example.net", "b", 10)
    assert fence.due(0) == [Ping(USER, "p1"), Ping("bob@example.net", "p2")]
    assert fence.answered("bob@example.net", "p2") == Passed("bob@example.net", ["b"])
    assert "a" in fence


@pytest.mark.parametrize("sender", ["mallory@example.org", "example.net", "", "alice@example.org.evil"])
def test_nobody_else_can_answer(fence: Fence, sender: str) -> None:
    fence.wrote(USER, "a", 10)
    fence.due(0)
    assert fence.answered(sender, "p1") is None
    assert "a" in fence


def test_an_unanswered_ping_is_repeated_to_the_users_server(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.due(0)
    assert fence.next_due() == 30
    assert fence.due(29) == []
    assert fence.due(30) == [Ping("example.org", "p2")]
    assert fence.next_due() == 60
    assert fence.answered("example.org", "p2") == Passed(USER, ["a"])


def test_the_late_answer_to_the_first_ping_counts_too(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.due(0)
    fence.wrote(USER, "b", 10)
    fence.due(30)
    assert fence.answered(USER, "p1") == Passed(USER, ["a"])
    assert fence.answered("example.org", "p2") is None
    assert "b" in fence


def test_repeats_are_bounded(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    for times in range(100):
        assert len(fence.due(times * 30.0)) == 1
    assert len(fence._pings) == 4
    assert fence.answered("example.org", "p100") == Passed(USER, ["a"])
    assert not fence._pings


def test_a_refused_row_is_not_passed(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.wrote(USER, "b", 10)
    fence.due(0)
    assert fence.refused("alice@example.org/phone", "a")
    assert not fence.refused(USER, "a")
    assert fence.answered(USER, "p1") == Passed(USER, ["b"])


def test_only_the_receiver_can_refuse(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    assert not fence.refused("mallory@example.org", "a")
    assert "a" in fence


def test_a_refused_row_that_is_written_again_is_behind_the_old_ping(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.due(0)
    fence.refused(USER, "a")
    fence.wrote(USER, "a", 10)
    assert fence.answered(USER, "p1") == Passed(USER, [])
    assert "a" in fence


def test_room_counts_what_is_on_its_way(fence: Fence) -> None:
    assert fence.idle(USER)
    for row in "abc":
        assert fence.room(USER, 3, 1000)
        fence.wrote(USER, row, 10)
    assert not fence.room(USER, 3, 1000)
    assert not fence.room(USER, 10, 30)
    assert fence.room("bob@example.net", 3, 30)
    assert fence.size == 30
    fence.refused(USER, "b")
    assert fence.room(USER, 3, 30)
    fence.due(0)
    fence.answered(USER, "p1")
    assert fence.idle(USER) and fence.size == 0


def test_a_lost_stream_forgets_everything(fence: Fence) -> None:
    fence.wrote(USER, "a", 10)
    fence.due(0)
    fence.wrote(USER, "b", 10)
    fence.lost()
    assert fence.answered(USER, "p1") is None
    assert len(fence) == 0
    assert fence.due(1000) == []
    assert fence.next_due() is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(["a@x", "b@x", "c@y"])),
        st.tuples(st.sampled_from(["ask", "late", "serve", "refuse", "lose"]), st.just("")),
    ),
    max_size=60,
)


@given(STEPS)
def test_passed_means_processed(steps: list[tuple[str, str]]) -> None:
    """Whatever the interleaving: a row passes once at most, after the server processed it, in order; in the end all do."""
    numbers = count()
    fence = Fence(lambda: f"p{next(numbers)}", patience=30)
    stream: list[tuple[str, str] | Ping] = []  # written, not yet processed
    processed: list[str] = []
    refused: set[str] = set()
    passed: list[str] = []
    written: list[str] = []
    clock = 0.0

    def serve() -> None:
        stanza = stream.pop(0)
        if isinstance(stanza, Ping):
            answer = fence.answered(stanza.to, stanza.id)
            passed.extend(answer.rows if answer else ())
        else:
            processed.append(stanza[1])

    for step, user in steps:
        if step == "write":
            row = f"r{next(numbers)}"
            stream.append((user, row))
            written.append(row)
            fence.wrote(user, row, 10)
        elif step in ("ask", "late"):
            clock += 31 if step == "late" else 0
            stream.extend(fence.due(clock))
        elif step == "serve" and stream:
            serve()
        elif step == "refuse" and stream and not isinstance(stream[0], Ping):
            to, row = stream.pop(0)
            assert fence.refused(to, row)
            refused.add(row)
        elif step == "lose":
            stream.clear()
            fence.lost()
            refused.update(row for row in written if row not in passed)
        assert len(set(passed)) == len(passed)
        assert set(passed) <= set(processed)
        assert not set(passed) & refused
    while fence.busy:
        stream.extend(fence.due(clock))
        serve()
    assert set(passed) | refused == set(written)
    assert fence.size == 0
    assert not (fence._rows or fence._pings or fence._unasked or fence._deadlines)
