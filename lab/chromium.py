"""A headless Chromium that pages are looked at and used with, through the Chrome DevTools Protocol.

The protocol runs over two named pipes (--remote-debugging-pipe: JSON texts, each ended by a NUL), so no port is opened and no
library is needed. What it shows comes from loopback alone: everything that Chromium would ask its maker for is turned off.
"""

# ruff: noqa: ASYNC109 - `timeout` says how long the page is waited for before an error that shows what it complained of.

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from lab.process import LabError, Server, unprivileged

NAMES = ("chromium", "google-chrome-stable", "google-chrome", "chromium-browser")
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--disable-domain-reliability", "--metrics-recording-only", "--mute-audio",
    "--password-store=basic", "--hide-scrollbars", "--lang=en-US",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    # Its sandbox needs a kernel that lets users make namespaces; the pages are ours.
    "--no-sandbox",
)  # fmt: skip
STEP_SECONDS = 20.0
POLL_SECONDS = 0.05
PIPE_LIMIT = 64 * 1024 * 1024

Json = dict[str, Any]


def find() -> Path | None:
    """Chromium or Chrome: $CHROMIUM, else the first on PATH that is no snap (a snap sees neither our folders nor our pipes)."""
    for name in filter(None, (os.environ.get("CHROMIUM"), *NAMES)):
        path = shutil.which(name)
        if path is not None and not _is_snap(Path(path)):
            return Path(path)
    return None


def _is_snap(path: Path) -> bool:
    real = path.resolve()
    with real.open("rb") as file:
        return "snap" in real.parts or real.name == "snap" or b"/snap/" in file.read(4000)


class PageError(LabError):
    """The page did not do what was waited for, or its JavaScript failed."""


