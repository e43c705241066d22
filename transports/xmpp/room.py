"""One room as the clients of one user see it: XEP-0045 rendered from facts.

Holds which full JIDs are in, under which JID each joined (it is answered under that one), and what must wait until a
client's join is complete. Members are not held: `members` is the bridge's own live table. Knows no bridge and no socket.
The order of a join is XEP-0045 7.2: occupants, self (110), history, subject, live messages.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from transports.events import NO_RANK, Entered, Joined, Left, Rank, Renamed, RoleSet, Said, Subject
from transports.xmpp import write, xml
from transports.xmpp.address import to_resource
from transports.xmpp.meaning import echo
from transports.xmpp.read import Message

#: Messages that wait for the end of a join, and their characters; more are dropped, oldest first (a server that never ends
#: its NAMES).
HELD, HELD_SIZE = 1_000, 64_000
# Nicks that are themselves as resource, as attribute and as occupant id; and a whole list of them, one a line.
_plain_nick = re.compile(r"[A-Za-z0-9_\-\[\]{}^|.~]{1,128}").fullmatch
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


class Names(Protocol):
    """Ids that a room gives out."""

    def stanza(self) -> str:
        """A new stanza id: unique, ordered by time, harmless in XML."""
        ...


class Client:
    """One full JID in the room. The strings are the starts of its stanzas, up to the sender's resource."""

    __slots__ = ("by", "history", "id", "jid", "message", "presence", "room", "wanted")

    def __init__(self, door: xml.Door, room: str, jid: str, wanted: str, history: bool, id: str = "") -> None:
        """room: under which it joined; wanted: the nick it asked for, as resource; id: of its presence."""
        self.jid = jid
        self.id = id
        self.room = room
        self.wanted = wanted
        self.history = history
        self.presence = door.speaker("presence", room, jid)
        self.message = door.speaker("message", room, jid, " type='groupchat'")
        self.by = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{xml.attr(room)}' id='"


def occupant_id(nick: str) -> str:
    """XEP-0421: at most 128 characters, the same for the same nick. It tells nothing that the nick does not: a nick is all
    that IRC and its like show, and no JID can be had from it. Never costs a hash where the nick itself will do."""
    if _plain_nick(nick) is not None:
        return nick
    return f"#{hashlib.sha256(nick.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def named(nick: str) -> tuple[str, str]:
    """A nick as a resource inside a quoted attribute, and as occupant id."""
    return (nick, nick) if _plain_nick(nick) is not None else (resource(nick), occupant_id(nick))


def styled(fact: Said) -> str:
    """The body that says it: XEP-0245 for actions, which plain words must not look like."""
    if fact.style == "act":
        return f"/me {fact.text}"
    if fact.style == "notice":
        return f"[notice] {fact.text}"
    return f" {fact.text}" if fact.text[:4] == "/me " else fact.text


def resource(nick: str) -> str:
    """A nick as a resource inside a quoted attribute."""
    return nick if _plain_nick(nick) is not None else xml.attr(to_resource(nick))


