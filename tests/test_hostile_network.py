"""One user's wing against a network that means harm, every capability on: what it may say, raise, keep and cost.

The lines are made of the words that matter here, so that they meet each other: our own nick in other case, channels we are in,
ids and labels that somebody may have used. tests/test_storm.py has the bytes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.far import CLIENT
from tests.test_storm import CAROL, DOMAIN, House, check
from transports.bridges.irc import inbound
from transports.bridges.irc.asks import Question
from transports.bridges.irc.ignoring import Ignored
from transports.bridges.irc.isupport import ISupport
from transports.bridges.irc.negotiation import Negotiation
from transports.bridges.irc.numerics import Refusal
from transports.bridges.irc.wanted import WANTED
from transports.errors import LegacyError
from transports.xmpp import read
from transports.xmpp.address import jid_of, to_resource

ISUPPORT = "WHOX MONITOR=100 BOT=B STATUSMSG=@+ CHATHISTORY=100 CASEMAPPING=rfc1459 CHANMODES=b,k,l,imnpst"


def hostile(*lines: str) -> House:
    """Carol is in #c with tom, on a server that has everything."""
    house = House()
    net = house.scene.net
    net.negotiation = Negotiation(WANTED)
    net.negotiation.offer(sorted(WANTED))
    net.negotiation.enabled = net.caps = frozenset(WANTED)
    house.raw(f":s 005 carol {ISUPPORT} :x".encode(), *(line.encode() for line in lines))
    house.before = list(house.out)  # type: ignore[attr-defined]
    house.out.clear()
    return house


