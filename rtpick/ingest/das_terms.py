"""What the codecs of fiber streams share: declared terms, news, refusals, and when two layouts agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejectCause, FiberRejection, Quantity

Message = Sequence[bytes]
"""The frames of one ZeroMQ message."""

EARLIEST_NS = 631_152_000 * 1_000_000_000
"""1990: no interrogator streamed before it."""

LATEST_NS = 4_102_444_800 * 1_000_000_000
"""2100: a time behind it is damage."""

MAXIMUM_CHANNELS = 1_000_000
_RATES_HZ = 1e-6, 1e7
_FARTHEST = 1e9  # channels, or metres
_RATE_TOLERANCE = 1e-6
_PLACE_TOLERANCE = 1e-3  # of a channel


@dataclass(frozen=True, slots=True)
class CableTerms:
    """What a stream does not say of itself, as declared by its user.

    Parameters
    ----------
    fiber : str
        Name of the cable.
    source : str
        Name of the source in the configuration.
    quantity, unit : Quantity, str
        What the samples measure, where the stream does not say.
    gauge_length_m : float
        NaN where unknown; used where the stream does not say.
    spacing_before_decimation : bool
        ASN: whether `dx` is the spacing of channels before `roiDec` thins them out.
    apply_sensitivity : bool
        ASN: divide by the header's sensitivity, where it has one.
    maximum_block_bytes : int
        A message that would become more is refused.
    """

    fiber: str
    source: str = ""
    quantity: Quantity = Quantity.STRAIN_RATE
    unit: str = "1/s"
    gauge_length_m: float = math.nan
    spacing_before_decimation: bool = True
    apply_sensitivity: bool = True
    maximum_block_bytes: int = 1 << 28


@dataclass(frozen=True, slots=True)
class LayoutNews:
    """A fiber's channels, rate or quantity are told for the first time, or have changed."""

    fiber: str
    layout: FiberLayout
    remark: str = ""


@dataclass(frozen=True, slots=True)
class StreamBegin:
    """A publisher that numbers its blocks has started: numbers begin anew."""

    fiber: str
    stream: str


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A publisher has sent its last block.

    Parameters
    ----------
    fiber : str
    sequence : int
        The number that the next block would have had.
    end_ns : int
        Time just after the last sample.
    """

    fiber: str
    sequence: int
    end_ns: int


News = LayoutNews | StreamBegin | StreamEnd
Decoded = DasBlock | FiberRejection | News


@dataclass(eq=False)
class UnusableMessageError(RecordError):
    """A message that gives no block; `cause` is the label it is counted under."""

    cause: FiberRejectCause
    detail: str
    sample_count: int = 0

    def __str__(self) -> str:
        return f"message set aside ({self.cause}): {self.detail}"

    def rejection(self, fiber: str) -> FiberRejection:
        """The same as a value that can be counted."""
        return FiberRejection(fiber, self.cause, self.sample_count, self.detail)


def fiber_of_part(fiber: str, part: int) -> str:
    """Name the fiber of the `part`-th stretch of channels: the first bears the cable's own name.

    Examples
    --------
    >>> fiber_of_part("north", 0), fiber_of_part("north", 1)
    ('north', 'north.2')
    """
    return fiber if part == 0 else f"{fiber}.{part + 1}"


def layouts_agree(one: FiberLayout, other: FiberLayout) -> bool:
    """Whether two layouts differ by no more than the rounding of a message's header.

    Examples
    --------
    >>> layout = FiberLayout("north", 0, 50, 8.0, 100.0)
    >>> layouts_agree(layout, FiberLayout("north", 0, 50, 8.0, 100.0000001))
    True
    >>> layouts_agree(layout, FiberLayout("north", 0, 50, 8.0, 50.0))
    False
    """
    return _exact_part(one) == _exact_part(other) and _measures_agree(one, other)


def _exact_part(layout: FiberLayout) -> tuple[object, ...]:
    names = layout.fiber, layout.quantity, layout.unit
    return *names, layout.first_channel, layout.channel_count, layout.channel_step


def _measures_agree(one: FiberLayout, other: FiberLayout) -> bool:
    gauges = one.gauge_length_m, other.gauge_length_m
    same_gauge = all(map(math.isnan, gauges)) or math.isclose(*gauges, rel_tol=_PLACE_TOLERANCE)
    near_m = _PLACE_TOLERANCE * abs(one.channel_spacing_m)
    return (
        same_gauge
        and math.isclose(one.sampling_rate_hz, other.sampling_rate_hz, rel_tol=_RATE_TOLERANCE)
        and abs(one.channel_spacing_m - other.channel_spacing_m) <= near_m
        and abs(one.first_distance_m - other.first_distance_m) <= near_m
    )


def require_possible_time(start_ns: int, sample_count: int) -> None:
    """Refuse a time that no interrogator can have meant."""
    if not EARLIEST_NS <= start_ns < LATEST_NS:
        detail = f"a first sample {start_ns} ns after 1970: the clock is not set, or bytes are damaged"
        raise UnusableMessageError(FiberRejectCause.DATE, detail, sample_count)


def possible_layout(layout: FiberLayout) -> FiberLayout:
    """Let a layout pass that a cable can have.

    Raises
    ------
    UnusableMessageError
        With the cause LAYOUT, for another: arithmetic on its times and places would fail.
    """
    possible = (
        _RATES_HZ[0] <= layout.sampling_rate_hz <= _RATES_HZ[1]
        and 0 < layout.channel_count <= MAXIMUM_CHANNELS
        and 0 < layout.channel_step <= MAXIMUM_CHANNELS
        and abs(layout.first_channel) < _FARTHEST
        and abs(layout.channel_spacing_m) < _FARTHEST
        and abs(layout.first_distance_m) < _FARTHEST
    )
    if possible:
        return layout
    place = (
        f"{layout.channel_count} channels of {layout.channel_spacing_m} m from {layout.first_distance_m} m"
    )
    detail = f"{layout.sampling_rate_hz} Hz, {place}, channel {layout.first_channel}: no cable has that"
    raise UnusableMessageError(FiberRejectCause.LAYOUT, detail)


def quantity_of_unit(unit: str) -> Quantity | None:
    """Read what samples measure from the words of their unit; None where these do not tell.

    Examples
    --------
    >>> quantity_of_unit("strain rate nstrain/s")
    <Quantity.STRAIN_RATE: 'strain_rate'>
    >>> quantity_of_unit("as distributed") is None
    True
    """
    words = unit.lower()
    if "strain" in words:
        is_rate = "rate" in words or "/s" in words
        return Quantity.STRAIN_RATE if is_rate else Quantity.STRAIN
    if "rad" in words and ("/s" in words or "rate" in words):
        return Quantity.PHASE_RATE
    if words.startswith("1/s"):
        return Quantity.STRAIN_RATE
    return Quantity.COUNTS if "count" in words else None
