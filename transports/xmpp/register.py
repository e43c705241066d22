"""Registration (XEP-0077, XEP-0100 4.1 to 4.3) and preferences: as iq, with forms and without, and as commands.

The steps are the same whichever way they come: `enroll` and `remove`. What is asked are the bridge's fields; a bridge that asks
for nothing has the preferences in their place, and who registers there has the gateway in the roster, no more. Secrets are
taken and never shown. XEP-0077 wants the answer first and XEP-0100 the subscriptions after it, so these wait for the next turn.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.describe import AdHoc, Answers, Call, Done, Field, Form, Wrong
from transports.errors import LegacyError
from transports.gateway import Service, Wing
from transports.words import CATALOGS, in_language, say
from transports.xmpp import forms
from transports.xmpp.read import Iq
from transports.xmpp.xml import clip, text

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

NS: Final = "jabber:iq:register"
_QUERY: Final = f"{{{NS}}}query"
_REMOVE: Final = f"{{{NS}}}remove"
#: The elements that old clients know, in the order of XEP-0077's schema.
LEGACY: Final = (
    "username nick password name first last email address city state zip phone url date misc text".split()  # noqa: SIM905
)
#: Children of a query that anybody can have meant.
_CHILDREN: Final = 100
#: Bytes of all old elements together, and of the instructions; the form has the rest of the stanza.
_ROOM: Final = 6_000
_WORDS: Final = 2_000

#: New registrations and failed ones of a user within so many seconds (threat T26), and users that this is remembered of.
MOST: Final = 5
#: The same of all users of a domain that the operator has not named.
MOST_FOREIGN: Final = 50
#: Changes of a registration that a bridge is asked to verify, within the same time: it may have to pay for that.
CHANGES: Final = 30
WITHIN: Final = 3_600.0
REMEMBERED: Final = 10_000
#: Seconds that a bridge may take to verify what it was given.
PATIENCE: Final = 60.0

#: The house's own preferences.
LANGUAGE: Final = "language"
ROSTER: Final = "roster"
REMARKS: Final = "reactions"
#: The language that a client sends with its stanzas.
AUTO: Final = "auto"


class Attempts:
    """How often each user has tried of late; `most`: how often that may be. `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self.clock = clock
        self._most = most
        self._of: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, user: str) -> None:
        """LegacyError when `user` has had enough for now."""
        times = self._of.get(user)
        if times is None:
            return
        now = self.clock()
        while times and times[0] <= now - WITHIN:
            times.popleft()
        if len(times) >= self._most:
            wait = times[0] + WITHIN - now
            words = say("register.often", minutes=math.ceil(wait / 60))
            raise LegacyError("resource-constraint", words, retry_after=wait)

    def count(self, user: str) -> None:
        self._of.setdefault(user, deque(maxlen=self._most)).append(self.clock())
        self._of.move_to_end(user)
        if len(self._of) > REMEMBERED:
            self._of.popitem(last=False)


class Sheet(NamedTuple):
    """What one user is asked; `before`: what was kept of it so far, None for nobody; `own`: preferences, not the bridge's."""

    form: Form
    before: Answers | None
    own: bool


class Register:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.attempts = Attempts()
        self.changes = Attempts(most=CHANGES)
        self.foreign = Attempts(most=MOST_FOREIGN)  # by domain: who has a server of his own has as many names as he likes
        self.table: Mapping[tuple[str, str], Service] = {("get", _QUERY): self.shown, ("set", _QUERY): self.given}
        self._busy: set[str] = set()
        desk.commands.add(
            AdHoc(NS, "register", say("register.label"), self._register, help=say("register.help")),
            AdHoc("preferences", "preferences", say("preferences.label"), self._choose, help=say("preferences.help")),
            AdHoc(
                "unregister",
                "unregister",
                say("register.unregister"),
                self._unregister,
                role="registered",
                help=say("register.unregister-help"),
            ),
        )

    # What is asked ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the gateway is called."""
        return self.desk.bridge.identity(self.desk.service).name or self.desk.domain

    def sheet(self, user: str) -> Sheet:
        """What registering asks of `user`."""
        wanted = self.desk.bridge.describe(user).registration
        account = self.desk.accounts.get(user)
        if not wanted.fields:
            return self.preferences(user)
        fresh = wanted.instructions or say("register.fill-in", name=self.name)
        instructions = fresh if account is None else say("register.again", name=self.name)
        form = Form(say("register.title", name=self.name), wanted.fields, instructions)
        return Sheet(form, account.answers if account is not None else None, False)

    def preferences(self, user: str) -> Sheet:
        """What `user` can choose: the house's own and the bridge's."""
        description = self.desk.bridge.describe(user)
        account = self.desk.accounts.get(user)
        fresh = description.registration.instructions or say("register.free", name=self.name)
        instructions = fresh if account is None else say("preferences.again")
        own = _own()
        form = Form(say("preferences.title", name=self.name), [*own, *description.preferences], instructions)
        return Sheet(form, account.preferences if account is not None else None, True)

    def language(self, user: str) -> str:
        """The language that a bare JID has chosen, '' when none."""
        account = self.desk.accounts.get(user)
        chosen = account.preferences.get(LANGUAGE, AUTO) if account is not None else AUTO
        return str(chosen) if chosen != AUTO else ""

    # What is done -----------------------------------------------------------------------------------------------------

    async def enroll(self, by: str, answers: Answers, sheet: Sheet) -> bool:
        """Register the user whose client (full JID) asks, or change what was given; True when the user is new.

        answers: checked ones of that sheet. Raises describe.Wrong or LegacyError; then all is as it was.
        """
        user = by.partition("/")[0]
        with self._alone(user):
            new = user not in self.desk.accounts
            if new or not sheet.own:
                await self._answer(user, answers, sheet)
            if sheet.own:
                await self.desk.accounts.prefer(user, answers)
                self.desk.bridge.preferred(user)
            if new:
                self._tried(user)
                self.desk.tasks.start(self._welcome(user, by))
            elif sheet.own:
                self.desk.tasks.start(self._fill(user))
            return new

    async def _answer(self, user: str, answers: Answers, sheet: Sheet) -> None:
        """Keep what the bridge was to know, once it has verified it. A form may be hours old: secrets that it leaves as they
        were are those of that time."""
        accounts = self.desk.accounts
        before = accounts.answers(user)
        if not sheet.own and before != sheet.before:
            raise LegacyError("conflict", say("register.gone"))
        if before is not None and not sheet.own:
            self.changes.check(user)
            self.changes.count(user)
        self.attempts.check(user)
        if domain := self._foreign(user):
            self.foreign.check(domain)
        kept = await self._verified(user, {} if sheet.own else answers, before)
        if before is not None and user not in accounts:
            raise LegacyError("conflict", say("register.gone"))
        if kept or not sheet.own:
            await accounts.register(user, kept)

    async def remove(self, user: str, why: str = "") -> None:
        """End a registration. LegacyError when there is none. `why`: words for who did not do it."""
        with self._alone(user):
            await self.desk.unregister(user, why)

    async def _verified(self, user: str, answers: Answers, before: Answers | None) -> Answers:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.desk.bridge.register(user, answers, before)
        except TimeoutError:
            self._tried(user)
            raise LegacyError("remote-server-timeout", say("register.silent"), retry_after=PATIENCE) from None
        except Exception:
            self._tried(user)
            raise

    def _tried(self, user: str) -> None:
        self.attempts.count(user)
        if domain := self._foreign(user):
            self.foreign.count(domain)

    def _foreign(self, user: str) -> str:
        """The domain of `user` where the operator has not named it among the users; '' where that is done."""
        domain = user.rpartition("@")[2]
        return "" if self.desk.wing.users.names(domain) else domain

    async def _welcome(self, user: str, by: str) -> None:
        """XEP-0100 4.1.1: subscriptions come after the answer. `user` may have left again by now."""
        if user in self.desk.accounts:
            self.desk.roster.join(user, by)
            await self.desk.accounts.speaks(user, self.desk.language_of(user))

    async def _fill(self, user: str) -> None:
        """Contacts may be wanted in the roster now."""
        self.desk.roster.fill(user)

    @contextmanager
    def _alone(self, user: str) -> Iterator[None]:
        """One change of a user's registration at a time."""
        if user in self._busy:
            raise LegacyError("resource-constraint", say("register.busy"), retry_after=PATIENCE)
        self._busy.add(user)
        try:
            yield
        finally:
            self._busy.discard(user)

    # jabber:iq:register -----------------------------------------------------------------------------------------------

    def shown(self, wing: Wing, iq: Iq) -> str:
        """The fields, with what was given before: for clients that know forms, and for those that do not."""
        user = self._asker(iq)
        sheet = self.sheet(user)
        language = self.desk.language(iq)
        old = _old_elements(sheet)
        instructions = sheet.form.instructions
        if not old and sheet.form.fields:
            instructions = say("register.talk", words=instructions, domain=self.desk.domain)
        parts = [
            f"<query xmlns='{NS}'>",
            "<registered/>" if user in self.desk.accounts else "",
            f"<instructions>{text(clip(in_language(instructions, language), _WORDS))}</instructions>",
            old,
            forms.render(sheet.form, language, sheet.before, form_type=NS),
            "</query>",
        ]
        return "".join(parts)

    def given(self, wing: Wing, iq: Iq) -> str | Awaitable[str]:
        user = self._asker(iq)
        query = iq.payload
        if query is None or len(query) > _CHILDREN:
            raise LegacyError("bad-request", say("register.odd"))
        if query.find(_REMOVE) is not None:
            if len(query) > 1 or len(query[0]):
                raise LegacyError("bad-request", say("register.alone"))
            return self._ended(user)
        sheet = self.sheet(user)
        values = _values(query, sheet.form.fields)
        if values is None:
            return ""
        try:
            answers = forms.checked(sheet.form.fields, values, sheet.before)
        except Wrong as wrong:
            raise in_words(wrong, sheet.form.fields) from None
        return self._taken(iq.sender, answers, sheet)

    def _asker(self, iq: Iq) -> str:
        """The bare JID of who asks the gateway itself."""
        address = self.desk.wing.address(iq.to.local)
        if address != self.desk.service:
            condition = "feature-not-implemented" if address.kind == "room" else "service-unavailable"
            raise LegacyError(condition, say("register.elsewhere", domain=self.desk.domain))
        return iq.sender.partition("/")[0]

    async def _taken(self, by: str, answers: Answers, sheet: Sheet) -> str:
        try:
            await self.enroll(by, answers, sheet)
        except Wrong as wrong:
            raise in_words(wrong, sheet.form.fields) from None
        return ""

    async def _ended(self, user: str) -> str:
        await self.remove(user)
        return ""

    # Commands ---------------------------------------------------------------------------------------------------------

    async def _register(self, call: Call) -> Done:
        sheet = self.sheet(call.user)
        if sheet.own:
            return await self._choose(call)
        new = await self._fill_in(call, sheet)
        return Done(say("register.done", name=self.name) if new else say("register.changed"))

    async def _choose(self, call: Call) -> Done:
        if call.user not in self.desk.accounts and not self.sheet(call.user).own:
            raise LegacyError("registration-required", say("register.not", domain=self.desk.domain))
        new = await self._fill_in(call, self.preferences(call.user))
        return Done(say("register.done", name=self.name) if new else say("preferences.done"))

    async def _fill_in(self, call: Call, sheet: Sheet) -> bool:
        """Ask until the bridge takes it; True for a new user."""
        before = sheet.before or {}
        fields = [field._replace(default=before.get(field.var, field.default)) for field in sheet.form.fields]
        wrong: Mapping[str, str] = {}
        while True:
            answers = await call.ask(sheet.form._replace(fields=fields), wrong)
            try:
                return await self.enroll(call.by, answers, sheet)
            except Wrong as error:
                wrong = error.fields

    async def _unregister(self, call: Call) -> Done:
        contacts = sum(contact.address != self.desk.service for contact in self.desk.contacts.of(call.user))
        if not await self.desk.holds(call.user):
            raise LegacyError("registration-required", say("register.not", domain=self.desk.domain))
        await call.confirm(say("register.question", name=self.name, contacts=contacts))
        await self.remove(call.user)
        return Done(say("register.ended"))


def _own() -> tuple[Field, ...]:
    """The house's own preferences, with the languages that there are."""
    # a plain text: a language is called in itself, whoever reads it
    languages = {"en": str(say("preferences.language-name")), **{tag: _name(tag) for tag in CATALOGS}}
    options = {AUTO: say("preferences.auto"), **dict(sorted(languages.items()))}
    remarks = Field(REMARKS, say("preferences.reactions"), "switch", say("preferences.reactions-help"), default=False)
    return (
        Field(LANGUAGE, say("preferences.language"), "choice", say("preferences.language-help"), default=AUTO, options=options),
        Field(ROSTER, say("preferences.roster"), "switch", say("preferences.roster-help"), default=True),
        remarks,
    )


def _name(tag: str) -> str:
    """What a language calls itself."""
    return CATALOGS[tag].get("preferences.language-name", tag)


def _old_elements(sheet: Sheet) -> str:
    """The fields as XEP-0077's own elements; '' where these do not say all that is needed (its table of precedence)."""
    fields = {field.legacy: field for field in sheet.form.fields if field.legacy in LEGACY}
    known = sheet.before or {}
    if any(field.required and field.legacy not in fields and not known.get(field.var) for field in sheet.form.fields):
        return ""
    parts = []
    for element in LEGACY:
        if element in fields:
            field = fields[element]
            value = known.get(field.var, field.default if sheet.before is None else None)
            shown = text(value) if isinstance(value, str) and field.type != "secret" else ""
            parts.append(f"<{element}>{shown}</{element}>" if shown else f"<{element}/>")
    made = "".join(parts)
    return made if len(made.encode("utf-8", "replace")) <= _ROOM else ""


def _values(query: Element, fields: Iterable[Field]) -> dict[str, list[str]] | None:
    """What a query brings, by var: its form, else the old elements; None when the form was cancelled."""
    found = query.findall(forms.X)
    if not found:
        return _old_values(query, fields)
    kind = found[0].get("type")
    if len(found) > 1 or kind not in ("submit", "cancel"):
        raise LegacyError("bad-request", say("register.odd"))
    if kind == "cancel":
        return None
    values = forms.submitted(found[0])
    if values.get("FORM_TYPE", [NS]) != [NS]:
        raise LegacyError("bad-request", say("register.odd"))
    return values


def _old_values(query: Element, fields: Iterable[Field]) -> dict[str, list[str]]:
    wanted = {f"{{{NS}}}{field.legacy}": field.var for field in fields if field.legacy in LEGACY}
    values: dict[str, list[str]] = {}
    for child in query:
        var = wanted.get(child.tag)
        if var is None:
            continue
        if var in values or len(child):
            raise LegacyError("bad-request", say("register.odd"))
        values[var] = [child.text or ""]
    if sum(len(value) for (value,) in values.values()) > forms.MOST_BYTES:
        raise LegacyError("not-acceptable", say("form.huge"))
    return values


def in_words(wrong: Wrong, fields: Iterable[Field]) -> LegacyError:
    """What is wrong at which field, in one text: an iq's error has no fields."""
    labels = {field.var: field.label for field in fields}
    said = [
        say("register.field", label=labels[var], words=words) if var in labels else words
        for var, words in list(wrong.fields.items())[:20]
    ]
    words = reduce(lambda words, more: say("register.more", words=words, more=more), said) if said else wrong.text
    return LegacyError(wrong.condition, words, type=wrong.type, retry_after=wrong.retry_after)
