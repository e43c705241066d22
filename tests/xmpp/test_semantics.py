"""What messages mean, by the examples of their specifications, and what becomes of it where less can be done."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import LegacyError
from transports.events import (
    Address,
    Attach,
    Correct,
    File,
    More,
    React,
    Read,
    Receipt,
    Reply,
    Retract,
    Say,
    Type,
)
from transports.xmpp import disco, meaning, read, semantics
from transports.xmpp.meaning import LONGEST_EMOJI, MOST_EMOJIS, Meaning
from transports.xmpp.semantics import Act

ROMEO = "romeo@montague.lit/orchard"
JULIET = Address("person", "juliet")
EVERYTHING = frozenset({Say, Correct, Retract, React, Type, Read, Reply, Attach, Receipt})
WORDS = frozenset({Say})
URL = "https://download.montague.lit/4a771ac1/summit.jpg"

REPLY = (
    "<body>&gt; Anna wrote:\n&gt; We should bake a cake\nGreat idea!</body>"
    "<reply to='anna@example.com/laptop' id='message-id1' xmlns='urn:xmpp:reply:0'/>"
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='38'/></fallback>"
)
FILE = (
    "<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'><file xmlns='urn:xmpp:file:metadata:0'>"
    "<media-type>image/jpeg</media-type><name>summit.jpg</name><size>3032449</size></file><sources>"
    f"<url-data xmlns='http://jabber.org/protocol/url-data' target='{URL}'/></sources></file-sharing>"
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>"
    f"<body>{URL}</body><x xmlns='jabber:x:oob'><url>{URL}</url></x>"
)


def message(inside: str, id: str = "m1", kind: str = "chat") -> read.Message:
    head = f"<message xmlns='jabber:component:accept' type='{kind}' from='{ROMEO}' to='juliet@far.example.org' id='{id}'>"
    return read.message(ET.fromstring(f"{head}{inside}</message>"))


def means(inside: str) -> Meaning:
    return meaning.meaning(message(inside))


def wanted(inside: str, id: str = "m1") -> Act | None:
    """The command, without the stanza that it was made of."""
    stanza = message(inside, id)
    command = semantics.wanted(stanza, meaning.meaning(stanza), JULIET)
    return command._replace(ref=None) if isinstance(command, Say | Correct | Retract | React) else command


def become(inside: str, *can: type, excerpt: str | None = None) -> Act | None:
    command = wanted(inside)
    assert command is not None
    return semantics.at(command, frozenset(can), excerpt)


# By the examples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "command"),
    [
        # XEP-0085 example 6 and the state chart
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", Type(JULIET, "", "composing", ROMEO)),
        ("<thread>act2scene2</thread><gone xmlns='http://jabber.org/protocol/chatstates'/>", Type(JULIET, "", "gone", ROMEO)),
        # XEP-0184 example 3, XEP-0333 example 3
        (
            "<body>Hi. How are you?</body><markable xmlns='urn:xmpp:chat-markers:0'/><request xmlns='urn:xmpp:receipts'/>",
            Say(JULIET, "", "Hi. How are you?", ROMEO, "m1", more=More(receipt=True, marker=True)),
        ),
        ("<received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/>", None),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>", Read(JULIET, "", ("the-msg-1",), ROMEO)),
        # XEP-0201 example 1, XEP-0085 with words
        (
            "<body>Art thou not Romeo?</body><thread parent='7edac73a'>\n e0ffe42b28561960c6b12b944a092794b9683a38\n</thread>"
            "<active xmlns='http://jabber.org/protocol/chatstates'/>",
            Say(
                JULIET, "", "Art thou not Romeo?", ROMEO, "m1", more=More(thread="e0ffe42b28561960c6b12b944a092794b9683a38")
            ),
        ),
        # XEP-0308 example 4
        (
            "<body>But soft, what light through yonder window breaks?</body>"
            "<replace id='bad1' xmlns='urn:xmpp:message-correct:0'/>",
            Correct(JULIET, "", ("bad1",), "But soft, what light through yonder window breaks?", ROMEO, "m1"),
        ),
        # XEP-0424 example 4, and as it was before version 0.4
        (
            "<retract id='wrong-recipient-1' xmlns='urn:xmpp:message-retract:1'/>"
            "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>"
            "<body>/me retracted a previous message, but it's unsupported by your client.</body>"
            "<store xmlns='urn:xmpp:hints'/>",
            Retract(JULIET, "", ("wrong-recipient-1",), ROMEO, "m1"),
        ),
        (
            "<apply-to id='origin-id-1' xmlns='urn:xmpp:fasten:0'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
            Retract(JULIET, "", ("origin-id-1",), ROMEO, "m1"),
        ),
        ("<apply-to id='origin-id-1' xmlns='urn:xmpp:fasten:0'><other xmlns='x:y'/></apply-to>", None),
        # XEP-0444 examples 5 to 7
        (
            "<reactions id='744f6e18' xmlns='urn:xmpp:reactions:0'><reaction>👋</reaction><reaction>🐢</reaction></reactions>"
            "<store xmlns='urn:xmpp:hints'/>",
            React(JULIET, "", ("744f6e18",), ("👋", "🐢"), ROMEO, "m1"),
        ),
        ("<reactions id='744f6e18' xmlns='urn:xmpp:reactions:0'/>", React(JULIET, "", ("744f6e18",), (), ROMEO, "m1")),
        # XEP-0461 examples 3 and 4
        (
            "<body>Great idea!</body><reply to='anna@example.com/tablet' id='message-id1' xmlns='urn:xmpp:reply:0'/>",
            Say(JULIET, "", "Great idea!", ROMEO, "m1", more=More(reply="message-id1")),
        ),
        (
            REPLY,
            Say(
                JULIET,
                "",
                "Great idea!",
                ROMEO,
                "m1",
                more=More(reply="message-id1", quote="Anna wrote:\nWe should bake a cake"),
            ),
        ),
        # XEP-0447 example 8
        (
            FILE,
            Say(JULIET, "", "", ROMEO, "m1", more=More((File(URL, "summit.jpg", "image/jpeg", 3032449),))),
        ),
        # XEP-0313 example 3, XEP-0280 example 9: what somebody said before
        (
            "<result xmlns='urn:xmpp:mam:2' queryid='f27' id='28482-98726-73623'><forwarded xmlns='urn:xmpp:forward:0'>"
            "<message xmlns='jabber:client'><body>Hail to thee</body></message></forwarded></result>",
            None,
        ),
        ("<body>x</body><sent xmlns='urn:xmpp:carbons:2'/>", None),
        ("<body>x</body><received xmlns='urn:xmpp:carbons:2'/>", None),
        # and what this gateway had a server say
        ("<body>x</body><ours xmlns='urn:xmpp-transports:sent'/>", None),
        # hints alone, and what nobody here knows (XEP-0334)
        ("<store xmlns='urn:xmpp:hints'/>", None),
        ("<body>x</body><no-store xmlns='urn:xmpp:hints'/>", Say(JULIET, "", "x", ROMEO, "m1")),
        ("<subject>Fire</subject><body>x</body>", Say(JULIET, "", "x", ROMEO, "m1", more=More(subject="Fire"))),
        ("<body/>", Say(JULIET, "", "", ROMEO, "m1")),
    ],
)
def test_what_a_message_asks_for(inside: str, command: Act | None) -> None:
    assert wanted(inside) == command


def test_a_corrected_answer_is_both() -> None:
    inside = REPLY + "<replace id='m0' xmlns='urn:xmpp:message-correct:0'/>"
    more = More(reply="message-id1", quote="Anna wrote:\nWe should bake a cake")
    assert wanted(inside) == Correct(JULIET, "", ("m0",), "Great idea!", ROMEO, "m1", more=more)


def test_a_file_with_words_beside_it_has_both() -> None:
    found = wanted(f"<body>Look: {URL}</body><x xmlns='jabber:x:oob'><url>{URL}</url></x>")
    assert found == Say(JULIET, "", f"Look: {URL}", ROMEO, "m1", more=More((File(URL, "summit.jpg"),)))


# The table ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inside",
    [
        REPLY,
        FILE,
        "<body>x</body><replace id='bad1' xmlns='urn:xmpp:message-correct:0'/>",
        "<retract id='m0' xmlns='urn:xmpp:message-retract:1'/>",
        "<reactions id='m0' xmlns='urn:xmpp:reactions:0'><reaction>👋</reaction></reactions>",
        "<paused xmlns='http://jabber.org/protocol/chatstates'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='m0'/>",
        "<body>x</body><markable xmlns='urn:xmpp:chat-markers:0'/><request xmlns='urn:xmpp:receipts'/>",
    ],
)
def test_where_everything_can_be_done_nothing_is_changed(inside: str) -> None:
    assert become(inside, *EVERYTHING) == wanted(inside)


@pytest.mark.parametrize(
    ("inside", "command"),
    [
        ("<body>x</body>", Say(JULIET, "", "x", ROMEO, "m1")),
        (
            "<body>window</body><replace id='bad1' xmlns='urn:xmpp:message-correct:0'/>",
            Say(JULIET, "", "* window", ROMEO, "m1"),
        ),
        (REPLY, Say(JULIET, "", "> Anna wrote:\n> We should bake a cake\nGreat idea!", ROMEO, "m1")),
        (FILE, Say(JULIET, "", URL, ROMEO, "m1")),
        (
            f"<body>Look</body><x xmlns='jabber:x:oob'><url>{URL}</url></x>",
            Say(JULIET, "", f"Look\n{URL}", ROMEO, "m1"),
        ),
        (
            f"<body>Look: {URL}</body><x xmlns='jabber:x:oob'><url>{URL}</url></x>",
            Say(JULIET, "", f"Look: {URL}", ROMEO, "m1"),
        ),
        (
            "<body>x</body><markable xmlns='urn:xmpp:chat-markers:0'/><request xmlns='urn:xmpp:receipts'/>",
            Say(JULIET, "", "x", ROMEO, "m1"),
        ),
        ("<body>x</body><thread>t</thread>", Say(JULIET, "", "x", ROMEO, "m1", more=More(thread="t"))),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", None),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='m0'/>", None),
        ("<reactions id='m0' xmlns='urn:xmpp:reactions:0'><reaction>👋</reaction></reactions>", None),
    ],
)
def test_where_one_can_only_say_words(inside: str, command: Act | None) -> None:
    assert become(inside, Say) == command


@pytest.mark.parametrize(
    ("inside", "can", "condition"),
    [
        ("<body>x</body>", (), "service-unavailable"),
        ("<body>x</body><replace id='bad1' xmlns='urn:xmpp:message-correct:0'/>", (), "service-unavailable"),
        ("<retract id='m0' xmlns='urn:xmpp:message-retract:1'/>", (Say, Correct), "feature-not-implemented"),
        ("<body>x</body><x xmlns='jabber:x:oob'><url>aesgcm://h/f#00</url></x>", (Say,), "not-acceptable"),
        ("<body>aesgcm://h/f#00</body>", (Say,), "not-acceptable"),
        ("<body>aesgcm://h/f#00</body>", (Say, Attach), "not-acceptable"),
    ],
)
def test_what_cannot_be_said_otherwise_is_refused_with_words(inside: str, can: tuple[type, ...], condition: str) -> None:
    with pytest.raises(LegacyError) as refused:
        become(inside, *can)
    assert refused.value.condition == condition and refused.value.text


@pytest.mark.parametrize(
    ("emojis", "excerpt", "words"),
    [
        ("👍", "first words", "👍 to “first words”"),
        ("👍❤", "first\nwords of a message that\tgoes on for a while", "👍 ❤ to “first words of a message that goes on fo…”"),
        ("👍", "", "👍"),
        ("", "first words", None),
        ("👍", None, None),
    ],
)
def test_a_reaction_is_a_remark_for_those_who_want_it(emojis: str, excerpt: str | None, words: str | None) -> None:
    reactions = "".join(f"<reaction>{emoji}</reaction>" for emoji in emojis)
    found = become(f"<reactions id='m0' xmlns='urn:xmpp:reactions:0'>{reactions}</reactions>", Say, excerpt=excerpt)
    assert found == (None if words is None else Say(JULIET, "", words, ROMEO, "m1"))


def test_one_thing_that_cannot_be_done_leaves_the_others() -> None:
    inside = REPLY + "<replace id='m0' xmlns='urn:xmpp:message-correct:0'/><request xmlns='urn:xmpp:receipts'/>"
    more = More(reply="message-id1", quote="Anna wrote:\nWe should bake a cake")
    assert become(inside, Say, Reply) == Say(JULIET, "", "* Great idea!", ROMEO, "m1", more=more)
    assert become(inside, Say, Correct, Receipt) == Correct(
        JULIET, "", ("m0",), "> Anna wrote:\n> We should bake a cake\nGreat idea!", ROMEO, "m1", more=More(receipt=True)
    )


@pytest.mark.parametrize(
    ("can", "features"),
    [
        ({Say}, set()),
        ({Say, Correct}, {"urn:xmpp:message-correct:0"}),
        ({Say, Retract}, {"urn:xmpp:message-retract:1"}),
        ({Say, React}, {"urn:xmpp:reactions:0"}),
        ({Say, Type}, {"http://jabber.org/protocol/chatstates"}),
        ({Say, Read}, {"urn:xmpp:chat-markers:0"}),
        ({Say, Reply}, {"urn:xmpp:reply:0", "urn:xmpp:fallback:0"}),
        ({Say, Receipt}, {"urn:xmpp:receipts"}),
    ],
)
def test_disco_tells_what_the_table_has(can: set[type], features: set[str]) -> None:
    plain = set(disco.features("person", frozenset()))
    assert set(disco.features("person", frozenset(can))) - plain == features
    assert {"urn:xmpp:sfs:0", "jabber:x:oob"} <= set(disco.features("person", frozenset({Attach})))


# Encryption -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "method"),
    [
        # XEP-0380 examples 1 and 2
        ("<body>?OTR?v23?...</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>", "OTR"),
        (
            "<openpgp xmlns='urn:xmpp:openpgp:0'>…</openpgp><body>This message is encrypted.</body>"
            "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:openpgp:0'/>",
            "OpenPGP",
        ),
        ("<body>x</body><x xmlns='jabber:x:encrypted'>…</x>", "OpenPGP"),
        ("<encrypted xmlns='urn:xmpp:omemo:2'><header/><payload/></encrypted>", "OMEMO"),
        ("<body>I sent you …</body><encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted>", "OMEMO"),
        # a name is believed only of what nobody knows
        ("<body>x</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0' name='OMEMO'/>", "OTR"),
        ("<body>x</body><encryption xmlns='urn:xmpp:eme:0' namespace='x:y' name=' Rot\n13 '/>", "Rot 13"),
        ("<body>x</body><encryption xmlns='urn:xmpp:eme:0' namespace='x:y'/>", "x:y"),
    ],
)
def test_encryption_is_called_by_its_name(inside: str, method: str) -> None:
    stanza = message(inside)
    words = meaning.encryption(stanza)
    assert stanza.encrypted and words is not None and f"encrypted with {method}." in words


def test_encryption_without_a_name() -> None:
    words = meaning.encryption(message("<body>x</body><encryption xmlns='urn:xmpp:eme:0'/>"))
    assert words is not None and "encrypted" in words


@pytest.mark.parametrize("space", ["eu.siacs.conversations.axolotl", "urn:xmpp:omemo:1", "urn:xmpp:omemo:2"])
def test_what_only_carries_keys_is_for_nobody(space: str) -> None:
    inside = f"<encrypted xmlns='{space}'><header sid='1'/></encrypted><store xmlns='urn:xmpp:hints'/>"
    assert message(inside).encrypted and meaning.encryption(message(inside)) is None


# What is hostile ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start_end", ["start='0' end='99'", "start='-1' end='3'", "start='5' end='2'", "start='x'", "end='1e9'"])
def test_a_fallback_that_does_not_fit_cuts_nothing(start_end: str) -> None:
    found = means(
        "<body>whole body</body><reply id='m0' xmlns='urn:xmpp:reply:0'/>"
        f"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body {start_end}/></fallback>"
    )
    assert (found.text, found.quote) == ("whole body", "")


def test_fallbacks_that_overlap_and_those_for_others() -> None:
    found = means(
        "<body>0123456789</body><reply id='m0' xmlns='urn:xmpp:reply:0'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='2' end='6'/><body end='4'/></fallback>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='x:y'><body/></fallback>"
    )
    assert (found.text, found.quote) == ("6789", "012345")


def test_characters_are_counted_as_code_points() -> None:
    found = means(
        "<body>&gt; 👩‍👩‍👧\nyes</body><reply id='m0' xmlns='urn:xmpp:reply:0'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='8'/></fallback>"
    )
    assert (found.text, found.quote) == ("yes", "👩‍👩‍👧")


def test_emojis_are_few_and_short() -> None:
    many = "".join(f"<reaction>{chr(0x1F600 + n)}</reaction>" for n in range(MOST_EMOJIS + 5))
    odd = f"<reaction/><reaction>two words</reaction><reaction>{'x' * (LONGEST_EMOJI + 1)}</reaction><reaction>👋</reaction>"
    found = means(f"<reactions id='m0' xmlns='urn:xmpp:reactions:0'>{odd}<reaction>👋</reaction>{many}</reactions>")
    assert len(found.emojis) == MOST_EMOJIS and found.emojis[:2] == ("👋", "😀")


@pytest.mark.parametrize("id", ["", "x" * 1_001])
def test_an_id_that_is_none_refers_to_nothing(id: str) -> None:
    assert wanted(f"<body>x</body><replace id='{id}' xmlns='urn:xmpp:message-correct:0'/>") == Say(JULIET, "", "x", ROMEO, "m1")
    assert wanted(f"<retract id='{id}' xmlns='urn:xmpp:message-retract:1'/>") is None


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)


@given(TEXT, st.lists(st.tuples(TEXT | st.integers(-5, 50).map(str), TEXT | st.integers(-5, 50).map(str)), max_size=4))
def test_any_fallback_leaves_what_is_not_in_it(body: str, spans: list[tuple[str, str]]) -> None:
    head = ET.Element("{jabber:component:accept}message", {"from": ROMEO, "to": "juliet@far.example.org"})
    ET.SubElement(head, "{jabber:component:accept}body").text = body
    ET.SubElement(head, "{urn:xmpp:reply:0}reply", {"id": "m0"})
    fallback = ET.SubElement(head, "{urn:xmpp:fallback:0}fallback", {"for": "urn:xmpp:reply:0"})
    for start, end in spans:
        ET.SubElement(fallback, "{urn:xmpp:fallback:0}body", {"start": start, "end": end})
    text = meaning.meaning(read.message(head)).text
    assert text is not None and len(text) <= len(body)
    rest = iter(body)
    assert all(character in rest for character in text)  # in order


# Reflection -----------------------------------------------------------------------------------------------------------


def test_a_room_sends_back_what_its_sender_must_know_again() -> None:
    inside = (
        "<replace xmlns='urn:xmpp:message-correct:0' id='m&amp;0'/><thread>t</thread><other xmlns='x:y'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='38'/></fallback>"
    )
    stanza = message(f"<body>x</body>{inside}").rich
    assert stanza is not None
    found = ET.fromstring(f"<m xmlns='jabber:client'>{meaning.echo(stanza)}</m>")
    assert [child.tag.partition("}")[2] for child in found] == ["replace", "thread", "fallback"]
    assert found[0].get("id") == "m&0" and found[1].text == "t"
    assert found[2][0].tag == "{urn:xmpp:fallback:0}body" and found[2][0].get("end") == "38"


def test_what_is_large_is_not_sent_back() -> None:
    stanza = message(f"<body>x</body><reply xmlns='urn:xmpp:reply:0' id='{'x' * 9_000}'/>").rich
    assert stanza is not None and meaning.echo(stanza) == ""


def test_what_is_deep_is_not_sent_back_and_stops_nothing() -> None:
    deep = "<a>" * 5_000 + "x" + "</a>" * 5_000
    stanza = message(f"<body>x</body><thread>{deep}</thread>").rich
    assert stanza is not None and "x" not in meaning.echo(stanza).replace("xmlns", "")


NAMES = st.sampled_from(
    [
        *(tag[1:].replace("}", " ") for tag in sorted(meaning._READERS)),
        "urn:xmpp:fallback:0 fallback",
        "urn:xmpp:fallback:0 body",
        "urn:xmpp:reactions:0 reaction",
        "urn:xmpp:message-retract:0 retract",
        "urn:xmpp:eme:0 encryption",
        "urn:xmpp:omemo:2 encrypted",
        "urn:xmpp:sfs:0 file-sharing",
        "jabber:x:oob x",
        "jabber:x:oob url",
        "jabber:component:accept body",
        "x:y z",
    ]
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["id", "for", "start", "end", "to", "namespace", "name"]), TEXT, max_size=3)


def _element(name: str, attributes: dict[str, str], text: str, children: list[ET.Element]) -> ET.Element:
    space, _, local = name.partition(" ")
    element = ET.Element(f"{{{space}}}{local}", attributes)
    element.text = text
    element.extend(children)
    return element


ELEMENTS = st.recursive(
    st.builds(_element, NAMES, ATTRIBUTES, TEXT, st.just([])),
    lambda inner: st.builds(_element, NAMES, ATTRIBUTES, TEXT, st.lists(inner, max_size=3)),
    max_leaves=6,
)


@given(st.lists(ELEMENTS, max_size=6), st.sets(st.sampled_from(sorted(EVERYTHING, key=str))))
def test_anything_at_all_means_something_or_nothing(children: list[ET.Element], can: set[type]) -> None:
    head = ET.Element("{jabber:component:accept}message", {"from": ROMEO, "to": "juliet@far.example.org", "id": "m1"})
    head.extend(children)
    stanza = read.message(head)
    found = meaning.meaning(stanza)
    command = semantics.wanted(stanza, found, JULIET)
    assert (command is None) is found.empty
    if command is not None:
        try:
            become = semantics.at(command, frozenset(can), "")
        except LegacyError as error:
            assert error.text
        else:
            assert become is None or type(become) in can
    if stanza.rich is not None:
        ET.fromstring(f"<m>{meaning.echo(stanza.rich)}</m>")
    if stanza.encrypted:
        meaning.encryption(stanza)
