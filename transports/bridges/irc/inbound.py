"""What each IRC line does to a `Network`: the seven that come in thousands parsed by hand, the rest by `replies`.

Pure, like `session`. `feed` never raises for what a server sends but ValueError and IndexError: the line was malformed,
the caller counts it and the connection goes on. RFC 2812.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import ctcp, folk, formatting, notices, regain, tagged, write
from transports.bridges.irc import text as irc_text
from transports.bridges.irc.channel import Channel
from transports.bridges.irc.crowd import (
    CONTROL,
    SHORT_NICK,
    gone,
    nick_of,
    parted,
    plain,
    too_long,
    trailing,
)
from transports.bridges.irc.isupport import names_entry, rank
from transports.bridges.irc.listing import keep
from transports.bridges.irc.read import parse, server_time, split_source
from transports.bridges.irc.replies import HANDLERS, other
from transports.bridges.irc.session import Network
from transports.events import (
    BY_ADDRESS,
    NO_RANK,
    Address,
    Cause,
    Joined,
    Left,
    More,
    Notice,
    Person,
    Renamed,
    Said,
    Sent,
    Style,
)

_new: Final = tuple.__new__  # a NamedTuple of what needs no defaults, at a third of the cost
#: Seconds after which a line counts as late (XEP-0203), and its time is shown.
LATE: Final = 60.0
#: Channels at most into which a server may put us unasked.
UNASKED: Final = 50
# A 353 of nobody but plain members; none of these characters is a mark on any server.
# possessive: a name that does not fit is found out at once, not after all ways to divide it
_plain_names: Final = re.compile(r"(?:[A-Za-z0-9_\[\]{}|\\`-]{1,128}+(?: |\Z))*+").fullmatch
_SPLIT_QUIT: Final = re.compile(r"[A-Za-z0-9.*-]+\.[A-Za-z0-9*-]+ [A-Za-z0-9.*-]+\.[A-Za-z0-9*-]+")


def feed(net: Network, line: str, now: float) -> None:
    """One line from the server, without its line ending. ValueError or IndexError: it is malformed and was not taken."""
    when: float | None = None
    tags = whole = ""
    if line[:1] == "@":
        whole = line
        tags, _, line = line.partition(" ")
        line = line.lstrip(" ")
        at = tags.find("time=") + 5
        if at > 4 and tags[at : at + 16] not in net.fresh:
            when = _late(net, server_time(parse(whole).tags), now)
        if (net.batches is not None or net.echoes is not None or net.asks is not None) and tagged.concerned(net, tags):
            if net.quits:
                settle(net)
            if tagged.echoed(net, tags, line) or tagged.routed(net, tags, line, now, _message):
                return
        if "account=" in tags or ";bot" in tags or tags[:4] == "@bot":
            folk.tagged(net, tags, line)
    if line[:1] == ":":
        source, _, rest = line.partition(" ")
        command, _, rest = rest.partition(" ")
        hot = _HOT.get(command)
        if net.quits and hot is not _quit:
            settle(net)
        if hot is not None and rest[:1] != " ":
            hot(net, source[1:], rest, when, tags)
            return
    settle(net)
    parsed = parse(whole or line)
    if parsed.command == "BATCH":
        tagged.batch(net, parsed, now, _message)
        return
    if net.asks is not None and net.asks.take(parsed, net.isupport.fold):
        return
    handler = HANDLERS.get(parsed.command)
    if handler is not None:
        handler(net, parsed, now)
    else:
        other(net, parsed)


def tick(net: Network, now: float) -> None:
    """Once a second: what was to come in time and did not."""
    if net.batches is not None or net.activities is not None:
        tagged.tick(net, now, _message)


def _late(net: Network, sent: float | None, now: float) -> float | None:
    """The server's time of a line, where it is worth showing: playback of a bouncer, not a second's delay."""
    return sent if sent is not None and net.epoch + now - sent > LATE else None


def _privmsg(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    target, _, text = rest.partition(" ")
    key, more = tagged.marks(tags) if tags else tagged.NOTHING
    _message(net, source, target, trailing(text), when, "say", key, more)


def _notice(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    target, _, text = rest.partition(" ")
    key, more = tagged.marks(tags) if tags else tagged.NOTHING
    _message(net, source, target, trailing(text), when, "notice", key, more)


def _message(
    net: Network,
    source: str,
    target: str,
    text: str,
    when: float | None,
    style: Style,
    key: str = "",
    more: More | None = None,
) -> None:
    if net.ignored is not None and net.ignored(source):
        return
    words = text
    if CONTROL.search(text) is not None:
        request = irc_text.ctcp(text)
        if request is not None:
            if request[0] != "ACTION" or style == "notice":
                ctcp.heard(net, source, request, style)
                return
            text, style = request[1], "act"
        text, more = formatting.told(text, more, net.manners.marks)
    channel = net.by_name.get(target)
    if channel is None:
        if "!" not in source and style == "notice" and not net.isupport.is_channel(target):
            net.tell(Notice(irc_address.server(net.server, net.fixed), text))
            return
        status, bare = net.isupport.strip_status(target)
        about = notices.channel_of(net, text) if style == "notice" and text[:1] == "[" else None
        if about is None and not net.isupport.is_channel(bare):
            nick = nick_of(source)
            if nick == net.nick:
                said = f"/me {text}" if style == "act" else text
                _elsewhere(net, target, words, Sent(_person(net, target), said, when, key, more))
                return
            person = _person(net, nick)
            if net.activities is not None:
                net.activities.spoke(person, nick)
            notices.private(net, source, Said(person, nick, text, style, when, key, more))
            return
        channel = about or net.find(bare)
        if channel is None:
            return
        if status:
            text, more = notices.to_some(status, text, more)
    nick = nick_of(source)
    if nick == net.nick:
        _elsewhere(net, target, words, Said(channel.address, nick, text, style, when, key, more))
        return
    if net.activities is not None:
        net.activities.spoke(channel.address, nick)
    net.tell(Said(channel.address, nick, text, style, when, key, more))


def _elsewhere(net: Network, target: str, words: str, fact: Said | Sent) -> None:
    """Our nick said something: the echo of what we sent, or the user somewhere else. Nobody needs to be told of a soliloquy."""
    late = fact.when is not None
    if not late and net.echoes is not None and net.echoes.heard(net.isupport.fold(target), words, fact.key):
        return
    if isinstance(fact, Said) or not (net.is_me(target) or _is_service(target)):
        net.tell(fact)


def _is_service(target: str) -> bool:
    """NickServ and its like: what is said to them in the user's name may be a password, by whatever way it went there."""
    return target.partition("@")[0].lower().endswith("serv")


