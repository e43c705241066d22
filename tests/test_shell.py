"""The shell where no daemon runs: on a database of its own, and what it prints."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from transports import cli
from transports.accounts import Account
from transports.cli import main
from transports.config import load
from transports.contacts import Contact
from transports.control import Refused
from transports.events import Address, Said, Say
from transports.shell import direct, parser, tables, words
from transports.shell.commands import COMMANDS
from transports.store import lock
from transports.store.database import Database, open_database
from transports.store.errors import StoreError
from transports.store.journal import Journal
from transports.store.shelf import Shelf

ADA, BOB = "ada@example.org", "bob@example.org"
ANN = Address("person", "+15551234567")
CANARY = "canary-51f0c8d2"
KEY = "a key of more than sixteen characters"

CONFIG = f"""
[xmpp]
secret = "a secret of some length"
[store]
key = "{KEY}"
[bridges.test]
module = "tests.bridges.echo.bridge"
domain = "test.example.org"
"""

T = TypeVar("T")


class House:
    """A configuration and its database; `run` is the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG)
        self.path = folder / "transports.db"
        self.url = f"sqlite:///{self.path}"
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, what went to stdout and to stderr."""
        code = main([*arguments, "--config", str(self.config)])
        return (code, *self._capsys.readouterr())

    def json(self, *arguments: str) -> dict[str, Any]:
        code, out, err = self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)  # type: ignore[no-any-return]

    def store(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = await open_database(self.url)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(opened())

    def letters(self) -> dict[str, str]:
        """Text -> id: a dead letter each way, one that waits for its user, one to be sent."""

        async def work(database: Database) -> dict[str, str]:
            journal = Journal(database, "test")
            ids = {}
            for text in ("in dead", "in waiting"):
                row = await journal.put("in", ADA, Said(ANN, "", text), text, 100)
                assert row is not None
                ids[text] = row.id
            for text in ("out dead", "out queued"):
                row = await journal.put("out", BOB, Say(ANN, "", text, f"{BOB}/phone", text), text, 100)
                assert row is not None
                ids[text] = row.id
            await journal.dead(ids["in dead"], "service-unavailable: \x1b[2Jblocked")
            await journal.dead(ids["out dead"], "item-not-found: nobody has this number")
            await journal.wait(ids["in waiting"], 0, "recipient-unavailable", 1)
            return ids

        return self.store(work)

    def rows(self) -> dict[str, tuple[str, bool]]:
        """id -> state, and whether its text is there."""
        with closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT id, state, payload IS NOT NULL FROM journal"
            return {id: (state, bool(text)) for id, state, text in connection.execute(query)}

    def users(self) -> None:
        async def work() -> None:
            shelf = Shelf(self.url, KEY.encode())
            await shelf.start()
            accounts, contacts = shelf.accounts("test"), shelf.contacts("test")
            answers = {"name": "Ada \x1b]0;x\x07", "token": CANARY}
            await accounts.save(Account(ADA, 1_700_000_000.0, answers, {"loud": True}, "de"), {"token"})
            await accounts.save(Account(BOB, 1_700_000_000.0), ())
            contacts.save(ADA, Contact(ANN, "Ann", hears=True))
            await shelf.close()

        asyncio.run(work())


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


# Nothing there --------------------------------------------------------------------------------------------------------


def test_status_says_that_no_daemon_runs(house: House) -> None:
    code, out, err = house.run("status")
    assert (code, err) == (1, "")
    assert out.splitlines()[0].endswith(": not running.")
    assert "test: test.example.org, 0 registered" in out
    assert not house.path.exists()  # a look makes no database


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (["users"], "Nobody is registered.\n"),
        (["queue"], "Nothing waits, and there are no dead letters.\n"),
        (["queue", "retry", "--all"], "0 dead letters will be tried again.\n"),
        (["queue", "drop", "--all", "--yes"], "0 dead letters dropped.\n"),
    ],
)
def test_where_there_is_no_database_nothing_waits(house: House, command: list[str], answer: str) -> None:
    assert house.run(*command) == (0, answer, "")
    assert not house.path.exists()


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["sessions"], 1, "The daemon is not running, and this only it can do"),
        (["users", "remove", ADA, "--yes"], 1, "The daemon is not running, and this only it can do"),
        (["users", "show", ADA], 1, f"{ADA} is not registered"),
        (["users", "show", "a@b@c"], 1, "a@b@c is not an address"),
        (["queue", "show", "none"], 1, "There is no message none"),
        (["queue", "retry", "none"], 1, "There is no message none"),
        (["queue", "retry"], 2, "name messages by their ids, or --all"),
        (["queue", "retry", "one", "--all"], 2, "name messages by their ids, or --all"),
        (["queue", "drop", "one"], 2, "This drops 1 dead letter for good. Say --yes"),
        (["queue", "drop", "--all"], 2, "This drops all dead letters for good. Say --yes"),
        (["users", "remove", ADA, "--bridge", "test"], 2, f"This removes {ADA} from test: registration"),
        (["restore", "none.db"], 2, "Say --yes"),
        (["restore", "none.db", "--yes"], 1, "No such file"),
        (["backup", "copy.db"], 1, "there is no database"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_on_stderr(house: House, command: list[str], code: int, words: str) -> None:
    got, out, err = house.run(*command)
    assert (got, out) == (code, "")
    assert err.startswith("transports: ") and words in err and err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["queue", "dance"], ["users", "show"], ["backup"], ["restore"], ["status", "x"]])
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: transports" in capsys.readouterr().err


def test_a_bad_configuration(house: House) -> None:
    house.config.write_text(CONFIG + "prot = 1\n")
    assert house.run("status")[0] == 2


def test_every_command_that_is_parsed_is_one_that_is_carried_out() -> None:
    built = argparse.ArgumentParser()
    parser.add(built.add_subparsers(dest="command"), lambda parser: None)
    [commands] = [action for action in built._actions if isinstance(action, argparse._SubParsersAction)]
    parsed = set()
    for name, command in commands.choices.items():
        parsed.add((name, None))
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsed |= {(name, inner) for inner in action.choices}
    assert parsed == set(COMMANDS)


# The queue ------------------------------------------------------------------------------------------------------------


def test_the_queue_is_listed_without_texts(house: House) -> None:
    ids = house.letters()
    code, out, err = house.run("queue")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["id", "bridge", "way", "user", "contact", "age", "state", "attempts", "error"]
    assert [line.split()[0] for line in lines[1:]] == list(ids.values())
    assert "\x1b" not in out and r"service-unavailable: \x1b[2Jblocked" in lines[1]
    assert "to XMPP" in lines[1] and "dead letter" in lines[1]
    assert "waits for its user" in lines[2]
    assert "from XMPP" in lines[4] and "to be sent" in lines[4]
    assert not any(text in out for text in ids)


def test_the_queue_for_machines(house: House) -> None:
    ids = house.letters()
    found = house.json("queue")
    assert found["running"] is False
    assert [(letter["id"], letter["state"]) for letter in found["letters"]] == [
        (ids["in dead"], "dead"),
        (ids["in waiting"], "waiting"),
        (ids["out dead"], "dead"),
        (ids["out queued"], "queued"),
    ]
    assert found["letters"][0].keys() == {
        *("id", "bridge", "direction", "user", "kind", "contact", "state"),
        *("attempts", "created", "next_try", "error", "whole"),
    }
    assert house.json("queue", "--bridge", "other")["letters"] == []


def test_options_count_before_the_action_and_behind_it(house: House) -> None:
    house.letters()
    for arguments in (
        ["queue", "--bridge", "other", "retry", "--all"],
        ["queue", "retry", "--all", "--bridge", "other"],
    ):
        assert house.json(*arguments)["letters"] == []
    code = main(["queue", "--config", str(house.config), "--json", "retry", "--all"])
    assert code == 0 and len(json.loads(house._capsys.readouterr().out)["letters"]) == 2


def test_a_text_is_shown_only_when_it_is_asked_for(house: House) -> None:
    ids = house.letters()
    assert "out dead" not in house.run("queue", "show", ids["out dead"])[1]
    assert "text: out dead\n" in house.run("queue", "show", ids["out dead"], "--body")[1]
    assert "body" not in house.json("queue", "show", ids["out dead"])
    assert house.json("queue", "show", ids["out dead"], "--body")["body"]["Say"]["text"] == "out dead"


def test_a_dead_letter_is_queued_again(house: House) -> None:
    ids = house.letters()
    assert house.run("queue", "retry", ids["in dead"]) == (0, "1 dead letter will be tried again.\n", "")
    assert house.rows()[ids["in dead"]] == ("queued", True)
    assert house.rows()[ids["out dead"]] == ("dead", True)


def test_all_dead_letters_are_queued_again_and_nothing_else(house: House) -> None:
    ids = house.letters()
    assert house.run("queue", "retry", "--all") == (0, "2 dead letters will be tried again.\n", "")
    states = {text: house.rows()[id][0] for text, id in ids.items()}
    assert states == {"in dead": "queued", "in waiting": "waiting", "out dead": "queued", "out queued": "queued"}


def test_a_dropped_letter_is_gone_and_its_repeat_is_still_known(house: House) -> None:
    ids = house.letters()
    assert house.run("queue", "drop", ids["in dead"], "--yes") == (0, "1 dead letter dropped.\n", "")
    assert house.rows()[ids["in dead"]] == ("taken", False)
    assert ids["in dead"] not in house.run("queue")[1]

    async def again(database: Database) -> Any:
        return await Journal(database, "test").put("in", ADA, Said(ANN, "", "in dead"), "in dead", 100)

    assert house.store(again) is None


def test_only_dead_letters_are_dropped_or_tried_again(house: House) -> None:
    ids = house.letters()
    for action in (["drop", "--yes"], ["retry"]):
        code, _out, err = house.run("queue", action[0], ids["in waiting"], *action[1:])
        assert (code, err) == (1, f"transports: Message {ids['in waiting']} is no dead letter, its state is waiting.\n")
    assert house.rows()[ids["in waiting"]] == ("waiting", True)


def test_what_was_not_found_is_said_and_the_rest_is_done(house: House) -> None:
    ids = house.letters()
    assert house.run("queue", "retry", "none", ids["in dead"]) == (
        1,
        "1 dead letter will be tried again.\n",
        "transports: no dead letter none\n",
    )


def test_a_letter_whose_text_is_gone_cannot_be_tried_again(house: House) -> None:
    ids = house.letters()
    with closing(sqlite3.connect(house.path)) as connection:
        connection.execute("UPDATE journal SET payload = NULL")
        connection.commit()
    assert house.run("queue", "retry", ids["in dead"])[2] == (
        f"transports: Message {ids['in dead']} cannot be tried again: its text is gone.\n"
    )
    assert "text: is gone" in house.run("queue", "show", ids["in dead"], "--body")[1]


def test_nothing_is_changed_under_somebody_else(house: House) -> None:
    """A daemon that cannot be reached, or a restore: its lock says so."""
    ids = house.letters()
    held = lock.use(house.path)
    try:
        code, _out, err = house.run("queue", "retry", "--all")
        assert code == 1 and "in use: stop the gateway first" in err
    finally:
        os.close(held)
    assert house.rows()[ids["in dead"]] == ("dead", True)


@pytest.mark.parametrize(("what", "words"), [("retry", "restore"), ("queue", "in use")])
def test_the_lock_is_held_as_long_as_the_database_is_open(house: House, what: str, words: str) -> None:
    house.letters()
    config = load(house.config)
    seen = []

    async def inside() -> None:
        async with direct._opened(config, what):
            for take in (lock.use, lock.alone):
                try:
                    os.close(take(house.path))
                except StoreError as error:
                    seen.append(str(error))

    asyncio.run(inside())
    assert len(seen) == (2 if what == "retry" else 1) and words in seen[0]
    os.close(lock.alone(house.path))


# Users ----------------------------------------------------------------------------------------------------------------


def test_users_are_listed(house: House) -> None:
    house.users()
    house.letters()
    found = house.json("users")["users"]
    assert [(user["user"], user["contacts"], user["queue"]) for user in found] == [(ADA, 1, 1), (BOB, 0, 1)]
    lines = house.run("users")[1].splitlines()
    assert lines[0].split() == ["bridge", "user", "since", "contacts", "session", "queue"]
    assert lines[1].split()[:2] == ["test", ADA]
    assert "test: test.example.org, 2 registered" in house.run("status")[1]


def test_a_user_is_shown_without_what_is_secret(house: House) -> None:
    house.users()
    house.letters()
    code, out, err = house.run("users", "show", "ADA@example.org/phone")
    assert (code, err) == (0, "")
    assert "  name: Ada \\x1b]0;x\\x07\n  token: (secret)\n  loud: yes\n" in out
    assert "language: de" in out and "dead letter" in out
    assert CANARY not in out + json.dumps(house.json("users", "show", ADA))


def test_status_for_machines(house: House) -> None:
    house.users()
    house.letters()
    code, out, err = house.run("status", "--json")
    found = json.loads(out)
    assert (code, err, found["running"]) == (1, "", False)
    assert found["bridges"] == [{"name": "test", "domain": "test.example.org", "registered": 2}]
    assert {(count["direction"], count["state"]): count["letters"] for count in found["queue"]} == {
        ("in", "dead"): 1,
        ("in", "waiting"): 1,
        ("out", "dead"): 1,
        ("out", "queued"): 1,
    }


# Copies ---------------------------------------------------------------------------------------------------------------


def test_a_backup_is_made_and_put_back(house: House) -> None:
    house.users()
    copy = house.folder / "copy.db"
    code, out, err = house.run("backup", str(copy))
    assert (code, err) == (0, "")
    assert out.startswith(f"{copy}: ") and "accounts: 2, secrets: 1; its secrets open with the key" in out
    house.path.unlink()
    code, out, err = house.run("restore", str(copy), "--yes")
    assert (code, err) == (0, "")
    assert out.endswith("There was none before.\n")
    assert len(house.json("users")["users"]) == 2


def test_a_backup_for_machines(house: House) -> None:
    house.users()
    found = house.json("backup", str(house.folder / "copy.db"))
    assert found.pop("size") > 0
    assert found.pop("schema")
    assert found == {"path": str(house.folder / "copy.db"), "accounts": 2, "secrets": 1, "key": "fits", "archive": None}
    assert house.json("restore", str(house.folder / "copy.db"), "--yes")["aside"].startswith(str(house.path))


def test_a_backup_whose_key_is_another_is_said_to_be(house: House) -> None:
    house.users()
    house.config.write_text(CONFIG.replace(KEY, "another key of that length"))
    code, out, _err = house.run("backup", str(house.folder / "copy.db"))
    assert code == 1 and "do NOT open with the key" in out
    code, _out, err = house.run("restore", str(house.folder / "copy.db"), "--yes")
    assert code == 1 and "another key" in err


def test_copying_makes_no_key(house: House) -> None:
    house.users()
    house.config.write_text(CONFIG.replace("[store]", "").replace(f'key = "{KEY}"', ""))
    assert house.run("backup", str(house.folder / "copy.db"))[0] == 1
    assert not (house.folder / "transports.key").exists()


def test_nothing_is_restored_beneath_a_daemon(house: House) -> None:
    house.users()
    assert house.run("backup", str(house.folder / "copy.db"))[0] == 0
    held = lock.use(house.path)
    try:
        code, _out, err = house.run("restore", str(house.folder / "copy.db"), "--yes")
    finally:
        os.close(held)
    assert code == 1 and "stop the gateway first" in err


# Where to look --------------------------------------------------------------------------------------------------------


def test_the_units_own_folders_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks about /etc/transports/config.toml means the gateway that the unit runs."""
    unit, state = tmp_path / "etc", tmp_path / "var"
    (unit / "secrets").mkdir(parents=True)
    state.mkdir()
    monkeypatch.setattr(cli, "UNIT", unit)
    monkeypatch.setattr(cli, "GIVEN", {"STATE_DIRECTORY": state, "CREDENTIALS_DIRECTORY": unit / "secrets"})
    (unit / "config.toml").write_text(CONFIG.replace('secret = "a secret of some length"', ""))
    (unit / "secrets" / "xmpp.secret").write_text("another secret of some length\n")
    shutil.copy(unit / "config.toml", tmp_path / "config.toml")
    assert main(["users", "--config", str(unit / "config.toml")]) == 0
    assert main(["users", "--config", str(tmp_path / "config.toml")]) == 2
    assert cli._environment(unit / "config.toml")["STATE_DIRECTORY"] == str(state)
    monkeypatch.setenv("STATE_DIRECTORY", "/elsewhere")
    assert cli._environment(unit / "config.toml")["STATE_DIRECTORY"] == "/elsewhere"


