"""IRCv3 strict transport security: which hosts have told us never to come without TLS again, and until when.

Pure; the time is handed in, in seconds since the epoch. Policies are of host names, never of IP addresses, and only a
connection whose certificate was verified may set one (the caller's to know). `preload` is ignored: it is for lists of browsers.
https://ircv3.net/specs/extensions/sts. One table for all users: what holds for a host holds whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

#: The longest that a policy is kept, whatever the server says: a year, as browsers do it.
LONGEST: Final = 366 * 86_400
#: Hosts in the table; past it, those whose policy ends first are forgotten.
HOSTS: Final = 10_000
#: Lines of a value that are looked at.
TOKENS: Final = 20


class Offer(NamedTuple):
    """What a server says: None where it says nothing."""

    port: int | None = None
    duration: int | None = None


class Policy(NamedTuple):
    """TLS on `port` until `expires`, and `duration` seconds from the end of every connection."""

    port: int
    duration: int
    expires: float


def parse(value: str) -> Offer:
    """The value of the capability, `key=value` with commas between; unknown keys and what is no number are passed over."""
    found: dict[str, int] = {}
    for token in value.split(",", TOKENS)[:TOKENS]:
        key, _, number = token.partition("=")
        if key in ("port", "duration") and number.isascii() and number.isdigit() and len(number) < 12:
            found.setdefault(key, int(number))
    port = found.get("port", 0)
    return Offer(port if 0 < port < 65536 else None, found.get("duration"))


class Policies:
    """The table. `save` is told of each change: host and text, '' when there is no policy any more."""

    def __init__(self, save: Callable[[str, str], None] = lambda host, text: None) -> None:
        self._save = save
        self._hosts: dict[str, Policy] = {}

    def load(self, kept: Mapping[str, str]) -> None:
        """What `save` was given; what is not understood is passed over."""
        for host, text in kept.items():
            words = text.split()
            if len(words) == 3 and all(word.isascii() and word.isdigit() and len(word) < 12 for word in words):
                self._hosts[host] = Policy(*map(int, words))

    def of(self, host: str, now: float) -> Policy | None:
        """The policy that holds for a host, if there is one."""
        policy = self._hosts.get(host)
        if policy is not None and policy.expires <= now:
            self._forget(host)
            return None
        return policy

    def learn(self, host: str, port: int, value: str, now: float) -> None:
        """A verified connection to `port` was told `value`: a duration sets the policy anew, 0 ends it."""
        duration = parse(value).duration
        if duration is None:
            return
        if not duration:
            self._forget(host)
            return
        self._set(host, Policy(port, min(duration, LONGEST), 0), now)

    def renew(self, host: str, now: float) -> None:
        """A connection to it has ended: the policy counts from now on, for connections last for months."""
        policy = self.of(host, now)
        if policy is not None:
            self._set(host, policy, now)

    def _set(self, host: str, policy: Policy, now: float) -> None:
        before = self._hosts.get(host)
        made = policy._replace(expires=int(now + policy.duration))
        self._hosts[host] = made
        if len(self._hosts) > HOSTS:
            self._forget(min(self._hosts, key=lambda name: self._hosts[name].expires))
        # a day more or less is not worth a write: thousands of connections end at once
        if before is None or before[:2] != made[:2] or abs(made.expires - before.expires) > min(86_400, made.duration / 10):
            self._save(host, f"{made.port} {made.duration} {made.expires}")
        else:
            self._hosts[host] = before

    def _forget(self, host: str) -> None:
        if self._hosts.pop(host, None) is not None:
            self._save(host, "")
