"""Picks, events and resume points of fiber-optic cables."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the three tables."""
    _create_picks()
    _create_event()
    op.create_table(
        "fiber_progress",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("fiber", sa.String(), nullable=False),
        sa.Column("settled_ns", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source", "fiber", name=op.f("pk_fiber_progress")),
    )


def _create_picks() -> None:
    op.create_table(
        "fiber_picks",
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("fiber", sa.String(), nullable=False),
        sa.Column("begin_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("pick_count", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_fiber_picks")),
    )
    op.create_index("ix_fiber_picks_end_ns", "fiber_picks", ["end_ns"], unique=False)


def _create_event() -> None:
    op.create_table(
        "fiber_event",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("fiber", sa.String(), nullable=False),
        sa.Column("origin_ns", sa.BigInteger(), nullable=False),
        sa.Column("ps_s", sa.Double(), nullable=False),
        sa.Column("pick_count", sa.Integer(), nullable=False),
        sa.Column("channel_count", sa.Integer(), nullable=False),
        sa.Column("apex_channel", sa.BigInteger(), nullable=False),
        sa.Column("merged_into", sa.String(), nullable=True),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_fiber_event")),
    )
    op.create_index("ix_fiber_event_origin_ns", "fiber_event", ["origin_ns"], unique=False)
