"""Looking for rooms: XEP-0433's form, its requests and errors, results and items."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from transports.errors import LegacyError
from transports.events import Address
from transports.ports import About, Page, Search
from transports.xmpp import channelsearch, rsm
from transports.xmpp.channelsearch import ERRORS, NS, PARAMS, USUAL
from transports.xmpp.disco import ITEMS_NS
from transports.xmpp.xml import MAX_STANZA

DOMAIN = "irc.example.org"
ORDER = "{urn:xmpp:channel-search:0:order}"
ALL = Search("", 0, "users", USUAL)


def request(paging: str = "", **fields: str) -> ET.Element:
    inner = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    head = f"<field var='FORM_TYPE'><value>{PARAMS}</value></field>"
    return ET.fromstring(
        f"<search xmlns='{NS}'><set xmlns='{rsm.NS}'>{paging}</set>"
        f"<x xmlns='jabber:x:data' type='submit'>{head}{inner}</x></search>"
    )


def test_the_form_has_what_the_xep_asks_for() -> None:
    form = ET.fromstring(channelsearch.form("en"))
    fields = {field.get("var"): field.get("type") for field in form.iter("{jabber:x:data}field")}
    assert fields == {
        "FORM_TYPE": "hidden",
        "q": "text-single",
        "all": "boolean",
        "sinname": "boolean",
        "sindescription": "boolean",
        "min_users": "text-single",
        "types": "list-multi",
        "key": "list-single",
    }
    assert channelsearch.wanted(ET.fromstring(f"<search xmlns='{NS}'/>"), DOMAIN) is None


@pytest.mark.parametrize(
    ("fields", "search"),
    [
        ({"q": "xmpp.org"}, ALL._replace(text="xmpp.org")),
        ({"q": " a  b ", "key": f"{ORDER}address"}, ALL._replace(text="a  b", key="name")),
        ({"all": "true"}, ALL),
        ({"all": "1", "min_users": "5"}, ALL._replace(least=5)),
        ({"q": "x", "sinname": "0"}, ALL._replace(text="x", names=False)),
        ({"q": "x", "sindescription": "false"}, ALL._replace(text="x", subjects=False)),
        ({"q": "x", "types": "xep-0369"}, ALL._replace(text="x", most=0)),
        ({"q": "x", "unknown": "y", "min_users": "many"}, ALL._replace(text="x")),
    ],
)
def test_what_is_looked_for(fields: dict[str, str], search: Search) -> None:
    assert channelsearch.wanted(request(**fields), DOMAIN) == search


def test_a_page_is_asked_for_by_jids() -> None:
    after = rf"<max>5</max><after>#c\40d%irc.test@{DOMAIN}</after>"
    assert channelsearch.wanted(request(after, all="1"), DOMAIN) == ALL._replace(most=5, after="#c@d%irc.test")
    assert channelsearch.wanted(request("<before/>", all="1"), DOMAIN) == ALL._replace(before="")
    assert channelsearch.wanted(request("<max>9999</max><index>3</index>", all="1"), DOMAIN) == ALL._replace(at=3)
    for jid in ("#c@elsewhere.example", "@"):
        with pytest.raises(LegacyError, match="item-not-found"):
            channelsearch.wanted(request(f"<after>{jid}</after>", all="1"), DOMAIN)


@pytest.mark.parametrize(
    ("fields", "condition", "specific"),
    [
        ({}, "bad-request", "no-search-conditions"),
        ({"all": "0"}, "bad-request", "no-search-conditions"),
        ({"q": "   "}, "bad-request", "invalid-search-terms"),
        ({"q": "x", "all": "1"}, "bad-request", "conflicting-fields"),
        ({"q": "x", "key": "{x}y"}, "feature-not-implemented", "invalid-sort-key"),
    ],
)
def test_errors_have_the_conditions_of_the_xep(fields: dict[str, str], condition: str, specific: str) -> None:
    with pytest.raises(LegacyError) as error:
        channelsearch.wanted(request(**fields), DOMAIN)
    assert (error.value.condition, error.value.specific, error.value.type) == (condition, (ERRORS, specific), "modify")


ROOMS = [
    (Address("room", "#python%irc.test"), About("#Python", 1200, "all <things>\npython")),
    (Address("room", "#a\\b@c%irc.test"), About("#a\\b@c", None, "")),
]


def test_results() -> None:
    result = ET.fromstring(channelsearch.results(Page(ROOMS, 10, 99), DOMAIN))
    first, second = result.iter(f"{{{NS}}}item")
    assert {child.tag.partition("}")[2]: child.text for child in first} == {
        "name": "#Python",
        "description": "all <things> python",
        "nusers": "1200",
        "service-type": "xep-0045",
    }
    assert second.get("address") == rf"#a\b\40c%irc.test@{DOMAIN}" and second.find(f"{{{NS}}}nusers") is None
    paged = result.find(f"{{{rsm.NS}}}set")
    assert paged is not None
    assert [(child.tag.partition("}")[2], child.text, child.get("index")) for child in paged] == [
        ("first", f"#python%irc.test@{DOMAIN}", "10"),
        ("last", rf"#a\b\40c%irc.test@{DOMAIN}", None),
        ("count", "99", None),
    ]


def test_no_results_are_results() -> None:
    result = ET.fromstring(channelsearch.results(Page((), 0, 0), DOMAIN))
    assert result.tag == f"{{{NS}}}result" and [child.tag for child in result] == [f"{{{rsm.NS}}}set"]


def test_items_are_as_many_as_fit_and_say_which() -> None:
    rooms = [(Address("room", f"#{'x' * 150}{n}%irc.test"), About("é" * 150, 1)) for n in range(1_000)]
    text = channelsearch.items(Page(rooms, 0, 1_000), DOMAIN)
    assert len(text.encode()) < MAX_STANZA
    query = ET.fromstring(text)
    jids = [item.get("jid") for item in query.iter(f"{{{ITEMS_NS}}}item")]
    assert 50 < len(jids) < 1_000
    assert query.findtext(f"{{{rsm.NS}}}set/{{{rsm.NS}}}last") == jids[-1]
