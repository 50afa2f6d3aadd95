"""One channel on its way into the ring: indexed, placed, resampled, written.

T time. Two index spaces: the channel's own rate (inputs) and the network's rate (outputs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rtpick.buffer.admission import JUMP_LIMIT_NS, Held
from rtpick.buffer.continuity import Continuity, Placement, Span, begin, place, resumptions, settle
from rtpick.buffer.lock import PhaseLock, follow, is_near, same_rate
from rtpick.buffer.pace import PACKET_LIMIT_S, PIECE_S, Pace
from rtpick.buffer.resample import Conversion, design_conversion
from rtpick.buffer.resample import convert as convert_rate
from rtpick.buffer.ring import Ring
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import Packet

REMEMBERED_ABSENCES = 8


@dataclass(slots=True)
class Channel:
    """What the buffer keeps of one channel; inputs unless said otherwise.

    Parameters
    ----------
    channel : ChannelId
    lock : PhaseLock
    row : int
        In the network's ring.
    conversion : Conversion or None
        None where the channel has the network's rate.
    history : Ring or None
        The inputs that a later output may still need; one row.
    rate_hz : float
        Samples a second.
    shift, shift_ns : int
        Outputs by which the channel lies further from the grid than half an output; and their time.
    budget, reach_back, piece : int
        Reordering put up with, how far back holes can be filled, the most that is taken at once.
    longest_hole : int
        A longer one makes a component join anew.
    floor : int or None
        Nothing older is taken.
    continuity : Continuity or None
        None before the first sample.
    reach, settled, birth : int
        Outputs: end of the newest data, end of what can no longer change, first data.
    resumes : tuple of int
        Outputs at which the data start, or start again after a long hole.
    absences : tuple of Span
        Outputs that were not there yet when a window up to the span's end went out; the last few.
    gap_count, drift_count : int
        Since the start.
    held : Held or None
        Packets that wait for others to bear them out.
    """

    channel: ChannelId
    lock: PhaseLock
    row: int
    conversion: Conversion | None
    history: Ring | None
    rate_hz: float
    shift: int
    shift_ns: int
    budget: int
    reach_back: int
    piece: int
    longest_hole: int
    floor: int | None = None
    continuity: Continuity | None = None
    reach: int = 0
    settled: int = 0
    birth: int = 0
    resumes: tuple[int, ...] = ()
    absences: tuple[Span, ...] = ()
    gap_count: int = 0
    drift_count: int = 0
    held: Held | None = None

    @property
    def newest_ns(self) -> int:
        """End (exclusive) of the newest sample; 0 before the first."""
        return self.lock.time_ns(self.continuity.newest) if self.continuity else 0

    def output(self, index: int) -> int:
        """First output at or past the input `index`."""
        return index if self.conversion is None else self.conversion.outputs_before(index) + self.shift


def open_channel(channel: ChannelId, lock: PhaseLock, row: int, pace: Pace) -> Channel:
    """Prepare a channel for its first sample; the filter is designed if its rate needs one."""
    rate = lock.rate
    budget = math.ceil(pace.budget * rate / pace.rate)
    reach_back, piece = budget + math.ceil(PACKET_LIMIT_S * rate), math.ceil(PIECE_S * rate)
    conversion = history = None
    shift = 0
    if rate != pace.rate:
        conversion = design_conversion(rate, pace.rate)
        history = Ring(reach_back + 4 * conversion.half_width + piece, maximum_rows=1)
        history.open_row()
        shift = round(lock.phase_ns * pace.rate / NS_PER_S)
    return Channel(
        channel=channel,
        lock=lock,
        row=row,
        conversion=conversion,
        history=history,
        rate_hz=float(rate),
        shift=shift,
        shift_ns=round(shift * NS_PER_S / pace.rate),
        budget=budget,
        reach_back=reach_back,
        piece=piece,
        longest_hole=math.floor(pace.longest_hole * rate / pace.rate),
    )


def note_absence(channel: Channel, end: int) -> None:
    """Remember what a window that ends at `end` had to do without: what comes later was not in it."""
    lag = channel.conversion.half_width if channel.conversion else 0
    absence = Span(channel.reach - lag, end)
    others = tuple(span for span in channel.absences if span.start != absence.start)
    channel.absences = (*others, absence)[-REMEMBERED_ABSENCES:]


def is_doubtful(channel: Channel, sampling_rate_hz: float, start_ns: int) -> bool:
    """Tell whether a packet jumps so far ahead, or has another rate, that it wants confirmation."""
    if not same_rate(sampling_rate_hz, channel.rate_hz):
        return True
    return channel.continuity is not None and start_ns > channel.newest_ns + JUMP_LIMIT_NS


def residual_phase_ns(channel: Channel) -> int:
    """How far the channel's outputs lie behind the grid of the network's rate."""
    return channel.lock.phase_ns - channel.shift_ns


def follows_on(channel: Channel, packet: Packet) -> bool:
    """Tell whether a packet is the ordinary one: counts at the network's rate, next behind no holes.

    Nothing about it needs a decision but its time.
    """
    state = channel.continuity
    if state is None or state.holes or channel.conversion is not None:
        return False
    samples = packet.samples
    if samples.dtype.kind != "i" or samples.ndim != 1 or not 0 < len(samples) <= channel.piece:
        return False
    same = same_rate(packet.sampling_rate_hz, channel.rate_hz)
    return same and is_near(channel.lock, state.newest, packet.start_ns)


def append(channel: Channel, ring: Ring, samples_T: np.ndarray) -> None:
    """Take a packet that follows on; it gives what `accept` gives."""
    before = channel.continuity
    if before is None:
        raise ValueError(f"{channel.channel} has no sample yet that a packet could follow on")
    ring.write(channel.row, before.newest, samples_T)
    newest = before.newest + len(samples_T)
    channel.continuity = Continuity(before.origin, newest, before.holes, before.closed)
    channel.reach = channel.settled = newest


def index_packet(channel: Channel, packet: Packet) -> int:
    """Find the index of a packet's first sample; the lock follows packets that lead the channel on."""
    start_ns, state = int(packet.start_ns), channel.continuity
    index = channel.lock.index(start_ns)
    if state is not None and index + len(packet.samples) <= state.newest:
        return index
    lock = follow(channel.lock, index, start_ns)
    if lock is channel.lock:
        return index
    channel.lock = lock
    channel.drift_count += 1
    return lock.index(start_ns)


