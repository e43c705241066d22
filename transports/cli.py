"""The command line: `transports run` and `transports check`.

Exit codes: 0 fine, 1 stopped by something unforeseen, 2 the command line or the configuration is wrong. Loads what runs
the gateway only when it is to run, so that `check` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from transports import log
from transports.config import DEFAULT_PATHS, Config, load
from transports.config_errors import ConfigErrors

OK, FAILED, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the process's exit code."""
    arguments = _parser().parse_args(argv)
    try:
        config = load(arguments.config or _default_path())
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        return WRONG
    return _run(config, arguments.log_level) if arguments.command == "run" else _check(config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("transports", description="XMPP gateway to other networks (XEP-0114 component)")
    parser.add_argument("--version", action="version", version=f"transports {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    run = commands.add_parser("run", help="run in the foreground; log to stderr; SIGTERM ends it")
    run.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    check = commands.add_parser("check", help="check a configuration; exit code 0 or 2")
    for command in (run, check):
        paths = " or ".join(map(str, DEFAULT_PATHS))
        command.add_argument("--config", type=Path, metavar="FILE", help=f"default: {paths}")
    return parser


def _version() -> str:
    try:
        return metadata.version("xmpp-transports")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _default_path() -> Path:
    """The first of the usual places that is there; the first of all when none is, for the error to name it."""
    return next((path for path in DEFAULT_PATHS if path.is_file()), DEFAULT_PATHS[0])


def _check(config: Config) -> int:
    for component in config.components():
        users = ", ".join(component.users)
        print(f"{component.name}: {component.domain}, component of {component.host} port {component.port}; for {users}")
    for network in map(config.irc.network, config.irc.networks) if config.irc else ():
        print(f"irc: network {network.name} at {network.address}")
    print(f"store: {config.store.path}")
    for note in config.notes:
        print(f"note: {log.clean(note)}")
    print(f"{config.path}: no errors")
    return OK


def _run(config: Config, level: str) -> int:
    log.start(level)
    logger = logging.getLogger("transports")
    for note in config.notes:
        logger.info(log.kv("configuration", note=note))
    try:
        from transports.app import run  # here: `check` is not to load what runs the gateway

        return run(config)
    except KeyboardInterrupt:
        return OK
    except Exception as error:
        # One line for the operator; where it came from is in the same line, the rest at debug level.
        frames = traceback.extract_tb(error.__traceback__)
        at = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:])
        logger.critical(log.kv("stopped", error=f"{type(error).__name__}: {error}", at=at))
        logger.debug("where it was", exc_info=True)
        return FAILED
