"""Who the people in our channels are: where from, logged in as whom, away, bots; and what the lines say that tell it.

`Network.people` holds those of whom more is known than the nick, for as long as they are in a channel of ours: they go with their
last one. What a server says is cut to what people can read; CROWD_LIMIT counts who is held here. Pure, like `session`.

IRCv3 extended-join, account-notify, account-tag, away-notify, chghost, setname, userhost-in-names, bot mode, WHOX
(https://ircv3.net/irc/); RFC 2812 3.6.1 and 5.1 for what is older.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import watch, write
from transports.bridges.irc.read import Line, parse_tags
from transports.bridges.irc.text import strip_formatting
from transports.events import BY_ADDRESS, NO_RANK, NOBODY, Became, Person

if TYPE_CHECKING:
    from transports.bridges.irc.channel import Channel
    from transports.bridges.irc.session import Network

#: Characters that are kept of `user@host`, an account, an away message, a real name; a longer address or account is none.
HOST, ACCOUNT, AWAY, NAME = 150, 64, 200, 100
#: Channels of at most so many members are asked about with WHOX, once, after they were entered.
ASKED: Final = 200
#: Seconds between two such questions, which wait until the user's own lines are written.
ASK_EVERY: Final = 3.0
#: What our WHOX questions are known by (1 to 3 digits).
TOKEN: Final = "417"
_FIELDS: Final = f"%tcuhnfar,{TOKEN}"


def _known(net: Network, nick: str, but: Channel | None = None) -> bool:
    """Whether somebody is in a channel of ours; `but`: in another one."""
    for channel in net.channels.values():  # noqa: SIM110 - thousands come in a netsplit, and `any` costs twice as much
        if nick in channel.members and channel is not but:
            return True
    return False


def _fit(text: str, size: int) -> str:
    return text if len(text) <= size else ""


def _account(name: str, nick: str) -> str:
    """An account as it is kept; `*` and 0 are none. Mostly it is the nick, and then the same text."""
    if name in ("*", "0", nick):
        return nick if name == nick else ""
    return _fit(name, ACCOUNT) if "!" not in name else ""  # an id of an account is never like one of an address


def _words(text: str, size: int) -> str:
    return strip_formatting(text)[:size]


# Coming and going -------------------------------------------------------------------------------------------------


def came(net: Network, channel: Channel, nick: str, host: str, more: str) -> Person:
    """Somebody else is in `channel` now, by a JOIN. host: user@host; more: what follows the channel (extended-join)."""
    who = net.people.get(nick)
    if more:
        name, _, real = more.partition(" ")
        account = _account(name, nick)
        if who is None:
            net.people[nick] = who = _met(net, channel, nick, host, account, _words(real.removeprefix(":"), NAME))
        else:
            who = change(net, nick, host=_fit(host, HOST), account=account)
    elif who is None:
        if len(host) > HOST or not host:
            return NOBODY
        net.people[nick] = who = _met(net, channel, nick, host, "")
    elif who.host != host:
        who = change(net, nick, host=_fit(host, HOST))
    return who


def _met(net: Network, channel: Channel, nick: str, host: str, account: str, name: str = "") -> Person:
    """Somebody we have heard nothing of; who is in another channel was shown there by the nick, and stays it."""
    if len(host) > HOST:
        host = ""
    id = f"={account}" if account else BY_ADDRESS if host else ""
    if len(net.channels) > 1 and _known(net, nick, channel):
        id = ""
    return tuple.__new__(Person, (host, account, None, False, name, id))


def listed(net: Network, channel: Channel, nick: str, host: str) -> None:
    """userhost-in-names: somebody who was in `channel` before us."""
    if nick not in net.people and host:
        net.people[nick] = _met(net, channel, nick, host, "")


def gone(net: Network, nick: str) -> None:
    """Somebody is no longer in a channel."""
    if nick in net.people and not _known(net, nick):
        del net.people[nick]


def quit(net: Network, nicks: Iterable[str]) -> None:
    """These are in no channel any more."""
    deque(map(net.people.pop, nicks, repeat(None)), 0)  # the fastest loop there is; a netsplit has thousands


def left(net: Network, channel: Channel) -> None:
    """We are no longer in a channel; it is not among `net.channels`, or its members are void."""
    others = [other.members for other in net.channels.values() if other is not channel]
    for nick in net.people.keys() & channel.members.keys():
        if not any(nick in members for members in others):
            del net.people[nick]


def renamed(net: Network, old: str, new: str) -> None:
    """Somebody has another nick; what they are known by stays, unless it was the nick alone."""
    who = net.people.pop(old, None)
    if who is not None:
        net.people[new] = who._replace(id=f"{old}!{who.host}") if who.id == BY_ADDRESS else who


def change(net: Network, nick: str, **what: object) -> Person:
    """Something else is known of a member; told where it shows. Of others nothing is kept."""
    before = net.people.get(nick)
    if before is None:
        if not _known(net, nick):
            return NOBODY
        before = NOBODY
    who = before._replace(**what)  # type: ignore[arg-type]
    if who == before:
        return before
    if who.host != before.host and who.id == BY_ADDRESS:
        who = who._replace(id=f"{nick}!{before.host}")
    net.people[nick] = who
    if who[:4] != before[:4]:
        for channel in net.channels.values():
            if channel.entered and nick in channel.members:
                net.tell(Became(channel.address, nick, channel.members.get(nick, NO_RANK), who))
    return who


# Lines ------------------------------------------------------------------------------------------------------------


def _nick(line: Line) -> str:
    """Who a line is from, as its channels call them."""
    return line.source.partition("!")[0]


def _away(net: Network, line: Line, now: float) -> None:
    """away-notify: `AWAY :text`, or nothing for who is back."""
    away = _words(line.params[0], AWAY) if line.params and line.params[0] else None
    nick = _nick(line)
    change(net, nick, away=away)
    if net.watch is not None:
        watch.away(net, nick, away)


def explained(net: Network, nick: str, reason: str) -> None:
    """301: why somebody is away, who we knew is (WHOX has no words for it)."""
    if net.people.get(nick, NOBODY).away == "":
        change(net, nick, away=reason[:AWAY])


def _account_is(net: Network, line: Line, now: float) -> None:
    """account-notify: `ACCOUNT name`, `*` for none."""
    nick = _nick(line)
    change(net, nick, account=_account(line.params[0], nick))


def _host_is(net: Network, line: Line, now: float) -> None:
    """chghost: `CHGHOST user host`."""
    user, host = line.params[:2]
    nick = _nick(line)
    if net.is_me(nick):
        net.user, net.host = user, host
    change(net, nick, host=_fit(f"{user}@{host}", HOST))


def _name_is(net: Network, line: Line, now: float) -> None:
    """setname: `SETNAME :real name`."""
    change(net, _nick(line), name=_words(line.params[0], NAME))


def _own_away(net: Network, line: Line, now: float) -> None:
    """306: we are away; 305: no longer."""
    change(net, net.nick, away="" if line.command == "306" else None)


def tagged(net: Network, tags: str, line: str) -> None:
    """account-tag and `bot`: what tags tell of who says the line behind them."""
    if line[:1] != ":" or not net.people:
        return
    nick = line[1:].partition(" ")[0].partition("!")[0]
    who = net.people.get(nick, NOBODY)
    found = parse_tags(tags[1:])
    account = _account(found.get("account", "*"), nick)
    bot = who.bot or "bot" in found
    if (account and account != who.account) or bot != who.bot:
        change(net, nick, account=account or who.account, bot=bot)


# WHOX -------------------------------------------------------------------------------------------------------------


def entered(net: Network, channel: Channel) -> None:
    """The members of a channel are complete: of a small one we ask who they are, when there is time."""
    if net.isupport.whox and len(channel.members) <= ASKED:
        due, names = net.unasked or (0.0, ())
        if channel.name not in names and len(names) < watch.MOST:
            net.unasked = (due, (*names, channel.name))


def ask(net: Network, now: float) -> None:
    """Once a second: the next question, if nothing of the user's own waits."""
    if net.unasked is None or now < net.unasked[0] or not net.line.free:
        return
    (name, *others) = net.unasked[1] or ("",)
    net.unasked = (now + ASK_EVERY, tuple(others)) if name else None
    channel = net.find(name)
    if (channel is not None and channel.entered and len(channel.members) <= 2 * ASKED) or watch.watches(net, name):
        net.line.queue("", [write.who(name, _FIELDS)])


