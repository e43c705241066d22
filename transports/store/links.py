"""Which stanza is which message of the far side: ids linked one to many, both ways, per user and contact.

With them a receipt, a correction, a reaction or a reply finds its message (XEP-0184, 0308, 0424, 0444, 0461). Links are a
convenience: what is too long or cannot be stored is left out, and they are forgotten after a month. Times are seconds since
the epoch.
"""

from __future__ import annotations

import time
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from transports.events import Address, Outcome
from transports.store.database import Database, storable
from transports.store.journal import Direction
from transports.store.schema import links as table

#: Seconds that a link is kept.
KEEP: Final = 30 * 86400.0
#: Links of one user with one bridge that survive a purge; the oldest go.
MOST: Final = 20_000
#: An id longer than this is not linked: nobody's ids are, and it is not ours to keep somebody's megabytes.
LONGEST_ID: Final = 1000
#: Ids that one message may have on the far side.
MOST_IDS: Final = 100
#: Characters of the text that are kept, for those who can only quote.
EXCERPT: Final = 200

_COLUMNS: Final = table.c
_SELECT: Final = sa.select(
    *(_COLUMNS.xmpp_id, _COLUMNS.far_id, _COLUMNS.direction, _COLUMNS.author, _COLUMNS.excerpt, _COLUMNS.created),
    _COLUMNS.asked,
)
#: What may become of a message, and what may have been known of that part of it before.
_BEFORE: Final[Mapping[Outcome, tuple[str, ...]]] = {
    "delivered": ("",),
    "displayed": ("", "delivered"),
    "failed": ("", "delivered"),
}


class Link(NamedTuple):
    """direction: out, from XMPP to the far side; in. by: who sent it, the full JID (out) or the far side's name (in).
    asked: which outcomes its author wants to be told, with spaces between them."""

    xmpp_id: str
    far_id: str
    direction: Direction
    by: str
    excerpt: str
    created: float
    asked: str = ""


class Settled(NamedTuple):
    """link: None when no message of the user's has that far id; news: its author does not know of this outcome yet."""

    link: Link | None
    news: bool


_UNKNOWN: Final = Settled(None, False)


