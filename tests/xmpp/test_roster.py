"""Contacts in a user's roster: how they come there and go, who hears whom, how they are there (RFC 6121 3 and 4, XEP-0100)."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.far import DOMAIN, FarBridge, condition, words
from tests.xmpp.realm import ADA, BOB, DESK, Item, Realm, short
from tests.xmpp.test_disco import heard_in
from transports import catalogs, contacts
from transports.accounts import Account
from transports.contacts import Contact
from transports.describe import Description, Prompt, Registration, Status
from transports.errors import LegacyError
from transports.events import Address, Changed, Forgotten, Known, Seen
from transports.ports import Identity
from transports.words import CATALOGS, say
from transports.xmpp.roster import Roster

SERVICE = Address("service", "")
PEOPLE = [Address("person", name) for name in ("bob", "carol", "dave", "erin", "frank", "grace")]
BOBBY, CAROL = PEOPLE[:2]
PHONE = f"{ADA}/phone"
EVE = "eve@example.org"
NICK = "{http://jabber.org/protocol/nick}nick"
CAPS = "{http://jabber.org/protocol/caps}c"
ROSTERX = "http://jabber.org/protocol/rosterx"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
#: Both subscriptions of the gateway itself.
MUTUAL = Contact(SERVICE, hears=True, heard=True)


class Bridge(FarBridge):
    """`there`: how people are there; the gateway's own under ''."""

    required = False

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, Status | Exception] = {}

    def identity(self, address: Address) -> Identity:
        if address == SERVICE:
            return Identity("gateway", "far", "The Far Side")
        return Identity("account", "registered", address.name.title())

    def describe(self, user: str) -> Description:
        return Description(Prompt("Name"), Registration(required=self.required))

    def status(self, user: str) -> Status:
        return self.presence(user, SERVICE)

    def presence(self, user: str, address: Address) -> Status:
        found = self.there.get(address.name, Status())
        if isinstance(found, Exception):
            raise found
        return found


class Scene(Realm):
    """Time passes when the test says so."""

    def __init__(self, *users: str) -> None:
        self.far = Bridge()
        super().__init__(*users, bridge=self.far)
        self.now = 1_000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.desk.roster = Roster(
            self.desk, lambda: self.now, lambda delay, call: self.timers.append((self.now + delay, call))
        )
        self.wing.services = {**self.wing.services, **self.desk.roster.table}
        self.roster = self.desk.roster

    def passes(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= end]:
            timer = min(due, key=lambda timer: timer[0])
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = end

    def short(self) -> list[str]:
        return list(map(short, self.sent()))

    def row(self, address: Address = BOBBY, user: str = ADA) -> Contact | None:
        return self.desk.contacts.get(user, address)

    def has(self, *rows: Contact, user: str = ADA) -> None:
        for row in rows:
            self.desk.contacts.put(user, row)

    def tell(self, *facts: Known | Seen | Changed | Forgotten) -> None:
        for fact in facts:
            self.roster.tell(ADA, fact)

    def flags(self, address: Address = BOBBY) -> str:
        """`hears heard`, as the row has it; `none` where there is no row."""
        row = self.row(address)
        return (
            "none"
            if row is None
            else " ".join(flag for flag in ("hears", "heard", "asked", "blocked") if getattr(row, flag))
        )


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
    ("hears heard", "unsubscribed", [], "hears"),
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


# Into the roster, with the privilege: XEP-0356 4 ---------------------------------------------------------------------------


