"""Names of IRC places as users write them, before the `@` of a JID (XEP-0106 escaping already undone).

    #chan%irc.libera.chat    a channel          room
    nick%irc.libera.chat     a user             person
    irc.libera.chat          an IRC server      server
    (nothing)                the gateway        service

With one fixed server: `#chan`, `nick`, and nothing for that server; `%` is then an ordinary character.

Pure; the only file of this wing that knows these forms. Names are lowered in ASCII alone, so that one place has one
address; a network's CASEMAPPING compares (`isupport`), it never makes names. The forms are those that biboumi made known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote

from transports.errors import LegacyError
from transports.events import Address
from transports.words import say

#: RFC 2812 1.3: what a channel's name may start with, where the server has not said (CHANTYPES).
CHANTYPES: Final = "#&+!"
#: RFC 2812 allows 50 characters, networks up to 64 or so; a line must have room for text beside the name. Bytes.
MAX_NAME: Final = 200

SERVICE: Final = Address("service", "")

_LOWER: Final = str.maketrans({chr(n): chr(n + 32) for n in range(ord("A"), ord("Z") + 1)})
_UNFIT: Final = re.compile("[\0-\x20\x7f,\ud800-\udfff]")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
#: draft-butcher-irc-url-04; ports do not make another network.
_URI: Final = re.compile(
    r"ircs?://(?P<host>[^/:?#\s]+)(?::\d+)?/?(?P<target>[^,?\s]*)(?:,(?P<flag>isnick|ischannel|needkey|needpass))?.*",
    re.IGNORECASE,
)
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


def lower(name: str) -> str:
    """ASCII lower case; other letters stay."""
    return name.lower() if name.isascii() else name.translate(_LOWER)


def parse(name: str, fixed: str = "", chantypes: str = CHANTYPES) -> Address:
    """The address that `name` means. LegacyError (jid-malformed) with words when it means nothing.

    fixed: the one server of fixed-server mode, '' otherwise. chantypes: the server's, where they are known.
    """
    name = lower(name)
    if fixed:
        return _target(name, name, chantypes) if name else server(fixed, fixed)
    if not name:
        return SERVICE
    target, percent, host = name.rpartition("%")
    if not percent and name[0] in chantypes:
        raise LegacyError("jid-malformed", say("irc.which-server", name=name))
    if not is_server(host):
        raise LegacyError("jid-malformed", say("irc.bad-server", host=host))
    if host[-1] == ".":  # DNS would find it, but one network under two names is two: limits, passwords, rooms
        raise LegacyError("jid-malformed", say("irc.bad-dot", name=name[:-1]))
    return _target(name, target, chantypes) if percent else Address("server", host)


def _target(name: str, target: str, chantypes: str) -> Address:
    if not target or _UNFIT.search(target) or len(target.encode()) > MAX_NAME:
        raise LegacyError("jid-malformed", say("irc.bad-name"))
    if target[0] in chantypes:
        return Address("room", name)
    if target[0] == ":" or any(char in "!@*?" for char in target):
        raise LegacyError("jid-malformed", say("irc.bad-user"))
    return Address("person", name)


def typed(text: str, fixed: str = "") -> Address:
    """The address that a person means, in any usual way of writing it. LegacyError with words when there is none.

    #chan%irc.libera.chat · #chan@irc.libera.chat · #chan on irc.libera.chat · irc.libera.chat #chan ·
    irc://irc.libera.chat/chan (channels without # too, as browsers write them) · nick on irc.libera.chat
    """
    text = text.strip()
    if len(text) > 2 * MAX_NAME:
        raise LegacyError("jid-malformed", say("irc.too-long"))
    if found := _URI.fullmatch(text):
        host, channel, flag = found["host"], unquote(found["target"] or ""), found["flag"]
        if channel and flag != "isnick" and channel[0] not in CHANTYPES:
            channel = f"#{channel}"
        return parse(_joined(channel, host, fixed), fixed)
    words = [word for word in re.split(r"\s+|@(?=[^@]*\Z)", text) if word.lower() not in ("", "on", "at", "in")]
    if fixed or len(words) != 2 or "%" in text:
        return parse(text, fixed)
    target, host = words if words[0][0] in CHANTYPES or words[1][0] not in CHANTYPES else reversed(words)
    return parse(_joined(target, host, fixed), fixed)


def _joined(target: str, host: str, fixed: str) -> str:
    if fixed:
        if lower(host) != fixed:
            raise LegacyError("item-not-found", say("irc.only", server=fixed))
        return target
    return f"{target}%{host}" if target else host


def is_server(name: str) -> bool:
    """Whether `name`, in lower case, can be a host, an IP address or the name of a configured network."""
    if ":" in name:
        try:
            return bool(IPv6Address(name))
        except ValueError:
            return False
    return len(name) <= 255 and _HOST.fullmatch(name) is not None


def room(channel: str, server: str, fixed: str = "") -> Address:
    return Address("room", _name(channel, server, fixed))


def person(nick: str, server: str, fixed: str = "") -> Address:
    return Address("person", _name(nick, server, fixed))


def server(server: str, fixed: str = "") -> Address:
    return Address("server", "" if fixed else lower(server))


def _name(target: str, server: str, fixed: str) -> str:
    return lower(target) if fixed else lower(f"{target}%{server}")


@lru_cache(4_096)
def split(address: Address, fixed: str = "") -> tuple[str, str]:
    """(channel or nick, server) of an address; '' for what it does not have. The inverse of room, person and server."""
    if address.kind == "service":
        return "", ""
    if address.kind == "server":
        return "", fixed or address.name
    if fixed:
        return address.name, fixed
    target, _, host = address.name.rpartition("%")
    return target, host
