"""What an IRC server must not send, by the thousand: hostile nicks, texts and lines, the same on every run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

NAMES = json.loads((Path(__file__).parents[1] / "vectors" / "hostile-names.json").read_text(encoding="utf-8"))

_STRANGE = (
    "😀 👩\u200d👩\u200d👧 שלום שלוםa 1שלום \u202eevil \ufffd soft\u00adhyphen \u00ad zero\u200bwidth \ufeffbom \u00a0nbsp "
    "\u3000wide ﬁ Ａ ＡＢＣ ß ſ K Å İ ı ǅ \u0345 e\u0301 \u0301 각 \u1100\u1161 \ufe0f \U000e0041 \U0001fffe \U0010ffff "
    "\ue000 \u2028 \"'<>&@/ <b>x</b> &amp; ]]> <!-- % %s {0} \\20 \\u{41} \\u{} \\ ../.. @ / * ? , : :x #c @+op ~&@% \x7f "
    "\x02bold \x1b[1m"
)
# Nicks as bytes: what a server could hand on; spaces would only end them.
NICKS: list[bytes] = [
    *{row["nick"].encode("utf-8", "surrogatepass").translate(None, b" \r\n\0!") for row in NAMES},
    *_STRANGE.split(" "),
    *("x" * length for length in (30, 127, 128, 129, 500, 1023, 1024, 3000)),
    *("😀" * length for length in (31, 32, 33, 255)),
    "א" * 40,
    b"",
    b"\xff",
    b"\xc0\xaf",  # overlong /
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",  # a surrogate
    b"\xed\xa0\xbd\xed\xb8\x80",  # CESU-8
    b"\xf4\x90\x80\x80",  # beyond Unicode
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    b"\x01\x02\x03\x04\x05\x06\x08\x0b\x0c\x0e\x1f",
    b"\x80\x81\x9f",
    b"caf\xe9",
    *(bytes([byte]) + b"x" for byte in range(1, 256) if byte not in b"\r\n !"),
]  # type: ignore[list-item]
NICKS = [nick if isinstance(nick, bytes) else nick.encode("utf-8", "surrogatepass") for nick in NICKS]

TEXTS: list[bytes] = [
    *(nick + b" " + nick for nick in NICKS if len(nick) < 1000),
    b"",
    b" ",
    b"\x01",
    b"\x01\x01",
    b"\x01ACTION",
    b"\x01ACTION \x01",
    b"\x01ACTION \x01\x02\xff\x01 more",
    b"\x01VERSION\x01",
    b"\x01PING " + b"9" * 400 + b"\x01",
    b"\x01DCC SEND x 1 2 3\x01",
    b"\x03" * 300,
    b"\x0399,99\x02\x1d\x1f\x11\x16\x04ffffff,000000colour",
    b"\x02a\x02 " * 3_000,
    b"\x02\x1d\x1f\x1e\x11" * 3_000 + b"x",
    b"\x02*a _b_ ~c` d* \x1de\x0f" * 400,
    b"*_~`" * 4_000,
    b"a\rPRIVMSG #c :bare CR",
    b"\0NUL\0",
    b"&" * 400,
    b"<" * 15_000,
    b"x" * 16_000,
    b"x" * 17_000,
    "😀".encode() * 4_000,
    b"\xf0\x9f\x98" * 200,  # emoji cut short
    "e\u0301".encode() * 1_000 + "\u0301".encode() * 1_000,
    "\u202e\u2066\u2069 bidi \u200f".encode(),
    b"</body></message><message from='x@evil' to='carol@localhost'><body>mine",
    b"]]>&#0;&#x1F;&lt;<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"</stream:stream>",
]

WORDS: list[bytes] = (
    b"PRIVMSG NOTICE JOIN PART QUIT NICK MODE TOPIC INVITE KICK WALLOPS PING PONG ERROR CAP AUTHENTICATE BATCH TAGMSG ACCOUNT "
    b"AWAY CHGHOST SETNAME FAIL WARN NOTE ACK REDACT RENAME STARTTLS \xff\xfe 0 00 0000 1e3 -1 privmsg pRiVmSg"
).split(b" ") + [b"%03d" % number for number in range(1, 1000)]

MODES: list[bytes] = [
    b"+" + b"o" * 500,
    b"+ov-ov+bkl",
    b"+ovovov tom tom tom tom",
    b"-+-+-+",
    b"+q tom",
    b"+\xff\xfe tom",
    b"+ooo tom \xf0\x9f\x98\x80 nobody",
    b"+b " + b"*" * 2_000,
    b"+b *!*@[[[[",
    b"",
]

MALFORMED: list[bytes] = [
    b" ", b":", b": ", b"@", b"@ ", b"@a", b"@a=b", b"@a=b ", b"@time= :tom!t@h PRIVMSG #c :x", b"@;;;=;= PING",
    b"@time=9999-99-99T99:99:99Z :tom!t@h PRIVMSG #c :when", b"@time=0001-01-01T00:00:00.000Z :tom!t@h PRIVMSG #c :long ago",
    b"@" + b"a=b;" * 3_000 + b" :tom!t@h PRIVMSG #c :tags", b":tom!t@h", b":tom!t@h ", b":tom!t@h   PRIVMSG   #c   :spaces",
    b"PRIVMSG", b"\x00\x00\x00", b"\xff" * 600, b":\xff PRIVMSG #c :x", b":!@ PRIVMSG #c :x", b":tom!@ PRIVMSG #c :x",
    b":@h PRIVMSG #c :x", b"::: PRIVMSG #c :x", b":tom PRIVMSG #c :no mask", b":tom!t@h!t@h PRIVMSG #c :twice",
    b"PRIVMSG #c :no source", b":tom!t@h PRIVMSG #C :case", b":tom!t@h PRIVMSG @#c :ops", b":tom!t@h PRIVMSG @@@#c :ops",
    b":tom!t@h PRIVMSG #c,#d :two", b":tom!t@h PRIVMSG  :nobody", b":s 353 carol = #c :" + b"a" * 15_000,
    b":s 353 carol = #c :" + b"@+%&~" * 3_000, b":s 353", b":s 353 carol", b":s 353 carol =", b":s 366 carol #never",
    b":s 332 carol #c :\xff\xfe topic", b":s 333 carol #c tom 99999999999999999999", b":s 333 carol #c tom -1",
    b":s 333 carol #c tom x", b":s 333 carol #c tom!t@h 1e9", b":s 005 carol PREFIX=@+", b":s 005 carol PREFIX=(ov @+",
    b":s 005 carol CHANLIMIT=#120 :x", b":s 005 carol =", b":s 005 carol -", b":s 005 carol NICKLEN=-1 TOPICLEN=x MODES=",
    b":s 005 carol CHANMODES=,,,,,,,", b":s 005 carol STATUSMSG=\xff :x", b":s 396 carol", b":s 301 carol tom",
    b":s 470 carol #c", b":s 433", b":s 433 carol carol :in use", b":s 474 carol #c :banned", b":s 401 carol",
]  # fmt: skip


def lines(count: int, seed: int = 1459) -> Iterator[bytes]:
    """`count` lines about #c and people in it; none that puts carol, whose connection it is, out of #c or ends it."""
    chance = random.Random(seed)
    here: list[bytes] = [b"tom"]
    makers = [_said, _said, _said, _joined, _renamed, _left, _odd, _arity]
    for number in range(count):
        yield chance.choice(makers)(chance, here, number)


