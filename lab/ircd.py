"""IRC servers on loopback: ngIRCd and InspIRCd (3 and 4), from Debian's packages, in directories of their own.

Both listen on a plain and on a TLS port, look nobody up, let one address have any number of connections and, unless `flood`
is asked for, slow nobody down. Nicks may have 30 characters. Channels and their modes are made by the clients.
`OPER_NAME` with `OPER_PASSWORD` makes an IRC operator, who may KILL.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import certificate, ircd_full
from lab.process import LabError, Server, free_ports, program, unprivileged

OPER_NAME = "oper"
OPER_PASSWORD = "operpw"
NICK_LENGTH = 30


class Ircd(Server):
    """What the two have in common.

    server_name     what the server calls itself
    flood           whether the server's own flood control and connection limits are on (as a public network has them)
    password        the connection password (PASS), if any
    """

    ready = ""

    def __init__(
        self, directory: Path, *, server_name: str = "irc.test", flood: bool = False, password: str | None = None
    ) -> None:
        super().__init__(directory, user=unprivileged())
        self.server_name = server_name
        self.flood = flood
        self.password = password
        self.log = self.output
        self.port = self.tls_port = 0
        self.certificate = certificate.Certificate(*[self.dir / "tls"] * 4)

    @property
    def ca(self) -> Path:
        """The authority (PEM) that signed the server's certificate."""
        return self.certificate.ca

    def prepare(self) -> None:
        self.port, self.tls_port = free_ports(2)
        self.certificate = certificate.make(self.dir / "tls", [self.server_name])
        (self.dir / f"{self.name}.conf").write_text(self.configuration(), encoding="utf-8")

    def configuration(self) -> str:
        raise NotImplementedError

    async def until_ready(self) -> None:
        await self.until_log(self.ready)


class Ngircd(Ircd):
    """async with Ngircd(directory) as ircd: ircd.host, ircd.port, ircd.tls_port, ircd.ca

    It handles ten lines of a client in one turn and may wait a second for the next turn when nothing else happens; over TLS
    what is left of a longer burst waits until the client sends more. Its listen queue is short: of dozens of connections
    opened in the same moment some are lost. Bursts belong to InspIRCd.
    """

    name = "ngircd"
    ready = r'Server ".*" \(on ".*"\) ready'
    # It ends at SIGTERM; a half-open connection can hold it for seconds.
    stop_timeout = 3.0

    def command(self) -> list[str]:
        return [program("ngircd", "ngircd"), "--nodaemon", "--config", str(self.dir / "ngircd.conf")]

    def configuration(self) -> str:
        password = f"Password = {self.password}\n" if self.password else ""
        return f"""\
[Global]
Name = {self.server_name}
Info = Lab
AdminInfo1 = Lab
AdminEMail = nobody@{self.server_name}
Network = Lab
Listen = 127.0.0.1
Ports = {self.port}
MotdPhrase = Hello from the lab
{password}
[Limits]
MaxConnections = 0
MaxConnectionsIP = {5 if self.flood else 0}
MaxJoins = 0
MaxListSize = 0
MaxNickLength = {NICK_LENGTH}
MaxPenaltyTime = {-1 if self.flood else 0}
PingTimeout = 120
PongTimeout = 20

[Options]
DNS = no
DefaultUserModes = {"i" if self.flood else "iF"}
Ident = no
PAM = no
OperCanUseMode = yes
IncludeDir = {self.dir / "none"}

[SSL]
CertFile = {self.certificate.cert}
KeyFile = {self.certificate.key}
Ports = {self.tls_port}

[Operator]
Name = {OPER_NAME}
Password = {OPER_PASSWORD}
"""


FLOOD_LIMITS = """fakelag="yes" commandrate="1000" threshold="10" localmax="5" globalmax="5"
 recvq="10K" softsendq="10K" hardsendq="1M" """
NO_LIMITS = """fakelag="no" commandrate="100000000" threshold="1000000" localmax="100000" globalmax="100000"
 recvq="1M" softsendq="16M" hardsendq="64M" """


