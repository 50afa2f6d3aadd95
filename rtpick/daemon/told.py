"""What goes wrong often is told now and then."""

from __future__ import annotations

from rtpick.runtime.clock import monotonic_s

MAXIMUM_TOLD = 1000
SILENT_S = 60.0


class Told:
    """Remembers what was told lately; bounded, whatever a source invents."""

    def __init__(self) -> None:
        self._told_s: dict[tuple[object, str], float] = {}

    def may_tell(self, about: object, cause: str) -> bool:
        """Whether it is the first of its kind, or the first for a minute; it counts as told then."""
        kind, now_s = (about, cause), monotonic_s()
        if now_s - self._told_s.get(kind, -SILENT_S) < SILENT_S:
            return False
        if len(self._told_s) >= MAXIMUM_TOLD:
            self._told_s = {key: told_s for key, told_s in self._told_s.items() if now_s - told_s < SILENT_S}
        if len(self._told_s) >= MAXIMUM_TOLD:
            return False
        self._told_s[kind] = now_s
        return True
