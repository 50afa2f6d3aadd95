"""The header of an ASN stream: which channels come, how often, and in which form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rtpick.ingest.das_terms import (
    MAXIMUM_CHANNELS,
    CableTerms,
    UnusableMessageError,
    fiber_of_part,
    possible_layout,
    quantity_of_unit,
)
from rtpick.vocabulary.fiber import FiberLayout, FiberRejectCause

_TYPES = {"short": "<i2", "int": "<i4", "long": "<i8", "float": "<f4", "double": "<f8"}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
_MAXIMUM_HEADER_BYTES = 1 << 20
_MAXIMUM_SAMPLES = 10_000_000
_MAXIMUM_REGIONS = 1000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of evenly spaced channels and where its rows begin."""

    first_row: int
    layout: FiberLayout
    sensitivity: float | None = None


@dataclass(frozen=True, slots=True)
class AsnHeader:
    """A layout as announced; `text` is the header itself, by which a repetition is known."""

    text: bytes
    dtype: np.dtype[np.generic]
    sample_count: int
    channel_count: int
    regions: tuple[Region, ...]
    remark: str


@dataclass(frozen=True, slots=True)
class _Interest:
    """One row of the ROI table."""

    start: int
    step: int
    count: int


def parse_asn_header(payload: bytes, terms: CableTerms) -> AsnHeader | None:
    """Read a header; None where the bytes are none.

    Raises
    ------
    UnusableMessageError
        With the cause LAYOUT, if it is a header that contradicts itself or cannot be.
    """
    fields = _read_json(payload)
    if fields is None:
        return None
    try:
        return _read_fields(fields, payload, terms)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UnusableMessageError(FiberRejectCause.LAYOUT, f"header with {what}") from error


def _read_json(payload: bytes) -> dict[str, Any] | None:
    """Read a JSON object with ``bytesPerPackage``; data may begin with a brace too."""
    if not payload[:64].lstrip().startswith(b"{") or len(payload) > _MAXIMUM_HEADER_BYTES:
        return None
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and "bytesPerPackage" in fields else None


def _read_fields(fields: dict[str, Any], payload: bytes, terms: CableTerms) -> AsnHeader:
    dtype = np.dtype(_named(_TYPES, fields["dataType"], "dataType"))
    channel_count = _whole(fields["nChannels"], "nChannels", MAXIMUM_CHANNELS)
    sample_count = _whole(fields["nPackagesPerMessage"], "nPackagesPerMessage", _MAXIMUM_SAMPLES)
    if int(fields["bytesPerPackage"]) != dtype.itemsize * channel_count:
        raise ValueError(f"bytesPerPackage {fields['bytesPerPackage']} for {channel_count} of {dtype.name}")
    if dtype.itemsize * channel_count * sample_count > terms.maximum_block_bytes:
        raise ValueError(f"messages of more than {terms.maximum_block_bytes} bytes (maximum_block_bytes)")
    interests = tuple(_interests(fields.get("roiTable"), channel_count))
    regions = tuple(_regions(fields, interests, terms))
    return AsnHeader(bytes(payload), dtype, sample_count, channel_count, regions, _remark(interests, terms))


def _named(table: dict[str, Any], name: object, key: str) -> Any:
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"{key} {name!r}, none of {', '.join(table)}")
    return table[name]


def _whole(value: object, key: str, maximum: int, minimum: int = 1) -> int:
    number = int(value) if isinstance(value, int | float) else None
    if number is None or number != value or not minimum <= number <= maximum:
        raise ValueError(f"{key} {value!r}, not {minimum} to {maximum}")
    return number


def _positive(value: object, key: str) -> float:
    number = float(value) if isinstance(value, int | float) else math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{key} {value!r}, not positive")
    return number


