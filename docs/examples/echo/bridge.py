"""A complete small bridge: whoever you write to says it back. docs/writing-a-bridge.md explains it line by line.

    [bridges.echo]
    module = "docs.examples.echo.bridge"
    domain = "echo.example.org"
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from transports.describe import (
    AdHoc,
    Answers,
    Call,
    Card,
    Description,
    Done,
    Field,
    Form,
    Prompt,
    Registration,
    Table,
    Wrong,
)
from transports.errors import LegacyError
from transports.events import Address, Attach, Correct, File, Known, Letter, More, Said, Say
from transports.ports import DurableBridge, Identity, Services

DURABLE = True
SERVICE = Address("service", "")


def canonical(typed: str) -> str:
    """The canonical form of a name; the house shows what is wrong with it at the field where it was typed."""
    if not typed.replace("-", "").isalnum():
        raise ValueError("A name has letters, digits and hyphens.")
    return typed.lower()


class Echo(DurableBridge):
    name = "echo"
    kind = "x-echo"
    durable = True

    def __init__(self, domain: str, services: Services) -> None:
        self.domain = domain
        self.inlet = services.inlet
        self.accounts = services.accounts
        self.files = services.files

    # What people read and fill in: registration, preferences, commands, the prompt for a new contact ------------------

    def describe(self, user: str) -> Description:
        return Description(
            prompt=Prompt("Name", "Whom do you want to hear from? Any name will do."),
            registration=Registration(
                instructions="The echo wants to know what to call you.",
                fields=[
                    Field("nick", "Your name", help="What you are called here.", required=True, check=canonical, legacy="nick"),
                    Field("word", "Password", type="secret", help="Anything but “wrong”.", required=True, legacy="password"),
                ],
                required=True,
            ),
            preferences=[Field("times", "Repeat", type="choice", default="1", options={"1": "Once", "2": "Twice"})],
            commands=[AdHoc("shout", "shout", "Shout into the mountains", self.shout, role="registered", help="They answer.")],
        )

    async def register(self, user: str, answers: Answers, before: Answers | None) -> Answers:
        if answers["word"] == "wrong":
            raise Wrong({"word": "The echo does not know this password."}, "not-authorized")
        return answers

    async def shout(self, call: Call) -> Done:
        answers = await call.ask(Form("Shout", [Field("text", "What", required=True)]))
        hills = ["near", "far"]
        for hill in hills:
            self.inlet.tell(call.user, Known(Address("person", hill), name=f"The {hill} hill", groups=["Hills"]))
            await self.inlet.accept(call.user, Said(Address("person", hill), "", str(answers["text"])), f"{call.by}-{hill}")
        return Done("The hills heard you.", Table([("hill", "Hill")], [[hill] for hill in hills]))

    # Addresses: what there is on the far side, and what can be done there ---------------------------------------------

    def address(self, name: str) -> Address:
        return Address("person", name) if name else SERVICE

    def contact(self, user: str, text: str) -> Address:
        try:
            return self.address(canonical(text.strip()))
        except ValueError as error:
            raise LegacyError("not-acceptable", str(error)) from error

    def can(self, address: Address) -> frozenset[type]:
        return frozenset({Say, Correct, Attach}) if address.kind == "person" else frozenset()

    def identity(self, address: Address) -> Identity:
        return Identity("gateway", self.kind, "Echo") if address == SERVICE else Identity("account", "any", address.name)

    def max_text(self, address: Address) -> int:
        return 2_000

    async def card(self, user: str, address: Address) -> Card | None:
        return Card(name=address.name.title(), note="Says what you say.") if address.kind == "person" else None

    # Messages ---------------------------------------------------------------------------------------------------------

    async def send(self, user: str, command: Letter) -> Sequence[str]:
        """`command.id` is the same at every attempt, so the answer's key is too: said again, it is not heard again."""
        if isinstance(command, Say | Correct):
            if command.text == "hush":
                raise LegacyError("not-acceptable", "The echo does not answer to that.")
            times = int(str(self.accounts.preference(user, "times")))
            text = " ".join([command.text] * times).strip()  # a file alone has none
            files = [await self.back(user, file) for file in command.more.files] if command.more is not None else []
            more = More(files) if files else None
            await self.inlet.accept(user, Said(command.to, command.to.name, text, key=command.id, more=more), command.id)
        return [command.id]

    async def back(self, user: str, file: File) -> File:
        """The bytes come from the user's upload service, and go where the user's client can have them, with all guards."""
        known, data = await self.files.fetch(user, file)
        return await self.files.share(user, data, known.name, known.type)

    async def find(self, user: str, command: Letter) -> Sequence[str] | None:
        return None  # to send it once more does no harm

    async def start(self) -> None:
        """A real bridge binds its listeners and opens its connections here."""
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """And gives them up here."""


def build(settings: Any, services: Services) -> Echo:
    """`settings` is the section of config.toml; its own keys are in `settings.options`."""
    return Echo(settings.domain, services)
