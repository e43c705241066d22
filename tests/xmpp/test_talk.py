"""Commands by chat: what is said and what is answered, line by line as a person has it; and what is never answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest

from tests.far import DOMAIN, House
from transports import catalogs
from transports.describe import AdHoc, Call, Done, Field, Form, Table
from transports.errors import LegacyError
from transports.events import Kind
from transports.words import CATALOGS, say
from transports.xmpp import talk
from transports.xmpp.talk import HINTS, IDLE, MOST_EACH

DESK = "ada@example.org/desk"
PHONE = "ada@example.org/phone"
SERVER = f"desk@{DOMAIN}"
BOTH: frozenset[Kind] = frozenset(("service", "server"))


def letters(typed: str) -> str:
    if not typed.isalpha():
        raise ValueError("Letters only.")
    return typed.lower()


class Told:
    """Commands of several kinds, and what they were told."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.go = asyncio.Event()

    async def three(self, call: Call) -> Done:
        """Three steps: a form of several fields, another one, a yes."""
        fields = [
            Field("name", "Name", required=True, check=letters, help="Letters."),
            Field("", "Now for the secret.", "note"),
            Field("word", "Password", "secret", required=True),
            Field("colour", "Colour", "choice", options={"r": "Red", "b": "Blue"}, default="b"),
        ]
        first = await call.ask(Form("Three steps", fields, "Fill it in."))
        second = await call.ask(Form("The rest", [Field("away", "Away", "switch", default=True), Field("more", "More", "lines")]))
        await call.confirm("Shall it be so?")
        self.done.append({**first, **second})
        return Done(f"Done, {first['name']}.")

    async def ban(self, call: Call) -> Done:
        who = await call.ask(Form("Ban", [Field("jid", "Who", required=True, check=letters), Field("why", "Why")]))
        self.done.append(dict(who))
        return Done(f"{who['jid']} is banned.")

    async def login(self, call: Call) -> Done:
        wrong: dict[str, str] = {}
        while True:
            fields = [Field("name", "Name", required=True), Field("password", "Password", "secret", required=True)]
            given = await call.ask(Form("Login", fields), wrong)
            self.done.append(dict(given))
            if given["password"] == "right":
                return Done("")
            wrong = {"password": "That is not it.", "server": "It is angry."}

    async def slow(self, call: Call) -> Done:
        call.progress("Half of it is done.")
        await self.go.wait()
        self.done.append("slow")
        await call.confirm("More?")
        self.done.append("more")
        return Done("All of it is done.")

    async def fail(self, call: Call) -> Done:
        raise LegacyError("remote-server-timeout", say("ask.silent", who="The server"))

    async def table(self, call: Call) -> Done:
        return Done("Two.", Table((("a", "Network"), ("b", "Nick")), [("one", "ada"), ("two", "lovelace")]))

    async def where(self, call: Call) -> Done:
        return Done(f"{call.at.kind} {call.at.name} {call.user} {call.by} {call.role} {call.language}")

    async def read(self, call: Call) -> Done:
        await call.ask(Form("News", [Field("", "There is a new version.", "note")]))
        return Done("That was all.")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def house(told: Told) -> AsyncIterator[House]:
    catalogs.load()
    house = House()
    house.desk.commands.add(
        AdHoc("three", "three", "Three steps", told.three),
        AdHoc("urn:x:ban#it", "ban", "Ban somebody", told.ban, BOTH, help="No more words of them."),
        AdHoc("login", "login", "Log in", told.login),
        AdHoc("slow", "slow", "Slow", told.slow),
        AdHoc("fail", "fail", "Fail", told.fail),
        AdHoc("table", "table", "Table", told.table),
        AdHoc("where", "where", "Where", told.where, BOTH),
        AdHoc("read", "read", "Read", told.read),
        AdHoc("mine", "mine", "Mine", told.where, role="registered"),
        AdHoc("secret-plans", "plans", "Secret plans", told.where, role="admin"),
    )
    yield house
    await house.desk.stop()
    CATALOGS.clear()


