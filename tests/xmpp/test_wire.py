"""The component stream against a server that says what a test wants: what is taken as a stanza, what is written, what is not.

Everything runs on a clock of its own: no socket, no waiting. Real servers are in tests/scenarios/test_component.py.
"""

from __future__ import annotations

import hashlib
import pyexpat
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.far import FarBridge, FarSession, condition, words
from tests.xmpp.wired import DOMAIN, HEADER, SERVER, Wire
from transports.events import (
    NO_RANK,
    Address,
    Command,
    Echoed,
    Entered,
    Join,
    Leave,
    Rename,
    Renamed,
    Said,
    Say,
    SetSubject,
    Subject,
    SubjectSet,
)
from transports.gateway import Wing
from transports.gateway_seams import Ids, Users
from transports.ports import Outlet
from transports.xmpp import read, services, wire, write, xml
from transports.xmpp.address import JidError, parse
from transports.xmpp.wire import jitter

ACCEPT = "jabber:component:accept"
ADA = f"ada@{SERVER}/desk"
ROOM = f"#c@{DOMAIN}"
PING = "<ping xmlns='urn:xmpp:ping'/>"


def stanza(name: str = "message", inside: str = "", *, to: str = ROOM, sender: str = ADA, **more: str) -> str:
    attributes = "".join(f" {key}='{xml.attr(value)}'" for key, value in {"from": sender, "to": to, **more}.items())
    return f"<{name}{attributes}>{inside}</{name}>"


def opened(handlers: object = None) -> Wire:
    made = Wire(handlers)
    made.open()
    return made


_kept: list[Wire] = []


def again() -> Wire:
    """The same component with a new stream: for the many examples of one test, as making one takes milliseconds."""
    if not _kept:
        _kept.append(Wire())
    [made] = _kept
    if made.component.ready:
        made.close()
    made.aborted, made.handlers = False, None
    made.open()
    made.heard.clear()
    return made


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("transports")]


# The handshake (XEP-0114) ---------------------------------------------------------------------------------------------


async def test_the_handshake() -> None:
    made = Wire()
    made.component.connection_made(made)
    header = ET.fromstring(made.take() + b"</stream:stream>")
    assert (header.tag, header.attrib) == ("{http://etherx.jabber.org/streams}stream", {"to": DOMAIN})
    made.feed(HEADER[:30], HEADER[30:])
    assert made.take() == f"<handshake>{hashlib.sha1(b's1secret').hexdigest()}</handshake>".encode()
    assert not made.component.ready
    made.feed("<handshake/>")
    assert made.component.ready and made.events == ["connected"]


async def test_what_was_queued_before_is_written_once_it_is_let_in() -> None:
    made = Wire()
    made.component.send(stanza(sender=ROOM, to=ADA))
    assert made.take() == b""
    made.component.connection_made(made)
    made.feed(HEADER)
    made.take()
    made.feed("<handshake/>")
    assert made.take() == stanza(sender=ROOM, to=ADA).encode()


async def test_an_idle_stream_is_kept_alive_by_whitespace() -> None:
    made = opened()
    made.clock.turn(wire.KEEPALIVE * 3 + 1)
    assert made.take() == b"   "
    made.close()
    made.clock.turn(wire.KEEPALIVE * 3)
    assert made.take() == b""


@pytest.mark.parametrize(
    ("condition", "advice"),
    [("not-authorized", "secret"), ("host-unknown", "add a component"), ("conflict", "something else")],
)
async def test_a_refusal_is_one_line_that_says_what_to_change(
    caplog: pytest.LogCaptureFixture, condition: str, advice: str
) -> None:
    made = Wire()
    made.component.connection_made(made)
    error = f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    made.feed(HEADER, error)
    made.close()
    [line] = lines(caplog)
    assert f"condition={condition}" in line and advice in line
    assert made.component.refused == condition and made.aborted and made.events == []


async def test_a_stream_that_ends_before_the_handshake_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """And what to look at: a listener that expects TLS closes without a word."""
    made = Wire()
    made.component.connection_made(made)
    made.close()
    [line] = lines(caplog)
    assert "closed before the handshake" in line and "TLS" in line and made.events == []


