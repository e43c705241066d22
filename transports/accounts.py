"""Who is registered with a bridge: what they gave and what they chose. In memory, written through to the store.

Reading is immediate and synchronous; a change is on disk when its coroutine returns, and only then in memory. Secrets are
encrypted by the store's side (`store/vault`) and are plain here: this file must never log. Implements ports.Accounts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol
from weakref import WeakValueDictionary

from transports.describe import Answers, Description, Value


class Account(NamedTuple):
    """One registered user. `language`: the last one heard, '' unknown; `created`: seconds since the epoch."""

    user: str
    created: float
    answers: Answers = MappingProxyType({})
    preferences: Answers = MappingProxyType({})
    language: str = ""


class Keep(Protocol):
    """Where accounts of one bridge are kept; `store/accounts`."""

    async def load(self) -> list[Account]: ...

    async def save(self, account: Account, secrets: Collection[str]) -> None:
        """`secrets`: the vars of answers and preferences that are to be encrypted. On disk when this returns."""
        ...

    async def delete(self, user: str) -> None:
        """The account and everything else of that user with this bridge: contacts, links, queues, files."""
        ...


class Nowhere:
    """Keeps nothing: for tests, and where nobody has registered yet."""

    async def load(self) -> list[Account]:
        return []

    async def save(self, account: Account, secrets: Collection[str]) -> None: ...

    async def delete(self, user: str) -> None: ...


class Accounts:
    """`describe` gives a bridge's description for a user: which fields there are, which are secret, what their defaults are."""

    def __init__(
        self, describe: Callable[[str], Description], keep: Keep | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._describe = describe
        self._keep: Keep = keep or Nowhere()
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> None:
        """Read all; before the bridge starts."""
        self._accounts = {account.user: account for account in await self._keep.load()}

    # Reading --------------------------------------------------------------------------------------------------------

    def __contains__(self, user: object) -> bool:
        return user in self._accounts

    def users(self) -> list[str]:
        return list(self._accounts)

    def get(self, user: str) -> Account | None:
        return self._accounts.get(user)

    def answers(self, user: str) -> Answers | None:
        account = self._accounts.get(user)
        return account.answers if account is not None else None

    def preference(self, user: str, var: str) -> Value | None:
        account = self._accounts.get(user)
        if account is not None and var in account.preferences:
            return account.preferences[var]
        return next((field.default for field in self._describe(user).preferences if field.var == var), None)

    # Changing -------------------------------------------------------------------------------------------------------

    async def register(self, user: str, answers: Answers) -> Account:
        """Add a user, or replace what one gave."""
        async with self._turn(user):
            return await self._put(self._account(user)._replace(answers=dict(answers)))

    async def change(self, user: str, answers: Answers) -> None:
        async with self._turn(user):
            if user in self._accounts:
                await self._put(self._account(user)._replace(answers=dict(answers)))

    async def prefer(self, user: str, preferences: Mapping[str, Value]) -> Account:
        """Set some preferences; the others stay. Who was not registered is now (a bridge that asks for nothing)."""
        async with self._turn(user):
            account = self._account(user)
            return await self._put(account._replace(preferences={**account.preferences, **preferences}))

    async def speaks(self, user: str, language: str) -> None:
        """Remember the language of a registered user."""
        async with self._turn(user):
            account = self._accounts.get(user)
            if account is not None and account.language != language:
                await self._put(account._replace(language=language))

    async def remove(self, user: str) -> None:
        async with self._turn(user):
            await self._keep.delete(user)
            self._accounts.pop(user, None)

    def _turn(self, user: str) -> asyncio.Lock:
        """One change of a user at a time: each is made of what the one before has left."""
        return self._turns.setdefault(user, asyncio.Lock())

    def _account(self, user: str) -> Account:
        return self._accounts.get(user) or Account(user, self._clock())

    async def _put(self, account: Account) -> Account:
        description = self._describe(account.user)
        fields = [*description.registration.fields, *description.preferences]
        secret = {field.var for field in fields if field.type == "secret"}
        plain = {field.var for field in fields} - secret
        # what is kept without a field that says what it is may be anything: it is taken for secret
        await self._keep.save(account, secret | ((account.answers.keys() | account.preferences.keys()) - plain))
        self._accounts[account.user] = account
        return account
