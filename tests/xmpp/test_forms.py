"""Forms: XEP-0004's own examples both ways, every type of field, what is wrong said at its place, nothing hostile let in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.describe import Answers, Field, FieldType, Form, Table, Value, Wrong
from transports.errors import LegacyError
from transports.words import CATALOGS, say
from transports.xmpp import forms
from transports.xmpp.xml import MAX_STANZA

N = f"{{{forms.NS}}}"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=50)

FEATURES = {"contests": "Contests", "news": "News", "polls": "Polls", "reminders": "Reminders", "search": "Search"}
BOT = [
    Field("section", "Section 1: Bot Info", "note"),
    Field("botname", "The name of your bot"),
    Field("description", "Helpful description of your bot", "lines"),
    Field("public", "Public bot?", "switch", required=True),
    Field("password", "Password for special access", "secret"),
    Field("features", "What features will the bot support?", "choices", options=FEATURES, default=("news", "search")),
    Field("maxsubs", "Maximum number of subscribers", "choice", options={"20": "20", "none": "None"}, default="20"),
    Field("invitelist", "People to invite", "jids", help="Tell all your friends about your new bot!"),
]
SUBMITTED = """
    <x xmlns='jabber:x:data' type='submit'>
      <field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>
      <field type='text-single' var='botname'><value>The Jabber Google Bot</value></field>
      <field type='text-multi' var='description'>
        <value>This bot enables you to send requests to</value>
        <value>Google and receive the search results right</value>
        <value>in your Jabber client. It&apos; really cool!</value>
        <value>It even supports Google News!</value>
      </field>
      <field type='boolean' var='public'><value>0</value></field>
      <field type='text-private' var='password'><value>v3r0na</value></field>
      <field type='list-multi' var='features'><value>news</value><value>search</value></field>
      <field type='list-single' var='maxsubs'><value>none</value></field>
      <field type='jid-multi' var='invitelist'><value>juliet@capulet.com</value><value>benvolio@montague.net</value></field>
    </x>"""


def fields(x: ET.Element) -> dict[str, ET.Element]:
    return {field.get("var", ""): field for field in x.findall(f"{N}field")}


def values(field: ET.Element) -> list[str]:
    return [value.text or "" for value in field.findall(f"{N}value")]


def shown(fields: Sequence[Field], before: Answers | None = None, language: str = "") -> ET.Element:
    return ET.fromstring(forms.render(Form("A title", fields), language, before))


# XEP-0004's examples ----------------------------------------------------------------------------------------------------


def test_xep_0004_a_form_is_shown() -> None:
    form = Form("Bot Configuration", BOT, "Fill out this form to configure your new bot!")
    x = ET.fromstring(forms.render(form, "", form_type="jabber:bot"))
    assert (x.tag, x.get("type")) == (f"{N}x", "form")
    assert x.findtext(f"{N}title") == "Bot Configuration"
    assert x.findtext(f"{N}instructions") == "Fill out this form to configure your new bot!"
    assert [(field.get("type"), field.get("var"), values(field)) for field in x.findall(f"{N}field")] == [
        ("hidden", "FORM_TYPE", ["jabber:bot"]),
        ("fixed", None, ["Section 1: Bot Info"]),
        ("text-single", "botname", []),
        ("text-multi", "description", []),
        ("boolean", "public", []),
        ("text-private", "password", []),
        ("list-multi", "features", ["news", "search"]),
        ("list-single", "maxsubs", ["20"]),
        ("jid-multi", "invitelist", []),
    ]
    found = fields(x)
    options = [(option.get("label"), option.findtext(f"{N}value")) for option in found["features"].findall(f"{N}option")]
    assert options == [(label, value) for value, label in FEATURES.items()]
    assert found["invitelist"].findtext(f"{N}desc") == "Tell all your friends about your new bot!"


def test_xep_0004_a_form_comes_back() -> None:
    answers = forms.checked(BOT, forms.submitted(ET.fromstring(SUBMITTED)))
    assert answers == {
        "botname": "The Jabber Google Bot",
        "description": (
            "This bot enables you to send requests to",
            "Google and receive the search results right",
            "in your Jabber client. It' really cool!",
            "It even supports Google News!",
        ),
        "public": False,
        "password": "v3r0na",
        "features": ("news", "search"),
        "maxsubs": "none",
        "invitelist": ("juliet@capulet.com", "benvolio@montague.net"),
    }


def test_xep_0004_several_items() -> None:
    table = Table((("name", "Name"), ("url", "URL")), [("Comune di Verona", "http://x.example/"), ("<&>", "")])
    x = ET.fromstring(forms.table(table, "Search", ""))
    assert (x.get("type"), x.findtext(f"{N}title")) == ("result", "Search")
    reported, *items = x.findall("*")[1:]
    assert [(field.get("var"), field.get("label")) for field in reported] == [("name", "Name"), ("url", "URL")]
    assert not any(map(values, reported))
    assert [[values(cell) for cell in item] for item in items] == [[["Comune di Verona"], ["http://x.example/"]], [["<&>"], [""]]]


def test_xep_0122_a_number_has_a_datatype() -> None:
    (field,) = shown([Field("port", "Port", "number", default="6697")]).findall(f"{N}field")
    validate = field.find("{http://jabber.org/protocol/xdata-validate}validate")
    assert validate is not None and validate.get("datatype") == "xs:integer"
    assert (field.get("type"), values(field)) == ("text-single", ["6697"])


# Asking -----------------------------------------------------------------------------------------------------------------


def test_what_was_before_stands_in_the_fields_but_never_a_secret() -> None:
    before = {"botname": "Joogle", "password": "v3r0na", "public": True, "description": ("a", "b"), "maxsubs": "none"}
    text = forms.render(Form("", BOT), "", before)
    found = fields(ET.fromstring(text))
    assert "v3r0na" not in text
    assert {var: values(found[var]) for var in before} == {
        "botname": ["Joogle"], "password": [], "public": ["1"], "description": ["a", "b"], "maxsubs": ["none"],
    }  # fmt: skip
    assert "keep" in (found["password"].findtext(f"{N}desc") or "")


@pytest.mark.parametrize("secret", ["", "v3r0na"])
def test_a_secret_is_required_until_there_is_one(secret: str) -> None:
    password = Field("password", "Password", "secret", required=True)
    (field,) = shown([password], {"password": secret}).findall(f"{N}field")
    assert (field.find(f"{N}required") is None) is bool(secret)


def test_an_error_stands_at_its_field_and_in_the_instructions() -> None:
    form = Form("", BOT, "Fill\nit out.")
    x = ET.fromstring(forms.render(form, "", wrong={"invitelist": say("form.jid"), "botname": "Too long."}))
    found = fields(x)
    assert found["invitelist"].findtext(f"{N}desc") == (
        "⚠ This is no address like somebody@example.org. Tell all your friends about your new bot!"
    )
    assert x.findall(f"{N}instructions")[0].text == (
        "⚠ People to invite: This is no address like somebody@example.org. ⚠ The name of your bot: Too long. Fill it out."
    )
    assert found["botname"].get("label") == "⚠ The name of your bot"  # COMPAT: poezio 0.14 shows neither of the two


def test_a_form_speaks_the_language_of_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGS, "de", {"form.required": "Diese Angabe fehlt.", "form.kept": "Bleibt."})
    label = say("form.required")
    asked = [Field("a", label, "secret", help=label), Field("b", label, "choice", options={"x": label}), Field("", label, "note")]
    text = forms.render(Form(label, asked, label), "de-AT", {"a": "x"}, {"b": label})
    assert "needed" not in text and text.count("Diese Angabe fehlt.") == 10 and "Bleibt." in text
    assert "needed" not in forms.table(Table((("a", label),), [(label,)]), label, "de")


def test_what_a_stanza_has_no_room_for_is_left_out_and_keeps_its_value() -> None:
    asked = [Field(f"f{number}", "&" * 400, "lines") for number in range(40)]
    before = {field.var: ("<" * 2_000,) for field in asked}
    text = forms.render(Form("", asked), "", before)
    assert len(text.encode()) < MAX_STANZA - 10_000
    given = {var: values(field) for var, field in fields(ET.fromstring(text)).items()}
    assert 0 < len(given) < 40
    assert forms.checked(asked, given, before) == before


def test_a_table_fits_and_says_how_many_rows_are_missing() -> None:
    rows = [(f"user{number}@example.org", "é" * 100) for number in range(1_000)]
    text = forms.table(Table((("jid", "User"), ("x", "X")), rows), "Users", "")
    assert len(text.encode()) < MAX_STANZA - 10_000
    x = ET.fromstring(text)
    assert x.findtext(f"{N}title") == f"Users ({1_000 - len(x.findall(f'{N}item'))} more are not shown)"


@given(label=ANY_TEXT, help=ANY_TEXT, var=ANY_TEXT, value=ANY_TEXT, title=ANY_TEXT)
@pytest.mark.parametrize("type", ["text", "lines", "switch", "choice", "number", "note"])
def test_no_text_breaks_a_form(type: FieldType, label: str, help: str, var: str, value: str, title: str) -> None:
    before: Value = (value,) if type == "lines" else value
    field = Field(var, label, type, help, options={value: label})
    ET.fromstring(forms.render(Form(title, [field], help), "", {var: before}, {var: help}, form_type=value))
    ET.fromstring(forms.table(Table(((var, label),), [(value,)]), title, ""))


# Answers ----------------------------------------------------------------------------------------------------------------


def upper(value: str) -> str:
    """A check: letters only, in upper case."""
    if not value.isalpha():
        raise ValueError("Letters only.")
    return value.upper()


OPTIONS = {"a": "A", "b": "B"}
RIGHT: list[tuple[Field, list[str] | None, Value]] = [
    (Field("f", ""), [" x "], "x"),
    (Field("f", ""), ["x", "y"], "x"),
    (Field("f", ""), [""], ""),
    (Field("f", ""), [], ""),
    (Field("f", ""), None, ""),
    (Field("f", "", default="d"), None, "d"),
    (Field("f", "", default="d"), [""], ""),
    (Field("f", "", check=upper), [" x"], "X"),
    (Field("f", "", check=upper), [" "], ""),
    (Field("f", "", "secret"), [" x  y \n"], " x  y "),
    (Field("f", "", "lines"), ["a \nb", "", "c", "", ""], ("a", "b", "", "c")),
    (Field("f", "", "lines", check=upper), ["a", "", "b"], ("A", "", "B")),
    (Field("f", "", "lines"), [], ()),
    (Field("f", "", "lines"), None, ()),
    (Field("f", "", "switch"), ["1"], True),
    (Field("f", "", "switch"), ["TRUE"], True),
    (Field("f", "", "switch", required=True), ["0"], False),
    (Field("f", "", "switch"), ["false"], False),
    (Field("f", "", "switch", default=True), [], False),
    (Field("f", "", "switch", default=True), None, True),
    (Field("f", "", "switch"), None, False),
    (Field("f", "", "choice", options=OPTIONS), ["b"], "b"),
    (Field("f", "", "choice", options=OPTIONS, default="a"), [""], "a"),
    (Field("f", "", "choice", options=OPTIONS, default="a"), [], "a"),
    (Field("f", "", "choice", options={"": "none", **OPTIONS}, default="a"), [""], ""),
    (Field("f", "", "choice", options=OPTIONS), None, ""),
    (Field("f", "", "choices", options=OPTIONS), ["b", "a", "b"], ("a", "b")),
    (Field("f", "", "choices", options=OPTIONS, default=("a",)), [], ()),
    (Field("f", "", "choices", options=OPTIONS, default=("a",)), None, ("a",)),
    (Field("f", "", "number"), [" +007 "], "7"),
    (Field("f", "", "number"), ["-7"], "-7"),
    (Field("f", "", "number"), [""], ""),
    (Field("f", "", "jid"), [" Ada@Example.org "], "ada@example.org"),
    (Field("f", "", "jid"), [""], ""),
    (Field("f", "", "jids"), ["b@x.example\nA@X.example", "b@x.example", ""], ("b@x.example", "a@x.example")),
]
WRONG: list[tuple[Field, list[str], str]] = [
    (Field("f", "", required=True), [""], "needed"),
    (Field("f", "", required=True), [" "], "needed"),
    (Field("f", "", "lines", required=True), ["", ""], "needed"),
    (Field("f", "", "choices", options=OPTIONS, required=True), [], "needed"),
    (Field("f", "", "choice", options=OPTIONS, required=True), [], "needed"),
    (Field("f", "", "secret", required=True), [], "needed"),
    (Field("f", ""), ["x\ny"], "line"),
    (Field("f", ""), ["x\u2028y"], "line"),
    (Field("f", "", "secret"), ["x\ny"], "line"),
    (Field("f", "", check=upper), ["x1"], "Letters only."),
    (Field("f", "", "lines", check=upper), ["x", "x1"], "Letters only."),
    (Field("f", "", "switch"), ["maybe"], "Yes or no"),
    (Field("f", "", "choice", options=OPTIONS), ["c"], "choices"),
    (Field("f", "", "choice", options=OPTIONS), [" a"], "choices"),
    (Field("f", "", "choices", options=OPTIONS), ["a", "c"], "choices"),
    (Field("f", "", "number"), ["1.5"], "number"),
    (Field("f", "", "number"), ["1" * 5_000], "number"),
    (Field("f", "", "number"), ["٣"], "number"),
    (Field("f", "", "jid"), ["@"], "address"),
    (Field("f", "", "jids"), ["a@x.example\n@"], "address"),
]


@pytest.mark.parametrize(("field", "values", "answer"), RIGHT)
def test_an_answer_is_canonical(field: Field, values: list[str] | None, answer: Value) -> None:
    assert forms.checked([field], {} if values is None else {"f": values}) == {"f": answer}


@pytest.mark.parametrize(("field", "values", "words"), WRONG)
def test_what_is_wrong_is_said(field: Field, values: list[str], words: str) -> None:
    with pytest.raises(Wrong) as caught:
        forms.checked([field], {"f": values})
    assert words in caught.value.fields["f"]


def test_a_check_that_breaks_is_no_wrong_answer() -> None:
    with pytest.raises(KeyError):
        forms.checked([Field("f", "", check={"a": "b"}.__getitem__)], {"f": ["x"]})


def test_a_check_may_raise_a_legacy_error_or_say_nothing() -> None:
    def legacy(value: str) -> str:
        raise LegacyError("not-acceptable", "No such network.")

    def silent(value: str) -> str:
        raise ValueError

    asked = [Field("a", "", check=legacy), Field("b", "", check=silent), Field("c", "")]
    with pytest.raises(Wrong) as caught:
        forms.checked(asked, {"a": ["x"], "b": ["x"], "c": ["x"]})
    assert caught.value.fields == {"a": "No such network.", "b": "This cannot be used."}


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Wrong) as caught:
        forms.checked(BOT, {"public": ["perhaps"], "features": ["gossip"], "maxsubs": ["7"], "invitelist": ["@"]})
    assert list(caught.value.fields) == ["public", "features", "maxsubs", "invitelist"]


def test_what_was_not_asked_keeps_its_value() -> None:
    before = {"botname": "Joogle", "password": "v3r0na", "public": True, "features": ("polls",)}
    answers = forms.checked(BOT, {"botname": [""], "password": [""], "unknown": ["x"]}, before)
    assert answers == {**before, "botname": "", "description": (), "maxsubs": "20", "invitelist": ()}


def test_a_form_asked_again_shows_what_was_typed() -> None:
    given = {"botname": ["  J "], "public": ["perhaps"], "invitelist": ["@", "a@b.example"], "x": ["y"]}
    again = forms.typed(BOT, {**given, "password": ["new"]}, {"maxsubs": "none", "password": "old"})
    people = ("@", "a@b.example")
    assert again == {"botname": "  J ", "public": "perhaps", "invitelist": people, "maxsubs": "none", "password": "old"}
    assert values(fields(shown(BOT, again))["invitelist"]) == ["@", "a@b.example"]


@pytest.mark.parametrize(
    ("given", "wrong", "kept"),
    [("n3w", {}, {"password": "n3w"}), ("n3w", {"password": "Too short."}, {}), ("", {}, {})],
)
def test_a_secret_that_was_right_is_not_typed_twice(given: str, wrong: dict[str, str], kept: dict[str, str]) -> None:
    assert forms.secrets(BOT, {"password": [given], "botname": ["J"]}, wrong) == kept


# Hostile ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inside",
    [
        "".join(f"<field var='f{number}'/>" for number in range(201)),
        f"<field var='f'>{'<value/>' * 1_001}</field>",
        f"<field var='f'><value>{'x' * 40_001}</value></field>",
        f"<field var='{'x' * 40_001}'/>",
        "<field><value>" + "x" * 40_001 + "</value></field>",
    ],
)
def test_a_huge_form_is_refused(inside: str) -> None:
    with pytest.raises(LegacyError) as caught:
        forms.submitted(ET.fromstring(f"<x xmlns='jabber:x:data' type='submit'>{inside}</x>"))
    assert caught.value.condition == "not-acceptable"


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ("", {}),
        ("<field/>", {}),
        ("<field var='a'/>", {"a": []}),
        ("<field var='a'><value/></field>", {"a": [""]}),
        ("<field var='a'><value>1</value></field><field var='a'><value>2</value></field>", {"a": ["1", "2"]}),
        ("<field var='a'><value>x<b>y</b></value></field>", {"a": ["x"]}),
        ("<field xmlns='other' var='a'><value>x</value></field>", {}),
        ("<item><field var='a'><value>x</value></field></item>", {}),
    ],
)
def test_odd_forms_are_read(inside: str, found: dict[str, list[str]]) -> None:
    assert forms.submitted(ET.fromstring(f"<x xmlns='jabber:x:data'>{inside}</x>")) == found


@given(st.dictionaries(st.sampled_from([field.var for field in BOT] + ["x"]), st.lists(ANY_TEXT, max_size=3)))
def test_whatever_is_given_is_taken_or_refused_with_words(given: dict[str, list[str]]) -> None:
    try:
        answers = forms.checked(BOT, given)
    except Wrong as error:
        assert all(error.fields.values())
        return
    again = {var: [str(int(value))] if isinstance(value, bool) else [value] if isinstance(value, str) else list(value)
             for var, value in answers.items()}  # fmt: skip
    assert forms.checked(BOT, again) == answers, json.dumps(given)
