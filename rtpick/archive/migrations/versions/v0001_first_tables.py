"""The first tables: picks, events, gaps, resume points and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table; `event_revision` before those that refer to it."""
    _create_event_revision()
    _create_gap()
    _create_outbox()
    _create_pick()
    _create_progress()
    _create_arrival()
    _create_event()
    _create_magnitude()


def _create_event_revision() -> None:
    op.create_table(
        "event_revision",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("merged_into", sa.String(), nullable=True),
        sa.Column("method_id", sa.String(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("latitude_deg", sa.Double(), nullable=True),
        sa.Column("longitude_deg", sa.Double(), nullable=True),
        sa.Column("depth_km", sa.Double(), nullable=True),
        sa.Column("time_uncertainty_s", sa.Double(), nullable=True),
        sa.Column("horizontal_uncertainty_km", sa.Double(), nullable=True),
        sa.Column("depth_uncertainty_km", sa.Double(), nullable=True),
        sa.Column("depth_fixed", sa.Boolean(), nullable=False),
        sa.Column("rms_s", sa.Double(), nullable=True),
        sa.Column("azimuthal_gap_deg", sa.Double(), nullable=True),
        sa.Column("nearest_station_deg", sa.Double(), nullable=True),
        sa.Column("covariance_km2", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "revision", name=op.f("pk_event_revision")),
    )


def _create_gap() -> None:
    op.create_table(
        "gap",
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("network", "station", "location", "channel", "start_ns", name=op.f("pk_gap")),
    )
    op.create_index("ix_gap_start_ns", "gap", ["start_ns"], unique=False)


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_item", "outbox", ["kind", "item_id", "revision"], unique=True)


def _create_pick() -> None:
    op.create_table(
        "pick",
        sa.Column("pick_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("phase_hint", sa.String(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("uncertainty_s", sa.Double(), nullable=True),
        sa.Column("amplitude", sa.Double(), nullable=True),
        sa.Column("amplitude_unit", sa.String(), nullable=False),
        sa.Column("snr", sa.Double(), nullable=True),
        sa.Column("coverage", sa.Double(), nullable=True),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("network_s", sa.Double(), nullable=True),
        sa.Column("buffer_s", sa.Double(), nullable=True),
        sa.Column("batch_s", sa.Double(), nullable=True),
        sa.Column("compute_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("pick_id", name=op.f("pk_pick")),
    )
    op.create_index("ix_pick_time_ns", "pick", ["time_ns"], unique=False)


def _create_progress() -> None:
    op.create_table(
        "progress",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("sequence", sa.String(), nullable=True),
        sa.Column("packet_start_ns", sa.BigInteger(), nullable=False),
        sa.Column("settled_ns", sa.BigInteger(), nullable=False),
        sa.Column("locks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "network", "station", name=op.f("pk_progress")),
    )


def _create_arrival() -> None:
    op.create_table(
        "arrival",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pick_id", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("residual_s", sa.Double(), nullable=True),
        sa.Column("distance_deg", sa.Double(), nullable=True),
        sa.Column("azimuth_deg", sa.Double(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id", "revision"],
            ["event_revision.event_id", "event_revision.revision"],
            name=op.f("fk_arrival_event_revision"),
        ),
        sa.PrimaryKeyConstraint("event_id", "revision", "position", name=op.f("pk_arrival")),
    )
    op.create_index("ix_arrival_pick_id", "arrival", ["pick_id"], unique=False)


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id", "revision"],
            ["event_revision.event_id", "event_revision.revision"],
            name=op.f("fk_event_event_revision"),
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_time_ns", "event", ["time_ns"], unique=False)


def _create_magnitude() -> None:
    op.create_table(
        "magnitude",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("magnitude", sa.Double(), nullable=True),
        sa.Column("magnitude_type", sa.String(), nullable=False),
        sa.Column("uncertainty", sa.Double(), nullable=True),
        sa.Column("station_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id", "revision"],
            ["event_revision.event_id", "event_revision.revision"],
            name=op.f("fk_magnitude_event_revision"),
        ),
        sa.PrimaryKeyConstraint("event_id", "revision", name=op.f("pk_magnitude")),
    )
