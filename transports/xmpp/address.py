r"""Names: a JID and its parts, and what a bridge's name or a nick looks like as a part of a JID.

    name (a bridge's)            local part                          by
    #python%irc.libera.chat      #python%irc.libera.chat             as it is
    someone@example.com          someone\40example.com               XEP-0106
    c:\5commas                   c\3a\5c5commas                      XEP-0106
    #Python                      #\u{50}ython                        nodeprep would fold the letter
    nick                         resource
    [ada]\_                      [ada]\_                             as it is
    😀                           \u{1f600}                           not in Unicode 3.2
    (empty)                      \u{}                                a resource is never empty
    a\u{b                        a\u{5c}u{b                          a backslash that would begin an escape

Both directions are total and reversible; nodeprep and resourceprep leave the results alone, bidi rules included. XEP-0106
knows ten characters and the local part only; all else that stringprep would refuse, change or drop is written `\u{…}`:
the code point in hexadecimal, lower case, no leading zero.

Follows RFC 6122 (JIDs, nodeprep, resourceprep), RFC 3491 (nameprep), RFC 3454 (stringprep over Unicode 3.2), XEP-0106.
Knows no bridge, no stanza, no slixmpp; CASEMAPPING and the like are the bridges' own.
"""

from __future__ import annotations

import ipaddress
import re
import stringprep
from collections.abc import Callable
from encodings.idna import ToASCII
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias
from unicodedata import ucd_3_2_0

#: Bytes of one part of a JID (RFC 6122 2.1), and characters of a whole one before we look at it.
MAX_PART: Final = 1023
MAX_JID: Final = 3 * MAX_PART + 2


class JidError(ValueError):
    """What was given is no JID, or cannot become part of one."""


class Jid(NamedTuple):
    """A prepared JID; parts that it has not are ''."""

    local: str
    domain: str
    resource: str

    @property
    def bare(self) -> str:
        return f"{self.local}@{self.domain}" if self.local else self.domain

    @property
    def full(self) -> str:
        return f"{self.bare}/{self.resource}" if self.resource else self.bare


# Stringprep (RFC 3454) ---------------------------------------------------------------------------------------------

_Table: TypeAlias = Callable[[str], bool]

_ALWAYS_FORBIDDEN: Final[tuple[_Table, ...]] = (
    stringprep.in_table_c12,  # spaces other than U+0020
    stringprep.in_table_c22,  # controls other than ASCII's
    stringprep.in_table_c3,  # private use
    stringprep.in_table_c4,  # noncharacters
    stringprep.in_table_c5,  # surrogates
    stringprep.in_table_c6,  # U+FFFD and its kin
    stringprep.in_table_c7,  # ideographic description
    stringprep.in_table_c8,  # bidi controls
    stringprep.in_table_c9,  # tags
)


class _Profile:
    """One profile of stringprep: whether case is folded (table B.2), and what is forbidden."""

    __slots__ = ("folds", "forbidden", "name")

    def __init__(self, name: str, folds: bool, *forbidden: _Table) -> None:
        self.name = name
        self.folds = folds
        self.forbidden = _ALWAYS_FORBIDDEN + forbidden


_NODE: Final = _Profile(
    "nodeprep", True, stringprep.in_table_c11, stringprep.in_table_c21, lambda char: char in "\"&'/:<>@"
)
_RESOURCE: Final = _Profile("resourceprep", False, stringprep.in_table_c21)
_NAME: Final = _Profile("nameprep", True)


@lru_cache(10_000)
def _unknown(char: str) -> bool:
    """Not assigned in Unicode 3.2 (table A.1)."""
    return stringprep.in_table_a1(char)


@lru_cache(10_000)
def _mapped(char: str, folds: bool) -> str:
    if stringprep.in_table_b1(char):
        return ""
    if not folds or _unknown(char):
        return char
    folded = stringprep.map_table_b2(char)
    # The library takes lower-case letters from today's Unicode: those that came after 3.2 are not in table B.2.
    return char if any(map(_unknown, folded)) else folded


@lru_cache(10_000)
def _forbidden(char: str, profile: _Profile) -> bool:
    return any(table(char) for table in profile.forbidden)


def _normalized(s: str) -> str:
    """NFKC of Unicode 3.2, to which unknown characters are inert: the library would order them as today's."""
    runs = groupby(s, _unknown)
    return "".join("".join(run) if unknown else ucd_3_2_0.normalize("NFKC", "".join(run)) for unknown, run in runs)


