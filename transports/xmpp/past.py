"""What was said before, shown to a client that comes into a room: after its occupants, before the subject and what is said now.

The archive is read while the room goes on, so what is said meanwhile waits for that client, and comes behind. Lines that came
to us before the reading began are history, all others are live: no line is both, none is lost. XEP-0045 7.2.13, XEP-0203.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from transports.archive.values import History, Line
from transports.xmpp import write, xml
from transports.xmpp.client import Client
from transports.xmpp.dates import stamped

#: Stanzas that wait for one client, and their characters; more are dropped, oldest first: the archive has them.
HELD, HELD_SIZE = 1_000, 250_000


class Past(Protocol):
    """The archive of a room for one user (`archive.place.Archive`)."""

    def keep(
        self,
        id: str,
        nick: str,
        occupant: str,
        content: str,
        key: str = "",
        own: bool = False,
        stanza: str = "",
    ) -> None: ...

    def recall(self, history: History, then: Callable[[Sequence[Line]], None]) -> bool: ...


def spoken(line: Line, start: str, by: str, late: str = "", more: str = "") -> str:
    """An archived message of a room as a stanza. start: up to the sender's resource; by: the stanza-id up to the id."""
    occupant = f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{line.occupant}'/>" if line.occupant else ""
    inner = f"{line.content}{more}{late}{by}{line.id}'/>{occupant}"
    return f"{start}{line.nick}'{write.id_attr(line.stanza)}>{inner}</message>"


def history(client: Client, lines: Sequence[Line]) -> list[str]:
    """The lines as stanzas, no more than the client wants: of too many characters the oldest are left out."""
    room = xml.attr(client.room)
    stanzas: list[str] = []
    left = client.history.chars
    for line in reversed(lines):
        late = f"<delay xmlns='urn:xmpp:delay' from='{room}' stamp='{stamped(line.at)}'/>"
        stanza = spoken(line, client.message, client.by, late)
        if left is not None:
            left -= len(stanza)
            if left < 0:
                break
        if xml.fits(stanza):
            stanzas.append(stanza)
    return stanzas[::-1]


class Reader:
    """A client whose history is being read, and what waits for it: the subject first."""

    __slots__ = ("client", "held", "prefix", "size", "subject")

    def __init__(self, client: Client, subject: str) -> None:
        self.client = client
        self.prefix = client.message[:-1]  # also what the room itself says
        self.subject = subject
        self.held: list[str] = []
        self.size = 0

    def hold(self, stanza: str) -> None:
        self.held.append(stanza)
        self.size += len(stanza)
        while len(self.held) > HELD or self.size > HELD_SIZE:
            self.size -= len(self.held.pop(0))


class Readers:
    """Stands in a room's way to the stream while histories are being read."""

    __slots__ = ("onward", "readers")

    def __init__(self, send: Callable[[str], None]) -> None:
        self.onward = send
        self.readers: list[Reader] = []

    def add(self, reader: Reader) -> None:
        self.readers.append(reader)

    def forget(self, jid: str) -> Readers:
        """A client comes in again: what it waited for is of no use now."""
        self.readers = [reader for reader in self.readers if reader.client.jid != jid]
        return self

    def send(self, stanza: str) -> None:
        """What the room sends: presences at once, messages when it is their turn."""
        for reader in self.readers:
            if stanza.startswith(reader.prefix):
                reader.hold(stanza)
                return
        self.onward(stanza)

    def remove(self, reader: Reader) -> bool:
        """The history is there; False when nobody waits for it any more."""
        if reader not in self.readers:
            return False
        self.readers.remove(reader)
        return True
