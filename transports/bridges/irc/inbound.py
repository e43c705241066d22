"""What each IRC line does to a `Network`: the seven that come in thousands parsed by hand, the rest through a table.

Pure, like `session`. `feed` never raises for what a server sends: the caller counts and logs what it refuses
(ValueError, IndexError from a malformed line) and the connection goes on.
RFC 2812; numerics as in https://defs.ircdocs.horse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import text as irc_text
from transports.bridges.irc import write
from transports.bridges.irc.caps import MAX_TOKEN
from transports.bridges.irc.channel import Channel
from transports.bridges.irc.isupport import add_mode, names_entry, parse_modes, rank, remove_mode
from transports.bridges.irc.numerics import JOIN_ERRORS, NICK_ERRORS, SEND_ERRORS, TOPIC_ERRORS, error_for
from transports.bridges.irc.read import Line, parse, server_time, split_source
from transports.bridges.irc.session import ANSWER_EVERY, NICK_LIMIT, Network
from transports.errors import LegacyError
from transports.events import (
    NO_RANK,
    Cause,
    Echoed,
    Entered,
    Failed,
    Invited,
    Joined,
    Left,
    Notice,
    Renamed,
    RoleSet,
    Said,
    Style,
    Subject,
    SubjectSet,
)

#: A nick of so many characters is never too long, whatever they are.
SHORT_NICK: Final = NICK_LIMIT // 4
#: Channels at most into which a server may put us unasked.
UNASKED: Final = 50
#: Tokens of 005 that a server cannot change after its greeting.
SETTLED: Final = frozenset({"CASEMAPPING", "CHANTYPES", "PREFIX"})
#: Seconds within which a kick belongs to the ban before it.
KICKBAN: Final = 10.0
#: Seconds for which the members' names, folded, are good enough.
RESPELL: Final = 10.0
#: A ban mask longer than this is compared with nobody.
MASK_LIMIT: Final = 200
#: Seconds after which a line counts as late (XEP-0203), and its time is shown.
LATE: Final = 60.0
_CONTROL: Final = re.compile("[\x00-\x1f]")
# A 353 of nobody but plain members; none of these characters is a mark on any server.
# possessive: a name that does not fit is found out at once, not after all ways to divide it
_plain_names: Final = re.compile(r"(?:[A-Za-z0-9_\[\]{}|\\`-]{1,128}+(?: |\Z))*+").fullmatch
_SPLIT_QUIT: Final = re.compile(r"[A-Za-z0-9.*-]+\.[A-Za-z0-9*-]+ [A-Za-z0-9.*-]+\.[A-Za-z0-9*-]+")
#: What the flow knows our answers to CTCP requests by, whoever asked; no target is called so.
CTCP: Final = " ctcp"
VERSION: Final = "Transports (XMPP gateway)"


def feed(net: Network, line: str, now: float) -> None:
    """One line from the server, without its line ending. ValueError or IndexError: it is malformed and was not taken."""
    when: float | None = None
    tagged = ""
    if line[:1] == "@":
        tagged = line
        tags, _, line = line.partition(" ")
        line = line.lstrip(" ")
        at = tags.find("time=") + 5
        if tags[at : at + 16] not in net.fresh:
            when = _late(net, server_time(parse(tagged).tags), now)
    if line[:1] == ":":
        source, _, rest = line.partition(" ")
        command, _, rest = rest.partition(" ")
        hot = _HOT.get(command)
        if net.quits and hot is not _quit:
            settle(net)
        if hot is not None and rest[:1] != " ":
            hot(net, source[1:], rest, when)
            return
    settle(net)
    parsed = parse(tagged or line)
    handler = _HANDLERS.get(parsed.command)
    if handler is not None:
        handler(net, parsed, now)
    else:
        _other(net, parsed)


def _late(net: Network, sent: float | None, now: float) -> float | None:
    """The server's time of a line, where it is worth showing: playback of a bouncer, not a second's delay."""
    return sent if sent is not None and net.epoch + now - sent > LATE else None


# The hot way: source without its colon, the rest of the line after the command ---------------------------------------


def _nick_of(source: str) -> str:
    nick = source[: source.find("!")] if "!" in source else source.partition("@")[0]
    if not nick or (len(nick) > SHORT_NICK and _too_long(nick)):
        raise ValueError("nick too long or empty")
    return nick


def _too_long(nick: str) -> bool:
    return len(nick.encode()) > NICK_LIMIT


def _trailing(rest: str) -> str:
    """The one parameter that is left, with or without its colon."""
    return rest[1:] if rest[:1] == ":" else rest.partition(" ")[0]


def _privmsg(net: Network, source: str, rest: str, when: float | None) -> None:
    target, _, text = rest.partition(" ")
    _message(net, source, target, _trailing(text), when, "say")


def _notice(net: Network, source: str, rest: str, when: float | None) -> None:
    target, _, text = rest.partition(" ")
    _message(net, source, target, _trailing(text), when, "notice")


def _message(net: Network, source: str, target: str, text: str, when: float | None, style: Style) -> None:
    if _CONTROL.search(text) is not None:
        request = irc_text.ctcp(text)
        if request is not None:
            if request[0] != "ACTION" or style == "notice":
                _ctcp(net, source, request, style)
                return
            text, style = request[1], "act"
        text = irc_text.strip_formatting(text)
    channel = net.by_name.get(target)
    if channel is None:
        if "!" not in source and style == "notice" and not net.isupport.is_channel(target):
            net.tell(Notice(irc_address.server(net.server, net.fixed), text))
            return
        bare = net.isupport.strip_status(target)[1]
        if not net.isupport.is_channel(bare):
            nick = _nick_of(source)
            if nick != net.nick:
                net.tell(Said(irc_address.person(nick, net.server, net.fixed), nick, text, style, when))
            return
        channel = net.find(bare)
        if channel is None:
            return
    net.tell(Said(channel.address, _nick_of(source), text, style, when))


def _join(net: Network, source: str, rest: str, when: float | None) -> None:
    name = _trailing(rest).partition(" ")[0]
    nick = _nick_of(source)
    channel = net.find(name)
    if nick == net.nick:
        _, net.user, net.host = split_source(source)
        if channel is not None and channel.entered:
            return
        if channel is None:
            if len(name.encode()) > irc_address.MAX_NAME:
                raise ValueError("channel name too long")
            if sum(not other.asked for other in net.channels.values()) >= UNASKED:
                net.line.queue("", [write.part(name)])
                raise ValueError("too many channels that nobody asked for")
            channel = Channel(name, irc_address.room(name, net.server, net.fixed), asked=False)
            net.add(channel)
        net.respell(channel, name)
        channel.present = True
        channel.members = {nick: NO_RANK}
    elif channel is not None and channel.present:
        channel.members[nick] = NO_RANK
        if channel.entered:
            net.tell(Joined(channel.address, nick, NO_RANK))


def _names(net: Network, source: str, rest: str, when: float | None) -> None:
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
        if not entry or (len(entry) > SHORT_NICK and _too_long(entry)):
            continue
        if entry[0] not in marks and "!" not in entry:
            members[entry] = NO_RANK
        else:
            nick, held, _ = names_entry(net.isupport, entry)
            if nick:
                members[nick] = rank(net.isupport.letters(held))


def _part(net: Network, source: str, rest: str, when: float | None) -> None:
    name, _, reason = rest.partition(" ")
    channel = net.find(name.removeprefix(":"))
    nick = _nick_of(source)
    if channel is None:
        return
    if nick == net.nick and channel.parts:
        _parted(net, channel)
    else:
        _gone(net, channel, nick, "left", _plain(_trailing(reason)))


def _parted(net: Network, channel: Channel) -> None:
    """A PART of ours was answered; somebody may have asked for the channel again in the meantime."""
    channel.parts -= 1
    channel.present = False
    if not channel.parts and not channel.asked:
        net.remove(channel)


def _quit(net: Network, source: str, rest: str, when: float | None) -> None:
    nick = _nick_of(source)
    why = _quit_cause(_trailing(rest))
    if why != net.quit_as:
        settle(net)
        net.quit_as = why
    if nick != net.nick:
        net.quits.append(nick)


def settle(net: Network) -> None:
    """Tell of those who quit for one reason, line after line: a netsplit is one fact. To be called after the last line."""
    quits = net.quits
    if not quits:
        return
    net.quits = []
    cause, reason = net.quit_as
    for channel in net.channels.values():
        drop = channel.members.pop
        gone = [nick for nick in quits if drop(nick, None) is not None]
        if gone and channel.entered:
            net.tell(Left(channel.address, tuple(gone), cause, reason))


@lru_cache(256)
def _quit_cause(reason: str) -> tuple[Cause, str]:
    """Why somebody quit, and the words for it; in a netsplit thousands give the same."""
    reason = _plain(reason)
    if reason.startswith("Killed ("):
        return "killed", reason
    return ("split" if _SPLIT_QUIT.fullmatch(reason) is not None else "quit"), reason


def _nick(net: Network, source: str, rest: str, when: float | None) -> None:
    old, new = _nick_of(source), _trailing(rest)
    if not new or _too_long(new):
        raise ValueError("nick too long or empty")
    if old == net.nick:
        net.renamed(new)
    for channel in net.channels.values():
        held = channel.members.pop(old, None)
        if held is not None:
            channel.members[new] = held
            if channel.entered:
                net.tell(Renamed(channel.address, old, new, held))


_HOT: Final[dict[str, Callable[[Network, str, str, float | None], None]]] = {
    "PRIVMSG": _privmsg,
    "NOTICE": _notice,
    "JOIN": _join,
    "PART": _part,
    "QUIT": _quit,
    "NICK": _nick,
    "353": _names,
}


# The rest -------------------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return irc_text.strip_formatting(text) if _CONTROL.search(text) is not None else text


def _gone(net: Network, channel: Channel, nick: str, cause: Cause, reason: str, actor: str = "") -> None:
    channel.members.pop(nick, None)
    if nick == net.nick:
        channel.present = False
        if channel.parts:  # the answer to our PART is still to come
            return
        net.remove(channel)
        for command in net.line.unqueue(channel.name):
            net.fail(command, error_for("442", [net.nick, channel.name, ""]))
        if not channel.entered:
            words = f"You were put out of {channel.name}{f' by {actor}' if actor else ''}: {reason or 'no reason given'}"
            net.refuse(channel, LegacyError("not-allowed", words))
    if channel.entered:
        net.tell(Left(channel.address, (nick,), cause, reason, actor))


def _ctcp(net: Network, source: str, request: tuple[str, str], style: Style) -> None:
    """CTCP requests get the answers that tell nothing of the user (T24); replies and all others are dropped."""
    if style == "notice" or "!" not in source:
        return
    nick = _nick_of(source)
    answers = {"VERSION": VERSION, "PING": request[1][:60]}
    answer = answers.get(request[0])
    if answer is not None and nick != net.nick and not net.mute and net.line.free:
        net.mute = ANSWER_EVERY
        net.line.queue(CTCP, [write.notice(nick, f"\x01{request[0]} {answer}\x01")])


def _ping(net: Network, line: Line, now: float) -> None:
    token = line.params[-1] if line.params else net.server
    if len(token.encode()) > MAX_TOKEN:
        raise ValueError("token too long")
    net.line.write(write.pong(token))


def _pong(net: Network, line: Line, now: float) -> None:
    net.pong(line.params[-1] if line.params else "")


def _isupport(net: Network, line: Line, now: float) -> None:
    """What says how names compare and what marks mean holds from the greeting on: all that we know is kept by it."""
    params = line.params
    if net.ready:
        params = [token for token in params if token.lstrip("-").partition("=")[0].upper() not in SETTLED]
    fold = net.isupport.fold
    net.isupport.update(params)
    if net.isupport.fold is not fold:
        net.channels = {net.isupport.fold(channel.name): channel for channel in net.channels.values()}


def _welcome_done(net: Network, line: Line, now: float) -> None:
    net.welcome(now)


def _topic_was(net: Network, line: Line, now: float) -> None:
    """332: the topic, before or after we entered."""
    channel = net.find(line.params[1])
    if channel is not None:
        channel.subject = Subject(_plain(line.params[2]), channel.subject.nick, channel.subject.when)


def _topic_by(net: Network, line: Line, now: float) -> None:
    """333: who set the topic, and when."""
    channel = net.find(line.params[1])
    if channel is not None and line.params[3].isdecimal() and len(line.params[3]) < 12:
        channel.subject = Subject(channel.subject.text, _nick_of(line.params[2]), float(line.params[3]))


def _topic(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[0])
    if channel is None:
        return
    nick = _nick_of(line.source)
    channel.subject = Subject(_plain(line.params[1]), nick, net.epoch + now)
    if nick == net.nick and channel.topics:
        done = channel.topics.pop(0)
        net.tell(Echoed((done,)))
    if channel.entered:
        net.tell(SubjectSet(channel.address, Subject(channel.subject.text, nick)))


def _names_end(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[1])
    if channel is None or not channel.present or channel.entered or channel.parts:
        return
    net.enter(channel)
    if channel.asked:
        net.tell(Entered(channel.address, net.nick, channel.members, channel.subject))
    else:
        net.tell(Invited(channel.address, "", "The IRC server has put you into this channel."))


def _kick(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[0])
    if channel is None:
        return
    actor = _actor(line.source)
    nick = _member(net, channel, line.params[1], now)
    if not nick:
        return
    reason = _plain(line.params[2]) if len(line.params) > 2 else ""
    by, mask, since = channel.ban
    banned = by == line.source and now - since < KICKBAN and _bans(mask, nick)
    _gone(net, channel, nick, "banned" if banned else "kicked", reason, actor)


def _actor(source: str) -> str:
    """Who did it: a nick, a server's name, or nobody that the server names."""
    return _nick_of(source) if source else ""


