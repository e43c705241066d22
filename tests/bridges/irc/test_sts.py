"""Strict transport security: what a value means, and what becomes of policies in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.keeping import KeptPolicies
from transports.bridges.irc.sts import HOSTS, LONGEST, Offer, Policies, Policy, parse
from transports.options import Options


@pytest.mark.parametrize(
    ("value", "offer"),
    [
        ("port=6697", Offer(6697, None)),
        ("duration=15552000", Offer(None, 15_552_000)),
        ("duration=2592000,port=6697", Offer(6697, 2_592_000)),
        ("duration=0", Offer(None, 0)),
        ("duration=1,preload,unknown=x,port=7000", Offer(7000, 1)),
        ("port=1,port=2", Offer(1, None)),
        ("port=0", Offer()),
        ("port=65536", Offer()),
        ("port=-1", Offer()),
        ("port=x", Offer()),
        ("port", Offer()),
        ("duration=", Offer()),
        ("duration=" + "9" * 30, Offer()),
        ("", Offer()),
    ],
)
def test_values(value: str, offer: Offer) -> None:
    assert parse(value) == offer


@given(st.text(max_size=300))
def test_no_value_breaks_it(value: str) -> None:
    port, duration = parse(value)
    assert (port is None or 0 < port < 65536) and (duration is None or duration >= 0)


class Book:
    """What was saved."""

    def __init__(self) -> None:
        self.saved: dict[str, str] = {}
        self.writes = 0
        self.policies = Policies(self.save)

    def save(self, host: str, text: str) -> None:
        self.writes += 1
        self.saved[host] = text


def test_a_policy_holds_until_it_ends() -> None:
    policies = Book().policies
    policies.learn("irc.test", 6697, "duration=100", 1000)
    assert policies.of("irc.test", 1099) == Policy(6697, 100, 1100)
    assert policies.of("irc.test", 1100) is None
    assert policies.of("other.test", 1000) is None


def test_a_duration_of_nothing_ends_it_and_a_port_alone_changes_nothing() -> None:
    book = Book()
    book.policies.learn("irc.test", 6697, "duration=100", 1000)
    book.policies.learn("irc.test", 6697, "port=7000", 1000)
    assert book.policies.of("irc.test", 1050) is not None
    book.policies.learn("irc.test", 6697, "duration=0", 1050)
    assert book.policies.of("irc.test", 1051) is None
    assert book.saved == {"irc.test": ""}


def test_it_counts_from_the_end_of_the_connection() -> None:
    policies = Book().policies
    policies.learn("irc.test", 6697, "duration=100", 1000)
    policies.renew("irc.test", 1090)
    assert policies.of("irc.test", 1150) is not None
    policies.renew("irc.test", 1200)  # it has ended by then, and stays so
    assert policies.of("irc.test", 1201) is None


def test_policies_outlive_the_process() -> None:
    book = Book()
    book.policies.learn("irc.test", 6697, "duration=100", 1000)
    again = Policies()
    again.load({**book.saved, "broken.test": "x", "empty.test": ""})
    assert again.of("irc.test", 1050) == Policy(6697, 100, 1100)
    assert again.of("broken.test", 0) is None


async def test_policies_lie_among_the_options_of_nobody() -> None:
    options = Options()
    kept = KeptPolicies(options, "irc.example.org")
    policies = Policies(kept.save)
    policies.learn("irc.test", 6697, "duration=100", 1000)
    policies.learn("gone.test", 6697, "duration=100", 1000)
    policies.learn("gone.test", 6697, "duration=0", 1000)
    await kept.stop()
    assert KeptPolicies(options, "irc.example.org").load() == {"irc.test": "6697 100 1100"}


def test_thousands_of_connections_that_end_are_not_as_many_writes() -> None:
    book = Book()
    for second in range(1000):
        book.policies.learn("irc.test", 6697, "duration=2592000", 1000 + second)
        book.policies.renew("irc.test", 1000 + second)
    assert book.writes == 1


def test_the_table_and_its_times_are_bounded() -> None:
    policies = Book().policies
    policies.learn("long.test", 6697, "duration=99999999999", 1000)
    found = policies.of("long.test", 1000)
    assert found is not None and found.duration == LONGEST
    for number in range(HOSTS + 10):
        policies.learn(f"h{number}.test", 6697, "duration=1000", 1000 + number)
    assert sum(policies.of(f"h{number}.test", 1000) is not None for number in range(HOSTS + 10)) < HOSTS
    assert policies.of("long.test", 1000) is not None  # those that end first make room
