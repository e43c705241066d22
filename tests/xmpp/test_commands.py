"""Ad-hoc commands: XEP-0050's own examples, sessions, roles, long work; and clients that want more than is theirs."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from xml.etree import ElementTree as ET

import pytest

from tests.far import DOMAIN, House, condition, words
from transports.describe import AdHoc, Call, Done, Field, Form, Role, Table, Wrong
from transports.errors import LegacyError
from transports.events import Kind
from transports.words import CATALOGS, say
from transports.xmpp import commands
from transports.xmpp.commands import IDLE, MOST_EACH, NS
from transports.xmpp.xml import MAX_STANZA

DESK = "ada@example.org/desk"
ROOT = "root@example.org/x"
C = f"{{{NS}}}"
X = "{jabber:x:data}"
ITEMS = "http://jabber.org/protocol/disco#items"
INFO = "http://jabber.org/protocol/disco#info"
EVERY: Sequence[Role] = ("user", "registered", "admin")

SERVICES = {"httpd": "httpd", "jabberd": "jabberd", "postgresql": "postgresql"}
LEVELS = {"1": "Single-User", "2": "Non-Networked Multi-User", "3": "Full Multi-User", "5": "X-Window"}
STATES = {"off": "Active", "on": "Inactive"}
LIST = Table((("service", "Service"), ("runlevel-1", "Single-User mode")), [("httpd", "off"), ("postgresql", "off")])


class Responder:
    """XEP-0050's: a list, and a configuration of two stages; and what it has done."""

    def __init__(self) -> None:
        self.configured: list[tuple[object, ...]] = []
        self.go = asyncio.Event()

    async def list(self, call: Call) -> Done:
        return Done("", LIST)

    async def config(self, call: Call) -> Done:
        which = Field("service", "Service", "choice", options=SERVICES, required=True)
        first = await call.ask(Form("Configure Service", [which], "Please select the service to configure."))
        levels = Field("runlevel", "Run Modes", "choices", options=LEVELS, default=("3", "5"))
        state = Field("state", "Run State", "choice", options=STATES, default="off")
        words = f"Please select the run modes and state for '{first['service']}'."
        second = await call.ask(Form("Configure Service", [levels, state], words))
        await call.confirm("Is this right?")
        self.configured.append((first["service"], second["runlevel"], second["state"]))
        return Done(f"Service '{first['service']}' has been configured.")

    async def slow(self, call: Call) -> Done:
        call.progress("Half of it is done.")
        await self.go.wait()
        self.configured.append(("slow",))
        await call.ask(Form("More?", [Field("more", "More")]))
        self.configured.append(("more",))
        return Done("All of it is done.")

    async def fail(self, call: Call) -> Done:
        raise LegacyError("remote-server-timeout", say("ask.silent", who="The server"))

    async def crash(self, call: Call) -> Done:
        raise RuntimeError("hunter2")

    async def picky(self, call: Call) -> Done:
        fields = [Field("name", "Name", required=True), Field("password", "Password", "secret", required=True)]
        wrong: dict[str, str] = {}
        while True:
            given = await call.ask(Form("Who?", fields), wrong)
            if given["password"] == "right":
                return Done(f"Hello {given['name']}, {call.role} {call.user} {call.by} {call.at.kind} {call.language}.")
            wrong = {"password": "That is not it."}

    async def wrong(self, call: Call) -> Done:
        raise Wrong({"a": say("form.required"), "b": "Too short."})


EVERYWHERE: frozenset[Kind] = frozenset(("service", "server", "room", "person"))


@pytest.fixture
def responder() -> Responder:
    return Responder()


@pytest.fixture
async def house(responder: Responder) -> AsyncIterator[House]:
    house = House()
    house.desk.commands.add(
        AdHoc("list", "list", "List Service Configurations", responder.list),
        AdHoc("config", "config", "Configure Service", responder.config, EVERYWHERE),
        AdHoc("slow", "slow", "Slow", responder.slow),
        AdHoc("fail", "fail", "Fail", responder.fail),
        AdHoc("crash", "crash", "Crash", responder.crash),
        AdHoc("picky", "picky", "Picky", responder.picky, frozenset(("person",))),
        AdHoc("wrong", "wrong", "Wrong", responder.wrong),
        AdHoc("mine", "mine", "Mine", responder.list, role="registered"),
        AdHoc("reset", "reset", "Reset Service", responder.config, role="admin"),
    )
    yield house
    await house.desk.stop()


