"""Which codec reads a stream: one step for every format."""

from __future__ import annotations

from typing import Literal

from rtpick.ingest.das_asn import AsnState, decode_asn
from rtpick.ingest.das_febus import FebusState, decode_febus
from rtpick.ingest.das_rtpick import RtpickState, decode_rtpick
from rtpick.ingest.das_terms import CableTerms, Decoded, Message
from rtpick.ingest.das_xdas import XdasState, decode_xdas

Format = Literal["asn", "xdas", "rtpick", "febus"]
DecoderState = AsnState | XdasState | RtpickState | FebusState

_BEGINNINGS = {"asn": AsnState, "xdas": XdasState, "rtpick": RtpickState, "febus": FebusState}


def begin_decoding(form: Format, terms: CableTerms) -> DecoderState:
    """The state before the first message of a stream."""
    state: DecoderState = _BEGINNINGS[form](terms)
    return state


def decode_message(
    state: DecoderState, message: Message, received_ns: int = 0
) -> tuple[DecoderState, list[Decoded]]:
    """Turn one message of a stream into blocks, news and rejections, in order.

    Parameters
    ----------
    state : DecoderState
        From `begin_decoding`, or the one given back last.
    message : sequence of bytes
        The frames.
    received_ns : int
        Wall time of the receipt.

    Examples
    --------
    >>> state = begin_decoding("xdas", CableTerms("north"))
    >>> decode_message(state, [b"xdas"])[1]
    []
    """
    match state:
        case AsnState():
            return decode_asn(state, message, received_ns)
        case XdasState():
            return decode_xdas(state, message, received_ns)
        case RtpickState():
            return decode_rtpick(state, message, received_ns)
        case FebusState():
            return decode_febus(state, message, received_ns)
