"""rtpick's own frames of fiber data: a JSON header and raw samples, numbered; see deploy/das-frames.md.

Arrays: K fiber channel, T time.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rtpick.ingest.das_terms import (
    MAXIMUM_CHANNELS,
    CableTerms,
    Decoded,
    Message,
    StreamBegin,
    StreamEnd,
    UnusableMessageError,
    fiber_of_part,
    layouts_agree,
    possible_layout,
    require_possible_time,
)
from rtpick.ingest.das_terms import LayoutNews as _LayoutNews
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejectCause, Quantity

VERSION = 1
CHECKSUM_BYTES = 4
_TYPES = ("<i2", "<i4", "<i8", "<f4", "<f8")
_MAXIMUM_HEADER_BYTES = 1 << 16
_MAXIMUM_SEQUENCE = 1 << 63
_MAXIMUM_PARTS = 1000


@dataclass(frozen=True, slots=True)
class RtpickState:
    """What is known of a stream.

    Parameters
    ----------
    terms : CableTerms
    parts : dict
        For each fiber heard: which start of the publisher it is, and the layout told last. Never changed
        in place.
    """

    terms: CableTerms
    parts: dict[str, tuple[str, FiberLayout]] = field(default_factory=dict)


def decode_rtpick(
    state: RtpickState, message: Message, received_ns: int = 0
) -> tuple[RtpickState, list[Decoded]]:
    """Turn one message into its block.

    Parameters
    ----------
    state : RtpickState
    message : sequence of bytes
        Header and samples, or the header of an end alone.
    received_ns : int
        Wall time of the receipt.

    Returns
    -------
    state : RtpickState
    decoded : list
        The block, behind news of a publisher's start or another layout; the end; or a rejection.

    Notes
    -----
    A message whose checksum is wrong is refused as CORRUPT. The fiber bears the name of the user's
    configuration, whatever the publisher calls it.
    """
    try:
        header = _read_header(_checked(message))
        if header.get("end") is True:
            fiber = fiber_of_part(state.terms.fiber, _part(header))
            return state, [StreamEnd(fiber, _sequence(header), int(header["end_ns"]))]
        block = _read_block(header, message, state.terms, received_ns)
        return _note(state, str(header["stream"]), block)
    except UnusableMessageError as error:
        return state, [error.rejection(state.terms.fiber)]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        detail = f"header that cannot be read ({type(error).__name__}: {error})"
        wrong = UnusableMessageError(FiberRejectCause.LAYOUT, detail)
        return state, [wrong.rejection(state.terms.fiber)]


def _note(state: RtpickState, stream: str, block: DasBlock) -> tuple[RtpickState, list[Decoded]]:
    """Put news before the block."""
    layout = block.layout
    known_stream, known_layout = state.parts.get(layout.fiber, (None, None))
    news: list[Decoded] = []
    if stream != known_stream:
        news.append(StreamBegin(layout.fiber, stream))
    if known_layout is None or not layouts_agree(known_layout, layout):
        news.append(_LayoutNews(layout.fiber, layout))
    return replace(state, parts={**state.parts, layout.fiber: (stream, layout)}), [*news, block]


def _checked(message: Message) -> Message:
    """Hold the frames against the checksum that ends the message."""
    if len(message) < 2 or len(message[-1]) != CHECKSUM_BYTES:
        detail = f"{len(message)} frames, without a checksum at their end"
        raise UnusableMessageError(FiberRejectCause.CORRUPT, detail)
    if struct.pack("<I", _checksum(message[:-1])) != bytes(message[-1]):
        raise UnusableMessageError(FiberRejectCause.CORRUPT, "the checksum is wrong")
    return message[:-1]


def _checksum(frames: Message) -> int:
    total = 0
    for frame in frames:
        total = zlib.crc32(frame, total)
    return total


def _read_header(message: Message) -> dict[str, Any]:
    payload = message[0] if message else b""
    try:
        if len(payload) > _MAXIMUM_HEADER_BYTES:
            raise ValueError(f"{len(payload)} bytes of header")
        header = json.loads(payload)
    except (ValueError, RecursionError) as error:
        detail = f"first frame is no JSON header ({error})"
        raise UnusableMessageError(FiberRejectCause.CORRUPT, detail) from error
    version = header.get("rtpick_das") if isinstance(header, dict) else None
    if version != VERSION:
        detail = f"header of version {version!r}, this rtpick reads {VERSION}"
        raise UnusableMessageError(FiberRejectCause.LAYOUT, detail)
    return dict(header)


def _sequence(header: dict[str, Any]) -> int:
    sequence = header["sequence"]
    if not isinstance(sequence, int) or not 0 <= sequence < _MAXIMUM_SEQUENCE:
        raise ValueError(f"sequence {sequence!r}")
    return sequence


def _part(header: dict[str, Any]) -> int:
    part = header.get("part", 0)
    if not isinstance(part, int) or not 0 <= part < _MAXIMUM_PARTS:
        raise ValueError(f"part {part!r}")
    return part


def _read_block(header: dict[str, Any], message: Message, terms: CableTerms, received_ns: int) -> DasBlock:
    channel_count, sample_count = (int(size) for size in header["shape"])
    if not (0 < channel_count <= MAXIMUM_CHANNELS and sample_count > 0):
        raise ValueError(f"shape {header['shape']}")
    if header["dtype"] not in _TYPES:
        raise ValueError(f"dtype {header['dtype']!r}, none of {', '.join(_TYPES)}")
    dtype = np.dtype(header["dtype"])
    payload = _payload(message, dtype.itemsize * channel_count * sample_count, terms)
    start_ns = int(header["start_ns"])
    require_possible_time(start_ns, channel_count * sample_count)
    samples_KT = np.frombuffer(payload, dtype).reshape(channel_count, sample_count)
    layout = _read_layout(header["layout"], terms, channel_count, _part(header))
    return DasBlock(layout, start_ns, samples_KT, terms.source, _sequence(header), received_ns)


def _payload(message: Message, expected: int, terms: CableTerms) -> bytes:
    if len(message) < 2 or len(message[1]) != expected:
        found = len(message[1]) if len(message) > 1 else 0
        detail = f"{found} bytes of samples, the header announces {expected}"
        raise UnusableMessageError(FiberRejectCause.LENGTH, detail)
    if expected > terms.maximum_block_bytes:
        detail = f"{expected} bytes, more than maximum_block_bytes"
        raise UnusableMessageError(FiberRejectCause.TOO_LARGE, detail)
    return message[1]


def _read_layout(fields: dict[str, Any], terms: CableTerms, channel_count: int, part: int) -> FiberLayout:
    layout = FiberLayout(
        fiber_of_part(terms.fiber, part),
        int(fields["first_channel"]),
        channel_count,
        float(fields["channel_spacing_m"]),
        float(fields["sampling_rate_hz"]),
        Quantity(fields["quantity"]),
        str(fields["unit"]),
        math.nan if fields.get("gauge_length_m") is None else float(fields["gauge_length_m"]),
        int(fields.get("channel_step", 1)),
        float(fields.get("first_distance_m", 0.0)),
    )
    return possible_layout(layout)


def encode_rtpick(block: DasBlock, stream: str, sequence: int, part: int = 0) -> list[bytes]:
    """Write a block as header and samples.

    Parameters
    ----------
    block : DasBlock
    stream : str
        Another one for each start of the publisher.
    sequence : int
        One more for each block of the same part.
    part : int
        Which stretch of channels, where a cable has several.

    Raises
    ------
    ValueError
        If the samples are of a type that frames do not carry.
    """
    samples_KT = np.ascontiguousarray(block.samples_KT)
    little = samples_KT.astype(samples_KT.dtype.newbyteorder("<"), copy=False)
    if little.dtype.newbyteorder("<").str not in _TYPES:
        raise ValueError(f"samples of type {little.dtype.name}: give one of {', '.join(_TYPES)}")
    header = {
        "rtpick_das": VERSION,
        "fiber": block.layout.fiber,
        "stream": stream,
        "sequence": sequence,
        "part": part,
        "start_ns": block.start_ns,
        "shape": list(samples_KT.shape),
        "dtype": little.dtype.str,
        "layout": _layout_fields(block.layout),
    }
    return _sealed([_dump(header), little.tobytes()])


def encode_rtpick_end(fiber: str, stream: str, sequence: int, end_ns: int, part: int = 0) -> list[bytes]:
    """Write the end of a stream.

    Parameters
    ----------
    fiber, stream : str
    sequence : int
        The number the next block would have had.
    end_ns : int
        Time just after the last sample.
    part : int
    """
    end = {"stream": stream, "sequence": sequence, "part": part, "end_ns": end_ns, "end": True}
    return _sealed([_dump({"rtpick_das": VERSION, "fiber": fiber, **end})])


def _sealed(frames: list[bytes]) -> list[bytes]:
    return [*frames, struct.pack("<I", _checksum(frames))]


def _dump(header: dict[str, object]) -> bytes:
    """Without blanks, and the fiber second: subscribers can tell fibers by the first bytes."""
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()


def _layout_fields(layout: FiberLayout) -> dict[str, object]:
    gauge = layout.gauge_length_m
    return {
        "first_channel": layout.first_channel,
        "channel_step": layout.channel_step,
        "channel_spacing_m": layout.channel_spacing_m,
        "first_distance_m": layout.first_distance_m,
        "sampling_rate_hz": layout.sampling_rate_hz,
        "gauge_length_m": gauge if math.isfinite(gauge) else None,
        "quantity": layout.quantity.value,
        "unit": layout.unit,
    }
