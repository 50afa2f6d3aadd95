"""A large station network: miniSEED records in the order of their arrival.

Shape suffixes: C component (Z, N, E), T time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from pymseed import DataEncoding, MS3Record

from rtpick.bench.waveforms import COMPONENTS, SAMPLING_RATE_HZ, Int32Array, Reference, draw_station
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.time import NS_PER_S, parse_utc, to_ns

START_NS = parse_utc("2020-01-01T00:00:00Z")
RECORD_BYTES = 512
NETWORK_CODE = "XX"
LONGEST_FIRST_RECORD = 400  # samples; packets of different channels must not end together


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


def build_network(
    reference: Reference, station_count: int, seconds: float, repeat_s: float
) -> SyntheticNetwork:
    """Draw and encode the waveforms of a network.

    Parameters
    ----------
    reference : Reference
        Real ground motion.
    station_count : int
        A station's waveforms depend on its number alone.
    seconds : float
        Span of data of each station.
    repeat_s : float
        Time in which a station hears the recording once.

    Returns
    -------
    SyntheticNetwork
    """
    sample_count = round(seconds * SAMPLING_RATE_HZ)
    records: list[Record] = []
    for number in range(station_count):
        chance = np.random.default_rng(number)
        samples_CT = draw_station(reference, sample_count, repeat_s, chance)
        records += encode_station(number, samples_CT, chance)
    records.sort(key=attrgetter("end_ns"))
    return SyntheticNetwork(station_count, seconds, tuple(records))


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
