"""Files as XML: the examples of XEP-0447, 0446, 0300, 0066 and 0385 both ways, and whatever a hostile client sends instead."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.events import File
from transports.xmpp import sharing, xml

URL = "https://download.montague.lit/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/summit.jpg"
HASHES = (("sha3-256", "2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU="), ("id-blake2b256", "2AfMGH8O7UNPTvUVAM9aK13mpCY="))
THUMBNAIL = "data:image/png;base64," + b64encode(b"\x89PNG small").decode()
SUMMIT = File(URL, "summit.jpg", "image/jpeg", 3032449, 4096, 2160, 0, "Photo from the summit.", HASHES)

#: XEP-0447's metadata and sources; a thumbnail by cid: is at somebody else's and not ours to fetch.
METADATA = """
    <file xmlns='urn:xmpp:file:metadata:0'>
      <media-type>image/jpeg</media-type>
      <name>summit.jpg</name>
      <size>3032449</size>
      <width>4096</width>
      <height>2160</height>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash>
      <hash xmlns='urn:xmpp:hashes:2' algo='id-blake2b256'>2AfMGH8O7UNPTvUVAM9aK13mpCY=</hash>
      <desc>Photo from the summit.</desc>
      <thumbnail xmlns='urn:xmpp:thumbs:1' uri='cid:sha1+ffd7c8d28e9c5e82afea41f97108c6b4@bob.xmpp.org'
        media-type='image/png' width='128' height='96'/>
    </file>"""
SOURCES = f"""
    <sources>
      <url-data xmlns='http://jabber.org/protocol/url-data' target='{URL}' />
      <jinglepub xmlns='urn:xmpp:jinglepub:1' from='romeo@montague.lit/resource' id='9559976B-3FBF-4E7E-B457-2DAA225972BB'>
        <description xmlns='urn:xmpp:jingle:apps:file-transfer:5' />
      </jinglepub>
    </sources>"""
SFS = f"<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>{METADATA}{SOURCES}</file-sharing>"
FALLBACK = "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>"
OOB = f"<x xmlns='jabber:x:oob'><url>{URL}</url></x>"
SIMS = f"""
  <reference xmlns='urn:xmpp:reference:0' begin='17' end='20' type='data'>
    <media-sharing xmlns='urn:xmpp:sims:1'>
      {METADATA.replace("urn:xmpp:file:metadata:0", "urn:xmpp:jingle:apps:file-transfer:5")}
      <sources>
        <reference xmlns='urn:xmpp:reference:0' type='data' uri='{URL}' />
        <reference xmlns='urn:xmpp:reference:0' type='data'
          uri='xmpp:romeo@montague.lit/resource?jingle;id=9559976B-3FBF-4E7E-B457-2DAA225972BB' />
      </sources>
    </media-sharing>
  </reference>"""
ATTACHED = f"<attach-to id='sharing-a-file' xmlns='urn:xmpp:message-attaching:1'/>{SOURCES}".replace(
    "<sources>", "<sources xmlns='urn:xmpp:sfs:0'>"
)
OOB_EXAMPLE = "<x xmlns='jabber:x:oob'><url>http://www.jabber.org/images/psa-license.jpg</url><desc>A license!</desc></x>"


def message(inside: str, ns: str = "jabber:component:accept") -> ET.Element:
    return ET.fromstring(f"<stream xmlns='{ns}'><message>{inside}</message></stream>")[0]


@pytest.mark.parametrize(
    ("inside", "files"),
    [
        (SFS, (SUMMIT,)),
        (f"{SFS}{FALLBACK}<body>{URL}</body>{OOB}", (SUMMIT,)),
        (f"{OOB}<body>{URL}</body>{SFS}", (SUMMIT,)),
        (SIMS, (SUMMIT,)),
        (f"{SFS}{SIMS}{OOB}", (SUMMIT,)),
        (OOB, (File(URL, "summit.jpg"),)),
        (ATTACHED, (File(URL, "summit.jpg"),)),
        (OOB_EXAMPLE, (File("http://www.jabber.org/images/psa-license.jpg", "psa-license.jpg", desc="A license!"),)),
        (f"<file-sharing xmlns='urn:xmpp:sfs:0'>{METADATA}</file-sharing>", ()),  # its sources come later
        (f"<file-sharing xmlns='urn:xmpp:sfs:0'>{SOURCES}</file-sharing>", (File(URL, "summit.jpg"),)),
        (f"<body>{URL}</body>", ()),
        ("<x xmlns='jabber:x:oob'><url>xmpp:romeo@montague.lit</url></x>", ()),
        ("<x xmlns='jabber:x:oob'/>", ()),
        ("", ()),
    ],
)
@pytest.mark.parametrize("ns", ["jabber:component:accept", "jabber:client"])
def test_the_files_of_a_message(inside: str, files: tuple[File, ...], ns: str) -> None:
    assert sharing.files(message(inside, ns)) == files


@pytest.mark.parametrize(
    ("body", "files"),
    [
        (URL, (File(URL, "summit.jpg"),)),
        (f" {URL}\n", (File(URL, "summit.jpg"),)),
        ("aesgcm://example.org/a.jpg#00ff", (File("aesgcm://example.org/a.jpg#00ff", "a.jpg"),)),
        (f"look: {URL}", ()),
        (f"{URL} {URL}", ()),
        ("https://", ()),
        ("", ()),
    ],
)
def test_a_body_that_is_a_link_is_a_file_when_asked(body: str, files: tuple[File, ...]) -> None:
    assert sharing.files(message(f"<body>{body}</body>"), bare=True) == files


@pytest.mark.parametrize(
    ("child", "field", "value"),
    [
        ("<size>-1</size>", "size", 0),
        ("<size>1e9</size>", "size", 0),
        ("<size>٣</size>", "size", 0),
        ("<size> 7 </size>", "size", 7),
        ("<width>99999999</width>", "width", 1_000_000),
        ("<length>63000</length>", "length", 63),
        ("<media-type>image/jpeg; charset=x</media-type>", "type", "image/jpeg"),
        ("<media-type>&lt;script&gt;</media-type>", "type", ""),
        ("<name>../../etc/passwd</name>", "name", "passwd"),
        ("<name>a\u202egpj.exe</name>", "name", "a_gpj.exe"),
        ("<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>no base64!</hash>", "hashes", ()),
        (f"<thumbnail xmlns='urn:xmpp:thumbs:1' uri='{THUMBNAIL}'/>", "thumbnail", THUMBNAIL),
        ("<thumbnail xmlns='urn:xmpp:thumbs:1' uri='https://tracker.example/1.png'/>", "thumbnail", ""),
        ("<thumbnail xmlns='urn:xmpp:thumbs:1' uri='data:image/svg+xml;base64,AAAA'/>", "thumbnail", ""),
        (f"<thumbnail xmlns='urn:xmpp:thumbs:1' uri='data:image/png;base64,{'A' * 20_000}'/>", "thumbnail", ""),
        (f"<desc>{'d' * 5_000}</desc>", "desc", "d" * 1_000),
    ],
)
def test_what_is_said_of_a_file_is_bounded(child: str, field: str, value: object) -> None:
    shared = f"<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'>{child}</file>{SOURCES}</file-sharing>"
    [file] = sharing.files(message(shared))
    assert getattr(file, field) == value


def test_of_many_files_some_are_read_and_of_many_sources_the_safe_one() -> None:
    many = "".join(f"<x xmlns='jabber:x:oob'><url>https://a.example/{n}</url></x>" for n in range(100))
    assert len(sharing.files(message(many))) == sharing.MOST
    data = "<url-data xmlns='http://jabber.org/protocol/url-data' target='{}'/>"
    two = data.format("http://a.example/x") + data.format("https://a.example/x")
    [file] = sharing.files(message(f"<file-sharing xmlns='urn:xmpp:sfs:0'><sources>{two}</sources></file-sharing>"))
    assert file.url == "https://a.example/x"


# Out ------------------------------------------------------------------------------------------------------------------


def test_a_message_with_text_and_files_leaves_as_several() -> None:
    sent = sharing.messages("Look!", [SUMMIT, File("https://a.example/b.pdf", "b.pdf", "application/pdf")])
    assert [body for body, _ in sent] == ["Look!", URL, "https://a.example/b.pdf"]
    assert sent[0][1] == ""
    assert sharing.messages("", []) == [] and sharing.messages("x", []) == [("x", "")]
    picture, document = (message(more) for _, more in sent[1:])
    assert picture.findtext("{jabber:x:oob}x/{jabber:x:oob}url") == URL
    assert [stanza.find("{urn:xmpp:sfs:0}file-sharing").get("disposition") for stanza in (picture, document)] == [  # type: ignore[union-attr]
        "inline",
        "attachment",
    ]
    marked = picture.find("{urn:xmpp:fallback:0}fallback")
    assert marked is not None and marked.get("for") == "urn:xmpp:sfs:0" and marked[0].tag == "{urn:xmpp:fallback:0}body"


def test_a_file_that_could_not_be_handed_on_is_told_in_words() -> None:
    [(body, more)] = sharing.messages("", [File("", "cat.jpg")])
    assert "cat.jpg" in body and more == ""


BIG = "&" * 30_000


@pytest.mark.parametrize(
    "file",
    [
        File("https://x/a", name=BIG, type=BIG, desc=BIG, thumbnail=BIG, hashes=((BIG, BIG),) * 9),
        File(f"https://x/{BIG}", name=BIG),
        File("https://x/a", length=float("nan")),
        File("https://x/a", length=float("inf")),
    ],
)
def test_whatever_the_far_side_tells_of_a_file_the_message_leaves(file: File) -> None:
    for body, more in sharing.messages("hi", [file]):
        stanza = f"<message><body>{xml.text(body)}</body>{more}</message>"
        assert ET.fromstring(stanza) is not None and len(stanza) < 10_000


@pytest.mark.parametrize(
    ("body", "left"), [(URL, ""), (f" {URL} ", ""), (f"Look: {URL}", f"Look: {URL}"), ("", "")]
)
def test_a_body_that_only_repeats_the_link_says_nothing(body: str, left: str) -> None:
    assert sharing.caption(body, [SUMMIT]) == left


texts = st.text(st.characters(blacklist_categories=[]), max_size=30)
urls = st.text("abcXYZ019-._~/?#@!$&'()*+,;=%:[]", min_size=1, max_size=60).map("https://h.example/".__add__)


@given(
    st.builds(
        File,
        url=urls,
        name=st.text("abc'&.-_éß", min_size=1, max_size=20).map(lambda name: f"x{name}y.jpg"),
        type=st.sampled_from(["", "image/png", "audio/ogg", "application/pdf"]),
        size=st.integers(0, 10**12),
        width=st.integers(0, 10**6),
        height=st.integers(0, 10**6),
        length=st.integers(0, 10**6).map(lambda ms: ms / 1_000),
        desc=st.sampled_from(["", "a < b & c"]),
        hashes=st.sampled_from([(), HASHES]),
        thumbnail=st.sampled_from(["", THUMBNAIL]),
    )
)
def test_what_is_written_is_read_again(file: File) -> None:
    body, more = sharing.render(file)
    assert sharing.files(message(f"<body>{xml.text(body)}</body>{more}")) == (file,)


@given(st.builds(File, texts, texts, texts, st.integers(), st.integers(), st.integers(), st.floats(0, 1e9), texts))
def test_whatever_a_file_holds_its_xml_stands(file: File) -> None:
    body, more = sharing.render(file._replace(hashes=((file.name, file.desc),), thumbnail=file.type))
    message(f"<body>{xml.text(body)}</body>{more}")


names = st.sampled_from(["file-sharing", "file", "sources", "x", "url", "url-data", "thumbnail", "hash", "reference", "size"])
spaces = st.sampled_from(
    ["", sharing.OOB, sharing.SFS, sharing.METADATA, sharing.HASHES, sharing.THUMBS, sharing.URL_DATA, sharing.SIMS]
)


def _element(name: str, space: str, words: str, children: list[ET.Element]) -> ET.Element:
    made = ET.Element(f"{{{space}}}{name}", dict.fromkeys(("target", "uri", "algo", "media-type"), words))
    made.text = words
    made.extend(children)
    return made


trees = st.recursive(
    st.builds(_element, names, spaces, texts | urls, st.just([])),
    lambda inner: st.builds(_element, names, spaces, texts | urls, st.lists(inner, max_size=4)),
    max_leaves=20,
)


@given(st.lists(trees, max_size=5), texts)
def test_whatever_comes_is_read_without_harm(children: list[ET.Element], body: str) -> None:
    stanza = message("<body/>")
    stanza[0].text = body
    stanza.extend(children)
    for file in sharing.files(stanza, bare=True):
        assert sharing._link(file.url) and len(file.desc) <= sharing.LONGEST_DESC and "/" not in file.name
