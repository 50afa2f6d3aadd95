"""Blocks appended to a file that a crash can only cut short, until they are made into a recording.

The file begins with a mark and the fiber's name. Each entry is a length and the frames of one message of
rtpick's own format, each with its length; the message's checksum tells an entry that was written whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rtpick.ingest.das_rtpick import RtpickState, decode_rtpick, encode_rtpick
from rtpick.ingest.das_terms import CableTerms
from rtpick.vocabulary.fiber import DasBlock

ENDING = ".spool"
_MARK = b"rtpick spool 1\n"
_LENGTH = struct.Struct("<I")
_MAXIMUM_PIECE_BYTES = 1 << 31


class Spool:
    """A spool that is written; one owner.

    Parameters
    ----------
    path : Path
        Its folder exists, it does not.
    fiber : str
    """

    def __init__(self, path: Path, fiber: str) -> None:
        self.path = path
        self.byte_count = 0
        self._file: BinaryIO = path.open("xb")
        self._write([_MARK, _piece(fiber.encode())])

    def append(self, block: DasBlock) -> None:
        """Write a block; from then on it survives the death of this process."""
        frames = [_piece(frame) for frame in encode_rtpick(block, "spool", 0)]
        self._write([_LENGTH.pack(sum(map(len, frames))), *frames])

    def _write(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._file.write(piece)
            self.byte_count += len(piece)
        self._file.flush()

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def read_spool(path: Path) -> Iterator[DasBlock]:
    """Read a spool's blocks up to its end, or to the entry that a crash cut short."""
    with path.open("rb") as file:
        named = file.read(len(_MARK)) == _MARK
        fiber = _read_piece(file) if named else None
        if fiber is None:
            return
        terms = CableTerms(fiber.decode("utf-8", "replace"), maximum_block_bytes=_MAXIMUM_PIECE_BYTES)
        state = RtpickState(terms)
        while (entry := _read_piece(file)) is not None:
            state, decoded = decode_rtpick(state, _split(entry))
            blocks = [item for item in decoded if isinstance(item, DasBlock)]
            if not blocks:
                return  # damaged: what lies behind it cannot be trusted either
            yield from blocks


def _piece(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content


def _read_piece(file: BinaryIO) -> bytes | None:
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = file.read(length) if length <= _MAXIMUM_PIECE_BYTES else b""
    return content if len(content) == length else None


def _split(entry: bytes) -> list[bytes]:
    frames, position = [], 0
    while position + _LENGTH.size <= len(entry):
        (length,) = _LENGTH.unpack_from(entry, position)
        position += _LENGTH.size
        frames.append(entry[position : position + length])
        position += length
    return frames
