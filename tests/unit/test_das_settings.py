"""Settings of ZeroMQ sources: what may be left out, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rtpick.ingest.zeromq_das import terms_of
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqSource, ZeroMqStationSettings
from rtpick.vocabulary.fiber import Quantity

SOURCE: TypeAdapter[Any] = TypeAdapter(ZeroMqSource)
CABLE = '"type": "zeromq-das", "name": "north", "address": "tcp://10.0.0.5:5561"'


def read(text: str) -> ZeroMqDasSettings | ZeroMqStationSettings:
    source: ZeroMqDasSettings | ZeroMqStationSettings = SOURCE.validate_json("{" + text + "}", strict=True)
    return source


def test_a_cable_needs_a_name_an_address_and_a_format() -> None:
    settings = read(CABLE + ', "format": "asn"')
    assert isinstance(settings, ZeroMqDasSettings)
    terms = terms_of(settings)
    assert (terms.fiber, terms.source, terms.quantity) == ("north", "north", Quantity.STRAIN_RATE)
    assert math.isnan(terms.gauge_length_m)


def test_what_is_declared_reaches_the_codecs() -> None:
    declared = '"quantity": "phase_rate", "unit": "rad/s", "gauge_length_m": 10.2, "fiber": "south"'
    settings = read(f'{CABLE}, "format": "xdas", {declared}, "curve_server_key_file": "a.key"')
    assert isinstance(settings, ZeroMqDasSettings)
    terms = terms_of(settings)
    assert (terms.fiber, terms.quantity, terms.unit) == ("south", Quantity.PHASE_RATE, "rad/s")
    assert (terms.gauge_length_m, settings.curve_server_key_file) == (10.2, Path("a.key"))


def test_stations_need_a_name_and_an_address() -> None:
    settings = read('"type": "zeromq-stations", "name": "field", "address": "ipc:///run/field"')
    assert isinstance(settings, ZeroMqStationSettings)
    assert settings.streams == ("*.*.*.*",)


@pytest.mark.parametrize(
    "wrong",
    [
        '"format": "csv"',
        '"format": "asn", "address": "10.0.0.5:5561"',
        '"format": "asn", "quantity": "velocity"',
        '"format": "asn", "silent_blocks": 0',
        '"format": "asn", "queue_bytes": 5',
        '"format": "asn", "fiber": "two words"',
        '"format": "asn", "colour": "red"',
    ],
)
def test_mistakes_are_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        read(f"{CABLE}, {wrong}")
