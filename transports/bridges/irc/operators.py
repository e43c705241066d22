"""What the people who run the gateway do about IRC: who is where, sending somebody away, whose a user name on IRC is.

Two of the names are biboumi's (disconnect-user, disconnect-from-irc-server), with its fields. `commands` lets nobody else in.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.command import Commands
from transports.bridges.irc.networks import moment, state_of
from transports.describe import AdHoc, Call, Done, Field, Form, Table, Value
from transports.errors import LegacyError
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.wire import Link

#: Rows of a table at once; with more sessions a part of the address is asked for.
AT_ONCE: Final = 200


class Operators(Commands):
    def all(self) -> Iterable[AdHoc]:
        rows = (
            ("irc-sessions", "sessions", say("irc.sessions"), self._sessions),
            ("disconnect-user", "disconnect-user", say("irc.disconnect-user"), self._disconnect_user),
            ("disconnect-from-irc-server", "disconnect-from", say("irc.disconnect-from"), self._disconnect_from),
            ("irc-whose", "whose", say("irc.whose"), self._whose),
        )
        return [AdHoc(node, word, label, run, role="admin", help=say("admin.word-help")) for node, word, label, run in rows]

    def _all(self) -> list[tuple[str, Link]]:
        sessions = sorted(self.bridge.sessions().items())
        return [(user, session.links[name]) for user, session in sessions for name in sorted(session.links)]

    async def _sessions(self, call: Call) -> Done:
        links = self._all()
        if len(links) > AT_ONCE:
            field = Field("part", say("admin.part"), help=say("admin.part-help"))
            part = str((await call.ask(Form(say("irc.sessions"), [field])))["part"]).lower()
            links = [(user, link) for user, link in links if part in user or part in link.settings.name]
        columns = (
            ("jid", say("admin.account")),
            ("server", say("irc.server")),
            ("nick", say("irc.nick")),
            ("state", say("irc.state")),
            ("since", say("irc.info-since")),
            ("channels", say("irc.channels")),
            ("ident", say("irc.ident")),
        )
        return Done(say("irc.sessions-done", count=len(self.bridge.links)), Table(columns, [self._row(*pair) for pair in links]))

    def _row(self, user: str, link: Link) -> list[str]:
        since = moment(time.time() - (link.loop.time() - link.since))
        channels = " ".join(sorted(channel.name for channel in link.net.channels.values()))
        ident = self.bridge.dialer.pseudonyms.ident(user)
        return [user, link.settings.name, link.net.nick or "–", say(state_of(link)), since, channels or "–", ident]

    # Sending away -------------------------------------------------------------------------------------------------------

    async def _disconnect_user(self, call: Call) -> Done:
        if not any(self.wanted(user) for user in self.bridge.sessions()):
            return Done(say("irc.nobody-connected"))
        fields = [
            Field("jids", say("admin.accounts"), "jids", say("admin.accounts-help"), required=True, check=self._connected),
            Field("quit-message", say("irc.quit-message"), default=say("irc.goodbye")),
        ]
        answers = await call.ask(Form(say("irc.disconnect-user"), fields))
        chosen, reason = answers["jids"], str(answers["quit-message"])
        away = [(user, server) for user in _several(chosen) for server in self.wanted(user)]
        count = sum(self._away(user, server, reason) for user, server in away)
        return Done(say("irc.disconnected-count", count=count))

    async def _disconnect_from(self, call: Call) -> Done:
        field = Field("jid", say("admin.account"), "jid", required=True, check=self._connected)
        user = str((await call.ask(Form(say("irc.disconnect-from"), [field])))["jid"])
        servers = {server: server for server in sorted(self.wanted(user))}
        fields = [
            Field("irc-servers", say("irc.networks-of", user=user), "choices", required=True, options=servers),
            Field("quit-message", say("irc.quit-message"), default=say("irc.goodbye")),
        ]
        answers = await call.ask(Form(say("irc.disconnect-from"), fields))
        reason = str(answers["quit-message"])
        count = sum(self._away(user, server, reason) for server in _several(answers["irc-servers"]))
        return Done(say("irc.disconnected-count", count=count))

    def _connected(self, typed: str) -> str:
        user = typed.partition("/")[0]
        if not self.wanted(user):
            raise LegacyError("item-not-found", say("irc.user-nowhere", user=user))
        return user

    def _away(self, user: str, server: str, reason: str) -> int:
        session = self.bridge.session_of(user)
        if session is None or server not in self.wanted(user):
            return 0
        session.leave(server, reason)
        return 1

    # Whose it is (T25) ----------------------------------------------------------------------------------------------------

    async def _whose(self, call: Call) -> Done:
        field = Field("ident", say("irc.ident"), help=say("irc.ident-help"), required=True)
        typed = str((await call.ask(Form(say("irc.whose"), [field])))["ident"])
        ident = typed.rpartition("!")[2].partition("@")[0]
        users = self.bridge.users()
        found = self.bridge.dialer.pseudonyms.whose(ident, sorted(users))
        chosen = {user for user in users if self._calls_itself(user, ident.removeprefix("~"))}
        both = sorted({*found, *chosen})
        return Done(say("irc.whose-found", ident=ident, users=", ".join(both)) if both else say("irc.whose-none", ident=ident))

    def _calls_itself(self, user: str, ident: str) -> bool:
        """Whether somebody has chosen that user name for a network."""
        places = (place for place in self.options.places(user) if place.kind == irc_address.server("", self.fixed).kind)
        return any(self.options.of(user, place).get("username") == ident for place in places)


def _several(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