class Chromium(Server):
    """async with Chromium(directory) as browser: page = await browser.open(url)

    size    of the window's inside, in pixels
    """

    name = "chromium"
    start_timeout = 40.0
    stop_timeout = 5.0

    def __init__(self, directory: Path, *, size: tuple[int, int] = (1280, 800)) -> None:
        super().__init__(directory, user=unprivileged())
        self.size = size
        self.log = self.output
        self._pipe: _Pipe | None = None

    def prepare(self) -> None:
        for name in ("to", "from"):
            (self.dir / name).unlink(missing_ok=True)
            os.mkfifo(self.dir / name)

    def command(self) -> list[str]:
        program = find()
        if program is None:
            raise LabError("no Chromium: apt-get install chromium (Ubuntu's is a snap, which will not do: Google Chrome's .deb)")
        width, height = self.size
        flags = [*FLAGS, f"--user-data-dir={self.dir / 'profile'}", f"--window-size={width},{height}"]
        # Chromium reads commands from descriptor 3 and answers on 4.
        line = f"exec {shlex.join([str(program), *flags, 'about:blank'])} 3<{self.dir / 'to'} 4>{self.dir / 'from'}"
        return ["/bin/sh", "-c", line]

    def environment(self) -> dict[str, str]:
        # COMPAT: Debian's launcher and Chromium itself look for these; without them they ask the desktop.
        return {"XDG_RUNTIME_DIR": str(self.dir), "DBUS_SESSION_BUS_ADDRESS": "disabled:", "DISPLAY": ""}

    async def until_ready(self) -> None:
        self._pipe = await _Pipe.open(self.dir / "to", self.dir / "from")
        assert self.process is not None
        answer = asyncio.create_task(self._pipe.call("Browser.getVersion", timeout=self.start_timeout))
        over = asyncio.create_task(self.process.wait())
        await asyncio.wait({answer, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not answer.done():
            answer.cancel()
            raise LabError(f"chromium ended at its start{self.tail()}")
        await answer

    async def stop(self) -> None:
        """End it at once: its profile is thrown away, there is nothing to save."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        await self.kill()

    async def open(self, url: str = "about:blank") -> Page:
        """A new tab with `url` loaded, in a profile of its own: two tabs can be two users."""
        assert self._pipe is not None
        context = await self._pipe.call("Target.createBrowserContext")
        target = await self._pipe.call(
            "Target.createTarget", url="about:blank", browserContextId=context["browserContextId"],
            width=self.size[0], height=self.size[1],
        )  # fmt: skip
        attached = await self._pipe.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self._pipe, attached["sessionId"])
        await page.prepare(self.size)
        await page.go(url)
        return page


class Page:
    """A tab. `console` gathers what the page and the browser complain of."""

    def __init__(self, pipe: _Pipe, session: str) -> None:
        self._pipe = pipe
        self._session = session
        self.console: list[str] = []
        pipe.listeners[session] = self._event

    async def prepare(self, size: tuple[int, int]) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
        )

    async def call(self, method: str, **parameters: Any) -> Json:
        """A command of the DevTools protocol, in this tab; its result."""
        return await self._pipe.call(method, session=self._session, **parameters)

    async def go(self, url: str) -> None:
        """Load `url`; returns when the document is there. PageError when it cannot be had."""
        answer = await self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise PageError(f"{url}: {answer['errorText']}")
        await self.until("document.readyState === 'complete'", what=f"{url} to load")

    async def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression (a promise is awaited); must be JSON."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise PageError(f"{script}: {_complaint(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    async def until(self, script: str, *, what: str = "", timeout: float = STEP_SECONDS) -> None:
        """Wait until the expression is true. PageError, with the page's complaints, when it never is."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if await self.evaluate(f"Boolean({script})"):
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            said = "".join(f"\n    {line}" for line in self.console[-15:])
            raise PageError(f"the page was waited for in vain ({timeout:g} s): {what or script}{said}") from None

    async def until_text(self, selector: str, text: str, *, timeout: float = STEP_SECONDS) -> None:
        """Wait until an element that matches `selector` shows `text`."""
        script = f"[...document.querySelectorAll({json.dumps(selector)})].some(e => e.innerText.includes({json.dumps(text)}))"
        await self.until(script, what=f"{text!r} in {selector}", timeout=timeout)

    async def text(self, selector: str) -> list[str]:
        """What the matching elements show."""
        return await self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)")

    async def click(self, selector: str) -> None:
        """Click the middle of the first matching element, once it is there."""
        find = f"document.querySelector({json.dumps(selector)})"
        await self.until(f"{find}?.getClientRects().length", what=selector)
        place = await self.evaluate(f"(e => (e.scrollIntoViewIfNeeded(), e.getBoundingClientRect().toJSON()))({find})")
        at = {"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    async def write(self, selector: str, text: str) -> None:
        """Click into the first matching element and type `text`."""
        await self.click(selector)
        await self.call("Input.insertText", text=text)

    async def press(self, key: str = "Enter", code: int = 13) -> None:
        """Press a key that is no letter. code: its Windows virtual key code."""
        text = {"text": "\r"} if key == "Enter" else {}
        key_event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **key_event, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key_event)

    async def screenshot(self, path: Path) -> None:
        """Save what the tab shows, as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        _save(path, base64.b64decode(shot["data"]))

    def _event(self, method: str, parameters: Json) -> None:
        if method == "Runtime.exceptionThrown":
            self.console.append(_complaint(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(part.get("value", part.get("description", ""))) for part in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.console.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


def _save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _complaint(details: Json) -> str:
    return details.get("exception", {}).get("description") or details.get("text", "a JavaScript error")


class _Pipe:
    """The two named pipes: commands out, answers and events in."""

    def __init__(self, reader: asyncio.StreamReader, read: asyncio.ReadTransport, write: int) -> None:
        self._reader = reader
        self._read = read
        self._write = write
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self.listeners: dict[str, Any] = {}
        self._task = asyncio.create_task(self._receive())

    @classmethod
    async def open(cls, to: Path, back: Path) -> _Pipe:
        # Opened for both directions, so that neither side's open() waits for the other's, nor does an end look like one.
        write = os.open(to, os.O_RDWR | os.O_CLOEXEC)
        reader = asyncio.StreamReader(limit=PIPE_LIMIT)
        file = os.fdopen(os.open(back, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
        loop = asyncio.get_running_loop()
        read, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        return cls(reader, read, write)

    def close(self) -> None:
        self._task.cancel()
        self._read.close()
        with contextlib.suppress(OSError):
            os.close(self._write)

    async def call(self, method: str, *, session: str = "", timeout: float = STEP_SECONDS, **parameters: Any) -> Json:
        self._next += 1
        command: Json = {"id": self._next, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        answer = self._waiting[self._next] = asyncio.get_running_loop().create_future()
        # Commands are small beside a pipe's 64 KiB, and Chromium reads at once: this does not block.
        os.write(self._write, json.dumps(command).encode() + b"\0")
        try:
            return await asyncio.wait_for(answer, timeout)
        except TimeoutError:
            raise PageError(f"chromium did not answer {method} within {timeout:g} s") from None

    async def _receive(self) -> None:
        while True:
            message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            if "id" not in message:
                listener = self.listeners.get(message.get("sessionId", ""))
                if listener is not None:
                    listener(message["method"], message["params"])
                continue
            answer = self._waiting.pop(message["id"], None)
            if answer is None or answer.done():
                continue
            if "error" in message:
                answer.set_exception(PageError(f"chromium: {message['error']['message']}"))
            else:
                answer.set_result(message["result"])
