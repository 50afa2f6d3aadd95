"""Servers that lose their rings, stall, drop connections and restart: the daemon's outcome stays the same."""

from __future__ import annotations

import signal

import pytest

QUICK = ("on_end: stop", "on_end: stop\n    reconnect_min_s: 0.1\n    reconnect_max_s: 0.3")
PORTION = 46  # of 368 records: eight portions
PROTOCOLS = pytest.mark.parametrize("protocol", ["v4", pytest.param("v3", marks=pytest.mark.slow)])

pytestmark = pytest.mark.timeout(900)  # many waits, each with patience


def configured(make_rig, protocol: str = "auto", *more: str):
    rig = make_rig()
    old, new = QUICK
    rig.configure((old, "\n    ".join([new, f"protocol: {protocol}", *more])))
    return rig


def begun(make_rig, make_puppet, protocol: str):
    """A daemon that listens to a server which has nothing yet."""
    rig = configured(make_rig, protocol)
    puppet = make_puppet(rig)
    return rig, puppet, rig.start_daemon()


def portions(puppet) -> list[tuple[int, int]]:
    count = len(puppet.records)
    return [(start, min(start + PORTION, count)) for start in range(0, count, PORTION)]


def end_and_judge(rig, puppet, daemon, undisturbed) -> None:
    """The streams end; the daemon ends with them, and has what an undisturbed run has."""
    puppet.do(lambda server: server.end())
    rig.expect_end(daemon)
    rig.assert_same_outcome(undisturbed)


@PROTOCOLS
def test_a_ring_wiped_again_and_again_costs_nothing_that_was_served(
    make_rig, make_puppet, undisturbed, protocol
):
    """Numbers begin again at 1 each time: first below the number asked for, then beyond it."""
    rig, puppet, daemon = begun(make_rig, make_puppet, protocol)
    for start, stop in portions(puppet):
        puppet.publish(start, stop)
        puppet.wait_until_sent()
        puppet.do(lambda server: server.wipe())
    end_and_judge(rig, puppet, daemon, undisturbed)
    assert "source ring_reset" in rig.log()


@pytest.mark.slow
@PROTOCOLS
def test_a_wiped_ring_that_has_grown_beyond_the_old_number_is_noticed(
    make_rig, make_puppet, undisturbed, protocol
):
    """The number asked for exists and is another record: only its time tells."""
    rig, puppet, daemon = begun(make_rig, make_puppet, protocol)
    puppet.publish(0, 40)
    puppet.wait_until_sent()
    puppet.do(lambda server: server.wipe())
    puppet.do(lambda server: server.stop_listening())
    puppet.publish(40, 200)
    puppet.do(lambda server: server.listen())
    puppet.wait_until_sent()
    puppet.publish(200)
    end_and_judge(rig, puppet, daemon, undisturbed)


@pytest.mark.slow
@PROTOCOLS
@pytest.mark.parametrize("rolled_back", [1, 30, 119])
def test_a_ring_rolled_back_uses_numbers_again_and_costs_nothing(
    make_rig, make_puppet, undisturbed, protocol, rolled_back
):
    """The server comes back from an older copy: old records are there again, new ones get used numbers."""
    rig, puppet, daemon = begun(make_rig, make_puppet, protocol)
    puppet.publish(0, 120)
    puppet.wait_until_sent()
    puppet.do(lambda server: server.stop_listening())
    puppet.do(lambda server: server.wipe())
    puppet.publish(0, 120 - rolled_back)
    puppet.publish(120, 200)
    puppet.do(lambda server: server.listen())
    puppet.wait_until_sent()
    puppet.publish(200)
    end_and_judge(rig, puppet, daemon, undisturbed)


@PROTOCOLS
def test_connections_dropped_within_records_again_and_again_cost_nothing(
    make_rig, make_puppet, undisturbed, protocol
):
    rig, puppet, daemon = begun(make_rig, make_puppet, protocol)
    for start, stop in portions(puppet):
        puppet.do(lambda server: server.pause())
        puppet.publish(start, stop - 1)
        puppet.do(lambda server: server.resume())
        puppet.wait_until_sent()
        # Half a record is on its way when the line goes dead.
        puppet.do(lambda server: server.pause())
        puppet.publish(stop - 1, stop)
        puppet.do(lambda server: server.drop_clients(mid_record=True))
        puppet.do(lambda server: server.resume())
        puppet.wait_until_sent()
    assert rig.metric("rtpick_source_reconnects_total", source="demo") >= len(portions(puppet))
    end_and_judge(rig, puppet, daemon, undisturbed)


