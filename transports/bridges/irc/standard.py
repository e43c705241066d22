"""Standard replies: what a server says no to, warns of or notes, by command and code, with words for people.

Pure. https://ircv3.net/specs/extensions/standard-replies; codes of draft/message-redaction and draft/multiline.
"""

from __future__ import annotations

from typing import Final

from transports.bridges.irc.confirming import unawait, unsay
from transports.bridges.irc.crowd import plain
from transports.bridges.irc.echoes import Spoken
from transports.bridges.irc.numerics import MAX_WORDS
from transports.bridges.irc.read import Line
from transports.bridges.irc.session import Network
from transports.errors import LegacyError
from transports.events import Failed, Retract, Say

#: Code -> condition.
_CODES: Final[dict[str, str]] = {
    "ACCOUNT_REQUIRED": "registration-required",
    "INVALID_TARGET": "item-not-found",
    "INVALID_UTF8": "not-acceptable",
    "MULTILINE_INVALID": "not-acceptable",
    "MULTILINE_INVALID_TARGET": "not-acceptable",
    "MULTILINE_MAX_BYTES": "not-acceptable",
    "MULTILINE_MAX_LINES": "not-acceptable",
    "NEED_REGISTRATION": "registration-required",
    "REDACT_FORBIDDEN": "forbidden",
    "REDACT_WINDOW_EXPIRED": "not-allowed",
    "UNKNOWN_MSGID": "item-not-found",
}


def fail_error(line: Line) -> LegacyError:
    """`FAIL command code context… :words` as an error; IndexError when it is malformed."""
    condition = _CODES.get(line.params[1], "undefined-condition")
    return LegacyError(condition, plain(line.params[-1])[:MAX_WORDS])


def refused(net: Network, line: Line) -> bool:
    """A FAIL without a label: whether it belongs to a message on its way, which has failed by it then."""
    if line.command != "FAIL" or len(line.params) < 3:
        return False
    command, context = line.params[0].upper(), line.params[2:-1]
    wanted: list[Spoken]
    if command == "REDACT":
        of = context[1:2]
        wanted = [sent for sent, _ in net.awaiting if isinstance(sent, Retract) and (not of or of[0] in sent.of)]
    elif command == "BATCH":
        wanted = [sent for sent, _ in net.awaiting if isinstance(sent, Say) and "\n" in sent.text]
    elif command in ("PRIVMSG", "NOTICE", "TAGMSG"):
        return bool(context) and unsay(net, context[0], fail_error(line))
    else:
        return False
    if not wanted:
        return False
    unawait(net, wanted[0])
    net.tell(Failed(wanted[0], fail_error(line)))
    return True
