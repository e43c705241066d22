"""Whether the user's contacts on a network are there: who is watched, what is known of them, told as Seen.

MONITOR tells who comes and goes; with extended-monitor, or in a channel that we share, also who is away. Where there is no
MONITOR, or its list is full, ISON is asked now and then. Contacts are of the user's making, and few are watched at a time.
Pure, like `session`. IRCv3 monitor, extended-monitor, WHOX; RFC 2812 4.9.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import regain, write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.read import Line
from transports.errors import LegacyError
from transports.events import Seen

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Contacts of one user that are watched on one network; of others only a shared channel tells.
MOST: Final = 200
#: Bytes of nicks in one line (RFC 2812 2.3: 510 with all).
LINE: Final = 400
#: Seconds between two ISON, and nicks that one asks about.
ASK_EVERY: Final = 60.0
ASKED: Final = 20


class Contact:
    """nick   as the contact's address has it, or as the server last spelled it
    there  whether somebody is called so; None while it is not known
    away   as Person.away
    told   show and status that were told last
    """

    __slots__ = ("away", "nick", "there", "told")

    def __init__(self, nick: str) -> None:
        self.nick = nick
        self.there: bool | None = None
        self.away: str | None = None
        self.told: tuple[str, str] | None = None


class Watch:
    """The contacts on one network, by folded nick; `asked`: those that the server's list has no room for, or that has none."""

    __slots__ = ("asked", "contacts", "due", "turn")

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.asked: dict[str, None] = {}
        self.due = 0.0
        self.turn = 0


def sync(net: Network, nicks: Collection[str]) -> None:
    """These are the contacts now; the others are watched no longer. To be called as often as one likes."""
    watch = net.watch
    if watch is None:
        if not nicks or not net.ready:
            return
        watch = net.watch = Watch()
    fold = net.isupport.fold
    wanted: dict[str, str] = {}
    for nick in nicks:
        if len(wanted) < MOST and _sound(nick):
            wanted[fold(nick)] = nick
    gone = [watch.contacts.pop(key).nick for key in watch.contacts.keys() - wanted.keys()]
    new = [key for key in wanted if key not in watch.contacts]
    for key in new:
        watch.contacts[key] = Contact(wanted[key])
    watch.asked = {key: None for key in watch.asked if key in wanted}
    if gone and net.isupport.monitor:
        _monitor(net, "-", gone)
    if new:
        room = max(0, net.isupport.monitor - 1 - (len(watch.contacts) - len(new) - len(watch.asked)))  # one is `regain`'s
        watch.asked.update(dict.fromkeys(new[room:]))
        _monitor(net, "+", [wanted[key] for key in new[:room]])
    if not wanted:
        net.watch = None


def _sound(nick: str) -> bool:
    """Whether a nick can stand in a list of nicks."""
    try:
        return "," not in write.target(nick)
    except write.BadLine:
        return False


def _monitor(net: Network, sign: str, nicks: Iterable[str]) -> None:
    for names in _lines(nicks, ","):
        net.line.queue("", [write.monitor_all(sign, names)])


def _lines(nicks: Iterable[str], between: str) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for nick in nicks:
        needed = len(f"{nick}{between}".encode(errors="replace"))
        if some and size + needed > LINE:
            yield some
            some, size = [], 0
        some.append(nick)
        size += needed
    if some:
        yield some


# What is known ----------------------------------------------------------------------------------------------------


def known(net: Network, nick: str) -> tuple[str, str] | None:
    """Show and status of a contact, as Seen has them; None where nothing is known."""
    contact = net.watch.contacts.get(net.isupport.fold(nick)) if net.watch is not None else None
    return _standing(net, contact) if contact is not None and contact.there is not None else None


def _standing(net: Network, contact: Contact) -> tuple[str, str]:
    if not contact.there:
        return "unavailable", ""
    who = net.people.get(contact.nick)
    away = who.away if who is not None else contact.away
    return ("", "") if away is None else ("away", away)


