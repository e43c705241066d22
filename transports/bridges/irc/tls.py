"""TLS to IRC servers: what is verified, by whose word, and which certificate of the user's is shown.

Contexts are shared by all connections of the same kind: the authorities in one take most of a megabyte. A user's certificate
is put into a shared one for the moment in which a connection is made of it. Its key touches no disk: OpenSSL wants a file, and
gets one in memory. RFC 7194; TLS 1.2 and later.

Who is trusted, in this order: the operator's pins; the user's fingerprint; the operator's authorities; the machine's. Without
any, only where the user says so. A certificate that was not trusted is told with its fingerprint: to trust it is the user's word.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections.abc import Iterator
from functools import lru_cache
from tempfile import NamedTemporaryFile
from typing import cast

from transports.config import NetworkSettings
from transports.errors import LegacyError
from transports.words import Text, say


class Contexts:
    """The TLS contexts of one bridge."""

    def __init__(self) -> None:
        self._shared = lru_cache(64)(_context)
        self._showing = lru_cache(64)(_context)

    def of(self, settings: NetworkSettings, pem: str = "", strict: bool = False) -> ssl.SSLContext:
        """pem: the user's certificate and key. strict: STS asks for a verified connection, whatever the user says."""
        unpinned = not (settings.pin or settings.fingerprint)
        kind = (str(settings.ca or ""), verified_by_authority(settings) or (strict and unpinned))
        return Showing(self._showing(*kind), pem) if pem else self._shared(*kind)


class Showing(ssl.SSLContext):
    """Passes for a context that shows a user's certificate, and makes its connections of a shared one.

    OpenSSL copies a context's certificate into each connection made of it, so that the next one may have another (SSL_new(3)).
    ssl.SSLError when the text holds no certificate with its key.
    """

    _base: ssl.SSLContext
    _pem: str

    def __new__(cls, base: ssl.SSLContext, pem: str) -> Showing:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made._base, made._pem = base, pem
        made._load()
        return made

    def _load(self) -> None:
        with _file(self._pem) as path:
            self._base.load_cert_chain(path)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        self._load()
        return self._base.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def verified_by_authority(settings: NetworkSettings) -> bool:
    """Whether the certificate has to be signed by somebody, rather than to be a certain one or any."""
    return settings.verify and not settings.pin


def trusted(settings: NetworkSettings) -> bool:
    """Whether the operator's word or an authority's stands behind the server: what it says may hold for all users (STS)."""
    return bool(settings.pin) or settings.verify


def _context(ca: str, verified: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def _file(pem: str) -> Iterator[str]:
    """A file with the text, for as long as it is read: of memory where the system has that, else of mode 0600."""
    try:
        descriptor = os.memfd_create("certificate")
    except (AttributeError, OSError):
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(pem)
            file.flush()
            yield file.name
        return
    try:
        os.write(descriptor, pem.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


# What the server has shown ----------------------------------------------------------------------------------------


def shown(transport: asyncio.BaseTransport) -> str:
    """The SHA-256 of the server's certificate; '' without TLS."""
    encrypted = transport.get_extra_info("ssl_object")
    return hashlib.sha256(encrypted.getpeercert(True) or b"").hexdigest() if encrypted is not None else ""


def pin_error(settings: NetworkSettings, transport: asyncio.BaseTransport) -> LegacyError | None:
    """Why the certificate is not the one that the operator or the user knows; None when it is, or none is known."""
    if not (settings.pin or settings.fingerprint):
        return None
    found = shown(transport)
    if not found and not settings.fingerprint:  # the operator's own word: no TLS there, so no pin
        return None
    if not found:
        return LegacyError("policy-violation", say("irc.pin-none", server=settings.name), type="cancel")
    if (settings.pin and found not in settings.pin) or settings.fingerprint not in ("", found):
        return LegacyError("policy-violation", say("irc.pin", server=settings.name, shown=found), type="cancel")
    return None


def untrusted(settings: NetworkSettings, where: Text, reason: str, found: str) -> LegacyError:
    """The certificate `found` ('' unknown) could not be verified: what it is, and what the user can do about it."""
    words = say("irc.certificate", where=where, reason=reason)
    if found and not settings.named and settings.ca is None:
        words = say("irc.certificate-trust", what=words, shown=found)
    elif found:
        words = say("irc.certificate-shown", what=words, shown=found)
    return LegacyError("policy-violation", words, type="cancel")


class Peek(asyncio.Protocol):
    """Looks at a certificate and goes, without a word."""

    def __init__(self) -> None:
        self.found = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.found = shown(transport)
        cast(asyncio.Transport, transport).abort()


def unverified() -> ssl.SSLContext:
    """For a look at a certificate; nothing may be said over it."""
    return _context("", False)
