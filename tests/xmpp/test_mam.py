"""XEP-0313 by its own examples, at a house with an archive: queries in, results out, each user's apart."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.archive.conftest import fill, name, until
from tests.far import DOMAIN, House, condition
from transports.accounts import Account
from transports.archive.archives import Archives
from transports.archive.place import Archive
from transports.archive.values import Query
from transports.errors import LegacyError
from transports.events import Address
from transports.gateway_seams import Ids
from transports.xmpp import mam
from transports.xmpp.archiving import PAGES
from transports.xmpp.dates import moment, stamped

MAM, RSM = "{urn:xmpp:mam:2}", "{http://jabber.org/protocol/rsm}"
DATA = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
ADA, DESK = "ada@example.org", "ada@example.org/desk"
ROOM, JID = Address("room", "#c"), f"#c@{DOMAIN}"


def form(**fields: str | list[str]) -> str:
    inner = ""
    for var, values in fields.items():
        listed = "".join(f"<value>{value}</value>" for value in ([values] if isinstance(values, str) else values))
        inner += f"<field var='{var.replace('_', '-')}'>{listed}</field>"
    return f"<x xmlns='jabber:x:data' type='submit'>{DATA}{inner}</x>"


def page(**items: str | int) -> str:
    return f"<set xmlns='{RSM[1:-1]}'>{''.join(f'<{tag}>{text}</{tag}>' for tag, text in items.items())}</set>"


def asked(inner: str = "", attributes: str = "") -> mam.Ask:
    return mam.asked(ET.fromstring(f"<query xmlns='urn:xmpp:mam:2'{attributes}>{inner}</query>"))


# Queries (XEP-0313 4) -------------------------------------------------------------------------------------------------

EXAMPLES: list[tuple[str, str, mam.Ask]] = [
    ("", " queryid='f27'", mam.Ask(Query(), "f27")),
    (form(**{"with": "juliet@capulet.lit"}), "", mam.Ask(Query(), with_="juliet@capulet.lit")),
    (
        form(start="2010-06-07T00:00:00Z", end="2010-07-07T13:23:54Z"),
        "",
        mam.Ask(Query(start=1_275_868_800_000, end=1_278_509_034_000)),
    ),
    (form(after_id="09af3-cc343-b409f"), "", mam.Ask(Query(after_id="09af3-cc343-b409f"))),
    (
        form(after_id="28482-98726-73623", before_id="09af3-cc343-b409f"),
        "",
        mam.Ask(Query(after_id="28482-98726-73623", before_id="09af3-cc343-b409f")),
    ),
    (form(ids=["28482-98726-73623", "b"]), "", mam.Ask(Query(ids=("28482-98726-73623", "b")))),
    (
        form(start="2010-08-07T00:00:00Z") + page(max=10),
        "",
        mam.Ask(Query(start=1_281_139_200_000, most=10)),
    ),
    (page(max=10, after="09af3-cc343-b409f"), "", mam.Ask(Query(most=10, after="09af3-cc343-b409f"))),
    (page(max=10) .replace("</set>", "<before/></set>"), "", mam.Ask(Query(most=10, before=""))),
    (page(max=10, before="a") + "<flip-page/>", "", mam.Ask(Query(most=10, before="a"), flipped=True)),
    (page(max="999999999999999999999"), "", mam.Ask(Query(most=mam.MOST))),
    (page(max=0), "", mam.Ask(Query(most=0))),
    (form(start="", end="", before_id=""), "", mam.Ask(Query())),
]  # fmt: skip


@pytest.mark.parametrize(("inner", "attributes", "ask"), EXAMPLES)
def test_a_query_is_what_it_asks(inner: str, attributes: str, ask: mam.Ask) -> None:
    assert asked(inner, attributes) == ask


@pytest.mark.parametrize(
    ("inner", "condition"),
    [
        (form(start="yesterday"), "bad-request"),
        (form(end="2010-13-40T00:00:00Z"), "bad-request"),
        (page(max="-1"), "bad-request"),
        (page(max="many"), "bad-request"),
        (page(max="١"), "bad-request"),
        (page(index="5"), "feature-not-implemented"),
        (form(include_groupchat="true"), "feature-not-implemented"),
        (form(**{"{http://example.com/}free-text-search": "Juliet"}), "feature-not-implemented"),
        (form(ids=["1"] * 101), "policy-violation"),
        (form().replace(">urn:xmpp:mam:2<", ">urn:xmpp:mam:1<"), "bad-request"),
        (form(**{"with": "x" * 50_000}), "not-acceptable"),
    ],
)
def test_what_is_not_understood_is_refused(inner: str, condition: str) -> None:
    with pytest.raises(LegacyError) as error:
        asked(inner)
    assert error.value.condition == condition


def test_an_endless_name_of_a_query_is_refused() -> None:
    with pytest.raises(LegacyError):
        asked("", f" queryid='{'x' * 2_000}'")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2010-07-10T23:08:25Z", 1_278_803_305_000),
        ("2010-07-10T23:08:25.5Z", 1_278_803_305_500),
        ("2010-07-10T23:08:25.123456789Z", 1_278_803_305_123),
        (" 2010-07-11T01:08:25+02:00 ", 1_278_803_305_000),
        ("1969-12-31T23:59:59.250Z", -750),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("2010-07-10 23:08:25Z", None),
        ("2010-07-10T23:08:25", None),
        ("٢٠١٠-07-10T23:08:25Z", None),
        ("", None),
        ("9" * 10_000, None),
    ],
)
def test_times(text: str, at: int | None) -> None:
    assert moment(text) == at
    if at is not None and at > 0:
        assert moment(stamped(at)) == at


# At the house ---------------------------------------------------------------------------------------------------------


class Asking(House):
    """A house with an archive, and ada who asks it."""

    number = 0

    def archive(self, user: str = ADA, place: Address = ROOM) -> Archive:
        assert self.wing.archives is not None
        return self.wing.archives.of("far", user, place, 20)

    async def ask(
        self, payload: str, to: str = JID, sender: str = DESK, kind: str = "set"
    ) -> tuple[list[ET.Element], ET.Element]:
        """The results that came before the answer, and the answer."""
        self.number += 1
        id = f"q{self.number}"
        self.stanza(f"<iq type='{kind}' id='{id}' from='{sender}' to='{to}'>{payload}</iq>")
        await until(lambda: any(stanza.startswith("<iq ") and f" id='{id}'" in stanza for stanza in self.out))
        *results, answer = self.sent()
        return results, answer

    async def query(self, inner: str = "", to: str = JID, sender: str = DESK) -> tuple[list[ET.Element], ET.Element]:
        return await self.ask(f"<query xmlns='urn:xmpp:mam:2' queryid='f27'>{inner}</query>", to, sender)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Asking]:
    made = Asking()
    made.wing.ids = Ids()
    made.wing.archives = Archives(tmp_path / "archive.db")
    yield made
    await made.wing.archives.close()
    await made.desk.stop()


def ids(results: list[ET.Element]) -> list[str]:
    return [stanza[0].get("id", "") for stanza in results]


def fin(answer: ET.Element) -> tuple[str, str, str, str, bool]:
    """first, its index, last, count, complete."""
    found = answer[0]
    assert found.tag == f"{MAM}fin"
    first = found.find(f"{RSM}set/{RSM}first")
    texts = [found.findtext(f"{RSM}set/{RSM}{tag}") or "" for tag in ("first", "last", "count")]
    return texts[0], "" if first is None else first.get("index", ""), texts[1], texts[2], found.get("complete") == "true"


async def test_messages_of_a_room_come_as_the_example_shows(house: Asking) -> None:
    house.archive().keep(name(0.25), "firstwitch", "o1", "<body>Thrice the brinded cat hath mew'd.</body>")
    house.archive().keep(name(2), "ada", "ada", "<body>mine</body>", own=True, stanza="i'd")
    house.stanza(f"<iq type='set' id='q1' from='{DESK}' to='{JID}'><query xmlns='urn:xmpp:mam:2' queryid='f27'/></iq>")
    await until(lambda: len(house.out) == 3)
    theirs, mine, answer = house.out
    assert re.sub(" id='[0-9a-f]+'", "", theirs, count=1) == (
        f"<message from='{JID}' to='{DESK}'>"
        f"<result xmlns='urn:xmpp:mam:2' queryid='f27' id='{name(0.25)}'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00.250Z'/>"
        f"<message xmlns='jabber:client' type='groupchat' from='{JID}/firstwitch' id='{name(0.25)}'>"
        "<body>Thrice the brinded cat hath mew'd.</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{JID}' id='{name(0.25)}'/>"
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o1'/>"
        "</message></forwarded></result></message>"
    )
    # the user's own come with the address that he may know: his
    own = "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant' jid='ada@example.org'/></x>"
    assert f"from='{JID}/ada' id='i&apos;d'><body>mine</body>{own}<stanza-id" in mine
    assert answer == (
        f"<iq from='{JID}' to='{DESK}' id='q1' type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'>"
        f"<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>{name(0.25)}</first><last>{name(2)}</last>"
        "<count>2</count></set></fin></iq>"
    )


async def test_a_conversation_has_both_directions(house: Asking) -> None:
    bob = house.archive(place=Address("person", "bob"))
    bob.keep(name(1), "", "", "<body>Hail to thee</body>")
    bob.keep(name(2), "", "", "<body>hail</body>", own=True, stanza="8a54s")
    results, _ = await house.query(to=f"bob@{DOMAIN}")
    found = [stanza.find(".//{jabber:client}message") for stanza in results]
    ends = [(one.get("from"), one.get("to"), one.get("type"), one.get("id")) for one in found if one is not None]
    assert ends == [(f"bob@{DOMAIN}", ADA, "chat", name(1)), (ADA, f"bob@{DOMAIN}", "chat", "8a54s")]
    assert [stanza.get("from") for stanza in results] == [f"bob@{DOMAIN}"] * 2


async def test_pages_follow_each_other(house: Asking) -> None:
    fill(house.archive(), 25)
    results, answer = await house.query(page(max=10))
    assert (ids(results), fin(answer)) == ([name(n) for n in range(10)], (name(0), "0", name(9), "25", False))
    results, answer = await house.query(page(max=10, after=name(19)))
    assert (ids(results)[0], fin(answer)) == (name(20), (name(20), "20", name(24), "25", True))
    results, answer = await house.query(page(max=10, before=""))
    assert (ids(results), fin(answer)) == ([name(n) for n in range(15, 25)], (name(15), "15", name(24), "25", False))
    results, answer = await house.query(page(max=10, before="") + "<flip-page/>")
    assert (ids(results), fin(answer)) == (
        [name(n) for n in range(24, 14, -1)],
        (name(15), "15", name(24), "25", False),
    )
    results, answer = await house.query(page(max=0))
    assert (results, fin(answer)) == ([], ("", "", "", "25", False))


@pytest.mark.parametrize(
    ("jid", "expected"),
    [
        (f"{JID}/nick1", [1, 4]),
        (JID, [0, 1, 2, 3, 4, 5, 6]),
        (ADA, [6]),
        (DESK, [6]),
        ("bob@example.org", []),
        (f"{JID}/nobody", []),
    ],
)
async def test_with_is_whose_message_it_is(house: Asking, jid: str, expected: list[int]) -> None:
    fill(house.archive(), 6)
    house.archive().keep(name(6), "ada", "ada", "<body>mine</body>", own=True, stanza="m")
    results, answer = await house.query(form(**{"with": jid}))
    assert ids(results) == [name(n) for n in expected] and fin(answer)[3] == str(len(expected))


async def test_nobody_reads_what_others_have(house: Asking) -> None:
    fill(house.archive(), 3)
    results, answer = await house.query(sender="bob@example.org/desk")
    assert (results, fin(answer)) == ([], ("", "", "", "0", True))
    for inner in (page(after=name(1)), form(ids=[name(1)]), form(before_id=name(1))):
        _, answer = await house.query(inner, sender="bob@example.org/desk")
        assert condition(answer) == "item-not-found"
    _, answer = await house.query(sender="eve@elsewhere.example/desk")
    assert condition(answer) == "forbidden"


@pytest.mark.parametrize("inner", [page(after="28482-98726-73623"), page(before="1"), form(ids=["a", "b"])])
async def test_what_is_not_there_is_not_found(house: Asking, inner: str) -> None:
    fill(house.archive(), 3)
    results, answer = await house.query(inner)
    assert (results, condition(answer)) == ([], "item-not-found")


@pytest.mark.parametrize("to", [DOMAIN, f"desk@{DOMAIN}", f"{JID}/bob"])
async def test_other_addresses_have_no_archive(house: Asking, to: str) -> None:
    for payload, kind in (("<query xmlns='urn:xmpp:mam:2'/>", "set"), ("<metadata xmlns='urn:xmpp:mam:2'/>", "get")):
        _, answer = await house.ask(payload, to, kind=kind)
        assert condition(answer) == "feature-not-implemented"


async def test_metadata_form_and_preferences(house: Asking) -> None:
    _, answer = await house.ask("<metadata xmlns='urn:xmpp:mam:2'/>", kind="get")
    assert (answer[0].tag, len(answer[0])) == (f"{MAM}metadata", 0)
    fill(house.archive(), 3)
    _, answer = await house.ask("<metadata xmlns='urn:xmpp:mam:2'/>", kind="get")
    assert [(end.tag, end.attrib) for end in answer[0]] == [
        (f"{MAM}start", {"id": name(0), "timestamp": "2026-01-01T00:00:00.000Z"}),
        (f"{MAM}end", {"id": name(2), "timestamp": "2026-01-01T00:00:02.000Z"}),
    ]
    _, answer = await house.ask("<query xmlns='urn:xmpp:mam:2'/>", kind="get")
    fields = [field.get("var") for field in answer.iter("{jabber:x:data}field")]
    assert fields == ["FORM_TYPE", "with", "start", "end", "before-id", "after-id", "ids"]
    prefs = "<prefs xmlns='urn:xmpp:mam:2' default='never'><always/><never/></prefs>"
    _, answer = await house.ask(prefs.replace(" default='never'", ""), kind="get")
    assert answer[0].get("default") == "always"
    _, answer = await house.ask(prefs)
    assert condition(answer) == "not-allowed"


async def test_rooms_say_that_they_have_an_archive_and_people_only_if_they_do(house: Asking) -> None:
    async def features(to: str) -> set[str]:
        _, answer = await house.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to, kind="get")
        return {found.get("var", "") for found in answer.iter("{http://jabber.org/protocol/disco#info}feature")}

    assert set(mam.FEATURES) <= await features(JID)
    assert "urn:xmpp:mam:2" not in await features(f"bob@{DOMAIN}") | await features(DOMAIN)
    house.wing.archives, kept = None, house.wing.archives
    assert "urn:xmpp:mam:2" not in await features(JID)
    _, answer = await house.query()
    assert condition(answer) == "feature-not-implemented"
    house.wing.archives = kept


async def test_pages_wait_while_the_stream_does_not_keep_up(house: Asking) -> None:
    fill(house.archive(), 3)
    house.wing.pause()
    asking = asyncio.create_task(house.query())
    archives = house.wing.archives
    assert archives is not None
    await archives.ask(lambda _: None)
    assert house.out == []
    house.wing.resume()
    results, _ = await asking
    assert len(results) == 3


async def test_many_queries_of_one_user_take_turns_and_all_are_answered(house: Asking) -> None:
    fill(house.archive(), 3)
    archives = house.wing.archives
    assert archives is not None
    read: list[str] = []
    await archives.ask(lambda connection: connection.set_trace_callback(read.append))
    house.wing.pause()
    for number in range(12):
        house.stanza(f"<iq type='set' id='p{number}' from='{DESK}' to='{JID}'><query xmlns='urn:xmpp:mam:2'/></iq>")
    pages = lambda: sum("SELECT id, line" in statement for statement in read)  # noqa: E731
    await until(lambda: pages() >= PAGES)
    for _ in range(20):
        await archives.ask(lambda _: None)
    assert pages() == PAGES
    house.wing.resume()
    await until(lambda: sum(stanza.startswith("<iq ") for stanza in house.out) == 12)
    assert len(house.out) == 12 + 12 * 3


async def test_of_a_message_that_fits_no_stanza_only_its_id_comes(house: Asking) -> None:
    house.archive().keep(name(1), "n", "n", f"<body>{'x' * 59_900}</body>")
    results, answer = await house.query()
    assert results[0].find(".//{jabber:client}message") is None
    assert (ids(results), fin(answer)[3]) == ([name(1)], "1")


async def test_a_user_who_leaves_takes_his_archive_along(house: Asking) -> None:
    fill(house.archive(), 3)
    house.desk.accounts._accounts[ADA] = Account(ADA, 0.0)
    await house.desk.unregister(ADA)
    _, answer = await house.query()
    assert fin(answer)[3] == "0"
