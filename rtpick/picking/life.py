"""The life of a phase's picks at one instrument: born, revised, final or withdrawn.

Peaks come and go while windows are stacked. A *track* follows one peak and keeps its name. Peaks that have
ever stood within the minimum distance of one another form a *cluster*; what happens in one cluster never
touches another. A cluster is closed when no later peak can join it; only then are its picks final.
Indices are grid indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rtpick.vocabulary.pick import PickStatus


@dataclass(frozen=True, slots=True)
class Peak:
    """A peak of the curve as it now stands."""

    index: int
    probability: float


@dataclass(frozen=True, slots=True)
class Track:
    """One pick while it lives; `birth_index` is where it was first seen, and names it.

    `revision` is -1 until the pick is announced; `announced` is the peak as downstream knows it;
    `told_features` says whether it was announced with its amplitude window full.
    """

    birth_index: int
    peak: Peak
    announced: Peak
    revision: int = -1
    told_features: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where peaks have been seen that may touch one another, both ends inclusive."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Life:
    """One phase of one instrument.

    `closed_index`: every pick before it is final. `hot_from`, `hot_to`: first and last sample that a
    window put above the threshold. `clusters` hold the closed ones for a while, for `settled_index`.
    """

    closed_index: int
    hot_from: int
    hot_to: int
    tracks: tuple[Track, ...] = ()
    clusters: tuple[Cluster, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A revision of a pick that downstream must hear of."""

    track: Track
    status: PickStatus


@dataclass(frozen=True, slots=True)
class LifeRule:
    """Distances in samples.

    `reach`: the minimum distance between picks. `hold`: the longest that a cluster stays open.
    `features`: samples behind the onset that the amplitude needs. `probability_step`: least change of
    probability that makes a revision.
    """

    reach: int
    hold: int
    features: int
    probability_step: float = 0.02


def live_on(
    life: Life, seen: Iterable[int], kept: Sequence[Peak], final_index: int, end_index: int, rule: LifeRule
) -> tuple[Life, list[Change]]:
    """Follow the picks through one more state of the curve.

    Parameters
    ----------
    life : Life
        The phase's picks before.
    seen : iterable of int
        All peaks at or after ``life.closed_index``, the suppressed ones too, ascending.
    kept : sequence of Peak
        Those of them that are picks as the curve now stands.
    final_index : int
        First sample whose peaks may still change.
    end_index : int
        End of the data behind the curve.
    rule : LifeRule
        Distances.

    Returns
    -------
    Life
    list of Change
        In order of the onset.

    Notes
    -----
    A withdrawn pick is remembered until its cluster closes; if its peak rises again it goes on under its
    name.
    """
    clusters = join_clusters(life.clusters, seen, rule.reach)
    clusters, closed_index = _close(clusters, life.closed_index, final_index, rule)
    tracks: list[Track] = []
    changes: list[Change] = []
    taken = {track.birth_index for track in life.tracks}
    for track, peak in follow(life.tracks, kept, rule.reach):
        if peak is not None:
            followed = replace(track, peak=peak) if track else _bear(peak, taken)
            survivor, change = _revise(followed, closed_index, end_index, rule)
        elif track is not None:
            survivor, change = _withdraw(track, closed_index)
        tracks += [survivor] if survivor else []
        changes += [change] if change else []
    tracks.sort(key=_position)
    changes.sort(key=lambda change: _position(change.track))
    return replace(life, closed_index=closed_index, tracks=tuple(tracks), clusters=clusters), changes


def follow(
    tracks: Sequence[Track], peaks: Sequence[Peak], reach: int
) -> list[tuple[Track | None, Peak | None]]:
    """Give each track its nearest peak within reach; what is left stands alone.

    Examples
    --------
    >>> peaks = [Peak(12, 0.5), Peak(90, 0.5)]
    >>> track = Track(10, peak=Peak(10, 0.4), announced=Peak(10, 0.4))
    >>> [(t and t.birth_index, p and p.index) for t, p in follow([track], peaks, reach=50)]
    [(10, 12), (None, 90)]
    """
    pairs = sorted(
        (abs(track.peak.index - peak.index), track.peak.index, row, column)
        for row, track in enumerate(tracks)
        for column, peak in enumerate(peaks)
        if abs(track.peak.index - peak.index) <= reach
    )
    peak_of: dict[int, int] = {}
    for _, _, row, column in pairs:
        if row not in peak_of and column not in peak_of.values():
            peak_of[row] = column
    matched = [(t, peaks[peak_of[row]] if row in peak_of else None) for row, t in enumerate(tracks)]
    return [*matched, *((None, peak) for i, peak in enumerate(peaks) if i not in peak_of.values())]


