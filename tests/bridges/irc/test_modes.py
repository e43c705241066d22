"""A channel's modes as a form, and what has to change for a changed form to hold."""

from __future__ import annotations

import pytest

from transports.bridges.irc import modes
from transports.bridges.irc.isupport import ISupport
from transports.bridges.irc.modes import KEY, LIMIT, MEMBERS, MODERATED, PROTECTED, PUBLIC, SUBJECT
from transports.bridges.irc.ranks import Mode
from transports.describe import Value, Wrong
from transports.xmpp import forms

CHANMODES = "CHANMODES=beI,k,Hlf,imnpstzR"
ON = {"n": "", "t": "", "k": "sesame", "l": "12"}


@pytest.fixture
def isupport() -> ISupport:
    isupport = ISupport()
    isupport.update(["me", CHANMODES])
    return isupport


def test_what_324_says(isupport: ISupport) -> None:
    assert modes.current(isupport, ["+ntkl", "sesame", "12"]) == ON
    assert modes.current(isupport, ["+"]) == {}
    assert modes.current(isupport, []) == {}


def test_the_fields_have_the_names_of_xep_0045_and_then_the_letters(isupport: ISupport) -> None:
    fields = {field.var: field.default for field in modes.fields(isupport, ON)}
    assert fields == {
        MEMBERS: False,
        MODERATED: False,
        PUBLIC: True,
        SUBJECT: False,
        PROTECTED: True,
        KEY: "sesame",
        LIMIT: "12",
        "irc#mode_n": True,
        "irc#mode_p": False,
        "irc#mode_R": False,
        "irc#mode_z": False,
        "irc#mode_H": "",
        "irc#mode_f": "",
    }
    assert next(field for field in modes.fields(isupport, ON) if field.var == KEY).type == "secret"


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        ({}, []),
        ({MODERATED: False, SUBJECT: False, PUBLIC: True, PROTECTED: True, KEY: "sesame", LIMIT: "12"}, []),
        ({MODERATED: True}, [Mode(True, "m")]),
        ({SUBJECT: True}, [Mode(False, "t")]),
        ({PUBLIC: False}, [Mode(True, "s")]),
        ({MEMBERS: True}, [Mode(True, "i")]),
        ({"irc#mode_n": False, "irc#mode_R": True}, [Mode(False, "n"), Mode(True, "R")]),
        ({LIMIT: ""}, [Mode(False, "l")]),
        ({LIMIT: "30"}, [Mode(True, "l", "30")]),
        ({"irc#mode_f": "5:10"}, [Mode(True, "f", "5:10")]),
        ({PROTECTED: False}, [Mode(False, "k", "sesame")]),
        ({PROTECTED: False, KEY: "barley"}, [Mode(False, "k", "sesame")]),
        ({KEY: "barley"}, [Mode(False, "k", "sesame"), Mode(True, "k", "barley")]),
        ({"muc#roomconfig_roomname": "x", "irc#mode_Y": True}, []),  # what the server has not
    ],
)
def test_only_differences_are_asked_for(isupport: ISupport, answers: dict[str, Value], changes: list[Mode]) -> None:
    made = modes.changes(isupport, ON, answers)
    assert sorted(made) == sorted(changes)
    assert [mode.added for mode in made if mode.letter == "k"] in ([], [False], [False, True])


def test_a_password_is_needed_where_there_is_to_be_one(isupport: ISupport) -> None:
    with pytest.raises(Wrong) as wrong:
        modes.changes(isupport, {}, {PROTECTED: True, KEY: ""})
    assert set(wrong.value.fields) == {KEY}
    assert modes.changes(isupport, {}, {PROTECTED: True, KEY: "sesame"}) == [Mode(True, "k", "sesame")]
    assert modes.changes(isupport, {}, {KEY: "sesame"}) == [Mode(True, "k", "sesame")]
    assert modes.changes(isupport, {}, {PROTECTED: False, KEY: ""}) == []


@pytest.mark.parametrize("typed", ["two words", ":x", "x" * 201, "\u202e"])
def test_an_argument_is_one_short_word(typed: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        modes.argument(typed)


def test_what_a_server_says_of_a_mode_can_be_left_as_it_is(isupport: ISupport) -> None:
    """UnrealIRCd's flood control has commas and brackets; no key has a comma."""
    on = {"f": "[5j#i1,10m#m5]:10"}
    fields = {field.var: field for field in modes.fields(isupport, on)}
    assert forms.checked([fields["irc#mode_f"]], {"irc#mode_f": [on["f"]]}) == {"irc#mode_f": on["f"]}
    with pytest.raises(Wrong):
        forms.checked([fields[KEY]], {KEY: ["a,b"]})


def test_what_the_server_did_not_do(isupport: ISupport) -> None:
    wanted = [Mode(True, "m"), Mode(False, "t"), Mode(True, "l", "3")]
    assert modes.missing(isupport, wanted, [["#c", "+m"], ["#c", "-t"], ["#c", "+l", "3"]]) == []
    assert modes.missing(isupport, wanted, [["#c", "+mt"]]) == [Mode(False, "t"), Mode(True, "l", "3")]
