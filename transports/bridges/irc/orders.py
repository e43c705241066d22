"""What a user wants of a network, as lines: one function per command, in a table. The answers come back through `inbound`.

Pure, like `session`. RFC 2812 3; Modern IRC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from transports.bridges.irc import absence, invites, speaking, write
from transports.bridges.irc import address as irc_address
from transports.bridges.irc import text as irc_text
from transports.bridges.irc.channel import Channel
from transports.errors import LegacyError
from transports.events import (
    Address,
    Entered,
    Failed,
    Invite,
    Join,
    Leave,
    React,
    Read,
    Refused,
    Rename,
    RequestVoice,
    Retract,
    SameRoom,
    Say,
    SetAway,
    SetSubject,
    Type,
)
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Messages that may be on their way to the server at once.
AWAITING_LIMIT: Final = 20_000
#: One JOIN line carries channels up to this many bytes, keys included (RFC 2812 3.2.1, 512 bytes a line).
JOIN_BATCH: Final = 400
#: Seconds a server has to answer a JOIN.
JOIN_WITHIN: Final = 60.0
#: Channels in one line, where the server says nothing of it (TARGMAX): InspIRCd takes no more unless told.
JOIN_MOST: Final = 20
#: The longest key of a channel, in bytes; with the longest name it fits one line.
KEY_LIMIT: Final = 200
#: A nick longer than this (bytes) is no nick that any client could show or any JID could hold; its lines are dropped.
NICK_LIMIT: Final = 128
#: The longest line, without its end (RFC 2812 2.3).
LINE_LIMIT: Final = 510


def join(net: Network, command: Join, now: float) -> None:
    name, _ = irc_address.split(command.room, net.fixed)
    if not net.ready:
        net.joins[command.room] = (command, now)
        return
    if not net.isupport.is_channel(name):
        words = say("irc.no-channel", name=name, server=net.server)
        net.tell(Refused(command.room, LegacyError("item-not-found", words)))
        return
    channel = net.find(name)
    if channel is None or (channel.parts and not channel.asked):
        send_joins(net, [(command, now)])
        return
    if channel.address != command.room and channel.asked:
        net.tell(SameRoom(channel.address, command.room))
        return
    if not channel.asked:  # the server has put us in, or is about to
        channel.address = command.room
        channel.asked = True
        net.joins[command.room] = (command, now)
    if channel.entered:
        net.joins.pop(command.room, None)
        net.tell(Entered(channel.address, net.nick, channel.members, channel.subject, net.people))


def send_joins(net: Network, commands: list[tuple[Join, float]], paced: bool = False) -> None:
    """JOIN in batches, those with a key first, since keys are matched by position (RFC 2812 3.2.1).

    paced: each line waits for its turn among all who come to the network
    """
    batch: list[Join] = []
    size = 0
    most = min(JOIN_MOST, net.isupport.targmax.get("JOIN") or JOIN_MOST)
    for command, now in sorted(commands, key=lambda item: not item[0].password):
        name, _ = irc_address.split(command.room, net.fixed)
        known = net.find(name)
        if known is not None and known.asked:
            if known.address != command.room:
                net.tell(SameRoom(known.address, command.room))
            continue
        words = _unfit(name, command.password)
        if words:
            net.tell(Refused(command.room, LegacyError("not-acceptable", words)))
            continue
        net.joins[command.room] = (command, now)
        if known is None:
            net.add(Channel(name, command.room, command.password))
        else:
            known.address, known.key, known.asked = command.room, command.password, True
        needed = len(f"{name},{command.password},".encode())
        if batch and (size + needed > JOIN_BATCH or len(batch) >= most):
            _send_batch(net, batch, paced)
            batch, size = [], 0
        size += needed
        batch.append(command)
    if batch:
        _send_batch(net, batch, paced)


def _send_batch(net: Network, batch: list[Join], paced: bool) -> None:
    if not paced:
        _send_join(net, batch)
        return
    wait = net.line.defer(lambda: _send_join(net, batch))
    for command in batch:
        if wait and command.room in net.joins:
            net.joins[command.room] = (command, net.joins[command.room][1] + wait)


def _send_join(net: Network, batch: list[Join]) -> None:
    """One line for those of a batch that are still wanted."""
    channels = [net.find(irc_address.split(command.room, net.fixed)[0]) for command in batch]
    wanted = [channel for channel in channels if channel is not None and channel.asked and (channel.parts or not channel.present)]
    keys = [channel.key for channel in wanted if channel.key]
    names = ",".join(channel.name for channel in wanted)
    if names and not net.line.queue("", [write.line("JOIN", names, *([",".join(keys)] if keys else []))]):
        for channel in wanted:
            net.refuse(channel, LegacyError("resource-constraint", say("irc.full")))


def give_up_joins(net: Network, now: float) -> None:
    """Nobody waits for longer than JOIN_WITHIN to come in."""
    for room, (_, since) in list(net.joins.items()):
        if now - since > JOIN_WITHIN:
            channel = net.find(irc_address.split(room, net.fixed)[0])
            error = LegacyError("remote-server-timeout", say("irc.slow-join", server=net.server))
            if channel is not None and channel.present:  # only the names did not come: a new try has to join anew
                part(net, channel, "")
                net.tell(Refused(room, error))
            elif channel is not None:
                net.refuse(channel, error)


def _leave(net: Network, command: Leave, now: float) -> None:
    net.joins.pop(command.room, None)
    name, _ = irc_address.split(command.room, net.fixed)
    channel = net.find(name)
    if channel is None:
        return
    for command_lost in net.line.unqueue(channel.name):
        net.fail(command_lost, LegacyError("recipient-unavailable", say("irc.left")))
    part(net, channel, command.reason)


def part(net: Network, channel: Channel, reason: str) -> None:
    """Leave a channel that we are in, or may be put in yet; the table keeps it until the server has answered."""
    net.joins.pop(channel.address, None)
    channel.asked = channel.entered = False
    channel.parts += 1
    line = write.part(channel.name, irc_text.one_line(reason, 200))
    if not net.line.queue("", [line]):
        net.line.write(line)


def _rename(net: Network, command: Rename, now: float) -> None:
    try:
        line = nick_line(command.nick)
    except LegacyError as error:
        net.tell(Failed(command, error))
        return
    net.regain = ""
    net.renames.append(command)
    if not net.line.queue("", [line]):
        net.renames.pop()
        net.tell(Failed(command, LegacyError("resource-constraint", say("irc.full"))))
    else:
        net.unsure.append((command, now))


def _say(net: Network, command: Say, now: float) -> None:
    if len(net.awaiting) + (len(net.echoes) if net.echoes is not None else 0) >= AWAITING_LIMIT:
        words = say("irc.unanswered", server=net.server)
        net.tell(Failed(command, LegacyError("resource-constraint", words, retry_after=60)))
        return
    target = command.nick or irc_address.split(command.to, net.fixed)[0]
    if net.activities is not None:
        net.activities.said(target)
    if not command.nick and command.to.kind == "room":
        channel = net.by_name.get(target) or net.find(target)
        if channel is None or not channel.entered:
            net.tell(Failed(command, _not_in(net, command.to)))
            return
        target = channel.name
        text = command.text
        fits = 0 < len(text) <= channel.room and write.plain(text) and text[:4] != "/me "
        if fits and command.more is None and not net.manners.codes:  # most are short and plain
            if net.abilities.plain:
                if not net.line.queue(target, [channel.head + text], command):
                    _full(net, command)
            else:
                speaking.send(net, command, target, [channel.head + text], [text])
            return
    speaking.said(net, command, target, now)


def _not_in(net: Network, room: Address) -> LegacyError:
    if room in net.joins:
        return LegacyError("recipient-unavailable", say("irc.coming-back"), type="wait", retry_after=60)
    return LegacyError("not-acceptable", say("irc.not-in"))


def _full(net: Network, command: Say) -> None:
    net.tell(Failed(command, LegacyError("resource-constraint", say("irc.full"), retry_after=60)))


def _set_subject(net: Network, command: SetSubject, now: float) -> None:
    name, _ = irc_address.split(command.room, net.fixed)
    channel = net.find(name)
    if channel is None or not channel.entered:
        net.tell(Failed(command, LegacyError("not-acceptable", say("irc.not-in"))))
        return
    limit = min(net.isupport.topiclen or 390, 390, LINE_LIMIT - len(f"TOPIC {channel.name} :".encode()))
    line = write.topic(channel.name, irc_text.one_line(command.text, limit))
    channel.topics.append(command)
    if not net.line.queue(channel.name, [line], command):
        channel.topics.remove(command)
        net.tell(Failed(command, LegacyError("resource-constraint", say("irc.full"))))


def nick_line(nick: str) -> str:
    """The NICK line for what a user wants to be called; LegacyError when IRC has no such nicks."""
    try:
        if len(nick.encode(errors="replace")) > NICK_LIMIT:
            raise LegacyError("not-acceptable", say("irc.nick-long", most=NICK_LIMIT))
        return write.nick(nick)
    except write.BadLine:
        raise LegacyError("not-acceptable", say("irc.bad-nick", nick=nick)) from None


def _unfit(name: str, key: str) -> str:
    """Why there is no line that joins a channel, if so."""
    try:
        write.join(name, key)
    except write.BadLine:
        return say("irc.channel-unfit", name=name)
    if len(name.encode()) > irc_address.MAX_NAME:
        return say("irc.channel-long")
    if len(key.encode()) > KEY_LIMIT:
        return say("irc.key-long", name=name)
    return ""


ORDERS: Final[dict[type, Callable[[Network, Any, float], None]]] = {
    Say: _say,
    React: speaking.react,
    Retract: speaking.retract,
    Type: speaking.type_,
    Read: speaking.read,
    Join: join,
    Leave: _leave,
    Rename: _rename,
    SetSubject: _set_subject,
    SetAway: absence.set_away,
    Invite: invites.invite,
    RequestVoice: invites.request_voice,
}
