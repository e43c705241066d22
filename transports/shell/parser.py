"""The command line of all that looks at a gateway from outside. Loads nothing but argparse."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

Common = Callable[[argparse.ArgumentParser], None]


def add(commands: Any, common: Common) -> None:
    """Add the commands to the parser's; `common` gives each what all have."""
    _plain(commands, common, "status", "how the gateway is")
    users = _plain(commands, common, "users", "who is registered", bridge=True)
    _users(users, common)
    _plain(commands, common, "sessions", "who is using the gateway now", bridge=True)
    queue = _plain(commands, common, "queue", "messages under way and dead letters", bridge=True)
    _queue(queue, common)
    backup = _plain(commands, common, "backup", "copy the database, also while the gateway runs")
    backup.add_argument("target", type=Path, metavar="TARGET", help="a file that is not there yet")
    restore = _plain(commands, common, "restore", "put a copy back; the gateway must be stopped")
    restore.add_argument("source", type=Path, metavar="SOURCE")
    _yes(restore)


def _users(parser: argparse.ArgumentParser, common: Common) -> None:
    actions = parser.add_subparsers(dest="action", metavar="show|remove")
    show = _plain(actions, common, "show", "one user", bridge=True, inner=True)
    remove = _plain(actions, common, "remove", "unregister a user", bridge=True, inner=True)
    for action in (show, remove):
        action.add_argument("jid", metavar="JID")
    _yes(remove)


def _queue(parser: argparse.ArgumentParser, common: Common) -> None:
    actions = parser.add_subparsers(dest="action", metavar="show|retry|drop")
    show = _plain(actions, common, "show", "one message", inner=True)
    show.add_argument("id", metavar="ID")
    show.add_argument("--body", action="store_true", help="with its text")
    retry = _plain(actions, common, "retry", "try dead letters again", bridge=True, inner=True)
    drop = _plain(actions, common, "drop", "give dead letters up for good", bridge=True, inner=True)
    for action in (retry, drop):
        action.add_argument("ids", nargs="*", metavar="ID")
        action.add_argument("--all", action="store_true", help="all dead letters")
    _yes(drop)


def _plain(
    commands: Any, common: Common, name: str, help: str, *, bridge: bool = False, inner: bool = False
) -> argparse.ArgumentParser:
    """A command; `inner` ones leave what was said before them as it is."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    common(parser)
    parser.add_argument("--json", action="store_true", help="for a machine to read")
    if bridge:
        parser.add_argument("--bridge", default="", metavar="NAME", help="of this bridge alone")
    if inner:
        for action in parser._actions:
            if action.dest in ("json", "bridge", "config"):
                action.default = argparse.SUPPRESS
    return parser


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it without asking")
