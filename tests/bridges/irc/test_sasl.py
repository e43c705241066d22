"""Logging in: which way is taken, what is said, and what becomes of servers that cheat."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridges.irc.test_scram import CHALLENGE, FIRST, NONCE, PROOF, VERIFIER
from transports.bridges.irc.read import parse
from transports.bridges.irc.sasl import CHUNK, MAX_CHALLENGE, NUMERICS, Credentials, Login, pieces

ALL = "PLAIN,EXTERNAL,SCRAM-SHA-256"


def login(account: str = "user", password: str = "pencil", certificate: bool = False) -> Login:
    return Login(Credentials(account, password, certificate), NONCE)


def said(data: bytes) -> str:
    """The server's AUTHENTICATE."""
    return b64encode(data).decode() or "+"


def hear(it: Login, *numerics: str) -> list[str]:
    return [line for numeric in numerics for line in it.numeric(parse(f":s {numeric} me :Words"))]


def through_scram(it: Login) -> list[str]:
    """SCRAM up to our proof."""
    assert it.begin("SCRAM-SHA-256,PLAIN") == ["AUTHENTICATE SCRAM-SHA-256"]
    assert it.challenged("+") == [f"AUTHENTICATE {said(FIRST)}"]
    assert it.challenged(said(CHALLENGE)) == []
    assert it.puzzle is not None
    return it.solved(it.puzzle.solve())


@pytest.mark.parametrize(
    ("offered", "certificate", "password", "first"),
    [
        (ALL, True, "x", "EXTERNAL"),
        (ALL, False, "x", "SCRAM-SHA-256"),
        ("PLAIN", False, "x", "PLAIN"),
        ("plain,foo", True, "x", "PLAIN"),
        ("SCRAM-SHA-256", True, "", None),
        (ALL, True, "", "EXTERNAL"),
        ("", True, "x", "EXTERNAL"),
        ("", False, "x", "SCRAM-SHA-256"),
        ("GSSAPI", True, "x", None),
        ("PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", False, "x", "SCRAM-SHA-512"),
    ],
)
def test_the_best_way_that_both_have(offered: str, certificate: bool, password: str, first: str | None) -> None:
    it = login(password=password, certificate=certificate)
    assert it.begin(offered) == ([f"AUTHENTICATE {first}"] if first else [])
    assert (it.failed is None) == (first is not None)


def test_scram_is_the_exchange_of_the_specification() -> None:
    it = login()
    assert through_scram(it) == [f"AUTHENTICATE {said(PROOF)}"]
    assert it.challenged(said(VERIFIER)) == ["AUTHENTICATE +"]
    assert hear(it, "903") == []
    assert it.done and it.failed is None


def test_external_names_no_account() -> None:
    it = login(certificate=True)
    it.begin(ALL)
    assert it.challenged("+") == ["AUTHENTICATE +"]
    hear(it, "903")
    assert it.done


@pytest.mark.parametrize("numeric", ["904", "905"])
def test_a_certificate_that_is_not_known_leads_to_the_password(numeric: str) -> None:
    it = login(certificate=True)
    it.begin(ALL)
    it.challenged("+")
    assert hear(it, numeric) == ["AUTHENTICATE SCRAM-SHA-256"]


def test_an_account_without_keys_for_scram_gives_its_password() -> None:
    it = login()
    it.begin(ALL)
    it.challenged("+")
    assert hear(it, "904") == ["AUTHENTICATE PLAIN"]
    assert it.challenged("+") == [f"AUTHENTICATE {said(chr(0).encode() + b'user' + chr(0).encode() + b'pencil')}"]
    hear(it, "903")
    assert it.done


def test_a_password_that_was_refused_is_not_tried_again() -> None:
    it = login()
    through_scram(it)
    assert hear(it, "904") == []
    assert it.failed is not None and not it.hostile


def test_a_refusal_within_the_exchange_is_no_fraud() -> None:
    it = login()
    through_scram(it)
    assert it.challenged(said(b"e=invalid-proof")) == ["AUTHENTICATE +"]
    hear(it, "904")
    assert it.failed is not None and not it.hostile


