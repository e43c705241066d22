"""What users do on a network beside talking: a nick, a raw line, a channel, whom they ignore, how they log in.

Whatever is typed reaches the server through `write` as one line, and waits its turn in the flow like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from transports.bridges.irc import address as irc_address
from transports.bridges.irc import ignoring, write
from transports.bridges.irc.asks import Question
from transports.bridges.irc.chosen import raw_line
from transports.bridges.irc.command import ROOM, SERVERS, Commands
from transports.bridges.irc.numerics import NICK_ERRORS, Refusal
from transports.bridges.irc.orders import nick_line
from transports.bridges.irc.settings import IGNORED, PERSISTENT, SECRETS
from transports.describe import AdHoc, Call, Done, Field, Form, Value
from transports.errors import LegacyError
from transports.events import Address, Invited
from transports.words import say

#: Channels of one network that a list of them may have.
MOST_CHANNELS: Final = 200
#: Seconds for which a server's answers to a raw line are shown that are otherwise kept from people.
LOUD: Final = 15
#: What services say is a matter of their own; only that the command is unknown ends the wait.
_SERVICES_ERRORS: Final = {
    "421": Refusal("feature-not-implemented", "irc.no-services"),
    "401": Refusal("item-not-found", "irc.no-services"),
    "440": Refusal("service-unavailable", "irc.no-services"),
}


class Acting(Commands):
    def all(self) -> Iterable[AdHoc]:
        found = [
            AdHoc("nick", "nick", say("irc.nick-change"), self._nick, SERVERS, help=say("irc.nick-change-help")),
            AdHoc("join", "join", say("irc.join"), self._join, SERVERS, help=say("irc.join-help")),
            AdHoc("autojoin", "autojoin", say("irc.autojoin"), self._autojoin, SERVERS, help=say("irc.autojoin-help")),
            AdHoc("ignore", "ignore", say("irc.ignore"), self._ignore, SERVERS, help=say("irc.ignore-help")),
            AdHoc("unignore", "unignore", say("irc.unignore"), self._unignore, SERVERS, help=say("irc.unignore-help")),
            AdHoc("identify", "identify", say("irc.identify"), self._identify, SERVERS, help=say("irc.identify-help")),
            AdHoc("certificate", "certificate", say("irc.cert"), self._certificate, SERVERS, help=say("irc.cert-help")),
            AdHoc("stay", "stay", say("irc.stay"), partial(self._stay, True), ROOM, help=say("irc.stay-help")),
            AdHoc("unstay", "unstay", say("irc.unstay"), partial(self._stay, False), ROOM, help=say("irc.unstay-help")),
        ]
        raw = self.bridge.settings.raw
        if raw != "off":
            role = "admin" if raw == "admins" else "user"
            found.append(AdHoc("raw", "raw", say("irc.raw"), self._raw, SERVERS, role, help=say("irc.raw-help")))  # type: ignore[arg-type]
        return found

    async def named(self, call: Call, title: str) -> str:
        """A network of the user's, whether it is connected or not."""
        return await self.network(call, title, {*self.known(call.user), *filter(None, [self.here(call)])})

    # Lines --------------------------------------------------------------------------------------------------------------

    async def _nick(self, call: Call) -> Done:
        link = await self.link(call, say("irc.nick-change"))
        field = Field("nick", say("irc.nick"), required=True, default=link.net.nick, check=_nick)
        nick = str((await call.ask(Form(say("irc.nick-change"), [field])))["nick"])
        link = self.still(call.user, link.settings.name)
        net = link.net
        if nick == net.nick:
            return Done(say("irc.nick-is", nick=nick))
        await link.ask(Question(nick_line(nick), (nick,), errors=NICK_ERRORS, fence=net.token()))
        return Done(say("irc.nick-is", nick=net.nick))  # as much of it as the server takes

    async def _raw(self, call: Call) -> Done:
        link = await self.link(call, say("irc.raw"))
        field = Field("line", say("irc.raw-line"), help=say("irc.raw-line-help"), required=True, check=raw_line)
        line = str((await call.ask(Form(say("irc.raw"), [field])))["line"])
        link = self.still(call.user, link.settings.name)
        if line.strip().upper() == "LIST":
            raise LegacyError("not-allowed", say("irc.raw-list"))
        if not link.queue("", [line]):
            raise LegacyError("resource-constraint", say("irc.full"), retry_after=60)
        link.net.loud = LOUD
        return Done(say("irc.raw-sent", server=link.settings.name))

    # Channels -----------------------------------------------------------------------------------------------------------

    async def _join(self, call: Call) -> Done:
        """A channel is a room that the client joins: an invitation leads there."""
        server = await self.named(call, say("irc.join"))
        field = Field("channel", say("irc.channel"), required=True, check=_channel)
        room = self.room(str((await call.ask(Form(say("irc.join"), [field])))["channel"]), server)
        self.session(call).outlet.tell(Invited(room, "", say("irc.join-asked")))
        return Done(say("irc.join-done", channel=irc_address.split(room, self.fixed)[0]))

    async def _autojoin(self, call: Call) -> Done:
        """The channels of a network in which the user stays, whether a client is there or not."""
        server = await self.named(call, say("irc.autojoin"))
        before = self.staying(call.user, server)
        field = Field("channels", say("irc.channels"), "lines", say("irc.autojoin-lines"), default=before, check=_channel)
        given = (await call.ask(Form(say("irc.autojoin"), [field], say("irc.autojoin-help"))))["channels"]
        wanted = tuple(dict.fromkeys(irc_address.lower(one) for one in given if one)) if isinstance(given, tuple) else ()
        most = min(MOST_CHANNELS, self.bridge.settings.limits.channels)
        if len(wanted) > most:
            raise LegacyError("resource-constraint", say("irc.too-many-channels", count=most, server=server))
        for channel in (*wanted, *before):
            if (channel in wanted) != (channel in before):
                await self.stays(call, self.room(channel, server), channel in wanted)
        return Done(say("irc.autojoin-done", count=len(wanted), server=server))

    async def _stay(self, stay: bool, call: Call) -> Done:
        await self.stays(call, call.at, stay)
        channel = irc_address.split(call.at, self.fixed)[0]
        return Done(say("irc.stayed" if stay else "irc.unstayed", channel=channel))

    async def stays(self, call: Call, room: Address, stay: bool) -> None:
        """Stay in a room without a client, or no longer; it is joined now if the network is there. LegacyError."""
        value = stay if stay != self.set.persistent_around(call.user, room) else None
        await self.options.change(call.user, room, {PERSISTENT: value})
        link = self.links(call.user).get(irc_address.split(room, self.fixed)[1])
        if not stay:
            call.abandon(room)
        elif link is not None and link.net.ready:
            most = link.settings.channels or self.bridge.settings.limits.channels
            if not link.net.takes(room, most):
                raise LegacyError("resource-constraint", say("irc.too-many-channels", count=most, server=link.settings.name))
            call.enter(room, link.net.nick)

    # People -------------------------------------------------------------------------------------------------------------

    async def _ignore(self, call: Call) -> Done:
        server = await self.named(call, say("irc.ignore"))
        masks = self.set.ignored(call.user, self.place(server))
        shown = ", ".join(masks) if masks else say("irc.ignored-none")
        field = Field("mask", say("irc.mask"), help=say("irc.mask-help"), required=True, check=ignoring.mask)
        mask = str((await call.ask(Form(say("irc.ignore"), [field], say("irc.ignored-now", masks=shown))))["mask"])
        masks = self.set.ignored(call.user, self.place(server))
        if mask not in masks:
            if len(masks) >= ignoring.MOST:
                raise LegacyError("resource-constraint", say("irc.too-many-masks", most=ignoring.MOST))
            await self._keep_masks(call, server, (*masks, mask))
        return Done(say("irc.ignored", mask=mask, server=server))

    async def _unignore(self, call: Call) -> Done:
        server = await self.named(call, say("irc.unignore"))
        masks = self.set.ignored(call.user, self.place(server))
        if not masks:
            return Done(say("irc.ignored-none"))
        options = {mask: mask for mask in masks}
        field = Field("masks", say("irc.masks"), "choices", required=True, options=options)
        chosen = (await call.ask(Form(say("irc.unignore"), [field])))["masks"]
        gone = chosen if isinstance(chosen, tuple) else ()
        left = [mask for mask in self.set.ignored(call.user, self.place(server)) if mask not in gone]
        await self._keep_masks(call, server, left)
        return Done(say("irc.unignored", masks=", ".join(gone)))

    async def _keep_masks(self, call: Call, server: str, masks: Sequence[str]) -> None:
        await self.options.change(call.user, self.place(server), {IGNORED: tuple(masks) or None})
        self.apply(call.user, server)

    # Logging in ---------------------------------------------------------------------------------------------------------

    async def _identify(self, call: Call) -> Done:
        """Keep an account for the next connection (SASL), and log in now where that is safe."""
        server = await self.named(call, say("irc.identify"))
        place = self.place(server)
        now = self.options.of(call.user, place)
        link = self.links(call.user).get(server)
        nick = link.net.nick if link is not None else ""
        fields = [
            Field("sasl_user", say("irc.set-account"), required=True, default=now.get("sasl_user") or nick or None,
                  check=_word),
            Field("sasl_password", say("irc.set-sasl"), "secret", required=True, check=_secret),
        ]  # fmt: skip
        answers = await call.ask(Form(say("irc.identify"), fields, say("irc.identify-help")))
        kept: dict[str, Value | None] = {var: answers[var] for var in ("sasl_user", "sasl_password")}
        await self.options.change(call.user, place, kept, SECRETS)
        link = self.links(call.user).get(server)
        if link is None or not link.net.ready:
            return Done(say("irc.identify-kept", server=server))
        if not link.encrypted:
            return Done(say("irc.identify-plain", server=server))
        line = write.line("NICKSERV", "IDENTIFY", str(kept["sasl_user"]), str(kept["sasl_password"]))
        try:
            await link.ask(Question(line, ("NICKSERV",), errors=_SERVICES_ERRORS, fence=link.net.token()))
        except LegacyError:
            return Done(say("irc.identify-kept", server=server))
        return Done(say("irc.identify-sent", server=server))

    async def _certificate(self, call: Call) -> Done:
        """A certificate of the user's own for a network, to log in with (CertFP, SASL EXTERNAL)."""
        server = await self.named(call, say("irc.cert"))
        place, certificates = self.place(server), self.bridge.certificates
        options = {"show": say("irc.cert-show"), "renew": say("irc.cert-renew"), "remove": say("irc.cert-remove")}
        field = Field("action", say("irc.cert"), "choice", default="show", options=options)
        action = (await call.ask(Form(say("irc.cert"), [field], say("irc.cert-help"))))["action"]
        if action == "remove":
            await self.options.change(call.user, place, {"certificate": None, "certificate_pem": None}, SECRETS)
            return Done(say("irc.cert-removed", server=server))
        if action == "renew":
            await call.confirm(say("irc.cert-question", server=server))
        found = await (certificates.renew if action == "renew" else certificates.fingerprints)(call.user, server)
        await self.options.change(call.user, place, {"certificate": True}, SECRETS)
        return Done(say("irc.cert-done", server=server, sha256=found.sha256, sha512=found.sha512))


def _nick(typed: str) -> str:
    nick_line(typed)
    return typed


def _channel(typed: str) -> str:
    """A channel's name without its network; with one of another sign than # it needs to have that sign."""
    name = typed.strip()
    if name and name[0] not in irc_address.CHANTYPES:
        name = f"#{name}"
    try:
        write.join(name)
    except write.BadLine:
        raise ValueError(say("irc.channel-unfit", name=typed)) from None
    if len(name.encode()) > irc_address.MAX_NAME or "%" in name:
        raise ValueError(say("irc.bad-name"))
    return irc_address.lower(name)


def _word(typed: str) -> str:
    """An account's name: one word."""
    if " " in typed or typed[:1] == ":" or not typed.isprintable() or len(typed.encode()) > 100:
        raise ValueError(say("irc.bad-account"))
    return typed


def _secret(typed: str) -> str:
    if not typed.isprintable() or len(typed.encode()) > 300:
        raise ValueError(say("irc.bad-account"))
    return typed
