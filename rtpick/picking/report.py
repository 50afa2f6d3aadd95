"""Put a change of a pick into the words of the vocabulary, with what the samples around it say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtpick.buffer.stage import Buffer
from rtpick.buffer.windows import component_slots
from rtpick.picking.features import AMPLITUDE_S, NOISE_S, Features, measure_onset
from rtpick.picking.identity import mint_pick_id
from rtpick.picking.lane import Lane, LaneRule, News, mean_coverage
from rtpick.settings.schema import PickingSettings
from rtpick.vocabulary.codes import ChannelId, InstrumentId
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Latency, Pick, PickStatus
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import Clip


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for all changes of one step of a lane."""

    instrument: InstrumentId
    components: frozenset[str]
    lane: Lane
    rule: LaneRule
    phase_ns: int
    model_version: str
    latency: Latency


class Reporter:
    """Turn changes into picks and clips, reading the samples off the buffer.

    Parameters
    ----------
    buffer : Buffer
        Only read.
    inventory : Inventory
        For sensitivities.
    settings : PickingSettings
        Lengths of the clips.
    grid : SampleGrid
        Of the network's rate.
    component_order : str
        Rows of a cut.
    phases : tuple of str
        Names of the rows of a change.

    Notes
    -----
    Only samples up to the end of the newest stacked window are looked at, however many the buffer holds by
    then.
    """

    def __init__(
        self,
        buffer: Buffer,
        inventory: Inventory,
        settings: PickingSettings,
        *,
        grid: SampleGrid,
        component_order: str,
        phases: tuple[str, ...],
    ) -> None:
        self._buffer = buffer
        self._inventory = inventory
        self._settings = settings
        self._grid = grid
        self._order = component_order
        self._phases = phases
        self._measured: dict[str, tuple[tuple[int, int, int], Features]] = {}

    def report(self, news: Iterable[News], about: Circumstances) -> list[Pick | Clip]:
        """Make the picks of one step of a lane, each final one followed by its clip."""
        ordered = sorted(news, key=lambda item: (item.change.track.peak.index, item.row))
        onsets = sorted(_standing(about.lane, ordered))
        outputs: list[Pick | Clip] = []
        for item in ordered:
            pick = self._pick(item, onsets, about)
            outputs.append(pick)
            if pick.status is PickStatus.FINAL:
                outputs.append(self._clip(pick.pick_id, item.change.track.peak.index, about))
            if pick.status is not PickStatus.PRELIMINARY:
                self._measured.pop(pick.pick_id, None)
        return outputs

    def _pick(self, news: News, onsets: list[int], about: Circumstances) -> Pick:
        change, peak, phase = news.change, news.change.track.peak, self._phases[news.row]
        rate_hz = self._grid.sampling_rate_hz
        pick_id = mint_pick_id(about.instrument, phase, change.track.birth_index, rate_hz)
        channels = self._channels(about)
        following = next((onset for onset in onsets if onset > peak.index), about.lane.end_index)
        features = self._features(pick_id, phase, peak.index, following, channels, about)
        return Pick(
            pick_id=pick_id,
            channel=channels[features.row],
            phase_hint=phase,
            time_ns=self._grid.time_ns(peak.index) + about.phase_ns,
            probability=peak.probability,
            uncertainty_s=news.sigma / rate_hz,
            amplitude=features.amplitude,
            snr=features.snr,
            coverage=mean_coverage(about.lane, peak.index, about.rule),
            model_version=about.model_version,
            status=change.status,
            revision=change.track.revision,
            amplitude_unit=features.amplitude_unit,
            latency=about.latency,
        )

    def _features(
        self,
        pick_id: str,
        phase: str,
        onset: int,
        following: int,
        channels: list[ChannelId],
        about: Circumstances,
    ) -> Features:
        """Measure the onset, unless that has been done on the same samples."""
        rate_hz = self._grid.sampling_rate_hz
        behind = round(AMPLITUDE_S[phase] * rate_hz)
        stop = min(onset + behind, about.lane.end_index)
        span = onset, stop, min(following, stop)
        known = self._measured.get(pick_id)
        if known is None or known[0] != span:
            known = span, self._measure(phase, span, channels, about)
            self._measured[pick_id] = known
        return known[1]

    def _measure(
        self, phase: str, span: tuple[int, int, int], channels: list[ChannelId], about: Circumstances
    ) -> Features:
        onset, stop, following = span
        rate_hz = self._grid.sampling_rate_hz
        before = round(NOISE_S * rate_hz)
        return measure_onset(
            self._buffer.cut(about.instrument, onset - before, stop - onset + before),
            before,
            following - onset,
            rate_hz,
            phase=phase,
            component_order=self._order,
            channels=[self._inventory.channel(channel) for channel in channels],
        )

    def _clip(self, pick_id: str, onset: int, about: Circumstances) -> Clip:
        rate_hz = self._grid.sampling_rate_hz
        start = onset - round(self._settings.clip_before_s * rate_hz)
        stop = onset + round(self._settings.clip_after_s * rate_hz)
        count = max(min(stop, about.lane.end_index) - start, 0)
        return Clip(
            pick_id=pick_id,
            instrument=about.instrument,
            start_ns=self._grid.time_ns(start) + about.phase_ns,
            sampling_rate_hz=rate_hz,
            component_order=self._order,
            samples_CT=self._buffer.cut(about.instrument, start, count),
        )

    def _channels(self, about: Circumstances) -> list[ChannelId]:
        """The channel behind each row; a row that the instrument lacks is named as in the network."""
        code, letters = about.instrument, about.components
        return [
            ChannelId(code.network, code.station, code.location, code.band_instrument + (letter or row))
            for row, letter in zip(self._order, component_slots(letters, self._order), strict=True)
        ]


def _standing(lane: Lane, news: list[News]) -> set[int]:
    """Onsets of all picks that stand, of either phase."""
    living = {track.peak.index for life in lane.lives for track in life.tracks if not track.withdrawn}
    told = (item.change for item in news)
    return living | {c.track.peak.index for c in told if c.status is not PickStatus.WITHDRAWN}
