"""What is said on the lab's own IRC server, and kept: messages, batches of lines, reactions, redactions, history, markers.

IRCv3: message-tags, message-ids, server-time, echo-message, and the drafts multiline, message-redaction, chathistory (with
event-playback), read-marker. A message is kept as it was told, so that its id and time are the same in the history.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from lab.irc import Line
from lab.ircv3 import NAME, Client, Handler, Refused

SPOKEN: Final = ("PRIVMSG", "NOTICE", "REDACT")
MOST: Final = 100


class Stored(NamedTuple):
    """Something that happened: to whom, by whom. lines: of a multiline message, (text, whether it goes on the one before)."""

    tags: dict[str, str]
    source: str
    command: str
    params: tuple[str, ...]
    lines: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def now(
        cls, client: Client, command: str, target: str, params: Sequence[str],
        tags: Iterable[tuple[str, str]] = (), lines: Sequence[tuple[str, bool]] = (),
    ) -> Stored:  # fmt: skip
        marks = {"time": client.irc.stamp(), "msgid": client.irc.new_id()}
        marks |= {"account": client.account} if client.account else {}
        marks |= {"bot": ""} if client.bot else {}
        return cls({**marks, **dict(tags)}, client.source, command, tuple(params), tuple(lines))

    @property
    def nick(self) -> str:
        return self.source.partition("!")[0]

    def parts(self) -> Iterable[tuple[dict[str, str], str, str, tuple[str, ...]]]:
        """The messages that a client without multiline is told; the id stands at the first alone."""
        first = True
        for text, _ in self.lines:
            if text:
                tags = self.tags if first else {k: v for k, v in self.tags.items() if k != "msgid" and k[0] != "+"}
                yield tags, self.source, self.command, (self.params[0], text)
                first = False


def tell(client: Client, stored: Stored, label: str = "") -> None:
    """One stored message to one client, as its capabilities want it."""
    tags = {**stored.tags, **({"label": label} if label else {})}
    if stored.command == "TAGMSG" and "message-tags" not in client.caps:
        return
    if stored.command == "REDACT" and "draft/message-redaction" not in client.caps:
        return
    if not stored.lines:
        client.tell(stored.command, *stored.params, source=stored.source, tags=tags)
    elif {"batch", "draft/multiline"} <= client.caps:
        reference = client.irc.new_id("b")
        outer = {"batch": tags["batch"]} if "batch" in tags else {}
        marks = {name: value for name, value in tags.items() if name != "batch"}
        client.tell("BATCH", f"+{reference}", "draft/multiline", stored.params[0], source=stored.source, tags=marks | outer)
        for text, goes_on in stored.lines:
            more = {"draft/multiline-concat": ""} if goes_on else {}
            client.tell(stored.command, stored.params[0], text, source=stored.source, tags={"batch": reference, **more})
        client.tell("BATCH", f"-{reference}", source=stored.source)
    else:
        for marks, source, command, params in stored.parts():
            client.tell(command, *params, source=source, tags=marks | ({"batch": tags["batch"]} if "batch" in tags else {}))


# -- speaking ----------------------------------------------------------------------------------------------------------


def _say(client: Client, line: Line) -> None:
    """PRIVMSG, NOTICE and TAGMSG, or one line of a batch that the client has open."""
    if client.batch and line.tags.get("batch") == client.batch[0]:
        client.batch[2].append(line)
        return
    params = line.params[:2] if line.command != "TAGMSG" else line.params[:1]
    if line.command != "TAGMSG" and len(params) < 2:
        raise Refused("412", "No text to send")
    _spread(client, line.command, params[0], params, line)


def _spread(
    client: Client, command: str, target: str, params: Sequence[str], line: Line, lines: Sequence[tuple[str, bool]] = ()
) -> None:
    """Keep it and tell those whom it is for; the sender where it has asked for echoes."""
    irc, name = client.irc, target.lstrip("~&@%+")
    status = target[: len(target) - len(name)]
    channel, person = irc.channels.get(name.lower()), irc.clients.get(target.lower())
    if channel is None and person is None:
        raise Refused("401", target, "No such nick/channel")
    if channel and (client not in channel.members or ("m" in channel.modes and not channel.members[client])):
        raise Refused("404", name, "Cannot send to channel")
    own_tags = ((key, value) for key, value in line.tags.items() if key[:1] == "+" and "message-tags" in client.caps)
    stored = Stored.now(client, command, target, params, own_tags, lines)
    history = channel.history if channel else irc.private
    if not status:
        history.append(stored)
    hearers = [one for one in channel.members if not status or channel.marks(one)] if channel else [person]
    for one in hearers:
        if one is not None and one is not client:
            tell(one, stored)
    if person is client:
        tell(client, stored)
    if "echo-message" in client.caps:
        tell(client, stored)


def _batch(client: Client, line: Line) -> None:
    """A client's batch (multiline): its lines are said at its end."""
    reference = line.params[0][1:]
    if line.params[0][0] == "+":
        if line.params[1:2] != ["draft/multiline"] or len(line.params) < 3 or client.batch:
            raise Refused("FAIL", "BATCH", "MULTILINE_INVALID")
        client.batch = (reference, line, [])
        return
    if client.batch is None or client.batch[0] != reference:
        raise Refused("FAIL", "BATCH", "MULTILINE_INVALID")
    (_, opening, said), client.batch = client.batch, None
    target = opening.params[2]
    limits = dict(item.partition("=")[::2] for item in client.irc.caps["draft/multiline"].split(","))
    lines = [(one.params[1], "draft/multiline-concat" in one.tags) for one in said]
    size = sum(len(text.encode()) for text, _ in lines) + sum(not goes_on for _, goes_on in lines[1:])
    stranger = next((one.params[0] for one in said if one.params[0].lower() != target.lower()), None)
    if stranger is not None:
        client.fail("BATCH", "MULTILINE_INVALID_TARGET", target, stranger)
    elif not any(text for text, _ in lines):
        client.fail("BATCH", "MULTILINE_INVALID")
    elif size > int(limits.get("max-bytes", size)):
        client.fail("BATCH", "MULTILINE_MAX_BYTES", limits["max-bytes"])
    elif len(lines) > int(limits.get("max-lines", len(lines))):
        client.fail("BATCH", "MULTILINE_MAX_LINES", limits["max-lines"])
    else:
        _labelled(client, opening, target, lines)


