"""The gateway itself as a child process: `python -m transports run --config …`, as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from lab.domain import SECRET, XmppServer
from lab.ircd import Ircd
from lab.process import Server, python

ROOT = Path(__file__).resolve().parent.parent

Value = str | int | float | bool | Sequence["Value"] | Mapping[str, "Value"]
Config = Mapping[str, Value]


class Gateway(Server):
    """async with Gateway(directory, {"xmpp": {…}, "irc": {…}}) as gateway: …

    config      the text of config.toml, or its tables as a dictionary
    command     what to run instead of `python -m transports run` (the configuration's path is appended)
    ready       regular expression of the log line that ends the start; "" does not wait (an XMPP server that is down)
    user        whom to run as; default: ourselves, who can read the checkout wherever it is

    The log is what it writes to stderr: `log_text()`, `log_lines(pattern)`, `until_log(pattern)`; memory: `rss()`.
    """

    name = "gateway"
    # `run` drains within 10 s after SIGTERM.
    stop_timeout = 12.0

    def __init__(
        self,
        directory: Path,
        config: str | Config,
        *,
        command: Sequence[str] | None = None,
        ready: str = r"\bready\b",
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        super().__init__(directory, user=user)
        self.config = config
        self.ready = ready
        self.log = self.output
        self.config_path = self.dir / "config.toml"
        self._command = list(command) if command else [python(), "-m", "transports", "run", "--config"]
        self._environment = dict(environment or {})

    def prepare(self) -> None:
        text = self.config if isinstance(self.config, str) else toml(self.config)
        self.config_path.write_text(text, encoding="utf-8")
        self.config_path.chmod(0o600)

    def command(self) -> list[str]:
        return [*self._command, str(self.config_path)]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "STATE_DIRECTORY": str(self.dir), **self._environment}

    async def until_ready(self) -> None:
        if self.ready:
            await self.until_log(self.ready, timeout=self.start_timeout)

    async def terminate(self) -> int:
        """SIGTERM; the exit status once it has drained and ended (-9 when it had to be killed)."""
        process = self.process
        await self.stop()
        return (process.returncode or 0) if process else 0

    def signal(self, which: signal.Signals) -> None:
        """Send a signal to the process and go on (SIGSTOP, SIGCONT, SIGHUP)."""
        assert self.process is not None
        self.process.send_signal(which)


# What the fixture `gateway` of the tests gives: await gateway(server, ircd, changes={…}, options={…}).
StartGateway = Callable[..., Awaitable[Gateway]]


def settings(
    server: XmppServer,
    ircd: Ircd | None = None,
    *,
    domain: str = "irc.localhost",
    tls: bool = False,
    changes: Mapping[str, Mapping[str, Value]] | None = None,
) -> dict[str, dict[str, Value]]:
    """config.toml for a server and an IRC server of the lab, as tables; nothing in it slows a test.

    tls         verified TLS to the IRC server instead of a plain connection
    changes     keys per section that replace or add: {"irc": {"server": "irc.test"}} is fixed-server mode
    """
    tables: dict[str, dict[str, Value]] = {
        "xmpp": {"host": server.host, "port": server.component_port, "secret": SECRET},
        "irc": {"domain": domain, "throttle": 0, "connect_rate": 0},
    }
    if ircd is not None:
        network: dict[str, Value] = {"address": ircd.host, "ports": [ircd.port], "tls": "off"}
        if tls:
            network = {"address": ircd.host, "tls_ports": [ircd.tls_port], "tls": "require", "ca": str(ircd.ca)}
        if ircd.password:
            network["password"] = ircd.password
        tables["irc"]["networks"] = {ircd.server_name: network}
    for section, keys in (changes or {}).items():
        tables.setdefault(section, {}).update(keys)
    return tables


def toml(tables: Config) -> str:
    """TOML text of nested dictionaries of strings, numbers, booleans and lists."""
    return "\n".join(_table((), tables)) + "\n"


def _table(path: tuple[str, ...], table: Config) -> list[str]:
    lines = [f"[{'.'.join(map(_key, path))}]"] if path else []
    lines += [f"{_key(name)} = {_value(value)}" for name, value in table.items() if not isinstance(value, Mapping)]
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", *_table((*path, name), value)]
    return lines


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _value(name)


def _value(value: Value) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items()) + " }"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but that TOML forbids a bare DEL and has no surrogate pairs.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return "[" + ", ".join(map(_value, value)) + "]"
