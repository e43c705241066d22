"""Ways to a server: which certificates are trusted, what is never said without TLS, what a server learns of us (T10, T22-T25).

Real TLS on loopback; the server is one that says what it is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hmac import digest
from pathlib import Path
from typing import Any

import pytest

from lab import certificate
from lab.certificate import Certificate
from lab.scripted_irc import Guest, ScriptedIrc
from tests.bridges.irc.scene import BY, ME, ROOM
from tests.bridges.irc.test_wire import Out, until
from tests.far import Nobody
from transports.bridges.irc.bridge import IrcBridge
from transports.bridges.irc.identd import Identd
from transports.bridges.irc.scram import Puzzle
from transports.bridges.irc.socks import Proxy
from transports.bridges.irc.wire import Link
from transports.config_models import Irc
from transports.config_values import HostPort
from transports.describe import Value
from transports.errors import LegacyError
from transports.events import Address, Join, Notice, Refused
from transports.options import Options

ADA = BY.partition("/")[0]
HERE = Address("server", "irc.test")


class Stage:
    """Somebody who joins #c of irc.test, which the operator listed (with these keys) or nobody did (`listed=False`)."""

    def __init__(
        self, user: str = ADA, *, listed: bool = True, answers: dict[str, Value] | None = None, raw: str = "users", **keys: Any
    ) -> None:
        irc: dict[str, Any] = {"domain": "irc.example.org", "connect_rate": 0, "raw": raw}
        irc |= {"networks": {"irc.test": keys}} if listed else {"private_addresses": True, **keys}
        options = Options()
        options._users[user] = {HERE: answers or {}}
        self.user = user
        self.out = Out()
        self.bridge = IrcBridge(Irc.model_validate(irc), b"k" * 16, Nobody(), options)
        self.session = self.bridge.open(user, self.out)

    def join(self) -> Link:
        self.session.do(Join(ROOM, ME, f"{self.user}/desk"))
        return self.session.links["irc.test"]

    async def refused(self) -> LegacyError:
        await until(lambda: self.out.of(Refused))
        error: LegacyError = self.out.of(Refused)[0].error
        return error

    async def welcome(self, irc: ScriptedIrc) -> Guest:
        """The connection is made and greeted."""
        guest = await irc.guest()
        await guest.welcome()
        await guest.until("JOIN #c")
        return guest

    def close(self) -> None:
        self.session.close("")


@asynccontextmanager
async def playing(*arguments: Any, **keys: Any) -> AsyncIterator[Stage]:
    stage = Stage(*arguments, **keys)
    try:
        yield stage
    finally:
        stage.close()


def context(made: Certificate) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(made.cert, made.key)
    return found


def sha256(made: Certificate) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(made.cert.read_text())).hexdigest()


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that refuses, and that nobody else can have meanwhile: it is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost, of an authority that nobody trusts unasked."""
    return certificate.make(tmp_path_factory.mktemp("tls"), ["irc.test"])


def faulty(folder: Path, name: str, days: int) -> tuple[Path, str]:
    """An authority's own certificate for `name` that ends in so many days, with its key; and its SHA-256."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / f"{name}{days}.pem"
    path.write_bytes(pem + built.public_bytes(serialization.Encoding.PEM))
    return path, built.fingerprint(hashes.SHA256()).hex()


# T22: whom we believe -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "days"), [("localhost", -1), ("other.test", 10), ("localhost", 10)])
async def test_expired_for_somebody_else_or_of_nobody_known(tmp_path: Path, name: str, days: int) -> None:
    path, shown = faulty(tmp_path, name, days)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    trust = {"ca": str(path)} if (name, days) != ("localhost", 10) else {}  # the third is what no authority signed
    async with ScriptedIrc(tls) as irc, playing(address="localhost", tls_ports=[irc.port], **trust) as stage:
        stage.join()
        error = await stage.refused()
        assert error.condition == "policy-violation" and shown in error.text
        assert "operator" in error.text
        await until(lambda: all(guest.closed for guest in irc.guests))
        assert [guest.lines for guest in irc.guests] == [[]] * len(irc.guests)


