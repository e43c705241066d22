"""Getting back the nick that the user wants, after another had to do: as soon as it is free.

Pure, like `session`. MONITOR says when it is (730, 731); where there is none, who quits or changes nick is looked at, and ISON
asked once in a minute. Services that know our account are asked once to make it free (REGAIN); no password goes with that.
IRCv3 monitor; RFC 2812 4.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.read import Line
from transports.errors import LegacyError

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Seconds between two questions whether the nick is in use.
EVERY: Final = 60.0
#: Who may be asked for it where we are logged in.
SERVICE: Final = "NickServ"


def begin(net: Network, nick: str, services: bool) -> None:
    """We are greeted under another nick. services: whether we are known to them, on a connection that nobody reads."""
    net.regain = nick
    if monitors(net):
        net.line.queue("", [write.monitor("+", nick)])
    if services:
        net.line.queue("", [write.privmsg(SERVICE, f"REGAIN {nick}")])


def monitors(net: Network) -> bool:
    """Whether the server tells of nicks. One that names no limit is asked instead."""
    return net.isupport.monitor > 0


def done(net: Network) -> None:
    """We are called so again, or the user wants another nick now."""
    if net.regain and monitors(net):
        net.line.queue("", [write.monitor("-", net.regain)])
    net.regain = ""


def free(net: Network, nicks: Iterable[str]) -> None:
    """These nicks are in use no longer."""
    fold = net.isupport.fold
    wanted = fold(net.regain)
    if wanted and any(fold(nick) == wanted for nick in nicks):
        net.line.queue("", [write.nick(net.regain)])


def ask(net: Network, now: float) -> None:
    """Whether anybody is called so."""
    wanted = net.regain

    def answered(answer: Sequence[Line] | LegacyError) -> None:
        if isinstance(answer, LegacyError) or net.regain != wanted:
            return
        fold = net.isupport.fold
        if not any(fold(nick) == fold(wanted) for line in answer for nick in line.params[-1].split()):
            free(net, (wanted,))

    try:
        net.ask(Question(write.ison(wanted), (), ends=frozenset({"303"})), now, answered)
    except LegacyError:  # too much is asked already: another time
        return


def offline(net: Network, line: Line, now: float) -> None:
    """731: nobody of these names is there."""
    if net.regain:
        free(net, (target.partition("!")[0] for target in line.params[-1].split(",")))


def online(net: Network, line: Line, now: float) -> None:
    """730: they are; 734: the list is full. Nothing is to be done."""
