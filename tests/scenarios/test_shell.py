"""The shell and the running daemon: what it tells, dead letters tried again and dropped, and who is not heard.

The command line runs as a process of its own, as an operator has it. The far side is the test's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.ejabberd import Ejabberd
from lab.gateway import ROOT, Gateway, StartGateway, settings
from lab.ircd import Ngircd
from lab.process import HOST, folder, free_ports
from lab.prosody import Prosody
from lab.xmpp import Client, show
from tests.scenarios.irc import DOMAIN, client, room
from transports.control import ask
from transports.shell import grants

TEST = "test.localhost"
NUMBER = "+15551234567"
#: Registration with the IRC bridge: its one preference.
REALNAME = """<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>
<field var='FORM_TYPE'><value>jabber:iq:register</value></field>
<field var='realname'><value>Carol of the lab</value></field></x></query>"""


class FarSide:
    """Takes what is said to it, or refuses it for good while `refuses`."""

    def __init__(self) -> None:
        self.refuses = False
        self.took: asyncio.Queue[str] = asyncio.Queue()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            verb, _id, *rest = (await reader.readline()).decode().rstrip("\n").split(" ", 4)
            if verb == "FIND":
                writer.write(b"NONE\n")
            elif self.refuses:
                writer.write(b"NO item-not-found Nobody has this number.\n")
            else:
                self.took.put_nowait(json.loads(rest[2]))
                writer.write(b"OK far\n")


class House:
    def __init__(self, server: XmppServer, gateway: Gateway, far: FarSide, port: int, alice: Client) -> None:
        self.server = server
        self.gateway = gateway
        self.far = far
        self.port = port
        self.alice = alice

    @property
    def socket(self) -> Path:
        return self.gateway.dir / "transports.sock"

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code and output of a command."""
        return await run(self.gateway, *arguments)

    async def json(self, *arguments: str) -> dict[str, Any]:
        code, out, err = await self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)  # type: ignore[no-any-return]

    async def letters(self, state: str = "dead") -> list[dict[str, Any]]:
        return [letter for letter in (await self.json("queue"))["letters"] if letter["state"] == state]

    async def hear(self, key: str, user: str, text: str) -> str:
        """The far side says something to a user; the gateway's word for it."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        with contextlib.closing(writer):
            writer.write(f"IN {key} {user}@localhost {NUMBER} {json.dumps(text)}\n".encode())
            return (await reader.readline()).decode().split()[0]

    async def refused(self, text: str) -> str:
        """Have the far side refuse a message of alice's; the id of the dead letter."""
        self.far.refuses = True
        await self.alice.say(f"{NUMBER}@{TEST}", text, kind="chat")
        await self.alice.until("message[@type='error']")
        self.far.refuses = False
        async with asyncio.timeout(10):
            while True:
                for letter in await self.letters():
                    if (await self.json("queue", "show", letter["id"], "--body"))["body"]["Say"]["text"] == text:
                        return str(letter["id"])


async def run(gateway: Gateway, *arguments: str) -> tuple[int, str, str]:
    words = [sys.executable, "-m", "transports", *arguments, "--config", str(gateway.config_path)]
    environment = {**os.environ, **gateway.environment()}
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, env=environment, stdout=-1, stderr=-1)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, out.decode(), err.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(server: XmppServer) -> AsyncIterator[House]:
    port, far_port = free_ports(2)
    options = {"port": port, "far": f"{HOST}:{far_port}"}
    tables = settings(server)
    del tables["irc"]
    tables["bridges"] = {"test": {"module": "tests.bridges.echo.bridge", "domain": TEST, "options": options}}
    far = FarSide()
    with folder("transports-test-") as path:
        async with (
            await asyncio.start_server(far.talk, HOST, far_port),
            Gateway(path, tables) as gateway,
            client(server, "alice", "shell") as alice,
        ):
            yield House(server, gateway, far, port, alice)
            assert gateway.log_lines(" (error|critical) ") == []


# Status ---------------------------------------------------------------------------------------------------------------


async def test_status_tells_how_the_gateway_is(house: House) -> None:
    status = await house.json("status")
    assert (status["running"], status["pid"]) == (True, house.gateway.pid)
    assert status["memory"] > 10_000_000 and status["started"] > 0
    [bridge] = status["bridges"]
    assert (bridge["name"], bridge["domain"], bridge["connected"]) == ("test", TEST, True)
    assert (bridge["error"], bridge["registered"], bridge["sessions"]) == ("", 0, 0)
    [granted] = bridge["privileges"]
    assert (granted["server"], granted["message"]) == ("localhost", "outgoing")
    code, out, err = await house.run("status")
    assert (code, err) == (0, "")
    assert f"test: {TEST}\n  connected to the XMPP server for " in out
    assert "  privileges from localhost: roster both, message outgoing" in out


