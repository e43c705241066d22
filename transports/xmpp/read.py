"""Stanzas from the server's stream as small values: everything later code asks of a stanza is read here, once.

Takes ElementTree elements as the stream's parser makes them; knows no socket and no session. RFC 6120 8, RFC 6121 5;
XEP-0045 7.2 for what a join may carry, XEP-0359 for origin ids.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.archive.values import EVERYTHING, History
from transports.xmpp.address import Jid, parse
from transports.xmpp.dates import moment

NS: Final = "{jabber:component:accept}"
STANZAS: Final = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
_MUC: Final = "{http://jabber.org/protocol/muc}"
_BODY: Final = f"{NS}body"
_SUBJECT: Final = f"{NS}subject"
_ERROR: Final = f"{NS}error"
_NICK: Final = "{http://jabber.org/protocol/nick}nick"
_ORIGIN: Final = "{urn:xmpp:sid:0}origin-id"
_ENCRYPTED: Final = frozenset(
    {
        "{eu.siacs.conversations.axolotl}encrypted",
        "{urn:xmpp:omemo:2}encrypted",
        "{urn:xmpp:omemo:1}encrypted",
        "{urn:xmpp:openpgp:0}openpgp",
        "{urn:xmpp:eme:0}encryption",
        "{jabber:x:encrypted}x",
    }
)
#: What makes a message more than words; `semantics` reads it. A message with none of these has `rich` None.
_RICH: Final = frozenset(
    {
        f"{NS}thread",
        "{http://jabber.org/protocol/chatstates}composing",
        "{http://jabber.org/protocol/chatstates}gone",
        "{http://jabber.org/protocol/chatstates}inactive",
        "{http://jabber.org/protocol/chatstates}paused",
        "{http://jabber.org/protocol/muc#user}x",
        "{jabber:x:conference}x",
        "{jabber:x:data}x",
        "{jabber:x:oob}x",
        "{urn:xmpp:chat-markers:0}displayed",
        "{urn:xmpp:carbons:2}received",
        "{urn:xmpp:carbons:2}sent",
        "{urn:xmpp:chat-markers:0}markable",
        "{urn:xmpp:fallback:0}fallback",
        "{urn:xmpp:fasten:0}apply-to",
        "{urn:xmpp:forward:0}forwarded",
        "{urn:xmpp:mam:2}result",
        "{urn:xmpp:message-correct:0}replace",
        "{urn:xmpp:message-retract:1}retract",
        "{urn:xmpp:privilege:1}privilege",
        "{urn:xmpp:privilege:2}privilege",
        "{urn:xmpp:reactions:0}reactions",
        "{urn:xmpp:receipts}request",
        "{urn:xmpp:reference:0}reference",
        "{urn:xmpp:reply:0}reply",
        "{urn:xmpp:sfs:0}file-sharing",
        "{urn:xmpp-transports:sent}ours",
    }
)
#: All that is read of a message; nothing else in it matters to anybody here.
_READ: Final = _ENCRYPTED | _RICH | {_BODY, _SUBJECT, _ORIGIN}
#: The same of a message to a room, where nobody is told who has read what: clients put these beside all their words.
_READ_IN_ROOMS: Final = _READ - {
    "{http://jabber.org/protocol/muc#user}x",
    "{jabber:x:conference}x",
    "{jabber:x:data}x",
    "{urn:xmpp:chat-markers:0}markable",
    "{urn:xmpp:receipts}request",
}
#: XEP-0085: beside words it only says that words are being said, and clients put it beside all of them.
_ACTIVE: Final = "{http://jabber.org/protocol/chatstates}active"
LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


class StanzaError(NamedTuple):
    """The `<error/>` of a stanza: its RFC 6120 type and condition, its words."""

    type: str
    condition: str
    text: str


class Message(NamedTuple):
    """`body` and `subject` are None when the element is not there; `rich` is the stanza itself when there is more than words
    in it, as `semantics` reads it; `language` is its xml:lang, '' when it has none."""

    type: str
    id: str
    sender: str
    to: Jid
    body: str | None
    subject: str | None
    origin_id: str
    encrypted: bool
    error: StanzaError | None
    rich: Element | None = None
    language: str = ""


class Presence(NamedTuple):
    """`muc`: it carries XEP-0045's `<x/>`, i.e. asks to join; `history`: how much of the past it wants to see.
    show: '' (available), away, chat, dnd, xa; nick: XEP-0172's."""

    type: str
    id: str
    sender: str
    to: Jid
    muc: bool
    password: str
    history: History
    status: str
    error: StanzaError | None
    show: str = ""
    nick: str = ""
    language: str = ""


