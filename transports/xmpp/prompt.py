"""Adding a contact by what people call it: jabber:iq:gateway (XEP-0100 6.3) for clients that ask, `add` for those that do not.

A text may be anything the bridge understands (`Bridge.contact`), or one of the ways in which clients write a far address into a
JID: a JID of ours, escaped as in XEP-0106, or with `%` in place of `@`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from transports.contacts import MOST
from transports.describe import AdHoc, Call, Done, Field, Form
from transports.errors import LegacyError
from transports.events import Address, Known
from transports.gateway import Service, Wing
from transports.words import in_language, say
from transports.xmpp.address import JidError, from_local, jid_of
from transports.xmpp.read import Iq
from transports.xmpp.xml import clip, text

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk

NS: Final = "jabber:iq:gateway"
_QUERY: Final = f"{{{NS}}}query"
_PROMPT: Final = f"{{{NS}}}prompt"
#: Characters of what one may type: no local part is longer, and most escapes make three of one.
LONGEST: Final = 3_071
_WORDS: Final = 2_000


class Prompt:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {("get", _QUERY): self.shown, ("set", _QUERY): self.given}
        desk.commands.add(
            AdHoc("add", "add", say("prompt.label"), self._add, role="registered", help=say("prompt.help")),
        )

    def resolve(self, user: str, typed: str) -> Address:
        """The address that a bare JID means by `typed`. LegacyError with words for people: the bridge's own for it as typed."""
        typed = typed.strip()
        if not typed:
            raise LegacyError("not-acceptable", say("prompt.nothing"))
        if len(typed) > LONGEST:
            raise LegacyError("not-acceptable", say("prompt.long"))
        first: LegacyError | None = None
        for way in dict.fromkeys(self._ways(typed)):
            try:
                address = self.desk.bridge.contact(user, way)
                jid_of(address.name, self.desk.domain)
            except JidError:
                first = first or LegacyError("jid-malformed", say("prompt.long"))
            except LegacyError as error:
                first = first or error
            else:
                if address == self.desk.service:
                    raise LegacyError("not-acceptable", say("prompt.myself"))
                return address
        raise first or LegacyError("item-not-found", say("prompt.nothing"))

    def _ways(self, typed: str) -> Iterator[str]:
        """How `typed` may be meant, the likeliest first; a JID of ours is never a far address."""
        bare = typed.removeprefix("xmpp:").partition("/")[0]
        local, at, domain = bare.rpartition("@")
        if at and domain.lower() == self.desk.domain:
            typed = from_local(local)
        elif bare.lower() == self.desk.domain:
            raise LegacyError("not-acceptable", say("prompt.myself"))
        yield typed
        unescaped = from_local(typed)
        yield unescaped
        before, percent, after = unescaped.rpartition("%")
        if percent:
            yield f"{before}@{after}"

    # jabber:iq:gateway ------------------------------------------------------------------------------------------------

    def shown(self, wing: Wing, iq: Iq) -> str:
        prompt = self.desk.bridge.describe(self._asker(iq)).prompt
        language = self.desk.language(iq)
        desc, label = (text(clip(in_language(words, language), _WORDS)) for words in (prompt.help, prompt.label))
        return f"<query xmlns='{NS}'>{f'<desc>{desc}</desc>' if desc else ''}<prompt>{label}</prompt></query>"

    def given(self, wing: Wing, iq: Iq) -> str:
        user = self._asker(iq)
        if self.desk.unregistered(user):
            raise LegacyError("registration-required", say("gate.unregistered", domain=self.desk.domain))
        prompts = iq.payload.findall(_PROMPT) if iq.payload is not None else []
        if len(prompts) != 1 or len(prompts[0]):
            raise LegacyError("bad-request", say("prompt.nothing"))
        jid = text(jid_of(self.resolve(user, prompts[0].text or "").name, self.desk.domain))
        # COMPAT: clients made before XEP-0100 was 1.0 read the address from <prompt/>
        return f"<query xmlns='{NS}'><jid>{jid}</jid><prompt>{jid}</prompt></query>"

    def _asker(self, iq: Iq) -> str:
        """The bare JID of who asks the gateway itself."""
        if self.desk.wing.address(iq.to.local) != self.desk.service:
            raise LegacyError("service-unavailable", say("prompt.elsewhere", domain=self.desk.domain))
        return iq.sender.partition("/")[0]

    # The command ------------------------------------------------------------------------------------------------------

    async def _add(self, call: Call) -> Done:
        prompt = self.desk.bridge.describe(call.user).prompt
        who = Field("address", prompt.label, help=prompt.help, required=True, check=partial(self._named, call.user))
        name = Field("name", say("prompt.name"), help=say("prompt.name-help"))
        answers = await call.ask(Form(say("prompt.label"), (who, name)))
        address = self.desk.bridge.address(str(answers["address"]))
        called = str(answers["name"]) or self.desk.bridge.identity(address).name or address.name
        self.desk.roster.tell(call.user, Known(address, called))
        if self.desk.contacts.get(call.user, address) is None:
            raise LegacyError("resource-constraint", say("contacts.full", count=MOST))
        if not self.desk.roster.lists(call.user):
            self.desk.roster.placing.want(call.user, address)  # what one adds oneself is wanted there
        return Done(say("prompt.added", name=called, jid=jid_of(address.name, self.desk.domain)))

    def _named(self, user: str, typed: str) -> str:
        """The canonical name of a contact; LegacyError with words for what is none."""
        address = self.resolve(user, typed)
        if address.kind in ("service", "server"):
            raise LegacyError("not-acceptable", say("prompt.server"))
        if address.kind == "room":
            jid = jid_of(address.name, self.desk.domain)
            raise LegacyError("not-acceptable", say("prompt.room", jid=jid))
        return address.name
