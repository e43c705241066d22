"""What IRC is told in the place of a JID: stable, different, and untraceable without the key (T24, T25)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from transports.bridges.irc.pseudonyms import Pseudonyms

NAMES = Pseudonyms(b"k" * 16)
ADA, BOB = "ada@example.org", "bob@example.org"


def test_a_user_name_is_stable_and_different_and_needs_the_key() -> None:
    assert NAMES.ident(ADA) == Pseudonyms(b"k" * 16).ident(ADA) != NAMES.ident(BOB)
    assert NAMES.ident(ADA) != Pseudonyms(b"l" * 16).ident(ADA)
    assert len(NAMES.ident(ADA)) == 10 and NAMES.ident(ADA).isalnum() and "ada" not in NAMES.ident(ADA)


def test_the_operator_finds_the_user_to_a_name() -> None:
    assert NAMES.whose(f"~{NAMES.ident(BOB).upper()}", [ADA, BOB]) == [BOB]
    assert NAMES.whose("x000000000", [ADA, BOB]) == []


def test_the_address_that_stands_for_a_user_is_of_no_network() -> None:
    address = ip_address(NAMES.address(ADA))
    assert address in ip_network("fd00::/8") and not address.is_global
    assert NAMES.address(ADA) == NAMES.address(ADA) != NAMES.address(BOB)


@pytest.mark.parametrize("network", ["2001:db8::/64", "2001:db8:1:2::/112", "192.0.2.0/24", "127.3.0.0/16"])
def test_everybody_has_an_address_of_a_network(network: str) -> None:
    net = ip_network(network)
    own = {ip_address(NAMES.address_in(network, f"user{number}@example.org")) for number in range(200)}
    assert all(address in net for address in own)
    assert not own & {net.network_address, net.broadcast_address}
    assert len(own) > 100
