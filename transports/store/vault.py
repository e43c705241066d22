"""Secrets at rest: AES-256-GCM (NIST SP 800-38D), bound to the bridge, the user and the field they belong to.

The key is derived from the store's key; nothing here logs, and no error carries a secret. A sealed value opens only in its
own place: moved to another user's row or another field it is as good as damaged. Its first byte is the version of the
sealing, so that another cipher or key can come and the old values still open.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from transports.store.errors import StoreError

VERSION: Final = 1
_NONCE: Final = 12


class Sealed(NamedTuple):
    """nonce: 96 random bits; sealed: version byte, ciphertext, tag."""

    nonce: bytes
    sealed: bytes


class Vault:
    """`key`: the store's key, any length; everything is derived from it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derive(key, f"vault {VERSION}"))
        self.mark = mark(key)

    def seal(self, text: str, *place: str) -> Sealed:
        """`text` for `place` (bridge, user, part, field) only."""
        nonce = os.urandom(_NONCE)
        data = text.encode("utf-8", "surrogatepass")
        return Sealed(nonce, bytes([VERSION]) + self._cipher.encrypt(nonce, data, _bound(VERSION, place)))

    def open(self, nonce: bytes, sealed: bytes, *place: str) -> str:
        """What `seal` was given. StoreError when it was sealed with another key or for another place, or is damaged."""
        version = sealed[0] if sealed else 0
        if version != VERSION:
            raise StoreError(f"store: a secret is sealed in a way this program does not know ({version})")
        try:
            data = self._cipher.decrypt(nonce, sealed[1:], _bound(version, place))
        except (InvalidTag, ValueError):  # ValueError: a nonce of a wrong length
            raise StoreError("store: a secret does not open: it is damaged, or not in its own place") from None
        return data.decode("utf-8", "surrogatepass")


def mark(key: bytes) -> str:
    """What the database keeps to recognise the key by; says nothing about it to who cannot guess it."""
    return _derive(key, "vault mark").hex()


def _bound(version: int, place: tuple[str, ...]) -> bytes:
    return json.dumps([version, *place]).encode()


def _derive(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, purpose.encode(), hashlib.sha256)
