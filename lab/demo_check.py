"""scripts/demo --check: what a person does with the demo, done by a headless Chromium, and seen from IRC as well.

Steps print one line each; the first that fails is an error with the last lines of every log.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from lab.chromium import Chromium, Page, PageError
from lab.house import CHANNEL, House
from lab.irc import Line, Person
from lab.process import LabError

USER = "alice"
WITNESS = "ada"
QUESTION = "Hello from a browser 👋 Does this arrive on IRC?"
ANSWER = "It does, alice. I am ada, on plain old IRC: no XMPP here."
MESSAGES = ".chat-msg__text"
OCCUPANTS = ".occupant-list"


@contextlib.contextmanager
def step(what: str, running: House) -> Iterator[None]:
    """One line for what is done within; what goes wrong becomes a LabError with everybody's log."""
    start = time.monotonic()
    try:
        yield
    except (LabError, AssertionError) as error:
        logs = "".join(f"\n\n{server.name}{server.tail()}" for server in running.servers)
        raise LabError(f"this failed: {what}\n{error}{logs}") from None
    print(f"ok  {what} ({time.monotonic() - start:.1f} s)", flush=True)


async def check(running: House, folder: Path, screenshot: Path) -> None:
    """Log in, join, speak, be answered; a picture in any case. LabError when anything of it does not work."""
    ircd, url = running.ircd, running.page(USER)
    async with Person(ircd.host, ircd.port, WITNESS, real_name="Ada") as ada, Chromium(folder / "chromium") as browser:
        await ada.join(CHANNEL)
        with step(f"Chromium opens {url}", running):
            page = await browser.open(url)
        try:
            await talk(page, ada, running)
        finally:
            with contextlib.suppress(PageError):
                await page.screenshot(screenshot)
                print(f"    screenshot: {screenshot}", flush=True)
    print("\nThe demo works.", flush=True)


async def talk(page: Page, ada: Person, running: House) -> None:
    with step(f"{USER} logs in and joins the channel", running):
        await page.until("document.querySelector('.chat-textarea')", what="the channel to open")
    with step(f"the page shows who is there: {USER}, {WITNESS} and the greeter", running):
        for nick in (USER, WITNESS, "greeter"):
            await page.until_text(OCCUPANTS, nick)

    def arrived(line: Line) -> bool:
        return line.command == "PRIVMSG" and line.nick == USER and line.params == [CHANNEL, QUESTION]

    with step(f"what {USER} says arrives on IRC, word for word", running):
        await page.write(".chat-textarea", QUESTION)
        await page.press("Enter")
        await ada.until(arrived)
    with step("the page shows it, and the greeter's answer from IRC", running):
        await page.until_text(MESSAGES, f"hello, {USER}! you said: {QUESTION}")
    with step(f"the page shows what {WITNESS} says on IRC", running):
        await ada.say(CHANNEL, ANSWER)
        await page.until_text(MESSAGES, ANSWER)
    with step("in the order in which it was said", running):
        in_order(await page.text(MESSAGES), QUESTION, f"hello, {USER}!", ANSWER)


def in_order(shown: list[str], *wanted: str) -> None:
    """AssertionError unless the texts that begin with `wanted` are shown in that order."""
    places = [next(place for place, text in enumerate(shown) if text.startswith(beginning)) for beginning in wanted]
    assert places == sorted(places), f"the page shows {shown}"
