"""What is said in one room, as the clients of one user see it: messages, subjects, reflections, words of the room itself.

The hot way: one f-string per client and line. Knows no bridge and no socket. XEP-0045 7.4 and 8.1, XEP-0203, XEP-0359, XEP-0421.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from transports.archive.values import Line
from transports.events import NOBODY, Person, Said, Style, Subject
from transports.xmpp import markup, meaning, semantics, write, xml
from transports.xmpp.address import to_resource
from transports.xmpp.client import Client, Names, occupant_id, resource, speaker, styled
from transports.xmpp.linked import NO_LAST, Last, Links
from transports.xmpp.meaning import echo, replaces
from transports.xmpp.past import Past, Reader, Readers, history
from transports.xmpp.read import Message

#: XEP-0334: worth keeping although it has no words.
STORE: Final = "<store xmlns='urn:xmpp:hints'/>"
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
        "last",
        "links",
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
        #: Which message is which; None while none can be referred to. The user's own last one is known in any case.
        self.links: Links | None = None
        self.last: Last = NO_LAST
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
        if not self.past.recall(client.history, partial(self._recalled, reader)):
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

    def said(self, fact: Said) -> str:
        """Show it; the id under which that is done, '' while it has to wait, or where it has been shown before."""
        if not self.inside:
            self.held.append(fact)
            self.held_size += len(fact.text)
            while len(self.held) > HELD or self.held_size > HELD_SIZE:
                self.held_size -= len(self.held.pop(0).text)
            return ""
        when = fact.when
        if when is not None and fact.key and self.links is not None and self.links.by_key(fact.key) is not None:
            return ""  # a history repeats what was said before the gap
        text = styled(fact)
        name, occupant = speaker(fact.nick, self.people.get(fact.nick))
        id = self.names.stanza() if when is None else self.names.at(when)
        beside = ""
        if fact.more is not None:
            text, beside = self.answering(fact, text)
        content = write.body(text) if len(text) > 5_000 else f"<body>{xml.text(text)}</body>"
        if beside:
            content += beside
        if fact.key or self.links is not None:
            self.link(id, fact)
        if self.past is not None:
            self.past.keep(id, name, occupant, content, fact.key)
        start = f"{name}' id='{id}'>{content}"
        end = f"{id}'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{occupant}'/></message>"
        for client in self.clients.values():
            if when is None:
                self.send(f"{client.message}{start}{client.by}{end}")
            else:
                self.send(f"{client.message}{start}{write.delay(when, client.room)}{client.by}{end}")
        return id

    def link(self, id: str, fact: Said) -> None:
        """Remember which message this is."""
        if self.links is None:
            self.links = Links()
        self.links.add(id, fact.key, fact.nick, fact.text)

    def answering(self, fact: Said, text: str) -> tuple[str, str]:
        """A body with what it repeats of the message that it answers, and the elements beside it (XEP-0461, XEP-0394)."""
        answered = fact.more.reply if fact.more is not None else ""
        link = self.links.by_key(answered) if self.links is not None and answered else None
        if link is None:
            return text, markup.beside(fact, text)
        room = next((client.room for client in self.clients.values()), "")
        quote, reply = answer(link.id, f"{room}/{to_resource(link.nick)}" if room else "", link.words, fact.style)
        return quote + text, reply + markup.beside(fact, quote + text)

    def notice(self, text: str) -> None:
        """Words of the room itself."""
        content = f"' id='{self.names.stanza()}'>{write.body(text)}</message>"
        for client in self.clients.values():
            self.send(client.message[:-1] + content)

    @property
    def logged(self) -> bool:
        """Whether what is said here is archived for the user."""
        return self.past is not None

    def configured(self, code: str) -> None:
        """The room is set up otherwise now (XEP-0045 10.2.1): 104, or 170 and 171 where logging begins or ends."""
        content = f"' id='{self.names.stanza()}'><x xmlns='{write.MUC_USER}'><status code='{code}'/></x></message>"
        for client in self.clients.values():
            self.send(client.message[:-1] + content)

    def reflect(self, sent: Message, key: str = "") -> None:
        """Every client of the user sees what the far side has taken, under the id that its author gave it (XEP-0045 7.4).

        key: the far side's id of it
        """
        id = sent.id
        named = write.id_attr(id)
        content = said_by_user(sent, named)
        name = self.names.stanza()
        if self.past is not None:
            first = key.partition(" ")[0] if key else ""
            self.past.keep(name, self.own, self.own_id, content, first, own=True, stanza=id if named else "")
        if key or self.links is not None or sent.rich is not None:
            self.link_own(name, sent, key)
        else:
            self.last = ((id,), sent.body or "")
        start = f"{self.own}'{named}>{content}"
        end = f"{name}{self.own_end}"
        for client in self.clients.values():
            self.send(f"{client.message}{start}{client.by}{end}")


    def link_own(self, name: str, sent: Message, key: str) -> None:
        """Remember which message of the user's own this is; a correction is the message that it corrects."""
        if sent.body is None:
            return
        replaced = replaces(sent.rich) if sent.rich is not None else ""
        before = self.last[0] if replaced and replaced in self.last[0] else ()
        self.last = ((*before[-5:], sent.id), sent.body)
        if key and self.links is None:
            self.links = Links()
        if self.links is not None:
            self.links.own(name, key, self.nick, sent, replaced)


def answer(id: str, to: str, words: str, style: Style) -> tuple[str, str]:
    """What an answer repeats of the message answered, and the elements that say so (XEP-0461 3.1)."""
    prefix = semantics.quoted(semantics.shortened(words)) if style == "say" else ""
    author = f" to='{xml.attr(to)}'" if to else ""
    found = f"<reply xmlns='{meaning.REPLY}'{author} id='{xml.attr(id)}'/>"
    if prefix:
        found += f"<fallback xmlns='{meaning.FALLBACK}' for='{meaning.REPLY}'><body start='0' end='{len(prefix)}'/></fallback>"
    return prefix, found


def said_by_user(sent: Message, named: str) -> str:
    """What a message of the user's holds, as its author and the archive see it again. named: `id_attr` of its id."""
    origin = ""
    if sent.origin_id:
        same = named if sent.origin_id == sent.id else write.id_attr(sent.origin_id)
        origin = f"<origin-id xmlns='urn:xmpp:sid:0'{same}/>" if same else ""
    text = sent.body or ""
    body = write.body(text, 50_000) if len(text) > 5_000 else f"<body>{xml.text(text)}</body>" if sent.body is not None else STORE
    return f"{body}{origin}{echo(sent.rich)}" if sent.rich is not None else body + origin
