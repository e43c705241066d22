"""Cards as XML: the specifications' examples, every field, every bound."""

from __future__ import annotations

import base64
import hashlib
import io
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transports.describe import Avatar, Card
from transports.xmpp import vcard, xml
from transports.xmpp.vcard import Face

JULIET = Card(
    name="Juliet Capulet",
    nick="juliet",
    phones=("+15551234567", "+442071838750"),
    emails=("jcapulet@shakespeare.lit",),
    urls=("javascript:alert(1)", "https://shakespeare.lit/juliet"),
    note="Fourteen\nnext Lammas Eve.",
)


def drawn(form: str = "PNG", size: tuple[int, int] = (64, 48)) -> Avatar:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(out, form)
    return Avatar(out.getvalue(), f"image/{form.lower()}")


PICTURE = drawn()
SHA = hashlib.sha1(PICTURE.data).hexdigest()


def test_vcard_temp_has_all_that_is_known() -> None:
    assert vcard.temp(JULIET) == (
        "<vCard xmlns='vcard-temp'>"
        "<FN>Juliet Capulet</FN>"
        "<NICKNAME>juliet</NICKNAME>"
        "<TEL><VOICE/><NUMBER>+15551234567</NUMBER></TEL>"
        "<TEL><VOICE/><NUMBER>+442071838750</NUMBER></TEL>"
        "<EMAIL><INTERNET/><USERID>jcapulet@shakespeare.lit</USERID></EMAIL>"
        "<URL>https://shakespeare.lit/juliet</URL>"
        "<DESC>Fourteen\nnext Lammas Eve.</DESC>"
        "</vCard>"
    )


def test_vcard_temp_has_the_picture_as_xep_0153_wants_it() -> None:
    card = ET.fromstring(vcard.temp(Card(nick="juliet", avatar=PICTURE)))
    assert card.findtext("{vcard-temp}PHOTO/{vcard-temp}TYPE") == "image/png"
    assert base64.b64decode(card.findtext("{vcard-temp}PHOTO/{vcard-temp}BINVAL") or "") == PICTURE.data
    assert [child.tag.partition("}")[2] for child in card] == ["FN", "NICKNAME", "PHOTO"]


def test_a_card_of_nothing_is_xep_0054s_empty_one() -> None:
    assert vcard.temp(Card()) == "<vCard xmlns='vcard-temp'/>"


def test_vcard4_has_all_but_the_picture() -> None:
    assert vcard.four(JULIET._replace(avatar=PICTURE)) == (
        "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>"
        "<fn><text>Juliet Capulet</text></fn>"
        "<nickname><text>juliet</text></nickname>"
        "<tel><uri>tel:+15551234567</uri></tel>"
        "<tel><uri>tel:+442071838750</uri></tel>"
        "<email><text>jcapulet@shakespeare.lit</text></email>"
        "<url><uri>https://shakespeare.lit/juliet</uri></url>"
        "<note><text>Fourteen\nnext Lammas Eve.</text></note>"
        "</vcard>"
    )


def test_vcard4_always_has_a_formatted_name() -> None:  # RFC 6350 6.2.1: cardinality 1*
    assert vcard.four(Card()) == "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text/></fn></vcard>"


# Pictures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "GIF", "JPEG"])
@pytest.mark.parametrize("size", [(64, 48), (1, 300)])
def test_a_picture_and_its_measures(form: str, size: tuple[int, int]) -> None:
    avatar = drawn(form, size)
    assert vcard.face(avatar) == Face(hashlib.sha1(avatar.data).hexdigest(), avatar.type, len(avatar.data), *size)


@pytest.mark.parametrize(
    "avatar",
    [
        Avatar(b"", "image/png"),
        Avatar(PICTURE.data, "image/svg+xml"),
        Avatar(PICTURE.data, "text/html"),
        Avatar(b"x" * (vcard.LARGEST + 1), "image/png"),
    ],
)
def test_pictures_that_are_not_shown_in_any_form(avatar: Avatar) -> None:
    card = Card(name="Juliet", avatar=avatar)
    assert vcard.face(avatar) is None
    assert "PHOTO" not in vcard.temp(card)
    assert vcard.item(vcard.METADATA, card) is vcard.item(vcard.DATA, card) is None
    assert vcard.update(vcard.face_of(card)) == "<x xmlns='vcard-temp:x:update'><photo/></x>"


