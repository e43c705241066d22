"""Texts that are too long for a chat: split, refused, or put where the user's server keeps files, with a link to them.

What is said to the same channel or person behind such a text waits until it is known what becomes of it, so that the order holds.
Implements `session.Pastes`; one per connection, tasks and files are the bridge's. XEP-0363 through ports.Files.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import text as irc_text
from transports.errors import LegacyError
from transports.events import Failed, Say
from transports.words import Text, say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge
    from transports.bridges.irc.session import Network

log = logging.getLogger(__name__)

#: The preferences: what becomes of long texts, and how many lines are not long.
PASTE, PASTE_LINES = "paste", "paste_lines"
UPLOAD, SEND, REFUSE = "upload", "send", "refuse"
USUAL_LINES: Final = 5
#: Lines of one message, whatever anybody wants.
MOST: Final = 25
#: Messages that wait behind a text, seconds for its upload, bytes of its first line that stand before the link.
WAITING, WITHIN, FIRST = 50, 60.0, 120


def lines(typed: str) -> str:
    """A number of lines. ValueError with words."""
    number = int(typed) if typed.isdecimal() and typed.isascii() and len(typed) < 4 else 0
    if not 1 <= number <= MOST:
        raise ValueError(say("irc.paste-number", most=MOST))
    return str(number)


class _Held:
    """What waits for a text on its way into a file. room: of the channel, which is 0 meanwhile, so that nothing overtakes it."""

    __slots__ = ("command", "commands", "room", "task")

    def __init__(self, command: Say, room: int) -> None:
        self.command = command
        self.room = room
        self.commands: list[Say] = []
        self.task: asyncio.Task[None] | None = None


class LongTexts:
    """Of one connection of a user's."""

    __slots__ = ("_bridge", "_held", "_net", "_passing", "_user")

    def __init__(self, bridge: IrcBridge, net: Network, user: str) -> None:
        self._bridge = bridge
        self._net = net
        self._user = user
        self._held: dict[str, _Held] | None = None
        self._passing: Say | None = None

    # session.Pastes ---------------------------------------------------------------------------------------------------

    def holds(self, target: str, command: Say) -> bool:
        held = self._held.get(target) if self._held else None
        if held is None:
            return False
        if len(held.commands) >= WAITING:
            self._net.tell(Failed(command, LegacyError("resource-constraint", say("irc.full"), retry_after=60)))
        else:
            held.commands.append(command)
        return True

    def takes(self, target: str, command: Say, lines: int) -> bool:
        choice, most = self._wanted()
        if lines <= most or command is self._passing:
            return False
        if choice == UPLOAD and self._bridge.files is not None:
            self._upload(target, command, lines)
            return True
        if choice != REFUSE and lines <= MOST:
            return False
        limit = most if choice == REFUSE else MOST
        self._refuse(command, say("irc.paste-refused", lines=lines, most=limit))
        return True

    def close(self, error: LegacyError) -> None:
        """The connection is over."""
        for held in (self._held or {}).values():
            if held.task is not None:
                held.task.cancel()
            for command in (held.command, *held.commands):
                self._net.tell(Failed(command, error))
        self._held = None

    # Uploads ----------------------------------------------------------------------------------------------------------

    def _wanted(self) -> tuple[str, int]:
        preference = self._bridge.accounts.preference
        choice, most = preference(self._user, PASTE), str(preference(self._user, PASTE_LINES))
        try:
            return str(choice), int(lines(most))
        except ValueError:
            return str(choice), USUAL_LINES

    def _upload(self, target: str, command: Say, count: int) -> None:
        channel = self._net.find(target)
        held = _Held(command, channel.room if channel is not None else 0)
        if channel is not None:
            channel.room = 0
        self._held = self._held or {}
        self._held[target] = held
        held.task = self._bridge.pasting.start(self._uploaded(target, held, count))

    async def _uploaded(self, target: str, held: _Held, count: int) -> None:
        command, files = held.command, self._bridge.files
        error: LegacyError | None = None
        text = command.text
        try:
            async with asyncio.timeout(WITHIN):
                assert files is not None
                file = await files.share(self._user, text.encode(errors="replace"), "paste.txt", "text/plain")
            text = f"{_first(text)} {file.url}"
        except TimeoutError:
            error = LegacyError("remote-server-timeout", say("files.nowhere"))
        except LegacyError as refused:
            error = refused.with_traceback(None)
        except Exception:
            log.exception("a long text could not be put into a file")
            error = LegacyError("internal-server-error", say("irc.failed"))
        self._release(target, held)
        if error is None:
            self._pass(command._replace(text=text))
        elif count <= MOST:
            self._pass(command)
        else:
            self._refuse(command, say("irc.paste-failed", lines=count, most=MOST, why=error.text))
        for waiting in held.commands:
            self._net.do(waiting, 0.0)

    def _release(self, target: str, held: _Held) -> None:
        """What is said next waits no more."""
        if self._held is not None:
            self._held.pop(target, None)
            self._held = self._held or None
        channel = self._net.find(target)
        if channel is not None and channel.entered and not channel.room:
            channel.room = held.room

    def _pass(self, command: Say) -> None:
        self._passing = command
        self._net.do(command, 0.0)  # it counts from the socket write
        self._passing = None

    def _refuse(self, command: Say, words: Text) -> None:
        self._net.tell(Failed(command, LegacyError("not-acceptable", words)))


def _first(text: str) -> str:
    """How a long text begins, for those who may not open the link."""
    return irc_text.one_line(next((line for line in irc_text.lines_of(text) if line.strip()), "?"), FIRST).strip() + " …"
