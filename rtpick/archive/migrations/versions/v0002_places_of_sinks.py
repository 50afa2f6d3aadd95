"""Each sink's own place in the outbox; positions that are never used twice."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the places; SQLite learns AUTOINCREMENT only with a new table, PostgreSQL has sequences."""
    op.create_table(
        "place",
        sa.Column("sink", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sink", name=op.f("pk_place")),
    )
    if op.get_context().dialect.name == "sqlite":
        _renew_outbox()


def _renew_outbox() -> None:
    op.drop_index("ix_outbox_item", "outbox")
    op.rename_table("outbox", "outbox_before")
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO outbox (position, kind, item_id, revision) "
        "SELECT position, kind, item_id, revision FROM outbox_before"
    )
    op.drop_table("outbox_before")
    op.create_index("ix_outbox_item", "outbox", ["kind", "item_id", "revision"], unique=True)
