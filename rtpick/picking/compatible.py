"""Exactly the picks that SeisBench's `classify` makes with the same weights, to compare with earlier work.

C component, P phase, T time. Windows of 3001 samples every 1501 from the start of a segment, and one more at
its end; each on its own without its mean and over its standard deviation; the curve is their mean; a run of
probabilities of at least half the threshold that reaches the threshold is one pick.

References
----------
Woollam, J. et al. (2022), SeisBench: a toolbox for machine learning in seismology, Seismological Research
Letters 93(3), 1695-1709, doi:10.1785/0220210324; behaviour of version 0.12.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from rtpick.networks.network import Network
from rtpick.networks.preprocess import Normalisation
from rtpick.picking.compatible_traces import Segment, build_segments, join_packets, to_rate
from rtpick.picking.engine import Engine
from rtpick.picking.features import AMPLITUDE_S, NOISE_S, measure_onset
from rtpick.picking.identity import mint_pick_id
from rtpick.picking.trigger import peak_sigma
from rtpick.settings.schema import EngineSettings, PickingSettings
from rtpick.vocabulary.codes import ChannelId, InstrumentId
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import SampleGrid, to_ns
from rtpick.vocabulary.waveform import Float32Array, Packet, RejectCause, Rejection

WINDOW = 3001
HOP = 1501
WIDTH_REACH = 50
MAXIMUM_SAMPLES = 2_000_000_000


class CompatiblePicker:
    """Collect a recording, then pick it as SeisBench does.

    Parameters
    ----------
    settings : PickingSettings
        Thresholds of P and S; nothing else applies.
    network : Network
        Whose weights are used; SeisBench's window length and, unless the weights come from SeisBench, its
        usual normalisation take the place of the network's own.
    engine_settings : EngineSettings, optional
        Backend and threads; the precision is always float32.

    Notes
    -----
    SeisBench looks at whole traces: nothing comes out before `flush`, and the recording is held in memory,
    up to `MAXIMUM_SAMPLES` samples.
    """

    def __init__(
        self, settings: PickingSettings, network: Network, engine_settings: EngineSettings | None = None
    ) -> None:
        exact = (engine_settings or EngineSettings()).model_copy(update={"precision": "float32"})
        self.engine = Engine(_as_in_seisbench(network), exact)
        self._thresholds = (settings.p_threshold, settings.s_threshold)
        self._packets: dict[ChannelId, list[Packet]] = defaultdict(list)
        self._sample_count = 0

    def add(self, packet: Packet, now_ns: int) -> list[Rejection]:
        """Take in a packet.

        Parameters
        ----------
        packet : Packet
            Of any channel.
        now_ns : int
            Not used.
        """
        if self._sample_count + len(packet.samples) > MAXIMUM_SAMPLES:
            detail = "the recording is too long to be held; pick shorter spans one by one"
            return [Rejection(packet.channel, RejectCause.OVERLOAD, len(packet.samples), detail)]
        self._sample_count += len(packet.samples)
        self._packets[packet.channel].append(packet)
        return []

    def step(self, now_ns: int) -> list[Pick]:
        """Do nothing: the recording must be complete.

        Parameters
        ----------
        now_ns : int
            Not used.
        """
        return []

    def flush(self, now_ns: int) -> list[Pick]:
        """Pick everything that was collected, by station, location and onset.

        Parameters
        ----------
        now_ns : int
            Not used.
        """
        locations: dict[tuple[str, str, str], list[ChannelId]] = defaultdict(list)
        for channel in self._packets:
            locations[channel.network, channel.station, channel.location].append(channel)
        return [pick for _, channels in sorted(locations.items()) for pick in self._pick_location(channels)]

    def _pick_location(self, channels: list[ChannelId]) -> list[Pick]:
        rate_hz, order = self.engine.sampling_rate_hz, self.engine.component_order
        joined = [piece for channel in channels for piece in join_packets(self._packets.pop(channel))]
        pieces = [to_rate(piece, rate_hz) for piece in joined]
        segments = build_segments(pieces, order, rate_hz, WINDOW)
        return [pick for segment in segments for pick in self._pick_segment(segment)]

    def _pick_segment(self, segment: Segment) -> list[Pick]:
        prob_PT = self._annotate(segment)
        picks = [
            self._report(segment, phase, index, prob_T)
            for phase, threshold, prob_T in zip(self.engine.phases, self._thresholds, prob_PT, strict=True)
            for index in trigger_runs(prob_T, threshold)
        ]
        return sorted(picks, key=lambda pick: pick.time_ns)

    def _annotate(self, segment: Segment) -> Float32Array:
        """Compute the mean curve of a segment, NaN where every window is blinded."""
        length = segment.samples_CT.shape[1]
        sum_PT = np.zeros((len(self.engine.phases), length), np.float32)
        count_T = np.zeros(length, np.float32)
        left, right = self.engine.blinding[0], WINDOW - self.engine.blinding[1]
        offsets = window_offsets(length)
        for first in range(0, len(offsets), self.engine.batch_size):
            batch = offsets[first : first + self.engine.batch_size]
            for at, prob_PT in zip(batch, self._infer(segment, batch), strict=True):
                sum_PT[:, at + left : at + right] += prob_PT[:, left:right]
                count_T[at + left : at + right] += 1
        return np.divide(sum_PT, count_T, out=np.full_like(sum_PT, np.nan), where=count_T > 0)

    def _infer(self, segment: Segment, offsets: list[int]) -> Float32Array:
        windows = [segment.samples_CT[:, at : at + WINDOW] for at in offsets]
        return self.engine.infer(np.stack(windows).astype(np.float32))

    def _report(self, segment: Segment, phase: str, index: int, prob_T: Float32Array) -> Pick:
        rate_hz, order = self.engine.sampling_rate_hz, self.engine.component_order
        grid = SampleGrid(rate_hz)
        before, behind = round(NOISE_S * rate_hz), round(AMPLITUDE_S[phase] * rate_hz)
        span = slice(max(index - before, 0), index + behind)
        valid_CT = segment.valid_CT[:, span]
        raw_CT = np.where(valid_CT, segment.samples_CT[:, span], np.nan).astype(np.float32)
        features = measure_onset(
            raw_CT,
            index - span.start,
            behind,
            rate_hz,
            phase=phase,
            component_order=order,
            channels=[None] * len(order),
        )
        time_ns = segment.start_ns + to_ns(index / rate_hz)
        channel = _reported_channel(segment.channels, order[features.row])
        place = InstrumentId(channel.network, channel.station, channel.location, "")
        return Pick(
            pick_id=mint_pick_id(place, phase, grid.index(time_ns), rate_hz),
            channel=channel,
            phase_hint=phase,
            time_ns=time_ns,
            probability=float(prob_T[index]),
            uncertainty_s=peak_sigma(prob_T, index, WIDTH_REACH) / rate_hz,
            amplitude=features.amplitude,
            snr=features.snr,
            coverage=float(segment.valid_CT[:, max(index - HOP, 0) : index + HOP].mean()),
            model_version=self.engine.model_version,
        )


def window_offsets(length: int) -> list[int]:
    """Where the windows of a segment start.

    Examples
    --------
    >>> window_offsets(3000), window_offsets(3001), window_offsets(5000)
    ([], [0], [0, 1501, 1999])
    """
    offsets = list(range(0, length - WINDOW + 1, HOP))
    if offsets and offsets[-1] + WINDOW < length:
        offsets.append(length - WINDOW)
    return offsets


def trigger_runs(prob_T: Float32Array, threshold: float) -> list[int]:
    """Find the highest sample of each run that reaches the threshold before it falls below half of it.

    Parameters
    ----------
    prob_T : ndarray of float32, shape (T,)
        The curve.
    threshold : float
        Least height of a pick.

    Examples
    --------
    >>> trigger_runs(np.float32([0, 0.2, 0.5, 0.16, 0.9, 0.1, 0.2, 0.25, 0]), 0.3)
    [4]
    """
    inside_T = np.concatenate([[False], prob_T >= threshold / 2, [False]])
    edges = np.flatnonzero(inside_T[1:] != inside_T[:-1])
    peaks = (start + int(np.argmax(prob_T[start:end])) for start, end in edges.reshape(-1, 2).tolist())
    return [peak for peak in peaks if prob_T[peak] >= threshold]


def _as_in_seisbench(network: Network) -> Network:
    """The same weights on SeisBench's windows."""
    own = network.metadata.normalisation
    usual = Normalisation(kind="std", ddof=1, epsilon=1e-10, per_component=True, rescale_missing=False)
    from_seisbench = own.epsilon == usual.epsilon and not own.rescale_missing
    metadata = replace(
        network.metadata, window_samples=WINDOW, normalisation=own if from_seisbench else usual
    )
    return Network(network.architecture, metadata).eval()


def _reported_channel(channels: tuple[ChannelId, ...], component: str) -> ChannelId:
    return next((channel for channel in channels if channel.component == component), channels[0])
