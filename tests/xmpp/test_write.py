"""Values as stanzas: the examples of XEP-0045, 0203, 0249, 0359 and 0421, and text that means harm."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from transports.archive.values import EVERYTHING
from transports.errors import LegacyError
from transports.events import NO_RANK, Rank
from transports.xmpp import write
from transports.xmpp.address import parse
from transports.xmpp.read import Iq, Message, Presence
from transports.xmpp.xml import MAX_STANZA, Door

DOMAIN = "chat.shakespeare.lit"
ROOM = f"coven@{DOMAIN}"
HAG = "hag66@shakespeare.lit/pda"
DOOR = Door(DOMAIN)
OWNER = Rank("owner", "moderator")
MUC = "<x xmlns='http://jabber.org/protocol/muc'/><x xmlns='http://jabber.org/protocol/muc#user'/>"
JOIN = Presence("", "n13mt3l", HAG, parse(f"{ROOM}/thirdwitch"), True, "", EVERYTHING, "", None)


def same(text: str, example: str) -> None:
    """Both are the same XML, but for white space between elements."""
    assert ET.canonicalize(text, strip_text=True) == ET.canonicalize(example, strip_text=True)


def test_an_existing_occupant() -> None:
    text = DOOR.speaker("presence", ROOM, HAG) + "firstwitch" + write.present(OWNER) + "dd72603d'/></presence>"
    same(
        text,
        f"""<presence from='{ROOM}/firstwitch' to='{HAG}'>
              <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x>
              <occupant-id xmlns='urn:xmpp:occupant-id:0' id='dd72603d'/>
            </presence>""",
    )


def test_the_new_occupant_itself() -> None:
    rank = Rank("member", "participant")
    text = DOOR.speaker("presence", ROOM, HAG) + "thirdwitch" + write.occupant(rank, ("100", "110", "210"), "dd72603d")
    same(
        text,
        f"""<presence from='{ROOM}/thirdwitch' to='{HAG}'>
              <x xmlns='http://jabber.org/protocol/muc#user'>
                <item affiliation='member' role='participant'/>
                <status code='100'/><status code='110'/><status code='210'/>
              </x>
              <occupant-id xmlns='urn:xmpp:occupant-id:0' id='dd72603d'/>
            </presence>""",
    )


@pytest.mark.parametrize(
    ("tail", "inside"),
    [
        (
            write.gone(NO_RANK, ("110",), "gone where the goblins go"),
            "<status>gone where the goblins go</status><x xmlns='http://jabber.org/protocol/muc#user'>"
            "<item affiliation='none' role='none'/><status code='110'/></x>",
        ),
        (
            write.gone(NO_RANK, ("307",), "Avaunt, you cullion!", "Fluellen"),
            "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'>"
            "<actor nick='Fluellen'/><reason>Avaunt, you cullion!</reason></item><status code='307'/></x>",
        ),
        (
            write.gone(Rank("member", "participant"), ("303", "110"), nick="oldhag"),
            "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' nick='oldhag' role='participant'/>"
            "<status code='303'/><status code='110'/></x>",
        ),
    ],
)
def test_an_occupant_who_is_gone(tail: str, inside: str) -> None:
    text = DOOR.speaker("presence", ROOM, HAG) + "thirdwitch" + tail
    same(text, f"<presence from='{ROOM}/thirdwitch' to='{HAG}' type='unavailable'>{inside}</presence>")


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("not-authorized", "auth"),
        ("registration-required", "auth"),
        ("forbidden", "auth"),
        ("conflict", "cancel"),
        ("item-not-found", "cancel"),
        ("jid-malformed", "modify"),
    ],
)
def test_a_refused_join(condition: str, kind: str) -> None:
    same(
        write.refusal(DOOR, "presence", JOIN, LegacyError(condition, "")),
        f"""<presence from='{ROOM}/thirdwitch' id='n13mt3l' to='{HAG}' type='error'>{MUC}
              <error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
            </presence>""",
    )


def test_a_refused_message_has_words() -> None:
    asked = Message("groupchat", "o1", HAG, parse(ROOM), "x", None, "", False, None)
    same(
        write.refusal(DOOR, "message", asked, LegacyError("forbidden", "Not <you>.")),
        f"""<message from='{ROOM}' id='o1' to='{HAG}' type='error'><error type='auth'>
              <forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
              <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Not &lt;you&gt;.</text></error></message>""",
    )


def test_the_answer_to_a_ping() -> None:
    asked = Iq("get", "s2c1", "juliet@capulet.lit/balcony", parse(DOMAIN), None, None)
    same(write.result(DOOR, asked), f"<iq from='{DOMAIN}' to='juliet@capulet.lit/balcony' id='s2c1' type='result'/>")


def test_an_invitation_is_mediated_and_direct() -> None:
    same(
        write.invitation(DOOR, ROOM, "hecate@shakespeare.lit", f"crone1@{DOMAIN}", "Hey Hecate!"),
        f"""<message from='{ROOM}' to='hecate@shakespeare.lit'>
              <x xmlns='http://jabber.org/protocol/muc#user'>
                <invite from='crone1@{DOMAIN}'><reason>Hey Hecate!</reason></invite></x>
              <x xmlns='jabber:x:conference' jid='{ROOM}'/>
            </message>""",
    )


def test_late_words() -> None:
    same(
        write.chat(DOOR, f"bob@{DOMAIN}", "a@b", "1", "x", write.delay(1031699316.0, ROOM)),
        f"""<message from='bob@{DOMAIN}' to='a@b' id='1' type='chat'><body>x</body>
              <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2002-09-10T23:08:36Z'/></message>""",
    )