async def test_the_socket_is_the_daemons_own(house: House) -> None:
    assert stat.S_ISSOCK(house.socket.stat().st_mode)
    assert stat.S_IMODE(house.socket.stat().st_mode) == 0o600


async def test_users_of_a_running_gateway(house: House) -> None:
    assert (await house.json("users"))["users"] == []
    assert await house.run("users", "show", "alice@localhost") == (
        1,
        "",
        "transports: alice@localhost is not registered.\n",
    )
    code, _out, err = await house.run("users", "remove", "alice@localhost", "--yes")
    assert (code, err) == (1, "transports: alice@localhost is not registered.\n")
    assert (await house.json("sessions"))["sessions"] == []


# Dead letters ---------------------------------------------------------------------------------------------------------


async def test_a_dead_letter_to_the_far_side_is_tried_again(house: House) -> None:
    id = await house.refused("please take it")
    code, out, _err = await house.run("queue")
    assert code == 0 and id in out and "item-not-found: Nobody has this number." in out and "please take it" not in out
    assert house.far.took.empty()
    assert await house.run("queue", "retry", id) == (0, "1 dead letter will be tried again.\n", "")
    assert await asyncio.wait_for(house.far.took.get(), 10) == "please take it"
    async with asyncio.timeout(10):
        while (await house.json("queue", "show", id))["state"] != "done":
            pass
    assert await house.letters() == []


async def test_a_dead_letter_that_is_refused_again_is_dead_again(house: House) -> None:
    id = await house.refused("never")
    house.far.refuses = True
    assert (await house.run("queue", "retry", "--all"))[0] == 0
    await house.alice.until("message[@type='error']")
    house.far.refuses = False
    async with asyncio.timeout(10):
        while id not in [letter["id"] for letter in await house.letters()]:
            pass
    assert (await house.run("queue", "drop", id, "--yes"))[0] == 0


async def test_a_dead_letter_is_dropped(house: House) -> None:
    id = await house.refused("forget it")
    assert await house.run("queue", "drop", id, "--yes") == (0, "1 dead letter dropped.\n", "")
    assert await house.letters() == []
    assert (await house.json("queue", "show", id, "--body"))["body"] is None
    assert await house.run("queue", "retry", id) == (
        1,
        "",
        f"transports: Message {id} is no dead letter, its state is done.\n",
    )
    assert house.far.took.empty()


async def test_a_dead_letter_to_a_user_is_tried_again(house: House) -> None:
    """alice blocks the number (XEP-0191), so that the message is refused, and thinks better of it."""
    if house.server.name == "ejabberd":
        pytest.skip("it refuses after it said that all is processed: such rows are tried thrice, half a minute long")
    blocking = f"<item jid='{NUMBER}@{TEST}'/>"
    await house.alice.iq(f"<iq type='set'><block xmlns='urn:xmpp:blocking'>{blocking}</block></iq>")
    assert await house.hear("first", "alice", "are you there?") == "OK"
    async with asyncio.timeout(10):
        while not (letters := await house.letters()):
            pass
    await house.alice.iq(f"<iq type='set'><unblock xmlns='urn:xmpp:blocking'>{blocking}</unblock></iq>")
    assert await house.hear("second", "alice", "and now?") == "OK"
    await house.alice.body("and now?")
    assert await house.run("queue", "retry", letters[0]["id"]) == (0, "1 dead letter will be tried again.\n", "")
    message = await house.alice.body("are you there?")
    assert message.get("id") == letters[0]["id"]


# Hostile lines --------------------------------------------------------------------------------------------------------


async def test_hostile_lines_do_not_hurt_the_daemon(house: House) -> None:
    before = house.gateway.rss()
    lines = [b"\n", b"{", b"\xff" * 1000 + b"\n", b"[" * 60_000 + b"\n", b'{"do":"status","user":7}\n', b'{"do":[]}\n']
    lines += [
        b'{"do":"retry","ids":{}}\n',
        b'{"do":"letter","id":"\\u0000\\ud800"}\n',
        b'{"do":"queue","bridge":"\\ud800"}\n',
    ]
    for line in [*lines, b'{"do":"' + b"x" * 10_000_000]:
        reader, writer = await asyncio.open_unix_connection(house.socket)
        with contextlib.suppress(ConnectionError):
            writer.write(line)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.startswith((b'{"error":', b'{"done":{"letters":[]}')) or len(line) > 1_000_000
        writer.transport.abort()
    half = [await asyncio.open_unix_connection(house.socket) for _ in range(10)]
    for _reader, writer in half:
        writer.write(b'{"do":')
    assert (await house.json("status"))["pid"] == house.gateway.pid
    for _reader, writer in half:
        writer.transport.abort()
    assert house.gateway.rss() - before < 20_000_000


# Its life -------------------------------------------------------------------------------------------------------------


