"""Which packets of which station are no longer needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.waveform import Packet, Progress

MAXIMUM_ENTRIES = 4096

Line = tuple[str, StationId]


class Delivery(NamedTuple):
    """A packet as the source numbered it, ``[start_ns, end_ns)``."""

    sequence: int | None
    start_ns: int
    end_ns: int


class PacketLedger:
    """The packets of each source and station in order of arrival, and the last one that is done with.

    Parameters
    ----------
    progress : iterable of Progress
        Where an earlier run stood.

    Notes
    -----
    Bounded: when a station has more than `MAXIMUM_ENTRIES` packets open, its two oldest become one. One
    owner.

    Examples
    --------
    >>> import numpy as np
    >>> from rtpick.vocabulary.codes import ChannelId
    >>> ledger = PacketLedger()
    >>> channel = ChannelId("BW", "UH1", "", "SHZ")
    >>> for n in range(3):
    ...     ledger.record(Packet(channel, n * 10**9, 1.0, np.zeros(1), "munich", sequence=n))
    >>> ledger.release(("munich", channel.station_id), 2 * 10**9)
    Delivery(sequence=1, start_ns=1000000000, end_ns=2000000000)
    """

    def __init__(self, progress: Iterable[Progress] = ()) -> None:
        self._open: dict[Line, deque[Delivery]] = {}
        self._done = {
            (item.source, item.station): Delivery(item.sequence, item.packet_start_ns, item.packet_start_ns)
            for item in progress
        }

    def record(self, packet: Packet) -> None:
        """Note a packet's arrival."""
        line = packet.source, packet.channel.station_id
        entries = self._open.get(line)
        if entries is None:
            entries = self._open[line] = deque()
        entries.append(Delivery(packet.sequence, packet.start_ns, packet.end_ns))
        if len(entries) > MAXIMUM_ENTRIES:
            older, newer = entries.popleft(), entries.popleft()
            merged = Delivery(newer.sequence, newer.start_ns, max(older.end_ns, newer.end_ns))
            entries.appendleft(merged)

    def lines(self) -> tuple[Line, ...]:
        """Every source and station that has delivered."""
        return tuple(self._open)

    def release(self, line: Line, needed_from_ns: int) -> Delivery | None:
        """Let go of the packets that end before the first sample still needed, up to the first that does not.

        Parameters
        ----------
        line : (str, StationId)
            Source and station.
        needed_from_ns : int
            Time of the earliest sample that is still needed.

        Returns
        -------
        Delivery or None
            The last packet let go of, now or before.
        """
        entries = self._open[line]
        while entries and entries[0].end_ns <= needed_from_ns:
            self._done[line] = entries.popleft()
        return self._done.get(line)
