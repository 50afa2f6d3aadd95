"""QuakeML: valid against the schema, read back by ObsPy equal, the same bytes each time."""

from __future__ import annotations

import dataclasses
import io
import warnings
from pathlib import Path

import numpy as np
import obspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy.io.quakeml.core import _validate

from rtpick.publish.quakeml import QuakeMLDirectory, build_event, encode_events, write_catalogue
from rtpick.publish.quakeml_origin import horizontal_ellipse
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.pick import Pick, PickStatus

NAN = float("nan")
T0_NS = 1_274_977_471_800_000_499
UH1 = ChannelId("BW", "UH1", "", "SHZ")
COVARIANCE = (4.0, 1.5, 0.0, 1.5, 1.0, 0.0, 0.0, 0.0, 9.0)
ORIGIN = Origin(T0_NS, 48.05, 11.64, 4.8, 0.1, 0.5, 1.0, False, 0.08, 120.0, 0.02, COVARIANCE)
PICKS = {
    "p0": Pick("p0", UH1, "P", T0_NS, 0.9, 0.05, 12.5, 8.0, 1.0, "default-12345678"),
    "p/1": Pick(
        "p/1", ChannelId("BW", "UH2", "00", "HHN"), "S", T0_NS + 10**9, 0.5, NAN, NAN, NAN, 0.3, "m",
        PickStatus.PRELIMINARY,
    ),
}  # fmt: skip
ARRIVALS = (
    Arrival("p0", "BW.UH1", "P", T0_NS, 0.01, 0.03, 12.0, 0.8),
    Arrival("p/1", "BW.UH2", "S", T0_NS + 10**9, NAN, 0.05, 212.0, 0.0),
    Arrival("unknown", "BW.UH3", "P", T0_NS + 5, 0.2, 0.07, 100.0, 1.0),
)
EVENT = Event("e1", 3, EventStatus.UPDATE, ORIGIN, ARRIVALS, Magnitude(2.1, "ML", 0.2, 4))

floats = st.floats(-1e6, 1e6) | st.just(NAN)
origins = st.builds(
    Origin, st.integers(0, 4 * 10**18), st.floats(-90, 90), st.floats(-180, 180), floats, floats, floats,
    floats, st.booleans(), floats, floats, floats, st.just(()) | st.just(COVARIANCE),
)  # fmt: skip
ids = st.text("abz019_-./ é:#", min_size=1, max_size=12)
arrivals = st.builds(
    Arrival, ids, st.just("BW.UH1"), st.sampled_from("PS"), st.integers(0, 4 * 10**18), *([floats] * 4)
)
events = st.builds(
    Event, ids, st.integers(0, 99), st.sampled_from(EventStatus), origins,
    st.lists(arrivals, max_size=4, unique_by=lambda arrival: arrival.pick_id).map(tuple),
    st.none() | st.builds(Magnitude, st.floats(-3, 10), st.just("ML"), floats, st.integers(0, 99)),
    st.none() | ids,
)  # fmt: skip


def assert_valid(document: bytes) -> None:
    assert _validate(io.BytesIO(document), verbose=True)


def read_back(document: bytes) -> obspy.Catalog:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return obspy.read_events(io.BytesIO(document), format="QUAKEML")


@settings(max_examples=30, deadline=None)
@given(event=events)
def test_every_event_is_valid_and_comes_back_equal(event: Event) -> None:
    document = encode_events([event], {})
    assert_valid(document)
    assert read_back(document)[0] == build_event(event, {})
    assert encode_events([event], {}) == document


def test_picks_origin_and_magnitude_come_back_equal() -> None:
    document = encode_events([EVENT], PICKS)
    assert_valid(document)
    (found,) = read_back(document)
    assert found == build_event(EVENT, PICKS)
    assert found.preferred_origin() is found.origins[0]
    assert found.preferred_magnitude().mag == 2.1
    assert [arrival.pick_id.get_referred_object() for arrival in found.origins[0].arrivals] == found.picks


def test_the_origin_in_quakemls_units() -> None:
    origin = read_back(encode_events([EVENT], PICKS))[0].origins[0]
    assert origin.time.ns == T0_NS - 499
    assert origin.depth == 4800.0
    assert origin.depth_errors.uncertainty == 1000.0
    assert origin.latitude_errors.uncertainty == pytest.approx(1.0 / 111.195)
    assert origin.longitude_errors.uncertainty == pytest.approx(2.0 / (111.195 * np.cos(np.radians(48.05))))
    assert origin.origin_uncertainty.preferred_description == "uncertainty ellipse"
    assert origin.evaluation_mode == "automatic"
    assert origin.evaluation_status == "preliminary"


