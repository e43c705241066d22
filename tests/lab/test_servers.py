"""What the tests of the gateway rely on: servers that start, let people and components in, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from lab import ircd as ircds
from lab.certificate import Certificate
from lab.domain import COMPONENTS, SECRET, XmppServer
from lab.ejabberd import Ejabberd
from lab.irc import Greeter, Person, parse
from lab.ircd import Inspircd, Ircd, Ngircd
from lab.process import LabError, group_alive
from lab.prosody import Prosody, plugin_paths
from lab.xmpp import Client, codes, condition, find, text

STREAM = "xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
SERVERS = [Prosody, Ejabberd, Ngircd, Inspircd]


@contextlib.asynccontextmanager
async def component(
    server: XmppServer, domain: str, secret: str = SECRET, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A component's stream after its handshake (XEP-0114 section 3), with the start of the server's answer."""
    reader, writer = await asyncio.open_connection(server.host, server.component_port, ssl=tls)
    try:
        writer.write(f"<stream:stream {STREAM} to='{domain}'>".encode())
        head = b""
        while (identity := re.search(rb" id=['\"]([^'\"]+)", head)) is None:
            head += await reader.readuntil(b">")
        digest = hashlib.sha1(identity[1] + secret.encode(), usedforsecurity=False).hexdigest()
        writer.write(f"<handshake>{digest}</handshake>".encode())
        yield (await reader.readuntil(b">")).decode(), reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


def children(directory: Path) -> set[Path]:
    return set(directory.iterdir())


def owner(path: Path) -> int:
    return path.stat().st_uid


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_starts_restarts_and_leaves_neither_process_nor_file(kind: type, directory: Path) -> None:
    async with asyncio.timeout(25):
        async with kind(directory / "server") as server:
            first = server.pid
            await server.restart()
            second = server.pid
            await server.kill()
            await server.start()
            third = server.pid
            if os.geteuid() == 0:
                assert owner(Path(f"/proc/{third}")) != 0
    assert not any(map(group_alive, {first, second, third}))
    assert children(directory) == {directory / "server"}


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_missing_server_is_said_plainly(kind: type, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, package: str) -> str:
        raise LabError(f"{name} is not installed: apt-get install {package}")

    monkeypatch.setattr(f"{kind.__module__}.program", missing)
    with pytest.raises(LabError, match=r"is not installed: apt-get install \w+"):
        async with kind(directory):
            pass


def test_prosody_without_mod_privilege_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.prosody.PRIVILEGE_FOLDERS", ("/nowhere", "/either"))
    monkeypatch.setattr("lab.prosody._package_folders", list)
    with pytest.raises(LabError, match="apt-get install prosody-modules"):
        plugin_paths()


@pytest.mark.parametrize(
    ("installed", "there"),
    [("ejabberd-23.01-1", True), ("ejabberd-23.10", True), ("ejabberd-24.12", False), ("ejabberd-25.03", True)],
)
def test_ejabberd_has_mod_privilege_where_it_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: str, there: bool
) -> None:
    monkeypatch.setattr("lab.ejabberd._application", lambda: Path("/usr/lib", installed))
    assert ("mod_privilege:" in Ejabberd(tmp_path).configuration()) is there


# -- XMPP --------------------------------------------------------------------------------------------------------------


async def test_two_people_talk(server: XmppServer) -> None:
    async with (
        Client(server.jid("alice"), "alicepw", server.c2s_port, "desk") as alice,
        Client(server.jid("bob"), "bobpw", server.c2s_port, "phone", smacks=True) as bob,
    ):
        name = await alice.say(server.jid("bob"), "tea & <cake>?", kind="chat")
        heard = await bob.body("tea & <cake>?")
        assert (heard.get("from"), heard.get("id")) == (alice.jid, name)
        await bob.say(alice.jid, "yes", kind="chat")
        await alice.body("yes")
        await alice.barrier()
        assert alice.waiting("message") == []


async def test_a_room_is_joined_up_to_its_subject_and_left(server: XmppServer) -> None:
    room = "lab@rooms.localhost"
    async with Client(server.jid("carol"), "carolpw", server.c2s_port) as carol:
        joined = await carol.join(room, "Carol")
        assert codes(joined[-2]) >= {110, 201}
        assert find(joined[-1], "message/subject") is not None
        assert (await carol.leave(room, "Carol")).get("from") == f"{room}/Carol"
        refused = await carol.join("nobody@irc.localhost", "Carol")
        assert condition(refused[-1]) == "remote-server-timeout" or "not-found" in str(condition(refused[-1]))


async def test_a_wrong_password_is_said_plainly(server: XmppServer) -> None:
    with pytest.raises(AssertionError, match=r"alice@localhost/lab could not log in at port \d+: the server refused"):
        async with Client(server.jid("alice"), "wrong", server.c2s_port):
            pass


