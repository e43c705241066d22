"""The texts for people: complete, used, said with what they need, in every language; and what a file of them may do."""

from __future__ import annotations

import ast
import json
import logging
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.far import DOMAIN, House
from transports import catalogs
from transports.catalogs import parse, placeholders
from transports.describe import Wrong
from transports.english import ENGLISH
from transports.errors import LegacyError
from transports.events import (
    NO_RANK,
    Address,
    Down,
    Entered,
    Fact,
    Failed,
    Invited,
    Left,
    Notice,
    Refused,
    Say,
    Subject,
)
from transports.words import CATALOGS, PACKED, Text, in_language, packed, say, unpacked

HOUSE = Path(__file__).parent.parent / "transports"
SOURCES = {path.relative_to(HOUSE).as_posix(): ast.parse(path.read_text()) for path in sorted(HOUSE.rglob("*.py"))}


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    """Every test begins with the package's own languages; none are left behind."""
    catalogs.load()
    yield
    CATALOGS.clear()


# What the sources say -------------------------------------------------------------------------------------------------


def keys_of(argument: ast.expr) -> list[str]:
    """The keys that the first argument of a `say` names; none when they stand in a table."""
    if isinstance(argument, ast.IfExp):
        return keys_of(argument.body) + keys_of(argument.orelse)
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def said() -> Iterator[tuple[str, str, frozenset[str] | None]]:
    """(where, key, names of the values) of each `say` in the sources; None for names that come from elsewhere."""
    for name, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and node.args:
                given = [keyword.arg for keyword in node.keywords]
                values = None if None in given else frozenset(map(str, given))
                for key in keys_of(node.args[0]):
                    yield f"{name}:{node.lineno}", key, values


def test_the_sources_say_what_there_is_and_give_it_what_it_needs() -> None:
    wrong = [
        f"{where}: {key}"
        for where, key, values in said()
        if key not in ENGLISH or (values is not None and values != placeholders(ENGLISH[key]))
    ]
    assert wrong == []
    assert len(list(said())) > 100  # the scan still finds them


def test_every_text_is_used() -> None:
    named = {
        node.value
        for name, tree in SOURCES.items()
        if name != "english.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(set(ENGLISH) - named) == []


def literal(words: ast.expr | None, tree: ast.AST) -> bool:
    """Whether words are written where they are used, or assigned there to the name that is used."""
    if isinstance(words, ast.Name):
        return any(
            literal(node.value, tree)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == words.id for to in node.targets)
        )
    return isinstance(words, ast.JoinedStr) or (isinstance(words, ast.Constant) and bool(words.value))


def test_errors_and_notices_have_no_words_of_their_own() -> None:
    """What people read is in `english`; a literal beside an error's condition or in a Notice is not."""
    wrong = [
        f"{name}:{call.lineno}"
        for name, tree in SOURCES.items()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("LegacyError", "Notice")
        if len(call.args) > 1 and literal(call.args[1], tree)
    ]
    assert wrong == []


#: What a bridge or the house describes itself with for people.
DESCRIBED = {"AdHoc", "Done", "Field", "Form", "Invited", "Prompt", "Registration", "Seen", "Status", "Wrong"}


def test_descriptions_have_no_words_of_their_own() -> None:
    """A literal with a capital letter or between spaces is for people; names of fields and nodes are neither."""
    wrong = [
        f"{name}:{call.lineno} {words.value}"
        for name, tree in SOURCES.items()
        if not name.startswith("config")  # pydantic's Field
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in DESCRIBED
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        for words in ast.walk(argument)
        if isinstance(words, ast.Constant) and isinstance(words.value, str)
        if words.value[:1].isupper() or " " in words.value.strip(", ")
    ]
    assert wrong == []


def test_faults_of_a_form_are_one_text_in_every_language() -> None:
    several = Wrong({"a": say("form.required"), "b": "too long", "c": say("gate.busy")})
    assert several.text == f"{ENGLISH['form.required']} too long {ENGLISH['gate.busy']}"
    assert in_language(several.text, "de").startswith(in_language(say("form.required"), "de") + " too long ")
    assert in_language(Wrong({"a": say("form.required")}).text, "de") == in_language(say("form.required"), "de")
    assert Wrong({}).text == ""


# English and German -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ENGLISH)
def test_a_text_is_one_that_can_be_said(key: str) -> None:
    text = ENGLISH[key]
    section, _, name = key.partition(".")
    assert section and name and key == key.lower()
    assert text.strip() == text != ""
    if not placeholders(text):
        assert "{" not in text and "}" not in text  # such a text is said as it stands


def test_keys_are_in_the_order_of_the_alphabet_within_a_section() -> None:
    assert list(ENGLISH) == sorted(ENGLISH, key=lambda key: key.split("."))


def test_german_is_complete() -> None:
    german = parse((HOUSE / "languages" / "de.toml").read_bytes())
    assert german.refused == {}
    assert sorted(set(ENGLISH) - set(german.texts)) == []


