"""The recording of a cable that the demonstration plays: PoroTomo, Brady Hot Springs, a regional earthquake.

The PyPI package daspy-toolbox carries it as a pickled dictionary. Nothing is unpickled: the numbers are read
from the file's bytes, and what is known of the recording is written here.
"""

from __future__ import annotations

import pickletools
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

from rtpick.ingest.das_files_write import write_das_file
from rtpick.vocabulary.errors import RecordError, SettingsError
from rtpick.vocabulary.fiber import DasBlock, FiberLayout, Quantity
from rtpick.vocabulary.time import parse_utc

PACKAGE, MEMBER = "daspy-toolbox", "daspy/core/example.pkl"
SHAPE_KT = (500, 5000)
START = "2016-03-21T07:37:30.532309Z"
ORIGIN = "2016-03-21T07:37:10.535000Z"  # of the earthquake near Hawthorne, Nevada, as the recording says
QUIET_SAMPLES = 750  # before P
LAYOUT = FiberLayout(
    fiber="porotomo", first_channel=2500, channel_count=SHAPE_KT[0], channel_spacing_m=1.0,
    sampling_rate_hz=100.0, quantity=Quantity.STRAIN_RATE, unit="1/s", first_distance_m=2520.0,
)  # fmt: skip


def find_recording() -> Path:
    """Return where the recording lies.

    Raises
    ------
    SettingsError
        If the package that carries it is not installed.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(MEMBER)))
    except PackageNotFoundError:
        raise SettingsError(
            f"the recording comes with the package {PACKAGE}: pip install 'rtpick[demo]'"
        ) from None
    if not path.is_file():
        raise SettingsError(f"{path} is missing: install {PACKAGE} anew")
    return path


def read_samples(path: Path) -> np.ndarray:
    """Read the samples without unpickling, shape (channel, time).

    Raises
    ------
    RecordError
        If the file is not the recording that is expected.
    """
    try:
        pieces = [arg for _, arg, _ in pickletools.genops(path.read_bytes()) if isinstance(arg, bytes)]
    except ValueError as error:
        raise RecordError(f"{path} is damaged: {error}") from error
    samples = max(pieces, key=len, default=b"")
    if len(samples) != 8 * SHAPE_KT[0] * SHAPE_KT[1]:
        raise RecordError(f"{path} is another recording than {PACKAGE} 1.2 carries")
    return np.frombuffer(samples, "<f8").reshape(SHAPE_KT).astype(np.float32)


def write_fiber_recording(folder: Path, quiet_s: float = 0.0) -> Path:
    """Write the recording as HDF5 into a folder; return its file.

    Parameters
    ----------
    folder : Path
    quiet_s : float
        So many seconds go on behind it: the cable's noise from before the earthquake, forth and back, so
        that a daemon in which no more comes can make its last picks final.
    """
    target = folder / "porotomo.h5"
    samples_KT = read_samples(find_recording())
    noise_KT = samples_KT[:, :QUIET_SAMPLES]
    turns = int(np.ceil(quiet_s * LAYOUT.sampling_rate_hz / QUIET_SAMPLES))
    behind = [noise_KT[:, ::-1] if turn % 2 else noise_KT for turn in range(turns)]
    write_das_file(target, [DasBlock(LAYOUT, parse_utc(START), np.hstack([samples_KT, *behind]))])
    return target
