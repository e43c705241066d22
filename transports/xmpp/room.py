"""One room as the clients of one user see it: XEP-0045 rendered from facts. Who is there stands here, what is said in `roomtalk`.

Holds which full JIDs are in, under which JID each joined (it is answered under that one), and what must wait until a
client's join is complete. Members are not held: `members` is the bridge's own live table. Knows no bridge and no socket.
The order of a join is XEP-0045 7.2: occupants, self (110), history, subject, live messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from transports.events import NO_RANK, NOBODY, Address, Became, Entered, Joined, Left, Person, Rank, Renamed, RoleSet
from transports.xmpp import comeback, write
from transports.xmpp.address import to_resource
from transports.xmpp.client import Client, Names, named, occupant_id, plain_nick, resource
from transports.xmpp.occupant import NO_KIN, Kin, here
from transports.xmpp.roomtalk import RoomTalk

# A whole list of nicks that are themselves as resource, as attribute and as occupant id, one a line.
_plain_nicks = re.compile(r"(?:[A-Za-z0-9_\-\[\]{}^|.~]{1,128}+(?:\n|\Z))*+").fullmatch  # possessive: linear where it fails

#: XEP-0045 15.6.2: why an occupant is gone -> status codes of the unavailable presence.
_GONE_CODES: Final[dict[str, tuple[str, ...]]] = {
    "left": (),
    "quit": (),
    "kicked": ("307",),
    "banned": ("301",),
    "killed": ("307",),
    "split": ("333",),
    "lost": ("332",),
}
#: XEP-0045 9.1.
_OUTCAST: Final = Rank("outcast", "none")


class Room(RoomTalk):
    """`send` takes one finished stanza, `send_all` many. `people` is the bridge's, too: of whom more is known than the nick."""

    __slots__ = ("interrupted", "key", "kin", "members", "place", "waiting")

    def __init__(
        self, names: Names, send: Callable[[str], None], send_all: Callable[[list[str]], None], kin: Kin = NO_KIN
    ) -> None:
        super().__init__(names, send, send_all)
        self.kin = kin
        self.members: Mapping[str, Rank] = {}
        #: Why the far side is away, in words; '' when it is not.
        self.interrupted = ""
        #: The password that the room was joined with.
        self.key = ""
        #: Its address, of several the one that the bridge uses.
        self.place: Address | None = None
        self.waiting: dict[str, Client] = {}

    # Joining and leaving ------------------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """A client asks to come in: at once when we are inside (also again, XEP-0045 7.2.2), else when the bridge says so."""
        if self.inside:
            before = self.clients.get(client.jid)
            if before is not None and before.room != client.room:
                self.dismiss(client.jid, before.room)  # a client is in a room once, under its last name for it
            self._show(client)
        else:
            self.waiting[client.jid] = client

    def entered(self, fact: Entered) -> None:
        if self.interrupted:
            comeback.resume(self, fact)
            return
        self.inside = True
        self.people = fact.people
        self.called(fact.nick)
        self.members = fact.members
        self.subject = fact.subject
        waiting, self.waiting = self.waiting, {}
        for client in waiting.values():
            self._show(client)
        held, self.held, self.held_size = self.held, [], 0
        for said in held:
            self.said(said)

    def _show(self, client: Client) -> None:
        """Everything a client must see of a room, in the order that XEP-0045 7.2 demands."""
        self.clients[client.jid] = client
        stanzas = self.occupants(client)
        if not self.recall(client):
            stanzas.append(self.subject_for(client))
        self.send_all(stanzas)

    def occupants(self, client: Client) -> list[str]:
        """Who is there: the others, then the user."""
        own = self.nick
        codes = ("100", "110") if client.wanted in ("", to_resource(own)) else ("100", "110", "210")
        if self.logged:
            codes = (*codes, "170")  # XEP-0045 7.2.12
        stanzas = self._others(client.presence)
        stanzas.append(client.presence + self._one(own, self.members.get(own, NO_RANK), codes))
        return stanzas

    def _others(self, head: str) -> list[str]:
        present, own, people = write.present, self.nick, self.people
        most = present(NO_RANK)
        if (people.keys() & self.members.keys()) - {own}:
            kin, find = self.kin, people.get
            known = [(nick, rank, find(nick)) for nick, rank in self.members.items() if nick != own]
            return [f"{head}{_unknown(nick, rank) if who is None else here(kin, nick, rank, who)}" for nick, rank, who in known]
        others = [(nick, most if rank is NO_RANK else present(rank)) for nick, rank in self.members.items() if nick != own]
        if _plain_nicks("\n".join(self.members)) is not None:
            return [f"{head}{nick}{middle}{nick}'/></presence>" for nick, middle in others]
        return [f"{head}{resource(nick)}{middle}{occupant_id(nick)}'/></presence>" for nick, middle in others]

    def _one(self, nick: str, rank: Rank, codes: tuple[str, ...] = (), who: Person | None = None) -> str:
        """Somebody who is here, from the resource in `from` to the end."""
        return here(self.kin, nick, rank, who or self.people.get(nick, NOBODY), codes, nick == self.nick)

    def dismiss(self, jid: str, room: str, status: str = "") -> None:
        """A client leaves the room that it joined as `room`. Only this client hears of it."""
        waiting = self.waiting.get(jid)
        if waiting is not None and waiting.room == room:
            del self.waiting[jid]
        client = self.clients.get(jid)
        if client is not None and client.room == room:
            del self.clients[jid]
            rank = self.members.get(self.nick, NO_RANK)
            self.send(f"{client.presence}{resource(self.nick)}{write.gone(rank, ('110',), status)}")

    def roll_call(self) -> None:
        """A message without words to each client: shown by none, and bounced for those who are gone (RFC 6121 8.5.3.2.1)."""
        for client in self.clients.values():
            hint = "<no-store xmlns='urn:xmpp:hints'/>"
            self.send(f"{client.message[:-1]}' id='{self.names.stanza()}'>{hint}</message>")

    def forget(self, jid: str) -> bool:
        """A client has vanished; nothing is sent to it any more."""
        return (self.clients.pop(jid, None) or self.waiting.pop(jid, None)) is not None

    @property
    def empty(self) -> bool:
        return not self.clients and not self.waiting

    # What happens inside ------------------------------------------------------------------------------------------

    def joined(self, fact: Joined) -> None:
        _, nick, rank, who = fact
        tail = _unknown(nick, rank) if who is NOBODY else here(self.kin, nick, rank, who)
        for client in self.clients.values():
            self.send(client.presence + tail)

    def left(self, fact: Left) -> None:
        codes = _GONE_CODES[fact.cause]
        rank = _OUTCAST if fact.cause == "banned" else NO_RANK
        if len(fact.nicks) > 1 and self.nick not in fact.nicks:
            tail = write.gone(rank, codes, fact.reason, fact.actor)
            names = [resource(nick) for nick in fact.nicks]
            for client in self.clients.values():
                self.send_all([f"{client.presence}{name}{tail}" for name in names])
            return
        for nick in fact.nicks:
            own = nick == self.nick
            name = nick if plain_nick(nick) is not None else resource(nick)
            tail = write.gone(rank, (*codes, "110") if own else codes, fact.reason, fact.actor)
            for client in self.clients.values():
                self.send(f"{client.presence}{name}{tail}")
            if own:
                self.inside = False
                self.clients.clear()

    def renamed(self, fact: Renamed) -> None:
        own = fact.old == self.nick
        codes = ("303", "110") if own else ("303",)
        old = resource(fact.old) + write.gone(fact.rank, codes, nick=to_resource(fact.new))
        if own:
            self.called(fact.new)
        new = self._one(fact.new, fact.rank, ("110",) if own else ())
        for client in self.clients.values():
            self.send(client.presence + old)
            self.send(client.presence + new)

    def role_set(self, fact: RoleSet) -> None:
        tail = self._one(fact.nick, fact.rank, ("110",) if fact.nick == self.nick else ())
        for client in self.clients.values():
            self.send(client.presence + tail)

    def became(self, fact: Became) -> None:
        tail = self._one(fact.nick, fact.rank, ("110",) if fact.nick == self.nick else (), fact.who)
        for client in self.clients.values():
            self.send(client.presence + tail)


def _unknown(nick: str, rank: Rank) -> str:
    """Somebody who is here, of whom no more is known."""
    name, id = named(nick)
    return f"{name}{write.present(rank)}{id}'/></presence>"
