"""What becomes of picks: each rule of founding, growing, dividing and withdrawing events by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rtpick.association.associate import AssociatorState, finish, new_state, step
from rtpick.association.loudness import fall_off
from rtpick.association.rally import rally
from rtpick.association.signal import Hypothesis, pool_of, read_signal
from rtpick.association.sites import plane_km_of, prepare_travel_times
from rtpick.association.sphere import arc_km, geocentric_rad, unit_vectors
from rtpick.association.suppose import explain
from rtpick.association.view import View, first_view
from rtpick.association.warm import warm_up
from rtpick.association.world import World
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import InventoryError
from rtpick.vocabulary.event import Event, EventStatus
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import NS_PER_S, to_ns

SETTINGS = AssociationSettings(settle_s=60.0)
START_NS = 1_700_000_000 * NS_PER_S
LONG_AGO_NS = START_NS - 10_000 * NS_PER_S


class Scene:
    """Twenty-five stations on a square, 15 km apart, and the waves that cross it."""

    def __init__(self) -> None:
        codes = [StationId("XX", f"B{n:02d}") for n in range(25)]
        places = [(45.0 + 0.135 * (n // 5), 7.0 + 0.19 * (n % 5)) for n in range(25)]
        self.codes = codes
        self.inventory = Inventory({c: Station(c, *p) for c, p in zip(codes, places, strict=True)})
        self.times = prepare_travel_times(SETTINGS, self.inventory)
        self.start = new_state(SETTINGS, self.inventory, self.times)
        lat, lon = np.array(places).T
        self.unit = unit_vectors(geocentric_rad(lat), np.radians(lon))
        self.plane_km = plane_km_of(self.start.world.sites)

    def event(self, name: str, at: tuple[float, float, float, float], phases: str = "PS",
              farthest_km: float = 70.0, seed: int = 0) -> list[Pick]:  # fmt: skip
        """Picks of an event at latitude, longitude, depth and time, at all stations that near."""
        rng = np.random.default_rng(seed)
        latitude, longitude, depth_km, origin_s = at
        place = unit_vectors(geocentric_rad(latitude), np.radians(longitude))
        picks = []
        for n, distance_km in enumerate(arc_km(self.unit, place).tolist()):
            for phase in phases:
                travel_s = float(self.times.look_up(phase, distance_km, depth_km)[0]) + rng.normal(0, 0.05)
                if distance_km <= farthest_km:
                    picks.append(self.pick(f"{name}-{phase}{n:02d}", n, phase, origin_s + travel_s))
        return picks

    def front(self, name: str, time_s: float, east: float, north: float, seed: int = 0) -> list[Pick]:
        """P picks of a plane wave with the given slowness (s/km)."""
        rng = np.random.default_rng(seed)
        late_s = self.plane_km @ (east, north) + time_s + rng.normal(0, 0.2, 25)
        return [self.pick(f"{name}-P{n:02d}", n, "P", float(t)) for n, t in enumerate(late_s)]

    def distance_km(self, pick: Pick, at: tuple[float, float, float, float]) -> float:
        """Distance of a pick's station from a hypocentre."""
        place = unit_vectors(geocentric_rad(at[0]), np.radians(at[1]))
        return float(np.hypot(arc_km(self.unit, place)[int(pick.channel.station[1:])], at[2]))

    def muddle(self) -> tuple[World, View, Hypothesis, set[str]]:
        """An event that holds six picks of a true one as if it lay elsewhere; the others are loose."""
        world, picks = self.start.world, in_order(self.event("a", HERE, farthest_km=45.0))
        signals = [s for p in picks if (s := read_signal(p, world.sites)) is not None]
        some, rest = signals[::4], [s for n, s in enumerate(signals) if n % 4]
        view = replace(first_view(world, signals[0].time_s), now_s=signals[-1].time_s, loose=pool_of(rest))
        pool = pool_of(some)
        start = np.array([np.radians(45.0), np.radians(7.0), 30.0, signals[0].time_s - 20.0])
        roles = np.array([s.role for s in some])
        wrong = explain(
            world, view.background.beliefs, "wrong", pool, roles, start, view.now_s, stays=True
        )
        assert wrong is not None
        return world, view, replace(wrong, log_odds=12.0), {s.pick_id for s in signals}

    def pick(self, name: str, station: int, phase: str, time_s: float, probability: float = 0.8) -> Pick:
        channel = ChannelId("XX", self.codes[station].station, "", "HHZ")
        nan = float("nan")
        return Pick(name, channel, phase, START_NS + to_ns(time_s), probability, 0.1, nan, nan, 1.0, "test")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def in_order(picks: Iterable[Pick]) -> list[Pick]:
    return sorted(picks, key=lambda p: (p.time_ns, p.pick_id))


