"""What a source says of itself: values on the edge, told once for each change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SourceState(StrEnum):
    """How a source fares."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    SILENT = "silent"
    CHANNEL_SILENT = "channel_silent"
    CHANNEL_HEARD = "channel_heard"
    RING_RESET = "ring_reset"
    RING_OVERTAKEN = "ring_overtaken"
    LAYOUT = "layout"
    FAILED = "failed"


LINK_STATES = frozenset(
    {
        SourceState.CONNECTING,
        SourceState.CONNECTED,
        SourceState.DISCONNECTED,
        SourceState.SILENT,
        SourceState.FAILED,
    }
)
"""The states of which a source is in exactly one; the others are incidents."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A change in how a source fares; `detail` is one sentence for a person.

    CONNECTING, CONNECTED, DISCONNECTED, SILENT and FAILED follow one another and are told once
    each time the state changes: ten failed attempts in a row are one DISCONNECTED. CHANNEL_SILENT
    and CHANNEL_HEARD name a channel in `detail`. RING_RESET: the server's numbers began anew.
    RING_OVERTAKEN: records that were still wanted have left the server's ring. LAYOUT: what a cable
    delivers is told for the first time, or has changed.
    """

    source: str
    state: SourceState
    detail: str
    at_ns: int


class LinkTeller:
    """Remember the last link state told, so that an outage is told once and its end once.

    Examples
    --------
    >>> teller = LinkTeller("ring")
    >>> teller.change(SourceState.DISCONNECTED, "refused", 1) is None
    False
    >>> teller.change(SourceState.DISCONNECTED, "refused again", 2) is None
    True
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._state: SourceState | None = None

    @property
    def state(self) -> SourceState | None:
        """The link state told last."""
        return self._state

    def change(self, state: SourceState, detail: str, now_ns: int) -> SourceStatus | None:
        """The value to tell, or None where nothing has changed."""
        if state is self._state:
            return None
        self._state = state
        return SourceStatus(self._source, state, detail, now_ns)
