"""Blocking (XEP-0191): the list by iq and by command, and that nothing passes between a user and whom that user blocks."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN, condition, words
from tests.xmpp.caller import Caller
from tests.xmpp.realm import ADA, BOB, DESK, short
from tests.xmpp.rosters import BOBBY, CAROL, PHONE, Scene
from transports import contacts
from transports.contacts import Contact
from transports.events import NO_RANK, Address, Entered, Invited, Known, Notice, Said, Seen, Subject
from transports.xmpp import blocking

NS = "urn:xmpp:blocking"
LIST = f"<blocklist xmlns='{NS}'/>"
ROOM = Address("room", "#c")
JIDS = {"bob": BOB, "carol": f"carol@{DOMAIN}"}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def element(name: str, *jids: str) -> str:
    return f"<{name} xmlns='{NS}'>{''.join(f'<item jid={chr(34)}{jid}{chr(34)}/>' for jid in jids)}</{name}>"


def ask(scene: Scene, payload: str, sender: str = DESK, to: str = DOMAIN) -> ET.Element:
    """The answer; what else went out stays."""
    kind = "get" if payload == LIST else "set"
    scene.stanza(f"<iq type='{kind}' id='q' from='{sender}' to='{to}'>{payload}</iq>")
    (answer,) = (ET.fromstring(text) for text in scene.out if " id='q'" in text)
    scene.out[:] = [text for text in scene.out if " id='q'" not in text]
    return answer


def listed(scene: Scene, sender: str = DESK) -> list[str]:
    return [item.get("jid", "") for item in ask(scene, LIST, sender).iter(f"{{{NS}}}item")]


def pushes(scene: Scene) -> list[tuple[str, str, list[str]]]:
    """To whom, what, which."""
    return [
        (iq.get("to", ""), iq[0].tag.rpartition("}")[2], [item.get("jid", "") for item in iq[0]])
        for iq in scene.sent()
        if iq.get("type") == "set"
    ]


def say_to(scene: Scene, to: str = BOB, kind: str = "chat") -> None:
    scene.stanza(f"<message from='{DESK}' to='{to}' type='{kind}' id='m1'><body>Can you hear me now?</body></message>")


# XEP-0191 -------------------------------------------------------------------------------------------------------------


async def test_the_gateway_says_that_it_has_a_list(scene: Scene) -> None:
    scene.stanza(
        f"<iq type='get' id='q' from='{DESK}' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    assert NS in {feature.get("var") for feature in scene.sent()[0][0]}


async def test_xep_0191_the_whole_story(scene: Scene) -> None:
    """3.2 to 3.5: an empty list, a block, a push to all who have the list, an unblock, an end of all."""
    assert listed(scene) == [] and listed(scene, PHONE) == []
    assert ask(scene, element("block", *JIDS.values())).get("type") == "result"
    assert pushes(scene) == [(DESK, "block", list(JIDS.values())), (PHONE, "block", list(JIDS.values()))]
    assert listed(scene) == list(JIDS.values())
    scene.says("unavailable", DOMAIN, PHONE)
    assert ask(scene, element("unblock", BOB)).get("type") == "result"
    assert pushes(scene) == [(DESK, "unblock", [BOB])]
    assert ask(scene, element("unblock")).get("type") == "result"
    assert pushes(scene) == [(DESK, "unblock", [])]
    assert listed(scene) == [] and scene.desk.contacts.of(ADA) == []


BAD = {
    "nobody": (element("block"), DOMAIN, "bad-request"),
    "somebody else's contact": (element("block", BOB, "romeo@example.org"), DOMAIN, "item-not-found"),
    "no address": (element("block", BOB, "@"), DOMAIN, "jid-malformed"),
    "no jid": (f"<block xmlns='{NS}'><item/></block>", DOMAIN, "jid-malformed"),
    "a room": (element("block", f"#c@{DOMAIN}"), DOMAIN, "not-allowed"),
    "a server": (element("block", f"desk@{DOMAIN}"), DOMAIN, "not-allowed"),
    "the gateway": (element("block", DOMAIN), DOMAIN, "not-allowed"),
    "a name that means nothing": (element("block", f"no!such@{DOMAIN}"), DOMAIN, "jid-malformed"),
    "a list of a contact": (element("block", BOB), BOB, "service-unavailable"),
    "many": (element("block", *[BOB] * 501), DOMAIN, "bad-request"),
}


@pytest.mark.parametrize("bad", BAD)
async def test_all_of_a_request_is_done_or_nothing(scene: Scene, bad: str) -> None:
    payload, to, wanted = BAD[bad]
    answer = ask(scene, payload, to=to)
    assert condition(answer) == wanted and words(answer)
    assert listed(scene) == [] and pushes(scene) == []


async def test_a_list_that_there_is_no_room_for_blocks_nobody(scene: Scene) -> None:
    scene.has(*(Contact(Address("person", f"c{number}"), hears=True) for number in range(contacts.MOST - 1)))
    answer = ask(scene, element("block", BOB, f"carol@{DOMAIN}", f"dora@{DOMAIN}"))
    assert condition(answer) == "resource-constraint" and listed(scene) == []
    assert condition(ask(scene, element("block", f"c1@{DOMAIN}"))) == ""


async def test_who_must_register_first_blocks_nobody(scene: Scene) -> None:
    scene.far.required = True
    eve = "eve@example.org/x"
    assert condition(ask(scene, element("block", BOB), eve)) == "registration-required"
    assert listed(scene, eve) == [] and "eve@example.org" not in scene.desk.contacts.users()


async def test_a_member_of_a_room_is_blocked_as_the_person(scene: Scene) -> None:
    ask(scene, element("block", f"#c@{DOMAIN}/Bob", f"{BOB}/telephone", BOB))
    assert listed(scene) == [BOB]


async def test_lists_and_those_who_watch_them_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MOST", 1)
    assert condition(ask(scene, element("block", *JIDS.values()))) == "resource-constraint"
    for number in range(blocking.CLIENTS + 5):
        listed(scene, f"{ADA}/{number}")
    ask(scene, element("unblock"))
    assert len(pushes(scene)) == blocking.CLIENTS
    monkeypatch.setattr(blocking, "USERS", 2)
    for user in ("a", "b", "c"):
        listed(scene, f"{user}@example.org/x")
    ask(scene, element("unblock"), "a@example.org/x")
    assert pushes(scene) == []


async def test_who_leaves_a_room_is_told_of_changes_still_and_who_goes_is_not(scene: Scene) -> None:
    listed(scene)
    scene.says("", f"#c@{DOMAIN}/ada", DESK)
    scene.says("unavailable", f"#c@{DOMAIN}/ada", DESK)
    ask(scene, element("block", BOB))
    assert [to for to, _, _ in pushes(scene)] == [DESK] and scene.roster.clients.last(DESK.partition("/")[0]) == DESK
    scene.says("unavailable", DOMAIN, DESK)
    ask(scene, element("unblock", BOB))
    assert pushes(scene) == [] and scene.roster.clients.last(DESK.partition("/")[0]) == ""


async def test_a_long_list_fits_a_stanza(scene: Scene) -> None:
    for number in range(2_000):
        scene.has(Contact(Address("person", f"{number:0>40}"), blocked=True))
    scene.stanza(f"<iq type='get' id='q' from='{DESK}' to='{DOMAIN}'>{LIST}</iq>")
    (text,) = scene.out
    assert 500 < text.count("<item") < 2_000 and len(text) < 60_000


# What it means ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [BOB, f"{BOB}/far", f"#c@{DOMAIN}/bob"])
async def test_xep_0191_words_to_whom_one_blocks_come_back(scene: Scene, to: str) -> None:
    """3.3, the example of the error."""
    scene.has(Contact(BOBBY, blocked=True))
    say_to(scene, to)
    (answer,) = scene.sent()
    assert (answer.get("from"), answer.get("to"), answer.get("id")) == (to, DESK, "m1")
    error = answer.find("error")
    assert error is not None and error.get("type") == "cancel"
    assert error.find("{urn:xmpp:blocking:errors}blocked") is not None
    assert condition(answer) == "not-acceptable" and "blocked" in words(answer)
    assert scene.took() == []
    say_to(scene, JIDS["carol"])
    assert len(scene.took()) == 1 and scene.out == []


async def test_words_of_whom_one_blocks_do_not_come(scene: Scene) -> None:
    scene.stanza(f"<presence from='{DESK}' to='#c@{DOMAIN}/ada'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    tell = scene.bridge.sessions[ADA].outlet.tell
    tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("")))
    scene.has(Contact(BOBBY, hears=True, heard=True, blocked=True))
    scene.out.clear()
    for fact in (Said(BOBBY, "bob", "hello"), Notice(BOBBY, "psst"), Invited(ROOM, "bob"), Seen(BOBBY, "away")):
        tell(fact)
    assert scene.out == []
    for fact in (
        Said(CAROL, "carol", "hello"),
        Invited(ROOM, "carol"),
        Invited(ROOM, ""),
        Said(ROOM, "bob", "hello all"),
    ):
        tell(fact)
    assert len(scene.sent()) == 4  # the room is the room's


async def test_presence_ends_and_begins_again(scene: Scene) -> None:
    """Polite blocking (XEP-0191 4): the subscriptions stay."""
    scene.has(Contact(BOBBY, hears=True, heard=True))
    ask(scene, element("block", BOB))
    assert scene.short() == ["unavailable bob/far > ada"] and scene.flags() == "hears heard blocked"
    ask(scene, element("unblock", BOB))
    assert scene.short() == ["here bob/far > ada"] and scene.flags() == "hears heard"


async def test_whom_one_blocks_is_not_offered_to_the_roster(scene: Scene) -> None:
    scene.has(Contact(BOBBY, blocked=True))
    scene.tell(Known(BOBBY, "Bob"))
    assert scene.out == [] and scene.flags() == "blocked"
    scene.desk.blocking.unblock(ADA, BOBBY)
    scene.tell(Known(BOBBY, "Bob"))
    assert scene.short() == ["subscribe bob > ada"]


async def test_what_one_user_blocks_is_that_users_own(scene: Scene) -> None:
    scene.desk.blocking.block("eve@example.org", BOBBY)
    assert not scene.desk.blocks(ADA, BOBBY) and scene.desk.blocks("eve@example.org", BOBBY)
    say_to(scene)
    assert len(scene.took()) == 1
    assert listed(scene) == []


# By command ----------------------------------------------------------------------------------------------------------------


async def test_by_command_at_the_gateway(scene: Scene) -> None:
    caller = Caller(scene, DESK)
    listed(scene)
    await caller.execute("blocked")
    assert "nobody" in caller.text
    await caller.execute("unblock")
    assert "nobody" in caller.text and caller.status == "completed"
    await caller.execute("block")
    assert list(caller.fields) == ["address"]
    await caller.submit(address="#c")
    assert caller.status == "executing" and "Only people" in caller.text
    await caller.submit(address="bob")
    assert caller.status == "completed" and caller.text.startswith("Bob is blocked")
    assert pushes(scene) == [(DESK, "block", [BOB])]
    await (await caller.execute("block")).submit(address=BOB)
    assert "already" in caller.text and pushes(scene) == []
    await caller.execute("blocked")
    assert caller.rows == [["Bob", BOB]]
    await (await caller.execute("unblock")).submit(address="bob")
    assert "no longer" in caller.text and scene.flags() == "none"


@pytest.mark.parametrize(
    ("node", "before", "after"), [("block", "hears", "hears blocked"), ("unblock", "hears blocked", "hears")]
)
async def test_by_command_at_a_contact(scene: Scene, node: str, before: str, after: str) -> None:
    scene.has(Contact(BOBBY, **dict.fromkeys(before.split(), True)))  # type: ignore[arg-type]
    command = f"<command xmlns='http://jabber.org/protocol/commands' node='{node}' action='execute'/>"
    scene.stanza(f"<iq type='set' id='c1' from='{DESK}' to='{BOB}'>{command}</iq>")
    sent = await scene.rest()
    assert {short(stanza).partition(" ")[0] for stanza in sent} == {
        "result",
        "unavailable" if node == "block" else "here",
    }
    assert scene.flags() == after


async def test_by_chat(scene: Scene) -> None:
    scene.stanza(f"<message from='{DESK}' to='{DOMAIN}' type='chat' id='1'><body>block</body></message>")
    (question,) = await scene.rest()
    asked = question.findtext("body") or ""
    assert "Name\nNothing of a contact reaches you" in asked  # not the help for adding one
    scene.stanza(f"<message from='{DESK}' to='{DOMAIN}' type='chat' id='2'><body>bob</body></message>")
    (answer,) = await scene.rest()
    assert "Bob is blocked" in (answer.findtext("body") or "") and scene.flags() == "blocked"
