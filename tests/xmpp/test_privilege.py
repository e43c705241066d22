"""XEP-0356: what is granted, by whom, to whom; and what is done with it."""

from __future__ import annotations

import asyncio
import logging
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.far import DOMAIN, condition
from tests.xmpp.realm import ADA, BOB, DESK, SERVER, Realm
from tests.xmpp.realm import Item as RosterItem
from transports.errors import LegacyError
from transports.xmpp import privilege
from transports.xmpp.privilege import Grants, Item, advice, grants_of

NONE = Grants()
UPLOAD = "urn:xmpp:http:upload:0"
PUBSUB = "http://jabber.org/protocol/pubsub"
SLOT = f"<request xmlns='{UPLOAD}' filename='a.txt' size='3'/>"


def message(advert: str) -> ET.Element:
    return ET.fromstring(f"<message xmlns='jabber:component:accept' from='{SERVER}' to='{DOMAIN}'>{advert}</message>")


def own_message(id: str = "x1", to: str = BOB, sender: str = ADA) -> str:
    body = "<body>I said this on my telephone</body>"
    return f"<message xmlns='jabber:client' id='{id}' type='chat' from='{sender}' to='{to}'>{body}</message>"


# Adverts ----------------------------------------------------------------------------------------------------------------

ADVERTS = {
    "XEP-0356 4.2": (
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both' push='true'/></privilege>",
        Grants(2, roster="both"),
    ),
    "XEP-0356 5.1": (
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both' push='true'/>"
        "<perm access='message' type='outgoing'/></privilege>",
        Grants(2, roster="both", message="outgoing"),
    ),
    "XEP-0356 6.2": (
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='iq'>"
        f"<namespace ns='{PUBSUB}' type='set' /></perm></privilege>",
        Grants(2, iq=((PUBSUB, "set"),)),
    ),
    "XEP-0356 7.5": (
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both' push='true'/>"
        f"<perm access='message' type='none'/><perm access='iq'><namespace ns='{PUBSUB}' type='set' /></perm>"
        "<perm access='presence' type='roster'/></privilege>",
        Grants(2, roster="both", presence="roster", iq=((PUBSUB, "set"),)),
    ),
    "Prosody 0.12, which nests": (
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both'/><perm access='message' type='outgoing'/>"
        f"<perm access='presence' type='roster'/><perm access='iq'><namespace type='both' ns='{PUBSUB}'>"
        f"<namespace type='get' ns='{UPLOAD}'><namespace type='set' ns='{PUBSUB}#owner'/></namespace></namespace>"
        "</perm></privilege>",
        Grants(2, "both", "outgoing", "roster", ((PUBSUB, "both"), (f"{PUBSUB}#owner", "set"), (UPLOAD, "get"))),
    ),
    "ejabberd 23.01": (
        "<privilege xmlns='urn:xmpp:privilege:1'><perm type='outgoing' access='message'/>"
        "<perm type='both' access='roster'/><perm type='managed_entity' access='presence'/></privilege>",
        Grants(1, "both", "outgoing", "managed_entity"),
    ),
    "both versions": (
        "<privilege xmlns='urn:xmpp:privilege:1'><perm access='message' type='outgoing'/></privilege>"
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='get'/></privilege>",
        Grants(2, roster="get"),
    ),
    "nothing": ("<privilege xmlns='urn:xmpp:privilege:2'/>", Grants(2)),
    "what nobody knows": (
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='all'/><perm access='kitchen' type='both'/>"
        "<perm/><perm access='iq'><namespace/><namespace ns='' type='set'/><namespace ns='x' type='none'/></perm></privilege>",
        Grants(2),
    ),
    "another version": (
        "<privilege xmlns='urn:xmpp:privilege:3'><perm access='roster' type='both'/></privilege>",
        None,
    ),
    "no advert": ("<body>privilege</body>", None),
}


