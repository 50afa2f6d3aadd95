"""Every setting, with its type, unit, range and default; unknown keys are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtpick.settings.fiber import FiberSettings
from rtpick.settings.section import AnyPort, NotNegative, Port, Positive, Probability, Section
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings


class SeedLinkSettings(Section):
    """One SeedLink server."""

    type: Literal["seedlink"]
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="name in logs and metrics")
    host: str = "127.0.0.1"
    port: Port = 18000
    streams: tuple[str, ...] = Field(min_length=1, description="NET.STA.LOC.CHA patterns with * and ?")
    protocol: Literal["auto", "v4", "v3"] = "auto"
    sequence_scope: Literal["auto", "server", "station"] = "auto"
    start: str = Field("resume", description="resume, now, all, or an ISO 8601 time")
    on_end: Literal["reconnect", "stop"] = "reconnect"
    tls: bool = False
    ca_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    connect_timeout_s: Positive = 10.0
    keepalive_s: Positive = 300.0
    reconnect_min_s: Positive = 1.0
    reconnect_max_s: Positive = 60.0
    silent_alarm_s: Positive = 120.0
    channel_silent_alarm_s: Positive = 600.0


class ArchiveSourceSettings(Section):
    """A folder of miniSEED played into the daemon."""

    type: Literal["archive"]
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    path: Path
    streams: tuple[str, ...] = ("*.*.*.*",)
    speed: Annotated[float, Field(ge=0, description="1 is real time, 0 as fast as it goes")] = 1.0


StationSource = SeedLinkSettings | ArchiveSourceSettings | ZeroMqStationSettings
Source = Annotated[StationSource | ZeroMqDasSettings, Field(discriminator="type")]


class InventorySettings(Section):
    """Where station coordinates come from, and which sensor of a station is listened to."""

    files: tuple[Path, ...] = Field(
        description="StationXML, or CSV of coordinates; none where all sources are cables"
    )
    band_instrument_priority: tuple[str, ...] = (
        *("HH", "HN", "BH", "EH", "SH", "DH", "GH", "CH"),
        *("HP", "EP", "DP", "GP"),
        *("BN", "EN", "SN"),
    )


class BufferSettings(Section):
    """Rings and windows."""

    length_s: Annotated[float, Field(ge=90, le=3600)] = 240.0
    reorder_budget_s: NotNegative = 5.0
    component_wait_s: NotNegative = 5.0
    station_silence_s: Positive = 120.0
    future_tolerance_s: Positive = 30.0
    minimum_coverage: Annotated[float, Field(gt=0, le=1)] = 0.3
    queue_packets: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    overload_wait_s: NotNegative = 60.0


class StationThresholds(Section):
    """Thresholds of one station; what is absent falls back to the network's."""

    p: Probability | None = None
    s: Probability | None = None


class PickingSettings(Section):
    """From curves of probability to picks."""

    weights: str = "default"
    stride_samples: Literal[32, 64, 128, 256, 512] = 256
    stacking: Literal["mean", "max"] = "mean"
    p_threshold: Probability = 0.3
    s_threshold: Probability = 0.3
    station_thresholds: dict[str, StationThresholds] = Field(default_factory=dict)
    guard_s: NotNegative = 0.5
    minimum_distance_s: NotNegative = 0.5
    minimum_rise: Annotated[float, Field(ge=0, lt=1)] = 0.0
    gap_guard_s: Annotated[
        NotNegative, Field(description="samples this near to the edge of a gap are not stacked")
    ] = 0.5
    clip_before_s: Annotated[float, Field(ge=0, le=60)] = 10.0
    clip_after_s: Annotated[float, Field(ge=0, le=60)] = 20.0
    waiting_windows: Annotated[
        int, Field(ge=256, description="when more are waiting to be inferred, the oldest are dropped")
    ] = 16384
    progress_interval_s: Annotated[
        float, Field(gt=0, le=600, description="event time between two resume points of a station")
    ] = 5.0


class EngineSettings(Section):
    """How the network is run."""

    backend: Literal["auto", "torch", "openvino"] = "auto"
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 128
    batch_age_s: NotNegative = 0.2
    threads: Annotated[int, Field(ge=0, le=256, description="0: as many as there are cores")] = 0


class AssociationSettings(Section):
    """From picks to events."""

    velocity_model: str = Field("iasp91", description="iasp91, or a CSV of depth_km, vp, vs")
    maximum_depth_km: Annotated[float, Field(gt=0, le=700)] | None = Field(
        None, description="a third of the aperture, at least 50, within the model, if absent"
    )
    maximum_distance_km: Positive = 800.0
    margin_km: NotNegative | None = Field(None, description="around the network; absent: from its aperture")
    cell_km: Positive | None = Field(None, description="vote grid spacing; absent: from the station spacing")
    onset_uncertainty_s: Positive | None = Field(None, description="of P; absent: from the station spacing")
    minimum_picks: Annotated[int, Field(ge=4)] = Field(
        5, description="one fewer, but 4, where a station has both P and S"
    )
    minimum_stations: Annotated[int, Field(ge=3)] = 3
    maximum_residual_s: Positive = 1.5
    minimum_log_odds: Positive = Field(8.0, description="to publish: ln of event against chance")
    settle_s: Positive = 120.0
    publish_interval_s: NotNegative = 1.0
    learn_station_terms: bool = Field(False, description="correct picks by how late stations usually are")


class MagnitudeSettings(Section):
    """``ML = log10(A/nm) + geometric * log10(R/km) + absorption_per_km * R/km + constant``."""

    geometric: float = 1.11
    absorption_per_km: float = 0.00189
    constant: float = -2.09
    corrections: Path | None = Field(None, description="CSV of station, correction")


class ArchiveSettings(Section):
    """The durable truth."""

    database: str = "sqlite:///rtpick.sqlite"
    clips_directory: Path | None = None
    clips_maximum_bytes: Annotated[int, Field(ge=0)] = 2_000_000_000
    retry_s: Positive = 5.0
    retention_days: Annotated[float, Field(ge=1)] | None = Field(
        None, description="of picks in no event, gaps and superseded revisions; absent: everything is kept"
    )


class PublishSettings(Section):
    """Who is told."""

    zeromq_bind: str | None = Field(None, description="tcp://127.0.0.1:5556")
    quakeml_directory: Path | None = None
    csv_directory: Path | None = None
    maximum_waiting: Annotated[
        int, Field(ge=1, description="items that wait for a sink that refuses; then the oldest are given up")
    ] = 1_000_000


class HealthSettings(Section):
    """/metrics, /healthz, /readyz."""

    host: str = "127.0.0.1"
    port: AnyPort = 9464
    worker_timeout_s: Positive = 60.0
    inference_timeout_s: Positive = 300.0


class LoggingSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Settings(Section):
    """The whole of `rtpick.yaml`."""

    sources: tuple[Source, ...] = Field(min_length=1)
    inventory: InventorySettings
    buffer: BufferSettings = BufferSettings()
    picking: PickingSettings = PickingSettings()
    engine: EngineSettings = EngineSettings()
    association: AssociationSettings = AssociationSettings()
    magnitude: MagnitudeSettings = MagnitudeSettings()
    fiber: FiberSettings = FiberSettings()
    archive: ArchiveSettings = ArchiveSettings()
    publish: PublishSettings = PublishSettings()
    health: HealthSettings = HealthSettings()
    logging: LoggingSettings = LoggingSettings()

    @property
    def cables(self) -> tuple[ZeroMqDasSettings, ...]:
        """The sources that are fiber-optic cables."""
        return tuple(source for source in self.sources if isinstance(source, ZeroMqDasSettings))
