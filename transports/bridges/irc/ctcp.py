"""CTCP other than ACTION: what programs ask one another beside what people say, both ways.

Pure, like `session`. What is asked of us gets answers that are the same for all users and tell nothing of them (threats: T24),
once in a while; all else is dropped, DCC with a word to the user. What we ask is a question as any other (`asks`): its answer
comes as a NOTICE, and is told here as a line of the command CTCP with the parameters nick, kind, text.
https://modern.ircdocs.horse/ctcp
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.crowd import nick_of
from transports.bridges.irc.numerics import SEND_ERRORS
from transports.bridges.irc.read import Line
from transports.bridges.irc.text import strip_formatting
from transports.errors import LegacyError
from transports.events import Notice, Style
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: What the flow knows our answers by, whoever asked; no target is called so.
FLOW: Final = " ctcp"
VERSION: Final = "Transports (XMPP gateway)"
#: Seconds between two answers, whoever asks, so that nobody can use up the user's own turns.
ANSWER_EVERY: Final = 10
#: Seconds for an answer to what we ask; questions of one connection in a minute.
WITHIN: Final = 10.0
ASKED_MOST: Final = 6
#: Characters of an answer that are told on.
LONGEST: Final = 300

_KINDS: Final = "ACTION CLIENTINFO PING TIME VERSION"
_REPLY: Final = "CTCP"


# What others ask ------------------------------------------------------------------------------------------------------


def heard(net: Network, source: str, request: tuple[str, str], style: Style) -> None:
    """A request (PRIVMSG) or the answer to one of ours (NOTICE), but for ACTION."""
    if "!" not in source:
        return
    nick, (kind, text) = nick_of(source), request
    if net.is_me(nick):
        return
    if style == "notice":
        if net.asks is not None:
            net.asks.take(Line({}, source, _REPLY, [nick, kind, text[:LONGEST]]), net.isupport.fold)
        return
    if kind == "DCC":
        _dcc(net, nick)
        return
    answer = _answer(net, kind, text)
    if answer is not None and not net.mute and net.line.free:
        net.mute = ANSWER_EVERY
        net.line.queue(FLOW, [write.notice(nick, f"\x01{kind} {answer}\x01")])


def _answer(net: Network, kind: str, text: str) -> str | None:
    match kind:
        case "VERSION":
            return VERSION
        case "PING":
            return text[:60]
        case "CLIENTINFO":
            return _KINDS
        case "TIME" if net.fresh:
            return f"{net.fresh[0]}Z"  # ours, to the minute: the user's own would tell where the user is
    return None


def _dcc(net: Network, nick: str) -> None:
    """A direct connection or a file from it: there is no way for either. Said once per connection."""
    if not net.dcc:
        net.dcc = True
        net.tell(Notice(irc_address.server(net.server, net.fixed), say("irc.dcc", nick=nick)))


# What we ask ----------------------------------------------------------------------------------------------------------


def afford(asked: tuple[float, ...], now: float) -> tuple[float, ...]:
    """When the last questions of a connection were asked, this one too. LegacyError when they were too many of late."""
    late = tuple(when for when in asked if now - when < 60)
    if len(late) >= ASKED_MOST:
        raise LegacyError("resource-constraint", say("irc.ctcp-often"), retry_after=60 - (now - late[0]))
    return (*late, now)


def question(nick: str, kind: str, text: str = "") -> Question:
    """VERSION, TIME, or PING with a token, which the answer repeats. write.BadLine when nobody can be called so.

    It is no server that answers, so a label says nothing but that the question has gone its way.
    """
    line = write.privmsg(nick, f"\x01{kind} {text}\x01" if text else f"\x01{kind}\x01")

    def fits(line: Line) -> bool:
        return line.params[1] == kind and (kind != "PING" or line.params[2].strip() == text)

    return Question(line, (nick,), ends=frozenset((_REPLY,)), errors=SEND_ERRORS, fits=fits, within=WITHIN, plain=True)


_VERSION: Final = re.compile(r"(?P<name>\D[^\d\s]*(?:\s[^\d\s]+){0,3}?)[\s:/]+v?(?P<version>\d\S*)(?:[\s:/-]+(?P<os>.*))?")


def version_of(text: str) -> tuple[str, str, str]:
    """What somebody says of their program: its name, version, system; all of it is the name where that cannot be told apart."""
    text = " ".join(strip_formatting(text).split())
    found = _VERSION.fullmatch(text)
    if found is None:
        return text, "", ""
    return found["name"], found["version"], found["os"] or ""


_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*([ap]m)?", re.IGNORECASE)
_OFFSET: Final = re.compile(r"(?<![\d-])([+-])(\d\d):?(\d\d)\b|\b(?:UTC|GMT|Z)\b")
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_MONTH: Final = re.compile(rf"\b({'|'.join(_MONTHS)})", re.IGNORECASE)
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](?=\d)")


def time_of(text: str, now: float) -> datetime | None:
    """The moment that somebody's clock shows, with its offset from UTC; None when it is no time that we can read.

    now: seconds since the epoch. Most say no offset: it is the one with which that clock and ours agree best.
    """
    text = strip_formatting(text)[:100]
    clock = _CLOCK.search(text)
    try:
        date = _date(text if clock is None else text[: clock.start()] + " " + text[clock.end() :], text)
        if clock is None or date is None:
            return None
        hour = int(clock[1]) % 12 + 12 * (clock[4].lower() == "pm") if clock[4] else int(clock[1])
        shown = datetime(*date, hour, int(clock[2]), int(clock[3] or 0), tzinfo=UTC)
        offset = _offset(text[clock.end() :], shown, now)
        return shown.replace(tzinfo=timezone(offset))
    except ValueError:
        return None


def _date(rest: str, text: str) -> tuple[int, int, int] | None:
    """Year, month and day; `rest` is the text without the time of day."""
    iso = _ISO.search(text)
    if iso is not None:
        return int(iso[1]), int(iso[2]), int(iso[3])
    month, year, day = _MONTH.search(rest), re.search(r"\b\d{4}\b", rest), re.search(r"\b\d{1,2}(?:st|nd|rd|th)?\b", rest)
    if month is None or year is None or day is None:
        return None
    return int(year[0]), _MONTHS.index(month[1].lower()) + 1, int(day[0].rstrip("sthndr"))


def _offset(rest: str, shown: datetime, now: float) -> timedelta:
    given = _OFFSET.search(rest)
    if given is None:
        quarters = round((shown.timestamp() - now) / 900)
        if abs(quarters) > 14 * 4:
            raise ValueError("this clock is wrong")
        return timedelta(minutes=15 * quarters)
    if given[1] is None:
        return timedelta(0)
    offset = timedelta(hours=int(given[2]), minutes=int(given[3]))
    return -offset if given[1] == "-" else offset
