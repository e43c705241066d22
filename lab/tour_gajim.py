"""The tour of Gajim: what a person does with the gateway in its windows, one picture for each step.

There is no window manager: dialogues stand where Gajim puts them on a display of SIZE, and places to click are of that.
What was said is looked up in Gajim's own history.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from lab.desktop import Gajim
from lab.tour import House, hills
from lab.tour_window import DRAWN, HILLS, HTTPS, WindowTour, run

HOUSE = HTTPS
#: The commands of the echo in the order of their list, from the first row's middle, a row's height apart.
COMMANDS = ["jabber:iq:register", "preferences", "unregister", "add", "block", "unblock", "blocked", "shout"]
FIRST, ROW = 184, 33


class Tour(WindowTour):
    async def whole(self) -> None:
        await self.finds_the_gateway()
        await self.registers()
        await self.changes_preferences()
        await self.runs_a_command()
        await self.adds_a_contact_and_talks()
        await self.gets_a_picture()
        await self.joins_a_channel()
        await self.blocks()
        await self.unregisters()

    # Windows --------------------------------------------------------------------------------------------------------

    async def main(self) -> None:
        await self.display.focus(self.client.window)

    async def fill(self, x: int, y: int, text: str) -> None:
        await self.display.click(x, y)
        await self.display.key("ctrl+a")
        await self.display.type(text)
        await asyncio.sleep(DRAWN)  # a form is judged a moment after the last key

    async def close(self, title: str) -> None:
        await self.window(title)
        await self.display.key("Escape")
        await asyncio.sleep(DRAWN)

    async def menu(self, y: int) -> None:
        """An entry of the menu “Accounts”."""
        await self.main()
        await self.press(92, 12)
        await self.press(130, y)

    async def services(self) -> None:
        """The services of the server, the echo chosen among them."""
        await self.menu(112)
        await self.window("Browsing")
        await asyncio.sleep(2 * DRAWN)  # one after the other is put where it belongs
        await self.press(430, 465)

    async def command(self, node: str, ends: bool = False) -> None:
        """Begin a command of the echo; ends: it asks nothing."""
        await self.press(380, FIRST + ROW * COMMANDS.index(node))
        await self.press(783, 559)
        await self.window("Completed" if ends else "Stage")

    async def commands(self) -> None:
        await self.services()
        await self.press(430, 589)
        await self.window("Command List")

    async def done(self) -> None:
        await self.close("Completed")
        await self.close("Browsing")

    async def chat(self, jid: str) -> None:
        await self.main()
        await self.display.key("ctrl+n")
        await self.window("Start / Join Chat")
        await self.display.type(jid)
        await asyncio.sleep(DRAWN)
        await self.display.key("Return")
        await asyncio.sleep(DRAWN)

    async def says(self, text: str) -> None:
        await self.main()
        await self.press(700, 676)
        await self.display.type(text + "\n")

    async def until_said(self, text: str, times: int = 1) -> None:
        """A text with `text` in it is in Gajim's history so often."""
        history = self.client.dir / ".local" / "share" / "gajim" / "logs.db"
        await self.until_rows(history, "logs WHERE instr(message, ?)", (text,), times)

    # Steps ----------------------------------------------------------------------------------------------------------

    async def finds_the_gateway(self) -> None:
        await self.services()
        await self.picture("1-services")

    async def registers(self) -> None:
        await self.press(529, 589)
        await self.window("Register")
        await self.fill(640, 328, "not a name!")
        await self.fill(640, 374, "x")
        await self.picture("2-register")
        await self.press(781, 508)
        await self.window("Registration failed")
        await self.picture("3-register-wrong")
        await self.press(710, 508)
        await self.fill(640, 328, "Alice")
        await self.fill(640, 374, "secret")
        await self.press(781, 508)
        await self.close("Registration successful")
        await self.close("Browsing")
        await self.press(34, 668)
        await self.picture("4-roster")

    async def changes_preferences(self) -> None:
        await self.commands()
        await self.picture("5-commands")
        await self.command("preferences")
        await self.press(660, 338)
        await self.display.key("Down", "Return")
        await self.picture("6-preferences")
        await self.press(790, 559)
        await self.done()

    async def runs_a_command(self) -> None:
        await self.commands()
        await self.command("shout")
        await self.fill(600, 204, "hey")
        await self.press(790, 559)
        await self.window("Completed")
        await self.picture("7-command")
        await self.done()
        await self.press(34, 668)
        await self.picture("8-contacts")

    async def adds_a_contact_and_talks(self) -> None:
        await self.menu(62)
        await self.window("Add Contact")
        await self.display.type(f"{HILLS}\n")
        await self.picture("9-add-contact")
        await self.press(665, 508)
        await self.chat(HILLS)
        await self.says("Hello, hills")
        await self.until_said("Hello, hills Hello, hills")
        await self.picture("10-talk")

    async def gets_a_picture(self) -> None:
        """alice sends a picture; the bridge fetches it and sends it back."""
        await self.press(1017, 675)
        await self.press(760, 540)
        await self.window("Choose File")
        await asyncio.sleep(DRAWN)
        await self.display.type("/")  # there is a line to type into then
        await asyncio.sleep(DRAWN)
        await self.display.type(str(hills(self.client.dir.parent))[1:])
        await asyncio.sleep(2 * DRAWN)  # what is typed is looked up
        await self.display.key("Return")
        await asyncio.sleep(DRAWN)
        await self.main()
        await self.press(960, 592)
        await self.until_said("hills.png", 2)
        await self.picture("11-picture")

    async def joins_a_channel(self) -> None:
        await self.chat(self.house.room)
        await self.picture("12-join")
        await self.press(725, 615)
        await asyncio.sleep(2 * DRAWN)
        await self.says("Is this a garden?")
        await self.until_said("you said: Is this a garden?")
        await self.picture("13-channel")

    async def blocks(self) -> None:
        await self.commands()
        await self.command("block")
        await self.fill(600, 220, HILLS)
        await self.picture("14-block")
        await self.press(790, 559)
        await self.window("Completed")
        await self.press(783, 559)
        await self.window("Command List")
        await self.command("blocked", ends=True)
        await self.picture("15-blocked")
        await self.done()

    async def unregisters(self) -> None:
        await self.commands()
        await self.command("unregister")
        await self.press(448, 260)
        await self.picture("16-unregister")
        await self.press(780, 559)
        await self.done()
        await self.press(34, 668)
        await self.picture("17-gone")


async def tour(house: House, folder: Path, pictures: Path) -> None:
    await run(house, folder, pictures, Gajim, Tour)
