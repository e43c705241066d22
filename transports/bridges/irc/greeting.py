"""How a connection introduces itself: from a network's settings to the `Registration` that speaks for it.

Holds no socket. What users chose is in the settings already (`chosen`); what is secret leaves them here and nowhere else.
"""

from __future__ import annotations

from secrets import token_hex

from pydantic import SecretStr

from transports.bridges.irc.caps import Registration
from transports.bridges.irc.sasl import Credentials
from transports.bridges.irc.wanted import WANTED
from transports.config import NetworkSettings


def registration_of(settings: NetworkSettings, nick: str, user: tuple[str, str], encrypted: bool) -> Registration:
    """user: the user name and the real name where the settings have none."""
    return Registration(
        WANTED,
        nick,
        settings.username or user[0],
        settings.realname or user[1],
        password=_open(settings.password),
        sasl=credentials(settings, nick),
        tls=encrypted,
        allow_plain=settings.tls == "off",
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


def _open(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
