"""Patterns of channels, and how each version of SeedLink is asked for them."""

from __future__ import annotations

import pytest

from rtpick.ingest.selectors import Selection, StreamPattern
from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.errors import SettingsError


@pytest.mark.parametrize(
    ("pattern", "selector4", "selector3"),
    [
        ("BW.UH1..SHZ", "_S_H_Z", "SHZ"),
        ("BW.UH1.--.SHZ", "_S_H_Z", "SHZ"),
        ("BW.UH1.*.SH?", "*_S_H_?", "SH?"),
        ("BW.UH1.00.HHZ", "00_H_H_Z", "00HHZ"),
        ("BW.UH1.00.*", "00_?_?_?", "00???"),
        ("BW.UH1.*.H*", "*_H_?_?", "H??"),
        ("BW.UH1.*.*Z", "*_?_?_Z", "??Z"),
        ("BW.UH1..*", "_?_?_?", None),
        ("*.*.*.*", None, None),
    ],
)
def test_selectors_of_both_versions(pattern, selector4, selector3):
    parsed = StreamPattern.parse(pattern)
    assert (parsed.selector4, parsed.selector3) == (selector4, selector3)


@pytest.mark.parametrize(
    "text", ["", "BW", "BW.UH1.SHZ", "BW.UH1..SHZ.D", "BW..*.SHZ", ".UH1..SHZ", "B W.U..S"]
)
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(SettingsError, match=r"pattern|empty"):
        StreamPattern.parse(text)


@pytest.mark.parametrize(
    ("pattern", "channel", "wanted"),
    [
        ("BW.UH1..SHZ", "BW.UH1..SHZ", True),
        ("BW.UH1..SHZ", "BW.UH1.00.SHZ", False),
        ("BW.UH?.*.SH?", "BW.UH4.10.SHE", True),
        ("BW.UH?.*.SH?", "BW.UH10..SHE", False),
        ("B*.*.*.*", "BW.X..LOG", True),
        ("B*.SHZ", "BW.UH1..SHZ", None),
        ("*.UH1.*.*", "BW.UH12..SHZ", False),
        ("*.*.*.EH?", "PB.B916..EHZ", True),
    ],
)
def test_what_arrives_is_held_against_the_patterns(pattern, channel, wanted):
    if wanted is None:
        with pytest.raises(SettingsError, match="pattern"):
            Selection([pattern])
    else:
        assert Selection([pattern]).wants(ChannelId.parse(channel)) is wanted


def test_patterns_of_one_station_are_asked_together():
    selection = Selection(["BW.UH1..SHZ", "PB.*.*.EH?", "BW.UH1.*.HH?", "BW.UH1..SHZ"])
    first, second = selection.subscriptions()
    assert (first.station, first.selectors4, first.selectors3) == (
        "BW_UH1",
        ("_S_H_Z", "*_H_H_?"),
        ("SHZ", "HH?"),
    )
    assert (first.has_wildcard, first.station_id) == (False, StationId("BW", "UH1"))
    assert (second.station, second.has_wildcard, second.station_id) == ("PB_*", True, None)


def test_one_pattern_for_everything_makes_selectors_needless():
    (subscription,) = Selection(["BW.UH1..SHZ", "BW.UH1.*.*"]).subscriptions()
    assert subscription.selectors4 == subscription.selectors3 == ()


def test_wildcards_are_resolved_to_the_stations_there_are():
    selection = Selection(["BW.*..SHZ", "BW.UH2.*.HH?"])
    stations = [StationId.parse(name) for name in ("BW.UH2", "BW.UH1", "CX.PB01", "BW.UH2")]
    found = selection.subscriptions_of(stations)
    assert [(item.station, item.selectors3) for item in found] == [
        ("BW_UH1", ("SHZ",)),
        ("BW_UH2", ("SHZ", "HH?")),
    ]
