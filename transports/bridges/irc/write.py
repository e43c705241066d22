"""IRC, outwards: the one serializer. Nothing else in the house makes an IRC line.

Pure. A line is one command whatever its parameters hold: a carriage return, a line feed, a NUL, a space or an empty text in
the wrong place is refused with `BadLine`, never cleaned, because what is left after cleaning is not what was meant.
Callers split texts at line breaks first (`text.lines_of`).

Follows Modern IRC (https://modern.ircdocs.horse/#message-format) and IRCv3 message-tags. Lines come without CR LF.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

#: RFC 1459 2.3: a line has at most 15 parameters.
MAX_PARAMS: Final = 15
#: IRCv3 message-tags: a client sends at most 4094 bytes of tags.
MAX_TAGS: Final = 4094

# Lone surrogates have no UTF-8, so no place on the wire.
_NEVER: Final = re.compile("[\0\r\n\ud800-\udfff]")
_COMMAND: Final = re.compile(r"[A-Za-z]+|[0-9]{3}")
_TAG: Final = re.compile(r"\+?(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9-]+")
_ESCAPE: Final = str.maketrans({";": r"\:", " ": r"\s", "\\": r"\\", "\r": r"\r", "\n": r"\n"})


class BadLine(ValueError):
    """What was asked for cannot be said in one IRC line; the message names the part, not its content."""


def line(command: str, *params: str, tags: Mapping[str, str] | None = None, source: str = "") -> str:
    """The line of `command` with `params`; the last one may hold spaces, start with a colon or be empty.

    Tag values are escaped, so they may hold anything but NUL. Raises BadLine.
    """
    if not _COMMAND.fullmatch(command):
        raise BadLine("command")
    words = [command]
    if source:
        words.insert(0, ":" + _middle(source, "source"))
    if tags:
        words.insert(0, _tags(tags))
    if params:
        if len(params) > MAX_PARAMS:
            raise BadLine("too many parameters")
        words += [_middle(param, "parameter") for param in params[:-1]]
        words.append(_last(params[-1]))
    return " ".join(words)


def _fits(text: str) -> bool:
    return text.isprintable() or _NEVER.search(text) is None  # isprintable: true of most, and fast


def _middle(param: str, what: str) -> str:
    if not param or param[0] == ":" or " " in param or not _fits(param):
        raise BadLine(what)
    return param


def _last(param: str) -> str:
    if not _fits(param):
        raise BadLine("last parameter")
    return ":" + param if not param or param[0] == ":" or " " in param else param


def _tags(tags: Mapping[str, str]) -> str:
    """`@a=b;c`. An empty value is written as a missing one: the two mean the same."""
    words = []
    for key, value in tags.items():
        escaped = value.translate(_ESCAPE)
        if not _TAG.fullmatch(key) or not _fits(escaped):
            raise BadLine("tag")
        words.append(f"{key}={escaped}" if escaped else key)
    text = "@" + ";".join(words)
    if len(text.encode()) > MAX_TAGS:
        raise BadLine("tags too long")
    return text


# Commands ---------------------------------------------------------------------------------------------------------


def with_tags(tags: Mapping[str, str], line: str) -> str:
    """A line that has none, with tags."""
    return f"{_tags(tags)} {line}"


def target(name: str) -> str:
    """One channel or nick, fit to be a parameter; a comma would make it several (RFC 2812 2.3.1, 3.3.1). Raises BadLine."""
    if "," in name or "\x07" in name:
        raise BadLine("target")
    return _middle(name, "target")


def _text(text: str) -> str:
    if not text:
        raise BadLine("no text")
    return text


def join(channel: str, key: str = "") -> str:
    """RFC 2812 3.2.1. `JOIN 0` leaves all channels, so it is refused."""
    if channel == "0" or "," in key or " " in key:
        raise BadLine("channel or key")
    return line("JOIN", target(channel), *([key] if key else []))


def part(channel: str, reason: str = "") -> str:
    return line("PART", target(channel), *([reason] if reason else []))


def privmsg(to: str, text: str) -> str:
    """As `line` makes it, on the hot way."""
    return f"PRIVMSG {target(to)} {_last(_text(text))}"


def privmsg_head(to: str) -> str:
    """The start of every PRIVMSG to one target; what follows it must be `plain`."""
    return privmsg(to, ":")[:-1]


def plain(text: str) -> bool:
    """Whether `text` is one line of printable ASCII, which `privmsg_head` may be followed by as it is."""
    return text.isascii() and text.isprintable()


def notice(to: str, text: str) -> str:
    return f"NOTICE {target(to)} {_last(_text(text))}"


def tagmsg(to: str, tags: Mapping[str, str]) -> str:
    """Client tags alone (IRCv3 message-tags)."""
    return line("TAGMSG", target(to), tags=tags)


def redact(to: str, key: str) -> str:
    """IRCv3 draft/message-redaction."""
    return line("REDACT", target(to), _middle(key, "id"))


def markread(to: str, when: str) -> str:
    """IRCv3 draft/read-marker; when: as server-time has it."""
    return line("MARKREAD", target(to), f"timestamp={when}")


def nick(name: str) -> str:
    return line("NICK", target(name))


def user(username: str, realname: str) -> str:
    """RFC 2812 3.1.3, with the values that Modern IRC asks for in the two middle places."""
    if "@" in username or "!" in username:
        raise BadLine("username")
    return line("USER", username, "0", "*", _text(realname))


def pass_(password: str) -> str:
    return line("PASS", _text(password))


def webirc(password: str, gateway: str, host: str, ip: str) -> str:
    """IRCv3 WebIRC: whom a gateway speaks for. An IP that starts with a colon gets a zero before it."""
    return line("WEBIRC", password, gateway, host, f"0{ip}" if ip.startswith(":") else ip)


def cap(*args: str) -> str:
    """IRCv3 capability negotiation: cap('LS', '302'), cap('REQ', 'batch labeled-response'), cap('END')."""
    return line("CAP", *args)


def authenticate(payload: str) -> str:
    """`payload`: a mechanism, 1-400 characters of base64, '+' for nothing, '*' to abort (IRCv3 sasl-3.1)."""
    if len(payload) > 400:
        raise BadLine("payload")
    return line("AUTHENTICATE", _middle(payload, "payload"))


def ping(token: str) -> str:
    return line("PING", token)


def pong(token: str) -> str:
    return line("PONG", token)


def quit(reason: str = "") -> str:
    return line("QUIT", *([reason] if reason else []))


def topic(channel: str, text: str | None = None) -> str:
    """Set the topic ('' clears it), or ask for it (None)."""
    return line("TOPIC", target(channel), *([] if text is None else [text]))


def kick(channel: str, nick: str, reason: str = "") -> str:
    return line("KICK", target(channel), target(nick), *([reason] if reason else []))


def mode(to: str, modes: str = "", *args: str) -> str:
    """Change the modes of a channel or of ourselves, or ask for them (no `modes`)."""
    if modes:
        return line("MODE", target(to), _middle(modes, "modes"), *(_middle(arg, "mode argument") for arg in args))
    return line("MODE", target(to))


def names(channel: str) -> str:
    return line("NAMES", target(channel))


def who(mask: str, fields: str = "") -> str:
    """`fields`: WHOX's, e.g. '%tcuhnfar,42'."""
    return line("WHO", target(mask), *([_middle(fields, "fields")] if fields else []))


