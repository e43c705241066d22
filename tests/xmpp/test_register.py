"""Registration (XEP-0077, XEP-0100 4.1 to 4.3): the specifications' examples, clients old and new, and those who mean harm."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.far import DOMAIN, FarBridge, House, condition, words
from tests.xmpp.caller import Caller, until
from transports import catalogs
from transports.accounts import Account, Accounts
from transports.archive.archives import Archives
from transports.contacts import Contact
from transports.describe import Answers, Description, Field, Prompt, Registration, Wrong
from transports.errors import LegacyError
from transports.events import Address, Known
from transports.gateway_seams import Users
from transports.words import CATALOGS
from transports.xmpp import desk, register

NS = "{jabber:iq:register}"
X = "{jabber:x:data}"
ADA = "ada@example.org"
DESK = f"{ADA}/desk"
PHONE = f"{ADA}/phone"

USERNAME = Field("username", "Screen name", required=True, legacy="username")
PASSWORD = Field("password", "Password", "secret", required=True, legacy="password")
AREA = Field("area", "Area", "choice", "Where you are.", default="eu", options={"eu": "Europe", "us": "America"})


def lower(typed: str) -> str:
    if not typed.isalnum():
        raise ValueError("Letters and digits only.")
    return typed.lower()


class Bank(FarBridge):
    """A far side with accounts: `taken` is somebody else's, and a password must not be `wrong`."""

    def __init__(self, *fields: Field, required: bool = True) -> None:
        super().__init__()
        fields = fields or (USERNAME, PASSWORD)
        self.description = Description(
            Prompt("Contact ID"), Registration(fields, "Please provide your screen name and password.", required)
        )
        self.asked: list[tuple[Answers, Answers | None]] = []
        self.left: list[Answers] = []
        self.gate: asyncio.Event | None = None

    def describe(self, user: str) -> Description:
        return self.description

    async def register(self, user: str, answers: Answers, before: Answers | None) -> Answers:
        self.asked.append((answers, before))
        if self.gate is not None:
            await self.gate.wait()
        if answers.get("username") == "broken":
            raise RuntimeError("a bug")
        if answers.get("username") == "taken":
            raise Wrong({"username": "Somebody else has this."}, "conflict")
        if answers.get("password") == "wrong":
            raise Wrong({"password": "The far side refuses it."}, "not-authorized")
        if answers.get("password") == "down":
            raise LegacyError("remote-server-timeout", "The far side is away.", retry_after=60)
        return {**answers, "token": "t-1"}

    async def unregister(self, user: str, answers: Answers) -> None:
        self.left.append(answers)
        if self.gate is not None:
            await self.gate.wait()


class Scene(House):
    """Somebody and the gateway; `say` is one iq and what comes of it."""

    bridge: Bank

    def __init__(self, *fields: Field, required: bool = True) -> None:
        super().__init__(bridge=Bank(*fields, required=required))

    async def settle(self) -> None:
        await until(lambda: not len(self.desk.tasks))

    def ask(self, kind: str, inner: str, sender: str = DESK, to: str = DOMAIN, lang: str = "") -> None:
        said = f" xml:lang='{lang}'" if lang else ""
        query = f"<query xmlns='jabber:iq:register'>{inner}</query>"
        self.stanza(f"<iq from='{sender}' to='{to}' id='reg1' type='{kind}'{said}>{query}</iq>")

    async def said(self, kind: str, inner: str, sender: str = DESK, to: str = DOMAIN, lang: str = "") -> ET.Element:
        """The answer to an iq; what else was sent stays in `out`."""
        self.out.clear()
        self.ask(kind, inner, sender, to, lang)
        await self.settle()
        return ET.fromstring(self.out.pop(0))

    async def set(self, inner: str, sender: str = DESK, lang: str = "") -> ET.Element:
        return await self.said("set", inner, sender, lang=lang)

    async def get(self, sender: str = DESK, lang: str = "") -> ET.Element:
        answer = await self.said("get", "", sender, lang=lang)
        query = answer.find(f"{NS}query")
        assert answer.get("type") == "result" and query is not None
        return query

    def answers(self, user: str = ADA) -> Answers | None:
        return self.desk.accounts.answers(user)


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    catalogs.load()
    yield
    CATALOGS.clear()


def legacy(**values: str) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())


def form(kind: str = "submit", form_type: str = "jabber:iq:register", **values: str) -> str:
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in values.items())
    hidden = f"<field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>" if form_type else ""
    return f"<x xmlns='jabber:x:data' type='{kind}'>{hidden}{fields}</x>"


GOOD = legacy(username="RomeoMyRomeo", password="ILoveJuliet")
KEPT = {"username": "RomeoMyRomeo", "password": "ILoveJuliet", "token": "t-1"}