def _prepare(s: str, profile: _Profile, *, stored: bool) -> str:
    """`s` as `profile` makes it: mapped, normalized, checked (RFC 3454 section 2). Raises JidError.

    stored: refuse code points that Unicode 3.2 does not know (section 7). Servers differ: ejabberd refuses them, Prosody
    hands them on; so we never make such names, but answer whoever comes with one.
    """
    out = _normalized("".join([_mapped(char, profile.folds) for char in s]))
    for char in out:
        if _forbidden(char, profile) or (stored and _unknown(char)):
            raise JidError(f"{profile.name} forbids U+{ord(char):04X}")
    # of an unknown letter's direction we know nothing: what the server let through stands
    if not _bidi_holds(out) and not any(map(_unknown, out)):
        raise JidError(f"{profile.name}: right-to-left and left-to-right letters in one part")
    return out


def _bidi_holds(s: str) -> bool:
    """RFC 3454 section 6: letters of both directions do not mix; right-to-left text begins and ends so."""
    if s.isascii() or not any(map(stringprep.in_table_d1, s)):
        return True
    ends = stringprep.in_table_d1(s[0]) and stringprep.in_table_d1(s[-1])
    return ends and not any(map(stringprep.in_table_d2, s))


def nodeprep(local: str) -> str:
    """RFC 6122 appendix A, for what is stored."""
    return local if _steady_name.fullmatch(local) else _prepare(local, _NODE, stored=True)


def resourceprep(resource: str) -> str:
    """RFC 6122 appendix B, for what is stored."""
    return resource if _plain_resource.fullmatch(resource) else _prepare(resource, _RESOURCE, stored=True)


# JIDs (RFC 6122 section 2) -----------------------------------------------------------------------------------------

_plain_local = re.compile(r"[!#$%()*+,\-.0-9;=?A-Z\[\\\]^_`a-z{|}~]+")
_plain_resource = re.compile(r"[ -~]+")
#: Longer JIDs are not remembered: strangers, who may send any, are not to fill the memory with them.
_USUAL: Final = 200
_label = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def parse(s: str) -> Jid:
    """The JID that `s` is. Raises JidError."""
    return _parse(s) if len(s) <= _USUAL else _parse.__wrapped__(s)


@lru_cache(20_000)
def _parse(s: str) -> Jid:
    if len(s) > MAX_JID:
        raise JidError("a JID of more than 3071 bytes")
    address, slash, resource = s.partition("/")
    local, at, domain = address.partition("@")
    if not at:
        local, domain = "", address
    return Jid(
        _local(local) if at else "",
        _domain(domain),
        _resource(resource) if slash else "",
    )


def speakable(jid: Jid) -> bool:
    """Whether every server takes `jid`, of a domain of ours, as the sender of a stanza.

    parse lets through what Unicode 3.2 does not know, and ejabberd hands on a `to` as it was typed, but refuses it as
    `from`. To be asked of an address before it is answered under that address.
    """
    try:
        return nodeprep(jid.local) == jid.local and resourceprep(jid.resource) == jid.resource
    except JidError:
        return False


@lru_cache(20_000)
def bare(s: str) -> str:
    """The bare JID of the JID that `s` is. Raises JidError."""
    return parse(s).bare


def _local(s: str) -> str:
    return _sized(s.lower() if _plain_local.fullmatch(s) else _prepare(s, _NODE, stored=False))


def _resource(s: str) -> str:
    return _sized(s if _plain_resource.fullmatch(s) else _prepare(s, _RESOURCE, stored=False))


def _domain(s: str) -> str:
    """A domain name, without its trailing dot; or an address, IPv6 in brackets. A-labels stay A-labels."""
    if s.startswith("[") and s.endswith("]"):
        try:
            return f"[{ipaddress.IPv6Address(s[1:-1]).compressed}]"
        except ValueError:
            raise JidError("no IPv6 address in the brackets") from None
    labels = [s.lower()] if s.isascii() else [_prepare(label, _NAME, stored=False) for label in s.split(".")]
    name = ".".join(labels).removesuffix(".")
    for label in name.split("."):
        _check_label(label)
    return _sized(name)


def _check_label(label: str) -> None:
    if label.isascii():
        if not _label.fullmatch(label):
            raise JidError(f"{label!r} is no label of a domain")
        return
    try:
        ascii_label = ToASCII(label).decode("ascii")
    except UnicodeError:
        raise JidError("no internationalized label of a domain") from None
    if not all(char.isalnum() or char == "-" or char > "\x7f" for char in label) or not _label.fullmatch(ascii_label):
        raise JidError("no internationalized label of a domain")


def _sized(part: str) -> str:
    if not part:
        raise JidError("an empty part of a JID")
    if len(part) > MAX_PART or (not part.isascii() and len(part.encode()) > MAX_PART):
        raise JidError("a part of a JID of more than 1023 bytes")
    return part


# Names and nicks ---------------------------------------------------------------------------------------------------

