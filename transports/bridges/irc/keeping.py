"""What the ways out to IRC need to outlive the process: users' certificates, and hosts that must not be met without TLS.

Both lie among what users have set (`ports.Options`): a certificate with its network, sealed; the policies, which are nobody's,
under the gateway's own domain, which no user has for an address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from transports.bridges.irc.chosen import SECRETS
from transports.errors import LegacyError
from transports.events import Address
from transports.log import kv
from transports.ports import Options

log = logging.getLogger(__name__)

#: The names under which the texts lie.
PEM: Final = "certificate_pem"
STS: Final = "sts"


class KeptCertificates:
    """certificates.Keep."""

    def __init__(self, options: Options, place: Callable[[str], Address]) -> None:
        """place: a network's address."""
        self._options = options
        self._place = place

    def get(self, user: str, network: str) -> str:
        return str(self._options.of(user, self._place(network)).get(PEM, ""))

    async def put(self, user: str, network: str, text: str) -> None:
        await self._options.change(user, self._place(network), {PEM: text or None}, SECRETS)


class KeptPolicies:
    """What sts.Policies is loaded from and tells its changes to."""

    def __init__(self, options: Options, owner: str) -> None:
        self._options = options
        self._owner = owner
        self._writing: set[asyncio.Task[None]] = set()

    def load(self) -> dict[str, str]:
        of, owner = self._options.of, self._owner
        return {place.name: str(of(owner, place)[STS]) for place in self._options.places(owner) if STS in of(owner, place)}

    def save(self, host: str, text: str) -> None:
        task = asyncio.get_running_loop().create_task(self._write(host, text))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, host: str, text: str) -> None:
        try:
            await self._options.put(self._owner, Address("server", host), {STS: text} if text else {})
        except (LegacyError, OSError) as error:
            log.warning(kv("a TLS policy could not be kept", host=host, error=str(error)))

    async def stop(self) -> None:
        """What is being written comes to its end."""
        await asyncio.gather(*self._writing, return_exceptions=True)
