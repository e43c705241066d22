"""Clients in a terminal, as a person has them: Profanity and poezio in tmux, accounts already set up.

    async with Profanity(folder / "profanity", account) as client:
        await client.until("Connected|logged in"); await client.say("/msg bob@localhost hello"); await client.shot(path)

Each has its own home and its own tmux server (a socket in its folder). What is on the screen can be read as text or kept as a
picture. Debian's packages: tmux, profanity, poezio, fonts-dejavu-core.
"""
# ruff: noqa: ASYNC109 - `timeout` says how long a text is waited for before an error that shows the screen.

from __future__ import annotations

import asyncio
import re
import shlex
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from lab.desktop import Account
from lab.process import HOST, LabError, Server, program, unprivileged

SIZE = (110, 32)  # columns, rows
FONT: Final = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono{}.ttf"
#: xterm's sixteen colours, softened.
COLOURS: Final = (
    *("#1e1e1e", "#cd3131", "#4ea64e", "#c8a200", "#3b78d8", "#b452b4", "#2aa1b3", "#d0d0d0"),
    *("#7f7f7f", "#f14c4c", "#73d673", "#f5d442", "#6aa4f4", "#d88ad8", "#5cd0e0", "#ffffff"),
)
_STEPS: Final = (0, 95, 135, 175, 215, 255)


