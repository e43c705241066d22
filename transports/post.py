"""The durable side of a wing: a mailbox plugged into the gateway, stanzas on one side and rows on the other.

Implements `gateway.Durable` and the mailbox's `Seams`. In the journal every reference to another message is the id of a stanza:
what the far side calls it is looked up when a letter is handed over, and when something comes in (`links`). No socket and no
SQL here.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from transports.describe import Value
from transports.errors import LegacyError
from transports.events import (
    Activity,
    Address,
    Correct,
    Corrected,
    Delivered,
    Displayed,
    Fact,
    Letter,
    Message,
    More,
    Notice,
    Outcome,
    React,
    Reacted,
    Read,
    Reply,
    Retracted,
    Said,
    Say,
    Sent,
    Told,
    Type,
    Typing,
    Undelivered,
)
from transports.log import kv
from transports.mailbox import Mailbox
from transports.mailbox_seams import Limits, Seams, noted
from transports.ports import DurableBridge
from transports.store.ids import is_id
from transports.tasks import Tasks
from transports.words import in_language, packed, say
from transports.xmpp import chat, read, semantics, write, xml
from transports.xmpp.address import jid_of, to_resource
from transports.xmpp.chat import Envelope
from transports.xmpp.fence import Ping
from transports.xmpp.read import Iq

if TYPE_CHECKING:
    from transports.store.journal import Journal, Row
    from transports.store.links import Link, Links

log = logging.getLogger(__name__)

#: The preference that says whether reactions become words for those who cannot be shown them.
REMARKS: Final = "reactions"
#: Outcomes that are kept until it is known of which message they are, and notes of users that are looked up at once.
EARLY, LOOKUPS = 1_000, 1_000
#: What becomes the name of an element.
_ACTIVITIES: Final = frozenset(get_args(Activity))


class Post:
    """`send` takes one finished stanza; `up` tells whether the component stream is there to take it."""

    bridge: DurableBridge

    def __init__(
        self,
        domain: str,
        journal: Journal,
        links: Links,
        send: Callable[[str], None],
        up: Callable[[], bool],
        limits: Limits | None = None,
    ) -> None:
        self.domain = domain
        self.door = xml.Door(domain)
        self.links = links
        self.send = send
        self.up = up
        self.mailbox = Mailbox(
            journal,
            Seams(
                self._write,
                self._render,
                self._render_ping,
                self._sent,
                self._render_failed,
                self._refused,
                self._resolve,
                self._refer,
                self._along,
            ),
            limits,
        )
        self.connected = self.mailbox.connected
        self.disconnected = self.mailbox.disconnected
        self.available = self.mailbox.available
        self._tasks = Tasks(f"post of {domain}")
        self._early: OrderedDict[tuple[str, Address, str], dict[Outcome, LegacyError | None]] = OrderedDict()
        # What the desk knows; plugged in by `app`.
        self.language: Callable[[str], str] = lambda user: ""
        self.blocks: Callable[[str, Address], bool] = lambda user, address: False
        self.preference: Callable[[str, str], Value | None] = lambda user, var: None
        self.as_user: Callable[[str, str], bool] = lambda user, stanza: False
        self.there: Callable[[str], bool] = lambda user: True

    async def drain(self, within: float) -> None:
        """What is under way ends, in time: what was told of messages first, as it goes the way of messages."""
        await self._tasks.end(min(within, 1.0))
        await self.mailbox.drain(within)
        await self._tasks.end()

    # gateway.Durable ----------------------------------------------------------------------------------------------

    def remarks(self, user: str) -> bool:
        return self.preference(user, REMARKS) is True

    def take(self, user: str, act: Letter | Type | Read) -> None:
        self.mailbox.available(user)
        if isinstance(act, Type):
            self._hint(user, act)
        elif isinstance(act, Read):
            if len(self._tasks) < LOOKUPS:
                self._tasks.start(self._read(user, act))
        else:
            self.mailbox.post(user, act)

    def bounced(self, message: read.Message) -> bool:
        error = message.error
        if error is None:
            return False
        return self.mailbox.bounced(message.sender, message.id, error.type, error.condition, error.text)

    def answered(self, iq: Iq) -> bool:
        return self.mailbox.answered(iq.sender, iq.id)

    def _hint(self, user: str, act: Type | Read) -> None:
        try:
            self.bridge.hint(user, act)
        except Exception:
            log.exception(kv("a bridge failed at a hint", domain=self.domain))

    async def _read(self, user: str, act: Read) -> None:
        with contextlib.suppress(LegacyError):  # the disk does not keep up: a hint may be lost
            ids = await self.links.far(user, act.to, act.of[0])
            if ids:
                self._hint(user, act._replace(of=ids))

    # XMPP to far side ---------------------------------------------------------------------------------------------

    async def _resolve(self, user: str, letter: Letter) -> Letter | None:
        """What a letter comes to now: by what its address can, and by what is known of the message it is about."""
        can, excerpt = self.bridge.can(letter.to), None
        if not isinstance(letter, Say):
            ids = await self.links.far(user, letter.to, letter.of[0])
            can = can if ids else can - {type(letter)}
            if isinstance(letter, React) and React not in can and self.remarks(user):
                about = await self.links.known(user, letter.to, letter.of[0])
                excerpt = about.excerpt if about is not None else ""
            letter = letter._replace(of=ids or letter.of)
        if isinstance(letter, Say | Correct) and letter.more is not None and letter.more.reply:
            ids = await self.links.far(user, letter.to, letter.more.reply)
            can = can if ids else can - {Reply}
            letter = letter._replace(more=letter.more._replace(reply=ids[0] if ids else letter.more.reply))
        act = semantics.at(letter, can, excerpt)
        if isinstance(act, Say | Correct):
            act = act._replace(text=in_language(act.text, self.language(user)))
        return act if isinstance(act, Letter) else None

    def _sent(self, user: str, letter: Letter, ids: Sequence[str]) -> None:
        """Taken by the far side is not delivered (XEP-0184): receipts come with what the bridge tells of these ids."""
        more = letter.more if isinstance(letter, Say | Correct) else None
        asked = (("delivered", more.receipt), ("displayed", more.marker)) if more is not None else ()
        words = _excerpt(letter.text, more) if isinstance(letter, Say | Correct) else ""
        wishes = " ".join(outcome for outcome, wanted in asked if wanted)
        noted(self.links.put(user, letter.to, letter.id, ids, letter.by, words, "out", wishes))
        for id in ids:
            for outcome, error in self._early.pop((user, letter.to, id), {}).items():
                self._tasks.start(self._became(user, letter.to, id, outcome, error))

    def _render_failed(self, user: str, letter: Letter, error: LegacyError) -> str:
        words = in_language(error.text, self.language(user))
        failure = LegacyError(error.condition, words, type=error.type, specific=error.specific)
        return chat.failed(self.door, self._jid(letter.to), letter.by, letter.id, failure)

    # Far side to XMPP ---------------------------------------------------------------------------------------------

    async def _refer(self, user: str, fact: Message) -> Message:
        """What comes in, with its reference as ids of stanzas; '' for what is not known."""
        if isinstance(fact, Said | Sent):
            if fact.more is None or not fact.more.reply:
                return fact
            link = await self.links.xmpp(user, fact.where, fact.more.reply)
            found, quote = (link.xmpp_id, fact.more.quote or link.excerpt) if link is not None else ("", fact.more.quote)
            return fact._replace(more=fact.more._replace(reply=found, quote=quote))
        if isinstance(fact, Retracted):
            return fact._replace(of=" ".join(await self.links.stanzas(user, fact.where, fact.of)))
        link = await self.links.xmpp(user, fact.where, fact.of) if fact.of else None
        theirs = link is not None and (isinstance(fact, Reacted) or link.direction == "in")
        return fact._replace(of=link.xmpp_id if link is not None and theirs else "")

    def _along(self, user: str, event: Message, id: str) -> Sequence[Callable[[Any], None]]:
        """The links of what comes in: on disk with it, or a correction behind it would miss it."""
        if not isinstance(event, Said | Sent | Corrected):
            return ()
        direction: Literal["in", "out"] = "out" if isinstance(event, Sent) else "in"
        by = user if isinstance(event, Sent) else event.nick
        words = _excerpt(event.text, None if isinstance(event, Corrected) else event.more)
        far = (event.key,) if event.key else ()
        return [
            self.links.putting(user, event.where, stanza, far, by, words, direction) for stanza in chat.ids(id, event)
        ]

    def tell(self, user: str, fact: Fact) -> None:
        """What a durable bridge shows without a journal (ports.Inlet.tell). Never raises."""
        teller = _TELLERS.get(type(fact))
        try:
            if teller is not None:
                teller(self, user, fact)
        except Exception:
            log.exception(kv("a fact could not be told", domain=self.domain, user=user))

    def _typing(self, user: str, fact: Typing) -> None:
        if fact.state in _ACTIVITIES and self.up() and self.there(user) and not self.blocks(user, fact.where):
            # as a contact's presence, from a resource: clients take no states from elsewhere
            sender = f"{self._jid(fact.where)}/{to_resource(self.bridge.kind)}"
            self.send(chat.typing(self.door, sender, user, fact.state))

    def _notice(self, user: str, fact: Notice) -> None:
        if not self.blocks(user, fact.where):
            words = in_language(fact.text, self.language(user))
            self.send(write.chat(self.door, self._jid(fact.where), user, "", words))

    def _delivered(self, user: str, fact: Delivered) -> None:
        self._tasks.start(self._became(user, fact.where, fact.of, "delivered"))

    def _displayed(self, user: str, fact: Displayed) -> None:
        self._tasks.start(self._became(user, fact.where, fact.of, "displayed"))

    def _undelivered(self, user: str, fact: Undelivered) -> None:
        self._tasks.start(self._became(user, fact.where, fact.of, "failed", fact.error))

    async def _became(
        self, user: str, where: Address, far_id: str, outcome: Outcome, error: LegacyError | None = None
    ) -> None:
        """Tell the author what became of a message, if that is news and was asked for; failures are always told."""
        try:
            link, news = await self.links.settle(user, where, far_id, outcome)
            if link is None:  # the far side was faster than the answer that has the id
                self._early.setdefault((user, where, far_id), {}).setdefault(outcome, error)
                if len(self._early) > EARLY:
                    self._early.popitem(last=False)
            elif news and (outcome == "failed" or outcome in link.asked.split()):
                await self.mailbox.tell_of(user, self._told(where, link, outcome, error))
        except LegacyError as full:
            log.warning(kv("an outcome is lost", domain=self.domain, user=user, outcome=outcome, condition=full.condition))

    @staticmethod
    def _told(where: Address, link: Link, outcome: Outcome, error: LegacyError | None) -> Told:
        if error is None:
            return Told(where, link.xmpp_id, link.by, outcome)
        words = packed(error.text or say("message.undelivered"))
        return Told(where, link.xmpp_id, link.by, outcome, error.condition, error.type, words)

    # mailbox.Seams ------------------------------------------------------------------------------------------------

    def _write(self, stanza: str) -> bool:
        if not self.up():
            return False
        self.send(stanza)
        return True

    def _jid(self, address: Address) -> str:
        return jid_of(address.name, self.domain)

    def _render(self, row: Row) -> Sequence[str]:
        event = row.event
        if event is None or isinstance(event, Letter):
            raise TypeError(f"row {row.id} holds nothing that came in")
        contact = self._jid(event.where)
        answered = event.more.reply if isinstance(event, Said | Sent) and event.more is not None else ""
        author = contact if is_id(chat.row_of(answered)) else row.owner
        can = self.bridge.can(event.where)
        envelope = Envelope(self.door, row.id, contact, row.owner, author, can, self.language(row.owner))
        if isinstance(event, Sent) and all(self.as_user(row.owner, stanza) for stanza in chat.as_user(envelope, event)):
            return ()
        stanzas = chat.render(envelope, event)
        if not all(map(xml.fits, stanzas)):  # the stream would drop it, and the fence behind it would be answered all the same
            raise ValueError(f"row {row.id} does not fit into a stanza")
        return stanzas

    def _render_ping(self, ping: Ping) -> str:
        opening = self.door.opening("iq", self.domain, ping.to, f"{write.id_attr(ping.id)} type='get'")
        return f"{opening}><ping xmlns='urn:xmpp:ping'/></iq>"

    def _refused(self, user: str, fact: Message, error: LegacyError) -> None:
        log.warning(kv("dead letter", domain=self.domain, user=user, condition=error.condition, text=error.text))


def _excerpt(text: str, more: More | None) -> str:
    """What a message is quoted by: its words, or else its files' names."""
    return text or " ".join(file.name for file in more.files if file.name) if more is not None else text


_TELLERS: Final[Mapping[type, Callable[[Post, str, Any], None]]] = {
    Typing: Post._typing,
    Notice: Post._notice,
    Delivered: Post._delivered,
    Displayed: Post._displayed,
    Undelivered: Post._undelivered,
}
