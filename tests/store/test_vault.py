"""What is sealed opens in its own place with its own key, whatever it is, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.store.errors import StoreError
from transports.store.vault import VERSION, Vault, mark

KEY, OTHER = b"a key of sixteen bytes or more", b"another key of that length"
PLACE = ("sms", "ada@example.org", "answers", "token")


@given(st.text(st.characters(exclude_categories=())), st.lists(st.text(), max_size=4))
def test_what_is_sealed_opens_in_its_place(text: str, place: list[str]) -> None:
    vault = Vault(KEY)
    assert vault.open(*vault.seal(text, *place), *place) == text


def test_the_same_twice_looks_different() -> None:
    first, second = (Vault(KEY).seal("secret", *PLACE) for _ in range(2))
    assert first.nonce != second.nonce and first.sealed != second.sealed
    assert len(first.nonce) == 12
    assert first.sealed[0] == VERSION
    assert b"secret" not in first.sealed


@pytest.mark.parametrize(
    "place",
    [
        ("irc", "ada@example.org", "answers", "token"),
        ("sms", "eve@example.org", "answers", "token"),
        ("sms", "ada@example.org", "preferences", "token"),
        ("sms", "ada@example.org", "answers", "sid"),
        ("sms", "ada@example.org", "answerstoken", ""),
        ("sms|ada@example.org", "answers", "token"),
        ("sms", "ada@example.org", "answers"),
        (),
    ],
)
def test_it_opens_in_no_other_place(place: tuple[str, ...]) -> None:
    with pytest.raises(StoreError, match="not in its own place"):
        Vault(KEY).open(*Vault(KEY).seal("secret", *PLACE), *place)


def test_it_opens_with_no_other_key() -> None:
    with pytest.raises(StoreError) as caught:
        Vault(OTHER).open(*Vault(KEY).seal("tell nobody", *PLACE), *PLACE)
    assert "nobody" not in str(caught.value)


@given(st.data())
def test_no_byte_of_it_may_change(data: st.DataObject) -> None:
    nonce, sealed = Vault(KEY).seal("secret", *PLACE)
    whole = bytearray(nonce + sealed)
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StoreError):
        Vault(KEY).open(bytes(whole[:12]), bytes(whole[12:]), *PLACE)


@pytest.mark.parametrize("cut", [0, 1, 2, 17])
def test_what_is_cut_off_does_not_open(cut: int) -> None:
    nonce, sealed = Vault(KEY).seal("secret", *PLACE)
    with pytest.raises(StoreError):
        Vault(KEY).open(nonce, sealed[:cut], *PLACE)
    with pytest.raises(StoreError):
        Vault(KEY).open(nonce[:cut][:11], sealed, *PLACE)


def test_a_newer_way_of_sealing_is_named() -> None:
    nonce, sealed = Vault(KEY).seal("secret", *PLACE)
    with pytest.raises(StoreError, match=r"does not know \(2\)"):
        Vault(KEY).open(nonce, b"\x02" + sealed[1:], *PLACE)


def test_the_mark_tells_keys_apart() -> None:
    assert Vault(KEY).mark == mark(KEY) != mark(OTHER)
