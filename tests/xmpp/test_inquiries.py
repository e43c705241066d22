"""Which program is asked what a client wants to know: the gateway's own, or somebody's; never a stranger's by mistake."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.far import DOMAIN, FarBridge, House, condition
from tests.xmpp.caller import until
from transports.errors import LegacyError
from transports.events import NO_RANK, Address, Entered, Subject
from transports.ports import Program

JID = f"#c@{DOMAIN}"
DESK, PHONE = "ada@example.org/desk", "ada@example.org/phone"
ASKED = {
    "version": "<query xmlns='jabber:iq:version'/>",
    "ping": "<ping xmlns='urn:xmpp:ping'/>",
    "clock": "<time xmlns='urn:xmpp:time'/>",
}


class Programs(FarBridge):
    """People whose programs answer; what was asked is kept."""

    programs = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, Address]] = []

    def _ask(self, what: str, user: str, person: Address) -> None:
        self.asked.append((what, user, person))
        if person.name.startswith("nobody"):
            raise LegacyError("item-not-found", "There is nobody of that name.")

    async def version(self, user: str, person: Address) -> Program | None:
        self._ask("version", user, person)
        return Program("irssi", "1.4.5 <beta>")

    async def ping(self, user: str, person: Address) -> None:
        self._ask("ping", user, person)

    async def clock(self, user: str, person: Address) -> datetime | None:
        self._ask("clock", user, person)
        return datetime(2026, 11, 21, 12, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))


class Scene(House):
    """ada's desk is in #c with bob."""

    def __init__(self) -> None:
        self.programs = Programs()
        super().__init__(bridge=self.programs)
        self.stanza(f"<presence from='{DESK}' to='{JID}/ada'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        members = {"ada": NO_RANK, "bob": NO_RANK}
        outlet = self.programs.sessions["ada@example.org"].outlet
        outlet.tell(Entered(Address("room", "#c"), "ada", members, Subject("")))
        self.out.clear()

    async def ask(self, what: str, to: str, who: str = DESK) -> ET.Element:
        self.stanza(f"<iq type='get' id='1' from='{who}' to='{to}'>{ASKED[what]}</iq>")
        await until(lambda: bool(self.out))
        (answer,) = self.sent()
        return answer


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("what", ASKED)
async def test_a_person_is_asked(scene: Scene, what: str) -> None:
    answer = await scene.ask(what, f"bob@{DOMAIN}")
    assert answer.get("type") == "result"
    assert scene.programs.asked == [(what, "ada@example.org", Address("person", "bob"))]


@pytest.mark.parametrize(("what", "asked"), [("version", True), ("clock", True), ("ping", False)])
async def test_an_occupant_is_asked_anything_but_a_ping(scene: Scene, what: str, asked: bool) -> None:
    """XEP-0410: a ping to an occupant is a self-ping, whatever its nick."""
    answer = await scene.ask(what, f"{JID}/bob")
    assert (condition(answer) or "result") == ("result" if asked else "feature-not-implemented")
    assert bool(scene.programs.asked) is asked


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize(
    ("who", "to", "answer"),
    [
        (DESK, f"{JID}/ada", "result"),  # oneself
        (DESK, f"{JID}/formerly", "item-not-found"),
        (PHONE, f"{JID}/bob", "not-acceptable"),  # this client is not in
        (DESK, f"#never@{DOMAIN}/bob", "not-acceptable"),
        (DESK, JID, "result"),
        (DESK, DOMAIN, "result"),
    ],
)
async def test_nobody_is_asked_who_is_not_meant(scene: Scene, what: str, who: str, to: str, answer: str) -> None:
    assert (condition(await scene.ask(what, to, who)) or "result") == answer
    assert scene.programs.asked == []


async def test_answers_are_told_as_the_specifications_want(scene: Scene) -> None:
    query = (await scene.ask("version", f"bob@{DOMAIN}"))[0]
    assert [(child.tag.rpartition("}")[2], child.text) for child in query] == [("name", "irssi"), ("version", "1.4.5 <beta>")]
    told = (await scene.ask("clock", f"bob@{DOMAIN}"))[0]
    assert [child.text for child in told] == ["+05:30", "2026-11-21T06:31:30Z"]
    assert datetime.fromisoformat(told[1].text or "").tzinfo == UTC


async def test_who_is_not_there_is_an_error(scene: Scene) -> None:
    assert condition(await scene.ask("ping", f"nobody@{DOMAIN}")) == "item-not-found"


async def test_where_programs_cannot_be_asked_ours_answers() -> None:
    house = House()
    house.stanza(f"<iq type='get' id='1' from='{DESK}' to='bob@{DOMAIN}'>{ASKED['version']}</iq>")
    (answer,) = house.sent()
    assert answer[0][0].text == "Transports"
