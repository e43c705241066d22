"""What is done to channels and people on the lab's own IRC server: who is where, modes, lists, who is who.

RFC 2812, Modern IRC, and of IRCv3: extended-join, multi-prefix, userhost-in-names, away-notify, setname, invite-notify, WHOX,
MONITOR, bot mode, draft/channel-rename, draft/no-implicit-names, draft/read-marker (its line behind a JOIN).
"""

from __future__ import annotations

from typing import Final

from lab.irc import Line
from lab.ircv3 import NAME, Client, Handler, Refused
from lab.ircv3_talk import Stored

RANKS: Final = dict(zip("qaohv", "~&@%+", strict=True))


class Channel:
    """members: who is there with the letters they hold; lists: letter -> masks; modes: letter -> value ('' for flags)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[Client, str] = {}
        self.topic: tuple[str, str, int] | None = None
        self.lists: dict[str, list[str]] = {"b": [], "e": [], "I": []}
        self.modes: dict[str, str] = {"n": "", "t": ""}
        self.invited: set[Client] = set()
        self.history: list[Stored] = []

    def marks(self, client: Client, every: bool = True) -> str:
        held = "".join(mark for letter, mark in RANKS.items() if letter in self.members.get(client, ""))
        return held if every else held[:1]

    def operator(self, client: Client) -> bool:
        return bool(set(self.members.get(client, "")) & set("qaoh"))


def find(client: Client, name: str, *, inside: bool = True) -> Channel | None:
    """The channel, or None after a 403 or 442."""
    channel = client.irc.channels.get(name.lower())
    if channel is None:
        client.numeric("403", name, "No such channel")
    elif inside and client not in channel.members:
        client.numeric("442", name, "You're not on that channel")
        return None
    return channel


def _tell(channel: Channel, client: Client, command: str, *params: str) -> None:
    """An event in a channel: told to all in it, and kept for event-playback."""
    stored = Stored.now(client, command, channel.name, params)
    channel.history.append(stored)
    for one in channel.members:
        one.tell(command, *params, source=client.source, tags=stored.tags)


def _join(client: Client, line: Line) -> None:
    keys = [*line.params[1:2], ""][0].split(",")
    for number, name in enumerate(line.params[0].split(",")):
        _enter(client, name, keys[number] if number < len(keys) else "")


def _enter(client: Client, name: str, key: str) -> None:
    irc = client.irc
    new = irc.renamed.get(name.lower())
    if new and "draft/channel-rename" in client.caps:
        raise Refused("FAIL", "JOIN", "CHANNEL_RENAMED", name, new)
    if new:
        client.numeric("470", name, new, "Forwarding to another channel")
        name = new
    if not name.startswith("#"):
        raise Refused("403", name, "No such channel")
    channel = irc.channels.setdefault(name.lower(), Channel(name))
    if client in channel.members:
        return
    if "i" in channel.modes and client not in channel.invited:
        raise Refused("473", name, "Cannot join channel (+i)")
    if channel.modes.get("k", key) != key:
        raise Refused("475", name, "Cannot join channel (+k)")
    channel.members[client] = "" if channel.members else "o"
    channel.history.append(Stored.now(client, "JOIN", channel.name, (channel.name,)))
    for one in channel.members:
        more = (client.account or "*", client.name) if "extended-join" in one.caps else ()
        one.tell("JOIN", channel.name, *more, source=client.source, tags=channel.history[-1].tags)
        if client.away is not None and one is not client and "away-notify" in one.caps:
            one.tell("AWAY", client.away, source=client.source)
    _greet(client, channel)


def _greet(client: Client, channel: Channel) -> None:
    if channel.topic:
        _topic_lines(client, channel)
    if "draft/read-marker" in client.caps:
        marker = client.irc.markers.get((client.nick.lower(), channel.name.lower()), "*")
        client.tell("MARKREAD", channel.name, marker)
    if "draft/no-implicit-names" not in client.caps:
        _names_lines(client, channel)


def _names_lines(client: Client, channel: Channel) -> None:
    every, full = "multi-prefix" in client.caps, "userhost-in-names" in client.caps
    for one in channel.members:
        client.numeric("353", "=", channel.name, channel.marks(one, every) + (one.source if full else one.nick))
    client.numeric("366", channel.name, "End of /NAMES list")


def _names(client: Client, line: Line) -> None:
    channel = client.irc.channels.get(line.params[0].lower())
    if channel is None:
        raise Refused("366", line.params[0], "End of /NAMES list")
    _names_lines(client, channel)


def _part(client: Client, line: Line) -> None:
    for name in line.params[0].split(","):
        if channel := find(client, name):
            _tell(channel, client, "PART", channel.name, *line.params[1:2])
            _remove(channel, client)


def _remove(channel: Channel, client: Client) -> None:
    channel.members.pop(client, None)


def _topic_lines(client: Client, channel: Channel) -> None:
    assert channel.topic is not None
    text, who, when = channel.topic
    client.numeric("332", channel.name, text)
    client.numeric("333", channel.name, who, str(when))


def _topic(client: Client, line: Line) -> None:
    channel = find(client, line.params[0])
    if channel is None:
        return
    if len(line.params) == 1:
        if not channel.topic:
            raise Refused("331", channel.name, "No topic is set")
        _topic_lines(client, channel)
        return
    if "t" in channel.modes and not channel.operator(client):
        raise Refused("482", channel.name, "You're not channel operator")
    channel.topic = (line.text, client.source, int(client.irc.now())) if line.text else None
    _tell(channel, client, "TOPIC", channel.name, line.text)


def _kick(client: Client, line: Line) -> None:
    channel = find(client, line.params[0])
    if channel is None:
        return
    victim = client.irc.clients.get(line.params[1].lower())
    if not channel.operator(client):
        raise Refused("482", channel.name, "You're not channel operator")
    if victim not in channel.members:
        raise Refused("441", line.params[1], channel.name, "They aren't on that channel")
    _tell(channel, client, "KICK", channel.name, victim.nick, line.params[2] if len(line.params) > 2 else client.nick)
    _remove(channel, victim)


def _invite(client: Client, line: Line) -> None:
    guest = client.irc.clients.get(line.params[0].lower())
    channel = find(client, line.params[1])
    if channel is None:
        return
    if guest is None:
        raise Refused("401", line.params[0], "No such nick")
    if guest in channel.members:
        raise Refused("443", guest.nick, channel.name, "is already on channel")
    channel.invited.add(guest)
    client.numeric("341", guest.nick, channel.name)
    guest.tell("INVITE", guest.nick, channel.name, source=client.source)
    for one in channel.members:
        if "invite-notify" in one.caps and one is not client:
            one.tell("INVITE", guest.nick, channel.name, source=client.source)


def _mode(client: Client, line: Line) -> None:
    if not line.params[0].startswith("#"):
        client.bot = "B" in line.params[-1] and "+" in line.params[-1] if len(line.params) > 1 else client.bot
        client.numeric("221", "+" + "B" * client.bot)
        return
    channel = find(client, line.params[0], inside=False)
    if channel is None:
        return
    if len(line.params) == 1:
        values = [value for value in channel.modes.values() if value]
        client.numeric("324", channel.name, "+" + "".join(channel.modes), *values)
        client.numeric("329", channel.name, "1500000000")
        return
    asked = line.params[1].lstrip("+")
    if len(line.params) == 2 and asked in channel.lists:
        numbers = {"b": ("367", "368"), "e": ("348", "349"), "I": ("346", "347")}[asked]
        for mask in channel.lists[asked]:
            client.numeric(numbers[0], channel.name, mask, NAME, "1500000000")
        client.numeric(numbers[1], channel.name, "End of list")
        return
    if not channel.operator(client):
        raise Refused("482", channel.name, "You're not channel operator")
    _change(client, channel, line.params[1], line.params[2:])


def _change(client: Client, channel: Channel, letters: str, values: list[str]) -> None:
    """MODE #chan +ov-b nick nick mask: what has changed is told in one line."""
    sign, done, used = "+", "", []
    for letter in letters:
        if letter in "+-":
            sign = letter
            continue
        value = values.pop(0) if values and (letter in "qaohvbeIk" or (letter == "l" and sign == "+")) else ""
        if letter in RANKS:
            member = client.irc.clients.get(value.lower())
            if member not in channel.members:
                client.numeric("441", value, channel.name, "They aren't on that channel")
                continue
            held = channel.members[member].replace(letter, "")
            channel.members[member] = held + letter if sign == "+" else held
        elif letter in channel.lists:
            masks = channel.lists[letter]
            if (value in masks) == (sign == "+"):
                continue
            (masks.append if sign == "+" else masks.remove)(value)
        elif sign == "+":
            channel.modes[letter] = value
        elif channel.modes.pop(letter, None) is None:
            continue
        done += sign + letter
        used += [value] if value else []
    if done:
        _tell(channel, client, "MODE", channel.name, done, *used)


