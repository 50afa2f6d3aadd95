"""Every metric that rtpick exposes: one table, read by `Metrics` and printed for the manual.

``python -m rtpick.telemetry.catalogue > deploy/metrics.md`` writes the manual's page. Labels are bounded
by the configuration and the inventory: never a pick id, never a channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LATENCY_BUCKETS_S = (
    0.001,
    0.003,
    0.01,
    0.03,
    0.1,
    0.3,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
COMMIT_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)

STAGES = ("network", "buffer", "batch", "compute", "associate", "publish", "total")


class Kind(StrEnum):
    """What Prometheus does with the values."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, kind, labels and what it tells."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
STATION = ("network", "station")
FIBER = ("fiber",)

CATALOGUE = (
    Family("rtpick_packets_total", C, "Packets of samples received", (*STATION, "source")),
    Family("rtpick_samples_total", C, "Samples received", (*STATION, "source")),
    Family("rtpick_rejected_packets_total", C, "Packets or records set aside, whole or in part", ("cause",)),
    Family("rtpick_rejected_samples_total", C, "Samples set aside", ("cause",)),
    Family("rtpick_gaps_total", C, "Gaps declared in a channel's samples", (*STATION, "cause")),
    Family("rtpick_gap_seconds_total", C, "Length of the declared gaps", (*STATION, "cause")),
    Family(
        "rtpick_source_state", G, "1 for the state that a source is in, 0 for the others", ("source", "state")
    ),
    Family("rtpick_source_reconnects_total", C, "Times that a source was lost and tried again", ("source",)),
    Family("rtpick_source_incidents_total", C, "Incidents that a source told, by kind", ("source", "cause")),
    Family("rtpick_source_silent_channels", G, "Channels that are silent for too long", ("source",)),
    Family("rtpick_station_data_time_seconds", G, "UTC of the newest sample, seconds since 1970", STATION),
    Family("rtpick_station_latency_seconds", G, "From the newest sample's time to its receipt", STATION),
    Family("rtpick_windows_total", C, "Windows inferred by the network"),
    Family("rtpick_batches_total", C, "Batches inferred by the network"),
    Family("rtpick_batch_windows", H, "Windows in a batch", (), BATCH_BUCKETS),
    Family("rtpick_overload_dropped_total", C, "Packets given up because the picker could not keep up"),
    Family("rtpick_fiber_blocks_total", C, "Blocks of a fiber received", FIBER),
    Family("rtpick_fiber_samples_total", C, "Samples of a fiber received, over all channels", FIBER),
    Family("rtpick_fiber_lost_blocks_total", C, "Blocks lost, where they can be counted", (*FIBER, "cause")),
    Family(
        "rtpick_fiber_lost_samples_total",
        C,
        "Samples lost over all channels; overload: received, but not picked in time",
        (*FIBER, "cause"),
    ),
    Family("rtpick_fiber_gap_seconds_total", C, "Length of the gaps of a fiber", (*FIBER, "cause")),
    Family("rtpick_fiber_rejected_messages_total", C, "Messages or blocks set aside", (*FIBER, "cause")),
    Family("rtpick_fiber_data_time_seconds", G, "UTC of a fiber's newest sample, seconds since 1970", FIBER),
    Family("rtpick_fiber_settled_time_seconds", G, "UTC up to which a fiber's picks are complete", FIBER),
    Family("rtpick_fiber_tiles_total", C, "Tiles of fibers inferred by the network"),
    Family("rtpick_fiber_waiting_tiles", G, "Tiles of fibers that wait to be inferred"),
    Family("rtpick_fiber_picks_total", C, "Final picks on the channels of a fiber", (*FIBER, "phase")),
    Family("rtpick_fiber_events_total", C, "Revisions of events of a fiber", (*FIBER, "status")),
    Family(
        "rtpick_fiber_latency_seconds",
        H,
        "By stage: receipt (newest sample to receipt), infer (a batch in the engine), picks (onset to pick)",
        (*FIBER, "stage"),
        LATENCY_BUCKETS_S,
    ),
    Family("rtpick_picks_total", C, "Pick revisions made", ("phase", "status")),
    Family(
        "rtpick_pick_revisions", H, "Revision at which a pick became final", (), (0, 1, 2, 3, 5, 8, 13, 21)
    ),
    Family(
        "rtpick_picks_set_aside_total",
        C,
        "Pick revisions that the associator left aside: late, unknown_station or duplicate",
        ("cause",),
    ),
    Family("rtpick_events_total", C, "Event revisions made", ("status",)),
    Family(
        "rtpick_event_revisions", H, "Revision at which an event became final", (), (0, 1, 2, 3, 5, 8, 13, 21)
    ),
    Family(
        "rtpick_stage_latency_seconds", H, "Time that a pick spent, by stage", ("stage",), LATENCY_BUCKETS_S
    ),
    Family("rtpick_commit_seconds", H, "Duration of a commit to the catalogue", (), COMMIT_BUCKETS_S),
    Family("rtpick_commit_failures_total", C, "Commits that storage refused", ("cause",)),
    Family("rtpick_pruned_rows_total", C, "Rows that were too old to be kept, by table", ("table",)),
    Family("rtpick_publish_failures_total", C, "Attempts to publish that a sink refused", ("sink",)),
    Family("rtpick_publish_waiting_items", G, "Items in the outbox for a sink that refuses", ("sink",)),
    Family(
        "rtpick_publish_given_up_total", C, "Items given up since too many waited for a sink", ("sink",)
    ),
    Family("rtpick_queue_items", G, "Items waiting on a link between two workers", ("edge",)),
    Family("rtpick_queue_capacity_items", G, "Items that a link can hold", ("edge",)),
    Family(
        "rtpick_worker_beat_age_seconds", G, "Time since a worker last finished a piece of work", ("worker",)
    ),
    Family("rtpick_model_info", G, "1 for the model version in use", ("model_version",)),
    Family("rtpick_build_info", G, "1 for the running version of rtpick", ("version",)),
)


def manual_page() -> str:
    """Write the catalogue as a page of Markdown."""
    lines = ["# Metrics", "", "Written by `python -m rtpick.telemetry.catalogue > deploy/metrics.md`.", ""]
    lines += ["| metric | kind | labels | tells |", "|---|---|---|---|"]
    for family in CATALOGUE:
        labels = ", ".join(family.labels)
        lines.append(f"| `{family.name}` | {family.kind.value} | {labels} | {family.help} |")
    lines += [
        "",
        f"Stages of `rtpick_stage_latency_seconds`: {', '.join(STAGES)}. `network` compares the data's",
        "own time with the receipt and has no meaning in a replay; `total` is the sum of those after it.",
        "A station's data age is `time() - rtpick_station_data_time_seconds`. Beside these there are the",
        "usual `process_*` and `python_*` metrics of the Prometheus client.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(manual_page(), end="")
