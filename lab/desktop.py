"""Clients with windows, as a person has them: Gajim and Dino on an X display of their own, accounts already set up.

    async with Display(folder / "x") as display, Gajim(folder / "gajim", display, account) as gajim:
        await gajim.until_log(…); await gajim.open("xmpp:…"); await display.type("hello\\n"); await display.shot(path)

Each has its own home, session bus and runtime directory below its folder. Nothing is clicked to log in: what a person would have
set up stands in the client's own files. There is no window manager: `resize` and `focus` do what one would.
Debian's packages: xvfb, xdotool, imagemagick, x11-utils, dbus, gajim, dino-im.
"""
# ruff: noqa: ASYNC109 - `timeout` says how long a window is waited for before an error that says what there is.

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shlex
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Self

from lab.process import HOST, LabError, Server, program, unprivileged
from lab.tap import Tap

SIZE = (1280, 800)
#: Where Dino looks for the server of `localhost`: it has no setting for the port, and SRV records are not for localhost.
DINO_PORT = 5222
#: The authorities that GnuTLS trusts on Debian.
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


class Account(NamedTuple):
    """Who logs in where. `ca`: the authority of the server's certificates, which the client trusts; None: no TLS."""

    jid: str
    password: str
    port: int
    ca: Path | None = None

    @property
    def local(self) -> str:
        return self.jid.partition("@")[0]

    @property
    def domain(self) -> str:
        return self.jid.partition("@")[2]


class Display(Server):
    """An X server without a screen. `name` is its DISPLAY."""

    name = "xvfb"

    def __init__(self, directory: Path, size: tuple[int, int] = SIZE) -> None:
        super().__init__(directory)
        self.size = size
        self.number = 0

    @property
    def display(self) -> str:
        return f":{self.number}"

    def prepare(self) -> None:
        (self.dir / "number").unlink(missing_ok=True)

    def command(self) -> list[str]:
        """The server finds a number that is free, and says it on descriptor 3."""
        screen = "x".join(map(str, (*self.size, 24)))
        words = [
            program("Xvfb", "xvfb"),
            "-displayfd",
            "3",
            "-screen",
            "0",
            screen,
            "-nolisten",
            "tcp",
            "-noreset",
            "-ac",
        ]
        return ["/bin/sh", "-c", f"exec {shlex.join(words)} 3>{shlex.quote(str(self.dir / 'number'))}"]

    async def until_ready(self) -> None:
        said = self.dir / "number"
        await self._until(lambda: said.exists() and said.read_text().endswith("\n"), "display", self.start_timeout)
        self.number = int(said.read_text())

    # What a person's hands and eyes do ------------------------------------------------------------------------------

    async def shot(self, path: Path) -> None:
        """A picture (PNG) of all that is on the display."""
        await self._run("import", "imagemagick", "-window", "root", str(path))

    async def windows(self) -> dict[int, str]:
        """Visible windows with a title: id -> title."""
        found = await self._run("xdotool", "xdotool", "search", "--onlyvisible", "--name", ".", wrong=True)
        return {int(id): await self._title(id) for id in found.split()}

    async def window(self, title: str, timeout: float = 20) -> int:
        """The id of the window with `title` in its title, when it is there."""
        deadline = time.monotonic() + timeout
        while True:
            windows = await self.windows()
            for id, name in windows.items():
                if title in name:
                    return id
            if time.monotonic() > deadline:
                raise LabError(f"no window {title!r} after {timeout:g} s; there are {windows}")
            await asyncio.sleep(0.1)

    async def resize(self, window: int, x: int, y: int, width: int, height: int) -> None:
        await self._do(
            "windowmove", "--sync", str(window), str(x), str(y), "windowsize", str(window), str(width), str(height)
        )

    async def focus(self, window: int) -> None:
        """Without `--sync`, here and below: it waits for many seconds for what is so already."""
        await self._do("windowraise", str(window), "windowfocus", str(window))
        await asyncio.sleep(0.2)

    async def type(self, text: str) -> None:
        """Type into what has the focus; a line break is the return key."""
        for number, line in enumerate(text.split("\n")):
            if number:
                await self.key("Return")
            if line:
                await self._do("type", "--delay", "5", "--", line)

    async def key(self, *keys: str) -> None:
        """Press keys as xdotool names them: Return, ctrl+n."""
        await self._do("key", "--delay", "20", *keys)

    async def click(self, x: int, y: int, button: int = 1) -> None:
        await self._do("mousemove", str(x), str(y), "sleep", "0.05", "click", str(button))

    async def _do(self, *words: str) -> None:
        await self._run("xdotool", "xdotool", *words)

    async def _title(self, id: str) -> str:
        return (await self._run("xdotool", "xdotool", "getwindowname", id, wrong=True)).strip()

    async def _run(self, name: str, package: str, *words: str, wrong: bool = False) -> str:
        """What a program says; LabError when it fails, unless that may be (`wrong`)."""
        environment = {**os.environ, "DISPLAY": self.display}
        process = await asyncio.create_subprocess_exec(
            program(name, package), *words, env=environment, stdout=-1, stderr=-1
        )
        out, err = await asyncio.wait_for(process.communicate(), 30)
        if process.returncode and not wrong:
            raise LabError(f"{name} {shlex.join(words)}: {err.decode()}")
        return out.decode()


