"""Client certificates: made once, kept, shown by their fingerprint; the key leaves no trace on the disk."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest

from lab import certificate
from transports.bridges.irc import certificates
from transports.bridges.irc.certificates import Certificates, fingerprints
from transports.bridges.irc.chosen import SECRETS
from transports.bridges.irc.keeping import PEM, KeptCertificates
from transports.bridges.irc.tls import Contexts
from transports.config import NetworkSettings
from transports.errors import LegacyError
from transports.events import Address
from transports.options import Options

ADA = "ada@example.org"


class Memory:
    """A Keep that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def get(self, user: str, network: str) -> str:
        return self._texts.get((user, network), "")

    async def put(self, user: str, network: str, text: str) -> None:
        self._texts[user, network] = text


async def test_a_certificate_is_made_once_and_stays() -> None:
    mine = Certificates(Memory())
    first, second = await asyncio.gather(mine.of(ADA, "irc.test"), mine.of(ADA, "irc.test"))
    assert first == second == await mine.of(ADA, "irc.test")
    assert await mine.of(ADA, "other.test") != first != await mine.of("bob@example.org", "irc.test")


async def test_a_new_one_takes_its_place() -> None:
    mine = Certificates(Memory())
    before = await mine.fingerprints(ADA, "irc.test")
    after = await mine.renew(ADA, "irc.test")
    assert before != after == await mine.fingerprints(ADA, "irc.test")


def test_openssl_takes_it_and_it_names_nobody(tmp_path: Path) -> None:
    text = certificates.make()
    (tmp_path / "c.pem").write_text(text)
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "c.pem"), "-noout", "-text", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "prime256v1" in shown and "9999" in shown and "CN = IRC user" in shown
    assert "DNS:" not in shown and "email" not in shown.lower()
    assert fingerprints(text).sha256 == shown.rpartition("Fingerprint=")[2].strip().replace(":", "").lower()
    der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT") :].strip())
    assert fingerprints(text).sha512 == hashlib.sha512(der).hexdigest()


def test_its_key_touches_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    settings = NetworkSettings("irc.test", "irc.test", False)
    assert Contexts().of(settings, certificates.make()) is not Contexts().of(settings)


def test_contexts_without_a_certificate_are_shared() -> None:
    contexts = Contexts()
    one, other = NetworkSettings("a.test", "a.test", False), NetworkSettings("b.test", "b.test", False)
    assert contexts.of(one) is contexts.of(other)
    assert contexts.of(one).verify_mode == ssl.CERT_REQUIRED
    unverified = NetworkSettings("c.test", "c.test", False, verify=False)
    assert contexts.of(unverified).verify_mode == ssl.CERT_NONE
    assert contexts.of(unverified, strict=True).verify_mode == ssl.CERT_REQUIRED  # STS is not the user's to leave out
    pinned = NetworkSettings("c.test", "c.test", False, verify=False, fingerprint="ab" * 32)
    assert contexts.of(pinned, strict=True).verify_mode == ssl.CERT_NONE  # the fingerprint is what verifies it


def _handshake(client: ssl.SSLObject, server: ssl.SSLObject, wires: list[tuple[ssl.MemoryBIO, ssl.MemoryBIO]]) -> None:
    """Both sides in turns, until both are through."""
    left = {client, server}
    while left:
        for side in list(left):
            try:
                side.do_handshake()
                left.discard(side)
            except ssl.SSLWantReadError:
                pass
            for source, target in wires:
                target.write(source.read())


def test_each_connection_shows_its_own_users_certificate(tmp_path: Path) -> None:
    made = certificate.make(tmp_path)
    settings = NetworkSettings("irc.test", "localhost", False, ca=made.ca)
    texts = [certificates.make(), certificates.make()]
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepting.load_cert_chain(made.cert, made.key)
    accepting.verify_mode = ssl.CERT_REQUIRED
    accepting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for text in texts:
        accepting.load_verify_locations(cadata=text[text.index("-----BEGIN CERT") :])
    contexts = Contexts()
    lines = []
    for text in texts:  # both are made before either speaks
        bios = [ssl.MemoryBIO() for _ in range(4)]
        client = contexts.of(settings, text).wrap_bio(bios[0], bios[1], server_hostname="localhost")
        lines.append((client, accepting.wrap_bio(bios[2], bios[3], server_side=True), [(bios[1], bios[2]), (bios[3], bios[0])]))
    for text, (client, server, wires) in zip(texts, lines, strict=True):
        _handshake(client, server, wires)
        shown = hashlib.sha256(server.getpeercert(True) or b"").hexdigest()
        assert shown == fingerprints(text).sha256


async def test_it_is_kept_sealed_with_its_network_and_beside_what_the_user_set() -> None:
    sealed: list[tuple[Address, frozenset[str]]] = []

    class Kept:
        async def load(self) -> dict[tuple[str, Address], dict[str, str]]:
            return {}

        async def save(self, user: str, place: Address, answers: object, secrets: Collection[str]) -> None:
            sealed.append((place, frozenset(secrets)))

    options = Options(Kept())
    place = Address("server", "irc.test")
    await options.put(ADA, place, {"nick": "ada"})
    keep = KeptCertificates(options, lambda name: Address("server", name))
    text = await Certificates(keep).of(ADA, "irc.test")
    assert options.of(ADA, place) == {"nick": "ada", PEM: text}
    assert sealed[-1] == (place, SECRETS) and PEM in SECRETS
    await keep.put(ADA, "irc.test", "")
    assert options.of(ADA, place) == {"nick": "ada"}


async def test_a_text_that_is_no_certificate_is_an_error_for_its_user() -> None:
    settings = NetworkSettings("irc.test", "irc.test", False)
    with pytest.raises((ssl.SSLError, LegacyError)):
        Contexts().of(settings, "-----BEGIN NONSENSE-----")
