"""What people set and command: what is kept of a form, what reaches the server, and that nobody acts for anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from lab.scripted_irc import Guest, ScriptedIrc
from tests.bridges.irc.caller import ADA, SERVER, SERVICE, Caller
from tests.bridges.irc.scene import BY, ME, ROOM
from tests.bridges.irc.test_wire import Out, until
from tests.far import Nobody
from transports.bridges.irc import ignoring
from transports.bridges.irc.bridge import IrcBridge
from transports.bridges.irc.connections import default_nick
from transports.bridges.irc.wire import Link
from transports.config_models import Irc
from transports.describe import Wrong
from transports.errors import LegacyError
from transports.events import Address, Invited, Join, Leave, Notice, Said
from transports.options import Options

EVE = "eve@example.org"
CANARY = "canary-3d1f"


class Stage:
    """A bridge with `irc.test`, which the operator lists, and ada who may give commands."""

    def __init__(self, port: int, **irc: Any) -> None:
        network = {"address": "127.0.0.1", "ports": [port], "tls": "off", "throttle": 0, **irc.pop("network", {})}
        given = {"domain": "irc.example.org", "networks": {"irc.test": network}, "connect_rate": 0, **irc}
        self.options = Options()
        self.bridge = IrcBridge(Irc.model_validate(given), b"k" * 16, Nobody(), self.options)
        self.out = Out()
        self.ada = Caller(self.bridge)
        self.ada.outlet = self.out
        self.session = self.bridge.open(ADA, self.out)

    def at(self, place: Address, role: Any = "user", user: str = ADA) -> Caller:
        caller = Caller(self.bridge, place, role, user)
        caller.outlet = self.out
        return caller

    def set(self, place: Address = SERVER) -> dict[str, Any]:
        return dict(self.options.of(ADA, place))


@pytest_asyncio.fixture(loop_scope="session")
async def stage(irc: ScriptedIrc) -> AsyncIterator[Stage]:
    made = Stage(irc.port)
    yield made
    made.session.close("")


async def connected(stage: Stage, irc: ScriptedIrc) -> tuple[Link, Guest]:
    stage.session.do(Join(ROOM, ME, BY))
    guest = await irc.guest()
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.let_in("#c")
    link = stage.session.links["irc.test"]
    await until(lambda: link.net.channels and link.net.channels["#c"].entered)
    return link, guest


# configure ------------------------------------------------------------------------------------------------------------

BIBOUMI = {
    SERVICE: {"max_history_length", "record_history", "persistent"},
    Address("server", "irc.other"): {
        "address", "ports", "tls_ports", "verify_cert", "fingerprint", "sasl_password", "nick", "pass", "after_connect_commands",
        "username", "realname", "throttle_limit", "max_history_length", "encoding_out", "encoding_in",
    },
    ROOM: {"record_history", "encoding_out", "encoding_in", "persistent"},
}  # fmt: skip


@pytest.mark.parametrize("place", BIBOUMI, ids=lambda place: place.kind)
async def test_forms_have_the_fields_that_biboumis_have(stage: Stage, place: Address) -> None:
    caller = stage.at(place)
    await caller.run("configure", {})
    assert set(caller.vars()) >= BIBOUMI[place]


async def test_where_the_operator_lists_a_network_its_address_is_not_asked_for(stage: Stage) -> None:
    await stage.ada.run("configure", {})
    assert not {"address", "ports", "tls_ports", "verify_cert"} & set(stage.ada.vars())


GOOD = [
    ("fingerprint", "AA:" * 31 + "AA", "aa" * 32),
    ("nick", "ada_", "ada_"),
    ("sasl_user", "ada", "ada"),
    ("sasl_password", CANARY, CANARY),
    ("pass", CANARY, CANARY),
    ("after_connect_commands", ["MODE ada +B", "PRIVMSG Q :hi there"], ("MODE ada +B", "PRIVMSG Q :hi there")),
    ("username", "ada", "ada"),
    ("realname", "Ada  L.", "Ada L."),
    ("throttle_limit", "3", "3"),
    ("max_history_length", "50", "50"),
    ("record_history", "0", False),
    ("persistent", "1", True),
    ("encoding_in", "latin1", "iso8859-1"),
    ("encoding_out", "cp1252", "cp1252"),
]


@pytest.mark.parametrize(("var", "given", "kept"), GOOD, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_field_is_kept_and_left_out_keeps_its_value(stage: Stage, var: str, given: Any, kept: Any) -> None:
    await stage.ada.run("configure", {var: given})
    if var == "encoding_in":  # it is the operator's own
        assert stage.set() == {}
        return
    assert {name: value for name, value in stage.set().items() if name != "after_connect_by"} == {var: kept}
    await stage.ada.run("configure", {"nick": "other"} if var != "nick" else {"realname": "x"})
    assert stage.set()[var] == kept


BAD = [
    ("fingerprint", "aa" * 20),
    ("nick", "a b"),
    ("pass", "x\ny"),
    ("after_connect_commands", "PRIVMSG x :a\x01b"),
    ("after_connect_commands", "x" * 511),
    ("username", "a@b"),
    ("realname", "x" * 101),
    ("throttle_limit", "-2"),
    ("max_history_length", "many"),
    ("encoding_in", "utf-16"),
    ("encoding_out", "no-such"),
]


@pytest.mark.parametrize(("var", "given"), BAD)
async def test_what_does_not_fit_is_refused_at_its_field(stage: Stage, var: str, given: str) -> None:
    with pytest.raises(Wrong) as caught:
        await stage.ada.run("configure", {var: given, "nick": "ada"} if var != "nick" else {var: given})
    assert set(caught.value.fields) == {var}
    assert stage.set() == {}


async def test_a_secret_stays_when_it_is_left_empty_and_goes_by_two_hyphens(stage: Stage) -> None:
    await stage.ada.run("configure", {"pass": CANARY, "sasl_password": CANARY})
    await stage.ada.run("configure", {"pass": "", "sasl_password": ""})
    assert stage.set() == {"pass": CANARY, "sasl_password": CANARY}
    await stage.ada.run("configure", {"pass": "--"})
    assert stage.set() == {"sasl_password": CANARY}


async def test_what_is_set_back_to_what_holds_anyway_is_not_kept(stage: Stage) -> None:
    await stage.ada.run("configure", {"persistent": "1", "realname": "Ada"})
    await stage.ada.run("configure", {"persistent": "0", "realname": ""})
    assert (stage.set(), stage.options.users()) == ({}, [])


async def test_a_wider_setting_stands_in_the_narrower_form_and_can_be_undone_there(stage: Stage) -> None:
    await stage.at(SERVICE).run("configure", {"persistent": "1", "max_history_length": "5"})
    assert stage.bridge.persistent(ADA, ROOM) and stage.bridge.backlog(ADA, ROOM) == 5
    await stage.ada.run("configure", {"persistent": "0"})
    assert stage.set() == {"persistent": False}
    assert not stage.bridge.persistent(ADA, ROOM) and stage.bridge.persistent(ADA, Address("room", "#c%irc.other"))
    await stage.at(ROOM).run("configure", {"persistent": "1", "record_history": "false"})
    assert stage.bridge.persistent(ADA, ROOM) and not stage.bridge.records(ADA, ROOM)
    assert stage.bridge.records(ADA, Address("room", "#d%irc.test"))


async def test_history_is_a_part_of_it(stage: Stage) -> None:
    caller = stage.at(ROOM)
    await caller.run("history", {"record_history": "false"})
    assert caller.vars() == ["record_history"] and not stage.bridge.records(ADA, ROOM)
    await caller.run("history", {"record_history": "unset"})
    assert stage.set(ROOM) == {} and stage.bridge.records(ADA, ROOM)
    await stage.at(SERVICE).run("history", {"max_history_length": "7", "record_private": "1"})
    assert stage.bridge.backlog(ADA, ROOM) == 7 and stage.bridge.records(ADA, Address("person", "bob%irc.test"))


async def test_what_counts_at_once_does_and_the_rest_is_said_to_wait(stage: Stage, irc: ScriptedIrc) -> None:
    stage.bridge = Stage(irc.port, network={"throttle": [5, 0.5]}).bridge
    stage.ada.bridge, stage.session = stage.bridge, stage.bridge.open(ADA, stage.out)
    link, _ = await connected(stage, irc)
    assert "are kept." in await stage.ada.says("configure", {"throttle_limit": "2"}) and link.flow.burst == 2
    assert "next connection" in await stage.ada.says("configure", {"nick": "other"})


@pytest.mark.parametrize(("raw", "role", "asked"), [("users", "user", True), ("admins", "user", False), ("admins", "admin", True),
                                                    ("off", "admin", False)])  # fmt: skip
async def test_lines_after_connecting_are_as_raw_as_raw_ones(irc: ScriptedIrc, raw: str, role: Any, asked: bool) -> None:
    stage = Stage(irc.port, raw=raw)
    caller = stage.at(SERVER, role)
    await caller.run("configure", {"after_connect_commands": "MODE ada +B"})
    assert ("after_connect_commands" in caller.vars()) is asked is bool(stage.set())
    assert bool(stage.bridge.set.settings(ADA, "irc.test").after_connect) is asked
    assert any(one.node == "raw" for one in stage.bridge.describe(ADA).commands) is (raw != "off")
    roles = {one.role for one in stage.bridge.describe(ADA).commands if one.node == "raw"}
    assert roles == {"users": {"user"}, "admins": {"admin"}, "off": set()}[raw]


@pytest.mark.parametrize(("raw", "sent"), [("users", True), ("admins", False), ("off", False)])
async def test_lines_that_may_no_longer_be_sent_are_not(irc: ScriptedIrc, raw: str, sent: bool) -> None:
    """The operator has changed his mind since they were set."""
    stage = Stage(irc.port, raw=raw)
    await stage.options.put(ADA, SERVER, {"after_connect_commands": ("MODE ada +B",), "after_connect_by": "user"})
    assert bool(stage.bridge.set.settings(ADA, "irc.test").after_connect) is sent


# networks ---------------------------------------------------------------------------------------------------------------


async def test_networks_are_added_listed_changed_and_removed(stage: Stage) -> None:
    caller = stage.at(SERVICE)
    await caller.run("add-network", {"server": "irc.other.test"}, {"nick": "ada2", "tls_ports": ["7000"]})
    place = Address("server", "irc.other.test")
    assert stage.set(place) == {"nick": "ada2", "tls_ports": ("7000",), "listed": True}
    assert [row[:2] for row in await caller.table("networks")] == [("irc.other.test", "not connected")]
    await caller.run("edit-network", {"realname": "Ada"})
    assert stage.set(place)["realname"] == "Ada"
    await stage.at(Address("room", "#c%irc.other.test")).run("configure", {"persistent": "1"})
    assert "no longer" in await caller.says("remove-network")
    assert (len(caller.told), stage.options.users()) == (1, [])
    assert "not connected" in await caller.says("networks")


async def test_one_can_connect_without_a_channel_and_stays(stage: Stage, irc: ScriptedIrc) -> None:
    await stage.ada.run("configure", {"nick": "ada7"})
    assert "Connecting" in await stage.ada.says("connect")
    guest = await irc.guest()
    await guest.welcome()
    assert guest.nick == "ada7"
    link = stage.session.links["irc.test"]
    await until(lambda: link.net.ready)
    link.tick(link.loop.time())
    assert not link.over
    assert "already" in await stage.ada.says("connect")
    assert [row[:3] for row in await stage.at(SERVICE).table("networks")] == [("irc.test", "connected", "ada7")]
    assert "left irc.test" in await stage.ada.says("disconnect")
    await guest.until("QUIT")
    assert stage.session.idle


async def test_reconnecting_without_a_channel_connects_again(stage: Stage, irc: ScriptedIrc) -> None:
    await stage.ada.run("connect")
    guest = await irc.guest()
    await guest.welcome()
    await until(lambda: stage.session.links["irc.test"].net.ready)
    assert "again" in await stage.ada.says("reconnect")
    await guest.until("QUIT")
    again = await irc.guest()
    await again.welcome()
    await until(lambda: stage.session.links["irc.test"].net.ready)


async def test_a_connection_that_fails_is_told(stage: Stage, irc: ScriptedIrc) -> None:
    stage.bridge.settings.networks["irc.test"].__dict__["ports"] = (1,)
    await stage.ada.run("connect")
    await until(lambda: any("cannot be reached" in str(fact) for fact in stage.out.facts))


async def test_how_a_connection_is(stage: Stage, irc: ScriptedIrc) -> None:
    await connected(stage, irc)
    rows = dict(await stage.ada.table("get-irc-connection-info"))
    assert rows["Encryption"] == "not encrypted" and rows["Nickname"] == ME and rows["Channels"] == "#c"
    assert rows["Answer after"].endswith(" ms") and str(irc.port) in rows["Server"]
    with pytest.raises(LegacyError, match="not connected"):
        await stage.at(Address("server", "irc.other")).run("get-irc-connection-info")


async def test_limits_are_answered_with_words(irc: ScriptedIrc) -> None:
    stage = Stage(irc.port, limits={"networks": 1}, network={"connections": 1})
    await stage.ada.run("connect")
    with pytest.raises(LegacyError, match="1 IRC networks already"):
        await stage.at(Address("server", "irc.other")).run("connect")
    with pytest.raises(LegacyError, match="As many users"):
        await stage.at(SERVER, user=EVE).run("connect")
    stage.session.close("")


# On a network -------------------------------------------------------------------------------------------------------------


async def test_a_nick_is_changed_or_it_is_said_why_not(stage: Stage, irc: ScriptedIrc) -> None:
    _, guest = await connected(stage, irc)
    guest.answers = False  # a server answers in order
    asking = asyncio.create_task(stage.ada.says("nick", {"nick": "eva"}))
    await guest.until("NICK eva")
    guest.write(":ada!u@h NICK :eva", f":scripted.test PONG scripted.test {(await guest.until('PING'))[5:]}")
    assert await asking == "You are called eva."
    asking = asyncio.create_task(stage.ada.says("nick", {"nick": "bob"}))
    await guest.until("NICK bob")
    guest.write(":scripted.test 433 eva bob :Nickname is already in use")
    with pytest.raises(LegacyError, match="in use"):
        await asking
    for hostile in ("a b", "a\r\nQUIT", ""):
        with pytest.raises((Wrong, LegacyError)):
            await stage.ada.run("nick", {"nick": hostile})
    assert not any(line.startswith("QUIT") for line in guest.lines)


async def test_a_raw_line_is_one_line_and_its_answers_are_shown(stage: Stage, irc: ScriptedIrc) -> None:
    _, guest = await connected(stage, irc)
    stage.out.facts.clear()
    assert "Sent" in await stage.ada.says("raw", {"line": "WHOIS bob"})
    await guest.until("WHOIS bob")
    guest.write(":scripted.test 311 ada bob u h * :Bob", ":scripted.test 372 ada :- a line of the MOTD")
    await until(lambda: len(stage.out.of(Notice)) == 2)
    assert [notice.text for notice in stage.out.of(Notice)] == ["bob u h * Bob", "- a line of the MOTD"]
    for hostile in ("WHOIS a\rQUIT", "WHOIS a\nQUIT", "\x01QUIT", "x" * 511, ":x QUIT", "@a QUIT", ""):
        with pytest.raises(Wrong):
            await stage.ada.run("raw", {"line": hostile})
    with pytest.raises(LegacyError, match="thousands"):
        await stage.ada.run("raw", {"line": " list "})
    assert not any("QUIT" in line for line in guest.lines)


async def test_a_raw_line_waits_its_turn_and_is_refused_when_too_many_do(irc: ScriptedIrc) -> None:
    stage = Stage(irc.port, network={"throttle": [5, 0.1]}, limits={"lines": 2})
    await connected(stage, irc)
    with pytest.raises(LegacyError, match="Too much waits"):
        for _ in range(10):
            await stage.ada.run("raw", {"line": "TIME"})
    stage.session.close("")


async def test_joining_by_command_is_an_invitation(stage: Stage) -> None:
    await stage.at(SERVICE).run("add-network", {"server": "irc.test"}, {})
    await stage.at(SERVICE).run("join", {"channel": "Python"})
    assert [fact.room.name for fact in stage.out.of(Invited)] == ["#python%irc.test"]
    for hostile in ("#a,#b", "#a b", "#a%x"):
        with pytest.raises((Wrong, LegacyError)):
            await stage.ada.run("join", {"channel": hostile})


async def test_the_channels_one_stays_in_are_a_list(stage: Stage) -> None:
    await stage.ada.run("autojoin", {"channels": ["#b", "a", "#B"]})
    assert all(stage.bridge.persistent(ADA, Address("room", f"{name}%irc.test")) for name in ("#a", "#b"))
    await stage.ada.run("autojoin", {"channels": ["#b", "#c"]})
    assert stage.ada.shown[0].fields[0].default == ("#a", "#b")
    assert not stage.bridge.persistent(ADA, Address("room", "#a%irc.test")) and stage.bridge.persistent(ADA, ROOM)
    await stage.at(ROOM).run("unstay")
    assert not stage.bridge.persistent(ADA, ROOM)
    await stage.at(ROOM).run("stay")
    assert stage.bridge.persistent(ADA, ROOM)


async def test_a_channel_one_stays_in_is_joined_when_the_network_is_there(stage: Stage, irc: ScriptedIrc) -> None:
    await stage.ada.run("autojoin", {"channels": ["#a"]})
    assert stage.ada.entered == []
    await stage.ada.run("connect")
    guest = await irc.guest()
    await guest.welcome()
    await until(lambda: stage.session.links["irc.test"].net.ready)
    assert stage.ada.entered == [(Address("room", "#a%irc.test"), "ada")]
    await stage.ada.run("autojoin", {"channels": ["#b"]})
    assert stage.ada.entered[1:] == [(Address("room", "#b%irc.test"), "ada")]
    assert stage.ada.abandoned == [Address("room", "#a%irc.test")]


async def test_who_is_ignored_is_neither_heard_nor_invites(stage: Stage, irc: ScriptedIrc) -> None:
    link, guest = await connected(stage, irc)
    assert await stage.ada.says("ignore", {"mask": "Eve"}) == "You see nothing of Eve!*@* on irc.test."
    stage.out.facts.clear()
    guest.write(
        ":eve!u@h PRIVMSG #c :one",
        ":eve!u@h PRIVMSG ada :two",
        ":eve!u@h NOTICE ada :three",
        ":eve!u@h INVITE ada #x",
        ":eve!u@h PRIVMSG ada :\x01VERSION\x01",
        ":bob!u@h PRIVMSG #c :heard",
    )
    await until(lambda: stage.out.of(Said))
    assert [fact.text for fact in stage.out.of(Said)] == ["heard"] and not stage.out.of(Invited)
    assert stage.bridge.set.ignored(ADA, SERVER) == ("Eve!*@*",)
    await stage.ada.run("unignore", {"masks": ["Eve!*@*"]})
    assert link.net.ignored is None and stage.set() == {}


async def test_a_new_connection_knows_who_is_ignored(stage: Stage, irc: ScriptedIrc) -> None:
    await stage.ada.run("ignore", {"mask": "*!*@bad.example"})
    link, _ = await connected(stage, irc)
    assert link.net.ignored is not None and link.net.ignored("x!y@bad.example") and not link.net.ignored("x!y@good.example")
    with pytest.raises(LegacyError, match=r"ignore 50"):
        for number in range(ignoring.MOST):
            await stage.ada.run("ignore", {"mask": f"n{number}"})


async def test_an_account_is_kept_and_its_password_never_sent_in_the_clear(stage: Stage, irc: ScriptedIrc) -> None:
    _, guest = await connected(stage, irc)
    assert "not encrypted" in await stage.ada.says("identify", {"sasl_user": "ada", "sasl_password": CANARY})
    assert stage.set() == {"sasl_user": "ada", "sasl_password": CANARY}
    await stage.ada.run("raw", {"line": "TIME"})
    await guest.until("TIME")
    assert not any(CANARY in line for line in guest.lines)


# Nobody acts for anybody else ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "node", ["disconnect", "reconnect", "nick", "raw", "networks", "autojoin", "ignore", "configure", "identify"]
)
async def test_a_form_cannot_name_another_user(stage: Stage, irc: ScriptedIrc, node: str) -> None:
    link, guest = await connected(stage, irc)
    eve = stage.at(SERVICE if node == "networks" else SERVER, user=EVE)
    hostile = {var: ADA for var in ("jid", "jids", "user", "accountjid", "accountjids", "owner")}
    given = {
        **hostile, "server": "irc.test", "irc-servers": "irc.test", "nick": "evil", "line": "QUIT", "mask": "x",
        "channels": "#x", "sasl_user": "x", "sasl_password": "x",
    }  # fmt: skip
    try:
        await eve.run(node, *([given] if node not in ("disconnect", "reconnect", "networks") else []))
    except LegacyError as error:
        assert "not connected" in error.text or node in ("raw", "nick")
    assert not link.over and stage.set() == {} and ADA not in stage.options
    await stage.ada.run("raw", {"line": "TIME"})
    await guest.until("TIME")
    assert not any(line.startswith(("QUIT", "NICK evil")) for line in guest.lines)
    if EVE in stage.bridge.sessions():
        stage.bridge.sessions()[EVE].close("")


async def test_what_operators_do_is_for_operators(stage: Stage) -> None:
    nodes = {"irc-sessions", "disconnect-user", "disconnect-from-irc-server", "irc-whose"}
    roles = {one.node: one.role for one in stage.bridge.describe(ADA).commands if one.node in nodes}
    assert roles == dict.fromkeys(nodes, "admin")


async def test_operators_see_all_sessions_and_end_them(stage: Stage, irc: ScriptedIrc) -> None:
    _, guest = await connected(stage, irc)
    root = stage.at(SERVICE, "admin", "root@example.org")
    ((jid, server, nick, state, _since, channels, ident),) = await root.table("irc-sessions")
    assert (jid, server, nick, state, channels) == (ADA, "irc.test", ME, "connected", "#c")
    assert ADA in await root.says("irc-whose", {"ident": f"{ME}!~{ident}@host"})
    assert "Nobody" in await root.says("irc-whose", {"ident": "nosuch"})
    with pytest.raises(Wrong, match="no IRC network"):
        await root.run("disconnect-user", {"jids": EVE})
    chosen = {"irc-servers": ["irc.test"], "quit-message": "enough"}
    assert "1" in await root.says("disconnect-from-irc-server", {"jid": ADA}, chosen)
    assert await guest.until("QUIT") == "QUIT enough"
    assert "Nobody" in await root.says("disconnect-user")


async def test_a_user_name_that_was_chosen_leads_to_who_chose_it(stage: Stage) -> None:
    await stage.ada.run("configure", {"username": "lovelace"})
    root = stage.at(SERVICE, "admin", "root@example.org")
    assert ADA in await root.says("irc-whose", {"ident": "~lovelace"})


@pytest.mark.parametrize(("user", "nick"), [("ada@x", "ada"), ("1.ada.l@x", "adal"), ("-9@x", "guest"), ("ä@x", "guest"),
                                           ("a" * 40 + "@x", "a" * 16)])  # fmt: skip
def test_what_one_is_called_who_has_not_said(user: str, nick: str) -> None:
    assert default_nick(user) == nick


async def test_with_one_server_everything_is_at_the_gateways_own_address(irc: ScriptedIrc) -> None:
    stage = Stage(irc.port, server="irc.test")
    nodes = [one.node for one in stage.bridge.describe(ADA).commands if {"service", "server"} & one.where]
    assert len(nodes) == len(set(nodes)) and {"global-configure", "server-configure", "get-irc-connection-info"} <= set(nodes)
    assert "add-network" not in nodes
    caller = stage.at(stage.bridge.address(""))
    await caller.run("server-configure", {"nick": "ada2"})
    await caller.run("global-configure", {"max_history_length": "3"})
    assert stage.set(stage.bridge.address("")) == {"nick": "ada2"} and stage.set(SERVICE) == {"max_history_length": "3"}
    await caller.run("ignore", {"mask": "eve"})
    await caller.run("connect")
    guest = await irc.guest()
    await guest.welcome()
    assert guest.nick == "ada2"
    stage.session.do(Leave(Address("room", "#c")))
    stage.session.close("")


async def test_a_network_that_is_to_come_back_can_be_given_up_or_had_at_once(irc: ScriptedIrc) -> None:
    stage = Stage(irc.port, network={"persistent": True})
    _, guest = await connected(stage, irc)
    guest.write("ERROR :Closing link: (ada@127.0.0.1) [K-Lined: spam]")
    await guest.close()
    await until(lambda: stage.session.bouncer is not None and not stage.session.links)
    assert [row[:2] for row in await stage.at(SERVICE).table("networks")] == [("irc.test", "not connected")]
    await stage.ada.run("reconnect")
    again = await irc.guest()
    await again.welcome()
    await again.until("JOIN #c")
    again.write("ERROR :Closing link: (ada@127.0.0.1) [K-Lined: spam]")
    await again.close()
    await until(lambda: not stage.session.links)
    assert "left irc.test" in await stage.ada.says("disconnect")
    assert stage.session.idle
