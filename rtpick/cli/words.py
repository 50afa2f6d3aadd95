"""What options may be given."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Stacking(StrEnum):
    """How overlapping windows become one curve."""

    MEAN = "mean"
    MAX = "max"


class Stride(IntEnum):
    """Samples between windows; 256 is the whole stride of the network."""

    EIGHTH = 32
    QUARTER = 64
    HALF = 128
    WHOLE = 256
    DOUBLE = 512


class Compatible(StrEnum):
    """Whose picks to give exactly."""

    SEISBENCH = "seisbench"


class AmplitudeUnit(StrEnum):
    """What amplitudes of picks are given in."""

    AUTO = "auto"
    COUNTS = "counts"
    VELOCITY = "m/s"


class Peer(StrEnum):
    """Whom to compare with."""

    PYOCTO = "pyocto"
    GAMMA = "gamma"
    NONE = "none"


class Precision(StrEnum):
    """What the network computes in."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class DasFormat(StrEnum):
    """How blocks of a cable are sent."""

    ASN = "asn"
    XDAS = "xdas"
    RTPICK = "rtpick"


class FiberMode(StrEnum):
    """How a cable's picks are associated."""

    STREAM = "stream"
    HISTOGRAM = "histogram"


class RecordedQuantity(StrEnum):
    """What samples measure, where files do not say."""

    STRAIN = "strain"
    STRAIN_RATE = "strain_rate"
    PHASE_RATE = "phase_rate"
    COUNTS = "counts"
