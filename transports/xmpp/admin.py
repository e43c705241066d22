"""Commands of the people who run the gateway: who is there, announcements, unregistering, under XEP-0133's names where
it has any.

All of them are for admins alone, which `commands` sees to. What names another user is a bare JID that the gateway knows; what
is typed goes nowhere else. Announcements are paced, and go on when the admin's client is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from transports.contacts import Contact
from transports.describe import AdHoc, Call, Done, Field, Form, Table
from transports.errors import LegacyError
from transports.visitor import Visitor
from transports.words import CATALOGS, in_language, say
from transports.xmpp import write
from transports.xmpp.address import JidError, parse

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

NS: Final = "http://jabber.org/protocol/admin"
#: Rows of a list that is shown without being asked which part of it.
AT_ONCE: Final = 200
#: Announcements that leave at once, and seconds between these.
BATCH: Final = 20
PAUSE: Final = 0.5


class Admin:
    """`pause`: seconds between the batches of an announcement."""

    def __init__(self, desk: Desk, pause: float = PAUSE) -> None:
        self.desk = desk
        self.pause = pause
        rows: tuple[tuple[str, str, str, Callable[[Call], Awaitable[Done]]], ...] = (
            (f"{NS}#get-registered-users-list", "users", say("admin.users"), self._users),
            (f"{NS}#get-online-users-list", "online", say("admin.online"), self._online),
            (f"{NS}#user-stats", "user", say("admin.details"), self._details),
            (f"{NS}#announce", "announce", say("admin.announce"), self._announce),
            (f"{NS}#announce-all", "announce-all", say("admin.announce-all"), self._announce_all),
            (f"{NS}#end-user-session", "end-session", say("admin.end"), self._end),
            (f"{NS}#delete-user", "delete-user", say("admin.delete"), self._delete),
        )
        for node, word, label, run in rows:
            self._offer(node, word, label, run)

    def reloads(self, reload: Callable[[], None]) -> None:
        """There is something that reads the languages anew."""

        async def run(call: Call) -> Done:
            reload()
            return Done(say("admin.reloaded", languages=", ".join(sorted(CATALOGS))))

        self._offer("reload", "reload", say("admin.reload"), run)

    def _offer(self, node: str, word: str, label: str, run: Callable[[Call], Awaitable[Done]]) -> None:
        self.desk.commands.add(AdHoc(node, word, label, run, role="admin", help=say("admin.word-help")))

    # Who is there -----------------------------------------------------------------------------------------------------

    async def _users(self, call: Call) -> Done:
        users = sorted(self.desk.accounts.users())
        count = len(users)
        if count > AT_ONCE:
            part = await _part(call, say("admin.users"))
            users = [user for user in users if part in user]
        columns = (
            ("registereduserjids", say("admin.account")),
            ("created", say("admin.registered")),
            ("language", say("admin.language")),
            ("contacts", say("admin.contacts")),
            ("rooms", say("admin.rooms")),
        )
        return Done(say("admin.users-count", count=count), Table(columns, [self._row(user) for user in users]))

    def _row(self, user: str) -> Sequence[str]:
        account = self.desk.accounts.get(user)
        visitor = self.desk.wing.visitors.get(user)
        return (
            user,
            write.stamp(account.created) if account is not None else "",
            self.desk.language_of(user),
            str(len(self._contacts(user))),
            str(len(visitor.rooms)) if visitor is not None else "",
        )

    async def _online(self, call: Call) -> Done:
        """Sessions with the far side, by server: what stands behind the last % of a room's name."""
        users = sorted(self._present())
        count = len(users)
        if count > AT_ONCE:
            part = await _part(call, say("admin.online"))
            users = [user for user in users if part in user]
        columns = (
            ("onlineuserjids", say("admin.account")),
            ("server", say("admin.server")),
            ("rooms", say("admin.rooms")),
            ("clients", say("admin.clients")),
        )
        visitors = self.desk.wing.visitors
        rows = [row for user in users for row in _sessions(user, visitors.get(user))]
        return Done(say("admin.online-count", count=count), Table(columns, rows))

    def _present(self) -> list[str]:
        """Who has a session, and who is registered and has a client that we know to be there."""
        there = [user for user in self.desk.accounts.users() if self.desk.roster.clients.last(user)]
        return list(dict.fromkeys([*self.desk.wing.visitors, *there]))

    async def _details(self, call: Call) -> Done:
        form = Form(say("admin.details"), (Field("accountjid", say("admin.account"), "jid", required=True, check=self._known),))
        user = str((await call.ask(form))["accountjid"])
        account = self.desk.accounts.get(user)
        visitor = self.desk.wing.visitors.get(user)
        contacts = self._contacts(user)
        rows: list[tuple[str, str]] = [
            (say("admin.account"), user),
            (say("admin.registered"), write.stamp(account.created) if account is not None else say("admin.no")),
            (say("admin.language"), self.desk.language_of(user)),
            (say("admin.contacts"), str(len(contacts))),
            (say("admin.blocked"), str(sum(contact.blocked for contact in contacts))),
        ]
        for _, server, rooms, clients in _sessions(user, visitor) if visitor is not None else ():
            rows.append((say("admin.server"), server))
            rows.append((say("admin.rooms"), rooms))
            rows.append((say("admin.clients"), clients))
        return Done(user, Table((("item", say("admin.item")), ("value", say("admin.value"))), rows))

    def _contacts(self, user: str) -> list[Contact]:
        return [contact for contact in self.desk.contacts.of(user) if contact.address != self.desk.service]

    # Announcements ----------------------------------------------------------------------------------------------------

    async def _announce(self, call: Call) -> Done:
        """XEP-0133 4.23: to who is there."""
        return await self._tell(call, say("admin.announce"), self._present)

    async def _announce_all(self, call: Call) -> Done:
        return await self._tell(call, say("admin.announce-all"), self._everybody)

    def _everybody(self) -> list[str]:
        return list(dict.fromkeys([*self.desk.accounts.users(), *self.desk.wing.visitors]))

    async def _tell(self, call: Call, title: str, whom: Callable[[], list[str]]) -> Done:
        form = Form(title, (Field("announcement", say("admin.announcement"), "lines", required=True),))
        lines = (await call.ask(form))["announcement"]
        users = whom()
        if not users:
            return Done(say("admin.nobody"))
        words = "\n".join(lines) if isinstance(lines, tuple) else str(lines)
        await asyncio.shield(self.desk.tasks.start(self._announced(users, words, call)))
        return Done(say("admin.announced", count=len(users)))

    async def _announced(self, users: Sequence[str], words: str, call: Call) -> None:
        for start in range(0, len(users), BATCH):
            if start:
                call.progress(say("admin.announcing", done=start, count=len(users)))
                await asyncio.sleep(self.pause)
            for user in users[start : start + BATCH]:
                self._send(user, words)

    def _send(self, user: str, words: str) -> None:
        self.desk.send(write.chat(self.desk.door, self.desk.domain, user, self.desk.ids.stanza(), words))

    # Sending away -----------------------------------------------------------------------------------------------------

    async def _end(self, call: Call) -> Done:
        visitors = self.desk.wing.visitors
        ended, words = 0, []
        for user in await self._chosen(call, say("admin.end"), self._known):
            if user in visitors:
                self.desk.wing.dismiss(user, say("admin.ended-you"))
                ended += 1
            else:
                words.append(say("admin.no-session", user=user))
        return Done(_together(say("admin.ended", count=ended), words))

    async def _delete(self, call: Call) -> Done:
        users = await self._chosen(call, say("admin.delete"), self._registered)
        await call.confirm(say("admin.delete-question", users=", ".join(users)))
        deleted, words = 0, []
        for user in users:
            goodbye = in_language(say("admin.unregistered-you"), self.desk.language_of(user))
            try:
                await self.desk.register.remove(user, goodbye)
            except LegacyError as error:
                words.append(say("admin.failed", user=user, words=error.text))
            else:
                self._send(user, goodbye)
                deleted += 1
        return Done(_together(say("admin.deleted", count=deleted), words))

    async def _chosen(self, call: Call, title: str, check: Callable[[str], str]) -> tuple[str, ...]:
        field = Field("accountjids", say("admin.accounts"), "jids", say("admin.accounts-help"), required=True, check=check)
        chosen = (await call.ask(Form(title, (field,))))["accountjids"]
        return chosen if isinstance(chosen, tuple) else ()

    def _registered(self, typed: str) -> str:
        user = _bare(typed)
        if not self.desk.keeps(user) and not self.desk.archiving_anything:
            raise LegacyError("item-not-found", say("admin.unregistered", user=user))
        return user

    def _known(self, typed: str) -> str:
        user = _bare(typed)
        if user not in self.desk.accounts and user not in self.desk.wing.visitors:
            raise LegacyError("item-not-found", say("admin.stranger", user=user))
        return user


