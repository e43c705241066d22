"""The channels of a server: what 322s say, the order, pages and searches; and what it costs."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridges.irc.scene import Scene
from tests.bridges.irc.staged import USER, Set
from transports.bridges.irc import listing
from transports.bridges.irc.directory import CHANNELS, Shelf, _Kept
from transports.errors import LegacyError
from transports.events import Address, Notice
from transports.ports import About, Search

SERVER = Address("server", "irc.test")
ROWS = [("#a", 50, ""), ("#b", 50, "apples"), ("#c", 7, "bananas"), ("#d", 1, "")]


@pytest.mark.parametrize(
    ("rest", "row"),
    [
        ("ada #c 12 :of all things", ("#c", 12, "of all things")),
        ("ada #c 12 :", ("#c", 12, "")),
        ("ada #c 12", ("#c", 12, "")),
        ("ada &local 3 :x : y", ("&local", 3, "x : y")),
        ("ada * 12 :", None),
        ("ada Prv 12 :", None),
        ("ada #c many :x", None),
        ("ada #c", None),
        ("", None),
        (f"ada #{'x' * 300} 3 :", None),
        ("ada #c 99999999999999999999 :x", ("#c", 999_999_999, "x")),
        (f"ada #c 1 :{'t' * 500}", ("#c", 1, "t" * listing.TOPIC)),
    ],
)
def test_what_a_322_says(rest: str, row: listing.Row | None) -> None:
    assert listing.read([rest], "#&") == ([row] if row is not None else [])


@given(st.text(max_size=80))
def test_any_322_is_a_row_or_none(rest: str) -> None:
    for name, users, _ in listing.read([rest], "#&"):
        assert name[0] in "#&" and users >= 0


@pytest.mark.parametrize(
    ("topic", "shown"),
    [("[+nt] news", "news"), ("[+ntk secret] news", "news"), ("\x02bold\x02 \x0304red", "bold red"), ("[x] y", "[x] y")],
)
def test_a_topic_is_for_people(topic: str, shown: str) -> None:
    assert listing.topic(("#c", 1, topic)) == shown


def test_the_largest_come_first() -> None:
    assert listing.arranged([ROWS[3], ROWS[1], ROWS[2], ROWS[0]]) == ROWS


@pytest.mark.parametrize(
    ("search", "names", "first"),
    [
        (Search(most=2), "ab", 0),
        (Search(most=2, after="#b"), "cd", 2),
        (Search(most=2, after="#d"), "", 4),
        (Search(most=2, before="#d"), "bc", 1),
        (Search(most=2, before="#b"), "a", 0),
        (Search(most=2, before=""), "cd", 2),
        (Search(most=2, at=3), "d", 3),
        (Search(most=2, at=9), "", 9),
        (Search(most=0), "", 0),
    ],
)
def test_pages(search: Search, names: str, first: int) -> None:
    rows, start = listing.page(ROWS, search)
    assert ("".join(row[0][1] for row in rows), start) == (names, first)


def test_a_page_behind_what_is_gone() -> None:
    with pytest.raises(LegacyError, match="item-not-found"):
        listing.page(ROWS, Search(after="#z"))


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (Search("APPLES"), "b"),
        (Search("an ba"), "c"),
        (Search("#d"), "d"),
        (Search(least=7), "abc"),
        (Search("apples", names=True, subjects=False), ""),
        (Search("#", subjects=True, names=False), ""),
        (Search("nothing"), ""),
    ],
)
def test_searches(search: Search, names: str) -> None:
    found = [row for rows in listing.slices(ROWS, search) for row in rows]
    assert "".join(row[0][1] for row in found) == names


# LIST -----------------------------------------------------------------------------------------------------------------


def test_lines_of_a_list_are_kept_while_somebody_asks_and_dropped_else() -> None:
    scene = Scene()
    scene.feed(":irc.test 322 ada #c 12 :topic")
    assert scene.told() == []
    scene.net.listing = rows = []
    scene.feed(":irc.test 322 ada #c 12 :topic", f":irc.test 322 ada #d 1 :{'x' * 2_000}")
    assert rows[0] == "ada #c 12 :topic" and len(rows[1]) == listing.ROW
    rows[:] = [""] * listing.MOST
    scene.feed(":irc.test 322 ada #e 12 :topic")
    assert len(rows) == listing.MOST


def test_what_is_kept_of_lists_is_bounded() -> None:
    shelf = Shelf()
    for n in range(5):
        shelf.put((f"u{n}", "irc.test"), _Kept(float(n), 0, ROWS * (CHANNELS // 16)))
    assert sum(len(kept.rows) for kept in shelf.lists.values()) <= CHANNELS
    assert ("u4", "irc.test") in shelf.lists
    shelf.sweep(10_000.0)
    assert not shelf.lists


CHANNELS_THERE = (
    ":irc.test 321 ada Channel :Users  Name",
    ":irc.test 322 ada #small 1 :",
    ":irc.test 322 ada #Large 900 :[+nt] of \x02many\x02 things",
    ":irc.test 322 ada * 5 :",
    ":irc.test 323 ada :End of LIST",
)


async def test_a_server_is_asked_once_and_all_pages_come_of_that(running: Set) -> None:
    pages = [running.bridge.rooms(USER, SERVER, Search(most=1)), running.bridge.rooms(USER, SERVER, Search("many"))]
    first, found = await running.answered(asyncio.gather(*pages), ("LIST", CHANNELS_THERE))  # type: ignore[arg-type]
    large = (Address("room", "#large%irc.test"), About("#Large", 900, "of many things"))
    assert first == ([large], 0, 2) and found == ([large], 0, 1)
    second = await running.bridge.rooms(USER, SERVER, Search(most=1, after="#large%irc.test"))
    assert (second.rooms[0][0].name, second.first) == ("#small%irc.test", 1)
    assert [line for line in running.server.lines if line.startswith("LIST")] == ["LIST"]
    assert running.out.of(Notice) == []  # nobody has to read along


async def test_a_server_that_can_is_asked_for_the_large_ones_alone(running: Set) -> None:
    page = await running.answered(running.bridge.rooms(USER, SERVER, Search(least=100)), ("LIST >99", CHANNELS_THERE))
    assert [about.name for _, about in page.rooms] == ["#Large"]
    page = await running.answered(running.bridge.rooms(USER, SERVER, Search()), ("LIST", CHANNELS_THERE))
    assert page.total == 2


@pytest.mark.parametrize(
    ("line", "condition"),
    [("263 ada LIST :Server load is too heavy", "resource-constraint"), ("521 ada :No", "not-allowed")],
)
async def test_a_server_that_gives_no_list_is_not_asked_again_at_once(running: Set, line: str, condition: str) -> None:
    with pytest.raises(LegacyError) as error:
        await running.answered(running.bridge.rooms(USER, SERVER, Search()), ("LIST", (f":irc.test {line}",)))
    assert error.value.condition == condition
    with pytest.raises(LegacyError):
        await running.bridge.rooms(USER, SERVER, Search())
    assert [line for line in running.server.lines if line.startswith("LIST")] == ["LIST"]


async def test_a_single_room_is_asked_for_once(running: Set) -> None:
    room = Address("room", "#large%irc.test")
    about = await running.answered(running.bridge.about(USER, room), ("LIST #large", CHANNELS_THERE))
    assert about == About("#Large", 900, "of many things")
    assert await running.bridge.about(USER, room) == about
    assert await running.answered(
        running.bridge.about(USER, Address("room", "#none%irc.test")), ("LIST #none", (":irc.test 323 ada :End of LIST",))
    ) is None


async def test_of_a_network_that_one_is_not_on_nothing_is_asked(running: Set) -> None:
    assert not running.bridge.reachable(USER, Address("room", "#c%other.test"))
    assert await running.bridge.about(USER, Address("room", "#c%other.test")) is None
    with pytest.raises(LegacyError, match="recipient-unavailable"):
        await running.bridge.rooms(USER, Address("server", "other.test"), Search())
