"""Somebody who carries out commands by form (XEP-0050), as a client does: execute, fill in, go on."""

from __future__ import annotations

import asyncio
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Callable

from tests.far import DOMAIN, House, condition

C = "{http://jabber.org/protocol/commands}"
X = "{jabber:x:data}"
NS = C[1:-1]


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until `holds`, also by what threads do, however busy the machine is."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


_ids = itertools.count(1)


class Caller:
    """`answer` is the last one that came. What else the gateway sends stays in the house's `out`."""

    def __init__(self, house: House, sender: str, language: str = "") -> None:
        self.house = house
        self.sender = sender
        self.language = language
        self.answer = ET.Element("none")

    async def execute(self, node: str) -> Caller:
        return await self._send(f"node='{node}' action='execute'", "")

    async def submit(self, **values: str | list[str]) -> Caller:
        """Fill in the form; dashes of a var are underscores here."""
        x = ET.Element("x", xmlns="jabber:x:data", type="submit")
        for var, value in values.items():
            field = ET.SubElement(x, "field", var=var.replace("_", "-"))
            for each in [value] if isinstance(value, str) else value:
                ET.SubElement(field, "value").text = each
        command = self.command
        session = f"node='{command.get('node')}' sessionid='{command.get('sessionid')}'"
        return await self._send(session, ET.tostring(x, encoding="unicode"))

    async def yes(self) -> Caller:
        (var,) = self.fields
        return await self.submit(**{var: "1"})

    async def _send(self, attributes: str, inner: str) -> Caller:
        id = f"c{next(_ids)}"
        said = f" xml:lang='{self.language}'" if self.language else ""
        self.house.stanza(
            f"<iq from='{self.sender}' to='{DOMAIN}' id='{id}' type='set'{said}>"
            f"<command xmlns='{NS}' {attributes}>{inner}</command></iq>"
        )
        await until(lambda: any(f" id='{id}'" in stanza for stanza in self.house.out))
        found = next(stanza for stanza in self.house.out if f" id='{id}'" in stanza)
        self.house.out.remove(found)
        self.answer = ET.fromstring(found)
        return self

    @property
    def command(self) -> ET.Element:
        command = self.answer.find(f"{C}command")
        assert command is not None, ET.tostring(self.answer)
        return command

    @property
    def status(self) -> str:
        return self.command.get("status", "")

    @property
    def refused(self) -> str:
        """The condition of an error, '' when it is none."""
        return condition(self.answer)

    @property
    def fields(self) -> dict[str, list[str]]:
        """What the form asks for, and what stands there."""
        found = self.command.findall(f"{X}x[@type='form']/{X}field[@var]")
        return {field.get("var", ""): [value.text or "" for value in field.findall(f"{X}value")] for field in found}

    @property
    def text(self) -> str:
        """All words of the answer that are for a person."""
        tags = (f"{C}note", f"{X}title", f"{X}instructions", f"{X}desc")
        return " ".join(element.text or "" for element in self.answer.iter() if element.tag in tags)

    @property
    def rows(self) -> list[list[str]]:
        """The table of an answer."""
        return [[value.text or "" for value in item.iter(f"{X}value")] for item in self.command.iter(f"{X}item")]
