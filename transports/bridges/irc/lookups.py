"""What is to be known of people on IRC: their cards, from memory or by WHOIS, and the command that shows all of it.

Clients ask for the card of everybody in a room, servers throttle WHOIS: of occupants only what is known already is told, and of
others the server is asked a few times in a row at most, and once in five minutes for each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import watch, whois, write
from transports.bridges.irc.command import Commands
from transports.describe import AdHoc, Call, Card, Done, Field, Form
from transports.errors import LegacyError
from transports.events import NOBODY, Address, Kind
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge
    from transports.bridges.irc.wire import Link

#: Questions in a row to one network, and seconds for each further one.
BURST, EVERY = 5.0, 2.0
#: Seconds for which an answer is good, and how many are kept.
FRESH: Final = 300.0
KEPT: Final = 1_000
_PLACES: Final[frozenset[Kind]] = frozenset(("person", "server"))


class Lookups(Commands):
    """Answers are kept by connection: they go with it, and nobody sees another's."""

    def __init__(self, bridge: IrcBridge) -> None:
        super().__init__(bridge)
        self._answers: OrderedDict[tuple[int, str], tuple[float, whois.Whois]] = OrderedDict()
        self._places: WeakKeyDictionary[Link, tuple[float, float]] = WeakKeyDictionary()  # tokens, and when they were counted

    def all(self) -> Iterable[AdHoc]:
        return [AdHoc("whois", "whois", say("irc.whois"), self._whois, _PLACES, help=say("irc.whois-help"))]

    # Cards ------------------------------------------------------------------------------------------------------------

    async def card(self, user: str, address: Address) -> Card | None:
        """What the server tells of somebody; what is known already where it should not be asked again so soon."""
        nick, server = irc_address.split(address, self.fixed)
        link = self.links(user).get(server)
        if link is None or not link.net.ready:
            return self.glance(user, address)
        found = self._kept(link, nick)
        if found is None:
            if not self._affords(link):
                return self.glance(user, address)
            try:
                found = await self._ask(link, nick)
            except LegacyError as error:
                if error.condition != "item-not-found":
                    return self.glance(user, address)
                return None
        return whois.card(found)

    def glance(self, user: str, address: Address) -> Card | None:
        """What is known of somebody without asking."""
        nick, server = irc_address.split(address, self.fixed)
        link = self.links(user).get(server)
        if link is None:
            return None
        found = self._kept(link, nick)
        return whois.card(found) if found is not None else _met(link, nick)

    # The server -------------------------------------------------------------------------------------------------------

    def _key(self, link: Link, nick: str) -> tuple[int, str]:
        return id(link), link.net.isupport.fold(nick)

    def _kept(self, link: Link, nick: str) -> whois.Whois | None:
        kept = self._answers.get(self._key(link, nick))
        return kept[1] if kept is not None and 0 <= link.loop.time() - kept[0] < FRESH and link in self._places else None

    def _affords(self, link: Link) -> bool:
        now = link.loop.time()
        tokens, counted = self._places.get(link, (BURST, now))
        tokens = float(min(BURST, tokens + (now - counted) / EVERY))
        self._places[link] = (tokens - 1 if tokens >= 1 else tokens, now)
        return bool(tokens >= 1)

    async def _ask(self, link: Link, nick: str) -> whois.Whois:
        """LegacyError where there is nobody, or no answer."""
        try:
            answer = whois.read(await link.ask(whois.question(nick)))
        except write.BadLine:
            answer = None
        if answer is None:
            raise LegacyError("item-not-found", say("ircd.nobody", name=nick))
        self._answers[self._key(link, nick)] = (link.loop.time(), answer)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        return answer

    # The command ------------------------------------------------------------------------------------------------------

    async def _whois(self, call: Call) -> Done:
        nick = irc_address.split(call.at, self.fixed)[0]
        if not nick:
            field = Field("nick", say("irc.nick"), required=True)
            nick = str((await call.ask(Form(say("irc.whois"), [field])))["nick"])
        server = irc_address.split(call.at, self.fixed)[1]
        link = self.still(call.user, server)
        if not self._affords(link):
            raise LegacyError("resource-constraint", say("irc.too-many-questions"), retry_after=10)
        found = await self._ask(link, nick)
        return Done(say("irc.whois-done", nick=found.nick, server=server), whois.table(found))


def _met(link: Link, nick: str) -> Card | None:
    """Who shares a channel with us, or is watched."""
    net = link.net
    fold = net.isupport.fold
    contact = net.watch.contacts.get(fold(nick)) if net.watch is not None else None
    spelled = contact.nick if contact is not None else nick
    who = net.people.get(spelled, NOBODY)
    if who is NOBODY and watch.known(net, nick) is None:
        return None
    known = whois.Whois(spelled, who.host, who.name, who.account, away=who.away, bot=who.bot)
    return whois.card(known)
