"""Questions as words and words as answers: what a person may type for each type of field, in whichever language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.describe import Field, Table, Value
from transports.words import CATALOGS, say
from transports.xmpp import forms, prose

GERMAN = {"talk.words-yes": "ja j", "talk.words-no": "nein", "talk.yes": "ja", "talk.keep": "Jetzt: {now}."}
COLOURS = {"r": "Red", "g": "Dark green", "b": "Blue"}
PORTS = {"6667": "6667 (plain)", "6697": "6697 (TLS)"}


@pytest.fixture(autouse=True)
def german(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGS, "de", GERMAN)


@pytest.mark.parametrize(
    ("field", "typed", "values"),
    [
        (Field("f", ""), " some words ", ["some words"]),
        (Field("f", ""), "-", None),
        (Field("f", ""), "--", []),
        (Field("f", "", "secret"), " hunter 2", [" hunter 2"]),
        (Field("f", "", "secret"), "-", None),
        (Field("f", "", "secret"), "--", ["--"]),
        (Field("f", "", "lines"), "one\n two", ["one", " two"]),
        (Field("f", "", "number"), " 7 ", ["7"]),
        (Field("f", "", "jid"), "a@b.example ", ["a@b.example"]),
        (Field("f", "", "jids"), "a@b.example, c@d.example\ne@f.example", ["a@b.example", "c@d.example", "e@f.example"]),
        (Field("f", "", "switch"), "YES", ["1"]),
        (Field("f", "", "switch"), "Ja", ["1"]),
        (Field("f", "", "switch"), "n", ["0"]),
        (Field("f", "", "switch"), "perhaps", ["perhaps"]),
        (Field("f", "", "choice", options=COLOURS), "2", ["g"]),
        (Field("f", "", "choice", options=COLOURS), "dark GREEN", ["g"]),
        (Field("f", "", "choice", options=COLOURS), "B", ["b"]),
        (Field("f", "", "choice", options=COLOURS), "4", ["4"]),
        (Field("f", "", "choice", options=COLOURS), "0", ["0"]),
        (Field("f", "", "choice", options=COLOURS), "9" * 5_000, ["9" * 5_000]),
        (Field("f", "", "choice", options=COLOURS), "²", ["²"]),
        (Field("f", "", "choice", options=PORTS), "6697", ["6697"]),
        (Field("f", "", "choice", options=PORTS), "1", ["1"]),
        (Field("f", "", "choices", options=COLOURS), "1, 3", ["r", "b"]),
        (Field("f", "", "choices", options=COLOURS), "1 3", ["r", "b"]),
        (Field("f", "", "choices", options=COLOURS), "red, dark green", ["r", "g"]),
        (Field("f", "", "choices", options=COLOURS), "red, pink", ["red, pink"]),
    ],
)
def test_what_is_typed_is_taken_as_it_was_meant(field: Field, typed: str, values: list[str] | None) -> None:
    assert prose.heard(field, typed, "de") == values


FIELDS = [Field("jid", "Who"), Field("n", "", "note"), Field("sure", "Sure", "switch"), Field("why", "Why")]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", {}),
        ("a@b.example", {"jid": ["a@b.example"]}),
        ("a@b.example yes", {"jid": ["a@b.example"], "sure": ["1"]}),
        ("a@b.example yes all that spam", {"jid": ["a@b.example"], "sure": ["1"], "why": ["all that spam"]}),
        ('"a b" yes "so so"', {"jid": ["a b"], "sure": ["1"], "why": ["so so"]}),
        ("“a b” yes so \"so\"", {"jid": ["a b"], "sure": ["1"], "why": ['so "so"']}),
        ("- yes", {"sure": ["1"]}),
        ('"', {"jid": ['"']}),
    ],
)
def test_what_is_typed_at_once_fills_the_fields_in_their_order(typed: str, found: dict[str, list[str]]) -> None:
    assert prose.filled(FIELDS, typed, "") == found


@pytest.mark.parametrize(
    ("field", "now", "said"),
    [
        (Field("f", "Name", help="Any."), None, "Name\nAny.\n“-” leaves it empty."),
        (Field("f", "Name", required=True), None, "Name"),
        (Field("f", "Name"), "Ada", "Name\nNow: Ada. “-” keeps it, “--” empties it."),
        (Field("f", "Name", required=True), "Ada", "Name\nNow: Ada. “-” keeps it."),
        (Field("f", "On", "switch"), True, "On\nAnswer “yes” or “no”.\nNow: yes. “-” keeps it."),
        (Field("f", "On", "switch"), False, "On\nAnswer “yes” or “no”.\nNow: no. “-” keeps it."),
        (Field("f", "C", "choice", options=COLOURS), "g", "C\n1. Red\n2. Dark green\n3. Blue\nNow: Dark green. “-” keeps it."),
        (Field("f", "P", "choice", options=PORTS, required=True), None, "P\n• 6667 (plain)\n• 6697 (TLS)"),
        (Field("f", "Read this.", "note", help="And this."), None, "Read this.\nAnd this."),
    ],
)
def test_a_question_says_what_stands_there(field: Field, now: Value | None, said: str) -> None:
    assert prose.asked(field, "", now) == said


def test_a_question_is_in_the_readers_language_and_says_what_was_wrong() -> None:
    said = prose.asked(Field("f", say("talk.yes"), "switch", required=True), "de", True, "Nope.")
    assert said.splitlines()[0] == "⚠ Nope." and "Jetzt: ja." in said


def test_a_secret_is_never_said() -> None:
    field = Field("f", "Password", "secret")
    assert "hunter2" not in prose.asked(field, "", "hunter2") and "Something is set" in prose.asked(field, "", "hunter2")


def test_a_table_is_lines() -> None:
    table = Table((("a", "Network"), ("b", "Nick")), [("irc.libera.chat", "ada"), ("irc\nevil", "")])
    assert prose.table(table, "") == "Network · Nick\nirc.libera.chat · ada\nirc evil · –"
    assert prose.table(Table((("a", "A"),), [("x",)]), "") == "x"
    assert prose.table(Table((("a", "A"), ("b", "B")), []), "") == ""


@pytest.mark.parametrize("row", [("x", "y"), ("x" * 1_000, "y")])
def test_a_long_table_says_how_much_is_missing(row: tuple[str, str]) -> None:
    lines = prose.table(Table((("a", "A"), ("b", "B")), [row] * 5_000), "").splitlines()
    assert lines[-1] == f"({5_000 - (len(lines) - 2)} more are not shown)" and len("".join(lines)) < 10_000


@given(st.text(max_size=30), st.sampled_from([*forms._READERS]))
def test_whatever_is_typed_is_taken_or_refused_with_words(typed: str, type: str) -> None:
    field = Field("f", "F", type, options=COLOURS)  # type: ignore[arg-type]
    try:
        forms.answer(field, prose.heard(field, typed, "de"))
    except ValueError as error:
        assert forms.fault(error)
