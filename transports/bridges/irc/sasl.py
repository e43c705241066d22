"""Logging in to an account with SASL before registration ends: EXTERNAL, then SCRAM, then PLAIN, as the server has them.

Pure: what the server says in, what to answer out. The steps are a table of mechanisms. What ends a login:

    done     the server has let us in, and proved itself where the mechanism has it do so
    failed   why not. `hostile`: the server cheated (SCRAM); then nobody should talk to it any longer

The next mechanism is tried where the server refuses one before it has seen a password: accounts without SCRAM's keys, a
certificate that nobody has registered. A password that was refused is not tried again: the second try locks accounts.
IRCv3 sasl-3.1, sasl-3.2; RFC 4422 (EXTERNAL), RFC 4616 (PLAIN), RFC 7677 (SCRAM-SHA-256; SHA-512 likewise).
"""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Final, NamedTuple

from transports.bridges.irc import write
from transports.bridges.irc.numerics import LOGIN_ERRORS, error_for
from transports.bridges.irc.read import Line
from transports.bridges.irc.scram import Exchange, Puzzle, Untrusted
from transports.errors import LegacyError
from transports.words import say

#: sasl-3.1: base64 goes in pieces of this size; a last piece of exactly this size is followed by an empty one.
CHUNK: Final = 400
#: Characters of base64 that one challenge may have, over all its pieces.
MAX_CHALLENGE: Final = 8_000

#: SCRAM's hashes, the best first.
SCRAMS: Final = {"SCRAM-SHA-512": "sha512", "SCRAM-SHA-256": "sha256"}
#: What a server may have that does not say: each guess that is wrong counts as an attempt.
ASSUMED: Final = "EXTERNAL,SCRAM-SHA-256,PLAIN"
#: The numerics that a login is about (sasl-3.1).
NUMERICS: Final = frozenset({"902", "903", "904", "905", "906", "907", "908"})


class Credentials(NamedTuple):
    """What a user has to log in with.

    account      the account's name, which need not be the nick; '' where the certificate tells
    password     '' for none
    certificate  TLS shows a certificate of the user's
    required     without the login there is no connection
    """

    account: str = ""
    password: str = ""
    certificate: bool = False
    required: bool = True

    @property
    def fit(self) -> bool:
        """They can be said in SASL: a password has a name, and PLAIN's separator is in neither."""
        return "\0" not in self.account + self.password and (bool(self.account) or not self.password)


class Mechanism:
    """One way to log in.

    `answer` takes a challenge and returns the response; None: there is none, or there is one when a puzzle is solved.
    """

    name = ""
    #: The server has been shown a password, or the proof of one.
    shown = False
    #: The server has proved what it has to prove: success may be believed.
    proved = True
    puzzle: Puzzle | None = None

    def answer(self, challenge: bytes) -> bytes | None:
        raise NotImplementedError

    def solved(self, solution: bytes) -> bytes:
        raise NotImplementedError


class External(Mechanism):
    """The certificate tells who we are; we name no account (RFC 4422 appendix A)."""

    name = "EXTERNAL"

    def answer(self, challenge: bytes) -> bytes:
        return b""


class Plain(Mechanism):
    name = "PLAIN"
    proved = False  # a success without the password is none

    def __init__(self, account: str, password: str) -> None:
        self._text = f"\0{account}\0{password}".encode(errors="surrogatepass")

    def answer(self, challenge: bytes) -> bytes | None:
        if self.shown:
            return None
        self.shown = self.proved = True
        return self._text


class Scram(Mechanism):
    """Three challenges: an empty one, the server-first-message, the server-final-message."""

    proved = False

    def __init__(self, name: str, account: str, password: str, nonce: str) -> None:
        self.name = name
        self._exchange = Exchange(account, password, nonce, SCRAMS[name])
        self._step = 0

    def answer(self, challenge: bytes) -> bytes | None:
        self._step += 1
        if self._step == 1:
            return self._exchange.first()
        if self._step == 2:
            self.puzzle = self._exchange.challenged(challenge)
            return None
        if self._step > 3 or not self.shown:
            raise Untrusted("order")
        if self._exchange.refusal(challenge) is None:  # else the numeric that follows says so
            self._exchange.verify(challenge)
            self.proved = True
        return b""

    def solved(self, solution: bytes) -> bytes:
        self.puzzle = None
        self.shown = True
        return self._exchange.proof(solution)


