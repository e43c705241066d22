"""A certificate authority and a server certificate of our own, made with the `openssl` command (3.0 or newer).

Good for 127.0.0.1, localhost and the names given; strict enough for Python 3.13's VERIFY_X509_STRICT (RFC 5280 section 4.2.1).
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lab.process import LabError, program

CONFIGURATION = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, {names}
"""


class Certificate(NamedTuple):
    """Paths of PEM files: the authority's certificate, the server's, its key, and both of the server's in one file."""

    ca: Path
    cert: Path
    key: Path
    both: Path

    def client(self) -> ssl.SSLContext:
        """A context for a client that trusts this authority alone and checks the name."""
        return ssl.create_default_context(cafile=self.ca)


def make(directory: Path, names: Sequence[str] = ()) -> Certificate:
    """Make (or find) the files in `directory`. names: DNS names beside localhost."""
    found = Certificate(*(directory / name for name in ("ca.pem", "server.pem", "server.key", "server-both.pem")))
    if found.both.exists():
        return found
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "openssl.cnf"
    configuration.write_text(CONFIGURATION.format(names=", ".join(f"DNS:{name}" for name in ("localhost", *names))))
    ca_key = directory / "ca.key"
    _request(configuration, "authority", "/CN=Lab authority", ca_key, found.ca)
    _request(configuration, "server", "/CN=localhost", found.key, found.cert, "-CA", str(found.ca), "-CAkey", str(ca_key))
    found.both.write_bytes(found.cert.read_bytes() + found.key.read_bytes())
    return found


def _request(configuration: Path, section: str, subject: str, key: Path, out: Path, *more: str) -> None:
    done = subprocess.run(
        [
            program("openssl", "openssl"), "req", "-x509", "-config", str(configuration), "-extensions", section,
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key),
            "-subj", subject, "-days", "30", "-out", str(out), *more,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"openssl could not make {out.name}: {done.stderr}")
