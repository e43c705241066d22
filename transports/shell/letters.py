"""The requests about the queue, the same whether a daemon meets them or the shell does it on the database itself.

The text of a message leaves here only where `letter` is asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from transports.control import Refused
from transports.shell.asked import Answer, Asked

if TYPE_CHECKING:
    from transports.store.queue import Letter, Queue


class Letters:
    """`queue`: None where there is no durable bridge; `revived` hears of each letter that was queued again."""

    def __init__(self, queue: Callable[[], Queue | None], revived: Callable[[Letter], None]) -> None:
        self._open = queue
        self._revived = revived
        self.table = {"queue": self.listed, "letter": self.show, "retry": self.retry, "drop": self.drop}

    async def listed(self, asked: Asked) -> Answer:
        queue = self._open()
        return {"letters": [letter._asdict() for letter in (await queue.letters(asked.bridge) if queue else [])]}

    async def show(self, asked: Asked) -> Answer:
        queue = self._open()
        letter = await queue.letter(asked.id) if queue else None
        if queue is None or letter is None:
            raise Refused(f"There is no message {asked.id}.")
        return {**letter._asdict(), **({"body": await queue.body(asked.id)} if asked.body else {})}

    async def retry(self, asked: Asked) -> Answer:
        queue = self._open()
        letters = await queue.revive(asked.ids, asked.bridge) if queue else []
        for letter in letters:
            self._revived(letter)
        return await self._done(asked, letters, "tried again")

    async def drop(self, asked: Asked) -> Answer:
        queue = self._open()
        letters = await queue.drop(asked.ids, asked.bridge) if queue else []
        return await self._done(asked, letters, "dropped")

    async def _done(self, asked: Asked, letters: list[Letter], what: str) -> Answer:
        """What was done with; Refused, with the reason, when nothing was of what was named."""
        if asked.ids and not letters:
            letter = await self.show(Asked(id=asked.ids[0]))
            if letter["state"] != "dead":
                raise Refused(f"Message {letter['id']} is no dead letter, its state is {letter['state']}.")
            raise Refused(f"Message {letter['id']} cannot be {what}: its text is gone.")
        return {"letters": [letter._asdict() for letter in letters]}
