"""What a message asks of a room that is no talk: invitations, their refusal, the wish to be heard. Elements in, small values out.

XEP-0045 7.8 (mediated invitations), 7.13 (voice requests); XEP-0249 (direct invitations). Pure.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.errors import LegacyError
from transports.xmpp import forms
from transports.xmpp.address import Jid, JidError, parse
from transports.xmpp.read import Message
from transports.xmpp.write import MUC_USER

REQUEST: Final = "http://jabber.org/protocol/muc#request"
DIRECT: Final = "{jabber:x:conference}x"
_X: Final = f"{{{MUC_USER}}}x"
_INVITE: Final = f"{{{MUC_USER}}}invite"
_DECLINE: Final = f"{{{MUC_USER}}}decline"

#: People that one message can invite, and characters of a reason.
MOST: Final = 10
REASON: Final = 500


class Invitation(NamedTuple):
    """`room` asks `whom` in."""

    room: Jid
    whom: Jid
    reason: str


class VoiceRequest(NamedTuple):
    """Its sender wants to be allowed to speak."""


class Decline(NamedTuple):
    """Its sender does not come."""


def asks(message: Message) -> list[Invitation] | VoiceRequest | Decline | None:
    """What a message asks of the address that it is to; None when it is none of these. LegacyError."""
    stanza = message.rich
    if stanza is None or message.type in ("groupchat", "error"):
        return None
    for child in stanza:
        if child.tag == _X and not message.to.resource:
            invites = child.findall(_INVITE)
            if invites:
                return [_mediated(message.to, invite) for invite in invites[:MOST]]
            if child.find(_DECLINE) is not None:
                return Decline()
        elif child.tag == DIRECT and child.get("jid"):
            return [Invitation(_jid(child.get("jid", "")), message.to, _short(child.get("reason")))]
        elif child.tag == forms.X and child.get("type") == "submit" and _is_request(child):
            return VoiceRequest()
    return None


def _mediated(room: Jid, invite: Element) -> Invitation:
    return Invitation(room, _jid(invite.get("to", "")), _short(invite.findtext(f"{{{MUC_USER}}}reason")))


def _is_request(x: Element) -> bool:
    return forms.submitted(x).get("FORM_TYPE") == [REQUEST]


def _jid(text: str) -> Jid:
    try:
        return parse(text)
    except JidError:
        raise LegacyError("jid-malformed", "") from None


def _short(text: str | None) -> str:
    return " ".join((text or "").split())[:REASON]
