"""What a publisher's numbers alone tell of lost blocks, for readers that keep the time axis themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rtpick.ingest.das_terms import Decoded, StreamBegin, StreamEnd
from rtpick.vocabulary.fiber import DasBlock, FiberGap
from rtpick.vocabulary.waveform import GapCause


@dataclass(frozen=True, slots=True)
class SequenceState:
    """The highest number of each fiber. Never changed in place."""

    last: dict[str, int] = field(default_factory=dict)


def count_lost(state: SequenceState, item: Decoded) -> tuple[SequenceState, list[Decoded | FiberGap]]:
    """Put a gap before a block where numbers were passed over; everything else passes.

    Notes
    -----
    The gap has no length and no samples: where it lies in time its reader finds out.

    Examples
    --------
    >>> state, _ = count_lost(SequenceState({"north": 4}), StreamEnd("north", 7, 0))
    >>> _[0].block_count
    2
    """
    match item:
        case DasBlock(layout=layout, sequence=int(sequence)):
            return _pass(state, layout.fiber, sequence, item.start_ns, item)
        case StreamEnd(fiber, sequence, end_ns):
            return _pass(state, fiber, sequence - 1, end_ns, item, 1)
        case StreamBegin(fiber):
            rest = {name: last for name, last in state.last.items() if name != fiber}
            return replace(state, last=rest), [item]
        case _:
            return state, [item]


def _pass(
    state: SequenceState, fiber: str, sequence: int, at_ns: int, item: Decoded, own: int = 0
) -> tuple[SequenceState, list[Decoded | FiberGap]]:
    """`own` is 1 where the number itself should have come before, as at an end."""
    last = state.last.get(fiber, sequence if own else sequence - 1)
    lost = sequence - last - 1 + own
    after = replace(state, last={**state.last, fiber: max(last, sequence)})
    if lost <= 0:
        return after, [item]
    return after, [FiberGap(fiber, at_ns, at_ns, GapCause.MISSING, 0, lost), item]
