"""Our own absence on a network: AWAY, said once for each change and never in haste.

What a user wants is noted, and said when it is another thing than what was said last, some time has passed since then, and
nothing of the user's own waits: clients come and go many times in a minute, and networks throttle AWAY. Pure, like `session`.
RFC 2812 4.1; IRCv3 draft/pre-away (`AWAY *`: nobody reads here, but that is no news for others).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from transports.bridges.irc import text as irc_text
from transports.bridges.irc import write
from transports.events import SetAway

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Seconds between two AWAY.
SAY_EVERY: Final = 5.0
#: Bytes of an away message where the server names no limit (AWAYLEN).
LONGEST: Final = 200
#: Said for those who are away without words: an AWAY without a text comes back (RFC 2812 4.1).
WORDLESS: Final = "Away"
PRE_AWAY: Final = "draft/pre-away"


class Absence(NamedTuple):
    """What the user wants to be said, and what the server was told last, and when; None: that the user is there."""

    wanted: str | None = None
    told: str | None = None
    when: float = 0.0


PRESENT: Final = Absence()


def set_away(net: Network, command: SetAway, now: float) -> None:
    net.absence = net.absence._replace(wanted=command.text)
    say(net, now)


def say(net: Network, now: float) -> None:
    """Say it if it is time; also once a second."""
    wanted, told, when = net.absence
    if wanted == told or not net.ready or not net.line.free or now - when < SAY_EVERY:
        return
    if net.line.queue("", [write.away(_text(net, wanted) if wanted is not None else "")]):
        net.absence = Absence(wanted, wanted, now)


def _text(net: Network, wanted: str) -> str:
    if not wanted and PRE_AWAY in net.caps:
        return "*"
    size = min(net.isupport.awaylen or LONGEST, LONGEST)
    text = irc_text.one_line(wanted, size)
    return text if text not in ("", "*") else WORDLESS
