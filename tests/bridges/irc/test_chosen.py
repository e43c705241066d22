"""What a user may choose for a network, and what the operator has the last word on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.chosen import SECRETS, changed, fields, settings_for
from transports.bridges.irc.greeting import credentials
from transports.config import NetworkSettings
from transports.config_models import Irc
from transports.describe import Value
from transports.errors import LegacyError
from transports.xmpp import forms

CANARY = "canary-secret"
SHA256 = "ab" * 32


def operator(listed: bool = False, **network: Any) -> NetworkSettings:
    """The operator's settings of irc.test: listed with these keys, or not listed and these keys in [irc]."""
    if listed:
        return Irc(domain="irc.example.org", networks={"irc.test": network}).network("irc.test")  # type: ignore[arg-type]
    return Irc.model_validate({"domain": "irc.example.org", **network}).network("irc.test")


def check(var: str, typed: str) -> Value:
    (field,) = [field for field in fields(operator()) if field.var == var]
    return forms.answer(field, typed.split("\n"))


def test_the_names_are_biboumis() -> None:
    names = {field.var for field in fields(operator())}
    assert names >= {
        "address", "ports", "tls_ports", "verify_cert", "fingerprint", "sasl_password", "nick", "pass", "realname", "username",
        "after_connect_commands", "throttle_limit", "max_history_length", "record_history", "persistent", "encoding_in",
        "encoding_out",
    }  # fmt: skip
    assert {field.var for field in fields(operator()) if field.type == "secret"} < SECRETS


@pytest.mark.parametrize(
    ("var", "typed", "value"),
    [
        ("address", "IRC.Example.ORG", "irc.example.org"),
        ("address", "[2001:db8::1]", "2001:db8::1"),
        ("tls_ports", "6697\n7000", ("6697", "7000")),
        ("ports", "443", ("443",)),
        ("fingerprint", ":".join(["AB"] * 32), SHA256),
        ("fingerprint", f"SHA256:{SHA256}", SHA256),
        ("fingerprint", " ".join(["AB"] * 32), SHA256),
        ("sasl_password", " spaces count ", " spaces count "),
        ("nick", "ada", "ada"),
        ("after_connect_commands", "PRIVMSG Q :AUTH me secret\nMODE me +x", ("PRIVMSG Q :AUTH me secret", "MODE me +x")),
        ("username", "ada_1-x", "ada_1-x"),
        ("realname", "  Ada   Lovelace ", "Ada Lovelace"),
        ("throttle_limit", "-1", "-1"),
        ("encoding_in", "Latin-1", "iso8859-1"),
    ],
)
def test_what_fits(var: str, typed: str, value: Value) -> None:
    assert check(var, typed) == value