class Complaints(logging.Handler):
    """What somebody who keeps the gateway would have to read."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


@contextlib.contextmanager
def complaints() -> Iterator[list[str]]:
    handler, root = Complaints(), logging.getLogger("transports")
    root.addHandler(handler)
    try:
        yield handler.records
    finally:
        root.removeHandler(handler)


# Any lines ----------------------------------------------------------------------------------------------------------

_NICKS = (
    "carol carol carol tom tom tom Carol CAROL tom Tom eve = =tom #c tom!x \x02 \x1f😀 ' <b> "
    + "😀" * 31
    + " "
    + "x" * 200
)
_PLACES = (
    "#c #c #c #c #c #c #d #d #d #d #d #d #c #C #d #[ #{ @#c +@#c carol CAROL tom * 0 # & :x \x01 #'<& #\u202e #"
    + "\x02" * 198
    + " "
    + "y" * 3_000
)
_WORDS = (
    "x y +b-b +o -o+v +k +ovk,l * tom!u@h eve carol #c #d q1 s1 m1 k1 +b1 -b1 b1 +b2 chathistory draft/multiline netsplit "
    "timestamp=2020-01-01T00:00:00.000Z 417 NEW DEL ACK NAK LS CHATHISTORY WHO JOIN PRIVMSG REDACT BATCH TAGMSG =tom "
    "\x01VERSION\x01 \x01PING \x01ACTION NickServ -PREFIX PREFIX=(qo)~@ CASEMAPPING=ascii MONITOR=1 STATUSMSG= BOT= G* H 0 99999"
)
_TEXTS = [
    "",
    "x",
    "carol: hi",
    "\x01ACTION waves\x01",
    "\x01PING 1\x01",
    "\x02b\x1di\x0f*_~`",
    "[#c] hi",
    "a b c",
    "😀" * 50,
]
_TEXTS.append("\u202e\ufffe\x00")
_COMMANDS = (
    "PRIVMSG PRIVMSG NOTICE JOIN JOIN PART QUIT NICK KICK MODE TOPIC INVITE TAGMSG REDACT BATCH BATCH ACK CAP AWAY ACCOUNT "
    "CHGHOST SETNAME FAIL NOTE WARN PING PONG KILL MARKREAD AUTHENTICATE RENAME 001 005 301 303 305 306 311 315 318 319 322 323 "
    "324 329 332 333 341 352 353 354 366 367 368 376 396 401 403 404 433 437 442 470 471 473 474 477 482 730 731 732 734 "
    "263 902 903"
)
_TAGS = (
    "label=q1 label=s1 label=s2 batch=b1 batch=b2 msgid=m1 msgid=k1 msgid= msgid=\\s\\n account=tom account=* account==x "
    "account=a!b bot time=2020-01-01T00:00:00.000Z time=x +draft/reply=m1 +draft/react=👍 +draft/unreact=👍 "
    "+draft/react= +typing=active +typing=done draft/multiline-concat +label=s1 +batch=b1 +msgid=m1 +account=tom"
)


def _some(words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(words.split(" "))


_source = st.builds(
    "{}{}".format, _some(_NICKS), st.sampled_from(["!u@h", "!~u@h/'<>&", "!@", "@h", "", "!u@" + "h" * 400])
)
_params = st.lists(_some(_PLACES) | _some(_NICKS) | _some(_WORDS), max_size=8).map(" ".join)
_ends = st.sampled_from(["", *(f" :{text}" for text in _TEXTS)]) | st.text(st.characters(), max_size=20).map(
    " :{}".format
)
_tags = st.lists(_some(_TAGS), max_size=4).map(lambda tags: f"@{';'.join(tags)} " if tags else "")
# `N` is somebody, `P` a place, `W` a word, `T` a text
_SHAPES = """
N PRIVMSG P :T|N PRIVMSG P :T|N NOTICE P :T|N JOIN P|N JOIN P W :T|N PART P :T|N QUIT :T|N NICK :N
N NICK N|N KICK P N :T|N MODE P W N N N|N MODE P :W|N TOPIC P :T|N INVITE N P|N TAGMSG P|N REDACT P W :T
N AWAY :T|N ACCOUNT W|N CHGHOST W W|N SETNAME :T|s BATCH +b1 W P|s BATCH +b2 W P|s BATCH -b1|s BATCH -b2
s BATCH +W W P|s CAP carol W :W W|s FAIL W W W :T|s PING :T|s PONG s W|s 001 N :T|s 005 N W W W :T
s 301 carol N :T|s 353 carol = P :N N @N|s 353 carol = P :T|s 366 carol P :x|s 332 carol P :T
s 333 carol P N W|s 354 carol 417 P u h N W W :T|s 352 carol P u h s N W :0 T|s 401 carol N :T
s 404 carol P :T|s 433 carol N N :T|s 470 carol P P :T|s 473 carol P :T|s 442 carol P :T|s 482 carol P :T
s 730 carol :N,N|s 731 carol :N,N|s 734 carol 1 N,N :T|s 311 carol N u h * :T|s 319 carol N :T
s 318 carol N :x|s 396 carol W :T|s 263 carol W :T|s 305 carol :T|s 306 carol :T|s KILL N :T
s 367 carol P W N W|s 368 carol P :x|s 324 carol P W W|s 329 carol P W|s 322 carol P W :T|s 323 carol :x
s MARKREAD P W|N RENAME P P :T
"""
_parts = {"N": _some(_NICKS), "P": _some(_PLACES), "W": _some(_WORDS), "T": st.sampled_from(_TEXTS)}


@st.composite
def _shaped(draw: st.DrawFn) -> str:
    shape = draw(st.sampled_from([one for line in _SHAPES.strip().split("\n") for one in line.split("|")]))
    first, *rest = re.findall(r"\b[NPWT]\b|\w+|\W", shape)
    words = [draw(_parts[word]) if word in _parts else word for word in rest]
    source = draw(_source) if first == "N" else first
    return f"{draw(_tags)}:{source}{''.join(words)}"


_line = (
    _shaped()
    | _shaped()
    | _shaped()
    | st.builds("{}:{} {} {}{}".format, _tags, _source, _some(_COMMANDS), _params, _ends)
)


def stanza(house: House, xml: str) -> None:
    """One of carol's clients'."""
    element = ET.fromstring(f"<stream xmlns='{CLIENT}'>{xml}</stream>")[0]
    kind = element.tag.rpartition("}")[2]
    getattr(house.wing, kind)(getattr(read, kind)(element))


def _talks(house: House) -> None:
    stanza(
        house, f"<message from='{CAROL}' to='#c%irc.test@{DOMAIN}' type='groupchat' id='1'><body>hello</body></message>"
    )
    stanza(house, f"<message from='{CAROL}' to='tom%irc.test@{DOMAIN}' type='chat' id='2'><body>a\nb</body></message>")
    stanza(
        house,
        f"<message from='{CAROL}' to='#c%irc.test@{DOMAIN}' type='groupchat' id='6'><subject>new</subject></message>",
    )


def _means(house: House) -> None:
    stanza(house, f"<presence from='{CAROL}' to='#c%irc.test@{DOMAIN}/caro'/>")
    for of in ("m1", "k1", "1"):
        inner = f"<reactions xmlns='urn:xmpp:reactions:0' id='{of}'><reaction>👍</reaction></reactions>"
        stanza(house, f"<message from='{CAROL}' to='#c%irc.test@{DOMAIN}' type='groupchat' id='4'>{inner}</message>")
    inner = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>"
    stanza(house, f"<message from='{CAROL}' to='#c%irc.test@{DOMAIN}' type='groupchat' id='5'>{inner}</message>")


def _asks(house: House) -> None:
    errors = {"401": Refusal("item-not-found", "ircd.nobody")}
    question = Question("WHOIS tom", ("tom",), frozenset({"311", "319"}), frozenset({"318"}), errors)
    with contextlib.suppress(LegacyError):
        house.scene.net.ask(question, house.scene.now, lambda answer: None)


def _presence(kind: str) -> Callable[[House], None]:
    inner = "<x xmlns='http://jabber.org/protocol/muc'/>" if not kind else ""
    return lambda house: stanza(
        house, f"<presence from='{CAROL}' to='#c%irc.test@{DOMAIN}/carol'{kind}>{inner}</presence>"
    )


def _waits(house: House) -> None:
    house.scene.now += 40
    house.scene.net.tick(house.scene.now)
    inbound.tick(house.scene.net, house.scene.now)


def _lets_in(*members: str) -> Callable[[House], None]:
    """Carol's client asks for #c, and the server lets her in."""

    def act(house: House) -> None:
        nick = house.scene.net.nick
        inbound.feed(house.scene.net, f":{nick}!u@h PART #c", house.scene.now)
        _presence("")(house)
        lines = (f":{nick}!u@h JOIN #c", f":s 353 {nick} = #c :{' '.join((nick, *members))}", f":s 366 {nick} #c :x")
        with contextlib.suppress(ValueError, IndexError):
            for line in lines:
                inbound.feed(house.scene.net, line, house.scene.now)

    return act


