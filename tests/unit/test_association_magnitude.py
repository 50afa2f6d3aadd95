"""Magnitudes: from Wood-Anderson amplitudes, from picks, of known size and of catalogued earthquakes."""

from __future__ import annotations

import doctest
import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.geodetics import gps2dist_azimuth

from rtpick.archive.clips import ClipStore
from rtpick.associate_picks import associate_table
from rtpick.association.magnitude import Scale, robust_median, size_event
from rtpick.association.sizes import (
    CAPACITY,
    Sizes,
    new_sizes,
    read_corrections,
    size_events,
    take_amplitudes,
)
from rtpick.association.wood_anderson import StationAmplitude, measure_clip, simulate, wood_anderson
from rtpick.bench.association.real import read_real
from rtpick.check import examine_configuration
from rtpick.daemon.build import build_sizes
from rtpick.ingest.responses import read_responses
from rtpick.settings.schema import MagnitudeSettings, Settings
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Origin
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.response import Response, Responses
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Clip

NAN = float("nan")
RATE_HZ = 100.0
GAIN = 4e8  # counts for each m/s above a corner of 1 Hz
HZ = np.geomspace(0.02, 100.0, 160)
START_NS = to_ns(1.5e9)


def seismometer(channel: ChannelId, start_ns: int | None = None, end_ns: int | None = None) -> Response:
    """A 1 Hz geophone."""
    s = 2j * np.pi * HZ
    corner = 2 * np.pi
    return Response(
        channel, start_ns, end_ns, HZ, GAIN * s * s**2 / (s**2 + 2 * 0.7 * corner * s + corner**2)
    )


def shake(amplitude_mm: float, hz: float, response: Response, rng: np.random.Generator) -> np.ndarray:
    """Counts of a burst that a Wood-Anderson seismograph draws with an amplitude, in a little noise."""
    time_s = np.arange(3000) / RATE_HZ
    moved_m = amplitude_mm / 1000.0 / abs(wood_anderson(np.array([hz]))[0])
    burst = moved_m * np.exp(-(((time_s - 15.0) / 1.5) ** 2)) * np.sin(2 * np.pi * hz * (time_s - 15.0))
    frequency = np.fft.rfftfreq(3000, 1 / RATE_HZ)
    counts = np.fft.irfft(np.fft.rfft(burst) * response.at(frequency), 3000)
    return (counts + rng.normal(0, 2.0, 3000) + 500.0).astype(np.float32)


def make_responses(codes: list[str], letters: str = "ENZ") -> Responses:
    channels = [ChannelId("XX", code, "", "EH" + letter) for code in codes for letter in letters]
    return Responses.of(seismometer(channel) for channel in channels)


def make_clip(code: str, samples_CT: np.ndarray, pick_id: str = "") -> Clip:
    return Clip(
        pick_id or f"{code}-S", InstrumentId("XX", code, "", "EH"), START_NS, RATE_HZ, "ENZ", samples_CT
    )


def make_event(codes: list[str], km: list[float], depth_km: float = 8.0, phase: str = "S") -> Event:
    origin = Origin(START_NS + to_ns(5.0), 45.0, 7.0, depth_km, 0.1, 1.0, 1.0, False, 0.1, 90.0, 0.1)
    arrivals = tuple(
        Arrival(f"{code}-{phase}", f"XX.{code}", phase, START_NS + to_ns(10.0), 0.0, far / 111.195, 0.0)
        for code, far in zip(codes, km, strict=True)
    )
    return Event("rt1", 0, EventStatus.NEW, origin, arrivals)


@pytest.mark.parametrize("hz", [1.5, 4.0, 12.0])
def test_draws_a_known_amplitude(hz: float) -> None:
    rng = np.random.default_rng(1)
    responses = make_responses(["A"])
    samples = np.stack(
        [shake(a, hz, seismometer(ChannelId("XX", "A", "", "EHE")), rng) for a in (2.0, 8.0, 1.0)]
    )
    amplitude = measure_clip(make_clip("A", samples), responses)
    assert amplitude is not None
    assert amplitude.horizontal
    assert amplitude.amplitude_mm == pytest.approx(4.0, rel=0.03)  # geometric mean of the horizontals