class Terminal(Server):
    """A client in a terminal of `size`. A subclass says what is run and writes the client's files in `prepare`."""

    program: str
    package: str

    def __init__(self, directory: Path, account: Account, size: tuple[int, int] = SIZE) -> None:
        super().__init__(directory, user=unprivileged())
        self.account = account
        self.size = size
        self.log = self.output

    def arguments(self) -> list[str]:
        return []

    def prepare(self) -> None:
        (self.dir / "tmux.conf").write_text(
            "set -g status off\nset -g default-shell /bin/sh\nset -g default-terminal tmux-256color\n"
            "set -g remain-on-exit on\nset -s escape-time 0\n"
        )
        for name in (".config", ".local/share", ".cache", "run"):
            (self.dir / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def command(self) -> list[str]:
        return [*self._tmux(), "-f", str(self.dir / "tmux.conf"), "-D"]

    def environment(self) -> dict[str, str]:
        return {
            "XDG_CONFIG_HOME": str(self.dir / ".config"),
            "XDG_DATA_HOME": str(self.dir / ".local/share"),
            "XDG_CACHE_HOME": str(self.dir / ".cache"),
            "XDG_RUNTIME_DIR": str(self.dir / "run"),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "DISPLAY": "",
            "TERM": "xterm-256color",
            "COLUMNS": str(self.size[0]),  # before the terminal itself, some ask these
            "LINES": str(self.size[1]),
        }

    async def until_ready(self) -> None:
        await self._until((self.dir / "socket").exists, "socket", self.start_timeout)
        columns, rows = map(str, self.size)
        run = shlex.join([program(self.program, self.package), *self.arguments()])
        await self._ask("new-session", "-d", "-x", columns, "-y", rows, run)

    # What a person's hands and eyes do ------------------------------------------------------------------------------

    async def say(self, line: str) -> None:
        """Type a line and press return."""
        await self.type(line)
        await self.key("Enter")

    async def type(self, text: str) -> None:
        await self._ask("send-keys", "-l", "--", text)

    async def key(self, *keys: str) -> None:
        """Press keys as tmux names them: Enter, M-2, C-n, PageUp."""
        await self._ask("send-keys", *keys)

    async def screen(self) -> str:
        """What stands on the screen."""
        return await self._ask("capture-pane", "-p")

    async def look(self) -> str:
        """The same with its colours, as ECMA-48 SGR sequences."""
        return await self._ask("capture-pane", "-p", "-e")

    async def until(self, pattern: str, timeout: float = 20, coloured: bool = False) -> str:
        """The screen once the regular expression is found on it; LabError with the screen when it is not."""
        wanted, deadline = re.compile(pattern), time.monotonic() + timeout
        while not wanted.search(screen := await (self.look if coloured else self.screen)()):
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} does not show {pattern!r} after {timeout:g} s:\n{screen}")
            await asyncio.sleep(0.05)
        return screen

    async def shot(self, path: Path) -> None:
        """A picture (PNG) of the screen."""
        text = await self.look()
        await asyncio.to_thread(draw, text, self.size, path)

    def _tmux(self) -> list[str]:
        return [program("tmux", "tmux"), "-S", str(self.dir / "socket")]

    async def _ask(self, *words: str) -> str:
        """What the tmux server says to a command."""
        process = await asyncio.create_subprocess_exec(*self._tmux(), *words, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(process.communicate(), 20)
        if process.returncode:
            raise LabError(f"{self.name}: tmux {shlex.join(words)}: {err.decode()}{self.tail()}")
        return out.decode()


class Profanity(Terminal):
    """Profanity 0.13, without TLS; its log is in `.local/share/profanity/logs`."""

    name = "profanity"
    program = "profanity"
    package = "profanity"

    def arguments(self) -> list[str]:
        return ["-a", self.account.jid, "-l", "DEBUG"]

    def prepare(self) -> None:
        super().prepare()
        account = {
            "enabled": "true",
            "jid": self.account.jid,
            "resource": "profanity",
            "server": HOST,
            "port": self.account.port,
            "tls.policy": "disable",
            "password": self.account.password,
            "muc.nick": self.account.local,
            "presence.last": "online",
            "presence.login": "online",
        }
        _write(self.dir / ".local/share/profanity/accounts", {self.account.jid: account})
        quiet = {"message": "false", "room": "false", "typing": "false", "invite": "false", "sub": "false"}
        _write(
            self.dir / ".config/profanity/profrc", {"ui": {"splash": "false", "beep": "false"}, "notifications": quiet}
        )


class Poezio(Terminal):
    """poezio 0.14; with TLS where the account says by which authority."""

    name = "poezio"
    program = "poezio"
    package = "poezio"

    def prepare(self) -> None:
        super().prepare()
        settings = {
            "jid": f"{self.account.jid}/poezio",
            "password": self.account.password,
            "custom_host": HOST,
            "custom_port": self.account.port,
            "default_nick": self.account.local,
            "force_encryption": "true" if self.account.ca else "false",
            "ca_cert_path": self.account.ca or "",
            "enable_avatars": "false",
            "go_to_previous_tab_on_alt_number": "false",
            "log_dir": self.dir / "logs",
        }
        _write(self.dir / ".config/poezio/poezio.cfg", {"Poezio": settings})


def _write(path: Path, sections: dict[str, dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()) for name, keys in sections.items()
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


# Pictures -------------------------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """One character and how it looks; `wide` ones take two columns."""

    text: str
    fore: str
    back: str
    bold: bool
    wide: bool


def draw(text: str, size: tuple[int, int], path: Path) -> None:
    """A picture of a terminal's text with its colours (ECMA-48 SGR), as `tmux capture-pane -e` gives it."""
    from PIL import Image, ImageDraw, ImageFont

    fonts = {bold: ImageFont.truetype(FONT.format("-Bold" if bold else ""), 14) for bold in (False, True)}
    width, height = 8, 18
    picture = Image.new("RGB", (size[0] * width + 16, size[1] * height + 16), COLOURS[0])
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(text.split("\n")[: size[1]]):
        column = 0
        for cell in cells(line):
            x, y = 8 + column * width, 8 + row * height
            column += 2 if cell.wide else 1
            if cell.back != COLOURS[0]:
                pen.rectangle((x, y, 7 + column * width, y + height - 1), cell.back)
            pen.text((x, y), cell.text, cell.fore, fonts[cell.bold])
    picture.save(path)


def cells(line: str) -> Iterator[Cell]:
    """The characters of a line, each as the sequences before it say."""
    look = _Look()
    for sequence, char in re.findall(r"\x1b\[([0-9;:]*)m|\x1b[()].|\x1b.|(.)", line):
        if char:
            yield look.cell(char)
        else:
            look.set([int(part or 0) for part in re.split("[;:]", sequence)])


class _Look:
    """The state that SGR sequences change."""

    def __init__(self) -> None:
        self.fore, self.back, self.bold, self.turned = COLOURS[7], COLOURS[0], False, False

    def cell(self, char: str) -> Cell:
        fore, back = (self.back, self.fore) if self.turned else (self.fore, self.back)
        return Cell(char, fore, back, self.bold, unicodedata.east_asian_width(char) in "WF")

    def set(self, codes: list[int]) -> None:
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()  # type: ignore[misc]
            elif code in (1, 22):
                self.bold = code == 1
            elif code in (7, 27):
                self.turned = code == 7
            elif code in (38, 48):
                self._colour(code, _chosen(codes))
            elif code in (39, 49):
                self._colour(code - 1, COLOURS[7 if code == 39 else 0])
            elif code // 10 in (3, 4, 9, 10):
                bright = 8 if code >= 90 else 0
                self._colour(48 if code // 10 in (4, 10) else 38, COLOURS[code % 10 + bright])

    def _colour(self, which: int, colour: str) -> None:
        if which == 38:
            self.fore = colour
        else:
            self.back = colour


def _chosen(codes: list[int]) -> str:
    """The colour that follows a 38 or 48: `5;N` or `2;R;G;B`; taken out of `codes`."""
    kind = codes.pop(0) if codes else 0
    if kind == 2:
        red, green, blue = (codes.pop(0) if codes else 0 for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    number = codes.pop(0) if codes else 7
    if number < 16:
        return COLOURS[number]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    red, green, blue = (_STEPS[(number - 16) // step % 6] for step in (36, 6, 1))
    return f"#{red:02x}{green:02x}{blue:02x}"