def shape(query: ET.Element) -> list[tuple[str, str | None]]:
    """The elements of an answer that are XEP-0077's own."""
    return [(child.tag.removeprefix(NS), child.text) for child in query if child.tag.startswith(NS)]


def fields(query: ET.Element) -> dict[str, list[str | None]]:
    return {field.get("var", ""): [value.text for value in field.iter(f"{X}value")] for field in query.iter(f"{X}field")}


# XEP-0100 -------------------------------------------------------------------------------------------------------------


async def test_xep_0100_register() -> None:
    scene = Scene()
    assert shape(await scene.get()) == [
        ("instructions", "Please provide your screen name and password."),
        ("username", None),
        ("password", None),
    ]
    answer = await scene.set(GOOD)
    assert (answer.get("type"), answer.get("from"), answer.get("to"), answer.get("id")) == ("result", DOMAIN, DESK, "reg1")
    assert len(answer) == 0
    assert scene.answers() == KEPT and scene.bridge.asked == [({"username": "RomeoMyRomeo", "password": "ILoveJuliet"}, None)]
    assert [(stanza.get("type"), stanza.get("from"), stanza.get("to")) for stanza in scene.sent()] == [
        ("subscribe", DOMAIN, ADA)  # after the answer
    ]


async def test_xep_0100_register_is_not_verified() -> None:
    scene = Scene()
    answer = await scene.set(legacy(username="RomeoMyRomeo", password="wrong"))
    assert condition(answer) == "not-authorized"
    assert words(answer) == "Password: The far side refuses it."
    assert scene.answers() is None and scene.out == []
    assert answer.find(f"{NS}query") is None  # XEP-0077 3.3: what was sent is not sent back


async def test_xep_0100_edit_registration() -> None:
    scene = Scene()
    await scene.set(GOOD)
    query = await scene.get()
    assert shape(query)[0] == ("registered", None)
    assert shape(query)[2:] == [("username", "RomeoMyRomeo"), ("password", None)]
    answer = await scene.set(legacy(username="RomeoMyRomeo", password="B4lc0ny"), PHONE)
    assert answer.get("type") == "result" and scene.out == []  # no second welcome
    assert scene.answers() == {**KEPT, "password": "B4lc0ny"}
    assert scene.bridge.asked[-1] == ({"username": "RomeoMyRomeo", "password": "B4lc0ny"}, KEPT)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (legacy(username="RomeoMyRomeo", password="wrong"), "not-authorized"),
        (legacy(username="taken", password="B4lc0ny"), "conflict"),
        (legacy(username="RomeoMyRomeo", password="down"), "remote-server-timeout"),
        (legacy(username="broken", password="B4lc0ny"), "internal-server-error"),
        (legacy(username="", password="B4lc0ny"), "not-acceptable"),
    ],
)
async def test_a_change_that_fails_leaves_all_as_it_was(values: str, error: str) -> None:
    scene = Scene()
    await scene.set(GOOD)
    assert condition(await scene.set(values)) == error
    assert scene.answers() == KEPT
    assert shape(await scene.get())[2] == ("username", "RomeoMyRomeo")


async def test_xep_0100_unregister() -> None:
    scene = Scene()
    await scene.set(GOOD)
    scene.desk.contacts.put(ADA, Contact(Address("person", "bob")))
    answer = await scene.set("<remove/>", PHONE)
    assert (answer.get("type"), answer.get("to"), len(answer)) == ("result", PHONE, 0)
    after = [stanza for stanza in scene.sent() if stanza.get("from", "").partition("/")[0] == DOMAIN]
    assert {stanza.get("type") for stanza in after} == {"unsubscribe", "unsubscribed", "unavailable"}
    assert {(stanza.tag, (stanza.get("to") or "").partition("/")[0]) for stanza in after} == {("presence", ADA)}
    assert scene.answers() is None and scene.desk.contacts.of(ADA) == [] and scene.bridge.left == [KEPT]
    assert "registered" not in dict(shape(await scene.get()))