def _who(client: Client, line: Line) -> None:
    """WHO, and WHOX where fields are asked for (`%tcuhnfa,token`)."""
    target, fields = line.params[0], ([*line.params[1:2], ""][0].partition("%")[2]).partition(",")
    channel = client.irc.channels.get(target.lower())
    people = list(channel.members) if channel else [one for one in client.irc.clients.values() if one.nick == target]
    for one in people:
        flags = ("H" if one.away is None else "G") + "B" * one.bot + (channel.marks(one) if channel else "")
        values = {"t": fields[2], "c": target if channel else "*", "u": one.user, "h": one.address, "s": NAME, "n": one.nick,
                  "f": flags, "a": one.account or "0", "r": one.name}  # fmt: skip
        if fields[0]:
            client.numeric("354", *(values[letter] for letter in "tcuihsnfdlaor" if letter in fields[0] and letter in values))
        else:
            client.numeric("352", values["c"], one.user, one.address, NAME, one.nick, flags, f"0 {one.name}")
    client.numeric("315", target, "End of WHO list")


def _whois(client: Client, line: Line) -> None:
    nick = line.params[-1]
    one = client.irc.clients.get(nick.lower())
    if one is None:
        client.numeric("401", nick, "No such nick")
    else:
        client.numeric("311", one.nick, one.user, one.address, "*", one.name)
        for number, known in (("301", one.away), ("330", one.account), ("335", "is a bot" if one.bot else "")):
            if known:
                client.numeric(number, one.nick, known, *(["is logged in as"] if number == "330" else []))
    client.numeric("318", nick, "End of /WHOIS list")


