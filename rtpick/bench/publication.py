"""When each pick was told to the world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rtpick.archive.catalog import Catalog
from rtpick.archive.reads import Told
from rtpick.runtime.clock import wall_ns
from rtpick.vocabulary.pick import Pick, PickStatus


@dataclass(frozen=True, slots=True)
class Publication:
    """One revision of a pick, committed and told at `told_ns` (wall time)."""

    pick: Pick
    told_ns: int


class WatchedCatalog(Catalog):
    """A catalogue that remembers when it was noted of each pick that it has been told."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.publications: list[Publication] = []

    def mark_published(self, items: Iterable[Told]) -> None:
        """Note that these revisions have been told."""
        told = list(items)
        told_ns = wall_ns()
        super().mark_published(told)
        self.publications += [Publication(item, told_ns) for item in told if isinstance(item, Pick)]

    @property
    def pick_count(self) -> int:
        """Picks that were told and not withdrawn."""
        last = {publication.pick.pick_id: publication.pick.status for publication in self.publications}
        return sum(status is not PickStatus.WITHDRAWN for status in last.values())


def first_told(publications: Iterable[Publication], since_ns: int) -> list[Publication]:
    """Keep the first word on each pick with an onset at or after `since_ns`, unless it was the last too."""
    first: dict[str, Publication] = {}
    for item in publications:
        first.setdefault(item.pick.pick_id, item)
    born = [item for item in first.values() if item.pick.time_ns >= since_ns]
    return [item for item in born if item.pick.status is PickStatus.PRELIMINARY]
