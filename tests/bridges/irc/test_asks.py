"""Questions to a server: which of the lines that come is the answer, also amid traffic."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.bridges.irc.scene import BY, ME, ROOM, Scene
from transports.bridges.irc.asks import OPEN, SIZE, Question
from transports.bridges.irc.numerics import Refusal
from transports.bridges.irc.read import Line
from transports.errors import LegacyError
from transports.events import Join

BANS = Question(
    "MODE #c b", ("#c",), frozenset({"367"}), frozenset({"368"}), {"482": Refusal("not-allowed", "ircd.only-operators")}
)


class Answer(list[object]):
    def __call__(self, answer: Sequence[Line] | LegacyError) -> None:
        self.append(answer)

    @property
    def lines(self) -> list[str]:
        (answer,) = self
        assert isinstance(answer, list)
        return [f"{line.command} {line.params[2]}" for line in answer]

    @property
    def condition(self) -> str:
        (error,) = self
        assert isinstance(error, LegacyError)
        return error.condition


def asked(scene: Scene, question: Question = BANS) -> Answer:
    answer = Answer()
    scene.net.ask(question, 0.0, answer)
    return answer


def test_an_answer_is_its_rows_and_its_end_whatever_comes_between() -> None:
    scene = Scene()
    scene.do(Join(ROOM, ME, BY))
    answer = asked(scene)
    assert scene.lines[-1] == "MODE #c b"
    scene.feed(
        ":irc.test 367 ada #C *!*@a.example op 1",
        ":bob!b@h PRIVMSG #c :hello",
        ":irc.test 367 ada #other *!*@b.example op 1",
        ":irc.test 368 ada #other :End",
        ":irc.test 367 ada #c *!*@c.example op 1",
    )
    assert not answer
    scene.feed(":irc.test 368 ada #c :End of ban list")
    assert answer.lines == ["367 *!*@a.example", "367 *!*@c.example", "368 End of ban list"]


@pytest.mark.parametrize("line", [":irc.test 482 ada #c :You're not op", ":irc.test 482 ada :You're not op"])
def test_an_error_about_it_is_the_answer(line: str) -> None:
    scene = Scene()
    answer = asked(scene)
    scene.feed(":irc.test 482 ada #other :You're not op")
    assert not answer
    scene.feed(line)
    assert answer.condition == "not-allowed"


def test_the_oldest_question_is_answered_first() -> None:
    scene = Scene()
    first, second = asked(scene), asked(scene)
    scene.feed(":irc.test 368 ada #c :End")
    assert first and not second


def test_a_line_that_is_shared_does_what_it_always_does() -> None:
    scene = Scene()
    answer = asked(scene, Question("PRIVMSG", ("bob",), ends=frozenset({"301"}), shared=True))
    scene.feed(":irc.test 301 ada bob :at lunch")
    assert answer and scene.facts


def test_a_question_that_is_never_answered_ends_in_time() -> None:
    scene = Scene()
    answer = asked(scene)
    scene.net.tick(19.0)
    assert not answer
    scene.net.tick(20.0)
    assert answer.condition == "remote-server-timeout"
    assert scene.net.asks is None


def test_a_lost_connection_answers_all() -> None:
    scene = Scene()
    answers = [asked(scene), asked(scene)]
    scene.net.lost(LegacyError("remote-server-not-found", "gone"))
    assert [answer.condition for answer in answers] == ["remote-server-not-found"] * 2


def test_questions_are_bounded_and_a_full_queue_takes_none() -> None:
    scene = Scene()
    for _ in range(OPEN):
        asked(scene)
    with pytest.raises(LegacyError, match="too many things"):
        asked(scene)
    scene = Scene()
    scene.full = True
    with pytest.raises(LegacyError, match="wait"):
        asked(scene)
    scene.feed(":irc.test 368 ada #c :End")


def test_an_answer_without_end_is_not_kept_without_end() -> None:
    scene = Scene()
    answer = asked(scene, BANS._replace(most=2))
    scene.feed(*[f":irc.test 367 ada #c *!*@{n}.example op 1" for n in range(9)], ":irc.test 368 ada #c :End")
    assert len(answer.lines) == 3


@pytest.mark.parametrize("labelled", [False, True])
def test_an_answer_of_huge_lines_is_not_kept_either_but_ends(labelled: bool) -> None:
    scene = Scene()
    scene.net.caps = frozenset({"labeled-response", "batch"} if labelled else ())
    scene.do(Join(ROOM, ME, BY))
    answer = asked(scene)
    tags = f"{scene.lines[-1].partition(' ')[0]} " if labelled else ""
    reference = "@batch=b " if labelled else ""
    if labelled:
        scene.feed(f"{tags}:irc.test BATCH +b labeled-response")
    for number in range(200):
        scene.feed(f"{reference}:irc.test 367 ada #c {number} :{'x' * 15_000}")
    assert scene.net.asks is not None
    (waiting,) = scene.net.asks._open
    assert sum(len(param) for line in waiting.lines for param in line.params) <= SIZE
    for _ in range(20):
        if not answer:
            scene.feed(f"{reference}:irc.test 368 ada #c :{'x' * 15_000}")
    if labelled:
        scene.feed(":irc.test BATCH -b")
    commands = [line.split(" ")[0] for line in answer.lines]
    assert commands.count("368") == 1 and commands[-1] == "368" and len(commands) < 80
    (lines,) = answer
    assert isinstance(lines, list) and not any(line.tags for line in lines)
