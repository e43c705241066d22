"""Messages that are not simply to a channel or to the user: notices of services, to some of a channel, about one.

Pure, like `session`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transports.bridges.irc.read import split_source
from transports.events import More, Style

if TYPE_CHECKING:
    from transports.bridges.irc.channel import Channel
    from transports.bridges.irc.session import Network


def private(source: str, style: Style) -> Style:
    """How a private message is shown: what services answer, which are all notices, as what they say.

    Services are who is called so (NickServ, Q's CServe) or comes from a server that is (Atheme, Anope, X's undernet.org).
    """
    if style != "notice":
        return style
    nick, _, host = (part.lower() for part in split_source(source))
    return "say" if nick.endswith("serv") or host.startswith(("services.", "cserve.")) or host == "services" else style


def channel_of(net: Network, text: str) -> Channel | None:
    """The channel that a private notice is about: `[#chan] Welcome to it` is what services say of it when one enters."""
    if text[:1] != "[":
        return None
    name, end, _ = text[1:].partition("]")
    channel = net.find(name) if end and net.isupport.is_channel(name) else None
    return channel if channel is not None and channel.entered else None


def to_some(status: str, text: str, more: More | None) -> tuple[str, More | None]:
    """STATUSMSG: a message that only those of a channel hear who have that status."""
    head = f"[to {status}] "
    if more is not None and more.spans:
        size = len(head)
        spans = tuple(span._replace(start=span.start + size, end=span.end + size) for span in more.spans)
        more = more._replace(spans=spans)
    return head + text, more
