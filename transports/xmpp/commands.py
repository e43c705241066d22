"""Ad-hoc commands (XEP-0050): what there is to be had at an address, and sessions of forms.

A command is a coroutine (`describe.AdHoc.run`) that asks through its `Call`; here the call's forms are XEP-0004, in `talk` they
are words. A session belongs to one full JID and one address of ours; its id cannot be guessed and is worth nothing to others.

What clients show decided some of it. COMPAT: Gajim 1.7 and poezio 0.14 break on `executing` without a form and on a `canceled`
that they did not ask for, so progress is a form of words, and a declined or failed command is `completed` with a note (XEP-0050
3.7). COMPAT: Converse.js 10 shows only the notes of a completed command, so these tell the first rows of a table as well. `prev`
is never offered, as what a command has done between its questions is done; `next` and `complete` are the same, as clients send
either: only the command knows which question is the last.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element

from transports.describe import AdHoc, Done, Field, Form
from transports.errors import LegacyError
from transports.events import Address
from transports.gateway import Service, Wing
from transports.ports import Identity
from transports.words import CATALOGS, in_language, say
from transports.xmpp import calls, disco, forms, prose, register, write
from transports.xmpp.address import Jid, from_resource
from transports.xmpp.read import Iq
from transports.xmpp.xml import attr, clip, text

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

NS: Final = disco.COMMANDS
_COMMAND: Final = f"{{{NS}}}command"
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ACTIONS: Final = frozenset(("execute", "next", "complete", "prev", "cancel"))

#: Sessions of one user and of all; a user's oldest that waits for an answer makes place for a new one.
MOST_EACH: Final = 10
MOST: Final = 2_000
#: Seconds until an unanswered session expires, and until a command that is at work is answered with how far it is.
IDLE: Final = 600.0
PATIENCE: Final = 2.0
_NOTE: Final = 8_000
#: Rows of a table that its note tells as well.
ROWS: Final = 20


def _bad(specific: str, key: str, condition: str = "bad-request") -> LegacyError:
    """An error with a condition of XEP-0050 4.4."""
    return LegacyError(condition, say(key), specific=(NS, specific))


class Session(calls.Running):
    """A command whose questions are forms."""

    def __init__(self, desk: Desk, command: AdHoc, iq: Iq, at: Address, id: str, now: float) -> None:
        super().__init__(desk, command, iq.sender, at, "")
        self.id = id
        self.to: Jid = iq.to
        self.seen = now
        self.shown: object = None  # the answers that the client has been asked for
        self.so_far: deque[str] = deque(maxlen=10)
        self._news = asyncio.Event()

    def changed(self) -> None:
        self._news.set()

    def told(self, text: str) -> None:
        self.so_far.append(text)

    def over(self) -> None:
        if self.gone:
            self.desk.commands.drop(self)

    async def settle(self, patience: float) -> None:
        """Until there is something to show, or `patience` seconds."""
        if self.working:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._news.wait()


class Commands:
    """`clock` gives seconds of any beginning, `patience` how long a command may work before it is answered."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {("set", _COMMAND): self._command}
        self.clock: Callable[[], float] = time.monotonic
        self.patience = PATIENCE
        self._house: list[AdHoc] = []
        self._sessions: dict[str, Session] = {}
        self._each: dict[str, list[Session]] = {}
        self._key = secrets.token_bytes(32)

    # What there is ----------------------------------------------------------------------------------------------------

    def add(self, *commands: AdHoc) -> None:
        """Commands of the house's own, from the rooms that have them."""
        self._house += commands

    def available(self, user: str, address: Address) -> list[AdHoc]:
        """What `user` (bare JID) may have at `address`: the house's own and the bridge's, in the order they are shown."""
        return [command for command in self.there(user, address).values() if self.may(user, command)]

    def may(self, user: str, command: AdHoc) -> bool:
        """Whether `user` (bare JID) may have a command. Who has to register first may do that, and run the gateway."""
        if command.role == "admin":
            return self.desk.role(user) == "admin"
        if command.role == "registered":
            some = self.desk.keeps(user) or self.desk.archiving_anything
            return user in self.desk.accounts or (command.node == "unregister" and some)
        return command.node == register.NS or not self.desk.unregistered(user)

    def there(self, user: str, address: Address) -> dict[str, AdHoc]:
        """All that an address has, whoever may have it, by node; of two with the same node the house's."""
        kinds = {address.kind, "service"} if address == self.desk.service else {address.kind}
        found: dict[str, AdHoc] = {}
        for command in (*self._house, *self.desk.bridge.describe(user).commands):
            if not kinds.isdisjoint(command.where):
                found.setdefault(command.node, command)
        return found

    def _place(self, to: Jid) -> Address:
        """The address that a JID of ours means; a room's occupant is a person."""
        address = self.desk.wing.address(to.local)
        if address.kind == "room" and to.resource:
            return self.desk.bridge.person(address, from_resource(to.resource))
        return address

    # disco (XEP-0050 2.2) -----------------------------------------------------------------------------------------------

    def info(self, iq: Iq, node: str) -> str | None:
        """disco#info of the list or of a command; None when the node is neither."""
        if node == NS:
            return disco.info(disco.Place(Identity("automation", "command-list", ""), (disco.INFO_NS, disco.ITEMS_NS)), node)
        user = iq.sender.partition("/")[0]
        command = self.there(user, self._place(iq.to)).get(node)
        if command is None:
            return None
        self.allowed(user, command)
        name = in_language(command.label, self.desk.language(iq))
        return disco.info(disco.Place(Identity("automation", "command-node", name), (NS, forms.NS)), node)

    def items(self, iq: Iq, node: str) -> str | None:
        """The commands that the asker may have there; None when the node is not theirs."""
        if node != NS:
            return None
        language, jid = self.desk.language(iq), write.spoken(iq.to)
        here = self.available(iq.sender.partition("/")[0], self._place(iq.to))
        return disco.items([(jid, in_language(command.label, language), command.node) for command in here], node)

    def allowed(self, user: str, command: AdHoc) -> None:
        """LegacyError for who may not have a command."""
        if not self.may(user, command):
            raise LegacyError("forbidden", say("command.only-admin" if command.role == "admin" else "command.only-registered"))

    # Sessions (XEP-0050 2.4) --------------------------------------------------------------------------------------------

    def _command(self, wing: Wing, iq: Iq) -> Awaitable[str]:
        return self._serve(iq)

    async def _serve(self, iq: Iq) -> str:
        payload = iq.payload
        assert payload is not None  # the table's key is its tag
        action = payload.get("action", "execute")
        if action not in _ACTIONS:
            raise _bad("malformed-action", "command.no-action")
        if payload.get("sessionid"):
            session = self._find(iq, payload)
            self._heard(session, iq, payload)
            if action == "cancel" or not self._go_on(session, payload, action):
                return self._cancel(session)
        elif action == "execute":
            session = self._open(iq, payload)
            self._heard(session, iq, payload)
            session.start()
        else:
            raise _bad("bad-sessionid", "command.no-session")
        await session.settle(self.patience)
        return self._answer(session)

    def _heard(self, session: Session, iq: Iq, payload: Element) -> None:
        session.seen = self.clock()
        session.role = self.desk.role(session.user)
        session.language = payload.get(_LANG, "")[:35] or self.desk.language(iq)

    def _go_on(self, session: Session, payload: Element, action: str) -> bool:
        """The next step; False for who gives up. What comes before the client was shown a question is a look how far it is."""
        if action == "prev":
            raise _bad("bad-action", "command.no-prev")
        if session.asked is None or session.asked.answers is not session.shown:
            return True
        if self._gives_up(payload):
            return False
        self._submit(session, payload)
        return True

    def _open(self, iq: Iq, payload: Element) -> Session:
        node, user, at = payload.get("node", ""), iq.sender.partition("/")[0], self._place(iq.to)
        command = self.there(user, at).get(node)
        if command is None:
            raise LegacyError("item-not-found", say("command.none"))
        self.allowed(user, command)
        self._make_place(user)
        nonce = secrets.token_hex(8)
        session = Session(self.desk, command, iq, at, f"{nonce}{self._seal(nonce, iq, node)}", self.clock())
        self._sessions[session.id] = session
        self._each.setdefault(user, []).append(session)
        return session

    def _seal(self, nonce: str, iq: Iq, node: str) -> str:
        """What makes an id of ours: only for this client, this address, this command."""
        whose = "\0".join((nonce, iq.sender, iq.to.full, node)).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, whose, hashlib.sha256).hexdigest()[:32]

    def _find(self, iq: Iq, payload: Element) -> Session:
        """The session that a request belongs to. An id that we never gave to this client is a bad one; of one that we gave
        nothing has to be kept to know that it has expired."""
        id, node = payload.get("sessionid", ""), payload.get("node", "")
        seal = self._seal(id[:16], iq, node)
        if not hmac.compare_digest(id[16:].encode("utf-8", "surrogatepass"), seal.encode()):
            raise _bad("bad-sessionid", "command.no-session")
        session = self._sessions.get(id)
        if session is None or session.gone or self._expired(session):
            raise _bad("session-expired", "command.expired", "not-allowed")
        if session.ended is not None and session.command.role == "registered":
            return session  # it may have been what unregisters
        if not self.may(session.user, session.command):
            self._end(session)
        self.allowed(session.user, session.command)
        return session

    def _make_place(self, user: str) -> None:
        theirs = self._each.get(user, [])
        if len(theirs) >= MOST_EACH:
            idle = [session for session in theirs if not session.working]
            if not idle:
                raise LegacyError("resource-constraint", say("gate.busy"), retry_after=60)
            self._end(min(idle, key=lambda session: session.seen))
        if len(self._sessions) >= MOST:
            raise LegacyError("resource-constraint", say("command.crowded"), retry_after=60)

    @staticmethod
    def _gives_up(payload: Element) -> bool:
        """A form of type cancel counts as submitted (XEP-0050 3.6.1), but one without fields submits nothing."""
        x = payload.find(forms.X)
        return x is not None and x.get("type") == "cancel" and x.find(forms.FIELD) is None

    @staticmethod
    def _submit(session: Session, payload: Element) -> None:
        assert session.asked is not None
        x = payload.find(forms.X)
        if x is None:
            if any(field.type != "note" for field in session.asked.form.fields):
                raise _bad("bad-payload", "command.no-form")
            x = Element(forms.X)
        try:
            given = forms.submitted(x)
        except LegacyError as error:
            raise LegacyError("bad-request", error.text, specific=(NS, "bad-payload")) from None
        session.submit(given)

    def _cancel(self, session: Session) -> str:
        begun = session.working
        self._end(session)
        return self._made(session, "canceled", _note("warn", say("command.begun"), session.language) if begun else "")

    def _answer(self, session: Session) -> str:
        language = session.language
        if session.ended is not None:
            self._end(session)
            return self._made(session, "completed", _ending(session.ended, session.command, language, _sees_tables(session.by)))
        if session.asked is None:
            return self._made(session, "executing", "<actions execute='next'><next/></actions>" + _so_far(session))
        question = session.asked
        session.shown = question.answers
        last = "complete" if question.confirm else "next"
        x = forms.render(question.form, language, question.shown, question.wrong)
        return self._made(session, "executing", f"<actions execute='{last}'><{last}/></actions>{x}")

    @staticmethod
    def _made(session: Session, status: str, inside: str) -> str:
        node = attr(session.command.node)
        return (
            f"<command xmlns='{NS}' node='{node}' sessionid='{session.id}' status='{status}' "
            f"xml:lang='{attr(_spoken(session.language))}'>{inside}</command>"
        )

    # Ends -------------------------------------------------------------------------------------------------------------

    def _expired(self, session: Session) -> bool:
        return self.clock() - session.seen > IDLE

    def _end(self, session: Session) -> None:
        """No more of this session; what the command has begun, it finishes, and is counted until then."""
        session.give_up()
        if not session.working:
            self.drop(session)

    def drop(self, session: Session) -> None:
        """Forget a session whose command is over."""
        if self._sessions.pop(session.id, None) is not None:
            theirs = self._each[session.user]
            theirs.remove(session)
            if not theirs:
                del self._each[session.user]

    def sweep(self) -> None:
        """Sessions that nobody goes on with end."""
        for session in list(self._sessions.values()):
            if self._expired(session) and not session.gone:
                self._end(session)

    def leave(self, user: str) -> None:
        """The user's questions end; what is at work comes to its own end, and how that was (it unregisters) is still told."""
        for session in list(self._each.get(user, ())):
            if session.asked is not None:
                self._end(session)


