"""005, casemapping, modes and ranks: tables, and values that make no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.isupport import (
    ISupport,
    add_mode,
    names_entry,
    parse_modes,
    rank,
    remove_mode,
)
from transports.events import NO_RANK, Rank


def server(*tokens: str) -> ISupport:
    isupport = ISupport()
    isupport.update(["me", *tokens, "are supported by this server"])
    return isupport


INSPIRCD = server(
    "CASEMAPPING=ascii",
    "CHANMODES=IXbegw,k,FHJLdfjl,ACKMNOPQRSTcimnprstuz",
    "CHANTYPES=#",
    "PREFIX=(qaohv)~&@%+",
    "STATUSMSG=~&@%+",
    "NETWORK=Example\\x20Net",
    "NICKLEN=30",
    "CHANNELLEN=64",
    "TOPICLEN=307",
    "KICKLEN=255",
    "MODES=20",
    "WHOX",
    "LINELEN=512",
    "TARGMAX=PRIVMSG:4,WHOIS:1,JOIN:",
)


def test_defaults() -> None:
    isupport = ISupport()
    assert isupport.prefixes == ("ov", "@+")
    assert isupport.chantypes == "#&+!"
    assert (isupport.casemapping, isupport.linelen, isupport.nicklen, isupport.whox) == ("rfc1459", 512, 0, False)


def test_tokens() -> None:
    assert INSPIRCD.prefixes == ("qaohv", "~&@%+")
    assert INSPIRCD.chanmodes == ("IXbegw", "k", "FHJLdfjl", "ACKMNOPQRSTcimnprstuz")
    assert (INSPIRCD.network, INSPIRCD.nicklen, INSPIRCD.channellen) == ("Example Net", 30, 64)
    assert (INSPIRCD.topiclen, INSPIRCD.kicklen, INSPIRCD.modes, INSPIRCD.whox) == (307, 255, 20, True)
    assert INSPIRCD.targmax == {"PRIVMSG": 4, "WHOIS": 1, "JOIN": 0}


def test_our_nick_is_no_token() -> None:
    isupport = ISupport()
    isupport.update(["WHOX", "NICKLEN=9", "are supported by this server"])
    assert (isupport.whox, isupport.nicklen) == (False, 9)


@pytest.mark.parametrize("token", ["-PREFIX", "-CASEMAPPING", "-WHOX", "-TARGMAX"])
def test_a_token_taken_back_is_the_default_again(token: str) -> None:
    isupport = server("PREFIX=(o)@", "CASEMAPPING=ascii", "WHOX", "TARGMAX=A:1")
    isupport.update(["me", token])
    attribute = {"PREFIX": "prefixes"}.get(token[1:], token[1:].lower())
    assert getattr(isupport, attribute) == getattr(ISupport(), attribute)
    assert isupport.fold("[") == ("{" if token == "-CASEMAPPING" else "[")


@pytest.mark.parametrize(
    "token",
    [
        "PREFIX=@+",
        "PREFIX=(ov)@",
        "PREFIX=(oo)@+",
        "PREFIX=(ov)@@",
        "PREFIX=(ov)ab",
        "CHANLIMIT=#120",
        "CHANMODES=b,k,l",
        "CHANMODES=b,k,l,i-",
        "CHANTYPES=",
        "CHANTYPES=abc",
        "NICKLEN=",
        "NICKLEN=-1",
        "NICKLEN=٣",
        "NICKLEN=99999999999999999999",
        "LINELEN=x",
        "MODES=many",
        "TARGMAX=PRIVMSG:x",
        "STATUSMSG=x",
        "=",
        "-",
        "",
    ],
)
def test_malformed_tokens_are_ignored(token: str) -> None:
    isupport, default = server(token), ISupport()
    for attribute in ISupport.__slots__:
        assert getattr(isupport, attribute) == getattr(default, attribute)


@given(
    st.lists(
        st.text()
        | st.sampled_from(["PREFIX", "CHANMODES", "MODES"]).flatmap(lambda key: st.text().map(f"{key}=".__add__))
    )
)
def test_update_is_total(tokens: list[str]) -> None:
    isupport = server(*tokens)
    assert len(isupport.prefixes[0]) == len(isupport.prefixes[1])
    parse_modes(isupport, ["+ov", "a", "b"])
    names_entry(isupport, "@+nick")


def test_line_length_has_sane_bounds() -> None:
    assert server("LINELEN=5").linelen == 512
    assert server("LINELEN=2048").linelen == 2048
    assert server("LINELEN=999999").linelen == 8192


@pytest.mark.parametrize(
    ("mapping", "name", "folded"),
    [
        ("ascii", "AZ[]\\~É", "az[]\\~É"),
        ("rfc1459", "AZ[]\\~É", "az{}|^É"),
        ("rfc1459-strict", "AZ[]\\~É", "az{}|~É"),
        ("strict-rfc1459", "AZ[]\\~É", "az{}|~É"),
        ("rfc7613", "AZ[]\\~É", "az[]\\~é"),
        ("rfc7613", "STRASSE ß", "strasse ß"),
        ("precis", "ÉVE", "éve"),
        ("rfc7613", "E\u0301", "é"),
        ("unheard-of", "AZ[]É", "az[]É"),
        ("RFC1459", "[", "{"),
    ],
)
def test_casemapping(mapping: str, name: str, folded: str) -> None:
    assert server(f"CASEMAPPING={mapping}").fold(name) == folded


@given(st.text(st.characters(exclude_categories=())))
def test_folding_is_total_and_folds_once(name: str) -> None:
    for mapping in ("ascii", "rfc1459", "strict-rfc1459"):
        fold = server(f"CASEMAPPING={mapping}").fold
        assert fold(fold(name)) == fold(name)
        assert len(fold(name)) == len(name)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("#c", ("", "#c")),
        ("@#c", ("@", "#c")),
        ("@+#c", ("@+", "#c")),
        ("@bob", ("", "@bob")),
        ("bob", ("", "bob")),
        ("", ("", "")),
        ("@", ("", "@")),
    ],
)
def test_statusmsg(target: str, parts: tuple[str, str]) -> None:
    assert INSPIRCD.strip_status(target) == parts


def test_a_plus_channel_is_not_a_message_for_the_voiced() -> None:
    assert server("STATUSMSG=@+").strip_status("+chan") == ("", "+chan")


def test_is_channel() -> None:
    assert [name for name in ("#c", "&c", "c", "", "+c") if ISupport().is_channel(name)] == ["#c", "&c", "+c"]
    assert not INSPIRCD.is_channel("&c")


# Modes


@pytest.mark.parametrize(
    ("params", "changes"),
    [
        (["+o", "bob"], [(True, "o", "bob")]),
        (["+oo", "a", "b"], [(True, "o", "a"), (True, "o", "b")]),
        (["+o-v", "a", "b"], [(True, "o", "a"), (False, "v", "b")]),
        (["+bv", "*!*@*", "nick"], [(True, "b", "*!*@*"), (True, "v", "nick")]),  # biboumi loses the voice
        (["+lk", "5", "key"], [(True, "l", "5"), (True, "k", "key")]),
        (["-lk", "key"], [(False, "l", ""), (False, "k", "key")]),
        (["+nt-i"], [(True, "n", ""), (True, "t", ""), (False, "i", "")]),
        (["o", "a"], [(True, "o", "a")]),
        (["+ov", "a"], [(True, "o", "a"), (True, "v", "")]),
        (["+Do", "a"], [(True, "D", ""), (True, "o", "a")]),
        (["+j-j", "3:5"], [(True, "j", "3:5"), (False, "j", "")]),
        (["+"], []),
        ([], []),
    ],
)
def test_parse_modes(params: list[str], changes: list[tuple[bool, str, str]]) -> None:
    assert parse_modes(INSPIRCD, params) == changes


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("nick", ("nick", "", "")),
        ("@nick", ("nick", "@", "")),
        ("@+nick!~u@host", ("nick", "@+", "~u@host")),
        ("~&@%+nick", ("nick", "~&@%+", "")),
        ("", ("", "", "")),
        ("@", ("", "@", "")),
    ],
)
def test_names_entry(entry: str, parts: tuple[str, str, str]) -> None:
    assert names_entry(INSPIRCD, entry) == parts


def test_marks_to_letters() -> None:
    assert [INSPIRCD.letters(marks) for marks in ("", "+", "+@", "~", "!+")] == ["", "v", "ov", "q", "v"]


@pytest.mark.parametrize(
    ("letters", "affiliation", "role"),
    [
        ("q", "owner", "moderator"),
        ("a", "owner", "moderator"),
        ("qo", "owner", "moderator"),
        ("o", "admin", "moderator"),
        ("ov", "admin", "moderator"),
        ("h", "member", "moderator"),
        ("v", "member", "participant"),
        ("Y", "none", "participant"),
    ],
)
def test_ranks(letters: str, affiliation: str, role: str) -> None:
    assert rank(letters) == Rank(affiliation, role, letters)
    assert rank(letters) is rank(letters)


def test_no_mode_is_no_rank() -> None:
    assert rank("") is NO_RANK


def test_ranks_are_not_kept_without_bound() -> None:
    for number in range(2000):
        assert rank(f"Z{number}").mark == f"Z{number}"
    assert rank("Z1999") is not rank("Z1999")


def test_modes_of_a_member_keep_their_order() -> None:
    order = INSPIRCD.prefixes[0]
    assert add_mode("v", "o", order) == "ov"
    assert add_mode("ov", "o", order) == "ov"
    assert add_mode("", "q", order) == "q"
    assert remove_mode("ov", "o") == "v"
    assert remove_mode("", "o") == ""
