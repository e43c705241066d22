"""What the server has taken of what we sent: a message is confirmed once, has failed once, or is given up in time.

The state of a Say: queued in `flow` -> written -> covered by a fence (PING) -> confirmed by its PONG. An error numeric in
between belongs to the first message to that target that is in between. Where the server answers labels, `echoes` knows better.
A subject or nick is answered by its change alone, and by nothing when it is what it was. Pure, like `session`.
A server handles the lines of a connection in their order: its PONG comes behind all that was sent before the PING (RFC 2812 3.7).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc.echoes import Spoken
from transports.bridges.irc.formatting import utterances
from transports.errors import LegacyError
from transports.events import Echoed, Failed, Rename, Say, SetSubject
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.session import Network

#: Seconds from the socket write to the confirmation; after that the message counts as lost (architecture: promises).
CONFIRM_WITHIN: Final = 30.0
#: Nothing is on its way: an empty deque of one's own holds 700 bytes, and thousands of networks are silent.
NONE_AWAITED: Final[deque[tuple[Spoken, float]]] = deque(maxlen=0)


def written(net: Network, command: Spoken | SetSubject, now: float) -> None:
    """The last line of `command` is on the socket."""
    if isinstance(command, SetSubject):
        net.unsure.append((command, now))
    elif net.echoes is None or not net.echoes.written(command, now):
        if net.awaiting is NONE_AWAITED:
            net.awaiting = deque()
        net.awaiting.append((command, now))


def fence_line(net: Network) -> str | None:
    """The PING that confirms what was written so far; None while another is on its way or nothing waits."""
    if net.fence or not net.awaiting:
        return None
    net.fences += 1
    net.fence = f"f{net.fences}"
    net.covered = len(net.awaiting)
    return f"PING :{net.fence}"


def pong(net: Network, token: str) -> None:
    """What lies before the fence is in the server's hands."""
    if token != net.fence or not token:
        return
    net.fence = ""
    net.spoiled.clear()
    take = net.awaiting.popleft
    taken = [take()[0] for _ in range(net.covered)]
    net.covered = 0
    if taken and net.echoes is not None:
        net.tell(Echoed(taken, [net.echoes.key(command) for command in taken]))
    elif taken:
        net.tell(Echoed(taken))


def unsay(net: Network, target: str, error: LegacyError) -> bool:
    """An error numeric for `target`: the first message to it that is not confirmed has failed. False: there is none."""
    folded = net.isupport.fold(target)
    if net.spoiled.get(folded, 0):  # another line of a message that has failed already
        net.spoiled[folded] -= 1
        return True
    for sent, _ in net.awaiting:
        name = sent.nick or irc_address.split(sent.to, net.fixed)[0]
        if net.isupport.fold(name) == folded:
            unawait(net, sent)
            if isinstance(sent, Say):
                net.spoiled[folded] = len(utterances(sent.text, name, net.prefix, net.manners.codes)) - 1
            net.tell(Failed(sent, error))
            return True
    return False


def unawait(net: Network, command: Spoken) -> None:
    """The fence confirms one less."""
    for index, (sent, _) in enumerate(net.awaiting):
        if sent is command:
            del net.awaiting[index]
            if index < net.covered:
                net.covered -= 1
            break
    if net.echoes is not None:
        net.echoes.forget(command)


def tick(net: Network, now: float) -> None:
    """Give up on what was never answered."""
    while net.awaiting and now - net.awaiting[0][1] > CONFIRM_WITHIN:
        lost, _ = net.awaiting[0]
        unawait(net, lost)
        _unconfirmed(net, lost)
    if net.echoes is not None:
        for lost in net.echoes.overdue(now - CONFIRM_WITHIN):
            _unconfirmed(net, lost)
    if not net.awaiting:
        net.fence = ""
        net.awaiting = NONE_AWAITED
    while net.unsure and now - net.unsure[0][1] > CONFIRM_WITHIN:
        _give_up(net, net.unsure.pop(0)[0])


def _unconfirmed(net: Network, command: Spoken) -> None:
    net.tell(Failed(command, LegacyError("remote-server-timeout", say("irc.unconfirmed"), certain=False)))


def _give_up(net: Network, command: Rename | SetSubject) -> None:
    """Servers say nothing of a nick or subject that is what it was; any other nick that is not answered has failed."""
    if isinstance(command, SetSubject):
        channel = net.find(irc_address.split(command.room, net.fixed)[0])
        if channel is not None and command in channel.topics:
            channel.topics.remove(command)
            net.tell(Echoed((command,)))
    elif command in net.renames:
        net.renames.remove(command)
        if net.isupport.fold(command.nick) == net.isupport.fold(net.nick):
            net.tell(Echoed((command,)))
        else:
            words = say("irc.slow-nick", server=net.server)
            net.tell(Failed(command, LegacyError("remote-server-timeout", words)))
