"""The middle: who may use which bridge, and which visitor, room or person a stanza is for.

Stanza values come in from `xmpp/wire` (one `Wing` per bridge and domain), go through one gate, and end at a `Visitor`
(live bridges), at the mailbox (durable ones) or at a service that `app` registered for its payload. Everything that is
asked is answered (RFC 6120 8.2.3); errors never are. Knows no socket, no loop and no protocol of the far side.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias, cast

from transports.archive.archives import Archives
from transports.archive.place import Archive
from transports.errors import LegacyError
from transports.events import Address, Correct, Say, SetSubject
from transports.gateway_seams import Desk, Durable, Ids, Users
from transports.ports import Bridge, Identity, LiveBridge
from transports.roll import Roll
from transports.visitor import FATAL, Visitor
from transports.words import say
from transports.xmpp import disco, semantics, write, xml
from transports.xmpp.address import from_local, from_resource
from transports.xmpp.meaning import Meaning, encryption, meaning
from transports.xmpp.read import Iq, Message, Presence
from transports.xmpp.semantics import SEALED, Act

log = logging.getLogger(__name__)

#: XEP-0191 3.3: why words go nowhere.
BLOCKED: Final = ("urn:xmpp:blocking:errors", "blocked")
#: A payload, now or later; or a LegacyError.
Service: TypeAlias = Callable[["Wing", Iq], str | Awaitable[str]]


def _never(user: str, stanza: str = "") -> bool:
    return False


class Wing:
    """One bridge on its domain, as the XMPP side sees it.

    services  (iq type, tag of the payload) -> what answers: the payload of the result, or a LegacyError
    desk      None only in tests of the rest: nothing of what it does is there then
    """

    desk: Desk | None = None
    #: Whether a user wants reactions told in words; has a user's server show words as the user's. Of a live bridge.
    remarks: Callable[[str], bool] = staticmethod(_never)
    as_user: Callable[[str, str], bool] = staticmethod(_never)
    #: Of a live bridge, where anything is to be archived.
    archives: Archives | None = None
    #: Of a live bridge: what outlives the process of who is in which room.
    roll: Roll | None = None

    def __init__(
        self,
        bridge: Bridge,
        users: Users,
        ids: Ids,
        send: Callable[[str], None],
        send_all: Callable[[list[str]], None],
        services: Mapping[tuple[str, str], Service],
        durable: Durable | None = None,
    ) -> None:
        self.bridge = bridge
        self.door = xml.Door(bridge.domain)
        self.users = users
        self.ids = ids
        self.send = send
        self.send_all = send_all
        self.services = services
        self.durable = durable
        self.visitors: dict[str, Visitor] = {}
        self.paused = False
        self.address = lru_cache(10_000)(self._address)

    def _address(self, local: str) -> Address:
        return self.bridge.address(from_local(local))

    # The gate -----------------------------------------------------------------------------------------------------

    def admits(self, sender: str) -> bool:
        """The one place that decides who may use this bridge."""
        return sender.partition("/")[0] in self.users

    @staticmethod
    def _forbidden(domain: str) -> LegacyError:
        return LegacyError("forbidden", say("gate.forbidden", domain=domain))

    def _registered(self, sender: str) -> None:
        """LegacyError for who must register first."""
        if self.desk is not None and self.desk.unregistered(sender.partition("/")[0]):
            raise LegacyError("registration-required", say("gate.unregistered", domain=self.bridge.domain))

    # Stanzas ------------------------------------------------------------------------------------------------------

    def message(self, message: Message) -> None:
        if message.type == "groupchat" and self._said(message):
            return
        if message.type == "error":
            self._bounced(message)
            return
        if self.desk is not None and self.desk.server(message):
            return
        if not self.admits(message.sender):
            if message.body is not None:
                self._refuse("message", message, self._forbidden(self.bridge.domain))
            return
        self._hear(message)
        if message.encrypted:
            words = encryption(message)
            if words is not None:
                self._refuse("message", message, LegacyError("not-acceptable", words))
            return
        if message.rich is not None and self.desk is not None and self.desk.asks(message):
            return
        means = meaning(message)
        subject = message.type == "groupchat" and message.subject is not None and not means.copy
        if means.empty and not subject:
            return
        try:
            self._deliver(message, means, self.address(message.to.local))
        except LegacyError as error:
            if means.grave or subject:
                self._refuse("message", message, error)

    def _said(self, message: Message) -> bool:
        """The way that thousands go: plain words of somebody who is in the room, and so came through the gate before."""
        visitor = self.visitors.get(message.sender.partition("/")[0])
        body, to = message.body, message.to
        if visitor is None or body is None or message.encrypted or message.rich is not None or to.resource:
            return False
        try:
            address = self.address(to.local)
        except LegacyError:
            return False
        if address.kind != "room" or len(body) > self.bridge.max_text(address) or body.startswith(SEALED):
            return False
        visitor.says(message, address)
        return True

    def _deliver(self, message: Message, means: Meaning, address: Address) -> None:
        silent = Say not in self.bridge.can(address)
        if silent and message.body is not None and self.desk is not None and self.desk.words(message, address):
            return
        act = self._act(message, means, address)
        if act is None:
            return
        if message.type == "groupchat":
            if address.kind != "room" or message.to.resource:
                raise LegacyError("bad-request", say("room.groupchat"))
            self.visitor(message.sender).says(message, address, act)
        elif address.kind == "room" and not message.to.resource:
            raise LegacyError("not-acceptable", say("room.join"))
        else:
            self._registered(message.sender)
            self._unblocked(message, address)
            if self.durable is not None and not isinstance(act, SetSubject):
                self.durable.take(message.sender.partition("/")[0], act)
            else:
                self.visitor(message.sender).tells(message, address, act)

    def _act(self, message: Message, means: Meaning, address: Address) -> Act | SetSubject | None:
        """What a message comes to at an address; None: to nothing. LegacyError where its sender has to know."""
        user = message.sender.partition("/")[0]
        can, limit = self.bridge.can_for(user, address), self.bridge.max_text(address)
        if not means.grave and message.subject is not None and message.type == "groupchat":  # XEP-0045 8.1
            if SetSubject not in can:
                raise LegacyError("service-unavailable", say("gate.nowhere"))
            if len(message.subject) > limit:
                raise LegacyError("not-acceptable", say("gate.too-long", limit=limit))
            return SetSubject(address, message.subject, message.sender, message.id, message)
        nick = from_resource(message.to.resource) if address.kind == "room" and message.type != "groupchat" else ""
        wanted = semantics.wanted(message, means, address, nick)
        durable = self.durable
        if wanted is None:
            act = None
        elif durable is None:
            act = self.visitor(message.sender).refers(wanted, can)
        else:
            act = semantics.at(wanted, can, "" if durable.remarks(user) else None)
        if isinstance(act, Say | Correct) and len(act.text) > limit:
            raise LegacyError("not-acceptable", say("gate.too-long", limit=limit))
        # a durable bridge is asked again when its turn comes: by then the message that this one is about has its ids
        return wanted if durable is not None and act is not None else act

    def _unblocked(self, message: Message, address: Address) -> None:
        """LegacyError for words to somebody whom the sender blocks (XEP-0191 3.3)."""
        if self.desk is not None:
            user, nick = message.sender.partition("/")[0], message.to.resource
            person = self.bridge.person(address, from_resource(nick)) if address.kind == "room" else address
            if self.desk.blocks(user, person):
                raise LegacyError("not-acceptable", say("block.refused"), type="cancel", specific=BLOCKED)

    def _bounced(self, message: Message) -> None:
        """An error came back for something of ours. Never answered."""
        if self.durable is not None and self.durable.bounced(message):
            return
        if message.error is not None and message.error.condition in FATAL and message.to.local:
            self._vanished(message.sender, message.to.local)

    def _vanished(self, sender: str, local: str) -> None:
        visitor = self.visitors.get(sender.partition("/")[0])
        if visitor is not None:
            try:
                visitor.vanished(sender, self.address(local))
            except LegacyError:
                return

    def presence(self, presence: Presence) -> None:
        kind = presence.type
        if kind == "error":
            if presence.error is not None and presence.error.condition in FATAL and presence.to.local:
                self._vanished(presence.sender, presence.to.local)
            return
        if not self.admits(presence.sender):
            # others' plain presence comes with XEP-0356: whoever sent it knows nothing of us
            if kind == "subscribe" or (kind == "" and presence.muc):
                self._refuse("presence", presence, self._forbidden(self.bridge.domain))
            return
        self._hear(presence)
        if self.durable is not None and kind == "":
            self.durable.available(presence.sender.partition("/")[0])
        try:
            address = self.address(presence.to.local)
            if self.desk is not None and self.desk.presence(presence, address):
                return
            if kind in ("", "unavailable") and presence.to.local:
                self._at_room(presence, address)
        except LegacyError as error:
            if kind in ("", "subscribe"):
                self._refuse("presence", presence, error)
            if kind in ("probe", "subscribe"):  # RFC 6121 4.3.2: there is nobody; the server forgets what it asked for
                nobody = write.spoken(presence.to._replace(resource=""))
                opening = self.door.opening("presence", nobody, presence.sender, " type='unsubscribed'")
                self.send(f"{opening}/>")

    def caps(self) -> str:
        """The `<c/>` of the gateway's own presence; what its hash stands for is what disco#info of the domain answers."""
        return disco.caps(self.place(self.bridge.address("")))

    def place(self, address: Address, user: str = "") -> disco.Place:
        """What disco#info tells a user of an address, rooms' forms excepted; the domain itself is a gateway (XEP-0100) too."""
        identity = self.bridge.identity(address)
        root = address == self.bridge.address("")  # a server where the bridge has but one
        can = self.bridge.can_for(user, address) if user and not root else self.bridge.can(address)
        features = disco.features("service" if root else address.kind, can, identity.category)
        own = Identity("gateway", self.bridge.kind, identity.name)
        more = (own,) if root and own != identity else ()  # XEP-0115 3.6: who is one thing twice is ill-formed
        return disco.Place(identity, features, more=more)

    def client(self, address: Address) -> disco.Place:
        """What the one client of a person of ours is: the same for all, so that readers of caps ask but once (XEP-0115)."""
        kind = "sms" if self.bridge.kind == "sms" else "pc"
        name = self.bridge.identity(self.bridge.address("")).name
        return disco.Place(Identity("client", kind, name), disco.features("person", self.bridge.can(address)))

    def _at_room(self, presence: Presence, address: Address) -> None:
        if presence.type == "unavailable":
            visitor = self.visitors.get(presence.sender.partition("/")[0])
            if visitor is not None and address.kind == "room":
                visitor.leaves(presence, address)
        elif address.kind != "room":
            if presence.muc:
                raise LegacyError("item-not-found", say("room.none"))
        elif not presence.to.resource:
            raise LegacyError("jid-malformed", say("room.nameless"))
        else:
            self.visitor(presence.sender).joins(presence, address)

    def iq(self, iq: Iq) -> None:
        if iq.type in ("result", "error"):
            if (self.desk is None or not self.desk.answered(iq)) and self.durable is not None:
                self.durable.answered(iq)
            return
        try:
            answer = self._serve(iq)
            if isinstance(answer, str):
                self.send(write.result(self.door, iq, answer))
            elif self.desk is not None:
                self.desk.later(iq, answer)
        except LegacyError as error:
            self._refuse("iq", iq, error)

    def _serve(self, iq: Iq) -> str | Awaitable[str]:
        if not self.admits(iq.sender):
            raise self._forbidden(self.bridge.domain)
        self._hear(iq)
        if iq.payload is None or iq.type not in ("get", "set"):
            raise LegacyError("bad-request", "")
        service = self.services.get((iq.type, iq.payload.tag))
        if service is None:
            raise LegacyError("feature-not-implemented" if iq.to.local else "service-unavailable", "")
        return service(self, iq)

    def _hear(self, stanza: Message | Presence | Iq) -> None:
        """Remember the language that somebody speaks, for what is said without having been asked."""
        if stanza.language and self.desk is not None:
            self.desk.language(stanza)

    def _refuse(self, tag: str, asked: Message | Presence | Iq, error: LegacyError) -> None:
        language = self.desk.language(asked) if self.desk is not None else ""
        self.send(write.refusal(self.door, tag, asked, error, language))

    # Visitors -----------------------------------------------------------------------------------------------------

    def visitor(self, sender: str) -> Visitor:
        """The visitor that a full JID belongs to, new if need be. Only behind the gate."""
        user = sender.partition("/")[0]
        visitor = self.visitors.get(user)
        if visitor is None:
            bridge = cast(LiveBridge, self.bridge)
            visitor = Visitor(user, bridge, self.door, self.ids, self.send, self.send_all)
            if self.desk is not None:
                visitor.contacts = self.desk.tell
                visitor.blocks = self.desk.blocks
                visitor.language = self.desk.language_of
                visitor.picture = self.desk.picture
                visitor.as_user = self.as_user
            visitor.remarks = self.remarks
            visitor.archive = self.archive
            if self.roll is not None:
                visitor.roll = self.roll
            self.visitors[user] = visitor
            if self.paused:
                visitor.session.pause()
        return visitor

    def archive(self, user: str, place: Address) -> Archive | None:
        """Where what is said at a place is archived for a user (bare JID); None where it is not."""
        if self.archives is None or not cast(LiveBridge, self.bridge).records(user, place):
            return None
        return self.past(user, place)

    def past(self, user: str, place: Address) -> Archive | None:
        """What has been archived of a place, whether or not more is; None where nothing can be."""
        if self.archives is None:
            return None
        backlog = cast(LiveBridge, self.bridge).backlog(user, place) if place.kind == "room" else 0
        return self.archives.of(self.bridge.name, user, place, backlog)

    def known(self, sender: str) -> Visitor | None:
        return self.visitors.get(sender.partition("/")[0])

    def dismiss(self, user: str, reason: str) -> None:
        """End a user's session and tell the clients: unregistered, or sent away by an admin."""
        visitor = self.visitors.pop(user, None)
        if visitor is not None:
            visitor.forget()
            visitor.close(reason)

    def pause(self) -> None:
        """The XMPP stream does not keep up: nothing more is read from the far side."""
        self.paused = True
        for visitor in self.visitors.values():
            visitor.session.pause()

    def resume(self) -> None:
        self.paused = False
        for visitor in self.visitors.values():
            visitor.session.resume()

    def sweep(self) -> None:
        """Forget visitors who have nothing going on; called now and then."""
        for user, visitor in list(self.visitors.items()):
            visitor.settle()
            if visitor.idle and visitor.session.idle:
                visitor.session.close("")
                del self.visitors[user]

    def roll_call(self) -> None:
        """The stream is up again: which clients went with the server?"""
        for visitor in self.visitors.values():
            visitor.roll_call()

    def close(self, reason: str) -> None:
        for visitor in self.visitors.values():
            try:
                visitor.close(reason)
            except Exception:
                log.exception("a visitor could not be told of the end")
        self.visitors.clear()
