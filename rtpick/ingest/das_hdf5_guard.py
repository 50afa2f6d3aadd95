"""Damage in a file that the HDF5 library would follow in circles for ever, found before it is opened.

References
----------
HDF5 File Format Specification 3.0, section III.E (global heap): a collection begins with ``GCOL``, version
1 and its size; each object has an index, and a size that leads to the next. Index 0 is the free space.
"""

from __future__ import annotations

import struct

from rtpick.ingest.das_terms import UnusableMessageError
from rtpick.vocabulary.fiber import FiberRejectCause

_SIGNATURE = b"GCOL\x01"
_COLLECTION = struct.Struct("<4sB3xQ")
_OBJECT = struct.Struct("<HHIQ")
_SMALLEST_COLLECTION = 4096


def require_walkable_heaps(payload: bytes) -> None:
    """Walk the global heaps of a file as the library would.

    Raises
    ------
    UnusableMessageError
        With the cause CORRUPT, where an object's size leads nowhere.

    Examples
    --------
    >>> require_walkable_heaps(b"no heap at all")
    """
    position = payload.find(_SIGNATURE)
    while position >= 0:
        if position % 8 == 0 and position + _COLLECTION.size <= len(payload):
            _, _, size = _COLLECTION.unpack_from(payload, position)
            if _SMALLEST_COLLECTION <= size <= len(payload) - position:
                _walk(payload, position + _COLLECTION.size, position + size)
        position = payload.find(_SIGNATURE, position + 1)


def _walk(payload: bytes, position: int, end: int) -> None:
    while position + _OBJECT.size <= end:
        index, _, _, size = _OBJECT.unpack_from(payload, position)
        step = size if index == 0 else _OBJECT.size + (size + 7) // 8 * 8
        if step < _OBJECT.size or position + step > end:
            detail = f"NetCDF4 file with a damaged heap at byte {position}"
            raise UnusableMessageError(FiberRejectCause.CORRUPT, detail)
        position += step