async def test_who_is_not_known_is_trusted_on_the_users_word_only(made: Certificate) -> None:
    async with ScriptedIrc(context(made)) as irc:
        there: dict[str, Value] = {"address": "localhost", "tls_ports": (str(irc.port),)}
        async with playing(listed=False, answers=there) as stage:
            stage.join()
            error = await stage.refused()
            assert sha256(made) in error.text and "fingerprint" in error.text
            assert stage.session.idle and all(not guest.lines for guest in irc.guests)
        irc.forget()
        async with playing(listed=False, answers={**there, "fingerprint": sha256(made)}) as stage:
            stage.join()
            await stage.welcome(irc)
        async with playing(listed=False, answers={**there, "verify_cert": False}) as stage:
            stage.join()
            await stage.welcome(irc)


async def test_another_certificate_than_the_trusted_one_is_told_and_hears_nothing(made: Certificate) -> None:
    async with ScriptedIrc(context(made)) as irc:
        there: dict[str, Value] = {"address": "localhost", "tls_ports": (str(irc.port),), "fingerprint": "ab" * 32}
        async with playing(listed=False, answers={**there, "verify_cert": False}) as stage:
            stage.join()
            error = await stage.refused()
            assert (error.condition, error.type) == ("policy-violation", "cancel")
            assert sha256(made) in error.text
            await until(lambda: irc.guests and irc.guests[0].closed)
            assert irc.guests[0].lines == []


async def test_a_users_fingerprint_narrows_what_the_operator_trusts(made: Certificate) -> None:
    async with ScriptedIrc(context(made)) as irc:
        operator: dict[str, Any] = {"address": "localhost", "tls_ports": [irc.port], "ca": str(made.ca)}
        async with playing(answers={"fingerprint": "ab" * 32}, **operator) as stage:
            stage.join()
            assert sha256(made) in (await stage.refused()).text
        irc.forget()
        async with playing(answers={"fingerprint": sha256(made)}, **operator) as stage:
            stage.join()
            await stage.welcome(irc)
        pinned = {"address": "localhost", "tls_ports": [irc.port], "pin": sha256(made)}
        async with playing(answers={"fingerprint": "ab" * 32}, **pinned) as stage:
            stage.join()
            assert sha256(made) in (await stage.refused()).text


# T10: nothing that is worth stealing goes without TLS ---------------------------------------------------------------------


@pytest.mark.parametrize("var", ["sasl_password", "pass", "fingerprint"])
async def test_who_takes_tls_away_gets_no_secret(var: str, closed: int) -> None:
    keys: dict[str, Any] = {"address": "127.0.0.1", "tls": "prefer", "tls_ports": [closed]}
    async with ScriptedIrc() as irc, playing(ports=[irc.port], answers={var: "ab" * 32}, **keys) as stage:
        stage.join()
        await stage.refused()
        await until(lambda: all(guest.closed for guest in irc.guests))
        assert not [line for guest in irc.guests for line in guest.lines]


async def test_who_trusts_one_certificate_is_not_connected_without_any() -> None:
    keys: dict[str, Any] = {"address": "127.0.0.1", "tls": "off"}
    async with ScriptedIrc() as irc, playing(ports=[irc.port], answers={"fingerprint": "ab" * 32}, **keys) as stage:
        stage.join()
        assert "shows no certificate" in (await stage.refused()).text
    async with ScriptedIrc() as irc, playing(ports=[irc.port], pin="ab" * 32, **keys) as stage:
        stage.join()  # the operator has said both: what a certificate would have to be, and that there is none
        await stage.welcome(irc)


async def test_without_a_secret_it_goes_on_where_the_operator_allows_it(closed: int) -> None:
    async with ScriptedIrc() as irc, playing(address="127.0.0.1", tls="prefer", tls_ports=[closed], ports=[irc.port]) as stage:
        stage.join()
        await stage.welcome(irc)


# Strict transport security ------------------------------------------------------------------------------------------------


async def test_a_server_that_wants_tls_gets_it_before_anything_is_said(made: Certificate, closed: int) -> None:
    async with ScriptedIrc() as plain, ScriptedIrc(context(made)) as safe:
        keys: dict[str, Any] = {"address": "localhost", "tls": "prefer", "tls_ports": [closed], "ca": str(made.ca)}
        async with playing(ports=[plain.port], **keys) as stage:
            stage.join()
            first = await plain.guest()
            await first.until("CAP LS")
            first.write(f":s CAP * LS :multi-prefix sts=port={safe.port},duration=9")
            second = await safe.guest()
            await second.until("CAP LS")
            second.write(":s CAP * LS :sts=duration=1000")
            await second.welcome()
            await second.until("JOIN #c")
            await until(lambda: first.closed)
            assert first.lines == ["CAP LS 302"]
            policy = stage.bridge.dialer.policies.of("localhost", 0)
            assert policy is not None and (policy.port, policy.duration) == (safe.port, 1000)


