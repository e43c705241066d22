"""Files of one bridge: where they are put and in which order, which links are followed, and that nobody takes all the places."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from tests.test_fetching import answer, serving, to
from tests.test_pictures import picture
from tests.test_web import Place, place  # noqa: F401 - a fixture
from tests.xmpp.test_uploads import EXAMPLE, Servers
from transports.config_models import Files as Settings
from transports.errors import LegacyError
from transports.events import File
from transports.files import exchange as files
from transports.files.exchange import Files, Turns
from transports.xmpp.uploads import NS

ADA = "ada@example.org"
PUT = ("upload.example.org", "request")


def slot(port: int, get: str = "") -> str:
    put = f"<put url='http://127.0.0.1:{port}/put'/>"
    return f"<slot xmlns='{NS}'>{put}<get url='{get or f'http://127.0.0.1:{port}/get/a.png'}'/></slot>"


class House:
    """A bridge's files, an XMPP server that answers from a table, and an HTTP server."""

    def __init__(self, servers: Servers, port: int, asked: list[str], settings: Settings, depot: object) -> None:
        self.servers = servers
        self.port = port
        self.asked = asked
        self.files = Files("far", servers.uploads, settings, depot)  # type: ignore[arg-type]

    def paths(self) -> list[str]:
        """What the HTTP server was asked for."""
        return [" ".join(head.split()[:2]) for head in self.asked]


@contextlib.asynccontextmanager
async def house(
    answers: dict[str, bytes], table: dict[tuple[str, str], str | None] | None = None, depot: object = None, **settings: object
) -> AsyncIterator[House]:
    """`table` None: the server of the examples, whose slots lead to the HTTP server."""
    async with serving(dict(answers)) as server:
        if table is None:
            table = {**EXAMPLE, PUT: slot(server.port)}
        given = Settings.model_validate(settings)
        yield House(Servers(table), server.port, server.asked, given, depot)


async def refused(work: object) -> LegacyError:
    with pytest.raises(LegacyError) as caught:
        await work  # type: ignore[misc]
    return caught.value


# To a client ----------------------------------------------------------------------------------------------------------


async def test_a_picture_is_put_where_the_server_says_and_told_of() -> None:
    data = picture("PNG")
    async with house({"/put": answer(b"", "201 Created")}) as there:
        file = await there.files.share(ADA, data, "../Mein Bild", "application/octet-stream")
        assert file.url == f"http://127.0.0.1:{there.port}/get/a.png" and there.paths() == ["PUT /put"]
        assert (file.name, file.type, file.size, file.width, file.height) == ("Mein Bild.png", "image/png", len(data), 400, 300)
        assert file.hashes == (("sha-256", b64encode(hashlib.sha256(data).digest()).decode()),)
        assert file.thumbnail.startswith("data:image/jpeg;base64,")


async def test_what_is_no_picture_has_no_thumbnail() -> None:
    async with house({"/put": answer(b"", "201 Created")}) as there:
        file = await there.files.share(ADA, b"BEGIN:VCARD", "", "text/vcard")
        assert (file.name, file.type, file.width, file.thumbnail) == ("file.vcf", "text/vcard", 0, "")


@pytest.mark.parametrize("status", ["", "403 Forbidden", "302 Found", "500 Oops"])
async def test_what_no_service_takes_is_kept_by_ourselves(status: str, place: Place) -> None:  # noqa: F811
    table = None if status else {**EXAMPLE, PUT: None}
    async with house({"/put": answer(b"", status or "200 OK")}, table, place.depot) as there:
        file = await there.files.share(ADA, b"data", "a.txt", "text/plain")
        assert file.url.startswith("https://gw.example.org/files/") and file.url.endswith("/a.txt")
        [row] = await place.rows.of(ADA)
        assert (row.bridge, row.filename, row.type, row.size) == ("far", "a.txt", "text/plain", 4)


async def test_where_nothing_takes_it_that_is_said() -> None:
    async with house({}, {("example.org", "querys"): "<query xmlns='http://jabber.org/protocol/disco#items'/>"}) as there:
        error = await refused(there.files.share(ADA, b"data", "a.txt"))
        assert error.condition == "service-unavailable" and "no place" in error.text


