"""What a server refuses, as errors for people: numeric -> condition and words.

Pure tables. Conditions follow XEP-0045 (7.2 for joins, 7.9 for messages, 7.6 for nicks, 8.1 for subjects); words end with
the server's own, because networks give their numerics meanings of their own. Numerics: Modern IRC, RFC 2812, and the
servers named in comments where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from transports.bridges.irc.text import strip_formatting
from transports.errors import LegacyError


class Refusal(NamedTuple):
    """A row: `words` may name the channel or nick as {name}; `retry_after` in seconds, None when trying again is no use."""

    condition: str
    words: str
    retry_after: float | None = None


#: Where the server's words are cut.
MAX_WORDS: Final = 300

_NO_CHANNEL: Final = Refusal("item-not-found", "There is no channel {name} on this server.")
_BAD_NAME: Final = Refusal("item-not-found", "{name} is not a name that a channel can have on this server.")
_BUSY: Final = Refusal("resource-constraint", "The server is busy. Try again in a minute.", 60)
_REGISTER: Final = Refusal("registration-required", "{name} is open only to nicks that are registered and logged in.")
_NOT_IN: Final = Refusal("not-acceptable", "You are not in {name}.")
_NO_TARGET: Final = Refusal("item-not-found", "There is nobody called {name} on this server.")

JOIN_ERRORS: Final[Mapping[str, Refusal]] = {
    "263": _BUSY,
    "403": _NO_CHANNEL,
    "405": Refusal("resource-constraint", "You are in as many channels as this server allows. Leave one first."),
    "407": Refusal("resource-constraint", "The server will not join {name} just now."),
    "437": Refusal("recipient-unavailable", "{name} cannot be joined for the moment. Try again in a few minutes.", 120),
    "439": Refusal("resource-constraint", "You are joining too fast. Try again in a minute.", 60),
    "448": Refusal("forbidden", "This server does not allow the channel {name}."),  # UnrealIRCd
    "461": _BAD_NAME,
    "470": Refusal("not-allowed", "{name} sends you on to another channel."),  # a forward: its target follows
    "471": Refusal("service-unavailable", "{name} is full.", 300),
    "473": Refusal("registration-required", "{name} is open only to those who are invited."),
    "474": Refusal("forbidden", "You are banned from {name}."),
    "475": Refusal("not-authorized", "{name} needs the right password (its channel key)."),
    "476": _BAD_NAME,
    "477": _REGISTER,
    "479": _BAD_NAME,
    "480": Refusal("resource-constraint", "Too many people are joining {name}. Try again in a minute.", 60),  # +j
    "482": Refusal("forbidden", "{name} is closed to you."),
    "485": Refusal("forbidden", "You are not allowed into {name}."),  # hybrid
    "489": Refusal("not-allowed", "{name} is open only to those who are connected with TLS."),
    "495": Refusal("resource-constraint", "You were removed from {name} just now. Try again in a minute.", 60),
    "500": Refusal("resource-constraint", "You are joining too many channels at once. Try again in a minute.", 60),
    "519": Refusal("forbidden", "{name} is open only to the server's administrators."),
    "520": Refusal("forbidden", "{name} is open only to the server's operators."),
    "609": Refusal("resource-constraint", "Too many people are joining {name}. Try again in a minute.", 60),  # InspIRCd +j
    "926": Refusal("forbidden", "This server does not allow the channel {name}."),  # InspIRCd
}

SEND_ERRORS: Final[Mapping[str, Refusal]] = {
    "263": _BUSY,
    "401": _NO_TARGET,
    "402": Refusal("item-not-found", "There is no server called {name}."),
    "403": _NO_CHANNEL,
    "404": Refusal("forbidden", "You are not allowed to speak in {name}."),
    "406": _NO_TARGET,
    "407": Refusal("not-acceptable", "That message has too many recipients."),
    "408": Refusal("not-acceptable", "{name} does not take that message."),
    "411": Refusal("bad-request", "That message has no recipient."),
    "412": Refusal("bad-request", "That message is empty."),
    "413": Refusal("not-acceptable", "That message has a recipient that the server does not take."),
    "414": Refusal("not-acceptable", "That message has a recipient that the server does not take."),
    "415": Refusal("not-acceptable", "That message has a recipient that the server does not take."),
    "417": Refusal("policy-violation", "That message is too long."),
    "439": Refusal("resource-constraint", "You are writing to too many people. Try again in a minute.", 60),
    "442": _NOT_IN,
    "477": _REGISTER,
    "482": Refusal("forbidden", "You are not allowed to do that in {name}."),
    "486": Refusal("registration-required", "{name} takes messages only from nicks that are registered and logged in."),
    "489": Refusal("forbidden", "You are not allowed to speak in {name}."),
    "492": Refusal("not-allowed", "{name} does not take that kind of message."),
    "531": Refusal("forbidden", "{name} does not take messages from you."),
    "716": Refusal("forbidden", "{name} takes messages only from people on a list of their own."),
}

NICK_ERRORS: Final[Mapping[str, Refusal]] = {
    "431": Refusal("not-acceptable", "A nick is needed."),
    "432": Refusal("not-acceptable", "{name} is not a nick that this server takes."),
    "433": Refusal("conflict", "The nick {name} is in use."),
    "435": Refusal("not-allowed", "You cannot change your nick while you are banned from a channel."),
    "436": Refusal("conflict", "The nick {name} is in use."),
    "437": Refusal("conflict", "The nick {name} cannot be taken for the moment."),
    "438": Refusal("resource-constraint", "You are changing your nick too often. Try again in a minute.", 60),
    "447": Refusal("not-allowed", "One of your channels does not allow its members to change their nick."),
    "484": Refusal("not-allowed", "This server does not let you change your nick."),
}

TOPIC_ERRORS: Final[Mapping[str, Refusal]] = {
    "403": _NO_CHANNEL,
    "442": _NOT_IN,
    "461": Refusal("bad-request", "The server does not take that subject."),
    "477": Refusal("not-allowed", "{name} has no subject that could be changed."),
    "482": Refusal("forbidden", "Only the operators of {name} may change its subject."),
}

LOGIN_ERRORS: Final[Mapping[str, Refusal]] = {
    "463": Refusal("forbidden", "This server does not allow connections from here."),
    "464": Refusal("not-authorized", "The server's password is wrong or missing."),
    "465": Refusal("forbidden", "You are banned from this server."),
    "466": Refusal("forbidden", "You are about to be banned from this server."),
    "468": Refusal("not-acceptable", "This server does not take your user name."),
    "902": Refusal("not-authorized", "The account cannot be used: it is locked or held."),
    "904": Refusal("not-authorized", "The account name or its password is wrong."),
    "905": Refusal("not-authorized", "The account name or its password is too long."),
    "906": Refusal("not-authorized", "Logging in to the account was broken off."),
    "908": Refusal("not-authorized", "This server does not log in with a password (SASL PLAIN)."),
}

#: For numerics met outside any of those; where two tables have one, the later counts.
_ANY: Final[Mapping[str, Refusal]] = {**TOPIC_ERRORS, **NICK_ERRORS, **JOIN_ERRORS, **SEND_ERRORS, **LOGIN_ERRORS}
_UNKNOWN: Final = Refusal("undefined-condition", "The server refused.")


def error_for(numeric: str, params: Sequence[str], table: Mapping[str, Refusal] = _ANY) -> LegacyError:
    """The error for a numeric and its parameters (our nick, what it is about, the server's words).

    table: what was tried; 437 or 477 mean one thing for a nick and another for a channel.
    """
    row = table.get(numeric) or _ANY.get(numeric, _UNKNOWN)
    name = strip_formatting(params[1]) if len(params) > 2 else "it"
    said = strip_formatting(params[-1]).strip() if len(params) > 1 else ""
    text = row.words.replace("{name}", name[:MAX_WORDS])
    if said:
        text += f" (The server says: {said[:MAX_WORDS]})"
    kind = "wait" if row.retry_after is not None else None
    return LegacyError(row.condition, text, type=kind, retry_after=row.retry_after)