def _member(net: Network, channel: Channel, nick: str, now: float) -> str:
    """The member that a server means, as it spelled the nick when it came; '' when there is none.

    Servers write nicks as they are. One that does not costs a look at all members now and then, never one for each nick:
    who has only just come is then not found.
    """
    if nick in channel.members:
        return nick
    fold = net.isupport.fold
    if fold(nick) == fold(net.nick):
        return net.nick if net.nick in channel.members else ""
    made, spelled = channel.spelled
    if not spelled or now - made > RESPELL:
        spelled = {fold(member): member for member in channel.members}
        channel.spelled = (now, spelled)
    member = spelled.get(fold(nick), "")
    return member if member in channel.members else ""


def _bans(mask: str, nick: str) -> bool:
    """Whether a ban mask means this nick, as far as its nick part tells: `*` is anything, `?` one character."""
    if len(mask) > MASK_LIMIT:
        return False
    nick = nick.lower()
    first, *others = mask.partition("!")[0].lower().split("*")
    if not others:
        return _alike(first, nick)
    last = others.pop()
    at, end = len(first), len(nick) - len(last)
    if at > end or not _alike(first, nick[:at]) or not _alike(last, nick[end:]):
        return False
    for piece in others:  # each as early as it can be: no other choice leaves more room for the rest
        start = next((n for n in range(at, end - len(piece) + 1) if _alike(piece, nick[n : n + len(piece)])), -1)
        if start < 0:
            return False
        at = start + len(piece)
    return True