@pytest.mark.slow
@PROTOCOLS
def test_a_server_that_restarts_with_its_ring_again_and_again_costs_nothing(
    make_rig, make_puppet, undisturbed, protocol
):
    rig, puppet, daemon = begun(make_rig, make_puppet, protocol)
    for start, stop in portions(puppet):
        puppet.publish(start, stop - 10)
        puppet.wait_until_sent()
        puppet.do(lambda server: server.stop_listening())
        puppet.publish(stop - 10, stop)  # while it is away
        puppet.do(lambda server: server.listen())
        puppet.wait_until_sent()
    end_and_judge(rig, puppet, daemon, undisturbed)


@pytest.mark.slow
def test_a_server_connected_and_silent_is_told_left_and_taken_up_again(make_rig, make_puppet, undisturbed):
    rig = configured(make_rig, "auto", "silent_alarm_s: 1.0")
    puppet = make_puppet(rig)
    daemon = rig.start_daemon()
    puppet.publish(0, 150)
    puppet.wait_until_sent()
    puppet.do(lambda server: server.pause())
    puppet.publish(150)
    rig.wait_for(lambda: "source silent" in rig.log())
    status, body = rig.fetch("/readyz")
    assert (status, "silent" in body) == (503, True)
    assert rig.fetch("/healthz")[0] == 200
    assert rig.metric("rtpick_source_state", source="demo", state="silent") == 1
    puppet.do(lambda server: server.resume())
    rig.wait_for(lambda: "records come again" in rig.log())
    end_and_judge(rig, puppet, daemon, undisturbed)


@pytest.mark.slow
def test_a_server_process_that_hangs_and_goes_on_costs_nothing(make_rig, undisturbed):
    """Stopped, its port still takes connections and never answers."""
    rig = configured(make_rig, "auto", "silent_alarm_s: 1.0", "connect_timeout_s: 1.0")
    server = rig.serve(15, "--end", "--wait")
    daemon = rig.start_streaming_daemon()
    rig.wait_for(lambda: rig.metric("rtpick_packets_total") > 50)
    server.send_signal(signal.SIGSTOP)
    rig.wait_for(lambda: "source silent" in rig.log())
    before = rig.metric("rtpick_packets_total")
    server.send_signal(signal.SIGCONT)
    rig.wait_for(lambda: daemon.poll() is not None or rig.metric("rtpick_packets_total") > before)
    rig.expect_end(daemon)
    rig.assert_same_outcome(undisturbed)


@pytest.mark.slow
def test_a_server_process_killed_and_started_anew_again_and_again_costs_nothing(make_rig, undisturbed):
    """Each new process has a new ring, which begins at record 1 with the recording's first."""
    rig = configured(make_rig)
    server = rig.serve(20, "--wait")
    daemon = rig.start_streaming_daemon()
    for speed in (40, 60):
        heard = rig.metric("rtpick_packets_total")
        rig.wait_for(lambda heard=heard: rig.metric("rtpick_packets_total") > heard + 40)
        server.send_signal(signal.SIGKILL)
        server.wait(10)
        server = rig.serve(speed)
    server.send_signal(signal.SIGKILL)
    server.wait(10)
    rig.serve(0, "--end")
    rig.expect_end(daemon)
    rig.assert_same_outcome(undisturbed)


@pytest.mark.slow
@PROTOCOLS
def test_a_daemon_killed_between_two_rings_loses_nothing(make_rig, make_puppet, undisturbed, protocol):
    """Some stations were stored before the ring was lost, others behind it: numbers cannot be compared."""
    rig, puppet, daemon = begun(make_rig, make_puppet, protocol)
    puppet.publish(0, 150)
    puppet.wait_until_sent()
    puppet.do(lambda server: server.wipe())
    puppet.publish(0, 190)  # as a server does that reads its archive again
    puppet.wait_until_sent()
    daemon.send_signal(signal.SIGKILL)
    assert daemon.wait(10) == -signal.SIGKILL
    puppet.publish(190)
    daemon = rig.start_daemon()
    puppet.wait_until_sent()
    end_and_judge(rig, puppet, daemon, undisturbed)