@pytest.mark.parametrize("magnitude", [0.5, 2.0, 4.5])
def test_a_known_magnitude_comes_out(magnitude: float) -> None:
    """Four stations that draw what an event of this magnitude makes them draw, one of them ten times that."""
    rng, codes, far_km = np.random.default_rng(2), ["A", "B", "C", "D"], [10.0, 25.0, 60.0, 15.0]
    clips, scale = [], Scale()
    for code, km in zip(codes, far_km, strict=True):
        at_one = scale.magnitude(1e6 / 2080.0, float(np.hypot(km, 8.0)), StationId("XX", code))
        amplitude_mm = 10 ** (magnitude - at_one) * (10.0 if code == "D" else 1.0)
        response = seismometer(ChannelId("XX", code, "", "EHE"))
        clips.append(make_clip(code, np.stack([shake(amplitude_mm, 3.0, response, rng) for _ in range(3)])))
    sizes = take_amplitudes(Sizes(scale, make_responses(codes)), clips)
    (event,) = size_events(sizes, [make_event(codes, far_km)])
    assert event.magnitude is not None
    assert event.magnitude.magnitude_type == "ML"
    assert event.magnitude.station_count == 3  # the one that is ten times too large is left out
    assert event.magnitude.magnitude == pytest.approx(magnitude, abs=0.06)
    assert 0 < event.magnitude.uncertainty < 0.3


def test_agrees_with_obspy_on_a_real_response(shared: Path) -> None:
    folder = shared / "data" / "continuous" / "germany_gr_events"
    inventory = obspy.read_inventory(str(folder / "example_inventory.xml"))
    trace = obspy.read(str(folder / "example_data.mseed")).select(station="BFO", channel="HHN")[0]
    responses = read_responses([folder / "example_inventory.xml"])
    response = responses.find(ChannelId("GR", "BFO", "", "HHN"), int(trace.stats.starttime.ns))
    assert response is not None
    ours = simulate(trace.data.astype(float), trace.stats.sampling_rate, response)
    paz = {
        "poles": [-5.49779 - 5.60886j, -5.49779 + 5.60886j],
        "zeros": [0j, 0j],
        "gain": 1.0,
        "sensitivity": 2080.0,
    }
    copy = trace.copy().detrend("demean").taper(None, max_length=1.0)
    copy.remove_response(inventory, output="DISP", pre_filt=(0.3, 0.6, 8.0, 9.5), taper=False)
    copy.simulate(paz_simulate=paz, taper=False)
    inner = slice(100, -100)
    assert np.corrcoef(ours[inner], copy.data[inner])[0, 1] > 0.99
    assert np.abs(ours[inner]).max() == pytest.approx(np.abs(copy.data[inner]).max(), rel=0.05)


def clip_of(stream: obspy.Stream, network: str, station: str) -> Clip:
    traces = {trace.stats.channel[-1]: trace for trace in stream}
    count = min(len(trace) for trace in stream)
    samples = np.array([traces[letter].data[:count] for letter in "ENZ"], np.float32)
    first = traces["Z"].stats
    code = InstrumentId(network, station, "", first.channel[:2])
    return Clip("clip", code, int(first.starttime.ns), first.sampling_rate, "ENZ", samples)


def test_a_catalogued_induced_earthquake(shared: Path) -> None:
    """Unterhaching, 2010-05-27 16:43:49, catalogued Ml 1.5; one station 4 km away has a response."""
    folder = shared / "data" / "continuous" / "unterhaching_bw_20100527"
    responses = read_responses([folder / "station_UH1.xml"])
    stream = obspy.read(str(folder / "waveforms_3c" / "BW.UH1*"))
    catalogued = obspy.read_events(str(folder / "events.xml"))[1]
    amplitude = measure_clip(clip_of(stream, "BW", "UH1"), responses)
    assert amplitude is not None
    reach_km = float(np.hypot(3.94, catalogued.origins[0].depth / 1000.0))
    value = Scale().magnitude(amplitude.amplitude_mm * 1e6 / 2080.0, reach_km, amplitude.station)
    assert value == pytest.approx(catalogued.magnitudes[0].mag, abs=0.3)


