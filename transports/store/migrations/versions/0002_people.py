"""Accounts and their secrets, contacts, links between ids, files, and what is true of the whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("bridge", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("preferences", sa.Text, nullable=False),
    )
    op.create_table(
        "secrets",
        sa.Column("bridge", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("part", sa.String(16), primary_key=True),
        sa.Column("var", sa.Text, primary_key=True),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "contacts",
        sa.Column("bridge", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("contact_kind", sa.String(16), primary_key=True),
        sa.Column("contact_name", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("groups", sa.Text, nullable=False),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("hears", "heard", "asked", "blocked")),
    )
    op.create_table(
        "links",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("bridge", sa.String(64), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("contact_kind", sa.String(16), nullable=False),
        sa.Column("contact_name", sa.Text, nullable=False),
        sa.Column("xmpp_id", sa.Text, nullable=False),
        sa.Column("far_id", sa.Text, nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("excerpt", sa.Text, nullable=False),
        sa.Column("asked", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    contact = ["bridge", "owner", "contact_kind", "contact_name"]
    op.create_index("links_by_xmpp_id", "links", [*contact, "xmpp_id"])
    op.create_index("links_by_far_id", "links", [*contact, "far_id"])
    op.create_index("links_age", "links", ["created"])
    op.create_table(
        "files",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("bridge", sa.String(64), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("type", sa.String(128), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_index("files_owner", "files", ["owner"])
    op.create_index("files_expires", "files", ["expires"])
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