async def _part(call: Call, title: str) -> str:
    """Which users of many: a part of their address, lower case."""
    field = Field("part", say("admin.part"), help=say("admin.part-help"))
    return str((await call.ask(Form(title, (field,))))["part"]).lower()


def _sessions(user: str, visitor: Visitor | None) -> list[Sequence[str]]:
    """(user, server, rooms, clients) for each server a user is on; who is on none has one row without a server."""
    rooms: Counter[str] = Counter()
    clients: dict[str, set[str]] = {}
    for address, room in visitor.rooms.items() if visitor is not None else ():
        _, percent, after = address.name.rpartition("%")
        server = after if percent else ""
        rooms[server] += 1
        clients.setdefault(server, set()).update(room.clients)
    if not rooms:
        return [(user, "", "", "")]
    return [(user, server, str(rooms[server]), str(len(clients[server]))) for server in sorted(rooms)]


def _bare(typed: str) -> str:
    """A bare JID with a local part; LegacyError for anything else."""
    try:
        jid = parse(typed)
    except JidError:
        raise LegacyError("jid-malformed", say("form.jid")) from None
    if jid.resource:
        raise LegacyError("not-acceptable", say("admin.bare"))
    return jid.bare


def _together(first: str, more: Sequence[str]) -> str:
    said = first
    for words in more:
        said = say("register.more", words=said, more=words)
    return said
