"""Somebody registers, chooses, adds a contact and leaves; somebody who runs the gateway looks on. Through both XMPP servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.process import folder
from lab.xmpp import NS, Client, Stanza, condition, find, text
from tests.scenarios.irc import DOMAIN, client

ADMIN = "http://jabber.org/protocol/admin"
GATEWAY = "jabber:iq:gateway"


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(server: XmppServer) -> AsyncIterator[Gateway]:
    with folder("transports-test-") as path:
        async with Gateway(path, settings(server, changes={"xmpp": {"admins": ["bob@localhost"]}})) as gateway:
            yield gateway


def query(inner: str, namespace: str = NS["register"], kind: str = "set") -> str:
    return f"<iq type='{kind}' to='{DOMAIN}'><query xmlns='{namespace}'>{inner}</query></iq>"


def form(**values: str) -> str:
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in values.items())
    return f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"


async def command(client: Client, node: str, inner: str = "", before: Stanza | None = None) -> Stanza:
    session = f" sessionid='{before.get('sessionid')}'" if before is not None else " action='execute'"
    answer = await client.iq(
        f"<iq type='set' to='{DOMAIN}'><command xmlns='{NS['commands']}' node='{node}'{session}>{inner}</command></iq>"
    )
    found = find(answer, "iq/commands:command")
    assert found is not None, condition(answer)
    return found


def words(command: Stanza) -> str:
    return " ".join(element.text or "" for element in command.iter(f"{{{NS['commands']}}}note"))


def in_contact_list(stanza: Stanza) -> bool:
    """The gateway comes into the contact list: put there by the server (XEP-0356), or with a question to the user."""
    item = find(stanza, "iq/roster:query/roster:item")
    put = item is not None and item.get("jid") == DOMAIN and item.get("subscription") in ("both", "to")
    return put or (stanza.get("from") == DOMAIN and stanza.get("type") == "subscribe")


async def test_from_the_first_look_to_the_end(gateway: Gateway, server: XmppServer) -> None:
    async with client(server, "alice") as alice, client(server, "bob") as bob:
        info = await alice.iq(query("", NS["info"], "get"))
        features = {found.get("var") for found in info.iter(f"{{{NS['info']}}}feature")}
        assert {NS["register"], GATEWAY, NS["commands"]} <= features
        assert find(await alice.iq(query("", kind="get")), "iq/register:query/register:registered") is None

        assert (await alice.iq(query(form(language="de")))).get("type") == "result"
        await alice.until(in_contact_list)
        await alice.send(f"<presence to='{DOMAIN}' type='subscribed'/>")
        assert find(await alice.iq(query("", kind="get")), "iq/register:query/register:registered") is not None
        refused = await alice.iq(query("<remove/><remove/>"))
        assert (text(refused, "iq/error/stanzas:text") or "").startswith("Wer sich abmeldet")

        found = await alice.iq(query("<prompt>Eve%irc.Test</prompt>", GATEWAY))
        assert [element.text for element in found.iter(f"{{{GATEWAY}}}jid")] == [f"eve%irc.test@{DOMAIN}"]
        refused = await alice.iq(query("<prompt>eve</prompt>", GATEWAY))
        assert condition(refused) and text(refused, "iq/error/stanzas:text")

        form_of_add = await command(alice, "add")
        added = await command(alice, "add", form(address="eve%irc.test", name="Eve"), form_of_add)
        assert f"eve%irc.test@{DOMAIN}" in words(added)

        announce = f"<command xmlns='{NS['commands']}' node='{ADMIN}#announce'/>"
        assert condition(await alice.iq(f"<iq type='set' to='{DOMAIN}'>{announce}</iq>")) == "forbidden"
        users = await command(bob, f"{ADMIN}#get-registered-users-list")
        assert "alice@localhost" in "".join(users.itertext())
        asked = await command(bob, f"{ADMIN}#announce-all")
        await command(bob, f"{ADMIN}#announce-all", form(announcement="Back in a minute."), asked)
        assert (await alice.body("Back in a minute.")).get("from") == DOMAIN

        asked = await command(bob, f"{ADMIN}#delete-user")
        sure = await command(bob, f"{ADMIN}#delete-user", form(accountjids="alice@localhost"), asked)
        done = await command(bob, f"{ADMIN}#delete-user", form(confirm="1"), sure)
        assert words(done) == "Unregistered: 1."
        await alice.body("Die Betreiber haben deine Registrierung beendet.")
        assert find(await alice.iq(query("", kind="get")), "iq/register:query/register:registered") is None
        assert condition(await alice.iq(query("<remove/>"))) == "registration-required"
