"""What an archive is asked and what it gives: values only.

A message is kept as what a client sees of it: the parts of its stanza, finished XML, so that live, history and archive
show the same. Its id is its time: nanoseconds since the epoch, unique, in hexadecimal (`gateway_seams.Ids`). So the order of
ids is the order of the archive, also of what came late. Times are whole milliseconds since the epoch.
XEP-0313 for queries, XEP-0059 for pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from transports.errors import LegacyError

#: Ids of one query.
MOST_IDS: Final = 100


class Line(NamedTuple):
    """One archived message.

    id        in the archive; its stanza-id (XEP-0359)
    own       the user's own
    nick      its sender's, as resource inside an attribute; '' in the archive of a person
    stanza    the id of the stanza, as its author gave it; '' for none
    occupant  XEP-0421
    content   what is in the stanza beside ids, delay and addresses
    key       the far side's id of it, '' for none
    """

    id: str
    at: int
    own: bool
    nick: str
    stanza: str
    occupant: str
    content: str
    key: str = ""


#: Parts of a line as it is stored; no XML holds this character.
_SPLIT: Final = "\x1f"
#: Nanoseconds in a millisecond.
_MILLION: Final = 1_000_000


def packed(nick: str, occupant: str, content: str, own: bool, stanza: str) -> str:
    """A line as it is stored, beside its id and the far side's."""
    occupant = "" if occupant == nick else occupant
    if own:
        return f"1{nick}{_SPLIT}{occupant}{_SPLIT}{stanza}{_SPLIT}{content}"
    return f"0{nick}{_SPLIT}{occupant}{_SPLIT}{content}"


def unpacked(id: int, line: str, key: str | None) -> Line:
    """The inverse; the id of a stanza that is not the user's own is the archive's."""
    own = line[:1] == "1"
    nick, occupant, *stanza, content = line[1:].split(_SPLIT, 3 if own else 2)
    name = f"{id:x}"
    return Line(name, id // _MILLION, own, nick, stanza[0] if own else name, occupant or nick, content, key or "")


def beginning(nick: str, own: bool) -> str:
    """What every line of an occupant begins with."""
    return f"{int(own)}{nick}{_SPLIT}"


def at_or_after(at: int) -> int:
    """The first id of a time."""
    return min(max(at, 0) * _MILLION, (1 << 63) - 1)


class Query(NamedTuple):
    """Which messages, and which page of them. Of the bounds all count.

    start, end        at or after, at or before; None: open
    after_id, before_id    beyond these messages, which must be there
    ids               these and no others; they must be there
    nick, own         of that occupant; the user's own (True), others' (False)
    nothing           none match
    most              of a page
    after, before     the page that follows or ends before this message (XEP-0059); before '': the last page
    """

    start: int | None = None
    end: int | None = None
    after_id: str = ""
    before_id: str = ""
    ids: Sequence[str] = ()
    nick: str = ""
    own: bool | None = None
    nothing: bool = False
    most: int = 50
    after: str = ""
    before: str | None = None


class Page(NamedTuple):
    """Lines in their order; `total` of all that match, `at`: the place of the first line among them.

    complete: nothing more that way, i.e. behind the last line, or before the first where pages go backwards
    """

    lines: Sequence[Line]
    total: int
    at: int
    complete: bool


class Extent(NamedTuple):
    """The first and the last message of an archive: id and time."""

    first: tuple[str, int]
    last: tuple[str, int]


class History(NamedTuple):
    """How much of the past a client wants when it comes in (XEP-0045 7.2.13); None: as much as there is.

    chars of the stanzas, stanzas, seconds back, since (seconds since the epoch). What was no number is None.
    """

    chars: int | None = None
    stanzas: int | None = None
    seconds: int | None = None
    since: float | None = None

    @property
    def none(self) -> bool:
        """Nothing at all."""
        return 0 in (self.chars, self.stanzas, self.seconds)


EVERYTHING: Final = History()


class Retention(NamedTuple):
    """What is kept: days, messages of one place and user, messages of one user in all."""

    days: int = 90
    lines: int = 50_000
    total: int = 500_000


USUAL: Final = Retention()


class Unknown(LegacyError):
    """An id that is not in the archive (XEP-0313: item-not-found)."""

    def __init__(self) -> None:
        super().__init__("item-not-found", "")


def number(id: str) -> int:
    """An id of ours as the number it is. Unknown when it is none."""
    try:
        found = int(id, 16) if len(id) <= 16 else -1
    except ValueError:
        raise Unknown from None
    if not 0 < found < 1 << 63 or f"{found:x}" != id:
        raise Unknown
    return found
