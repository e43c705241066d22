"""Questions of ours: who may answer them, once, and what becomes of those that nobody answers."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

import pytest

from transports import asking
from transports.asking import Asker
from transports.errors import LegacyError
from transports.xmpp import read
from transports.xmpp.xml import ForeignSender

DOMAIN = "far.example.org"
ADA = "ada@example.org"
PING = "<ping xmlns='urn:xmpp:ping'/>"


class Scene:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.asker = Asker(DOMAIN, self.out.append)

    def ask(self, **more: object) -> asyncio.Task[ET.Element | None]:
        return asyncio.ensure_future(self.asker.ask(ADA, PING, **more))  # type: ignore[arg-type]

    async def asked(self) -> ET.Element:
        """What was just asked."""
        await asyncio.sleep(0)
        return ET.fromstring(self.out.pop())

    def answer(self, id: str, sender: str = ADA, type: str = "result", inner: str = "") -> bool:
        stanza = (
            f"<iq xmlns='jabber:component:accept' type='{type}' id='{id}' from='{sender}' to='{DOMAIN}'>{inner}</iq>"
        )
        return self.asker.answered(read.iq(ET.fromstring(stanza)))


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_question_and_its_answer(scene: Scene) -> None:
    waiting = scene.ask(type="set", sender=f"bob@{DOMAIN}")
    iq = await scene.asked()
    assert (iq.get("type"), iq.get("from"), iq.get("to"), iq[0].tag) == (
        "set",
        f"bob@{DOMAIN}",
        ADA,
        "{urn:xmpp:ping}ping",
    )
    assert scene.answer(iq.get("id", ""), inner="<x xmlns='urn:x'/>")
    payload = await waiting
    assert payload is not None and payload.tag == "{urn:x}x"


async def test_an_empty_answer_is_none(scene: Scene) -> None:
    waiting = scene.ask()
    assert scene.answer((await scene.asked()).get("id", ""))
    assert await waiting is None


@pytest.mark.parametrize("sender", ["example.org", "mallory@example.org", f"{ADA}/desk", DOMAIN, ""])
async def test_nobody_else_answers(scene: Scene, sender: str) -> None:
    waiting = scene.ask(also=["server.example.org"])
    id = (await scene.asked()).get("id", "")
    assert not scene.answer(id, sender)
    await asyncio.sleep(0)
    assert not waiting.done()
    assert scene.answer(id, "server.example.org")
    await waiting


async def test_an_answer_counts_once_and_ids_of_nothing_are_nobodys(scene: Scene) -> None:
    waiting = scene.ask()
    id = (await scene.asked()).get("id", "")
    assert scene.answer(id) and not scene.answer(id)
    await waiting
    assert not scene.answer(id) and not scene.answer("x") and not scene.answer("")


ERRORS = [
    (
        "<error type='cancel'><item-not-found xmlns='{}'/><text xmlns='{}'>No such</text></error>",
        "item-not-found",
        "cancel",
        "No such",
    ),
    ("<error type='wait'><item-not-found xmlns='{}'/></error>", "item-not-found", "wait", ""),
    ("<error type='nonsense'><forbidden xmlns='{}'/></error>", "forbidden", "cancel", ""),
    ("<error><unheard-of xmlns='{}'/></error>", "undefined-condition", "cancel", ""),
    ("", "undefined-condition", "cancel", ""),
]


@pytest.mark.parametrize(("error", "condition", "type", "text"), ERRORS)
async def test_an_error_is_raised_as_it_came(scene: Scene, error: str, condition: str, type: str, text: str) -> None:
    waiting = scene.ask()
    inner = error.replace("{}", "urn:ietf:params:xml:ns:xmpp-stanzas")
    assert scene.answer((await scene.asked()).get("id", ""), type="error", inner=inner)
    with pytest.raises(LegacyError) as raised:
        await waiting
    assert (raised.value.condition, raised.value.type, raised.value.text) == (condition, type, text)


async def test_silence_has_an_end_and_what_comes_late_is_nobodys(scene: Scene) -> None:
    waiting = scene.ask(patience=0.01)
    id = (await scene.asked()).get("id", "")
    with pytest.raises(LegacyError) as raised:
        await waiting
    assert raised.value.condition == "remote-server-timeout" and not raised.value.certain and ADA in raised.value.text
    assert not scene.answer(id)


async def test_who_gives_up_leaves_nothing_behind(scene: Scene) -> None:
    waiting = scene.ask()
    id = (await scene.asked()).get("id", "")
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not scene.answer(id)


async def test_questions_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST", 2)
    waiting = [scene.ask(), scene.ask()]
    await asyncio.sleep(0)
    with pytest.raises(LegacyError, match="resource-constraint"):
        await scene.ask()
    for text in list(scene.out):
        scene.answer(ET.fromstring(text).get("id", ""))
    await asyncio.gather(*waiting)
    again = scene.ask()
    assert scene.answer((await scene.asked()).get("id", ""))
    await again


async def test_a_question_leaves_under_a_name_of_ours_only(scene: Scene) -> None:
    with pytest.raises(ForeignSender):
        await scene.ask(sender="mallory@example.org")
    assert scene.out == []
