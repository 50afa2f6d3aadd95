"""A picker that notes when the packet came in that completed the window behind each pick."""

from __future__ import annotations

from dataclasses import dataclass

from rtpick.bench.timed_engine import TimedEngine
from rtpick.picking.picker import Output, Picker
from rtpick.runtime.clock import wall_ns
from rtpick.settings.schema import BufferSettings, PickingSettings
from rtpick.vocabulary.inventory import Inventory
from rtpick.vocabulary.pick import Latency, Pick
from rtpick.vocabulary.time import to_ns


@dataclass(frozen=True, slots=True)
class Birth:
    """Of a pick: wall time of the receipt of that packet, and the stages since."""

    completed_ns: int
    latency: Latency


class TimedPicker(Picker):
    """See `Picker`.

    Attributes
    ----------
    births : dict of str to Birth
        By the id of the pick.
    """

    def __init__(
        self, settings: PickingSettings, buffer: BufferSettings, engine: TimedEngine, inventory: Inventory
    ) -> None:
        super().__init__(settings, buffer, engine, inventory=inventory, clock=wall_ns)
        self.births: dict[str, Birth] = {}

    def step(self, now_ns: int, *, force: bool = False) -> list[Output]:
        """Infer what is due, and note the births."""
        outputs = super().step(now_ns, force=force)
        for output in outputs:
            if isinstance(output, Pick) and output.revision == 0:
                waited_s = output.latency.buffer_s + output.latency.batch_s
                self.births[output.pick_id] = Birth(now_ns - to_ns(waited_s), output.latency)
        return outputs