async def test_too_large_and_empty_files_are_refused_before_anybody_is_asked() -> None:
    async with house({}, max_size=1_000) as there:
        assert (await refused(there.files.share(ADA, bytes(1_001), "a"))).condition == "not-acceptable"
        assert (await refused(there.files.share(ADA, b"", "a"))).condition == "not-acceptable"
        assert there.servers.asked == []


async def test_a_file_that_is_too_large_for_the_service_says_so() -> None:
    async with house({}) as there:
        error = await refused(there.files.share(ADA, bytes(5_242_881), "a"))
        assert error.condition == "not-acceptable" and "5 MB" in error.text


async def test_no_log_has_the_secrets_of_a_slot(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    header = "<header name='Authorization'>canary</header>"
    async with house({"/put": answer(b"", "403 Forbidden")}) as there:
        there.servers.table[PUT] = slot(there.port).replace("/put'/>", f"/put'>{header}</put>")
        await refused(there.files.share(ADA, b"data", "a.txt"))
        assert "canary" in there.asked[0] and "canary" not in caplog.text
        assert "an upload failed" in caplog.text


# From a link ----------------------------------------------------------------------------------------------------------


async def test_a_link_from_the_users_upload_service_is_fetched() -> None:
    data = picture("PNG")
    async with house({"/get/x.png": answer(data, "200 OK", "Content-Type: application/octet-stream")}) as there:
        link = f"http://127.0.0.1:{there.port}/get/x.png"
        file, got = await there.files.fetch(ADA, File(link, desc="a cat"))
        assert got == data
        assert (file.url, file.name, file.type, file.size, file.desc) == (link, "x.png", "image/png", len(data), "a cat")
        assert file.hashes[0][0] == "sha-256"


@pytest.mark.parametrize(
    ("types", "taken"), [((), True), (("image/*",), True), (("image/png", "x/y"), True), (("video/*",), False)]
)
async def test_a_bridge_says_which_types_it_wants(types: tuple[str, ...], taken: bool) -> None:
    async with house({"/get/x.mp4": answer(picture("PNG"), "200 OK", "Content-Type: video/mp4")}) as there:
        fetched = there.files.fetch(ADA, File(f"http://127.0.0.1:{there.port}/get/x.mp4"), types)
        if taken:
            assert (await fetched)[0].type == "image/png"
        else:
            assert "image/png" in (await refused(fetched)).text


async def test_another_port_of_that_host_is_another_place() -> None:
    async with house({"/": answer()}) as there, serving({"/": answer()}) as other:
        error = await refused(there.files.fetch(ADA, File(f"http://127.0.0.1:{other.port}/")))
        assert error.condition == "not-allowed" and other.asked == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://elsewhere.example/a.png", "elsewhere.example is neither"),
        ("https://notexample.org/a.png", "notexample.org is neither"),
        ("https://example.org.evil.example/a.png", "is neither"),
        ("http://upload.example.org/a.png", "without encryption"),
        ("https://localhost/a.png", "is neither"),
        ("https://example.org/a.png", "example.org is neither"),
        ("https://intranet.example.org/a.png", "intranet.example.org is neither"),
        ("aesgcm://upload.example.org/a.png#00", "encrypted"),
    ],
)
async def test_links_to_others_are_refused(link: str, words: str) -> None:
    async with house({}, {**EXAMPLE, PUT: None}) as there:
        assert words in (await refused(there.files.fetch(ADA, File(link)))).text


async def test_the_name_of_an_upload_service_that_gives_no_slot_is_fetched_from_but_not_in_private_networks() -> None:
    host = "upload.example.org"
    async with house({"/": answer()}, {**EXAMPLE, PUT: None}) as there:
        looked_up: list[str] = []

        async def addresses(user: str, host: str) -> list[str]:
            looked_up.append(host)
            return ["127.0.0.1"]

        there.files._resolver.addresses = addresses  # type: ignore[method-assign]
        error = await refused(there.files.fetch(ADA, File(f"https://{host}:{there.port}/")))
        assert "private" in error.text and looked_up == [host] and there.asked == []