def test_german_says_du() -> None:
    """One form of address throughout; `Sie` as the first word may mean them, or her."""
    german = parse((HOUSE / "languages" / "de.toml").read_bytes()).texts
    assert [key for key, text in german.items() if {"Ihnen", "Ihre", "Ihrem", "Ihren", "Ihrer"} & set(text.split())] == []


def test_a_wheel_carries_the_languages() -> None:
    project = tomllib.loads((HOUSE.parent / "pyproject.toml").read_text())
    assert "languages/*.toml" in project["tool"]["setuptools"]["package-data"]["transports"]


# Saying -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("", "You are not registered with sms.example.org."),
        ("en", "You are not registered with sms.example.org."),
        ("fr", "You are not registered with sms.example.org."),
        ("de", "Du bist bei sms.example.org nicht registriert."),
        ("DE", "Du bist bei sms.example.org nicht registriert."),
        ("de-AT", "Du bist bei sms.example.org nicht registriert."),
        ("deu", "You are not registered with sms.example.org."),
        ("-", "You are not registered with sms.example.org."),
    ],
)
def test_a_text_in_the_readers_language(language: str, wanted: str) -> None:
    assert in_language(say("register.not", domain="sms.example.org"), language) == wanted


def test_a_text_is_an_english_str() -> None:
    text = say("register.ended")
    assert isinstance(text, str) and text == ENGLISH["register.ended"] and f"{text}" == ENGLISH["register.ended"]


def test_words_of_the_far_side_stay_as_they_are() -> None:
    assert in_language("You are banned", "de") == "You are banned"
    assert in_language(say("ask.silent", who="{who} %s {0}"), "de").startswith("{who} %s {0} ")


def test_a_text_within_a_text_is_said_in_the_same_language() -> None:
    inner = say("ask.silent", who="example.org")
    outer = in_language(say("ask.silent", who=inner), "de")
    assert in_language(inner, "de") in outer


def test_what_no_text_is_called_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        say("no.such")


VALUES = st.recursive(
    st.text() | st.integers(), lambda inner: st.builds(lambda who: say("ask.silent", who=who), inner), max_leaves=5
)


@given(VALUES)
def test_a_packed_text_is_the_same_text_again(who: object) -> None:
    text = say("ask.silent", who=who)
    again = unpacked(packed(text))
    assert isinstance(again, Text)
    assert [in_language(again, language) for language in ("", "de")] == [in_language(text, language) for language in ("", "de")]


@given(st.text())
def test_words_of_the_far_side_are_never_unpacked_as_ours(text: str) -> None:
    assert unpacked(packed(text)) == text.replace(PACKED, " ")
    assert type(unpacked(packed(text + PACKED + '["gate.busy", {}]'))) is str


@pytest.mark.parametrize("parts", ["x", "{}", "[]", "[1, 2]", '["no.such", {}]', '["ask.silent", {}]', '["ask.silent", []]'])
def test_a_text_that_is_no_longer_known_is_said_in_english(parts: str) -> None:
    assert unpacked(f"It was so.{PACKED}{parts}") == "It was so."


# To people --------------------------------------------------------------------------------------------------------------

ADA, ROOM = "ada@example.org", Address("room", "#c")
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
LOST = LegacyError("remote-server-timeout", say("irc.lost", server="irc.example.org"))
WORDS = "Die Verbindung zu irc.example.org ist abgerissen."


def german_house(*, inside: bool = True) -> House:
    house = House()
    house.stanza(f"<presence from='{ADA}/desk' to='#c@{DOMAIN}/ada' xml:lang='de'>{MUC}</presence>")
    if inside:
        tell(house, Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("")))
    house.out.clear()
    return house


def tell(house: House, fact: Fact) -> None:
    house.bridge.sessions[ADA].outlet.tell(fact)


@pytest.mark.parametrize(
    "fact",
    [
        Notice(ROOM, LOST.text),
        Notice(Address("person", "bob"), LOST.text),
        Notice(Address("server", "desk"), LOST.text),
        Down(Address("server", "desk"), LOST),
        Left(ROOM, ("ada",), "lost", LOST.text),
        Invited(Address("room", "#d"), "", LOST.text),
    ],
)
def test_facts_are_told_in_the_language_that_was_heard_last(fact: Fact) -> None:
    house = german_house()
    tell(house, fact)
    assert WORDS in house.out[0]


def test_an_error_to_who_waits_for_a_room_is_told_in_that_language() -> None:
    house = german_house(inside=False)
    tell(house, Refused(ROOM, LOST))
    assert WORDS in house.out[0]