async def test_a_policy_rules_out_what_is_not_encrypted(made: Certificate, closed: int) -> None:
    async with ScriptedIrc() as plain:
        keys: dict[str, Any] = {"address": "localhost", "tls": "prefer", "tls_ports": [closed], "ports": [plain.port]}
        async with playing(**keys) as stage:
            stage.bridge.dialer.policies.load({"localhost": f"{closed} 1000 99999999999"})
            stage.join()
            await stage.refused()
            assert plain.guests == []


async def test_a_policy_of_a_certificate_that_nobody_verified_is_none(made: Certificate) -> None:
    async with ScriptedIrc(context(made)) as irc:
        there: dict[str, Value] = {"address": "localhost", "tls_ports": (str(irc.port),), "verify_cert": False}
        async with playing(listed=False, answers=there) as stage:
            stage.join()
            guest = await irc.guest()
            await guest.until("CAP LS")
            guest.write(":s CAP * LS :sts=duration=1000")
            await guest.welcome()
            await guest.until("JOIN #c")
            assert stage.bridge.dialer.policies.of("localhost", 0) is None
            stage.bridge.dialer.policies.load({"localhost": f"{irc.port} 1000 99999999999"})
        irc.forget()
        async with playing(listed=False, answers=there) as stage:  # and under a policy, the user cannot leave the check out
            stage.bridge.dialer.policies.load({"localhost": f"{irc.port} 1000 99999999999"})
            stage.join()
            assert "fingerprint" in (await stage.refused()).text


async def test_an_address_has_no_policy(closed: int) -> None:
    async with ScriptedIrc() as irc, playing(address="127.0.0.1", tls="prefer", tls_ports=[closed], ports=[irc.port]) as stage:
        stage.join()
        guest = await irc.guest()
        await guest.until("USER ")  # nothing waits for the server's word
        guest.write(f":s CAP * LS :sts=port={closed}")
        guest.nick = ME
        guest.greet()
        await guest.until("JOIN #c")


# T23: certificates of the user's, and logins ------------------------------------------------------------------------------


async def test_the_users_certificate_is_shown(made: Certificate) -> None:
    tls = context(made)
    async with playing(
        address="localhost", tls_ports=[1], ca=str(made.ca), answers={"certificate": True}
    ) as stage:
        text = await stage.bridge.certificates.of(ADA, "irc.test")
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(cadata=text[text.index("-----BEGIN CERT") :])
        tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        async with ScriptedIrc(tls) as irc:
            link = stage.join()
            link.settings = replace(link.settings, tls_ports=(irc.port,))
            guest = await irc.guest()
            await guest.until("CAP LS")
            guest.write(":s CAP * LS :sasl=EXTERNAL")
            await guest.until("CAP REQ sasl")
            guest.write(":s CAP * ACK :sasl")
            await guest.until("AUTHENTICATE EXTERNAL")
            guest.write("AUTHENTICATE +")
            await guest.until("AUTHENTICATE +")
            guest.write(":s 904 * :No such certificate")
            await guest.until("CAP END")
            guest.nick = ME
            guest.greet()
            await guest.until("JOIN #c")
            shown = guest.peer_certificate()
            assert hashlib.sha256(shown).hexdigest() == (await stage.bridge.certificates.fingerprints(ADA, "irc.test")).sha256
            await until(lambda: stage.out.of(Notice))  # what a certificate alone did not do is told, not held against it
            assert "certificate" in stage.out.of(Notice)[0].text


