"""XEP-0393 read as its own examples say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.styling import blocks, spans


@pytest.mark.parametrize(
    ("line", "styled"),
    [
        # the specification's own ("Spans")
        ("plain span", []),
        ("*strong span*", ["*strong span*"]),
        ("plain _emphasis_ plain", ["_emphasis_"]),
        ("`pre` plain *strong*", ["`pre`", "*strong*"]),
        ("*strong*plain*", ["*strong*"]),
        ("* plain *strong*", ["*strong*"]),
        ("not strong*", []),
        ("*not strong", []),
        ("*not *strong", []),
        ("**", []),
        ("***", []),
        ("****", []),
        ("Two spans, both *alike in dignity*", ["*alike in dignity*"]),
        ("Everyone ~dis~likes cake.", ["~dis~"]),
        ("This is `*monospace*`", ["`*monospace*`"]),
        ("This is *`monospace and bold`*", ["*`monospace and bold`*", "`monospace and bold`"]),
        # and others
        ("*a _b_*", ["*a _b_*", "_b_"]),
        ("*_both_*", ["*_both_*", "_both_"]),
        ("_*a_*", ["_*a_"]),
        ("snake_case_name", []),
        ("2*3*4", []),
        ("*a\u00a0*", []),
        ("", []),
        ("*", []),
    ],
)
def test_spans(line: str, styled: list[str]) -> None:
    assert [line[one.start : one.end + 1] for one in spans(line)] == styled


@pytest.mark.parametrize(
    ("body", "counted"),
    [
        ("one\n> two\n\nthree", ["one", "two", "", "three"]),
        ("```ignored\n(println)\n```\n\nplain", ["", "plain"]),
        ("> ```\n> (println)\n\nplaintext!", ["", "plaintext!"]),
        (">> That that is, is.\n> Said", ["That that is, is.", "Said"]),
        ("```\nno end", []),
        (">", [""]),
    ],
)
def test_blocks(body: str, counted: list[str]) -> None:
    assert [body[start:end] for start, end, counts in blocks(body) if counts] == counted


@given(st.text("*_~` a\n>\t", max_size=60))
def test_spans_nest_and_hold_something(text: str) -> None:
    for start, end, counts in blocks(text):
        assert 0 <= start <= end <= len(text)
        found = spans(text, start, end) if counts else []
        for one in found:
            assert start <= one.start < one.end - 1 < end
            assert text[one.start] == text[one.end] == one.mark
            for other in found:
                assert other.end < one.start or other.start > one.end or (
                    (one.start <= other.start and other.end <= one.end) or (other.start <= one.start and one.end <= other.end)
                )  # fmt: skip


@pytest.mark.parametrize("text", ["*a " * 100_000, "*_~`a" * 60_000, "**" * 150_000, ">" * 300_000, "*a*" * 100_000])
def test_it_takes_linear_time(text: str) -> None:
    started = time.process_time()
    for start, end, _ in blocks(text):
        spans(text, start, end)
    assert time.process_time() - started < 5  # some 0.3 s; what is quadratic takes hours
