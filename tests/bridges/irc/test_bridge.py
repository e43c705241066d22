"""Whose connection goes where, how many there may be, how fast they are opened, and what addresses mean to the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.bridges.irc.scene import BY
from tests.far import Nobody
from transports.bridges.irc.bridge import IrcBridge
from transports.bridges.irc.connections import IrcSession
from transports.bridges.irc.gates import GATES, Gate
from transports.config_models import Irc
from transports.errors import LegacyError
from transports.events import (
    Address,
    Down,
    Fact,
    Failed,
    Invite,
    Join,
    Leave,
    Refused,
    Rename,
    RequestVoice,
    Say,
    SetSubject,
)

NOWHERE = {"address": "127.0.0.1", "ports": [1], "tls": "off"}


class Out:
    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def tell(self, fact: Fact) -> None:
        self.facts.append(fact)


def made(**changes: Any) -> IrcBridge:
    networks = {f"n{number}.test": NOWHERE for number in range(9)}
    return IrcBridge(Irc.model_validate({"domain": "irc.example.org", "networks": networks, **changes}), b"k" * 16, Nobody())


@pytest_asyncio.fixture(loop_scope="session")
async def session() -> AsyncIterator[tuple[IrcSession, Out]]:
    """A session whose connections wait for their turn for ever."""
    out = Out()
    opened = made(connect_rate=[1, 0.001], limits={"networks": 2, "channels": 3}).open("ada@example.org", out)
    for _ in range(2):
        opened.bridge.gates.connecting(opened.bridge.settings.network("n0.test")).reserve()
    yield opened, out
    opened.close("")
    assert opened.idle and not opened.bridge.links


def room(channel: str, network: int = 0) -> Address:
    return Address("room", f"{channel}%n{network}.test")


async def test_networks_and_channels_have_a_limit(session: tuple[IrcSession, Out]) -> None:
    ada, out = session
    for channel in ("#1", "#2", "#3", "#4", "#1"):
        ada.do(Join(room(channel), "ada", BY))
    (refused,) = out.facts
    assert isinstance(refused, Refused) and refused.room == room("#4")
    assert refused.error.condition == "resource-constraint" and "3 channels" in refused.error.text
    ada.do(Leave(room("#1")))
    ada.do(Join(room("#4"), "ada", BY))
    ada.do(Join(room("#1", 1), "ada", BY))
    assert len(out.facts) == 1 and len(ada.links) == 2
    ada.do(Join(room("#1", 2), "ada", BY))
    assert len(out.facts) == 2 and "2 IRC networks" in str(out.facts[-1])


async def test_words_before_the_connection_wait_and_fail_with_it(session: tuple[IrcSession, Out]) -> None:
    ada, out = session
    ada.do(Join(room("#1"), "ada", BY))
    ada.do(Say(Address("person", "bob%n0.test"), "", "psst", BY, "1"))
    assert out.facts == []
    ada.close("enough")
    (failed,) = out.facts
    assert isinstance(failed, Failed) and failed.of.id == "1"


@pytest.mark.parametrize(
    "command",
    [
        Say(Address("person", "bob%n0.test"), "", "psst", BY, "1"),
        SetSubject(room("#1"), "x", BY, "1"),
        Rename(room("#1"), "eva", BY, "1"),
    ],
)
async def test_without_a_connection_there_is_nobody_to_tell(
    session: tuple[IrcSession, Out], command: Say | SetSubject | Rename
) -> None:
    ada, out = session
    ada.do(command)
    (failed,) = out.facts
    assert isinstance(failed, Failed) and failed.error.condition == "recipient-unavailable"
    ada.do(Leave(room("#1")))
    assert len(out.facts) == 1


def test_nobody_is_refused_at_the_gate_but_waits() -> None:
    now = [0.0]
    gate = Gate(2, 1.0, lambda: now[0])
    assert [gate.reserve() for _ in range(5)] == [0, 0, 1, 2, 3]
    now[0] = 10.0
    assert [gate.reserve() for _ in range(3)] == [0, 0, 1]
    assert [Gate(1, 0, lambda: now[0]).reserve() for _ in range(3)] == [0, 0, 0]


async def test_many_names_do_not_make_a_gate_forget_who_waits_at_it() -> None:
    bridge = made(connect_rate=[2, 0.001])
    used = bridge.gates.connecting(bridge.settings.network("n0.test"))
    assert [used.reserve() for _ in range(2)] == [0, 0]
    for number in range(3 * GATES):
        bridge.gates.connecting(bridge.settings.network(f"other{number}.test"))
    assert len(bridge.gates) <= GATES + 1
    assert bridge.gates.connecting(bridge.settings.network("n0.test")) is used and used.reserve() > 0


def test_a_gate_is_full_again_after_its_time() -> None:
    now = [0.0]
    gate = Gate(2, 1.0, lambda: now[0])
    assert gate.full
    gate.reserve()
    assert not gate.full
    now[0] = 1.0
    assert gate.full and Gate(1, 0, lambda: now[0]).full


@pytest.mark.parametrize(
    ("name", "kind", "can"),
    [
        ("#c%n0.test", "room", {Invite, Join, Leave, Rename, RequestVoice, Say, SetSubject}),
        ("bob%n0.test", "person", {Say}),
        ("n0.test", "server", set()),
        ("", "service", set()),
    ],
)
def test_what_an_address_is_and_can(name: str, kind: str, can: set[type]) -> None:
    bridge = made()
    address = bridge.address(name)
    assert (address.kind, bridge.can(address)) == (kind, can)
    assert bridge.identity(address).name


def test_a_person_of_a_room_is_a_person_of_its_network() -> None:
    assert made().person(room("#c"), "Bob[1]") == Address("person", "bob[1]%n0.test")
    assert made(server="n0.test").person(Address("room", "#c"), "Bob") == Address("person", "bob")


def test_a_channel_without_a_network_says_what_is_missing() -> None:
    with pytest.raises(LegacyError, match="Which server"):
        made().address("#c")


class Asking:
    """A call whose person always picks the last option."""

    user, by, role, language = "ada@example.org", "ada@example.org/desk", "user", ""

    def __init__(self, at: str = "", of: IrcSession | None = None) -> None:
        self.session = lambda: of
        self.at = Address("server", at) if at else Address("service", "")
        self.forms: list[Any] = []

    async def ask(self, form: Any, wrong: Any = None) -> dict[str, str]:
        self.forms.append(form)
        return {field.var: list(field.options)[-1] for field in form.fields}


async def test_the_networks_one_is_on_are_listed_and_can_be_left(session: tuple[IrcSession, Out]) -> None:
    ada, out = session
    commands = {command.node: command for command in ada.bridge.describe(ada.user).commands}
    networks, disconnect = commands["networks"], commands["disconnect"]
    assert "join a channel" in (await networks.run(Asking())).text  # type: ignore[arg-type]
    for number in range(2):
        ada.do(Join(room("#1", number), "ada", BY))
    table = (await networks.run(Asking())).table  # type: ignore[arg-type]
    assert table is not None and [row[0] for row in table.rows] == ["n0.test", "n1.test"]
    call = Asking(of=ada)
    assert "n1.test" in (await disconnect.run(call)).text  # type: ignore[arg-type]
    assert len(call.forms) == 1 and list(ada.links) == ["n0.test"]
    *_, refused, down = out.facts
    assert isinstance(refused, Refused) and refused.room == room("#1", 1) and down == Down(Address("server", "n1.test"))
    with pytest.raises(LegacyError, match="item-not-found"):
        await disconnect.run(Asking("n1.test", ada))  # type: ignore[arg-type]
    await disconnect.run(Asking("n0.test", ada))  # type: ignore[arg-type]
    assert ada.idle


@pytest.mark.parametrize("text", ["bob", "", "n0"])
def test_a_contact_without_its_network_is_asked_for_it(text: str) -> None:
    with pytest.raises(LegacyError, match="item-not-found"):
        made().contact("ada@example.org", text)


def test_a_real_name_is_one_line() -> None:
    field = next(field for field in made().describe("ada@example.org").preferences if field.var == "realname")
    assert field.check is not None and field.check(" Ada \n Lovelace ") == "Ada Lovelace"
    for text in ("x" * 101, "a\x02b", "é" * 60):
        with pytest.raises(ValueError, match="one line"):
            field.check(text)
