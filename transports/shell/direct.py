"""The shell's requests met on the database itself, for when no daemon runs.

What a daemon would have to do (ending sessions, telling servers) is refused. Whatever changes the database has its lock alone,
so that no daemon can be there without our knowing; whoever looks shares it, so that no restore puts another in its place.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from transports.config import Config
from transports.control import Refused, Request
from transports.shell.asked import Answer, Asked
from transports.shell.letters import Letters
from transports.shell.version import version
from transports.store import lock
from transports.store.errors import StoreError

if TYPE_CHECKING:
    from transports.store.census import Census
    from transports.store.database import Database
    from transports.store.queue import Queue

#: What changes the database.
CHANGES: Final = frozenset(("retry", "drop"))


def meet(config: Config, request: Request) -> Answer:
    """As shell.answers.Answers.meet. Raises Refused."""
    try:
        return asyncio.run(_meet(config, request))
    except StoreError as error:
        raise Refused(str(error)) from error


async def _meet(config: Config, request: Request) -> Answer:
    async with _opened(config, request["do"]) as shell:
        handler = shell.table.get(request["do"])
        if handler is None:
            raise Refused(
                "The daemon is not running, and this only it can do: transports run, or systemctl start transports."
            )
        return await handler(Asked.of(request))


@asynccontextmanager
async def _opened(config: Config, what: str) -> AsyncIterator[_Shell]:
    """The database, where there is one."""
    path = config.store.path
    if not path.exists():
        yield _Shell(config, None)
        return
    from transports.store.database import open_database

    held = lock.alone(path) if what in CHANGES else lock.use(path)  # StoreError where somebody has it
    try:
        database = await open_database(config.store.url.get_secret_value())
        try:
            yield _Shell(config, database)
        finally:
            await database.close()
    finally:
        os.close(held)


class _Shell:
    def __init__(self, config: Config, database: Database | None) -> None:
        self._config = config
        self._database = database
        self.table: dict[str, Callable[[Asked], Awaitable[Answer]]] = {
            "status": self.status,
            "users": self.users,
            "user": self.user,
            **Letters(self._queue, lambda letter: None).table,
        }

    async def status(self, _asked: Asked) -> Answer:
        """What the database tells; the rest of a daemon's answer is not there."""
        queue, census = self._queue(), self._census()
        users = Counter(found.bridge for found in (await census.users() if census else []))
        bridges = [
            {"name": component.name, "domain": component.domain, "registered": users[component.name]}
            for component in self._config.components()
        ]
        counts = await queue.counts() if queue else []
        files = await census.files() if census else (0, 0)
        return {
            "version": version(),
            "database": str(self._config.store.path),
            "bridges": bridges,
            "queue": [count._asdict() for count in counts],
            "files": {"count": files[0], "size": files[1]},
        }

    async def users(self, asked: Asked) -> Answer:
        return {"users": [{**found, "session": False} for found in await self._found(asked)], "more": False}

    async def user(self, asked: Asked) -> Answer:
        census, queue = self._census(), self._queue()
        found = await self._found(asked)
        if not found or census is None or queue is None:
            raise Refused(f"{asked.user} is not registered{f' with {asked.bridge}' if asked.bridge else ''}.")
        return {
            "user": asked.user,
            "registrations": [
                {
                    **one,
                    **await census.given(one["bridge"], asked.user),
                    "letters": [letter._asdict() for letter in await queue.letters(one["bridge"], asked.user)],
                }
                for one in found
            ],
        }

    async def _found(self, asked: Asked) -> list[Answer]:
        """Registrations, as Answers._user says them."""
        census, queue = self._census(), self._queue()
        if census is None or queue is None:
            return []
        waiting = await queue.waiting()
        return [
            {
                "bridge": found.bridge,
                "user": found.user,
                "since": found.created,
                "contacts": found.contacts,
                "queue": waiting.get((found.bridge, found.user), 0),
            }
            for found in await census.users(asked.bridge, asked.user)
        ]

    def _queue(self) -> Queue | None:
        if self._database is None:
            return None
        from transports.store.queue import Queue

        return Queue(self._database)

    def _census(self) -> Census | None:
        if self._database is None:
            return None
        from transports.store.census import Census

        return Census(self._database)
