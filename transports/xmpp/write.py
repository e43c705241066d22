"""Facts and errors as stanza text: the templates, and nothing of who gets them.

All text goes through `xml`. What is the same for a thousand stanzas (the item of a rank, the start of a stanza to one
client) is made once and kept by the caller. XEP-0045 (rooms), XEP-0203 (delay), XEP-0334 (hints), XEP-0359 (stanza ids),
XEP-0421 (occupant ids).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final

from transports.errors import LegacyError
from transports.events import Rank
from transports.words import in_language
from transports.xmpp import xml
from transports.xmpp.address import Jid, speakable
from transports.xmpp.read import Iq, Message, Presence

MUC_USER: Final = "http://jabber.org/protocol/muc#user"
_X: Final = f"<x xmlns='{MUC_USER}'>"
#: XEP-0334: what is of use only at this moment.
NO_STORE: Final = "<no-store xmlns='urn:xmpp:hints'/>"
#: An id of a stanza or an origin longer than this is not echoed; it would only serve to blow up what others receive.
ID_LIMIT: Final = 1_000


def present(rank: Rank) -> str:
    """From the end of `from` to the start of the occupant id: an occupant who is here, with this rank."""
    return _present(rank.affiliation, rank.role)


@cache  # by XEP-0045's own words, which are few; marks are the far side's, which are not
def _present(affiliation: str, role: str) -> str:
    item = f"<item affiliation='{affiliation}' role='{role}'/>"
    return f"'>{_X}{item}</x><occupant-id xmlns='urn:xmpp:occupant-id:0' id='"


def occupant(rank: Rank, codes: Iterable[str], id: str) -> str:
    """From the end of `from` to the end: an occupant who is here, with status codes."""
    item = f"<item affiliation='{rank.affiliation}' role='{rank.role}'/>"
    return f"'>{_X}{item}{statuses(codes)}</x><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/></presence>"


def gone(rank: Rank, codes: tuple[str, ...], reason: str = "", actor: str = "", nick: str = "") -> str:
    """From the end of `from` to the end: an occupant who left; with `actor` the reason is the actor's (XEP-0045 9.1).

    nick: the new nick, already a resource (XEP-0045 7.6)
    """
    return _gone(rank.affiliation, rank.role, codes, reason[:1_000], actor[:200], nick)


@lru_cache(256)  # a netsplit's are all the same
def _gone(affiliation: str, role: str, codes: tuple[str, ...], reason: str, actor: str, nick: str) -> str:
    words = xml.text(xml.clip(reason, 2_000))
    inner = status = ""
    if actor:
        inner = f"<actor nick='{xml.attr(actor)}'/>"
        inner += f"<reason>{words}</reason>" if words else ""
    elif words:
        status = f"<status>{words}</status>"
    renamed = f" nick='{xml.attr(nick)}'" if nick else ""
    role = role if nick else "none"
    item = f"<item affiliation='{affiliation}' role='{role}'{renamed}>{inner}</item>"
    return f"' type='unavailable'>{status}{_X}{item}{statuses(codes)}</x></presence>"


def statuses(codes: Iterable[str]) -> str:
    return "".join([f"<status code='{code}'/>" for code in codes])


def stamp(when: float) -> str:
    """Seconds since the epoch as XEP-0082 DateTime; times that no calendar holds become the epoch."""
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00Z"


def delay(when: float, sender: str) -> str:
    return f"<delay xmlns='urn:xmpp:delay' from='{xml.attr(sender)}' stamp='{stamp(when)}'/>"


def body(text: str, size: int = 40_000) -> str:
    return f"<body>{xml.text(xml.clip(text, size))}</body>"


def id_attr(id: str) -> str:
    """The id attribute, with a space in front; empty where there was none or it is absurdly long."""
    return f" id='{xml.attr(id)}'" if id and len(id) <= ID_LIMIT else ""


def spoken(jid: Jid) -> str:
    """An address of ours as somebody typed it, as far as every server takes it as a sender."""
    if speakable(jid):
        return jid.full
    return jid.bare if speakable(jid._replace(resource="")) else jid.domain


#: Beside the error for a join (XEP-0045 7.2.6). COMPAT: poezio 0.14 shows only errors with the second one.
NOT_JOINED: Final = f"<x xmlns='http://jabber.org/protocol/muc'/><x xmlns='{MUC_USER}'/>"


def refusal(door: xml.Door, tag: str, asked: Message | Presence | Iq, error: LegacyError, language: str = "") -> str:
    """The error answer to a stanza, from the address that the stanza was sent to (RFC 6120 8.3.1); language: the asker's."""
    opening = door.opening(tag, spoken(asked.to), asked.sender, f"{id_attr(asked.id)} type='error'")
    muc = NOT_JOINED if isinstance(asked, Presence) and asked.muc else ""
    words = in_language(error.text, language or asked.language)
    return f"{opening}>{muc}{xml.error(error.condition, error.type, words, error.specific)}</{tag}>"


def result(door: xml.Door, asked: Iq, payload: str = "") -> str:
    """The answer to an iq (RFC 6120 8.2.3)."""
    opening = door.opening("iq", spoken(asked.to), asked.sender, f"{id_attr(asked.id)} type='result'")
    return f"{opening}>{payload}</iq>"


def chat(door: xml.Door, sender: str, to: str, id: str, text: str, more: str = "") -> str:
    """A message of a person or service to the user."""
    opening = door.opening("message", sender, to, f"{id_attr(id)} type='chat'")
    return f"{opening}>{body(text)}{more}</message>"


def invitation(door: xml.Door, room: str, to: str, inviter: str, reason: str) -> str:
    """A mediated invitation (XEP-0045 7.8.2) with a direct one beside it (XEP-0249)."""
    words = xml.text(xml.clip(reason, 1_000))
    invite = f"<invite from='{xml.attr(inviter)}'><reason>{words}</reason></invite>"
    direct = f"<x xmlns='jabber:x:conference' jid='{xml.attr(room)}'/>"
    return f"{door.opening('message', room, to)}>{_X}{invite}</x>{direct}</message>"
