"""What users have set for places of a bridge."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "options",
        sa.Column("bridge", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("place_kind", sa.String(16), primary_key=True),
        sa.Column("place_name", sa.Text, primary_key=True),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("nonce", sa.LargeBinary),
        sa.Column("sealed", sa.LargeBinary),
    )
