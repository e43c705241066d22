"""A house beside the server of its users: rosters, privileges (XEP-0356) and clients, as Prosody and ejabberd have them.

What the gateway asks is answered by `settle`, what else it sends stays in `out`. ada@example.org is registered.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from tests.far import DOMAIN, FarBridge, House
from transports.accounts import Account

ADA = "ada@example.org"
DESK = f"{ADA}/desk"
BOB = f"bob@{DOMAIN}"
SERVER = "example.org"
ROSTER = "{jabber:iq:roster}"
LIST = "{http://jabber.org/protocol/rosterx}"
INFO = "{http://jabber.org/protocol/disco#info}query"
PRIVILEGED = "{urn:xmpp:privilege:2}privileged_iq"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
#: Turns of the loop without anything sent after which nothing is under way.
QUIET = 8


class Item(NamedTuple):
    name: str = ""
    groups: tuple[str, ...] = ()
    subscription: str = "none"


class Realm(House):
    """rosters    user -> jid -> item
    fails      condition with which roster sets end (ejabberd 23.01: internal-server-error), '' for none
    flat       roster sets make no subscriptions
    features   full JID -> what a client can do
    lists      (full JID, element of XEP-0144) that clients were sent; answered with `taken`: '' or a condition
    inner      the iq that a privileged iq is answered with, as XML of jabber:client; None answers nothing
    """

    def __init__(self, *users: str, bridge: FarBridge | None = None) -> None:
        super().__init__(*users, bridge=bridge)
        self.desk.accounts._accounts[ADA] = Account(ADA, 0.0)
        self.rosters: dict[str, dict[str, Item]] = {}
        self.fails = ""
        self.flat = False
        self.features: dict[str, list[str]] = {}
        self.lists: list[tuple[str, ET.Element]] = []
        self.taken = ""
        self.inner: str | None = None
        self.asked: list[ET.Element] = []

    def advert(self, *perms: str, version: int = 2, sender: str = SERVER, more: str = "") -> None:
        """`roster=both` and the like; `more` is XML beside them."""
        made = "".join(f"<perm access='{perm.partition('=')[0]}' type='{perm.partition('=')[2]}'/>" for perm in perms)
        advert = f"<privilege xmlns='urn:xmpp:privilege:{version}'>{made}{more}</privilege>"
        self.stanza(f"<message from='{sender}' to='{DOMAIN}'>{advert}</message>")

    def says(self, kind: str, to: str = BOB, sender: str = ADA, inner: str = "") -> None:
        typed = f" type='{kind}'" if kind else ""
        self.stanza(f"<presence from='{sender}' to='{to}'{typed}>{inner}</presence>")

    async def settle(self) -> list[str]:
        """Answer all that is asked until nothing is under way; the rest in short, as `short` has it."""
        return list(map(short, await self.rest()))

    async def rest(self) -> list[ET.Element]:
        kept: list[ET.Element] = []
        quiet = 0
        while quiet < QUIET:
            await asyncio.sleep(0)
            came = self.sent()
            quiet = 0 if came else quiet + 1
            for stanza in came:
                if stanza.tag == "iq" and stanza.get("type") in ("get", "set"):
                    self._answer(stanza)
                else:
                    kept.append(stanza)
        return kept

    def _answer(self, iq: ET.Element) -> None:
        self.asked.append(iq)
        payload, to = iq[0], iq.get("to", "")
        if payload.tag == f"{ROSTER}query":
            self._roster(iq, payload, to)
        elif payload.tag == INFO:
            if to in self.features:
                found = "".join(f"<feature var='{var}'/>" for var in self.features[to])
                self.result(iq, f"<query xmlns='{INFO[1:-6]}'>{found}</query>")
            else:
                self.error(iq, "service-unavailable")
        elif payload.tag == f"{LIST}x":
            self.lists.append((to, payload))
            if self.taken:
                self.error(iq, self.taken)
            else:
                self.result(iq)
        elif payload.tag == PRIVILEGED and self.inner is not None:
            forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{self.inner}</forwarded>"
            self.result(iq, f"<privilege xmlns='urn:xmpp:privilege:2'>{forwarded}</privilege>")

    def _roster(self, iq: ET.Element, query: ET.Element, user: str) -> None:
        roster = self.rosters.setdefault(user, {})
        if iq.get("type") == "get":
            items = []
            for jid, item in roster.items():
                groups = "".join(f"<group>{escape(group)}</group>" for group in item.groups)
                named = f"jid={quoteattr(jid)} name={quoteattr(item.name)} subscription={quoteattr(item.subscription)}"
                items.append(f"<item {named}>{groups}</item>")
            self.result(iq, f"<query xmlns='{ROSTER[1:-1]}'>{''.join(items)}</query>")
        elif self.fails:
            self.error(iq, self.fails)
        else:
            (item,) = query
            jid, subscription = item.get("jid", ""), item.get("subscription", "")
            if subscription == "remove":
                if roster.pop(jid, None) is None:
                    return self.error(iq, "item-not-found")
            else:
                groups = tuple(group.text or "" for group in item)
                before = roster.get(jid, Item())
                roster[jid] = Item(item.get("name", ""), groups, before.subscription if self.flat else subscription)
            self.result(iq)
        return None

    def result(self, iq: ET.Element, payload: str = "", sender: str = "") -> None:
        self.stanza(
            f"<iq type='result' id='{iq.get('id')}' from='{sender or iq.get('to')}' to='{DOMAIN}'>{payload}</iq>"
        )

    def error(self, iq: ET.Element, condition: str, sender: str = "") -> None:
        error = f"<error type='wait'><{condition} xmlns='{STANZAS}'/></error>"
        self.stanza(f"<iq type='error' id='{iq.get('id')}' from='{sender or iq.get('to')}' to='{DOMAIN}'>{error}</iq>")


def short(stanza: ET.Element) -> str:
    """`subscribed bob > ada@example.org`: type, our local part and resource, to whom."""
    kind = stanza.get("type") or stanza.findtext("show") or ("here" if stanza.tag == "presence" else stanza.tag)
    who = stanza.get("from", "").replace(f"@{DOMAIN}", "").replace(DOMAIN, "gateway")
    return f"{kind} {who} > {stanza.get('to', '').removesuffix('@example.org')}"
