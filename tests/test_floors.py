"""The house's import rules, held by reading the source: docs/architecture.md says why.

A module stands on a floor and imports from its own and lower ones. Wings (xmpp, each bridge) never import each other, nor
does the house below floor 4 know a bridge. A module or a library that no table names fails: say where it belongs first.
"""

from __future__ import annotations

import ast
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "transports"

FLOORS = {
    0: "errors events words english",  # the vocabulary: the standard library only
    # pure
    1: "ports describe files.media archive.values "
    "xmpp.address xmpp.xml xmpp.read xmpp.write xmpp.client xmpp.occupant xmpp.roomtalk xmpp.room xmpp.vcard xmpp.disco "
    "xmpp.fence "
    "xmpp.dates xmpp.past xmpp.mam xmpp.swift "
    "xmpp.away xmpp.comeback bridges.irc.history bridges.irc.regain bridges.irc.retry "
    "xmpp.administer xmpp.channelsearch xmpp.inviting xmpp.rsm "
    "xmpp.sharing xmpp.markup xmpp.forms xmpp.prose xmpp.meaning xmpp.semantics xmpp.chat "
    "bridges.*.address bridges.*.read bridges.*.write bridges.*.text bridges.*.session "
    "bridges.irc.confirming bridges.irc.seams "
    "bridges.irc.ignoring bridges.irc.mentions "
    "bridges.irc.invites bridges.irc.listing bridges.irc.modes bridges.irc.ranks "
    "bridges.irc.asks bridges.irc.orders bridges.irc.caps bridges.irc.channel bridges.irc.crowd bridges.irc.flow "
    "bridges.irc.charsets bridges.irc.ctcp bridges.irc.formatting bridges.irc.notices bridges.irc.styling "
    "bridges.irc.absence bridges.irc.folk bridges.irc.whois bridges.irc.watch bridges.irc.inbound bridges.irc.isupport "
    "bridges.irc.numerics bridges.irc.replies "
    "bridges.irc.negotiation bridges.irc.sasl bridges.irc.scram bridges.irc.sts bridges.irc.wanted "
    "bridges.irc.abilities bridges.irc.activity bridges.irc.batches bridges.irc.echoes bridges.irc.feelings bridges.irc.speaking "
    "bridges.irc.standard bridges.irc.tagged xmpp.linked xmpp.referring xmpp.roomrefs "
    "bridges.irc.pseudonyms",
    # asyncio, SQL, files
    2: "archive.archives archive.place archive.purging archive.reading archive.table "
    "readmit roll "
    "concerning absent gateway gateway_seams showing visitor post mailbox mailbox_in mailbox_out mailbox_seams "
    "tasks asking accounts contacts options store.* "
    "bridges.irc.settings "
    "control config config_errors config_models config_values secrets log notify catalogs resolve "
    "files.pictures files.depot files.thumbnail "
    "bridges.irc.gates bridges.irc.greeting bridges.irc.chosen bridges.irc.certificates bridges.irc.tls "
    "bridges.irc.keeping",
    # the network
    3: "xmpp.wire xmpp.advice xmpp.services xmpp.inquiries xmpp.desk xmpp.calls xmpp.commands xmpp.register xmpp.prompt "
    "xmpp.admin xmpp.talk "
    "xmpp.roster xmpp.blocking xmpp.profile xmpp.privilege xmpp.placing xmpp.pacing xmpp.clients xmpp.uploads "
    "xmpp.archiving xmpp.incoming xmpp.moderating bridges.irc.rooms bridges.irc.directory bridges.irc.roomcommands "
    "files.reach files.fetching files.putting files.exchange "
    "bridges.irc.command bridges.irc.configure bridges.irc.networks bridges.irc.acting bridges.irc.operators "
    "bridges.irc.bouncer bridges.irc.connections bridges.irc.registering bridges.irc.staying "
    "bridges.*.wire bridges.*.bridge bridges.irc.pastes bridges.irc.people bridges.irc.watching bridges.irc.lookups "
    "bridges.irc.inquiries bridges.irc.dial bridges.irc.socks bridges.irc.identd",
    4: "app mounted cli shell.* __main__ web",  # may import all
}
#: Libraries, and the lowest floor that may use them.
LIBRARIES = {
    **dict.fromkeys(("slixmpp", "irc", "twilio", "aiohttp", "aiosmtplib", "aiosmtpd"), 3),
    **dict.fromkeys(("sqlalchemy", "alembic", "cryptography", "pydantic", "pydantic_core"), 2),
    "uvloop": 4,
    "yarl": 3,
    "multidict": 3,
    "PIL": 2,
}
#: What the pure floors must not touch: sockets, clocks, chance, loops, threads, files, logs.
IMPURE = set(
    "asyncio concurrent http logging multiprocessing os pathlib random secrets selectors shutil signal smtplib socket "  # noqa: SIM905
    "sqlite3 ssl subprocess tempfile threading time".split()
)

SOURCES = sorted(HOUSE.rglob("*.py"))
MODULES = {".".join(path.relative_to(HOUSE).with_suffix("").parts): path for path in SOURCES if path.stem != "__init__"}


def floor(module: str) -> int:
    found = [level for level, patterns in FLOORS.items() if any(fnmatchcase(module, p) for p in patterns.split())]
    assert len(found) == 1, f"{module} stands on {len(found)} floors: add it to FLOORS"
    return found[0]


def wing(module: str) -> str:
    """`xmpp`, `bridges.irc` …; '' for the house between them."""
    parts = module.split(".")
    return ".".join(parts[: {"xmpp": 1, "bridges": 2}.get(parts[0], 0)])


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, at whatever place in it."""
    names = set()
    for found in ast.walk(ast.parse(path.read_text())):
        if isinstance(found, ast.Import):
            names |= {alias.name for alias in found.names}
        elif isinstance(found, ast.ImportFrom):
            assert not found.level, f"{path}:{found.lineno}: imports are absolute"
            inner = [f"{found.module}.{alias.name}" for alias in found.names]
            names |= {name if name.removeprefix("transports.") in MODULES else str(found.module) for name in inner}
    return names


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_floor_and_below(module: str) -> None:
    level = floor(module)
    for name in imported(MODULES[module]):
        root, _, inner = name.partition(".")
        if root == "transports":
            if not inner or (HOUSE / inner.replace(".", "/")).is_dir():
                continue  # an empty __init__
            assert floor(inner) <= level, f"{module} (floor {level}) imports {inner} (floor {floor(inner)})"
            if wing(inner) not in ("", wing(module)) and level < 4:
                assert (wing(module), wing(inner)) == ("", "xmpp"), f"{module} imports {inner}, of another wing"
        elif root in sys.stdlib_module_names:
            assert level > 1 or root not in IMPURE, f"{module} is pure and imports {name}"
        else:
            assert root in LIBRARIES, f"{module} imports {name}: add it to LIBRARIES"
            assert level >= LIBRARIES[root], f"{module} (floor {level}) imports {name}"


def test_packages_are_only_folders() -> None:
    assert [path for path in SOURCES if path.stem == "__init__" and path.stat().st_size] == []
