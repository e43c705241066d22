"""The tour of poezio: what a person does with the gateway in a terminal, one picture for each step.

Its commands are `/ad-hoc JID`: a list, where Enter begins one; in a form the arrows go from field to field and C-y sends.
poezio 0.14 shows neither a form's instructions nor its descriptions, so registering by chat comes first. Files are sent
as links: Debian's poezio comes without what its plugin `upload` needs (python3-aiohttp).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from lab import tour_irc
from lab.terminal import Poezio
from lab.tour import ECHO, House, account
from lab.tour_terminal import TerminalTour

#: The commands of ECHO, in their order, for those who are registered.
COMMANDS = ("jabber:iq:register", "preferences", "unregister", "add", "block", "unblock", "blocked", "shout")


class Tour(TerminalTour):
    async def whole(self) -> None:
        await self.registers_by_chat()
        await self.changes_preferences()
        await self.runs_a_command()
        await self.adds_a_contact_and_talks()
        await self.sends_and_gets_a_file()
        await self.joins_a_channel()
        await self.blocks()
        await self.unregisters()
        await self.registers_by_form()
        await tour_irc.in_poezio(self)

    # Hands ----------------------------------------------------------------------------------------------------------

    async def says(self, text: str) -> None:
        """What arrives together with its return is a paste for poezio: the return waits until the text is there."""
        await self.client.type(text)
        await self.client.until(re.escape(text[-20:]) + r"\s*\Z")
        await self.client.key("Enter")

    async def command(self, line: str) -> None:
        """A command from the contact list, where a slash begins one."""
        await self.client.key("M-0")
        await self.client.until("Roster: ")
        await self.client.type("/")
        await self.client.until(r"│/\s*\Z")
        await self.says(line)

    async def form(self, node: str, shows: str, jid: str = ECHO, nodes: tuple[str, ...] = COMMANDS) -> None:
        await self.command(f"ad-hoc {jid}")
        await self.client.until(f"Ad-hoc commands of JID {jid}\n")
        await self.client.until(nodes[-1])
        for _ in range(nodes.index(node)):
            await self.client.key("Down")
        await self.client.until(rf"\x1b\[44m{node} ", coloured=True)  # an Enter in the same breath would be a paste
        await self.client.key("Enter")
        await self.client.until("send form")  # the list has some of the form's words
        await self.client.until(shows)

    async def fills(self, answer: str, secret: str = "") -> None:
        """The first field, and the secret in the second."""
        await self.client.type(answer)
        await self.client.until(f" {re.escape(answer)}\\s*\n")
        if secret:
            await self.client.key("Down")
            await self.client.until("Edit the secret text")
            await self.client.type(secret)
            await self.client.until(r"\*" * len(secret))

    async def sends(self, shows: str) -> None:
        await self.client.key("C-y")
        await self.client.until(shows)

    async def asks(self, talk: list[tuple[str, str]]) -> None:
        """What is said, and what is answered to it."""
        for said, answer in talk:
            await self.says(said)
            await self.client.until(f"alice> {said}\\s*\n[\\s\\S]*{answer}")

    # Steps ----------------------------------------------------------------------------------------------------------

    async def registers_by_chat(self) -> None:
        await self.client.until("Authentication success")
        await self.command(f"message {ECHO} help")
        await self.client.until("register – Register")
        await self.asks([("register", "What you are called here"), ("not a name!", "⚠ A name has letters")])
        await self.asks([("Alice", "It is not shown again"), ("wrong", "⚠ The echo does not know")])
        await self.asks([("secret", "You are registered with Echo.")])
        await self.client.until("Echo is online")
        await self.picture("1-register-by-chat")

    async def changes_preferences(self) -> None:
        await self.asks([("preferences", "3. English"), ("-", "Put contacts"), ("-", "Tell my reactions")])
        await self.asks([("-", "Repeat"), ("Once", "Your preferences are kept")])
        await self.picture("2-preferences-by-chat")
        await self.form("preferences", "Preferences for Echo")
        await self.client.key("Down", "Down", "Down", "Right")
        await self.client.until("Twice")
        await self.picture("3-preferences")
        await self.sends("completed: Your preferences are kept")

    async def runs_a_command(self) -> None:
        """COMPAT: poezio 0.14 shows an empty form for what a command has to tell as a table, and no notes beside it."""
        await self.command(f"message {ECHO} shout")
        await self.client.until(r"\s+What\s*\n")
        await self.asks([("hey", r"near\s*\n.*far")])
        await self.picture("4-table-by-chat")

    async def adds_a_contact_and_talks(self) -> None:
        await self.command(f"add hills@{ECHO}")
        await self.client.until(r"\[\+\] hills")
        await self.client.until(r"\[\+\] The near hill")
        await self.picture("5-contact")
        await self.command(f"message hills@{ECHO} Hello, hils")
        await self.client.until("hills> Hello, hils Hello, hils")
        await self.says("/correct Hello, hills")
        await self.client.until("hills> Hello, hills Hello, hills")
        await self.picture("6-talks")

    async def sends_and_gets_a_file(self) -> None:
        """The plugin `embed` sends a link as a file; the file lies where alice's uploads do."""
        await asyncio.to_thread((self.house.prosody.www / "hills.txt").write_text, "The hills are alive.\n")
        await self.says("/load embed")
        await self.client.until("Plugin embed loaded")
        await self.says(f"/embed {self.house.prosody.http_url}/hills.txt")
        await self.client.until(r"hills> https?://\S+\.txt")
        await self.picture("7-file")

    async def joins_a_channel(self) -> None:
        await self.command(f"join {self.house.room}/alice")
        await self.client.until("A garden on IRC")
        await self.client.until("You .alice. joined")
        await self.says("Is this a garden?")
        await self.client.until("you said: Is this a garden?")
        await self.picture("8-channel")

    async def blocks(self) -> None:
        await self.form("block", "Block a contact")
        await self.fills(f"hills@{ECHO}")
        await self.sends("is blocked: nothing")
        await self.picture("9-blocked")

    async def unregisters(self) -> None:
        await self.form("unregister", "Yes, do it")
        await self.client.key("Right")
        await self.client.until("← True +→")
        await self.picture("10-unregister")
        await self.sends("You have unregistered")
        await self.client.key("M-0")
        await self.client.until("Roster: 1/")
        await self.picture("11-gone")

    async def registers_by_form(self) -> None:
        await self.form("jabber:iq:register", "Your name", nodes=("jabber:iq:register",))
        await self.fills("not a name!", "secret")
        await self.sends("⚠ Your name")
        await self.picture("12-register-wrong")


async def tour(house: House, folder: Path, pictures: Path) -> None:
    async with Poezio(folder / "poezio", account(house)) as client:
        await Tour(client, house, pictures).whole()