def test_five_catalogued_regional_earthquakes(shared: Path) -> None:
    """ML 4.6 to 5.7 at 38 to 495 km in Germany, by California's attenuation: low, by the same for all."""
    folder = shared / "data" / "continuous" / "germany_gr_events"
    inventory = obspy.read_inventory(str(folder / "example_inventory.xml"))
    stream = obspy.read(str(folder / "example_data.mseed"))
    responses = read_responses([folder / "example_inventory.xml"])
    off = []
    for catalogued in obspy.read_events(str(folder / "example_events.xml")):
        origin, values = catalogued.origins[0], []
        for station in sorted({trace.stats.station for trace in stream}):
            mine = obspy.Stream(
                t for t in stream.select(station=station) if abs(t.stats.starttime - origin.time) < 200
            )
            if len(mine) != 3:
                continue
            place = inventory.get_coordinates(mine[0].id, origin.time)
            far_m = gps2dist_azimuth(
                origin.latitude, origin.longitude, place["latitude"], place["longitude"]
            )[0]
            amplitude = measure_clip(clip_of(mine, "GR", station), responses)
            assert amplitude is not None
            reach_km = float(np.hypot(far_m, origin.depth)) / 1000.0
            values.append(
                Scale().magnitude(amplitude.amplitude_mm * 1e6 / 2080.0, reach_km, amplitude.station)
            )
        off.append(robust_median(values)[0] - catalogued.magnitudes[0].mag)
    assert len(off) == 5
    assert -0.8 < np.median(off) < 0.0
    assert np.std(off) < 0.3


def test_station_corrections_and_coefficients_count(tmp_path: Path) -> None:
    (tmp_path / "corrections.csv").write_text("station,correction\nXX.A,0.4\n")
    settings = MagnitudeSettings(constant=-2.5, corrections=tmp_path / "corrections.csv")
    scale = new_sizes(settings, Responses()).scale
    plain = Scale().magnitude(100.0, 30.0, StationId("XX", "A"))
    assert scale.magnitude(100.0, 30.0, StationId("XX", "A")) == pytest.approx(plain - 0.41 + 0.4)
    assert scale.magnitude(100.0, 30.0, StationId("XX", "B")) == pytest.approx(plain - 0.41)
    (tmp_path / "bad.csv").write_text("station,correction\nXX.A,high\n")
    with pytest.raises(InventoryError, match=r"bad.csv, line 2: needs station"):
        read_corrections(tmp_path / "bad.csv")
    with pytest.raises(InventoryError, match="cannot read magnitude corrections"):
        read_corrections(tmp_path / "none.csv")


def make_pick(pick_id: str, code: str, phase: str, amplitude: float, unit: str = "m/s") -> Pick:
    channel = ChannelId("XX", code, "", "EHZ")
    return Pick(pick_id, channel, phase, START_NS, 0.9, 0.1, amplitude, 9.0, 1.0, "m", amplitude_unit=unit)


def test_picks_alone_give_a_size_of_another_type() -> None:
    """Ten times the velocity is one magnitude more; P stands in for a missing S; counts say nothing."""
    event = make_event(["A", "B", "C"], [10.0, 20.0, 30.0])
    picks = {f"{c}-S": make_pick(f"{c}-S", c, "S", 1e-5) for c in "ABC"}
    small = size_event(event, {}, picks, Scale())
    large = size_event(event, {}, {n: replace(p, amplitude=1e-4) for n, p in picks.items()}, Scale())
    assert small is not None
    assert large is not None
    assert small.magnitude_type == "Mpgv"
    assert large.magnitude - small.magnitude == pytest.approx(1.0, abs=0.02)
    assert (
        size_event(event, {}, {n: replace(p, amplitude_unit="counts") for n, p in picks.items()}, Scale())
        is None
    )
    p_only = make_event(["A"], [10.0], phase="P")
    of_p = size_event(p_only, {}, {"A-P": make_pick("A-P", "A", "P", 1e-5)}, Scale())
    of_s = size_event(make_event(["A"], [10.0]), {}, {"A-S": make_pick("A-S", "A", "S", 1e-5)}, Scale())
    assert of_p is not None
    assert of_s is not None
    assert of_p.magnitude - of_s.magnitude == pytest.approx(0.5, abs=0.01)
    assert np.isnan(of_p.uncertainty)


