"""Lines that are not UTF-8, both ways."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.bridges.irc.charsets import NO_ROOMS, UTF_8, encoded, reading
from transports.bridges.irc.isupport import ISupport
from transports.bridges.irc.read import decode

ROOMS = {"#русский": ("cp1251", "koi8-r"), "#west": ("cp1252", ""), "#east": ("", "cp1250")}


def isupport(*tokens: str) -> ISupport:
    found = ISupport()
    found.update(["ada", *tokens, "are supported by this server"])
    return found


PLAIN = isupport("CHANTYPES=#", "STATUSMSG=@+", "CASEMAPPING=ascii")


@pytest.mark.parametrize(
    ("raw", "charset"),
    [
        (b":bob!b@h PRIVMSG #west :caf\xe9", "cp1252"),
        (b"@time=now :bob!b@h PRIVMSG #WEST :caf\xe9", "cp1252"),
        (b":bob!b@h PRIVMSG @#west :caf\xe9", "cp1252"),
        (b":bob!b@h PRIVMSG #east :caf\xe9", "iso-8859-2"),
        (b":bob!b@h PRIVMSG ada :about #west caf\xe9", "iso-8859-2"),
        (b":irc.test 332 ada #west :caf\xe9", "cp1252"),
        (b"\xff\xfe", "iso-8859-2"),
    ],
)
def test_a_line_is_read_as_its_channel_is(raw: bytes, charset: str) -> None:
    assert reading(raw, "iso-8859-2", ROOMS, PLAIN) == charset


@pytest.mark.parametrize(
    ("line", "usual", "data"),
    [
        ("PRIVMSG #east :žlutý", "cp1252", "PRIVMSG #east :žlutý\r\n".encode("cp1250")),
        ("PRIVMSG #west :café", "cp1252", b"PRIVMSG #west :caf\xe9\r\n"),
        ("PRIVMSG #other :café", UTF_8, "PRIVMSG #other :café\r\n".encode()),
        ("PRIVMSG #other :café", "cp1252", b"PRIVMSG #other :caf\xe9\r\n"),
        # not all of it can be said in that charset
        ("PRIVMSG #west :café ☕", "cp1252", "PRIVMSG #west :café ☕\r\n".encode()),
        ("PRIVMSG #west :\ud800", "cp1252", b"PRIVMSG #west :?\r\n"),
        ("PING :f1", "cp1252", b"PING :f1\r\n"),
        # never a charset that makes other lines of it
        ("PRIVMSG #west :\u0a0d", "utf-16", "PRIVMSG #west :\u0a0d\r\n".encode()),
        ("PRIVMSG #west :é", "no-such-charset", "PRIVMSG #west :é\r\n".encode()),
    ],
)
def test_a_line_is_written_as_its_channel_is(line: str, usual: str, data: bytes) -> None:
    assert encoded([line], usual, ROOMS, PLAIN) == data


def test_a_server_that_takes_utf_8_alone_gets_nothing_else() -> None:
    assert encoded(["PRIVMSG #east :žlutý"], "cp1252", ROOMS, isupport("UTF8ONLY")) == "PRIVMSG #east :žlutý\r\n".encode()


CHARSETS = ["cp1251", "koi8-r", "iso-8859-15", "shift_jis", "gb18030", "big5", "euc_kr", "iso2022_jp", "unicode_escape"]


@given(st.text(st.characters(exclude_characters="\r\n\0")), st.sampled_from(CHARSETS))
def test_one_line_stays_one_line(text: str, charset: str) -> None:
    codecs.lookup(charset)
    data = encoded([f"PRIVMSG #x :{text}"], charset, NO_ROOMS, PLAIN)
    assert data.endswith(b"\r\n") and data.count(b"\n") == data.count(b"\r") == 1 and b"\0" not in data
    assert data.startswith(b"PRIVMSG #x :")


@given(st.text(st.characters(codec="cp1251", exclude_characters="\r\n\0")))
def test_what_is_written_is_read_again(text: str) -> None:
    data = encoded([f"PRIVMSG #x :{text}"], "cp1251", NO_ROOMS, PLAIN)[:-2]
    read = decode(data, "cp1251").partition(" :")[2]
    assert read == text or data.decode(errors="replace").partition(" :")[2] == read


@pytest.mark.parametrize("raw", [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\xaf", b"\xff" * 100])
@pytest.mark.parametrize("charset", ["", "utf-8", "cp1251", "utf-7"])
def test_what_is_no_utf_8_harms_nobody(raw: bytes, charset: str) -> None:
    text = decode(raw, charset)
    assert text.encode() and "/" not in text
