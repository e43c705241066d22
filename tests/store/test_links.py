"""Ids of stanzas and of the far side find each other, each user's own, for a month."""

from __future__ import annotations

import pytest

from tests.store.conftest import Clock
from transports.events import Address
from transports.store.database import Database
from transports.store.links import EXCERPT, KEEP, LONGEST_ID, MOST_IDS, Link, Links

ALICE, BOB = "alice@example.org", "bob@example.org"
ANN, BEN = Address("person", "+15551234567"), Address("person", "+15557654321")


@pytest.fixture
def links(database: Database, clock: Clock) -> Links:
    return Links(database, "test", clock)


async def test_one_stanza_many_messages_and_back(links: Links, clock: Clock) -> None:
    await links.put(ALICE, ANN, "m1", ["SM1", "SM2"], by=f"{ALICE}/phone", excerpt="hello", direction="out")
    assert await links.far(ALICE, ANN, "m1") == ("SM1", "SM2")
    wanted = Link("m1", "SM1", "out", f"{ALICE}/phone", "hello", clock.now)
    assert await links.xmpp(ALICE, ANN, "SM1") == wanted
    assert await links.xmpp(ALICE, ANN, "SM2") == wanted._replace(far_id="SM2")
    assert await links.known(ALICE, ANN, "m1") == wanted


async def test_several_stanzas_of_one_message_lead_to_the_first(links: Links) -> None:
    await links.put(ALICE, ANN, "text", ["SM1"], direction="in")
    await links.put(ALICE, ANN, "picture", ["SM1"], direction="in")
    assert await links.far(ALICE, ANN, "picture") == ("SM1",)
    found = await links.xmpp(ALICE, ANN, "SM1")
    assert found is not None and found.xmpp_id == "text"


async def test_nobody_finds_anothers(links: Links, database: Database) -> None:
    await links.put(ALICE, ANN, "m1", ["SM1"])
    for other, user, address in (
        (links, BOB, ANN),
        (links, ALICE, BEN),
        (links, ALICE, Address("group", ANN.name)),
        (Links(database, "other"), ALICE, ANN),
    ):
        assert await other.far(user, address, "m1") == ()
        assert await other.xmpp(user, address, "SM1") is None
        assert await other.known(user, address, "m1") is None


async def test_a_repeat_adds_only_what_is_new(links: Links) -> None:
    await links.put(ALICE, ANN, "m1", ["SM1"], excerpt="first")
    await links.put(ALICE, ANN, "m1", ["SM1", "SM2", "SM2"], excerpt="again")
    assert await links.far(ALICE, ANN, "m1") == ("SM1", "SM2")
    found = await links.known(ALICE, ANN, "m1")
    assert found is not None and found.excerpt == "first"


async def test_without_a_far_id_it_is_still_known_who_said_what(links: Links) -> None:
    await links.put(ALICE, ANN, "m1", [], by="ann", excerpt="hello", direction="in")
    await links.put(ALICE, ANN, "m1", [])
    assert await links.far(ALICE, ANN, "m1") == ()
    assert await links.xmpp(ALICE, ANN, "") is None
    found = await links.known(ALICE, ANN, "m1")
    assert found is not None and (found.by, found.excerpt, found.far_id) == ("ann", "hello", "")


@pytest.mark.parametrize("bad", ["", "x" * (LONGEST_ID + 1), "a\0b", "\ud800"])
async def test_an_id_that_cannot_be_kept_is_left_out(links: Links, bad: str) -> None:
    await links.put(ALICE, ANN, bad, ["SM1"])
    assert await links.xmpp(ALICE, ANN, "SM1") is None
    assert await links.far(ALICE, ANN, bad) == ()
    await links.put(ALICE, ANN, "m1", [bad, "SM2"])
    assert await links.far(ALICE, ANN, "m1") == ("SM2",)
    assert await links.xmpp(ALICE, ANN, bad) is None


