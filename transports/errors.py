"""Errors that carry their answer.

Whoever fails on the far side (or in our own checks) raises or hands on a `LegacyError`; the XMPP wing turns it
into the stanza error it names (RFC 6120 8.3). This file knows conditions and words, no protocol.
"""

from __future__ import annotations

from typing import Final

#: RFC 6120 8.3.3: defined condition -> the error type that goes with it unless the error says otherwise.
ERROR_TYPES: Final[dict[str, str]] = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "gone": "cancel",
    "internal-server-error": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "policy-violation": "modify",
    "recipient-unavailable": "wait",
    "redirect": "modify",
    "registration-required": "auth",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "subscription-required": "auth",
    "undefined-condition": "cancel",
    "unexpected-request": "wait",
}


class LegacyError(Exception):
    """A failure with the answer it deserves.

    condition    a key of ERROR_TYPES
    text         words for the person at the client; no secrets, no stack, any characters (the XML door cleans them)
    type         RFC 6120 error type; the condition's own by default
    certain      True when it is certain that nothing reached the far side, so a retry cannot send twice
    retry_after  seconds until a retry makes sense, or None when it never does
    specific     namespace and name of a condition of the protocol that failed (RFC 6120 8.3.4), ("", "") for none
    """

    __slots__ = ("certain", "condition", "retry_after", "specific", "text", "type")

    def __init__(
        self,
        condition: str,
        text: str,
        *,
        type: str | None = None,
        certain: bool = True,
        retry_after: float | None = None,
        specific: tuple[str, str] = ("", ""),
    ) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
        self.type = type or ERROR_TYPES[condition]
        self.certain = certain
        self.retry_after = retry_after
        self.specific = specific
