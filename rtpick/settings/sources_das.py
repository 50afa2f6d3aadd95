"""Settings of ZeroMQ sources: fiber-optic cables and stations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtpick.settings.section import NotNegative, Positive, Section
from rtpick.vocabulary.fiber import Quantity

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Address = Annotated[str, Field(pattern=r"^(tcp|ipc)://\S+$", description="tcp://HOST:PORT or ipc://PATH")]
Bytes = Annotated[int, Field(ge=1 << 16)]


class ZeroMqDasSettings(Section):
    """One interrogator's stream of blocks."""

    type: Literal["zeromq-das"]
    name: Name = Field(description="name in logs and metrics")
    address: Address
    format: Literal["asn", "xdas", "rtpick", "febus"]
    fiber: Name | None = Field(None, description="name of the cable; absent: the source's")
    topic: str = Field("", description="only messages that begin so; rtpick: the publisher's fiber")
    quantity: Quantity = Field(Quantity.STRAIN_RATE, description="where the stream does not say")
    unit: str = Field("1/s", description="where the stream does not say")
    gauge_length_m: Positive | None = Field(None, description="where the stream does not say")
    spacing_before_decimation: bool = Field(
        True, description="asn: dx is the spacing before roiDec thins the channels out"
    )
    apply_sensitivity: bool = Field(True, description="asn: divide by the header's sensitivity")
    reorder_budget_s: NotNegative = Field(2.0, description="wait for a missing block so long")
    future_tolerance_s: Positive = 30.0
    queue_bytes: Bytes = Field(1 << 28, description="received and not yet read; then the publisher waits")
    maximum_block_bytes: Bytes = Field(1 << 28, description="a larger message is refused")
    silent_blocks: Positive = Field(5.0, description="no message for so many block lengths: silent")
    silent_minimum_s: Positive = Field(2.0, description="but never before")
    silent_alarm_s: Positive = Field(10.0, description="while no block has told its length")
    poll_interval_s: Positive = Field(0.1, description="febus: ask again so long after an old block")
    heartbeat_s: NotNegative = Field(5.0, description="0: none, for publishers of very old libraries")
    on_end: Literal["reconnect", "stop"] = Field("reconnect", description="rtpick: when the stream ends")
    curve_server_key_file: Path | None = Field(None, description="the publisher's public certificate")
    curve_key_file: Path | None = Field(None, description="our secret certificate; absent: made anew")
    reconnect_min_s: Positive = 0.5
    reconnect_max_s: Positive = 10.0

    @property
    def cable(self) -> str:
        """Name of the cable."""
        return self.fiber or self.name

    @property
    def gauge_or_nan_m(self) -> float:
        """Gauge length, NaN where unknown."""
        return math.nan if self.gauge_length_m is None else self.gauge_length_m


class ZeroMqStationSettings(Section):
    """Stations' records from a PUB socket: ``[NET.STA.LOC.CHA][miniSEED record]``."""

    type: Literal["zeromq-stations"]
    name: Name = Field(description="name in logs and metrics")
    address: Address
    streams: tuple[str, ...] = Field(("*.*.*.*",), min_length=1, description="NET.STA.LOC.CHA patterns")
    topics: bool = Field(True, description="false: the publisher sends bare records, without a topic")
    queue_bytes: Bytes = Field(1 << 26, description="received and not yet read; then the publisher waits")
    silent_alarm_s: Positive = 120.0
    heartbeat_s: NotNegative = Field(5.0, description="0: none, for publishers of very old libraries")
    curve_server_key_file: Path | None = Field(None, description="the publisher's public certificate")
    curve_key_file: Path | None = Field(None, description="our secret certificate; absent: made anew")
    reconnect_min_s: Positive = 0.5
    reconnect_max_s: Positive = 10.0


ZeroMqSource = ZeroMqDasSettings | ZeroMqStationSettings
