"""Bytes of a SeedLink client into command lines."""

from __future__ import annotations

import re

MAXIMUM_LINE_BYTES = 8192  # a JSON web token is a few kilobytes

_LINE_END = re.compile(rb"\r\n|\r|\n")


class LineSplitter:
    """Collects bytes and gives whole lines; CR LF, LF and a lone CR end a line.

    Examples
    --------
    >>> LineSplitter().feed(b"HELLO" + bytes([13, 10]) + b"INFO ID" + bytes([13]))
    ['HELLO', 'INFO ID']
    """

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[str]:
        """Add bytes; return the lines that are now complete, without blank ones.

        Raises
        ------
        ValueError
            If a line is longer than any command can be.

        Notes
        -----
        A CR ends its line at once; the LF behind it, whenever it comes, is a blank line.
        """
        *lines, self._pending = _LINE_END.split(self._pending + data)
        if max(map(len, [*lines, self._pending])) > MAXIMUM_LINE_BYTES:
            raise ValueError(f"a command line of more than {MAXIMUM_LINE_BYTES} bytes")
        texts = [line.decode("ascii", "replace").strip() for line in lines]
        return [text for text in texts if text]