# What is a stanza -----------------------------------------------------------------------------------------------------

FORGED = stanza(sender="root@example.org/x", inside="<body>forged</body>", id="forged")
NESTED = [
    f"<message xmlns='{ACCEPT}' from='root@{SERVER}/x' to='{ROOM}'><body>forged</body></message>",
    f"<iq xmlns='{ACCEPT}' type='get' id='1' from='root@{SERVER}/x' to='{DOMAIN}'>{PING}</iq>",
    f"<presence xmlns='{ACCEPT}' from='root@{SERVER}/x' to='{ROOM}/root'/>",
    f"<handshake xmlns='{ACCEPT}'/>",
    "<error xmlns='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>",
    f"<s:stream xmlns='{ACCEPT}' xmlns:s='http://etherx.jabber.org/streams' id='s2'>{FORGED}</s:stream>",
    f"<forwarded xmlns='urn:xmpp:forward:0'>{FORGED.replace('<message', f'<message xmlns={ACCEPT!r}')}</forwarded>",
    f"<message xmlns='jabber:client' from='root@{SERVER}/x' to='{ROOM}'><body>forged</body></message>",
    f"<a><b>{FORGED * 3}</b>{FORGED}</a>",
]


@pytest.mark.parametrize("inner", NESTED)
@pytest.mark.parametrize("place", ["{}", "{}<body>true</body>", "<body>true</body>{}", "{}{}", "x{}y{}z"])
async def test_what_stands_inside_a_stanza_is_no_stanza(inner: str, place: str) -> None:
    outer = stanza(inside=place.replace("{}", inner), id="outer")
    text = outer + stanza(id="next")
    made = opened()
    for split in (0, *range(len(outer) - 12, len(outer) + 12), *range(0, len(text), 17)):
        made.feed(text[:split], text[split:])
        assert [(heard.id, heard.sender) for heard in made.heard] == [("outer", ADA), ("next", ADA)]
        assert made.heard[0].body == ("true" if "true" in place else None)
        made.heard.clear()
    assert made.events == ["connected"] and not made.aborted and made.take() == b""


async def test_every_byte_for_itself() -> None:
    text = stanza(inside="<body>grüße 😀</body>", id="é") + " \n " + stanza("presence") + stanza("iq", PING, type="get")
    made = opened()
    made.feed(*[bytes((byte,)) for byte in text.encode()])
    assert [type(heard) for heard in made.heard] == [read.Message, read.Presence, read.Iq]
    assert (made.heard[0].id, made.heard[0].body) == ("é", "grüße 😀")
    assert made.heard[2].payload.tag == "{urn:xmpp:ping}ping"


NAMES = st.sampled_from(["message", "presence", "iq", "handshake", "body", "error", "x", "stream"])
SPACES = st.sampled_from([ACCEPT, "jabber:client", "http://etherx.jabber.org/streams", "urn:x", ""])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    """Any well-formed element."""
    name, space = draw(NAMES), draw(SPACES)
    keys = draw(st.dictionaries(st.sampled_from(["id", "to", "from", "type"]), TEXTS, max_size=3))
    attributes = "".join(f" {key}='{xml.attr(value)}'" for key, value in keys.items())
    inside = draw(TEXTS.map(xml.text))
    if depth:
        inside += "".join(draw(st.lists(elements(depth - 1), max_size=3)))
    own = f" xmlns='{space}'" if space else ""
    return f"<{name}{own}{attributes}>{inside}</{name}>"