async def test_what_came_instead_is_shown(server: XmppServer) -> None:
    async with Client(server.jid("dave"), "davepw", server.c2s_port) as dave:
        await dave.say(dave.jid, "talking to myself", kind="chat")
        await dave.barrier()
        with pytest.raises(AssertionError, match="talking to myself"):
            await dave.until("message[@type='headline']", timeout=0.01)
        assert text(await dave.until("message/body")) == "talking to myself"


async def test_a_client_that_vanishes_is_gone_for_others(server: XmppServer) -> None:
    async with Client(server.jid("bob"), "bobpw", server.c2s_port, "one") as one:
        two = Client(server.jid("bob"), "bobpw", server.c2s_port, "two")
        async with two:
            await one.until(f"presence[@from='{two.jid}']")
            await two.vanish()
            await one.until(f"presence[@from='{two.jid}'][@type='unavailable']")
        with pytest.raises(ConnectionError):
            await two.send("<presence/>")


@pytest.mark.parametrize("domain", COMPONENTS)
async def test_every_component_may_log_in(server: XmppServer, domain: str) -> None:
    before = server.component_logins()
    async with component(server, domain) as (answer, _, _):
        assert re.fullmatch(r"<handshake( xmlns='[^']*')?/>", answer.strip())
        await server.until_log("(authenticated|Accepted external component)", count=before + 1)
    assert server.component_logins() == before + 1


async def test_a_component_hears_what_is_said_to_it(server: XmppServer) -> None:
    async with (
        component(server, "test.localhost") as (_, reader, writer),
        Client(server.jid("alice"), "alicepw", server.c2s_port) as alice,
    ):
        await alice.say("somebody@test.localhost", "hello, component", kind="chat")
        await reader.readuntil(b"hello, component")
        writer.write(b"<message from='x@test.localhost' to='alice@localhost' type='chat'><body>hello, alice</body></message>")
        await alice.body("hello, alice")


async def test_a_wrong_secret_is_refused(server: XmppServer) -> None:
    async with component(server, "test.localhost", "wrong") as (answer, reader, _):
        assert "handshake" not in answer
        assert b"not-authorized" in await reader.read()


async def test_a_component_stream_that_breaks_is_counted(directory: Path) -> None:
    async with Prosody(directory) as server:
        for _ in range(2):
            async with component(server, "test.localhost") as (_, reader, writer):
                writer.write(b"<message from='x@test.localhost' to='alice@localhost'><body>\x01</body></message>")
                assert b"not-well-formed" in await reader.read()
        assert server.stream_restarts() == 1
        assert len(server.stream_errors()) >= 2


async def test_ejabberd_takes_components_over_tls(directory: Path) -> None:
    async with Ejabberd(directory, {"irc.localhost": "secret"}, tls=True) as server:
        trusting = ssl.create_default_context(cafile=server.ca)
        async with component(server, "irc.localhost", tls=trusting) as (answer, _, _):
            assert "handshake" in answer
        with pytest.raises(ssl.SSLCertVerificationError):
            async with component(server, "irc.localhost", tls=ssl.create_default_context()):
                pass


async def test_prosody_serves_a_page_websockets_and_bosh(prosody: Prosody) -> None:
    (prosody.www / "page.html").write_text("<p>hello</p>")
    async with aiohttp.ClientSession(prosody.http_url) as http:
        async with http.get("/page.html") as page:
            assert (page.status, await page.text()) == (200, "<p>hello</p>")
        async with http.ws_connect("/xmpp-websocket", protocols=["xmpp"]) as socket:
            await socket.send_str("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>")
            assert "<open" in await socket.receive_str()
        async with http.get("/http-bind") as bosh:
            assert bosh.status == 200


# -- IRC ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["plain", "tls"])
def way(request: pytest.FixtureRequest, ircd: Ircd) -> Iterator[tuple[int, ssl.SSLContext | None]]:
    yield (ircd.port, None) if request.param == "plain" else (ircd.tls_port, ircd.certificate.client())


async def test_two_people_talk_on_irc(ircd: Ircd, way: tuple[int, ssl.SSLContext | None]) -> None:
    port, tls = way
    async with Person(ircd.host, port, "ann", tls) as ann, Person(ircd.host, port, "ben", tls) as ben:
        assert await ann.join("#tea") == ["@ann"]
        assert set(await ben.join("#tea")) == {"@ann", "ben"}
        assert (await ann.until("JOIN")).nick == "ann"
        assert (await ann.until("JOIN")).nick == "ben"
        await ben.say("#tea", "hello: über ☕")
        heard = await ann.until("PRIVMSG")
        assert (heard.nick, heard.params) == ("ben", ["#tea", "hello: über ☕"])
        await ben.barrier()
        assert ben.waiting("PRIVMSG") == []


