"""Rooms that one is not in, and servers' rooms, as disco and XEP-0433 tell of them; never a wait where nothing can be known."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest

from tests.far import DOMAIN, FarBridge, House, condition, words
from tests.xmpp.caller import until
from tests.xmpp.test_services import form
from transports.errors import LegacyError
from transports.events import NO_RANK, Address, Entered, Subject
from transports.ports import About, Page, Search
from transports.xmpp.channelsearch import NS, PARAMS
from transports.xmpp.disco import INFO_NS, ITEMS_NS, MUC

DESK = "ada@example.org/desk"
ROOMS = [(Address("room", f"#{name}%desk"), About(f"#{name}", n, f"about {name}")) for n, name in enumerate("abc")]


class Listed(FarBridge):
    """A bridge with a server `desk` that can be asked, while `there`."""

    def __init__(self) -> None:
        super().__init__()
        self.there = True
        self.asked: list[object] = []
        self.known: About | None = About("#d", 7, "of all things")
        self.error: LegacyError | None = None

    def servers(self, user: str) -> Sequence[Address]:
        return [Address("server", "desk")]

    def reachable(self, user: str, place: Address) -> bool:
        return self.there

    async def about(self, user: str, room: Address) -> About | None:
        self.asked.append(room)
        return self.known

    async def rooms(self, user: str, server: Address, search: Search) -> Page:
        self.asked.append(search)
        if self.error is not None:
            raise self.error
        return Page(ROOMS[: search.most], 0, len(ROOMS))


class Scene(House):
    bridge: Listed

    def __init__(self) -> None:
        super().__init__(bridge=Listed())

    async def ask(self, to: str, payload: str) -> ET.Element:
        self.stanza(f"<iq type='get' id='1' from='{DESK}' to='{to}'>{payload}</iq>")
        await until(lambda: self.out)
        (answer,) = self.sent()
        return answer


@pytest.fixture
def scene() -> Scene:
    return Scene()


INFO, ITEMS = f"<query xmlns='{INFO_NS}'/>", f"<query xmlns='{ITEMS_NS}'/>"
ROOM = f"#d@{DOMAIN}"


async def test_a_room_that_one_is_not_in_has_what_the_far_side_tells(scene: Scene) -> None:
    told = form(await scene.ask(ROOM, INFO))
    assert (told["muc#roominfo_occupants"], told["muc#roominfo_subject"]) == ("7", "of all things")
    assert told["muc#roomconfig_roomname"] and next(iter(told)) == "FORM_TYPE"


async def test_of_a_room_that_the_far_side_does_not_know_only_that_it_is_one(scene: Scene) -> None:
    scene.bridge.known = None
    assert "muc#roominfo_occupants" not in form(await scene.ask(ROOM, INFO))


def test_where_nothing_can_be_known_the_answer_is_there_at_once(scene: Scene) -> None:
    scene.bridge.there = False
    scene.stanza(f"<iq type='get' id='1' from='{DESK}' to='{ROOM}'>{INFO}</iq>")
    (answer,) = scene.sent()
    assert answer.get("type") == "result" and scene.bridge.asked == []


def test_who_is_inside_sees_the_room_as_it_is(scene: Scene) -> None:
    scene.stanza(f"<presence from='{DESK}' to='{ROOM}/ada'><x xmlns='{MUC}'/></presence>")
    scene.bridge.sessions["ada@example.org"].outlet.tell(Entered(Address("room", "#d"), "ada", {"ada": NO_RANK}, Subject("s")))
    scene.out.clear()
    scene.stanza(f"<iq type='get' id='1' from='{DESK}' to='{ROOM}'>{INFO}</iq>")
    assert form(scene.sent()[0])["muc#roominfo_occupants"] == "1" and scene.bridge.asked == []


async def test_below_the_gateway_are_servers_and_below_a_server_its_rooms(scene: Scene) -> None:
    items = [item.get("jid") for item in (await scene.ask(DOMAIN, ITEMS)).iter(f"{{{ITEMS_NS}}}item")]
    assert items == [f"desk@{DOMAIN}"]
    answer = await scene.ask(f"desk@{DOMAIN}", ITEMS)
    assert [(i.get("jid"), i.get("name")) for i in answer.iter(f"{{{ITEMS_NS}}}item")] == [
        (f"#{name}%desk@{DOMAIN}", f"#{name}") for name in "abc"
    ]


async def test_a_page_of_rooms(scene: Scene) -> None:
    rsm = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>#a%desk@far.example.org</after></set>"
    answer = await scene.ask(f"desk@{DOMAIN}", f"<query xmlns='{ITEMS_NS}'>{rsm}</query>")
    assert len(list(answer.iter(f"{{{ITEMS_NS}}}item"))) == 2
    assert scene.bridge.asked == [Search(most=2, after="#a%desk")]
    assert answer.findtext(".//{http://jabber.org/protocol/rsm}count") == "3"


async def test_a_search_and_its_form(scene: Scene) -> None:
    form = await scene.ask(f"desk@{DOMAIN}", f"<search xmlns='{NS}'/>")
    assert form.find(f"{{{NS}}}search/{{jabber:x:data}}x") is not None
    fields = f"<field var='FORM_TYPE'><value>{PARAMS}</value></field><field var='q'><value>about</value></field>"
    query = f"<search xmlns='{NS}'><x xmlns='jabber:x:data' type='submit'>{fields}</x></search>"
    answer = await scene.ask(f"desk@{DOMAIN}", query)
    assert [item.get("address") for item in answer.iter(f"{{{NS}}}item")] == [f"#{name}%desk@{DOMAIN}" for name in "abc"]
    assert condition(await scene.ask(DOMAIN, query)) == "service-unavailable"


async def test_a_list_that_the_far_side_does_not_give(scene: Scene) -> None:
    scene.bridge.error = LegacyError("resource-constraint", "Too busy.", retry_after=60)
    answer = await scene.ask(f"desk@{DOMAIN}", ITEMS)
    assert (condition(answer), words(answer)) == ("resource-constraint", "Too busy.")