@pytest.mark.parametrize(
    ("var", "typed"),
    [
        ("address", "irc example"),
        ("address", "irc.example.org:6697"),
        ("tls_ports", "x"),
        ("tls_ports", "25"),
        ("ports", "22"),
        ("ports", "70000"),
        ("fingerprint", "ab"),
        ("fingerprint", "ab" * 20),
        ("fingerprint", "xy" * 32),
        ("nick", "a b"),
        ("username", "a@b"),
        ("username", "x" * 21),
        ("username", "ä"),
        ("realname", "x" * 101),
        ("after_connect_commands", "PRIV MSG\x01"),
        ("after_connect_commands", ":source QUIT"),
        ("after_connect_commands", "QUIT " + "x" * 510),
        ("max_history_length", "100000"),
        ("encoding_in", "utf-16"),
        ("encoding_out", "klingon"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(var: str, typed: str) -> None:
    with pytest.raises((ValueError, LegacyError)) as caught:
        check(var, typed)
    assert forms.fault(caught.value) != "This is not right."


def test_a_sha1_fingerprint_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ValueError, match="SHA-1"):
        check("fingerprint", ":".join(["ab"] * 20))


def test_nothing_chosen_is_the_operators_settings() -> None:
    assert settings_for(operator(), {}) == operator()
    defaults = {field.var: field.default for field in fields(operator()) if field.default is not None}
    assert settings_for(operator(), defaults) == operator()
    assert changed(operator(), defaults) == {}
    mine: dict[str, Value] = {"nick": "ada", "verify_cert": False}
    assert changed(operator(), {**defaults, **mine, "pass": ""}) == mine


def test_what_is_chosen_takes_its_place() -> None:
    mine = settings_for(
        operator(),
        {
            "address": "irc.example.net", "tls_ports": ("7000",), "ports": ("6668",), "nick": "ada", "pass": "p",
            "after_connect_commands": ("MODE ada +x", ""), "username": "al", "realname": "A L", "persistent": True,
            "encoding_in": "windows-1252", "encoding_out": "iso8859-1", "throttle_limit": "3", "certificate": True,
        },
    )  # fmt: skip
    assert (mine.address, mine.tls_ports, mine.ports) == ("irc.example.net", (7000,), (6668,))
    assert (mine.nick, mine.username, mine.realname, mine.persistent) == ("ada", "al", "A L", True)
    assert mine.password is not None and mine.password.get_secret_value() == "p"
    assert (mine.after_connect, mine.charset, mine.charset_out) == (("MODE ada +x",), "cp1252", "iso8859-1")
    assert (mine.throttle, mine.certificate) == ((3, 0.5), True)


# The operator's word


LISTED: list[dict[str, Any]] = [{}, {"pin": SHA256}, {"address": "127.0.0.1"}, {"tls": "off", "sasl_user": "gw"}]


@pytest.mark.parametrize("network", LISTED)
def test_how_a_listed_network_is_reached_is_not_the_users_to_change(network: dict[str, Any]) -> None:
    given = Irc.model_validate({"domain": "irc.example.org", "networks": {"irc.test": network}}).network("irc.test")
    mine = settings_for(
        given,
        {"address": "evil.test", "ports": ("7000",), "tls_ports": ("7001",), "verify_cert": False, "fingerprint": "cd" * 32},
    )
    assert (mine.address, mine.ports, mine.tls_ports, mine.verify) == (given.address, given.ports, given.tls_ports, True)
    assert (mine.pin, mine.tls, mine.ca, mine.private_addresses) == (given.pin, given.tls, given.ca, given.private_addresses)
    assert mine.fingerprint == "cd" * 32  # which only narrows it
    assert not {"address", "ports", "tls_ports", "verify_cert"} & {field.var for field in fields(given)}


def test_authorities_of_the_operators_are_not_the_users_to_leave_out(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    given = NetworkSettings("irc.test", "irc.test", False, ca=authority)
    assert settings_for(given, {"verify_cert": False, "fingerprint": SHA256}).verify
    assert "verify_cert" not in {field.var for field in fields(given)}


def test_encryption_is_not_the_users_to_leave_out() -> None:
    mine = settings_for(operator(), {"tls_ports": (), "ports": ("6667",)})
    assert (mine.tls, mine.tls_ports) == ("require", (6697,))
    assert settings_for(operator(tls="prefer"), {"tls_ports": ()}).tls_ports == ()


def test_private_addresses_are_not_the_users_to_open() -> None:
    assert not settings_for(operator(), {"address": "127.0.0.1"}).private_addresses


def test_a_fingerprint_takes_the_place_of_the_authorities() -> None:
    mine = settings_for(operator(), {"fingerprint": SHA256})
    assert (mine.verify, mine.fingerprint) == (False, SHA256)


@pytest.mark.parametrize(("limit", "burst"), [("3", 3), ("0", 1), ("-1", 5), ("1000", 5), ("x", 5)])
def test_the_flood_control_is_only_ever_made_stricter(limit: str, burst: int) -> None:
    assert settings_for(operator(), {"throttle_limit": limit}).throttle == (burst, 0.5)
    assert settings_for(operator(throttle=0), {"throttle_limit": "3"}).throttle == (3, 1.0)


GATEWAYS = {"sasl_user": "gw", "sasl_password": CANARY}


@pytest.mark.parametrize("own", [{"sasl_user": "me"}, {"sasl_password": "mine"}])
def test_the_operators_password_never_goes_with_a_users_account(own: dict[str, str]) -> None:
    given = Irc.model_validate({"domain": "irc.example.org", "networks": {"irc.test": GATEWAYS}}).network("irc.test")
    mine = settings_for(given, own)
    found = credentials(mine, "nick")
    assert found is None or CANARY not in found
    assert CANARY not in repr(mine)


def test_no_secret_is_shown_by_accident() -> None:
    answers: dict[str, Value] = {"pass": CANARY, "sasl_password": CANARY, "after_connect_commands": (f"AUTH {CANARY}",)}
    assert CANARY not in repr(settings_for(operator(), answers))


# What there is to log in with


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({}, None),
        ({"sasl_password": "p"}, ("nick", "p", False, True)),  # as with biboumi, the account is the nick's
        ({"sasl_password": "p", "sasl_user": "me"}, ("me", "p", False, True)),
        ({"sasl_password": "p", "require_sasl": False}, ("nick", "p", False, False)),
        ({"certificate": True}, ("", "", True, False)),  # else it could never be made known to the account
        ({"certificate": True, "sasl_user": "me"}, ("me", "", True, True)),
        ({"certificate": True, "sasl_password": "p"}, ("nick", "p", True, True)),
        ({"sasl_user": "me"}, None),
    ],
)
def test_credentials(answers: dict[str, Value], found: tuple[str, str, bool, bool] | None) -> None:
    assert credentials(settings_for(operator(), answers), "nick") == found


VALUES = st.text(max_size=30) | st.booleans() | st.lists(st.text(max_size=20), max_size=4).map(tuple)


@given(st.dictionaries(st.sampled_from(sorted(field.var for field in fields(operator()))), VALUES))
def test_whatever_was_kept_makes_settings(answers: dict[str, Value]) -> None:
    mine = settings_for(operator(), answers)
    assert (mine.tls, mine.private_addresses, mine.connect_rate) == ("require", False, operator().connect_rate)
    assert all(port >= 1024 or port in (194, 443, 994) for port in (*mine.tls_ports, *mine.ports))
    assert mine.throttle.burst <= operator().throttle.burst