async def test_an_operator_kills(ircd: Ircd) -> None:
    async with Person(ircd.host, ircd.port, "boss") as boss, Person(ircd.host, ircd.port, "victim") as victim:
        await boss.oper()
        await boss.send("KILL victim :enough")
        await victim.until("ERROR")
        with pytest.raises(AssertionError, match="the server closed the connection"):
            await victim.until("PRIVMSG")


@pytest.mark.parametrize(
    ("mode", "numeric"), [("+b guest!*@*", "474"), ("+i", "473"), ("+l 1", "471"), ("+k sesame", "475")]
)
async def test_channels_refuse_as_they_are_told(ircd: Ircd, mode: str, numeric: str) -> None:
    async with Person(ircd.host, ircd.port, "owner") as owner, Person(ircd.host, ircd.port, "guest") as guest:
        await owner.join("#closed")
        await owner.send(f"MODE #closed {mode}")
        await owner.barrier()
        with pytest.raises(AssertionError, match=f"guest may not join #closed: .* {numeric} "):
            await guest.join("#closed")


async def test_a_nick_may_have_thirty_characters(ircd: Ircd) -> None:
    nick = "n" * ircds.NICK_LENGTH
    async with Person(ircd.host, ircd.port, nick) as person:
        assert nick in (await person.until("001")).params


async def test_many_people_come_from_one_address(ircd: Ircd) -> None:
    people = [Person(ircd.host, ircd.port, f"crowd{number}") for number in range(24)]
    async with contextlib.AsyncExitStack() as crowd:
        # No more at a time than ngIRCd's listen queue holds.
        for first in range(0, len(people), 8):
            await asyncio.gather(*map(crowd.enter_async_context, people[first : first + 8]))
        assert len(await people[0].join("#crowd")) == 1


async def test_inspircd_has_the_capabilities_of_ircv3(inspircd: Inspircd) -> None:
    caps = ["message-tags", "server-time", "echo-message", "labeled-response", "batch"]
    async with Person(inspircd.host, inspircd.port, "modern", caps=caps) as modern:
        await modern.send("@label=7 PRIVMSG modern :to myself")
        echo = await modern.until(lambda line: line.command == "PRIVMSG" and line.tags.get("label") == "7")
        assert {"time", "msgid"} <= echo.tags.keys()


async def test_inspircd_floods_only_when_asked(directory: Path) -> None:
    async with Inspircd(directory, flood=True, password="open") as ircd, contextlib.AsyncExitStack() as people:
        welcome = [Person(ircd.host, ircd.port, f"p{number}", password="open") for number in range(5)]
        await asyncio.gather(*map(people.enter_async_context, welcome))
        with pytest.raises(AssertionError):
            await people.enter_async_context(Person(ircd.host, ircd.port, "one-too-many", password="open"))


async def test_the_greeter_answers(ircd: Ircd) -> None:
    async with (
        Greeter(ircd.host, ircd.port, channels=["#hall"]),
        Person(ircd.host, ircd.port, "visitor") as visitor,
    ):
        await visitor.join("#hall")
        await visitor.say("#hall", "good evening")
        assert (await visitor.until("PRIVMSG")).params == ["#hall", "hello, visitor! you said: good evening"]
        await visitor.say("greeter", "and you?")
        assert (await visitor.until("PRIVMSG")).params == ["visitor", "hello, visitor! you said: and you?"]


@pytest.mark.parametrize(
    ("raw", "tags", "nick", "command", "params"),
    [
        (":a!b@c PRIVMSG #x :hello there", {}, "a", "PRIVMSG", ["#x", "hello there"]),
        ("PING :irc.test", {}, "", "PING", ["irc.test"]),
        (r"@time=now;+x=a\:b\sc\\ :srv 001 me :", {"time": "now", "+x": "a;b c\\"}, "srv", "001", ["me", ""]),
        (":srv 353 me = #x :@a +b", {}, "srv", "353", ["me", "=", "#x", "@a +b"]),
        ("@only :s TAGMSG #x", {"only": ""}, "s", "TAGMSG", ["#x"]),
    ],
)
def test_lines_are_taken_apart(raw: str, tags: dict[str, str], nick: str, command: str, params: list[str]) -> None:
    line = parse(raw)
    assert (line.tags, line.nick, line.command, line.params) == (tags, nick, command, params)


def test_the_certificate_names_the_server(ngircd: Ngircd) -> None:
    assert isinstance(ngircd.certificate, Certificate)
    assert "irc.test" in ssl._ssl._test_decode_cert(str(ngircd.certificate.cert))["subjectAltName"][2][1]  # type: ignore[attr-defined]
