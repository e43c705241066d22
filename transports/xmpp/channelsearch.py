"""Looking for rooms: XEP-0433's form, request and results, and disco#items with pages. Elements in, values and text out.

Pure. XEP-0433 (extended channel search), XEP-0030 3 and XEP-0059 (items, page by page), XEP-0045 6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.etree.ElementTree import Element

from transports.describe import Field, Form
from transports.errors import LegacyError
from transports.ports import About, Page, Search
from transports.words import say
from transports.xmpp import disco, forms, rsm
from transports.xmpp.address import JidError, from_local, jid_of, parse
from transports.xmpp.xml import MAX_STANZA, attr, clip, text

NS: Final = "urn:xmpp:channel-search:0:search"
PARAMS: Final = "urn:xmpp:channel-search:0:search-params"
ERRORS: Final = "urn:xmpp:channel-search:0:error"
_BY_USERS: Final = "{urn:xmpp:channel-search:0:order}nusers"
_BY_NAME: Final = "{urn:xmpp:channel-search:0:order}address"
_KEYS: Final = {_BY_USERS: "users", _BY_NAME: "name"}
_ROOMS: Final = "xep-0045"

#: Rooms of a page, where nothing is said.
USUAL: Final = 100
#: Characters of what is looked for.
LONGEST: Final = 200
_ROOM: Final = MAX_STANZA - 12_000


def form(language: str) -> str:
    """The search form (4.2.1)."""
    order = {_BY_USERS: say("search.by-users"), _BY_NAME: say("search.by-name")}
    asked = Form(
        say("search.title"),
        [
            Field("q", say("search.words")),
            Field("all", say("search.all"), "switch"),
            Field("sinname", say("search.in-name"), "switch", default=True),
            Field("sindescription", say("search.in-subject"), "switch", default=True),
            Field("min_users", say("search.least"), "number", default="1"),
            Field("types", say("search.types"), "choices", default=(_ROOMS,), options={_ROOMS: say("search.rooms")}),
            Field("key", say("search.order"), "choice", default=_BY_USERS, options=order),
        ],
    )
    return f"<search xmlns='{NS}'>{forms.render(asked, language, form_type=PARAMS)}</search>"


def wanted(query: Element, domain: str) -> Search | None:
    """What a request looks for; None: it asks for the form. LegacyError with a condition of XEP-0433's (4.2.2)."""
    x = query.find(forms.X)
    if x is None:
        return None
    given = {var: values for var, values in forms.submitted(x).items() if any(values)}
    if given.pop("FORM_TYPE", [PARAMS]) != [PARAMS]:
        raise _bad("bad-request", "no-search-conditions")
    said = _terms(given)
    key = _KEYS.get(_first(given, "key") or _BY_USERS)
    if key is None:
        raise _bad("feature-not-implemented", "invalid-sort-key")
    most = 0 if _ROOMS not in given.get("types", [_ROOMS]) else USUAL
    names, subjects = _yes(given, "sinname", True), _yes(given, "sindescription", True)
    search = Search(said[:LONGEST], _least(given), key, most, names=names, subjects=subjects)
    return paged(search, rsm.asked(query), domain)


def _terms(given: dict[str, list[str]]) -> str:
    """The words that are looked for; '' where everything is wanted."""
    said = _first(given, "q")
    if _yes(given, "all", False):
        if said:
            raise _bad("bad-request", "conflicting-fields")
        return ""
    if not said:
        raise _bad("bad-request", "invalid-search-terms" if "q" in given else "no-search-conditions")
    return said


def _first(given: dict[str, list[str]], var: str) -> str:
    return given[var][0].strip() if given.get(var) else ""


def _yes(given: dict[str, list[str]], var: str, usual: bool) -> bool:
    return _first(given, var).lower() in ("1", "true") if var in given else usual


def _least(given: dict[str, list[str]]) -> int:
    said = _first(given, "min_users")
    return int(said[:9]) if said.isascii() and said.isdigit() else 0


def _bad(condition: str, specific: str) -> LegacyError:
    return LegacyError(condition, "", type="modify", specific=(ERRORS, specific))


def paged(search: Search, paging: rsm.Paging | None, domain: str) -> Search:
    """The page that is asked for: rooms are known by their JIDs."""
    if paging is None:
        return search
    most = search.most if paging.most is None else min(paging.most, search.most)
    after = _name(paging.after, domain) if paging.after is not None else None
    before = _name(paging.before, domain) if paging.before else paging.before
    return search._replace(most=most, after=after, before=before, at=paging.at)


def _name(jid: str, domain: str) -> str:
    try:
        found = parse(jid)
    except JidError:
        raise LegacyError("item-not-found", "") from None
    if found.domain != domain:
        raise LegacyError("item-not-found", "")
    return from_local(found.local)


# Answers ----------------------------------------------------------------------------------------------------------------


def results(page: Page, domain: str) -> str:
    """The rooms found (4.2.2.1), as many as fit."""
    inner = _rendered(page, domain, _result)
    return f"<result xmlns='{NS}'>{inner}</result>"


def items(page: Page, domain: str) -> str:
    """The rooms as disco#items; with `<set/>` where these are not all (XEP-0045 6.3)."""
    return f"<query xmlns='{disco.ITEMS_NS}'>{_rendered(page, domain, _item)}</query>"


def _rendered(page: Page, domain: str, one: Callable[[str, About], str]) -> str:
    parts: list[str] = []
    jids: list[str] = []
    size = 0
    for address, about in page.rooms:
        try:
            jid = jid_of(address.name, domain)
        except JidError:
            continue
        part = one(jid, about)
        size += len(part.encode("utf-8", "replace"))
        if size > _ROOM:
            break
        parts.append(part)
        jids.append(jid)
    ends = (jids[0], jids[-1]) if jids else ("", "")
    return "".join(parts) + rsm.page(*ends, page.first, page.total)


def _result(jid: str, about: About) -> str:
    users = f"<nusers>{about.occupants}</nusers>" if about.occupants is not None else ""
    subject = f"<description>{_words(about.subject)}</description>" if about.subject else ""
    return (
        f"<item address='{attr(jid)}'><name>{_words(about.name)}</name>{subject}{users}"
        f"<service-type>{_ROOMS}</service-type></item>"
    )


def _item(jid: str, about: About) -> str:
    return f"<item jid='{attr(jid)}' name='{attr(clip(about.name, 1_000))}'/>"


def _words(words: str) -> str:
    return text(clip(" ".join(words.split()), 1_000))