def send(house: House, text: str, sender: str = DESK, to: str = DOMAIN, lang: str = "en", type: str = "chat") -> None:
    house.stanza(f"<message from='{sender}' to='{to}' type='{type}' xml:lang='{lang}'><body>{text}</body></message>")


async def settle() -> None:
    """Until what can go on without us has."""
    for _ in range(20):
        await asyncio.sleep(0)


async def heard(house: House) -> list[ET.Element]:
    await settle()
    return [stanza for stanza in house.sent() if stanza.tag == "message"]


async def chat(house: House, text: str, sender: str = DESK, to: str = DOMAIN, lang: str = "en") -> str:
    """What is answered to some words, to who said them."""
    send(house, text, sender, to, lang)
    answers = await heard(house)
    for answer in answers:
        assert (answer.get("from"), answer.get("to"), answer.get("type")) == (to, sender, "chat") and answer.get("id")
    return "\n".join(answer.findtext("body") or "" for answer in answers)


# Help -------------------------------------------------------------------------------------------------------------------


async def test_help_lists_what_is_there_in_the_readers_language(house: House) -> None:
    said = await chat(house, "help")
    assert "three – Three steps" in said.splitlines() and "ban – Ban somebody" in said.splitlines()
    assert "mine" not in said and "plans" not in said
    assert "„hilfe“" in await chat(house, " HILFE ", lang="de-AT")
    assert "plans – Secret plans" in await chat(house, "/help", "root@example.org/x")
    await house.desk.accounts.register("ada@example.org", {})
    assert "mine – Mine" in await chat(house, "help")


async def test_help_for_a_word_has_a_link_to_its_form(house: House) -> None:
    said = await chat(house, "help Ban")
    assert said.splitlines()[:2] == ["Ban somebody", "No more words of them."]
    assert f"xmpp:{DOMAIN}?command;node=urn:x:ban%23it;action=execute" in said
    assert f"xmpp:{SERVER}?command;" in await chat(house, "help ban", to=SERVER)
    for word in ("nonsense", "plans"):
        assert "Secret" not in await chat(house, f"help {word}")


async def test_a_server_has_what_is_for_servers(house: House) -> None:
    said = await chat(house, "help", to=SERVER)
    assert "ban – " in said and "three" not in said
    assert await chat(house, "where", to=SERVER) == f"server desk ada@example.org {DESK} user en"
    assert await chat(house, "where") == f"service  ada@example.org {DESK} user en"


# Forms ------------------------------------------------------------------------------------------------------------------


async def test_a_command_of_three_steps_as_a_person_has_it(house: House, told: Told) -> None:
    assert await chat(house, "Three") == "Three steps\n\nFill it in.\n\n(“cancel” ends this.)\n\nName\nLetters."
    assert await chat(house, "4da") == "⚠ Letters only.\nName\nLetters."
    assert await chat(house, "-") == "⚠ This is needed.\nName\nLetters."
    said = await chat(house, "Ada")
    assert said.startswith("Now for the secret.\n\nPassword\n") and "Delete your message" in said
    said = await chat(house, "hunter 2")
    assert said == "Colour\n1. Red\n2. Blue\nNow: Blue. “-” keeps it." and "hunter" not in said
    assert await chat(house, "3") == "⚠ This is none of the choices.\nColour\n1. Red\n2. Blue\nNow: Blue. “-” keeps it."
    assert (await chat(house, "1")).startswith("The rest\n\n(“cancel” ends this.)\n\nAway\n")
    assert (await chat(house, "no")).startswith("More\n")
    assert await chat(house, "one\ntwo") == "Shall it be so?\n\nAnswer “yes” or “no”."
    assert await chat(house, "well") == "Answer “yes” or “no”." and told.done == []
    assert await chat(house, "Yes") == "Done, ada."
    assert told.done == [{"name": "ada", "word": "hunter 2", "colour": "r", "away": False, "more": ("one", "two")}]
    assert (await chat(house, "yes")).startswith("I did not understand")  # it is over


async def test_the_same_in_german(house: House, told: Told) -> None:
    assert (await chat(house, "three", lang="de")).startswith("Three steps\n\nFill it in.\n\n(„abbrechen“ beendet das.)")
    for text in ("ada", "x", "-", "nein", "-"):
        said = await chat(house, text, lang="de")
    assert said == "Shall it be so?\n\nAntworte „ja“ oder „nein“."
    assert await chat(house, "nein", lang="de") == "Es ist nichts geschehen."
    assert told.done == []


