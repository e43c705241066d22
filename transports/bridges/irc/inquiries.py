"""What a user asks of somebody's program: its version, whether it is there, what time it is. CTCP, a few in a minute.

The half of the bridge that `ports.LiveBridge` calls version, ping and clock. What the lines look like is `ctcp`'s business.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import ctcp, write
from transports.errors import LegacyError
from transports.events import Address
from transports.ports import Program
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.wire import Link


class Inquiries:
    """Mixed into the bridge, which has what is annotated here."""

    programs = True
    fixed: str

    def link_to(self, user: str, server: str) -> Link | None:
        raise NotImplementedError

    async def version(self, user: str, person: Address) -> Program | None:
        link, nick = self._whom(user, person)
        if link.net.is_me(nick):
            return None
        return Program(*ctcp.version_of(await _asked(link, nick, "VERSION")))

    async def ping(self, user: str, person: Address) -> None:
        link, nick = self._whom(user, person)
        if not link.net.is_me(nick):
            await _asked(link, nick, "PING", link.net.token())

    async def clock(self, user: str, person: Address) -> datetime | None:
        link, nick = self._whom(user, person)
        if link.net.is_me(nick):
            return None
        answer = await _asked(link, nick, "TIME")
        shown = ctcp.time_of(answer, link.net.epoch + link.loop.time())
        if shown is None:
            raise LegacyError("not-acceptable", say("irc.no-clock", nick=nick, words=answer[:100]))
        return shown

    def _whom(self, user: str, person: Address) -> tuple[Link, str]:
        nick, server = irc_address.split(person, self.fixed)
        link = self.link_to(user, server)
        if link is None:
            raise LegacyError("recipient-unavailable", say("irc.unconnected", server=server), type="cancel")
        return link, nick


async def _asked(link: Link, nick: str, kind: str, text: str = "") -> str:
    """What somebody's program answers. LegacyError when nobody does in time, or too much was asked of late."""
    try:
        question = ctcp.question(nick, kind, text)
    except write.BadLine:
        raise LegacyError("item-not-found", say("irc.unfit", target=nick)) from None
    link.net.inquired = ctcp.afford(link.net.inquired, link.loop.time())
    return (await link.ask(question))[-1].params[2]