@pytest.mark.parametrize("advert", ADVERTS)
def test_an_advert_is_read(advert: str) -> None:
    xml, wanted = ADVERTS[advert]
    assert grants_of(message(xml)) == wanted


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.sampled_from(["perm", "namespace", "x"]))))
def test_no_advert_grants_what_there_is_not(perms: list[tuple[str, str, str]]) -> None:
    ns = "urn:xmpp:privilege:2"
    found = ET.Element("message")
    at = ET.SubElement(found, f"{{{ns}}}privilege")
    for access, type, tag in perms:
        at = ET.SubElement(at, f"{{{ns}}}{tag}", access=access, type=type, ns=access)
    grants = grants_of(found)
    assert grants is not None
    assert grants.roster in ("", "get", "set", "both") and grants.message in ("", "outgoing")
    assert {type for _, type in grants.iq} <= {"get", "set", "both"}


def test_a_grant_is_for_the_users_of_the_server_that_gave_it() -> None:
    house = Realm("example.org", "eve@other.example")
    house.advert("roster=both")
    house.advert("message=outgoing", sender="other.example")
    assert house.desk.privilege.grants(ADA) == Grants(2, roster="both")
    assert house.desk.privilege.grants("eve@other.example") == Grants(2, message="outgoing")
    assert house.desk.privilege.grants("ada@sub.example.org") == NONE
    assert house.out == []


@pytest.mark.parametrize(
    "sender", [ADA, DESK, f"{SERVER}/x", "evil.net", "mallory@evil.net", f"upload.{SERVER}", DOMAIN]
)
def test_only_a_server_whose_users_may_use_the_gateway_grants_anything(sender: str) -> None:
    house = Realm()
    house.advert("roster=both", "message=outgoing", sender=sender)
    grants = house.desk.privilege.grants
    assert [grants(user) for user in (ADA, sender, "x@evil.net", "x@upload.example.org")] == [NONE] * 4
    assert house.out == []


def test_words_of_a_person_are_heard_whatever_is_beside_them() -> None:
    house = Realm()
    advert = "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both'/></privilege>"
    house.stanza(f"<message from='{DESK}' to='{BOB}' type='chat' id='1'><body>hello</body>{advert}</message>")
    assert [command.text for command in house.took()] == ["hello"]  # type: ignore[union-attr]


def test_what_is_told_anew_replaces_what_was_told_and_a_new_stream_begins_with_nothing() -> None:
    house = Realm()
    house.advert("roster=both", "message=outgoing")
    house.advert("message=outgoing")
    assert house.desk.privilege.grants(ADA) == Grants(2, message="outgoing")
    house.advert("roster=both", version=1)  # the same server in its older words
    assert house.desk.privilege.grants(ADA) == Grants(2, message="outgoing")
    house.desk.privilege.connected()
    assert house.desk.privilege.grants(ADA) == NONE
    house.advert("roster=get", version=1)
    assert house.desk.privilege.grants(ADA) == Grants(1, roster="get")


def test_servers_are_bounded_where_everybody_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "SERVERS", 3)
    house = Realm("*")
    for number in range(5):
        house.advert("roster=both", sender=f"s{number}.example")
    assert [house.desk.privilege.grants(f"x@s{number}.example").roster for number in range(5)] == ["both"] * 3 + [
        ""
    ] * 2


