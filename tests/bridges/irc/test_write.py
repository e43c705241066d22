"""The serializer: the community's vectors, then T3 and T4 of the threats: one command whatever the parameters hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.bridges.irc import write
from transports.bridges.irc.read import Buffer, Line, decode, parse
from transports.bridges.irc.write import BadLine

VECTORS = Path(__file__).parents[2] / "vectors" / "irc" / "msg-join.yaml"
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=30)
# Likelier to be taken than ANYTHING, and made of what could break out.
SLY = st.text(st.sampled_from("ab:,@;=\\ \t\r\n\0\x01\x85\u2028é😀\ud800"), max_size=12)
FIELD = ANYTHING | SLY


@pytest.mark.parametrize("case", yaml.safe_load(VECTORS.read_text())["tests"], ids=lambda case: case["desc"])
def test_msg_join_vectors(case: Any) -> None:
    atoms = case["atoms"]
    text = write.line(atoms["verb"], *atoms.get("params", []), tags=atoms.get("tags"), source=atoms.get("source", ""))
    assert text in case["matches"]


def as_read(text: str) -> Line:
    """What a server makes of `text` on the wire; exactly one line."""
    lines = Buffer().feed(text.encode() + b"\r\n")
    assert len(lines) == 1
    return parse(decode(lines[0]))


@given(FIELD | st.just("PRIVMSG"), st.lists(FIELD, max_size=16), st.dictionaries(FIELD | st.just("+a/b"), FIELD), FIELD)
@settings(deadline=None, max_examples=300)
def test_any_text_in_any_field_is_one_line_or_none(
    command: str, params: list[str], tags: dict[str, str], source: str
) -> None:
    try:
        text = write.line(command, *params, tags=tags, source=source)
    except BadLine:
        return
    assert as_read(text) == Line(tags, source, command.upper(), params)


@given(st.lists(FIELD.filter(lambda text: text and not set(" :\r\n\0\ud800") & set(text)), max_size=14), SLY)
def test_what_fits_is_read_back(middles: list[str], last: str) -> None:
    params = [text for text in middles if text.isascii()] + [last.translate(dict.fromkeys(map(ord, "\r\n\0\ud800")))]
    assert as_read(write.line("X", *params)).params == params


COMMANDS: dict[str, tuple[Callable[..., str], int]] = {
    "join": (write.join, 2),
    "part": (write.part, 2),
    "privmsg": (write.privmsg, 2),
    "notice": (write.notice, 2),
    "nick": (write.nick, 1),
    "user": (write.user, 2),
    "pass_": (write.pass_, 1),
    "cap": (write.cap, 3),
    "authenticate": (write.authenticate, 1),
    "ping": (write.ping, 1),
    "pong": (write.pong, 1),
    "quit": (write.quit, 1),
    "topic": (write.topic, 2),
    "kick": (write.kick, 3),
    "mode": (write.mode, 4),
    "names": (write.names, 1),
    "who": (write.who, 2),
    "whois": (write.whois, 1),
    "away": (write.away, 1),
    "invite": (write.invite, 2),
    "list": (write.list, 1),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_stay_what_they_are(name: str) -> None:
    make, arity = COMMANDS[name]

    @given(st.lists(FIELD | st.just("#c"), min_size=arity, max_size=arity))
    @settings(deadline=None)
    def check(args: list[str]) -> None:
        try:
            text = make(*args)
        except BadLine:
            return
        assert as_read(text).command == name.strip("_").upper()
        assert not set("\r\n\0") & set(text)

    check()


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (write.join("#c"), "JOIN #c"),
        (write.join("#c", "key"), "JOIN #c key"),
        (write.join("#c", ":key"), "JOIN #c ::key"),
        (write.part("#c"), "PART #c"),
        (write.part("#c", "bye bye"), "PART #c :bye bye"),
        (write.privmsg("#c", "hi"), "PRIVMSG #c hi"),
        (write.privmsg("bob", "hi there"), "PRIVMSG bob :hi there"),
        (write.privmsg("bob", ":)"), "PRIVMSG bob ::)"),
        (write.notice("bob", "hi there"), "NOTICE bob :hi there"),
        (write.user("u", "Real Name"), "USER u 0 * :Real Name"),
        (write.pass_("two words"), "PASS :two words"),
        (write.cap("REQ", "batch sasl"), "CAP REQ :batch sasl"),
        (write.pong(""), "PONG :"),
        (write.quit(), "QUIT"),
        (write.topic("#c"), "TOPIC #c"),
        (write.topic("#c", ""), "TOPIC #c :"),
        (write.kick("#c", "bob", "no more"), "KICK #c bob :no more"),
        (write.mode("#c"), "MODE #c"),
        (write.mode("#c", "+ov", "a", "b"), "MODE #c +ov a b"),
        (write.whois("bob"), "WHOIS bob bob"),
        (write.away(), "AWAY"),
        (write.invite("bob", "#c"), "INVITE bob #c"),
        (write.list(), "LIST"),
    ],
)
def test_commands(made: str, line: str) -> None:
    assert made == line


@pytest.mark.parametrize(
    "make",
    [
        lambda: write.privmsg("#x", "hi\rPRIVMSG b :two"),
        lambda: write.privmsg("#x", "hi\nQUIT"),
        lambda: write.privmsg("#x", "a\0b"),
        lambda: write.privmsg("#x", "\ud800"),
        lambda: write.privmsg("#x", ""),
        lambda: write.privmsg("a,b", "hi"),
        lambda: write.privmsg("", "hi"),
        lambda: write.privmsg(":a", "hi"),
        lambda: write.nick("a b c"),
        lambda: write.nick("a\rQUIT"),
        lambda: write.join("0"),
        lambda: write.join("#a,#b"),
        lambda: write.join("#a", "k,l"),
        lambda: write.join("#a", "k l"),
        lambda: write.join("#a b"),
        lambda: write.part("#a,#b", "bye"),
        lambda: write.topic("#a", "one\r\ntwo"),
        lambda: write.kick("#a", "b,c"),
        lambda: write.mode("#a", "+b c"),
        lambda: write.mode("#a", "+b", "x y"),
        lambda: write.user("a b", "real"),
        lambda: write.user("a@b", "real"),
        lambda: write.pass_(""),
        lambda: write.authenticate("a" * 401),
        lambda: write.line("PRIV MSG", "x"),
        lambda: write.line("QUIT\n"),
        lambda: write.line("", "x"),
        lambda: write.line("X", "a", tags={"a b": "c"}),
        lambda: write.line("X", "a", tags={"a": "\0"}),
        lambda: write.line("X", "a", tags={"a": "b" * 5000}),
        lambda: write.line("X", *["a"] * 16),
        lambda: write.line("X", source="a b"),
    ],
)
def test_refused(make: Callable[[], str]) -> None:
    with pytest.raises(BadLine):
        make()
