"""Requests of those who run a room, with XEP-0045's own examples, and the lists they get."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import LegacyError
from transports.events import Rank
from transports.ports import Change, Ranked
from transports.xmpp import administer, rsm
from transports.xmpp.administer import ADMIN, OWNER
from transports.xmpp.xml import MAX_STANZA

DOMAIN = "shakespeare.lit"


def query(inner: str, namespace: str = ADMIN) -> ET.Element:
    return ET.fromstring(f"<query xmlns='{namespace}'>{inner}</query>")


def listed(found: list[Ranked], paging: rsm.Paging | None = None, language: str = "") -> ET.Element:
    return ET.fromstring(administer.listed(found, DOMAIN, language, paging))


# Sets -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "changes"),
    [
        # 8.2, 8.3, 8.4
        ("<item nick='pistol' role='none'><reason>Avaunt, you cullion!</reason></item>",
         [Change("pistol", role="none", reason="Avaunt, you cullion!")]),
        ("<item nick='thirdwitch' role='participant'/>", [Change("thirdwitch", role="participant")]),
        ("<item nick='thirdwitch' role='visitor'><reason>Not so worthy after all!</reason></item>",
         [Change("thirdwitch", role="visitor", reason="Not so worthy after all!")]),
        # 8.5
        ("<item nick='Hecate' role='visitor'/>"
         "<item nick='rosencrantz' role='participant'><reason>A worthy fellow.</reason></item>",
         [Change("Hecate", role="visitor"), Change("rosencrantz", role="participant", reason="A worthy fellow.")]),
        # 9.1, 9.2
        ("<item affiliation='outcast' jid='earlofcambridge@shakespeare.lit'><reason>Treason</reason></item>",
         [Change(address="earlofcambridge", affiliation="outcast", reason="Treason")]),
        # 9.3: the nick is one to reserve
        ("<item affiliation='member' jid='hag66@shakespeare.lit' nick='thirdwitch'/>",
         [Change(address="hag66", affiliation="member")]),
        # 9.4, 10.3 and on
        ("<item affiliation='none' jid='hag66@shakespeare.lit/pda'/>", [Change(address="hag66", affiliation="none")]),
        ("<item affiliation='owner' jid='hecate@shakespeare.lit'/>", [Change(address="hecate", affiliation="owner")]),
        # what ours are called, and what clients send by nick
        (r"<item affiliation='outcast' jid='*!*\40h%irc.test@shakespeare.lit'/>",
         [Change(address="*!*@h%irc.test", affiliation="outcast")]),
        ("<item affiliation='admin' nick='bob'/>", [Change("bob", affiliation="admin")]),
        ("<item role='none' nick='bob' jid='bob@elsewhere.example/x'/>", [Change("bob", role="none")]),
        ("<item nick='bob' role='none'><reason>a\n  b\tc</reason></item>", [Change("bob", role="none", reason="a b c")]),
    ],
)  # fmt: skip
def test_what_is_to_change(items: str, changes: list[Change]) -> None:
    assert administer.changes(query(items), DOMAIN) == changes


@pytest.mark.parametrize(
    ("items", "condition"),
    [
        ("", "bad-request"),
        ("<item/>", "bad-request"),
        ("<item nick='x'/>", "bad-request"),
        ("<item role='none'/>", "bad-request"),
        ("<item nick='x' role='king'/>", "bad-request"),
        ("<item nick='x' affiliation='king'/>", "bad-request"),
        ("<item nick='x' role='none' affiliation='outcast'/>", "bad-request"),
        ("<item nick='x' role='none'/><item/>", "bad-request"),
        ("<item nick='x' role='none'/>" * 501, "bad-request"),
        ("<item affiliation='outcast' jid='earlofcambridge@elsewhere.example'/>", "item-not-found"),
        ("<item affiliation='outcast' jid='shakespeare.lit'/>", "item-not-found"),
        ("<item affiliation='outcast' jid='@'/>", "jid-malformed"),
    ],
)
def test_what_is_no_request(items: str, condition: str) -> None:
    with pytest.raises(LegacyError) as error:
        administer.changes(query(items), DOMAIN)
    assert error.value.condition == condition


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_hostile_items_are_requests_or_errors(nick: str, jid: str, reason: str) -> None:
    element = ET.Element(f"{{{ADMIN}}}query")
    item = ET.SubElement(element, f"{{{ADMIN}}}item", nick=nick, jid=jid, affiliation="member")
    ET.SubElement(item, f"{{{ADMIN}}}reason").text = reason
    try:
        (change,) = administer.changes(element, DOMAIN)
    except LegacyError:
        return
    assert "\n" not in change.reason and len(change.reason) <= administer.REASON


# Gets -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "asked"),
    [
        ("<item role='participant'/>", ("participant", "")),
        ("<item role='moderator'/>", ("moderator", "")),
        ("<item affiliation='outcast'/>", ("", "outcast")),
        ("<item affiliation='member'/>", ("", "member")),
        ("<item affiliation='owner'/>", ("", "owner")),
    ],
)
def test_which_list_is_asked_for(items: str, asked: tuple[str, str]) -> None:
    assert administer.wanted(query(items)) == asked


@pytest.mark.parametrize(
    "items", ["", "<item/>", "<item role='king'/>", "<item role='none' affiliation='none'/>", "<item role='none'/>" * 2]
)
def test_what_is_no_list(items: str) -> None:
    with pytest.raises(LegacyError, match="bad-request"):
        administer.wanted(query(items))


def test_the_voice_list() -> None:
    (item,) = listed([Ranked(Rank("member", "participant"), "Hecate", "hecate")])
    assert item.attrib == {"affiliation": "member", "role": "participant", "nick": "Hecate", "jid": f"hecate@{DOMAIN}"}


def test_the_ban_list_has_neither_nick_nor_role() -> None:
    outcast = Rank("outcast", "none")
    (first, second) = listed(
        [
            Ranked(outcast, "", "earlofcambridge", "Treason"),
            Ranked(outcast, "", "*!*@h%irc.test", by="henry", when=1_700_000_000.0),
        ]
    )
    assert first.attrib == {"affiliation": "outcast", "jid": f"earlofcambridge@{DOMAIN}"}
    assert first.findtext(f"{{{ADMIN}}}reason") == "Treason"
    assert second.get("jid") == rf"*!*\40h%irc.test@{DOMAIN}"
    assert second.findtext(f"{{{ADMIN}}}reason") == "Set by henry, 2023-11-14"
    actor = second.find(f"{{{ADMIN}}}actor")
    assert actor is not None and actor.get("nick") == "henry"


def test_a_nick_of_any_characters_stays_one_attribute() -> None:
    (item,) = listed([Ranked(Rank("none", "participant"), "'/><x a=\"&\x00", "")])
    assert item.get("nick") == "'/><x a=\"&"


BANS = [Ranked(Rank("outcast", "none"), "", f"*!*@h{n}%irc.test") for n in range(10)]


def jids(answer: ET.Element) -> list[str]:
    return [item.get("jid", "").partition("%")[0].removeprefix(r"*!*\40h") for item in answer.iter(f"{{{ADMIN}}}item")]


def page(answer: ET.Element) -> tuple[str | None, str | None]:
    paged = answer.find(f"{{{rsm.NS}}}set")
    assert paged is not None
    first = paged.find(f"{{{rsm.NS}}}first")
    return (first.get("index") if first is not None else None), paged.findtext(f"{{{rsm.NS}}}count")


@pytest.mark.parametrize(
    ("paging", "shown", "told"),
    [
        (rsm.Paging(3), "012", ("0", "10")),
        (rsm.Paging(3, after="*!*@h2%irc.test"), "345", ("3", "10")),
        (rsm.Paging(3, before="*!*@h3%irc.test"), "012", ("0", "10")),
        (rsm.Paging(3, before=""), "789", ("7", "10")),
        (rsm.Paging(4, at=8), "89", ("8", "10")),
        (rsm.Paging(0), "", (None, "10")),
        (rsm.Paging(3, after="*!*@h9%irc.test"), "", (None, "10")),
    ],
)
def test_a_page_of_a_list(paging: rsm.Paging, shown: str, told: tuple[str | None, str]) -> None:
    answer = listed(BANS, paging)
    assert "".join(jids(answer)) == shown and page(answer) == told


def test_a_page_that_is_gone() -> None:
    with pytest.raises(LegacyError, match="item-not-found"):
        listed(BANS, rsm.Paging(3, after="x"))


def test_a_list_that_fits_has_no_page_and_one_that_does_not_says_so() -> None:
    assert listed(BANS).find(f"{{{rsm.NS}}}set") is None
    many = [Ranked(Rank("outcast", "none"), "", f"*!*@{'x' * 150}{n}%irc.test") for n in range(5_000)]
    text = administer.listed(many, DOMAIN)
    assert len(text) < MAX_STANZA
    answer = ET.fromstring(text)
    assert page(answer) == ("0", "5000") and 100 < len(jids(answer)) < 5_000


# Configuration --------------------------------------------------------------------------------------------------------


def test_what_an_owner_wants() -> None:
    assert administer.purpose(query("<destroy jid='coven@chat.shakespeare.lit'/>", OWNER)) == ("destroy", None)
    for kind in ("submit", "cancel"):
        purpose, x = administer.purpose(query(f"<x xmlns='jabber:x:data' type='{kind}'/>", OWNER))
        assert purpose == kind and x is not None
    for other in ("", "<x xmlns='jabber:x:data' type='form'/>", "<x xmlns='jabber:x:data'/>"):
        with pytest.raises(LegacyError, match="bad-request"):
            administer.purpose(query(other, OWNER))


# XEP-0059 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "asked"),
    [
        ("<max>10</max>", rsm.Paging(10)),
        ("<max>10</max><after>peterpan@neverland.lit</after>", rsm.Paging(10, after="peterpan@neverland.lit")),
        ("<max>10</max><before>peter@pixyland.org</before>", rsm.Paging(10, before="peter@pixyland.org")),
        ("<max>10</max><before/>", rsm.Paging(10, before="")),
        ("<max>10</max><index>371</index>", rsm.Paging(10, at=371)),
        ("<max>0</max>", rsm.Paging(0)),
        ("<after/>", rsm.Paging()),
    ],
)
def test_pages_that_are_asked_for(inner: str, asked: rsm.Paging) -> None:
    assert rsm.asked(query(f"<set xmlns='{rsm.NS}'>{inner}</set>")) == asked


def test_no_page_and_no_number() -> None:
    assert rsm.asked(query("")) is None and rsm.asked(None) is None
    for inner in ("<max>-1</max>", "<max>x</max>", "<max/>", "<index>²</index>"):
        with pytest.raises(LegacyError, match="bad-request"):
            rsm.asked(query(f"<set xmlns='{rsm.NS}'>{inner}</set>"))


# Who asks ---------------------------------------------------------------------------------------------------------------

ME = administer.Own("crone1@shakespeare.example", "Crone")


def test_who_asks_is_listed_and_meant_by_the_own_jid() -> None:
    """As presence has it; an address on the far side would be another person's for the client."""
    found = [Ranked(Rank("admin", "moderator"), "Crone", "crone"), Ranked(Rank("admin", "moderator"), "Hecate", "hecate")]
    items = list(ET.fromstring(administer.listed(found, DOMAIN, own=ME)))
    assert [item.get("jid") for item in items] == [ME.jid, f"hecate@{DOMAIN}"]
    (change,) = administer.changes(query(f"<item affiliation='none' jid='{ME.jid}'/>"), DOMAIN, ME)
    assert (change.nick, change.address) == ("Crone", "")


def test_a_nick_where_a_jid_should_stand_is_the_nick() -> None:
    """Profanity's /ban takes both."""
    (change,) = administer.changes(query("<item affiliation='outcast' jid='Pistol [x]'/>"), DOMAIN)
    assert (change.nick, change.address) == ("Pistol [x]", "")


def test_a_list_of_an_affiliation_tells_no_roles() -> None:
    """Converse.js 14 would take nicks for roles, and operators for others than operators."""
    (item,) = ET.fromstring(administer.listed([Ranked(Rank("admin", "moderator"), "Hecate", "hecate")], DOMAIN, roles=False))
    assert (item.get("role"), item.get("nick")) == (None, "Hecate")
