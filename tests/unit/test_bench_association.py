"""Scoring of associators, and the comparison as a whole."""

from __future__ import annotations

import csv
import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rtpick.associate_picks import Result, write_result
from rtpick.bench.association.catalogue import Found, FoundEvent, Publication
from rtpick.bench.association.command import Wishes, bench_association
from rtpick.bench.association.generate import write_scenario
from rtpick.bench.association.matching import count_shares
from rtpick.bench.association.ours import Prepared, prepare, run_rtpick
from rtpick.bench.association.peer_job import Peer, lay_out, run_peer
from rtpick.bench.association.peers import describe_gamma, describe_pyocto
from rtpick.bench.association.real import read_real, score_real
from rtpick.bench.association.scenario import TrueEvent, Truth, find_scenarios, read_scenario
from rtpick.bench.association.score import Score, pool, score
from rtpick.bench.measurement import Absent
from rtpick.vocabulary.errors import PickTableError, WorkerError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(tmp_path_factory.mktemp("scenarios") / "swarm_3", "swarm", 3)


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Prepared:
    return prepare(read_scenario(folder))


@pytest.fixture(scope="module")
def run(prepared: Prepared) -> tuple[Found, Result]:
    return run_rtpick(prepared)


def spoilt(found: Found, rng: np.random.Generator) -> Found:
    """Cut some events in two, melt some together, take picks away, move some, drop some."""
    events: list[FoundEvent] = []
    for event in found.events:
        fate = rng.integers(6)
        ids = tuple(rng.permutation(event.pick_ids))
        half = len(ids) // 2
        if fate == 0:
            events += [remade(event, ids[:half], "a"), remade(event, ids[half:], "b")]
        elif fate == 1 and events:
            last = events.pop()
            events.append(remade(last, last.pick_ids + ids, "m"))
        elif fate == 2:
            events.append(remade(event, ids[: max(half, 3)], "s", 0.3))
        elif fate != 3:
            events.append(event)
    events.append(remade(found.events[0], ("none", "of", "this"), "x", 3.0))
    return Found("spoilt", "", tuple(events), 1, 1.0, found.publications)


def remade(event: FoundEvent, ids: tuple[str, ...], suffix: str, north_deg: float = 0.0) -> FoundEvent:
    return FoundEvent(event.event_id + suffix, event.epoch_s, event.latitude_deg + north_deg,
                      event.longitude_deg, event.depth_km, ids)  # fmt: skip


def halved(found: Found, truth: Truth) -> bool:
    """Whether two true events own just half of a found one each: the reference leaves it to chance."""
    halves = [share.found for share in count_shares(found.events, truth) if share.of_found == 0.5]
    return len(halves) > len(set(halves))


def write_tables(out: Path, found: Found) -> None:
    out.mkdir()
    events = [
        (e.event_id, repr(e.epoch_s), e.latitude_deg, e.longitude_deg, e.depth_km) for e in found.events
    ]
    columns = ["event_id", "epoch", "latitude", "longitude", "depth_km"]
    pd.DataFrame(events, columns=columns).to_csv(out / "events.csv", index=False)
    pairs = [(e.event_id, pick) for e in found.events for pick in e.pick_ids if pick.isdigit()]
    pairs += [
        (e.event_id, 10**9 + n) for e in found.events for n, p in enumerate(e.pick_ids) if not p.isdigit()
    ]
    pd.DataFrame(pairs, columns=["event_id", "pick_id"]).to_csv(out / "assignments.csv", index=False)
    told = [(p.event_id, repr(p.at_s), p.status) for p in found.publications]
    pd.DataFrame(told, columns=["event_id", "published_at", "status"]).to_csv(
        out / "publications.csv", index=False
    )


def theirs(shared: Path, folder: Path, out: Path) -> dict[str, dict[str, float]]:
    command = [sys.executable, str(shared / "tools" / "score_assoc.py"), str(folder), str(out)]
    subprocess.run([*command, "--json", str(out / "score.json")], check=True, capture_output=True)
    return dict(json.loads((out / "score.json").read_text()))


def assert_equal(ours: Score, other: dict) -> None:
    for rate, name in (
        (ours.events, "event_picks"),
        (ours.events_in_space, "event_space"),
        (ours.picks, "assignment"),
    ):
        for part in ("precision", "recall", "f1"):
            assert getattr(rate, part) == pytest.approx(other[name][part], abs=1e-12), (name, part)
    assert (ours.found, ours.false, ours.splits, ours.merges) == (
        other["n_predicted"], other["false_events"], other["splits"], other["merges"],
    )  # fmt: skip
    for values, name in ((ours.epicentre_km, "epi_km"), (ours.depth_km, "depth_km"), (ours.time_s, "dt_s")):
        np.testing.assert_allclose(
            [np.median(values), np.quantile(values, 0.9)], other[name], rtol=1e-6, atol=1e-6
        )
    stream = other["stream"]
    assert (ours.published, ours.retracted) == (stream["published_ids"], stream["retracted"])
    if len(ours.delay_s):
        assert np.median(ours.delay_s) == pytest.approx(stream["delay_from_4th_pick_s"][0], abs=2e-3)


