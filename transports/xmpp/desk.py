"""The desk of a bridge: what the gateway does beside carrying conversations. One per wing; implements gateway.Desk.

It only puts the rooms together: each does one thing, knows the desk, and finds the others through it.

    asker       our own iqs and their answers
    privilege   what the servers grant (XEP-0356), and doing things as the user
    commands    XEP-0050: what there is to be had, sessions
    register    XEP-0077 over the same forms; preferences
    prompt      adding contacts, jabber:iq:gateway
    admin       commands of the people who run the gateway
    talk        the same commands by chat
    roster      contacts, subscriptions, presence
    blocking    XEP-0191
    profile     cards and pictures
    uploads     files both ways
    moderating  XEP-0045: who runs a room, invites, wants to be heard
    archiving   XEP-0313
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from transports.accounts import Accounts
from transports.asking import Asker
from transports.contacts import Contacts
from transports.describe import Role
from transports.errors import LegacyError
from transports.events import Address, ContactFact
from transports.gateway import Service, Wing
from transports.log import kv
from transports.options import Options
from transports.ports import Files
from transports.tasks import Tasks
from transports.words import say
from transports.xmpp import write
from transports.xmpp.admin import Admin
from transports.xmpp.archiving import Archiving
from transports.xmpp.blocking import Blocking
from transports.xmpp.commands import Commands
from transports.xmpp.moderating import Moderating
from transports.xmpp.privilege import Privilege
from transports.xmpp.profile import Profile
from transports.xmpp.prompt import Prompt
from transports.xmpp.read import Iq, Message, Presence
from transports.xmpp.register import Register
from transports.xmpp.roster import Roster
from transports.xmpp.talk import Talk
from transports.xmpp.uploads import Uploads

log = logging.getLogger(__name__)

#: Answers of one user that may be under way at a time: clients ask for the cards of a whole roster at once.
PENDING: Final = 100
#: Seconds that a bridge may take to undo a registration; then the user is gone all the same.
FAREWELL: Final = 30.0
#: Users whose language is remembered without an account.
LANGUAGES: Final = 10_000
#: Characters of a language tag (RFC 5646 4.4.1).
LONGEST: Final = 35


class Desk:
    """`admins`: bare JIDs. `table`: what the rooms answer, to be added to the wing's services."""

    def __init__(self, wing: Wing, accounts: Accounts, contacts: Contacts, admins: frozenset[str] = frozenset()) -> None:
        self.wing = wing
        self.bridge = wing.bridge
        self.domain = wing.bridge.domain
        self.door = wing.door
        self.ids = wing.ids
        self.send = wing.send
        self.accounts = accounts
        self.contacts = contacts
        self.options = Options()
        self.admins = admins
        self.service = wing.bridge.address("")
        self.tasks = Tasks(f"desk of {self.domain}")
        self.up: Callable[[], bool] = lambda: True  #: whether the stream is there
        self._pending: dict[str, int] = {}
        self._languages: OrderedDict[str, str] = OrderedDict()
        self._speaking: set[str] = set()
        self.asker = Asker(self.domain, self.send)
        self.privilege = Privilege(self)
        self.commands = Commands(self)
        self.register = Register(self)
        self.prompt = Prompt(self)
        self.admin = Admin(self)
        self.talk = Talk(self)
        self.roster = Roster(self)
        self.blocking = Blocking(self)
        self.profile = Profile(self)
        self.picture = self.profile.entered
        self.uploads = Uploads(self)
        self.moderating = Moderating(self)
        self.archiving = Archiving(self)
        self.files: Files | None = None
        rooms = (
            self.commands, self.register, self.prompt, self.roster, self.blocking, self.profile, self.archiving, self.moderating,
        )  # fmt: skip
        self.table: dict[tuple[str, str], Service] = {key: service for room in rooms for key, service in room.table.items()}

    # Who --------------------------------------------------------------------------------------------------------------

    def role(self, user: str) -> Role:
        """Of a bare JID that came through the gate."""
        if user in self.admins:
            return "admin"
        return "registered" if user in self.accounts else "user"

    def keeps(self, user: str) -> bool:
        """Whether anything that a user gave is kept: a registration, or what was set without one."""
        return user in self.accounts or user in self.options

    async def holds(self, user: str) -> bool:
        """The same, or what was said to a user who gave nothing."""
        if self.keeps(user):
            return True
        try:
            return self.wing.archives is not None and await self.wing.archives.holds(self.bridge.name, user)
        except LegacyError as error:
            log.error(kv("an archive could not be looked at", user=user, error=error))
            return False

    @property
    def archiving_anything(self) -> bool:
        return self.wing.archives is not None and not self.wing.archives.empty

    def settled(self, user: str) -> None:
        """Something that a user has set may be another now: what depends on it follows."""
        visitor = self.wing.visitors.get(user)
        try:
            if visitor is not None:
                visitor.archives()
        except Exception:  # what has been set is set, and has its answer to come
            log.exception("what a user has set could not be followed")

    def unregistered(self, user: str) -> bool:
        return user not in self.accounts and self.bridge.describe(user).registration.required

    def language(self, stanza: Message | Presence | Iq) -> str:
        """What the user has chosen; else xml:lang of the stanza; else what the same user spoke last."""
        user, heard = stanza.sender.partition("/")[0], stanza.language[:LONGEST]
        if heard:
            self._heard(user, heard)
        return self.register.language(user) or heard or self.language_of(user)

    def commands_at(self, user: str, address: Address) -> bool:
        return bool(self.commands.available(user, address))

    def avatar(self, user: str, address: Address) -> str:
        return self.profile.avatar(user, address)

    def language_of(self, user: str) -> str:
        """The language of a bare JID as far as we know, '' if not."""
        known = self.register.language(user) or self._languages.get(user)
        account = self.accounts.get(user) if not known else None
        return known or (account.language if account is not None else "")

    def _heard(self, user: str, language: str) -> None:
        if self._languages.get(user) == language:
            return
        self._languages[user] = language
        if len(self._languages) > LANGUAGES:
            self._languages.popitem(last=False)
        if user in self.accounts and user not in self._speaking:
            self._speaking.add(user)
            self.tasks.start(self._speak(user))

    async def _speak(self, user: str) -> None:
        """Keep the language that was heard last: one write at a time, however often it changes."""
        try:
            while (heard := self._languages.get(user)) and (account := self.accounts.get(user)) and account.language != heard:
                await self.accounts.speaks(user, heard)
        finally:
            self._speaking.discard(user)

    # gateway.Desk ---------------------------------------------------------------------------------------------------

    def server(self, message: Message) -> bool:
        return self.privilege.heard(message) or self.privilege.echo(message)

    def blocks(self, user: str, address: Address) -> bool:
        return self.contacts.blocks(user, address)

    def answered(self, iq: Iq) -> bool:
        return self.asker.answered(iq)

    def presence(self, presence: Presence, address: Address) -> bool:
        return self.roster.presence(presence, address)

    def asks(self, message: Message) -> bool:
        return self.moderating.message(message)

    def words(self, message: Message, address: Address) -> bool:
        return self.talk.said(message, address)

    def info(self, iq: Iq, node: str) -> str | None:
        return self.commands.info(iq, node)

    def items(self, iq: Iq, node: str) -> str | None:
        return self.commands.items(iq, node)

    def later(self, iq: Iq, answer: Awaitable[str]) -> None:
        user = iq.sender.partition("/")[0]
        if self._pending.get(user, 0) >= PENDING:
            close: Callable[[], None] | None = getattr(answer, "close", None)
            if close is not None:
                close()
            self.refuse(iq, LegacyError("resource-constraint", say("gate.busy"), retry_after=10))
            return
        self._pending[user] = self._pending.get(user, 0) + 1
        self.tasks.start(self._answer(iq, user, answer))

    async def _answer(self, iq: Iq, user: str, answer: Awaitable[str]) -> None:
        try:
            self.send(write.result(self.door, iq, await answer))
        except LegacyError as error:
            self.refuse(iq, error)
        except Exception:
            log.exception("an iq could not be answered")
            self.refuse(iq, LegacyError("internal-server-error", say("gate.failed")))
        finally:
            self._pending[user] -= 1
            if not self._pending[user]:
                del self._pending[user]

    def refuse(self, iq: Iq, error: LegacyError) -> None:
        self.send(write.refusal(self.door, "iq", iq, error, self.language(iq)))

    # Life -------------------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The stream is up: privileges are told anew, and contacts are there again."""
        self.privilege.connected()
        self.roster.connected()

    def closing(self) -> None:
        """The gateway stops; the stream is still up."""
        self.roster.closing()

    def sweep(self) -> None:
        """Now and then: what has expired goes."""
        self.privilege.sweep()
        self.commands.sweep()
        self.talk.sweep()
        self.moderating.sweep()

    async def stop(self) -> None:
        await self.tasks.end()

    def tell(self, user: str, fact: ContactFact) -> None:
        """What a bridge knows of contacts, whichever way it came."""
        self.roster.tell(user, fact)

    async def unregister(self, user: str, why: str = "") -> None:
        """A registered user leaves, by whatever way: sessions, far side, subscriptions, data. LegacyError when not registered.

        why: words for the end of the sessions, if it was not the user
        """
        account = self.accounts.get(user)
        if not await self.holds(user):
            raise LegacyError("registration-required", say("register.not", domain=self.domain))
        try:
            async with asyncio.timeout(FAREWELL):
                await self.bridge.unregister(user, account.answers if account is not None else {})
        except Exception:
            log.exception("a bridge could not undo a registration")
        self.wing.dismiss(user, why or say("register.ended"))
        await self.accounts.remove(user)
        self.options.forget(user)
        await self._unarchive(user)
        self.tasks.start(self._left(user))

    async def _unarchive(self, user: str) -> None:
        """What was archived for a user goes."""
        if self.wing.archives is not None:
            try:
                await self.wing.archives.forget(self.bridge.name, user)
            except LegacyError as error:
                log.error(kv("an archive could not be deleted", user=user, error=error))

    async def _left(self, user: str) -> None:
        """The next turn: who asked has the answer before the subscriptions end (XEP-0100 4.3.1), and a command its own end."""
        self.roster.leave(user)
        self.commands.leave(user)
        self.talk.leave(user)
        self.contacts.forget(user)