_come = [_lets_in("@tom", "eve!e@h"), _lets_in("Carol", "+tom", "=tom"), _presence("")]
_deed = st.sampled_from([*_come, _talks, _means, _asks, _waits, _presence(" type='unavailable'")])


def sound(house: House) -> None:
    """What holds after every line, whatever it was."""
    net = house.scene.net
    members = {nick for channel in net.channels.values() for nick in channel.members}
    assert set(net.people) <= members
    assert {id(channel) for channel in net.by_name.values()} == {id(channel) for channel in net.channels.values()}
    for channel in net.channels.values():
        assert net.nick in channel.members or not channel.entered


def shown(stanzas: list[str]) -> dict[str, set[str]]:
    """Who is in which room, as carol's client has seen it."""
    rooms: dict[str, set[str]] = {}
    for text in stanzas:
        element = ET.fromstring(text)
        room, _, nick = element.get("from", "").partition("/")
        if element.tag == "presence" and "%" in room and element.get("to") == CAROL and nick:
            codes = {status.get("code") for status in element.iter("{http://jabber.org/protocol/muc#user}status")}
            there = rooms.setdefault(room, set())
            if element.get("type") is None:
                there.add(nick)
            elif element.get("type") == "unavailable":
                there.discard(nick)
                if "110" in codes and "303" not in codes:
                    there.clear()
    return rooms


