"""What users set for places of IRC: its names, biboumi's where the meaning is the same, and what holds at a place.

A place is the gateway (for everything), a server, or a room; the nearer one counts. How a server is reached is `chosen`'s. Here
is memory only (`ports.Options`): whatever asks may do so for every line. Knows no form and no connection.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import chosen
from transports.config import Irc, NetworkSettings
from transports.describe import Value
from transports.events import Address
from transports.ports import Options

# Names that several files use -----------------------------------------------------------------------------------------

#: Anywhere: whether the user stays when the last client has gone; whether what is said is archived.
PERSISTENT: Final = "persistent"
RECORD: Final = "record_history"
#: Everywhere and on servers: archived messages that a client is shown at most when it comes into a room.
LENGTH: Final = "max_history_length"
#: Everywhere: whether what is said between two is archived.
RECORD_PRIVATE: Final = "record_private"
#: Everywhere and in rooms: what the user is told of a room where no client is: off, mentions, all.
MENTIONS: Final = "mentions"
#: Servers and rooms: how lines that are not UTF-8 are read, and how ours are written.
ENCODING_IN: Final = "encoding_in"
ENCODING_OUT: Final = "encoding_out"
#: Servers: masks of whom nothing is shown.
IGNORED: Final = "ignored"
#: Servers: raw lines to send when connected, and the role of who set them.
RAW: Final = "after_connect_commands"
RAW_BY: Final = "after_connect_by"
#: What is sealed of all that is set at a place.
SECRETS: Final = chosen.SECRETS

#: What holds where nobody has set anything.
LENGTH_DEFAULT: Final = 20
#: A client that comes into a room is shown no more.
LENGTH_MOST: Final = 1_000
#: As in a room's form: what the wider place says.
UNSET: Final = "unset"
MENTION_CHOICES: Final = ("off", "mentions", "all")


class Set:
    """What holds at a place for a user: what the user has set, else what the operator has, else what is usual."""

    __slots__ = ("_fixed", "_irc", "network", "options")

    def __init__(self, irc: Irc, options: Options) -> None:
        self._irc = irc
        self._fixed = irc.server or ""
        self.network = lru_cache(1_000)(irc.network)  #: the operator's settings: one for all who have set nothing there
        self.options = options

    def server_of(self, place: Address) -> Address:
        """The server that a room or person is on."""
        return irc_address.server(irc_address.split(place, self._fixed)[1], self._fixed)

    def settings(self, user: str, server: str) -> NetworkSettings:
        """How a user is on a network: what is set, on top of what the operator has. Raw lines only where they may be sent."""
        answers = self.options.of(user, irc_address.server(server, self._fixed))
        found = chosen.settings_for(self.network(server), answers)
        raw = self._irc.raw
        if found.after_connect and (raw == "off" or (raw == "admins" and answers.get(RAW_BY) != "admin")):
            return replace(found, after_connect=())
        return found

    def network_of(self, place: Address) -> NetworkSettings:
        """The operator's settings for the network that a place is on."""
        return self.network(irc_address.split(place, self._fixed)[1])

    def everywhere(self, user: str, var: str) -> Value | None:
        return self.options.of(user, irc_address.SERVICE).get(var)

    def wider(self, user: str, place: Address, var: str) -> Value | None:
        """What is set in the places around `place`, the nearest first; None: nothing."""
        if place.kind not in ("server", "service"):
            value = self.options.of(user, self.server_of(place)).get(var)
            if value is not None:
                return value
        return self.everywhere(user, var) if place.kind != "service" else None

    def persistent(self, user: str, room: Address) -> bool:
        value = self.options.of(user, room).get(PERSISTENT)
        return self.persistent_around(user, room) if value is None else value is True

    def persistent_around(self, user: str, place: Address) -> bool:
        """What holds for a place of which nothing is said."""
        value = self.wider(user, place, PERSISTENT)
        if value is None:
            return place.kind != "service" and self.network_of(place).persistent
        return value is True

    def records(self, user: str, place: Address) -> bool:
        if place.kind != "room":
            return self.everywhere(user, RECORD_PRIVATE) is True
        value = self.options.of(user, place).get(RECORD, UNSET)
        return self.wider(user, place, RECORD) is not False if value == UNSET else value == "true"

    def backlog(self, user: str, room: Address) -> int:
        """How much of the archive is shown to who comes in; less than 0 is all that is ever shown."""
        value = self.wider(user, room, LENGTH)
        try:
            most = int(str(value)) if value is not None else LENGTH_DEFAULT
        except ValueError:
            most = LENGTH_DEFAULT
        return min(most, LENGTH_MOST) if most >= 0 else LENGTH_MOST

    def mentions(self, user: str, room: Address) -> str:
        value = self.options.of(user, room).get(MENTIONS, UNSET)
        if value == UNSET:
            value = self.everywhere(user, MENTIONS) or "mentions"
        return str(value)

    def ignored(self, user: str, server: Address) -> tuple[str, ...]:
        """Masks: nick!user@host with * and ?."""
        value = self.options.of(user, server).get(IGNORED, ())
        return value if isinstance(value, tuple) else ()
