"""What people set and command on IRC, by form and by chat, through real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lab.atheme import Atheme
from lab.domain import XmppServer
from lab.gateway import Gateway
from lab.irc import Person
from lab.ircd import Inspircd
from lab.prosody import Prosody
from lab.xmpp import Client, Stanza, condition, find, text
from tests.scenarios.irc import DOMAIN, client, nick, of, room
from tests.scenarios.test_commands import chat, command, execute
from tests.scenarios.test_irc_ways import configure

Start = Callable[..., Awaitable[Gateway]]

NETWORK = room("")
CANARY = "canary-9c1e77f0"


def table(done: Stanza) -> list[list[str]]:
    """The rows of a command's table."""
    items = done.findall("{jabber:x:data}x/{jabber:x:data}item")
    return [[value.text or "" for value in item.iter("{jabber:x:data}value")] for item in items]


async def submit(who: Client, node: str, to: str, **answers: str) -> Stanza:
    """A command and its one form; the answer to that."""
    asked = command(await execute(who, node, to))
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in answers.items())
    return await execute(who, node, to, asked.get("sessionid", ""), f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>")


async def command_done(who: Client, node: str, to: str) -> Stanza:
    """A command that asks nothing."""
    done = command(await execute(who, node, to))
    assert done.get("status") == "completed", "".join(done.itertext())
    return done


async def gone(server: XmppServer, name: str, resource: str = "desk") -> None:
    """The server knows that a client has gone: until then it may hand it what comes, in vain."""
    ping = f"<iq type='get' to='{name}@localhost/{resource}'><ping xmlns='urn:xmpp:ping'/></iq>"
    async with Client(f"{name}@localhost", f"{name}pw", server.c2s_port, "looks", presence="", roster=False) as looks:
        async with asyncio.timeout(10):
            while condition(await looks.iq(ping)) != "service-unavailable":  # noqa: ASYNC110 - no server tells when
                await asyncio.sleep(0.1)


async def test_a_network_without_a_channel_by_chat(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(server, inspircd)
    async with client(server, "carol") as carol, Person(inspircd.host, inspircd.port, "tom") as tom:
        assert "Connecting" in await chat(carol, "connect irc.test")
        while "irc.test · connected" not in await chat(carol, "networks"):  # noqa: ASYNC110 - what is waited for is said to nobody
            await asyncio.sleep(0.1)
        info = await chat(carol, "info", NETWORK)
        assert "not encrypted" in info and str(inspircd.port) in info and " ms" in info
        assert await chat(carol, "nick carla", NETWORK) == "You are called carla."
        await tom.send("WHOIS carla")
        assert (await tom.until(lambda line: line.command in ("311", "401"))).command == "311"
        assert "in use" in await chat(carol, "nick tom", NETWORK)
        assert await chat(carol, "disconnect", NETWORK) == "You have left irc.test."
        assert "not connected" in await chat(carol, "info", NETWORK)


async def test_raw_lines_where_they_are_allowed(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(server, inspircd)
    async with client(server, "carol") as carol:
        await carol.join(room("#raw"), "carol")
        await carol.send(f"<message to='{NETWORK}' type='chat' id='x'><body>raw MODE #raw</body></message>")
        told: list[str] = []
        while not any("+" in words and "#raw" in words for words in told):
            told.append(text(await carol.until(lambda s: s.get("from") == NETWORK and text(s) is not None)) or "")
        assert any(words == "Sent to irc.test." for words in told)
        await carol.barrier()
        carol.forget()
        for line in ("PART #raw&#10;QUIT", "PART #raw&#13;QUIT", ":x QUIT", "x" * 600):
            asked = command(await submit(carol, "raw", NETWORK, line=line))
            assert asked.get("status") == "executing"  # the form again, with what is wrong
        await carol.barrier()
        assert not [s for s in carol.received if s.get("type") == "unavailable" and s.get("from", "").startswith(room("#raw"))]


async def test_raw_lines_are_the_operators_to_forbid(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(prosody, inspircd, changes={"irc": {"raw": "admins"}, "xmpp": {"admins": ["bob@localhost"]}})
    async with client(prosody, "carol") as carol, client(prosody, "bob") as bob:
        await carol.join(room("#raw2"), "carol")
        await bob.join(room("#raw2"), "bob")
        assert "only the people who run" in (await chat(carol, "raw QUIT", NETWORK)).lower()
        assert condition(await execute(carol, "raw", NETWORK)) == "forbidden"
        assert command(await submit(bob, "raw", NETWORK, line="TIME")).get("status") == "completed"
        # nor does anybody end what is somebody else's
        for node in ("irc-sessions", "disconnect-user", "disconnect-from-irc-server", "irc-whose"):
            assert condition(await execute(carol, node)) == "forbidden"
        await submit(carol, "disconnect", NETWORK, jid="bob@localhost", jids="bob@localhost", server="irc.test")
        rows = table(command(await execute(bob, "irc-sessions")))
        assert [row[:3] for row in rows] == [["bob@localhost", "irc.test", "bob"]]
        done = command(await submit(bob, "disconnect-user", DOMAIN, jids="bob@localhost"))
        assert "1" in "".join(done.itertext())


async def test_who_is_ignored_is_not_heard(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(server, inspircd)
    async with client(server, "carol") as carol, Person(inspircd.host, inspircd.port, "mallory") as mallory:
        await carol.join(room("#quiet"), "carol")
        await mallory.join("#quiet")
        assert "mallory!*@*" in await chat(carol, "ignore mallory", NETWORK)
        await mallory.say("#quiet", "can you hear me?")
        await mallory.say("carol", "and now?")
        await mallory.send("INVITE carol #elsewhere")
        await mallory.barrier()
        assert "mallory!*@*" in await chat(carol, "unignore mallory!*@*", NETWORK)
        await mallory.say("#quiet", "here I am")
        await carol.until(lambda s: text(s) == "here I am")
        assert not [s for s in carol.received if text(s) in ("can you hear me?", "and now?")]


async def test_what_is_set_outlives_the_gateway_and_tells_nobody(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    running = await gateway(server, inspircd, options={"command": None})
    async with client(server, "carol") as carol:
        await configure(carol, NETWORK, nick="caroline", realname="Carol C.", sasl_password=CANARY, require_sasl="0")
        await configure(carol, NETWORK, username="carol")  # what is left out keeps its value
        shown = "".join(command(await execute(carol, "configure", NETWORK)).itertext())
        assert "caroline" in shown and "Carol C." in shown and CANARY not in shown
        live = {file.name: file.read_bytes() for file in running.dir.rglob("*") if file.is_file()}
        await running.terminate()
        await running.start()
        stanzas = await carol.join(room("#kept"), "whatever")
        assert "caroline" in {nick(s) for s in stanzas}
        assert "transports.db" in live
        ended = {file.name: file.read_bytes() for file in running.dir.rglob("*") if file.is_file()}
        assert [name for files in (live, ended) for name, data in files.items() if CANARY.encode() in data] == []
        assert "no longer among" in await chat(carol, "remove-network yes")
        shown = "".join(command(await execute(carol, "configure", NETWORK)).itertext())
        assert "caroline" not in shown


async def test_an_account_is_known_to_services_at_once_and_afterwards(
    prosody: Prosody, full_inspircd: Inspircd, services: Atheme, gateway: Start
) -> None:
    await services.account("dora", "s3cret")
    await gateway(prosody, full_inspircd, tls=True)
    network = room("", "full.test")
    async with client(prosody, "carol") as carol, Person(full_inspircd.host, full_inspircd.port, "looker") as looker:

        async def account() -> str:
            await looker.send("WHOIS dora-")
            lines: list[Any] = [await looker.until(lambda line: line.command in ("330", "318"))]
            found = lines[0].params[2] if lines[0].command == "330" else ""
            if found:
                await looker.until("318")
            return found

        await carol.join(room("#dora", "full.test"), "dora-")
        told = await chat(carol, "identify dora s3cret", network)
        while not told.startswith("Kept"):
            told = text(await carol.until(lambda s: s.get("from") == network and text(s) is not None)) or ""
        async with asyncio.timeout(10):
            while "sent to the services" in told and await account() != "dora":  # noqa: ASYNC110 - services say it in words
                await asyncio.sleep(0.1)
        await chat(carol, "reconnect", network)
        async with asyncio.timeout(15):
            while await account() != "dora":  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)


async def test_who_is_away_hears_who_mentions_them(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(server, inspircd)
    place = room("#mentions")
    async with Person(inspircd.host, inspircd.port, "tom") as tom, client(server, "carol") as carol:
        await tom.join("#mentions")
        await carol.join(place, "carol")
        await command_done(carol, "stay", place)
        await carol.leave(place, "carol")
        await tom.say("#mentions", "nothing for anybody")
        await tom.say("#mentions", "carol: are you there?")
        told = await carol.until(lambda s: s.get("from") == place and "are you there" in (text(s) or ""))
        assert text(told) == "tom: carol: are you there?"
        mentions = told.find("{urn:xmpp:mmn:0}mentions/{urn:xmpp:forward:0}forwarded/{jabber:client}message")
        assert mentions is not None and mentions.get("from") == of(place, "tom")
        assert not [s for s in carol.received if "nothing for anybody" in (text(s) or "") and s.get("type") == "chat"]
        await configure(carol, place, mentions="off")
        await tom.say("#mentions", "carol: still?")
        await tom.barrier()
        await carol.join(place, "carol")
        assert not [s for s in carol.received if s.get("type") == "chat" and "still" in (text(s) or "")]


async def test_what_is_said_to_who_is_offline_waits_for_them(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    """On Prosody alone: the lab's ejabberd loses the first message to somebody who has just gone, whoever sends it."""
    await gateway(prosody, inspircd)
    place = room("#offline")
    async with Person(inspircd.host, inspircd.port, "tom") as tom:
        await tom.join("#offline")
        async with client(prosody, "carol") as carol:
            await carol.join(place, "carol")
            await command_done(carol, "stay", place)
        await gone(prosody, "carol")
        await tom.say("#offline", "carol: are you there?")
        await tom.say("carol", "call me when you are back")
        await tom.barrier()
        async with client(prosody, "carol", "later") as carol:
            told = await carol.until(lambda s: s.get("from") == place and "are you there" in (text(s) or ""))
            assert told.find("{urn:xmpp:mmn:0}mentions") is not None
            told = await carol.until(lambda s: "call me" in (text(s) or ""))
            assert (told.get("from"), told.get("type")) == (room("tom"), "chat")
            assert told.find("{urn:xmpp:delay}delay") is not None  # the server kept it


async def test_a_room_is_set_up_by_its_command_as_by_its_form(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(server, inspircd)
    async with client(server, "carol") as carol, Person(inspircd.host, inspircd.port, "tom") as tom:
        await carol.join(room("#formed"), "carol")  # and is its operator
        await tom.join("#formed")
        await configure(carol, room("#formed"), **{"muc#roomconfig_moderatedroom": "1", "record_history": "false"})
        await tom.until(lambda line: line.command == "MODE" and "+m" in " ".join(line.params))
        owner = await carol.iq(f"<iq type='get' to='{room('#formed')}'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>")
        fields = {field.get("var"): field.findtext("{*}value") for field in owner.iter("{jabber:x:data}field")}
        assert fields["record_history"] == "false" and fields["muc#roomconfig_moderatedroom"] == "1"
        assert find(owner, "iq") is not None


async def test_one_is_in_a_channel_without_ever_having_joined_it(server: XmppServer, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(server, inspircd)
    place = room("#auto")
    async with client(server, "carol") as carol, Person(inspircd.host, inspircd.port, "tom") as tom:
        await tom.join("#auto")
        assert "You stay in 1" in "".join(command(await submit(carol, "autojoin", NETWORK, channels="#auto")).itertext())
        assert "Connecting" in await chat(carol, "connect", NETWORK)
        await tom.until(lambda line: line.command == "JOIN" and line.source.startswith("carol!"))
        await tom.say("#auto", "hello carol!")
        await carol.until(lambda s: s.get("from") == place and text(s) == "tom: hello carol!")
        stanzas = await carol.join(place, "carol")
        assert {"tom", "carol"} <= {nick(s) for s in stanzas if s.tag.endswith("presence")}
        await carol.leave(place, "carol")
        await submit(carol, "autojoin", NETWORK, channels="")
        await tom.until(lambda line: line.command == "PART")
