"""Packets written as miniSEED records."""

from __future__ import annotations

import numpy as np
from pymseed import DataEncoding, MiniSEEDError, MS3Record

from rtpick.vocabulary.errors import RecordError
from rtpick.vocabulary.waveform import Packet

_RECORD_BYTES = 512
_FORMS = {
    "i": (np.int32, "i", (DataEncoding.STEIM2, DataEncoding.INT32)),
    "f4": (np.float32, "f", (DataEncoding.FLOAT32,)),
    "f8": (np.float64, "d", (DataEncoding.FLOAT64,)),
}


def encode_packet(packet: Packet) -> bytes:
    """Write a packet as one or more records of 512 bytes.

    Parameters
    ----------
    packet : Packet
        Integers are compressed by Steim 2, or kept plain where their steps are too large for it.

    Returns
    -------
    bytes
        miniSEED 2, or 3 where the codes are too long for it.

    Raises
    ------
    RecordError
        If the samples are of a type that miniSEED does not know.
    """
    kind = packet.samples.dtype.kind
    form = _FORMS.get("i" if kind in "iu" else f"{kind}{packet.samples.dtype.itemsize}")
    if form is None:
        raise RecordError(f"{packet.channel}: samples of type {packet.samples.dtype} are no miniSEED")
    dtype, letter, encodings = form
    samples = np.ascontiguousarray(packet.samples, dtype)
    for encoding in encodings:
        try:
            return _generate(packet, samples, letter, encoding)
        except (MiniSEEDError, ValueError) as error:
            failure = error
    raise RecordError(f"{packet.channel}: cannot be written as miniSEED ({failure})") from failure


def _generate(packet: Packet, samples: np.ndarray, letter: str, encoding: DataEncoding) -> bytes:
    channel = packet.channel
    record = MS3Record(reclen=_RECORD_BYTES, encoding=encoding)
    fits = len(channel.network) <= 2 and len(channel.station) <= 5 and len(channel.location) <= 2
    record.formatversion = 2 if fits else 3
    record.sourceid = channel.source_id
    record.starttime = packet.start_ns
    record.samprate = packet.sampling_rate_hz
    return b"".join(bytes(part) for part in record.generate(data_samples=samples, sample_type=letter))
