"""The channels of a server, as LIST tells them: read, sorted, searched, a page at a time.

Pure. A network may have 50,000 channels: what comes (322) is kept as it came and read afterwards, in slices, so that the loop
goes on; what is kept of each is a small tuple. RFC 2812 3.2.6, ISUPPORT's ELIST, XEP-0059 for the pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.text import strip_formatting
from transports.errors import LegacyError
from transports.ports import Search
from transports.words import say

#: Channels that are kept of one server.
MOST: Final = 50_000
#: Characters of one 322 that are kept until it is read, and of a topic.
ROW, TOPIC = 500, 160
#: Rooms of one page.
PAGE: Final = 200
#: Rows that are read, or looked through, before the loop turns.
SLICE: Final = 2_000

#: Name as the server spells it, people in it, topic with its formatting.
Row: TypeAlias = tuple[str, int, str]

# COMPAT: InspIRCd puts the channel's modes before its topic.
_MODES: Final = re.compile(r"\[\+[A-Za-z]+(?: [^\]]*)?\] ?")


def keep(rows: list[str], rest: str) -> None:
    """One 322 behind its numeric: `ada #c 12 :topic`."""
    if len(rows) < MOST:
        rows.append(rest if len(rest) <= ROW else rest[:ROW])


def read(raw: Sequence[str], chantypes: str) -> list[Row]:
    """A slice of 322s; what is no channel (a private one is a `*`), or malformed, is left out."""
    rows: list[Row] = []
    for rest in raw:
        head, _, topic = rest.partition(" :")
        words = head.split(" ")
        if len(words) == 3 and words[1][:1] in chantypes and words[2].isdecimal() and len(words[1]) <= irc_address.MAX_NAME:
            rows.append((words[1], min(int(words[2][:9]), 10**9), topic[:TOPIC]))
    return rows


def arranged(rows: list[Row]) -> list[Row]:
    """Those with the most people first, equals by name."""
    rows.sort(key=itemgetter(0))
    rows.sort(key=itemgetter(1), reverse=True)
    return rows


def topic(row: Row) -> str:
    """A channel's topic for people."""
    text = row[2]
    if text[:2] == "[+":
        text = _MODES.sub("", text, count=1)
    return strip_formatting(text)


def slices(rows: Sequence[Row], search: Search) -> Iterator[list[Row]]:
    """What fits a search, in slices of SLICE that were looked through."""
    words = [word.casefold() for word in search.text.split()][:10]
    for at in range(0, len(rows), SLICE):
        yield [row for row in rows[at : at + SLICE] if row[1] >= search.least and _fits(row, words, search)]


def _fits(row: Row, words: Sequence[str], search: Search) -> bool:
    if not words:
        return True
    text = f"{row[0] if search.names else ''} {row[2] if search.subjects else ''}".casefold()
    return all(word in text for word in words)


def page(rows: Sequence[Row], search: Search) -> tuple[Sequence[Row], int]:
    """The page of a search among all that fits it, in order: its rows, and the index of the first. LegacyError."""
    most = max(0, min(search.most, PAGE))
    if search.after is not None:
        start = _index(rows, search.after) + 1
    elif search.before is not None:
        end = _index(rows, search.before) if search.before else len(rows)
        start = max(0, end - most)
        most = min(most, end)
    else:
        start = max(0, search.at or 0)
    return rows[start : start + most], start


def _index(rows: Sequence[Row], name: str) -> int:
    """Where a channel stands (XEP-0059 2.5: one that is not there any more is item-not-found)."""
    for index, row in enumerate(rows):
        if irc_address.lower(row[0]) == name:
            return index
    raise LegacyError("item-not-found", say("irc.list-changed"))