def test_scores_as_the_reference_does(
    shared: Path, folder: Path, prepared: Prepared, run: tuple[Found, Result], tmp_path: Path
) -> None:
    """The same figures as the published scorer, on our own result and on thirty spoilt ones."""
    found, truth = run[0], prepared.scenario.truth
    rng = np.random.default_rng(5)
    for trial in range(31):
        some = found if trial == 0 else spoilt(found, rng)
        while halved(some, truth):
            some = spoilt(found, rng)
        out = tmp_path / str(trial)
        write_tables(out, some)
        assert_equal(score(some, truth), theirs(shared, folder, out))


def test_what_is_written_scores_the_same(shared: Path, folder: Path, prepared: Prepared,
                                         run: tuple[Found, Result], tmp_path: Path) -> None:  # fmt: skip
    write_result(tmp_path / "out", run[1])
    other = theirs(shared, folder, tmp_path / "out")
    ours = score(run[0], prepared.scenario.truth)
    assert ours.events.f1 == pytest.approx(other["event_picks"]["f1"])
    assert ours.picks.f1 == pytest.approx(other["assignment"]["f1"])


def tiny_truth() -> Truth:
    events = tuple(TrueEvent(n, 100.0 * n, 45.0, 7.0, 5.0, 10, n < 3, 100.0 * n + 5.0) for n in range(4))
    return Truth(events, {f"{n}-{k}": n for n in range(4) for k in range(10)}, 2.0, 2.0, 15.0)


def found_of(name: str, epoch_s: float, ids: list[str], latitude_deg: float = 45.0) -> FoundEvent:
    return FoundEvent(name, epoch_s, latitude_deg, 7.0, 5.0, tuple(ids), (1.0, 0, 0, 0, 4.0, 0, 0, 0, 1.0))


def test_counts_splits_merges_and_fakes_by_hand() -> None:
    first = [f"0-{k}" for k in range(10)]
    melted = [f"1-{k}" for k in range(6)] + [f"2-{k}" for k in range(5)]
    events = (
        found_of("a", 0.1, first[:7]),
        found_of("b", 5.0, first[7:], 46.0),
        found_of("c", 100.0, melted),
        found_of("d", 900.0, ["n1", "n2", "n3"]),
        found_of("e", 300.0, [f"3-{k}" for k in range(10)]),
    )
    told = (Publication("a", 6.0, "new"), Publication("a", 7.0, "update"), Publication("z", 6.0, "new"),
            Publication("z", 7.0, "retract"))  # fmt: skip
    result = score(Found("hand", "", events, 40, 2.0, told), tiny_truth())
    assert (result.splits, result.merges, result.false) == (1, 1, 1)
    assert (result.events.hits, result.events.wrong, result.events.missed) == (1, 3, 2)
    assert result.false_per_hour == 0.5
    assert result.delay_s.tolist() == [1.0]
    assert result.retracted_share == 0.5
    assert result.epicentre_km.tolist() == [0.0]


def test_coverage_counts_the_ellipse() -> None:
    km = 180.0 / (np.pi * 6371.0)
    ids = {n: [f"{n}-{k}" for k in range(10)] for n in range(3)}
    events = tuple(
        found_of(str(n), 100.0 * n, ids[n], 45.0 + off * km) for n, off in enumerate((2.9, 3.9, 4.5))
    )
    result = score(Found("hand", "", events, 40, 2.0), tiny_truth())  # north: one standard deviation is 2 km
    np.testing.assert_allclose(
        np.sort(result.squared), [(2.9 / 2) ** 2, (3.9 / 2) ** 2, (4.5 / 2) ** 2], rtol=1e-6
    )
    assert (result.within_68, result.within_90) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    both = pool([result, result])
    assert (both.events.hits, both.within_90, both.hours) == (6, result.within_90, 4.0)


def test_our_scenarios_repeat_and_differ_by_seed(tmp_path: Path) -> None:
    one, two, other = (write_scenario(tmp_path / str(n), "calm", seed) for n, seed in enumerate((1, 1, 2)))
    assert (one / "picks.csv").read_text() == (two / "picks.csv").read_text()
    assert (one / "picks.csv").read_text() != (other / "picks.csv").read_text()
    assert find_scenarios(tmp_path) == [one, two, other]
    assert find_scenarios(one) == [one]


def test_the_truth_of_our_scenarios_is_found(prepared: Prepared, run: tuple[Found, Result]) -> None:
    result = score(run[0], prepared.scenario.truth)
    assert result.events.hits + result.events.missed > 30
    assert result.events.f1 > 0.9
    assert result.picks.f1 > 0.9


