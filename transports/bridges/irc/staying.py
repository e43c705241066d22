"""The command with which a user leaves a room for good, also one where the user stays without a client."""

from __future__ import annotations

from collections.abc import Iterable

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.command import ROOM, Commands
from transports.describe import AdHoc, Call, Done
from transports.errors import LegacyError
from transports.words import say


class Staying(Commands):
    def all(self) -> Iterable[AdHoc]:
        return [AdHoc("leave", "leave", say("irc.leave"), self._leave, ROOM, help=say("irc.leave-help"))]

    async def _leave(self, call: Call) -> Done:
        channel, server = irc_address.split(call.at, self.fixed)
        if not self.session(call).part(call.at, server, say("irc.goodbye")):
            raise LegacyError("item-not-found", say("irc.not-in"))
        return Done(say("irc.leave-done", channel=channel))