class Bus(Server):
    """A session bus (D-Bus) of one's own. `address` is what DBUS_SESSION_BUS_ADDRESS holds."""

    name = "bus"

    @property
    def address(self) -> str:
        return f"unix:path={self.dir}/socket"

    def prepare(self) -> None:
        (self.dir / "socket").unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [program("dbus-daemon", "dbus"), "--session", "--nofork", "--nopidfile", f"--address={self.address}"]

    async def until_ready(self) -> None:
        await self._until((self.dir / "socket").exists, "socket", self.start_timeout)


class Desktop(Server):
    """A client with a window on `display`, logged in as `account`. A subclass writes the client's files in `prepare`."""

    program: str
    package: str
    title: str
    start_timeout = 60.0

    def __init__(
        self, directory: Path, display: Display, account: Account, language: str = "en_US", *, user: str | None = None
    ) -> None:
        super().__init__(directory, user=user)
        self.display = display
        self.account = account
        self.language = language
        self.bus = Bus(self.dir / "bus", user=user)
        self.log = self.output
        self.window = 0

    def prepare(self) -> None:
        for name in ("run", ".config", ".local/share", ".cache"):
            (self.dir / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.dir / "run").chmod(0o700)

    def command(self) -> list[str]:
        """With a mount namespace of its own, in which the account's authority stands where the system's stand.

        `mount` wants root, and Gajim wants anybody else: a second namespace is of the user again who runs the client.
        """
        words = shlex.join([program(self.program, self.package)])
        if self.account.ca is None:
            return shlex.split(words)
        unshare = program("unshare", "util-linux")
        rights, own = [], ""
        if os.geteuid() or self.user:
            user = pwd.getpwnam(self.user) if self.user else pwd.getpwuid(os.geteuid())
            rights, own = ["--map-root-user"], f"{unshare} --map-user={user.pw_uid} --map-group={user.pw_gid}"
        line = f'mount --bind {shlex.quote(str(self.account.ca))} {TRUSTED} && exec {own} {words} "$@"'
        return [unshare, "--mount", *rights, "/bin/sh", "-c", line, "sh"]

    def environment(self) -> dict[str, str]:
        """Nothing of this machine's desktop, no network but loopback, pictures by software."""
        return {
            "DISPLAY": self.display.display,
            "DBUS_SESSION_BUS_ADDRESS": self.bus.address,
            "XDG_RUNTIME_DIR": str(self.dir / "run"),
            "XDG_CONFIG_HOME": str(self.dir / ".config"),
            "XDG_DATA_HOME": str(self.dir / ".local/share"),
            "XDG_CACHE_HOME": str(self.dir / ".cache"),
            "LANGUAGE": self.language,
            "GSETTINGS_BACKEND": "memory",
            "GDK_BACKEND": "x11",
            "GSK_RENDERER": "cairo",
            "GTK_A11Y": "none",
            "NO_AT_BRIDGE": "1",
            "GTK_USE_PORTAL": "0",
        }

    async def start(self) -> None:
        if not self.bus.running:
            await self.bus.__aenter__()
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await self.bus.stop()

    async def kill(self) -> None:
        await super().kill()
        await self.bus.kill()

    async def until_ready(self) -> None:
        self.window = 0
        while not self.window:
            if not self.running:
                raise LabError(f"{self.name} ended at its start{self.tail()}")
            with contextlib.suppress(LabError):
                self.window = await self.display.window(self.title, timeout=1)
        width, height = self.display.size
        await self.display.resize(self.window, 0, 0, width, height)
        await self.display.focus(self.window)

    async def open(self, uri: str) -> None:
        """Hand an xmpp: URI (RFC 5122, XEP-0147) to the client that runs, as a link in a browser would."""
        process = await self._spawn([*self.command(), uri])
        status = await asyncio.wait_for(process.wait(), 30)
        if status:
            raise LabError(f"{self.name} did not take {uri}{self.tail()}")


