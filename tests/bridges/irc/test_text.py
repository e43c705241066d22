"""Formatting, CTCP, /me, and cutting: tables, then any text at all."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transports.bridges.irc import write
from transports.bridges.irc.text import (
    action,
    ctcp,
    lines_of,
    room_for,
    split,
    strip_formatting,
    utterances,
)

ANYTHING = st.text(st.characters(exclude_categories=()))
# Text that is hard to cut: joined emoji, flags, marks, jamo, spaces.
CLUSTERS = st.lists(
    st.sampled_from(["a", " ", "é", "e\u0301", "👩‍👩‍👧", "👍🏽", "🇩🇪", "🇩", "☺️", "각", "\u0301", "\u200d"])
).map("".join)
PREFIX = "nick!~user@host.example.org"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("I love \x033IRC! \x03It is the \x037best protocol ever!", "I love IRC! It is the best protocol ever!"),
        ("This is a \x1d\x0313,9cool \x03message", "This is a cool message"),
        ("IRC \x02is \x034,12so \x03great\x0f!", "IRC is so great!"),
        ("Rules: Don't spam 5\x0313,8,6\x03,7,8", "Rules: Don't spam 5,6,7,8"),
        ("\x0312345", "345"),
        ("\x031,", ","),
        ("\x03,5x", ",5x"),
        ("\x04FF0000red\x04 \x0400ff00,000000green", "red green"),
        ("\x04FF00x", "FF00x"),
        ("\x02b\x02 \x1di\x1d \x1fu\x1f \x1es\x1e \x11m\x11 \x16r\x16\x0f", "b i u s m r"),
        ("\x03\x0212", "12"),
        ("", ""),
    ],
)
def test_strip_formatting(text: str, plain: str) -> None:
    assert strip_formatting(text) == plain


@given(ANYTHING | st.text(st.sampled_from("\x02\x03\x04\x0f0,1F a")))
def test_no_formatting_is_left_and_nothing_else_goes(text: str) -> None:
    plain = strip_formatting(text)
    assert not set("\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f") & set(plain)
    if text.isalpha():
        assert plain == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\x01ACTION waves\x01", ("ACTION", "waves")),
        ("\x01ACTION waves", ("ACTION", "waves")),
        ("\x01action  waves \x01", ("ACTION", " waves ")),
        ("\x01VERSION\x01", ("VERSION", "")),
        ("\x01PING 123 456\x01", ("PING", "123 456")),
        ("\x01X a\x10n\x100b\x01", ("X", "a\x10n\x100b")),
        ("\x01\x01", None),
        ("\x01", None),
        ("hi \x01ACTION waves\x01", None),
        ("", None),
    ],
)
def test_ctcp(text: str, parts: tuple[str, str] | None) -> None:
    assert ctcp(text) == parts


@given(ANYTHING)
def test_reading_is_total(text: str) -> None:
    ctcp(text)
    assert ctcp(action(text)) == ("ACTION", text)


def test_lines_break_where_any_reader_might_break_them() -> None:
    assert lines_of("a\r\nb\rc\nd\u2028e\u2029f\x0bg\x0ch") == list("abcdefgh")
    assert lines_of("\n\n one \n\n\rtwo\0\ud800\n") == [" one ", "two"]
    assert lines_of("") == []


# Cutting


@pytest.mark.parametrize(
    ("text", "size", "pieces"),
    [
        ("", 10, []),
        ("short", 10, ["short"]),
        ("0123456789abc", 10, ["0123456789", "abc"]),
        ("01234567 9abc", 10, ["01234567", "9abc"]),  # at the space, which goes
        ("0123456789 abc", 10, ["0123456789", "abc"]),  # the space right after a full piece
        ("01 3456789abc", 10, ["01 3456789", "abc"]),  # a space too early
        ("ééééé", 4, ["éé", "éé", "é"]),
        ("ééééé", 5, ["éé", "éé", "é"]),
        ("xx👍🏽", 8, ["xx", "👍🏽"]),
        ("xe\u0301", 4, ["xe\u0301"]),
        ("xxe\u0301", 4, ["xx", "e\u0301"]),
        ("🇩🇪🇫🇷🇮🇹", 20, ["🇩🇪🇫🇷", "🇮🇹"]),
        ("a👩‍👩‍👧", 18, ["a", "👩‍👩‍👧"]),
        ("👩‍👩‍👧", 8, ["👩\u200d", "👩\u200d", "👧"]),  # longer than a piece: between code points
    ],
)
def test_split(text: str, size: int, pieces: list[str]) -> None:
    assert split(text, size) == pieces


def ends(text: str, pieces: list[str], edges: Collection[int] = ()) -> set[int]:
    """Where the last piece can end when at most one space went at each cut; cuts are at `edges`, if there are any."""
    places = {0}
    for piece in pieces:
        starts = places | {place + 1 for place in places if text[place : place + 1] == " "}
        starts = {start for start in starts if text.startswith(piece, start) and (not edges or start in edges)}
        places = {start + len(piece) for start in starts}
    return places


@given(ANYTHING | CLUSTERS, st.integers(4, 60))
@settings(deadline=None, max_examples=300)
@example("𐀀   ऄ", 4)
def test_split_loses_only_spaces_at_cuts(text: str, size: int) -> None:
    pieces = split(text, size)
    assert all(pieces)
    assert all(len(piece.encode(errors="surrogatepass")) <= size for piece in pieces)
    assert any(text[end:] in ("", " ") for end in ends(text, pieces))


@given(st.lists(st.sampled_from(["a", " ", "é", "e\u0301", "👩‍👩‍👧", "👍🏽", "🇩🇪", "☺️", "각"])), st.integers(20, 60))
def test_cuts_fall_between_what_people_see_as_characters(clusters: list[str], size: int) -> None:
    text = "".join(clusters)
    edges = {len("".join(clusters[:count])) for count in range(len(clusters) + 1)}
    assert {end for end in ends(text, split(text, size), edges) if end in edges and text[end:] in ("", " ")}


def test_room_is_counted_in_bytes() -> None:
    text = "x" * room_for(PREFIX, "#caféé")
    assert len(f":{PREFIX} {write.privmsg('#caféé', text + ' ')}\r\n".encode()) == 512 + 1
    waves = "x" * room_for(PREFIX, "#c", action=True)
    assert len(f":{PREFIX} {write.privmsg('#c', action(waves))}\r\n".encode()) == 512


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("hi", ["hi"]),
        ("hi\nthere\n", ["hi", "there"]),
        ("/me waves", ["\x01ACTION waves\x01"]),
        ("/me waves\nhi\n/me waves", ["\x01ACTION waves\x01", "hi", "/me waves"]),
        ("/me", ["/me"]),
        ("/me ", ["\x01ACTION \x01"]),
        ("\n/me waves", ["/me waves"]),
        ("/me\nwaves", ["/me", "waves"]),
        ("/mention", ["/mention"]),
        ("\x01VERSION\x01", ["VERSION"]),
        ("\n\r\0", []),
        ("", []),
    ],
)
def test_utterances(body: str, said: list[str]) -> None:
    assert utterances(body, "#c", PREFIX) == said


@given(ANYTHING | CLUSTERS, st.integers(0, 60), st.booleans())
@settings(deadline=None)
def test_every_utterance_is_one_line_of_at_most_512_bytes(text: str, times: int, me: bool) -> None:
    body = ("/me " if me else "") + text * times
    for said in utterances(body, "#channel", PREFIX):
        assert len(f":{PREFIX} {write.privmsg('#channel', said)}\r\n".encode()) <= 512
        assert ctcp(said) is None or me


def test_a_long_action_is_several_actions() -> None:
    said = utterances("/me " + "waves " * 200, "#c", PREFIX)
    assert len(said) == 3
    assert all(ctcp(text) for text in said)


def test_a_prefix_longer_than_a_line_does_not_make_a_flood() -> None:
    assert len(utterances("x" * 1000, "#c", "n!u@" + "h" * 600)) == 16
