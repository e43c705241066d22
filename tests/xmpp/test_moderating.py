"""Requests to a room and what comes back: who is asked, what is refused here, what a far side's no becomes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest

from tests.far import DOMAIN, FarBridge, House, condition, words
from tests.xmpp.caller import Caller, until
from transports.archive.place import Archive
from transports.describe import AdHoc, Answers, Call, Done, Field, Form, Wrong
from transports.errors import LegacyError
from transports.events import (
    NO_RANK,
    Address,
    Configured,
    Entered,
    Failed,
    Invite,
    Left,
    Rank,
    RequestVoice,
    Say,
    Subject,
)
from transports.ports import Change, Ranked
from transports.xmpp.administer import ADMIN, OWNER, ROOMCONFIG
from transports.xmpp.disco import MUC
from transports.xmpp.inviting import REQUEST
from transports.xmpp.moderating import INVITATIONS, PERIOD
from transports.xmpp.write import MUC_USER

ADA, DESK, BOB = "ada@example.org", "ada@example.org/desk", "bob@example.org/desk"
ROOM = Address("room", "#c")
JID = f"#c@{DOMAIN}"


class Run(FarBridge):
    """A bridge whose rooms can be run; `error` is its no."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []
        self.answers: Answers | None = None
        self.error: LegacyError | None = None

    def can(self, address: Address) -> frozenset[type]:
        return super().can(address) | ({Invite, RequestVoice} if address.kind == "room" else set())

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    async def administer(self, user: str, room: Address, changes: Sequence[Change]) -> None:
        assert (user, room) == (ADA, ROOM)
        self._fail()
        self.changes += changes

    async def ranked(self, user: str, room: Address, role: str, affiliation: str) -> Sequence[Ranked]:
        self._fail()
        return [Ranked(Rank("outcast", "none"), "", "eve"), Ranked(Rank("outcast", "none"), "", "mallory")]

    async def configuration(self, user: str, room: Address) -> Form:
        return Form("Room", [Field("moderated", "Moderated", "switch", default=True), Field("limit", "Limit", "number")])

    async def configure(self, user: str, room: Address, answers: Answers) -> None:
        self._fail()
        self.answers = answers


class Scene(House):
    """ada's desk is in #c with bob; nothing is to be taken."""

    bridge: Run

    def __init__(self) -> None:
        super().__init__(bridge=Run())
        self.join(DESK)
        self.tell(Entered(ROOM, "ada", {"ada": NO_RANK, "bob": NO_RANK}, Subject("")))
        self.took()
        self.out.clear()

    def join(self, who: str) -> None:
        self.stanza(f"<presence from='{who}' to='{JID}/ada'><x xmlns='{MUC}'/></presence>")

    def tell(self, *facts: object) -> None:
        for fact in facts:
            self.bridge.sessions[ADA].outlet.tell(fact)  # type: ignore[arg-type]

    async def ask(self, payload: str, kind: str = "set", to: str = JID) -> ET.Element:
        self.stanza(f"<iq type='{kind}' id='1' from='{DESK}' to='{to}'>{payload}</iq>")
        await until(lambda: any("<iq" in stanza for stanza in self.out))
        return next(stanza for stanza in self.sent() if stanza.tag == "iq")

    def message(self, inner: str, to: str = JID, who: str = DESK) -> list[ET.Element]:
        self.stanza(f"<message from='{who}' to='{to}' id='m1'>{inner}</message>")
        return self.sent()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def admin(items: str) -> str:
    return f"<query xmlns='{ADMIN}'>{items}</query>"


def submitted(kind: str = "submit", form_type: str = ROOMCONFIG, **fields: str) -> str:
    values = {"FORM_TYPE": form_type, **fields}
    inner = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in values.items())
    return f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='{kind}'>{inner}</x></query>"


# muc#admin ------------------------------------------------------------------------------------------------------------


async def test_what_is_to_change_goes_to_the_far_side_and_is_answered_when_it_is_done(scene: Scene) -> None:
    answer = await scene.ask(admin("<item nick='pistol' role='none'><reason>Avaunt</reason></item>"))
    assert (answer.get("type"), answer.get("from"), list(answer)) == ("result", JID, [])
    assert scene.bridge.changes == [Change("pistol", role="none", reason="Avaunt")]


async def test_its_no_is_the_answer(scene: Scene) -> None:
    scene.bridge.error = LegacyError("not-allowed", "They rank higher.")
    answer = await scene.ask(admin("<item nick='pistol' role='none'/>"))
    assert (condition(answer), words(answer)) == ("not-allowed", "They rank higher.")


async def test_a_list_and_a_page_of_it(scene: Scene) -> None:
    answer = await scene.ask(admin("<item affiliation='outcast'/>"), "get")
    assert [item.get("jid") for item in answer.iter(f"{{{ADMIN}}}item")] == [f"eve@{DOMAIN}", f"mallory@{DOMAIN}"]
    page = "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><after>eve</after></set>"
    answer = await scene.ask(admin(f"<item affiliation='outcast'/>{page}"), "get")
    assert [item.get("jid") for item in answer.iter(f"{{{ADMIN}}}item")] == [f"mallory@{DOMAIN}"]


