"""What the lines do that come now and then: greetings, topics, modes, kicks, errors. A table by command and numeric.

Pure, like `session`; each takes a parsed line. ValueError and IndexError say that it was malformed. An error belongs to the
join, message, subject or nick change that it is about; what we do not know is shown to the user, not dropped.
Numerics as in https://defs.ircdocs.horse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import confirming, folk, history, standard, tagged, watch, whois, write
from transports.bridges.irc.caps import MAX_TOKEN
from transports.bridges.irc.crowd import (
    KICKBAN,
    actor_of,
    bans,
    gone,
    member_of,
    nick_of,
    parted,
    plain,
    set_mark,
    too_long,
)
from transports.bridges.irc.isupport import parse_modes
from transports.bridges.irc.numerics import (
    JOIN_ERRORS,
    NICK_ERRORS,
    SEND_ERRORS,
    TOPIC_ERRORS,
    error_for,
    said_by_server,
)
from transports.bridges.irc.orders import KEY_LIMIT
from transports.bridges.irc.read import Line, split_source
from transports.bridges.irc.session import Network
from transports.errors import LegacyError
from transports.events import (
    Configured,
    Echoed,
    Entered,
    Failed,
    Invited,
    Notice,
    Subject,
    SubjectSet,
)
from transports.words import say

#: Characters of somebody's reason to be away.
LONGEST_AWAY: Final = 400
#: Tokens of 005 that a server cannot change after its greeting.
SETTLED: Final = frozenset({"CASEMAPPING", "CHANTYPES", "PREFIX"})


def _ping(net: Network, line: Line, now: float) -> None:
    token = line.params[-1] if line.params else net.server
    if len(token.encode()) > MAX_TOKEN:
        raise ValueError("token too long")
    net.line.write(write.pong(token))


def _cap(net: Network, line: Line, now: float) -> None:
    """Capabilities come and go while we are connected (CAP NEW, DEL, and the answers to what we ask for then)."""
    if net.negotiation is not None:
        for answer in net.negotiation.later(line.params):
            net.line.write(answer)
        net.caps = net.negotiation.enabled


def _pong(net: Network, line: Line, now: float) -> None:
    confirming.pong(net, line.params[-1] if line.params else "")


def _isupport(net: Network, line: Line, now: float) -> None:
    """What says how names compare and what marks mean holds from the greeting on: all that we know is kept by it."""
    params = line.params
    if net.ready:
        params = [token for token in params if token.lstrip("-").partition("=")[0].upper() not in SETTLED]
    fold = net.isupport.fold
    net.isupport.update(params)
    net.settle_abilities()
    if net.isupport.fold is not fold:
        before = list(net.channels.values())  # what the server put us in: nobody else has asked for any yet
        net.channels = {net.isupport.fold(channel.name): channel for channel in before}
        net.by_name = {channel.name: channel for channel in net.channels.values()}
        for channel in before:
            if channel.name not in net.by_name:
                folk.left(net, channel)


def _welcome_done(net: Network, line: Line, now: float) -> None:
    net.welcome(now)


def _topic_was(net: Network, line: Line, now: float) -> None:
    """332: the topic, before or after we entered."""
    channel = net.find(line.params[1])
    if channel is not None:
        channel.subject = Subject(plain(line.params[2]), channel.subject.nick, channel.subject.when)


def _topic_by(net: Network, line: Line, now: float) -> None:
    """333: who set the topic, and when."""
    channel = net.find(line.params[1])
    if channel is not None and line.params[3].isdecimal() and len(line.params[3]) < 12:
        channel.subject = Subject(channel.subject.text, nick_of(line.params[2]), float(line.params[3]))


def _topic(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[0])
    if channel is None:
        return
    nick = nick_of(line.source)
    channel.subject = Subject(plain(line.params[1]), nick, net.epoch + now)
    if net.is_me(nick) and channel.topics:
        done = channel.topics.pop(0)
        net.tell(Echoed((done,)))
    if channel.entered:
        net.tell(SubjectSet(channel.address, Subject(channel.subject.text, nick)))


def _names_end(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[1])
    if channel is None or not channel.present or channel.entered or channel.parts:
        return
    net.enter(channel)
    folk.entered(net, channel)
    if channel.asked:
        net.tell(Entered(channel.address, net.nick, channel.members, channel.subject, net.people))
    else:
        net.tell(Invited(channel.address, "", say("irc.moved-in")))


def _kick(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[0])
    if channel is None:
        return
    actor = actor_of(line.source)
    nick = member_of(net, channel, line.params[1], now)
    if not nick:
        return
    reason = plain(line.params[2]) if len(line.params) > 2 else ""
    if reason == actor:  # what servers say where nothing was said (RFC 2812 3.2.8)
        reason = ""
    by, mask, since = channel.ban
    banned = by == line.source and now - since < KICKBAN and bans(mask, nick)
    gone(net, channel, nick, "banned" if banned else "kicked", reason, actor)


def _kill(net: Network, line: Line, now: float) -> None:
    """KILL is only sent to its victim (RFC 2812 3.7.1); ERROR and the end of the connection follow."""
    net.last_error = f"Killed by {split_source(line.source)[0]}: {plain(line.params[-1])}"


def _error(net: Network, line: Line, now: float) -> None:
    net.last_error = net.last_error or plain(line.params[-1] if line.params else "")


def _is_key(text: str) -> bool:
    return len(text.encode()) <= KEY_LIMIT and text[:1] != ":" and "," not in text and " " not in text


def _mode(net: Network, line: Line, now: float) -> None:
    channel = net.find(line.params[0])
    if channel is None:
        return
    actor = actor_of(line.source)
    letters = net.isupport.prefixes[0]
    shown: list[str] = []
    for added, letter, argument in parse_modes(net.isupport, line.params[1:]):
        if letter in letters:
            set_mark(net, channel, member_of(net, channel, argument, now), letter, added, actor)
        else:
            shown.append(f"{'+' if added else '-'}{letter}{' ' if argument else ''}{argument}")
        if letter == "b" and added:
            channel.ban = (line.source, argument, now)
        if letter == "k":  # for when we have to come back
            channel.key = argument if added and _is_key(argument) else ""
    if shown and channel.entered and channel.asked:
        net.tell(Notice(channel.address, say("irc.mode", nick=actor, modes=", ".join(shown))))
        if any(change.lstrip("+-")[0] not in net.isupport.chanmodes[0] for change in shown):
            net.tell(Configured(channel.address))


def _invite(net: Network, line: Line, now: float) -> None:
    if net.ignored is not None and net.ignored(line.source):
        return
    nick, name = line.params[0], line.params[1]
    if nick == net.nick and net.isupport.is_channel(name):
        net.tell(Invited(irc_address.room(name, net.server, net.fixed), actor_of(line.source)))
        return
    channel = net.find(name)
    if channel is not None and channel.entered and channel.asked:  # invite-notify
        net.tell(Notice(channel.address, say("irc.invited", nick=actor_of(line.source), whom=plain(nick))))


def _away(net: Network, line: Line, now: float) -> None:
    """301: told once per text, not once per message."""
    nick, reason = line.params[1], plain(line.params[2])[:LONGEST_AWAY] if len(line.params) > 2 else ""
    if not nick or too_long(nick):
        raise ValueError("nick too long or empty")
    folk.explained(net, nick, reason)
    if net.away.get(nick) != reason:
        if len(net.away) > 500:
            net.away.clear()
        net.away[nick] = reason
        net.tell(Notice(irc_address.person(nick, net.server, net.fixed), say("irc.away", nick=nick, reason=reason)))


def _host_is(net: Network, line: Line, now: float) -> None:
    """396: the server shows another host for us."""
    user, _, host = line.params[1].rpartition("@")
    net.host = host
    net.user = user or net.user


def _forwarded(net: Network, line: Line, now: float) -> None:
    """470: the channel sends its visitors to another one. The JOIN of that one follows, and an invitation with it."""
    channel = net.find(line.params[1])
    if channel is not None and not channel.present:
        error = error_for("470", line.params)
        if len(line.params) > 3:
            said = say("irc.forwarded", channel=channel.name, target=plain(line.params[2])[:200])
            error = LegacyError(error.condition, said_by_server(said, plain(line.params[-1])))
        net.refuse(channel, error)


def _quiet(net: Network, line: Line, now: float) -> None:
    """Chatter that no client shows, but for who has asked for it by a raw line."""
    if net.loud and line.command.isdecimal():
        net.tell(Notice(irc_address.server(net.server, net.fixed), plain(" ".join(line.params[1:]))))


def other(net: Network, line: Line) -> None:
    """Errors go to what they are about; what we do not know is shown to the user, not dropped."""
    if not line.command.isdecimal():
        if standard.refused(net, line):
            return
        if line.command == "FAIL" and history.refused(net, line.params):
            return
        if line.command in ("FAIL", "WARN", "NOTE", "WALLOPS"):
            net.tell(Notice(irc_address.server(net.server, net.fixed), plain(" ".join(line.params))))
        return
    if _error_numeric(net, line) or (line.command == "263" and line.params[1:2] == ["WHO"]):  # that was `folk`'s
        return
    if line.command in SEND_ERRORS and net.activities is not None and net.activities.refused(line.params[1]):
        return  # who cannot be told anything need not know who types
    net.tell(Notice(irc_address.server(net.server, net.fixed), plain(" ".join(line.params[1:]))))


def _error_numeric(net: Network, line: Line) -> bool:
    """Whether the error numeric belonged to a join, a message, a subject or a nick change of ours."""
    subject = line.params[1] if len(line.params) > 2 else ""
    channel = net.find(subject)
    if channel is not None and channel.parts and line.command in ("403", "442"):
        parted(net, channel)
        return True
    if subject == "JOIN" and line.command in ("263", "439"):
        for waiting in [channel for channel in net.channels.values() if not channel.present and not channel.parts]:
            net.refuse(waiting, error_for(line.command, [net.nick, waiting.name, line.params[-1]], JOIN_ERRORS))
        return True
    if channel is not None and not channel.present and (line.command in JOIN_ERRORS or line.command[0] in "459"):
        if not channel.parts:  # else it is about a stay that the user has given up
            net.refuse(channel, error_for(line.command, line.params, JOIN_ERRORS))
        return True
    if net.regain and not net.renames and line.command in NICK_ERRORS:
        return True  # somebody was faster
    if net.renames and line.command in NICK_ERRORS:
        net.tell(Failed(net.renames.pop(0), error_for(line.command, line.params, NICK_ERRORS)))
        return True
    if channel is not None and channel.topics and line.command in TOPIC_ERRORS:
        net.tell(Failed(channel.topics.pop(0), error_for(line.command, line.params, TOPIC_ERRORS)))
        return True
    if line.command in SEND_ERRORS and net.awaiting:
        if not subject and line.command in ("411", "412", "417"):
            subject = _target_of_first(net)
        return confirming.unsay(net, subject, error_for(line.command, line.params, SEND_ERRORS))
    return False


def _target_of_first(net: Network) -> str:
    """Numerics that name no target are about the oldest message on its way."""
    first = net.awaiting[0][0]
    return first.nick or irc_address.split(first.to, net.fixed)[0]


_CHATTER: Final = (
    "001 002 003 004 042 221 250 251 252 253 254 255 265 266 321 323 324 328 329 331 341 372 375 "
    "AUTHENTICATE ACK MARKREAD"
)


HANDLERS: Final[dict[str, Callable[[Network, Line, float], None]]] = {
    "PING": _ping,
    "CAP": _cap,
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
    "TAGMSG": tagged.tagmsg,
    "REDACT": tagged.redact,
    "470": _forwarded,
    **dict.fromkeys(_CHATTER.split(), _quiet),
    **folk.HANDLERS,
    **watch.HANDLERS,
    **whois.HANDLERS,
}
