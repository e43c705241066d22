"""Upload services as XEP-0363's examples have them, found, asked as the user and in our own name; and what may be wrong."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

import pytest

from tests.far import House
from transports.errors import LegacyError
from transports.gateway_seams import Users
from transports.xmpp import uploads
from transports.xmpp.uploads import Origin, Service, Slot, in_words, origin_of, read_info, read_slot

NS = uploads.NS
INFO = f"""<query xmlns='http://jabber.org/protocol/disco#info'>
    <identity category='store' type='file' name='HTTP File Upload' />
    <feature var='{NS}' />
    <x type='result' xmlns='jabber:x:data'>
      <field var='FORM_TYPE' type='hidden'><value>{NS}</value></field>
      <field var='max-file-size'><value>5242880</value></field>
    </x>
  </query>"""
ITEMS = """<query xmlns='http://jabber.org/protocol/disco#items'>
    <item jid='upload.example.org' name='HTTP File Upload' />
    <item jid='conference.example.org' name='Chatroom Service' />
    <item jid='far.example.org' name='ourselves' />
  </query>"""
NOTHING = "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='http://jabber.org/protocol/muc'/></query>"
PUT = "https://upload.montague.tld/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/tr%C3%A8s%20cool.jpg"
GET = "https://download.montague.tld/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/tr%C3%A8s%20cool.jpg"
SLOT = f"""<slot xmlns='{NS}'>
    <put url='{PUT}'>
      <header name='Authorization'>Basic Base64String==</header>
      <header name='Cookie'>foo=bar; user=romeo</header>
    </put>
    <get url='{GET}' />
  </slot>"""


@pytest.mark.parametrize(
    ("query", "service"),
    [
        (INFO, Service("up", 5242880)),
        (INFO.replace("5242880", "lots"), Service("up")),
        (INFO.replace("5242880", "9" * 400), Service("up")),
        (INFO.replace(f"<value>{NS}</value>", "<value>other</value>"), Service("up")),
        (f"<query xmlns='http://jabber.org/protocol/disco#info'><feature var='{NS}'/></query>", Service("up")),
        (NOTHING, None),
    ],
)
def test_what_a_service_says_of_itself(query: str, service: Service | None) -> None:
    assert read_info("up", ET.fromstring(query)) == service


def test_the_slot_of_the_specification() -> None:
    headers = (("Authorization", "Basic Base64String=="), ("Cookie", "foo=bar; user=romeo"))
    assert read_slot(ET.fromstring(SLOT), True) == Slot(PUT, GET, headers, True)


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("<header name='eXpires'>Thu, 01 Jan 2099</header>", (("Expires", "Thu, 01 Jan 2099"),)),
        ("<header name='Host'>evil.example</header>", ()),
        ("<header name='Content-Length'>0</header>", ()),
        ("<header name='Cookie&#10;Host'>x</header>", ()),
        ("<header name='Cookie'>a&#13;&#10;Host: evil</header>", (("Cookie", "aHost: evil"),)),
        ("<header name='Cookie'>a</header><header name='cookie'>b</header>", (("Cookie", "a"), ("Cookie", "b"))),
        (f"<header name='Cookie'>{'x' * 9_000}</header>", ()),
        ("<header name='Cookie'>a</header>" * 50, (("Cookie", "a"),) * 20),
        ("<header/>", ()),
    ],
)
def test_of_a_slots_headers_only_three_are_taken_and_these_cleaned(header: str, kept: tuple[object, ...]) -> None:
    slot = ET.fromstring(f"<slot xmlns='{NS}'><put url='{PUT}'>{header}</put><get url='{GET}'/></slot>")
    assert read_slot(slot, True).headers == kept


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "<slot/>",
        f"<slot xmlns='{NS}'/>",
        f"<slot xmlns='{NS}'><put url='{PUT}'/><get/></slot>",
        f"<slot xmlns='{NS}'><put url='{PUT}'/></slot>",
        f"<slot xmlns='{NS}'><put url='{PUT}'/><get url='javascript:alert(1)'/></slot>",
        f"<slot xmlns='{NS}'><put url='{PUT}'/><get url='{GET}{'x' * 3_000}'/></slot>",
        NOTHING,
    ],
)
def test_what_is_no_slot_is_an_error(payload: str | None) -> None:
    with pytest.raises(LegacyError):
        read_slot(ET.fromstring(payload) if payload is not None else None, True)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (GET, Origin("https", "download.montague.tld", 443)),
        ("http://127.0.0.1:5280/upload/x", Origin("http", "127.0.0.1", 5280)),
        ("https://[2001:db8::1]:8443/x", Origin("https", "2001:db8::1", 8443)),
        ("https://UP.example/x", Origin("https", "up.example", 443)),
        ("ftp://up.example/x", None),
        ("https://[::1/x", None),
        ("https://a:99999/x", None),
        ("", None),
    ],
)
def test_where_a_url_leads(url: str, origin: Origin | None) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("size", "words"), [(10_485_760, "10 MB"), (1_500_000, "1.4 MB"), (20_000, "20 kB"), (1, "1 kB"), (104_857_600, "100 MB")]
)
def test_sizes_for_people(size: int, words: str) -> None:
    assert in_words(size) == words


def test_of_what_a_server_has_only_what_has_an_address_is_asked() -> None:
    items = "".join(f"<item jid='{jid}'/>" for jid in ("up.example", "a@b/c", "a@b/", "@x", "x y", ""))
    query = ET.fromstring(f"<query xmlns='http://jabber.org/protocol/disco#items'>{items}<item/></query>")
    assert list(uploads.read_items(query)) == ["up.example", "a@b/c"]


class Servers:
    """A house whose servers answer from a table: (to, tag of the payload) -> payload, or None for an error."""

    def __init__(self, table: dict[tuple[str, str], str | None]) -> None:
        self.house = House("*")
        self.table = table
        self.asked: list[tuple[str, str]] = []
        self.uploads = uploads.Uploads(self.house.desk)
        self.house.desk.send = self.house.desk.asker._send = self.answer

    def answer(self, stanza: str) -> None:
        iq = ET.fromstring(stanza)
        key = (iq.get("to", ""), iq[0].tag.partition("}")[2] + ("s" if iq[0].tag.endswith("items}query") else ""))
        self.asked.append(key)
        payload = self.table.get(key)
        head = f"<iq id='{iq.get('id')}' from='{key[0]}' to='far.example.org'"
        error = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        text = f"{head} type='error'>{error}" if payload is None else f"{head} type='result'>{payload}</iq>"
        asyncio.get_running_loop().call_soon(self.house.stanza, text)


EXAMPLE: dict[tuple[str, str], str | None] = {
    ("example.org", "querys"): ITEMS,
    ("example.org", "query"): NOTHING,
    ("conference.example.org", "query"): NOTHING,
    ("upload.example.org", "query"): INFO,
    ("upload.example.org", "request"): SLOT,
}


async def test_a_service_is_found_once_and_remembered() -> None:
    servers = Servers(EXAMPLE)
    first, second = await asyncio.gather(servers.uploads.service("example.org"), servers.uploads.service("example.org"))
    assert first == second == Service("upload.example.org", 5242880)
    assert servers.asked == [
        ("example.org", "querys"),
        ("example.org", "query"),
        ("upload.example.org", "query"),
        ("conference.example.org", "query"),
    ]  # everybody once; ourselves not at all


async def test_a_server_without_uploads_has_no_ways() -> None:
    servers = Servers({("example.org", "querys"): "<query xmlns='http://jabber.org/protocol/disco#items'/>"})
    assert await servers.uploads.ways("ada@example.org") == []
    assert await servers.uploads.origins("ada@example.org") == frozenset()


async def test_a_slot_in_our_own_name_and_what_it_teaches() -> None:
    servers = Servers(EXAMPLE)
    as_user, as_us = await servers.uploads.ways("ada@example.org")
    assert (as_user.user, as_us.user, as_us.own) == ("ada@example.org", "", True)
    slot = await servers.uploads.slot(as_us, "très cool.jpg", 23456, "image/jpeg")
    assert (slot.put, slot.get, slot.own) == (PUT, GET, True)
    asked = len(servers.asked)
    assert await servers.uploads.origins("bob@example.org") == {Origin("https", "download.montague.tld", 443)}
    assert len(servers.asked) == asked


async def test_a_foreign_users_file_may_go_to_our_own_server() -> None:
    servers = Servers(EXAMPLE)
    assert [(way.service.jid, way.user) for way in await servers.uploads.ways("eve@else.where")] == [
        ("upload.example.org", "")
    ]
    assert not servers.uploads.own("else.where") and servers.uploads.own("example.org")
    assert not servers.uploads.own("ple.org") and not servers.uploads.own("org") and not servers.uploads.own("")


@pytest.mark.parametrize(("named", "own"), [("*", False), ("org", True), ("ada@org", False)])
def test_a_server_further_up_is_the_operators_only_where_it_is_named(named: str, own: bool) -> None:
    servers = Servers(EXAMPLE)
    servers.house.wing.users = Users(frozenset((named,)))
    assert servers.uploads.own("org") is own


async def test_a_file_that_is_too_large_is_not_asked_for() -> None:
    servers = Servers(EXAMPLE)
    way = (await servers.uploads.ways("ada@example.org"))[-1]
    asked = len(servers.asked)
    with pytest.raises(LegacyError) as caught:
        await servers.uploads.slot(way, "x", 5242881, "")
    assert caught.value.condition == "not-acceptable" and "5 MB" in caught.value.text and len(servers.asked) == asked


async def test_a_refusal_is_not_asked_for_again_and_again() -> None:
    servers = Servers({**EXAMPLE, ("upload.example.org", "request"): None})
    assert await servers.uploads.origins("ada@example.org") == frozenset()
    asked = len(servers.asked)
    assert await servers.uploads.origins("ada@example.org") == frozenset()
    assert len(servers.asked) == asked


async def test_names_and_types_cannot_leave_the_request() -> None:
    servers = Servers(EXAMPLE)
    way = (await servers.uploads.ways("ada@example.org"))[-1]
    assert (await servers.uploads.slot(way, "'/><x>\x00", 1, "a'b<")).get == GET


async def test_many_servers_are_forgotten() -> None:
    servers = Servers({})
    for number in range(uploads.SERVERS + 10):
        servers.uploads._server(f"s{number}.example")
    assert len(servers.uploads._servers) == uploads.SERVERS


