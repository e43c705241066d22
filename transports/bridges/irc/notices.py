"""Messages that are not simply to a channel or to the user: notices of services, to some of a channel, about one.

Pure, like `session`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from transports.bridges.irc.read import split_source
from transports.events import More, Said, Span

if TYPE_CHECKING:
    from transports.bridges.irc.channel import Channel
    from transports.bridges.irc.session import Network

#: Characters that are joined to one message.
MOST: Final = 3_000


def private(net: Network, source: str, said: Said) -> None:
    """Tell what somebody says to the user alone. What services answer, all of it notices, is what they say, and one message as
    far as it comes at once: a page of help is one, not seventeen."""
    before = net.answers
    if said.style == "notice" and is_service(source):
        said = said._replace(style="say")
        if said.when is None:
            if before is not None and _fits(before, said):
                said = _joined(before, said)
            elif before is not None:
                net.tell(before)
            net.answers = said
            return
    if before is not None:
        flush(net)
    net.tell(said)


def flush(net: Network) -> None:
    """Nothing more comes at once."""
    said, net.answers = net.answers, None
    if said is not None:
        net.tell(said)


def is_service(source: str) -> bool:
    """Who is called so (NickServ, ChanServ), or comes from a server that is (Atheme, Anope, QuakeNet's CServe)."""
    nick, _, host = (part.lower() for part in split_source(source))
    return nick.endswith("serv") or host.startswith(("services.", "cserve.")) or host == "services"


def _fits(before: Said, after: Said) -> bool:
    return before.where == after.where and len(before.text) + len(after.text) < MOST


def _joined(before: Said, after: Said) -> Said:
    """Two lines as one text; the first one's id is that of both."""
    spans = (*_spans(before), *(_moved(span, len(before.text) + 1) for span in _spans(after)))
    more = (before.more or More())._replace(spans=spans) if spans else before.more
    return before._replace(text=f"{before.text}\n{after.text}", more=more)


def _spans(said: Said) -> Sequence[Span]:
    return said.more.spans if said.more is not None else ()


def _moved(span: Span, by: int) -> Span:
    return span._replace(start=span.start + by, end=span.end + by)


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
        more = more._replace(spans=tuple(_moved(span, len(head)) for span in more.spans))
    return head + text, more
