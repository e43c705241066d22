"""The tour of Converse.js: what a person does with the gateway in a browser, one picture for each step.

Its commands are in the settings (“Commands”), where the gateway's JID is typed: it takes no domain for a contact.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab import tour_irc
from lab.chromium import Chromium, Page
from lab.tour import ECHO, IRC, House

COMMANDS = "converse-adhoc-commands"
MESSAGES = ".chat-msg__text"


class Tour:
    """alice at her browser. `pictures`: where each step's goes."""

    def __init__(self, page: Page, house: House, pictures: Path) -> None:
        self.page = page
        self.house = house
        self.pictures = pictures
        self.began = time.monotonic()

    async def picture(self, name: str) -> None:
        await self.page.screenshot(self.pictures / f"converse-{name}.png")
        print(f"ok  converse {name} ({time.monotonic() - self.began:.1f} s)", flush=True)
        self.began = time.monotonic()

    async def whole(self) -> None:
        await self.registers()
        await self.finds_the_gateway_in_the_roster()
        await self.adds_a_contact_and_talks()
        await self.gets_a_picture()
        await self.changes_preferences()
        await self.runs_a_command()
        await self.joins_a_channel()
        await self.blocks()
        await self.unregisters()
        await tour_irc.in_converse(self)

    # Commands -------------------------------------------------------------------------------------------------------

    async def commands(self, jid: str, node: str) -> None:
        """Open the settings and begin a command."""
        await self.page.click(".show-client-info")
        await self.page.click("#commands-tab")
        await self.page.evaluate(f"document.querySelector('{COMMANDS} input[name=jid]').value = ''")
        await self.page.write(f"{COMMANDS} input[name=jid]", jid)
        await self.page.press("Enter")
        await self.page.click(f"a[data-command-node={json.dumps(node)}][data-command-jid={json.dumps(jid)}]")
        shown = ", ".join(f"{COMMANDS} {part}" for part in (".form-instructions", "fieldset p", ".alert"))
        await self.page.until(f"document.querySelector('{shown}')")

    async def top(self) -> None:
        """Scroll up to what a command said in the end: it stands above the list."""
        await self.page.evaluate("document.querySelector('.modal.show .modal-body').scrollTop = 0")

    async def fill(self, **answers: str) -> None:
        for var, value in answers.items():
            field = f"document.querySelector('{COMMANDS} [name={json.dumps(var)}]')"
            await self.page.until(field, what=f"the field {var}")
            await self.page.evaluate(f"{field}.value = {json.dumps(value)}")

    async def press(self, action: str) -> None:
        await self.page.click(f"{COMMANDS} input[data-action={action}]")

    async def close(self) -> None:
        await self.page.click(".modal.show button[data-bs-dismiss=modal]")
        await self.still()

    async def still(self) -> None:
        """No dialogue is open, or fading away in front of what is to be clicked."""
        await self.page.until("!document.querySelector('.modal.show, .modal-backdrop')", what="the dialogue to close")

    # Steps ----------------------------------------------------------------------------------------------------------

    async def registers(self) -> None:
        await self.commands(ECHO, "jabber:iq:register")
        await self.fill(nick="not a name!", word="x")
        await self.press("next")
        await self.page.until_text(COMMANDS, "letters, digits and hyphens")
        await self.picture("1-register-wrong")
        await self.fill(nick="Alice", word="secret")
        await self.press("next")
        await self.page.until_text(COMMANDS, "registered")
        await self.top()
        await self.picture("2-registered")
        await self.close()

    async def finds_the_gateway_in_the_roster(self) -> None:
        await self.page.until_text("#converse-roster", "Echo")
        await self.picture("3-roster")

    async def adds_a_contact_and_talks(self) -> None:
        await self.page.click(".dropdown--contacts button")
        await self.page.click(".dropdown--contacts .add-contact")
        await self.page.write(".add-xmpp-contact input[name=jid]", f"hills@{ECHO}")
        await self.page.until("getComputedStyle(document.querySelector('.modal.show')).opacity === '1'", what="the dialogue")
        await self.picture("4-add-contact")
        await self.page.press("Enter")
        await self.still()
        await self.page.until_text("#converse-roster", "ills")
        await self.chat(f"hills@{ECHO}")
        await self.says("Hello, hills 👋")
        await self.page.until(f"document.querySelectorAll({json.dumps(MESSAGES)}).length >= 2", what="the echo")
        await self.picture("5-talks")

    async def chat(self, jid: str) -> None:
        await self.page.click(f"#converse-roster [data-jid={json.dumps(jid)}], #converse-roster a[href*={json.dumps(jid)}]")
        await self.page.until("document.querySelector('.chat-textarea')")

    async def says(self, text: str) -> None:
        await self.page.write(".chat-textarea", text)
        await self.page.press("Enter")

    async def gets_a_picture(self) -> None:
        """alice sends a picture; the bridge fetches it and sends it back."""
        await self.page.evaluate(UPLOAD)
        await self.page.until("document.querySelectorAll('.chat-msg img.chat-image').length >= 2", what="the picture, twice")
        await self.picture("6-picture")

    async def changes_preferences(self) -> None:
        await self.commands(ECHO, "preferences")
        await self.picture("7-preferences")
        await self.fill(times="2")
        await self.press("next")
        await self.page.until(f"!document.querySelector('{COMMANDS} [name=times]')", what="the end of the form")
        await self.close()
        await self.says("twice")
        await self.page.until_text(MESSAGES, "twice twice")

    async def runs_a_command(self) -> None:
        await self.commands(ECHO, "shout")
        await self.fill(text="hey")
        await self.press("next")
        await self.page.until_text(COMMANDS, "The hills heard you.")
        await self.top()
        await self.picture("8-command")
        await self.close()
        await self.page.until_text("#converse-roster", "The far hill")
        await self.picture("9-contacts")

    async def joins_a_channel(self) -> None:
        await self.page.click("#chatrooms .dropdown-toggle")
        await self.page.click(".show-add-muc-modal")
        await self.page.write("input[name=chatroom]", self.house.room)
        await self.page.press("Enter")
        await self.still()
        await self.page.write("converse-muc-nickname-form input[name=nick], .muc-nickname-form input[name=nick]", "alice")
        await self.page.press("Enter")
        await self.page.until_text(".occupant-list", "greeter")
        await self.says("Is this a garden?")
        await self.page.until_text(MESSAGES, "you said: Is this a garden?")
        await self.picture("10-channel")
        await self.commands(IRC, "networks")
        await self.page.until_text(COMMANDS, "IRC networks you are on")
        await self.picture("11-networks")
        await self.close()

    async def blocks(self) -> None:
        await self.commands(ECHO, "block")
        await self.fill(address=f"hills@{ECHO}")
        await self.press("next")
        await self.page.until_text(COMMANDS, "locked")
        await self.top()
        await self.picture("12-blocked")
        await self.close()

    async def unregisters(self) -> None:
        await self.commands(ECHO, "unregister")
        await self.page.click(f"{COMMANDS} input[type=checkbox]")
        await self.picture("13-unregister")
        await self.press("complete")
        await self.page.until_text(COMMANDS, "Completed")
        await self.close()
        contacts = f"document.querySelector('#converse-roster [data-jid$={json.dumps(ECHO)}]')"
        await self.page.until(f"!{contacts}", what="the contacts to go")
        await self.picture("14-gone")


#: A picture drawn in the page and sent as a dropped file is.
UPLOAD = """(async () => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 320, height: 200});
    const pen = canvas.getContext('2d');
    const sky = pen.createLinearGradient(0, 0, 0, 200);
    sky.addColorStop(0, '#68c'); sky.addColorStop(1, '#fc8');
    pen.fillStyle = sky; pen.fillRect(0, 0, 320, 200);
    pen.fillStyle = '#263'; pen.beginPath(); pen.moveTo(0, 200); pen.lineTo(90, 80); pen.lineTo(160, 150); pen.lineTo(240, 50);
    pen.lineTo(320, 200); pen.fill();
    const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
    const input = document.querySelector('input.fileupload');
    const files = new DataTransfer();
    files.items.add(new File([blob], 'hills.png', {type: 'image/png'}));
    input.files = files.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
})()"""


async def tour(house: House, folder: Path, pictures: Path) -> None:
    async with Chromium(folder / "chromium") as browser:
        page = await browser.open(f"{house.prosody.http_url}/?user=alice&room=none")
        await page.until("document.querySelector('#converse-roster')", what="the contact list")
        await Tour(page, house, pictures).whole()