async def sent(house: House, count: int = 1) -> list[ET.Element]:
    """The answers that the house sends, as soon as there are as many; what else it sends is of no interest here."""
    answers: list[ET.Element] = []
    for _ in range(10_000):
        answers += [stanza for stanza in house.sent() if stanza.tag == "iq" and stanza.get("type") in ("result", "error")]
        if len(answers) >= count:
            break
        await asyncio.sleep(0)
    return answers


async def ask(house: House, iq: str, to: str = DOMAIN, sender: str = DESK, kind: str = "set") -> ET.Element:
    """The answer to an iq."""
    house.stanza(f"<iq type='{kind}' to='{to}' from='{sender}' id='exec1' xml:lang='en'>{iq}</iq>")
    (answer,) = await sent(house)
    assert (answer.get("id"), answer.get("to"), answer.get("from")) == ("exec1", sender, to)
    return answer


async def execute(house: House, node: str, to: str = DOMAIN, sender: str = DESK) -> ET.Element:
    answer = await ask(house, f"<command xmlns='{NS}' node='{node}' action='execute'/>", to, sender)
    return command(answer)


async def go_on(
    house: House, stage: ET.Element, inside: str = "", action: str = "next", to: str = DOMAIN, sender: str = DESK
) -> ET.Element:
    """The answer to the next request of a session, whatever it is."""
    node, id = stage.get("node", ""), stage.get("sessionid", "")
    asked = f"<command xmlns='{NS}' node='{node}' sessionid='{id}' action='{action}'>{inside}</command>"
    return await ask(house, asked, to, sender)


def command(answer: ET.Element) -> ET.Element:
    found = answer.find(f"{C}command")
    assert found is not None, ET.tostring(answer)
    return found


def form(**values: str | list[str]) -> str:
    fields = "".join(
        f"<field var='{var}'>{''.join(f'<value>{one}</value>' for one in ([value] if isinstance(value, str) else value))}</field>"
        for var, value in values.items()
    )
    return f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"


def actions(stage: ET.Element) -> tuple[str, list[str]]:
    found = stage.find(f"{C}actions")
    assert found is not None
    return found.get("execute", ""), [child.tag.removeprefix(C) for child in found]


def note(stage: ET.Element) -> tuple[str, str]:
    (found,) = stage.findall(f"{C}note")
    return found.get("type", ""), found.text or ""


def specific(answer: ET.Element) -> tuple[str, str, str]:
    """The type, the condition and XEP-0050's own condition of an error."""
    error = answer.find("error")
    assert error is not None
    own = [child.tag.removeprefix(C) for child in error if child.tag.startswith(C)]
    return error.get("type", ""), condition(answer), own[0] if own else ""


async def confirmed(house: House, to: str = DOMAIN, sender: str = DESK) -> ET.Element:
    """A configuration up to the question whether it is right."""
    stage = await execute(house, "config", to, sender)
    stage = command(await go_on(house, stage, form(service="httpd"), to=to, sender=sender))
    return command(await go_on(house, stage, form(runlevel=["3"], state="on"), to=to, sender=sender))


# XEP-0050's examples ----------------------------------------------------------------------------------------------------


async def test_discovering_support(house: House) -> None:
    answer = await ask(house, f"<query xmlns='{INFO}'/>", kind="get")
    assert NS in [feature.get("var") for feature in answer.iter(f"{{{INFO}}}feature")]


async def test_retrieving_the_command_list(house: House) -> None:
    answer = await ask(house, f"<query xmlns='{ITEMS}' node='{NS}'/>", kind="get")
    assert answer[0].get("node") == NS
    items = [(item.get("jid"), item.get("node"), item.get("name")) for item in answer[0]]
    assert (DOMAIN, "list", "List Service Configurations") in items and (DOMAIN, "config", "Configure Service") in items
    answer = await ask(house, f"<query xmlns='{INFO}' node='{NS}'/>", kind="get")
    assert [(found.get("category"), found.get("type")) for found in answer.iter(f"{{{INFO}}}identity")] == [
        ("automation", "command-list")
    ]


