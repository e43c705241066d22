"""Masks of whom a user wants to see nothing of."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.ignoring import LONGEST, MOST, mask, matcher
from transports.bridges.irc.isupport import ISupport

FOLD = ISupport().fold


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("Eve", "Eve!*@*"),
        (" eve ", "eve!*@*"),
        ("eve*", "eve*!*@*"),
        ("eve!~u@host.example", "eve!~u@host.example"),
        ("eve!~u", "eve!~u@*"),
        ("~u@host.example", "*!~u@host.example"),
        ("*.host.example", "*!*@*.host.example"),
        ("[x]^", "[x]^!*@*"),
    ],
)
def test_a_mask_is_made_of_what_people_type(typed: str, whole: str) -> None:
    assert mask(typed) == whole
    assert mask(whole) == whole


@pytest.mark.parametrize("typed", ["", "*", "*!*@*", "?", "a b", "a,b", ":a", "a!b!c", "a@b@c", "a\nb", "x" * (LONGEST + 1)])
def test_what_is_no_mask_or_one_of_everybody_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mask(typed)


@pytest.mark.parametrize(
    ("masks", "source", "ignored"),
    [
        (["eve!*@*"], "eve!~e@host", True),
        (["Eve!*@*"], "eVE!~e@host", True),
        (["eve!*@*"], "eves!~e@host", False),
        (["[eve]!*@*"], "{EVE}!x@y", True),  # rfc1459
        (["*!*@*.example"], "eve!~e@a.b.example", True),
        (["*!*@*.example"], "eve!~e@example", False),
        (["*!~e@?ost"], "x!~e@host", True),
        (["*!~e@?ost"], "x!~e@hhost", False),
        (["a*b*c!*@*"], "axxbyyc!u@h", True),
        (["bob!*@*", "eve!*@*"], "eve!u@h", True),
        (["eve!*@*"], "irc.example.org", False),
        (["e.e!*@*"], "eve!u@h", False),
    ],
)
def test_who_is_ignored(masks: list[str], source: str, ignored: bool) -> None:
    found = matcher(masks, FOLD)
    assert found is not None and found(source) is ignored


def test_no_masks_cost_nothing() -> None:
    assert matcher([], FOLD) is None


_SOURCES = st.text("ab*?!@.", max_size=12)


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=12))
def test_it_matches_what_globs_match(pattern: str, source: str) -> None:
    found = matcher([pattern], FOLD)
    assert found is not None and found(source) is fnmatchcase(source, pattern)


def test_a_hostile_mask_and_a_hostile_name_take_no_time() -> None:
    found = matcher(["*a" * (LONGEST // 2)] * MOST, FOLD)
    assert found is not None
    began = time.perf_counter()
    assert not found("a" * 80 + "b" * 400)
    assert time.perf_counter() - began < 0.1
