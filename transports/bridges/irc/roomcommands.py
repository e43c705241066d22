"""Commands about channels for people whose clients have no other way to them: `list` at a server, `lists` at a room.

The first looks for channels (what `directory` knows), the second shows and changes the masks of bans and their exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from transports.bridges.irc.channel import Channel
from transports.bridges.irc.command import ROOM, SERVERS, Commands
from transports.bridges.irc.modes import argument
from transports.bridges.irc.ranks import Mode
from transports.bridges.irc.rooms import LISTS
from transports.bridges.irc.wire import Link
from transports.describe import AdHoc, Call, Done, Field, Form, Table
from transports.ports import Search
from transports.words import Text, say

#: Channels of one answer, and masks.
CHANNELS, MASKS = 100, 500

_NAMES: Final[dict[str, Text]] = {
    "b": say("irc.list-b"),
    "e": say("irc.list-e"),
    "I": say("irc.list-invitations"),
    "q": say("irc.list-q"),
}


class RoomCommands(Commands):
    """The commands of one bridge."""

    def all(self) -> Iterable[AdHoc]:
        return [
            AdHoc("list", "list", say("irc.list"), self._list, SERVERS, help=say("irc.list-help")),
            AdHoc("lists", "lists", say("irc.lists"), self._lists, ROOM, help=say("irc.lists-help")),
        ]

    async def _list(self, call: Call) -> Done:
        link = await self.link(call, say("irc.list"))
        fields = [Field("q", say("search.words")), Field("min_users", say("search.least"), "number")]
        answers = await call.ask(Form(say("irc.list"), fields, say("irc.list-form")))
        call.progress(say("irc.list-wait", server=link.settings.name))
        least = max(0, int(str(answers["min_users"] or 0)))
        search = Search(str(answers["q"])[:200], least, most=CHANNELS)
        page = await self.bridge.rooms(call.user, self.place(link.settings.name), search)
        if not page.rooms:
            return Done(say("irc.list-none"))
        columns = [("channel", say("irc.list-channel")), ("users", say("irc.list-users")), ("topic", say("irc.list-topic"))]
        rows = [[about.name, str(about.occupants or 0), about.subject] for _, about in page.rooms]
        return Done(say("irc.list-done", count=page.total), Table(columns, rows))

    async def _lists(self, call: Call) -> Done:
        link, channel = self.bridge.inside(call.user, call.at)
        kinds = {letter: name for letter, name in _NAMES.items() if letter in link.net.isupport.chanmodes[0]}
        fields = [
            Field("list", say("irc.lists"), "choice", required=True, default=next(iter(kinds), ""), options=kinds),
            Field("add", say("irc.lists-add"), check=argument),
            Field("remove", say("irc.lists-remove"), check=argument),
        ]
        answers = await call.ask(Form(say("irc.lists"), fields, say("irc.lists-form")))
        letter = str(answers["list"])
        for added, var in ((False, "remove"), (True, "add")):
            if answers[var]:
                await self.bridge.change_list(link, channel, Mode(added, letter, str(answers[var])))
        return await self._shown(link, channel, letter)

    async def _shown(self, link: Link, channel: Channel, letter: str) -> Done:
        entries = await self.bridge.listed(link, channel, letter) if letter in LISTS else []
        if not entries:
            return Done(say("irc.lists-none"))
        columns = [("mask", say("irc.lists-mask")), ("by", say("irc.lists-by")), ("when", say("irc.lists-when"))]
        rows = [[mask, by, _day(when)] for mask, by, when in entries[:MASKS]]
        return Done(say("irc.lists-done", count=len(entries)), Table(columns, rows))


def _day(when: float | None) -> str:
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d") if when is not None else ""
    except (ValueError, OverflowError, OSError):
        return ""