class Scram:
    """A server's side of SCRAM-SHA-256 that knows the password `pencil` and has `iterations` of it (RFC 5802)."""

    def __init__(self, guest: Guest, iterations: int = 4096) -> None:
        self.guest = guest
        self.iterations = iterations

    async def said(self) -> bytes:
        return b64decode((await self.guest.until("AUTHENTICATE ")).removeprefix("AUTHENTICATE "))

    def say(self, text: bytes) -> None:
        self.guest.write(f"AUTHENTICATE {b64encode(text).decode()}")

    async def challenge(self) -> None:
        guest = self.guest
        await guest.until("CAP LS")
        guest.write(":s CAP * LS :sasl=SCRAM-SHA-256,PLAIN")
        await guest.until("CAP REQ")
        guest.write(":s CAP * ACK :sasl")
        await guest.until("AUTHENTICATE SCRAM-SHA-256")
        guest.write("AUTHENTICATE +")
        self.first = (await self.said()).removeprefix(b"n,,")
        self.challenged = self.first.partition(b"r=")[2]
        self.challenged = b"r=%s-server,s=%s,i=%d" % (self.challenged, b64encode(b"salt"), self.iterations)
        self.say(self.challenged)

    async def proof(self) -> bytes:
        """Ours, after the client's was found right."""
        final = await self.said()
        salted = hashlib.pbkdf2_hmac("sha256", b"pencil", b"salt", self.iterations)
        without, _, proof = final.rpartition(b",p=")
        said = b",".join([self.first, self.challenged, without])
        key = digest(salted, b"Client Key", "sha256")
        signature = digest(hashlib.sha256(key).digest(), said, "sha256")
        assert b64decode(proof) == bytes(map(int.__xor__, key, signature))
        return digest(digest(salted, b"Server Key", "sha256"), said, "sha256")


async def test_a_login_with_scram_that_costs_the_loop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    solve, go_on = Puzzle.solve, threading.Event()

    def held(puzzle: Puzzle) -> bytes:
        assert go_on.wait(10)
        return solve(puzzle)

    monkeypatch.setattr(Puzzle, "solve", held)
    async with ScriptedIrc() as irc, playing(
        address="127.0.0.1", tls="off", ports=[irc.port], answers={"sasl_user": "user", "sasl_password": "pencil"}
    ) as stage:
        stage.join()
        scram = Scram(guest := await irc.guest())
        await scram.challenge()
        guest.write("PING :meanwhile")
        await guest.until("PONG meanwhile")  # however long it takes, others have their turns
        assert stage.session.links["irc.test"].solving
        go_on.set()
        scram.say(b"v=" + b64encode(await scram.proof()))
        await guest.until("AUTHENTICATE +")
        guest.write(":s 903 * :Logged in")
        await guest.until("CAP END")
        assert not [line for line in guest.lines if "pencil" in line]


@pytest.mark.parametrize("required", [True, False])
async def test_a_server_without_the_password_is_left_whatever_the_user_wants(required: bool) -> None:
    async with ScriptedIrc() as irc, playing(
        address="127.0.0.1", tls="off", ports=[irc.port],
        answers={"sasl_user": "user", "sasl_password": "pencil", "require_sasl": required},
    ) as stage:  # fmt: skip
        stage.join()
        scram = Scram(guest := await irc.guest())
        await scram.challenge()
        await scram.said()
        scram.say(b"v=" + b64encode(b"\0" * 32))
        guest.write(":s 903 * :Come in", ":s 001 ada :Welcome")
        assert (await stage.refused()).condition == "not-authorized"
        await until(lambda: guest.closed)
        assert not [line for line in guest.lines if "PLAIN" in line or line == "CAP END"]


@pytest.mark.parametrize(("required", "refused"), [(True, True), (False, False)])
async def test_a_login_that_fails(required: bool, refused: bool) -> None:
    async with ScriptedIrc() as irc, playing(
        address="127.0.0.1", tls="off", ports=[irc.port], answers={"sasl_password": "x", "require_sasl": required}
    ) as stage:
        stage.join()
        guest = await irc.guest()
        await guest.until("CAP LS")
        guest.write(":s CAP * LS :multi-prefix")
        if refused:
            assert "account" in (await stage.refused()).text
        else:
            await guest.welcome()
            await until(lambda: stage.out.of(Notice))
            assert "not logged in" in stage.out.of(Notice)[0].text
            await guest.until("JOIN #c")


# T24, T25: what a server learns of us -------------------------------------------------------------------------------------


async def test_nothing_that_is_said_holds_the_jid() -> None:
    async with ScriptedIrc() as irc, playing(
        "mallory@secret.example.org", address="127.0.0.1", tls="off", ports=[irc.port], webirc="gateway-pw"
    ) as stage:
        stage.join()
        guest = await stage.welcome(irc)
        names = stage.bridge.dialer.pseudonyms
        ident = names.ident(stage.user)
        host = f"{ident}.irc.example.org"
        assert guest.lines[0] == f"WEBIRC gateway-pw irc.example.org {host} {names.address(stage.user)}"
        assert any(line.startswith(f"USER {ident} ") for line in guest.lines)
        assert not [line for line in guest.lines if "mallory" in line or "secret.example" in line]


