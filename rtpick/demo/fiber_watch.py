"""Follow a daemon that listens to a cable from outside, as one live picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from rtpick.telemetry.scrape import Sample, histogram_quantile, scrape

LATENCY = "rtpick_fiber_latency_seconds"
TOPICS = ("fiber_event.",)


@dataclass
class FiberWatch:
    """What has been heard of the daemon so far."""

    health_port: int
    samples: list[Sample] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def hear(self, messages: list[dict[str, Any]]) -> None:
        """Take in the events that the daemon has published; the newest revision of an id stays."""
        self.events.update({message["event_id"]: message for message in messages})

    def look(self) -> None:
        """Read the metrics; the last ones stay when the daemon has gone."""
        self.samples = scrape(self.health_port) or self.samples

    @property
    def has_final(self) -> bool:
        """Whether an event is final."""
        return any(event["status"] == "final" for event in self.events.values())

    @property
    def inference_s(self) -> tuple[float, float]:
        """Median and 95th percentile of a batch in the network; a replay says nothing of other delays."""
        return self._inference_s(0.5), self._inference_s(0.95)

    def render(self) -> RenderableType:
        """Cable and events as tables."""
        return Group(self._cable_table(), self._event_table())

    def _inference_s(self, quantile: float) -> float:
        return histogram_quantile(self.samples, LATENCY, quantile, stage="infer")

    def _total(self, name: str, **labels: str) -> float:
        chosen = [s for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(sample.value for sample in chosen)

    def _cable_table(self) -> Table:
        headings = ("cable", "blocks", "lost", "tiles", "waiting", "P", "S")
        table = Table(*headings, title="cable", title_justify="left")
        fibers = {s.labels["fiber"] for s in self.samples if s.name == "rtpick_fiber_blocks_total"}
        for fiber in sorted(fibers):
            blocks = self._total("rtpick_fiber_blocks_total", fiber=fiber)
            lost = self._total("rtpick_fiber_lost_blocks_total", fiber=fiber)
            tiles = self._total("rtpick_fiber_tiles_total")
            waiting = self._total("rtpick_fiber_waiting_tiles")
            picks = [self._total("rtpick_fiber_picks_total", fiber=fiber, phase=phase) for phase in "PS"]
            table.add_row(fiber, *(f"{value:.0f}" for value in (blocks, lost, tiles, waiting, *picks)))
        return table

    def _event_table(self) -> Table:
        headings = ("origin time", "S - P, s", "channels", "P", "S", "status")
        table = Table(*headings, title="events", title_justify="left")
        for event in sorted(self.events.values(), key=lambda event: str(event["origin_time"])):
            between = "" if event["ps_s"] is None else f"{event['ps_s']:.1f}"
            counts = [str(event[name]) for name in ("channel_count", "p_count", "s_count")]
            table.add_row(event["origin_time"][:22], between, *counts, event["status"])
        return table
