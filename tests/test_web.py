"""The web application as the world meets it: what is served and how, and what hostile requests come to. Real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web as aio

from transports import web
from transports.config_values import HostPort
from transports.errors import LegacyError
from transports.files.depot import Depot
from transports.store.database import open_database
from transports.store.files import Files, StoredFile
from transports.web import Listener

URL = "https://gw.example.org"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
HTML = b"<script>alert(document.domain)</script>"


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Place:
    """A depot with its store, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"
        self.clock = Clock()
        self.opened = 0
        self.rows: Files
        self.depot = Depot(self.folder, URL, 30, self.open)

    async def open(self) -> Files:
        self.opened += 1
        return self.rows


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    database = await open_database(f"sqlite:///{tmp_path / 'transports.db'}")
    made.rows = Files(database, made.clock)
    yield made
    await database.close()


@contextlib.asynccontextmanager
async def listening(application: aio.Application) -> AsyncIterator[int]:
    listener = Listener("listen", HostPort("127.0.0.1", 0), application)
    await listener.start()
    try:
        yield listener.port
    finally:
        await listener.stop()


@contextlib.asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def talk(port: int, request: bytes) -> bytes:
    """Everything that comes for a request as it is written here."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    with contextlib.closing(writer):
        return await asyncio.wait_for(reader.read(), 10)


# Files ----------------------------------------------------------------------------------------------------------------


async def test_a_file_is_served_as_it_was_kept(place: Place) -> None:
    url = await place.depot.put("sms", "ada@example.org", PNG, "très cool.png", "image/png")
    assert url.startswith(f"{URL}/files/") and url.endswith("/tr%C3%A8s%20cool.png")
    assert len(url.split("/")[4]) >= 27  # 160 bits in Base64
    async with listening(web.public(place.depot)) as port, client() as session:
        here = url.replace(URL, f"http://127.0.0.1:{port}")
        async with session.get(here) as answer:
            assert (answer.status, await answer.read()) == (200, PNG)
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.headers["Content-Disposition"] == "inline; filename*=UTF-8''tr%C3%A8s%20cool.png"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"].startswith("private")
            assert "Server" not in answer.headers and "Set-Cookie" not in answer.headers
        async with session.head(here) as answer:
            assert (answer.status, answer.headers["Content-Length"], await answer.read()) == (200, str(len(PNG)), b"")
        async with session.get(here, headers={"Range": "bytes=1-3"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"PNG")
    folder, [kept] = place.folder, list(place.folder.iterdir())
    assert (folder.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize(
    ("data", "name", "type", "shown"),
    [
        (HTML, "x.html", "text/html", "attachment"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "x.svg", "image/svg+xml", "attachment"),
        (b"%PDF-1.7", "x.pdf", "application/pdf", "attachment"),
        (b"OggS\x00", "x.ogg", "audio/ogg", "inline"),
        (b"text", "x.txt", "text/plain", "attachment"),
    ],
)
async def test_what_may_run_is_never_shown_in_place(place: Place, data: bytes, name: str, type: str, shown: str) -> None:
    url = await place.depot.put("sms", "ada@example.org", data, name, type)
    async with (
        listening(web.public(place.depot)) as port,
        client() as session,
        session.get(url.replace(URL, f"http://127.0.0.1:{port}")) as answer,
    ):
        assert answer.headers["Content-Disposition"].startswith(shown)
        assert answer.headers["Content-Type"] == type
        assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_everything_else_is_not_found(place: Place) -> None:
    url = await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    name = url.split("/")[4]
    (place.folder.parent / "secret").write_text("secret")
    paths = [
        "/files/", "/files", f"/files/{name}", f"/files/{name}/", f"/files/{name}/b.png", f"/files/{name}/a.png/",
        f"/files/{name[:-1]}/a.png", f"/files/{name.swapcase()}/a.png", f"/files/{name}%00/a.png", "/files/../secret",
        "/files/..%2fsecret/a.png", "/files/%2e%2e/secret", "/files/..%5c..%5csecret/a.png", "//files//a", "/",
        "/transports.db", f"/files/{name}.part/a.png", "/admin", "/readyz", "/metrics", "/%ff",
    ]  # fmt: skip
    async with listening(web.public(place.depot)) as port:
        for path in paths:
            answer = await talk(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 404 "), (path, answer)
            assert b"secret" not in answer and b"Python" not in answer and b"\r\nServer:" not in answer
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            request = f"{method} /files/{name}/a.png HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            assert (await talk(port, request.encode())).startswith(b"HTTP/1.1 405 ")


async def test_a_file_goes_when_its_time_is_over(place: Place) -> None:
    url = await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    name, filename = url.split("/")[4:]
    assert await place.depot.find(name, filename) is not None
    place.clock.now += 30 * 86_400 + 1
    assert await place.depot.find(name, filename) is None
    await place.depot.sweep()
    assert list(place.folder.iterdir()) == [] and await place.rows.expired() == []


async def test_what_a_crash_has_left_goes_and_what_is_kept_stays(place: Place) -> None:
    await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    [kept] = place.folder.iterdir()
    old = time.time() - 7_200
    for stray in (place.folder / "stray", place.folder / "x.part", place.folder / "young"):
        stray.write_bytes(b"x")
        if stray.name != "young":
            os.utime(stray, (old, old))
    os.utime(kept, (old, old))
    await place.depot.sweep()
    assert {path.name for path in place.folder.iterdir()} == {kept.name, "young"}


async def test_the_depot_has_room_for_so_much(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.files.depot.OWN_ROOM", 10_000)
    await place.depot.put("sms", "ada@example.org", bytes(9_000), "a", "a/b")
    with pytest.raises(LegacyError):
        await place.depot.put("sms", "ada@example.org", bytes(2_000), "a", "a/b")
    await place.depot.put("sms", "bob@example.org", bytes(2_000), "a", "a/b")
    monkeypatch.setattr("transports.files.depot.ROOM", 12_000)
    with pytest.raises(LegacyError) as caught:
        await place.depot.put("sms", "eve@example.org", bytes(2_000), "a", "a/b")
    assert caught.value.condition == "resource-constraint" and caught.value.retry_after
    assert len(list(place.folder.iterdir())) == 2


async def test_a_full_disk_is_an_error_with_words_and_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.depot.put("sms", "ada@example.org", b"first", "a", "a/b")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LegacyError) as caught:
        await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    assert caught.value.condition == "resource-constraint"
    assert len(list(place.folder.iterdir())) == 1


async def test_a_host_without_files_never_opens_the_store(place: Place) -> None:
    assert await place.depot.find("x" * 32, "a.png") is None
    await place.depot.sweep()
    assert await place.depot.read(f"{URL}/files/x/a.png") is None
    assert place.opened == 0


@pytest.mark.parametrize("name", ["x" * 32, "..", "../transports.db", "a.part", "x" * 31 + "\0", "\u0660" * 32, ""])
async def test_who_guesses_names_costs_the_store_nothing(place: Place, name: str) -> None:
    await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    opened = place.opened
    assert await place.depot.find(name, "a.png") is None
    assert place.opened == opened


async def test_our_own_links_are_read_without_the_web(place: Place) -> None:
    url = await place.depot.put("sms", "ada@example.org", PNG, "très.png", "image/png")
    assert await place.depot.read(url) == (PNG, "image/png")
    assert await place.depot.read(url.replace("gw.", "other.")) is None
    assert await place.depot.read(f"{url}/x") is None
    [kept] = place.folder.iterdir()
    kept.unlink()
    assert await place.depot.read(url) is None


async def test_a_row_without_bytes_is_not_found(place: Place) -> None:
    await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    row = StoredFile("n" * 32, "sms", "ada@example.org", "b.png", "image/png", 1, "0" * 64, 0.0, 9e9)
    await place.rows.put(row)
    assert await place.depot.find("n" * 32, "b.png") is None


# The listeners --------------------------------------------------------------------------------------------------------


async def get(port: int, path: str, **options: Any) -> tuple[int, str]:
    async with client() as session, session.get(f"http://127.0.0.1:{port}{path}", **options) as answer:
        return answer.status, await answer.text()


async def test_health_and_readiness() -> None:
    missing: list[str] = ["irc.example.org"]
    async with listening(web.admin(lambda: missing)) as port:
        assert await get(port, "/healthz") == (200, "ok\n")
        assert await get(port, "/readyz") == (503, "waiting for irc.example.org\n")
        missing.clear()
        assert await get(port, "/readyz") == (200, "ready\n")
    async with listening(web.public(None)) as port:
        assert await get(port, "/healthz") == (200, "ok\n")
        assert (await get(port, "/files/x/y"))[0] == 404


class Hooked:
    """A bridge with a webhook."""

    def routes(self) -> list[aio.RouteDef]:
        async def hook(request: aio.Request) -> aio.Response:
            return aio.Response(text=str(len(await request.read())))

        async def broken(request: aio.Request) -> aio.Response:
            raise RuntimeError("canary")

        return [aio.post("/sms/hook", hook), aio.get("/sms/broken", broken)]


async def test_a_bridge_adds_its_webhooks_and_their_bodies_are_bounded() -> None:
    routes = web.routes_of([object(), Hooked()])
    async with listening(web.public(None, routes)) as port, client() as session:
        async with session.post(f"http://127.0.0.1:{port}/sms/hook", data=b"x" * 1_000) as answer:
            assert await answer.text() == "1000"
        async with session.post(f"http://127.0.0.1:{port}/sms/hook", data=io.BytesIO(bytes(web.LARGEST + 1))) as answer:
            assert answer.status == 413


async def test_a_handler_that_fails_tells_the_log_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(web.public(None, web.routes_of([Hooked()]))) as port:
        status, text = await get(port, "/sms/broken")
    assert status == 500 and "canary" not in text and "canary" in caplog.text


async def test_the_log_has_neither_queries_nor_whole_names(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "transports.web")
    url = await place.depot.put("sms", "ada@example.org", PNG, "a.png", "image/png")
    async with listening(web.public(place.depot)) as port:
        await get(port, "/healthz?token=canary")
        await get(port, "/sms/hook?token=canary")
        async with client() as session, session.get(url.replace(URL, f"http://127.0.0.1:{port}")) as answer:
            await answer.read()
    lines = [record.getMessage() for record in caplog.records if record.name == "transports.web"]
    assert "canary" not in caplog.text and url.split("/")[4] not in caplog.text
    assert sum(line.startswith("http method=GET") for line in lines) == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_shortly_and_tells_nothing(garbage: bytes) -> None:
    async with listening(web.public(None)) as port:
        answer = await talk(port, garbage)
        assert b" 400 " in answer[:20] and b"aiohttp" not in answer and b"Python" not in answer
        assert await get(port, "/healthz") == (200, "ok\n")


@pytest.mark.parametrize("begin", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow:"])
async def test_a_connection_that_says_nothing_whole_is_closed(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(web, "IDLE", 0.3)
    async with listening(web.public(None)) as port:
        began = time.monotonic()
        await talk(port, begin)
        assert time.monotonic() - began < 5


async def test_who_asks_and_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "STALLED", 0.3)
    async with listening(web.public(None)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        with contextlib.closing(writer), pytest.raises(ConnectionError):
            async with asyncio.timeout(20):
                while True:
                    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
                    await writer.drain()
        assert reader.exception() is not None
        assert await get(port, "/healthz") == (200, "ok\n")


async def test_who_reads_on_in_time_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "STALLED", 0.05)

    class Wire(asyncio.Transport):
        ended = asyncio.Event()

        def abort(self) -> None:
            self.ended.set()

    connection = web._Patient(asyncio.Protocol())
    connection.connection_made(Wire())
    connection.pause_writing()
    connection.resume_writing()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Wire.ended.wait(), 0.2)
    connection.pause_writing()
    await asyncio.wait_for(Wire.ended.wait(), 5)


async def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WITHIN", 0.2)
    async with listening(web.public(None, web.routes_of([Hooked()]))) as port:
        head = b"POST /sms/hook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nabc"
        assert b" 408 " in (await talk(port, head))[:20]


async def test_more_connections_than_so_many_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "CONNECTIONS", 2)
    async with listening(web.public(None)) as port, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            await _.readuntil(b"ok\n")
        assert await talk(port, b"") == b""


async def test_a_port_that_is_taken_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transports.web")
    monkeypatch.setattr(web, "AGAIN", 0.05)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        listener = Listener("admin", HostPort("127.0.0.1", port), web.public(None))
        await listener.start()
        assert listener.port == 0 and "another program has it" in caplog.text and "[http] admin" in caplog.text
    async with asyncio.timeout(5):
        while not listener.port:  # noqa: ASYNC110 - it is the loop's own clock that is waited for
            await asyncio.sleep(0.01)
    assert await get(port, "/healthz") == (200, "ok\n")
    await listener.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(port, "/healthz")


async def test_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(path))  # an earlier run that was killed
    first, second = (Listener("listen", f"unix:{path}", web.public(None)) for _ in range(2))
    await first.start()
    assert path.stat().st_mode & 0o777 == 0o660
    await second.start()  # somebody answers there: it is not taken away
    await second.stop()
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://gw/healthz") as answer,
    ):
        assert answer.status == 200
    await first.stop()


async def test_a_file_in_the_sockets_place_is_not_taken_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "http.sock").write_text("precious")
    listener = Listener("listen", f"unix:{tmp_path / 'http.sock'}", web.public(None))
    await listener.start()
    await listener.stop()
    assert (tmp_path / "http.sock").read_text() == "precious" and "cannot listen" in caplog.text
