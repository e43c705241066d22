"""Files behind links: what is fetched, what is refused, and what a hostile server may do to us. Real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from yarl import URL

from lab import certificate
from transports.errors import LegacyError
from transports.files import fetching, putting, reach
from transports.files.reach import Reach
from transports.xmpp.uploads import Slot

MOST = 100_000
BODY = bytes(range(256)) * 40
Answer = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """An HTTP server of a few lines: what it was asked (request line and headers), and an answer for each path, as bytes."""

    def __init__(self, answers: dict[str, bytes | Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.asked.append(head)
            for line in head.lower().splitlines():
                if line.startswith("content-length:"):
                    self.bodies.append(await reader.readexactly(int(line.partition(":")[2])))
            answer = self.answers[head.split()[1]]
            if callable(answer):
                await answer(head, reader, writer)
            else:
                writer.write(answer)
                await writer.drain()


def answer(body: bytes = BODY, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, ""))
    return head.encode() + body


def to(location: str) -> bytes:
    return answer(b"", "302 Found", f"Location: {location}")


@contextlib.asynccontextmanager
async def serving(answers: dict[str, bytes | Answer], **options: Any) -> AsyncIterator[Server]:
    server = Server(answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, **options)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


class Names:
    """A resolver: each look-up of a name gives its next addresses."""

    def __init__(self, **names: list[list[str]]) -> None:
        self.names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.asked: list[str] = []

    async def addresses(self, user: str, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.names.get(host, [[host]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def anywhere(url: URL) -> bool:
    return True


async def outside(url: URL) -> bool:
    return False


async def fetch(link: str, permit: fetching.Permit = anywhere, names: Names | None = None, most: int = MOST) -> bytes:
    net = Reach((names or Names()).addresses)
    return (await fetching.fetch(net, "ada@example.org", link, permit, most)).data


async def refused(link: str, permit: fetching.Permit = anywhere, names: Names | None = None, most: int = MOST) -> LegacyError:
    with pytest.raises(LegacyError) as caught:
        await fetch(link, permit, names, most)
    return caught.value


# What is fetched ------------------------------------------------------------------------------------------------------


async def test_a_file_is_fetched_as_it_is_and_nothing_is_told() -> None:
    async with serving({"/a.bin?x=1": answer(BODY, "200 OK", "Content-Type: image/png")}) as server:
        net = Reach(Names().addresses)
        got = await fetching.fetch(net, "ada@example.org", f"http://127.0.0.1:{server.port}/a.bin?x=1#part", anywhere, MOST)
        assert got == (BODY, "image/png")
        [asked] = server.asked
        assert "ada" not in asked and "cookie" not in asked.lower() and "python" not in asked.lower()
        assert "accept-encoding: identity" in asked.lower()


async def test_three_redirects_are_followed_and_each_is_judged() -> None:
    judged: list[str] = []

    async def permit(url: URL) -> bool:
        judged.append(url.path)
        return True

    hops: dict[str, bytes | Answer] = {f"/{n}": to(f"/{n + 1}") for n in range(3)}
    async with serving({**hops, "/3": answer()}) as server:
        assert await fetch(f"http://127.0.0.1:{server.port}/0", permit) == BODY
    assert judged == ["/0", "/1", "/2", "/3"]


async def test_a_file_of_the_largest_size_passes_and_one_byte_more_does_not() -> None:
    async with serving({"/": answer(bytes(1_000))}) as server:
        link = f"http://127.0.0.1:{server.port}/"
        assert len(await fetch(link, most=1_000)) == 1_000
        assert (await refused(link, most=999)).condition == "not-acceptable"


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "aesgcm://upload.example.org/x.jpg#8b41",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "data:text/plain,x",
        "gopher://example.org/",
        "//example.org/x",
        "https://",
        "https:///x",
        "https://user:password@example.org/x",
        "https://user@example.org/x",
        "https://example.org:0/x",
        "https://example.org:99999/x",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1/",
        "https://example.org/" + "a" * 10_000,
        "",
        "not a link",
    ],
)
async def test_what_is_no_link_of_ours_is_refused_before_anybody_is_asked(link: str) -> None:
    names = Names()
    error = await refused(link, names=names)
    assert error.condition == "not-acceptable" and error.text and not names.asked
    assert ("encrypted" in error.text) == link.startswith("aesgcm")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1"],
)
async def test_private_addresses_are_refused_by_name_and_by_number(address: str) -> None:
    async with serving({"/": answer()}) as server:
        names = Names(inside_example=[[address]])
        for host in ("inside.example", f"[{address}]" if ":" in address else address):
            error = await refused(f"http://{host}:{server.port}/", outside, names)
            assert error.condition == "not-allowed" and "private" in error.text
        assert server.asked == []


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "fd00:ec2::254", "224.0.0.1"])
async def test_some_addresses_are_refused_even_where_the_operator_leads(address: str) -> None:
    assert (await refused("http://x.example/", anywhere, Names(x_example=[[address]]))).condition == "not-allowed"


async def test_of_mixed_addresses_only_the_fit_ones_are_tried() -> None:
    async with serving({"/": answer()}) as server:
        names = Names(mixed_example=[["169.254.169.254", "127.0.0.1"]])
        assert await fetch(f"http://mixed.example:{server.port}/", anywhere, names) == BODY


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{}/secret", "http://inside.example:{}/secret", "http://[::ffff:127.0.0.1]:{}/secret"]
)
async def test_a_redirect_to_a_private_address_is_refused(target: str) -> None:
    async def permit(url: URL) -> bool:
        return url.host == "upload.example"  # the operator's; where it leads to is not

    answers: dict[str, bytes | Answer] = {"/secret": answer()}
    async with serving(answers) as server:
        answers["/"] = to(target.format(server.port))
        names = Names(upload_example=[["127.0.0.1"]], inside_example=[["127.0.0.1"]])
        error = await refused(f"http://upload.example:{server.port}/", permit, names)
        assert error.condition == "not-allowed" and len(server.asked) == 1


async def test_a_redirect_to_another_scheme_is_refused() -> None:
    async with serving({"/": to("file:///etc/passwd")}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "not-acceptable"


async def test_a_name_that_changes_its_address_is_connected_to_where_it_was_judged() -> None:
    async with serving({"/": answer()}) as server:
        names = Names(rebinding_example=[["127.0.0.1"], ["169.254.169.254"]])
        assert await fetch(f"http://rebinding.example:{server.port}/", anywhere, names) == BODY
        assert names.asked == ["rebinding.example"]  # once: the answer of a moment later is never asked for
        names = Names(rebinding_example=[["93.184.216.34"], ["127.0.0.1"]])
        assert await Reach(names.addresses)._addresses("ada", "rebinding.example", False) == ["93.184.216.34"]


async def test_more_redirects_are_not_followed() -> None:
    async with serving({"/": to("/")}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "item-not-found"
        assert len(server.asked) == fetching.REDIRECTS + 1


async def test_a_certificate_that_is_not_valid_is_refused() -> None:
    import ssl

    from lab.process import folder

    with folder("transports-test-") as path:
        made = certificate.make(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.both)
        async with serving({"/": answer()}, ssl=context) as server:
            error = await refused(f"https://localhost:{server.port}/", anywhere, Names(localhost=[["127.0.0.1"]]))
            assert error.condition == "remote-server-not-found" and "certificate" in error.text
            assert server.asked == []


# What a server may do -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "condition", "again"),
    [
        ("404 Not Found", "item-not-found", False),
        ("410 Gone", "item-not-found", False),
        ("403 Forbidden", "remote-server-not-found", False),
        ("206 Partial Content", "remote-server-not-found", False),
        ("503 Busy", "remote-server-not-found", True),
        ("429 Too Many", "remote-server-not-found", True),
    ],
)
async def test_statuses_have_words(status: str, condition: str, again: bool) -> None:
    async with serving({"/": answer(b"x", status)}) as server:
        error = await refused(f"http://127.0.0.1:{server.port}/")
        assert (error.condition, error.retry_after is not None) == (condition, again) and "127.0.0.1" in error.text


async def test_an_answer_that_says_it_is_too_large_is_not_read() -> None:
    async with serving({"/": answer(b"x", length=MOST + 1)}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "not-acceptable"


async def test_an_endless_answer_is_left_when_it_is_too_large() -> None:
    written = 0

    async def endless(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(10_000))
            await writer.drain()
            written += 10_000

    async with serving({"/": endless}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "not-acceptable"
    assert written < 20_000_000


async def test_an_answer_that_unpacks_to_more_is_refused_packed() -> None:
    packed = gzip.compress(bytes(50_000_000))
    async with serving({"/": answer(packed, "200 OK", "Content-Encoding: gzip")}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "remote-server-not-found"


async def test_an_answer_that_is_shorter_than_it_said_is_no_file() -> None:
    async with serving({"/": answer(b"half", length=1_000)}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "remote-server-timeout"


@pytest.mark.parametrize("garbage", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n"])
async def test_what_is_no_http_is_an_error(garbage: bytes) -> None:
    async with serving({"/": garbage}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/")).condition == "remote-server-timeout"


async def test_nobody_there_is_an_error_that_is_worth_another_try() -> None:
    async with serving({}) as server:
        pass
    error = await refused(f"http://127.0.0.1:{server.port}/")
    assert error.condition == "remote-server-timeout" and error.retry_after


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes."])
async def test_a_server_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(reach, "SILENT", 0.2)

    async def silent(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await reader.read()

    async with serving({"/": silent}) as server:
        error = await refused(f"http://127.0.0.1:{server.port}/")
        assert error.condition == "remote-server-timeout" and error.retry_after


async def test_a_server_that_drips_is_left_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "WITHIN", 0.3)

    async def drip(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving({"/": drip}) as server:
        assert (await refused(f"http://127.0.0.1:{server.port}/", most=1_000)).condition == "remote-server-timeout"


# Into a slot ----------------------------------------------------------------------------------------------------------


def slot(port: int, *headers: tuple[str, str], own: bool = True, host: str = "127.0.0.1") -> Slot:
    return Slot(f"http{'s' * (not own)}://{host}:{port}/put", "https://download.example/x", headers, own)


async def test_a_file_is_put_with_what_the_slot_says() -> None:
    async with serving({"/put": answer(b"", "201 Created")}) as server:
        wanted = (("Authorization", "Basic x"), ("Cookie", "a"), ("Cookie", "b"))
        await putting.put(Reach(Names().addresses), "ada", slot(server.port, *wanted), BODY, "image/png")
        [asked] = server.asked
        assert asked.startswith("PUT /put HTTP/1.1\r\n") and server.bodies == [BODY]
        lines = asked.splitlines()
        assert [line for line in lines if line.startswith(("Cookie", "Authorization"))] == [
            "Authorization: Basic x",
            "Cookie: a",
            "Cookie: b",
        ]
        assert "Content-Type: image/png" in lines and f"Content-Length: {len(BODY)}" in lines


async def test_a_large_file_is_put_in_pieces() -> None:
    async with serving({"/put": answer(b"", "201 Created")}) as server:
        await putting.put(Reach(Names().addresses), "ada", slot(server.port), bytes(5_000_000), "a/b")
        assert server.bodies == [bytes(5_000_000)] and "\r\nContent-Length: 5000000\r\n" in server.asked[0]


@pytest.mark.parametrize("status", ["403 Forbidden", "302 Found", "413 Too Large", "500 Oops", "411 Length"])
async def test_a_service_that_does_not_take_it_is_an_error(status: str) -> None:
    async with serving({"/put": answer(b"", status, "Location: /put")}) as server:
        with pytest.raises(LegacyError) as caught:
            await putting.put(Reach(Names().addresses), "ada", slot(server.port), BODY, "image/png")
        assert status[:3] in caught.value.text and len(server.asked) == 1


@pytest.mark.parametrize(("address", "own"), [("127.0.0.1", False), ("10.0.0.1", False), ("169.254.169.254", True)])
async def test_a_slot_does_not_lead_where_it_must_not(address: str, own: bool) -> None:
    async with serving({"/put": answer(b"", "201 Created")}) as server:
        with pytest.raises(LegacyError) as caught:
            names = Names(up_example=[[address]])
            await putting.put(Reach(names.addresses), "ada", slot(server.port, own=own, host="up.example"), BODY, "a/b")
        assert caught.value.condition == "not-allowed" and server.asked == []


async def test_a_slot_of_another_server_is_not_used_without_encryption() -> None:
    """XEP-0363 4; and no server elsewhere has us say its words at a port of the old protocols."""
    async with serving({"/put": answer(b"", "201 Created")}) as server:
        with pytest.raises(LegacyError) as caught:
            foreign = slot(server.port)._replace(own=False)
            await putting.put(Reach(Names().addresses), "ada", foreign, BODY, "a/b")
        assert "without encryption" in caught.value.text and server.asked == []
