"""The first schema: the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("bridge", sa.String(64), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("contact_kind", sa.String(16), nullable=False),
        sa.Column("contact_name", sa.Text, nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("payload", sa.Text),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("far_ids", sa.Text),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("changed", sa.Float, nullable=False),
        sa.UniqueConstraint("bridge", "direction", "key", name="journal_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_queue", "journal", ["bridge", "direction", "owner", "state", "seq"])
    op.create_index("journal_age", "journal", ["state", "changed"])