def test_the_quality_counts_what_is_used() -> None:
    quality = read_back(encode_events([EVENT], PICKS))[0].origins[0].quality
    assert (quality.associated_phase_count, quality.used_phase_count) == (3, 2)
    assert (quality.associated_station_count, quality.used_station_count) == (3, 2)
    assert (quality.standard_error, quality.azimuthal_gap, quality.minimum_distance) == (0.08, 120.0, 0.02)
    assert (quality.maximum_distance, quality.median_distance) == (0.07, pytest.approx(0.05))


def test_arrivals_and_picks_carry_their_values() -> None:
    (found,) = read_back(encode_events([EVENT], PICKS))
    first = found.origins[0].arrivals[0]
    values = first.phase, first.time_residual, first.distance, first.azimuth, first.time_weight
    assert values == ("P", 0.01, 0.03, 12.0, 0.8)
    assert found.origins[0].arrivals[1].time_residual is None
    assert [pick.evaluation_status for pick in found.picks] == ["final", "preliminary", None]
    assert [pick.waveform_id.id for pick in found.picks] == ["BW.UH1..SHZ", "BW.UH2.00.HHN", "BW.UH3.."]
    assert found.picks[0].comments[0].text.startswith("probability=0.900 snr=8 coverage=1.000")


@pytest.mark.parametrize(
    ("status", "event_type", "evaluation"),
    [
        (EventStatus.NEW, "earthquake", "preliminary"),
        (EventStatus.UPDATE, "earthquake", "preliminary"),
        (EventStatus.FINAL, "earthquake", "final"),
        (EventStatus.MERGE, "not existing", "rejected"),
        (EventStatus.RETRACT, "not existing", "rejected"),
    ],
)
def test_each_status_has_its_words(status: EventStatus, event_type: str, evaluation: str) -> None:
    document = encode_events([dataclasses.replace(EVENT, status=status, merged_into="e0")], PICKS)
    assert_valid(document)
    (found,) = read_back(document)
    assert found.event_type == event_type
    assert found.origins[0].evaluation_status == evaluation
    comments = [comment.text for comment in found.comments]
    expected = {
        EventStatus.MERGE: ["merged into smi:local/rtpick/event/e0"],
        EventStatus.RETRACT: ["retracted"],
    }
    assert comments == expected.get(status, [])


def test_distinct_ids_stay_distinct() -> None:
    documents = [
        read_back(encode_events([dataclasses.replace(EVENT, event_id=name)], {}))[0].resource_id.id
        for name in ("a/b", "a b", "a:b", "a_b", "a(2f)b")
    ]
    assert len(set(documents)) == 5


def test_one_file_a_revision(tmp_path: Path) -> None:
    folder = QuakeMLDirectory(tmp_path)
    folder.write(EVENT, PICKS.values())
    folder.write(dataclasses.replace(EVENT, revision=4, status=EventStatus.FINAL), PICKS.values())
    folder.write(EVENT, PICKS.values())
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.xml"))
    assert found == ["2010/e1/0003-update.xml", "2010/e1/0004-final.xml"]
    assert obspy.read_events(tmp_path / found[0])[0] == build_event(EVENT, PICKS)


def test_an_event_id_never_leaves_the_folder(tmp_path: Path) -> None:
    path = QuakeMLDirectory(tmp_path).write(dataclasses.replace(EVENT, event_id="../../x"), [])
    assert path.resolve().is_relative_to(tmp_path.resolve())
    path = QuakeMLDirectory(tmp_path).write(dataclasses.replace(EVENT, event_id=".."), [])
    assert path.resolve().is_relative_to(tmp_path.resolve() / "2010")


def test_a_whole_catalogue(tmp_path: Path) -> None:
    others = [dataclasses.replace(EVENT, event_id=f"e{n}", arrivals=ARRIVALS[:1]) for n in range(5)]
    write_catalogue(tmp_path / "events.xml", others, PICKS.values())
    document = (tmp_path / "events.xml").read_bytes()
    assert_valid(document)
    found = obspy.read_events(tmp_path / "events.xml")
    assert [event.resource_id.id for event in found] == [f"smi:local/rtpick/event/e{n}" for n in range(5)]


def test_the_ellipse_turns_with_the_covariance() -> None:
    azimuth = np.radians(30.0)
    major = np.array([np.sin(azimuth), np.cos(azimuth)])
    minor = np.array([major[1], -major[0]])
    matrix = np.zeros((3, 3))
    matrix[:2, :2] = 9.0 * np.outer(major, major) + 4.0 * np.outer(minor, minor)
    assert horizontal_ellipse(tuple(matrix.ravel())) == pytest.approx((3.0, 2.0, 30.0))
