"""Two ways to read one stream: with the short way of plain messages, and by the parser alone. They always say the same.

What is hostile here is more than users can send: servers write no comments, no CDATA, no second of an attribute.
"""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree.ElementTree import tostring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xmpp.wired import DOMAIN, HEADER, SERVER, Wire

ADA, ROOM = f"ada@{SERVER}/desk", f"#c@{DOMAIN}"
ACTIVE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
ORIGIN = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"


class Slow(Wire):
    """Every byte goes to the parser as it comes: what was there before the short way."""

    def feed(self, *chunks: str | bytes) -> None:
        for chunk in chunks:
            self.component._parse(chunk.encode() if isinstance(chunk, str) else chunk)


def plain(body: str = "a", more: str = "") -> str:
    return f"<message from='{ADA}' to='{ROOM}' type='groupchat' id='m1'{more}><body>{body}</body></message>"


_made: dict[type[Wire], Wire] = {}


def outcome(kind: type[Wire], chunks: list[bytes], header: str = f"{HEADER}<handshake/>") -> Any:
    """What was heard and answered, whether the stream is ended, and what would still be heard behind it."""
    wire = _made.get(kind) or _made.setdefault(kind, kind())
    if wire.component.parser is not None:
        wire.close()
    wire.aborted = False
    wire.component.connection_made(wire)
    wire.component.data_received(header.encode())
    wire.take()
    wire.heard.clear()
    for chunk in chunks:
        wire.feed(chunk)
        if wire.aborted:  # nothing comes in any more
            break
    ended = wire.aborted
    wire.aborted = False
    wire.clock.turn()
    heard = [value._replace(**_text(value)) for value in wire.heard]
    return heard, ended or wire.aborted, wire.take()


def _text(value: Any) -> dict[str, Any]:
    name = "rich" if hasattr(value, "rich") else "payload" if hasattr(value, "payload") else ""
    return {name: tostring(getattr(value, name))} if name and getattr(value, name) is not None else {}


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize(
    "stream",
    [
        f"<presence from='{ADA}' to='{ROOM}'></presence><!-- </message>{plain('hidden')} -->{plain()}",
        f"<presence from='{ADA}' to='{ROOM}'></presence><?p </message>{plain('hidden')} ?>{plain()}",
        f"{plain()}<![CDATA[</message>{plain('hidden')}]]>{plain()}",
        f"<presence from='{ADA}' to='{ROOM}'></presence>&</message>{plain('behind the end')}",
        f"{plain()}{plain('twice', more=f' id={ROOM!r}')}{plain('behind the end')}",
        f"{plain()}{plain('twice', more=f' to={ROOM!r}')}{plain('behind the end')}",
        f"{plain()}</message>{plain('behind the end')}",
        f"{plain()}</stream:stream>{plain('behind the end')}",
        f"<message from='{ADA}' to='{ROOM}' type='error'/> ",
        f"<iq from='{ADA}' to='{ROOM}' type='get'><x xmlns='x'>{plain('forwarded')}</x></iq>",
        f"{plain(f'<![CDATA[</message>{plain()}]]>')}{plain('é')}",
    ],
)
async def test_hidden_and_broken_messages_are_what_they_are_to_the_parser(stream: str) -> None:
    data = stream.encode()
    for chunks in ([data], *([data[:at], data[at:]] for at in range(1, len(data), 3)), [bytes([one]) for one in data]):
        assert outcome(Wire, chunks) == outcome(Slow, chunks)


async def test_a_stream_of_another_language_has_no_plain_messages() -> None:
    header = HEADER.replace(" xmlns='jabber:component:accept'", " xmlns='x' xmlns:c='jabber:component:accept'")
    chunks = [
        f"<presence xmlns='jabber:component:accept' from='{ADA}' to='{ROOM}'></presence>".encode(),
        plain().encode(),
    ]
    assert outcome(Wire, chunks, header + "<c:handshake/>") == outcome(Slow, chunks, header + "<c:handshake/>")


LIKE = f"xmlns:stream='http://etherx.jabber.org/streams' from='{DOMAIN}' xml:lang='en'"
OURS = "xmlns='jabber:component:accept'"


