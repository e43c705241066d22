"""Result set management (XEP-0059): what page is asked for, and which one it is. Pure; what the items are is no matter here."""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.errors import LegacyError
from transports.xmpp.xml import text

NS: Final = "http://jabber.org/protocol/rsm"
#: Characters of an item's id.
LONGEST: Final = 2_000


class Paging(NamedTuple):
    """`most` items, None as many as are usual; behind `after`, before `before` ('' is the last page), or from the index `at`."""

    most: int | None = None
    after: str | None = None
    before: str | None = None
    at: int | None = None


NO_PAGING: Final = Paging()


def asked(inside: Element | None) -> Paging | None:
    """The `<set/>` in an element; None when there is none. LegacyError for one that cannot be understood."""
    found = inside.find(f"{{{NS}}}set") if inside is not None else None
    if found is None:
        return None
    after, before = found.find(f"{{{NS}}}after"), found.find(f"{{{NS}}}before")
    return Paging(
        _number(found, "max"),
        _id(after) if after is not None and after.text else None,
        _id(before) if before is not None else None,
        _number(found, "index"),
    )


def _number(found: Element, name: str) -> int | None:
    said = found.findtext(f"{{{NS}}}{name}")
    if said is None:
        return None
    said = said.strip()
    if not (said.isascii() and said.isdigit()):
        raise LegacyError("bad-request", "")
    return int(said[:9])


def _id(found: Element) -> str:
    return (found.text or "")[:LONGEST]


def page(first: str, last: str, index: int, total: int) -> str:
    """The `<set/>` of an answer; without `first` the page is empty (XEP-0059 2.2, 2.7)."""
    ends = f"<first index='{index}'>{text(first)}</first><last>{text(last)}</last>" if first else ""
    return f"<set xmlns='{NS}'>{ends}<count>{total}</count></set>"