async def test_a_foreign_server_does_not_lead_into_the_operators_network() -> None:
    """Whoever runs else.where may name any service and any place; ours believes only its own server."""
    table: dict[tuple[str, str], str | None] = {
        (to.replace("example.org", "else.where"), tag): payload and payload.replace("example.org", "else.where")
        for (to, tag), payload in EXAMPLE.items()
    }
    async with house({"/get/a.png": answer(), "/put": answer(b"", "201 Created")}, table) as there:
        there.servers.table["upload.else.where", "request"] = slot(there.port)
        assert (await refused(there.files.fetch("eve@else.where", File(f"http://127.0.0.1:{there.port}/get/a.png")))).text
        assert (await refused(there.files.share("eve@else.where", b"data", "a.txt"))).text
        assert ("upload.else.where", "request") in there.servers.asked and there.asked == []


async def test_hosts_of_the_operator_are_fetched_from_at_their_port() -> None:
    async with serving({"/a": answer(b"data"), "/b": to("/a")}) as server:
        async with house({}, {}, hosts=[f"127.0.0.1:{server.port}"]) as there:
            for path in ("a", "b"):
                file, got = await there.files.fetch(ADA, File(f"http://127.0.0.1:{server.port}/{path}", "x.txt"))
                assert (got, file.name, file.type) == (b"data", "x.txt", "text/plain")
        async with house({}, {}, hosts=["127.0.0.1"]) as there:
            assert (await refused(there.files.fetch(ADA, File(f"http://127.0.0.1:{server.port}/a")))).text


async def test_a_redirect_leads_only_where_a_link_may() -> None:
    async with serving({"/secret": answer()}) as other, house({"/get/a": to(f"http://127.0.0.1:{other.port}/secret")}) as there:
        assert (await refused(there.files.fetch(ADA, File(f"http://127.0.0.1:{there.port}/get/a")))).condition == "not-allowed"
        assert other.asked == []


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512", "sha3-256", "blake2b-512", "sha-1"])
async def test_a_file_is_the_one_that_was_announced(algorithm: str) -> None:
    right = b64encode(hashlib.new(files.ALGORITHMS[algorithm], b"data").digest()).decode()
    wrong = b64encode(hashlib.new(files.ALGORITHMS[algorithm], b"other").digest()).decode()
    async with house({"/get/a": answer(b"data")}) as there:
        link = f"http://127.0.0.1:{there.port}/get/a"
        announced = File(link, hashes=((algorithm, right), ("sha-224", "unknown")))
        assert (await there.files.fetch(ADA, announced))[1] == b"data"
        error = await refused(there.files.fetch(ADA, announced._replace(hashes=((algorithm, wrong),))))
        assert error.condition == "not-acceptable" and "announced" in error.text


async def test_a_link_to_our_own_depot_is_read_at_home(place: Place) -> None:  # noqa: F811
    async with house({}, {}, place.depot) as there:
        url = await place.depot.put("sms", "bob@example.org", b"data", "a.txt", "text/plain")
        file, got = await there.files.fetch(ADA, File(url))
        assert (got, file.type, file.name) == (b"data", "text/plain", "a.txt")


# Turns ----------------------------------------------------------------------------------------------------------------


async def test_a_user_has_a_few_places_and_everybody_else_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAITING", 3)
    turns, inside, go = Turns(), [0], asyncio.Event()

    async def work(user: str) -> None:
        async with turns.of(user):
            inside[0] += 1
            await go.wait()

    ada = [asyncio.create_task(work(ADA)) for _ in range(files.AT_ONCE + 3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inside == [files.AT_ONCE]
    assert (await refused(work(ADA))).condition == "resource-constraint"
    others = [asyncio.create_task(work(f"u{n}@example.org")) for n in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inside == [files.ALTOGETHER]
    ada[-1].cancel()
    go.set()
    await asyncio.gather(*ada, *others, return_exceptions=True)
    assert inside == [files.AT_ONCE + 2 + 20] and not turns._users


def test_nothing_of_the_web_is_imported_before_the_first_file() -> None:
    import subprocess
    import sys

    code = "import sys, transports.app, transports.bridges.irc.bridge\n"
    code += "print([name for name in ('aiohttp', 'yarl', 'PIL', 'sqlalchemy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