def test_the_better_kind_wins() -> None:
    event = make_event(["A", "B"], [10.0, 20.0])
    picks = {"A-S": make_pick("A-S", "A", "S", 1e-5)}
    upright = {"A-S": StationAmplitude("A-S", StationId("XX", "A"), 1.0, False, START_NS + to_ns(30.0))}
    flat = {"B-S": StationAmplitude("B-S", StationId("XX", "B"), 1.0, True, START_NS + to_ns(30.0))}
    kinds = [size_event(event, drawn, picks, Scale()) for drawn in ({}, upright, upright | flat)]
    assert [kind.magnitude_type for kind in kinds if kind] == ["Mpgv", "MLv", "ML"]


def test_a_clip_of_p_counts_only_with_s_in_it() -> None:
    drawn = {"A-P": StationAmplitude("A-P", StationId("XX", "A"), 1.0, True, START_NS + to_ns(30.0))}
    near, far = (make_event(["A"], [km], phase="P") for km in (30.0, 150.0))
    assert size_event(near, drawn, {}, Scale()) is not None
    assert size_event(far, drawn, {}, Scale()) is None


@pytest.mark.parametrize("fault", ["gap", "clipped", "noise", "short", "silence"])
def test_spoilt_clips_are_not_measured(fault: str) -> None:
    rng = np.random.default_rng(3)
    response = seismometer(ChannelId("XX", "A", "", "EHE"))
    samples = np.stack([shake(5.0, 3.0, response, rng) for _ in range(3)])
    if fault == "gap":
        samples[:, 1000:1010] = np.nan
    elif fault == "clipped":
        samples = np.clip(samples, -3000.0, 3000.0)
    elif fault == "noise":
        samples = rng.normal(0, 100.0, samples.shape).astype(np.float32)
    elif fault == "short":
        samples = samples[:, 1300:1600]
    else:
        samples = np.full_like(samples, 7.0)
    assert measure_clip(make_clip("A", samples), make_responses(["A"])) is None
    assert measure_clip(make_clip("B", samples), make_responses(["A"])) is None


def test_horizontals_may_be_numbered_and_epochs_change() -> None:
    rng = np.random.default_rng(4)
    samples = np.stack([shake(5.0, 3.0, seismometer(ChannelId("XX", "A", "", "EHE")), rng) for _ in range(3)])
    numbered = measure_clip(make_clip("A", samples), make_responses(["A"], "12Z"))
    assert numbered is not None
    assert numbered.horizontal
    channel = ChannelId("XX", "A", "", "EHN")
    past, now = seismometer(channel, None, START_NS), seismometer(channel, START_NS, None)
    responses = Responses.of([past, now])
    assert responses.find(channel, START_NS - 1) is past
    assert responses.find(channel, START_NS) is now


def test_amplitudes_are_the_same_however_they_come_and_bounded() -> None:
    picks = [make_pick(f"p{n}", "A", "S", 1e-6) for n in range(CAPACITY + 50)]
    at_once = take_amplitudes(Sizes(), picks)
    by_parts = Sizes()
    for start in range(0, len(picks), 5000):
        by_parts = take_amplitudes(by_parts, picks[start : start + 5000])
    assert list(at_once.picks) == list(by_parts.picks)
    assert len(at_once.picks) == CAPACITY
    assert next(iter(at_once.picks)) == "p50"
    event = make_event(["A"], [10.0])
    for status in (EventStatus.MERGE, EventStatus.RETRACT):
        assert size_events(at_once, [replace(event, status=status)])[0].magnitude is None


