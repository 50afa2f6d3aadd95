"""What a streaming SeedLink connection is made of, and the cutting of its bytes into that.

The frames depend on the bytes alone, never on how TCP cut them. A damaged stretch becomes one
`DamagedFrame`; the reader finds the next frame by its signature and goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

KEPT_BYTES = 32  # behind a lost boundary: no signature is longer
LOOK_BACK_BYTES = 7  # a record cut short by so few bytes hides the start of the next signature
_MAXIMUM_LINE_BYTES = 8192
_PACKET_BYTE = ord("S")


@dataclass(frozen=True, slots=True)
class RecordFrame:
    """One miniSEED record and its number as sent (24 bits in SeedLink 3)."""

    sequence: int
    record: bytes


@dataclass(frozen=True, slots=True)
class InfoFrame:
    """A part of the answer to INFO: JSON, or a record of XML; `is_last` closes the answer."""

    payload: bytes
    is_json: bool
    is_error: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """An ``ERROR ...`` line where packets were expected."""

    line: str


@dataclass(frozen=True, slots=True)
class EndFrame:
    """The server has sent all that was asked for."""


@dataclass(frozen=True, slots=True)
class DamagedFrame:
    """Bytes that are no frame; the number is known if the damage lies behind a good signature."""

    sequence: int | None
    byte_count: int


Frame = RecordFrame | InfoFrame | ErrorFrame | EndFrame | DamagedFrame


class Cut(NamedTuple):
    """A frame and where it ends; no frame means damage, to be searched through from `end` on."""

    frame: Frame | None
    end: int
    sequence: int | None = None


class Grammar(NamedTuple):
    """How one version of the protocol is read.

    `cut` gives the frame at an offset, None while bytes are missing; `signature` finds the next one;
    `tells_length` says whether lengths are on the wire, or known from a record's own header alone.
    """

    cut: Callable[[bytearray, int], Cut | None]
    signature: re.Pattern[bytes]
    tells_length: bool


class FrameReader:
    """Cut a stream of bytes into frames, however they arrive."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._buffer = bytearray()
        self._at = 0
        self._damage: Cut | None = None
        self._damaged_bytes = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take what has arrived; give the frames that are now complete."""
        self._buffer += data
        frames: list[Frame] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        spent = self._at - LOOK_BACK_BYTES
        if spent > 0:
            del self._buffer[:spent]
            self._at = LOOK_BACK_BYTES
        return frames

    def finish(self) -> list[Frame]:
        """The connection is closed: what is left is damage, unless it ends with END.

        A record that is shorter than its header claims seems to go on with what comes behind it.
        """
        rest = bytes(self._buffer[self._at :])
        sequence = self._damage.sequence if self._damage else None
        self._buffer.clear()
        self._at = 0
        hides_end = self._damage is not None or not self._grammar.tells_length
        ended = hides_end and rest.endswith(b"END")
        lost = self._damaged_bytes + len(rest) - (3 if ended else 0)
        self._damage, self._damaged_bytes = None, 0
        frames: list[Frame] = [DamagedFrame(sequence, lost)] if lost > 0 else []
        return [*frames, EndFrame()] if ended else frames

    def _next(self) -> Frame | None:
        """The next frame, None while bytes are missing."""
        if self._damage is not None:
            return self._resume()
        if self._at >= len(self._buffer):
            return None
        is_packet = self._buffer[self._at] == _PACKET_BYTE
        cut = self._grammar.cut(self._buffer, self._at) if is_packet else self._cut_text()
        if cut is None:
            return None
        if cut.frame is None:
            self._damage = cut
            self._damaged_bytes = cut.end - self._at
            self._at = cut.end
            return self._resume()
        self._at = cut.end
        return cut.frame

    def _cut_text(self) -> Cut | None:
        """Read ``END`` or an ``ERROR`` line, the two texts that may stand where a packet should."""
        start = bytes(self._buffer[self._at : self._at + 5])
        if start.startswith(b"END"):
            return Cut(EndFrame(), self._at + 3)
        if start != b"ERROR":
            possible = b"END".startswith(start) or b"ERROR".startswith(start)
            return None if possible else lost_boundary(self._at)
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            return None if len(self._buffer) - self._at < _MAXIMUM_LINE_BYTES else lost_boundary(self._at)
        return Cut(ErrorFrame(self._buffer[self._at : end].decode("ascii", "replace")), end + 2)

    def _resume(self) -> Frame | None:
        """Search for the next signature; what lies before it is one damaged frame."""
        match = self._grammar.signature.search(self._buffer, self._at)
        if match is None:
            self._skip_to(max(self._at, len(self._buffer) - KEPT_BYTES))
            return None
        self._skip_to(match.start())
        sequence = self._damage.sequence if self._damage else None
        damaged = DamagedFrame(sequence, max(0, self._damaged_bytes))
        self._damage = None
        self._damaged_bytes = 0
        return damaged

    def _skip_to(self, end: int) -> None:
        """Count what is passed over."""
        self._damaged_bytes += end - self._at
        self._at = end


def lost_boundary(at: int) -> Cut:
    """No frame begins where one should."""
    return Cut(None, max(at - LOOK_BACK_BYTES, 0))
