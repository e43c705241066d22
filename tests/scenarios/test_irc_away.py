"""Whether a user is there: what the user's clients say of it is AWAY on IRC, and never a NICK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from lab.gateway import Gateway
from lab.irc import Person
from lab.ircd import Inspircd
from lab.process import python
from lab.prosody import Prosody
from tests.scenarios.irc import client, of, room

Start = Callable[..., Awaitable[Gateway]]
#: The same gateway, which says it sooner than networks would like.
HASTY = "import transports.bridges.irc.absence as absence; from transports.cli import main; absence.SAY_EVERY = 0.5; main()"


async def test_who_has_no_client_there_is_away_and_who_comes_back_is_not(
    prosody: Prosody, inspircd: Inspircd, gateway: Start
) -> None:
    network: dict[str, Any] = {"address": inspircd.host, "ports": [inspircd.port], "tls": "off", "persistent": True}
    options = {"command": [python(), "-c", HASTY, "run", "--config"]}
    await gateway(prosody, inspircd, changes={"irc": {"networks": {"irc.test": network}}}, options=options)
    place = room("#away")
    async with Person(inspircd.host, inspircd.port, "tom", caps=["away-notify"]) as tom:
        await tom.join("#away")
        async with client(prosody, "carol") as carol:
            await carol.join(place, "carol")
            await carol.send(f"<presence to='{of(place, 'carol')}'><show>xa</show><status>at lunch</status></presence>")
            assert (await tom.until("AWAY")).params == ["at lunch"]
            await carol.send(f"<presence to='{of(place, 'carol')}'/>")
            assert (await tom.until("AWAY")).params == []
            await carol.leave(place, "carol")
        assert (await tom.until("AWAY")).params != []
        async with client(prosody, "carol", "later") as carol:
            await carol.join(place, "carol")
            assert (await tom.until("AWAY")).params == []
        assert not [line for line in tom.lines if line.command == "NICK"]