def _labelled(client: Client, opening: Line, target: str, lines: list[tuple[str, bool]]) -> None:
    """The label stands at the BATCH that opens; so does the answer's."""
    label = opening.tags.get("label", "") if "labeled-response" in client.caps else ""
    if label:
        client.labelled(label, lambda: _spread(client, "PRIVMSG", target, (target,), opening, lines))
    else:
        _spread(client, "PRIVMSG", target, (target,), opening, lines)


def _redact(client: Client, line: Line) -> None:
    target, msgid = line.params[:2]
    channel = client.irc.channels.get(target.lower())
    person = client.irc.clients.get(target.lower())
    if channel is None and person is None:
        raise Refused("FAIL", "REDACT", "INVALID_TARGET", target)
    history = channel.history if channel else client.irc.private
    found = next((one for one in history if one.tags.get("msgid") == msgid and one.command in (*SPOKEN, "TAGMSG")), None)
    if found is None:
        raise Refused("FAIL", "REDACT", "UNKNOWN_MSGID", target, msgid)
    if found.nick != client.nick and not (channel and channel.operator(client)):
        raise Refused("FAIL", "REDACT", "REDACT_FORBIDDEN", target, msgid)
    stored = Stored.now(client, "REDACT", target, line.params[:3])
    history[history.index(found)] = stored
    for one in {*(channel.members if channel else [person]), client}:
        if one is not None and (one is not client or "echo-message" in client.caps):
            tell(one, stored)


def _markread(client: Client, line: Line) -> None:
    irc, target = client.irc, line.params[0]
    key = (client.nick.lower(), target.lower())
    if len(line.params) > 1:
        wanted = line.params[1]
        if not wanted.startswith("timestamp="):
            raise Refused("FAIL", "MARKREAD", "INVALID_PARAMS", wanted)
        irc.markers[key] = max(wanted, irc.markers.get(key, ""))
    client.tell("MARKREAD", target, irc.markers.get(key, "*"))


# -- history -----------------------------------------------------------------------------------------------------------


