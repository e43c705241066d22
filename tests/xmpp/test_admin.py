"""Commands of the people who run the gateway (XEP-0133): what they show and do, and that nobody else has them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from tests.far import DOMAIN, FarBridge, House
from tests.xmpp.caller import Caller, until
from transports import catalogs
from transports.contacts import Contact
from transports.describe import Answers
from transports.events import Address, Entered, Rank, Subject
from transports.words import CATALOGS
from transports.xmpp import admin

ROOT = "root@example.org/globe"
ADA = "ada@example.org"
BOB = "bob@example.org"
NODES = {
    "users": f"{admin.NS}#get-registered-users-list",
    "online": f"{admin.NS}#get-online-users-list",
    "user": f"{admin.NS}#user-stats",
    "announce": f"{admin.NS}#announce",
    "announce-all": f"{admin.NS}#announce-all",
    "end-session": f"{admin.NS}#end-user-session",
    "delete-user": f"{admin.NS}#delete-user",
}


class Bank(FarBridge):
    def __init__(self) -> None:
        super().__init__()
        self.left: list[str] = []

    async def unregister(self, user: str, answers: Answers) -> None:
        self.left.append(user)


class Scene(House):
    bridge: Bank

    def __init__(self) -> None:
        super().__init__(bridge=Bank())
        self.root = Caller(self, ROOT)

    async def registers(self, *users: str) -> None:
        for user in users:
            await self.desk.accounts.register(user, {"password": "canary"})

    def enters(self, user: str, room: str, resource: str = "desk") -> None:
        self.stanza(
            f"<presence from='{user}/{resource}' to='{room}@{DOMAIN}/nick'>"
            "<x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
        rank = Rank("none", "participant")
        self.wing.visitors[user].tell(Entered(Address("room", room), "nick", {"nick": rank}, Subject("")))

    def told(self) -> dict[str, str]:
        """Messages by user."""
        messages = [stanza for stanza in self.sent() if stanza.tag == "message"]
        assert all(message.get("from") == DOMAIN for message in messages)
        return {message.get("to", ""): message.findtext("body") or "" for message in messages}


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    catalogs.load()
    yield
    CATALOGS.clear()


@pytest.mark.parametrize("node", [*NODES.values(), "reload"])
async def test_nobody_else_has_them(node: str) -> None:
    scene = Scene()
    scene.desk.admin.reloads(lambda: None)
    await scene.registers(ADA)
    for sender in (f"{ADA}/desk", f"{BOB}/desk", "root@example.org.evil.example/x", "example.org"):
        caller = await Caller(scene, sender).execute(node)
        assert caller.refused == "forbidden"
        had = scene.desk.commands.available(sender.partition("/")[0], scene.desk.service)
        assert node not in [command.node for command in had]


async def test_what_an_admin_has() -> None:
    scene = Scene()
    shown = {command.word: command.node for command in scene.desk.commands.available("root@example.org", scene.desk.service)}
    assert {word: shown[word] for word in NODES} == NODES and "reload" not in shown


# Who is there ---------------------------------------------------------------------------------------------------------


async def test_registered_users() -> None:
    scene = Scene()
    await scene.registers(BOB, ADA)
    await scene.desk.accounts.speaks(ADA, "de")
    scene.desk.contacts.put(ADA, Contact(Address("person", "eve")))
    scene.enters(ADA, "#c")
    await scene.root.execute(NODES["users"])
    assert scene.root.status == "completed" and scene.root.text.startswith("Registered users: 2")
    (ada, bob) = scene.root.rows
    assert [ada[0], *ada[2:]] == [ADA, "de", "1", "1"] and [bob[0], *bob[2:]] == [BOB, "", "0", ""]
    assert "canary" not in ET.tostring(scene.root.answer, encoding="unicode")


async def test_of_many_users_one_asks_for_a_part() -> None:
    scene = Scene()
    await scene.registers(*(f"u{number}@example.org" for number in range(admin.AT_ONCE + 1)))
    await scene.root.execute(NODES["users"])
    assert scene.root.status == "executing" and list(scene.root.fields) == ["part"]
    await scene.root.submit(part="U19")
    assert [row[0] for row in scene.root.rows] == sorted(f"u{n}@example.org" for n in (19, *range(190, 200)))


async def test_sessions_by_server() -> None:
    scene = Scene()
    scene.enters(ADA, "#a%irc.one")
    scene.enters(ADA, "#b%irc.one", "phone")
    scene.enters(ADA, "#c%irc.two")
    scene.enters(BOB, "#plain")
    await scene.root.execute(NODES["online"])
    assert scene.root.rows == [[ADA, "irc.one", "2", "2"], [ADA, "irc.two", "1", "1"], [BOB, "", "1", "1"]]


async def test_a_users_details() -> None:
    scene = Scene()
    await scene.registers(ADA)
    scene.desk.contacts.put(ADA, Contact(Address("person", "eve"), blocked=True))
    scene.enters(ADA, "#a%irc.one")
    await scene.root.execute(NODES["user"])
    assert list(scene.root.fields) == ["accountjid"]
    await scene.root.submit(accountjid="Ada@EXAMPLE.org")
    rows = scene.root.rows
    assert scene.root.status == "completed" and rows[0] == ["User", ADA]
    assert rows[3:] == [["Contacts", "1"], ["Blocked contacts", "1"], ["Server", "irc.one"], ["Rooms", "1"], ["Clients", "1"]]
    assert "canary" not in ET.tostring(scene.root.answer, encoding="unicode")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("eve@example.org", "eve@example.org is neither registered nor connected here."),
        (f"{ADA}/desk", "without a resource"),
        ("a b@example.org", "no address like"),
        ("@", "no address like"),
        ("", "needed"),
        ("x" * 4_000, "no address like"),
    ],
)
async def test_who_is_not_ours_has_no_details(typed: str, said: str) -> None:
    scene = Scene()
    await scene.registers(ADA)
    await scene.root.execute(NODES["user"])
    await scene.root.submit(accountjid=typed)
    assert scene.root.status == "executing" and said in scene.root.text


# Announcements --------------------------------------------------------------------------------------------------------


async def test_xep_0133_announcement_to_who_is_connected() -> None:
    scene = Scene()
    await scene.registers(ADA, BOB)
    scene.enters(ADA, "#c")
    await scene.root.execute(NODES["announce"])
    assert list(scene.root.fields) == ["announcement"]
    scene.sent()
    await scene.root.submit(announcement=["Attention! This service will be going down for", "maintenance in 2 minutes."])
    assert scene.root.text == "Announced to 1 users."
    assert scene.told() == {ADA: "Attention! This service will be going down for\nmaintenance in 2 minutes."}


async def test_announcement_to_all() -> None:
    scene = Scene()
    await scene.registers(ADA, BOB)
    scene.enters("eve@example.org", "#c")
    await scene.root.execute(NODES["announce-all"])
    scene.sent()
    await scene.root.submit(announcement="<b>&")
    assert scene.told() == dict.fromkeys([ADA, BOB, "eve@example.org"], "<b>&")


async def test_nobody_to_tell() -> None:
    scene = Scene()
    await scene.root.execute(NODES["announce"])
    await scene.root.submit(announcement="Hello?")
    assert scene.root.text == "There is no one to tell."


async def test_an_announcement_is_paced_and_goes_on_without_the_admins_client() -> None:
    scene = Scene()
    scene.desk.admin.pause = 0.0
    scene.desk.commands.patience = 0.0
    users = [f"u{number}@example.org" for number in range(3 * admin.BATCH)]
    await scene.registers(*users)
    await scene.root.execute(NODES["announce-all"])
    await scene.root.submit(announcement="Hello.")
    assert scene.root.status == "executing"
    assert 0 < len(scene.told()) <= admin.BATCH  # the others wait for their turn
    scene.desk.commands.leave("root@example.org")
    await until(lambda: len(scene.out) == 2 * admin.BATCH)
    assert set(scene.told()) == set(users[admin.BATCH :])


# Sending away ---------------------------------------------------------------------------------------------------------


async def test_xep_0133_delete_user() -> None:
    scene = Scene()
    await scene.registers(ADA, BOB)
    await scene.desk.accounts.speaks(ADA, "de")
    scene.enters(ADA, "#c")
    await scene.root.execute(NODES["delete-user"])
    assert list(scene.root.fields) == ["accountjids"]
    await scene.root.submit(accountjids=[ADA, BOB, ADA])
    assert f"Unregister {ADA}, {BOB}?" in scene.root.text and scene.desk.accounts.users() == [ADA, BOB]
    scene.sent()
    await scene.root.yes()
    assert scene.root.text == "Unregistered: 2."
    assert scene.told() == {
        ADA: "Die Betreiber haben deine Registrierung beendet.",
        BOB: "The people who run this gateway have ended your registration.",
    }
    assert scene.desk.accounts.users() == [] and scene.bridge.left == [ADA, BOB] and scene.wing.visitors == {}


async def test_nobody_is_deleted_without_a_yes() -> None:
    scene = Scene()
    await scene.registers(ADA)
    await scene.root.execute(NODES["delete-user"])
    await scene.root.submit(accountjids=ADA)
    await scene.root.submit(confirm="0")
    assert scene.root.status == "completed" and scene.desk.accounts.users() == [ADA]


@pytest.mark.parametrize("typed", [["eve@example.org"], [ADA, "eve@example.org"], [f"{ADA}/desk"], ["<>"], [""]])
async def test_only_registered_users_can_be_deleted(typed: list[str]) -> None:
    scene = Scene()
    await scene.registers(ADA)
    scene.enters("eve@example.org", "#c")
    await scene.root.execute(NODES["delete-user"])
    await scene.root.submit(accountjids=typed)
    assert scene.root.status == "executing" and list(scene.root.fields) == ["accountjids"]
    assert scene.desk.accounts.users() == [ADA]


async def test_who_has_left_in_the_meantime_is_named() -> None:
    scene = Scene()
    await scene.registers(ADA, BOB)
    await scene.root.execute(NODES["delete-user"])
    await scene.root.submit(accountjids=[ADA, BOB])
    await scene.desk.register.remove(ADA)
    await scene.root.yes()
    assert scene.root.text == f"Unregistered: 1. Not done for {ADA}: You are not registered with {DOMAIN}."


async def test_an_admin_can_unregister_itself() -> None:
    scene = Scene()
    await scene.registers("root@example.org")
    await scene.root.execute(NODES["delete-user"])
    await scene.root.submit(accountjids="root@example.org")
    await scene.root.yes()
    assert scene.root.text == "Unregistered: 1." and scene.desk.accounts.users() == []


async def test_xep_0133_end_user_session() -> None:
    scene = Scene()
    await scene.registers(ADA, BOB)
    scene.enters(ADA, "#c")
    await scene.root.execute(NODES["end-session"])
    scene.sent()
    await scene.root.submit(accountjids=[ADA, BOB])
    assert scene.root.text == f"Sessions ended: 1. {BOB} has no session."
    assert scene.wing.visitors == {} and scene.bridge.sessions[ADA].closed and scene.desk.accounts.users() == [ADA, BOB]
    (gone,) = scene.sent()
    assert (gone.get("type"), gone.get("to")) == ("unavailable", f"{ADA}/desk")


# Anew -----------------------------------------------------------------------------------------------------------------


async def test_languages_are_read_anew() -> None:
    scene = Scene()
    CATALOGS.clear()
    scene.desk.admin.reloads(catalogs.load)
    await scene.root.execute("reload")
    assert scene.root.text == "The languages have been read anew: de" and "de" in CATALOGS


async def test_in_the_admins_language() -> None:
    scene = Scene()
    root = await Caller(scene, ROOT, "de").execute(NODES["users"])
    assert root.text.startswith("Registrierte Benutzer: 0")
