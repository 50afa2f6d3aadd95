"""The catalogue's tables, as SQLAlchemy knows them.

Times are int64 UTC nanoseconds in BIGINT columns; a float that may be NaN is a nullable column, since
SQLite keeps NaN as NULL. Sequence numbers are text: SeedLink's are unsigned 64-bit, BIGINT is signed.

A change here needs a new file in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

pick = Table(
    "pick",
    metadata,
    Column("pick_id", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("network", String, nullable=False),
    Column("station", String, nullable=False),
    Column("location", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("phase_hint", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("probability", Double),
    Column("uncertainty_s", Double),
    Column("amplitude", Double),
    Column("amplitude_unit", String, nullable=False),
    Column("snr", Double),
    Column("coverage", Double),
    Column("model_version", String, nullable=False),
    Column("network_s", Double),
    Column("buffer_s", Double),
    Column("batch_s", Double),
    Column("compute_s", Double),
    Index("ix_pick_time_ns", "time_ns"),
)

event_revision = Table(
    "event_revision",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("status", String, nullable=False),
    Column("merged_into", String),
    Column("method_id", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("latitude_deg", Double),
    Column("longitude_deg", Double),
    Column("depth_km", Double),
    Column("time_uncertainty_s", Double),
    Column("horizontal_uncertainty_km", Double),
    Column("depth_uncertainty_km", Double),
    Column("depth_fixed", Boolean, nullable=False),
    Column("rms_s", Double),
    Column("azimuthal_gap_deg", Double),
    Column("nearest_station_deg", Double),
    Column("covariance_km2", Text, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    ForeignKeyConstraint(["event_id", "revision"], ["event_revision.event_id", "event_revision.revision"]),
    Index("ix_event_time_ns", "time_ns"),
)

arrival = Table(
    "arrival",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("pick_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("residual_s", Double),
    Column("distance_deg", Double),
    Column("azimuth_deg", Double),
    Column("weight", Double),
    ForeignKeyConstraint(["event_id", "revision"], ["event_revision.event_id", "event_revision.revision"]),
    Index("ix_arrival_pick_id", "pick_id"),
)

magnitude = Table(
    "magnitude",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("magnitude", Double),
    Column("magnitude_type", String, nullable=False),
    Column("uncertainty", Double),
    Column("station_count", Integer, nullable=False),
    ForeignKeyConstraint(["event_id", "revision"], ["event_revision.event_id", "event_revision.revision"]),
)

gap = Table(
    "gap",
    metadata,
    Column("network", String, primary_key=True),
    Column("station", String, primary_key=True),
    Column("location", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("start_ns", BigInteger, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Column("cause", String, nullable=False),
    Index("ix_gap_start_ns", "start_ns"),
)

progress = Table(
    "progress",
    metadata,
    Column("source", String, primary_key=True),
    Column("network", String, primary_key=True),
    Column("station", String, primary_key=True),
    Column("sequence", String),
    Column("packet_start_ns", BigInteger, nullable=False),
    Column("settled_ns", BigInteger, nullable=False),
    Column("locks", Text, nullable=False),
)

fiber_picks = Table(
    "fiber_picks",
    metadata,
    Column("batch_id", String, primary_key=True),
    Column("fiber", String, nullable=False),
    Column("begin_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("pick_count", Integer, nullable=False),
    Column("model_version", String, nullable=False),
    Column("arrays", LargeBinary, nullable=False),
    Index("ix_fiber_picks_end_ns", "end_ns"),
)

fiber_event = Table(
    "fiber_event",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("fiber", String, nullable=False),
    Column("origin_ns", BigInteger, nullable=False),
    Column("ps_s", Double, nullable=False),
    Column("pick_count", Integer, nullable=False),
    Column("channel_count", Integer, nullable=False),
    Column("apex_channel", BigInteger, nullable=False),
    Column("merged_into", String),
    Column("arrays", LargeBinary, nullable=False),
    Index("ix_fiber_event_origin_ns", "origin_ns"),
)

fiber_progress = Table(
    "fiber_progress",
    metadata,
    Column("source", String, primary_key=True),
    Column("fiber", String, primary_key=True),
    Column("settled_ns", BigInteger, nullable=False),
    Column("sequence", String),
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("item_id", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_outbox_item", "kind", "item_id", "revision", unique=True),
    # A position is never used twice, even when the outbox was empty in between: places refer to it.
    sqlite_autoincrement=True,
)

place = Table(
    "place",
    metadata,
    Column("sink", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
