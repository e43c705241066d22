"""Roles and affiliations as modes, on servers that have more and fewer of them."""

from __future__ import annotations

import pytest

from transports.bridges.irc.isupport import ISupport
from transports.bridges.irc.ranks import Mode, is_mask, kick_question, marks, mask_of, mode_lines
from transports.errors import LegacyError

FULL, USUAL, FEW = "(qaohv)~&@%+", "(ov)@+", "(o)@"


def server(*tokens: str) -> ISupport:
    isupport = ISupport()
    isupport.update(["me", *tokens])
    return isupport


@pytest.mark.parametrize(
    ("prefix", "held", "role", "affiliation", "give", "take"),
    [
        (FULL, "", "", "owner", "q", ""),
        (FULL, "o", "", "owner", "q", ""),
        (FULL, "q", "", "owner", "", ""),
        (FULL, "", "", "admin", "o", ""),
        (FULL, "qo", "", "admin", "", "qa"[:1]),
        (FULL, "qaov", "", "member", "", "qao"),
        (FULL, "o", "", "member", "v", "o"),
        (FULL, "h", "", "member", "", ""),
        (FULL, "qov", "", "none", "", "qov"),
        (FULL, "", "", "none", "", ""),
        (FULL, "", "moderator", "", "h", ""),
        (FULL, "o", "moderator", "", "", ""),
        (FULL, "", "participant", "", "v", ""),
        (FULL, "v", "participant", "", "", ""),
        (FULL, "o", "participant", "", "v", "o"),
        (FULL, "hv", "visitor", "", "", "hv"),
        (FULL, "v", "visitor", "", "", "v"),
        (USUAL, "", "", "owner", "o", ""),
        (USUAL, "", "", "admin", "o", ""),
        (USUAL, "", "moderator", "", "o", ""),
        (USUAL, "o", "participant", "", "v", "o"),
        (USUAL, "ov", "", "member", "", "o"),
    ],
)
def test_what_is_given_and_taken(prefix: str, held: str, role: str, affiliation: str, give: str, take: str) -> None:
    assert marks(server(f"PREFIX={prefix}"), held, role, affiliation) == (give, take)


@pytest.mark.parametrize(
    ("prefix", "held", "role", "affiliation", "condition"),
    [
        (FEW, "", "", "member", "not-acceptable"),
        (FEW, "", "participant", "", "not-acceptable"),
        (FULL, "o", "visitor", "", "not-allowed"),  # XEP-0045 8.4: an admin's voice is nobody's to take
        (FULL, "q", "visitor", "", "not-allowed"),
    ],
)
def test_what_cannot_be(prefix: str, held: str, role: str, affiliation: str, condition: str) -> None:
    with pytest.raises(LegacyError) as error:
        marks(server(f"PREFIX={prefix}"), held, role, affiliation)
    assert error.value.condition == condition


@pytest.mark.parametrize(
    ("nick", "host", "mask"),
    [("bob", "~bob@h.example", "*!*@h.example"), ("bob", "user/bob", "*!*@user/bob"), ("bob", "", "bob!*@*")],
)
def test_a_ban_is_about_a_host_where_that_is_known(nick: str, host: str, mask: str) -> None:
    assert mask_of(nick, host) == mask


@pytest.mark.parametrize("name", ["*!*@h", "bob!*@*", "$a:bob", "~account:bob", "m:*!*@h", "b?b"])
def test_masks(name: str) -> None:
    assert is_mask(name)


@pytest.mark.parametrize("name", ["bob", "[bob]_", "b|b", "bob^"])
def test_nicks_are_no_masks(name: str) -> None:
    assert not is_mask(name)


def test_several_changes_share_lines_as_far_as_the_server_goes() -> None:
    modes = [Mode(False, "o", "a"), Mode(True, "v", "a"), Mode(True, "v", "b"), Mode(False, "v", "c")]
    assert [line for line, _ in mode_lines("#c", 3, modes)] == ["MODE #c -o+vv a a b", "MODE #c -v c"]
    assert [line for line, _ in mode_lines("#c", 0, modes)] == ["MODE #c -o+vv-v a a b c"]
    assert [line for line, _ in mode_lines("#c", 1, [Mode(True, "m"), Mode(True, "k", "x"), Mode(True, "l", "3")])] == [
        "MODE #c +mk x",
        "MODE #c +l 3",
    ]


def test_a_line_is_no_longer_than_irc_allows() -> None:
    lines = mode_lines("#c", 0, [Mode(True, "b", f"*!*@{'x' * 60}{n}") for n in range(20)])
    assert len(lines) > 4 and all(len(line) < 400 for line, _ in lines)
    assert sum(len(group) for _, group in lines) == 20


@pytest.mark.parametrize("argument", ["two words", "x\r\nQUIT", ":x"])
def test_what_is_no_argument_is_refused(argument: str) -> None:
    with pytest.raises(LegacyError):
        mode_lines("#c", 0, [Mode(True, "b", argument)])


def test_a_kicks_reason_is_one_line_and_no_longer_than_the_server_takes() -> None:
    question = kick_question("#c", "bob", "go\r\nQUIT :now " + "é" * 500, 50, str, "q1")
    assert question.line.startswith("KICK #c bob :go QUIT :now é")
    assert len(question.line.partition(" :")[2].encode()) <= 50
    with pytest.raises(LegacyError):
        kick_question("#c", "b b", "", 0, str, "q1")
