"""Bytes -> lines -> Line: the community's vectors, then what hostile servers send."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.bridges.irc.read import (
    MAX_LINE,
    NO_TAGS,
    Buffer,
    Line,
    decode,
    parse,
    server_time,
    split_source,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "irc"
ANYTHING = st.text(st.characters(exclude_categories=()))


def vectors(name: str) -> list[Any]:
    return list(yaml.safe_load((VECTORS / f"{name}.yaml").read_text())["tests"])


@pytest.mark.parametrize("case", vectors("msg-split"), ids=lambda case: case["input"])
def test_msg_split_vectors(case: Any) -> None:
    atoms = case["atoms"]
    assert parse(case["input"]) == Line(
        atoms.get("tags", {}), atoms.get("source", ""), atoms["verb"].upper(), atoms.get("params", [])
    )


@pytest.mark.parametrize("case", vectors("userhost-split"), ids=lambda case: case["source"])
def test_userhost_split_vectors(case: Any) -> None:
    assert split_source(case["source"]) == tuple(case["atoms"].get(part, "") for part in ("nick", "user", "host"))


@pytest.mark.parametrize(
    "line", ["", " ", ":", ":src", ":src  ", "@", "@a=b", "@a=b :src", ":src :text", "FOO-BAR", "é x", "\t"]
)
def test_nonsense_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match="no command"):
        parse(line)


# Lines that close the connection of a careless client; the last ones are no lines at all.
PROBES = [
    b":n!u@h QUIT",
    b":n!u@h PRIVMSG #x",
    b":n!u@h PRIVMSG",
    b":n!u@h PRIVMSG #x :caf\xe9",
    b":n!u@h PRIVMSG #x :\xc0\xaf",
    b":n!u@h PRIVMSG #x :a\0b",
    b":n!u@h JOIN",
    b":s 005 me PREFIX=@+ :are supported",
    b":s 005 me CHANLIMIT=#120 :are supported",
    b":s 353",
    b"PING",
    b"@a=b\\ PING :x",
    b":s MODE #x +ov-k",
    b" ",
    b":",
    b"@" + b"a;" * 40_000,
]


def test_probe_lines_cost_at_most_themselves() -> None:
    buffer, taken = Buffer(), []
    for raw in buffer.feed(b"\r\n".join(PROBES) + b"\r\nPING :alive\r\n"):
        try:
            taken.append(parse(decode(raw)))
        except ValueError:
            continue
    assert buffer.dropped == 1
    assert len(taken) == len(PROBES) - 3 + 1
    assert taken[-1] == Line(NO_TAGS, "", "PING", ["alive"])
    assert [line.params[1] for line in taken[3:6]] == ["café", "À¯", "ab"]


@given(ANYTHING)
@settings(deadline=None)
def test_parse_is_total(line: str) -> None:
    try:
        parsed = parse(line)
    except ValueError:
        return
    assert parsed.command
    split_source(parsed.source)
    server_time(parsed.tags)


@given(st.binary(), st.sampled_from(["", "iso-8859-15", "cp1251", "koi8-r", "no-such-charset"]))
def test_decode_is_total_and_keeps_utf8(raw: bytes, charset: str) -> None:
    text = decode(raw, charset)
    try:
        assert text == raw.decode()
    except UnicodeDecodeError:
        assert text


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("naïve ☃".encode(), "cp1251", "naïve ☃"),
        (b"caf\xe9", "", "café"),
        (b"\xa4 5", "iso-8859-15", "€ 5"),
        (b"\xcf\xf0\xe8\xe2\xe5\xf2", "cp1251", "Привет"),
        (b"a\x81b", "cp1252", "a\ufffdb"),
        (b"\xc0\xaf", "", "À¯"),  # overlong "/"
        (b"\xed\xa0\x80", "", "í\xa0\x80"),  # an encoded surrogate
    ],
)
def test_charsets(raw: bytes, charset: str, text: str) -> None:
    assert decode(raw, charset) == text


# The buffer


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_the_buffer_does_not_care_how_bytes_are_cut(lines: list[bytes], size: int) -> None:
    data = b"".join(line + b"\r\n" for line in lines)
    whole, cut = Buffer(), Buffer()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert whole.feed(data) == [line for piece in pieces for line in cut.feed(piece)]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\r\nc\r\r\nrest", [b"a", b"b", b"c"]),
        (b"\r\n\n\r\r\n", []),
        (b"a\0b\0\r\n", [b"ab"]),
        (b"a\rb\r\n", [b"ab"]),
    ],
)
def test_line_ends(data: bytes, lines: list[bytes]) -> None:
    assert Buffer().feed(data) == lines


@pytest.mark.parametrize("size", [MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE])
@pytest.mark.parametrize("step", [100, 5000, 10**6])
def test_an_overlong_line_is_dropped_up_to_its_newline(size: int, step: int) -> None:
    data = b"x" * size + b"\nPING\nrest"
    buffer = Buffer()
    lines = [line for at in range(0, len(data), step) for line in buffer.feed(data[at : at + step])]
    fits = size <= MAX_LINE
    assert lines == ([b"x" * size] if fits else []) + [b"PING"]
    assert buffer.dropped == (0 if fits else 1)
    assert buffer.feed(b"\n") == [b"rest"]


def test_two_megabytes_without_a_newline_are_linear() -> None:
    """Quadratic buffers take 20 s here; ours, some milliseconds."""
    buffer, start = Buffer(), time.perf_counter()
    for _ in range(20_000):
        assert buffer.feed(b"x" * 100) == []
    assert time.perf_counter() - start < 2
    assert buffer.dropped == 1


# Tags


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2011-10-19T16:40:51.620Z", 1319042451.62),
        ("1970-01-01T00:00:00Z", 0.0),
        ("2012-06-30T23:59:60.419Z", None),  # a leap second
        ("2011-10-19T16:40:51.620", None),
        ("2011-10-19", None),
        ("0000-00-00T00:00:00Z", None),
        ("٢٠١١-10-19T16:40:51Z", None),
        ("", None),
    ],
)
def test_server_time(stamp: str, seconds: float | None) -> None:
    assert server_time({"time": stamp}) == seconds
    assert server_time({}) is None


def test_lines_without_tags_share_one_dict() -> None:
    assert parse("PING a").tags is NO_TAGS
    assert parse("@; PING a").tags is NO_TAGS