async def test_command_information(house: House) -> None:
    answer = await ask(house, f"<query xmlns='{INFO}' node='config'/>", kind="get")
    (identity,) = answer.iter(f"{{{INFO}}}identity")
    assert identity.attrib == {"category": "automation", "type": "command-node", "name": "Configure Service"}
    assert [feature.get("var") for feature in answer.iter(f"{{{INFO}}}feature")] == [NS, "jabber:x:data"]
    assert answer[0].get("node") == "config"


@pytest.mark.parametrize("action", ["", " action='execute'"])
async def test_simple_execution(house: House, action: str) -> None:
    stage = command(await ask(house, f"<command xmlns='{NS}' node='list'{action}/>"))
    assert (stage.get("node"), stage.get("status")) == ("list", "completed") and stage.get("sessionid")
    x = stage.find(f"{X}x")
    assert x is not None and x.get("type") == "result" and x.findtext(f"{X}title") == "List Service Configurations"
    assert len(x.findall(f"{X}item")) == 2 and stage.find(f"{C}actions") is None


async def test_a_client_that_shows_notes_alone_shows_the_rows_of_a_table_too(house: House) -> None:
    stage = await execute(house, "list")
    assert note(stage) == ("info", "Service · Single-User mode\n• httpd · off\n• postgresql · off")


async def test_a_note_tells_the_first_rows_of_a_long_table(house: House) -> None:
    async def many(call: Call) -> Done:
        return Done("There are many.", Table((("n", "Number"),), [(str(number),) for number in range(100)]))

    house.desk.commands.add(AdHoc("many", "many", "Many", many))
    stage = await execute(house, "many")
    lines = note(stage)[1].splitlines()
    assert lines[:2] == ["There are many.", "• 0"] and lines[-2:] == [f"• {commands.ROWS - 1}", "(80 more are not shown)"]
    assert len(stage.findall(f"{X}x/{X}item")) == 100


async def test_gajim_is_given_no_table_for_which_it_would_wait_for_ever(house: House) -> None:
    async def many(call: Call) -> Done:
        return Done("There are many.", Table((("n", "Number"),), [(str(number),) for number in range(100)]))

    house.desk.commands.add(AdHoc("many", "many", "Many", many))
    stage = await execute(house, "many", sender="ada@example.org/gajim.N2KJ0XCA")
    assert (stage.get("status"), stage.find(f"{X}x")) == ("completed", None)
    assert note(stage)[1].splitlines() == ["There are many.", *(f"• {number}" for number in range(100))]


async def test_multiple_stages(house: House, responder: Responder) -> None:
    stage = await execute(house, "config")
    assert (stage.get("status"), actions(stage)) == ("executing", ("next", ["next"]))
    assert stage.findtext(f"{X}x/{X}instructions") == "Please select the service to configure."
    id = stage.get("sessionid")
    stage = command(await go_on(house, stage, form(service="httpd"), "execute"))
    assert (stage.get("sessionid"), stage.get("status")) == (id, "executing")
    assert [value.text for value in stage.findall(f"{X}x/{X}field[@var='runlevel']/{X}value")] == ["3", "5"]
    stage = command(await go_on(house, stage, form(runlevel=["3"], state="on"), "execute"))
    assert actions(stage) == ("complete", ["complete"]) and responder.configured == []
    assert stage.findtext(f"{X}x/{X}instructions") == "Is this right?"
    stage = command(await go_on(house, stage, form(confirm="1"), "complete"))
    assert (stage.get("sessionid"), stage.get("status")) == (id, "completed")
    assert note(stage) == ("info", "Service 'httpd' has been configured.")
    assert responder.configured == [("httpd", ("3",), "on")]
    assert specific(await go_on(house, stage)) == ("cancel", "not-allowed", "session-expired")


