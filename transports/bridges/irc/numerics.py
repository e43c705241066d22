"""What a server refuses, as errors for people: numeric -> condition and words.

Pure tables. Conditions follow XEP-0045 (7.2 for joins, 7.9 for messages, 7.6 for nicks, 8.1 for subjects); words are keys of
`english`, and end with the server's own, because networks give their numerics meanings of their own. Numerics: Modern IRC,
RFC 2812, and the servers named in comments where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from transports.bridges.irc.text import strip_formatting
from transports.english import ENGLISH
from transports.errors import LegacyError
from transports.words import Text, say


class Refusal(NamedTuple):
    """A row: `key` of the words, which may name the channel or nick as {name}; `retry_after` in seconds, None when trying
    again is no use."""

    condition: str
    key: str
    retry_after: float | None = None

    @property
    def words(self) -> str:
        """In English, as a template."""
        return ENGLISH[self.key]


#: Where the server's words are cut.
MAX_WORDS: Final = 300

_NO_CHANNEL: Final = Refusal("item-not-found", "ircd.no-channel")
_BAD_NAME: Final = Refusal("item-not-found", "ircd.bad-channel")
_BUSY: Final = Refusal("resource-constraint", "ircd.busy", 60)
_REGISTER: Final = Refusal("registration-required", "ircd.channel-needs-account")
_NOT_IN: Final = Refusal("not-acceptable", "ircd.not-in")
_NO_TARGET: Final = Refusal("item-not-found", "ircd.nobody")

JOIN_ERRORS: Final[Mapping[str, Refusal]] = {
    "263": _BUSY,
    "403": _NO_CHANNEL,
    "405": Refusal("resource-constraint", "ircd.too-many"),
    "407": Refusal("resource-constraint", "ircd.join-not-now"),
    "437": Refusal("recipient-unavailable", "ircd.delayed", 120),
    "439": Refusal("resource-constraint", "ircd.join-slower", 60),
    "448": Refusal("forbidden", "ircd.forbidden-channel"),  # UnrealIRCd
    "461": _BAD_NAME,
    "470": Refusal("not-allowed", "ircd.forwarded"),  # a forward: its target follows
    "471": Refusal("service-unavailable", "ircd.channel-full", 300),
    "473": Refusal("registration-required", "ircd.invited-only"),
    "474": Refusal("forbidden", "ircd.banned"),
    "475": Refusal("not-authorized", "ircd.key"),
    "476": _BAD_NAME,
    "477": _REGISTER,
    "479": _BAD_NAME,
    "480": Refusal("resource-constraint", "ircd.join-throttled", 60),  # +j
    "482": Refusal("forbidden", "ircd.closed"),
    "485": Refusal("forbidden", "ircd.not-allowed-in"),  # hybrid
    "489": Refusal("not-allowed", "ircd.tls-only"),
    "495": Refusal("resource-constraint", "ircd.put-out", 60),
    "500": Refusal("resource-constraint", "ircd.join-many", 60),
    "519": Refusal("forbidden", "ircd.admins-only"),
    "520": Refusal("forbidden", "ircd.operators-only"),
    "609": Refusal("resource-constraint", "ircd.join-throttled", 60),  # InspIRCd +j
    "926": Refusal("forbidden", "ircd.forbidden-channel"),  # InspIRCd
}

SEND_ERRORS: Final[Mapping[str, Refusal]] = {
    "263": _BUSY,
    "401": _NO_TARGET,
    "402": Refusal("item-not-found", "ircd.no-server"),
    "403": _NO_CHANNEL,
    "404": Refusal("forbidden", "ircd.mute"),
    "406": _NO_TARGET,
    "407": Refusal("not-acceptable", "ircd.many-recipients"),
    "408": Refusal("not-acceptable", "ircd.untaken"),
    "411": Refusal("bad-request", "ircd.no-recipient"),
    "412": Refusal("bad-request", "ircd.empty"),
    "413": Refusal("not-acceptable", "ircd.bad-recipient"),
    "414": Refusal("not-acceptable", "ircd.bad-recipient"),
    "415": Refusal("not-acceptable", "ircd.bad-recipient"),
    "417": Refusal("policy-violation", "ircd.too-long"),
    "439": Refusal("resource-constraint", "ircd.write-slower", 60),
    "442": _NOT_IN,
    "477": _REGISTER,
    "482": Refusal("forbidden", "ircd.only-operators"),
    "486": Refusal("registration-required", "ircd.person-needs-account"),
    "489": Refusal("forbidden", "ircd.mute"),
    "492": Refusal("not-allowed", "ircd.kind"),
    "531": Refusal("forbidden", "ircd.not-you"),
    "716": Refusal("forbidden", "ircd.only-listed"),
}

NICK_ERRORS: Final[Mapping[str, Refusal]] = {
    "431": Refusal("not-acceptable", "ircd.no-nick"),
    "432": Refusal("not-acceptable", "ircd.bad-nick"),
    "433": Refusal("conflict", "ircd.nick-taken"),
    "435": Refusal("not-allowed", "ircd.banned-nick"),
    "436": Refusal("conflict", "ircd.nick-taken"),
    "437": Refusal("conflict", "ircd.nick-held"),
    "438": Refusal("resource-constraint", "ircd.nick-slower", 60),
    "447": Refusal("not-allowed", "ircd.nick-fixed-here"),
    "484": Refusal("not-allowed", "ircd.nick-fixed"),
}

TOPIC_ERRORS: Final[Mapping[str, Refusal]] = {
    "403": _NO_CHANNEL,
    "442": _NOT_IN,
    "461": Refusal("bad-request", "ircd.bad-subject"),
    "477": Refusal("not-allowed", "ircd.no-subject"),
    "482": Refusal("forbidden", "ircd.subject-operators"),
}

LOGIN_ERRORS: Final[Mapping[str, Refusal]] = {
    "463": Refusal("forbidden", "ircd.not-here"),
    "464": Refusal("not-authorized", "ircd.password"),
    "465": Refusal("forbidden", "irc.banned"),
    "466": Refusal("forbidden", "ircd.banned-soon"),
    "468": Refusal("not-acceptable", "ircd.bad-user"),
    "902": Refusal("not-authorized", "ircd.account-locked"),
    "904": Refusal("not-authorized", "ircd.account-wrong"),
    "905": Refusal("not-authorized", "ircd.account-long"),
    "906": Refusal("not-authorized", "ircd.account-aborted"),
    "908": Refusal("not-authorized", "ircd.no-login"),
}

#: For numerics met outside any of those; where two tables have one, the later counts.
_ANY: Final[Mapping[str, Refusal]] = {**TOPIC_ERRORS, **NICK_ERRORS, **JOIN_ERRORS, **SEND_ERRORS, **LOGIN_ERRORS}
_UNKNOWN: Final = Refusal("undefined-condition", "ircd.any")


def error_for(numeric: str, params: Sequence[str], table: Mapping[str, Refusal] = _ANY) -> LegacyError:
    """The error for a numeric and its parameters (our nick, what it is about, the server's words).

    table: what was tried; 437 or 477 mean one thing for a nick and another for a channel.
    """
    row = table.get(numeric) or _ANY.get(numeric, _UNKNOWN)
    name = strip_formatting(params[1])[:MAX_WORDS] if len(params) > 2 else say("ircd.it")
    said = strip_formatting(params[-1]).strip() if len(params) > 1 else ""
    text = said_by_server(say(row.key, name=name), said[:MAX_WORDS])
    kind = "wait" if row.retry_after is not None else None
    return LegacyError(row.condition, text, type=kind, retry_after=row.retry_after)


def said_by_server(what: Text, said: str) -> Text:
    """Our words with the server's own behind them, if it had any."""
    return say("irc.said", what=what, said=said) if said else what
