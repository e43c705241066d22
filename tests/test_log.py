"""One event, one line, whatever is in it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports import log


@pytest.fixture
def fresh() -> Iterator[io.StringIO]:
    """Logging as `run` starts it, into a text; put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    levels = {name: logging.getLogger(name).level for name in log.PINNED}
    log.start("debug", stream, {"JOURNAL_STREAM": "8:1"})
    yield stream
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def line(message: str, *args: object, journal: bool = True, exception: BaseException | None = None) -> str:
    info = (type(exception), exception, exception.__traceback__) if exception else None
    record = logging.LogRecord("transports.x", logging.WARNING, "x.py", 1, message, args, info)
    return log.OneLine(journal=journal).format(record)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "event"),
        ({"domain": "irc.example.org", "wait": 1.5}, "event domain=irc.example.org wait=1.5"),
        ({"seconds": 2.0, "count": 3}, "event seconds=2 count=3"),
        ({"text": "two words"}, 'event text="two words"'),
        ({"text": ""}, 'event text=""'),
        ({"text": 'a"b'}, r'event text="a\"b"'),
        ({"text": "a=b"}, 'event text="a=b"'),
        ({"nothing": None, "no": False}, "event no=False"),
        ({"nick": "a\nb"}, r'event nick="a\\nb"'),
        ({"nick": "ä☺"}, "event nick=ä☺"),
    ],
)
def test_an_event_and_its_fields(fields: dict[str, object], text: str) -> None:
    assert log.kv("event", **fields) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\r\n<3>b", r"a\r\n<3>b"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\x00b", r"a\x00b"),
        ("a\x85b\u2028c\u2029d", r"a\x85b\u2028c\u2029d"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("\ud800", r"\ud800"),
        ("a\tb", "a b"),
    ],
)
def test_nothing_breaks_or_disguises_a_line(hostile: str, shown: str) -> None:
    assert line("said %s", hostile) == f"<4>warning transports.x: said {shown}"


@given(st.text(), st.text())
def test_any_text_is_one_line_of_printable_characters(one: str, other: str) -> None:
    text = line("%s %s", log.kv("event", field=one), other)
    assert len(text.splitlines()) == 1
    text.encode()
    assert not any(ord(character) < 0x20 for character in text)


def test_a_long_text_is_cut() -> None:
    assert len(line("%s", "x" * 1_000_000)) < 5000


def test_an_exception_is_in_the_same_line() -> None:
    try:
        raise ValueError("bad\nthing")
    except ValueError as error:
        text = line("failed", exception=error)
    assert text.startswith(
        r'<4>warning transports.x: failed exception type=ValueError text="bad\\nthing" at=test_log.py:'
    )
    assert "\n" not in text


def test_a_wrong_log_call_is_named_and_raises_nothing() -> None:
    assert line("%d", "x") == "<4>warning transports.x: unreadable log call at x.py:1"


def test_outside_the_journal_a_line_has_the_time() -> None:
    assert line("up", journal=False)[-len("Z warning transports.x: up") :] == "Z warning transports.x: up"


def test_libraries_that_log_wire_traffic_stay_quiet(fresh: io.StringIO) -> None:
    for name in ("slixmpp.xmlstream.xmlstream", "irc.client", "irc.client_aio"):
        logging.getLogger(name).debug("SEND: PASS hunter2")
        logging.getLogger(name).info("SEND: PASS hunter2")
    logging.getLogger("transports.x").debug("ours")
    assert fresh.getvalue() == "<7>debug transports.x: ours\n"


def test_a_closed_stderr_stops_nothing(fresh: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    fresh.close()
    logging.getLogger("transports").error("nobody hears")
    assert capsys.readouterr().err == ""
