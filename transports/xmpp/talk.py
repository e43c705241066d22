"""Commands by chat, for clients that have no forms: words to the gateway's own JID, or to a server's.

A conversation belongs to a user's bare JID and one address of ours: a chat has one thread, whichever client is at hand, and the
answer goes to the one that spoke last. What was typed is never said again: it may be a secret that came too late.
Errors, our own words, headlines and messages without words are never answered, and words that mean nothing only a few times.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from transports.describe import AdHoc, Done, Field
from transports.errors import LegacyError
from transports.events import Address
from transports.words import in_language, say
from transports.xmpp import calls, forms, prose, write
from transports.xmpp.address import jid_of
from transports.xmpp.meaning import meaning
from transports.xmpp.read import Message

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

#: Commands of one user and of all that may be under way; a user's oldest that waits for an answer makes place.
MOST_EACH: Final = 5
MOST: Final = 2_000
#: Seconds until an unanswered question is forgotten.
IDLE: Final = 600.0
#: Characters of one message that are looked at.
LONGEST: Final = 20_000
#: Answers in a row to words that mean nothing, and users that this is counted of.
HINTS: Final = 3
COUNTED: Final = 1_000
#: Words in a row that lead a command nowhere; then it ends.
IN_VAIN: Final = 10
#: Words of one command about how far it is.
MOST_PROGRESS: Final = 100
#: Of use only now, and only here (XEP-0334, XEP-0280).
_FLEETING: Final = "<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/><private xmlns='urn:xmpp:carbons:2'/>"


class Conversation(calls.Running):
    """A command whose questions are asked field by field."""

    def __init__(self, talk: Talk, command: AdHoc, by: str, at: Address, language: str, typed: str) -> None:
        super().__init__(talk.desk, command, by, at, language)
        self.talk = talk
        self.seen = talk.clock()
        self._typed = typed  # behind the command's word; spent on the first question
        self._given: dict[str, Sequence[str]] = {}
        self._wrong: dict[str, str] = {}
        self._todo: list[Field] = []
        self._progress: list[str] = []
        self._vain = 0

    # From the command -------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        if self.ended is not None:
            self._tell(_ending(self.ended, self.language))
        elif self.asked is not None:
            self._begin(self.asked)

    def told(self, text: str) -> None:
        if len(self._progress) < MOST_PROGRESS:
            self._progress.append(text)
            self._tell(in_language(text, self.language), _FLEETING)

    def over(self) -> None:
        self.talk.over(self)

    # From the person --------------------------------------------------------------------------------------------------

    def heard(self, text: str) -> None:
        if prose.means(text, "talk.words-cancel", self.language):
            key = "talk.begun" if self.working else "command.declined"
            self.talk.end(self)
            self._tell(in_language(say(key), self.language))
        elif self.asked is None:
            self._again(in_language(self._progress[-1] if self._progress else say("command.working"), self.language), _FLEETING)
        elif self.asked.confirm:
            self._confirmed(text)
        elif self._todo:
            self._answered(self._todo[0], self.asked, text)
        else:
            self.submit({})  # there was only something to read

    def _confirmed(self, text: str) -> None:
        field = Field(calls.YES, "", "switch")
        (value,) = prose.heard(field, text, self.language) or ("",)
        if value in ("0", "1"):
            self.submit({calls.YES: [value]})
        else:
            self._again(in_language(say("talk.yes-or-no"), self.language))

    def _again(self, text: str, more: str = "") -> None:
        """What was said already; a few times, lest two machines talk to each other for ever."""
        self._vain += 1
        if self._vain <= IN_VAIN:
            self._tell(text, more)
        elif not self.working:
            self.talk.end(self)
            self._tell(in_language(say("command.declined"), self.language))

    def _answered(self, field: Field, question: calls.Question, text: str) -> None:
        values = prose.heard(field, text, self.language)
        if error := self._fault(field, question, values):
            self._again(self._question(field, question, error))
            return
        self._vain = 0
        if values is not None:
            self._given[field.var] = values
        del self._todo[0]
        self._go_on(question, [])

    def _fault(self, field: Field, question: calls.Question, values: Sequence[str] | None) -> str:
        try:
            forms.answer(field, values, question.before.get(field.var))
        except (ValueError, LegacyError) as error:
            return forms.fault(error)
        return ""

    # Asking -----------------------------------------------------------------------------------------------------------

    def _begin(self, question: calls.Question) -> None:
        """Ask for a form: for what is wrong in it, else for all of it, but for what was typed behind the command's word."""
        typed, self._typed = self._typed, ""
        if question.confirm:
            self._ask_yes(question, typed)
            return
        fields = question.form.fields
        self._wrong = dict(question.wrong)
        self._given = {}
        self._todo = [field for field in fields if field.var in self._wrong] or list(fields)
        if not typed or not self._at_once(question, typed):
            self._go_on(question, self._heading(question))

    def _ask_yes(self, question: calls.Question, typed: str) -> None:
        if prose.means(typed, "talk.words-yes", self.language):
            self.submit({calls.YES: ["1"]})
        else:
            words = (question.form.instructions, say("talk.yes-or-no"))
            self._tell(_paragraphs(*(in_language(part, self.language) for part in words)))

    def _heading(self, question: calls.Question) -> list[str]:
        """What is said before the first field; of a form asked again only what is wrong and at no field of it."""
        form, language = question.form, self.language
        if question.wrong:
            known = {field.var for field in form.fields}
            return [f"⚠ {in_language(words, language)}" for var, words in question.wrong.items() if var not in known]
        return [in_language(words, language) for words in (form.title, form.instructions, say("talk.cancel")) if words]

    def _at_once(self, question: calls.Question, typed: str) -> bool:
        """Take what was typed at once; whether it is all that is needed. Else only what is missing or wrong is asked for."""
        fields = [field for field in question.form.fields if field.type != "note"]
        given = prose.filled(fields, typed, self.language)
        if any(field.type == "secret" and field.var in given for field in fields):
            self._tell(in_language(say("talk.secret"), self.language))
        faults = {field.var: self._fault(field, question, given[field.var]) for field in fields if field.var in given}
        self._wrong = {var: words for var, words in faults.items() if words}
        self._given = {var: values for var, values in given.items() if var not in self._wrong}
        if not self._wrong and not prose.needs(fields, self._given, question.before):
            return self.submit(self._given)
        self._todo = [field for field in self._todo if field.var not in self._given]
        return False

    def _go_on(self, question: calls.Question, said: list[str]) -> None:
        """The next field; or the command has all that it asked for."""
        while self._todo and self._todo[0].type == "note":
            said.append(prose.asked(self._todo.pop(0), self.language))
        if self._todo:
            field = self._todo[0]
            self._tell(_paragraphs(*said, self._question(field, question, self._wrong.pop(field.var, ""))))
        elif all(field.type == "note" for field in question.form.fields):
            self._tell(_paragraphs(*said, in_language(say("talk.go-on"), self.language)))
        else:
            self._tell(_paragraphs(*said))
            if not self.submit(self._given) and self.asked is not None:
                self._begin(self.asked)

    def _question(self, field: Field, question: calls.Question, wrong: str) -> str:
        return prose.asked(field, self.language, question.before.get(field.var), wrong)

    def _tell(self, text: str, more: str = "") -> None:
        if text:
            self.talk.tell(self.by, self.at, text, more)


