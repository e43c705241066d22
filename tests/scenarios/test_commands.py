"""Commands by form and by chat, through real servers: at the gateway and at a network, in two clients, and by somebody greedy."""

from __future__ import annotations

import asyncio

import pytest

from lab.xmpp import NS, Client, Stanza, condition, find, text
from tests.scenarios.irc import DOMAIN, House, room

NETWORK = room("")
SESSION = "iq/error/commands:bad-sessionid"


async def execute(client: Client, node: str, to: str = DOMAIN, id: str = "", inner: str = "", action: str = "execute") -> Stanza:
    session = f" action='{action}' sessionid='{id}'" if id else ""
    return await client.iq(
        f"<iq type='set' to='{to}'><command xmlns='{NS['commands']}' node='{node}'{session}>{inner}</command></iq>"
    )


def command(answer: Stanza) -> Stanza:
    found = find(answer, "iq/commands:command")
    assert found is not None, condition(answer)
    return found


async def chat(client: Client, words: str, to: str = DOMAIN, language: str = "en") -> str:
    """What the gateway says to some words, to the client that said them."""
    await client.send(f"<message to='{to}' type='chat' id='x' xml:lang='{language}'><body>{words}</body></message>")
    answer = await client.until(lambda s: s.tag.endswith("}message") and s.get("from") == to and s.get("to") == client.jid)
    return text(answer) or ""


async def test_the_commands_of_the_gateway_and_of_a_network(house: House) -> None:
    async def nodes(to: str) -> dict[str, str]:
        answer = await house.alice.iq(f"<iq type='get' to='{to}'><query xmlns='{NS['items']}' node='{NS['commands']}'/></iq>")
        return {item.get("node", ""): item.get("name", "") for item in answer[0] if item.get("jid") == to}

    assert {"jabber:iq:register", "preferences", "networks", "disconnect"} <= (await nodes(DOMAIN)).keys()
    here = await nodes(NETWORK)
    assert {"connect", "disconnect", "configure", "nick", "raw"} <= here.keys() and "networks" not in here
    assert "block" in await nodes(room("eve")) and "block" in await nodes(f"{room('#home')}/eve")
    done = command(await execute(house.alice, "networks"))
    assert done.get("status") == "completed" and "irc.test" in "".join(done.itertext())
    assert "alice" in await chat(house.alice, "networks")


async def test_a_form_belongs_to_the_client_that_asked_for_it(house: House) -> None:
    asked = command(await execute(house.alice, "preferences"))
    id = asked.get("sessionid", "")
    form = "<x xmlns='jabber:x:data' type='submit'><field var='language'><value>tlh</value></field></x>"
    for other in (house.phone, house.bob):
        assert find(await execute(other, "preferences", id=id, inner=form), SESSION) is not None
    again = command(await execute(house.alice, "preferences", id=id, inner=form))
    assert (again.get("sessionid"), again.get("status")) == (id, "executing")
    assert "⚠" in (again.findtext("data:x/data:field[@var='language']/data:desc", namespaces=NS) or "")
    over = command(await execute(house.alice, "preferences", id=id, action="cancel"))
    assert over.get("status") == "canceled"


async def test_a_chat_goes_on_at_the_other_client(house: House) -> None:
    asked = await chat(house.alice, "preferences", language="de")
    assert "Deutsch" in asked and "„abbrechen“" in asked
    for _ in range(asked.count("Jetzt: ") * 20):
        asked = await chat(house.phone, "-", language="de") if "Jetzt: " in asked else asked
    assert "registriert" in asked
    assert (await chat(house.alice, "abbrechen", language="de")) == "Es gibt nichts abzubrechen."
    await chat(house.alice, "unregister")
    assert await chat(house.phone, "yes") == "You have unregistered."


async def test_a_network_is_left_by_a_word_to_it(house: House) -> None:
    await house.bob.join(room("#left"), "bob")
    assert await chat(house.bob, "disconnect", NETWORK) == "You have left irc.test."
    await house.bob.until(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{room('#left')}/bob")
    await house.gone("bob")
    assert (await chat(house.bob, "disconnect", NETWORK)).startswith("⚠ ")


@pytest.mark.parametrize("way", ["forms", "chat"])
async def test_somebody_greedy_takes_nothing_from_others(house: House, way: str) -> None:
    flood = {
        "forms": f"<iq type='set' to='{DOMAIN}' id='f'><command xmlns='{NS['commands']}' node='preferences'/></iq>",
        "chat": f"<message to='{DOMAIN}' type='chat' id='f'><body>preferences</body></message>",
    }[way]
    id = command(await execute(house.alice, "preferences")).get("sessionid", "")
    for _ in range(300):
        await house.bob.send(flood)
    async with asyncio.timeout(5):
        assert "networks" in await chat(house.alice, "help")
        again = command(await execute(house.alice, "preferences", id=id, inner="<x xmlns='jabber:x:data'/>"))
    assert again.get("status") == "completed"
    await house.bob.barrier()
    assert not house.bob.closed
    await chat(house.bob, "cancel")
    await chat(house.alice, "unregister yes")
    house.forget()