class Login:
    """The login of one connection. `puzzle`: to be solved, its solution given to `solved`."""

    def __init__(self, credentials: Credentials, nonce: str) -> None:
        self.done = False
        self.failed: LegacyError | None = None
        self.hostile = False
        self.started = False
        self._left = list(_mechanisms(credentials, nonce))
        self._current: Mechanism | None = None
        self._challenge = ""

    @property
    def over(self) -> bool:
        return self.done or self.failed is not None

    @property
    def puzzle(self) -> Puzzle | None:
        return self._current.puzzle if self._current is not None else None

    def suits(self, offered: str) -> bool:
        """A server that offers this has a mechanism of ours, or does not say what it has ('')."""
        names = _named(offered)
        return not names or any(mechanism.name in names for mechanism in self._left)

    def begin(self, offered: str | None) -> list[str]:
        """`sasl` is enabled; offered: its value, '' where the server does not say what it has."""
        self.started = True
        self._limit(offered or ASSUMED)
        return self._next(error_for("908", [], LOGIN_ERRORS))

    def _limit(self, offered: str) -> None:
        """Only the mechanisms that the server names, where it names any."""
        names = _named(offered)
        if names:
            self._left = [mechanism for mechanism in self._left if mechanism.name in names]

    def _next(self, error: LegacyError) -> list[str]:
        """On with the next mechanism, or the error that remains when there is none."""
        self._challenge = ""
        if not self._left:
            self.fail(error)
            return []
        self._current = self._left.pop(0)
        return [write.authenticate(self._current.name)]

    def fail(self, error: LegacyError) -> None:
        self.failed = self.failed or error
        self._current = None
        self._left.clear()

    def challenged(self, piece: str) -> list[str]:
        """AUTHENTICATE from the server: a piece of a challenge."""
        mechanism = self._current
        if self.over or mechanism is None or mechanism.puzzle is not None:
            return []
        self._challenge += "" if piece == "+" else piece
        if len(piece) > CHUNK or len(self._challenge) > MAX_CHALLENGE:
            return self._cheated()
        if len(piece) == CHUNK:
            return []
        challenge, self._challenge = self._challenge, ""
        try:
            answer = mechanism.answer(b64decode(challenge, validate=True))
        except (ValueError, Untrusted):
            return self._cheated()
        return [] if answer is None else pieces(answer)

    def solved(self, solution: bytes) -> list[str]:
        mechanism = self._current
        return pieces(mechanism.solved(solution)) if mechanism is not None and mechanism.puzzle is not None else []

    def _cheated(self) -> list[str]:
        self.hostile = True
        self.fail(LegacyError("not-authorized", say("irc.login-untrusted"), type="cancel"))
        return [write.authenticate("*")]

    def numeric(self, line: Line) -> list[str]:
        """One of NUMERICS."""
        handler = _ANSWERS.get(line.command)
        return handler(self, line) if handler is not None and not self.over and self._current is not None else []

    def _succeeded(self, line: Line) -> list[str]:
        if self._current is None or not self._current.proved:
            return self._cheated()
        self.done = True
        self._current = None
        return []

    def _mechanisms_are(self, line: Line) -> list[str]:
        """908 comes before the 904 that refuses the mechanism; where nothing is left, nothing has to be waited for."""
        self._limit(line.params[1] if len(line.params) > 2 else "")
        if not self._left and (self._current is None or not self._current.shown):
            self.fail(error_for("908", line.params, LOGIN_ERRORS))
        return []

    def _refused(self, line: Line) -> list[str]:
        error = error_for(line.command, line.params, LOGIN_ERRORS)
        if isinstance(self._current, External):
            error = LegacyError("not-authorized", say("irc.certificate-unknown"))
        elif self._current is not None and self._current.shown:
            self.fail(error)
            return []
        return self._next(error)

    def _ended(self, line: Line) -> list[str]:
        self.fail(error_for(line.command, line.params, LOGIN_ERRORS))
        return []


_ANSWERS: Final[dict[str, Callable[[Login, Line], list[str]]]] = {
    "902": Login._ended,
    "903": Login._succeeded,
    "904": Login._refused,
    "905": Login._refused,
    "906": Login._ended,
    "907": Login._succeeded,
    "908": Login._mechanisms_are,
}


def _named(offered: str) -> set[str]:
    return {name.strip().upper() for name in offered.split(",")} - {""}


def _mechanisms(credentials: Credentials, nonce: str) -> list[Mechanism]:
    """All that these credentials can be used with, the best first."""
    account, password, certificate, _ = credentials
    found: list[Mechanism] = [External()] if certificate else []
    if password:
        # SASLprep has no such password where it cannot be made; PLAIN sends it as it is
        with contextlib.suppress(ValueError):
            found += [Scram(name, account, password, nonce) for name in SCRAMS]
        found.append(Plain(account, password))
    return found


def pieces(response: bytes) -> list[str]:
    """The lines of one response, in the pieces that sasl-3.1 wants."""
    text = b64encode(response).decode()
    parts = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    if not parts or len(parts[-1]) == CHUNK:
        parts.append("+")
    return [write.authenticate(part) for part in parts]
