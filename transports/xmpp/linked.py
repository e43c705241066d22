"""Which message of a room, or of a person, is which: the ids that clients know it by, the far side's, whose it is, how it begins.

Of a live bridge, for one user, the last messages alone: what is older is quoted by whoever refers to it, or cannot be referred
to. There is one where the far side has ids, or somebody has referred to a message; looked through only when that happens,
kept in the order of time. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from transports.xmpp.read import Message

#: Messages of one place; characters of one that is somebody else's (to be quoted) and of an own one (to be compared).
KEPT, WORDS, OWN_WORDS = 100, 80, 500

_new: Final = tuple.__new__  # what Link(…) does, at half its cost


class Link(NamedTuple):
    """A message.

    id     by which clients refer to it: its stanza-id in a room, its id from a person
    key    the far side's, several with spaces between, '' for none
    sent   an own one's id, as its author gave it, and those of its corrections, with spaces between; '' for others'
    """

    id: str
    key: str
    nick: str
    words: str
    sent: str = ""

    @property
    def keys(self) -> list[str]:
        return self.key.split()


class Links:
    """Of one place."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[Link] = deque(maxlen=KEPT)

    def add(self, id: str, key: str, nick: str, words: str) -> None:
        """Somebody else's message. On the way that thousands go."""
        self._kept.append(_new(Link, (id, key, nick, words[:WORDS], "")))

    def own(self, id: str, key: str, nick: str, sent: Message, replaces: str = "") -> None:
        """The user's own; `replaces`: the id of the message that it corrects, which it is then, too."""
        words = (sent.body or "")[:OWN_WORDS]
        if replaces:
            for at, link in enumerate(self._kept):
                if link.sent and replaces in (link.id, *link.sent.split(" ")):
                    self._kept[at] = link._replace(words=words, sent=f"{link.sent} {sent.id}"[-300:])
                    return
        self._kept.append(_new(Link, (id, key, nick, words, sent.id)))

    def mine(self, id: str, key: str, words: str) -> None:
        """The user's own, said somewhere else."""
        self._kept.append(Link(id, key, "", words[:OWN_WORDS], id))

    def by_id(self, id: str) -> Link | None:
        """The message that clients call so."""
        return next((one for one in reversed(self._kept) if one.id == id or (one.sent and id in one.sent.split(" "))), None)

    def by_key(self, key: str) -> Link | None:
        """The message that the far side calls so."""
        return next((one for one in reversed(self._kept) if key == one.key or (" " in one.key and key in one.keys)), None)

    def newest(self, nick: str = "") -> Link | None:
        """The last message, of somebody."""
        return next((one for one in reversed(self._kept) if not nick or one.nick == nick), None)


#: The ids and the words of the last message of the user's own.
Last = tuple[tuple[str, ...], str]
NO_LAST: Final[Last] = ((), "")
