"""How contacts come into a roster and go out of it: by privilege (XEP-0356), in a list (XEP-0144), by a question."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN
from tests.xmpp.realm import ADA, BOB, DESK, Item, short
from tests.xmpp.rosters import (
    BOBBY,
    CAROL,
    EVE,
    MUTUAL,
    NICK,
    PEOPLE,
    PHONE,
    ROSTERX,
    SERVICE,
    Scene,
)
from transports.accounts import Account
from transports.contacts import Contact
from transports.errors import LegacyError
from transports.events import Address, Forgotten, Known


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
        BOB: Item("Bob <3", ("Friends", "The Far Side"), "both"),
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
        BOB: Item("Robert", ("Work",), "both"),
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


async def test_many_contacts_at_once_cost_one_look_at_the_roster(scene: Scene) -> None:
    scene.advert("roster=both")
    scene.tell(*(Known(Address("person", f"p{number}")) for number in range(50)))
    await asyncio.sleep(0)
    scene.tell(*(Known(Address("person", f"q{number}")) for number in range(50)))
    await scene.settle()
    kinds = [iq.get("type") for iq in scene.asked]
    assert (kinds.count("set"), len(scene.rosters[ADA])) == (100, 100)
    assert kinds.count("get") == 3  # each of two times, and once to see what a set has done


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


async def test_what_fails_at_one_contact_stops_nothing_else(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.advert("roster=both")
    fails = [ZeroDivisionError()]

    async def place(user: str, item: object) -> None:
        if fails:
            raise fails.pop()

    monkeypatch.setattr(scene.desk.privilege, "place", place)
    scene.tell(Known(BOBBY, "Bob"))
    await scene.settle()
    scene.tell(Known(CAROL, "Carol"))
    assert await scene.settle() == ["subscribe carol > ada"]  # the roster does not have it, so it was no use


async def test_what_an_old_stream_left_unanswered_is_put_on_the_new_one_and_not_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.advert("roster=both")
    place = scene.desk.privilege.place
    lost: list[asyncio.Future[None]] = []

    async def never(user: str, item: object) -> None:
        lost.append(asyncio.get_running_loop().create_future())
        await lost[-1]

    monkeypatch.setattr(scene.desk.privilege, "place", never)
    scene.tell(Known(BOBBY, "Bob"))
    assert await scene.settle() == []
    monkeypatch.setattr(scene.desk.privilege, "place", place)
    scene.desk.privilege.connected()
    scene.roster.connected()
    scene.advert("roster=both")
    lost[0].set_exception(LegacyError("remote-server-timeout", ""))
    assert await scene.settle() == ["here gateway > ada", "here bob/far > ada"]
    assert scene.rosters[ADA][BOB].subscription == "both"


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
    assert [group.text for group in first] == ["Work"]
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