async def test_canceling(house: House, responder: Responder) -> None:
    stage = await confirmed(house)
    over = command(await go_on(house, stage, action="cancel"))
    assert (over.get("status"), over.get("node"), over.get("sessionid")) == ("canceled", "config", stage.get("sessionid"))
    assert list(over) == []
    assert specific(await go_on(house, stage, form(confirm="1"))) == ("cancel", "not-allowed", "session-expired")
    assert responder.configured == []


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ("node='config' action='explode'", ("modify", "bad-request", "malformed-action")),
        ("node='config' sessionid='{id}' action='explode'", ("modify", "bad-request", "malformed-action")),
        ("node='config' sessionid='{id}' action='prev'", ("modify", "bad-request", "bad-action")),
        ("node='config' sessionid='{id}' action='next'", ("modify", "bad-request", "bad-payload")),
        ("node='config' sessionid='{id}'", ("modify", "bad-request", "bad-payload")),
        ("node='config' action='next'", ("modify", "bad-request", "bad-sessionid")),
        ("node='config' sessionid='' action='cancel'", ("modify", "bad-request", "bad-sessionid")),
        ("node='config' sessionid='config:20020923T213616Z-700'", ("modify", "bad-request", "bad-sessionid")),
        ("node='config' sessionid='é'", ("modify", "bad-request", "bad-sessionid")),
        ("node='list' sessionid='{id}'", ("modify", "bad-request", "bad-sessionid")),
        ("node='reset'", ("auth", "forbidden", "")),
        ("node='mine'", ("auth", "forbidden", "")),
        ("node='picky'", ("cancel", "item-not-found", "")),
        ("node='no such'", ("cancel", "item-not-found", "")),
        ("", ("cancel", "item-not-found", "")),
    ],
)
async def test_possible_errors(house: House, attributes: str, wanted: tuple[str, str, str]) -> None:
    stage = await execute(house, "config")
    answer = await ask(house, f"<command xmlns='{NS}' {attributes.replace('{id}', stage.get('sessionid', ''))}/>")
    assert specific(answer) == wanted and words(answer)
    assert command(await go_on(house, stage, form(service="httpd"))).get("status") == "executing"  # it goes on


# Forms ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["next", "complete", "execute"])
async def test_any_way_forward_goes_forward(house: House, action: str) -> None:
    stage = await execute(house, "config")
    stage = command(await go_on(house, stage, form(service="httpd"), action))
    assert stage.find(f"{X}x/{X}field[@var='runlevel']") is not None


async def test_a_wrong_answer_shows_the_form_again_with_what_is_wrong(house: House) -> None:
    stage = await execute(house, "config")
    for wrong in (form(service="ftpd"), form(service=""), form()):
        stage = command(await go_on(house, stage, wrong))
        assert stage.get("status") == "executing" and actions(stage) == ("next", ["next"])
        said = stage.findtext(f"{X}x/{X}field[@var='service']/{X}desc") or ""
        assert said.startswith("⚠") and said in (stage.findtext(f"{X}x/{X}instructions") or "").replace("Service: ", "")
    assert stage.findtext(f"{X}x/{X}field[@var='service']/{X}value") is None
    stage = command(await go_on(house, stage, form(service="httpd")))
    assert stage.find(f"{X}x/{X}field[@var='state']") is not None


async def test_a_command_may_ask_again_and_nothing_is_typed_twice(house: House) -> None:
    bob = f"bob@{DOMAIN}"
    stage = await execute(house, "picky", bob)
    stage = command(await go_on(house, stage, form(name="Ada", password="wr0ng"), to=bob))
    assert "wr0ng" not in ET.tostring(stage, "unicode")
    assert "That is not it." in (stage.findtext(f"{X}x/{X}instructions") or "")
    assert stage.findtext(f"{X}x/{X}field[@var='name']/{X}value") == "Ada"
    assert stage.find(f"{X}x/{X}field[@var='password']/{X}required") is not None  # the old one was wrong
    stage = command(await go_on(house, stage, form(name="", password="right"), to=bob))
    stage = command(await go_on(house, stage, form(name="Eve", password=""), to=bob))  # the right one is kept
    assert note(stage) == ("info", "Hello Eve, user ada@example.org ada@example.org/desk person en.")


