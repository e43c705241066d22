"""Names: XEP-0106's examples, hostile names and nicks, and the promise that no server changes or refuses what we write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slixmpp import JID

from transports.xmpp import address
from transports.xmpp.address import Jid, JidError

VECTORS = Path(__file__).parent.parent / "vectors"
XEP_0106 = json.loads((VECTORS / "xep-0106.json").read_text())
HOSTILE = json.loads((VECTORS / "hostile-names.json").read_text())

#: All of Unicode, lone surrogates included; and what is made to look like escapes.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
ESCAPES = st.lists(
    st.sampled_from(
        ["\\", "u", "{", "}", "\\u{", "5c", "20", "\\5c", "\\20", "d800", "110000", " ", "A", "a", "@", "é", "א"]
    ),
    max_size=30,
).map("".join)
NAMES = ANY_TEXT | ESCAPES
NEVER = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef\ufff9-\uffff\u200b-\u200f\u2028-\u202e\u2066-\u2069\xad\x00-\x1f\x7f-\x9f]"
)


# XEP-0106 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "local"), XEP_0106)
def test_the_examples_of_xep_0106_both_ways(name: str, local: str) -> None:
    assert address.to_local(name) == local
    assert address.from_local(local) == name


@pytest.mark.parametrize(
    ("local", "name"),
    [
        (
            r"CN=D\27Artagnan\20Saint-Andr\E9,O=Example\20\26\20Company,\20Inc.,DC=example,DC=com",
            r"CN=D'Artagnan Saint-Andr\E9,O=Example & Company, Inc.,DC=example,DC=com",
        ),
        (
            r"here\27s_a_wild_\26_\2fcr%zy\2f_address_for\3a\3cwv\3e(\22IMPS\22)",
            'here\'s_a_wild_&_/cr%zy/_address_for:<wv>("IMPS")',
        ),
    ],
)
def test_examples_with_capitals_are_read_exactly_and_written_so_that_nodeprep_keeps_the_capitals(
    local: str, name: str
) -> None:
    assert address.from_local(local) == name
    assert address.from_local(address.nodeprep(address.to_local(name))) == name


@given(NAMES.filter(bool))
def test_no_local_part_begins_or_ends_with_an_escaped_space(name: str) -> None:
    local = address.to_local(" " + name + " ")
    assert local.startswith(r"\u{20}")
    assert local.endswith(r"\u{20}")
    assert not address.to_local(name).startswith(r"\20")
    assert not address.to_local(name).endswith(r"\20")


# Names and nicks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: row["what"])
def test_hostile_names(row: dict[str, str | None]) -> None:
    nick, resource, local = row["nick"], row["resource"], row["local"]
    assert nick is not None
    assert resource is not None
    assert address.to_resource(nick) == resource
    assert address.from_resource(resource) == nick
    if local is not None:
        assert address.to_local(nick) == local
        assert address.from_local(local) == nick


@given(NAMES)
def test_a_resource_is_reversible_and_nothing_changes_it(nick: str) -> None:
    resource = address.to_resource(nick)
    assert address.from_resource(resource) == nick
    assert address.resourceprep(resource) == resource
    assert JID(f"#a@irc.test/{resource}").resource == resource
    assert address.parse(f"#a@irc.test/{resource}") == ("#a", "irc.test", resource)
    assert not NEVER.search(resource)


@given(NAMES.filter(bool))
def test_a_local_part_is_reversible_and_nothing_changes_it(name: str) -> None:
    local = address.to_local(name)
    assert address.from_local(local) == name
    assert address.nodeprep(local) == local
    assert JID(f"{local}@irc.test").local == local
    assert address.parse(f"{local}@irc.test") == (local, "irc.test", "")
    assert not NEVER.search(local)
    assert not set(local) & set(" \"&'/:<>@")


@given(NAMES)
def test_what_somebody_typed_never_raises(typed: str) -> None:
    assert isinstance(address.from_local(typed), str)
    assert isinstance(address.from_resource(typed), str)


@pytest.mark.parametrize(
    "typed",
    [
        "\\",
        "\\u",
        "\\u{",
        "\\u{}x",
        "\\u{g}",
        "\\u{0041}",
        "\\u{1F600}",
        "\\u{110000}",
        "\\u{1000000}",
        "\\u{-1}",
        "\\u{+1}",
        "\\u{1_1}",
        "\\U{41}",
        "\\2",
        "\\2F",
        "\\5C",
    ],
)
def test_what_is_no_escape_stays(typed: str) -> None:
    assert address.from_local(typed) == typed
    assert address.from_resource(typed) == typed


def test_xep_0106_is_not_for_resources() -> None:
    assert address.from_resource(r"a\40b\5cc") == r"a\40b\5cc"
    assert address.to_resource("a@b/c") == "a@b/c"


def test_a_common_name_is_handed_back_itself() -> None:
    nick, name = "".join(["[ada", "]\\"]), "".join(["#python", "%irc.libera.chat"])
    assert address.to_resource(nick) is nick
    assert address.to_local(name) is name


@pytest.mark.parametrize(
    ("nick", "fits"),
    [
        ("a" * 1023, True),
        ("a" * 1024, False),
        ("é" * 511, True),
        ("é" * 512, False),
        ("😀" * 113, True),
        ("😀" * 114, False),
    ],
)
def test_a_part_has_at_most_1023_bytes(nick: str, fits: bool) -> None:
    for make in (address.to_resource, address.to_local):
        if fits:
            assert len(make(nick).encode()) <= 1023
        else:
            with pytest.raises(JidError):
                make(nick)


def test_nothing_has_no_local_part() -> None:
    with pytest.raises(JidError):
        address.to_local("")


# JIDs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "jid"),
    [
        ("example.org", Jid("", "example.org", "")),
        ("ada@example.org", Jid("ada", "example.org", "")),
        ("Ada@Example.ORG/Phone", Jid("ada", "example.org", "Phone")),
        ("example.org/a@b/c", Jid("", "example.org", "a@b/c")),
        ("ada@example.org./x", Jid("ada", "example.org", "x")),
        ("#a%irc.libera.chat@irc.test/[x]\\", Jid("#a%irc.libera.chat", "irc.test", "[x]\\")),
        ("ada@127.0.0.1", Jid("ada", "127.0.0.1", "")),
        ("ada@[::1]/x", Jid("ada", "[::1]", "x")),
        ("ada@xn--strae-oqa.example", Jid("ada", "xn--strae-oqa.example", "")),
        ("ada@BÜCHER.example", Jid("ada", "bücher.example", "")),
        ("Straße@example.org/Straße", Jid("strasse", "example.org", "Straße")),
        ("a\u00addа@example.org/e\u0301", Jid("adа", "example.org", "é")),
        ("שלום@example.org/שלום", Jid("שלום", "example.org", "שלום")),
        # Unicode past 3.2: Prosody lets its users have it
        ("ada@example.org/\U0001f4f1", Jid("ada", "example.org", "\U0001f4f1")),
        ("\u023d@example.org", Jid("\u023d", "example.org", "")),
    ],
)
def test_a_jid_is_prepared(typed: str, jid: Jid) -> None:
    assert address.parse(typed) == jid
    assert address.parse(jid.full) == jid
    assert address.bare(typed) == jid.bare


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "/",
        "@",
        "/x",
        "@example.org",
        "example.org/",
        "ada@",
        "ada@/x",
        "a@b@example.org",
        "a b@example.org",
        "a:b@example.org",
        "<a>@example.org",
        "\u00ad@example.org",
        "example.org/\u00ad",
        "example.org/\x00",
        "a\x07@example.org",
        "a\ud83d@example.org",
        "example.org/\ufffd",
        "example.org/שx",
        "example.org/x\u202e",
        "exa mple.org",
        "example..org",
        ".example.org",
        "-example.org",
        "example-.org",
        "exam_ple.org",
        "example.org:5222",
        "a'b.org",
        "büc<her.org",
        "[::1",
        "[::g]",
        "[]",
        "a" * 64 + ".org",
        "ü" * 64 + ".org",
        "a" * 1024 + "@example.org",
        "é" * 512 + "@example.org",
        "example.org/" + "a" * 1024,
        ".".join(["a" * 60] * 18),
        "a" * 100_000,
    ],
)
def test_no_jid(typed: str) -> None:
    with pytest.raises(JidError):
        address.parse(typed)


@given(st.tuples(NAMES, NAMES, NAMES).map(lambda parts: f"{parts[0]}@{parts[1]}/{parts[2]}") | NAMES)
def test_any_text_is_a_jid_or_none_and_never_something_else(typed: str) -> None:
    try:
        jid = address.parse(typed)
    except JidError:
        return
    assert jid.domain
    assert not set(jid.local) & set(" \"&'/:<>@")
    assert not set(jid.domain) & set(" \"&'/<>@")
    assert all(len(part.encode()) <= 1023 for part in jid)


@pytest.mark.parametrize(
    ("jid", "speakable"),
    [
        (Jid("#a", "irc.test", "[x]\\ y"), True),
        (Jid("", "irc.test", ""), True),
        (Jid("#a", "irc.test", "Ünï"), True),
        (Jid("#a", "irc.test", "\U0001f600"), False),
        (Jid("\u023d", "irc.test", ""), False),
        (Jid("#A", "irc.test", ""), False),
        (Jid("#a", "irc.test", "e\u0301"), False),
        (Jid("#a", "irc.test", "שx"), False),
    ],
)
def test_what_every_server_takes_as_a_sender(jid: Jid, speakable: bool) -> None:
    assert address.speakable(jid) is speakable


@pytest.mark.parametrize("point", [0x04C0, 0x10A0, 0x2C2F, 0x1E9E, 0x023D])
def test_letters_are_folded_as_of_unicode_3_2(point: int) -> None:
    """Their case pairs are younger; Prosody and ejabberd leave them alone, so another JID would not reach its user."""
    assert address.parse(f"{chr(point)}@example.org").local == chr(point)
