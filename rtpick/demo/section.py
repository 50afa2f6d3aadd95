"""The demonstration's record section: the located earthquakes on their traces."""

from __future__ import annotations

from rtpick.demo.prepare import Stage
from rtpick.vocabulary.event import Event
from rtpick.vocabulary.pick import Pick


def draw_section(stage: Stage, events: list[Event], picks: list[Pick]) -> None:
    """Draw."""
