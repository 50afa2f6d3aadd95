"""A resumed run may decide a pick in fewer revisions than the run before it had made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtpick.association.associate import new_state, restore, step
from rtpick.association.sites import prepare_travel_times
from rtpick.settings.schema import AssociationSettings
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.inventory import Inventory, Station
from rtpick.vocabulary.pick import Pick, PickStatus

SETTINGS = AssociationSettings()
STATIONS = [Station(StationId("XX", f"S{n}"), 45.0 + 0.1 * n, 7.0 + 0.1 * (n % 2)) for n in range(4)]
INVENTORY = Inventory({station.station: station for station in STATIONS})
TIMES = prepare_travel_times(SETTINGS, INVENTORY)
PRELIMINARY = Pick(
    *("a" * 16, ChannelId("XX", "S1", "", "HHZ"), "P", 1_700_000_000_000_000_000),
    *(0.9, 0.1, 1.0, 5.0, 1.0, "m-1"),
    status=PickStatus.PRELIMINARY,
    revision=3,
)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("status", [PickStatus.WITHDRAWN, PickStatus.FINAL])
def test_a_decision_outranks_a_higher_preliminary_revision(restarted, status):
    if restarted:
        state = restore(SETTINGS, INVENTORY, TIMES, [PRELIMINARY], [])
    else:
        state, _ = step(new_state(SETTINGS, INVENTORY, TIMES), [PRELIMINARY], 0)
    state, _ = step(state, [replace(PRELIMINARY, status=status, revision=1)], 0)
    latest = state.revisions.get(PRELIMINARY.pick_id)
    assert latest is not None
    assert latest.rank == (True, 1)
    assert (latest.signal is None) == (status is PickStatus.WITHDRAWN)
    assert state.counts.duplicate == 0