def _tell(net: Network, contact: Contact) -> None:
    now = _standing(net, contact)
    if now != contact.told:
        contact.told = now
        net.tell(Seen(irc_address.person(contact.nick, net.server, net.fixed), *now))


def _is(net: Network, nick: str, there: bool) -> None:
    contact = net.watch.contacts.get(net.isupport.fold(nick)) if net.watch is not None else None
    if contact is None:
        return
    came = there and not contact.there
    contact.there = there
    if there:
        contact.nick = nick
    if came:
        contact.away = None
        if nick not in net.people and "extended-monitor" in net.caps and net.isupport.whox:
            later(net, nick)
    _tell(net, contact)


def later(net: Network, nick: str) -> None:
    """`folk` asks, when there is time, whether a contact who has come is away: MONITOR does not tell."""
    due, names = net.unasked or (0.0, ())
    if nick not in names and len(names) < MOST:
        net.unasked = (due, (*names, nick))


def away(net: Network, nick: str, text: str | None) -> None:
    """Somebody is away, or back."""
    contact = net.watch.contacts.get(net.isupport.fold(nick)) if net.watch is not None else None
    if contact is not None:
        contact.nick, contact.there, contact.away = nick, True, text
        _tell(net, contact)


def watches(net: Network, nick: str) -> bool:
    return net.watch is not None and net.isupport.fold(nick) in net.watch.contacts


def lost(net: Network) -> None:
    """The connection is gone: nobody is seen any more."""
    if net.watch is not None:
        for contact in net.watch.contacts.values():
            contact.there = False
            if contact.told is not None:
                _tell(net, contact)
        net.watch = None


# Lines ------------------------------------------------------------------------------------------------------------


def _targets(line: Line) -> list[str]:
    return [target.partition("!")[0] for target in line.params[-1].split(",") if target]


def _online(net: Network, line: Line, now: float) -> None:
    """730: these are there, with their addresses."""
    regain.online(net, line, now)
    for nick in _targets(line):
        _is(net, nick, True)


def _offline(net: Network, line: Line, now: float) -> None:
    """731: nobody is called so."""
    regain.offline(net, line, now)
    for nick in _targets(line):
        _is(net, nick, False)


def _full(net: Network, line: Line, now: float) -> None:
    """734: our nick, limit, targets, words: the list has no room for these."""
    fold = net.isupport.fold
    if net.watch is not None and len(line.params) > 2:
        keys = [fold(nick) for nick in line.params[2].split(",")]
        net.watch.asked.update(dict.fromkeys(key for key in keys if key in net.watch.contacts))


def _quiet(net: Network, line: Line, now: float) -> None:
    """732 and 733: whom we watch; we know that."""


def ask(net: Network, now: float) -> None:
    """Once a second: ISON, when it is time, about those whom the server does not tell of."""
    watch = net.watch
    if watch is None or not watch.asked or now < watch.due or not net.line.free:
        return
    watch.due = now + ASK_EVERY
    keys = list(watch.asked)
    watch.turn = watch.turn if watch.turn < len(keys) else 0
    turn = [watch.contacts[key].nick for key in keys[watch.turn : watch.turn + ASKED]]
    nicks = next(_lines(turn, " "))
    watch.turn += len(nicks)

    def answered(answer: Sequence[Line] | LegacyError) -> None:
        if isinstance(answer, LegacyError) or net.watch is not watch:
            return
        there = {net.isupport.fold(nick): nick for line in answer for nick in line.params[-1].split()}
        for nick in nicks:
            spelled = there.get(net.isupport.fold(nick))
            _is(net, spelled or nick, spelled is not None)

    try:
        net.ask(Question(write.ison_all(nicks), (), ends=frozenset({"303"})), now, answered)
    except LegacyError:  # too much is asked already: another time
        return


HANDLERS: Final[dict[str, Callable[[Network, Line, float], None]]] = {
    "730": _online,
    "731": _offline,
    "732": _quiet,
    "733": _quiet,
    "734": _full,
}