def test_lays_a_job_out_for_another_program(prepared: Prepared, tmp_path: Path) -> None:
    peer = describe_pyocto(prepared)
    lay_out(peer, prepared, tmp_path)
    picks, stations = pd.read_csv(tmp_path / "picks.csv"), pd.read_csv(tmp_path / "stations.csv")
    assert len(picks) == len(prepared.arrivals)
    assert picks.time.is_monotonic_increasing
    assert set(picks.station) <= set(stations.id)
    content = (tmp_path / "travel_times.bin").read_bytes()
    columns, rows = np.frombuffer(content, np.int32, 2)
    (step_km,) = np.frombuffer(content, np.float64, 1, offset=8)
    times = np.frombuffer(content, np.float64, offset=16).reshape(2, columns, rows)
    expected = prepared.state.world.travel_times.look_up("S", 20 * step_km, 3 * step_km)[0]
    assert times[1, 20, 3] == pytest.approx(float(expected), abs=1e-9)
    assert peer.job["options"]["n_picks"] == 8


STAND_IN = """
import csv, json, sys
from pathlib import Path
folder = Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text())
picks = list(csv.DictReader((folder / "picks.csv").open()))[:9]
(folder / "events.csv").write_text("event,epoch,x_km,y_km,z_km\\n4,%s,10,20,7\\n" % picks[0]["time"])
(folder / "assignments.csv").write_text("event,pick_id\\n" + "".join(f"4,{p['pick_id']}\\n" for p in picks))
(folder / "cost.json").write_text(json.dumps({"processor_s": 0.5, "version": "9"}))
if job.get("fails"): sys.exit("out of luck")
if job.get("sleeps"): import time; time.sleep(60)
"""


def stand_in(tmp_path: Path, **job: object) -> Peer:
    """An associator of few abilities, run as the others are."""
    (tmp_path / "program.py").write_text(STAND_IN)
    return Peer("Stand-in", "json", "json", str(tmp_path / "program.py"), "as it is", job)


def test_reads_what_another_program_answers(prepared: Prepared, tmp_path: Path) -> None:
    found = run_peer(stand_in(tmp_path), prepared, sys.executable, 60.0)
    assert isinstance(found, Found)
    (event,) = found.events
    assert (found.associator, found.processor_s, len(event.pick_ids), event.depth_km) == (
        "Stand-in 9",
        0.5,
        9,
        7.0,
    )
    places = prepared.state.world.plane_km_S2
    assert np.hypot(*(places.mean(axis=0) - (10, 20))) < 60
    assert event.latitude_deg == pytest.approx(43.0, abs=0.5)


def test_says_what_became_of_another_program(prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"Stand-in failed.*out of luck"):
        run_peer(stand_in(tmp_path, fails=True), prepared, sys.executable, 60.0)
    with pytest.raises(WorkerError, match="longer than 2 s; raise --patience"):
        run_peer(stand_in(tmp_path, sleeps=True), prepared, sys.executable, 2.0)
    missing = Peer("Nobody", "no-such-thing", "no_such_thing", "", "", {})
    absent = run_peer(missing, prepared, sys.executable, 60.0)
    assert isinstance(absent, Absent)
    assert "pip install no-such-thing" in absent.remedy
    assert describe_gamma(prepared).job["nodes"]["z"][0] == 0.0


def test_the_comparison_prints_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wishes = Wishes(peers=(), out=tmp_path / "out")
    rows = bench_association(wishes, None, ("hush", "calm"), (4,), None)
    assert [row.scenario for row in rows] == ["hush", "calm"]
    with (tmp_path / "out" / "associators.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [line["scenario"] for line in table] == ["hush", "calm"]
    assert table[0]["f1"] == ""
    assert 0.8 < float(table[1]["f1"]) <= 1.0
    assert (tmp_path / "out" / "associators.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "picks/s" in printed
    assert "default, one pick after the other" in printed


def test_says_that_there_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(PickTableError, match=r"no scenario in .*truth_events.csv"):
        bench_association(Wishes(peers=(), out=tmp_path), tmp_path, (), (), None)
    with pytest.raises(PickTableError, match="no scenario storm; there are calm, swarm, hush"):
        bench_association(Wishes(peers=(), out=tmp_path), None, ("storm",), (1,), None)


def test_real_lists_are_read_and_scored(shared: Path, tmp_path: Path) -> None:
    lists = read_real(shared / "data" / "association", tmp_path)
    sizes = {real.scenario.name: (len(real.scenario.truth.events), len(real.scenario.truth.event_of_pick))
             for real in lists}  # fmt: skip
    assert sizes == {
        "amatrice_20161014": (105, 9368),
        "ceus_2017_2018": (74, 79_072),
        "iceland_vt_20140824": (27, 457),
        "chile_synthetic": (50, 1218),
    }
    chile = next(real for real in lists if real.scenario.name == "chile_synthetic")
    found, _ = run_rtpick(prepare(chile.scenario))
    result = score_real(found, chile)
    assert (result.catalogued, result.picks) == (50, 1108)
    assert result.matched >= 49
    assert result.right > 1060
    nothing = score_real(Found("none", "", (), 1, 1.0), chile)
    assert (nothing.matched, nothing.right, nothing.wrong) == (0, 0, 0)


def test_says_that_there_is_no_real_list(tmp_path: Path) -> None:
    with pytest.raises(PickTableError, match=r"no real pick list in .*amatrice_20161014"):
        read_real(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("module", ["bench.association.matching"])
def test_examples_hold(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"rtpick.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
