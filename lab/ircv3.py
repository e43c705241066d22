"""An IRC server of our own for what no server of Debian speaks: IRCv3 with its drafts, kept in memory, made for tests.

It stands for the far side: several clients, channels, history, accounts, as the specifications say (ircv3.net, Modern IRC).
Here are connections, capabilities, the login; what is done to channels lies in `ircv3_channels`, what is said in `ircv3_talk`.

    async with Ircv3() as irc, Person(irc.host, irc.port, "ann", caps=["batch", "draft/chathistory"]) as ann: …
    irc.client("ann").write(":irc.test NOTICE ann :any raw line")
    irc.on["PRIVMSG"] = lambda client, line: True        misbehave: the line was taken, nothing else happens
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Self

from lab.irc import Line, parse
from lab.process import HOST
from lab.scripted_irc import Guest

NAME: Final = "drafts.test"
NETWORK: Final = "Drafts"
#: Every capability that is offered, with its value (CAP LS 302).
CAPS: Final[Mapping[str, str]] = {
    "account-notify": "", "account-tag": "", "away-notify": "", "batch": "", "cap-notify": "", "chghost": "",
    "draft/channel-rename": "", "draft/chathistory": "", "draft/event-playback": "", "draft/message-redaction": "",
    "draft/multiline": "max-bytes=4096,max-lines=20", "draft/no-implicit-names": "", "draft/pre-away": "",
    "draft/read-marker": "", "echo-message": "", "extended-join": "", "extended-monitor": "", "invite-notify": "",
    "labeled-response": "", "message-tags": "", "multi-prefix": "", "sasl": "PLAIN", "server-time": "", "setname": "",
    "standard-replies": "", "userhost-in-names": "",
}  # fmt: skip
ISUPPORT: Final = (
    "BOT=B", "CASEMAPPING=ascii", "CHANMODES=beI,k,l,imnst", "CHANTYPES=#", "CHATHISTORY=100", "MODES=20", "MONITOR=100",
    "MSGREFTYPES=msgid,timestamp", f"NETWORK={NETWORK}", "NICKLEN=40", "PREFIX=(qaohv)~&@%+", "STATUSMSG=~&@%+", "UTF8ONLY",
    "WHOX",
)  # fmt: skip
#: Which capability lets a tag through; client tags (+…) and msgid need message-tags.
TAG_CAPS: Final = {"time": "server-time", "account": "account-tag", "batch": "batch", "label": "labeled-response"}

Tags = Mapping[str, str]
Handler = Callable[["Client", Line], None]


class Refused(Exception):
    """A numeric with its parameters, or "FAIL" with those of a standard reply, to be told instead of what was asked."""


class Client(Guest):
    """Somebody connected. What it said is in `lines`; `write` says anything to it."""

    def __init__(self, irc: Ircv3, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.irc = irc
        self.nick, self.user, self.name, self.address = "", "", "", "client.test"
        self.account, self.away = "", None
        self.bot = self.registered = self.negotiating = False
        self.caps: set[str] = set()
        self.monitored: set[str] = set()
        self.batch: tuple[str, Line, list[Line]] | None = None
        self._login: list[str] = []
        self._held: list[tuple[dict[str, str], str]] | None = None

    @property
    def source(self) -> str:
        return f"{self.nick}!{self.user}@{self.address}"

    # -- what is said to it ----------------------------------------------------------------------------------------------

    def tell(self, command: str, *params: str, source: str = NAME, tags: Tags | None = None) -> None:
        """One message with those of its tags that the client has asked for; the last parameter goes behind a colon."""
        known = {name: value for name, value in (tags or {}).items() if TAG_CAPS.get(name, "message-tags") in self.caps}
        words = [command, *params[:-1], *(f":{last}" for last in params[-1:])]
        text = f":{source} {' '.join(words)}"
        if self._held is None:
            self._send(known, text)
        else:
            self._held.append((known, text))

    def numeric(self, number: str, *params: str) -> None:
        self.tell(number, self.nick or "*", *params)

    def fail(self, command: str, code: str, *context: str) -> None:
        """A standard reply (FAIL)."""
        self.tell("FAIL", command, code, *context, "It cannot be done")

    def refuse(self, number: str, *params: str) -> None:
        if number == "FAIL":
            self.fail(*params)
        else:
            self.numeric(number, *params)

    def batched(self, kind: str, target: str, messages: Iterable[tuple[Tags, str, str, tuple[str, ...]]], **tags: str) -> None:
        """A batch of (tags, source, command, parameters) where the client knows batches, else the messages alone."""
        reference = self.irc.new_id("b")
        if "batch" in self.caps:
            self.tell("BATCH", f"+{reference}", kind, *([target] if target else []), tags=tags)
        for marks, source, command, params in messages:
            self.tell(command, *params, source=source, tags={**marks, "batch": reference})
        if "batch" in self.caps:
            self.tell("BATCH", f"-{reference}")

    def _send(self, tags: Mapping[str, str], text: str) -> None:
        head = ";".join(f"{name}={_escaped(value)}" if value else name for name, value in tags.items())
        self.write(f"@{head} {text}" if head else text)

    # -- what it says --------------------------------------------------------------------------------------------------

    def heard(self, line: str) -> None:
        parsed = parse(line)
        label = parsed.tags.get("label", "") if "labeled-response" in self.caps else ""
        if label and parsed.command != "BATCH":
            self.labelled(label, lambda: self.irc.take(self, parsed))
        else:
            self.irc.take(self, parsed)

    def labelled(self, label: str, act: Callable[[], None]) -> None:
        """Do something; what it tells this client is the answer to the label."""
        self._held = []
        act()
        held, self._held = self._held, None
        self._answer(label, held)

    def _answer(self, label: str, held: list[tuple[dict[str, str], str]]) -> None:
        """labeled-response: nothing is an ACK, one message (or one batch) has the label, more are a batch."""
        one = len(held) == 1 or (held and " BATCH +" in held[0][1] and held[-1][1].endswith(f"-{_reference(held[0][1])}"))
        if not held:
            self._send({"label": label}, f":{NAME} ACK")
        elif one:
            for number, (tags, text) in enumerate(held):
                self._send({**tags, "label": label} if number == 0 else tags, text)
        else:
            reference = self.irc.new_id("b")
            self._send({"label": label}, f":{NAME} BATCH +{reference} labeled-response")
            for tags, text in held:
                self._send({"batch": reference, **tags}, text)
            self._send({}, f":{NAME} BATCH -{reference}")

    # -- its way in ----------------------------------------------------------------------------------------------------

    def _cap(self, line: Line) -> None:
        offered = self.irc.caps
        match line.params[0].upper():
            case "LS":
                self.negotiating = not self.registered
                late = line.params[1:] >= ["302"]
                self.caps |= {"cap-notify"} if late else set()
                names = [f"{name}={value}" if value and late else name for name, value in offered.items()]
                half = len(names) // 2 if late else 0
                if half:
                    self.tell("CAP", self.nick or "*", "LS", "*", " ".join(names[:half]))
                self.tell("CAP", self.nick or "*", "LS", " ".join(names[half:]))
            case "REQ":
                self.negotiating = not self.registered
                names = line.text.split()
                good = all(name.removeprefix("-") in offered for name in names)
                if good:
                    self.caps |= {name for name in names if name[0] != "-"}
                    self.caps -= {name[1:] for name in names if name[0] == "-"}
                self.tell("CAP", self.nick or "*", "ACK" if good else "NAK", " ".join(names))
            case "LIST":
                self.tell("CAP", self.nick or "*", "LIST", " ".join(sorted(self.caps)))
            case "END":
                self.negotiating = False
                self.welcome_when_ready()

    def _nick(self, line: Line) -> None:
        nick = line.params[0]
        other = self.irc.clients.get(nick.lower())
        if other not in (None, self):
            raise Refused("433", nick, "Nickname is already in use")
        old = self.source
        self.irc.clients.pop(self.nick.lower(), None)
        self.irc.clients[nick.lower()] = self
        if self.registered:
            for one in {self, *self.irc.neighbours(self)}:
                one.tell("NICK", nick, source=old)
        self.nick = nick
        self.welcome_when_ready()

    def _user(self, line: Line) -> None:
        self.user, self.name = line.params[0], line.text
        self.welcome_when_ready()

    def welcome_when_ready(self) -> None:
        if self.registered or self.negotiating or not (self.nick and self.user):
            return
        self.registered = True
        self.numeric("001", f"Welcome to {NETWORK} {self.source}")
        self.numeric("004", NAME, "lab-1", "iB", "beIiklmnst")
        self.numeric("005", *self.irc.isupport, "are supported by this server")
        self.numeric("422", "MOTD File is missing")
        self.irc.seen(self, online=True)

    def _authenticate(self, line: Line) -> None:
        """sasl-3.1 with PLAIN, against `irc.accounts`; `irc.on["AUTHENTICATE"]` is the place for anything else."""
        said = line.params[0]
        if said == "*":
            self._login = []
            raise Refused("906", "SASL authentication aborted")
        if not self._login:
            if said.upper() not in self.irc.caps["sasl"].split(","):
                self.numeric("908", self.irc.caps["sasl"], "are available SASL mechanisms")
                raise Refused("904", "SASL authentication failed")
            self._login = [said.upper(), ""]
            self.write("AUTHENTICATE +")
            return
        self._login[1] += "" if said == "+" else said
        if len(said) == 400:
            return
        secret, self._login = self._login[1], []
        _, account, password = base64.b64decode(secret).decode().split("\0")
        if self.irc.accounts.get(account) != password:
            raise Refused("904", "SASL authentication failed")
        self.account = account
        self.numeric("900", self.source if self.nick else "*!*@*", account, f"You are now logged in as {account}")
        self.numeric("903", "SASL authentication successful")

    def _ping(self, line: Line) -> None:
        if self.answers:
            self.tell("PONG", NAME, line.text)

    def _quit(self, line: Line) -> None:
        self.irc.leave(self, f"Quit: {line.text}")
        self.write("ERROR :Closing link")
        self._writer.close()


class Ircv3:
    """async with Ircv3() as irc. `caps` and `isupport` may be changed before somebody connects; `offer`, `withdraw` later."""

    host = HOST

    def __init__(self, *, caps: Mapping[str, str] = CAPS, accounts: Mapping[str, str] | None = None) -> None:
        from lab.ircv3_channels import COMMANDS as ABOUT_CHANNELS, Channel  # noqa: I001 - they know us, too
        from lab.ircv3_talk import COMMANDS as TALK, Stored

        self.caps = dict(caps)
        self.isupport = list(ISUPPORT)
        self.accounts = dict(accounts or {})
        self.port = 0
        self.now: Callable[[], float] = time.time
        self.clients: dict[str, Client] = {}
        self.channels: dict[str, Channel] = {}
        self.renamed: dict[str, str] = {}
        self.private: list[Stored] = []
        self.markers: dict[tuple[str, str], str] = {}
        self.on: dict[str, Callable[[Client, Line], bool]] = {}
        self._commands: dict[str, tuple[int, Handler]] = {**OWN, **ABOUT_CHANNELS, **TALK}
        self._everyone: list[Client] = []
        self._ids = itertools.count(1)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._arrive, HOST, self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._everyone:
            await client.close()
        await self._server.wait_closed()

    async def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self, reader, writer)
        self._everyone.append(client)
        with contextlib.suppress(asyncio.CancelledError):
            await client._reading
        self.leave(client, "Connection closed")

    def client(self, nick: str) -> Client:
        """Who has this nick; KeyError when nobody has."""
        return self.clients[nick.lower()]

    def take(self, client: Client, line: Line) -> None:
        """What a line does; `on` goes first."""
        hook = self.on.get(line.command)
        if hook is not None and hook(client, line):
            return
        least, handler = self._commands.get(line.command, (0, None))
        early = line.command in OWN or (line.command == "AWAY" and "draft/pre-away" in client.caps)
        if not line.command:
            return
        if not client.registered and not early:
            client.numeric("451", "You have not registered")
        elif handler is None:
            client.numeric("421", line.command, "Unknown command")
        elif len(line.params) < least:
            client.numeric("461", line.command, "Not enough parameters")
        else:
            try:
                handler(client, line)
            except Refused as refused:
                client.refuse(*refused.args)

    def offer(self, name: str, value: str = "") -> None:
        """CAP NEW."""
        self.caps[name] = value
        self._notify("NEW", f"{name}={value}" if value else name)

    def withdraw(self, name: str) -> None:
        """CAP DEL: nobody has it any more."""
        self.caps.pop(name, None)
        self._notify("DEL", name)
        for client in self._everyone:
            client.caps.discard(name)

    def _notify(self, how: str, what: str) -> None:
        for client in self.clients.values():
            if "cap-notify" in client.caps:
                client.tell("CAP", client.nick, how, what)

    def leave(self, client: Client, why: str) -> None:
        """Somebody is gone: QUIT to those who can see it, once."""
        if self.clients.get(client.nick.lower()) is not client:
            return
        for one in self.neighbours(client):
            one.tell("QUIT", why, source=client.source)
        del self.clients[client.nick.lower()]
        for channel in self.channels.values():
            channel.members.pop(client, None)
        self.seen(client, online=False)

    def neighbours(self, client: Client) -> set[Client]:
        """All others who share a channel with the client."""
        shared = (channel.members for channel in self.channels.values() if client in channel.members)
        return {one for members in shared for one in members} - {client}

    def seen(self, client: Client, *, online: bool) -> None:
        """MONITOR: 730 and 731."""
        for one in self.clients.values():
            if client.nick.lower() in one.monitored:
                one.numeric("730" if online else "731", client.source if online else client.nick)

    def notify(self, client: Client, cap: str, command: str, *params: str, source: str = "") -> None:
        """To those who share a channel with the client or watch it (extended-monitor), and have asked for `cap`."""
        watching = {one for one in self.clients.values()
                    if client.nick.lower() in one.monitored and "extended-monitor" in one.caps}  # fmt: skip
        for one in self.neighbours(client) | (watching - {client}):
            if cap in one.caps:
                one.tell(command, *params, source=source or client.source)

    def log_in(self, client: Client, account: str) -> None:
        """account-notify; '' logs out."""
        client.account = account
        self.notify(client, "account-notify", "ACCOUNT", account or "*")

    def change_host(self, client: Client, user: str, address: str) -> None:
        """chghost; who has not asked for it is told nothing, as many servers do."""
        before = client.source
        client.user, client.address = user, address
        self.notify(client, "chghost", "CHGHOST", user, address, source=before)
        if "chghost" in client.caps:
            client.tell("CHGHOST", user, address, source=before)

    def new_id(self, kind: str = "m") -> str:
        return f"{kind}{next(self._ids)}"

    def stamp(self, at: float | None = None) -> str:
        """server-time, of now or of `at` (seconds since the epoch)."""
        when = datetime.fromtimestamp(self.now() if at is None else at, UTC)
        return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"


OWN: Final[dict[str, tuple[int, Handler]]] = {
    "CAP": (1, Client._cap),
    "NICK": (1, Client._nick),
    "USER": (4, Client._user),
    "PASS": (1, lambda client, line: None),
    "AUTHENTICATE": (1, Client._authenticate),
    "PING": (1, Client._ping),
    "PONG": (0, lambda client, line: None),
    "QUIT": (0, Client._quit),
}


def _reference(text: str) -> str:
    """`:irc BATCH +b1 …` -> `b1`."""
    return text.partition(" BATCH +")[2].partition(" ")[0]


def _escaped(value: str) -> str:
    """A tag's value (message-tags, "Escaping values")."""
    for raw, escaped in (("\\", "\\\\"), (";", "\\:"), (" ", "\\s"), ("\r", "\\r"), ("\n", "\\n")):
        value = value.replace(raw, escaped)
    return value