def _interests(table: object, channel_count: int) -> Iterator[_Interest]:
    """Read the ROI table; neighbouring stretches of one step are one."""
    rows = table if isinstance(table, list) and table else [{"roiStart": 0}]
    if len(rows) > _MAXIMUM_REGIONS:
        raise ValueError(f"{len(rows)} rows in roiTable, more than {_MAXIMUM_REGIONS}")
    if len(rows) == 1:
        only = _interest({**rows[0], "roiEnd": None})
        yield replace(only, count=channel_count)
        return
    found = [_interest(row) for row in rows]
    total = sum(interest.count for interest in found)
    if total != channel_count:
        raise ValueError(f"a roiTable of {total} channels for nChannels {channel_count}")
    yield from _joined(found)


def _interest(row: dict[str, Any]) -> _Interest:
    start = _whole(row["roiStart"], "roiStart", 1 << 40, 0)
    step = _whole(row.get("roiDec", 1), "roiDec", MAXIMUM_CHANNELS)
    last = row["roiEnd"]
    count = 1 if last is None else (_whole(last, "roiEnd", 1 << 40, start) - start) // step + 1
    return _Interest(start, step, count)


def _joined(found: list[_Interest]) -> Iterator[_Interest]:
    before = found[0]
    for interest in found[1:]:
        goes_on = interest.step == before.step and interest.start == before.start + before.step * before.count
        if goes_on:
            before = replace(before, count=before.count + interest.count)
        else:
            yield before
            before = interest
    yield before


def _regions(fields: dict[str, Any], interests: tuple[_Interest, ...], terms: CableTerms) -> Iterator[Region]:
    spacing_m = _positive(fields["dx"], "dx") * float(_named(_METRES, fields.get("dxUnit", "m"), "dxUnit"))
    period_s = _positive(fields["dt"], "dt") * float(_named(_SECONDS, fields.get("dtUnit", "s"), "dtUnit"))
    sensitivity = _sensitivity(fields) if terms.apply_sensitivity else None
    gauge_length_m = _gauge_length_m(fields, terms)
    unit = fields.get("unit")
    says = quantity_of_unit(unit) if isinstance(unit, str) and sensitivity is None else None
    first_row = 0
    for part, interest in enumerate(interests):
        raw = terms.spacing_before_decimation
        layout = FiberLayout(
            fiber_of_part(terms.fiber, part),
            interest.start,
            interest.count,
            spacing_m * (interest.step if raw else 1),
            _rate_hz(period_s),
            says or terms.quantity,
            str(unit) if says else terms.unit,
            gauge_length_m,
            interest.step,
            spacing_m * (interest.start if raw else interest.start // interest.step),
        )
        yield Region(first_row, possible_layout(layout), sensitivity)
        first_row += interest.count


def _rate_hz(period_s: float) -> float:
    """Samples a second; a period that stands for a whole rate gives it."""
    rate_hz = 1.0 / period_s
    whole = round(rate_hz)
    return float(whole) if abs(rate_hz - whole) <= _ROUNDING * rate_hz else rate_hz


def _sensitivity(fields: dict[str, Any]) -> float | None:
    """By what samples are to be divided, where the header says."""
    table = fields.get("sensitivities")
    first = table[0] if isinstance(table, list) and table else None
    value = first.get("factor") if isinstance(first, dict) else fields.get("sensitivity")
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if math.isfinite(number) and number != 0 else None


def _gauge_length_m(fields: dict[str, Any], terms: CableTerms) -> float:
    value = fields.get("gaugeLength")
    return float(value) if isinstance(value, int | float) and value > 0 else terms.gauge_length_m


def _remark(interests: tuple[_Interest, ...], terms: CableTerms) -> str:
    """What a user has to look at: instruments and readers differ in what `dx` means for thinned channels."""
    if all(interest.step == 1 for interest in interests):
        return ""
    taken = "before" if terms.spacing_before_decimation else "after"
    return f"channels are decimated (roiDec): dx is taken as {taken} it; see spacing_before_decimation"
