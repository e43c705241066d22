"""An occupant of whom more is known than the nick, as text: the presence with real address, account, absence, bot.

A room with nobody but such as nothing is known of has no need of this: `write.present` serves thousands of them alike.
XEP-0045 (`jid` of the item), XEP-0317 (hats), XEP-0421 (occupant ids), RFC 6121 4.7.2 (show, status).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from transports.errors import LegacyError
from transports.events import BY_ADDRESS, NO_RANK, Person, Rank
from transports.words import say
from transports.xmpp import write, xml
from transports.xmpp.address import JidError, to_resource
from transports.xmpp.client import occupant_id, plain_address, resource

HATS: Final = "urn:xmpp:hats:0"
#: XEP-0317: what a hat is known by; the title is for people.
ACCOUNT_HAT: Final = "urn:transports:hat:account"
BOT_HAT: Final = "urn:transports:hat:bot"


class Kin(NamedTuple):
    """How the people of a room are called outside of it, for one reader.

    jid    nick -> bare JID; JidError or LegacyError where there is none
    tail   what follows a plain nick, in lower case, in that JID, as a part of an attribute; None where it is not so simple
    words  a text of ours in the reader's language
    own    bare JID of the reader; '' where it is not told
    """

    jid: Callable[[str], str]
    tail: str | None = None
    words: Callable[[str], str] = str
    own: str = ""


def _nowhere(nick: str) -> str:
    raise JidError("nobody here has an address")


NO_KIN: Final = Kin(_nowhere)


def here(kin: Kin, nick: str, rank: Rank, who: Person, codes: Iterable[str] = (), own: bool = False) -> str:
    """From the resource in `from` to the end: somebody who is here.

    own: the reader, told the own JID. COMPAT: Converse.js 14 finds itself by it, and has no /kick, /ban, /op … without it.
    """
    host, account, away, bot, _, id = who
    tail = kin.tail
    if id == BY_ADDRESS and away is None and not account and not bot and not codes and tail is not None:
        address = f"{nick}!{host}"
        if plain_address(address) is not None and len(address) <= 128:  # most are so, and thousands come at once
            head = _MOST if rank is NO_RANK else _head(rank.affiliation, rank.role)
            return (
                f"{nick}{head}{nick.lower()}{tail}/{host}'/></x>"
                f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{address}'/></presence>"
            )
    if own:
        jid = f" jid='{xml.attr(kin.own)}'" if kin.own else ""
    else:
        jid = _address(kin, nick, host) if host else ""
    item = f"<item affiliation='{rank[0]}' role='{rank[1]}'{jid}/>"
    inner = f"{_absence(away)}<x xmlns='{write.MUC_USER}'>{item}{write.statuses(codes)}"
    known = f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{occupant_id(nick, who)}'/>"
    return f"{resource(nick)}'>{inner}</x>{known}{_hats(kin, account, bot)}</presence>"


def _head(affiliation: str, role: str) -> str:
    return f"'><x xmlns='{write.MUC_USER}'><item affiliation='{affiliation}' role='{role}' jid='"


_MOST: Final = _head(*NO_RANK[:2])


def _address(kin: Kin, nick: str, host: str) -> str:
    """The `jid` of an item; none rather than one that a server refuses."""
    try:
        return f" jid='{xml.attr(kin.jid(nick))}/{xml.attr(to_resource(host))}'"
    except (JidError, LegacyError):
        return ""


def _absence(away: str | None) -> str:
    if away is None:
        return ""
    return f"<show>away</show><status>{xml.text(xml.clip(away, 1_000))}</status>" if away else "<show>away</show>"


def _hats(kin: Kin, account: str, bot: bool) -> str:
    hats = ""
    if account:
        hats = _hat(ACCOUNT_HAT, kin.words(say("room.account", account=account)))
    if bot:
        hats += _hat(BOT_HAT, kin.words(say("room.bot")))
    return f"<hats xmlns='{HATS}'>{hats}</hats>" if hats else ""


def _hat(uri: str, title: str) -> str:
    return f"<hat uri='{uri}' title='{xml.attr(title)}'/>"