def _source(nick: bytes) -> bytes:
    return b":" + nick + b"!u@h "


def _said(chance: random.Random, here: list[bytes], number: int) -> bytes:
    nick = chance.choice(NICKS) if chance.random() < 0.5 else chance.choice(here)
    target = chance.choice([b"#c", b"#c", b"#C", b"carol", b"@#c", b"#elsewhere"])
    command = chance.choice([b"PRIVMSG ", b"PRIVMSG ", b"NOTICE "])
    return _source(nick) + command + target + b" :" + chance.choice(TEXTS)


def _joined(chance: random.Random, here: list[bytes], number: int) -> bytes:
    nick = chance.choice(NICKS)
    here.append(nick)
    return _source(nick) + b"JOIN #c"


def _renamed(chance: random.Random, here: list[bytes], number: int) -> bytes:
    old, new = chance.choice(here), chance.choice(NICKS)
    here.append(new)
    return _source(old) + b"NICK :" + new


def _left(chance: random.Random, here: list[bytes], number: int) -> bytes:
    nick, why = chance.choice(here), chance.choice(TEXTS)
    return chance.choice(
        [
            _source(nick) + b"PART #c :" + why,
            _source(nick) + b"QUIT :" + why,
            _source(chance.choice(NICKS)) + b"KICK #c " + (nick.partition(b":")[2] or nick or b"x") + b" :" + why,
        ]
    )


def _odd(chance: random.Random, here: list[bytes], number: int) -> bytes:
    source = _source(chance.choice(NICKS))
    return chance.choice(
        [
            chance.choice(MALFORMED),
            source + b"MODE #c " + chance.choice(MODES),
            source + b"TOPIC #c :" + chance.choice(TEXTS),
            source + b"INVITE carol #" + chance.choice(NICKS),
            b":s 301 carol " + chance.choice(NICKS) + b" :" + chance.choice(TEXTS),
            b":s 404 carol #c :" + chance.choice(TEXTS),
            b":s %03d carol " % chance.randrange(200, 1000) + chance.choice(TEXTS),
        ]
    )


def _arity(chance: random.Random, here: list[bytes], number: int) -> bytes:
    """Any command or numeric with any number of parameters; not ours to leave, and not about carol's being in #c."""
    words = [chance.choice([b"x", b"tom", b"#x", b"*", b"=", b"+o", b"", b"0"]) for _ in range(chance.randrange(6))]
    end = chance.choice([b"", b" :", b" :x y"])
    return chance.choice([b":s ", b":tom!t@h ", b""]) + WORDS[number % len(WORDS)] + b" " + b" ".join(words) + end