async def test_unregistering_ends_the_session() -> None:
    scene = Scene()
    await scene.set(GOOD)
    scene.stanza(f"<presence from='{DESK}' to='#c@{DOMAIN}/ada'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    assert ADA in scene.wing.visitors
    session = scene.bridge.sessions[ADA]
    await scene.said("set", "<remove/>")
    assert scene.wing.visitors == {} and session.closed


async def test_a_user_who_left_can_come_back_and_is_asked_everything_again() -> None:
    scene = Scene()
    await scene.set(GOOD)
    await scene.set("<remove/>")
    assert condition(await scene.set(legacy(username="RomeoMyRomeo", password=""))) == "not-acceptable"
    assert (await scene.set(GOOD)).get("type") == "result"
    assert scene.bridge.asked[-1][1] is None


# XEP-0077 -------------------------------------------------------------------------------------------------------------

CONTEST = (
    Field("first", "Given Name", required=True, legacy="first"),
    Field("last", "Family Name", required=True, legacy="last"),
    Field("email", "Email Address", required=True, legacy="email"),
    Field("x-gender", "Gender", "choice", required=True, options={"M": "Male", "F": "Female"}),
)


async def test_xep_0077_form() -> None:
    scene = Scene(*CONTEST)
    query = await scene.get()
    x = query.find(f"{X}x")
    assert x is not None and x.get("type") == "form"
    assert fields(query)["FORM_TYPE"] == ["jabber:iq:register"]
    assert [field.get("var") for field in x.iter(f"{X}field") if field.find(f"{X}required") is not None] == [
        "first",
        "last",
        "email",
        "x-gender",
    ]
    # 4 (table of precedence): old elements do not say all that is required, so there are none, but words
    assert [tag for tag, _ in shape(query)] == ["instructions"]
    assert f"send “register” to {DOMAIN}" in (shape(query)[0][1] or "")
    answer = await scene.set(form(**{"first": "Juliet", "last": "Capulet", "email": "juliet@capulet.com", "x-gender": "F"}))
    assert answer.get("type") == "result"
    assert scene.answers() == {
        "first": "Juliet",
        "last": "Capulet",
        "email": "juliet@capulet.com",
        "x-gender": "F",
        "token": "t-1",
    }


async def test_xep_0077_username_conflict() -> None:
    answer = await Scene().set(legacy(username="taken", password="m1cro$oft"))
    assert condition(answer) == "conflict" and words(answer) == "Screen name: Somebody else has this."
    error = answer.find("error")
    assert error is not None and error.get("type") == "cancel"


@pytest.mark.parametrize(
    "values",
    [
        "<username>bill</username>",
        "<username>bill</username><password/>",
        "<username>bill</username><password></password>",
        "<username> </username><password/>",
        "",
        form(username="bill"),
        form(),
    ],
)
async def test_xep_0077_some_required_information_not_provided(values: str) -> None:
    scene = Scene()
    answer = await scene.set(values)
    assert condition(answer) == "not-acceptable" and "Password: This is needed." in words(answer)
    assert scene.answers() is None and scene.bridge.asked == []


async def test_xep_0077_an_empty_password_is_the_old_one() -> None:
    scene = Scene()
    await scene.set(GOOD)
    assert (await scene.set(legacy(username="Romeo", password=""))).get("type") == "result"
    assert scene.answers() == {**KEPT, "username": "Romeo"}
    assert (await scene.set(form(username="Tybalt"))).get("type") == "result"
    assert scene.answers() == {**KEPT, "username": "Tybalt"}


async def test_xep_0077_the_end_goes_with_nothing_else() -> None:
    scene = Scene()
    await scene.set(GOOD)
    bill = "<username>bill</username>"
    for inner in (f"<remove/>{bill}", f"{bill}<remove/>", "<remove/><remove/>", f"<remove/>{form()}", "<remove><x/></remove>"):
        answer = await scene.set(inner)
        assert condition(answer) == "bad-request" and words(answer)
    assert scene.answers() == KEPT


async def test_xep_0077_the_end_of_no_registration() -> None:
    answer = await Scene().set("<remove/>")
    assert condition(answer) == "registration-required" and DOMAIN in words(answer)


async def test_xep_0077_the_form_takes_precedence_and_may_be_cancelled() -> None:
    scene = Scene()
    assert (await scene.set(form("cancel"))).get("type") == "result"
    assert scene.answers() is None
    await scene.set(legacy(username="Old", password="old") + form(username="New", password="new"))
    assert scene.answers() == {"username": "New", "password": "new", "token": "t-1"}


# What is asked --------------------------------------------------------------------------------------------------------


async def test_secrets_are_never_shown() -> None:
    scene = Scene(USERNAME, PASSWORD, Field("pin", "PIN", "secret", legacy="misc"))
    await scene.set(legacy(username="RomeoMyRomeo", password="canary-1", misc="canary-2"))
    text = ET.tostring(await scene.get(), encoding="unicode")
    assert "RomeoMyRomeo" in text and "canary" not in text


async def test_a_registered_user_sees_in_the_form_what_stands() -> None:
    scene = Scene(USERNAME, AREA)
    assert fields(await scene.get())["area"] == ["eu", "eu", "us"]
    await scene.set(form(username="ada", area="us"))
    shown = fields(await scene.get())
    assert shown["username"] == ["ada"] and shown["area"] == ["us", "eu", "us"]


async def test_a_client_without_forms_leaves_alone_what_it_cannot_show() -> None:
    scene = Scene(USERNAME, AREA)
    await scene.set(form(username="ada", area="us"))
    await scene.set(legacy(username="ada2"))
    assert scene.answers() == {"username": "ada2", "area": "us", "token": "t-1"}


async def test_an_old_client_is_offered_old_elements_once_what_it_cannot_show_is_known() -> None:
    scene = Scene(USERNAME, AREA._replace(required=True, default=None))
    assert [tag for tag, _ in shape(await scene.get())] == ["instructions"]
    await scene.set(form(username="ada", area="us"))
    assert [tag for tag, _ in shape(await scene.get())] == ["registered", "instructions", "username"]


async def test_every_field_that_is_wrong_is_named() -> None:
    scene = Scene(USERNAME._replace(check=lower), PASSWORD, AREA)
    answer = await scene.set(form(username="a b", area="mars"))
    assert condition(answer) == "not-acceptable"
    assert words(answer) == "Screen name: Letters and digits only. Password: This is needed. Area: This is none of the choices."


async def test_a_check_makes_an_answer_canonical() -> None:
    scene = Scene(USERNAME._replace(check=lower))
    await scene.set(legacy(username="  ADA "))
    assert scene.answers() == {"username": "ada", "token": "t-1"}


async def test_what_nobody_asked_for_is_ignored() -> None:
    """XEP-0004 3.1; old clients send back all that they were shown, and <key/>."""
    scene = Scene()
    await scene.set(f"<registered/><instructions>x</instructions><key>k</key><email>e</email><z xmlns='z'/>{GOOD}")
    assert scene.answers() == KEPT
    await scene.set(form(username="Tybalt", admin="1"))
    assert scene.answers() == {**KEPT, "username": "Tybalt"}


async def test_in_the_users_language() -> None:
    scene = Scene()
    query = await scene.get(lang="de")
    assert "Registrierung bei" in ET.tostring(query, encoding="unicode")
    assert words(await scene.set("<username>bill</username>", lang="de")) == "Password: Diese Angabe fehlt."
    assert words(await scene.set("<remove/>")) == f"Du bist bei {DOMAIN} nicht registriert."  # remembered


@pytest.mark.parametrize(
    ("to", "error"),
    [
        (f"#c@{DOMAIN}", "feature-not-implemented"),
        (f"#c@{DOMAIN}/bob", "feature-not-implemented"),
        (f"bob@{DOMAIN}", "service-unavailable"),
        (f"desk@{DOMAIN}", "service-unavailable"),
        (f"no!thing@{DOMAIN}", "jid-malformed"),
    ],
)
async def test_elsewhere_there_is_no_registration(to: str, error: str) -> None:
    scene = Scene()
    for kind, inner in (("get", ""), ("set", GOOD), ("set", "<remove/>")):
        answer = await scene.said(kind, inner, to=to)
        assert condition(answer) == error and words(answer)
    assert scene.answers() is None


async def test_a_stranger_may_not_even_ask() -> None:
    scene = Scene()
    for kind, inner in (("get", ""), ("set", GOOD), ("set", "<remove/>")):
        assert condition(await scene.said(kind, inner, "eve@evil.example/x")) == "forbidden"


async def test_the_user_is_the_sender_and_nobody_else() -> None:
    scene = Scene()
    await scene.set(GOOD)
    await scene.set(legacy(username="Eve", password="x"), "eve@example.org/x")
    await scene.set("<remove/>", "eve@example.org/x")
    assert scene.answers() == KEPT and scene.desk.accounts.users() == [ADA]


# Who asks too much ----------------------------------------------------------------------------------------------------


async def test_a_password_cannot_be_guessed() -> None:
    scene = Scene()
    now = [0.0]
    scene.desk.register.attempts.clock = lambda: now[0]
    wrong = legacy(username="RomeoMyRomeo", password="wrong")
    answers = []
    for minute in range(7):
        now[0] = 60.0 * minute
        answers.append(await scene.set(wrong))
    assert [condition(answer) for answer in answers] == ["not-authorized"] * 5 + ["resource-constraint"] * 2
    assert len(scene.bridge.asked) == 5 and words(answers[5]).endswith("55 min.")
    assert condition(await scene.set(GOOD)) == "resource-constraint"
    assert (await scene.set(GOOD, "eve@example.org/x")).get("type") == "result"  # others are not held up
    now[0] = register.WITHIN
    assert (await scene.set(GOOD)).get("type") == "result"


@pytest.mark.parametrize(("users", "most"), [(("*",), register.MOST_FOREIGN), (("*", "else.where"), register.MOST_FOREIGN + 2)])
async def test_another_name_on_a_server_of_ones_own_is_no_other_user(users: tuple[str, ...], most: int) -> None:
    scene = Scene()
    scene.wing.users = Users(frozenset(users))
    wrong = legacy(username="RomeoMyRomeo", password="wrong")
    senders = [f"u{number}@else.where/x" for number in range(register.MOST_FOREIGN + 2)]
    answers = [await scene.set(wrong if number % 2 else GOOD, sender) for number, sender in enumerate(senders)]
    assert sum(condition(answer) != "resource-constraint" for answer in answers) == len(scene.bridge.asked) == most
    assert (await scene.set(GOOD)).get("type") == "result"  # others are not held up


async def test_coming_and_going_is_bounded_too() -> None:
    scene = Scene()
    for _ in range(register.MOST):
        assert (await scene.set(GOOD)).get("type") == "result"
        assert (await scene.set("<remove/>")).get("type") == "result"
    assert condition(await scene.set(GOOD)) == "resource-constraint"


async def test_what_the_gateway_itself_refuses_costs_no_attempt_and_neither_does_a_change() -> None:
    scene = Scene()
    for _ in range(register.MOST + 1):
        assert condition(await scene.set(legacy(username=""))) == "not-acceptable"
        assert (await scene.set(GOOD)).get("type") == "result"


async def test_a_bridge_is_not_asked_to_verify_changes_without_end() -> None:
    scene = Scene()
    for _ in range(1 + register.CHANGES):
        assert (await scene.set(GOOD)).get("type") == "result"
    assert condition(await scene.set(GOOD)) == "resource-constraint"


def test_attempts_are_remembered_of_so_many_users() -> None:
    attempts = register.Attempts(lambda: 0.0)
    for number in range(register.REMEMBERED + 1):
        for _ in range(register.MOST):
            attempts.count(f"u{number}")
    attempts.check("u0")  # forgotten
    with pytest.raises(LegacyError):
        attempts.check("u1")


async def test_one_change_at_a_time() -> None:
    scene = Scene()
    scene.bridge.gate = asyncio.Event()
    scene.ask("set", GOOD)
    await until(lambda: scene.bridge.asked)
    scene.ask("set", legacy(username="Other", password="x"), PHONE)
    scene.ask("set", "<remove/>", PHONE)
    await until(lambda: len(scene.out) == 2)
    assert [condition(answer) for answer in scene.sent()] == ["resource-constraint"] * 2
    scene.bridge.gate.set()
    await scene.settle()
    assert ET.fromstring(scene.out[0]).get("type") == "result" and scene.answers() == KEPT
    assert (await scene.set("<remove/>")).get("type") == "result"


async def test_a_bridge_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "PATIENCE", 0.01)
    scene = Scene()
    scene.bridge.gate = asyncio.Event()
    answer = await scene.set(GOOD)
    assert condition(answer) == "remote-server-timeout" and words(answer) and scene.answers() is None


