"""Files through the whole house: to alice as a file in her chat, from her as a link; by her server's uploads and without them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import socket
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

import aiohttp
import pytest
from PIL import Image

from lab.domain import XmppServer
from lab.gateway import Gateway, StartGateway, settings
from lab.process import HOST, folder, free_ports
from lab.prosody import Prosody
from lab.xmpp import Client, Stanza, text
from tests.scenarios.irc import client

TEST = "test.localhost"
ALICE = "alice@localhost"
FRIEND = f"friend@{TEST}"
UPLOAD = "urn:xmpp:http:upload:0"
SFS = "{urn:xmpp:sfs:0}"
FILE = "{urn:xmpp:file:metadata:0}"


def photo(side: int = 300) -> bytes:
    """A picture that no other test has, of some hundred kilobytes."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(out, "PNG")
    return out.getvalue()


class House:
    """A gateway with the tests' bridge, whose far side is the test."""

    def __init__(self, gateway: Gateway, port: int, alice: Client) -> None:
        self.gateway = gateway
        self.port = port
        self.alice = alice
        self.said: asyncio.Queue[str] = asyncio.Queue()

    async def far(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The far side takes everything and keeps its text."""
        line = (await reader.readline()).decode()
        writer.write(b"OK far1\n")
        writer.close()
        self.said.put_nowait(json.loads(line.split(" ", 4)[4]))

    async def ask(self, line: str) -> list[str]:
        reader, writer = await asyncio.open_connection(HOST, self.port, limit=2**24)
        with contextlib.closing(writer):
            writer.write(f"{line}\n".encode())
            return (await asyncio.wait_for(reader.readline(), 30)).decode().split()

    async def share(self, key: str, data: bytes, name: str = "cat.png") -> list[str]:
        return await self.ask(f"FILE {key} {ALICE} friend {name} {b64encode(data).decode()}")

    async def fetch(self, key: str, url: str) -> list[str]:
        return await self.ask(f"FETCH {key} {ALICE} {url}")


@contextlib.asynccontextmanager
async def house(server: XmppServer, **sections: Mapping[str, object]) -> AsyncIterator[House]:
    port, far_port = free_ports(2)
    options = {"port": port, "far": f"{HOST}:{far_port}"}
    tables = settings(server, changes=sections)  # type: ignore[arg-type]
    del tables["irc"]
    tables["bridges"] = {"test": {"module": "tests.bridges.echo.bridge", "domain": TEST, "options": options}}
    with folder("transports-test-") as path:
        async with Gateway(path, tables) as gateway, client(server, "alice", "files") as alice:
            there = House(gateway, port, alice)
            async with await asyncio.start_server(there.far, HOST, far_port):
                yield there
                assert gateway.log_lines(" (error|critical) ") == []


async def download(url: str) -> tuple[bytes, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.read(), answer.headers["Content-Type"]


async def upload(alice: Client, data: bytes, name: str) -> str:
    """As a client does it; the link."""
    request = f"<request xmlns='{UPLOAD}' filename='{name}' size='{len(data)}' content-type='image/png'/>"
    [slot] = await alice.iq(f"<iq type='get' to='upload.localhost'>{request}</iq>")
    put, get = sorted(slot, key=lambda child: child.tag, reverse=True)
    headers = {"Content-Type": "image/png", **{header.get("name", ""): header.text or "" for header in put}}
    async with aiohttp.ClientSession() as session, session.put(put.get("url", ""), data=data, headers=headers) as done:
        assert done.status == 201
    return get.get("url", "")


def shown(message: Stanza) -> tuple[str, str, str]:
    """The links that a client finds in a message: the body, XEP-0066's, XEP-0447's."""
    target = message.find(f"{SFS}file-sharing/{SFS}sources/{{http://jabber.org/protocol/url-data}}url-data")
    return text(message) or "", message.findtext("{jabber:x:oob}x/{jabber:x:oob}url") or "", target.get("target", "")  # type: ignore[union-attr]


async def arrives(there: House, key: str, data: bytes) -> str:
    """A picture from the far side is a file in alice's chat, and what she downloads is that picture; its link."""
    verb, _, url = await there.share(key, data)
    assert verb == "OK"
    message = await there.alice.until(lambda stanza: text(stanza) == url)
    assert message.get("from", "").startswith(FRIEND) and shown(message) == (url, url, url)
    told = message.find(f"{SFS}file-sharing/{FILE}file")
    assert told is not None
    said = {child.tag.rpartition("}")[2]: child for child in told}
    names = ("media-type", "name", "size", "width", "height")
    assert [said[name].text for name in names] == ["image/png", "cat.png", str(len(data)), "300", "300"]
    assert (said["hash"].get("algo"), said["hash"].text) == ("sha-256", b64encode(sha256(data).digest()).decode())
    uri = said["thumbnail"].get("uri", "")
    with Image.open(io.BytesIO(b64decode(uri.partition(",")[2]))) as small:
        assert uri.startswith("data:image/jpeg;base64,") and max(small.size) <= 128 and len(uri) < 8_192
    assert await download(url) == (data, "image/png")
    return url


async def test_a_picture_reaches_alice_and_her_link_reaches_the_far_side(server: XmppServer) -> None:
    """By the upload service of her server: on Prosody as alice, on ejabberd in the gateway's own name."""
    async with house(server) as there:
        await arrives(there, "k1", photo())
        data = photo()
        link = await upload(there.alice, data, "dog.png")
        oob = f"<x xmlns='jabber:x:oob'><url>{link}</url></x>"
        await there.alice.say(FRIEND, link, kind="chat", more=oob)
        assert link in await asyncio.wait_for(there.said.get(), 10)
        verb, _, type, got = await there.fetch("k2", link)
        assert (verb, type, b64decode(got)) == ("OK", "image/png", data)


async def test_a_link_is_fetched_though_nothing_was_shared_before(server: XmppServer) -> None:
    async with house(server) as there:
        data = photo(20)
        verb, _, _, got = await there.fetch("k1", await upload(there.alice, data, "dog.png"))
        assert (verb, b64decode(got)) == ("OK", data)


async def test_links_elsewhere_are_refused(server: XmppServer) -> None:
    async with house(server) as there:
        for port in (server.c2s_port, server.component_port):
            assert await there.fetch("k1", f"http://{HOST}:{port}/") == ["ERR", "k1", "not-allowed"]
        assert await there.fetch("k2", "https://elsewhere.example/x") == ["ERR", "k2", "not-allowed"]
        assert await there.fetch("k3", f"aesgcm://{HOST}:{server.http_port}/upload/x#00") == ["ERR", "k3", "not-acceptable"]
        assert await there.fetch("k4", f"{server.http_url}/upload/nobody/x.png") == ["ERR", "k4", "item-not-found"]


async def test_where_only_users_may_upload_it_is_done_as_alice() -> None:
    with folder("transports-test-") as path:
        async with Prosody(path, upload="users") as server, house(server) as there:
            await arrives(there, "k1", photo())
            assert there.gateway.log_lines("an upload failed") == []


@contextlib.asynccontextmanager
async def without_uploads() -> AsyncIterator[tuple[House, int, int]]:
    """A house whose server takes no uploads; the gateway's own ports, for the world and for the operator."""
    port, admin = free_ports(2)
    http = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}", "admin": f"{HOST}:{admin}"}
    with folder("transports-test-") as path:
        async with Prosody(path, upload=False) as server, house(server, http=http) as there:
            yield there, port, admin


