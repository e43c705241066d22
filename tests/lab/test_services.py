"""IRC services of the lab: accounts, the three ways of SASL that they have, nicks and channels that belong to somebody."""

from __future__ import annotations

import base64
import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.atheme import Atheme
from lab.irc import Person
from lab.ircd import Inspircd
from lab.process import LabError

_names = itertools.count(1)


@pytest.fixture
def name() -> str:
    """An account of the test's own."""
    return f"owner{next(_names)}"


@asynccontextmanager
async def logged_in(
    ircd: Inspircd, nick: str, mechanism: str, *answers: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Person]:
    """Somebody who goes through SASL before the server lets them in; `answers` are sent as base64 (RFC 4648)."""
    async with Person(ircd.host, ircd.tls_port if tls else ircd.port, nick, tls, caps=["sasl"]) as person:
        await person.send(f"AUTHENTICATE {mechanism}")
        for answer in answers:
            await person.until("AUTHENTICATE")
            await person.send(f"AUTHENTICATE {base64.b64encode(answer.encode()).decode() or '+'}")
        await person.until(lambda line: line.command in {"903", "904"})
        yield person


async def test_an_account_logs_in_with_plain(services: Atheme, full_inspircd: Inspircd, name: str) -> None:
    await services.account(name, "secret")
    async with logged_in(full_inspircd, f"{name}-", "PLAIN", f"\0{name}\0secret") as person:
        assert [line.params[2] for line in person.lines if line.command == "900"] == [name]


async def test_a_wrong_password_is_refused(services: Atheme, full_inspircd: Inspircd, name: str) -> None:
    await services.account(name, "secret")
    async with logged_in(full_inspircd, f"{name}-", "PLAIN", f"\0{name}\0guess") as person:
        assert not [line for line in person.lines if line.command == "900"]
        assert [line for line in person.lines if line.command == "904"]


async def test_a_certificate_logs_in_with_external(services: Atheme, full_inspircd: Inspircd, name: str) -> None:
    tls = full_inspircd.certificate.client()
    tls.load_cert_chain(full_inspircd.certificate.cert, full_inspircd.certificate.key)
    await services.account(name, "secret")
    async with Person(full_inspircd.host, full_inspircd.tls_port, f"{name}-", tls) as person:
        await services.tell(person, "NickServ", f"IDENTIFY {name} secret")
        assert any("Added fingerprint" in line for line in await services.tell(person, "NickServ", "CERT ADD"))
    async with logged_in(full_inspircd, f"{name}-", "EXTERNAL", "", tls=tls) as person:
        # Atheme says it a second time when it finds the certificate at the account by itself.
        assert {line.params[2] for line in person.lines if line.command == "900"} == {name}
        assert [line for line in person.lines if line.command == "903"]


async def test_the_server_names_the_ways_of_sasl(services: Atheme, full_inspircd: Inspircd) -> None:
    async with Person(full_inspircd.host, full_inspircd.port, "asks") as person:
        await person.send("CAP LS 302")
        offered = (await person.until("CAP")).text.split()
    assert "sasl=PLAIN,EXTERNAL,ECDSA-NIST256P-CHALLENGE" in offered


async def test_a_nick_is_regained_from_who_has_taken_it(services: Atheme, full_inspircd: Inspircd, name: str) -> None:
    await services.account(name, "secret")
    async with (
        Person(full_inspircd.host, full_inspircd.port, name) as thief,
        Person(full_inspircd.host, full_inspircd.port, f"{name}-") as owner,
    ):
        await owner.send(f"PRIVMSG NickServ :REGAIN {name} secret")
        await owner.until(lambda line: line.command == "NICK" and line.text == name)
        await thief.until(lambda line: line.command in {"NICK", "ERROR"})


async def test_a_channel_gives_its_owner_operator_status(
    services: Atheme, full_inspircd: Inspircd, name: str
) -> None:
    await services.account(name, "secret")
    async with Person(full_inspircd.host, full_inspircd.port, f"{name}-") as owner:
        await owner.join(f"#{name}")
        await services.tell(owner, "NickServ", f"IDENTIFY {name} secret")
        assert any("is now registered" in said for said in await services.tell(owner, "ChanServ", f"REGISTER #{name}"))
        await owner.send(f"MODE #{name} -o {owner.nick}")
        await owner.barrier()
        owner.forget()
        await services.tell(owner, "ChanServ", f"OP #{name}")
        assert [line.params for line in owner.waiting("MODE")] == [[f"#{name}", "+o", owner.nick]]


async def test_services_need_a_link(directory: Path) -> None:
    with pytest.raises(LabError, match="full=True"):
        Atheme(directory, Inspircd(directory))


async def test_a_policy_of_transport_security_names_the_tls_port(directory: Path) -> None:
    async with Inspircd(directory, full=True, sts=True) as ircd, Person(ircd.host, ircd.port, "asks") as person:
        await person.send("CAP LS 302")
        assert f"sts=port={ircd.tls_port}" in (await person.until("CAP")).text.split()
