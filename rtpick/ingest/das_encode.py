"""Blocks as a publisher sends them: headers where they are due, numbers, and what greets a newcomer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from rtpick.ingest.das_asn import encode_asn_block, encode_asn_header
from rtpick.ingest.das_rtpick import encode_rtpick, encode_rtpick_end
from rtpick.ingest.das_terms import Message, fiber_of_part
from rtpick.ingest.das_xdas import GREETING
from rtpick.ingest.das_xdas_write import encode_xdas
from rtpick.vocabulary.fiber import DasBlock

PublishedFormat = Literal["asn", "xdas", "rtpick"]


@dataclass(frozen=True, slots=True)
class EncoderState:
    """What a publisher has said so far.

    Parameters
    ----------
    form : str
        ``"asn"``, ``"xdas"`` or ``"rtpick"``.
    fiber, stream : str
        rtpick: what the cable is called, and which start of the publisher this is.
    welcome : bytes or None
        What a new subscriber hears first.
    numbers : dict of str to (int, int)
        rtpick: for each fiber the number of its next block, and the end of its last. Never changed in
        place.
    """

    form: PublishedFormat
    fiber: str
    stream: str
    welcome: bytes | None = None
    numbers: dict[str, tuple[int, int]] = field(default_factory=dict)


def begin_encoding(form: PublishedFormat, fiber: str, stream: str) -> EncoderState:
    """The state before the first block."""
    return EncoderState(form, fiber, stream, GREETING if form == "xdas" else None)


def encode_block(state: EncoderState, block: DasBlock) -> tuple[EncoderState, list[Message]]:
    """Write a block as the messages that carry it.

    Raises
    ------
    ValueError
        If the format does not carry samples of that type.

    Notes
    -----
    ASN: a header goes before the first block, and before every one of another layout, type or length; it
    is also what greets new subscribers. rtpick: every fiber of the stream is a part with numbers of its own.
    """
    if state.form == "xdas":
        return state, [[encode_xdas(block)]]
    if state.form == "asn":
        header = encode_asn_header(block.layout, block.samples_KT.shape[1], block.samples_KT.dtype)
        data: list[Message] = [[encode_asn_block(block)]]
        return replace(state, welcome=header), data if header == state.welcome else [[header], *data]
    return _number(state, block)


def _number(state: EncoderState, block: DasBlock) -> tuple[EncoderState, list[Message]]:
    name = block.layout.fiber
    number, _ = state.numbers.get(name, (0, 0))
    numbers = {**state.numbers, name: (number + 1, block.end_ns)}
    part = list(numbers).index(name)
    named = replace(block, layout=replace(block.layout, fiber=fiber_of_part(state.fiber, part)))
    return replace(state, numbers=numbers), [encode_rtpick(named, state.stream, number, part)]


def encode_end(state: EncoderState) -> list[Message]:
    """Write the end of the stream, where the format has a word for it."""
    return [
        encode_rtpick_end(fiber_of_part(state.fiber, part), state.stream, number, end_ns, part)
        for part, (number, end_ns) in enumerate(state.numbers.values())
    ]