class Gajim(Desktop):
    """Gajim 1.7, which refuses root: the settings are JSON in SQLite."""

    name = "gajim"
    program = "gajim"
    package = "gajim"
    title = "Gajim"

    def __init__(self, directory: Path, display: Display, account: Account, language: str = "en_US") -> None:
        super().__init__(directory, display, account, language, user=unprivileged())

    def prepare(self) -> None:
        super().prepare()
        path = self.dir / ".config" / "gajim" / "settings.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(
                "CREATE TABLE settings (name TEXT UNIQUE, settings TEXT);"
                "CREATE TABLE account_settings (account TEXT UNIQUE, settings TEXT);"
                "PRAGMA user_version = 5;"
            )
            for name, values in self._settings().items():
                connection.execute("INSERT INTO settings VALUES (?, ?)", (name, json.dumps(values)))
            settings = json.dumps({"account": self._account(), "contact": {}, "group_chat": {}})
            connection.execute("INSERT INTO account_settings VALUES (?, ?)", (self.account.domain, settings))
            connection.commit()

    def _settings(self) -> dict[str, Any]:
        app = {
            "use_keyring": False,
            "check_for_update": False,
            "show_intro": False,
            "mainwin_width": self.display.size[0],
            "mainwin_height": self.display.size[1],
            "trayicon": "never",
            "sounds_on": False,
            "autopopup": False,
            "ask_offline_status": False,
        }
        workspace = {"name": "Tour", "color": "rgb(48,110,176)", "avatar_sha": "", "chats": []}
        workspaces = {"a8ffcb8c-0f9f-4d2b-8b6a-5c0ff3c8f7a1": workspace}
        return {
            "app": app,
            "soundevents": {},
            "status_presets": {},
            "proxies": {},
            "plugins": {},
            "workspaces": workspaces,
        }

    def _account(self) -> dict[str, Any]:
        account = self.account
        return {
            "name": account.local,
            "hostname": account.domain,
            "account_label": account.jid,
            "password": account.password,
            "resource": "gajim",
            "active": True,
            "autoconnect": True,
            "savepass": True,
            "use_custom_host": True,
            "custom_host": HOST,
            "custom_port": account.port,
            "custom_type": "PLAIN",
            "confirm_unencrypted_connection": False,
            "send_os_info": False,
        }


class Dino(Desktop):
    """Dino 0.4: it wants TLS with a certificate that the system trusts, and the usual port.

    The database is Dino's own, made by a first start.
    """

    name = "dino"
    program = "dino-im"
    package = "dino-im"
    title = "Dino"

    def __init__(self, directory: Path, display: Display, account: Account, language: str = "en_US") -> None:
        super().__init__(directory, display, account, language)
        if account.ca is None:
            raise LabError("Dino wants TLS: Prosody(…, tls=True), Account(…, ca=prosody.certificate.ca)")
        self._way = Tap(account.port, at=DINO_PORT)

    @property
    def database(self) -> Path:
        return self.dir / ".local" / "share" / "dino" / "dino.db"

    async def __aenter__(self) -> Self:
        try:
            await self._way.__aenter__()
        except OSError as error:
            raise LabError(f"Dino looks for its server at port {DINO_PORT}, which somebody else has") from error
        return await super().__aenter__()

    async def __aexit__(self, *exception: object) -> None:
        await super().__aexit__(*exception)
        await self._way.__aexit__(*exception)

    async def start(self) -> None:
        if not self._has_account():
            await super().start()
            await super().stop()
            self._add_account()
        await super().start()

    def _has_account(self) -> bool:
        if not self.database.exists():
            return False
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute("SELECT 1 FROM account").fetchone() is not None

    def _add_account(self) -> None:
        row = {
            "bare_jid": self.account.jid,
            "resourcepart": "dino",
            "password": self.account.password,
            "alias": "",
            "enabled": 1,
        }
        with closing(sqlite3.connect(self.database)) as connection:
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO account ({names}) VALUES ({marks})", tuple(row.values()))
            connection.commit()
