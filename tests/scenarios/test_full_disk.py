"""The disk is full, and then it is not: whoever is affected is told, nothing that was taken is lost, others go on.

Files of the gateway may grow no further (RLIMIT_FSIZE), which its database meets as it meets a disk without room.
"""

from __future__ import annotations

import resource
from pathlib import Path

from lab.gateway import Gateway, settings
from lab.prosody import Prosody
from lab.xmpp import Client, condition, text
from tests.scenarios.test_writing_a_bridge import DOMAIN, MODULE, form

LONG = "x" * 1_900


def room(gateway: Gateway, size: int) -> None:
    """No file of the gateway may grow past `size` bytes from now on."""
    assert gateway.process is not None
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def test_a_full_disk_is_told_and_what_was_taken_goes_on_when_there_is_room(prosody: Prosody, directory: Path) -> None:
    tables = settings(prosody)
    tables["bridges"] = {"echo": {"module": MODULE, "domain": DOMAIN}}  # type: ignore[dict-item]
    async with (
        Gateway(directory, tables) as gateway,
        Client("carol@localhost", "carolpw", prosody.c2s_port, "desk") as carol,
    ):
        assert condition(await carol.iq(form(nick="Carol", word="x"))) is None
        await carol.say(f"bob@{DOMAIN}", "before", kind="chat")
        await carol.body("before")

        room(gateway, 1)
        for number in range(3):
            id = await carol.say(f"bob@{DOMAIN}", f"{number} {LONG}", kind="chat")
            refused = await carol.until(f"message[@id='{id}'][@type='error']")
            assert condition(refused) == "internal-server-error" and text(refused, "message/error/stanzas:text")
        answer = await carol.iq(form(nick="Carola", word="x"))
        assert condition(answer) and text(answer, "iq/error/stanzas:text")
        assert condition(await carol.iq("<iq type='get' to='irc.localhost'><ping xmlns='urn:xmpp:ping'/></iq>")) is None

        room(gateway, resource.RLIM_INFINITY)
        await carol.say(f"bob@{DOMAIN}", "after", kind="chat")
        await carol.body("after")
        assert condition(await carol.iq(form(nick="Carola", word="x"))) is None
        assert gateway.running
