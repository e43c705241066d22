"""SOCKS5: what is said to a proxy, and proxies that are none (RFC 1928, RFC 1929)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.bridges.irc.socks import Proxy, ProxyError, parse, tunnel

OPEN = Proxy("127.0.0.1", 1080)
LOCKED = Proxy("127.0.0.1", 1080, "us", "pw")
BOUND = b"\x01\x7f\x00\x00\x01\x00\x00"


@asynccontextmanager
async def line() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    """Our end, and the proxy's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


async def talk(said: bytes, proxy: Proxy = OPEN, host: str = "irc.test", port: int = 6697) -> tuple[bytes, bytes]:
    """What we say to a proxy that says `said` and no more, and what of it we leave for those who come after."""
    loop = asyncio.get_running_loop()
    async with line() as (ours, theirs):
        theirs.send(said)
        theirs.shutdown(socket.SHUT_WR)
        await tunnel(ours, proxy, host, port)
        heard = await loop.sock_recv(theirs, 4096)
        return heard, await loop.sock_recv(ours, 4096)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("irc.test", b"\x03\x08irc.test"),
        ("192.0.2.7", b"\x01\xc0\x00\x02\x07"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + b"\0" * 11 + b"\x01"),
        ("münchen.test", b"\x03\x13xn--mnchen-3ya.test"),
    ],
)
async def test_the_proxy_is_given_the_name(host: str, address: bytes) -> None:
    heard, left = await talk(b"\x05\x00" + b"\x05\x00\x00" + BOUND + b":irc.test 001", host=host)
    assert heard == b"\x05\x01\x00" + b"\x05\x01\x00" + address + (6697).to_bytes(2, "big")
    assert left == b":irc.test 001"  # not a byte too many is read


async def test_a_proxy_that_wants_a_password() -> None:
    heard, _ = await talk(b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00\x03\x04host\x00\x00", LOCKED)
    assert heard.startswith(b"\x05\x02\x00\x02" + b"\x01\x02us\x02pw" + b"\x05\x01\x00\x03")


@pytest.mark.parametrize(
    ("said", "proxy", "why"),
    [
        (b"", OPEN, "closed"),
        (b"\x05", OPEN, "closed"),
        (b"\x04\x00", OPEN, "no SOCKS5"),
        (b"HTTP/1.1 400 Bad Request\r\n", OPEN, "no SOCKS5"),
        (b"\x05\xff", OPEN, "nobody in"),
        (b"\x05\x02", OPEN, "nobody in"),  # we have offered no password
        (b"\x05\x02\x01\x01", LOCKED, "password"),
        (b"\x05\x00\x05\x05\x00" + BOUND, OPEN, "refused"),
        (b"\x05\x00\x05\x02\x00" + BOUND, OPEN, "allow"),
        (b"\x05\x00\x05\x77\x00" + BOUND, OPEN, "refuses"),
        (b"\x05\x00\x05\x00\x00\x09", OPEN, "no SOCKS5"),
        (b"\x05\x00\x05\x00\x00\x01\x00", OPEN, "closed"),
    ],
)
async def test_proxies_that_refuse_and_those_that_are_none(said: bytes, proxy: Proxy, why: str) -> None:
    with pytest.raises(ProxyError, match=why) as caught:
        await talk(said, proxy)
    assert caught.value.strerror


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=300))
def test_whatever_a_proxy_says_is_an_error_or_a_tunnel(said: bytes) -> None:
    async def run() -> None:
        try:
            await talk(said, LOCKED)
        except OSError:
            return

    asyncio.run(run())


def test_addresses_of_proxies() -> None:
    assert parse("socks5://127.0.0.1:9050") == Proxy("127.0.0.1", 9050)
    assert parse("socks5://u%40s:p%3Aw@[::1]:1080") == Proxy("::1", 1080, "u@s", "p:w")
