"""Who is registered with a bridge: what they gave and what they chose. In memory, written through to the store.

Reading is immediate and synchronous; a change is on disk when its coroutine returns, and only then in memory. Secrets are
encrypted by the store's side (`store/vault`) and are plain here: this file must never log. Implements ports.Accounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

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
        account = self._accounts.get(user) or Account(user, self._clock())
        return await self._put(account._replace(answers=dict(answers)))

    async def change(self, user: str, answers: Answers) -> None:
        if user in self._accounts:
            await self.register(user, answers)

    async def prefer(self, user: str, preferences: Mapping[str, Value]) -> Account:
        """Set some preferences; the others stay. Who was not registered is now (a bridge that asks for nothing)."""
        account = self._accounts.get(user) or Account(user, self._clock())
        return await self._put(account._replace(preferences={**account.preferences, **preferences}))

    async def speaks(self, user: str, language: str) -> None:
        """Remember the language of a registered user."""
        account = self._accounts.get(user)
        if account is not None and account.language != language:
            await self._put(account._replace(language=language))

    async def remove(self, user: str) -> None:
        await self._keep.delete(user)
        self._accounts.pop(user, None)

    async def _put(self, account: Account) -> Account:
        description = self._describe(account.user)
        fields = [*description.registration.fields, *description.preferences]
        await self._keep.save(account, {field.var for field in fields if field.type == "secret"})
        self._accounts[account.user] = account
        return account