def run(state: AssociatorState, picks: Iterable[Pick]) -> list[Event]:
    """Publications when picks come one by one."""
    out: list[Event] = []
    for pick in picks:
        state, events = step(state, [pick], LONG_AGO_NS)
        out += events
    return out + finish(state)[1]


def final(events: Sequence[Event]) -> list[Event]:
    return [e for e in events if e.status is EventStatus.FINAL]


def owners(event: Event) -> set[str]:
    return {a.pick_id.split("-")[0] for a in event.arrivals}


def louder(pick: Pick, loudness: float) -> Pick:
    return replace(pick, amplitude=10.0**loudness, amplitude_unit="m/s")


def sure_of(scene: Scene, picks: Iterable[Pick]) -> float:
    """Log-odds of the event that picks make up."""
    state = scene.start
    for pick in in_order(picks):
        state, _ = step(state, [pick], LONG_AGO_NS)
    return max((h.log_odds for h in state.history.events), default=0.0)


HERE = (45.2, 7.35, 10.0, 20.0)


def test_an_event_is_found_with_all_its_picks(scene: Scene) -> None:
    picks = scene.event("a", HERE)
    (event,) = final(run(scene.start, in_order(picks)))
    assert event.pick_ids == {p.pick_id for p in picks}
    assert event.origin.time_ns == pytest.approx(START_NS + to_ns(20.0), abs=to_ns(0.3))
    assert event.origin.latitude_deg == pytest.approx(45.2, abs=0.01)
    assert event.origin.depth_km == pytest.approx(10.0, abs=2.0)
    assert event.origin.rms_s < 0.15
    assert event.origin.azimuthal_gap_deg < 90.0


def test_the_first_publication_waits_for_few_picks(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))
    _, events = step(scene.start, picks[:6], LONG_AGO_NS)
    assert [e.status for e in events][:1] == [EventStatus.NEW]
    assert step(scene.start, picks[:4], LONG_AGO_NS)[1] == []


def test_two_events_at_almost_the_same_time_stay_two(scene: Scene) -> None:
    there = (45.5, 7.7, 8.0, 21.0)
    picks = in_order(scene.event("a", HERE, farthest_km=45) + scene.event("b", there, farthest_km=45, seed=1))
    events = final(run(scene.start, picks))
    assert sorted(max(owners(e)) for e in events) == ["a", "b"]
    assert all(len(owners(e)) == 1 for e in events)


def test_the_same_place_seconds_later_is_another_event(scene: Scene) -> None:
    again = (*HERE[:3], HERE[3] + 4.0)
    picks = in_order(scene.event("a", HERE) + scene.event("b", again, seed=1))
    events = final(run(scene.start, picks))
    assert [owners(e) for e in events] == [{"a"}, {"b"}]


def test_stray_picks_make_no_event(scene: Scene) -> None:
    rng = np.random.default_rng(3)
    strays = [
        scene.pick(f"n-{n}", int(rng.integers(25)), "PS"[rng.integers(2)], float(rng.uniform(0, 1200)), 0.4)
        for n in range(250)
    ]
    assert final(run(scene.start, in_order(strays))) == []


