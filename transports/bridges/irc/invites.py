"""Asking people into a channel, and asking to be heard in one: the user's orders, and what the server answers.

Pure, like `session`. RFC 2812 3.2.7 (INVITE); STATUSMSG (Modern IRC); XEP-0045 7.8 and 7.13 are what these are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.numerics import SEND_ERRORS
from transports.bridges.irc.ranks import RANK_ERRORS
from transports.bridges.irc.read import Line
from transports.errors import LegacyError
from transports.events import Echoed, Failed, Invite, RequestVoice
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

_INVITED: Final = frozenset(("341",))


def invite(net: Network, command: Invite, now: float) -> None:
    """Answered by Echoed when the server has passed it on, or Failed."""
    try:
        net.ask(_invitation(net, command), now, partial(_answered, net, command))
    except LegacyError as error:
        net.tell(Failed(command, error))


def _invitation(net: Network, command: Invite) -> Question:
    name, _ = irc_address.split(command.room, net.fixed)
    nick, server = irc_address.split(command.whom, net.fixed)
    channel, fold = net.find(name), net.isupport.fold
    if channel is None or not channel.entered:
        raise LegacyError("not-acceptable", say("irc.not-in"))
    if server != net.server:
        raise LegacyError("item-not-found", say("irc.other-network", server=net.server))
    try:
        line = write.invite(nick, channel.name)
    except write.BadLine:
        raise LegacyError("item-not-found", say("irc.unfit", target=nick)) from None
    return Question(
        line,
        (channel.name, nick),
        ends=_INVITED,
        errors=RANK_ERRORS,
        fits=lambda said: fold(nick) in map(fold, said.params[1:]),
        fence=net.token(),
    )


def request_voice(net: Network, command: RequestVoice, now: float) -> None:
    """Those who can give it are told in the channel, if the server has a way to tell them alone."""
    name, _ = irc_address.split(command.room, net.fixed)
    channel = net.find(name)
    try:
        if channel is None or not channel.entered:
            raise LegacyError("not-acceptable", say("irc.not-in"))
        held = channel.members.get(net.nick)
        if held is not None and held.mark:
            raise LegacyError("conflict", say("irc.may-speak"))
        if "@" not in net.isupport.statusmsg:
            raise LegacyError("feature-not-implemented", say("irc.no-voice-requests"))
        line = write.notice(f"@{channel.name}", say("irc.asks-for-voice", nick=net.nick))
        names = (f"@{channel.name}", channel.name)
        net.ask(Question(line, names, errors=SEND_ERRORS, fence=net.token()), now, partial(_answered, net, command))
    except LegacyError as error:
        net.tell(Failed(command, error))


def _answered(net: Network, command: Invite | RequestVoice, answer: Sequence[Line] | LegacyError) -> None:
    net.tell(Failed(command, answer) if isinstance(answer, LegacyError) else Echoed((command,)))
