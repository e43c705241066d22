"""Types and names of files: what bytes show, what may be said of them, and names that fit anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.files import media

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MP4 = bytes(4) + b"ftypisom" + bytes(20)


@pytest.mark.parametrize(
    ("data", "said", "name", "type"),
    [
        (PNG, "", "", "image/png"),
        (PNG, "text/html", "x.html", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/png", "", "image/jpeg"),
        (b"RIFF1234WEBPVP8 ", "", "", "image/webp"),
        (b"RIFF1234WAVEfmt ", "", "", "audio/wav"),
        (b"RIFF1234AVI LIST", "video/x-msvideo", "", "video/x-msvideo"),
        (b"PK\x03\x04 word/", "", "a.docx", media.of_name("a.docx")),
        (b"PK\x03\x04 word/", "image/png", "a.png", "application/zip"),
        (MP4, "audio/mp4", "", "audio/mp4"),
        (MP4, "", "", "video/mp4"),
        (MP4, "text/html", "", "video/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp4", "", "", "video/3gpp"),
        (b"OggS\x00", "video/ogg", "", "video/ogg"),
        (b"#!AMR\n", "", "", "audio/amr"),
        (b"\xff\xfb\x90\x00", "", "", "audio/mpeg"),
        (b"hello", "", "", media.UNKNOWN),
        (b"hello", "", "note.TXT", "text/plain"),
        (b"hello", "application/octet-stream", "note.txt", "text/plain"),
        (b"hello", "Text/Plain; charset=utf-8", "", "text/plain"),
        (b"hello", "no type", "", media.UNKNOWN),
        (b"", "", "", media.UNKNOWN),
    ],
)
def test_what_a_file_is(data: bytes, said: str, name: str, type: str) -> None:
    assert media.type_of(data, said, name) == type


@pytest.mark.parametrize(
    ("name", "type", "safe"),
    [
        ("summit.jpg", "", "summit.jpg"),
        ("très cool.jpg", "", "très cool.jpg"),
        ("/etc/passwd", "", "passwd"),
        ("..\\..\\boot.ini", "", "boot.ini"),
        ("../../", "", "file"),
        ("", "image/png", "file.png"),
        ("photo", "image/jpeg", "photo.jpg"),
        (".htaccess", "", "htaccess"),
        ("-rf", "", "rf"),
        ("a\r\nb.txt", "", "a_b.txt"),
        ("a\x00.png", "", "a_.png"),
        ("invoice\u202egpj.exe", "", "invoice_gpj.exe"),
        ("invoice\u061cgpj.exe", "", "invoice_gpj.exe"),
        ("\ud800.png", "", "_.png"),
        ("a.b.tar.gz", "", "a.b.tar.gz"),
        ("ä" * 300 + ".png", "", "ä" * 58 + ".png"),
        ("100%.txt", "", "100_.txt"),
    ],
)
def test_names_that_fit_anywhere(name: str, type: str, safe: str) -> None:
    assert media.safe_name(name, type) == safe


@pytest.mark.parametrize(("name", "safe"), [("~.0", "0"), ("-~ .bashrc", "bashrc"), (".-.~", "file")])
def test_no_name_is_hidden_behind_what_is_taken_from_its_front(name: str, safe: str) -> None:
    assert media.safe_name(name) == safe


@given(st.text(st.characters(blacklist_categories=[])), st.sampled_from(["", *media.EXTENSIONS]))
def test_no_name_harms(name: str, type: str) -> None:
    safe = media.safe_name(name, type)
    assert safe and len(safe.encode()) <= media.LONGEST_NAME and not safe.startswith(".")
    assert not set(safe) & set('/\\\0\n\r:*?"<>|%')
    assert media.safe_name(safe, type) == safe


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/tr%C3%A8s%20cool.jpg", "très cool.jpg"),
        ("https://h/a/b.png?x=/c.exe#d", "b.png"),
        ("https://h/", ""),
        ("https://h/..", ""),
        ("https://h/%2e%2e%2fetc%2fpasswd", "passwd"),
        ("https://[", ""),
    ],
)
def test_the_name_in_a_link(url: str, name: str) -> None:
    assert media.name_in(url) == name


def test_nothing_that_runs_is_shown_in_place() -> None:
    assert not media.INLINE & {"image/svg+xml", "text/html", "application/xml", "application/pdf", "text/plain"}
    assert {"image/png", "image/jpeg", "audio/ogg", "video/mp4"} <= media.INLINE
