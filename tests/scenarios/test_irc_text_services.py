"""What services say is readable: in a chat with them, a page at a time, in order, without the dress of a notice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lab.atheme import Atheme
from lab.gateway import Gateway
from lab.irc import Person
from lab.ircd import Inspircd
from lab.prosody import Prosody
from lab.xmpp import Stanza, codes, text
from tests.scenarios.irc import client, room
from transports.bridges.irc.text import strip_formatting

Start = Callable[..., Awaitable[Gateway]]

NICKSERV = room("nickserv", "full.test")
LOBBY = room("#services", "full.test")


def without_marks(words: str) -> str:
    return "".join(letter for letter in words if letter not in "*_")


async def test_an_answer_of_many_lines_comes_in_order_from_the_service(
    prosody: Prosody, full_inspircd: Inspircd, services: Atheme, gateway: Start
) -> None:
    await gateway(prosody, full_inspircd)
    async with Person(full_inspircd.host, full_inspircd.port, "direct") as direct:
        expected = await services.tell(direct, "NickServ", "HELP REGISTER")
    assert len(expected) > 5
    async with client(prosody, "carol") as carol:
        await carol.join(LOBBY, "seeker")  # a nick with an account hears of that, too
        await carol.say(NICKSERV, "HELP REGISTER", kind="chat")
        words: list[str] = []
        while not words or "End of Help" not in words[-1]:
            heard = await carol.until(lambda stanza: stanza.get("from") == NICKSERV and text(stanza) is not None)
            words.append(text(heard) or "")
        assert len(words) < len(expected) / 2
        assert without_marks("\n".join(words)) == without_marks(strip_formatting("\n".join(expected)))


async def test_words_about_a_channel_are_said_in_it(
    prosody: Prosody, full_inspircd: Inspircd, services: Atheme, gateway: Start
) -> None:
    await gateway(prosody, full_inspircd)
    await services.account("founder", "secret")
    async with Person(full_inspircd.host, full_inspircd.port, "founder-") as founder:
        await founder.join("#services")
        await services.tell(founder, "NickServ", "IDENTIFY founder secret")
        await services.tell(founder, "ChanServ", "REGISTER #services")
        async with client(prosody, "carol") as carol:
            await carol.join(LOBBY, "seeker")
            await founder.send("NOTICE seeker :[#services] Welcome to #services!")
            heard = await carol.body("[notice] [#services] Welcome to #services!")
            assert heard.get("from") == f"{LOBBY}/founder-"
            await services.tell(founder, "ChanServ", "OP #services seeker")
            await carol.until(is_moderator)


def is_moderator(stanza: Stanza) -> bool:
    return 110 in codes(stanza) and any(
        item.get("role") == "moderator" for item in stanza.iter("{http://jabber.org/protocol/muc#user}item")
    )
