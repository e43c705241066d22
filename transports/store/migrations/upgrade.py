"""Brings an older database to today's schema. The only file that imports Alembic, and itself imported only when needed:
the import costs 150 ms and 12 MB.
"""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def scripts() -> ScriptDirectory:
    """Our revisions, oldest first when walked from base."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def knows(version: str) -> bool:
    """Whether `version` is a revision of ours; one that is not comes from a newer Transports."""
    return any(script.revision == version for script in scripts().walk_revisions())


def upgrade(connection: Connection) -> None:
    """Run every revision the database lacks, in the caller's transaction."""
    directory = scripts()
    context = MigrationContext.configure(
        connection, opts={"fn": lambda version, _context: directory._upgrade_revs("head", version)}
    )
    with Operations.context(context):
        context.run_migrations()
