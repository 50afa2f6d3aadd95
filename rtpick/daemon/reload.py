"""SIGHUP: read the configuration again and apply what can change without a restart."""

from __future__ import annotations

from pathlib import Path

from structlog.stdlib import BoundLogger

from rtpick.daemon.pick_worker import PickWorker
from rtpick.networks import load_network
from rtpick.picking.picker import Picker
from rtpick.settings.load import load_settings
from rtpick.settings.schema import Settings
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

    A configuration with a mistake leaves the running one in force.
    """

    def __init__(self, path: Path, settings: Settings, pick: PickWorker, log: BoundLogger) -> None:
        self._path = path
        self._settings = settings
        self._pick = pick
        self._log = log

    def reload(self) -> None:
        """Read the file and apply the difference."""
        try:
            fresh = load_settings(self._path)
            self._apply(fresh)
        except RtpickError as error:
            self._log.error("reload refused; the running configuration stays", error=str(error))
            return
        self._log.info("reloaded", needs_restart=restart_keys(self._settings, fresh) or "nothing")
        self._settings = fresh

    def _apply(self, fresh: Settings) -> None:
        if fresh.picking != self._settings.picking:
            network = load_network(fresh.picking.weights)
            swap = fresh.picking.weights != self._settings.picking.weights

            def change(picker: Picker) -> None:
                picker.retune(fresh.picking)
                if swap:
                    picker.engine.swap(network)

            self._pick.order(change)
        configure_logging(fresh.logging)


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