def test_a_restart_measures_the_clips_that_were_kept(tmp_path: Path, shared: Path) -> None:
    folder = shared / "data" / "continuous" / "unterhaching_bw_20100527"
    clip = clip_of(obspy.read(str(folder / "waveforms_3c" / "BW.UH1*")), "BW", "UH1")
    ClipStore(tmp_path / "clips", 0).write(clip)
    settings = Settings.model_validate({
        "sources": [{"type": "seedlink", "name": "s", "host": "localhost", "streams": ["BW.UH1..EH?"]}],
        "inventory": {"files": [str(folder / "station_UH1.xml")]},
        "archive": {"database": "sqlite://", "clips_directory": str(tmp_path / "clips")},
    })  # fmt: skip
    pick = replace(make_pick("clip", "UH1", "S", 5.0, "counts"), channel=ChannelId("BW", "UH1", "", "EHN"))
    pick = replace(pick, time_ns=clip.start_ns + to_ns(settings.picking.clip_before_s))
    assert set(build_sizes(settings, [pick]).drawn) == {"clip"}
    (torn,) = (tmp_path / "clips").rglob("*.npz")
    torn.write_bytes(b"\0" * torn.stat().st_size)
    assert set(build_sizes(settings, [pick]).drawn) == set()


def test_what_is_no_response_is_said(tmp_path: Path) -> None:
    (tmp_path / "odd.xml").write_text("<odd/>")
    with pytest.raises(InventoryError, match=r"odd.xml: no inventory"):
        read_responses([tmp_path / "odd.xml"])
    (tmp_path / "stations.csv").write_text("station,latitude,longitude\nXX.A,1,2\n")
    assert len(read_responses([tmp_path / "stations.csv"])) == 0


@pytest.mark.slow
def test_sizes_of_picks_follow_a_catalogue(shared: Path, tmp_path: Path) -> None:
    """Central Italy: velocities at picks against 71 catalogued magnitudes of -0.3 to 1.8."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "amatrice_20161014").symlink_to(shared / "data" / "association" / "amatrice_20161014")
    (real,) = read_real(tmp_path / "in", tmp_path / "tables")
    lists = real.scenario
    result = associate_table(
        lists.picks, lists.stations, lists.velocity_model, tmp_path / "out", amplitude_unit="m/s"
    )
    catalogue = pd.read_csv(shared / "data" / "association" / "amatrice_20161014" / "catalog_matchlocate.csv")
    epochs = np.array([event.origin.time_ns / 1e9 for event in result.events])
    off = []
    for true in real.scenario.truth.events:
        nearest = int(np.argmin(np.abs(epochs - true.epoch_s)))
        found = result.events[nearest].magnitude
        if abs(epochs[nearest] - true.epoch_s) < 1.5 and found is not None:
            known = catalogue.magnitude[catalogue.event_id == true.number].iloc[0]
            off.append(found.magnitude - float(known))
    assert len(off) > 60
    assert abs(np.median(off)) < 0.3
    assert np.median(np.abs(off - np.median(off))) < 0.15


@pytest.mark.parametrize("module", ["association.magnitude", "association.wood_anderson"])
def test_examples_hold(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"rtpick.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("corrections", "well"), [("station,correction\nBW.UH1,0.1\n", True), ("station\n", False)]
)
def test_check_tries_what_magnitudes_need(tmp_path: Path, shared: Path, corrections: str, well: bool) -> None:
    (tmp_path / "corrections.csv").write_text(corrections + ("" if well else "BW.UH1\n"))
    folder = shared / "data" / "continuous" / "unterhaching_bw_20100527"
    (tmp_path / "rtpick.yaml").write_text(
        "sources: [{type: archive, name: a, path: "
        + str(folder / "waveforms_3c")
        + ', streams: ["*.*.*.*"]}]\n'
        f"inventory: {{files: [{folder / 'station_UH1.xml'}]}}\n"
        f"archive: {{database: 'sqlite:///{tmp_path}/rtpick.sqlite'}}\n"
        f"magnitude: {{corrections: {tmp_path / 'corrections.csv'}}}\n"
        "health: {port: 0}\n"
    )
    found = {item.name: item for item in examine_configuration(tmp_path / "rtpick.yaml")}["magnitudes"]
    assert found.well is well
    expected = (
        "ML from 3 channels with a response, 1 station corrections" if well else "line 2: needs station"
    )
    assert expected in found.detail