def test_a_picture_is_hashed_once_whoever_has_it() -> None:
    avatar = drawn(size=(9, 9))
    vcard.face(avatar)
    before = vcard.face.cache_info()
    for _ in range(1_000):
        vcard.update(vcard.face_of(Card(avatar=Avatar(avatar.data, "image/png"))))
    after = vcard.face.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1_000)


@given(st.binary(max_size=80))
def test_no_bytes_break_the_measuring(data: bytes) -> None:
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b"GIF89a", b"\xff\xd8", b"\xff\xd8\xff\xc0"):
        width, height = vcard.dimensions(start + data)
        assert width >= 0 and height >= 0


def test_the_hash_in_presence_is_that_of_xep_0153() -> None:
    assert vcard.update(vcard.face(PICTURE)) == f"<x xmlns='vcard-temp:x:update'><photo>{SHA}</photo></x>"


# PEP ------------------------------------------------------------------------------------------------------------------


def test_xep_0084_metadata() -> None:
    shown = Face("111f4b3c50d7b0df729d299bc6f8e9ef9066971f", "image/png", 12345, 64, 64)
    assert ET.canonicalize(vcard.metadata(shown)) == ET.canonicalize(
        """<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='12345' height='64'
        id='111f4b3c50d7b0df729d299bc6f8e9ef9066971f' type='image/png' width='64'/></metadata>"""
    )


def test_xep_0084_a_picture_that_is_no_more() -> None:
    assert vcard.event(vcard.METADATA, "", vcard.metadata(None)) == (
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:metadata'>"
        "<item><metadata xmlns='urn:xmpp:avatar:metadata'/></item></items></event>"
    )


def test_xep_0084_data_answers_under_the_hash() -> None:
    found = vcard.item(vcard.DATA, Card(avatar=PICTURE))
    assert found is not None
    assert vcard.items(vcard.DATA, *found) == (
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'>"
        f"<item id='{SHA}'><data xmlns='urn:xmpp:avatar:data'>{base64.b64encode(PICTURE.data).decode()}</data></item>"
        "</items></pubsub>"
    )


def test_xep_0172_nick() -> None:
    nick = "<nick xmlns='http://jabber.org/protocol/nick'>CallMeIshmael</nick>"
    assert vcard.item(vcard.NICK, Card(name="Ishmael", nick="CallMeIshmael")) == ("current", nick)
    assert vcard.item(vcard.NICK, Card(name="CallMeIshmael")) == ("current", nick)
    assert vcard.item(vcard.NICK, Card()) is None


def test_a_node_that_no_profile_has() -> None:
    assert vcard.item("urn:xmpp:tune", JULIET) is None


# Bounds ---------------------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=50) | st.text(st.characters(), min_size=1, max_size=9).map(lambda text: text * 2_000)
CARDS = st.builds(
    Card, TEXTS, TEXTS, st.lists(TEXTS, max_size=9), st.lists(TEXTS, max_size=9), st.lists(TEXTS, max_size=9), TEXTS
)
LARGE = Avatar(bytes(range(256)) * (vcard.LARGEST // 256), "image/webp")


@given(CARDS)
def test_whatever_a_card_holds_is_xml_that_fits(card: Card) -> None:
    card = card._replace(avatar=LARGE)
    answers = [vcard.temp(card), vcard.four(card)]
    for node in (vcard.NICK, vcard.DATA, vcard.FOUR_NODE, vcard.METADATA):
        found = vcard.item(node, card)
        if found is not None:
            answers.append(vcard.items(node, *found))
    for answer in answers:
        ET.fromstring(answer)
        assert xml.fits(f"<iq from='{'x' * 3_000}' to='{'x' * 3_000}'>{answer}</iq>")
