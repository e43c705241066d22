"""Whether a user is there, from how all of the user's clients are: the best of them counts.

Pure. RFC 6121 4.7.2.1: show. A client tells it to each room that it is in (XEP-0045 7.7).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

#: How much somebody is there: the least counts. Who does not want to be disturbed is not there for a chat.
_ORDER: Final = {"chat": 0, "": 0, "dnd": 1, "away": 2, "xa": 3}

#: Full JID -> show and status, of clients that are not simply available.
Shows = Mapping[str, tuple[str, str]]
#: Characters of a status that are told.
LONGEST: Final = 200


def away(clients: Collection[str], shows: Shows) -> str | None:
    """Why the user is away ('' without words); None: the user is there.

    clients: full JIDs of those who are in rooms; with none there, the user is away
    """
    if not clients:
        return ""
    show, status = min((shows.get(client, ("", "")) for client in clients), key=lambda one: _ORDER.get(one[0], 0))
    return None if _ORDER.get(show, 0) == 0 else status[:LONGEST]