@pytest.mark.parametrize("when", [1e20, -1e20, float("nan"), float("inf")])
def test_a_time_that_no_calendar_holds(when: float) -> None:
    assert write.stamp(when) == "1970-01-01T00:00:00Z"


HOSTILE = ["<&>'\"]]>", "\x00\x02\x0b\ufffe", "\ud800", "x" * 100_000, "&" * 60_000, "😀" * 30_000, "'/><evil/>"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_a_stanza_or_makes_it_too_large(text: str) -> None:
    asked = Message("chat", text, HAG, parse(ROOM), text, None, "", False, None)
    for stanza in (
        write.chat(DOOR, f"bob@{DOMAIN}", HAG, text, text),
        write.refusal(DOOR, "message", asked, LegacyError("forbidden", text)),
        write.invitation(DOOR, ROOM, HAG, text[:100], text),
        DOOR.speaker("presence", ROOM, HAG) + "x" + write.gone(NO_RANK, (), text),
        DOOR.speaker("presence", ROOM, HAG) + "x" + write.gone(NO_RANK, (), text, text[:100]),
    ):
        assert len(stanza.encode()) <= MAX_STANZA
        assert len(ET.fromstring(stanza)) >= 1


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        (f"{ROOM}/thirdwitch", f"{ROOM}/thirdwitch"),
        (f"{ROOM}/😀", ROOM),  # ejabberd refuses a sender that Unicode 3.2 does not know
        (f"😀@{DOMAIN}/x", DOMAIN),
    ],
)
def test_an_answer_comes_from_an_address_that_every_server_takes(to: str, sender: str) -> None:
    stanza = ET.fromstring(write.result(DOOR, Iq("get", "1", HAG, parse(to), None, None)))
    assert stanza.get("from") == sender


def test_what_is_remembered_does_not_grow_with_what_the_far_side_says() -> None:
    for number in range(600):
        write.present(Rank("none", "participant", f"mark {number}"))
        write.gone(Rank("none", "participant"), ("110",), f"{number} {'x' * 100_000}")
    assert write._present.cache_info().currsize < 50
    assert len(write.gone(Rank("none", "participant"), (), "x" * 100_000)) < 3_000
