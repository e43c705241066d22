"""The command line: `transports run`, `transports check`, and what looks at a gateway from outside (`shell`).

Exit codes: 0 fine, 1 it could not be done or was stopped by something unforeseen, 2 the command line or the configuration is
wrong. Loads what runs the gateway only when it is to run, so that `check` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from transports import log
from transports.config import DEFAULT_PATHS, Config, load
from transports.config_errors import ConfigErrors
from transports.shell import parser as shell
from transports.shell.version import version

OK, FAILED, WRONG = 0, 1, 2


PRIVILEGES: Final = (
    "privileges (XEP-0356) are not needed, but worth it: `transports check --privileges` says what they give, and the lines "
    "for the XMPP server's configuration"
)
#: Where the systemd unit's configuration stands, and what that unit gives the gateway beside it (systemd.exec(5)).
UNIT: Final = Path("/etc/transports")
GIVEN: Final = {"STATE_DIRECTORY": Path("/var/lib/transports"), "CREDENTIALS_DIRECTORY": UNIT / "secrets"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the process's exit code."""
    arguments = _parser().parse_args(argv)
    path = arguments.config or _default_path()
    try:
        config = load(path, os.environ if arguments.command == "run" else _environment(path))
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        return WRONG
    if arguments.command == "run":
        return _run(config, arguments.log_level)
    if arguments.command == "check":
        return _privileges(config) if arguments.privileges else _check(config)
    from transports.shell import commands  # here: `check` needs none of it

    return commands.run(config, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("transports", description="XMPP gateway to other networks (XEP-0114 component)")
    parser.add_argument("--version", action="version", version=f"transports {version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    run = commands.add_parser("run", help="run in the foreground; log to stderr; SIGTERM ends it")
    run.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    check = commands.add_parser("check", help="check a configuration; exit code 0 or 2")
    check.add_argument("--privileges", action="store_true", help="what to put into the XMPP server's configuration")
    for command in (run, check):
        _add_config(command)
    shell.add(commands, _add_config)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    paths = " or ".join(map(str, DEFAULT_PATHS))
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: {paths}")


def _environment(path: Path) -> Mapping[str, str]:
    """The environment, and what the unit would add to it where `path` is the unit's: else the shell would look elsewhere."""
    if path.absolute().parent != UNIT:
        return os.environ
    return {**{name: str(folder) for name, folder in GIVEN.items() if os.access(folder, os.X_OK)}, **os.environ}


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
    for note in (*config.notes, PRIVILEGES):
        print(f"note: {log.clean(note)}")
    print(f"{config.path}: no errors")
    return OK


def _privileges(config: Config) -> int:
    from transports.shell import grants  # here: it knows more of XMPP than `check` needs

    components = config.components()
    hosts = [user for component in components for user in component.users if "@" not in user and user != "*"]
    print(grants.lines([component.domain for component in components], next(iter(hosts), "example.org")))
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