def join_clusters(clusters: Sequence[Cluster], seen: Iterable[int], reach: int) -> tuple[Cluster, ...]:
    """Add peaks to the clusters that they are within reach of, or begin new ones.

    Examples
    --------
    >>> join_clusters([Cluster(10, 20), Cluster(100, 100)], [60, 300], reach=40)
    (Cluster(first=10, last=100), Cluster(first=300, last=300))
    """
    fresh = [i for i in seen if not any(c.first <= i <= c.last for c in clusters)]
    if not fresh:
        return tuple(clusters)
    joined: list[Cluster] = []
    for cluster in sorted([*clusters, *(Cluster(i, i) for i in fresh)], key=lambda item: item.first):
        if joined and cluster.first <= joined[-1].last + reach:
            joined[-1] = Cluster(joined[-1].first, max(joined[-1].last, cluster.last))
        else:
            joined.append(cluster)
    return tuple(joined)


def settled_index(lives: Iterable[Life], reach: int) -> int:
    """Find the latest index that cuts through no cluster of any phase and has only final picks before it.

    Examples
    --------
    >>> p = Life(closed_index=500, hot_from=0, hot_to=0, clusters=(Cluster(380, 420),))
    >>> s = Life(closed_index=400, hot_from=0, hot_to=0, clusters=(Cluster(400, 600),))
    >>> settled_index([p, s], reach=50)
    380
    """
    lives = tuple(lives)
    settled = min(life.closed_index for life in lives)
    clusters = sorted((c for life in lives for c in life.clusters), key=lambda item: -item.last)
    for _ in range(len(clusters)):
        lower = [c.first for c in clusters if c.first < settled <= c.last + reach]
        if not lower:
            break
        settled = min(lower)
    return settled


def forget_before(life: Life, index: int) -> Life:
    """Let go of closed clusters that lie wholly before an index."""
    if not life.clusters or life.clusters[0].last >= index:
        return life
    return replace(life, clusters=tuple(c for c in life.clusters if c.last >= index))


def _close(
    clusters: tuple[Cluster, ...], closed_index: int, final_index: int, rule: LifeRule
) -> tuple[tuple[Cluster, ...], int]:
    """Find how far the picks are final; a cluster that stays open for too long is cut."""
    last_known = final_index - 1
    open_at = next((n for n, c in enumerate(clusters) if c.last + rule.reach >= last_known), len(clusters))
    first = clusters[open_at].first if open_at < len(clusters) else last_known
    if last_known - first > rule.hold:
        cut = last_known - rule.reach
        old = clusters[open_at]
        rest = (Cluster(cut, old.last),) if old.last >= cut else ()
        pieces = (Cluster(first, cut - 1), *rest)
        return (*clusters[:open_at], *pieces, *clusters[open_at + 1 :]), max(closed_index, cut)
    return clusters, max(closed_index, min(first, last_known))


def _bear(peak: Peak, taken: set[int]) -> Track:
    """Begin a track; of two that begin at one place, the later one is named after the next free place."""
    birth_index = peak.index
    while birth_index in taken:
        birth_index += 1
    taken.add(birth_index)
    return Track(birth_index, peak, peak)


def _revise(
    track: Track, closed_index: int, end_index: int, rule: LifeRule
) -> tuple[Track | None, Change | None]:
    full = track.peak.index + rule.features <= end_index
    final = track.peak.index < closed_index
    if not final and not _news(track, full, rule):
        return track, None
    told = replace(
        track, announced=track.peak, revision=track.revision + 1, told_features=full, withdrawn=False
    )
    status = PickStatus.FINAL if final else PickStatus.PRELIMINARY
    return (None if final else told), Change(told, status)


def _news(track: Track, full: bool, rule: LifeRule) -> bool:
    moved = track.peak.index != track.announced.index
    risen = abs(track.peak.probability - track.announced.probability) > rule.probability_step
    return track.revision < 0 or track.withdrawn or moved or risen or (full and not track.told_features)


def _withdraw(track: Track, closed_index: int) -> tuple[Track | None, Change | None]:
    gone = None if track.peak.index < closed_index else replace(track, withdrawn=True)
    if track.withdrawn:
        return gone, None
    told = replace(track, revision=track.revision + 1, withdrawn=True)
    return (told if gone else None), Change(told, PickStatus.WITHDRAWN)


def _position(track: Track) -> int:
    return track.peak.index
