"""A large station network made from one real recording: miniSEED records in the order of their arrival.

Shape suffixes: C component (Z, N, E), T time.

Every station hears the recording at another moment, at another gain and over noise of its own, so that picks
fall at all times and the compressed records differ as they do in a live network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt
from pymseed import DataEncoding, MS3Record

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.time import NS_PER_S, parse_utc, to_ns

SAMPLING_RATE_HZ = 100
COMPONENTS = "ZNE"
START_NS = parse_utc("2020-01-01T00:00:00Z")
RECORD_BYTES = 512
NETWORK_CODE = "XX"
NOISE_COUNTS = 50.0  # standard deviation of each station's own noise
GAIN_RANGE = (0.3, 3.0)
FADE_SAMPLES = 400  # the recording's end runs into its beginning over this span
LONGEST_FIRST_RECORD = 400  # samples; packets of different channels must not end together

Int32Array = npt.NDArray[np.int32]
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Record:
    """One miniSEED record of a channel; `end_ns` is the time just after its last sample."""

    channel: ChannelId
    end_ns: int
    content: bytes


@dataclass(frozen=True, slots=True)
class SyntheticNetwork:
    """A network's records over a span.

    Parameters
    ----------
    station_count : int
    seconds : float
        Span of data of each station.
    records : tuple of Record
        By the time of their last sample: as a live network delivers them.
    """

    station_count: int
    seconds: float
    records: tuple[Record, ...]

    @property
    def station_seconds(self) -> float:
        """Seconds of three-component data in all."""
        return self.station_count * self.seconds

    @property
    def payload_bytes(self) -> int:
        """Bytes of all records."""
        return sum(len(record.content) for record in self.records)


def build_network(recording_CT: Float64Array, station_count: int, seconds: float) -> SyntheticNetwork:
    """Encode the waveforms of a network.

    Parameters
    ----------
    recording_CT : ndarray, shape (3, T)
        Real ground motion at 100 Hz: Z, N, E in counts.
    station_count : int
        A station's waveforms depend on its number alone.
    seconds : float
        Span of data of each station.

    Returns
    -------
    SyntheticNetwork
    """
    loop_CT = close_loop(recording_CT, FADE_SAMPLES)
    sample_count = round(seconds * SAMPLING_RATE_HZ)
    records: list[Record] = []
    for number in range(station_count):
        chance = np.random.default_rng(number)
        records += encode_station(number, draw_station(loop_CT, sample_count, chance), chance)
    records.sort(key=attrgetter("end_ns"))
    return SyntheticNetwork(station_count, seconds, tuple(records))


def close_loop(recording_CT: Float64Array, fade_samples: int) -> Float64Array:
    """Blend a recording's end into its beginning, so that it can be repeated without a step.

    Examples
    --------
    >>> close_loop(np.ones((3, 10)), 2).shape
    (3, 8)
    """
    ramp_T = np.linspace(0.0, 1.0, fade_samples)
    loop_CT = recording_CT[:, :-fade_samples].copy()
    end_CT = recording_CT[:, -fade_samples:]
    loop_CT[:, :fade_samples] = ramp_T * loop_CT[:, :fade_samples] + (1 - ramp_T) * end_CT
    return loop_CT


def draw_station(loop_CT: Float64Array, sample_count: int, chance: np.random.Generator) -> Int32Array:
    """Give a station its share of the recording: shifted, scaled, over its own noise; counts, (3, T)."""
    start = int(chance.integers(loop_CT.shape[1]))
    indices = (start + np.arange(sample_count)) % loop_CT.shape[1]
    gain = np.exp(chance.uniform(*np.log(GAIN_RANGE)))
    noise_CT = chance.normal(scale=NOISE_COUNTS, size=(3, sample_count))
    counts_CT: Int32Array = np.rint(gain * loop_CT[:, indices] + noise_CT).astype(np.int32)
    return counts_CT


def encode_station(number: int, samples_CT: Int32Array, chance: np.random.Generator) -> list[Record]:
    """Write a station's samples as Steim-2 records."""
    records: list[Record] = []
    for component, samples_T in zip(COMPONENTS, samples_CT, strict=True):
        channel = ChannelId(NETWORK_CODE, station_code(number), "", f"HH{component}")
        split = int(chance.integers(1, LONGEST_FIRST_RECORD))
        records += encode_channel(channel, samples_T[:split], 0)
        records += encode_channel(channel, samples_T[split:], split)
    return records


def encode_channel(channel: ChannelId, samples_T: Int32Array, first_index: int) -> list[Record]:
    """Write one channel's samples, the first of which has `first_index`, as Steim-2 records."""
    template = MS3Record()
    template.sourceid = channel.source_id
    template.formatversion = 2
    template.reclen = RECORD_BYTES
    template.encoding = DataEncoding.STEIM2
    template.samprate = SAMPLING_RATE_HZ
    template.starttime = START_NS + first_index * NS_PER_S // SAMPLING_RATE_HZ
    contents = template.generate(data_samples=samples_T, sample_type="i")
    return [Record(channel, _end_ns(content), content) for content in contents]


def station_code(number: int) -> str:
    """Five letters and digits."""
    return f"S{number:04X}"


def select_stations(network: SyntheticNetwork, station_count: int) -> SyntheticNetwork:
    """Keep the records of the first stations."""
    names = {station_code(number) for number in range(station_count)}
    kept = tuple(record for record in network.records if record.channel.station in names)
    return SyntheticNetwork(min(station_count, network.station_count), network.seconds, kept)


def list_stations(network: SyntheticNetwork) -> Inventory:
    """Give every station a place on a square of 10 km spacing."""
    names = sorted({record.channel.station_id for record in network.records})
    side = math.isqrt(len(names)) + 1
    return Inventory({name: _place(name, number, side) for number, name in enumerate(names)})


def group_by_channel(records: Sequence[Record]) -> dict[ChannelId, bytes]:
    """Join each channel's records, in order: what a file of that channel would hold."""
    contents: dict[ChannelId, list[bytes]] = {}
    for record in records:
        contents.setdefault(record.channel, []).append(record.content)
    return {channel: b"".join(parts) for channel, parts in sorted(contents.items())}


def _place(name: StationId, number: int, side: int) -> Station:
    row, column = divmod(number, side)
    return Station(name, latitude_deg=45.0 + 0.09 * row, longitude_deg=10.0 + 0.12 * column)


def _end_ns(content: bytes) -> int:
    header = MS3Record.parse(content)
    return int(header.starttime) + to_ns(header.samplecnt / SAMPLING_RATE_HZ)
