"""Which addresses users may reach, and what a slow or generous name server costs the others."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.bridges.irc.scene import BY
from tests.far import Nobody
from transports import resolve
from transports.bridges.irc.bridge import IrcBridge
from transports.config_models import Irc
from transports.errors import LegacyError
from transports.events import Address, Fact, Join, Refused
from transports.resolve import ADDRESSES, AT_ONCE, Resolver, is_inside, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.8",
        "192.88.99.1",
        "168.63.129.16",
        "100.100.100.200",
        "3fff::1",
        "198.18.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_users_may_not_reach(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "::ffff:8.8.8.8", "2a00:1450:4001::1", "2600::1", "2001:4860:4860::8888"]
)
def test_addresses_that_users_may_reach(address: str) -> None:
    assert is_public(address)


INSIDE = "127.0.0.1 ::1 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 fd00::1 ::ffff:10.0.0.1"
NOWHERE = (
    "169.254.169.254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 fe80::1 fe80::1%eth0 fd00:ec2::254 "
    "100.100.100.200 0.0.0.0 :: 224.0.0.1 ff02::1 240.0.0.1 255.255.255.255 fec0::1 2001:db8::1 8.8.8.8"
)


@pytest.mark.parametrize(("address", "inside"), [*((a, True) for a in INSIDE.split()), *((a, False) for a in NOWHERE.split())])
def test_addresses_within_that_the_operator_may_send_us_to(address: str, inside: bool) -> None:
    assert is_inside(address) is inside


class Names:
    """A name server: what it was asked, and the answers that are held back."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held: list[asyncio.Future[Any]] = []

    async def getaddrinfo(self, host: str, port: object, **options: Any) -> Any:
        self.asked.append(host)
        if host == "many.test":
            return [(socket.AF_INET, 1, 6, "", (f"192.0.2.{n}", 0)) for n in range(100)]
        if host == "none.test":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if host == "odd.test":
            raise UnicodeError("label too long")
        self.held.append(asyncio.get_running_loop().create_future())
        return await self.held[-1]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", made.getaddrinfo)
    return made


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
async def test_an_address_is_not_looked_up(names: Names, host: str) -> None:
    assert await Resolver().addresses("ada", host) == [host]
    assert names.asked == []


async def test_of_many_addresses_a_few_are_tried(names: Names) -> None:
    assert await Resolver().addresses("ada", "many.test") == [f"192.0.2.{n}" for n in range(ADDRESSES)]


@pytest.mark.parametrize("host", ["none.test", "odd.test"])
async def test_a_name_that_nobody_has_is_not_found(names: Names, host: str) -> None:
    with pytest.raises(LegacyError, match="no server called") as caught:
        await Resolver().addresses("ada", host)
    assert caught.value.condition == "remote-server-not-found"


async def test_a_user_looks_up_one_name_at_a_time_and_all_together_a_few(names: Names) -> None:
    resolver = Resolver()
    tasks = [asyncio.ensure_future(resolver.addresses("ada", f"a{n}.test")) for n in range(5)]
    await turns()
    assert names.asked == ["a0.test"]
    tasks += [asyncio.ensure_future(resolver.addresses(f"user{n}", f"u{n}.test")) for n in range(5)]
    await turns()
    assert len(names.asked) == AT_ONCE
    for task in tasks[1:5]:
        task.cancel()
    names.held[0].set_result([])
    await turns()
    assert len(names.asked) == AT_ONCE + 1
    for task in tasks:
        task.cancel()
    for held in names.held:
        held.cancel()
    await turns()
    assert await resolver.addresses("ada", "many.test")


async def test_a_slow_name_is_given_up_but_keeps_its_place_until_it_ends(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "LOOKUP_WITHIN", 0.01)
    monkeypatch.setattr(resolve, "TURN_WITHIN", 0.01)
    resolver = Resolver()
    with pytest.raises(LegacyError) as slow:
        await resolver.addresses("ada", "slow.test")
    with pytest.raises(LegacyError) as waiting:
        await resolver.addresses("ada", "many.test")
    assert (slow.value.condition, waiting.value.condition) == ("remote-server-timeout", "resource-constraint")
    assert names.asked == ["slow.test"]
    names.held[0].set_exception(OSError("at last"))
    await turns()
    assert await resolver.addresses("ada", "many.test")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_a_server_of_the_operators_own_network_is_refused(host: str) -> None:
    facts: list[Fact] = []
    told = asyncio.Event()

    class Out:
        def tell(self, fact: Fact) -> None:
            facts.append(fact)
            told.set()

    bridge = IrcBridge(Irc.model_validate({"domain": "irc.example.org", "connect_rate": 0}), b"k" * 16, Nobody())
    bridge.open("ada@example.org", Out()).do(Join(Address("room", f"#c%{host}"), "ada", BY))
    await asyncio.wait_for(told.wait(), 10)
    assert isinstance(facts[0], Refused) and facts[0].error.condition == "not-allowed"