def seen_right(house: House, seen: dict[str, set[str]]) -> None:
    """Each room that carol's client is in shows those who are there, and nobody else."""
    visitor = house.scene.net.tell.__self__  # type: ignore[attr-defined]
    for address, room in visitor.rooms.items():
        if room.inside and CAROL in room.clients:
            channel = house.scene.net.find(address.name.partition("%")[0])
            assert channel is not None and channel.entered
            assert seen.get(jid_of(address.name, DOMAIN), set()) == {to_resource(nick) for nick in channel.members}


@settings(max_examples=150, deadline=None)
@given(st.lists(_line | _line | _line | _line | _deed, min_size=10, max_size=60))
def test_whatever_a_network_says_nobody_is_harmed(deeds: list[str | Callable[[House], None]]) -> None:
    house = hostile()
    before = house.before  # type: ignore[attr-defined]
    with complaints() as heard:
        for deed in deeds:
            if isinstance(deed, str):
                with contextlib.suppress(ValueError, IndexError):
                    inbound.feed(house.scene.net, deed, house.scene.now)
                inbound.settle(house.scene.net)
            else:
                deed(house)
            sound(house)
        _waits(house)
    assert heard == []
    for text in house.out:
        check(text)
    seen_right(house, shown(before + house.out))
    for line in house.scene.lines:
        assert not set(line.replace("\r\n", "")) & set("\r\n\0")


# Without end --------------------------------------------------------------------------------------------------------

#: One line after the other, each about something new.
_FLOODS = {
    "people who write": [":n{}!u@h PRIVMSG carol :hi {}"],
    "services": [":x{}serv!u@services. NOTICE carol :{}"],
    "people who come and go": ["@account=a{} :n{}!u{}@h JOIN #c a{} :r", ":n{}!u@h PART #c :x"],
    "people who quit": [":n{}!u@h JOIN #c * :r", ":n{}!u@h QUIT :reason {}"],
    "nicks": [":tom!u@h NICK t{}", ":t{}!u@h NICK tom"],
    "channels that put us out again": [
        ":carol!u@h JOIN #x{}",
        ":s 353 carol = #x{} :carol a{}",
        ":s 366 carol #x{} :",
        ":s KICK #x{} carol :out",
    ],
    "channels that keep us": [":carol!u@h JOIN #x{}", ":s 366 carol #x{} :"],
    "those who are away": [":s 301 carol n{} :gone {}"],
    "multiline messages": [":s BATCH +b{} draft/multiline #c", "@batch=b{} :n!u@h PRIVMSG #c :{}"],
    "histories": [
        ":s BATCH +b{} chathistory #c",
        "@batch=b{};time=2020-01-01T00:00:00.000Z;msgid=m{} :n!u@h PRIVMSG #c :{}",
    ],
    "batches in batches": ["@batch=b{} :s BATCH +c{} x #c", "@batch=c{} :s BATCH +b{} x #c"],
    "people who type": ["@+typing=active :n{}!u@h TAGMSG carol", "@+typing=active :n{}!u@h TAGMSG #c"],
    "reactions": ["@+draft/reply=m{};+draft/react=👍;msgid=k{} :n{}!u@h TAGMSG #c"],
    "retractions": ["@msgid=r{} :n{}!u@h REDACT #c m{} :x", ":n{}!u@h REDACT carol m{} :x"],
    "ids": ["@msgid=m{} :tom!u@h PRIVMSG #c :{}", "@msgid=p{};+draft/reply=p1 :n{}!u@h PRIVMSG carol :{}"],
    "echoes": ["@msgid=m{} :carol!u@h PRIVMSG n{} :{}", "@label=s{} :s ACK", "@label=q{} :s 318 carol n{} :x"],
    "invitations": [":n{}!u@h INVITE carol #z{}"],
    "contacts": [":s 730 carol :n{}!u@h,m{}!u@h", ":s 731 carol :n{}", ":s 734 carol 1 n{} :full"],
    "capabilities": [
        ":s CAP carol NEW :c{}=x draft/chathistory={}",
        ":s CAP carol DEL :c{} draft/chathistory",
        ":s CAP carol NAK :c{}",
    ],
    "what a server has": [
        ":s 005 carol X{}=y TARGMAX=A{}:4 NETWORK=n{} BOT=b{} :x",
        ":s 005 carol CASEMAPPING=ascii{} :x",
    ],
    "modes": [":s MODE #c +bk *!*@{} k{}", ":s MODE #c +o-o tom tom"],
    "answers to nothing": [
        ":s 367 carol #c *!*@{} x 1",
        ":s 311 carol n{} u h * :r",
        ":s 322 carol #c{} 1 :t",
        ":s 303 carol :n{}",
    ],
    "failures": [
        ":s FAIL X{} Y{} :{}",
        ":s FAIL CHATHISTORY X #c{} :w",
        ":s 401 carol n{} :none",
        ":s 482 carol #c :{}",
    ],
    "programs": [":n{}!u@h PRIVMSG carol :\x01PING {}\x01", ":n{}!u@h NOTICE carol :\x01VERSION {}\x01"],
}


