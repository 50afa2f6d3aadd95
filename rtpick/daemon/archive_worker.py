"""Worker 4: the only writer of durable truth; tells the world only what is on disk."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.archive.clips import ClipStore
from rtpick.daemon.announcer import FAREWELL_S, Announcer
from rtpick.daemon.links import Emitted, Result
from rtpick.daemon.retention import Retention
from rtpick.runtime.clock import monotonic_s
from rtpick.runtime.edge import Edge
from rtpick.runtime.worker import Worker
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.errors import ArchiveError, StorageFullError
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.waveform import Clip

TAKE_ITEMS = 4096
IDLE_S = 0.1
LINGER_S = 0.05


class ArchiveWorker:
    """Commit what arrives, in order, then announce it.

    Parameters
    ----------
    catalog : Catalog
    clips : ClipStore or None
    announcer : Announcer
    retry_s : float
        Pause after a failed commit; meanwhile the links fill up and push back to the servers.
    retention_days : float or None
        See `Retention`.
    """

    def __init__(
        self,
        catalog: Catalog,
        clips: ClipStore | None,
        announcer: Announcer,
        incoming: Edge[Emitted],
        retry_s: float,
        metrics: Metrics,
        log: BoundLogger,
        retention_days: float | None = None,
    ) -> None:
        self._retention = Retention(retention_days, metrics, log)
        self._catalog = catalog
        self._clips = clips
        self._announcer = announcer
        self._incoming = incoming
        self._retry_s = retry_s
        self._metrics = metrics
        self._log = log
        self.trouble: str | None = None
        self.last_commit_s = monotonic_s()

    def body(self, worker: Worker) -> None:
        """Run until the links from picker and associator have ended.

        Raises
        ------
        ArchiveError
            If a stop was asked for while storage still refuses; the sources deliver again what
            was not committed.
        """
        self._announcer.announce(self._catalog, worker.beat)
        while not self._incoming.ended:
            emitted = self._incoming.take(TAKE_ITEMS, IDLE_S, LINGER_S)
            if emitted:
                self._keep(emitted, worker)
            elif self._announcer.has_more:
                self._announcer.go_on(self._catalog, worker.beat)
            self._retention.step(self._catalog)
            worker.beat()
        self._announcer.announce(self._catalog, worker.beat, for_s=FAREWELL_S)
        self._announcer.close()
        self._catalog.close()

    def _keep(self, emitted: Sequence[Emitted], worker: Worker) -> None:
        results = [item.result for item in emitted]
        while not self._try_commit(results):
            if worker.stopping:
                raise ArchiveError(f"stopped with {len(results)} results not committed: {self.trouble}")
            worker.beat()
            worker.pause(self._retry_s)
        self._announcer.announce(self._catalog, worker.beat)
        self._measure(emitted)

    def _try_commit(self, results: Sequence[Result]) -> bool:
        began_s = monotonic_s()
        try:
            self._commit(results)
        except ArchiveError as error:
            self._suffer(error)
            return False
        self.last_commit_s = monotonic_s()
        self._metrics.record_commit(self.last_commit_s - began_s)
        self._recover()
        return True

    def _commit(self, results: Sequence[Result]) -> None:
        """Clips first: a pick on disk never lacks the samples that it was made from."""
        if self._clips is not None:
            for clip in results:
                if isinstance(clip, Clip):
                    self._clips.write(clip)
        self._catalog.commit([result for result in results if not isinstance(result, Clip)])

    def _suffer(self, error: ArchiveError) -> None:
        self._metrics.record_commit_failure("full" if isinstance(error, StorageFullError) else "refused")
        if self.trouble is None:
            self._log.error("storage refuses; holding everything until it takes", error=str(error))
        self.trouble = str(error)

    def _recover(self) -> None:
        if self.trouble is not None:
            self._log.info("storage takes again")
        self.trouble = None

    def _measure(self, emitted: Sequence[Emitted]) -> None:
        published_s = monotonic_s()
        for item in emitted:
            if isinstance(item.result, Pick):
                self._metrics.record_pick_latency(item.result.latency, published_s - item.at_s)
