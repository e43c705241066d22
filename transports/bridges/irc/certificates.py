"""Client certificates: one for each user and network, made by us and signed by itself, for CertFP and SASL EXTERNAL.

What the server knows of it is its fingerprint, which the user gives to the account (NickServ: CERT ADD). Key and certificate
are one PEM text; where it lies is a `Keep`'s matter, who seals it. It names nobody, and never expires within a lifetime:
a new one is made only when the user wants one, because the old fingerprint is then worth nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

#: What the certificate says of its owner.
NAME: Final = "IRC user"
#: RFC 5280 4.1.2.5: this date means that there is no end worth speaking of.
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class Keep(Protocol):
    """Where the texts lie, sealed."""

    def get(self, user: str, network: str) -> str:
        """'' where there is none."""
        ...

    async def put(self, user: str, network: str, text: str) -> None:
        """Replace it; '' forgets it. On disk when this returns."""
        ...


class Fingerprints(NamedTuple):
    """Of one certificate, as networks ask for them: lower-case hexadecimal digits."""

    sha256: str
    sha512: str


class Certificates:
    """The certificates of one bridge's users."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._making: dict[tuple[str, str], asyncio.Task[str]] = {}

    async def of(self, user: str, network: str) -> str:
        """The PEM text of a user's certificate and key for a network, made now if there is none."""
        text = self._keep.get(user, network)
        return text or await self._made(user, network)

    async def fingerprints(self, user: str, network: str) -> Fingerprints:
        return fingerprints(await self.of(user, network))

    async def renew(self, user: str, network: str) -> Fingerprints:
        """Another certificate in the place of the old one, which is gone for good."""
        await self._keep.put(user, network, "")
        return fingerprints(await self._made(user, network))

    async def _made(self, user: str, network: str) -> str:
        """Who asks twice at once gets one certificate."""
        key = (user, network)
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(user, network))
            making.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(making)

    async def _make(self, user: str, network: str) -> str:
        text = await asyncio.to_thread(make)
        await self._keep.put(user, network, text)
        return text


def make() -> str:
    """A new key and its certificate as PEM: ECDSA on P-256, which all of OpenSSL, GnuTLS and LibreSSL take, Ed25519 not all."""
    # imported here: nobody who has no certificate pays for it
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()


def fingerprints(text: str) -> Fingerprints:
    """Of the certificate in a PEM text, key or not."""
    start = text.index("-----BEGIN CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(text[start:].strip())
    return Fingerprints(hashlib.sha256(der).hexdigest(), hashlib.sha512(der).hexdigest())