@pytest.mark.parametrize("no", [form(confirm="0"), form()])
async def test_who_does_not_say_yes_is_not_taken_to_have(house: House, responder: Responder, no: str) -> None:
    stage = command(await go_on(house, await confirmed(house), no, "complete"))
    assert (stage.get("status"), note(stage)) == ("completed", ("info", "Nothing was done."))
    assert responder.configured == []


@pytest.mark.parametrize(
    ("x", "status"),
    [
        ("<x xmlns='jabber:x:data' type='cancel'/>", "canceled"),
        (form(service="httpd").replace("submit", "cancel"), "executing"),  # XEP-0050 3.6.1
        (form(service="httpd").replace("submit", "form"), "executing"),
    ],
)
async def test_forms_of_other_types(house: House, x: str, status: str) -> None:
    stage = command(await go_on(house, await execute(house, "config"), x))
    assert stage.get("status") == status and stage.find(f"{X}x/{X}field[@var='service']") is None


# How it ends ------------------------------------------------------------------------------------------------------------


async def test_a_failure_is_a_note_in_what_is_completed(house: House) -> None:
    stage = await execute(house, "fail")
    assert (stage.get("status"), note(stage)) == ("completed", ("error", "The server gave no answer in time."))
    assert note(await execute(house, "wrong")) == ("error", "This is needed. Too short.")


async def test_a_command_that_breaks_says_so_and_no_more(house: House, caplog: pytest.LogCaptureFixture) -> None:
    stage = await execute(house, "crash")
    assert (stage.get("status"), note(stage)[0]) == ("completed", "error") and "hunter2" not in note(stage)[1]
    assert "a command failed node=crash user=ada@example.org" in caplog.text


async def test_texts_are_in_the_readers_language(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGS, "de", {"ask.silent": "{who} schweigt.", "command.none": "Gibt es nicht."})
    for lang in ("de", "de-AT"):
        stage = command(await ask(house, f"<command xmlns='{NS}' node='fail' xml:lang='{lang}'/>"))
        assert note(stage) == ("error", "The server schweigt.")
        assert stage.get("{http://www.w3.org/XML/1998/namespace}lang") == lang
    stage = command(await ask(house, f"<command xmlns='{NS}' node='fail' xml:lang='tlh'/>"))
    assert stage.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


# Long work --------------------------------------------------------------------------------------------------------------


async def test_long_work_says_how_far_it_is(house: House, responder: Responder) -> None:
    house.desk.commands.patience = 0
    stage = await execute(house, "slow")
    for _ in range(3):
        assert (stage.get("status"), actions(stage)) == ("executing", ("next", ["next"]))
        assert [value.text for value in stage.iter(f"{X}value")] == ["Half of it is done."]
        stage = command(await go_on(house, stage))
    house.desk.commands.patience = 600
    house.stanza(
        f"<iq type='set' to='{DOMAIN}' from='{DESK}' id='1'><command xmlns='{NS}' node='slow' "
        f"sessionid='{stage.get('sessionid')}' action='next'/></iq>"
    )
    responder.go.set()
    (answer,) = await sent(house)
    stage = command(answer)
    assert stage.find(f"{X}x/{X}field[@var='more']") is not None
    stage = command(await go_on(house, stage, form(more="")))
    assert (stage.get("status"), note(stage)) == ("completed", ("info", "All of it is done."))


async def test_what_is_done_meanwhile_is_told_at_the_next_look(house: House, responder: Responder) -> None:
    house.desk.commands.patience = 0
    stage = await execute(house, "slow")
    responder.go.set()
    house.desk.commands.patience = 600
    stage = command(await go_on(house, stage))
    assert stage.find(f"{X}x/{X}field[@var='more']") is not None


async def test_what_is_at_work_finishes_its_step_when_it_is_canceled(house: House, responder: Responder) -> None:
    house.desk.commands.patience = 0
    stage = await execute(house, "slow")
    over = command(await go_on(house, stage, action="cancel"))
    assert over.get("status") == "canceled" and note(over)[0] == "warn"
    assert specific(await go_on(house, stage))[2] == "session-expired"
    responder.go.set()
    await settled(house)
    assert responder.configured == [("slow",)]  # the step to its end, and no other


