"""Stanzas from the server's stream as small values: everything later code asks of a stanza is read here, once.

Takes ElementTree elements as the stream's parser makes them; knows no socket and no session. RFC 6120 8, RFC 6121 5;
XEP-0045 7.2 for what a join may carry, XEP-0359 for origin ids.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.xmpp.address import Jid, parse

NS: Final = "{jabber:component:accept}"
STANZAS: Final = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
_MUC: Final = "{http://jabber.org/protocol/muc}"
_BODY: Final = f"{NS}body"
_SUBJECT: Final = f"{NS}subject"
_ERROR: Final = f"{NS}error"
_ORIGIN: Final = "{urn:xmpp:sid:0}origin-id"
_ENCRYPTED: Final = frozenset(
    {
        "{eu.siacs.conversations.axolotl}encrypted",
        "{urn:xmpp:omemo:2}encrypted",
        "{urn:xmpp:openpgp:0}openpgp",
        "{jabber:x:encrypted}x",
    }
)
#: All that is read of a message; nothing else in it matters to anybody here.
_READ: Final = _ENCRYPTED | {_BODY, _SUBJECT, _ORIGIN}


class StanzaError(NamedTuple):
    """The `<error/>` of a stanza: its RFC 6120 type and condition, its words."""

    type: str
    condition: str
    text: str


class Message(NamedTuple):
    """`body` and `subject` are None when the element is not there."""

    type: str
    id: str
    sender: str
    to: Jid
    body: str | None
    subject: str | None
    origin_id: str
    encrypted: bool
    error: StanzaError | None


class Presence(NamedTuple):
    """`muc`: it carries XEP-0045's `<x/>`, i.e. asks to join; `history` is False when it asks for none at all."""

    type: str
    id: str
    sender: str
    to: Jid
    muc: bool
    password: str
    history: bool
    status: str
    error: StanzaError | None


class Iq(NamedTuple):
    """An iq; `payload` is its first child, None when there is none or the iq is a plain result."""

    type: str
    id: str
    sender: str
    to: Jid
    payload: Element | None
    error: StanzaError | None


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
    for child in stanza:
        tag = child.tag
        if tag in _READ:
            if tag == _BODY:
                body = child.text or "" if body is None else body  # of several languages the first
            elif tag == _SUBJECT:
                subject = child.text or ""
            elif tag == _ORIGIN:
                origin = child.get("id", "")
            else:
                encrypted = True
    kind = get("type", "normal")
    error = error_of(stanza) if kind == "error" else None
    fields = (kind, get("id", ""), get("from", ""), parse(get("to", "")), body, subject, origin, encrypted, error)
    return tuple.__new__(Message, fields)  # what Message(*fields) does, at half its cost: thousands a second come this way


def presence(stanza: Element) -> Presence:
    """JidError when the address in `to` is none."""
    muc = stanza.find(f"{_MUC}x")
    password, history = "", True
    if muc is not None:
        password = muc.findtext(f"{_MUC}password") or ""
        wanted = muc.find(f"{_MUC}history")
        history = wanted is None or "0" not in (wanted.get("maxstanzas"), wanted.get("maxchars"))
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
    )


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
    )
