"""What a user says and means, as lines: everything beside the short plain text to a channel, which `orders` has at once.

Pure, like `session`. Lines get a label where the server answers labels, and their echoes are waited for where it echoes.
IRCv3 labeled-response, echo-message, draft/multiline, draft/message-redaction, draft/read-marker; client tags draft/reply,
draft/react, typing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import formatting, write
from transports.bridges.irc import text as irc_text
from transports.bridges.irc.abilities import multiline
from transports.bridges.irc.activity import Activities
from transports.bridges.irc.echoes import Echoes, Spoken
from transports.bridges.irc.feelings import feel, felt
from transports.bridges.irc.read import parse
from transports.errors import LegacyError
from transports.events import Echoed, Failed, More, React, Read, Reply, Retract, Say, Type
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Reactions that are told at once.
MOST_REACTIONS: Final = 8


def said(net: Network, command: Say, target: str, now: float) -> None:
    """A text to a channel or a person, in as many lines as it takes."""
    if net.pastes is not None and net.pastes.holds(target, command):
        return
    tags = _reply(net, command.more)
    try:
        pieces = formatting.utterances(command.text, target, net.prefix, net.manners.codes)
        text = formatting.coded(command.text) if net.manners.codes else command.text
        whole = _multiline(net, target, text, tags) if len(pieces) > 1 else ""
        lines = [whole] if whole else [write.privmsg(target, piece) for piece in pieces]
        if tags and lines and not whole:
            lines[0] = write.with_tags(tags, lines[0])
    except write.BadLine:
        net.tell(Failed(command, LegacyError("not-acceptable", say("irc.unfit", target=target))))
        return
    if not lines:
        net.tell(Failed(command, LegacyError("not-acceptable", say("irc.empty"))))
        return
    if not whole and net.pastes is not None and net.pastes.takes(target, command, len(pieces)):
        return
    send(net, command, target, lines, [_joined(text)] if whole else pieces)


def _reply(net: Network, more: More | None) -> dict[str, str]:
    return {"+draft/reply": more.reply} if more is not None and more.reply and Reply in net.abilities.more else {}


def send(net: Network, command: Spoken, target: str, lines: list[str], texts: list[str] | None = None) -> None:
    """texts: what will come back of it."""
    able = net.abilities
    if not able.plain:
        if net.echoes is None:
            net.echoes = Echoes()
        if able.labels and len(lines) == 1 and lines[0][0] != "@":
            lines = [net.echoes.one(command, lines[0])]
        elif able.labels:
            lines = net.echoes.label(command, lines)
        elif texts is not None:
            net.echoes.expect(command, net.isupport.fold(target), texts)
    if not net.line.queue(target, lines, command):
        if net.echoes is not None:
            net.echoes.forget(command)
        net.tell(Failed(command, LegacyError("resource-constraint", say("irc.full"), retry_after=60)))


def hush(net: Network, lines: list[str]) -> None:
    """Lines in the user's name that are no messages of the user's (to services, raw ones): nobody is shown their echo."""
    for line in lines:
        if line[:8].upper() == "PRIVMSG " or line[:7].upper() == "NOTICE ":
            params = parse(line).params
            if len(params) == 2:
                net.echoes = net.echoes if net.echoes is not None else Echoes()
                net.echoes.hush(net.isupport.fold(params[0]), params[1])


def _multiline(net: Network, target: str, text: str, tags: dict[str, str]) -> str:
    """One message of several lines as a batch, to be written in one piece; '' where the server takes none like it."""
    if not {"draft/multiline", "batch"} <= net.caps or net.negotiation is None or text.startswith("/me "):
        return ""
    limits = multiline(net.negotiation.value("draft/multiline"))
    room = max(irc_text.MIN_PIECE, irc_text.room_for(net.prefix, target)) - 1
    parts = [part for line in irc_text.paragraphs(text) for part in _parts(line, room)]
    size = sum(len(part.encode()) + (not goes_on) for part, goes_on in parts) - 1
    if len(parts) > limits.lines or size > limits.size:
        return ""
    net.fences += 1
    reference = f"m{net.fences}"
    opening = write.line("BATCH", f"+{reference}", "draft/multiline", write.target(target), tags=tags)
    lines = [
        write.line(
            "PRIVMSG",
            target,
            part,
            tags={"batch": reference, "draft/multiline-concat": ""} if goes_on else {"batch": reference},
        )
        for part, goes_on in parts
    ]
    return "\r\n".join([opening, *lines, write.line("BATCH", f"-{reference}")])


def _parts(line: str, room: int) -> list[tuple[str, bool]]:
    """A line in pieces, and whether each goes on with the one before; the space at a cut stays with the first."""
    parts: list[tuple[str, bool]] = []
    at = 0
    for piece in irc_text.split(line, room) or [""]:
        if parts and line[at : at + 1] == " " and not line.startswith(piece, at):
            parts[-1] = (parts[-1][0] + " ", parts[-1][1])
            at += 1
        parts.append((piece, bool(parts)))
        at += len(piece)
    return parts


def _joined(text: str) -> str:
    """What a multiline message says, as its echo has it."""
    return "\n".join(irc_text.paragraphs(text))


# More than words ----------------------------------------------------------------------------------------------------


def _target(net: Network, command: React | Retract | Type | Read) -> str:
    """Whom it is told; '' for a channel that we are not in."""
    if command.nick:
        return command.nick
    name = irc_address.split(command.to, net.fixed)[0]
    if command.to.kind != "room":
        return name
    channel = net.find(name)
    return channel.name if channel is not None and channel.entered else ""


def _able(net: Network, command: React | Retract) -> str:
    """The target, where it can be told; else it has failed."""
    target = _target(net, command)
    if not target:
        net.tell(Failed(command, LegacyError("not-acceptable", say("irc.not-in"))))
    elif type(command) not in net.abilities.more:
        net.tell(Failed(command, LegacyError("feature-not-implemented", say("message.lasting"))))
        return ""
    return target


def react(net: Network, command: React, now: float) -> None:
    target = _able(net, command)
    if not target:
        return
    place = irc_address.person(command.nick, net.server, net.fixed) if command.nick else command.to
    of, wanted = command.of[0], tuple(command.emojis)
    before = felt(net, place, net.nick, of)
    changes = [("+draft/react", one) for one in wanted if one not in before]
    changes += [("+draft/unreact", one) for one in before if one not in wanted]
    try:
        lines = [write.tagmsg(target, {"+draft/reply": of, tag: one}) for tag, one in changes[:MOST_REACTIONS]]
    except write.BadLine:
        net.tell(Failed(command, LegacyError("not-acceptable", say("irc.unfit", target=target))))
        return
    feel(net, place, net.nick, of, wanted)
    if lines:
        send(net, command, target, lines)
    else:
        net.tell(Echoed((command,)))


def retract(net: Network, command: Retract, now: float) -> None:
    target = _able(net, command)
    if not target:
        return
    try:
        lines = [write.redact(target, key) for of in command.of for key in of.split(" ") if key]
    except write.BadLine:
        net.tell(Failed(command, LegacyError("not-acceptable", say("irc.unfit", target=target))))
        return
    send(net, command, target, lines)


def type_(net: Network, command: Type, now: float) -> None:
    """What the user does, if the server relays it: a line that waits for nobody and that nobody waits for."""
    target = _target(net, command) if Type in net.abilities.more else ""
    if not target:
        return
    activities = net.activities or Activities()
    value = activities.tell(target, command.state, now)
    net.activities = activities or None
    if value and net.line.free:
        net.line.queue("", [write.tagmsg(target, {"+typing": value})])


def read(net: Network, command: Read, now: float) -> None:
    """The user has seen all that there is (the house tells of the last message alone)."""
    target = _target(net, command) if Read in net.abilities.more else ""
    if target and net.line.free:
        stamp = datetime.fromtimestamp(net.epoch + now, UTC).isoformat(timespec="milliseconds")
        net.line.queue("", [write.markread(target, stamp.replace("+00:00", "Z"))])