def whois(nick: str) -> str:
    """Asks the server that `nick` is on (the doubled nick), which alone knows how long it was idle."""
    return line("WHOIS", target(nick), nick)


def away(text: str = "") -> str:
    """Away with `text`; '' comes back."""
    return line("AWAY", *([text] if text else []))


def monitor(sign: str, nick: str) -> str:
    """Begin (+) or end (-) to be told when a nick comes and goes (IRCv3 monitor)."""
    return line("MONITOR", sign, target(nick))


def monitor_all(sign: str, nicks: Iterable[str]) -> str:
    """The same for several."""
    return line("MONITOR", sign, ",".join(map(target, nicks)))


def ison(nick: str) -> str:
    """RFC 2812 4.9: is anybody called so?"""
    return line("ISON", target(nick))


def ison_all(nicks: Iterable[str]) -> str:
    """The same for several."""
    return line("ISON", " ".join(map(target, nicks)))


def chathistory(channel: str, after: str, most: int) -> str:
    """What was said after a moment (server-time), the oldest first (IRCv3 draft/chathistory)."""
    return line("CHATHISTORY", "AFTER", target(channel), f"timestamp={after}", str(most))


def invite(nick: str, channel: str) -> str:
    return line("INVITE", target(nick), target(channel))


def list(mask: str = "") -> str:
    """Channels and topics; `mask` or an ELIST condition such as '>10', '' for all."""
    return line("LIST", *([target(mask)] if mask else []))
