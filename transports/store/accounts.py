"""Accounts of one bridge on disk: implements transports.accounts.Keep. What is secret of them is sealed, apart from the rest.

An unregistered user leaves nothing behind: `delete` empties every table of what is the user's with this bridge.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from transports.accounts import Account
from transports.describe import Value
from transports.errors import LegacyError
from transports.log import kv
from transports.store import schema
from transports.store.database import Database
from transports.store.errors import StoreError
from transports.store.vault import Vault
from transports.words import say

log = logging.getLogger(__name__)

T = TypeVar("T")

_ACCOUNT: Final = schema.accounts.c
_SECRET: Final = schema.secrets.c
_OPTION: Final = schema.options.c
_MARK: Final = "key"
_LANGUAGE: Final = 35


class KeptAccounts:
    def __init__(self, database: Database, vault: Vault, bridge: str) -> None:
        self._database = database
        self._vault = vault
        self._bridge = bridge

    async def load(self) -> list[Account]:
        """All accounts. One that cannot be read is left out, a secret that does not open likewise; the log says so."""
        return await self._run(self._load)

    async def save(self, account: Account, secrets: Collection[str]) -> None:
        """As Keep.save. LegacyError when the disk does not take it."""
        await self._run(lambda connection: self._save(connection, account, secrets))

    async def delete(self, user: str) -> None:
        """As Keep.delete. LegacyError when the disk does not take it."""
        await self._run(lambda connection: _delete(connection, self._bridge, user))
        await self._database.fold()

    async def _run(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            return await self._database.run(work)
        except (SQLAlchemyError, StoreError) as error:
            log.error(kv("accounts cannot be kept", bridge=self._bridge, error=type(error).__name__, text=error))
            raise LegacyError("internal-server-error", say("store.away")) from error

    # In the database's thread -----------------------------------------------------------------------------------------

    def _load(self, connection: sa.Connection) -> list[Account]:
        opened: dict[str, dict[str, dict[str, Value]]] = {}
        for owner, part, var, value in self._opened(connection):
            opened.setdefault(owner, {}).setdefault(part, {})[var] = value
        rows = connection.execute(sa.select(schema.accounts).where(_ACCOUNT.bridge == self._bridge).order_by(_ACCOUNT.created))
        found = [(row.owner, _account(row, opened.get(row.owner, {}))) for row in rows]
        for owner, account in found:
            if account is None:
                log.error(kv("an account cannot be read", bridge=self._bridge, user=owner))
        return [account for _owner, account in found if account is not None]

    def _opened(self, connection: sa.Connection) -> Iterator[tuple[str, str, str, Value]]:
        for row in connection.execute(sa.select(schema.secrets).where(_SECRET.bridge == self._bridge)):
            try:
                text = self._vault.open(row.nonce, row.sealed, self._bridge, row.owner, row.part, row.var)
            except StoreError as error:
                log.error(kv("a secret is lost", bridge=self._bridge, user=row.owner, field=row.var, error=error))
            else:
                yield row.owner, row.part, row.var, _value(json.loads(text))

    def _save(self, connection: sa.Connection, account: Account, secrets: Collection[str]) -> None:
        values = {"created": account.created, "language": account.language[:_LANGUAGE]}
        sealed = []
        for part, given in (("answers", account.answers), ("preferences", account.preferences)):
            values[part] = json.dumps({var: value for var, value in given.items() if var not in secrets})
            sealed += [self._sealed(account.user, part, var, given[var]) for var in given if var in secrets]
        ours = {"bridge": self._bridge, "owner": account.user}
        where = (_ACCOUNT.bridge == self._bridge, _ACCOUNT.owner == account.user)
        if not connection.execute(sa.update(schema.accounts).where(*where).values(**values)).rowcount:
            connection.execute(sa.insert(schema.accounts), {**ours, **values})
        connection.execute(sa.delete(schema.secrets).where(*_owned(schema.secrets, self._bridge, account.user)))
        if sealed:
            connection.execute(sa.insert(schema.secrets), sealed)

    def _sealed(self, user: str, part: str, var: str, value: Value) -> dict[str, Any]:
        nonce, sealed = self._vault.seal(json.dumps(value), self._bridge, user, part, var)
        return {"bridge": self._bridge, "owner": user, "part": part, "var": var, "nonce": nonce, "sealed": sealed}


def recognise(connection: sa.Connection, vault: Vault) -> None:
    """Refuse, with StoreError, a key that the database's secrets were not sealed with.

    A database that knows no key yet, or holds no secrets, takes this one.
    """
    meta = schema.meta
    known = connection.execute(sa.select(meta.c.value).where(meta.c.key == _MARK)).scalar()
    if known == vault.mark:
        return
    if known is None:
        connection.execute(sa.insert(meta), {"key": _MARK, "value": vault.mark})
        return
    sealed = (sa.select(_SECRET.owner), sa.select(_OPTION.owner).where(_OPTION.sealed.is_not(None)))
    if any(connection.execute(query.limit(1)).first() is not None for query in sealed):
        raise StoreError(
            "store: the secrets in the database were sealed with another key: restore the key that belongs to it "
            "(transports.key beside the database, or [store] key or key_file)"
        )
    log.warning("store: the store's key has changed; no secrets were stored with the old one")
    connection.execute(sa.update(meta).where(meta.c.key == _MARK).values(value=vault.mark))


def _delete(connection: sa.Connection, bridge: str, user: str) -> None:
    for table in (schema.accounts, schema.secrets, schema.options, schema.contacts, schema.links, schema.journal):
        connection.execute(sa.delete(table).where(*_owned(table, bridge, user)))
    # the bytes are elsewhere: the row stays until they are removed, and tells no more whose they were
    nobody = {"owner": "", "filename": "", "expires": 0.0}
    connection.execute(sa.update(schema.files).where(*_owned(schema.files, bridge, user)).values(**nobody))


def _owned(table: sa.Table, bridge: str, user: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.bridge == bridge, table.c.owner == user)


def _account(row: sa.Row[Any], opened: dict[str, dict[str, Value]]) -> Account | None:
    try:
        answers, preferences = _answers(row.answers), _answers(row.preferences)
    except (ValueError, AttributeError):
        return None
    answers, preferences = answers | opened.get("answers", {}), preferences | opened.get("preferences", {})
    return Account(row.owner, row.created, answers, preferences, row.language)


def _answers(text: str) -> dict[str, Value]:
    return {var: _value(value) for var, value in json.loads(text).items()}


def _value(stored: Any) -> Value:
    return tuple(stored) if isinstance(stored, list) else stored
