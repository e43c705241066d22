"""Names as users write them <-> places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc import address
from transports.bridges.irc.address import is_server, parse, split, typed
from transports.errors import LegacyError
from transports.events import Address

VECTORS = Path(__file__).parents[2] / "vectors" / "irc" / "validate-hostname.yaml"
FIXED = "irc.example.org"


@pytest.mark.parametrize(
    ("name", "kind", "target", "host"),
    [
        ("", "service", "", ""),
        ("irc.libera.chat", "server", "", "irc.libera.chat"),
        ("libera", "server", "", "libera"),
        ("127.0.0.1", "server", "", "127.0.0.1"),
        ("::1", "server", "", "::1"),
        ("#python%irc.libera.chat", "room", "#python", "irc.libera.chat"),
        ("&local%irc.libera.chat", "room", "&local", "irc.libera.chat"),
        ("##c++%irc.libera.chat", "room", "##c++", "irc.libera.chat"),
        ("#100%%irc.libera.chat", "room", "#100%", "irc.libera.chat"),
        ("#a%b%irc.libera.chat", "room", "#a%b", "irc.libera.chat"),
        ("#café%irc.libera.chat", "room", "#café", "irc.libera.chat"),
        ("#%irc.libera.chat", "room", "#", "irc.libera.chat"),
        ("bob%irc.libera.chat", "person", "bob", "irc.libera.chat"),
        ("[x]{y}|^%::1", "person", "[x]{y}|^", "::1"),
    ],
)
def test_names(name: str, kind: str, target: str, host: str) -> None:
    assert parse(name) == Address(kind, name)  # type: ignore[arg-type]
    assert split(parse(name)) == (target, host)


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("", "server", ""),
        ("#python", "room", "#python"),
        ("#a%b", "room", "#a%b"),
        ("bob", "person", "bob"),
        ("a%b", "person", "a%b"),
    ],
)
def test_names_with_one_fixed_server(name: str, kind: str, target: str) -> None:
    assert parse(name, FIXED) == Address(kind, name)  # type: ignore[arg-type]
    assert split(parse(name, FIXED), FIXED) == (target, FIXED)


def test_ascii_is_lowered_and_nothing_else() -> None:
    assert parse("#PyThÖn%IRC.Libera.Chat").name == "#pythÖn%irc.libera.chat"
    assert parse("BoB[]", FIXED).name == "bob[]"


def test_chantypes_decide() -> None:
    assert parse("&c%irc.example.org").kind == "room"
    assert parse("&c%irc.example.org", chantypes="#").kind == "person"


@pytest.mark.parametrize(
    "name",
    [
        "#python",
        "%irc.libera.chat",
        "#python%",
        "bob%",
        "#a b%irc.libera.chat",
        "#a,#b%irc.libera.chat",
        "#a\x07%irc.libera.chat",
        "#a\rQUIT%irc.libera.chat",
        "#a\ud800%irc.libera.chat",
        "#" + "a" * 200 + "%irc.libera.chat",
        ":bob%irc.libera.chat",
        "bob!u@h%irc.libera.chat",
        "*%irc.libera.chat",
        "bob%irc libera.chat",
        "bob%irc.libera.chat:6667",
        "a" * 64 + ".example.org",
        "a." * 200,
        "irc..example",
        "irc.libera.chat.",
        "#python%irc.libera.chat.",
        "bob%localhost.",
    ],
)
def test_names_that_mean_nothing(name: str) -> None:
    with pytest.raises(LegacyError) as caught:
        parse(name)
    assert caught.value.condition == "jid-malformed"
    assert caught.value.text


@pytest.mark.parametrize("case", yaml.safe_load(VECTORS.read_text())["tests"], ids=lambda case: repr(case["host"]))
def test_hostname_vectors(case: Any) -> None:
    """All but one-word names: `localhost` and the names of configured networks are such."""
    host = case["host"]
    assert is_server(address.lower(host)) == (case["valid"] or host in ("irc", "com"))


@given(st.text(st.characters(exclude_categories=()), max_size=30), st.sampled_from(["", FIXED]))
def test_parse_is_total_and_its_own_inverse(name: str, fixed: str) -> None:
    try:
        place = parse(name, fixed)
    except LegacyError:
        return
    target, host = split(place, fixed)
    again = {
        "room": lambda: address.room(target, host, fixed),
        "person": lambda: address.person(target, host, fixed),
        "server": lambda: address.server(host, fixed),
        "service": lambda: address.SERVICE,
    }[place.kind]()
    assert again == place
    assert parse(place.name, fixed) == place


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("#python%irc.libera.chat", "#python%irc.libera.chat"),
        (" #100%%irc.libera.chat\n", "#100%%irc.libera.chat"),
        ("#Python@irc.libera.chat", "#python%irc.libera.chat"),
        ("#python on irc.libera.chat", "#python%irc.libera.chat"),
        ("#python irc.libera.chat", "#python%irc.libera.chat"),
        ("irc.libera.chat #python", "#python%irc.libera.chat"),
        ("Bob at irc.libera.chat", "bob%irc.libera.chat"),
        ("bob@irc.libera.chat", "bob%irc.libera.chat"),
        ("irc.libera.chat", "irc.libera.chat"),
        ("irc://irc.libera.chat", "irc.libera.chat"),
        ("irc://irc.libera.chat/", "irc.libera.chat"),
        ("irc://irc.libera.chat/python", "#python%irc.libera.chat"),
        ("ircs://irc.libera.chat:6697/%23python?key", "#python%irc.libera.chat"),
        ("irc://irc.libera.chat/##c++,needkey", "##c++%irc.libera.chat"),
        ("irc://irc.libera.chat/bob,isnick", "bob%irc.libera.chat"),
    ],
)
def test_people_write_places_in_many_ways(text: str, name: str) -> None:
    assert typed(text).name == name


@pytest.mark.parametrize("text", ["#python", "a b c", "irc:///x", "x" * 401, "irc://" + "a" * 390, "#a on b c"])
def test_what_means_nothing_is_said_so(text: str) -> None:
    with pytest.raises(LegacyError) as error:
        print(typed(text))
    assert error.value.text


@pytest.mark.parametrize("text", ["#python", "irc://irc.example.org/python", "ircs://irc.example.org/#python"])
def test_with_one_server_its_name_may_be_left_out(text: str) -> None:
    assert typed(text, FIXED).name == "#python"


def test_another_server_is_not_reached_then() -> None:
    with pytest.raises(LegacyError, match="item-not-found"):
        typed("irc://irc.libera.chat/python", FIXED)


@given(st.text(max_size=60) | st.from_regex(r"ircs?://.{0,40}"))
def test_anything_typed_is_an_address_or_an_error(text: str) -> None:
    try:
        typed(text)
    except LegacyError as error:
        assert error.condition == "jid-malformed"