def _person(net: Network, nick: str) -> Address:
    if len(nick) > SHORT_NICK and too_long(nick):
        raise ValueError("nick too long")
    return irc_address.person(nick, net.server, net.fixed)


def _join(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    """`#chan`, or `#chan account :real name` (extended-join)."""
    name, _, more = rest.partition(" ")
    if name[:1] == ":":
        name = name[1:]
    nick, mark, host = source.partition("!")
    if not mark or not nick or len(nick) > SHORT_NICK:
        nick = nick_of(source)
    channel = net.by_name.get(name) or net.find(name)
    if nick == net.nick or (len(nick) == len(net.nick) and net.is_me(nick)):
        nick = net.nick
        _, net.user, net.host = split_source(source)
        if channel is not None and channel.entered:
            return
        if channel is None:
            if len(name.encode()) > irc_address.MAX_NAME:
                raise ValueError("channel name too long")
            if not net.isupport.is_channel(write.target(name)):  # BadLine is a ValueError: we could not even leave it
                raise ValueError("no channel")
            if sum(not other.asked for other in net.channels.values()) >= UNASKED:
                net.line.queue("", [write.part(name)])
                raise ValueError("too many channels that nobody asked for")
            channel = Channel(name, irc_address.room(name, net.server, net.fixed), asked=False)
            net.add(channel)
        net.respell(channel, name)
        channel.present = True
        if channel.members:
            folk.left(net, channel)
        channel.members = {nick: NO_RANK}
        folk.came(net, channel, nick, host, more)
    elif channel is not None and channel.present:
        channel.members[nick] = NO_RANK
        if more or not host or len(host) > folk.HOST or len(net.channels) > 1 or nick in net.people:
            who = folk.came(net, channel, nick, host, more)
        else:  # as `came` does it, and thousands do
            net.people[nick] = who = _new(Person, (host, "", None, False, "", BY_ADDRESS))
        if channel.entered:
            net.tell(_new(Joined, (channel.address, nick, NO_RANK, who)))


def _names(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    """353: `me = #chan :@op +voice plain`, also with all marks (multi-prefix) or with user and host."""
    head, _, names = rest.partition(" :")
    channel = net.find(head.split(" ")[-1])
    if channel is None or channel.entered:
        return
    members = channel.members
    if _plain_names(names) is not None:
        members.update(dict.fromkeys(names.split(), NO_RANK))
        return
    marks = net.isupport.prefixes[1]
    for entry in names.split(" "):
        if not entry or (len(entry) > SHORT_NICK and too_long(entry)):
            continue
        if entry[0] not in marks and "!" not in entry:
            members[entry] = NO_RANK
        else:
            nick, held, host = names_entry(net.isupport, entry)
            if nick:
                members[nick] = rank(net.isupport.letters(held)) if held else NO_RANK
                if host:
                    folk.listed(net, channel, nick, host)


def _part(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    name, _, reason = rest.partition(" ")
    channel = net.find(name.removeprefix(":"))
    nick = nick_of(source)
    if channel is None:
        return
    if net.is_me(nick):
        nick = net.nick
    if nick == net.nick and channel.parts:
        parted(net, channel)
    else:
        gone(net, channel, nick, "left", plain(trailing(reason)))


def _quit(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    nick = nick_of(source)
    why = _quit_cause(trailing(rest))
    if why != net.quit_as:
        settle(net)
        net.quit_as = why
    if nick != net.nick and (len(nick) != len(net.nick) or not net.is_me(nick)):
        net.quits.append(nick)


def settle(net: Network) -> None:
    """Tell of those who quit for one reason, line after line: a netsplit is one fact; and what a service answers in one go.

    To be called after the last line.
    """
    if net.answers is not None:
        notices.flush(net)
    quits = net.quits
    if not quits:
        return
    net.quits = []
    cause, reason = net.quit_as
    if net.people:
        folk.quit(net, quits)
    if net.regain:
        regain.free(net, quits)
    for channel in net.channels.values():
        drop = channel.members.pop
        gone = [nick for nick in quits if drop(nick, None) is not None]
        if gone and channel.entered:
            net.tell(Left(channel.address, tuple(gone), cause, reason))


@lru_cache(256)
def _quit_cause(reason: str) -> tuple[Cause, str]:
    """Why somebody quit, and the words for it; in a netsplit thousands give the same."""
    reason = plain(reason)
    if reason.startswith("Killed ("):
        return "killed", reason
    return ("split" if _SPLIT_QUIT.fullmatch(reason) is not None else "quit"), reason


def _listed(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    """322: a channel of a LIST; 50,000 of them come at once, and are read by who has asked. What comes late is dropped."""
    if net.listing is not None:
        keep(net.listing, rest)


def _nick(net: Network, source: str, rest: str, when: float | None, tags: str) -> None:
    old, new = nick_of(source), trailing(rest)
    if not new or too_long(new) or "!" in new or " " in new:
        raise ValueError("no nick")
    if net.is_me(old):
        write.nick(new)  # BadLine is a ValueError: we could not even ask for it again
        old = net.nick
        net.renamed(new)
    elif net.regain:
        regain.free(net, (old,))
    if net.people:
        folk.renamed(net, old, new)
    for channel in net.channels.values():
        held = channel.members.pop(old, None)
        if held is not None:
            channel.members[new] = held
            if channel.entered:
                net.tell(Renamed(channel.address, old, new, held))


_HOT: Final[dict[str, Callable[[Network, str, str, float | None, str], None]]] = {
    "PRIVMSG": _privmsg,
    "NOTICE": _notice,
    "JOIN": _join,
    "PART": _part,
    "QUIT": _quit,
    "NICK": _nick,
    "353": _names,
    "322": _listed,
}
