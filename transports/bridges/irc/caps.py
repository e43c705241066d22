"""Registration: from the first byte to 001, and the capabilities afterwards.

Pure: lines in, lines to send out. It decides nothing of time (the wire gives up after its own timeout) and nothing of
nicks (`nick_refused` is set, the session chooses another and calls `retry`).

Follows IRCv3 capability negotiation 302 (https://ircv3.net/specs/extensions/capability-negotiation), sasl-3.1 and 3.2,
Modern IRC's connection registration. `sasl` given means that it is wanted: without the login there is no connection.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from transports.bridges.irc import write
from transports.bridges.irc.numerics import LOGIN_ERRORS, NICK_ERRORS, error_for, said_by_server
from transports.bridges.irc.read import Line
from transports.bridges.irc.text import strip_formatting
from transports.errors import LegacyError
from transports.words import say

#: Bytes of names in one CAP REQ; the answer repeats them behind a longer prefix.
MAX_REQUEST: Final = 400
#: Bytes of a PING's token that a PONG has room for.
MAX_TOKEN: Final = 500
#: sasl-3.1: base64 goes in pieces of this size; a last piece of exactly this size is followed by an empty one.
SASL_CHUNK: Final = 400

_NO_SASL: Final = say("irc.no-account")
_NO_TLS: Final = say("irc.no-tls")


class Registration:
    """One connection's registration.

    done          after 001
    failed        why it can never succeed; the connection is then to be closed
    nick_refused  why the nick was not taken; `retry` goes on with another
    nick          ours; as the server says it once done
    caps          the capabilities enabled
    """

    __slots__ = (
        "_asked",
        "_identity",
        "_login",
        "_negotiating",
        "_offered",
        "_password",
        "_plain_allowed",
        "_sasl",
        "_wanted",
        "caps",
        "done",
        "failed",
        "nick",
        "nick_refused",
    )

    def __init__(
        self,
        wanted: frozenset[str],
        nick: str,
        username: str,
        realname: str,
        password: str = "",
        sasl: tuple[str, str] | None = None,
        tls: bool = True,
        allow_plain: bool = False,
    ) -> None:
        """password: the server's (PASS). sasl: account and its password. Neither is sent without TLS unless allow_plain."""
        self.nick = nick
        self.done = False
        self.failed: LegacyError | None = None
        self.nick_refused: LegacyError | None = None
        self.caps: frozenset[str] = frozenset()
        self._identity = (username, realname)
        self._password = password
        self._sasl = sasl
        self._plain_allowed = tls or allow_plain
        self._wanted = wanted | {"sasl"} if sasl else wanted - {"sasl"}
        self._offered: dict[str, str] = {}
        self._asked: deque[set[str]] = deque()
        self._negotiating = True  # until CAP END, which only ever is sent once
        self._login = "none"  # -> "asked" (AUTHENTICATE PLAIN sent) -> "sent" -> "done"

    def start(self) -> list[str]:
        """The first lines to send. Raises nothing: what cannot be sent is in `failed`."""
        if (self._password or self._sasl) and not self._plain_allowed:
            return self._fail(LegacyError("not-authorized", _NO_TLS))
        if self._sasl and any("\0" in part or not part for part in self._sasl):
            return self._fail(LegacyError("not-acceptable", say("irc.bad-account")))
        try:
            lines = [write.cap("LS", "302")]
            if self._password:
                lines.append(write.pass_(self._password))
            return [*lines, write.nick(self.nick), write.user(*self._identity)]
        except write.BadLine as error:
            return self._fail(LegacyError("not-acceptable", say("irc.bad-line", error=str(error))))

    def retry(self, nick: str) -> list[str]:
        """Go on with another nick after `nick_refused`. Raises write.BadLine."""
        line = write.nick(nick)
        self.nick = nick
        self.nick_refused = None
        return [line]

    def feed(self, line: Line) -> list[str]:
        """Take a line from the server; the lines to answer with. Lines of no concern are ignored."""
        if self.failed:
            return []
        if self.done:
            return self._cap(line) if line.command == "CAP" else []
        if line.command in NICK_ERRORS:
            self.nick_refused = error_for(line.command, line.params, NICK_ERRORS)
            return []
        if line.command in LOGIN_ERRORS:
            return self._fail(error_for(line.command, line.params, LOGIN_ERRORS))
        handler = _HANDLERS.get(line.command)
        return handler(self, line) if handler else []

    def _fail(self, error: LegacyError) -> list[str]:
        self.failed = error
        return []

    # capabilities

    def _cap(self, line: Line) -> list[str]:
        """`CAP <us> <subcommand> [*] :names`."""
        if len(line.params) < 3:
            return []
        names = line.params[-1].split()
        match line.params[1].upper():
            case "LS" if not self.done:
                return self._list(names, more=line.params[2] == "*" and len(line.params) > 3)
            case "ACK":
                return self._acknowledged(names)
            case "NAK":
                return self._refused()
            case "NEW":
                return self._request(name for name in map(_name, names) if name in self._wanted - {"sasl"} - self.caps)
            case "DEL":
                self.caps -= set(names)
        return []

    def _list(self, names: list[str], more: bool) -> list[str]:
        if not self._negotiating or self._asked:
            return []
        for item in names:
            name, _, value = item.partition("=")
            if name in self._wanted:
                self._offered[name] = value
        return [] if more else self._choose()

    def _choose(self) -> list[str]:
        """The list is complete: ask for what it has of what we want."""
        mechanisms = self._offered.get("sasl")
        if self._sasl and mechanisms is None:
            return self._fail(LegacyError("not-authorized", _NO_SASL))
        if mechanisms and "PLAIN" not in mechanisms.upper().split(","):
            return self._fail(error_for("908", [], LOGIN_ERRORS))
        return self._request(sorted(self._offered)) or self._end()

    def _request(self, names: Iterable[str]) -> list[str]:
        groups = list(_groups(names))
        self._asked += map(set, groups)
        return [write.cap("REQ", " ".join(group)) for group in groups]

    def _acknowledged(self, names: list[str]) -> list[str]:
        """Requests are answered in order; an acknowledgement may come in several lines."""
        for item in names:
            name = item.lstrip("-~=")
            if item[0] == "-":
                self.caps -= {name}
            elif name in self._wanted:
                self.caps |= {name}
            if self._asked:
                self._asked[0].discard(name)
        if self._asked and not self._asked[0]:
            self._asked.popleft()
        return self._answered()

    def _refused(self) -> list[str]:
        """All of a request is refused for one name in it: ask for each alone, and go without what is refused alone."""
        group = self._asked.popleft() if self._asked else set()
        if len(group) > 1:
            return [line for name in sorted(group) for line in self._request([name])]
        if "sasl" in group:
            return self._fail(LegacyError("not-authorized", _NO_SASL))
        return self._answered()

    def _answered(self) -> list[str]:
        if self._asked or not self._negotiating:
            return []
        if "sasl" in self.caps and self._login == "none":
            self._login = "asked"
            return [write.authenticate("PLAIN")]
        return self._end()

    def _end(self) -> list[str]:
        if not self._negotiating:
            return []
        self._negotiating = False
        return [write.cap("END")]

    def _unknown_command(self, line: Line) -> list[str]:
        """421, 451 or 410 for our CAP or AUTHENTICATE: the server has none, or none that it lets us use."""
        if line.command != "410" and line.params[1:2] not in (["CAP"], ["AUTHENTICATE"]):
            return []
        if self._sasl:
            return self._fail(LegacyError("not-authorized", _NO_SASL))
        if line.command == "410":
            return self._end()
        self._negotiating = False
        return []

    # the rest of registration

    def _authenticate(self, line: Line) -> list[str]:
        if line.params[:1] != ["+"] or not self._sasl or self._login != "asked":
            return []
        self._login = "sent"
        return [write.authenticate(piece) for piece in _plain(*self._sasl)]

    def _authenticated(self, line: Line) -> list[str]:
        self._login = "done"
        return self._end()

    def _welcome(self, line: Line) -> list[str]:
        if self._sasl and self._login != "done":
            return self._fail(LegacyError("not-authorized", _NO_SASL))
        self.done = True
        self._negotiating = False
        self._password, self._sasl = "", None
        self.nick = line.params[0] if line.params else self.nick
        return []

    def _ping(self, line: Line) -> list[str]:
        token = line.params[-1] if line.params else ""
        return [write.pong(token)] if len(token.encode()) <= MAX_TOKEN else []

    def _error(self, line: Line) -> list[str]:
        return self._fail(closing_error(line.params[-1] if line.params else ""))


