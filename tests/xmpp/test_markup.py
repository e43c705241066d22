"""XEP-0394: its own example, and what does not fit its body."""

from __future__ import annotations

import pytest

from transports.events import Address, More, Said, Span
from transports.xmpp.markup import LONGEST, beside

ROOM = Address("room", "#c%irc.test")
WORRY = "There is really no reason to worry."
EMPHASIS = (Span(9, 15, ("emphasis",)),)


def said(text: str, spans: tuple[Span, ...]) -> Said:
    return Said(ROOM, "ann", text, more=More(spans=spans))


def test_the_specifications_example() -> None:
    inner = "<span start='9' end='15'><emphasis/></span>"
    assert beside(said(WORRY, EMPHASIS), WORRY) == f"<markup xmlns='urn:xmpp:markup:0'>{inner}</markup>"


def test_what_stands_before_the_text_moves_the_places() -> None:
    assert "start='13' end='19'" in beside(said(WORRY, EMPHASIS), f"/me {WORRY}")


def test_one_span_may_have_several_styles() -> None:
    assert "><strong/><code/></span>" in beside(said("abc", (Span(0, 3, ("strong", "code")),)), "abc")


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (WORRY, ()),
        ("", EMPHASIS),
        ("ab\x07cdefghijklmnop", EMPHASIS),
        ("x" * (LONGEST + 1), EMPHASIS),
        (WORRY, (Span(9, 9, ("emphasis",)),)),
        (WORRY, (Span(0, 3, ("script",)),)),
        (WORRY, (Span(0, 3, ()),)),
        (WORRY, (Span(-2, 3, ("strong",)),)),
        (WORRY, (Span(0, 99, ("strong",)),)),
    ],
)
def test_what_cannot_be_is_not_there(text: str, spans: tuple[Span, ...]) -> None:
    assert beside(said(text, spans), text) == ""


def test_most_messages_have_none() -> None:
    assert beside(Said(ROOM, "ann", WORRY), WORRY) == ""