class Iq(NamedTuple):
    """An iq; `payload` is its first child, None when there is none or the iq is a plain result."""

    type: str
    id: str
    sender: str
    to: Jid
    payload: Element | None
    error: StanzaError | None
    language: str = ""


def error_of(stanza: Element) -> StanzaError | None:
    """The error of a stanza of type error; an undefined one when it has none that we understand."""
    if stanza.get("type") != "error":
        return None
    found = stanza.find(_ERROR)
    if found is None:
        return StanzaError("cancel", "undefined-condition", "")
    condition = next(
        (child.tag.removeprefix(STANZAS) for child in found if child.tag.startswith(STANZAS) and child.tag != f"{STANZAS}text"),
        "undefined-condition",
    )
    return StanzaError(found.get("type", "cancel"), condition, found.findtext(f"{STANZAS}text") or "")


def message(stanza: Element) -> Message:
    """JidError when the address in `to` is none."""
    get = stanza.get
    body = subject = None
    origin = ""
    encrypted = False
    rich = None
    kind = get("type", "normal")
    wanted = _READ_IN_ROOMS if kind == "groupchat" else _READ
    for child in stanza:
        tag = child.tag
        if tag in wanted:
            if tag == _BODY:
                body = child.text or "" if body is None else body  # of several languages the first
            elif tag == _SUBJECT:
                subject = child.text or ""
            elif tag == _ORIGIN:
                origin = child.get("id", "")
            elif tag in _ENCRYPTED:
                encrypted = True
                rich = stanza
            else:
                rich = stanza
    if body is None and rich is None and stanza.find(_ACTIVE) is not None:
        rich = stanza
    error = error_of(stanza) if kind == "error" else None
    to, language = parse(get("to", "")), get(LANG, "")
    fields = (kind, get("id", ""), get("from", ""), to, body, subject, origin, encrypted, error, rich, language)
    return tuple.__new__(Message, fields)  # what Message(*fields) does, at half its cost: thousands a second come this way


def presence(stanza: Element) -> Presence:
    """JidError when the address in `to` is none."""
    muc = stanza.find(f"{_MUC}x")
    password, history = "", EVERYTHING
    if muc is not None:
        password = muc.findtext(f"{_MUC}password") or ""
        wanted = muc.find(f"{_MUC}history")
        history = _history(wanted) if wanted is not None else EVERYTHING
    return Presence(
        stanza.get("type", ""),
        stanza.get("id", ""),
        stanza.get("from", ""),
        parse(stanza.get("to", "")),
        muc is not None,
        password,
        history,
        stanza.findtext(f"{NS}status") or "",
        error_of(stanza),
        stanza.findtext(f"{NS}show") or "",
        stanza.findtext(_NICK) or "",
        stanza.get(LANG, ""),
    )


def _history(wanted: Element) -> History:
    """XEP-0045 7.2.13; what is no number, or no time, limits nothing."""
    chars, stanzas, seconds = (_number(wanted.get(name, "")) for name in ("maxchars", "maxstanzas", "seconds"))
    since = moment(wanted.get("since", ""))
    return History(chars, stanzas, seconds, since / 1000 if since is not None else None)


def _number(text: str) -> int | None:
    return int(text[:9]) if text.isascii() and text.isdigit() else None


def iq(stanza: Element) -> Iq:
    """JidError when the address in `to` is none."""
    payload = next((child for child in stanza if child.tag != _ERROR), None)
    return Iq(
        stanza.get("type", ""),
        stanza.get("id", ""),
        stanza.get("from", ""),
        parse(stanza.get("to", "")),
        payload,
        error_of(stanza),
        stanza.get(LANG, ""),
    )
