"""Small synthetic pick lists with truth: enough to try an associator without any other data.

Stations spread over a square, earthquakes under it with magnitudes of Gutenberg and Richter, detection by a
ground-motion relation against each station's noise, reading errors, false picks, telemetry that lags.

Arrays: E event, S station.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.traveltime import TravelTimes, build_travel_times
from rtpick.association.velocity import FloatArray, VelocityModel
from rtpick.vocabulary.errors import PickTableError

EPOCH_S = 1_760_000_000.0
KM_PER_DEG = 111.195
NODES = (
    (0.0, 5.0, 2.87),
    (3.0, 5.8, 3.35),
    (15.0, 6.2, 3.57),
    (30.0, 6.9, 3.93),
    (30.0, 7.9, 4.45),
    (60.0, 8.1, 4.55),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of network and seismicity; distances in km, rates an hour."""

    hours: float
    station_count: int
    half_km: float
    events_per_hour: float
    source_km: float
    smallest_magnitude: float
    false_per_station_hour: float
    deepest_km: float = 15.0
    reading_s: float = 0.06
    static_s: float = 0.08


PLANS = {
    "calm": Plan(6.0, 30, 120.0, 3.0, 100.0, 1.2, 6.0),
    "swarm": Plan(1.0, 50, 60.0, 90.0, 8.0, 0.6, 12.0),
    "hush": Plan(2.0, 40, 120.0, 0.0, 100.0, 1.0, 60.0),
}


def write_scenario(folder: Path, name: str, seed: int) -> Path:
    """Draw a scenario of `PLANS` and write its tables into a folder, which is returned.

    Raises
    ------
    PickTableError
        If there is no such plan.
    """
    if name not in PLANS:
        raise PickTableError(
            f"no scenario {name}; there are {', '.join(PLANS)}, or name a folder of scenarios"
        )
    plan, draw = PLANS[name], np.random.default_rng([seed, len(name)])
    folder.mkdir(parents=True, exist_ok=True)
    times = build_travel_times(_model(), plan.deepest_km + 5.0, 4.5 * plan.half_km)
    stations, events = _draw_stations(plan, draw), _draw_events(plan, draw)
    picks = _draw_picks(plan, times, stations, events, draw)
    _write(folder, picks, _with_counts(events, picks), stations)
    config = asdict(plan) | {"scenario": name, "seed": seed, "dt_match": 2.0, "dist_match": 15.0}
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
    return folder


def _model() -> VelocityModel:
    nodes = np.array(NODES)
    return VelocityModel(nodes[:, 0], nodes[:, 1], nodes[:, 2], "synthetic crust")


def _draw_stations(plan: Plan, draw: np.random.Generator) -> pd.DataFrame:
    north, east = (draw.uniform(-plan.half_km, plan.half_km, plan.station_count) for _ in range(2))
    latitude, longitude = _degrees(north, east)
    return pd.DataFrame({
        "id": [f"XX.G{n:03d}" for n in range(plan.station_count)],
        "latitude": latitude, "longitude": longitude,
        "elevation_m": draw.uniform(0, 1500, plan.station_count),
    })  # fmt: skip


def _draw_events(plan: Plan, draw: np.random.Generator) -> pd.DataFrame:
    count = draw.poisson(plan.events_per_hour * plan.hours)
    north, east = (draw.uniform(-plan.source_km, plan.source_km, count) for _ in range(2))
    latitude, longitude = _degrees(north, east)
    magnitude = plan.smallest_magnitude + draw.exponential(1 / np.log(10.0), count)
    return pd.DataFrame({
        "id": np.arange(count), "epoch": EPOCH_S + np.sort(draw.uniform(0, 3600 * plan.hours, count)),
        "latitude": latitude, "longitude": longitude, "depth_km": draw.uniform(2, plan.deepest_km, count),
        "magnitude": np.minimum(magnitude, 5.0),
    })  # fmt: skip


def _degrees(north_km: FloatArray, east_km: FloatArray) -> tuple[FloatArray, FloatArray]:
    latitude = 43.0 + north_km / KM_PER_DEG
    return latitude, 12.0 + east_km / KM_PER_DEG / np.cos(np.radians(latitude))


def _draw_picks(plan: Plan, times: TravelTimes, stations: pd.DataFrame, events: pd.DataFrame,
                draw: np.random.Generator) -> pd.DataFrame:  # fmt: skip
    """Draw what every station picks of every event, and false picks, in order of arrival."""
    noise_S = draw.normal(-6.5, 0.3, len(stations))
    static_S = draw.normal(0, plan.static_s, len(stations))
    far_ES = _distances_km(stations, events)
    tables = [
        _event_picks(plan, times, phase, stations, events, far_ES, noise_S, static_S, draw) for phase in "PS"
    ]
    tables.append(_false_picks(plan, len(stations), noise_S, draw))
    picks = pd.concat(tables, ignore_index=True)
    lag_S = draw.lognormal(np.log(1.5), 0.4, len(stations))
    picks["available_at"] = picks.epoch + 2.0 + lag_S[picks.s] * draw.lognormal(0.0, 0.25, len(picks))
    picks["station"] = stations.id.to_numpy()[picks.s]
    picks = picks.sort_values("available_at", kind="stable").reset_index(drop=True)
    return picks.assign(pick_id=np.arange(len(picks)))


