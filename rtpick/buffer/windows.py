"""Which windows of an instrument are complete, and what is in them.

C component, T time. All indices are outputs: samples on the grid of the network's rate.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rtpick.buffer.channel import Channel, note_absence
from rtpick.buffer.instrument import Instrument, mean_phase_ns
from rtpick.buffer.pace import Pace
from rtpick.buffer.ring import Ring
from rtpick.vocabulary.waveform import Float32Array, Window

Slots = tuple[Channel | None, ...]


@dataclass(frozen=True, slots=True)
class WindowGeometry:
    """Where windows lie: they start at the multiples of the stride.

    Parameters
    ----------
    component_order : str
        ``"ENZ"``: the rows of a window.
    window_samples, stride_samples : int
    minimum_samples : int
        Valid samples that the best component of a window must have.
    join_samples : int
        A component joins the windows that end more than this after its first sample.
    """

    component_order: str
    window_samples: int
    stride_samples: int
    minimum_samples: int
    join_samples: int

    def last_end(self, index: int) -> int:
        """End of the last window that ends at or before `index`."""
        return index - (index - self.window_samples) % self.stride_samples


@lru_cache(maxsize=1024)
def component_slots(components: frozenset[str], component_order: str) -> tuple[str | None, ...]:
    """Choose which component goes into which row of a window.

    Parameters
    ----------
    components : frozenset of str
        Letters that the instrument records.
    component_order : str
        The rows, in Z, N and E.

    Returns
    -------
    tuple of (str or None)
        A letter a row. Z, N and E come first; of Z12 the 1 stands for N and the 2 for E, of Z23 the
        2 for N and the 3 for E, of 123 the 1 for Z, the 2 for N and the 3 for E.

    Examples
    --------
    >>> component_slots(frozenset("Z12"), "ENZ"), component_slots(frozenset("123"), "ZNE")
    (('2', '1', 'Z'), ('1', '2', '3'))
    """
    if "1" in components and "3" not in components:
        aliases = {"N": "1", "E": "2"}
    elif "1" in components and "Z" not in components:
        aliases = {"Z": "1", "N": "2", "E": "3"}
    else:
        aliases = {"N": "2" if "2" in components else "1", "E": "3"}
    rows = ((row, aliases.get(row)) for row in component_order)
    return tuple(next((name for name in names if name in components), None) for names in rows)


def complete(
    instrument: Instrument, ring: Ring, geometry: WindowGeometry, settled: int, completed_ns: int
) -> list[Window]:
    """Cut the windows that end at or before `settled`, in order.

    Parameters
    ----------
    instrument : Instrument
        `evaluated_end` moves on.
    ring : Ring
        At the network's rate.
    geometry : WindowGeometry
        Of all windows.
    settled : int
        Nothing before it is waited for any more.
    completed_ns : int
        Wall time for the windows' stamp.

    Returns
    -------
    list of Window

    Notes
    -----
    At the start of data, at a gap and at the end windows are partly NaN; those without enough valid
    samples are passed over, and a span without any sample is passed over in one step.
    """
    windows = []
    if instrument.evaluated_end is None:
        instrument.evaluated_end = geometry.last_end(min(settled, _first_data(instrument, ring, settled)))
    while instrument.evaluated_end + geometry.stride_samples <= settled:
        end = instrument.evaluated_end + geometry.stride_samples
        start = end - geometry.window_samples
        slots, samples_CT, valid_C = cut_joined(instrument, ring, geometry, start, end)
        if max(valid_C) == 0:
            end = max(end, geometry.last_end(_next_data(instrument, ring, geometry, end, settled)))
        instrument.evaluated_end = end
        for channel in instrument.channels.values():
            if channel.reach < end:
                note_absence(channel, end)
        if max(valid_C) >= geometry.minimum_samples:
            coverage = sum(valid_C) / samples_CT.size
            phase_ns = mean_phase_ns(itertools.compress(slots, valid_C))
            windows.append(
                Window(instrument.instrument, start, phase_ns, samples_CT, coverage, completed_ns)
            )
    return windows


def cut_joined(
    instrument: Instrument, ring: Ring, geometry: WindowGeometry, start: int, end: int
) -> tuple[Slots, Float32Array, list[int]]:
    """Copy a span of an instrument, as a window that ends there shows it.

    Parameters
    ----------
    instrument : Instrument
        Of any components.
    ring : Ring
        At the network's rate.
    geometry : WindowGeometry
        Of all windows.
    start, end : int
        The span.

    Returns
    -------
    slots : tuple of (Channel or None)
        The components in the rows.
    samples_CT : ndarray of float32, shape (C, end - start)
        NaN where missing, and where a component has not joined by `end`.
    valid_C : list of int
        How many samples of each row are valid.
    """
    slots = _joined_slots(instrument, geometry, end)
    samples_CT = np.empty((len(slots), end - start), np.float32)
    valid_C = [0] * len(slots)
    for slot, channel in enumerate(slots):
        if channel is None:
            samples_CT[slot] = np.nan
            continue
        valid_C[slot] = ring.read_into(channel.row, start, samples_CT[slot])
        first = _first_hidden(channel, end, geometry.join_samples)
        if first is not None:
            samples_CT[slot, max(first - start, 0) :] = np.nan
            valid_C[slot] = int(np.count_nonzero(~np.isnan(samples_CT[slot])))
    return slots, samples_CT, valid_C


def needed_from(instrument: Instrument, ring: Ring, geometry: WindowGeometry, pace: Pace) -> int:
    """Tell the first sample that the next window depends on.

    Who starts from it must see that the components have joined by the window's end, even across a
    hole too short to make them join anew.
    """
    end = instrument.evaluated_end
    if end is None:
        end = geometry.last_end(_first_data(instrument, ring, instrument.reach))
    reach_back = max(geometry.window_samples, geometry.join_samples + pace.longest_hole + 1)
    return end + geometry.stride_samples - reach_back


def _joined_slots(instrument: Instrument, geometry: WindowGeometry, end: int) -> Slots:
    """Choose the components that have joined by the end of a window."""
    born_before = end - geometry.join_samples
    joined = {name: channel for name, channel in instrument.channels.items() if channel.birth < born_before}
    names = component_slots(frozenset(joined), geometry.component_order)
    return tuple(None if name is None else joined[name] for name in names)


def _first_hidden(channel: Channel, end: int, join_samples: int) -> int | None:
    """Find from where on a component is left out that has returned shortly before the window's end, or after.

    Whether data that return arrive before or after the window would have gone out without them is a
    matter of luck; so they are left out always. What came after the window went out was not in it.
    """
    for absence in channel.absences:
        if absence.start < end <= absence.end:
            return absence.start
    for resume in channel.resumes:
        if resume < end <= resume + join_samples:
            return resume
    return None


def _first_data(instrument: Instrument, ring: Ring, default: int) -> int:
    """Oldest index that any component may have in the ring."""
    spans = (ring.span(channel.row) for channel in instrument.channels.values())
    return min((span[0] for span in spans if span), default=default)


def _next_data(
    instrument: Instrument, ring: Ring, geometry: WindowGeometry, end: int, settled: int
) -> int:
    """First sample from the window that ends at `end` on, at most `settled`."""
    start = end - geometry.window_samples
    found = (ring.next_valid(channel.row, start) for channel in instrument.channels.values())
    return min((index for index in found if index is not None and index < settled), default=settled)
