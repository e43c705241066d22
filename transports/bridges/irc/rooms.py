"""Running a channel: ranks, kicks, bans and configuration, each asked of the server and answered when it has.

The half of the bridge that `ports.LiveBridge` calls administer, ranked, configuration and configure; what the lines look like
is `ranks`' and `modes`' business. XEP-0045 8 to 10 is what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import chosen, modes, ranks, write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.channel import Channel
from transports.bridges.irc.charsets import NO_ROOMS
from transports.bridges.irc.crowd import bans, member_of, nick_of
from transports.bridges.irc.isupport import rank
from transports.bridges.irc.ranks import RANK_ERRORS, Mode
from transports.bridges.irc.settings import (
    ENCODING_IN,
    ENCODING_OUT,
    MENTION_CHOICES,
    MENTIONS,
    PERSISTENT,
    RECORD,
    UNSET,
    Set,
)
from transports.describe import Answers, Field, Form, Value
from transports.errors import LegacyError
from transports.events import NO_RANK, Address, Rank
from transports.ports import Change, Options, Ranked
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.wire import Link

#: Items of one request.
MOST_CHANGES: Final = 50
#: Seconds for what is only asked to know better.
SOON: Final = 8.0
#: List modes: letter -> what the list is (Modern IRC; q is a list on Solanum alone).
LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "b": ("367", "368"),
    "e": ("348", "349"),
    "I": ("346", "347"),
    "q": ("728", "729"),
}
_OUTCAST: Final = Rank("outcast", "none")


class Rooms:
    """Mixed into the bridge, which has what is annotated here."""

    fixed: str
    options: Options
    set: Set

    def links_of(self, user: str) -> list[Link]:
        raise NotImplementedError

    def link_to(self, user: str, server: str) -> Link | None:
        """A user's connection to a server, if it is up."""
        return next((link for link in self.links_of(user) if link.settings.name == server and link.net.ready), None)

    def recode(self, user: str, server: str) -> None:
        """A user's connection reads and writes channels in the charsets that are set for them now."""
        link = self.link_to(user, server)
        if link is not None:
            link.net.charsets = self.charsets_of(user, link)

    def charsets_of(self, user: str, link: Link) -> Mapping[str, tuple[str, str]]:
        """The charsets of channels that have their own."""
        found: dict[str, tuple[str, str]] = {}
        for place in self.options.places(user):
            name, server = irc_address.split(place, self.fixed)
            if place.kind == "room" and server == link.settings.name:
                held = self.options.of(user, place)
                pair = str(held.get(ENCODING_IN, "")), str(held.get(ENCODING_OUT, ""))
                if any(pair):
                    found[link.net.isupport.fold(name)] = pair
        return found or NO_ROOMS

    def inside(self, user: str, room: Address) -> tuple[Link, Channel]:
        """A channel that a user is in; LegacyError when it is none."""
        name, server = irc_address.split(room, self.fixed)
        link = self.link_to(user, server)
        channel = link.net.find(name) if link is not None else None
        if link is None or channel is None or not channel.entered:
            raise LegacyError("forbidden", say("irc.not-in"))
        return link, channel

    # Ranks (XEP-0045 8, 9, 10.3 to 10.8) ------------------------------------------------------------------------------

    async def administer(self, user: str, room: Address, changes: Sequence[Change]) -> None:
        """What cannot be is found out before anything is done; then the modes, then the kicks."""
        link, channel = self.inside(user, room)
        if len(changes) > MOST_CHANGES:
            raise LegacyError("not-acceptable", say("irc.many-changes", most=MOST_CHANGES))
        wanted: list[Mode] = []
        kicks: list[tuple[str, str]] = []
        for change in changes:
            made, nick = await self._planned(link, channel, change)
            wanted += made
            if nick:
                kicks.append((nick, change.reason))
        await self._set_modes(link, channel, wanted)
        for nick, reason in kicks:
            await self._kick(link, channel, nick, reason)

    async def _planned(self, link: Link, channel: Channel, change: Change) -> tuple[list[Mode], str]:
        """(modes to set, whom to kick) for one change. LegacyError."""
        net = link.net
        name = change.nick or self._named(change.address, net.server)
        member = "" if ranks.is_mask(name) and not change.nick else member_of(net, channel, name, link.loop.time())
        if not member and not ranks.is_mask(name):
            _fit(name)
        if change.role == "none":
            if not member:
                raise _absent(name)
            return [], member
        if change.affiliation == "outcast":
            if member == net.nick:
                raise LegacyError("conflict", say("irc.not-yourself"))  # XEP-0045 9.1
            mask = name if ranks.is_mask(name) else ranks.mask_of(name, await self._host(link, name))
            return [Mode(True, "b", mask)], member
        if member:
            return _remarked(link, channel, member, change), ""
        if change.affiliation != "none":
            raise _absent(name)
        return await self._unban(link, channel, name), ""

    def _named(self, address: str, server: str) -> str:
        """The nick or mask of an address; LegacyError when it is of another network."""
        if self.fixed:
            return address
        name, _, host = address.rpartition("%")
        if host != server or not name:
            raise LegacyError("item-not-found", say("irc.other-network", server=server))
        return name

    async def _host(self, link: Link, nick: str) -> str:
        """`~user@host` of somebody, '' where nobody knows it."""
        known = link.net.people.get(nick)
        if known is not None and known.host:
            return known.host
        question = Question(write.line("USERHOST", nick), (link.net.nick,), ends=frozenset(("302",)), within=SOON)
        try:
            lines = await link.ask(question)
        except LegacyError:
            return ""
        _, _, found = lines[-1].params[-1].partition("=")  # `bob*=+~bob@host`
        return found[1:].strip() if "@" in found else ""

    async def _unban(self, link: Link, channel: Channel, name: str) -> list[Mode]:
        """A mask as it is; of a nick every ban that is about it, or about where it is known to be."""
        if ranks.is_mask(name):
            return [Mode(False, "b", name)]
        entries = await self.listed(link, channel, "b")
        host = ranks.mask_of(name, await self._host(link, name))
        about = [mask for mask, _, _ in entries if mask == host or (mask[:1] != "*" and bans(mask, name))]
        if not about:
            raise LegacyError("item-not-found", say("irc.not-banned", nick=name))
        return [Mode(False, "b", mask) for mask in about[:MOST_CHANGES]]

    async def _set_modes(self, link: Link, channel: Channel, wanted: Sequence[Mode]) -> None:
        """LegacyError when the server says no, or does nothing."""
        for line, group in ranks.mode_lines(channel.name, link.net.isupport.modes, wanted):
            try:
                lines = await link.ask(ranks.mode_question(channel.name, line, group, link.net.token()))
            except LegacyError as error:
                if error.condition == "conflict" and all(mode.letter == "b" for mode in group):
                    continue  # they are in the list already
                own = channel.members.get(link.net.nick, NO_RANK)
                raise ranks.sharper(error, own.mark) from None
            undone = [mode for mode in group if _undone(link, channel, mode, [said.params for said in lines])]
            if undone:
                if all(mode.letter in LISTS and not mode.added for mode in undone):
                    raise LegacyError("item-not-found", say("irc.not-listed"))
                raise modes.refused(undone)

    async def _kick(self, link: Link, channel: Channel, nick: str, reason: str) -> None:
        net = link.net
        question = ranks.kick_question(channel.name, nick, reason, net.isupport.kicklen, net.isupport.fold, net.token())
        try:
            await link.ask(question)
        except LegacyError as error:
            raise ranks.sharper(error, channel.members.get(net.nick, NO_RANK).mark) from None
        if nick in channel.members and nick != net.nick:
            raise LegacyError("not-allowed", say("irc.not-kicked", nick=nick))

    # Lists ------------------------------------------------------------------------------------------------------------

    async def ranked(self, user: str, room: Address, role: str, affiliation: str) -> Sequence[Ranked]:
        link, channel = self.inside(user, room)
        if affiliation == "outcast":
            return [self._banned(link, *entry) for entry in await self.listed(link, channel, "b")]
        return [
            Ranked(held, nick, irc_address.person(nick, link.net.server, self.fixed).name)
            for nick, held in channel.members.items()
            if held.role == role or held.affiliation == affiliation
        ]

    def _banned(self, link: Link, mask: str, by: str, when: float | None) -> Ranked:
        name = mask if self.fixed else f"{mask}%{link.net.server}"
        return Ranked(_OUTCAST, "", name, "", by, when)

    async def listed(self, link: Link, channel: Channel, letter: str) -> list[tuple[str, str, float | None]]:
        """(mask, who set it, when) of a list mode: b, e, I or q. LegacyError."""
        row, end = LISTS[letter]
        question = Question(
            write.mode(channel.name, letter),
            (channel.name,),
            frozenset((row,)),
            frozenset((end,)),
            RANK_ERRORS,
            within=ranks.WITHIN,
        )
        lines = await link.ask(question)
        found = []
        for line in lines:
            # 367: me #c mask [by [when]]; 728 has the letter before the mask
            rest = line.params[3:] if line.command == "728" else line.params[2:]
            if line.command == row and rest and rest[0]:
                by = _setter(rest[1]) if len(rest) > 1 else ""
                when = float(rest[2]) if len(rest) > 2 and rest[2].isdecimal() and len(rest[2]) < 12 else None
                found.append((rest[0], by, when))
        return found

    async def change_list(self, link: Link, channel: Channel, mode: Mode) -> None:
        await self._set_modes(link, channel, [mode])

    # Configuration (XEP-0045 10.2) ------------------------------------------------------------------------------------

    async def configuration(self, user: str, room: Address) -> Form:
        """The channel's modes, for those who are in it, and what the user has set for it."""
        name, server = irc_address.split(room, self.fixed)
        fields: list[Field] = []
        words = say("irc.configure-outside")
        link = self.link_to(user, server)
        channel = link.net.find(name) if link is not None else None
        if link is not None and channel is not None and channel.entered:
            fields = modes.fields(link.net.isupport, await self._modes(link, channel))
            words = say("irc.configure-help")
        named = [field for field in fields if not field.var.startswith(modes.OTHER)]
        others = [field for field in fields if field.var.startswith(modes.OTHER)]
        return Form(say("irc.configure-title", channel=name), [*named, *self.own_fields(user, room), *others], words)

    def own_fields(self, user: str, room: Address) -> list[Field]:
        """What a user can set for a room, with what holds now."""
        now = self.options.of(user, room)
        record = {UNSET: say("irc.as-server"), "true": say("talk.yes"), "false": say("talk.no")}
        mentions = dict(zip((UNSET, *MENTION_CHOICES), _mention_words(), strict=True))
        return [
            Field(PERSISTENT, say("irc.room-persistent"), "switch", default=self.set.persistent(user, room)),
            Field(RECORD, say("irc.set-record"), "choice", default=now.get(RECORD, UNSET), options=record),
            Field(MENTIONS, say("irc.room-mentions"), "choice", default=now.get(MENTIONS, UNSET), options=mentions),
            Field(ENCODING_IN, say("irc.set-encoding-in"), help=say("irc.set-encoding-in-help"), default=now.get(ENCODING_IN, ""),
                  check=chosen.charset),
            Field(ENCODING_OUT, say("irc.set-encoding-out"), help=say("irc.set-encoding-out-help"),
                  default=now.get(ENCODING_OUT, ""), check=chosen.charset),
        ]  # fmt: skip

    async def configure(self, user: str, room: Address, answers: Answers) -> None:
        """First what needs nobody's leave, then the modes that are to be others."""
        await self._keep(user, room, answers)
        given = {var: value for var, value in answers.items() if var.startswith(("muc#", modes.OTHER))}
        if given:
            link, channel = self.inside(user, room)
            on = await self._modes(link, channel)
            await self._set_modes(link, channel, modes.changes(link.net.isupport, on, given))

    async def _keep(self, user: str, room: Address, answers: Answers) -> None:
        now = self.options.of(user, room)
        changes: dict[str, Value | None] = {}
        for field in self.own_fields(user, room):
            if field.var in answers and answers[field.var] != field.default:
                value = answers[field.var]
                changes[field.var] = None if value in ("", UNSET) else value
        if any(now.get(var) != value for var, value in changes.items()):
            await self.options.change(user, room, changes)
            self.recode(user, irc_address.split(room, self.fixed)[1])

    async def _modes(self, link: Link, channel: Channel) -> dict[str, str]:
        """The modes that are on, and their arguments."""
        line, end = write.mode(channel.name), frozenset(("324",))
        question = Question(line, (channel.name,), ends=end, errors=RANK_ERRORS, within=ranks.WITHIN)
        return modes.current(link.net.isupport, (await link.ask(question))[-1].params[2:])


