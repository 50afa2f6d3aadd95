"""Codecs of fiber streams: every case of the formats, on tiny geometries."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rtpick.ingest.das_asn import AsnState, decode_asn, encode_asn_block, encode_asn_header
from rtpick.ingest.das_febus import REQUEST, FebusState, decode_febus
from rtpick.ingest.das_messages import begin_decoding, decode_message
from rtpick.ingest.das_rtpick import RtpickState, decode_rtpick, encode_rtpick, encode_rtpick_end
from rtpick.ingest.das_terms import CableTerms, Decoded, LayoutNews, StreamBegin, StreamEnd, layouts_agree
from rtpick.ingest.das_xdas import XdasState, decode_xdas
from rtpick.ingest.das_xdas_write import encode_xdas
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, FiberRejectCause, FiberRejection, Quantity
from rtpick.vocabulary.time import parse_utc

TERMS = CableTerms("north", source="cable")
T0 = parse_utc("2026-11-21T12:00:00.25Z")


def blocks_of(decoded: list[Decoded]) -> list[DasBlock]:
    return [item for item in decoded if isinstance(item, DasBlock)]


def cause_of(decoded: list[Decoded]) -> FiberRejectCause:
    (rejection,) = decoded
    assert isinstance(rejection, FiberRejection)
    assert rejection.fiber == "north"
    assert rejection.detail
    return rejection.cause


def asn_header(**changes: Any) -> bytes:
    fields = {
        **{"bytesPerPackage": 24, "nPackagesPerMessage": 3, "nChannels": 6, "dataType": "int"},
        **{"dx": 2.0, "dt": 10, "dtUnit": "ms", "dxUnit": "m", "somethingNew": {"x": [1]}},
        "roiTable": [{"roiStart": 0, "roiEnd": 5, "roiDec": 1}],
        **changes,
    }
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()


def asn_data(dtype: str = "<i4", channels: int = 6, start_ns: int = T0) -> bytes:
    return struct.pack("<Q", start_ns) + np.arange(3 * channels, dtype=dtype).tobytes()


def read_asn(*messages: bytes, terms: CableTerms = TERMS) -> list[Decoded]:
    state, decoded = AsnState(terms), []
    for message in messages:
        state, items = decode_asn(state, [message])
        decoded += items
    return decoded


@pytest.mark.parametrize(
    ("period", "unit", "rate_hz"),
    [(4e6, "ns", 250.0), (4e3, "us", 250.0), (2, "ms", 500.0), (0.01, "s", 100.0)],
)
def test_asn_periods_in_every_unit(period: float, unit: str, rate_hz: float) -> None:
    (block,) = blocks_of(read_asn(asn_header(dt=period, dtUnit=unit), asn_data()))
    assert block.layout.sampling_rate_hz == rate_hz


@pytest.mark.parametrize(
    ("word", "dtype"),
    [("short", "<i2"), ("int", "<i4"), ("long", "<i8"), ("float", "<f4"), ("double", "<f8")],
)
def test_asn_samples_of_every_type(word: str, dtype: str) -> None:
    header = asn_header(dataType=word, bytesPerPackage=6 * np.dtype(dtype).itemsize)
    (block,) = blocks_of(read_asn(header, asn_data(dtype)))
    assert block.samples_KT.dtype == dtype
    np.testing.assert_array_equal(block.samples_KT, np.arange(18).reshape(3, 6).T)


def test_asn_data_before_the_header_are_dropped_and_counted() -> None:
    decoded = read_asn(asn_data(), asn_header(), asn_data())
    assert [type(item) for item in decoded] == [FiberRejection, LayoutNews, DasBlock]
    assert cause_of(decoded[:1]) is FiberRejectCause.NO_HEADER


def test_asn_layouts_with_packets_of_one_length_are_told_by_their_headers() -> None:
    other = asn_header(nChannels=3, bytesPerPackage=24, dataType="long", dx=9.0)
    other = other.replace(b'"roiEnd": 5', b'"roiEnd": 2')
    decoded = read_asn(asn_header(), asn_data(), other, asn_data())
    assert [block.samples_KT.shape for block in blocks_of(decoded)] == [(6, 3), (3, 3)]
    assert [block.layout.channel_spacing_m for block in blocks_of(decoded)] == [2.0, 9.0]


def test_asn_a_repeated_header_is_no_news() -> None:
    decoded = read_asn(asn_header(), asn_header(), asn_data())
    assert [type(item) for item in decoded] == [LayoutNews, DasBlock]


def test_asn_data_that_begin_with_a_brace_are_data() -> None:
    start_ns = T0 - T0 % 256 + ord("{")
    (block,) = blocks_of(read_asn(asn_header(), asn_data(start_ns=start_ns)))
    assert block.start_ns == start_ns


def test_asn_decimated_channels_lie_where_the_table_says() -> None:
    table = [{"roiStart": 100, "roiEnd": 120, "roiDec": 4}]
    for before, spacing_m, first_m in ((True, 8.0, 200.0), (False, 2.0, 50.0)):
        terms = CableTerms("north", spacing_before_decimation=before)
        decoded = read_asn(asn_header(roiTable=table), asn_data(), terms=terms)
        (block,) = blocks_of(decoded)
        assert block.layout.channel_numbers.tolist() == [100, 104, 108, 112, 116, 120]
        assert (block.layout.channel_spacing_m, block.layout.first_distance_m) == (spacing_m, first_m)
        assert isinstance(decoded[0], LayoutNews)
        assert "spacing_before_decimation" in decoded[0].remark


def test_asn_several_regions_are_fibers_of_their_own() -> None:
    table = [{"roiStart": 0, "roiEnd": 3, "roiDec": 1}, {"roiStart": 10, "roiEnd": 12, "roiDec": 2}]
    first, second = blocks_of(read_asn(asn_header(roiTable=table), asn_data()))
    assert (first.layout.fiber, second.layout.fiber) == ("north", "north.2")
    assert second.layout.channel_numbers.tolist() == [10, 12]
    assert second.layout.distances_m.tolist() == [20.0, 24.0]
    np.testing.assert_array_equal(second.samples_KT, np.arange(18).reshape(3, 6).T[4:])


def test_asn_regions_that_go_on_from_one_another_are_one() -> None:
    table = [{"roiStart": 0, "roiEnd": 3, "roiDec": 1}, {"roiStart": 4, "roiEnd": 5, "roiDec": 1}]
    (block,) = blocks_of(read_asn(asn_header(roiTable=table), asn_data()))
    assert block.layout.channel_count == 6


def test_asn_sensitivity_gives_the_physical_quantity() -> None:
    header = asn_header(sensitivities=[{"factor": 4.0}], gaugeLength=10.2)
    (block,) = blocks_of(read_asn(header, asn_data()))
    np.testing.assert_array_equal(block.samples_KT, np.arange(18, dtype="f4").reshape(3, 6).T / 4)
    assert block.layout.gauge_length_m == 10.2
    raw = CableTerms("north", apply_sensitivity=False, quantity=Quantity.COUNTS, unit="counts")
    (block,) = blocks_of(read_asn(header, asn_data(), terms=raw))
    assert (block.samples_KT.dtype, block.layout.quantity) == (np.dtype("<i4"), Quantity.COUNTS)


@pytest.mark.parametrize(
    "changes",
    [
        {"nChannels": 0},
        {"nChannels": "six"},
        {"dataType": "complex"},
        {"dt": 0},
        {"dt": float("nan")},
        {"dt": 1e300},
        {"dt": 1e-300},
        {"dx": 1e300},
        {"roiTable": [{"roiStart": 10**11}]},
        {"dx": None},
        {"dtUnit": "fortnight"},
        {"bytesPerPackage": 23},
        {"nPackagesPerMessage": 10**9},
        {"roiTable": [{"roiStart": 0}, {"roiStart": 9}]},
        {"roiTable": [{"roiStart": 0, "roiEnd": 1}, {"roiStart": 5, "roiEnd": 6}]},
        {"roiTable": [{"roiDec": 1}]},
        {"roiTable": [7]},
    ],
)
def test_asn_a_header_that_cannot_be_leaves_the_layout_as_it_was(changes: dict[str, Any]) -> None:
    decoded = read_asn(asn_header(), asn_header(**changes), asn_data())
    assert [type(item) for item in decoded] == [LayoutNews, FiberRejection, DasBlock]
    assert cause_of(decoded[1:2]) is FiberRejectCause.LAYOUT


def test_asn_times_that_cannot_be_are_refused() -> None:
    assert cause_of(read_asn(asn_header(), asn_data(start_ns=5))[1:]) is FiberRejectCause.DATE
    assert cause_of(read_asn(asn_header(), asn_data(start_ns=1 << 63))[1:]) is FiberRejectCause.DATE


def make_block(channels: int = 4, samples: int = 5, fiber: str = "north") -> DasBlock:
    layout = FiberLayout(fiber, 10, channels, 8.0, 200.0, first_distance_m=80.0)
    values = np.arange(channels * samples, dtype=np.float32).reshape(channels, samples)
    return DasBlock(layout, T0, values)


def test_asn_encoder_refuses_what_has_no_word() -> None:
    with pytest.raises(ValueError, match="int16"):
        encode_asn_header(make_block().layout, 5, np.dtype("complex64"))
    assert encode_asn_block(make_block())[:8] == struct.pack("<Q", T0)


def test_xdas_takes_any_order_of_axes_any_shape_of_coordinates() -> None:
    for shape in ("interpolated", "sampled", "dense"):
        for time_first in (True, False):
            payload = encode_xdas(make_block(), shape, time_first=time_first)  # type: ignore[arg-type]
            (block,) = blocks_of(decode_xdas(XdasState(TERMS), [payload])[1])
            np.testing.assert_array_equal(block.samples_KT, make_block().samples_KT)
            assert block.start_ns == T0
            assert layouts_agree(block.layout, make_block().layout)
            assert block.layout.channel_numbers.tolist() == [10, 11, 12, 13]


def edited_chunk(edit: Any) -> bytes:
    buffer = io.BytesIO(encode_xdas(make_block()))
    with h5py.File(buffer, "r+") as file:
        edit(file)
    return buffer.getvalue()


def rewrite(file: h5py.File, name: str, values: Any, **attributes: str) -> None:
    kept = dict(file[name].attrs)
    del file[name]
    file[name] = values
    for key, value in {**kept, **attributes}.items():
        file[name].attrs[key] = value


@pytest.mark.parametrize(
    ("values", "units", "start"),
    [
        ([0, 4], "seconds since 2026-11-21T12:00:00Z", "2026-11-21T12:00:00"),
        ([1, 5], "minutes since 2026-11-21 12:00:00.5", "2026-11-21T12:01:00.5"),
        ([2, 6], "days since 2026-01-01", "2026-01-03"),
        ([0.5, 4.5], "hours since 2026-11-21 12:00", "2026-11-21T12:30"),
        ([0.25, 4.25], "us since 2026-11-21 12:00:00", "2026-11-21T12:00:00.00000025"),
    ],
)
def test_xdas_time_units_are_read_from_each_message(values: list[float], units: str, start: str) -> None:
    payload = edited_chunk(lambda file: rewrite(file, "time_values", np.array(values), units=units))
    (block,) = blocks_of(decode_xdas(XdasState(TERMS), [payload])[1])
    assert block.start_ns == parse_utc(start)


def test_xdas_more_tie_points_are_a_gap_inside_the_chunk() -> None:
    def open_gap(file: h5py.File) -> None:
        rewrite(file, "time_indices", np.array([0, 2, 3, 4]))
        rewrite(file, "time_values", np.array([0, 10, 100, 105]) * 1_000_000)

    first, second = blocks_of(decode_xdas(XdasState(TERMS), [edited_chunk(open_gap)])[1])
    assert (first.samples_KT.shape, second.samples_KT.shape) == ((4, 3), (4, 2))
    assert second.start_ns - first.start_ns == 100_000_000
    assert first.layout.sampling_rate_hz == second.layout.sampling_rate_hz == 200.0
    np.testing.assert_array_equal(second.samples_KT, make_block().samples_KT[:, 3:])


def add_link(file: h5py.File) -> None:
    file["other"] = h5py.ExternalLink("/etc/hostname", "/x")


def add_plane(file: h5py.File) -> None:
    file["another"] = np.zeros((2, 2))


def outside(file: h5py.File) -> None:
    del file["__values__"]
    file.create_dataset("v", (4, 5), "u1", external=[("/etc/hostname", 0, 20)])


@pytest.mark.parametrize(
    "edit",
    [
        add_link,
        add_plane,
        outside,
        lambda file: rewrite(file, "time_values", np.array([0, 4]), units="fortnights since 2026-01-01"),
        lambda file: rewrite(file, "time_values", np.array([0, 4]), units="seconds since yesterday"),
        lambda file: rewrite(file, "time_values", np.array([0, 4]), calendar="360_day"),
        lambda file: rewrite(file, "time_values", np.array([0.0, np.inf])),
        lambda file: rewrite(file, "time_values", np.array([0, 0])),
        lambda file: rewrite(file, "time_values", np.array([0, 1 << 62])),
        lambda file: rewrite(file, "time_indices", np.array([0, 7])),
        lambda file: rewrite(file, "time_indices", np.array([4, 0])),
        lambda file: rewrite(file, "distance_values", np.array([np.nan, 1.0])),
        lambda file: rewrite(file, "distance_values", np.array([0.0, 1e300])),
        lambda file: rewrite(file, "distance_values", np.array([1e200, 1e200 + 1])),
        lambda file: file.move("time", "zeit"),
    ],
)
def test_xdas_chunks_that_cannot_be_placed_are_refused(edit: Any) -> None:
    assert cause_of(decode_xdas(XdasState(TERMS), [edited_chunk(edit)])[1]) is FiberRejectCause.LAYOUT


def test_xdas_a_chunk_that_would_fill_the_memory_is_refused() -> None:
    def swell(file: h5py.File) -> None:
        del file["__values__"]
        file.create_dataset("__values__", (1 << 20, 1 << 12), "f4", chunks=(1024, 1024))

    assert cause_of(decode_xdas(XdasState(TERMS), [edited_chunk(swell)])[1]) is FiberRejectCause.TOO_LARGE


def test_rtpick_frames_tell_starts_layouts_and_ends() -> None:
    state, decoded = RtpickState(TERMS), []
    first, second = encode_rtpick(make_block(), "a", 0), encode_rtpick(make_block(), "a", 1)
    restarted = encode_rtpick(make_block(channels=3), "b", 0)
    for message in (first, second, restarted, encode_rtpick_end("north", "b", 1, T0)):
        state, items = decode_rtpick(state, message)
        decoded += items
    kinds = [type(item) for item in decoded]
    assert kinds == [
        StreamBegin,
        LayoutNews,
        DasBlock,
        DasBlock,
        StreamBegin,
        LayoutNews,
        DasBlock,
        StreamEnd,
    ]
    assert decoded[-1] == StreamEnd("north", 1, T0)
    assert [block.sequence for block in blocks_of(decoded)] == [0, 1, 0]


def test_rtpick_parts_of_a_cable_are_told_apart() -> None:
    state, decoded = RtpickState(TERMS), []
    for number in range(2):
        for part in range(2):
            state, items = decode_rtpick(state, encode_rtpick(make_block(), "a", number, part))
            decoded += items
    assert len([item for item in decoded if isinstance(item, LayoutNews)]) == 2
    assert [block.layout.fiber for block in blocks_of(decoded)] == ["north", "north.2", "north", "north.2"]


def test_rtpick_every_flipped_bit_is_found() -> None:
    message = encode_rtpick(make_block(), "a", 0)
    for number, frame in enumerate(message):
        for place in range(0, len(frame), 7):
            flipped = [bytearray(part) for part in message]
            flipped[number][place] ^= 4
            decoded = decode_rtpick(RtpickState(TERMS), [bytes(part) for part in flipped])[1]
            assert cause_of(decoded) is FiberRejectCause.CORRUPT


def test_rtpick_another_version_is_named() -> None:
    from rtpick.ingest.das_rtpick import _sealed

    decoded = decode_rtpick(RtpickState(TERMS), _sealed([b'{"rtpick_das":2}']))[1]
    assert cause_of(decoded) is FiberRejectCause.LAYOUT


def febus_reply(block_s: float, samples_TK: np.ndarray, kind: int = 1) -> list[bytes]:
    """What a device answers, by its public readers."""
    times, channels = samples_TK.shape
    measures = struct.pack("<6d", 2.0, 5.0, 0.0, 100.0, 0.0, 0.0)
    extents = struct.pack("<4i", 10, 9 + channels, 0, times - 1)
    return [
        struct.pack("<id", kind, block_s),
        measures + extents + bytes(12),
        samples_TK.astype("<f4").tobytes(),
    ]


def test_febus_keeps_the_middle_half_and_asks_again_for_a_newer_block() -> None:
    whole_TK = np.arange(16 * 3).reshape(16, 3)
    state, decoded = FebusState(TERMS), []
    for start in (0, 0, 4, 8):  # blocks of 8 samples of 5 ms, overlapping by half; one is asked for twice
        reply = febus_reply(T0 / 1e9 + start * 0.005, whole_TK[start : start + 8])
        state, items = decode_febus(state, reply)
        decoded += items
    blocks = blocks_of(decoded)
    np.testing.assert_array_equal(np.hstack([block.samples_KT for block in blocks]).T, whole_TK[2:14])
    assert [block.start_ns for block in blocks] == pytest.approx(
        [T0 + k * 20_000_000 + 10_000_000 for k in range(3)], abs=500
    )
    assert (blocks[0].layout.first_channel, blocks[0].layout.first_distance_m) == (10, 120.0)
    assert bytes(8) == REQUEST


def test_febus_replies_that_are_none() -> None:
    good = febus_reply(T0 / 1e9, np.zeros((8, 3)))
    for reply in ([], good[:2], [b"", *good[1:]], [*good[:2], good[2][:-4]], [good[0], bytes(76), good[2]]):
        cause_of(decode_febus(FebusState(TERMS), reply)[1])
    assert cause_of(decode_febus(FebusState(TERMS), febus_reply(1e9, np.zeros((8, 3)), 4))[1]) == "layout"


@pytest.mark.parametrize("form", ["asn", "xdas", "rtpick", "febus"])
def test_garbage_is_one_rejection_in_every_format(form: Any) -> None:
    for message in (
        [],
        [b""],
        [b"\x00" * 100],
        [b"{}"],
        [b"{", b"}"],
        [b"[1]"],
        [b"{" * 100_000],
        [b"\x89HDF\r\n\x1a\n" * 9],
    ):
        state, decoded = decode_message(begin_decoding(form, TERMS), message)
        cause_of(decoded)
        assert state == begin_decoding(form, TERMS)


def test_the_writer_on_the_page_of_the_format_is_understood() -> None:
    page = (Path(__file__).parents[2] / "deploy" / "das-frames.md").read_text("utf-8")
    names: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    layout = {
        **{"first_channel": 3, "channel_spacing_m": 2.0, "sampling_rate_hz": 100.0, "gauge_length_m": None},
        **{"quantity": "strain", "unit": "1"},
    }
    message = names["message"](np.ones((2, 5), "<f4"), T0, 7, layout)
    assert message[0].startswith(b'{"rtpick_das":1,"fiber":"north",')
    (block,) = blocks_of(decode_rtpick(RtpickState(TERMS), message)[1])
    assert (block.sequence, block.layout.first_channel, block.layout.quantity) == (7, 3, Quantity.STRAIN)


def test_xdas_a_heap_that_leads_in_circles_is_found_before_it_is_followed() -> None:
    payload = bytearray(encode_xdas(make_block()))
    heap = payload.index(b"GCOL")
    (size,) = struct.unpack_from("<Q", payload, heap + 8)
    position, places = heap + 16, []
    while position + 16 <= heap + size:
        index, _, _, length = struct.unpack_from("<HHIQ", payload, position)
        places.append(position)
        position += length if index == 0 else 16 + -(-length // 8) * 8
    assert len(places) > 1
    for place in places:
        for length in (0, 1 << 40, (1 << 64) - 16):
            damaged = bytearray(payload)
            struct.pack_into("<HHIQ", damaged, place, 0, 0, 0, length)
            decoded = decode_xdas(XdasState(TERMS), [bytes(damaged)])[1]
            assert cause_of(decoded) is FiberRejectCause.CORRUPT


def test_xdas_dimensions_are_found_by_reference_too() -> None:
    def forget(file: h5py.File) -> None:
        del file["__values__"].attrs["_Netcdf4Coordinates"]

    (block,) = blocks_of(decode_xdas(XdasState(TERMS), [edited_chunk(forget)])[1])
    np.testing.assert_array_equal(block.samples_KT, make_block().samples_KT)


@pytest.mark.parametrize(
    "layout",
    [
        FiberLayout("north", 0, 4, 8.0, 1e-300),
        FiberLayout("north", 10**12, 4, 8.0, 100.0),
        FiberLayout("north", 0, 4, float("inf"), 100.0),
        FiberLayout("north", 0, 4, 8.0, 100.0, first_distance_m=float("nan")),
        FiberLayout("north", 0, 4, 8.0, 100.0, channel_step=0),
    ],
)
def test_rtpick_layouts_that_no_cable_has_are_refused(layout: FiberLayout) -> None:
    block = DasBlock(layout, T0, np.zeros((4, 5), np.float32))
    assert cause_of(decode_rtpick(RtpickState(TERMS), encode_rtpick(block, "a", 0))[1]) == "layout"