async def test_with_the_privilege_registering_is_all_there_is_to_do(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.roster.join(ADA)
    assert await scene.settle() == ["here gateway > ada"]
    assert scene.rosters[ADA] == {DOMAIN: Item("The Far Side", ("The Far Side",), "both")}
    assert scene.row(SERVICE) == MUTUAL


async def test_known_contacts_stand_in_the_roster_with_name_and_groups(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.tell(Known(BOBBY, "Bob <3", ["Friends", "The Far Side", " ", "Friends"]), Known(CAROL))
    assert await scene.settle() == ["here bob/far > ada", "here carol/far > ada"]
    assert scene.rosters[ADA] == {
        BOB: Item("Bob <3", ("The Far Side", "Friends"), "both"),
        f"carol@{DOMAIN}": Item("Carol", ("The Far Side",), "both"),
    }
    assert scene.flags() == scene.flags(CAROL) == "hears heard"
    before = len(scene.asked)
    scene.tell(Known(BOBBY, "Bob <3", ["Friends", "The Far Side", " ", "Friends"]))  # as after each start of a bridge
    assert await scene.settle() == [] and len(scene.asked) == before


async def test_what_the_user_made_of_a_contact_stays(scene: Scene) -> None:
    scene.rosters[ADA] = {BOB: Item("My Bob", ("Family",), "to"), f"carol@{DOMAIN}": Item("", (), "none")}
    scene.advert("roster=both")
    scene.says("subscribe")
    scene.tell(Known(CAROL, "Carol"))
    await scene.settle()
    assert scene.rosters[ADA] == {
        BOB: Item("My Bob", ("Family",), "both"),
        f"carol@{DOMAIN}": Item("Carol", ("The Far Side",), "both"),
    }
    assert scene.flags() == "hears heard"


async def test_a_new_name_replaces_ours_but_never_the_users(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.tell(Known(BOBBY, "Bob"), Known(CAROL, "Carol", ["Work"]))
    await scene.settle()
    scene.rosters[ADA][f"carol@{DOMAIN}"] = Item("Mum", ("Family",), "both")
    scene.tell(Known(BOBBY, "Robert", ["Work"]), Known(CAROL, "Caroline", ["Work"]))
    assert await scene.settle() == []
    assert scene.rosters[ADA] == {
        BOB: Item("Robert", ("The Far Side", "Work"), "both"),
        f"carol@{DOMAIN}": Item("Mum", ("Family",), "both"),
    }


async def test_without_the_right_to_read_a_roster_what_the_user_named_is_not_written_over(scene: Scene) -> None:
    scene.rosters[ADA] = {BOB: Item("My Bob", ("Family",), "to")}
    scene.advert("roster=set")
    scene.says("subscribe")
    scene.tell(Known(CAROL, "Carol"))
    await scene.settle()
    assert scene.rosters[ADA] == {
        BOB: Item("My Bob", ("Family",), "to"),
        f"carol@{DOMAIN}": Item("Carol", ("The Far Side",), "both"),
    }
    assert scene.flags() == "hears asked" and scene.flags(CAROL) == "hears heard"


async def test_forgotten_contacts_go_out_of_the_roster(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.tell(Known(BOBBY, "Bob"))
    await scene.settle()
    scene.tell(Forgotten(BOBBY), Forgotten(CAROL), Forgotten(SERVICE))
    assert await scene.settle() == ["unavailable bob/far > ada"]
    assert scene.rosters[ADA] == {} and scene.flags() == "none"


async def test_a_contact_that_goes_while_it_comes_is_gone_in_the_end(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.tell(Known(BOBBY, "Bob"))
    await asyncio.sleep(0)  # the roster is being asked for
    scene.tell(Forgotten(BOBBY))
    scene.tell(Known(CAROL, "Carol"), Forgotten(CAROL), Known(CAROL, "Caroline"))
    await scene.settle()
    assert list(scene.rosters[ADA].values()) == [Item("Caroline", ("The Far Side",), "both")]


async def test_unregistering_empties_the_roster(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.rosters[ADA] = {"romeo@example.org": Item("Romeo", (), "both")}
    scene.roster.join(ADA)
    scene.tell(Known(BOBBY, "Bob"))
    await scene.settle()
    await scene.desk.unregister(ADA)
    assert sorted(await scene.settle()) == ["unavailable bob/far > ada", "unavailable gateway > ada"]
    assert scene.rosters[ADA] == {"romeo@example.org": Item("Romeo", (), "both")}
    assert scene.desk.contacts.of(ADA) == []


async def test_who_registers_again_at_once_is_there_in_the_end(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.roster.join(ADA)
    scene.tell(Known(BOBBY, "Bob"))
    await scene.settle()
    scene.roster.leave(ADA)
    scene.desk.contacts.forget(ADA)
    scene.roster.join(ADA)
    await scene.settle()
    assert list(scene.rosters[ADA]) == [DOMAIN] and scene.flags(SERVICE) == "hears heard"


# Where a server fails: COMPAT -----------------------------------------------------------------------------------------------


async def test_a_server_that_fails_at_roster_sets_has_its_users_asked(scene: Scene) -> None:
    """ejabberd 23.01 grants what ends with internal-server-error."""
    scene.fails = "internal-server-error"
    scene.advert("roster=both", version=1)
    scene.roster.join(ADA)
    scene.tell(Known(BOBBY, "Bob"), Known(CAROL, "Carol"))
    assert await scene.settle() == ["subscribe gateway > ada", "subscribe bob > ada", "subscribe carol > ada"]
    assert [iq.get("type") for iq in scene.asked].count("set") == 1
    scene.has(Contact(BOBBY, hears=True, heard=True))
    scene.tell(Forgotten(BOBBY))
    assert await scene.settle() == ["unavailable bob/far > ada", "unsubscribe bob > ada", "unsubscribed bob > ada"]


async def test_a_server_whose_roster_sets_subscribe_nobody_has_its_users_asked_beside(scene: Scene) -> None:
    scene.flat = True
    scene.advert("roster=both")
    scene.tell(Known(BOBBY, "Bob"), Known(CAROL, "Carol"))
    assert await scene.settle() == ["subscribe bob > ada", "subscribe carol > ada"]
    assert scene.rosters[ADA][BOB] == Item("Bob", ("The Far Side",), "none")
    assert scene.flags() == "asked"


async def test_one_item_that_is_refused_is_asked_for_and_the_others_are_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.advert("roster=both")
    answer = scene._roster

    def roster(iq: ET.Element, query: ET.Element, user: str) -> None:
        if "bob@" in ET.tostring(query, encoding="unicode"):
            return scene.error(iq, "not-acceptable")
        return answer(iq, query, user)

    monkeypatch.setattr(scene, "_roster", roster)
    scene.tell(Known(BOBBY, "Bob"), Known(CAROL, "Carol"))
    assert sorted(await scene.settle()) == ["here carol/far > ada", "subscribe bob > ada"]


async def test_while_the_stream_is_down_nobody_is_asked_and_it_goes_on_afterwards(scene: Scene) -> None:
    up = False
    scene.desk.up = lambda: up
    scene.tell(Known(BOBBY, "Bob"))
    assert await scene.settle() == [] and scene.flags() == ""
    up = True
    scene.desk.privilege.connected()
    scene.roster.connected()
    assert await scene.settle() == ["here gateway > ada"]
    scene.advert("roster=both")
    assert await scene.settle() == ["here bob/far > ada"]


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
    [("remove", "none"), ("both", "hears heard"), ("to", "hears"), ("from", "heard"), ("none", "")],
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


# Into the roster, by asking ------------------------------------------------------------------------------------------------


async def test_without_the_privilege_registering_is_a_question_that_explains_itself(scene: Scene) -> None:
    scene.roster.join(ADA)
    (subscribe,) = scene.sent()
    assert short(subscribe) == "subscribe gateway > ada"
    assert subscribe.findtext(NICK) == "The Far Side" and "registered" in (subscribe.findtext("status") or "")
    scene.says("subscribed", DOMAIN)
    scene.says("subscribe", DOMAIN)
    assert scene.short() == ["subscribed gateway > ada", "here gateway > ada"]
    assert scene.row(SERVICE) == MUTUAL
    scene.roster.join(ADA)  # again: the subscriptions are there
    assert scene.short() == ["here gateway > ada"]


async def test_who_declined_the_gateway_is_asked_again_only_by_registering_again(scene: Scene) -> None:
    scene.roster.join(ADA)
    scene.says("unsubscribed", DOMAIN)
    scene.out.clear()
    scene.roster.join(ADA)
    assert scene.short() == ["subscribe gateway > ada"]


async def test_questions_are_paced_in_order_and_each_is_asked_once(scene: Scene) -> None:
    scene.tell(*(Known(person, f"The {person.name}") for person in PEOPLE), Known(BOBBY, "Robert"))
    first = scene.sent()
    assert [short(stanza) for stanza in first] == [f"subscribe {person.name} > ada" for person in PEOPLE[:3]]
    assert [stanza.findtext(NICK) for stanza in first] == ["The bob", "The carol", "The dave"]
    scene.passes(9.9)
    assert scene.short() == []
    asked = []
    for _ in range(40):
        scene.passes(1.0)
        asked.append(len(scene.short()))
    assert asked == [1 if second % 10 == 0 and second < 30 else 0 for second in range(40)]
    assert all(scene.flags(person) == "asked" for person in PEOPLE)
    scene.tell(*(Known(person, f"The {person.name}") for person in PEOPLE))
    scene.passes(100)
    assert scene.short() == []


async def test_what_needs_no_question_any_more_costs_no_turn(scene: Scene) -> None:
    scene.tell(*(Known(person) for person in PEOPLE))
    scene.out.clear()
    scene.says("subscribe", f"erin@{DOMAIN}")  # the user was faster
    scene.says("subscribed", f"erin@{DOMAIN}")
    scene.tell(Forgotten(PEOPLE[4]))
    scene.out.clear()
    scene.passes(10)
    assert scene.short() == ["subscribe erin > ada"]
    scene.passes(10)
    assert scene.short() == ["subscribe grace > ada"]
    scene.passes(100)
    assert scene.short() == [] and scene.timers == []


async def test_one_users_questions_do_not_wait_for_anothers() -> None:
    scene = Scene()
    scene.desk.accounts._accounts[EVE] = Account(EVE, 0.0)
    scene.tell(*(Known(person) for person in PEOPLE))
    scene.out.clear()
    scene.roster.tell(EVE, Known(BOBBY))
    assert scene.short() == ["subscribe bob > eve"]


async def test_who_declines_a_contact_is_not_asked_again(scene: Scene) -> None:
    scene.tell(Known(BOBBY, "Bob"))
    scene.says("unsubscribed")
    scene.out.clear()
    scene.tell(Known(BOBBY, "Bob"), Known(BOBBY, "Robert"))
    assert scene.short() == [] and scene.flags() == "asked"
    scene.says("subscribe")  # but may have it by asking
    assert scene.short() == ["subscribed bob > ada", "here bob/far > ada"]


@pytest.mark.parametrize("address", [SERVICE, Address("room", "#c"), Address("person", "x" * 2_000)])
async def test_what_cannot_be_a_contact_is_none(scene: Scene, address: Address) -> None:
    scene.tell(Known(address, "?"))
    assert scene.out == [] and scene.desk.contacts.of(ADA) == []


async def test_whoever_does_not_want_contacts_in_the_roster_or_is_not_registered_has_none(scene: Scene) -> None:
    scene.desk.accounts._accounts[ADA] = Account(ADA, 0.0, preferences={"roster": False})
    scene.tell(Known(BOBBY, "Bob"))
    assert scene.out == [] and scene.flags() == ""  # kept for the day it is wanted
    scene.roster.tell(EVE, Known(BOBBY, "Bob"))
    assert scene.out == [] and scene.desk.contacts.of(EVE) == []
    scene.says("subscribe")  # what the user does with own hands is another thing
    assert scene.short()[:2] == ["subscribed bob > ada", "here bob/far > ada"]


async def test_removal_ends_both_subscriptions(scene: Scene) -> None:
    scene.has(Contact(BOBBY, hears=True, heard=True), Contact(CAROL, asked=True), Contact(PEOPLE[2], hears=True))
    scene.tell(*(Forgotten(person) for person in PEOPLE))
    assert scene.short() == [
        "unavailable bob/far > ada", "unsubscribe bob > ada", "unsubscribed bob > ada",
        "unsubscribe carol > ada",
        "unavailable dave/far > ada", "unsubscribed dave > ada",
    ]  # fmt: skip
    assert scene.desk.contacts.of(ADA) == []


async def test_unregistering_ends_all_subscriptions(scene: Scene) -> None:
    scene.has(MUTUAL, Contact(BOBBY, hears=True, heard=True), Contact(CAROL, asked=True))
    await scene.desk.unregister(ADA)
    assert await scene.settle() == [
        "unavailable bob/far > ada", "unavailable gateway > ada",
        "unsubscribe bob > ada", "unsubscribed bob > ada",
        "unsubscribe carol > ada",
        "unsubscribe gateway > ada", "unsubscribed gateway > ada",
    ]  # fmt: skip
    assert scene.desk.contacts.of(ADA) == []


async def test_a_forgotten_contact_that_is_blocked_stays_blocked(scene: Scene) -> None:
    scene.has(Contact(BOBBY, hears=True, heard=True, blocked=True))
    scene.tell(Forgotten(BOBBY))
    assert scene.short() == ["unsubscribe bob > ada", "unsubscribed bob > ada"] and scene.flags() == "blocked"


# XEP-0144 -----------------------------------------------------------------------------------------------------------------


async def test_a_client_that_takes_lists_gets_one(scene: Scene) -> None:
    scene.features[DESK] = [ROSTERX]
    scene.says("", DOMAIN, DESK)
    scene.tell(*(Known(person, person.name.title(), ["Work"]) for person in PEOPLE))
    assert await scene.settle() == []
    ((to, offered),) = scene.lists
    first = offered[0]
    assert to == DESK and [item.get("action") for item in offered] == ["add"] * 6
    assert (first.get("jid"), first.get("name")) == (BOB, "Bob")
    assert [group.text for group in first] == ["The Far Side", "Work"]
    assert scene.flags() == "asked"
    scene.says("subscribe")  # the client's next step, XEP-0144 3.1
    assert await scene.settle() == ["subscribed bob > ada", "here bob/far > ada"]


@pytest.mark.parametrize("features", [None, [], ["http://jabber.org/protocol/muc"]])
async def test_a_client_that_takes_none_is_asked_in_the_usual_way_and_its_features_once(
    features: list[str] | None,
) -> None:
    scene = Scene()
    if features is not None:
        scene.features[DESK] = features
    scene.says("", DOMAIN, DESK)
    scene.tell(Known(BOBBY, "Bob"))
    assert await scene.settle() == ["subscribe bob > ada"]
    scene.tell(Known(CAROL, "Carol"))
    assert await scene.settle() == ["subscribe carol > ada"]
    assert len(scene.asked) == 1


async def test_a_list_that_is_refused_becomes_questions(scene: Scene) -> None:
    scene.features[DESK] = [ROSTERX]
    scene.taken = "not-allowed"
    scene.says("", DOMAIN, DESK)
    scene.tell(Known(BOBBY, "Bob"))
    assert await scene.settle() == ["subscribe bob > ada"]


async def test_the_client_that_was_there_last_gets_the_list_and_one_that_went_none(scene: Scene) -> None:
    scene.features = {DESK: [ROSTERX], PHONE: []}
    for kind, client in (("", PHONE), ("", DESK), ("unavailable", DESK)):
        scene.says(kind, DOMAIN, client)
    scene.tell(Known(BOBBY, "Bob"))
    assert await scene.settle() == ["subscribe bob > ada"]
    scene.roster.join(ADA, DESK)
    scene.tell(Known(CAROL, "Carol"))
    assert await scene.settle() == ["subscribe gateway > ada"]
    assert [to for to, _ in scene.lists] == [DESK]


async def test_a_new_name_goes_to_such_a_client_too(scene: Scene) -> None:
    scene.features[DESK] = [ROSTERX]
    scene.has(Contact(BOBBY, "Bob", hears=True, heard=True))
    scene.says("", DOMAIN, DESK)
    scene.tell(Known(BOBBY, "Robert"))
    await scene.settle()
    ((_, offered),) = scene.lists
    assert [(item.get("action"), item.get("name")) for item in offered] == [("modify", "Robert")]


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
