"""How contacts come into a user's roster and go out of it, by the best way that there is:

    1  the roster itself, where the server lets us (XEP-0356): name, groups and both subscriptions at once, nobody is asked
    2  a list for the client, where it takes one (XEP-0144)
    3  a subscription with a name and a sentence that says whose it is (XEP-0172), each user's paced

What is to be done stands in the contacts themselves: one that is neither heard nor asked is still to be put. One user's
contacts go in order, and nothing overlaps. RFC 6121 2 and 3; XEP-0100 4.1 and 5.1.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from transports.contacts import MOST, Contact
from transports.errors import LegacyError
from transports.events import Address
from transports.log import kv
from transports.words import in_language, say
from transports.xmpp import xml
from transports.xmpp.clients import Clients
from transports.xmpp.pacing import Crowd, Questions
from transports.xmpp.privilege import Item, fitting

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

ROSTERX: Final = "http://jabber.org/protocol/rosterx"
NICK: Final = "http://jabber.org/protocol/nick"
#: Users whose rosters are changed at a time, and contacts in one list for a client.
USERS, LISTED = 50, 50
#: Seconds that a new stream has for what the servers grant, before users are asked instead.
GRACE: Final = 2.0
_PATIENCE: Final = 30.0
_Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Placing:
    """`appear` shows a contact to a user who now hears it; `clock` and `later` are the loop's."""

    def __init__(
        self,
        desk: Desk,
        clients: Clients,
        crowd: Crowd,
        appear: Callable[[str, Address], None],
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.desk = desk
        self.clients = clients
        self.crowd = crowd
        self.questions = Questions(self._ask, clock, later)
        self._appear = appear
        self._clock = clock
        self._later = later
        self._waiting: dict[str, dict[Address, None]] = {}
        self._jobs: dict[str, deque[_Job]] = {}  # of users whose rosters are being changed
        self._putting: set[str] = set()  # of whom one job is to put what waits
        self._turns = asyncio.Semaphore(USERS)
        self._stream = 0
        self._hold = 0.0  # until then users of servers that have not spoken wait
        self._proven: dict[str, bool] = {}  # server -> whether an item that we set there makes subscriptions

    # What is wanted -------------------------------------------------------------------------------------------------

    def want(self, user: str, *addresses: Address) -> None:
        """These belong into the user's roster."""
        if addresses:
            self._waiting.setdefault(user, {}).update(dict.fromkeys(addresses))
            self._go(user)

    def renamed(self, user: str, before: Contact) -> None:
        """A contact that is in the roster has another name or other groups than `before`."""
        if self._sets(user):
            self._do(user, lambda: self._rename(user, before))
        elif self.clients.last(user):
            self._do(user, lambda: self._offer(user, [before.address], "modify"))

    def drop(self, user: str, row: Contact) -> None:
        """A contact that is in the roster (as `row` says) goes out of it."""
        self.unwant(user, row.address)
        if user in self._jobs or self._sets(user):
            self._do(user, lambda: self._remove(user, row))
        else:
            self._end(user, row)

    def unwant(self, user: str, address: Address) -> None:
        waiting = self._waiting.get(user, {})
        waiting.pop(address, None)
        if not waiting:
            self._waiting.pop(user, None)
        self.questions.drop(user, address)

    def empty(self, user: str, rows: Sequence[Contact]) -> None:
        """All of a user's contacts go out of the roster; what is wanted meanwhile comes after it."""
        self._waiting.pop(user, None)
        self.questions.forget(user)
        if user in self._jobs:
            self._jobs[user].clear()
            self._putting.discard(user)
        self._do(user, lambda: self._empty(user, rows))

    def hold(self) -> None:
        """A new stream: what servers grant on it is still to come."""
        self._proven.clear()
        self._stream += 1
        self._hold = self._clock() + GRACE
        self._later(GRACE, self._release)

    def granted(self, server: str) -> None:
        """A server has said what it grants."""
        for user in [user for user in self._waiting if user.endswith(f"@{server}")]:
            self._go(user)

    def _release(self) -> None:
        self._hold = 0.0
        for user in list(self._waiting):
            self._go(user)

    def missing(self, user: str, address: Address) -> bool:
        """Whether a contact is still to be put: neither there, nor asked about, nor blocked."""
        row = self.desk.contacts.get(user, address)
        return row is not None and not (row.heard or row.asked or row.blocked)

    # In order -------------------------------------------------------------------------------------------------------

    def _go(self, user: str) -> None:
        """Begin with what waits of a user, if it is time."""
        waiting = self._waiting.get(user)
        if not waiting or not self.desk.up() or (self._clock() < self._hold and not self.desk.privilege.told(user)):
            return
        if user in self._jobs or self._sets(user) or self._listed(user, waiting):
            if user not in self._putting:
                self._putting.add(user)
                self._do(user, lambda: self._put(user))
        else:
            self._ask_all(user, self._waiting.pop(user))

    def _do(self, user: str, job: _Job) -> None:
        """Change a user's roster, after all that was begun before."""
        jobs = self._jobs.get(user)
        if jobs is None:
            self._jobs[user] = deque((job,))
            self.desk.tasks.start(self._work(user))
        elif len(jobs) < MOST:
            jobs.append(job)
        else:
            log.warning(kv("too many changes of a roster", domain=self.desk.domain, user=user))

    async def _work(self, user: str) -> None:
        jobs = self._jobs[user]
        try:
            while jobs:
                async with self._turns:
                    await self._one(jobs.popleft())
        finally:
            del self._jobs[user]
            self._putting.discard(user)

    async def _one(self, job: _Job) -> None:
        try:
            await job()
        except Exception:
            log.exception("a roster could not be changed")

    async def _put(self, user: str) -> None:
        self._putting.discard(user)
        addresses = [address for address in self._waiting.pop(user, ()) if self.missing(user, address)]
        stream = self._stream
        left = await self._place(user, addresses) if addresses and self._sets(user) else addresses
        if not self.desk.up():
            return  # the next stream goes on with what is missing
        if stream != self._stream:
            self.want(user, *left)  # the answers went with the one before
            return
        listed = self._listed(user, left)
        if listed:
            await self._offer(user, listed, "add")
        self._ask_all(user, left)

    def _sets(self, user: str) -> bool:
        return self.desk.privilege.grants(user).roster in ("set", "both")

    def _listed(self, user: str, addresses: Iterable[Address]) -> list[Address]:
        """Which may be offered to a client in a list: what the user has not put there already, and not the gateway itself."""
        if not self.clients.last(user):
            return []
        rows = [self.desk.contacts.get(user, address) for address in addresses if address != self.desk.service]
        return [row.address for row in rows if row is not None and not row.hears]

    # 1: the roster itself -------------------------------------------------------------------------------------------

    async def _place(self, user: str, addresses: Iterable[Address]) -> Sequence[Address]:
        """Put contacts into the roster; those that could not be put."""
        roster = await self._roster(user)
        left = []
        for address in addresses:
            row = self.desk.contacts.get(user, address)
            if row is not None and not (self._sets(user) and await self._place_one(user, row, roster)):
                left.append(address)
        return left

    async def _roster(self, user: str) -> dict[str, Item] | None:
        """What is in the roster; None where that cannot be known."""
        if self.desk.privilege.grants(user).roster not in ("get", "both"):
            return None
        try:
            return await self.desk.privilege.roster(user)
        except LegacyError:
            return None

    async def _place_one(self, user: str, row: Contact, roster: dict[str, Item] | None) -> bool:
        if roster is None and row.hears:
            return False  # the user has named it, and we cannot know how
        item = self._item(user, row)
        old = (roster or {}).get(item.jid)
        if old is not None:
            groups = old.groups if row.hears else old.groups or item.groups
            item = item._replace(name=old.name or item.name, groups=groups)
        if old != item:
            try:
                await self.desk.privilege.place(user, item)
            except LegacyError:
                return False
            if not await self._subscribes(user, item.jid):
                return False
        return self._placed(user, row.address)

    async def _subscribes(self, user: str, jid: str) -> bool:
        """Whether an item that we set is subscribed as we said: RFC 6121 lets no client do that, and a server may forget us."""
        server = user.rpartition("@")[2]
        if server not in self._proven:
            roster = await self._roster(user)
            if roster is None:
                return True
            self._proven[server] = roster.get(jid, Item(jid)).subscription == "both"
        return self._proven[server]

    def _placed(self, user: str, address: Address) -> bool:
        row = self.desk.contacts.get(user, address)
        if row is not None:
            self.desk.contacts.put(user, row._replace(hears=True, heard=True, asked=False))
            self._appear(user, address)
        return True

    def _item(self, user: str, row: Contact) -> Item:
        """A contact as it is to stand in a roster."""
        own = self.desk.bridge.identity(self.desk.service).name or self.desk.domain
        language = self.desk.language_of(user)
        groups = fitting([in_language(group, language) for group in row.groups or (own,)])
        return Item(self.desk.roster.jid(row.address), self.name(user, row), groups, "both")

    def name(self, user: str, row: Contact) -> str:
        """What a contact is called in a user's roster."""
        name = row.name or self.desk.bridge.identity(row.address).name or row.address.name or self.desk.domain
        return " ".join(xml.clip(xml.clean(in_language(name, self.desk.language_of(user))), 500).split())

    async def _rename(self, user: str, before: Contact) -> None:
        """Another name: the user's own name and groups stay."""
        row = self.desk.contacts.get(user, before.address)
        roster = await self._roster(user)
        if row is None or roster is None:
            return
        old, was, new = roster.get(self.desk.roster.jid(row.address)), self._item(user, before), self._item(user, row)
        if old is None:
            return
        name = new.name if old.name in ("", was.name) else old.name
        groups = new.groups if set(old.groups) == set(was.groups) else old.groups
        item = old._replace(name=name, groups=groups)
        if item != old:
            try:
                await self.desk.privilege.place(user, item)
            except LegacyError as error:
                log.debug("a contact keeps its old name: %s", error.condition)

    # 2: a list for the client ---------------------------------------------------------------------------------------

    async def _offer(self, user: str, addresses: Collection[Address], action: str) -> None:
        """Offer changes to the client that was there last, if it takes such lists."""
        full = self.clients.last(user)
        if not full or not await self.clients.can(full, ROSTERX):
            return
        rows = [row for address in addresses if (row := self.desk.contacts.get(user, address)) is not None]
        for begin in range(0, len(rows), LISTED):
            part = rows[begin : begin + LISTED]
            try:
                await self.desk.asker.ask(full, self._list(user, part, action), "set", patience=_PATIENCE)
            except LegacyError as error:
                if error.condition != "remote-server-timeout":
                    return
                # no answer yet: the person is being asked
            for row in part if action == "add" else ():
                self._asked(user, row.address)

    def _list(self, user: str, rows: Iterable[Contact], action: str) -> str:
        items = []
        for item in (self._item(user, row) for row in rows):
            groups = "".join(f"<group>{xml.text(group)}</group>" for group in item.groups)
            items.append(f"<item action='{action}' jid='{xml.attr(item.jid)}' name='{xml.attr(item.name)}'>{groups}</item>")
        return f"<x xmlns='{ROSTERX}'>{''.join(items)}</x>"

    def _asked(self, user: str, address: Address) -> None:
        row = self.desk.contacts.get(user, address)
        if row is not None:
            self.desk.contacts.put(user, row._replace(asked=True))

    # 3: a subscription ----------------------------------------------------------------------------------------------

    def _ask_all(self, user: str, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if address == self.desk.service:  # what the user has just registered with comes at once
                self._ask(user, address)
            else:
                self.questions.add(user, address)

    def _ask(self, user: str, address: Address) -> bool:
        """Ask to hear the user, under the contact's name and with a sentence that explains it."""
        if not self.missing(user, address) or not self.desk.up():
            return False
        self._asked(user, address)
        row = self.desk.contacts.get(user, address) or Contact(address)
        name, gateway = self.name(user, row), self.desk.bridge.identity(self.desk.service).name or self.desk.domain
        key = "roster.gateway" if address == self.desk.service else "roster.contact"
        words = in_language(say(key, name=name, gateway=gateway, domain=self.desk.domain), self.desk.language_of(user))
        status, nick = f"<status>{xml.text(words)}</status>", f"<nick xmlns='{NICK}'>{xml.text(name)}</nick>"
        self.desk.send(f"{self._opening(user, address, 'subscribe')}>{status}{nick}</presence>")
        return True

    def _opening(self, user: str, address: Address, kind: str) -> str:
        return self.desk.door.opening("presence", self.desk.roster.jid(address), user, f" type='{kind}'")

    # Out ------------------------------------------------------------------------------------------------------------

    def _end(self, user: str, row: Contact) -> None:
        """Both subscriptions end (XEP-0100 5.2); the item itself can go only by the client's hand."""
        kinds = {"unsubscribe": row.heard or row.asked, "unsubscribed": row.hears}
        for kind in (kind for kind, due in kinds.items() if due):
            self.desk.send(f"{self._opening(user, row.address, kind)}/>")

    async def _remove(self, user: str, row: Contact) -> None:
        if not self._sets(user) or not self.desk.up():
            return self._end(user, row)
        now = self.desk.contacts.get(user, row.address)
        if now is not None and not now.blocked:
            return None  # it is back, and what puts it there finds the item
        try:
            await self.desk.privilege.remove(user, self.desk.roster.jid(row.address))
        except LegacyError as error:
            if error.condition != "item-not-found":
                self._end(user, row)
        return None

    async def _empty(self, user: str, rows: Sequence[Contact]) -> None:
        for row in rows:
            await self.crowd.turn(3)
            await self._remove(user, row)
