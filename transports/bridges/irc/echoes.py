"""What we sent and how the server says that it has it: by our label, or by the echo of it.

Pure. With labels each line has its own, and its answer is exact: an echo with the message's id, an acknowledgement, or an error.
With echoes alone the fence confirms as ever (`session`), and an echo that comes before it gives the id; what comes from our
nick and was not sent here was said by the user elsewhere. IRCv3 labeled-response, echo-message, message-ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from transports.events import React, Retract, Say

#: What a label or an echo may be of.
Spoken: TypeAlias = Say | React | Retract
#: Echoes that are waited for; of more than these the ids are not learnt.
MOST: Final = 2_000
#: Lines of ours that were no message, of which the echoes are known.
HUSHED: Final = 30
#: An echo as long as this that begins as what we sent is that, cut by the server.
CUT: Final = 200


class Sent:
    """A command on its way.

    left    lines that are not answered
    labels  of its lines; key: the far side's ids of it, several with spaces between
    since   when the last of them was written; None before
    """

    __slots__ = ("command", "key", "labels", "left", "since")

    def __init__(self, command: Spoken, left: int, labels: tuple[str, ...] = ()) -> None:
        self.command = command
        self.left = left
        self.key = ""
        self.labels = labels
        self.since: float | None = None

    def named(self, key: str) -> None:
        """The far side calls it, or a line of it, so."""
        self.key = f"{self.key} {key}" if self.key else key


class Echoes:
    """Of one connection."""

    __slots__ = ("_expected", "_hushed", "_labels", "_number", "_sent")

    def __init__(self) -> None:
        self._number = 0
        self._labels: dict[str, Sent] = {}
        self._sent: dict[int, Sent] = {}  # by the command's identity: two may be equal
        self._expected: list[tuple[str, str, Sent]] = []  # target as folded, text
        self._hushed: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._sent)

    def label(self, command: Spoken, lines: list[str]) -> list[str]:
        """The lines of a command with labels."""
        first = self._number + 1
        self._number += len(lines)
        labels = tuple([f"s{number}" for number in range(first, self._number + 1)])
        sent = self._sent[id(command)] = Sent(command, len(lines), labels)
        for label in labels:
            self._labels[label] = sent
        return [
            f"@label={label};{line[1:]}" if line[0] == "@" else f"@label={label} {line}"
            for label, line in zip(labels, lines, strict=True)
        ]

    def one(self, command: Spoken, line: str) -> str:
        """The same of a command that is one line without tags, as most are."""
        self._number = number = self._number + 1
        label = f"s{number}"
        self._sent[id(command)] = self._labels[label] = Sent(command, 1, (label,))
        return f"@label={label} {line}"

    def expect(self, command: Spoken, target: str, texts: list[str]) -> None:
        """These texts to `target` (folded) will come back, before the fence that confirms them."""
        if len(self._expected) + len(texts) <= MOST:
            sent = self._sent[id(command)] = Sent(command, len(texts))
            self._expected += [(target, text, sent) for text in texts]

    def hush(self, target: str, text: str) -> None:
        """We said that in the user's name, and it was no message of the user's: its echo is for nobody."""
        self._hushed = [*self._hushed[-HUSHED:], (target, text)]

    def written(self, command: Spoken, now: float) -> bool:
        """The last line of it is on the socket; whether it has a label."""
        sent = self._sent.get(id(command))
        if sent is None:
            return False
        sent.since = now
        return bool(sent.labels)

    def named(self, label: str) -> Sent | None:
        """The command that a label is of, while it waits."""
        return self._labels.get(label)

    def answered(self, label: str, key: str = "") -> Sent | None:
        """The answer to a line: the command, if all of it is answered now."""
        sent = self._labels.pop(label, None)
        if sent is None:
            return None
        sent.left -= 1
        if key:
            sent.named(key)
        if sent.left:
            return None
        self._sent.pop(id(sent.command), None)
        return sent

    def heard(self, target: str, text: str, key: str) -> bool:
        """Something that our nick said to `target` (folded): whether it was sent here."""
        for at, (place, words, sent) in enumerate(self._expected):
            if place == target and _same(words, text):
                del self._expected[at]
                sent.left -= 1
                if key:
                    sent.named(key)
                return True
        for place, words in self._hushed:
            if place == target and _same(words, text):
                self._hushed.remove((place, words))
                return True
        return False

    def key(self, command: Spoken) -> str:
        """The ids of a command that the fence has confirmed; nothing more of it is waited for."""
        sent = self.forget(command)
        return sent.key if sent is not None else ""

    def forget(self, command: Spoken) -> Sent | None:
        sent = self._sent.pop(id(command), None)
        if sent is not None:
            for label in sent.labels:
                self._labels.pop(label, None)
            if sent.left and not sent.labels:
                self._expected = [one for one in self._expected if one[2] is not sent]
        return sent

    def overdue(self, before: float) -> Iterator[Spoken]:
        """Commands with a label that were written before then, and are not answered; they are forgotten."""
        for sent in list(self._sent.values()):
            if sent.labels and sent.since is not None:
                if sent.since > before:
                    return  # those behind it are younger, or as good as that
                self.forget(sent.command)
                yield sent.command

    def drain(self) -> list[Spoken]:
        """All that the server may or may not have; nothing is left."""
        lost = [sent.command for sent in self._sent.values() if sent.labels and sent.since is not None]
        self._sent.clear()
        self._labels.clear()
        self._expected.clear()
        return lost


def _same(sent: str, heard: str) -> bool:
    return sent == heard or (len(heard) >= CUT and sent.startswith(heard))