def weight(value: object, known: set[int] | None = None) -> int:
    """How many things hang on something: what a network can make us hold. The house has its own sockets and tasks."""
    known = set() if known is None else known
    if id(value) in known or isinstance(value, (type, ISupport, Ignored, logging.Logger)) or callable(value):
        return 0
    known.add(id(value))
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(1 + weight(key, known) + weight(item, known) for key, item in list(value.items()))
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return sum(1 + weight(item, known) for item in list(value))
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    parts = [
        getattr(value, name, None)
        for name in names
        if name not in ("line", "tell", "bridge", "session", "door", "names")
    ]
    return sum(weight(part, known) for part in parts)


#: Lines of each kind; `scripts/soak tests/test_hostile_network.py` has ten times as many.
MANY = 200_000 if os.environ.get("TRANSPORTS_SOAK") else 20_000
#: Letters and things that one user's view of one network may be, whatever it says.
HELD = 200_000


@pytest.mark.parametrize("kind", _FLOODS)
def test_what_a_network_can_make_us_hold_and_do_is_bounded(kind: str) -> None:
    house, lines = hostile(), _FLOODS[kind]
    net, now = house.scene.net, house.scene.now
    visitor = net.tell.__self__  # type: ignore[attr-defined]
    took, held = [], []
    with complaints() as heard:
        for part in range(4):
            start = time.process_time()
            for number in range(MANY // len(lines) // 4 * part, MANY // len(lines) // 4 * (part + 1)):
                for line in lines:
                    with contextlib.suppress(ValueError, IndexError):
                        inbound.feed(net, line.replace("{}", str(number)), now)
                if not number % 100:
                    inbound.settle(net)
                    house.out.clear()
                    house.scene.lines.clear()
            took.append(time.process_time() - start)
            held.append(weight(net) + weight(visitor))
    assert heard == []
    assert held[3] < HELD and held[3] < held[1] * 1.5 + 1_000
    assert took[3] < 3 * min(took) + 0.2
    house.raw(b":tom!u@h JOIN #c", b":tom!u@h PRIVMSG #c :after the flood")
    assert net.find("#c") is None or any("after the flood" in stanza for stanza in house.out)
