"""The tables as they are today, and the version they bear. No connection, no query.

A change here comes with a file in `migrations/versions` and a new HEAD; tests/store/test_database.py holds that a migrated
database and a fresh one are the same. SQL stays portable between SQLite and PostgreSQL.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: Alembic's revision of this schema.
HEAD: Final = "0003"

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

#: Who is registered; `store/accounts.py`. What is secret of answers and preferences is not here but in `secrets`.
accounts: Final = Table(
    "accounts",
    metadata,
    Column("bridge", String(64), primary_key=True),
    Column("owner", Text, primary_key=True),  # the user's bare JID, as in every table
    Column("created", Float, nullable=False),
    Column("language", String(35), nullable=False),
    Column("answers", Text, nullable=False),  # JSON object: var -> text, boolean or list of texts
    Column("preferences", Text, nullable=False),  # the same
)

#: Values of accounts that are encrypted; `store/vault.py`.
secrets: Final = Table(
    "secrets",
    metadata,
    Column("bridge", String(64), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("part", String(16), primary_key=True),  # answers, preferences
    Column("var", Text, primary_key=True),
    Column("nonce", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # a byte for the version of the sealing, then ciphertext and tag
)

#: What users have set for places of a bridge; `store/options.py`.
options: Final = Table(
    "options",
    metadata,
    Column("bridge", String(64), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("place_kind", String(16), primary_key=True),
    Column("place_name", Text, primary_key=True),
    Column("answers", Text, nullable=False),  # JSON object, as in accounts
    Column("nonce", LargeBinary),  # of what is secret of them; NULL where nothing is
    Column("sealed", LargeBinary),  # as in `secrets`: a JSON object like `answers`
)

#: `store/contacts.py`; the words are those of transports/contacts.py.
contacts: Final = Table(
    "contacts",
    metadata,
    Column("bridge", String(64), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("contact_kind", String(16), primary_key=True),
    Column("contact_name", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("groups", Text, nullable=False),  # JSON list
    Column("hears", Boolean, nullable=False),
    Column("heard", Boolean, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("blocked", Boolean, nullable=False),
)

#: Which stanza is which message of the far side; `store/links.py`.
links: Final = Table(
    "links",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("bridge", String(64), nullable=False),
    Column("owner", Text, nullable=False),
    Column("contact_kind", String(16), nullable=False),
    Column("contact_name", Text, nullable=False),
    Column("xmpp_id", Text, nullable=False),
    Column("far_id", Text, nullable=False),  # '' when the far side gave none
    Column("direction", String(3), nullable=False),  # as in the journal
    Column("author", Text, nullable=False),  # the full JID, or the far side's name, that sent it
    Column("excerpt", Text, nullable=False),  # how its text begins
    Column("asked", String(32), nullable=False),  # what its author wants to be told: delivered, displayed
    Column("state", String(16), nullable=False),  # what became of it: '', delivered, displayed, failed
    Column("created", Float, nullable=False),
    Index("links_by_xmpp_id", "bridge", "owner", "contact_kind", "contact_name", "xmpp_id"),
    Index("links_by_far_id", "bridge", "owner", "contact_kind", "contact_name", "far_id"),
    Index("links_age", "created"),
)

#: Files that are served to others; `store/files.py`. The bytes are elsewhere, under `name`.
files: Final = Table(
    "files",
    metadata,
    Column("name", String(128), primary_key=True),  # unguessable
    Column("bridge", String(64), nullable=False),
    Column("owner", Text, nullable=False),  # '' once the owner has gone
    Column("filename", Text, nullable=False),
    Column("type", String(128), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),  # hexadecimal
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Index("files_owner", "owner"),
    Index("files_expires", "expires"),
)

#: What is true of the database as a whole: `key` says which key its secrets are sealed with.
meta: Final = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
