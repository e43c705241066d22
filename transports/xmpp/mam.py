"""XEP-0313 as XML: queries in, results out. Pure; knows no archive, no iq's life and nobody who asks.

XEP-0313 (urn:xmpp:mam:2, #extended), XEP-0059 (pages), XEP-0297 (forwarded), XEP-0203 (delay), XEP-0359 (stanza ids),
XEP-0441 (preferences).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.archive.values import MOST_IDS, Extent, Line, Page, Query
from transports.errors import LegacyError
from transports.xmpp import forms, write, xml
from transports.xmpp.dates import moment, stamped
from transports.xmpp.past import spoken

NS: Final = "urn:xmpp:mam:2"
QUERY: Final = f"{{{NS}}}query"
METADATA: Final = f"{{{NS}}}metadata"
PREFS: Final = f"{{{NS}}}prefs"
FEATURES: Final = (NS, f"{NS}#extended", "urn:xmpp:sid:0")

RSM: Final = "http://jabber.org/protocol/rsm"
_VALIDATE: Final = "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>"

#: Messages of a page where the client names no number, and at most.
USUAL, MOST = 50, 100
#: Characters of an id that a client gives to a query.
LONGEST_ID: Final = 1_000


class Ask(NamedTuple):
    """A query as it was asked. with_: whose messages, '' for all; flipped: the page comes with its last message first."""

    query: Query
    id: str = ""
    with_: str = ""
    flipped: bool = False


# Reading ----------------------------------------------------------------------------------------------------------------


def asked(element: Element) -> Ask:
    """The `<query/>` of an iq. LegacyError for one that says what is not understood."""
    id = element.get("queryid", "")
    if len(id) > LONGEST_ID:
        raise LegacyError("bad-request", "")
    found: dict[str, object] = {}
    with_ = ""
    form = element.find(forms.X)
    if form is not None:
        fields = {var: values for var, values in forms.submitted(form).items() if any(values)}
        if fields.pop("FORM_TYPE", [NS]) != [NS]:
            raise LegacyError("bad-request", "")
        with_ = "".join(fields.pop("with", [])[:1])
        for var, values in fields.items():
            if var not in _READERS:
                raise LegacyError("feature-not-implemented", "")
            found.update(_READERS[var](values))
    paging = element.find(f"{{{RSM}}}set")
    if paging is not None:
        found.update(_paging(paging))
    query = Query(**{"most": USUAL, **found})  # type: ignore[arg-type]  # by name, as the readers give them
    return Ask(query, id, with_, element.find(f"{{{NS}}}flip-page") is not None)


def _time(name: str) -> Callable[[list[str]], Mapping[str, object]]:
    def read(values: list[str]) -> Mapping[str, object]:
        when = moment(values[0])
        if when is None:
            raise LegacyError("bad-request", "")
        return {name: when}

    return read


def _ids(values: list[str]) -> Mapping[str, object]:
    if len(values) > MOST_IDS:
        raise LegacyError("policy-violation", "")
    return {"ids": tuple(values)}


_READERS: Final[Mapping[str, Callable[[list[str]], Mapping[str, object]]]] = {
    "start": _time("start"),
    "end": _time("end"),
    "before-id": lambda values: {"before_id": values[0]},
    "after-id": lambda values: {"after_id": values[0]},
    "ids": _ids,
}


def _paging(element: Element) -> Mapping[str, object]:
    """XEP-0059 2."""
    found: dict[str, object] = {}
    if element.find(f"{{{RSM}}}index") is not None:
        raise LegacyError("feature-not-implemented", "")
    most = (element.findtext(f"{{{RSM}}}max") or "").strip()
    if most:
        if not (most.isascii() and most.isdigit()):
            raise LegacyError("bad-request", "")
        found["most"] = min(MOST, int(most[:9]))
    before = element.find(f"{{{RSM}}}before")
    if before is not None:
        found["before"] = (before.text or "").strip()
    found["after"] = (element.findtext(f"{{{RSM}}}after") or "").strip()
    return found


# Writing ----------------------------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """How the lines of one archive look to one asker. archive: its JID; user: the asker's bare JID.

    opening: of each result, up to its `>`; room: it is one's, and not a person's
    """

    opening: str
    archive: str
    user: str
    room: bool


def result(line: Line, shape: Shape, ask: Ask) -> str:
    """One result, a whole stanza. Of a message that would not fit only its id and time are told (XEP-0313 3.2)."""
    name = f" queryid='{xml.attr(ask.id)}'" if ask.id else ""
    head = f"{shape.opening}><result xmlns='{NS}'{name} id='{line.id}'><forwarded xmlns='urn:xmpp:forward:0'>"
    head += f"<delay xmlns='urn:xmpp:delay' stamp='{stamped(line.at)}'/>"
    end = "</forwarded></result></message>"
    stanza = f"{head}{_forwarded(line, shape)}{end}"
    return stanza if xml.fits(stanza) else f"{head}{end}"


def _forwarded(line: Line, shape: Shape) -> str:
    archive, user = xml.attr(shape.archive), xml.attr(shape.user)
    by = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{archive}' id='"
    if shape.room:
        item = f"<item affiliation='none' role='participant' jid='{user}'/>"
        real = f"<x xmlns='{write.MUC_USER}'>{item}</x>" if line.own else ""  # of others there is none
        return spoken(line, f"<message xmlns='jabber:client' type='groupchat' from='{archive}/", by, "", real)
    sender, to = (user, archive) if line.own else (archive, user)
    opening = f"<message xmlns='jabber:client' type='chat' from='{sender}' to='{to}'{write.id_attr(line.stanza)}>"
    return f"{opening}{line.content}{by}{line.id}'/></message>"


def fin(page: Page) -> str:
    """The answer to the iq, behind the results."""
    complete = " complete='true'" if page.complete else ""
    ends = ""
    if page.lines:
        ends = f"<first index='{page.at}'>{page.lines[0].id}</first><last>{page.lines[-1].id}</last>"
    return f"<fin xmlns='{NS}'{complete}><set xmlns='{RSM}'>{ends}<count>{page.total}</count></set></fin>"


def metadata(extent: Extent | None) -> str:
    if extent is None:
        return f"<metadata xmlns='{NS}'/>"
    ends = zip(("start", "end"), extent, strict=True)
    inner = "".join(f"<{name} id='{id}' timestamp='{stamped(at)}'/>" for name, (id, at) in ends)
    return f"<metadata xmlns='{NS}'>{inner}</metadata>"


def form() -> str:
    """The fields that a query may have."""
    types = {
        "with": "jid-single",
        "start": "text-single",
        "end": "text-single",
        "before-id": "text-single",
        "after-id": "text-single",
    }
    fields = "".join(f"<field type='{type}' var='{var}'/>" for var, type in types.items())
    ids = f"<field type='list-multi' var='ids'>{_VALIDATE}</field>"
    kind = f"<field type='hidden' var='FORM_TYPE'><value>{NS}</value></field>"
    return f"<query xmlns='{NS}'><x xmlns='{forms.NS}' type='form'>{kind}{fields}{ids}</x></query>"


def prefs(records: bool) -> str:
    """XEP-0441: whether anything is archived here."""
    return f"<prefs xmlns='{NS}' default='{'always' if records else 'never'}'><always/><never/></prefs>"
