"""A channel's modes as a room's configuration: which fields a server's modes make, what they hold, and what a changed form says.

Pure. XEP-0045's own names where it has one for a mode (muc#roomconfig_…), the letter for the others (irc#mode_R). What a server
has stands in its CHANMODES. RFC 2811 4, Modern IRC, and the names that most servers mean alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from transports.bridges.irc.isupport import ISupport, parse_modes
from transports.bridges.irc.ranks import Mode
from transports.describe import Answers, Field, Value, Wrong
from transports.errors import LegacyError
from transports.words import Text, say

MODERATED: Final = "muc#roomconfig_moderatedroom"
SUBJECT: Final = "muc#roomconfig_changesubject"
MEMBERS: Final = "muc#roomconfig_membersonly"
PROTECTED: Final = "muc#roomconfig_passwordprotectedroom"
KEY: Final = "muc#roomconfig_roomsecret"
LIMIT: Final = "muc#roomconfig_maxusers"
PUBLIC: Final = "muc#roomconfig_publicroom"
OTHER: Final = "irc#mode_"

#: Flags that XEP-0045 has a field for: letter -> (field, whether the mode being on is a yes).
_FLAGS: Final[Mapping[str, tuple[str, bool]]] = {
    "m": (MODERATED, True),
    "i": (MEMBERS, True),
    "s": (PUBLIC, False),
    "t": (SUBJECT, False),
}
_LABELS: Final[Mapping[str, str]] = {
    "m": "irc.mode-m",
    "i": "irc.mode-i",
    "s": "irc.mode-s",
    "t": "irc.mode-t",
    "n": "irc.mode-n",
    "p": "irc.mode-p",
    "R": "irc.mode-registered",
    "C": "irc.mode-no-ctcp",
    "c": "irc.mode-no-colour",
}
#: Bytes of a mode's argument, a key among them.
_LONGEST: Final = 200


def current(isupport: ISupport, params: Sequence[str]) -> dict[str, str]:
    """324's parameters behind the channel -> the modes that are on, and their arguments ('' for none)."""
    return {letter: argument for added, letter, argument in parse_modes(isupport, params) if added}


def fields(isupport: ISupport, on: Mapping[str, str]) -> list[Field]:
    """The fields for what a server's channels can be, with what holds now."""
    _, always, when_set, flags = isupport.chanmodes
    found = [_flag(letter, on) for letter in sorted(set(flags), key=_order)]
    if "k" in always:
        found.append(Field(PROTECTED, say("irc.mode-k"), "switch", default="k" in on))
        found.append(Field(KEY, say("irc.mode-key"), "secret", default=on.get("k", ""), check=_fit_key))
    if "l" in when_set:
        found.append(Field(LIMIT, say("irc.mode-l"), "number", say("irc.mode-l-help"), default=on.get("l", ""), check=_count))
    for letter in sorted({*always, *when_set} - {"k", "l"}, key=_order):
        now, words = on.get(letter, ""), say("irc.mode-argument")
        found.append(Field(OTHER + letter, _label(letter), help=words, default=now, check=argument))
    return found


def _order(letter: str) -> tuple[bool, bool, str]:
    """Those of XEP-0045 first, then those that have names."""
    return letter not in _FLAGS, letter not in _LABELS, letter


def _flag(letter: str, on: Mapping[str, str]) -> Field:
    var, positive = _FLAGS.get(letter, (OTHER + letter, True))
    return Field(var, _label(letter), "switch", default=(letter in on) is positive)


def _label(letter: str) -> Text:
    key = _LABELS.get(letter)
    return say("irc.mode-letter", letter=letter) if key is None else say(key)


def _count(typed: str) -> str:
    if int(typed) < 0:
        raise ValueError(say("form.number"))
    return typed if int(typed) else ""


def argument(typed: str) -> str:
    """A mode's argument: one word. ValueError with words."""
    if " " in typed or typed[:1] == ":" or not typed.isprintable() or len(typed.encode()) > _LONGEST:
        raise ValueError(say("irc.mode-unfit"))
    return typed


def _fit_key(typed: str) -> str:
    """A key; one with a comma would be two when one joins (RFC 2812 3.2.1)."""
    if "," in typed:
        raise ValueError(say("irc.mode-unfit"))
    return argument(typed)


# What a form says -------------------------------------------------------------------------------------------------------


def changes(isupport: ISupport, on: Mapping[str, str], answers: Answers) -> list[Mode]:
    """What has to change for `answers` to hold; fields that are not among them keep what they have. describe.Wrong."""
    _, always, when_set, flags = isupport.chanmodes
    made: list[Mode] = []
    for letter in dict.fromkeys(flags):
        var, positive = _FLAGS.get(letter, (OTHER + letter, True))
        if var in answers and (answers[var] is positive) != (letter in on):
            made.append(Mode(letter not in on, letter))
    if "k" in always:
        made += _key(on, answers)
    for letter in dict.fromkeys(always + when_set):
        var = LIMIT if letter == "l" else OTHER + letter
        if letter != "k" and var in answers:
            made += _with_argument(letter, on, answers[var], letter in always)
    return made


def _with_argument(letter: str, on: Mapping[str, str], wanted: Value, always: bool) -> list[Mode]:
    if wanted == on.get(letter, ""):
        return []
    if wanted:
        return [Mode(True, letter, str(wanted))]
    return [Mode(False, letter, on[letter] or "*" if always else "")]


def _key(on: Mapping[str, str], answers: Answers) -> list[Mode]:
    """The key: a new one takes the place of the old one, as some servers set none where there is one."""
    key, protected = str(answers.get(KEY, "")), answers.get(PROTECTED)
    less = [Mode(False, "k", on["k"] or "*")] if "k" in on else []
    if protected is False:
        return less
    if not key and protected and "k" not in on:
        raise Wrong({KEY: say("form.required")})
    return [*less, Mode(True, "k", key)] if key and key != on.get("k") else []


def missing(isupport: ISupport, wanted: Sequence[Mode], lines: Sequence[Sequence[str]]) -> list[Mode]:
    """Of the changes that were asked for those that the server's MODE lines (their parameters) do not show."""
    shown = {(added, letter) for params in lines for added, letter, _ in parse_modes(isupport, params[1:])}
    return [mode for mode in wanted if (mode.added, mode.letter) not in shown]


def refused(modes: Sequence[Mode]) -> LegacyError:
    """The server took some changes in silence and did not make them."""
    letters = " ".join(f"{'+' if mode.added else '-'}{mode.letter}" for mode in modes)
    return LegacyError("not-allowed", say("irc.mode-untaken", modes=letters))
