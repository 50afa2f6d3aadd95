"""The time axis of every fiber of a stream: blocks sorted, repeated ones left out, losses counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rtpick.ingest.das_ledger import Ledger, Outcome, is_next, put, take_first
from rtpick.ingest.das_terms import Decoded, LayoutNews, News, StreamBegin, StreamEnd, layouts_agree
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberRejectCause, FiberRejection
from rtpick.vocabulary.time import NS_PER_S, to_ns, to_s
from rtpick.vocabulary.waveform import GapCause

JUMP_NS = 60 * NS_PER_S
"""A block further than this from its fiber's newest sample is not believed until one goes on from it."""

Kept = Outcome | News


@dataclass(frozen=True, slots=True)
class BookState:
    """What is known of the fibers of a stream.

    Parameters
    ----------
    budget_ns : int
        How far the newest sample may be past a missing block's start before that is given up.
    budget_bytes : int
        What may wait; more, and what is missing is given up.
    ledgers : dict of str to Ledger
        By fiber. Never changed in place.
    """

    budget_ns: int
    budget_bytes: int = 1 << 28
    ledgers: dict[str, Ledger] = field(default_factory=dict)


def open_book(reorder_budget_s: float, budget_bytes: int = 1 << 28) -> BookState:
    """The state before the first block."""
    return BookState(to_ns(reorder_budget_s), budget_bytes)


def step(state: BookState, item: Decoded) -> tuple[BookState, list[Kept]]:
    """Enter what a codec gave; give out what is complete, in the order of time.

    Parameters
    ----------
    state : BookState
    item : DasBlock, FiberRejection or news
        News and rejections pass; a publisher's start and end close what waits.

    Returns
    -------
    state : BookState
    kept : list
        Blocks that follow one another, each sample once; gaps with counts before the block behind them;
        rejections of what was repeated or late.

    Notes
    -----
    The first blocks wait for the budget, as earlier ones may still come; afterwards a block that goes on
    from the last is given out at once. A publisher's numbers tell how many blocks a gap is; without
    numbers the times alone tell, and what is lost behind the last block cannot be known.

    Examples
    --------
    >>> import numpy as np
    >>> from rtpick.vocabulary.fiber import FiberLayout
    >>> layout = FiberLayout("north", 0, 1, 8.0, 1.0)
    >>> blocks = [DasBlock(layout, k * NS_PER_S, np.zeros((1, 1))) for k in (0, 2, 1, 2)]
    >>> state, given = open_book(0.5), []
    >>> for block in blocks:
    ...     state, kept = step(state, block)
    ...     given += [type(one).__name__ for one in kept]
    >>> given
    ['DasBlock', 'FiberGap', 'DasBlock', 'FiberRejection', 'FiberRejection']
    """
    match item:
        case DasBlock():
            ledger, kept = _enter(_ledger_of(state, item), item, state)
            return _with(state, item.layout.fiber, ledger), list(kept)
        case StreamBegin(fiber):
            return _close_stream(state, fiber, None, item)
        case StreamEnd(fiber):
            return _close_stream(state, fiber, item, item)
        case LayoutNews() | FiberRejection():
            return state, [item]


def flush(state: BookState) -> tuple[BookState, list[Kept]]:
    """Give out all that waits: nothing is to be expected any more."""
    kept: list[Kept] = []
    for fiber, ledger in state.ledgers.items():
        emptied, given = _close(ledger)
        state = _with(state, fiber, emptied)
        kept += given
    return state, kept


def _ledger_of(state: BookState, block: DasBlock) -> Ledger:
    return state.ledgers.get(block.layout.fiber, Ledger(block.layout))


def _with(state: BookState, fiber: str, ledger: Ledger) -> BookState:
    return replace(state, ledgers={**state.ledgers, fiber: ledger})


def _enter(ledger: Ledger, block: DasBlock, state: BookState) -> tuple[Ledger, list[Outcome]]:
    kept: list[Outcome] = []
    if not layouts_agree(ledger.layout, block.layout):
        ledger, kept = _drain(ledger, None)
        ledger = replace(ledger, layout=block.layout)
    if _is_far(ledger, block):
        ledger, given = _doubt(ledger, block)
    else:
        ledger, given = _dismiss(ledger)
        ledger = put(ledger, block)
    ledger, drained = _drain(ledger, state)
    return ledger, [*kept, *given, *drained]