def _alike(piece: str, text: str) -> bool:
    return len(piece) == len(text) and all(map(_either, piece, text))


def _either(wanted: str, found: str) -> bool:
    return wanted in ("?", found)


def _kill(net: Network, line: Line, now: float) -> None:
    """KILL is only sent to its victim (RFC 2812 3.7.1); ERROR and the end of the connection follow."""
    net.last_error = f"Killed by {split_source(line.source)[0]}: {_plain(line.params[-1])}"


def _error(net: Network, line: Line, now: float) -> None:
    net.last_error = net.last_error or _plain(line.params[-1] if line.params else "")


def _mode(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[0])
    if channel is None:
        return
    actor = _actor(line.source)
    letters = net.isupport.prefixes[0]
    shown: list[str] = []
    for added, letter, argument in parse_modes(net.isupport, line.params[1:]):
        if letter in letters:
            _set_mark(net, channel, _member(net, channel, argument, now), letter, added, actor)
        else:
            shown.append(f"{'+' if added else '-'}{letter}{' ' if argument else ''}{argument}")
        if letter == "b" and added:
            channel.ban = (line.source, argument, now)
    if shown and channel.entered and channel.asked:
        net.tell(Notice(channel.address, f"{actor} set mode {', '.join(shown)}"))


def _set_mark(net: Network, channel: Channel, nick: str, letter: str, added: bool, actor: str) -> None:
    held = channel.members.get(nick)
    if held is None:
        return
    mark = add_mode(held.mark, letter, net.isupport.prefixes[0]) if added else remove_mode(held.mark, letter)
    new = rank(mark)
    if new is not held:
        channel.members[nick] = new
        if channel.entered:
            net.tell(RoleSet(channel.address, nick, new, actor))


