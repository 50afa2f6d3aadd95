"""Streams that real publishers sent decode to what these were given, sample for sample."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from rtpick.ingest.das_messages import Format, begin_decoding, decode_message
from rtpick.ingest.das_terms import CableTerms, LayoutNews
from rtpick.vocabulary.fiber import DasBlock, FiberRejectCause, FiberRejection

TERMS = CableTerms("north", source="cable")


def read_capture(path: Path) -> list[list[bytes]]:
    """Messages of a capture: after the mark, time, number of frames, and for each its length and bytes."""
    data, position, messages = path.read_bytes(), 6, []
    assert data[:6] == b"ZCAP1\n"
    while position < len(data):
        (count,) = struct.unpack_from("<I", data, position + 8)
        position, frames = position + 12, []
        for _ in range(count):
            (length,) = struct.unpack_from("<Q", data, position)
            frames.append(data[position + 8 : position + 8 + length])
            position += 8 + length
        messages.append(frames)
    return messages


def decode(form: Format, messages: list[list[bytes]]) -> list[object]:
    state, decoded = begin_decoding(form, TERMS), []
    for message in messages:
        state, items = decode_message(state, message, 7)
        decoded += items
    return decoded


@pytest.mark.parametrize(
    ("name", "first", "layouts"),
    [
        ("asn_f32_100x50", 0, 1),
        ("asn_i16_late", 2, 1),
        ("asn_header_change", 0, 2),
        ("xdas_f32_50x40", 0, 1),
        ("xdas_f32_late", 3, 1),
        ("xdas_i16_sampled", 0, 1),
        ("xdas_gap_overlap", 0, 1),
        ("xdas_f32_zfp", 0, 1),
    ],
)
def test_a_capture_decodes_to_what_was_submitted(shared: Path, name: str, first: int, layouts: int) -> None:
    folder = shared / "data" / "captures"
    expected = np.load(folder / f"{name}.npz")
    form: Format = "asn" if name.startswith("asn") else "xdas"
    decoded = decode(form, read_capture(folder / f"{name}.bin"))
    assert len([item for item in decoded if isinstance(item, LayoutNews)]) == layouts
    assert not [item for item in decoded if isinstance(item, FiberRejection)]
    blocks = [item for item in decoded if isinstance(item, DasBlock)]
    assert len(blocks) == len(expected["t0"]) - first
    for number, block in enumerate(blocks, first):
        samples_TK = expected[f"data{number:03d}"]
        if name.endswith("zfp"):
            np.testing.assert_allclose(block.samples_KT.T, samples_TK, atol=1e-6)
        else:
            assert block.samples_KT.dtype == samples_TK.dtype
            np.testing.assert_array_equal(block.samples_KT.T, samples_TK)
        assert block.start_ns == expected["t0"][number]
        assert block.layout.sampling_rate_hz == pytest.approx(1e9 / expected["dt_ns"][number], rel=1e-12)
        assert block.layout.channel_spacing_m == pytest.approx(expected["dx"][number], rel=1e-9)
        assert block.layout.first_distance_m == expected["x0"][number]
        assert block.layout.channel_count == samples_TK.shape[1]
        assert (block.source, block.received_ns, block.sequence) == ("cable", 7, None)


def test_a_filter_that_is_not_installed_is_named(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtpick.ingest import das_hdf5_filters

    monkeypatch.setitem(sys.modules, "hdf5plugin", None)  # an import of it fails
    monkeypatch.setattr(das_hdf5_filters.h5py.h5z, "filter_avail", lambda code: code < 32000)
    das_hdf5_filters._load_plugins.cache_clear()
    messages = read_capture(shared / "data" / "captures" / "xdas_f32_zfp.bin")[:2]
    (rejection,) = decode("xdas", messages)
    das_hdf5_filters._load_plugins.cache_clear()
    assert isinstance(rejection, FiberRejection)
    assert rejection.cause is FiberRejectCause.FILTER
    assert "zfp" in rejection.detail
    assert "install hdf5plugin" in rejection.detail


@pytest.mark.parametrize("name", ["asn_f32_100x50", "asn_header_change", "xdas_f32_50x40"])
def test_a_mangled_message_costs_itself_alone(shared: Path, name: str) -> None:
    form: Format = "asn" if name.startswith("asn") else "xdas"
    messages = read_capture(shared / "data" / "captures" / f"{name}.bin")
    whole = [item for item in decode(form, messages) if isinstance(item, DasBlock)]
    for mangled in ([b""], [], [b"garbage"], [messages[2][0][:-1]], [b"{" + messages[2][0][1:77]]):
        decoded = decode(form, [*messages[:2], mangled, *messages[2:]])
        (rejection,) = [item for item in decoded if isinstance(item, FiberRejection)]
        assert rejection.detail
        blocks = [item for item in decoded if isinstance(item, DasBlock)]
        assert [block.start_ns for block in blocks] == [block.start_ns for block in whole]
