"""ASN OptoDAS frames: a JSON header that tells the layout, then times and raw samples.

Arrays: K fiber channel, T time.

References
----------
The convention as the interrogators' public readers use it: one frame a message; a header is JSON with
``bytesPerPackage``; data are the time of the first sample (uint64, ns since 1970) and samples, time-major,
all little-endian.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace

import numpy as np

from rtpick.ingest.das_asn_header import AsnHeader, Region, parse_asn_header
from rtpick.ingest.das_terms import (
    CableTerms,
    Decoded,
    LayoutNews,
    Message,
    UnusableMessageError,
    require_possible_time,
)
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejectCause

TIME_BYTES = 8
_DATA_TYPES = {"int16": "short", "int32": "int", "int64": "long", "float32": "float", "float64": "double"}


@dataclass(frozen=True, slots=True)
class AsnState:
    """What is known of a stream: the layout last announced.

    Parameters
    ----------
    terms : CableTerms
    header : AsnHeader or None
        None until the first header: data before it cannot be read.
    """

    terms: CableTerms
    header: AsnHeader | None = None


def decode_asn(state: AsnState, message: Message, received_ns: int = 0) -> tuple[AsnState, list[Decoded]]:
    """Turn one message into the blocks it holds, one for each stretch of channels.

    Parameters
    ----------
    state : AsnState
    message : sequence of bytes
        The last frame counts; one before it is a topic.
    received_ns : int
        Wall time of the receipt.

    Returns
    -------
    state : AsnState
    decoded : list of DasBlock, LayoutNews or FiberRejection
        Blocks look into the message's bytes; nothing is copied but where a sensitivity is applied.

    Notes
    -----
    A message is tried as a header first: two layouts may have packets of one length, and only the header
    between them tells. A damaged header leaves the layout as it was; data of another length are refused.

    Examples
    --------
    >>> state, decoded = decode_asn(AsnState(CableTerms("north")), [b"neither"])
    >>> decoded[0].cause
    <FiberRejectCause.NO_HEADER: 'no_header'>
    """
    payload = message[-1] if message else b""
    try:
        header = parse_asn_header(payload, state.terms)
        if header is not None:
            return _announce(state, header)
        return state, list(_read_samples(state, payload, received_ns))
    except UnusableMessageError as error:
        return state, [error.rejection(state.terms.fiber)]


def _announce(state: AsnState, header: AsnHeader) -> tuple[AsnState, list[Decoded]]:
    """Keep a header; tell it where it is new. It is repeated to every new subscriber."""
    known = state.header
    if known is not None and known.text == header.text:
        return state, []
    news: list[Decoded] = [
        LayoutNews(region.layout.fiber, region.layout, header.remark) for region in header.regions
    ]
    return replace(state, header=header), news


def _read_samples(state: AsnState, payload: bytes, received_ns: int) -> list[DasBlock]:
    """Read a data message by the layout announced."""
    header = state.header
    if header is None:
        detail = f"{len(payload)} bytes before the first header"
        raise UnusableMessageError(FiberRejectCause.NO_HEADER, detail)
    expected = TIME_BYTES + header.dtype.itemsize * header.channel_count * header.sample_count
    if len(payload) != expected:
        detail = f"{len(payload)} bytes, the header announces {expected}"
        raise UnusableMessageError(FiberRejectCause.LENGTH, detail)
    (start_ns,) = struct.unpack_from("<Q", payload)
    require_possible_time(start_ns, header.channel_count * header.sample_count)
    samples = np.frombuffer(payload, header.dtype, offset=TIME_BYTES)
    samples_KT = samples.reshape(header.sample_count, header.channel_count).T
    return [_block(region, samples_KT, start_ns, state.terms, received_ns) for region in header.regions]


def _block(
    region: Region, samples_KT: np.ndarray, start_ns: int, terms: CableTerms, received_ns: int
) -> DasBlock:
    rows_KT = samples_KT[region.first_row : region.first_row + region.layout.channel_count]
    if region.sensitivity is not None:
        rows_KT = (rows_KT / region.sensitivity).astype(np.float32)
    return DasBlock(region.layout, start_ns, rows_KT, terms.source, None, received_ns)


def encode_asn_header(layout: FiberLayout, sample_count: int, dtype: np.dtype[np.generic]) -> bytes:
    """Announce blocks of `sample_count` samples of a layout.

    Raises
    ------
    ValueError
        If the convention has no word for the samples' type.

    Examples
    --------
    >>> layout = FiberLayout("north", 0, 50, 8.0, 250.0)
    >>> b'"nChannels": 50' in encode_asn_header(layout, 100, np.dtype("float32"))
    True
    """
    data_type = _DATA_TYPES.get(dtype.name)
    if data_type is None:
        raise ValueError(f"samples of type {dtype.name}: give one of {', '.join(_DATA_TYPES)}")
    step = layout.channel_step
    last = layout.first_channel + step * (layout.channel_count - 1)
    header = {
        "bytesPerPackage": dtype.itemsize * layout.channel_count,
        "nPackagesPerMessage": sample_count,
        "nChannels": layout.channel_count,
        "dataType": data_type,
        "dx": layout.channel_spacing_m / step,
        "dt": 1.0 / layout.sampling_rate_hz,
        "dtUnit": "s",
        "dxUnit": "m",
        "roiTable": [{"roiStart": layout.first_channel, "roiEnd": last, "roiDec": step}],
    }
    if np.isfinite(layout.gauge_length_m):
        header["gaugeLength"] = layout.gauge_length_m
    return json.dumps(header).encode()


def encode_asn_block(block: DasBlock) -> bytes:
    """Write a block's time and samples; the header of its layout has been sent before."""
    samples_TK = np.ascontiguousarray(block.samples_KT.T)
    little = samples_TK.astype(samples_TK.dtype.newbyteorder("<"), copy=False)
    return struct.pack("<Q", block.start_ns) + little.tobytes()
