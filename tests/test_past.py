"""History (XEP-0045 7.2.13) from the archive: in its place in a join, once, the same as it was live."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.archive.conftest import until
from tests.far import DOMAIN, FarBridge, House
from transports.archive.archives import Archives
from transports.archive.values import Page, Query
from transports.events import NO_RANK, Address, Echoed, Entered, Fact, Joined, Left, Said, Say, Subject, SubjectSet
from transports.gateway_seams import Ids

ROOM, BOB = Address("room", "#c"), Address("person", "bob")
JID = f"#c@{DOMAIN}"
ADA, DESK, PHONE = "ada@example.org", "ada@example.org/desk", "ada@example.org/phone"
STANZA_ID, OCCUPANT, DELAY = "{urn:xmpp:sid:0}stanza-id", "{urn:xmpp:occupant-id:0}occupant-id", "{urn:xmpp:delay}delay"


class Talk(FarBridge):
    """What is archived, as a test sets it."""

    kinds = frozenset({"room"})

    def records(self, user: str, place: Address) -> bool:
        return place.kind in self.kinds

    def backlog(self, user: str, room: Address) -> int:
        return 5


class Scene(House):
    def __init__(self, archives: Archives) -> None:
        self.talk = Talk()
        super().__init__(bridge=self.talk)
        self.wing.ids = Ids()
        self.wing.archives = self.archives = archives

    def tell(self, fact: Fact) -> None:
        self.talk.sessions[ADA].outlet.tell(fact)

    def join(self, who: str = DESK, history: str = "") -> None:
        wanted = f"<history {history}/>" if history else ""
        muc = f"<x xmlns='http://jabber.org/protocol/muc'>{wanted}</x>"
        self.stanza(f"<presence from='{who}' to='{JID}/ada'>{muc}</presence>")

    def entered(self) -> None:
        self.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("Fire Burn")))

    def said(self, *texts: str) -> None:
        for text in texts:
            self.tell(Said(ROOM, "bob", text))

    async def settled(self) -> list[ET.Element]:
        """All that was sent when nothing is being read any more."""
        await until(lambda: not len(self.archives.tasks))
        return self.sent()

    async def rejoin(self, history: str = "", who: str = DESK) -> list[str]:
        self.join(who, history)
        return [brief(stanza) for stanza in await self.settled()]

    async def page(self, place: Address = ROOM) -> Page:
        return await self.archives.of("far", ADA, place).page(Query(most=100))


def brief(stanza: ET.Element) -> str:
    """bob, ada (presences), > what is said, >> what was said, subject."""
    if stanza.tag == "presence":
        return stanza.get("from", "").partition("/")[2] + (" gone" if stanza.get("type") == "unavailable" else "")
    if stanza.find("subject") is not None:
        return f"subject {stanza.findtext('subject')}"
    return (">> " if stanza.find(DELAY) is not None else "> ") + (stanza.findtext("body") or "")


def identity(stanza: ET.Element) -> tuple[str | None, ...]:
    """What must be the same wherever a message is seen."""
    found = stanza.find(STANZA_ID), stanza.find(OCCUPANT)
    ids = [None if one is None else one.get("id") for one in found]
    origin = stanza.find("{urn:xmpp:sid:0}origin-id")
    by = None if found[0] is None else found[0].get("by")
    body = stanza.findtext("body") or stanza.findtext("{jabber:client}body")
    return (stanza.get("from"), stanza.get("id"), *ids, by, body, None if origin is None else origin.get("id"))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(Archives(tmp_path / "archive.db"))
    yield made
    await made.archives.close()
    await made.desk.stop()


async def test_an_empty_archive_makes_nobody_wait(scene: Scene) -> None:
    scene.join()
    scene.entered()
    assert [brief(stanza) for stanza in scene.sent()] == ["bob", "ada", "subject Fire Burn"]


async def test_history_stands_between_the_occupants_and_the_subject(scene: Scene) -> None:
    scene.join()
    scene.entered()
    scene.said("one", "two")
    await scene.settled()
    assert await scene.rejoin() == ["bob", "ada", ">> one", ">> two", "subject Fire Burn"]


@pytest.mark.parametrize(
    ("history", "shown"),
    [
        ("", ["3", "4", "5", "6", "7"]),
        ("maxstanzas='2'", ["6", "7"]),
        ("maxstanzas='100'", ["3", "4", "5", "6", "7"]),
        ("maxstanzas='0'", []),
        ("maxchars='0'", []),
        ("maxchars='10'", []),
        ("maxchars='900'", ["6", "7"]),
        ("seconds='60'", ["3", "4", "5", "6", "7"]),
        ("since='2999-01-01T00:00:00Z'", []),
        ("since='1970-01-01T00:00:00Z' maxstanzas='1'", ["7"]),
        ("maxstanzas='many'", ["3", "4", "5", "6", "7"]),
    ],
)
async def test_a_client_says_how_much_it_wants(scene: Scene, history: str, shown: list[str]) -> None:
    scene.join()
    scene.entered()
    scene.said(*map(str, range(8)))
    await scene.settled()
    assert await scene.rejoin(history) == ["bob", "ada", *(f">> {text}" for text in shown), "subject Fire Burn"]


async def test_who_wants_none_does_not_wait(scene: Scene) -> None:
    scene.join()
    scene.entered()
    scene.said("one")
    await scene.settled()
    scene.join(history="maxstanzas='0'")
    assert [brief(stanza) for stanza in scene.sent()] == ["bob", "ada", "subject Fire Burn"]


async def test_what_is_said_while_history_is_read_comes_once_and_behind(scene: Scene) -> None:
    scene.join(DESK)
    scene.entered()
    scene.said("before")
    await scene.settled()
    scene.join(PHONE)
    scene.said("meanwhile")
    scene.tell(SubjectSet(ROOM, Subject("Cauldron Bubble")))
    scene.tell(Joined(ROOM, "eve", NO_RANK))
    at_once = [(stanza.get("to"), brief(stanza)) for stanza in scene.sent()]
    later = [(stanza.get("to"), brief(stanza)) for stanza in await scene.settled()]
    assert at_once == [
        (PHONE, "bob"),
        (PHONE, "ada"),
        (DESK, "> meanwhile"),
        (DESK, "subject Cauldron Bubble"),
        (DESK, "eve"),
        (PHONE, "eve"),
    ]
    assert later == [
        (PHONE, ">> before"),
        (PHONE, "subject Fire Burn"),
        (PHONE, "> meanwhile"),
        (PHONE, "subject Cauldron Bubble"),
    ]
    scene.said("after")
    assert [(stanza.get("to"), brief(stanza)) for stanza in scene.sent()] == [(DESK, "> after"), (PHONE, "> after")]


async def test_what_waited_for_the_names_is_live_not_history(scene: Scene) -> None:
    scene.join()
    scene.entered()
    scene.said("before")
    scene.tell(Left(ROOM, ("ada",), "lost"))
    await scene.settled()
    scene.join()
    scene.said("during the names")
    scene.entered()
    shown = [brief(stanza) for stanza in await scene.settled()]
    assert shown == ["bob", "ada", ">> before", "subject Fire Burn", "> during the names"]


async def test_a_client_that_comes_in_twice_is_shown_it_once(scene: Scene) -> None:
    scene.join()
    scene.entered()
    scene.said("one")
    await scene.settled()
    scene.join()
    scene.join(history="maxstanzas='0'")
    scene.said("two")
    assert [brief(stanza) for stanza in await scene.settled()] == [
        "bob", "ada", "bob", "ada", "subject Fire Burn", "> two",
    ]  # fmt: skip
    scene.join()
    scene.join()
    scene.said("three")
    assert [brief(stanza) for stanza in await scene.settled()] == [
        "bob", "ada", "bob", "ada", ">> one", ">> two", "subject Fire Burn", "> three",
    ]  # fmt: skip


async def test_a_client_that_leaves_meanwhile_is_told_nothing_more(scene: Scene) -> None:
    scene.join(DESK)
    scene.entered()
    scene.said("one")
    scene.join(PHONE)
    scene.stanza(f"<presence from='{PHONE}' to='{JID}/ada' type='unavailable'/>")
    scene.sent()
    assert await scene.settled() == []
    scene.said("two")
    assert [(stanza.get("to"), brief(stanza)) for stanza in scene.sent()] == [(DESK, "> two")]


async def test_an_archive_that_cannot_be_read_costs_the_history_alone(scene: Scene) -> None:
    scene.join()
    scene.entered()
    scene.said("one")
    await scene.settled()
    await scene.archives.ask(lambda connection: connection.execute("DROP TABLE messages") and None)
    assert await scene.rejoin() == ["bob", "ada", "subject Fire Burn"]
    assert await scene.rejoin() == ["bob", "ada", "subject Fire Burn"]


async def test_live_history_and_archive_show_the_same(scene: Scene) -> None:
    scene.join()
    scene.entered()
    scene.sent()
    scene.said("<3 & more")
    scene.tell(Said(ROOM, "b'ob é", "waves", "act"))
    scene.tell(Said(ROOM, "bob", "late", when=1_700_000_000.0, key="far-1"))
    scene.stanza(
        f"<message from='{DESK}' to='{JID}' type='groupchat' id='m&apos;1'><body>mine</body>"
        "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/></message>"
    )
    (say,) = [command for command in scene.took() if isinstance(command, Say)]
    scene.tell(Echoed((say,)))
    live = [stanza for stanza in scene.sent() if stanza.tag == "message"]
    scene.join()
    history = [stanza for stanza in await scene.settled() if stanza.find("body") is not None]
    scene.stanza(f"<iq type='set' id='q1' from='{DESK}' to='{JID}'><query xmlns='urn:xmpp:mam:2'/></iq>")
    await until(lambda: any("<fin" in stanza for stanza in scene.out))
    *results, _ = scene.sent()
    archived = [found for stanza in results if (found := stanza.find(".//{jabber:client}message")) is not None]
    live.sort(key=lambda stanza: stanza.find(DELAY) is None)  # the late one came first, by its time
    assert len(live) == 4 and [*map(identity, live)] == [*map(identity, history)] == [*map(identity, archived)]
    assert [stanza[0].get("id") for stanza in results] == [identity(stanza)[2] for stanza in live]


async def test_a_room_without_clients_is_archived_and_one_that_is_not_to_be_is_not(scene: Scene) -> None:
    scene.join()
    scene.entered()
    room = scene.wing.visitors[ADA].rooms[ROOM]
    room.clients.clear()
    scene.said("to nobody")
    assert [line.content for line in (await scene.page()).lines] == ["<body>to nobody</body>"]
    scene.talk.kinds = frozenset()
    scene.wing.visitors[ADA].archives()
    scene.said("off the record")
    assert (await scene.page()).total == 1


async def test_conversations_are_archived_only_if_the_user_wants_it(scene: Scene) -> None:
    scene.join()
    scene.entered()

    def talk() -> list[ET.Element]:
        scene.stanza(f"<message from='{DESK}' to='{JID}/bob' type='chat' id='m1'><body>to bob</body></message>")
        scene.stanza(f"<message from='{DESK}' to='bob@{DOMAIN}' type='chat' id='m2'><body>again</body></message>")
        scene.tell(Echoed([command for command in scene.took() if isinstance(command, Say)]))
        scene.sent()
        scene.tell(Said(BOB, "bob", "from bob"))
        return scene.sent()

    (unkept,) = talk()
    assert unkept.find(STANZA_ID) is None and (await scene.page(BOB)).total == 0
    scene.talk.kinds = frozenset({"room", "person"})
    (kept,) = talk()
    lines = (await scene.page(BOB)).lines
    assert [(line.own, line.stanza, line.content) for line in lines] == [
        (True, "m1", "<body>to bob</body>"),
        (True, "m2", "<body>again</body>"),
        (False, kept.get("id"), "<body>from bob</body>"),
    ]
    found = kept.find(STANZA_ID)
    assert found is not None and found.attrib == {"by": f"bob@{DOMAIN}", "id": lines[2].id}
    assert (await scene.page()).total == 0  # no private words in the room's


async def test_an_archive_outlives_the_gateway(scene: Scene, tmp_path: Path) -> None:
    scene.join()
    scene.entered()
    scene.said("one", "two")
    await scene.archives.close()
    after = Scene(Archives(tmp_path / "archive.db"))
    after.join()
    after.entered()
    shown = [brief(stanza) for stanza in await after.settled()]
    assert shown == ["bob", "ada", ">> one", ">> two", "subject Fire Burn"]
    await after.archives.close()
    await after.desk.stop()


def test_a_room_without_an_archive_holds_none() -> None:
    house = House()
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    assert house.wing.visitors[ADA].rooms[ROOM].past is None
