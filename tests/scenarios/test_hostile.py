"""10,000 hostile messages and nicks from IRC: the component stream of a real XMPP server stays, and it objects to nothing."""

from __future__ import annotations

import asyncio
import re

import pytest

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.process import folder
from lab.scripted_irc import ScriptedIrc
from lab.tap import Tap
from lab.xmpp import codes, text
from tests.scenarios import storm
from tests.scenarios.irc import MUC, client, presence_of, room

STORM = 10_000
#: Seconds after which something hangs: a busy machine needs a minute for ten thousand stanzas through ejabberd.
WITHIN = 240
PLACE = room("#c", "storm.test")


async def test_a_hostile_irc_server_does_no_harm(server: XmppServer) -> None:
    async with Tap(server.component_port) as tap, ScriptedIrc() as irc, client(server, "carol") as carol:
        networks = {"storm.test": {"address": irc.host, "ports": [irc.port], "tls": "off"}}
        changes = {"xmpp": {"port": tap.port}, "irc": {"networks": networks}}
        with folder("transports-test-") as path:
            async with Gateway(path, settings(server, changes=changes)) as gateway:
                await carol.send(f"<presence to='{PLACE}/carol'>{MUC}</presence>")
                guest = await irc.guest()
                await guest.welcome()
                await guest.until("JOIN #c")
                guest.let_in("#c", "tom", "@" + "x" * 200, *(f"n{number}" for number in range(3_000)))
                await carol.until(presence_of(f"{PLACE}/carol", None, 110), WITHIN)
                for number, line in enumerate(storm.lines(STORM)):
                    guest.write(line)
                    if number % 500 == 0:
                        await guest.drained()
                guest.write(b"endless " * 250_000)
                guest.write(b"half a line" + b"\r" * 5 + b"\0" * 5)
                guest.write("PING :still-there", ":tom!t@h JOIN #c", ":tom!t@h PRIVMSG #c :after the storm")
                await guest.until("PONG still-there", WITHIN)
                await carol.body("after the storm", WITHIN)
                await carol.say(PLACE, "and an answer", "answer")
                await guest.until("PRIVMSG #c :and an answer", WITHIN)
                assert (await carol.body("and an answer", WITHIN)).get("id") == "answer"
                bodies = [stanza for stanza in carol.received if text(stanza)]
                assert len(bodies) > STORM // 10
                senders = {stanza.get("from", "").partition("/")[0].rpartition("@")[2] for stanza in bodies}
                assert senders == {"irc.localhost"}
                assert {333, 307} & {code for stanza in carol.received for code in codes(stanza)}
                complaints = gateway.log_lines(r"could not be handled|Traceback|ERROR|CRITICAL")
        assert complaints == []
        said = bytes(tap.from_server)
        assert tap.connections == 1
        assert re.findall(rb"<stream:error.*|jid-malformed|bad-request|not-well-formed|invalid-from", said) == []


@pytest.mark.parametrize("size", [2_000_000])
async def test_a_line_without_an_end_costs_nothing(prosody: XmppServer, size: int) -> None:
    """Two megabytes without a line break, in pieces, before the greeting and after: others are served meanwhile."""
    async with ScriptedIrc() as irc, client(prosody, "carol") as carol, client(prosody, "dave") as dave:
        networks = {
            name: {"address": irc.host, "ports": [irc.port], "tls": "off"} for name in ("storm.test", "calm.test")
        }
        with folder("transports-test-") as path:
            async with Gateway(path, settings(prosody, changes={"irc": {"networks": networks}})):
                await dave.send(f"<presence to='{room('#c', 'calm.test')}/dave'>{MUC}</presence>")
                calm = await irc.guest()
                await calm.welcome()
                await calm.until("JOIN #c")
                calm.let_in("#c")
                await carol.send(f"<presence to='{PLACE}/carol'>{MUC}</presence>")
                guest = await irc.guest()
                guest.write(b"x" * size)
                await guest.welcome()
                await guest.until("JOIN #c")
                guest.let_in("#c")
                began = asyncio.get_running_loop().time()
                for _ in range(size // 1_000):
                    guest.write(b"y" * 998)
                guest.write(b"z" * size)
                calm.write(":tom!t@h PRIVMSG #c :meanwhile")
                await dave.body("meanwhile")
                guest.write(":tom!t@h PRIVMSG #c :done")
                await carol.body("done")
                assert asyncio.get_running_loop().time() - began < 5