def test_the_lines_for_the_servers_are_asked_for(house: House) -> None:
    code, out, _err = house.run("check")
    assert code == 0 and out.count("transports check --privileges") == 1
    code, out, _err = house.run("check", "--privileges")
    assert code == 0
    assert 'VirtualHost "example.org"' in out and '["test.example.org"] = {' in out
    assert "      - test.example.org\n" in out and "roster=both: " in out


# What it looks like ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *(
            (-1, "0 s"),
            (0, "0 s"),
            (59.9, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (3660, "1 h 1 min"),
        ),
        *((86400, "1 d"), (90061, "1 d 1 h"), (86460, "1 d")),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert tables.span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (41_234_567, "41.2 MB"), (2_000_000_000, "2.0 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert tables.size(count) == text


def test_a_table_is_cut_where_it_is_widest() -> None:
    rows = [("a@example.org", 7, "a long story that nobody needs to the end"), ("漢字漢字@example.org", 1234, "short")]
    wide = tables.table(("user", "count", "error"), rows).splitlines()
    assert wide[0] == "user                  count  error"
    assert wide[1] == "a@example.org             7  a long story that nobody needs to the end"
    assert wide[2] == "漢字漢字@example.org   1234  short"
    narrow = tables.table(("user", "count", "error"), rows, 50).splitlines()
    assert narrow[1] == "a@example.org             7  a long story that no…"
    assert max(map(tables.cells, narrow)) <= 50
    tiny = tables.table(("user", "count", "error"), rows, 10).splitlines()
    assert tiny[2].startswith("漢字漢字@ex…")


def test_no_control_character_reaches_the_terminal() -> None:
    assert "\x1b" not in tables.table(("x",), [("\x1b[31m\u202e\n",)])


def test_a_terminal_has_a_width_and_a_file_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert tables.terminal() == 77
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert tables.terminal() == 0


GRANTS = {"server": "example.org", "version": 2, "roster": "both", "message": "", "presence": ""}
BRIDGE = {
    "name": "irc",
    "domain": "irc.example.org",
    "connected": True,
    "since": 500.0,
    "error": "",
    "advice": "",
    "registered": 3,
    "sessions": 12,
    "connections": {"irc.b.org": 2, "irc.a.org": 10},
    "privileges": [{**GRANTS, "iq": {"urn:xmpp:http:upload:0": "get"}, "missing": ["message=outgoing: carbons"]}],
}
STATUS = {
    "version": "1.0",
    "pid": 7,
    "started": 400.0,
    "memory": 41_000_000,
    "queue": [],
    "files": {"count": 2, "size": 3000},
}


def test_how_a_connected_bridge_is_told() -> None:
    assert words.status({**STATUS, "bridges": [BRIDGE]}, lambda: 4100.0).splitlines() == [
        "Transports 1.0: running for 1 h 1 min, 41.0 MB of memory, process 7",
        "",
        "irc: irc.example.org",
        "  connected to the XMPP server for 1 h",
        "  3 registered, 12 in sessions",
        "  connections: irc.a.org 10, irc.b.org 2",
        "  privileges from example.org: roster both, iq urn:xmpp:http:upload:0 get",
        "    not granted: message=outgoing: carbons",
        "",
        "2 files stored, 3.0 kB",
    ]


def test_how_a_bridge_without_its_server_is_told() -> None:
    gone = {**BRIDGE, "connected": False, "since": None, "error": "cannot connect: \x1b", "advice": "is it running?"}
    assert words.status({**STATUS, "bridges": [gone]}, lambda: 4100.0).splitlines()[3:5] == [
        "  not connected to the XMPP server: cannot connect: \\x1b",
        "  is it running?",
    ]


def test_a_request_that_the_database_cannot_meet_is_refused(house: House) -> None:
    with pytest.raises(Refused):
        direct.meet(load(house.config), {"do": "dance"})
