"""Stanzas as values: the examples of XEP-0045, XEP-0359 and RFC 6120, and what clients send beside them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from transports.archive.values import EVERYTHING, History
from transports.xmpp import read
from transports.xmpp.address import Jid, JidError

ROOM = Jid("coven", "chat.shakespeare.lit", "thirdwitch")
HAG = "hag66@shakespeare.lit/pda"
MUC = "http://jabber.org/protocol/muc"
ERROR = "<error type='{}'>{}</error>"
STANZAS = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"


def element(xml: str) -> ET.Element:
    return ET.fromstring(f"<stream xmlns='jabber:component:accept'>{xml}</stream>")[0]


def presence(inside: str = "", more: str = "") -> read.Presence:
    to = "coven@chat.shakespeare.lit/thirdwitch"
    return read.presence(element(f"<presence from='{HAG}' id='n13mt3l' to='{to}'{more}>{inside}</presence>"))


def message(inside: str = "", more: str = " type='groupchat'") -> read.Message:
    xml = f"<message from='{HAG}' id='hysf1v37' to='coven@chat.shakespeare.lit'{more}>{inside}</message>"
    return read.message(element(xml))


@pytest.mark.parametrize(
    ("inside", "muc", "password", "history"),
    [
        (f"<x xmlns='{MUC}'/>", True, "", EVERYTHING),
        (f"<x xmlns='{MUC}'><password>cauldronburn</password></x>", True, "cauldronburn", EVERYTHING),
        (f"<x xmlns='{MUC}'><history maxchars='65000'/></x>", True, "", History(chars=65_000)),
        (f"<x xmlns='{MUC}'><history maxstanzas='20'/></x>", True, "", History(stanzas=20)),
        (f"<x xmlns='{MUC}'><history seconds='180'/></x>", True, "", History(seconds=180)),
        (f"<x xmlns='{MUC}'><history since='1970-01-01T00:00:00Z'/></x>", True, "", History(since=0.0)),
        (f"<x xmlns='{MUC}'><history maxchars='0'/></x>", True, "", History(chars=0)),
        (f"<x xmlns='{MUC}'><history maxstanzas='0'/></x>", True, "", History(stanzas=0)),
        (f"<x xmlns='{MUC}'><history maxstanzas='-1' seconds='1e9' since='yesterday'/></x>", True, "", EVERYTHING),
        (f"<x xmlns='{MUC}'><history maxstanzas='{'9' * 5_000}'/></x>", True, "", History(stanzas=999_999_999)),
        (f"<x xmlns='{MUC}'><password/></x>", True, "", EVERYTHING),
        (f"<x xmlns='{MUC}#user'/>", False, "", EVERYTHING),
        (
            "<show>away</show><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='x' ver='y'/>",
            False,
            "",
            EVERYTHING,
        ),
        ("", False, "", EVERYTHING),
    ],
)
def test_what_a_join_carries(inside: str, muc: bool, password: str, history: History) -> None:
    read_ = presence(inside)
    assert (read_.muc, read_.password, read_.history) == (muc, password, history)
    assert (read_.type, read_.id, read_.sender, read_.to, read_.error) == ("", "n13mt3l", HAG, ROOM, None)


def test_leaving_with_words() -> None:
    left = presence("<status>gone where the goblins go</status>", " type='unavailable'")
    assert (left.type, left.status) == ("unavailable", "gone where the goblins go")


@pytest.mark.parametrize(
    ("inside", "body", "subject"),
    [
        ("<body>Harpier cries: 'tis time, 'tis time.</body>", "Harpier cries: 'tis time, 'tis time.", None),
        ("<subject>Fire Burn and Cauldron Bubble!</subject>", None, "Fire Burn and Cauldron Bubble!"),
        ("<subject/>", None, ""),
        ("<body/>", "", None),
        ("<subject>s</subject><body>b</body>", "b", "s"),
        ("<body xml:lang='en'>Hello</body><body xml:lang='cs'>Ahoj</body>", "Hello", None),
        ("<body xmlns='http://www.w3.org/1999/xhtml'>x</body>", None, None),
        ("<active xmlns='http://jabber.org/protocol/chatstates'/>", None, None),
        ("", None, None),
    ],
)
def test_what_a_message_says(inside: str, body: str | None, subject: str | None) -> None:
    said = message(inside)
    assert (said.body, said.subject) == (body, subject)
    assert (said.type, said.id, said.sender, said.to.full) == (
        "groupchat",
        "hysf1v37",
        HAG,
        "coven@chat.shakespeare.lit",
    )


def test_a_message_without_a_type_is_normal() -> None:
    assert message("<body>x</body>", "").type == "normal"


def test_the_origin_id_is_the_clients_and_a_stanza_id_is_not() -> None:
    said = message("<body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/>")
    assert said.origin_id == "de305d54"
    assert message("<stanza-id xmlns='urn:xmpp:sid:0' id='5f3dbc5e' by='coven@chat.shakespeare.lit'/>").origin_id == ""


@pytest.mark.parametrize(
    ("inside", "encrypted"),
    [
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", True),
        ("<encrypted xmlns='urn:xmpp:omemo:2'/>", True),
        ("<openpgp xmlns='urn:xmpp:openpgp:0'/>", True),
        ("<x xmlns='jabber:x:encrypted'/>", True),
        ("<x xmlns='jabber:x:oob'/>", False),
        ("<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>", True),
    ],
)
def test_what_is_encrypted(inside: str, encrypted: bool) -> None:
    assert message(f"<body>fallback</body>{inside}").encrypted is encrypted


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (ERROR.format("cancel", f"<conflict {STANZAS}/>"), ("cancel", "conflict", "")),
        (
            ERROR.format("wait", f"<text {STANZAS}>later</text><remote-server-timeout {STANZAS}/>"),
            ("wait", "remote-server-timeout", "later"),
        ),
        (ERROR.format("auth", "<own xmlns='x:y'/>"), ("auth", "undefined-condition", "")),
        ("<error/>", ("cancel", "undefined-condition", "")),
        ("", ("cancel", "undefined-condition", "")),
    ],
)
def test_what_an_error_says(error: str, wanted: tuple[str, str, str]) -> None:
    assert presence(error, " type='error'").error == wanted
    assert message(error, " type='error'").error == wanted
    assert message(error, "").error is None


def test_the_payload_of_an_iq_is_its_first_child_that_is_no_error() -> None:
    iq = read.iq(element("<iq from='a@b' to='c@d' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"))
    assert iq.payload is not None and iq.payload.tag == "{urn:xmpp:ping}ping"
    assert (iq.type, iq.id, iq.sender, iq.to) == ("get", "1", "a@b", Jid("c", "d", ""))
    assert read.iq(element(f"<iq to='c@d' type='error'>{ERROR.format('cancel', '')}</iq>")).payload is None


@pytest.mark.parametrize("to", ["", "@d", "a b@d", "c@", "c@d/", "c@" + "d" * 1024])
@pytest.mark.parametrize("reader", [read.message, read.presence, read.iq])
def test_an_address_that_is_none(reader: object, to: str) -> None:
    assert callable(reader)
    with pytest.raises(JidError):
        reader(ET.Element("x", {"to": to, "from": "a@b"}))


def test_what_clients_put_beside_all_their_words_in_rooms_makes_them_no_more() -> None:
    beside = (
        "<active xmlns='http://jabber.org/protocol/chatstates'/><markable xmlns='urn:xmpp:chat-markers:0'/>"
        "<request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='1'/>"
    )
    for kind, plain in (("groupchat", True), ("chat", False)):
        stanza = f"<message xmlns='jabber:component:accept' to='a@b' type='{kind}'><body>hi</body>{beside}</message>"
        assert (read.message(ET.fromstring(stanza)).rich is None) is plain
