"""The latest revision of each recent pick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rtpick.association.signal import Signal
from rtpick.vocabulary.pick import Rank

_FRESH = 64
_LONG_AGO_NS = -(2**62)
_STEP_NS = 30_000_000_000


class Revision(NamedTuple):
    """Rank and time of a pick's latest revision, and its signal; None where it was withdrawn."""

    rank: Rank
    time_ns: int
    signal: Signal | None


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """Revisions by the name of the pick; never changed in place.

    The newest are kept apart, so that one more costs the copy of a few.
    """

    fresh: Mapping[str, Revision] = field(default_factory=dict)
    older: Mapping[str, Revision] = field(default_factory=dict)
    begin_ns: int = _LONG_AGO_NS

    def get(self, pick_id: str) -> Revision | None:
        """Return the latest revision of a pick, if it is remembered."""
        return self.fresh.get(pick_id) or self.older.get(pick_id)

    def noted(self, pick_id: str, revision: Revision) -> Recent:
        """Remember a revision."""
        fresh = {**self.fresh, pick_id: revision}
        if len(fresh) < _FRESH:
            return Recent(fresh, self.older, self.begin_ns)
        return Recent({}, {**self.older, **fresh}, self.begin_ns)

    def since(self, begin_ns: int) -> Recent:
        """Forget picks before a time, some while after it is asked for."""
        if begin_ns < self.begin_ns + _STEP_NS:
            return self
        both = {**self.older, **self.fresh}
        return Recent({}, {n: r for n, r in both.items() if r.time_ns >= begin_ns}, begin_ns)


NONE_YET = Recent()
