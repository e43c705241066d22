"""A durable bridge's mailbox behind its stanzas: what its users are told, in which language."""

# ruff: noqa: ASYNC110 - a condition is waited for, with a timeout

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.far import condition, words
from transports import catalogs
from transports.errors import LegacyError
from transports.events import Address, Say
from transports.post import Post
from transports.store.database import Database, open_database
from transports.store.journal import Journal
from transports.words import CATALOGS, say
from transports.xmpp import read

ANN = Address("person", "+15551234567")
DOMAIN, ADA = "sms.example.org", "ada@example.org/desk"
WORDS = "+15551234567 nimmt keine Nachrichten von dir an. (Der Server sagt: No!)"


class Shut:
    """A far side that takes nothing."""

    async def send(self, user: str, command: Say) -> Sequence[str]:
        said = say("irc.said", what=say("ircd.not-you", name=command.to.name), said="No!")
        raise LegacyError("forbidden", said)

    async def find(self, user: str, command: Say) -> Sequence[str] | None:
        return None


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    catalogs.load()
    database = await open_database(f"sqlite:///{tmp_path / 'test.db'}")
    yield database
    await database.close()


@pytest.fixture(autouse=True)
def _no_languages() -> Iterator[None]:
    yield
    CATALOGS.clear()


class Scene:
    def __init__(self, database: Database, language: str = "de") -> None:
        self.out: asyncio.Queue[str] = asyncio.Queue()
        self.post = Post(DOMAIN, Journal(database, "sms"), self.out.put_nowait, lambda: True)
        self.post.language = lambda user: language

    async def told(self) -> ET.Element:
        """The next error that a client is told."""
        async with asyncio.timeout(5):
            while (stanza := ET.fromstring(await self.out.get())).tag != "message":
                pass
        return stanza

    def say(self) -> None:
        text = f"<message xmlns='jabber:component:accept' from='{ADA}' to='{ANN.name}@{DOMAIN}' id='m1'><body>hi</body></message>"
        self.post.say(read.message(ET.fromstring(text)), ANN)


async def test_a_message_that_failed_is_told_of_in_its_senders_language(database: Database) -> None:
    scene = Scene(database)
    await scene.post.mailbox.start(Shut())
    scene.post.connected()
    scene.say()
    error = await scene.told()
    assert (condition(error), words(error), error.get("to"), error.get("id")) == ("forbidden", WORDS, ADA, "m1")
    await scene.post.mailbox.drain(1)


async def test_and_so_it_is_by_the_next_gateway_when_this_one_died_before(database: Database) -> None:
    dead = Scene(database)
    await dead.post.mailbox.start(Shut())
    dead.say()  # the stream is not there
    journal = Journal(database, "sms")
    async with asyncio.timeout(5):
        while ("out", "failed") not in await journal.counts():
            await asyncio.sleep(0)
    await dead.post.mailbox.drain(1)
    scene = Scene(database)
    await scene.post.mailbox.start(Shut())
    scene.post.connected()
    assert words(await scene.told()) == WORDS
    await scene.post.mailbox.drain(1)