@pytest.mark.parametrize("numeric", ["902", "906"])
def test_what_ends_a_login_at_once(numeric: str) -> None:
    it = login(certificate=True)
    it.begin(ALL)
    assert hear(it, numeric) == []
    assert it.failed is not None


def test_the_list_of_mechanisms_is_heeded() -> None:
    it = login(certificate=True)
    it.begin("")
    assert it.numeric(parse(":s 908 me PLAIN,FOO :are available SASL mechanisms")) == []
    assert hear(it, "904") == ["AUTHENTICATE PLAIN"]
    it = login()
    it.begin("")
    it.numeric(parse(":s 908 me EXTERNAL :are available SASL mechanisms"))
    assert it.failed is not None


# Servers that cheat


@pytest.mark.parametrize("early", ["903", "907"])
def test_a_server_that_takes_us_without_a_proof(early: str) -> None:
    it = login()
    through_scram(it)
    assert hear(it, early) == ["AUTHENTICATE *"]
    assert it.hostile and it.failed is not None and not it.done


@pytest.mark.parametrize(
    "challenge",
    [
        CHALLENGE.replace(b"r=rOpr", b"r=rApr"),
        CHALLENGE.replace(b"i=4096", b"i=1"),
        CHALLENGE.replace(b"i=4096", b"i=2000000000"),
        b"",
    ],
)
def test_a_challenge_that_is_none_ends_it_and_nothing_weaker_is_tried(challenge: bytes) -> None:
    it = login()
    it.begin(ALL)
    it.challenged("+")
    assert it.challenged(said(challenge)) == ["AUTHENTICATE *"]
    assert it.hostile
    assert hear(it, "904", "903", "906") == it.challenged("+") == []
    assert not it.done


def test_a_wrong_proof_ends_it() -> None:
    it = login()
    through_scram(it)
    assert it.challenged(said(b"v=" + b64encode(b"\0" * 32))) == ["AUTHENTICATE *"]
    assert it.hostile


def test_a_challenge_comes_in_pieces() -> None:
    it = login()
    it.begin("SCRAM-SHA-256")
    it.challenged("+")
    long = CHALLENGE.replace(b"W22ZaJ0SNY7soEsUEjb6gQ==", b64encode(b"s" * 600))
    text = said(long)
    parts = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    assert len(parts) > 2
    assert [it.challenged(part) for part in parts] == [[]] * len(parts)
    assert it.puzzle is not None and it.puzzle.salt == b"s" * 600


def test_a_challenge_without_an_end_ends_the_login() -> None:
    it = login()
    it.begin(ALL)
    it.challenged("+")
    answers = [it.challenged("A" * CHUNK) for _ in range(MAX_CHALLENGE // CHUNK + 1)]
    assert answers[-1] == ["AUTHENTICATE *"]
    assert it.hostile


def test_a_password_is_said_once() -> None:
    it = login()
    it.begin("PLAIN")
    assert len(it.challenged("+")) == 1
    assert it.challenged("+") == it.challenged("AAAA") == []


def test_nothing_is_believed_before_it_began() -> None:
    it = login()
    assert it.challenged("+") == hear(it, "903", "904", "908") == []
    assert not it.over


@given(st.integers(0, 1300))
def test_responses_in_pieces(length: int) -> None:
    parts = [line.removeprefix("AUTHENTICATE ") for line in pieces(b"x" * length)]
    assert all(len(part) == CHUNK for part in parts[:-1]) and len(parts[-1]) < CHUNK
    assert b64decode("".join(parts).removesuffix("+")) == b"x" * length


STEP = st.sampled_from(["902", "903", "904", "905", "906", "907", "908", "+"]) | st.text(max_size=5) | st.binary(
    max_size=200
).map(said)


@settings(deadline=None, max_examples=200)
@given(st.lists(STEP, max_size=12), st.booleans())
def test_no_server_gets_a_login_by_scram_without_the_proof(steps: list[str], certificate: bool) -> None:
    it = login(certificate=certificate)
    sent = it.begin("SCRAM-SHA-256")
    for step in steps:
        sent += it.numeric(parse(f":s {step} me :x")) if step in NUMERICS else it.challenged(step)
    assert not it.done
    assert all("pencil" not in line for line in sent)
