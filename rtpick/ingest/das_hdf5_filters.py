"""Compression filters of HDF5 files: the plug-ins are an extra, and their absence is one clear error."""

from __future__ import annotations

import importlib
from functools import lru_cache

import h5py

from rtpick.ingest.das_terms import UnusableMessageError
from rtpick.vocabulary.fiber import FiberRejectCause

_NAMES = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2"}


def require_filters(values: h5py.Dataset) -> None:
    """Make sure that a dataset's filters are there before it is read.

    Raises
    ------
    UnusableMessageError
        With the cause FILTER, that names the filter and what to install.
    """
    properties = values.id.get_create_plist()
    codes = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    for code in codes:
        if not h5py.h5z.filter_avail(code) and not (_load_plugins() and h5py.h5z.filter_avail(code)):
            name = _NAMES.get(code, f"number {code}")
            detail = f"compressed with the HDF5 filter {name}: install hdf5plugin (pip install 'rtpick[das]')"
            raise UnusableMessageError(FiberRejectCause.FILTER, detail)


@lru_cache(maxsize=1)
def _load_plugins() -> bool:
    """Registering them is what the import does."""
    try:
        importlib.import_module("hdf5plugin")
    except ImportError:
        return False
    return True
