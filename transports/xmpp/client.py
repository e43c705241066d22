"""Who is in a room, as text: a client of the user's, the starts of its stanzas; nicks as resources and as occupant ids.

Shared by all that writes to rooms. XEP-0045 (occupant JIDs), XEP-0245 (actions), XEP-0421 (occupant ids).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Protocol

from transports.archive.values import History
from transports.events import BY_ADDRESS, NOBODY, Person, Said
from transports.xmpp import xml
from transports.xmpp.address import to_resource

# A nick that is itself as resource, as attribute and as occupant id.
plain_nick = re.compile(r"[A-Za-z0-9_\-\[\]{}^|.~]{1,128}").fullmatch
# Such a nick with a host that is itself in any part of a JID, in an attribute and as occupant id.
plain_address = re.compile(r"[A-Za-z0-9_\-\[\]{}^|.~]+![A-Za-z0-9_\-\[\]{}^|.~:/+@%*=]+").fullmatch
_plain_account = re.compile(r"=[A-Za-z0-9_\-\[\]{}^|.~]{1,127}").fullmatch


class Names(Protocol):
    """Ids that a room gives out."""

    def stanza(self) -> str:
        """A new stanza id: unique, ordered by time, harmless in XML."""
        ...

    def at(self, when: float) -> str:
        """One for something that was said at `when` (seconds since the epoch): in its place in that order."""
        ...


class Client:
    """One full JID in the room. The strings are the starts of its stanzas, up to the sender's resource."""

    __slots__ = ("by", "history", "id", "jid", "message", "presence", "room", "wanted")

    def __init__(self, door: xml.Door, room: str, jid: str, wanted: str, history: History, id: str = "") -> None:
        """room: under which it joined; wanted: the nick it asked for, as resource; id: of its presence."""
        self.jid = jid
        self.id = id
        self.room = room
        self.wanted = wanted
        self.history = history
        self.presence = door.speaker("presence", room, jid)
        self.message = door.speaker("message", room, jid, " type='groupchat'")
        self.by = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{xml.attr(room)}' id='"


def occupant_id(nick: str, who: Person = NOBODY) -> str:
    """XEP-0421: at most 128 characters, the same for as long as somebody is there, and whenever they come as the same
    (Person.id): an account, else nick and host, else the nick. A nick is never like an account, nor either like an address.

    It tells nothing that a room does not show to all who are in it, and none of these is an XMPP user's address: so it is
    no hash where the thing itself will do.
    """
    id = who.id
    if not id:
        return nick if plain_nick(nick) is not None else f"#{_hash(nick)}"
    if id == BY_ADDRESS:
        id = f"{nick}!{who.host}"
    fits = _plain_account(id) is not None or (plain_address(id) is not None and len(id) <= 128)
    return id if fits else f"!{_hash(id)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def named(nick: str) -> tuple[str, str]:
    """A nick as a resource inside a quoted attribute, and as occupant id."""
    return (nick, nick) if plain_nick(nick) is not None else (resource(nick), occupant_id(nick))


@lru_cache(2_000)  # who has spoken will speak again
def speaker(nick: str, who: Person | None) -> tuple[str, str]:
    """The same of somebody of whom more may be known."""
    return named(nick) if who is None else (resource(nick), occupant_id(nick, who))


def styled(fact: Said) -> str:
    """The body that says it: XEP-0245 for actions, which plain words must not look like."""
    if fact.style == "act":
        return f"/me {fact.text}"
    if fact.style == "notice":
        return f"[notice] {fact.text}"
    return f" {fact.text}" if fact.text[:4] == "/me " else fact.text


def resource(nick: str) -> str:
    """A nick as a resource inside a quoted attribute."""
    return nick if plain_nick(nick) is not None else xml.attr(to_resource(nick))