async def test_where_nobody_takes_uploads_the_gateway_keeps_them_itself() -> None:
    async with without_uploads() as (there, port, admin):
        data = photo()
        url = await arrives(there, "k1", data)
        assert re.fullmatch(rf"http://{HOST}:{port}/files/[\w-]{{32}}/cat\.png", url)
        verb, _, type, got = await there.fetch("k2", url)
        assert (verb, type, b64decode(got)) == ("OK", "image/png", data)
        html = (await there.share("k3", b"<script>alert(1)</script>", "cat.html"))[2]
        async with aiohttp.ClientSession() as session:
            async with session.get(html) as answer:
                assert answer.headers["Content-Disposition"].startswith("attachment")
                assert "sandbox" in answer.headers["Content-Security-Policy"]
            for where, path, status in ((port, "healthz", 200), (port, "readyz", 404), (admin, "readyz", 200)):
                async with session.get(f"http://{HOST}:{where}/{path}") as answer:
                    assert (answer.status, answer.headers.get("Server")) == (status, None)
        log = there.gateway.log_text()
        assert url.split("/")[4] not in log and "path=/files/" in log
        folder = there.gateway.dir / "files"
        assert [path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())] == [0o700, 0o600, 0o600]


async def test_a_port_that_is_taken_keeps_no_bridge_waiting(prosody: XmppServer, gateway: StartGateway) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        admin = free_ports(1)[0]
        http = {"listen": f"{HOST}:{port}", "admin": f"{HOST}:{admin}"}
        there = await gateway(prosody, changes={"http": http})
        [line] = there.log_lines("cannot listen")
        assert f"listen={HOST}:{port}" in line and "[http] listen" in line and "retry=5" in line
        async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{admin}/readyz") as answer:
            assert await answer.text() == "ready\n"
    await there.until_log(f"listening listen={HOST}:{port}", timeout=15)
    assert await there.terminate() == 0


@pytest.mark.parametrize("section", ["", "[http]"])
async def test_the_web_costs_memory_only_where_it_is_wanted(prosody: XmppServer, gateway: StartGateway, section: str) -> None:
    port, admin = free_ports(2)
    changes = {"http": {"listen": f"{HOST}:{port}", "admin": f"{HOST}:{admin}"}} if section else {}
    there = await gateway(prosody, changes=changes)
    assert _maps(there, "_http_parser") is bool(section)


def _maps(there: Gateway, library: str) -> bool:
    """Whether a process has loaded a compiled library whose name begins so."""
    with open(f"/proc/{there.pid}/maps", encoding="utf-8") as maps:
        return library in maps.read()
