"""SCRAM, the client's side (RFC 5802; SHA-256 by RFC 7677), without channel binding: what is said, and the proof of both.

Pure; the nonce is handed in. The one costly step, thousands of hashes, is a `Puzzle` of its own: whoever drives the
exchange may have it solved in a thread. A server is hostile here: `Untrusted` leaves for whatever is not as it should be.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

#: Fewer iterations make the password cheap to guess for whoever hears the exchange (RFC 7677 4); more cost us seconds.
FEWEST, MOST = 4096, 200_000
#: The longest salt in bytes, and the longest nonce, in characters.
MAX_SALT: Final = 1024
MAX_NONCE: Final = 500

# No channel binding (RFC 5802 7, gs2-header); base64 of it is "biws".
_HEADER: Final = "n,,"
_SERVER_FIRST: Final = re.compile(r"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})(?:,.*)?")
_SERVER_FINAL: Final = re.compile(r"v=([A-Za-z0-9+/]+={0,2})(?:,.*)?")


class Untrusted(Exception):
    """The server said what no server that knows the password, or that follows the specification, would say."""


class Puzzle(NamedTuple):
    """What makes a password slow to guess."""

    password: bytes
    salt: bytes
    iterations: int
    hash: str

    def solve(self) -> bytes:
        """RFC 5802's SaltedPassword. Takes a tenth of a second at the worst; other threads run meanwhile."""
        return hashlib.pbkdf2_hmac(self.hash, self.password, self.salt, self.iterations)


class Exchange:
    """One login: first -> challenged -> proof -> verify, each once and in that order."""

    def __init__(self, account: str, password: str, nonce: str, hash: str = "sha256") -> None:
        """nonce: printable ASCII without a comma, new for every login. hash: sha256 or sha512.

        ValueError when the account cannot be said in SCRAM.
        """
        if not nonce:
            raise ValueError("no nonce")
        name = prepared(account).replace("=", "=3D").replace(",", "=2C")
        self._password = prepared(password).encode()
        self._nonce = nonce
        self._hash = hash
        self._bare = f"n={name},r={nonce}"
        self._challenge = ""
        self._full_nonce = ""
        self._expected = b""

    def first(self) -> bytes:
        """RFC 5802 client-first-message."""
        return f"{_HEADER}{self._bare}".encode()

    def challenged(self, message: bytes) -> Puzzle:
        """Take the server-first-message. Raises Untrusted."""
        text = _ascii(message)
        found = _SERVER_FIRST.fullmatch(text)
        if found is None:
            raise Untrusted("challenge")
        nonce, salt, count = found.groups()
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce) or len(nonce) > MAX_NONCE:
            raise Untrusted("nonce")
        if not FEWEST <= int(count) <= MOST:
            raise Untrusted("iterations")
        self._challenge = text
        self._full_nonce = nonce
        return Puzzle(self._password, _decoded(salt, MAX_SALT), int(count), self._hash)

    def proof(self, salted: bytes) -> bytes:
        """RFC 5802 client-final-message, by the puzzle's solution."""
        without = f"c={b64encode(_HEADER.encode()).decode()},r={self._full_nonce}"
        said = f"{self._bare},{self._challenge},{without}".encode()
        client_key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self._hash, client_key).digest(), said)
        proof = bytes(map(int.__xor__, client_key, signature))
        self._expected = self._hmac(self._hmac(salted, b"Server Key"), said)
        self._password = b""
        return f"{without},p={b64encode(proof).decode()}".encode()

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)

    def refusal(self, message: bytes) -> str | None:
        """The server's word for why it refuses, if the server-final-message is a refusal."""
        text = message[:100].decode("ascii", "replace")
        return text[2:] if text.startswith("e=") else None

    def verify(self, message: bytes) -> None:
        """Take the server-final-message. Raises Untrusted when the server has not proved that it knows the password."""
        found = _SERVER_FINAL.fullmatch(_ascii(message))
        if found is None or not self._expected or not hmac.compare_digest(_decoded(found[1], 64), self._expected):
            raise Untrusted("proof")


def _ascii(message: bytes) -> str:
    try:
        return message.decode("ascii")
    except UnicodeDecodeError:
        raise Untrusted("text") from None


def _decoded(text: str, most: int) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise Untrusted("base64") from None
    if len(data) > most:
        raise Untrusted("size")
    return data


# RFC 4013 (SASLprep) ----------------------------------------------------------------------------------------------

_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepared(text: str) -> str:
    """SASLprep of an account's name or password as a query, where code points without a meaning are allowed. ValueError."""
    if text.isascii() and text.isprintable() and text:
        return text
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    result = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not result or any(table(c) for c in result for table in _PROHIBITED):
        raise ValueError("a text that SASLprep forbids")
    if any(map(stringprep.in_table_d1, result)):
        ends = stringprep.in_table_d1(result[0]) and stringprep.in_table_d1(result[-1])
        if not ends or any(map(stringprep.in_table_d2, result)):
            raise ValueError("a text whose direction SASLprep forbids")
    return result
