"""Who is in a channel, by what its lines say: nicks, marks, leaving, bans. What `inbound` and `replies` share.

Pure, like `session`. Costs what a line is long, not what the channel holds. RFC 2812.
"""

from __future__ import annotations

import re
from typing import Final

from transports.bridges.irc import folk
from transports.bridges.irc import text as irc_text
from transports.bridges.irc.channel import Channel
from transports.bridges.irc.isupport import add_mode, rank, remove_mode
from transports.bridges.irc.numerics import error_for
from transports.bridges.irc.orders import NICK_LIMIT
from transports.bridges.irc.session import Network
from transports.errors import LegacyError
from transports.events import (
    Cause,
    Left,
    RoleSet,
)
from transports.words import Text, say

#: A nick of so many characters is never too long, whatever they are.
SHORT_NICK: Final = NICK_LIMIT // 4
#: Seconds within which a kick belongs to the ban before it.
KICKBAN: Final = 10.0
#: Seconds for which the members' names, folded, are good enough.
RESPELL: Final = 10.0
#: A ban mask longer than this is compared with nobody.
MASK_LIMIT: Final = 200
CONTROL: Final = re.compile("[\x00-\x1f]")


def nick_of(source: str) -> str:
    nick = source[: source.find("!")] if "!" in source else source.partition("@")[0]
    if not nick or (len(nick) > SHORT_NICK and too_long(nick)):
        raise ValueError("nick too long or empty")
    return nick


def too_long(nick: str) -> bool:
    return len(nick.encode()) > NICK_LIMIT


def trailing(rest: str) -> str:
    """The one parameter that is left, with or without its colon."""
    return rest[1:] if rest[:1] == ":" else rest.partition(" ")[0]


def plain(text: str) -> str:
    return irc_text.strip_formatting(text) if CONTROL.search(text) is not None else text


def gone(net: Network, channel: Channel, nick: str, cause: Cause, reason: str, actor: str = "") -> None:
    if channel.members.pop(nick, None) is not None and net.people:
        folk.gone(net, nick)
    if nick == net.nick:
        channel.present = False
        if channel.parts:  # the answer to our PART is still to come
            return
        net.remove(channel)
        for command in net.line.unqueue(channel.name):
            net.fail(command, error_for("442", [net.nick, channel.name, ""]))
        if not channel.entered:
            net.refuse(channel, LegacyError("not-allowed", _put_out(channel.name, reason, actor)))
    if channel.entered:
        net.tell(Left(channel.address, (nick,), cause, reason, actor))


def _put_out(channel: str, reason: str, actor: str) -> Text:
    reason = reason or say("irc.no-reason")
    if actor:
        return say("irc.put-out-by", channel=channel, actor=actor, reason=reason)
    return say("irc.put-out", channel=channel, reason=reason)


def parted(net: Network, channel: Channel) -> None:
    """A PART of ours was answered; somebody may have asked for the channel again in the meantime."""
    channel.parts -= 1
    channel.present = False
    if not channel.parts and not channel.asked:
        net.remove(channel)


def actor_of(source: str) -> str:
    """Who did it: a nick, a server's name, or nobody that the server names."""
    return nick_of(source) if source else ""


def member_of(net: Network, channel: Channel, nick: str, now: float) -> str:
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


def bans(mask: str, nick: str) -> bool:
    """Whether a ban mask means this nick, as far as its nick part tells: `*` is anything, `?` one character.

    A server's masks come by the thousand, each for one look: to compile them, as `ignoring` does with a user's few, costs more.
    """
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


def set_mark(net: Network, channel: Channel, nick: str, letter: str, added: bool, actor: str) -> None:
    held = channel.members.get(nick)
    if held is None:
        return
    mark = add_mode(held.mark, letter, net.isupport.prefixes[0]) if added else remove_mode(held.mark, letter)
    new = rank(mark)
    if new is not held:
        channel.members[nick] = new
        if channel.entered:
            net.tell(RoleSet(channel.address, nick, new, actor))
