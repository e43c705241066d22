"""A person who gives commands without a client: forms are answered from a list, by the checks that every form goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bridges.irc.scene import BY
from transports.bridges.irc.bridge import IrcBridge
from transports.describe import AdHoc, Answers, Done, Form, Role, Table
from transports.events import Address
from transports.xmpp import forms

SERVICE = Address("service", "")
SERVER = Address("server", "irc.test")
ADA = BY.partition("/")[0]

#: What a client submits: var -> value or values.
Given = Mapping[str, str | Sequence[str]]


class Caller:
    """Implements describe.Call. `shown`: the forms that came; `told`: what was asked to be confirmed."""

    def __init__(self, bridge: IrcBridge, at: Address = SERVER, role: Role = "user", user: str = ADA) -> None:
        self.bridge = bridge
        self.user = user
        self.by = f"{user}/desk"
        self.role: Role = role
        self.at = at
        self.language = ""
        self.answers: list[Given] = []
        self.shown: list[Form] = []
        self.told: list[str] = []
        self.outlet: Any = None
        self.entered: list[tuple[Address, str]] = []
        self.abandoned: list[Address] = []

    async def ask(self, form: Form, wrong: Mapping[str, str] = {}) -> Answers:
        self.shown.append(form)
        given = {var: [value] if isinstance(value, str) else list(value) for var, value in self.answers.pop(0).items()}
        before = {field.var: field.default for field in form.fields if field.default is not None}
        await asyncio.sleep(0)
        return forms.checked(form.fields, given, before)

    async def confirm(self, question: str) -> None:
        self.told.append(question)

    def progress(self, text: str) -> None: ...

    def session(self) -> object:
        return self.bridge.session_of(self.user) or self.bridge.open(self.user, self.outlet)

    def enter(self, room: Address, nick: str) -> None:
        self.entered.append((room, nick))

    def abandon(self, room: Address) -> None:
        self.abandoned.append(room)

    # what a test says

    def command(self, node: str) -> AdHoc:
        kinds = {self.at.kind, "service"} if self.at == self.bridge.address("") else {self.at.kind}
        found = [one for one in self.bridge.describe(self.user).commands if one.node == node and not kinds.isdisjoint(one.where)]
        assert found, f"there is no {node} at {self.at}"
        return found[0]

    async def run(self, node: str, *answers: Given) -> Done:
        self.answers = list(answers)
        self.shown, self.told = [], []
        done = await self.command(node).run(self)
        assert self.answers == [], "answers that nobody asked for"
        return done

    async def says(self, node: str, *answers: Given) -> str:
        return (await self.run(node, *answers)).text

    async def table(self, node: str, *answers: Given) -> list[tuple[str, ...]]:
        table = (await self.run(node, *answers)).table
        assert isinstance(table, Table)
        return [tuple(row) for row in table.rows]

    def vars(self) -> list[str]:
        """The fields of the last form."""
        return [field.var for field in self.shown[-1].fields]
