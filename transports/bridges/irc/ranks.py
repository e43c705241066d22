"""Roles and affiliations as modes: what XEP-0045 asks for, in lines of MODE and KICK, and who is in which list.

Pure. The mapping is the one that biboumi made known, as far as a server has the modes (PREFIX): owner q, admin o, member v,
moderator h, participant v; lesser marks stay, higher ones go. XEP-0045 8 and 9; RFC 2812 3.2.3 and 3.2.8; Modern IRC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from transports.bridges.irc import write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.isupport import ISupport, rank
from transports.bridges.irc.numerics import Refusal
from transports.bridges.irc.text import one_line
from transports.errors import LegacyError
from transports.words import say

#: The marks that give an affiliation or a role, best first; of those the server's first one counts.
AFFILIATIONS: Final[Mapping[str, str]] = {"owner": "qao", "admin": "oa", "member": "vh", "none": ""}
ROLES: Final[Mapping[str, str]] = {"moderator": "ho", "participant": "v", "visitor": ""}
#: Bytes of the changes in one MODE line; the channel's name and our source have the rest of it.
MODE_BYTES: Final = 250
#: Bytes of a kick's reason, where the server has not said (KICKLEN).
REASON_BYTES: Final = 200
#: Seconds for an answer: the line may have to wait for the flood control first.
WITHIN: Final = 60.0

#: What a server says instead of a MODE or KICK. Where servers differ: InspIRCd 3 has 696 to 698 and 972.
RANK_ERRORS: Final[Mapping[str, Refusal]] = {
    "263": Refusal("resource-constraint", "ircd.busy", 60),
    "401": Refusal("item-not-found", "ircd.nobody"),
    "403": Refusal("item-not-found", "ircd.no-channel"),
    "406": Refusal("item-not-found", "ircd.nobody"),
    "421": Refusal("feature-not-implemented", "ircd.untaken"),
    "441": Refusal("item-not-found", "ircd.not-there"),
    "442": Refusal("not-acceptable", "ircd.not-in"),
    "443": Refusal("conflict", "ircd.there-already"),
    "461": Refusal("bad-request", "ircd.bad-mode"),
    "467": Refusal("conflict", "ircd.has-key"),
    "472": Refusal("not-acceptable", "ircd.no-mode"),
    "477": Refusal("not-allowed", "ircd.no-modes"),
    "478": Refusal("resource-constraint", "ircd.list-full"),
    "481": Refusal("forbidden", "ircd.only-staff"),
    "482": Refusal("forbidden", "ircd.only-operators"),
    "483": Refusal("not-allowed", "ircd.protected"),
    "484": Refusal("not-allowed", "ircd.protected"),
    "485": Refusal("forbidden", "ircd.only-operators"),
    "518": Refusal("not-allowed", "ircd.no-invitations"),
    "696": Refusal("not-acceptable", "ircd.bad-mode"),
    "697": Refusal("conflict", "ircd.listed"),
    "698": Refusal("item-not-found", "ircd.unlisted"),
    "972": Refusal("not-allowed", "ircd.protected"),
}


class Mode(NamedTuple):
    """One change of a channel's modes; `argument` '' for none."""

    added: bool
    letter: str
    argument: str = ""


# What is asked for -----------------------------------------------------------------------------------------------------


def marks(isupport: ISupport, held: str, role: str, affiliation: str) -> tuple[str, str]:
    """(the mark to give, marks to take) for who holds `held`; one of role and affiliation is ''. LegacyError."""
    order = isupport.prefixes[0]
    now = rank(held)
    if (affiliation and now.affiliation == affiliation) or (role == now.role == "moderator"):
        return "", ""
    if role == "visitor" and now.affiliation in ("owner", "admin"):  # XEP-0045 8.4
        raise LegacyError("not-allowed", say("irc.voice-of-operators"))
    wanted = AFFILIATIONS[affiliation] if affiliation else ROLES[role]
    mark = next((letter for letter in wanted if letter in order), "")
    if wanted and not mark:
        raise LegacyError("not-acceptable", say("irc.no-such-rank"))
    higher = order[: order.index(mark)] if mark else order
    return ("" if mark in held else mark), "".join(letter for letter in higher if letter in held)


def is_mask(name: str) -> bool:
    """Whether a name is no nick but a pattern of a ban list."""
    return any(char in "!@*?:$" for char in name)


def mask_of(nick: str, host: str) -> str:
    """The mask that keeps somebody out: whatever nick and user name they take, as far as their host is known (`~user@host`)."""
    host = host.rpartition("@")[2]
    return f"*!*@{host}" if host else f"{nick}!*@*"


def mode_lines(channel: str, most: int, modes: Iterable[Mode]) -> list[tuple[str, list[Mode]]]:
    """The changes in as few MODE lines as the server takes (ISUPPORT MODES; 0: any number). LegacyError."""
    groups: list[list[Mode]] = []
    size = count = 0
    for mode in modes:
        needed = len(mode.argument.encode()) + 3
        if not groups or size + needed > MODE_BYTES or (mode.argument and most and count >= most):
            groups.append([])
            size = count = 0
        groups[-1].append(mode)
        size += needed
        count += bool(mode.argument)
    return [(mode_line(channel, group), group) for group in groups]


def mode_line(channel: str, modes: Sequence[Mode]) -> str:
    letters, sign = "", ""
    for mode in modes:
        wanted = "+" if mode.added else "-"
        letters += mode.letter if wanted == sign else wanted + mode.letter
        sign = wanted
    try:
        return write.mode(channel, letters, *(mode.argument for mode in modes if mode.argument))
    except write.BadLine:
        raise LegacyError("not-acceptable", say("irc.mode-unfit")) from None


def mode_question(channel: str, line: str, modes: Sequence[Mode], fence: str) -> Question:
    """The MODE lines that come of it are its rows; the fence ends it, as servers say nothing of what is so already."""
    names = dict.fromkeys([channel, *(mode.argument for mode in modes if mode.argument), *(mode.letter for mode in modes)])
    return Question(line, tuple(names), frozenset(("MODE",)), errors=RANK_ERRORS, shared=True, within=WITHIN, fence=fence)


def kick_question(channel: str, nick: str, reason: str, longest: int, fold: Callable[[str], str], fence: str) -> Question:
    reason = one_line(reason, min(longest or REASON_BYTES, REASON_BYTES))
    try:
        line = write.kick(channel, nick, reason)
    except write.BadLine:
        raise LegacyError("item-not-found", say("irc.unfit", target=nick)) from None
    wanted = fold(nick)
    return Question(
        line,
        (channel, nick),
        ends=frozenset(("KICK",)),
        errors=RANK_ERRORS,
        fits=lambda kick: len(kick.params) > 1 and fold(kick.params[1]) == wanted,
        shared=True,
        within=WITHIN,
        fence=fence,
    )


def sharper(error: LegacyError, own: str) -> LegacyError:
    """What a refusal means to who has the right marks for it: the other one ranks higher (XEP-0045 8.2, 9.1)."""
    if error.condition != "forbidden" or rank(own).role != "moderator":
        return error
    return LegacyError("not-allowed", error.text)