async def settled(house: House, most: int = 0) -> None:
    """Until no more than so many of the desk's tasks run."""
    for _ in range(1_000):
        if len(house.desk.tasks) <= most:
            return
        await asyncio.sleep(0)
    raise AssertionError("something still runs")


# Who --------------------------------------------------------------------------------------------------------------------


async def test_everybody_is_listed_what_is_theirs(house: House) -> None:
    async def nodes(sender: str, to: str = DOMAIN) -> set[str]:
        answer = await ask(house, f"<query xmlns='{ITEMS}' node='{NS}'/>", to, sender, "get")
        return {item.get("node", "") for item in answer[0]}

    ours = {"list", "config", "mine", "reset"}
    assert await nodes(DESK) & ours == {"list", "config"}
    await house.desk.accounts.register("ada@example.org", {})
    assert await nodes(DESK) & ours == {"list", "config", "mine"}
    assert await nodes(ROOT) & ours == {"list", "config", "reset"}
    for place in (f"bob@{DOMAIN}", f"bob@{DOMAIN}/x", f"#c@{DOMAIN}/bob"):
        assert await nodes(DESK, place) >= {"config", "picky"}
    for place in (f"#c@{DOMAIN}", f"desk@{DOMAIN}"):
        found = await nodes(DESK, place)
        assert "config" in found and not found & {"picky", "list"}


@pytest.mark.parametrize("node", ["reset", "mine"])
async def test_what_is_not_theirs_tells_nothing(house: House, node: str) -> None:
    answer = await ask(house, f"<query xmlns='{INFO}' node='{node}'/>", kind="get")
    assert condition(answer) == "forbidden" and "Reset" not in ET.tostring(answer, "unicode")


async def test_a_role_is_looked_at_again_at_every_step(house: House, responder: Responder) -> None:
    house.desk.commands.add(AdHoc("own", "own", "Own", responder.config, role="registered"))
    await house.desk.accounts.register("ada@example.org", {})
    stage = await execute(house, "own")
    await house.desk.accounts.remove("ada@example.org")
    assert condition(await go_on(house, stage, form(service="httpd"))) == "forbidden"
    await house.desk.accounts.register("ada@example.org", {})
    assert specific(await go_on(house, stage, form(service="httpd")))[2] == "session-expired"


async def test_a_server_that_is_the_whole_service_has_its_commands(house: House) -> None:
    house.desk.service = house.bridge.address("desk")  # as IRC with a fixed server
    answer = await ask(house, f"<query xmlns='{ITEMS}' node='{NS}'/>", f"desk@{DOMAIN}", kind="get")
    assert "list" in {item.get("node") for item in answer[0]}


async def test_the_house_goes_before_a_bridge_with_the_same_node(house: House, responder: Responder) -> None:
    house.desk.commands.add(AdHoc("list", "list", "Another", responder.fail))
    found = house.desk.commands.available("ada@example.org", house.desk.service)
    assert [command.label for command in found if command.node == "list"] == ["List Service Configurations"]


async def test_addresses_say_that_they_have_commands_where_they_have() -> None:
    """The house's own; servers have a bridge's: IRC's to leave one."""
    house = House()
    for place in ("", "bob@", "bob@/x", "#c@", "#c@/bob"):
        local, slash, resource = place.partition("/")
        to = f"{local}{DOMAIN}{slash}{resource}"
        listed = await ask(house, f"<query xmlns='{ITEMS}' node='{NS}'/>", to, ROOT, "get")
        info = await ask(house, f"<query xmlns='{INFO}'/>", to, ROOT, "get")
        features = [feature.get("var") for feature in info.iter(f"{{{INFO}}}feature")]
        assert (NS in features) is bool(len(listed[0])), place


