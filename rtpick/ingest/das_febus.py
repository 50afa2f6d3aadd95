"""Febus A1 replies to a poll; experimental: known from public readers, not tried on an instrument.

Arrays: K fiber channel, T time.

References
----------
A request is one float64, 0.0. A reply has three frames: kind and block time; spacing, period, origin and
extents; float32 samples, time-major. Blocks overlap by half: the middle half of each is kept.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace

import numpy as np

from rtpick.ingest.das_terms import (
    MAXIMUM_CHANNELS,
    CableTerms,
    Decoded,
    LayoutNews,
    Message,
    UnusableMessageError,
    layouts_agree,
    possible_layout,
    require_possible_time,
)
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejectCause

REQUEST = struct.pack("<d", 0.0)
_KIND_BYTES = 12
_EXTENT_BYTES = 64
_ORIGIN_INDEX = 3
_RAW = 4


@dataclass(frozen=True, slots=True)
class FebusState:
    """What is known of a device: its last block's time, by which a repetition is known, and the layout."""

    terms: CableTerms
    last_s: float | None = None
    layout: FiberLayout | None = None


def is_repeated(state: FebusState, message: Message) -> bool:
    """Whether a reply is the block that came last: the device has no newer one yet."""
    if state.last_s is None or not message or len(message[0]) < _KIND_BYTES:
        return False
    return bool(struct.unpack_from("<d", message[0], 4)[0] == state.last_s)


def decode_febus(
    state: FebusState, message: Message, received_ns: int = 0
) -> tuple[FebusState, list[Decoded]]:
    """Turn a reply into the middle half of its block.

    Parameters
    ----------
    state : FebusState
    message : sequence of bytes
        Three frames.
    received_ns : int
        Wall time of the receipt.

    Returns
    -------
    state : FebusState
    decoded : list of DasBlock, LayoutNews or FiberRejection
        Nothing where the reply repeats the block before it.
    """
    if is_repeated(state, message):
        return state, []
    try:
        block, block_s = _read_reply(message, state.terms, received_ns)
    except UnusableMessageError as error:
        return state, [error.rejection(state.terms.fiber)]
    except (struct.error, OverflowError, ValueError) as error:
        wrong = UnusableMessageError(FiberRejectCause.LAYOUT, f"reply with {error}")
        return state, [wrong.rejection(state.terms.fiber)]
    is_new = state.layout is None or not layouts_agree(state.layout, block.layout)
    news: list[Decoded] = [LayoutNews(block.layout.fiber, block.layout)] if is_new else []
    return replace(state, last_s=block_s, layout=block.layout), [*news, block]


def _read_reply(message: Message, terms: CableTerms, received_ns: int) -> tuple[DasBlock, float]:
    if len(message) != 3 or len(message[0]) < _KIND_BYTES or len(message[1]) < _EXTENT_BYTES:
        raise UnusableMessageError(FiberRejectCause.CORRUPT, f"{len(message)} frames that are no reply")
    kind, block_s = struct.unpack_from("<id", message[0])
    if kind == _RAW:
        raise UnusableMessageError(FiberRejectCause.LAYOUT, "raw phase; let the device send strain rate")
    layout, sample_count = _read_extents(message[1], terms)
    if len(message[2]) != 4 * layout.channel_count * sample_count:
        detail = f"{len(message[2])} bytes for {layout.channel_count} x {sample_count} samples"
        raise UnusableMessageError(FiberRejectCause.LENGTH, detail)
    if not math.isfinite(block_s):
        raise ValueError(f"a block time of {block_s}")
    samples_KT = np.frombuffer(message[2], "<f4").reshape(sample_count, layout.channel_count).T
    first, behind = sample_count // 4, 3 * sample_count // 4
    start_ns = round(block_s * 1e9) + round(first * 1e9 / layout.sampling_rate_hz)
    require_possible_time(start_ns, samples_KT.size)
    block = DasBlock(layout, start_ns, samples_KT[:, first:behind], terms.source, None, received_ns)
    return block, block_s


def _read_extents(frame: bytes, terms: CableTerms) -> tuple[FiberLayout, int]:
    measures = struct.unpack_from("<6d", frame)
    first, last, first_time, last_time = struct.unpack_from("<4i", frame, 48)
    spacing_m, period_ms, origin_m = measures[0], measures[1], measures[_ORIGIN_INDEX]
    channel_count, sample_count = last - first + 1, last_time - first_time + 1
    possible = 0 < channel_count <= MAXIMUM_CHANNELS and sample_count >= 4 and first >= 0
    if not (possible and 0 < spacing_m < math.inf and 0 < period_ms < math.inf):
        raise ValueError(f"{channel_count} x {sample_count}, {spacing_m} m, {period_ms} ms")
    if 4 * channel_count * sample_count > terms.maximum_block_bytes:
        raise UnusableMessageError(FiberRejectCause.TOO_LARGE, f"{channel_count} x {sample_count} samples")
    place_m = (origin_m if math.isfinite(origin_m) else 0.0) + first * spacing_m
    rate_hz = round(1e3 / period_ms, 6)
    measured = (terms.quantity, terms.unit, terms.gauge_length_m)
    layout = FiberLayout(terms.fiber, first, channel_count, spacing_m, rate_hz, *measured, 1, place_m)
    return possible_layout(layout), sample_count