def _spoken(language: str) -> str:
    """The language that a text for a reader of `language` is in."""
    tag = language.lower()
    return language if tag in CATALOGS or tag.partition("-")[0] in CATALOGS else "en"


def _note(kind: str, words: str, language: str) -> str:
    return f"<note type='{kind}'>{text(clip(in_language(words, language), _NOTE))}</note>" if words else ""


def _sees_tables(client: str) -> bool:
    """COMPAT: Gajim (1.7 and all before it) waits for ever when a command ends with a table. That it is Gajim is told by the
    resource that it gives itself, `gajim.N2KJ0XCA`: who is taken for it loses nothing, as the note tells all then.
    """
    return not client.partition("/")[2].lower().startswith("gajim")


def _ending(ended: Done | LegacyError, command: AdHoc, language: str, form: bool) -> str:
    """form: whether a table is told as a form too, and in the note only how it begins."""
    if isinstance(ended, LegacyError):
        return _note("error", calls.words(ended, language), language)
    if ended.table is None:
        return _note("info", ended.text, language)
    most = ROWS if form else len(ended.table.rows)
    rows = prose.table(ended.table, language, most, "• ")  # a mark, as line breaks of notes are not shown everywhere
    words = "\n".join(part for part in (in_language(ended.text, language), rows) if part)
    return _note("info", words, language) + (forms.table(ended.table, command.label, language) if form else "")


def _so_far(session: Session) -> str:
    """How far a command is, as a form of words."""
    lines = [Field("", line, "note") for line in session.so_far]
    form = Form(session.command.label, lines or [Field("", say("command.working"), "note")], say("command.look"))
    return forms.render(form, session.language)