NESTED = "<query xmlns='jabber:iq:register'>" * 50 + "</query>" * 50
HOSTILE = [
    NESTED,
    "<username><username>x</username></username><password>x</password>",
    "<username>x</username><username>y</username><password>x</password>",
    "<password>x</password><username>x</username><password>y</password>",
    form(username="x", password="y") * 2,
    form("form", username="x", password="y"),
    form("result", username="x", password="y"),
    form("", username="x", password="y"),
    form(form_type="jabber:iq:register:cancel", username="x", password="y"),
    form(form_type="http://jabber.org/protocol/admin", username="x", password="y"),
    "<username>x</username>" * 101,
    "<z/>" * 5_000,
    f"<username>{'x' * 50_000}</username><password>y</password>",
    f"<username>x</username><password>{'y' * 50_000}</password>",
    form(username="x" * 50_000, password="y"),
    form(**{f"f{number}": "x" for number in range(1_000)}),
    "<username>x\ny</username><password>y</password>",
]


@pytest.mark.parametrize("inner", HOSTILE)
async def test_hostile_queries_are_refused_with_words_and_nothing_happens(inner: str) -> None:
    scene = Scene()
    answer = await scene.set(inner)
    assert condition(answer) in ("bad-request", "not-acceptable") and words(answer)
    assert scene.answers() is None and scene.bridge.asked == [] and scene.out == []


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="￾￿"), max_size=40)
ELEMENT = st.sampled_from(["username", "password", "remove", "key", "email", "registered", "x", "query"])


