"""Running rooms: who asks for a list, a rank, a kick, a room's form; who invites, or wants to be heard. A room of the desk.

What stanzas look like is `administer`'s and `inviting`'s; what may be done decides the far side. XEP-0045 7.8, 7.13, 8, 9, 10.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from transports.describe import Form, Wrong
from transports.errors import LegacyError
from transports.events import Address, Invite, RequestVoice
from transports.gateway import Service, Wing
from transports.ports import Change, LiveBridge
from transports.words import say
from transports.xmpp import administer, forms, inviting, rsm, write
from transports.xmpp.address import Jid, from_resource
from transports.xmpp.administer import Own
from transports.xmpp.read import Iq, Message
from transports.xmpp.register import in_words

if TYPE_CHECKING:
    from transports.visitor import Visitor
    from transports.xmpp.desk import Desk

_ADMIN: Final = f"{{{administer.ADMIN}}}query"
_OWNER: Final = f"{{{administer.OWNER}}}query"
#: Invitations of one user to others on XMPP, and the seconds they count for.
INVITATIONS, PERIOD = 10, 60.0


class Moderating:
    """`clock` gives seconds of any beginning."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.clock: Callable[[], float] = time.monotonic
        self._invited: dict[str, tuple[float, int]] = {}
        self.table: Mapping[tuple[str, str], Service] = {
            ("get", _ADMIN): self._list,
            ("set", _ADMIN): self._change,
            ("get", _OWNER): self._form,
            ("set", _OWNER): self._configure,
        }

    @property
    def _bridge(self) -> LiveBridge:
        return cast(LiveBridge, self.desk.bridge)

    def _room(self, iq: Iq) -> Address:
        address = self.desk.wing.address(iq.to.local)
        if address.kind != "room" or iq.to.resource:
            raise LegacyError("service-unavailable", say("room.none"))
        return address

    # Lists and ranks --------------------------------------------------------------------------------------------------

    def _list(self, wing: Wing, iq: Iq) -> Awaitable[str]:
        assert iq.payload is not None  # the table's key is its tag
        role, affiliation = administer.wanted(iq.payload)
        return self._listed(wing, iq, self._room(iq), role, affiliation, rsm.asked(iq.payload))

    async def _listed(
        self, wing: Wing, iq: Iq, room: Address, role: str, affiliation: str, paging: rsm.Paging | None
    ) -> str:
        found = await self._bridge.ranked(_user(iq), room, role, affiliation)
        own = _own(wing, iq, room)
        return administer.listed(found, self.desk.domain, self.desk.language(iq), paging, own, roles=bool(role))

    def _change(self, wing: Wing, iq: Iq) -> Awaitable[str]:
        assert iq.payload is not None
        room = self._room(iq)
        return self._changed(iq, room, administer.changes(iq.payload, self.desk.domain, _own(wing, iq, room)))

    async def _changed(self, iq: Iq, room: Address, changes: Sequence[Change]) -> str:
        await self._bridge.administer(_user(iq), room, changes)
        return ""

    # Configuration ----------------------------------------------------------------------------------------------------

    def _form(self, wing: Wing, iq: Iq) -> Awaitable[str]:
        return self._formed(iq, self._room(iq))

    async def _formed(self, iq: Iq, room: Address) -> str:
        form = await self._bridge.configuration(_user(iq), room)
        return administer.form(forms.render(form, self.desk.language(iq), form_type=administer.ROOMCONFIG))

    def _configure(self, wing: Wing, iq: Iq) -> str | Awaitable[str]:
        assert iq.payload is not None
        room = self._room(iq)
        purpose, x = administer.purpose(iq.payload)
        if purpose == "destroy":
            raise LegacyError("not-allowed", say("room.lasting"))
        given = forms.submitted(x) if x is not None and purpose == "submit" else {}
        if given.pop("FORM_TYPE", [administer.ROOMCONFIG]) != [administer.ROOMCONFIG]:
            raise LegacyError("bad-request", say("command.no-form"))
        return self._configured(iq, room, given) if given else ""

    async def _configured(self, iq: Iq, room: Address, given: Mapping[str, Sequence[str]]) -> str:
        await self.configure(_user(iq), room, given)
        return ""

    async def configure(self, user: str, room: Address, given: Mapping[str, Sequence[str]]) -> None:
        """Set a room up as a form says. LegacyError."""
        form = await self._bridge.configuration(user, room)
        try:
            checked = forms.checked(form.fields, given)
            answers = {var: value for var, value in checked.items() if var in given}
            await self._bridge.configure(user, room, answers)
        except LegacyError as error:
            raise _worded(error, form) from None
        finally:
            self.desk.settled(user)

    # Invitations and voice --------------------------------------------------------------------------------------------

    def message(self, message: Message) -> bool:
        """Whether a message asks for something of a room, which then is done or refused. An invitation elsewhere is as good
        as its words."""
        if self.desk.bridge.durable:
            return False
        try:
            asked = inviting.asks(message)
            if asked is None:
                return False
            if isinstance(asked, list) and message.body and asked[0].room.domain != self.desk.domain:
                return False
            if isinstance(asked, inviting.VoiceRequest):
                self._voice(message)
            elif not isinstance(asked, inviting.Decline):
                for invitation in asked:
                    self._invite(message, invitation)
        except LegacyError as error:
            self.desk.send(write.refusal(self.desk.door, "message", message, error, self.desk.language(message)))
        return True

    def _inside(self, message: Message, room: Jid) -> tuple[Visitor, Address]:
        """The asker, who has to be in the room."""
        address = self.desk.wing.address(room.local)
        visitor = self.desk.wing.known(message.sender)
        view = visitor.rooms.get(address) if visitor is not None else None
        if visitor is None or view is None or message.sender not in view.clients:
            raise LegacyError("not-acceptable", say("room.not-in"), type="cancel")
        return visitor, address

    def _voice(self, message: Message) -> None:
        visitor, address = self._inside(message, message.to)
        if RequestVoice not in self.desk.bridge.can(address):
            raise LegacyError("feature-not-implemented", say("gate.not-here"))
        visitor.session.do(RequestVoice(address, message.sender, message.id, message))

    def _invite(self, message: Message, invitation: inviting.Invitation) -> None:
        room, whom = invitation.room, invitation.whom
        if room.domain != self.desk.domain:
            raise LegacyError("not-acceptable", say("room.elsewhere", domain=self.desk.domain))
        visitor, address = self._inside(message, room)
        if whom.domain != self.desk.domain:
            self._invite_user(message, address, invitation)
            return
        if Invite not in self.desk.bridge.can(address):
            raise LegacyError("feature-not-implemented", say("gate.not-here"))
        person = self.desk.wing.address(whom.local)
        if person.kind == "room" and whom.resource:
            person = self.desk.bridge.person(person, from_resource(whom.resource))
        if person.kind != "person":
            raise LegacyError("item-not-found", say("room.foreigner", jid=whom.bare))
        visitor.session.do(Invite(address, person, message.sender, message.id, invitation.reason, message))

    def _invite_user(self, message: Message, address: Address, invitation: inviting.Invitation) -> None:
        """Somebody on XMPP, who can come if the gateway is open to them; no others hear of us."""
        user, whom = message.sender.partition("/")[0], invitation.whom
        if not whom.local or not self.desk.wing.admits(whom.bare):
            raise LegacyError("item-not-found", say("room.not-admitted", jid=whom.bare, domain=self.desk.domain))
        began, count = self._invited.get(user, (self.clock(), 0))
        if self.clock() - began > PERIOD:
            began, count = self.clock(), 0
        if count >= INVITATIONS:
            raise LegacyError("resource-constraint", say("room.invited-often"), retry_after=PERIOD)
        self._invited[user] = (began, count + 1)
        if not self.desk.blocks(whom.bare, address):
            door = self.desk.door
            self.desk.send(write.invitation(door, invitation.room.bare, whom.bare, message.sender, invitation.reason))

    def sweep(self) -> None:
        """Who invited nobody of late is forgotten."""
        now = self.clock()
        self._invited = {user: seen for user, seen in self._invited.items() if now - seen[0] <= PERIOD}


def _own(wing: Wing, iq: Iq, room: Address) -> Own:
    """Who asks, as they are called in the room."""
    user = _user(iq)
    visitor = wing.visitors.get(user)
    there = visitor.rooms.get(room) if visitor is not None else None
    return Own(user, there.nick if there is not None else "")


def _user(iq: Iq) -> str:
    return iq.sender.partition("/")[0]


def _worded(error: LegacyError, form: Form) -> LegacyError:
    """What is wrong with a form, with the names of its fields: there is no form that could say it at the field."""
    return in_words(error, form.fields) if isinstance(error, Wrong) else error
