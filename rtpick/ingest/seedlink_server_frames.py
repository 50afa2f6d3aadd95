"""Records and replies as bytes on a SeedLink connection, protocol versions 3 and 4."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping

from pymseed import DataEncoding, MS3Record

from rtpick.ingest.archive_scan import RawRecord

_HEADER4 = struct.Struct("<2sccIQB")
_SEQUENCE3_MASK = 0xFFFFFF
_INFO_TEXT_BYTES = 456  # what a 512-byte record holds behind its header and blockette 1000
_INFO_RECORD_BYTES = 512
END = b"END"


def frame_record(version: int, sequence: int, raw: RawRecord) -> bytes:
    """Put a record behind the packet header of the connection's protocol version.

    Version 3 carries the low 24 bits of the sequence and no length; version 4 the whole sequence,
    length, format and station.
    """
    if version == 3:
        return b"SL%06X" % (sequence & _SEQUENCE3_MASK) + raw.payload
    station = f"{raw.channel.network}_{raw.channel.station}".encode("ascii", "replace")
    kind = b"3" if raw.format_version == 3 else b"2"
    header = _HEADER4.pack(b"SE", kind, b"D", len(raw.payload), sequence, len(station))
    return header + station + raw.payload


def frame_json(document: Mapping[str, object], *, is_error: bool = False) -> bytes:
    """An INFO reply of version 4: one JSON packet, sequence 0, no station."""
    payload = json.dumps(document).encode()
    return _HEADER4.pack(b"SE", b"J", b"E" if is_error else b"I", len(payload), 0, 0) + payload


def frame_xml(document: str, now_ns: int, *, is_error: bool = False) -> bytes:
    """An INFO reply of version 3: the XML cut into text records; ``*`` says that more follow."""
    records = list(_text_records(document, now_ns, "E_R_R" if is_error else "I_N_F"))
    flags = [b"*"] * (len(records) - 1) + [b" "]
    return b"".join(b"SLINFO " + flag + record for flag, record in zip(flags, records, strict=True))


def _text_records(document: str, now_ns: int, channel: str) -> Iterator[bytes]:
    template = MS3Record(reclen=_INFO_RECORD_BYTES, encoding=DataEncoding.TEXT)
    template.formatversion = 2
    template.sourceid = f"FDSN:XX_INFO__{channel}"
    template.starttime = now_ns
    text = document.encode("ascii", "xmlcharrefreplace")
    for start in range(0, max(1, len(text)), _INFO_TEXT_BYTES):
        yield from template.generate(data_samples=text[start : start + _INFO_TEXT_BYTES], sample_type="t")