@given(st.lists(st.tuples(ELEMENT, TEXT), max_size=6))
def test_whatever_is_sent_is_answered_once_and_a_secret_is_not_shown(children: list[tuple[str, str]]) -> None:
    async def scene() -> None:
        scene = Scene()
        query = ET.Element("query", xmlns="jabber:iq:register")
        for tag, text in children:
            ET.SubElement(query, tag).text = text
        for _ in range(2):
            answer = await scene.set("".join(ET.tostring(child, encoding="unicode") for child in query))
            assert answer.tag == "iq" and answer.get("type") in ("result", "error")
            assert all(stanza.tag == "presence" for stanza in scene.sent())
        assert (scene.answers() is None) == (ADA not in scene.desk.accounts)

    asyncio.run(scene())


# A bridge that asks for nothing ---------------------------------------------------------------------------------------

NOTIFY = Field("notify", "Tell me of mentions", "switch", default=False)
KEY = Field("key", "Key", "secret")


class Free(Scene):
    def __init__(self, *preferences: Field) -> None:
        super().__init__()
        self.bridge.description = Description(Prompt("Nickname"), preferences=preferences)


async def test_where_nothing_is_asked_registering_is_about_preferences() -> None:
    scene = Free(NOTIFY)
    query = await scene.get()
    assert [tag for tag, _ in shape(query)] == ["instructions"] and "needs no registration" in (shape(query)[0][1] or "")
    shown = fields(query)
    assert shown["language"] == ["auto", "auto", "de", "en"] and shown["roster"] == ["1"] and shown["notify"] == ["0"]
    assert (await scene.set(form(notify="1", roster="0", language="de"))).get("type") == "result"
    account = scene.desk.accounts.get(ADA)
    assert account is not None and account.preferences == {
        "language": "de", "roster": False, "reactions": False, "notify": True
    }  # fmt: skip
    assert dict(shape(await scene.get())) | {"instructions": ""} == {"registered": None, "instructions": ""}
    assert not scene.desk.roster.lists(ADA)


