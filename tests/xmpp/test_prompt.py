"""Adding contacts by what people call them (XEP-0100 6.3), in every way of writing it; disco#info of any address of ours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.far import DOMAIN, FarBridge, House, condition, words
from tests.xmpp.caller import Caller
from transports import catalogs, contacts
from transports.describe import Description, Field, Prompt, Registration
from transports.errors import LegacyError
from transports.events import Address, Known
from transports.ports import Identity
from transports.words import CATALOGS, say
from transports.xmpp.address import jid_of, parse

NS = "{jabber:iq:gateway}"
INFO = "{http://jabber.org/protocol/disco#info}"
ADA = "ada@example.org"
DESK = f"{ADA}/desk"
FOO = Address("person", "foobar")
SCREEN_NAME = Prompt("Contact ID", "Please enter the AOL Screen Name of the person you would like to contact.")


class Aim(FarBridge):
    """Screen names: letters and digits, blanks and case of no meaning; mail addresses too."""

    prompt = SCREEN_NAME

    def describe(self, user: str) -> Description:
        return Description(self.prompt, Registration((Field("username", "Name"),), required=False))

    def contact(self, user: str, text: str) -> Address:
        name = text.replace(" ", "").lower()
        local, at, domain = name.rpartition("@")
        if at and local and domain.replace(".", "").isalnum():
            return Address("person", name)
        if not name.isascii() or not name.isalnum():
            raise LegacyError("item-not-found", f"“{text}” is no screen name.")
        return Address("person", name)


class Scene(House):
    def __init__(self, bridge: FarBridge | None = None) -> None:
        super().__init__(bridge=bridge or Aim())

    def asked(self, kind: str, inner: str = "", to: str = DOMAIN, lang: str = "", sender: str = DESK) -> ET.Element:
        """The answer to an iq: it is there when `stanza` returns."""
        said = f" xml:lang='{lang}'" if lang else ""
        query = f"<query xmlns='jabber:iq:gateway'>{inner}</query>"
        self.stanza(f"<iq type='{kind}' to='{to}' from='{sender}' id='gate1'{said}>{query}</iq>")
        (answer,) = self.sent()
        return answer

    def jid(self, typed: str) -> str:
        """The JID of what was typed, '' when it is an error."""
        prompt = ET.Element("prompt")
        prompt.text = typed
        answer = self.asked("set", ET.tostring(prompt, encoding="unicode"))
        assert answer.get("type") == "result" or words(answer)
        return answer.findtext(f"{NS}query/{NS}jid") or ""


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    catalogs.load()
    yield
    CATALOGS.clear()


# XEP-0100 6.3 ---------------------------------------------------------------------------------------------------------


def test_xep_0100_prompt() -> None:
    answer = Scene().asked("get")
    assert (answer.get("type"), answer.get("from"), answer.get("to"), answer.get("id")) == ("result", DOMAIN, DESK, "gate1")
    query = answer.find(f"{NS}query")
    assert query is not None
    assert [(child.tag, child.text) for child in query] == [
        (f"{NS}desc", SCREEN_NAME.help),
        (f"{NS}prompt", "Contact ID"),
    ]


def test_xep_0100_address() -> None:
    query = Scene().asked("set", "<prompt>Foo Bar</prompt>").find(f"{NS}query")
    assert query is not None
    assert [(child.tag, child.text) for child in query] == [
        (f"{NS}jid", f"foobar@{DOMAIN}"),
        (f"{NS}prompt", f"foobar@{DOMAIN}"),
    ]


def test_a_bridge_without_help_has_no_desc() -> None:
    query = Scene(FarBridge()).asked("get").find(f"{NS}query")
    assert query is not None and [child.tag for child in query] == [f"{NS}prompt"]


def test_in_the_users_language() -> None:
    bridge = Aim()
    bridge.prompt = Prompt(say("prompt.name"), say("prompt.nothing"))
    assert Scene(bridge).asked("get", lang="de").findtext(f"{NS}query/{NS}desc") == "Sage, welche Adresse du meinst."
    assert words(Scene().asked("set", "<prompt/>", lang="de")) == "Sage, welche Adresse du meinst."


@pytest.mark.parametrize(
    ("typed", "local"),
    [
        ("foobar", "foobar"),
        ("  Foo Bar\n", "foobar"),
        ("foo@example.com", r"foo\40example.com"),
        ("Foo@Example.com", r"foo\40example.com"),
        # as clients without jabber:iq:gateway write it (XEP-0106, and the older %)
        (r"foo\40example.com", r"foo\40example.com"),
        ("foo%example.com", r"foo\40example.com"),
        # as it stands in a contact list
        (f"foobar@{DOMAIN}", "foobar"),
        (f"FooBar@{DOMAIN.upper()}", "foobar"),
        (f"foobar@{DOMAIN}/phone", "foobar"),
        (f"xmpp:foobar@{DOMAIN}", "foobar"),
        (rf"foo\40example.com@{DOMAIN}", r"foo\40example.com"),
        (f"foo%example.com@{DOMAIN}", r"foo\40example.com"),
    ],
)
def test_every_way_of_writing_an_address(typed: str, local: str) -> None:
    assert Scene().jid(typed) == f"{local}@{DOMAIN}"


class Irc(FarBridge):
    """Names with a % of their own, and no @."""

    def contact(self, user: str, text: str) -> Address:
        if "@" in text or "%" not in text:
            raise LegacyError("jid-malformed", "Which network?")
        return Address("room" if text[0] == "#" else "person", text.lower())


@pytest.mark.parametrize(
    ("typed", "jid"),
    [
        ("Bob%irc.example.net", f"bob%irc.example.net@{DOMAIN}"),
        (f"bob%irc.example.net@{DOMAIN}", f"bob%irc.example.net@{DOMAIN}"),
        ("#chan%irc.example.net", f"#chan%irc.example.net@{DOMAIN}"),
        (r"a\20b%irc.example.net", rf"a\5c20b%irc.example.net@{DOMAIN}"),  # what the bridge takes as typed, stays as typed
        ("bob@irc.example.net", ""),
        ("bob", ""),
    ],
)
def test_a_percent_that_the_bridge_understands_stays_one(typed: str, jid: str) -> None:
    assert Scene(Irc()).jid(typed) == jid


@pytest.mark.parametrize(
    ("inner", "error", "said"),
    [
        ("<prompt>no/thing</prompt>", "item-not-found", "“no/thing” is no screen name."),
        ("<prompt>no%thing!</prompt>", "item-not-found", "“no%thing!” is no screen name."),
        (f"<prompt>no%thing!@{DOMAIN}</prompt>", "item-not-found", "“no%thing!” is no screen name."),
        ("<prompt/>", "not-acceptable", "Say which address you mean."),
        ("<prompt> \n </prompt>", "not-acceptable", "Say which address you mean."),
        (f"<prompt>{DOMAIN}</prompt>", "not-acceptable", "This is the gateway itself."),
        (f"<prompt>{DOMAIN}/x</prompt>", "not-acceptable", "This is the gateway itself."),
        ("<prompt>%s</prompt>" % ("a" * 1_024), "jid-malformed", "This is too long for an address."),
        ("<prompt>%s</prompt>" % ("a" * 50_000), "not-acceptable", "This is too long for an address."),
        ("", "bad-request", "Say which address you mean."),
        ("<prompt>a</prompt><prompt>b</prompt>", "bad-request", "Say which address you mean."),
        ("<prompt><prompt>a</prompt></prompt>", "bad-request", "Say which address you mean."),
        ("<jid>a</jid>", "bad-request", "Say which address you mean."),
    ],
)
def test_what_is_no_address_is_refused_with_words(inner: str, error: str, said: str) -> None:
    answer = Scene().asked("set", inner)
    assert (condition(answer), words(answer)) == (error, said)


@pytest.mark.parametrize("to", [f"bob@{DOMAIN}", f"#c@{DOMAIN}", f"#c@{DOMAIN}/bob", f"desk@{DOMAIN}"])
def test_elsewhere_nothing_is_looked_up(to: str) -> None:
    for kind, inner in (("get", ""), ("set", "<prompt>foo</prompt>")):
        answer = Scene().asked(kind, inner, to)
        assert condition(answer) == "service-unavailable" and DOMAIN in words(answer)


def test_a_stranger_may_not_even_ask() -> None:
    for kind, inner in (("get", ""), ("set", "<prompt>foo</prompt>")):
        assert condition(Scene().asked(kind, inner, sender="eve@evil.example/x")) == "forbidden"


def test_who_must_register_is_told_so_and_may_read_the_prompt() -> None:
    class Closed(Aim):
        def describe(self, user: str) -> Description:
            return Description(SCREEN_NAME, Registration((Field("username", "Name"),), required=True))

    scene = Scene(Closed())
    assert scene.asked("get").get("type") == "result"
    answer = scene.asked("set", "<prompt>foo</prompt>")
    assert condition(answer) == "registration-required" and "register" in words(answer)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_jid_of_ours_or_words(typed: str) -> None:
    scene = Scene(FarBridge())
    try:
        address = scene.desk.prompt.resolve(ADA, typed)
    except LegacyError as error:
        assert error.text
    else:
        jid = parse(jid_of(address.name, DOMAIN))
        assert jid.domain == DOMAIN and jid.local


# The command ----------------------------------------------------------------------------------------------------------


async def registered(bridge: FarBridge | None = None) -> tuple[Scene, Caller]:
    scene = Scene(bridge)
    await scene.desk.accounts.register(ADA, {})
    return scene, Caller(scene, DESK)


async def test_a_contact_is_added_by_command() -> None:
    scene, caller = await registered()
    await caller.execute("add")
    assert caller.fields == {"address": [], "name": []} and SCREEN_NAME.help in caller.text
    await caller.submit(address="Foo Bar", name="Foo")
    assert caller.status == "completed" and caller.text == f"Foo is among your contacts now, as foobar@{DOMAIN}."
    assert [(contact.address, contact.name) for contact in scene.desk.contacts.of(ADA)] == [(FOO, "Foo")]
    (asked,) = scene.sent()
    assert (asked.get("type"), asked.get("from"), asked.get("to")) == ("subscribe", f"foobar@{DOMAIN}", ADA)


async def test_what_one_adds_oneself_comes_into_the_contact_list_of_who_wants_nobody_else_there() -> None:
    scene, caller = await registered()
    await scene.desk.accounts.prefer(ADA, {"roster": False})
    scene.desk.roster.tell(ADA, Known(Address("person", "eve")))
    assert scene.sent() == []
    await caller.execute("add")
    await caller.submit(address="Foo Bar", name="")
    assert [stanza.get("from") for stanza in scene.sent()] == [f"foobar@{DOMAIN}"]


async def test_who_has_too_many_contacts_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MOST", 1)
    scene, caller = await registered()
    scene.desk.contacts.put(ADA, contacts.Contact(Address("person", "eve")))
    await caller.execute("add")
    await caller.submit(address="Foo Bar", name="")
    assert "keeps no more" in caller.text and scene.desk.contacts.get(ADA, FOO) is None


async def test_what_is_wrong_with_an_address_is_said_at_the_field_and_asked_again() -> None:
    _, caller = await registered(Irc())
    await caller.execute("add")
    for typed, said in (("bob", "Which network?"), ("#c%net", f"join it instead: #c%net@{DOMAIN}"), ("", "needed")):
        await caller.submit(address=typed, name="")
        assert caller.status == "executing" and said in caller.text
    await caller.submit(address="bob%net", name="")
    assert caller.status == "completed" and f"bob%net@{DOMAIN}" in caller.text


async def test_a_server_is_no_contact() -> None:
    _, caller = await registered(FarBridge())
    await caller.execute("add")
    await caller.submit(address="desk")
    assert "This is a server" in caller.text


async def test_only_who_is_registered_has_contacts() -> None:
    caller = await Caller(Scene(), DESK).execute("add")
    assert caller.refused == "forbidden"


# disco#info (XEP-0030) ------------------------------------------------------------------------------------------------

USUAL = ["", "desk", "#c", "#never-seen", "bob", "nobody-knows-me", "+15551234567"]
HOSTILE = ["no!thing", "a\\", r"\40", r"\u{1f600}", r"\u{}", r"\u{110000}", "%", "#", "##c", "a" * 1_023, "ü", "中文", "☃"]


@pytest.mark.parametrize("place", [*USUAL, *HOSTILE])
@pytest.mark.parametrize("resource", ["", "/phone", "/☃"])
def test_disco_info_of_any_address_is_answered_at_once(place: str, resource: str) -> None:
    scene = Scene(FarBridge())
    to = parse(f"{place}@{DOMAIN}{resource}" if place else f"{DOMAIN}{resource}")
    asked = ET.Element("iq", {"type": "get", "from": DESK, "to": to.full, "id": "d1"})
    ET.SubElement(asked, "query", xmlns="http://jabber.org/protocol/disco#info")
    scene.stanza(ET.tostring(asked, encoding="unicode"))
    (answer,) = scene.sent()  # no loop has run, nothing of the far side was asked
    assert (answer.get("to"), answer.get("id")) == (DESK, "d1")
    if answer.get("type") == "error":
        assert condition(answer) == "jid-malformed" and words(answer) and place == "no!thing"
    else:
        assert answer.find(f"{INFO}query/{INFO}identity") is not None
    assert scene.bridge.sessions == {}


def test_the_gateway_says_that_one_can_register_and_add_contacts() -> None:
    scene = Scene()
    for to, there in ((DOMAIN, True), (f"bob@{DOMAIN}", False), (f"#c@{DOMAIN}", False)):
        scene.stanza(f"<iq type='get' from='{DESK}' to='{to}' id='1'><query xmlns='{INFO[1:-1]}'/></iq>")
        (answer,) = scene.sent()
        features = {feature.get("var") for feature in answer.iter(f"{INFO}feature")}
        assert ({"jabber:iq:register", "jabber:iq:gateway"} <= features) is there
        assert there or not {"jabber:iq:register", "jabber:iq:gateway"} & features


@pytest.mark.parametrize("own", ["gateway", "conference"])
def test_a_gateway_is_one_thing_but_once(own: str) -> None:
    """XEP-0115 3.6: an answer that has an identity twice is ill-formed. Gajim then takes the gateway for a contact."""
    bridge = Aim()
    bridge.identity = lambda address: Identity(own, bridge.kind, "Far")  # type: ignore[method-assign]
    scene = Scene(bridge)
    scene.stanza(f"<iq type='get' from='{DESK}' to='{DOMAIN}' id='1'><query xmlns='{INFO[1:-1]}'/></iq>")
    (answer,) = scene.sent()
    found = [(one.get("category"), one.get("type")) for one in answer.iter(f"{INFO}identity")]
    assert sorted(found) == sorted({(own, bridge.kind), ("gateway", bridge.kind)})
