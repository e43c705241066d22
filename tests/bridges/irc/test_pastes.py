"""Long texts: what becomes of them, by the user's choice, and that nothing overtakes them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bridges.irc.scene import Scene, say
from transports.bridges.irc.pastes import MOST, PASTE, PASTE_LINES, REFUSE, SEND, UPLOAD, WAITING, LongTexts, lines
from transports.errors import LegacyError
from transports.events import Address, Echoed, Failed, File
from transports.tasks import Tasks

LONG = "\n".join(f"line {number}" for number in range(10))
BOB = Address("person", "bob%irc.test")


class Far:
    """A bridge as far as long texts know one, and files that are put when the test says so."""

    def __init__(self, choice: str = UPLOAD, most: object = "5", error: LegacyError | None = None) -> None:
        self.chosen = {PASTE: choice, PASTE_LINES: most}
        self.accounts = SimpleNamespace(preference=lambda user, var: self.chosen[var])
        self.files: Any = self
        self.pasting = Tasks("test")
        self.given: list[bytes] = []
        self.ready = asyncio.Event()
        self.error = error

    async def share(self, user: str, data: bytes, name: str, type: str = "") -> File:
        self.given.append(data)
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return File("https://h/paste.txt", name, type)

    async def done(self) -> None:
        self.ready.set()
        await self.pasting.end(5)


def talk(far: Far) -> Scene:
    scene = Scene()
    scene.net.pastes = LongTexts(far, scene.net, "ada@example.org")  # type: ignore[arg-type]
    scene.enter()
    return scene


async def test_a_long_text_becomes_a_link_and_what_follows_it_waits() -> None:
    far = Far()
    scene = talk(far)
    scene.do(say(LONG, id="1"), say("behind", id="2"), say("to bob", BOB, id="3"))
    await asyncio.sleep(0)
    assert scene.sent() == ["PRIVMSG bob :to bob"] and far.given == [LONG.encode()]
    await far.done()
    assert scene.sent() == ["PRIVMSG #c :line 0 … https://h/paste.txt", "PRIVMSG #c :behind"]
    scene.do(say("at once", id="4"))
    assert scene.sent() == ["PRIVMSG #c :at once"]
    scene.pong()
    assert [command.id for fact in scene.told() if isinstance(fact, Echoed) for command in fact.of] == ["3", "1", "2", "4"]


async def test_two_long_texts_keep_their_order() -> None:
    far = Far()
    scene = talk(far)
    scene.do(say(LONG, id="1"), say(LONG.replace("line", "verse"), id="2"), say("end", id="3"))
    await far.done()
    assert [line.partition(":")[2] or line for line in scene.sent()] == [
        "line 0 … https://h/paste.txt", "verse 0 … https://h/paste.txt", "end"
    ]  # fmt: skip


async def test_where_no_file_can_be_put_it_is_sent_up_to_a_limit() -> None:
    far = Far(error=LegacyError("service-unavailable", "No place."))
    scene = talk(far)
    scene.do(say(LONG, id="1"), say("\n".join("x" * (MOST + 1)), BOB, id="2"))
    await far.done()
    assert len(scene.sent()) == 10
    failed = scene.only(Failed)
    assert failed.of.id == "2" and "No place." in failed.error.text and str(MOST + 1) in failed.error.text


@pytest.mark.parametrize(
    ("choice", "most", "count", "sent"),
    [
        (SEND, "5", 10, True),
        (SEND, "5", MOST, True),
        (SEND, "5", MOST + 1, False),
        (REFUSE, "5", 5, True),
        (REFUSE, "5", 6, False),
        (REFUSE, "nonsense", 6, False),
        ("nonsense", None, MOST, True),
    ],
)
async def test_who_wants_no_files_has_lines_or_an_error(choice: str, most: object, count: int, sent: bool) -> None:
    scene = talk(Far(choice, most))
    scene.do(say("\n".join("x" * count)))
    assert len(scene.sent()) == (count if sent else 0)
    if not sent:
        failed = scene.only(Failed)
        assert failed.error.condition == "not-acceptable" and str(count) in failed.error.text


async def test_what_waits_is_bounded_and_fails_with_the_connection() -> None:
    far = Far()
    scene = talk(far)
    scene.do(say(LONG, id="long"), *(say("x", id=str(number)) for number in range(WAITING + 3)))
    assert len([fact for fact in scene.told() if isinstance(fact, Failed)]) == 3
    assert scene.net.pastes is not None
    scene.net.pastes.close(LegacyError("remote-server-timeout", "gone"))
    assert len([fact for fact in scene.told() if isinstance(fact, Failed)]) == WAITING + 1
    await far.done()
    assert scene.sent() == []


@pytest.mark.parametrize(("typed", "number"), [("1", "1"), ("25", "25"), ("007", "7")])
def test_how_many_lines_are_not_long(typed: str, number: str) -> None:
    assert lines(typed) == number


@pytest.mark.parametrize("typed", ["0", "26", "", "x", "²", "9999", "-1"])
def test_what_is_no_number_of_lines(typed: str) -> None:
    with pytest.raises(ValueError, match="25"):
        lines(typed)