#: XEP-0106 section 3.2: what may stand in no local part, and the escaping character itself.
_XEP_0106: Final = {char: f"\\{ord(char):02x}" for char in " \"&'/:<>@\\"}
_XEP_0106_INVERSE: Final = {escape: char for char, escape in _XEP_0106.items()}
_CODES: Final = "|".join(escape[1:] for escape in _XEP_0106.values())

_OURS: Final = r"\\u\{(?:0|[1-9a-f][0-9a-f]{0,4}|10[0-9a-f]{4})\}"
_EMPTY: Final = r"\u{}"

# What stays as it is: nearly all names and nicks.
_steady_name = re.compile(r"[!#$%()*+,\-.0-9;=?\[\]^_`a-z{|}~]{1,1023}")
_steady_nick = re.compile(r"[!-~]{1,1023}")
_name_escapes = re.compile(rf"\\(?:{_CODES})|{_OURS}")
_nick_escapes = re.compile(_OURS)
# A backslash that the way back would take for the beginning of an escape.
_name_backslash = re.compile(rf"\\(?:{_CODES}|u\{{)")
_nick_backslash = re.compile(r"\\u\{")


def to_local(name: str) -> str:
    """The local part for a bridge's name. Raises JidError for '' and for what is too long.

    An upper-case letter is escaped, as nodeprep would fold it: a bridge whose names have no case lowers them first.
    """
    if _steady_name.fullmatch(name):
        return name
    return _escaped_name(name)


def to_resource(nick: str) -> str:
    """The resource for a nick. Raises JidError for what is too long."""
    if _steady_nick.fullmatch(nick) and r"\u{" not in nick:
        return nick
    return _escaped_nick(nick) if nick else _EMPTY


def jid_of(name: str, domain: str) -> str:
    """The bare JID of a bridge's name on its domain; the domain itself for ''. Raises JidError."""
    return f"{to_local(name)}@{domain}" if name else domain


def from_local(local: str) -> str:
    """The name that a local part stands for; what is no escape stays. May hold any character, lone surrogates too."""
    return _name_escapes.sub(_unescape, local) if "\\" in local else local


def from_resource(resource: str) -> str:
    """The nick that a resource stands for; what is no escape stays. May be '' and hold any character."""
    if "\\" not in resource:
        return resource
    return _nick_escapes.sub(_unescape, resource) if resource != _EMPTY else ""


@lru_cache(20_000)
def _escaped_name(name: str) -> str:
    def one(at: int, char: str) -> str:
        if char == "\\":
            return r"\5c" if _name_backslash.match(name, at) else char
        if char == " ":
            # XEP-0106 section 4.1: \20 is neither the first nor the last
            return r"\20" if 0 < at < len(name) - 1 else r"\u{20}"
        return _XEP_0106.get(char) or _kept(char, _NODE)

    return _steady(name, _NODE, one)


@lru_cache(20_000)
def _escaped_nick(nick: str) -> str:
    def one(at: int, char: str) -> str:
        if char == "\\":
            return _ours(char) if _nick_backslash.match(nick, at) else char
        if char == " ":
            return char if 0 < at < len(nick) - 1 else _ours(char)
        return _kept(char, _RESOURCE)

    return _steady(nick, _RESOURCE, one)


def _steady(s: str, profile: _Profile, one: Callable[[int, str], str]) -> str:
    """`s` written so that `profile` leaves it alone, with as few characters escaped as that takes.

    one: how the character at a position is written when nothing around it matters
    """
    if not 0 < len(s) <= MAX_PART:
        raise JidError("a name that is empty or too long")
    for spared in _SPARED:
        out = "".join([one(at, char) if spared(char) else _ours(char) for at, char in enumerate(s)])
        try:
            if _prepare(out, profile, stored=True) == out:
                break
        except JidError:  # the bidi rule; the last try is ASCII, which no profile touches
            continue
    return _sized(out)


#: What each try leaves to `one`: all; not what bidi is about; ASCII alone (normalization changes the rest).
_SPARED: Final[tuple[Callable[[str], bool], ...]] = (
    lambda _: True,
    lambda char: not stringprep.in_table_d1(char),
    str.isascii,
)


@lru_cache(10_000)
def _kept(char: str, profile: _Profile) -> str:
    """`char` itself if `profile` leaves it alone, else its escape."""
    stands = _mapped(char, profile.folds) == char and not _unknown(char) and not _forbidden(char, profile)
    return char if stands and ucd_3_2_0.normalize("NFKC", char) == char else _ours(char)


def _ours(char: str) -> str:
    return f"\\u{{{ord(char):x}}}"


def _unescape(found: re.Match[str]) -> str:
    escape = found[0]
    return _XEP_0106_INVERSE.get(escape) or chr(int(escape[3:-1], 16))
