"""The clients of the tours start, log in and can be looked at. Whoever has not installed one does without its test."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.desktop import Account, Desktop, Dino, Display, Gajim
from lab.house import is_free
from lab.process import folder
from lab.prosody import Prosody
from lab.terminal import COLOURS, Poezio, Profanity, Terminal, cells

PNG = b"\x89PNG\r\n\x1a\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Prosody]:
    with folder("transports-test-") as path:
        async with Prosody(path, tls=True) as server:
            yield server


def account(server: Prosody, name: str) -> Account:
    assert server.certificate is not None
    return Account(server.jid(name), f"{name}pw", server.c2s_port, server.certificate.ca)


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(Gajim, "alice", marks=needs("gajim", "Xvfb", "xdotool", "import", "dbus-daemon")),
        pytest.param(Dino, "bob", marks=needs("dino-im", "Xvfb", "xdotool", "import", "dbus-daemon")),
    ],
)
async def test_a_client_with_a_window_logs_in(server: Prosody, directory: Path, kind: type[Desktop], name: str) -> None:
    if kind is Dino and not is_free(5222):
        pytest.skip("Dino knows no other port, and somebody else has it")
    async with (
        Display(directory / "x") as display,
        kind(directory / "client", display, account(server, name)) as client,
    ):
        await server.until_log(f"Authenticated as {name}@localhost", timeout=30)
        assert kind.title in (await display.windows())[client.window]
        await display.shot(directory / "shot.png")
        assert (directory / "shot.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        pytest.param(Profanity, "carol", "logged in successfully", marks=needs("profanity", "tmux")),
        pytest.param(Poezio, "dave", "Authentication success", marks=needs("poezio", "tmux")),
    ],
)
async def test_a_client_in_a_terminal_logs_in(
    server: Prosody, directory: Path, kind: type[Terminal], name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the shell of whoever starts it lets nobody in, as under CI."""
    pytest.importorskip("PIL")
    monkeypatch.setenv("SHELL", "/bin/false")
    async with kind(directory / "client", account(server, name)) as client:
        await client.until(said)
        await client.say(f"/help {name}")
        await client.until(name)
        await client.shot(directory / "shot.png")
        assert (directory / "shot.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("line", "looks"),
    [
        ("a", [("a", COLOURS[7], COLOURS[0], False)]),
        ("\x1b[1;31ma\x1b[0mb", [("a", COLOURS[1], COLOURS[0], True), ("b", COLOURS[7], COLOURS[0], False)]),
        ("\x1b[7ma", [("a", COLOURS[0], COLOURS[7], False)]),
        ("\x1b[94;102ma", [("a", COLOURS[12], COLOURS[10], False)]),
        ("\x1b[38;5;196ma", [("a", "#ff0000", COLOURS[0], False)]),
        ("\x1b[48;5;244;38;2;1;2;3ma", [("a", "#010203", "#808080", False)]),
        ("\x1b[38;5;9;39;49ma", [("a", COLOURS[7], COLOURS[0], False)]),
        ("\x1b[38ma\x1b[48;2mb", [("a", COLOURS[7], COLOURS[0], False), ("b", COLOURS[7], "#000000", False)]),
        ("\x1b(Ba", [("a", COLOURS[7], COLOURS[0], False)]),
    ],
)
def test_the_colours_of_a_terminal(line: str, looks: list[tuple[str, str, str, bool]]) -> None:
    assert [cell[:4] for cell in cells(line)] == looks
