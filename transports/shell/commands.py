"""`transports status`, `users`, `sessions`, `queue`: asked of the daemon that runs, or of the database; shown as words or JSON.

Each command is a function of the configuration and the parsed command line that prints and returns an exit code: 0 done,
1 not done, 2 wrongly asked. What JSON has is what the daemon answers, plus `running`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from transports.config import Config
from transports.control import NotRunning, Refused, Request, ask, socket_of
from transports.log import clean
from transports.shell import direct, words

OK, FAILED, WRONG = 0, 1, 2


class Answered(NamedTuple):
    """`running`: a daemon gave the answer."""

    running: bool
    answer: dict[str, Any]


def run(config: Config, arguments: argparse.Namespace) -> int:
    """Carry out the command that `arguments.command` (and `.action`) names."""
    action = getattr(arguments, "action", None)
    try:
        return COMMANDS[arguments.command, action](config, arguments)
    except Refused as refused:
        print(f"transports: {clean(str(refused))}", file=sys.stderr)
        return FAILED


def status(config: Config, arguments: argparse.Namespace) -> int:
    running, answer = _ask(config, {"do": "status"})
    _show(arguments, running, answer, words.status if running else words.stopped)
    return OK if running else FAILED


def users(config: Config, arguments: argparse.Namespace) -> int:
    _show(arguments, *_ask(config, {"do": "users", "bridge": arguments.bridge}), words.users)
    return OK


def user(config: Config, arguments: argparse.Namespace) -> int:
    _show(arguments, *_ask(config, {"do": "user", "user": arguments.jid, "bridge": arguments.bridge}), words.user)
    return OK


def remove(config: Config, arguments: argparse.Namespace) -> int:
    where = f" from {arguments.bridge}" if arguments.bridge else ""
    if not _meant(arguments, f"This removes {clean(arguments.jid)}{where}: registration, contacts, queue and files."):
        return WRONG
    _show(arguments, *_ask(config, {"do": "remove", "user": arguments.jid, "bridge": arguments.bridge}), words.removed)
    return OK


def sessions(config: Config, arguments: argparse.Namespace) -> int:
    _show(arguments, *_ask(config, {"do": "sessions", "bridge": arguments.bridge}), words.sessions)
    return OK


def queue(config: Config, arguments: argparse.Namespace) -> int:
    _show(arguments, *_ask(config, {"do": "queue", "bridge": arguments.bridge}), words.queue)
    return OK


def letter(config: Config, arguments: argparse.Namespace) -> int:
    _show(arguments, *_ask(config, {"do": "letter", "id": arguments.id, "body": arguments.body}), words.letter)
    return OK


def retry(config: Config, arguments: argparse.Namespace) -> int:
    return _change(config, arguments, words.retried)


def drop(config: Config, arguments: argparse.Namespace) -> int:
    which = (
        "all dead letters" if arguments.all else f"{len(arguments.ids)} dead letter{'s' * (len(arguments.ids) != 1)}"
    )
    if not _meant(arguments, f"This drops {which} for good."):
        return WRONG
    return _change(config, arguments, words.dropped)


def _change(config: Config, arguments: argparse.Namespace, shown: Callable[[dict[str, Any]], str]) -> int:
    """Have something done with the letters named on the command line, or with all."""
    if bool(arguments.ids) == arguments.all:
        print("transports: name messages by their ids, or --all", file=sys.stderr)
        return WRONG
    request = {"do": arguments.action, "ids": None if arguments.all else arguments.ids, "bridge": arguments.bridge}
    running, answer = _ask(config, request)
    _show(arguments, running, answer, shown)
    changed = {letter["id"] for letter in answer["letters"]}
    missed = [id for id in arguments.ids if id not in changed]
    for id in missed:
        print(f"transports: no dead letter {clean(id)}", file=sys.stderr)
    return FAILED if missed else OK


def _ask(config: Config, request: Request) -> Answered:
    try:
        return Answered(True, ask(socket_of(config.store.path), request))
    except NotRunning:
        return Answered(False, direct.meet(config, request))


def _meant(arguments: argparse.Namespace, what: str) -> bool:
    if not arguments.yes:
        print(f"transports: {what} Say --yes to have it done.", file=sys.stderr)
    return bool(arguments.yes)


def _show(
    arguments: argparse.Namespace, running: bool, answer: dict[str, Any], shown: Callable[[dict[str, Any]], str]
) -> None:
    """No character that a terminal would obey leaves as it is, either way."""
    if arguments.json:
        print(json.dumps({"running": running, **answer}, indent=2).replace("\x7f", "\\u007f"))
    else:
        print(shown(answer))


def backup(config: Config, arguments: argparse.Namespace) -> int:
    from transports.shell import copies  # here: sealing costs 60 ms to load

    return copies.run_backup(config, arguments)


def restore(config: Config, arguments: argparse.Namespace) -> int:
    from transports.shell import copies

    return copies.run_restore(config, arguments)


COMMANDS: Final[Mapping[tuple[str, str | None], Callable[[Config, argparse.Namespace], int]]] = {
    ("status", None): status,
    ("users", None): users,
    ("users", "show"): user,
    ("users", "remove"): remove,
    ("sessions", None): sessions,
    ("queue", None): queue,
    ("queue", "show"): letter,
    ("queue", "retry"): retry,
    ("queue", "drop"): drop,
    ("backup", None): backup,
    ("restore", None): restore,
}
