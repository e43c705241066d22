"""How a connection to IRC is made and who it is there: real servers with accounts, TLS, policies, WEBIRC and ident."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from lab.atheme import Atheme
from lab.domain import XmppServer
from lab.gateway import Gateway, Value, settings
from lab.irc import Line, Person
from lab.ircd import Inspircd, Ircd, Ngircd
from lab.ircd_full import WEBIRC_PASSWORD
from lab.process import folder, free_ports
from lab.xmpp import Client, condition, text
from tests.scenarios.irc import client, room, words
from tests.scenarios.test_commands import chat, command, execute

_names = itertools.count(1)


@pytest.fixture
def name() -> str:
    """An account, a nick and a channel of the test's own."""
    return f"way{next(_names)}"


@asynccontextmanager
async def alice(server: XmppServer, ircd: Ircd, **network: Value) -> AsyncIterator[Client]:
    """Somebody at a gateway of her own, which reaches the IRC server over TLS or as `network` says."""
    tables = settings(server, ircd, tls=not network)
    reached: Any = tables["irc"]["networks"]
    reached[ircd.server_name] |= network
    with folder("transports-test-") as path:
        async with Gateway(path, tables), client(server, "alice") as person:
            yield person


async def configure(person: Client, network: str, **answers: str) -> None:
    """Fill in the network's form; fields that are not named keep what they have."""
    asked = command(await execute(person, "configure", network))
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in answers.items())
    form = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
    done = command(await execute(person, "configure", network, asked.get("sessionid", ""), form))
    assert done.get("status") == "completed", "".join(done.itertext())


async def whois(ircd: Ircd, nick: str) -> dict[str, Line]:
    """What the server says of somebody, by numeric."""
    async with Person(ircd.host, ircd.port, "looks") as person:
        await person.send(f"WHOIS {nick}")
        await person.until("318")
        return {line.command: line for line in person.lines}


async def test_an_account_is_logged_in_with_its_password(
    server: XmppServer, services: Atheme, full_inspircd: Inspircd, name: str
) -> None:
    await services.account(name, "s3cret")
    network = room("", "full.test")
    async with alice(server, full_inspircd) as person:
        await configure(person, network, sasl_user=name, sasl_password="s3cret")
        await person.join(room(f"#{name}", "full.test"), f"{name}-")
        assert (await whois(full_inspircd, f"{name}-"))["330"].params[2] == name


async def test_a_wrong_password_is_told_and_connects_nobody(
    prosody: XmppServer, services: Atheme, full_inspircd: Inspircd, name: str
) -> None:
    await services.account(name, "s3cret")
    network = room("", "full.test")
    async with alice(prosody, full_inspircd) as person:
        await configure(person, network, sasl_user=name, sasl_password="guess")
        error = (await person.join(room(f"#{name}", "full.test"), f"{name}-"))[-1]
        assert condition(error) == "not-authorized" and "password is wrong" in words(error)
        assert "401" in await whois(full_inspircd, f"{name}-")
        await configure(person, network, require_sasl="0")
        await person.join(room(f"#{name}", "full.test"), f"{name}-")
        told = await person.until(lambda s: s.tag.endswith("}message") and "not logged in" in (text(s) or ""), 10)
        assert told.get("from") == network


async def test_a_certificate_logs_in_once_the_account_knows_it(
    prosody: XmppServer, services: Atheme, full_inspircd: Inspircd, name: str
) -> None:
    await services.account(name, "s3cret")
    network = room("", "full.test")
    async with alice(prosody, full_inspircd) as person:
        await chat(person, "certificate", network)
        shown = await chat(person, "show", network)
        (print_,) = {word.strip(".,:") for word in shown.split() if len(word.strip(".,:")) == 64}
        await person.join(room(f"#{name}", "full.test"), f"{name}-")  # with a certificate that is not known yet
        await chat(person, "disconnect", network)
        said = await services.ask(name, "s3cret", "NickServ", f"CERT ADD {print_}")
        assert any("Added fingerprint" in line for line in said), said
        await person.join(room(f"#{name}", "full.test"), f"{name}-")
        found = await whois(full_inspircd, f"{name}-")
        assert found["330"].params[2] == name


async def test_a_certificate_that_nobody_vouches_for_is_trusted_by_its_fingerprint(
    prosody: XmppServer, full_inspircd: Inspircd, name: str
) -> None:
    tables = settings(prosody, changes={"irc": {"private_addresses": True}})
    network = room("", "full.test")
    with folder("transports-test-") as path:
        async with Gateway(path, tables), client(prosody, "alice") as person:
            await configure(person, network, address="127.0.0.1", tls_ports=str(full_inspircd.tls_port))
            error = (await person.join(room(f"#{name}", "full.test"), name))[-1]
            (print_,) = {word.strip(".,") for word in words(error).split() if len(word.strip(".,")) == 64}
            await configure(person, network, fingerprint=print_)
            await person.join(room(f"#{name}", "full.test"), name)
            assert "671" in await whois(full_inspircd, name)  # over TLS


async def test_a_server_that_wants_tls_is_met_with_it(prosody: XmppServer, directory: Path, name: str) -> None:
    async with Inspircd(directory, full=True, sts=True, server_name="sts.test") as ircd:
        (closed,) = free_ports(1)
        reached: dict[str, Value] = {
            "address": "localhost", "ports": [ircd.port], "tls": "prefer", "tls_ports": [closed], "ca": str(ircd.ca),
        }  # fmt: skip
        async with alice(prosody, ircd, **reached) as person:
            await person.join(room(f"#{name}", "sts.test"), name)
            assert "671" in await whois(ircd, name)


async def test_a_network_that_knows_the_gateway_sees_its_users_apart(
    prosody: XmppServer, full_inspircd: Inspircd, name: str
) -> None:
    reached: dict[str, Value] = {"webirc": WEBIRC_PASSWORD}
    async with alice(prosody, full_inspircd, **reached) as person, client(prosody, "bob") as bob:
        await person.join(room(f"#{name}", "full.test"), name)
        await bob.join(room(f"#{name}", "full.test"), f"{name}b")
        hosts = [(await whois(full_inspircd, nick))["311"].params[2:4] for nick in (name, f"{name}b")]
        addresses = {IPv6Address(host) for _, host in hosts}  # this server takes the address for the host it could not look up
        assert len(addresses) == 2 and all(address in IPv6Network("fd00::/8") for address in addresses)


class AskingNgircd(Ngircd):
    """An ngIRCd that asks identd whose a connection is; it does so only where it looks names up, too."""

    def configuration(self) -> str:
        return super().configuration().replace("Ident = no", "Ident = yes").replace("DNS = no", "DNS = yes")


def _may_listen(address: str) -> bool:
    with closing(socket.socket()) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((address, 113))
        except OSError:
            return False
    return True


async def test_a_server_that_asks_identd_hears_who_it_is(prosody: XmppServer, directory: Path, name: str) -> None:
    address = f"127.113.{next(_names)}.7"  # an identd of the test's own: servers ask where the connection comes from
    if not _may_listen(address):
        pytest.skip("port 113 is root's")
    async with AskingNgircd(directory) as ircd:
        tables = settings(prosody, ircd, changes={"irc": {"identd": f"{address}:113", "bind": address}})
        async with Gateway(directory / "gateway", tables), client(prosody, "alice") as person:
            await person.join(room(f"#{name}"), name)
            user = (await whois(ircd, name))["311"].params[2]
            assert user.startswith("x") and len(user) == 10  # without the ~ of those who could not be asked
