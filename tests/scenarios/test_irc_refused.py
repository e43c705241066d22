"""Joins that come to nothing: a presence error with the right condition and words, to who asked, from what was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.ircd import Ircd
from lab.process import folder, free_ports
from lab.scripted_irc import SERVER, ScriptedIrc
from lab.xmpp import NS, Client, Stanza, codes, condition
from tests.scenarios.irc import House, Scene, client, nick, room, words

FAR = "test.localhost"


async def refused(who: Client, occupant: str, password: str = "") -> Stanza:
    """The error that a join brings; nothing else comes."""
    key = f"<password>{password}</password>" if password else ""
    await who.send(f"<presence to='{occupant}' id='join-7'><x xmlns='{NS['muc']}'>{key}</x></presence>")
    error = await who.until(
        lambda stanza: stanza.get("from", "").partition("/")[0] == occupant.partition("/")[0].lower(), 15
    )
    assert (error.tag.rpartition("}")[2], error.get("type")) == ("presence", "error")
    assert (error.get("from"), error.get("to"), error.get("id")) == (occupant, who.jid, "join-7")
    assert len(words(error)) > 15
    return error


def from_(address: str) -> Callable[[Stanza], bool]:
    return lambda stanza: stanza.get("from") == address


# By the channel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("+b alice!*@*", "forbidden"),
        ("+i", "registration-required"),
        ("+l 1", "service-unavailable"),
        ("+k key", "not-authorized"),
    ],
)
async def test_a_channel_that_is_closed(scene: Scene, mode: str, wanted: str) -> None:
    await scene.eve.send(f"MODE {scene.channel} {mode}")
    await scene.eve.barrier()
    assert condition(await refused(scene.alice, f"{scene.room}/alice")) == wanted
    await scene.eve.send(f"MODE {scene.channel} {mode.replace('+', '-') if mode != '+l 1' else '-l'}")
    await scene.eve.barrier()
    await scene.enter(scene.alice)


async def test_the_key_of_a_channel_is_the_password_of_the_room(scene: Scene) -> None:
    await scene.eve.send(f"MODE {scene.channel} +k sesame")
    await scene.eve.barrier()
    assert condition(await refused(scene.alice, f"{scene.room}/alice", "barley")) == "not-authorized"
    assert condition(await refused(scene.alice, f"{scene.room}/alice", "two words")) == "not-acceptable"
    stanzas = await scene.alice.join(scene.room, "alice", "sesame")
    assert codes(stanzas[-2]) == {100, 110, 170}
    # who is in does not need it again
    assert codes((await scene.phone.join(scene.room, "alice"))[-2]) == {100, 110, 170}


async def test_a_channel_for_those_with_tls(house: House, scene: Scene) -> None:
    if house.ircd.name != "inspircd":
        pytest.skip("ngIRCd has such channels only where the operator makes them")
    async with AsyncExitStack() as stack:
        secure = await stack.enter_async_context(_secure(house))
        await secure.join("#secure")
        await secure.send("MODE #secure +z")
        await secure.barrier()
        assert condition(await refused(scene.alice, f"{room('#secure')}/alice")) == "not-allowed"


@asynccontextmanager
async def _secure(house: House):  # type: ignore[no-untyped-def]
    from lab.irc import Person

    context = house.ircd.certificate.client()
    async with Person(house.ircd.host, house.ircd.tls_port, "secure", context) as person:
        yield person


@pytest.mark.parametrize(
    ("channel", "conditions"),
    [
        ("#" + "x" * 70, {"item-not-found"}),
        ("!c", {"item-not-found", "jid-malformed"}),
        ("#a,b", {"jid-malformed"}),
    ],
)
async def test_a_name_that_no_channel_has(scene: Scene, channel: str, conditions: set[str]) -> None:
    assert condition(await refused(scene.alice, f"{room(channel)}/alice")) in conditions


async def test_a_channel_that_the_server_forbids(house: House, scene: Scene) -> None:
    if house.ircd.name != "inspircd":
        pytest.skip("ngIRCd forbids no names")
    assert condition(await refused(scene.alice, f"{room('#forbidden')}/alice")) == "forbidden"


# By the nick ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"), [("eve", "conflict"), ("1st", "not-acceptable"), ("two words", "not-acceptable")]
)
async def test_a_nick_that_cannot_be_had_and_another_that_can(house: House, wanted: str, expected: str) -> None:
    place = room("#nicks")
    async with client(house.server, "carol") as carol:
        assert condition(await refused(carol, f"{place}/{wanted}")) == expected
        stanzas = await carol.join(place, "carol")
        assert [nick(stanza) for stanza in stanzas if 110 in codes(stanza)] == ["carol"]
        assert 210 not in codes(stanzas[-2])
        await carol.leave(place, "carol")
        # the last channel is left: the connection ends, and the next starts anew
        await house.gone("carol")


async def test_a_nick_conflict_is_told_to_every_client_that_waits(house: House) -> None:
    async with client(house.server, "dave") as desk, client(house.server, "dave", "phone") as phone:
        for who, channel in ((desk, "#one"), (phone, "#two")):
            await who.send(f"<presence to='{room(channel)}/eve'><x xmlns='{NS['muc']}'/></presence>")
        for who, channel in ((desk, "#one"), (phone, "#two")):
            assert condition(await who.until(from_(f"{room(channel)}/eve"))) == "conflict"
        stanzas = await phone.join(room("#two"), "dave")
        assert codes(stanzas[-2]) == {100, 110, 170}
        assert desk.waiting(lambda stanza: stanza.get("from", "").endswith("@irc.localhost")) == []


# By the network -------------------------------------------------------------------------------------------------------


class Far:
    """A gateway on networks that do not work, and dave."""

    def __init__(self, dave: Client, scripted: ScriptedIrc) -> None:
        self.dave = dave
        self.scripted = scripted


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def far(server: XmppServer, inspircd: Ircd) -> AsyncIterator[Far]:
    (closed,) = free_ports(1)
    here = {"address": "127.0.0.1"}
    async with AsyncExitStack() as stack:
        scripted = await stack.enter_async_context(ScriptedIrc())
        plain = {**here, "ports": [scripted.port], "tls": "off"}
        networks = {
            "closed.test": {**here, "ports": [closed], "tls": "off"},
            "untrusted.test": {**here, "tls_ports": [inspircd.tls_port]},
            "misnamed.test": {"address": "127.0.0.1", "tls_ports": [inspircd.tls_port], "pin": "00" * 32},
            "plain.test": {**here, "tls_ports": [scripted.port]},
            "sasl.test": {**plain, "sasl_user": "gateway", "sasl_password": "wrong"},
            "password.test": {**plain, "password": "wrong"},
            "full.test": plain,
        }
        tables = settings(server, domain=FAR, changes={"irc": {"networks": networks}})
        path = stack.enter_context(folder("transports-test-"))
        await stack.enter_async_context(Gateway(path, tables))
        dave = await stack.enter_async_context(client(server, "dave", "far"))
        yield Far(dave, scripted)


@pytest.mark.parametrize(
    ("network", "expected", "said"),
    [
        ("no-such-host.invalid", "remote-server-not-found", "no-such-host.invalid"),
        ("127.0.0.1", "not-allowed", "private"),
        ("10.0.0.1", "not-allowed", "private"),
        ("closed.test", "remote-server-timeout", "cannot be reached"),
        ("untrusted.test", "policy-violation", "certificate"),
        ("misnamed.test", "policy-violation", "certificate"),
    ],
)
async def test_a_network_that_cannot_be_had(far: Far, network: str, expected: str, said: str) -> None:
    error = await refused(far.dave, f"{room('#c', network, FAR)}/dave")
    assert condition(error) == expected and said in words(error)
    await far.dave.barrier()
    assert far.dave.waiting("message") == []


@pytest.mark.parametrize("local", ["#c", "#c%", "#c%bad..name", "#c%two words", "%irc.test"])
async def test_an_address_that_is_no_channel_of_a_network(far: Far, local: str) -> None:
    occupant = f"{local.replace(' ', chr(92) + '20')}@{FAR}/dave"
    assert condition(await refused(far.dave, occupant)) == "jid-malformed"


@pytest.mark.parametrize(
    ("network", "replies", "expected"),
    [
        ("sasl.test", [":s CAP * LS :multi-prefix"], "not-authorized"),
        ("sasl.test", [":s CAP * LS :sasl=EXTERNAL"], "not-authorized"),
        (
            "sasl.test",
            [":s CAP * LS :sasl=PLAIN", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 904 * :SASL failed"],
            "not-authorized",
        ),
        (  # a server that does not name its mechanisms is tried with each
            "sasl.test",
            [":s CAP * LS :sasl", ":s CAP * ACK :sasl", *["AUTHENTICATE +", ":s 904 * :SASL failed"] * 2],
            "not-authorized",
        ),
        ("sasl.test", [":s CAP * LS :sasl", ":s CAP * NAK :sasl"], "not-authorized"),
        ("sasl.test", [":s 421 * CAP :Unknown command", ":s 001 dave :Welcome"], "not-authorized"),
        ("password.test", [":s 464 * :Password incorrect"], "not-authorized"),
        ("full.test", [":s 465 * :You are banned"], "forbidden"),
        ("full.test", ["ERROR :Closing Link: throttled: too many connections, try again"], "resource-constraint"),
        ("full.test", ["ERROR :Closing Link: K-Lined"], "forbidden"),
        ("full.test", ["ERROR :No room"], "service-unavailable"),
        ("full.test", [b"\x16\x03\x01 garbage \xff\xfe", b"ERROR"], "service-unavailable"),
    ],
)
async def test_a_network_that_does_not_take_us(
    far: Far, network: str, replies: list[str | bytes], expected: str
) -> None:
    place = f"{room('#c', network, FAR)}/dave"
    await far.dave.send(f"<presence to='{place}' id='join-7'><x xmlns='{NS['muc']}'/></presence>")
    guest = await far.scripted.guest()
    await guest.until("USER")
    guest.write(*replies)
    error = await far.dave.until(from_(place))
    assert (condition(error), error.get("type"), error.get("id")) == (expected, "error", "join-7") and words(error)
    assert not [line for line in guest.lines if "wrong" in line and not line.startswith("PASS")]


async def test_a_network_that_hangs_up(far: Far) -> None:
    place = f"{room('#c', 'full.test', FAR)}/dave"
    await far.dave.send(f"<presence to='{place}'><x xmlns='{NS['muc']}'/></presence>")
    guest = await far.scripted.guest()
    await guest.until("USER")
    await guest.close()
    assert condition(await far.dave.until(from_(place))) == "remote-server-timeout"


async def test_a_network_that_speaks_no_tls(far: Far) -> None:
    place = f"{room('#c', 'plain.test', FAR)}/dave"
    await far.dave.send(f"<presence to='{place}'><x xmlns='{NS['muc']}'/></presence>")
    guest = await far.scripted.guest()
    guest.write(f":{SERVER} NOTICE * :*** Looking up your hostname")
    error = await far.dave.until(from_(place))
    assert condition(error) == "policy-violation" and "encrypt" in words(error)
