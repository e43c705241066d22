"""The bouncer: the user stays when clients go, when the link is lost, and when the gateway is killed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lab.atheme import Atheme
from lab.domain import XmppServer
from lab.fault import Fault
from lab.gateway import Gateway
from lab.irc import Person
from lab.ircd import Inspircd
from lab.ircv3 import Ircv3
from lab.prosody import Prosody
from lab.scripted_irc import ScriptedIrc
from lab.soak.bouncer import Rejoin
from lab.xmpp import NS, Stanza, codes, condition, text
from tests.scenarios.irc import MUC, client, nick, of, presence_of, room, words

Start = Callable[..., Awaitable[Gateway]]


def staying(ircd: Inspircd | Ircv3 | ScriptedIrc, port: int = 0, **irc: Any) -> dict[str, Any]:
    """A gateway whose users stay on irc.test, which is reached at that port."""
    network = {"address": ircd.host, "ports": [port or ircd.port], "tls": "off", "persistent": True}
    return {"changes": {"irc": {"networks": {"irc.test": network}, **irc}}}


async def on_disk(gateway: Gateway, file: str, query: str, wanted: set[Any]) -> None:
    """Wait until the gateway has written that: it gathers for a moment what happens."""

    def found() -> set[Any]:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{gateway.dir / file}?mode=ro", uri=True)) as database:
                return {value for (value,) in database.execute(query)}
        except sqlite3.OperationalError:  # there is no such file yet, or no table in it
            return set()

    async with asyncio.timeout(10):
        while found() != wanted:  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)


async def noted(gateway: Gateway, *clients: str) -> None:
    """Wait until these clients are in their rooms on the disk, and nobody else in any: `#room resource`."""
    where = "SELECT substr(room, 1, instr(room, '%') - 1) || ' ' || substr(jid, instr(jid, '/') + 1) FROM clients"
    await on_disk(gateway, "rooms.db", where, set(clients))


def said(words: str) -> Callable[[Stanza], bool]:
    return lambda stanza: words in (text(stanza) or "")


# Without a client -----------------------------------------------------------------------------------------------------


async def test_who_comes_back_finds_what_was_said(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(prosody, inspircd, **staying(inspircd))
    place = room("#backlog")
    async with Person(inspircd.host, inspircd.port, "tom") as tom:
        await tom.join("#backlog")
        async with client(prosody, "carol") as carol:
            await carol.join(place, "carol")
            await tom.until("JOIN")
            await carol.leave(place, "carol")
        await tom.say("#backlog", "did you see that?")
        await tom.barrier()
        async with client(prosody, "carol", "later") as carol:
            stanzas = await carol.join(place, "carol")
            assert [text(s) for s in stanzas if text(s)] == ["did you see that?"]
            assert {nick(s) for s in stanzas if s.tag.endswith("presence")} == {"carol", "tom"}
        assert not tom.waiting(lambda line: line.command in ("PART", "QUIT"))


# The link is lost -----------------------------------------------------------------------------------------------------


async def test_a_link_that_breaks_comes_back(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    place = room("#broken")
    async with (
        Fault(inspircd.port) as line,
        Person(inspircd.host, inspircd.port, "tom") as tom,
        client(server, "carol") as carol,
    ):
        await gateway(server, inspircd, **staying(inspircd, line.port))
        await tom.join("#broken")
        await carol.join(place, "carol")
        line.reset()
        await carol.until(presence_of(of(place, "tom"), "unavailable", 333))
        await carol.until(said("You stay in this room"))
        id = await carol.say(place, "hello?")
        refused = await carol.until(lambda s: s.get("id") == id)
        assert condition(refused) == "recipient-unavailable" and words(refused)
        await carol.until(presence_of(of(place, "tom")), timeout=15)
        assert 110 in codes(await carol.until(presence_of(of(place, "carol"))))
        await carol.until(said("The connection is back."))
        await carol.say(place, "here again")
        await tom.until("here again")
        assert not [s for s in carol.received if s.get("type") == "unavailable" and nick(s) == "carol"]


async def test_a_ban_ends_it_until_the_user_says_so(prosody: Prosody, gateway: Start) -> None:
    place = room("#banned")
    async with ScriptedIrc() as irc, client(prosody, "carol") as carol:
        await gateway(prosody, None, **staying(irc))
        await carol.send(f"<presence to='{place}/carol'>{MUC}</presence>")
        guest = await irc.guest()
        await guest.welcome()
        await guest.until("JOIN")
        guest.let_in("#banned")
        await carol.until(presence_of(of(place, "carol"), None, 110))
        guest.write("ERROR :Closing link: (carol@127.0.0.1) [K-Lined: spam]")
        await guest.close()
        told = await carol.until(lambda s: s.get("from") == room("") and "reconnect" in (text(s) or ""))
        assert "banned" in (text(told) or "")
        await carol.say(room(""), "reconnect", kind="chat")
        guest = await irc.guest()
        await guest.welcome()
        assert await guest.until("JOIN") == "JOIN #banned"
        guest.let_in("#banned")
        await carol.until(said("The connection is back."))


# The gateway is killed ------------------------------------------------------------------------------------------------


async def test_a_gateway_that_is_killed_brings_its_clients_back(
    server: XmppServer, inspircd: Inspircd, gateway: Start
) -> None:
    there = await gateway(server, inspircd, **staying(inspircd))
    place, empty = room("#killed"), room("#empty")
    async with Person(inspircd.host, inspircd.port, "tom") as tom, client(server, "carol") as carol:
        await tom.join("#killed")
        await tom.join("#empty")
        await carol.join(place, "carol", "sesame")
        await carol.join(empty, "carol")
        await carol.leave(empty, "carol")
        async with client(server, "carol", "phone") as phone:
            await phone.join(place, "carol")
            await noted(there, "#killed desk", "#killed phone")
            await there.kill()
        carol.forget()
        await tom.until(lambda line: line.command == "QUIT" and line.nick == "carol")
        tom.forget()
        await there.start()
        joined = {(await tom.until(lambda line: line.command == "JOIN" and line.nick == "carol", 15)).params[0] for _ in range(2)}
        assert joined == {"#killed", "#empty"}
        await carol.until(presence_of(of(place, "tom")))
        assert 110 in codes(await carol.until(presence_of(of(place, "carol"))))
        await tom.say("#killed", "welcome back")
        await carol.body("welcome back")
        await carol.say(place, "thank you")
        await tom.until("thank you")
        assert not [s for s in carol.waiting() if (s.get("from") or "").startswith(empty)]


async def test_where_nobody_stays_a_killed_gateway_brings_back_those_who_are_there(
    prosody: Prosody, inspircd: Inspircd, gateway: Start
) -> None:
    there = await gateway(prosody, inspircd)
    place, left = room("#there"), room("#left")
    async with Person(inspircd.host, inspircd.port, "tom") as tom, client(prosody, "carol") as carol:
        await tom.join("#there")
        await tom.join("#left")
        await carol.join(place, "carol")
        async with client(prosody, "carol", "phone") as phone:
            await phone.join(left, "carol")
            await noted(there, "#there desk", "#left phone")
            await there.kill()
        await tom.until(lambda line: line.command == "QUIT" and line.nick == "carol")
        tom.forget()
        carol.forget()
        await there.start()
        await carol.until(presence_of(of(place, "carol"), None, 110), timeout=15)
        await tom.say("#there", "welcome back")
        await carol.body("welcome back")
        await tom.send("NAMES #left")
        assert "carol" not in (await tom.until("353")).text


async def test_a_clean_stop_and_a_start_bring_the_user_back(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    there = await gateway(prosody, inspircd, **staying(inspircd))
    place = room("#stopped")
    async with Person(inspircd.host, inspircd.port, "tom") as tom, client(prosody, "carol") as carol:
        await tom.join("#stopped")
        await carol.join(place, "carol")
        await there.terminate()
        await carol.until(presence_of(of(place, "carol"), "unavailable", 332, 110))
        await tom.until("QUIT")
        tom.forget()
        await there.start()
        await tom.until(lambda line: line.command == "JOIN" and line.nick == "carol", 15)
        await tom.say("#stopped", "nobody told you")
        await tom.barrier()
        await carol.send(f"<presence to='{place}/carol'>{MUC}</presence>")
        await carol.body("nobody told you")  # from the archive, or just now


async def test_a_nick_that_was_taken_meanwhile_is_had_back(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    there = await gateway(prosody, inspircd, **staying(inspircd))
    place = room("#nick")
    async with Person(inspircd.host, inspircd.port, "tom") as tom, client(prosody, "carol") as carol:
        await tom.join("#nick")
        await carol.join(place, "carol")
        await noted(there, "#nick desk")
        await there.kill()
        await tom.until("QUIT")
        await tom.send("NICK carol")
        await tom.until("NICK")
        carol.forget()
        await there.start()
        was = await carol.until(presence_of(of(place, "carol"), "unavailable", 303, 110), timeout=15)
        assert was is not None
        await carol.until(presence_of(of(place, "carol_"), None, 110))
        await tom.send("NICK tom")
        await carol.until(presence_of(of(place, "carol_"), "unavailable", 303, 110))
        await carol.until(presence_of(of(place, "carol"), None, 110))


async def test_many_users_come_back_at_the_networks_pace(prosody: Prosody, directory: Path) -> None:
    """The short form of `scripts/soak bouncer`."""
    run = Rejoin(directory, users=10, channels=20, rate=(5, 5.0))
    await run.run()
    assert run.problems == [] and run.seconds < 20


# What the network helps with ------------------------------------------------------------------------------------------


async def test_what_was_said_while_the_gateway_was_away_is_told_with_its_time(prosody: Prosody, gateway: Start) -> None:
    place = room("#gap")
    async with Ircv3() as irc, Person(irc.host, irc.port, "tom") as tom, client(prosody, "carol") as carol:
        there = await gateway(prosody, None, **staying(irc))
        await tom.join("#gap")
        await carol.join(place, "carol")
        await tom.say("#gap", "before")
        await carol.body("before")
        await noted(there, "#gap desk")
        await on_disk(there, "archive.db", "SELECT count(*) FROM messages WHERE line LIKE '%before%'", {1})
        await there.kill()
        await tom.until("QUIT")
        await tom.say("#gap", "between")
        await tom.barrier()
        carol.forget()
        await there.start()
        late = await carol.body("between", timeout=15)
        assert late.find("delay:delay", NS) is not None
        await tom.say("#gap", "after")
        await carol.body("after")
        assert not carol.waiting(lambda s: text(s) in ("before", "between"))
        async with client(prosody, "carol", "phone") as phone:
            stanzas = await phone.join(place, "carol")
            assert [text(s) for s in stanzas if text(s) in ("before", "between", "after")] == ["before", "between", "after"]


async def test_services_give_the_nick_back_to_its_owner(
    prosody: Prosody, full_inspircd: Inspircd, services: Atheme, gateway: Start
) -> None:
    await services.account("carol", "carolpw")
    network = {
        "address": full_inspircd.host, "tls_ports": [full_inspircd.tls_port], "tls": "require", "ca": str(full_inspircd.ca),
        "persistent": True, "sasl_user": "carol", "sasl_password": "carolpw",
    }  # fmt: skip
    there = await gateway(prosody, None, changes={"irc": {"networks": {"irc.test": network}}})
    place = room("#regain")
    async with Person(full_inspircd.host, full_inspircd.port, "tom") as tom, client(prosody, "carol") as carol:
        await tom.join("#regain")
        await carol.join(place, "carol")
        await noted(there, "#regain desk")
        await there.kill()
        await tom.until("QUIT")
        await tom.send("NICK carol")
        await tom.until("NICK")
        carol.forget()
        await there.start()
        await carol.until(presence_of(of(place, "carol_"), None, 110), timeout=15)
        await carol.until(presence_of(of(place, "carol_"), "unavailable", 303, 110))
        await carol.until(presence_of(of(place, "carol"), None, 110))