@pytest.mark.parametrize(("word", "lang"), [("cancel", "en"), ("Cancel", "en"), ("abbrechen", "de"), ("cancel", "de")])
async def test_cancel_ends_it_at_any_question(house: House, told: Told, word: str, lang: str) -> None:
    for before in ([], ["ada"], ["ada", "x", "1", "no", "-"]):
        await chat(house, "three", lang=lang)
        for text in before:
            await chat(house, text, lang=lang)
        assert await chat(house, word, lang=lang) in ("Nothing was done.", "Es ist nichts geschehen.")
    assert told.done == [] and len(house.desk.tasks) == 0


async def test_what_is_typed_at_once_need_not_be_asked(house: House, told: Told) -> None:
    assert await chat(house, "ban Eve") == "eve is banned."
    assert await chat(house, "BAN Eve for all that spam") == "eve is banned."
    assert told.done == [{"jid": "eve", "why": ""}, {"jid": "eve", "why": "for all that spam"}]


async def test_of_what_is_typed_at_once_only_what_is_wrong_or_missing_is_asked(house: House, told: Told) -> None:
    assert (await chat(house, "ban 3ve spam")).endswith("⚠ Letters only.\nWho")
    assert await chat(house, "eve") == "eve is banned."
    assert told.done == [{"jid": "eve", "why": "spam"}]
    said = await chat(house, "login ada")
    assert "Name" not in said and said.splitlines()[-2] == "Password"
    assert await chat(house, "right") == "Done."
    said = await chat(house, "login ada right")
    assert said.startswith("It is not shown again. Delete your message") and "right" not in said


async def test_what_only_the_far_side_finds_wrong_is_asked_again_alone(house: House, told: Told) -> None:
    await chat(house, "login")
    await chat(house, "ada")
    said = await chat(house, "wr0ng")
    assert said.splitlines()[:4] == ["⚠ It is angry.", "", "⚠ That is not it.", "Password"] and "wr0ng" not in said
    assert await chat(house, "right") == "Done."
    assert told.done == [{"name": "ada", "password": "wr0ng"}, {"name": "ada", "password": "right"}]


async def test_a_yes_may_be_typed_at_once(house: House, told: Told) -> None:
    told.go.set()
    assert await chat(house, "slow yes") == "Half of it is done.\nAll of it is done."
    assert (await chat(house, "slow perhaps")).endswith("More?\n\nAnswer “yes” or “no”.")


async def test_what_is_only_to_be_read_waits_for_a_word(house: House) -> None:
    assert (await chat(house, "read")).endswith("There is a new version.\n\nSend anything to go on.")
    assert await chat(house, "ok") == "That was all."


async def test_of_an_answer_with_a_quotation_only_the_answer_counts(house: House) -> None:
    await chat(house, "ban")
    house.stanza(
        f"<message from='{DESK}' to='{DOMAIN}' type='chat'><body>&gt; Who\neve</body><reply xmlns='urn:xmpp:reply:0' id='s1'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='6'/></fallback></message>"
    )
    (answer,) = await heard(house)
    assert (answer.findtext("body") or "").startswith("Why")


async def test_a_corrected_word_is_a_word_but_a_corrected_answer_comes_too_late(house: House, told: Told) -> None:
    def corrected(text: str) -> str:
        replace = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>"
        return f"<message from='{DESK}' to='{DOMAIN}' type='chat' xml:lang='en'><body>{text}</body>{replace}</message>"

    await chat(house, "bna")
    house.stanza(corrected("ban"))
    (answer,) = await heard(house)
    assert (answer.findtext("body") or "").endswith("Who")
    await chat(house, "ev")
    house.stanza(corrected("eve"))
    (answer,) = await heard(house)
    assert "cannot be corrected" in (answer.findtext("body") or "")
    await chat(house, "-")
    assert told.done == [{"jid": "ev", "why": ""}]


# How it ends ------------------------------------------------------------------------------------------------------------


