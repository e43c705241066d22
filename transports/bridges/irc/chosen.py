"""What a user chooses for one network, on top of what the operator set: the form's fields, and the settings that come of them.

Pure functions; who asks and where it is kept is not known here. The names of fields are biboumi's where they mean the same.

What the operator set is never weakened. Where a network stands in config.toml (or is the only one), how it is reached is
his alone: address, ports, encryption. A user's `fingerprint` narrows it further there; elsewhere it takes the place of the
authorities. Addresses pass the guard for private ones in `dial`, whoever wrote them; and what the operator gave for a network
(its SASL account, its password) goes with his address only, since nobody can change that of such a network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import SecretStr

from transports import config_values as kind
from transports.bridges.irc import write
from transports.bridges.irc.orders import nick_line
from transports.config import NetworkSettings
from transports.describe import Field, Value
from transports.errors import LegacyError
from transports.words import say

#: The names whose values are sealed where they are kept: `certificate_pem` is no field, `certificates` keeps it there.
SECRETS: Final = frozenset({"sasl_password", "pass", "after_connect_commands", "certificate_pem"})
#: Ports below 1024 that IRC is met on; the others of them belong to services that are not to be knocked at.
LOW_PORTS: Final = frozenset({194, 443, 994})
#: Ports of each kind, lines after connecting: bounded like config.toml's.
MOST_PORTS, MOST_LINES = 20, 20
#: Servers show some 50 characters of a real name and cut the rest; most cut user names at 10.
REALNAME_BYTES: Final = 100
USERNAME_BYTES: Final = 20
#: biboumi's own default of max_history_length.
HISTORY: Final = "20"


# Checks: the canonical value, or ValueError with words -------------------------------------------------------------


def _host(typed: str) -> str:
    try:
        return kind.host(typed)
    except ValueError:
        raise ValueError(say("irc.set-bad-host")) from None


def _port(typed: str) -> str:
    number = int(typed) if typed.strip().isdecimal() and len(typed) < 8 else 0
    if number not in LOW_PORTS and not 1024 <= number <= 65535:
        raise ValueError(say("irc.set-bad-port"))
    return str(number)


def fingerprint(typed: str) -> str:
    """A SHA-256 fingerprint in lower case without colons. SHA-1, which biboumi takes, is refused with what to do instead."""
    digits = "".join(typed.split()).replace(":", "").lower()
    if len(digits.removeprefix("sha1")) == 40:
        raise ValueError(say("irc.set-sha1"))
    try:
        return kind.fingerprint(typed)
    except ValueError:
        raise ValueError(say("irc.set-bad-fingerprint")) from None


def _nick(typed: str) -> str:
    nick_line(typed)
    return typed


def _username(typed: str) -> str:
    if not (typed.isascii() and typed.replace("-", "").replace("_", "").isalnum() and len(typed) <= USERNAME_BYTES):
        raise ValueError(say("irc.set-bad-username", most=USERNAME_BYTES))
    return typed


def real_name(typed: str) -> str:
    """A real name that fits into a USER line (RFC 2812 3.1.3). ValueError with words."""
    text = " ".join(typed.split())
    if not text.isprintable() or len(text.encode()) > REALNAME_BYTES:
        raise ValueError(say("irc.real-name", most=REALNAME_BYTES))
    return text


def _pass(typed: str) -> str:
    try:
        write.pass_(typed)
    except write.BadLine:
        raise ValueError(say("irc.set-bad-pass")) from None
    return typed


def _sasl(typed: str) -> str:
    if "\0" in typed or len(typed.encode()) > 1_000:
        raise ValueError(say("irc.bad-account"))
    return typed


def raw_line(typed: str) -> str:
    """One raw line for the server, as it was typed: '' or a command and its parameters."""
    command, _, _ = typed.partition(" ")
    try:
        write.line(command)
        if not typed.isprintable() or len(typed.encode()) > 510:
            raise ValueError
    except ValueError:
        raise ValueError(say("irc.set-bad-line")) from None
    return typed


def charset(typed: str) -> str:
    try:
        return kind.charset(typed)
    except ValueError:
        raise ValueError(say("irc.set-bad-charset")) from None


def _number(least: int, most: int) -> Callable[[str], str]:
    def check(typed: str) -> str:
        if not least <= int(typed) <= most:
            raise ValueError(say("irc.set-bad-number", least=least, most=most))
        return typed

    return check


# The form ---------------------------------------------------------------------------------------------------------


def fields(operator: NetworkSettings) -> list[Field]:
    """What a user is asked for one network, its defaults those of the operator's settings."""
    return [*(_reached_by(operator) if not operator.named else _locked(operator)), *_own(operator)]


