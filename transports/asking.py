"""Questions of ours: an iq goes out, its answer ends the wait. No socket; one per component stream.

An answer counts only from whom was asked (RFC 6120 8.2.3): ids can be guessed, and anybody may send a result. COMPAT: servers
answer a privileged iq and a question to their own domain under varying names, so a question says who may answer.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.errors import ERROR_TYPES, LegacyError
from transports.words import say
from transports.xmpp import xml
from transports.xmpp.read import Iq

#: Questions under way at a time; beyond, `resource-constraint`.
MOST: Final = 2_000
#: Seconds that an answer may take.
PATIENCE: Final = 15.0


class _Question(NamedTuple):
    answerers: Collection[str]
    future: asyncio.Future[Element | None]


class Asker:
    """`send` takes one finished stanza; `domain` is ours."""

    def __init__(self, domain: str, send: Callable[[str], None]) -> None:
        self._door = xml.Door(domain)
        self._domain = domain
        self._send = send
        self._open: dict[str, _Question] = {}

    async def ask(
        self, to: str, payload: str, type: str = "get", sender: str = "", also: Collection[str] = (), patience: float = PATIENCE
    ) -> Element | None:
        """Send an iq and wait for the payload of its result (None where it is empty).

        to, sender: JIDs, the sender (of our domain; default: the domain itself) and `payload` as finished XML
        also: who else may answer for `to`
        Raises LegacyError: the error that came, remote-server-timeout when nothing did.
        """
        if len(self._open) >= MOST:
            raise LegacyError("resource-constraint", say("ask.busy"), retry_after=60)
        id = f"q{secrets.token_hex(12)}"
        question = _Question({to, *also}, asyncio.get_running_loop().create_future())
        self._open[id] = question
        try:
            opening = self._door.opening("iq", sender or self._domain, to, f" type='{type}' id='{id}'")
            self._send(f"{opening}>{payload}</iq>")
            async with asyncio.timeout(patience):
                return await question.future
        except TimeoutError:
            raise LegacyError("remote-server-timeout", say("ask.silent", who=to), certain=False, retry_after=60) from None
        finally:
            del self._open[id]

    def answered(self, iq: Iq) -> bool:
        """An iq of type result or error came; True when it was waited for."""
        question = self._open.get(iq.id)
        if question is None or iq.sender not in question.answerers or question.future.done():
            return False
        if iq.error is not None:
            type = iq.error.type if iq.error.type in ("auth", "cancel", "continue", "modify", "wait") else "cancel"
            condition = iq.error.condition if iq.error.condition in ERROR_TYPES else "undefined-condition"
            question.future.set_exception(LegacyError(condition, iq.error.text, type=type))
        else:
            question.future.set_result(iq.payload)
        return True
