"""When each pick was told to the world, and how long it had been under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from rtpick.archive.catalog import Catalog
from rtpick.daemon.announcer import Announcer
from rtpick.daemon.links import Result
from rtpick.runtime.clock import wall_ns
from rtpick.settings.schema import PublishSettings
from rtpick.telemetry.metrics import Metrics
from rtpick.vocabulary.pick import Pick, PickStatus


@dataclass(frozen=True, slots=True)
class Publication:
    """One revision of a pick, committed and told at `told_ns` (wall time)."""

    pick: Pick
    told_ns: int


class PublicationLog(Announcer):
    """An announcer that remembers when it told what."""

    def __init__(self, settings: PublishSettings, metrics: Metrics, log: BoundLogger) -> None:
        super().__init__(settings, metrics, log)
        self.publications: list[Publication] = []

    def announce(self, catalog: Catalog, results: Sequence[Result]) -> None:
        """Announce the picks among committed results, and note the time."""
        super().announce(catalog, results)
        told_ns = wall_ns()
        self.publications += [Publication(result, told_ns) for result in results if isinstance(result, Pick)]

    @property
    def pick_count(self) -> int:
        """Picks that were told and not withdrawn."""
        last = {publication.pick.pick_id: publication.pick.status for publication in self.publications}
        return sum(status is not PickStatus.WITHDRAWN for status in last.values())