def _mention_words() -> tuple[str, ...]:
    return say("irc.as-everywhere"), say("irc.mentions-off"), say("irc.mentions-mine"), say("irc.mentions-all")


def _absent(nick: str) -> LegacyError:
    return LegacyError("item-not-found", say("room.absent", nick=nick))


def _fit(nick: str) -> None:
    """LegacyError for what nobody on IRC can be called."""
    try:
        write.target(nick)
    except write.BadLine:
        raise LegacyError("item-not-found", say("irc.unfit", target=nick)) from None


def _setter(source: str) -> str:
    try:
        return nick_of(source)
    except ValueError:
        return ""


def _last_operator(channel: Channel, nick: str) -> bool:
    """Whether `nick` is an operator of the channel and nobody else is."""
    high = ("owner", "admin")
    own = rank(channel.members[nick].mark).affiliation in high
    return own and not any(held.affiliation in high for other, held in channel.members.items() if other != nick)


def _remarked(link: Link, channel: Channel, nick: str, change: Change) -> list[Mode]:
    """The modes that give a member another rank. LegacyError."""
    give, take = ranks.marks(link.net.isupport, channel.members[nick].mark, change.role, change.affiliation)
    if take and not give and nick == link.net.nick and _last_operator(channel, nick):
        raise LegacyError("conflict", say("irc.last-operator"))  # XEP-0045 10.4
    return [*(Mode(False, letter, nick) for letter in take), *([Mode(True, give, nick)] if give else [])]


def _undone(link: Link, channel: Channel, mode: Mode, lines: Sequence[Sequence[str]]) -> bool:
    """Whether a change that the server said nothing against did not come about. A ban that is there already may be silent."""
    if mode.letter in link.net.isupport.prefixes[0]:
        held = channel.members.get(mode.argument)
        return held is not None and (mode.letter in held.mark) is not mode.added
    if mode.letter in link.net.isupport.chanmodes[0] and mode.added:
        return False
    return bool(modes.missing(link.net.isupport, [mode], lines))
