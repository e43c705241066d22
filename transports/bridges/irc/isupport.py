"""What a server says of itself (005 RPL_ISUPPORT), and what follows from it: folding, channels, modes, ranks.

Pure. A malformed token is ignored; the default, or the last good value, holds. Nothing is kept of tokens that are not
used, because there is one `ISupport` per connection.

Follows Modern IRC (https://modern.ircdocs.horse/#rplisupport-parameters) and RFC 2812.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import Any, Final

from transports.events import NO_RANK, Rank

# CASEMAPPING ------------------------------------------------------------------------------------------------------


def _folding(upper: str, lower: str) -> Callable[[str], str]:
    """A folding of ASCII characters only. Through bytes, which is several times faster than str.translate."""
    table = bytes.maketrans(upper.encode(), lower.encode())

    def fold(name: str) -> str:
        return name.encode("utf-8", "surrogatepass").translate(table).decode("utf-8", "surrogatepass")

    return fold


_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_fold_ascii: Final = _folding(_UPPER, _UPPER.lower())


def _fold_unicode(name: str) -> str:
    """RFC 7613 UsernameCaseMapped, near enough: lower case, not casefold, so that ß and ss stay two nicks."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name.lower())


_FOLDINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "ascii": _fold_ascii,
    "rfc1459": _folding(_UPPER + "[]\\~", _UPPER.lower() + "{}|^"),
    "rfc1459-strict": _folding(_UPPER + "[]\\", _UPPER.lower() + "{}|"),
    "strict-rfc1459": _folding(_UPPER + "[]\\", _UPPER.lower() + "{}|"),
    "precis": _fold_unicode,  # Ergo
    "rfc7613": _fold_unicode,
    "rfc8265": _fold_unicode,
    "utf8": _fold_unicode,
}


# Tokens -----------------------------------------------------------------------------------------------------------


def _number(value: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", value):
        raise ValueError
    return int(value)


def _line_length(value: str) -> int:
    return min(max(_number(value), 512), 8192)


def _unlimited(value: str) -> int:
    return _number(value) if value else 0


def _watched(value: str) -> int:
    return _number(value) if value else 1_000  # as many as one likes


def _text(value: str) -> str:
    return intern(value[:200])


_MARKS: Final = r"[!-+\--/;-@\[-`{-~]+"  # punctuation, but no comma and colon: those separate


def _marks(value: str) -> str:
    if not re.fullmatch(_MARKS, value):
        raise ValueError
    return intern(value)


def _some_marks(value: str) -> str:
    return _marks(value) if value else ""


def _flag(value: str) -> bool:
    return True


def _prefixes(value: str) -> tuple[str, str]:
    """`(ov)@+` -> ('ov', '@+'); an empty value: there are none."""
    if not value:
        return "", ""
    match = re.fullmatch(rf"\(([A-Za-z]+)\)({_MARKS})", value)
    if not match or len(match[1]) != len(match[2]) or any(len(set(part)) < len(part) for part in match.groups()):
        raise ValueError
    return intern(match[1]), intern(match[2])


def _chanmodes(value: str) -> tuple[str, str, str, str]:
    """`b,k,l,imnpst` -> those four; further kinds, which nobody knows, are left out."""
    if not re.fullmatch("[A-Za-z]*(?:,[A-Za-z]*){3,}", value):
        raise ValueError
    lists, always, when_set, never = map(intern, value.split(",")[:4])
    return lists, always, when_set, never


def _targets(value: str) -> dict[str, int]:
    """`PRIVMSG:4,WHOIS:1,JOIN:` -> targets per command, 0 for as many as one likes."""
    pairs = [pair.partition(":") for pair in value.split(",")[:40] if pair]
    return {intern(command.upper()): _unlimited(limit) for command, _, limit in pairs}


#: token -> (attribute, default, how to read its value; ValueError: ignored).
_TOKENS: Final[Mapping[str, tuple[str, Any, Callable[[str], Any]]]] = {
    "CASEMAPPING": ("casemapping", "rfc1459", str.lower),
    "CHANTYPES": ("chantypes", "#&+!", _marks),
    "PREFIX": ("prefixes", ("ov", "@+"), _prefixes),
    "CHANMODES": ("chanmodes", ("beI", "k", "l", "imnpst"), _chanmodes),
    "STATUSMSG": ("statusmsg", "", _some_marks),
    "CLIENTTAGDENY": ("clienttagdeny", "", _text),
    "NETWORK": ("network", "", _text),
    "LINELEN": ("linelen", 512, _line_length),
    "NICKLEN": ("nicklen", 0, _number),
    "CHANNELLEN": ("channellen", 0, _number),
    "TOPICLEN": ("topiclen", 0, _number),
    "KICKLEN": ("kicklen", 0, _number),
    "AWAYLEN": ("awaylen", 0, _number),
    "MODES": ("modes", 3, _unlimited),
    "TARGMAX": ("targmax", {}, _targets),
    "CHATHISTORY": ("chathistory", 0, _unlimited),
    "MONITOR": ("monitor", 0, _watched),
    "BOT": ("bot", "", _text),
    "WHOX": ("whox", False, _flag),
    "UTF8ONLY": ("utf8only", False, _flag),
    "SAFELIST": ("safelist", False, _flag),
    "ELIST": ("elist", "", _text),
}
_ESCAPED: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")


class ISupport:
    """One server's features, as attributes; the defaults hold until `update`. Lengths are 0 while unknown."""

    __slots__ = ("fold", *(attribute for attribute, _, _ in _TOKENS.values()))

    casemapping: str
    chantypes: str
    prefixes: tuple[str, str]  # modes and their marks, highest first: 'qaohv', '~&@%+'
    chanmodes: tuple[str, str, str, str]  # lists; always an argument; one when set; never one
    statusmsg: str
    clienttagdeny: str  # client tags that are not relayed, `*,-typing` or by name
    network: str
    linelen: int
    nicklen: int
    channellen: int
    topiclen: int
    kicklen: int
    awaylen: int
    modes: int  # modes with an argument per MODE; 0: any number
    targmax: dict[str, int]
    chathistory: int  # lines of one answer; 0: any number
    monitor: int
    bot: str
    whox: bool
    utf8only: bool
    safelist: bool
    elist: str  # what LIST can search by: U is users, M a mask
    fold: Callable[[str], str]  # a name as CASEMAPPING compares it

    def __init__(self) -> None:
        for attribute, default, _ in _TOKENS.values():
            setattr(self, attribute, default)
        self.fold = _FOLDINGS[self.casemapping]

    def update(self, params: Sequence[str]) -> None:
        """Take a 005 line's parameters: our nick, tokens, and words for people (told by their spaces)."""
        for token in params[1:]:
            if " " not in token:
                self._token(token)
        self.fold = _FOLDINGS.get(self.casemapping, _fold_ascii)

    def _token(self, token: str) -> None:
        key, _, value = token.partition("=")
        row = _TOKENS.get(key.removeprefix("-").upper())
        if row is None:
            return
        attribute, default, read = row
        if key[0] == "-":
            setattr(self, attribute, default)
            return
        try:
            setattr(self, attribute, read(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)))
        except ValueError:
            return

    def is_channel(self, name: str) -> bool:
        return name != "" and name[0] in self.chantypes

    def strip_status(self, target: str) -> tuple[str, str]:
        """`@#c` -> ('@', '#c'): a message for some of a channel (STATUSMSG); ('', target) for anything else."""
        channel = target.lstrip(self.statusmsg) if self.statusmsg else target
        if len(channel) < len(target) and self.is_channel(channel):
            return target[: -len(channel)], channel
        return "", target

    def letters(self, marks: str) -> str:
        """`@+` -> 'ov': the mode letters of a member's marks, highest first; unknown marks are left out."""
        if not marks:
            return ""
        return "".join(mode for mode, mark in zip(*self.prefixes, strict=True) if mark in marks)


