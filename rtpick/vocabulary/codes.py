"""SEED and FDSN codes of stations, instruments and channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class StationId:
    """Network and station code, ``BW.UH1``."""

    network: str
    station: str

    def __str__(self) -> str:
        return f"{self.network}.{self.station}"

    @classmethod
    def parse(cls, text: str) -> StationId:
        """Read ``NET.STA``; a lone ``STA`` has an empty network code."""
        network, _, station = text.rpartition(".")
        if not station or "." in network:
            raise ValueError(f"{text!r} is not a station code such as BW.UH1")
        return cls(network, station)


@dataclass(frozen=True, order=True)  # without slots: what follows from the codes is kept
class InstrumentId:
    """The channels of one sensor at one rate: ``BW.UH1..SH`` is SHZ, SHN and SHE together."""

    network: str
    station: str
    location: str
    band_instrument: str

    def __str__(self) -> str:
        return f"{self.network}.{self.station}.{self.location}.{self.band_instrument}"

    @cached_property
    def station_id(self) -> StationId:
        """The station that the sensor stands at."""
        return StationId(self.network, self.station)


@dataclass(frozen=True, order=True)
class ChannelId:
    """Network, station, location and channel code, ``BW.UH1..SHZ``."""

    network: str
    station: str
    location: str
    channel: str

    def __str__(self) -> str:
        return f"{self.network}.{self.station}.{self.location}.{self.channel}"

    @classmethod
    def parse(cls, text: str) -> ChannelId:
        """Read ``NET.STA.LOC.CHA``.

        Raises
        ------
        ValueError
            If there are not four codes or the channel code has not three letters.
        """
        codes = text.split(".")
        if len(codes) != 4 or len(codes[3]) != 3:
            raise ValueError(f"{text!r} is not a channel code such as BW.UH1..SHZ")
        return cls(*codes)

    @classmethod
    def from_source_id(cls, source_id: str) -> ChannelId:
        """Read an FDSN source identifier such as ``FDSN:BW_UH1__S_H_Z``."""
        codes = source_id.removeprefix("FDSN:").split("_")
        if len(codes) != 6 or any(len(code) != 1 for code in codes[3:]):
            raise ValueError(f"{source_id!r} is not a source id such as FDSN:BW_UH1__S_H_Z")
        return cls(codes[0], codes[1], codes[2], "".join(codes[3:]))

    @property
    def source_id(self) -> str:
        """The FDSN source identifier."""
        return f"FDSN:{self.network}_{self.station}_{self.location}_" + "_".join(self.channel)

    @cached_property
    def station_id(self) -> StationId:
        """The station that the channel belongs to."""
        return StationId(self.network, self.station)

    @cached_property
    def instrument_id(self) -> InstrumentId:
        """The sensor that the channel is a component of."""
        return InstrumentId(self.network, self.station, self.location, self.channel[:2])

    @property
    def band_code(self) -> str:
        """First letter: sampling rate and response band."""
        return self.channel[0]

    @property
    def instrument_code(self) -> str:
        """Second letter: H high gain, N accelerometer, ..."""
        return self.channel[1]

    @cached_property
    def component(self) -> str:
        """Third letter: Z N E, 1 2 3, ..."""
        return self.channel[2]