def test_the_log_says_once_per_stream_what_is_granted_and_what_more_would_give(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    house = Realm()
    for _ in range(3):
        house.advert("roster=both", "message=outgoing")
    (line,) = [record.message for record in caplog.records]
    assert "server=example.org roster=both message=outgoing" in line
    missing = line.partition("missing=")[2]
    assert "presence" in missing and UPLOAD in missing and "roster" not in missing
    house.desk.privilege.connected()
    house.advert("roster=both")
    assert len(caplog.records) == 2


def test_the_log_says_once_that_nobody_grants_anything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    house = Realm()
    house.desk.privilege.sweep()
    house.desk.privilege.connected()
    for _ in range(3):
        house.desk.privilege.sweep()
    (line,) = [record.message for record in caplog.records]
    assert line.startswith(f"no privileges domain={DOMAIN}") and "roster=both" in line


def test_advice_is_about_what_is_missing() -> None:
    everything = Grants(2, "both", "outgoing", "managed_entity", ((UPLOAD, "get"),))
    assert advice(everything) == []
    assert len(advice()) == 4
    (line,) = advice(everything._replace(roster="get"))
    assert line.startswith("roster=both: ")
    assert advice(everything._replace(version=1))[0].startswith(f"iq {UPLOAD}")  # there is no iq in the first version


# iq -----------------------------------------------------------------------------------------------------------------------


def iqs(*kinds: str) -> str:
    spaces = "".join(f"<namespace ns='{kind.partition('=')[0]}' type='{kind.partition('=')[2]}'/>" for kind in kinds)
    return f"<perm access='iq'>{spaces}</perm>"


async def test_an_iq_goes_out_as_the_user_and_its_answer_comes_back() -> None:
    house = Realm()
    house.advert(more=iqs(f"{UPLOAD}=get"))
    slot = f"<slot xmlns='{UPLOAD}'><put url='https://up.example.org/1'/></slot>"
    house.inner = f"<iq xmlns='jabber:client' type='result' id='i' from='up.example.org' to='{ADA}'>{slot}</iq>"
    asked = asyncio.ensure_future(house.desk.privilege.iq(ADA, "up.example.org", "get", SLOT))
    await house.settle()
    payload = await asked
    assert payload is not None and payload.tag == f"{{{UPLOAD}}}slot"
    (iq,) = house.asked
    assert (iq.get("type"), iq.get("from"), iq.get("to")) == ("get", DOMAIN, ADA)
    (inner,) = iq[0]
    assert inner.tag == "{jabber:client}iq" and inner.get("id")
    assert (inner.get("type"), inner.get("to"), inner.get("from")) == ("get", "up.example.org", None)
    assert [child.tag for child in inner] == [f"{{{UPLOAD}}}request"]


ERRORS = {
    "the inner one in a result, as Prosody has it": (
        "<iq xmlns='jabber:client' type='error' id='i'><error type='cancel'>"
        "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>No such node</text></error></iq>",
        ("item-not-found", "No such node"),
    ),
    "the payload beside it": (
        f"<iq xmlns='jabber:client' type='error' id='i'>{SLOT}<error type='modify'>"
        "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><file-too-large xmlns='urn:x'/></error></iq>",
        ("not-acceptable", ""),
    ),
    "none that says what": ("<iq xmlns='jabber:client' type='error' id='i'/>", ("undefined-condition", "")),
    "of a kind of its own": (
        "<iq xmlns='jabber:client' type='error' id='i'><error><payment xmlns='urn:x'/></error></iq>",
        ("undefined-condition", ""),
    ),
}


@pytest.mark.parametrize("error", ERRORS)
async def test_an_error_of_the_inner_iq_is_raised(error: str) -> None:
    house = Realm()
    house.advert(more=iqs(f"{UPLOAD}=both"))
    house.inner, wanted = ERRORS[error]
    asked = asyncio.ensure_future(house.desk.privilege.iq(ADA, "up.example.org", "get", SLOT))
    await house.settle()
    with pytest.raises(LegacyError) as raised:
        await asked
    assert (raised.value.condition, raised.value.text) == wanted


async def test_an_answer_without_an_iq_in_it_is_an_error() -> None:
    house = Realm()
    house.advert(more=iqs(f"{UPLOAD}=both"))
    house.inner = ""
    asked = asyncio.ensure_future(house.desk.privilege.iq(ADA, "up.example.org", "get", SLOT))
    await house.settle()
    with pytest.raises(LegacyError):
        await asked


@pytest.mark.parametrize("sender", [ADA, SERVER])
async def test_servers_answer_under_one_name_or_another(sender: str) -> None:
    house = Realm()
    house.advert(more=iqs(f"{UPLOAD}=both"))
    asked = asyncio.ensure_future(house.desk.privilege.iq(ADA, "up.example.org", "get", SLOT))
    await asyncio.sleep(0)
    (iq,) = house.sent()
    house.error(iq, "forbidden", "mallory@example.org")
    await asyncio.sleep(0)
    assert not asked.done()
    house.error(iq, "forbidden", sender)
    with pytest.raises(LegacyError) as raised:
        await asked
    assert raised.value.condition == "forbidden"


@pytest.mark.parametrize(
    ("granted", "version", "type"),
    [
        ([], 2, "get"),
        ([f"{UPLOAD}=set"], 2, "get"),
        ([f"{UPLOAD}=get"], 2, "set"),
        ([f"{PUBSUB}=both"], 2, "get"),
        ([f"{UPLOAD}=both"], 1, "get"),
    ],
)
async def test_what_is_not_granted_is_not_asked(granted: list[str], version: int, type: str) -> None:
    house = Realm()
    house.advert(version=version, more=iqs(*granted).replace(":2", f":{version}"))
    with pytest.raises(LegacyError) as raised:
        await house.desk.privilege.iq(ADA, "up.example.org", type, SLOT)
    assert raised.value.condition == "not-allowed" and house.out == []


# Messages -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_a_message_goes_out_as_the_user_and_its_echo_is_nobodys_words(version: int) -> None:
    house = Realm()
    house.advert("message=outgoing", version=version)
    assert house.desk.privilege.message(ADA, own_message())
    (sent,) = house.sent()
    assert (sent.tag, sent.get("from"), sent.get("to")) == ("message", DOMAIN, SERVER) and sent.get("id")
    (inner,) = sent.iter("{jabber:client}message")
    assert (inner.get("from"), inner.get("to"), inner.get("id")) == (ADA, BOB, "x1")
    assert [child.tag for child in sent] == [f"{{urn:xmpp:privilege:{version}}}privilege"]
    assert [child.tag for child in sent[0]] == ["{urn:xmpp:forward:0}forwarded"]
    assert house.desk.privilege.own("x1") and not house.desk.privilege.own("x2")
    house.stanza(
        f"<message from='{ADA}' to='{BOB}' id='x1' type='chat'><body>I said this on my telephone</body></message>"
    )
    assert house.took() == [] and house.out == []


@pytest.mark.parametrize(("sender", "id"), [(DESK, "x1"), (ADA, "x2"), ("bob@example.org", "x1"), (ADA, "")])
def test_words_of_others_are_no_echo(sender: str, id: str) -> None:
    """A client that knows the id by its carbon has nothing of it: it speaks under its full JID."""
    house = Realm()
    house.advert("message=outgoing")
    house.desk.privilege.message(ADA, own_message())
    house.stanza(f"<message from='{sender}' to='{BOB}' id='{id}' type='chat'><body>hello</body></message>")
    assert [command.text for command in house.took(sender.partition("/")[0])] == ["hello"]  # type: ignore[union-attr]


def test_without_the_privilege_no_message_goes_out() -> None:
    house = Realm()
    assert not house.desk.privilege.message(ADA, own_message())
    house.advert("roster=both")
    assert not house.desk.privilege.message(ADA, own_message())
    assert house.out == [] and not house.desk.privilege.own("x1")


@pytest.mark.parametrize(
    "stanza",
    [
        own_message(sender="eve@example.org"),
        own_message(sender=DESK),
        own_message(id=""),
        own_message().replace(" xmlns='jabber:client'", ""),
        own_message().replace("message", "presence"),
    ],
)
def test_a_message_of_somebody_else_is_a_mistake_of_ours(stanza: str) -> None:
    house = Realm()
    house.advert("message=outgoing")
    with pytest.raises(ValueError, match="no message"):
        house.desk.privilege.message(ADA, stanza)
    assert house.out == []


def test_ids_are_forgotten_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "IDS", 2)
    house = Realm()
    house.advert("message=outgoing")
    for number in range(4):
        house.desk.privilege.message(ADA, own_message(f"x{number}"))
    assert [house.desk.privilege.own(f"x{number}") for number in range(4)] == [False, False, True, True]