async def test_an_old_client_registers_with_nothing() -> None:
    scene = Free(NOTIFY)
    assert (await scene.set("")).get("type") == "result"
    assert scene.desk.role(ADA) == "registered" and scene.desk.accounts.preference(ADA, "notify") is False
    assert (await scene.set("<remove/>")).get("type") == "result"
    assert scene.desk.role(ADA) == "user"


async def test_a_chosen_language_is_spoken_whatever_the_client_says() -> None:
    scene = Free()
    await scene.set(form(language="de"))
    assert words(await scene.set("<remove/><remove/>", lang="en")).startswith("Wer sich abmeldet")
    await scene.set(form(language="auto"))
    assert words(await scene.set("<remove/><remove/>", lang="en")).startswith("A request to unregister")


async def test_languages_are_called_by_their_own_names_in_every_language() -> None:
    asked = await Free().get(lang="de")
    options = [option.get("label") for option in asked.iter("{jabber:x:data}option")]
    assert options[-2:] == ["Deutsch", "English"] and len(set(options)) == 3


async def test_contacts_come_into_the_contact_list_once_they_are_wanted_there() -> None:
    scene = Free()
    await scene.set(form(roster="0"))
    scene.desk.roster.tell(ADA, Known(Address("person", "bob")))
    assert [stanza.get("from") for stanza in scene.sent()] == [DOMAIN]
    scene.stanza(f"<presence from='{DESK}' to='{DOMAIN}' type='unavailable'/>")  # no client there that takes a list
    await scene.set(form(roster="1"))
    assert [(stanza.get("type"), stanza.get("from")) for stanza in scene.sent()] == [("subscribe", f"bob@{DOMAIN}")]


async def test_secret_preferences_stay_when_left_empty() -> None:
    scene = Free(KEY)
    await scene.set(form(key="canary"))
    await scene.set(form(language="de"))
    assert scene.desk.accounts.preference(ADA, "key") == "canary"
    assert "canary" not in ET.tostring(await scene.get(), encoding="unicode")


# Commands (XEP-0050) --------------------------------------------------------------------------------------------------


async def test_register_is_a_command_of_that_node() -> None:
    scene = Scene(USERNAME._replace(check=lower), PASSWORD)
    caller = await Caller(scene, DESK).execute("jabber:iq:register")
    assert caller.fields == {"username": [], "password": []}
    await caller.submit(username="a b", password="")
    assert caller.status == "executing" and "Letters and digits only." in caller.text and scene.bridge.asked == []
    await caller.submit(username="ada", password="wrong")
    assert caller.status == "executing" and "The far side refuses it." in caller.text
    assert caller.fields == {"username": ["ada"], "password": []} and scene.answers() is None
    await caller.submit(username="ada", password="right")
    assert caller.status == "completed" and caller.text == f"You are registered with {DOMAIN}."
    assert scene.answers() == {"username": "ada", "password": "right", "token": "t-1"}


