"""Reactions: IRC tells of one after the other, XMPP of all that somebody feels about a message at once.

Pure. Of one connection, by place, message and nick, the last FELT of them. Client tags draft/react, draft/unreact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network
    from transports.events import Address

#: Messages whose reactions are known, those of each person apart.
FELT: Final = 200


def felt(net: Network, where: Address, nick: str, of: str) -> tuple[str, ...]:
    return net.felt.get((where.name, of, nick), ()) if net.felt is not None else ()


def feel(net: Network, where: Address, nick: str, of: str, emojis: tuple[str, ...]) -> None:
    """Remember all that somebody feels about a message now."""
    known = net.felt or {}
    known.pop((where.name, of, nick), None)
    if emojis:
        known[where.name, of, nick] = emojis
        if len(known) > FELT:
            del known[next(iter(known))]
    net.felt = known or None
