"""The requests of those who run a room, and their answers: XEP-0045's muc#admin and muc#owner, as values and text.

Pure; knows no bridge and nobody's rights. Sections 8 (moderators), 9 (admins), 10 (owners); XEP-0059 for lists that are long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.errors import LegacyError
from transports.ports import Change, Ranked
from transports.words import in_language, say
from transports.xmpp import forms, rsm, xml
from transports.xmpp.address import JidError, from_local, jid_of, parse
from transports.xmpp.write import stamp

ADMIN: Final = "http://jabber.org/protocol/muc#admin"
OWNER: Final = "http://jabber.org/protocol/muc#owner"
ROOMCONFIG: Final = "http://jabber.org/protocol/muc#roomconfig"

ROLES: Final = frozenset(("moderator", "participant", "visitor", "none"))
AFFILIATIONS: Final = frozenset(("owner", "admin", "member", "outcast", "none"))
#: Items of one request, and characters of a reason.
MOST: Final = 500
REASON: Final = 1_000
#: Bytes of a list; the stanza around it has the rest.
_ROOM: Final = xml.MAX_STANZA - 12_000
_ITEM: Final = f"{{{ADMIN}}}item"


# What is asked ----------------------------------------------------------------------------------------------------------


def wanted(query: Element) -> tuple[str, str]:
    """Of a request for a list (role, affiliation): one of them is ''. LegacyError (bad-request)."""
    items = query.findall(_ITEM)
    if len(items) != 1:
        raise _bad()
    role, affiliation = items[0].get("role", ""), items[0].get("affiliation", "")
    if bool(role) == bool(affiliation) or not (role in ROLES or affiliation in AFFILIATIONS):
        raise _bad()
    return role, affiliation


class Own(NamedTuple):
    """Who asks: bare JID, and nick in the room, '' where that is not known."""

    jid: str = ""
    nick: str = ""


NOBODY: Final = Own()


def changes(query: Element, domain: str, own: Own = NOBODY) -> list[Change]:
    """Of a request to change something its items; `domain` is ours. LegacyError."""
    items = query.findall(_ITEM)
    if not items or len(items) > MOST:
        raise _bad()
    return [_change(item, domain, own) for item in items]


def _change(item: Element, domain: str, own: Own) -> Change:
    role, affiliation = item.get("role", ""), item.get("affiliation", "")
    nick, address = item.get("nick", ""), ""
    if bool(role) == bool(affiliation) or not (role in ROLES or affiliation in AFFILIATIONS):
        raise _bad()
    if item.get("jid") and not (role and nick):  # a nick beside an affiliation is one to reserve (9.3)
        nick, address = _meant(item.get("jid", ""), domain, own)
    elif not nick:
        raise _bad()
    reason = " ".join((item.findtext(f"{{{ADMIN}}}reason") or "").split())
    return Change(nick, address, role, affiliation, reason[:REASON])


def _meant(text: str, domain: str, own: Own) -> tuple[str, str]:
    """(nick of an occupant, '') or ('', name of an address) of a JID; LegacyError when it is nobody's of ours."""
    if "@" not in text and "/" not in text and text != domain:
        return text, ""  # COMPAT: Profanity's /ban and /affiliation take nicks for JIDs
    try:
        jid = parse(text)
    except JidError:
        raise LegacyError("jid-malformed", say("gate.address")) from None
    if jid.bare == own.jid and own.nick:
        return own.nick, ""
    if jid.domain != domain or not jid.local:
        raise LegacyError("item-not-found", say("room.foreigner", jid=jid.bare))
    return "", from_local(jid.local)


def _bad() -> LegacyError:
    return LegacyError("bad-request", say("room.items"))


# What is answered -------------------------------------------------------------------------------------------------------


def listed(
    found: Sequence[Ranked],
    domain: str,
    language: str = "",
    paging: rsm.Paging | None = None,
    own: Own = NOBODY,
    roles: bool = True,
) -> str:
    """A list as `<query/>`: all of it, or a page of it where it is asked for or does not fit (then it says so, XEP-0059).

    roles   whether roles are told. COMPAT: Converse.js 14 asks for affiliations and takes each item's nick for its role.

    Of outcasts neither nick nor role is told (9.2). LegacyError when the page is gone.
    """
    first, most = _start(found, paging or rsm.NO_PAGING), paging.most if paging is not None else None
    rendered: list[str] = []
    size = 0
    for ranked in found[first : None if most is None else first + most]:
        item = _item(ranked, domain, language, own, roles)
        size += len(item.encode("utf-8", "replace"))
        if size > _ROOM:
            break
        rendered.append(item)
    page = ""
    if paging is not None or len(rendered) < len(found):
        shown = found[first : first + len(rendered)]
        page = rsm.page(_key(shown[0]), _key(shown[-1]), first, len(found)) if shown else rsm.page("", "", 0, len(found))
    return f"<query xmlns='{ADMIN}'>{''.join(rendered)}{page}</query>"


def _start(found: Sequence[Ranked], paging: rsm.Paging) -> int:
    if paging.after is not None:
        return _index(found, paging.after) + 1
    if paging.before is not None:
        end = _index(found, paging.before) if paging.before else len(found)
        return max(0, end - (paging.most if paging.most is not None else len(found)))
    return paging.at or 0


def _index(found: Sequence[Ranked], key: str) -> int:
    for index, ranked in enumerate(found):
        if _key(ranked) == key:
            return index
    raise LegacyError("item-not-found", "")


def _key(ranked: Ranked) -> str:
    """What an item of a list is known by."""
    return ranked.address or ranked.nick


def _item(ranked: Ranked, domain: str, language: str, own: Own, roles: bool) -> str:
    rank = ranked.rank
    here = ""
    if rank.affiliation != "outcast":
        here = (f" nick='{xml.attr(ranked.nick)}'" if ranked.nick else "") + (f" role='{rank.role}'" if roles else "")
    who = jid_of(ranked.address, domain) if ranked.address and _fits(ranked.address) else ""
    if ranked.nick and ranked.nick == own.nick:
        who = own.jid
    jid = f" jid='{xml.attr(who)}'" if who else ""
    actor = f"<actor nick='{xml.attr(xml.clip(ranked.by, 400))}'/>" if ranked.by else ""
    words = in_language(ranked.reason or _since(ranked), language)
    reason = f"<reason>{xml.text(xml.clip(words, REASON))}</reason>" if words else ""
    return f"<item affiliation='{rank.affiliation}'{jid}{here}>{actor}{reason}</item>"


def _fits(name: str) -> bool:
    try:
        return bool(jid_of(name, "x"))
    except JidError:
        return False


def _since(ranked: Ranked) -> str:
    """Who did it and when, where the far side says nothing of why."""
    day = stamp(ranked.when)[:10] if ranked.when is not None else ""
    if ranked.by:
        return say("room.by-on", nick=ranked.by, day=day) if day else say("room.by", nick=ranked.by)
    return day


# Configuration (10.2) ---------------------------------------------------------------------------------------------------


def form(x: str) -> str:
    """The `<query/>` that holds a room's form."""
    return f"<query xmlns='{OWNER}'>{x}</query>"


def purpose(query: Element) -> tuple[str, Element | None]:
    """What a muc#owner set wants: ('destroy' | 'cancel' | 'submit', the form). LegacyError."""
    if query.find(f"{{{OWNER}}}destroy") is not None:
        return "destroy", None
    x = query.find(forms.X)
    if x is None or x.get("type") not in ("submit", "cancel"):
        raise LegacyError("bad-request", say("command.no-form"))
    return x.get("type", ""), x