async def test_after_a_kill_the_next_one_listens(prosody: Prosody, gateway: StartGateway, ngircd: Ngircd) -> None:
    """And what an IRC user does is seen, without SQL: there is no database; who is in which room is in plain SQLite."""
    killed = await gateway(prosody, ngircd)
    await killed.kill()
    assert (killed.dir / "transports.sock").exists()
    code, out, _err = await run(killed, "status")
    assert code == 1 and ": not running." in out
    await killed.start()
    async with client(prosody, "bob", "shell") as bob:
        await bob.join(room("#shell"), "bob")
        status = await asyncio.to_thread(ask, killed.dir / "transports.sock", {"do": "status"})
        assert status["bridges"][0]["connections"] == {"irc.test": 1}
        assert status["bridges"][0]["sessions"] == 1
        code, out, _err = await run(killed, "sessions")
        assert code == 0 and out.splitlines()[1].split() == ["irc", "bob@localhost", "1"]
        code, out, _err = await run(killed, "queue")
        assert (code, out) == (0, "Nothing waits, and there are no dead letters.\n")
    assert not (killed.dir / "transports.db").exists()
    assert _loaded(killed, "sqlalchemy") == ""
    await killed.stop()
    assert not (killed.dir / "transports.sock").exists()


async def test_a_user_is_listed_shown_and_removed(prosody: Prosody, gateway: StartGateway, ngircd: Ngircd) -> None:
    started = await gateway(prosody, ngircd)
    async with client(prosody, "carol", "shell") as carol:
        await carol.join(room("#removed"), "carol")
        answer = await carol.iq(f"<iq type='set' to='{DOMAIN}'>{REALNAME}</iq>")
        assert answer.get("type") == "result", show(answer)
        code, out, _err = await run(started, "users")
        assert code == 0 and out.splitlines()[1].split()[:2] == ["irc", "carol@localhost"]
        code, out, _err = await run(started, "users", "show", "Carol@localhost/shell")
        assert code == 0 and "  realname: Carol of the lab\n" in out
        code, out, err = await run(started, "users", "remove", "carol@localhost", "--yes")
        assert (code, out, err) == (0, "carol@localhost is no longer registered with irc.\n", "")
        assert (await run(started, "users"))[1] == "Nobody is registered.\n"
        await carol.until("presence[@type='unavailable']/user:x/user:status[@code='110']")
    assert started.log_lines(" (error|critical) ") == []


def _loaded(gateway: Gateway, name: str) -> str:
    """The first line of proc(5)'s maps that names a library."""
    lines = Path(f"/proc/{gateway.pid}/maps").read_text().splitlines()
    return next((line for line in lines if name in line), "")


async def test_a_stream_that_is_refused_is_told_with_what_to_do(prosody: Prosody, gateway: StartGateway) -> None:
    started = await gateway(prosody, changes={"xmpp": {"secret": "wrong"}}, options={"ready": "stream error"})
    code, out, _err = await run(started, "status")
    assert code == 0
    assert "  not connected to the XMPP server: stream error: not-authorized" in out
    assert "  [xmpp] secret must be the one that the server has for this domain" in out


# The lines that grant privileges --------------------------------------------------------------------------------------


class GrantedByProsody(Prosody):
    """As an operator would have it who copied what `transports check --privileges` prints."""

    def configuration(self) -> str:
        text = super().configuration()
        before, _, rest = text.partition("  privileged_entities =")
        _, _, after = rest.partition("\n")
        block = grants.lines(["irc.localhost"], "localhost").split("\n\n")[1]
        return f"{before}{block}\n{after}"


class GrantedByEjabberd(Ejabberd):
    def configuration(self) -> str:
        block = grants.lines(["irc.localhost"], "localhost").split("\n\n")[2]
        acl, _, rest = block.partition("access_rules:\n")
        rules, _, modules = rest.partition("modules:\n")
        acl = acl.partition("acl:\n")[2]
        text = super().configuration()
        start = text.index("  mod_privilege:")
        text = text[:start] + modules + "\n" + text[text.index("  mod_pubsub", start) :]
        return text.replace("acl:\n", "acl:\n" + acl, 1).replace("access_rules:\n", "access_rules:\n" + rules, 1)


@pytest.mark.parametrize(
    ("kind", "iq"), [(GrantedByProsody, True), (GrantedByEjabberd, False)], ids=["prosody", "ejabberd"]
)
async def test_the_printed_lines_grant_what_they_say(directory: Path, kind: type[XmppServer], iq: bool) -> None:
    async with kind(directory / "server") as server, Gateway(directory / "gateway", settings(server)) as gateway:
        async with asyncio.timeout(10):
            while not (granted := (await asyncio.to_thread(_status, gateway))["bridges"][0]["privileges"]):
                pass
    [one] = granted
    assert (one["roster"], one["message"], one["presence"]) == ("both", "outgoing", "managed_entity")
    assert ("urn:xmpp:http:upload:0" in one["iq"]) is iq


def _status(gateway: Gateway) -> dict[str, Any]:
    return ask(gateway.dir / "transports.sock", {"do": "status"})  # type: ignore[no-any-return]
