"""Run the daemon until it is told to stop or its sources have ended."""

from __future__ import annotations

from pathlib import Path

from structlog.stdlib import BoundLogger

from rtpick.daemon.build import Parts, build_parts
from rtpick.daemon.health_findings import examine_alive, examine_ready
from rtpick.daemon.reload import Reloader
from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.health import HealthServer
from rtpick.runtime.supervisor import Hooks, Supervisor
from rtpick.runtime.systemd import Notifier
from rtpick.runtime.worker import Worker
from rtpick.settings.load import load_settings
from rtpick.settings.schema import Settings
from rtpick.telemetry.logs import configure_logging
from rtpick.vocabulary.errors import SettingsError


def run_daemon(path: Path) -> None:
    """Run the daemon that a configuration file describes.

    Parameters
    ----------
    path : Path
        ``rtpick.yaml``.

    Raises
    ------
    RtpickError
        If it cannot start, or a worker fails.
    """
    settings = load_settings(path)
    log = configure_logging(settings.logging)
    parts = build_parts(settings, log)
    Daemon(path, settings, parts, log).run()


class Daemon:
    """The workers around built parts, and their supervisor."""

    def __init__(self, path: Path, settings: Settings, parts: Parts, log: BoundLogger) -> None:
        self._settings = settings
        self._parts = parts
        self._log = log
        self._workers = self._build_workers()
        self._health = self._build_health()
        self._reloader = Reloader(path, settings, parts.pick, log)

    def run(self) -> None:
        """Run to the end; what is committed is all that the next start needs."""
        self._log.info("started", health_port=self._health.port, model=self._parts.engine.model_version)
        supervisor = Supervisor(
            self._workers,
            Notifier(),
            Hooks(self._tick, self._reloader.reload, self._tell_stall),
            attendants=[Worker("health", self._health.serve)],
            worker_timeout_s=self._settings.health.worker_timeout_s,
        )
        supervisor.run()
        self._log.info("stopped; everything is committed")

    def _build_workers(self) -> list[Worker]:
        parts, links = self._parts, self._parts.links
        fiber = [] if parts.fiber is None else [Worker("fiber", parts.fiber.body, self._end_fibers)]
        return [
            Worker("ingest", parts.ingest.body, self._end_ingest),
            Worker("pick", parts.pick.body, self._end_picking),
            *fiber,
            Worker("associate", parts.associate.body, self._end_association),
            Worker("archive", parts.archive.body, links.to_archive.abandon),
        ]

    def _end_ingest(self) -> None:
        self._parts.links.packets.close()
        if self._parts.links.blocks is not None:
            self._parts.links.blocks.edge.close()

    def _end_picking(self) -> None:
        self._parts.links.packets.abandon()
        self._end_producer()

    def _end_fibers(self) -> None:
        if self._parts.links.blocks is not None:
            self._parts.links.blocks.edge.abandon()
        self._end_producer()

    def _end_producer(self) -> None:
        """Events are settled only where every stream has come to its own end."""
        fiber = self._parts.fiber
        ended = self._parts.pick.ended and (fiber is None or fiber.ended)
        self._parts.associate.settle_at_end = ended
        self._parts.links.to_associate.close()
        self._parts.links.to_archive.close()

    def _end_association(self) -> None:
        self._parts.links.to_associate.abandon()
        self._parts.links.to_archive.close()

    def _build_health(self) -> HealthServer:
        health, parts = self._settings.health, self._parts
        names = [source.name for source in self._settings.sources]
        try:
            return HealthServer(
                health.host,
                health.port,
                parts.registry,
                lambda: examine_alive(parts, self._workers, health),
                lambda: examine_ready(parts, names),
                self._refresh_gauges,
            )
        except OSError as error:
            raise SettingsError(
                f"health: cannot listen on {health.host}:{health.port} ({error.strerror}); "
                "give another health.port, or 0 for any free one"
            ) from error

    def _refresh_gauges(self) -> None:
        for edge in self._parts.links.all:
            self._parts.metrics.record_queue(edge.name, len(edge), edge.capacity)
        for worker in self._workers:
            self._parts.metrics.record_beat(worker.name, worker.beat_age_s)

    def _tick(self) -> str:
        age_s = monotonic_s() - self._parts.archive.last_commit_s
        return f"{self._parts.engine.windows_inferred} windows inferred, last commit {age_s:.0f} s ago"

    def _tell_stall(self, worker: Worker) -> None:
        self._log.error("worker hangs", worker=worker.name, beat_age_s=round(worker.beat_age_s, 1))