async def test_a_table_and_a_failure_are_words(house: House) -> None:
    assert await chat(house, "table") == "Two.\n\nNetwork · Nick\none · ada\ntwo · lovelace"
    assert await chat(house, "fail") == "⚠ The server gave no answer in time."
    assert await chat(house, "fail", lang="de") == "⚠ The server hat nicht rechtzeitig geantwortet."


async def test_long_work_says_how_far_it_is(house: House, told: Told) -> None:
    send(house, "slow")
    (answer,) = await heard(house)
    assert answer.findtext("body") == "Half of it is done."
    assert answer.find("{urn:xmpp:hints}no-store") is not None and answer.find("{urn:xmpp:hints}no-copy") is not None
    assert await chat(house, "well?") == "Half of it is done."
    told.go.set()
    assert [answer.findtext("body") for answer in await heard(house)] == ["More?\n\nAnswer “yes” or “no”."]
    assert await chat(house, "yes") == "All of it is done."


async def test_what_is_at_work_finishes_its_step_when_it_is_canceled(house: House, told: Told) -> None:
    await chat(house, "slow")
    assert "still being done" in await chat(house, "cancel")
    told.go.set()
    assert await heard(house) == [] and told.done == ["slow"] and len(house.desk.tasks) == 0


async def test_a_question_expires_without_a_word(house: House) -> None:
    now = 0.0
    house.desk.talk.clock = lambda: now
    await chat(house, "login")
    now = IDLE + 1
    assert (await chat(house, "my secret")).startswith("I did not understand")
    await chat(house, "login")
    now *= 3
    house.desk.sweep()
    assert await heard(house) == [] and len(house.desk.tasks) == 0


# Who --------------------------------------------------------------------------------------------------------------------


async def test_a_chat_goes_on_at_another_client_of_the_same_user(house: House, told: Told) -> None:
    await chat(house, "three")
    assert (await chat(house, "ada", PHONE)).startswith("Now for")
    assert (await chat(house, "x", "eve@example.org/x")).startswith("I did not")
    assert (await chat(house, "x")).startswith("Colour")


async def test_the_gateway_and_a_server_are_two_chats(house: House, told: Told) -> None:
    await chat(house, "ban")
    await chat(house, "ban", to=SERVER)
    await chat(house, "eve", to=SERVER)
    assert await chat(house, "-", to=SERVER) == "eve is banned."
    await chat(house, "bob")
    assert await chat(house, "-") == "bob is banned."


@pytest.mark.parametrize(("word", "said"), [("mine", "⚠ Register first"), ("plans", "⚠ Only the people who run")])
async def test_what_is_for_others_is_refused_with_words(house: House, word: str, said: str) -> None:
    assert (await chat(house, word)).startswith(said)


async def test_a_role_is_looked_at_again_at_every_step(house: House, told: Told) -> None:
    house.desk.commands.add(AdHoc("own", "own", "Own", told.three, role="registered"))
    await house.desk.accounts.register("ada@example.org", {})
    await chat(house, "own")
    await house.desk.accounts.remove("ada@example.org")
    assert (await chat(house, "ada")).startswith("⚠ Register first")
    assert (await chat(house, "ada")).startswith("I did not understand")


async def test_conversations_end_with_the_registration_but_not_the_one_that_ends_it(house: House) -> None:
    async def leave(call: Call) -> Done:
        await call.confirm("Really?")
        await house.desk.unregister(call.user)
        return Done("Gone.")

    house.desk.commands.add(AdHoc("leave", "leave", "Leave", leave))
    await house.desk.accounts.register("ada@example.org", {})
    await chat(house, "ban", to=SERVER)
    await chat(house, "leave")
    assert (await chat(house, "yes")).endswith("Gone.")
    assert (await chat(house, "eve", to=SERVER)).startswith("I did not understand")


