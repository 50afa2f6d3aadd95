"""The components of one instrument, and up to where they can be read.

All indices are outputs: samples on the grid of the network's rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rtpick.buffer.channel import Channel, residual_phase_ns
from rtpick.buffer.pace import Pace
from rtpick.vocabulary.codes import InstrumentId


@dataclass(slots=True)
class Instrument:
    """What the buffer keeps of one instrument.

    Parameters
    ----------
    instrument : InstrumentId
    channels : dict of str to Channel
        By component letter.
    evaluated_end : int or None
        End of the last window that was decided on.
    longest_packet : int
        Outputs; a component is expected to be silent for that long.
    heard : bool
        It has sent something since the network was last looked over.
    heard_ns : int
        The time that the network had reached when it was last seen to have done so.
    dormant : bool
        Flushed because it was silent.
    acquainted : bool
        An earlier run knew its components.
    """

    instrument: InstrumentId
    channels: dict[str, Channel] = field(default_factory=dict)
    evaluated_end: int | None = None
    longest_packet: int = 0
    heard: bool = False
    heard_ns: int = 0
    dormant: bool = False
    acquainted: bool = False

    @property
    def reach(self) -> int:
        """End (exclusive) of the newest data of any component."""
        return max([channel.reach for channel in self.channels.values()])


def settled_index(instrument: Instrument, pace: Pace) -> int:
    """Tell up to where no component that is waited for can still change.

    Parameters
    ----------
    instrument : Instrument
        With at least one component.
    pace : Pace
        A component that is further behind the newest one than the patience and the longest packet is
        not waited for; an instrument that is not known yet is waited for in case that it has more.

    Notes
    -----
    Packets that are held keep the windows back that they would be in (their place is known to
    within two samples).
    """
    reach = settled = instrument.reach
    horizon = reach - pace.patience - instrument.longest_packet
    for channel in instrument.channels.values():
        if channel.settled < settled and channel.reach >= horizon:
            settled = channel.settled
        if channel.held is not None and channel.held.end >= horizon:
            settled = min(settled, channel.held.start - 2 + pace.budget)
    if not _is_acquainted(instrument, pace):
        settled = min(settled, reach - pace.budget - instrument.longest_packet)
    return settled


def mean_phase_ns(channels: Iterable[Channel | None]) -> int:
    """Average how far the components, at least one, lie behind the grid."""
    phases_ns = [residual_phase_ns(channel) for channel in channels if channel is not None]
    return sum(phases_ns) // len(phases_ns)


def _is_acquainted(instrument: Instrument, pace: Pace) -> bool:
    """Tell whether no further component is to be expected."""
    channels = instrument.channels.values()
    if instrument.acquainted or len(channels) >= 3:
        return True
    return instrument.reach - min(channel.birth for channel in channels) >= pace.acquaintance
