"""When to come back: waits that grow and are spread, what is final, which nicks, which channels are asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc import retry
from transports.bridges.irc.caps import closing_error
from transports.bridges.irc.numerics import JOIN_ERRORS, LOGIN_ERRORS, error_for
from transports.errors import LegacyError
from transports.words import say

LOST = LegacyError("remote-server-timeout", "lost", retry_after=60)


def test_the_bound_doubles_up_to_ten_minutes() -> None:
    waits = [retry.wait(attempt, LOST, lambda: 1.0) for attempt in range(12)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_any_wait_is_between_a_second_and_ten_minutes(attempts: int, chance: float) -> None:
    assert 1.0 <= retry.wait(attempts, LOST, lambda: chance) <= 600.0


def test_full_jitter_is_anything_up_to_the_bound() -> None:
    assert retry.wait(5, LOST, lambda: 0.0) == 1.0
    assert retry.wait(5, LOST, lambda: 0.25) == 16.0


def test_a_server_that_is_asked_too_often_is_given_a_minute_at_least() -> None:
    throttled = closing_error("Closing link: (ada@127.0.0.1) [Your host is trying to (re)connect too fast -- throttled]")
    assert retry.wait(0, throttled, lambda: 0.0) == 61.0
    assert not retry.final(throttled)


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (closing_error("Closing link: (ada@h) [K-Lined: spam]"), True),
        (closing_error("You are banned from this server"), True),
        (closing_error("Killed (oper (bye))"), False),
        (closing_error("Ping timeout: 120 seconds"), False),
        (error_for("465", ["ada", "You are banned"], LOGIN_ERRORS), True),
        (error_for("464", ["ada", "Password incorrect"], LOGIN_ERRORS), True),
        (error_for("904", ["ada", "SASL authentication failed"], LOGIN_ERRORS), True),
        (LegacyError("policy-violation", say("irc.pin", server="s", shown="x")), True),
        (LegacyError("policy-violation", say("irc.certificate", where="s", reason="expired")), True),
        (LegacyError("policy-violation", say("irc.tls-failed", where="s", reason="EOF")), False),
        (LegacyError("not-authorized", say("irc.no-account")), False),
        (LegacyError("not-authorized", say("irc.login-untrusted")), True),
        (LegacyError("remote-server-not-found", "no address"), False),
        (LegacyError("conflict", "taken"), False),
        (LOST, False),
    ],
)
def test_what_trying_again_does_not_change(error: LegacyError, final: bool) -> None:
    assert retry.final(error) is final


@pytest.mark.parametrize(
    ("nick", "others"),
    [
        ("ada", ["ada_", "ada__", "ada1", "ada2", "ada3", "ada4"]),
        ("adalovelace", ["adalovelace_", "adalovelace__", "adalove_", "adalove1", "adalove2", "adalove3"]),
        ("ada_1", ["ada_1_", "ada_1__", "ada_", "ada1", "ada2", "ada3"]),
    ],
)
def test_other_nicks_are_few_and_end(nick: str, others: list[str]) -> None:
    assert list(retry.nicks(nick)) == others and len(others) == retry.NICKS


@pytest.mark.parametrize(
    ("numeric", "first", "later"),
    [("474", None, None), ("473", None, None), ("475", None, None), ("471", 300, 300), ("437", 120, 240), ("609", 60, 120)],
)
def test_a_channel_that_refuses_us_is_asked_again_where_that_may_help(
    numeric: str, first: float | None, later: float | None
) -> None:
    error = error_for(numeric, ["ada", "#c", "no"], JOIN_ERRORS)
    assert (retry.rejoin(error, 0), retry.rejoin(error, 1)) == (first, later)
    assert retry.rejoin(error, retry.REJOINS) is None