class Links:
    """The links of one bridge."""

    def __init__(self, database: Database, bridge: str, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._bridge = bridge
        self._clock = clock

    def put(
        self,
        user: str,
        address: Address,
        xmpp_id: str,
        far_ids: Sequence[str],
        by: str = "",
        excerpt: str = "",
        direction: Direction = "out",
        asked: str = "",
    ) -> Future[None]:
        """Link a stanza with what the far side calls it; no far id at all still remembers who said what.

        Ids that are linked already stay as they are; more of them are added.
        """
        return self._database.run(self.putting(user, address, xmpp_id, far_ids, by, excerpt, direction, asked))

    def putting(
        self,
        user: str,
        address: Address,
        xmpp_id: str,
        far_ids: Sequence[str],
        by: str = "",
        excerpt: str = "",
        direction: Direction = "out",
        asked: str = "",
    ) -> Callable[[sa.Connection], None]:
        """What `put` does, as a part of somebody else's transaction."""
        values = {
            "bridge": self._bridge,
            "owner": user,
            "contact_kind": address.kind,
            "contact_name": storable(address.name),
            "xmpp_id": xmpp_id,
            "direction": direction,
            "author": storable(by[:LONGEST_ID]),
            "excerpt": storable(excerpt[:EXCERPT]),
            "asked": asked,
            "state": "",
            "created": self._clock(),
        }
        fit = [far_id for far_id in dict.fromkeys(far_ids) if _fits(far_id)][:MOST_IDS] or [""]
        same = (*self._where(user, address), _COLUMNS.xmpp_id == storable(xmpp_id))

        def work(connection: sa.Connection) -> None:
            known = set(connection.execute(sa.select(_COLUMNS.far_id).where(*same)).scalars())
            new = [far_id for far_id in fit if far_id not in known and (far_id or not known)]
            if new and _fits(xmpp_id):
                connection.execute(sa.insert(table), [{**values, "far_id": far_id} for far_id in new])

        return work

    def far(self, user: str, address: Address, xmpp_id: str) -> Future[tuple[str, ...]]:
        """What the far side calls a stanza, in the order of its parts; () when that is not known."""
        query = sa.select(_COLUMNS.far_id).where(
            *self._where(user, address), _COLUMNS.xmpp_id == storable(xmpp_id), _COLUMNS.far_id != ""
        )
        return self._database.run(
            lambda connection: tuple(connection.execute(query.order_by(_COLUMNS.seq)).scalars())
        )

    def xmpp(self, user: str, address: Address, far_id: str) -> Future[Link | None]:
        """The stanza that a message of the far side is; of several the first, which corrections and reactions refer to."""
        return self._first(user, address, _COLUMNS.far_id == storable(far_id), _COLUMNS.far_id != "")

    def stanzas(self, user: str, address: Address, far_id: str) -> Future[tuple[str, ...]]:
        """All stanzas that a message from the far side was, in order; () when that is not known."""
        where = (*self._where(user, address), _COLUMNS.direction == "in", _COLUMNS.far_id == storable(far_id))
        query = sa.select(_COLUMNS.xmpp_id).where(*where, _COLUMNS.far_id != "").order_by(_COLUMNS.seq).limit(MOST_IDS)
        return self._database.run(lambda connection: tuple(connection.execute(query).scalars()))

    def known(self, user: str, address: Address, xmpp_id: str) -> Future[Link | None]:
        """What is known of a stanza, with the first of its far ids."""
        return self._first(user, address, _COLUMNS.xmpp_id == storable(xmpp_id))

    def settle(self, user: str, address: Address, far_id: str, outcome: Outcome) -> Future[Settled]:
        """Note what became of an own message, told by one of its far ids.

        A message is delivered when all its parts are; one part that fails or is seen stands for all. What is seen moves
        forward only (XEP-0333 5). Repeats, and what comes too late, are no news; after a failure nothing is.
        """
        contact = (*self._where(user, address), _COLUMNS.direction == "out")
        where = (*contact, _COLUMNS.far_id == storable(far_id), _COLUMNS.far_id != "")
        one = _SELECT.add_columns(_COLUMNS.seq, _COLUMNS.state).where(*where).order_by(_COLUMNS.seq).limit(1)

        def work(connection: sa.Connection) -> Settled:
            found: Any = connection.execute(one).first()
            if found is None:
                return _UNKNOWN
            *fields, seq, before = found
            link = Link(*fields)
            parts = sa.select(_COLUMNS.state).where(*contact, _COLUMNS.xmpp_id == link.xmpp_id, _COLUMNS.seq != seq)
            others = set(connection.execute(parts).scalars())
            if "failed" in others or before not in _BEFORE[outcome]:
                return Settled(link, False)
            connection.execute(sa.update(table).where(_COLUMNS.seq == seq).values(state=outcome))
            if outcome == "displayed":
                later = sa.select(_COLUMNS.seq).where(*contact, _COLUMNS.state == "displayed", _COLUMNS.seq > seq)
                return Settled(link, "displayed" not in others and connection.execute(later).first() is None)
            return Settled(link, outcome == "failed" or others <= {"delivered", "displayed"})

        return self._database.run(work)

    def purge(self, keep: float = KEEP, most: int = MOST) -> Future[None]:
        """Forget links of all bridges older than `keep` seconds, and all but the newest `most` of each user."""
        old = self._clock() - keep
        whose = (_COLUMNS.bridge, _COLUMNS.owner)
        many = sa.select(*whose).group_by(*whose).having(sa.func.count() > most)

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(table).where(_COLUMNS.created < old))
            for bridge, owner in list(connection.execute(many)):
                owned = (_COLUMNS.bridge == bridge, _COLUMNS.owner == owner)
                newest = sa.select(_COLUMNS.seq).where(*owned).order_by(_COLUMNS.seq.desc())
                last = connection.execute(newest.offset(most).limit(1)).scalar()
                connection.execute(sa.delete(table).where(*owned, _COLUMNS.seq <= last))

        return self._database.run(work)

    # ------------------------------------------------------------------------------------------------------------------

    def _first(self, user: str, address: Address, *where: sa.ColumnElement[bool]) -> Future[Link | None]:
        query = _SELECT.where(*self._where(user, address), *where).order_by(_COLUMNS.seq).limit(1)

        def work(connection: sa.Connection) -> Link | None:
            found: Any = connection.execute(query).first()
            return None if found is None else Link(*found)

        return self._database.run(work)

    def _where(self, user: str, address: Address) -> tuple[sa.ColumnElement[bool], ...]:
        contact = (_COLUMNS.contact_kind == address.kind, _COLUMNS.contact_name == storable(address.name))
        return (_COLUMNS.bridge == self._bridge, _COLUMNS.owner == user, *contact)


def _fits(id: str) -> bool:
    return 0 < len(id) <= LONGEST_ID and id == storable(id)