# Rosters --------------------------------------------------------------------------------------------------------------------


async def done(house: Realm, work: object) -> object:
    task = asyncio.ensure_future(work)  # type: ignore[arg-type,var-annotated]
    await house.settle()
    return await task


async def test_a_roster_is_read_and_written() -> None:
    house = Realm()
    rosters = house.desk.privilege
    await done(house, rosters.place(ADA, Item(BOB, 'Bob <b@x> & "co"', ("A&B", "Far"), "both")))
    assert await done(house, rosters.roster(ADA)) == {BOB: Item(BOB, 'Bob <b@x> & "co"', ("A&B", "Far"), "both")}
    await done(house, rosters.remove(ADA, BOB))
    assert await done(house, rosters.roster(ADA)) == {}
    with pytest.raises(LegacyError, match="item-not-found"):
        await done(house, rosters.remove(ADA, BOB))
    assert [iq.get("to") for iq in house.asked] == [ADA] * 5


@pytest.mark.parametrize(
    ("condition", "left"), [("internal-server-error", "get"), ("forbidden", "get"), ("item-not-found", "both")]
)
async def test_a_server_that_fails_at_rosters_is_not_asked_again_on_this_stream(condition: str, left: str) -> None:
    """COMPAT: ejabberd 23.01 grants both and fails at each set."""
    house = Realm("example.org", "other.example")
    for server in ("example.org", "other.example"):
        house.advert("roster=both", sender=server)
    house.fails = condition
    with pytest.raises(LegacyError, match=condition):
        await done(house, house.desk.privilege.place(ADA, Item(BOB)))
    assert house.desk.privilege.grants(ADA).roster == left
    assert house.desk.privilege.grants("x@other.example").roster == "both"
    house.desk.privilege.connected()
    house.advert("roster=both")
    assert house.desk.privilege.grants(ADA).roster == "both"


