"""Questions to a server whose answers somebody waits for: which numerics are the answer, which say no, and until when.

Pure, like `session`. A server answers in order but says other things in between: a line belongs to the oldest open question
that knows its numeric and that it names (RFC 2812 5: a numeric repeats what it is about).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from transports.bridges.irc.numerics import Refusal, error_for
from transports.bridges.irc.read import NO_TAGS, Line
from transports.errors import LegacyError
from transports.words import say

#: Questions of one user to one network that may be open at a time.
OPEN: Final = 100
#: Seconds for an answer.
WITHIN: Final = 20.0
#: Lines of one answer, and characters of all of them; the rest is not kept.
LINES: Final = 5_000
SIZE: Final = 1_000_000

#: For labels: none is used again, or a late answer would be taken for another one's.
_NUMBERS: Final = itertools.count(1)

Fold: TypeAlias = Callable[[str], str]


class Question(NamedTuple):
    """What to ask, and how the answer looks.

    line    to send, made by `write`
    names   what the answer is about (a channel, a nick), as sent: a line must have one of the first in its parameters
    rows    commands and numerics that are parts of the answer
    ends    those that end it, and are part of it
    errors  numeric -> what it means that the server says this instead; it has to name one of `names`, if it names anything
    fits    a closer look at a row or an end; None: what is named is enough
    shared  the lines do what they always do, too (a KICK, a MODE); else nobody but the asker sees them
    fence   the token of a PING that goes behind it, '' for none: its PONG is an end, for what servers may do in silence
    plain   no label goes with it: its answer is too long for a batch
    """

    line: str
    names: tuple[str, ...]
    rows: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    errors: Mapping[str, Refusal] = {}
    fits: Callable[[Line], bool] | None = None
    shared: bool = False
    within: float = WITHIN
    most: int = LINES
    fence: str = ""
    plain: bool = False


#: Takes the lines of the answer, or why there is none.
Answered: TypeAlias = Callable[[Sequence[Line] | LegacyError], None]


class _Open:
    __slots__ = ("answered", "due", "label", "lines", "names", "question", "size")

    def __init__(self, question: Question, names: tuple[str, ...], due: float, answered: Answered) -> None:
        self.question = question
        self.names = names
        self.due = due
        self.answered = answered
        self.label = ""
        self.lines: list[Line] = []
        self.size = 0

    def add(self, line: Line) -> None:
        """A part of the answer. Nobody asks for tags, and they are long."""
        self.size += sum(map(len, line.params))
        ends = self.question.ends
        last = line.command in ends and (not self.lines or self.lines[-1].command not in ends)  # it is read, however long all was
        if last or (len(self.lines) < self.question.most and self.size <= SIZE):
            self.lines.append(line._replace(tags=NO_TAGS))


class Asks:
    """The open questions of one connection. `ready` is False once it is lost."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[_Open] = []

    def __len__(self) -> int:
        return len(self._open)

    def add(self, question: Question, fold: Fold, now: float, answered: Answered) -> None:
        """Wait for the answer to what the caller is about to send. LegacyError when too much is open already."""
        if len(self._open) >= OPEN:
            raise LegacyError("resource-constraint", say("irc.too-many-questions"), retry_after=10)
        self._open.append(_Open(question, tuple(map(fold, question.names)), now + question.within, answered))

    def label(self, answered: Answered) -> str:
        """A label for a question, so that its answer is known by that (IRCv3 labeled-response)."""
        label = f"q{next(_NUMBERS)}"
        for one in self._open:
            if one.answered is answered:
                one.label = label
        return label

    def labelled(self, line: Line, label: str, last: bool) -> bool | None:
        """Give a line with a label to its question; True when nobody else is to see it, None when the label is of none.

        last: it is the whole answer; of a batch the end is told by `finish`
        """
        one = next((one for one in self._open if one.label == label), None)
        if one is None:
            return None
        question = one.question
        if line.command in question.errors:
            self._close(one, error_for(line.command, line.params, question.errors))
            return True
        part = line.command in question.rows or line.command in question.ends
        if part:
            one.add(line)
        if not part and line.command[:1] in "45":
            self._close(one, error_for(line.command, line.params, question.errors))
            return True
        if last:
            self._close(one, one.lines)
        return line.command == "ACK" or (part and not question.shared)

    def finish(self, label: str) -> None:
        """The batch that answers a question has ended."""
        for one in [one for one in self._open if one.label == label]:
            self._close(one, one.lines)

    def drop(self, answered: Answered) -> None:
        """Nobody waits for it any more."""
        self._open = [one for one in self._open if one.answered is not answered]

    def take(self, line: Line, fold: Fold) -> bool:
        """Give a line to the question that it answers; True when nobody else is to see it."""
        for one in self._open:
            question = one.question
            if line.command == "PONG" and question.fence and question.fence in line.params[-1:]:
                self._close(one, one.lines)
                return True
            if line.command in question.ends or line.command in question.rows:
                if not _names(line, one.names[:1], fold) or (question.fits is not None and not question.fits(line)):
                    continue
                one.add(line)
                if line.command in question.ends:
                    self._close(one, one.lines)
                return not question.shared
            if line.command in question.errors and _about(line, one.names, fold):
                self._close(one, error_for(line.command, line.params, question.errors))
                return True
        return False

    def expire(self, now: float) -> None:
        for one in [one for one in self._open if one.due <= now]:
            self._close(one, LegacyError("remote-server-timeout", say("irc.no-answer"), retry_after=60))

    def fail(self, error: LegacyError) -> None:
        """The connection is gone."""
        for one in list(self._open):
            self._close(one, error)

    def _close(self, one: _Open, answer: Sequence[Line] | LegacyError) -> None:
        self._open.remove(one)
        one.answered(answer)


def _names(line: Line, names: Iterable[str], fold: Fold) -> bool:
    """Whether a line names what was asked for: all but the last parameter of a numeric can, all of a command."""
    found = {fold(param) for param in line.params[:4]}
    return all(name in found for name in names)


def _about(line: Line, names: tuple[str, ...], fold: Fold) -> bool:
    """Whether an error is about one of `names`; one that names nothing is about the oldest question."""
    named = [fold(param) for param in line.params[1:-1][:3]]
    return not named or any(name in names for name in named)
