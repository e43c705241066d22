"""What stands in a line's tags: ids, replies, reactions, typing; labels of ours; and the batches that lines come in.

Pure, like `session`. A tag is what any client wrote: it is bounded here, and what does not fit is not there.
IRCv3: message-tags, message-ids, batch, labeled-response, echo-message, draft/multiline, draft/message-redaction, chathistory;
client tags typing, draft/reply, draft/react, draft/unreact.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import history, write
from transports.bridges.irc.activity import Activities
from transports.bridges.irc.batches import Batch, Batches
from transports.bridges.irc.crowd import nick_of, too_long
from transports.bridges.irc.feelings import feel, felt
from transports.bridges.irc.numerics import SEND_ERRORS, error_for
from transports.bridges.irc.read import Line, parse, parse_tags, server_time
from transports.bridges.irc.session import Network
from transports.bridges.irc.standard import fail_error
from transports.events import Address, Echoed, Failed, More, React, Reacted, Retracted, Style

#: Characters of a message's id; a longer one is none.
LONGEST_KEY: Final = 200
#: Characters of a reaction, and of all reactions of one person to one message.
LONGEST_REACTION, MOST_REACTIONS = 32, 20

#: Shows a message: source, target, text, when, style, id, what else.
Speak: TypeAlias = Callable[[Network, str, str, str, float | None, Style, str, More | None], None]
NOTHING: Final[tuple[str, None]] = ("", None)


def marks(tags: str) -> tuple[str, More | None]:
    """The id of a message and what it answers, of its tags as they were written. On the way that thousands go."""
    at = tags.find("msgid=")
    if "reply=" in tags or "\\" in tags or (at > 0 and tags[at - 1] not in "@;"):
        return _marks(parse_tags(tags[1:]))
    if at < 1:
        return NOTHING
    key = tags[at + 6 :].partition(";")[0]
    return (key, None) if len(key) <= LONGEST_KEY else NOTHING


def _marks(tags: Mapping[str, str]) -> tuple[str, More | None]:
    answered = _id(tags.get("+draft/reply") or tags.get("+reply") or "")
    return _id(tags.get("msgid", "")), More(reply=answered) if answered else None


def _id(text: str) -> str:
    """An id that can stand in a line again."""
    return text if len(text) <= LONGEST_KEY and text.isprintable() and " " not in text and text[:1] != ":" else ""


# Lines that are only tags -------------------------------------------------------------------------------------------


def tagmsg(net: Network, line: Line, now: float) -> None:
    """TAGMSG: typing, and reactions."""
    _tagmsg(net, line, now, None)


def _tagmsg(net: Network, line: Line, now: float, when: float | None) -> None:
    if net.ignored is not None and net.ignored(line.source):
        return
    nick, tags = nick_of(line.source), line.tags
    where = _place(net, nick, line.params[0])
    if where is None:
        return
    typing = tags.get("+typing") or tags.get("+draft/typing")
    if typing and nick != net.nick and when is None:
        net.activities = net.activities or Activities()
        fact = net.activities.heard(where, nick, typing, now)
        if fact is not None:
            net.tell(fact)
    of = _id(tags.get("+draft/reply") or tags.get("+reply") or "")
    if of and ("+draft/react" in tags or "+draft/unreact" in tags):
        if nick == net.nick and any(isinstance(sent, React) for sent, _ in net.awaiting):
            return  # our own, on its way
        emojis = _felt(net, where, nick, of, tags.get("+draft/react", ""), tags.get("+draft/unreact", ""))
        if emojis is not None:
            net.tell(Reacted(where, nick, of, emojis, when, _id(tags.get("msgid", ""))))


def _felt(net: Network, where: Address, nick: str, of: str, more: str, less: str) -> tuple[str, ...] | None:
    """All that somebody feels about a message now; None: that is no news."""
    before = felt(net, where, nick, of)
    after = tuple(one for one in before if one != less)
    if 0 < len(more) <= LONGEST_REACTION and more not in after and len(after) < MOST_REACTIONS:
        after += (more,)
    if after == before:
        return None
    feel(net, where, nick, of, after)
    return after


def redact(net: Network, line: Line, now: float) -> None:
    """REDACT: a message is taken back, by its author or by who may."""
    _redact(net, line, None)


def _redact(net: Network, line: Line, when: float | None) -> None:
    nick = nick_of(line.source)
    where, of = _place(net, nick, line.params[0]), _id(line.params[1])
    if where is not None and of:
        net.tell(Retracted(where, nick, of, when, _id(line.tags.get("msgid", ""))))


def _place(net: Network, nick: str, target: str) -> Address | None:
    """Where something happens: a channel that we are in, or who it is with."""
    channel = net.by_name.get(target) or net.find(net.isupport.strip_status(target)[1])
    if channel is not None:
        return channel.address if channel.entered else None
    if net.isupport.is_channel(net.isupport.strip_status(target)[1]):
        return None
    whom = target if nick == net.nick else nick
    return irc_address.person(whom, net.server, net.fixed) if whom and not too_long(whom) else None


# Batches and labels -------------------------------------------------------------------------------------------------


def concerned(net: Network, tags: str) -> bool:
    """Whether a line is to be `routed`: in a batch that matters, or an answer to one of ours."""
    if "label=" in tags:
        return True
    batch = net.batches.of(tags) if net.batches is not None else None
    return batch is not None and not batch.plain


def echoed(net: Network, tags: str, line: str) -> bool:
    """The answer that most lines of ours get, at once: the echo of words, with our label. True: it was that."""
    at = tags.find("label=")
    if net.echoes is None or net.batches is not None or at < 1 or not line.startswith(f":{net.nick}!"):
        return False
    label = tags[at + 6 :].partition(";")[0]
    if net.echoes.named(label) is None or line.split(" ", 2)[1] != "PRIVMSG":
        return False
    _confirm(net, label, marks(tags)[0])
    return True


def routed(net: Network, tags: str, line: str, now: float, speak: Speak) -> bool:
    """A line of a batch, or one that answers a line of ours; whether that is all that is to be done with it."""
    batch = net.batches.of(tags) if net.batches is not None else None
    parsed = parse(f"{tags} {line}")
    if parsed.command == "BATCH":
        return False
    if batch is not None and batch.multiline:
        if parsed.command in ("PRIVMSG", "NOTICE"):
            batch.source = batch.source or parsed.source
            batch.add(parsed.params[1], "draft/multiline-concat" in parsed.tags or "multiline-concat" in parsed.tags)
        return True
    if batch is not None:
        batch.count += 1
        if batch.past:
            batch.last = server_time(parsed.tags) or batch.last
            _past(net, parsed, now, speak)
            return True
    label = batch.label if batch is not None and batch.label else parsed.tags.get("label", "")
    return _labelled(net, parsed, label, batch) if label else False


def _past(net: Network, line: Line, now: float, speak: Speak) -> None:
    """A line of a history: it is told with its time, and nothing is answered or changed."""
    sent = server_time(line.tags)
    when = net.epoch + now if sent is None else sent
    if line.command in ("PRIVMSG", "NOTICE"):
        text = line.params[1]
        if text[:1] != "\x01" or text[1:8].upper() == "ACTION ":
            style: Style = "say" if line.command == "PRIVMSG" else "notice"
            speak(net, line.source, line.params[0], text, when, style, *_marks(line.tags))
    elif line.command == "TAGMSG":
        _tagmsg(net, line, now, when)
    elif line.command == "REDACT":
        _redact(net, line, when)


def batch(net: Network, line: Line, now: float, speak: Speak) -> None:
    """BATCH, the start or the end of one."""
    sign = line.params[0][:1]
    if sign == "+":
        net.batches = net.batches if net.batches is not None else Batches()
        net.batches.start(line.params, line.source, line.tags, now)
    elif sign == "-" and net.batches is not None:
        ended = net.batches.end(line.params[0][1:])
        if not len(net.batches):
            net.batches = None
        if ended is not None:
            _ended(net, ended, now, speak)


def _ended(net: Network, ended: Batch, now: float, speak: Speak) -> None:
    if ended.past:
        history.ended(net, ended)
    own = ended.tags.get("label", "")
    if own:
        if net.asks is not None:
            net.asks.finish(own)
        key = _id(ended.tags.get("msgid", "")) if ended.multiline else ""
        if net.echoes is not None and net.echoes.named(own) is not None:
            _confirm(net, own, key)
            return
    if ended.multiline and ended.params:
        sent = server_time(ended.tags)
        late = sent is not None and (ended.past or net.epoch + now - sent > 60)
        when = sent if late else (net.epoch + now if ended.past else None)
        speak(net, ended.source, ended.params[0], ended.text, when, "say", *_marks(ended.tags))
    elif net.asks is not None:
        params = [f"-{ended.reference}", ended.type, *ended.params, str(ended.count)]
        net.asks.take(Line({}, ended.source, "BATCH", params), net.isupport.fold)


def _labelled(net: Network, line: Line, label: str, batch: Batch | None) -> bool:
    """A line that answers one of ours; whether it does nothing else."""
    if net.asks is not None and (asked := net.asks.labelled(line, label, last=batch is None)) is not None:
        return asked
    sent = net.echoes.named(label) if net.echoes is not None else None
    if sent is None:
        return False
    command = line.command
    if command == "FAIL" or command in SEND_ERRORS or (command.isdecimal() and command[0] in "45"):
        net.echoes.forget(sent.command)  # type: ignore[union-attr]  # it is there, or nothing was named
        error = fail_error(line) if command == "FAIL" else error_for(command, line.params, SEND_ERRORS)
        net.tell(Failed(sent.command, error))
        return True
    echo = command in ("PRIVMSG", "NOTICE", "TAGMSG", "REDACT") and nick_of(line.source) == net.nick
    key = _id(line.tags.get("msgid", "")) if echo else ""
    if batch is None:
        _confirm(net, label, key)
    elif key:
        sent.named(key)
    return echo or command == "ACK"


def _confirm(net: Network, label: str, key: str) -> None:
    sent = net.echoes.answered(label, key) if net.echoes is not None else None
    if sent is not None:
        net.tell(Echoed((sent.command,), (sent.key,)))


def tick(net: Network, now: float, speak: Speak) -> None:
    """Once a second: batches that nobody ends, people who type no more, what of ours is to be said of typing."""
    if net.batches is not None:
        for late in net.batches.overdue(now):
            with contextlib.suppress(ValueError, IndexError):  # what a server has not ended may not be well made either
                _ended(net, late, now, speak)
        net.batches = net.batches if len(net.batches) else None
    if net.activities is not None:
        for fact in net.activities.expire(now):
            net.tell(fact)
        if net.line.free:
            from_us = list(net.activities.due(now))
            for target, value in from_us:
                net.line.queue("", [write.tagmsg(target, {"+typing": value})])
        net.activities = net.activities or None