@pytest.mark.parametrize("to", [DOMAIN, f"bob@{DOMAIN}", f"{JID}/bob"])
async def test_only_rooms_are_run(scene: Scene, to: str) -> None:
    for payload, kind in ((admin("<item nick='x' role='none'/>"), "set"), (f"<query xmlns='{OWNER}'/>", "get")):
        assert condition(await scene.ask(payload, kind, to)) == "service-unavailable"


async def test_a_bridge_whose_rooms_cannot_be_run_says_so() -> None:
    house = House()
    house.stanza(f"<iq type='get' id='1' from='{DESK}' to='{JID}'><query xmlns='{OWNER}'/></iq>")
    await until(lambda: house.out)
    (answer,) = house.sent()
    assert condition(answer) == "feature-not-implemented"


# muc#owner ------------------------------------------------------------------------------------------------------------


async def test_the_form_and_what_was_filled_in(scene: Scene) -> None:
    answer = await scene.ask(f"<query xmlns='{OWNER}'/>", "get")
    fields = {f.get("var"): f.findtext("{jabber:x:data}value") for f in answer.iter("{jabber:x:data}field")}
    assert fields == {"FORM_TYPE": ROOMCONFIG, "moderated": "1", "limit": None}
    assert (await scene.ask(submitted(limit="30"))).get("type") == "result"
    assert scene.bridge.answers == {"limit": "30"}  # what was left out is left as it is


@pytest.mark.parametrize(
    "payload",
    [submitted("cancel", moderated="0"), f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>"],
)
async def test_a_form_that_says_nothing_changes_nothing(scene: Scene, payload: str) -> None:
    assert (await scene.ask(payload)).get("type") == "result"
    assert scene.bridge.answers is None


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (f"<query xmlns='{OWNER}'><destroy/></query>", "not-allowed"),
        (f"<query xmlns='{OWNER}'/>", "bad-request"),
        (submitted(form_type="urn:other", limit="1"), "bad-request"),
        (submitted(limit="many"), "not-acceptable"),
    ],
)
async def test_what_is_refused(scene: Scene, payload: str, wanted: str) -> None:
    answer = await scene.ask(payload)
    assert condition(answer) == wanted and scene.bridge.answers is None
    assert words(answer)


async def test_what_the_far_side_finds_wrong_is_said_with_the_fields_name(scene: Scene) -> None:
    scene.bridge.error = Wrong({"limit": "too many"})
    answer = await scene.ask(submitted(limit="99"))
    assert condition(answer) == "not-acceptable" and words(answer) == "Limit: too many"


def test_a_room_that_is_set_up_otherwise_says_104(scene: Scene) -> None:
    scene.tell(Configured(ROOM), Configured(Address("room", "#d")))
    (message,) = scene.sent()
    assert (message.get("from"), message.get("type")) == (JID, "groupchat")
    assert [status.get("code") for status in message.iter(f"{{{MUC_USER}}}status")] == ["104"]


async def test_a_room_that_is_archived_otherwise_says_170_or_171(scene: Scene) -> None:
    archived = [True]
    visitor = scene.wing.visitors[ADA]
    visitor.archive = lambda user, place: Archive.__new__(Archive) if archived[0] else None
    for archived[0], code in ((True, "170"), (False, "171")):
        scene.stanza(f"<iq type='set' id='1' from='{DESK}' to='{JID}'>{submitted(limit='1')}</iq>")
        await until(lambda: any("<iq" in stanza for stanza in scene.out))
        codes = [status.get("code") for stanza in scene.sent() for status in stanza.iter(f"{{{MUC_USER}}}status")]
        assert codes == [code]


def test_a_ban_makes_an_outcast(scene: Scene) -> None:
    scene.tell(Left(ROOM, ("bob",), "banned", "Treason", "ada"))
    (presence,) = scene.sent()
    item = presence.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}item")
    assert item is not None and item.attrib == {"affiliation": "outcast", "role": "none"}


# Invitations ----------------------------------------------------------------------------------------------------------


def mediated(to: str, reason: str = "") -> str:
    return f"<x xmlns='{MUC_USER}'><invite to='{to}'><reason>{reason}</reason></invite></x>"


def test_people_of_the_far_side_are_invited_there(scene: Scene) -> None:
    direct = f"<x xmlns='jabber:x:conference' jid='{JID}' reason='why not'/>"
    for inner, to, reason in (
        (mediated(f"bob@{DOMAIN}", "Hey"), JID, "Hey"),
        (mediated(f"{JID}/Bob"), JID, ""),
        (direct, f"bob@{DOMAIN}", "why not"),
        (direct + "<body>come</body>", f"{JID}/bob", "why not"),
    ):
        assert scene.message(inner, to) == []
        (invite,) = scene.took()
        assert isinstance(invite, Invite) and invite[:5] == (ROOM, Address("person", "bob"), DESK, "m1", reason)
    scene.tell(Failed(invite, LegacyError("conflict", "There already.")))
    (error,) = scene.sent()
    assert (error.tag, error.get("id"), condition(error)) == ("message", "m1", "conflict")


