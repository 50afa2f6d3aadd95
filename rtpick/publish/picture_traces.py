"""Packets and clips to filtered traces, by distance from an origin.

Arrays: C component, T time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.event import Origin
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.time import NS_PER_S, to_s
from rtpick.vocabulary.waveform import Clip, Packet

BAND_HZ = (2.0, 20.0)
_KM_PER_DEG = 111.195
_LEAD_S = 5.0

FloatArray = npt.NDArray[np.float64]
Piece = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One channel's contiguous pieces: seconds after the origin, and filtered samples.

    `peak` is the largest sample of all pieces, 1 where all are zero.
    """

    channel: ChannelId
    distance_km: float
    pieces: tuple[Piece, ...]
    peak: float

    @property
    def station(self) -> StationId:
        """The station of the channel."""
        return self.channel.station_id

    @property
    def label(self) -> str:
        """What stands beside the trace."""
        return f"{self.station}  {self.channel.channel}   {self.distance_km:.1f} km"


def collect_traces(
    waveforms: Iterable[Packet | Clip], origin: Origin, inventory: Inventory, first_s: float, last_s: float
) -> list[Trace]:
    """Cut, join and filter the samples between two times after the origin, nearest station first.

    The filter starts some seconds earlier where there are samples, so that its own beginning does
    not show.
    """
    joined: dict[ChannelId, list[tuple[int, float, FloatArray]]] = defaultdict(list)
    for channel, start_ns, rate_hz, samples_T in _channels(waveforms):
        if channel.station_id in inventory:
            joined[channel].append((start_ns, rate_hz, samples_T))
    traces = [
        _make_trace(channel, spans, origin, inventory.stations[channel.station_id], first_s, last_s)
        for channel, spans in joined.items()
    ]
    found = [trace for trace in traces if trace.pieces]
    return sorted(found, key=lambda trace: (trace.distance_km, trace.station, _component_rank(trace.channel)))


def _channels(waveforms: Iterable[Packet | Clip]) -> Iterator[tuple[ChannelId, int, float, FloatArray]]:
    for item in waveforms:
        if isinstance(item, Packet):
            yield (
                item.channel,
                item.start_ns,
                item.sampling_rate_hz,
                np.asarray(item.samples, dtype=np.float64),
            )
            continue
        codes = item.instrument
        for component, samples_T in zip(item.component_order, item.samples_CT, strict=True):
            channel = ChannelId(
                codes.network, codes.station, codes.location, codes.band_instrument + component
            )
            yield channel, item.start_ns, item.sampling_rate_hz, np.asarray(samples_T, dtype=np.float64)


def _make_trace(
    channel: ChannelId,
    spans: list[tuple[int, float, FloatArray]],
    origin: Origin,
    station: Station,
    first_s: float,
    last_s: float,
) -> Trace:
    pieces = [
        _cut(piece, first_s, last_s)
        for start_ns, rate_hz, samples_T in _join(spans)
        for piece in _filtered(to_s(start_ns - origin.time_ns), rate_hz, samples_T, first_s, last_s)
    ]
    pieces = [piece for piece in pieces if len(piece[0]) > 1]
    peak = max((float(np.abs(samples_T).max()) for _, samples_T in pieces), default=0.0)
    distance_km = _distance_km(origin, station.latitude_deg, station.longitude_deg)
    return Trace(channel, distance_km, tuple(pieces), peak or 1.0)


def _join(spans: list[tuple[int, float, FloatArray]]) -> Iterator[tuple[int, float, FloatArray]]:
    """Put pieces that follow one another together; what overlaps is taken from the earlier one."""
    open_span: tuple[int, float, FloatArray] | None = None
    for start_ns, rate_hz, samples_T in sorted(spans, key=lambda span: span[0]):
        if open_span is None:
            open_span = (start_ns, rate_hz, samples_T)
            continue
        first_ns, first_rate_hz, joined_T = open_span
        ahead = round((start_ns - first_ns) * rate_hz / NS_PER_S) - len(joined_T)
        if first_rate_hz != rate_hz or ahead > 0:
            yield open_span
            open_span = (start_ns, rate_hz, samples_T)
        else:
            open_span = (
                first_ns,
                rate_hz,
                np.concatenate([joined_T, samples_T[-ahead:] if ahead else samples_T]),
            )
    if open_span is not None:
        yield open_span


def _filtered(
    start_s: float, rate_hz: float, samples_T: FloatArray, first_s: float, last_s: float
) -> Iterator[Piece]:
    """Band-pass each run of valid samples near the picture's span."""
    time_s_T = start_s + np.arange(len(samples_T)) / rate_hz
    near_T = (time_s_T >= first_s - _LEAD_S) & (time_s_T <= last_s) & np.isfinite(samples_T)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near_T, [False]]).astype(np.int8)))
    upper_hz = min(BAND_HZ[1], 0.45 * rate_hz)
    sections = butter(2, (min(BAND_HZ[0], 0.5 * upper_hz), upper_hz), "bandpass", fs=rate_hz, output="sos")
    for begin, end in edges.reshape(-1, 2):
        run_T = samples_T[begin:end]
        yield time_s_T[begin:end], np.asarray(sosfilt(sections, run_T - run_T[0]), dtype=np.float64)


def _cut(piece: Piece, first_s: float, last_s: float) -> Piece:
    time_s_T, samples_T = piece
    inside_T = (time_s_T >= first_s) & (time_s_T <= last_s)
    return time_s_T[inside_T], samples_T[inside_T]


def _component_rank(channel: ChannelId) -> tuple[bool, str]:
    return channel.component != "Z", channel.component


def _distance_km(origin: Origin, latitude_deg: float, longitude_deg: float) -> float:
    first, second = math.radians(origin.latitude_deg), math.radians(latitude_deg)
    turn = math.radians(longitude_deg - origin.longitude_deg)
    half = math.sin((second - first) / 2) ** 2 + math.cos(first) * math.cos(second) * math.sin(turn / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(half)))) * _KM_PER_DEG
