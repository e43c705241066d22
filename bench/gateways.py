"""The gateways that are compared: how each is configured and started. Flood control is off in all of them.

Every gateway serves the component domain `irc.localhost`, its users are of `localhost`, its only network is `irc.bench`,
which is the scripted server at a port of 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_USERS = 2000  # how many users have settings

_BIBOUMI_TABLES = """
CREATE TABLE globaloptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT, maxhistorylength_ INTEGER,
    recordhistory_ INTEGER, persistent_ INTEGER);
CREATE TABLE ircserveroptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT, server_ TEXT, pass_ TEXT, tlsports_ TEXT,
    ports_ TEXT, username_ TEXT, realname_ TEXT, verifycert_ INTEGER, trustedfingerprint_ TEXT, encodingout_ TEXT,
    encodingin_ TEXT, maxhistorylength_ INTEGER, address_ TEXT, nick_ TEXT, saslpassword_ TEXT, throttlelimit_ INTEGER);
CREATE INDEX bench_global ON globaloptions_(owner_);
CREATE INDEX bench_server ON ircserveroptions_(owner_, server_);
"""


@dataclass(frozen=True)
class Gateway:
    """`slow` divides the number of messages in the cases that only count messages; `extra`: measured only when asked for."""

    name: str
    slow: int = 1
    extra: bool = False

    def prepare(self, place: Path, xmpp_port: int, irc_port: int) -> tuple[list[str], dict[str, str]]:
        """Write the configuration into `place`; gives command and environment."""
        raise NotImplementedError

    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        return ""


@dataclass(frozen=True)
class Biboumi(Gateway):
    """biboumi 9.0. Its settings are per user: they stand in its database beforehand, as its `configure` would put them there.

    The two tables get an index each, which biboumi itself lacks: else it would be charged for a search through all users
    at every look-up, which this bench caused. (Made later, they would cost it its first look-up: it does not repeat a
    statement when the schema has changed, and takes the defaults, history among them.)
    """

    history: bool = True

    def missing(self) -> str:
        return "" if shutil.which("biboumi") else "biboumi is not installed (apt-get install biboumi)"

    def prepare(self, place: Path, xmpp_port: int, irc_port: int) -> tuple[list[str], dict[str, str]]:
        (place / "biboumi.cfg").write_text(
            "hostname=irc.localhost\npassword=bench\nxmpp_server_ip=127.0.0.1\n"
            f"port={xmpp_port}\ndb_name={place}/biboumi.sqlite\nidentd_port=0\nlog_level=3\n"
        )
        with closing(sqlite3.connect(place / "biboumi.sqlite")) as database:
            self._enrol(database, irc_port)
        return ["biboumi", str(place / "biboumi.cfg")], {**os.environ, "HOME": str(place)}

    def _enrol(self, database: sqlite3.Connection, irc_port: int) -> None:
        database.executescript(_BIBOUMI_TABLES)
        users = [f"u{number}@localhost" for number in range(_USERS)]
        database.executemany(
            "INSERT INTO globaloptions_ (owner_, maxhistorylength_, recordhistory_, persistent_) VALUES (?, 20, ?, 0)",
            [(user, int(self.history)) for user in users],
        )
        database.executemany(
            "INSERT INTO ircserveroptions_ (owner_, server_, address_, ports_, tlsports_, verifycert_, throttlelimit_)"
            " VALUES (?, 'irc.bench', '127.0.0.1', ?, '', 0, -1)",
            [(user, str(irc_port)) for user in users],
        )
        database.commit()


@dataclass(frozen=True)
class Transports(Gateway):
    """This project's, as a user would run it; without its archive it is compared with a biboumi that keeps nothing either."""

    archive: bool = True

    def missing(self) -> str:
        return "" if (_ROOT / "transports/__main__.py").exists() else "transports has no command yet"

    def prepare(self, place: Path, xmpp_port: int, irc_port: int) -> tuple[list[str], dict[str, str]]:
        (place / "config.toml").write_text(
            f'[xmpp]\nhost = "127.0.0.1"\nport = {xmpp_port}\nsecret = "bench"\nusers = ["localhost"]\n\n'
            '[store]\nurl = "sqlite:///transports.db"\n\n'
            '[irc]\ndomain = "irc.localhost"\nconnect_rate = 0\nthrottle = 0\n\n'
            f"[irc.archive]\nenabled = {str(self.archive).lower()}\n\n"
            f'[irc.networks."irc.bench"]\naddress = "127.0.0.1"\nports = [{irc_port}]\ntls = "off"\n'
        )
        command = [sys.executable, "-m", "transports", "run", "--config", str(place / "config.toml")]
        return command, {**os.environ, "HOME": str(place), "PYTHONPATH": str(_ROOT)}


#: The first is what the others are compared with.
GATEWAYS = (
    Biboumi("biboumi", history=False),
    Biboumi("biboumi-history", slow=15, history=True),
    Transports("transports"),
    Transports("transports-no-archive", extra=True, archive=False),
)
