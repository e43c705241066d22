"""The tour of Dino: what a person does with the gateway in a client without forms and commands, one picture for each step.

The gateway is added as a contact and written to. There is no window manager: dialogues stand where Dino puts them on a display
of SIZE, and places to click are of that. What was said is looked up in Dino's own database.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from lab.desktop import Dino
from lab.tour import ECHO, House, hills
from lab.tour_window import DRAWN, HILLS, HTTPS, WindowTour, run

HOUSE = HTTPS


class Tour(WindowTour):
    async def whole(self) -> None:
        await self.adds_the_gateway()
        await self.registers()
        await self.changes_preferences()
        await self.runs_a_command()
        await self.adds_a_contact_and_talks()
        await self.gets_a_picture()
        await self.joins_a_channel()
        await self.blocks()
        await self.unregisters()

    # Windows --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.display.focus(self.client.window)
        await self.display.key("ctrl+t")
        await self.window("Start Conversation")

    async def add(self, jid: str, picture: str) -> None:
        """A new contact."""
        await self.start()
        await self.press(108, 508)
        await self.window("Add Contact")
        await self.press(190, 130)
        await self.display.type(jid)
        await self.picture(picture)
        await self.press(274, 28)
        await self.display.focus(await self.display.window("Start Conversation"))
        await self.display.key("Escape")
        await asyncio.sleep(DRAWN)

    async def chat(self, jid: str) -> None:
        """The conversation with one of the contacts."""
        await self.start()
        await self.display.type(jid)
        await asyncio.sleep(DRAWN)
        await self.press(200, 137)
        await self.press(423, 28)

    async def says(self, text: str, answer: str, times: int = 1) -> None:
        """Write something; `answer` is in what there is to read then, so often."""
        await self.display.focus(self.client.window)
        await self.display.click(700, 662)
        await self.display.type(text + "\n")
        await self.until(f"message WHERE instr(body, '{answer}')", times)

    async def until(self, rows: str, times: int = 1) -> None:
        """So many rows are in Dino's database."""
        assert isinstance(self.client, Dino)
        await self.until_rows(self.client.database, rows, times=times)

    # Steps ----------------------------------------------------------------------------------------------------------

    async def adds_the_gateway(self) -> None:
        await self.add(ECHO, "1-add-gateway")
        await self.chat(ECHO)
        await self.says("help", "what you can send")
        await self.picture("2-help")

    async def registers(self) -> None:
        await self.says("register", "Your name")
        await self.says("not a name!", "digits and hyphens")
        await self.says("Alice", "Password")
        await self.says("secret", "You are registered")
        await self.picture("3-register")

    async def changes_preferences(self) -> None:
        await self.says("preferences", "Language")
        await self.picture("4-preferences")
        await self.says("cancel", "ancel")

    async def runs_a_command(self) -> None:
        await self.says("shout", "What")
        await self.says("hey", "The hills heard you")
        await self.picture("5-command")

    async def adds_a_contact_and_talks(self) -> None:
        await self.add(HILLS, "6-add-contact")
        await self.chat(HILLS)
        await self.says("Hello, hills", "Hello, hills", 2)
        await self.picture("7-talk")

    async def gets_a_picture(self) -> None:
        """alice sends a picture; the bridge fetches it and sends it back."""
        await self.press(338, 662)
        await self.window("Select file")
        await self.display.type("/")  # there is a line to type into then
        await asyncio.sleep(DRAWN)
        await self.display.type(str(hills(self.client.dir.parent))[1:])
        await asyncio.sleep(DRAWN)
        await self.display.key("Return")
        await asyncio.sleep(DRAWN)
        await self.display.focus(self.client.window)
        await self.press(578, 501)
        await self.until("file_transfer", 2)
        await self.picture("8-picture")

    async def joins_a_channel(self) -> None:
        await self.display.focus(self.client.window)
        await self.display.key("ctrl+g")
        await self.window("Join Channel")
        await self.display.type(self.house.room)
        await asyncio.sleep(DRAWN)
        await self.press(235, 137)
        await self.press(424, 28)
        await self.press(130, 170)
        await self.press(200, 170)
        await self.display.type("alice")
        await self.picture("9-join")
        await self.press(428, 28)
        await asyncio.sleep(2 * DRAWN)
        await self.says("Is this a garden?", "you said: Is this a garden?")
        await self.picture("10-channel")

    async def blocks(self) -> None:
        await self.chat(ECHO)
        await self.says("block", "Block a contact")
        await self.says(HILLS, "is blocked")
        await self.picture("11-blocked")

    async def unregisters(self) -> None:
        await self.says("unregister", "End your registration")
        await self.says("yes", "You have unregistered")
        await self.picture("12-unregistered")


async def tour(house: House, folder: Path, pictures: Path) -> None:
    await run(house, folder, pictures, Dino, Tour)
