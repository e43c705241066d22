"""SCRAM-SHA-256: the RFC's own exchange, and servers that cheat."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.bridges.irc.scram import MOST, Exchange, Puzzle, Untrusted, prepared

#: RFC 7677, section 3.
NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
CHALLENGE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
VERIFIER = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def exchange() -> Exchange:
    return Exchange("user", "pencil", NONCE)


def proven() -> Exchange:
    it = exchange()
    it.proof(it.challenged(CHALLENGE).solve())
    return it


def test_the_exchange_of_the_specification() -> None:
    it = exchange()
    assert it.first() == FIRST
    puzzle = it.challenged(CHALLENGE)
    assert (puzzle.password, puzzle.iterations) == (b"pencil", 4096)
    assert it.proof(puzzle.solve()) == PROOF
    it.verify(VERIFIER)


@pytest.mark.parametrize("hash", ["sha256", "sha512"])
def test_both_sides_prove_that_they_know_the_password(hash: str) -> None:
    """RFC 5802, section 3, as a server computes it."""
    it = Exchange("user", "pencil", "nonce", hash)
    challenge = b"r=nonce-more,s=c2FsdA==,i=5000"
    ours = it.proof(it.challenged(challenge).solve())
    salted = hashlib.pbkdf2_hmac(hash, b"pencil", b"salt", 5000)
    said = b",".join([it.first().removeprefix(b"n,,"), challenge, ours.partition(b",p=")[0]])
    key = hmac.digest(salted, b"Client Key", hash)
    signature = hmac.digest(hashlib.new(hash, key).digest(), said, hash)
    assert b64decode(ours.partition(b",p=")[2]) == bytes(map(int.__xor__, key, signature))
    it.verify(b"v=" + b64encode(hmac.digest(hmac.digest(salted, b"Server Key", hash), said, hash)))


def test_account_names_are_escaped() -> None:
    assert Exchange("a=b,c", "x", "n").first() == b"n,,n=a=3Db=2Cc,r=n"


@pytest.mark.parametrize(
    ("challenge", "why"),
    [
        (b"", "challenge"),
        (b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
        (b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),  # nothing of the server's own
        (b"r=rOprNGfwEbeRWgbNEkqO" + b"x" * 600 + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
        (CHALLENGE.replace(b"i=4096", b"i=4095"), "iterations"),
        (CHALLENGE.replace(b"i=4096", b"i=1"), "iterations"),
        (CHALLENGE.replace(b"i=4096", b"i=%d" % (MOST + 1)), "iterations"),
        (CHALLENGE.replace(b"i=4096", b"i=9999999999"), "iterations"),
        (CHALLENGE.replace(b"i=4096", b"i=99999999999999999999"), "challenge"),
        (CHALLENGE.replace(b"i=4096", b"i=-4096"), "challenge"),
        (CHALLENGE.replace(b"s=W22", b"s=W2"), "base64"),
        (CHALLENGE.replace(b"s=W22ZaJ0SNY7soEsUEjb6gQ==", b"s=" + b64encode(b"s" * 2000)), "size"),
        (b"m=x," + CHALLENGE, "challenge"),  # RFC 5802 5.1: a mandatory extension that nobody knows
        ("r=rOprNGfwEbeRWgbNEkqOé,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode(), "text"),
    ],
)
def test_a_challenge_that_no_honest_server_makes(challenge: bytes, why: str) -> None:
    with pytest.raises(Untrusted, match=why):
        exchange().challenged(challenge)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"v=",
        b"v=AAAA",
        VERIFIER.replace(b"6rri", b"7rri"),
        VERIFIER.removesuffix(b"="),
        b"x=1," + VERIFIER,
        b"e=invalid-proof",
        b"v=" + b64encode(b"\0" * 32),
    ],
)
def test_a_server_that_does_not_prove_itself(answer: bytes) -> None:
    with pytest.raises(Untrusted):
        proven().verify(answer)


def test_a_proof_before_ours_is_none() -> None:
    it = exchange()
    it.challenged(CHALLENGE)
    with pytest.raises(Untrusted):
        it.verify(VERIFIER)


def test_a_refusal_has_its_word() -> None:
    assert exchange().refusal(b"e=invalid-proof") == "invalid-proof"
    assert exchange().refusal(VERIFIER) is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_whatever_a_server_says_is_untrusted_or_a_puzzle_within_bounds(message: bytes) -> None:
    it = exchange()
    try:
        puzzle = it.challenged(message)
    except Untrusted:
        return
    assert isinstance(puzzle, Puzzle)
    assert 4096 <= puzzle.iterations <= MOST


@given(st.binary(max_size=100))
def test_nothing_but_the_verifier_is_a_proof(message: bytes) -> None:
    if message != VERIFIER:
        with pytest.raises(Untrusted):
            proven().verify(message)


@pytest.mark.parametrize(
    ("text", "result"),
    [  # RFC 4013, section 3
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_passwords_are_prepared(text: str, result: str) -> None:
    assert prepared(text) == result


@pytest.mark.parametrize("text", ["", "\u00ad", "\u0007", "a\tb", "\u0627\u0031", "\u0627a\u0627", "\ue000", "\ud800"])
def test_passwords_that_cannot_be_prepared(text: str) -> None:
    with pytest.raises(ValueError, match="SASLprep"):
        prepared(text)