def _drain(ledger: Ledger, state: BookState | None) -> tuple[Ledger, list[Outcome]]:
    """Give out what is next, and what is waited for no longer; everything, without a budget."""
    kept: list[Outcome] = []
    while ledger.waiting and (is_next(ledger, ledger.waiting[0]) or _gives_up(ledger, state)):
        ledger, given = take_first(ledger)
        kept += given
    return ledger, kept


def _gives_up(ledger: Ledger, state: BookState | None) -> bool:
    """Whether what is missing before the first block that waits is waited for no longer."""
    if state is None:
        return True
    missing_from_ns = ledger.waiting[0].start_ns if ledger.end_ns is None else ledger.end_ns
    waited_ns = (ledger.newest_ns or 0) - missing_from_ns
    return waited_ns > state.budget_ns or ledger.waiting_bytes > state.budget_bytes


def _is_far(ledger: Ledger, block: DasBlock) -> bool:
    newest_ns = ledger.newest_ns
    return newest_ns is not None and abs(block.start_ns - newest_ns) > JUMP_NS


def _doubt(ledger: Ledger, block: DasBlock) -> tuple[Ledger, list[Outcome]]:
    """Keep a block from far away aside; believe it where it goes on from one that was kept so."""
    suspect = ledger.suspect
    period_ns = 1e9 / block.layout.sampling_rate_hz
    if suspect is None or abs(block.start_ns - suspect.end_ns) > period_ns / 2:
        dismissed, kept = _dismiss(ledger)
        return replace(dismissed, suspect=block), kept
    emptied, kept = _drain(replace(ledger, suspect=None), None)
    if emptied.end_ns is not None and suspect.start_ns < emptied.end_ns:
        kept.append(_set_back(emptied.end_ns, suspect))
        emptied = replace(emptied, end_ns=suspect.start_ns, gaps=())
    for believed in (suspect, block):
        emptied, given = take_first(replace(emptied, waiting=(believed,)))
        kept += given
    return emptied, kept


def _set_back(end_ns: int, suspect: DasBlock) -> FiberRejection:
    detail = f"the clock was set back by {to_s(end_ns - suspect.start_ns):.3f} s"
    return FiberRejection(suspect.layout.fiber, FiberRejectCause.CLOCK_JUMP, 0, detail)


def _dismiss(ledger: Ledger) -> tuple[Ledger, list[Outcome]]:
    """Refuse a block from far away that none went on from."""
    suspect = ledger.suspect
    if suspect is None:
        return ledger, []
    away_s = to_s(suspect.start_ns - (ledger.newest_ns or 0))
    detail = f"a lone block {away_s:+.3f} s from the others"
    cause = FiberRejectCause.CLOCK_JUMP
    refused = FiberRejection(suspect.layout.fiber, cause, suspect.samples_KT.size, detail)
    return replace(ledger, suspect=None), [refused]


def _close(ledger: Ledger) -> tuple[Ledger, list[Outcome]]:
    """Give out what waits; a last block from ahead is believed, as nothing speaks against it."""
    ledger, kept = _drain(ledger, None)
    suspect = ledger.suspect
    if suspect is None or suspect.start_ns < (ledger.end_ns or 0):
        ledger, refused = _dismiss(ledger)
        return ledger, [*kept, *refused]
    ledger, given = take_first(replace(ledger, suspect=None, waiting=(suspect,)))
    return ledger, [*kept, *given]


def _close_stream(
    state: BookState, fiber: str, end: StreamEnd | None, item: News
) -> tuple[BookState, list[Kept]]:
    """Settle a publisher's account: at its end the blocks that never came are counted."""
    ledger = state.ledgers.get(fiber)
    if ledger is None:
        return state, [item]
    ledger, given = _close(ledger)
    if end is None:
        return _with(state, fiber, replace(ledger, last_sequence=None)), [*given, item]
    gap = _gap_at_end(ledger, end)
    if gap is not None:
        ledger = replace(ledger, end_ns=gap.end_ns, last_sequence=end.sequence - 1)
    return _with(state, fiber, ledger), [*given, *([gap] if gap else []), item]


def _gap_at_end(ledger: Ledger, end: StreamEnd) -> FiberGap | None:
    """What is missing between the last block that came and the end that the publisher tells."""
    if ledger.end_ns is None or ledger.last_sequence is None:
        return None
    lost = end.sequence - ledger.last_sequence - 1
    if lost <= 0:
        return None
    end_ns = max(ledger.end_ns, end.end_ns)
    missing = round((end_ns - ledger.end_ns) * ledger.layout.sampling_rate_hz / 1e9)
    sample_count = missing * ledger.layout.channel_count
    return FiberGap(end.fiber, ledger.end_ns, end_ns, GapCause.MISSING, sample_count, lost)
