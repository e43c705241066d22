"""`configure`: what users set for everything, for a network, and for a room, under the names that biboumi gave the fields.

What is left as it stands is not kept: whatever the operator changes later holds for it. A field that is left out of a submitted
form keeps its value (`forms.checked`), a secret that is left empty too; `--` removes a secret. What can take effect at once
does, the rest at the next connection, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import chosen
from transports.bridges.irc.command import ROOM, SERVER, Commands
from transports.bridges.irc.settings import (
    LENGTH,
    LENGTH_DEFAULT,
    MENTIONS,
    PERSISTENT,
    RAW,
    RAW_BY,
    RECORD,
    RECORD_PRIVATE,
    SECRETS,
    UNSET,
)
from transports.describe import AT_GATEWAY, AdHoc, Answers, Call, Done, Field, Form, Value
from transports.errors import LegacyError
from transports.events import Address
from transports.words import Text, say

#: What one types where a secret is to be no more.
REMOVE: Final = "--"
#: What counts at once; everything else of a network counts when it is connected to the next time.
AT_ONCE: Final = frozenset({LENGTH, RECORD, PERSISTENT, MENTIONS, RECORD_PRIVATE, "throttle_limit"})
_MENTION_WORDS: Final[Mapping[str, Text]] = {
    "off": say("irc.mentions-off"),
    "mentions": say("irc.mentions-mine"),
    "all": say("irc.mentions-all"),
}


# The fields of each place ---------------------------------------------------------------------------------------------


def fields_everywhere() -> list[Field]:
    """For all networks and rooms of which nothing else is said."""
    return [
        Field(LENGTH, say("irc.set-history"), "number", say("irc.set-history-help"), default=str(LENGTH_DEFAULT), check=length),
        Field(RECORD, say("irc.set-record"), "switch", say("irc.set-record-all"), default=True),
        Field(RECORD_PRIVATE, say("irc.set-private"), "switch", say("irc.set-private-help"), default=False),
        Field(PERSISTENT, say("irc.set-persistent"), "switch", say("irc.set-persistent-all"), default=False),
        Field(
            MENTIONS,
            say("irc.set-mentions"),
            "choice",
            say("irc.set-mentions-help"),
            default="mentions",
            options=_MENTION_WORDS,
        ),
    ]


def length(typed: str) -> str:
    if not -1 <= int(typed) <= 10_000:
        raise ValueError(say("irc.set-bad-number", least=-1, most=10_000))
    return typed


# What is kept of the answers ------------------------------------------------------------------------------------------


def standing(fields: Iterable[Field], now: Answers) -> list[Field]:
    """The fields with what is set standing in them, secrets removable."""
    return [_removable(field)._replace(default=now.get(field.var, field.default)) for field in fields]


def _removable(field: Field) -> Field:
    if field.type != "secret":
        return field
    check = field.check

    def kept(typed: str) -> str:
        return "" if typed == REMOVE else check(typed) if check is not None else typed

    return field._replace(check=kept, help=say("irc.set-removable", help=field.help))


def changes(fields: Iterable[Field], answers: Answers) -> dict[str, Value | None]:
    """What is to be kept, None for what is to be forgotten: an answer that is what holds anyway, or nothing."""
    found: dict[str, Value | None] = {}
    for field in fields:
        value = answers.get(field.var)
        if field.type != "note" and value is not None:
            found[field.var] = None if value in ("", ()) or value == field.default else value
    return found


def _as_set_nowhere(field: Field) -> Field:
    """A room's field with what holds where nothing is set; what is set comes on top of it."""
    return field._replace(default=UNSET) if field.var == RECORD else field


class Configure(Commands):
    """One command of one name at three kinds of places; with one fixed server the first two are at the same address."""

    def all(self) -> Iterable[AdHoc]:
        everywhere, server = ("global-configure", "server-configure") if self.fixed else ("configure", "configure")
        label = say("irc.set-all")
        word = "configure-all" if self.fixed else "configure"
        return [
            AdHoc(server, "configure", say("irc.set-server"), self._server, SERVER, help=say("irc.set-server-help")),
            AdHoc(everywhere, word, label, self._everywhere, AT_GATEWAY, help=say("irc.set-all-help")),
            AdHoc("configure", "configure", say("irc.set-room"), self._room, ROOM, help=say("irc.set-room-help")),
            AdHoc("history", "history", say("irc.history"), self._history, frozenset(("service", "server", "room")),
                  help=say("irc.history-help")),
        ]  # fmt: skip

    async def _everywhere(self, call: Call) -> Done:
        await self._ask(call, say("irc.set-all"), irc_address.SERVICE, fields_everywhere())
        return Done(say("irc.set-done"))

    async def _room(self, call: Call) -> Done:
        """The room's configuration form (XEP-0045 10.2), for clients that have no other way to it."""
        answers = await call.ask(await self.bridge.configuration(call.user, call.at))
        await self.bridge.configure(call.user, call.at, answers)
        return Done(say("irc.set-done"))

    async def _server(self, call: Call) -> Done:
        return await self.of_server(call, self.here(call))

    async def of_server(self, call: Call, server: str) -> Done:
        """The form of a network, for whoever leads to it."""
        place = self.place(server)
        changed = await self._ask(call, say("irc.set-title", server=server), place, self._fields_of_server(call, server))
        link = self.links(call.user).get(server)
        if link is None:
            return Done(say("irc.set-done"))
        self.apply(call.user, server)
        return Done(say("irc.set-done") if changed <= AT_ONCE else say("irc.set-next", server=server))

    def _fields_of_server(self, call: Call, server: str) -> list[Field]:
        """Where nothing is set for a network, what is set for everything stands there."""
        fields = []
        for field in chosen.fields(self.bridge.settings.network(server)):
            if field.var in (LENGTH, RECORD, PERSISTENT):
                around = self.set.everywhere(call.user, field.var)
                field = field._replace(default=field.default if around is None else around)
            if field.var != RAW or self.raw_for(call):
                fields.append(field)
        return fields

    async def _history(self, call: Call) -> Done:
        """Of what `configure` asks for, what has to do with the archive."""
        if call.at.kind == "room":
            fields = [_as_set_nowhere(field) for field in self.bridge.own_fields(call.user, call.at)]
        elif call.at.kind == "server" and not self.fixed:
            fields = self._fields_of_server(call, self.here(call))
        else:
            fields = fields_everywhere()
        place = call.at if call.at.kind == "room" or not self.fixed else irc_address.SERVICE
        await self._ask(call, say("irc.history"), place, [one for one in fields if one.var in (RECORD, LENGTH, RECORD_PRIVATE)])
        return Done(say("irc.set-done"))

    async def _ask(self, call: Call, title: str, place: Address, fields: Sequence[Field]) -> set[str]:
        """Ask for what is set at a place, and keep it; the vars that are another now. LegacyError when it cannot be kept."""
        before = self.options.of(call.user, place)
        answers = await call.ask(Form(title, standing(fields, before)))
        kept = changes(fields, answers)
        self._fit(answers)
        if kept.get(RAW) != before.get(RAW):
            kept[RAW_BY] = call.role if kept[RAW] is not None else None
        await self.options.change(call.user, place, kept, SECRETS)
        return {var for var, value in kept.items() if value != before.get(var) and var != RAW_BY}

    @staticmethod
    def _fit(answers: Answers) -> None:
        """What a field alone cannot tell."""
        lines = answers.get(RAW, ())
        if isinstance(lines, tuple) and len(lines) > chosen.MOST_LINES:
            raise LegacyError("not-acceptable", say("irc.set-many-lines", most=chosen.MOST_LINES))
