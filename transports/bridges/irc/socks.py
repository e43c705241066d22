"""SOCKS5, the client's side: a connection through a proxy that looks names up itself (RFC 1928, RFC 1929).

Speaks on a socket that is connected to the proxy already. What goes wrong is an OSError with words; a proxy that does not keep
to the protocol ends it, and never makes us read more than its answers are long.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

_VERSION: Final = 5
_NO_LOGIN, _LOGIN = 0, 2
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
#: RFC 1928, section 6.
_REPLIES: Final = {
    1: "the proxy failed",
    2: "the proxy does not allow it",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "timed out",
    7: "the proxy cannot connect",
    8: "the proxy does not know this kind of address",
}


class Proxy(NamedTuple):
    """Where the proxy is, and who we are there; '' for nobody."""

    host: str
    port: int
    user: str = ""
    password: str = ""


class ProxyError(OSError):
    """The proxy refused, or is none; `strerror` says how."""

    def __init__(self, words: str) -> None:
        super().__init__(0, words)


def parse(url: str) -> Proxy:
    """socks5://[user:password@]host:port, as the configuration has checked it."""
    parts = urlsplit(url)
    return Proxy(parts.hostname or "", parts.port or 1080, unquote(parts.username or ""), unquote(parts.password or ""))


async def tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Have the proxy connect to `host`, a name or an IP address; then `sock` is that connection. OSError."""
    methods = bytes([_NO_LOGIN, _LOGIN] if proxy.user else [_NO_LOGIN])
    await _send(sock, bytes([_VERSION, len(methods)]) + methods)
    version, method = await _read(sock, 2)
    if version != _VERSION or method not in methods:
        raise ProxyError("the proxy lets nobody in" if version == _VERSION else "no SOCKS5 proxy")
    if method == _LOGIN:
        await _log_in(sock, proxy)
    await _send(sock, bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await _read(sock, 4)
    if version != _VERSION or reply:
        raise ProxyError(_REPLIES.get(reply, "the proxy refuses"))
    if kind not in (_IPV4, _NAME, _IPV6):
        raise ProxyError("no SOCKS5 proxy")
    size = (await _read(sock, 1))[0] if kind == _NAME else {_IPV4: 4, _IPV6: 16}[kind]
    await _read(sock, size + 2)  # where the proxy connects from: of no use to us


async def _log_in(sock: socket.socket, proxy: Proxy) -> None:
    """RFC 1929."""
    user, password = proxy.user.encode(), proxy.password.encode()
    await _send(sock, bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    if (await _read(sock, 2))[1]:
        raise ProxyError("the proxy does not take our password")


def _address(host: str) -> bytes:
    try:
        ip: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        name = host.encode("idna")
        if not 0 < len(name) < 256:
            raise ProxyError("no name that a proxy could look up") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if ip.version == 4 else _IPV6]) + ip.packed


async def _send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def _read(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes: what follows them is the server's already."""
    data = b""
    while len(data) < size:
        more = await asyncio.get_running_loop().sock_recv(sock, size - len(data))
        if not more:
            raise ProxyError("the proxy closed the connection")
        data += more
    return data
