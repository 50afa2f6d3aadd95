"""How large a two-dimensional U-Net is and what it answers: all that its state dictionary does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from rtpick.vocabulary.errors import NetworkError

Pair = tuple[int, int]


@dataclass(frozen=True)
class UNetOptions:
    """Shape of a U-Net over (channel or station, time).

    Attributes
    ----------
    n_components
        Components of the input.
    stem_width
        Features at full resolution.
    widths
        Features of each stage, from fine to coarse.
    strides
        How much each stage thins (channels, samples).
    kernel
        Of every residual block, (channels, samples), odd.
    head_kernel
        Of the heads, odd.
    extra_blocks
        Further residual blocks a stage, each with its own skip.
    attend_deepest
        Whether the deepest stage attends to the whole tile.
    attend_at_middle
        Whether the bottleneck does.
    attention_heads
        Query heads of each attention, 32 wide.
    log_scale
        Whether the input is compressed to sgn(x) log(1 + abs(x)).
    moving_norm
        Length and stride of a moving normalisation of the input, or None.
    rope_periods
        Longest scale (km, km, s) of the rotary positions at the bottleneck, or None for no positions.
    event_heads
        Whether event centre and event time are answered too.
    polarity_head
        Whether the polarity of the last component is.

    Raises
    ------
    NetworkError
        If a field cannot be.
    """

    n_components: int = 1
    stem_width: int = 16
    widths: tuple[int, ...] = (16, 32, 64, 128)
    strides: tuple[Pair, ...] = ((4, 4),) * 4
    kernel: Pair = (7, 7)
    head_kernel: Pair = (3, 3)
    extra_blocks: int = 0
    attend_deepest: bool = True
    attend_at_middle: bool = False
    attention_heads: int = 4
    log_scale: bool = False
    moving_norm: Pair | None = None
    rope_periods: tuple[float, float, float] | None = None
    event_heads: bool = False
    polarity_head: bool = False

    def __post_init__(self) -> None:
        sizes = (
            self.n_components,
            self.stem_width,
            self.attention_heads,
            *self.widths,
            *sum(self.strides, ()),
        )
        if min(sizes, default=0) < 1 or max(sizes) > 4096:
            raise NetworkError(f"widths, strides and heads of a U-Net must lie in 1 to 4096, not {sizes}")
        if len(self.widths) != len(self.strides) or not 2 <= len(self.widths) <= 8:
            raise NetworkError(
                f"{len(self.widths)} widths and {len(self.strides)} strides: give 2 to 8 of each"
            )
        if any(side % 2 == 0 or not 0 < side < 64 for side in (*self.kernel, *self.head_kernel)):
            raise NetworkError(f"kernels {self.kernel} and {self.head_kernel} must have odd sides below 64")
        if not 0 <= self.extra_blocks <= 8:
            raise NetworkError(f"extra_blocks is {self.extra_blocks}: give 0 to 8")

    @property
    def reduction(self) -> Pair:
        """How much the whole encoder thins (channels, samples): tiles are multiples of it."""
        across, along = 1, 1
        for stride in self.strides:
            across, along = across * stride[0], along * stride[1]
        return across, along

    @property
    def event_reduction(self) -> Pair:
        """How much coarser than the input (channels, samples) the event heads answer."""
        across, along = self.reduction
        for stride in self.strides[-2:]:
            across, along = across // stride[0], along // stride[1]
        return across, along


DAS = UNetOptions()
DAS_PLUS = UNetOptions(event_heads=True)
# Less than half the arithmetic, and a third of the parameters: for processors without an accelerator.
DAS_SMALL = UNetOptions(
    stem_width=8,
    widths=(16, 32, 64, 96),
    strides=((4, 4), (4, 4), (2, 4), (2, 4)),
    kernel=(3, 7),
    event_heads=True,
)
STATION = UNetOptions(
    n_components=3,
    strides=((1, 4),) * 4,
    kernel=(1, 7),
    head_kernel=(1, 3),
    extra_blocks=1,
    attend_deepest=False,
)
STATION_PLUS = replace(STATION, event_heads=True, polarity_head=True)


def parse_options(content: Mapping[str, Any]) -> UNetOptions:
    """Build options from a JSON object; nothing may be unknown, what is left out is the default.

    Raises
    ------
    NetworkError
        Naming what is wrong.

    Examples
    --------
    >>> parse_options({"widths": [8, 16], "strides": [[4, 4], [2, 4]]}).reduction
    (8, 16)
    """
    known = {f.name for f in fields(UNetOptions)}
    if unknown := sorted(content.keys() - known):
        raise NetworkError(f"options have unknown keys {', '.join(unknown)}: remove them or update rtpick")
    try:
        return UNetOptions(**{name: _to_tuple(value) for name, value in content.items()})
    except TypeError as error:
        raise NetworkError(f"options of the network are of the wrong type ({error})") from None


def _to_tuple(value: Any) -> Any:
    return tuple(_to_tuple(item) for item in value) if isinstance(value, list) else value
