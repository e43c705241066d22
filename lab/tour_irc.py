"""What a person does who runs a channel: the last steps of the tours of Converse.js, poezio and Profanity.

rose sets the subject and goes away; weed is put out and banned; alice is made an operator by who came first. Everybody here has
the same address, so that a ban is one for all: whoever leaves then finds out how it is to be banned.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from lab.irc import Person
from lab.tour import CHANNEL, House

if TYPE_CHECKING:
    from lab.tour_converse import Tour as Converse
    from lab.tour_poezio import Tour as PoezioTour
    from lab.tour_profanity import Tour as ProfanityTour

MODERATED = "converse-adhoc-commands input[name='muc#roomconfig_moderatedroom']"
NEWEST = "[...document.querySelectorAll('converse-chat-message')].filter(e => e.innerText.includes('Who likes tulips?')).at(-1)"


class Garden(NamedTuple):
    house: House
    rose: Person
    weed: Person

    async def mode(self, modes: str) -> None:
        await self.house.greeter.send(f"MODE {CHANNEL} {modes}")

    async def subject(self, text: str) -> None:
        await self.rose.send(f"TOPIC {CHANNEL} :{text}")


@asynccontextmanager
async def garden(house: House) -> AsyncIterator[Garden]:
    """The channel with rose and weed in it, alice an operator."""
    host, port = house.ircd.host, house.ircd.port
    async with Person(host, port, "rose") as rose, Person(host, port, "weed") as weed:
        for person in (rose, weed):
            await person.join(CHANNEL)
        there = Garden(house, rose, weed)
        await there.mode("+oo alice rose")
        yield there


async def in_poezio(tour: PoezioTour) -> None:
    client = tour.client
    await tour.command(f"join {tour.house.room}/alice")
    async with garden(tour.house) as there:
        await client.until("You changed: affiliation: admin, role: moderator")
        await there.subject("Roses, please")
        await client.until("rose set the subject to: Roses, please")
        await there.rose.say(CHANNEL, "Who likes tulips?")  # poezio tells the state of those who have talked
        await client.until("rose> Who likes")
        await there.rose.send("AWAY :watering")
        await client.until("rose changed: show: away, status: watering")
        await tour.says("/kick weed you do not belong here")
        await client.until("weed has been kicked by alice Reason: you do not belong here")
        await tour.says("/affiliation rose member")
        await client.until("rose changed: affiliation: member")
        await tour.picture("13-irc-operator")
        await tour.says("/configure")
        await client.until("Configuration of #garden")
        await client.key("Down", "Right")
        await client.until(r"Only those with voice can speak +← True")
        await tour.picture("14-irc-configuration")
        await tour.sends(r"alice set mode \+m")
        await there.weed.join(CHANNEL)
        await client.until("weed .*joined")
        await tour.says("/ban weed weeds are out")
        await client.until("set to outcast successfully|weed has been banned by alice")
        await tour.command(f"message {there.house.ircd.server_name}@irc.localhost list garden")
        await client.until("Channels found: 1")
        await tour.picture("15-irc-list")
        await tour.command(f"join {tour.house.room}/alice")
        await client.until(r"alice \(admin, moderator\)")
        await tour.says("/part")
        await client.until("Not connected")
        await tour.says("/join")
        await client.until("You are banned from")
        await tour.picture("16-irc-banned")


async def in_profanity(tour: ProfanityTour) -> None:
    client = tour.client
    await client.say(f"/join {tour.house.room}")
    async with garden(tour.house) as there:
        await client.until("Your role and affiliation have been changed")
        await there.subject("Roses, please")
        await client.until("rose has set the room subject: Roses, please")
        await client.say("/kick weed you do not belong here")
        await client.until("weed has been kicked from the room by alice, reason: you do not belong here")
        await client.say("/affiliation set member rose")
        await client.until("rose's affiliation has been changed to: member")
        await tour.picture("16-irc-operator")
        await there.weed.join(CHANNEL)
        await client.until("  weed")  # among the participants
        await client.say("/ban weed weeds are out")
        await client.until("weed has been banned")
        await client.say("/affiliation list outcast")
        await client.until("Affiliation: outcast")
        await tour.picture("17-irc-ban")
        await tour.form("configure", "'/form submit'", tour.house.room)  # longer than the screen
        await tour.picture("18-irc-configuration")
        await client.say("/form cancel")


async def in_converse(tour: Converse) -> None:
    page = tour.page
    await page.click("#chatrooms a.open-room")
    async with garden(tour.house) as there:
        await page.until_text(".chat-info", "alice is now an admin of this groupchat")
        await there.subject("Roses, please")
        await page.until_text(".chat-head__desc", "Roses, please")
        await there.rose.send("AWAY :watering")
        await tour.says("Is this the gardn?")
        await page.until_text(".chat-msg__text", "you said: Is this the gardn?")
        await page.press("ArrowUp", 38)
        await page.until("document.querySelector('.chat-textarea').value.includes('gardn')")
        await page.evaluate("document.querySelector('.chat-textarea').value = 'Is this the garden?'")
        await page.press("Enter")
        await page.until_text(".chat-msg__text", "you said: *garden?")
        await there.rose.say(CHANNEL, "Who likes tulips?")
        await page.until(NEWEST)
        await page.evaluate(f"{NEWEST}.querySelector('.chat-msg__action-reply').click()")
        await tour.says("I do!")
        await page.until_text(".chat-msg__text", "you said: I do!")
        await tour.says("/kick weed")
        await page.until_text(".chat-info", "weed has been kicked out by alice")
        await tour.picture("15-irc-operator")
        await tour.commands(tour.house.room, "configure")
        await page.until(f"document.querySelector({json.dumps(MODERATED)})", what="the form")
        await tour.picture("16-irc-configuration")
        await page.click(MODERATED)
        await tour.press("next")
        await page.until("!document.querySelector('converse-adhoc-commands fieldset input[type=checkbox]')", what="the end")
        await tour.close()
        await there.rose.until("MODE #garden :+m")
        await there.weed.join(CHANNEL)
        await page.until_text(".occupant-list", "weed")
        await tour.says("/ban weed")
        await page.until_text(".chat-info", "weed has been banned by alice")
        await tour.picture("17-irc-ban")
