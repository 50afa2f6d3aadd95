"""Follow a running daemon from outside: its ZeroMQ messages and its /metrics, as one live picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rtpick.telemetry.scrape import Sample, histogram_quantile, scrape

STAGES = ("network", "buffer", "batch", "compute", "associate", "publish", "total")
STAGE_METRIC = "rtpick_stage_latency_seconds"
SHOWN_PICKS = 8


@dataclass
class Watch:
    """What has been heard of the daemon so far."""

    health_port: int
    samples: list[Sample] = field(default_factory=list)
    picks: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def hear(self, messages: list[dict[str, Any]]) -> None:
        """Take in what the daemon has published; the newest revision of an id stays."""
        for message in messages:
            if "pick_id" in message:
                self.picks[message["pick_id"]] = message
            else:
                self.events[message["event_id"]] = message

    def look(self) -> None:
        """Read the metrics; the last ones stay when the daemon has gone."""
        self.samples = scrape(self.health_port) or self.samples

    def latency_s(self, stage: str, quantile: float) -> float:
        """Latency of a stage, from its histogram."""
        return histogram_quantile(self.samples, STAGE_METRIC, quantile, stage=stage)

    def total(self, name: str, **labels: str) -> float:
        """Sum of a metric over the series that carry `labels`."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def stations(self) -> list[tuple[str, str]]:
        """Network and station codes heard so far."""
        codes = {
            (sample.labels["network"], sample.labels["station"])
            for sample in self.samples
            if sample.name == "rtpick_packets_total"
        }
        return sorted(codes)

    def render(self) -> RenderableType:
        """Stations, latest picks and events as tables."""
        return Group(self._station_table(), self._pick_table(), self._event_table())

    def _station_table(self) -> Table:
        table = Table("station", "packets", "samples", "P", "S", title="stations", title_justify="left")
        for network, station in self.stations():
            labels = {"network": network, "station": station}
            packets = self.total("rtpick_packets_total", **labels)
            samples = self.total("rtpick_samples_total", **labels)
            counts = [str(self._pick_count(network, station, phase)) for phase in "PS"]
            table.add_row(f"{network}.{station}", f"{packets:.0f}", f"{samples:.0f}", *counts)
        table.caption = Text(
            f"windows {self.total('rtpick_windows_total'):.0f}   "
            f"from a complete window to its committed picks: p50 {self.latency_s('total', 0.5):.2f} s, "
            f"p95 {self.latency_s('total', 0.95):.2f} s"
        )
        return table

    def _pick_count(self, network: str, station: str, phase: str) -> int:
        return sum(
            pick["network"] == network and pick["station"] == station and pick["phase_hint"] == phase
            for pick in self.picks.values()
            if pick["status"] != "withdrawn"
        )

    def _pick_table(self) -> Table:
        headings = ("time", "channel", "phase", "probability", "status")
        table = Table(*headings, title="picks", title_justify="left")
        standing = [pick for pick in self.picks.values() if pick["status"] != "withdrawn"]
        for pick in sorted(standing, key=lambda pick: str(pick["time"]))[-SHOWN_PICKS:]:
            channel = ".".join(pick[code] for code in ("network", "station", "location", "channel"))
            row = pick["time"][:23], channel, pick["phase_hint"], f"{pick['probability']:.2f}", pick["status"]
            table.add_row(*row)
        return table

    def _event_table(self) -> Table:
        headings = ("origin time", "latitude", "longitude", "depth km", "picks", "status")
        table = Table(*headings, title="events", title_justify="left")
        for event in sorted(self.events.values(), key=lambda event: str(event["origin"]["time"])):
            origin = event["origin"]
            table.add_row(
                origin["time"][:23],
                f"{origin['latitude_deg']:.4f}",
                f"{origin['longitude_deg']:.4f}",
                f"{origin['depth_km']:.1f}",
                str(len(event["arrivals"])),
                event["status"],
            )
        return table
