"""Which sensor of each station is listened to, from the channels met on the stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rtpick.ingest.inventory import select_instruments
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId


class InstrumentChoice:
    """Lets one sensor a station through.

    Parameters
    ----------
    band_instrument_priority : sequence of str
        ``("HH", "BH", ...)``; a sensor of no such kind is never let through.
    known : iterable of ChannelId
        Channels that will come, where that is known beforehand (an archive's, a server's).

    Notes
    -----
    What an inventory lists does not count: a stream may carry other channels than it. Where
    nothing is known beforehand, a sensor that outranks the present one takes its place when its
    first channel is met.

    Examples
    --------
    >>> choice = InstrumentChoice(("HH", "HN"))
    >>> [choice.accepts(ChannelId("A", "X", "", code)) for code in ("HNZ", "HHZ", "HNZ", "LHZ")]
    [True, True, False, False]
    """

    def __init__(self, band_instrument_priority: Sequence[str], known: Iterable[ChannelId] = ()) -> None:
        self._priority = tuple(band_instrument_priority)
        self._met: dict[StationId, set[ChannelId]] = {}
        self._chosen: dict[StationId, InstrumentId] = {}
        for channel in known:
            self._meet(channel)

    def accepts(self, channel: ChannelId) -> bool:
        """Tell whether the channel belongs to its station's sensor."""
        if channel not in self._met.get(channel.station_id, ()):
            self._meet(channel)
        return self._chosen.get(channel.station_id) == channel.instrument_id

    def _meet(self, channel: ChannelId) -> None:
        met = self._met.setdefault(channel.station_id, set())
        met.add(channel)
        self._chosen.update(select_instruments(met, self._priority))
