"""Tell the world what has been committed: each sink at its own pace, at least once, same identities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.archive.reads import Waiting
from rtpick.daemon.sinks import Sink, open_sinks
from rtpick.runtime.clock import monotonic_s
from rtpick.settings.schema import PublishSettings
from rtpick.telemetry.metrics import Metrics

BATCH_ITEMS = 500
# Committing goes before telling: a long backlog is told between commits, so much at a time.
TURN_S = 1.0
FAREWELL_S = 10.0
# Of what is too much for a sink that refuses, at each attempt: more than a network can make meanwhile.
GIVEN_UP_AT_ONCE = 20 * BATCH_ITEMS


@dataclass(slots=True)
class Line:
    """A sink and how far it is.

    Attributes
    ----------
    place : int
        Position in the outbox up to which it has been told.
    level : bool
        Whether nothing waits for it.
    trouble : str or None
        Why it could not be told last time.
    retry_at_s : float
        Monotonic time before which it is left alone.
    waiting : int
        How much waits for it, counted when it was last in trouble.
    """

    sink: Sink
    place: int = 0
    level: bool = False
    trouble: str | None = None
    retry_at_s: float = 0.0
    waiting: int = 0


class Announcer:
    """Empty the catalogue's outbox to every sink; one that refuses holds back nobody but itself.

    Parameters
    ----------
    settings : PublishSettings
        The sinks, and how much may wait for one that refuses.
    metrics, log
    retry_s : float
        Seconds that a sink that refused is left alone.

    Raises
    ------
    OSError
        At construction, if a socket cannot be bound or a folder cannot be made.
    """

    def __init__(
        self, settings: PublishSettings, metrics: Metrics, log: BoundLogger, retry_s: float = 5.0
    ) -> None:
        self.lines = [Line(sink) for sink in open_sinks(settings)]
        self._maximum_waiting = settings.maximum_waiting
        self._metrics = metrics
        self._log = log
        self._retry_s = retry_s
        self._kept: dict[str, int] | None = None
        self._told: list[Waiting] = []
        self.trouble: str | None = None

    @property
    def has_more(self) -> bool:
        """Whether something waits for a sink that may be tried now."""
        now_s = monotonic_s()
        return any(not line.level and now_s >= line.retry_at_s for line in self.lines)

    def announce(self, catalog: Catalog, beat: Callable[[], None], *, for_s: float = TURN_S) -> None:
        """Tell what has been committed, for some time at most; `beat` after each batch."""
        for line in self.lines:
            line.level = False
        self.go_on(catalog, beat, for_s=for_s)

    def go_on(self, catalog: Catalog, beat: Callable[[], None], *, for_s: float = TURN_S) -> None:
        """Tell what was left to be told."""
        until_s = monotonic_s() + for_s
        try:
            self._find_places(catalog)
            while self._tell_batch(catalog) and monotonic_s() < until_s:
                beat()
        except OSError as error:
            self._suffer(error)
        else:
            self.trouble = None

    def close(self) -> None:
        """Let the sinks deliver what they hold, and close them."""
        for line in self.lines:
            line.sink.close()

    def _find_places(self, catalog: Catalog) -> None:
        """Take up, once, where the last run stood."""
        if self._kept is None:
            self._kept = catalog.places()
            for line in self.lines:
                line.place = self._kept.get(line.sink.name, 0)

    def _tell_batch(self, catalog: Catalog) -> bool:
        """Tell the sinks that are furthest behind their next batch; False where there is nothing to do."""
        self._strike(catalog)
        now_s = monotonic_s()
        due = [line for line in self.lines if not line.level and now_s >= line.retry_at_s]
        if not due:
            return False
        place = min(line.place for line in due)
        batch = catalog.outbox(place, BATCH_ITEMS)
        for line in due:
            if line.place == place:
                self._tell(line, batch, catalog)
        self._settle(batch, catalog)
        return True

    def _tell(self, line: Line, batch: Sequence[Waiting], catalog: Catalog) -> None:
        try:
            line.sink.tell([item for _, item in batch], catalog)
        except OSError as error:
            self._fail(line, error)
            self._bound(line, catalog)
            return
        self._recover(line)
        line.place = batch[-1].position if batch else line.place
        line.level = len(batch) < BATCH_ITEMS

    def _settle(self, batch: Sequence[Waiting], catalog: Catalog) -> None:
        """Strike what every sink has been told; keep the places while they differ."""
        slowest = min(line.place for line in self.lines)
        self._told = [waiting for waiting in batch if waiting.position <= slowest]
        places = {line.sink.name: line.place for line in self.lines}
        before = self._kept or {}
        if len({*places.values()}) > 1 or len({*before.values()}) > 1:
            catalog.keep_places(places)
            self._kept = places
        self._strike(catalog)

    def _strike(self, catalog: Catalog) -> None:
        if self._told:
            catalog.mark_published([item for _, item in self._told])
            self._told = []

    def _fail(self, line: Line, error: OSError) -> None:
        """Leave a sink alone for a while."""
        name = line.sink.name
        self._metrics.record_publish_failure(name)
        if line.trouble is None:
            self._log.error("could not publish; it stays in the outbox", sink=name, error=str(error))
        line.trouble = str(error)
        line.retry_at_s = monotonic_s() + self._retry_s

    def _bound(self, line: Line, catalog: Catalog) -> None:
        """Count what waits for a sink that refuses; where that is too much, the oldest is given up."""
        line.waiting = catalog.count_outbox(line.place)
        excess = min(line.waiting - self._maximum_waiting, GIVEN_UP_AT_ONCE)
        for first in range(0, excess, BATCH_ITEMS):
            batch = catalog.outbox(line.place, min(BATCH_ITEMS, excess - first))
            line.place = batch[-1].position
            line.waiting -= len(batch)
            self._metrics.record_given_up(line.sink.name, len(batch))
            self._settle(batch, catalog)
        if excess > 0:
            self._log.error("too much waits; the oldest is given up", sink=line.sink.name, items=excess)
        self._metrics.record_waiting(line.sink.name, line.waiting)

    def _recover(self, line: Line) -> None:
        if line.trouble is not None:
            self._log.info("publishing goes on", sink=line.sink.name)
        line.trouble = None
        line.waiting = 0
        self._metrics.record_waiting(line.sink.name, 0)

    def _suffer(self, error: OSError) -> None:
        """The outbox itself cannot be read or written."""
        self._metrics.record_publish_failure("outbox")
        if self.trouble is None:
            self._log.error("the outbox cannot be read or written", error=str(error))
        self.trouble = str(error)