async def test_a_room_with_commands_says_so() -> None:
    """Converse.js lists no commands of an address without the feature."""
    house = House()
    house.desk.commands.add(AdHoc("tidy", "tidy", "Tidy up", _tidy, frozenset(("room",))))
    info = await ask(house, f"<query xmlns='{INFO}'/>", f"#c@{DOMAIN}", ROOT, "get")
    assert NS in [feature.get("var") for feature in info.iter(f"{{{INFO}}}feature")]


async def _tidy(call: Call) -> Done:
    return Done("Tidied up.")


# Ends -------------------------------------------------------------------------------------------------------------------


async def test_a_session_expires(house: House, responder: Responder) -> None:
    now = 0.0
    house.desk.commands.clock = lambda: now
    stage = await execute(house, "config")
    now = IDLE
    stage = command(await go_on(house, stage, form(service="httpd")))
    assert stage.get("status") == "executing"
    other = await execute(house, "config")
    now = IDLE * 2 + 1
    assert specific(await go_on(house, stage, form(state="on")))[2] == "session-expired"
    house.desk.sweep()
    await settled(house)
    assert specific(await go_on(house, other, form(service="httpd")))[2] == "session-expired"


async def test_sessions_end_with_the_registration_but_not_the_one_that_ends_it(house: House) -> None:
    async def leave(call: Call) -> Done:
        await call.confirm("Really?")
        await house.desk.unregister(call.user)
        return Done("Gone.")

    house.desk.commands.add(AdHoc("leave", "leave", "Leave", leave))
    await house.desk.accounts.register("ada@example.org", {})
    config, going = await execute(house, "config"), await execute(house, "leave")
    stage = command(await go_on(house, going, form(confirm="1"), "complete"))
    assert (stage.get("status"), note(stage)) == ("completed", ("info", "Gone."))
    assert specific(await go_on(house, config, form(service="httpd")))[2] == "session-expired"


# Hostile ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["ada@example.org/phone", "eve@example.org/desk", "example.org"])
@pytest.mark.parametrize("action", ["next", "execute", "complete", "cancel", "prev"])
async def test_a_session_belongs_to_one_full_jid(house: House, responder: Responder, sender: str, action: str) -> None:
    stage = await confirmed(house)
    answer = await go_on(house, stage, form(confirm="1"), action, sender=sender)
    assert specific(answer) == ("modify", "bad-request", "bad-sessionid")
    assert responder.configured == []
    await go_on(house, stage, form(confirm="1"))
    assert len(responder.configured) == 1


async def test_a_session_belongs_to_one_address(house: House, responder: Responder) -> None:
    stage = await confirmed(house)
    for to in (f"bob@{DOMAIN}", f"desk@{DOMAIN}", f"{DOMAIN}/x"):
        assert specific(await go_on(house, stage, form(confirm="1"), to=to))[2] == "bad-sessionid"
    assert responder.configured == []


async def test_ids_are_forged_in_vain(house: House, responder: Responder) -> None:
    stage = await confirmed(house)
    id = stage.get("sessionid", "")
    nonce = id[:16]
    digest = hashlib.sha256("\0".join((nonce, DESK, DOMAIN, "config")).encode()).hexdigest()[:32]
    for forged in (id[:-1], id + "0", id.upper(), nonce, "0" * 48, nonce + digest, id[::-1], f" {id}", "x" * 100_000):
        asked = f"<command xmlns='{NS}' node='config' sessionid='{forged}' action='next'>{form(confirm='1')}</command>"
        assert specific(await ask(house, asked))[2] == "bad-sessionid"
    assert responder.configured == []


async def test_ten_thousand_commands_of_one_user_leave_no_more_than_a_few(house: House) -> None:
    first = await execute(house, "config")
    for number in range(10_000):
        house.stanza(
            f"<iq type='set' to='{DOMAIN}' from='ada@example.org/{number % 7}' id='x'><command xmlns='{NS}' node='config'/></iq>"
        )
        if number % 10 == 9:
            answers = await sent(house, 10)
            assert {answer.get("type") for answer in answers} == {"result"}
    await settled(house, MOST_EACH)
    assert specific(await go_on(house, first, form(service="httpd")))[2] == "session-expired"
    stage = await execute(house, "config", sender="eve@example.org/x")  # nobody else has lost anything
    assert command(await go_on(house, stage, form(service="httpd"), sender="eve@example.org/x")).get("status") == "executing"


