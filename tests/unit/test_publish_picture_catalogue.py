"""The picture of a catalogue is drawn whatever the events lack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtpick.publish.picture_catalogue import plot_catalogue
from rtpick.publish.picture_moveout import suit_velocity
from rtpick.publish.picture_scores import Bar, plot_scores
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude, Origin
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.time import to_ns

NAN = float("nan")


def make_event(number: int, count: int = 8, **changes: object) -> Event:
    rng = np.random.default_rng(number)
    arrivals = tuple(
        Arrival(f"{number}-{n}", f"XX.A{n}", "PS"[n % 2], to_ns(1e9 + 100 * number + 5 + n),
                rng.normal(0, 0.1), 0.05 * (n + 1), 40.0 * n)
        for n in range(count)
    )  # fmt: skip
    origin = Origin(to_ns(1e9 + number * 100), 45.0 + 0.05 * number, 7.0, 5.0 + number, 0.1, 0.8, 1.5, False,
                    0.1, 90.0, 0.1, (1.0, 0.3, 0.0, 0.3, 0.5, 0.0, 0.0, 0.0, 2.0))  # fmt: skip
    return Event(f"e{number}", 0, EventStatus.FINAL, replace(origin, **changes), arrivals)


def make_inventory() -> Inventory:
    codes = [StationId("XX", f"A{n}") for n in range(10)]
    return Inventory({code: Station(code, 45.0 + 0.03 * n, 7.0 - 0.02 * n) for n, code in enumerate(codes)})


def size_of(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def test_draws_events_with_and_without_magnitude(tmp_path: Path) -> None:
    events = [make_event(n) for n in range(5)]
    events[1] = replace(events[1], magnitude=Magnitude(1.4, "ML", 0.2, 5))
    events[2] = replace(events[2], magnitude=Magnitude(0.9, "Mpgv", NAN, 1))
    plot_catalogue(
        tmp_path / "a.png", events, make_inventory(), predict_s=lambda event: lambda phase, km: km / 6.0
    )
    assert size_of(tmp_path / "a.png") == (1960, 1400)


@pytest.mark.parametrize(
    "changes",
    [
        {"covariance_km2": ()},
        {"covariance_km2": (NAN,) * 9, "depth_uncertainty_km": NAN, "depth_fixed": True},
        {"depth_km": 0.0},
    ],
)
def test_draws_a_single_event_that_knows_little(tmp_path: Path, changes: dict[str, object]) -> None:
    plot_catalogue(tmp_path / "b.png", [make_event(1, 4, **changes)], make_inventory())
    assert size_of(tmp_path / "b.png") == (1960, 1400)


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no event"):
        plot_catalogue(tmp_path / "c.png", [], make_inventory())


def test_the_reduction_suits_p() -> None:
    slow = make_event(1)
    assert suit_velocity(replace(slow, arrivals=slow.arrivals[:1])) == 6.0
    flat = tuple(
        replace(a, phase="P", time_ns=slow.origin.time_ns + to_ns(a.distance_deg * 111.195 / 7.0))
        for a in slow.arrivals
    )
    assert suit_velocity(replace(slow, arrivals=flat)) == 7.0


def test_scores_are_drawn_though_some_are_unknown(tmp_path: Path) -> None:
    bars = [Bar("quiet", "one", 0.99, 0.98, 0.0, 3000.0), Bar("quiet", "other", 0.9, 0.91, 0.2, 100.0),
            Bar("noise", "one", NAN, NAN, 0.3, 4000.0)]  # fmt: skip
    plot_scores(tmp_path / "d.png", bars)
    assert size_of(tmp_path / "d.png")[0] > 1000
