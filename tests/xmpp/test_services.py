"""What an address answers by itself: pings of rooms, what disco tells of them to whom, what lies below the gateway."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN, House, condition
from tests.xmpp.test_disco import heard_in
from transports.events import NO_RANK, Address, Entered, Left, Renamed, SameRoom, Subject
from transports.xmpp.address import from_resource
from transports.xmpp.disco import INFO_NS, ITEMS_NS, MUC, ROOMINFO, SOFTWARE

ROOM, ALIAS, OTHER = Address("room", "#c"), Address("room", "#c~"), Address("room", "#d%desk")
JID = f"#c@{DOMAIN}"
DESK, PHONE, BOB = "ada@example.org/desk", "ada@example.org/phone", "bob@example.org/desk"
INFO = f"<query xmlns='{INFO_NS}'/>"
ITEMS = f"<query xmlns='{ITEMS_NS}'/>"
PING = "<ping xmlns='urn:xmpp:ping'/>"


class Scene(House):
    """ada's desk is in #c with bob and an odd nick; so far nothing is to be taken."""

    def __init__(self) -> None:
        super().__init__()
        self.join(JID)
        members = {"ada": NO_RANK, "bob": NO_RANK, "😀": NO_RANK}
        self.tell(Entered(ROOM, "ada", members, Subject("of <all> things")))
        self.took()
        self.out.clear()

    def join(self, room: str, who: str = DESK) -> None:
        self.stanza(f"<presence from='{who}' to='{room}/ada'><x xmlns='{MUC}'/></presence>")

    def tell(self, *facts: object) -> None:
        for fact in facts:
            self.bridge.sessions["ada@example.org"].outlet.tell(fact)  # type: ignore[arg-type]

    def ask(self, to: str, payload: str, who: str = DESK) -> ET.Element:
        self.stanza(f"<iq type='get' id='1' from='{who}' to='{to}'>{payload}</iq>")
        (answer,) = self.sent()
        return answer

    def answer(self, to: str, payload: str, who: str = DESK) -> str:
        """Its error's condition, or `result`."""
        answer = self.ask(to, payload, who)
        return condition(answer) or answer.get("type", "")

    def info(self, to: str, who: str = DESK) -> ET.Element:
        query = self.ask(to, INFO, who).find(f"{{{INFO_NS}}}query")
        assert query is not None
        return query

    def items(self, to: str, who: str = DESK) -> list[tuple[str, str]]:
        query = self.ask(to, ITEMS, who)
        return [(item.get("jid", ""), item.get("name", "")) for item in query.iter(f"{{{ITEMS_NS}}}item")]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def form(query: ET.Element) -> dict[str, str]:
    fields = query.iter("{jabber:x:data}field")
    return {field.get("var", ""): field.findtext("{jabber:x:data}value") or "" for field in fields}


def features(query: ET.Element) -> set[str]:
    return {found.get("var", "") for found in query.iter(f"{{{INFO_NS}}}feature")}


# Pings ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "to", "answer"),
    [
        (DESK, f"{JID}/ada", "result"),
        (DESK, f"{JID}/bob", "feature-not-implemented"),  # XEP-0410 3.1: still joined
        (DESK, f"{JID}/\\u{{1f600}}", "feature-not-implemented"),
        (DESK, f"{JID}/nobody", "item-not-found"),  # "the occupant just changed their name"
        (DESK, f"{JID}/ADA", "item-not-found"),
        (PHONE, f"{JID}/ada", "not-acceptable"),  # not this client
        (PHONE, f"{JID}/bob", "not-acceptable"),  # nothing about occupants to who is none
        (BOB, f"{JID}/ada", "not-acceptable"),
        (BOB, f"{JID}/nobody", "not-acceptable"),
        (DESK, f"#never@{DOMAIN}/ada", "not-acceptable"),
        (DESK, JID, "result"),
        (BOB, f"#never@{DOMAIN}", "result"),
        (DESK, DOMAIN, "result"),
        (DESK, f"bob@{DOMAIN}", "result"),
        (DESK, f"bob@{DOMAIN}/x", "result"),
        (DESK, f"desk@{DOMAIN}", "result"),
    ],
)
def test_pings(scene: Scene, who: str, to: str, answer: str) -> None:
    assert scene.answer(to, PING, who) == answer
    assert scene.took() == [] and scene.wing.visitors.keys() == {"ada@example.org"}


