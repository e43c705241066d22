"""Capabilities after registration: they come and go, and a server cannot make us hold or send more than we want."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridges.irc.scene import ME, Scene
from transports.bridges.irc.negotiation import MAX_VALUE, Negotiation
from transports.bridges.irc.wanted import CAPABILITIES, WANTED

NAMES = frozenset({"echo-message", "draft/multiline", "server-time"})


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.net.negotiation = Negotiation(NAMES)
    return made


def test_the_table_is_in_order_and_asks_for_what_is_on() -> None:
    assert list(CAPABILITIES) == sorted(CAPABILITIES)
    assert {"server-time", "multi-prefix"} <= WANTED <= set(CAPABILITIES)
    assert not WANTED & {"sasl", "sts"}


def test_what_the_network_can_do_follows_what_the_server_says(scene: Scene) -> None:
    scene.feed(f":irc.test CAP {ME} NEW :echo-message draft/multiline=max-bytes=4096 unknown")
    assert scene.sent() == ["CAP REQ :echo-message draft/multiline"]
    scene.feed(f":irc.test CAP {ME} ACK :echo-message draft/multiline ")
    assert scene.net.caps == {"echo-message", "draft/multiline"}
    assert scene.net.negotiation is not None
    assert scene.net.negotiation.value("draft/multiline") == "max-bytes=4096"
    scene.feed(f":irc.test CAP {ME} DEL :echo-message")
    assert scene.net.caps == {"draft/multiline"}
    assert scene.told() == []


def test_equal_capabilities_are_one_object() -> None:
    one, other = Negotiation(NAMES), Negotiation(NAMES)
    for each in (one, other):
        each.acknowledge(["echo-message", "server-time"])
    assert one.enabled is other.enabled


def test_a_network_without_a_negotiation_ignores_it() -> None:
    scene = Scene()
    scene.feed(f":irc.test CAP {ME} NEW :echo-message", ":irc.test CAP", ":irc.test CAP x NEW")
    assert (scene.sent(), scene.told(), scene.net.caps) == ([], [], frozenset())


ITEMS = st.lists(st.sampled_from([*NAMES, "-echo-message", "=", "-", "x", "server-time=" + "v" * 500]), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["NEW", "DEL", "ACK", "NAK", "LS", "x"]), ITEMS), max_size=40))
def test_whatever_a_server_says_of_capabilities_stays_within_bounds(lines: list[tuple[str, list[str]]]) -> None:
    it = Negotiation(NAMES)
    for subcommand, items in lines:
        sent = it.later(["me", subcommand, " ".join(items)])
        assert len(sent) <= len(NAMES)
        assert it.enabled <= NAMES
        assert len(it._asked or []) <= len(NAMES)
        assert all(len(it.value(name)) <= MAX_VALUE for name in NAMES)
