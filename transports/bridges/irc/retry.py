"""When to come back to a network that was lost, under which name, and when not at all.

Pure: chance is handed in. Full jitter: a server that loses a thousand users must not get them back in one moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from transports.errors import LegacyError
from transports.words import Text

#: Seconds: the shortest wait, and the bound that the longest one grows to.
SHORTEST, LONGEST = 1.0, 600.0
#: Seconds that are added where the server says that we come too often.
THROTTLED: Final = 60.0
#: Seconds of a connection after which it counts as a good one: the next loss begins with the shortest wait again.
STABLE: Final = 60.0
#: Nicks that are tried in the place of one that is taken.
NICKS: Final = 6
#: Seconds until a channel that would not let us in is asked again, at least and at most; and how often that is done.
REJOIN, REJOIN_LATEST, REJOINS = 20.0, 300.0, 10

#: What trying again does not change: a ban, a wrong password, another certificate, an address that users may not reach.
_FINAL: Final = frozenset(
    {"forbidden", "not-acceptable", "not-allowed", "not-authorized", "policy-violation", "registration-required"}
)
#: No TLS may be a moment's trouble of the server, and no login its services' being late, though they have the conditions of a
#: certificate and a password that are wrong.
_PASSING: Final = frozenset({"irc.tls-failed", "irc.no-account"})
_DIGITS: Final = re.compile(r"[0-9_]+\Z")


def final(error: LegacyError) -> bool:
    """Whether there is no use in trying again before somebody has changed something."""
    if isinstance(error.text, Text) and error.text.key in _PASSING:
        return False
    return error.condition in _FINAL


def wait(attempts: int, error: LegacyError, chance: Callable[[], float]) -> float:
    """Seconds until the next attempt. attempts: those in vain so far; chance: from 0 to 1, as `random.random`."""
    bound = min(LONGEST, 2.0 ** min(attempts + 1, 30))
    seconds = max(SHORTEST, chance() * bound)
    if error.condition == "resource-constraint":
        seconds += THROTTLED * (1 + chance())
    return min(seconds, LONGEST)


def nicks(nick: str) -> Iterator[str]:
    """Other nicks for one that is taken: longer ones first, then some no longer than it is (NICKLEN is not known yet)."""
    stem = _DIGITS.sub("", nick)[:7] or nick[:7]
    others = [f"{nick}_", f"{nick}__", f"{stem}_", *(f"{stem}{number}" for number in range(1, NICKS))]
    yield from islice(dict.fromkeys(others), NICKS)


def rejoin(error: LegacyError, attempts: int) -> float | None:
    """Seconds until a channel that refused us is asked again; None when it is given up."""
    if attempts >= REJOINS:
        return None
    if error.retry_after is None and error.condition not in ("remote-server-timeout", "resource-constraint"):
        return None
    return min(REJOIN_LATEST, max(REJOIN, error.retry_after or 0.0) * (attempts + 1))
