"""WHOIS: what servers answer (lines as InspIRCd, Solanum and UnrealIRCd write them), as a card and as words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridges.irc.scene import ME, Scene
from transports import catalogs
from transports.bridges.irc import whois
from transports.bridges.irc.read import Line, parse
from transports.errors import LegacyError
from transports.words import in_language

INSPIRCD = """
:irc.test 311 ada Bob ~bob host.example * :Bob B. Bobson
:irc.test 378 ada Bob :is connecting from ~bob@192.0.2.1 192.0.2.1
:irc.test 319 ada Bob :@#c +#d
:irc.test 319 ada Bob :#e
:irc.test 312 ada Bob irc.test :The lab
:irc.test 313 ada Bob :is a NetAdmin on TestNet
:irc.test 330 ada Bob bobacct :is logged in as
:irc.test 335 ada Bob :is a bot on TestNet
:irc.test 671 ada Bob :is using a secure connection
:irc.test 301 ada Bob :at \x02lunch\x02
:irc.test 317 ada Bob 3725 1700000000 :seconds idle, signon time
:irc.test 318 ada Bob :End of /WHOIS list.
"""


def lines(text: str) -> list[Line]:
    return [parse(line) for line in text.strip().splitlines()]


def test_all_of_it() -> None:
    assert whois.read(lines(INSPIRCD)) == whois.Whois(
        "Bob", "~bob@host.example", "Bob B. Bobson", "bobacct", "irc.test (The lab)", 3725, 1700000000, "@#c +#d #e",
        "at lunch", True, True, True, ("is connecting from ~bob@192.0.2.1 192.0.2.1",),
    )  # fmt: skip


def test_it_reads_like_words() -> None:
    catalogs.load()
    who = whois.read(lines(INSPIRCD))
    assert who is not None
    card = whois.card(who)
    assert (card.name, card.nick) == ("Bob B. Bobson", "Bob")
    german = in_language(card.note, "de")
    assert "Konto: bobacct" in german and "Untätig seit: 1 h 2 min" in german and "2023-11-14 22:13 UTC" in german
    assert ["Account", "bobacct"] in whois.table(who).rows


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (":s 338 ada bob 192.0.2.1 :actually using host", "192.0.2.1 actually using host"),
        (":s 379 ada bob :is using modes +ix", "is using modes +ix"),
        (":s 276 ada bob :has client certificate fingerprint aa11", "has client certificate fingerprint aa11"),
        (":s 307 ada bob :is a registered nick", "is a registered nick"),
        (":s 320 ada bob :is very special", "is very special"),
        (":s 317 ada bob soon :seconds idle", "soon seconds idle"),
        (":s 311 ada bob broken", "broken"),
    ],
)
def test_what_is_not_known_is_shown_as_it_is(line: str, words: str) -> None:
    who = whois.read(lines(line))
    assert who is not None and who.more == (words,)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (90061, "1 d 1 h"), (-5, "0 s"), (10**15, None)]
)
def test_durations(seconds: int, words: str | None) -> None:
    assert words is None or whois.duration(seconds) == words


@given(
    st.lists(
        st.builds(lambda n, rest: Line({}, "s", f"{n:03}", ["ada", "bob", *rest]), st.integers(275, 700), st.lists(st.text()))
    )
)
def test_whatever_comes_it_stays_short(answer: list[Line]) -> None:
    who = whois.read(answer)
    if who is not None:
        assert len(in_language(whois.card(who).note, "de")) < 20_000


# Asking ---------------------------------------------------------------------------------------------------------------


def ask(scene: Scene) -> list[Sequence[Line] | LegacyError]:
    answers: list[Sequence[Line] | LegacyError] = []
    scene.net.ask(whois.question("bob"), scene.now, answers.append)
    assert scene.sent() == ["WHOIS bob bob"]
    return answers


def test_an_answer_comes_amid_other_lines() -> None:
    scene = Scene()
    answers = ask(scene)
    for line in INSPIRCD.strip().splitlines():
        scene.feed(line, ":eve!e@h PRIVMSG ada :hi")
    (answer,) = answers
    assert not isinstance(answer, LegacyError)
    assert len(whois.read(answer).channels) > 0  # type: ignore[union-attr]


@pytest.mark.parametrize("numeric", ["401", "402"])
def test_nobody_is_called_so(numeric: str) -> None:
    scene = Scene()
    answers = ask(scene)
    scene.feed(f":irc.test {numeric} {ME} bob :No such nick", f":irc.test 318 {ME} bob :End of /WHOIS list.")
    (error,) = answers
    assert isinstance(error, LegacyError) and error.condition == "item-not-found"
    assert scene.told() == []


def test_what_is_kept_of_an_answer_is_short_whatever_is_said() -> None:
    rows = [Line({}, "s", str(number), ["ada", "bob", *["x" * 1_000] * 13]) for number in range(275, 400)]
    who = whois.read(rows)
    assert who is not None and len(repr(who)) < 20_000