@pytest.mark.parametrize(
    ("header", "usual"),
    [
        (f"<?xml version='1.0'?><stream:stream id='a-1' {LIKE} {OURS}>", True),  # Prosody, ejabberd
        (f'<stream:stream {OURS} id="1" {LIKE}>', True),
        (f"<?xml version='1.0' encoding='ISO-8859-1'?><stream:stream {LIKE} {OURS}>", False),
        (f"<!-- --><stream:stream {LIKE} {OURS}>", False),
        (f"<!DOCTYPE x [<!ENTITY amp 'x'>]><stream:stream {LIKE} {OURS}>", False),
        (f'<stream:stream {LIKE} id=" {OURS}" xmlns="x">', False),
        (f"<stream:stream {OURS} id='{'x' * 5_000}' {LIKE}>", False),
    ],
)
async def test_plain_messages_are_those_of_a_stream_as_servers_write_it(header: str, usual: bool) -> None:
    wire = Wire()
    for chunks in ([header], list(header)):
        wire.component.connection_made(wire)
        wire.feed(*chunks)
        wire.feed(plain())
        assert wire.component._between is usual
        wire.close()


ATTRIBUTES = st.lists(
    st.sampled_from(
        [
            f" from='{ADA}'",
            f" to='{ROOM}'",
            f' to="{ROOM}"',
            " type='groupchat'",
            " type='chat'",
            " id='m'",
            " id='&lt;/message>'",
            " id='>'",
            " xml:lang='de'",
            " to='@'",
            " x='é'",
            " xmlns='jabber:client'",
            " xmlns:a='jabber:component:accept'",
        ]
    ),
    max_size=6,
).map("".join)
INSIDE = st.lists(
    st.sampled_from(
        [
            "<body>",
            "</body>",
            "<body>a</body>",
            "<body/>",
            ACTIVE,
            ORIGIN,
            "&amp;",
            "&quot;",
            "&#65;",
            "]]>",
            "<![CDATA[</message>]]>",
            "<!-- </message> -->",
            "<?p </message> ?>",
            "é😀",
            "\r\n",
            " ",
            "'\"",
            "<request xmlns='urn:xmpp:receipts'/>",
            "<x xmlns='y'><message></message></x>",
            "<a:body xmlns:a='jabber:component:accept'>b</a:body>",
        ]
    ),
    max_size=4,
).map("".join)


@st.composite
def stanzas(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["plain", "plain", "plain", "some", "some", "other", "junk"]))
    if kind == "plain":
        return plain(draw(st.sampled_from(["a", "", "&amp;&lt;", "é😀\n", "it's > \"", "x" * 5_000])))
    if kind == "some":
        unique = draw(st.booleans())
        attributes = f" from='{ADA}' to='{ROOM}' type='groupchat'" if unique else draw(ATTRIBUTES)
        return f"<message{attributes}>{draw(INSIDE)}</message>"
    if kind == "other":
        return draw(
            st.sampled_from(
                [
                    f"<presence from='{ADA}' to='{ROOM}'/>",
                    f"<presence from='{ADA}' to='{ROOM}'></presence>",
                    f"<iq from='{ADA}' to='{ROOM}' type='get' id='1'><query xmlns='q'><message>a</message></query></iq>",
                    f"<message from='{ADA}' to='{ROOM}' type='error'/>",
                    f"<c:message xmlns:c='jabber:component:accept' from='{ADA}' to='{ROOM}'><c:body>a</c:body></c:message>",
                    f"<message xmlns='jabber:client' from='{ADA}' to='{ROOM}' type='groupchat'><body>a</body></message>",
                ]
            )
        )
    return draw(
        st.sampled_from(
            [" ", "\n", "<!-- </message> -->", "<!--</message>", "<?p </message>?>", "&", "</message>", "t"]
        )
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(stanzas(), max_size=7), st.lists(st.integers(0, 40_000), max_size=12), st.booleans())
async def test_both_ways_read_the_same_wherever_the_bytes_are_cut(
    parts: list[str], places: list[int], torn: bool
) -> None:
    data = "".join(parts).encode()
    if torn and data:
        data = data[: places[0] % len(data)] if places else data
    chunks = cut(data, places)
    assert outcome(Wire, chunks)[0] == outcome(Slow, chunks)[0]
    # of half a message what is wrong may be found when more of it has come
    chunks.append(b" " * 5_000)
    assert outcome(Wire, chunks) == outcome(Slow, chunks)


@pytest.mark.parametrize(
    "stream",
    [plain("&amp;" * 12_000), plain("&" * 60_000), "<message" + " id=''" * 20_000 + ">", plain("<" * 60_000)],
)
async def test_what_has_begun_is_kept_only_up_to_a_bound(stream: str) -> None:
    wire = Wire()
    wire.open()
    wire.feed(plain())
    for start in range(0, len(stream), 100):
        wire.feed(stream[start : start + 100])
        assert len(wire.component._begun) < 4_200
