"""What was said on IRC while we were away, where the server keeps it: asked after a channel is joined again.

Pure, like `session`. The lines come back as a batch of the past (`batches`, `tagged`), each with its own time and id, so that
the archive takes none twice. A long gap takes several answers, up to a bound. IRCv3 draft/chathistory; needs batch and
server-time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import write
from transports.events import Address

if TYPE_CHECKING:
    from transports.bridges.irc.batches import Batch
    from transports.bridges.irc.session import Network

#: Lines of one answer that are asked for, where the server names no smaller limit; and answers for one channel.
PAGE, PAGES = 100, 10
CHATHISTORY: Final = "draft/chathistory"

_NEEDED: Final = frozenset({CHATHISTORY, "batch", "server-time"})


def fill(net: Network, room: Address, since: float) -> None:
    """Ask for what was said after `since` (seconds since the epoch)."""
    channel = net.find(irc_address.split(room, net.fixed)[0])
    if channel is not None and net.caps >= _NEEDED:
        _ask(net, channel.name, since, PAGES)


def ended(net: Network, batch: Batch) -> None:
    """An answer is complete: if it was a full one, there is more."""
    folded = net.isupport.fold(batch.params[0]) if batch.params else ""
    if net.gaps is None or folded not in net.gaps:
        return
    left = net.gaps.pop(folded) - 1
    net.gaps = net.gaps or None
    channel = net.channels.get(folded)
    if left > 0 and channel is not None and batch.count >= _page(net) and batch.last:
        _ask(net, channel.name, batch.last, left)


def refused(net: Network, params: list[str]) -> bool:
    """`FAIL CHATHISTORY code AFTER #channel …`: no history then, and nothing that the user has to know."""
    if net.gaps is None or params[:1] != ["CHATHISTORY"]:
        return False
    folds = [net.isupport.fold(param) for param in params[1:-1]]
    for folded in [folded for folded in net.gaps if folded in folds] or list(net.gaps)[:1]:
        del net.gaps[folded]
    net.gaps = net.gaps or None
    return True


def _page(net: Network) -> int:
    return min(PAGE, net.isupport.chathistory or PAGE)


def _ask(net: Network, channel: str, since: float, pages: int) -> None:
    moment = datetime.fromtimestamp(min(max(0.0, since), 253_402_300_799.0), UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    net.gaps = net.gaps or {}
    net.gaps[net.isupport.fold(channel)] = pages
    if not net.line.queue("", [write.chathistory(channel, stamp, _page(net))]):
        del net.gaps[net.isupport.fold(channel)]
        net.gaps = net.gaps or None
