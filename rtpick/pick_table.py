"""Tables of picks, ours or another picker's, as they come in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import PickTableError
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import NS_PER_S, parse_utc, to_ns

_NAMES = {"station": ("station", "station_id", "id"), "phase": ("phase", "phase_hint"),
          "score": ("score", "probability")}  # fmt: skip
_LARGEST_M_S = 0.01  # typical amplitudes above this are counts


def read_picks(
    path: Path, arrival_column: str | None, amplitude_unit: str = "auto"
) -> list[tuple[int, Pick]]:
    """Read a table of picks in order of arrival, each with its arrival time (ns).

    Parameters
    ----------
    path : Path
        CSV; see `rtpick.associate_picks.associate_table`.
    arrival_column : str or None
        Epochs (s); None takes the picks in order of time.
    amplitude_unit : str
        ``m/s``, ``counts``, or ``auto``, which takes amplitudes for m/s where half of them are below 0.01.

    Raises
    ------
    PickTableError
        Naming the file, and the line or the column.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PickTableError(f"cannot read picks from {path}: {error}") from error
    columns = {name: _column(path, table, names, name != "score") for name, names in _NAMES.items()}
    if "epoch" not in table and "time" not in table:
        raise PickTableError(f"{path} has neither a column time nor epoch")
    if arrival_column is not None and arrival_column not in table:
        raise PickTableError(
            f"{path} has no column {arrival_column}; it has {', '.join(map(str, table.columns))}"
        )
    arrivals = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        try:
            pick = _pick({str(k): str(v) for k, v in row.items()}, columns, line)
            arrival_ns = _epoch_ns(str(row[arrival_column])) if arrival_column else pick.time_ns
        except (ValueError, KeyError) as error:
            raise PickTableError(f"{path}, line {line}: {error}") from error
        arrivals.append((arrival_ns, pick))
    if amplitude_unit == "auto":
        amplitude_unit = _likely_unit([pick.amplitude for _, pick in arrivals])
    with_unit = [(at_ns, replace(pick, amplitude_unit=amplitude_unit)) for at_ns, pick in arrivals]
    return sorted(with_unit, key=lambda item: item[0])


def _likely_unit(amplitudes: Sequence[float]) -> str:
    known = sorted(amplitude for amplitude in amplitudes if amplitude > 0)
    small = bool(known) and known[len(known) // 2] < _LARGEST_M_S
    return "m/s" if small else "counts"


def _column(path: Path, table: pd.DataFrame, names: Sequence[str], needed: bool) -> str | None:
    found = next((name for name in names if name in table), None)
    if found is None and needed:
        raise PickTableError(
            f"{path} has no column {' or '.join(names)}; it has {', '.join(map(str, table.columns))}"
        )
    return found


def _pick(row: dict[str, str], columns: dict[str, str | None], line: int) -> Pick:
    """Make a pick of a row; a channel that is not given is taken as broad-band."""
    phase = row[columns["phase"] or ""][:1].upper()
    if phase not in {"P", "S"}:
        raise ValueError(f"phase {row[columns['phase'] or '']!r} is neither P nor S")
    station = row[columns["station"] or ""]
    code = StationId(row["network"], station) if row.get("network") else StationId.parse(station)
    channel = row.get("channel") or ("HHZ" if phase == "P" else "HHN")
    return Pick(
        pick_id=row.get("pick_id") or f"row{line}",
        channel=ChannelId(code.network, code.station, row.get("location", ""), channel),
        phase_hint=phase,
        time_ns=parse_utc(row["time"]) if row.get("time") else _epoch_ns(row["epoch"]),
        probability=_number(row.get(columns["score"] or "", "")),
        uncertainty_s=_number(row.get("uncertainty_s", "")),
        amplitude=_number(row.get("amplitude", "")),
        snr=_number(row.get("snr", "")),
        coverage=1.0,
        model_version=row.get("model_version", ""),
        status=PickStatus(row.get("status") or "final"),
        revision=int(row.get("revision") or 0),
    )


def _number(text: str) -> float:
    return float(text) if text.strip() else math.nan


def _epoch_ns(text: str) -> int:
    """Turn epoch seconds as text into nanoseconds without losing digits."""
    whole, _, fraction = text.strip().partition(".")
    if not (whole.isdigit() and (fraction.isdigit() or not fraction)):
        return to_ns(float(text))
    return int(whole) * NS_PER_S + int(fraction.ljust(9, "0")[:9])