async def test_what_works_counts_until_it_is_done(house: House, responder: Responder) -> None:
    house.desk.commands.patience = 0
    stages = [await execute(house, "slow") for _ in range(MOST_EACH)]
    for stage in stages:
        await go_on(house, stage, action="cancel")
    answer = await ask(house, f"<command xmlns='{NS}' node='list'/>")
    assert condition(answer) == "resource-constraint" and words(answer)
    responder.go.set()
    await settled(house)
    assert (await execute(house, "list")).get("status") == "completed"


async def test_all_together_have_a_bound_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST", 3)
    for name in "abc":
        await execute(house, "config", sender=f"{name}@example.org/x")
    answer = await ask(house, f"<command xmlns='{NS}' node='config'/>")
    assert condition(answer) == "resource-constraint"
    house.desk.commands.leave("b@example.org")
    assert (await execute(house, "config")).get("status") == "executing"


@pytest.mark.parametrize(
    "x",
    [
        f"<x xmlns='jabber:x:data' type='submit'><field var='service'><value>{'x' * 50_000}</value></field></x>",
        "<x xmlns='jabber:x:data' type='submit'>" + "".join(f"<field var='f{number}'/>" for number in range(300)) + "</x>",
        "<x xmlns='jabber:x:data' type='submit'><field var='service'>" + "<value/>" * 2_000 + "</field></x>",
        "<x xmlns='jabber:x:oob'><url>http://evil.example/</url></x>",
    ],
)
async def test_huge_and_foreign_payloads_are_refused(house: House, x: str) -> None:
    stage = await execute(house, "config")
    assert specific(await go_on(house, stage, x)) == ("modify", "bad-request", "bad-payload")
    assert command(await go_on(house, stage, form(service="httpd"))).get("status") == "executing"


async def test_whoever_may_not_use_the_gateway_may_have_no_command(house: House) -> None:
    house.stanza(f"<iq type='set' to='{DOMAIN}' from='eve@evil.example/x' id='1'><command xmlns='{NS}' node='list'/></iq>")
    (answer,) = house.sent()
    assert condition(answer) == "forbidden"


async def test_two_answers_at_once_are_one(house: House, responder: Responder) -> None:
    stage = await confirmed(house)
    for id in "ab":
        house.stanza(
            f"<iq type='set' to='{DOMAIN}' from='{DESK}' id='{id}'><command xmlns='{NS}' node='config' "
            f"sessionid='{stage.get('sessionid')}' action='complete'>{form(confirm='1')}</command></iq>"
        )
    await sent(house, 2)
    assert len(responder.configured) == 1


async def test_an_answer_fits_whatever_is_in_it(house: House) -> None:
    async def much(call: Call) -> Done:
        numbers = itertools.count()
        return Done("&" * 100_000, Table((("a", "A"), ("b", "<" * 10_000)), [(str(next(numbers)), "\0<" * 500)] * 5_000))

    house.desk.commands.add(AdHoc("much", "much", "&" * 10_000, much))
    house.stanza(f"<iq type='set' to='{DOMAIN}' from='{DESK}' id='1'><command xmlns='{NS}' node='much'/></iq>")
    for _ in range(1_000):
        if house.out:
            break
        await asyncio.sleep(0)
    assert len(house.out[0].encode()) <= MAX_STANZA
    ET.fromstring(house.out[0])


async def test_a_language_as_long_as_a_stanza_is_not_said_again(house: House) -> None:
    CATALOGS["de"] = {"talk.done": "Erledigt."}
    try:
        asked = f"<command xmlns='{NS}' node='picky' action='execute'/>"
        house.stanza(f"<iq type='set' to='bob@{DOMAIN}' from='{DESK}' id='exec1' xml:lang='de-{'x' * 50_000}'>{asked}</iq>")
        (answer,) = await sent(house)
    finally:
        CATALOGS.clear()
    assert len(command(answer).get("{http://www.w3.org/XML/1998/namespace}lang", "")) == 35
