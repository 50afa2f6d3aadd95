"""Whole recordings as SeisBench sees them: continuous pieces, one rate, segments of three components.

C component, T time. SeisBench works on what obspy has read from files: pieces without a break, sorted by
channel and start. Where its arithmetic truncates, this does too, or windows would lie one sample off.

References
----------
Woollam, J. et al. (2022), SeisBench: a toolbox for machine learning in seismology, Seismological Research
Letters 93(3), 1695-1709, doi:10.1785/0220210324; behaviour of version 0.12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import signal

from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import NS_PER_S, to_ns
from rtpick.vocabulary.waveform import Packet

Float64Array = npt.NDArray[np.float64]
FLEXIBLE = {"1": "N", "2": "E", "N": "1", "E": "2"}


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One channel's samples without a break."""

    channel: ChannelId
    start_ns: int
    sampling_rate_hz: float
    samples_T: npt.NDArray[np.generic]

    @property
    def last_ns(self) -> int:
        """Time of the last sample."""
        return self.start_ns + to_ns((len(self.samples_T) - 1) / self.sampling_rate_hz)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A span of one NET.STA.LOC in which some component always has data; missing samples are zero.

    `start_ns` is the time of the first sample, `valid_CT` tells which samples are there.
    """

    channels: tuple[ChannelId, ...]
    start_ns: int
    samples_CT: Float64Array
    valid_CT: npt.NDArray[np.bool_]


def join_packets(packets: Iterable[Packet]) -> list[Piece]:
    """Join one channel's packets that follow on one another within half a sample.

    Parameters
    ----------
    packets : iterable of Packet
        Of one channel, in any order.

    Returns
    -------
    list of Piece
        By start. Samples that come twice are joined if they agree; where they do not agree, all pieces that
        overlap are left out.
    """
    runs: list[list[Packet]] = []
    for packet in sorted(packets, key=lambda item: item.start_ns):
        if runs and _follows(runs[-1][-1], packet):
            runs[-1].append(packet)
        else:
            runs.append([packet])
    return _agreeing([_concatenate(run) for run in runs])


def to_rate(piece: Piece, sampling_rate_hz: float) -> Piece:
    """Bring a piece to the network's rate the way SeisBench does.

    Parameters
    ----------
    piece : Piece
        At any rate.
    sampling_rate_hz : float
        The network's.

    Notes
    -----
    A whole multiple: Butterworth low-pass of four corners at half the new rate, forth and back, then every
    n-th sample. Any other rate: the whole piece is changed by its spectrum under a Hann window.
    """
    if piece.sampling_rate_hz == sampling_rate_hz:
        return piece
    if piece.sampling_rate_hz % sampling_rate_hz == 0:
        sos = signal.butter(4, sampling_rate_hz / piece.sampling_rate_hz, output="sos")
        forth_T = signal.sosfilt(sos, piece.samples_T)
        back_T = signal.sosfilt(sos, forth_T[::-1])[::-1]
        samples_T = back_T[:: int(piece.sampling_rate_hz / sampling_rate_hz)]
    else:
        samples_T = _by_spectrum(piece, sampling_rate_hz)
    return replace(piece, sampling_rate_hz=sampling_rate_hz, samples_T=samples_T)


def build_segments(
    pieces: Iterable[Piece], component_order: str, sampling_rate_hz: float, window_samples: int
) -> list[Segment]:
    """Lay the components of one NET.STA.LOC beside one another.

    Parameters
    ----------
    pieces : iterable of Piece
        Of all channels of the location, at the network's rate.
    component_order : str
        Rows.
    sampling_rate_hz : float
        The network's.
    window_samples : int
        Shorter segments are left out.

    Returns
    -------
    list of Segment
        By start. A new one begins where no component has data. Of two channels of one component (HHZ, HNZ)
        the later code is used where both have data.
    """
    usable = [piece for piece in pieces if _row(piece.channel, component_order) is not None]
    aligned = [(_align(piece, sampling_rate_hz), piece) for piece in usable]
    groups: list[list[tuple[Piece, Piece]]] = []
    end_ns = 0
    for pair in sorted(aligned, key=lambda item: item[0].start_ns):
        if not groups or pair[0].start_ns > end_ns:
            groups.append([])
        groups[-1].append(pair)
        end_ns = max(end_ns, pair[0].last_ns)
    segments = [_lay_out(group, component_order, sampling_rate_hz) for group in groups]
    return [segment for segment in segments if segment.samples_CT.shape[1] >= window_samples]


def _follows(before: Packet, packet: Packet) -> bool:
    half_sample_ns = 0.5 * NS_PER_S / before.sampling_rate_hz
    same_rate = abs(before.sampling_rate_hz - packet.sampling_rate_hz) <= 1e-4 * before.sampling_rate_hz
    return same_rate and abs(packet.start_ns - before.end_ns) < half_sample_ns


def _concatenate(run: Sequence[Packet]) -> Piece:
    samples_T = np.concatenate([packet.samples for packet in run])
    return Piece(run[0].channel, run[0].start_ns, run[0].sampling_rate_hz, samples_T)


def _agreeing(pieces: list[Piece]) -> list[Piece]:
    """Join overlapping pieces that say the same, and leave out those that contradict one another."""
    kept: list[Piece] = []
    bad: set[int] = set()
    for piece in pieces:
        if not kept or piece.start_ns > kept[-1].last_ns:
            kept.append(piece)
            continue
        joined = _join_overlap(kept[-1], piece)
        if joined is None:
            kept.append(piece)
            bad |= {len(kept) - 2, len(kept) - 1}
        else:
            kept[-1] = joined
    return [piece for place, piece in enumerate(kept) if place not in bad]


def _join_overlap(first: Piece, second: Piece) -> Piece | None:
    offset = round((second.start_ns - first.start_ns) * first.sampling_rate_hz / NS_PER_S)
    common = min(len(first.samples_T) - offset, len(second.samples_T))
    if not np.array_equal(first.samples_T[offset : offset + common], second.samples_T[:common]):
        return None
    rest_T = second.samples_T[common:]
    return replace(first, samples_T=np.concatenate([first.samples_T, rest_T]))


def _by_spectrum(piece: Piece, sampling_rate_hz: float) -> Float64Array:
    """Weigh the spectrum with a Hann window, read it off at the new length's frequencies, and go back."""
    length = len(piece.samples_T)
    count = max(int(length / (piece.sampling_rate_hz / sampling_rate_hz)), 1)
    weight = np.fft.ifftshift(signal.get_window("hann", length))[: length // 2 + 1]
    spectrum = np.fft.rfft(piece.samples_T) * weight
    frequency = np.arange(length // 2 + 1) * (piece.sampling_rate_hz / length)
    wanted = np.arange(count // 2 + 1) * (sampling_rate_hz / count)
    real, imaginary = (np.interp(wanted, frequency, part) for part in (spectrum.real, spectrum.imag))
    result: Float64Array = np.fft.irfft(real + 1j * imaginary, n=count) * (count / length)
    return result


def _align(piece: Piece, sampling_rate_hz: float) -> Piece:
    """Move the start to the nearest sample of the absolute grid."""
    on_grid_s = round(piece.start_ns / NS_PER_S * sampling_rate_hz) / sampling_rate_hz
    return replace(piece, start_ns=to_ns(on_grid_s))


def _lay_out(
    group: list[tuple[Piece, Piece]], component_order: str, sampling_rate_hz: float
) -> Segment:
    """Write the pieces into rows by channel and start; the segment is off the grid by their mean."""
    start_ns = min(aligned.start_ns for aligned, _ in group)
    last_ns = max(aligned.last_ns for aligned, _ in group)
    count = _truncated(last_ns - start_ns, sampling_rate_hz) + 1
    samples_CT = np.zeros((len(component_order), count + 1))
    valid_CT = np.zeros(samples_CT.shape, bool)
    for aligned, _ in sorted(group, key=lambda item: (item[0].channel, item[0].start_ns)):
        offset = _truncated(aligned.start_ns - start_ns, sampling_rate_hz)
        row = _row(aligned.channel, component_order)
        span = slice(offset, offset + len(aligned.samples_T))
        samples_CT[row, span], valid_CT[row, span] = aligned.samples_T, True
    offsets_ns = [piece.start_ns - aligned.start_ns for aligned, piece in group]
    channels = tuple(sorted({aligned.channel for aligned, _ in group}))
    shift_ns = round(sum(offsets_ns) / len(offsets_ns))
    return Segment(channels, start_ns + shift_ns, samples_CT[:, :-1], valid_CT[:, :-1])


def _truncated(duration_ns: int, sampling_rate_hz: float) -> int:
    """Samples in a duration, cut off as floating point has it: 0.29 s at 100 Hz are 28."""
    return int(round(duration_ns / NS_PER_S, 6) * sampling_rate_hz)


def _row(channel: ChannelId, component_order: str) -> int | None:
    component = channel.component
    if component not in component_order:
        component = FLEXIBLE.get(component, component)
    return component_order.index(component) if component in component_order else None