def test_five_picks_are_an_event_only_where_live_neighbours_saw_it(scene: Scene) -> None:
    """Silence of stations that are known to be alive speaks against an event."""
    sparse = [
        p for p in scene.event("a", (*HERE[:3], 900.0), "P") if int(p.pick_id[-2:]) in {0, 4, 12, 20, 24}
    ]
    nobody_heard = run(scene.start, in_order(sparse))
    alive = [scene.pick(f"n-{n}-{k}", n, "P", 37.0 * n + k * 13.7) for n in range(25) for k in range(2)]
    everybody_alive = run(scene.start, in_order([p for p in alive if p.time_ns < sparse[0].time_ns] + sparse))
    assert len(final(nobody_heard)) == 1
    assert final(everybody_alive) == []


def test_a_plane_wave_is_no_event(scene: Scene) -> None:
    published = run(scene.start, in_order(scene.front("t", 30.0, 0.05, 0.03)))
    assert final(published) == []


def test_a_plane_wave_is_not_told_while_it_crosses(scene: Scene) -> None:
    told = [
        event
        for seed in range(4)
        for event in run(scene.start, in_order(scene.front("t", 30.0, 0.04, -0.05, seed)))
    ]
    assert told == []


def test_amplitudes_that_rise_with_distance_speak_against_an_event(scene: Scene) -> None:
    """Times alone would do for these picks; how loud they are decides."""
    sparse = [p for p in scene.event("a", HERE, "P") if int(p.pick_id[-2:]) in {6, 7, 11, 12, 23}]
    falling = [louder(p, -6.0 - fall_off(scene.distance_km(p, HERE))) for p in sparse]
    rising = [louder(p, -10.0 + fall_off(scene.distance_km(p, HERE))) for p in sparse]
    (with_amplitudes,) = final(run(scene.start, in_order(falling)))
    assert len(with_amplitudes.arrivals) == 5
    (without,) = final(run(scene.start, in_order(sparse)))
    assert len(without.arrivals) == 5
    assert sure_of(scene, rising) < sure_of(scene, sparse) < sure_of(scene, falling)


def test_a_loud_event_does_not_take_a_faint_ones_pick(scene: Scene) -> None:
    """Where two events predict a pick at the same time, its amplitude tells whose it is."""
    loud = [louder(p, -2.0 - fall_off(scene.distance_km(p, HERE))) for p in scene.event("a", HERE)]
    stray = louder(replace(loud[6], pick_id="n-0", time_ns=loud[6].time_ns - to_ns(0.02)), -7.5)
    rest = [p for p in loud if p is not loud[6]]
    (event,) = final(run(scene.start, in_order([*rest, stray, loud[6]])))
    names = {a.pick_id for a in event.arrivals}
    assert loud[6].pick_id in names
    assert "n-0" not in names


def test_a_wrong_event_gives_way_to_the_true_one(scene: Scene) -> None:
    """Half of an event's picks held by a wrong one, the rest loose: founding it anew finds all."""
    world, view, wrong, true = scene.muddle()
    better = rally(world, replace(view, open=(wrong,)), wrong)
    assert better is not None
    (event,) = (h for h in better.open if h.pick_ids >= true)
    assert event.log_odds > wrong.log_odds + 10.0
    held = [s for h in better.open for s in h.pool.signals] + list(better.loose.signals)
    assert len(held) == len(set(held)) == len(view.loose.signals) + len(wrong.pool)


def test_a_late_pick_improves_an_event_that_has_ended(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))
    late, rest = picks[6], [p for p in picks if p is not picks[6]]
    much_later = scene.pick("n-0", 3, "P", 400.0)
    state, before = step(scene.start, [*rest, much_later], LONG_AGO_NS)
    assert state.history.ended
    assert not state.history.live.open
    state, after = step(state, [late, scene.pick("n-1", 9, "P", 450.0)], LONG_AGO_NS)
    assert late.pick_id not in before[-1].pick_ids
    assert [(e.event_id, e.status) for e in after] == [(before[-1].event_id, EventStatus.UPDATE)]
    assert late.pick_id in after[0].pick_ids
    (event,) = final(finish(state)[1])
    assert event.pick_ids == {p.pick_id for p in picks}


