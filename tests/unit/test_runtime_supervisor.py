"""The supervisor: feeds the watchdog from beats alone, stops in order, exits honestly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from rtpick.runtime.signals import FORCED_EXIT_STATUS
from rtpick.runtime.supervisor import Hooks, Supervisor
from rtpick.runtime.systemd import Notifier
from rtpick.runtime.worker import Worker
from rtpick.vocabulary.errors import WorkerError


class NotifySocket:
    """A real datagram socket in systemd's place, read as it fills (the kernel queues only ten)."""

    def __init__(self, path) -> None:
        self.path = str(path)
        self._heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while (message := self._socket.recv(4096).decode()) != "END":
            self._heard.append(message)

    def messages(self) -> list[str]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"END", self.path)
        self._reader.join(5.0)
        return self._heard


@pytest.fixture
def notify(tmp_path):
    return NotifySocket(tmp_path / "notify")


def supervise(workers, notify, *, timeout_s=5.0, drain_timeout_s=5.0, on_reload=lambda: None, stalls=None):
    told = stalls if stalls is not None else []
    hooks = Hooks(lambda: "fine", on_reload, lambda worker: told.append(worker.name))
    notifier = Notifier({"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "100000"})
    return Supervisor(
        workers, notifier, hooks, worker_timeout_s=timeout_s, drain_timeout_s=drain_timeout_s, tick_s=0.02
    )


def beating(worker: Worker) -> None:
    while not worker.stopping:
        worker.beat()
        worker.pause(0.01)


def signal_soon(number: int, delay_s: float) -> None:
    threading.Timer(delay_s, os.kill, (os.getpid(), number)).start()


def test_ready_then_watchdog_then_stopping_at_sigterm(notify):
    signal_soon(signal.SIGTERM, 0.3)
    supervise([Worker("a", beating)], notify).run()
    heard = notify.messages()
    assert heard[0] == "READY=1"
    assert "WATCHDOG=1" in heard
    assert "STATUS=fine" in heard
    assert heard.index("STOPPING=1") > heard.index("WATCHDOG=1")


def test_a_hung_worker_starves_the_watchdog_and_is_told_once(notify):
    release = threading.Event()

    def hang(worker: Worker) -> None:
        release.wait(10.0)

    stalls: list[str] = []
    signal_soon(signal.SIGTERM, 0.6)
    threading.Timer(0.8, release.set).start()
    supervise([Worker("stuck", hang)], notify, timeout_s=0.1, stalls=stalls).run()
    heard = notify.messages()
    fed_before = heard[: heard.index("STOPPING=1")].count("WATCHDOG=1")
    assert stalls == ["stuck"]
    assert fed_before <= 10
    assert heard[: heard.index("STOPPING=1")].count("STATUS=fine") > fed_before


def test_a_worker_that_raises_ends_the_others_and_the_process(notify):
    def fail(worker: Worker) -> None:
        raise RuntimeError("a bug")

    other = Worker("other", beating)
    with pytest.raises(WorkerError, match=r"worker bad failed: RuntimeError\('a bug'\)"):
        supervise([Worker("bad", fail), other], notify).run()
    assert not other.alive


def test_all_workers_done_ends_without_a_signal(notify):
    began_s = time.monotonic()
    supervise([Worker("short", lambda worker: None)], notify).run()
    assert time.monotonic() - began_s < 5.0
    assert notify.messages()[-1] == "STOPPING=1"


def test_a_worker_that_does_not_drain_in_time_is_an_error(notify):
    def deaf(worker: Worker) -> None:
        time.sleep(1.0)

    signal_soon(signal.SIGTERM, 0.1)
    with pytest.raises(WorkerError, match="did not finish within"):
        supervise([Worker("deaf", deaf)], notify, drain_timeout_s=0.1).run()


def test_sighup_reloads_and_goes_on(notify):
    reloads: list[int] = []
    signal_soon(signal.SIGHUP, 0.1)
    signal_soon(signal.SIGTERM, 0.3)
    supervise([Worker("a", beating)], notify, on_reload=lambda: reloads.append(1)).run()
    heard = notify.messages()
    assert reloads == [1]
    assert any(message.startswith("RELOADING=1") for message in heard)
    assert heard.count("READY=1") == 2


def test_without_systemd_nothing_is_sent():
    notifier = Notifier({})
    notifier.ready()
    assert notifier.watchdog_s is None


STUBBORN = """
from rtpick.runtime.supervisor import Hooks, Supervisor
from rtpick.runtime.systemd import Notifier
from rtpick.runtime.worker import Worker

def stubborn(worker):
    print("runs", flush=True)
    told = False
    while True:
        if worker.stopping and not told:
            print("asked to stop", flush=True)
            told = True
        worker.beat()
        worker.pause(0.01)

hooks = Hooks(lambda: "fine", lambda: None, lambda worker: None)
Supervisor([Worker("a", stubborn)], Notifier({}), hooks, worker_timeout_s=60, tick_s=0.02).run()
"""


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_forces(first):
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.send_signal(first)
        assert process.stdout.readline() == "asked to stop\n"
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == FORCED_EXIT_STATUS
