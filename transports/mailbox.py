"""The mailbox of a durable bridge: nothing that was acknowledged is lost, nothing overtakes, nothing blocks others.

One per durable bridge. It stands between the bridge, the journal and the component stream:

    far side -> XMPP   bridge --accept()--> journal --render(), send_xmpp()--> stream --fence--> taken
    XMPP -> far side   gateway --post()--> journal --FarSide.send(), one lane per (user, contact)--> on_sent, or an error stanza

The gateway plugs itself in through `Seams` and tells the mailbox what happens on the stream:

    connected()                 the bridge's component stream is authenticated: all that is unconfirmed is written again
    disconnected()              it has ended (also said by send_xmpp returning False)
    answered(sender, id)        for every iq of type result or error; True: it was the answer to a fence, nothing else to do
    bounced(sender, id, …)      for every message of type error; True: it may be about a row, the journal decides
    available(user)             a presence or a stanza of the user (bare JID) came, errors and answers excepted; cheap
    post(user, command)         a letter for this bridge, from a plain-def handler; never raises, never awaits
    tell_of(user, told)         what became of a message of the user's own

Start order: `await start(bridge)` before the bridge's own start (a mailbox is made before its bridge, which gets it as its
inlet); `run()` is a task of the caller's for the whole life.
Stop order: bridge.stop() (no more accepts), `await drain(seconds)`, then the database. What a drain does not get done is in
the journal and goes on at the next start. No network, no XML, no SQL here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from transports.events import Address
from transports.mailbox_in import Incoming, Refusal
from transports.mailbox_out import Outgoing
from transports.mailbox_seams import FarSide, Limits, Seams
from transports.store.ids import Ids, is_id
from transports.xmpp.chat import row_of

if TYPE_CHECKING:
    from transports.store.journal import Journal

log = logging.getLogger(__name__)


class Mailbox:
    """Both directions of one durable bridge; implements ports.Inlet."""

    def __init__(
        self,
        journal: Journal,
        seams: Seams,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._limits = limits or Limits()
        self._incoming = Incoming(journal, seams, self._limits, Ids(clock), clock)
        self._outgoing = Outgoing(journal, seams, self._limits, self._incoming.tell, clock)
        self.accept = self._incoming.accept
        self.tell_of = self._incoming.tell_of
        self.connected = self._incoming.connected
        self.disconnected = self._incoming.disconnected
        self.answered = self._incoming.answered
        self.available = self._incoming.available
        self.post = self._outgoing.post

    async def start(self, bridge: FarSide) -> None:
        """Take up what the journal holds. Far-side deliveries begin; XMPP deliveries begin with `connected`."""
        await self._incoming.start()
        await self._outgoing.start(bridge)

    async def run(self) -> None:
        """Retries that are due, and the purge of what is old; ends when cancelled."""
        purged = 0.0
        while True:
            try:
                await self._incoming.release_due()
                if time.monotonic() - purged > self._limits.purge:
                    purged = time.monotonic()
                    await self._journal.purge(self._limits.keep_body, self._limits.keep_row)
            except Exception as error:
                log.error("mailbox: the journal cannot be swept: %s", error)
            await asyncio.sleep(self._limits.sweep)

    def bounced(self, sender: str, id: str, type: str, condition: str, text: str = "") -> bool:
        """A message of type error came from `sender` (any JID), with RFC 6120's error type, condition and words."""
        row = row_of(id)
        if not is_id(row):
            return False
        self._incoming.refused(sender, row, Refusal(type, condition, text))
        return True

    def revived(self, direction: str, user: str, contact: Address) -> None:
        """A dead letter was queued again by the operator: go on with it."""
        if direction == "in":
            self._incoming.look_again(user)
        else:
            self._outgoing.look_again(user, contact)

    async def drain(self, within: float) -> None:
        """Finish what is under way, in both directions at once, within `within` seconds; then nothing of this runs."""
        await asyncio.gather(self._incoming.drain(within), self._outgoing.drain(within))