def _chathistory(client: Client, line: Line) -> None:
    kind, *rest = line.params
    if kind.upper() not in HISTORY:
        raise Refused("FAIL", "CHATHISTORY", "INVALID_PARAMS", kind)
    if len(rest) < (4 if kind.upper() == "BETWEEN" else 3):
        raise Refused("FAIL", "CHATHISTORY", "NEED_MORE_PARAMS", kind)
    most = min(int(rest[-1]), MOST)
    if kind.upper() == "TARGETS":
        _targets(client, rest[0], rest[1], most)
        return
    target = rest[0]
    kept = _history(client, target)
    if kept is None:
        raise Refused("FAIL", "CHATHISTORY", "INVALID_TARGET", kind, target)
    chosen = HISTORY[kind.upper()](kept, rest[1:-1], most)
    reference = client.irc.new_id("b")
    if "batch" in client.caps:
        client.tell("BATCH", f"+{reference}", "chathistory", target)
    for stored in chosen:
        tell(client, stored._replace(tags={**stored.tags, "batch": reference}))
    if "batch" in client.caps:
        client.tell("BATCH", f"-{reference}")


def _history(client: Client, target: str) -> list[Stored] | None:
    """What the client may see of it; None: there is no such place, or it is not there."""
    channel = client.irc.channels.get(target.lower())
    if channel is None:
        pair = {client.nick.lower(), target.lower()}
        kept = [one for one in client.irc.private if {one.nick.lower(), one.params[0].lower()} == pair]
        if not kept and (target.startswith("#") or target.lower() not in client.irc.clients):
            return None
    elif client not in channel.members:
        return None
    else:
        kept = channel.history
    events = "draft/event-playback" in client.caps
    return [one for one in kept if events or one.command in SPOKEN]


def _at(kept: list[Stored], selector: str, *, after: bool = False) -> int:
    """The index of the first message that is not before (`after`: that is after) the selector."""
    how, _, value = selector.partition("=")
    if how == "msgid":
        found = next((at for at, one in enumerate(kept) if one.tags["msgid"] == value), None)
        return (0 if after else len(kept)) if found is None else found + after
    return sum(one.tags["time"] <= value if after else one.tags["time"] < value for one in kept)


def _between(kept: list[Stored], given: list[str], most: int) -> list[Stored]:
    first, second = given[:2]
    if _at(kept, first) <= _at(kept, second):
        return kept[_at(kept, first, after=True) : _at(kept, second)][:most]
    return kept[_at(kept, second, after=True) : _at(kept, first)][-most:]


def _around(kept: list[Stored], given: list[str], most: int) -> list[Stored]:
    start = max(0, _at(kept, given[0]) - most // 2)
    return kept[start : start + most]


def _latest(kept: list[Stored], given: list[str], most: int) -> list[Stored]:
    return kept[0 if given[0] == "*" else _at(kept, given[0], after=True) :][-most:]


def _targets(client: Client, first: str, second: str, most: int) -> None:
    """Who spoke, and where the client is, with the time of the last message between two times."""
    low, high = sorted(one.partition("=")[2] for one in (first, second))
    places = {one.name: one.history for one in client.irc.channels.values() if client in one.members}
    for one in client.irc.private:
        pair = {one.nick, one.params[0]}
        if client.nick in pair:
            places.setdefault(next(iter(pair - {client.nick}), client.nick), []).append(one)
    last = {name: max((one.tags["time"] for one in kept if one.command in SPOKEN), default="") for name, kept in places.items()}
    found = sorted((when, name) for name, when in last.items() if low < when < high)
    lines = (({}, NAME, "CHATHISTORY", ("TARGETS", name, when)) for when, name in itertools.islice(found, most))
    client.batched("draft/chathistory-targets", "", lines)


HISTORY: Final = {
    "BEFORE": lambda kept, given, most: kept[: _at(kept, given[0])][-most:],
    "AFTER": lambda kept, given, most: kept[_at(kept, given[0], after=True) :][:most],
    "LATEST": _latest,
    "AROUND": _around,
    "BETWEEN": _between,
    "TARGETS": None,
}
COMMANDS: Final[dict[str, tuple[int, Handler]]] = {
    "BATCH": (1, _batch),
    "CHATHISTORY": (1, _chathistory),
    "MARKREAD": (1, _markread),
    "NOTICE": (2, _say),
    "PRIVMSG": (1, _say),
    "REDACT": (2, _redact),
    "TAGMSG": (1, _say),
}
