"""What users have set for places of one bridge, on disk: implements transports.options.Keep.

What is secret of a place is sealed together, bound to the bridge, the user and the place. One that does not open is left out,
and the log says so; the rest of the place is there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from transports.describe import Answers, Value
from transports.errors import LegacyError
from transports.events import Address, Kind
from transports.log import kv
from transports.store.database import Database, storable
from transports.store.errors import StoreError
from transports.store.schema import options as table
from transports.store.vault import Vault
from transports.words import say

log = logging.getLogger(__name__)

T = TypeVar("T")

_COLUMNS: Final = table.c
#: The part of a user's secrets that these are, in `Vault.seal`.
_PART: Final = "options"


class KeptOptions:
    def __init__(self, database: Database, vault: Vault, bridge: str) -> None:
        self._database = database
        self._vault = vault
        self._bridge = bridge

    async def load(self) -> dict[tuple[str, Address], Answers]:
        return await self._run(self._load)

    async def save(self, user: str, place: Address, answers: Answers, secrets: Collection[str]) -> None:
        """As Keep.save. LegacyError when the disk does not take it."""
        await self._run(lambda connection: self._save(connection, user, place, answers, secrets))
        if not answers:
            await self._database.fold()

    async def _run(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            return await self._database.run(work)
        except (SQLAlchemyError, StoreError) as error:
            log.error(kv("options cannot be kept", bridge=self._bridge, error=type(error).__name__, text=error))
            raise LegacyError("internal-server-error", say("store.away")) from error

    # In the database's thread -----------------------------------------------------------------------------------------

    def _load(self, connection: sa.Connection) -> dict[tuple[str, Address], Answers]:
        found: dict[tuple[str, Address], Answers] = {}
        for row in connection.execute(sa.select(table).where(_COLUMNS.bridge == self._bridge)):
            place = Address(cast(Kind, row.place_kind), row.place_name)
            try:
                answers = _answers(row.answers)
            except (ValueError, AttributeError):
                log.error(kv("options cannot be read", bridge=self._bridge, user=row.owner, place=row.place_name))
                continue
            found[row.owner, place] = answers | self._opened(row)
        return found

    def _opened(self, row: sa.Row[Any]) -> dict[str, Value]:
        if row.sealed is None:
            return {}
        try:
            place = (self._bridge, row.owner, _PART, row.place_kind, row.place_name)
            return _answers(self._vault.open(row.nonce or b"", row.sealed, *place))
        except StoreError as error:
            log.error(kv("secrets are lost", bridge=self._bridge, user=row.owner, place=row.place_name, error=error))
            return {}

    def _save(
        self, connection: sa.Connection, user: str, place: Address, answers: Answers, secrets: Collection[str]
    ) -> None:
        kind, name = place.kind, storable(place.name)
        key = {"bridge": self._bridge, "owner": user, "place_kind": kind, "place_name": name}
        here = [_COLUMNS[column] == value for column, value in key.items()]
        before = connection.execute(sa.select(table).where(*here)).first()
        secrets = {*secrets, *(self._opened(before) if before is not None else ())}  # what was secret stays it
        connection.execute(sa.delete(table).where(*here))
        if not answers:
            return
        row: dict[str, Any] = {**key, "nonce": None, "sealed": None}
        row["answers"] = json.dumps({var: value for var, value in answers.items() if var not in secrets})
        if secret := {var: value for var, value in answers.items() if var in secrets}:
            sealed = self._vault.seal(json.dumps(secret), self._bridge, user, _PART, kind, name)
            row |= sealed._asdict()
        connection.execute(sa.insert(table), row)


def _answers(text: str) -> dict[str, Value]:
    return {var: tuple(value) if isinstance(value, list) else value for var, value in json.loads(text).items()}
