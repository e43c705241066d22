"""What IRC is told of a user in the place of the JID: names and addresses that are stable, and that only this gateway can trace.

Pure. Everything is a keyed hash of the bare JID: whoever sees it learns nothing, equal users are equal on every network and
after every restart, and the operator finds the user to a name by hashing those there are (`whose`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network


class Pseudonyms:
    """The names that one gateway gives; `key` is its secret."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def ident(self, user: str) -> str:
        """The user name: what stands before the @ on IRC, and what identd says. Ten characters, as the oldest servers take."""
        return f"x{self._digest(user).hex()[:9]}"

    def whose(self, ident: str, users: Iterable[str]) -> list[str]:
        """The users who have this user name; `~` before it says that the server could not verify it."""
        wanted = ident.removeprefix("~").lower()
        return [user for user in users if self.ident(user) == wanted]

    def address(self, user: str) -> str:
        """An IPv6 address that stands for the user where a server wants one (WebIRC): unique local, RFC 4193, never routed."""
        return str(IPv6Address(b"\xfd" + self._digest(f"address {user}")[:15]))

    def address_in(self, network: str, user: str) -> str:
        """The user's own address of a network of this machine, such as 2001:db8::/64; never its first or last."""
        net = ip_network(network)
        room = net.num_addresses - 2
        place = 1 + int.from_bytes(self._digest(f"source {user}"), "big") % room
        return str(ip_address(int(net.network_address) + place))

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256)
