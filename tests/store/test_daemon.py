"""The daemon and its database: a host that bridges IRC alone loads no SQL; a wrong key stops what needs the database only."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.gateway import Config, Gateway, StartGateway
from lab.process import LabError
from lab.prosody import Prosody
from lab.xmpp import Client
from transports.accounts import Account
from transports.store.backup import backup, restore
from transports.store.errors import StoreError
from transports.store.shelf import Shelf

KEY, OTHER = "a key of sixteen bytes or more", "another key of that length"
NOBODY = {"host": "127.0.0.1", "port": 1, "secret": "not asked for", "users": ["example.org"]}
IRC = {"irc": {"domain": "irc.example.org"}}
DURABLE = {"bridges": {"test": {"module": "tests.bridges.echo.bridge", "domain": "test.example.org"}}}


def waiting(directory: Path, bridges: Config, key: str = KEY) -> Gateway:
    """Without an XMPP server: it waits for one, and runs."""
    config = {"xmpp": NOBODY, "store": {"key": key, "url": f"sqlite:///{directory}/t.db"}, **bridges}
    return Gateway(directory, config, ready=r"\bstarted\b")


def libraries(daemon: Gateway) -> set[str]:
    """What it has loaded, of what the store needs."""
    maps = Path(f"/proc/{daemon.pid}/maps").read_text()
    return {name for name in ("sqlalchemy", "cryptography") if f"/{name}/" in maps}


async def somebody(directory: Path, key: str = KEY) -> Shelf:
    """A database with a registered user and a secret."""
    shelf = Shelf(f"sqlite:///{directory}/t.db", key.encode())
    await shelf.start()
    await shelf.accounts("irc").save(Account("ada@example.org", 1.0, {"password": "secret"}), {"password"})
    await shelf.close()
    return shelf


async def test_irc_alone_loads_no_sql_until_somebody_has_registered(directory: Path) -> None:
    async with waiting(directory, IRC) as daemon:
        assert libraries(daemon) == set()
        assert not (directory / "t.db").exists()
    await somebody(directory)
    async with waiting(directory, IRC) as daemon:
        assert libraries(daemon) == {"sqlalchemy", "cryptography"}


async def test_another_key_leaves_irc_running_and_the_database_alone(directory: Path) -> None:
    await somebody(directory)
    async with waiting(directory, IRC, OTHER) as daemon:
        [line] = daemon.log_lines("error transports.store", whole=False)
        assert "sealed with another key" in line and "transports.key" in line
    shelf = Shelf(f"sqlite:///{directory}/t.db", KEY.encode())
    await shelf.start()
    assert [account.answers for account in await shelf.accounts("irc").load()] == [{"password": "secret"}]
    await shelf.close()


async def test_a_durable_bridge_does_not_start_with_another_key(directory: Path) -> None:
    await somebody(directory)
    with pytest.raises(LabError, match="sealed with another key"):
        async with waiting(directory, {**IRC, **DURABLE}, OTHER):
            pass


async def test_a_copy_is_made_while_it_runs_and_put_back_only_when_it_does_not(directory: Path) -> None:
    url = f"sqlite:///{directory}/t.db"
    async with waiting(directory, DURABLE):
        copy = backup(url, directory / "copy.db", KEY.encode())
        assert (copy.key, copy.accounts) == ("fits", 0)
        with pytest.raises(StoreError, match="stop the gateway first"):
            restore(copy.path, url, KEY.encode())
    restore(copy.path, url, KEY.encode())
    async with waiting(directory, DURABLE):
        pass


async def test_who_registers_is_known_after_a_restart_until_unregistering(prosody: Prosody, gateway: StartGateway) -> None:
    """XEP-0077 3.1 and 3.2 with the IRC bridge, whose registration holds preferences only."""
    daemon = await gateway(prosody)
    query = "<iq type='{}' to='irc.localhost'><query xmlns='jabber:iq:register'>{}</query></iq>"
    form = "<x xmlns='jabber:x:data' type='submit'><field var='realname'><value>ada-the-canary</value></field></x>"

    async def ask(type: str, payload: str = "") -> ET.Element:
        async with Client(prosody.jid("alice"), "alicepw", prosody.c2s_port) as alice:
            return await alice.iq(query.format(type, payload))

    def registered(answer: ET.Element) -> bool:
        return answer.find("{jabber:iq:register}query/{jabber:iq:register}registered") is not None

    assert not registered(await ask("get"))
    assert libraries(daemon) == set()
    assert (await ask("set", form)).get("type") == "result"
    assert libraries(daemon) == {"sqlalchemy", "cryptography"}
    assert b"ada-the-canary" in (daemon.dir / "transports.db-wal").read_bytes()
    await daemon.terminate()
    await daemon.start()
    assert registered(await ask("get"))
    assert (await ask("set", "<remove/>")).get("type") == "result"
    assert not registered(await ask("get"))
    for path in daemon.dir.glob("transports.db*"):
        assert b"ada-the-canary" not in path.read_bytes(), path.name
