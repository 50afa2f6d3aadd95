"""Reading velocity models and tracing them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from obspy.taup import TauPyModel

from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import VelocityModel, iasp91, read_velocity_model
from rtpick.vocabulary.errors import VelocityModelError

DEG_KM = 6371.0 * np.pi / 180


@pytest.fixture(scope="module")
def times() -> TravelTimes:
    return build_travel_times(iasp91(), 60.0, 400.0)


def uniform(vp: float = 6.0, vs: float = 3.5) -> VelocityModel:
    return VelocityModel(np.array([0.0, 5.0]), np.array([vp, vp]), np.array([vs, vs]))


def test_reads_a_table_with_a_step(tmp_path: Path) -> None:
    path = tmp_path / "model.csv"
    path.write_text("depth_km,vp,vs\n0,5,3\n10,6,3.4\n10,7,4\n")
    vp, vs = read_velocity_model(path).sample(np.array([5.0, 9.999999, 10.001, 50.0]))
    np.testing.assert_allclose(vp, [5.5, 6.0, 7.0, 7.0], atol=1e-5)
    np.testing.assert_allclose(vs, [3.2, 3.4, 4.0, 4.0], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("depth_km,vp\n0,5\n", "line 2"),
        ("depth_km,vp,vs\n0,5,x\n", "line 2"),
        ("depth_km,vp,vs\n0,5,3\n10,6,3.5\n5,6,3.5\n", "node 3"),
        ("depth_km,vp,vs\n0,5,3\n10,3,3.5\n", "node 2"),
        ("depth_km,vp,vs\n1,5,3\n", "first depth"),
        ("depth_km,vp,vs\n", "first depth"),
        ("depth_km,vp,vs\n0,nan,3\n", "finite"),
    ],
)
def test_says_what_is_wrong_with_a_model(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "model.csv"
    path.write_text(text)
    with pytest.raises(VelocityModelError, match=complaint):
        read_velocity_model(path)


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(VelocityModelError, match=r"none\.csv"):
        read_velocity_model(tmp_path / "none.csv")


@pytest.mark.parametrize(("depth_km", "distance_km"), [(0, 400), (800, 400), (40, 4000)])
def test_refuses_ranges_that_no_table_serves(depth_km: float, distance_km: float) -> None:
    with pytest.raises(VelocityModelError, match="out of range"):
        build_travel_times(iasp91(), depth_km, distance_km)


@pytest.mark.parametrize("depth_km", [0.1, 5.0, 10.0, 18.0, 30.0, 50.0])
def test_agrees_with_taup(times: TravelTimes, depth_km: float) -> None:
    taup = TauPyModel("iasp91")
    for distance_km in (1.0, 20.0, 75.0, 150.0, 220.0, 300.0):
        for phase, names in (("P", ["p", "P", "Pn", "Pg"]), ("S", ["s", "S", "Sn", "Sg"])):
            expected_s = taup.get_travel_times(depth_km, distance_km / DEG_KM, names)[0].time
            assert float(times.look_up(phase, distance_km, depth_km)[0]) == pytest.approx(
                expected_s, abs=0.02
            )


def test_a_straight_ray_in_a_uniform_earth() -> None:
    times = build_travel_times(uniform(), 5.0, 10.0)
    distance_km, depth_km = np.array([0.0, 3.0, 8.0]), np.array([4.0, 4.0, 2.0])
    expected_s = np.hypot(distance_km, depth_km) / 6.0
    np.testing.assert_allclose(times.look_up("P", distance_km, depth_km)[0], expected_s, atol=2e-3)


def test_slopes_are_those_of_the_times(times: TravelTimes) -> None:
    for phase in "PS":
        base, along, down = times.look_up(phase, 83.2, 12.6)
        assert times.look_up(phase, 83.21, 12.6)[0] - base == pytest.approx(0.01 * along, rel=1e-6)
        assert times.look_up(phase, 83.2, 12.61)[0] - base == pytest.approx(0.01 * down, rel=1e-6)


def test_elevation_costs_the_vertical_part_of_the_ray(times: TravelTimes) -> None:
    above_s = times.look_up("P", 0.0, 10.0, 2.0)[0] - times.look_up("P", 0.0, 10.0)[0]
    assert float(above_s) == pytest.approx(2.0 / 5.8, rel=1e-3)
    aside_s = times.look_up("P", 100.0, 10.0, 2.0)[0] - times.look_up("P", 100.0, 10.0)[0]
    assert 0 < aside_s < above_s


def test_the_edge_stands_for_what_is_outside(times: TravelTimes) -> None:
    assert times.look_up("S", 900.0, 10.0)[0] == pytest.approx(times.look_up("S", 400.0, 10.0)[0], abs=0.01)
    assert times.look_up("S", 50.0, -3.0)[0] == pytest.approx(times.look_up("S", 50.0, 0.0)[0])