# Modes ------------------------------------------------------------------------------------------------------------


def parse_modes(isupport: ISupport, params: Sequence[str]) -> list[tuple[bool, str, str]]:
    """MODE's parameters after the channel -> (added, letter, argument or ''), in order.

    A letter that CHANMODES does not name takes no argument; an argument that is missing is ''.
    """
    if not params:
        return []
    lists, always, when_set, _ = isupport.chanmodes
    with_argument = {
        True: lists + always + when_set + isupport.prefixes[0],
        False: lists + always + isupport.prefixes[0],
    }
    arguments = iter(params[1:])
    changes = []
    add = True
    for letter in params[0]:
        if letter in "+-":
            add = letter == "+"
        else:
            changes.append((add, letter, next(arguments, "") if letter in with_argument[add] else ""))
    return changes


def names_entry(isupport: ISupport, entry: str) -> tuple[str, str, str]:
    """`@+nick!user@host` of a 353 line -> (nick, marks, user@host or ''), with or without multi-prefix and userhost."""
    nick = entry.lstrip(isupport.prefixes[1]) if entry[:1] in isupport.prefixes[1] else entry
    marks = entry[: len(entry) - len(nick)]
    nick, _, userhost = nick.partition("!")
    return nick, marks, userhost


#: The highest mode a member has -> affiliation and role; without any: none, participant.
RANKS: Final[Mapping[str, tuple[str, str]]] = {
    "q": ("owner", "moderator"),
    "a": ("owner", "moderator"),
    "o": ("admin", "moderator"),
    "h": ("member", "moderator"),
    "v": ("member", "participant"),
}
_ranks: Final[dict[str, Rank]] = {"": NO_RANK}
_MAX_RANKS: Final = 500  # a hostile PREFIX has many combinations; past these, ranks are made anew


def rank(letters: str) -> Rank:
    """The rank of a member with these modes, highest first; the same object for the same letters."""
    known = _ranks.get(letters)
    if known is not None:
        return known
    highest = next((mode for mode in RANKS if mode in letters), None)
    made = Rank(*(RANKS[highest] if highest else NO_RANK[:2]), mark=letters)
    if len(_ranks) < _MAX_RANKS:
        _ranks[letters] = made
    return made


def add_mode(letters: str, letter: str, order: str) -> str:
    """`letters` with `letter`, in the order of the server's modes (`ISupport.prefixes[0]`)."""
    return "".join(mode for mode in order if mode in letters or mode == letter)


def remove_mode(letters: str, letter: str) -> str:
    return letters.replace(letter, "")
