"""IRC services for the lab's InspIRCd: Atheme 7.2 from Debian's package, linked on loopback, in a directory of its own.

NickServ, ChanServ, SaslServ (PLAIN, EXTERNAL, ECDSA-NIST256P-CHALLENGE; this version has no SCRAM), OperServ and HostServ.
Nobody is asked to confirm an e-mail address, nothing expires, nobody is slowed down. Passwords are kept as they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.irc import Line, Person
from lab.ircd import Inspircd
from lab.ircd_full import LINK_PASSWORD, SERVICES_NAME
from lab.process import LabError, Server, program, unprivileged

MODULES: Sequence[str] = (
    "backend/opensex", "protocol/inspircd",
    *(f"nickserv/{name}" for name in (
        "main", "set_core", "access", "cert", "drop", "enforce", "ghost", "group", "help", "identify", "info", "login",
        "logout", "register", "set_accountname", "set_email", "set_enforcetime", "set_password", "set_privmsg",
        "set_pubkey", "status",
    )),
    *(f"chanserv/{name}" for name in (
        "main", "set_core", "access", "akick", "ban", "drop", "flags", "halfop", "help", "info", "invite", "kick", "op",
        "owner", "protect", "quiet", "register", "set_guard", "set_mlock", "set_topiclock", "status", "topic", "voice",
    )),
    "saslserv/main", "saslserv/plain", "saslserv/external", "saslserv/ecdsa-nist256p-challenge",
    "operserv/main", "operserv/akill", "hostserv/main", "hostserv/onoff", "nickserv/vhost",
)  # fmt: skip
NAMES = ("NickServ", "ChanServ", "SaslServ", "OperServ", "HostServ")


class Atheme(Server):
    """async with Atheme(directory, ircd) as services: await services.account("alice", "secret")

    ircd    an InspIRCd made with full=True that runs; services come and go without it
    """

    name = "atheme"
    stop_timeout = 4.0

    def __init__(self, directory: Path, ircd: Inspircd) -> None:
        if not ircd.full:
            raise LabError("services need a link: Inspircd(directory, full=True)")
        super().__init__(directory, user=unprivileged())
        self.ircd = ircd

    def prepare(self) -> None:
        (self.dir / "atheme.conf").write_text(self.configuration(), encoding="utf-8")
        # The package has the message of the day in /etc, where the lab may not rely on it.
        (self.dir / "atheme.motd").write_text("Services of the lab\n", encoding="utf-8")

    def command(self) -> list[str]:
        path = program("atheme-services", "atheme-services")
        conf, pid = self.dir / "atheme.conf", self.dir / "atheme.pid"
        return [path, "-n", "-c", str(conf), "-D", str(self.dir), "-l", str(self.log), "-p", str(pid)]

    async def until_ready(self) -> None:
        """When it has taken the network's names over it serves."""
        await self.until_log(r"finished synching with uplink")

    # -- accounts ------------------------------------------------------------------------------------------------------

    async def account(self, name: str, password: str) -> None:
        """Register an account with the nick of its name; nobody of that nick may be there."""
        async with Person(self.ircd.host, self.ircd.port, name) as person:
            said = await self.tell(person, "NickServ", f"REGISTER {password} {name}@{self.ircd.server_name}")
        if not any("is now registered" in line for line in said):
            raise LabError(f"NickServ did not register {name}: {said}")

    async def ask(self, name: str, password: str, service: str, command: str) -> list[str]:
        """What a service says to somebody logged in: ask("alice", "secret", "NickServ", "CERT ADD …")."""
        async with Person(self.ircd.host, self.ircd.port, "lab-asks") as person:
            await self.tell(person, "NickServ", f"IDENTIFY {name} {password}")
            return await self.tell(person, service, command)

    async def tell(self, person: Person, service: str, command: str) -> list[str]:
        """The notices that answer a command; the CTCP PING behind it says when there are no more of them."""
        said: list[str] = []
        await person.send(f"PRIVMSG {service}@{SERVICES_NAME} :{command}")
        await person.send(f"PRIVMSG {service} :\x01PING lab\x01")
        while True:
            line = await person.until(lambda line: _from(line, service))
            if line.text == "\x01PING lab\x01":
                return said
            said.append(line.text)

    def configuration(self) -> str:
        modules = "\n".join(f'loadmodule "modules/{name}";' for name in MODULES)
        people = "\n".join(f'{name.lower()} {{ nick = "{name}"; user = "services"; host = "{SERVICES_NAME}"; '
                           f'real = "{name}"; }};' for name in NAMES)  # fmt: skip
        return f"""\
{modules}
serverinfo {{
    name = "{SERVICES_NAME}"; desc = "Services of the lab"; numeric = "00A"; netname = "Lab";
    hidehostsuffix = "users.test"; adminname = "Lab"; adminemail = "nobody@{SERVICES_NAME}";
    registeremail = "nobody@{SERVICES_NAME}"; mta = "/bin/true"; recontime = 1; restarttime = 0;
    loglevel = {{ error; info; admin; network; }};
    maxlogins = 1000; maxusers = 0; mdlimit = 30; emaillimit = 100000; emailtime = 300; auth = none; casemapping = rfc1459;
}};
uplink "{self.ircd.server_name}" {{
    host = "{self.ircd.host}"; port = {self.ircd.services_port}; password = "{LINK_PASSWORD}";
}};
{people}
general {{
    flood_msgs = 0; ratelimit_uses = 0; commit_interval = 60; language = "en"; default_clone_allowed = 1000;
    join_chans; leave_chans; immune_level = immune;
}};
"""


def _from(line: Line, service: str) -> bool:
    return line.command == "NOTICE" and line.nick == service
