"""One fiber's time axis: which block is next, what waits, what was given up. Pure.

Half-open spans of time; a step from one block to the next is whole samples, to half a sample.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import NamedTuple

from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout, FiberRejectCause, FiberRejection
from rtpick.vocabulary.time import to_s
from rtpick.vocabulary.waveform import GapCause

REMEMBERED_GAPS = 64
"""Gaps kept, to tell late blocks from repeated ones."""

Outcome = DasBlock | FiberGap | FiberRejection


class Span(NamedTuple):
    """Times `start_ns` to `end_ns` (exclusive)."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of a fiber.

    Parameters
    ----------
    layout : FiberLayout
    end_ns : int or None
        End of what has been given out; None before the first.
    last_sequence : int or None
        The highest number given out, of this start of the publisher.
    waiting : tuple of DasBlock
        By their starts; something before them is missing.
    suspect : DasBlock or None
        A block far from the others, that none has gone on from yet.
    gaps : tuple of Span
        The last spans given up.
    """

    layout: FiberLayout
    end_ns: int | None = None
    last_sequence: int | None = None
    waiting: tuple[DasBlock, ...] = ()
    suspect: DasBlock | None = None
    gaps: tuple[Span, ...] = ()

    @property
    def newest_ns(self) -> int | None:
        """End of the newest block that waits, or of what has been given out."""
        ends = [block.end_ns for block in self.waiting]
        return max(ends, default=self.end_ns) if self.end_ns is None else max([*ends, self.end_ns])

    @property
    def waiting_bytes(self) -> int:
        """What the blocks that wait take."""
        return sum(block.samples_KT.nbytes for block in self.waiting)


def put(ledger: Ledger, block: DasBlock) -> Ledger:
    """Let a block wait at its place."""
    place = bisect_right(ledger.waiting, block.start_ns, key=lambda waiting: waiting.start_ns)
    return replace(ledger, waiting=(*ledger.waiting[:place], block, *ledger.waiting[place:]))


def is_next(ledger: Ledger, block: DasBlock) -> bool:
    """Whether no sample is missing before a block."""
    return ledger.end_ns is not None and _whole_samples(block, ledger.end_ns, block.start_ns) <= 0


def take_first(ledger: Ledger) -> tuple[Ledger, list[Outcome]]:
    """Give the first block that waits out, behind the gap before it and without what is repeated."""
    block, rest = ledger.waiting[0], replace(ledger, waiting=ledger.waiting[1:])
    lost, last_sequence = _lost_blocks(ledger, block.sequence)
    rest = replace(rest, last_sequence=last_sequence)
    if ledger.end_ns is None:
        return replace(rest, end_ns=block.end_ns), [block]
    missing = _whole_samples(block, ledger.end_ns, block.start_ns)
    if missing > 0 or lost:
        rest, gap = _note_gap(rest, ledger.end_ns, block, missing, lost)
        return replace(rest, end_ns=block.end_ns), [gap, *_trimmed(rest, block, -missing)]
    kept = _trimmed(rest, block, -missing)
    is_any = isinstance(kept[-1], DasBlock)
    return (replace(rest, end_ns=max(block.end_ns, ledger.end_ns)) if is_any else rest), kept


def _note_gap(
    ledger: Ledger, end_ns: int, block: DasBlock, missing: int, lost: int | None
) -> tuple[Ledger, FiberGap]:
    span = Span(end_ns, max(end_ns, block.start_ns))
    sample_count = max(missing, 0) * block.layout.channel_count
    gap = FiberGap(block.layout.fiber, *span, GapCause.MISSING, sample_count, lost)
    gaps = (*ledger.gaps, span)[-REMEMBERED_GAPS:] if missing > 0 else ledger.gaps
    return replace(ledger, gaps=gaps), gap


def _trimmed(ledger: Ledger, block: DasBlock, repeated: int) -> list[Outcome]:
    """Leave out the samples of a block that lie before its fiber's end."""
    sample_count = block.samples_KT.shape[1]
    if repeated <= 0:
        return [block]
    if repeated >= sample_count:
        return [_repeated_block(ledger, block)]
    cut = FiberRejection(
        block.layout.fiber,
        FiberRejectCause.OVERLAP,
        repeated * block.layout.channel_count,
        f"{repeated} of {sample_count} samples in time overlap the block before",
    )
    start_ns = block.start_ns + round(repeated * 1e9 / block.layout.sampling_rate_hz)
    return [cut, replace(block, start_ns=start_ns, samples_KT=block.samples_KT[:, repeated:])]


def _repeated_block(ledger: Ledger, block: DasBlock) -> FiberRejection:
    """Tell a block that fills a gap given up from one that was given out already."""
    middle_ns = (block.start_ns + block.end_ns) // 2
    is_late = any(start <= middle_ns < end for start, end in ledger.gaps)
    cause = FiberRejectCause.LATE if is_late else FiberRejectCause.DUPLICATE
    behind_s = to_s((ledger.end_ns or 0) - block.start_ns)
    detail = f"a block {behind_s:.3f} s before the newest sample"
    return FiberRejection(block.layout.fiber, cause, block.samples_KT.size, detail)


def _lost_blocks(ledger: Ledger, sequence: int | None) -> tuple[int | None, int | None]:
    """How many numbers were passed over, where the source numbers; and the highest now."""
    last = ledger.last_sequence
    if sequence is None or last is None:
        return None, last if sequence is None else sequence
    return max(sequence - last - 1, 0), max(sequence, last)


def _whole_samples(block: DasBlock, from_ns: int, to_ns: int) -> int:
    """Samples of the block's rate between two times, to the nearest."""
    return round((to_ns - from_ns) * block.layout.sampling_rate_hz / 1e9)