# Never answered ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stanza",
    [
        "<message from='{from}' to='{to}' type='error'><body>help</body><error type='cancel'/></message>",
        "<message from='{from}' to='{to}' type='headline'><body>help</body></message>",
        "<message from='{from}' to='{to}' type='chat'/>",
        "<message from='{from}' to='{to}' type='chat'><body>  </body></message>",
        "<message from='{from}' to='{to}'><body>👍</body><reactions xmlns='urn:xmpp:reactions:0' id='1'/></message>",
        "<message from='{from}' to='{to}'><body>gone</body><retract xmlns='urn:xmpp:message-retract:1' id='1'/></message>",
        "<message from='{from}' to='{to}'><body>help</body><sent xmlns='urn:xmpp:carbons:2'/></message>",
        "<message from='{from}' to='{to}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message from='example.org' to='{to}' type='chat'><body>help</body></message>",
        "<message from='example.org/x' to='{to}'><body>help</body></message>",
        "<message from='" + DOMAIN + "' to='{to}' type='chat'><body>help</body></message>",
        "<message from='" + SERVER + "' to='{to}' type='chat'><body>help</body></message>",
    ],
)
async def test_what_no_person_has_said_is_not_answered(stanza: str) -> None:
    house = House("example.org", DOMAIN)
    house.stanza(stanza.replace("{from}", DESK).replace("{to}", DOMAIN))
    assert await heard(house) == []


async def test_words_that_mean_nothing_are_answered_a_few_times(house: House) -> None:
    answers = [await chat(house, f"I am a machine {number}") for number in range(20)]
    assert all(answers[:HINTS]) and not any(answers[HINTS:])
    assert "machine" not in "".join(answers)
    assert await chat(house, "help")  # somebody after all
    assert await chat(house, "xyzzy")
    for word in ("cancel", "cancel", "cancel", "cancel"):
        answers.append(await chat(house, word))
    assert answers[-4] == "There is nothing to cancel." and answers[-1] == ""


@pytest.mark.parametrize("begins", ["ban", "three", "slow", "plans", "users", "mine"])
async def test_a_machine_that_says_all_again_is_not_talked_to_for_ever(house: House, begins: str) -> None:
    said = await chat(house, begins)
    count = 0
    while said and count < 40:
        count += 1
        said = await chat(house, begins if begins in ("plans", "users", "mine") else f"123 {said}")
    assert not said


async def test_silence_ends_after_a_while(house: House) -> None:
    now = 0.0
    house.desk.talk.clock = lambda: now
    for _ in range(HINTS + 1):
        said = await chat(house, "xyzzy")
    assert said == ""
    now = IDLE + 1
    assert await chat(house, "xyzzy")


# Hostile ----------------------------------------------------------------------------------------------------------------


async def test_ten_thousand_commands_of_one_user_leave_no_more_than_a_few(house: House) -> None:
    for number in range(10_000):
        send(house, "ban" if number % 2 else "cancel", f"ada@example.org/{number % 7}", SERVER if number % 3 else DOMAIN)
        if number % 100 == 0:
            await settle()
            house.out.clear()
    await settle()
    house.out.clear()
    assert len(house.desk.tasks) <= MOST_EACH
    assert "Who" in await chat(house, "ban", "eve@example.org/x")


async def test_what_works_counts_until_it_is_done(house: House, told: Told) -> None:
    for _ in range(MOST_EACH):
        await chat(house, "slow")
        await chat(house, "cancel")
    assert (await chat(house, "ban eve")).startswith("⚠ You have asked for too many things")
    told.go.set()
    await settle()
    assert await chat(house, "ban eve") == "eve is banned."


async def test_all_together_have_a_bound_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "MOST", 2)
    await chat(house, "ban", "a@example.org/x")
    await chat(house, "ban", "b@example.org/x")
    assert (await chat(house, "ban")).startswith("⚠ The gateway has too many")
    assert (await chat(house, "eve", "a@example.org/x")).startswith("Why")


async def test_a_novel_is_refused(house: House) -> None:
    assert await chat(house, "ban " + "x" * 50_000) == "⚠ That is more than fits in a form."
    await chat(house, "ban")
    assert await chat(house, "x" * 50_000) == "⚠ That is more than fits in a form."
    assert (await chat(house, "eve")).startswith("Why")


async def test_strangers_are_counted_within_bounds(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "COUNTED", 10)
    for number in range(100):
        send(house, "xyzzy", f"u{number}@example.org/x")
    assert len(house.desk.talk._unknown) == 10
