"""When to say how far the stations are, and what to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rtpick.buffer.stage import Buffer
from rtpick.picking.lane import Lane, LaneRule
from rtpick.picking.ledger import Line, PacketLedger
from rtpick.picking.life import Life, settled_index
from rtpick.picking.resume import needed_from_ns, settled_index_of, settled_ns
from rtpick.settings.schema import PickingSettings
from rtpick.vocabulary.codes import InstrumentId, StationId
from rtpick.vocabulary.time import SampleGrid
from rtpick.vocabulary.waveform import ChannelLock, Packet, Progress

Lanes = Mapping[InstrumentId, Lane]


class Headway:
    """Keep account of packets and of what is settled; tell it now and then.

    Parameters
    ----------
    settings : PickingSettings
        How often, and how far clips look back.
    grid : SampleGrid
        Of the network's rate.
    silence : int
        Samples by which an instrument lies behind the newest one when it no longer holds its station up.
    progress : tuple of Progress
        Where an earlier run stood.
    """

    def __init__(
        self, settings: PickingSettings, grid: SampleGrid, silence: int, progress: Iterable[Progress]
    ) -> None:
        progress = tuple(progress)
        self._grid = grid
        self._silence = silence
        self._interval = round(settings.progress_interval_s * grid.sampling_rate_hz)
        self._look_back_s = settings.clip_before_s
        self._ledger = PacketLedger(progress)
        self._told_at = 0
        self._told: dict[tuple[str, StationId], Progress] = {}
        self._restored: dict[StationId, int] = {}
        for item in progress:
            index = settled_index_of(item.settled_ns, grid)
            self._restored[item.station] = max(index, self._restored.get(item.station, index))

    def record(self, packet: Packet) -> None:
        """Note a packet's arrival."""
        self._ledger.record(packet)

    def restored_index(self, station: StationId) -> int | None:
        """Before which index all picks of a station were final in an earlier run; None for a new station."""
        return self._restored.get(station)

    def is_due(self, newest_index: int, force: bool) -> bool:
        """Tell whether event time has moved on far enough since the last time."""
        if not force and newest_index - self._told_at < self._interval:
            return False
        self._told_at = newest_index
        return True

    def silent(self, lanes: Lanes) -> list[InstrumentId]:
        """List the instruments that lie far behind the newest one."""
        newest = _newest(lanes)
        return [name for name, lane in lanes.items() if newest - lane.end_index > self._silence]

    def tell(
        self,
        lanes: Lanes,
        rule_of: Callable[[StationId], LaneRule],
        buffer: Buffer,
        waiting: Mapping[InstrumentId, int],
    ) -> list[Progress]:
        """Say how far each station is, where that has changed.

        Parameters
        ----------
        lanes : mapping of InstrumentId to Lane
            As they stand.
        rule_of : callable
            The rule of a station.
        buffer : Buffer
            Only read.
        waiting : mapping of InstrumentId to int
            Start of the first window that was cut and is not stacked yet.
        """
        settled = {
            station: settled_index(lives, rule_of(station).life.reach)
            for station, lives in self._lives(lanes, buffer, waiting).items()
        }
        news: list[Progress] = []
        for line in self._ledger.lines():
            if line[1] in settled:
                news += self._tell_one(line, settled[line[1]], rule_of(line[1]), buffer.locks_at(line[1]))
        return news

    def _tell_one(
        self, line: Line, settled: int, rule: LaneRule, locks: tuple[ChannelLock, ...]
    ) -> list[Progress]:
        rates_hz = [lock.sampling_rate_hz for lock in locks]
        needed_ns = needed_from_ns(settled, rule, self._grid, rates_hz, self._look_back_s)
        done = self._ledger.release(line, needed_ns)
        if done is None:
            return []
        fresh = Progress(*line, done.sequence, done.start_ns, settled_ns(settled, self._grid), locks)
        if self._told.get(line) == fresh:
            return []
        self._told[line] = fresh
        return [fresh]

    def _lives(
        self, lanes: Lanes, buffer: Buffer, waiting: Mapping[InstrumentId, int]
    ) -> dict[StationId, list[Life]]:
        """Gather what must be cut at one index for each station.

        A silent instrument holds up its station only if all of them are silent; one that has no window yet
        holds it up at its first.
        """
        silent = set(self.silent(lanes)) - waiting.keys()
        newest_ns = self._grid.time_ns(_newest(lanes) - self._silence)
        lives: dict[StationId, list[Life]] = {}
        for name, watermark_ns in buffer.watermarks().items():
            if name in lanes and name not in silent:
                lives.setdefault(name.station_id, []).extend(lanes[name].lives)
            elif name not in lanes and (name in waiting or watermark_ns > newest_ns):
                coming = self._grid.index(buffer.needed_from_ns(name))
                first = min(waiting.get(name, coming), coming)
                lives.setdefault(name.station_id, []).append(Life(first, first, first))
        for name in sorted(silent):
            if all(other in silent for other in lanes if other.station_id == name.station_id):
                lives.setdefault(name.station_id, []).extend(lanes[name].lives)
        return lives


def _newest(lanes: Lanes) -> int:
    return max((lane.end_index for lane in lanes.values()), default=0)
