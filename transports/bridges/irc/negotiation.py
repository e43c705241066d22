"""IRCv3 capabilities of one connection: what is offered, asked for, enabled. From the first CAP LS to the last CAP DEL.

Pure: lines in, lines to send out. Knows nothing of the login or of registration, which `caps` is for; it stays when that
is over, because servers add and take away capabilities while one is connected. All it holds is bounded by what we want.
https://ircv3.net/specs/extensions/capability-negotiation, version 302.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from transports.bridges.irc import write

#: Bytes of names in one CAP REQ; the answer repeats them behind a longer prefix.
MAX_REQUEST: Final = 400
#: Characters that are kept of a capability's value.
MAX_VALUE: Final = 300

_NONE: Final[frozenset[str]] = frozenset()


class Negotiation:
    """The capabilities of one connection.

    wanted   the names that may be asked for
    enabled  those that are on; equal sets are one object, whoever's connection they belong to
    """

    __slots__ = ("_asked", "_offered", "enabled", "wanted")

    def __init__(self, wanted: frozenset[str]) -> None:
        self.wanted = wanted
        self.enabled: frozenset[str] = _NONE
        self._offered: dict[str, str] | None = None
        self._asked: list[set[str]] | None = None

    @property
    def pending(self) -> bool:
        """A request is not answered yet."""
        return bool(self._asked)

    def offered(self, name: str) -> str | None:
        """The value that a capability is offered with, '' for none; None when it is not offered, or not wanted."""
        return self._offered.get(name) if self._offered else None

    def value(self, name: str) -> str:
        """What the server says of a capability beside its name: `max-bytes=4096,max-lines=24` of draft/multiline."""
        return self.offered(name) or ""

    def settle(self) -> None:
        """Registration is over: keep what is still of use, as little as it is. There is no other login than that one."""
        self.wanted = _shared(self.wanted - {"sasl"})
        if self._offered:
            self._offered = {name: value for name, value in self._offered.items() if value and name in self.wanted} or None

    def offer(self, items: Iterable[str]) -> None:
        """The server has these: `name` or `name=value`."""
        for item in items:
            name, _, value = item.partition("=")
            if name in self.wanted:
                self._offered = self._offered or {}
                self._offered[name] = value[:MAX_VALUE]

    def request_offered(self) -> list[str]:
        """Ask for everything that is offered and not on or asked for yet."""
        return self.request(sorted(self._offered or ()))

    def request(self, names: Iterable[str]) -> list[str]:
        under_way = set[str]().union(*self._asked or ())
        groups = list(_groups(name for name in names if name not in under_way and name not in self.enabled))
        if groups:
            self._asked = (self._asked or []) + list(map(set, groups))
        return [write.cap("REQ", " ".join(group)) for group in groups]

    def acknowledge(self, items: Iterable[str]) -> None:
        """Requests are answered in order; an acknowledgement may come in several lines."""
        enabled = self.enabled
        for item in items:
            name = item.lstrip("-~=")
            if item[0] == "-":
                enabled -= {name}
            elif name in self.wanted:
                enabled |= {name}
            if self._asked:
                self._asked[0].discard(name)
        self.enabled = _shared(enabled)
        if self._asked and not self._asked[0]:
            self._answered()

    def refuse(self) -> tuple[set[str], list[str]]:
        """All of a request is refused for one name in it: ask for each alone, and go without what is refused alone.

        What is refused for good, and the lines to send.
        """
        group = self._answered() if self._asked else set()
        if len(group) > 1:
            return set(), [line for name in sorted(group) for line in self.request([name])]
        return group, []

    def _answered(self) -> set[str]:
        first, *others = self._asked or [set()]
        self._asked = others or None
        return first

    def withdraw(self, names: Iterable[str]) -> None:
        """CAP DEL: the server has them no longer, and what was on is off."""
        gone = frozenset(names)
        self.enabled = _shared(self.enabled - gone)
        if self._offered:
            self._offered = {name: value for name, value in self._offered.items() if name not in gone} or None

    def later(self, params: list[str]) -> list[str]:
        """A CAP line after registration, by its parameters (`us subcommand :names`); the lines to send."""
        if len(params) < 3:
            return []
        handler = _LATER.get(params[1].upper())
        return handler(self, params[-1].split()) if handler else []

    def _new(self, items: list[str]) -> list[str]:
        self.offer(items)
        return self.request(name for name in map(_name, items) if name in self.wanted)

    def _later_acknowledged(self, items: list[str]) -> list[str]:
        self.acknowledge(items)
        return []

    def _later_refused(self, items: list[str]) -> list[str]:
        return self.refuse()[1]

    def _gone(self, items: list[str]) -> list[str]:
        self.withdraw(items)
        return []


_LATER: Final[Mapping[str, Callable[[Negotiation, list[str]], list[str]]]] = {
    "NEW": Negotiation._new,
    "ACK": Negotiation._later_acknowledged,
    "NAK": Negotiation._later_refused,
    "DEL": Negotiation._gone,
}


@lru_cache(512)
def _shared(names: frozenset[str]) -> frozenset[str]:
    """One object for equal sets: thousands of connections have the same."""
    return names


def _name(item: str) -> str:
    return item.partition("=")[0]


def _groups(names: Iterable[str]) -> Iterator[list[str]]:
    """Names in groups that fit one request each."""
    group: list[str] = []
    size = 0
    for name in dict.fromkeys(names):
        if group and size + len(name) > MAX_REQUEST:
            yield group
            group, size = [], 0
        group.append(name)
        size += len(name) + 1
    if group:
        yield group
