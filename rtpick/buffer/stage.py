"""Packets in, complete windows out: the buffer of the whole network.

C component, T time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from rtpick.buffer.admission import contradicts, finite, hold, is_borne_out, refuse, reject_held
from rtpick.buffer.channel import Channel, accept, append, follows_on, index_packet, is_doubtful
from rtpick.buffer.instrument import Instrument, mean_phase_ns, settled_index
from rtpick.buffer.lock import same_rate
from rtpick.buffer.pace import least_memory, pace_of
from rtpick.buffer.ring import Ring
from rtpick.buffer.roster import ChannelStatus, Roster, enrol, enrol_anew, gaps_of
from rtpick.buffer.silence import Silence, fallen_silent, is_due, network_time_ns
from rtpick.buffer.windows import WindowGeometry, complete, cut_joined, needed_from
from rtpick.settings.schema import BufferSettings
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.time import SampleGrid, to_ns
from rtpick.vocabulary.waveform import ChannelLock, Float32Array, Gap, Packet, RejectCause, Rejection, Window

MAXIMUM_CHANNELS = 1 << 16


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
        self._grid = SampleGrid(sampling_rate_hz)
        self._tolerance_ns = to_ns(settings.future_tolerance_s)
        pace = pace_of(settings, self._grid.ratio)
        minimum = max(math.ceil(settings.minimum_coverage * window_samples), 1)
        self._geometry = WindowGeometry(
            component_order, window_samples, stride_samples, minimum, pace.budget
        )
        length = max(
            math.ceil(settings.length_s * pace.rate), least_memory(pace, window_samples, stride_samples)
        )
        self._ring = Ring(length, MAXIMUM_CHANNELS)
        restored = {lock.channel: lock for lock in locks}
        acquainted = frozenset(channel.instrument_id for channel in restored)
        self._roster = Roster(pace, self._ring, restored, acquainted)
        self._silence = Silence(to_ns(settings.station_silence_s))
        self._ready: list[Window] = []

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
        latest_ns = now_ns + self._tolerance_ns
        instrument = self._roster.homes.get(packet.channel)
        if instrument is not None and self._is_ordinary(instrument, packet, latest_ns):
            return self._append(instrument, packet, now_ns)
        refusal = refuse(packet, latest_ns)
        return [refusal] if refusal else self._consider(instrument, packet, now_ns)

    @property
    def memory_samples(self) -> int:
        """How far back the rings reach from each channel's newest sample."""
        return self._ring.length

    def complete_windows(self) -> list[Window]:
        """Fetch the windows completed since the last call, in order per instrument."""
        windows, self._ready = self._ready, []
        return windows

    def flush(self) -> list[Window]:
        """Fetch all windows that remain, partly filled ones included: nothing more will come."""
        for instrument in self._roster.instruments.values():
            for channel in list(instrument.channels.values()):
                if channel.held is not None:
                    self._release(instrument, channel, 0)
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
            NaN where missing, or no longer in the ring. A component that starts or returns less than
            the reorder budget before the end is left out, as a window that ended there would do; so
            what lies before the watermark is the same in whatever order packets came.
        """
        item, end = self._roster.instruments[instrument], start_index + count
        return cut_joined(item, self._ring, self._geometry, start_index, end)[1]

    def locks(self) -> tuple[ChannelLock, ...]:
        """List every channel's phase, those of an earlier run that have not been seen yet included."""
        return self._roster.locks()

    def locks_at(self, station: StationId) -> tuple[ChannelLock, ...]:
        """List the phases at one station, those of an earlier run that have not been seen yet included."""
        return self._roster.locks_at(station)

    def status(self) -> tuple[ChannelStatus, ...]:
        """Tell how every channel stands."""
        return self._roster.status()

    def watermarks(self) -> dict[InstrumentId, int]:
        """Tell for each instrument up to which time (exclusive) its data are settled."""
        return {
            name: self._time_ns(item, settled_index(item, self._roster.pace))
            for name, item in self._roster.instruments.items()
        }

    def phase_ns(self, instrument: InstrumentId) -> int:
        """How far an instrument's samples lie behind the grid."""
        return mean_phase_ns(self._roster.instruments[instrument].channels.values())

    def needed_from_ns(self, instrument: InstrumentId) -> int:
        """Tell the earliest sample time that a window still to come depends on."""
        item = self._roster.instruments[instrument]
        first = needed_from(item, self._ring, self._geometry, self._roster.pace)
        return self._time_ns(item, first) - max(map(_filter_ns, item.channels.values()))

    def _consider(
        self, instrument: Instrument | None, packet: Packet, now_ns: int
    ) -> list[Gap | Rejection]:
        """Enrol a new channel, hold what is doubtful, take the rest."""
        if instrument is None:
            if self._ring.row_count >= MAXIMUM_CHANNELS:
                return [_overload(packet)]
            return self._take(enrol(self._roster, packet), packet, now_ns)
        channel = instrument.channels[packet.channel.component]
        if is_doubtful(channel, packet.sampling_rate_hz, packet.start_ns):
            return self._hold(instrument, channel, packet, now_ns)
        if channel.held is not None:
            return self._take_beside_held(instrument, channel, packet, now_ns)
        return self._take(instrument, packet, now_ns)

    def _is_ordinary(self, instrument: Instrument, packet: Packet, latest_ns: int) -> bool:
        """Tell whether nothing about a packet needs a decision."""
        channel = instrument.channels[packet.channel.component]
        return channel.held is None and follows_on(channel, packet) and packet.end_ns <= latest_ns

    def _append(self, instrument: Instrument, packet: Packet, now_ns: int) -> list[Gap | Rejection]:
        """Take an ordinary packet: as `_take` would, without the questions."""
        channel, length = instrument.channels[packet.channel.component], len(packet.samples)
        instrument.longest_packet = max(instrument.longest_packet, length)
        received_ns = packet.received_ns or now_ns
        self._make_room(instrument, channel.reach + length, received_ns)
        append(channel, self._ring, packet.samples)
        end = instrument.evaluated_end
        if end is None or channel.settled >= end + self._geometry.stride_samples:
            self._harvest(instrument, settled_index(instrument, self._roster.pace), received_ns)
        if is_due(self._silence, instrument, len(self._roster.instruments)):
            self._review(now_ns)
        return []

    def _take(self, instrument: Instrument, packet: Packet, now_ns: int) -> list[Gap | Rejection]:
        """Index a packet that is beyond doubt and take what is new of it."""
        channel = instrument.channels[packet.channel.component]
        start = index_packet(channel, packet)
        length = channel.output(start + len(packet.samples)) - channel.output(start)
        length = min(length, self._roster.pace.longest_packet)
        instrument.longest_packet = max(instrument.longest_packet, length)
        received_ns = packet.received_ns or now_ns
        notes = self._take_pieces(instrument, channel, start, finite(packet).samples, received_ns)
        if is_due(self._silence, instrument, len(self._roster.instruments)):
            self._review(now_ns)
        return notes

    def _take_pieces(
        self, instrument: Instrument, channel: Channel, start: int, samples_T: np.ndarray, received_ns: int
    ) -> list[Gap | Rejection]:
        """Take a packet in pieces, cutting the windows that each piece completes."""
        notes: list[Gap | Rejection] = []
        repeated = late = 0
        for first in range(0, len(samples_T), channel.piece):
            part_T = samples_T[first : first + channel.piece]
            self._make_room(instrument, channel.output(start + first + len(part_T)), received_ns)
            placement, gaps = accept(channel, self._ring, start + first, part_T)
            notes += gaps_of(channel, gaps)
            repeated, late = repeated + placement.repeated, late + placement.late
            self._harvest(instrument, settled_index(instrument, self._roster.pace), received_ns)
        return notes + _refused(channel.channel, len(samples_T) - repeated - late, repeated, late)

    def _make_room(self, instrument: Instrument, head: int, received_ns: int) -> None:
        """Cut the windows whose samples are about to be overwritten."""
        tail, window = head - self._ring.length, self._geometry.window_samples
        end = instrument.evaluated_end
        if end is not None and end + self._geometry.stride_samples - window < tail:
            self._harvest(instrument, min(tail, instrument.reach) + window - 1, received_ns)

    def _harvest(self, instrument: Instrument, settled: int, received_ns: int) -> None:
        """Cut the windows up to `settled`."""
        self._ready += complete(instrument, self._ring, self._geometry, settled, received_ns)

    def _finish(self, instrument: Instrument, now_ns: int) -> None:
        """Cut the windows that still have enough data before the end."""
        end = instrument.reach + self._geometry.window_samples - self._geometry.minimum_samples
        self._harvest(instrument, end, now_ns)

    def _review(self, now_ns: int) -> None:
        """Flush the instruments that have fallen silent while the network went on."""
        instruments = self._roster.instruments.values()
        newest_ns = (self._time_ns(item, item.reach) for item in instruments)
        self._silence.reference_ns = max(network_time_ns(newest_ns), self._silence.reference_ns)
        for instrument in fallen_silent(self._silence, instruments):
            self._finish(instrument, now_ns)

    def _hold(
        self, instrument: Instrument, channel: Channel, packet: Packet, now_ns: int
    ) -> list[Gap | Rejection]:
        """Keep a packet that jumped ahead or changed its rate until others bear it out."""
        span = self._grid.index(packet.start_ns), self._grid.index(packet.end_ns)
        channel.held, dropped = hold(channel.held, packet, *span)
        notes = reject_held(dropped, channel.rate_hz)
        if is_borne_out(channel.held, self._roster.pace.budget):
            notes += self._release(instrument, channel, now_ns)
        return notes

    def _take_beside_held(
        self, instrument: Instrument, channel: Channel, packet: Packet, now_ns: int
    ) -> list[Gap | Rejection]:
        """Take a packet beyond doubt; it may show those that are held to be wrong, or to be right."""
        notes: list[Gap | Rejection] = []
        if channel.held is not None and contradicts(channel.held, packet, channel.newest_ns):
            notes += reject_held(channel.held.packets, channel.rate_hz)
            channel.held = None
        notes += self._take(instrument, packet, now_ns)
        held = channel.held
        if held is not None and not is_doubtful(channel, held.sampling_rate_hz, held.start_ns):
            notes += self._release(instrument, channel, now_ns)
        return notes

    def _release(self, instrument: Instrument, channel: Channel, now_ns: int) -> list[Gap | Rejection]:
        """Take the packets that were held, as the channel's new course."""
        held, channel.held = channel.held, None
        packets = sorted(held.packets, key=lambda packet: packet.start_ns) if held else []
        notes: list[Gap | Rejection] = []
        if held and not same_rate(held.sampling_rate_hz, channel.rate_hz):
            notes += gaps_of(channel, channel.continuity.holes if channel.continuity else ())
            change = f"{channel.rate_hz} -> {held.sampling_rate_hz} Hz"
            notes.append(Rejection(channel.channel, RejectCause.RATE, 0, change))
            enrol_anew(self._roster, channel, packets[0])
        for packet in packets:
            notes += self._take(instrument, packet, now_ns)
        return notes

    def _time_ns(self, instrument: Instrument, index: int) -> int:
        """Time of an output of an instrument."""
        return self._grid.time_ns(index) + mean_phase_ns(instrument.channels.values())


def _overload(packet: Packet) -> Rejection:
    """Set aside a packet of one channel too many."""
    detail = f"more than {MAXIMUM_CHANNELS} channels; select fewer"
    return Rejection(packet.channel, RejectCause.OVERLOAD, len(packet.samples), detail)


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
