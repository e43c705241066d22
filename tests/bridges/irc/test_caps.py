"""Registration, as scenes: what the server says, what we answer."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.bridges.irc.caps import Registration, closing_error
from transports.bridges.irc.read import parse
from transports.bridges.irc.sasl import Credentials

#: A password that has to be taken.
ACCOUNT = Credentials("account", "secret")
WANTED = frozenset({"multi-prefix", "server-time", "echo-message"})


def registration(**options: Any) -> Registration:
    return Registration(WANTED, "me", "user", "A Person", **options)


def hear(it: Registration, *lines: str) -> list[str]:
    """What we send while the server says `lines`."""
    return [answer for line in lines for answer in it.feed(parse(line))]


def test_the_first_lines() -> None:
    assert registration().start() == ["CAP LS 302", "NICK me", "USER user 0 * :A Person"]
    assert registration(password="s e").start()[1] == "PASS :s e"


def test_capabilities_in_several_lines() -> None:
    it = registration()
    it.start()
    assert hear(it, ":s CAP * LS * :multi-prefix sts=port=6697", ":s CAP * LS * :x/y") == []
    assert hear(it, ":s CAP * LS :server-time away-notify") == ["CAP REQ :multi-prefix server-time"]
    assert hear(it, ":s CAP me ACK :multi-prefix server-time ") == ["CAP END"]
    assert hear(it, ":s 001 Me :Welcome") == []
    assert (it.done, it.failed, it.nick, it.caps) == (True, None, "Me", {"multi-prefix", "server-time"})


@pytest.mark.parametrize("line", [":s 001", ":s 001 ::x", ":s 001 :a b", ":s 001 a,b", ":s 001 a!b@c", f":s 001 {'x' * 200}"])
def test_nobody_is_greeted_as_what_nobody_could_be_called(line: str) -> None:
    it = registration()
    it.start()
    assert hear(it, line) == [] and it.done and it.nick == "me"


def test_nothing_wanted_is_offered() -> None:
    it = registration()
    assert hear(it, ":s CAP * LS :away-notify") == ["CAP END"]
    assert hear(it, ":s CAP * LS :multi-prefix") == []
    assert hear(registration(), ":s CAP * LS :") == ["CAP END"]


def test_a_refused_request_is_repeated_one_by_one() -> None:
    it = registration()
    hear(it, ":s CAP * LS :multi-prefix server-time echo-message")
    assert hear(it, ":s CAP me NAK :echo-message multi-prefix server-time") == [
        "CAP REQ echo-message",
        "CAP REQ multi-prefix",
        "CAP REQ server-time",
    ]
    assert hear(it, ":s CAP me ACK :echo-message", ":s CAP me NAK :multi-prefix") == []
    assert hear(it, ":s CAP me ACK :server-time") == ["CAP END"]
    assert it.caps == {"echo-message", "server-time"}


def test_an_acknowledgement_in_two_lines() -> None:
    it = registration()
    hear(it, ":s CAP * LS :multi-prefix server-time")
    assert hear(it, ":s CAP me ACK :multi-prefix") == []
    assert hear(it, ":s CAP me ACK :server-time") == ["CAP END"]


def test_many_capabilities_are_asked_for_in_several_requests() -> None:
    names = {f"example.org/capability-number-{number}" for number in range(40)}
    it = Registration(frozenset(names), "me", "user", "A Person")
    requests = hear(it, *(f":s CAP * LS * :{name}" for name in names), ":s CAP * LS :end")
    assert len(requests) > 2
    assert all(len(request) < 450 for request in requests)
    acks = [":s CAP me ACK :" + request.removeprefix("CAP REQ :") for request in requests]
    assert hear(it, *acks) == ["CAP END"]
    assert it.caps == names


def test_a_server_cannot_enable_what_was_not_wanted() -> None:
    it = registration()
    hear(it, ":s CAP * LS :multi-prefix", ":s CAP me ACK :multi-prefix evil")
    assert it.caps == {"multi-prefix"}


@pytest.mark.parametrize("refusal", [":s 421 me CAP :Unknown command", ":s 451 * CAP :You have not registered"])
def test_a_server_without_capabilities(refusal: str) -> None:
    it = registration()
    assert hear(it, refusal, ":s 001 me :Welcome") == []
    assert (it.done, it.failed, it.caps) == (True, None, frozenset())


def test_a_server_that_knows_only_some_subcommands() -> None:
    it = registration()
    assert hear(it, ":s 410 * LS :Invalid CAP subcommand", ":s 001 me :Welcome") == ["CAP END"]
    assert it.done


def test_a_server_that_says_nothing_of_capabilities() -> None:
    it = registration()
    assert hear(it, ":s NOTICE * :*** Looking up", ":s 001 me :Welcome") == []
    assert it.done


def test_capabilities_come_and_go_later() -> None:
    it = registration(sasl=Credentials("account", "secret", required=False))
    hear(it, ":s CAP * LS :multi-prefix", ":s CAP me ACK :multi-prefix", ":s 001 me :Welcome")
    stays = it.negotiation
    assert stays.later(["me", "NEW", "echo-message=x away-notify sasl"]) == ["CAP REQ echo-message"]
    assert stays.later(["me", "NEW", "echo-message=x"]) == []  # it is asked for already
    assert stays.later(["me", "ACK", "echo-message"]) == stays.later(["me", "DEL", "multi-prefix"]) == []
    assert (stays.enabled, stays.value("echo-message")) == ({"echo-message"}, "x")
    assert stays.later(["me", "LS", "server-time"]) == stays.later(["me", "NAK", "x"]) == stays.later(["me"]) == []
    assert hear(it, ":s CAP me NEW :server-time", "PING x") == []


# SASL


def with_sasl(mechanisms: str = "sasl=PLAIN,EXTERNAL", **options: Any) -> tuple[Registration, list[str]]:
    it = registration(sasl=ACCOUNT, **options)
    return it, it.start() + hear(it, f":s CAP * LS :multi-prefix {mechanisms}")


def test_sasl_plain() -> None:
    it, sent = with_sasl()
    assert sent[-1] == "CAP REQ :multi-prefix sasl"
    assert hear(it, ":s CAP me ACK :multi-prefix sasl") == ["AUTHENTICATE PLAIN"]
    assert hear(it, "AUTHENTICATE +") == ["AUTHENTICATE AGFjY291bnQAc2VjcmV0"]
    assert hear(it, "AUTHENTICATE +") == []
    assert hear(it, ":s 900 me me!u@h account :You are now logged in", ":s 903 me :SASL successful") == ["CAP END"]
    assert hear(it, ":s 001 me :Welcome") == []
    assert it.done
    assert it.failed is None


@pytest.mark.parametrize("length", [10, 290, 291, 292, 600, 1000])
def test_sasl_payloads_come_in_pieces_of_400(length: int) -> None:
    it = registration(sasl=Credentials("account", "p" * length))
    hear(it, ":s CAP * LS :sasl", ":s CAP me ACK :sasl")
    pieces = [line.removeprefix("AUTHENTICATE ") for line in hear(it, "AUTHENTICATE +")]
    assert [len(piece) for piece in pieces[:-1]] == [400] * (len(pieces) - 1)
    assert len(pieces[-1]) < 400
    assert b64decode("".join(pieces).removesuffix("+")).decode() == "\0account\0" + "p" * length


@pytest.mark.parametrize("numeric", ["902", "904", "905", "906", "908"])
def test_sasl_failure_ends_it(numeric: str) -> None:
    it, _ = with_sasl()
    hear(it, ":s CAP me ACK :multi-prefix sasl", "AUTHENTICATE +")
    assert hear(it, f":s {numeric} me :SASL authentication failed", ":s 001 me :Welcome") == []
    assert it.failed is not None
    assert it.failed.condition == "not-authorized"
    assert "secret" not in it.failed.text
    assert not it.done


@pytest.mark.parametrize(
    "lines",
    [
        [":s CAP * LS :multi-prefix"],
        [":s CAP * LS :sasl=EXTERNAL,ECDSA-NIST256P-CHALLENGE"],
        [":s CAP * LS :sasl", ":s CAP me NAK :sasl"],  # biboumi hangs here
        [
            ":s CAP * LS :sasl multi-prefix",
            ":s CAP me NAK :multi-prefix sasl",
            ":s CAP me NAK :multi-prefix",
            ":s CAP me NAK :sasl",
        ],
        [":s CAP * LS :sasl", ":s CAP me ACK :sasl", ":s 421 me AUTHENTICATE :Unknown command"],
        [":s 421 me CAP :Unknown command"],
        [":s 410 * LS :Invalid CAP subcommand"],
        [":s 001 me :Welcome"],
    ],
)
def test_no_login_no_connection(lines: list[str]) -> None:
    it = registration(sasl=ACCOUNT)
    hear(it, *lines)
    assert it.failed is not None
    assert it.failed.condition == "not-authorized"
    assert not it.done


def test_sasl_is_not_asked_for_where_no_mechanism_is_ours() -> None:
    it = registration(sasl=ACCOUNT._replace(required=False))
    assert hear(it, ":s CAP * LS :sasl=EXTERNAL multi-prefix") == ["CAP REQ multi-prefix"]
    assert it.warning is not None and it.failed is None
    assert hear(it, ":s CAP me ACK :multi-prefix") == ["CAP END"]


def test_sasl_is_not_asked_for_without_an_account() -> None:
    it = Registration(WANTED | {"sasl"}, "me", "user", "A Person")
    assert hear(it, ":s CAP * LS :sasl multi-prefix") == ["CAP REQ multi-prefix"]


@pytest.mark.parametrize("secret", [{"password": "secret"}, {"sasl": ACCOUNT}])
def test_no_password_without_tls(secret: dict[str, Any]) -> None:
    it = registration(tls=False, **secret)
    assert it.start() == []
    assert it.failed is not None
    assert it.failed.condition == "not-authorized"
    assert registration(tls=False, allow_plain=True, **secret).start()
    assert registration(tls=False).start()


@pytest.mark.parametrize(
    "options",
    [{"password": "a\nQUIT"}, {"sasl": Credentials("a\0b", "c")}, {"sasl": Credentials("", "a")}],
)
def test_what_cannot_be_sent_is_an_error(options: dict[str, Any]) -> None:
    it = registration(**options)
    assert it.start() == []
    assert it.failed is not None
    assert it.failed.condition == "not-acceptable"


def test_nothing_is_authenticated_before_we_asked() -> None:
    it = registration(sasl=ACCOUNT)
    assert hear(it, "AUTHENTICATE +", ":s CAP * LS :sasl", "AUTHENTICATE +") == ["CAP REQ sasl"]


@pytest.mark.parametrize(
    "lines",
    [
        [":s CAP * LS :multi-prefix", ":s CAP me ACK :multi-prefix"],
        [":s CAP * LS :multi-prefix sasl", ":s CAP me NAK :x", ":s CAP me ACK :multi-prefix", ":s CAP me NAK :sasl"],
        [":s CAP * LS :sasl", ":s CAP me ACK :sasl", ":s 904 me :No"],
        [":s CAP * LS :sasl", ":s CAP me ACK :sasl", "AUTHENTICATE +", ":s 904 me :No"],
        [":s CAP * LS :sasl", ":s CAP me ACK :sasl", ":s CAP me DEL :sasl"],
        [":s CAP * LS :sasl", ":s CAP me ACK :sasl", ":s 421 me AUTHENTICATE :Unknown command"],
        [":s 421 me CAP :Unknown command"],
    ],
)
def test_a_login_that_is_not_required_is_done_without_and_told(lines: list[str]) -> None:
    it = registration(sasl=Credentials("account", "secret", required=False))
    it.start()
    sent = hear(it, *lines)
    assert "421 me CAP" in lines[0] or sent[-1] == "CAP END"
    hear(it, ":s 001 me :Welcome")
    assert it.done and it.failed is None
    assert it.warning is not None and it.warning.condition == "not-authorized"


def test_a_server_that_cheats_is_left_even_where_no_login_is_required() -> None:
    it = registration(sasl=Credentials("account", "secret", required=False), nonce="n0nce")
    hear(it, ":s CAP * LS :sasl=SCRAM-SHA-256,PLAIN", ":s CAP me ACK :sasl", "AUTHENTICATE +")
    assert hear(it, ":s 903 me :Come in") == ["AUTHENTICATE *"]  # it has not proved anything
    assert it.failed is not None and not it.done


def test_the_account_is_the_servers_word() -> None:
    it, _ = with_sasl()
    hear(it, ":s CAP me ACK :multi-prefix sasl", "AUTHENTICATE +", ":s 900 me me!u@h Account :You are now logged in")
    assert it.account == "Account"


# Who we are is said when the server has had its say on TLS (STS), and after whom we speak for (WebIRC)


def test_nothing_is_said_without_tls_before_the_server_has_spoken() -> None:
    it = registration(tls=False, careful=True)
    assert it.start() == ["CAP LS 302"]
    assert hear(it, ":s NOTICE * :Looking you up", ":s CAP * LS * :multi-prefix") == []
    assert hear(it, ":s CAP * LS :sts=duration=100") == ["NICK me", "USER user 0 * :A Person", "CAP REQ multi-prefix"]
    assert it.proceed() == []


@pytest.mark.parametrize("value", ["port=6697", "port=6697,duration=60", "duration=1,x,port=6697", "port=6697,preload"])
def test_a_server_that_wants_tls_hears_nothing_else(value: str) -> None:
    it = registration(tls=False, careful=True)
    it.start()
    assert hear(it, f":s CAP * LS :multi-prefix sts={value}", ":s CAP me ACK :multi-prefix") == []
    assert it.upgrade == 6697


@pytest.mark.parametrize("value", ["port=0", "port=70000", "port=x", "duration=60", "port", ""])
def test_a_policy_without_a_port_is_none(value: str) -> None:
    it = registration(tls=False, careful=True)
    it.start()
    assert hear(it, f":s CAP * LS :sts={value}")[0] == "NICK me"
    assert it.upgrade == 0


@pytest.mark.parametrize("refusal", [":s 421 me CAP :Unknown command", ":s 451 * CAP :You have not registered"])
def test_a_careful_greeting_goes_on_where_there_are_no_capabilities(refusal: str) -> None:
    it = registration(tls=False, careful=True)
    it.start()
    assert hear(it, refusal) == ["NICK me", "USER user 0 * :A Person"]


def test_a_careful_greeting_does_not_wait_for_ever() -> None:
    it = registration(tls=False, careful=True)
    it.start()
    assert it.proceed() == ["NICK me", "USER user 0 * :A Person"]
    assert hear(it, ":s 001 me :Welcome") == []
    assert it.done


def test_over_tls_a_policy_is_remembered_and_nothing_waits() -> None:
    it = registration(tls=True, careful=True)
    assert len(it.start()) == 3
    hear(it, ":s CAP * LS :sts=duration=100,port=6697")
    assert (it.sts, it.upgrade) == ("duration=100,port=6697", 0)


def test_whom_we_speak_for_comes_first() -> None:
    it = registration(webirc=("pw", "gw.example.org", "x1.example.org", "fd00::1"), password="secret")
    assert it.start()[:3] == ["WEBIRC pw gw.example.org x1.example.org fd00::1", "CAP LS 302", "PASS secret"]
    assert registration(webirc=("pw", "g", "h", "::1")).start()[0] == "WEBIRC pw g h 0::1"
    assert registration(webirc=("pw", "g", "h", "::1"), tls=False).start() == []


# Nicks, and being turned away


def test_a_nick_in_use_is_not_the_end() -> None:
    it = registration()
    hear(it, ":s CAP * LS :multi-prefix", ":s CAP me ACK :multi-prefix")
    assert hear(it, ":s 433 * me :Nickname is already in use") == []
    assert it.nick_refused is not None
    assert it.nick_refused.condition == "conflict"
    assert it.retry("me2") == ["NICK me2"]
    assert (it.nick_refused, it.failed) == (None, None)
    hear(it, ":s 001 me2 :Welcome")
    assert (it.done, it.nick) == (True, "me2")


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        (":s 431 * :No nickname given", "not-acceptable"),
        (":s 432 * m\x07 :Erroneous nickname", "not-acceptable"),
        (":s 433 * me :In use", "conflict"),
        (":s 436 * me :Collision", "conflict"),
        (":s 437 * me :Temporarily unavailable", "conflict"),
    ],
)
def test_refused_nicks(line: str, condition: str) -> None:
    it = registration()
    hear(it, line)
    assert it.nick_refused is not None
    assert it.nick_refused.condition == condition
    assert it.failed is None


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        (":s 464 me :Password incorrect", "not-authorized"),
        (":s 465 me :You are banned", "forbidden"),
        (":s 463 me :Your host is not among the privileged", "forbidden"),
        (":s 468 me :Your username is invalid", "not-acceptable"),
        ("ERROR :Closing Link: h (K-Lined)", "forbidden"),
        ("ERROR :Closing link: (u@h) [Z-lined: spam]", "forbidden"),
        ("ERROR :Trying to reconnect too fast.", "resource-constraint"),
        ("ERROR :Closing Link: too many connections from your IP", "resource-constraint"),
        ("ERROR :Closing Link: h (Connection timed out)", "service-unavailable"),
        ("ERROR", "service-unavailable"),
    ],
)
def test_turned_away(line: str, condition: str) -> None:
    it = registration()
    assert hear(it, line) == []
    assert it.failed is not None
    assert it.failed.condition == condition


def test_pings_are_answered_meanwhile() -> None:
    assert hear(registration(), "PING :a b", "PING x", "PING") == ["PONG :a b", "PONG x", "PONG :"]
    assert hear(registration(), "PING :" + "x" * 501) == []


def test_closing_words_are_bounded() -> None:
    assert len(closing_error("x" * 10_000).text) < 500


COMMANDS = ["CAP", "AUTHENTICATE", "001", "410", "421", "433", "451", "903", "904", "PING", "ERROR", "NOTICE"]
WORDS = st.sampled_from(
    ["me", "*", "LS", "ACK", "NAK", "NEW", "DEL", "+", "sasl", "multi-prefix", "-sasl", "CAP", "", "=", "a b"]
)


# What a Buffer lets through.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=5)


#: How one may want to log in.
LOGINS = st.none() | st.builds(Credentials, st.just("account"), st.just("canary"), st.booleans(), st.booleans())


@given(
    st.lists(st.tuples(st.sampled_from(COMMANDS), st.lists(WORDS | TEXT, max_size=4)), max_size=12),
    LOGINS,
    st.sampled_from(["", "n0nce"]),
    st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_no_order_of_lines_breaks_it(
    lines: list[tuple[str, list[str]]], sasl: Credentials | None, nonce: str, careful: bool
) -> None:
    it = registration(sasl=sasl, nonce=nonce, careful=careful, tls=not careful, allow_plain=True)
    sent = it.start()
    for command, params in lines:
        sent += it.feed(parse(f"{command} x")._replace(params=params))
    assert sum(line == "CAP END" for line in sent) <= 1
    assert sum(line == "AUTHENTICATE PLAIN" for line in sent) <= 1
    assert sum(line.startswith("NICK") for line in sent) <= 1
    if sasl is not None and sasl.required and it.done:
        assert any(command in ("903", "907") for command, _ in lines)