class Room:
    """`send` takes one finished stanza, `send_all` many."""

    __slots__ = (
        "clients",
        "held",
        "held_size",
        "inside",
        "members",
        "names",
        "nick",
        "own",
        "own_end",
        "send",
        "send_all",
        "subject",
        "waiting",
    )

    def __init__(self, names: Names, send: Callable[[str], None], send_all: Callable[[list[str]], None]) -> None:
        self.names = names
        self.send = send
        self.send_all = send_all
        self.inside = False
        self._called("")
        self.members: Mapping[str, Rank] = {}
        self.subject = Subject("")
        self.clients: dict[str, Client] = {}
        self.waiting: dict[str, Client] = {}
        self.held: list[Said] = []
        self.held_size = 0

    def _called(self, nick: str) -> None:
        """The user's nick here; what of it stands in every reflection is made once."""
        self.nick = nick
        self.own = resource(nick)
        self.own_end = f"'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{occupant_id(nick)}'/></message>"

    # Joining and leaving ------------------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """A client asks to come in: at once when we are inside (also again, XEP-0045 7.2.2), else when the bridge says so."""
        if self.inside:
            before = self.clients.get(client.jid)
            if before is not None and before.room != client.room:
                self.dismiss(client.jid, before.room)  # a client is in a room once, under its last name for it
            self.clients[client.jid] = client
            self.send_all(self._burst(client))
        else:
            self.waiting[client.jid] = client

    def entered(self, fact: Entered) -> None:
        self.inside = True
        self._called(fact.nick)
        self.members = fact.members
        self.subject = fact.subject
        waiting, self.waiting = self.waiting, {}
        for client in waiting.values():
            self.clients[client.jid] = client
            self.send_all(self._burst(client))
        held, self.held, self.held_size = self.held, [], 0
        for said in held:
            self.said(said)

    def _burst(self, client: Client) -> list[str]:
        """Everything a client must see of a room, in the order that XEP-0045 7.2 demands."""
        head, present, own = client.presence, write.present, self.nick
        most = present(NO_RANK)
        others = [(nick, most if rank is NO_RANK else present(rank)) for nick, rank in self.members.items() if nick != own]
        if _plain_nicks("\n".join(self.members)) is not None:
            stanzas = [f"{head}{nick}{middle}{nick}'/></presence>" for nick, middle in others]
        else:
            stanzas = [f"{head}{resource(nick)}{middle}{occupant_id(nick)}'/></presence>" for nick, middle in others]
        codes = ("100", "110") if client.wanted in ("", to_resource(own)) else ("100", "110", "210")
        rank = self.members.get(own, NO_RANK)
        stanzas.append(f"{head}{resource(own)}{write.occupant(rank, codes, occupant_id(own))}")
        stanzas.append(self._subject(client))
        return stanzas

    def _subject(self, client: Client) -> str:
        subject = self.subject
        opening = client.message + resource(subject.nick) if subject.nick else client.message[:-1]
        late = write.delay(subject.when, client.room) if subject.when is not None else ""
        text = xml.text(xml.clip(subject.text, 20_000))
        return f"{opening}' id='{self.names.stanza()}'><subject>{text}</subject>{late}</message>"

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
        name, id = named(fact.nick)
        tail = f"{name}{write.present(fact.rank)}{id}'/></presence>"
        for client in self.clients.values():
            self.send(client.presence + tail)

    def left(self, fact: Left) -> None:
        codes = _GONE_CODES[fact.cause]
        if len(fact.nicks) > 1 and self.nick not in fact.nicks:
            tail = write.gone(NO_RANK, codes, fact.reason, fact.actor)
            names = [resource(nick) for nick in fact.nicks]
            for client in self.clients.values():
                self.send_all([f"{client.presence}{name}{tail}" for name in names])
            return
        for nick in fact.nicks:
            own = nick == self.nick
            name = nick if _plain_nick(nick) is not None else resource(nick)
            tail = write.gone(NO_RANK, (*codes, "110") if own else codes, fact.reason, fact.actor)
            for client in self.clients.values():
                self.send(f"{client.presence}{name}{tail}")
            if own:
                self.inside = False
                self.clients.clear()

    def renamed(self, fact: Renamed) -> None:
        own = fact.old == self.nick
        codes = ("303", "110") if own else ("303",)
        old = resource(fact.old) + write.gone(fact.rank, codes, nick=to_resource(fact.new))
        new = resource(fact.new) + write.occupant(fact.rank, ("110",) if own else (), occupant_id(fact.new))
        if own:
            self._called(fact.new)
        for client in self.clients.values():
            self.send(client.presence + old)
            self.send(client.presence + new)

    def role_set(self, fact: RoleSet) -> None:
        codes = ("110",) if fact.nick == self.nick else ()
        tail = resource(fact.nick) + write.occupant(fact.rank, codes, occupant_id(fact.nick))
        for client in self.clients.values():
            self.send(client.presence + tail)

    def subject_set(self, subject: Subject) -> None:
        self.subject = subject
        for client in self.clients.values():
            self.send(self._subject(client))

    def said(self, fact: Said) -> None:
        if not self.inside:
            self.held.append(fact)
            self.held_size += len(fact.text)
            while len(self.held) > HELD or self.held_size > HELD_SIZE:
                self.held_size -= len(self.held.pop(0).text)
            return
        text = styled(fact)
        name, occupant = named(fact.nick)
        id = self.names.stanza()
        start = f"{name}' id='{id}'>{write.body(text) if len(text) > 5_000 else f'<body>{xml.text(text)}</body>'}"
        end = f"{id}'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{occupant}'/></message>"
        when = fact.when
        for client in self.clients.values():
            if when is None:
                self.send(f"{client.message}{start}{client.by}{end}")
            else:
                self.send(f"{client.message}{start}{write.delay(when, client.room)}{client.by}{end}")

    def notice(self, text: str) -> None:
        """Words of the room itself."""
        content = f"' id='{self.names.stanza()}'>{write.body(text)}</message>"
        for client in self.clients.values():
            self.send(client.message[:-1] + content)

    def reflect(self, sent: Message) -> None:
        """Every client of the user sees what the far side has taken, under the id that its author gave it (XEP-0045 7.4)."""
        id = sent.id
        named = write.id_attr(id)
        origin = ""
        if sent.origin_id:
            same = named if sent.origin_id == id else write.id_attr(sent.origin_id)
            origin = f"<origin-id xmlns='urn:xmpp:sid:0'{same}/>" if same else ""
        text = sent.body or ""
        body = write.body(text, 50_000) if len(text) > 5_000 else f"<body>{xml.text(text)}</body>"
        more = echo(sent.rich) if sent.rich is not None else ""
        start = f"{self.own}'{named}>{body}{origin}{more}"
        end = f"{self.names.stanza()}{self.own_end}"
        for client in self.clients.values():
            self.send(f"{client.message}{start}{client.by}{end}")