def _whox(net: Network, line: Line, now: float) -> None:
    """354: our nick, token, channel, user, host, nick, flags, account, real name. What is not kept fresh is not taken."""
    _, token, _, user, host, nick, flags, account, real = line.params
    if token != TOKEN:
        return
    if net.watch is not None and "extended-monitor" in net.caps:
        watch.away(net, nick, "" if flags[:1] == "G" else None)
    if not _known(net, nick):
        return
    who = net.people.get(nick, NOBODY)
    fresh = net.caps
    away = who.away
    if "away-notify" in fresh:
        away = (who.away or "") if flags[:1] == "G" else None
    change(
        net,
        nick,
        host=_fit(f"{user}@{host}", HOST),
        account=_account(account, nick) if "account-notify" in fresh else who.account,
        away=away,
        bot=who.bot or (net.isupport.bot != "" and net.isupport.bot in flags[1:]),
        name=_words(real, NAME),
    )


def _quiet(net: Network, line: Line, now: float) -> None:
    """The end of what we have asked."""


HANDLERS: Final[dict[str, Callable[[Network, Line, float], None]]] = {
    "AWAY": _away,
    "ACCOUNT": _account_is,
    "CHGHOST": _host_is,
    "SETNAME": _name_is,
    "305": _own_away,
    "306": _own_away,
    "315": _quiet,
    "354": _whox,
}
