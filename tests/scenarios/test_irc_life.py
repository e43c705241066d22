"""Connections that begin, end and come back; who may use them; how fast they are used."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.irc import Person
from lab.ircd import Inspircd, Ircd, Ngircd
from lab.process import folder
from lab.prosody import Prosody
from lab.scripted_irc import Guest, ScriptedIrc
from lab.xmpp import NS, Client, codes, condition, text
from tests.scenarios.irc import MUC, client, nick, of, presence_of, room, words

Start = Callable[..., Awaitable[Gateway]]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def pasting(prosody: Prosody) -> AsyncIterator[asyncio.Task[None]]:
    """Real flood control takes half a minute: it goes on beside the other scenes."""
    with folder("transports-test-") as one, folder("transports-test-") as two, folder("transports-test-") as three:
        async with Ngircd(one, flood=True) as ngircd, Inspircd(two, flood=True) as inspircd:
            servers = {"ngircd.test": ngircd, "inspircd.test": inspircd}
            networks = {name: {"address": at.host, "ports": [at.port], "tls": "off"} for name, at in servers.items()}
            changes = {"irc": {"networks": networks, "throttle": [5, 2.0]}}
            async with (
                Gateway(three, settings(prosody, domain="mail.localhost", changes=changes)),
                client(prosody, "alice", "pasting") as alice,
            ):
                task = asyncio.create_task(_pastes(alice, servers))
                yield task
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _pastes(who: Client, servers: Mapping[str, Ircd]) -> None:
    await asyncio.gather(*(paste(who, ircd, network) for network, ircd in servers.items()))


# The connection to IRC ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Ngircd, Inspircd])
async def test_a_server_that_is_lost_and_comes_back(
    prosody: Prosody, directory: Path, gateway: Start, kind: type[Ircd]
) -> None:
    place, other = room("#c"), room("#d")
    async with kind(directory) as ircd, client(prosody, "carol") as carol:
        await gateway(prosody, ircd)
        await carol.join(place, "carol")
        await carol.join(other, "carol")
        await ircd.kill()
        for lost in (place, other):
            gone = await carol.until(presence_of(of(lost, "carol"), "unavailable", 332, 110))
            assert "lost" in (text(gone, "presence/status") or "")
        await carol.until(lambda s: s.get("from") == room("") and "lost" in (text(s) or ""))
        (error,) = await carol.join(place, "carol")
        assert condition(error) == "remote-server-timeout" and "cannot be reached" in words(error)
        await ircd.start()
        stanzas = await carol.join(place, "carol")
        assert codes(stanzas[-2]) == {100, 110, 170}
        await carol.say(place, "back again")
        assert nick(await carol.body("back again")) == "carol"


async def test_an_encrypted_and_verified_connection(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(prosody, inspircd, tls=True)
    async with client(prosody, "carol") as carol, Person(inspircd.host, inspircd.port, "tom") as tom:
        await tom.join("#tls")
        await carol.join(room("#tls"), "carol")
        await carol.say(room("#tls"), "x" * 1_500 + " end")
        await tom.until(" end")
        await tom.send("WHOIS carol")
        assert await tom.until("671")  # is using a secure connection


async def test_a_killed_user_hears_why(prosody: Prosody, inspircd: Inspircd, gateway: Start) -> None:
    await gateway(prosody, inspircd)
    async with client(prosody, "carol") as carol, Person(inspircd.host, inspircd.port, "tom") as tom:
        await carol.join(room("#killed"), "carol")
        await tom.oper()
        await tom.send("KILL carol :spamming")
        gone = await carol.until(presence_of(of(room("#killed"), "carol"), "unavailable", 332, 110))
        assert "spamming" in (text(gone, "presence/status") or "")


async def test_a_fixed_server(server: XmppServer, ngircd: Ngircd, gateway: Start) -> None:
    fixed = "fixed.localhost"
    await gateway(server, ngircd, domain=fixed, changes={"irc": {"server": "irc.test"}})
    async with client(server, "carol") as carol, Person(ngircd.host, ngircd.port, "tom") as tom:
        await tom.join("#50%off")
        stanzas = await carol.join(f"#50%off@{fixed}", "carol")
        assert {nick(stanza) for stanza in stanzas if stanza.tag.endswith("presence")} == {"carol", "tom"}
        await carol.say(f"#50%off@{fixed}", "hello")
        await tom.until("PRIVMSG")
        await carol.say(f"tom@{fixed}", "psst", kind="chat")
        assert (await tom.until("PRIVMSG")).params == ["tom", "psst"]
        await tom.say("carol", "yes?")
        assert (await carol.body("yes?")).get("from") == f"tom@{fixed}"
        info = await carol.iq(f"<iq type='get' to='{fixed}'><query xmlns='{NS['info']}'/></iq>")
        assert info.get("type") == "result"


# The user's own end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["vanish", "close", "unavailable"])
async def test_a_client_that_goes_without_leaving_is_gone_from_irc(
    server: XmppServer, ngircd: Ngircd, gateway: Start, how: str
) -> None:
    await gateway(server, ngircd)
    async with Person(ngircd.host, ngircd.port, "tom") as tom:
        await tom.join("#gone")
        async with client(server, "carol") as carol:
            await carol.join(room("#gone"), "carol")
            await tom.until("JOIN")
            if how == "unavailable":
                await carol.send("<presence type='unavailable'/>")
            else:
                await getattr(carol, how)()
            assert (await tom.until(lambda line: line.command in {"PART", "QUIT"})).nick == "carol"


async def test_users_of_a_server_that_restarts_are_gone_from_irc(
    directory: Path, ngircd: Ngircd, gateway: Start
) -> None:
    async with Prosody(directory) as prosody, Person(ngircd.host, ngircd.port, "tom") as tom:
        there = await gateway(prosody, ngircd)
        await tom.join("#restart")
        async with client(prosody, "carol") as carol:
            await carol.join(room("#restart"), "carol")
            await prosody.kill()
        await prosody.start()
        await there.until_log(r"\bready\b", count=2, timeout=15)
        await tom.say("#restart", "anybody?")
        assert (await tom.until(lambda line: line.command in {"PART", "QUIT"})).nick == "carol"
        async with client(prosody, "carol") as carol:
            stanzas = await carol.join(room("#restart"), "carol")
            assert {nick(stanza) for stanza in stanzas} >= {"carol", "tom"}


async def test_whoever_may_not_use_it_is_told_so(server: XmppServer, ngircd: Ngircd, gateway: Start) -> None:
    await gateway(server, ngircd, changes={"xmpp": {"users": ["carol@localhost", "elsewhere.example"]}})
    async with client(server, "carol") as carol, client(server, "dave") as dave:
        await carol.join(room("#gate"), "carol")
        (error,) = await dave.join(room("#gate"), "dave")
        assert condition(error) == "forbidden" and "irc.localhost" in words(error)
        id = await dave.say(room("carol"), "x", kind="chat")
        assert condition(await dave.until(lambda s: s.get("id") == id)) == "forbidden"
        for place in ("irc.localhost", room(""), room("#gate"), room("carol")):
            answer = await dave.iq(f"<iq type='get' to='{place}'><query xmlns='{NS['info']}'/></iq>")
            assert condition(answer) == "forbidden"
        await carol.barrier()
        assert carol.waiting(lambda s: nick(s) == "dave") == []


async def test_a_stop_is_told_to_both_sides(server: XmppServer, ngircd: Ngircd, gateway: Start) -> None:
    there = await gateway(server, ngircd)
    async with client(server, "carol") as carol, Person(ngircd.host, ngircd.port, "tom") as tom:
        await tom.join("#stop")
        for channel in ("#stop", "#stop2"):
            await carol.join(room(channel), "carol")
        began = asyncio.get_running_loop().time()
        assert await there.terminate() == 0
        assert asyncio.get_running_loop().time() - began < 5
        for channel in ("#stop", "#stop2"):
            gone = await carol.until(presence_of(of(room(channel), "carol"), "unavailable", 332, 110))
            assert "back" in (text(gone, "presence/status") or "")
        assert (await tom.until("QUIT")).nick == "carol"


# What only a scripted server does -------------------------------------------------------------------------------------


class Stage:
    """carol on scripted servers: `open.test`, `sasl.test` with an account, `slow.test` with flood control of ours."""

    def __init__(self, carol: Client, irc: ScriptedIrc) -> None:
        self.carol = carol
        self.irc = irc

    async def join(self, channel: str, network: str = "open.test") -> Guest:
        """carol asks for a channel; the connection that it brings, not greeted yet."""
        await self.carol.send(f"<presence to='{room(channel, network)}/carol'>{MUC}</presence>")
        return await self.irc.guest()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(prosody: Prosody, gateway: Start) -> AsyncIterator[Stage]:
    async with ScriptedIrc() as irc, client(prosody, "carol") as carol:
        network = {"address": irc.host, "ports": [irc.port], "tls": "off"}
        account = {"sasl_user": "gateway", "sasl_password": "s€cret"}
        await gateway(
            prosody,
            changes={
                "irc": {
                    "networks": {
                        "open.test": network,
                        "sasl.test": {**network, **account},
                        "slow.test": {**network, "throttle": [2, 5]},
                    }
                }
            },
        )
        yield Stage(carol, irc)


async def test_words_before_the_end_of_names_wait_for_the_self_presence(stage: Stage) -> None:
    place = room("#c", "open.test")
    guest = await stage.join("#c")
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.write(":carol!u@h JOIN #c", ":tom!t@h PRIVMSG #c :early bird", ":s 353 carol = #c :carol tom")
    guest.write(":tom!t@h PRIVMSG #c :second", ":s 366 carol #c :End")
    seen = [await stage.carol.until(lambda s: s.get("from", "").startswith(place)) for _ in range(5)]
    assert [nick(stanza) for stanza in seen[:2]] == ["tom", "carol"] and codes(seen[1]) == {100, 110, 170}
    assert text(seen[2], "message/subject") == ""
    assert [text(stanza) for stanza in seen[3:]] == ["early bird", "second"]


async def test_logging_in_to_an_account(stage: Stage) -> None:
    guest = await stage.join("#c", "sasl.test")
    await guest.until("CAP LS 302")
    await guest.until("USER")
    guest.write(":s CAP * LS * :multi-prefix", ":s CAP * LS :sasl=PLAIN,EXTERNAL server-time")
    request = await guest.until("CAP REQ")
    guest.write(f":s CAP * ACK :{request.partition(':')[2]}")
    await guest.until("AUTHENTICATE PLAIN")
    guest.write("AUTHENTICATE +")
    sent = (await guest.until("AUTHENTICATE")).partition(" ")[2]
    assert sent == b64encode("\0gateway\0s€cret".encode()).decode()
    guest.write(":s 900 carol carol!u@h gateway :You are now logged in", ":s 903 carol :SASL authentication successful")
    await guest.until("CAP END")
    guest.nick = "carol"
    guest.greet()
    await guest.until("JOIN #c")
    guest.let_in("#c", "@tom")
    await stage.carol.until(presence_of(of(room("#c", "sasl.test"), "carol"), None, 110))


async def test_a_nick_that_the_server_changed_is_210(stage: Stage) -> None:
    guest = await stage.join("#c")
    await guest.until("USER")
    guest.nick = "carol_"
    guest.greet()
    await guest.until("JOIN #c")
    guest.let_in("#c")
    own = await stage.carol.until(lambda s: 110 in codes(s))
    assert nick(own) == "carol_" and codes(own) == {100, 110, 170, 210}


async def test_a_channel_that_the_server_puts_us_in_is_an_invitation(stage: Stage) -> None:
    guest = await stage.join("#c")
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.let_in("#c")
    guest.let_in("#forced", "tom")
    heard = await stage.carol.until("message/user:x/user:invite/../..")
    assert heard.get("from") == room("#forced", "open.test")
    await stage.carol.join(room("#forced", "open.test"), "carol")
    assert not [line for line in guest.lines if line.startswith("JOIN #forced")]


async def test_words_that_irc_never_took_are_an_error_when_the_connection_ends(stage: Stage) -> None:
    place = room("#c", "open.test")
    guest = await stage.join("#c")
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.let_in("#c")
    guest.answers = False
    await stage.carol.until(lambda s: 110 in codes(s))
    await stage.carol.say(place, "lost?", "lost")
    await guest.until("PING")
    await guest.close()
    error = await stage.carol.until("message[@type='error'][@id='lost']")
    assert condition(error) == "remote-server-timeout" and error.get("from") == place
    await stage.carol.until(presence_of(of(place, "carol"), "unavailable", 332))
    assert stage.carol.waiting(lambda s: text(s) == "lost?" and s.get("type") != "error") == []


async def test_confirmation_costs_a_few_lines_only_while_words_wait_for_their_turn(stage: Stage) -> None:
    place = room("#c", "slow.test")
    guest = await stage.join("#c", "slow.test")
    await guest.welcome()
    await guest.until("JOIN #c")
    guest.let_in("#c")
    await stage.carol.until(lambda s: 110 in codes(s))
    for number in range(8):
        await stage.carol.say(place, f"line {number}")
    for number in range(8):
        await stage.carol.body(f"line {number}")
    assert [line for line in guest.lines if line.startswith("PRIVMSG")] == [f"PRIVMSG #c :line {n}" for n in range(8)]
    assert len([line for line in guest.lines if line.startswith("PING")]) <= 3


async def test_words_on_their_way_at_a_stop_are_answered(prosody: Prosody, gateway: Start) -> None:
    async with ScriptedIrc() as irc, client(prosody, "carol") as carol:
        networks = {"open.test": {"address": irc.host, "ports": [irc.port], "tls": "off"}}
        there = await gateway(prosody, changes={"irc": {"networks": networks}})
        await carol.send(f"<presence to='{room('#c', 'open.test')}/carol'>{MUC}</presence>")
        guest = await irc.guest()
        await guest.welcome()
        await guest.until("JOIN #c")
        guest.let_in("#c")
        guest.answers = False
        await carol.until(lambda s: 110 in codes(s))
        await carol.say(room("#c", "open.test"), "arrived?", "m")
        await guest.until("PING")
        assert await there.terminate() == 0
        assert condition(await carol.until("message[@type='error'][@id='m']")) == "remote-server-timeout"
        await guest.until("QUIT")


async def test_invitations_and_joins_are_not_mixed_up_by_a_netsplit(stage: Stage) -> None:
    place = room("#c", "open.test")
    guest = await stage.join("#c")
    await guest.welcome()
    await guest.until("JOIN #c")
    others = [f"user{number}" for number in range(50)]
    guest.let_in("#c", *others)
    await stage.carol.until(lambda s: 110 in codes(s))
    guest.write(*[f":{other}!u@h QUIT :hub.test leaf.test" for other in others])
    guest.write(*[f":{other}!u@h JOIN #c" for other in others])
    for other in others:
        await stage.carol.until(presence_of(of(place, other), "unavailable", 333))
    await stage.carol.until(presence_of(of(place, others[-1])))


# How fast -------------------------------------------------------------------------------------------------------------


async def paste(who: Client, ircd: Ircd, network: str) -> None:
    """30 lines into one channel, then one into another: all come, in order, and the one does not wait for the 30."""
    lines = [f"line {number}" for number in range(30)]
    bodies = ["\n".join(lines[start : start + 5]) for start in range(0, 30, 5)]  # more at once are put into a file
    async with Person(ircd.host, ircd.port, "tom") as tom:
        for channel in ("#paste", "#other"):
            await tom.join(channel)
            await who.join(room(channel, network, "mail.localhost"), "alice")
        for body in bodies:
            await who.say(room("#paste", network, "mail.localhost"), body)
        await who.say(room("#other", network, "mail.localhost"), "short")
        heard: list[str] = []
        while len(heard) < 31:
            heard.append((await tom.until("PRIVMSG", 40)).text)
        assert [line for line in heard if line != "short"] == lines
        assert heard.index("short") <= 10
        await who.until(lambda s: text(s) == bodies[-1] and s.get("type") == "groupchat")


async def test_a_paste_is_not_too_fast_for_servers_with_flood_control(pasting: asyncio.Task[None]) -> None:
    await pasting
