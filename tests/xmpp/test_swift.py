"""The short way of plain messages: what it reads is what the parser reads, and what it does not know is the parser's."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.xmpp import read, swift
from transports.xmpp.address import JidError

ROOM, ADA = "#c@far.example.org", "ada@example.org/desk"
ACTIVE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
ORIGIN = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"


def message(inside: str, attributes: str = " type='groupchat' id='m1'") -> str:
    return f"<message from='{ADA}' to='{ROOM}'{attributes}>{inside}</message>"


def parsed(text: str) -> read.Message:
    return read.message(ET.fromstring(f"<s xmlns='jabber:component:accept'>{text}</s>")[0])


def swiftly(text: str) -> read.Message | None:
    found = swift.plain(text, 0)
    return swift.message(found) if found is not None and found.end() == len(text) else None


@pytest.mark.parametrize(
    "text",
    [
        message("<body>hello</body>"),
        message("<body>it&apos;s &lt;3 &amp; &quot;more&quot; &gt; \n\t😀 é > \"'</body>"),
        message("<body></body>"),
        message(f"{ACTIVE}{ORIGIN}<body>a</body><markable xmlns='urn:xmpp:chat-markers:0'/>"),
        message("<body>a</body><origin-id id='o1' xmlns='urn:xmpp:sid:0'/><request xmlns='urn:xmpp:receipts'/>"),
        message(f"<body>a</body>{ORIGIN}{ORIGIN.replace('o1', 'o2')}"),
        message("<body>a</body>", " xml:lang='en' id='' type='groupchat'"),
        message("<body>a</body>", ' id=\'"\' type=\'groupchat\''),
        message("<body>a</body>", " type='groupchat'"),
        f"<message type='groupchat' to='{ROOM}'><body>from nobody</body></message>",
    ],
)
def test_plain_words_are_read_as_the_parser_reads_them(text: str) -> None:
    assert swiftly(text) == parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        message("<body>a</body>", ""),
        message("<body>a</body>", " type='chat'"),
        message("<body>a</body>", " type='groupchat' id='a&amp;b'"),
        message("<body>a</body>", " type='groupchat' id='a\tb'"),
        message("<body>a</body>", " type='groupchat' x='y'"),
        message("<body>a</body>", " type='groupchat' xmlns='jabber:client'"),
        message("<body>a</body>", ' type="groupchat"'),
        message("<body>a&#39;b</body>"),
        message("<body>a\rb</body>"),
        message("<body>a]]>b</body>"),
        message("<body>a\x01b</body>"),
        message("<body>a\ufffeb</body>"),
        message("<body>a<b/></body>"),
        message("<body xml:lang='de'>a</body>"),
        message("<body>a</body><body>b</body>"),
        message(f"{ORIGIN}<body>a</body>{ORIGIN}"),
        message("<body>a</body><origin-id id='o1'/>"),
        message("<body>a</body><subject>s</subject>"),
        message("<body>a</body><thread>t</thread>"),
        message("<subject>s</subject>"),
        message("<body>a</body> "),
        message("<body>a</body><reply xmlns='urn:xmpp:reply:0' id='x'/>"),
        message("<body>a</body><encrypted xmlns='urn:xmpp:omemo:2'/>"),
        f"<message type='groupchat' from='{ADA}'><body>to nobody</body></message>",
        "<message/>",
        "<presence/>",
    ],
)
def test_everything_else_is_the_parsers(text: str) -> None:
    assert swiftly(text) is None


def test_an_address_that_is_none_is_said_to_be_none() -> None:
    with pytest.raises(JidError):
        swiftly(message("<body>a</body>").replace(ROOM, "@"))


@pytest.mark.parametrize("piece", ["&amp;", "x", f"{ACTIVE}", "<", " id='x'", "<body>", "</body>"])
def test_long_texts_that_fail_cost_linear_time(piece: str) -> None:
    for text in (message(f"<body>{piece * 50_000}"), message(piece * 20_000), f"<message{piece * 50_000}"):
        swift.plain(text, 0)


PIECES = st.sampled_from(
    ["<body>", "</body>", "<body/>", ACTIVE, ORIGIN, "&amp;", "&#x26;", "a", "'", '"', ">", "]]>", "\r", "\t", "é", " "]
)
KEYS = st.sampled_from([" type='groupchat'", " id='1'", " id='&lt;'", " xml:lang='de'", " type='chat'", " id=\"2\"", " x='1'"])


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=6), st.lists(KEYS, max_size=3, unique_by=lambda key: key.partition("=")[0]))
def test_whatever_is_read_is_read_the_same(inside: list[str], keys: list[str]) -> None:
    for body in ("".join(inside), f"<body>{''.join(inside)}</body>", f"<body>a</body>{''.join(inside)}"):
        text = message(body, "".join(keys))
        value = swiftly(text)
        if value is not None:
            assert value == parsed(text)
