"""IRC's formatting as XEP-0393 and XEP-0394 say it, and back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc import styling
from transports.bridges.irc.formatting import CARRIED, MOST, coded, styled, whole
from transports.bridges.irc.text import strip_formatting
from transports.events import Span

B, I, U, S, M, R, C, H, V = "\x02", "\x1d", "\x1f", "\x1e", "\x11", "\x0f", "\x03", "\x04", "\x16"  # noqa: E741 - their letters


@pytest.mark.parametrize(
    ("text", "body", "set_apart"),
    [
        ("plain", "plain", []),
        (f"{B}bold{B}", "*bold*", [("bold", "strong")]),
        (f"{B}bold", "*bold*", [("bold", "strong")]),
        (f"a {I}b c{I} d", "a _b c_ d", [("b c", "emphasis")]),
        (f"an {U}underline{R} ends", "an _underline_ ends", [("underline", "emphasis")]),
        (f"{S}gone{S}, {M}code{M}.", "~gone~, `code`.", [("gone", "deleted"), ("code", "code")]),
        # whitespace goes outside
        (f"{B} bold {B}after", " *bold* after", [(" *bold* ", "strong")]),
        (f"{B}   {B}", "   ", [("   ", "strong")]),
        (f"x{B}{B}y", "xy", []),
        # inside of a word nothing can be marked; the span says it
        (f"un{B}believ{B}able", "unbelievable", [("believ", "strong")]),
        (f"{B}un{B}believable", "unbelievable", [("un", "strong")]),
        (f"({B}a{B})", "(a)", [("a", "strong")]),
        # together
        (f"{B}{I}both{R}", "*_both_*", [("both", "strong emphasis")]),
        (f"{B}a {I}b{I} c{B}", "*a _b_ c*", [("a ", "strong"), ("b", "strong emphasis"), (" c", "strong")]),
        (f"{B}a {I}b{B} c{I}", "*a b* c", [("a ", "strong"), ("b", "strong emphasis"), ("* c", "emphasis")]),
        (f"{B}{M}x{R}", "*`x`*", [("x", "strong code")]),
        (f"{M}a {B}b{R}", "`a b`", [("a ", "code"), ("b", "strong code")]),
        # marks that are there already would be read with ours, or alone
        (f"{B}2*3{B}", "2*3", [("2*3", "strong")]),
        (f"*open {B}bold{B}", "*open bold", [("bold", "strong")]),
        (f"```{B}x{B}", "```x", [("x", "strong")]),
        (f"> {B}x{B}", "> *x*", [("x", "strong")]),
        # what XMPP has no word for
        (f"{C}04red{C} {C}4,5on{C}{H}FF0000hex{V}back{V}{R}", "red onhexback", []),
        (f"{C}04{B}red{R}", "*red*", [("red", "strong")]),
        (f"{B}", "", []),
    ],
)
def test_in(text: str, body: str, set_apart: list[tuple[str, str]]) -> None:
    said, spans = styled(text)
    assert said == body
    shown = [(said[span.start : span.end], " ".join(span.styles)) for span in spans]
    assert [(words.strip("*_~` "), styles) for words, styles in shown] == [
        (words.strip("*_~` "), styles) for words, styles in set_apart
    ]


def test_marks_only_where_they_are_wanted() -> None:
    assert styled(f"a {B}b{B}", marks=False) == ("a b", (Span(2, 3, ("strong",)),))


def test_much_of_it_is_no_emphasis() -> None:
    assert styled(f"{B}a{B} " * (MOST + 1)) == ("a " * (MOST + 1), ())


ANY = st.text("\x02\x1d\x1f\x1e\x11\x0f\x03*_~` ab1>\n", max_size=40)


@given(ANY, st.booleans())
def test_spans_lie_in_the_body_and_say_what_was_said(text: str, marks: bool) -> None:
    body, spans = styled(text, marks)
    plain = strip_formatting(text)
    assert [letter for letter in body if letter in "ab1>\n "] == [letter for letter in plain if letter in "ab1>\n "]
    if not marks:
        assert body == plain
    before = 0
    for span in spans:
        assert before <= span.start < span.end <= len(body)
        before = span.end


@given(ANY)
def test_marks_that_are_made_are_read_as_the_same(text: str) -> None:
    body, spans = styled(text)
    if body != strip_formatting(text):
        again = styled(coded(body), marks=False)[1]
        apart = {style for span in spans for style in span.styles}
        assert {style for span in again for style in span.styles} <= apart


@given(st.text("\x02\x1d\x1f\x1e\x11\x0f ab1>(", max_size=40))
def test_every_mark_that_is_made_is_read(text: str) -> None:
    body, plain = styled(text)[0], strip_formatting(text)
    read = [one for start, end, _ in styling.blocks(body) for one in styling.spans(body, start, end)]
    assert 2 * len(read) == len(body) - len(plain)


@pytest.mark.parametrize(
    "text", [f"{B}a{B} " * 4_000, f"{B}{I}{U}{S}{M}" * 3_000 + "a", f"{C}12,12" * 3_000, f"{B}a " * 8_000, "a:b " * 9_000]
)
def test_it_takes_linear_time(text: str) -> None:
    started = time.process_time()
    styled(text)
    coded(text.replace(B, "*"))
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("plain", "plain"),
        ("*bold* and _it_ and ~gone~", f"{B}bold{B} and {I}it{I} and {S}gone{S}"),
        ("*a _b_*", f"{B}a {I}b{I}{B}"),
        ("`*code*` stays", "`*code*` stays"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("https://x.test/_a_ *b*", f"https://x.test/_a_ {B}b{B}"),
        ("_https://x.test/_", "_https://x.test/_"),
        ("see *https://x.test/* now", "see *https://x.test/* now"),
        ("```\n*not*\n```\n*yes*", f"```\n*not*\n```\n{B}yes{B}"),
        ("> *quoted*", f"> {B}quoted{B}"),
        ("*not\nstrong*", "*not\nstrong*"),
    ],
)
def test_out(body: str, line: str) -> None:
    assert coded(body) == line


def test_styles_go_on_in_the_next_line() -> None:
    assert list(whole([f"{B}one", f"{I}two{B}", "three", f"{I}four"])) == [f"{B}one", f"{B}{I}two{B}", f"{I}three", f"{I}{I}four"]


@given(st.lists(st.text("\x02\x1d\x1ea", max_size=5), max_size=5))
def test_what_is_carried_is_little(lines: list[str]) -> None:
    for line, carried in zip(lines, whole(lines), strict=True):
        assert carried.endswith(line) and len(carried) - len(line) <= CARRIED
