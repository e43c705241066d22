"""How a connection introduces itself: from a network's settings to the `Registration` that speaks for it.

Holds no socket. What users chose is in the settings already (`chosen`); what is secret leaves them here and nowhere else.
"""

from __future__ import annotations

from secrets import token_hex

from pydantic import SecretStr

from transports.bridges.irc.caps import Registration
from transports.bridges.irc.pseudonyms import Pseudonyms
from transports.bridges.irc.sasl import Credentials
from transports.bridges.irc.wanted import WANTED
from transports.config import NetworkSettings
from transports.resolve import is_address


def registration_of(
    settings: NetworkSettings, nick: str, user: tuple[str, str], encrypted: bool, webirc: tuple[str, ...] = ()
) -> Registration:
    """user: the user name and the real name where the settings have none. webirc: as `webirc_of` makes it."""
    return Registration(
        WANTED,
        nick,
        settings.username or user[0],
        settings.realname or user[1],
        password=_open(settings.password),
        sasl=credentials(settings, nick),
        tls=encrypted,
        allow_plain=settings.tls == "off",
        careful=settings.tls != "off" and not is_address(settings.address),
        webirc=webirc,
        nonce=token_hex(18),
    )


def credentials(settings: NetworkSettings, nick: str) -> Credentials | None:
    """What there is to log in with; None when no login is wanted. A password without an account is that of the nick's.

    A certificate alone is shown, and what comes of it is only told: it must be possible to connect in order to make it known
    to the account. Who names the account besides, or gives a password, wants to be that account or not be there.
    """
    password = _open(settings.sasl_password)
    if not (password or settings.certificate):
        return None
    required = settings.require_sasl and bool(password or settings.sasl_user)
    account = settings.sasl_user or (nick if password else "")
    return Credentials(account, password, settings.certificate, required)


def webirc_of(settings: NetworkSettings, pseudonyms: Pseudonyms, user: str, gateway: str) -> tuple[str, ...]:
    """WEBIRC's parameters, () where the network knows none of us: password, gateway, host, IP. Never the JID (T24)."""
    if settings.webirc is None:
        return ()
    host, whom = f"{pseudonyms.ident(user)}.{_ascii(gateway)}", user
    if settings.webirc_host == "domain":
        whom = user.rpartition("@")[2]
        host = _ascii(whom)
    return (settings.webirc.get_secret_value(), _ascii(gateway), host, pseudonyms.address(whom))


def _ascii(domain: str) -> str:
    """A domain as IRC servers take host names; one that DNS could not hold has no name there."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return "xmpp.invalid"


def _open(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
