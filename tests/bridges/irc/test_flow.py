"""The line queue: how fast, in which turn, how many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.flow import QUEUE_LIMIT, Flow
from transports.events import Address, Say

SAY = Say(Address("room", "#a%irc.test"), "", "x", "ada@example.org/desk", "1")


def due(flow: Flow, now: float) -> list[str]:
    return [item.line for item in flow.due(now)]


def test_a_burst_goes_at_once_then_one_line_per_interval() -> None:
    flow = Flow(5, 0.5)
    flow.push("#a", [*map(str, range(8))])
    assert due(flow, 100.0) == ["0", "1", "2", "3", "4"]
    assert flow.wait(100.0) == 2.0
    assert due(flow, 101.9) == []
    assert due(flow, 102.0) == ["5"]
    assert due(flow, 110.0) == ["6", "7"]
    assert flow.wait(110.0) is None


def test_tokens_do_not_pile_up_beyond_the_burst() -> None:
    flow = Flow(2, 1.0)
    flow.push("#a", ["1"])
    assert due(flow, 0.0) == ["1"]
    flow.push("#a", [*"2345"])
    assert due(flow, 1_000.0) == ["2", "3"]


def test_targets_take_turns() -> None:
    flow = Flow(100, 1.0)
    flow.push("#a", ["a1", "a2", "a3"])
    flow.push("#b", ["b1"])
    flow.push("bob", ["c1", "c2"])
    assert due(flow, 0.0) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_a_line_for_another_target_does_not_wait_for_a_paste() -> None:
    flow = Flow(1, 1.0)
    flow.push("#a", [*map(str, range(30))])
    assert due(flow, 0.0) == ["0"]
    flow.push("#b", ["short"])
    assert [line for now in (1.0, 2.0) for line in due(flow, now)] == ["1", "short"]


def test_no_rate_means_no_limit() -> None:
    flow = Flow(1, 0)
    flow.push("#a", [*"abc"])
    assert flow.wait(0.0) == 0.0
    assert due(flow, 0.0) == ["a", "b", "c"]


def test_a_command_that_does_not_fit_is_refused_whole() -> None:
    flow = Flow(1, 1.0)
    assert flow.push("#a", [*["x"] * (QUEUE_LIMIT - 1)])
    assert not flow.push("#b", ["y", "z"])
    assert len(flow) == QUEUE_LIMIT - 1
    assert flow.push("#b", ["y"])


def test_what_is_dropped_names_the_commands_that_are_never_completed() -> None:
    flow = Flow(1, 1.0)
    flow.push("#a", ["1", "2"], SAY)
    flow.push("#b", ["3"])
    assert flow.drop("#a") == [SAY] and len(flow) == 1
    assert flow.drop("#none") == []
    flow.push("#a", ["4"], SAY)
    assert flow.clear() == [SAY] and len(flow) == 0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5))),
    st.integers(1, 5),
    st.floats(0.1, 10),
)
def test_every_line_leaves_once_and_in_the_order_of_its_target(
    pushes: list[tuple[str, int]], burst: int, rate: float
) -> None:
    flow = Flow(burst, rate)
    wanted: dict[str, list[str]] = {}
    for number, (key, count) in enumerate(pushes):
        texts = [f"{key}{number}.{n}" for n in range(count)]
        flow.push(key, [*texts])
        wanted.setdefault(key, []).extend(texts)
    left: list[str] = []
    now = 0.0
    while (wait := flow.wait(now)) is not None:
        now += wait + 1e-6
        left += due(flow, now)
    assert {key: [line for line in left if line[0] == key] for key in wanted} == wanted


def test_how_much_may_wait_is_the_operators_to_say() -> None:
    flow = Flow(1, 0.1, 3)
    assert flow.push("#a", ["x"] * 3) and not flow.push("#b", ["x"])
