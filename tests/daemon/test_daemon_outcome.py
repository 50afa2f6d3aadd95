"""What comes out of the daemon does not depend on speed, deaths, servers or disks."""

from __future__ import annotations

import random
import signal
import time

import pytest

TIME_TOLERANCE_NS = 1_000
PROBABILITY_TOLERANCE = 1e-3


def assert_same_picks(found, expected) -> None:
    """The same picks, each once: identities and times to the letter, probabilities to float noise."""
    assert [pick.pick_id for pick in found] == [pick.pick_id for pick in expected]
    for one, other in zip(found, expected, strict=True):
        assert abs(one.time_ns - other.time_ns) <= TIME_TOLERANCE_NS
        assert one.probability == pytest.approx(other.probability, abs=PROBABILITY_TOLERANCE)


def assert_same_events(found, expected) -> None:
    """The same events from the same picks at the same place."""
    assert [event.pick_ids for event in found] == [event.pick_ids for event in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.origin.latitude_deg == pytest.approx(other.origin.latitude_deg, abs=1e-3)
        assert one.origin.longitude_deg == pytest.approx(other.origin.longitude_deg, abs=1e-3)
        assert one.origin.time_ns == pytest.approx(other.origin.time_ns, abs=1e7)


def assert_same_outcome(rig, undisturbed) -> None:
    assert_same_picks(rig.final_picks(), undisturbed.final_picks())
    assert_same_events(rig.standing_events(), undisturbed.standing_events())


def test_the_undisturbed_run_finds_both_earthquakes(undisturbed):
    events = undisturbed.standing_events()
    assert len(events) >= 2
    assert len(undisturbed.final_picks()) >= 11


def test_twenty_times_real_time_gives_the_same(make_rig, undisturbed):
    rig = make_rig()
    rig.serve(20, "--end")
    rig.run_to_the_end()
    assert_same_outcome(rig, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_real_time_gives_the_same(make_rig, undisturbed):
    rig = make_rig()
    rig.serve(1, "--end")
    daemon = rig.start_daemon()
    assert daemon.wait(360) == 0, rig.log()
    assert_same_outcome(rig, undisturbed)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_killed_at_random_moments_and_restarted_gives_the_same(make_rig, undisturbed, seed):
    rig = make_rig()
    draw = random.Random(seed)
    rig.serve(15, "--end", "--wait")
    for longest_s in (6.0, 2.0):
        daemon = rig.start_streaming_daemon()
        time.sleep(draw.uniform(0.2, longest_s))
        daemon.send_signal(signal.SIGKILL)
        assert daemon.wait(10) == -signal.SIGKILL
    rig.run_to_the_end()
    assert_same_outcome(rig, undisturbed)


def test_killed_within_its_first_seconds_a_station_loses_nothing(make_rig, undisturbed):
    rig = make_rig()
    rig.configure(("start: all", "start: resume"))
    rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    time.sleep(1.5)
    daemon.send_signal(signal.SIGKILL)
    assert daemon.wait(10) == -signal.SIGKILL
    rig.run_to_the_end()
    assert_same_outcome(rig, undisturbed)


def test_sigterm_drains_and_the_next_run_goes_on(make_rig, undisturbed):
    rig = make_rig()
    rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    time.sleep(5.0)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0, rig.log()
    early = {pick.pick_id for pick in rig.final_picks()}
    rig.run_to_the_end()
    assert early
    assert early <= {pick.pick_id for pick in rig.final_picks()}
    assert_same_outcome(rig, undisturbed)


def test_a_server_that_dies_and_comes_back_costs_nothing(make_rig, undisturbed):
    rig = make_rig()
    server = rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    time.sleep(5.0)
    server.send_signal(signal.SIGKILL)
    server.wait(10)
    time.sleep(1.0)
    rig.serve(0, "--end")
    assert daemon.wait(90) == 0, rig.log()
    assert_same_outcome(rig, undisturbed)