def _name(item: str) -> str:
    return item.partition("=")[0]


def _groups(names: Iterable[str]) -> Iterator[list[str]]:
    """Names in groups that fit one request each."""
    group: list[str] = []
    size = 0
    for name in names:
        if group and size + len(name) > MAX_REQUEST:
            yield group
            group, size = [], 0
        group.append(name)
        size += len(name) + 1
    if group:
        yield group


def _plain(account: str, password: str) -> list[str]:
    """RFC 4616, in the pieces that sasl-3.1 wants."""
    text = b64encode(f"\0{account}\0{password}".encode(errors="surrogatepass")).decode()
    pieces = [text[at : at + SASL_CHUNK] for at in range(0, len(text), SASL_CHUNK)]
    return pieces if len(pieces[-1]) < SASL_CHUNK else [*pieces, "+"]


_BANNED: Final = re.compile(r"\b(?:[kgzd]|ak|sk)[:-]?\s?lined?\b|\bbanned\b", re.IGNORECASE)
_TOO_MANY: Final = re.compile(r"throttl|too (?:fast|many)|try again|reconnect", re.IGNORECASE)


def closing_error(words: str) -> LegacyError:
    """The error for the server's ERROR line, which has no number: read from its words."""
    said = strip_formatting(words)[:300]
    if _BANNED.search(said):
        return LegacyError("forbidden", said_by_server(say("irc.banned"), said))
    if _TOO_MANY.search(said):
        return LegacyError("resource-constraint", said_by_server(say("irc.too-many-connections"), said), retry_after=60)
    return LegacyError("service-unavailable", said_by_server(say("irc.closed"), said), type="wait", retry_after=60)


_HANDLERS: Final[Mapping[str, Callable[[Registration, Line], list[str]]]] = {
    "CAP": Registration._cap,
    "410": Registration._unknown_command,
    "421": Registration._unknown_command,
    "451": Registration._unknown_command,
    "AUTHENTICATE": Registration._authenticate,
    "903": Registration._authenticated,
    "907": Registration._authenticated,
    "001": Registration._welcome,
    "PING": Registration._ping,
    "ERROR": Registration._error,
}
