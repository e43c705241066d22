"""A user's networks: which there are, how they are, and connecting to them and leaving them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import chosen, write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.command import SERVER, SERVERS, Commands
from transports.bridges.irc.configure import Configure, changes, standing
from transports.bridges.irc.settings import SECRETS
from transports.describe import AdHoc, Call, Done, Field, Form, Table
from transports.events import NOBODY
from transports.words import Text, say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge
    from transports.bridges.irc.wire import Link

#: What a network that is added is asked for; the rest is `configure`'s.
ADDED: Final = ("address", "tls_ports", "ports", "nick", "sasl_user", "sasl_password", "persistent")


class Networks(Commands):
    def __init__(self, bridge: IrcBridge, configure: Configure) -> None:
        super().__init__(bridge)
        self.configure = configure

    def all(self) -> Iterable[AdHoc]:
        found = [
            AdHoc("networks", "networks", say("irc.networks"), self._list, help=say("irc.networks-help")),
            AdHoc("connect", "connect", say("irc.connect"), self._connect, SERVERS, help=say("irc.connect-help")),
            AdHoc("disconnect", "disconnect", say("irc.disconnect"), self._disconnect, SERVERS, help=say("irc.disconnect-help")),
            AdHoc("reconnect", "reconnect", say("irc.reconnect"), self._reconnect, SERVERS, help=say("irc.reconnect-help")),
            AdHoc("get-irc-connection-info", "info", say("irc.info"), self._info, SERVER, help=say("irc.info-help")),
        ]
        if not self.fixed:
            found += [
                AdHoc("add-network", "add-network", say("irc.add"), self._add, help=say("irc.add-help")),
                AdHoc("edit-network", "edit-network", say("irc.edit"), self._edit, help=say("irc.edit-help")),
                AdHoc("remove-network", "remove-network", say("irc.remove"), self._remove, help=say("irc.remove-help")),
            ]
        return found

    # Which there are ----------------------------------------------------------------------------------------------------

    async def _list(self, call: Call) -> Done:
        links = self.links(call.user)
        rows = [self._row(name, links.get(name)) for name in self.known(call.user)]
        if not rows:
            return Done(say("irc.no-networks"))
        columns = [
            ("server", say("irc.server")),
            ("state", say("irc.state")),
            ("nick", say("irc.nick")),
            ("channels", say("irc.channels")),
        ]
        return Done(say("irc.networks-done", count=len(rows)), Table(columns, rows))

    def _row(self, name: str, link: Link | None) -> list[str]:
        if link is None:
            return [name, say("irc.state-off"), "–", "0"]
        return [name, say(state_of(link)), link.net.nick or "–", str(len(link.net.channels))]

    async def _add(self, call: Call) -> Done:
        """Which network first: how it may be reached depends on whether the operator lists it."""
        field = Field("server", say("irc.server"), help=say("irc.add-server"), required=True, check=self.server_name)
        server = str((await call.ask(Form(say("irc.add"), [field], say("irc.add-help"))))["server"])
        place = self.place(server)
        operator = self.bridge.settings.network(server)
        fields = [one for one in chosen.fields(operator) if one.var in ADDED or one.type == "note"]
        answers = await call.ask(Form(say("irc.add-title", server=server), standing(fields, self.options.of(call.user, place))))
        kept = changes(fields, answers)
        kept.setdefault("persistent", None)
        kept["listed"] = True  # so that it is among the user's networks, whatever else was left as it stood
        await self.options.change(call.user, place, kept, SECRETS)
        return Done(say("irc.added", server=server))

    async def _edit(self, call: Call) -> Done:
        return await self.configure.of_server(call, await self.network(call, say("irc.edit"), self.known(call.user)))

    async def _remove(self, call: Call) -> Done:
        """A network with all that is set for it and its rooms."""
        server = await self.network(call, say("irc.remove"), self.known(call.user))
        await call.confirm(say("irc.remove-question", server=server))
        for place in self.options.places(call.user):
            if irc_address.split(place, self.fixed)[1] == server:
                await self.options.put(call.user, place, {})
        self.session(call).leave(server, say("irc.goodbye"))
        return Done(say("irc.removed", server=server))

    # Connecting ---------------------------------------------------------------------------------------------------------

    async def _connect(self, call: Call) -> Done:
        server = self.here(call)
        if not server:
            listed = ", ".join(self.known(call.user)[:20])
            words = say("irc.connect-which-of", servers=listed) if listed else say("irc.connect-which")
            field = Field("server", say("irc.server"), help=words, required=True, check=self.server_name)
            server = str((await call.ask(Form(say("irc.connect"), [field])))["server"])
        if (link := self.links(call.user).get(server)) is not None and link.net.ready:
            return Done(say("irc.connected-already", server=server, nick=link.net.nick))
        session = self.session(call)
        session.attach(server)
        link = session.links[server]
        most = link.settings.channels or self.bridge.settings.limits.channels
        for channel in self.staying(call.user, server)[:most]:
            call.enter(self.room(channel, server), link.nick)
        return Done(say("irc.connecting", server=server))

    async def _reconnect(self, call: Call) -> Done:
        server = await self.network(call, say("irc.reconnect"), self.known(call.user))
        self.session(call).reattach(server)
        return Done(say("irc.reconnecting", server=server))

    async def _disconnect(self, call: Call) -> Done:
        server = await self.network(call, say("irc.disconnect"), self.wanted(call.user))
        self.session(call).leave(server, say("irc.goodbye"))
        return Done(say("irc.disconnected", server=server))

    # How one is ---------------------------------------------------------------------------------------------------------

    async def _info(self, call: Call) -> Done:
        link = self.still(call.user, self.here(call))
        net = link.net
        began = link.loop.time()
        await link.ask(Question(write.ping(f"lag-{began:.0f}"), (f"lag-{began:.0f}",), ends=frozenset(("PONG",))))
        lag = link.loop.time() - began
        rows = [
            (say("irc.info-address"), address_of(link)),
            (say("irc.info-tls"), tls_of(link)),
            (say("irc.info-since"), moment(time.time() - (link.loop.time() - link.since))),
            (say("irc.nick"), net.nick),
            (say("irc.set-account"), net.people.get(net.nick, NOBODY).account or "–"),
            (say("irc.info-lag"), say("irc.info-ms", ms=round(lag * 1000))),
            (say("irc.channels"), ", ".join(sorted(channel.name for channel in net.channels.values())) or "–"),
        ]
        columns = (("item", say("admin.item")), ("value", say("admin.value")))
        return Done(say("irc.info-title", server=link.settings.name), Table(columns, rows))


def state_of(link: Link) -> str:
    """The key of the words for how a connection is."""
    return "irc.state-on" if link.net.ready else "irc.state-connecting"


def address_of(link: Link) -> str:
    transport = link.connection.transport
    there = transport.get_extra_info("peername") if transport is not None else None
    return f"{link.settings.address} ({there[0]}, {there[1]})" if there else link.settings.address


def tls_of(link: Link) -> str | Text:
    transport = link.connection.transport
    encrypted = transport.get_extra_info("ssl_object") if transport is not None else None
    if encrypted is None:
        return say("irc.info-plain")
    return f"{encrypted.version()}, {(encrypted.cipher() or ('?',))[0]}"


def moment(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")