@st.composite
def plain_ones(draw: st.DrawFn) -> str:
    """What most messages to rooms are."""
    beside = "<active xmlns='http://jabber.org/protocol/chatstates'/><origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
    inside = f"<body>{xml.attr(draw(TEXTS))}</body>{draw(st.sampled_from(['', beside]))}"
    return stanza(inside=inside, type="groupchat", id=draw(st.sampled_from(["", "m1", "é", "</message>"])))


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], list[bytes]]:
    """Stanzas with any content, and the bytes of them all, cut anywhere."""
    stanzas = [
        draw(plain_ones())
        if inside is None
        else stanza(draw(st.sampled_from(["message", "presence", "iq"])), inside="".join(inside), id=str(number))
        for number, inside in enumerate(draw(st.lists(st.none() | st.lists(elements(), max_size=3), max_size=8)))
    ]
    data = draw(st.sampled_from(["", " ", "\n"])).join(stanzas).encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return stanzas, [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(streams())
async def test_the_same_stanzas_wherever_the_bytes_are_cut(stream: tuple[list[str], list[bytes]]) -> None:
    stanzas, chunks = stream
    made = again()
    made.feed(*chunks)
    alone = [ET.fromstring(f"<s xmlns='{ACCEPT}'>{text}</s>")[0] for text in stanzas]
    readers = {"message": read.message, "presence": read.presence, "iq": read.iq}
    wanted = [readers[element.tag.rpartition("}")[2]](element) for element in alone]  # type: ignore[operator]
    assert list(map(_comparable, made.heard)) == list(map(_comparable, wanted))
    assert not made.aborted


def _comparable(value: read.Message | read.Presence | read.Iq) -> tuple[object, ...]:
    return tuple(ET.tostring(field) if isinstance(field, ET.Element) else field for field in value)


async def test_a_client_namespace_is_read_as_ours() -> None:
    """COMPAT: some servers hand on stanzas as they came from the client."""
    made = opened()
    made.feed(stanza(inside="<body>x</body>").replace("<message", "<message xmlns='jabber:client'"))
    assert [heard.body for heard in made.heard] == ["x"]


async def test_what_is_no_stanza_is_passed_over() -> None:
    made = opened()
    made.feed("<a/><message xmlns='urn:x'/><b xmlns='jabber:client'><message/></b>", stanza())
    assert len(made.heard) == 1 and made.take() == b"" and not made.aborted


async def test_depth_is_no_danger() -> None:
    made = opened()
    made.feed(stanza(inside="<a>" * 50_000 + "</a>" * 50_000, id="deep"), stanza(id="next"))
    assert [heard.id for heard in made.heard] == ["deep", "next"]


async def test_what_is_not_well_formed_ends_the_stream_but_not_what_came_before(caplog: pytest.LogCaptureFixture) -> None:
    made = opened()
    made.feed(stanza(id="before") + "<message></presence>" + stanza(id="after"))
    assert [heard.id for heard in made.heard] == ["before"] and made.aborted
    assert [line for line in lines(caplog) if "not well-formed" in line]
    made.close(ConnectionAbortedError())
    assert made.events == ["connected", "disconnected"]


@pytest.mark.parametrize(
    "bad", [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\x00", b"&#0;", b"&#xd800;", b"\x02"]
)
async def test_bytes_that_no_xml_may_hold_end_the_stream(bad: bytes) -> None:
    made = opened()
    made.feed(b"<message from='a@b' to='c@" + DOMAIN.encode() + b"'><body>", bad, b"</body></message>")
    assert made.heard == [] and made.aborted


async def test_the_end_of_the_stream_is_the_end_of_the_connection() -> None:
    made = opened()
    made.feed(stanza(), "</stream:stream>")
    assert len(made.heard) == 1 and made.aborted


def test_expat_knows_how_to_stop_a_bomb() -> None:
    assert pyexpat.version_info >= (2, 4, 1)


async def test_a_document_that_blows_up_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    """Billion laughs: expat stops after 8 MiB of text; the stream ends with a line, and a new one begins."""
    entities = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    made = Wire()
    made.component.connection_made(made)
    made.feed(f"<!DOCTYPE x [<!ENTITY l0 'lol'>{entities}]>{HEADER.partition('?>')[2]}", stanza(inside="<body>&l9;</body>"))
    assert made.heard == [] and made.aborted
    [line] = lines(caplog)
    assert "not well-formed" in line and "amplification" in line


# What goes to nobody, what fails --------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["ada@elsewhere.org", "elsewhere.org", f"x@sub.{DOMAIN}", SERVER])
@pytest.mark.parametrize("name", ["message", "presence", "iq"])
async def test_a_stanza_for_another_domain_is_one_line(caplog: pytest.LogCaptureFixture, to: str, name: str) -> None:
    made = opened()
    caplog.clear()
    made.feed(stanza(name, PING, to=to, type="get", id="1"))
    assert made.heard == [] and made.take() == b""
    [line] = lines(caplog)
    assert "stray stanza" in line and to in line and "global_routes" in line


async def test_a_stanza_from_nobody_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    made = opened()
    caplog.clear()
    made.feed(f"<iq to='{DOMAIN}' type='get' id='1'>{PING}</iq>")
    assert made.heard == [] and made.take() == b"" and len(lines(caplog)) == 1


@pytest.mark.parametrize(
    "to", [f"@{DOMAIN}", f"a b@{DOMAIN}", f"{'x' * 1024}@{DOMAIN}", f"x@{DOMAIN}/", f"x@{DOMAIN}/{'y' * 1024}", ""]
)
async def test_an_address_that_is_none_is_answered_by_the_domain(to: str) -> None:
    made = opened()
    made.feed(stanza("iq", PING, to=to, type="get", id="1"))
    [answer] = made.sent()
    assert (answer.get("from"), answer.get("to"), answer.get("id")) == (DOMAIN, ADA, "1")
    assert condition(answer) == "jid-malformed"


@pytest.mark.parametrize("name", ["message", "presence", "iq"])
@pytest.mark.parametrize("kind", ["get", "error", "result"])
async def test_a_handler_that_fails_costs_one_line_and_an_answer(
    caplog: pytest.LogCaptureFixture, name: str, kind: str
) -> None:
    made = opened()
    caplog.clear()
    made.fails = RuntimeError("a bug")
    made.feed(stanza(name, PING, type=kind, id="1"), stanza(id="next"))
    assert [heard.id for heard in made.heard] == ["1", "next"] and not made.aborted
    assert len(lines(caplog)) == 1
    answers = made.sent()
    if kind == "get":
        assert [(answer.tag, answer.get("from"), answer.get("to"), answer.get("id")) for answer in answers] == [
            (name, ROOM, ADA, "1")
        ]
        assert condition(answers[0]) == "internal-server-error" and words(answers[0])
    else:
        assert answers == []


async def test_whoever_fails_at_the_news_of_a_connection_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    made = Wire()
    made.component.connection_made(made)
    made.fails = RuntimeError("a bug")
    made.feed(f"{HEADER}<handshake/>{stanza()}")
    assert made.component.ready and len(made.heard) == 1
    ended = made.component._ended = _Future()  # type: ignore[assignment]
    made.fails = RuntimeError("a bug")
    made.close()
    assert ended.done() and made.events == ["connected", "disconnected"]


class _Future:
    """As much of a future as a stream uses."""

    def __init__(self) -> None:
        self.results: list[None] = []

    def done(self) -> bool:
        return bool(self.results)

    def set_result(self, result: None) -> None:
        self.results.append(result)


# What leaves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("char", ["x", "é", "€", "😀"])
async def test_stanzas_up_to_sixty_thousand_bytes_leave_and_longer_ones_do_not(
    caplog: pytest.LogCaptureFixture, char: str
) -> None:
    made = opened()
    caplog.clear()
    frame = len(write.chat(made.component.door, ROOM, ADA, "i", "").encode())
    room = xml.MAX_STANZA - frame
    fitting = char * (room // len(char.encode())) + "x" * (room % len(char.encode()))
    for text in (fitting, fitting + "x"):
        made.component.send(write.chat(made.component.door, ROOM, ADA, "i", "").replace("<body>", f"<body>{text}"))
    made.component.send(stanza(sender=ROOM, to=ADA, id="next"))
    written = made.take()
    assert len(written) == xml.MAX_STANZA + len(stanza(sender=ROOM, to=ADA, id="next").encode())
    [line] = lines(caplog)
    assert "stanza too large" in line and "x" * 100 not in line


async def test_surrogates_never_leave() -> None:
    made = opened()
    made.component.send("<message>\ud800 and \udfff</message>")
    made.component.send(write.chat(made.component.door, ROOM, ADA, "\ud800", "a\udc80b"))
    made.component.send_all(["<presence id='\udcff'/>"])
    ET.fromstring(f"<s>{made.take().decode('utf-8', 'strict')}</s>")


@pytest.mark.parametrize(
    "sender", [SERVER, f"a@{SERVER}", "", f"@{DOMAIN}", f"a@{DOMAIN}.evil.net", f"a@{DOMAIN}/", f"a@b@{DOMAIN}"]
)
def test_no_stanza_is_made_under_a_foreign_name(sender: str) -> None:
    door = xml.Door(DOMAIN)
    for make in (lambda: door.opening("message", sender, ADA), lambda: write.chat(door, sender, ADA, "i", "x")):
        with pytest.raises(xml.ForeignSender):
            make()


async def test_one_write_for_all_that_a_turn_brings() -> None:
    made = opened()
    writes: list[bytes] = []
    made.write = writes.append  # type: ignore[method-assign]
    for number in range(100):
        made.component.send(stanza(sender=ROOM, to=ADA, id=str(number)))
    made.component.send_all([stanza("presence", sender=ROOM, to=ADA)] * 3)
    made.clock.turn()
    assert len(writes) == 1 and writes[0].count(b"<message") == 100 and writes[0].count(b"<presence") == 3


# A server that does not keep up ---------------------------------------------------------------------------------------


async def test_a_moments_delay_pauses_nobody() -> None:
    made = opened()
    made.component.pause_writing()
    made.clock.turn(wire.GRACE / 2)
    made.component.resume_writing()
    made.clock.turn(60)
    assert made.events == ["connected"]


async def test_a_stalled_server_pauses_the_far_side_and_nothing_is_lost_when_it_goes_on() -> None:
    made = opened()
    made.component.pause_writing()
    made.clock.turn(wire.GRACE * 2)
    assert made.events == ["connected", "pause"]
    for number in range(10):
        made.component.send(stanza(sender=ROOM, to=ADA, id=str(number)))
    assert made.take() == b""
    made.clock.turn(wire.STALLED - 1)
    made.component.resume_writing()
    assert made.events == ["connected", "pause", "resume"]
    assert [answer.get("id") for answer in made.sent()] == [str(number) for number in range(10)]
    assert not made.aborted


async def test_a_server_that_stalls_too_long_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    made = opened()
    made.component.pause_writing()
    made.component.send(stanza(sender=ROOM, to=ADA, id="kept"))
    made.clock.turn(wire.STALLED + 1)
    assert made.aborted and [line for line in lines(caplog) if "does not read" in line]
    made.close()
    assert made.events == ["connected", "pause", "resume", "disconnected"]
    made.aborted = False
    made.component.connection_made(made)
    made.feed(HEADER)
    made.take()
    made.feed("<handshake/>")
    assert [answer.get("id") for answer in made.sent()] == ["kept"]


async def test_what_comes_in_one_turn_of_the_loop_pauses_the_far_side_before_the_turn_ends() -> None:
    made = opened()
    made.component.pause_writing()
    for number in range(400):
        made.component.send(stanza(sender=ROOM, to=ADA, id=str(number), inside=f"<body>{'x' * 9_000}</body>"))
    assert made.events == ["connected", "pause"]
    made.component.resume_writing()
    assert made.events == ["connected", "pause", "resume"]
    made.clock.turn(wire.STALLED + 1)
    assert not made.aborted and made.events[-1] == "resume"


async def test_a_server_that_reads_slowly_is_waited_for() -> None:
    made = opened()
    made.unread = 3_000_000
    made.component.pause_writing()
    made.clock.turn(wire.GRACE * 2)
    for _ in range(3):
        made.unread -= 10
        made.clock.turn(wire.STALLED + 1)
        assert not made.aborted
    made.clock.turn(wire.STALLED + 1)
    assert made.aborted


async def test_what_waits_for_a_stream_is_bounded_and_what_was_dropped_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made = opened()
    made.close()
    for outage in (1, 2):
        caplog.clear()
        for number in range(1_000):
            made.component.send(stanza(sender=ROOM, to=ADA, id=str(number), inside=f"<body>{'x' * 14_000}</body>"))
            made.clock.turn()
            assert made.component._waiting <= wire.BACKLOG + xml.MAX_STANZA
        assert len([line for line in lines(caplog) if "backlog full" in line]) == 1, outage
        made.component.connection_made(made)
        made.feed(f"{HEADER}<handshake/>")
        written = made.take()
        assert b"id='999'" in written and b"id='0'" not in written
        assert [line for line in lines(caplog) if "dropped" in line]
        made.close()


# jitter ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "low", "high"),
    [(1, 1, 2), (2, 1, 4), (3, 1, 8), (4, 1, 16), (8, 1, 256), (9, 1, 300), (10, 1, 300), (10_000, 1, 300)],
)
def test_the_longest_wait_doubles_up_to_five_minutes(attempt: int, low: float, high: float) -> None:
    assert (jitter(attempt, 0.0), jitter(attempt, 1.0)) == (low, high)


@given(st.integers(0, 1 << 70), st.floats(0, 1))
def test_every_wait_is_between_a_second_and_five_minutes(attempt: int, chance: float) -> None:
    assert 1.0 <= jitter(attempt, chance) <= 300.0
    assert jitter(attempt, chance) <= jitter(attempt + 1, chance)


# Anything at all ------------------------------------------------------------------------------------------------------

DISCO = "http://jabber.org/protocol/disco"
MUC = "http://jabber.org/protocol/muc"
PAYLOADS = st.sampled_from(
    [
        "", PING, PING * 2, "<a xmlns='b'/>", "text", "<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:version'/>",
        f"<query xmlns='{DISCO}#info'/>", f"<query xmlns='{DISCO}#items'/>", "<time xmlns='urn:xmpp:time'/>",
        f"<query xmlns='{DISCO}#info' node='x-roomuser-item'/>", f"<x xmlns='{MUC}'/>",
        f"<x xmlns='{MUC}'><password/><history/></x>", "<body>hello</body>", "<body/>", "<subject>s</subject>", "<error/>",
        "<error type='cancel'><gone xmlns='x'/></error>", "<encrypted xmlns='urn:xmpp:omemo:2'/>", "<body><body>x</body></body>",
    ]
)  # fmt: skip
LOCALS = st.sampled_from(["#c", "#d", "bob", "desk", "no!such", "", "\\20", "#", "%", "a%b", "\\u{", "#ä"]) | TEXTS
TYPES = st.sampled_from(["get", "set", "result", "error", "groupchat", "chat", "unavailable", "subscribe", "probe", ""]) | TEXTS
SENDERS = st.sampled_from([ADA, f"eve@{SERVER}/x", f"ada@{SERVER}", SERVER, "mallory@evil.net/x", DOMAIN, ROOM]) | TEXTS


@st.composite
def anything(draw: st.DrawFn) -> dict[str, str]:
    local, resource = draw(LOCALS), draw(st.none() | st.sampled_from(["bob", "ada", "nobody"]) | TEXTS)
    domain = draw(st.sampled_from([DOMAIN] * 8 + [DOMAIN.upper(), SERVER, ""]))
    to = (f"{local}@{domain}" if local else domain) + ("" if resource is None else f"/{resource}")
    return {
        "name": draw(st.sampled_from(["iq", "iq", "message", "presence"])),
        "inside": "".join(draw(st.lists(PAYLOADS | elements(1), max_size=2))),
        "sender": draw(SENDERS),
        "to": to,
        "id": draw(TEXTS | st.just("1")),
        "type": draw(TYPES),
    }


@st.composite
def likely(draw: st.DrawFn) -> dict[str, str]:
    """What clients do: join, speak, whisper, set a subject, take another nick, leave; with odd names and words."""
    name = xml.attr(draw(TEXTS))
    nick, body = draw(st.sampled_from(["ada", "bob", "\\u{20}"]) | TEXTS), xml.text(draw(TEXTS))
    room = f"{draw(st.sampled_from(['#c', '#C', '#d']))}@{DOMAIN}"
    tag, kind, to, inside = draw(
        st.sampled_from(
            [
                ("presence", "", f"{room}/{nick}", f"<x xmlns='{MUC}'/>"),
                ("presence", "", f"{room}/ada", f"<x xmlns='{MUC}'/>"),
                ("presence", "", f"{room}/{nick}", "<show>away</show>"),
                ("presence", "unavailable", f"{room}/{nick}", f"<status>{body}</status>"),
                ("message", "groupchat", room, f"<body>{body}</body><origin-id xmlns='urn:xmpp:sid:0' id='{name}'/>"),
                ("message", "groupchat", room, f"<subject>{body}</subject>"),
                ("message", "chat", f"{room}/{nick}", f"<body>{body}</body>"),
                ("message", "error", room, "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"),
                ("message", "chat", f"bob@{DOMAIN}", f"<body>{body}</body>"),
                ("iq", "get", f"{room}/{nick}", PING),
                ("iq", "get", room, f"<query xmlns='{DISCO}#info'/>"),
            ]
        )
    )
    sender = draw(st.sampled_from([ADA, f"ada@{SERVER}/phone", f"eve@{SERVER}/x"]))
    return {"name": tag, "inside": inside, "sender": sender, "to": to, "id": draw(TEXTS), "type": kind}


class LivelyBridge(FarBridge):
    """A far side that lets everybody in and agrees to everything at once."""

    def open(self, user: str, outlet: Outlet) -> FarSession:
        session = super().open(user, outlet)
        nicks: dict[Address, str] = {}

        def do(command: Command) -> None:
            match command:
                case Join(where, nick):
                    nicks[where] = nick
                    outlet.tell(Entered(where, nick, {nick: NO_RANK, "bob": NO_RANK}, Subject("s", "bob")))
                    outlet.tell(Said(where, "bob", "welcome"))
                case Leave(where):
                    nicks.pop(where, None)
                case Rename(where, nick) if where in nicks:
                    outlet.tell(Renamed(where, nicks[where], nick, NO_RANK))
                    outlet.tell(Echoed((command,)))
                    nicks[where] = nick
                case Say(to, nick, words) if nick or to.kind == "person":
                    outlet.tell(Said(self.person(to, nick or to.name), nick or to.name, words))
                case Say():
                    outlet.tell(Echoed((command,)))
                case SetSubject(where, words):
                    outlet.tell(SubjectSet(where, Subject(words, "bob")))

        session.do = do  # type: ignore[method-assign]
        return session


@given(st.lists(likely() | likely() | anything(), min_size=1, max_size=10))
async def test_whatever_comes_nothing_breaks_and_every_question_has_one_answer(stanzas: Sequence[dict[str, str]]) -> None:
    made = again()
    stream = made.component
    made.handlers = Wing(LivelyBridge(), Users(frozenset({SERVER})), Ids(), stream.send, stream.send_all, services.TABLE)
    for one in stanzas:
        made.feed(stanza(one["name"], one["inside"], to=one["to"], sender=one["sender"], id=one["id"], type=one["type"]))
        answers = made.sent()
        assert not made.aborted
        assert all(answer.get("from", "").partition("/")[0].rpartition("@")[2] == DOMAIN for answer in answers)
        assert all(condition(answer) != "internal-server-error" for answer in answers), one
        if one["type"] == "error" or (one["name"], one["type"]) == ("iq", "result"):
            assert [answer for answer in answers if answer.get("type") == "error"] == []
        if one["name"] == "iq":
            assert len(answers) <= 1
            if one["type"] not in ("result", "error") and one["sender"] and _reaches_us(one["to"]):
                assert [(answer.tag, answer.get("to"), answer.get("id") or "") for answer in answers] == [
                    ("iq", one["sender"], one["id"])
                ]


def _reaches_us(to: str) -> bool:
    try:
        return parse(to).domain == DOMAIN
    except JidError:
        return True