async def test_a_domain_is_told_where_the_operator_says_so() -> None:
    async with ScriptedIrc() as irc, playing(
        "mallory@münchen.example", address="127.0.0.1", tls="off", ports=[irc.port], webirc="pw", webirc_host="domain"
    ) as stage:
        stage.join()
        guest = await stage.welcome(irc)
        address = stage.bridge.dialer.pseudonyms.address("münchen.example")
        assert guest.lines[0] == f"WEBIRC pw irc.example.org xn--mnchen-3ya.example {address}"
        assert not [line for line in guest.lines if "mallory" in line]


async def test_everybody_comes_from_an_own_address() -> None:
    found: dict[str, set[str]] = {}
    async with ScriptedIrc() as irc:
        for user in ("ada@example.org", "bob@example.org", "ada@example.org"):
            async with playing(user, address="127.0.0.1", tls="off", ports=[irc.port], bind="127.64.0.0/10") as stage:
                stage.join()
                guest = await stage.welcome(irc)
                found.setdefault(user, set()).add(guest.peer[0])
                assert guest.peer[0] == stage.bridge.dialer.pseudonyms.address_in("127.64.0.0/10", user)
    assert [len(addresses) for addresses in found.values()] == [1, 1]
    assert found["ada@example.org"] != found["bob@example.org"]


async def test_one_address_for_all_where_the_operator_has_but_one() -> None:
    async with ScriptedIrc() as irc, playing(address="127.0.0.1", tls="off", ports=[irc.port], bind="127.0.0.42") as stage:
        stage.join()
        assert (await stage.welcome(irc)).peer[0] == "127.0.0.42"


async def test_identd_tells_the_server_of_a_connection_and_nobody_else() -> None:
    async with ScriptedIrc() as irc, playing(address="127.0.0.1", tls="off", ports=[irc.port]) as stage:
        identd = stage.bridge.identd = stage.bridge.dialer.identd = Identd()
        await identd.start(HostPort("127.0.0.1", 0))
        try:
            stage.join()
            guest = await irc.guest()  # which asks before it says a word
            query = f"{guest.peer[1]}, {irc.port}"
            ident = stage.bridge.dialer.pseudonyms.ident(ADA)
            assert (await _asked(identd, query, "127.0.0.1")).endswith(f"USERID : UNIX : {ident}")
            assert (await _asked(identd, query, "127.0.0.2")).endswith("ERROR : NO-USER")
            await guest.welcome()
            stage.close()
            assert (await _asked(identd, query, "127.0.0.1")).endswith("ERROR : NO-USER")
        finally:
            await identd.stop()


async def _asked(identd: Identd, query: str, of: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", identd.port, local_addr=(of, 0))
    writer.write(f"{query}\r\n".encode())
    answer = (await reader.read()).decode().strip()
    writer.close()
    return answer


# Proxies ------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def socks_proxy(through: int, reply: int = 0) -> AsyncIterator[tuple[Proxy, list[bytes]]]:
    """A proxy that leads to a port of this machine, whatever it was asked for; and what it was asked for."""
    wanted: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        assert version == 5 and writer.get_extra_info("peername")[0] == "127.0.0.1"
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        head = await reader.readexactly(5)
        wanted.append(head + await reader.readexactly((head[4] if head[3] == 3 else 3) + 2))
        writer.write(bytes([5, reply, 0, 1, 127, 0, 0, 1, 0, 0]))
        if reply:
            writer.close()
            return
        far, there = await asyncio.open_connection("127.0.0.1", through)
        await asyncio.gather(_pipe(reader, there), _pipe(far, writer))

    async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(4096):
                target.write(data)
        target.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Proxy("127.0.0.1", server.sockets[0].getsockname()[1]), wanted


async def test_through_a_proxy_which_looks_the_name_up(made: Certificate) -> None:
    async with ScriptedIrc(context(made)) as irc, socks_proxy(irc.port) as (proxy, wanted):
        url = f"socks5://127.0.0.1:{proxy.port}"
        async with playing(address="irc.test", ca=str(made.ca), proxy=url, bind="127.0.0.42") as stage:  # bind is for servers
            stage.join()
            await stage.welcome(irc)
            assert wanted == [b"\x05\x01\x00\x03\x08irc.test" + (6697).to_bytes(2, "big")]


async def test_a_proxy_that_refuses_is_told() -> None:
    async with (
        socks_proxy(1, reply=5) as (proxy, _),
        playing(address="irc.test", proxy=f"socks5://127.0.0.1:{proxy.port}") as stage,
    ):
        stage.join()
        assert "connection refused" in (await stage.refused()).text


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "::1", "localhost", "printer.local", "intranet", "x.internal", "127.1", "0x7f.0.0.0x1"],
)
async def test_a_proxy_leads_nobody_into_its_own_network(address: str) -> None:
    async with socks_proxy(1) as (proxy, wanted):
        keys: dict[str, Any] = {"proxy": f"socks5://127.0.0.1:{proxy.port}", "private_addresses": False}
        async with playing(listed=False, answers={"address": address}, **keys) as stage:
            stage.join()
            assert (await stage.refused()).condition == "not-allowed"
            assert wanted == []


