"""What IRC asks of people and lets them do beside talking: prompts, preferences, commands. Registration is not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.chosen import real_name
from transports.describe import AdHoc, Call, Description, Done, Field, Form, Prompt, Registration, Table
from transports.errors import LegacyError
from transports.events import Kind
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge
    from transports.bridges.irc.wire import Link

#: What IRC servers show as the real name of those who have chosen none.
REAL_NAME: Final = "XMPP user"
_SERVERS: Final[frozenset[Kind]] = frozenset(("service", "server"))


class People:
    """The commands of one bridge."""

    def __init__(self, bridge: IrcBridge) -> None:
        self._bridge = bridge
        commands = [
            AdHoc("networks", "networks", say("irc.networks"), self._networks, help=say("irc.networks-help")),
            AdHoc("disconnect", "disconnect", say("irc.disconnect"), self._disconnect, _SERVERS, help=say("irc.disconnect-help")),
        ]
        name = Field("realname", say("irc.realname"), default=REAL_NAME, check=real_name, help=say("irc.realname-help"))
        prompt = Prompt(say("irc.prompt"), say("irc.prompt-fixed" if bridge.fixed else "irc.prompt-help"))
        registration = Registration(instructions=say("irc.registration"))
        self.description = Description(prompt, registration, [name], commands)

    def _links(self, call: Call) -> dict[str, Link]:
        return {link.settings.name: link for link in self._bridge.links_of(call.user)}

    async def _networks(self, call: Call) -> Done:
        rows = [[name, link.net.nick or "–", str(len(link.net.channels))] for name, link in sorted(self._links(call).items())]
        if not rows:
            return Done(say("irc.no-networks"))
        columns = [("server", say("irc.server")), ("nick", say("irc.nick")), ("channels", say("irc.channels"))]
        return Done(say("irc.networks-done", count=len(rows)), Table(columns, rows))

    async def _disconnect(self, call: Call) -> Done:
        links = self._links(call)
        here = irc_address.split(call.at, self._bridge.fixed)[1] if call.at.kind == "server" else ""
        if not links or (here and here not in links):
            raise LegacyError("item-not-found", say("irc.not-connected", server=here) if here else say("irc.no-networks"))
        if not here and len(links) > 1:
            options = {name: name for name in sorted(links)}
            field = Field("server", say("irc.server"), "choice", required=True, options=options)
            here = str((await call.ask(Form(say("irc.disconnect"), [field])))["server"])
        here = here or next(iter(links))
        if link := self._links(call).get(here):
            link.leave(say("irc.goodbye"))
        return Done(say("irc.disconnected", server=here))