def _invite(net: Network, line: Line, now: float) -> None:
    if line.params[0] == net.nick and net.isupport.is_channel(line.params[1]):
        net.tell(Invited(irc_address.room(line.params[1], net.server, net.fixed), _actor(line.source)))


def _away(net: Network, line: Line, now: float) -> None:
    """301: told once per text, not once per message."""
    nick, words = line.params[1], _plain(line.params[2]) if len(line.params) > 2 else ""
    if net.away.get(nick) != words:
        if len(net.away) > 500:
            net.away.clear()
        net.away[nick] = words
        net.tell(Notice(irc_address.person(nick, net.server, net.fixed), f"{nick} is away: {words}"))


def _host_is(net: Network, line: Line, now: float) -> None:
    """396: the server shows another host for us."""
    user, _, host = line.params[1].rpartition("@")
    net.host = host
    net.user = user or net.user


def _forwarded(net: Network, line: Line, now: float) -> None:
    """470: the channel sends its visitors to another one."""
    channel = net.find(line.params[1])
    if channel is not None and not channel.present:
        net.refuse(channel, error_for("470", line.params))


def _quiet(net: Network, line: Line, now: float) -> None:
    """Chatter that no client shows."""


def _other(net: Network, line: Line) -> None:
    """Errors go to what they are about; what we do not know is shown to the user, not dropped."""
    if not line.command.isdecimal():
        if line.command in ("FAIL", "WARN", "NOTE", "WALLOPS"):
            net.tell(Notice(irc_address.server(net.server, net.fixed), _plain(" ".join(line.params))))
        return
    if _error_numeric(net, line):
        return
    net.tell(Notice(irc_address.server(net.server, net.fixed), _plain(" ".join(line.params[1:]))))


