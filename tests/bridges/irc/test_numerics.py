"""Refusals as errors for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.numerics import (
    JOIN_ERRORS,
    LOGIN_ERRORS,
    NICK_ERRORS,
    SEND_ERRORS,
    TOPIC_ERRORS,
    Refusal,
    error_for,
)
from transports.errors import ERROR_TYPES

TABLES = [JOIN_ERRORS, SEND_ERRORS, NICK_ERRORS, TOPIC_ERRORS, LOGIN_ERRORS]


@pytest.mark.parametrize(
    ("numeric", "condition", "type"),
    [
        ("403", "item-not-found", "cancel"),
        ("405", "resource-constraint", "wait"),
        ("471", "service-unavailable", "wait"),  # XEP-0045 7.2.9
        ("473", "registration-required", "auth"),  # 7.2.6
        ("474", "forbidden", "auth"),  # 7.2.7
        ("475", "not-authorized", "auth"),  # 7.2.5
        ("476", "item-not-found", "cancel"),
        ("477", "registration-required", "auth"),
        ("437", "recipient-unavailable", "wait"),
        ("480", "resource-constraint", "wait"),
        ("263", "resource-constraint", "wait"),
    ],
)
def test_joins(numeric: str, condition: str, type: str) -> None:
    error = error_for(numeric, ["me", "#c", "Cannot join channel"], JOIN_ERRORS)
    assert (error.condition, error.type, error.certain) == (condition, type, True)
    assert error.text.endswith("(The server says: Cannot join channel)")


def test_one_numeric_means_what_was_tried() -> None:
    params = ["me", "x", "Nick/channel is temporarily unavailable"]
    assert error_for("437", params, NICK_ERRORS).condition == "conflict"
    assert error_for("437", params, JOIN_ERRORS).condition == "recipient-unavailable"


def test_words_name_the_channel_without_formatting() -> None:
    error = error_for("474", ["me", "#c", "You are \x02banned\x02"], JOIN_ERRORS)
    assert error.text == "You are banned from #c. (The server says: You are banned)"


@pytest.mark.parametrize("params", [[], ["me"], ["me", "only words"], ["me", "#c", ""]])
def test_lines_that_lack_parts(params: list[str]) -> None:
    assert error_for("471", params).condition == "service-unavailable"
    assert error_for("999", params).condition == "undefined-condition"


def test_the_tables_are_sound() -> None:
    for table in TABLES:
        for numeric, row in table.items():
            assert isinstance(row, Refusal)
            assert len(numeric) == 3
            assert row.condition in ERROR_TYPES
            assert row.words.endswith(".")
            assert "{" not in row.words.replace("{name}", "")


@given(st.sampled_from([*JOIN_ERRORS, *SEND_ERRORS, "xxx"]), st.lists(st.text(max_size=2000)))
def test_words_are_bounded(numeric: str, params: list[str]) -> None:
    assert len(error_for(numeric, params).text) < 1000
