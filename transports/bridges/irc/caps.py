"""Registration: from the first byte to 001.

Pure: lines in, lines to send out. It decides nothing of time (the wire gives up after its own timeout) and nothing of
nicks (`nick_refused` is set, the session chooses another and calls `retry`). What it leaves behind is its `Negotiation`.

Follows IRCv3 capability negotiation 302 (https://ircv3.net/specs/extensions/capability-negotiation), sts, WebIRC, Modern
IRC's connection registration. A login that is required and fails ends the connection; another one that fails is told to the
user (`warning`) and the connection goes on without it. A server that cheats at the login is left in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from transports.bridges.irc import sts, write
from transports.bridges.irc.negotiation import Negotiation
from transports.bridges.irc.numerics import LOGIN_ERRORS, NICK_ERRORS, error_for, said_by_server
from transports.bridges.irc.read import Line
from transports.bridges.irc.sasl import NUMERICS as LOGIN_NUMERICS
from transports.bridges.irc.sasl import Credentials, Login
from transports.bridges.irc.scram import Puzzle
from transports.bridges.irc.text import strip_formatting
from transports.errors import LegacyError
from transports.words import say

#: Bytes of a nick that anybody could be called (`orders.NICK_LIMIT`).
MAX_NICK: Final = 128
#: Bytes of a PING's token that a PONG has room for.
MAX_TOKEN: Final = 500

_NO_SASL: Final = say("irc.no-account")
_NO_TLS: Final = say("irc.no-tls")


class Registration:
    """One connection's registration.

    done          after 001
    failed        why it can never succeed; the connection is then to be closed
    warning       why there is no login, where that is no reason to go
    nick_refused  why the nick was not taken; `retry` goes on with another
    nick          ours; as the server says it once done
    account       that we are logged in to; '' before
    sts           what the server says of TLS (`sts.parse`); '' when it says nothing
    upgrade       the port to come back to with TLS: this connection is to be closed, and nothing was said on it
    """

    __slots__ = (
        "_allowed",
        "_careful",
        "_credentials",
        "_identity",
        "_login",
        "_negotiating",
        "_password",
        "_unsent",
        "_webirc",
        "account",
        "done",
        "failed",
        "negotiation",
        "nick",
        "nick_refused",
        "sts",
        "upgrade",
        "warning",
    )

    def __init__(
        self,
        wanted: frozenset[str],
        nick: str,
        username: str,
        realname: str,
        password: str = "",
        sasl: Credentials | None = None,
        tls: bool = True,
        allow_plain: bool = False,
        careful: bool = False,
        webirc: tuple[str, ...] = (),
        nonce: str = "",
    ) -> None:
        """password: the server's (PASS). webirc: password, gateway, host, IP. No secret is sent without TLS unless allow_plain.

        careful: without TLS, say who we are only when the server has had its say on that (STS). nonce: for SCRAM, new each time.
        """
        self.nick = nick
        self.done = False
        self.failed: LegacyError | None = None
        self.warning: LegacyError | None = None
        self.nick_refused: LegacyError | None = None
        self.account = ""
        self.sts = ""
        self.upgrade = 0
        self._identity = (username, realname)
        self._password = password
        self._webirc = webirc
        self._credentials = sasl
        self._allowed = tls or allow_plain
        self._careful = careful and not tls
        self._unsent: list[str] = []
        self._login = Login(sasl, nonce) if sasl and sasl.fit else None
        self.negotiation = Negotiation(wanted | {"sasl"} if sasl else wanted - {"sasl"})
        self._negotiating = True  # until CAP END, which only ever is sent once

    @property
    def caps(self) -> frozenset[str]:
        """The capabilities enabled."""
        return self.negotiation.enabled

    @property
    def puzzle(self) -> Puzzle | None:
        """What has to be solved before the login can go on, for `solved`."""
        return self._login.puzzle if self._login else None

    def start(self) -> list[str]:
        """The first lines to send. Raises nothing: what cannot be sent is in `failed`."""
        if (self._password or self._credentials or self._webirc) and not self._allowed:
            return self._fail(LegacyError("not-authorized", _NO_TLS))
        if self._credentials and not self._credentials.fit:
            return self._fail(LegacyError("not-acceptable", say("irc.bad-account")))
        try:
            first = [write.webirc(*self._webirc)] if self._webirc else []
            rest = [write.pass_(self._password)] if self._password else []
            rest += [write.nick(self.nick), write.user(*self._identity)]
        except write.BadLine as error:
            return self._fail(LegacyError("not-acceptable", say("irc.bad-line", error=str(error))))
        first.append(write.cap("LS", "302"))
        if self._careful:
            self._unsent = rest
            return first
        return first + rest

    def proceed(self) -> list[str]:
        """Say who we are, if that was kept back: the server has said nothing of TLS, or nothing at all for long enough."""
        lines, self._unsent = self._unsent, []
        return lines

    def retry(self, nick: str) -> list[str]:
        """Go on with another nick after `nick_refused`. Raises write.BadLine."""
        line = write.nick(nick)
        self.nick = nick
        self.nick_refused = None
        return [line]

    def feed(self, line: Line) -> list[str]:
        """Take a line from the server; the lines to answer with. Lines of no concern are ignored."""
        if self.failed or self.done or self.upgrade:
            return []
        if line.command in NICK_ERRORS:
            self.nick_refused = error_for(line.command, line.params, NICK_ERRORS)
            return []
        if line.command in LOGIN_NUMERICS:
            return self._logging_in(lambda login: login.numeric(line))
        if line.command in LOGIN_ERRORS:
            return self._fail(error_for(line.command, line.params, LOGIN_ERRORS))
        handler = _HANDLERS.get(line.command)
        return handler(self, line) if handler else []

    def solved(self, solution: bytes) -> list[str]:
        """`puzzle` is solved."""
        return self._logging_in(lambda login: login.solved(solution))

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
            case "LS":
                return self._list(names, more=line.params[2] == "*" and len(line.params) > 3)
            case "ACK":
                self.negotiation.acknowledge(names)
                return self._answered()
            case "NAK":
                return self._refused()
            case "DEL" if "sasl" in names:
                self.negotiation.withdraw(names)
                return self._no_login(LegacyError("not-authorized", _NO_SASL)) or self._answered()
        return self.negotiation.later(line.params)

    def _list(self, names: list[str], more: bool) -> list[str]:
        if not self._negotiating or self.negotiation.pending:
            return []
        self.negotiation.offer(names)
        for name in names:
            if name.startswith("sts="):
                self.sts = name[4:500]
        return [] if more else self._choose()

    def _choose(self) -> list[str]:
        """The list is complete: ask for what it has of what we want."""
        if self._careful:
            self.upgrade = sts.parse(self.sts).port or 0
            if self.upgrade:
                return []
        lines = self.proceed()
        offered = self.negotiation.offered("sasl")
        if offered is None:
            self._no_login(LegacyError("not-authorized", _NO_SASL))
        elif self._login is not None and not self._login.suits(offered):
            self._no_login(error_for("908", [], LOGIN_ERRORS))
            self.negotiation.withdraw(["sasl"])  # not asked for: nothing could be done with it
        if self.failed:
            return []
        return lines + (self.negotiation.request_offered() or self._end())

    def _refused(self) -> list[str]:
        for_good, lines = self.negotiation.refuse()
        if "sasl" in for_good:
            lines += self._no_login(LegacyError("not-authorized", _NO_SASL))
        return lines or self._answered()

    def _answered(self) -> list[str]:
        """An answer came: log in, or end the negotiation, when it was the last one."""
        if self.negotiation.pending or not self._negotiating or self.failed:
            return []
        login = self._login
        if login is None or "sasl" not in self.negotiation.enabled:
            return self._end()
        return [] if login.started else self._logging_in(lambda login: login.begin(self.negotiation.offered("sasl")))

    def _end(self) -> list[str]:
        if not self._negotiating:
            return []
        self._negotiating = False
        return [write.cap("END")]

    def _unknown_command(self, line: Line) -> list[str]:
        """421, 451 or 410 for our CAP or AUTHENTICATE: the server has none, or none that it lets us use."""
        if line.command != "410" and line.params[1:2] not in (["CAP"], ["AUTHENTICATE"]):
            return []
        self._no_login(LegacyError("not-authorized", _NO_SASL))
        if self.failed:
            return []
        if line.command == "410" or line.params[1:2] == ["AUTHENTICATE"]:
            return self.proceed() + self._end()
        self._negotiating = False
        return self.proceed()

    # the login

    def _logging_in(self, step: Callable[[Login], list[str]]) -> list[str]:
        """One step of the login, and what becomes of the registration by it."""
        login = self._login
        if login is None or login.over:
            return []
        lines = step(login)
        if login.failed is not None:
            if login.hostile:
                self._fail(login.failed)
                return lines
            lines += self._no_login(login.failed)
        return lines + self._end() if login.over and not self.failed else lines

    def _no_login(self, error: LegacyError) -> list[str]:
        """There is no login, for whatever reason: the end where it is required, else something to be told."""
        if self._login is None or self._login.done:
            return []
        self._login = None
        if self._credentials is not None and self._credentials.required:
            return self._fail(error)
        self.warning = self.warning or error
        return []

    def _logged_in(self, line: Line) -> list[str]:
        """900: the account that the server means; it may also come by itself, for a certificate that it knows."""
        self.account = line.params[2] if len(line.params) > 3 else self.account
        return []

    # the rest of registration

    def _authenticate(self, line: Line) -> list[str]:
        piece = line.params[0] if line.params else ""
        return self._logging_in(lambda login: login.challenged(piece)) if piece else []

    def _welcome(self, line: Line) -> list[str]:
        if self._login is not None and not self._login.done:
            self._no_login(LegacyError("not-authorized", _NO_SASL))
            if self.failed:
                return []
        self.done = True
        self._negotiating = False
        self._password, self._credentials, self._login, self._webirc = "", None, None, ()
        self.negotiation.settle()
        self.nick = _called(line.params) or self.nick
        return self.proceed()

    def _ping(self, line: Line) -> list[str]:
        token = line.params[-1] if line.params else ""
        return [write.pong(token)] if len(token.encode()) <= MAX_TOKEN else []

    def _error(self, line: Line) -> list[str]:
        return self._fail(closing_error(line.params[-1] if line.params else ""))


def _called(params: list[str]) -> str:
    """What the server calls us; '' where nobody could be called so."""
    try:
        write.nick(params[0])
    except (IndexError, write.BadLine):
        return ""
    return params[0] if len(params[0].encode()) <= MAX_NICK and "!" not in params[0] else ""


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
    "900": Registration._logged_in,
    "001": Registration._welcome,
    "PING": Registration._ping,
    "ERROR": Registration._error,
}
