"""What comes in on a component stream: bytes, one stanza after the other, each as a value of `read` to who takes it.

The reading half of `wire.Component`. Nothing that comes in can stop the stream: what fails is logged and answered.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from transports.errors import LegacyError
from transports.log import kv
from transports.words import say
from transports.xmpp import advice, read, swift, write
from transports.xmpp.address import Jid, JidError, parse
from transports.xmpp.xml import Door

log = logging.getLogger(__name__)

#: Bytes of a message that has only begun that are kept for the short way.
LONGEST: Final = 4_096

_STREAM_ERROR: Final = "{http://etherx.jabber.org/streams}error"
STREAMS: Final = "{urn:ietf:params:xml:ns:xmpp-streams}"
_HANDSHAKE: Final = f"{read.NS}handshake"
_CLIENT: Final = "{jabber:client}"
#: After these the parser holds no half of anything.
_ENDS: Final = (b"</message>", b"</presence>", b"</iq>")
#: COMPAT: expat since 2.6.0 keeps what may be half of a tag to itself until more has come, and so would keep a whole stanza
#: for minutes. Those before have no such method and need none.
_DEFERS: Final = hasattr(XMLParser, "flush")
#: Comments, CDATA, declarations; processing instructions. Servers write none of them (RFC 6120 11.1), and within them the bytes
#: of an end tag end nothing: a stream that has one has no plain messages any more.
_DECLARED, _INSTRUCTED = b"<!", b"<?"


class Incoming:
    """`parser` None: the stream is down. What has no body here is `wire.Component`'s, or slixmpp's."""

    domain: str
    ready: bool
    handlers: Any
    door: Door
    loop: asyncio.AbstractEventLoop
    parser: Any
    xml_root: Any
    send: Callable[[str], None]
    abort: Callable[[], None]
    _takers: dict[str, Any]
    _between: bool
    _begun: bytes
    _usual: bool
    _head: bytes
    _last: bytes

    def _accepted(self) -> None:
        """The server has let us in."""
        raise NotImplementedError

    def _stream_error(self, error: Element) -> None:
        """The server ends the stream, and says why."""
        raise NotImplementedError

    def _give_up(self, event: str, **fields: object) -> None:
        """The stream cannot go on."""
        raise NotImplementedError

    def start_stream_handler(self, xml: Element) -> None:
        """The stream's own element has begun."""
        raise NotImplementedError

    def data_received(self, data: Any) -> None:
        """Bytes from the server, in the order of the stream: plain messages are read as they stand, the rest by the parser.

        For the parser a stream without some of its stanzas is as good as the whole, as long as it misses whole ones: so the
        short way begins where the parser has just read the end of one, and what has only begun is kept until its end is there.
        """
        if self._begun:
            data, self._begun = self._begun + data, b""
        if not self._between and (end := data.rfind(swift.CLOSE) + len(swift.CLOSE)) < len(data) and end >= len(swift.CLOSE):
            self._parse(data[:end])
            data = data[end:]
        if self._between:
            data = self._swiftly(data)
        if data:
            self._parse(data)

    def _swiftly(self, data: bytes) -> bytes:
        """Handle messages between stanzas; what is left for the parser."""
        end = data.rfind(swift.CLOSE) + len(swift.CLOSE)
        if end >= len(swift.CLOSE):
            try:
                text = data[:end].decode()
            except UnicodeDecodeError:
                return data
            at = 0
            while at < len(text):
                found = swift.plain(text, at)
                if found is not None and self._plain(found):
                    at = found.end()
                    continue
                stop = text.index("</message>", at) + len(swift.CLOSE)
                self._parse(text[at:stop].encode())
                at = stop
                if not self._between:
                    return text[at:].encode() + data[end:]
            data = data[end:]
        if data[-1:] != b">" and len(data) < LONGEST and swift.begun(data):
            self._begun, data = data, b""  # more of it must come
        return data

    def _plain(self, found: re.Match[str]) -> bool:
        """A plain message; False when it is none."""
        try:
            value = swift.message(found)
            if value is None:
                return False
            if value.to.domain == self.domain and value.sender:  # `_take`, for thousands
                self.handlers.message(value)
            else:
                self._take("message", value)
        except Exception as error:
            names = {"from": "from", "to": "to", "id": "id", "lang": read.LANG}
            given = {names[name]: value for name, value in found.groupdict().items() if name in names and value is not None}
            self._failed(Element(f"{read.NS}message", given, type="groupchat"), "message", error)
        return True

    def _parse(self, data: bytes) -> None:
        """What has ended below the root is a stanza.

        Half the cost of slixmpp's way, which looks at every element's start and end to count levels: of all children that
        there are only the last may be half of one, and it is whole if it ended last.
        """
        parser = self.parser
        if parser is None:
            return
        wrong: ParseError | None = None
        well = True
        self._between = False
        if self._usual:
            self._look(data)
        try:
            parser.feed(data)
        except ParseError as error:
            wrong = error
        else:
            if _DEFERS:
                well = self._hurry(parser)
        if self.xml_root is not None or self._opened():
            root = self.xml_root
            last = self._ended_last[-1][1] if self._ended_last else None
            whole = len(root)
            if whole and last is not root and last is not root[-1]:
                whole -= 1
            for stanza in root[:whole]:
                self._spawn_event(stanza)
            del root[:whole]  # what is handled is forgotten
            if self._usual and whole and wrong is None and well:  # then the bytes of an end tag stand nowhere else
                self._between = not len(root) and last is not root and data.endswith(_ENDS)
            if last is root:
                self.abort()
        if wrong is not None:
            self._give_up("not well-formed", error=str(wrong))

    def _look(self, data: bytes) -> None:
        """Note when the stream is not as servers write it: the short way is for those that are."""
        if self.xml_root is None:
            self._head += data
            self._usual = len(self._head) < LONGEST
        else:
            self._usual = not (_DECLARED in data or _INSTRUCTED in data or self._last + data[:1] in (_DECLARED, _INSTRUCTED))
        self._last = data[-1:]

    def _hurry(self, parser: Any) -> bool:
        """Have all that came looked at now; what is wrong with it counts after what is whole in it. Whether nothing is."""
        try:
            parser.flush()
        except ParseError as error:
            self.loop.call_soon(partial(self._give_up, "not well-formed", error=str(error)))
            return False
        return True

    def init_parser(self) -> None:
        self.xml_root = None
        self._between = False
        self._begun = b""
        self._usual = True
        self._head = self._last = b""
        self._tree = TreeBuilder()
        self.parser = XMLParser(target=self._tree)
        self._ended_last: deque[tuple[str, Element]] = deque(maxlen=1)
        self.parser._setevents(self._ended_last, ("end",))  # as ElementTree.XMLPullParser does, which keeps them all

    def _opened(self) -> bool:
        """Whether the stream's own element has begun; it is the root of all that follows."""
        self.xml_root = self._tree.close()  # the tree as it stands: this closes nothing
        if self.xml_root is None:
            return False
        behind = swift.behind_header(self._head)
        self._usual = self._usual and behind is not None and not (_DECLARED in behind or _INSTRUCTED in behind)
        self._head = b""
        self.start_stream_handler(self.xml_root)
        return True

    def _spawn_event(self, xml: Element) -> None:
        """One whole child of the stream, in the order of the stream."""
        name = _STANZAS.get(xml.tag)
        if name is not None:
            try:
                self._take(name, _READERS[name](xml))
            except Exception as error:
                self._failed(xml, name, error)
        elif xml.tag == _HANDSHAKE:
            if not self.ready:
                self._accepted()
        elif xml.tag == _STREAM_ERROR:
            self._stream_error(xml)
        elif xml.tag.startswith(_CLIENT):  # COMPAT: some servers hand on clients' stanzas under the clients' namespace
            for element in xml.iter():
                element.tag = element.tag.replace(_CLIENT, read.NS)
            self._spawn_event(xml)

    def _take(self, name: str, value: Any) -> None:
        if value.to.domain == self.domain and value.sender:
            self._takers[name](value)
        else:
            to, sender = value.to.full, value.sender
            log.warning(kv("stray stanza", domain=self.domain, to=to, sender=sender, advice=advice.STRAY))

    def _failed(self, stanza: Element, name: str, error: Exception) -> None:
        """A stanza that could not be read or handled costs a line in the log, and its sender gets an answer."""
        answer = LegacyError("jid-malformed", say("gate.address"))
        if not isinstance(error, JidError):
            log.error("a stanza could not be handled", exc_info=error)
            answer = LegacyError("internal-server-error", say("gate.failed"))
        kind, sender = stanza.get("type", ""), stanza.get("from", "")
        if kind not in ("error", "result") and sender:
            to, language = self._own(stanza.get("to", "")), stanza.get(read.LANG, "")
            asked = read.Iq(kind, stanza.get("id", ""), sender, to, None, None, language)
            self.send(write.refusal(self.door, name, asked, answer))

    def _own(self, to: str) -> Jid:
        """The address that a stanza went to, the domain itself where it is none."""
        try:
            jid = parse(to)
        except JidError:
            return Jid("", self.domain, "")
        return jid if jid.domain == self.domain else Jid("", self.domain, "")


_READERS: Final[dict[str, Any]] = {"message": read.message, "presence": read.presence, "iq": read.iq}
_STANZAS: Final = {f"{read.NS}{name}": name for name in _READERS}
