"""Packets in, complete windows out: the buffer of the whole network.

C component, T time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest

import numpy as np

from rtpick.buffer.channel import (
    PACKET_LIMIT_S,
    PIECE_S,
    Channel,
    Pace,
    accept,
    open_channel,
)
from rtpick.buffer.continuity import Span
from rtpick.buffer.lock import PhaseLock, fresh_lock, nominal_rate, place_start, same_rate
from rtpick.buffer.ring import Ring
from rtpick.buffer.windows import (
    COMPONENTS,
    Instrument,
    WindowGeometry,
    complete,
    cut_components,
    mean_phase_ns,
    settled_index,
)
from rtpick.settings.schema import BufferSettings
from rtpick.vocabulary.codes import ChannelId, InstrumentId
from rtpick.vocabulary.time import SampleGrid, to_ns
from rtpick.vocabulary.waveform import (
    ChannelLock,
    Float32Array,
    Gap,
    GapCause,
    Packet,
    RejectCause,
    Rejection,
    Window,
)

MINIMUM_RATE_HZ = 5.0
MAXIMUM_RATE_HZ = 5000.0

ACQUAINTANCE_S = 60
"""Event time in which an instrument may turn out to have more components."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How a channel stands.

    `settled_ns` is the end of what can no longer change, `newest_ns` the end of the newest sample.
    """

    channel: ChannelId
    sampling_rate_hz: float
    settled_ns: int
    newest_ns: int
    gap_count: int
    drift_count: int


class Buffer:
    """Collect packets of any length and order into windows on the absolute grid.

    Parameters
    ----------
    settings : BufferSettings
    component_order : str
        Rows of a window, ``"ENZ"``.
    sampling_rate_hz : float
        The network's; channels of other rates are resampled to it.
    window_samples, stride_samples : int
    locks : iterable of ChannelLock
        The phases of an earlier run, so that the same samples get the same indices.

    Notes
    -----
    The windows depend on the samples alone, not on how they were packed, doubled or, within
    `reorder_budget_s`, ordered. Windows wait in the buffer until `complete_windows` fetches them.
    """

    def __init__(
        self,
        settings: BufferSettings,
        *,
        component_order: str,
        sampling_rate_hz: float,
        window_samples: int,
        stride_samples: int,
        locks: Iterable[ChannelLock] = (),
    ) -> None:
        self._settings = settings
        self._grid = SampleGrid(sampling_rate_hz)
        rate = self._grid.ratio
        budget = math.ceil(to_ns(settings.reorder_budget_s) * rate / 10**9)
        wait = math.ceil(to_ns(settings.component_wait_s) * rate / 10**9)
        acquaintance = math.ceil(ACQUAINTANCE_S * rate)
        self._pace = Pace(rate, budget, budget + wait, wait, acquaintance)
        self._geometry = WindowGeometry(
            component_order,
            rate,
            window_samples,
            stride_samples,
            minimum_samples=max(math.ceil(settings.minimum_coverage * window_samples), 1),
            join_samples=budget,
        )
        self._ring = Ring(self._ring_samples())
        self._channels: dict[ChannelId, Channel] = {}
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._locks = {lock.channel: lock for lock in locks}
        self._ready: list[Window] = []
        self._reference_ns = 0
        self._until_review = 0

    def add(self, packet: Packet, now_ns: int) -> list[Gap | Rejection]:
        """Take in a packet.

        Parameters
        ----------
        packet : Packet
            Of any channel.
        now_ns : int
            Wall time; data from beyond it (and the tolerance) are refused.

        Returns
        -------
        list of Gap and Rejection
            Spans given up, and samples set aside. Bad data are never an exception.
        """
        refusal = self._refuse(packet, now_ns)
        if refusal is not None:
            return [refusal]
        channel, notes = self._channel_of(packet)
        instrument = self._instruments[packet.channel.instrument_id]
        placed = place_start(channel.lock, int(packet.start_ns))
        channel.lock = placed.lock
        channel.drift_count += placed.drifted
        length = channel.output(placed.index + len(packet.samples)) - channel.output(placed.index)
        limit = math.ceil(PACKET_LIMIT_S * self._pace.rate)
        instrument.longest_packet = max(instrument.longest_packet, min(length, limit))
        received_ns = packet.received_ns or now_ns
        notes += self._take(instrument, channel, placed.index, finite(packet.samples), received_ns)
        self._review(instrument, now_ns)
        return notes

    def complete_windows(self) -> list[Window]:
        """Fetch the windows completed since the last call, in order per instrument."""
        windows, self._ready = self._ready, []
        return windows

    def flush(self) -> list[Window]:
        """Fetch all windows that remain, partly filled ones included: nothing more will come."""
        for instrument in self._instruments.values():
            self._finish(instrument, 0)
        return self.complete_windows()

    def cut(self, instrument: InstrumentId, start_index: int, count: int) -> Float32Array:
        """Copy samples out of the ring.

        Parameters
        ----------
        instrument : InstrumentId
            One that has sent something.
        start_index, count : int
            On the grid of the network's rate.

        Returns
        -------
        ndarray of float32, shape (C, count)
            NaN where missing, or no longer in the ring.
        """
        channels = self._instruments[instrument].channels
        return cut_components(channels, self._ring, self._geometry.component_order, start_index, count)

    def locks(self) -> tuple[ChannelLock, ...]:
        """List every channel's phase, those of an earlier run that have not been seen yet included."""
        current = {
            channel.channel: ChannelLock(channel.channel, float(channel.lock.rate), channel.lock.phase_ns)
            for channel in self._channels.values()
        }
        return tuple((self._locks | current).values())

    def watermarks(self) -> dict[InstrumentId, int]:
        """Tell for each instrument up to which time (exclusive) its data are settled."""
        return {
            name: self._time_ns(item, settled_index(item, self._pace))
            for name, item in self._instruments.items()
        }

    def phase_ns(self, instrument: InstrumentId) -> int:
        """How far an instrument's samples lie behind the grid."""
        return mean_phase_ns(self._instruments[instrument].channels, self._pace.rate)

    def needed_from_ns(self, instrument: InstrumentId) -> int:
        """Tell the earliest sample time that a window still to come depends on."""
        item = self._instruments[instrument]
        spans = [self._ring.span(channel.row) for channel in item.channels.values()]
        end = item.evaluated_end
        if end is None:
            end = self._geometry.last_end(min((span[0] for span in spans if span), default=item.reach))
        end += self._geometry.stride_samples
        first = end - max(self._geometry.window_samples, self._geometry.join_samples + 1)
        return self._time_ns(item, first) - max(map(_filter_ns, item.channels.values()))

    def status(self) -> tuple[ChannelStatus, ...]:
        """Tell how every channel stands."""
        return tuple(map(_status, self._channels.values()))

    def _refuse(self, packet: Packet, now_ns: int) -> Rejection | None:
        """Set aside a packet that cannot be placed at all."""
        samples, rate_hz = packet.samples, packet.sampling_rate_hz
        cause, detail = None, ""
        if samples.ndim != 1 or samples.dtype.kind not in "iuf" or not len(samples):
            return Rejection(packet.channel, RejectCause.CORRUPT, samples.size, "no row of numbers")
        if not MINIMUM_RATE_HZ <= rate_hz <= MAXIMUM_RATE_HZ:
            cause, detail = RejectCause.RATE, f"{rate_hz} Hz"
        elif packet.start_ns < 0:
            cause, detail = RejectCause.DATE, "before 1970"
        elif packet.end_ns > now_ns + to_ns(self._settings.future_tolerance_s):
            cause = RejectCause.FUTURE
        elif packet.channel.component not in COMPONENTS:
            cause, detail = RejectCause.NOT_SEISMIC, f"component {packet.channel.component}"
        return None if cause is None else Rejection(packet.channel, cause, len(samples), detail)

    def _channel_of(self, packet: Packet) -> tuple[Channel, list[Gap | Rejection]]:
        """Find the packet's channel; open it, or start it anew at another rate."""
        channel = self._channels.get(packet.channel)
        if channel is None:
            return self._open(packet, self._ring.open_row()), []
        if same_rate(packet.sampling_rate_hz, channel.lock.rate):
            return channel, []
        newest = channel.continuity.newest if channel.continuity else 0
        end_ns = channel.lock.time_ns(newest)
        gaps = self._gaps(channel, channel.continuity.holes if channel.continuity else ())
        anew = self._open(packet, channel.row)
        anew.floor = anew.lock.index(end_ns)
        anew.reach, anew.settled, anew.birth = channel.reach, channel.settled, channel.birth
        anew.gap_count, anew.drift_count = channel.gap_count, channel.drift_count
        change = f"{float(channel.lock.rate)} -> {packet.sampling_rate_hz} Hz"
        return anew, [*gaps, Rejection(packet.channel, RejectCause.RATE, 0, change)]

    def _open(self, packet: Packet, row: int) -> Channel:
        """Open a channel at its first packet, under the lock of an earlier run if there is one."""
        rate = nominal_rate(packet.sampling_rate_hz, self._pace.rate)
        known = self._locks.get(packet.channel)
        if known is not None and same_rate(known.sampling_rate_hz, rate):
            lock = PhaseLock(rate.numerator, rate.denominator, known.phase_ns)
        else:
            lock = fresh_lock(rate, int(packet.start_ns))
        channel = open_channel(packet.channel, lock, row, self._pace)
        self._channels[packet.channel] = channel
        name = packet.channel.instrument_id
        instrument = self._instruments.setdefault(name, Instrument(name))
        instrument.channels[packet.channel.component] = channel
        return channel

    def _take(
        self, instrument: Instrument, channel: Channel, start: int, samples_T: np.ndarray, received_ns: int
    ) -> list[Gap | Rejection]:
        """Take a packet in pieces, cutting the windows that each piece completes."""
        notes: list[Gap | Rejection] = []
        piece = math.ceil(PIECE_S * channel.lock.rate)
        accepted = repeated = late = 0
        for first in range(0, len(samples_T), piece):
            part_T = samples_T[first : first + piece]
            self._make_room(instrument, channel.output(start + first + len(part_T)), received_ns)
            placement, gaps = accept(channel, self._ring, start + first, part_T)
            notes += self._gaps(channel, gaps)
            accepted += len(part_T) - placement.repeated - placement.late
            repeated, late = repeated + placement.repeated, late + placement.late
            self._harvest(instrument, settled_index(instrument, self._pace), received_ns)
        return notes + _refused(channel.channel, accepted, repeated, late)

    def _make_room(self, instrument: Instrument, head: int, received_ns: int) -> None:
        """Cut the windows whose samples are about to be overwritten."""
        end = instrument.evaluated_end
        tail = head - self._ring.length
        if end is None:
            return
        window = self._geometry.window_samples
        if end + self._geometry.stride_samples - window < tail:
            self._harvest(instrument, min(tail, instrument.reach) + window - 1, received_ns)

    def _harvest(self, instrument: Instrument, settled: int, received_ns: int) -> None:
        """Cut the windows up to `settled`."""
        self._ready += complete(instrument, self._ring, self._geometry, settled, received_ns)

    def _finish(self, instrument: Instrument, now_ns: int) -> None:
        """Cut the windows that still have enough data before the end."""
        end = instrument.reach + self._geometry.window_samples - self._geometry.minimum_samples
        self._harvest(instrument, end, now_ns)

    def _review(self, instrument: Instrument, now_ns: int) -> None:
        """Now and then, flush the instruments that have fallen silent while others went on."""
        self._until_review -= 1
        if self._until_review < 0:
            self._until_review = max(64, 4 * len(self._instruments))
            self._wake_reference(now_ns)
        instrument.silent_since_ns = self._reference_ns
        instrument.dormant = False

    def _wake_reference(self, now_ns: int) -> None:
        """Move the network's reference time on, and flush who has been silent since long before it."""
        count = len(self._instruments)
        rank = 0 if count < 3 else max(1, count // 50)
        newest = (self._time_ns(item, item.reach) for item in self._instruments.values())
        self._reference_ns = max(nlargest(rank + 1, newest)[-1], self._reference_ns)
        horizon_ns = self._reference_ns - to_ns(self._settings.station_silence_s)
        for item in self._instruments.values():
            if 0 < item.silent_since_ns < horizon_ns and not item.dormant:
                item.dormant = True
                self._finish(item, now_ns)

    def _gaps(self, channel: Channel, spans: Iterable[Span]) -> list[Gap | Rejection]:
        """Turn spans of inputs into gaps in time."""
        time_ns = channel.lock.time_ns
        return [Gap(channel.channel, time_ns(a), time_ns(b), GapCause.MISSING) for a, b in spans]

    def _time_ns(self, instrument: Instrument, index: int) -> int:
        """Time of an output of an instrument."""
        return self._grid.time_ns(index) + mean_phase_ns(instrument.channels, self._pace.rate)

    def _ring_samples(self) -> int:
        """Samples a row: what is asked for, and at least what completing windows needs."""
        geometry, pace = self._geometry, self._pace
        longest_s = 2 * PACKET_LIMIT_S + PIECE_S
        needed = geometry.window_samples + geometry.stride_samples + pace.patience + 2 * pace.budget
        asked = math.ceil(self._settings.length_s * pace.rate)
        return max(asked, needed + math.ceil(longest_s * pace.rate))


def finite(samples_T: np.ndarray) -> np.ndarray:
    """Take what is not finite in float samples as missing.

    Examples
    --------
    >>> finite(np.array([1.0, np.inf]))
    array([ 1., nan], dtype=float32)
    """
    if samples_T.dtype.kind != "f":
        return samples_T
    with np.errstate(over="ignore", invalid="ignore"):
        float32_T = samples_T.astype(np.float32)
    bad_T = np.isinf(float32_T)
    if bad_T.any():
        float32_T[bad_T] = np.nan
    return float32_T


def _refused(channel: ChannelId, accepted: int, repeated: int, late: int) -> list[Gap | Rejection]:
    """Count what was not taken of a packet."""
    notes: list[Gap | Rejection] = []
    if repeated:
        cause = RejectCause.OVERLAP if accepted else RejectCause.DUPLICATE
        notes.append(Rejection(channel, cause, repeated))
    if late:
        notes.append(Rejection(channel, RejectCause.LATE, late))
    return notes


def _filter_ns(channel: Channel) -> int:
    """Time by which the channel's filter reaches back, and a sample more."""
    half_width = channel.conversion.half_width if channel.conversion else 0
    return channel.lock.time_ns(half_width + 1) - channel.lock.phase_ns


def _status(channel: Channel) -> ChannelStatus:
    """Read a channel's state off."""
    state, lock = channel.continuity, channel.lock
    settled, newest = (state.settled, state.newest) if state else (0, 0)
    times_ns = lock.time_ns(settled), lock.time_ns(newest)
    return ChannelStatus(
        channel.channel, float(lock.rate), *times_ns, channel.gap_count, channel.drift_count
    )