# What others send -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["romeo@elsewhere.example/orchard", f"{BOB}/far", DOMAIN, "elsewhere.example"])
@pytest.mark.parametrize("kind", ["", "unavailable"])
def test_presence_of_the_users_own_contacts_is_not_answered(sender: str, kind: str) -> None:
    """XEP-0356 7.5: with presence=roster all that users hear comes to the gateway, ejabberd's even what it said itself."""
    house = Realm()
    house.says(kind, DOMAIN, sender, "<status>At the balcony</status>")
    assert house.out == []


def test_but_a_stranger_who_wants_to_join_or_to_hear_is_told_that_it_may_not() -> None:
    house = Realm()
    house.says("", f"#c@{DOMAIN}/romeo", "romeo@elsewhere.example/x", "<x xmlns='http://jabber.org/protocol/muc'/>")
    house.says("subscribe", BOB, "romeo@elsewhere.example")
    assert [condition(stanza) for stanza in house.sent()] == ["forbidden", "forbidden"]


async def test_what_a_roster_calls_a_subscription_and_is_none_goes_no_further() -> None:
    realm = Realm()
    realm.advert("roster=both")
    realm.rosters[ADA] = {BOB: RosterItem("Bob", (), "both'/><evil a='&")}
    asking = asyncio.create_task(realm.desk.privilege.roster(ADA))
    await realm.settle()
    assert (await asking)[BOB] == Item(BOB, "Bob", (), "none")
    placing = asyncio.create_task(realm.desk.privilege.place(ADA, Item(BOB, "Bob", (), "'/><evil a='&")))
    await realm.settle()  # what cannot be read as XML fails here
    await placing