def _list(client: Client, line: Line) -> None:
    for channel in client.irc.channels.values():
        client.numeric("322", channel.name, str(len(channel.members)), channel.topic[0] if channel.topic else "")
    client.numeric("323", "End of /LIST")


def _away(client: Client, line: Line) -> None:
    client.away = line.text or None
    if client.registered:
        client.numeric(*(("306", "You are marked as being away") if client.away else ("305", "You are back")))
        client.irc.notify(client, "away-notify", "AWAY", *([client.away] if client.away else []))


def _setname(client: Client, line: Line) -> None:
    client.name = line.text
    client.irc.notify(client, "setname", "SETNAME", line.text)
    if "setname" in client.caps:
        client.tell("SETNAME", line.text, source=client.source)


def _monitor(client: Client, line: Line) -> None:
    nicks = line.params[1].split(",") if len(line.params) > 1 else []
    match line.params[0].upper():
        case "+":
            client.monitored |= {nick.lower() for nick in nicks}
        case "-":
            client.monitored -= {nick.lower() for nick in nicks}
            return
        case "C":
            client.monitored.clear()
            return
        case "L":
            client.numeric("732", ",".join(client.monitored))
            client.numeric("733", "End of MONITOR list")
            return
        case "S":
            nicks = list(client.monitored)
    for nick in nicks:
        one = client.irc.clients.get(nick.lower())
        client.numeric("730" if one else "731", one.source if one else nick)


def _rename(client: Client, line: Line) -> None:
    channel = find(client, line.params[0])
    if channel is None:
        return
    irc, old, new = client.irc, channel.name, line.params[1]
    if not channel.operator(client):
        raise Refused("482", old, "You're not channel operator")
    if irc.channels.get(new.lower(), channel) is not channel:
        raise Refused("FAIL", "RENAME", "CHANNEL_NAME_IN_USE", old, new)
    del irc.channels[old.lower()]
    channel.name, irc.channels[new.lower()] = new, channel
    irc.renamed[old.lower()] = new
    reason = line.params[2] if len(line.params) > 2 else ""
    for one in channel.members:
        if "draft/channel-rename" in one.caps:
            one.tell("RENAME", old, new, reason, source=client.source)
        elif old.lower() != new.lower():
            one.tell("PART", old, reason, source=one.source)
            one.tell("JOIN", new, source=one.source)
            _greet(one, channel)


COMMANDS: Final[dict[str, tuple[int, Handler]]] = {
    "AWAY": (0, _away),
    "INVITE": (2, _invite),
    "JOIN": (1, _join),
    "KICK": (2, _kick),
    "LIST": (0, _list),
    "MODE": (1, _mode),
    "MONITOR": (1, _monitor),
    "NAMES": (1, _names),
    "PART": (1, _part),
    "RENAME": (2, _rename),
    "SETNAME": (1, _setname),
    "TOPIC": (1, _topic),
    "WHO": (1, _who),
    "WHOIS": (1, _whois),
}
