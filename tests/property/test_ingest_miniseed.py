"""Whatever bytes come, decoding gives a packet or says why not; and good records survive bad company."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pymseed import DataEncoding, MS3Record

from rtpick.ingest.miniseed import UnusableRecordError, decode_record, iterate_records
from rtpick.ingest.sanitise import sanitise_packet
from rtpick.vocabulary.waveform import Packet, Rejection

NOW_NS = 1_795_200_000_000_000_000


def make_record(samples: list[int], version: int) -> bytes:
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.formatversion = version
    record.sourceid = "FDSN:BW_UH1__S_H_Z"
    record.starttime = NOW_NS - 10**12
    record.samprate = 100.0
    (data,) = record.generate(data_samples=samples, sample_type="i")
    return bytes(data)


RECORDS = {version: make_record([(n * n) % 1009 - 500 for n in range(150)], version) for version in (2, 3)}
samples_in_range = st.lists(st.integers(-(2**27), 2**27), min_size=1, max_size=50)


def judge(record: bytes) -> Packet | Rejection:
    try:
        packet = decode_record(record, source="ring", sequence=1, received_ns=NOW_NS)
    except UnusableRecordError as error:
        return error.rejection
    return sanitise_packet(packet, NOW_NS)


@settings(max_examples=150, deadline=None)
@given(samples=samples_in_range, version=st.sampled_from([2, 3]))
def test_what_was_encoded_is_decoded(samples, version):
    packet = decode_record(make_record(samples, version), source="ring", sequence=1, received_ns=0)
    assert packet.samples.tolist() == samples


@settings(max_examples=300, deadline=None)
@given(
    flips=st.lists(st.integers(0, 512 * 8 - 1), min_size=1, max_size=12, unique=True),
    version=st.sampled_from([2, 3]),
)
@example(flips=[8 * 20], version=2)
@example(flips=[135], version=2)
@example(flips=[8 * 46], version=2)
def test_flipped_bits_never_raise_anything_else(flips, version):
    damaged = bytearray(RECORDS[version])
    for bit in flips:
        damaged[bit // 8 % len(damaged)] ^= 1 << (bit % 8)
    judged = judge(bytes(damaged))
    if version == 3 and bytes(damaged) != RECORDS[3]:
        assert isinstance(judged, Rejection)


@settings(max_examples=200, deadline=None)
@given(noise=st.binary(max_size=1024))
def test_noise_is_rejected(noise):
    assert isinstance(judge(noise), Rejection)


def any_fragment_looks_whole(pieces: list[bytes]) -> bool:
    """Whether a cut record is made up to its full length by what happens to follow."""
    starts = [0, *accumulate(map(len, pieces))]
    return any(
        start + 512 in starts
        for start, piece in zip(starts, pieces, strict=False)
        if len(piece) < 512 and piece[:6] == RECORDS[2][:6]
    )


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from(list(RECORDS.values())),
            st.integers(1, 300).map(lambda count: RECORDS[2][:count]),
            st.binary(min_size=1, max_size=300),
        ),
        max_size=8,
    )
)
def test_whole_records_are_found_among_fragments(pieces):
    pieces = [*pieces, RECORDS[2]]
    assume(not any_fragment_looks_whole(pieces))
    items = list(iterate_records(b"".join(pieces)))
    whole = [piece for piece in pieces if piece in RECORDS.values()]
    assert [item for item in items if isinstance(item, bytes)] == whole
