"""What the running daemon answers at its control socket, one method for each request.

Looks, and at an operator's word acts, on what `app` has put together. An answer is what JSON can carry; times are seconds
since the epoch. It never holds what is secret.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from transports.control import Refused, Request
from transports.describe import Answers as Given
from transports.describe import Field
from transports.events import Address, Kind
from transports.shell.asked import Answer, Asked
from transports.shell.letters import Letters
from transports.shell.version import version
from transports.xmpp.privilege import Grants, advice

if TYPE_CHECKING:
    from transports.accounts import Account
    from transports.app import App
    from transports.contacts import Contact
    from transports.mounted import Mounted
    from transports.store.queue import Letter, Queue

#: Entries of a list.
MOST: Final = 10_000


class Answers:
    def __init__(self, app: App) -> None:
        self._app = app
        self._started = time.time()
        self._table: dict[str, Callable[[Asked], Awaitable[Answer]]] = {
            "status": self.status,
            "users": self.users,
            "user": self.user,
            "remove": self.remove,
            "sessions": self.sessions,
            **Letters(self._queue, self._revived).table,
        }

    async def meet(self, request: Request) -> Answer:
        """The answer to a request; Refused, with words, when it is none or cannot be met."""
        what = request.get("do")
        handler = self._table.get(what) if isinstance(what, str) else None
        if handler is None:
            raise Refused("The daemon that runs knows no such request; is it another version?")
        return await handler(Asked.of(request))

    # How it is ------------------------------------------------------------------------------------------------------

    async def status(self, _asked: Asked) -> Answer:
        queue = self._queue()
        counts = await queue.counts() if queue is not None else []
        return {
            "version": version(),
            "pid": os.getpid(),
            "started": self._started,
            "memory": _memory(),
            "database": str(self._app.config.store.path),
            "bridges": [self._bridge(mounted) for mounted in self._app.mounted],
            "queue": [count._asdict() for count in counts],
            "files": await self._files(),
        }

    async def _files(self) -> Answer:
        if self._app.database is None:
            return {"count": 0, "size": 0}
        from transports.store.census import Census

        count, size = await Census(self._app.database).files()
        return {"count": count, "size": size}

    def _bridge(self, mounted: Mounted) -> Answer:
        stream = mounted.stream
        error, advice = (mounted.trouble, "") if mounted.trouble else stream.trouble
        return {
            "name": mounted.name,
            "domain": stream.domain,
            "connected": stream.ready,
            "since": stream.since if stream.ready else None,
            "error": "" if stream.ready else error,
            "advice": "" if stream.ready else advice,
            "registered": len(mounted.desk.accounts.users()),
            "sessions": len(mounted.wing.visitors),
            "connections": dict(mounted.bridge.connections()),
            "privileges": [_granted(server, grants) for server, grants in mounted.desk.privilege.servers().items()],
        }

    # Users ----------------------------------------------------------------------------------------------------------

    async def users(self, asked: Asked) -> Answer:
        queue = self._queue()
        waiting = await queue.waiting() if queue is not None else {}
        users = [
            self._user(mounted, account, waiting.get((mounted.name, account.user), 0))
            for mounted in self._bridges(asked.bridge)
            for account in _accounts(mounted)
        ]
        return {"users": users[:MOST], "more": len(users) > MOST}

    @staticmethod
    def _user(mounted: Mounted, account: Account, waiting: int) -> Answer:
        return {
            "bridge": mounted.name,
            "user": account.user,
            "since": account.created,
            "contacts": len(mounted.desk.contacts.of(account.user)),
            "session": account.user in mounted.wing.visitors,
            "queue": waiting,
        }

    async def user(self, asked: Asked) -> Answer:
        queue = self._queue()
        found = []
        for mounted, account in self._registrations(asked):
            description = mounted.bridge.describe(account.user)
            letters = await queue.letters(mounted.name, account.user) if queue is not None else []
            found.append(
                {
                    **self._user(mounted, account, len(letters)),
                    "language": account.language,
                    "answers": _shown(account.answers, description.registration.fields),
                    "preferences": _shown(account.preferences, description.preferences),
                    "roster": [_contact(contact) for contact in mounted.desk.contacts.of(account.user)],
                    "letters": [letter._asdict() for letter in letters],
                }
            )
        return {"user": asked.user, "registrations": found}

    async def remove(self, asked: Asked) -> Answer:
        kept = [mounted for mounted in self._bridges(asked.bridge) if await mounted.desk.holds(asked.user)]
        if not kept:
            raise _unregistered(asked)
        for mounted in kept:
            await mounted.desk.unregister(asked.user)
        return {"user": asked.user, "removed": [mounted.name for mounted in kept]}

    def _registrations(self, asked: Asked) -> list[tuple[Mounted, Account]]:
        """Where a user is registered; Refused when nowhere."""
        found = [(mounted, mounted.desk.accounts.get(asked.user)) for mounted in self._bridges(asked.bridge)]
        registered = [(mounted, account) for mounted, account in found if account is not None]
        if not registered:
            raise _unregistered(asked)
        return registered

    async def sessions(self, asked: Asked) -> Answer:
        sessions = [
            {"bridge": mounted.name, "user": visitor.user, "rooms": len(visitor.rooms)}
            for mounted in self._bridges(asked.bridge)
            for visitor in mounted.wing.visitors.values()
        ]
        return {"sessions": sessions[:MOST], "more": len(sessions) > MOST}

    # ----------------------------------------------------------------------------------------------------------------

    def _revived(self, letter: Letter) -> None:
        for mounted in self._app.mounted:
            if mounted.name == letter.bridge and mounted.post is not None:
                mounted.post.mailbox.revived(
                    letter.direction, letter.user, Address(cast(Kind, letter.kind), letter.contact)
                )

    def _bridges(self, name: str) -> list[Mounted]:
        """All bridges, or the one of that name; Refused when there is none."""
        found = [mounted for mounted in self._app.mounted if name in ("", mounted.name)]
        if not found:
            raise Refused(f"There is no bridge {name} here.")
        return found

    def _queue(self) -> Queue | None:
        """None where no bridge is durable: there the store is not even loaded."""
        if self._app.database is None:
            return None
        from transports.store.queue import Queue

        return Queue(self._app.database)


def _granted(server: str, grants: Grants) -> Answer:
    """What a server grants, and what else it could: lines of `privilege.advice`."""
    return {"server": server, **grants._asdict(), "iq": dict(grants.iq), "missing": advice(grants)}


def _unregistered(asked: Asked) -> Refused:
    return Refused(f"{asked.user} is not registered{f' with {asked.bridge}' if asked.bridge else ''}.")


def _accounts(mounted: Mounted) -> Iterator[Account]:
    for user in mounted.desk.accounts.users():
        account = mounted.desk.accounts.get(user)
        if account is not None:
            yield account


def _shown(given: Given, fields: Sequence[Field]) -> Answer:
    """What a user gave, by name; of what is secret, or no longer known to be none, only that it is there."""
    types = {field.var: field.type for field in fields}
    return {var: value if types.get(var, "secret") != "secret" else None for var, value in given.items()}


def _contact(contact: Contact) -> Answer:
    return {**contact._asdict(), "address": contact.address.name, "groups": list(contact.groups)}


def _memory() -> int:
    """Resident bytes (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
