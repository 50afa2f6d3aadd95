"""What the first bytes of a miniSEED record say about its layout, before anything is decoded.

Lengths found here depend on the record's own bytes alone, never on what follows it, so that a
stream may be cut anywhere.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from rtpick.vocabulary.errors import RecordError

HEADER_BYTES = 48  # fixed header of miniSEED 2
DEFAULT_RECORD_BYTES = 512  # miniSEED 2 without blockette 1000, and all of legacy SeedLink
MAXIMUM_RECORD_BYTES = 1 << 20
_HEADER3 = struct.Struct("<2sBBIHHBBBBdIIBBHI")
_HEADER2 = struct.Struct(">H22xHH")  # from byte 20: year, offset of the samples, first blockette
_FIXED_HEADER2 = re.compile(rb"[0-9 \0]{6}[DRQM][ \0].{16}[\0-\x17][\0-\x3b][\0-\x3c]", re.DOTALL)
_BLOCKETTE_LIMIT = 32  # a chain longer than this is a damaged header
_START = re.compile(rb"[0-9 \0]{6}[DRQM][ \0][A-Z0-9 ]{12}|MS\x03.{9}[\0-\x17][\0-\x3b][\0-\x3c]", re.DOTALL)
START_BYTES = 20  # as many as the pattern above looks at


class Layout(NamedTuple):
    """Length of a miniSEED 2 record, where its samples begin and struct's byte order of them."""

    length: int
    data_offset: int
    data_order: str


def record_length(data: bytes | bytearray, start: int = 0) -> int | None:
    """Length in bytes of the record that begins at `start`.

    Returns
    -------
    int or None
        None while too few bytes are there to tell.

    Raises
    ------
    RecordError
        If no miniSEED record begins here.

    Examples
    --------
    >>> record_length(b"000001D ") is None
    True
    """
    if data[start : start + 3] == b"MS\x03":
        return _length3(data, start)
    layout = read_layout(data, start)
    return None if layout is None else layout.length


def find_record(data: bytes | bytearray, start: int, end: int | None = None) -> int | None:
    """Offset of the next record header at or behind `start`; None where there is none."""
    limit = len(data) if end is None else end
    match = _START.search(data, start, limit)
    while match is not None:
        try:
            record_length(data, match.start())
        except RecordError:
            match = _START.search(data, match.start() + 1, limit)  # true ones may overlap with false ones
            continue
        return match.start()
    return None


def looks_like_record(data: bytes | bytearray, start: int) -> bool:
    """Whether a record header stands at `start`."""
    return _START.match(data, start) is not None


def read_layout(data: bytes | bytearray, start: int = 0) -> Layout | None:
    """Read the fixed header and the blockettes of a miniSEED 2 record; None while bytes are missing.

    Raises
    ------
    RecordError
        If the header is no miniSEED 2 header.
    """
    if len(data) - start < HEADER_BYTES:
        return None
    if _FIXED_HEADER2.match(data, start) is None:
        raise RecordError("no miniSEED header here: set these bytes aside")
    year, data_offset, blockette = _HEADER2.unpack_from(data, start + 20)
    order = ">" if 1900 <= year <= 2100 else "<"
    if order == "<":
        data_offset, blockette = struct.unpack_from("<HH", data, start + 44)
    return _walk_blockettes(data, start, blockette, order, data_offset)


def _walk_blockettes(
    data: bytes | bytearray, start: int, blockette: int, order: str, data_offset: int
) -> Layout | None:
    """Follow the chain to blockette 1000: length as a power of two, byte order of the samples."""
    for _ in range(_BLOCKETTE_LIMIT):
        if blockette < HEADER_BYTES:
            return Layout(DEFAULT_RECORD_BYTES, data_offset, ">")
        at = start + blockette
        if at + 8 > len(data):
            return None
        kind, following = struct.unpack_from(order + "HH", data, at)
        if kind == 1000:
            return Layout(_length1000(data[at + 6]), data_offset, "<" if data[at + 5] == 0 else ">")
        blockette = following if following > blockette else 0
    raise RecordError("a chain of blockettes without an end: set this record aside")


def _length1000(exponent: int) -> int:
    """Length of a record from the exponent in blockette 1000."""
    if not 7 <= exponent <= 20:
        raise RecordError(f"a record length of 2**{exponent} bytes: set this record aside")
    return 1 << exponent


def _length3(data: bytes | bytearray, start: int) -> int | None:
    """Length of a miniSEED 3 record from its fixed header."""
    if len(data) - start < _HEADER3.size:
        return None
    fields = _HEADER3.unpack_from(data, start)
    length = int(_HEADER3.size + fields[14] + fields[15] + fields[16])
    if fields[6] > 23 or fields[7] > 59 or fields[8] > 60 or length > MAXIMUM_RECORD_BYTES:
        raise RecordError("no miniSEED 3 header here: set these bytes aside")
    return length
