"""Settings of the picker of fiber-optic cables: every key with its type, unit, range and default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtpick.settings.section import NotNegative, Positive, Probability, Section
from rtpick.vocabulary.fiber import Quantity

ChannelRange = Annotated[str, Field(pattern=r"^\d+(-\d+)?$")]


class FiberConversionSettings(Section):
    """What a fiber's samples are turned into before anything else looks at them."""

    quantity: Quantity = Field(description="what the samples measure afterwards")
    unit: str = Field("1/s", description="their unit afterwards")
    factor: float = Field(1.0, description="samples are multiplied by it")
    differentiate: bool = Field(False, description="differentiate in time, as from strain to strain rate")


class FiberOverrides(Section):
    """What is known of one fiber."""

    geometry: Path | None = Field(None, description="where its channels lie: CSV, or GeoJSON of one line")
    conversion: FiberConversionSettings | None = None
    bad_channels: tuple[ChannelRange, ...] = Field((), description='channel numbers, "17" or "100-120"')
    good_channels: tuple[ChannelRange, ...] = Field((), description="never taken as bad, whatever is learnt")


class FiberBufferSettings(Section):
    """From blocks to the samples that tiles are cut from."""

    memory_s: Annotated[
        float, Field(ge=20, le=3600, description="of samples; tiles that wait for longer are dropped")
    ] = 120.0
    queue_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        1 << 28, description="blocks that wait to be looked at; beyond, the oldest gives way to a gap"
    )
    reorder_budget_s: NotNegative = Field(
        0.0, description="for blocks that change places; sources put theirs in order before"
    )
    future_tolerance_s: Positive = 30.0
    channel_decimation: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None,
        description="one channel is kept of so many, behind a spatial low-pass; absent: as the network wants",
    )
    common_mode: Literal["off", "steps", "median"] | None = Field(
        None,
        description="steps: take out what all channels show alike; median: the median over the channels; "
        "absent: as the network wants",
    )
    learn_bad_channels: bool = True
    health_cell_s: Annotated[float, Field(gt=0, le=600)] = 12.0
    dead_below: Annotated[float, Field(gt=0, lt=1, description="of the usual level nearby")] = 1e-3
    noisy_above: Annotated[float, Field(gt=1, description="times the usual level nearby")] = 20.0
    saturated_above: Annotated[float, Field(gt=0, lt=1, description="of the samples at the limit")] = 0.05


class FiberPickingSettings(Section):
    """From tiles to picks; a length that is absent is the network's own."""

    weights: str = "default"
    tile_channels: Annotated[int, Field(ge=1, le=8192)] | None = None
    tile_samples: Annotated[int, Field(ge=32, le=65536)] | None = None
    stride_samples: Annotated[int, Field(ge=16, le=65536)] | None = None
    lead_samples: Annotated[int, Field(ge=0)] | None = Field(
        None, description="at a tile's start, seen but not spoken of; the longer, the sooner picks are final"
    )
    guard_samples: Annotated[int, Field(ge=0)] | None = Field(
        None, description="at a tile's end, seen but not spoken of"
    )
    overlap_channels: Annotated[int, Field(ge=0)] | None = None
    p_threshold: Probability = 0.3
    s_threshold: Probability = 0.3
    hint_threshold: Probability = 0.3
    half_window_s: Positive = Field(0.5, description="a pick is the highest within this to either side")
    amplitude_p_s: NotNegative = Field(10.0, description="behind a P; picks wait for it")
    amplitude_s_s: NotNegative = Field(5.0, description="behind an S; picks wait for it")
    gap_guard_s: NotNegative = Field(0.5, description="samples this near to a gap are not believed")
    minimum_coverage: Annotated[
        float, Field(gt=0, le=1, description="tiles with a smaller fraction of their samples are passed over")
    ] = 0.5
    progress_interval_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    batch_tiles: Annotated[int, Field(ge=1, le=1024)] | None = None
    batch_age_s: NotNegative = 0.2


class FiberSettings(Section):
    """All that concerns fiber-optic cables."""

    buffer: FiberBufferSettings = FiberBufferSettings()
    picking: FiberPickingSettings = FiberPickingSettings()
    fibers: dict[str, FiberOverrides] = Field(default_factory=dict, description="by the fiber's name")

    def overrides(self, fiber: str) -> FiberOverrides:
        """What is set for one fiber."""
        return self.fibers.get(fiber, FiberOverrides())
