"""The XMPP server restarts: clients that went with it leave IRC, a gateway that stays is there for those who come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.domain import XmppServer
from lab.ejabberd import Ejabberd
from lab.gateway import Gateway, settings
from lab.irc import Person
from lab.ircd import Ircd
from lab.process import folder
from lab.prosody import Prosody
from lab.xmpp import Client

ROOM = "#outage%irc.test@irc.localhost"


@pytest.mark.parametrize("kind", [Prosody, Ejabberd])
async def test_clients_that_went_with_the_server_leave_irc(kind: type[XmppServer], ngircd: Ircd) -> None:
    with folder("transports-test-") as path:
        (path / "server").mkdir()
        (path / "gateway").mkdir()
        server = kind(Path(path / "server"), components={"irc.localhost": "secret"}, accounts={"alice": "alicepw"})
        async with server, Person(ngircd.host, ngircd.port, "outside") as outside:
            await outside.send("JOIN #outage")
            await outside.until("366")
            changes = {"irc": {"networks": {"irc.test": {"address": ngircd.host, "ports": [ngircd.port], "tls": "off"}}}}
            async with Gateway(path / "gateway", settings(server, ngircd, changes=changes)):
                async with Client("alice@localhost", "alicepw", server.c2s_port, "before") as alice:
                    await alice.join(ROOM, "alice")
                    await outside.until("JOIN")
                    await server.kill()
                    await server.start()
                    await outside.until("PART", timeout=30)
                async with Client("alice@localhost", "alicepw", server.c2s_port, "after") as alice:
                    await alice.join(ROOM, "alice")
                    await outside.send("PRIVMSG #outage :welcome back")
                    await alice.body("welcome back")
