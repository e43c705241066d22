"""Where a server is: the look-up of its name, and which addresses users may reach.

Users name servers as they like, so a name may be made to answer slowly, with a thousand addresses, or with one inside the
operator's own network. The address that is judged is the address that is connected to.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from weakref import WeakValueDictionary

from transports.errors import LegacyError
from transports.words import say

#: Seconds that a look-up may take, and that one may wait for its turn.
LOOKUP_WITHIN, TURN_WITHIN = 8.0, 30.0
#: Look-ups under way at once, of all users; uvloop has four threads for them, and one is left to the house.
AT_ONCE: Final = 3
#: Addresses of one name that are tried.
ADDRESSES: Final = 8

#: All of IPv6 that is given out (RFC 4291 2.4, IANA); what maps, translates or tunnels IPv4 lies outside, except 6to4.
_GIVEN_OUT: Final = IPv6Network("2000::/3")
#: This machine, and private networks (RFC 1918, 4193, 6598).
_INSIDE: Final = tuple(
    map(ip_network, ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
#: Where clouds keep a machine's credentials, of what is not link-local: EC2's over IPv6, Alibaba's.
_CREDENTIALS: Final = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200")))
#: 6to4; 192.0.0.0/24, of which Python has refused only parts; documentation (RFC 9637); Azure's own host within each machine.
_SPECIAL: Final = tuple(
    map(ip_network, ("2002::/16", "192.88.99.0/24", "192.0.0.0/24", "3fff::/20", "168.63.129.16/32"))
)


class Resolver:
    """The look-ups of all users: a few at once, and one at a time for each user.

    Nothing stops the system's resolver once it runs, so a look-up has its place until it ends, not while somebody waits.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._running: dict[asyncio.Future[Any], asyncio.Semaphore] = {}

    async def addresses(self, user: str, host: str) -> list[str]:
        """IP addresses of `host`, which may be one itself. LegacyError when there are none, or not in time."""
        if is_address(host):
            return [host]
        turn = self._turns.setdefault(user, asyncio.Semaphore(1))
        try:
            async with asyncio.timeout(TURN_WITHIN):
                await self._take(turn)
        except TimeoutError:
            words = say("look-up.busy", host=host)
            raise LegacyError("resource-constraint", words, retry_after=60) from None
        found = await self._look_up(turn, host)
        if isinstance(found, LegacyError):
            raise found
        return found

    async def _take(self, turn: asyncio.Semaphore) -> None:
        await turn.acquire()
        try:
            await self._places.acquire()
        except BaseException:
            turn.release()
            raise

    async def _look_up(self, turn: asyncio.Semaphore, host: str) -> list[str] | LegacyError:
        loop = asyncio.get_running_loop()
        running = asyncio.ensure_future(loop.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        self._running[running] = turn
        running.add_done_callback(self._ended)
        try:
            found = await asyncio.wait_for(asyncio.shield(running), LOOKUP_WITHIN)
        except TimeoutError:
            return LegacyError("remote-server-timeout", say("look-up.slow", host=host), retry_after=60)
        except (OSError, ValueError) as error:  # ValueError: no name that DNS could hold
            error.with_traceback(None)  # the look-up keeps its error, and with it the frames of whoever waited
            return LegacyError("remote-server-not-found", say("look-up.none", host=host))
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))[:ADDRESSES]

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._running.pop(running).release()
        self._places.release()
        if not running.cancelled():
            running.exception()  # whoever waited may be gone


def is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether users may be connected to `address`: it is one of the Internet's hosts, not of a private or special network."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip not in _GIVEN_OUT:
            return False
    unfit = ip.is_multicast or ip.is_reserved or ip.is_unspecified or any(ip in network for network in _SPECIAL)
    return ip.is_global and not unfit


def is_inside(address: str) -> bool:
    """Whether `address` is this machine or one of a private network: there the operator may send us, users may not.

    Link-local addresses are never among them, nor where clouds keep a machine's credentials.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _INSIDE) and ip not in _CREDENTIALS
