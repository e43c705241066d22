"""CTCP beside ACTION: what is asked of others and how their answers are read; what is answered stands in test_inbound."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridges.irc.scene import Scene
from transports.bridges.irc import ctcp
from transports.bridges.irc.read import Line
from transports.errors import LegacyError
from transports.events import Address, Notice

NOW = datetime(2026, 11, 21, 6, 31, 30, tzinfo=UTC).timestamp()


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.net.fresh = ("2026-11-21T06:31",)
    return scene


class Answer:
    """Takes the answer to a question."""

    lines: list[Line] | None = None
    error: LegacyError | None = None

    def __call__(self, answer: object) -> None:
        if isinstance(answer, LegacyError):
            self.error = answer
        else:
            self.lines = list(answer)  # type: ignore[call-overload]


def ask(scene: Scene, kind: str, text: str = "") -> Answer:
    answer = Answer()
    scene.net.ask(ctcp.question("Bob", kind, text), scene.now, answer)
    return answer


def test_a_version_is_asked_and_answered(scene: Scene) -> None:
    answer = ask(scene, "VERSION")
    assert scene.sent() == ["PRIVMSG Bob \x01VERSION\x01"]
    scene.feed(":eve!e@h NOTICE ada :\x01VERSION of eve\x01", ":bob!b@h NOTICE ada :\x01TIME now\x01")
    assert answer.lines is None
    scene.feed(":bob!b@h NOTICE ada :\x01VERSION irssi v1.4.5\x01")
    assert answer.lines is not None and answer.lines[-1].params[2] == "irssi v1.4.5"
    assert scene.told() == []


def test_a_ping_is_answered_by_its_own_token(scene: Scene) -> None:
    answer = ask(scene, "PING", "t7")
    scene.feed(":bob!b@h NOTICE ada :\x01PING t6\x01")
    assert answer.lines is None
    scene.feed(":bob!b@h NOTICE ada :\x01PING t7\x01")
    assert answer.lines is not None


def test_nobody_of_that_nick_is_an_error(scene: Scene) -> None:
    answer = ask(scene, "VERSION")
    scene.feed(":irc.test 401 ada Bob :No such nick")
    assert answer.error is not None and answer.error.condition == "item-not-found"


def test_silence_is_an_error_in_time(scene: Scene) -> None:
    answer = ask(scene, "VERSION")
    scene.net.tick(scene.now + ctcp.WITHIN - 1)
    assert answer.error is None
    scene.net.tick(scene.now + ctcp.WITHIN + 1)
    assert answer.error is not None and answer.error.condition == "remote-server-timeout"


def test_a_direct_connection_is_refused_with_one_word_only(scene: Scene) -> None:
    scene.feed(*[f":bob!b@h PRIVMSG ada :\x01DCC SEND file{number} 1 2 3\x01" for number in range(20)])
    [notice] = scene.told()
    assert isinstance(notice, Notice) and notice.where == Address("server", "irc.test") and "bob" in notice.text
    assert scene.sent() == []


def test_the_time_is_ours_in_utc(scene: Scene) -> None:
    scene.feed(":bob!b@h PRIVMSG ada :\x01TIME\x01")
    assert scene.sent() == ["NOTICE bob :\x01TIME 2026-11-21T06:31Z\x01"]


def test_only_a_few_questions_are_asked_in_a_minute() -> None:
    asked: tuple[float, ...] = ()
    for second in range(ctcp.ASKED_MOST):
        asked = ctcp.afford(asked, float(second))
    with pytest.raises(LegacyError) as refused:
        ctcp.afford(asked, 10.0)
    assert refused.value.condition == "resource-constraint" and refused.value.retry_after == 50
    assert len(ctcp.afford(asked, 60.5)) == ctcp.ASKED_MOST


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("irssi v1.4.5", ("irssi", "1.4.5", "")),
        ("HexChat 2.16.1 / Linux 6.1.0-18 [x86_64/1.80GHz/SMP]", ("HexChat", "2.16.1", "Linux 6.1.0-18 [x86_64/1.80GHz/SMP]")),
        ("WeeChat 4.1.1 (Dec  1 2023)", ("WeeChat", "4.1.1", "(Dec 1 2023)")),
        ("mIRC v7.75", ("mIRC", "7.75", "")),
        ("Quassel IRC v0.14.0 (built) -- http://www.quassel-irc.org", ("Quassel IRC", "0.14.0", "(built) -- http://www.quassel-irc.org")),
        ("xchat:2.8.8:Linux", ("xchat", "2.8.8:Linux", "")),
        ("\x02Transports\x02 (XMPP gateway)", ("Transports (XMPP gateway)", "", "")),
        ("", ("", "", "")),
        ("1.2", ("1.2", "", "")),
    ],
)
def test_versions(text: str, version: tuple[str, str, str]) -> None:
    assert ctcp.version_of(text) == version


@pytest.mark.parametrize(
    ("text", "shown", "hours"),
    [
        ("Sat Nov 21 06:31:29 2026", "06:31:29", 0),
        ("Sat Nov 21 07:31:40 2026", "07:31:40", 1),
        ("Sat, 21 Nov 2026 01:31:30 -0500", "01:31:30", -5),
        ("2026-11-21T06:31:30Z", "06:31:30", 0),
        ("2026-11-21T12:01:30+05:30", "12:01:30", 5.5),
        ("Saturday November 21st 2026 10:31 PM", "22:31:00", 16),
        ("Sat Nov 21 12:16:30 2026", "12:16:30", 5.75),
        ("21 Nov 2026 06:31:30 GMT", "06:31:30", 0),
        ("2026-11-21T06:31Z", "06:31:00", 0),
        ("soon", None, 0),
        ("Sat Nov 21 2026", None, 0),
        ("Sat Nov 99 06:31:30 2026", None, 0),
        ("Sat Nov 21 06:31:30 1999", None, 0),
        ("25:61:61 1 Jan 2026", None, 0),
    ],
)
def test_times(text: str, shown: str | None, hours: float) -> None:
    found = ctcp.time_of(text, NOW)
    if shown is None or abs(hours) > 14:
        assert found is None
    else:
        assert found is not None
        assert (found.strftime("%H:%M:%S"), found.utcoffset()) == (shown, timedelta(hours=hours))


@given(st.text(max_size=120))
def test_any_answer_is_read_or_not(text: str) -> None:
    ctcp.version_of(text)
    found = ctcp.time_of(text, NOW)
    if found is not None:
        with contextlib.suppress(OverflowError):
            found.timestamp()