def _locked(operator: NetworkSettings) -> Sequence[Field]:
    return [Field("reached", say("irc.set-locked", server=operator.name), "note")]


def _reached_by(operator: NetworkSettings) -> Sequence[Field]:
    tls_ports, ports = (tuple(map(str, numbers)) for numbers in (operator.tls_ports, operator.ports))
    found = [
        Field("address", say("irc.set-address"), help=say("irc.set-address-help"), default=operator.address, check=_host),
        Field("tls_ports", say("irc.set-tls-ports"), "lines", say("irc.set-tls-ports-help"), default=tls_ports, check=_port),
        Field("ports", say("irc.set-ports"), "lines", say("irc.set-ports-help"), default=ports, check=_port),
    ]
    if operator.ca is None and operator.tls != "off":
        found.append(Field("verify_cert", say("irc.set-verify"), "switch", say("irc.set-verify-help"), default=True))
    return found


def _own(operator: NetworkSettings) -> Sequence[Field]:
    burst = "-1" if operator.throttle.off else str(operator.throttle.burst)
    return [
        Field("fingerprint", say("irc.set-fingerprint"), help=say("irc.set-fingerprint-help"), check=fingerprint),
        Field("nick", say("irc.set-nick"), help=say("irc.set-nick-help"), check=_nick),
        Field("sasl_user", say("irc.set-account"), help=say("irc.set-account-help"), check=_sasl),
        Field("sasl_password", say("irc.set-sasl"), "secret", say("irc.set-sasl-help"), check=_sasl),
        Field("regain", say("irc.set-regain"), "switch", say("irc.set-regain-help"), default=True),
        Field("certificate", say("irc.set-certificate"), "switch", say("irc.set-certificate-help"), default=False),
        Field("require_sasl", say("irc.set-require"), "switch", say("irc.set-require-help"), default=True),
        Field("pass", say("irc.set-pass"), "secret", say("irc.set-pass-help"), check=_pass),
        Field("after_connect_commands", say("irc.set-after"), "lines", say("irc.set-after-help"), check=raw_line),
        Field("username", say("irc.set-username"), help=say("irc.set-username-help"), check=_username),
        Field("realname", say("irc.set-realname"), help=say("irc.set-realname-help"), check=real_name),
        Field("throttle_limit", say("irc.set-throttle"), "number", say("irc.set-throttle-help"), default=burst,
              check=_number(-1, 1_000_000)),
        Field("max_history_length", say("irc.set-history"), "number", say("irc.set-history-help"), default=HISTORY,
              check=_number(-1, 10_000)),
        Field("record_history", say("irc.set-record"), "switch", say("irc.set-record-help"), default=True),
        Field("persistent", say("irc.set-persistent"), "switch", say("irc.set-persistent-help"), default=operator.persistent),
        Field("encoding_in", say("irc.set-encoding-in"), help=say("irc.set-encoding-in-help"), default=operator.charset,
              check=charset),
        Field("encoding_out", say("irc.set-encoding-out"), help=say("irc.set-encoding-out-help"),
              default=operator.charset_out, check=charset),
    ]  # fmt: skip