def test_a_pick_of_an_ended_event_can_be_withdrawn(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))
    state, _ = step(scene.start, [*picks, scene.pick("n-0", 3, "P", 400.0)], LONG_AGO_NS)
    gone = replace(picks[3], status=PickStatus.WITHDRAWN, revision=1)
    state, events = step(state, [gone, scene.pick("n-1", 9, "P", 450.0)], LONG_AGO_NS)
    assert gone.pick_id not in events[-1].pick_ids
    (event,) = final(finish(state)[1])
    assert event.pick_ids == {p.pick_id for p in picks} - {gone.pick_id}


def test_picks_of_two_events_taken_for_one_are_divided(scene: Scene) -> None:
    """The first stations cannot tell two nearby events apart; the others can."""
    there = (45.27, 7.45, 9.0, 21.2)
    one, two = scene.event("a", HERE, farthest_km=60), scene.event("b", there, farthest_km=60, seed=2)
    middle = {6, 7, 8, 11, 12, 13}
    both = in_order(one + two)
    early = [p for p in both if int(p.pick_id[-2:]) in middle]
    published = run(scene.start, [*early, *(p for p in both if p not in early)])
    counts = [Counter(a.pick_id[0] for a in e.arrivals) for e in final(published)]
    assert sorted(count.most_common(1)[0][0] for count in counts) == ["a", "b"]
    assert all(count.most_common(1)[0][1] >= 0.85 * count.total() for count in counts)
    for name in {e.event_id for e in published}:
        end = next(e.status for e in reversed(published) if e.event_id == name)
        assert end in {EventStatus.FINAL, EventStatus.MERGE, EventStatus.RETRACT}


def test_an_event_within_a_plane_wave_is_found(scene: Scene) -> None:
    picks = in_order(scene.front("t", 22.0, 0.05, 0.03) + scene.event("a", HERE))
    (event,) = final(run(scene.start, picks))
    assert sum(a.pick_id.startswith("a") for a in event.arrivals) >= 0.9 * len(event.arrivals)
    assert event.origin.latitude_deg == pytest.approx(45.2, abs=0.02)


def test_a_pick_with_the_other_phase_name_is_still_used(scene: Scene) -> None:
    picks = [replace(p, phase_hint="S") if p.pick_id == "a-P07" else p for p in scene.event("a", HERE)]
    (event,) = final(run(scene.start, in_order(picks)))
    assert next(a.phase for a in event.arrivals if a.pick_id == "a-P07") == "P"


def test_an_outlier_is_left_out(scene: Scene) -> None:
    picks = [
        replace(p, time_ns=p.time_ns + to_ns(2.5)) if p.pick_id == "a-P07" else p
        for p in scene.event("a", HERE)
    ]
    (event,) = final(run(scene.start, in_order(picks)))
    assert event.pick_ids == {p.pick_id for p in picks} - {"a-P07"}


def test_a_withdrawn_pick_leaves_its_event(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))
    gone = replace(picks[3], status=PickStatus.WITHDRAWN, revision=1)
    (event,) = final(run(scene.start, [*picks, gone]))
    assert event.pick_ids == {p.pick_id for p in picks} - {gone.pick_id}


def test_an_event_without_its_picks_is_retracted(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))[:8]
    gone = [replace(p, status=PickStatus.WITHDRAWN, revision=1) for p in picks[:6]]
    published = run(scene.start, [*picks, *gone])
    assert published[0].status is EventStatus.NEW
    assert published[-1].status is EventStatus.RETRACT
    assert published[-1].event_id == published[0].event_id
    assert final(published) == []


