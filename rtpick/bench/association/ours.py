"""Our associator on a scenario, one pick after the other as they arrived, on one thread."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rtpick import __version__
from rtpick.associate_picks import Result, replay
from rtpick.association.associate import AssociatorState, new_state
from rtpick.association.sites import prepare_travel_times
from rtpick.association.warm import warm_up
from rtpick.bench.association.catalogue import Found, Publication, found_event
from rtpick.bench.association.scenario import Scenario
from rtpick.ingest.inventory import read_inventory
from rtpick.pick_table import read_picks
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.pick import Pick
from rtpick.vocabulary.time import NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What every associator is given of a scenario: picks with their arrival times (ns), and a network.

    `state` is our associator before the first pick; the others take stations, travel times and the
    extent of the search from it.
    """

    scenario: Scenario
    arrivals: tuple[tuple[int, Pick], ...]
    state: AssociatorState


def prepare(scenario: Scenario) -> Prepared:
    """Read a scenario's picks and stations and trace its velocity model."""
    settings = AssociationSettings(velocity_model=str(scenario.velocity_model))
    inventory = read_inventory([scenario.stations])
    arrivals = tuple(read_picks(scenario.picks, scenario.arrival_column))
    return Prepared(
        scenario, arrivals, new_state(settings, inventory, prepare_travel_times(settings, inventory))
    )


def run_rtpick(prepared: Prepared) -> tuple[Found, Result]:
    """Associate a scenario with the settings that the daemon has by default; compiling is not counted."""
    warm_up(prepared.state)
    began_s = time.process_time()
    result = replay(prepared.state, prepared.arrivals)
    spent_s = time.process_time() - began_s
    told = tuple(Publication(e.event_id, at / NS_PER_S, e.status.value) for at, e in result.publications)
    events = sorted(result.events, key=lambda event: event.origin.time_ns)
    found = Found(
        associator=f"rtpick {__version__}",
        setting="default, one pick after the other as they arrived",
        events=tuple(found_event(event) for event in events),
        pick_count=len(prepared.arrivals),
        processor_s=spent_s,
        publications=told,
    )
    return found, result