def _distances_km(stations: pd.DataFrame, events: pd.DataFrame) -> FloatArray:
    places = [unit_vectors(geocentric_rad(t.latitude.to_numpy()), np.radians(t.longitude.to_numpy()))
              for t in (events, stations)]  # fmt: skip
    return arc_km(places[0][:, None, :], places[1][None, :, :])


def _event_picks(plan: Plan, times: TravelTimes, phase: str, stations: pd.DataFrame, events: pd.DataFrame,
                 far_ES: FloatArray, noise_S: FloatArray, static_S: FloatArray,
                 draw: np.random.Generator) -> pd.DataFrame:  # fmt: skip
    depth_E = events.depth_km.to_numpy()
    reach_ES = np.hypot(far_ES, depth_E[:, None])
    level_ES = _log_motion(events.magnitude.to_numpy()[:, None], reach_ES) + draw.normal(0, 0.2, far_ES.shape)
    level_ES -= 0.5 * (phase == "P")
    clear_ES = level_ES - noise_S - 0.35 * (phase == "S")
    odds_ES = 1 / (1 + np.exp(-(clear_ES - 0.35) / 0.15))
    e, s = np.nonzero(draw.random(far_ES.shape) < odds_ES * (0.8 if phase == "S" else 0.95))
    height_km = stations.elevation_m.to_numpy()[s] / 1000.0
    travel_s, _, _ = times.look_up(phase, far_ES[e, s], depth_E[e], height_km)
    late_s = draw.standard_t(4, len(e)) * plan.reading_s * (2.0 if phase == "S" else 1.0) + static_S[s]
    return pd.DataFrame({
        "epoch": events.epoch.to_numpy()[e] + travel_s + late_s, "s": s, "phase": phase,
        "score": 0.3 + 0.68 * draw.beta(1.2 + 3 * np.clip(clear_ES[e, s], 0, 2), 1.8),
        "amplitude": 10 ** level_ES[e, s], "event_id": events.id.to_numpy()[e], "kind": "event",
    })  # fmt: skip


def _log_motion(magnitude: FloatArray, reach_km: FloatArray) -> FloatArray:
    """Log of peak velocity (m/s), which falls with distance by spreading and by absorption."""
    return np.asarray(magnitude - 4.55 - 1.55 * np.log10(np.maximum(reach_km, 1.0)) - 0.0018 * reach_km)


def _false_picks(
    plan: Plan, station_count: int, noise_S: FloatArray, draw: np.random.Generator
) -> pd.DataFrame:
    rate = plan.false_per_station_hour * draw.gamma(1.25, 0.8, station_count)
    s = np.repeat(np.arange(station_count), draw.poisson(rate * plan.hours))
    return pd.DataFrame({
        "epoch": EPOCH_S + draw.uniform(0, 3600 * plan.hours, len(s)), "s": s,
        "phase": np.where(draw.random(len(s)) < 0.6, "P", "S"),
        "score": 0.3 + 0.68 * draw.beta(1.2, 4.0, len(s)),
        "amplitude": 10 ** (noise_S[s] + np.abs(draw.normal(0.3, 0.25, len(s)))),
        "event_id": -1, "kind": "noise",
    })  # fmt: skip


def _with_counts(events: pd.DataFrame, picks: pd.DataFrame) -> pd.DataFrame:
    """Count each event's picks; 8 of them, 4 P and 2 S, make it one that must be found."""
    count = {phase: events.id.map(picks[picks.phase == phase].groupby("event_id").size()).fillna(0)
             for phase in "PS"}  # fmt: skip
    total = (count["P"] + count["S"]).astype(int)
    required = (total >= 8) & (count["P"] >= 4) & (count["S"] >= 2)
    kind = np.where(required, "required", np.where(total >= 4, "optional", "sub"))
    arrived = picks[picks.event_id >= 0].groupby("event_id").available_at
    fourth = arrived.apply(lambda a: float(np.sort(a.to_numpy())[3]) if len(a) > 3 else np.nan)
    return events.assign(n_picks=total, **{"class": kind}, t4_available=events.id.map(fourth))


def _write(folder: Path, picks: pd.DataFrame, events: pd.DataFrame, stations: pd.DataFrame) -> None:
    shown = ["pick_id", "epoch", "station", "phase", "score", "amplitude", "available_at"]
    picks[shown].to_csv(folder / "picks.csv", index=False, float_format="%.6f")
    picks[["pick_id", "event_id", "kind"]].to_csv(folder / "truth_picks.csv", index=False)
    events.to_csv(folder / "truth_events.csv", index=False, float_format="%.6f")
    stations.to_csv(folder / "stations.csv", index=False)
    pd.DataFrame(NODES, columns=["depth_km", "vp", "vs"]).to_csv(folder / "velocity.csv", index=False)
