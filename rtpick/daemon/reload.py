"""SIGHUP: read the configuration again and apply what can change without a restart."""

from __future__ import annotations

from pathlib import Path

from structlog.stdlib import BoundLogger

from rtpick.daemon.pick_worker import PickWorker
from rtpick.networks import Network, load_network
from rtpick.picking.picker import Picker
from rtpick.settings.load import load_settings
from rtpick.settings.schema import PickingSettings, Settings
from rtpick.telemetry.logs import configure_logging
from rtpick.vocabulary.errors import RtpickError

LIVE_PICKING_KEYS = {
    "weights",
    "p_threshold",
    "s_threshold",
    "station_thresholds",
    "minimum_rise",
}


class Reloader:
    """Apply a changed configuration: thresholds, weights and logging at once; the rest is named.

    A configuration with a mistake leaves the running one in force. Weights are read again even under the
    name that they had, since a file may have been replaced; what they are decides, not what they are called.
    """

    def __init__(self, path: Path, settings: Settings, pick: PickWorker, log: BoundLogger) -> None:
        self._path = path
        self._at_start = settings
        self._pick = pick
        self._log = log

    def reload(self) -> None:
        """Read the file and have the difference applied."""
        try:
            fresh = load_settings(self._path)
            network = load_network(fresh.picking.weights)
        except RtpickError as error:
            self._refuse(error)
            return
        configure_logging(fresh.logging)
        picking = with_live_keys(self._at_start.picking, fresh.picking)
        self._pick.order(lambda picker: self._apply(picker, picking, network))
        self._log.info("reload read", needs_restart=restart_keys(self._at_start, fresh) or "nothing")

    def _apply(self, picker: Picker, picking: PickingSettings, network: Network) -> None:
        """In the picker's own thread: weights first, since they may be refused."""
        try:
            if network.model_version != picker.engine.model_version:
                picker.engine.swap(network)
        except (RtpickError, MemoryError, RuntimeError) as error:  # a device without room says the last
            self._refuse(error)
            return
        picker.retune(picking)
        self._log.info("reloaded", model=picker.engine.model_version)

    def _refuse(self, error: Exception) -> None:
        self._log.error("reload refused; the running configuration stays", error=str(error))


def with_live_keys(running: PickingSettings, fresh: PickingSettings) -> PickingSettings:
    """The running settings with the fresh values of the keys that can change without a restart."""
    return running.model_copy(update={name: getattr(fresh, name) for name in LIVE_PICKING_KEYS})


def restart_keys(running: Settings, fresh: Settings) -> list[str]:
    """Name the changed keys that only a restart can apply."""
    sections = set(Settings.model_fields) - {"picking", "logging"}
    changed = [name for name in sorted(sections) if getattr(running, name) != getattr(fresh, name)]
    picking = set(type(fresh.picking).model_fields) - LIVE_PICKING_KEYS
    changed += [
        f"picking.{name}"
        for name in sorted(picking)
        if getattr(running.picking, name) != getattr(fresh.picking, name)
    ]
    return changed
