"""What is encoded decodes to the same; damage costs the message alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.ingest.das_asn import encode_asn_block, encode_asn_header
from rtpick.ingest.das_messages import Format, begin_decoding, decode_message
from rtpick.ingest.das_rtpick import encode_rtpick
from rtpick.ingest.das_terms import CableTerms, layouts_agree
from rtpick.ingest.das_xdas_write import encode_xdas
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejection

TERMS = CableTerms("north")
FORMS = st.sampled_from(["asn", "xdas", "rtpick"])


@st.composite
def blocks(draw: st.DrawFn) -> DasBlock:
    channel_count, sample_count = draw(st.integers(2, 6)), draw(st.integers(2, 7))
    spacing_m = draw(st.sampled_from([1.0, 2.5, 8.16]))
    first = draw(st.integers(0, 5000))
    rate_hz = draw(st.sampled_from([10.0, 100.0, 250.0, 300.0, 3217.803, 12.5]))
    layout = FiberLayout(
        "north", first, channel_count, spacing_m, rate_hz, first_distance_m=first * spacing_m
    )
    dtype = draw(st.sampled_from(["<i2", "<i4", "<i8", "<f4", "<f8"]))
    values = draw(
        st.lists(
            st.integers(-9, 9), min_size=channel_count * sample_count, max_size=channel_count * sample_count
        )
    )
    samples_KT = np.array(values, dtype).reshape(channel_count, sample_count)
    return DasBlock(layout, draw(st.integers(10**18, 2 * 10**18)), samples_KT)


def encode(form: str, block: DasBlock) -> list[list[bytes]]:
    if form == "asn":
        header = encode_asn_header(block.layout, block.samples_KT.shape[1], block.samples_KT.dtype)
        return [[header], [encode_asn_block(block)]]
    return [[encode_xdas(block)]] if form == "xdas" else [encode_rtpick(block, "start", 5)]


def decode(form: Format, messages: list[list[bytes]]) -> list[object]:
    state, decoded = begin_decoding(form, TERMS), []
    for message in messages:
        state, items = decode_message(state, message)
        decoded += items
    return decoded


@given(blocks(), FORMS)
@settings(max_examples=60, deadline=None)
def test_a_block_comes_back(block: DasBlock, form: Format) -> None:
    decoded = decode(form, encode(form, block))
    (found,) = [item for item in decoded if isinstance(item, DasBlock)]
    assert found.start_ns == block.start_ns
    assert found.samples_KT.dtype == block.samples_KT.dtype
    np.testing.assert_array_equal(found.samples_KT, block.samples_KT)
    assert layouts_agree(found.layout, block.layout)


@given(blocks(), FORMS, st.data())
@settings(max_examples=120, deadline=None)
def test_damage_costs_the_message_alone(block: DasBlock, form: Format, data: st.DataObject) -> None:
    messages = encode(form, block)
    mangled = bytearray(messages[-1][0])
    for place in data.draw(st.lists(st.integers(0, len(mangled) - 1), min_size=1, max_size=9)):
        mangled[place] ^= 1 << data.draw(st.integers(0, 7))
    mangled = mangled[: data.draw(st.integers(0, len(mangled)))]
    decoded = decode(form, [*messages, [bytes(mangled), *messages[-1][1:]], *messages])
    rejections = [item for item in decoded if isinstance(item, FiberRejection)]
    assert len(rejections) <= 1
    intact = [item for item in decoded if isinstance(item, DasBlock) and item.start_ns == block.start_ns]
    assert len(intact) >= 2
    np.testing.assert_array_equal(intact[-1].samples_KT, block.samples_KT)
