"""What /healthz and /readyz look at."""

from __future__ import annotations

from collections.abc import Sequence

from rtpick.daemon.announcer import Line
from rtpick.daemon.build import Parts
from rtpick.daemon.sinks import Nobody
from rtpick.ingest.source_status import SourceState
from rtpick.runtime.health import Finding
from rtpick.runtime.worker import Worker
from rtpick.settings.schema import HealthSettings


def examine_alive(parts: Parts, workers: Sequence[Worker], settings: HealthSettings) -> list[Finding]:
    """Alive means: every worker beats, and what comes in is being inferred and committed."""
    beats = [
        Finding(
            f"worker {worker.name}",
            worker.alive and worker.beat_age_s < settings.worker_timeout_s,
            f"last beat {worker.beat_age_s:.1f} s ago",
        )
        for worker in workers
    ]
    return [*beats, _inferring(parts, settings), *_inferring_fibers(parts, settings), _committing(parts)]


def examine_ready(parts: Parts, source_names: Sequence[str]) -> list[Finding]:
    """Ready means: every source is connected and storage takes what it is given."""
    sources = (_connected(parts, name) for name in source_names)
    sinks = (_told(line) for line in parts.announcer.lines if not isinstance(line.sink, Nobody))
    return [*sources, *_refused_fibers(parts), _committing(parts), _publishing(parts), *sinks]


def _inferring(parts: Parts, settings: HealthSettings) -> Finding:
    waiting_s = parts.pick.unanswered_s
    detail = f"{parts.engine.windows_inferred} windows inferred, packets since {waiting_s:.1f} s without one"
    return Finding("inference", waiting_s < settings.inference_timeout_s, detail)


def _inferring_fibers(parts: Parts, settings: HealthSettings) -> list[Finding]:
    if parts.fiber is None:
        return []
    waiting_s, tiles = parts.fiber.unanswered_s, parts.fiber.inference.tiles_inferred
    detail = f"{tiles} tiles inferred, some wait since {waiting_s:.1f} s without one"
    return [Finding("fiber inference", waiting_s < settings.inference_timeout_s, detail)]


def _refused_fibers(parts: Parts) -> list[Finding]:
    """Cables that the network cannot work with."""
    refused = {} if parts.fiber is None else dict(parts.fiber.refused)
    return [Finding(f"fiber {name}", False, why) for name, why in refused.items()]


def _committing(parts: Parts) -> Finding:
    trouble = parts.archive.trouble
    return Finding("archive", trouble is None, trouble or "takes what it is given")


def _publishing(parts: Parts) -> Finding:
    trouble = parts.announcer.trouble
    return Finding("outbox", trouble is None, trouble or "can be read and written")


def _told(line: Line) -> Finding:
    """Whether a sink takes what it is told; what waits for it."""
    well = line.trouble is None
    detail = "takes what it is told" if well else f"{line.waiting} items wait: {line.trouble}"
    return Finding(f"sink {line.sink.name}", well, detail)


def _connected(parts: Parts, name: str) -> Finding:
    status = parts.ingest.states.get(name)
    if status is None:
        return Finding(f"source {name}", False, "not connected yet")
    detail = f"{status.state.value} {status.detail}".strip()
    return Finding(f"source {name}", status.state is SourceState.CONNECTED, detail)
