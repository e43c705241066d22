"""`transports backup` and `transports restore`: the database out and in again, and whether the key at hand is its own."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from transports.config import Config
from transports.control import NotRunning, Refused, ask, socket_of
from transports.log import clean
from transports.shell.tables import size
from transports.store.backup import Copy, backup, restore
from transports.store.errors import StoreError

OK, FAILED, WRONG = 0, 1, 2

#: Whether the configured key opens the secrets of a copy, in words.
KEYS: Final = {
    "fits": "its secrets open with the key that is configured here; keep that apart from it, without it they are lost",
    "other": "its secrets do NOT open with the key that is configured here",
    "none": "it holds no secrets yet",
}


def run_backup(config: Config, arguments: argparse.Namespace) -> int:
    try:
        copy = backup(config.store.url.get_secret_value(), arguments.target.absolute(), _key(config))
    except StoreError as error:
        raise Refused(str(error)) from error
    if arguments.json:
        _json(_facts(copy))
    else:
        print(f"{_path(copy.path)}: {_words(copy)}")
    return FAILED if copy.key == "other" else OK


def run_restore(config: Config, arguments: argparse.Namespace) -> int:
    if not arguments.yes:
        place = clean(str(config.store.path))
        print(f"transports: This puts the copy in the place of {place}. Say --yes to have it done.", file=sys.stderr)
        return WRONG
    _stopped(config)
    try:
        copy, aside = restore(arguments.source.absolute(), config.store.url.get_secret_value(), _key(config))
    except StoreError as error:
        raise Refused(str(error)) from error
    if arguments.json:
        _json({**_facts(copy), "aside": str(aside) if aside else None})
    else:
        print(f"{_path(copy.path)}: {_words(copy)}")
        print(f"What was there before is in {_path(aside)}." if aside else "There was none before.")
    return OK


def _stopped(config: Config) -> None:
    """Refused while a daemon listens; the database's own lock knows of those who do not."""
    try:
        ask(socket_of(config.store.path), {"do": "status"})
    except NotRunning:
        return
    raise Refused("The gateway is running with this database; stop it first.")


def _key(config: Config) -> bytes:
    """The key that secrets are sealed with; nothing when it was never made: who copies is not to make one."""
    if config.store.key is None and not config.store.key_path.exists():
        return b""
    try:
        return config.store.open_key().encode()
    except (OSError, ValueError) as error:
        raise Refused(f"the key cannot be read: {error}") from error


def _facts(copy: Copy) -> dict[str, Any]:
    return {**copy._asdict(), "path": str(copy.path), "archive": str(copy.archive) if copy.archive is not None else None}


def _words(copy: Copy) -> str:
    archive = f"; the archive is in {_path(copy.archive)}" if copy.archive is not None else ""
    counts = f"accounts: {copy.accounts}, secrets: {copy.secrets}"
    return f"{size(copy.size)}, schema {copy.schema}, {counts}{archive}; {KEYS[copy.key]}"


def _path(path: object) -> str:
    return clean(str(path))


def _json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))
