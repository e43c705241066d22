"""The `gateway` fixture: the real daemon between the lab's servers, and gone after the test."""

from __future__ import annotations

from lab.domain import XmppServer
from lab.gateway import StartGateway
from lab.ircd import Ngircd
from lab.process import group_alive
from lab.xmpp import NS, Client


async def test_a_gateway_is_a_component_of_the_server(
    server: XmppServer, ngircd: Ngircd, gateway: StartGateway
) -> None:
    daemon = await gateway(server, ngircd)
    async with Client(server.jid("alice"), "alicepw", server.c2s_port) as alice:
        answer = await alice.iq(f"<iq type='get' to='irc.localhost'><query xmlns='{NS['info']}'/></iq>")
        assert (answer.get("from"), answer.get("type")) == ("irc.localhost", "result")
    group = daemon.pid
    assert daemon.rss() > 0
    assert await daemon.terminate() == 0
    assert not group_alive(group)
    await daemon.start()


async def test_a_gateway_that_is_killed_comes_back(server: XmppServer, ngircd: Ngircd, gateway: StartGateway) -> None:
    daemon = await gateway(server, ngircd)
    await daemon.kill()
    await daemon.start()
    assert daemon.log_lines("ready", whole=False)
