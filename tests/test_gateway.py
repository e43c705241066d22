"""The gate and the ways behind it: who may, what is answered and how, what is never answered."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.far import DOMAIN, House, condition, words
from transports.events import NO_RANK, Address, Entered, Rank, Say, Subject
from transports.gateway_seams import Ids, Users
from transports.xmpp.address import JidError
from transports.xmpp.read import message as read_message

DESK = "ada@example.org/desk"
JID = f"#c@{DOMAIN}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
ERROR = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
SERVED = [
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    "<query xmlns='jabber:iq:version'/>",
    "<ping xmlns='urn:xmpp:ping'/>",
    "<time xmlns='urn:xmpp:time'/>",
]
PLACES = ["", "desk", "#c", "#never-seen", "bob", "#c/bob", "bob/phone"]


def jid(place: str) -> str:
    local, slash, resource = place.partition("/")
    return f"{local}@{DOMAIN}{slash}{resource}" if local else DOMAIN


@pytest.fixture
def house() -> House:
    return House()


# Who may --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "sender", "may"),
    [
        (["example.org"], "ada@example.org", True),
        (["example.org"], "example.org", True),
        (["example.org"], "ada@sub.example.org", False),
        (["example.org"], "ada@example.org.evil.net", False),
        (["example.org"], "example.org@evil.net", False),
        (["ada@example.org"], "ada@example.org", True),
        (["ada@example.org"], "eve@example.org", False),
        (["*"], "anybody@evil.net", True),
        (["*@example.org"], "ada@example.org", False),
        ([], "ada@example.org", False),
        (["example.org"], "", False),
    ],
)
def test_who_may_use_it(names: list[str], sender: str, may: bool) -> None:
    assert (sender in Users(frozenset(names))) is may


HANDLERS = [
    *[
        f"<iq from='{{from}}' to='{jid(place)}' id='1' type='get'>{payload}</iq>"
        for place in PLACES
        for payload in SERVED
    ],
    f"<iq from='{{from}}' to='{JID}' id='1' type='set'><x xmlns='unknown'/></iq>",
    f"<iq from='{{from}}' to='{JID}' id='1' type='get'/>",
    f"<presence from='{{from}}' to='{JID}/ada' id='1'>{MUC}</presence>",
    f"<presence from='{{from}}' to='bob@{DOMAIN}' id='1' type='subscribe'/>",
    f"<message from='{{from}}' to='{JID}' id='1' type='groupchat'><body>x</body></message>",
    f"<message from='{{from}}' to='{JID}/bob' id='1' type='chat'><body>x</body></message>",
    f"<message from='{{from}}' to='bob@{DOMAIN}' id='1' type='chat'><body>x</body></message>",
    f"<message from='{{from}}' to='{DOMAIN}' id='1'><body>x</body></message>",
    "<message from='{from}' to='" + JID + "' id='1'><body>x</body><encrypted xmlns='urn:xmpp:omemo:2'/></message>",
]


@pytest.mark.parametrize("stanza", HANDLERS)
@pytest.mark.parametrize("sender", ["mallory@foreign.example/x", "eve@sub.example.org/x", "foreign.example"])
def test_whoever_may_not_is_told_so_and_nothing_happens(house: House, stanza: str, sender: str) -> None:
    house.stanza(stanza.replace("{from}", sender))
    (answer,) = house.sent()
    assert (answer.get("type"), answer.get("to"), answer.get("id")) == ("error", sender, "1")
    assert condition(answer) == "forbidden" and "ask" in words(answer)
    assert house.wing.visitors == {} and house.bridge.sessions == {}


@pytest.mark.parametrize("stanza", HANDLERS)
def test_whoever_may_is_not_forbidden(house: House, stanza: str) -> None:
    house.stanza(stanza.replace("{from}", DESK))
    assert all(condition(answer) != "forbidden" for answer in house.sent())


@pytest.mark.parametrize(
    "stanza",
    [
        f"<presence from='mallory@foreign.example/x' to='{JID}/ada' type='unavailable'/>",
        f"<presence from='mallory@foreign.example/x' to='bob@{DOMAIN}' type='probe'/>",
        f"<message from='mallory@foreign.example/x' to='{JID}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
    ],
)
def test_what_asks_for_no_answer_gets_none(house: House, stanza: str) -> None:
    house.stanza(stanza)
    assert house.sent() == []


# Answers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize("payload", [*SERVED, "<x xmlns='unknown'/>", "<query xmlns='jabber:iq:private'/>", ""])
def test_an_iq_is_always_answered_once_from_where_it_was_sent_to(
    house: House, place: str, kind: str, payload: str
) -> None:
    house.stanza(f"<iq from='{DESK}' to='{jid(place)}' id='q&lt;1' type='{kind}'>{payload}</iq>")
    (answer,) = house.sent()
    assert (answer.tag, answer.get("from"), answer.get("to"), answer.get("id")) == ("iq", jid(place), DESK, "q<1")
    assert answer.get("type") in ("result", "error")
    if payload not in SERVED or kind == "set":
        assert condition(answer) in ("service-unavailable", "feature-not-implemented", "bad-request")


@pytest.mark.parametrize("kind", ["", "type='nonsense'"])
def test_an_iq_of_no_known_type_is_a_bad_request(house: House, kind: str) -> None:
    house.stanza(f"<iq from='{DESK}' to='{DOMAIN}' id='1' {kind}><ping xmlns='urn:xmpp:ping'/></iq>")
    assert condition(house.sent()[0]) == "bad-request"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "stanza",
    [
        "<iq from='{from}' to='{to}' id='1' type='error'>" + ERROR + "</iq>",
        "<iq from='{from}' to='{to}' id='1' type='result'/>",
        "<message from='{from}' to='{to}' id='1' type='error'><body>x</body>" + ERROR + "</message>",
        "<message from='{from}' to='{to}' id='1' type='error'/>",
        "<presence from='{from}' to='{to}' id='1' type='error'>" + ERROR + "</presence>",
    ],
)
@pytest.mark.parametrize("sender", [DESK, "mallory@foreign.example/x"])
def test_errors_and_results_are_never_answered(house: House, place: str, stanza: str, sender: str) -> None:
    house.stanza(stanza.replace("{from}", sender).replace("{to}", jid(place)))
    assert house.sent() == []


@pytest.mark.parametrize("tag", ["iq type='get'", "message", "presence"])
def test_a_name_that_means_nothing_is_said_to_mean_nothing(house: House, tag: str) -> None:
    inside = {
        "iq": "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "message": "<body>x</body>",
        "presence": MUC,
    }
    name = tag.partition(" ")[0]
    house.stanza(f"<{tag} from='{DESK}' to='no!such@{DOMAIN}/x' id='1'>{inside[name]}</{name}>")
    (answer,) = house.sent()
    assert condition(answer) == "jid-malformed" and words(answer)


@pytest.mark.parametrize("to", ["@far.example.org", "a b@far.example.org", "x@", "", "a@far.example.org/", "\u0000"])
def test_what_is_no_jid_is_none(to: str) -> None:
    stanza = ET.Element("message", {"to": to, "from": DESK})
    with pytest.raises(JidError):
        read_message(stanza)


# Messages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "kind", "wanted"),
    [
        (DOMAIN, "groupchat", "service-unavailable"),
        (f"desk@{DOMAIN}", "groupchat", "service-unavailable"),
        (JID, "chat", "not-acceptable"),
        (JID, "normal", "not-acceptable"),
        (f"{JID}/bob", "groupchat", "bad-request"),
        (f"bob@{DOMAIN}", "groupchat", "bad-request"),
        (JID, "groupchat", "not-acceptable"),
        (f"{JID}/bob", "chat", "not-acceptable"),
    ],
)
def test_words_that_go_nowhere(house: House, to: str, kind: str, wanted: str) -> None:
    house.stanza(f"<message from='{DESK}' to='{to}' type='{kind}' id='1'><body>x</body></message>")
    (answer,) = house.sent()
    assert (condition(answer), answer.get("from")) == (wanted, to) and words(answer)


@pytest.mark.parametrize("kind", ["chat", "groupchat", "normal"])
@pytest.mark.parametrize(
    "inside",
    [
        "<active xmlns='http://jabber.org/protocol/chatstates'/>",
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
        "",
    ],
)
def test_what_has_no_words_is_dropped_in_silence(house: House, kind: str, inside: str) -> None:
    house.stanza(f"<message from='{DESK}' to='bob@{DOMAIN}' type='{kind}'>{inside}</message>")
    assert house.sent() == [] and house.took() == []


@pytest.mark.parametrize(
    "element",
    [
        "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/>",
        "<openpgp xmlns='urn:xmpp:openpgp:0'/>",
        "<x xmlns='jabber:x:encrypted'/>",
    ],
)
@pytest.mark.parametrize("kind", ["chat", "groupchat"])
def test_what_is_encrypted_is_refused_with_words(house: House, element: str, kind: str) -> None:
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada'>{MUC}</presence>")
    house.bridge.sessions["ada@example.org"].outlet.tell(
        Entered(Address("room", "#c"), "ada", {"ada": Rank("none", "participant")}, Subject(""))
    )
    house.took()
    house.out.clear()
    to = JID if kind == "groupchat" else f"bob@{DOMAIN}"
    house.stanza(f"<message from='{DESK}' to='{to}' type='{kind}'><body>I sent you …</body>{element}</message>")
    (answer,) = house.sent()
    assert condition(answer) == "not-acceptable" and "encrypt" in words(answer)
    assert house.took() == []


@pytest.mark.parametrize("kind", ["chat", "groupchat"])
def test_what_is_too_long_is_refused_with_its_limit(house: House, kind: str) -> None:
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada'>{MUC}</presence>")
    house.bridge.sessions["ada@example.org"].outlet.tell(
        Entered(Address("room", "#c"), "ada", {"ada": Rank("none", "participant")}, Subject(""))
    )
    house.took()
    house.out.clear()
    to = JID if kind == "groupchat" else f"bob@{DOMAIN}"
    for size in (100, 101):
        house.stanza(f"<message from='{DESK}' to='{to}' type='{kind}'><body>{'x' * size}</body></message>")
    (answer,) = house.sent()
    assert condition(answer) == "not-acceptable" and "100" in words(answer)
    assert [type(command) for command in house.took()] == [Say]


# Presence -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "wanted"),
    [(JID, "jid-malformed"), (f"bob@{DOMAIN}", "item-not-found"), (f"desk@{DOMAIN}/x", "item-not-found")],
)
def test_joins_of_what_cannot_be_joined(house: House, to: str, wanted: str) -> None:
    house.stanza(f"<presence from='{DESK}' to='{to}' id='1'>{MUC}</presence>")
    (answer,) = house.sent()
    assert (condition(answer), answer.get("from")) == (wanted, to) and words(answer)


@pytest.mark.parametrize("kind", ["unavailable", "subscribe", "subscribed", "probe", "unsubscribe", "unsubscribed"])
@pytest.mark.parametrize("place", PLACES)
def test_other_presence_is_not_answered_with_errors(house: House, kind: str, place: str) -> None:
    house.stanza(f"<presence from='{DESK}' to='{jid(place)}' type='{kind}'/>")
    assert [condition(answer) for answer in house.sent() if condition(answer)] == []


def test_a_link_that_only_its_key_opens_is_not_said_in_a_room(house: House) -> None:
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada'>{MUC}</presence>")
    session = house.bridge.sessions["ada@example.org"]
    session.outlet.tell(Entered(Address("room", "#c"), "ada", {"ada": NO_RANK}, Subject("")))
    house.sent(), house.took()
    house.stanza(f"<message from='{DESK}' to='{JID}' type='groupchat' id='1'><body>aesgcm://h/f#00</body></message>")
    assert [condition(answer) for answer in house.sent()] == ["not-acceptable"] and house.took() == []


# Visitors -------------------------------------------------------------------------------------------------------------


def test_a_stream_that_does_not_keep_up_pauses_all_sessions_new_ones_too(house: House) -> None:
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada'>{MUC}</presence>")
    house.wing.pause()
    house.stanza(f"<presence from='eve@example.org/x' to='{JID}/eve'>{MUC}</presence>")
    assert [session.paused for session in house.bridge.sessions.values()] == [True, True]
    house.wing.resume()
    assert [session.paused for session in house.bridge.sessions.values()] == [False, False]


def test_visitors_with_nothing_going_on_are_forgotten(house: House) -> None:
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada'>{MUC}</presence>")
    house.took()
    house.wing.sweep()
    assert list(house.wing.visitors) == ["ada@example.org"]
    house.stanza(f"<presence from='{DESK}' to='{JID}/ada' type='unavailable'/>")
    house.wing.sweep()
    assert list(house.wing.visitors) == ["ada@example.org"]  # the bridge is not done yet
    house.took()
    house.wing.sweep()
    assert house.wing.visitors == {}


def test_stanza_ids_are_unique_and_ordered() -> None:
    ids = Ids()
    made = [ids.stanza() for _ in range(1_000)]
    assert made == sorted(set(made))
