"""Who is registered, as the database alone tells: for the operator when no daemon runs. Nothing that is secret is read."""

from __future__ import annotations

import json
from asyncio import Future
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from transports.store.database import Database
from transports.store.schema import accounts, contacts, files, secrets

_ACCOUNT: Final = accounts.c


class Registered(NamedTuple):
    """A user of a bridge; `created` in seconds since the epoch, `contacts`: how many."""

    bridge: str
    user: str
    created: float
    contacts: int


class Census:
    def __init__(self, database: Database) -> None:
        self._database = database

    def users(self, bridge: str = "", user: str = "") -> Future[list[Registered]]:
        same = (contacts.c.bridge == _ACCOUNT.bridge, contacts.c.owner == _ACCOUNT.owner)
        known = sa.select(sa.func.count()).select_from(contacts).where(*same).scalar_subquery()
        where = [_ACCOUNT.bridge == bridge] if bridge else []
        where += [_ACCOUNT.owner == user] if user else []
        query = sa.select(_ACCOUNT.bridge, _ACCOUNT.owner, _ACCOUNT.created, known).where(*where)
        query = query.order_by(_ACCOUNT.bridge, _ACCOUNT.created)
        return self._database.run(lambda connection: [Registered(*found) for found in connection.execute(query)])

    def given(self, bridge: str, user: str) -> Future[dict[str, Any]]:
        """What a user gave: `language`, `answers` and `preferences` by name, None for what is secret."""

        def work(connection: sa.Connection) -> dict[str, Any]:
            query = sa.select(_ACCOUNT.language, _ACCOUNT.answers, _ACCOUNT.preferences)
            found = connection.execute(query.where(_ACCOUNT.bridge == bridge, _ACCOUNT.owner == user)).one()
            given: dict[str, Any] = {"answers": json.loads(found[1]), "preferences": json.loads(found[2])}
            sealed = sa.select(secrets.c.part, secrets.c.var).where(secrets.c.bridge == bridge, secrets.c.owner == user)
            for part, var in connection.execute(sealed):
                given[part][var] = None
            return {"language": found[0], **given}

        return self._database.run(work)

    def files(self) -> Future[tuple[int, int]]:
        """How many files are stored, and their bytes."""
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(files.c.size), 0))

        def work(connection: sa.Connection) -> tuple[int, int]:
            count, size = connection.execute(query).one()
            return int(count), int(size)

        return self._database.run(work)
