"""The tour of Profanity: what a person does with the gateway in a terminal, one picture for each step.

Its commands are `/cmd list JID` and `/cmd exec NODE JID`; a form is a window where `/field1 value` fills in and `/form submit`
sends. What a command says in the end stands in the chat with the gateway where that is open, else in the console.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab import tour_irc
from lab.terminal import Profanity
from lab.tour import ECHO, IRC, House, account
from lab.tour_terminal import TerminalTour

FILE = "The hills are alive.\n"


class Tour(TerminalTour):
    async def whole(self) -> None:
        await self.registers()
        await self.changes_preferences()
        await self.runs_a_command()
        await self.adds_a_contact_and_talks()
        await self.sends_and_gets_a_file()
        await self.joins_a_channel()
        await self.blocks()
        await self.unregisters()
        await self.does_it_all_by_chat()
        await tour_irc.in_profanity(self)

    # Commands -------------------------------------------------------------------------------------------------------

    async def console(self) -> None:
        """The console, with nothing on it."""
        await self.client.say("/win 1")
        await self.client.until("Profanity. Type /help")
        await self.client.say("/clear")

    async def form(self, node: str, shows: str, jid: str = ECHO) -> None:
        await self.console()
        await self.client.say(f"/cmd exec {node} {jid}")
        await self.client.until(shows)

    async def submit(self, shows: str, **answers: str) -> None:
        """field1="…" fills in; `shows` stands on the screen afterwards."""
        for field, value in answers.items():
            await self.client.say(f'/{field} "{value}"')
        await self.client.say("/form submit")
        await self.client.until(shows)

    # Steps ----------------------------------------------------------------------------------------------------------

    async def registers(self) -> None:
        await self.client.until("logged in successfully")
        await self.console()
        await self.client.say(f"/cmd list {ECHO}")
        await self.client.until("! +jabber:iq:register")
        await self.form("jabber:iq:register", r"\[field2\] Password \(required\)")
        await self.submit("⚠ Your name: A name has letters, digits and hyphens", field1="not a name!", field2="secret")
        await self.picture("1-register-wrong")
        await self.submit("You are registered with Echo", field1="Alice", field2="secret")
        await self.client.until(r"\+\+ Echo is online")
        await self.client.say(f"/cmd list {ECHO}")
        await self.client.until("! +unregister")
        await self.picture("2-registered")

    async def changes_preferences(self) -> None:
        await self.form("preferences", r"\[field4\] Repeat")
        await self.client.say("/field4 2")
        await self.client.until(r"Repeat:[\s\S]*Repeat:[\s\S]*Twice")
        await self.picture("3-preferences")
        await self.submit("Your preferences are kept")

    async def runs_a_command(self) -> None:
        await self.form("shout", r"\[field1\] What")
        await self.submit("Form title: Shout into the mountains\n", field1="hey")
        await self.client.say("/form cancel")
        await self.client.until("• far")
        await self.client.until("The near hill")
        await self.picture("4-command")

    async def adds_a_contact_and_talks(self) -> None:
        await self.console()
        await self.client.say(f"/roster add hills@{ECHO}")
        await self.client.say(f"/sub request hills@{ECHO}")
        await self.client.until(r"\+\+ hills.* is online")
        await self.picture("5-contact")
        await self.client.say("/correction on")
        await self.client.say(f"/msg hills@{ECHO} Hello, hils")
        await self.client.until("hills: Hello, hils Hello, hils")
        await self.client.say("/correct Hello, hills")
        await self.client.until("hills: Hello, hills Hello, hills")
        await self.picture("6-talks")

    async def sends_and_gets_a_file(self) -> None:
        await self.client.say(f"/sendfile {self.client.dir / 'hills.txt'}")
        screen = await self.client.until(r"hills: https?://\S+\.txt")
        link = re.findall(r"hills: (https?://\S+\.txt)", screen)[-1]
        await self.client.say(f"/url save {link} {self.client.dir / 'got.txt'}")
        await self.client.until("Saved to")
        assert (self.client.dir / "got.txt").read_text() == FILE
        await self.picture("7-file")

    async def joins_a_channel(self) -> None:
        await self.client.say(f"/join {self.house.room}")
        await self.client.until("You have joined the room")
        await self.client.say("Is this a garden?")
        await self.client.until("you said: Is this a garden?")
        await self.picture("8-channel")
        await self.form("networks", "Form title: Your IRC networks", IRC)
        await self.client.say("/form cancel")
        await self.client.until("IRC networks you are on: 1")
        await self.picture("9-networks")

    async def blocks(self) -> None:
        await self.form("block", r"\[field1\] Name")
        await self.submit("block completed", field1=f"hills@{ECHO}")
        await self.client.say(f"/msg hills@{ECHO} Are you there?")
        await self.client.until("You have blocked this contact")
        await self.picture("10-blocked")

    async def unregisters(self) -> None:
        await self.form("unregister", r"\[field1\] Yes, do it")
        await self.picture("11-unregister")
        await self.client.say("/field1 on")
        await self.submit("You have unregistered")
        await self.client.until("-- Echo is offline|Roster item removed: echo.localhost")
        await self.picture("12-gone")

    async def does_it_all_by_chat(self) -> None:
        await self.client.say(f"/msg {ECHO} help")
        await self.client.until("register – Register")
        await self.asks([("register", "Your name"), ("not a name!", "⚠ A name has letters"), ("Alice", "It is not shown again")])
        await self.asks([("wrong", "⚠ The echo does not know"), ("secret", "You are registered with Echo.")])
        await self.picture("13-register-by-chat")
        await self.client.say("/clear")
        await self.asks([("preferences", "3. English"), ("-", "Put contacts"), ("-", "Tell my reactions")])
        await self.asks([("-", "Repeat"), ("Twice", "Your preferences are kept")])
        await self.picture("14-preferences-by-chat")
        await self.client.say("/clear")
        await self.asks([("shout", "What"), ("hey", r"near\n +far")])
        await self.asks([("unregister", "Answer “yes” or “no”"), ("yes", "You have unregistered")])
        await self.picture("15-table-by-chat")

    async def asks(self, talk: list[tuple[str, str]]) -> None:
        """What is said, and what is answered to it."""
        for said, answer in talk:
            await self.client.say(said)
            await self.client.until(f"me: {said}\n[\\s\\S]*{answer}")


async def tour(house: House, folder: Path, pictures: Path) -> None:
    (folder / "profanity").mkdir()
    (folder / "profanity" / "hills.txt").write_text(FILE)
    async with Profanity(folder / "profanity", account(house)) as client:
        await Tour(client, house, pictures).whole()