def test_somebody_on_xmpp_who_may_use_the_gateway_is_invited_from_the_room(scene: Scene) -> None:
    (invitation,) = scene.message(mediated("bob@example.org", "Hecate's &lt;here&gt;"))
    assert (invitation.get("from"), invitation.get("to")) == (JID, "bob@example.org")
    invite = invitation.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}invite")
    assert invite is not None and invite.get("from") == DESK
    assert invite.findtext(f"{{{MUC_USER}}}reason") == "Hecate's <here>"
    assert scene.took() == []


@pytest.mark.parametrize(
    ("inner", "to", "who", "wanted"),
    [
        (mediated("eve@elsewhere.example"), JID, DESK, "item-not-found"),  # not for strangers
        (mediated("example.org"), JID, DESK, "item-not-found"),
        (mediated(DOMAIN), JID, DESK, "item-not-found"),
        (mediated(f"#d@{DOMAIN}"), JID, DESK, "item-not-found"),
        (mediated(""), JID, DESK, "jid-malformed"),
        (mediated(f"bob@{DOMAIN}"), JID, BOB, "not-acceptable"),
        (mediated(f"bob@{DOMAIN}"), f"#d@{DOMAIN}", DESK, "not-acceptable"),
        ("<x xmlns='jabber:x:conference' jid='room@elsewhere.example'/>", f"bob@{DOMAIN}", DESK, "not-acceptable"),
    ],
)
def test_invitations_that_go_nowhere(scene: Scene, inner: str, to: str, who: str, wanted: str) -> None:
    (error,) = scene.message(inner, to, who)
    assert (condition(error), error.get("id"), error.get("from")) == (wanted, "m1", to)
    assert scene.took() == []


def test_an_invitation_elsewhere_is_as_good_as_its_words(scene: Scene) -> None:
    direct = "<x xmlns='jabber:x:conference' jid='room@elsewhere.example'/><body>come to room@elsewhere.example</body>"
    scene.stanza(f"<message from='{DESK}' to='bob@{DOMAIN}' type='chat' id='m1'>{direct}</message>")
    (said,) = scene.took()
    assert isinstance(said, Say) and said.text == "come to room@elsewhere.example"


def test_nobody_sends_invitations_by_the_hundred(scene: Scene) -> None:
    now = [0.0]
    scene.desk.moderating.clock = lambda: now[0]
    for _ in range(INVITATIONS):
        (stanza,) = scene.message(mediated("bob@example.org"))
        assert not condition(stanza)
    (stanza,) = scene.message(mediated("bob@example.org"))
    assert condition(stanza) == "resource-constraint"
    now[0] += PERIOD + 1
    scene.desk.moderating.sweep()
    (stanza,) = scene.message(mediated("bob@example.org"))
    assert not condition(stanza)


def test_who_blocks_the_room_is_not_invited_into_it(scene: Scene) -> None:

    scene.desk.blocks = lambda user, address: user == "bob@example.org"  # type: ignore[method-assign]
    assert scene.message(mediated("bob@example.org")) == []


def test_a_refusal_of_an_invitation_goes_no_further(scene: Scene) -> None:
    assert scene.message(f"<x xmlns='{MUC_USER}'><decline to='bob@example.org'/></x>") == []
    assert scene.took() == []


def test_private_words_with_the_rooms_mark_are_words(scene: Scene) -> None:
    scene.stanza(f"<message from='{DESK}' to='{JID}/bob' type='chat'><body>hi</body><x xmlns='{MUC_USER}'/></message>")
    (said,) = scene.took()
    assert isinstance(said, Say)


# Voice ----------------------------------------------------------------------------------------------------------------


def test_a_wish_to_be_heard(scene: Scene) -> None:
    inner = (
        f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{REQUEST}</value></field>"
        "<field var='muc#role'><value>participant</value></field></x>"
    )
    assert scene.message(inner) == []
    (asked,) = scene.took()
    assert isinstance(asked, RequestVoice) and asked[:3] == (ROOM, DESK, "m1")
    scene.tell(Failed(asked, LegacyError("forbidden", "No.")))
    (error,) = scene.sent()
    assert condition(error) == "forbidden"
    (error,) = scene.message(inner, who=BOB)
    assert condition(error) == "not-acceptable"


def test_another_form_is_none(scene: Scene) -> None:
    inner = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:x</value></field></x>"
    assert scene.message(inner) == [] and scene.took() == []




async def test_what_a_command_sets_for_a_room_counts_at_once(scene: Scene) -> None:
    """record_history by `configure`, for clients that have no form of a room."""
    archived = [False]
    scene.wing.visitors[ADA].archive = lambda user, place: Archive.__new__(Archive) if archived[0] else None

    async def run(call: Call) -> Done:
        archived[0] = True
        return Done("done")

    scene.desk.commands.add(AdHoc("configure", "configure", "Configure", run))
    await Caller(scene, DESK).execute("configure")
    codes = [status.get("code") for stanza in scene.sent() for status in stanza.iter(f"{{{MUC_USER}}}status")]
    assert codes == ["170"]
