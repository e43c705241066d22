"""Service discovery: the XEPs' own examples, what each kind of address shows, and caps that match what disco says."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.events import Join, Kind, Leave, Rename, Say, SetSubject
from transports.ports import Identity
from transports.xmpp import disco
from transports.xmpp.disco import Form, Place

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)

ROOM = frozenset({Join, Leave, Rename, Say, SetSubject})
CHANNEL = Identity("conference", "irc", "#python")


def heard(place: Place) -> str:
    return heard_in(ElementTree.fromstring(disco.info(place)))


def heard_in(query: ElementTree.Element) -> str:
    """caps' hash as a client computes it from the disco#info answer that it got, after a parser's view of it."""
    namings = [
        (found.get("category", ""), found.get("type", ""), "", found.get("name", ""))
        for found in query.iter(f"{{{disco.INFO_NS}}}identity")
    ]
    features = [found.get("var", "") for found in query.iter(f"{{{disco.INFO_NS}}}feature")]
    forms = []
    for x in query.iter("{jabber:x:data}x"):
        fields = {
            field.get("var", ""): tuple(value.text or "" for value in field) for field in x.iter("{jabber:x:data}field")
        }
        forms.append(Form(fields.pop("FORM_TYPE")[0], tuple(fields.items())))
    return disco.verification(namings, features, forms)


def test_xep_0115_simple_example() -> None:
    features = [
        "http://jabber.org/protocol/muc",
        "http://jabber.org/protocol/disco#items",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/caps",
    ]
    assert disco.verification([("client", "pc", "", "Exodus 0.9.1")], features, []) == "QgayPKawpkPSDYmwT/WM94uAlu0="
    place = Place(Identity("client", "pc", "Exodus 0.9.1"), tuple(features))
    assert disco.caps(place) == (
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:xmpp-transports'"
        " ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>"
    )
    assert disco.node(place) == "urn:xmpp-transports#QgayPKawpkPSDYmwT/WM94uAlu0="


def test_xep_0115_complex_example() -> None:
    features = [
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "http://jabber.org/protocol/muc",
    ]
    software = Form(
        "urn:xmpp:dataforms:softwareinfo",
        (
            ("software", ("Psi",)),
            ("ip_version", ("ipv6", "ipv4")),
            ("os", ("Mac",)),
            ("os_version", ("10.5.1",)),
            ("software_version", ("0.11",)),
        ),
    )
    namings = [("client", "pc", "en", "Psi 0.11"), ("client", "pc", "el", "Ψ 0.11")]
    assert disco.verification(namings, features, [software]) == "q07IKJEyjvHSyhy//CH0CxmKi8w="


def test_a_room_tells_what_clients_look_for() -> None:
    place = Place(CHANNEL, disco.features("room", ROOM, "conference"), disco.roominfo("a <topic>", 3, "#python"))
    assert disco.info(place, "") == (
        "<query xmlns='http://jabber.org/protocol/disco#info'>"
        "<identity category='conference' type='irc' name='#python'/>"
        "<feature var='http://jabber.org/protocol/disco#info'/>"
        "<feature var='http://jabber.org/protocol/disco#items'/>"
        "<feature var='http://jabber.org/protocol/muc'/>"
        "<feature var='http://jabber.org/protocol/muc#self-ping-optimization'/>"
        "<feature var='http://jabber.org/protocol/muc#stable_id'/>"
        "<feature var='jabber:iq:version'/>"
        "<feature var='muc_nonanonymous'/>"
        "<feature var='muc_open'/>"
        "<feature var='muc_persistent'/>"
        "<feature var='muc_public'/>"
        "<feature var='urn:ietf:params:xml:ns:vcard-4.0'/>"
        "<feature var='urn:xmpp:hats:0'/>"
        "<feature var='urn:xmpp:occupant-id:0'/>"
        "<feature var='urn:xmpp:ping'/>"
        "<feature var='urn:xmpp:sid:0'/>"
        "<feature var='urn:xmpp:time'/>"
        "<feature var='vcard-temp'/>"
        "<x xmlns='jabber:x:data' type='result'>"
        "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roominfo</value></field>"
        "<field var='muc#roomconfig_allowpm'><value>anyone</value></field>"
        "<field var='muc#roomconfig_roomname'><value>#python</value></field>"
        "<field var='muc#roominfo_changesubject'><value>1</value></field>"
        "<field var='muc#roominfo_occupants'><value>3</value></field>"
        "<field var='muc#roominfo_subject'><value>a ‹topic&gt;</value></field>"
        "</x></query>"
    )


@pytest.mark.parametrize(
    ("kind", "can", "category", "shown", "hidden"),
    [
        ("service", frozenset(), "conference", {r"jid\20escaping", disco.MUC, disco.CAPS_NS}, {"muc_open"}),
        ("service", frozenset(), "gateway", {r"jid\20escaping"}, {disco.MUC}),
        ("server", frozenset(), "conference", {disco.INFO_NS}, {disco.MUC, r"jid\20escaping"}),
        ("person", frozenset({Say}), "client", {disco.INFO_NS}, {disco.MUC, "urn:xmpp:sid:0"}),
        ("room", ROOM, "conference", {disco.MUC, "muc_nonanonymous"}, {"muc_membersonly", r"jid\20escaping"}),
        ("group", frozenset({Say}), "conference", set(), {disco.MUC}),
    ],
)
def test_features_follow_from_what_an_address_can(
    kind: Kind, can: frozenset[type], category: str, shown: set[str], hidden: set[str]
) -> None:
    found = disco.features(kind, can, category)
    assert shown | {disco.INFO_NS, disco.ITEMS_NS, "urn:xmpp:ping", "jabber:iq:version", "urn:xmpp:time"} <= set(found)
    assert not hidden & set(found)
    assert len(found) == len(set(found))


def test_what_is_not_known_is_not_told() -> None:
    form = disco.roominfo("", None, "#a")
    assert [var for var, _ in form.fields] == [
        "muc#roomconfig_allowpm",
        "muc#roomconfig_roomname",
        "muc#roominfo_changesubject",
    ]
    assert "name=" not in disco.info(Place(Identity("client", "pc", ""), ()))


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_caps_match_what_disco_says_whatever_the_far_side_writes(name: str, subject: str, node: str) -> None:
    place = Place(
        Identity("conference", "irc", name),
        disco.features("room", ROOM, "conference"),
        disco.roominfo(subject, 5, name),
    )
    assert heard(place) == disco.caps_ver(place)
    ElementTree.fromstring(disco.info(place, node))


def test_a_name_cannot_pass_for_features() -> None:
    forged = Place(Identity("client", "pc", "x<http://jabber.org/protocol/muc"), ("a",))
    honest = Place(Identity("client", "pc", "x"), ("http://jabber.org/protocol/muc", "a"))
    assert disco.caps_ver(forged) != disco.caps_ver(honest)


def test_items() -> None:
    assert disco.items([("#a@irc.test", "#a"), ("x@irc.test", "")], "n'") == (
        "<query xmlns='http://jabber.org/protocol/disco#items' node='n&apos;'>"
        "<item jid='#a@irc.test' name='#a'/><item jid='x@irc.test'/></query>"
    )
    assert disco.items([]) == "<query xmlns='http://jabber.org/protocol/disco#items'></query>"


def test_more_items_than_fit_are_left_out() -> None:
    answer = disco.items((f"#channel{number}@irc.test", "😀&" * 5_000) for number in range(100_000))
    assert 40_000 < len(answer.encode()) < 60_000 - 4_000
    ElementTree.fromstring(answer)


def test_version_names_software_and_no_system() -> None:
    query = ElementTree.fromstring(disco.version())
    assert [part.tag.partition("}")[2] for part in query] == ["name", "version"]
    assert all(part.text for part in query)


@pytest.mark.parametrize(
    ("now", "offset", "zone", "utc"),
    [
        (1166551115.9, -360, "-06:00", "2006-12-19T17:58:35Z"),  # XEP-0202's example
        (0.0, 0, "+00:00", "1970-01-01T00:00:00Z"),
        (-14_182_980.0, 330, "+05:30", "1969-07-20T20:17:00Z"),
    ],
)
def test_time(now: float, offset: int, zone: str, utc: str) -> None:
    assert disco.time(now, offset) == f"<time xmlns='urn:xmpp:time'><tzo>{zone}</tzo><utc>{utc}</utc></time>"