async def test_a_registration_is_changed_by_command_and_the_secret_may_stay() -> None:
    scene = Scene()
    await scene.set(GOOD)
    caller = await Caller(scene, PHONE).execute("jabber:iq:register")
    assert caller.fields == {"username": ["RomeoMyRomeo"], "password": []} and "Leave it empty" in caller.text
    assert "ILoveJuliet" not in ET.tostring(caller.answer, encoding="unicode")
    await caller.submit(username="Tybalt", password="wrong")
    assert caller.status == "executing" and scene.answers() == KEPT
    await caller.submit(username="Tybalt", password="")
    assert caller.text == "Your registration is changed." and scene.answers() == {**KEPT, "username": "Tybalt"}


async def test_a_form_that_is_older_than_the_registration_changes_nothing() -> None:
    scene = Scene()
    await scene.set(GOOD)
    caller = await Caller(scene, DESK).execute("jabber:iq:register")
    scene.sent()
    scene.ask("set", legacy(username="RomeoMyRomeo", password="B4lc0ny"), PHONE)
    await until(lambda: scene.out)
    await caller.submit(username="Tybalt", password="")  # it would bring the old password back
    assert caller.status == "completed" and "in the meantime" in caller.text
    assert scene.answers() == {**KEPT, "password": "B4lc0ny"}


async def test_guessing_by_command_is_bounded_like_guessing_by_iq() -> None:
    scene = Scene()
    caller = await Caller(scene, DESK).execute("jabber:iq:register")
    for _ in range(register.MOST):
        assert caller.status == "executing"
        await caller.submit(username="ada", password="wrong")
    await caller.submit(username="ada", password="right")
    assert caller.status == "completed" and "too often" in caller.text and scene.answers() is None


async def test_unregister_says_what_goes_and_asks() -> None:
    scene = Scene()
    await scene.set(GOOD)
    scene.desk.contacts.put(ADA, Contact(Address("person", "bob")))
    caller = await Caller(scene, DESK).execute("unregister")
    assert "your contacts here (1)" in caller.text and scene.answers() == KEPT
    await caller.submit(confirm="0")
    assert caller.status == "completed" and scene.answers() == KEPT
    await caller.execute("unregister")
    await caller.yes()
    assert (caller.status, caller.text) == ("completed", "You have unregistered.")
    await scene.settle()
    assert scene.answers() is None and scene.bridge.left == [KEPT] and scene.desk.contacts.of(ADA) == []


async def test_unregister_is_for_the_registered() -> None:
    scene = Scene()
    assert (await Caller(scene, DESK).execute("unregister")).refused == "forbidden"
    assert (await Caller(scene, DESK).execute("jabber:iq:register")).status == "executing"


async def test_who_has_only_set_something_can_have_it_forgotten() -> None:
    """A bridge that needs no registration keeps what is set all the same."""
    scene = Scene(required=False)
    await scene.desk.options.put(ADA, Address("room", "#c"), {"persistent": True})
    caller = await Caller(scene, DESK).execute("unregister")
    await caller.yes()
    assert (caller.status, caller.text) == ("completed", "You have unregistered.")
    assert scene.desk.options.users() == [] and not scene.desk.keeps(ADA)
    assert (await Caller(scene, DESK).execute("unregister")).refused == "forbidden"


async def test_who_has_given_nothing_can_have_what_was_said_forgotten(tmp_path: Path) -> None:
    scene = Scene(required=False)
    scene.wing.archives = archives = Archives(tmp_path / "archive.db")
    for user in (ADA, "eve@example.org"):
        archives.of(scene.bridge.name, user, Address("room", "#c")).keep("17a0000000000008", "bob", "bob", "<body>hello</body>")
    caller = await Caller(scene, DESK).execute("unregister")
    await caller.yes()
    assert (caller.status, caller.text) == ("completed", "You have unregistered.")
    assert not await archives.holds(scene.bridge.name, ADA)
    with pytest.raises(LegacyError, match="not registered"):
        await scene.desk.unregister(ADA)
    await archives.close()


async def test_preferences_are_for_the_registered_where_there_is_something_to_register() -> None:
    scene = Scene()
    caller = await Caller(scene, DESK).execute("preferences")
    assert (caller.refused, words(caller.answer)) == ("forbidden", "Register first; then you can do this.")
    await scene.set(GOOD)
    await caller.execute("preferences")
    await caller.submit(language="de", roster="0")
    assert caller.status == "completed" and scene.answers() == KEPT
    await caller.execute("preferences")
    assert caller.fields == {"language": ["de"], "roster": ["0"], "reactions": ["0"]}
    assert "Einstellungen" in caller.text


