"""Who hears whom, and how a contact is there: RFC 6121 3 and 4, XEP-0100; the gateway's coming and going."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.far import DOMAIN, condition, words
from tests.xmpp.realm import ADA, BOB, DESK, short
from tests.xmpp.rosters import (
    BOBBY,
    CAPS,
    CAROL,
    EVE,
    MUTUAL,
    NICK,
    PEOPLE,
    SERVICE,
    Scene,
)
from tests.xmpp.test_disco import heard_in
from transports import catalogs, contacts
from transports.accounts import Account
from transports.contacts import Contact
from transports.describe import Status
from transports.errors import LegacyError
from transports.events import Address, Changed, Forgotten, Known, Seen
from transports.words import CATALOGS, say


@pytest.fixture
def scene() -> Scene:
    return Scene()


# The user's side: RFC 6121 3 ------------------------------------------------------------------------------------------


async def test_xep_0100_add_contact(scene: Scene) -> None:
    """Section 5.1: subscribed, presence, and the contact wants to hear the user, too."""
    scene.says("subscribe")
    subscribed, presence, subscribe = scene.sent()
    assert (subscribed.get("type"), subscribed.get("from"), subscribed.get("to")) == ("subscribed", BOB, ADA)
    assert (presence.get("type"), presence.get("from"), presence.get("to")) == (None, f"{BOB}/far", ADA)
    assert (subscribe.get("type"), subscribe.get("from"), subscribe.get("to")) == ("subscribe", BOB, ADA)
    assert subscribe.findtext(NICK) == "Bob" and "Bob" in (subscribe.findtext("status") or "")
    assert scene.flags() == "hears asked"
    scene.says("subscribed")
    assert scene.out == [] and scene.flags() == "hears heard"


async def test_xep_0100_delete_contact(scene: Scene) -> None:
    """Section 5.2: both ways end, and the contact is forgotten."""
    scene.has(Contact(BOBBY, hears=True, heard=True))
    scene.says("unsubscribe")
    assert scene.short() == ["unsubscribed bob > ada", "unavailable bob/far > ada"]
    assert scene.flags() == "heard"
    scene.says("unsubscribed")
    scene.says("unavailable", sender=DESK)
    assert scene.short() == [] and scene.flags() == "none"


#: (flags before, what came, what goes out, flags after)
STATES = [
    ("", "subscribe", ["subscribed", "here", "subscribe"], "hears asked"),
    ("asked", "subscribe", ["subscribed", "here"], "hears asked"),
    ("heard", "subscribe", ["subscribed", "here"], "hears heard"),
    ("hears heard", "subscribe", ["subscribed", "here"], "hears heard"),
    ("", "subscribed", [], "none"),
    ("asked", "subscribed", [], "heard"),
    ("hears asked", "subscribed", [], "hears heard"),
    ("hears", "subscribed", [], "hears"),
    ("hears heard", "subscribed", [], "hears heard"),
    ("", "unsubscribe", [], "none"),
    ("hears", "unsubscribe", ["unsubscribed", "unavailable"], "none"),
    ("hears asked", "unsubscribe", ["unsubscribed", "unavailable"], "none"),
    ("hears heard", "unsubscribe", ["unsubscribed", "unavailable"], "heard"),
    ("heard", "unsubscribe", [], "heard"),
    ("", "unsubscribed", [], "none"),
    ("asked", "unsubscribed", [], "asked"),
    ("heard", "unsubscribed", [], "none"),
    ("hears heard", "unsubscribed", [], "hears asked"),
    ("hears", "unsubscribed", [], "hears asked"),
    ("hears asked", "unsubscribed", [], "hears asked"),
    ("", "probe", ["unsubscribed"], "none"),
    ("heard", "probe", ["unsubscribed"], "heard"),
    ("asked", "probe", ["unsubscribed"], "asked"),
    ("hears", "probe", ["here"], "hears"),
    ("hears heard", "probe", ["here"], "hears heard"),
    ("hears blocked", "probe", ["unavailable"], "hears blocked"),
    ("hears blocked", "subscribe", ["subscribed", "unavailable"], "hears blocked"),
    ("hears heard blocked", "unsubscribe", ["unsubscribed", "unavailable"], "heard blocked"),
    ("heard blocked", "unsubscribed", [], "blocked"),
    ("hears heard", "error", [], "hears heard"),
    ("asked", "error", [], "asked"),
    ("hears heard", "", [], "hears heard"),
    ("hears heard", "unavailable", [], "hears heard"),
    ("", "", [], "none"),
    ("hears", "nonsense", [], "hears"),
]


@pytest.mark.parametrize(("before", "came", "goes", "after"), STATES)
async def test_the_states_of_a_subscription(before: str, came: str, goes: list[str], after: str) -> None:
    scene = Scene()
    if before:
        scene.has(Contact(BOBBY, **dict.fromkeys(before.split(), True)))  # type: ignore[arg-type]
    scene.says(came)
    assert [line.partition(" ")[0] for line in scene.short()] == goes
    assert scene.flags() == after


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error", ""]), max_size=12
    )
)
async def test_nothing_we_say_is_a_reason_to_say_it_again(kinds: list[str]) -> None:
    """No loop is possible: what answers is never what is answered, and states have an end."""
    scene = Scene()
    answers = {"subscribe": {"subscribed", "here", "subscribe"}, "unsubscribe": {"unsubscribed", "unavailable"}}
    for kind in kinds:
        scene.says(kind)
        said = [line.partition(" ")[0] for line in scene.short()]
        assert set(said) <= (answers.get(kind) or ({"here", "unsubscribed"} if kind == "probe" else set()))
        assert len(said) == len(set(said))


async def test_the_gateway_is_there_for_whoever_may_use_it() -> None:
    scene = Scene()
    for kind, wanted in (
        ("probe", ["here"]),
        ("unsubscribe", ["unsubscribed", "unavailable"]),
        ("subscribe", ["subscribed", "here"]),
    ):
        scene.says(kind, DOMAIN, EVE)
        assert scene.short() == [f"{each} gateway > eve" for each in wanted]
    assert scene.desk.contacts.of(EVE) == [Contact(SERVICE, hears=True)]  # who is not registered is not asked


@pytest.mark.parametrize("kind", ["subscribe", "probe"])
async def test_who_must_register_first_is_told_so(kind: str) -> None:
    scene = Scene()
    scene.far.required = True
    scene.says(kind, BOB, EVE)
    sent = scene.sent()
    assert short(sent[-1]) == "unsubscribed bob > eve" and scene.desk.contacts.of(EVE) == []
    if kind == "subscribe":
        assert condition(sent[0]) == "registration-required" and "register" in words(sent[0])
    scene.says(kind, DOMAIN, EVE)
    assert "not registered" in (scene.sent()[-1].findtext("status") or "")


async def test_an_address_that_is_none_is_refused_with_words_and_forgotten_by_the_server(scene: Scene) -> None:
    to = f"no!such@{DOMAIN}"
    scene.says("subscribe", to)
    refused, unsubscribed = scene.sent()
    assert condition(refused) == "jid-malformed" and words(refused)
    assert short(unsubscribed) == "unsubscribed no!such > ada"
    scene.says("probe", to)
    assert scene.short() == ["unsubscribed no!such > ada"]
    for kind in ("unsubscribe", "unsubscribed", "subscribed", "unavailable"):
        scene.says(kind, to)
    assert scene.out == []


async def test_an_address_under_another_name_is_offered_under_its_own(scene: Scene) -> None:
    """What the contact says comes from its own address; a roster item with another would stay silent."""
    scene.far.address = lambda name: Address("person", name.replace(" ", "")) if name else SERVICE  # type: ignore[method-assign]
    scene.says("subscribe", f"bo\\20b@{DOMAIN}")
    subscribe, refused, unsubscribed = scene.sent()
    assert condition(refused) == "gone" and short(subscribe) == "subscribe bob > ada" and BOB in words(refused)
    assert short(unsubscribed) == "unsubscribed bo\\20b > ada"


@pytest.mark.parametrize("kind", ["subscribe", "probe"])
async def test_a_room_is_no_contact(scene: Scene, kind: str) -> None:
    scene.says(kind, f"#c@{DOMAIN}")
    (answer,) = scene.sent()
    assert answer.get("type") == "unsubscribed" and scene.desk.contacts.of(ADA) == []


async def test_contacts_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MOST", 2)
    for name in ("bob", "carol", "dave"):
        scene.out.clear()
        scene.says("subscribe", f"{name}@{DOMAIN}")
    refused, unsubscribed = scene.sent()
    assert condition(refused) == "resource-constraint" and "2" in words(refused)
    assert short(unsubscribed) == "unsubscribed dave > ada"
    scene.tell(Known(PEOPLE[4], "Frank"))  # contained
    assert scene.out == [] and len(scene.desk.contacts.of(ADA)) == 2


# How a contact is there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [BOB, DOMAIN])
async def test_caps_stand_for_what_disco_says_of_the_sender(scene: Scene, place: str) -> None:
    """XEP-0115 5.4; Cheogram throws away what does not match."""
    scene.has(Contact(BOBBY, hears=True))
    scene.says("probe", place, DESK)
    (presence,) = scene.sent()
    caps, sender = presence.find(CAPS), presence.get("from")
    assert caps is not None and presence.get("to") == DESK
    for node in ("", f" node='{caps.get('node')}#{caps.get('ver')}'"):
        query = f"<query xmlns='http://jabber.org/protocol/disco#info'{node}/>"
        scene.stanza(f"<iq type='get' id='1' from='{DESK}' to='{sender}'>{query}</iq>")
        (answer,) = scene.sent()
        assert heard_in(answer[0]) == caps.get("ver")


async def test_all_people_have_the_same_caps_so_that_clients_ask_once(scene: Scene) -> None:
    scene.has(*(Contact(person, hears=True) for person in PEOPLE))
    for person in PEOPLE:
        scene.says("probe", f"{person.name}@{DOMAIN}")
    assert len({stanza.find(CAPS).get("ver") for stanza in scene.sent()}) == 1  # type: ignore[union-attr]


SHOWN = [
    (Status(), (None, None, None)),
    (Status("away", "At lunch & <so on>"), (None, "away", "At lunch & <so on>")),
    (Status("dnd"), (None, "dnd", None)),
    (Status("unavailable", "Gone"), ("unavailable", None, "Gone")),
    (LegacyError("item-not-found", "Nobody"), ("unavailable", None, None)),
    (RuntimeError("a fault"), (None, None, None)),
]


@pytest.mark.parametrize(("there", "wanted"), SHOWN)
@pytest.mark.parametrize("address", [BOBBY, SERVICE])
async def test_a_presence_says_how_a_contact_is_there(
    address: Address, there: Status | Exception, wanted: tuple[str | None, ...]
) -> None:
    scene = Scene()
    scene.has(Contact(address, hears=True))
    scene.far.there[address.name] = there
    scene.says("probe", BOB if address.name else DOMAIN)
    (presence,) = scene.sent()
    assert (presence.get("type"), presence.findtext("show"), presence.findtext("status")) == wanted
    assert (presence.find(CAPS) is None) == (wanted[0] == "unavailable")


async def test_what_is_seen_is_told_to_those_who_hear(scene: Scene) -> None:
    scene.has(Contact(BOBBY, hears=True), Contact(CAROL, heard=True), Contact(PEOPLE[2], hears=True, blocked=True))
    scene.tell(*(Seen(person, "away", "Lunch") for person in PEOPLE))
    (presence,) = scene.sent()
    assert short(presence) == "away bob/far > ada" and presence.findtext("status") == "Lunch"
    scene.tell(Seen(BOBBY, "unavailable"), Seen(BOBBY, "no such show"), Seen(BOBBY))
    assert scene.short() == ["unavailable bob/far > ada", "here bob/far > ada", "here bob/far > ada"]
    scene.tell(Seen(SERVICE, "", "Connected"))  # whoever is registered hears the gateway
    assert scene.short() == ["here gateway > ada"]
    scene.roster.tell(EVE, Seen(SERVICE, "", "Connected"))
    assert scene.short() == []


async def test_a_changed_card_is_void_and_shown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    void: list[tuple[str, Address]] = []
    monkeypatch.setattr(scene.desk.profile, "changed", lambda user, address: void.append((user, address)))
    update = "<x xmlns='vcard-temp:x:update'><photo>abc</photo></x>"
    monkeypatch.setattr(scene.desk.profile, "update", lambda user, address: update)
    scene.has(Contact(BOBBY, hears=True))
    scene.tell(Changed(BOBBY), Changed(CAROL))
    (presence,) = scene.sent()
    assert presence.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo") == "abc"
    assert void == [(ADA, BOBBY), (ADA, CAROL)]


async def test_the_users_language_is_spoken() -> None:
    scene = Scene()
    scene.desk.accounts._accounts[ADA] = Account(ADA, 0.0, language="de")
    scene.far.required = True
    try:
        catalogs.load()
        scene.desk.roster.join(ADA)
        assert "registriert" in (scene.sent()[0].findtext("status") or "")
        scene.says("subscribe", f"#c@{DOMAIN}")
        assert "Raum" in (scene.sent()[0].findtext("status") or "")
        scene.far.there[""] = Status("", say("roster.room"))
        scene.says("probe", DOMAIN)
        assert "Raum" in (scene.sent()[0].findtext("status") or "")
    finally:
        CATALOGS.clear()


# Pushes: XEP-0356 4.5 ----------------------------------------------------------------------------------------------------


def push(scene: Scene, items: str, sender: str = ADA) -> str:
    """The answer: result, or the condition."""
    scene.stanza(
        f"<iq type='set' id='p1' from='{sender}' to='{DOMAIN}'><query xmlns='jabber:iq:roster'>{items}</query></iq>"
    )
    (answer,) = scene.sent()
    return condition(answer) or answer.get("type", "")


@pytest.mark.parametrize(
    ("subscription", "after"),
    [("remove", "none"), ("both", "hears heard"), ("to", "hears asked"), ("from", "heard"), ("none", "asked")],
)
async def test_a_push_says_what_is_in_the_roster_now(subscription: str, after: str) -> None:
    scene = Scene()
    scene.advert("roster=both")
    scene.has(Contact(BOBBY, "Bob", hears=True, heard=True))
    others = f"<item jid='romeo@example.org'/><item jid='no!such@{DOMAIN}'/><item jid='@'/><item/><item jid='carol@{DOMAIN}'/>"
    assert push(scene, f"<item jid='{BOB}' subscription='{subscription}'/>{others}") == "result"
    assert scene.flags() == after and scene.row(CAROL) is None


@pytest.mark.parametrize("sender", [DESK, EVE, "example.org"])
async def test_only_the_users_server_pushes(sender: str) -> None:
    scene = Scene("example.org")
    scene.has(Contact(BOBBY, hears=True, heard=True))
    remove = f"<item jid='{BOB}' subscription='remove'/>"
    assert push(scene, remove) == "forbidden"  # nothing is granted
    scene.advert("roster=set")
    assert push(scene, remove) == "forbidden"
    scene.advert("roster=both")
    push(scene, remove, sender)
    assert scene.flags() == "hears heard"


# The stream -----------------------------------------------------------------------------------------------------------------


async def test_when_the_stream_comes_all_who_hear_are_told_and_the_user_is_asked_for(scene: Scene) -> None:
    scene.far.there[""] = Status("", "Connected")
    scene.has(
        MUTUAL,
        Contact(BOBBY, hears=True, heard=True),
        Contact(CAROL, heard=True),
        Contact(PEOPLE[2], hears=True, blocked=True),
    )
    scene.has(Contact(SERVICE, hears=True), user=EVE)
    scene.has(Contact(BOBBY, blocked=True), user="mute@example.org")
    scene.has(Contact(SERVICE, hears=True), user="mallory@foreign.example")  # may not use it any more
    scene.roster.connected()
    assert await scene.settle() == [
        "here gateway > ada",
        "probe gateway > ada",
        "here bob/far > ada",
        "here gateway > eve",
    ]


async def test_the_news_of_a_start_is_paced(scene: Scene) -> None:
    slept: list[float] = []
    scene.roster.crowd._sleep = lambda seconds: _note(slept, seconds)  # type: ignore[method-assign]
    scene.has(*(Contact(Address("person", f"p{number}"), hears=True) for number in range(1_000)))
    scene.roster.connected()
    told = []
    for _ in range(200):
        await asyncio.sleep(0)
        told.append(len(scene.short()))
    assert sum(told) == 1_001 and max(told) <= 100
    assert 0.5 < sum(slept[-1:]) <= 1.0  # a thousand a second: the last waited nearly that long


async def _note(slept: list[float], seconds: float) -> None:
    slept.append(seconds)
    await asyncio.sleep(0)


async def test_another_stream_begins_anew_and_a_stream_that_does_not_keep_up_is_waited_for(scene: Scene) -> None:
    scene.has(Contact(BOBBY, hears=True))
    scene.wing.paused = True
    scene.roster.crowd._sleep = lambda seconds: _note([], seconds)  # type: ignore[method-assign]
    scene.roster.connected()
    scene.roster.connected()
    assert await scene.settle() == []
    scene.wing.paused = False
    assert await scene.settle() == ["here gateway > ada", "here bob/far > ada"]


async def test_after_a_restart_it_goes_on_with_what_is_missing_once_the_server_has_spoken(scene: Scene) -> None:
    scene.has(MUTUAL, Contact(BOBBY, "Bob"), Contact(CAROL, asked=True), Contact(PEOPLE[2], blocked=True))
    scene.roster.connected()
    assert await scene.settle() == [
        "here gateway > ada",
        "probe gateway > ada",
    ]  # the server may still say that it lets us
    scene.advert("roster=both")
    assert await scene.settle() == ["here bob/far > ada"]
    assert list(scene.rosters[ADA]) == [BOB]


async def test_or_when_it_has_said_nothing_for_a_while(scene: Scene) -> None:
    scene.has(Contact(BOBBY, "Bob"))
    scene.roster.connected()
    assert await scene.settle() == ["here gateway > ada"]
    scene.passes(1.9)
    assert await scene.settle() == []
    scene.passes(0.2)
    assert await scene.settle() == ["subscribe bob > ada"]


async def test_when_the_gateway_stops_it_says_goodbye(scene: Scene) -> None:
    scene.has(
        MUTUAL,
        Contact(BOBBY, hears=True, heard=True),
        Contact(CAROL, heard=True),
        Contact(PEOPLE[2], hears=True, blocked=True),
    )
    scene.has(Contact(SERVICE, hears=True), user=EVE)
    scene.tell(*(Known(person) for person in PEOPLE[3:]))
    scene.out.clear()
    scene.roster.closing()
    scene.passes(100)
    assert scene.short() == ["unavailable gateway > ada", "unavailable gateway > eve", "unavailable bob/far > ada"]


async def test_what_a_bridge_tells_while_it_stops_comes_too_late(scene: Scene) -> None:
    scene.has(MUTUAL, Contact(BOBBY, hears=True, heard=True))
    scene.roster.closing()
    scene.out.clear()
    scene.tell(Seen(SERVICE, "", "No networks"), Seen(BOBBY), Changed(BOBBY))
    assert scene.out == []


async def test_goodbyes_are_bounded_but_the_gateways_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.xmpp.roster._GOODBYES", 2)
    scene.has(*(Contact(person, hears=True) for person in PEOPLE))
    scene.has(Contact(SERVICE, hears=True), user=EVE)
    scene.roster.closing()
    assert len(scene.short()) == 4


async def test_a_server_that_is_a_contact_speaks_under_its_own_name(scene: Scene) -> None:
    """Rooms' servers are no people and have no client."""
    scene.says("subscribe", f"desk@{DOMAIN}")
    assert scene.short()[:2] == ["subscribed desk > ada", "here desk > ada"]


async def test_news_of_a_contact_never_fails(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.far, "identity", lambda address: 1 / 0)
    scene.has(Contact(BOBBY, hears=True))
    scene.tell(Known(CAROL), Seen(BOBBY), Changed(BOBBY), Forgotten(BOBBY))
    assert scene.flags() == "none"
