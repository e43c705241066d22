"""The durable side of a wing: a mailbox plugged into the gateway, stanzas on one side and rows on the other.

Implements `gateway.Durable` and the mailbox's `Seams`. No socket and no SQL here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from transports.errors import LegacyError
from transports.events import Address, Fact, Said, Say
from transports.log import kv
from transports.mailbox import Mailbox
from transports.mailbox_seams import Seams
from transports.words import in_language
from transports.xmpp import write, xml
from transports.xmpp.address import jid_of
from transports.xmpp.fence import Ping
from transports.xmpp.read import Iq, Message

if TYPE_CHECKING:
    from transports.store.journal import Journal, Row

log = logging.getLogger(__name__)


class Post:
    """`send` takes one finished stanza; `up` tells whether the component stream is there to take it."""

    def __init__(self, domain: str, journal: Journal, send: Callable[[str], None], up: Callable[[], bool]) -> None:
        self.domain = domain
        self.door = xml.Door(domain)
        self.send = send
        self.up = up
        #: What is known of a user's language: the desk's.
        self.language: Callable[[str], str] = lambda user: ""
        self.mailbox = Mailbox(
            journal, Seams(self._write, self._render, self._render_ping, self._sent, self._render_failed, self._refused)
        )
        self.connected = self.mailbox.connected
        self.disconnected = self.mailbox.disconnected
        self.available = self.mailbox.available

    # gateway.Durable ----------------------------------------------------------------------------------------------

    def say(self, message: Message, address: Address) -> None:
        user = message.sender.partition("/")[0]
        self.mailbox.available(user)
        self.mailbox.post(user, Say(address, "", message.body or "", message.sender, message.id))

    def tell(self, user: str, fact: Fact) -> None:
        """What a durable bridge shows without a journal (ports.Inlet.tell)."""

    def bounced(self, message: Message) -> bool:
        error = message.error
        if error is None:
            return False
        return self.mailbox.bounced(message.sender, message.id, error.type, error.condition, error.text)

    def answered(self, iq: Iq) -> bool:
        return self.mailbox.answered(iq.sender, iq.id)

    # mailbox.Seams ------------------------------------------------------------------------------------------------

    def _write(self, stanza: str) -> bool:
        if not self.up():
            return False
        self.send(stanza)
        return True

    def _jid(self, address: Address) -> str:
        return jid_of(address.name, self.domain)

    def _render(self, row: Row) -> str:
        fact = row.event
        if not isinstance(fact, Said):
            raise TypeError(f"row {row.id} holds no Said")
        sender = self._jid(fact.where)
        more = write.delay(fact.when, sender) if fact.when is not None else ""
        stanza = write.chat(self.door, sender, row.owner, row.id, fact.text, more)
        if not xml.fits(stanza):  # the stream would drop it, and the fence behind it would be answered all the same
            raise ValueError(f"row {row.id} does not fit into a stanza")
        return stanza

    def _render_ping(self, ping: Ping) -> str:
        opening = self.door.opening("iq", self.domain, ping.to, f"{write.id_attr(ping.id)} type='get'")
        return f"{opening}><ping xmlns='urn:xmpp:ping'/></iq>"

    def _sent(self, user: str, command: Say, ids: Sequence[str]) -> None:
        """Receipts are the bridges' own matter: taken by the far side is not delivered (XEP-0184)."""

    def _render_failed(self, user: str, command: Say, error: LegacyError) -> str:
        words = in_language(error.text, self.language(user))
        opening = self.door.opening(
            "message", self._jid(command.to), command.by, f"{write.id_attr(command.id)} type='error'"
        )
        return f"{opening}>{xml.error(error.condition, error.type, words)}</message>"

    def _refused(self, user: str, fact: Said, error: LegacyError) -> None:
        log.warning(kv("dead letter", domain=self.domain, user=user, condition=error.condition, text=error.text))