def test_a_name_is_not_used_again(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))[:8]
    gone = [replace(p, status=PickStatus.WITHDRAWN, revision=1) for p in picks]
    back = [replace(p, revision=2) for p in picks]
    published = run(scene.start, [*picks, *gone, *back])
    first, last = published[0], final(published)[0]
    assert last.event_id != first.event_id
    assert [e.status for e in published if e.event_id == first.event_id][-1] is EventStatus.RETRACT


def test_a_fragment_merges_into_the_event(scene: Scene) -> None:
    """Picks that found an event of their own in the wrong place are merged when the rest comes."""
    picks = in_order(scene.event("a", HERE))
    late = [p for p in picks if int(p.pick_id[-2:]) < 15]
    early = [p for p in picks if p not in late]
    published = run(scene.start, [*early, *late])
    (event,) = final(published)
    assert event.pick_ids == {p.pick_id for p in picks}
    for lost in {e.event_id for e in published} - {event.event_id}:
        end = [e for e in published if e.event_id == lost][-1]
        assert end.status is EventStatus.MERGE
        assert end.merged_into == event.event_id


def test_revisions_count_up_and_end_with_final(scene: Scene) -> None:
    published = run(scene.start, in_order(scene.event("a", HERE)))
    assert [e.revision for e in published] == list(range(len(published)))
    assert published[-1].status is EventStatus.FINAL
    assert len({e.event_id for e in published}) == 1


def test_publications_are_throttled(scene: Scene) -> None:
    eager, lazy = (
        new_state(SETTINGS.model_copy(update={"publish_interval_s": s}), scene.inventory, scene.times)
        for s in (0.0, 1000.0)
    )
    picks = in_order(scene.event("a", HERE))
    assert len(run(lazy, picks)) < len(run(eager, picks))


def test_the_watermark_makes_events_final(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))
    state, events = step(scene.start, picks, START_NS)
    assert final(events) == []
    state, events = step(state, [], START_NS + to_ns(500.0))
    assert len(final(events)) == 1
    assert step(state, [], START_NS + to_ns(600.0))[1] == []
    assert finish(state)[1] == []


def test_what_comes_too_late_or_from_nowhere_is_counted(scene: Scene) -> None:
    picks = in_order(scene.event("a", HERE))
    state, _ = step(scene.start, picks[1:], START_NS + to_ns(500.0))
    nowhere = replace(
        picks[0], pick_id="x", channel=ChannelId("YY", "B", "", "HHZ"), time_ns=START_NS + to_ns(900)
    )
    state, _ = step(state, [picks[0], nowhere], START_NS + to_ns(500.0))
    assert (state.counts.late, state.counts.unknown_station) == (1, 1)


def test_a_bursting_station_does_not_spoil_an_event(scene: Scene) -> None:
    burst = [scene.pick(f"n-{k}", 12, "P", 15.0 + 0.9 * k) for k in range(20)]
    (event,) = final(run(scene.start, in_order(scene.event("a", HERE) + burst)))
    assert len(event.pick_ids & {p.pick_id for p in burst}) <= 1
    assert event.origin.latitude_deg == pytest.approx(45.2, abs=0.01)


def test_unresolved_depth_is_said_to_be_fixed(scene: Scene) -> None:
    far = (45.25, 8.35, 12.0, 20.0)
    (event,) = final(run(scene.start, in_order(scene.event("a", far, "P", farthest_km=200))))
    assert event.origin.depth_fixed == bool(np.isnan(event.origin.depth_uncertainty_km))
    assert event.origin.azimuthal_gap_deg > 180.0


def test_no_station_no_associator(scene: Scene) -> None:
    with pytest.raises(InventoryError, match="no station"):
        new_state(SETTINGS, Inventory({}), scene.times)


def test_warming_up_finds_an_invented_event_and_leaves_no_trace(scene: Scene) -> None:
    warm_up(scene.start)
    assert scene.start.history.live is None
    assert scene.start.ledger.entries == {}