@pytest.mark.parametrize("node", ["jabber:iq:register", "preferences"])
async def test_where_nothing_is_asked_both_commands_are_the_same(node: str) -> None:
    scene = Free(NOTIFY, KEY)
    caller = await Caller(scene, DESK, "de").execute(node)
    assert set(caller.fields) == {"language", "roster", "reactions", "notify", "key"}
    await caller.submit(language="auto", roster="1", notify="1", key="canary")
    assert caller.status == "completed" and scene.desk.role(ADA) == "registered"
    await scene.settle()
    assert scene.desk.accounts.preference(ADA, "notify") is True
    account = scene.desk.accounts.get(ADA)
    assert account is not None and account.language == "de"
    await caller.execute(node)
    assert caller.fields["key"] == []
    await caller.submit(notify="0")
    assert scene.desk.accounts.preference(ADA, "key") == "canary"


# Accounts -------------------------------------------------------------------------------------------------------------


class Slow:
    """A store in which a save takes until it is let through."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def load(self) -> list[Account]:
        return []

    async def save(self, account: Account, secrets: object) -> None:
        await self.gate.wait()

    async def delete(self, user: str) -> None:
        await self.gate.wait()


async def test_two_changes_at_once_are_both_kept() -> None:
    store = Slow()
    accounts = Accounts(Bank().describe, store)
    changes = [accounts.register(ADA, {"a": "1"}), accounts.speaks(ADA, "de"), accounts.prefer(ADA, {"b": "2"})]
    tasks = [asyncio.ensure_future(change) for change in changes]
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(*tasks)
    account = accounts.get(ADA)
    assert account is not None
    assert (account.answers, account.preferences, account.language) == ({"a": "1"}, {"b": "2"}, "de")


async def test_a_client_that_speaks_another_language_each_time_costs_one_write_at_a_time() -> None:
    scene = Scene()
    store = Slow()
    store.gate.set()
    scene.desk.accounts = Accounts(scene.bridge.describe, store)
    await scene.set(GOOD)
    store.gate.clear()
    for number in range(1_000):
        scene.ask("get", "", lang=f"x-{number}")
    assert len(scene.desk.tasks) == 1
    store.gate.set()
    await scene.settle()
    account = scene.desk.accounts.get(ADA)
    assert account is not None and account.language == "x-999"


async def test_who_leaves_is_gone_whatever_is_heard_meanwhile() -> None:
    store = Slow()
    accounts = Accounts(Bank().describe, store)
    store.gate.set()
    await accounts.register(ADA, {})
    store.gate.clear()
    tasks = [asyncio.ensure_future(change) for change in (accounts.remove(ADA), accounts.speaks(ADA, "de"))]
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(*tasks)
    assert ADA not in accounts


async def test_a_bridge_that_never_undoes_a_registration_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "FAREWELL", 0.01)
    scene = Scene()
    await scene.set(GOOD)
    scene.bridge.gate = asyncio.Event()
    assert (await scene.set("<remove/>")).get("type") == "result"
    assert scene.bridge.left and scene.answers() is None


async def test_who_unregisters_slowly_is_told_in_the_end_that_it_is_done() -> None:
    scene = Scene()
    await scene.set(GOOD)
    caller = await Caller(scene, DESK).execute("unregister")
    scene.desk.commands.patience = 0.0
    scene.bridge.gate = asyncio.Event()
    await caller.yes()
    assert caller.status == "executing"
    scene.bridge.gate.set()
    await scene.settle()
    assert scene.answers() is None
    await caller.submit()
    assert (caller.status, caller.text) == ("completed", "You have unregistered.")
    assert not scene.desk.commands._sessions


# What there is before -------------------------------------------------------------------------------------------------


def offered(scene: Scene, sender: str = DESK) -> list[str]:
    """The nodes of the commands that somebody is shown at the gateway."""
    scene.out.clear()
    query = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"
    scene.stanza(f"<iq from='{sender}' to='{DOMAIN}' id='i' type='get'>{query}</iq>")
    return [item.get("node", "") for item in ET.fromstring(scene.out.pop())[0]]


async def test_who_must_register_first_is_offered_nothing_else() -> None:
    scene = Scene()
    assert offered(scene) == ["jabber:iq:register"]
    for node in ("preferences", "block", "unblock", "blocked", "add", "unregister"):
        assert (await Caller(scene, DESK).execute(node)).refused == "forbidden"
    await scene.set(GOOD)
    assert {"jabber:iq:register", "preferences", "block", "add", "unregister"} <= set(offered(scene))
    await scene.set("<remove/>")
    assert offered(scene) == ["jabber:iq:register"]


async def test_who_runs_the_gateway_does_so_without_being_registered() -> None:
    found = offered(Scene(), "root@example.org/x")
    assert "http://jabber.org/protocol/admin#get-registered-users-list" in found and "preferences" not in found


async def test_where_nobody_must_register_there_is_more_at_once() -> None:
    assert {"jabber:iq:register", "preferences", "block"} <= set(offered(Scene(required=False)))
