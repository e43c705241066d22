"""A live bridge whose far side is the test: it keeps the commands it was given; facts are told through `visitor.tell`.

Rooms are `#name`, people are plain words, `desk` is a server; `~` at the end of a room's name makes an alias of it.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

from transports.accounts import Accounts
from transports.contacts import Contacts
from transports.errors import LegacyError
from transports.events import Address, Command, Join, Leave, Rename, Say, SetSubject
from transports.gateway import Wing
from transports.gateway_seams import Users
from transports.ports import Identity, LiveBridge, Outlet
from transports.xmpp import read, services
from transports.xmpp.desk import Desk

DOMAIN = "far.example.org"
CLIENT = "jabber:component:accept"


class FarSession:
    def __init__(self, user: str, outlet: Outlet) -> None:
        self.user = user
        self.outlet = outlet
        self.commands: list[Command] = []
        self.paused = False
        self.closed = ""

    def do(self, command: Command) -> None:
        self.commands.append(command)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    @property
    def idle(self) -> bool:
        return not self.commands

    def close(self, reason: str) -> None:
        self.closed = reason or "idle"

    def took(self) -> list[Command]:
        """The commands so far; they are taken."""
        commands, self.commands = self.commands, []
        return commands


class FarBridge(LiveBridge):
    name = "far"
    kind = "far"
    domain = DOMAIN
    durable = False

    def __init__(self) -> None:
        self.sessions: dict[str, FarSession] = {}

    def address(self, name: str) -> Address:
        if not name:
            return Address("service", "")
        if "!" in name:
            raise LegacyError("jid-malformed", "There is nothing of that name.")
        return Address("room" if name[0] == "#" else "server" if name == "desk" else "person", name)

    def person(self, room: Address, nick: str) -> Address:
        return Address("person", nick.lower())

    def can(self, address: Address) -> frozenset[type]:
        kinds = {"room": {Join, Leave, Rename, Say, SetSubject}, "person": {Say}}
        return frozenset(kinds.get(address.kind, ()))

    def identity(self, address: Address) -> Identity:
        return Identity("conference", "far", address.name)

    def max_text(self, address: Address) -> int:
        return 100

    def open(self, user: str, outlet: Outlet) -> FarSession:
        self.sessions[user] = FarSession(user, outlet)
        return self.sessions[user]

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Nobody:
    """Accounts of a bridge that nobody has registered with."""

    def users(self) -> list[str]:
        return []

    def answers(self, user: str) -> None:
        return None

    def preference(self, user: str, var: str) -> str:
        return f"the default {var}"

    async def change(self, user: str, answers: object) -> None: ...


class Counted:
    """Ids that a test can foresee."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def stanza(self) -> str:
        return f"s{next(self.numbers)}"

    def at(self, when: float) -> str:
        return self.stanza()


class House:
    """A wing of the gateway with that bridge, and what it sent, parsed."""

    def __init__(self, *users: str, bridge: FarBridge | None = None) -> None:
        self.out: list[str] = []
        self.bridge = bridge or FarBridge()
        self.wing = Wing(
            self.bridge,
            Users(frozenset(users or ("example.org",))),
            Counted(),  # type: ignore[arg-type]
            self.out.append,
            self.out.extend,
            services.TABLE,
        )
        self.desk = Desk(self.wing, Accounts(self.bridge.describe), Contacts(), frozenset(("root@example.org",)))
        self.wing.desk = self.desk
        self.wing.services = {**services.TABLE, **self.desk.table}

    def stanza(self, xml: str) -> None:
        """One stanza as the server's stream has it; `to` without a domain's part is below ours."""
        element = ET.fromstring(f"<stream xmlns='{CLIENT}'>{xml}</stream>")[0]
        kind = element.tag.rpartition("}")[2]
        value = {"message": read.message, "presence": read.presence, "iq": read.iq}[kind](element)  # type: ignore[operator]
        getattr(self.wing, kind)(value)

    def sent(self) -> list[ET.Element]:
        stanzas = [ET.fromstring(text) for text in self.out]
        self.out.clear()
        return stanzas

    def took(self, user: str = "ada@example.org") -> list[Command]:
        """The commands of a user that reached the bridge."""
        session = self.bridge.sessions.get(user)
        return session.took() if session is not None else []


def condition(stanza: ET.Element) -> str:
    """The defined condition of an error stanza, '' when it is none."""
    error = stanza.find("error")
    if error is None:
        return ""
    return next((child.tag.removeprefix(read.STANZAS) for child in error if not child.tag.endswith("}text")), "")


def words(stanza: ET.Element) -> str:
    """What an error stanza says to a person."""
    return stanza.findtext(f"error/{read.STANZAS}text") or ""
