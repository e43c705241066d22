"""The tables as they are today, and the version they bear. No connection, no query.

A change here comes with a file in `migrations/versions` and a new HEAD; tests/store/test_database.py holds that a migrated
database and a fresh one are the same. SQL stays portable between SQLite and PostgreSQL.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: Alembic's revision of this schema.
HEAD: Final = "0001"

metadata: Final = MetaData()

#: Where Alembic keeps the revision; declared here so that reading it does not need Alembic.
alembic_version: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))

#: Durable queues both ways; `store/journal.py` says what each state means.
journal: Final = Table(
    "journal",
    metadata,
    # SQLite counts only an INTEGER primary key by itself.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),  # our stanza id
    Column("direction", String(3), nullable=False),  # in: far side to XMPP; out: XMPP to far side
    Column("bridge", String(64), nullable=False),
    Column("owner", Text, nullable=False),  # the user's bare JID
    Column("contact_kind", String(16), nullable=False),
    Column("contact_name", Text, nullable=False),
    Column("key", String(255)),  # the far side's own id; a repeat of it is not stored again
    Column("payload", Text),  # the event as JSON; NULL when its time is over
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", Float, nullable=False),  # seconds since the epoch
    Column("error", Text),  # why it is dead or waits: "condition: words"
    Column("far_ids", Text),  # JSON list of the far side's ids of a Say that was sent
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    UniqueConstraint("bridge", "direction", "key", name="journal_key"),
    Index("journal_queue", "bridge", "direction", "owner", "state", "seq"),
    Index("journal_age", "state", "changed"),
    sqlite_autoincrement=True,  # a purged row's seq is never given again
)