class Inspircd(Ircd):
    """async with Inspircd(directory) as ircd: ircd.host, ircd.port, ircd.tls_port, ircd.ca

    IRCv3: message-tags, server-time, msgid, echo-message, labeled-response, batch, account-tag, away-notify, extended-join,
    multi-prefix, userhost-in-names, setname, chghost, invite-notify, cap-notify. Prefixes: ~&@%+.
    It lets people in on a timer, up to a second after they gave their names.

    full    all that lab.ircd_full has on top: SASL and accounts (with lab.atheme), STATUSMSG and lists of every kind, WEBIRC, …
    sts     a strict transport security policy that names the TLS port; goes with `full`
    """

    name = "inspircd"
    ready = "InspIRCd is now running as"
    FOLDERS: Sequence[str] = ("/usr/lib/inspircd/modules", "/usr/lib/*/inspircd/modules", "/usr/lib/*/inspircd")
    MODULES: Sequence[str] = (
        "cap", "ircv3", "ircv3_accounttag", "ircv3_batch", "ircv3_capnotify", "ircv3_chghost", "ircv3_ctctags",
        "ircv3_echomessage", "ircv3_invitenotify", "ircv3_labeledresponse", "ircv3_msgid", "ircv3_servertime",
        "namesx", "uhnames", "multiprefix", "monitor", "setname", "chghost", "ssl_gnutls", "sslinfo", "sslmodes",
        "customprefix", "banexception", "inviteexception", "muteban", "blockcolor", "services_account", "botmode", "knock",
        "joinflood", "messageflood", "nickflood", "kicknorejoin", "nonicks", "noctcp", "nokicks", "redirect", "denychans",
        "operchans", "sajoin", "samode", "sanick", "sapart", "sakick", "saquit", "satopic", "userip", "password_hash",
    )  # fmt: skip

    def __init__(self, directory: Path, *, full: bool = False, sts: bool = False, **wanted: Any) -> None:
        super().__init__(directory, **wanted)
        self.full, self.sts = full, sts
        self.services_port = 0

    def prepare(self) -> None:
        if self.full:
            (self.services_port,) = free_ports(1)
        super().prepare()
        (self.dir / "motd.txt").write_text("Hello from the lab\n")
        # COMPAT: Debian's AppArmor profile of /usr/sbin/inspircd forbids all but the packaged paths; it goes by the program's.
        shutil.copy(program("inspircd", "inspircd"), self.dir / "inspircd-lab")

    def command(self) -> list[str]:
        return [str(self.dir / "inspircd-lab"), "--nofork", "--nopid", "--config", str(self.dir / "inspircd.conf")]

    def modules(self) -> list[str]:
        """Those of MODULES that this InspIRCd has: 3 and 4 differ in names, and a missing one would be fatal."""
        there = {path.stem for pattern in self.FOLDERS for path in Path("/").glob(f"{pattern[1:]}/*.so")}
        wanted = (*self.MODULES, *(ircd_full.MODULES if self.full else ()))
        found = [name for name in wanted if there & {name, f"m_{name}"}]
        if "ssl_gnutls" not in found:
            raise LabError("InspIRCd's modules are not where the lab looks for them: apt-get install inspircd")
        return found

    def configuration(self) -> str:
        tls = self.certificate
        limits = FLOOD_LIMITS if self.flood else NO_LIMITS
        password = f' password="{self.password}"' if self.password else ""
        modules = "\n".join(f'<module name="{name}">' for name in self.modules())
        if self.full:
            port = self.tls_port if self.sts else None
            modules += "\n" + ircd_full.configuration(services_port=self.services_port, sts_port=port)
        return f"""\
<server name="{self.server_name}" description="Lab" network="Lab" id="1LB">
<admin name="Lab" nick="lab" description="Lab" email="nobody@{self.server_name}">
<path configdir="{self.dir}" datadir="{self.dir}" logdir="{self.dir}" runtimedir="{self.dir}">
<bind address="127.0.0.1" port="{self.port}" type="clients">
<bind address="127.0.0.1" port="{self.tls_port}" type="clients" sslprofile="lab">
<sslprofile name="lab" provider="gnutls" certfile="{tls.cert}" keyfile="{tls.key}" cafile="{tls.ca}" hash="sha256"
 requestclientcert="yes">
<connect name="all" allow="*" timeout="30" pingfreq="2m" {limits}{password} maxchans="100000" limit="100000"
 resolvehostnames="no" useident="no" useconnectban="no" useconnflood="no" uniqueusername="no">
<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*" snomasks="*">
<type name="all" classes="all" vhost="">
<oper name="{OPER_NAME}" password="{OPER_PASSWORD}" host="*@*" type="all">
<dns server="127.0.0.1" timeout="1">
<files motd="{self.dir / "motd.txt"}">
<channels users="100000" opers="100000">
<options prefixquit="Quit: " defaultmodes="not" hostintopic="yes" casemapping="rfc1459" syntaxhints="no" splitwhois="no"
 announcets="yes" pingwarning="15" allowzerolimit="no">
<security maxtargets="20" hideserver="" flatlinks="no" hidesplits="no" hidebans="no" userstats="Pu" restrictbannedusers="yes">
<performance softlimit="100000" somaxconn="1024" netbuffersize="65534" quietbursts="yes" clonesonconnect="no">
<limits maxnick="{NICK_LENGTH}" maxchan="64" maxmodes="20" maxident="12" maxuser="12" maxhost="64" maxquit="255" maxtopic="390"
 maxkick="255" maxgecos="128" maxreal="128" maxaway="200" maxline="512">
<whowas groupsize="10" maxgroups="1000" maxkeep="1h">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="inspircd.log">
{modules}
<customprefix name="founder" letter="q" prefix="~" rank="50000" ranktoset="50000">
<customprefix name="admin" letter="a" prefix="&amp;" rank="40000" ranktoset="50000">
<customprefix name="halfop" letter="h" prefix="%" rank="20000" ranktoset="30000">
<badchan name="#forbidden" allowopers="no" reason="This channel is closed">
"""
