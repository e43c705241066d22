"""The demo's house: Prosody with a web client, an IRC server with somebody on it, and the gateway, in one directory.

The gateway gets config.toml as it stands; only ports that somebody else has are replaced. As root, all run as `nobody`.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from lab import process
from lab.gateway import Gateway
from lab.irc import Greeter
from lab.ircd import Inspircd, Ircd, Ngircd
from lab.process import LabError, Server
from lab.prosody import Prosody

ROOT = Path(__file__).resolve().parent.parent
ACCOUNTS = {"alice": "alicepw", "bob": "bobpw"}
CHANNEL = "#transports"
TOPIC = "A channel on IRC, seen from XMPP. Say hello!"
WEB_PORT = 5280
CLIENT_PORT = 5222


class Plan(NamedTuple):
    """What config.toml says, as far as the demo has to fit it."""

    text: str
    component_port: int
    secret: str
    domain: str
    network: str
    irc_port: int

    @property
    def room(self) -> str:
        return f"{CHANNEL}%{self.network}@{self.domain}"

    def on(self, component_port: int, irc_port: int) -> str:
        """The text of config.toml with these ports."""
        text = re.sub(rf"(?m)^port = {self.component_port}\b", f"port = {component_port}", self.text, count=1)
        text = re.sub(rf"(?m)^ports = \[{self.irc_port}\]", f"ports = [{irc_port}]", text, count=1)
        found = read(text)
        if (found.component_port, found.irc_port) != (component_port, irc_port):
            raise LabError("config.toml was changed, so that the demo does not find the two ports in it")
        return text


def read(text: str) -> Plan:
    """The plan in the text of config.toml. LabError when what the demo needs is not there."""
    try:
        tables = tomllib.loads(text)
        network, values = next(iter(tables["irc"]["networks"].items()))
        xmpp = tables["xmpp"]
        return Plan(text, xmpp["port"], xmpp["secret"], tables["irc"]["domain"], network, values["ports"][0])
    except (tomllib.TOMLDecodeError, KeyError, StopIteration) as error:
        raise LabError(
            f"config.toml is not what the demo works with ({error!r}); git diff config.toml shows why"
        ) from None


class OnKnownPorts:
    """Mixed into a server of the lab: it takes the ports `known` where nobody has them, else those that the lab found."""

    known: ClassVar[Mapping[str, int]] = {}

    def configuration(self) -> str:
        for name, port in self.known.items():
            if is_free(port):
                setattr(self, name, port)
        return super().configuration()  # type: ignore[misc, no-any-return]


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As servers do: connections that ended a moment ago are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((process.HOST, port))
            probe.listen()
        except OSError:
            return False
    return True


def on_known_ports(kind: type[Any], **known: int) -> type[Any]:
    """The server class `kind`, which prefers these ports (attribute -> port)."""
    return type(kind.__name__, (OnKnownPorts, kind), {"known": known})


# The parts ------------------------------------------------------------------------------------------------------------


def make_page(folder: Path, converse: Path, plan: Plan) -> None:
    """Fill `folder` with the web client: ours, Converse.js, and what it has to know."""
    shutil.copytree(ROOT / "lab" / "web", folder, ignore=shutil.ignore_patterns("*.pin"))
    shutil.copytree(converse, folder / "dist", ignore=shutil.ignore_patterns("*.map", "converse.js", "website*"))
    accounts = [{"name": name, "jid": f"{name}@localhost", "password": password} for name, password in ACCOUNTS.items()]
    (folder / "demo.json").write_text(json.dumps({"room": plan.room, "accounts": accounts}), encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def ircd(folder: Path, plan: Plan) -> Ircd:
    """The IRC server that is installed; InspIRCd, which knows IRCv3, is the better show."""
    for kind in (Inspircd, Ngircd):
        with contextlib.suppress(LabError):
            process.program(kind.name, kind.name)
            return on_known_ports(kind, port=plan.irc_port)(folder, server_name=plan.network)
    raise LabError("no IRC server is installed: apt-get install inspircd")


def gateway(folder: Path, text: str) -> Gateway:
    """The gateway, as `nobody` where we are root: out of a copy when `nobody` cannot read this checkout."""
    user = process.unprivileged()
    if user is None:
        return Gateway(folder / "gateway", text)
    python, code = Path(sys.prefix) / "bin" / "python", ROOT
    if not can_run(user, python, code):
        python, code = copy_code(folder / "code")
    if not can_run(user, python, code):
        print(f"    the gateway runs as root: {user} cannot start {Path(sys.executable).resolve()}", flush=True)
        return Gateway(folder / "gateway", text)
    command = [str(python), "-m", "transports", "run", "--config"]
    return Gateway(folder / "gateway", text, command=command, environment={"PYTHONPATH": str(code)}, user=user)


def can_run(user: str, python: Path, code: Path) -> bool:
    """Whether `user` can run `python` with the package that lies in `code`."""
    argv = ["setpriv", f"--reuid={user}", "--clear-groups", "--", str(python), "-c", "import transports.cli"]
    done = subprocess.run(argv, cwd="/", env={"PYTHONPATH": str(code)}, capture_output=True, check=False)
    return done.returncode == 0


def copy_code(folder: Path) -> tuple[Path, Path]:
    """Copy the virtual environment and the package to where everybody can read them; (python, folder of the package)."""
    shutil.copytree(sys.prefix, folder / "venv", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "transports", folder / "transports", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder / "venv" / "bin" / "python", folder


class House(NamedTuple):
    """Everything that runs."""

    plan: Plan
    prosody: Prosody
    ircd: Ircd
    gateway: Gateway

    @property
    def servers(self) -> tuple[Server, ...]:
        return self.prosody, self.ircd, self.gateway

    def page(self, user: str) -> str:
        """The web client's address, which logs `user` in."""
        return f"{self.prosody.http_url}/?user={user}"


@contextlib.asynccontextmanager
async def house(folder: Path, converse: Path) -> AsyncIterator[House]:
    """Start everything, one after the other, with a line for each."""
    plan = read((ROOT / "config.toml").read_text(encoding="utf-8"))
    async with contextlib.AsyncExitStack() as stack:

        async def start(server: Any, what: str) -> Any:
            print(f"==> {what}", flush=True)
            return await stack.enter_async_context(server)

        www = folder / "prosody" / "www"
        make_page(www, converse, plan)
        known = {"c2s_port": CLIENT_PORT, "component_port": plan.component_port, "http_port": WEB_PORT}
        xmpp = on_known_ports(Prosody, **known)(folder / "prosody", {plan.domain: plan.secret}, ACCOUNTS, www=www)
        await start(xmpp, "Prosody, the XMPP server, and the web client")
        irc = ircd(folder / "ircd", plan)
        await start(irc, f"{irc.name}, the IRC server")
        greeter = await start(Greeter(irc.host, irc.port, channels=[CHANNEL]), f"Somebody to talk to in {CHANNEL}")
        await greeter.send(f"TOPIC {CHANNEL} :{TOPIC}")
        text = plan.on(xmpp.component_port, irc.port)
        bridge = await start(gateway(folder, text), f"The gateway, {plan.domain}")
        yield House(plan, xmpp, irc, bridge)