def _error_numeric(net: Network, line: Line) -> bool:
    """Whether the error numeric belonged to a join, a message, a subject or a nick change of ours."""
    subject = line.params[1] if len(line.params) > 2 else ""
    channel = net.find(subject)
    if channel is not None and channel.parts and line.command in ("403", "442"):
        _parted(net, channel)
        return True
    if subject == "JOIN" and line.command in ("263", "439"):
        for waiting in [channel for channel in net.channels.values() if not channel.present and not channel.parts]:
            net.refuse(waiting, error_for(line.command, [net.nick, waiting.name, line.params[-1]], JOIN_ERRORS))
        return True
    if channel is not None and not channel.present and (line.command in JOIN_ERRORS or line.command[0] in "459"):
        if not channel.parts:  # else it is about a stay that the user has given up
            net.refuse(channel, error_for(line.command, line.params, JOIN_ERRORS))
        return True
    if net.renames and line.command in NICK_ERRORS:
        net.tell(Failed(net.renames.popleft(), error_for(line.command, line.params, NICK_ERRORS)))
        return True
    if channel is not None and channel.topics and line.command in TOPIC_ERRORS:
        net.tell(Failed(channel.topics.pop(0), error_for(line.command, line.params, TOPIC_ERRORS)))
        return True
    if line.command in SEND_ERRORS and net.awaiting:
        if not subject and line.command in ("411", "412", "417"):
            subject = _target_of_first(net)
        return net.unsay(subject, error_for(line.command, line.params, SEND_ERRORS))
    return False


def _target_of_first(net: Network) -> str:
    """Numerics that name no target are about the oldest message on its way."""
    say = net.awaiting[0][0]
    return say.nick or irc_address.split(say.to, net.fixed)[0]


_CHATTER: Final = (
    "001 002 003 004 042 221 250 251 252 253 254 255 265 266 305 306 324 328 329 331 341 372 375 "
    "CAP AUTHENTICATE AWAY ACCOUNT CHGHOST SETNAME BATCH ACK TAGMSG"
)

_HANDLERS: Final[dict[str, Callable[[Network, Line, float], None]]] = {
    "PING": _ping,
    "PONG": _pong,
    "005": _isupport,
    "376": _welcome_done,
    "422": _welcome_done,
    "332": _topic_was,
    "333": _topic_by,
    "366": _names_end,
    "TOPIC": _topic,
    "KICK": _kick,
    "KILL": _kill,
    "ERROR": _error,
    "MODE": _mode,
    "INVITE": _invite,
    "301": _away,
    "396": _host_is,
    "470": _forwarded,
    **dict.fromkeys(_CHATTER.split(), _quiet),
}
