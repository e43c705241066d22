"""What was said on IRC while we were away, where the server keeps it: asked after a channel is joined again.

Pure, like `session`. The lines come back as a batch of the past (`batches`), each with its own time and id, so that the
archive takes none twice. IRCv3 draft/chathistory; needs batch and server-time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import write
from transports.events import Address

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Lines of one answer that are asked for.
PAGE: Final = 100
#: Seconds before the last line that we had; clocks differ, and what is there already has its id.
OVERLAP: Final = 1.0

_NEEDED: Final = frozenset({"draft/chathistory", "batch", "server-time"})


def fill(net: Network, room: Address, since: float) -> None:
    """Ask for what was said after `since` (seconds since the epoch)."""
    channel = net.find(irc_address.split(room, net.fixed)[0])
    if channel is None or not net.caps >= _NEEDED:
        return
    moment = datetime.fromtimestamp(max(0.0, since - OVERLAP), UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    net.line.queue("", [write.chathistory(channel.name, stamp, PAGE)])