async def test_what_is_kept_has_bounds(links: Links) -> None:
    await links.put(ALICE, ANN, "m1", [f"SM{n}" for n in range(MOST_IDS + 1)], by="x" * 5000, excerpt="ü\0\ud800" * 1000)
    assert len(await links.far(ALICE, ANN, "m1")) == MOST_IDS
    found = await links.known(ALICE, ANN, "m1")
    assert found is not None
    assert (len(found.excerpt), found.excerpt[:3], len(found.by)) == (EXCERPT, "ü??", LONGEST_ID)


async def test_any_address_can_be_linked(links: Links) -> None:
    strange = Address("person", "\ud800\0'")
    await links.put(ALICE, strange, "m1", ["SM1"])
    assert await links.far(ALICE, strange, "m1") == ("SM1",)


async def test_old_links_are_forgotten(links: Links, clock: Clock, database: Database) -> None:
    other = Links(database, "other", clock)
    await links.put(ALICE, ANN, "old", ["SM1"])
    await other.put(ALICE, ANN, "old", ["SM1"])
    clock.now += KEEP
    await links.put(ALICE, ANN, "new", ["SM2"])
    clock.now += 1
    await links.purge()
    assert [await links.far(ALICE, ANN, id) for id in ("old", "new")] == [(), ("SM2",)]
    assert await other.far(ALICE, ANN, "old") == ()


async def test_each_user_keeps_the_newest(links: Links) -> None:
    for n in range(5):
        await links.put(ALICE, ANN, f"m{n}", [f"SM{n}"])
    for n in range(3):
        await links.put(BOB, ANN, f"m{n}", [f"SM{n}"])
    await links.purge(most=3)
    assert [await links.far(ALICE, ANN, f"m{n}") for n in range(5)] == [(), (), ("SM2",), ("SM3",), ("SM4",)]
    assert [await links.far(BOB, ANN, f"m{n}") for n in range(3)] == [("SM0",), ("SM1",), ("SM2",)]


# What became of a message ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "news"),
    [
        (["delivered SM1", "delivered SM2"], [2]),  # a message is there when all of it is
        (["delivered SM1", "delivered SM1", "delivered SM2", "delivered SM2"], [3]),
        (["delivered SM1", "failed SM2", "delivered SM2"], [2]),
        (["failed SM1", "failed SM1", "failed SM2", "delivered SM1", "delivered SM2"], [1]),
        (["delivered SM1", "delivered SM2", "failed SM1", "failed SM1"], [2, 3]),
        (["displayed SM2", "displayed SM1", "delivered SM2"], [1]),
        (["delivered SM1", "displayed SM2"], [2]),
        (["displayed SM1", "displayed SM2", "failed SM1", "delivered SM2"], [1]),
        (["failed SM1", "displayed SM1"], [1]),
    ],
)
async def test_what_became_of_a_message_is_news_once(links: Links, told: list[str], news: list[int]) -> None:
    await links.put(ALICE, ANN, "m1", ["SM1", "SM2"], by=f"{ALICE}/phone", asked="delivered")
    heard = []
    for number, line in enumerate(told, 1):
        outcome, far_id = line.split()
        settled = await links.settle(ALICE, ANN, far_id, outcome)  # type: ignore[arg-type]
        assert settled.link is not None and (settled.link.by, settled.link.asked) == (f"{ALICE}/phone", "delivered")
        heard += [number] if settled.news else []
    assert heard == news


async def test_what_is_seen_moves_forward_only(links: Links) -> None:
    for number in "123":
        await links.put(ALICE, ANN, f"m{number}", [f"SM{number}"])
    news = [(await links.settle(ALICE, ANN, f"SM{number}", "displayed")).news for number in "2132"]
    assert news == [True, False, True, False]


async def test_what_becomes_of_others_messages_is_nobodys_news(links: Links) -> None:
    await links.put(ALICE, ANN, "m1", ["SM1"], direction="in")
    for far_id in ("SM1", "SM9", ""):
        assert await links.settle(ALICE, ANN, far_id, "delivered") == (None, False)
