"""The same records through `rtpick pick`'s engine: decoding and picking in one thread, nothing committed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from rtpick import __version__
from rtpick.bench.measurement import Throughput
from rtpick.bench.ours import OurSettings
from rtpick.bench.resident import watch_resident
from rtpick.bench.synthetic_network import START_NS, Record, SyntheticNetwork, list_stations
from rtpick.bench.timed_engine import TimedEngine
from rtpick.ingest.miniseed import decode_record
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.networks import Network
from rtpick.picking.picker import Output, Picker
from rtpick.runtime.clock import monotonic_s
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Packet


def measure_offline(network: Network, waveforms: SyntheticNetwork, settings: OurSettings) -> Throughput:
    """Pick a network's records from the first to the last, as fast as one thread feeds the network."""
    engine = TimedEngine(network, settings.engine, Metrics(CollectorRegistry()))
    engine.warm_up()
    picker = Picker(settings.picking, settings.buffer, engine, inventory=list_stations(waveforms))
    with watch_resident() as resident:
        began_s = monotonic_s()
        outputs = _pick(picker, waveforms)
        wall_s = monotonic_s() - began_s
    finals = [item for item in outputs if isinstance(item, Pick) and item.status is PickStatus.FINAL]
    return Throughput(
        subject=f"rtpick {__version__}",
        setting=f"{engine.description}, offline: records in to final picks",
        station_count=waveforms.station_count,
        station_seconds=waveforms.station_seconds,
        window_samples=network.metadata.window_samples,
        stride_samples=settings.picking.stride_samples,
        windows=engine.windows_inferred,
        picks=len(finals),
        wall_s=wall_s,
        resident_peak_bytes=resident.peak_bytes,
    )


def _pick(picker: Picker, waveforms: SyntheticNetwork) -> list[Output]:
    end_ns = START_NS + to_ns(waveforms.seconds)
    outputs: list[Output] = []
    for number, record in enumerate(waveforms.records):
        picker.add(_decode(record, number, end_ns), end_ns)
        outputs += picker.step(end_ns)
    return outputs + picker.flush(end_ns)


def _decode(record: Record, number: int, now_ns: int) -> Packet:
    packet = decode_record(record.content, source="bench", sequence=number, received_ns=now_ns)
    believed = sanitise_packet(packet, now_ns)
    return believed if isinstance(believed, Packet) else packet
