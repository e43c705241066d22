"""What is said in one room, as the clients of one user see it: messages, subjects, reflections, words of the room itself.

The hot way: one f-string per client and line. Knows no bridge and no socket. XEP-0045 7.4 and 8.1, XEP-0203, XEP-0359, XEP-0421.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from transports.archive.values import Line
from transports.events import NOBODY, Person, Said, Subject
from transports.xmpp import markup, write, xml
from transports.xmpp.client import Client, Names, occupant_id, resource, speaker, styled
from transports.xmpp.meaning import echo
from transports.xmpp.past import Past, Reader, Readers, history
from transports.xmpp.read import Message

#: Messages that wait for the end of a join, and their characters; more are dropped, oldest first (a server that never ends
#: its NAMES).
HELD, HELD_SIZE = 1_000, 64_000


class RoomTalk:
    """The talking half of a `Room`, which says what its attributes hold."""

    __slots__ = (
        "clients",
        "held",
        "held_size",
        "inside",
        "names",
        "nick",
        "own",
        "own_end",
        "own_id",
        "past",
        "people",
        "readers",
        "send",
        "send_all",
        "subject",
    )

    def __init__(self, names: Names, send: Callable[[str], None], send_all: Callable[[list[str]], None]) -> None:
        self.names = names
        self.send = send
        self.send_all = send_all
        self.inside = False
        self.clients: dict[str, Client] = {}
        self.held: list[Said] = []
        self.held_size = 0
        self.subject = Subject("")
        self.people: Mapping[str, Person] = {}
        #: The room's archive; None where nothing is archived.
        self.past: Past | None = None
        self.readers: Readers | None = None
        self.called("")

    def called(self, nick: str) -> None:
        """The user's nick here; what of it stands in every reflection is made once."""
        self.nick = nick
        self.own = resource(nick)
        self.own_id = occupant_id(nick, self.people.get(nick, NOBODY))
        self.own_end = f"'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{self.own_id}'/></message>"

    def subject_set(self, subject: Subject) -> None:
        self.subject = subject
        for client in self.clients.values():
            self.send(self.subject_for(client))

    def subject_for(self, client: Client) -> str:
        subject = self.subject
        opening = client.message + resource(subject.nick) if subject.nick else client.message[:-1]
        late = write.delay(subject.when, client.room) if subject.when is not None else ""
        text = xml.text(xml.clip(subject.text, 20_000))
        return f"{opening}' id='{self.names.stanza()}'><subject>{text}</subject>{late}</message>"

    # What was said before ---------------------------------------------------------------------------------------------

    def recall(self, client: Client) -> bool:
        """Have a client's history read; its subject, and all that is said meanwhile, come behind. False: it gets none."""
        if self.readers is not None:  # it may be in again before the first history was there
            self._onward(self.readers.forget(client.jid))
        if self.past is None or client.history.none:
            return False
        reader = Reader(client, self.subject_for(client))
        if not self.past.recall(client.history, self.names.stanza(), partial(self._recalled, reader)):
            return False
        if self.readers is None:
            self.readers = Readers(self.send)
            self.send = self.readers.send
        self.readers.add(reader)
        return True

    def _recalled(self, reader: Reader, lines: Sequence[Line]) -> None:
        client = reader.client
        if self.readers is None or not self.readers.remove(reader):
            return
        self._onward(self.readers)
        if self.clients.get(client.jid) is client:
            self.send_all(history(client, lines))
            for stanza in (reader.subject, *reader.held):
                self.send(stanza)

    def _onward(self, readers: Readers) -> None:
        """Stanzas go straight out again when nobody reads."""
        if not readers.readers:
            self.send, self.readers = readers.onward, None

    # What is said now -------------------------------------------------------------------------------------------------

    def said(self, fact: Said) -> None:
        if not self.inside:
            self.held.append(fact)
            self.held_size += len(fact.text)
            while len(self.held) > HELD or self.held_size > HELD_SIZE:
                self.held_size -= len(self.held.pop(0).text)
            return
        text = styled(fact)
        name, occupant = speaker(fact.nick, self.people.get(fact.nick))
        id = self.names.stanza()
        content = write.body(text) if len(text) > 5_000 else f"<body>{xml.text(text)}</body>"
        if fact.more is not None:
            content += markup.beside(fact, text)
        if self.past is not None:
            self.past.keep(id, name, occupant, content, fact.when, fact.key)
        start = f"{name}' id='{id}'>{content}"
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
        content = said_by_user(sent, named)
        name = self.names.stanza()
        if self.past is not None:
            self.past.keep(name, self.own, self.own_id, content, own=True, stanza=id if named else "")
        start = f"{self.own}'{named}>{content}"
        end = f"{name}{self.own_end}"
        for client in self.clients.values():
            self.send(f"{client.message}{start}{client.by}{end}")


def said_by_user(sent: Message, named: str) -> str:
    """What a message of the user's holds, as its author and the archive see it again. named: `id_attr` of its id."""
    origin = ""
    if sent.origin_id:
        same = named if sent.origin_id == sent.id else write.id_attr(sent.origin_id)
        origin = f"<origin-id xmlns='urn:xmpp:sid:0'{same}/>" if same else ""
    text = sent.body or ""
    body = write.body(text, 50_000) if len(text) > 5_000 else f"<body>{xml.text(text)}</body>"
    return f"{body}{origin}{echo(sent.rich)}" if sent.rich is not None else body + origin