@pytest.mark.parametrize(("lang", "wanted"), [("", WORDS), ("xml:lang='en'", LOST.text), ("xml:lang='de-AT'", WORDS)])
def test_an_error_is_told_in_the_language_of_what_failed(lang: str, wanted: str) -> None:
    house = german_house()
    house.stanza(f"<message from='{ADA}/desk' to='bob@{DOMAIN}' type='chat' {lang}><body>hi</body></message>")
    said = house.took()[-1]
    assert isinstance(said, Say)
    tell(house, Failed(said, LOST))
    assert wanted in house.out[-1]


def test_a_stopping_gateway_says_so_in_everybodys_language() -> None:
    house = german_house()
    house.wing.close(say("gate.stopping"))
    assert "Das Gateway hält an" in house.out[0]


@pytest.mark.parametrize(
    ("tag", "more", "inside"),
    [
        ("presence", f"to='#c@{DOMAIN}/eve'", MUC),
        ("message", f"to='{DOMAIN}'", "<body>x</body>"),
        ("iq", f"to='{DOMAIN}' type='get'", "<query xmlns='jabber:iq:version'/>"),
    ],
)
def test_a_gate_that_stays_shut_says_why_in_the_askers_language(tag: str, more: str, inside: str) -> None:
    house = House()
    house.stanza(f"<{tag} from='eve@evil.example/x' {more} id='1' xml:lang='de'>{inside}</{tag}>")
    assert "nicht offen" in house.out[0]


# Files ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "key", "why"),
    [
        ('[ask]\nsilent = "Niemand."', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{who} {why}"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{who.__class__}"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{who!r}"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{who:>900000000}"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{}"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{0} {who}"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{who} {"', "ask.silent", "placeholders differ"),
        ('[ask]\nsilent = "{who} }"', "ask.silent", "placeholders differ"),
        ('[ask]\nbusy = "{who}"', "ask.busy", "placeholders differ"),
        ('[ask]\nbusy = " "', "ask.busy", "no text"),
        ("[ask]\nbusy = 7", "ask.busy", "no text"),
        ("[ask.busy]\nx = 7", "ask.busy", "no text"),
        ('[ask]\nno-such = "x"', "ask.no-such", "no such key"),
        ('busy = "x"', "busy", "not in a section"),
        ('"ask.busy" = "x"', "ask.busy", "not in a section"),
    ],
)
def test_texts_that_cannot_be_said_are_refused_and_the_others_used(file: str, key: str, why: str) -> None:
    catalog = parse(f'{file}\n[gate]\nbusy = "Warte."'.encode())
    assert (catalog.texts, catalog.refused) == ({"gate.busy": "Warte."}, {key: why})


@given(st.text(max_size=40))
def test_no_file_makes_a_text_that_cannot_be_said(text: str) -> None:
    try:
        catalog = parse(f"[ask]\nsilent = {json.dumps(text)}".encode(errors="surrogatepass"))
    except ValueError:
        return
    CATALOGS["xx"] = catalog.texts
    assert in_language(say("ask.silent", who="nobody"), "xx")


def test_an_operators_folder_adds_languages_and_changes_texts(tmp_path: Path) -> None:
    (tmp_path / "fr.toml").write_text('[gate]\nbusy = "Patience."')
    (tmp_path / "de.toml").write_text('[gate]\nbusy = "Geduld."')
    (tmp_path / "notes.txt").write_text("not mine")
    catalogs.load(tmp_path)
    assert in_language(say("gate.busy"), "fr-CA") == "Patience."
    assert in_language(say("gate.busy"), "de") == "Geduld."
    assert in_language(say("register.ended"), "de") != ENGLISH["register.ended"]
    assert in_language(say("register.ended"), "fr") == ENGLISH["register.ended"]


def test_a_folder_that_is_not_there_is_none(tmp_path: Path) -> None:
    catalogs.load(tmp_path / "none")
    assert list(CATALOGS) == ["de"]


@pytest.mark.parametrize("content", [b"[gate\nbusy", b"\xff\xfe", b"[gate]\nbusy = 'a'\nbusy = 'b'"])
def test_a_broken_file_costs_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "fr.toml").write_bytes(content)
    (tmp_path / "it.toml").write_text('[gate]\nbusy = "Pazienza."')
    with caplog.at_level(logging.WARNING, "transports.catalogs"):
        catalogs.load(tmp_path)
    (line,) = [line for line in caplog.messages if "of=operator" in line]
    assert line.startswith("a language cannot be read file=fr.toml")
    assert sorted(CATALOGS) == ["de", "it"]


def test_refused_texts_cost_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "fr.toml").write_text("[gate]\n" + "\n".join(f'k{n} = "x"' for n in range(100)))
    with caplog.at_level(logging.WARNING, "transports.catalogs"):
        catalogs.load(tmp_path)
    (line,) = [line for line in caplog.messages if "of=operator" in line]
    assert "count=100" in line and line.count("no such key") == catalogs.NAMED


def test_a_text_is_a_text_even_where_it_has_no_values() -> None:
    assert isinstance(say("gate.busy"), Text) and not isinstance(str(say("gate.busy")), Text)
