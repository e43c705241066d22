"""The storm of the scenarios without servers: every stanza that comes of it is one that every server takes."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridges.irc.scene import Scene
from tests.far import CLIENT, Counted, Nobody
from tests.scenarios import storm
from transports.bridges.irc import bridge, inbound
from transports.bridges.irc.read import Buffer, decode
from transports.config_models import Irc
from transports.events import Command
from transports.gateway import Wing
from transports.gateway_seams import Users
from transports.ports import Outlet
from transports.xmpp import read, services
from transports.xmpp.address import nodeprep, parse, resourceprep
from transports.xmpp.xml import MAX_STANZA

DOMAIN = "irc.example.org"
CAROL = "carol@example.org/desk"
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=40)


class Inside:
    """Carol's session: a `Network` whose lines come from the test."""

    idle = False

    def __init__(self, outlet: Outlet) -> None:
        self.scene = Scene(ready=False)
        self.scene.net.tell = outlet.tell
        self.scene.net.registered("carol")
        self.scene.feed(":s 005 carol CHANTYPES=# PREFIX=(ov)@+ :x", ":s 376 carol :End")

    def do(self, command: Command) -> None:
        self.scene.net.do(command, self.scene.now)

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, reason: str) -> None: ...


class Bridge(bridge.IrcBridge):
    def open(self, user: str, outlet: Outlet) -> Inside:  # type: ignore[override]
        self.inside = Inside(outlet)
        return self.inside


class House:
    """A wing for IRC without sockets; carol is in #c with tom."""

    def __init__(self) -> None:
        self.out: list[str] = []
        settings_ = Irc.model_validate({"domain": DOMAIN})
        there = Bridge(settings_, b"k" * 16, Nobody())
        self.wing = Wing(
            there,
            Users(frozenset({"example.org"})),
            Counted(),
            self.out.append,
            self.out.extend,
            services.TABLE,  # type: ignore[arg-type]
        )
        muc = "<x xmlns='http://jabber.org/protocol/muc'/>"
        join = f"<presence from='{CAROL}' to='#c%irc.test@{DOMAIN}/carol'>{muc}</presence>"
        self.wing.presence(read.presence(ET.fromstring(f"<stream xmlns='{CLIENT}'>{join}</stream>")[0]))
        self.scene = there.inside.scene
        self.raw(b":carol!u@h JOIN #c", b":s 353 carol = #c :carol @tom", b":s 366 carol #c :End")

    def raw(self, *lines: bytes) -> None:
        """Lines as the wire would take them."""
        for raw in Buffer().feed(b"\r\n".join(lines) + b"\r\n"):
            with contextlib.suppress(ValueError, IndexError):
                inbound.feed(self.scene.net, decode(raw), self.scene.now)
        inbound.settle(self.scene.net)


def check(stanza: str) -> None:
    """Well-formed, not too large, and from an address of ours that no server's stringprep would touch."""
    assert len(stanza.encode()) <= MAX_STANZA
    element = ET.fromstring(stanza)
    sender = parse(element.get("from", ""))
    assert sender.domain == DOMAIN and sender.full == element.get("from")
    assert nodeprep(sender.local) == sender.local if sender.local else True
    assert resourceprep(sender.resource) == sender.resource if sender.resource else True
    assert element.get("to", "").partition("/")[0] == "carol@example.org"


def test_ten_thousand_hostile_lines_make_nothing_but_good_stanzas() -> None:
    house = House()
    seen = set()
    for line in storm.lines(10_000):
        house.raw(line)
    house.raw(b":tom!t@h JOIN #c", b":tom!t@h PRIVMSG #c :after the storm")
    assert "after the storm" in house.out[-1]
    for text in house.out:
        for stanza in ET.fromstring(f"<all>{text}</all>"):
            seen.add(stanza.tag)
        if text.count("<presence ") <= 1:
            check(text)
    assert len(house.out) > 5_000 and seen == {"presence", "message"}


@settings(max_examples=200, deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_nick_and_any_text_make_good_stanzas(nick: str, other: str, text: str) -> None:
    house = House()
    house.out.clear()
    raw, changed, words = (part.encode("utf-8", "surrogatepass") for part in (nick, other, text))
    source = b":" + raw + b"!u@h "
    house.raw(source + b"JOIN #c", source + b"PRIVMSG #c :" + words, source + b"PRIVMSG carol :" + words)
    house.raw(
        source + b"NICK :" + changed, source + b"TOPIC #c :" + words, b":tom!t@h KICK #c " + changed + b" :" + words
    )
    house.raw(source + b"INVITE carol #" + changed, b":s 301 carol " + raw + b" :" + words, source + b"QUIT :" + words)
    for stanza in house.out:
        check(stanza)
