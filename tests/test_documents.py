"""The documents against the house: what they name is there, and what is there is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.far import Nobody
from transports.bridges.irc import chosen
from transports.bridges.irc.bridge import IrcBridge
from transports.bridges.irc.configure import fields_everywhere
from transports.config_models import Irc, NetworkSettings

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "transports"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: Folders and families that the tree names as one.
TOGETHER = {"archive", "files", "store", "shell", "languages"}
FAMILIES = ("config", "mailbox")
#: Kinds of places as the table of commands calls them, and what two of them share.
WHERE = {"service": "gateway", "server": "network", "room": "room", "person": "person"}
BOTH = "gateway and network"


def page(name: str) -> str:
    return (ROOT / name).read_text()


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[name] = found.get(name, 0) + 1
    return set(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_the_tree_names_every_module() -> None:
    tree = page("docs/architecture.md").split("## Floors")[0]
    words = set(re.findall(r"\w+", tree))
    modules = [path for path in HOUSE.rglob("*.py") if not path.stem.startswith("__")]
    parts = [path.relative_to(HOUSE) for path in modules if not path.stem.startswith(FAMILIES)]
    assert [str(part) for part in parts if part.stem not in words and not TOGETHER & set(part.parts)] == []


def test_every_command_of_irc_stands_where_it_is_to_be_had() -> None:
    """Rows of the table: where, words. The house's own are named beside the bridge's."""
    section = page("docs/irc.md").split("## Commands")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| ")]
    words = {where.strip().partition(" (")[0]: set(re.findall(r"`([a-z-]+)`", cell)) for where, cell in rows}
    for command in IrcBridge(Irc(domain="irc.example.org"), b"k" * 16, Nobody()).describe("").commands:
        for kind in command.where:
            if command.role == "admin" and command.word != "raw":
                said = words["operators, at the gateway"]
            else:
                said = words[WHERE[kind]] | (words[BOTH] if kind in ("service", "server") else set())
            assert command.word in said, (command.word, kind)


def test_everything_that_users_set_for_irc_is_named() -> None:
    said = set(re.findall(r"`([a-z_]+)`", page("docs/irc.md")))
    fields = [*chosen.fields(NetworkSettings("irc.example.org", "irc.example.org", named=False)), *fields_everywhere()]
    assert {field.var for field in fields} - said == set()
