"""What users keep secret is nowhere to be read: not in what the daemon writes at its most talkative, nor in what it answers.

The daemon as it runs, on both XMPP servers, with the bridge of docs/writing-a-bridge.md, whose registration has a password. It
is given in every way there is, right and wrong.
"""

from __future__ import annotations

import asyncio
import os
import sys

from lab.domain import XmppServer
from lab.gateway import ROOT, Gateway, settings
from lab.process import folder, python
from lab.xmpp import Client, Stanza, condition, show
from tests.scenarios.test_writing_a_bridge import DOMAIN, MODULE, REMOVE, command, form

CANARY = "canary-7f3a90d1c2"
TALKATIVE = (python(), "-m", "transports", "run", "--log-level", "debug", "--config")
OLD = "<iq type='set' to='{}'><query xmlns='jabber:iq:register'><nick>Alice</nick><password>{}</password></query></iq>"


class Words:
    """Everything that one client was told by the gateway."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.told: list[str] = []

    async def iq(self, xml: str) -> Stanza:
        answer = await self.client.iq(xml)
        self.told.append(show(answer))
        return answer

    async def chat(self, text: str) -> str:
        await self.client.say(DOMAIN, text, kind="chat")
        return await self.heard()

    async def heard(self) -> str:
        answer = await self.client.until(lambda stanza: stanza.get("from") == DOMAIN and bool(stanza.findtext("{*}body")))
        self.told.append(show(answer))
        return answer.findtext("{*}body") or ""


async def shell(gateway: Gateway, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "transports", *arguments, "--config", str(gateway.config_path)),
        env={**os.environ, **gateway.environment()},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def given(words: Words) -> None:
    """The password by iq, as a form and without one, by command and by chat; too late, and where nobody asks for it."""
    assert condition(await words.iq(OLD.format(DOMAIN, CANARY))) is None
    assert condition(await words.iq(form(nick="not a name!", word=CANARY))) == "not-acceptable"
    assert condition(await words.iq(form(nick="Alice", word=CANARY, stray=CANARY))) in (None, "not-acceptable")
    assert condition(await words.iq(f"<iq type='get' to='{DOMAIN}'><query xmlns='jabber:iq:register'/></iq>")) is None
    begun = await command(words.client, "jabber:iq:register")
    answers = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in (("nick", "!"), ("word", CANARY)))
    filled = f"<x xmlns='jabber:x:data' type='submit'>{answers}</x>"
    again = await command(words.client, "jabber:iq:register", filled, begun.get("sessionid", ""), "complete")
    words.told += [show(begun), show(again)]
    assert again.get("status") == "executing"
    assert "Delete your message" in await words.chat(f"register Alice {CANARY}")
    assert "changed" in await words.heard()
    assert "I did not understand" in await words.chat(CANARY)
    assert condition(await words.iq(REMOVE)) is None
    assert "Your name" in await words.chat("register")
    assert "Password" in await words.chat("Alice")
    assert "Delete your message" in await words.chat(CANARY) or "registered" in words.told[-1]


async def test_a_secret_is_nowhere_to_be_read(server: XmppServer) -> None:
    tables = settings(server)
    del tables["irc"]
    tables["bridges"] = {"echo": {"module": MODULE, "domain": DOMAIN}}  # type: ignore[dict-item]
    with folder("transports-test-") as path:
        async with Gateway(path, tables, command=TALKATIVE) as gateway:
            async with Client("alice@localhost", "alicepw", server.c2s_port, "desk") as alice:
                words = Words(alice)
                await given(words)
                shown = await shell(gateway, "users", "show", "alice@localhost")
                assert "word: (secret)" in shown
                words.told += [shown, await shell(gateway, "users", "show", "alice@localhost", "--json")]
                words.told.append(await shell(gateway, "backup", str(path / "copy.db")))
                live = {file.name: file.read_bytes() for file in path.rglob("*") if file.is_file()}
            await gateway.terminate()
            ended = {file.name: file.read_bytes() for file in path.rglob("*") if file.is_file()}
            logs = [gateway.log_text()]
            await gateway.start()
            logs.append(gateway.log_text())
    assert {"transports.db", "transports.db-wal", "copy.db"} <= set(live)
    assert [name for files in (live, ended) for name, data in files.items() if CANARY.encode() in data] == []
    assert [told for told in words.told if CANARY in told] == []
    assert all("started" in log and CANARY not in log for log in logs)