# What else is set for a network -------------------------------------------------------------------------------------------


async def test_a_nick_that_is_taken_is_said_once_and_the_connection_waits_for_another() -> None:
    async with ScriptedIrc() as irc, playing(address="127.0.0.1", tls="off", ports=[irc.port]) as stage:
        link = stage.join()
        guest = await irc.guest()
        await guest.until("USER ")
        guest.write(":s 433 * ada :In use")
        await stage.refused()
        guest.write("PING :still", ":s CAP * LS :multi-prefix", "PING :there")
        await guest.until("PONG there")
        assert not link.over
        stage.session.do(Join(ROOM, "ada2", BY))
        await guest.until("NICK ada2")
        guest.nick = "ada2"
        guest.greet()
        await guest.until("JOIN #c")


async def test_a_users_own_nick_names_and_first_words() -> None:
    answers: dict[str, Value] = {
        "nick": "countess", "username": "al", "realname": "A L", "after_connect_commands": ("MODE countess +x",),
        "encoding_out": "iso-8859-1",
    }  # fmt: skip
    async with ScriptedIrc() as irc, playing(address="127.0.0.1", tls="off", ports=[irc.port], answers=answers) as stage:
        stage.join()
        guest = await stage.welcome(irc)
        assert guest.lines[1:3] == ["NICK countess", "USER al 0 * :A L"]
        assert guest.lines.index("MODE countess +x") < guest.lines.index("JOIN #c")


async def test_first_words_which_mostly_hold_a_password_are_not_said_without_tls(closed: int) -> None:
    keys: dict[str, Any] = {"address": "127.0.0.1", "tls": "prefer", "tls_ports": [closed]}
    answers: dict[str, Value] = {"after_connect_commands": ("PRIVMSG Q :AUTH me canary",)}
    async with ScriptedIrc() as irc, playing(ports=[irc.port], answers=answers, **keys) as stage:
        stage.join()
        guest = await stage.welcome(irc)
        assert not [line for line in guest.lines if "canary" in line]
        assert "not encrypted" in stage.out.of(Notice)[0].text


async def test_first_words_are_raw_lines_and_go_with_them() -> None:
    answers: dict[str, Value] = {"after_connect_commands": ("MODE ada +x",)}
    keys: dict[str, Any] = {"address": "127.0.0.1", "tls": "off", "raw": "off"}
    async with ScriptedIrc() as irc, playing(ports=[irc.port], answers=answers, **keys) as stage:
        stage.join()
        assert "MODE ada +x" not in (await stage.welcome(irc)).lines


async def test_a_policy_counts_from_the_end_of_a_connection_and_not_of_an_attempt(made: Certificate, closed: int) -> None:
    async with ScriptedIrc(context(made)) as irc:
        soon = int(time.time()) + 50
        keys: dict[str, Any] = {"address": "localhost", "ca": str(made.ca)}
        async with playing(tls_ports=[closed], **keys) as stage:
            stage.bridge.dialer.policies.load({"localhost": f"{closed} 1000 {soon}"})
            stage.join()
            await stage.refused()
            assert stage.bridge.dialer.policies.of("localhost", soon + 1) is None
        async with playing(tls_ports=[irc.port], **keys) as stage:
            stage.bridge.dialer.policies.load({"localhost": f"{irc.port} 1000 {soon}"})
            stage.join()
            await stage.welcome(irc)
            stage.close()
            assert stage.bridge.dialer.policies.of("localhost", soon + 900) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
async def test_a_users_address_passes_the_guard(address: str) -> None:
    async with playing(listed=False, answers={"address": address}, private_addresses=False) as stage:
        stage.join()
        assert (await stage.refused()).condition == "not-allowed"