class Talk:
    """`clock` gives seconds of any beginning."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.clock: Callable[[], float] = time.monotonic
        self._open: dict[tuple[str, Address], Conversation] = {}
        self._each: dict[str, int] = {}  # commands of a user that have not returned yet
        self._unknown: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def said(self, message: Message, address: Address) -> bool:
        """Words of a person to an address that takes none by itself; False when there is nobody to talk to either."""
        if (address.kind not in ("service", "server") and address != self.desk.service) or message.type == "groupchat":
            return False
        means = meaning(message)
        text = means.text or ""
        local, _, domain = message.sender.partition("/")[0].rpartition("@")
        automatic = not local or domain == self.desk.domain or message.type == "headline" or means.copy
        if automatic or means.reacts or means.retract or not text.strip():
            return True
        language = self.desk.language(message)
        try:
            self._heard(message.sender, address, text, language, bool(means.replace))
        except LegacyError as error:
            self.tell(message.sender, address, f"⚠ {calls.words(error, language)}")
        return True

    def _heard(self, sender: str, address: Address, text: str, language: str, corrects: bool) -> None:
        if len(text) > LONGEST:
            raise LegacyError("not-acceptable", say("form.huge"))
        conversation = self._going_on(sender, address)
        if conversation is None:
            self._fresh(sender, address, text, language)
        elif corrects:  # which of the answers it was is not known, and what it has led to is done
            raise LegacyError("not-acceptable", say("talk.too-late"))
        else:
            conversation.by, conversation.language = sender, language
            conversation.role = self.desk.role(conversation.user)
            conversation.heard(text)

    def tell(self, to: str, at: Address, text: str, more: str = "") -> None:
        self.desk.send(write.chat(self.desk.door, self._jid(at), to, self.desk.ids.stanza(), text, more))

    def _jid(self, at: Address) -> str:
        return self.desk.domain if at == self.desk.service else jid_of(at.name, self.desk.domain)

    # What was meant ---------------------------------------------------------------------------------------------------

    def _going_on(self, sender: str, address: Address) -> Conversation | None:
        """What the user talks about there; LegacyError when it is not the user's to talk about any more."""
        conversation = self._open.get((sender.partition("/")[0], address))
        if conversation is None or self._expired(conversation):
            if conversation is not None:
                self.end(conversation)
            return None
        if not self.desk.commands.may(conversation.user, conversation.command):
            self.end(conversation)
        self.desk.commands.allowed(conversation.user, conversation.command)
        conversation.seen = self.clock()
        return conversation

    def _fresh(self, sender: str, address: Address, text: str, language: str) -> None:
        user = sender.partition("/")[0]
        word, typed = [*text.split(None, 1), ""][:2]
        word = word.lstrip("/!").lower()
        if prose.means(word, "talk.words-help", language):
            self._unknown.pop(user, None)
            self.tell(sender, address, self._help(user, address, typed.strip().lower(), language))
            return
        command = self._command(user, address, word, language)
        if command is None:
            nothing = prose.means(word, "talk.words-cancel", language)
            self._hint(sender, address, in_language(say("talk.nothing" if nothing else "talk.unknown"), language))
            return
        try:
            self.desk.commands.allowed(user, command)
        except LegacyError as error:
            self._hint(sender, address, f"⚠ {calls.words(error, language)}")
            return
        self._unknown.pop(user, None)
        self._start(Conversation(self, command, sender, address, language, typed.strip()))

    def _command(self, user: str, address: Address, word: str, language: str) -> AdHoc | None:
        """The command of this word, whether the user may have it or not."""
        there = self.desk.commands.there(user, address).values()
        return next((one for one in there if word in (one.word, in_language(one.word, language).lower())), None)

    def _hint(self, sender: str, address: Address, words: str) -> None:
        """Why nothing comes of what was said: a few times, lest two machines talk to each other for ever."""
        user, now = sender.partition("/")[0], self.clock()
        count, last = self._unknown.pop(user, (0, now))
        count = count + 1 if now - last <= IDLE else 1
        self._unknown[user] = count, now
        if len(self._unknown) > COUNTED:
            self._unknown.popitem(last=False)
        if count <= HINTS:
            self.tell(sender, address, words)

    # Help -------------------------------------------------------------------------------------------------------------

    def _help(self, user: str, address: Address, word: str, language: str) -> str:
        if word:
            command = self._command(user, address, word, language)
            if command is not None and self.desk.commands.may(user, command):
                return self._about(command, address, language)
        lines = [in_language(say("talk.help"), language)]
        for command in self.desk.commands.available(user, address):
            lines.append(f"{in_language(command.word, language)} – {in_language(command.label, language)}")
        return "\n".join([*lines, in_language(say("talk.help-more"), language)])

    def _about(self, command: AdHoc, address: Address, language: str) -> str:
        """One command, and a link to its form (XEP-0147) for clients that have forms after all."""
        jid = quote(self._jid(address), safe="@")
        link = f"xmpp:{jid}?command;node={quote(command.node, safe=':/')};action=execute"
        words = [in_language(part, language) for part in (command.label, command.help) if part]
        return "\n".join([*words, in_language(say("talk.link", link=link), language)])

    # Life -------------------------------------------------------------------------------------------------------------

    def _start(self, conversation: Conversation) -> None:
        user = conversation.user
        if self._each.get(user, 0) >= MOST_EACH:
            waiting = [one for one in self._open.values() if one.user == user and not one.working]
            if not waiting:
                raise LegacyError("resource-constraint", say("gate.busy"), retry_after=60)
            self.end(min(waiting, key=lambda one: one.seen))
        if len(self._open) >= MOST:
            raise LegacyError("resource-constraint", say("command.crowded"), retry_after=60)
        self._open[user, conversation.at] = conversation
        self._each[user] = self._each.get(user, 0) + 1
        conversation.start()

    def end(self, conversation: Conversation) -> None:
        """No more of this; what the command has begun, it finishes."""
        conversation.give_up()
        if self._open.get((conversation.user, conversation.at)) is conversation:
            del self._open[conversation.user, conversation.at]

    def over(self, conversation: Conversation) -> None:
        """A command has returned."""
        if self._open.get((conversation.user, conversation.at)) is conversation:
            del self._open[conversation.user, conversation.at]
        self._each[conversation.user] -= 1
        if not self._each[conversation.user]:
            del self._each[conversation.user]

    def _expired(self, conversation: Conversation) -> bool:
        return self.clock() - conversation.seen > IDLE and not conversation.working

    def sweep(self) -> None:
        """Conversations that nobody goes on with end, without a word."""
        for conversation in list(self._open.values()):
            if self._expired(conversation):
                self.end(conversation)

    def leave(self, user: str) -> None:
        """The user's conversations end, but what is at work (it may be what unregisters) comes to its own end."""
        for conversation in list(self._open.values()):
            if conversation.user == user and not conversation.working:
                self.end(conversation)


def _ending(ended: Done | LegacyError, language: str) -> str:
    if isinstance(ended, LegacyError):
        return f"⚠ {calls.words(ended, language)}"
    table = prose.table(ended.table, language) if ended.table is not None else ""
    return _paragraphs(in_language(ended.text, language), table) or in_language(say("talk.done"), language)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