def test_a_self_ping_follows_the_nick_and_the_end(scene: Scene) -> None:
    scene.tell(Renamed(ROOM, "ada", "eve", NO_RANK))
    scene.bridge.sessions["ada@example.org"].outlet.tell(Entered(ROOM, "eve", {"eve": NO_RANK}, Subject("")))
    scene.out.clear()
    assert (scene.answer(f"{JID}/ada", PING), scene.answer(f"{JID}/eve", PING)) == ("item-not-found", "result")
    scene.tell(Left(ROOM, ("eve",), "lost"))
    scene.out.clear()
    assert scene.answer(f"{JID}/eve", PING) == "not-acceptable"


def test_a_room_of_two_names_answers_under_both(scene: Scene) -> None:
    scene.join(f"#c~@{DOMAIN}")
    scene.tell(SameRoom(ROOM, ALIAS))
    scene.out.clear()
    assert scene.answer(f"#c~@{DOMAIN}/ada", PING) == "result"
    assert form(scene.info(f"#c~@{DOMAIN}"))["muc#roominfo_occupants"] == "3"


# disco#info -----------------------------------------------------------------------------------------------------------


def test_a_room_tells_those_inside_what_is_in_it(scene: Scene) -> None:
    for who in (DESK, PHONE):  # one user, one view
        told = form(scene.info(JID, who))
        assert told["FORM_TYPE"] == ROOMINFO
        assert (told["muc#roominfo_occupants"], told["muc#roominfo_subject"]) == ("3", "of ‹all> things")


@pytest.mark.parametrize(("who", "to"), [(BOB, JID), (DESK, f"#never@{DOMAIN}")])
def test_and_everybody_else_that_it_is_a_room(scene: Scene, who: str, to: str) -> None:
    query = scene.info(to, who)
    told = form(query)
    assert {"muc#roominfo_occupants", "muc#roominfo_subject"}.isdisjoint(told) and told["muc#roomconfig_roomname"]
    assert {MUC, "http://jabber.org/protocol/muc#self-ping-optimization", "muc_open"} <= features(query)


def test_whoever_waits_to_come_in_is_told_nothing_yet(scene: Scene) -> None:
    scene.join(f"#d%desk@{DOMAIN}")
    assert "muc#roominfo_occupants" not in form(scene.info(f"#d%desk@{DOMAIN}"))


@pytest.mark.parametrize("who", [DESK, BOB])
@pytest.mark.parametrize("nick", ["bob", "nobody", "\\u{1f600}"])
def test_an_occupant_looks_like_a_person(scene: Scene, who: str, nick: str) -> None:
    query = scene.info(f"{JID}/{nick}", who)
    [identity] = query.iter(f"{{{INFO_NS}}}identity")
    assert (identity.get("category"), identity.get("type")) == ("client", "pc")
    assert identity.get("name") == ("😀" if "1f600" in nick else nick)
    assert MUC not in features(query) and form(query) == {}


def test_the_gateway_says_that_it_is_one_and_where_rooms_are(scene: Scene) -> None:
    query = scene.info(DOMAIN, "stranger@example.org")
    found = [(found.get("category"), found.get("type")) for found in query.iter(f"{{{INFO_NS}}}identity")]
    assert found == [("conference", "far"), ("gateway", "far")]
    assert {MUC, r"jid\20escaping", INFO_NS, ITEMS_NS} <= features(query)
    assert scene.wing.visitors.keys() == {"ada@example.org"}  # asking makes nobody a visitor


