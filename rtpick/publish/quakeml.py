"""Events with their picks as QuakeML 1.2, one document a revision or one for a whole catalogue.

Resource ids are deterministic, ``smi:local/rtpick/KIND/...``: writing the same revision twice gives the
same bytes, and nothing in a document tells when it was written.

============  ======================  ===================  ============================================
revision      event type              evaluation status    comment
============  ======================  ===================  ============================================
new, update   earthquake (suspected)  preliminary
final         earthquake (suspected)  final
merge         not existing            rejected             ``merged into smi:local/rtpick/event/...``
retract       not existing            rejected             ``retracted``
============  ======================  ===================  ============================================

QuakeML has no word for an event that has become part of another: the id that is given up says "not
existing" and names the surviving event in a comment.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import obspy.core.event as quakeml
from obspy import UTCDateTime

from rtpick.archive.atomic import write_atomic
from rtpick.publish.quakeml_origin import build_origin
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.event import Arrival, Event, EventStatus, Magnitude
from rtpick.vocabulary.pick import Pick, PickStatus
from rtpick.vocabulary.time import format_utc

_GIVEN_UP = (EventStatus.MERGE, EventStatus.RETRACT)
_PICK_EVALUATION = {
    PickStatus.PRELIMINARY: "preliminary",
    PickStatus.FINAL: "final",
    PickStatus.WITHDRAWN: "rejected",
}
# Besides what a resource id may not hold: what marks an escape, and a leading dot, since ids name folders.
_ESCAPED = re.compile(r"[^\w\-.+~']|^\.", re.ASCII)


class QuakeMLDirectory:
    """A folder with one document for each revision: ``YEAR/EVENT_ID/0003-update.xml``.

    Parameters
    ----------
    directory : Path
        Made where it is missing; YEAR is that of the revision's own origin time.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, event: Event, picks: Iterable[Pick]) -> Path:
        """Write a revision with its picks; writing it again replaces it by the same bytes.

        Raises
        ------
        StorageFullError, ArchiveError
            If the file cannot be written.
        """
        year = format_utc(event.origin.time_ns)[:4]
        name = f"{event.revision:04d}-{event.status.value}.xml"
        path = self._directory / year / _identifier(event.event_id) / name
        write_atomic(path, encode_events([event], {pick.pick_id: pick for pick in picks}))
        return path


def write_catalogue(path: Path, events: Iterable[Event], picks: Iterable[Pick]) -> None:
    """Write events, with those of the picks that belong to them, as one document.

    Raises
    ------
    StorageFullError, ArchiveError
        If the file cannot be written; an old one is untouched then.
    """
    write_atomic(path, encode_events(events, {pick.pick_id: pick for pick in picks}))


def encode_events(events: Iterable[Event], picks: Mapping[str, Pick]) -> bytes:
    """Write events as a QuakeML document; `picks` by id may hold more than is needed."""
    built = [build_event(event, picks) for event in events]
    catalogue = quakeml.Catalog(events=built, resource_id=_resource("catalogue"))
    buffer = io.BytesIO()
    catalogue.write(buffer, format="QUAKEML")
    return buffer.getvalue()


def build_event(event: Event, picks: Mapping[str, Pick]) -> Any:
    """Lay a revision out as an ObsPy event; times are rounded to the microsecond that QuakeML has.

    A pick that is not at hand is built from what the arrival knows of it.
    """
    origin_id = _resource("origin", event.event_id, event.revision)
    origin = build_origin(event.origin, event.arrivals)
    origin.resource_id = origin_id
    origin.method_id = _resource("method", event.method_id)
    origin.evaluation_status = _evaluation(event.status)
    origin.arrivals = [_build_arrival(event, arrival) for arrival in event.arrivals]
    magnitudes = [_build_magnitude(event, event.magnitude)] if event.magnitude else []
    given_up = event.status in _GIVEN_UP
    built = quakeml.Event(
        resource_id=_resource("event", event.event_id),
        event_type="not existing" if given_up else "earthquake",
        event_type_certainty=None if given_up else "suspected",
        creation_info=quakeml.CreationInfo(agency_id="rtpick", version=str(event.revision)),
        origins=[origin],
        magnitudes=magnitudes,
        picks=[_build_pick(arrival, picks.get(arrival.pick_id)) for arrival in event.arrivals],
        comments=_comments(event),
        preferred_origin_id=origin_id,
    )
    built.preferred_magnitude_id = magnitudes[0].resource_id if magnitudes else None
    return built


