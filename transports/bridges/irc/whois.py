"""What a server tells of somebody when it is asked (WHOIS): the question, its answer, and both as words for people.

Pure. Numerics as in https://defs.ircdocs.horse and Modern IRC (RPL_WHOIS…); those that we do not know are shown as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple

from transports.bridges.irc import write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.numerics import Refusal
from transports.bridges.irc.read import Line
from transports.bridges.irc.text import strip_formatting
from transports.describe import Card, Table
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

_NOBODY: Final = Refusal("item-not-found", "ircd.nobody")
_BUSY: Final = Refusal("resource-constraint", "ircd.busy", 60)
#: What may be a part of an answer: 2xx to 7xx, but for what ends it or is about other things.
_ROWS: Final = frozenset(
    f"{n:03}" for n in (*range(275, 400), *range(569, 610), *range(615, 719)) if n not in (303, 305, 306, 315, 318, 321, 322, 323)
)
#: Lines of an answer that are looked at, and characters of a text in it.
_LINES: Final = 60
_LONGEST: Final = 400


class Whois(NamedTuple):
    """host: user@host; idle in seconds, since in seconds since the epoch, None where not told; more: what else was said."""

    nick: str = ""
    host: str = ""
    name: str = ""
    account: str = ""
    server: str = ""
    idle: int | None = None
    since: int | None = None
    channels: str = ""
    away: str | None = None
    secure: bool = False
    bot: bool = False
    operator: bool = False
    more: tuple[str, ...] = ()


def question(nick: str) -> Question:
    """Raises write.BadLine."""
    errors = {"401": _NOBODY, "402": _NOBODY, "406": _NOBODY, "263": _BUSY}
    return Question(write.whois(nick), (nick, "WHOIS"), _ROWS, frozenset({"318"}), errors, most=_LINES)


# Answers ----------------------------------------------------------------------------------------------------------


def read(lines: Sequence[Line]) -> Whois | None:
    """What the lines of an answer say; None when they say that there is nobody. Parameters: our nick, the nick, the rest."""
    who = Whois()
    for line in lines[:_LINES]:
        if len(line.params) > 2 and line.command != "318":
            rest = [strip_formatting(param)[:_LONGEST] for param in line.params[2:]]
            who = who._replace(nick=who.nick or line.params[1])
            handler = _READERS.get(line.command, _other)
            try:
                who = handler(who, rest)
            except (ValueError, IndexError):
                who = _other(who, rest)
    return who if who.nick else None


def _user(who: Whois, rest: list[str]) -> Whois:
    user, host, _, name = rest
    return who._replace(host=f"{user}@{host}", name=name)


def _server(who: Whois, rest: list[str]) -> Whois:
    return who._replace(server=" ".join(filter(None, (rest[0], f"({rest[1]})" if len(rest) > 1 and rest[1] else ""))))


def _idle(who: Whois, rest: list[str]) -> Whois:
    numbers = [int(number[:12]) for number in rest[:-1]]
    return who._replace(idle=numbers[0], since=numbers[1] if len(numbers) > 1 else None)


def _channels(who: Whois, rest: list[str]) -> Whois:
    return who._replace(channels=f"{who.channels} {rest[-1]}".strip()[:1_000])


def _other(who: Whois, rest: list[str]) -> Whois:
    """Servers begin such words in the middle: `is using a secure connection`."""
    words = " ".join(rest).strip()[:_LONGEST]
    return who._replace(more=(*who.more, words)) if words and len(who.more) < 20 else who


_READERS: Final[Mapping[str, Callable[[Whois, list[str]], Whois]]] = {
    "311": _user,
    "312": _server,
    "317": _idle,
    "319": _channels,
    "301": lambda who, rest: who._replace(away=rest[-1]),
    "313": lambda who, rest: who._replace(operator=True),
    "330": lambda who, rest: who._replace(account=rest[0]),
    "335": lambda who, rest: who._replace(bot=True),
    "671": lambda who, rest: who._replace(secure=True),
}


# Words ------------------------------------------------------------------------------------------------------------


def rows(who: Whois) -> Iterator[tuple[str, str]]:
    """What it is, and what is known of it."""
    yes = say("irc.who-yes")
    yield say("irc.nick"), who.nick
    for label, value in (
        (say("irc.realname"), who.name),
        (say("irc.who-account"), who.account),
        (say("irc.who-host"), who.host),
        (say("irc.who-server"), who.server),
        (say("irc.who-away"), (who.away or yes) if who.away is not None else ""),
        (say("irc.who-idle"), duration(who.idle) if who.idle is not None else ""),
        (say("irc.who-since"), _date(who.since) if who.since is not None else ""),
        (say("irc.channels"), who.channels),
        (say("irc.who-secure"), yes if who.secure else ""),
        (say("irc.who-bot"), yes if who.bot else ""),
        (say("irc.who-operator"), yes if who.operator else ""),
        (say("irc.who-more"), "; ".join(who.more)),
    ):
        if value:
            yield label, value


def table(who: Whois) -> Table:
    return Table([("what", say("irc.who-what")), ("value", say("irc.who-value"))], [list(row) for row in rows(who)])


def card(who: Whois) -> Card:
    """As a card: the real name, the nick, and the rest as a note of several lines."""
    lines = [say("irc.who-line", what=what, value=value) for what, value in list(rows(who))[1:] if value != who.name]
    note = reduce(lambda one, other: say("irc.who-lines", one=one, other=other), lines) if lines else ""
    return Card(who.name or who.nick, who.nick, note=note)


def duration(seconds: int) -> str:
    """`2 d 3 h`, `5 min`, `7 s`: its two greatest units."""
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(max(0, seconds), size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _date(when: int) -> str:
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return ""


def _quiet(net: Network, line: Line, now: float) -> None:
    """The end of an answer that an error has ended already."""


HANDLERS: Final[dict[str, Callable[[Network, Line, float], None]]] = {"318": _quiet}
