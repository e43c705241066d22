"""Masks of whom a user wants to see nothing of: nick!user@host, with * and ? as on IRC, compared as the network compares nicks.

Pure. A mask is made by the user and matched against what any server sends, so matching is linear: what a `*` has skipped is not
gone back to. RFC 2812 2.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from transports.bridges.irc.isupport import ISupport
from transports.words import say

#: Masks of one network, and characters of one.
MOST: Final = 50
LONGEST: Final = 200
#: Of what a server says of a sender, as much is looked at.
_LOOKED_AT: Final = 500

_UNFIT: Final = re.compile(r"[\0-\x20\x7f:,]|!.*!|@.*@|@.*!")


def mask(typed: str) -> str:
    """The whole mask for what a person types: nick, nick!user@host, user@host, *.host.example. ValueError with words."""
    typed = typed.strip()
    if not typed or len(typed) > LONGEST or _UNFIT.search(typed):
        raise ValueError(say("irc.bad-mask"))
    if "!" in typed:
        whole = typed if "@" in typed else f"{typed}@*"
    elif "@" in typed:
        whole = f"*!{typed}"
    else:
        whole = f"*!*@{typed}" if "." in typed else f"{typed}!*@*"
    if not whole.translate({ord(char): None for char in "*?!@."}):
        raise ValueError(say("irc.mask-all"))
    return whole


def matcher(masks: Iterable[str], fold: Callable[[str], str]) -> Callable[[str], bool] | None:
    """Whether a sender (`nick!user@host`) fits one of the masks; None for no masks."""
    patterns = [_pattern(fold(one)) for one in list(masks)[:MOST]]
    if not patterns:
        return None
    found = re.compile("|".join(patterns)).fullmatch
    return lambda source: found(fold(source[:_LOOKED_AT])) is not None


class Ignored:
    """The masks of one connection; called with a sender. A server says late how it compares names (CASEMAPPING)."""

    __slots__ = ("_fits", "_fold", "_isupport", "masks")

    def __init__(self, masks: Iterable[str], isupport: ISupport) -> None:
        self.masks = tuple(masks)
        self._isupport = isupport
        self._fold: Callable[[str], str] | None = None
        self._fits: Callable[[str], bool] | None = None

    def __call__(self, source: str) -> bool:
        fold = self._isupport.fold
        if fold is not self._fold:
            self._fold, self._fits = fold, matcher(self.masks, fold)
        return self._fits is not None and self._fits(source)


def _pattern(folded: str) -> str:
    """Each piece between stars is found where it comes first, and stays there."""
    first, *middle = re.sub(r"\*+", "*", folded).split("*")
    if not middle:
        return _piece(first)
    *middle, last = middle
    skipped = "".join(f"(?>.*?{_piece(one)})" for one in middle)
    return f"{_piece(first)}{skipped}.*{_piece(last)}"


def _piece(text: str) -> str:
    return re.escape(text).replace(r"\?", ".")