def _evaluation(status: EventStatus) -> str:
    if status in _GIVEN_UP:
        return "rejected"
    return "final" if status is EventStatus.FINAL else "preliminary"


def _comments(event: Event) -> list[Any]:
    if event.status is EventStatus.RETRACT:
        return [_comment("retracted", "event", event.event_id)]
    if event.status is EventStatus.MERGE and event.merged_into:
        survivor = _resource("event", event.merged_into).id
        return [_comment(f"merged into {survivor}", "event", event.event_id)]
    return []


def _comment(text: str, *about: str) -> Any:
    # Without an id ObsPy would draw a random one.
    return quakeml.Comment(text=text, resource_id=_resource("comment", *about))


def _build_arrival(event: Event, arrival: Arrival) -> Any:
    return quakeml.Arrival(
        resource_id=_resource("arrival", event.event_id, event.revision, arrival.pick_id),
        pick_id=_resource("pick", arrival.pick_id),
        phase=arrival.phase,
        time_residual=_known(arrival.residual_s),
        distance=_known(arrival.distance_deg),
        azimuth=_known(arrival.azimuth_deg),
        time_weight=_known(arrival.weight),
    )


def _build_pick(arrival: Arrival, pick: Pick | None) -> Any:
    if pick is None:
        return _build_bare_pick(arrival)
    text = (
        f"probability={pick.probability:.3f} snr={pick.snr:.3g} coverage={pick.coverage:.3f} "
        f"amplitude={pick.amplitude:.6g} {pick.amplitude_unit}"
    )
    return quakeml.Pick(
        resource_id=_resource("pick", pick.pick_id),
        time=_utc(pick.time_ns),
        time_errors=quakeml.QuantityError(uncertainty=_known(pick.uncertainty_s)),
        waveform_id=_waveform(pick),
        phase_hint=pick.phase_hint,
        method_id=_resource("model", pick.model_version),
        evaluation_mode="automatic",
        evaluation_status=_PICK_EVALUATION[pick.status],
        comments=[_comment(text, "pick", pick.pick_id)],
    )


def _build_bare_pick(arrival: Arrival) -> Any:
    station = StationId.parse(arrival.station)
    return quakeml.Pick(
        resource_id=_resource("pick", arrival.pick_id),
        time=_utc(arrival.time_ns),
        waveform_id=quakeml.WaveformStreamID(station.network, station.station),
        phase_hint=arrival.phase,
        evaluation_mode="automatic",
    )


def _waveform(pick: Pick) -> Any:
    channel = pick.channel
    return quakeml.WaveformStreamID(
        channel.network, channel.station, channel.location or None, channel.channel
    )


def _build_magnitude(event: Event, magnitude: Magnitude) -> Any:
    return quakeml.Magnitude(
        resource_id=_resource("magnitude", event.event_id, event.revision),
        mag=magnitude.magnitude,
        mag_errors=quakeml.QuantityError(uncertainty=_known(magnitude.uncertainty)),
        magnitude_type=magnitude.magnitude_type,
        station_count=magnitude.station_count,
        origin_id=_resource("origin", event.event_id, event.revision),
        evaluation_mode="automatic",
        evaluation_status=_evaluation(event.status),
    )


def _resource(*parts: str | int) -> Any:
    return quakeml.ResourceIdentifier(id="smi:local/rtpick/" + "/".join(_identifier(str(p)) for p in parts))


def _identifier(text: str) -> str:
    """Escape what a resource id may not hold; distinct texts stay distinct."""
    return _ESCAPED.sub(lambda found: f"({ord(found.group()):x})", text)


def _utc(time_ns: int) -> Any:
    return UTCDateTime(ns=round(time_ns, -3))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
