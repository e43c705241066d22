"""A command being carried out for one person: what it asks, what it has said, how it ended. Common to forms and chat.

The command is a coroutine (`describe.AdHoc.run`) in a task of the desk; it waits in `ask` until somebody submits answers that
hold. Whoever gives up ends it where it waits, never in the middle of its work: what it has begun, it finishes.
Knows no XML and no chat: `commands` and `talk` say how a question looks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from transports.describe import AdHoc, Answers, Done, Field, Form, Wrong
from transports.errors import LegacyError
from transports.events import Address
from transports.log import kv
from transports.words import in_language, say
from transports.xmpp import forms

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

log = logging.getLogger(__name__)

#: The switch of a confirmation.
YES: Final = "confirm"


class Question(NamedTuple):
    """What a command waits for.

    before   var -> what holds where nothing else is answered
    shown    var -> what stands there: `before`, or what was typed and is wrong; secrets among it, which nobody shows
    wrong    var -> what is wrong there
    confirm  only a yes is wanted: a form of one switch
    """

    form: Form
    before: Answers
    shown: Answers
    wrong: Mapping[str, str]
    confirm: bool
    answers: asyncio.Future[Answers]


class Running:
    """Implements describe.Call. `asked`: the question that waits for an answer; `ended`: how it went; `gone`: given up."""

    def __init__(self, desk: Desk, command: AdHoc, by: str, at: Address, language: str) -> None:
        self.desk = desk
        self.command = command
        self.user = by.partition("/")[0]
        self.by = by
        self.role = desk.role(self.user)
        self.at = at
        self.language = language
        self.asked: Question | None = None
        self.ended: Done | LegacyError | None = None
        self.gone = False
        self._last: Answers = {}
        self._task: asyncio.Task[None] | None = None

    # Said by whoever shows it -----------------------------------------------------------------------------------------

    def changed(self) -> None:
        """There is a question, or an end."""

    def told(self, text: str) -> None:
        """The command says how far it is."""

    def over(self) -> None:
        """The command has returned, whether anybody waits for that or not."""

    # From whoever asked -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = self.desk.tasks.start(self._run())

    def submit(self, given: Mapping[str, Sequence[str]]) -> bool:
        """Answer the question; False when something is wrong, and then it is asked again with what was typed."""
        question = self.asked
        if question is None:
            return False
        fields = question.form.fields
        try:
            answers = forms.checked(fields, given, question.before)
        except Wrong as error:
            before = {**question.before, **forms.secrets(fields, given, error.fields)}
            shown = forms.typed(fields, given, before)
            self.asked = question._replace(before=before, shown=shown, wrong=error.fields)
            return False
        self.asked = None
        self._last = answers
        if not question.answers.done():
            question.answers.set_result(answers)
        return True

    def give_up(self) -> None:
        """Nobody waits for it any more: it ends at its question, or else at its next one."""
        self.gone = True
        if self.asked is not None and self._task is not None:
            self._task.cancel()

    @property
    def working(self) -> bool:
        """It neither waits for an answer nor has ended."""
        return self.asked is None and self.ended is None

    # describe.Call ----------------------------------------------------------------------------------------------------

    async def ask(self, form: Form, wrong: Mapping[str, str] = {}) -> Answers:
        return await self._ask(form, wrong, False)

    async def confirm(self, question: str) -> None:
        form = Form(self.command.label, [Field(YES, say("command.yes"), "switch")], question)
        if not (await self._ask(form, {}, True))[YES]:
            self.ended = Done(say("command.declined"))
            raise asyncio.CancelledError

    def progress(self, text: str) -> None:
        if not self.gone:
            self.told(text)

    def session(self) -> object:
        return self.desk.wing.visitor(self.by).session

    def enter(self, room: Address, nick: str) -> None:
        self.desk.wing.visitor(self.by).enter(room, nick)

    def abandon(self, room: Address) -> None:
        self.desk.wing.visitor(self.by).abandon(room)

    async def _ask(self, form: Form, wrong: Mapping[str, str], confirm: bool) -> Answers:
        if self.gone:
            raise asyncio.CancelledError
        before = {field.var: field.default for field in form.fields if field.default is not None}
        if wrong:  # asked again: as it was answered, but for a secret that is wrong
            secrets = {field.var for field in form.fields if field.type == "secret"}
            before |= {var: value for var, value in self._last.items() if var not in secrets & wrong.keys()}
        answers: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        self.asked = Question(form, before, before, wrong, confirm, answers)
        self.changed()
        try:
            return await answers
        finally:
            self.asked = None

    # Its task ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            self.ended = await self.command.run(self)
        except LegacyError as error:
            self.ended = error
        except asyncio.CancelledError:
            self.gone = self.gone or self.ended is None  # else it was declined
            raise
        except Exception:
            log.exception(kv("a command failed", node=self.command.node, user=self.user))
            self.ended = LegacyError("internal-server-error", say("gate.failed"))
        finally:
            self.asked = None
            self.desk.settled(self.user)
            self.over()
            if self.ended is not None and not self.gone:
                self.changed()


def words(error: LegacyError, language: str) -> str:
    """What an error says, in the reader's language."""
    if isinstance(error, Wrong):
        return " ".join(in_language(text, language) for text in error.fields.values())
    return in_language(error.text, language) or error.condition