def test_a_gateway_to_one_server_is_a_service_all_the_same(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed-server mode: its domain's address is the server's."""
    monkeypatch.setattr(scene.bridge, "address", lambda name: Address("person" if name else "server", name))
    assert {MUC, r"jid\20escaping", "http://jabber.org/protocol/caps"} <= features(scene.info(DOMAIN))


def test_the_hash_in_the_presence_is_what_a_client_computes(scene: Scene) -> None:
    """XEP-0115 5.4, of both ways to ask."""
    scene.stanza(f"<presence type='probe' from='{DESK}' to='{DOMAIN}'/>")
    (presence,) = scene.sent()
    caps = presence.find("{http://jabber.org/protocol/caps}c")
    assert caps is not None and caps.get("node") == SOFTWARE
    node = f"{SOFTWARE}#{caps.get('ver')}"
    for query in (scene.info(DOMAIN), scene.ask(DOMAIN, f"<query xmlns='{INFO_NS}' node='{node}'/>")):
        assert heard_in(query) == caps.get("ver")
    assert scene.answer(DOMAIN, f"<query xmlns='{INFO_NS}' node='{SOFTWARE}#old'/>") == "item-not-found"


RESERVED = f"<query xmlns='{INFO_NS}' node='x-roomuser-item'/>"


@pytest.mark.parametrize(("to", "who"), [(f"#never@{DOMAIN}", DESK), (JID, BOB), (f"{JID}/ada", DESK)])
def test_no_nick_is_reserved_for_who_is_not_inside(scene: Scene, to: str, who: str) -> None:
    """XEP-0045 7.12: what clients are told here they keep in bookmarks for ever."""
    assert scene.answer(to, RESERVED, who) == "item-not-found"


@pytest.mark.parametrize("nick", ["ada", "ada|away", "😀"])
def test_the_nick_of_who_is_inside_is_the_true_one(scene: Scene, nick: str) -> None:
    scene.tell(Renamed(ROOM, "ada", nick, NO_RANK))
    scene.out.clear()
    answer = scene.ask(JID, RESERVED)
    (identity,) = answer.iter(f"{{{INFO_NS}}}identity")
    assert (identity.get("category"), identity.get("type")) == ("conference", "text")
    assert from_resource(identity.get("name", "")) == nick


@pytest.mark.parametrize("to", [DOMAIN, JID, f"bob@{DOMAIN}", f"{JID}/bob", f"desk@{DOMAIN}"])
def test_a_node_that_is_nowhere(scene: Scene, to: str) -> None:
    assert scene.answer(to, f"<query xmlns='{INFO_NS}' node='nowhere'/>") == "item-not-found"


# disco#items ----------------------------------------------------------------------------------------------------------


def test_items_are_ones_own_rooms(scene: Scene) -> None:
    scene.join(f"#d%desk@{DOMAIN}")
    assert scene.items(DOMAIN) == [(JID, "#c")]  # not yet in the other
    scene.tell(Entered(OTHER, "ada", {"ada": NO_RANK}, Subject("")))
    scene.out.clear()
    assert scene.items(DOMAIN) == [(JID, "#c"), (f"#d%desk@{DOMAIN}", "#d%desk")]
    assert scene.items(f"desk@{DOMAIN}") == [(f"#d%desk@{DOMAIN}", "#d%desk")]
    assert scene.items(DOMAIN, PHONE) == scene.items(DOMAIN)
    for who, to in ((BOB, DOMAIN), (DESK, JID), (DESK, f"bob@{DOMAIN}"), (DESK, f"{JID}/bob"), (DESK, f"other@{DOMAIN}")):
        assert scene.items(to, who) == []


def test_a_node_of_items_is_empty_and_kept(scene: Scene) -> None:
    answer = scene.ask(DOMAIN, f"<query xmlns='{ITEMS_NS}' node='n'/>")
    query = answer.find(f"{{{ITEMS_NS}}}query")
    assert query is not None and (query.get("node"), len(query)) == ("n", 0)


# The rest -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [DOMAIN, JID, f"{JID}/bob", f"bob@{DOMAIN}", f"desk@{DOMAIN}"])
def test_version_and_time_are_the_gateways(scene: Scene, to: str) -> None:
    version = scene.ask(to, "<query xmlns='jabber:iq:version'/>")
    assert version.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Transports"
    told = scene.ask(to, "<time xmlns='urn:xmpp:time'/>").findtext("{urn:xmpp:time}time/{urn:xmpp:time}utc")
    assert told is not None and told.endswith("Z")
