"""The fence: turns "written to a socket" into "processed by the server" (XEP-0199 over XEP-0114).

A component stream has no acknowledgements, but it is ordered: a ping to the user's bare JID, written after a batch of
stanzas, is answered (result or error, both count) when the server has processed all before it. One ping at a time per user;
what is written meanwhile waits for the next. A ping unanswered for `patience` seconds is repeated to the user's server.

Processed is not accepted: a stanza may still be refused, before the fence's answer or after; `mailbox` decides what that
means. Pure: no socket, no store; time is passed in, in seconds of any steady clock. Rows are known by their stanza id only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

#: Ids of repeats that may still be answered; older ones are forgotten.
_REMEMBERED: Final = 4


class Ping(NamedTuple):
    """An IQ of type get with <ping xmlns='urn:xmpp:ping'/>, to be written from the bridge's domain now."""

    to: str
    id: str


class Passed(NamedTuple):
    """The server has processed these rows of this user, in the order they were written; refused ones are not among them."""

    user: str
    rows: list[str]


class _Place:
    """What is on its way to one user."""

    __slots__ = ("ahead", "behind", "pings", "size")

    def __init__(self) -> None:
        self.size = 0  # characters of all rows
        self.ahead: list[str] = []  # rows written before the outstanding ping
        self.behind: list[str] = []  # rows written after it
        self.pings: list[str] = []  # the outstanding ping and its repeats; empty: none is outstanding


class Fence:
    """What is on its way over one component stream, for all its users. `new_id` gives ids nobody can guess."""

    def __init__(self, new_id: Callable[[], str], patience: float = 30.0) -> None:
        self._new_id = new_id
        self._patience = patience
        self._places: dict[str, _Place] = {}
        self._rows: dict[str, tuple[str, int]] = {}  # row -> user, characters
        self._pings: dict[str, str] = {}  # ping -> user
        self._unasked: dict[str, None] = {}  # users with rows behind no ping
        self._deadlines: dict[str, float] = {}  # user -> when to repeat; oldest first
        self.size = 0  # characters on their way

    def __len__(self) -> int:
        """Rows on their way."""
        return len(self._rows)

    def __contains__(self, row: str) -> bool:
        return row in self._rows

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited, or a ping has to be written."""
        return bool(self._places)

    def idle(self, user: str) -> bool:
        """Nothing is on its way to `user`, and no answer awaited."""
        return user not in self._places

    def room(self, user: str, rows: int, size: int) -> bool:
        """Whether one more row may be written to `user` when so many rows and characters may be on their way."""
        place = self._places.get(user)
        return place is None or (len(place.ahead) + len(place.behind) < rows and place.size < size)

    def wrote(self, user: str, row: str, size: int) -> None:
        """A row of so many characters was written to the stream."""
        place = self._places.setdefault(user, _Place())
        place.behind.append(row)
        place.size += size
        self.size += size
        self._rows[row] = (user, size)
        if not place.pings:
            self._unasked[user] = None

    def due(self, now: float) -> list[Ping]:
        """The pings to write now, behind everything `wrote` has named."""
        pings = [self._ask(user, now) for user in self._unasked]
        self._unasked.clear()
        late = []
        for user, deadline in self._deadlines.items():
            if deadline > now:
                break
            late.append(user)
        return pings + [self._repeat(user, now) for user in late]

    def next_due(self) -> float | None:
        """When `due` has something to say unless answers come; None: not before `wrote` or `answered`."""
        return next(iter(self._deadlines.values()), None)

    def answered(self, sender: str, ping: str) -> Passed | None:
        """An IQ result or error came from `sender` with id `ping`; None when it is no answer to a ping of ours."""
        user = self._pings.get(ping)
        if user is None or _bare(sender) not in (user, _domain(user)):
            return None
        place = self._places[user]
        rows = place.ahead
        place.ahead = []
        for row in rows:
            self._gone(place, row)
        self._forget_pings(user, place)
        if place.behind:
            self._unasked[user] = None
        else:
            del self._places[user]
        return Passed(user, rows)

    def refused(self, sender: str, row: str) -> bool:
        """An error stanza came from `sender` with a row's id: whether the row was on its way. It is not any more."""
        user, _size = self._rows.get(row, ("", 0))
        if not user or _bare(sender) != user:
            return False
        place = self._places[user]
        self._gone(place, row)
        for part in (place.ahead, place.behind):
            if row in part:
                part.remove(row)
        return True

    def lost(self) -> None:
        """The stream has ended: nothing is on its way, and no answer will come."""
        for table in (self._places, self._rows, self._pings, self._unasked, self._deadlines):
            table.clear()
        self.size = 0

    def _gone(self, place: _Place, row: str) -> None:
        _user, size = self._rows.pop(row)
        place.size -= size
        self.size -= size

    def _ask(self, user: str, now: float) -> Ping:
        place = self._places[user]
        place.ahead, place.behind = place.behind, place.ahead
        return self._ping(user, user, now)

    def _repeat(self, user: str, now: float) -> Ping:
        return self._ping(user, _domain(user), now)

    def _ping(self, user: str, to: str, now: float) -> Ping:
        pings = self._places[user].pings
        ping = self._new_id()
        pings.append(ping)
        self._pings[ping] = user
        if len(pings) > _REMEMBERED:
            del self._pings[pings.pop(0)]
        self._deadlines.pop(user, None)
        self._deadlines[user] = now + self._patience
        return Ping(to, ping)

    def _forget_pings(self, user: str, place: _Place) -> None:
        for ping in place.pings:
            del self._pings[ping]
        place.pings.clear()
        del self._deadlines[user]


def _bare(jid: str) -> str:
    return jid.partition("/")[0]


def _domain(bare: str) -> str:
    return bare.rpartition("@")[2]