def changed(operator: NetworkSettings, answers: Mapping[str, Value]) -> dict[str, Value]:
    """The answers that differ from the form's defaults: what is worth keeping, so that the operator's changes still reach all."""
    defaults = {field.var: field.default for field in fields(operator)}
    return {var: value for var, value in answers.items() if value != defaults.get(var) and value not in ("", ())}


# The settings -----------------------------------------------------------------------------------------------------


def settings_for(operator: NetworkSettings, answers: Mapping[str, Value]) -> NetworkSettings:
    """The operator's settings with a user's answers in their places; answers that do not fit any longer are passed over."""
    if not answers:
        return operator
    settings = replace(operator, **_changes(answers))
    if not operator.named:
        settings = _reached(settings, answers)
    return _logged_in(_paced(settings, answers), answers)


#: var -> the setting that it is.
_TEXTS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "fingerprint": ("fingerprint", fingerprint),
    "nick": ("nick", _nick),
    "pass": ("password", lambda typed: SecretStr(_pass(typed))),
    "username": ("username", _username),
    "realname": ("realname", real_name),
    "encoding_in": ("charset", charset),
    "encoding_out": ("charset_out", charset),
}
_SWITCHES: Final = ("certificate", "require_sasl", "persistent")


def _changes(answers: Mapping[str, Value]) -> dict[str, Any]:
    found: dict[str, Any] = {var: answers[var] for var in _SWITCHES if isinstance(answers.get(var), bool)}
    for var, (name, made) in _TEXTS.items():
        value = answers.get(var)
        if value and isinstance(value, str):
            with contextlib.suppress(ValueError, LegacyError):
                found[name] = made(value)
    lines = answers.get("after_connect_commands")
    if isinstance(lines, tuple):
        found["after_connect"] = tuple(line for line in lines[:MOST_LINES] if _or(raw_line, line, ""))
    return found


def _reached(settings: NetworkSettings, answers: Mapping[str, Value]) -> NetworkSettings:
    """Of a network that the operator does not list: where it is, and how it proves itself."""
    changes: dict[str, Any] = {}
    if address := answers.get("address"):
        changes["address"] = _or(_host, str(address), settings.address)
    for var in ("tls_ports", "ports"):
        if var in answers:
            changes[var] = _ports(answers[var])
    if not changes.get("tls_ports", True) and settings.tls == "require":
        del changes["tls_ports"]  # without TLS there is nothing left to try
    if settings.ca is None and (answers.get("verify_cert") is False or settings.fingerprint):
        changes["verify"] = False
    return replace(settings, **changes)


def _ports(value: Value) -> tuple[int, ...]:
    lines = value if isinstance(value, tuple) else str(value).split()
    return tuple(int(port) for port in (_or(_port, line, "") for line in lines[:MOST_PORTS]) if port)


def _logged_in(settings: NetworkSettings, answers: Mapping[str, Value]) -> NetworkSettings:
    """A user's own account takes the place of the operator's; the two are never mixed."""
    account, password = str(answers.get("sasl_user") or ""), str(answers.get("sasl_password") or "")
    if not (account or password):
        return settings
    return replace(settings, sasl_user=account or None, sasl_password=SecretStr(password) if password else None)


def _paced(settings: NetworkSettings, answers: Mapping[str, Value]) -> NetworkSettings:
    """biboumi's throttle_limit is the burst: 0 is one line at a time, less than 0 no limit of one's own."""
    typed = str(answers.get("throttle_limit", ""))
    if not typed.isdecimal() or len(typed) > 9:
        return settings
    limit = max(int(typed), 1)
    if settings.throttle.off:
        return replace(settings, throttle=kind.Rate(limit, 1.0))
    return replace(settings, throttle=settings.throttle._replace(burst=min(limit, settings.throttle.burst)))


def _or(check: Callable[[str], str], value: str, otherwise: str) -> str:
    try:
        return check(value)
    except ValueError:
        return otherwise
