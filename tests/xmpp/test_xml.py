"""The XML door: whatever goes in, what comes out is well-formed, means the same and has a bounded size."""

from __future__ import annotations

import re
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.xmpp import xml

#: All of Unicode, lone surrogates included.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
NASTY_TEXT = st.lists(
    st.sampled_from(
        ["&", "<", ">", "'", '"', "\r", "\n", "\r\n", "\t", "\0", "\x0b", "\ud83d", "\ufffe", "😀", "a", "]]>"]
    )
).map("".join)

#: XML 1.0 section 2.2, production [2].
NOT_CHAR = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(document: str) -> tuple[dict[str, str], str]:
    """The attributes and the text of a document of one element, by expat: what Prosody and slixmpp read with."""
    attributes: dict[str, str] = {}
    content: list[str] = []
    reader = expat.ParserCreate()
    reader.StartElementHandler = lambda _, found: attributes.update(found)
    reader.CharacterDataHandler = content.append
    reader.Parse(document.encode(), True)
    return attributes, "".join(content)


@pytest.mark.parametrize(
    ("given_text", "as_text", "as_attr"),
    [
        ("", "", ""),
        ("hello", "hello", "hello"),
        ("tom & jerry <3 >", "tom &amp; jerry &lt;3 &gt;", "tom &amp; jerry &lt;3 &gt;"),
        ("]]>", "]]&gt;", "]]&gt;"),
        ('it\'s "so"', 'it\'s "so"', "it&apos;s &quot;so&quot;"),
        ("a\tb\nc", "a\tb\nc", "a&#9;b&#10;c"),
        ("a\r\nb\rc", "a\nb\nc", "a&#13;&#10;b&#13;c"),
        ("\x02bold\x02 \x00\x08\x0b\x0c\x0e\x1f", "bold ", "bold "),
        ("\x7f\x80\x9f\x85\u2028", "\x7f\x80\x9f\x85\u2028", "\x7f\x80\x9f\x85\u2028"),
        ("\ud83d\ude00 \udcff", " ", " "),
        ("\ufffe\uffff\ufffd", "\ufffd", "\ufffd"),
        ("😀\U0001fffe\U0010ffff", "😀\U0001fffe\U0010ffff", "😀\U0001fffe\U0010ffff"),
    ],
)
def test_escaping(given_text: str, as_text: str, as_attr: str) -> None:
    assert xml.text(given_text) == as_text
    assert xml.attr(given_text) == as_attr


@given(ANY_TEXT | NASTY_TEXT)
def test_what_comes_out_is_well_formed_and_means_the_same(s: str) -> None:
    attributes, content = read(f"<a b='{xml.attr(s)}' c=\"{xml.attr(s)}\">{xml.text(s)}</a>")
    legal = NOT_CHAR.sub("", s)
    assert xml.clean(s) == legal
    assert attributes == {"b": legal, "c": legal}
    assert content == NOT_CHAR.sub("", s.replace("\r\n", "\n").replace("\r", "\n"))


def test_text_that_needs_nothing_is_handed_back_itself() -> None:
    s = "".join(["plain words, ", "Ünïcödé 😀"])
    assert xml.text(s) is s
    assert xml.attr(s) is s
    assert xml.clean(s) is s


def test_each_doubtful_code_point_reaches_expat_or_is_gone() -> None:
    for point in (*range(0x100), *range(0xD7F0, 0xE010), *range(0xFDC0, 0x10010), 0x1FFFE, 0x10FFFF):
        s = chr(point)
        _, content = read(f"<a>{xml.text(s)}</a>")
        assert content == ("" if NOT_CHAR.match(s) else s.replace("\r", "\n")), hex(point)


@pytest.mark.parametrize(
    ("stanza", "fits"),
    [("", True), ("a" * 60_000, True), ("a" * 60_001, False), ("😀" * 15_000, True), ("😀" * 15_001, False)],
)
def test_a_stanza_fits_by_its_bytes(stanza: str, fits: bool) -> None:
    assert xml.fits(stanza) is fits


@pytest.mark.parametrize(
    ("s", "size", "clipped"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "h…"),
        ("hello", 3, "…"),
        ("hello", 2, ""),
        ("", 0, ""),
        ("&&&", 15, "&&&"),
        ("&&&", 14, "&&…"),
        ("😀😀", 8, "😀😀"),
        ("😀😀", 7, "😀…"),
        ("\0\0\0\0\0\0ab", 2, "\0\0\0\0\0\0ab"),
        ("\0\0\0\0\0\0abcd", 3, "…"),
    ],
)
def test_clip(s: str, size: int, clipped: str) -> None:
    assert xml.clip(s, size) == clipped


@given(ANY_TEXT | NASTY_TEXT, st.integers(0, 60))
def test_what_is_clipped_fits_and_is_a_beginning(s: str, size: int) -> None:
    clipped = xml.clip(s, size)
    assert len(xml.text(clipped).encode()) <= size
    assert clipped == s or xml.clean(s).startswith(clipped.removesuffix("…"))


def test_an_error_names_its_condition_and_quotes_its_words() -> None:
    stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"
    assert xml.error("conflict", "cancel", "<nick> in use") == (
        f"<error type='cancel'><conflict xmlns='{stanzas}'/><text xmlns='{stanzas}'>&lt;nick&gt; in use</text></error>"
    )
    assert xml.error("gone", "cancel", "") == f"<error type='cancel'><gone xmlns='{stanzas}'/></error>"
    assert "<undefined-condition " in xml.error("a b/>", "cancel", "")
    assert len(xml.error("gone", "cancel", "&" * 100_000)) < 3_000


@pytest.mark.parametrize(
    "sender",
    ["irc.test", "#a@irc.test", "#a@irc.test/nick", "#a@irc.test/a@b/c", "irc.test/x", "#a@irc.test/<'&>"],
)
def test_the_door_lets_its_own_domain_out(sender: str) -> None:
    opening = xml.Door("irc.test").opening("message", sender, "ada@example.org/<'>", " type='chat'")
    attributes, _ = read(opening + "/>")
    assert attributes == {"from": sender, "to": "ada@example.org/<'>", "type": "chat"}


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "example.org",
        "ada@example.org",
        "xirc.test",
        "irc.test.example.org",
        "example.org/irc.test",
        "example.org/@irc.test",
        "a@b@irc.test",
        "irc.test@example.org",
        "@irc.test",
        "irc.test/",  # an empty resource closes Prosody's stream
        "#a@irc.test/\x00",
        "\x00@irc.test",
        "#a@irc.test@",
        "IRC.test",
    ],
)
def test_the_door_keeps_foreign_and_broken_senders_in(sender: str) -> None:
    with pytest.raises(xml.ForeignSender):
        xml.Door("irc.test").opening("message", sender, "ada@example.org")