def accept(
    channel: Channel, ring: Ring, start: int, samples_T: np.ndarray
) -> tuple[Placement, tuple[Span, ...]]:
    """Take what is new of a packet into the ring.

    Parameters
    ----------
    channel : Channel
        Brought up to date in place.
    ring : Ring
        At the network's rate.
    start : int
        Input index of the first sample.
    samples_T : ndarray, shape (T,)
        At most `PIECE_S` seconds.

    Returns
    -------
    placement : Placement
    gaps : tuple of Span
        Inputs that were given up.
    """
    if channel.continuity is None:
        channel.continuity = begin(start, channel.budget, channel.floor)
        channel.birth = channel.birth or channel.output(start)
    before = channel.continuity
    placement = place(before, start, start + len(samples_T), channel.reach_back)
    _write(channel, ring, placement, start, samples_T)
    channel.continuity, gaps = settle(placement.state, channel.budget)
    channel.gap_count += len(gaps)
    _carry_over(channel, channel.continuity)
    if channel.continuity.holes is not before.holes or not channel.resumes:
        _note_resumptions(channel, channel.continuity)
    return placement, gaps


def _carry_over(channel: Channel, state: Continuity) -> None:
    """Tell how far the outputs go."""
    channel.reach = channel.output(state.newest)
    lag = channel.conversion.half_width if channel.conversion else 0
    channel.settled = channel.output(state.settled - lag)


def _note_resumptions(channel: Channel, state: Continuity) -> None:
    """Tell where the outputs start, or start again."""
    channel.resumes = tuple(channel.output(end) for end in resumptions(state, channel.longest_hole))
    if channel.floor is None and (lead := state.lead):
        channel.birth = channel.output(lead.end)


def _write(channel: Channel, ring: Ring, placement: Placement, start: int, samples_T: np.ndarray) -> None:
    """Write the accepted spans: into the ring, or into the history and their outputs into the ring."""
    target = ring if channel.history is None else channel.history
    row = channel.row if channel.history is None else 0
    for span in placement.accepted:
        target.write(row, span.start, samples_T[span.start - start : span.end - start])
    if channel.history is not None and channel.conversion is not None:
        for span in placement.accepted:
            _write_outputs(channel, channel.conversion, channel.history, ring, span, placement.state.newest)


def _write_outputs(
    channel: Channel, conversion: Conversion, history: Ring, ring: Ring, span: Span, newest: int
) -> None:
    """Compute the outputs that new inputs complete; those that still miss an input are NaN."""
    first, last = conversion.outputs_touched(span.start, span.end)
    last = min(last, conversion.settled_outputs(newest))
    if first < last:
        start, end = conversion.inputs_needed(first, last)
        outputs_T = convert_rate(conversion, history.read(0, start, end - start), first, last)
        ring.write(channel.row, first + channel.shift, outputs_T)
